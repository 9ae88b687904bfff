"""Labels in and out of files: the user's own table as CSV, and boxes of four corners in the forms of labelling tools.

A module here is one form. `write(labels, scheme)` gives texts by relative path (a single file has the path ""),
`read(path, scheme, pictures)` gives Labels; docs/formats.md says what each keeps. Files from others are read through
`door` only, and all rows go into the table in one transaction, or none.
"""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from lib.common import config
from lib.data import demo, ingest
from lib.data.formats import (
    abid,
    coco,
    csv_table,
    cvat,
    darknet,
    file_names,
    labelme,
    labelstudio,
    openimages,
    yolo,
)
from lib.data.formats.pictures import KnownPictures
from lib.data.formats.shapes import Label, Scheme
from lib.imaging import images
from lib.storage import files, tables
from lib.tasks.contract import Located, RejectedRow

BOXES = {"coco": coco, "yolo-pose": yolo.Pose, "yolo-obb": yolo.Obb, "labelme": labelme,
         "labelstudio": labelstudio, "cvat": cvat}
DATA_SETS = {"abid": abid, "darknet": darknet, "names": file_names, "openimages": openimages}   # data sets of others: `read(job, path)` gives kinds and records
FORMATS = ("csv", *BOXES, *DATA_SETS)


def import_labels(job, path, format="csv", table=""):
    """Load a file or folder of labels into the user's PostgreSQL table and return how many rows came.

    Schema, table and columns that are missing are made; all rows go in or none. Of a CSV a row replaces the one of
    the same picture; of the other formats only corners and what the file says of them do, in the pixels that
    `data.orientation` names. In the embedded PostgreSQL the generated rows make way. ValueError names the file, the
    place in it and the remedy; ConfigError a format that cannot hold this task's labels.
    """
    _check_format(format)
    if format in BOXES:
        kinds, records = _read_boxes(job, path, format, table)
    else:
        kinds, records = {"csv": csv_table, **DATA_SETS}[format].read(job, path)
    generated = "" if job.params.data.token or table else demo.ROOT
    return tables.store(job, table or job.params.data.table, kinds, records, job.params.data.columns["image"],
                          merge=format in BOXES, instead=generated)


def export_labels(job, path, format="csv", table=""):
    """Write labels to a file or folder, whole or not at all, and return how many.

    CSV is the whole table. The others hold the gathered labels, or, where there are none or a table is named, those
    of the table, whose pictures are measured; corners are always those of the upright picture. ValueError: the
    folder is not empty, a picture cannot be read; ConfigError: the format cannot hold this task's labels.
    """
    _check_format(format)
    if format == "csv":
        return csv_table.write(job, path, table)
    if format in DATA_SETS:
        return _export(job, Path(path), format)
    scheme = Scheme.of(job, format)
    labels = _ingested_labels(job, scheme) if not table and (job.folder / "labels.csv").is_file() \
        else _table_labels(job, scheme, table)
    _write_files(Path(path), BOXES[format].write(labels, scheme))
    return len(labels)


def _check_format(format):
    if format not in FORMATS:
        raise config.ConfigError(f"format is {format!r}; there are {', '.join(FORMATS)}")


# --- in


def _read_boxes(job, path, format, table):
    """Kinds and records for `tables.store`: what the file says of each picture."""
    scheme, pictures = Scheme.of(job, format), KnownPictures(job, table)
    found = {}
    for label in BOXES[format].read(Path(path), scheme, pictures):
        name = pictures.path(label.image, label.place)
        _check(label, pictures.seen.get(name), pictures.stored)
        found.setdefault(name, []).append(label)
    if not found:
        raise ValueError(f"{path} holds no labels of {format}; export what was labelled, and name that file")
    columns = job.params.data.columns
    asked = [columns[name] for name in ("image", "group") if columns.get(name)]  # gathering cannot do without
    kinds = dict.fromkeys(asked, str) | {columns[name]: kind for name, kind in job.columns.items()}
    records = [{columns["image"]: name} | _row(_one(labels, scheme), scheme, columns)
               for name, labels in found.items()]
    return kinds, records


