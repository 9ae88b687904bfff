"""How good are the boxes of an answer? The one that stands for the picture, and all of them, beside the true ones."""

from functools import lru_cache

import numpy as np

from lib.imaging import geometry
from lib.tasks.corners import matching
from lib.tasks.corners.labels import boxes_of, points

SURE = 0.5     # confidence from which on a box counts as found


def score(truth, answer):
    """Scores of the box that stands for the picture, against the true box that it overlaps with most.

    `error_px` and `worst_px` are corner distances in pixels, `error` is their mean in % of the true box's diagonal;
    `jaccard` is the overlap, `rows_right` whether its rows are.
    """
    if answer.get("p1x") is None:
        far = {"error_px": None, "error": None, "worst_px": None, "jaccard": 0.0}
        return {**far, **({"rows_right": 0.0} if "row_nb" in truth else {})}
    box = nearest(truth, answer)
    wanted, found = points(box), points(answer)
    apart, size = geometry.errors(wanted, found), geometry.diagonal(wanted)
    scores = {"error_px": float(apart.mean()), "error": float(100 * apart.mean() / size), "worst_px": float(apart.max()),
              "jaccard": geometry.jaccard(wanted, found)}
    return {**scores, **({"rows_right": float(box["row_nb"] == answer.get("row_nb"))} if "row_nb" in box else {})}


def nearest(truth, answer):
    """The true box that the answer's own box overlaps with most; without any overlap, the one whose corners are nearest."""
    true = boxes_of(truth)
    if len(true) == 1:
        return true[0]
    corners = [points(box) for box in true]
    shared = matching.overlaps(corners, [points(answer)], truth.get("size"))[:, 0]
    apart = [geometry.errors(each, points(answer)).mean() for each in corners]
    return true[max(range(len(true)), key=lambda at: (shared[at], -apart[at]))]


def is_found(box):
    """Whether a box of an answer counts as found: it is not refused, and surer than not."""
    return box.get("refused") is None and box.get("p1x") is not None and (box.get("confidence") is None or box["confidence"] >= SURE)


def pairs(truth, answer, iou=matching.GOOD):
    """Pairs of a true box and the found box that is it; the true boxes without one; the found boxes without one."""
    true, found = boxes_of(truth), [box for box in boxes_of(answer or {}) if is_found(box)]
    matched = matching.match([points(box) for box in true], [points(box) for box in found], truth.get("size"), iou)
    one, other = {i for i, _, _ in matched}, {j for _, j, _ in matched}
    return ([(true[i], found[j]) for i, j, _ in matched], [box for at, box in enumerate(true) if at not in one],
            [box for at, box in enumerate(found) if at not in other])


def set_metrics(truths, answers):
    """Scores over all boxes of a set of pictures, by name; NaN where there is nothing to divide by."""
    counts = np.sum([_counts(_frozen(truth), _frozen(answer or {"boxes": []}), tuple(truth.get("size") or ()))
                     for truth, answer in zip(truths, answers, strict=True)], 0)
    true, found, both, error, whole, rows, counted, cut, told = map(float, counts)
    scores = {"recall": _share(both, true), "precision": _share(both, found), "found_error": _share(error, whole)}
    scores |= {"found_rows": _share(rows, counted)} if any("row_nb" in truth for truth in truths) else {}
    return {**scores, "cut_right": _share(cut, told)}


def _share(part, whole):
    return part / whole if whole else float("nan")


def _frozen(values):
    """The boxes of a truth or an answer as tuples: corners, rows, cut, and whether the box counts as found."""
    return tuple((*points(box).ravel().tolist(), box.get("row_nb"), box.get("cut"), is_found(box))
                 for box in boxes_of(values) if box.get("p1x") is not None)


@lru_cache(16384)  # a bootstrap asks for the same pictures again and again
def _counts(true, found, size):
    """Of one picture: true boxes, found boxes, matched ones; sum of the errors of the whole ones and their number; those
    with the right rows, of how many; those with the right `cut`, of how many."""
    found = [box for box in found if box[-1]]
    corners = [np.array([box[:8] for box in boxes], float).reshape(-1, 4, 2) for boxes in (true, found)]
    matched = matching.match(*corners, size or None)
    whole = [(i, j) for i, j, _ in matched if not true[i][9]]
    errors = [100 * geometry.errors(corners[0][i], corners[1][j]).mean() / geometry.diagonal(corners[0][i]) for i, j in whole]
    rows = [true[i][8] == found[j][8] for i, j, _ in matched if true[i][8] is not None]
    cut = [true[i][9] == found[j][9] for i, j, _ in matched if true[i][9] is not None and found[j][9] is not None]
    return np.array([len(true), len(found), len(matched), sum(errors), len(errors), sum(rows), len(rows), sum(cut), len(cut)])
