"""The shapes that labels of tasks draw: boxes and quadrilaterals, in the formats of COCO, YOLO and Open Images.

A label whose columns are points p1x, p1y … is a polygon of them, one with xmin, ymin, xmax, ymax a box; a column of JSON
that lists such dicts (each perhaps with its `label`) is several. Only the columns are looked at, never the task.
"""

import csv
import io
import itertools
import json

import yaml

from lib.imaging import coco

BOX = ("xmin", "ymin", "xmax", "ymax")


def shapes(entry):
    """By order: (class name, points [(x, y), …] in pixels of the upright picture) of an entry of the manifest."""
    for task, label in sorted(entry["annotations"].items()):
        yield from _shapes(task, label)


def _shapes(name, label):
    name = label.get("label") or label.get("class") or name
    stems = [key[:-1] for key in label if key.endswith("x") and f"{key[:-1]}y" in label]
    if set(BOX) <= label.keys():
        left, top, right, bottom = (float(label[key]) for key in BOX)
        yield str(name), [(left, top), (right, top), (right, bottom), (left, bottom)]
    elif len(stems) >= 3:
        yield str(name), [(float(label[f"{stem}x"]), float(label[f"{stem}y"])) for stem in stems]
    for value in label.values():
        for each in _listed(value):
            yield from _shapes(name, each)


def _listed(value):
    """The dicts, or the boxes [xmin, ymin, xmax, ymax] as dicts, that a text of JSON lists, if it does."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return []
    try:
        found = json.loads(value)
    except ValueError:   # a text that only begins like a list
        return []
    return [each if isinstance(each, dict) else dict(zip(BOX, each, strict=True)) for each in found
            if isinstance(each, dict) or isinstance(each, list) and len(each) == 4
            and all(isinstance(side, int | float) for side in each)]


def _box(points):
    across, down = [x for x, _ in points], [y for _, y in points]
    return min(across), min(down), max(across), max(down)


def class_names(entries):
    """The classes of all shapes, sorted."""
    return sorted({name for entry in entries() for name, _ in shapes(entry)})


def write_coco(file, entries, licences):
    """COCO JSON (cocodataset.org/#format-data), written piece by piece; a picture's own labels stand in `labels`."""
    from lib.hub.datasets import export

    classes = {name: number for number, name in enumerate(class_names(entries), 1)}
    terms = {one: number for number, one in enumerate(sorted(licences), 1)}
    sections = {
        "info": {"description": "data set of the image hub"},
        "licenses": [{"id": terms[one], "name": licences[one][0], "url": licences[one][1]} for one in sorted(licences)],
        "categories": [{"id": number, "name": name, "supercategory": ""} for name, number in classes.items()],
        "images": (coco.image(number, export.path(entry), (entry["width"], entry["height"]),
                                     license=terms[entry["licence"]], labels=entry["labels"])
                   for number, entry in enumerate(entries(), 1)),
        "annotations": _annotations(entries, classes)}
    for piece in coco.pieces(sections):
        file.write(piece.encode())


def _annotations(entries, classes):
    count = itertools.count(1)
    for number, entry in enumerate(entries(), 1):
        for name, points in shapes(entry):
            yield {"id": next(count), "image_id": number, "category_id": classes[name], "iscrowd": 0, "area": _area(points),
                   "bbox": coco.bbox(points), "segmentation": coco.segmentation(points)}


def _area(points):
    """The shoelace formula; px²."""
    after = points[1:] + points[:1]
    return abs(sum(x * v - u * y for (x, y), (u, v) in zip(points, after, strict=True))) / 2


def write_yolo_names(file, entries, licences):
    """data.yaml of YOLO's detection format; nothing where no label draws anything: folders are its classification format."""
    classes = class_names(entries)
    if classes:
        file.write(yaml.safe_dump({"path": ".", "train": "images", "val": "images", "names": dict(enumerate(classes))},
                                  sort_keys=False, allow_unicode=True).encode())


def yolo_lines(entry, classes):
    """Lines of YOLO: class number, centre and size of the box as parts of the picture; bytes."""
    lines = []
    for name, points in shapes(entry):
        left, top, right, bottom = _box(points)
        values = [(left + right) / 2 / entry["width"], (top + bottom) / 2 / entry["height"],
                  (right - left) / entry["width"], (bottom - top) / entry["height"]]
        lines.append(" ".join([str(classes.index(name)), *(f"{value:.8f}" for value in values)]) + "\n")
    return "".join(lines).encode()


def write_openimages(file, entries, licences):
    """Open Images' rows of boxes, 13 columns, coordinates as parts of the picture."""
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer, any_yet = csv.writer(text), False
    for entry in entries():
        for name, points in shapes(entry):
            if not any_yet:
                writer.writerow(("ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax",
                                 "IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"))
                any_yet = True
            left, top, right, bottom = _box(points)
            sides = [left / entry["width"], right / entry["width"], top / entry["height"], bottom / entry["height"]]
            writer.writerow((entry["sha256"], "xclick", name, 1, *(f"{min(1, max(0, side)):.6f}" for side in sides),
                             0, 0, 0, 0, 0))
    text.detach()
