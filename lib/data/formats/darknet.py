"""Darknet's files (pjreddie.com/darknet, AlexeyAB/darknet): .data, .names, lists of pictures, labels, and its log.

The same labels serve Ultralytics' YOLO, for which data.yaml is written beside them. A line of a label is the class
number, then centre x, y, width and height as parts of the upright picture.
"""

import json
import re
from pathlib import Path, PurePosixPath

import yaml

from lib.common import config
from lib.data.formats import reading
from lib.data.formats.shapes import number
from lib.imaging import images
from lib.tasks.contract import Located, Reviewable

LISTS = {"train": "train", "validation": "valid", "test": "test"}
STEP = re.compile(r"^\s*(\d+): ([\d.]+|-?nan|inf), ([\d.]+|-?nan|inf) avg", re.M)
REGION = re.compile(r"Region \d+ Avg \(IOU: ([\d.]+)")                          # v3: Region 82 Avg IOU: 0.52, …
REGION_OLD = re.compile(r"Region \d+ Avg IOU: ([\d.]+|-?nan)")


def texts(items, names, folder):
    """The files of a data set by relative path: of `items` (picture's name, split, [(class number, box)]) and class names.

    A box is xmin, ymin, xmax, ymax in parts. The pictures lie in folder/images; darknet finds their labels by putting
    `labels` for `images` in a path, and wants paths that do not depend on where it was started.
    """
    folder = Path(folder).resolve()
    lists = {split: [] for split in LISTS}
    found = {}
    for name, split, shapes in items:
        lists[split].append(f"{folder}/images/{name}\n")
        found[f"labels/{PurePosixPath(name).with_suffix('.txt')}"] = "".join(
            f"{number} {_digits((x0 + x1) / 2)} {_digits((y0 + y1) / 2)} {_digits(x1 - x0)} {_digits(y1 - y0)}\n"
            for number, (x0, y0, x1, y1) in shapes)
    if len(found) < len(items):
        raise ValueError("two pictures differ in nothing but their suffix, and darknet takes no notice of that; rename one")
    about = {"classes": len(names), "train": f"{folder}/train.txt", "valid": f"{folder}/valid.txt",
             "names": f"{folder}/obj.names", "backup": f"{folder}/backup"}
    return found | {f"{LISTS[split]}.txt": "".join(lines) for split, lines in lists.items()} | {
        "obj.data": "".join(f"{key} = {value}\n" for key, value in about.items()),
        "obj.names": "".join(f"{name}\n" for name in names),
        "data.yaml": yaml.safe_dump({"path": str(folder), "train": "train.txt", "val": "valid.txt", "test": "test.txt",
                                     "names": dict(enumerate(names))}, sort_keys=False, allow_unicode=True)}


def _digits(value):
    return f"{min(max(value, 0.0), 1.0):.6f}"


def write(job, rows, folder):
    """The files for gathered rows of a job whose labels are boxes, by relative path; ConfigError for another job."""
    if Reviewable.of(job).edit != "boxes":
        raise config.ConfigError(f"the labels of {job.name} are not boxes, which darknet needs; use csv, which holds any label")
    names = list(Located.of(job).box_classes) or [job.name]
    items = [(row["image"], row["split"], [(names.index(box[4]) if len(box) > 4 else 0, [
        box[0] / row["width"], box[1] / row["height"], box[2] / row["width"], box[3] / row["height"]])
        for box in Located.of(job).boxes(row)]) for row in rows]
    return texts(items, names, folder)


