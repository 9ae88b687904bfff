"""How boxes of boats are reviewed and moved."""

import json

import numpy as np

from lib.tasks.boats.labels import parsed, transformed
from lib.tasks.boats.matching import matched
from lib.tasks.contract import Located, Reviewable


class BoatsReviewable(Reviewable):
    """A reviewer moves, adds and deletes boxes."""

    edit = "boxes"

    def label(self, answer):
        return {"boxes": json.dumps(self.task.boxes(answer))}

    def label_nll(self, truth, answer):
        """Negative log-likelihood, in bits, that the surest box without a label is none; 0 where every box has a label."""
        lines, scores = matched(truth, answer)
        missed = scores[lines[0] == -1]
        return float(-np.log2(max(1 - missed.max(), 1e-6))) if len(missed) else 0.0

    def uncertainty(self, answer):
        """1 where the score of some box is a half, 0 where all scores are 0 or 1."""
        return max((1 - abs(2 * score - 1) for score in answer["scores"]), default=0.0)


class BoatsLocated(Located):
    """Boxes and crowds."""

    def transform_points(self, row, transform):
        return {**row, **{name: json.dumps([transformed(box, transform) for box in parsed(row[name])])
                          for name in ("boxes", "crowds") if row.get(name)}}

    def boxes(self, values):
        """The boxes of a row, or those of an answer whose score is high enough to be shown."""
        return super().boxes(values) if "scores" not in values else self.task.format_response(values, {})["boxes"]
