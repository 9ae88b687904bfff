"""Rows into the user's table: rows that are there are updated in place by their key, the others are added."""

import contextlib
from dataclasses import dataclass, replace

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extras import execute_values

from lib.common import config
from lib.storage import postgres
from lib.storage.postgres import Unreachable, connect, error_text, identifier, time_limit
from lib.storage.tables import columns, split_name

BATCH = 1000      # rows written by one statement
TYPES = {float: "double precision", int: "bigint", bool: "boolean", str: "text"}
MAX_NAME_BYTES = 63   # of a PostgreSQL identifier; it cuts longer ones without a word
SYSTEM_COLUMNS = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")
ROW_ID = ("tableoid", "ctid")   # what tells a row from all others of a table, and of its partitions
# Literals of these types reach the column as they are: a cast would cut them to the column's length.
UNCAST = ("character", "character varying", "text", "bit")


@dataclass(frozen=True)
class RowChanges:
    """How many rows a write updated, added and found unchanged; `removed` generated rows made way.

    `left` rows have the key of a record and were meant by none.

    `columns` were added to the table, `kept` are columns that the database fills by itself and that were left alone,
    `added` are the keys of the new rows.
    """

    updated: int = 0
    new: int = 0
    unchanged: int = 0
    removed: int = 0
    left: int = 0
    columns: tuple = ()
    kept: tuple = ()
    added: tuple = ()

    def __str__(self):
        words = [f"{self.updated} {_rows(self.updated)} updated", f"{self.new} new", f"{self.unchanged} unchanged"]
        words += [f"{self.removed} generated {_rows(self.removed)} removed"] if self.removed else []
        words += [f"{self.left} further {_rows(self.left)} of these pictures left as they are"] if self.left else []
        words += [f"new columns: {', '.join(self.columns)}"] if self.columns else []
        words += [f"left to the database: {', '.join(self.kept)}"] if self.kept else []
        return "; ".join([", ".join(words[:3]), *words[3:]])


def _rows(count):
    return "row" if count == 1 else "rows"


@dataclass(frozen=True)
class _Column:
    """A column of a table: its type with and without its length, and who fills it."""

    type: str
    cast: str
    generated: bool   # written by the database alone
    numbered: bool    # serial, identity: the database fills it where a new row does not

    def typed(self, name, exact=False):
        """The column of the incoming rows in the table's type."""
        value = sql.SQL("v.{}").format(identifier(name))
        return value if self.cast in UNCAST else sql.SQL("({}::{})").format(
            value, sql.SQL((self.type if exact else self.cast).replace("%", "%%")))


