"""How far an answer can be believed: radius, confidence and refusal, from signs of doubt; and how these are calibrated."""

import math
from functools import cache
from pathlib import Path

import numpy as np

from lib.metrics.calibration import fit_logistic
from lib.storage import files

KINDS = ("box", "none", "cut", "several", "blurred")
REFUSALS = {"none": "no_box", "cut": "cut", "several": "several", "blurred": "blurred"}
SHIPPED = Path(__file__).resolve().with_name("weights")
COVERAGE = 0.9           # of a corner's radius
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
    first, second = whole[::2], whole[1::2]
    inputs = np.log(signs[first].reshape(-1, signs.shape[2]) + 1e-4)
    fitted = np.linalg.lstsq(np.c_[inputs, np.ones(len(inputs))], np.log(errors[first].ravel() + 1e-4), rcond=None)[0]
    radius = {"weights": fitted[:-1].tolist(), "bias": float(fitted[-1]), "factor": 1.0}
    ratio = errors[second] / np.array([radii(each, radius) for each in signs[second]])
    count = ratio.size
    radius["factor"] = float(np.quantile(ratio, min(1.0, np.ceil((count + 1) * COVERAGE) / count)))
    largest = np.array([radii(each, radius).max() for each in signs[whole]])
    slopes = fit_logistic(np.log(largest)[:, None], errors[whole].max(1) < GOOD)
    return {"coverage": COVERAGE, "good": GOOD, "radius": radius,
            "confidence": dict(zip(("radius", "bias"), slopes.tolist(), strict=True)),
            "whole": float(min(0.5, np.quantile(chances[whole], 0.02)))}
