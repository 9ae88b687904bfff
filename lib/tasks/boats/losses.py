"""The loss of the map of boxes."""

from keras import ops

from lib.models.layers import saved_as
from lib.models.losses import WeightedLoss


@saved_as("Boxes")
class BoxLoss(WeightedLoss):
    """1 - GIoU (arXiv 1902.09630) of the boxes that cells predict, plus half the L1 distance of their numbers.

    Target (n, h, w, 5), output (n, h, w, 4): offset x and y from the cell's centre to the box's, and the logarithms of
    width and height, in one unit. The target's last number is the weight; weights sum to the number of boxes, by which
    the loss is divided.
    """

    def call(self, target, output):
        low, high = self._corners(target)
        found_low, found_high = self._corners(output)
        area, found_area = (ops.prod(b - a, -1) for a, b in ((low, high), (found_low, found_high)))
        shared = ops.prod(ops.maximum(ops.minimum(high, found_high) - ops.maximum(low, found_low), 0.0), -1)
        union = area + found_area - shared
        around = ops.prod(ops.maximum(high, found_high) - ops.minimum(low, found_low), -1)
        cost = 1 - shared / (union + 1e-6) + (around - union) / (around + 1e-6)
        away = ops.abs(target[..., :2] - output[..., :2]) / ops.exp(target[..., 2:4])
        cost = cost + 0.5 * ops.sum(away + ops.abs(target[..., 2:4] - output[..., 2:4]), -1)
        weight = target[..., 4]
        return self.factor * ops.sum(cost * weight, (1, 2)) / ops.maximum(ops.sum(weight, (1, 2)), 1.0)

    @staticmethod
    def _corners(values):
        half = ops.exp(ops.clip(values[..., 2:4], -6.0, 6.0)) / 2
        return values[..., :2] - half, values[..., :2] + half
