"""Corners, quadrilaterals and the frames they are scaled into, as arrays.

Corners are float arrays (4, 2) of x, y in the order top-left, top-right, bottom-right, bottom-left by position in
the upright picture. Coordinates are continuous: a picture of width W spans 0 … W, the centre of its first pixel is 0.5.
"""

from dataclasses import dataclass

import cv2
import numpy as np


def order(corners):
    """The four corners clockwise from the top-left one (the least x + y), whatever order they came in."""
    corners = np.asarray(corners, float)
    from_centre = corners - corners.mean(0)
    clockwise = corners[np.argsort(np.arctan2(from_centre[:, 1], from_centre[:, 0]), kind="stable")]
    return np.roll(clockwise, -int(np.argmin(clockwise.sum(1))), axis=0)


def is_convex(corners):
    """Whether the corners, in their order, go once round a convex quadrilateral of some area, clockwise."""
    corners = np.asarray(corners, float)
    side = np.roll(corners, -1, 0) - corners
    after = np.roll(side, -1, 0)
    turns = side[:, 0] * after[:, 1] - side[:, 1] * after[:, 0]
    return bool(np.isfinite(corners).all() and (turns > 1e-9).all())


def area(corners):
    """Area of the polygon in square pixels (shoelace; positive when clockwise on the screen)."""
    x, y = np.asarray(corners, float).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def diagonal(corners):
    """Mean length of the two diagonals, in pixels: the size by which corner errors are divided."""
    corners = np.asarray(corners, float)
    return float(np.linalg.norm(corners[:2] - corners[2:], axis=1).mean())


def errors(truth, found):
    """Distance between each true and found corner, in pixels (4,)."""
    return np.linalg.norm(np.asarray(truth, float) - np.asarray(found, float), axis=1)


def jaccard(truth, found):
    """Intersection over union of the two quadrilaterals in the frame of the true one (SmartDoc 2015, Burie et al.).

    Both are mapped by the homography that makes the truth a unit square; a found one that is not convex scores 0.
    """
    if not is_convex(found):
        return 0.0
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    matrix = cv2.getPerspectiveTransform(np.asarray(truth, np.float32), square)
    mapped = warp(matrix, found)
    if not is_convex(mapped):
        return 0.0
    shared = area(clip(mapped, square))
    return float(shared / (1 + area(mapped) - shared))


def clip(polygon, window):
    """The part of a polygon inside a convex window, both clockwise (Sutherland and Hodgman 1974).

    Unlike OpenCV's intersectConvexConvex it is exact where edges all but coincide, as those of good answers do.
    """
    polygon = np.asarray(polygon, float)
    for start, end in zip(window, np.roll(window, -1, 0), strict=True):
        across = np.array([-(end - start)[1], (end - start)[0]], float)
        inside = (polygon - start) @ across
        kept = []
        for at, point in enumerate(polygon):
            before = inside[at - 1]
            if (before < 0) != (inside[at] < 0):
                kept.append(polygon[at - 1] + (point - polygon[at - 1]) * before / (before - inside[at]))
            if inside[at] >= 0:
                kept.append(point)
        polygon = np.array(kept)
        if len(polygon) < 3:
            return np.zeros((3, 2))
    return polygon


def warp(matrix, points):
    """Points (…, 2) through a 3x3 homography."""
    points = np.asarray(points, float)
    mapped = np.concatenate([points, np.ones_like(points[..., :1])], -1) @ np.asarray(matrix, float).T
    return mapped[..., :2] / mapped[..., 2:]


def intersect(line, other):
    """The point where two lines meet, each a pair of points (2, 2); nearly parallel ones give NaN."""
    (p, q), (r, s) = np.asarray(line, float), np.asarray(other, float)
    d, e = q - p, s - r
    cross = d[0] * e[1] - d[1] * e[0]
    if abs(cross) < 1e-9 * (np.linalg.norm(d) * np.linalg.norm(e) + 1e-12):
        return np.full(2, np.nan)
    t = ((r[0] - p[0]) * e[1] - (r[1] - p[1]) * e[0]) / cross
    return p + t * d


@dataclass(frozen=True)
class Frame:
    """Where a picture lies in the network's input: input = picture · scale + shift, in pixels, per axis."""

    size: tuple      # of the input: width, height
    inner: tuple     # of the resized picture inside it: width, height
    scale: tuple
    shift: tuple

    def into(self, points):
        """Points of the picture (…, 2) in pixels of the input."""
        return np.asarray(points, float) * self.scale + self.shift

    def back(self, points):
        """Points of the input (…, 2) in pixels of the picture."""
        return (np.asarray(points, float) - self.shift) / self.scale


def letterbox(picture, size, margin=0.0):
    """The Frame that shows a whole picture of (width, height) in an input of (width, height), its shape kept.

    `margin` is the part of the input's width and height left free on every side, so that corners a little
    outside the picture still lie inside the input. A pure function of its arguments: training, verification
    and the API cannot disagree.
    """
    (width, height), (across, down) = picture, size
    scale = min(across * (1 - 2 * margin) / width, down * (1 - 2 * margin) / height)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    shift = (across - inner[0]) // 2, (down - inner[1]) // 2
    return Frame(tuple(size), inner, (inner[0] / width, inner[1] / height), shift)


def stretch(picture, size):
    """The Frame that fills the input with the picture, its shape not kept (the original's way)."""
    return Frame(tuple(size), tuple(size), (size[0] / picture[0], size[1] / picture[1]), (0, 0))
