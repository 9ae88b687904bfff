"""Which found box is which true box? Pairs of quadrilaterals by their overlap inside the picture."""

import numpy as np

from lib.imaging import geometry

GOOD = 0.8     # intersection over union from which on a box counts as found


def match(true, found, size=None, iou=GOOD):
    """Pairs (i, j, iou) of true corners (n, 4, 2) and found corners (m, 4, 2), each box in one pair at most.

    Corners are in pixels, clockwise; the overlap is taken inside the picture of `size` (width, height), since nobody can
    see what lies beyond it, or everywhere where it is None. Of all assignments the one with the largest sum of overlaps
    is taken (Kuhn 1955), then pairs below `iou` are left out. Pairs are in the order of the true boxes.
    """
    from scipy.optimize import linear_sum_assignment

    table = overlaps(true, found, size)
    pairs = zip(*linear_sum_assignment(np.where(table >= iou, table, 0.0), maximize=True), strict=True)
    return [(int(i), int(j), float(table[i, j])) for i, j in pairs if table[i, j] >= iou and table[i, j] > 0]


def overlaps(true, found, size=None):
    """Intersection over union (n, m) of true corners (n, 4, 2) and found corners (m, 4, 2) inside a picture of `size`."""
    true, found = _inside(true, size), _inside(found, size)
    table = [[_iou(one, other) for other in found] for one in true]
    return np.array(table, float).reshape(len(true), len(found))


def _inside(boxes, size):
    """The polygons of the boxes, clipped to the picture; None for a box that is no convex quadrilateral."""
    boxes = [np.asarray(box, float) for box in boxes]
    window = None if size is None else np.array([[0, 0], [size[0], 0], size, [0, size[1]]], float)
    return [None if not geometry.is_convex(box) else box if window is None else geometry.clip(box, window)
            for box in boxes]


def _iou(one, other):
    """Intersection over union of two convex polygons, clockwise; 0 where one is None or has no area."""
    if one is None or other is None:
        return 0.0
    areas = geometry.area(one), geometry.area(other)
    if min(areas) <= 0:
        return 0.0
    shared = max(0.0, geometry.area(geometry.clip(one, other)))
    return float(np.clip(shared / (sum(areas) - shared), 0.0, 1.0))
