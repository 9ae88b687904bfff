"""The wide world keeps its promises: groups, trays, pages and core without a box are what their truth says."""

import cv2
import numpy as np
import pytest

from lib.synthetic import coreboxes
from lib.synthetic.coreboxes import (
    camera,
    composition,
    groups,
    laboratory,
    loose,
    pages,
    rendering,
    slabs,
    truths,
    wide,
)

BLACK, WHITE = 0, 255


def seeded(seed):
    return np.random.default_rng(seed)


@pytest.fixture
def drawing(monkeypatch):
    """White boxes with black channels on black: no lens, light, core, or things about them."""

    def plain(rng, box, s, *rest):
        sheet, _, _ = drawn(rng, box, s, *rest)
        sheet.pixels[:] = WHITE
        for a, b in box.rows:
            sheet.fill(box.ends[0], a, box.ends[1], b, BLACK)
        return sheet, None, []

    def straight(*args):
        view = standing(*args)
        view.bend = 0.0
        return view

    drawn, standing = rendering.draw, camera.place
    monkeypatch.setattr(rendering, "draw", plain)
    monkeypatch.setattr(camera, "place", straight)
    monkeypatch.setattr(composition, "walls", lambda *args: None)
    monkeypatch.setattr(composition, "edited", lambda made, pixels: pixels)
    monkeypatch.setattr(composition.tx, "gained", lambda pixels, gain: pixels)
    monkeypatch.setattr(groups, "over_group", lambda made: None)
    monkeypatch.setattr(laboratory, "beside", lambda *args: None)
    monkeypatch.setattr(laboratory, "background", lambda made: None)
    monkeypatch.setattr(slabs, "slab", lambda rng, kinds, shape, *rest: np.zeros((*shape, 3), np.uint8))
    monkeypatch.setattr("lib.synthetic.canvas.Sheet.shadow", lambda *args: None)
    monkeypatch.setattr(composition.Composition, "dress", lambda self, chance=0: None)
    monkeypatch.setattr(composition.Composition, "ground", lambda self: self.sheet.pixels.fill(BLACK))
    monkeypatch.setattr(composition.Composition, "expose", lambda self: (
        camera.photograph(self.view, self.sheet.pixels, self.low, self.sheet.s), 0.0))


def at(scene, points):
    """Brightness of the picture at those of the points (px) that lie in it."""
    points = np.float32(points).reshape(-1, 2)
    spots = points[inside(points, scene.pixels.shape[1::-1])] - 0.5
    if not len(spots):
        return np.zeros(0)
    return cv2.remap(scene.pixels[..., 0], spots[None, :, 0], spots[None, :, 1], cv2.INTER_LINEAR)[0]


def inside(points, size, room=2):
    return ((points > room) & (points < np.array(size) - room)).all(-1)


@pytest.mark.parametrize("shifted", [False, True])
def test_the_rows_told_are_the_channels_drawn(drawing, shifted):
    checked = 0
    for seed in range(10):
        scene = groups.group(seeded(seed), (640, 480), shifted)
        for box in scene.boxes:
            middles, (light, dark) = box.rows.mean(1), slats_and_channels(box)
            if min(light, dark) < 3:
                continue  # too thin to be seen apart
            slats = (middles[1:] + middles[:-1]) / 2
            assert (at(scene, middles) < 90).all() and (at(scene, slats) > 110).all()
            checked += len(middles)
    assert checked > 40


def slats_and_channels(box):
    """Least breadth of the slats and of the channels of a box, in px."""
    last, first = ((3, 2), (0, 1)) if box.rows_run == "horizontal" else ((1, 2), (0, 3))
    across = [np.linalg.norm(box.rows[:, first].mean(1) - box.rows[:, last].mean(1), axis=1).min()]
    slats = np.linalg.norm(box.rows[1:][:, first].mean(1) - box.rows[:-1][:, last].mean(1), axis=1)
    return (slats.min() if len(slats) else 0), across[0]


def test_boxes_of_a_group_do_not_overlap():
    for seed in range(10):
        found = groups.group(seeded(seed), (320, 240), False).boxes
        for k, one in enumerate(found):
            for other in found[:k]:
                shared, _ = cv2.intersectConvexConvex(one.outer, other.outer)
                assert shared < 0.06 * min(abs(cv2.contourArea(one.outer)), abs(cv2.contourArea(other.outer)))


