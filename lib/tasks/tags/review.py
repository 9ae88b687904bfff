"""How sets of labels are reviewed."""

import numpy as np

from lib.tasks.contract import Reviewable
from lib.tasks.tags.tree import APART


class TagsReviewable(Reviewable):
    """The viewer only shows them: a set of labels is no single choice. They are reviewed in the hub."""

    edit = None

    def label(self, answer):
        return {"labels": APART.join(answer["labels"])} if answer.get("labels") else None

    def label_nll(self, truth, answer):
        """Negative log-likelihood, in bits, of the label that is least probable as it stands (there or not there)."""
        chances, true = answer.get("probabilities"), set(truth["labels"])
        if not chances:
            return None
        least = min(chance if name in true else 1 - chance for name, chance in chances.items())
        return float(-np.log2(max(least, 1e-6)))
