"""Generated pictures keep their promises: exact corners, the same bytes for a seed, kinds that are what they say."""

import hashlib
import io
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from lib.synthetic import canvas, coreboxes, handwriting, light, texture_fields
from lib.synthetic import textures as tx
from lib.synthetic.coreboxes import (
    boxes,
    camera,
    floors,
    objects,
    occluders,
    rendering,
    rocks,
    scene_builder,
    surroundings,
)

SIZES = [(640, 480), (640, 290), (480, 640), (320, 240), (853, 480)]


def digest(scene):
    return hashlib.sha1(scene.pixels.tobytes() + scene.outer.tobytes() + scene.rows.tobytes()).hexdigest()


def reach_outside(scene):
    """How far the farthest corner stands outside the picture, as a part of the box's longer side."""
    o, size = scene.outer, np.array(scene.pixels.shape[1::-1])
    side = max(np.linalg.norm(o[1] - o[0]), np.linalg.norm(o[2] - o[1]))
    return max(-o.min(), (o - size).max()) / side


@pytest.fixture
def plain(monkeypatch):
    """Scenes of a white box on black, without lens, light or anything else: what remains is the geometry."""

    def white(*args):
        sheet, _, pieces = drawn(*args)
        sheet.pixels[:] = 255
        return sheet, None, pieces

    def straight(*args):
        view = placed(*args)
        view.bend = 0.0
        return view

    drawn, placed = rendering.draw, camera.place
    monkeypatch.setattr(rendering, "draw", white)
    monkeypatch.setattr(camera, "place", straight)
    for name in ("around", "side_wall", "ground"):
        monkeypatch.setattr(scene_builder.SceneBuilder, name, lambda self: None)
    for name in ("above", "mount"):
        monkeypatch.setattr(occluders, name, lambda scene: None)
    monkeypatch.setattr(scene_builder.SceneBuilder, "expose", lambda self: (on_black(self), 0.0))
    monkeypatch.setattr(scene_builder.SceneBuilder, "frame", lambda self: (0.5, 0.4, 0.8, 0.0, 0.0))


def on_black(drawn):
    """The photograph of the box alone, the rest of the sheet made black."""
    ys, xs = drawn.sheet.cut(0, 0, drawn.wide, drawn.high)
    box = drawn.sheet.pixels[ys, xs].copy()
    drawn.sheet.pixels[:] = 0
    drawn.sheet.pixels[ys, xs] = box
    return camera.photograph(drawn.view, drawn.sheet.pixels, drawn.low, drawn.sheet.s)


def crossing(grey, at, normal):
    """Where brightness passes one half on a line through `at` along `normal`, in continuous coordinates."""
    t = np.arange(-5, 5.01, 0.25)
    spots = (at + t[:, None] * normal - 0.5).astype(np.float32)
    values = cv2.remap(grey, spots[None, :, 0], spots[None, :, 1], cv2.INTER_LINEAR)[0].astype(float)
    k = int(np.argmax((values[:-1] - 127.5) * (values[1:] - 127.5) <= 0))
    u = (127.5 - values[k]) / (values[k + 1] - values[k])
    return at + (t[k] + 0.25 * u) * normal


def side_line(grey, a, b):
    """The line (point, direction) fitted to the edge between two expected corners."""
    along = (b - a) / np.linalg.norm(b - a)
    normal = np.array([-along[1], along[0]])
    found = np.array([crossing(grey, a + (b - a) * u, normal) for u in np.linspace(0.08, 0.92, 25)])
    vx, vy, x, y = cv2.fitLine(found.astype(np.float32), cv2.DIST_L2, 0, 1e-6, 1e-6).ravel()
    return np.array([x, y]), np.array([vx, vy])


