"""Counts of the Amazon Bin Image Dataset, as it is published and as the starter list gives it; and its download.

The data set (registry.opendata.aws/amazon-bin-imagery) is a bucket with `bin-images/00001.jpg …` and
`metadata/00001.json …`, whose EXPECTED_QUANTITY is the number of items. The starter list is a JSON file that gives
paths of metadata files by count: {"1": ["data/metadata/100313.json", …], …}.
"""

import json
from pathlib import Path, PurePosixPath

from lib.common import config
from lib.data.formats import reading
from lib.imaging import images
from lib.storage import downloads

PLACE = "abid"                 # what the paths in the table begin with; data.path_rules says where that is
PICTURES = ("bin-images", "images", ".")


def read_records(job, path):
    """Kinds and records for `write_rows` of a folder or a starter list: a row for each bin whose picture is there.

    Of a folder the metadata/*.json are read, or, where there are none, its file_list.json; of a list the pictures lie
    beside it. With `abid.download` what is missing is fetched first. ValueError: what cannot be
    read, or no pictures; ConfigError: a task without such labels.
    """
    path, settings = Path(path), job.params.get("abid")
    if settings is None:
        raise config.ConfigError(f"the task {job.name} has no settings abid; take one whose labels are counts of items")
    if path.is_dir() and not (path / "file_list.json").is_file() and not any((path / "metadata").glob("*.json")):
        raise ValueError(f"{path} holds neither metadata/*.json nor file_list.json; name the folder that holds one")
    folder = path if path.is_dir() else path.parent
    numbers = listed(path) if not path.is_dir() else {}
    if settings.download:
        numbers = dict(list((numbers or listed(folder / "file_list.json")).items())[:settings.limit or None])
        download(numbers, folder, settings.url, settings.workers)
    counts = numbers or described(folder) or listed(folder / "file_list.json")
    there = _pictures(folder)
    columns = job.params.data.columns
    records = [{columns["image"]: f"{PLACE}/{there[number]}", columns["count"]: count, columns["group"]: PLACE}
               for number, count in sorted(counts.items()) if number in there]
    if not records:
        raise ValueError(f"none of the {len(counts)} bins of {path} has its picture in {folder / PICTURES[0]}; put them "
                         "there, or set abid.download=true")
    return {columns["image"]: str, columns["count"]: int, columns["group"]: str}, records


def listed(path):
    """Counts by bin, of a starter list. ValueError: no such list, or one bin under two counts."""
    content = reading.parse_json(path)
    if not isinstance(content, dict) or not all(isinstance(paths, list) for paths in content.values()):
        raise ValueError(f"{path} is no list of bins; it must be {{\"1\": [\"data/metadata/100313.json\", …], …}}")
    counts = {}
    for key, paths in content.items():
        count = _count(key, f"{path}, key {key!r}")
        for each in paths:
            number = PurePosixPath(str(each).replace("\\", "/")).stem
            if counts.setdefault(number, count) != count:
                raise ValueError(f"{path}: bin {number} stands under {counts[number]} and under {count}; take one out")
    if not counts:
        raise ValueError(f"{path} lists no bins; take the starter list as it is published")
    return counts


def described(folder):
    """Counts by bin, of the metadata files of a folder; empty where there are none. ValueError names the first bad one."""
    counts, wrong = {}, []
    for path in sorted((folder / "metadata").glob("*.json")):
        try:
            counts[path.stem] = _quantity(path)
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError(f"{len(wrong)} of {len(wrong) + len(counts)} metadata files cannot be used, the first is "
                         f"{wrong[0]}; put right or remove them, nothing was loaded")
    return counts


def _quantity(path):
    content = reading.parse_json(path)
    if not isinstance(content, dict) or "EXPECTED_QUANTITY" not in content:
        raise ValueError(f"{path}, which has no EXPECTED_QUANTITY")
    return _count(content["EXPECTED_QUANTITY"], f"{path}, EXPECTED_QUANTITY")


def _count(value, place):
    """A number of items, as a number or a text."""
    text = value.strip() if isinstance(value, str) else json.dumps(value)
    if not text.isdecimal() or len(text) > 9:
        raise ValueError(f"{place}: {str(value)[:80]!r} is no number of items")
    return int(text)


def _pictures(folder):
    """Paths below the folder, by bin."""
    for name in PICTURES:
        found = {path.stem: path.relative_to(folder).as_posix() for path in sorted((folder / name).glob("*"))
                 if path.suffix.lower() in images.SUFFIXES}
        if found:
            return found
    return {}


def download(numbers, folder, url, workers=8, progress=True):
    """Fetch metadata and picture of each bin into metadata/ and bin-images/ and return the downloads.Fetched.

    What is there is kept, and a call that was stopped is gone on with. ValueError: none of them could be had.
    """
    names = [name for number in numbers for name in (f"metadata/{number}.json", f"bin-images/{number}.jpg")]
    found = downloads.fetch({name: f"{url.rstrip('/')}/{name}" for name in names}, folder, workers, progress=progress)
    if names and not found.there:
        raise ValueError(f"{url} has none of the {len(names)} files asked for; the first, {names[0]}: "
                         f"{found.failed[names[0]]}; put abid.url right")
    return found
