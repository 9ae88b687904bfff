"""Runs, exports and networks of older code are opened by this code and give the same answers: tests/legacy/README.md."""

import contextlib
import csv
import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from legacy import tiny
from legacy.old_home import EXPECTED, job, lib, old_home, old_place, served  # noqa: F401

from lib import data, evaluation, training
from lib.models import saving
from lib.serving import prediction
from lib.storage import runs
from lib.training.loop import fit_network

LOSSES = {
    "coarse": {
        "corners": "corebox>Wing",
        "heat": "corebox>Heat",
        "edges": "corebox>Edges",
        "rows": "corebox>Ordinal",
        "kind": "corebox>Classes",
    },
    "sides": {"line": "corebox>Ends", "profile": "corebox>Profile"},
    "network": {"count": "corebox>Ordinal", "places": "corebox>Peaks", "parts": "corebox>Parts"},
}


# --- answers, compared


def same(found, old, within=0.02):
    """Whether two answers say the same, numbers to a little, however lists and nothing are written."""
    assert set(found) == set(old)
    for name in old:
        one, other = plain(found[name]), plain(old[name])
        try:
            np.testing.assert_allclose(
                np.array(one, float), np.array(other, float), rtol=1e-3, atol=within, err_msg=name
            )
        except (TypeError, ValueError):
            assert one == other, name


def plain(value):
    """A value of an answer, from JSON or from CSV: text, a number, or a list of numbers."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    value = list(value.values()) if isinstance(value, dict) else value
    return "" if value is None else value


def steady(task):
    """The old answers that do not hang on the last digits of a processor's arithmetic, by picture."""
    found = {
        row["image"]: row for row in EXPECTED[task]["answers"] if row["image"] in EXPECTED[task]["steady"]
    }
    assert len(found) > 2
    return found


# --- settings


def test_the_old_settings_file_settles_to_what_old_runs_were_made_with(home):
    shutil.move(home / "settings" / "params.yaml", home / "params.yaml")
    try:
        now = yaml.safe_load(lib("params", *tiny.words("corners")))
    finally:
        (home / "params.yaml").unlink()
    then = yaml.safe_load(
        (home / f"outputs/corners/smoke/{EXPECTED['corners']['run']}/params.yaml").read_text()
    )

    def lacks(old, new):
        return [
            name
            for name, value in old.items()
            if (lacks(value, new.get(name, {})) if isinstance(value, dict) else new.get(name) != value)
        ]

    assert not lacks(then["settings"], now)


# --- exports: the command line, HTTP, promoted ones


@pytest.mark.parametrize("task", ["corners", "bins"])
def test_an_old_export_answers_a_folder_as_it_did(home, task):
    out = home / "answers.csv"
    out.unlink(missing_ok=True)
    said = lib("predict", home / f"data/{task}/smoke/images", "--out", out, *tiny.words(task))
    assert said.startswith("8 pictures answered") and EXPECTED[task]["run"] in said
    with open(out, newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    assert list(rows) == [row["image"] for row in EXPECTED[task]["answers"]]
    for image, old in steady(task).items():
        same({name: rows[image][name] for name in old}, old)


def test_old_promoted_exports_are_served_and_rolled_back(home):
    pictures = {
        task: home / f"data/{task}/smoke/images" / next(iter(steady(task))) for task in ("corners", "bins")
    }
    with served(
        "lib.api", home / "outputs/served", "--port", "0", "--with-stdin", "--set", "api.decimals=3"
    ) as http:
        for task, version in (("corners", "second"), ("bins", "first")):
            old = {**steady(task)[pictures[task].name], "model_version": version}
            answer = http(f"/v1/{task}/predict", pictures[task].read_bytes())
            assert old.keys() - answer.keys() == {"image", "error"}
            same({name: answer[name] for name in old.keys() & answer.keys()},
                 {name: old[name] for name in old.keys() & answer.keys()})
        http("/models/corners/rollback", b"")
        answer = http("/v1/corners/predict", pictures["corners"].read_bytes())
        assert answer["model_version"] == EXPECTED["corners"]["run"]
    current = json.loads((home / "outputs/served/corners/current").read_text())
    assert current["export"].startswith(EXPECTED["corners"]["run"]) and current["before"].startswith("second")


def test_an_old_run_is_promoted_beside_old_exports_and_taken_back(home):
    folder = home / "outputs/served/corners"
    before = sorted(path.name for path in folder.iterdir())
    said = Path(lib("promote", *tiny.words("corners")).strip())
    assert sorted(path.name for path in folder.iterdir()) == before, "the copy that was there"
    assert json.loads((folder / "current").read_text())["export"] == said.name
    back = Path(lib("rollback", *tiny.words("corners")).strip())
    assert back.name.startswith("second")


# --- runs: their networks, their scores, training that is taken over or goes on


@pytest.mark.parametrize("task", ["corners", "bins"])
def test_old_networks_are_read_from_both_formats_and_agree_with_their_export(home, task):
    import keras

    import lib.models.registered  # noqa: F401

    record = runs.newest(job(task))
    predictor = prediction.load(record.path("export"), task)
    for part, lite in predictor.parts.items():
        height, width, _ = predictor.content["parts"][part]["input"]
        pixels = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)
        wanted = lite(pixels)
        compiled = keras.models.load_model(record.path("model", f"{part}.keras"))
        losses = {name: keras.saving.get_registered_name(type(each)) for name, each in compiled.loss.items()}
        assert losses == LOSSES[part]
        for network in (compiled, saving.load(record.path("model", f"{part}.h5"))):
            found = network(pixels.astype(np.float32), training=False)
            for name, value in wanted.items():
                np.testing.assert_allclose(
                    keras.ops.convert_to_numpy(found[name]), value, rtol=1e-3, atol=1e-4, err_msg=name
                )


