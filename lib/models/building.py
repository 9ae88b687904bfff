"""A backbone and a task's head as one Keras network."""

from lib.models import backbones


def build(job, part=None):
    """The network of a part: uint8 or float32 (height, width, 3) RGB 0 … 255 in, the head's outputs out.

    Everything from the pixels on is inside, so that training, verification and the API share it.
    """
    import keras

    part = part or next(iter(job.networks))
    width, height = job.networks[part].input_size
    pixels = keras.Input((height, width, 3), name="pixels")
    name = job.networks[part].backbone
    features = backbones.backbone(job.params.model, name, pixels) if name else [backbones.scale(pixels, "unit")]
    return keras.Model(pixels, job.networks[part].build_outputs(pixels, features), name=part)


def features(network):
    """The network that gives the mean of another's deepest feature map, (n, channels), for the same input."""
    import keras

    maps = [tensor for layer in network.layers[1:] for tensor in keras.tree.flatten(layer.input) if len(tensor.shape) == 4]
    least = min(tensor.shape[1] * tensor.shape[2] for tensor in maps)
    deepest = [tensor for tensor in maps if tensor.shape[1] * tensor.shape[2] == least][-1]
    return keras.Model(network.input, keras.layers.GlobalAveragePooling2D(name="features")(deepest))
