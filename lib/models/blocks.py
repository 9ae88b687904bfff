"""Blocks of layers that several networks are built of."""


def conv_norm_relu(x, filters, kernel=3, strides=1, name=None):
    """Convolution, batch norm and ReLU. Momentum is 0.9: the running statistics of Keras' 0.99 settle too late here."""
    from keras import layers

    x = layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(momentum=0.9, name=name and f"{name}_norm")(x)
    return layers.ReLU(name=name and f"{name}_relu")(x)


def feature_pyramid(maps, width=32, name="neck"):
    """The finest of the feature maps with the coarser ones added, `width` channels (FPN, arXiv 1612.03144).

    The coarsest also gets its own mean added, so that every cell has context from the whole picture.
    """
    from keras import layers

    from lib.models.layers import ResizeLike

    coarsest = maps[-1]
    mean = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(coarsest)
    mean = layers.Conv2D(width, 1, name=f"{name}_mean_in")(mean)
    x = layers.Conv2D(width, 1, name=f"{name}_in{len(maps) - 1}")(coarsest)
    x = conv_norm_relu(layers.Add(name=f"{name}_whole")([x, mean]), width, name=f"{name}_top")
    for level in reversed(range(len(maps) - 1)):
        across = layers.Conv2D(width, 1, name=f"{name}_in{level}")(maps[level])
        up = ResizeLike(name=f"{name}_up{level}")([x, across])
        x = conv_norm_relu(layers.Add(name=f"{name}_add{level}")([across, up]), width, name=f"{name}_out{level}")
    return x
