"""Corrected labels in PostgreSQL: kept once, never overwritten, in conflict said so, taken by notebook 01."""

import threading
import uuid
from dataclasses import replace

import psycopg2
import pytest
from conftest import PASSWORD, insert, label, picture

from lib.data import ingest
from lib.storage import postgres as door
from lib.storage import revisions


def change(source="D:\\box.jpg", number=1, **values):
    """A Change of a label of 64x48 pixels."""
    own = {name: value for name, value in label("", corners=(6, 5, 60, 6, 59, 40, 4, 41)).items()
           if name not in ("fullname", "site_na")}
    return revisions.Change(**{"edit": str(uuid.uuid4()), "source": source, "number": number, "status": "accepted",
                               "label": own, "was": None, "who": "anna", "why": "corner moved", **values})


def test_a_change_becomes_a_revision_with_all_it_says(tcp_job):
    job, sent = tcp_job(), change(note="naïve “note”; DROP TABLE revision", was={"p1x": 1.0}, run="r1", seconds=2.5,
                                  sha256="ab")
    kept = revisions.save(job, sent)
    assert {**kept.plain(), "id": 0, "at": ""} == {**sent.__dict__, "id": 0, "at": ""}
    assert kept.id and kept.at.endswith("Z")
    assert revisions.latest(job) == {sent.source: kept} and revisions.history(job, sent.source) == [kept]


def test_looking_makes_nothing(tcp_job, server):
    server.sql("DROP SCHEMA IF EXISTS corebox CASCADE")
    job = tcp_job()
    assert revisions.latest(job) == {} and revisions.history(job, "a") == [] and revisions.since(job, 0) == []
    assert revisions.destination(job) == f"PostgreSQL at {door.credentials(job)}"
    assert not server.sql("SELECT 1 FROM pg_namespace WHERE nspname = 'corebox'")


def test_a_change_sent_twice_is_kept_once(tcp_job):
    job, sent = tcp_job(), change()
    assert revisions.save(job, sent) == revisions.save(job, sent)
    assert len(revisions.history(job, sent.source)) == 1


def test_of_two_who_change_the_same_label_the_second_is_told(tcp_job):
    job = tcp_job()
    first = revisions.save(job, change())
    with pytest.raises(revisions.Conflict, match="anna changed") as caught:
        revisions.save(job, change(who="bob", status="bad"))
    assert caught.value.theirs == first
    second = revisions.save(job, change(who="bob", number=2, status="bad"))
    assert revisions.history(job, first.source) == [second, first]
    assert revisions.since(job, first.id) == [second]


