"""Losses that several tasks share. A target's last number is its weight, so that what is not known costs nothing."""

import keras
from keras import ops

from lib.models.layers import register


def wing(error, width, curvature):
    """Wing loss of arXiv 1711.06753: logarithmic for |error| < width, linear beyond, continuous in between."""
    error = ops.abs(error)
    offset = width - width * ops.log(1 + width / curvature)
    return ops.where(error < width, width * ops.log(1 + error / curvature), error - offset)


class Weighted(keras.losses.Loss):
    """A loss with a factor by which it enters the sum over the outputs."""

    def __init__(self, factor=1.0, name=None):
        super().__init__(name=name)
        self.factor = factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@register
class Wing(Weighted):
    """Wing loss of points: target (n, k, 3) of x, y, weight; output (n, k, 3), whose third number is not judged.

    Plain vectors (n, k) are judged whole. `width` and `curvature` are parts of the input's size.
    """

    def __init__(self, width=0.05, curvature=0.005, factor=1.0, name="wing"):
        super().__init__(factor, name)
        self.width, self.curvature = width, curvature

    def call(self, target, output):
        if len(output.shape) == 2:
            return self.factor * ops.mean(wing(output - target, self.width, self.curvature), -1)
        cost = wing(output[..., :2] - target[..., :2], self.width, self.curvature)
        return self.factor * ops.mean(ops.sum(cost, -1) * target[..., 2], -1)

    def get_config(self):
        return {**super().get_config(), "width": self.width, "curvature": self.curvature}


@register
class Ordinal(Weighted):
    """Cross-entropy of "more than i": target (n, k) of 0 and 1, -1 where not known; output probabilities (n, k)."""

    def call(self, target, output):
        known = ops.cast(target >= 0, output.dtype)
        output = ops.clip(output, 1e-6, 1 - 1e-6)
        cost = -target * ops.log(output) - (1 - target) * ops.log(1 - output)
        return self.factor * ops.mean(cost * known, -1)


@register
class Classes(Weighted):
    """Cross-entropy of classes: target (n, k), all 0 where not known; output probabilities (n, k)."""

    def call(self, target, output):
        return -self.factor * ops.sum(target * ops.log(ops.clip(output, 1e-6, 1.0)), -1)


@register
class Peaks(Weighted):
    """Focal loss of centre maps (arXiv 1904.07850, eq. 1): target (n, h, w, 2), output probabilities (n, h, w, 1).

    Target: 1 at a centre and less about it, and the cell's weight. The sum is divided by the number of centres.
    """

    def call(self, target, output):
        truth, weight, found = target[..., 0], target[..., 1], ops.clip(output[..., 0], 1e-4, 1 - 1e-4)
        centre = ops.cast(truth >= 1, found.dtype)
        cost = -centre * (1 - found) ** 2 * ops.log(found) \
            - (1 - centre) * (1 - truth) ** 4 * found**2 * ops.log(1 - found)
        return self.factor * ops.sum(cost * weight, (1, 2)) / ops.maximum(ops.sum(centre, (1, 2)), 1.0)
