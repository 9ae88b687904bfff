"""Accuracy and speed of nail classification by method: `python -m benchmarks.nails [PART …]`.

Prints tables and writes outputs/benchmarks/nails.json; the parts are speed, folds, official, days, generated and original
(which trains the original's network for ten minutes of processor time). The 198 real photographs come from
$COREBOX_REAL_DATA, the ImageNet weights from $COREBOX_IMAGENET (a MobileNetV2 .weights.h5); what needs one that is unset is
left out, and the table says so. Epoch, calibration and memory bank are always selected inside the training folds.
"""

import argparse
import csv
import hashlib
import io
import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

from lib import tasks
from lib.common import config
from lib.data import dataset
from lib.imaging import images
from lib.metrics import calibration, cross_validation
from lib.models import building
from lib.serving import prediction
from lib.storage import files
from lib.tasks import nails
from lib.tasks.nails import alignment, coreset, corruptions, layers
from lib.training import export, loop

OUT = config.home() / "outputs" / "benchmarks"
PARTS = ("speed", "folds", "official", "days", "generated")
VARIANTS = 6            # varied windows of each picture whose features are kept
EPOCHS, RATE = 40, 2.0e-3
SEEDS = 5               # trainings on the official split
DAY = 1522100000        # seconds since 1970, between the two days on which the photographs were taken


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)}, original; else all but original")
    asked = words.parse_args().parts or PARTS
    out = OUT / "nails.json"
    found = files.read_json(out) if out.is_file() else {}
    for part in asked:
        needs = "" if part in ("speed", "generated") else missing()
        if needs:
            print(f"{part}: left out, {needs} is unset")
            continue
        began = time.perf_counter()
        found[part] = globals()[part]()
        print(f"\n{part} ({time.perf_counter() - began:.0f} s)")
        for line in found[part]:
            print("  " + "  ".join(f"{key} {value:.3f}" if isinstance(value, float) else f"{value}"
                                   for key, value in line.items()))
        files.write_json(out, found)


def missing():
    return next((name for name in ("COREBOX_REAL_DATA", "COREBOX_IMAGENET") if not os.environ.get(name)), "")


def job_of(**overrides):
    """The job with frozen ImageNet features where there are weights, else with the small network."""
    weights = os.environ.get("COREBOX_IMAGENET", "")
    if weights:
        return tasks.job("nails", "transfer", overrides={"model.weights": weights, **overrides})
    return tasks.job("nails", "demo", overrides=overrides)


def real():
    """The rows of the real photographs: path, label, split, when (s)."""
    folder = Path(os.environ["COREBOX_REAL_DATA"]) / "nails"
    with open(folder / "labels.csv", newline="") as file:
        return [{"path": folder / row["file"], "label": row["label"], "split": row["split"],
                 "when": int(Path(row["file"]).name.split("_")[0])} for row in csv.DictReader(file)]


# --- features of all pictures, once


@cache
def everything():
    """Job, rows, what is bad (n,), and the features of the real photographs, which are kept for the next time."""
    job, rows = job_of(), real()
    sources = [files.sha256(Path(module.__file__)) for module in (alignment, layers, nails.network)]
    facts = [sources, job.params.model.plain(), job.params.nails.plain(), [row["path"].name for row in rows], VARIANTS]
    kept = OUT / f"nails-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]}.npz"
    if not kept.is_file():
        buffer = io.BytesIO()
        np.savez(buffer, **features(job, rows))
        files.write(kept, buffer.getvalue())
    with np.load(kept) as arrays:
        return job, rows, np.array([row["label"] == "bad" for row in rows]), dict(arrays)


