"""Which picture of the table a name in a file of labels means, and how large it is."""

import contextlib
import posixpath
import re
import urllib.parse

from lib.data import transfer
from lib.data.formats import reading
from lib.data.formats.path_index import URL, PathIndex
from lib.data.formats.shapes import is_picture_name, name_problem
from lib.imaging import images
from lib.storage import files, postgres, tables
from lib.tasks.contract import RejectedRow

SPLITS = ("train", "val", "valid", "validation", "test")


class KnownPictures:
    """The table's rows by the path of their picture, and which of them a name in a file of labels means.

    A name may be that of the copy in images/ (what people label), the path below the place of `data.path_rules`, or
    the table's own path. With `must`, a table that is not there is a ConfigError, else it is empty.
    """

    def __init__(self, job, table="", must=False):
        self.locations, self.stored = transfer.storage_locations(job), job.params.data.orientation == "stored"
        image = job.params.data.columns["image"]
        self.columns, rows = _table(job, table, must)
        rows = [dict(zip(self.columns, row, strict=True)) for row in rows]
        self.rows = {}   # by picture: the rows that name it
        for row in rows:
            if row.get(image):
                self.rows.setdefault(row[image], []).append(row)
        self.copied = {}
        with contextlib.suppress(ValueError):  # nothing was ingested yet
            self.copied = files.read_json(job.folder / "pictures.json")
        self.copies, self.seen, below = {}, {}, []
        for path in self.rows:
            with contextlib.suppress(RejectedRow):
                source = transfer.find_picture(path, self.locations)
                below += [(_below(source), path), (source.path, path)]
                self._note(path, self.copied.get(source.key))
        names, copies = [(path, path) for path in self.rows] + below, list(self.copies.items())
        self._names = PathIndex(names, copies)
        self._stems = PathIndex(_without_suffixes(names), _without_suffixes(copies))

    def _note(self, path, entry):
        """Learn the name that a picture's copy has, and its size as the labelling tool saw it."""
        if entry:
            self.copies[entry["image"]] = path
            size = entry["width"], entry["height"]
            self.seen[path] = size[::-1] if self.stored and entry["orientation"] >= 5 else size

    def find(self, name):
        """The table's paths that a name can mean: none, the one, or several where it cannot be told."""
        return self._names.find(name) or self._names.find(_without_upload_mark(name))

    def named(self, stem):
        """The table's path of a picture, given without its suffix, perhaps below a folder of its split; None."""
        found = self._stems.find(stem)
        return found[0] if len(found) == 1 else None

    def new_name(self, name, place):
        """The path under which an unknown picture comes into the table; ValueError where the name can be none."""
        if URL.match(name) and not name.startswith("file:"):
            name = urllib.parse.unquote(re.split("[?#]", name)[0]).split("/", 3)[-1]
        if wrong := name_problem(name):
            raise ValueError(f"{place}: the picture's name {name[:200]!r} {wrong}; name pictures by their path in the "
                             "folder that was labelled")
        if not is_picture_name(name):
            raise ValueError(f"{place}: {name[:200]!r} names no picture, whose name ends in {', '.join(images.SUFFIXES)}; "
                             "export the labels with the paths of their pictures")
        return name

    def look(self, path):
        """Width and height of a picture file as the labelling tool saw it; ValueError."""
        try:
            (width, height), orientation = _measure(reading.read_bytes(path))
        except images.Refused as error:
            raise ValueError(f"{path}: {error}; put the picture itself there") from error
        return (height, width) if self.stored and orientation >= 5 else (width, height)

    def measured(self, path):
        """Name, upright (width, height) and EXIF orientation of a picture of the table; ValueError or OSError."""
        source = transfer.find_picture(path, self.locations)
        entry = self.copied.get(source.key)
        if entry:
            return entry["image"], (entry["width"], entry["height"]), entry["orientation"]
        about = source.place.fs.info(source.path)
        if about["type"] != "file" or about["size"] > images.MAX_BYTES:
            raise ValueError("not a file of a picture's size")
        if wrong := name_problem(_below(source)):
            raise ValueError(f"the picture's name {wrong}")
        return _below(source), *_measure(source.place.fs.cat_file(source.path))


def _without_upload_mark(name):
    """A name without the eight letters that Label Studio puts before the name of an upload."""
    folder, slash, last = name.replace("\\", "/").rpartition("/")
    return folder + slash + re.sub(r"^[0-9a-f]{8}-", "", last)


def _without_suffixes(pairs):
    """The pairs with names that lack their suffix, and one kind of slashes."""
    return [(posixpath.splitext(name.replace("\\", "/"))[0], path) for name, path in pairs]


def _below(source):
    return source.key.partition("|")[2]


def _measure(data):
    return images.size(data), images.orientation(data)


def picture_paths(job, table=""):
    """The paths of the pictures that the user's table, or `table`, has; none where there is no such table or column."""
    names, rows = _table(job, table, must=False)
    image = job.params.data.columns["image"]
    return [row[names.index(image)] for row in rows if row[names.index(image)]] if image in names else []


def _table(job, table, must):
    with postgres.connect(job) as connection:
        if not must and not tables.columns(connection, *tables.split_name(job, table)):
            return [], []
    return tables.read_table(job, table)
