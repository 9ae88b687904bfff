"""What is sent and drawn of core boxes: one of them or all, with or without rows, and what the description says of it."""

import io
import json

import httpx
import jsonschema
import numpy as np
import pytest
import toy_export
from PIL import Image
from test_api import inside, picture, problem

from lib import tasks
from lib.common import config
from lib.imaging import images
from lib.serving import prediction
from lib.serving.api import rendering
from lib.serving.api.answers import _lines
from lib.tasks.corners import boxes, labels


def box(x, y, size=(200.4, 60.0), **others):
    width, height = size
    corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
    return {**labels.row_of(corners, 3), "rows_run": "horizontal", "confidence": 0.9, "radius": [1.4, 2.6, 1.0, 1.0],
            "cut": False, "refused": None, **others}


SURE, UNSURE, CUT = box(40, 20), box(40, 90, confidence=0.3), box(-120.6, 160, cut=True, confidence=0.95)
REFUSED = box(40, 200, (60, 30), refused="blurred", confidence=0.2)
ANSWERS = {"several": boxes.answer_of([SURE, UNSURE, CUT, REFUSED]), "none": boxes.answer_of([]), "one": boxes.answer_of([SURE]),
           "cut alone": boxes.answer_of([CUT])}


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return toy_export.folder(tmp_path_factory)


@pytest.fixture
def served(export, monkeypatch):
    """A function: what the API answers to requests (path, content, headers) where its model finds these boxes."""
    def ask(answer, tmp_path, *asked, **others):
        loaded = prediction.load(export)
        monkeypatch.setattr(prediction, "load", lambda *_, **__: loaded)
        monkeypatch.setattr(loaded.job, "answer", lambda *_: json.loads(json.dumps(answer)))
        return inside(export, tmp_path / f"log{len(list(tmp_path.iterdir()))}", *asked, **others)

    return ask


def without(answer, *names):
    return {name: value for name, value in answer.items() if name not in names}


def test_one_box_is_sent_unless_all_are_asked_for_and_always_their_number(served, tmp_path):
    paths = [f"{path}?{query}" for path in ("/predict", "/v1/corners/predict") for query in ("", "boxes=one", "boxes=all")]
    answers = [answer.json() for answer in served(ANSWERS["several"], tmp_path, *[("POST", path, picture()) for path in paths])]
    for plain, one, every in (answers[:3], answers[3:]):
        assert "boxes" not in plain and without(plain, "trace_id") == without(one, "trace_id") == without(every, "trace_id", "boxes")
        assert plain["boxes_nb"] == 4 == len(every["boxes"]) and (plain["rows_run"], plain["cut"]) == ("horizontal", False)
        assert (plain["p1x"], plain["p2x"], plain["radius"]) == (40, 240, [1, 3, 1, 1]), "the surest whole one, in whole pixels"
        assert [each["p1x"] for each in every["boxes"]] == [40, 40, -121, 40], "in reading order, a cut one beyond the picture"
        assert every["boxes"][0]["radius"] == [1, 3, 1, 1] and all(type(each["p3y"]) is int for each in every["boxes"])
        assert [(each["cut"], each["refused"]) for each in every["boxes"]] == [
            (False, None), (False, None), (True, None), (False, "blurred")]


def test_mode_8_leaves_the_rows_out_of_every_box(served, tmp_path):
    eight, nine = (answer.json() for answer in served(ANSWERS["several"], tmp_path, *[
        ("POST", f"/predict?boxes=all&mode={mode}", picture()) for mode in (8, 9)]))
    assert "row_nb" not in eight and all("row_nb" not in each for each in eight["boxes"])
    assert nine["row_nb"] == 3 and all(each["row_nb"] == 3 for each in nine["boxes"])


def test_where_there_is_no_box_the_numbers_are_null_and_the_list_is_empty(served, tmp_path):
    plain, every = (answer.json() for answer in served(ANSWERS["none"], tmp_path, ("POST", "/predict", picture()),
                                                       ("POST", "/predict?boxes=all", picture())))
    assert every["boxes"] == [] and plain["boxes_nb"] == every["boxes_nb"] == 0 and plain["refused"] == "no_box"
    assert all(plain[name] is None for name in (*labels.NUMBERS, "row_nb", "radius"))


def test_batches_and_inference_requests_take_the_same_parameter(served, tmp_path):
    import base64

    infer = {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [base64.b64encode(picture()).decode()]}],
             "parameters": {"boxes": "all", "mode": 8}}
    form = httpx.Request("POST", "http://x", files=[("file", picture()), ("file", b"none")])
    found, = served(ANSWERS["several"], tmp_path, ("POST", "/v2/models/corners/infer", json.dumps(infer)))
    batch, = served(ANSWERS["several"], tmp_path, ("POST", "/v1/corners/predict/batch?boxes=all&mode=8", form.read()),
                    headers={"content-type": form.headers["content-type"]})
    first, refused = batch.json()["answers"]
    assert json.loads(found.json()["outputs"][0]["data"][0]) == first and len(first["boxes"]) == 4
    assert "row_nb" not in first["boxes"][0] and refused["code"] == "not_a_picture"


