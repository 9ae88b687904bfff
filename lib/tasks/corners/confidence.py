"""How far an answer can be believed: radius, confidence and refusal, from signs of doubt; and how these are calibrated."""

import math
from functools import cache
from pathlib import Path

import numpy as np

from lib.imaging import geometry
from lib.metrics.calibration import fit_logistic
from lib.storage import files

KINDS = ("box", "none", "cut", "several", "blurred")
REFUSALS = {"none": "no_box", "cut": "cut", "several": "several", "blurred": "blurred"}
CODES = (*REFUSALS.values(), "implausible")   # of a refusal
SHIPPED = Path(__file__).resolve().with_name("weights")
COVERAGE = 0.9           # of a corner's radius, as it is stated
ALLOWANCE = 0.95         # of generated corners that the radius of one of several boxes holds: photographs are harder
OVERLAP = 0.8            # IoU inside the picture from which one of several boxes is called found
OUTSIDE = 0.003          # of the picture: a corner farther outside is cut off
NEARBY = 0.04            # of the picture: a corner no farther outside than this counts as one that is in the picture
UNSURE = 0.3             # the most confidence in a quadrilateral that is no box's
STEEP, BESIDE = 0.5, 2.5  # least sine of an angle, and most ratio of opposite sides, in a photograph of a rectangle
SHORTEST = 1.2           # least length of a channel, in its breadths
GOOD = 0.01              # of the diagonal: a corner nearer than this is called right


@cache
def shipped():
    """Numbers by the size of the coarse network's input and by head: shipped beside the weights."""
    path = SHIPPED / "calibration.json"
    return files.read_json(path) if path.is_file() else {}


def judge(signs, kinds, numbers):
    """`confidence`, `radius` (4, parts of the diagonal) and `refused` from signs (4, s) and the kinds' probabilities.

    The radius holds the true corner with the stated coverage (split conformal, arXiv 2107.07511); the confidence is
    the chance that there is one whole box and that all four corners are within 1 % of its diagonal.
    """
    refused = REFUSALS.get(KINDS[int(np.argmax(kinds))])
    if numbers is None:
        return {"radius": [0.02] * 4, "confidence": float(kinds[0]), "refused": refused}
    radius = radii(signs, numbers["radius"])
    chance = numbers["confidence"]
    odds = float(np.clip(chance["bias"] + chance["radius"] * math.log(radius.max()), -30, 30))
    whole = kinds[0] >= numbers["whole"]
    if whole:
        refused = None
    elif refused is None:
        refused = REFUSALS[KINDS[1 + int(np.argmax(kinds[1:]))]]
    return {"radius": radius.tolist(), "confidence": float(kinds[0]) / (1 + math.exp(-odds)),
            "refused": refused}


def judge_box(found, kinds, size, numbers):
    """`confidence`, `radius` (4, pixels), `cut` and `refused` of one of several boxes (finding.Found).

    The confidence is the chance that there is a box and that the quadrilateral overlaps what is seen of it by OVERLAP.
    `kinds` are the chances of the picture's KINDS, `size` is its (width, height).
    """
    away = np.maximum(-found.corners, found.corners - size) / size
    cut = bool(found.cut > 0.5 or away.max() > OUTSIDE)
    odds = float(np.clip(found.evidence @ numbers["evidence"] + numbers["bias"], -30, 30)) if numbers else found.evidence[0]
    radius = radii(found.signs, numbers["radius"]) if numbers else np.full(4, 0.02)
    confidence, refused = 1 / (1 + math.exp(-odds)), None
    if kinds[KINDS.index("blurred")] > 0.5:
        refused = "blurred"
    elif (away.max(1) <= NEARBY).sum() < 2:
        refused = "cut"
    elif not cut and not is_plausible(found):
        refused, confidence = "implausible", min(confidence, UNSURE)
    return {"confidence": confidence, "radius": (radius * geometry.diagonal(found.corners)).tolist(), "cut": cut, "refused": refused}


def is_plausible(found):
    """Whether a camera can make such a quadrilateral of a rectangle, and whether its rows fit its shape."""
    side = np.roll(found.corners, -1, 0) - found.corners
    length = np.linalg.norm(side, axis=1)
    opposite = length[:2] / length[2:]
    before = np.roll(side, 1, 0)
    turn = np.abs(side[:, 0] * before[:, 1] - side[:, 1] * before[:, 0]) / (length * np.roll(length, 1))   # sine of each angle
    across, down = (length[0] + length[2]) / 2, (length[1] + length[3]) / 2
    rows = 1 + (found.rows > 0.5).sum()
    channel = rows * (down / across if found.upright > 0.5 else across / down)
    return bool(turn.min() > STEEP and max(opposite.max(), 1 / opposite.min()) < BESIDE and channel > SHORTEST)


def radii(signs, numbers):
    """Radius (n,) of corners with signs (n, s), by the fitted log-linear rule: parts of the diagonal, at most all of it."""
    fitted = np.log(signs + 1e-4) @ numbers["weights"] + numbers["bias"]
    return np.minimum(np.exp(np.minimum(fitted, 9.0)) * numbers["factor"], 1.0)


def calibration(signs, errors, chances):
    """Radius, confidence and refusal fitted to signs (n, 4, s), errors (n, 4; NaN: no whole box) and P(whole box) (n,).

    The first half of the boxes fits the radius' shape, the second sets its factor (split conformal, arXiv
    2107.07511), so that COVERAGE of the corners lie within it.
    """
    whole = np.flatnonzero(np.isfinite(errors).all(1))
    radius = fit_radius(signs[whole], errors[whole])
    largest = np.array([radii(each, radius).max() for each in signs[whole]])
    slopes = fit_logistic(np.log(largest)[:, None], errors[whole].max(1) < GOOD)
    return {"coverage": COVERAGE, "good": GOOD, "radius": radius,
            "confidence": dict(zip(("radius", "bias"), slopes.tolist(), strict=True)),
            "whole": float(min(0.5, np.quantile(chances[whole], 0.02)))}


def calibration_of_boxes(signs, errors, evidence, right):
    """Radius and confidence fitted to boxes: signs (n, 4, s), errors (n, 4; NaN: cut, or no box), evidence (m, e), right (m,)."""
    whole = np.isfinite(errors).all(1)
    slopes = fit_logistic(evidence, right)
    return {"coverage": COVERAGE, "overlap": OVERLAP, "radius": fit_radius(signs[whole], errors[whole], ALLOWANCE),
            "evidence": slopes[:-1].tolist(), "bias": float(slopes[-1])}


def fit_radius(signs, errors, coverage=COVERAGE):
    """The numbers of `radii` for signs (n, 4, s) of boxes whose corners have these errors (n, 4), as parts of the diagonal.

    So many of the corners, `coverage`, lie within.
    """
    whole = np.arange(len(signs))
    first, second = whole[::2], whole[1::2]
    inputs = np.log(signs[first].reshape(-1, signs.shape[2]) + 1e-4)
    fitted = np.linalg.lstsq(np.c_[inputs, np.ones(len(inputs))], np.log(errors[first].ravel() + 1e-4), rcond=None)[0]
    radius = {"weights": fitted[:-1].tolist(), "bias": float(fitted[-1]), "factor": 1.0}
    ratio = errors[second] / np.array([radii(each, radius) for each in signs[second]])
    count = ratio.size
    radius["factor"] = float(np.quantile(ratio, min(1.0, np.ceil((count + 1) * coverage) / count)))
    return radius
