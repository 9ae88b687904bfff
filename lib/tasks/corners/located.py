"""Boxes as places in the picture: several of them, each a row of the table, and what moves and compares them."""

import numpy as np

from lib.tasks.contract import Located, RejectedRow
from lib.tasks.corners import matching
from lib.tasks.corners.boxes import reading_order
from lib.tasks.corners.labels import NUMBERS, box_of, boxes_of, number


class CornersLocated(Located):
    """A picture may show several boxes; the columns of its row are those of the first one in reading order."""

    several = True

    def labels_of(self, values):
        return boxes_of(values)

    def merge(self, rows):
        ordered = reading_order(rows)
        own = {name: value for name, value in ordered[0].items() if name != "boxes"}
        return {**own, "boxes": [box_of(row) for row in ordered]} if len(ordered) > 1 else own

    def overlaps(self, labels, others, size=None):
        return matching.overlaps([_corners(label) for label in labels], [_corners(label) for label in others], size)

    def transform_points(self, row, transform):
        moved = super().transform_points(row, transform)
        if not row.get("boxes"):
            return moved
        return {**moved, "boxes": [super(CornersLocated, self).transform_points(box, transform) for box in boxes_of(row)]}


def _corners(label):
    """The corners (4, 2) of a label that is not checked yet; NaN where they are no numbers."""
    try:
        return np.array([number(label.get(name)) for name in NUMBERS]).reshape(4, 2)
    except RejectedRow:
        return np.full((4, 2), np.nan)
