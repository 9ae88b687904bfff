"""Boats: exact boxes in generated pictures, maps that can be read back, COCO's numbers, and a training that goes on."""

import json
import time

import cv2
import numpy as np
import pytest
from conftest import turned_upright
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib import tasks
from lib.common import config
from lib.evaluation import figures
from lib.imaging import geometry, images
from lib.storage import files
from lib.synthetic import boats as synth
from lib.synthetic.boats import sprites as fleet
from lib.synthetic.boats import water as scenery
from lib.tasks import boats
from lib.tasks.boats import detection, matching
from lib.tasks.contract import RejectedRow

CALM = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def row_of(things, size=(640, 480), crowds=()):
    return {"image": "a.jpg", "width": size[0], "height": size[1], "group": "a", "boxes": json.dumps(things),
            "crowds": json.dumps(list(crowds))}


def some(rng, count, size=(640, 480), least=20):
    """Random boxes (n, 4) of at least this side within a picture."""
    sides = rng.uniform(least, np.array(size) / 2, (count, 2))
    low = rng.uniform(0, np.array(size) - sides)
    return np.concatenate([low, low + sides], 1)


# --- the generator


@pytest.mark.parametrize("held_out", [False, True])
def test_a_scene_is_the_same_for_a_seed_and_its_boxes_are_inside(held_out):
    first, again = (synth.draw(11, (320, 240), held_out) for _ in range(2))
    assert np.array_equal(first.pixels, again.pixels) and first.boxes == again.boxes
    for seed in range(8):
        scene = synth.draw(seed, (320, 240), held_out)
        found = detection.array(scene.boxes)
        assert scene.pixels.shape == (240, 320, 3) and len(found)
        assert (found[:, :2] >= 0).all() and (found[:, 2:] <= (320, 240)).all() and (found[:, 2:] > found[:, :2]).all()


def test_a_box_is_what_the_boat_changes_of_the_picture(monkeypatch):
    """Drawn with and without its boats on a plain sea, a picture differs where the boxes are and nowhere else."""
    monkeypatch.setattr(synth, "_around", lambda *_: None)
    sea = np.array([255, 0, 255], np.uint8)      # like no boat
    monkeypatch.setattr(synth, "_background", lambda rng, size, *_: np.tile(sea, (size[1], size[0], 1)))
    for seed in range(12):
        scene = synth.draw(seed, (480, 360), difficulty={"boats": 1, "light": 0.0, "smallest": 0.2})
        changed = np.abs(scene.pixels.astype(int) - sea).max(2) > 80
        if not scene.boxes or changed.sum() < 50:
            continue
        ys, xs = np.nonzero(changed)
        seen = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        inside = np.array(scene.boxes[0])
        assert (np.array(seen[:2]) >= inside[:2] - 1).all() and (np.array(seen[2:]) <= inside[2:] + 1).all()
        assert detection.overlaps(detection.array([seen]), detection.array([inside]))[0, 0] > 0.85


def test_difficulty_is_kept():
    for seed in range(15):
        scene = synth.draw(seed, (320, 240), difficulty={"boats": 9, "overlap": 0.1, "smallest": 0.1, "largest": 0.3})
        found = detection.array(scene.boxes)
        agree = detection.overlaps(found, found) - np.eye(len(found))
        assert len(found) <= 9 and agree.max(initial=0) < 0.35    # what is seen of a hidden boat is less than its rectangle
    calm, rough = (np.mean([cv2.Laplacian(synth.draw(seed, (320, 240), difficulty={
        "boats": 1, "clutter": 0.0, "light": 0.0, "waves": waves, "largest": 0.06}).pixels, cv2.CV_32F).std()
        for seed in range(6)]) for waves in (0.0, 3.0))
    assert rough > 1.3 * calm


