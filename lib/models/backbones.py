"""What stands under a task's head: our two small networks, and those of keras.applications."""

import os
from pathlib import Path

import numpy as np

from lib.common import config
from lib.models import resnet
from lib.models.blocks import conv_norm_relu

# What each family of keras.applications was trained on; see its preprocess_input. Others scale inside.
CAFFE = ("VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152")
TORCH = ("DenseNet", "ResNet34")
UNIT = ("MobileNetV2", "MobileNet", "Inception", "Xception", "NASNet", "ResNet50V2", "ResNet101V2", "ResNet152V2")


def backbone(settings, name, pixels):
    """The backbone's feature maps, finest first, on a tensor of pixels 0 … 255."""
    import keras

    if name in OWN:
        return OWN[name](scale(pixels, "unit"))
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


def small(x, widths=(24, 40, 64, 96)):
    """Feature maps at strides 4, 8, 16 and 32 of a picture: a small dense network to be trained from scratch."""
    x = conv_norm_relu(x, 16, strides=2, name="stem")
    maps = []
    for depth, width in enumerate(widths):
        x = conv_norm_relu(x, width, strides=2, name=f"down{depth}")
        x = conv_norm_relu(x, width, name=f"keep{depth}")
        maps.append(x)
    return maps


def residual(x, widths=(24, 40, 64, 96), blocks=(0, 1, 2, 2)):
    """Like `small`, with residual blocks (arXiv 1512.03385) after each stage, most where cells are few and see much.

    A new block adds nothing: its last scale starts at 0.
    """
    maps = []
    for depth, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        x = conv_norm_relu(x if depth else conv_norm_relu(x, 16, strides=2, name="stem"), width, strides=2, name=f"down{depth}")
        x = conv_norm_relu(x, width, name=f"keep{depth}")
        for at in range(count):
            x = _block(x, width, f"block{depth}_{at}")
        maps.append(x)
    return maps


def _block(x, width, name):
    from keras import layers

    more = conv_norm_relu(x, width, name=f"{name}_in")
    more = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"{name}_out")(more)
    more = layers.BatchNormalization(momentum=0.9, gamma_initializer="zeros", name=f"{name}_out_norm")(more)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, more]))


OWN = {"small": small, "residual": residual}  # ours, from scratch; other names are those of keras.applications
