"""From the cells of the finder to all boxes of a picture: middles, one box for each, looked at closer one by one."""

from typing import NamedTuple

import cv2
import numpy as np

from lib.imaging import geometry, images
from lib.tasks.corners import crops, decoding, finder, refinement
from lib.tasks.corners.boxes import MOST, answer_of
from lib.tasks.corners.labels import point_dict

LEAST = 0.06             # chance of a middle from which its box is looked at
LIKELY, VAGUE = 0.8, 0.02  # chance, and expected error of the corners, from which on mirrored views are looked at too
SAME = 0.35              # overlap (IoU) from which two boxes are the same one
WITHIN = 0.7             # part of the smaller box inside another from which it is the same one: a frame in a frame
FEW = 2                  # likely boxes up to which the coarse network looks at the whole picture too
ALIKE = 0.8              # overlap (IoU) that what the coarse network finds in the whole picture must have with a box
KEPT = 0.5               # overlap with the finder's box that a closer look must have to be believed


class Candidate(NamedTuple):
    """A box as the finder sees it: corners (4, 2) as parts of the input, and chances."""

    corners: np.ndarray
    chance: float        # that there is a box
    doubt: float         # expected error of a corner, as a part of the diagonal
    cut: float           # chance that it is cut
    upright: float       # chance that its rows stand upright


class Found(NamedTuple):
    """A box after the closer looks: corners (4, 2) in pixels of the picture, and what speaks for and against it."""

    corners: np.ndarray
    signs: np.ndarray    # (4, s) of uncertainty, a corner, as parts of the diagonal
    evidence: np.ndarray  # (e,) for the box as a whole
    rows: np.ndarray     # chances of "more than i rows"
    cut: float
    upright: float


def candidates(cells):
    """The Candidates that the cells (h, w, CELL) tell of, the likeliest first, none twice."""
    cells = np.asarray(cells, float)
    height, width = cells.shape[:2]
    chance = 1 / (1 + np.exp(-cells[..., finder.MIDDLE]))
    peak = chance >= cv2.dilate(chance, np.ones((3, 3)))
    found = []
    for y, x in sorted(np.argwhere(peak & (chance >= LEAST)), key=lambda at: -chance[tuple(at)]):
        each = _candidate(cells, chance, y, x)
        if geometry.area(each.corners) > 2e-4 and not any(same(each.corners, other.corners) for other in found):
            found.append(each)
    return found[:2 * MOST]


def _candidate(cells, chance, y, x):
    """The box of a middle: what the cells about it say, weighted by their chance."""
    rows, columns = slice(max(0, y - 1), y + 2), slice(max(0, x - 1), x + 2)
    ys, xs = np.mgrid[rows, columns][:, : cells.shape[0] - rows.start, : cells.shape[1] - columns.start]
    near, weight = cells[rows, columns], chance[rows, columns] ** 2
    middles = np.stack([(xs + 0.5) / cells.shape[1], (ys + 0.5) / cells.shape[0]], -1)
    corners = near[..., finder.CORNERS].reshape(*near.shape[:2], 4, 2) + middles[..., None, :]
    corners = (corners * weight[..., None, None]).sum((0, 1)) / weight.sum()
    of_all = (near * weight[..., None]).sum((0, 1)) / weight.sum()
    cut, upright = 1 / (1 + np.exp(-of_all[[finder.CUT, finder.UPRIGHT]]))
    return Candidate(geometry.order(corners), float(chance[y, x]), float(np.exp(np.clip(of_all[finder.DOUBT], -7, 2))),
                     float(cut), float(upright))


def same(corners, other):
    """Whether two quadrilaterals are one box: they overlap, or one lies in the other."""
    shared = overlap(corners, other)
    areas = geometry.area(corners), geometry.area(other)
    return shared > SAME * (sum(areas) - shared) or shared > WITHIN * min(areas)


def agree(corners, other):
    """Whether two quadrilaterals overlap by an IoU of ALIKE or more."""
    shared = overlap(corners, other)
    return shared >= ALIKE * (geometry.area(corners) + geometry.area(other) - shared)


def overlap(corners, other):
    """The area that two quadrilaterals share; 0 where one is not convex."""
    if not (geometry.is_convex(corners) and geometry.is_convex(other)):
        return 0.0
    return max(0.0, geometry.area(geometry.clip(corners, other)))


