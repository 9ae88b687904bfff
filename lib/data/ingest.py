"""Labels and pictures from where they are into data/<task>/<profile>: the resumable job behind notebook 01."""

import csv
import hashlib
import io
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import PureWindowsPath

from lib.common import config
from lib.data import demo, merging, transfer
from lib.hub.datasets import source as hub
from lib.imaging import images
from lib.storage import files, postgres, revisions, tables
from lib.tasks.contract import Located, RejectedRow


@dataclass(frozen=True)
class Ingested:
    """What came in: the DataFrames `table` (kept rows) and `dropped` (image, reason, detail), and `counts`."""

    table: object
    dropped: object
    counts: dict


def ingest_labels(job):
    """Query the table, copy the pictures, check every row, and write labels.csv, dropped.csv and gathered.json.

    A run that was stopped goes on where it was; the end is the same, byte for byte. Errors: files.Busy (another
    run holds the folder), files.DiskFull, postgres.Unreachable, config.ConfigError (a setting to put right; the
    labels that were there stay as they were).

    A label that was corrected in the viewer is taken as its latest decided revision has it.
    """
    from_hub = job.params.data.source == "hub"
    if not from_hub:
        demo.fill_table(job)
    with files.lock(job.folder):
        places = [hub.location(job)] if from_hub else transfer.storage_locations(job)
        transfer.remove_temporary_files(job.folder)
        revised = revisions.latest(job, decided=True)
        first = revisions.first(job) if revised and Located.of(job).several else {}
        snapshot = hub.rows(job) if from_hub else _with_new(tables.snapshot(job), revised, revisions.new_pictures(job))
        return _Ingestion(job, places, snapshot, revised, first).done()


def _with_new(snapshot, revised, added):
    """The snapshot with a row for each picture that is not in the table and was labelled in the viewer all the same."""
    known = {row["image"] for row in snapshot.rows}
    empty = dict.fromkeys(snapshot.rows[0])
    return replace(snapshot, rows=snapshot.rows + [
        empty | {"image": path} | ({"group": folder_of(path)} if "group" in empty else {})
        for path in sorted(added & revised.keys() - known)])


def folder_of(source):
    """The group of a picture that no table names: the folder it lies in."""
    return PureWindowsPath(source).parent.name  # knows both kinds of slash


def read_labels(job):
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


# --- the rows


