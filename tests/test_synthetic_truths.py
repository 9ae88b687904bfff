"""The truth of many boxes: corners where the pixels change, cut told rightly, reading order, old pictures kept."""

import cv2
import numpy as np
import pytest

from lib.synthetic import canvas, coreboxes
from lib.synthetic.coreboxes import camera, composition, groups, rendering, rocks, truths

SIZES = [(320, 240), (240, 320), (320, 145)]
MEANS = [111.05, 71.27, 80.29, 96.91, 133.81, 87.26, 53.81, 76.15, 93.46, 117.36, 87.09, 112.1]


def test_the_pictures_of_draw_are_as_they_were():
    # Means and not bytes: processors round differently, but one random number more changes a picture altogether.
    means = [coreboxes.draw(7, (320, 240), shifted, kind).pixels.mean()
             for kind in (None, *coreboxes.KINDS) for shifted in (False, True)]
    assert np.abs(np.array(means) - MEANS).max() < 0.2


def test_a_scene_of_draw_lists_its_box_and_the_boxes_beside_it():
    for seed in range(12):
        scene = coreboxes.draw(seed, (320, 240), kind="several")
        assert len(scene.boxes) == 2
        mine = min(scene.boxes, key=lambda box: np.abs(box.outer - scene.outer).max())
        assert np.abs(mine.outer - scene.outer).max() < 0.01 and np.abs(mine.inner - scene.inner).max() < 0.01
        assert mine.row_nb == scene.row_nb and np.abs(mine.rows - scene.rows).max() < 0.01
        assert (mine.rows_run == "vertical") == scene.settings["vertical"]
    assert coreboxes.draw(3, (320, 240), kind="none").boxes == []
    assert all(any(box.cut for box in coreboxes.draw(seed, (320, 240), kind="cut").boxes) for seed in range(6))


@pytest.fixture
def plain(monkeypatch):
    """Groups of white boxes on black, without lens, light and things about them."""

    def white(rng, box, s, *rest):
        sheet, _, pieces = drawn(rng, box, s, *rest)
        sheet.pixels[:] = 255
        return sheet, None, pieces

    def straight(*args):
        view = standing(*args)
        view.bend = 0.0
        return view

    drawn, standing = rendering.draw, camera.place
    monkeypatch.setattr(camera, "place", straight)
    monkeypatch.setattr(rendering, "draw", white)
    monkeypatch.setattr(composition, "marks", lambda *args: None)
    monkeypatch.setattr(composition, "walls", lambda *args: None)
    monkeypatch.setattr(composition.tx, "gained", lambda pixels, gain: pixels)
    monkeypatch.setattr(composition, "edited", lambda made, pixels: pixels)
    monkeypatch.setattr(groups, "over_group", lambda made: None)
    monkeypatch.setattr(groups, "gap_of", lambda rng: 3.0)
    monkeypatch.setattr(composition.Composition, "dress", lambda self, chance=0: None)
    monkeypatch.setattr(composition.Composition, "ground", lambda self: self.sheet.pixels.fill(0))
    monkeypatch.setattr(composition.Composition, "expose", lambda self: (
        camera.photograph(self.view, self.sheet.pixels, self.low, self.sheet.s), 0.0))
    monkeypatch.setattr("lib.synthetic.canvas.Sheet.shadow", lambda *args: None)


