"""Layers and losses that several tasks share."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")
from lib.models.backbones import residual, small  # noqa: E402
from lib.models.blocks import feature_pyramid  # noqa: E402
from lib.models.losses import MaskedCrossEntropy, OrdinalCrossEntropy, WingLoss, wing_loss  # noqa: E402
from lib.tasks.corners.layers import PerImageStandardization, SoftArgmax, WeightedLineFit  # noqa: E402
from lib.tasks.corners.losses import EdgeMapLoss, HeatmapLoss, LineEndsLoss  # noqa: E402


def peak(x, y, width=24, height=18, sharp=40.0):
    """Logits (1, height, width, 1) with nearly all mass in one cell."""
    logits = np.zeros((1, height, width, 1), np.float32)
    logits[0, y, x] = sharp
    return logits


def test_a_sharp_peak_is_read_at_the_centre_of_its_cell():
    x, y, spread = np.asarray(SoftArgmax()(peak(5, 11)))[0, 0]
    assert (x, y) == pytest.approx((5.5 / 24, 11.5 / 18), abs=1e-4) and spread < 0.01


def test_a_flat_map_is_read_in_the_middle_with_a_large_spread():
    x, y, spread = np.asarray(SoftArgmax()(peak(0, 0, sharp=0.0)))[0, 0]
    assert (x, y) == pytest.approx((0.5, 0.5), abs=1e-5) and spread > 0.35


def test_two_equal_peaks_spread_wider_than_one():
    both = peak(3, 9) + peak(20, 9)
    assert np.asarray(SoftArgmax()(both))[0, 0, 2] > 0.3


def straight(left, right, bins=24, columns=40, margin=0.1):
    """Logits of a profile whose columns are sharp about a line with these ends."""
    t = ((np.arange(columns) + 0.5) / columns - margin) / (1 - 2 * margin)
    line = left + (right - left) * t
    at = 2 * (np.arange(bins) + 0.5) / bins - 1
    return -((at[:, None] - line[None]) ** 2)[None].astype(np.float32) * 200, line


def test_a_line_is_read_from_its_columns():
    logits, _ = straight(-0.3, 0.5)
    line = np.asarray(WeightedLineFit(0.1, pull=0.0)([logits, np.ones((1, 40, 1), np.float32)]))[0]
    assert line[:2] == pytest.approx((-0.3, 0.5), abs=0.01) and line[2] < 0.02


def test_columns_without_trust_do_not_move_the_line():
    logits, _ = straight(0.2, 0.2)
    logits[:, :, 10:20] = straight(-0.8, -0.8)[0][:, :, 10:20]
    trust = np.full((1, 40, 1), 5.0, np.float32)
    trust[:, 10:20] = -20.0
    line = np.asarray(WeightedLineFit(0.1)([logits, trust]))[0]
    assert line[:2] == pytest.approx((0.2, 0.2), abs=0.01)
    assert abs(np.asarray(WeightedLineFit(0.1)([logits, np.zeros((1, 40, 1), np.float32)]))[0, 0] - 0.2) > 0.1


def test_new_residual_blocks_add_nothing_to_the_small_backbone():
    inputs = keras.Input((48, 64, 3))
    plain, deeper = (keras.Model(inputs, each(inputs)) for each in (small, residual))
    assert len(deeper.layers) > len(plain.layers)
    for layer in plain.layers:
        if layer.weights:
            deeper.get_layer(layer.name).set_weights(layer.get_weights())
    pixels = np.random.default_rng(0).normal(size=(2, 48, 64, 3)).astype(np.float32)
    for one, other in zip(plain(pixels), deeper(pixels), strict=True):
        assert one.shape == other.shape and np.allclose(one, other, atol=1e-6)


def test_wing_is_continuous_where_it_changes_its_shape():
    below, above = (float(wing_loss(np.float32(x), 0.05, 0.005)) for x in (0.05 - 1e-6, 0.05 + 1e-6))
    assert below == pytest.approx(above, abs=1e-4) and float(wing_loss(np.float32(0), 0.05, 0.005)) == 0


SURE = np.array([[[0.3, 0.3, 1], [0.7, 0.3, 1], [0.7, 0.6, 1], [0.3, 0.6, 1]]], np.float32)


@pytest.mark.parametrize("loss", [HeatmapLoss(), EdgeMapLoss()])
def test_maps_that_fit_cost_less_than_flat_ones(loss):
    flat = np.zeros((1, 18, 24, 4), np.float32)
    good = flat.copy()
    if isinstance(loss, HeatmapLoss):
        for at, (x, y, _) in enumerate(SURE[0]):
            good[0, int(y * 18), int(x * 24), at] = 6
    else:
        good -= 3
        good[0, int(0.3 * 18), 7:17, 0] = 3
    assert float(loss(SURE, good)) < float(loss(SURE, flat))


@pytest.mark.parametrize("loss, output", [
    (WingLoss(), np.random.rand(1, 4, 3)), (HeatmapLoss(), np.random.rand(1, 18, 24, 4)),
    (EdgeMapLoss(), np.random.rand(1, 18, 24, 4))])
def test_points_that_are_not_known_cost_nothing(loss, output):
    unknown = SURE * [1, 1, 0]
    assert float(loss(unknown.astype(np.float32), output.astype(np.float32))) == 0
    assert float(loss(SURE, output.astype(np.float32))) > 0


def test_wing_also_takes_plain_vectors():
    assert float(WingLoss()(np.zeros((2, 8), np.float32), np.full((2, 8), 0.1, np.float32))) > 0


def test_ordinal_and_classes_pass_over_what_is_not_known():
    assert float(OrdinalCrossEntropy()(-np.ones((1, 9), np.float32), np.full((1, 9), 0.5, np.float32))) == 0
    assert float(MaskedCrossEntropy()(np.zeros((1, 5), np.float32), np.full((1, 5), 0.2, np.float32))) == 0


def test_the_scale_of_ends_settles_at_the_size_of_the_error():
    target = np.array([[0.1, 0.1, 1]], np.float32)
    costs = [float(LineEndsLoss()(target, np.array([[0.0, 0.0, 0.0, np.log(s)]], np.float32))) for s in (0.02, 0.1, 0.5)]
    assert costs[1] < min(costs[0], costs[2])


def test_level_forgets_exposure():
    picture = np.random.default_rng(0).random((1, 8, 9, 3)).astype(np.float32)
    bright, dark = (np.asarray(PerImageStandardization()(picture * k)) for k in (1.0, 0.5))
    assert np.abs(bright - dark).max() < 0.2 and abs(bright.mean()) < 1e-5


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_network_of_these_layers_can_be_read_back(tmp_path, suffix):
    pixels = keras.Input((48, 64, 3))
    maps = small(PerImageStandardization()(pixels), widths=(8, 8, 8, 8))
    logits = keras.layers.Conv2D(2, 1)(feature_pyramid(maps, 8))
    network = keras.Model(pixels, {"points": SoftArgmax(name="points")(logits), "heat": logits})
    network.save(tmp_path / f"network{suffix}")
    again = keras.saving.load_model(tmp_path / f"network{suffix}", compile=False)
    probe = np.random.default_rng(0).random((2, 48, 64, 3)).astype(np.float32)
    first, second = network(probe), again(probe)
    outputs = second if isinstance(second, dict) else dict(zip(("heat", "points"), second, strict=False))
    assert {tuple(v.shape) for v in first.values()} == {tuple(v.shape) for v in outputs.values()}
    assert np.allclose(sorted(np.ravel(list(first.values())[0])), sorted(np.ravel(list(outputs.values())[0])), atol=1e-5)
