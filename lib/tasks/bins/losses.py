"""The loss of the map of centre offsets."""

from keras import ops

from lib.models.layers import saved_as
from lib.models.losses import WeightedLoss


@saved_as("Parts")
class CentreOffsetLoss(WeightedLoss):
    """L1 loss of each cell's offset to the centre of its item, and binary cross-entropy of belonging to one.

    Target (n, h, w, 4): the offset x and y, whether the cell belongs to an item, and its weight. Output (n, h, w, 3): the
    offset and a logit. The first is a mean over the items' cells, the second one over all cells.
    """

    def call(self, target, output):
        weight = target[..., 3]
        mine, logit = target[..., 2] * weight, output[..., 2]
        away = ops.sum(ops.abs(target[..., :2] - output[..., :2]), -1)
        cost = ops.maximum(logit, 0.0) - logit * target[..., 2] + ops.log1p(ops.exp(-ops.abs(logit)))
        return 2 * self.factor * (ops.sum(away * mine, (1, 2)) / (ops.sum(mine, (1, 2)) + 5) + ops.mean(cost * weight, (1, 2)))
