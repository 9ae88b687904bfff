"""Labels and pictures from where they are into data/<task>/<profile>: the resumable job behind notebook 01."""

import contextlib
import csv
import hashlib
import io
import json
import os
import posixpath
import re
import time
import unicodedata
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import fsspec
from tqdm.auto import tqdm

from lib import config, database, demo, files, images, server
from lib.tasks import Refusal

CHUNK, SECONDS = 500, 5.0   # the journal is written after so many pictures or seconds
PAUSE = 0.2                 # seconds before a failed copy is tried again; doubled each time
ENOUGH = 50                 # so many failed copies in a row mean that the place itself is gone
SUFFIX = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "BMP": ".bmp"}
REASONS = {"empty": "empty file", "too_large": "picture too large", "not_a_picture": "not a picture",
           "unreadable": "picture unreadable", "missing": "no file"}


@dataclass(frozen=True)
class Gathered:
    """What came in: the DataFrames `table` (kept rows) and `dropped` (image, reason, detail), and `counts`."""

    table: object
    dropped: object
    counts: dict


class Drop(ValueError):
    """A row that is left out, with its `reason` in a word or two and a `detail`."""

    def __init__(self, reason, detail=""):
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def gather(job):
    """Query the table, copy the pictures, check every row, and write labels.csv, dropped.csv and gathered.json.

    A run that was stopped goes on where it was; the end is the same, byte for byte. Errors: files.Busy (another
    run holds the folder), files.NoRoom, server.Unreachable, config.ConfigError (a setting to put right; the
    labels that were there stay as they were).
    """
    demo.fill(job)
    with files.lock(job.folder):
        places = _places(job)
        _sweep(job.folder)
        snapshot = database.rows(job)
        return _Work(job, places, snapshot).done()


def read(job):
    """The gathered labels as a DataFrame with the types of `job.columns`; ValueError where there are none yet."""
    path = job.folder / "labels.csv"
    if not path.is_file():
        raise ValueError(f"{job.name}/{job.profile} has no labels yet; run notebook 01 first")
    table = _table(path)
    for name, kind in {"image": str, **job.columns, "width": int, "height": int, "group": str, "split": str}.items():
        try:
            table[name] = table[name].astype({str: str, int: "int64", float: "float64"}.get(kind, object))
        except (KeyError, ValueError) as error:
            raise ValueError(f"{path} has no usable column {name!r} ({error}); run notebook 01 again") from error
    return table


def _table(path):
    import pandas as pd

    return pd.read_csv(path, dtype=str, keep_default_na=False, lineterminator="\n")  # a path may hold \r


# --- where a path of the table is for us


@dataclass(frozen=True)
class Place:
    """A path rule: what starts with `start` in the table lies under `root` of the file system `fs`."""

    start: str
    fs: object
    root: str

    @property
    def local(self):
        return "file" in self.fs.protocol or self.fs.protocol == "file"


def _places(job):
    """The Places of `data.path_rules`, and that of the generated pictures; ConfigError names a rule that cannot work."""
    rules = [_place(number, rule) for number, rule in enumerate(job.params.data.path_rules)]
    if not job.params.data.token:
        rules.append(Place(_even(demo.ROOT).rstrip("/"), fsspec.filesystem("file"),
                           str(demo.folder(job))))
    return rules


def _place(number, rule):
    name = f"data.path_rules[{number}]"
    if not isinstance(rule, dict) or set(rule) != {"from", "to"} or not all(isinstance(v, str) for v in rule.values()):
        raise config.ConfigError(f"{name} is {rule!r}; it must be {{from: 'D:\\Cores', to: a folder or URL}}")
    to = rule["to"] if "://" in rule["to"] else str(config.home() / Path(rule["to"]).expanduser())
    try:
        fs, root = fsspec.url_to_fs(to)
    except (ValueError, ImportError) as error:
        raise config.ConfigError(f"{name}: {to} cannot be opened: {error}; s3, gs and az need the extra "
                                 "[cloud] installed") from error
    place = Place(_even(rule["from"]).rstrip("/"), fs, root.rstrip("/"))
    if place.local and not os.path.isdir(root or "/"):
        raise config.ConfigError(f"{name}: there is no folder {root}; is the share mounted?")
    return place


def _even(path):
    """A path with one kind of single slashes."""
    return re.sub("[/\\\\]+", "/", path)


def locate(path, starts):
    """Which of the prefixes `starts` a path of the table begins with, and the parts of what follows it.

    Prefixes are compared without regard to case and kind of slash, at whole folder names; the first that fits
    wins. Drop where none fits, or where the rest climbs out of the folder.
    """
    if not path:
        raise Drop("no path")
    text = _even(path)
    for number, start in enumerate(starts):
        rest = text[len(start):]
        if text[:len(start)].lower() == start.lower() and (not start or rest[:1] in ("", "/")):
            return number, _inside(rest, path)
    raise Drop("unmapped path", path)


