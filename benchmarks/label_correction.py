"""Error after an audit's suspect labels are corrected, against random review: `python -m benchmarks.label_correction`.

Nails: the 198 real photographs ($COREBOX_REAL_DATA, $COREBOX_IMAGENET), with the features and time blocks of
benchmarks.active_learning. One training label in ten is flipped. The audit judges each label by regressions that were
not trained on its time block; a simulated reviewer corrects the suspect labels that are wrong, and the regression is
fitted again. Control: as many labels reviewed, chosen at random. Reported are errors on held-out blocks, with 95 %
intervals of the mean over seeds; differences are paired by seed.

Core boxes: the shipped weights are fine-tuned on the real photographs of every other hole, of which two labels are moved
by 2 to 5 % of the diagonal, and tested on the remaining holes. The shipped weights audit the labels; wrong suspect ones
are corrected. Fits are cached in outputs/benchmarks/label_correction/, so that a stopped run resumes. Writes
outputs/benchmarks/label_correction.json.
"""

import argparse
import hashlib
import os
import sys

import numpy as np

from benchmarks import corners as bench
from benchmarks.active_learning import BLOCKS, FOLDER, HELD, band, fitted, nails, reduced
from benchmarks.label_errors import moved
from lib import tasks
from lib.data import dataset
from lib.imaging import geometry, images
from lib.metrics import label_errors
from lib.serving import prediction
from lib.storage import files
from lib.tasks import corners
from lib.tasks.contract import Auditable
from lib.training import export, loop

WRONG, ROUNDS = 0.1, 3


def cross_block_probabilities(x, y, blocks):
    """Probability of class 1 of each picture, by regressions that were not trained on its block; float (n,)."""
    probabilities = np.zeros(len(y))
    for block in np.unique(blocks):
        own = blocks == block
        probabilities[own] = fitted(x[~own], y[~own])(x[own])
    return probabilities


def simulate(x, y, blocks, seed):
    """Test errors with clean, wrong, audited and randomly reviewed labels, and the share of wrong labels that the audit found."""
    rng = np.random.default_rng(seed)
    held = np.isin(blocks, rng.choice(BLOCKS, HELD, replace=False))
    pool = np.flatnonzero(~held)
    wrong = rng.choice(pool, round(WRONG * len(pool)), replace=False)
    labels = y.copy()
    labels[wrong] = 1 - labels[wrong]
    reviewed = np.array([], int)
    rounds = []
    for _ in range(ROUNDS):
        known = np.where(np.isin(np.arange(len(y)), reviewed), y, labels)
        probabilities = cross_block_probabilities(x[pool], known[pool], blocks[pool])
        suspect = pool[label_errors.confident(known[pool], np.stack([1 - probabilities, probabilities], 1)) > 1]
        reviewed = np.union1d(reviewed, suspect)
        rounds.append(reviewed)
    random_review = rng.choice(pool, len(reviewed), replace=False)

    def error(seen):
        known = np.where(np.isin(np.arange(len(y)), seen), y, labels)
        return float(((fitted(x[pool], known[pool])(x[held]) > 0.5) != y[held]).mean())

    return {"clean": error(pool), "wrong": error([]), "random": error(random_review), "pool": len(pool),
            **{f"audited {n}": error(seen) for n, seen in enumerate(rounds, 1)},
            **{f"looked at {n}": len(seen) for n, seen in enumerate(rounds, 1)},
            **{f"found {n}": float(np.isin(wrong, seen).mean()) for n, seen in enumerate(rounds, 1)}}


def report_nails(seeds):
    """Print the results of the nails; returns them as a dict."""
    features, y, blocks = nails()
    x = reduced(features)
    lines = [simulate(x, y, blocks, seed) for seed in range(seeds)]
    values = {name: np.array([line[name] for line in lines], float) for name in lines[0]}
    table = {"seeds": seeds, **{name: float(each.mean()) for name, each in values.items()}}
    print(f"nails: {seeds} seeds; {WRONG:.0%} of {table['pool']:.0f} labels are wrong")
    for name in ("clean", "wrong", "random", *(f"audited {n}" for n in range(1, ROUNDS + 1))):
        difference = values[name] - values["clean"]
        table[f"{name}, less clean"] = [float(difference.mean()), float(band(difference))]
        number = name.removeprefix("audited ")
        about = "" if number == name else f"{table[f'looked at {number}']:5.1f} reviewed, " \
            f"{table[f'found {number}']:4.0%} of the wrong ones among them"
        print(f"error with labels {name:10} {table[name]:5.1%}   more than clean: {difference.mean():+.1%} ± {band(difference):.1%}   "
              + about)
    return table