def test_another_value_of_boxes_is_refused_at_every_path(served, tmp_path):
    asked = [("POST", path, picture()) for path in ("/predict?boxes=2", "/predict?boxes=all&boxes=all", "/predict?boxes=ALL",
                                                    "/v1/corners/predict/batch?boxes=every")]
    for answer in served(ANSWERS["one"], tmp_path, *asked):
        problem(answer, 400, "bad_boxes")


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_is_as_the_description_says(name, served, tmp_path):
    paths = ["/predict", "/predict?boxes=all", "/predict?mode=8", "/predict?boxes=all&mode=8"]
    described, *answers = served(ANSWERS[name], tmp_path, ("GET", "/openapi.json", None), *[("POST", path, picture()) for path in paths],
                                 decimals=1)
    about = described.json()["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]
    known = {**about["schema"], "additionalProperties": False}
    known["properties"] = {**known["properties"], "boxes": {**known["properties"]["boxes"], "items": {
        **known["properties"]["boxes"]["items"], "additionalProperties": False}}}
    for answer in answers:
        jsonschema.validate(answer.json(), known)
    for wrong in ({"cut": None}, {"refused": "none"}, {"confidence": 2}, {"boxes": [{"p1x": 1}]}, {"radius": [1]}, {"rows_run": "up"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**answers[1].json(), **wrong}, known)
    for example in about["examples"].values():
        jsonschema.validate(example["value"], known)
    assert "boxes" in about["examples"]["boxes=all"]["value"] and "row_nb" not in about["examples"]["mode=8"]["value"]


def test_a_batch_is_as_the_description_says(served, tmp_path):
    form = httpx.Request("POST", "http://x", files=[("file", picture()), ("file", b"none")])
    described, answer = served(ANSWERS["several"], tmp_path, ("GET", "/openapi.json", None),
                               ("POST", "/v1/corners/predict/batch?boxes=all", form.read()),
                               headers={"content-type": form.headers["content-type"]})
    about = described.json()["paths"]["/v1/{task}/predict/batch"]["post"]
    jsonschema.validate(answer.json(), about["responses"]["200"]["content"]["application/json"]["schema"])
    assert [one["name"] for one in about["parameters"]] == ["task", "mode", "boxes"]


# --- drawn


def red(drawn):
    """Where a picture is red: bool (height, width)."""
    pixels = np.asarray(drawn.convert("RGB")).astype(int)
    return (pixels[..., 0] > 180) & (pixels[..., 1] < 120)


def test_all_boxes_are_drawn_and_those_that_are_not_sure_are_told_apart(served, tmp_path):
    grey = io.BytesIO()
    Image.new("RGB", (320, 240), (90, 90, 90)).save(grey, "PNG")
    answer, = served(ANSWERS["several"], tmp_path, ("POST", "/predict?draw=true", grey.getvalue()))
    drawn = red(Image.open(io.BytesIO(answer.content)))
    top = {name: drawn[y - 1:y + 2, max(0, x + 4):x + 196].any(0).mean() for name, x, y in (
        ("sure", 40, 20), ("unsure", 40, 90), ("cut", -120, 160))}
    assert top["sure"] == 1 and 0.3 < top["unsure"] < 0.8 and 0.2 < top["cut"] < 0.8
    assert [line[2] for line in _lines(predictor_of(), ANSWERS["several"])] == ["solid", "dashed", "dotted", "dashed"]


def predictor_of():
    class Found:
        job = tasks.job("corners")

    return Found


def test_a_drawn_box_says_its_number_its_rows_and_what_is_wrong_with_it():
    job = tasks.job("corners")
    assert [one.text for one in job.overlay_polygons(ANSWERS["several"])] == ["1: 3 rows", "2: 3 rows", "3: 3 rows, cut", "4: 3 rows, blurred"]
    assert [one.text for one in job.overlay_polygons(ANSWERS["one"])] == ["3 rows"], "one alone has no number"
    assert job.overlay_polygons(boxes.answer_of([box(0, 0, cut=True, refused="cut", row_nb=1)]))[0].text == "1 row, cut"
    eight = tasks.job("corners", overrides={"corners.predictor_mode": 8})
    alone = [without(each, "row_nb") for each in (SURE, CUT)]
    assert [one.text for one in eight.overlay_polygons(boxes.answer_of(alone, counts=False))] == ["1", "2: cut"]


def test_nothing_is_drawn_where_nothing_was_found():
    assert _lines(predictor_of(), ANSWERS["none"]) == []


def test_a_caption_lies_in_the_picture_also_where_its_corner_does_not():
    grey = images.Picture(np.full((240, 320, 3), 90, np.uint8), (320, 240))
    plain = red(Image.open(io.BytesIO(rendering.render(grey, []))))
    for corner in ((-500, -500), (-500, 900), (900, -500), (900, 900)):
        far = np.add(corner, [(0, 0), (1, 0), (1, 1), (0, 1)])
        assert red(Image.open(io.BytesIO(rendering.render(grey, [(far, "12: 20 rows, cut", "dotted")])))).sum() > 60
    assert not plain.any()


def test_no_two_styles_look_alike():
    grey, square = images.Picture(np.full((200, 300, 3), 90, np.uint8), (300, 200)), [(50, 50), (250, 50), (250, 150), (50, 150)]
    shares = {style: red(Image.open(io.BytesIO(rendering.render(grey, [(square, "", style)])))).sum() for style in rendering.STYLES}
    assert 0.3 * shares["solid"] < shares["dotted"] < shares["dashed"] < 0.8 * shares["solid"]


def test_the_settings_decide_whether_rows_are_told():
    job = tasks.job("corners", overrides={"corners.predictor_mode": 8})
    assert job.query["mode"]["enum"] == [8] and "row_nb" not in job.response_schema
    assert config.resolve("corners", "smoke", {}).corners.predictor_mode == 9
