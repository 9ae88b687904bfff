"""Which labels does a class name mean?"""

import csv
import difflib

from lib.common import config
from lib.data.formats import reading

DESCRIPTIONS, HIERARCHY = "*class-descriptions-boxable.csv", "*hierarchy.json"


def one(folder, pattern, what):
    """The one file of a folder that fits a pattern; ValueError names what is missing."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; name the one that holds the files of Open Images")
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise ValueError(f"{folder} holds {len(found) or 'no'} file{'s' * (len(found) > 1)} {pattern} ({what}); put one "
                         "there, as Open Images publishes it")
    return found[0]


def described(folder):
    """Names by label, in the order of the file (601 boxable classes)."""
    path = one(folder, DESCRIPTIONS, "the names of the classes")
    lines = [line for line in csv.reader(reading.read_text(path).splitlines()) if line]
    if any(len(line) != 2 for line in lines):
        bad = next(line for line in lines if len(line) != 2)
        raise ValueError(f"{path}: {','.join(bad)[:80]!r} is not LABEL,NAME; take the file as Open Images publishes it")
    named = {label: name for label, name in lines if label != "LabelName"}
    if not named:
        raise ValueError(f"{path} names no class; take the file as Open Images publishes it")
    return named


def wanted(folder, names, children=True):
    """Names by label of the classes that are named, and of those below them; ConfigError with the nearest names."""
    every = described(folder)
    labels = {name.lower(): label for label, name in every.items()}
    chosen = []
    for name in names:
        if str(name).lower() not in labels:
            near = difflib.get_close_matches(str(name).lower(), labels, 3, 0.5)
            near = ", ".join(every[labels[each]] for each in near) or "none is near; see class-descriptions-boxable.csv"
            raise config.ConfigError(f"openimages.classes names {name!r}, which is no class; the nearest: {near}")
        chosen.append(labels[str(name).lower()])
    if not chosen:
        raise config.ConfigError("openimages.classes is empty; name a class, such as Boat")
    below = {child for label in chosen for child in _below(_tree(folder), label)} if children else set()
    return {label: every[label] for label in every if label in {*chosen, *below}}


def _tree(folder):
    path = one(folder, HIERARCHY, "the hierarchy of the classes")
    tree = reading.parse_json(path)
    if not _whole(tree):
        raise ValueError(f"{path} is no hierarchy of classes; take the file as Open Images publishes it")
    return tree


def _whole(node):
    """Whether each node of a hierarchy has a name, and a list of nodes below it if any."""
    below = node.get("Subcategory", []) if isinstance(node, dict) else None
    return isinstance(below, list) and isinstance(node.get("LabelName"), str) and all(map(_whole, below))


def _below(tree, label, inside=False):
    """The labels under a label; parts (a boat's mast) are not kinds of it and do not count."""
    inside = inside or tree.get("LabelName") == label
    for child in tree.get("Subcategory", ()):
        if inside:
            yield child["LabelName"]
        yield from _below(child, label, inside)