def test_what_is_held_back_is_never_drawn_otherwise(monkeypatch):
    assert not set(fleet.HULLS) & set(fleet.HELD_OUT_HULLS) and not set(fleet.CLOTH) & set(fleet.HELD_OUT_CLOTH)
    assert {kind.__name__ for kind in set(fleet.HELD_OUT_KINDS) - set(fleet.KINDS)} == {"catamaran", "freighter", "spinnaker"}
    for module, name in ((fleet, "HELD_OUT_KINDS"), (fleet, "HELD_OUT_HULLS"), (fleet, "HELD_OUT_CLOTH"),
                         (scenery, "HELD_OUT_WATERS"), (scenery, "HELD_OUT_SKIES")):
        monkeypatch.setattr(module, name, ())
    for seed in range(6):
        synth.draw(seed, (160, 120))
    with pytest.raises(ValueError):       # nothing to choose from
        synth.draw(0, (160, 120), held_out=True)


# --- labels


@pytest.mark.parametrize("text, reason", [
    ("[[1, 2, 3]]", "four numbers"), ("{", "four numbers"), ("7", "four numbers"), ('["a"]', "four numbers"),
    ('{"a": 1}', "four numbers"), ("[[1, 2, 3, null]]", "not a number|four numbers"), ("[[1, 2, NaN, 4]]", "not a number"),
    ("[[10, 10, 5, 20]]", "turned round"), ("[[10, 10, 10.2, 20]]", "under a pixel"), ("[[-60, 0, 50, 50]]", "outside"),
    ("[[0, 0, 50, 900]]", "outside"), ("[" * 100_000, "four numbers")])
def test_labels_that_cannot_be_used_are_refused_with_the_reason(text, reason):
    with pytest.raises(RejectedRow, match=reason):
        tasks.job("boats").check({**row_of([]), "boxes": text})


def test_a_box_a_little_outside_is_cut_and_an_empty_picture_is_good():
    job = tasks.job("boats")
    assert json.loads(job.check(row_of([[-3, 10, 100, 481]]))["boxes"]) == [[0, 10, 100, 480]]
    assert json.loads(job.check(row_of([]))["boxes"]) == []
    assert "crowds" not in job.check({key: value for key, value in row_of([]).items() if key != "crowds"})


@pytest.mark.parametrize("orientation", range(1, 9))
def test_labels_turn_with_the_picture(orientation):
    stored = np.zeros((60, 90, 3), np.uint8)
    stored[10:30, 20:70] = 255
    upright = turned_upright(stored, orientation)
    size = upright.shape[1::-1]
    row = tasks.job("boats").transform_points(row_of([[20, 10, 70, 30]], size),
                                    lambda points: images.upright(points, orientation, size))
    ys, xs = np.nonzero(upright[..., 0])
    assert json.loads(row["boxes"]) == [[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]]


# --- maps


@CALM
@given(st.integers(0, 10_000), st.integers(1, 8), st.sampled_from([(640, 480), (480, 640), (1920, 1088), (333, 777)]))
def test_what_is_encoded_is_decoded(seed, count, size):
    job, things = tasks.job("boats"), []
    frame = geometry.letterbox(size, job.input_size)
    for box in some(np.random.default_rng(seed), count, size, least=min(size) / 20):
        near = detection.overlaps(detection.array([box]), detection.array(things)).max(initial=0)
        centre = [np.abs(frame.into((box[:2] + box[2:]) / 2) - frame.into((np.array(each[:2]) + each[2:]) / 2)).max()
                  for each in things]
        if near < 0.5 and min(centre, default=99) > 2 * boats.maps.STRIDE:
            things.append(box.tolist())
    answer = job.decode(job.encode(row_of(things, size)), size)
    agree = detection.overlaps(detection.array(things), detection.array(answer["boxes"]))
    assert len(answer["boxes"]) == len(things) and (agree.max(1) > 0.999).all()
    assert job.score({"boxes": things, "crowds": []}, answer)["f1"] == 1


def test_cells_in_a_crowd_are_not_judged():
    job = tasks.job("boats")
    heat = job.encode(row_of([[400, 200, 500, 300]], crowds=[[0, 0, 320, 240]]))["heat"]
    assert (heat[2:20, 4:30, 1] == 0).all() and heat[..., 0].max() == 1 and (heat[heat[..., 0] > 0.5][:, 1] == 1).all()
    assert heat[40:, :, 1].min() == 1


