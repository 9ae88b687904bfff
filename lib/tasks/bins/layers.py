"""Layers of the counting network, in keras.ops alone."""

import keras
from keras import layers, ops

from lib.models.layers import saved_as


@saved_as("Thresholds", filed=True)
class CoralRanks(layers.Layer):
    """CORAL layer (arXiv 1901.07884): probabilities of "more than i" (n, count) from one score (n, 1), with a bias per rank.

    The initial biases fall from rank to rank by `step`, the first being -`step` * `first`, so that the probabilities are
    consistent from the start.
    """

    def __init__(self, count, step=1.0, first=0.5, **settings):
        super().__init__(**settings)
        self.count, self.step, self.first = count, step, first

    def build(self, shape):
        falling = keras.initializers.Constant([-self.step * (self.first + rank) for rank in range(self.count)])
        self.bias = self.add_weight(shape=(self.count,), initializer=falling, name="bias")

    def call(self, score):
        return ops.sigmoid(score + self.bias)

    def compute_output_shape(self, shape):
        return (shape[0], self.count)

    def get_config(self):
        return {**super().get_config(), "count": self.count, "step": self.step, "first": self.first}


@saved_as("Highest")
class TopKPeaks(layers.Layer):
    """The values of the `count` highest local maxima of a map (n, h, w, 1), highest first; 0 where there are fewer."""

    def __init__(self, count, **settings):
        super().__init__(**settings)
        self.count = count

    def call(self, heat):
        _, height, width, _ = heat.shape
        peaks = ops.where(heat >= ops.max_pool(heat, 3, 1, "same"), heat, ops.zeros_like(heat))
        return ops.top_k(ops.reshape(peaks, (-1, height * width)), min(self.count, height * width))[0]

    def compute_output_shape(self, shape):
        return (shape[0], min(self.count, shape[1] * shape[2]))

    def get_config(self):
        return {**super().get_config(), "count": self.count}
