"""Corners, frames and their measures: at the ends of the scale, and whatever the numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.imaging import geometry

SQUARE = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], float)
sizes = st.tuples(st.integers(32, 6000), st.integers(32, 6000))
shares = st.floats(0, 1, allow_nan=False)


@given(st.permutations(range(4)), st.floats(-0.6, 0.6), st.floats(1, 5))
def test_any_order_is_put_right(shuffled, turn, wide):
    turned = (SQUARE - 5) * [wide, 1] @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + 100
    np.testing.assert_allclose(geometry.order(turned[list(shuffled)]), turned)


def test_what_is_convex():
    assert geometry.is_convex(SQUARE)
    assert not geometry.is_convex(SQUARE[::-1])            # the other way round
    assert not geometry.is_convex(SQUARE[[0, 2, 1, 3]])    # a bow tie
    assert not geometry.is_convex(np.zeros((4, 2)))
    assert not geometry.is_convex(np.full((4, 2), np.nan))


def test_jaccard_at_its_ends():
    assert geometry.jaccard(SQUARE, SQUARE) == pytest.approx(1)
    assert geometry.jaccard(SQUARE, SQUARE + 20) == 0
    assert geometry.jaccard(SQUARE, SQUARE + [5, 0]) == pytest.approx(1 / 3)
    assert geometry.jaccard(SQUARE, SQUARE[[0, 2, 1, 3]]) == 0


def test_jaccard_is_taken_in_the_frame_of_the_truth():
    matrix = np.array([[1.2, 0.1, 3], [0.05, 0.9, 2], [0.0004, 0.0002, 1]])
    found = SQUARE + [1, 0.5]
    assert geometry.jaccard(geometry.warp(matrix, SQUARE), geometry.warp(matrix, found)) == pytest.approx(
        geometry.jaccard(SQUARE, found), abs=1e-4)


@given(sizes, sizes, st.floats(0, 0.2), shares, shares)
def test_a_frame_goes_there_and_back(picture, size, margin, x, y):
    for frame in (geometry.letterbox(picture, size, margin), geometry.stretch(picture, size)):
        point = np.array([x * picture[0], y * picture[1]])
        np.testing.assert_allclose(frame.back(frame.into(point)), point, atol=1e-6)
        assert (frame.into(point) >= -1e-9).all() and (frame.into(point) <= np.array(size) + 1e-9).all()


@given(st.lists(st.floats(-1e-5, 1e-5), min_size=8, max_size=8), st.floats(-0.3, 0.3))
def test_all_but_the_same_overlaps_all_but_wholly(noise, turn):
    turned = SQUARE @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    assert geometry.jaccard(turned, turned + np.reshape(noise, (4, 2))) > 0.9999


@given(st.lists(st.floats(-3, 3), min_size=8, max_size=8))
def test_overlap_is_the_same_either_way_and_never_beyond_its_ends(noise):
    other = SQUARE + np.reshape(noise, (4, 2))
    if geometry.is_convex(other):
        one, two = geometry.area(geometry.clip(SQUARE, other)), geometry.area(geometry.clip(other, SQUARE))
        assert one == pytest.approx(two) and -1e-9 <= one <= min(100, geometry.area(other)) + 1e-9
        assert 0 <= geometry.jaccard(SQUARE, other) <= 1


def test_lines_meet():
    np.testing.assert_allclose(geometry.intersect([[0, 0], [1, 1]], [[0, 2], [1, 1]]), [1, 1])
    assert np.isnan(geometry.intersect([[0, 0], [1, 0]], [[0, 1], [1, 1]])).all()


def test_errors_and_size():
    assert geometry.area(SQUARE) == 100
    assert geometry.diagonal(SQUARE) == pytest.approx(200**0.5)
    np.testing.assert_allclose(geometry.errors(SQUARE, SQUARE + [3, 4]), 5)
