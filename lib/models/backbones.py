"""A backbone and a task's head as one Keras network; save, load."""

import contextlib
import logging
import os
from pathlib import Path

import numpy as np

from lib.common import config
from lib.models import resnet
from lib.storage import files

# Backbones that Keras cannot read back from .h5 (tried with Keras 3.15); for these only .keras is written.
NOT_IN_H5 = ("MobileNetV3Small", "MobileNetV3Large", "ConvNeXt")

# What each family of keras.applications was trained on; see its preprocess_input. Others scale inside.
CAFFE = ("VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152")
TORCH = ("DenseNet", "ResNet34")
UNIT = ("MobileNetV2", "MobileNet", "Inception", "Xception", "NASNet", "ResNet50V2", "ResNet101V2", "ResNet152V2")


def build(job, part=None):
    """The network of a part: uint8 or float32 (height, width, 3) RGB 0 … 255 in, the head's outputs out.

    Everything from the pixels on is inside, so that training, verification and the API share it.
    """
    import keras

    part = part or job.parts()[0]
    width, height = job.input_size(part)
    pixels = keras.Input((height, width, 3), name="pixels")
    name = job.backbone(part)
    features = backbone(job.params.model, name, pixels) if name else [scale(pixels, "unit")]
    return keras.Model(pixels, job.outcome(part, pixels, features), name=part)


def backbone(settings, name, pixels):
    """The backbone's feature maps, finest first, on a tensor of pixels 0 … 255."""
    import keras

    from lib.models import layers

    if name in layers.BACKBONES:
        return layers.BACKBONES[name](scale(pixels, "unit"))
    scaled = scale(pixels, preprocessing(name) if settings.scale == "backbone" else "255")
    network = application(name, settings.weights, pixels.shape[1:])
    network.trainable = settings.trainable
    maps = _pyramid(network)
    # training=False where it is frozen: batch norm keeps ImageNet's statistics
    outputs = keras.Model(network.input, maps, name=f"{name}_features")(
        scaled, training=None if settings.trainable else False)
    return outputs if isinstance(outputs, list) else [outputs]


def application(name, weights, shape):
    """A network of keras.applications without its top; where its weights cannot be had, the error names the ways out."""
    import keras

    if name == "ResNet34" and weights in ("shipped", "imagenet"):
        raise config.ConfigError(f"model.weights is {weights!r}; of ResNet34 it must be none or a file: Keras has no weights of "
                                 "it, lib/models/resnet.py says how torchvision's become one")
    make = resnet.ResNet34 if name == "ResNet34" else getattr(keras.applications, name)
    alpha = {"alpha": 0.35} if name == "MobileNetV2" and "0.35" in Path(weights).name else {}
    if weights in ("none", "shipped", "imagenet"):
        try:
            return make(include_top=False, weights="imagenet" if weights == "imagenet" else None, input_shape=shape)
        except Exception as error:  # Keras raises a bare Exception when a download fails
            if weights != "imagenet":
                raise
            raise config.ConfigError(
                f"the ImageNet weights of {name} could not be downloaded; set model.weights to the path of a "
                f".weights.h5 file, or put Keras' file into {os.path.expanduser('~/.keras/models')}, "
                "or set model.weights=none and model.trainable=true") from error
    if not Path(weights).is_file():
        raise config.ConfigError(f"model.weights is {weights!r}; it must be none, shipped, imagenet or a file")
    network = make(include_top=False, weights=None, input_shape=shape, **alpha)
    try:
        if str(weights).endswith(".npz"):
            resnet.read(network, weights)
        else:
            network.load_weights(weights)
    except (ValueError, OSError, KeyError) as error:
        raise config.ConfigError(f"model.weights: {Path(weights).name} does not fit {name}: "
                                 f"{str(error).splitlines()[0][:120]}") from error
    return network


def preprocessing(name):
    """How a family wants its pixels: caffe, torch, unit (-1 … 1) or raw (scales inside)."""
    if name in CAFFE:
        return "caffe"
    if name.startswith(TORCH):
        return "torch"
    if name in UNIT or name.startswith(("Inception", "NASNet")):
        return "unit"
    return "raw"


def scale(pixels, way):
    """Pixels 0 … 255 in the scale of a family, by layers that Keras saves as they are."""
    import keras

    if way == "unit":
        return keras.layers.Rescaling(1 / 127.5, -1.0, name="scaled")(pixels)
    if way == "255":
        return keras.layers.Rescaling(1 / 255, name="scaled")(pixels)
    if way == "torch":
        mean, deviation = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
        return keras.layers.Rescaling((1 / deviation).tolist(), (-mean / deviation).tolist(), name="scaled")(pixels)
    if way == "caffe":  # BGR less ImageNet's mean; a fixed convolution, since .h5 cannot keep a flip of channels
        turn = keras.layers.Conv2D(3, 1, trainable=False, name="scaled")
        scaled = turn(pixels)
        turn.set_weights([np.eye(3)[None, None, :, ::-1].astype(np.float32),
                          np.array([-103.939, -116.779, -123.68], np.float32)])
        return scaled
    return pixels


def _pyramid(network):
    """The last tensor of each stride from 4 on, finest first."""
    import keras

    side = network.input.shape[1]
    last = {}
    for layer in network.layers:
        shape = getattr(layer.output, "shape", ())
        padded = isinstance(layer, keras.layers.ZeroPadding2D)  # larger than its stride says
        if len(shape) == 4 and shape[1] and side / shape[1] >= 3.5 and not padded:
            last[shape[1]] = layer.output
    return [last[rows] for rows in sorted(last, reverse=True)]


def refuses_h5(name):
    """Why a network on this backbone is not written as .h5, or an empty text."""
    if any(name.startswith(start) for start in NOT_IN_H5):
        return f"Keras cannot read {name} back from .h5, so only .keras was written"
    return ""


def save(job, networks, folder):
    """Each part as .keras and .h5 in `folder`; a dict of part to the reason why its .h5 was left out."""
    left_out = {}
    for part, network in networks.items():
        for suffix in (".keras", ".h5"):
            reason = refuses_h5(job.backbone(part)) if suffix == ".h5" else ""
            if reason:
                left_out[part] = reason
                continue
            with files.writing(Path(folder) / f"{part}{suffix}") as temporary, _no_advice():
                network.save(temporary)
    return left_out


@contextlib.contextmanager
def _no_advice():
    """Without Keras' remark that .h5 is old: it is asked for."""
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def features(network):
    """The network that gives the mean of another's deepest feature map, (n, channels), for the same input."""
    import keras

    maps = [tensor for layer in network.layers[1:] for tensor in keras.tree.flatten(layer.input) if len(tensor.shape) == 4]
    least = min(tensor.shape[1] * tensor.shape[2] for tensor in maps)
    deepest = [tensor for tensor in maps if tensor.shape[1] * tensor.shape[2] == least][-1]
    return keras.Model(network.input, keras.layers.GlobalAveragePooling2D(name="features")(deepest))


def load(path):
    """A saved network, not compiled, in Keras' safe mode (no code from the file is run)."""
    import keras

    from lib.models import layers  # noqa: F401  (registers our layers with Keras)

    if not Path(path).is_file():
        raise ValueError(f"{Path(path).name} is not there; run notebook 02 first")
    return keras.saving.load_model(path, compile=False, safe_mode=True)
