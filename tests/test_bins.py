"""Bins: exact counts and what can be seen of them, distributions over counts, splits by count, and Amazon's files."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_downloads import Web

from lib import tasks
from lib.common import config
from lib.data import dataset, formats, ingest
from lib.data.formats import abid
from lib.imaging import images
from lib.metrics import calibration
from lib.storage import downloads
from lib.synthetic import bins as synth
from lib.tasks import bins
from lib.tasks.contract import RejectedRow

HOW = {"overlap": 0.25, "hidden": 0.0, "least_shown": 0.1, "size": [0.2, 0.4], "lean": 20.0, "bands": 2,
       "light": [0.8, 1.2], "blur": [0.4, 1.2], "shifted": False}


def scenes(count, number=12, **changes):
    how = SimpleNamespace(**{**HOW, **changes})
    return [synth.draw(np.random.default_rng(seed), (160, 120), how, count) for seed in range(number)]


SETTINGS = config.read_file()["settings"]


def job(**overrides):
    return tasks.job("bins", overrides={key.replace("__", "."): value for key, value in overrides.items()},
                     settings=SETTINGS)


# --- the generator


@pytest.mark.parametrize("shifted", [False, True])
def test_a_bin_holds_what_it_says_and_no_item_covers_another_more_than_allowed(shifted):
    for scene in scenes(4, shifted=shifted):
        assert scene.count == 4 and scene.pixels.shape == (120, 160, 3)
        assert scene.shown.max() <= 1.001 and scene.shown.min() > 0.5   # 0.25 behind another, the rest behind a ledge
        assert scene.seen(0.1) == 4


def test_hidden_items_are_counted_and_cannot_be_seen():
    made = scenes(4, hidden=1.0)
    assert {scene.count for scene in made} == {4}
    assert np.mean([scene.seen(0.1) < 4 for scene in made]) > 0.8
    assert all(scene.seen(0.0) == 4 for scene in made)


def test_an_empty_bin_and_one_with_an_item_differ_by_that_item():
    empty, one = scenes(0, 1)[0], scenes(1, 1)[0]
    assert empty.count == 0 and empty.seen(0.1) == 0 and one.seen(0.1) == 1
    assert (np.abs(one.pixels.astype(int) - empty.pixels) > 40).any(2).mean() > 0.02


def test_a_bin_that_is_too_full_is_said():
    with pytest.raises(ValueError, match="found no room .* lower bins.generator.size"):
        scenes(30, 1, size=[0.5, 0.6], overlap=0.0)


@pytest.mark.parametrize("pairs, best", [
    ([(2, 2), (3, 3), (0, 0)], 1.0), ([(1, 1), (1, 1), (1, 2), (1, 1)], 0.75), ([(0, 1), (0, 2), (0, 3)], 1 / 3)])
def test_an_oracle_knows_what_shows_and_guesses_the_rest(pairs, best):
    assert synth.oracle_accuracy(pairs) == pytest.approx(best)


# --- counts as outputs


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["softmax", "ordinal"]), st.integers(0, 1), st.integers(2, 9), st.data())
def test_any_output_becomes_a_distribution_over_the_counts(head, least, most, draws):
    one = job(bins__head=head, bins__least=least, bins__most=most)
    number = most - least + (head == "softmax")
    output = draws.draw(st.lists(st.floats(1e-6, 1 - 1e-6), min_size=number, max_size=number))
    answer = one.decode({"count": output}, (100, 100))
    json.dumps(answer, allow_nan=False)
    chances = answer["probabilities"]
    assert list(chances) == [str(count) for count in range(least, most + 1)]
    assert sum(chances.values()) == pytest.approx(1) and min(chances.values()) >= 0
    assert answer["count"] in one.classes and least - 1e-9 <= answer["expected"] <= most + 1e-9
    assert answer["probability"] == chances[str(answer["count"])]


@pytest.mark.parametrize("head", ["softmax", "ordinal"])
def test_every_count_comes_back(head):
    one = job(bins__head=head)
    for count in one.classes:
        answer = one.decode(one.encode({"count": count, "width": 9, "height": 9}), (9, 9))
        assert answer["count"] == count and answer["expected"] == pytest.approx(count) and answer["probability"] == 1


def test_the_ordinal_head_shares_one_score_over_its_ranks():
    import keras

    from lib.tasks.bins.layers import CoralRanks

    ranks = CoralRanks(5, 4.0, 0.5)
    found = np.array(ranks(np.float32([[-3.0], [8.0], [30.0]])))   # 8 is two items, at 4 an item
    assert found.shape == (3, 5) and (np.diff(found, axis=1) <= 0).all() and (np.diff(found, axis=0) >= 0).all()
    assert (found > 0.5).sum(1).tolist() == [0, 2, 5]
    same = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(ranks))
    assert (same.count, same.step, same.first) == (5, 4.0, 0.5)


def placed(name="a"):
    """A row with one item from 80 to 136 px across and 48 to 104 px down, of 320x240."""
    return {"count": 1, "width": 320, "height": 240, "layout": " ".join(
        "".join(name if 10 <= x < 17 and 6 <= y < 13 else "." for x in range(40)) for y in range(30))}


def test_the_maps_say_where_each_item_is_and_whose_each_cell_is():
    one = job(model__width=160, model__height=120)
    target = one.encode(placed())
    places, parts = target["places"], target["parts"]
    assert places.shape == (15, 20, 2) and parts.shape == (15, 20, 4) and (places[..., 1] == 1).all()
    assert np.argwhere(places[..., 0] == 1).tolist() == [[4, 6]]         # the middle, (108, 76), is 6.75, 4.75 of 20x15
    mine = np.zeros((15, 20), bool)
    mine[3:6, 5:8] = True                                                # where a cell's middle is the item's
    assert np.array_equal(parts[..., 2] > 0, mine)
    assert (parts[3, 5, :2] * 4).tolist() == pytest.approx([1.25, 1.25])   # from the middle of cell (5.5, 3.5)


def test_of_a_real_bin_the_maps_are_not_known_and_cost_nothing():
    from lib.models.losses import CentreFocalLoss
    from lib.tasks.bins.losses import CentreOffsetLoss

    one = job()
    target = one.encode({"count": 3, "width": 320, "height": 240})
    assert not target["places"].any() and not target["parts"].any()
    places, parts = np.full((1, *one.grid, 1), 0.7, np.float32), np.ones((1, *one.grid, 3), np.float32)
    assert float(CentreFocalLoss()(target["places"][None], places)) == 0 == float(CentreOffsetLoss()(target["parts"][None], parts))


def test_a_layout_of_another_shape_is_refused():
    with pytest.raises(RejectedRow, match="layout not 30 rows of 40 letters"):
        job().check({**placed(), "layout": "aa .."})


def test_a_generated_bin_says_what_shows_and_where():
    one = job()
    _, row = one.sample(np.random.default_rng(3), (320, 240))
    assert len(set(row["layout"]) - {".", " "}) == row["seen"] == row["count"] > 0
    assert one.check({**row, "width": 320, "height": 240})["layout"] == row["layout"]


def test_a_varied_picture_has_maps_that_fit_it():
    one = job()
    width, height = one.input_size
    pixels = np.full((height, width, 3), 40, np.uint8)
    pixels[height * 48 // 240:height * 104 // 240, width * 80 // 320:width * 136 // 320] = 220
    for seed in range(8):
        varied, target = one.networks["network"].example(pixels, placed(), np.random.default_rng(seed))
        cells = varied[4::8, 4::8].mean(2).astype(float)
        mine = target["parts"][..., 2] > 0
        assert (cells[mine].mean() > cells[~mine].mean() + 25), seed
        top = np.unravel_index(target["places"][..., 0].argmax(), one.grid)
        assert np.abs(np.argwhere(mine).mean(0) - top).max() < 1


def test_the_highest_peaks_are_read_off_a_map():
    from lib.tasks.bins.layers import TopKPeaks

    heat = np.zeros((1, 4, 5, 1), np.float32)
    heat[0, 0, 0], heat[0, 0, 1], heat[0, 2, 3], heat[0, 3, 1] = 0.9, 0.8, 0.5, 0.6   # the second lies on the first's slope
    assert np.array(TopKPeaks(4)(heat))[0].tolist() == pytest.approx([0.9, 0.6, 0.5, 0.0])


def test_cells_that_know_their_item_cost_less_than_those_that_do_not():
    from lib.tasks.bins.losses import CentreOffsetLoss

    right = np.zeros((1, 3, 4, 4), np.float32)
    right[..., 3] = 1
    right[0, 1, 1] = (0.5, -0.25, 1, 1)
    told = np.concatenate([right[..., :2], np.where(right[..., 2:3] > 0, 20, -20)], -1)
    loss = CentreOffsetLoss()
    assert float(loss(right, told)) < 1e-6
    assert float(loss(right, told * (-1, -1, 1))) == pytest.approx(2 * 1.5 / 6)
    assert float(loss(right, told * (1, 1, -1))) > 10


def test_a_moved_picture_moves_the_places_with_it():
    pixels = np.zeros((120, 160, 3), np.uint8)
    pixels[28:33, 38:43] = 255
    for seed in range(10):
        moved, matrix = bins.augmentation.varied(pixels, np.random.default_rng(seed))
        light = moved.sum(2).astype(float)
        light[light < light.max() / 2] = 0
        rows, columns = np.nonzero(light)
        x, y = matrix[:, :2] @ [40.5, 30.5] + matrix[:, 2]
        assert columns.mean() + 0.5 == pytest.approx(x, abs=1.0) and rows.mean() + 0.5 == pytest.approx(y, abs=1.0)


@pytest.mark.parametrize("count, reason", [
    ("many", "count not a number"), (None, "count not a number"), (2.5, "count not a whole number"),
    (float("nan"), "count not a whole number"), (float("inf"), "count not a whole number"), (6, "count outside 0 to 5"),
    (-1, "count outside 0 to 5")])
def test_counts_that_cannot_be_are_refused(count, reason):
    with pytest.raises(RejectedRow) as caught:
        job().check({"count": count})
    assert caught.value.reason == reason


def test_counts_from_one_up_leave_empty_bins_out():
    one = job(bins__least=1)
    assert one.classes == (1, 2, 3, 4, 5) and one.check({"count": "3"})["count"] == 3
    with pytest.raises(RejectedRow, match="count outside 1 to 5"):
        one.check({"count": 0})


@pytest.mark.parametrize("key, value", [("bins.head", "linear"), ("bins.contrast", "more"), ("bins.least", 3),
                                        ("bins.generator.size", [0.5, 0.2]), ("bins.generator.light", [1.0])])
def test_settings_that_cannot_be_are_said(key, value):
    with pytest.raises(config.ConfigError, match=key):
        tasks.job("bins", overrides={key: value})


def test_contrast_is_a_setting_of_what_the_network_sees():
    picture = images.Picture(scenes(3, 1)[0].pixels, (160, 120))
    plain, equal, local = (job(bins__contrast=way).prepare(picture) for way in ("none", "equalise", "clahe"))
    assert plain.std() < local.std() < equal.std() and plain.dtype == local.dtype == equal.dtype == np.uint8
    light = equal.astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(np.quantile(light, np.linspace(0, 0.9, 10)) / 255 - np.linspace(0, 0.9, 10)).max() < 0.12   # as often dark as light


# --- scores


def answers(one, counts, sure):
    chances = [np.eye(6)[count] * chance + (1 - chance) / 6 for count, chance in zip(counts, sure, strict=True)]
    return [bins.answer_of(one.classes, chance, count) for chance, count in zip(chances, counts, strict=True)]


def test_the_numbers_of_a_set():
    one = job()
    truths = [{"count": count, "seen": seen} for count, seen in ((0, 0), (1, 1), (2, 2), (3, 2))]
    found = one.set_metrics(truths, answers(one, [0, 1, 2, 5], [1.0, 1.0, 1.0, 0.4]))
    assert found["rmse"] == pytest.approx(1.0) and found["right_on_surer_half"] == 1.0
    assert found["perfect_eye"] == 0.75 and found["rmse_expected"] < 1.0
    assert one.set_metrics(truths, [None] * 4) == {}
    real = one.set_metrics([{"count": 1}], answers(one, [1], [1.0]))
    assert np.isnan(real["perfect_eye"]) and real["calibration_error"] == pytest.approx(0)


def test_the_constant_answer_is_the_commonest_count_with_the_shares_as_its_doubt():
    one = job()
    answer = one.baseline([{"count": count} for count in (0, 2, 2, 5)])((9, 9))
    assert answer["count"] == 2 and answer["probability"] == 0.5 and answer["expected"] == pytest.approx(2.25)
    assert one.label_nll({"count": 2}, answer) == pytest.approx(1.0)


def test_charts_are_drawn_of_what_was_answered(tmp_path):
    one = job()
    truths = [{"count": count, "seen": count} for count in range(6)]
    drawn = one.plot_results(truths, [*answers(one, [0, 1, 2, 3, 5], [0.9] * 5), None])
    assert set(drawn) == {"counts", "surest", "calibrated"}
    for name, figure in drawn.items():
        figure.savefig(tmp_path / f"{name}.png")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.9]), st.booleans()), min_size=1, max_size=30))
def test_accuracy_on_the_surest_ends_at_that_of_all_and_lies_between_best_and_worst(pairs):
    sure, right = zip(*pairs, strict=True)
    assert calibration.selective(sure, right, 1.0) == pytest.approx(np.mean(right))
    assert 0 <= calibration.selective(sure, right, 0.5) <= 1
    assert calibration.selective(right, right, np.mean(right) or 1) == (1.0 if any(right) else 0.0)


# --- the split


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=9), st.sampled_from(["0", "1", "2"]), min_size=60, max_size=120))
def test_a_split_by_value_gives_each_part_its_share_of_every_value(strata):
    split = config.resolve("corners", "smoke").split
    parts = ingest.assign_splits(set(strata), split, strata)
    assert parts == ingest.assign_splits(set(strata), split, dict(reversed(strata.items())))
    for value in set(strata.values()):
        mine = [parts[group] for group, other in strata.items() if other == value]
        for part in ("train", "validation", "test"):
            assert abs(mine.count(part) - split[part] * len(mine)) <= 1


# --- Amazon's files


@pytest.fixture
def folder(tmp_path):
    """The data set as it is published: six bins, one of them with no picture."""
    for number, count in (("00001", 0), ("00002", 3), ("00003", 5), ("00004", "2"), ("00005", 9), ("00006", 1)):
        path = tmp_path / "metadata" / f"{number}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"BIN_FCSKU_DATA": {}, "EXPECTED_QUANTITY": count}))
        if number != "00006":
            picture(tmp_path, number)
    return tmp_path


def picture(folder, number):
    path = folder / "bin-images" / f"{number}.jpg"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(job().sample(np.random.default_rng(int(number)), (160, 120))[0])


def test_the_published_folder_becomes_rows_and_pictures(folder, make_job):
    like = make_job()
    one = tasks.find("bins")(config.resolve("bins", "smoke", {"data.generate": 0, "data.path_rules": [
        {"from": abid.PLACE, "to": str(folder)}], "split.validation": 0.5, "split.train": 0.5, "split.test": 0.0}),
        like.profile)
    assert formats.import_labels(one, folder, "abid").changes.new == 5
    found = ingest.ingest_labels(one)
    assert dict(zip(found.table["source"].str[-9:-4], found.table["count"], strict=True)) == {
        "00001": 0, "00002": 3, "00003": 5, "00004": 2}
    assert list(found.dropped["reason"]) == ["count outside 0 to 5"]


def test_the_starter_list_counts_bins_whose_pictures_are_there(folder):
    path = folder / "file_list.json"
    path.write_text(json.dumps({"1": ["data/metadata/00001.json"], "4": ["data/metadata/00002.json", "x/00077.json"]}))
    _, records = abid.read_records(job(), path)
    assert [(row["fullname"], row["expected_quantity"]) for row in records] == [
        ("abid/bin-images/00001.jpg", 1), ("abid/bin-images/00002.jpg", 4)]


@pytest.mark.parametrize("content, said", [
    ("[1, 2]", "is no list of bins"), ('{"1": "a.json"}', "is no list of bins"), ('{"one": ["a.json"]}', "'one' is no number"),
    ('{"1": ["m/a.json"], "2": ["n/a.json"]}', "bin a stands under 1 and under 2"), ('{"1": ["a.json"]', "is not JSON"),
    ('{"1": ["m/00009.json"]}', "none of the 1 bins"), ("{}", "lists no bins")])
def test_a_list_that_cannot_be_is_said_in_a_sentence(tmp_path, content, said):
    path = tmp_path / "file_list.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=said) as caught:
        abid.read_records(job(), path)
    assert str(path.parent) in str(caught.value) and len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("content, said", [
    ('{"BIN_FCSKU_DATA": {}}', "which has no EXPECTED_QUANTITY"), ('{"EXPECTED_QUANTITY": "few"}', "'few' is no number"),
    ('{"EXPECTED_QUANTITY": -1}', "is no number"), ('{"EXPECTED_QUANTITY": 1.5}', "is no number"), ("{", "is not JSON")])
def test_metadata_that_cannot_be_is_said_with_how_many_there_are(folder, content, said):
    (folder / "metadata" / "00003.json").write_text(content)
    with pytest.raises(ValueError, match=said) as caught:
        abid.read_records(job(), folder)
    assert str(caught.value).startswith("1 of 6 metadata files") and "00003.json" in str(caught.value)


def test_a_task_without_counts_does_not_read_them(folder):
    with pytest.raises(config.ConfigError, match="corners has no settings abid"):
        abid.read_records(tasks.job("corners"), folder)


def test_the_download_goes_on_and_leaves_what_is_not_there(folder, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(downloads, "PAUSE", 0.001)
    web, here = Web(), tmp_path_factory.mktemp("here")
    web.bodies = {f"/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in folder.rglob("*.*")
                  if path.is_file()}
    web.script = lambda path, time: (404 if path not in web.bodies else "drop" if not time else "well")
    (here / "file_list.json").write_text(json.dumps({"0": ["m/00001.json"], "3": ["m/00002.json", "m/00006.json"]}))
    one = job(abid__download=True, abid__url=web.url, abid__workers=2)
    _, records = abid.read_records(one, here / "file_list.json")
    assert [row["expected_quantity"] for row in records] == [0, 3]
    assert (here / "bin-images" / "00002.jpg").read_bytes() == web.bodies["/bin-images/00002.jpg"]
    asked = len(web.asked)
    abid.read_records(one, here)
    assert len(web.asked) - asked == 1   # the picture that the server does not have
    with pytest.raises(ValueError, match="put abid.url right"):
        abid.download(["77"], here, web.url, progress=False)
    web.server.shutdown()


@pytest.mark.skipif(not os.environ.get("COREBOX_REAL_DATA"), reason="COREBOX_REAL_DATA does not say where real bins are")
def test_real_bins_are_read_and_prepared():
    folder = Path(os.environ["COREBOX_REAL_DATA"]) / "bins"
    one = job()
    _, records = abid.read_records(one, folder)
    assert len(records) >= 15 and {row["expected_quantity"] for row in records} <= {0, 1, 2, 3, 4, 5}
    for row in records:
        prepared = one.prepare(images.read(folder / row["fullname"].removeprefix("abid/")))
        assert prepared.shape == (*one.input_size[::-1], 3) and prepared.std() > 5


def test_the_slower_questions_are_answered_with_networks_of_their_own(tmp_path, monkeypatch):
    from lib.storage import runs
    from lib.tasks.bins import experiments

    monkeypatch.setenv("COREBOX_HOME", str(tmp_path))
    one = tasks.job("bins", "smoke", overrides={"model": {"width": 32, "height": 24}, "training": {"epochs": 1, "batch_size": 4},
                                                "data": {"generate_width": 64, "generate_height": 48}}, settings=SETTINGS)
    rows = []
    for seed in range(8):
        content, row = one.sample(np.random.default_rng(seed), (64, 48))
        path = one.folder / "images" / f"{seed}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        rows.append({"image": path.name, "width": 64, "height": 48, "split": "validation" if seed > 5 else "train", **row})
    record, whole = runs.Run(one, "r"), experiments.drawn
    network = experiments._taught(one, [one.prepare(images.read(one.folder / "images" / row["image"])) for row in rows], rows)
    record.path("model").mkdir(parents=True)
    network.save(record.path("model", "network.keras"))
    monkeypatch.setattr(experiments, "drawn", lambda job, number: whole(job, 4))
    drawn = dict(one.experiments(dataset.Prepared(rows, {}), record))
    assert set(drawn) == {"contrast", "shifted"}
    for name, figure in drawn.items():
        figure.savefig(tmp_path / f"{name}.png")
    lines = [label.get_text() for label in drawn["contrast"].axes[0].get_yticklabels()]
    assert lines == ["none", "none, half the light", "equalise", "equalise, half the light", "clahe", "clahe, half the light"]
