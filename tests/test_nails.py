"""Nails: found on their table, laid straight, measured, remembered, judged; and the data set whose names end in a class."""

import csv
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import tasks
from lib.common import config
from lib.imaging import images
from lib.metrics import calibration, cross_validation, plots
from lib.synthetic import nails as synth
from lib.tasks.contract import RejectedRow
from lib.tasks.nails import alignment, coreset, corruptions

SIZE = (968, 608)


def bar(angle=0.0, length=200, centre=(400, 300), bow=0.0, size=(800, 600), bright=180):
    """A bright bar on a dark, noisy ground: brightness, uint8."""
    t = np.linspace(-0.5, 0.5, 200)
    line = np.stack([t * length, bow * length * (1 - 4 * t**2)], 1)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    light = np.full(size[::-1], 60, np.uint8)
    cv2.polylines(light, [np.round((line @ turn.T + centre) * 16).astype(np.int32)], False, bright, 14, cv2.LINE_AA, 4)
    noise = np.random.default_rng(0).normal(0, 3, light.shape)
    return np.clip(light + noise, 0, 255).astype(np.uint8)


def drawn(seed=0, **options):
    return synth.draw(seed, SIZE, **options)


def picture(scene):
    return images.Picture(scene.pixels, scene.pixels.shape[1::-1])


def job_of(profile="smoke", **overrides):
    return tasks.job("nails", profile, overrides={key.replace("__", "."): value for key, value in overrides.items()})


# --- where it lies


@settings(max_examples=25, deadline=None)
@given(st.floats(-1.5, 1.5), st.integers(230, 570), st.integers(200, 400))
def test_a_bar_is_found_where_it_is_and_as_it_lies(angle, x, y):
    light = bar(angle, centre=(x, y))
    centre, contrast = alignment.brightest(light, 32)
    part = alignment.find(light, centre, 500)
    assert contrast > 100
    assert np.hypot(*np.subtract(part.centre, (x, y))) < 4
    assert abs(np.angle(np.exp(2j * (part.angle - angle)))) / 2 < 0.03
    assert part.length == pytest.approx(214, abs=14)


def test_a_part_is_laid_along_x_on_an_even_ground():
    light = bar(0.7)
    part = alignment.find(light, (400, 300), 500)
    window = alignment.cut_out(light, part, alignment.lay(part, (320, 160)), (320, 160))
    rows, columns = np.nonzero(window > alignment.LEVEL + 60)
    assert abs(rows.mean() - 79.5) < 2 and abs(columns.mean() - 159.5) < 4
    assert np.ptp(columns) > 190 and np.ptp(rows) < 30
    assert (window[:50] == alignment.LEVEL).all(), "what lies around the part is cut away"


def test_nothing_is_found_on_an_empty_ground():
    assert alignment.find(np.full((600, 800), 60, np.uint8), (400, 300), 500) is None


def test_a_part_as_dark_as_its_ground_is_followed_by_its_edges():
    light = bar(0.0, bright=60)
    light[292:294, 300:500] = 20  # its shadow side
    light[306:308, 300:500] = 95
    light[290:310, 300:340] = 220  # only the head shines
    short = alignment.find(light, (320, 300), 500)
    long = alignment.find(light, (320, 300), 500, shortest=150)
    assert short.length < 220 and long.length >= short.length and long.length > 180


def test_a_window_stays_in_the_picture():
    assert alignment.around((10, 590), 448, (800, 600)) == (0, 152, 448)
    assert alignment.around((0, 0), 900, (800, 600)) == (0, 0, 600)


# --- how straight it is


def measures(bow=0.0, flip=(False, False)):
    from lib.tasks.nails.layers import CentreLineFeatures

    light = bar(0.0, length=170, centre=(96, 48), bow=bow, size=(192, 96))
    light = light[:, ::-1] if flip[0] else light
    light = light[::-1] if flip[1] else light
    return np.asarray(CentreLineFeatures(ground=100.0, full=140.0)(np.repeat(light[None, ..., None], 3, -1).astype(np.float32)))[0]


def test_a_bow_is_measured_in_parts_of_the_length():
    straight, little, much = (np.exp(measures(bow)) for bow in (0.0, 0.03, 0.12))
    assert straight[2] < 0.006 < little[2] < much[2], "distance from the straight line"
    assert straight[0] < little[0] < much[0], "bow"
    assert little[0] == pytest.approx(4 * 0.03, rel=0.25), "4 bow t² is the parabola drawn"
    assert little[5] > 3 * straight[5], "slopes of the quarters"


