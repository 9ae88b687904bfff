"""Corner error by method and by set of pictures: `python -m benchmarks.corners [METHOD …] [--sets SET …]`.

Prints one table and writes outputs/benchmarks/corners.json. Answers are cached, so that a stopped run resumes; `--again`
discards the answers of the named methods. Real photographs come from $COREBOX_REAL_DATA, the ImageNet weights for the
original's head from $COREBOX_IMAGENET (a MobileNetV2 .weights.h5). Where a variable is unset, the methods and sets that
need it are left out, and the table says so.
"""

import argparse
import csv
import hashlib
import os
import time
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np

from lib import tasks
from lib.common import config
from lib.data import dataset
from lib.imaging import geometry, images, warping
from lib.storage import files
from lib.tasks import corners
from lib.tasks.corners import crops, pretraining
from lib.training import pretraining as weights

FOLDER = config.home() / "outputs" / "benchmarks"
PLAIN = {"model.width": 288, "model.height": 216, "model.weights": "shipped"}
SMALL = {"model.width": 192, "model.height": 144}   # the other size that weights ship for: faster, less exact
SETS = ("generated", "shifted", "real", "warped")
SEEDS = {"generated": 50_000_000, "shifted": 60_000_000, "training": 3_000_000}
DRAWN = 400              # pictures of each generated set
WARPS = 20               # of each real photograph
CANVAS = (1280, 960)     # px, of the warped ones
LABELS = (5, 10, 20)     # of other holes, to fine-tune on


# --- pictures: dicts of name, group, picture (a function), corners (None: no whole box), row_nb (None: not judged)


def generated(shifted=False):
    """Drawn pictures of all kinds; those of one whole box are judged by their corners, the others by refusals."""
    seed = SEEDS["shifted" if shifted else "generated"]
    for at in range(DRAWN):
        yield {"name": f"{seed + at}", "group": f"{seed + at}", "read": partial(_scene, seed + at, shifted)}


def _scene(seed, shifted):
    scene = pretraining.drawn(seed, shifted)
    whole = scene.kind == "box"
    return {"picture": images.Picture(scene.pixels, scene.pixels.shape[1::-1]),
            "corners": geometry.order(scene.outer) if whole else None, "row_nb": scene.row_nb if whole else None}


def labels():
    """The rows of the real photographs: name, hole, corners."""
    folder = Path(os.environ["COREBOX_REAL_DATA"]) / "coreboxes"
    with open(folder / "log_pic.csv", newline="") as file:
        return [{"path": folder / row["fullname"], "name": Path(row["fullname"]).name, "hole": row["hole"],
                 "row_nb": int(row["row_nb"]), "corners": geometry.order(corners.points(row))}
                for row in csv.DictReader(file)]


def real():
    """The photographs as they are."""
    for label in labels():
        yield {"name": label["name"], "group": label["hole"], "read": partial(_photograph, label)}


def _photograph(label):
    return {"picture": images.read(label["path"]), "corners": label["corners"], "row_nb": None}


def warped():
    """Each photograph lying WARPS times in another hole's one: perspective, turned, scaled 0.5 … 1; fixed seeds."""
    rows = labels()
    for at, label in enumerate(rows):
        for turn in range(WARPS):
            yield {"name": f"{label['name']}#{turn}", "group": label["hole"],
                   "read": partial(_warp, rows, at, turn)}


@cache
def _reduced(path):
    """A photograph at most 2000 px wide, and by how much it was reduced."""
    pixels = images.read(path).pixels
    scale = min(1.0, 2000 / pixels.shape[1])
    size = round(pixels.shape[1] * scale), round(pixels.shape[0] * scale)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.array(size) / pixels.shape[1::-1]


def _warp(rows, at, turn):
    rng = np.random.default_rng((7, at, turn))
    others = [row for row in rows if row["hole"] != rows[at]["hole"]]
    pixels, scale = _reduced(rows[at]["path"])
    behind = _filled(_reduced(others[rng.integers(len(others))]["path"])[0], rng)
    while True:
        matrix = _place(pixels.shape[1::-1], rng)
        truth = geometry.warp(matrix, rows[at]["corners"] * scale)
        if (truth >= -2).all() and (truth <= np.array(CANVAS) + 2).all():
            break
    mask = warping.warp(np.full(pixels.shape[:2], 255, np.uint8), matrix, CANVAS, 0)[..., None] > 127
    pixels = np.where(mask, warping.warp(pixels, matrix, CANVAS), behind)
    return {"picture": images.Picture(pixels, CANVAS), "corners": geometry.order(truth), "row_nb": None}


