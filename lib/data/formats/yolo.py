"""YOLO text files (docs.ultralytics.com, pose and OBB datasets): a folder of labels, lists of pictures and data.yaml.

Coordinates are parts of the upright picture's width and height, with ten digits. There is no place for attributes,
so the class number is the row count (class 3: three rows of core; 0: not known), and data.yaml names it `row_nb=3`;
classes of other names say nothing of rows. A corner outside the picture is written as it is, and Ultralytics leaves
such a picture out. Pictures are not copied: link or copy images/ beside labels/.
"""

import math
from pathlib import PurePosixPath

import numpy as np
import yaml

from lib.data.formats import reading
from lib.data.formats.shapes import Label, by_image, four_corners, number
from lib.imaging import images

LISTS = {"train": "train", "validation": "val", "test": "test", "": "train"}


class _Yolo:
    more = {}       # what data.yaml says beside paths and names

    @classmethod
    def write(cls, labels, scheme):
        pictures = by_image(labels)
        texts = {f"labels/{PurePosixPath(name).with_suffix('.txt')}": "".join(cls.line(label, scheme) for label in found)
                 for name, found in pictures.items()}
        if len(texts) < len(pictures):
            raise ValueError("two pictures differ in nothing but their suffix, and YOLO's files take no notice of "
                             "that; rename one, or export to coco")
        lists = {}
        for name, found in pictures.items():
            lists.setdefault(LISTS[found[0].split], []).append(f"./images/{name}\n")
        texts |= {f"{name}.txt": "".join(lines) for name, lines in lists.items()}
        most = max((_class(label, scheme) for label in labels), default=0)
        names = {0: scheme.name} | {at: f"{scheme.count}={at}" for at in range(1, most + 1)}
        about = {"path": ".", "train": "train.txt", "val": "val.txt" if "val" in lists else "train.txt",
                 **({"test": "test.txt"} if "test" in lists else {}), **cls.more, "names": names}
        return texts | {"data.yaml": yaml.safe_dump(about, sort_keys=False, allow_unicode=True)}

    @classmethod
    def line(cls, label, scheme):
        values = cls.numbers((label.corners / label.size).tolist())
        return " ".join([str(_class(label, scheme)), *values]) + "\n"

    @classmethod
    def parse(cls, path, scheme, pictures):
        names = _names(path)
        for each in reading.walk(path, ".txt"):
            parts = each.relative_to(path).parts
            if "labels" not in parts[:-1] or each.name == "classes.txt":  # LabelImg's names of classes
                continue
            lines = [(at, line.split()) for at, line in enumerate(reading.read_text(each).splitlines(), 1) if line.strip()]
            name, size = _picture(path, parts, pictures, each) if lines else (None, None)
            for at, words in lines:
                place = f"{each}, line {at}"
                count = number(words[0], place, "the class")
                if count < 0 or not count.is_integer():
                    raise ValueError(f"{place}: the class is {words[0][:80]!r}, not a whole number; export the labels anew")
                corners = four_corners(cls.points([number(word, place) for word in words[1:]], place), place) * size
                values = {scheme.count: int(count)} if scheme.count and _counts(int(count), names, scheme) else {}
                yield Label(name, size, corners, values, place=place)


class Pose(_Yolo):
    """Class, box (centre, width, height) and four keypoints x, y, 2 in the order TL, TR, BR, BL."""

    more = {"kpt_shape": [4, 3], "flip_idx": [1, 0, 3, 2]}

    @staticmethod
    def numbers(points):
        low, high = np.min(points, 0), np.max(points, 0)
        return [*map(_digits, [*(low + high) / 2, *high - low]),
                *(word for x, y in points for word in (_digits(x), _digits(y), "2"))]

    @staticmethod
    def points(values, place):
        step = {12: 2, 16: 3}.get(len(values))
        if not step:
            raise ValueError(f"{place} has {len(values)} numbers after the class; YOLO-pose has 12, or 16 with "
                             "visibility, for four corners")
        points = [values[at:at + step] for at in range(4, len(values), step)]
        if any(point[2] == 0 for point in points if step == 3):
            raise ValueError(f"{place}: a corner is marked as not labelled; label all four")
        return [point[:2] for point in points]


class Obb(_Yolo):
    """Class and four corners x, y, in the order TL, TR, BR, BL; Ultralytics makes the rectangle around them of it."""

    @staticmethod
    def numbers(points):
        return [_digits(value) for point in points for value in point]

    @staticmethod
    def points(values, place):
        if len(values) != 8:
            raise ValueError(f"{place} has {len(values)} numbers after the class; YOLO-OBB has 8")
        return [values[at:at + 2] for at in range(0, 8, 2)]


def _digits(value):
    return f"{value:.10f}".rstrip("0").rstrip(".")


def _class(label, scheme):
    value = label.values.get(scheme.count) if scheme.count else None
    return max(0, int(value)) if value is not None and math.isfinite(value) else 0


def _names(path):
    """The classes' names by number as data.yaml has them; None where there is none. ValueError."""
    file = path / "data.yaml"
    if not file.is_file():
        return None
    try:
        names = (yaml.safe_load(reading.read_text(file)) or {}).get("names")
    except (yaml.YAMLError, AttributeError, RecursionError, ValueError) as error:
        raise ValueError(f"{file} is not YAML: {' '.join(str(error).split())[:200]}; export the labels anew") from error
    return names if isinstance(names, dict) else dict(enumerate(names)) if isinstance(names, list) else None


def _counts(number, names, scheme):
    """Whether a class number is a row count."""
    return number > 0 and (names is None or names.get(number) == f"{scheme.count}={number}")


def _picture(path, parts, pictures, file):
    """Name and (width, height) of the picture of a label file: a gathered one, or one in images/ beside labels/."""
    at = parts.index("labels")
    stem = PurePosixPath(*parts[at + 1:]).with_suffix("").as_posix()
    name = pictures.named(stem)
    size = pictures.seen.get(name)
    folder = path.joinpath(*parts[:at], "images")
    for suffix in (() if size else images.SUFFIXES):
        for each in (suffix, suffix.upper()):
            if (folder / f"{stem}{each}").is_file():
                return name or f"{stem}{each}", pictures.look(folder / f"{stem}{each}")
    if not size:
        raise ValueError(f"{file}: the size of its picture is not known; gather the pictures with notebook 01, or put "
                         f"them into {folder}")
    return name, size