def measured(pixels, expected):
    """The four corners as they stand in the pixels: lines fitted to the sides, and where they meet."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    lines = [side_line(grey, expected[k].astype(float), expected[(k + 1) % 4].astype(float)) for k in range(4)]
    corners = []
    for k in range(4):
        (p, u), (q, v) = lines[k - 1], lines[k]
        t = np.linalg.solve(np.column_stack([u, -v]), q - p)
        corners.append(p + t[0] * u)
    return np.array(corners)


def test_the_corners_are_where_the_pixels_change(plain):
    errors = []
    for seed in range(16):
        scene = coreboxes.draw(seed, kind="box")
        outward = np.sign(scene.outer - scene.outer.mean(0))
        errors.append(outward * (measured(scene.pixels, scene.outer) - scene.outer))
    # Edges almost along the pixels are stairs, which the measurement reads to a tenth of a pixel; no side is favoured.
    assert np.abs(errors).max() < 0.25
    assert np.sqrt(np.mean(np.square(errors))) < 0.06
    assert np.abs(np.mean(errors, (0, 1))).max() < 0.02


def test_a_dot_is_seen_where_the_lens_says():
    rng = np.random.default_rng(4)
    corners = np.array([[0, 0], [100, 0], [100, 40], [0, 40]], float)
    view = camera.place(rng, corners, (640, 480), (0.5, 0.5, 0.9, 0, 0))
    view.bend = -0.04
    sheet = np.zeros((900, 1500, 3), np.uint8)
    dots = np.array([[10.0, 6], [90, 6], [90, 34], [10, 34], [50, 20]])
    for x, y in dots * 10 + (250, 250):
        sheet[int(y) - 4 : int(y) + 4, int(x) - 4 : int(x) + 4] = 255
    sheet = cv2.GaussianBlur(sheet, (0, 0), 3) * 3
    pixels = camera.photograph(view, sheet, np.array([-25.0, -25.0]), 10.0)
    for x, y in view.project(dots):
        near = pixels[int(y) - 8 : int(y) + 9, int(x) - 8 : int(x) + 9, 0].astype(float)
        v, u = np.mgrid[:17, :17] + 0.5
        found = np.array([(near * u).sum(), (near * v).sum()]) / near.sum() + (int(x) - 8, int(y) - 8)
        assert np.abs(found - (x, y)).max() < 0.05


@given(st.integers(0, 2**31), st.floats(-0.045, 0.06))
@settings(max_examples=40, deadline=None)
def test_projecting_undoes_unprojecting(seed, bend):
    view = camera.place(np.random.default_rng(seed), np.array([[0, 0], [80, 0], [80, 30], [0, 30]], float), (640, 480),
                        (0.3, 0.6, 0.9, 0, 0))
    view.bend = bend
    points = np.array([[0.0, 0.0], [640, 480], [320, 10], [600, 240]])
    assert np.abs(view.project(view.unproject(points)) - points).max() < 0.02


def test_a_seed_gives_the_same_bytes_in_any_order_and_process():
    first = [digest(coreboxes.draw(seed, (320, 240))) for seed in (3, 4)]
    assert [digest(coreboxes.draw(seed, (320, 240))) for seed in (4, 3)] == first[::-1]
    code = ("from tests.test_synthetic_coreboxes import digest; from lib.synthetic import coreboxes;"
            "print(digest(coreboxes.draw(3, (320, 240))))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == first[0]


def test_seeds_sizes_and_worlds_differ():
    names = {digest(coreboxes.draw(seed, size, shifted)) for seed in (1, 2) for size in ((320, 240), (240, 320)) for shifted in (0, 1)}
    assert len(names) == 8


@given(st.integers(0, 10**9), st.sampled_from(SIZES), st.booleans())
@settings(max_examples=40, deadline=None)
def test_every_scene_is_sound(seed, size, shifted):
    scene = coreboxes.draw(seed, size, shifted)
    assert scene.pixels.shape == (size[1], size[0], 3) and scene.pixels.dtype == np.uint8
    assert scene.outer.shape == scene.inner.shape == (4, 2) and scene.outer.dtype == scene.rows.dtype == np.float32
    assert json.loads(json.dumps(scene.settings)) == scene.settings
    assert len(scene.rows) == scene.row_nb and scene.hidden.shape == (4,) and scene.px_per_cm > 0
    if scene.kind == "none":
        assert np.isnan(scene.outer).all() and scene.row_nb == 0 and not scene.pieces
        return
    assert 1 <= scene.row_nb <= 10
    inside_and_in_order(scene)


def inside_and_in_order(scene):
    o = scene.outer
    assert cv2.isContourConvex(o)
    assert o[0, 0] < o[1, 0] and o[3, 0] < o[2, 0] and o[0, 1] < o[3, 1] and o[1, 1] < o[2, 1]
    assert all(cv2.pointPolygonTest(o, tuple(map(float, p)), True) > -0.5 for p in np.concatenate([scene.inner, *scene.rows]))
    down = scene.outer[3] - scene.outer[0] if not scene.settings["vertical"] else scene.outer[1] - scene.outer[0]
    assert (np.diff(scene.rows.mean(1) @ down) > 0).all()
    for piece in scene.pieces:
        middle = tuple(map(float, piece["polygon"].mean(0)))
        # Core lies deeper than the rim, so a slanted view may show it up to a core's breadth aside.
        assert cv2.pointPolygonTest(scene.rows[piece["row"]], middle, True) > -10 * scene.px_per_cm


@pytest.mark.parametrize("kind", coreboxes.KINDS)
def test_a_kind_is_what_it_says(kind):
    for seed in range(6):
        scene = coreboxes.draw(seed, (320, 240), kind=kind)
        assert scene.kind == kind
        if kind == "cut":
            assert reach_outside(scene) > 0.05
        elif kind != "none":
            assert reach_outside(scene) < 0.015


def test_a_hidden_corner_lies_under_something():
    scenes = [coreboxes.draw(seed, (320, 240), kind="box") for seed in range(40)]
    assert 0 < sum(scene.hidden.any() for scene in scenes) < 30
    for scene in scenes:
        under = [any(cv2.pointPolygonTest(t, tuple(map(float, p)), False) > 0 for t in scene.tags) for p in scene.outer]
        assert (scene.hidden >= under).all()


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="bex"):
        coreboxes.draw(0, kind="bex")


def test_kinds_come_in_their_natural_mix():
    found = [coreboxes.draw(seed, (320, 240)).kind for seed in range(150)]
    assert 0.78 < found.count("box") / len(found) < 0.94
    assert set(found) == set(coreboxes.KINDS)


def test_the_shifted_world_shares_nothing_with_the_default():
    assert not set(boxes.MATERIALS) & set(boxes.HELD_OUT_MATERIALS)
    assert not set(rocks.ROCKS) & set(rocks.HELD_OUT_ROCKS)
    assert not set(floors.FLOORS) & set(floors.HELD_OUT_FLOORS)
    assert not set(surroundings.LAYOUTS) & set(surroundings.HELD_OUT_LAYOUTS)
    for seed in range(8):
        usual, held = (coreboxes.draw(seed, (320, 240), shifted).settings for shifted in (False, True))
        for name, table in (("material", boxes.HELD_OUT_MATERIALS), ("floor", floors.HELD_OUT_FLOORS), ("light", light.HELD_OUT_LIGHTS),
                            ("layout", (*surroundings.HELD_OUT_LAYOUTS, "stack"))):
            assert held[name] in table
            assert usual[name] not in table or usual[name] == "stack"


@pytest.mark.parametrize("size", [(320, 240), (1900, 860), (600, 1200), (4600, 3400)])
def test_any_size_can_be_asked_for(size):
    scene = coreboxes.draw(5, size, kind="box")
    assert scene.pixels.shape == (size[1], size[0], 3)
    assert scene.pixels.std() > 10


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_turned_upright_is_the_picture(orientation):
    scene = coreboxes.draw(1, (320, 240), kind="box")
    picture = Image.open(io.BytesIO(coreboxes.jpeg(scene, 95, orientation)))
    assert picture.getexif()[0x0112] == orientation
    upright = np.asarray(ImageOps.exif_transpose(picture)).astype(int)
    assert upright.shape == scene.pixels.shape
    assert np.abs(upright - scene.pixels).mean() < 6


def test_jpeg_refuses_an_orientation_that_is_none():
    with pytest.raises(ValueError, match="9"):
        coreboxes.jpeg(coreboxes.draw(1, (320, 240)), orientation=9)


def test_every_sign_of_what_is_written_can_be_drawn():
    written = [handwriting.words(np.random.default_rng(seed), kind) for seed in range(300)
               for kind in ("hole", "box", "depth", "span", "id")]
    assert {*"".join(written)} - {" "} <= set(handwriting.STROKES)
    assert any("ЯЩ" in each for each in written) and any("BOX" in each for each in written)
    pixels = np.zeros((60, 400, 3), np.uint8)
    assert handwriting.write(np.random.default_rng(0), pixels, "ЯЩ № 27", 5, 5, 40, (255, 255, 255)) > 100
    assert 0.02 < (pixels > 127).mean() < 0.3


def test_somebody_who_stands_there_hides_the_ground_and_tells_where():
    sheet = canvas.Sheet(np.zeros((600, 600, 3), np.uint8), 5.0)
    outline = objects.legs(np.random.default_rng(0), sheet, 60, 30, 0)
    y, x = np.nonzero(sheet.pixels.max(2))
    inside = [cv2.pointPolygonTest(outline.astype(np.float32), (float(a) / 5, float(b) / 5), True) > -3
              for a, b in zip(x[::50], y[::50], strict=True)]
    assert len(x) > 5000 and np.mean(inside) > 0.98 and y.min() / 5 > 25


def test_importing_draws_nothing():
    code = ("import sys; from lib.synthetic import coreboxes, textures;"
            "assert textures.pyramid.cache_info().currsize == 0; assert 'tensorflow' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", list(texture_fields.MAKERS))
def test_a_field_of_the_bank_has_contrast(name):
    field = tx.pyramid(name)[0]
    assert field.shape[:2] == (texture_fields.SIZE, texture_fields.SIZE) and field.dtype == np.uint8 and field.std() > 8
