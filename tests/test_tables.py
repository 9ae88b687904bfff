"""The user's table as it is read: snapshots, broken lines, what is missing is named."""

import threading

import psycopg2
import pytest
from conftest import PASSWORD, Proxy, insert, label

from lib.common import config
from lib.storage import table_writes, tables
from lib.storage.postgres import Unreachable, connect, schema


def test_rows_come_as_text_in_the_order_of_the_picture(tcp_job):
    job = tcp_job()
    insert(job, [label("b.jpg"), label("a.jpg", site=None), label("Z.jpg")])
    snapshot = tables.snapshot(job)
    assert [row["image"] for row in snapshot.rows] == ["Z.jpg", "a.jpg", "b.jpg"]
    assert snapshot.rows[1]["group"] is None and snapshot.rows[0]["p1x"] == "5"
    assert snapshot.sha256 == tables.snapshot(job).sha256


def test_a_key_orders_the_rows(tcp_job):
    job = tcp_job(data__key="id")
    insert(job, [{**label("a.jpg"), "id": "2"}, {**label("b.jpg"), "id": "1"}])
    assert [row["image"] for row in tables.snapshot(job).rows] == ["b.jpg", "a.jpg"]


def test_the_filter_is_like_and_its_text_stays_text(server, tcp_job):
    nasty = "x'; drop table log_pic; --"
    insert(tcp_job(), [label("a.jpg", "Highland"), label("b.jpg", nasty), label("c.jpg", "high")])
    assert len(tables.snapshot(tcp_job(data__filter="High%")).rows) == 1
    assert tables.snapshot(tcp_job(data__filter=nasty)).rows[0]["group"] == nasty
    assert len(tables.snapshot(tcp_job()).rows) == 3


def test_nothing_can_be_written_while_reading(tcp_job):
    job = tcp_job()
    insert(job, [label("a.jpg")])
    with connect(job) as connection:
        tables._snapshot(connection, job)
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction), connection.cursor() as cursor:
            cursor.execute("CREATE TABLE x (y int)")


def test_the_users_odd_table_is_read_by_its_own_names(server, tcp_job):
    job = tcp_job(data__table='Log "Pic"; --', data__columns__image="Full Name", data__columns__group="",
                  data__filter_column="")
    record = label("a.jpg")
    insert(job, [{"Full Name": record.pop("fullname"), **record}])
    assert tables.snapshot(job).rows[0]["image"] == "a.jpg" and "group" not in tables.snapshot(job).rows[0]


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
        tables.snapshot(tcp_job(**overrides))
    for word in words:
        assert word in str(caught.value)


def test_a_table_without_rows_of_core_serves_mode_8(server, tcp_job):
    record = label("a.jpg")
    del record["row_nb"]
    insert(tcp_job(), [record])
    assert "row_nb" not in tables.snapshot(tcp_job(corners__predictor_mode=8)).rows[0]
    with pytest.raises(config.ConfigError, match="no column 'row_nb'"):
        tables.snapshot(tcp_job())


def test_a_table_without_rows_is_told(server, tcp_job):
    job = tcp_job()
    insert(job, [label("a.jpg")])
    server.sql(f"DELETE FROM {schema(job)}.log_pic")
    with pytest.raises(config.ConfigError, match="holds no rows"):
        tables.snapshot(job)


def test_a_user_who_may_not_read_is_told_so(server, tcp_job, make_job, tmp_path):
    job = tcp_job()
    insert(job, [label("a.jpg")])
    server.sql(f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'")
    server.sql(f"GRANT USAGE ON SCHEMA {schema(job)} TO guest")
    try:
        path = server.token(tmp_path / "guest.json", uid="guest", schema=schema(job))
        with pytest.raises(config.ConfigError, match="needs SELECT"):
            tables.snapshot(make_job(data__token=path))
        with pytest.raises(config.ConfigError, match="cannot be written"):
            table_writes.write_rows(make_job(data__token=path), "answers", {"image": str}, [{"image": "a"}], "image")
    finally:
        server.sql(f"DROP OWNED BY guest; DROP ROLE guest; DROP TABLE {schema(job)}.log_pic")


def test_a_query_that_takes_too_long_is_told(server, tcp_job):
    job = tcp_job(data__statement_timeout=1, data__table="slow")
    insert(job, [label("a.jpg")], "log_pic")
    name = schema(job)
    server.sql(f"CREATE VIEW {name}.slow AS SELECT l.* FROM {name}.log_pic l, pg_sleep(3)")
    with pytest.raises(Unreachable, match="more than 1 s.*statement_timeout"):
        tables.snapshot(job)


def broken_once(monkeypatch, how):
    """Let `how(connection)` happen after the first batch of the first try, and return the list of tries."""
    tries, fetch = [], tables._fetch

    def fetching(connection, job, names, limit):
        tries.append(connection)
        for number, row in enumerate(fetch(connection, job, names, limit)):
            if number == 10 and len(tries) == 1:
                how(connection)
            yield row

    monkeypatch.setattr(tables, "_fetch", fetching)
    monkeypatch.setattr(tables, "BATCH", 10)
    return tries


def test_a_backend_that_is_terminated_costs_no_row(server, tcp_job, monkeypatch):
    job = tcp_job()
    insert(job, [label(f"{n:03}.jpg") for n in range(50)])
    tries = broken_once(monkeypatch, lambda c: server.sql("SELECT pg_terminate_backend(%s)", (c.info.backend_pid,)))
    assert [row["image"] for row in tables.snapshot(job).rows] == [f"{n:03}.jpg" for n in range(50)]
    assert len(tries) == 2


def test_a_server_that_stops_at_once_and_comes_back_costs_no_row(server, tcp_job, monkeypatch):
    job = tcp_job()
    insert(job, [label(f"{n:03}.jpg") for n in range(50)])

    def restart(connection):
        server.stop("immediate")
        threading.Timer(0.5, server.start).start()

    broken_once(monkeypatch, restart)
    assert len(tables.snapshot(job).rows) == 50


@pytest.mark.parametrize("line", [{"latency": 0.1}, {"after": 6000, "cuts": 2}])
def test_a_slow_line_or_one_that_breaks_off_brings_every_row(server, tcp_job, tmp_path, line):
    job = tcp_job()
    insert(job, [label(f"{n:03}.jpg") for n in range(200)])
    proxy = Proxy(server.port, **line)
    try:
        path = server.token(tmp_path / "proxy.json", port=proxy.port, schema=schema(job))
        assert [row["image"] for row in tables.snapshot(tcp_job(data__token=path)).rows] == \
            [f"{n:03}.jpg" for n in range(200)]
    finally:
        proxy.close()
    assert proxy.cuts < 0


def test_a_line_that_keeps_breaking_is_given_up_with_a_sentence(server, tcp_job, monkeypatch):
    job = tcp_job(data__retries=1)
    insert(job, [label("a.jpg")])

    def break_off(connection, job, names, limit):
        server.sql("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    monkeypatch.setattr(tables, "_fetch", break_off)
    with pytest.raises(Unreachable, match="broke 2 times while .*log_pic was read"):
        tables.snapshot(job)


def test_rows_that_change_while_they_are_read_are_those_of_one_moment(server, tcp_job, monkeypatch):
    job = tcp_job()
    insert(job, [label(f"{n:03}.jpg") for n in range(50)])
    broken_once(monkeypatch, lambda _: server.sql(f"DELETE FROM {schema(job)}.log_pic"))
    assert len(tables.snapshot(job).rows) == 50
