"""Answers of an export: plain, in the picture's pixels, the same for bytes, paths, pictures and threads."""

import concurrent.futures
import json

import numpy as np
import pytest
import toy_export
from toy_export import picture

from lib.imaging import images
from lib.serving import prediction
from lib.storage import files


def test_an_answer_is_plain_json_in_the_pictures_pixels(predictor):
    answer = predictor.answer(picture())
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert 0 < answer["p1x"] < answer["p2x"] < 320 and 0 < answer["p1y"] < answer["p4y"] < 240
    assert answer["model"] == "corners" and answer["model_version"] == toy_export.VERSION
    assert tuple(answer) == predictor.columns


def test_bytes_a_path_and_a_picture_are_answered_alike(predictor, tmp_path):
    files.write(tmp_path / "a.jpg", picture())
    answer = predictor.answer(picture())
    assert answer == predictor.answer(tmp_path / "a.jpg") == predictor.answer(images.read(picture()))


def test_a_picture_twice_as_large_has_corners_twice_as_far(predictor):
    small, large = predictor.answer(picture(3)), predictor.answer(picture(3, (640, 480)))
    for name in predictor.job.columns:
        if name != "row_nb":
            assert large[name] == pytest.approx(2 * small[name], abs=2)


def test_threads_get_the_answers_of_one(predictor):
    alone = [predictor.answer(picture(seed)) for seed in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(predictor.answer, [picture(seed) for seed in range(8)] * 4))
    assert together == alone * 4


def test_an_answer_that_is_no_number_is_an_error(predictor, monkeypatch):
    monkeypatch.setitem(predictor.parts, "coarse", lambda batch: np.full((1, 9), np.nan))
    with pytest.raises(ValueError):
        predictor.answer(picture())


def test_limits_reach_the_door(predictor):
    with pytest.raises(images.Refused, match="megapixels"):
        predictor.answer(picture(), max_pixels=1000)


def test_rounding_touches_the_named_members_only():
    answer = {"p1x": 1.6, "radius": [0.44, None], "confidence": 0.123, "boxes": None}
    assert prediction.rounded(answer, ("p1x", "radius", "boxes"), 0) == {
        "p1x": 2, "radius": [0, None], "confidence": 0.123, "boxes": None}
    assert isinstance(prediction.rounded(answer, ("p1x",), 0)["p1x"], int)
    assert prediction.rounded(answer, ("p1x", "radius"), 1)["radius"] == [0.4, None]


def test_answers_can_be_left_in_the_middle(predictor, tmp_path):
    for number in range(4):
        files.write(tmp_path / f"{number}.jpg", picture(number))
    answers = predictor.answers(tmp_path, progress=False)
    assert next(answers)["error"] is None
    answers.close()
