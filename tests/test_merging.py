"""Several rows of one picture: each is a box of it, and all of them are one row of the gathered labels."""

import json

import numpy as np
import pytest
from conftest import good, label, picture

from lib import tasks
from lib.data import ingest, merging
from lib.storage import revisions
from lib.tasks.corners import labels

UPPER, LOWER, RIGHT = (5, 5, 30, 6, 29, 20, 4, 19), (5, 24, 30, 25, 29, 40, 4, 41), (34, 5, 60, 6, 59, 20, 35, 19)
NAME = "X:\\two.jpg"


def box(corners, rows=3):
    """A label of one box as a row of the gathered table has it."""
    return {"row_nb": rows, **labels.point_dict(np.reshape(corners, (4, 2)))}


@pytest.fixture
def two(place):
    """Good rows, and a picture that further rows can name."""
    rows = good(place)
    picture(place / "two.jpg", 900)
    return rows


def of(found, name=NAME):
    """The boxes of a picture in the gathered table."""
    rows = found.table[found.table.source == name].to_dict("records")
    assert len(rows) == 1
    return labels.boxes_of(rows[0])


def reasons(found):
    return list(zip(found.dropped.image, found.dropped.reason, strict=True))


def test_every_row_of_a_picture_is_a_box_of_it_in_reading_order(walk, two):
    found = walk([*two, label(NAME, corners=LOWER, rows=5), label(NAME, corners=RIGHT, rows=4), label(NAME, corners=UPPER)])
    assert of(found) == [box(UPPER), box(RIGHT, 4), box(LOWER, 5)]
    row = found.table[found.table.source == NAME].iloc[0]
    assert {name: row[name] for name in box(UPPER)} == box(UPPER), "the columns are those of the first box"
    assert len(found.table) == 21 and found.counts["rows"] == found.counts["kept"] == 23 and not found.counts["dropped"]
    assert ingest.read_labels(walk.job).equals(found.table)
    assert all(labels.boxes_of(each) == [labels.box_of(each)] for each in found.table.to_dict("records") if each["source"] != NAME)


def test_a_table_of_one_box_a_picture_gets_no_further_column(walk, two):
    assert "boxes" not in walk([*two, label(NAME)]).table


def test_a_box_that_cannot_be_used_is_counted_and_the_others_of_its_picture_stay(walk, two):
    found = walk([*two, label(NAME, corners=UPPER), label(NAME, corners=LOWER, rows=0), label(NAME, corners=(5, 5, 60, 5, 10, 10, 5, 40)),
                  label(NAME, corners=RIGHT)])
    assert of(found) == [box(UPPER), box(RIGHT)]
    assert reasons(found) == [(NAME, "row count not from 1 to 20"), (NAME, "corners not convex")]
    assert found.counts["kept"] == 22 and found.counts["dropped"] == 2


def test_a_box_that_stands_there_twice_is_taken_once_and_one_with_two_labels_not_at_all(walk, two):
    found = walk([*two, label(NAME, corners=UPPER), label(NAME, corners=UPPER), label(NAME, corners=LOWER), label(NAME, corners=RIGHT, rows=4),
                  label(NAME, corners=np.add(RIGHT, 1), rows=4)])
    assert of(found) == [box(UPPER), box(LOWER)]
    assert reasons(found) == [(NAME, "same picture twice"), *[(NAME, "same picture, other labels")] * 2]


def test_one_spelling_of_a_path_or_another_names_the_same_picture(walk, two):
    assert len(of(walk([*two, label(NAME, corners=UPPER), label("x:/two.jpg", corners=LOWER)]))) == 2


def test_copies_of_a_picture_are_one_where_all_their_boxes_agree(walk, two, place):
    (place / "two_copy.jpg").write_bytes((place / "two.jpg").read_bytes())
    both = [label(NAME, corners=UPPER), label(NAME, corners=LOWER)]
    found = walk([*two, *both, *[{**each, "fullname": "X:\\two_copy.jpg"} for each in both]])
    assert len(of(found)) == 2 and reasons(found) == [("X:\\two_copy.jpg", "same picture twice")] * 2
    found = walk([*two, *both, {**both[0], "fullname": "X:\\two_copy.jpg"}])
    assert {reason for _, reason in reasons(found)} == {"same picture, other labels"} and len(found.dropped) == 3


def test_a_picture_of_two_holes_is_in_no_split_where_these_are_apart(walk, two):
    parts = ingest.assign_splits({row["site_na"] for row in two}, walk.job.params.split)
    train, test = (next(site for site, part in sorted(parts.items()) if part == name) for name in ("train", "test"))
    found = walk([*two, label(NAME, train, corners=UPPER), label(NAME, test, corners=LOWER)])
    assert NAME not in set(found.table.source)
    assert reasons(found) == [(NAME, "groups of different splits in one picture")] * 2
    assert found.dropped.detail[0] == ", ".join(sorted([train, test]))
    other = next(site for site, part in parts.items() if part == "train" and site != train)
    found = walk([*two, label(NAME, train, corners=UPPER), label(NAME, other, corners=LOWER)])
    assert len(of(found)) == 2