def decode(output, size):
    """The answer that the finder's output alone gives for a picture of (width, height), before a closer look at the boxes."""
    frame = crops.frame(size, finder.INPUT)
    return answer_of([{**point_dict(geometry.order(frame.back(each.corners * finder.INPUT))), "refused": None, "radius": None,
                       "rows_run": "vertical" if each.upright > 0.5 else "horizontal", "confidence": each.chance, "cut": each.cut > 0.5}
                      for each in candidates(output["cells"]) if each.chance > KEPT], counts=False)


def find(networks, picture, size):
    """All boxes of a picture (Found), the likeliest first, and the chances of the picture's kinds.

    `networks` and `size` are those of refinement.Search, with a "finder".
    """
    search, frame = refinement.Search(networks, picture, size), crops.frame(picture.size, finder.INPUT)
    shown = images.place(search.pictures[0], frame)
    views = [networks["finder"](shown[None])]
    seen = average_views(views[0])
    if is_uncertain(seen["cells"]):
        views += [networks["finder"](image[None]) for image in decoding.mirrored_views(shown)[1:]]
        seen = average_views({name: np.concatenate([look[name] for look in views]) for name in views[0]})
    boxes = []
    seen_boxes = candidates(seen["cells"])
    alone = search.alone() if sum(each.chance > KEPT for each in seen_boxes) <= FEW else None
    for each in seen_boxes:
        box = closer(search, each, geometry.order(frame.back(each.corners * finder.INPUT)), picture.size, alone)
        if not any(same(box.corners, other.corners) for other in boxes):
            boxes.append(box)
    return boxes[:MOST], seen["kind"]


def is_uncertain(cells):
    """Whether more views may help: a box is no more than likely, or its corners are not known well."""
    return any(each.chance < LIKELY or each.doubt > VAGUE for each in candidates(cells))


def average_views(outputs):
    """The average output of the first 1, 2 … mirrored views (decoding.mirrored_views), with their cells mirrored back."""
    cells = []
    for at, each in enumerate(np.asarray(outputs["cells"], float)):
        across, down = decoding.MIRRORS[at]
        each = each[:: -1 if down else 1, :: -1 if across else 1].copy()
        offsets = each[..., finder.CORNERS].reshape(*each.shape[:2], 4, 2) * (-1 if across else 1, -1 if down else 1)
        each[..., finder.CORNERS] = offsets[..., decoding.CORNERS[at], :].reshape(*each.shape[:2], 8)
        cells.append(each)
    return {"cells": np.mean(cells, 0), "kind": np.asarray(outputs["kind"], float).mean(0)}


def closer(search, candidate, guess, size, alone=None):
    """The Found box of a candidate whose corners are `guess` (4, 2) in a picture of (width, height).

    The coarse network looks at the box alone, the sides' network at its sides where they are in the picture. `alone` is
    what the coarse network finds in the whole picture (refinement.Refined): where it is nearly the same box and more
    certain, it is taken.
    """
    box = search.closer(guess, outside(guess, size))
    if alone is not None and agree(alone.corners, box.corners) and alone.uncertainty() < box.uncertainty():
        box = alone
    if overlap(box.corners, guess) < KEPT * (geometry.area(guess) + geometry.area(box.corners)) / (1 + KEPT):
        box = box._replace(corners=guess, expected=np.full(4, candidate.doubt) * geometry.diagonal(guess))
    length = geometry.diagonal(box.corners)
    signs = np.stack([box.second_output["corners"][:, 2], box.expected / length, geometry.errors(box.second_pass, box.corners) / length,
                      geometry.errors(box.guess, box.corners) / length, np.full(4, candidate.doubt)], 1)
    kinds = box.second_output["kind"]
    evidence = np.array([_logit(candidate.chance), np.log(candidate.doubt), _logit(kinds[0] + kinds[2]), _logit(kinds[1]),
                         np.log(signs[:, 2:4].max() + 1e-3), np.log(signs[:, 1].max() + 1e-3), np.log(signs[:, 0].max() + 1e-3)])
    turn = -int(np.argmin(box.corners.sum(1)))  # refining may move another corner to the top left
    return Found(np.roll(box.corners, turn, 0), np.roll(signs, turn, 0), evidence, box.second_output["rows"], candidate.cut,
                 candidate.upright)


def outside(corners, size):
    """For each side (4,), whether little of it lies in a picture of (width, height): less than a third."""
    steps = np.linspace(0, 1, 31)[:, None]
    along = np.array([start * (1 - steps) + end * steps for start, end in zip(corners, np.roll(corners, -1, 0), strict=True)])
    return ((along >= 0) & (along <= size)).all(-1).mean(1) < 1 / 3


def _logit(chance):
    chance = np.clip(chance, 1e-4, 1 - 1e-4)
    return float(np.log(chance / (1 - chance)))