class _Ingestion:
    """One pass from the snapshot to the files in data/."""

    def __init__(self, job, places, snapshot, revised, first):
        self.job, self.places, self.snapshot, self.revisions, self.first = job, places, snapshot, revised, first
        self.kept, self.dropped, self.reordered, self.revised = [], [], 0, 0

    def done(self):
        """The Gathered; labels.csv and its companions are written."""
        located = [self._locate(row) for row in self.snapshot.rows]
        sources = {source.key: source for source in located if isinstance(source, transfer.Source)}
        pictures, fresh = transfer.copy_all(self.job, sources)
        keys = [source.key if isinstance(source, transfer.Source) else None for source in located]
        numbered = list(enumerate(zip(self.snapshot.rows, keys, located, strict=True)))
        for rows in merging.by_picture(self.job, numbered, keys):
            _, (_, key, source) = rows[0]
            self._take([(number, row) for number, (row, _, _) in rows], pictures[key] if key else source)
        self._drop_twice()
        self._write_dropped()
        if not self.kept:
            raise config.ConfigError(self._all_dropped())
        self._split()
        found = self._write(fresh)
        transfer.remove_outdated_copies(self.job, pictures)
        return found

    def _locate(self, row):
        try:
            return transfer.find_picture(row["image"], self.places)
        except RejectedRow as drop:
            return drop

    def _take(self, rows, entry):
        """Keep what can be used of the rows of one picture: pairs of a number and the values of the table."""
        image = rows[0][1]["image"]
        try:
            if isinstance(entry, RejectedRow):
                raise entry
            labels = [merging.TableRow(number, row, upright_label(self.job, row, entry)) for number, row in rows]
            revision = self.revisions.get(image)
            labels = merging.corrected(self.job, labels, revision, self.first.get(image))
            self.revised += revision is not None
        except RejectedRow as drop:
            for number, row in rows:
                self._leave(number, row["image"], drop.reason, drop.detail)
            return
        self._merge([label for label in (self._checked(row, entry) for row in labels) if label])

    def _leave(self, number, image, reason, detail=""):
        self.dropped.append({"number": number, "image": image or "", "reason": reason, "detail": detail})

    def _checked(self, row, entry):
        """The label of a TableRow as it stands in labels.csv, without its split; None where it is dropped."""
        job, size = self.job, (entry["width"], entry["height"])
        try:
            label = job.check(row.label)
            _check_types(label, job.columns)
            _check_size(size, job.params.filters)
        except RejectedRow as drop:
            return self._leave(row.number, row.values["image"], drop.reason, drop.detail)
        self.reordered += bool(label.pop("reordered", False))
        return label | {"number": row.number, "sha256": entry["sha256"], "group": self._group(label),
                        "source": row.values["image"]}

    def _merge(self, labels):
        """Keep the checked labels of a picture as one row; those that repeat or contradict another are dropped."""
        wrong = merging.contradictions(self.job, labels)
        for at, reason in wrong.items():
            self._leave(labels[at]["number"], labels[at]["source"], reason, "the box overlaps with that of another row")
        labels = [label for at, label in enumerate(labels) if at not in wrong]
        if labels:
            merged = labels[0] if len(labels) == 1 else Located.of(self.job).merge(labels)
            self.kept.append(merged | {"rows": labels, "number": labels[0]["number"], "source": labels[0]["source"]})

    def _group(self, label):
        by = self.job.params.split.by
        if by not in ("", "group") and by not in label:
            raise config.ConfigError(f"split.by is {by!r}; it must be empty or one of "
                                     f"{', '.join(self.job.params.data.columns)}")
        value = label.get(by) if by else None
        return transfer.original_name(label["image"]) if value is None or str(value).strip() == "" else str(value)

    def _drop_twice(self):
        """Of a picture that came several times keep the first row, or none where the labels disagree."""
        same = {}
        for row in self.kept:
            same.setdefault(row["sha256"], []).append(row)
        gone = set()
        for rows in same.values():
            labels = {tuple(each[name] for each in row["rows"] for name in self.job.columns) for row in rows}
            reason = "same picture, other labels" if len(labels) > 1 else "same picture twice"
            for row in rows if len(labels) > 1 else rows[1:]:
                other = next(r["source"] for r in rows if r is not row)
                for each in row["rows"]:
                    self._leave(each["number"], row["source"], reason, f"also {other}")
                gone.add(row["number"])
        self.kept = [row for row in self.kept if row["number"] not in gone]

    def _all_dropped(self):
        reasons = ", ".join(f"{reason} {count}" for reason, count in self._reasons().most_common())
        first = self.dropped[0]
        return (f"all {len(self.dropped)} rows of {postgres.schema(self.job)}.{self.job.params.data.table} were "
                f"dropped: {reasons}; for example {first['image']!r}. {self.job.folder / 'dropped.csv'} tells all; "
                "look at data.path_rules and filters")

    def _reasons(self):
        return Counter(row["reason"] for row in self.dropped)

    def _split(self):
        groups = {each["group"] for row in self.kept for each in row["rows"]}
        parts = assign_splits(groups, self.job.params.split, self._strata())
        for row in self.kept:
            row["split"] = parts[row["group"]]
        torn = [row for row in self.kept if len({parts[each["group"]] for each in row["rows"]}) > 1]
        for row in torn:   # in either part it would show what the other is tested on
            groups = ", ".join(sorted({each["group"] for each in row["rows"]}))
            for each in row["rows"]:
                self._leave(each["number"], row["source"], "groups of different splits in one picture", groups)
        if torn:
            self.kept = [row for row in self.kept if row not in torn]
            self._write_dropped()

    def _strata(self):
        """The commonest value of `split.stratify` in each group; None where the split follows the hash alone."""
        by, values = self.job.params.split.stratify, {}
        if not by:
            return None
        if by not in self.kept[0]:
            raise config.ConfigError(f"split.stratify is {by!r}; it must be empty or one of {', '.join(self.kept[0])}")
        for row in self.kept:
            values.setdefault(row["group"], Counter())[str(row[by])] += 1
        return {group: max(sorted(counts), key=counts.get) for group, counts in values.items()}

    # --- what is written

    def _write_dropped(self):
        rows = sorted(self.dropped, key=lambda row: row["number"])
        _write_csv(self.job.folder / "dropped.csv", rows, ["image", "reason", "detail"])

    def _write(self, fresh):
        job = self.job
        more = [name for name in self.snapshot.rows[0] if name not in ("image", "group", *job.columns)]
        boxes = ["boxes"] if any(len(row["rows"]) > 1 for row in self.kept) else []
        names = ["image", *job.columns, *boxes, *more, "width", "height", "sha256", "group", "split", "source"]
        counts = {"rows": len(self.snapshot.rows), "kept": sum(len(row["rows"]) for row in self.kept), "dropped": len(self.dropped),
                  "reordered": self.reordered, "revised": self.revised, "copied": fresh}
        files.require_space(job.folder, 300 * len(self.kept))
        _write_csv(job.folder / "labels.csv", [merging.as_text(row) for row in self.kept], names)
        files.write_json(job.folder / "gathered.json", {
            "counts": counts, "reasons": dict(sorted(self._reasons().items())),
            "split": dict(Counter(row["split"] for row in self.kept)),
            "snapshot": {"time": self.snapshot.time, "sha256": self.snapshot.sha256},
            "settings": {name: job.params[name].plain() for name in ("data", "filters", "split")}})
        return Ingested(read_labels(job), _table(job.folder / "dropped.csv"), counts)