def test_the_corners_of_a_group_are_where_the_pixels_change(plain):
    for seed in range(12):
        scene = groups.group(np.random.default_rng(seed), (640, 480), False)
        told, edges = np.zeros((480 * 4, 640 * 4), np.uint8), np.zeros((480, 640), np.uint8)
        for box in scene.boxes:
            cv2.fillPoly(told, [np.round((box.outer * 4 - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
            cv2.polylines(edges, [np.round(box.outer - 0.5).astype(np.int32)], True, 255, 5)
        told = cv2.resize(told, (640, 480), interpolation=cv2.INTER_AREA).astype(int)
        apart = np.abs(told - scene.pixels[..., 0])[edges > 0]
        assert apart.mean() < 13, seed   # an outline half a pixel aside has 18


@pytest.mark.parametrize("shifted", [False, True])
def test_every_wide_scene_is_sound(shifted):
    for seed in range(40):
        size = SIZES[seed % 3]
        scene = coreboxes.draw_wide(seed, size, shifted)
        assert scene.pixels.shape == (size[1], size[0], 3) and scene.pixels.dtype == np.uint8
        assert len(scene.boxes) <= 12 and (scene.kind == "none") == (len(scene.boxes) == 0)
        for box in scene.boxes:
            sound(box, size)


def sound(box, size):
    assert box.outer.dtype == box.inner.dtype == np.float32 and box.outer.shape == box.inner.shape == (4, 2)
    assert np.isfinite(box.outer).all() and cv2.isContourConvex(box.outer)
    assert 1 <= box.row_nb <= 20 and box.rows.shape == (box.row_nb, 4, 2)
    assert box.rows_run in ("horizontal", "vertical")
    o = box.outer
    assert o[0].sum() == o.sum(1).min() and cv2.contourArea(o, True) > 0
    assert all(cv2.pointPolygonTest(o, tuple(map(float, p)), True) > -0.015 * max(size) for p in (*box.inner, *box.rows.reshape(-1, 2)))
    if not box.cut:
        assert o.min() > -0.004 * max(size) and (o - size).max() < 0.004 * max(size)


def test_the_same_arguments_give_the_same_bytes():
    first, again = (coreboxes.draw_wide(11, (320, 240)) for _ in range(2))
    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert [box.outer.tolist() for box in first.boxes] == [box.outer.tolist() for box in again.boxes]


def placed(x0, y0, x1, y1, rows=3):
    outer = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)
    step = (y1 - y0) / rows
    channels = [[[x0, y0 + k * step], [x1, y0 + k * step], [x1, y0 + (k + 1) * step], [x0, y0 + (k + 1) * step]]
                for k in range(rows)]
    return truths.Placed(outer, outer, np.array(channels, float))


def test_boxes_are_listed_line_by_line():
    quads = [placed(60, 12, 90, 40), placed(5, 55, 40, 90), placed(5, 10, 40, 42), placed(60, 52, 90, 92)]
    found = truths.seen(quads, np.asarray, (100, 100))
    assert [tuple(box.outer[0]) for box in found] == [(5, 10), (60, 12), (5, 55), (60, 52)]


def test_a_box_is_cut_where_a_corner_lies_outside():
    whole, cut, barely = placed(0, 0, 50, 50), placed(60, 10, 120, 50), placed(10, 60, 100.2, 90)
    assert [box.cut for box in truths.seen([whole, cut, barely], np.asarray, (100, 100))] == [False, True, False]


def test_a_box_of_which_next_to_nothing_is_seen_is_left_out():
    assert truths.seen([placed(95, 0, 200, 50)], np.asarray, (100, 100)) == []
    only_rim = placed(80, 0, 200, 50)
    only_rim.rows[..., 0] = np.clip(only_rim.rows[..., 0], 101, None)
    assert truths.seen([only_rim], np.asarray, (100, 100)) == []


def test_a_box_under_a_pasted_photograph_is_gone_or_cut():
    over = np.array([[0, 0], [60, 0], [60, 100], [0, 100]])
    assert truths.seen([placed(5, 5, 55, 50), over], np.asarray, (100, 100)) == []
    assert [box.cut for box in truths.seen([placed(5, 5, 95, 50), over], np.asarray, (100, 100))] == [True]


def test_a_trimmed_box_has_its_corners_on_the_edge():
    slanted = truths.Placed(*[np.array(v, float) for v in (
        [[0, 0], [100, 10], [96, 50], [-4, 40]], [[5, 5], [90, 14], [88, 45], [2, 36]],
        [[[5, 5], [90, 14], [88, 45], [2, 36]]])])
    shown = truths.trimmed(slanted, -10, -10, 50, 60)
    assert shown.cut and np.allclose(shown.outer, [[0, 0], [50, 5], [50, 45.4], [-4, 40]])
    assert not truths.trimmed(slanted, -10, -10, 120, 60).cut


def test_trimmed_photographs_are_cut_at_all_corners():
    for seed in range(8):
        scene = groups.trimmed(np.random.default_rng(seed), (320, 240), False)
        assert all(box.cut for box in scene.boxes)
        hull = np.concatenate([box.outer for box in scene.boxes])
        assert hull.min() < 1 and (hull.max(0) > (319, 239)).all()
        assert (np.abs(hull - np.clip(hull, 0, (320, 240))) < 0.03 * 320).all()


def test_the_shifted_groups_stand_in_the_held_out_world():
    for seed in range(6):
        made = groups.group(np.random.default_rng(seed), (320, 240), True)
        assert made.settings["material"] in groups.boxes.HELD_OUT_MATERIALS


def test_core_shorter_than_a_pixel_can_be_drawn():
    rng, sheet = np.random.default_rng(0), canvas.Sheet(np.zeros((20, 20, 3), np.uint8), 2.0)
    kind, look = rocks.rock(rng), {"wet": 0.0, "halved": False, "sun": 0.0}
    assert rocks.whole(rng, sheet, kind, 1.0, 1.01, 5.0, 3.0, "broken", look)