@pytest.mark.parametrize("flip", [(True, False), (False, True), (True, True)])
def test_a_mirrored_bar_measures_the_same(flip):
    one, other = measures(0.05), measures(0.05, flip)
    np.testing.assert_allclose(one[:9], other[:9], atol=0.25)


# --- the generator


@pytest.mark.parametrize("shifted", [False, True])
def test_bends_are_what_the_label_says(shifted):
    for seed in range(12):
        scene = drawn(seed, shifted=shifted)
        assert scene.bend == pytest.approx(synth.bend_of(scene.line), abs=1e-6)
        assert scene.bend <= 1.2 * synth.STRAIGHT if scene.label == "good" else scene.bend >= 0.95 * synth.BEND[0]
        middle = np.abs(scene.line - np.array(SIZE) / 2).max()
        assert middle < 0.5 * 960 * SIZE[1] / synth.HEIGHT, "within the square that is looked at"


def test_the_generator_draws_the_same_again_and_another_world_when_shifted():
    one, same, other = drawn(3), drawn(3), drawn(3, shifted=True)
    assert (one.pixels == same.pixels).all() and one.label == same.label
    assert not (one.pixels == other.pixels).all()
    kinds = {drawn(seed, shifted=True, label="bad").kind for seed in range(12)}
    assert kinds & set(synth.HELD) and not {drawn(seed, label="bad").kind for seed in range(12)} & set(synth.HELD)


def test_difficulty_bends_less():
    assert max(drawn(seed, label="bad", defect=0.5).bend for seed in range(4)) > 0
    assert min(drawn(seed, label="bad", defect=3.0).bend for seed in range(6)) > 0.03
    with pytest.raises(ValueError, match="good, bad, none"):
        drawn(label="rusty")


# --- what is remembered


def test_what_is_remembered_is_near_and_the_rest_is_measured():
    from lib.tasks.nails.layers import MemoryBank

    rng = np.random.default_rng(0)
    layer = MemoryBank(size=64, depth=8)
    known = rng.normal(size=(4, 3, 5, 8)).astype(np.float32)
    layer.build((None, 3, 5, 8))
    coreset.fit(layer, known)
    assert np.asarray(layer(known)).max() < 0.02
    far = known + 10
    brute = np.sqrt(((far.reshape(-1, 1, 8) - known.reshape(1, -1, 8)) ** 2).sum(-1)).min(1).reshape(4, 3, 5)
    np.testing.assert_allclose(np.asarray(layer(far)), brute, rtol=1e-3)
    coreset.scale(layer, np.asarray(layer(far)), share=1.0)
    assert np.asarray(layer(far)).max() == pytest.approx(1, rel=1e-3)


# --- what a probability means


def test_platts_probabilities_stay_between_the_smoothed_targets():
    slope, offset = calibration.platt([-9, -8, -7, 7, 8, 9], [0, 0, 0, 1, 1, 1])
    chance = 1 / (1 + np.exp(-(slope * np.array([-8.0, 8.0]) + offset)))
    np.testing.assert_allclose(chance, [0.2, 0.8], atol=0.03)
    assert calibration.platt([1, 2], [1, 1]) == (1.0, 0.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_the_area_under_roc_is_the_librarys(pairs):
    from sklearn.metrics import roc_auc_score

    scores, happened = zip(*pairs, strict=True)
    if len(set(happened)) < 2:
        assert np.isnan(calibration.ranking(scores, happened))
    else:
        assert calibration.ranking(scores, happened) == pytest.approx(roc_auc_score(happened, scores))


def test_calibration_errors_ends():
    assert calibration.error([0.0, 1.0, 1.0], [0, 1, 1]) == 0
    assert calibration.error([1.0, 1.0], [0, 0]) == 1


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1), st.floats(0.1, 10), st.floats(0.1, 10), st.floats(0, 3))
def test_nothing_is_cheaper_than_the_cheapest(chance, miss, alarm, look):
    cost = {"good": chance * miss, "bad": (1 - chance) * alarm, "look": look}
    assert cost[calibration.cheapest(chance, miss, alarm, look)] == min(cost.values())


# --- the job


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A job, its network as `finish` leaves it, the pictures it knows, and the export's Predictor."""
    from lib.data import dataset
    from lib.models import building
    from lib.serving import prediction
    from lib.training import export

    job = job_of(nails__memory=64)
    scenes = [drawn(seed, label=("good", "bad")[seed % 2]) for seed in range(16)]
    stored = np.stack([job.prepare(picture(scene)) for scene in scenes])
    rows = [{"label": scene.label, "split": "train" if at < 10 else "validation"} for at, scene in enumerate(scenes)]
    network = building.build(job)
    straight = np.zeros((13, 1), np.float32)
    straight[2] = 4.0  # the more bent, the worse: what training finds too
    network.get_layer("straight").set_weights([straight, np.array([18.0], np.float32)])
    job.networks["network"].calibrate(network, dataset.Prepared(rows, {"network": stored}))
    folder = tmp_path_factory.mktemp("export")
    export.export(job, {"network": network}, folder, "t1")
    return job, network, scenes, stored, prediction.load(folder, "nails", golden=False)


