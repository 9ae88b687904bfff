"""From the coarse network's maps to corners that fit together."""

import numpy as np
import pytest

from lib.tasks.corners import decoding

TRUE = np.array([[0.2, 0.25], [0.8, 0.3], [0.78, 0.75], [0.22, 0.7]])


def maps(corners, second=None):
    """An output with heat at the corners (and, weaker, at `second`), and edges along the true sides."""
    ys, xs = np.mgrid[0:36, 0:48] + 0.5
    heat, edges = np.zeros((36, 48, 4)), np.full((36, 48, 4), -4.0)
    for at in range(4):
        for x, y, weight in [(*corners[at], 9.0), *([(*second[at], 8.7)] if second is not None else [])]:
            heat[..., at] += weight * np.exp(-((xs / 48 - x) ** 2 * 48**2 + (ys / 36 - y) ** 2 * 36**2) / 4)
        for t in np.linspace(0, 1, 60):
            x, y = (1 - t) * TRUE[at] + t * TRUE[(at + 1) % 4]
            edges[int(y * 36), int(x * 48), at] = 4
    mass = np.exp(heat) / np.exp(heat).sum((0, 1))
    means = np.stack([(mass * xs[..., None]).sum((0, 1)) / 48, (mass * ys[..., None]).sum((0, 1)) / 36], 1)
    return {"heat": heat, "edges": edges, "corners": np.c_[means, np.full(4, 0.02)]}


def test_clear_maps_are_read_as_they_are():
    assert np.abs(decoding.decode_corners(maps(TRUE)) - TRUE).max() < 0.02


def test_of_two_peaks_that_is_taken_whose_sides_are_edges():
    wrong = TRUE + [0, 0.18]
    output = maps(wrong, second=TRUE)
    assert np.abs(output["corners"][:, :2] - TRUE).max() > 0.08
    assert np.abs(decoding.decode_corners(output) - TRUE).max() < 0.03


def test_a_hidden_corner_is_completed_from_the_others():
    output = maps(TRUE)
    output["heat"][..., 2] = 0
    output["corners"][2, :2] = 0.5
    assert np.abs(decoding.decode_corners(output) - TRUE).max() < 0.1


def test_maps_of_noise_still_give_four_corners():
    rng = np.random.default_rng(0)
    output = {"heat": rng.normal(size=(36, 48, 4)), "edges": rng.normal(size=(36, 48, 4)),
              "corners": rng.random((4, 3))}
    assert np.isfinite(decoding.decode_corners(output)).all()


@pytest.mark.parametrize("count", [1, 2, 4])
def test_mirrored_readings_that_agree_are_as_one(count):
    one = {**maps(TRUE), "rows": np.ones(9), "kind": np.array([1.0, 0, 0, 0, 0])}
    four = {"rows": np.stack([one["rows"]] * 4), "kind": np.stack([one["kind"]] * 4), "heat": [], "edges": [],
            "corners": []}
    for at, mirror in enumerate(decoding.MIRRORS):  # what a perfect network says of each image
        back, sides = np.argsort(decoding.CORNERS[at]), np.argsort(decoding.SIDES[at])
        four["heat"].append(decoding._mirror(one["heat"], *mirror)[..., back])
        four["edges"].append(decoding._mirror(one["edges"], *mirror)[..., sides])
        four["corners"].append(np.c_[np.abs(np.array(mirror) - one["corners"][:, :2])[back], one["corners"][:, 2]])
    found = decoding.average_views({name: value[:count] for name, value in four.items()})
    assert np.allclose(found["edges"], one["edges"]) and found["apart"].max() < 1e-9
    assert np.allclose(found["corners"][:, :2], one["corners"][:, :2], atol=1e-6)


def test_mirror_images_name_corners_and_sides_by_position():
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    for at, mirror in enumerate(decoding.MIRRORS):
        assert np.array_equal(np.abs(np.array(mirror) - square)[decoding.CORNERS[at]], square)
        middles = (square + np.roll(square, -1, 0)) / 2
        assert np.array_equal(np.abs(np.array(mirror) - middles)[decoding.SIDES[at]], middles)


def test_centres_are_those_of_the_network():
    layers = pytest.importorskip("lib.tasks.corners.layers")
    logits = np.random.default_rng(0).normal(size=(36, 48, 4)).astype(np.float32) * 3
    assert np.allclose(decoding.soft_argmax(logits), np.asarray(layers.SoftArgmax()(logits[None]))[0], atol=1e-4)
