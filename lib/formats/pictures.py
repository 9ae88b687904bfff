"""Which picture of the table a name in a file of labels means, and how large it is."""

import contextlib
import re
from pathlib import PurePosixPath, PureWindowsPath

from lib import config, copies, database, files, images, server
from lib.formats.shapes import unusable


class Pictures:
    """The table's rows by the path of their picture, and the names that copies of these pictures have.

    A name in a file is that of the copy in images/ (what people label), the path below the place of `data.path_rules`,
    or the table's own path. With `must`, a table that is not there is a ConfigError, else it is empty.
    """

    def __init__(self, job, table="", must=False):
        self.places, self.stored = copies.places(job), job.params.data.orientation == "stored"
        image = job.params.data.columns["image"]
        self.columns, rows = _table(job, table, must)
        rows = [dict(zip(self.columns, row, strict=True)) for row in rows]
        self.rows = {row[image]: row for row in rows if row.get(image)}
        self.copied = {}
        with contextlib.suppress(ValueError):  # nothing was gathered yet
            self.copied = files.read_json(job.folder / "pictures.json")
        self.paths, self.seen = {}, {}
        for path in self.rows:
            self._note(path)
        self.stems = {str(PurePosixPath(name).with_suffix("")): name for name in self.paths}

    def _note(self, path):
        """Learn the names of a picture of the table, and its size as the labelling tool saw it."""
        self.paths[path] = path
        with contextlib.suppress(copies.Drop):
            source = copies.find(path, self.places)
            entry = self.copied.get(source.key)
            self.paths.setdefault(_below(source), path)
            if entry:
                self.paths[entry["image"]] = path
                size = entry["width"], entry["height"]
                turned = self.stored and entry["orientation"] >= 5
                self.seen[path] = size[::-1] if turned else size

    def path(self, name, place):
        """The table's path of a picture that a file names; a new name is taken as it is. ValueError: one that leads out."""
        last = PureWindowsPath(name).name
        for each in (name, last, re.sub(r"^[0-9a-f]{8}-", "", last)):  # Label Studio puts eight letters before uploads
            if each in self.paths:
                return self.paths[each]
        if wrong := unusable(name):
            raise ValueError(f"{place}: the picture's name {name[:200]!r} {wrong}; name pictures by their path in the "
                             "folder that was labelled")
        return name

    def size(self, name):
        """Width and height of a gathered picture as the labelling tool saw it; None where it was not gathered."""
        return self.seen.get(self.path(name, "")) if not unusable(name) or name in self.paths else None

    def named(self, stem):
        """The name of a picture of the table without its suffix, with or without leading folders; None."""
        parts = stem.split("/")
        return next((self.stems[key] for key in ("/".join(parts[at:]) for at in range(len(parts)))
                     if key in self.stems), None)

    def look(self, path):
        """Width and height of a picture file as the labelling tool saw it; ValueError."""
        (width, height), orientation = _measure(images._load(path, images.MAX_BYTES))
        return (height, width) if self.stored and orientation >= 5 else (width, height)

    def measured(self, path):
        """Name, upright (width, height) and EXIF orientation of a picture of the table; ValueError or OSError."""
        source = copies.find(path, self.places)
        entry = self.copied.get(source.key)
        if entry:
            return entry["image"], (entry["width"], entry["height"]), entry["orientation"]
        about = source.place.fs.info(source.path)
        if about["type"] != "file" or about["size"] > images.MAX_BYTES:
            raise ValueError("not a file of a picture's size")
        return _below(source), *_measure(source.place.fs.cat_file(source.path))


def _below(source):
    return source.key.partition("|")[2]


def _measure(data):
    return images.size(data), images.orientation(data)


def _table(job, table, must):
    where, _, name = (table or job.params.data.table).rpartition(".")
    with server.connect(job) as connection:
        if not must and not database.columns(connection, where or server.schema(job), name):
            return [], []
    return database.read_table(job, table)