def test_the_export_answers_as_keras_does(judged):
    job, network, scenes, stored, predictor = judged
    wanted = network.predict(stored, verbose=0)
    for at, scene in enumerate(scenes):
        answer = predictor.answer(picture(scene))
        json.dumps(answer, allow_nan=False)
        assert answer["probabilities"]["bad"] == pytest.approx(wanted["label"][at, 1], abs=1e-3)
        np.testing.assert_allclose(answer["map"], wanted["anomaly"][at], atol=0.02)
        assert answer["anomaly"] == pytest.approx(wanted["anomaly"][at].max(), rel=1e-3)


def test_what_was_remembered_looks_usual(judged):
    job, network, scenes, stored, _ = judged
    most = network.predict(stored, verbose=0)["anomaly"].max((1, 2))
    good = np.array([scene.label == "good" for scene in scenes])
    assert most[:10][good[:10]].max() < most[10:][good[10:]].max() * 1.0001
    assert most[10:][good[10:]].max() == pytest.approx(1, abs=0.1), "1 is what good ones of validation reach"


def test_calibration_is_settled_on_validation(judged):
    network = judged[1]
    assert float(network.get_layer("label").slope) != 1.0


def test_the_window_holds_the_nail_and_the_outlines_show_it(judged):
    job, _, scenes, _, predictor = judged
    for scene in scenes:
        answer = predictor.answer(picture(scene))
        corners = np.array(answer["window"], np.float32)
        inside = [cv2.pointPolygonTest(corners, tuple(map(float, point)), False) > 0 for point in scene.line[5:-5]]
        assert np.mean(inside) > 0.95
        (lines, words, _), *_ = job.overlay_polygons(answer)
        assert np.shape(lines) == (4, 2) and words.startswith(answer["label"])


@pytest.mark.parametrize("scene", [drawn(1, label="none"), None], ids=["table", "grey"])
def test_a_picture_without_a_nail_is_refused_not_an_error(judged, scene):
    grey = images.Picture(np.full((480, 640, 3), 114, np.uint8), (640, 480))
    answer = judged[4].answer(picture(scene) if scene else grey)
    assert answer["label"] is None
    assert answer["refused"] == "no_nail" or answer["probability"] is not None
    assert scene is not None or answer["refused"] == "no_nail"
    assert judged[0].overlay_polygons(answer)[0][1]
    assert judged[0].score({"label": "good"}, answer)["right"] == 0


def test_who_is_unsure_says_so_by_the_costs():
    job = job_of(nails__cost_look=0.1)
    unsure, sure = (job.decode({"label": np.array([1 - bad, bad])}, SIZE) for bad in (0.4, 0.95))
    assert unsure["refused"] == "unsure" and unsure["label"] == "good"
    assert sure["refused"] is None and sure["label"] == "bad"
    dear = job_of(nails__cost_miss=9.0, nails__cost_look=5.0).decode({"label": np.array([0.8, 0.2])}, SIZE)
    assert dear["label"] == "bad" and dear["refused"] is None, "a missed one costs nine times a false alarm"


def test_numbers_and_charts_of_a_set_leave_no_figure_open(judged):
    import matplotlib.pyplot as plt

    job, _, scenes, _, predictor = judged
    truths = [{"label": scene.label} for scene in scenes]
    answers = [predictor.answer(picture(scene)) for scene in scenes]
    numbers = job.set_metrics(truths, answers)
    assert numbers["area_under_roc"] > 0.8 and 0 <= numbers["calibration_error"] <= 1 and 0 <= numbers["decided"] <= 1
    assert set(job.plot_results([*truths, truths[0]], [*answers, None])) == {"roc", "calibration", "confusion", "selective"}
    constant = job.baseline([{"label": "bad"}] * 3 + [{"label": "good"}])(SIZE)
    assert job.set_metrics(truths, [constant] * len(truths))["area_under_roc"] == 0.5
    assert plt.get_fignums() == []


