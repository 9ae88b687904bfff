"""Label Studio JSON (labelstud.io, "Label Studio JSON format of annotated tasks"): polygons in each task.

Coordinates are percent of the upright picture's width and height. Read are polygons, four keypoints and rectangles,
whose rotation is clockwise about the top-left corner, in degrees. Rows of core and the like are a `number` of the
picture, or of its region (perRegion) where there are several; a choice is read too. docs/formats.md has the labelling setup that fits.
"""

import json
import re
import urllib.parse

import numpy as np

from lib.data.formats import reading
from lib.data.formats.shapes import (
    Label,
    by_image,
    four_corners,
    is_picture_name,
    number,
    rectangle,
    required,
    shapes_of_task,
    size,
)

FOLDER = "/data/local-files/?d="   # how Label Studio names a picture of its local storage
WORDS = {"number": "number", "choices": "choices", "textarea": "text"}


def write(labels, scheme):
    return {"": json.dumps([_task(at, found, scheme) for at, found in enumerate(by_image(labels).values(), 1)], indent=1, allow_nan=False,
                           ensure_ascii=False)}


def _task(at, labels, scheme):
    result = [region for number, label in enumerate(labels, 1)
              for region in _result(f"{at}-box{number}" if len(labels) > 1 else "", at, label, scheme)]
    return {"id": at, "data": {"image": FOLDER + urllib.parse.quote(labels[0].image)}, "annotations": [{"result": result}]}


def _result(region, at, label, scheme):
    """The outline of a label and its values, which are the region's own (perRegion) where it has a name."""
    shown = {"to_name": "image", "original_width": label.size[0], "original_height": label.size[1],
             "image_rotation": 0}
    points = (label.corners * 100 / label.size).tolist()
    result = [{"id": region or f"{at}-box", "type": "polygonlabels", "from_name": "label", **shown,
               "value": {"points": points, "closed": True, "polygonlabels": [scheme.name]}}]
    own = {**shown, "value": {"points": points, "closed": True}} if region else {"to_name": "image", "value": {}}
    for name, value in label.values.items():
        kind = "number" if isinstance(value, int | float) else "choices"
        result.append({"id": region or f"{at}-{name}", "type": kind, "from_name": name,
                       **own, "value": {**own["value"], kind: value if kind == "number" else [value]}})
    return result


def parse(path, scheme, pictures):
    tasks = reading.parse_json(path)
    if not isinstance(tasks, list):
        raise ValueError(f"{path} is not a list of tasks; export as JSON (not JSON-MIN) from Label Studio")
    for at, task in enumerate(tasks):
        place = f"{path}, task {at + 1}"
        kept = [each for each in required(task, "annotations", list, place)
                if isinstance(each, dict) and not each.get("was_cancelled")]
        if len(kept) > 1:
            raise ValueError(f"{place} has {len(kept)} annotations; keep one of them in Label Studio")
        for annotation in kept:
            result = required(annotation, "result", list, place)
            yield from _boxes(_name(required(task, "data", dict, place), place), result, scheme, place)


def _name(data, place):
    """The picture's path or URL: what follows local storage's ?d=, an upload's path, or the text as it is.

    It stands under `image`, or under the one key whose text names a picture.
    """
    named = {key: value for key, value in data.items() if isinstance(value, str) and is_picture_name(_path(value))}
    texts = [data["image"]] if isinstance(data.get("image"), str) else list(dict.fromkeys(named.values()))
    if not texts:
        raise ValueError(f"{place}: its data names no picture; export the labels anew")
    if len(texts) > 1:
        raise ValueError(f"{place}: its data names several pictures, under {', '.join(named)}; call the one that was "
                         "labelled image")
    return _path(texts[0])


def _path(text):
    """The path that a text of a task's data stands for."""
    local = re.search(r"[?&]d=([^&]*)", text)
    if local:
        return urllib.parse.unquote(local.group(1))
    if text.startswith("/data/"):  # an upload: the folders before it are Label Studio's
        return urllib.parse.unquote(re.split("[?#]", text)[0]).rpartition("/")[2]
    return text


def _boxes(name, result, scheme, place):
    """The Labels of a task: each outline, or all keypoints together where there is none."""
    regions = {"polygon": [], "rectangle": [], "keypoint": []}
    values = {}   # by the id of a region; None: those of the whole picture
    shapes = {_id(region) for region in result if isinstance(region, dict)
              and str(region.get("type")).removesuffix("labels") in regions} - {None}
    for region in result:
        kind, value = required(region, "type", str, place), required(region, "value", dict, place)
        column = region.get("from_name")
        if kind in WORDS and isinstance(column, str) and column in scheme.values:
            given = value.get(WORDS[kind])
            owner = _id(region) if _id(region) in shapes else None
            values.setdefault(owner, {})[column] = given[0] if isinstance(given, list) and len(given) == 1 else given
        elif kind.removesuffix("labels") in regions:
            regions[kind.removesuffix("labels")].append(region)
    outlines = shapes_of_task(regions["polygon"] + regions["rectangle"], _label, scheme)
    found = [(*_scaled(region, place), _id(region)) for region in outlines]
    if regions["keypoint"] and not found:
        dots = [_scaled(region, place) for region in regions["keypoint"]]
        found = [(four_corners([tuple(point) for points, _ in dots for point in points], place), dots[0][1], None)]
    for corners, sides, region in found:
        yield Label(name, sides, corners, {**values.get(None, {}), **values.get(region, {})}, place=place)


def _id(region):
    """The name by which the results of one region belong together; None where it has none."""
    return region["id"] if isinstance(region.get("id"), str) else None


def _scaled(region, place):
    """The points of a region in pixels, and the (width, height) of its picture."""
    kind, value = region["type"], region["value"]
    sides = size(region, "original_width", "original_height", place)
    if region.get("image_rotation"):
        raise ValueError(f"{place}: the picture was rotated in Label Studio; rotate it back there and export again")
    if kind.startswith("polygon"):
        return four_corners(required(value, "points", list, place), place) * sides / 100, sides
    left, top = (number(value.get(name), place, name) * side / 100 for name, side in zip("xy", sides, strict=True))
    if kind.startswith("keypoint"):
        return np.array([[left, top]]), sides
    width, height = (number(value.get(name), place, name) * side / 100
                     for name, side in zip(("width", "height"), sides, strict=True))
    return rectangle(left, top, width, height, number(value.get("rotation", 0), place, "rotation")), sides


def _label(region):
    names = region["value"].get(region["type"])
    return names[0] if isinstance(names, list) and names else None