def _inside(rest, path):
    parts = []
    for part in rest.split("/"):
        if part == ".." and not parts:
            raise Drop("outside the folder", path)
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if not parts:
        raise Drop("no file", f"{path} names a folder")
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
    place: Place
    path: str

    @property
    def stem(self):
        """A file name of its own: what a person recognises, and a hash that no other source has."""
        stem = unicodedata.normalize("NFKD", PurePosixPath(self.path).stem).encode("ascii", "ignore").decode()
        readable = re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("._-")[:60]
        return f"{readable or 'picture'}-{hashlib.sha1(self.key.encode('utf-8', 'replace')).hexdigest()[:10]}"


def _source(row, places):
    number, parts = locate(row["image"], [place.start for place in places])
    place = places[number]
    return Source(f"{place.start.lower()}|{'/'.join(parts)}", place, posixpath.join(place.root, *parts))


def _copy(job, source, old):
    """The journal's entry of a picture that now lies in images/; Drop says why it does not."""
    for attempt in range(job.params.data.retries + 1):
        try:
            data, stamp = _fetch(job, source, old)
            break
        except Drop:
            raise
        # The back ends of fsspec raise many kinds of their own; what they have in common is that a later try may do.
        except Exception as error:
            if attempt == job.params.data.retries:
                raise Drop("copy failed", f"{source.path}: {_brief(error)}") from error
            time.sleep(PAUSE * 2 ** attempt)
    return old if data is None else _keep(job, source, data, stamp)


