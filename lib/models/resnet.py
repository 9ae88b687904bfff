"""ResNet34 (arXiv 1512.03385), which keras.applications lacks, as torchvision has it: its weights can be read."""

import numpy as np

BLOCKS, WIDTHS = (3, 4, 6, 3), (64, 128, 256, 512)


def ResNet34(include_top=False, weights=None, input_shape=(224, 224, 3)):
    """The network without its top, with random weights, called as those of keras.applications are.

    Layers have torchvision's names (a dot is a _). Pixels are scaled as torchvision's (model.preprocessing: torch).
    """
    import keras

    if include_top or weights:
        raise ValueError("ResNet34 has no top here, and its weights are read from a file")
    pixels = keras.Input(input_shape)
    x = _normed(pixels, 64, 7, 2, "conv1", "bn1")
    x = keras.layers.MaxPooling2D(3, 2)(keras.layers.ZeroPadding2D(1)(keras.layers.ReLU()(x)))
    for stage, (blocks, width) in enumerate(zip(BLOCKS, WIDTHS, strict=True), 1):
        for block in range(blocks):
            x = _block(x, width, 2 if stage > 1 and not block else 1, f"layer{stage}_{block}")
    return keras.Model(pixels, x, name="ResNet34")


def _block(x, width, strides, name):
    import keras

    y = keras.layers.ReLU()(_normed(x, width, 3, strides, f"{name}_conv1", f"{name}_bn1"))
    y = _normed(y, width, 3, 1, f"{name}_conv2", f"{name}_bn2")
    if strides > 1:
        x = _normed(x, width, 1, strides, f"{name}_downsample_0", f"{name}_downsample_1")
    return keras.layers.ReLU(name=f"{name}_out")(keras.layers.Add()([x, y]))


def _normed(x, width, kernel, strides, name, norm):
    """Convolution and batch norm; zeros lie evenly on all sides, where Keras' own padding puts more to the right."""
    import keras

    if kernel > 1:
        x = keras.layers.ZeroPadding2D(kernel // 2)(x)
    x = keras.layers.Conv2D(width, kernel, strides, use_bias=False, name=name)(x)
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=norm)(x)


def read(network, path):
    """Give the network the weights of torchvision, kept as .npz under their own names (state_dict). ValueError.

    np.savez(path, **{name: value.numpy() for name, value in resnet34(weights="DEFAULT").state_dict().items()})
    """
    with np.load(path, allow_pickle=False) as arrays:
        for layer in network.layers:
            if layer.weights:
                layer.set_weights([_weight(arrays, *each) for each in _names(layer)])


def _names(layer):
    """torchvision's name of each of a layer's weights, and whether it is a convolution's."""
    stem = layer.name.replace("_", ".")
    if len(layer.weights) == 1:
        return [(f"{stem}.weight", True)]
    return [(f"{stem}.{part}", False) for part in ("weight", "bias", "running_mean", "running_var")]


def _weight(arrays, name, convolution):
    if name not in arrays:
        raise ValueError(f"there is no {name}")
    return arrays[name].transpose(2, 3, 1, 0) if convolution else arrays[name]
