"""params.yaml as one read-only typed object, and where things live."""

import copy
import difflib
import importlib.util
import math
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

from lib.common import setting_texts

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = ("task", "profile", "run", "overrides", "settings")  # the parameters cell of every notebook

PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "HEIF")


class ConfigError(ValueError):
    """A setting that cannot be used; the message names the key, the value and what is allowed."""


def home():
    """The folder that holds params.yaml, data/ and outputs/: the repository, or where COREBOX_HOME says."""
    return Path(os.environ.get("COREBOX_HOME") or REPOSITORY).resolve()


def data_folder(task, profile):
    return home() / "data" / task / profile


def outputs_folder(task, profile):
    return home() / "outputs" / task / profile


class Params(Mapping):
    """Settings as read-only attributes: `params.training.epochs`, or `params["training"]["epochs"]`."""

    def __init__(self, values):
        object.__setattr__(self, "_values", {k: Params(v) if isinstance(v, dict) else v for k, v in values.items()})

    def __getitem__(self, key):
        return self._values[key]

    def __getattr__(self, key):
        if key.startswith("_") or key not in self._values:
            raise AttributeError(f"no setting {key!r}; there are {', '.join(self._values)}")
        return self._values[key]

    def __setattr__(self, key, value):
        raise TypeError("settings are read-only; use overrides")

    def __iter__(self):
        return iter(self._values)

    def __len__(self):
        return len(self._values)

    def __repr__(self):
        return yaml.safe_dump(self.plain(), sort_keys=False, allow_unicode=True)

    def __reduce__(self):
        return Params, (self.plain(),)

    def plain(self):
        """A plain dict, to be written beside the numbers it led to."""
        return {k: v.plain() if isinstance(v, Params) else copy.deepcopy(v) for k, v in self.items()}


