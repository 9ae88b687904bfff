"""Answers in a table of PostgreSQL: updated in place, typed, and none lost to a name that is odd."""

import pytest

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


LISTED = "boxes", "box"


def boxes(name, *corners, refused=None, version="1"):
    """The rows of a picture with boxes whose p1x these are; one without numbers where there are none."""
    about = {"boxes_nb": len(corners), "model": "corners", "model_version": version, "error": None}
    return [{"image": name, "box": at, "p1x": corner, "refused": refused if corner else "no_box", **about}
            for at, corner in enumerate(corners or [None], 1)]


def test_every_box_is_a_row_and_one_that_is_found_no_longer_stays_without_its_values(server, tcp_job):
    job = tcp_job()

    def write(records, **how):
        return answers.write_answers(job, "every", records, listed=LISTED, every=True, **how)

    assert write([*boxes("a", 1.5, 2.5, 3.5), *boxes("b"), *boxes("c", 7.0)]).new == 5
    assert write([*boxes("a", 1.5, 2.5, 3.5), *boxes("b")]).unchanged == 4, "a second run changes nothing"
    server.sql(f"ALTER TABLE {schema(job)}.every ADD note text; UPDATE {schema(job)}.every SET note = 'look' WHERE p1x = 3.5")
    later = [*boxes("a", 1.5, 9.0, version="2"), *boxes("b", 4.0, 5.0, version="2")]
    told = write(later, dry_run=True)
    assert write(later) == told and (told.updated, told.new) == (4, 1)
    assert server.sql(f"SELECT image, box, p1x, refused, boxes_nb, model_version, note FROM {schema(job)}.every ORDER BY 1, 2") == [
        ("a", 1, 1.5, None, 2, "2", None), ("a", 2, 9.0, None, 2, "2", None), ("a", 3, None, "no_box", 2, "2", "look"),
        ("b", 1, 4.0, None, 2, "2", None), ("b", 2, 5.0, None, 2, "2", None), ("c", 1, 7.0, None, 1, "1", None)]
    assert write(later).updated == 0


def test_a_table_holds_pictures_or_boxes_and_never_both(server, tcp_job):
    job, picture = tcp_job(), [{"image": "a", "p1x": 1.0, "boxes_nb": 2}]
    answers.write_answers(job, "one", picture, listed=LISTED)
    answers.write_answers(job, "every", boxes("a", 1.0, 2.0), listed=LISTED, every=True)
    with pytest.raises(ValueError, match="no column 'box'.*another table.*nothing was written"):
        answers.write_answers(job, "one", boxes("a", 1.0, 2.0), listed=LISTED, every=True)
    with pytest.raises(ValueError, match="column 'box'.*several rows.*nothing was written"):
        answers.write_answers(job, "every", picture, listed=LISTED)
    assert [len(server.sql(f"SELECT * FROM {schema(job)}.{table}")) for table in ("one", "every")] == [1, 2]
