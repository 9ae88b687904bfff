"""Which box of an answer is which true box? Kept for the pictures that a bootstrap asks for again and again."""

from functools import lru_cache

import numpy as np

from lib.tasks.boats import detection

NOTHING = {"boxes": [], "scores": []}


def matched(truth, answer):
    """Of an answer's boxes, surest first, what each is at COCO's limits (10, n), and their scores (n,)."""
    scores = answer.get("scores", [1.0] * len(answer["boxes"]))
    return _matched(_frozen(truth["boxes"]), _frozen(truth.get("crowds", ())), _frozen(answer["boxes"]), tuple(scores))


def _frozen(things):
    return tuple(map(tuple, things))


@lru_cache(4096)  # a bootstrap asks for the same pictures again and again
def _matched(truth, crowds, found, scores):
    order = np.argsort(-np.array(scores, float), kind="mergesort")[:detection.MOST]
    return detection.match(truth, crowds, detection.array(found)[order]), np.array(scores, float)[order]