def read_file(path=None):
    """params.yaml as a dict with exactly the keys of NAMES; one in COREBOX_HOME wins over the repository's.

    `path` names another file of the same form. Settings that name things are texts as they were written.
    """
    path = Path(path) if path else next((p for p in (home() / "params.yaml", REPOSITORY / "params.yaml") if p.is_file()), None)
    if path is None or not path.is_file():
        raise ConfigError(f"{path or 'params.yaml'} is missing{'' if path else f' in {home()}'}")
    try:
        values = setting_texts.load_yaml(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"params.yaml is not YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(values, dict):
        raise ConfigError("params.yaml is empty or a list; it needs the keys " + ", ".join(NAMES))
    _check_keys(values, NAMES, "params.yaml")
    return values


def resolve(task, profile, overrides=None, settings=None, checks=None):
    """The Params of a task in a profile; ConfigError names any key or value that is wrong.

    `defaults < tasks.<task> < profiles.<profile> < tasks.<task>.profiles.<profile> < overrides`. The first two
    say which keys there are and of which type; the others may only give them other values. `overrides` are
    dotted keys, nested dicts, or both; empty `settings` mean those of params.yaml. `checks` are the task's own,
    as CHECKS here.
    """
    settings = settings or read_file()["settings"]
    _check_keys(settings, ("defaults", "profiles", "tasks"), "settings")
    tasks, profiles = settings["tasks"], settings["profiles"]
    if task not in tasks:
        raise ConfigError(f"task is {task!r}; there are {', '.join(tasks)}{suggestion(task, tasks)}")
    own = dict(tasks[task])
    own_profiles = own.pop("profiles", {})
    if profile not in {*profiles, *own_profiles}:
        there = {*profiles, *own_profiles}
        raise ConfigError(f"profile is {profile!r}; there are {', '.join(sorted(there))}{suggestion(profile, there)}")
    values = merge(settings["defaults"], own)
    for where, layer in ((f"profiles.{profile}", profiles.get(profile)),
                         (f"tasks.{task}.profiles.{profile}", own_profiles.get(profile)),
                         ("overrides", nest(overrides))):
        values = _override(values, layer or {}, where)
    _check(values, CHECKS | (checks or {}))
    return Params(values)


def with_overrides(params, overrides, checks=None):
    """The Params with other values for some settings, by dotted keys; ConfigError as in `resolve`."""
    values = _override(params.plain(), nest(overrides), "overrides")
    _check(values, CHECKS | (checks or {}))
    return Params(values)


def resolve_group(name, overrides=None):
    """The Params of one group of the defaults, for programs that serve no one task; checked as in `resolve`."""
    values = {name: _override(read_file()["settings"]["defaults"][name], overrides or {}, name)}
    _check_values(values, CHECKS)
    return Params(values[name])


def nest(overrides):
    """Dotted keys as nested dicts: {"a.b": 1} is {"a": {"b": 1}}."""
    result = {}
    for key, value in (overrides or {}).items():
        value = nest(value) if isinstance(value, dict) else value
        for part in reversed(str(key).split(".")):
            value = {part: value}
        result = merge(result, value)
    return result


def flat(values, before=""):
    """Nested dicts as dotted keys, the inverse of `nested`: {"a": {"b": 1}} is {"a.b": 1}."""
    result = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            result |= flat(value, f"{before}{key}.")
        else:
            result[f"{before}{key}"] = value
    return result


def parse_overrides(assignments):
    """Overrides from `a.b=c d=[1, 2]`, a text or a list of texts; values are YAML, names are texts as they were written."""
    words = re.findall(r"[\w.]+=(?:\[(?:[^\[\]]|\[[^\]]*\])*\]|\{(?:[^{}]|\{[^}]*\})*\}|\"[^\"]*\"|'[^']*'|\S*)", assignments) \
        if isinstance(assignments, str) else assignments or []
    if isinstance(assignments, str) and "".join(words).replace(" ", "") != assignments.replace(" ", ""):
        raise ConfigError(f"cannot read {assignments!r}; write a.b=c, with a space between two")
    result = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"cannot read {word!r}; write key=value")
        try:
            result[key] = setting_texts.load_yaml(value, key) if value else ""
        except yaml.YAMLError as error:
            raise ConfigError(f"the value of {word[:200]!r} is not YAML; put quotes around it, or close its brackets") from error
    return result


def merge(base, over):
    """Both dicts as one, the second winning, at every depth.

    OmegaConf 2.4 and mergedeep 1.3 do this as well and stay out: OmegaConf takes any type for a value without a class for
    every group, reads ${…} within texts and imports for 0.6 s; mergedeep (2021) would replace these six lines alone.
    """
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merge(result[key], value) if both else copy.deepcopy(value)
    return result


def _override(values, layer, where):
    """`values` with those of `layer`, which may bring no new key and no other type."""
    if not isinstance(layer, dict):
        raise ConfigError(f"{where} is {layer!r}; it must be a group of settings")
    result = dict(values)
    for key, value in layer.items():
        if values and key not in values:
            raise ConfigError(f"{where}.{key} is no setting{suggestion(key, values)}")
        old = values.get(key)
        if isinstance(old, dict) and old:
            result[key] = _override(old, value, f"{where}.{key}")
        else:
            result[key] = _typed(old, value, f"{where}.{key}")
    return result


def _typed(old, value, where):
    """`value` in the type of the default it replaces; an int or a text such as 1e-4 may stand for a float."""
    if old is None:
        return value
    if isinstance(old, float) and not isinstance(value, bool):
        try:  # YAML 1.1 reads 1e-4 as text
            number = float(value)
            if math.isfinite(number):
                return number
        except (TypeError, ValueError):
            pass
    elif type(value) is type(old):
        return copy.deepcopy(value)
    names = {float: "a finite number", int: "a whole number", bool: "true or false", str: "text, in quotes", list: "a list",
             dict: "a group"}
    raise ConfigError(f"{where} is {value!r}; it must be {names[type(old)]}, as {old!r} is")


