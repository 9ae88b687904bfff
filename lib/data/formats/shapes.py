"""What all forms share: a label of four corners, of which a picture may have several, what a task's labels hold, and shapes made of numbers."""

import math
from dataclasses import dataclass, field
from pathlib import PureWindowsPath

import numpy as np

from lib.common import config
from lib.imaging import images
from lib.tasks.contract import Located, Reviewable


@dataclass(frozen=True)
class Label:
    """A box of four corners in a picture.

    `corners` (4, 2) are x, y in pixels, continuous: 0, 0 is the outer edge of the first pixel. Written ones are TL,
    TR, BR, BL of the upright picture; read ones come as they stand in the file. `size` (width, height) is None where
    the file does not tell, `place` says where in the file the label stands.
    """

    image: str
    size: tuple | None
    corners: np.ndarray
    values: dict = field(default_factory=dict)   # further columns (rows of core) by name, where the file has them
    split: str = ""
    place: str = ""


@dataclass(frozen=True)
class Scheme:
    """What a task's labels hold: four points by the stem of their columns, and further values with their types."""

    name: str
    points: tuple
    values: dict
    choices: dict

    @classmethod
    def of(cls, job, format):
        """The Scheme of a job; ConfigError where its labels are not four corners."""
        points = tuple(x[:-1] for x, _ in Located.of(job).point_columns)
        if len(points) != 4:
            raise config.ConfigError(f"the labels of {job.name} are not four corners, which {format} needs; "
                                     "use csv, which holds any label")
        used = {f"{point}{axis}" for point in points for axis in "xy"}
        return cls(job.name, points, {name: kind for name, kind in job.columns.items() if name not in used},
                   Reviewable.of(job).choices)

    @property
    def count(self):
        """The one column that holds a whole number, for formats with nothing but a class number; else None."""
        whole = [name for name, kind in self.values.items() if kind is int]
        return whole[0] if len(whole) == 1 else None

    def corners(self, row):
        return np.array([[row[f"{point}x"], row[f"{point}y"]] for point in self.points], float)

    def row(self, corners):
        return {f"{point}{axis}": float(value) for point, pair in zip(self.points, corners, strict=True)
                for axis, value in zip("xy", pair, strict=True)}


def by_image(labels):
    """The labels of each picture, by its name, in the order in which they come."""
    found = {}
    for label in labels:
        found.setdefault(label.image, []).append(label)
    return found


def shapes_of_task(shapes, name, scheme):
    """Of a picture's shapes those that are named like the task, or all where none is; `name` tells a shape's."""
    return [shape for shape in shapes if name(shape) == scheme.name] or shapes


# --- what is asked of a file


def required(holder, key, kind, place):
    """`holder[key]`, which must be of a type, or of one of some; ValueError says what stands there instead."""
    if not isinstance(holder, dict):
        raise ValueError(f"{place} is {_brief(holder)}, not an object; is this the right format?")
    value = holder.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        names = {str: "a text", list: "a list", dict: "an object", int: "a whole number", float: "a number"}
        wanted = " or ".join(names[each] for each in (kind if isinstance(kind, tuple) else (kind,)))
        raise ValueError(f"{place}: {key} is {_brief(value) if key in holder else 'missing'}; it must be {wanted}; "
                         "export the labels anew")
    return value


def number(value, place, what="a coordinate"):
    """A finite number, which may be a text; ValueError."""
    try:
        result = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        result = math.nan
    if not math.isfinite(result):
        raise ValueError(f"{place}: {what} is {_brief(value)}, not a finite number; put it right in the tool "
                         "and export again")
    return result


def size(holder, width, height, place):
    """Width and height in whole pixels, which stand under these keys; ValueError."""
    sides = [number(holder.get(key), place, key) for key in (width, height)]
    if min(sides) < 1 or any(side != int(side) for side in sides):
        raise ValueError(f"{place}: {width} and {height} are {sides[0]:g} and {sides[1]:g}; they must be whole pixels")
    return int(sides[0]), int(sides[1])


def four_corners(points, place):
    """Corners (4, 2) from a list of x, y pairs, the first perhaps repeated at the end; ValueError."""
    if not isinstance(points, list) or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in points):
        raise ValueError(f"{place}: the points are {_brief(points)}, not a list of x, y; export the labels anew")
    pairs = [(number(x, place), number(y, place)) for x, y in points]
    pairs = pairs[:-1] if len(pairs) == 5 and pairs[0] == pairs[-1] else pairs
    if len(pairs) != 4:
        raise ValueError(f"{place}: the shape has {len(pairs)} points; a box needs its four corners")
    return np.array(pairs)


def rectangle(left, top, width, height, degrees=0.0, centre=False):
    """The corners of a rectangle turned clockwise about its top-left corner, or about its centre; pixels."""
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    about = np.array([width, height]) / 2 if centre else np.zeros(2)
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    with np.errstate(all="ignore"):  # a side beyond all numbers is refused with its label
        return (corners - about) @ np.array([[c, s], [-s, c]]) + about + (left, top)


def is_picture_name(name):
    """Whether a path or URL ends as the name of a picture does."""
    return name.lower().partition("?")[0].endswith(tuple(images.SUFFIXES))


def name_problem(name):
    """Why a text cannot name a picture from a file of others, or "" where it can."""
    parts = PureWindowsPath(name).parts  # knows both slashes, and drives
    if not name.strip() or len(name) > 1000 or any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000
                                                   for letter in name):
        return "is empty, too long or holds control characters"
    if ".." in parts or name[0] in "/\\~" or PureWindowsPath(name).drive or "://" in name:
        return "leads out of the folder"
    return ""


def _brief(value):
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    return repr(value)[:80]
