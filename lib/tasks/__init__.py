"""The tasks: one file or folder each, named like its class; `contract` says what a task must define.

Shared code never asks which task it runs.
"""

import importlib
import pkgutil

from lib.common import config
from lib.storage import files
from lib.tasks.contract import Task


def names():
    """The names of the tasks: the files and folders beside `contract`."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "contract")


def job(task, profile="smoke", run="", overrides=None, settings=None):
    """The Task of this name with its settings: the first call of every notebook.

    Empty `settings` mean those of params.yaml. Where `search.use` is true, the best settings that a search has found
    are used, unless they are overridden. ConfigError names a setting that cannot be used.
    """
    config.demand_texts(task=task, profile=profile, run=run)
    if task not in names():
        raise config.ConfigError(f"task is {task!r}; there are {', '.join(names())}{config.suggestion(task, names())}")
    kind = find(task)
    params = config.resolve(task, profile, overrides, settings, kind.setting_checks)
    if params.search.use:
        best = config.nest(_best_settings(task, profile))
        params = config.resolve(task, profile, config.merge(best, config.nest(overrides)), settings, kind.setting_checks)
    return kind(params, profile, run)


def _best_settings(task, profile):
    """The best settings that a search has found, by dotted name; ConfigError where there was none."""
    path = config.outputs_folder(task, profile) / "search" / "best.json"
    if not path.is_file():
        raise config.ConfigError(f"search.use is true and {task}/{profile} was not searched; run python -m lib search "
                                 "first, or set search.use=false")
    return files.read_json(path)["settings"]


def find(task):
    """The class of a task: the one subclass of Task in its file or folder."""
    module = importlib.import_module(f"{__name__}.{task}")
    return next(kind for kind in vars(module).values()
                if isinstance(kind, type) and issubclass(kind, Task) and kind.__module__ == module.__name__)
