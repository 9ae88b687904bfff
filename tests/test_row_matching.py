"""Which rows of a table a picture's corrected labels belong to."""

import functools

import numpy as np
import pytest

from lib import tasks
from lib.data import row_matching, write_back
from lib.data.row_matching import Conflict, Match
from lib.tasks.corners import labels


def box(x, y, rows=3, size=(40, 20)):
    corners = np.add([(0, 0), (size[0], 0), size, (0, size[1])], (x, y))
    return labels.row_of(corners, rows)


A, B, C = box(0, 0), box(0, 30), box(0, 60)
MOVED_A, MOVED_B = box(2, 1), box(1, 32, rows=4)


def match(rows, seen, wanted, task="corners"):
    job = tasks.job(task)
    return row_matching.match(job, rows, seen, wanted, functools.partial(write_back._agree, job))


@pytest.mark.parametrize("rows, seen, wanted, found", [
    ([A], [A], [MOVED_A], [Match(MOVED_A, 0, A)]),
    ([A], [A], [C], [Match(C, 0, A)]),                                                     # dragged to another place altogether
    ([B, A], [A, B], [MOVED_A, MOVED_B], [Match(MOVED_A, 1, A), Match(MOVED_B, 0, B)]),       # whatever the order of the rows
    ([A, B], [A, B], [A, MOVED_B], [Match(A, 0, A), Match(MOVED_B, 1, B)]),
    ([A], [A], [MOVED_A, B], [Match(MOVED_A, 0, A), Match(B)]),                               # a box was added
    ([A, B, C], [A, B], [MOVED_A, B], [Match(MOVED_A, 0, A), Match(B, 1, B)]),                # a row came beside them since
    ([A], [A, B], [MOVED_A], [Match(MOVED_A, 0, A)]),                                         # taken out in the review and in the table
    ([MOVED_A], [A], [MOVED_A], [Match(MOVED_A, 0, MOVED_A)]),                                # it has been written
    ([MOVED_A, C], [A], [MOVED_A], [Match(MOVED_A, 0, MOVED_A)]),
    ([], [], [A, B], [Match(A), Match(B)]),
])
def test_every_label_finds_its_row(rows, seen, wanted, found):
    assert match(rows, seen, wanted) == found


@pytest.mark.parametrize("rows, seen, wanted, words", [
    ([MOVED_A, B], [A, B], [A, MOVED_B], "changed since"),
    ([A, MOVED_A], [A], [C], "changed since"),            # a second row of the same box
    ([A, None], [A], [MOVED_A], "changed since"),
    ([A, A], [A], [MOVED_A], "2 rows"),
    ([A], [A, B], [A, MOVED_B], "no row for a label"),
    ([A, B], [A, B], [A], "taken out"),
    ([A, B], [A, B], [MOVED_A], "taken out"),
    ([MOVED_B], [], [B], "changed since"),
])
def test_what_cannot_be_told_apart_is_a_conflict(rows, seen, wanted, words):
    with pytest.raises(Conflict, match=words):
        match(rows, seen, wanted)


def test_the_order_of_rows_and_labels_changes_nothing():
    rng, wanted = np.random.default_rng(0), [MOVED_A, MOVED_B, C, box(80, 0)]
    rows, seen = [A, B, C], [A, B, C]
    expected = {str(one.label): (one.row if one.row is None else rows[one.row]) for one in match(rows, seen, wanted)}
    for _ in range(20):
        rows, seen, wanted = ([those[at] for at in rng.permutation(len(those))] for those in (rows, seen, wanted))
        assert {str(one.label): (one.row if one.row is None else rows[one.row]) for one in match(rows, seen, wanted)} == expected


def test_a_task_with_one_label_of_a_picture_has_one_row():
    good, bad = {"label": "good"}, {"label": "bad"}
    assert match([good], [good], [bad], "nails") == [Match(bad, 0, good)]
    with pytest.raises(Conflict, match="changed since"):
        match([bad], [good], [{"label": "x"}], "nails")
