"""Threads and Dask do the same work by the same functions, and a worker that is lost loses nothing."""

import os
import signal
import time

import numpy as np
import pytest
import toy_export
from hub_pictures import LICENCE, picture

from lib import tasks
from lib.common import config, parallel
from lib.data import dataset
from lib.hub import access, accounts
from lib.hub.intake import sources, submission, verification
from lib.serving import prediction


@pytest.fixture(scope="module")
def dask(session_home):
    """Settings of the group `compute` for a scheduler with two processes, which look for data where the tests do."""
    distributed = pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patch, _cluster(patch, distributed, session_home) as cluster:
        yield {"engine": "dask", "scheduler": cluster.scheduler_address}


def _cluster(patch, distributed, home):
    patch.setenv("COREBOX_HOME", str(home))
    return distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)


def double(number):
    return 2 * number


def once_killed(job):
    """Kills its process the first time that it is called for number 5, as the memory killer would."""
    number, note = job
    if number == 5 and not note.exists():
        note.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return number


def test_results_come_in_the_order_of_the_jobs(dask):
    for settings in ({}, dask):
        with parallel.executor(config.resolve_group("compute", settings)) as workers:
            assert list(workers.map(double, range(50))) == list(range(0, 100, 2))
            assert workers.submit(double, 4).result() == 8 and list(workers.map(double, [])) == []


def test_what_a_lost_worker_had_in_hand_is_done_again(dask, tmp_path):
    with parallel.executor(config.resolve_group("compute", dask)) as workers:
        assert list(workers.map(once_killed, [(n, tmp_path / "killed") for n in range(40)])) == list(range(40))
    assert (tmp_path / "killed").exists()


def test_a_scheduler_that_is_not_there_is_told(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(parallel, "CONNECT_SECONDS", 1)
    gone = config.resolve_group("compute", {"engine": "dask", "scheduler": "tcp://127.0.0.1:9"})
    with pytest.raises(config.ConfigError, match="no Dask scheduler answers at tcp://127.0.0.1:9"), parallel.executor(gone):
        pass


def test_pictures_are_prepared_and_answered_the_same_by_dask(dask, make_job, tmp_path, tmp_path_factory):
    import pandas as pd

    job = make_job()
    other = type(job)(config.Params(job.params.plain() | {"compute": job.params.compute.plain() | dask}), job.profile)
    rows = []
    for n in range(6):
        path = job.folder / "images" / f"{n}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(0, n))
        rows.append({"image": path.name, "width": 320, "height": 240, "group": "", "split": "train", "row_nb": 3,
                     **{f"p{k}{axis}": 10. * k for k in (1, 2, 3, 4) for axis in "xy"}})
    first = dataset.prepare(job, pd.DataFrame(rows), progress=False, folder=tmp_path / "threads")
    second = dataset.prepare(other, pd.DataFrame(rows), progress=False, folder=tmp_path / "dask")
    assert all(np.array_equal(first.stored[part], second.stored[part]) and first.stored[part].any() for part in job.networks)
    predictor = prediction.load(toy_export.folder(tmp_path_factory))
    found = [list(predictor.answers(job.folder / "images", progress=False, compute=params.compute))
             for params in (job.params, other.params)]
    assert found[0] == found[1] and len(found[0]) == 6 and not any(row["error"] for row in found[0])


def test_the_hub_verifies_the_same_by_dask(dask, home, tmp_path):
    settings = {"hub.name": f"dask{os.getpid()}", "hub.store": str(tmp_path / "store")}
    hub, spread = access.open_hub(settings), access.open_hub({**settings, "compute": dask})
    hub.migrate()
    person, _ = accounts.add(hub, "anna", ["supplier"])
    submission.receive(hub, person, "k", [sources.Item(f"{n}.jpg", picture(0, n), {"licence": LICENCE}) for n in range(9)])

    def found(which):
        with hub.owner_transaction() as cursor:
            cursor.execute("UPDATE hub.picture SET status = 'submitted'")
        assert verification.verify(which)["accepted"] == 9
        with hub.owner_transaction() as cursor:
            cursor.execute("SELECT picture, name, figure FROM hub.finding ORDER BY 1, 2")
            return cursor.fetchall()

    assert found(hub) == found(spread) and "corners" in tasks.names()
