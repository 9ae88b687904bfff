"""Pictures from any folder, share or URL into images/: mapped, verified, and never copied twice."""

import contextlib
import hashlib
import json
import os
import posixpath
import re
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import fsspec
from tqdm.auto import tqdm

from lib.common import config
from lib.data import demo
from lib.imaging import images
from lib.storage import files
from lib.storage.locations import StorageLocation, Unreachable
from lib.tasks.contract import RejectedRow

CHUNK, SECONDS = 500, 5.0   # the journal is written after so many pictures or seconds
PAUSE = 0.2                 # seconds before a failed copy is tried again; doubled each time
MAX_FAILURES_IN_A_ROW = 50                 # so many failed copies in a row mean that the place itself is gone
IMPORTED = "imported"  # below data/<task>/<profile>: pictures that a loader has brought, under paths that begin so
CHANGED = re.compile(r"(-[0-9a-f]{10})(-[0-9a-f]{8})(\.\w+)$")  # what a file name says of source and content
REASONS = {"empty": "empty file", "too_large": "picture too large", "not_a_picture": "not a picture",
           "unreadable": "picture unreadable", "missing": "no file"}


# --- where a path of the table is for us


def storage_locations(job):
    """The StorageLocations of `data.path_rules`, and those of pictures that were imported or generated; ConfigError names a rule that cannot work."""
    rules = [_location_of_rule(number, rule) for number, rule in enumerate(job.params.data.path_rules)]
    if (job.folder / IMPORTED).is_dir():
        rules.append(StorageLocation(IMPORTED, fsspec.filesystem("file"), str(job.folder / IMPORTED)))
    if not job.params.data.token:
        rules.append(StorageLocation(_uniform_slashes(demo.ROOT).rstrip("/"), fsspec.filesystem("file"),
                           str(demo.folder(job))))
    return rules + [StorageLocation(_uniform_slashes(each).rstrip("/"), fsspec.filesystem("file"), each) for each in labelling_folders(job)]


def labelling_folders(job, more=""):
    """The folders of pictures that were offered to be labelled, `more` now being one of them; their paths mean themselves."""
    path = config.home() / "data" / job.name / "offered.json"
    known = files.read_json(path) if path.is_file() else []
    if more and more not in known:
        known.append(more)
        files.write_json(path, known)
    return [each for each in known if os.path.isdir(each)]


def _location_of_rule(number, rule):
    name = f"data.path_rules[{number}]"
    if not isinstance(rule, dict) or set(rule) != {"from", "to"} or not all(isinstance(v, str) for v in rule.values()):
        raise config.ConfigError(f"{name} is {rule!r}; it must be {{from: 'D:\\Cores', to: a folder or URL}}")
    to = rule["to"] if "://" in rule["to"] else str(config.home() / Path(rule["to"]).expanduser())
    try:
        fs, root = fsspec.url_to_fs(to)
    except (ValueError, ImportError) as error:
        raise config.ConfigError(f"{name}: {to} cannot be opened: {error}; s3, gs and az need the extra "
                                 "[cloud] installed") from error
    place = StorageLocation(_uniform_slashes(rule["from"]).rstrip("/"), fs, root.rstrip("/"))
    if place.local and not os.path.isdir(root or "/"):
        raise config.ConfigError(f"{name}: there is no folder {root}; is the share mounted?")
    return place


def _uniform_slashes(path):
    """A path with one kind of single slashes."""
    return re.sub("[/\\\\]+", "/", path)


def locate(path, starts):
    """Which of the prefixes `starts` a path of the table begins with, and the parts of what follows it.

    Prefixes are compared without regard to case and kind of slash, at whole folder names; the first that fits
    wins. Drop where none fits, or where the rest climbs out of the folder.
    """
    if not path:
        raise RejectedRow("no path")
    text = _uniform_slashes(path)
    for number, start in enumerate(starts):
        rest = text[len(start):]
        if text[:len(start)].lower() == start.lower() and (not start or rest[:1] in ("", "/")):
            return number, _parts_below(rest, path)
    raise RejectedRow("unmapped path", path)


