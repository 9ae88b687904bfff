"""How corners are reviewed, and how their label errors are found."""

import numpy as np

from lib.imaging import geometry, warping
from lib.tasks.contract import Auditable, Reviewable
from lib.tasks.corners import label_errors, refinement, scoring
from lib.tasks.corners.labels import ROWS, boxes_of, points

SAME = 0.5     # overlap (IoU) from which on an answer is one to a labelled box
MISSED = 2.0   # suspicion of a picture where a labelled box has no answer, or a sure answer no label


class CornersReviewable(Reviewable):
    """A reviewer drags the four points and chooses the number of rows."""

    edit = "points"

    @property
    def choices(self):
        return {"row_nb": list(range(1, ROWS + 1))} if self.task.counts else {}

    def label_nll(self, truth, answer):
        """The largest distance of a labelled corner from its answer, in radii stated for it; None where none is stated.

        Where there are several boxes, the worst of those that belong together; MISSED at least where a label has no
        answer, or a sure answer no label.
        """
        together, alone = _pairs(truth, answer)
        found = [_in_radii(box, other) for box, other in together if other.get("radius")]
        return max([*found, *[MISSED] * alone], default=None)

    def uncertainty(self, answer):
        """1 minus the confidence of the least sure box; None counts as unsure."""
        sure = [box.get("confidence") or 0.0 for box in boxes_of(answer)]
        return 1.0 - min(sure) if len(sure) > 1 else super().uncertainty(answer)


def _in_radii(box, answer):
    apart = geometry.errors(points(box), points(answer))
    return float((apart / np.maximum(answer["radius"], 1e-3)).max())


def _pairs(truth, answer):
    """Pairs of a labelled and an answered box, and how many of either have no counterpart.

    With one box each they belong together, however far apart they are.
    """
    true, found = boxes_of(truth), [box for box in boxes_of(answer) if box.get("p1x") is not None]
    if len(true) <= 1 and len(found) <= 1:
        return list(zip(true, found, strict=False)), 0
    together, missed, invented = scoring.pairs(truth, answer, SAME)
    return together, len(missed) + len(invented)


class CornersAuditable(Auditable):
    """Label errors from what the sides' network sees along the labelled sides."""

    def label_bias(self, truths, answers):
        pairs = [pair for truth, answer in zip(truths, answers, strict=True) if answer for pair in _pairs(truth, answer)[0]]
        known = [(points(box), points(other), max(other["radius"]) / geometry.diagonal(points(other)))
                 for box, other in pairs if other.get("radius")]
        usual, near = label_errors.habit(*zip(*known, strict=True)) if known else label_errors.habit([], [], [])
        return {"usual": usual.tolist(), "near": near}

    def label_evidence(self, predict, picture, truth, answer, bias):
        """What the sides' network sees along each labelled box that has an answer: a list, in the order of the pairs."""
        if "sides" not in predict:
            return None
        pictures = warping.downsampled(picture, refinement.SMALL), picture
        return [_evidence(predict["sides"], pictures, box, bias) for box, _ in _pairs(truth, answer)[0]]

    def label_errors(self, truths, answers, evidence):
        return [_suspicion(*each) if each[2] else each[1] and Reviewable.of(self.task).label_nll(*each[:2])
                for each in zip(truths, answers, evidence, strict=True)]


def _evidence(network, pictures, box, bias):
    label = label_errors.shifted(points(box), bias["usual"])
    refined, expected = refinement.refine(network, pictures, label)
    return {"label": label.tolist(), "refined": refined.tolist(), "expected": expected.tolist(),
            "edges": label_errors.surprise_at(network, pictures, label, bias["near"]).tolist()}


def _suspicion(truth, answer, evidence):
    """The suspicion of a picture's labels: that of the worst, MISSED at least where a box has no counterpart."""
    together, alone = _pairs(truth, answer)
    found = [label_errors.moved(*map(np.array, (seen["label"], points(other), other["radius"], seen["refined"],
                                                seen["expected"], seen["edges"])))
             for (_, other), seen in zip(together, evidence, strict=True) if other.get("radius")]
    return max([*found, *[MISSED] * alone], default=None)
