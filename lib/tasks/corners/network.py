"""The two corner networks, what they learn from, and their heads: Keras tensors from a backbone's features."""

import cv2
import numpy as np

from lib.imaging import images
from lib.tasks.contract import Network
from lib.tasks.corners import augmentation, crops
from lib.tasks.corners.confidence import KINDS
from lib.tasks.corners.labels import ROWS, points
from lib.tasks.corners.shipped import load_shipped

DENSE_ROWS = 10          # the number of rows that is 1.0 in the output of the dense head, which counts no further


class Coarse(Network):
    """Corners, heatmaps, edge maps, rows and kind of the box, from the whole picture; or corners alone, by dense layers."""

    @property
    def dense(self):
        """Whether the head is that of the project this one began with."""
        return self.task.params.corners.head == "dense"

    def head(self, features):
        return dense_head(features[-1], 9 if self.task.counts else 8) if self.dense else coarse_head(features)

    def loss(self):
        from lib.models.losses import MaskedCrossEntropy, OrdinalCrossEntropy, WingLoss
        from lib.tasks.corners import losses

        if self.dense:
            import keras

            return keras.losses.MeanSquaredError()
        return {"corners": WingLoss(0.05, 0.005, factor=4.0), "heat": losses.HeatmapLoss(1.0, factor=0.15),
                "edges": losses.EdgeMapLoss(factor=0.4), "rows": OrdinalCrossEntropy(factor=0.5), "kind": MaskedCrossEntropy(factor=0.2)}

    @property
    def cached_size(self):
        """(width, height) of cached images: examples are cut from them and reduced."""
        return 2 * self.input_size[0], 2 * self.input_size[1]

    def cached_image(self, picture, row):
        if self.dense:
            return self.task.prepare(picture)
        return images.place(picture, crops.frame(picture.size, self.cached_size))

    def example(self, cached, row, rng=None):
        if self.dense:
            return cached, self.task.encode(row)
        kind = row.get("kind", "box")
        where = crops.frame((row["width"], row["height"]), self.cached_size)
        corners = where.into(points(row))
        if rng is None:
            pixels = cv2.resize(cached, self.input_size, interpolation=cv2.INTER_AREA)
            return pixels, self.target(crops.ordered(corners / 2) / self.input_size, row, kind)
        left, top = where.shift
        shown = cached[top:top + where.inner[1], left:left + where.inner[0]]
        pixels, corners = augmentation.look(shown, corners - where.shift, kind, self.input_size, rng)
        return pixels, self.target(crops.ordered(corners) / self.input_size, row, kind)

    def target(self, corners, row, kind="box"):
        """The target for corners (4, 2) given as parts of the input, in a picture that shows a `kind` of KINDS."""
        counts = self.task.counts
        if self.dense:
            vector = np.clip(corners, 0, 1).reshape(-1)
            return np.append(vector, min(row["row_nb"] / DENSE_ROWS, 1.0) if counts else []).astype(np.float32)
        corners = np.nan_to_num(np.asarray(corners, float), nan=-9.0)
        within = ((corners > 0.005) & (corners < 0.995)).all(1)
        target = np.concatenate([np.clip(corners, 0, 1), within[:, None]], 1).astype(np.float32)
        target[:, 2] *= kind in ("box", "cut")
        nb = row.get("row_nb")
        known = counts and kind == "box" and nb is not None and 1 <= nb <= ROWS
        more = (np.arange(1, ROWS) < nb).astype(np.float32) if known else -np.ones(ROWS - 1, np.float32)
        is_kind = np.array([kind == name for name in KINDS], np.float32)
        return {"corners": target, "heat": target, "edges": target, "rows": more, "kind": is_kind}

    def load_pretrained(self, network):
        return not self.dense and load_shipped(self.task, "coarse", network)


class Sides(Network):
    """The line of a side in a strip of the full picture: corrects a guess, so several guesses are drawn from a picture."""

    input_size, backbone, examples_per_image = crops.STRIP, "", 4

    def head(self, features):
        return side_head(features[0])

    def loss(self):
        from lib.tasks.corners import losses

        return {"line": losses.LineEndsLoss(), "profile": losses.ProfileLoss(crops.STRIP_MARGIN, factor=0.1)}

    def cached_image(self, picture, row):
        return augmentation.strips(picture, points(row))

    def example(self, cached, row, rng=None):
        return augmentation.strip_example(cached, rng)

    def load_pretrained(self, network):
        return load_shipped(self.task, "sides", network)


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