def features(job, rows):
    """By name float arrays (pictures, 1 + VARIANTS, …): `pooled`, `measured`; `patches` (pictures, 4, h, w, d), mirrored.

    Variant 0 is the window as it is.
    """
    import keras

    network = building.build(job)
    inside = keras.Model(network.input, {name: network.get_layer(name).output
                                         for name in ("pooled", "measured", nails.network.PATCHES)})
    with ThreadPoolExecutor(2) as pool:
        windows = list(pool.map(lambda row: job.prepare(images.read(row["path"])), rows))
    rng = np.random.default_rng(0)
    views = np.stack([[window, *(nails.augmentation.varied(window, rng, True) for _ in range(VARIANTS))] for window in windows])
    mirrored = np.stack([[w, w[:, ::-1], w[::-1], w[::-1, ::-1]] for w in windows])
    flat = inside.predict(views.reshape(-1, *views.shape[2:]), batch_size=32, verbose=0)
    patches = inside.predict(mirrored.reshape(-1, *mirrored.shape[2:]), batch_size=32, verbose=0)[nails.network.PATCHES]
    return {name: flat[name].reshape(len(rows), 1 + VARIANTS, -1) for name in ("pooled", "measured")} | {
        nails.network.PATCHES: patches.reshape(len(rows), 4, *patches.shape[1:]), "light": views[:, 0].mean((1, 2, 3))[:, None]}


