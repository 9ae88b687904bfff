"""The loss of a multi-label classifier."""

from keras import ops

from lib.models.layers import saved_as
from lib.models.losses import WeightedLoss


@saved_as("Chances")
class MultiLabelCrossEntropy(WeightedLoss):
    """Binary cross-entropy of labels: target and output (n, labels, …), of which only the first number counts."""

    def call(self, target, output):
        target, output = target[..., 0], ops.clip(output[..., 0], 1e-6, 1 - 1e-6)
        return -self.factor * ops.mean(target * ops.log(output) + (1 - target) * ops.log(1 - output), -1)
