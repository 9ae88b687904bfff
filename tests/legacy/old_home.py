"""What the tests of old files share: an old COREBOX_HOME, its databases, the command line and servers run on it."""

import contextlib
import io
import json
import lzma
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import httpx
import pytest
from legacy import tiny

from lib import __main__ as command
from lib import tasks
from lib.hub import access
from lib.storage import postgres

HERE = Path(__file__).parent
EXPECTED = json.loads((HERE / "expected.json").read_text())
MARK = "@HOME@"  # stands in the fixtures for the folder in which they were made


@pytest.fixture(scope="module", name="place")
def old_place():
    """A folder with an embedded PostgreSQL, for the tests of this file alone."""
    folder = Path(tempfile.mkdtemp(prefix="corebox-old-"))
    folder.chmod(0o755)
    yield folder
    with contextlib.suppress(OSError, ValueError):
        os.kill(int((folder / "data/postgres/postmaster.pid").read_text().split("\n")[0]), signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(name="home")
def old_home(place, monkeypatch):
    """COREBOX_HOME as the old code left it, but for its databases."""
    monkeypatch.setenv("COREBOX_HOME", str(place))
    for path in (*place.glob("data/[!p.]*"), place / "outputs"):
        shutil.rmtree(path, ignore_errors=True)
    with tarfile.open(HERE / "home.tar.xz") as archive:
        archive.extractall(place, filter="data")
    for path in place.glob("data/*/*/pictures.json"):
        path.write_text(path.read_text().replace(MARK, str(place)))
    return place


def job(task, run="", **overrides):
    return tasks.job(task, tiny.PROFILE, run, {**tiny.SETTINGS[task], **overrides})


def restored(whose, name):
    """Whose database as it was, from the plain SQL in which it was kept."""
    with postgres.connect(whose) as connection, connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS corebox, geolschema, hub CASCADE")
        cursor.execute(lzma.decompress((HERE / name).read_bytes()).decode())
        connection.commit()
    return whose


def ask(whose, query):
    with postgres.connect(whose) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


@pytest.fixture(name="labelled")
def old_labelled(home):
    """The job corners with its old table and revisions."""
    return restored(job("corners"), "corners.sql.xz")


@pytest.fixture(name="hub")
def old_hub(home):
    return restored(access.open_hub(tiny.HUB), "hub.sql.xz")


def lib(*words):
    """What `python -m lib` says on standard output."""
    before, said = signal.getsignal(signal.SIGTERM), io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            assert command.main([str(word) for word in words]) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    return said.getvalue()


@contextlib.contextmanager
def served(*words):
    """A function that asks a server, started by these words, over HTTP while the block lasts."""
    with subprocess.Popen(
        [sys.executable, "-m", *map(str, words)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr:
            if found := re.search(r"core-box \w+: (http://[\d.]+:\d+)", line):
                break
        else:
            raise AssertionError(f"{words} does not serve")

        def http(path, body=None, token="", patience=30.0):
            content = {"json": body} if isinstance(body, dict) else {"content": body}
            end = time.monotonic() + patience
            while True:  # it listens before its models are loaded
                with contextlib.suppress(httpx.ConnectError):
                    answer = httpx.request(
                        "GET" if body is None else "POST",
                        found[1] + path,
                        timeout=patience,
                        headers={"Authorization": f"Bearer {token}"} if token else {},
                        **content,
                    )
                    if answer.status_code not in (404, 503):
                        assert answer.status_code == 200, answer.text
                        return answer.json()
                assert time.monotonic() < end, f"{path} is not answered"
                time.sleep(0.1)

        try:
            yield http
        finally:
            process.stdin.close()
            process.terminate()
