"""Every bad or odd picture has its one outcome, through the door and through the API alike."""

import time

import corpus
import httpx
import numpy as np
import pytest
import toy_export
from conftest import label

from lib.common import config
from lib.common.http import problem_details
from lib.data import transfer
from lib.imaging import geometry, images
from lib.serving import api, prediction

CASES = corpus.cases()


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return toy_export.folder(tmp_path_factory)


def outcome(data, **limits):
    try:
        images.read(data, **limits)
    except images.Refused as refused:
        assert "\n" not in str(refused) and len(str(refused)) < 250 and " at 0x" not in str(refused)
        return refused.code
    return None


def test_every_case_has_an_outcome_and_every_outcome_its_case():
    assert CASES.keys() == corpus.EXPECTED.keys() and len(CASES) >= 108


@pytest.mark.parametrize("name", CASES)
def test_the_door(name):
    begun = time.monotonic()
    assert outcome(CASES[name]) == corpus.EXPECTED[name]
    assert time.monotonic() - begun < 5


def test_the_api_says_the_same_and_goes_on(export):
    good, found = CASES["G5 orientation 1"], {}
    with api.start(export, config.Params({**config.resolve_group("api").plain(), "port": 0})) as server, \
            httpx.Client(base_url=server.url, trust_env=False, timeout=10) as client:
        before = client.post("/predict", content=good).json() | {"trace_id": ""}
        for name, data in CASES.items():
            answer = client.post("/predict", content=data)
            found[name] = answer.json().get("code")
            assert answer.status_code == (problem_details.STATUS[found[name]] if found[name] else 200), name
        assert client.post("/predict", content=good).json() | {"trace_id": ""} == before
    assert found == corpus.EXPECTED


def test_notebook_01_takes_and_leaves_the_same_ones(walk, place):
    """Each case as a file of a share: what the API refuses is left out with the reason of that code, the rest is kept."""
    rows, expected = [], {}
    for number, (name, data) in enumerate(CASES.items()):
        path = place / f"{number:03}.jpg"
        path.write_bytes(data)
        code = corpus.EXPECTED[name]
        expected[f"X:\\{path.name}"] = transfer.REASONS[code] if code else None
        rows.append(labelled(path, images.read(data, (64, 64)).size if code is None else (64, 48)))
    found = walk(rows, **{"split.by": ""})
    told = {row.image: row.reason for row in found.dropped.itertuples()}
    alike = {image for image, reason in told.items() if reason.startswith("same picture") and expected[image] is None}
    assert {image: told.get(image) for image in expected if image not in alike} == \
        {image: reason for image, reason in expected.items() if image not in alike}
    assert len(alike) < 5 and len(found.table) + len(told) == len(CASES)
    for row in found.table.itertuples():
        assert (walk.folder / "images" / row.image).read_bytes() == (place / row.source[3:]).read_bytes()


def labelled(path, size):
    """A row whose box fills most of a picture of that size."""
    near, far = (0.1 * size[0], 0.1 * size[1]), (0.9 * size[0], 0.9 * size[1])
    return label(f"X:\\{path.name}", corners=(*near, far[0], near[1], *far, near[0], far[1]))


def test_odd_pictures_have_the_corners_of_their_plain_twins(export):
    predictor = prediction.load(export)
    for name, (data, twin) in corpus.twins().items():
        odd, plain = predictor.answer(data), predictor.answer(twin)
        apart = [abs(odd[key] - plain[key]) for key in predictor.job.columns if key != "row_nb"]
        assert max(apart) <= 1, (name, apart)


@pytest.mark.parametrize("kind", ["toy", "shipped"])
def test_strange_pictures_have_four_finite_corners_in_their_order(kind, tmp_path_factory):
    """Finite and convex; from the top-left clockwise wherever the answer stands by them."""
    predictor = prediction.load(toy_export.folder(tmp_path_factory, kind))
    for name, data in CASES.items():
        if not name.startswith("G6") or corpus.EXPECTED[name]:
            continue
        answer = predictor.answer(data)
        corners = np.array([[answer[f"p{n}{axis}"] for axis in "xy"] for n in range(1, 5)], float)
        size = np.array(images.read(data).size)
        assert np.isfinite(corners).all() and (abs(corners) < 10 * size).all(), name
        assert geometry.is_convex(corners), name
        if not answer["refused"]:
            np.testing.assert_allclose(corners, geometry.order(corners), err_msg=name)
        assert 1 <= answer["row_nb"] <= 10, name
        if kind == "shipped":
            assert 0 <= answer["confidence"] <= 1 and min(answer["radius"]) >= 0, name


def test_a_picture_without_a_whole_box_is_refused_by_the_weights_that_ship(tmp_path_factory):
    predictor = prediction.load(toy_export.folder(tmp_path_factory, "shipped"))
    found = {name: predictor.answer(CASES[f"G6 {name}"])["refused"] for name in (
        "a box", "no box", "black", "white", "noise")}
    assert found.pop("a box") is None and all(found.values()), found


def test_a_twin_is_not_alike_by_chance(export):
    predictor = prediction.load(export)
    upright, mirrored = (predictor.answer(CASES[name]) for name in ("G5 orientation 1", "G6 mirrored"))
    assert max(abs(upright[key] - mirrored[key]) for key in ("p1x", "p2x", "p3x", "p4x")) > 3


def test_further_formats_are_taken_where_a_setting_says_so():
    formats = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
    assert [outcome(CASES[f"G4 {name}"], formats=formats) for name in ("WebP", "BMP")] == [None, None]
    assert outcome(CASES["G4 float TIFF"], formats=formats) == "not_a_picture"
    for name in ("G4 TIFF of many pages", "G2 WebP whose length lies", "G2 TIFF with a loop"):
        assert outcome(CASES[name], formats=formats) == "unreadable", name
    assert outcome(CASES["G3 WebP 16383 x 16383"], formats=formats) in ("too_large", "unreadable")
    assert outcome(CASES["G1 EPS"], formats=formats) == "not_a_picture"


def test_a_picture_just_within_the_limits_is_taken():
    grey = corpus.png_of(8000, 6240, colour=0, data=corpus.zeros(8001 * 6240))
    assert images.read(grey).size == (8000, 6240)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("G3")])
def test_a_bomb_costs_no_memory(name):
    import tracemalloc

    tracemalloc.start()
    begun = time.monotonic()
    outcome(CASES[name])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6 and time.monotonic() - begun < 6


def test_transparent_pixels_are_laid_over_white():
    pixels = images.read(CASES["G4 half transparent"]).pixels
    np.testing.assert_allclose(pixels, np.asarray(corpus.over_white()), atol=1)
