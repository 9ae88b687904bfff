"""Is the loop worth its clicks? Wrong labels planted, found by the audit, put right, trained anew: `python -m benchmarks.label_correction`.

The 198 real photographs of nails ($COREBOX_REAL_DATA, $COREBOX_IMAGENET; features and blocks of time as in
benchmarks.active_learning). One training label in ten is turned round; the audit asks regressions that have not seen a label's block
of time; a reviewer puts right those suspect labels that are wrong, and the regression is fitted again. Beside it: the same
number of labels looked at, drawn at random. Errors on held-out blocks; intervals (95 %) are those of the mean over seeds, of
differences pair by pair.

And the real photographs of core boxes: those of every other hole are labels to fine-tune on, two of them moved by 2 to 5 % of
the diagonal; the others are answered. The shipped weights judge the labels; suspect ones are put right. Fits are kept
(outputs/benchmarks/label_correction/), so a stopped run goes on. Writes outputs/benchmarks/label_correction.json.
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


def out_of_block(x, y, blocks):
    """The chance of class 1 of each, by regressions that have seen no label of its block."""
    chances = np.zeros(len(y))
    for block in np.unique(blocks):
        mine = blocks == block
        chances[mine] = fitted(x[~mine], y[~mine])(x[mine])
    return chances


def one(x, y, blocks, seed):
    """Errors with clean, wrong, audited and randomly reviewed labels; and what the audit found."""
    rng = np.random.default_rng(seed)
    held = np.isin(blocks, rng.choice(BLOCKS, HELD, replace=False))
    pool = np.flatnonzero(~held)
    wrong = rng.choice(pool, round(WRONG * len(pool)), replace=False)
    labels = y.copy()
    labels[wrong] = 1 - labels[wrong]
    looked = np.array([], int)
    rounds = []
    for _ in range(ROUNDS):
        known = np.where(np.isin(np.arange(len(y)), looked), y, labels)
        chances = out_of_block(x[pool], known[pool], blocks[pool])
        suspect = pool[label_errors.confident(known[pool], np.stack([1 - chances, chances], 1)) > 1]
        looked = np.union1d(looked, suspect)
        rounds.append(looked)
    blind = rng.choice(pool, len(looked), replace=False)

    def error(seen):
        known = np.where(np.isin(np.arange(len(y)), seen), y, labels)
        return float(((fitted(x[pool], known[pool])(x[held]) > 0.5) != y[held]).mean())

    return {"clean": error(pool), "wrong": error([]), "random": error(blind), "pool": len(pool),
            **{f"audited {n}": error(seen) for n, seen in enumerate(rounds, 1)},
            **{f"looked at {n}": len(seen) for n, seen in enumerate(rounds, 1)},
            **{f"found {n}": float(np.isin(wrong, seen).mean()) for n, seen in enumerate(rounds, 1)}}


def by_nails(seeds):
    """The table of the nails, printed."""
    features, y, blocks = nails()
    x = reduced(features)
    lines = [one(x, y, blocks, seed) for seed in range(seeds)]
    values = {name: np.array([line[name] for line in lines], float) for name in lines[0]}
    table = {"seeds": seeds, **{name: float(each.mean()) for name, each in values.items()}}
    print(f"nails: {seeds} seeds; {WRONG:.0%} of {table['pool']:.0f} labels are wrong")
    for name in ("clean", "wrong", "random", *(f"audited {n}" for n in range(1, ROUNDS + 1))):
        apart = values[name] - values["clean"]
        table[f"{name}, less clean"] = [float(apart.mean()), float(band(apart))]
        number = name.removeprefix("audited ")
        about = "" if number == name else f"{table[f'looked at {number}']:5.1f} looked at, " \
            f"{table[f'found {number}']:4.0%} of the wrong ones among them"
        print(f"error with labels {name:10} {table[name]:5.1%}   more than clean: {apart.mean():+.1%} ± {band(apart):.1%}   "
              + about)
    return table


# --- core boxes


def by_corners():
    """The table of the core boxes, printed: errors in % of the diagonal, over all photographs, paired."""
    rows, errors, looked, found = bench.labels(), {}, 0, []
    holes = sorted({row["hole"] for row in rows})
    pictures = {row["name"]: images.read(row["path"]) for row in rows}
    for side in (0, 1):
        mine = [row for row in rows if holes.index(row["hole"]) % 2 == side]
        others = [row for row in rows if holes.index(row["hole"]) % 2 != side]
        rng = np.random.default_rng(side)
        wrong = set(rng.choice(len(mine), 2, replace=False).tolist())
        planted = [moved(row["corners"], rng, pictures[row["name"]].size) if at in wrong else row["corners"]
                   for at, row in enumerate(mine)]
        suspect = suspects([pictures[row["name"]] for row in mine], planted)
        looked, found = looked + len(suspect), [*found, *(at in suspect for at in wrong)]
        sets = {"clean": [row["corners"] for row in mine], "wrong": planted,
                "audited": [row["corners"] if at in suspect else each for at, (row, each) in
                            enumerate(zip(mine, planted, strict=True))]}
        for name, labels in sets.items():
            answer = fit(mine, pictures, labels)
            errors.setdefault(name, []).extend(
                100 * geometry.errors(row["corners"], corners.points(answer(pictures[row["name"]]))).mean()
                / geometry.diagonal(row["corners"]) for row in others)
    table = {"looked_at": looked, "found": float(np.mean(found)), "pictures": len(errors["clean"])}
    print(f"core boxes: {table['pictures']} answered, 4 labels wrong, {looked} looked at, "
          f"{table['found']:.0%} of the wrong ones among them")
    for name, values in errors.items():
        apart = np.array(values) - errors["clean"]
        table[name], table[f"{name}, less clean"] = float(np.mean(values)), [float(apart.mean()), float(band(apart))]
        print(f"error with labels {name:10} {np.mean(values):5.3f}   more than clean: "
              f"{apart.mean():+.3f} ± {band(apart):.3f}")
    return table


def suspects(pictures, labels):
    """Positions of the suspect ones, by the shipped weights."""
    predictor = bench.ours("cascade", 0, None).__self__
    job, truths = predictor.job, [corners.row_of(label, 3) for label in labels]
    answers = [predictor.answer(picture) for picture in pictures]
    habit = Auditable.of(job).label_bias(truths, answers)
    seen = [Auditable.of(job).label_evidence(predictor.parts, *each, habit) for each in zip(pictures, truths, answers, strict=True)]
    return {at for at, each in enumerate(Auditable.of(job).label_errors(truths, answers, seen)) if each > 1}


def fit(rows, pictures, labels):
    """Answers of the shipped weights fine-tuned on these labels; the same labels give the same networks."""
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
        table[name] = by_nails(given.seeds) if name == "nails" else by_corners()
        files.write_json(path, table)


if __name__ == "__main__":
    main()
