"""Where the crops lie that the corner networks see: the whole picture, the box alone, the strips along its sides."""

from functools import cache

import numpy as np

from lib.imaging import geometry

MARGIN = 0.08            # of the first look's window left free on every side, for corners outside the picture
BENT = 1.6               # how much more one axis may be reduced than the other, so that a wide picture is not tiny
ZOOM = 0.14              # margin around the box in the second look
STRIP, STRIP_MARGIN = (160, 48), 0.1   # a side as its refiner sees it: along, across; part beyond the corners
HALVES = (0.035, 0.012)  # what the strips show on either side, of the diagonal: first pass, second pass


def side(start, end, half, size, margin):
    """The matrix by which the line from `start` to `end` becomes the middle of a strip, outside (left of it) on top.

    `half` is what the strip shows on either side of the line, in pixels of the picture; the ends lie `margin` of
    the strip's width inside it.
    """
    start, end = np.asarray(start, float), np.asarray(end, float)
    width, height = size
    length = max(np.linalg.norm(end - start), 1e-6)
    along = (end - start) / length
    outward = np.array([along[1], -along[0]])
    per, up = width * (1 - 2 * margin) / length, height / (2 * half)
    return np.array([[*(along * per), margin * width - along @ start * per],
                     [*(-outward * up), height / 2 + outward @ start * up],
                     [0, 0, 1]])


@cache
def frame(picture, size):
    """The Frame of a picture of (width, height) in an input: MARGIN around it, one axis reduced up to BENT times more."""
    (width, height), (across, down) = picture, size
    x, y = across * (1 - 2 * MARGIN) / width, down * (1 - 2 * MARGIN) / height
    x, y = min(x, BENT * y), min(y, BENT * x)
    inner = max(1, round(width * x)), max(1, round(height * y))
    shift = (across - inner[0]) // 2, (down - inner[1]) // 2
    return geometry.Frame(tuple(size), inner, (inner[0] / width, inner[1] / height), shift)


def ordered(corners):
    """Corners in order; those that are not known stay so."""
    return geometry.order(corners) if np.isfinite(corners).all() else corners
