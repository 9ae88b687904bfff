"""Which picture of the table a name in a file of labels means, and how large it is."""

import contextlib
import re
from pathlib import PurePosixPath, PureWindowsPath

from lib.data import transfer
from lib.data.formats import reading
from lib.data.formats.shapes import name_problem
from lib.imaging import images
from lib.storage import files, postgres, tables
from lib.tasks.contract import RejectedRow

SPLITS = ("train", "val", "valid", "validation", "test")


class KnownPictures:
    """The table's rows by the path of their picture, and the names that copies of these pictures have.

    A name in a file is that of the copy in images/ (what people label), the path below the place of `data.path_rules`,
    or the table's own path. With `must`, a table that is not there is a ConfigError, else it is empty.
    """

    def __init__(self, job, table="", must=False):
        self.places, self.stored = transfer.storage_locations(job), job.params.data.orientation == "stored"
        image = job.params.data.columns["image"]
        self.columns, rows = _table(job, table, must)
        rows = [dict(zip(self.columns, row, strict=True)) for row in rows]
        self.rows = {row[image]: row for row in rows if row.get(image)}
        self.copied = {}
        with contextlib.suppress(ValueError):  # nothing was gathered yet
            self.copied = files.read_json(job.folder / "pictures.json")
        self.copies, self.seen, below = {}, {}, []
        for path in self.rows:
            with contextlib.suppress(RejectedRow):
                source = transfer.find_picture(path, self.places)
                below.append((_below(source), path))
                self._note(path, self.copied.get(source.key))
        self.paths = _unique(below) | {path: path for path in self.rows} | self.copies
        self.stems = _unique((_stem(name), name) for name in self.paths)

    def _note(self, path, entry):
        """Learn the name that a picture's copy has, and its size as the labelling tool saw it."""
        if entry:
            self.copies[entry["image"]] = path
            size = entry["width"], entry["height"]
            self.seen[path] = size[::-1] if self.stored and entry["orientation"] >= 5 else size

    def path(self, name, place):
        """The table's path of a picture that a file names; a new name is taken as it is. ValueError: one that leads out."""
        last = PureWindowsPath(name).name
        bare = re.sub(r"^[0-9a-f]{8}-", "", last)  # Label Studio puts eight letters before the name of an upload
        for known, each in ((self.paths, name), (self.copies, last), (self.paths, bare if bare != last else name)):
            if each in known:
                return known[each]
        if wrong := name_problem(name):
            raise ValueError(f"{place}: the picture's name {name[:200]!r} {wrong}; name pictures by their path in the "
                             "folder that was labelled")
        return name

    def named(self, stem):
        """The known name of a picture, given without its suffix, perhaps below a folder of its split; None."""
        last = stem.rpartition("/")[2]
        inner = stem.partition("/")[2] if stem.partition("/")[0] in SPLITS else stem
        copy = self.stems.get(last)
        return self.stems.get(stem) or self.stems.get(inner) or (copy if copy in self.copies else None)

    def look(self, path):
        """Width and height of a picture file as the labelling tool saw it; ValueError."""
        try:
            (width, height), orientation = _measure(reading.read_bytes(path))
        except images.Refused as error:
            raise ValueError(f"{path}: {error}; put the picture itself there") from error
        return (height, width) if self.stored and orientation >= 5 else (width, height)

    def measured(self, path):
        """Name, upright (width, height) and EXIF orientation of a picture of the table; ValueError or OSError."""
        source = transfer.find_picture(path, self.places)
        entry = self.copied.get(source.key)
        if entry:
            return entry["image"], (entry["width"], entry["height"]), entry["orientation"]
        about = source.place.fs.info(source.path)
        if about["type"] != "file" or about["size"] > images.MAX_BYTES:
            raise ValueError("not a file of a picture's size")
        if wrong := name_problem(_below(source)):
            raise ValueError(f"the picture's name {wrong}")
        return _below(source), *_measure(source.place.fs.cat_file(source.path))


def _unique(pairs):
    """The pairs as a dict, without keys that stand for more than one thing."""
    values = {}
    for key, value in pairs:
        values.setdefault(key, set()).add(value)
    return {key: found.pop() for key, found in values.items() if len(found) == 1}


def _stem(name):
    return str(PurePosixPath(name).with_suffix("")) if PurePosixPath(name).name else name


def _below(source):
    return source.key.partition("|")[2]


def _measure(data):
    return images.size(data), images.orientation(data)


def _table(job, table, must):
    where, _, name = (table or job.params.data.table).rpartition(".")
    with postgres.connect(job) as connection:
        if not must and not tables.columns(connection, where or postgres.schema(job), name):
            return [], []
    return tables.read_table(job, table)
