"""How is a claimed training run? By the four notebooks, in a process of its own that can be stopped and timed."""

import contextlib
import copy
import io
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

import numpy as np
import yaml

from lib import tasks
from lib.common import config
from lib.hub import accounts, store
from lib.hub.datasets import selection, versions
from lib.hub.intake import verification
from lib.hub.jobs import trainings
from lib.storage import files, postgres, runs
from lib.tasks.contract import Hierarchical

RUN = "hub"            # name of a training's run, in a profile of its own
TRANSIENT_STATUSES = (69, 74, 75, -9)   # exit statuses after which another attempt may succeed: no database, disk full, busy, killed
MIN_GROUPS = 10            # batches; with fewer, a version is split by picture, since a split by batch would leave a part empty
TERMINATION_GRACE = 20             # s for a training to end after SIGTERM before it is killed


def work(hub, once=False, told=print):
    """Take trainings until told to end (SIGTERM, SIGINT), or with `once` until none waits; returns how many it took.

    Beside them, in a thread, it verifies what is submitted and fires the watch-list.
    """
    name, count = f"{socket.gethostname()}:{os.getpid()}", 0
    tidied = threading.Thread(target=_verify_repeatedly, args=(hub, once, told), daemon=True)
    tidied.start()
    while True:
        try:
            training = trainings.claim(hub, name)
            if training is not None:
                count += 1
                told(f"training {training.id}, attempt {training.attempts}")
                told(f"training {training.id}: {run_attempt(hub, training)}")
                continue
        except postgres.Unreachable as error:  # it comes back; what it does not hear of is another worker's meanwhile
            told(str(error))
        except trainings.LeaseLost as error:
            told(str(error))
        if once:
            tidied.join()
            return count
        time.sleep(hub.settings.heartbeat)


def _verify_repeatedly(hub, once, told):
    """Verify what waits, again and again; what goes wrong is told, and tried again."""
    while True:
        try:
            with hub.transaction(accounts.OPERATOR, "work") as cursor:
                cursor.execute("SELECT count(*) FROM hub.picture WHERE status = 'submitted'")
                waiting, = cursor.fetchone()
            if waiting:
                told(f"verified: {json.dumps(verification.verify(hub))}")
                fired = selection.fire_watches(hub)
                told(f"watch-list: {len(fired)} fired")
        except Exception as error:  # whatever it is, it is told, and tried again
            told(f"verification: {type(error).__name__}: {error}")
        if once:
            return
        time.sleep(hub.settings.heartbeat)


def run_attempt(hub, training):
    """Run a training to its end, record the outcome, and return it in words; raises trainings.LeaseLost."""
    try:
        values = parameters(hub, training)
        job = tasks.job(**values)
    except ValueError as error:  # what was asked for cannot be any more
        return _record_outcome(hub, training, "failed", str(error))
    with tempfile.TemporaryDirectory() as folder, start_process(values, folder) as child:
        end, way, cancel = time.monotonic() + hub.settings.training_minutes * 60, "", False
        while child.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(hub.settings.heartbeat)
            with contextlib.suppress(postgres.Unreachable):  # the training goes on without the database
                cancel = trainings.heartbeat(hub, training, progress(job))
            if child.poll() is None and (cancel or time.monotonic() > end):
                way = "cancelled" if cancel else "failed"
                terminate(child)
        said = stderr_tail(child)
    if way:
        _remove_folders(job)
        late = f"it was ended after {hub.settings.training_minutes:g} minutes (hub.training_minutes)"
        return _record_outcome(hub, training, way, "" if cancel else late)
    if child.returncode == 0:
        result = collect_result(hub, job, training)
        _remove_folders(job)
        return _record_outcome(hub, training, "done", result=result)
    if child.returncode in TRANSIENT_STATUSES and training.attempts < hub.settings.training_attempts:
        return _record_outcome(hub, training, "queued", said, pause=hub.settings.heartbeat * 2 ** training.attempts)
    _remove_folders(job)
    return _record_outcome(hub, training, "failed", said)


def _record_outcome(hub, training, state, error="", result=None, pause=0.0):
    """Record the outcome, however long the database takes to come back, and return it in words."""
    while True:
        try:
            trainings.finish(hub, training, state, result, error, pause)
            return f"{state}{': ' if error else ''}{error}"
        except postgres.Unreachable:
            time.sleep(hub.settings.heartbeat)


# --- what is run


def parameters(hub, training):
    """The five parameters of the notebooks for a training: in a profile of its own, so that none meets another's files."""
    wish = training.request
    profile, settings = f"hub{training.id}", copy.deepcopy(config.read_file()["settings"])
    task, shared = settings["tasks"][wish["task"]], settings["profiles"]
    shared[profile] = shared.get(wish["profile"], {})
    task.setdefault("profiles", {})[profile] = task.get("profiles", {}).get(wish["profile"], {})
    overrides = {"data.source": "hub", "data.version": str(training.version), "data.generate": 0, "api.port": 0,
                 "tracking.enabled": False, "verify.studies": False, **{f"hub.{key}": hub.settings[key] for key in ("name", "token", "store")},
                 "data.token": hub.params.data.token, **wish["overrides"]}
    if len({entry["group"] for entry in versions.entries(hub, versions.find(hub, training.version))}) < MIN_GROUPS:
        overrides["split.by"] = ""
    kind = tasks.find(wish["task"])
    if issubclass(kind, Hierarchical):
        overrides[kind.tree_setting] = trainings.label_paths(hub, training.version)
    return {"task": wish["task"], "profile": profile, "run": RUN, "overrides": overrides, "settings": settings}


