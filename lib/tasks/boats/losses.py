"""The loss of boxes that are told by the cells of a map."""

from keras import ops

from lib.models.layers import register
from lib.models.losses import Weighted


@register
class Boxes(Weighted):
    """1 - GIoU (arXiv 1902.09630) of boxes told by cells, and half the sum of what their numbers are off.

    Target (n, h, w, 5), output (n, h, w, 4): the box's centre from the cell's, x and y, and the logarithms of width and
    height, in one unit; the target's last number is the weight, which sums to the number of boxes, by which the sum
    is divided.
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
