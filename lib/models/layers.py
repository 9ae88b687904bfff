"""Keras layers that several tasks share, in keras.ops alone, so that `.keras` and `.h5` can be read back."""

import keras
from keras import layers, ops

register = keras.saving.register_keras_serializable("corebox")


@register
class Like(layers.Layer):
    """The first feature map resized (bilinear) to the height and width of the second, whatever its stride."""

    def call(self, inputs):
        x, like = inputs
        return ops.image.resize(x, like.shape[1:3], interpolation="bilinear")

    def compute_output_shape(self, shapes):
        x, like = shapes
        return (x[0], like[1], like[2], x[3])


def centres(count):
    """The centres of `count` cells that share the interval 0 … 1."""
    return (ops.arange(count, dtype="float32") + 0.5) / count
