"""Runs: which one is taken, what it keeps, and its mirror in the tracker."""

import os
import time

import mlflow
import pytest
import toy
from conftest import PASSWORD

from lib import config, runs


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.setenv("COREBOX_HOME", str(tmp_path))
    return toy.job


def finish(record):
    record.write("done", {"seconds": 1})
    record.write("export/export", {})
    return record


def test_a_run_has_its_own_name_even_when_the_clock_repeats_itself(job):
    names = set()
    for number in range(3):
        record, finished = runs.start(job(), f"mark{number}")
        assert not finished
        names.add(record.name)
    assert len(names) == 3


def test_without_a_name_the_newest_finished_run_is_meant(job):
    with pytest.raises(ValueError, match="no finished run yet; run notebook 02 first"):
        runs.newest(job())
    finish(runs.start(job("b"), "1")[0])
    time.sleep(0.01)
    finish(runs.start(job("a"), "2")[0])
    runs.start(job("unfinished"), "3")
    assert runs.newest(job()).name == "a"
    assert runs.newest(job("b")).name == "b"
    with pytest.raises(ValueError, match="there are b, a"):
        runs.newest(job("c"))


def test_what_does_not_change_the_training_does_not_change_the_mark(job):
    mark = runs.fingerprint(job(), [1])
    assert mark == runs.fingerprint(job(verify={"number": 1}, data={"workers": 9}), [1])
    assert mark != runs.fingerprint(job(training={"seed": 7}), [1])
    assert mark != runs.fingerprint(job(), [2])


def mirrored(job, metrics):
    record = finish(runs.start(job, "m")[0])
    first = runs.track(record, {"error": 2.0, "nothing": None}, [{"part": "a", "epoch": 1, "loss": 0.5}])
    again = runs.track(record, metrics)
    assert first == again
    return record, mlflow.get_run(first)


def test_the_tracker_holds_the_same(job, tmp_path):
    record, seen = mirrored(job(tracking={"enabled": True}), {"error": 1.0})
    assert seen.data.metrics == {"error": 1.0, "a_loss": 0.5}
    assert seen.data.params["training.epochs"] == "3"
    assert (tmp_path / "outputs" / "mlflow.db").is_file()
    names = {item.path for item in mlflow.artifacts.list_artifacts(run_id=seen.info.run_id)}
    assert names == {"export"}
    assert runs.track(runs.Record(job(), "x"), {}) is None  # switched off


def test_the_tracker_may_be_postgresql_and_keeps_no_password(tcp_job, tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "")
    one = tcp_job(**{"tracking.enabled": True, "tracking.uri": "postgresql"})
    assert PASSWORD not in runs.tracker_uri(one)
    record, seen = mirrored(one, {"error": 1.0})
    assert seen.data.metrics["error"] == 1.0
    for path in config.home().joinpath("outputs").rglob("*"):
        assert path.is_dir() or PASSWORD.encode() not in path.read_bytes()
    with pytest.raises(config.ConfigError, match="needs data.token"):
        runs.tracker_uri(toy.job(tracking={"uri": "postgresql"}))
    assert os.environ["PGPASSWORD"]
