"""All boxes of a picture: the finder's targets and cells, and what comes of them."""

import numpy as np
import pytest

from lib import tasks
from lib.imaging import geometry, images
from lib.tasks import corners
from lib.tasks.corners import confidence, crops, decoding, finder, finding

WINDOW = np.array([[0.08, 0.08], [0.92, 0.92]])
TWO = np.array([[[0.1, 0.15], [0.9, 0.12], [0.9, 0.45], [0.1, 0.47]], [[0.1, 0.5], [0.9, 0.48], [0.88, 0.85], [0.12, 0.88]]])


def job(**settings):
    return tasks.job("corners", "demo", overrides={name.replace("__", "."): value for name, value in settings.items()})


def cells(quads, cut=(), upright=(), shape=(27, 36)):
    """What a perfect finder says of boxes (n, 4, 2), parts of the input."""
    height, width = shape
    said = np.zeros((height, width, finder.CELL))
    said[..., finder.MIDDLE] = -8
    ys, xs = np.mgrid[:height, :width]
    for at, quad in enumerate(quads):
        x, y = np.clip(quad, *WINDOW).mean(0) * (width, height) - 0.5
        near = np.hypot(xs - x, ys - y) < 2.5
        said[near, finder.MIDDLE] = 3 - np.hypot(xs - x, ys - y)[near]
        middles = np.stack([(xs + 0.5) / width, (ys + 0.5) / height], -1)[near]
        said[near, finder.CORNERS] = (quad[None] - middles[:, None]).reshape(-1, 8)
        said[near, finder.DOUBT] = -5
        said[near, finder.CUT] = 5 if at in cut else -5
        said[near, finder.UPRIGHT] = 5 if at in upright else -5
    return said


def test_boxes_that_touch_are_told_apart_from_their_cells():
    found = finding.candidates(cells(TWO, cut=(1,), upright=(0,)))
    assert len(found) == 2
    for each in found:
        at = int(np.argmin([geometry.errors(quad, each.corners).max() for quad in TWO]))
        np.testing.assert_allclose(each.corners, TWO[at], atol=0.01)
        assert (each.cut > 0.5) == (at == 1) and (each.upright > 0.5) == (at == 0)


def test_a_frame_in_a_frame_is_one_box():
    inner = TWO[0].mean(0) + (TWO[0] - TWO[0].mean(0)) * 0.93
    assert finding.same(TWO[0], inner) and not finding.same(*TWO)
    half = np.array([TWO[0][0], TWO[0][1], TWO[0][1:3].mean(0), TWO[0][[0, 3]].mean(0)])
    assert finding.same(TWO[0], half)


def test_the_finders_output_alone_is_read_as_boxes_of_the_picture():
    output = {"cells": cells(TWO), "kind": np.full(5, 0.2)}
    answer = job().decode(output, (640, 480))
    where = crops.frame((640, 480), finder.INPUT)
    assert answer["boxes_nb"] == 2
    for told, quad in zip(answer["boxes"], TWO, strict=True):
        np.testing.assert_allclose(corners.points(told), where.back(quad * finder.INPUT), atol=8)
    assert job().decode({"cells": cells(())}, (640, 480))["refused"] == "no_box"


def test_no_middle_is_no_box():
    assert finding.candidates(cells(())) == []


def test_mirrored_views_agree_with_the_picture():
    views = [cells([geometry.order(np.abs(np.array(mirror) - quad)) for quad in TWO]) for mirror in decoding.MIRRORS]
    found = finding.candidates(finding.average_views({"cells": np.stack(views), "kind": np.full((4, 5), 0.2)})["cells"])
    assert len(found) == 2
    for each in found:
        assert min(geometry.errors(quad, each.corners).max() for quad in TWO) < 0.01


def test_a_target_tells_what_is_cut_by_the_window():
    outside = TWO[1] + (0, 0.3)
    whole, cut = (finder.box_target(quad, WINDOW) for quad in (TWO[0], outside))
    assert whole[14] == 0 and cut[14] == 1 and whole[16] == cut[16] == 1
    assert cut[9] < WINDOW[1, 1]            # the middle of what is seen, not of the box


def test_the_loss_is_least_where_the_cells_are_right():
    from lib.tasks.corners import losses

    target = np.zeros((1, corners.boxes.MOST, finder.BOX), np.float32)
    target[0, :2] = [finder.box_target(quad, WINDOW, 0, 0) for quad in TWO]
    right = cells(TWO)[None].astype(np.float32)
    moved = right.copy()
    moved[..., finder.CORNERS] += 0.05
    loss = losses.CellsLoss()
    assert float(loss.call(target, right)[0]) < float(loss.call(target, moved)[0])
    assert float(loss.call(target, right)[0]) < float(loss.call(target, np.zeros_like(right))[0])
    nothing = np.zeros_like(target)
    assert np.isfinite(float(loss.call(nothing, right)[0]))


