"""Detection accuracy (mAP) on generated and real boats: `python -m benchmarks.boats [--minutes M] [--pictures N]`.

Prints a table of mAP50 and mAP50-95 with 95 % intervals (bootstrap over pictures) and writes
outputs/benchmarks/boats.json. `shifted`: generated pictures of kinds of boats, waters, skies and lights that are held out
of training. The real frames ($COREBOX_REAL_DATA/boats: pictures of one harbour film, some of one fixed camera, and a few
stock pictures) are split by time: the first half is for training, two are left out, the last six are for testing.
$COREBOX_IMAGENET names the weights of a MobileNetV2; its frozen features under the same head are the baseline on the real
frames. Training time is reported as wall clock and as processor time, which differ on a busy machine.
"""

import argparse
import csv
import json
import os
import time
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from lib import tasks
from lib.common import config
from lib.data import dataset
from lib.imaging import images
from lib.models import building
from lib.storage import files
from lib.tasks.boats import BoatsNetwork
from lib.training import loop

FOLDER = config.home() / "outputs" / "benchmarks"
SIZE = (640, 480)
SEEDS = {"train": 1_000_000, "validation": 2_000_000, "generated": 3_000_000, "shifted": 4_000_000}
TESTED = 150
GAP = (8, 10)            # of the real frames in the order of time: those before train, those from the second on test
WINDOWS = 6              # of each real frame in an epoch
NEAR = {"model.width": 640, "model.height": 384}    # px: real boats are small, so training sees windows of large copies,
LARGE = {"model.width": 960, "model.height": 544}   # and the test whole frames


def job(**overrides):
    return tasks.job("boats", "demo", overrides={"tracking.enabled": False, **overrides})


def drawn(name, count):
    """`count` pictures of a set and their rows, drawn once."""
    folder, found = FOLDER / "boats" / name, []
    for at in tqdm(range(count), desc=f"draw {name}", disable=None):
        path = folder / f"{at:05d}.jpg"
        if not path.with_suffix(".json").is_file():
            content, row = job(**{"boats.held": name == "shifted"}).sample(np.random.default_rng(SEEDS[name] + at), SIZE)
            files.write(path, content)
            files.write_json(path.with_suffix(".json"), row)
        row = files.read_json(path.with_suffix(".json"))
        found.append((path, {"image": f"{name}-{at}", "width": SIZE[0], "height": SIZE[1], "group": str(at), **row}))
    return found


def frames(folder):
    """The real frames in the order of time, with their rows; boats of all kinds are one class."""
    shapes, sizes = {}, {}
    with open(folder / "labels.csv", newline="") as file:
        for line in csv.DictReader(file):
            shapes.setdefault(line["file"], []).append([float(line[name]) for name in ("xmin", "ymin", "xmax", "ymax")])
            sizes[line["file"]] = int(line["width"]), int(line["height"])
    return [(folder / name, {"image": name, "width": sizes[name][0], "height": sizes[name][1], "group": name,
                             "boxes": json.dumps(shapes[name])}) for name in sorted(shapes)]


def read(this, path):
    return images.read(path, at_least=this.minimum_decode_size)


def prepared(this, train_set, validation_set):
    """The Prepared of two sets of (path, row); `this` is the job."""
    pairs = [(*each, split) for each, split in [(e, "train") for e in train_set] + [(e, "validation") for e in validation_set]]
    rows = [this.check({**row, "split": split}) for _, row, split in pairs]
    stored = np.stack([this.networks["network"].cached_image(read(this, path), row) for (path, _, _), row in zip(pairs, rows, strict=True)])
    return dataset.Prepared(rows, {"network": stored})


def fitted(this, name, ready):
    """The network of a training, and what it took (wall clock and processor, s); one that is done is taken as it is."""
    folder = FOLDER / "boats" / f"fit-{name}"
    wall, cpu = time.time(), time.process_time()
    network, history = loop.fit_network(this, "network", ready, folder, progress=True)
    cost = {"wall": time.time() - wall, "cpu": time.process_time() - cpu, "epochs": len(history),
            "val_loss": min(line["val_loss"] for line in history)}
    if not (folder / "cost.json").is_file():
        files.write_json(folder / "cost.json", cost)
    return network, files.read_json(folder / "cost.json")


def function(network):
    """A network as `answer` calls it."""
    import tensorflow as tf

    call = tf.function(lambda pixels: network(tf.cast(pixels, tf.float32), training=False))
    return lambda batch: {name: value.numpy() for name, value in call(batch).items()}


def answers(this, network, pairs):
    parts = {"network": function(network)}
    return [this.answer(parts, read(this, path)) for path, _ in pairs]


def judged(this, pairs, found):
    """mAP50 and mAP50-95 with intervals, and the mean F1 of what is shown."""
    truths = [this.truth(this.check(row)) for _, row in pairs]
    rng, whole = np.random.default_rng(0), this.set_metrics(truths, found)
    picks = [this.set_metrics([truths[at] for at in pick], [found[at] for at in pick])
             for pick in rng.integers(0, len(truths), (200, len(truths)))]
    for name in ("map50", "map50_95"):
        whole[f"{name}_low"], whole[f"{name}_high"] = np.nanquantile([each[name] for each in picks], [0.025, 0.975]).tolist()
    return {**whole, "f1": float(np.mean([this.score(*pair)["f1"] for pair in zip(truths, found, strict=True)])),
            "pictures": len(pairs), "boxes": sum(len(truth["boxes"]) for truth in truths)}


