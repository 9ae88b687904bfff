"""Does a label hold what its task needs? Labels of tasks, as they are kept with a picture."""

import functools
import json
import math

from lib import tasks
from lib.common import config

MAX_TEXT = 100_000   # characters of a label's column


def columns(task):
    """Names and types of the columns of a task's labels; none where no task is named. config.ConfigError."""
    if not task:
        return {}
    if task not in tasks.names():
        raise config.ConfigError(f"task is {task[:60]!r}; there are {', '.join(tasks.names())}{config.suggestion(task, tasks.names())}")
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


def _not_nested(name, text):
    """A text that is no JSON, or JSON that whoever reads the label later can parse; ValueError where it is nested too deeply."""
    try:
        json.loads(text)
    except RecursionError as error:
        raise ValueError(f"{name} is JSON nested too deeply; send the lists of the task's format") from error
    except ValueError:   # an ordinary text
        pass
    return text


def _value(name, kind, value):
    if value is None or value == "":
        raise ValueError(f"the label lacks {name}")
    if kind is str:
        text = str(value)
        if "\0" in text or len(text) > MAX_TEXT:
            raise ValueError(f"{name} holds a NUL character or is longer than {MAX_TEXT} characters")
        if not text.isascii() and text.encode("utf-8", "ignore").decode() != text:
            raise ValueError(f"{name} holds half a character (a surrogate); put it right")
        return _not_nested(name, text)
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or kind is int and not number.is_integer():
        raise ValueError(f"{name} is {str(value)[:40]!r}, not a {'whole ' if kind is int else ''}number")
    return kind(number)
