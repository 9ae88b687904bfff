"""Rows of the user's own PostgreSQL table, and answers that go back."""

import contextlib
import csv
import difflib
import hashlib
import io
import itertools
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg2
from psycopg2 import errors, sql

from lib.common import config
from lib.storage import postgres
from lib.storage.postgres import Unreachable, connect, error_text, schema, time_limit

BATCH = 1000      # rows fetched, or written, at once
TYPES = {float: "double precision", int: "bigint", bool: "boolean", str: "text"}


# --- what there is


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
    as_text = [sql.SQL("{}::text").format(sql.Identifier(data.columns[name])) for name in names]
    # Ties are broken by all columns, bytewise, so that the order is the same every time.
    ties = [sql.SQL("{} COLLATE \"C\"").format(column) for column in as_text]
    key = [sql.Identifier(data.key)] if data.key else [ties[names.index("image")]]
    where = sql.SQL(" WHERE {}::text LIKE %s").format(sql.Identifier(data.filter_column)) if _filtered(data) \
        else sql.SQL("")
    query = sql.SQL("SELECT {} FROM {}{} ORDER BY {}").format(
        sql.SQL(", ").join(as_text), sql.Identifier(schema(job), data.table), where,
        sql.SQL(", ").join(key + ties))
    return query, (data.filter,) if _filtered(data) else None


def _explain_empty(connection, job):
    """Why no row came: the table is empty, or the filter fits none of the values that are there."""
    data, name = job.params.data, f"{schema(job)}.{job.params.data.table}"
    if not _filtered(data):
        return f"{name} holds no rows; fill it, or name another table as data.table"
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT DISTINCT {}::text FROM {} ORDER BY 1 LIMIT 10").format(
            sql.Identifier(data.filter_column), sql.Identifier(schema(job), data.table)))
        values = ", ".join(str(value) for value, in cursor.fetchall()) or "none, the table is empty"
    return f"no row of {name} has {data.filter_column} LIKE {data.filter!r}; its values are {values}"


# --- writing


def store(job, table, kinds, records, key="", merge=False, instead=""):
    """Put records (dicts) into a table, all or none, and return how many.

    `kinds` maps column names to Python types; schema, table and columns that are missing are made. Where `key`
    is given, older rows with the same value in that column are replaced, with `merge` in what a record says alone, and
    rows whose value begins with `instead` make way. `table` may be `schema.table`.
    ValueError says what PostgreSQL did not take; then nothing was written.
    """
    where, _, table = table.rpartition(".")
    where, records = where or schema(job), list(records)
    with connect(job) as connection:
        try:
            with time_limit(connection, postgres.GRACE + job.params.data.statement_timeout * (1 + len(records) // BATCH)):
                _create_missing(connection, where, table, kinds)
                kinds = {**dict.fromkeys(columns(connection, where, table), str), **kinds} if merge else kinds
                records = _merged(connection, where, table, records, key) if merge else records
                _replace(connection, where, table, kinds, records, key, instead)
                connection.commit()
        except errors.InsufficientPrivilege as error:
            raise config.ConfigError(f"{where}.{table} cannot be written: {error_text(error)}; name a table in a schema "
                                     "where the user of the token file may create and insert") from error
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            raise Unreachable(f"PostgreSQL broke off while {where}.{table} was written: {error_text(error)}; "
                              "nothing was written, run again") from error
        except psycopg2.Error as error:
            place = (error.diag.context or "").split("\n")[0]
            raise ValueError(f"{where}.{table} does not take the rows: {error_text(error)}"
                             f"{f' ({place})' if place else ''}; nothing was written") from error
    return len(records)


def _create_missing(connection, where, table, kinds):
    """Create what is missing; what is there is not touched, for which the role may lack the right."""
    there = columns(connection, where, table)
    typed = {name: sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(TYPES[kind])) for name, kind in kinds.items()}
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (where,))
        if not cursor.fetchone():
            cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(where)))
        if not there:
            cursor.execute(sql.SQL("CREATE TABLE {} ({})").format(
                sql.Identifier(where, table), sql.SQL(", ").join(typed.values())))
            return
        for name in typed.keys() - there.keys():
            cursor.execute(sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(sql.Identifier(where, table), typed[name]))


