"""The search: a study in PostgreSQL that workers share, that a killed one does not spoil, and that training uses."""

import os
import signal
import threading
import time

import pytest
import toy

from lib import tasks
from lib.common import config
from lib.data import dataset
from lib.storage import files
from lib.training import checkpoint, loop, search

SPACE = [{"key": "training.learning_rate", "low": "1e-4", "high": 0.1, "log": True},
         {"key": "training.epochs", "low": 2, "high": 4, "step": 2}, {"key": "training.optimizer", "choices": ["adam", "sgd"]}]


@pytest.fixture
def ready(home, monkeypatch, request):
    """A function that gives a toy job with a search of its own, and its table; the embedded PostgreSQL is real."""
    toy.known(monkeypatch)
    profile = f"s{os.getpid()}x{time.monotonic_ns()}"

    def make(**overrides):
        settled = config.resolve("toy", "smoke", {"search.space": SPACE, "search.trials": 3, "search.heartbeat": 1,
                                                 **overrides}, toy.SETTINGS)
        job = toy.Toy(settled, profile)
        return job, toy.gathered(job)

    return make


def test_a_study_is_trained_kept_and_used(ready, monkeypatch):
    job, table = ready(**{"search.pruner": "none"})
    study = search.open_study(job, table)
    assert [trial.state.name for trial in study.trials] == ["WAITING"] * 3
    search.run_worker(job, table)
    found = search.search_settings(job, table, progress=False)   # nothing is left to do: no worker is started
    assert list(found.trials["state"]) == ["complete"] * 3
    assert set(found.trials["training.epochs"]) <= {2, 4} and list(found.trials["epochs"]) == \
        list(found.trials["training.epochs"])
    kept = files.read_json(job.outputs / "search" / "best.json")
    assert kept["settings"] == found.best and kept["val_loss"] == found.trials["val_loss"].min()
    assert found.job.params.training.learning_rate == found.best["training.learning_rate"]
    assert not [path for path in (job.outputs / "search").iterdir() if path.is_dir() and path.name != "figures"]

    again = tasks.job("toy", job.profile, overrides={"search.use": True, "training.epochs": 7}, settings=_with(job.profile))
    assert again.params.training.epochs == 7   # an override wins
    assert again.params.training.optimizer == found.best["training.optimizer"]
    drawn = dict(found.figures())
    assert list(drawn) == ["history", "epochs", "importance", "slices"]
    assert drawn["epochs"].axes[0].get_ylabel() == "validation loss" and not drawn["importance"].axes[0].get_title(loc="left")

    more, _ = ready(**{"search.pruner": "none", "search.trials": 5, "training.epochs": 4})
    assert search.studies.study_name(more, table) == search.studies.study_name(job, table)   # more trials, and another value of what is searched
    other, _ = ready(**{"search.pruner": "none", "training.seed": 2})
    assert search.studies.study_name(other, table) != search.studies.study_name(job, table)


def _with(profile):
    return toy.SETTINGS | {"profiles": {**toy.SETTINGS["profiles"], profile: {}}}


def test_the_best_settings_are_asked_for_before_there_are_any(ready, monkeypatch):
    job, _ = ready()
    with pytest.raises(config.ConfigError, match="was not searched; run python -m lib search first"):
        tasks.job("toy", job.profile, overrides={"search.use": True}, settings=_with(job.profile))


def test_no_search_is_asked_for_by_default(ready):
    job, table = ready(**{"search.trials": 0})
    found = search.search_settings(job, table)
    assert found.job is job and found.trials.empty and list(found.figures()) == []


@pytest.mark.parametrize("space, said", [
    ([], "search.space is empty"), ([{"key": "training.epoch", "choices": [1]}], "did you mean 'epochs'"),
    ([{"key": "training.epochs"}], r"search.space\[0\]"), ([{"key": "training.epochs", "low": 0, "high": 4}], "at least 1"),
    ([{"key": "training.epochs", "choices": [2], "low": 1, "high": 3}], r"search.space\[0\]"),
    ([{"key": "training.optimizer", "choices": ["adma"]}], "one of adam"), (["x"], r"search.space\[0\] is 'x'")])
def test_a_space_that_cannot_be_searched_is_said(ready, space, said):
    job, table = ready(**{"search.space": space})
    with pytest.raises(config.ConfigError, match=said):
        search.open_study(job, table)


def test_an_unpromising_training_ends_early_and_one_that_diverges_counts_as_such(ready, monkeypatch):
    def fit(job, part, prepared, folder, progress, on_epoch):
        rate = job.params.training.learning_rate
        if rate > 0.05:
            raise checkpoint.Diverged("no number")
        history = [{"val_loss": rate + 1 / epoch, "epoch": epoch} for epoch in range(1, 10)]
        for line in history:
            on_epoch(line)
        return None, history

    monkeypatch.setattr(loop, "fit_network", fit)
    job, table = ready(**{"search.trials": 12})
    search.run_worker(job, table)
    found = search.search_settings(job, table, progress=False)
    assert set(found.trials["state"]) == {"complete", "pruned"}
    assert found.trials["epochs"].sum() < 0.7 * 9 * 12
    assert found.trials.query("state == 'complete'")["val_loss"].min() == found.study.best_value


def test_pictures_prepared_in_another_way_do_not_disturb_the_others(ready, monkeypatch):
    seen = []

    def fit(job, part, prepared, folder, progress, on_epoch):
        seen.append((job.params.model.width, prepared.stored[part].shape[2]))
        return None, [{"val_loss": 1.0}]

    monkeypatch.setattr(loop, "fit_network", fit)
    job, table = ready(**{"search.space": [{"key": "model.width", "choices": [16, 24]}], "search.trials": 6})
    mine = dataset.prepare(job, table, progress=False)
    search.run_worker(job, table)
    assert set(seen) == {(16, 16), (24, 24)}
    assert mine.stored["network"].shape[2] == 16 and list((job.folder / "cache").glob("*.npy"))
    search.search_settings(job, table, progress=False)
    assert not (job.outputs / "search" / "cache").exists()


def test_a_killed_worker_costs_its_training_alone_and_that_is_tried_again(ready):
    job, table = ready(**{"search.workers": 2, "search.trials": 4, "search.pruner": "none", "training.threads": 1,
                          "search.space": [{"key": "training.learning_rate", "low": 0.001, "high": 0.01},
                                           {"key": "training.epochs", "choices": [30]}]})
    study, killed = search.open_study(job, table), []

    def training():
        """The process of each running trial that is on its way."""
        return {trial.number: trial.user_attrs["process"] for trial in study.get_trials(deepcopy=False)
                if trial.state.name == "RUNNING" and len(trial.intermediate_values) > 2}

    def kill():
        while not killed:
            for number, process in training().items():
                os.kill(process, signal.SIGSTOP)   # so that its trial cannot end between the look and the kill
                time.sleep(0.2)
                alive = training().get(number) == process
                os.kill(process, signal.SIGKILL if alive else signal.SIGCONT)
                if alive:
                    killed.append(process)
                    break
            time.sleep(0.1)

    thread = threading.Thread(target=kill)
    thread.start()
    found = search.search_settings(job, table, progress=False)
    thread.join()
    states = list(found.trials["state"])
    assert killed and states.count("complete") == 4 and states.count("fail") == 1
    failed, retried = (next(trial for trial in found.study.trials if test(trial)) for test in (
        lambda trial: trial.state.name == "FAIL", lambda trial: "failed_trial" in trial.system_attrs))
    assert retried.params == failed.params and max(retried.intermediate_values) == 30
    assert len(retried.intermediate_values) >= 29  # the study may not have been told of the epoch that ended last