def test_of_eight_at_once_one_wins_and_the_others_are_told(tcp_job):
    job, ends = tcp_job(), []

    def one(who):
        try:
            ends.append(revisions.save(job, change(who=who)))
        except revisions.Conflict as error:
            ends.append(error.theirs)

    threads = [threading.Thread(target=one, args=(f"r{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 8 and len(set(map(repr, ends))) == 1


def test_a_revision_is_never_changed_or_removed(tcp_job, server):
    revisions.save(tcp_job(), change())
    for order in ("UPDATE corebox.revision SET who = 'x'", "DELETE FROM corebox.revision", "TRUNCATE corebox.revision CASCADE"):
        with pytest.raises(psycopg2.Error, match="never changed or removed"):
            server.sql(order)


def test_an_unsure_revision_decides_nothing(tcp_job):
    job = tcp_job()
    first = revisions.save(job, change())
    unsure = revisions.save(job, change(number=2, status="unsure"))
    assert revisions.latest(job)[first.source] == unsure
    assert revisions.latest(job, decided=True)[first.source] == first


def test_an_edit_is_no_decision_and_a_decision_can_be_taken_back(tcp_job):
    job = tcp_job()
    edited = revisions.save(job, change(status="edited"))
    assert revisions.latest(job) == {edited.source: edited} and revisions.latest(job, decided=True) == {}
    accepted = revisions.save(job, change(number=2))
    revisions.save(job, change(number=3, status="edited"))
    assert revisions.latest(job, decided=True) == {edited.source: accepted}
    revisions.save(job, change(number=4, status="open"))
    assert revisions.latest(job, decided=True) == {} and revisions.first(job) == {edited.source: edited}
    again = revisions.save(job, change(number=5, status="bad"))
    assert revisions.latest(job, decided=True) == {edited.source: again}


def test_a_database_made_before_edits_had_a_status_takes_them_and_keeps_what_was_accepted(tcp_job, server):
    job = tcp_job()
    old = revisions.save(job, change("old"))
    server.sql("ALTER TABLE corebox.revision DROP CONSTRAINT revision_status_check; ALTER TABLE corebox.revision ADD "
               "CONSTRAINT revision_status_check CHECK (status IN ('accepted', 'refused', 'bad', 'unsure')) NOT VALID; "
               "DELETE FROM corebox.migration WHERE name = '003_edited.sql'")
    assert revisions.latest(job, decided=True) == {"old": old}
    revisions.save(job, change("new", status="edited"))
    assert revisions.latest(job, decided=True) == {"old": old}


def test_labels_of_another_table_are_others(tcp_job):
    revisions.save(tcp_job(), change())
    assert revisions.latest(tcp_job(**{"data.table": "other"})) == {}


@pytest.mark.parametrize("values,sentence", [
    ({"status": "fine"}, "status is 'fine'"), ({"who": " "}, "needs the reviewer's name"),
    ({"note": "a\0b"}, "NUL"), ({"label": {"p1x": float("nan")}}, "JSON"),
])
def test_what_cannot_be_kept_is_said(tcp_job, values, sentence):
    with pytest.raises(ValueError, match=sentence):
        revisions.save(tcp_job(), change(**values))


@pytest.fixture
def reader(server, tcp_job, tmp_path):
    """A job whose role may read the server and write nothing there."""
    server.sql("DROP SCHEMA IF EXISTS corebox CASCADE")
    server.sql(f"DROP ROLE IF EXISTS looker; CREATE ROLE looker LOGIN PASSWORD '{PASSWORD}'")
    yield tcp_job(**{"data.token": server.token(tmp_path / "looker.json", uid="looker")})
    server.sql("DROP ROLE looker")


def test_where_the_role_may_not_write_the_embedded_database_keeps_them(reader, server):
    kept = revisions.save(reader, change())
    assert revisions.latest(reader) == {kept.source: kept}
    assert revisions.destination(reader) == "the embedded PostgreSQL"
    assert not server.sql("SELECT 1 FROM pg_namespace WHERE nspname = 'corebox'")


def test_a_server_that_is_gone_is_said_to_be(tcp_job, server):
    job = tcp_job(**{"data.connect_timeout": 1})
    server.stop()
    try:
        with pytest.raises(door.Unreachable, match="no PostgreSQL answers"):
            revisions.save(job, change())
    finally:
        server.start()


def test_notebook_01_takes_the_latest_decided_revision(tcp_job, tmp_path):
    for seed in range(20):
        picture(tmp_path / "pictures" / f"{seed}.jpg", seed)
    job = tcp_job(**{"data.path_rules": [{"from": "D:\\", "to": str(tmp_path / "pictures")}]})
    insert(job, [label(f"D:\\{seed}.jpg", site=f"S{seed}") for seed in range(20)])
    for n, row in enumerate((change("D:\\1.jpg"), change("D:\\2.jpg", status="bad", note="only a thumb"),
                             change("D:\\3.jpg"), change("D:\\3.jpg", 2, status="unsure"),
                             change("D:\\5.jpg", status="edited"), change("D:\\6.jpg"), change("D:\\6.jpg", 2, status="open"))):
        revisions.save(job, replace(row, seconds=float(n)))
    found = ingest.ingest_labels(job)
    rows = found.table.set_index("source")
    assert found.counts["revised"] == 2 and found.counts["kept"] == 19
    assert rows.loc["D:\\1.jpg", "p1x"] == rows.loc["D:\\3.jpg", "p1x"] == 6 and rows.loc["D:\\4.jpg", "p1x"] == 5
    assert rows.loc["D:\\5.jpg", "p1x"] == rows.loc["D:\\6.jpg", "p1x"] == 5, "not accepted, or no longer"
    assert found.dropped.iloc[0]["reason"] == "marked bad" and "anna" in found.dropped.iloc[0]["detail"]
    assert "only a thumb" in found.dropped.iloc[0]["detail"]
