"""The label of a core box: four corners and the number of rows, as columns of a row."""

import math

import numpy as np

from lib.tasks.contract import RejectedRow

NUMBERS = ("p1x", "p1y", "p2x", "p2y", "p3x", "p3y", "p4x", "p4y")
ROWS = 20                # the most rows that are counted


def points(row):
    """The corners (4, 2) of a row or an answer."""
    return np.array([row[name] for name in NUMBERS], float).reshape(4, 2)


def point_dict(corners):
    return {name: float(value) for name, value in zip(NUMBERS, np.asarray(corners, float).ravel(), strict=True)}


def row_of(corners, row_nb):
    return {"row_nb": int(row_nb), **point_dict(corners)}


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
