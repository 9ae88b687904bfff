"""A folder of pictures whose names end in their class, as in 0017_good.jpg: data sets of one label a picture.

The class is what stands after the last underscore, before the suffix. A picture below a folder test, val, valid or
validation has that folder as its group, so that `split.test_groups: [test]` keeps a published split; any other
picture is a group of its own. Paths go into the table relative to the folder: `data.path_rules` leads there.
"""

from pathlib import Path

from lib.common import config
from lib.data.formats.pictures import SPLITS
from lib.imaging import images

HELD = tuple(name for name in SPLITS if name != "train")


def read_records(job, path):
    """Kinds and records for `write_rows`: image, group and label of each picture below the folder.

    ValueError: no folder, no pictures, or a picture whose name ends in no class of the task, with the nearest one;
    ConfigError where the labels of the task are not one class a picture.
    """
    columns = job.params.data.columns
    if set(job.columns) != {"label"} or not job.classes:
        raise config.ConfigError(f"the labels of {job.name} are not one class a picture, which names needs; "
                                 "use csv, which holds any label")
    root = Path(path)
    if not root.is_dir():
        raise ValueError(f"{path} is no folder; name the one that holds the pictures")
    found = sorted(each.relative_to(root) for each in root.rglob("*")
                   if each.suffix.lower() in images.SUFFIXES and each.is_file() and not each.name.startswith("."))
    if not found:
        raise ValueError(f"{path} holds no pictures ({', '.join(images.SUFFIXES)})")
    records = [{columns["image"]: each.as_posix(), columns["label"]: _label(each, job.classes)}
               | ({columns["group"]: _group(each)} if columns.get("group") else {}) for each in found]
    return dict.fromkeys(records[0], str), records


def _label(path, classes):
    name, underscore, end = path.stem.rpartition("_")
    if not underscore or end.lower() not in classes:
        raise ValueError(f"{path.as_posix()!r} ends in no class: there are {', '.join(classes)}"
                         f"{config.suggestion(end, classes)}; name pictures like 0017_{classes[0]}{path.suffix}")
    return end.lower()


def _group(path):
    return next((folder for folder in reversed(path.parent.parts) if folder.lower() in HELD), path.as_posix())
