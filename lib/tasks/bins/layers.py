"""Layers of the counting network, in keras.ops alone."""

import keras
from keras import layers, ops

from lib.models.layers import register


@register
class Thresholds(layers.Layer):
    """Probabilities of "more than i" (n, count) from one score (n, 1): one weight for all ranks, a bias for each.

    CORAL's last layer (arXiv 1901.07884). The biases begin in falling order, so that the ranks agree: as if a score of
    `step` a rank were to cross the first of them at `first` ranks.
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


@register
class Highest(layers.Layer):
    """The heights of the `count` highest peaks of a map (n, h, w, 1), highest first; 0 where there are fewer."""

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