@pytest.mark.parametrize("task", ["corners", "bins"])
def test_an_old_run_is_verified_with_the_scores_it_had(home, task):
    own = job(task)
    found = evaluation.evaluate(own, runs.newest(own), data.read_labels(own), progress=False)
    scores = found.scores.set_index("score")["mean"].to_dict()
    assert scores.keys() >= EXPECTED[task]["scores"].keys()
    if set(found.found["image"]) <= steady(task).keys():
        same({name: scores[name] for name in EXPECTED[task]["scores"]}, EXPECTED[task]["scores"])
    seen = 0
    for row, answer in zip(found.rows, found.answers, strict=True):
        if old := steady(task).get(row["image"]):
            same({name: answer[name] for name in own.columns}, {name: old[name] for name in own.columns})
            seen += 1
    assert seen


@pytest.mark.parametrize("task", ["corners", "bins"])
def test_a_finished_old_run_of_the_same_settings_is_taken_as_it_is(home, task):
    own = job(task)
    before = sorted(path.name for path in own.outputs.iterdir())
    record = training.fit(own, data.prepare(own, data.read_labels(own), progress=False), progress=False)
    assert record.name == EXPECTED[task]["run"]
    assert sorted(path.name for path in own.outputs.iterdir()) == before


def test_an_old_training_that_was_broken_off_goes_on_and_ends_as_it_would_have(home):
    import tensorflow

    own = job("bins", "broken", **tiny.BROKEN)
    prepared = data.prepare(own, data.read_labels(own), progress=False)
    record, finished = runs.start(own, runs.fingerprint(own, prepared.rows))
    assert record.name == "broken" and not finished
    kept, (name,) = record.path("backup"), own.networks
    tensorflow.config.run_functions_eagerly(True)  # tracing would take longer than these few batches
    try:
        with tiny.networks():
            training.build(own)[name].load_weights(next(iter(kept.iterdir())))
            _, history = fit_network(own, name, prepared, record.folder, progress=False)
    finally:
        tensorflow.config.run_functions_eagerly(False)
    numbers = sorted(int(re.search(r"-(\d+)\.", path.name)[1]) for path in kept.iterdir())
    assert numbers == list(range(3, 7)), "batches before it was broken off are not trained again"
    for found, old in zip(history, EXPECTED["broken"]["history"], strict=True):
        assert found.pop("part") == old.pop("part") and found == pytest.approx(old, rel=0.02)


def loss(kept):
    """A loss of ours by the name and settings that a file keeps of it.

    `reduction`, which Keras adds, is left out: the losses of the old code did not take it.
    """
    import keras

    kind = keras.saving.get_registered_object(kept["registered_name"])
    return kind(**{name: value for name, value in kept["config"].items() if name != "reduction"})


def test_every_layer_and_loss_that_was_registered_says_what_it_said(home):
    import keras

    folder, seen = home / "layers", set()
    with np.load(folder / "layers.npz") as arrays:
        old = dict(arrays)

    def agree(found, name):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(found), old[name], rtol=1e-5, atol=1e-5, err_msg=name
        )

    for suffix in ("keras", "h5"):
        network = saving.load(folder / f"layers.{suffix}")
        for name, found in network(old["pixels"], training=False).items():
            agree(found, f"output_{name}")
        seen |= {keras.saving.get_registered_name(type(layer)) for layer in network.layers}
    for name, kept in json.loads((folder / "losses.json").read_text()).items():
        agree(
            loss(kept).call(
                *(keras.ops.convert_to_tensor(old[f"{kind}_{name}"]) for kind in ("target", "given"))
            ),
            f"loss_{name}",
        )
        seen.add(kept["registered_name"])
    with zipfile.ZipFile(folder / "layers.keras") as file:
        kept = json.loads(file.read("config.json"))["compile_config"]["optimizer"]["config"]["learning_rate"]
    rate = keras.saving.deserialize_keras_object(kept)
    agree([float(rate(step)) for step in range(0, 50, 7)], "rates")
    seen.add(kept["registered_name"])
    assert seen >= set(EXPECTED["registered"]), "every name that old files may hold is in these"
