"""Workers: processes that take the waiting trials of a study and train them, and the one who looks after them."""

import contextlib
import multiprocessing
import os
import shutil
import time
import warnings

from tqdm.auto import tqdm

from lib.common import config
from lib.data import dataset
from lib.storage import files, runs
from lib.training import loop
from lib.training.checkpoint import Diverged
from lib.training.search import space, studies

PATIENCE = 600          # s for another worker to prepare the pictures
WAIT = 0.5              # s between looks at what the others do


def run_worker(job, table, index=0):
    """Take waiting trials of the study and train them, until none waits and none of another worker could yet die."""
    import optuna

    study = studies.open_study(job, table)
    study.sampler = studies.sampler(job, study, index)
    prepared = _prepare_in_turn(job, table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while True:
            states = [trial.state.name for trial in study.get_trials(deepcopy=False)]
            if "WAITING" in states:
                study.optimize(lambda trial: _train(job, table, prepared, trial), n_trials=1)
            elif "RUNNING" in states:
                optuna.storages.fail_stale_trials(study)
                time.sleep(WAIT)
            else:
                return


def _train(job, table, prepared, trial):
    """The least validation loss of a training with the settings that a trial suggests."""
    import optuna
    from optuna.storages import RetryHeartbeatStaleTrialCallback

    own = type(job)(config.with_overrides(job.params, {line["key"]: space.suggest(job, trial, line) for line in space.checked_lines(job)},
                                   job.setting_checks), job.profile)
    if dataset.cache_key(own, prepared.rows) != dataset.cache_key(job, prepared.rows):
        prepared = _prepare_in_turn(own, table, job.outputs / "search" / "cache" / dataset.cache_key(own, prepared.rows))
    known = trial.study.get_trials(deepcopy=False)[trial.number]
    first = RetryHeartbeatStaleTrialCallback.retried_trial_number(known)  # goes on after the last epoch of a killed one
    number = trial.number if first is None else first
    trial.set_user_attr("process", os.getpid())
    run = runs.Run(own, f"search/{trial.study.study_name.rpartition('/')[2]}-{number}")

    def on_epoch(line):
        trial.report(line["val_loss"], line["epoch"])
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        _, history = loop.fit_network(own, next(iter(own.networks)), prepared, run.folder, progress=False, on_epoch=on_epoch)
    except Diverged as error:
        trial.set_user_attr("ended", str(error))
        raise optuna.TrialPruned from error
    finally:
        shutil.rmtree(run.folder, ignore_errors=True)
    return min(line["val_loss"] for line in history)


def _prepare_in_turn(job, table, folder=None):
    """The prepared pictures; another worker that is preparing them is waited for."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return dataset.prepare(job, table, progress=False, folder=folder)
        except files.Busy:
            if time.monotonic() > end:
                raise
            time.sleep(WAIT)


def supervise(job, table, study, progress):
    """Start the workers, show how far they are, and start another one for each that is killed, up to search.retries."""
    settings, context = job.params.search, multiprocessing.get_context("spawn")
    threads = job.params.training.threads or max(1, (os.cpu_count() or 1) // settings.workers)
    started, workers = 0, []

    def start():
        nonlocal started
        with _environment(threads):
            workers.append(context.Process(target=run_worker, args=(job, table, started), daemon=True))
            workers[-1].start()
        started += 1

    try:
        with tqdm(total=settings.trials, desc="search", unit="trial", disable=not progress) as bar:
            for _ in range(settings.workers):
                start()
            while workers:
                _show(study, bar)
                for worker in [each for each in workers if not each.is_alive()]:
                    workers.remove(worker)
                    if worker.exitcode < 0 and started < settings.workers + settings.retries:
                        start()
                    elif worker.exitcode:
                        tqdm.write(f"a worker ended with {worker.exitcode}; its error stands above")
                time.sleep(WAIT)
            _show(study, bar)
    finally:
        for worker in workers:
            worker.terminate()
    left = settings.trials - len(studies.ended_trials(study))
    if left > 0:
        raise RuntimeError(f"{left} of {settings.trials} trials are not done, for the workers ended; "
                           "run the same command again, it goes on")


@contextlib.contextmanager
def _environment(threads):
    """What a worker inherits: so many threads for each of TensorFlow's pools."""
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ |= dict.fromkeys(names, str(threads))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _show(study, bar):
    done = studies.ended_trials(study)
    values = [trial.value for trial in done if trial.state.name == "COMPLETE"]
    bar.n = len(done)
    bar.set_postfix({"best": f"{min(values):.4g}"} if values else {})
