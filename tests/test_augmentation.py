"""Pictures varied for training."""

import numpy as np
import pytest

from lib.imaging import augmentation

PICTURE = np.random.default_rng(0).integers(40, 200, (48, 64, 3)).astype(np.uint8)


@pytest.mark.parametrize("seed", range(30))
def test_a_varied_picture_keeps_its_form_and_depends_on_its_seed_alone(seed):
    one, two = (augmentation.vary(PICTURE, np.random.default_rng(seed)) for _ in "ab")
    assert one.shape == PICTURE.shape and one.dtype == np.uint8 and np.array_equal(one, two)


def test_dark_pictures_are_not_crushed_to_black():
    dark = (PICTURE // 8).astype(np.uint8)
    left = [augmentation.light(dark, np.random.default_rng(seed)).std() for seed in range(200)]
    assert np.mean(np.array(left) > 1) > 0.95  # of 5.8


def test_light_varies_pictures_much():
    means = [augmentation.light(PICTURE, np.random.default_rng(seed)).mean() for seed in range(100)]
    assert np.std(means) > 12


@pytest.mark.parametrize("seed", range(20))
def test_a_symmetry_lays_the_square_on_itself(seed):
    square = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], float)
    there = (augmentation.symmetry(np.random.default_rng(seed), turned=0.5) @ square.T).T
    assert {tuple(point) for point in there.tolist()} == {tuple(point) for point in square.tolist()}


def test_a_placed_picture_lies_inside_unless_it_is_as_large_as_its_room():
    for seed in range(100):
        corners = augmentation.placed(np.random.default_rng(seed), 0.4)
        assert (np.abs(corners - 0.5).max() <= 0.5 + 1e-9) or np.ptp(corners, axis=0).max() > 0.8


@pytest.mark.parametrize("seed", range(20))
def test_bars_lie_across_or_down_the_whole_picture(seed):
    grey = np.full((90, 120, 3), 100, np.uint8)
    barred = augmentation.barred(grey, np.random.default_rng(seed)).astype(int)
    assert barred.shape == grey.shape and len(np.unique(barred)) > 1
    assert (barred == barred[:1]).all() or (barred == barred[:, :1]).all()
