"""Labels in and out of files: the user's own table as CSV, and boxes of four corners in the forms of labelling tools.

A picture may have several boxes, each a row of the table, where the task knows that (`Located.several`).

A module here is one format. `write(labels, scheme)` gives texts by relative path (a single file has the path ""),
`parse(path, scheme, pictures)` gives Labels; docs/formats.md says what each keeps. Files from others are read by
`reading` only, and all rows go into the table in one transaction, or none.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lib.common import config
from lib.data import demo, ingest, merging
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
from lib.data.formats.path_index import PathIndex
from lib.data.formats.pictures import KnownPictures, picture_paths
from lib.data.formats.shapes import Label, Scheme
from lib.imaging import images
from lib.storage import files
from lib.storage.table_writes import RowChanges, write_rows
from lib.tasks.contract import Located, RejectedRow

BOXES = {"coco": coco, "yolo-pose": yolo.Pose, "yolo-obb": yolo.Obb, "labelme": labelme,
         "labelstudio": labelstudio, "cvat": cvat}
DATA_SETS = {"abid": abid, "darknet": darknet, "names": file_names, "openimages": openimages}   # data sets of others: `read_records(job, path)` gives kinds and records
FORMATS = ("csv", *BOXES, *DATA_SETS)


@dataclass(frozen=True)
class LabelImport:
    """What came of a file of labels: the RowChanges, and how many labels met pictures that the table has (`known`).

    `new` are the names of the other pictures, which were added or not (`added`); `ambiguous` gives, by name, the pictures
    of the table that it can mean, none of which was changed. `read_as` says how the file is written where it is not plain.
    """

    changes: RowChanges
    known: int
    new: tuple = ()
    added: bool = True
    ambiguous: dict = field(default_factory=dict)
    read_as: str = ""
    dry_run: bool = False

    def __str__(self):
        """Lines for a person."""
        new = f"{len(self.new)} {'are' if len(self.new) != 1 else 'is'} of new pictures"
        lines = [f"{self.known} {'labels' if self.known != 1 else 'label'} met known pictures, {new}"
                 + ("" if self.added or not self.new else ", which were left out (--add takes them)"),
                 ("would be: " if self.dry_run else "") + str(self.changes)]
        lines += [f"read as {self.read_as}"] if self.read_as else []
        lines += [] if self.added else [f"new: {name}" for name in self.new]
        lines += [f"not told apart: {name} may be {' or '.join(paths)}" for name, paths in self.ambiguous.items()]
        return "\n".join(lines)


def import_labels(job, path, format="csv", table="", add=False, dry_run=False):
    """Load a file or folder of labels into the user's PostgreSQL table and return the LabelImport.

    Rows of known pictures are updated in place, in the columns of which the file says something: of a CSV all of its own,
    of the other formats corners and values, in the pixels that `data.orientation` names. Pictures that the table does not
    have become rows where a CSV or a data set of others is loaded, and of the other formats with `add` only. Schema, table
    and columns that are missing are made; all is done in one transaction, or nothing. In the embedded PostgreSQL the
    generated rows make way. With `dry_run` nothing is kept. ValueError names the file, the place in it and the remedy;
    ConfigError a format that cannot hold this task's labels.
    """
    _check_format(format)
    image, ambiguous, new, read_as = job.params.data.columns["image"], {}, None, ""
    if format in BOXES:
        kinds, records, new, ambiguous = _read_boxes(job, path, format, table)
        records = records + [record for added in new.values() for record in added] if add else records
        if not records:
            raise ValueError(_no_picture_known(path, new, ambiguous))
    elif format == "csv":
        kinds, records, read_as = csv_table.read_records(job, path)
        records = _spelled_as_in_table(job, table, records)
        _check_boxes(job, records)
    else:
        kinds, records = DATA_SETS[format].read_records(job, path)
    generated = "" if job.params.data.token or table else demo.GENERATED
    changes = write_rows(job, table or job.params.data.table, kinds, records, image, dry_run, make_way=generated,
                         pair=merging.row_matcher(job))
    names = tuple(new) if new is not None else changes.added
    return LabelImport(changes, changes.updated + changes.unchanged, names, add or new is None, ambiguous, read_as, dry_run)


def _check_boxes(job, records):
    """ValueError where two rows of a CSV are different labels of one box."""
    names = {name: column for name, column in job.params.data.columns.items() if column}
    pictures = {}
    for record in records:
        pictures.setdefault(record[names["image"]], []).append({name: record.get(column) for name, column in names.items()})
    for image, labels in pictures.items():
        if Located.of(job).several and "same picture, other labels" in merging.contradictions(job, labels).values():
            raise ValueError(f"two rows for {image!r} differ and are labels of the same box; keep one; nothing was written")


def _no_picture_known(path, new, ambiguous):
    """Why no label of a file can be loaded."""
    if not new:
        name, paths = next(iter(ambiguous.items()))
        return (f"{path}: none of its {len(ambiguous)} pictures can be told apart; {name[:200]} may be {' or '.join(paths)}; "
                "name pictures with their folders")
    names = list(new)
    return (f"{path}: none of its {len(new) + len(ambiguous)} pictures is in the table: {', '.join(names[:5])[:400]}"
            f"{f' and {len(names) - 5} more' if len(names) > 5 else ''}; put their names right, or add them as new rows "
            "with --add")


def _spelled_as_in_table(job, table, records):
    """The records with the table's own spelling of a picture's path, where slashes, case or letters of it differ."""
    image = job.params.data.columns["image"]
    known = PathIndex((path, path) for path in picture_paths(job, table))
    found = [known.find_whole(record[image]) for record in records]
    return [record | {image: paths[0]} if len(paths) == 1 else record for record, paths in zip(records, found, strict=True)]


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
    """Kinds and records for `write_rows` of the pictures that are known, records by name of those that are new, and
    the pictures by name that it may mean."""
    scheme, pictures = Scheme.of(job, format), KnownPictures(job, table)
    known, new, ambiguous = {}, {}, {}
    for label in BOXES[format].parse(Path(path), scheme, pictures):
        found = pictures.find(label.image)
        _check(label, pictures.seen.get(found[0]) if len(found) == 1 else None, pictures.stored)
        if len(found) > 1:
            ambiguous[label.image] = found
        elif found:
            known.setdefault(found[0], []).append(label)
        else:
            new.setdefault(pictures.new_name(label.image, label.place), []).append(label)
    if not (known or new or ambiguous):
        raise ValueError(f"{path} holds no labels of {format}; export what was labelled, and name that file")
    columns = job.params.data.columns
    asked = [columns[name] for name in ("image", "group") if columns.get(name)]  # ingesting cannot do without
    kinds = dict.fromkeys(asked, str) | {columns[name]: kind for name, kind in job.columns.items()}
    records = {name: [{columns["image"]: name} | _row(label, scheme, columns) for label in _apart(job, labels, scheme)]
               for name, labels in (known | new).items()}
    return kinds, [record for name in known for record in records[name]], {name: records[name] for name in new}, ambiguous


def _check(label, size, stored):
    """ValueError where a label cannot lie on the picture it names: no number, or a picture of another size."""
    if not np.isfinite(label.corners).all():
        raise ValueError(f"{label.place}: a corner is no finite number; put it right in the tool and export again")
    if size and label.size and label.size != size:
        turned = "it was labelled before EXIF turns it, so set data.orientation=stored" \
            if label.size == size[::-1] and not stored else "label the picture itself, not a copy of another size"
        raise ValueError(f"{label.place}: {label.image[:200]} has {size[0]}x{size[1]} px and the file says "
                         f"{label.size[0]}x{label.size[1]}; {turned}")


def _apart(job, labels, scheme):
    """The labels of a picture; ValueError where there are more than the task knows, or two of the same box."""
    places = [scheme.row(label.corners) for label in labels]
    if len(labels) > 1 and (not Located.of(job).several or merging.contradictions(job, places)):
        raise ValueError(f"{labels[1].place}: {labels[1].image[:200]} has {len(labels)} labels, the first at "
                         f"{labels[0].place}; keep one, or name the right one {scheme.name} and the others not")
    return labels


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
    return [_label({**row, **label}, scheme) for row in ingest.read_labels(job).to_dict("records")
            for label in Located.of(job).labels_of(row)]


def _table_labels(job, scheme, table):
    """Labels of the table; ValueError where a picture cannot be found or its label not be used."""
    pictures, labels, wrong = KnownPictures(job, table, must=True), [], []
    for path, row in ((path, row) for path, rows in pictures.rows.items() for row in rows):
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
        raise ValueError(f"{len(wrong)} of {sum(map(len, pictures.rows.values()))} rows cannot be exported, the first is {wrong[0][:300]}; "
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
