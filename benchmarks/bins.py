"""How well are items in bins counted? Beside the commonest count, and what a perfect eye could know.

    python -m benchmarks.bins [--pictures 1600] [--epochs 24] [--folder FOLDER] [--imagenet]

Generated bins (tasks.bins.bins.generator), and a shifted set of other cloth, things, hues, bands and light that no
training sees. Both heads learn from the same pictures with the same settings; intervals are 95 % bootstrap intervals
over the test pictures of one seed. `--imagenet` adds a frozen MobileNetV2 whose weights lie where COREBOX_IMAGENET says.
Where COREBOX_REAL_DATA names real bins, the networks are tried on them too: a smoke run, they have learned from none.
`--folder` keeps the pictures for the next time.
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

from lib import config, data, files, images, predict, tasks, train
from lib.formats import abid

TEST = 300
SETS = {"generated": (10_000, False), "shifted": (20_000, True)}   # first seed of a test set, and of which kind it is
PROFILE = "demo"


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
        return means | one.summary(chosen, given)

    rng = np.random.default_rng(seed)
    drawn = [numbers(rng.integers(0, len(truths), len(truths))) for _ in range(300)]
    return {name: {"value": value, "low": float(np.quantile([each[name] for each in drawn], 0.025)),
                   "high": float(np.quantile([each[name] for each in drawn], 0.975))}
            for name, value in numbers(range(len(truths))).items() if np.isfinite(value)}


def real(one):
    """Truths and pictures of the real bins whose count is known."""
    folder = Path(os.environ["COREBOX_REAL_DATA"]) / "bins"
    _, records = abid.read(one, folder)
    return [({"count": row[one.params.data.columns["count"]]},
             images.read(folder / row[one.params.data.columns["image"]].partition("/")[2])) for row in records]


def per_count(truths, answers, classes):
    return {str(count): float(np.mean([answer["count"] == count for truth, answer in zip(truths, answers, strict=True)
                                       if truth["count"] == count])) for count in classes}


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--pictures", type=int, default=1600)
    words.add_argument("--epochs", type=int, default=24)
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
    if all(old.get(key) == found[key] for key in ("pictures", "epochs", "test")):
        found["results"] = old["results"] | found["results"]   # heads that were measured one after another
    show(found)
    files.write_json(out, found)
    print(f"written to {out}")


def measure(words):
    folder = job().folder / "images"
    rows = draw(folder, range(words.pictures), False)
    tests = {name: draw(folder, range(first, first + TEST), shifted) for name, (first, shifted) in SETS.items()}
    kinds = {head: {"bins__head": head} for head in words.heads}
    if words.imagenet:
        kinds["ordinal on frozen ImageNet features"] = {
            "bins__head": "ordinal", "model__backbone": "MobileNetV2", "model__weights": os.environ["COREBOX_IMAGENET"],
            "model__trainable": False, "training__epochs": max(2, words.epochs // 4)}
    found = {"pictures": words.pictures, "epochs": words.epochs, "test": TEST, "load": os.getloadavg()[0], "results": {}}
    constant = job().baseline(rows)((0, 0))
    for name, settings in {"the commonest count": None, **kinds}.items():
        answer, seconds = (lambda image: constant), 0.0
        one = job(**{"tracking__enabled": False, "training__epochs": words.epochs, **(settings or {})})
        if settings:
            began = time.process_time()
            record = train.train(one, data.prepare(one, gathered(one, rows), progress=False))
            seconds = time.process_time() - began
            answer = predict.load(record.path("export"), "bins").answer
        for each, lines in tests.items():
            truths = [one.truth(line) for line in lines]
            answers = [answer(folder / line["image"]) for line in lines]
            found["results"][f"{name}, {each}"] = {
                **scored(one, truths, answers), "per_count": per_count(truths, answers, one.classes),
                "cpu_seconds_of_training": seconds}
        if os.environ.get("COREBOX_REAL_DATA"):
            truths, pictures = zip(*real(one), strict=True)
            found["results"][f"{name}, {len(truths)} real (smoke run)"] = scored(one, truths, list(map(answer, pictures)))
    return found


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
