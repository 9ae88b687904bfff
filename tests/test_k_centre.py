"""Greedy k-centre: each point is the farthest from those chosen before."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.metrics.k_centre import farthest_first


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 40), st.integers(1, 12), st.integers(0, 100))
def test_each_point_is_the_farthest_from_those_before(count, wanted, seed):
    rng = np.random.default_rng(seed)
    points, weights = rng.normal(size=(count, 3)), rng.uniform(0.5, 2, count)
    chosen = farthest_first(points, wanted, first=0, weights=weights)
    assert len(set(chosen)) == len(chosen) == min(count, wanted) and chosen[0] == 0
    for at in range(1, len(chosen)):
        away = np.linalg.norm(points[:, None] - points[None, chosen[:at]], axis=-1).min(1) * weights
        away[chosen[:at]] = -1
        assert np.isclose(away[chosen[at]], away.max())


def test_what_was_chosen_before_counts():
    points = np.array([[0.0], [1.0], [10.0]])
    assert farthest_first(points, 2, squared=(points[:, 0] - 10) ** 2) == [0, 1]


def test_equal_points_are_chosen_last():
    assert farthest_first(np.float32([[0], [0], [5], [0]]), 4, first=1) == [1, 2, 0, 3]
