"""The loss of cells that say which item they belong to."""

from keras import ops

from lib.models.layers import register
from lib.models.losses import Weighted


@register
class Parts(Weighted):
    """Of cells that say which thing they belong to: how far off their way to its middle is, and cross-entropy of being one's.

    Target (n, h, w, 4): the way, x and y, whether the cell is a thing's, and its weight. Output (n, h, w, 3): the way and
    a logit. A mean over the things' cells, and one over all.
    """

    def call(self, target, output):
        weight = target[..., 3]
        mine, logit = target[..., 2] * weight, output[..., 2]
        away = ops.sum(ops.abs(target[..., :2] - output[..., :2]), -1)
        cost = ops.maximum(logit, 0.0) - logit * target[..., 2] + ops.log1p(ops.exp(-ops.abs(logit)))
        return 2 * self.factor * (ops.sum(away * mine, (1, 2)) / (ops.sum(mine, (1, 2)) + 5) + ops.mean(cost * weight, (1, 2)))