def upright_label(job, row, entry):
    """A table's row (texts, by our names) as a label on its upright picture, not checked yet.

    `entry` says of the picture what the journal does: `image`, `width`, `height` (upright) and `orientation` (EXIF).
    """
    size = entry["width"], entry["height"]
    label = {name: _typed(value, job.columns.get(name, str)) for name, value in row.items()}
    label |= {"image": entry["image"], "width": size[0], "height": size[1]}
    if job.params.data.orientation == "stored" and entry["orientation"] > 1:
        label = Located.of(job).transform_points(label, lambda points: images.upright(points, entry["orientation"], size))
    return label


def _typed(value, kind):
    """A value of the table as the job wants it; what cannot be is left for the job's check to refuse."""
    try:
        if kind is int and value is not None and float(value).is_integer():
            return int(float(value))  # numeric columns write 3.00
        return value if value is None else kind(value)
    except (ValueError, OverflowError):
        return value


def _check_types(label, columns):
    for name, kind in columns.items():
        value = label.get(name)
        if value is None or value != value:  # NaN is not itself
            raise RejectedRow("label missing", name)
        if not isinstance(value, (int, float) if kind is float else kind) or value in (float("inf"), -float("inf")):
            raise RejectedRow("label not a number" if kind in (int, float) else "label not usable", f"{name} is {value!r}")


def _check_size(size, filters):
    """Drop a picture whose size the settings do not want; 0 means no limit."""
    for side, value in zip(("width", "height"), size, strict=True):
        least, most = filters[f"min_{side}"], filters[f"max_{side}"]
        if least and value < least:
            raise RejectedRow(f"{side} under {least} px", f"{size[0]}x{size[1]}")
        if most and value > most:
            raise RejectedRow(f"{side} over {most} px", f"{size[0]}x{size[1]}")
    if filters.aspect and abs(size[0] / size[1] / filters.aspect - 1) > filters.aspect_tolerance:
        raise RejectedRow(f"aspect other than {filters.aspect:g}", f"{size[0]}x{size[1]}")


# --- the split


def assign_splits(groups, split, strata=None):
    """The part (train, validation, test) of each group: by hand where the settings name it, else by its hash.

    The hash of a group never changes, so pictures that are added move none. `strata` gives the stratum of each group:
    then every stratum is shared out by itself, in the order of the hashes, so that each part holds its share of it
    (to one group); pictures that are added move those few that lie at a border. ConfigError: a part stays empty, a
    named group is not there or named twice.
    """
    by_hand = {name: part for part in ("validation", "test") for name in map(str, split[f"{part}_groups"])}
    _check_by_hand(by_hand, groups, split)
    hashed = {part: split[part] for part in ("train", "validation", "test")
              if split[part] > 0 and part not in by_hand.values()}
    places = _ranks([group for group in groups if group not in by_hand], strata) if strata else {}
    parts = {group: by_hand.get(group) or _split_at(places.get(group, _hash_fraction(group)), hashed) for group in groups}
    for part in [*hashed, *by_hand.values()]:
        if part not in parts.values():
            raise config.ConfigError(_explain_empty_split(part, groups))
    return parts


def _check_by_hand(by_hand, groups, split):
    both = set(map(str, split.validation_groups)) & set(map(str, split.test_groups))
    if both:
        raise config.ConfigError(f"split.validation_groups and split.test_groups both name {', '.join(sorted(both))}")
    for name, part in by_hand.items():
        if name not in groups:
            raise config.ConfigError(f"split.{part}_groups names {name!r}, which is no group here; there are {_first_names(groups)}")


def _hash_fraction(group):
    """The group's SHA-1 as a number from 0 to 1."""
    return int(hashlib.sha1(group.encode(), usedforsecurity=False).hexdigest()[:12], 16) / 16**12


def _ranks(groups, strata):
    """Where each group stands among those of its stratum, in the order of their hashes, as a number from 0 to 1.

    Strata begin at different places, so that those of a few groups do not all fall to the first part.
    """
    members = {}
    for group in sorted(groups, key=_hash_fraction):
        members.setdefault(strata[group], []).append(group)
    return {group: (_hash_fraction(stratum) + (rank + 0.5) / len(some)) % 1 for stratum, some in members.items()
            for rank, group in enumerate(some)}


def _split_at(at, fractions):
    """The part in which a number from 0 to 1 falls."""
    at *= sum(fractions.values())
    for part, fraction in fractions.items():
        if at < fraction:
            return part
        at -= fraction
    return part  # what rounding leaves over


def _first_names(groups):
    names = sorted(groups)
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _explain_empty_split(part, groups):
    count = f"the {len(groups)} groups" if len(groups) > 1 else "the only group"
    where = "split.validation_groups" if part == "train" else f"split.{part}_groups"
    return (f"no picture falls to {part}: {count} ({_first_names(groups)}) went elsewhere by their hash; put some there by "
            f"hand with {where}, set split.{part} otherwise, or split.by to a finer column (empty: every picture)")


def _write_csv(path, rows, names):
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write(path, text.getvalue())
