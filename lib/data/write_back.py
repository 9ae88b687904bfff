"""Corrected labels into the user's own table: what would change, what stands against it, and the change itself."""

import contextlib
import json
from dataclasses import dataclass

import psycopg2
from psycopg2 import errors, sql

from lib.common import config
from lib.data import ingest
from lib.data.formats.pictures import KnownPictures
from lib.imaging import images
from lib.storage import postgres, revisions
from lib.storage.postgres import identifier
from lib.tasks.contract import Located, RejectedRow

WORDS = {"change": "would change", "new": "would be added", "there": "are in the table already",
         "conflict": "are in conflict and left as they are", "marked": "are marked as not usable and left",
         "lost": "cannot be written"}


@dataclass(frozen=True)
class PlannedChange:
    """What becomes of a corrected picture: its `state` (a key of WORDS), its columns `before` (texts; None: no row) and
    `after` (values), and `why`. `revision` is the newest one that decides."""

    revision: revisions.Revision
    state: str
    before: dict | None = None
    after: dict | None = None
    why: str = ""

    def __str__(self):
        """One line for a person."""
        old = self.before or {}
        changed = [f"{name} {old.get(name)} → {value}" for name, value in (self.after or {}).items()
                   if not _same(old.get(name), value)]
        about = ", ".join(changed) if self.state in ("change", "new") else self.why
        return f"{self.state:8} {self.revision.source}: {about} ({self.revision.who}, {self.revision.at})"


def apply(job, write=False):
    """The Lines of all corrected pictures; with `write`, those that change and those that are new are then written.

    One transaction, all or nothing; the rows are locked while they are compared. A row whose label is neither the one
    that the reviewer saw nor the one written last is a conflict: told, and left. What stood there is noted beside the
    revisions. ConfigError: our role may not write the table; postgres.Unreachable; ValueError: PostgreSQL does not take it.
    """
    decided, first, written = revisions.latest(job, decided=True), revisions.first(job), revisions.applied(job)
    pictures = KnownPictures(job, must=True)
    where = f"{postgres.schema(job)}.{job.params.data.table}"
    try:
        with postgres.connect(job) as connection, \
                postgres.time_limit(connection, postgres.GRACE + job.params.data.statement_timeout):
            rows = _rows(connection, job, list(decided), write)
            lines = [_plan(job, revision, first[source].was, rows.get(source, []), written.get(source), pictures)
                     for source, revision in decided.items()]
            if write:
                _write(connection, job, [line for line in lines if line.state in ("change", "new")])
            return lines
    except errors.InsufficientPrivilege as error:
        raise config.ConfigError(f"{where} cannot be written: {postgres.error_text(error)}; the user of the token file needs "
                                 "SELECT, INSERT and UPDATE on it") from error
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise postgres.Unreachable(f"PostgreSQL broke off while {where} was written: {postgres.error_text(error)}; "
                                 "nothing was written, run again") from error
    except psycopg2.Error as error:
        raise ValueError(f"{where} does not take the corrections: {postgres.error_text(error)}; nothing was written") from error


def summary(lines, write=False):
    """How many are what, as a sentence."""
    words = WORDS | ({"change": "were changed", "new": "were added"} if write else {})
    counts = {state: sum(line.state == state for line in lines) for state in words}
    return "; ".join(f"{count} {words[state]}" for state, count in counts.items() if count) or "no label was corrected yet"


# --- what would be


