"""Accuracy of label predictions (tags), beside the constant answer of the label frequencies.

    python -m benchmarks.tags [--pictures 480] [--epochs 40] [--seeds 1 2] [--test 200]

Generated pictures (lib/synthetic/tags.py); training and test pictures have different seeds. The network from scratch
(`small`), and where COREBOX_IMAGENET names weights of MobileNetV2, a frozen one under the same head. Thresholds are
fitted on a sixth of the training pictures. Intervals are 95 % bootstrap intervals over the test pictures of all seeds.
"""

import argparse
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from lib import tasks
from lib.common import config
from lib.data import dataset
from lib.imaging import images
from lib.storage import files
from lib.training import loop

FIRST_TEST = 1_000_000   # seed of the first test picture


def job(epochs, seed=1, **model):
    return tasks.job("tags", "demo", overrides={"training": {"epochs": epochs, "seed": seed}, "model": model,
                                                "tracking.enabled": False})


def drawn(seed):
    """The network's input for the picture of a seed, and its row."""
    tags = job(1)
    content, row = tags.sample(np.random.default_rng(seed), (640, 480))
    return tags.prepare(images.read(content)), tags.check(row)


def draw(seeds):
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        pixels, rows = zip(*pool.map(drawn, seeds, chunksize=8), strict=True)
    return np.stack(pixels), list(rows)


def fit(tags, pixels, rows, folder):
    """A function from pixels to answers, learned from five sixths of the pictures, with thresholds from the others."""
    rows = [{**row, "split": "validation" if n % 6 == 0 else "train"} for n, row in enumerate(rows)]
    prepared = dataset.Prepared(rows, {"network": pixels})
    network, _ = loop.fit_network(tags, "network", prepared, Path(folder), progress=False)
    tags.networks["network"].calibrate(network, prepared)
    size = tags.size
    return lambda given: [tags.decode(output, size) for output in network.predict(given.astype(np.float32), verbose=0)]


def scores(tags, truths, answers):
    """Means and 95 % intervals of a set's numbers."""
    names = {**tags.set_metrics(truths, answers), "f1": 0, "exact": 0}

    def of(at):
        chosen = [truths[n] for n in at], [answers[n] for n in at]
        each = [tags.score(truth, answer) for truth, answer in zip(*chosen, strict=True)]
        return {**tags.set_metrics(*chosen), **{name: float(np.mean([one[name] for one in each])) for name in ("f1", "exact")}}

    whole, rng = of(range(len(truths))), np.random.default_rng(0)
    resampled = [of(rng.integers(0, len(truths), len(truths))) for _ in range(200)]
    return {name: [whole[name], *np.quantile([one[name] for one in resampled], [0.025, 0.975]).tolist()] for name in names}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=480)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args()
    kinds = {"small, from scratch": {"backbone": "small", "weights": "none"}}
    if weights := os.environ.get("COREBOX_IMAGENET"):
        kinds[f"MobileNetV2, frozen ({Path(weights).name})"] = {"backbone": "MobileNetV2", "weights": weights, "trainable": False}
    test, rows = draw(range(FIRST_TEST, FIRST_TEST + given.test))
    truths, answers, lines = [], {name: [] for name in ("constant answer", *kinds)}, []
    for seed in given.seeds:
        pixels, labels = draw(range(seed * 10_000, seed * 10_000 + given.pictures))
        tags = job(given.epochs)
        truths += [tags.truth(row) for row in rows]
        answers["constant answer"] += [tags.baseline(labels)(tags.size)] * len(rows)
        for name, model in kinds.items():
            began = time.time()
            with tempfile.TemporaryDirectory() as folder:
                answers[name] += fit(job(given.epochs, seed, **model), pixels, labels, folder)(test)
            print(f"{name}, seed {seed}: {time.time() - began:.0f} s", flush=True)
    for name, found in answers.items():
        lines.append({"network": name, **{key: f"{mean:.3f} ({low:.3f} to {high:.3f})" for key, (mean, low, high)
                                          in scores(tags, truths, found).items()}})
    print(pd.DataFrame(lines).to_string(index=False))
    files.write_json(config.home() / "outputs" / "benchmarks" / "tags.json", {
        "pictures": given.pictures, "test": given.test, "epochs": given.epochs, "seeds": given.seeds,
        "scores": {name: scores(tags, truths, found) for name, found in answers.items()}})


if __name__ == "__main__":
    main()
