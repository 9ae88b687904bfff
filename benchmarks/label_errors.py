"""Recall of moved corner labels by the audit: `python -m benchmarks.label_errors [--sets generated real warped] [--pictures 400]`.

One label in twenty is moved by 2 to 5 % of its box's diagonal (a third each: one corner, one side, the whole box). The
labels are ranked as in notebook 03, by the shipped weights, which were not trained on them. Reported is the share of
moved labels among the first 7 % of the ranking, beside three other rankings: label / radius, plain distance, and random.
Answers are cached, so that a stopped run resumes. Real photographs come from $COREBOX_REAL_DATA: as they are (25; one
label is moved at a time and only the first rank counts, 4 %), and warped into those of other holes.
"""

import argparse
import os
import time

import numpy as np

from benchmarks import corners as bench
from lib.common import config
from lib.imaging import geometry, images
from lib.storage import files
from lib.tasks import corners
from lib.tasks.contract import Auditable, Reviewable
from lib.tasks.corners import pretraining

FOLDER = config.home() / "outputs" / "benchmarks"
SHARE, TOP, SEEDS, FIRST = 0.05, 0.07, 3, 80_000_000
TRIALS = 50              # of the 25 photographs as they are: two of each


def moved(label, rng, size):
    """A label (4, 2) with one corner, one side or all of it moved by 2 to 5 % of its diagonal."""
    while True:
        way = rng.uniform(0, 2 * np.pi)
        by = rng.uniform(0.02, 0.05) * geometry.diagonal(label) * np.array([np.cos(way), np.sin(way)])
        wrong, first, kind = label.copy(), rng.integers(4), rng.integers(3)
        wrong[[[first], [first, (first + 1) % 4], [0, 1, 2, 3]][kind]] += by
        if geometry.is_convex(wrong) and (np.abs(wrong / size - 0.5) <= 0.55).all():
            return wrong


def drawn(seed, count):
    """Generated pictures of one whole box each: names and functions that give the picture and its label."""
    at = FIRST + 1_000_000 * seed
    while count:
        at += 1
        scene = pretraining.drawn(at)
        if scene.kind == "box":
            count -= 1
            yield str(at), images.Picture(scene.pixels, scene.pixels.shape[1::-1]), geometry.order(scene.outer)


def photographs(warped):
    for item in bench.warped() if warped else bench.real():
        shown = item["read"]()
        yield item["name"], shown["picture"], shown["corners"]


class Set:
    """Pictures with right labels, and what the networks answer; kept in memory small enough for the strips."""

    def __init__(self, name, pictures, predictor):
        self.predictor, self.job = predictor, predictor.job
        path, self.names, self.shown, self.labels = FOLDER / "label_errors" / f"{name}-{bench._shipped()}.json", [], [], []
        known, began = files.read_json(path) if path.is_file() else {}, time.time()
        for key, picture, label in pictures:
            self.names.append(key)
            self.shown.append(picture)
            self.labels.append(label)
            known.setdefault(key, None)
            known[key] = known[key] or predictor.answer(picture)
            if time.time() - began > 20:
                files.write_json(path, known)
                began = time.time()
        files.write_json(path, known)
        self.answers = [known[key] for key in self.names]

    def ranks(self, seed, count):
        """Where `count` moved labels stand in the list (0 is first), by method."""
        rng, job = np.random.default_rng(seed), self.job
        wrong = rng.choice(len(self.labels), count, replace=False)
        labels = [moved(label, rng, picture.size) if at in wrong else label
                  for at, (label, picture) in enumerate(zip(self.labels, self.shown, strict=True))]
        truths = [corners.row_of(label, 3) for label in labels]
        habit = Auditable.of(job).label_bias(truths, self.answers)
        seen = [Auditable.of(job).label_evidence(self.predictor.parts, *each, habit)
                for each in zip(self.shown, truths, self.answers, strict=True)]
        pairs = list(zip(truths, self.answers, strict=True))
        values = {"suspicion": Auditable.of(job).label_errors(truths, self.answers, seen),
                  "label / radius": [Reviewable.of(job).label_nll(*pair) for pair in pairs],
                  "distance": [job.score(*pair)["error"] for pair in pairs]}
        return {name: np.argsort(np.argsort(-np.array(each)))[wrong] for name, each in values.items()}


def found(ranks, count):
    """Share of moved labels among the first 7 % of `count`."""
    return float((ranks < int(TOP * count)).mean())


def measure(name, given, predictor):
    """Shares found of each repetition, by method."""
    runs = []
    if name == "generated":
        for seed in range(SEEDS):
            part = Set(f"generated-{seed}", drawn(seed, given.pictures), predictor)
            runs.append((part.ranks(seed, round(SHARE * len(part.labels))), len(part.labels)))
    else:
        part = Set(name, photographs(name == "warped"), predictor)
        repeat, count = (TRIALS, 1) if name == "real" else (SEEDS, round(SHARE * len(part.labels)))
        runs = [(part.ranks(seed, count), len(part.labels)) for seed in range(repeat)]
    return {method: [found(ranks[method], count) for ranks, count in runs] for method in runs[0][0]}, runs


def curves(runs):
    """Figure: share of the moved labels found against the share of the list looked at."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(runs), figsize=(4.2 * len(runs), 3.6), squeeze=False, layout="constrained")
    for ax, (name, lines) in zip(axes[0], runs.items(), strict=True):
        share = np.linspace(0, 0.3, 200)
        for method, color in (("suspicion", "red"), ("label / radius", "tab:blue"), ("distance", "#b0892f")):
            places = np.concatenate([(ranks[method] + 1) / count for ranks, count in lines])
            ax.plot(share, [(places <= each + 1e-9).mean() for each in share], color=color, label=method)
        ax.axvline(TOP, color="grey", lw=0.8, ls=":")
        ax.set(title=name, xlabel="share of the list looked at", ylabel="share of the moved labels found", ylim=(0, 1.02))
    axes[0, 0].legend(loc="lower right")
    plt.close(figure)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=["generated", "real", "warped"])
    parser.add_argument("--pictures", type=int, default=400, help="generated ones, in each of the three seeds")
    given = parser.parse_args()
    predictor = bench.ours("cascade", 0, None).__self__
    path, table, runs = FOLDER / "label_errors.json", {}, {}
    print(f"moved labels in the first {TOP:.0%} of the list (chance {TOP:.0%})   weights {bench._shipped()}")
    for name in given.sets:
        if name != "generated" and not os.environ.get("COREBOX_REAL_DATA"):
            print(f"{name:10} left out: COREBOX_REAL_DATA is unset")
            continue
        shares, runs[name] = measure(name, given, predictor)
        table[name] = {method: {"mean": float(np.mean(each)), "of": each if len(each) <= SEEDS else len(each)}
                       for method, each in shares.items()}
        for method, line in table[name].items():
            print(f"{name:10} {method:15} {line['mean']:6.1%}   " +
                  (" ".join(f"{each:.1%}" for each in line["of"]) if isinstance(line["of"], list) else f"{line['of']} trials"))
    files.write_json(path, {"weights": bench._shipped(), "pictures": given.pictures, "sets": table})
    if runs:
        files.write_figure(FOLDER / "label_errors.png", curves(runs))


if __name__ == "__main__":
    main()
