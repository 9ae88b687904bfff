"""Training: the same numbers from the same seed, also when killed; what is there is taken; what is worse is not."""

import numpy as np
import pytest
import toy

from lib.data import dataset
from lib.storage import files, runs
from lib.training import checkpoint, fitting


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COREBOX_HOME", str(tmp_path))
    toy.known(monkeypatch)
    return tmp_path


@pytest.fixture
def prepared(home):
    job = toy.job()
    return dataset.prepare(job, toy.gathered(job), progress=False)


def weights(record):
    from lib.models import saving

    return saving.load(record.path("model", "network.keras")).get_weights()


def test_training_writes_both_files_an_export_and_the_split(prepared):
    record = fitting.fit(toy.job(), prepared, progress=False)
    assert record.done
    assert {p.name for p in record.path("model").iterdir()} == {"network.keras", "network.h5"}
    assert record.read("export/export")["parts"]["network"]["outputs"] == {"output": [3]}
    assert set(record.read("split")) == set(dataset.SPLITS)


def test_an_export_has_golden_pictures_without_metadata_and_fails_where_it_answers_them_badly(prepared):
    from PIL import Image

    from lib.serving import export_check, prediction

    folder = fitting.fit(toy.job(training={"epochs": 40}), prepared, progress=False).path("export")
    card = files.read_json(folder / "export.json")
    assert [entry["file"] for entry in card["golden"]] == ["golden-1.jpg", "golden-2.jpg"]
    assert not Image.open(folder / "golden-1.jpg").getexif()
    assert prediction.load(folder).version
    card["golden"][0]["limit"] = 2.0
    files.write_json(folder / "export.json", card)
    with pytest.raises(export_check.BadExport, match="fails its golden picture golden-1.jpg: right is .*2 is the limit"):
        prediction.load(folder)


def test_the_same_seed_gives_the_same_numbers_and_another_one_does_not(prepared):
    first = fitting.fit(toy.job("one"), prepared, progress=False)
    same = fitting.fit(toy.job("two"), prepared, progress=False)
    other = fitting.fit(toy.job("three", training={"seed": 2}), prepared, progress=False)
    for a, b in zip(weights(first), weights(same), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(weights(first), weights(other), strict=True))


def test_a_killed_training_ends_as_an_undisturbed_one(prepared, monkeypatch):
    whole = fitting.fit(toy.job("whole"), prepared, progress=False)
    keep = checkpoint.Checkpoint.end_epoch

    def killed(self, epoch, losses):
        keep(self, epoch, losses)
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint.Checkpoint, "end_epoch", killed)
        fitting.fit(toy.job("cut"), prepared, progress=False)
    resumed = fitting.fit(toy.job("cut"), prepared, progress=False)
    for a, b in zip(weights(whole), weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_finished_run_of_the_same_settings_and_data_is_taken(prepared):
    first = fitting.fit(toy.job(), prepared, progress=False)
    assert fitting.fit(toy.job(), prepared, progress=False).name == first.name
    group, prepared.rows[0]["group"] = prepared.rows[0]["group"], "another"
    second = fitting.fit(toy.job(), prepared, progress=False)
    assert second.name != first.name
    with pytest.raises(ValueError, match="other settings or data"):
        fitting.fit(toy.job(first.name), prepared, progress=False)
    assert runs.newest(toy.job()).name == second.name
    prepared.rows[0]["group"] = group
    assert fitting.fit(toy.job(), prepared, progress=False).name == first.name
    assert runs.newest(toy.job()).name == first.name, "what is verified next is the run in use"


def test_weights_that_training_does_not_better_are_kept(prepared, monkeypatch):
    best = weights(fitting.fit(toy.job("good", training={"epochs": 8}), prepared, progress=False))

    def given(self, network):
        network.set_weights(best)
        return True

    monkeypatch.setattr(toy.OnPixels, "load_pretrained", given)
    spoilt = fitting.fit(toy.job("spoilt", training={"learning_rate": 10.0, "epochs": 1}), prepared,
                         progress=False)
    for a, b in zip(best, weights(spoilt), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_empty_split_and_a_loss_that_is_not_a_number_are_said(prepared):
    for row in prepared.rows:
        row["split"] = "train"
    with pytest.raises(ValueError, match="the validation split is empty"):
        fitting.fit(toy.job(), prepared, progress=False)


def test_the_cache_is_made_once_and_goes_on_where_it_stopped(home, monkeypatch):
    job = toy.job()
    table = toy.gathered(job)
    calls = []
    cached_image = toy.OnPixels.cached_image

    def counted(self, picture, row):
        calls.append(row["image"])
        if len(calls) == 10:
            raise RuntimeError("killed")
        return cached_image(self, picture, row)

    monkeypatch.setattr(toy.OnPixels, "cached_image", counted)
    with pytest.raises(RuntimeError):
        dataset.prepare(toy.job(data={"workers": 1}), table, progress=False)
    before = len(calls)
    prepared = dataset.prepare(job, table, progress=False)
    assert len(calls) < before + len(table)
    assert (prepared.stored["network"].reshape(len(table), -1).max(1) > 100).all()
    calls.clear()
    dataset.prepare(job, table, progress=False)
    assert len(calls) == 1  # the first row alone, for the shape


def test_a_picture_that_is_gone_is_named(home):
    job = toy.job()
    table = toy.gathered(job)
    (job.folder / "images" / "toy-003.jpg").unlink()
    with pytest.raises(ValueError, match="toy-003.jpg can no longer be read .*notebook 01"):
        dataset.prepare(job, table, progress=False)
