"""Scores of likely errors in labelled corners, by networks that were not trained on these labels.

A label that scores above 1 should be reviewed.
"""

import numpy as np

from lib.imaging import geometry, warping
from lib.tasks.corners import crops

HALVES = (0.02, 0.035, 0.045)  # of the diagonal: half the width of the strips along the labelled sides
NEAR = 0.0025, 0.01            # of the diagonal: least and most distance up to which an edge counts as the labelled one
BLUNT = 0.01, 0.02             # of the diagonal: added to the radius of a corner, and the upper limit of that radius
USUAL = 2.5                    # scale of the scores: two of a hundred correct labels of generated pictures exceed it
ENOUGH = 8                     # pictures that are needed to estimate a bias


def habit(labels, found, doubt):
    """The systematic offset of labels (n, 4, 2) from the corners found (n, 4, 2): (4, 2) of the diagonal, and its spread.

    A labeller who follows the inner edge, or clicks a little outside, makes no errors but has a bias. It is the median
    offset along the two sides of each corner, over the half of the pictures with the least uncertainty (`doubt` (n,)).
    """
    labels, found = np.asarray(labels, float), np.asarray(found, float)
    sure = np.argsort(doubt, kind="stable")[:max(len(labels) // 2, ENOUGH)]
    if len(labels) < ENOUGH:
        return np.zeros((4, 2)), NEAR[0]
    off = np.array([_along(each, there) for each, there in zip(labels[sure], found[sure], strict=True)])
    usual = np.median(off, 0)
    return usual, float(np.clip(2 * np.median(np.linalg.norm(off - usual, axis=2)), *NEAR))


def _axes(corners):
    """For each corner the directions to the next and to the previous one, as vectors as long as the diagonal: (4, 2, 2)."""
    ahead, behind = np.roll(corners, -1, 0) - corners, np.roll(corners, 1, 0) - corners
    both = np.stack([ahead, behind], 1)
    return geometry.diagonal(corners) * both / np.maximum(np.linalg.norm(both, axis=2, keepdims=True), 1e-9)


def _along(corners, there):
    """The offsets of points (4, 2) from the corners (4, 2), in the axes of each: (4, 2)."""
    return np.array([np.linalg.lstsq(axes.T, point - corner, rcond=None)[0]
                     for axes, corner, point in zip(_axes(corners), corners, there, strict=True)])


def shifted(corners, usual):
    """The corners (4, 2) of a label, corrected for the bias `usual` (4, 2) of its labeller."""
    return corners + (np.asarray(usual)[:, None] @ _axes(corners))[:, 0]


def surprise_at(network, pictures, corners, near):
    """Negative mean log-likelihood (4,) that the edge of each labelled side lies within `near` of the label.

    `network` is the sides' network, which predicts where the edge lies in each column of a strip; the result is averaged
    over strips of three widths and their mirrored views. `pictures` are a small one for wide strips, and the full one.
    """
    size = geometry.diagonal(corners)
    ends = list(zip(corners, np.roll(corners, -1, 0), strict=True))
    found = []
    for half in HALVES:
        picture = pictures[half < 0.03]
        strips = np.stack([warping.crop(picture, crops.side(*each, half * size, crops.STRIP, crops.STRIP_MARGIN),
                                      crops.STRIP) for each in ends])
        profile = np.asarray(network(np.concatenate([strips, strips[:, :, ::-1]]))["profile"], float)
        found.append(_chance(profile, near / (2 * half)))
    return -np.mean(found, 0).reshape(2, 4).mean(0)


def _chance(profile, near):
    """Mean log probability (n,) of logits (n, bins, columns) within `near` (a fraction of all bins) of the middle."""
    mass = np.exp(profile - profile.max(1, keepdims=True))
    mass /= mass.sum(1, keepdims=True)
    bins, columns = mass.shape[1:]
    away = np.abs(np.arange(bins) + 0.5 - bins / 2)
    counted = np.clip(max(near * bins, 0.75) + 0.5 - away, 0, 1)
    within = np.abs(2 * (np.arange(columns) + 0.5) / columns - 1) <= 1 - 2 * crops.STRIP_MARGIN
    return np.log((mass * counted[:, None]).sum(1)[:, within] + 1e-4).mean(1)


def moved(label, found, radius, refined, expected, edges):
    """Label error score of the corners (4, 2) of a label that was corrected for bias; all in pixels.

    It is high where both the answer `found` (4, 2, with its `radius` (4,)) and the corners `refined` (4, 2) from the label
    itself (with their `expected` error (4,)) are far from the label at the same corner, and no edge is found at its sides
    (`edges` (4,), see surprise_at). Both are asked for, since an answer may fail grossly: corners that are refined from a
    correct label stay where they are.
    """
    size = geometry.diagonal(label)
    apart = np.minimum(geometry.errors(label, found), np.maximum(geometry.errors(label, refined), expected)) / size
    blunt = np.minimum(np.asarray(radius) / size, BLUNT[1]) + BLUNT[0]
    return float(np.max(edges) * np.sqrt(np.max(apart / blunt)) / USUAL)
