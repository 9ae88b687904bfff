"""The weights that ship: drawing resumes, calibration covers what it states."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from lib import tasks
from lib.metrics import calibration
from lib.tasks.corners import confidence
from lib.training import pretraining as weights

PLAIN = {"model.width": 192, "model.height": 144}


def test_drawing_goes_on_where_it_stopped(tmp_path):
    job = tasks.job("corners", "smoke", overrides=PLAIN)
    first = weights.draw_examples(job, tmp_path, 3, seed=5, workers=1)
    before = {part: np.array(array) for part, array in first.stored.items()}
    done = tmp_path / "rows-0.json"
    stamp = done.stat().st_mtime_ns
    weights.draw_examples(job, tmp_path, 3, seed=5, workers=1)
    assert done.stat().st_mtime_ns == stamp
    done.unlink()
    again = weights.draw_examples(job, tmp_path, 3, seed=5, workers=1)
    assert all(np.array_equal(before[part], again.stored[part]) for part in before)
    assert json.dumps(first.rows) == json.dumps(again.rows)


def test_packed_weights_are_half_as_large_and_the_same_to_three_digits(tmp_path):
    keras = pytest.importorskip("keras")
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(64, 5), keras.layers.BatchNormalization()])
    weights.pack(network, tmp_path / "packed.npz")
    with np.load(tmp_path / "packed.npz") as packed:
        for at, weight in enumerate(network.get_weights()):
            assert np.allclose(packed[f"w{at}"], weight, rtol=1e-3, atol=1e-7)
            assert packed[f"w{at}"].dtype == (np.float16 if weight.ndim > 1 else np.float32)


def invented(count=2000):
    """Signs that tell the size of the error up to a factor, a fifth of the pictures without a whole box."""
    rng = np.random.default_rng(0)
    size = np.exp(rng.normal(-5, 1, (count, 4)))
    signs = np.stack([size * np.exp(rng.normal(0, 0.3, size.shape)), np.exp(rng.normal(-5, 1, size.shape))], 2)
    whole = rng.random(count) > 0.2
    errors = np.where(whole[:, None], size * np.exp(rng.normal(0, 0.5, size.shape)), np.nan)
    return signs, errors, np.where(whole, rng.beta(9, 1, count), rng.beta(1, 4, count))


def test_the_radius_holds_the_stated_part_of_new_corners():
    signs, errors, chances = invented()
    numbers = confidence.calibration(signs[:1000], errors[:1000], chances[:1000])
    radii = np.array([confidence.radii(each, numbers["radius"]) for each in signs[1000:]])
    known = np.isfinite(errors[1000:])
    assert (errors[1000:] <= radii)[known].mean() == pytest.approx(0.9, abs=0.03)


def test_confidence_is_about_the_chance_of_being_right():
    signs, errors, chances = invented()
    numbers = confidence.calibration(signs, errors, chances)
    judged = [confidence.judge(sign, np.array([chance, *[(1 - chance) / 4] * 4]), numbers)
              for sign, chance in zip(signs, chances, strict=True)]
    said = np.array([each["confidence"] for each in judged])
    right = np.nan_to_num(errors, nan=9.0).max(1) < confidence.GOOD
    assert said[right].mean() > said[~right].mean() + 0.2
    assert said.mean() == pytest.approx(right.mean(), abs=0.08)


def test_a_logistic_regression_finds_its_slope():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 1))
    labels = rng.random(4000) < 1 / (1 + np.exp(-(2 * x[:, 0] - 1)))
    assert calibration.fit_logistic(x, labels) == pytest.approx([2, -1], abs=0.2)


def test_a_task_without_shipped_weights_is_refused_plainly(monkeypatch):
    monkeypatch.setattr(tasks, "job", lambda *_, **__: SimpleNamespace())
    with pytest.raises(ValueError, match="nothing to pretrain"):
        weights.pretrain("nails")