def _place(size, rng):
    """The matrix that lays a picture of (width, height) somewhere on the canvas."""
    width, height = size
    box = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    reach = np.array(size) * min(CANVAS[0] / width, CANVAS[1] / height) * rng.uniform(0.5, 1.0)
    there = (box / size - 0.5 + rng.uniform(-0.05, 0.05, (4, 2))) * reach
    turn = np.deg2rad(rng.uniform(-10, 10))
    there = there @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    room = np.array(CANVAS) - np.ptp(there, axis=0)
    there = there - there.min(0) + np.where(room > 0, rng.uniform(0, 1, 2) * room, room / 2)
    return cv2.getPerspectiveTransform(box.astype(np.float32), there.astype(np.float32)).astype(float)


def _filled(pixels, rng):
    """A part of a picture that fills the canvas, mirrored or not."""
    (across, down), grow = CANVAS, rng.uniform(1.0, 1.5)
    grow *= max(across / pixels.shape[1], down / pixels.shape[0])
    pixels = cv2.resize(pixels, None, fx=grow, fy=grow, interpolation=cv2.INTER_LINEAR)
    top, left = (int(rng.integers(0, full - part + 1))
                 for full, part in zip(pixels.shape, (down, across), strict=False))
    part = pixels[top:top + down, left:left + across]
    return part[:, ::-1] if rng.random() < 0.5 else part


SOURCES = {"generated": generated, "shifted": partial(generated, True), "real": real, "warped": warped}


# --- methods: a function of the hole that must not be learned from, which gives a function from Picture to answer


def constant(hole):
    """The mean corners of the training pictures."""
    rows = [row for row in _drawn().rows if row["kind"] == "box"]
    answer = tasks.job("corners", overrides=PLAIN).baseline(rows)
    return lambda picture: answer(np.array(picture.size))


@cache
def _drawn(count=2000):
    """Training pictures for the methods that have to learn here, drawn as the shipped weights' were."""
    job = tasks.job("corners", overrides={**PLAIN, "corners.head": "heatmap"})
    return weights.draw_examples(job, FOLDER / "corners" / "drawn", count, SEEDS["training"])


def classic(hole):
    """Edges, contours, the largest quadrilateral: the pipeline that is found in tutorials."""
    return _contour