class Learner:
    """The task's own head on kept features; made once, and begun anew for every training."""

    def __init__(self, found, names):
        import keras

        keras.utils.set_random_seed(1)
        self.found, self.names = found, names
        inputs = {name: keras.Input((found[name].shape[-1],), name=name) for name in names}
        self.network = keras.Model(inputs, nails.network.weigh(inputs.get("pooled"), inputs.get("measured")))
        self.network.compile(keras.optimizers.Adam(RATE), keras.losses.BinaryCrossentropy(from_logits=True),
                             jit_compile=False)
        self.network.optimizer.build(self.network.trainable_variables)
        variables = [*self.network.variables, *self.network.optimizer.variables]
        self.start = [(variable, np.array(variable)) for variable in variables]

    def learn(self, bad, fit, check, seed):
        """Learned from varied features of the positions `fit`; best epoch by `check`.

        Gives probabilities of bad (n,) for all pictures as they are.
        """
        import keras
        import tensorflow as tf

        for variable, value in self.start:
            variable.assign(value)
        views = {name: self.found[name][fit, 1:].reshape(-1, self.found[name].shape[-1]) for name in self.names}
        labels = np.repeat(bad[fit], VARIANTS).astype(np.float32)[:, None]
        batches = tf.data.Dataset.from_tensor_slices((views, labels)).shuffle(len(labels), seed=seed).repeat().batch(16)
        plain = {name: self.found[name][:, 0] for name in self.names}
        best = keras.callbacks.EarlyStopping("val_loss", patience=EPOCHS, restore_best_weights=True)
        self.network.fit(batches, steps_per_epoch=max(1, len(fit) // 16), epochs=EPOCHS, verbose=0, callbacks=[best],
                         validation_batch_size=32, validation_data=({name: each[check] for name, each in plain.items()},
                                                                    bad[check].astype(np.float32)[:, None]))
        logits = np.asarray(self.network(plain))[:, 0]
        told = np.concatenate([fit, check])  # as `finish` does on frozen features
        slope, offset = calibration.platt(logits[told], bad[told])
        return 1 / (1 + np.exp(-(slope * logits + offset)))


def split_off(rest, bad, seed, part=0.15):
    from sklearn.model_selection import train_test_split

    return train_test_split(rest, test_size=part, stratify=bad[rest], random_state=seed)


def unlike(found, good, settings):
    """The largest distance (n,) of each picture's patches from the memory of the good ones at these positions."""
    layer = layers.MemoryBank(settings.memory)
    patches = found[nails.network.PATCHES]
    layer.build((None, *patches.shape[2:]))
    coreset.fit(layer, patches[good].reshape(-1, *patches.shape[2:]))
    return np.asarray(layer(patches[:, 0])).reshape(len(patches), -1).max(1)


RECIPES = {"outline alone": ("measured",), "frozen features alone": ("pooled",), "both (the task's)": ("pooled", "measured")}


def learners(found):
    return {name: Learner(found, names) for name, names in RECIPES.items()}


def ways(found, learned, bad, fit, check, seed, settings):
    """For each way of judging: probabilities or scores (n,) for all pictures, learned from `fit` and `check` alone."""
    rest = np.concatenate([fit, check])
    measures = found["measured"][:, 0]
    answers = {"always the commoner": np.full(len(bad), float(bad[rest].mean() >= 0.5)),
               "mean brightness": cross_validation.logistic(found["light"][rest], bad[rest])(found["light"]),
               "outline, logistic regression": cross_validation.logistic(measures[rest], bad[rest])(measures)}
    answers |= {name: learner.learn(bad, fit, check, seed) for name, learner in learned.items()}
    scores = unlike(found, fit[~bad[fit]], settings)
    cut = cross_validation.logistic(np.log(scores[check])[:, None], bad[check])
    return answers | {"memory of good ones": cut(np.log(scores)[:, None])}


def table(answers, bad, threshold=0.5):
    """Accuracy with its interval over pictures, area under ROC, and calibration error, of answers (repeats, n) by name."""
    lines = []
    for name, chances in answers.items():
        mean, low, high = cross_validation.share((chances > threshold) == bad)
        areas = [calibration.ranking(each, bad) for each in chances]
        lines.append({"way": f"{name:30}", "accuracy": mean, "low": low, "high": high,
                      "spread over repeats": float(((chances > threshold) == bad).mean(1).std()),
                      "area under ROC": float(np.mean(areas)),
                      "calibration error": float(np.mean([calibration.error(each, bad) for each in chances]))})
    return lines


# --- the parts


def folds():
    """Repeated stratified 5-fold cross-validation on all 198 photographs."""
    job, rows, bad, found = everything()
    learned, answers = learners(found), {}
    for turn, parts in enumerate(cross_validation.folds(bad)):
        for number, held in enumerate(parts):
            rest = np.setdiff1d(np.arange(len(bad)), held)
            fit, check = split_off(rest, bad, 100 * turn + number)
            for name, chances in ways(found, learned, bad, fit, check, 100 * turn + number, job.params.nails).items():
                answers.setdefault(name, np.full((cross_validation.REPEATS, len(bad)), np.nan))[turn, held] = chances[held]
    costs = look(answers["both (the task's)"], bad, job.params.nails)
    return [*table(answers, bad), costs]


def look(chances, bad, settings):
    """What the abstain band does, at the costs of params.yaml: share decided, accuracy among those, cost a picture."""
    actions = np.array([[calibration.cheapest(chance, settings.cost_miss, settings.cost_alarm, settings.cost_look)
                         for chance in line] for line in chances])
    sure = actions != "look"
    right = (actions == "bad") == bad
    cost = np.where(sure, np.where(right, 0, np.where(bad, settings.cost_miss, settings.cost_alarm)), settings.cost_look)
    return {"way": "both, asking where unsure", "decided": float(sure.mean()), "accuracy of these":
            float(right[sure].mean()), "cost": float(cost.mean()), "cost without asking": float(((chances > 0.5) != bad).mean())}


def held_out(inside):
    """Ways of judging learned from the rows for which `inside` is true, SEEDS times, and judged on the others."""
    job, rows, bad, found = everything()
    inside = np.array([inside(row) for row in rows])
    rest, held = np.flatnonzero(inside), np.flatnonzero(~inside)
    learned, answers = learners(found), {}
    for seed in range(SEEDS):
        fit, check = split_off(rest, bad, seed)
        for name, chances in ways(found, learned, bad, fit, check, seed, job.params.nails).items():
            answers.setdefault(name, []).append(chances[held])
    return table({name: np.array(each) for name, each in answers.items()}, bad[held])


def official():
    """The published split: 160 to learn from, 38 to be judged (the original: 0.77)."""
    return held_out(lambda row: row["split"] == "train")


def days():
    """Learned on the first day's photographs, judged on the second's, another light."""
    return held_out(lambda row: row["when"] < DAY)


def speed(rounds=3):
    """Preparation and classification after decoding, by the export as the API runs it, in two threads.

    On a machine that does other work the wall clock says little: the processor's own time says what two idle cores do.
    """
    job = job_of()
    pictures = [images.read(row["path"]) for row in real()[:32]] if not missing() else \
        [images.read(job.sample(np.random.default_rng(seed), (1936, 1216))[0]) for seed in range(32)]
    with tempfile.TemporaryDirectory() as folder:
        export.export(job, {"network": building.build(job)}, Path(folder), "speed")
        predictor = prediction.load(folder)
    lines = []
    with ThreadPoolExecutor(2) as pool:
        for name, work in (("preparation", job.prepare), ("both", predictor.answer)):
            list(pool.map(work, pictures))
            began, used = time.perf_counter(), time.process_time()
            for _ in range(rounds):
                list(pool.map(work, pictures))
            wall, cpu = time.perf_counter() - began, time.process_time() - used
            count = rounds * len(pictures)
            lines.append({"way": f"{name:12}", "backbone": job.params.model.backbone, "a second, wall clock": count / wall,
                          "a second of two cores": 2 * count / cpu})
    return lines


def generated(learned=240, judged=120):
    """The small network, from scratch, on generated nails; judged on others, on held-back kinds, and corrupted."""
    job = tasks.job("nails", "demo")
    drawn = [_drawn(job, seed, "train" if seed % 5 else "validation") for seed in range(learned)]
    stored = np.stack([job.prepare(picture) for picture, _ in drawn])
    prepared = dataset.Prepared([row for _, row in drawn], {"network": stored})
    with tempfile.TemporaryDirectory() as folder:
        network, _ = loop.fit_network(job, "network", prepared, Path(folder), progress=False)
        job.networks["network"].calibrate(network, prepared)
    parts = {"network": lambda batch: {key: value.numpy() for key, value in network(batch).items()}}
    lines = []
    shifted = tasks.job("nails", "demo", overrides={"nails.held": True})
    for name, source in (("generated", job), ("shifted", shifted)):
        tests = [_drawn(source, 10**6 + seed, "test") for seed in range(judged)]
        lines.append(_judge(job, parts, name, tests))
        if source is job:
            corrupt = [_judge(job, parts, f"generated, {kind} {amount}", [
                (images.Picture(corruptions.corrupt(picture.pixels, kind, amount, at), picture.size), row)
                for at, (picture, row) in enumerate(tests[:40])])
                for kind, (_, amounts) in corruptions.KINDS.items() for amount in amounts[:3]]
    return [*lines, *corrupt]


def _drawn(job, seed, split):
    content, row = job.sample(np.random.default_rng(seed), (job.params.data.generate_width, job.params.data.generate_height))
    return images.read(content), {"image": str(seed), "split": split, **row}


def _judge(job, parts, name, tests):
    truths, answers = [row for _, row in tests], [job.answer(parts, picture) for picture, _ in tests]
    right = np.array([answer["label"] == truth["label"] for truth, answer in zip(truths, answers, strict=True)])
    mean, low, high = cross_validation.share(right[None])
    chances, bad = job.chances(truths, answers)
    return {"way": f"{name:30}", "accuracy": mean, "low": low, "high": high, "commoner": float(max(bad.mean(), 1 - bad.mean())),
            "area under ROC": calibration.ranking(chances, bad)}


def original(seconds=600):
    """The original's preparation and network on the official split, stopped early or after so many processor seconds."""
    import keras

    job = tasks.job("nails", "original")
    rows = real()
    stored = np.stack([job.prepare(images.read(row["path"])) for row in rows])
    bad = np.array([row["label"] == "bad" for row in rows])
    held = np.array([row["split"] == "test" for row in rows])
    fit, check = split_off(np.flatnonzero(~held), bad, 0)
    for row, split in ((rows[at], split) for split, where in (("train", fit), ("validation", check)) for at in where):
        row["split"] = split
    prepared = dataset.Prepared([{**row, "image": row["path"].name} for row in rows], {"network": stored})
    keras.utils.set_random_seed(1)
    network = building.build(job)
    batches, steps = dataset.training_batches(job, "network", prepared, "train")
    loop.compile_network(job, "network", network, steps)
    check_set = dataset.validation_batches(job, "network", prepared, "validation")
    best, began, epochs, stale = (np.inf, None), time.process_time(), 0, 0
    batches = iter(batches)
    while epochs < job.params.training.epochs and stale < job.params.training.patience \
            and time.process_time() - began < seconds:
        for _ in range(steps):
            network.train_on_batch(*next(batches))
        loss = network.evaluate(check_set, verbose=0)
        epochs, stale = epochs + 1, stale + 1
        if loss < best[0]:
            best, stale = (loss, network.get_weights()), 0
    network.set_weights(best[1])
    chances = network.predict(stored.astype(np.float32), verbose=0)[:, 1]
    lines = table({"the original's recipe": chances[held][None]}, bad[held])
    return [{**lines[0], "epochs": epochs, "since the best": stale, "minutes": (time.process_time() - began) / 60,
             "accuracy on what it learned": float(((chances > 0.5) == bad)[fit].mean())}]


if __name__ == "__main__":
    main()