def _plan(job, last, was, rows, written, pictures):
    if last.status != "accepted":
        return PlannedChange(last, "marked", why=f"marked {last.status}; the table keeps its label")
    if len(rows) > 1:
        return PlannedChange(last, "conflict", why=f"the table has {len(rows)} rows for this picture; leave one")
    try:
        _, size, orientation = pictures.measured(last.source)
        entry = {"image": last.source, "width": size[0], "height": size[1], "orientation": orientation}
        after = _after(job, last, entry)
    except (ValueError, OSError, KeyError) as error:
        return PlannedChange(last, "lost", why=f"the picture cannot be looked at: {error}")
    if not rows:
        if was is None and written is None:
            return PlannedChange(last, "new", None, after)
        return PlannedChange(last, "conflict", why="the table has no row for this picture any more")
    before, present = {name: rows[0][ours] for ours, name in _columns(job).items()}, _label(job, rows[0], entry)
    if _agree(job, present, last.label):
        return PlannedChange(last, "there", before, after, "the table has this label")
    seen = written or was
    if seen is None or not _agree(job, present, seen):
        return PlannedChange(last, "conflict", before, after, "the table's label was changed since it was looked at: " + ", ".join(
            f"{name} is {before[name]}" for name in before if not _same(before[name], after[name])))
    return PlannedChange(last, "change", before, after)


def _columns(job):
    """The table's own names of the label's columns, by ours."""
    return {name: job.params.data.columns[name] for name in job.columns}


def _label(job, row, entry):
    """The label of a table's row as a reviewer would see it today; None where it is not usable."""
    try:
        label = job.check(ingest.upright_label(job, row, entry))
    except RejectedRow:
        return None
    return {name: label[name] for name in job.columns}


def _after(job, revision, entry):
    """The table's own columns as the revision has them."""
    label = {name: revision.label[name] for name in job.columns}
    if job.params.data.orientation == "stored" and entry["orientation"] > 1:
        size = entry["width"], entry["height"]
        label = Located.of(job).transform_points(label, lambda points: images.stored(points, entry["orientation"], size))
    return {job.params.data.columns[name]: value for name, value in label.items() if name in job.columns}


def _agree(job, one, other):
    return one is not None and all(_same(one[name], other.get(name)) for name in job.columns)


def _same(one, other):
    """Whether two values mean the same: as numbers, as JSON, or as texts."""
    with contextlib.suppress(TypeError, ValueError):
        return abs(float(one) - float(other)) <= 1e-6 * max(1.0, abs(float(one)))
    with contextlib.suppress(TypeError, ValueError):
        return json.loads(one) == json.loads(other)
    return one == other


# --- the table


def _rows(connection, job, sources, lock):
    """The rows of these pictures, by picture: texts by our names; locked until the transaction ends where asked."""
    names = {"image": job.params.data.columns["image"], **_columns(job)}
    query = sql.SQL("SELECT {} FROM {} WHERE {}::text = ANY(%s){}").format(
        sql.SQL(", ").join(sql.SQL("{}::text").format(identifier(name)) for name in names.values()), _table(job),
        identifier(names["image"]), sql.SQL(" FOR UPDATE" if lock else ""))
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(query, (sources,))
        for row in cursor.fetchall():
            found.setdefault(row[0], []).append(dict(zip(names, row, strict=True)))
    return found


def _write(connection, job, lines):
    if not lines:
        return
    with connection.cursor() as cursor:
        for line in lines:
            cursor.execute(*(_update if line.state == "change" else _insert)(job, line))
    with revisions.logging_changes(job, [(line.revision.id, line.before, line.revision.label) for line in lines]):
        connection.commit()


def _update(job, line):
    values = sql.SQL(", ").join(sql.SQL("{} = %s").format(identifier(name)) for name in line.after)
    query = sql.SQL("UPDATE {} SET {} WHERE {}::text = %s").format(
        _table(job), values, identifier(job.params.data.columns["image"]))
    return query, (*line.after.values(), line.revision.source)


def _insert(job, line):
    names = job.params.data.columns
    group = {names["group"]: ingest.folder_of(line.revision.source)} if names.get("group") else {}
    values = {names["image"]: line.revision.source, **group, **line.after}
    query = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        _table(job), sql.SQL(", ").join(map(identifier, values)), sql.SQL(", ").join([sql.Placeholder()] * len(values)))
    return query, tuple(values.values())


def _table(job):
    return identifier(postgres.schema(job), job.params.data.table)
