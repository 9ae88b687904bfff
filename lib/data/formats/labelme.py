"""LabelMe JSON (github.com/wkentaro/labelme, label_file): a file for each picture, to lie beside it.

A box is a polygon TL, TR, BR, BL in pixels of the upright picture, as LabelMe shows it. Rows of core and the like
stand in the shape's description, `row_nb: 3`, because its flags are only on or off; read are polygons, rectangles
and four points, and a flag named `row_nb: 3` that is on.
"""

import json
import posixpath
import re
from operator import itemgetter
from pathlib import PurePosixPath

from lib.data.formats import reading
from lib.data.formats.shapes import (
    Label,
    by_image,
    four_corners,
    rectangle,
    required,
    shapes_of_task,
    size,
)

VERSION = "5.4.1"   # of LabelMe's own files; it is not looked at when one is opened
OUTLINES = ("polygon", "rectangle", "oriented_rectangle", "rotation")


def write(labels, scheme):
    pictures = by_image(labels)
    texts = {str(PurePosixPath(name).with_suffix(".json")): _file(found, scheme) for name, found in pictures.items()}
    if len(texts) < len(pictures):
        raise ValueError("two pictures differ in nothing but their suffix, and LabelMe's files take no notice of "
                         "that; rename one, or export to coco")
    return texts


def _file(labels, scheme):
    label = labels[0]
    shapes = [{"label": scheme.name, "points": each.corners.tolist(), "group_id": None, "shape_type": "polygon",
               "description": "\n".join(f"{name}: {value}" for name, value in each.values.items()), "flags": {}}
              for each in labels]
    return json.dumps({"version": VERSION, "flags": {}, "shapes": shapes,
                       "imagePath": PurePosixPath(label.image).name, "imageData": None,
                       "imageHeight": label.size[1], "imageWidth": label.size[0]},
                      indent=1, allow_nan=False, ensure_ascii=False)


def parse(path, scheme, pictures):
    for each in reading.walk(path, ".json") if path.is_dir() else [path]:
        folder = each.parent.relative_to(path).as_posix() if path.is_dir() else ""
        yield from _read(each, folder, scheme)


def _read(path, folder, scheme):
    content = reading.parse_json(path)
    shapes = required(content, "shapes", list, path)
    name = required(content, "imagePath", str, path).replace("\\", "/")
    name = posixpath.normpath(posixpath.join(folder, name)) if name else ""
    sides = size(content, "imageWidth", "imageHeight", path)
    for number, shape in enumerate(shapes):
        required(shape, "label", str, f"{path}, shapes[{number}]")
    for corners, shape, place in _boxes(shapes_of_task(shapes, itemgetter("label"), scheme), path):
        yield Label(name, sides, corners, _values(shape, scheme), place=place)


def _boxes(shapes, path):
    """Corners, shape and place of each outline; where there is none, of all single points together."""
    outlines, dots = [], []
    for number, shape in enumerate(shapes):
        place = f"{path}, shape {number + 1} ({shape['label'][:80]})"
        kind, points = required(shape, "shape_type", str, place), required(shape, "points", list, place)
        if kind == "rectangle" and len(points) == 2:
            (left, top), (right, bottom) = four_corners(points * 2, place)[:2]
            outlines.append((rectangle(left, top, right - left, bottom - top), shape, place))
        elif kind in OUTLINES:
            outlines.append((four_corners(points, place), shape, place))
        elif kind == "point":
            dots.append((points[:1], shape))
    if dots and not outlines:
        outlines = [(four_corners([point for points, _ in dots for point in points], path), dots[0][1], path)]
    if shapes and not outlines:
        raise ValueError(f"{path}: none of its shapes has four corners; draw a polygon of four points")
    return outlines


def _values(shape, scheme):
    """What description and flags say, line by line: `row_nb: 3`."""
    description, flags = shape.get("description"), shape.get("flags")
    lines = description.splitlines() if isinstance(description, str) else []
    lines += [name for name, on in flags.items() if on is True] if isinstance(flags, dict) else []
    pairs = [re.split(r"\s*[:=]\s*", line.strip(), maxsplit=1) for line in lines]
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[0] in scheme.values}
