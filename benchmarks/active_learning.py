"""Accuracy with actively chosen labels against randomly chosen ones: `python -m benchmarks.active_learning [--seeds 30]`.

Data: the 198 real photographs of nails ($COREBOX_REAL_DATA), as features of a frozen MobileNetV2 ($COREBOX_IMAGENET) with
the task's profile `transfer`. For each number of labels a logistic regression is fitted. Labels are added in rounds: at
random, as lib.evaluation.active_learning chooses them (uncertainty times distance), by uncertainty alone, or by distance
alone. Pictures of one time block stay together; three of ten blocks are the test set. The baseline always answers the
most frequent class. Prints a table; writes outputs/benchmarks/active_learning.json and active_learning.png (bands: 95 %
intervals of the mean).
"""

import argparse
import csv
import os
import sys
from pathlib import Path

import numpy as np

from lib import tasks
from lib.common import config
from lib.evaluation import active_learning
from lib.imaging import images
from lib.metrics import calibration
from lib.storage import files

FOLDER = config.home() / "outputs" / "benchmarks"
SIZES = (16, 24, 32, 48, 64, 96, 128)
BLOCKS, HELD, PARTS = 10, 3, 40   # parts: principal components that the regression sees


def nails():
    """Features (198, 1280) float32 of every photograph, its class (1: bad), and its block of time; kept once made."""
    path = FOLDER / "active_learning" / f"features-{Path(os.environ['COREBOX_IMAGENET']).stem[:24]}.npz"
    folder = Path(os.environ["COREBOX_REAL_DATA"]) / "nails"
    with open(folder / "labels.csv", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: Path(row["file"]).name)
    if not path.is_file():
        import keras

        weights = os.environ["COREBOX_IMAGENET"]
        job = tasks.job("nails", "transfer")
        pixels = np.stack([job.prepare(images.read(folder / row["file"])) for row in rows])
        base = keras.applications.MobileNetV2(input_shape=pixels.shape[1:], include_top=False, weights=None, pooling="avg",
                                              alpha=0.35 if "0.35" in Path(weights).name else 1.0)
        base.load_weights(weights)
        with files.writing(path) as temporary:
            np.savez(temporary, features=base.predict(pixels / 127.5 - 1.0, batch_size=16, verbose=0))
    with np.load(path) as arrays:
        features = arrays["features"]
    return features, np.array([row["label"] == "bad" for row in rows], int), np.arange(len(rows)) * BLOCKS // len(rows)


