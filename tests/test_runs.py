"""Runs: which one is taken, what it keeps, and its mirror in the tracker."""

import os
import shutil
import subprocess
import sys
import time

import mlflow
import pytest
import toy
from conftest import PASSWORD

from lib.common import config
from lib.storage import runs


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


def test_the_newest_finished_run_of_any_profile_is_found(job):
    assert runs.newest_profile("toy") == ""
    for at, (profile, name, done) in enumerate((("demo", "a", True), ("smoke", "b", True), ("full", "c", False))):
        one = job()
        one.profile = profile
        record = runs.start(type(one)(one.params, profile, name), "m")[0]
        if done:
            os.utime(finish(record).path("params.yaml"), (at, at))
    assert runs.newest_profile("toy") == "smoke" and runs.newest_profile("toy", "a") == "demo"
    assert runs.newest_profile("toy", "c") == "", "it is not finished"


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
    assert seen.data.metrics == {"error": 1.0, "a loss": 0.5}
    assert seen.data.params["training.epochs"] == "3"
    assert mlflow.get_experiment(seen.info.experiment_id).tags["mlflow.experimentKind"] == "custom_model_development"
    assert (tmp_path / "outputs" / "mlflow.db").is_file()
    names = {item.path for item in mlflow.artifacts.list_artifacts(run_id=seen.info.run_id)}
    assert names == {"export"}
    assert runs.track(runs.Run(job(), "x"), {}) is None  # switched off


def test_the_tracker_may_be_postgresql_and_keeps_no_password(tcp_job, tmp_path, monkeypatch):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    one = tcp_job(**{"tracking.enabled": True, "tracking.uri": "postgresql"})
    assert PASSWORD not in runs.tracker_uri(one)
    record, seen = mirrored(one, {"error": 1.0})
    assert seen.data.metrics["error"] == 1.0
    for path in config.home().joinpath("outputs").rglob("*"):
        assert path.is_dir() or PASSWORD.encode() not in path.read_bytes()
    with pytest.raises(config.ConfigError, match="needs data.token"):
        runs.tracker_uri(toy.job(tracking={"uri": "postgresql"}))
    assert PASSWORD not in str(os.environ)


def test_a_password_is_handed_on_in_a_file_of_ours_alone_which_goes_with_us(tmp_path):
    odd = "a:b\\c 'd"
    code = ("from lib.storage import postgres\n"
            f"there = postgres.Credentials('h', 5432, 'd:b', 'u', {odd!r})\n"
            "print(postgres.passfile(there)); import os; print(oct(os.stat(postgres.passfile(there)).st_mode & 0o777))\n"
            "print(open(postgres.passfile(there)).read(), end='')")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=config.REPOSITORY)
    path, mode, line = done.stdout.splitlines()
    assert mode == "0o600" and not os.path.exists(path)
    assert line == "h:5432:d\\:b:u:a\\:b\\\\c 'd"


def test_a_password_is_on_no_disk_after_a_kill_and_is_read_by_a_child(tmp_path):
    code = ("from lib.storage import postgres; import os, subprocess, sys\n"
            "there = postgres.Credentials('h', 5432, 'd', 'u', 'secret')\n"
            "subprocess.run(['cat', postgres.passfile(there)]); sys.stdout.flush(); os.kill(os.getpid(), 9)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=config.REPOSITORY,
                          env={**os.environ, "TMPDIR": str(tmp_path)})
    assert done.returncode == -9 and done.stdout == "h:5432:d:u:secret\n", done.stderr
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("core-box-pass")]



def test_an_alias_of_the_registry_names_an_export(job, tmp_path):
    one, two = (finish(runs.start(job(name, tracking={"enabled": True}), name)[0]) for name in ("one", "two"))
    for record in (one, two, two):
        runs.track(record, {})
    here = job(tracking={"enabled": True})
    assert runs.export(here, "candidate") == two.path("export") == runs.export(here)
    client = mlflow.MlflowClient()
    assert len(client.search_model_versions("name = 'toy-smoke'")) == 2
    client.set_registered_model_alias("toy-smoke", "champion", "1")
    assert runs.export(here, "champion") == one.path("export") == runs.export(here, "one")
    shutil.rmtree(one.folder)
    fetched = runs.export(here, "champion")
    assert (fetched / "export.json").read_text() == "{}\n" and "registry" in fetched.parts
    with pytest.raises(ValueError, match="no alias of that name for toy-smoke"):
        runs.export(here, "nobody")
    with pytest.raises(ValueError, match="no finished run 'nobody'"):
        runs.export(job(), "nobody")