def _merged(connection, where, table, records, key):
    """The records, with what they do not say as the table has it; nobody else writes there until this is committed."""
    target = sql.Identifier(where, table)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(target))
        names = list(columns(connection, where, table))
        cursor.execute(sql.SQL("SELECT {} FROM {} WHERE {}::text = ANY(%s)").format(
            sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names), target,
            sql.Identifier(key)), ([str(record[key]) for record in records],))
        there = {row[names.index(key)]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}
    return [there.get(str(record[key]), {}) | record for record in records]


def _replace(connection, where, table, kinds, records, key, instead):
    target = sql.Identifier(where, table)
    with connection.cursor() as cursor:
        if instead:
            cursor.execute(sql.SQL("DELETE FROM {} WHERE starts_with({}::text, %s)").format(
                target, sql.Identifier(key)), (instead,))
        if key:
            cursor.execute(sql.SQL("DELETE FROM {} WHERE {}::text = ANY(%s)").format(target, sql.Identifier(key)),
                           ([str(record[key]) for record in records if record.get(key) is not None],))
        lines = io.StringIO("".join("\t".join(_field(record.get(name)) for name in kinds) + "\n"
                                    for record in records))
        cursor.copy_expert(sql.SQL("COPY {} ({}) FROM STDIN").format(
            target, sql.SQL(", ").join(map(sql.Identifier, kinds))), lines)


def _field(value):
    """A value in COPY's text format."""
    if value is None:
        return "\\N"
    text = str(value)
    for plain, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return text


def write_answers(job, table, records):
    """Write answers back to PostgreSQL and return how many: dicts of plain values, or the CSV of `predict`.

    `image` is one of their columns. The table is made if it is missing; a picture's older answer is replaced. See `store` for the errors.
    """
    if isinstance(records, str | Path):
        records = _read_answers_csv(records)
    records = [{name: _plain_value(value) for name, value in record.items()} for record in records]
    kinds = {}
    for name, value in itertools.chain.from_iterable(record.items() for record in records):
        kinds.setdefault(name, set()).update(() if value is None else {type(value)})
    return store(job, table, {name: _common_type(types) for name, types in kinds.items()}, records, "image") if records else 0


def _read_answers_csv(path):
    """The rows of a CSV of answers; a column becomes numbers where all its cells are."""
    with open(path, encoding="utf-8", errors="backslashreplace", newline="") as file:  # names of older files may be no UTF-8
        records = list(csv.DictReader(file))
    for name in records[0] if records else ():
        cells = [record[name] for record in records]
        for kind in (str,) if name == "image" else (int, float, str):
            with contextlib.suppress(ValueError):
                for record, cell in zip(records, [kind(cell) if cell else None for cell in cells], strict=True):
                    record[name] = cell
                break
    return records


def _common_type(types):
    """The one type that holds values of all these types."""
    return float if types == {int, float} else types.pop() if len(types) == 1 else str


def _plain_value(value):
    """A number, a text or None; lists and dicts become JSON."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if value is None or type(value) in TYPES else json.dumps(value, ensure_ascii=False)


def read_table(job, table=""):
    """Column names and rows (tuples of text or None) of a whole table, the user's own or `table`, in the key's order."""
    data = job.params.data
    where, _, table = (table or data.table).rpartition(".")
    where = where or schema(job)
    try:
        with connect(job) as connection, time_limit(connection, postgres.GRACE + data.statement_timeout):
            names = list(columns(connection, where, table))
            if not names:
                raise config.ConfigError(f"there is no table {where}.{table}"
                                         + _nearest(f"{where}.{table}", _tables(connection)))
            order = data.key or data.columns["image"]
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
                    sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names),
                    sql.Identifier(where, table), sql.Identifier(order if order in names else names[0])))
                return names, cursor.fetchall()
    except psycopg2.Error as error:
        raise Unreachable(f"PostgreSQL broke off while {where}.{table} was read: {error_text(error)}; run again") from error
