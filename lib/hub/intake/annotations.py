"""Does a label hold what its task needs? Labels of tasks, as they are kept with a picture."""

import functools
import math

from lib import tasks
from lib.common import config


def columns(task):
    """Names and types of the columns of a task's labels; none where no task is named. config.ConfigError."""
    if not task:
        return {}
    if task not in tasks.names():
        raise config.ConfigError(f"task is {task!r}; there are {', '.join(tasks.names())}{config.suggestion(task, tasks.names())}")
    return job(task).columns


@functools.cache
def job(task):
    """The job of a task, as its settings stand in params.yaml."""
    return tasks.job(task)


def checked(task, label):
    """A label as it is to be kept: exactly the task's columns, in their types; ValueError names the one that is not."""
    wanted = columns(task)
    unknown = set(label) - set(wanted)
    if unknown:
        raise ValueError(f"labels of {task} have no {sorted(unknown)[0]!r}; they have {', '.join(wanted)}")
    return {name: _value(name, kind, label.get(name)) for name, kind in wanted.items()}


def _value(name, kind, value):
    if value is None or value == "":
        raise ValueError(f"the label lacks {name}")
    if kind is str:
        text = str(value)
        if "\0" in text or len(text) > 100_000:
            raise ValueError(f"{name} holds a NUL character or is too long")
        return text
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or kind is int and not number.is_integer():
        raise ValueError(f"{name} is {str(value)[:40]!r}, not a {'whole ' if kind is int else ''}number")
    return kind(number)