# --- core boxes


def report_corners():
    """Print the results of the core boxes; returns them as a dict. Errors are in % of the diagonal, paired by photograph."""
    rows, errors, reviewed, found = bench.labels(), {}, 0, []
    holes = sorted({row["hole"] for row in rows})
    pictures = {row["name"]: images.read(row["path"]) for row in rows}
    for side in (0, 1):
        own = [row for row in rows if holes.index(row["hole"]) % 2 == side]
        others = [row for row in rows if holes.index(row["hole"]) % 2 != side]
        rng = np.random.default_rng(side)
        wrong = set(rng.choice(len(own), 2, replace=False).tolist())
        planted = [moved(row["corners"], rng, pictures[row["name"]].size) if at in wrong else row["corners"]
                   for at, row in enumerate(own)]
        suspect = suspect_labels([pictures[row["name"]] for row in own], planted)
        reviewed, found = reviewed + len(suspect), [*found, *(at in suspect for at in wrong)]
        sets = {"clean": [row["corners"] for row in own], "wrong": planted,
                "audited": [row["corners"] if at in suspect else each for at, (row, each) in
                            enumerate(zip(own, planted, strict=True))]}
        for name, labels in sets.items():
            answer = fine_tuned(own, pictures, labels)
            errors.setdefault(name, []).extend(
                100 * geometry.errors(row["corners"], corners.points(answer(pictures[row["name"]]))).mean()
                / geometry.diagonal(row["corners"]) for row in others)
    table = {"looked_at": reviewed, "found": float(np.mean(found)), "pictures": len(errors["clean"])}
    print(f"core boxes: {table['pictures']} answered, 4 labels wrong, {reviewed} reviewed, "
          f"{table['found']:.0%} of the wrong ones among them")
    for name, values in errors.items():
        difference = np.array(values) - errors["clean"]
        table[name], table[f"{name}, less clean"] = float(np.mean(values)), [float(difference.mean()), float(band(difference))]
        print(f"error with labels {name:10} {np.mean(values):5.3f}   more than clean: "
              f"{difference.mean():+.3f} ± {band(difference):.3f}")
    return table


def suspect_labels(pictures, labels):
    """Positions of the suspect labels, judged by the shipped weights."""
    predictor = bench.ours("cascade", 0, None).__self__
    job, truths = predictor.job, [corners.row_of(label, 3) for label in labels]
    answers = [predictor.answer(picture) for picture in pictures]
    habit = Auditable.of(job).label_bias(truths, answers)
    seen = [Auditable.of(job).label_evidence(predictor.parts, *each, habit) for each in zip(pictures, truths, answers, strict=True)]
    return {at for at, each in enumerate(Auditable.of(job).label_errors(truths, answers, seen)) if each > 1}


def fine_tuned(rows, pictures, labels):
    """The answering function of the shipped weights fine-tuned on these labels; cached by the labels."""
    job = tasks.job("corners", overrides={**bench.PLAIN, **bench.TUNING})
    mark = hashlib.sha1(repr([bench._shipped(), [label.round(6).tolist() for label in labels]]).encode()).hexdigest()[:12]
    folder = FOLDER / "label_correction" / mark
    if not (folder / "export" / "export.json").is_file():
        stored, known = {part: [] for part in job.networks}, []
        for at, (row, label) in enumerate(zip(rows, labels, strict=True)):
            picture = pictures[row["name"]]
            known.append({"image": row["name"], "width": picture.size[0], "height": picture.size[1],
                          "split": "validation" if at % 5 == 0 else "train", **corners.row_of(label, row["row_nb"])})
            for part in stored:
                stored[part].append(job.networks[part].cached_image(picture, known[-1]))
        prepared = dataset.Prepared(known, {part: np.stack(each) for part, each in stored.items()})
        export.export(job, {part: loop.fit_network(job, part, prepared, folder, False)[0] for part in job.networks},
                     folder / "export", "loop")
    return prediction.load(folder / "export").answer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=40, help="of the nails")
    parser.add_argument("--sets", nargs="+", default=["nails", "corners"], choices=["nails", "corners"])
    given = parser.parse_args()
    for name in ("COREBOX_REAL_DATA", "COREBOX_IMAGENET"):
        if not os.environ.get(name):
            sys.exit(f"{name} is unset; this benchmark needs real photographs and ImageNet's features")
    path = FOLDER / "label_correction.json"
    table = files.read_json(path) if path.is_file() else {}
    for name in given.sets:
        table[name] = report_nails(given.seeds) if name == "nails" else report_corners()
        files.write_json(path, table)


if __name__ == "__main__":
    main()
