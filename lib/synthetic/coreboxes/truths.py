"""The boxes of a picture: which are seen, where their corners lie, and which are cut.

Boxes are remembered on the plane (cm) while they are laid, in the order in which they cover each other.
"""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

SEEN = 0.08  # least part of a box, and of one of its channels, that must be visible
CUT = 0.003  # of the picture's longer side: how far a corner may lie outside before the box counts as cut


@dataclass
class BoxTruth:
    """One box in the picture (px): corners p1 TL, p2 TR, p3 BR, p4 BL by position, float32.

    Corners may lie outside the picture. Where a pasted photograph trims the box, they lie on the trimmed edge.
    `cut`: a part of the box is not in the picture. `rows` (row_nb, 4, 2) are the channels in picture order.
    """

    outer: np.ndarray
    inner: np.ndarray
    row_nb: int
    rows_run: str
    cut: bool
    rows: np.ndarray = field(default_factory=lambda: np.zeros((0, 4, 2), np.float32))


@dataclass
class Placed:
    """A box on the plane (cm), clockwise; each row polygon begins with the edge along the row."""

    outer: np.ndarray
    inner: np.ndarray
    rows: np.ndarray
    cut: bool = False


def placed(box, corners, turned, flipped=False):
    """The box whose picture (turned: quarter turn clockwise; flipped: half a turn) has these corners (cm)."""
    size = np.array([box.breadth, box.length] if turned else [box.length, box.breadth])

    def on_plane(points):
        p = np.asarray(points, float)
        u = (np.stack([box.breadth - p[..., 1], p[..., 0]], -1) if turned else p) / size
        u = 1 - u if flipped else u
        return corners[0] + u[..., :1] * (corners[1] - corners[0]) + u[..., 1:] * (corners[3] - corners[0])

    return Placed(on_plane(box.outer()), on_plane(box.inner()), on_plane(box.row_polygons()))


def moved(item, move):
    """The placed box with all its points put through `move`."""
    return replace(item, outer=move(item.outer), inner=move(item.inner), rows=move(item.rows))


def trimmed(item, x0, y0, x1, y1):
    """The placed box as far as the rectangle (cm) shows it: a side that lies outside is drawn back to the edge.

    Where only one corner lies beyond an edge, it stays where the sides of the box meet.
    """
    limits = ((0, x0, -1), (0, x1, 1), (1, y0, -1), (1, y1, 1))
    beyond = [(item.outer[:, axis] - limit) * sign for axis, limit, sign in limits]
    trims = [edge for edge, over in zip(limits, beyond, strict=True) if (over > 0).sum() > 1]
    lost = max(over.max() for over in beyond) > CUT * np.ptp(item.outer, axis=0).max()
    shown = moved(
        item,
        lambda points: (
            clipped(points, trims) if points.ndim == 2 else np.array([clipped(row, trims) for row in points])
        ),
    )
    return replace(shown, cut=item.cut or bool(lost))


def clipped(quad, limits):
    """The quadrilateral with every corner beyond a limit (axis, place, sign) drawn back along its side."""
    quad = np.array(quad, float)
    for axis, limit, sign in limits:
        before = quad.copy()
        for k in range(4):
            if (before[k, axis] - limit) * sign > 0:
                a, b = before[k - 1], before[(k + 1) % 4]
                toward = max(a - before[k], b - before[k], key=lambda d: abs(d[axis]))
                share = (limit - before[k, axis]) / toward[axis] if abs(toward[axis]) > 1e-6 else 0.0
                quad[k] = before[k] + toward * np.clip(share, 0, 1)
                quad[k, axis] = limit
    return quad


def by_position(quad):
    """The corners, clockwise, from the one at the top left."""
    return np.roll(quad, -int(np.argmin(quad.sum(1))), axis=0)


def seen(items, project, size):
    """Truths of the boxes that the picture shows, in reading order.

    `items` are placed boxes and opaque polygons (n, 2) of the plane, the later over the earlier; `project` takes
    plane points to the picture of `size` (width, height).
    """
    k = min(1.0, 256 / max(size))
    labels = np.zeros((max(1, round(size[1] * k)), max(1, round(size[0] * k))), np.int16)
    drawn = []
    for item in items:
        if not isinstance(item, Placed):
            paint(labels, [project(np.asarray(item, float)) * k], 0)
            continue
        item = moved(item, lambda points: np.asarray(project(points), np.float32))
        drawn.append(item)
        paint(labels, [item.outer * k], 2 * len(drawn))
        paint(labels, item.rows * k, 2 * len(drawn) + 1)
    shown = np.bincount(labels.ravel(), minlength=2 * len(drawn) + 2)
    found = []
    for n, item in enumerate(drawn, 1):
        area, channels = abs(cv2.contourArea(item.outer)) * k * k, shown[2 * n + 1]
        channel = min((abs(cv2.contourArea(row)) for row in item.rows), default=0) * k * k
        if (
            area < 4
            or thin(item.outer)
            or shown[2 * n] + channels < SEEN * area
            or channels < max(1, SEEN * channel)
        ):
            continue
        found.append(truth(item, size, covered(item, (shown[2 * n] + channels) / k / k, size)))
    return in_reading_order(found)


def thin(quad):
    """Whether a side is so short (under 3 px) that nothing can be read from it."""
    return bool(np.linalg.norm(quad - np.roll(quad, 1, axis=0), axis=1).min() < 3)


def paint(labels, quads, label):
    """Polygons filled with a label; far points are drawn in to where the integers still hold."""
    for quad in quads:
        points = np.clip(np.asarray(quad, float) - 0.5, -30000, 30000)
        cv2.fillPoly(labels, [np.round(points * 16).astype(np.int32)], label, cv2.LINE_8, 4)


def covered(item, shown, size):
    """Whether something hides more than a tenth of what lies in the picture."""
    w, h = size
    inside, _ = cv2.intersectConvexConvex(
        np.ascontiguousarray(item.outer, np.float32), np.float32([[0, 0], [w, 0], [w, h], [0, h]])
    )
    return shown < 0.9 * inside - 4


def truth(item, size, hidden=False):
    """The truth of one box that is placed in the picture (px)."""
    outer = by_position(item.outer)
    along = (item.rows[:, 1] - item.rows[:, 0]).sum(0)
    lies = abs(along[0]) >= abs(along[1])
    middles = item.rows.mean(1)[:, 1 if lies else 0]
    rows = np.array([by_position(item.rows[k]) for k in np.argsort(middles, kind="stable")])
    return BoxTruth(
        np.float32(outer),
        np.float32(by_position(item.inner)),
        len(rows),
        "horizontal" if lies else "vertical",
        bool(item.cut or hidden or outside(outer, size)),
        np.float32(rows),
    )


def outside(outer, size):
    """Whether a corner lies more than CUT of the longer side outside the picture."""
    far = max(-outer.min(), (outer - np.asarray(size)).max())
    return bool(far > CUT * max(size))


def in_reading_order(boxes):
    """Top to bottom and, among those side by side, left to right."""

    def middle(box):
        return float(box.outer[:, 1].mean())

    def height(box):
        return float(np.linalg.norm(box.outer[3] - box.outer[0]))

    left, ordered = sorted(boxes, key=middle), []
    while left:
        first = left[0]
        line = [
            k
            for k, box in enumerate(left)
            if middle(box) - middle(first) <= 0.5 * min(height(first), height(box))
        ]
        ordered += sorted((left[k] for k in line), key=lambda box: box.outer[:, 0].mean())
        left = [box for k, box in enumerate(left) if k not in line]
    return ordered
