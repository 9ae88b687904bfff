"""The user's own PostgreSQL table as it is read: what columns it has, and its rows of one moment."""

import difflib
import hashlib
import itertools
import time
from dataclasses import dataclass

import psycopg2
from psycopg2 import errors, sql

from lib.common import config
from lib.storage import postgres
from lib.storage.postgres import Unreachable, connect, error_text, identifier, schema, time_limit

BATCH = 1000      # rows fetched at once


# --- what there is


def split_name(job, table=""):
    """Schema and name of the user's table, or of `table`, which may be `schema.table`."""
    where, _, name = (table or job.params.data.table).rpartition(".")
    return where or schema(job), name


def columns(connection, where, table):
    """Names and types of a table's columns, in their order; empty where there is no such table."""
    with connection.cursor() as cursor:
        cursor.execute("""SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute a
                          JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
                          WHERE nspname = %s AND relname = %s AND attnum > 0 AND NOT attisdropped
                          AND relkind IN ('r', 'v', 'm', 'f', 'p') ORDER BY attnum""", (where, table))
        return dict(cursor.fetchall())


def _tables(connection):
    with connection.cursor() as cursor:
        cursor.execute("""SELECT nspname || '.' || relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
                          WHERE relkind IN ('r', 'v', 'm', 'f', 'p')
                          AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1""")
        return [name for name, in cursor.fetchall()]


def _require_columns(connection, job, wanted):
    """The table's columns; ConfigError names the table or the column that is missing, and the nearest there is."""
    where, table = schema(job), job.params.data.table
    there = columns(connection, where, table)
    if not there:
        remedy = "put data.schema and data.table right" if job.params.data.token else \
            "set data.generate, name a token file as data.token, or load labels: python -m lib labels import FILE"
        raise config.ConfigError(f"there is no table {where}.{table}"
                                 f"{_nearest(f'{where}.{table}', _tables(connection))}; {remedy}")
    for setting, name in wanted.items():
        if name not in there:
            raise config.ConfigError(f"{where}.{table} has no column {name!r} ({setting})" + _nearest(name, there)
                                     + "; put the setting right")
    return there


def _nearest(name, names):
    names = [str(n) for n in names]
    near = difflib.get_close_matches(name.lower(), [n.lower() for n in names], 3, 0.4)
    near = [n for n in names if n.lower() in near] or names[:8]
    return "; the nearest are " + ", ".join(near) if near else "; there is none at all"


@dataclass(frozen=True)
class Snapshot:
    """The rows of one moment: dicts from our names to text (or None), as the server writes the values."""

    rows: list
    time: str

    @property
    def sha256(self):
        text = "\n".join(repr(sorted(row.items())) for row in self.rows)
        return hashlib.sha256(text.encode()).hexdigest()


def snapshot(job):
    """The Snapshot of the user's table that the settings ask for, in the order of the key.

    Read in one REPEATABLE READ transaction; when the line breaks, all is read anew, so no row comes twice or is
    missing. ConfigError: table or column missing, no row fits the filter. Unreachable: the server does not answer.
    """
    for attempt in itertools.count():
        try:
            with connect(job) as connection:
                return _snapshot(connection, job)
        except errors.QueryCanceled as error:
            raise Unreachable(f"PostgreSQL needs more than {job.params.data.statement_timeout} s for a query; raise "
                              "data.statement_timeout, or narrow data.filter") from error
        except errors.InsufficientPrivilege as error:
            raise config.ConfigError(f"{error_text(error)}; the user of the token file needs SELECT on "
                                     f"{schema(job)}.{job.params.data.table}") from error
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            if attempt >= job.params.data.retries:
                raise Unreachable(f"the line to PostgreSQL broke {attempt + 1} times while "
                                  f"{schema(job)}.{job.params.data.table} was read: {error_text(error)}; "
                                  "run again when it is steady") from error
            time.sleep(0.2 * 2 ** attempt)


