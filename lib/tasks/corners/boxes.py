"""The boxes of one picture as an answer tells them: all in reading order, and the one that stands for the picture."""

import numpy as np

from lib.tasks.corners.confidence import judge_box
from lib.tasks.corners.labels import NUMBERS, point_dict, points

MOST = 12                # boxes of one picture that are told
LISTED = 0.1             # confidence from which a box is told at all
BESIDE = 0.5             # … as a part of the most confident box's
MEMBERS = ("rows_run", "confidence", "radius", "cut", "refused")   # of a box, besides its corners and row_nb


def answer_of(boxes, counts=True):
    """The answer for a picture with these boxes, dicts of corners, `row_nb` where rows are counted, and MEMBERS.

    `boxes` in the answer are at most MOST of them, in reading order, and `boxes_nb` is their number. The answer's own
    members are those of the most confident box that is neither refused nor cut, else of the first; without a box the
    numbers are None and `refused` is "no_box".
    """
    boxes = reading_order(sorted(boxes, key=_confidence, reverse=True)[:MOST])
    whole = [box for box in boxes if not box["refused"] and not box["cut"]]
    chosen = max(whole, key=_confidence) if whole else boxes[0] if boxes else _none(counts)
    return {**chosen, "boxes_nb": len(boxes), "boxes": boxes}


def judged(found, kinds, size, numbers, counts=True):
    """The boxes of an answer for what was found (finding.Found), in pixels of a picture of (width, height)."""
    boxes = []
    for each in found:
        rows = {"row_nb": 1 + int((each.rows > 0.5).sum())} if counts else {}
        box = {**point_dict(each.corners), **rows, "rows_run": "vertical" if each.upright > 0.5 else "horizontal",
               **judge_box(each, kinds, size, numbers)}
        boxes.append(box)
    best = max((box["confidence"] for box in boxes), default=0.0)
    return [box for box in boxes if box["confidence"] >= max(LISTED, BESIDE * best)]


def reading_order(boxes):
    """The boxes from top to bottom, those beside each other from left to right."""
    left = sorted(boxes, key=lambda box: points(box)[:, 1].mean())
    ordered = []
    while left:
        top, bottom = _reach(left[0])
        beside = [box for box in left if top < points(box)[:, 1].mean() < bottom and top < (sum(_reach(box)) / 2) < bottom]
        beside = beside or left[:1]
        ordered += sorted(beside, key=lambda box: points(box)[:, 0].mean())
        left = [box for box in left if not any(box is each for each in beside)]
    return ordered


def _reach(box):
    """The middle two thirds of a box's height, in pixels: what has its centre there lies beside it."""
    ys = points(box)[:, 1]
    sixth = np.ptp(ys) / 6
    return ys.min() + sixth, ys.max() - sixth


def _confidence(box):
    return -1.0 if box["confidence"] is None else box["confidence"]


def _none(counts):
    rows = {"row_nb": None} if counts else {}
    return {**dict.fromkeys(NUMBERS), **rows, "rows_run": None, "confidence": 0.0, "radius": None, "cut": False,
            "refused": "no_box"}
