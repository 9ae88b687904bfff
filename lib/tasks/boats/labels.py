"""The label of boats: boxes as JSON text, checked and moved."""

import json

import numpy as np

from lib.tasks.boats import detection
from lib.tasks.contract import RejectedRow

OUTSIDE = 0.02          # of the picture's sides: how far a box may stand out, to be cut off there


def parsed(text):
    """A list of boxes from JSON text; RejectedRow."""
    try:
        found = json.loads(text)
        values = np.array(found, float)
    except (TypeError, ValueError, RecursionError) as error:
        raise RejectedRow("boxes not a list of four numbers each") from error
    if not isinstance(found, list) or len(found) and values.shape != (len(found), 4):
        raise RejectedRow("boxes not a list of four numbers each")
    if not np.isfinite(values).all():
        raise RejectedRow("box not a number")
    return values.reshape(-1, 4).tolist()


def checked(text, size):
    found = detection.array(parsed(text))
    if (np.maximum(-found, found - size) > OUTSIDE * size + 1).any():
        raise RejectedRow("box outside the picture")
    found = np.clip(found, 0, size)
    if ((found[:, 2:] - found[:, :2]) < 1).any():
        raise RejectedRow("box turned round or under a pixel")
    return found.round(3).tolist()


def transformed(box, transform):
    """The upright box about a box whose corners were moved by `transform`, a function of points (n, 2)."""
    x0, y0, x1, y1 = box
    moved = np.asarray(transform([[x0, y0], [x1, y1]]), float)
    return [*moved.min(0).tolist(), *moved.max(0).tolist()]