def write_rows(job, table, kinds, records, key, dry_run=False, make_way="", gone=None, never="", pair=None):
    """Update or add records (dicts of plain values) in one transaction, and return the RowChanges.

    A row with the same `key` (a column, or a pair of them) is updated in the columns that the record has, and in no
    other; no row is ever deleted and written anew. A new row gets the columns that the record has; where a value is None,
    the column's default holds. `kinds` maps column names to Python types; schema, table and columns that are missing are
    made. Rows of which a text column matches the regular expression `make_way`, and which no record names, are removed.
    With `dry_run` nothing is kept. `table` may be `schema.table`. Of a pair of keys, `gone` may be a function of a record:
    what is written into the rows that share its first key, and whose second one no record has. `never` is a column that
    the table must not have. Several records and rows of one key are possible where `pair` is given: a function of the
    rows and of the records of a key (lists of dicts) that returns pairs of positions which belong together. Rows without
    a record are left, and counted.
    ValueError: two records of one key that differ, a key that several rows have, a column name that PostgreSQL cannot
    hold, a value that the table does not take, a table that lacks the second of a pair of keys, or has the column `never`;
    ConfigError: no right to write. Nothing was written then.
    """
    check_names(kinds)
    where, table = split_name(job, table)
    keys = (key,) if isinstance(key, str) else key
    records = _distinct(records, keys, pair is not None)
    limit = postgres.GRACE + job.params.data.statement_timeout * (1 + len(records) // BATCH)
    with _errors_of(f"{where}.{table}"), connect(job) as connection, time_limit(connection, limit), \
            connection.cursor() as cursor:
        _check_keys(columns(connection, where, table), f"{where}.{table}", keys, never)
        added = _create_missing(cursor, where, table, kinds)
        writer = _Writer(cursor, where, table, keys, dry_run, gone, pair)
        changes = replace(writer.write(records), columns=added, removed=writer.remove(make_way, records))
        connection.rollback() if dry_run else connection.commit()
    return changes


def check_names(names):
    """ValueError names a column that PostgreSQL would cut, or keeps for itself."""
    for name in names:
        size = len(name.encode("utf-8", "surrogatepass"))
        if size > MAX_NAME_BYTES:
            raise ValueError(f"the column {name!r} has a name of {size} bytes and PostgreSQL takes {MAX_NAME_BYTES}; "
                             "shorten its header; nothing was written")
        if name in SYSTEM_COLUMNS:
            raise ValueError(f"the column {name!r} has a name that PostgreSQL keeps for itself; give its header another "
                             "name; nothing was written")


def _check_keys(there, name, keys, never):
    """ValueError where the columns of a table (none: it is not there) tell rows apart in another way than is wanted."""
    if there and len(keys) > 1 and keys[1] not in there:
        raise ValueError(f"{name} has no column {keys[1]!r}: it holds a row for each {keys[0]}; name another table for "
                         f"several; nothing was written")
    if never in there:
        raise ValueError(f"{name} has a column {never!r}: it holds several rows for each {keys[0]}; name another table, or "
                         "write all of them; nothing was written")


def _distinct(records, keys, several=False):
    """The records without repetitions; ValueError where two of one key differ (unless `several`), or one has no key."""
    found = {}
    for record in records:
        if lacking := [key for key in keys if record.get(key) in (None, "")]:
            raise ValueError(f"a row has no value in {lacking[0]!r}, by which rows are told apart; nothing was written")
        name = _key(record, keys)
        if several:
            name = *name, repr(sorted(record.items()))
        if found.setdefault(name, record) != record:
            differing = [column for column in record if record[column] != found[name].get(column)]
            raise ValueError(f"two rows for {' '.join(map(repr, name))} differ in {', '.join(differing) or 'their columns'}; "
                             "keep one; nothing was written")
    return list(found.values())


def _key(record, keys):
    """The key of a record, texts."""
    return tuple(str(record[key]) for key in keys)


@contextlib.contextmanager
def _errors_of(name):
    """What PostgreSQL says of a write, as an error that says what to do."""
    try:
        yield
    except errors.InsufficientPrivilege as error:
        raise config.ConfigError(f"{name} cannot be written: {error_text(error)}; name a table in a schema where the "
                                 "user of the token file may create tables, or have SELECT, INSERT and UPDATE granted "
                                 "on it; nothing was written") from error
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise Unreachable(f"PostgreSQL broke off while {name} was written: {error_text(error)}; "
                          "nothing was written, run again") from error
    except psycopg2.Error as error:
        place = (error.diag.context or "").split("\n")[0]
        detail = f" ({error.diag.message_detail})" if error.diag.message_detail else f" ({place})" if place else ""
        raise ValueError(f"{name} does not take the rows: {error_text(error)}{detail}; nothing was written") from error


def _create_missing(cursor, where, table, kinds):
    """Create what is missing and return the names of columns that were added to a table.

    What is there is not touched, for which the role may lack the right.
    """
    there = columns(cursor.connection, where, table)
    typed = {name: sql.SQL("{} {}").format(identifier(name), sql.SQL(TYPES[kind])) for name, kind in kinds.items()}
    cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (where,))
    if not cursor.fetchone():
        cursor.execute(sql.SQL("CREATE SCHEMA {}").format(identifier(where)), ())
    if not there:
        cursor.execute(sql.SQL("CREATE TABLE {} ({})").format(
            identifier(where, table), sql.SQL(", ").join(typed.values())), ())
        return ()
    missing = [name for name in typed if name not in there]
    for name in missing:
        cursor.execute(sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(identifier(where, table), typed[name]), ())
    return tuple(missing)