def test_points_of_a_picture_that_is_stored_turned_are_turned_for_every_box(walk, two, place):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 3   # upside down
    picture(place / "two.jpg", 901, exif=exif)
    found = walk([*two, label(NAME, corners=UPPER), label(NAME, corners=LOWER)], **{"data.orientation": "stored"})
    turned = [np.roll([64, 48] - np.reshape(each, (4, 2)), 2, 0) for each in (LOWER, UPPER)]
    assert [labels.points(each).tolist() for each in of(found)] == [each.tolist() for each in turned]


def test_a_task_with_one_label_a_picture_still_drops_contradictions():
    job = tasks.job("nails", "smoke")
    rows = [({"image": "a"},), ({"image": "a"},)]
    assert merging.by_picture(job, rows, ["a", "a"]) == [[rows[0]], [rows[1]]]


# --- corrections


def revise(job, label, was, status="accepted", number=1):
    return revisions.save(job, revisions.Change(
        edit=f"00000000-0000-4000-8000-{number:012d}", source=NAME, number=number, status=status, label=label, was=was, who="anna"))


def several(*corners):
    boxes = [box(each) for each in corners]
    return {**boxes[0], "boxes": boxes}


@pytest.fixture
def clean(server):
    server.sql("DROP SCHEMA IF EXISTS corebox CASCADE")


def test_a_correction_holds_all_boxes_of_its_picture(walk, two, clean):
    rows = [*two, label(NAME, corners=UPPER), label(NAME, corners=LOWER)]
    walk(rows)
    moved = np.add(LOWER, 2)
    revise(walk.job, several(UPPER, moved, RIGHT), several(UPPER, LOWER))
    found = walk(rows)
    assert of(found) == [box(UPPER), box(RIGHT), box(moved)] and found.counts["revised"] == 1
    revise(walk.job, box(UPPER), several(UPPER, moved, RIGHT), number=2)
    assert of(walk(rows)) == [box(UPPER)]


def test_a_row_that_came_after_the_correction_is_a_further_box(walk, two, clean):
    walk([*two, label(NAME, corners=UPPER)])
    revise(walk.job, box(np.add(UPPER, 1), 7), box(UPPER))
    found = walk([*two, label(NAME, corners=UPPER), label(NAME, corners=LOWER)])
    assert of(found) == [box(np.add(UPPER, 1), 7), box(LOWER)]


def test_a_box_added_in_the_review_is_not_cut_because_the_row_beside_it_is(walk, two, clean):
    out = (30, 24, 90, 25, 90, 40, 30, 41)
    rows = [*two, label(NAME, corners=out) | {"cut": "true"}]
    walk(rows)
    revise(walk.job, {**box(out), "boxes": [{**box(out), "cut": True}, box(UPPER)]}, {**box(out), "cut": True})
    row, = (each for each in walk(rows).table.to_dict("records") if each["source"] == NAME)
    assert [each["cut"] for each in walk.job.truth(row)["boxes"]] == [False, True]
    revise(walk.job, {**box(out), "boxes": [{**box(out), "cut": True}, box(np.add(out, (0, -20) * 4))]}, box(out), number=2)
    assert reasons(walk(rows)) == [(NAME, "corner outside the picture")]


def test_a_box_that_a_reviewer_removed_stays_away(walk, two, clean):
    rows = [*two, label(NAME, corners=UPPER), label(NAME, corners=LOWER)]
    walk(rows)
    revise(walk.job, box(UPPER), several(UPPER, LOWER))
    assert of(walk(rows)) == [box(UPPER)]


def test_a_picture_marked_as_bad_goes_with_all_its_boxes(walk, two, clean):
    rows = [*two, label(NAME, corners=UPPER), label(NAME, corners=LOWER)]
    walk(rows)
    revise(walk.job, several(UPPER, LOWER), several(UPPER, LOWER), "bad")
    assert reasons(walk(rows)) == [(NAME, "marked bad")] * 2


# --- cut boxes


@pytest.mark.parametrize("cut, outcome", [("true", True), ("false", "corner outside the picture"), (None, "corner outside the picture")])
def test_a_box_may_reach_far_out_of_the_picture_where_the_table_says_that_it_is_cut(walk, two, cut, outcome):
    out = (30, 5, 90, 5, 90, 40, 30, 40)
    found = walk([*two, label(NAME, corners=out) | {"cut": cut}])
    if outcome is not True:
        assert reasons(found) == [(NAME, outcome)]
        return
    row = found.table[found.table.source == NAME].iloc[0].to_dict()
    assert walk.job.truth(row)["cut"] and walk.job.truth(row)["p2x"] == 90


def test_labels_csv_holds_the_boxes_as_json(walk, two):
    walk([*two, label(NAME, corners=UPPER), label(NAME, corners=LOWER)])
    text = ingest.read_labels(walk.job).set_index("source").boxes[NAME]
    assert [each["p1y"] for each in json.loads(text)] == [5, 24]
