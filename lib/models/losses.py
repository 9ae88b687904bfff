"""Losses that several tasks share. The last number of a target is its weight: 0 where the truth is not known."""

import keras
from keras import ops

from lib.models.layers import saved_as


def wing_loss(error, width, curvature):
    """Wing loss of arXiv 1711.06753: logarithmic for |error| < width, linear beyond, continuous in between."""
    error = ops.abs(error)
    offset = width - width * ops.log(1 + width / curvature)
    return ops.where(error < width, width * ops.log(1 + error / curvature), error - offset)


class WeightedLoss(keras.losses.Loss):
    """A loss with a factor by which it enters the sum over the outputs; `settings` are those of keras.losses.Loss."""

    def __init__(self, factor=1.0, name=None, **settings):
        super().__init__(name=name, **settings)
        self.factor = factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@saved_as("Wing")
class WingLoss(WeightedLoss):
    """Wing loss of points: target (n, k, 3) of x, y and weight; output (n, k, 3), whose third number is ignored.

    Of plain vectors (n, k) all numbers count. `width` and `curvature` are fractions of the input's size.
    """

    def __init__(self, width=0.05, curvature=0.005, factor=1.0, name="wing", **settings):
        super().__init__(factor, name, **settings)
        self.width, self.curvature = width, curvature

    def call(self, target, output):
        if len(output.shape) == 2:
            return self.factor * ops.mean(wing_loss(output - target, self.width, self.curvature), -1)
        cost = wing_loss(output[..., :2] - target[..., :2], self.width, self.curvature)
        return self.factor * ops.mean(ops.sum(cost, -1) * target[..., 2], -1)

    def get_config(self):
        return {**super().get_config(), "width": self.width, "curvature": self.curvature}


@saved_as("Ordinal")
class OrdinalCrossEntropy(WeightedLoss):
    """Cross-entropy of the ranks "more than i" (CORAL, arXiv 1901.07884): target (n, k) of 0 and 1, -1 where not known; output probabilities (n, k)."""

    def call(self, target, output):
        known = ops.cast(target >= 0, output.dtype)
        output = ops.clip(output, 1e-6, 1 - 1e-6)
        cost = -target * ops.log(output) - (1 - target) * ops.log(1 - output)
        return self.factor * ops.mean(cost * known, -1)


@saved_as("Classes")
class MaskedCrossEntropy(WeightedLoss):
    """Cross-entropy of classes: target (n, k), all 0 where it is not known; output probabilities (n, k)."""

    def call(self, target, output):
        return -self.factor * ops.sum(target * ops.log(ops.clip(output, 1e-6, 1.0)), -1)


@saved_as("Peaks")
class CentreFocalLoss(WeightedLoss):
    """Focal loss of CenterNet's centre maps (arXiv 1904.07850, eq. 1): target (n, h, w, 2), output probabilities (n, h, w, 1).

    Target: 1 at a centre, falling off around it, and the weight of the cell. The sum is divided by the number of centres.
    """

    def call(self, target, output):
        truth, weight, found = target[..., 0], target[..., 1], ops.clip(output[..., 0], 1e-4, 1 - 1e-4)
        centre = ops.cast(truth >= 1, found.dtype)
        cost = -centre * (1 - found) ** 2 * ops.log(found) \
            - (1 - centre) * (1 - truth) ** 4 * found**2 * ops.log(1 - found)
        return self.factor * ops.sum(cost * weight, (1, 2)) / ops.maximum(ops.sum(centre, (1, 2)), 1.0)
