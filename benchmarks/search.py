"""Gain of two search workers and of pruning, and the cost of a killed worker.

    python -m benchmarks.search [--trials 12] [--pictures 480] [--seeds 1] [--ways …]

Study: the task bins on generated pictures of 80x60 px; learning rate and batch size are searched, nine epochs each. Every
worker has one thread. Candidates are drawn at random from one seed, the same for every way, so that pruning and sharing
are compared on equal terms; `tpe` is the default of the settings. Times include the start of the workers. Earlier
results of the same study stay in outputs/benchmarks/search.json and in the table.
"""

import argparse
import os
import signal
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd

from lib import tasks
from lib.common import config
from lib.data import dataset
from lib.storage import files, postgres
from lib.training import search

SPACE = [{"key": "training.learning_rate", "low": 1e-4, "high": 3e-2, "log": True},
         {"key": "training.batch_size", "choices": [8, 16, 32, 64]}]
WAYS = {  # name: workers, pruner, sampler
    "one worker": (1, "none", "random"), "two workers": (2, "none", "random"),
    "one worker, pruned": (1, "halving", "random"), "two workers, pruned, TPE": (2, "halving", "tpe"),
    "two workers, one killed": (2, "none", "random")}


def job(way, trials, seed):
    workers, pruner, sampler = WAYS[way]
    return tasks.job("bins", "demo", overrides={
        "search": {"space": SPACE, "trials": trials, "workers": workers, "pruner": pruner, "sampler": sampler,
                   "heartbeat": 3},
        "model": {"width": 80, "height": 60}, "training": {"epochs": 9, "threads": 1, "seed": seed},
        "tracking.enabled": False, "bins.head": "ordinal"})


def table(pictures):
    """The labels of generated bins, drawn once, of which every fourth is for validation."""
    folder, rows = job("one worker", 1, 1).folder / "images", []
    for seed in range(pictures):
        one = job("one worker", 1, 1)
        content, row = one.sample(np.random.default_rng(seed), (160, 120))
        files.write(folder / f"{seed}.jpg", content)
        rows.append({"image": f"{seed}.jpg", "width": 160, "height": 120, "group": str(seed),
                     "split": "validation" if seed % 4 == 3 else "train", **row})
    return pd.DataFrame(rows)


def run(way, labels, trials, seed):
    """What a study took and found."""
    one = job(way, trials, seed)
    with postgres.connect(one) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {search.studies.SCHEMA} CASCADE")  # the study of the way before has the same name
        connection.commit()
    study = search.open_study(job(way, 0, seed), labels)
    if WAYS[way][2] == "random":
        rng = np.random.default_rng(seed)
        for _ in range(trials):
            study.enqueue_trial({"training.learning_rate": float(np.exp(rng.uniform(*np.log([1e-4, 3e-2])))),
                                 "training.batch_size": int(rng.choice([8, 16, 32, 64]))})
    if "killed" in way:
        threading.Thread(target=_kill, args=(study,), daemon=True).start()
    began = time.perf_counter()
    found = search.search_settings(one, labels, progress=False)
    seconds = time.perf_counter() - began
    states = found.trials["state"].value_counts().to_dict()
    kept = found.trials[found.trials["state"] != "fail"]  # a trial that is tried again has the epochs of the killed one
    return {"way": way, "seed": seed, "seconds": seconds, "best": float(found.study.best_value),
            "epochs": int(kept["epochs"].sum()), "load": os.getloadavg()[0], **states,
            "curves": [list(trial.intermediate_values.values()) for trial in found.study.trials]}


def _kill(study):
    """Kill one of two workers once its training has had some epochs."""
    import psutil

    while True:
        running = [trial for trial in study.get_trials(deepcopy=False)
                   if trial.state.name == "RUNNING" and len(trial.intermediate_values) > 3]
        workers = [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]
        if running and len(workers) > 1:
            workers[0].send_signal(signal.SIGKILL)
            return
        time.sleep(0.3)


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--trials", type=int, default=12)
    words.add_argument("--pictures", type=int, default=480)
    words.add_argument("--seeds", type=int, nargs="*", default=[1])
    words.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    words = words.parse_args()
    out = config.home() / "outputs" / "benchmarks" / "search.json"
    study = {"trials": words.trials, "pictures": words.pictures, "cores": os.cpu_count()}
    before = files.read_json(out) if out.is_file() else {}
    lines = before["lines"] if before.items() >= study.items() else []
    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        os.environ["COREBOX_HOME"] = home
        os.chmod(home, 0o755)  # PostgreSQL runs as a user of its own
        files.write(Path(home) / "params.yaml", (config.REPOSITORY / "params.yaml").read_text())
        labels = table(words.pictures)
        dataset.prepare(job("one worker", 1, 1), labels, progress=False)
        for seed in words.seeds:
            for way in words.ways:
                lines = [line for line in lines if (line["way"], line["seed"]) != (way, seed)]
                lines.append(run(way, labels, words.trials, seed))
                print({name: value for name, value in lines[-1].items() if name != "curves"}, flush=True)
                files.write_json(out, study | {"lines": lines})
    shown = pd.DataFrame(lines)
    middle = shown.groupby("way", sort=False)[["seconds", "best", "epochs"]].median()
    if "one worker" in middle.index:
        alone = middle.loc["one worker"]
        middle["time to one worker's"] = middle["seconds"] / alone["seconds"]
        middle["epochs saved"] = 1 - middle["epochs"] / alone["epochs"]
        middle["best to one worker's"] = middle["best"] / alone["best"]
    print(f"{words.trials} trials of 9 epochs on {words.pictures} generated bins, {os.cpu_count()} cores, "
          f"medians over the seeds {sorted(set(shown['seed']))}, load {os.getloadavg()[0]:.1f}")
    print(middle.round(3).to_string())


if __name__ == "__main__":
    main()
