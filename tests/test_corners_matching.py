"""Pairs of true and found boxes, by their overlap inside the picture."""

import numpy as np
import pytest

from lib.tasks.corners import matching

SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
SIZE = (400, 300)


def box(x, y, width=100, height=50):
    return SQUARE * (width, height) + (x, y)


def test_every_box_is_paired_with_its_own_in_whatever_order():
    true = [box(10, 10), box(10, 62), box(200, 10)]
    pairs = matching.match(true, [true[2] + 1, true[0], true[1] + (0, 2)], SIZE)
    assert [(i, j) for i, j, _ in pairs] == [(0, 1), (1, 2), (2, 0)]
    assert pairs[0][2] == pytest.approx(1) and pairs[2][2] == pytest.approx(99 * 49 / (2 * 5000 - 99 * 49))


def test_one_found_box_never_answers_two_true_ones():
    both = box(10, 10, 100, 100)
    assert matching.match([box(10, 10), box(10, 60)], [both], SIZE) == []
    assert len(matching.match([both, both + 1], [both], SIZE)) == 1


def test_the_assignment_with_the_most_overlap_wins_over_the_first_that_fits():
    true = [box(0, 0, 100, 100), box(10, 0, 100, 100)]
    pairs = matching.match(true, [box(6, 0, 100, 100), box(15, 0, 100, 100)], SIZE, iou=0.5)
    assert [(i, j) for i, j, _ in pairs] == [(0, 0), (1, 1)]


def test_a_pair_that_is_good_is_not_given_up_for_a_sum_of_bad_ones():
    pairs = matching.match([box(0, 0), box(40, 0)], [box(5, 0), box(-30, 0)], None, iou=0.8)
    assert [(i, j) for i, j, _ in pairs] == [(0, 0)]


def test_what_lies_outside_the_picture_does_not_count():
    true, found = box(350, 0, 100, 300), box(350, 0, 300, 300)
    assert matching.overlaps([true], [found], SIZE)[0, 0] == pytest.approx(1)
    assert matching.overlaps([true], [found])[0, 0] == pytest.approx(1 / 3)


@pytest.mark.parametrize("found", [box(900, 900), box(0, 0)[::-1], box(0, 0)[[0, 2, 1, 3]], np.full((4, 2), np.nan)])
def test_a_box_that_is_none_overlaps_with_nothing(found):
    assert matching.overlaps([box(0, 0)], [found], SIZE).tolist() == [[0.0]]
    assert matching.match([found], [found], SIZE) == []


def test_nothing_is_paired_where_there_is_nothing():
    assert matching.match([], [box(0, 0)], SIZE) == matching.match([box(0, 0)], [], SIZE) == matching.match([], []) == []
    assert matching.overlaps([], [box(0, 0)]).shape == (0, 1)