def test_a_varied_example_keeps_boxes_on_their_boats(monkeypatch):
    """White rectangles on black, seen through any window: the target's boxes are where the white is."""
    monkeypatch.setattr(boats.augmentation.augmentation, "vary", lambda pixels, rng: pixels)
    monkeypatch.setattr(boats.augmentation, "recoloured", lambda rng, pixels, things: pixels)
    job, rng, seen = tasks.job("boats"), np.random.default_rng(0), 0
    for size in ((640, 480), (400, 600)):
        things = [[60, 60, 220, 160], [240, 300, 360, 420]]
        pixels = np.zeros((size[1], size[0], 3), np.uint8)
        for x0, y0, x1, y1 in things:
            pixels[y0:y1, x0:x1] = 255
        row = row_of(things, size)
        stored = job.networks["network"].cached_image(images.Picture(pixels, size), row)
        for _ in range(25):
            shown, target = job.networks["network"].example(stored, row, rng)
            mask = (shown.min(2) > 200).astype(np.uint8)
            count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
            found = job.decode(target, job.input_size)["boxes"]
            white = [[x, y, x + w, y + h] for x, y, w, h, area in stats[1:] if area > 60]
            agree = detection.overlaps(detection.array(found), detection.array(white))
            assert len(found) <= len(white) and (agree.max(1, initial=0) > 0.85).all()
            seen += len(found)
    assert seen > 50


def test_other_colours_move_nothing_and_spare_the_stored_picture():
    pixels = np.full((224, 320, 3), 90, np.uint8)
    pixels[50:120, 80:200] = 250
    things, before, changed = np.array([[80, 50, 200, 120], [0, 0, 2, 2.5], [0, 0, 320, 224.0]]), pixels.copy(), 0
    for seed in range(30):
        found = boats.augmentation.recoloured(np.random.default_rng(seed), pixels, things)
        assert found.shape == pixels.shape and found.dtype == np.uint8 and (pixels == before).all()
        light = found.astype(float).mean(2)
        assert light[118, 82] > light[124, 76] - 30   # the corner of a box stays as bright against what lies beside it
        changed += (found != before).any()
    assert 5 < changed < 30   # grey has no hue to change: those with paint


def test_an_answer_is_the_mean_of_a_picture_and_its_mirror_image():
    job = tasks.job("boats")
    things = [[60, 60, 220, 160], [240, 300, 360, 420]]
    mirrored = [[640 - x1, y0, 640 - x0, y1] for x0, y0, x1, y1 in things]
    maps = [job.encode(row_of(each)) for each in (things, mirrored)]
    batch = {"heat": np.stack([each["heat"] for each in maps]), "box": np.stack([each["box"][..., :4] for each in maps])}
    found = job.answer({"network": lambda pixels: batch}, images.Picture(np.zeros((480, 640, 3), np.uint8), (640, 480)))
    agree = detection.overlaps(detection.array(things), detection.array(found["boxes"]))
    assert len(found["boxes"]) == 2 and (agree.max(1) > 0.95).all()


# --- COCO's numbers