def _snapshot(connection, job):
    data = job.params.data
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    limit = data.statement_timeout + postgres.GRACE
    with time_limit(connection, limit):
        there = _require_columns(connection, job, _required_columns(job))
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
            moment, = cursor.fetchone()
    names = [name for name, column in data.columns.items() if column in there]
    found = list(_fetch(connection, job, names, limit))
    if not found:
        with time_limit(connection, limit):
            raise config.ConfigError(_explain_empty(connection, job))
    return Snapshot(found, moment)


def _required_columns(job):
    """The columns a query cannot do without, by the setting that names them; others are read where they are there."""
    data = job.params.data
    lacking = [name for name in ("image", *job.columns) if not data.columns.get(name)]
    if lacking:
        raise config.ConfigError(f"data.columns lacks {', '.join(lacking)}; say how the table calls them")
    wanted = {f"data.columns.{name}": data.columns[name] for name in ("image", *job.columns, "group")
              if data.columns.get(name)}
    if data.key:
        wanted["data.key"] = data.key
    if _filtered(data):
        wanted["data.filter_column"] = data.filter_column
    return wanted


def _filtered(data):
    return bool(data.filter_column) and data.filter != "%"


def _fetch(connection, job, names, limit):
    """The rows one by one, from a cursor on the server that sends them in batches."""
    query, values = _select(job, names)
    cursor = connection.cursor(name="rows")  # left open: closing it on a broken line would hide what broke it
    with time_limit(connection, limit):
        cursor.execute(query, values)
    while True:
        with time_limit(connection, limit):
            batch = cursor.fetchmany(BATCH)
        if not batch:
            return
        yield from (dict(zip(names, row, strict=True)) for row in batch)


def _select(job, names):
    """The query and its values. All is read as text: what a value means is the job's to say, row by row."""
    data = job.params.data
    as_text = [sql.SQL("{}::text").format(identifier(data.columns[name])) for name in names]
    # Ties are broken by all columns, bytewise, so that the order is the same every time.
    ties = [sql.SQL("{} COLLATE \"C\"").format(column) for column in as_text]
    key = [identifier(data.key)] if data.key else [ties[names.index("image")]]
    where = sql.SQL(" WHERE {}::text LIKE %s").format(identifier(data.filter_column)) if _filtered(data) \
        else sql.SQL("")
    query = sql.SQL("SELECT {} FROM {}{} ORDER BY {}").format(
        sql.SQL(", ").join(as_text), identifier(schema(job), data.table), where,
        sql.SQL(", ").join(key + ties))
    return query, (data.filter,) if _filtered(data) else ()


def _explain_empty(connection, job):
    """Why no row came: the table is empty, or the filter fits none of the values that are there."""
    data, name = job.params.data, f"{schema(job)}.{job.params.data.table}"
    if not _filtered(data):
        return f"{name} holds no rows; fill it, or name another table as data.table"
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT DISTINCT {}::text FROM {} ORDER BY 1 LIMIT 10").format(
            identifier(data.filter_column), identifier(schema(job), data.table)), ())
        values = ", ".join(str(value) for value, in cursor.fetchall()) or "none, the table is empty"
    return f"no row of {name} has {data.filter_column} LIKE {data.filter!r}; its values are {values}"


def read_table(job, table=""):
    """Column names and rows (tuples of text or None) of a whole table, the user's own or `table`, in the key's order."""
    data = job.params.data
    where, table = split_name(job, table)
    try:
        with connect(job) as connection, time_limit(connection, postgres.GRACE + data.statement_timeout):
            names = list(columns(connection, where, table))
            if not names:
                raise config.ConfigError(f"there is no table {where}.{table}"
                                         + _nearest(f"{where}.{table}", _tables(connection)))
            order = data.key or data.columns["image"]
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
                    sql.SQL(", ").join(sql.SQL("{}::text").format(identifier(name)) for name in names),
                    identifier(where, table), identifier(order if order in names else names[0])), ())
                return names, cursor.fetchall()
    except psycopg2.Error as error:
        raise Unreachable(f"PostgreSQL broke off while {where}.{table} was read: {error_text(error)}; run again") from error
