"""How corners are reviewed, and how their label errors are found."""

import numpy as np

from lib.imaging import geometry, warping
from lib.tasks.contract import Auditable, Reviewable
from lib.tasks.corners import label_errors, refinement
from lib.tasks.corners.labels import ROWS, points


class CornersReviewable(Reviewable):
    """A reviewer drags the four points and chooses the number of rows."""

    edit = "points"

    @property
    def choices(self):
        return {"row_nb": list(range(1, ROWS + 1))} if self.task.counts else {}

    def label_nll(self, truth, answer):
        """The largest distance of a labelled corner from its answer, in radii stated for it; None where none is stated."""
        if answer.get("p1x") is None or not answer.get("radius"):
            return None
        apart = geometry.errors(points(truth), points(answer))
        return float((apart / np.maximum(answer["radius"], 1e-3)).max())


class CornersAuditable(Auditable):
    """Label errors from what the sides' network sees along the labelled sides."""

    def label_bias(self, truths, answers):
        known = [(points(truth), points(answer), max(answer["radius"]) / geometry.diagonal(points(answer)))
                 for truth, answer in zip(truths, answers, strict=True) if answer and answer.get("radius")]
        usual, near = label_errors.habit(*zip(*known, strict=True)) if known else label_errors.habit([], [], [])
        return {"usual": usual.tolist(), "near": near}

    def label_evidence(self, predict, picture, truth, answer, bias):
        if "sides" not in predict:
            return None
        label = label_errors.shifted(points(truth), bias["usual"])
        pictures = warping.downsampled(picture, refinement.SMALL), picture
        refined, expected = refinement.refine(predict["sides"], pictures, label)
        return {"label": label.tolist(), "refined": refined.tolist(), "expected": expected.tolist(),
                "edges": label_errors.surprise_at(predict["sides"], pictures, label, bias["near"]).tolist()}

    def label_errors(self, truths, answers, evidence):
        review = Reviewable.of(self.task)
        return [label_errors.moved(*map(np.array, (seen["label"], points(answer), answer["radius"], seen["refined"],
                                                   seen["expected"], seen["edges"])))
                if seen else answer and review.label_nll(truth, answer)
                for truth, answer, seen in zip(truths, answers, evidence, strict=True)]