def test_every_box_of_a_row_is_a_target():
    row = {"width": 640, "height": 480, "boxes": [
        {**corners.row_of(quad * (640, 480), 3), "cut": False, "rows_run": run} for quad, run in zip(TWO, ("vertical", "horizontal"), strict=True)]}
    network = finder.Finder(job())
    cached = network.cached_image(images.Picture(np.zeros((480, 640, 3), np.uint8), (640, 480)), row)
    pixels, target = network.example(cached, row)
    assert pixels.shape == (216, 288, 3) and target["cells"][:, -1].sum() == 2
    assert target["cells"][:2, 15].tolist() == [1, 0]
    where = crops.frame((640, 480), finder.INPUT)
    np.testing.assert_allclose(target["cells"][0, :8].reshape(4, 2), where.into(TWO[0] * (640, 480)) / finder.INPUT, atol=5e-3)
    for seed in range(20):
        varied = network.example(cached, row, np.random.default_rng(seed))[1]["cells"]
        assert np.isfinite(varied).all() and varied[:, -1].sum() == 2


def found(quad, rows=3, upright=0.0, cut=0.0):
    return finding.Found(np.array(quad, float), np.full((4, 5), 0.01), np.zeros(7), (np.arange(1, 20) < rows).astype(float), cut, upright)


KINDS = np.array([0.96, 0.01, 0.01, 0.01, 0.01])


@pytest.mark.parametrize("quad, rows, upright, code", [
    ([[100, 100], [500, 110], [490, 300], [90, 300]], 4, 0, None),
    ([[100, 100], [500, 110], [490, 300], [90, 300]], 1, 1, "implausible"),      # one row, standing, twice as wide as long
    ([[100, 100], [500, 110], [320, 300], [250, 300]], 4, 0, "implausible"),     # no camera sees a rectangle so
    ([[10, 10], [600, 10], [320, 60], [9, 40]], 4, 0, "implausible"),
    ([[-300, -200], [900, -200], [900, 300], [-300, 300]], 4, 0, "cut"),         # no corner is in the picture
    ([[0, 0], [641, 0], [641, 481], [-1, 481]], 6, 0, None)])                    # one that fills it is there
def test_what_cannot_be_a_box_is_not_given_as_sure(quad, rows, upright, code):
    judged = confidence.judge_box(found(quad, rows, upright), KINDS, np.array([640, 480]), job().calibration())
    assert judged["refused"] == code
    assert code != "implausible" or judged["confidence"] <= confidence.UNSURE


def test_a_box_with_a_corner_outside_is_cut_and_a_blurred_picture_is_refused():
    size, blurred = np.array([640, 480]), np.array([0.1, 0.1, 0.1, 0.1, 0.6])
    quad = np.array([[100, 100], [660, 110], [650, 300], [90, 300]])
    assert confidence.judge_box(found(quad), KINDS, size, None)["cut"]
    assert not confidence.judge_box(found(quad - (80, 0)), KINDS, size, None)["cut"]
    assert confidence.judge_box(found(quad - (80, 0)), blurred, size, None)["refused"] == "blurred"


def test_old_settings_know_of_one_box():
    settings = job().params.plain()
    del settings["corners"]["boxes"]
    from lib.common import config

    assert not finder.is_used(corners.Corners(config.Params(settings), "demo")) and finder.is_used(job())
    assert list(job(corners__boxes="one").networks) == ["coarse", "sides"]
    assert list(job(corners__head="heatmap").networks) == ["coarse", "finder"]


def test_the_shipped_networks_find_two_boxes_that_touch():
    """A drawn stack of two whole boxes, by the weights that ship, in Keras."""
    from lib.models import building
    from lib.synthetic import coreboxes
    from lib.tasks.corners import matching, pretraining

    this, networks = job(corners__head="heatmap"), {}
    for name in this.networks:
        network = building.build(this, name)
        assert this.networks[name].load_pretrained(network)
        networks[name] = pretraining._function(network)
    right = 0
    for seed in (5, 12, 20, 23, 31, 44):
        scene = coreboxes.draw_wide(seed)
        picture = images.Picture(scene.pixels, scene.pixels.shape[1::-1])
        answer = this.answer(networks, picture)
        true, told = [box.outer for box in scene.boxes], [corners.points(box) for box in answer["boxes"]]
        assert answer["boxes_nb"] == len(told)
        right += len(matching.match(true, told, picture.size)) == len(true) == len(told)
    assert right >= 3
