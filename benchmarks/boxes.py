"""How many of the boxes in photographs are found: `python -m benchmarks.boxes [SET …] [--boxes all one] [--head cascade]`.

A found box counts where its confidence is SURE or more, it is not refused, and it overlaps a true one by IoU 0.8 inside
the picture. Sets: generated and shifted (drawn, with 2 to 6 boxes each), without (drawn pictures without a box), and
`real`: the photographs of other people in $COREBOX_REAL_DATA/coreboxes2, the sources by which the method was chosen apart
from the others. `--boxes one` is the baseline: one answer a picture. Prints a table and writes outputs/benchmarks/boxes.json.
"""

import argparse
import collections
import csv
import os
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks import corners as one_box
from lib.common import config
from lib.imaging import geometry, images
from lib.storage import files
from lib.tasks.corners import matching, points

FOLDER = config.home() / "outputs" / "benchmarks"
SETS = ("generated", "shifted", "without", "real")
SEEDS = {"generated": 70_000_000, "shifted": 80_000_000, "without": 90_000_000}
DRAWN = 200              # pictures of each drawn set
SURE = 0.5
CHOSEN_ON = ("geoburdin", "meahnaf", "edwino26")   # sources of `real` that the method was chosen on


def drawn(name):
    """The first DRAWN scenes from a seed on that show 2 to 6 boxes; of `without`, no box."""
    from lib.synthetic import coreboxes

    seed, left = SEEDS[name], DRAWN
    sizes = ((640, 480), (480, 640), (960, 720))
    while left:
        scene = coreboxes.draw_wide(seed, size=sizes[seed % 3], shifted=name == "shifted")
        seed += 1
        if (2 <= len(scene.boxes) <= 6 and scene.kind != "blurred") if name != "without" else not scene.boxes:
            left -= 1
            truth = [{"corners": each.outer.astype(float), "rows": each.row_nb, "cut": bool(each.cut), "run": each.rows_run,
                      "sure": True} for each in scene.boxes]
            yield f"{seed - 1}", name, images.Picture(scene.pixels, scene.pixels.shape[1::-1]), truth


def real():
    """The photographs of boxes.csv, each with its boxes; the group is whether the method was chosen on its source."""
    folder = Path(os.environ["COREBOX_REAL_DATA"]) / "coreboxes2"
    pictures = collections.defaultdict(list)
    with open(folder / "boxes.csv", newline="") as file:
        for row in csv.DictReader(file):
            pictures[row["file"]] += [row] if row["box"] != "0" else []
    for name, rows in pictures.items():
        truth = [{"corners": points(row), "rows": int(row["row_nb"] or 0), "cut": row["cut"] == "true", "run": row["rows_run"],
                  "sure": row["sure"] == "true"} for row in rows]
        yield name, "chosen on" if name.startswith(CHOSEN_ON) else "others", images.read(folder / "images" / name), truth


def compared(answer, truth, size):
    """What is kept of an answer: its boxes, and for each true box which was found and how well."""
    told = [box for box in answer["boxes"] if not box["refused"] and (box["confidence"] or 0) >= SURE]
    pairs = {i: j for i, j, _ in matching.match([each["corners"] for each in truth], [points(box) for box in told], size)}
    boxes = []
    for at, each in enumerate(truth):
        line = {"cut": each["cut"], "sure": each["sure"], "found": at in pairs}
        if at in pairs:
            box = told[pairs[at]]
            apart = geometry.errors(each["corners"], points(box))
            line |= {"error": 100 * float(apart.mean()) / geometry.diagonal(each["corners"]),
                     "radius": (apart <= box["radius"]).mean().item() if box["radius"] else None,
                     "rows": bool(box.get("row_nb") == each["rows"]) if each["rows"] else None,
                     "cut right": bool(box["cut"] == each["cut"]), "run": box["rows_run"] == each["run"]}
        boxes.append(line)
    return {"boxes": boxes, "told": len(told), "right": len(pairs)}


def summary(lines):
    """The figures of a set, counts beside shares."""
    boxes = [box for line in lines for box in line["boxes"]]
    found = [box for box in boxes if box["found"]]
    told, right = sum(line["told"] for line in lines), sum(line["right"] for line in lines)
    empty = [line["told"] == 0 for line in lines if not line["boxes"]]

    def share(values):
        values = [each for each in values if each is not None]
        return f"{np.mean(values):.3f} ({sum(map(float, values)):.0f}/{len(values)})" if values else "–"

    whole = [box for box in found if not box["cut"]]
    errors = [box["error"] for box in whole]
    sure = [box["error"] for box in whole if box["sure"]]
    return {"pictures": len(lines), "recall": share([box["found"] for box in boxes]),
            "precision": f"{right / told:.3f} ({right}/{told})" if told else "–",
            "whole found": share([box["found"] for box in boxes if not box["cut"]]),
            "mean error %": round(float(np.mean(errors)), 2) if errors else None,
            "median sure %": round(float(np.median(sure)), 2) if sure else None,
            "rows right": share([box["rows"] for box in found]), "cut right": share([box["cut right"] for box in found]),
            "run right": share([box["run"] for box in found]),
            "radius holds": share([box["radius"] for box in whole]), "empty left alone": share(empty)}


def measure(name, answer):
    """Lines of a set: name, group, and what `compared` keeps."""
    for picture_name, group, picture, truth in real() if name == "real" else drawn(name):
        yield {"picture": picture_name, "group": group, **compared(answer(picture), truth, picture.size)}


def main(arguments=None):
    words = argparse.ArgumentParser(prog="python -m benchmarks.boxes", description=__doc__.splitlines()[0])
    words.add_argument("sets", nargs="*", default=[], help=", ".join(SETS))
    words.add_argument("--boxes", nargs="+", default=["all", "one"], choices=["all", "one"])
    words.add_argument("--head", default="cascade", choices=["cascade", "heatmap"])
    words.add_argument("--export", default="", help="an export's folder, in place of the shipped weights")
    given, lines = words.parse_args(arguments), []
    for boxes in given.boxes:
        answer = answerer(given.head, boxes, given.export)
        for name in given.sets or SETS:
            if name == "real" and not os.environ.get("COREBOX_REAL_DATA"):
                print("real left out: COREBOX_REAL_DATA is unset")
                continue
            lines += [{"set": name, "answers": boxes, **each} for each in measure(name, answer)]
            table(lines[-1:] and [each for each in lines if (each["set"], each["answers"]) == (name, boxes)])
    files.write_json(FOLDER / "boxes.json", {"made": time.strftime("%Y-%m-%d %H:%M:%S"), "head": given.head, "lines": lines})
    return 0


def answerer(head, boxes, export=""):
    """The function from a picture to its answer: shipped weights, or an export."""
    from lib.serving import prediction

    return prediction.load(export or one_box.exported(head if boxes == "all" else f"{head}-one"), threads=2, golden=bool(export)).answer


def table(lines):
    """Print the figures of a set, as a whole and by group."""
    groups = sorted({line["group"] for line in lines})
    for group in ["", *groups] if len(groups) > 1 else [""]:
        chosen = [line for line in lines if group in ("", line["group"])]
        print(f"{lines[0]['set']}, answers: {lines[0]['answers']}{f', {group}' if group else ''}")
        for name, value in summary(chosen).items():
            print(f"    {name:18}{value}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
