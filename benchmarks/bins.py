"""Accuracy of item counts in bins, beside the most frequent count and an upper bound.

    python -m benchmarks.bins [--pictures 4800] [--epochs 17] [--again 12 12] [--head-epochs 3] [--folder FOLDER] [--imagenet]

Test sets: generated bins (tasks.bins.bins.generator), and shifted ones with cloth, items, hues, bands and light that are
held out of training. The task is trained with its settings (`as set`), and with `--again` once more from those weights for
each number of epochs. Each head is then trained anew on the frozen backbone and item maps of that training, from the same
pictures, so that only the heads differ. Intervals are 95 % bootstrap intervals over the test pictures of one seed.
`--imagenet` adds a frozen MobileNetV2 with the weights that COREBOX_IMAGENET names. Where COREBOX_REAL_DATA has real bins,
the networks are tested on them too; none was trained on, so this is a smoke test. `--folder` keeps the pictures for
another run.
"""

import argparse
import json
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
from lib.data.formats import abid
from lib.imaging import images
from lib.models import saving
from lib.serving import prediction
from lib.storage import files
from lib.tasks.contract import Network
from lib.training import fitting

TEST = 300
SETS = {"generated": (10_000, False), "shifted": (20_000, True)}   # first seed of a test set, and of which kind it is
PROFILE = "full"
ANEW = ("there", "whole", "score_of_number", "score_of_rest", "count")   # layers of the head that makes the count


def job(**overrides):
    return tasks.job("bins", PROFILE, overrides={key.replace("__", "."): value for key, value in overrides.items()})


def draw(folder, seeds, shifted):
    """Rows of the generated bins of these seeds, whose pictures lie in the folder; those that are there are kept."""
    wanted = [seed for seed in seeds if not (folder / f"{seed}.json").is_file()]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(_draw, [(folder, seed, shifted) for seed in wanted], chunksize=20))
    return [files.read_json(folder / f"{seed}.json") for seed in seeds]


def _draw(what):
    folder, seed, shifted = what
    one = job(bins__generator__shifted=shifted)
    size = one.params.data.generate_width, one.params.data.generate_height
    content, row = one.sample(np.random.default_rng(seed), size)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{seed}.jpg").write_bytes(content)
    files.write_json(folder / f"{seed}.json", {"image": f"{seed}.jpg", "width": size[0], "height": size[1],
                                               "group": str(seed), **row})


def gathered(one, rows):
    """The labels table of a training: every eighth picture is for validation."""
    return pd.DataFrame([{**row, "split": "validation" if at % 8 == 7 else "train"} for at, row in enumerate(rows)])


def scored(one, truths, answers, seed=0):
    """The task's own numbers and the accuracy of a set, each with a 95 % bootstrap interval."""
    def numbers(at):
        chosen, given = [truths[n] for n in at], [answers[n] for n in at]
        hits = [one.score(truth, answer) for truth, answer in zip(chosen, given, strict=True)]
        means = {name: float(np.mean([hit[name] for hit in hits])) for name in ("right", "off", "within_1")}
        return means | one.set_metrics(chosen, given)

    rng = np.random.default_rng(seed)
    drawn = [numbers(rng.integers(0, len(truths), len(truths))) for _ in range(300)]
    return {name: {"value": value, "low": float(np.quantile([each[name] for each in drawn], 0.025)),
                   "high": float(np.quantile([each[name] for each in drawn], 0.975))}
            for name, value in numbers(range(len(truths))).items() if np.isfinite(value)}


def real(one):
    """Truths and pictures of the real bins whose count is known."""
    folder = Path(os.environ["COREBOX_REAL_DATA"]) / "bins"
    _, records = abid.read_records(one, folder)
    return [({"count": row[one.params.data.columns["count"]]},
             images.read(folder / row[one.params.data.columns["image"]].partition("/")[2])) for row in records]


def per_count(truths, answers, classes):
    """The accuracy on the bins of each count that there is."""
    right = {count: [answer["count"] == count for truth, answer in zip(truths, answers, strict=True) if truth["count"] == count]
             for count in classes}
    return {str(count): float(np.mean(hits)) for count, hits in right.items() if hits}


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--pictures", type=int, default=4800)
    words.add_argument("--epochs", type=int, default=17)
    words.add_argument("--again", type=int, nargs="*", default=[], help="epochs of further trainings, each from the weights before")
    words.add_argument("--head-epochs", type=int, default=3)
    words.add_argument("--folder", type=Path)
    words.add_argument("--imagenet", action="store_true")
    words.add_argument("--heads", nargs="*", default=["softmax", "ordinal"])
    words = words.parse_args()
    out = config.home() / "outputs" / "benchmarks" / "bins.json"
    with tempfile.TemporaryDirectory() as temporary:
        home = words.folder or Path(temporary)
        files.write(home / "params.yaml", (config.REPOSITORY / "params.yaml").read_text())
        os.environ["COREBOX_HOME"] = str(home)
        found = measure(words)
    old = files.read_json(out) if out.is_file() else {}
    if all(old.get(key) == found[key] for key in ("pictures", "epochs", "again", "head_epochs", "test")):
        found["results"] = old["results"] | found["results"]   # heads that were measured one after another
    show(found)
    files.write_json(out, found)
    print(f"written to {out}")