def reduced(features):
    """Principal components of features, of unit variance: no label is needed for them."""
    centred = features - features.mean(0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    return left[:, :PARTS] * np.sqrt(len(features))


def fitted(x, y):
    """A function of inputs that gives the chance of class 1, by logistic regression; one class alone is its own chance."""
    if len(set(y.tolist())) < 2:
        return lambda inputs: np.full(len(inputs), float(y.mean()))
    scale = 0.15  # small inputs are a stronger ridge, which few labels need
    weights = calibration.fit_logistic(x * scale, y)
    return lambda inputs: 1 / (1 + np.exp(-np.clip(inputs * scale @ weights[:-1] + weights[-1], -30, 30)))


WAYS = {"random": None, "chosen": lambda doubt, far: (doubt, far), "doubt alone": lambda doubt, far: (doubt, None),
        "distance alone": lambda doubt, far: (np.ones_like(doubt), far)}


def bought(way, x, y, pool, rng):
    """Positions of the labels after each round."""
    have = list(rng.choice(pool, SIZES[0], replace=False))
    rounds = [list(have)]
    for size in SIZES[1:]:
        left = np.setdiff1d(pool, have)
        if WAYS[way] is None:
            have += list(rng.choice(left, size - len(have), replace=False))
        else:
            chance = fitted(x[have], y[have])(x[left])
            doubt, far = WAYS[way](1 - np.maximum(chance, 1 - chance), x)
            if far is None:
                have += list(left[np.argsort(-doubt, kind="stable")[:size - len(have)]])
            else:
                have += list(left[active_learning.k_centre(x[left], doubt, x[have], size - len(have))])
        rounds.append(list(have))
    return rounds


def errors(seeds):
    """Error on the held-out blocks: by way, (seeds, sizes); of all labels (seeds,); of the commonest class (seeds,)."""
    features, y, blocks = nails()
    x, found, full, common = reduced(features), {way: [] for way in WAYS}, [], []
    for seed in range(seeds):
        held = np.random.default_rng(seed).choice(BLOCKS, HELD, replace=False)
        test, pool = np.flatnonzero(np.isin(blocks, held)), np.flatnonzero(~np.isin(blocks, held))

        def error(have, test=test):
            return float(((fitted(x[have], y[have])(x[test]) > 0.5) != y[test]).mean())

        for way in WAYS:
            found[way].append([error(have) for have in bought(way, x, y, pool, np.random.default_rng((seed, 1)))])
        full.append(error(pool))
        common.append(float((y[test] != (y[pool].mean() > 0.5)).mean()))
    return {way: np.array(each) for way, each in found.items()}, np.array(full), np.array(common)


def needed(curve, wanted):
    """How many labels a mean curve needs for an error, between sizes by straight lines; None: more than all sizes."""
    for (small, before), (large, after) in zip(zip(SIZES, curve), zip(SIZES[1:], curve[1:]), strict=False):  # noqa: B905
        if before <= wanted:
            return float(small)
        if after <= wanted:
            return float(small + (large - small) * (before - wanted) / (before - after))
    return None


def band(values):
    """Half the width of the 95 % interval of the mean of each column."""
    return 1.96 * values.std(0, ddof=1) / np.sqrt(len(values))


def figure(found, full, common):
    import matplotlib.pyplot as plt

    drawn, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    for (way, values), color in zip(found.items(), ("#33415c", "red", "tab:orange", "tab:green"), strict=True):
        ax.plot(SIZES, values.mean(0), ".-", color=color, label=way)
        ax.fill_between(SIZES, values.mean(0) - band(values), values.mean(0) + band(values), color=color, alpha=0.15)
    ax.axhline(full.mean(), color="grey", ls=":", lw=1, label="all labels")
    ax.axhline(common.mean(), color="#b0892f", ls="--", lw=1, label="commonest class")
    ax.set(xlabel="labels", ylabel="error on held-out times", xscale="log", xticks=SIZES, xticklabels=SIZES, ylim=(0, None))
    ax.minorticks_off()
    ax.legend(fontsize=8)
    plt.close(drawn)
    return drawn


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=30)
    given = parser.parse_args()
    for name in ("COREBOX_REAL_DATA", "COREBOX_IMAGENET"):
        if not os.environ.get(name):
            sys.exit(f"{name} is unset; this benchmark needs real photographs and ImageNet's features")
    found, full, common = errors(given.seeds)
    wanted = float(full.mean() + band(full))   # what the full set's error cannot be told from
    print(f"error with all {(BLOCKS - HELD) * 198 // BLOCKS} labels {full.mean():.1%} ± {band(full):.1%}, commonest class "
          f"{common.mean():.1%}, {given.seeds} seeds")
    table = {}
    for way, values in found.items():
        table[way] = {"sizes": SIZES, "mean": values.mean(0).tolist(), "half_interval": band(values).tolist(),
                      "labels_needed": needed(values.mean(0), wanted)}
        print(f"{way:15}" + "".join(f"{size:6d}: {mean:5.1%} ± {half:4.1%}" for size, mean, half in
                                    zip(SIZES, values.mean(0), band(values), strict=True)),
              f"  labels for {wanted:.1%}: {table[way]['labels_needed'] or float('nan'):.0f}")
    files.write_json(FOLDER / "active_learning.json", {"seeds": given.seeds, "full": float(full.mean()), "wanted": wanted,
                                              "commonest": float(common.mean()), "ways": table})
    files.write_figure(FOLDER / "active_learning.png", figure(found, full, common))


if __name__ == "__main__":
    main()
