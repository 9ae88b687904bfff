"""How improbable are the labelled corners of a box, by networks that have not learned from them?

Arrays in, one number a label out; above 1 a label is worth a second look.
"""

import numpy as np

from lib.imaging import geometry, warping
from lib.tasks.corners import crops

HALVES = (0.02, 0.035, 0.045)  # of the diagonal: what the strips about a label show on either side of its sides
NEAR = 0.0025, 0.01            # of the diagonal: an edge at most so far from the label is the label's; least and most
BLUNT = 0.01, 0.02             # of the diagonal: added to a corner's radius, and the most of it that counts
USUAL = 2.5                    # what two of a hundred right labels of generated pictures exceed
ENOUGH = 8                     # pictures from which a habit can be told


def habit(labels, found, doubt):
    """How labels (n, 4, 2) lie beside the corners found (n, 4, 2) as a rule: (4, 2) parts of the diagonal, and a spread.

    A labeller who follows the inner edge, or clicks a little outside, is not wrong but has a habit. It is measured
    along the two sides of each corner, over the half of the pictures in which the model doubts least (`doubt` (n,)).
    """
    labels, found = np.asarray(labels, float), np.asarray(found, float)
    sure = np.argsort(doubt, kind="stable")[:max(len(labels) // 2, ENOUGH)]
    if len(labels) < ENOUGH:
        return np.zeros((4, 2)), NEAR[0]
    off = np.array([_along(each, there) for each, there in zip(labels[sure], found[sure], strict=True)])
    usual = np.median(off, 0)
    return usual, float(np.clip(2 * np.median(np.linalg.norm(off - usual, axis=2)), *NEAR))


def _axes(corners):
    """Two unit vectors of each corner (4, 2, 2), to the next and to the one before, times the diagonal."""
    ahead, behind = np.roll(corners, -1, 0) - corners, np.roll(corners, 1, 0) - corners
    both = np.stack([ahead, behind], 1)
    return geometry.diagonal(corners) * both / np.maximum(np.linalg.norm(both, axis=2, keepdims=True), 1e-9)


def _along(corners, there):
    """Where points lie from the corners, in the axes of each."""
    return np.array([np.linalg.lstsq(axes.T, point - corner, rcond=None)[0]
                     for axes, corner, point in zip(_axes(corners), corners, there, strict=True)])


def shifted(corners, usual):
    """The corners (4, 2) of a label where its labeller would have put them without the habit."""
    return corners + (np.asarray(usual)[:, None] @ _axes(corners))[:, 0]


def surprise_at(network, pictures, corners, near):
    """For each side of a labelled box: minus the mean log chance that its edge lies within `near` of the label (4,).

    `network` is the sides' network, which says for each column of a strip where the edge lies; strips of three widths
    and their mirror images are averaged. `pictures`: a small one for wide strips, and the whole one.
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
    """Mean log mass that columns (n, bins, columns; logits) have within `near` (a part of all bins) of the middle."""
    mass = np.exp(profile - profile.max(1, keepdims=True))
    mass /= mass.sum(1, keepdims=True)
    bins, columns = mass.shape[1:]
    away = np.abs(np.arange(bins) + 0.5 - bins / 2)
    counted = np.clip(max(near * bins, 0.75) + 0.5 - away, 0, 1)
    within = np.abs(2 * (np.arange(columns) + 0.5) / columns - 1) <= 1 - 2 * crops.STRIP_MARGIN
    return np.log((mass * counted[:, None]).sum(1)[:, within] + 1e-4).mean(1)


def moved(label, found, radius, refined, expected, edges):
    """Suspicion of a label's corners (4, 2), without the habit.

    It is great where two witnesses disagree with the label at the same corner, and no edge is seen at its sides: the
    answer `found` (4, 2) with its `radius` (4,), and the corners `refined` (4, 2) from the label itself, `expected`
    (4,) to be so far off; `edges` (4,) is surprise_at of the sides. A model that fails grossly is one witness alone:
    refined from a right label, the corners stay. All in pixels.
    """
    size = geometry.diagonal(label)
    apart = np.minimum(geometry.errors(label, found), np.maximum(geometry.errors(label, refined), expected)) / size
    blunt = np.minimum(np.asarray(radius) / size, BLUNT[1]) + BLUNT[0]
    return float(np.max(edges) * np.sqrt(np.max(apart / blunt)) / USUAL)