def _fetch(job, source, old):
    """The bytes of a picture and the stamp by which a change is noticed; no bytes where `old` still holds."""
    fs, path = source.place.fs, source.path
    try:
        if source.place.local and not _within(path, source.place.root):
            raise Drop("outside the folder", f"{path} leads to {os.path.realpath(path)}")
        about = fs.info(path)
        if about["type"] != "file":  # a folder, a pipe or a device, which might never end
            raise Drop("not a file", f"{path} is a {about['type']}")
        stamp = _stamp(source, about)
        if old and stamp and old["stamp"] == stamp and _there(job, old):
            return None, stamp
        if about["size"] > job.params.api.max_bytes:
            raise Drop("picture too large", f"{path} has {about['size'] / 2**20:.0f} MiB")
        data = fs.cat_file(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Drop("no file", path) from error
    except PermissionError as error:
        raise Drop("copy failed", f"{path}: not allowed to read it") from error
    except ValueError as error:
        if isinstance(error, Drop) or "null" not in str(error):
            raise
        raise Drop("no file", repr(path)) from error
    except OSError as error:
        if error.errno in (36, 40):  # a name too long, links in a circle
            raise Drop("no file", f"{path[:200]}: {error.strerror}") from error
        raise
    if len(data) != about["size"]:
        raise OSError(f"{len(data)} of {about['size']} bytes came")
    return data, stamp


def _within(path, root):
    real, root = os.path.realpath(path), os.path.realpath(root)
    return os.path.commonpath([real, root]) == root


def _stamp(source, about):
    """What changes when the source does: size and ETag or time; empty where the place tells neither."""
    mark = next((str(about[name]) for name in ("ETag", "etag", "md5", "content_md5", "mtime", "LastModified",
                                               "last_modified", "updated") if about.get(name)), "")
    return f"{source.path}|{about['size']}|{mark}" if mark else ""


def _there(job, entry):
    path = job.folder / "images" / entry["image"]
    return path.is_file() and path.stat().st_size == entry["size"]


def _keep(job, source, data, stamp):
    """Read the picture to its end, and only then give it its name in images/."""
    api = job.params.api
    try:
        picture = images.read(data, at_least=(256, 256), formats=tuple(api.formats), max_bytes=api.max_bytes,
                              max_pixels=api.max_pixels)
    except images.Refused as error:
        raise Drop(REASONS[error.code], f"{source.path}: {error}") from error
    kind = next(kind for kind, magic in images.MAGIC.items() if data.startswith(magic))
    name = source.stem + SUFFIX[kind]
    files.need(job.folder, len(data))
    files.write(job.folder / "images" / name, data)
    return {"image": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "stamp": stamp,
            "width": picture.size[0], "height": picture.size[1], "orientation": images.orientation(data)}


def _copy_all(job, sources):
    """By key of the source: the entry of its picture, or the Drop that says why there is none; and how many are new."""
    journal, results, failed, fresh = _Journal(job.folder), {}, 0, 0
    pool = ThreadPoolExecutor(job.params.data.workers)
    try:
        futures = {pool.submit(_copy, job, source, journal.entries.get(key)): key for key, source in sources.items()}
        for future in tqdm(as_completed(futures), total=len(futures), desc="copying", unit="picture"):
            key = futures[future]
            try:
                results[key], failed = future.result(), 0
            except Drop as drop:
                results[key] = drop
                failed = failed + 1 if drop.reason == "copy failed" else 0
            else:
                if results[key] is not journal.entries.get(key):
                    journal.add(key, results[key])
                    fresh += 1
            if failed >= ENOUGH:
                raise server.Unreachable(f"{ENOUGH} pictures in a row could not be copied, the last one: "
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


def _sweep(folder):
    """Remove what a killed run had begun to write."""
    for path in [*folder.glob(".writing-*"), *folder.glob("images/.writing-*"), *folder.glob("journal/.writing-*"),
                 *folder.glob("generated/**/.writing-*")]:
        path.unlink(missing_ok=True)


def _brief(error):
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


# --- the rows


class _Work:
    """One pass from the snapshot to the files in data/."""

    def __init__(self, job, places, snapshot):
        self.job, self.places, self.snapshot = job, places, snapshot
        self.kept, self.dropped, self.reordered = [], [], 0

    def done(self):
        """The Gathered; labels.csv and its companions are written."""
        located = [self._locate(row) for row in self.snapshot.rows]
        sources = {source.key: source for source in located if isinstance(source, Source)}
        pictures, fresh = _copy_all(self.job, sources)
        for number, (row, source) in enumerate(zip(self.snapshot.rows, located, strict=True)):
            self._take(number, row, pictures[source.key] if isinstance(source, Source) else source)
        self._drop_twice()
        self._write_dropped()
        if not self.kept:
            raise config.ConfigError(self._all_dropped())
        self._split()
        return self._write(fresh)

    def _locate(self, row):
        try:
            return _source(row, self.places)
        except Drop as drop:
            return drop

    def _take(self, number, row, entry):
        try:
            if isinstance(entry, Drop):
                raise entry
            self.kept.append({"number": number, **self._checked(row, entry)})
        except (Drop, Refusal) as drop:
            self._leave(number, row["image"], drop.reason, getattr(drop, "detail", ""))

    def _leave(self, number, image, reason, detail=""):
        self.dropped.append({"number": number, "image": image or "", "reason": reason, "detail": detail})

    def _checked(self, row, entry):
        """The row as it stands in labels.csv, without its split."""
        job, size = self.job, (entry["width"], entry["height"])
        label = {name: _typed(value, job.columns.get(name, str)) for name, value in row.items()}
        label |= {"image": entry["image"], "width": size[0], "height": size[1]}
        if job.params.data.orientation == "stored" and entry["orientation"] > 1:
            label = job.turned(label, lambda points: images.upright(points, entry["orientation"], size))
        label = job.check(label)
        _demand_types(label, job.columns)
        _filter(size, job.params.filters)
        self.reordered += bool(label.pop("reordered", False))
        return label | {"sha256": entry["sha256"], "group": self._group(label), "source": row["image"]}

    def _group(self, label):
        by = self.job.params.split.by
        if by not in ("", "group") and by not in label:
            raise config.ConfigError(f"split.by is {by!r}; it must be empty or one of "
                                     f"{', '.join(self.job.params.data.columns)}")
        value = label.get(by) if by else None
        return label["image"] if value is None or str(value).strip() == "" else str(value)

    def _drop_twice(self):
        """Of a picture that came several times keep the first row, or none where the labels disagree."""
        same = {}
        for row in self.kept:
            same.setdefault(row["sha256"], []).append(row)
        gone = set()
        for rows in same.values():
            labels = {tuple(row[name] for name in self.job.columns) for row in rows}
            reason = "same picture, other labels" if len(labels) > 1 else "same picture twice"
            for row in rows if len(labels) > 1 else rows[1:]:
                other = next(r["source"] for r in rows if r is not row)
                self._leave(row["number"], row["source"], reason, f"also {other}")
                gone.add(row["number"])
        self.kept = [row for row in self.kept if row["number"] not in gone]

    def _all_dropped(self):
        reasons = ", ".join(f"{reason} {count}" for reason, count in self._reasons().most_common())
        first = self.dropped[0]
        return (f"all {len(self.dropped)} rows of {server.schema(self.job)}.{self.job.params.data.table} were "
                f"dropped: {reasons}; for example {first['image']!r}. {self.job.folder / 'dropped.csv'} tells all; "
                "look at data.path_rules and filters")

    def _reasons(self):
        return Counter(row["reason"] for row in self.dropped)

    def _split(self):
        groups = {row["group"] for row in self.kept}
        parts = parts_of(groups, self.job.params.split)
        for row in self.kept:
            row["split"] = parts[row["group"]]

    # --- what is written

    def _write_dropped(self):
        rows = sorted(self.dropped, key=lambda row: row["number"])
        _write_csv(self.job.folder / "dropped.csv", rows, ["image", "reason", "detail"])

    def _write(self, fresh):
        job = self.job
        more = [name for name in self.snapshot.rows[0] if name not in ("image", "group", *job.columns)]
        names = ["image", *job.columns, *more, "width", "height", "sha256", "group", "split", "source"]
        counts = {"rows": len(self.snapshot.rows), "kept": len(self.kept), "dropped": len(self.dropped),
                  "reordered": self.reordered, "copied": fresh}
        files.need(job.folder, 300 * len(self.kept))
        _write_csv(job.folder / "labels.csv", self.kept, names)
        files.write_json(job.folder / "gathered.json", {
            "counts": counts, "reasons": dict(sorted(self._reasons().items())),
            "split": dict(Counter(row["split"] for row in self.kept)),
            "snapshot": {"time": self.snapshot.time, "sha256": self.snapshot.sha256},
            "settings": {name: job.params[name].plain() for name in ("data", "filters", "split")}})
        return Gathered(read(job), _table(job.folder / "dropped.csv"), counts)


def _typed(value, kind):
    """A value of the table as the job wants it; what cannot be is left for the job's check to refuse."""
    try:
        if kind is int and value is not None and float(value).is_integer():
            return int(float(value))  # numeric columns write 3.00
        return value if value is None else kind(value)
    except (ValueError, OverflowError):
        return value


def _demand_types(label, columns):
    for name, kind in columns.items():
        value = label.get(name)
        if value is None or value != value:  # NaN is not itself
            raise Drop("label missing", name)
        if not isinstance(value, (int, float) if kind is float else kind) or value in (float("inf"), -float("inf")):
            raise Drop("label not a number" if kind in (int, float) else "label not usable", f"{name} is {value!r}")


def _filter(size, filters):
    """Drop a picture whose size the settings do not want; 0 means no limit."""
    for side, value in zip(("width", "height"), size, strict=True):
        least, most = filters[f"min_{side}"], filters[f"max_{side}"]
        if least and value < least:
            raise Drop(f"{side} under {least} px", f"{size[0]}x{size[1]}")
        if most and value > most:
            raise Drop(f"{side} over {most} px", f"{size[0]}x{size[1]}")
    if filters.aspect and abs(size[0] / size[1] / filters.aspect - 1) > filters.aspect_tolerance:
        raise Drop(f"aspect other than {filters.aspect:g}", f"{size[0]}x{size[1]}")


# --- the split


def parts_of(groups, split):
    """The part (train, validation, test) of each group: by hand where the settings name it, else by its hash.

    The hash of a group never changes, so pictures that are added move none. ConfigError: a part stays empty, a
    named group is not there or named twice.
    """
    by_hand = {name: part for part in ("validation", "test") for name in map(str, split[f"{part}_groups"])}
    _check_by_hand(by_hand, groups, split)
    hashed = {part: split[part] for part in ("train", "validation", "test")
              if split[part] > 0 and part not in by_hand.values()}
    parts = {group: by_hand.get(group) or _hashed(group, hashed) for group in groups}
    for part in [*hashed, *by_hand.values()]:
        if part not in parts.values():
            raise config.ConfigError(_empty(part, groups))
    return parts


def _check_by_hand(by_hand, groups, split):
    both = set(map(str, split.validation_groups)) & set(map(str, split.test_groups))
    if both:
        raise config.ConfigError(f"split.validation_groups and split.test_groups both name {', '.join(sorted(both))}")
    for name, part in by_hand.items():
        if name not in groups:
            raise config.ConfigError(f"split.{part}_groups names {name!r}, which is no group here; there are {_some(groups)}")


def _hashed(group, fractions):
    """The part in which the group's SHA-1, as a number from 0 to 1, falls."""
    at = int(hashlib.sha1(group.encode()).hexdigest()[:12], 16) / 16**12 * sum(fractions.values())
    for part, fraction in fractions.items():
        if at < fraction:
            return part
        at -= fraction
    return part  # what rounding leaves over


def _some(groups):
    names = sorted(groups)
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _empty(part, groups):
    count = f"the {len(groups)} groups" if len(groups) > 1 else "the only group"
    where = "split.validation_groups" if part == "train" else f"split.{part}_groups"
    return (f"no picture falls to {part}: {count} ({_some(groups)}) went elsewhere by their hash; put some there by "
            f"hand with {where}, set split.{part} otherwise, or split.by to a finer column (empty: every picture)")


def _write_csv(path, rows, names):
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write(path, text.getvalue())
