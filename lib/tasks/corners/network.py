"""The heads of the corner networks: Keras tensors from a backbone's features."""

from lib.tasks.corners import crops
from lib.tasks.corners.confidence import KINDS
from lib.tasks.corners.labels import ROWS


def dense_head(x, count):
    """The head of the project this one began with: Flatten, Dense 256-128-64-32, sigmoid."""
    from keras import layers

    x = layers.Flatten(name="flat")(x)
    for width in (256, 128, 64, 32):
        x = layers.Dense(width, activation="relu", name=f"dense{width}")(x)
    return layers.Dense(count, activation="sigmoid", name="output")(x)


def coarse_head(features):
    """Corners, heatmaps, edge maps, rows and kind of the box from a backbone's features, finest first."""
    from keras import layers

    from lib.models.blocks import conv_norm_relu, feature_pyramid
    from lib.tasks.corners.layers import SoftArgmax

    x = feature_pyramid(features, 40)
    x = conv_norm_relu(x, 40, name="read")
    heat = layers.Conv2D(4, 1, name="heat")(x)
    edges = layers.Conv2D(4, 1, name="edges")(x)
    deep = features[-1]
    pooled = layers.Concatenate(name="pooled")([
        layers.GlobalAveragePooling2D(name="pool_deep")(deep), layers.GlobalMaxPooling2D(name="pool_most")(deep),
        layers.GlobalAveragePooling2D(name="pool_fine")(x)])
    pooled = layers.Dropout(0.1, name="pool_drop")(pooled)
    kind = layers.Dense(len(KINDS), activation="softmax", name="kind")(
        layers.Dense(64, activation="relu", name="kind_in")(pooled))
    rows = count_head(x, pooled)
    return {"corners": SoftArgmax(name="corners")(heat), "heat": heat, "edges": edges, "rows": rows, "kind": kind}


def count_head(x, pooled):
    """"More than i rows" for i of 1 … ROWS - 1, from the finest features seen along both axes."""
    from keras import layers

    fine = layers.Conv2D(12, 3, padding="same", activation="relu", name="rows_in")(x)
    height, width = fine.shape[1:3]
    down = layers.Flatten(name="rows_down")(layers.AveragePooling2D((1, width), name="rows_mean_down")(fine))
    across = layers.Flatten(name="rows_across")(layers.AveragePooling2D((height, 1), name="rows_mean_across")(fine))
    both = layers.Concatenate(name="rows_both")([down, across, pooled])
    both = layers.Dense(64, activation="relu", name="rows_dense")(layers.Dropout(0.1, name="rows_drop")(both))
    return layers.Dense(ROWS - 1, activation="sigmoid", name="rows")(both)


def side_head(x):
    """A side's line in its strip (offsets of both ends, spread, log expected error) and the profile it is read from."""
    from keras import layers

    from lib.models.blocks import conv_norm_relu
    from lib.models.layers import ResizeLike
    from lib.tasks.corners.layers import PerImageStandardization, WeightedLineFit

    x = conv_norm_relu(PerImageStandardization(name="level")(x), 16, strides=2, name="stem")
    x = conv_norm_relu(x, 24, strides=(1, 2), name="down0")
    fine = conv_norm_relu(x, 24, name="keep0")
    middle = conv_norm_relu(conv_norm_relu(fine, 40, strides=2, name="down1"), 40, name="keep1")
    deep = conv_norm_relu(conv_norm_relu(middle, 56, strides=2, name="down2"), 56, name="keep2")
    mean = layers.Conv2D(56, 1, name="mean_in")(layers.GlobalAveragePooling2D(keepdims=True, name="mean")(deep))
    deep = layers.Add(name="whole")([deep, mean])
    x = layers.Add(name="add1")([middle, ResizeLike(name="up1")([layers.Conv2D(40, 1, name="in1")(deep), middle])])
    x = conv_norm_relu(x, 40, name="out1")
    x = layers.Add(name="add0")([fine, ResizeLike(name="up0")([layers.Conv2D(24, 1, name="in0")(x), fine])])
    x = conv_norm_relu(x, 24, name="out0")
    profile = layers.Reshape(x.shape[1:3], name="profile")(layers.Conv2D(1, 3, padding="same", name="edge")(x))
    columns = layers.Reshape((x.shape[2], x.shape[3]), name="columns")(
        layers.MaxPooling2D((x.shape[1], 1), name="column_most")(x))
    trust = layers.Conv1D(1, 3, padding="same", name="trust")(columns)
    line = WeightedLineFit(crops.STRIP_MARGIN, name="line_fit")([profile, trust])
    about = layers.Concatenate(name="about")([layers.GlobalAveragePooling2D(name="about_deep")(deep), line])
    scale = layers.Dense(1, bias_initializer="zeros", name="scale")(
        layers.Dense(32, activation="relu", name="scale_in")(about))
    return {"line": layers.Concatenate(name="line")([line, scale]), "profile": profile}
