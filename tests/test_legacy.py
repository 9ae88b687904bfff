"""What older code left is opened by this code and says the same: tests/legacy/README.md lists it."""

import contextlib
import csv
import io
import json
import lzma
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import uuid
import zipfile
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
import yaml
from legacy import tiny

# All that is taken from lib: where a module lies may change, what it does with what is old may not.
from lib import __main__ as command
from lib import data, evaluation, tasks, training
from lib.evaluation.viewer import Viewer
from lib.hub import access
from lib.models import saving
from lib.serving import prediction
from lib.storage import postgres, revisions, runs
from lib.training.loop import fit_network

HERE = Path(__file__).with_name("legacy")
EXPECTED = json.loads((HERE / "expected.json").read_text())
MARK = "@HOME@"  # stands in the fixtures for the folder in which they were made


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


# --- an old home, and its databases


@pytest.fixture(scope="module")
def place():
    """A folder with an embedded PostgreSQL, for the tests of this file alone."""
    folder = Path(tempfile.mkdtemp(prefix="corebox-old-"))
    folder.chmod(0o755)
    yield folder
    with contextlib.suppress(OSError, ValueError):
        os.kill(int((folder / "data/postgres/postmaster.pid").read_text().split("\n")[0]), signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def home(place, monkeypatch):
    """COREBOX_HOME as the old code left it, but for its databases."""
    monkeypatch.setenv("COREBOX_HOME", str(place))
    for path in (*place.glob("data/[!p.]*"), place / "outputs"):
        shutil.rmtree(path, ignore_errors=True)
    with tarfile.open(HERE / "home.tar.xz") as archive:
        archive.extractall(place, filter="data")
    for path in place.glob("data/*/*/pictures.json"):
        path.write_text(path.read_text().replace(MARK, str(place)))
    return place


def job(task, run="", **overrides):
    return tasks.job(task, tiny.PROFILE, run, {**tiny.SETTINGS[task], **overrides})


def restored(whose, name):
    """Whose database as it was, from the plain SQL in which it was kept."""
    with postgres.connect(whose) as connection, connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS corebox, geolschema, hub CASCADE")
        cursor.execute(lzma.decompress((HERE / name).read_bytes()).decode())
        connection.commit()
    return whose


def ask(whose, query):
    with postgres.connect(whose) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


@pytest.fixture
def labelled(home):
    """The job corners with its old table and revisions."""
    return restored(job("corners"), "corners.sql.xz")


@pytest.fixture
def hub(home):
    return restored(access.open_hub(tiny.HUB), "hub.sql.xz")


def lib(*words):
    """What `python -m lib` says on standard output."""
    before, said = signal.getsignal(signal.SIGTERM), io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            assert command.main([str(word) for word in words]) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    return said.getvalue()


@contextlib.contextmanager
def served(*words):
    """A function that asks a server, started by these words, over HTTP while the block lasts."""
    with subprocess.Popen(
        [sys.executable, "-m", *map(str, words)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr:
            if found := re.search(r"core-box \w+: (http://[\d.]+:\d+)", line):
                break
        else:
            raise AssertionError(f"{words} does not serve")

        def http(path, body=None, token="", patience=30.0):
            content = {"json": body} if isinstance(body, dict) else {"content": body}
            end = time.monotonic() + patience
            while True:  # it listens before its models are loaded
                with contextlib.suppress(httpx.ConnectError):
                    answer = httpx.request(
                        "GET" if body is None else "POST",
                        found[1] + path,
                        timeout=patience,
                        headers={"Authorization": f"Bearer {token}"} if token else {},
                        **content,
                    )
                    if answer.status_code not in (404, 503):
                        assert answer.status_code == 200, answer.text
                        return answer.json()
                assert time.monotonic() < end, f"{path} is not answered"
                time.sleep(0.1)

        try:
            yield http
        finally:
            process.stdin.close()
            process.terminate()


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
        same(rows[image], old)


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
    assert scores.keys() == EXPECTED[task]["scores"].keys()
    if set(found.found["image"]) <= steady(task).keys():
        same(scores, EXPECTED[task]["scores"])
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


# --- labels and their revisions


def test_old_corrections_are_shown_and_applied_as_before(labelled):
    words = tiny.words("corners")
    assert lib("labels", "apply", *words) == EXPECTED["apply"]
    said = lib("labels", "apply", "--yes", *words)
    assert said.endswith("2 were changed; 1 were added; 2 are in the table already\n")
    rows = {
        row[0]: row[1:] for row in ask(labelled, "SELECT fullname, row_nb, p1x, p3y FROM geolschema.log_pic")
    }
    assert rows["D:\\Cores\\New\\HOLE-100\\added.JPG"][1] == 20.0 and len(rows) == 9
    assert lib("labels", "apply", *words).endswith(
        "5 are in the table already; nothing was written yet, --yes does it\n"
    )


def test_old_revisions_are_read_and_built_on_and_nothing_is_migrated_twice(labelled):
    migrated = dict(ask(labelled, "SELECT name, at FROM corebox.migration"))
    newest, decided, chains = (
        revisions.latest(labelled),
        revisions.latest(labelled, decided=True),
        revisions.histories(labelled),
    )
    at = {source.rpartition("\\")[2]: source for source in newest}
    told = {
        name: (newest[source].number, newest[source].status, newest[source].who)
        for name, source in at.items()
    }
    assert told == {
        "corners_0000.JPG": (1, "accepted", "anna"),
        "corners_0001.JPG": (2, "accepted", "bob"),
        "corners_0002.JPG": (1, "unsure", "anna"),
        "corners_0003.JPG": (3, "accepted", "anna"),
        "corners_0004.JPG": (1, "accepted", "carla"),
        "added.JPG": (1, "accepted", "carla"),
    }
    assert at["corners_0002.JPG"] not in decided and [
        each.status for each in chains[at["corners_0003.JPG"]]
    ] == ["bad", "refused", "accepted"]
    assert [each.why for each in revisions.history(labelled, at["corners_0001.JPG"])] == [
        "undone",
        "rows counted",
    ]
    assert newest[at["corners_0000.JPG"]].note == "näher am Rand" and revisions.new_pictures(labelled) == {
        at["added.JPG"]
    }
    assert set(revisions.applied(labelled)) == {at["corners_0000.JPG"], at["corners_0001.JPG"]}
    old = newest[at["corners_0001.JPG"]]
    plain = {name: value for name, value in old.plain().items() if name not in ("id", "at")}
    change = replace(revisions.Change(**plain), edit=str(uuid.uuid4()), who="new", number=3)
    with pytest.raises(revisions.Conflict):
        revisions.save(labelled, replace(change, number=2))
    saved = revisions.save(labelled, change)
    assert saved.id > 9 and revisions.since(labelled, 9) == [saved]
    now = dict(ask(labelled, "SELECT name, at FROM corebox.migration"))
    assert now.items() >= migrated.items() and len(migrated) == 2


def test_old_pictures_are_not_copied_again_and_new_corrections_come_in(labelled):
    before = data.read_labels(labelled)
    found = data.ingest_labels(labelled)
    assert found.counts == {"rows": 9, "kept": 9, "dropped": 0, "reordered": 0, "revised": 5, "copied": 1}
    now = found.table.set_index("image")
    changed = [
        row["image"]
        for row in before.to_dict("records")
        if now.loc[row["image"]].to_dict() != {name: value for name, value in row.items() if name != "image"}
    ]
    assert changed == [name for name in before["image"] if name.startswith("corners_0004")]


def test_an_old_data_folder_comes_out_of_its_table_byte_for_byte(home):
    own = restored(job("bins"), "bins.sql.xz")
    old = {name: (own.folder / name).read_bytes() for name in ("labels.csv", "dropped.csv", "pictures.json")}
    assert data.ingest_labels(own).counts["copied"] == 0
    assert old == {name: (own.folder / name).read_bytes() for name in old}


def test_the_viewer_opens_an_old_run_with_its_revisions_and_sends_what_was_left_unsent(labelled):
    waiting = list((labelled.folder / "outbox").iterdir())
    assert len(waiting) == 1
    unsent = json.loads(waiting[0].read_text())
    view = Viewer(labelled, runs.newest(labelled))
    try:
        end = time.monotonic() + 20
        while waiting[0].exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert not waiting[0].exists()
        (kept,) = revisions.history(labelled, unsent["source"])
        assert kept.plain() == {**unsent, "id": kept.id, "at": kept.at}
        shown, _ = view.open({})
        kept = runs.newest(labelled).read("review")["items"]
        assert [each["image"] for each in shown["items"]] == [each["image"] for each in kept] and kept
        assert len(shown["revisions"]) == 7 and "offline" not in shown
        assert all(each["answer"]["model_version"] == EXPECTED["corners"]["run"] for each in shown["items"])
        assert len(view.thumbs({"many": [0, 1]})[1][1]) > 500
    finally:
        view.outbox.close()


# --- the hub


def test_an_old_hub_is_read_by_the_command_line_and_nothing_is_migrated_twice(hub, tmp_path):
    migrated = dict(ask(hub, "SELECT name, at FROM hub.migration"))
    lib("hub", "migrate")
    now = dict(ask(hub, "SELECT name, at FROM hub.migration"))
    assert now.items() >= migrated.items() and len(migrated) == 9
    assert lib("hub", "versions", "--person", "carla") == EXPECTED["hub"]["versions"]
    assert lib("hub", "labels") == EXPECTED["hub"]["labels"]
    lib("hub", "download", "1", tmp_path / "set.tar", "--person", "carla")
    with tarfile.open(tmp_path / "set.tar") as archive:
        names = archive.getnames()
    assert sum(name.endswith(".jpg") for name in names) == 5


def test_an_old_hub_knows_its_people_versions_and_trainings_over_http(hub):
    tokens, wanted = EXPECTED["hub"]["tokens"], {"labels": ["core"]}
    with served("lib", "hub", "serve", "--with-stdin", "--set", "hub.port=0") as http:
        assert http("/v1/me", token=tokens["rita"])["name"] == "rita"
        version = http("/v1/versions", wanted, tokens["petra"])
        assert (version["id"], version["manifest"], version["counts"]) == (
            1,
            EXPECTED["hub"]["manifest"],
            {"bar": 3, "core": 5, "ring": 2},
        )
        assert http("/v1/trainings", token=tokens["petra"]) == {"trainings": EXPECTED["hub"]["trainings"]}
        assert http("/v1/trainings/3/cancel", b"", tokens["petra"])["state"] == "cancelled"
        assert http("/v1/trainings/2/again", b"", tokens["petra"])["id"] == 4
        (batch,) = http("/v1/batches", token=tokens["sven"])["batches"]
        assert batch["done"] and batch["counts"] == {"new": 6}
        assert http("/v1/watches", token=tokens["carla"])["watches"][0]["state"] == "waiting"
