"""A data set of some classes of Open Images, made of its official files: `build(job, folder)` is the door.

    classes    names to labels, with the classes below them
    rows       boxes and pictures out of files of gigabytes, as a stream
    lists      what is written: labels, cloud transfer, YOLO, darknet, COCO
    pictures   download, check, turn

The files (storage.googleapis.com/openimages/web/download_v7.html) lie in one folder under their own names:
class-descriptions-boxable.csv, bbox_labels_600_hierarchy.json, oidv6-train-annotations-bbox.csv,
train-images-boxable-with-rotation.csv and, if wanted, open-images-dataset-train_*.tsv. All is a function of these
files and the settings, so a second build writes the same bytes.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from lib.common import config
from lib.data import ingest, transfer
from lib.data.formats.openimages import classes, manifests, pictures, rows
from lib.storage import files

__all__ = ["Built", "build", "read"]


@dataclass(frozen=True)
class Built:
    """`pictures`: the lists.Picture of the data set that are there, in the order of their ids; `counts`: what was taken."""

    pictures: list
    counts: dict


def build(job, folder, out, progress=True):
    """Choose, list and fetch the pictures that the `openimages` settings of a job ask for; returns the Built.

    Written below `out`: boxes.csv, transfer.tsv, labels/ and the lists of YOLO and darknet; then, where pictures are
    to be downloaded, original/ (byte for byte), images/ (upright by their EXIF), coco.json and failed.csv. Pictures
    of one author stay in one split (`split.*`). ValueError: a file is missing or malformed; ConfigError: an unknown
    class, with the nearest names; Unreachable: the server is down.
    """
    settings = job.params.get("openimages")
    if settings is None:
        raise config.ConfigError(f"the task {job.name} has no settings openimages; take one whose labels are boxes")
    folder, out = Path(folder), Path(out)
    wanted = classes.wanted(folder, settings.classes, settings.children)
    found = rows.boxes(folder, settings.subset, wanted, settings.attributes.plain())
    chosen, double = rows.pictures(folder, settings.subset, found, settings.limit)
    parts = ingest.assign_splits({each.author for each in chosen}, job.params.split)
    chosen = [each.with_split(parts[each.author]) for each in chosen]
    names = list(wanted.values()) if settings.separate else [job.name]
    counts = {"boxes": sum(len(each.boxes) for each in chosen), "pictures": len(chosen), "same picture twice": double,
              "authors": len({each.author for each in chosen})}
    with files.lock(out):
        manifests.write(out, chosen, names, wanted, settings.separate)
        if settings.download:
            chosen, failed = pictures.bring(chosen, out, settings.workers, progress)
            manifests.write_fetched(out, chosen, failed, names, wanted, settings.separate)
            counts |= {"downloaded": len(chosen), "failed": len(failed)}
    return Built(chosen, counts)  # without a download their sizes are not known, and there is nothing to train on


def read_records(job, path):
    """Kinds and records for the user's table, of the pictures that `build` has brought to data/<task>/<profile>/imported."""
    columns = job.params.data.columns
    kinds = {columns[name]: str for name in ("image", "group", "boxes", "crowds") if columns.get(name)}
    records = []
    for each in build(job, path, job.folder / transfer.IMPORTED).pictures:
        sides = {False: [], True: []}
        for box, group in zip(each.placed, each.groups, strict=True):
            sides[group].append(list(box))
        row = {"image": f"{transfer.IMPORTED}/images/{each.name}", "group": each.author,
               "boxes": json.dumps(sides[False]), "crowds": json.dumps(sides[True])}
        records.append({columns[name]: value for name, value in row.items() if columns.get(name)})
    return kinds, records
