"""Settings that name things (groups, files, columns, runs): texts as they were written, whatever YAML takes them for.

YAML 1.1 reads the hole 014 as the number 12, 1_2 as 12, NO as false and 2026-11-27 as a date.
"""

import re
from functools import cache
from pathlib import Path

import yaml

DEFAULTS = Path(__file__).resolve().parents[2] / "params.yaml"
PARAMETERS = ("task", "profile", "run")
LISTS = ("split.validation_groups", "split.test_groups", "verify.names", "tags.labels", "openimages.classes", "api.formats",
         "api.origins", "api.image_hosts")
GROUPS = ("data.columns", "data.path_rules")
LAYER = re.compile(r"^(settings\.(defaults|profiles\.[^.]+|tasks\.[^.]+(\.profiles\.[^.]+)?)|overrides)\.")


@cache
def text_keys():
    """The dotted keys of all settings that are a text, after the params.yaml that ships."""
    if not DEFAULTS.is_file():
        return frozenset()
    settings = yaml.safe_load(DEFAULTS.read_text())["settings"]
    layers = [settings["defaults"], *({key: value for key, value in own.items() if key != "profiles"}
                                      for own in settings["tasks"].values())]
    return frozenset(key for layer in layers for key, value in _leaves(layer) if isinstance(value, str))


def _leaves(values, before=""):
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def load_yaml(text, key=""):
    """The content of a YAML text, with texts as they were written where settings name things.

    `key` is the dotted key of the setting that the text is the value of; empty: the text is a whole params.yaml.
    Raises yaml.YAMLError.
    """
    return _as_written(yaml.safe_load(text), yaml.load(text, yaml.BaseLoader), key)  # noqa: S506 BaseLoader makes texts alone


def _as_written(value, written, key):
    if _names_things(key):
        return _texts(value, written)
    if isinstance(value, dict) and isinstance(written, dict) and len(value) == len(written):
        return {name: _as_written(inner, text, f"{key}.{name}" if key else str(name))
                for (name, inner), text in zip(value.items(), written.values(), strict=True)}
    return value


def _names_things(key):
    key = LAYER.sub("", key)
    return key in PARAMETERS or key in LISTS or key.startswith(GROUPS) or key in text_keys()


def _texts(value, written):
    if isinstance(value, dict) and isinstance(written, dict) and len(value) == len(written):
        return {name: _texts(inner, text) for (name, inner), text in zip(value.items(), written.values(), strict=True)}
    if isinstance(value, list):
        return [_texts(inner, text) for inner, text in zip(value, written, strict=True)]
    return value if value is None or isinstance(value, str) else written


def not_texts(values):
    """Pairs of a dotted key and a value that should be a text and is none, in resolved settings (nested dicts)."""
    for key in sorted(text_keys() | set(LISTS)):
        value = values
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        for each in value if isinstance(value, list) else [] if value is None else [value]:
            if not isinstance(each, str):
                yield key, each
    for name, column in values.get("data", {}).get("columns", {}).items():
        if not isinstance(column, str | None):
            yield f"data.columns.{name}", column