def _parts_below(rest, path):
    parts = []
    for part in rest.split("/"):
        if part == ".." and not parts:
            raise RejectedRow("outside the folder", path)
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if not parts:
        raise RejectedRow("no file", f"{path} names a folder")
    return tuple(parts)


# --- the journal


class _Journal:
    """What is known of the pictures that were copied: one JSON file, and a chunk for every 500 since."""

    def __init__(self, folder):
        self.whole, self.folder = folder / "pictures.json", folder / "journal"
        self.entries, self.fresh, self.since = {}, {}, time.monotonic()
        self.chunks = sorted(self.folder.glob("*.json")) if self.folder.is_dir() else []
        for path in [self.whole, *self.chunks]:
            with contextlib.suppress(ValueError):  # without a journal all is copied again, which is no loss
                self.entries.update(files.read_json(path))

    def add(self, key, entry):
        self.entries[key] = self.fresh[key] = entry
        if len(self.fresh) >= CHUNK or time.monotonic() - self.since > SECONDS:
            self.flush()

    def flush(self):
        if self.fresh:
            path = self.folder / f"{len(self.chunks):06d}.json"
            files.write(path, json.dumps(self.fresh))
            self.chunks.append(path)
        self.fresh, self.since = {}, time.monotonic()

    def close(self):
        """All in one file again, and the chunks gone."""
        if self.fresh or self.chunks:
            files.write_json(self.whole, dict(sorted(self.entries.items())))
        for path in self.chunks:
            path.unlink(missing_ok=True)


# --- copying


@dataclass(frozen=True)
class Source:
    """A picture to copy: `key` names it the same on every machine, `path` is where it lies in its place."""

    key: str
    place: StorageLocation
    path: str

    @property
    def stem(self):
        """A file name of its own: what a person recognises, and a hash that no other source has."""
        stem = unicodedata.normalize("NFKD", PurePosixPath(self.path).stem).encode("ascii", "ignore").decode()
        readable = re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("._-")[:60]
        mark = hashlib.sha1(self.key.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:10]
        return f"{readable or 'picture'}-{mark}"


def find_picture(path, places):
    """The Source of a path of the table; Drop where no place holds it."""
    number, parts = locate(path, [place.start for place in places])
    place = places[number]
    return Source(f"{place.start.lower()}|{'/'.join(parts)}", place, posixpath.join(place.root, *parts))


def _copy(job, source, old):
    """The journal's entry of a picture that now lies in images/; Drop says why it does not."""
    for attempt in range(job.params.data.retries + 1):
        try:
            data, stamp = _read_source(job, source, old)
            break
        except RejectedRow:
            raise
        # The back ends of fsspec raise many kinds of their own; what they have in common is that a later try may do.
        except Exception as error:
            if attempt == job.params.data.retries:
                raise RejectedRow("copy failed", f"{source.path}: {_short_text(error)}") from error
            time.sleep(PAUSE * 2 ** attempt)
    return old if data is None else _store_copy(job, source, data, stamp)