class AgainNetwork(Network):
    """Starts from the weights of another training."""

    def load_pretrained(self, network):
        network.set_weights(self.task.given.get_weights())
        return False


class ContinuedNetwork(Network):
    """Keeps the backbone and the maps of another training as they are; the count is learned anew."""

    def load_pretrained(self, network):
        for layer in network.layers:
            if layer.weights and layer.name not in ANEW:
                layer.set_weights(self.task.given.get_layer(layer.name).get_weights())
                layer.trainable = False
        return False


class Again(tasks.find("bins")):
    """The task with a network that another training, `given`, is continued in."""

    given, name = None, "bins"
    networks = property(lambda self: {"network": AgainNetwork(self)})


class Continued(Again):
    """The task whose count alone is learned anew."""

    networks = property(lambda self: {"network": ContinuedNetwork(self)})


def measure(words):
    folder = job().folder / "images"
    rows = draw(folder, range(words.pictures), False)
    tests = {name: draw(folder, range(first, first + TEST), shifted) for name, (first, shifted) in SETS.items()}
    found = {"pictures": words.pictures, "epochs": words.epochs, "again": words.again, "head_epochs": words.head_epochs, "test": TEST,
             "load": os.getloadavg()[0], "results": {}}
    plain = {"tracking__enabled": False}
    whole = job(**plain, training__epochs=words.epochs)
    constant = whole.baseline(rows)((0, 0))
    note(found, "the commonest count", whole, tests, folder, lambda image: constant)
    trunk = note(found, "as set", whole, tests, folder, *taught(whole, rows))
    for at, epochs in enumerate(words.again, 2):
        rate = whole.params.training.learning_rate / 2
        one = after(Again, trunk, **plain, training__epochs=epochs, training__reuse=False, training__learning_rate=rate)
        trunk = note(found, f"as set, training {at}", one, tests, folder, *taught(one, rows))
    for head in words.heads:
        one = after(Continued, trunk, **plain, training__epochs=words.head_epochs, training__reuse=False, bins__head=head)
        note(found, head, one, tests, folder, *taught(one, rows))
    if words.imagenet:
        one = job(**plain, training__epochs=max(2, words.epochs // 4), model__backbone="MobileNetV2",
                  model__weights=os.environ["COREBOX_IMAGENET"], model__trainable=False)
        note(found, "on frozen ImageNet features", one, tests, folder, *taught(one, rows))
    return found


def after(kind, given, **overrides):
    """A job of that kind, which begins with the network `given`."""
    one = job(**overrides)
    one = kind(one.params, one.profile)
    one.given = given
    return one


def taught(one, rows):
    """The answers of a training, what it took (s of processor time), and its network."""
    began = time.process_time()
    record = fitting.fit(one, dataset.prepare(one, gathered(one, rows), progress=False))
    seconds = time.process_time() - began
    return prediction.load(record.path("export"), "bins").answer, seconds, saving.load(record.path("model", "network.keras"))


def note(found, name, one, tests, folder, answer, seconds=0.0, network=None):
    """Put down the scores of a way to answer on every test set; returns its network."""
    for each, lines in tests.items():
        truths, answers = [one.truth(line) for line in lines], [answer(folder / line["image"]) for line in lines]
        found["results"][f"{name}, {each}"] = {**scored(one, truths, answers), "cpu_seconds_of_training": seconds,
                                               "per_count": per_count(truths, answers, one.classes)}
    if os.environ.get("COREBOX_REAL_DATA"):
        truths, pictures = zip(*real(one), strict=True)
        found["results"][f"{name}, {len(truths)} real (smoke run)"] = scored(one, truths, list(map(answer, pictures)))
    return network


def show(found):
    names = ("right", "perfect_eye", "within_1", "off", "rmse", "rmse_expected", "right_on_surer_half", "calibration_error")
    lines = [{"answers, pictures": name, **{score: f"{each[score]['value']:.3f} ({each[score]['low']:.2f}-"
                                                   f"{each[score]['high']:.2f})" if score in each else ""
                                            for score in names}} for name, each in found["results"].items()]
    print(f"{found['pictures']} generated bins to learn from, {found['test']} of each kind to test on, one seed")
    print(pd.DataFrame(lines).to_string(index=False))
    ordinal, softmax = (found["results"].get(f"{head}, generated") for head in ("ordinal", "softmax"))
    if ordinal and softmax:
        gain = {f"{a} of ordinal / {b} of softmax": ordinal[a]["value"] / softmax[b]["value"]
                for a, b in (("rmse_expected", "rmse"), ("rmse", "rmse"), ("rmse_expected", "rmse_expected"))}
        found["gain"] = gain
        print(json.dumps(gain, indent=1))
    print("published, on the whole real data set: 0.33 right (the original), 0.562 right and RMSE 0.90 (best known)")


if __name__ == "__main__":
    main()
