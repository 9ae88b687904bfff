"""Answers in a table of PostgreSQL: updated in place, typed, and none lost to a name that is odd."""

from lib.storage import answers
from lib.storage.postgres import schema
from lib.storage.table_writes import RowChanges


def test_answers_go_into_a_table_and_later_ones_update_what_they_say(server, tcp_job):
    job = tcp_job()
    first = [{"image": "a.jpg", "p1x": 1.5, "row_nb": 3, "refused": None, "radius": [1, 2], "ok": True},
             {"image": "b\t\n\\N'.jpg", "p1x": 2, "row_nb": None, "refused": "no_box", "radius": None, "ok": False}]
    assert answers.write_answers(job, "answers", first).new == 2
    changes = answers.write_answers(job, "answers", [{"image": "a.jpg", "p1x": 9.5, "row_nb": None}, first[1]])
    assert (changes.updated, changes.new, changes.unchanged) == (1, 0, 1)
    found = server.sql(f"SELECT image, p1x, row_nb, refused, radius, ok FROM {schema(job)}.answers ORDER BY p1x")
    assert found == [("b\t\n\\N'.jpg", 2.0, None, "no_box", None, False), ("a.jpg", 9.5, None, None, "[1, 2]", True)]
    assert answers.write_answers(job, "answers", []) == RowChanges()


def test_a_dry_run_says_the_same_and_writes_nothing(server, tcp_job):
    job = tcp_job()
    answers.write_answers(job, "answers", [{"image": "a.jpg", "p1x": 1.0}])
    later = [{"image": "a.jpg", "p1x": 2.0, "new": "x"}, {"image": "b.jpg", "p1x": 3.0, "new": "y"}]
    told = answers.write_answers(job, "answers", later, dry_run=True)
    assert server.sql(f"SELECT * FROM {schema(job)}.answers") == [("a.jpg", 1.0)]
    assert answers.write_answers(job, "answers", later) == told
    assert str(told) == "1 row updated, 1 new, 0 unchanged; new columns: new"


def test_the_answers_of_a_file_become_numbers_where_they_are(server, tcp_job, tmp_path):
    job, path = tcp_job(), tmp_path / "answers.csv"
    path.write_text("image,p1x,row_nb,refused\n007,1.5,3,\nb.jpg,2,,cut\n")
    assert answers.write_answers(job, "found", path).new == 2
    assert server.sql(f"SELECT * FROM {schema(job)}.found ORDER BY p1x") == \
        [("007", 1.5, 3, None), ("b.jpg", 2.0, None, "cut")]


def test_a_name_that_is_not_utf_8_is_escaped_and_the_others_are_written(server, tcp_job, tmp_path):
    job, path = tcp_job(), tmp_path / "answers.csv"
    odd = "K\udce4rn.jpg"   # as Python reads the file name K\xe4rn.jpg
    told = answers.write_answers(job, "found", [{"image": odd, "n": 1}, {"image": "\ud800\0.jpg", "n": 2}, {"image": "ok", "n": 3}])
    path.write_bytes(b"image,n\nK\xe4rn.jpg,4\n")
    assert told.new == 3 and answers.write_answers(job, "found", path).updated == 1
    assert server.sql(f"SELECT image, n FROM {schema(job)}.found ORDER BY n") == \
        [("\\ud800\\x00.jpg", 2), ("ok", 3), ("K\\xe4rn.jpg", 4)]
