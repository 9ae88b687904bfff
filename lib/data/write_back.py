"""Corrected labels into the user's own table: what would change, what stands against it, and the change itself."""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import psycopg2
from psycopg2 import errors, sql

from lib.common import config
from lib.data import ingest, merging, row_matching
from lib.data.formats.pictures import KnownPictures
from lib.imaging import images
from lib.storage import postgres, revisions, tables
from lib.storage.postgres import identifier
from lib.tasks.contract import Located, RejectedRow

WORDS = {"change": "would change", "new": "would be added", "there": "are in the table already",
         "conflict": "are in conflict and left as they are", "marked": "are marked as not usable and left",
         "lost": "cannot be written"}


class RowChange(NamedTuple):
    """A row of the table: its columns `before` (texts; None: it is new) and `after` (values), both by the table's names."""

    before: dict | None
    after: dict

    @property
    def differences(self):
        """`column before → after` of each column that changes."""
        old = self.before or {}
        return [f"{name} {old.get(name)} → {value}" for name, value in self.after.items() if not merging.same_value(old.get(name), value)]


@dataclass(frozen=True)
class PlannedChange:
    """What becomes of a corrected picture: its `state` (a key of WORDS), its `rows` (RowChanges), and `why`.

    `revision` is the newest one that decides; new rows get the `group`.
    """

    revision: revisions.Revision
    state: str
    rows: tuple = ()
    why: str = ""
    group: str | None = None

    def __str__(self):
        """One line for a person."""
        rows = [row.differences for row in self.rows]
        several = [f"row {at}: {', '.join(changed)}" for at, changed in enumerate(rows, 1) if changed]
        told = "; ".join(several) if len(rows) > 1 else ", ".join(*rows or [[]])
        about = told if self.state in ("change", "new") else self.why
        return f"{self.state:8} {self.revision.source}: {about} ({self.revision.who}, {self.revision.at})"


class _Table(NamedTuple):
    """What is there: `rows` by picture, texts by our names; `more` names of flags of a label that it has a column for;
    whether it takes `one` row of a picture alone."""

    rows: dict
    more: tuple
    one: bool


