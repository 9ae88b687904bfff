"""What is in a submission? A folder, a ZIP archive, or a CSV beside its pictures, here or at any URL, as Items.

Nothing is unpacked to disk, and a hostile source is refused as a whole before its first picture is read.
"""

import csv
import io
import os
import posixpath
import re
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath

import fsspec

from lib.hub.intake import annotations

COMMON_COLUMNS = ("labels", "label", "place", "licence", "author")   # columns of a CSV that are no task's


@dataclass(frozen=True)
class Item:
    """A picture that is submitted: its name in the source, `data` (bytes, or a function that reads them), and values.

    `values` may hold labels (names), place, licence, author, task and label (a dict of the task's columns). `stamp`
    changes when the content does, so that what was taken already need not be read again; empty: not known.
    """

    name: str
    data: bytes | Callable
    values: dict = field(default_factory=dict)
    stamp: str = ""

    def read(self):
        return self.data() if callable(self.data) else self.data


def items(hub, source, task=""):
    """The Items of a source, one after another; ValueError says what is wrong with the source as a whole."""
    try:
        fs, root = fsspec.url_to_fs(source)
        about = fs.info(root)
    except FileNotFoundError as error:
        raise ValueError(f"{source} is not there; name a folder, a .zip, a .csv or a URL") from error
    except (ValueError, ImportError, OSError) as error:
        raise ValueError(f"{source} cannot be opened: {error}; s3, gs and az need the extra [cloud]") from error
    if about["type"] == "directory":
        return _folder(hub, fs, root)
    if about["type"] != "file":
        raise ValueError(f"{source} is neither a folder nor a file")
    if root.lower().endswith(".csv"):
        return _csv(hub, fs, root, task)
    with fs.open(root, "rb") as file:
        packed = file.read(4) in (b"PK\3\4", b"PK\5\6")
    if packed:
        return _archive(hub, fs, root)
    raise ValueError(f"{source} is no ZIP archive, CSV or folder; put the pictures into one")


def _folder(hub, fs, root):
    """All files below a folder; the folder a picture lies in is its label."""
    found = {path: about for path, about in sorted(fs.find(root, detail=True).items())
             if not any(part.startswith(".") for part in PurePosixPath(posixpath.relpath(path, root)).parts)}
    _check_count(hub, len(found), root)
    for path, about in found.items():
        name = posixpath.relpath(path, root)
        yield Item(name, _reader(hub, fs, path, root), {"labels": _labels(name)}, _stamp(about))


def _labels(name):
    parent = PurePosixPath(name).parent.name
    return [parent] if parent else []


def _check_count(hub, number, source):
    if number > hub.settings.max_files:
        raise ValueError(f"{source} holds {number} files and hub.max_files is {hub.settings.max_files}; "
                         "submit them in several parts")
    if not number:
        raise ValueError(f"{source} holds no files; name the folder with the pictures")


def _stamp(about):
    mark = next((str(about[key]) for key in ("ETag", "etag", "md5", "mtime", "LastModified", "updated")
                 if about.get(key)), "")
    return f"{about['size']}|{mark}" if mark else ""


def _reader(hub, fs, path, root):
    """A function that reads a plain file below `root`; it raises ValueError for anything else."""
    def read():
        local = "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))
        if local:
            real = os.path.realpath(path)
            if os.path.commonpath([real, os.path.realpath(root)]) != os.path.realpath(root):
                raise ValueError("leads out of the folder")
            if not stat.S_ISREG(os.stat(real).st_mode):
                raise ValueError("not a plain file")
        try:
            size = fs.size(path)
            if size > hub.params.api.max_bytes:
                raise ValueError(f"larger than {hub.params.api.max_bytes / 2**20:.0f} MiB")
            return fs.cat_file(path)
        except FileNotFoundError as error:
            raise ValueError("no such file") from error
    return read


# --- ZIP


def _archive(hub, fs, path):
    """The files of an archive; refused whole where it might be an attack.

    It stays open as long as one of its Items is held, since they may be read later and by other threads.
    """
    try:
        archive = zipfile.ZipFile(fs.open(path, "rb"))
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path} is a damaged ZIP archive: {error}; pack it again") from error
    entries = [entry for entry in archive.infolist() if not entry.is_dir()
               and not PurePosixPath(entry.filename).name.startswith(".") and not entry.filename.startswith("__MACOSX/")]
    _check_archive(hub, entries, path, fs.size(path))
    for entry in entries:
        yield Item(entry.filename, _unpacker(hub, archive, entry), {"labels": _labels(entry.filename)},
                   f"{entry.file_size}|{entry.CRC:08x}")


