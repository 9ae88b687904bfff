"""The label of boats: boxes as JSON text, checked and turned."""

import json

import numpy as np

from lib.tasks import Refusal
from lib.tasks.boats import detection

OUTSIDE = 0.02          # of the picture's sides: how far a box may stand out, to be cut off there


def parsed(text):
    """A list of boxes from JSON text; Refusal."""
    try:
        found = json.loads(text)
        values = np.array(found, float)
    except (TypeError, ValueError, RecursionError) as error:
        raise Refusal("boxes not a list of four numbers each") from error
    if not isinstance(found, list) or len(found) and values.shape != (len(found), 4):
        raise Refusal("boxes not a list of four numbers each")
    if not np.isfinite(values).all():
        raise Refusal("box not a number")
    return values.reshape(-1, 4).tolist()


def checked(text, size):
    found = detection.array(parsed(text))
    if (np.maximum(-found, found - size) > OUTSIDE * size + 1).any():
        raise Refusal("box outside the picture")
    found = np.clip(found, 0, size)
    if ((found[:, 2:] - found[:, :2]) < 1).any():
        raise Refusal("box turned round or under a pixel")
    return found.round(3).tolist()


def turned(box, turn):
    x0, y0, x1, y1 = box
    moved = np.asarray(turn([[x0, y0], [x1, y1]]), float)
    return [*moved.min(0).tolist(), *moved.max(0).tolist()]
