"""What the shipped weights of `corners` learn from, and what is fitted once they are trained: generated pictures alone."""

import numpy as np
from tqdm.auto import tqdm

from lib.common import config
from lib.imaging import geometry, images

# (width, height) of the drawn pictures and how often; most are small, some large, so that strips are also seen sharp.
SIZES = {(640, 480): 0.34, (960, 720): 0.18, (960, 440): 0.12, (480, 640): 0.1, (720, 960): 0.05, (640, 640): 0.06,
         (1280, 960): 0.1, (1280, 580): 0.05}
SEED = 1_000_000         # of the first drawn training picture
CALIBRATION = 40_000_000, 1000   # seed and number of those that confidence and radius are fitted on
COVERAGE = 0.9           # of a corner's radius
GOOD = 0.01              # of the diagonal: a corner nearer than this is called right


def drawn(seed, shifted=False, sizes=SIZES):
    """The scene of a seed, in one of the sizes."""
    from lib.synthetic import coreboxes

    size = list(sizes)[np.random.default_rng(seed).choice(len(sizes), p=list(sizes.values()))]
    return coreboxes.draw(seed, size=size, shifted=shifted)


def row_of(scene, edge, name):
    """A scene's label as a row of training: its corners NaN where there is no box."""
    from lib.tasks import corners

    height, width = scene.pixels.shape[:2]
    return {"image": name, "width": width, "height": height, "kind": scene.kind,
            **corners.row_of(getattr(scene, edge), scene.row_nb)}


def calibrate(job, networks):
    """The numbers of `calibration.json` for the heads that these networks serve, from newly drawn pictures."""
    seed, count = CALIBRATION
    parts = {part: _function(network) for part, network in networks.items()}
    heads = {head: _with_head(job, head) for head in ("heatmap", "cascade") if head != "cascade" or "sides" in parts}
    lines = {head: [] for head in heads}
    for at in tqdm(range(count), desc="calibrate", unit="picture"):
        scene = drawn(seed + at)
        for head, this in heads.items():
            lines[head].append(_seen(this, {part: parts[part] for part in this.parts()}, scene))
    return {head: calibration(*map(np.array, zip(*seen, strict=True))) for head, seen in lines.items()}


def _with_head(job, head):
    settings = job.params.plain()
    settings[job.name]["head"] = head
    return type(job)(config.Params(settings), job.profile)


def calibration(signs, errors, chances):
    """Radius, confidence and refusal fitted to signs (n, 4, s), errors (n, 4; NaN: no whole box) and P(whole box) (n,).

    The first half of the boxes fits the radius' shape, the second sets its factor (split conformal, arXiv
    2107.07511), so that COVERAGE of the corners lie within it.
    """
    from lib.tasks import corners

    whole = np.flatnonzero(np.isfinite(errors).all(1))
    first, second = whole[::2], whole[1::2]
    inputs = np.log(signs[first].reshape(-1, signs.shape[2]) + 1e-4)
    fitted = np.linalg.lstsq(np.c_[inputs, np.ones(len(inputs))], np.log(errors[first].ravel() + 1e-4), rcond=None)[0]
    radius = {"weights": fitted[:-1].tolist(), "bias": float(fitted[-1]), "factor": 1.0}
    ratio = errors[second] / np.array([corners.radii(each, radius) for each in signs[second]])
    count = ratio.size
    radius["factor"] = float(np.quantile(ratio, min(1.0, np.ceil((count + 1) * COVERAGE) / count)))
    largest = np.array([corners.radii(each, radius).max() for each in signs[whole]])
    slopes = logistic(np.log(largest)[:, None], errors[whole].max(1) < GOOD)
    return {"coverage": COVERAGE, "good": GOOD, "radius": radius,
            "confidence": dict(zip(("radius", "bias"), slopes.tolist(), strict=True)),
            "whole": float(min(0.5, np.quantile(chances[whole], 0.02)))}


def logistic(inputs, labels, steps=30):
    """Weights and bias of a logistic regression, by Newton's method with a little ridge."""
    x = np.c_[inputs, np.ones(len(inputs))]
    weights = np.zeros(x.shape[1])
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (labels - chance) - 1e-2 * weights
        bend = (x * (chance * (1 - chance))[:, None]).T @ x + 1e-2 * np.eye(len(weights))
        weights = weights + np.linalg.solve(bend, slope)
    return weights


def _seen(job, parts, scene):
    """Signs (4, s), errors (4,) as parts of the true diagonal (NaN where there is no whole box), P(whole box)."""
    found, signs, kinds, _ = job.signs(parts, images.Picture(scene.pixels, scene.pixels.shape[1::-1]))
    truth = geometry.order(getattr(scene, job.settings.edge)) if scene.kind == "box" else np.full((4, 2), np.nan)
    return signs, geometry.errors(truth, found) / geometry.diagonal(truth), kinds[0]


def _function(network):
    """A network as `answer` calls it: uint8 batch in, arrays by name out."""
    import tensorflow as tf

    call = tf.function(lambda pixels: network(tf.cast(pixels, tf.float32), training=False))
    return lambda batch: {name: value.numpy() for name, value in call(batch).items()}