def _read_source(job, source, old):
    """The bytes of a picture and the stamp by which a change is noticed; no bytes where `old` still holds."""
    fs, path = source.place.fs, source.path
    try:
        if source.place.local and not _is_below(path, source.place.root):
            raise RejectedRow("outside the folder", f"{path} leads to {os.path.realpath(path)}")
        about = fs.info(path)
        if about["type"] != "file":  # a folder, a pipe or a device, which might never end
            raise RejectedRow("not a file", f"{path} is a {about['type']}")
        stamp = _stamp(source, about)
        if old and stamp and old["stamp"] == stamp and _copy_exists(job, old):
            return None, stamp
        if about["size"] > job.params.api.max_bytes:
            raise RejectedRow("picture too large", f"{path} has {about['size'] / 2**20:.0f} MiB")
        data = fs.cat_file(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RejectedRow("no file", path) from error
    except PermissionError as error:
        raise RejectedRow("copy failed", f"{path}: not allowed to read it") from error
    except ValueError as error:
        if isinstance(error, RejectedRow) or "null" not in str(error):
            raise
        raise RejectedRow("no file", repr(path)) from error
    except OSError as error:
        if error.errno in (36, 40):  # a name too long, links in a circle
            raise RejectedRow("no file", f"{path[:200]}: {error.strerror}") from error
        raise
    if len(data) != about["size"]:
        raise OSError(f"{len(data)} of {about['size']} bytes came")
    return data, stamp


def _is_below(path, root):
    real, root = os.path.realpath(path), os.path.realpath(root)
    return os.path.commonpath([real, root]) == root


def _stamp(source, about):
    """What changes when the source does: size and ETag or time; empty where the place tells neither."""
    mark = next((str(about[name]) for name in ("ETag", "etag", "md5", "content_md5", "mtime", "LastModified",
                                               "last_modified", "updated") if about.get(name)), "")
    return f"{source.path}|{about['size']}|{mark}" if mark else ""


def _copy_exists(job, entry):
    path = job.folder / "images" / entry["image"]
    return path.is_file() and path.stat().st_size == entry["size"]


def _store_copy(job, source, data, stamp):
    """Read the picture to its end, and only then give it its name in images/."""
    api = job.params.api
    try:
        picture = images.read(data, at_least=(256, 256), formats=tuple(api.formats), max_bytes=api.max_bytes,
                              max_pixels=api.max_pixels)
    except images.Refused as error:
        raise RejectedRow(REASONS[error.code], f"{source.path}: {error}") from error
    kind = images.sniff(data, images.KINDS, api.max_bytes)
    digest = hashlib.sha256(data).hexdigest()
    name = _name(job.folder / "images", source.stem, images.suffix(kind), digest)
    files.require_space(job.folder, len(data))
    files.write(job.folder / "images" / name, data)
    return {"image": name, "size": len(data), "sha256": digest, "stamp": stamp,
            "width": picture.size[0], "height": picture.size[1], "orientation": images.orientation(data)}


def _name(folder, stem, suffix, digest):
    """A copy's file name. A picture that changed gets another one, since labels.csv still speaks of what was there."""
    path = folder / (stem + suffix)
    changed = path.is_file() and files.sha256(path) != digest
    return f"{stem}-{digest[:8]}{suffix}" if changed else path.name


def original_name(image):
    """A copy's file name as it was before its picture changed."""
    return CHANGED.sub(r"\1\3", image)


def remove_outdated_copies(job, results):
    """Remove the copies of pictures as they were before they changed, once labels.csv speaks of the new ones."""
    now = {original_name(entry["image"]): entry["image"] for entry in results.values() if not isinstance(entry, RejectedRow)}
    for path in (job.folder / "images").iterdir():
        if now.get(original_name(path.name), path.name) != path.name:
            path.unlink()


def copy_all(job, sources):
    """By key of the source: the entry of its picture, or the Drop that says why there is none; and how many are new."""
    journal, results, failed, fresh = _Journal(job.folder), {}, 0, 0
    pool = ThreadPoolExecutor(job.params.data.workers)
    try:
        futures = {pool.submit(_copy, job, source, journal.entries.get(key)): key for key, source in sources.items()}
        for future in tqdm(as_completed(futures), total=len(futures), desc="copying", unit="picture",
                           disable=not futures):
            key = futures[future]
            try:
                results[key], failed = future.result(), 0
            except RejectedRow as drop:
                results[key] = drop
                failed = failed + 1 if drop.reason == "copy failed" else 0
            else:
                if results[key] is not journal.entries.get(key):
                    journal.add(key, results[key])
                    fresh += 1
            if failed >= MAX_FAILURES_IN_A_ROW:
                raise Unreachable(f"{MAX_FAILURES_IN_A_ROW} pictures in a row could not be copied, the last one: "
                                           f"{results[key].detail}; run again when the place answers, what was "
                                           "copied is kept")
    except BaseException:
        pool.shutdown(cancel_futures=True)
        with contextlib.suppress(OSError):  # on a full disk there is room for no journal either
            journal.flush()
        raise
    pool.shutdown()
    journal.close()
    return results, fresh


def remove_temporary_files(folder):
    """Remove what a killed run had begun to write."""
    for path in [*folder.glob(".writing-*"), *folder.glob("images/.writing-*"), *folder.glob("journal/.writing-*"),
                 *folder.glob("generated/**/.writing-*")]:
        path.unlink(missing_ok=True)


def _short_text(error):
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