def _check_keys(values, names, where):
    for key in values:
        if key not in names:
            raise ConfigError(f"{where} has no key {key!r}{suggestion(key, names)}")
    for name in names:
        if name not in values:
            raise ConfigError(f"{where} lacks the key {name!r}")


def suggestion(key, names):
    near = difflib.get_close_matches(str(key), [str(name) for name in names], 1, 0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


OWN_BACKBONES = "small", "residual", "ResNet34"  # those of lib/models/backbones.py and lib/models/resnet.py


@cache
def backbones():
    """The networks of keras.applications, by name, without importing Keras."""
    spec = importlib.util.find_spec("keras")
    text = (Path(spec.submodule_search_locations[0]) / "applications" / "__init__.py").read_text()
    return tuple(sorted(set(re.findall(r"import (\w+) as [A-Z]\w+", text))))


def at_least(least):
    return (lambda value: value >= least), f"at least {least}"


def between(least, most):
    return (lambda value: least <= value <= most), f"from {least} to {most}"


def increasing(least, most):
    """Two numbers, the second no less than the first, both from `least` to `most`."""
    def holds(pair):
        return len(pair) == 2 and all(isinstance(value, int | float) for value in pair) \
            and least <= pair[0] <= pair[1] <= most

    return holds, f"two numbers from {least} to {most}, the smaller first"


def one_of(*names):
    return (lambda value: value in names), "one of " + ", ".join(map(str, names))


CHECKS = {  # a dotted key: what it must hold, in code and in words
    "data.source": one_of("table", "hub"),
    "data.orientation": one_of("upright", "stored"),
    "data.generate": at_least(0),
    "split.train": between(0.0, 1.0),
    "split.validation": between(0.0, 1.0),
    "split.test": between(0.0, 1.0),
    "search.trials": at_least(0),
    "search.workers": between(1, 256),
    "search.sampler": one_of("tpe", "random"),
    "search.pruner": one_of("halving", "none"),
    "search.warmup": at_least(1),
    "search.reduction": between(2, 10),
    "search.heartbeat": between(1, 600),
    "search.retries": between(0, 100),
    "model.scale": one_of("backbone", "255"),
    "model.width": between(8, 2048),
    "model.height": between(8, 2048),
    "training.epochs": at_least(1),
    "training.batch_size": at_least(1),
    "training.learning_rate": between(1e-9, 10.0),
    "training.patience": at_least(0),
    "training.keep_every": at_least(0),
    "training.optimizer": one_of("adam", "adamw", "nadam", "rmsprop", "sgd"),
    "training.schedule": one_of("constant", "cosine", "cyclic"),
    "training.loss": one_of("task", "mean_squared_error", "mean_absolute_error", "huber", "wing"),
    "api.port": between(0, 65535),
    "api.max_bytes": between(1024, 2**30),
    "api.max_pixels": between(1024, 500_000_000),
    "api.read_timeout": between(0.1, 60.0),
    "api.total_timeout": between(0.1, 600.0),
    "api.processes": between(1, 64),
    "api.workers": between(1, 64),
    "api.memory": ((lambda value: value == 0 or value >= 512), "0 or at least 512"),
    "api.redirect": between(0, 65535),
    "api.queue": between(0, 10_000),
    "api.decimals": between(0, 6),
    "api.batch": between(1, 256),
    "api.batch_bytes": between(1024, 2**30),
    "api.trial_timeout": between(1.0, 600.0),
    "api.origins": ((lambda value: all(re.fullmatch(r"https?://[\w.-]+(:\d+)?", str(one)) for one in value)),
                    "a list of origins such as https://logging.example"),
    "api.image_hosts": ((lambda value: all(re.fullmatch(r"[\w.-]+(:\d+)?", str(one)) for one in value)),
                        "a list of host names such as pictures.example"),
    "api.formats": ((lambda value: value and set(value) <= set(PICTURE_FORMATS)),
                    "some of " + ", ".join(PICTURE_FORMATS)),
    "data.workers": between(1, 64),
    "data.connect_timeout": between(1, 600),
    "data.statement_timeout": between(1, 86_400),
    "data.retries": between(0, 100),
    "viewer.side": between(200, 8000),
    "viewer.autosave": between(0.1, 600.0),
    "viewer.refresh": between(1.0, 3600.0),
    "viewer.sheet": between(1, 200),
    "viewer.port": between(0, 65535),
    "viewer.views": between(1, 1000),
    "compute.engine": one_of("threads", "dask"),
    "compute.workers": between(1, 256),
    "compute.retries": between(0, 100),
    "hub.name": ((lambda value: re.fullmatch(r"[a-z][a-z0-9_]{0,40}", value)), "small letters, digits and _"),
    "hub.max_files": between(1, 10_000_000),
    "hub.port": between(0, 65535),
    "hub.page_port": between(0, 65535),
    "hub.page_views": between(1, 1000),
    "hub.uploads": between(1, 256),
    "hub.downloads": between(1, 256),
    "hub.training_most": between(1, 1000),
    "hub.training_attempts": between(1, 20),
    "hub.training_minutes": between(0.01, 10_000.0),
    "hub.heartbeat": between(0.05, 60.0),
    "hub.chunk": between(1, 10_000),
    "hub.hash_distance": between(0, 32),
    "hub.twin": between(0.0, 1.0),
    "hub.suspicion": between(0.0, 1.0),
    "verify.split": one_of("test", "validation", "all"),
    "verify.choose": one_of("worst", "random", "names", "range"),
    "verify.number": at_least(1),
    "verify.audit_folds": ((lambda value: value == 0 or 2 <= value <= 20), "0, or from 2 to 20"),
    "verify.audit_epochs": at_least(0),
    "verify.bootstrap": at_least(1),
    "verify.interval": between(0.5, 0.999),
    "verify.decimals": between(0, 6),
}


def demand_texts(**parameters):
    """ConfigError where a notebook's parameter that names something was passed as a number or the like."""
    for name, value in parameters.items():
        if not isinstance(value, str):
            raise ConfigError(f"{name} is {value!r}, which is {_kind(value)}, and what was written may be another text; "
                              f"pass it as text: papermill -r {name} TEXT, or in quotes")


def _kind(value):
    return {bool: "true or false", int: "a number", float: "a number"}.get(type(value), f"a {type(value).__name__}")


def _check(values, checks):
    for key, value in setting_texts.not_texts(values):
        raise ConfigError(f"{key} holds {value!r}, which is {_kind(value)} and no text, and what was written may be "
                          "another one, such as 014; write it in quotes")
    _check_values(values, checks)
    split = [values["split"][part] for part in ("train", "validation", "test")]
    if abs(sum(split) - 1) > 1e-6:
        raise ConfigError(f"split.train, split.validation and split.test are {split}; they must sum to 1")
    if min(split[:2]) <= 0:
        raise ConfigError(f"split.train and split.validation are {split[:2]}; neither may be empty")
    backbone = values["model"]["backbone"]
    if backbone not in OWN_BACKBONES and backbone not in backbones():
        raise ConfigError(f"model.backbone is {backbone!r}; it must be {', '.join(OWN_BACKBONES)} or a network of "
                          "keras.applications" + suggestion(backbone, backbones()))
    uri = values["tracking"]["uri"]
    if re.search(r"://[^/@]*:[^/@]*@", uri):
        raise ConfigError("tracking.uri holds a password, which would be written into every run; set it to "
                          "postgresql, and the database of data.token is used")


def _check_values(values, checks):
    for key, (holds, words) in checks.items():
        value = values
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None and not holds(value):
            raise ConfigError(f"{key} is {value!r}; it must be {words}")