class _Writer:
    """Writes records into one table; nobody else writes there until the transaction ends."""

    def __init__(self, cursor, where, table, keys, dry_run, gone, pair):
        self.cursor, self.target, self.keys = cursor, identifier(where, table), keys
        self.dry_run, self.gone, self.pair = dry_run, gone, pair
        cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(self.target), ())
        cursor.execute("""SELECT attname, format_type(atttypid, atttypmod), format_type(atttypid, NULL),
                                 attidentity = 'a' OR attgenerated <> '',
                                 attidentity <> '' OR coalesce(pg_get_expr(adbin, adrelid) LIKE 'nextval(%%', false)
                          FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
                          JOIN pg_namespace n ON n.oid = relnamespace
                          LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
                          WHERE nspname = %s AND relname = %s AND attnum > 0 AND NOT attisdropped""", (where, table))
        self.columns = {name: _Column(*about) for name, *about in cursor.fetchall()}
        cursor.execute("SELECT relkind IN ('r', 'p') FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
                       "WHERE nspname = %s AND relname = %s", (where, table))
        self.numbers_rows, = cursor.fetchone()   # a view has no ROW_ID: there a key has one row
        self.where, self.table = where, table

    def write(self, records):
        """The RowChanges of the records, and of what `gone` makes of rows that none of them has."""
        if self.pair and self.numbers_rows:
            return self._write_paired(records)
        records = _distinct(records, self.keys)
        there, wanted = self._existing(records), {_key(record, self.keys) for record in records}
        old = [record for record in records if _key(record, self.keys) in there]
        new = [record for record in records if _key(record, self.keys) not in there]
        if self.gone:
            by_first = {str(record[self.keys[0]]): record for record in records}
            old += [self.gone(by_first[key[0]]) | dict(zip(self.keys, key, strict=True)) for key in there if key not in wanted and None not in key]
        return self._apply(old, new, records, self.keys)

    def _write_paired(self, records):
        """As `write`, where a key may have several rows and records: a row is then known by its place in the table."""
        rows, wanted, pairs, left = {}, {}, [], 0
        for record in records:
            wanted.setdefault(_key(record, self.keys), []).append(record)
        for row in self._rows(list(wanted)):
            rows.setdefault(_key(row, self.keys), []).append(row)
        for key, some in wanted.items():
            there = rows.get(key, [])
            found = self.pair(there, some)
            pairs += [(there[at], some[number]) for at, number in found]
            left += len(there) - len(found)
        written = {id(record) for _, record in pairs}
        new = [record for record in records if id(record) not in written]
        old = [{**record, **{name: row[name] for name in ROW_ID}} for row, record in pairs]
        return replace(self._apply(old, new, records, ROW_ID), left=left)

    def _rows(self, keys):
        """The rows of these keys, texts by column, with what tells a row from all others while the table is locked."""
        names = [*self.columns, *ROW_ID]
        query = sql.SQL("SELECT {} FROM {} WHERE {}::text = ANY(%s)").format(
            sql.SQL(", ").join(sql.SQL("{}::text").format(identifier(name)) for name in names), self.target,
            identifier(self.keys[0]))
        self.cursor.execute(query, ([key[0] for key in keys],))
        return [dict(zip(names, row, strict=True)) for row in self.cursor.fetchall()]

    def _apply(self, old, new, records, row_id):
        """Write the records `old` into the rows that `row_id` names, the `new` ones as rows; the RowChanges."""
        updated = sum(self._update(names, some, row_id) for names, some in _by_columns(old, self._to_update))
        if not self.dry_run:
            for names, some in _by_columns(new, self._to_insert):
                self._insert(names, some)
        said = {name for record in records for name in record if name not in self.keys}
        kept = [name for name, column in self.columns.items()
                if name in said and (column.generated or column.numbered and old)]
        return RowChanges(updated, len(new), len(old) - updated, kept=tuple(kept),
                          added=tuple(str(record[self.keys[0]]) for record in new))

    def _existing(self, records):
        """The keys of all rows that share the first key of a record; ValueError where several rows have one key."""
        names = sql.SQL(", ").join(sql.SQL("{}::text").format(identifier(key)) for key in self.keys)
        query = sql.SQL("SELECT count(*), {names} FROM {table} WHERE {first}::text = ANY(%s) GROUP BY {names}").format(
            names=names, first=identifier(self.keys[0]), table=self.target)
        self.cursor.execute(query, ([str(record[self.keys[0]]) for record in records],))
        found = {tuple(key): count for count, *key in self.cursor.fetchall()}
        several = [(" ".join(map(str, key)), count) for key, count in found.items() if count > 1]
        if several:
            raise ValueError(f"{self.where}.{self.table} has {several[0][1]} rows for {several[0][0]!r}, and "
                             f"{len(several)} {'pictures' if len(several) > 1 else 'picture'} of that kind; which of them "
                             "is meant cannot be told: leave one row each, or name another table with --table; "
                             "nothing was written")
        return found

    def _to_update(self, record):
        return tuple(name for name in self.columns if name in record and name not in self.keys
                     and not self.columns[name].generated and not self.columns[name].numbered)

    def _to_insert(self, record):
        return tuple(name for name in self.columns if record.get(name) is not None and not self.columns[name].generated)

    def _update(self, names, records, row_id):
        """Update the rows that `row_id` names in the columns `names` where a value differs; returns how many did."""
        if not names:
            return 0
        pairs = [sql.SQL("{} = {}").format(identifier(name), self.columns[name].typed(name)) for name in names]
        differs = [sql.SQL("t.{}::text IS DISTINCT FROM {}::text").format(
            identifier(name), self.columns[name].typed(name, exact=True)) for name in names]
        same = sql.SQL(" AND ").join(sql.SQL("t.{0}::text = v.{0}").format(identifier(key)) for key in row_id)
        query = sql.SQL("UPDATE {} t SET {} FROM (VALUES %s) v ({}) WHERE {} AND ({})").format(
            self.target, sql.SQL(", ").join(pairs), sql.SQL(", ").join(map(identifier, (*row_id, *names))), same,
            sql.SQL(" OR ").join(differs))
        return self._execute(query, (*row_id, *names), records)

    def _insert(self, names, records):
        query = sql.SQL("INSERT INTO {} ({}) VALUES %s").format(
            self.target, sql.SQL(", ").join(map(identifier, names)))
        self._execute(query, names, records)
        for name in names:
            if self.columns[name].numbered:
                self._advance(name)

    def _execute(self, query, names, records):
        count = 0
        for at in range(0, len(records), BATCH):
            rows = [[_text(record[name]) for name in names] for record in records[at:at + BATCH]]
            execute_values(self.cursor, query, rows, page_size=BATCH)
            count += self.cursor.rowcount
        return count

    def _advance(self, name):
        """Let a sequence go on behind the numbers that were given, so that the next row gets a free one."""
        self.cursor.execute("SELECT pg_get_serial_sequence(%s, %s)",
                            (self.target.as_string(self.cursor).replace("%%", "%"), name))
        sequence, = self.cursor.fetchone()
        if sequence:
            self.cursor.execute(sql.SQL("SELECT setval(%s, most) FROM (SELECT max({}) AS most FROM {}) m, "
                                        "LATERAL (SELECT last_value FROM {}) s WHERE most > last_value").format(
                identifier(name), self.target, sql.SQL(sequence.replace("%", "%%"))), (sequence,))

    def remove(self, pattern, records):
        """Remove the rows of which a text column matches, but for those the records name; returns how many."""
        texts = [name for name, column in self.columns.items() if column.cast in UNCAST]
        if not pattern or not texts:
            return 0
        query = sql.SQL("DELETE FROM {} WHERE ({}) AND NOT coalesce({}::text, '') = ANY(%s)").format(
            self.target, sql.SQL(" OR ").join(sql.SQL("{}::text ~ %s").format(identifier(name)) for name in texts),
            identifier(self.keys[0]))
        self.cursor.execute(query, (*[pattern] * len(texts), [str(record[self.keys[0]]) for record in records]))
        return self.cursor.rowcount


def _by_columns(records, choose):
    """Pairs of the columns that `choose` takes of a record and the records of which it takes the same."""
    groups = {}
    for record in records:
        groups.setdefault(choose(record), []).append(record)
    return groups.items()


def _text(value):
    """A value as PostgreSQL reads it; whole floats without a point, so that a column of integers takes them."""
    if value is None or isinstance(value, str):
        return value
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else str(value)
