"""IoU, non-maximum suppression, matching and average precision of upright boxes, as COCO defines them.

Tests compare it with pycocotools, which stays out of the package: it takes JSON data sets of files, and no result that is
matched once and resampled a thousand times for an interval.

Boxes are float arrays (n, 4) of xmin, ymin, xmax, ymax in continuous pixels. A crowd is a region with more things
than were told apart (Open Images: IsGroupOf): what is found there is neither right nor wrong.
"""

import cv2
import numpy as np

LIMITS = np.arange(0.5, 0.96, 0.05)     # the overlaps at which COCO judges
RECALLS = np.linspace(0, 1, 101)
MOST = 100                              # answers of one picture that are judged, the surest first


def array(boxes):
    """Boxes as an array (n, 4), also where there are none."""
    return np.asarray(boxes, float).reshape(-1, 4)


def areas(boxes):
    return np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), 1)


def shared(boxes, others):
    """The areas (n, m) that two sets of boxes have in common."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.prod(np.maximum(high - low, 0), 2)


def overlaps(boxes, others):
    """Intersection over union (n, m)."""
    both = shared(boxes, others)
    return both / np.maximum(areas(boxes)[:, None] + areas(others)[None] - both, 1e-12)


def inside(boxes, crowds):
    """Which part of each box lies in each crowd (n, m)."""
    return shared(boxes, crowds) / np.maximum(areas(boxes)[:, None], 1e-12)


def distinct(boxes, scores, limit):
    """Positions of the boxes that stay when those are dropped which overlap a surer one by more than `limit`."""
    if not len(boxes):
        return np.zeros(0, int)
    sides = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
    return np.asarray(cv2.dnn.NMSBoxes(sides.tolist(), np.asarray(scores, float).tolist(), 0.0, limit), int).reshape(-1)


def moved(boxes, matrix):
    """The upright boxes around boxes that went through an affine 2x3 matrix."""
    corners = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]] @ matrix[:, :2].T + matrix[:, 2]
    return np.concatenate([corners.min(1), corners.max(1)], 1)


def match(truth, crowds, found, limits=LIMITS):
    """What each found box is at each limit: the number of its true box, -1 none, -2 in a crowd; (limits, n).

    `found` come surest first. A box takes the free true box that it overlaps most, if that is enough; else it is
    forgiven where enough of it lies in a crowd (pycocotools' evaluateImg; Open Images V2's rule for groups).
    """
    truth, crowds, found = array(truth), array(crowds), array(found)
    result = np.full((len(limits), len(found)), -1)
    if not len(found):
        return result
    agree = overlaps(found, truth)
    forgiven = inside(found, crowds).max(1, initial=0.0)
    for at, limit in enumerate(limits):
        free = np.ones(len(truth), bool)
        for number in np.flatnonzero(np.maximum(agree.max(1, initial=0.0), forgiven) >= limit):
            open_ = np.where(free, agree[number], -1.0)
            best = int(open_.argmax()) if len(truth) else -1
            if best >= 0 and open_[best] >= limit:
                result[at, number], free[best] = best, False
            elif forgiven[number] >= limit:
                result[at, number] = -2
    return result


def curve(matches, scores, count):
    """Precision at each of RECALLS for one limit: `matches` (n,) and `scores` (n,) of all pictures, `count` of truths.

    Interpolated as COCO does: the best precision at this recall or any greater one. None where there is no truth.
    """
    if not count:
        return None
    order = np.argsort(-scores, kind="mergesort")
    judged = matches[order]
    judged = judged[judged != -2]
    right = np.cumsum(judged >= 0)
    precision = right / np.arange(1, len(judged) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(right / count, RECALLS, side="left")
    return np.append(precision, 0.0)[np.minimum(at, len(precision))]


def average_precision(matched, scores, count):
    """Mean of the curve at each limit, (limits,); NaN where there is no truth.

    `matched` and `scores` are lists over the pictures, as from `match`; `count` is the number of true boxes.
    """
    if not matched:
        return np.full(len(LIMITS), np.nan)
    matched, scores = np.concatenate(matched, 1), np.concatenate(scores)
    curves = [curve(line, scores, count) for line in matched]
    return np.array([np.nan if each is None else each.mean() for each in curves])
