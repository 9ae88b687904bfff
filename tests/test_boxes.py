"""The boxes of one picture: their order, and the one that stands for the picture."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lib.tasks.corners import boxes, labels


def box(x, y, width=100, height=50, confidence=0.9, cut=False, refused=None):
    corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
    return {**labels.row_of(corners, 3), "rows_run": "horizontal", "confidence": confidence, "radius": [1.0] * 4,
            "cut": cut, "refused": refused}


def test_boxes_are_read_from_top_to_bottom_and_from_left_to_right():
    wanted = [box(0, 5), box(120, 0), box(240, 8), box(3, 70), box(125, 66), box(40, 130)]
    for seed in range(20):
        shuffled = [wanted[at] for at in np.random.default_rng(seed).permutation(len(wanted))]
        assert boxes.reading_order(shuffled) == wanted


@given(st.lists(st.tuples(*[st.floats(0, 900)] * 2, st.floats(1, 300), st.floats(1, 300)), max_size=15))
def test_reading_order_loses_and_doubles_no_box(places):
    given_boxes = [box(*place) for place in places]
    assert sorted(map(id, boxes.reading_order(given_boxes))) == sorted(map(id, given_boxes))


def test_the_surest_whole_box_stands_for_the_picture():
    answer = boxes.answer_of([box(0, 0, confidence=0.5), box(0, 60, confidence=0.8), box(0, 120, confidence=0.95, cut=True),
                              box(0, 180, confidence=0.99, refused="blurred")])
    assert answer["p1y"] == 60 and answer["boxes_nb"] == 4 == len(answer["boxes"])


def test_where_no_box_is_whole_the_first_stands_for_the_picture():
    answer = boxes.answer_of([box(0, 60, confidence=0.9, cut=True), box(0, 0, confidence=0.2, cut=True)])
    assert answer["p1y"] == 0 and answer["cut"]


def test_without_a_box_all_numbers_are_none():
    answer = boxes.answer_of([])
    assert answer["refused"] == "no_box" and answer["boxes_nb"] == 0 and answer["boxes"] == []
    assert all(answer[name] is None for name in (*labels.NUMBERS, "row_nb", "radius", "rows_run"))
    assert "row_nb" not in boxes.answer_of([], counts=False)


def test_no_more_than_twelve_boxes_are_told_the_surest_ones():
    many = [box(0, 60 * at, confidence=at / 20) for at in range(15)]
    answer = boxes.answer_of(many)
    assert answer["boxes_nb"] == boxes.MOST and min(each["confidence"] for each in answer["boxes"]) == 3 / 20
