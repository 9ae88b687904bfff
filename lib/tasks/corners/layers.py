"""Layers of the corner networks, in keras.ops alone."""

from keras import layers, ops

from lib.models.layers import cell_centres, saved_as


@saved_as("Level")
class PerImageStandardization(layers.Layer):
    """Per-image standardisation: each picture minus its mean, divided by its standard deviation."""

    def call(self, x):
        mean = ops.mean(x, (1, 2), keepdims=True)
        spread = ops.sqrt(ops.mean((x - mean) ** 2, (1, 2, 3), keepdims=True))
        return (x - mean) / (spread + 0.02)

    def compute_output_shape(self, shape):
        return shape


@saved_as("Points")
class SoftArgmax(layers.Layer):
    """Soft-argmax of heatmaps (DSNT, arXiv 1801.07372): logits (n, h, w, k) in, (n, k, 3) of x, y and spread out.

    x and y are the expectation of the cells' centres under a softmax over the map, the spread their standard deviation,
    all as fractions of the input's width and height.
    """

    def call(self, logits):
        _, height, width, count = logits.shape
        mass = ops.softmax(ops.reshape(ops.transpose(logits, (0, 3, 1, 2)), (-1, count, height * width)))
        mass = ops.reshape(mass, (-1, count, height, width))
        along, down = ops.sum(mass, 2), ops.sum(mass, 3)
        xs, ys = cell_centres(width), cell_centres(height)
        x, y = ops.sum(along * xs, -1), ops.sum(down * ys, -1)
        variance = ops.sum(along * xs**2, -1) - x**2 + ops.sum(down * ys**2, -1) - y**2
        return ops.stack([x, y, ops.sqrt(ops.maximum(variance, 1e-8))], -1)

    def compute_output_shape(self, shape):
        return (shape[0], shape[3], 3)


@saved_as("Line")
class WeightedLineFit(layers.Layer):
    """Weighted least-squares fit of a line to an edge in a strip: (n, 3) of its offset at both ends and its spread.

    `logits` (n, bins, columns) say where across the strip the edge lies in each column, `trust` (n, columns, 1) how
    much a column counts. Offsets run from -1 to 1 across the strip; the ends lie `margin` of the strip's length inside
    it. `pull` regularises the slope towards 0; the spread is the weighted deviation of the columns from the line.
    """

    def __init__(self, margin=0.1, pull=0.01, **settings):
        super().__init__(**settings)
        self.margin, self.pull = margin, pull

    def call(self, inputs):
        logits, trust = inputs
        _, bins, columns = logits.shape
        mass = ops.softmax(logits, 1)
        at = 2 * cell_centres(bins)[None, :, None] - 1
        offset = ops.sum(mass * at, 1)
        blur = ops.sum(mass * at**2, 1) - offset**2
        weight = ops.softplus(trust[..., 0]) / (ops.maximum(blur, 0.0) + 1e-3) + 1e-4
        weight = weight / ops.sum(weight, -1, keepdims=True)
        t = (2 * cell_centres(columns) - 1)[None] / (1 - 2 * self.margin)  # -1 and 1 at the corners
        mean_t, mean = ops.sum(weight * t, -1, keepdims=True), ops.sum(weight * offset, -1, keepdims=True)
        slope = ops.sum(weight * (t - mean_t) * (offset - mean), -1, keepdims=True) / (
            ops.sum(weight * (t - mean_t) ** 2, -1, keepdims=True) + self.pull)
        left, right = mean + slope * (-1 - mean_t), mean + slope * (1 - mean_t)
        spread = ops.sqrt(ops.sum(weight * (offset - mean - slope * (t - mean_t)) ** 2, -1, keepdims=True) + 1e-8)
        return ops.concatenate([left, right, spread], -1)

    def compute_output_shape(self, shapes):
        return (shapes[0][0], 3)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin, "pull": self.pull}
