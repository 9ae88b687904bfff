"""The label of a core box: four corners and the number of rows, as columns of a row."""

import json
import math

import numpy as np

from lib.tasks.contract import RejectedRow

NUMBERS = ("p1x", "p1y", "p2x", "p2y", "p3x", "p3y", "p4x", "p4y")
LABEL = ("row_nb", *NUMBERS, "rows_run", "cut")       # of one box, in a row of labels
JUDGED = ("confidence", "radius", "refused")           # of one box, in an answer besides
CUT = 0.01               # of the diagonal: how far a corner of a whole box may lie outside the picture
ROWS = 20                # the most rows that are counted


def points(row):
    """The corners (4, 2) of a row or an answer."""
    return np.array([row[name] for name in NUMBERS], float).reshape(4, 2)


def point_dict(corners):
    return {name: float(value) for name, value in zip(NUMBERS, np.asarray(corners, float).ravel(), strict=True)}


def row_of(corners, row_nb):
    return {"row_nb": int(row_nb), **point_dict(corners)}


def box_of(row):
    """The label of one box alone: its corners and, where there are any, its rows, how they run and whether it is cut."""
    return {name: row[name] for name in LABEL if name in row}


def boxes_of(values):
    """The boxes of a row of labels, a truth or an answer, in reading order: dicts of corners, `row_nb` and what is known.

    Where there are no `boxes`, it is the box of the row itself; none where that has no corners. In a table `boxes` are
    JSON text.
    """
    boxes = values.get("boxes")
    if isinstance(boxes, str):
        boxes = json.loads(boxes) if boxes else None
    if boxes is not None:
        return list(boxes)
    return [] if values.get("p1x") is None else [{name: values[name] for name in (*LABEL, *JUDGED) if name in values}]


def stated_cut(row):
    """Whether a row of a table says that its box is only partly in the picture; None where it says nothing."""
    text = str(row.get("cut", "")).strip().lower()
    return True if text in ("true", "t", "yes", "1") else False if text in ("false", "f", "no", "0") else None


def is_cut(box, size):
    """Whether a labelled box is only partly in the picture of (width, height): as it says itself, else by its corners."""
    stated, corners = stated_cut(box), points(box)
    reach = CUT * np.linalg.norm(corners[:2] - corners[2:], axis=1).mean()
    return bool((np.maximum(-corners, corners - size) > reach).any()) if stated is None else stated


def number(value):
    try:
        value = float(value)
    except (TypeError, ValueError):
        raise RejectedRow("corner missing" if value is None or value == "" else "corner not a number") from None
    if math.isnan(value):
        raise RejectedRow("corner missing")
    if math.isinf(value):
        raise RejectedRow("corner not a number")
    return value


def row_count(value):
    try:
        count = float(value)
    except (TypeError, ValueError):
        raise RejectedRow("row count missing") from None
    if count != count:
        raise RejectedRow("row count missing")
    if count != round(count) or not 1 <= count <= ROWS:
        raise RejectedRow(f"row count not from 1 to {ROWS}")
    return int(count)