def read_records(job, path):
    """Kinds and records of a folder of pictures with label files of the same name beside them, or in labels/ for images/.

    All classes are taken as one. The table's paths are those below the folder, which data.path_rules must lead to it.
    ValueError names the file and line.
    """
    path, columns, records = Path(path), job.params.data.columns, []
    if "boxes" not in job.columns:
        raise config.ConfigError(f"the labels of {job.name} are not boxes, which darknet holds; use csv, which holds any label")
    for picture in [each for suffix in images.SUFFIXES for each in reading.walk(path, suffix)]:
        name = picture.relative_to(path)
        label = next((each for each in (picture.with_suffix(".txt"), path.joinpath(*(
            "labels" if part == "images" else part for part in name.with_suffix(".txt").parts))) if each.is_file()), None)
        if label is None:
            continue
        try:
            width, height = images.size(reading.read_bytes(picture))
        except images.Refused as error:
            raise ValueError(f"{picture}: {error}; put the picture itself there") from error
        found = [_box(line.split(), width, height, f"{label}, line {at}")
                 for at, line in enumerate(reading.read_text(label).splitlines(), 1) if line.strip()]
        records.append({columns["image"]: name.as_posix(), columns["boxes"]: json.dumps(found)})
    if not records:
        raise ValueError(f"{path} holds no picture with a .txt of the same name beside it or in labels/; name that folder")
    return {columns["image"]: str, columns["boxes"]: str, **{columns[name]: str for name in ("group",) if columns.get(name)}}, \
        sorted(records, key=lambda row: row[columns["image"]])


def _box(words, width, height, place):
    """A box in pixels from a line of a label."""
    if len(words) != 5:
        raise ValueError(f"{place} has {len(words)} words; darknet has a class and centre x, centre y, width, height")
    if not words[0].isdecimal():
        raise ValueError(f"{place}: the class is {words[0][:80]!r}, not a number of the .names file; export the labels anew")
    x, y, wide, high = (number(word, place) for word in words[1:])
    if not (0 < wide <= 1.01 and 0 < high <= 1.01):
        raise ValueError(f"{place}: the width and height are {wide:g} and {high:g}, not parts of the picture's; "
                         "export the labels anew")
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise ValueError(f"{place}: the centre is {x:g}, {y:g}, outside the picture; export the labels anew")
    sides = (x - wide / 2) * width, (y - high / 2) * height, (x + wide / 2) * width, (y + high / 2) * height
    return [round(min(max(value, 0.0), most), 3) for value, most in zip(sides, (width, height) * 2, strict=True)]


def read_log(path):
    """A training's log as rows {iteration, loss, average, overlap}: `overlap` is the mean IoU that was printed since the
    row before, None where none was. ValueError where it holds no iteration."""
    rows, since = [], []
    for line in reading.read_text(path).splitlines():
        if region := REGION.search(line) or REGION_OLD.search(line):
            since.append(float(region[1]))
        elif step := STEP.match(line):
            known = [value for value in since if value == value]
            rows.append({"iteration": int(step[1]), "loss": float(step[2]), "average": float(step[3]),
                         "overlap": sum(known) / len(known) if known else None})
            since = []
    if not rows:
        raise ValueError(f"{path} holds no line such as '1: 1043.5, 1043.5 avg, …'; is it the output of darknet "
                         "detector train?")
    return rows


def charts(rows):
    """The two charts of a log: {"loss", "overlap"} as closed matplotlib Figures over the iterations."""
    from matplotlib.figure import Figure

    figures = {}
    for name, keys, label in (("loss", ("loss", "average"), "loss"), ("overlap", ("overlap",), "mean overlap (IoU)")):
        figure = Figure(figsize=(6, 3.6), layout="constrained")
        ax = figure.subplots()
        for key in keys:
            known = [(row["iteration"], row[key]) for row in rows if row[key] is not None and row[key] == row[key]]
            ax.plot(*zip(*known, strict=True) if known else ([], []), lw=1 if key == "loss" else 1.8, label=key,
                    color={"loss": "#b0892f", "average": "#33415c", "overlap": "red"}[key])
        ax.set(xlabel="iteration", ylabel=label)
        if len(keys) > 1:
            ax.set_yscale("log")
            ax.legend()
        figures[name] = figure
    return figures
