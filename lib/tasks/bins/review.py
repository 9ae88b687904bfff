"""How counts are reviewed."""

import numpy as np

from lib.tasks.contract import Reviewable


class BinsReviewable(Reviewable):
    """A reviewer chooses the count."""

    @property
    def choices(self):
        return {"count": list(self.task.classes)}

    def label_nll(self, truth, answer):
        chance = (answer.get("probabilities") or {}).get(str(truth["count"]))
        return None if chance is None else float(-np.log2(max(chance, 1e-6)))