def _check_archive(hub, entries, path, size):
    _check_count(hub, len(entries), path)
    for entry in entries:
        if wrong := unsafe(entry.filename):
            raise ValueError(f"{path} names {entry.filename[:100]!r}, which {wrong}; pack the pictures anew")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise ValueError(f"{path} holds a link, {entry.filename[:100]!r}; pack the pictures themselves")
        if entry.flag_bits & 1:
            raise ValueError(f"{path} is encrypted; pack it without a password")
        if entry.file_size > hub.settings.max_ratio * max(1, entry.compress_size) and entry.file_size > 2**20:
            raise ValueError(f"{path} unpacks {entry.filename[:100]!r} to {entry.file_size / 2**20:.0f} MiB out of "
                             f"{entry.compress_size / 2**20:.2f}: no picture does that; submit the pictures themselves")
    total = sum(entry.file_size for entry in entries)
    if total > hub.settings.max_unpacked:
        raise ValueError(f"{path} unpacks to {total / 1e9:.1f} GB and hub.max_unpacked is "
                         f"{hub.settings.max_unpacked / 1e9:.1f}; submit it in several parts")
    if sum(entry.compress_size for entry in entries) > size:
        raise ValueError(f"{path} has files that lie over each other, as no packer writes them; pack the pictures anew")
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names):
        raise ValueError(f"{path} holds several files of one name; pack the pictures anew")


def unsafe(name):
    """Why a file name from outside cannot be taken, or "" where it can."""
    parts = PureWindowsPath(name).parts  # knows both slashes, and drives
    if not name.strip() or len(name) > 1000 or any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000
                                                   for letter in name):
        return "is empty, too long or holds control characters"
    if ".." in parts or name[0] in "/\\~" or PureWindowsPath(name).drive or re.match(r"\w+://", name):
        return "leads out of the folder"
    return ""


def _unpacker(hub, archive, entry):
    def read():
        most = hub.params.api.max_bytes
        if entry.file_size > most:
            raise ValueError(f"larger than {most / 2**20:.0f} MiB")
        try:
            with archive.open(entry) as file:
                data = file.read(most + 1)   # never more, whatever the archive says of its size
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError) as error:
            raise ValueError(f"cannot be unpacked: {str(error)[:100]}") from error
        except Exception as error:   # zlib.error, lzma.LZMAError and the like share no base
            raise ValueError(f"cannot be unpacked: {type(error).__name__}") from error
        if len(data) > most:
            raise ValueError(f"larger than {most / 2**20:.0f} MiB")
        return data
    return read


# --- CSV


def _csv(hub, fs, path, task):
    """The pictures a CSV lists in its column `image`, by their paths beside it; other columns are a task's label."""
    kinds = annotations.columns(task)
    try:
        with fs.open(path, "rb") as file:
            text = file.read(hub.params.api.max_bytes * 8).decode("utf-8-sig")
        lines = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows = list(lines)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not CSV in UTF-8: {error}; save it as such") from error
    names = lines.fieldnames or []
    if "image" not in names:
        raise ValueError(f"{path} has no column 'image'; it has {', '.join(map(str, names))[:200]}")
    unknown = [name for name in names if name not in (*COMMON_COLUMNS, *kinds, "image", "split")]
    if unknown:
        raise ValueError(f"{path} has the column {unknown[0]!r}, which is none of image, {', '.join(COMMON_COLUMNS)}"
                         + (f" or of the task {task}" if task else "; name the task whose labels these are"))
    _check_count(hub, len(rows), path)
    root, lines_of = posixpath.dirname(path), {}
    for number, row in enumerate(rows, 2):
        name = row["image"] or ""
        if None in row or None in row.values():
            raise ValueError(f"line {number} of {path} has another number of cells than its header; put it right")
        if wrong := unsafe(name):
            raise ValueError(f"line {number} of {path} names {name[:100]!r}, which {wrong}; put it right")
        if lines_of.setdefault(name, number) != number:
            raise ValueError(f"lines {lines_of[name]} and {number} of {path} both name {name[:100]!r}; write one line a picture, "
                             "its labels with ; between them")
        yield Item(name, _reader(hub, fs, posixpath.join(root, name), root), _values(row, kinds, task))


def _values(row, kinds, task):
    values = {key: row[key] for key in ("place", "licence", "author") if row.get(key)}
    labels = [one.strip() for key in ("labels", "label") for one in (row.get(key) or "").split(";") if one.strip()]
    label = {key: row[key] for key in kinds if row.get(key)}
    return values | {"labels": labels} | ({"task": task, "label": label} if task and label else {})