def test_trays_side_by_side_are_one_box(drawing):
    for seed in range(12):
        scene = laboratory.trays(seeded(seed), (480, 640), False)
        (box,) = scene.boxes
        assert 3 <= box.row_nb <= 8
        t = np.linspace(0.2, 0.8, 9)[:, None]
        sides = ((0, 3), (1, 2)) if box.rows_run == "vertical" else ((0, 1), (3, 2))
        for a, b in sides:
            line = box.outer[a] * (1 - t) + box.outer[b] * t
            toward = box.outer.mean(0) - line.mean(0)
            step = 1.6 * toward / np.linalg.norm(toward)
            within = at(scene, line + 0.4 * step)
            assert (at(scene, line - step) < 60).all() and (not len(within) or within.mean() > 120)
        assert (at(scene, box.rows.mean(1)) < 60).all()


LOOSE = [loose.template, loose.pipes, loose.boards, loose.short_slab, loose.on_the_ground]


@pytest.mark.parametrize("made", LOOSE, ids=lambda made: made.__name__)
def test_core_without_a_frame_is_no_box(made):
    for seed in range(4):
        scene = made(seeded(seed), (320, 240), seed % 2 == 1)
        assert scene.kind == "none" and scene.boxes == [] and scene.row_nb == 0 and np.isnan(scene.outer).all()
        assert scene.pixels.std() > 3


@pytest.mark.parametrize("made", [pages.cartons, pages.stack_on_page, pages.stitched], ids=lambda made: made.__name__)
def test_boxes_on_a_page_lie_on_their_photographs(made):
    for seed in range(4):
        scene = made(seeded(seed), (320, 240), seed % 2 == 1)
        assert scene.settings["mounted"] and 1 <= len(scene.boxes) <= 12
        for box in scene.boxes:
            assert inside(box.outer.mean(0), (320, 240), 0)


def test_a_photograph_is_pasted_with_its_boxes():
    page = pages.Page(seeded(0), (200, 100), False, (0, 0, 0))
    outer = np.array([[-4, 6], [40, 6], [40, 30], [-4, 30]], float)
    box = truths.BoxTruth(outer, outer, 1, "horizontal", False, outer[None])
    page.paste(np.full((50, 60, 3), 255, np.uint8), [box], (100, 20))
    (told,) = page.boxes
    assert told.outer.tolist() == [[100, 26], [140, 26], [140, 50], [100, 50]] and told.cut
    assert page.pixels[20:70, 100:160].min() == 255 and page.pixels[:, :100].max() == 0


def test_cartons_stand_on_end():
    for seed in range(4):
        scene = pages.cartons(seeded(seed), (320, 400), False)
        assert {box.rows_run for box in scene.boxes} == {"vertical"}
        assert all(2 <= box.row_nb <= 4 for box in scene.boxes)


def test_a_black_lamp_makes_pictures_blue():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    lit = np.mean([slabs.ultraviolet(seeded(seed), pixels).mean((0, 1)) for seed in range(20)], 0)
    assert lit[2] > lit[0] * 1.2 and lit.mean() < pixels.mean()


def test_every_layout_has_its_share():
    assert sum(wide.LAYOUTS.values()) == pytest.approx(1)
    assert set(LOOSE) < set(wide.LAYOUTS)
    assert sum(wide.LAYOUTS[made] for made in LOOSE) == pytest.approx(0.18)
    assert set(wide.LAYOUTS) - set(LOOSE) == {groups.group, groups.trimmed, laboratory.trays, pages.cartons,
                                              pages.stack_on_page, pages.stitched}


def test_boxes_have_up_to_twenty_rows():
    found = [len(groups.make(seeded(seed), seed % 2 == 1).rows) for seed in range(300)]
    assert min(found) == 1 and 13 <= max(found) <= 20 and np.mean(np.array(found) > 12) < 0.1
    some = [groups.make(seeded(seed), False) for seed in range(60)]
    assert 5 < sum(bool(box.extra["empty"]) for box in some) < 40
    assert all(set(box.extra["empty"]) <= set(range(len(box.rows))) for box in some)


@pytest.mark.parametrize("seed", [9, 83, 161])
def test_copies_of_a_photograph_beside_a_mounted_one_are_boxes_too(seed):
    scene = coreboxes.draw(seed, (160, 120), kind="box")
    assert scene.settings["mounted"] and len(scene.boxes) == 3
    nearest = min(np.abs(box.outer - scene.outer).max() for box in scene.boxes)
    assert nearest < 0.01 * 160
