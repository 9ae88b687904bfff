"""Upright boxes: overlap, suppression and moving, at the ends of the scale and in between."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.tasks.boats import detection

CALM = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 100_000)


def some(seed, count=12):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 80, (count, 2))
    return np.concatenate([low, low + rng.uniform(1, 40, (count, 2))], 1), rng


@CALM
@given(SEEDS)
def test_overlap_is_what_counting_cells_says(seed):
    found = np.round(some(seed, 4)[0])
    found = found[detection.areas(found) > 0]
    masks = np.zeros((len(found), 140, 140), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, found.astype(int), strict=True):
        mask[y0:y1, x0:x1] = True
    both = (masks[:, None] & masks[None]).sum((2, 3))
    np.testing.assert_allclose(detection.overlaps(found, found), both / (masks[:, None] | masks[None]).sum((2, 3)))
    np.testing.assert_allclose(detection.inside(found, found), both / masks.sum((1, 2))[:, None])


def test_the_ends_of_the_scale():
    one, far, none = (detection.array(each) for each in ([[0, 0, 10, 10]], [[20, 20, 30, 30]], []))
    assert detection.overlaps(one, one)[0, 0] == 1 and detection.overlaps(one, far)[0, 0] == 0
    assert detection.overlaps(one, none).shape == (1, 0) and len(detection.distinct(none, [], 0.5)) == 0
    assert detection.match(none, none, one)[0].tolist() == [-1] and detection.match(one, none, none).shape == (10, 0)
    assert detection.match(one, none, np.concatenate([one, one]))[0].tolist() == [0, -1]     # the second comes too late
    assert detection.match(none, one, np.concatenate([one, one]))[9].tolist() == [-2, -2]    # in a crowd both may be


@CALM
@given(SEEDS, st.sampled_from([0.3, 0.5, 0.7]))
def test_what_stays_overlaps_no_surer_one(seed, limit):
    found, rng = some(seed)
    scores = rng.permutation(len(found)) / 20 + 0.1
    kept = detection.distinct(found, scores, limit)
    assert scores[kept].tolist() == sorted(scores[kept], reverse=True)
    agree = detection.overlaps(found, found)
    wanted = []
    for at in np.argsort(-scores):
        if all(agree[at, other] <= limit + 1e-3 for other in wanted):
            wanted.append(at)
    sure = [at for at in wanted if all(abs(agree[at, other] - limit) > 1e-2 for other in range(len(found)))]
    assert set(sure) <= set(kept.tolist()) or any(abs(agree - limit).ravel() < 1e-2)


@CALM
@given(SEEDS)
def test_boxes_move_with_their_corners(seed):
    found, rng = some(seed)
    assert np.allclose(detection.moved(found, np.eye(2, 3)), found)
    mirror = np.array([[-1, 0, 100], [0, 1, 0]], float)
    assert np.allclose(detection.moved(detection.moved(found, mirror), mirror), found)
    matrix = rng.normal(0, 1, (2, 3))
    corners = np.array([[found[0, 0], found[0, 1]], [found[0, 2], found[0, 3]], [found[0, 0], found[0, 3]],
                        [found[0, 2], found[0, 1]]]) @ matrix[:, :2].T + matrix[:, 2]
    assert np.allclose(detection.moved(found, matrix)[0], [*corners.min(0), *corners.max(0)])


def test_a_curve_is_the_best_precision_at_this_recall_or_more():
    line = detection.curve(np.array([0, -1, 1]), np.array([0.9, 0.8, 0.7]), 2)
    assert line[:51].tolist() == [1.0] * 51 and np.allclose(line[51:], 2 / 3)
    assert detection.curve(np.array([0]), np.array([0.9]), 0) is None
    assert detection.curve(np.array([-2, 0]), np.array([0.9, 0.8]), 1).tolist() == [1.0] * 101