def _check(label, size, stored):
    """ValueError where a label cannot lie on the picture it names: no number, or a picture of another size."""
    if not np.isfinite(label.corners).all():
        raise ValueError(f"{label.place}: a corner is no finite number; put it right in the tool and export again")
    if size and label.size and label.size != size:
        turned = "it was labelled before EXIF turns it, so set data.orientation=stored" \
            if label.size == size[::-1] and not stored else "label the picture itself, not a copy of another size"
        raise ValueError(f"{label.place}: {label.image[:200]} has {size[0]}x{size[1]} px and the file says "
                         f"{label.size[0]}x{label.size[1]}; {turned}")


def _one(labels, scheme):
    """The one label of a picture; ValueError where there are more."""
    if len(labels) > 1:
        raise ValueError(f"{labels[1].place}: {labels[1].image[:200]} has {len(labels)} labels, the first at "
                         f"{labels[0].place}; keep one, or name the right one {scheme.name} and the others not")
    return labels[0]


def _row(label, scheme, columns):
    """The table's own columns of a label; what the file does not say is left out."""
    values = {name: csv_table.parse_cell(label.place, name, str(value)[:200], scheme.values[name])
              for name, value in label.values.items() if value is not None}
    return {columns[name]: value for name, value in (scheme.row(label.corners) | values).items()}


# --- out


def _export(job, path, format):
    """Write the gathered labels as a data set of others' form; ConfigError where it is one that is only read."""
    if not hasattr(DATA_SETS[format], "write"):
        raise config.ConfigError(f"labels are not written as {format}, only read; the others are "
                                 f"{', '.join(name for name in FORMATS if name != format)}")
    rows = ingest.read_labels(job).to_dict("records")
    _write_files(path, DATA_SETS[format].write(job, rows, path))
    return len(rows)


def _ingested_labels(job, scheme):
    """Labels as notebook 01 left them."""
    return [_label(row, scheme) for row in ingest.read_labels(job).to_dict("records")]


def _table_labels(job, scheme, table):
    """Labels of the table; ValueError where a picture cannot be found or its label not be used."""
    pictures, labels, wrong = KnownPictures(job, table, must=True), [], []
    for path, row in pictures.rows.items():
        try:
            name, size, orientation = pictures.measured(path)
            label = {name: csv_table.parse_cell(path, name, row.get(column) or "", job.columns[name])
                     for name, column in job.params.data.columns.items() if name in job.columns}
            label |= {"image": name, "width": size[0], "height": size[1]}
            if pictures.stored:
                label = Located.of(job).transform_points(label, lambda points, o=orientation, s=size: images.upright(points, o, s))
            labels.append(_label(job.check(label), scheme))
        except (ValueError, RejectedRow, OSError) as error:
            wrong.append(f"{path!r}: {error}")
    if wrong:
        raise ValueError(f"{len(wrong)} of {len(pictures.rows)} rows cannot be exported, the first is {wrong[0][:300]}; "
                         "run notebook 01, which leaves such rows out, and export what it gathered")
    return labels


def _label(row, scheme):
    return Label(row["image"], (int(row["width"]), int(row["height"])), scheme.corners(row),
                 {name: kind(row[name]) for name, kind in scheme.values.items()}, row.get("split", ""))


def _write_files(path, texts):
    """Write a single file, or a folder of files that appears whole; ValueError where the folder holds something."""
    if "" in texts:
        files.write(path, texts[""])
        return
    if path.is_file() or path.is_dir() and any(path.iterdir()):
        raise ValueError(f"{path} is there already; name a new folder for the {len(texts)} files")
    path.parent.mkdir(parents=True, exist_ok=True)
    files.require_space(path.parent, sum(map(len, texts.values())))
    building = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    try:
        for name, text in texts.items():
            target = building / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        building.chmod(0o755)
        os.replace(building, path)
    finally:
        shutil.rmtree(building, ignore_errors=True)