def _contour(picture):
    scale = 800 / max(picture.pixels.shape[:2])
    small = cv2.resize(picture.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    edges = cv2.Canny(cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), (5, 5), 0), 50, 150)
    edges = cv2.morphologyEx(edges, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    outlines, _ = cv2.findContours(edges, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    best = _quadrilateral(outlines)
    if best is None:
        best = np.array([[0, 0], [small.shape[1], 0], small.shape[1::-1], [0, small.shape[0]]], float)
    return corners.point_dict(geometry.order(best / scale * picture.size[0] / picture.pixels.shape[1]))


def _quadrilateral(outlines):
    """The largest outline that is one, else the rectangle about the largest outline."""
    outlines = sorted(outlines, key=cv2.contourArea, reverse=True)[:10]
    for outline in outlines:
        shape = cv2.approxPolyDP(outline, 0.02 * cv2.arcLength(outline, True), True)
        if len(shape) == 4 and cv2.contourArea(shape) > 10_000:
            return shape[:, 0] + 0.5
    return cv2.boxPoints(cv2.minAreaRect(outlines[0])) if outlines else None


@cache
def original(hole):
    """The original's head and loss on frozen MobileNetV2 features (ImageNet), the same drawn pictures to learn from."""
    import keras

    path = os.environ["COREBOX_IMAGENET"]
    job = tasks.job("corners", overrides={"corners.head": "dense", "model.width": 224, "model.height": 224,
                                          "corners.predictor_mode": 8})
    base = keras.applications.MobileNetV2(input_shape=(224, 224, 3), include_top=False, weights=None,
                                          alpha=0.35 if "0.35" in Path(path).name else 1.0)
    base.load_weights(path)
    head = _dense_on(base, job)
    network = keras.Sequential([keras.layers.Rescaling(1 / 127.5, -1.0), base, head])
    return partial(job.answer, {"coarse": lambda batch: network.predict_on_batch(batch.astype("float32"))})


def _dense_on(base, job):
    """The dense head, trained as the original was but for the rate (1e-4: 1e-5 gets nowhere in these minutes)."""
    import keras

    prepared = _drawn()
    rows = [at for at, row in enumerate(prepared.rows) if row["kind"] == "box"]
    inputs, targets = zip(*(_stretched(prepared.stored["coarse"][at], prepared.rows[at], job) for at in rows), strict=True)
    features = np.concatenate([base.predict_on_batch(np.stack(inputs[at:at + 32]) / 127.5 - 1.0)
                               for at in range(0, len(inputs), 32)])
    keras.utils.set_random_seed(1)
    entry = keras.Input(features.shape[1:])
    head = keras.Model(entry, corners.network.dense_head(entry, 8))
    head.compile(optimizer=keras.optimizers.Adam(1e-4), loss=job.networks["coarse"].loss(), jit_compile=False)
    best = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
    head.fit(features, np.stack(targets), validation_split=0.3, epochs=60, batch_size=32, verbose=0, callbacks=[best])
    return head


def _stretched(stored, row, job):
    """A stored picture as the original sees it, and its target."""
    inner = crops.frame((row["width"], row["height"]), stored.shape[1::-1])
    (left, top), (across, down) = inner.shift, inner.inner
    shown = stored[top:top + down, left:left + across]
    return cv2.resize(shown, job.input_size, interpolation=cv2.INTER_AREA).astype(np.float32), job.encode(row)


@cache
def ours(head, count, hole):
    """The shipped weights; or, with a `count`, fine-tuned on so many labels of other holes than `hole`."""
    from lib.serving import prediction

    return prediction.load(exported(head, count, hole), threads=2, golden=False).answer


def exported(head, count=0, hole=None):
    """The folder of an export of these weights, made where there is none yet."""
    from lib.models import building
    from lib.training import export, loop

    name, *others = head.split("-")
    job = tasks.job("corners", overrides={**PLAIN, **(SMALL if "192" in others else {}), "corners.head": name,
                                          "corners.boxes": "one" if "one" in others else "all", **(TUNING if count else {})})
    folder = FOLDER / "corners" / f"{head}-{count or 'shipped'}-{hole if count else ''}-{_shipped()}"
    if not (folder / "export" / "export.json").is_file():
        networks = {}
        for part in job.networks:
            if count:
                networks[part] = loop.fit_network(job, part, _few(job, count, hole), folder, False)[0]
            else:
                networks[part] = building.build(job, part)
                job.networks[part].load_pretrained(networks[part])
        export.export(job, networks, folder / "export", "benchmark")
    return folder / "export"


TUNING = {"training.epochs": 25, "training.batch_size": 16, "training.learning_rate": 3.0e-4}


def _shipped():
    """Eight letters that change with the shipped weights."""
    paths = sorted(corners.confidence.SHIPPED.glob("*.npz"))
    return hashlib.sha256("".join(files.sha256(path) for path in paths).encode()).hexdigest()[:8]


@cache
def _few(job, count, hole):
    """So many labelled photographs of other holes, each several times so that an epoch is worth it; a fifth to check."""
    rows = [label for label in labels() if label["hole"] != hole]
    order = np.random.default_rng(sum(map(ord, hole))).permutation(len(rows))[:count]
    prepared, check = [], max(1, count // 5)
    for place, at in enumerate(order):
        picture = images.read(rows[at]["path"])
        row = {"image": rows[at]["name"], "width": picture.size[0], "height": picture.size[1],
               "split": "validation" if place < check else "train",
               **corners.row_of(rows[at]["corners"], rows[at]["row_nb"])}
        prepared.append((row, {part: job.networks[part].cached_image(picture, row) for part in job.networks}))
    return dataset.Prepared([row for row, _ in prepared],
                         {part: np.stack([stored[part] for _, stored in prepared]) for part in job.networks})


METHODS = {"constant": constant, "classic": classic, "original": original, "heatmap": partial(ours, "heatmap", 0),
           "cascade": partial(ours, "cascade", 0), "heatmap-192": partial(ours, "heatmap-192", 0),
           "cascade-192": partial(ours, "cascade-192", 0), "heatmap-one": partial(ours, "heatmap-one", 0),
           "cascade-one": partial(ours, "cascade-one", 0),
           **{f"cascade+{count}": partial(ours, "cascade", count) for count in LABELS}}


def lacks(method, name):
    """Why a method is not run on a set; an empty text where it is."""
    if name in ("real", "warped") and not os.environ.get("COREBOX_REAL_DATA"):
        return "COREBOX_REAL_DATA is unset"
    if method == "original" and not os.environ.get("COREBOX_IMAGENET"):
        return "COREBOX_IMAGENET is unset"
    return "fine-tuned on real photographs" if "+" in method and name in ("generated", "shifted") else ""


# --- answers and their scores


def run(methods, name):
    """The lines of a set by method, one a picture; those that are on disk are taken from there.

    A picture is read (or drawn) once for all methods.
    """
    lines, began = {method: _kept(method, name) for method in methods}, time.time()
    for item in SOURCES[name]():
        missing = [method for method in methods if item["name"] not in lines[method]]
        shown = item["read"]() if missing else None
        for method in missing:
            answer = METHODS[method](item["group"] if "+" in method else None)
            lines[method][item["name"]] = line(answer, item["group"], shown)
        if time.time() - began > 20:
            _keep(lines, name)
            began = time.time()
    _keep(lines, name)
    return {method: list(each.values()) for method, each in lines.items()}


def _path(method, name):
    return FOLDER / "corners" / "answers" / f"{method}-{name}.json"


def _key(method):
    """What an answer depends on, besides its picture."""
    return _shipped() if method.startswith(("heatmap", "cascade")) else ""


def _kept(method, name):
    path = _path(method, name)
    kept = files.read_json(path) if path.is_file() else {"key": None, "lines": {}}
    return kept["lines"] if kept["key"] == _key(method) else {}


def _keep(lines, name):
    for method, each in lines.items():
        files.write_json(_path(method, name), {"key": _key(method), "lines": each})


def line(answer, group, shown):
    """What is kept of an answer: errors of the corners (px), and what it says of itself."""
    began = time.perf_counter()
    found = answer(shown["picture"])
    took = 1000 * (time.perf_counter() - began)
    result = {"group": group, "ms": took, "whole": shown["corners"] is not None,
              "refused": found.get("refused"), "confidence": found.get("confidence"), "radius": found.get("radius")}
    if result["whole"] and found.get("p1x") is None:   # no box was found where there is one: as far off as the box is large
        truth = shown["corners"]
        result |= {"px": [geometry.diagonal(truth)] * 4, "diagonal": geometry.diagonal(truth), "jaccard": 0.0, "rows_right": 0.0,
                   "radius": [0.0] * 4}
    elif result["whole"]:
        truth = shown["corners"]
        result |= {"px": geometry.errors(truth, corners.points(found)).tolist(), "diagonal": geometry.diagonal(truth),
                   "jaccard": geometry.jaccard(truth, corners.points(found))}
        if shown["row_nb"] and "row_nb" in found:
            result["rows_right"] = float(found["row_nb"] == shown["row_nb"])
    return result


def summary(lines):
    """The figures of a set: errors in % of the diagonal and in pixels, with 95 % intervals by resampling groups."""
    whole = [each for each in lines if each["whole"]]
    px = np.array([each["px"] for each in whole])
    parts = 100 * px / np.array([each["diagonal"] for each in whole])[:, None]
    error, groups = parts.mean(1), np.array([each["group"] for each in whole])
    result = {"pictures": len(whole), "mean": error.mean(), "mean_interval": _interval(error, groups, np.mean),
              "median": np.median(error), "median_interval": _interval(error, groups, np.median),
              "p95": np.percentile(error, 95), "px_mean": px.mean(), "px_median": np.median(px.mean(1)),
              **{f"pck_{at}": (parts <= at).mean() for at in (0.25, 0.5, 1, 2)},
              "jaccard": np.mean([each["jaccard"] for each in whole]),
              "jaccard_interval": _interval(np.array([each["jaccard"] for each in whole]), groups, np.mean),
              "ms_median": np.median([each["ms"] for each in lines])}
    if "rows_right" in whole[0]:
        result["rows_right"] = np.mean([each["rows_right"] for each in whole])
    if whole[0]["confidence"] is not None:
        result |= _doubt(lines, whole, px, error)
    return {name: value.tolist() if hasattr(value, "tolist") else value for name, value in result.items()}


def _doubt(lines, whole, px, error):
    """How well an answer knows its own quality."""
    sure = np.array([each["confidence"] for each in whole])
    result = {"radius_holds": (px <= np.array([each["radius"] for each in whole])).mean(),
              "p95_of_surest_95": np.percentile(error[sure >= np.quantile(sure, 0.05)], 95),
              "wrongly_refused": np.mean([each["refused"] is not None for each in whole])}
    others = np.array([each["confidence"] for each in lines if not each["whole"]])
    if len(others):
        pairs = sure[:, None] - others[None]
        result |= {"refusal_auc": (pairs > 0).mean() + (pairs == 0).mean() / 2, "others": len(others),
                   "rightly_refused": np.mean([each["refused"] is not None for each in lines if not each["whole"]])}
    return result


def _interval(values, groups, statistic, count=500):
    """95 % percentile bootstrap; whole groups (holes, pictures) are drawn, since their values are not independent."""
    rng, names = np.random.default_rng(0), np.unique(groups)
    members = [values[groups == name] for name in names]
    drawn = [statistic(np.concatenate([members[at] for at in rng.integers(len(names), size=len(names))]))
             for _ in range(count)]
    return np.percentile(drawn, [2.5, 97.5]).tolist()


def by_group(lines):
    """Mean error in % of the diagonal, by hole."""
    found = {}
    for each in lines:
        if each["whole"]:
            found.setdefault(each["group"], []).append(100 * float(np.mean(each["px"])) / each["diagonal"])
    return {name: [len(values), float(np.mean(values))] for name, values in sorted(found.items())}


def table(results):
    """The figures as text, one line a method and set."""
    head = f"{'set':10} {'method':11} {'n':>4} {'mean % [95 %]':>20} {'median':>7} {'p95':>7} {'px':>7} " \
           f"{'PCK.5':>6} {'PCK1':>6} {'PCK2':>6} {'JI':>6} {'rows':>6} {'ms':>6}"
    lines = [head, "-" * len(head)]
    for (name, method), got in results.items():
        if "left_out" in got:
            lines.append(f"{name:10} {method:11} left out: {got['left_out']}")
            continue
        low, high = got["mean_interval"]
        rows = f"{got['rows_right']:6.3f}" if "rows_right" in got else "     –"
        mean = f"{got['mean']:.2f} [{low:.2f}, {high:.2f}]"
        lines.append(f"{name:10} {method:11} {got['pictures']:4} {mean:>20} {got['median']:7.2f} {got['p95']:7.2f} "
                     f"{got['px_mean']:7.1f} {got['pck_0.5']:6.3f} {got['pck_1']:6.3f} {got['pck_2']:6.3f} "
                     f"{got['jaccard']:6.3f} {rows} {got['ms_median']:6.0f}")
        if "refusal_auc" in got or "radius_holds" in got:
            lines.append(" " * 22 + ", ".join(f"{key} {got[key]:.3f}" for key in (
                "radius_holds", "p95_of_surest_95", "wrongly_refused", "refusal_auc", "rightly_refused") if key in got))
    return "\n".join(lines)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.corners", description=__doc__)
    parser.add_argument("methods", nargs="*", default=[], help=", ".join(METHODS))
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=SETS)
    parser.add_argument("--again", action="store_true", help="forget the answers there are")
    chosen = parser.parse_args(arguments)
    methods, results = chosen.methods or list(METHODS), {}
    for name in chosen.sets:
        reasons = {method: lacks(method, name) for method in methods}
        for method in methods if chosen.again else ():
            _path(method, name).unlink(missing_ok=True)
        lines = run([method for method in methods if not reasons[method]], name)
        for method, why in reasons.items():
            results[name, method] = {"left_out": why} if why else summary(lines[method])
            if not why and name in ("real", "warped"):
                results[name, method]["holes"] = by_group(lines[method])
    print(table(results))
    files.write_json(FOLDER / "corners.json", {
        "made": time.strftime("%Y-%m-%d %H:%M:%S"), "weights": _shipped(),
        "results": [{"set": name, "method": method, **got} for (name, method), got in results.items()]})


if __name__ == "__main__":
    main()