@contextlib.contextmanager
def start_process(values, folder):
    """The command that runs the four notebooks with these parameters; it ends when its standard input does, so with us."""
    file = os.path.join(folder, "params.yaml")
    files.write(file, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
    paths = os.pathsep.join(filter(None, (str(config.REPOSITORY), os.environ.get("PYTHONPATH"))))
    with open(os.path.join(folder, "said"), "w+b") as said:
        child = subprocess.Popen([sys.executable, "-m", "lib", "run", "all", "--params", file, "--with-stdin"],
                                 stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said,
                                 env={**os.environ, "PYTHONPATH": paths}, cwd=config.home())
        child.said = said
        try:
            yield child
        finally:
            terminate(child)
            child.stdin.close()


def terminate(child):
    """End the command with all it has started, which are its kernels."""
    import psutil

    if child.poll() is not None:
        return
    started = psutil.Process(child.pid).children(recursive=True)
    child.terminate()
    try:
        child.wait(TERMINATION_GRACE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for each in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()


def stderr_tail(child):
    """The last error line of the command's standard error, or its exit status."""
    child.said.seek(0)
    lines = [line for line in child.said.read().decode(errors="replace").splitlines() if line.startswith("error: ")]
    return lines[-1].removeprefix("error: ")[:500] if lines else f"its process ended with status {child.returncode}"


# --- what comes of it


def progress(job):
    """The progress of a run: the number of the notebook that runs (phase), and its losses so far (history)."""
    record = runs.Run(job, RUN)
    done = [job.folder.joinpath("01_data_preparation.ipynb").is_file(),
            *(record.path("notebooks", name).is_file() for name in ("02_model_building.ipynb", "03_model_verification.ipynb"))]
    history = []
    for path in sorted(record.path("resume").glob("*.npz")):
        with contextlib.suppress(OSError, ValueError, KeyError), np.load(path, allow_pickle=False) as state:
            history += json.loads(str(state["note"]))[1]
    if record.path("history.csv").is_file():
        history = _table(record.path("history.csv"))
    return {"phase": f"0{1 + sum(done)}", "history": history}


def collect_result(hub, job, training):
    """The result of a finished run as plain values; the model (a zip) and the figures go into the store."""
    record = runs.newest(job)
    kept = {f"figures/{path.name}": path.read_bytes()
            for folder in (job.folder, record.folder) for path in sorted((folder / "figures").glob("*.png"))}
    kept["model.zip"] = zip_run(record)
    done, scores = record.read("done"), _table(record.path("scores.csv"))
    return {"scores": scores, "warnings": warnings(job, scores), "history": _table(record.path("history.csv")),
            "loss": done["metrics"], "pictures": done["pictures"], "seconds": done["seconds"],
            "files": {name: store.put(hub, data, trainings.KIND) for name, data in kept.items()}}


def warnings(job, scores):
    """Sentences about a run whose scores say that it has learned nothing: not better than the constant answer."""
    metric = job.primary_metric
    line = next((line for line in scores if line["score"] == metric.name), {})
    mean, constant, low, high = (line.get(name) for name in ("mean", "constant", "low", "high"))
    if mean is None or constant is None:
        return [f"there is no {metric.name} to tell whether it has learned anything; the data set may be too small"]
    sign, words = (1, "as low as") if metric.best == "high" else (-1, "as high as")
    if sign * mean <= sign * constant:
        return [f"it has learned nothing: its {metric.name} is {mean:.3g}, and the constant answer, which knows only how "
                f"frequent the labels are, has {constant:.3g}"]
    edge = low if sign > 0 else high
    if edge is not None and sign * edge <= sign * constant:
        return [f"it may have learned nothing: its {metric.name} may be {words} {edge:.3g} on other pictures, and the "
                f"constant answer has {constant:.3g}"]
    return []


def zip_run(record):
    """The networks, the export and what they were made with, as a ZIP archive: the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in ("export", "model", "params.yaml", "scores.csv", "history.csv", "split.json"):
            top = record.path(part)
            for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
                if path.is_file() and not path.name.startswith("."):
                    entry = zipfile.ZipInfo(str(path.relative_to(record.folder)))
                    archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _table(path):
    """A CSV file as plain rows; what is no number is None."""
    import pandas as pd

    return [{key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
            for row in pd.read_csv(path).to_dict("records")]


def _remove_folders(job):
    """Remove a training's folders; the model and the figures are in the store."""
    for folder in (job.folder, job.outputs):
        shutil.rmtree(folder, ignore_errors=True)
