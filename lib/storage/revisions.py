"""Corrected labels: every change a row of its own in PostgreSQL, in a schema of ours, none ever overwritten."""

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg2
from psycopg2 import sql

from lib.common import config
from lib.storage import postgres, schemas

SCHEMA = "corebox"
DECIDED = ("accepted", "refused", "bad")                 # notebook 01 and `labels apply` act on these alone
STATUSES = (*DECIDED, "unsure", "edited", "open")        # edited: changed, not accepted; open: a decision taken back
MIGRATIONS = schemas.Schema(SCHEMA, Path(__file__).with_name("migrations"), lock=7_236_114_001,
                            remedy="let its owner run the viewer once")
FIELDS = "edit, source, number, status, label, was, who, why, note, run, seconds, sha256"


@dataclass(frozen=True)
class Change:
    """A label as a reviewer leaves it; `number` is one more than that of the revision it was made from (0: none)."""

    edit: str          # a UUID, so that a change sent twice is kept once
    source: str        # the picture as the user's table names it
    number: int
    status: str
    label: dict | None
    was: dict | None
    who: str
    why: str = ""
    note: str = ""
    run: str = ""
    seconds: float | None = None
    sha256: str = ""


@dataclass(frozen=True)
class Revision(Change):
    """A Change that is in PostgreSQL: `id` counts all of them, `at` is the server's time (ISO 8601, UTC)."""

    id: int = 0
    at: str = ""

    def plain(self):
        """A dict for JSON."""
        return asdict(self)


class Conflict(RuntimeError):
    """Someone else changed the label first; `theirs` is that Revision. Nothing was written."""

    def __init__(self, theirs):
        super().__init__(f"{theirs.who} changed {theirs.source} at {theirs.at} (revision {theirs.number}); "
                         "yours is not saved yet: take theirs, or save yours on top of it")
        self.theirs = theirs


def save(job, change):
    """The Revision that a Change became. Errors: Conflict, ValueError (what cannot be kept), postgres.Unreachable."""
    _validate(change)
    with _open(job, write=True) as cursor:
        query = sql.SQL("INSERT INTO {}.revision (task, relation, {}) VALUES (%s, %s, {}) "
                        "ON CONFLICT DO NOTHING").format(
            sql.Identifier(SCHEMA), sql.SQL(FIELDS), sql.SQL(", ").join([sql.Placeholder()] * len(FIELDS.split(", "))))
        cursor.execute(query, (*_key(job), *_values(change)))
        cursor.connection.commit()
        found = _select(job, cursor, "edit = %s OR source = %s AND number >= %s ORDER BY (edit = %s) DESC, id DESC "
                        "LIMIT 1", (change.edit, change.source, change.number, change.edit))
    if not found:
        raise ValueError(f"revision {change.edit} of {change.source} was already kept for another table; save it anew")
    if found[0].edit != change.edit:
        raise Conflict(found[0])
    return found[0]


def latest(job, decided=False):
    """By picture (the table's own name), its newest Revision; with `decided`, the one that counts.

    That is the newest in DECIDED: an edit that nobody accepted changes nothing, and neither does "unsure". A later
    "open" takes the decision back: then the picture is left out.
    """
    with _open(job) as cursor:
        if cursor is None:
            return {}
        condition, values = ("status = ANY(%s)", ([*DECIDED, "open"],)) if decided else ("true", ())
        found = _select(job, cursor, f"{condition} ORDER BY source, number DESC", values, "DISTINCT ON (source)")
    return {revision.source: revision for revision in found if not decided or revision.status != "open"}


def history(job, source):
    """The Revisions of a picture, newest first."""
    with _open(job) as cursor:
        return _select(job, cursor, "source = %s ORDER BY number DESC", (source,)) if cursor else []


def first(job):
    """By picture, its oldest Revision: `was` is the table's label as its reviewer saw it."""
    with _open(job) as cursor:
        found = _select(job, cursor, "true ORDER BY source, number", (), "DISTINCT ON (source)") if cursor else []
    return {revision.source: revision for revision in found}


def new_pictures(job):
    """The pictures that were first labelled here, in a set: no table had a label of theirs."""
    with _open(job) as cursor:
        found = _select(job, cursor, "number = 1 AND was IS NULL ORDER BY source", ()) if cursor else []
    return {revision.source for revision in found}


def applied(job):
    """By picture, the label that was last written into the user's table."""
    with _open(job) as cursor:
        if cursor is None or not _table_exists(cursor, "applied"):
            return {}
        cursor.execute(f"SELECT DISTINCT ON (source) source, now FROM {SCHEMA}.applied JOIN {SCHEMA}.revision r "
                       f"ON r.id = revision WHERE task = %s AND relation = %s ORDER BY source, {SCHEMA}.applied.id DESC",
                       _key(job))
        return dict(cursor.fetchall())