def apply(job, write=False):
    """The PlannedChanges of all corrected pictures; with `write`, those that change or are new are then written.

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
            table = _read(connection, job, list(decided), write)
            lines = [_plan(job, table, revision, written.get(source) or first[source].was, pictures)
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


def _plan(job, table, last, seen, pictures):
    """The PlannedChange of a picture by its newest Revision; `seen` is the label that the table had, None: no row."""
    if last.status != "accepted":
        return PlannedChange(last, "marked", why=f"marked {last.status}; the table keeps its label")
    try:
        _, size, orientation = pictures.measured(last.source)
        entry = {"image": last.source, "width": size[0], "height": size[1], "orientation": orientation}
        return _change(job, table, last, entry, seen)
    except row_matching.Conflict as conflict:
        return PlannedChange(last, "conflict", why=str(conflict))
    except (ValueError, OSError, KeyError) as error:
        return PlannedChange(last, "lost", why=f"the picture cannot be looked at: {error}")


def _change(job, table, last, entry, seen):
    """The PlannedChange of an accepted picture; row_matching.Conflict."""
    located, rows = Located.of(job), table.rows.get(last.source, [])
    wanted, seen = located.labels_of(last.label), located.labels_of(seen) if seen else []
    if len(rows) > 1 and not located.several:
        raise row_matching.Conflict(f"the table has {len(rows)} rows for this picture; leave one")
    if seen and not rows:
        raise row_matching.Conflict("the table has no row for this picture any more")
    try:
        found = row_matching.match(job, [_label(job, row, entry) for row in rows], seen, wanted, functools.partial(_agree, job))
    except row_matching.Conflict as conflict:
        raise row_matching.Conflict(f"{conflict}{_differences(job, rows, entry, wanted)}") from None
    changes = tuple(_row_change(job, table, one, rows, entry) for one in found)
    if table.one and len(rows) + sum(change.before is None for change in changes) > 1:
        return PlannedChange(last, "lost", changes, "the table takes one row for a picture, and this one has several labels")
    if not any(change.differences for change in changes):
        return PlannedChange(last, "there", changes, "the table has this label")
    return PlannedChange(last, "change" if rows else "new", changes, group=rows[0].get("group") if rows else None)


def _differences(job, rows, entry, wanted):
    """What the only row of a picture says in place of the only label, for a person; "" where there are several."""
    if len(rows) != 1 or len(wanted) != 1:
        return ""
    before, after = rows[0], _stored(job, wanted[0], entry)
    names = _columns(job)
    return ": " + ", ".join(f"{names[name]} is {before[name]}" for name in names if not merging.same_value(before[name], after[name]))


def _row_change(job, table, match, rows, entry):
    """The RowChange of a Match; flags such as `cut` are written where the reviewer changed them."""
    names, after = job.params.data.columns, _stored(job, match.label, entry)
    for name in table.more:
        if bool(match.label.get(name)) != bool((match.seen or {}).get(name)):
            after[name] = bool(match.label.get(name))
    before = None if match.row is None else {names[name]: rows[match.row][name] for name in after}
    return RowChange(before, {names[name]: value for name, value in after.items()})


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


def _stored(job, label, entry):
    """A label in the columns of the job, as the table keeps it: where it says so, in pixels of the picture as stored."""
    label = {name: label[name] for name in job.columns}
    if job.params.data.orientation == "stored" and entry["orientation"] > 1:
        size = entry["width"], entry["height"]
        label = Located.of(job).transform_points(label, lambda points: images.stored(points, entry["orientation"], size))
    return {name: label[name] for name in job.columns}


def _agree(job, one, other):
    return one is not None and all(merging.same_value(one[name], other.get(name)) for name in job.columns)


# --- the table


def _read(connection, job, sources, lock):
    """The _Table with the rows of these pictures; they are locked until the transaction ends where asked."""
    ours = job.params.data.columns
    there = tables.columns(connection, postgres.schema(job), job.params.data.table)
    names = {"image": ours["image"], **_columns(job), **{name: ours[name] for name in ours if ours[name] in there}}
    query = sql.SQL("SELECT {} FROM {} WHERE {}::text = ANY(%s){}").format(
        sql.SQL(", ").join(sql.SQL("{}::text").format(identifier(name)) for name in names.values()), _table(job),
        identifier(names["image"]), sql.SQL(" FOR UPDATE" if lock else ""))
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(query, (sources,))
        for row in cursor.fetchall():
            found.setdefault(row[0], []).append(dict(zip(names, row, strict=True)))
        cursor.execute("""SELECT 1 FROM pg_index i JOIN pg_class c ON c.oid = indrelid JOIN pg_namespace n ON n.oid = relnamespace
                          JOIN pg_attribute a ON attrelid = c.oid AND attnum = indkey[0]
                          WHERE nspname = %s AND relname = %s AND attname = %s AND indisunique AND indnkeyatts = 1 AND indpred IS NULL""",
                       (postgres.schema(job), job.params.data.table, ours["image"]))
        one = cursor.fetchone() is not None
    return _Table(found, tuple(name for name in names if name not in ("image", "group", *job.columns)), one)


def _write(connection, job, lines):
    if not lines:
        return
    with connection.cursor() as cursor:
        for line in lines:
            for row in line.rows:
                if row.before is None:
                    cursor.execute(*_insert(job, line, row))
                elif row.differences:
                    cursor.execute(*_update(job, line, row))
                    if cursor.rowcount != 1:   # a rule or a trigger of the table; the rows are locked
                        raise ValueError(f"{cursor.rowcount} rows of {line.revision.source} took its correction, not one; "
                                         "nothing was written")
    with revisions.logging_changes(job, [(line.revision.id, _row_before(line), line.revision.label) for line in lines]):
        connection.commit()


def _row_before(line):
    """What the rows of a picture were, as it is noted: of one row its columns, None where it is new; of several a list of them."""
    return {"rows": [row.before for row in line.rows]} if len(line.rows) > 1 else line.rows[0].before


def _update(job, line, row):
    """The row is found by its picture and, since it may have several rows, by what it says."""
    values = sql.SQL(", ").join(sql.SQL("{} = %s").format(identifier(name)) for name in row.after)
    same = sql.SQL(" AND ").join(sql.SQL("{}::text IS NOT DISTINCT FROM %s").format(identifier(name)) for name in row.before)
    query = sql.SQL("UPDATE {} SET {} WHERE {}::text = %s AND {}").format(
        _table(job), values, identifier(job.params.data.columns["image"]), same)
    return query, (*row.after.values(), line.revision.source, *row.before.values())


def _insert(job, line, row):
    names = job.params.data.columns
    group = {names["group"]: line.group or ingest.folder_of(line.revision.source)} if names.get("group") else {}
    values = {names["image"]: line.revision.source, **group, **row.after}
    query = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        _table(job), sql.SQL(", ").join(map(identifier, values)), sql.SQL(", ").join([sql.Placeholder()] * len(values)))
    return query, tuple(values.values())


def _table(job):
    return identifier(postgres.schema(job), job.params.data.table)