def constant(this, train_set, pairs):
    """The answers that know only where boats were in training."""
    guess = this.baseline([this.check(row) for _, row in train_set])
    return [guess((row["width"], row["height"])) for _, row in pairs]


def nothing(pairs):
    return [{"boxes": [], "scores": []} for _ in pairs]


def generated(arguments, lines):
    """Train on generated pictures, judge on others and on shifted ones; returns the network."""
    this = job(**{"training.epochs": arguments.epochs})
    learn, check = drawn("train", arguments.pictures), drawn("validation", max(20, arguments.pictures // 20))
    sets = {name: drawn(name, arguments.tested) for name in ("generated", "shifted")}
    network, cost = fitted(this, f"generated-{arguments.pictures}-{arguments.epochs}", prepared(this, learn, check))
    for name, pairs in sets.items():
        lines[name] = {"detector": judged(this, pairs, answers(this, network, pairs)) | {"training": cost},
                       "constant boxes": judged(this, pairs, constant(this, learn, pairs)),
                       "all background": judged(this, pairs, nothing(pairs))}
    return network


def real(arguments, lines, network):
    """The frames of the film: without training on any, fine-tuned on the first, and the baselines.

    Of fine-tuning the epoch is kept that fits the training frames best: there are too few for others to choose by.
    """
    every, whole = frames(Path(os.environ["COREBOX_REAL_DATA"]) / "boats"), job(**LARGE)
    learn, test = every[:GAP[0]], every[GAP[1]:]
    line = lines["real frames"] = {"all background": judged(whole, test, nothing(test)),
                                   "constant boxes": judged(whole, test, constant(whole, learn, test))}
    line["detector, generated only"] = judged(whole, test, answers(whole, enlarged(whole, network), test))
    settings = {"training.epochs": arguments.tune, "training.batch_size": 8, "training.learning_rate": 1.0e-3, **NEAR}
    tuned = Tuned(job(**settings).params, "demo")
    tuned.weights = network.get_weights()
    ways = {"detector, fine-tuned": (tuned, whole), "detector, from scratch": (job(**settings), whole)}
    if "COREBOX_IMAGENET" in os.environ:
        frozen = {"model.backbone": "MobileNetV2", "model.weights": os.environ["COREBOX_IMAGENET"], "model.trainable": False}
        ways["same head on frozen ImageNet features"] = job(**settings, **frozen), job(**{**LARGE, **frozen})
    for name, (near, large) in ways.items():
        mark = f"{'-'.join(name.replace(',', '').split())}-{arguments.pictures}-{arguments.epochs}-{arguments.tune}"
        found, cost = fitted(near, mark, prepared(near, learn * WINDOWS, learn))
        line[name] = judged(large, test, answers(large, enlarged(large, found), test)) | {"training": cost}


def enlarged(this, network):
    """The network for the input of a job, with the weights of one for another input."""
    larger = building.build(this)
    larger.set_weights(network.get_weights())
    return larger


class TunedNetwork(BoatsNetwork):
    """Starts from the weights of another training."""

    def load_pretrained(self, network):
        network.set_weights(self.task.weights)
        return False


class Tuned(tasks.find("boats")):
    """The task with a network that starts from the `weights` of another training."""

    weights, name = None, "boats"
    networks = property(lambda self: {"network": TunedNetwork(self)})


def show(lines):
    print(f"{'':16}{'':40}{'mAP50':>7} {'95 %':>13}{'mAP50-95':>10} {'95 %':>13}{'F1':>7}{'wall s':>8}{'cpu s':>8}")
    for name, methods in lines.items():
        for method, line in methods.items():
            cost = line.get("training", {})
            print(f"{name:16}{method:40}{line['map50']:7.3f} {line['map50_low']:6.3f}-{line['map50_high']:.3f}"
                  f"{line['map50_95']:10.3f} {line['map50_95_low']:6.3f}-{line['map50_95_high']:.3f}{line['f1']:7.3f}"
                  f"{cost.get('wall', 0):8.0f}{cost.get('cpu', 0):8.0f}")


def write(arguments, lines):
    show(lines)
    files.write_json(FOLDER / "boats.json", {"arguments": vars(arguments), "settings": job().params.plain(), "lines": lines})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=1600, help="generated pictures to train on")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--tune", type=int, default=12, help="epochs on the real frames")
    parser.add_argument("--tested", type=int, default=TESTED, help="generated pictures of each test set")
    parser.add_argument("--draw", action="store_true", help="only draw the pictures")
    arguments = parser.parse_args()
    lines = {}
    if arguments.draw:
        for name in SEEDS:
            drawn(name, {"train": arguments.pictures, "validation": max(20, arguments.pictures // 20)}.get(name, arguments.tested))
        return
    network = generated(arguments, lines)
    write(arguments, lines)
    if "COREBOX_REAL_DATA" in os.environ:
        real(arguments, lines, network)
        write(arguments, lines)


if __name__ == "__main__":
    main()