def test_the_original_is_a_profile():
    from lib.models import building

    job = job_of("original")
    network = building.build(job)
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds.count("Conv2D") == kinds.count("GroupNormalization") == 4 and kinds.count("Dense") == 3
    assert [layer.kernel_size[0] for layer in network.layers if type(layer).__name__ == "Conv2D"] == [5, 5, 5, 3]
    seen = job.prepare(picture(drawn(2)))
    assert seen.shape == (112, 112, 3) and seen.max() > 150
    answer = job.answer({"network": lambda batch: network.predict(batch, verbose=0)}, picture(drawn(2)))
    assert answer["map"] is None and answer["label"] in job.classes
    one, other = (job.networks["network"].example(seen, {"label": "bad"}, np.random.default_rng(at))[0] for at in (1, 2))
    assert one.shape == seen.shape and not (one == other).all()


def test_a_cyclic_schedule_falls_to_a_tenth_and_rises_again():
    from lib.models.schedules import CyclicLearningRate

    schedule = CyclicLearningRate.from_config(CyclicLearningRate(1e-4, 8).get_config())
    rates = [float(schedule(step)) for step in range(9)]
    np.testing.assert_allclose([rates[0], rates[4], rates[8]], [1e-4, 1e-5, 1e-4], rtol=1e-4)
    assert rates[0] > rates[2] > rates[4] < rates[6] < rates[8]


def test_training_takes_the_cyclic_schedule_from_the_settings():
    import keras

    from lib.models.schedules import CyclicLearningRate
    from lib.training import loop

    job = job_of("original")
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    loop.compile_network(job, "network", network, 10)
    rate = network.optimizer._learning_rate
    assert isinstance(rate, CyclicLearningRate) and rate.period == 10 * loop.CYCLE
    assert float(network.optimizer.learning_rate) == pytest.approx(job.params.training.learning_rate)


# --- studies


@pytest.mark.parametrize("kind", corruptions.KINDS)
def test_a_corruption_keeps_the_shape_and_repeats(kind):
    pixels = drawn(4).pixels
    amounts = corruptions.KINDS[kind][1]
    first, again, worst = (corruptions.corrupt(pixels, kind, amount, 1) for amount in (amounts[0], amounts[0], amounts[-1]))
    assert first.shape == pixels.shape and first.dtype == np.uint8 and (first == again).all()
    off = [np.abs(each.astype(int) - pixels).mean() for each in (first, worst)]
    assert 0 < off[0] < off[1]
    with pytest.raises(ValueError, match="there are motion"):
        corruptions.corrupt(pixels, "rain", 1)


def test_motion_smears_a_point_over_its_length():
    pixels = np.zeros((61, 61, 3), np.uint8)
    pixels[30, 30] = 240
    smeared = corruptions.motion(pixels, 12, 0.0)
    assert np.flatnonzero(smeared[30, :, 0]).size == pytest.approx(12, abs=1) and not smeared[20].any()


def test_folds_hold_out_every_picture_once_a_repeat():
    labels = np.arange(40) % 2
    for parts in cross_validation.folds(labels, 2):
        assert sorted(np.concatenate(parts)) == list(range(40))
        assert all(labels[part].mean() == 0.5 for part in parts)
    chance = cross_validation.cross_validate(cross_validation.logistic, labels[:, None] + 0.1, labels, 2)
    assert ((chance > 0.5) == labels).all()
    assert cross_validation.share((chance > 0.5) == labels) == (1.0, 1.0, 1.0)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.0, 0.05), st.floats(0.3, 1.5), st.floats(0.3, 1.0))
def test_a_power_law_is_extrapolated(floor, scale, power):
    sizes = np.array([8, 16, 32, 64, 128])
    law = cross_validation.extrapolate(sizes, floor + scale * sizes**-power)
    assert law(512) == pytest.approx(floor + scale * 512.0**-power, abs=0.02)


def test_the_studies_of_a_run_are_figures(judged, monkeypatch, tmp_path):
    import matplotlib.pyplot as plt

    from lib.data import dataset
    from lib.storage import files

    _, network, scenes, stored, _ = judged
    monkeypatch.setenv("COREBOX_HOME", str(tmp_path))
    monkeypatch.setattr(corruptions, "KINDS", {"blur": ("px", (1.0, 30.0))})
    job = job_of(nails__memory=64)
    rows = [{"image": f"{at}.png", "label": scene.label, "split": "test" if at < 6 else "train"}
            for at, scene in enumerate(scenes)]
    for row, scene in zip(rows[:6], scenes, strict=False):
        files.write(job.folder / "images" / row["image"], cv2.imencode(".png", scene.pixels)[1].tobytes())
    network.save(tmp_path / "network.keras")
    record = type("Record", (), {"path": lambda self, *parts: tmp_path / parts[-1]})()
    figures = dict(job.experiments(dataset.Prepared(rows, {"network": stored}), record))
    assert list(figures) == ["simplest", "difficulty", "pictures needed", "corruptions"]
    blurred = figures["corruptions"].axes[0].lines[1].get_ydata()
    assert blurred[0] >= blurred[1], "a nail blurred over its own width is not judged better"
    assert plt.get_fignums() == []


