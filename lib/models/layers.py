"""Keras layers that several tasks share, in keras.ops alone, so that `.keras` and `.h5` can be read back."""

import keras
from keras import layers, ops


def saved_as(name, filed=False):
    """A decorator that registers a class with Keras under the name that it has in saved networks, as corebox>NAME.

    Keras 3 files the weights of a layer in `.keras` under its class's own name. A layer that has weights and another
    name in saved networks is `filed` there by the saved one, which its class then shows too.
    """
    def register(kind):
        if filed:
            kind.__name__ = name
        return keras.saving.register_keras_serializable("corebox", name)(kind)

    return register


@saved_as("Like")
class ResizeLike(layers.Layer):
    """The first feature map resized (bilinear) to the height and width of the second, whatever its stride."""

    def call(self, inputs):
        x, like = inputs
        return ops.image.resize(x, like.shape[1:3], interpolation="bilinear")

    def compute_output_shape(self, shapes):
        x, like = shapes
        return (x[0], like[1], like[2], x[3])


def cell_centres(count):
    """The centres of `count` equal cells of the interval 0 … 1: (count,)."""
    return (ops.arange(count, dtype="float32") + 0.5) / count