@contextlib.contextmanager
def logging_changes(job, entries):
    """Note what is written into the user's table: (revision id, its row before or None, the label) each.

    The notes are kept when the body ends well, in which the table is written; an error there leaves none.
    """
    with _open(job, write=True) as cursor:
        cursor.executemany(f"INSERT INTO {SCHEMA}.applied (revision, was, now) VALUES (%s, %s, %s)",
                           [(number, before and json.dumps(before), json.dumps(label)) for number, before, label in entries])
        yield
        cursor.connection.commit()


def since(job, last):
    """The Revisions whose id is above `last`, oldest first: what others did meanwhile."""
    with _open(job) as cursor:
        return _select(job, cursor, "id > %s ORDER BY id", (last,)) if cursor else []


def destination(job):
    """Where the next revision will be kept, in words for people; nothing is made."""
    if postgres.credentials(job):
        with postgres.connect(job) as connection:
            if _writable(connection):
                return f"PostgreSQL at {postgres.credentials(job)}"
    return "the embedded PostgreSQL"


# --- values


def _validate(change):
    """ValueError where a change is not one that can be kept."""
    if change.status not in STATUSES:
        raise ValueError(f"status is {change.status!r}; it must be one of {', '.join(STATUSES)}")
    if not change.who.strip():
        raise ValueError("a revision needs the reviewer's name; none was given")
    for name in ("source", "who", "why", "note", "run"):
        if "\0" in getattr(change, name):
            raise ValueError(f"{name} holds a NUL character, which PostgreSQL does not take; remove it")


def _values(change):
    values = asdict(change)
    return [json.dumps(value, allow_nan=False) if isinstance(value, dict) else value
            for value in (values[name] for name in FIELDS.split(", "))]


def _key(job):
    """What a label belongs to, beside its picture: the task and the user's table."""
    return job.name, f"{postgres.schema(job)}.{job.params.data.table}"


def _select(job, cursor, condition, values, distinct=""):
    moment = "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
    cursor.execute(f"SELECT {distinct} {FIELDS.replace('edit', 'edit::text')}, id, {moment} FROM {SCHEMA}.revision "
                   f"WHERE task = %s AND relation = %s AND ({condition.split(' ORDER BY ')[0]}) "
                   f"ORDER BY {condition.split(' ORDER BY ')[1]}", (*_key(job), *values))
    return [Revision(*row) for row in cursor.fetchall()]


# --- where they are kept


@contextlib.contextmanager
def _open(job, write=False):
    """A cursor in the token's server if our role may write there, else in the embedded one.

    To read only, nothing is made: None where no revision was ever kept. A broken line is postgres.Unreachable.
    """
    try:
        with contextlib.ExitStack() as stack:
            connection = _choose_connection(job, stack, write)
            if connection is None:
                yield None
                return
            with postgres.time_limit(connection, postgres.GRACE + job.params.data.statement_timeout), \
                    connection.cursor() as cursor:
                yield cursor
    except psycopg2.Error as error:
        if error.pgcode is None or isinstance(error, psycopg2.OperationalError):  # nobody said what is wrong: the line
            raise postgres.Unreachable(f"PostgreSQL broke off at the revisions: {postgres.error_text(error)}; "
                                     "what was not saved is tried again") from error
        raise ValueError(f"PostgreSQL does not take the revision: {postgres.error_text(error)}") from error


def _choose_connection(job, stack, write):
    """The connection to use, in which the schema stands as it must, or None."""
    limit = postgres.GRACE + job.params.data.statement_timeout
    if postgres.credentials(job):
        connection = stack.enter_context(postgres.connect(job))
        with postgres.time_limit(connection, limit):
            if _writable(connection):
                return _prepared(connection, write)
    if not write and not (config.home() / "data" / "postgres").is_dir():
        return None
    connection = stack.enter_context(postgres.connect(_without_token(job)))
    with postgres.time_limit(connection, limit):
        return _prepared(connection, write)


def _prepared(connection, write):
    """The connection once there is a table to read, or to write into; None where there is nothing to read."""
    if write:
        MIGRATIONS.migrate(connection)
    return connection if write or _exists(connection) else None


def _without_token(job):
    """The job as it would be without a token file: its database is the embedded one."""
    values = job.params.plain()
    values["data"] |= {"token": "", "schema": postgres.schema(job)}
    return type(job)(config.Params(values), job.profile, job.run)


def _table_exists(cursor, table):
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.{table}",))
    return cursor.fetchone()[0]


def _exists(connection):
    return _ask(connection, "SELECT to_regclass(%s) IS NOT NULL", f"{SCHEMA}.revision")


def _writable(connection):
    """Whether our role may add revisions here: into the table, or by making schema and table."""
    if _exists(connection):
        return _ask(connection, "SELECT has_table_privilege(%s, 'SELECT') AND has_table_privilege(%s, 'INSERT')",
                    f"{SCHEMA}.revision", f"{SCHEMA}.revision")
    return _ask(connection, "SELECT coalesce((SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE "
                "nspname = %s), has_database_privilege(current_database(), 'CREATE'))", SCHEMA)


def _ask(connection, query, *values):
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        answer, = cursor.fetchone()
    connection.rollback()
    return answer