def test_figures_of_studies_are_closed():
    import matplotlib.pyplot as plt

    law = cross_validation.extrapolate([8, 16], [0.3, 0.2])
    plots.curve(np.array([8, 16, 32]), np.full((3, 4), 0.2), law, 2)
    plots.bars([("a", 0.5, 0.4, 0.6), ("b", 0.9, 0.8, 1.0)], "accuracy")
    plots.corrupted({"blur": ("px", (1, 2), [0.9, 0.5])}, 0.95)
    assert plt.get_fignums() == []


# --- names that end in a class


def folder_of(tmp_path, names):
    for at, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), drawn(at).pixels[::4, ::4])
    return tmp_path


def test_names_become_rows_and_a_published_test_folder_a_group(tmp_path):
    from lib.data.formats import file_names

    root = folder_of(tmp_path, ["train/1_good.jpeg", "train/2_2_BAD.png", "test/3_good.jpg"])
    kinds, records = file_names.read_records(job_of(), root)
    assert records == [{"image": "test/3_good.jpg", "label": "good", "batch": "test"},
                       {"image": "train/1_good.jpeg", "label": "good", "batch": "train/1_good.jpeg"},
                       {"image": "train/2_2_BAD.png", "label": "bad", "batch": "train/2_2_BAD.png"}]
    assert kinds == {"image": str, "label": str, "batch": str}


@pytest.mark.parametrize("names, wanted", [(["1_gud.jpg"], "did you mean 'good'"), (["1.jpg"], "ends in no class"),
                                           ([], "holds no pictures")])
def test_names_that_cannot_be_read_are_one_sentence(tmp_path, names, wanted):
    from lib.data import formats

    with pytest.raises(ValueError, match=wanted) as error:
        formats.import_labels(job_of(), folder_of(tmp_path, names), "names")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("label, reason", [("godo", "unknown class 'godo'; did you mean 'good'?"),
                                           (None, "unknown class ''"), (7, "unknown class '7'")])
def test_a_label_that_is_no_class_is_told_with_the_nearest(label, reason):
    with pytest.raises(RejectedRow) as caught:
        job_of().check({"label": label})
    assert caught.value.reason == reason


def test_names_need_a_folder_and_a_task_of_classes(tmp_path):
    from lib.data.formats import file_names

    with pytest.raises(ValueError, match="is no folder"):
        file_names.read_records(job_of(), tmp_path / "gone")
    with pytest.raises(config.ConfigError, match="not one class a picture"):
        file_names.read_records(tasks.job("corners"), tmp_path)


def test_a_folder_of_names_is_gathered_from_the_database(home, tmp_path):
    from lib.data import formats, ingest

    root = folder_of(tmp_path, [f"train/{at}_{('good', 'bad')[at % 2]}.jpg" for at in range(14)] + ["test/90_bad.jpg",
                                                                                               "test/91_good.jpg"])
    job = tasks.find("nails")(config.resolve("nails", "smoke", {
        "data.generate": 0, "data.path_rules": [{"from": "", "to": str(root)}], "split.test_groups": ["test"],
        "data.schema": "nails_names"}), f"names{os.getpid()}")
    assert formats.import_labels(job, root, "names").changes.new == 16
    found = ingest.ingest_labels(job).table
    assert len(found) == 16 and set(found["label"]) == {"good", "bad"}
    assert sorted(found[found["split"] == "test"]["source"]) == ["test/90_bad.jpg", "test/91_good.jpg"]


# --- the real photographs


def test_the_outline_alone_tells_real_nails_apart():
    if not os.environ.get("COREBOX_REAL_DATA"):
        pytest.skip("COREBOX_REAL_DATA is not set: there are no real photographs")
    from lib.tasks.nails.layers import CentreLineFeatures

    folder = Path(os.environ["COREBOX_REAL_DATA"]) / "nails"
    with open(folder / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    job = job_of()
    windows = np.stack([job.prepare(images.read(folder / row["file"])) for row in rows])
    bad = np.array([row["label"] == "bad" for row in rows])
    values = np.asarray(CentreLineFeatures()(windows.astype(np.float32)))
    chance = cross_validation.cross_validate(cross_validation.logistic, values, bad, repeats=3)
    assert ((chance > 0.5) == bad).mean() >= 0.95 and calibration.ranking(chance.mean(0), bad) >= 0.985
