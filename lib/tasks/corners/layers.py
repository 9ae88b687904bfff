"""Layers of the corner networks, in keras.ops alone."""

from keras import layers, ops

from lib.models.layers import centres, register


@register
class Level(layers.Layer):
    """Each picture less its own mean, over its own spread, so that light and exposure do not matter."""

    def call(self, x):
        mean = ops.mean(x, (1, 2), keepdims=True)
        spread = ops.sqrt(ops.mean((x - mean) ** 2, (1, 2, 3), keepdims=True))
        return (x - mean) / (spread + 0.02)

    def compute_output_shape(self, shape):
        return shape


@register
class Points(layers.Layer):
    """Where each heatmap has its mass: (n, k, 3) of x, y and spread, as parts of the input's width and height.

    `logits` are (n, h, w, k). x and y are the expectation of the cells' centres under a softmax over the map (DSNT,
    arXiv 1801.07372); the spread is the standard deviation around it.
    """

    def call(self, logits):
        _, height, width, count = logits.shape
        mass = ops.softmax(ops.reshape(ops.transpose(logits, (0, 3, 1, 2)), (-1, count, height * width)))
        mass = ops.reshape(mass, (-1, count, height, width))
        along, down = ops.sum(mass, 2), ops.sum(mass, 3)
        xs, ys = centres(width), centres(height)
        x, y = ops.sum(along * xs, -1), ops.sum(down * ys, -1)
        variance = ops.sum(along * xs**2, -1) - x**2 + ops.sum(down * ys**2, -1) - y**2
        return ops.stack([x, y, ops.sqrt(ops.maximum(variance, 1e-8))], -1)

    def compute_output_shape(self, shape):
        return (shape[0], shape[3], 3)


@register
class Line(layers.Layer):
    """A straight line through columns of edge positions: (n, 3) of its offset at both ends and its spread.

    `logits` (n, bins, columns) say where across a strip the edge lies in each column, `trust` (n, columns, 1) how
    far a column is to be believed. Offsets run from -1 to 1 across the strip; the ends lie `margin` of the strip's
    length inside it. Weighted least squares with a little pull towards a slope of 0; the spread is that of the
    columns about the line, by their weights.
    """

    def __init__(self, margin=0.1, pull=0.01, **settings):
        super().__init__(**settings)
        self.margin, self.pull = margin, pull

    def call(self, inputs):
        logits, trust = inputs
        _, bins, columns = logits.shape
        mass = ops.softmax(logits, 1)
        at = 2 * centres(bins)[None, :, None] - 1
        offset = ops.sum(mass * at, 1)
        blur = ops.sum(mass * at**2, 1) - offset**2
        weight = ops.softplus(trust[..., 0]) / (ops.maximum(blur, 0.0) + 1e-3) + 1e-4
        weight = weight / ops.sum(weight, -1, keepdims=True)
        t = (2 * centres(columns) - 1)[None] / (1 - 2 * self.margin)  # -1 and 1 at the corners
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
