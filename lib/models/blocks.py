"""Blocks of layers of which several networks are made."""


def convolve(x, filters, kernel=3, strides=1, name=None):
    """Convolution, batch norm and ReLU. Momentum 0.9 settles within minutes; Keras' 0.99 does not."""
    from keras import layers

    x = layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(momentum=0.9, name=name and f"{name}_norm")(x)
    return layers.ReLU(name=name and f"{name}_relu")(x)


def neck(maps, width=32, name="neck"):
    """The finest of the feature maps, enriched from the coarser ones (FPN, arXiv 1612.03144; concatenation-free).

    The coarsest also receives its own mean, so that every cell knows the whole picture.
    """
    from keras import layers

    from lib.models.layers import Like

    coarsest = maps[-1]
    mean = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(coarsest)
    mean = layers.Conv2D(width, 1, name=f"{name}_mean_in")(mean)
    x = layers.Conv2D(width, 1, name=f"{name}_in{len(maps) - 1}")(coarsest)
    x = convolve(layers.Add(name=f"{name}_whole")([x, mean]), width, name=f"{name}_top")
    for level in reversed(range(len(maps) - 1)):
        across = layers.Conv2D(width, 1, name=f"{name}_in{level}")(maps[level])
        x = convolve(layers.Add(name=f"{name}_add{level}")([across, Like(name=f"{name}_up{level}")([x, across])]),
                     width, name=f"{name}_out{level}")
    return x