def coco(truths, answers):
    """mAP50-95 and mAP50 by pycocotools."""
    import contextlib
    import io

    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    shapes, found = [], []
    for at, (truth, answer) in enumerate(zip(truths, answers, strict=True), 1):
        for crowd, boxes in ((0, truth["boxes"]), (1, truth["crowds"])):
            for x0, y0, x1, y1 in boxes:
                shapes.append({"id": len(shapes) + 1, "image_id": at, "category_id": 1, "iscrowd": crowd,
                               "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0)})
        found += [{"image_id": at, "category_id": 1, "score": score, "bbox": [x0, y0, x1 - x0, y1 - y0]}
                  for (x0, y0, x1, y1), score in zip(answer["boxes"], answer["scores"], strict=True)]
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = COCO()
        dataset.dataset = {"images": [{"id": at} for at in range(1, len(truths) + 1)], "annotations": shapes,
                           "categories": [{"id": 1}]}
        dataset.createIndex()
        judge = COCOeval(dataset, dataset.loadRes(found), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge.stats[0], judge.stats[1]


@pytest.mark.parametrize("seed", range(6))
def test_average_precision_is_that_of_pycocotools(seed):
    job, rng, truths, answers = tasks.job("boats"), np.random.default_rng(seed), [], []
    for _ in range(25):
        things = some(rng, rng.integers(0, 7))
        crowds = some(rng, rng.integers(0, 2), least=100)
        near = np.concatenate([things, things[:2], crowds]) + rng.normal(0, rng.choice([2, 12]), (len(things) + len(things[:2])
                                                                                                 + len(crowds), 1))
        boxes = np.concatenate([near, some(rng, rng.integers(0, 5))])
        truths.append({"boxes": things.tolist(), "crowds": crowds.tolist()})
        answers.append({"boxes": boxes.tolist(), "scores": rng.choice(np.linspace(0.1, 1, 30 if seed else 4), len(boxes)).tolist()})
    found = job.set_metrics(truths, answers)
    wanted = coco(truths, answers)
    assert found["map50_95"] == pytest.approx(wanted[0], abs=1e-9) and found["map50"] == pytest.approx(wanted[1], abs=1e-9)


def test_the_ends_of_the_scale():
    job = tasks.job("boats")
    truth = {"boxes": [[0, 0, 50, 50], [100, 100, 200, 150]], "crowds": []}
    right, none = {"boxes": truth["boxes"], "scores": [0.9, 0.8]}, matching.NOTHING
    assert job.set_metrics([truth], [right]) == {"map50": 1.0, "map50_95": 1.0}
    assert job.set_metrics([truth], [none]) == {"map50": 0.0, "map50_95": 0.0} == job.set_metrics([truth], [None])
    assert np.isnan(job.set_metrics([{"boxes": [], "crowds": []}], [right])["map50"])
    assert job.score(truth, none) == {"f1": 0.0, "precision": 1.0, "recall": 0.0, "overlap": 0.0, "boxes_off": 2.0}
    assert job.score({"boxes": [], "crowds": []}, none)["f1"] == 1
    group = {"boxes": [], "crowds": [[0, 0, 300, 300]]}
    assert job.score(group, right)["f1"] == 1 and job.score(group, right)["boxes_off"] == 0


def test_a_bootstrap_is_quick():
    rng, job = np.random.default_rng(0), tasks.job("boats")
    truths = [{"boxes": some(rng, 5).tolist(), "crowds": []} for _ in range(100)]
    answers = [{"boxes": some(rng, 30).tolist(), "scores": rng.random(30).tolist()} for _ in range(100)]
    job.set_metrics(truths, answers)
    start = time.process_time()
    for _ in range(20):
        job.set_metrics(truths, answers)
    assert time.process_time() - start < 12


def test_the_constant_answer_finds_what_always_lies_there():
    job = tasks.job("boats")
    rows = [row_of([[100, 100, 200, 150], *some(np.random.default_rng(at), 1).tolist()]) for at in range(20)]
    answer = job.baseline(rows)((1280, 960))
    assert len(answer["boxes"]) <= boats.ANCHORS and answer["scores"][0] == max(answer["scores"]) >= 0.95
    np.testing.assert_allclose(answer["boxes"][0], [200, 200, 400, 300], atol=12)
    assert job.baseline([row_of([])])((640, 480)) == {"boxes": [], "scores": []}


# --- what others see


def test_the_api_sends_what_is_sure_enough():
    job = tasks.job("boats", overrides={"boats.shown": 0.5})
    answer = {"boxes": [[0, 0, 9, 9], [5, 5, 20, 20]], "scores": [0.9, 0.2], "model": "boats"}
    assert job.format_response(answer, {})["scores"] == [0.9] and job.format_response(answer, {"least": 0.1})["scores"] == [0.9, 0.2]
    assert job.boxes(answer) == [[0, 0, 9, 9]] and job.boxes({"boxes": "[[1, 2, 3, 4]]"}) == [[1, 2, 3, 4]]
    assert 0.5 in job.query["least"]["enum"] and job.query["least"]["default"] == 0.5
    (line, words, _), = job.overlay_polygons(job.format_response(answer, {}))
    assert words == "boat 0.90" and line.tolist() == [[0, 0], [9, 0], [9, 9], [0, 9]]
    assert job.label(answer) == {"boxes": "[[0, 0, 9, 9]]"}
    assert job.uncertainty(answer) == pytest.approx(0.4) and job.uncertainty(matching.NOTHING) == 0
    assert job.label_nll({"boxes": [[5, 5, 20, 20]], "crowds": []}, answer) == pytest.approx(-np.log2(0.1))


def test_figures_and_charts(tmp_path):
    import pandas as pd

    job, rng = tasks.job("boats"), np.random.default_rng(0)
    truths = [{"boxes": some(rng, 3).tolist(), "crowds": some(rng, 1).tolist()} for _ in range(6)]
    answers = [{"boxes": truth["boxes"], "scores": [0.9, 0.5, 0.4]} for truth in truths[:-1]] + [None]
    for name, figure in job.plot_results(truths, answers).items():
        files.write_figure(tmp_path / f"{name}.png", figure)
    table = pd.DataFrame([row_of(truth["boxes"]) for truth in truths])
    figures.distribution(job, table).savefig(tmp_path / "d.png")
    assert {path.stem for path in tmp_path.iterdir()} == {"precision_recall", "overlaps", "d"}


@pytest.mark.parametrize("wrong", [{"model.width": 300}, {"boats.shown": 0}, {"boats.overlap": 0.9}, {"boats.boats": 0},
                                   {"openimages.attributes": {"IsOccluded": "no"}}, {"openimages.subset": "all"}])
def test_settings_that_cannot_be(wrong):
    with pytest.raises(config.ConfigError, match=next(iter(wrong))):
        tasks.job("boats", overrides=wrong)


# --- weights kept within an epoch


def test_a_training_that_is_stopped_within_an_epoch_goes_on_as_if_it_was_not(tmp_path, monkeypatch):
    from toy import SETTINGS, Toy

    from lib.data import dataset
    from lib.storage import runs
    from lib.training import checkpoint, loop

    monkeypatch.setenv("COREBOX_HOME", str(tmp_path))
    params = config.resolve("toy", "smoke", {"training.keep_every": 3, "training.epochs": 2, "training.batch_size": 2}, SETTINGS)
    job, rng = Toy(params), np.random.default_rng(0)
    stored = rng.integers(0, 255, (14, 12, 16, 3)).astype(np.uint8)
    rows = [{"label": Toy.classes[at % 3], "split": "train" if at < 10 else "validation"} for at in range(14)]
    ready = dataset.Prepared(rows, {"network": stored})
    whole, history = loop.fit_network(job, "network", ready, runs.Run(job, "whole").folder, progress=False)
    kept = sorted(path.name for path in runs.Run(job, "whole").path("backup").iterdir())
    assert kept == [f"network-{number:07d}.weights.h5" for number in (3, 6, 9)]

    class Stopped(Exception):
        pass

    steps = []
    write = checkpoint.Checkpoint.write

    def stop(state):
        write(state)
        steps.append((state.epoch, state.step))
        if state.step:
            raise Stopped

    monkeypatch.setattr(checkpoint.Checkpoint, "write", stop)
    for _ in range(2):
        with pytest.raises(Stopped):
            loop.fit_network(job, "network", ready, runs.Run(job, "cut").folder, progress=False)
    monkeypatch.setattr(checkpoint.Checkpoint, "write", write)
    again, lines = loop.fit_network(job, "network", ready, runs.Run(job, "cut").folder, progress=False)
    assert steps == [(-1, 3), (0, 0), (0, 1)]
    assert [line["val_loss"] for line in lines] == pytest.approx([line["val_loss"] for line in history], rel=1e-5)
    for wanted, found in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)
