"""Layers of the nail network, in keras.ops alone: centre-line features, memory bank, calibration."""

from keras import layers, ops

from lib.models.layers import saved_as


@saved_as("Midline")
class CentreLineFeatures(layers.Layer):
    """How straight and how even a bright nail along x is: (n, 13) numbers, logarithms of fractions of its length.

    Pixels are (n, h, w, c), 0 … 255, of which the first channel is used; a pixel belongs to the nail from the grey
    level `ground` on, wholly from `full` on. The centre of the nail in each column, without a twelfth at both ends, is
    fitted by orthogonal polynomials. In order: bow, S-shape, root mean square and largest distance from the straight line,
    rms from the cubic, range of the slopes of the four quarters, slope of the first against the last, spread within
    columns, unevenness of the width, width, width of the left and right end, length.
    """

    def __init__(self, ground=72.0, full=104.0, **settings):
        super().__init__(**settings)
        self.ground, self.full = ground, full

    def call(self, pixels):
        _, height, width, _ = pixels.shape
        mask = ops.clip((pixels[..., 0] - self.ground) / (self.full - self.ground), 0.0, 1.0)
        y = ops.arange(height, dtype="float32")[None, :, None]
        thick = ops.sum(mask, 1)
        middle = ops.sum(mask * y, 1) / (thick + 1e-3)
        within = ops.sqrt(ops.maximum(ops.sum(mask * (y - middle[:, None]) ** 2, 1) / (thick + 1e-3), 0.0))
        there = ops.clip(thick - 0.5, 0.0, 1.0)
        length = ops.sum(there, -1, keepdims=True) + 1e-3
        along = ops.cumsum(there, -1) / length  # 0 … 1 from end to end
        inner = there * _between(along, 1 / 12, 11 / 12)
        t = ops.arange(width, dtype="float32")[None] / length
        bend, residual = _polynomials(t, middle / length, inner)
        quarters = [_slope(t, middle / length, inner * _between(along, a, a + 0.25)) for a in (0.0, 0.25, 0.5, 0.75)]
        slopes = ops.concatenate(quarters, -1)
        steps = ops.max(slopes, -1, keepdims=True) - ops.min(slopes, -1, keepdims=True)
        broad = _mean(thick, inner)
        numbers = [*bend, residual, steps, ops.abs(slopes[:, :1] - slopes[:, 3:]), _mean(within, inner) / length,
                   ops.sqrt(_mean((thick - broad) ** 2, inner)) / (broad + 1e-3), broad / length,
                   _mean(thick, there * _between(along, 0.0, 1 / 12)) / (broad + 1e-3),
                   _mean(thick, there * _between(along, 11 / 12, 1.01)) / (broad + 1e-3), length / width]
        return ops.log(ops.concatenate(numbers, -1) + 1e-3)

    def compute_output_shape(self, shape):
        return (shape[0], 13)

    def get_config(self):
        return {**super().get_config(), "ground": self.ground, "full": self.full}


def _between(x, low, high):
    return ops.cast((x >= low) & (x < high), "float32")


def _mean(values, weights):
    return ops.sum(values * weights, -1, keepdims=True) / (ops.sum(weights, -1, keepdims=True) + 1e-3)


def _slope(t, values, weights):
    off = t - _mean(t, weights)
    return ops.sum(weights * off * values, -1, keepdims=True) / (ops.sum(weights * off**2, -1, keepdims=True) + 1e-4)


def _polynomials(t, values, weights):
    """Weighted polynomial fit: [|quadratic|, |cubic|, rms and largest distance from the line], and rms from the cubic."""
    basis = [ops.ones_like(t)]
    left = values
    sizes, away = [], []
    for degree in range(4):
        if degree:
            p = t * basis[-1]
            for other in basis:  # Gram-Schmidt, on the weighted columns
                p = p - other * ops.sum(weights * p * other, -1, keepdims=True) / (
                    ops.sum(weights * other**2, -1, keepdims=True) + 1e-9)
            basis.append(p)
        norm = ops.sum(weights * basis[-1] ** 2, -1, keepdims=True) + 1e-9
        size = ops.sum(weights * basis[-1] * left, -1, keepdims=True) / norm
        left = left - size * basis[-1]
        sizes.append(ops.abs(size))
        away.append(left)
    rms = [ops.sqrt(_mean(each**2, weights) + 1e-12) for each in away]
    largest = ops.max(ops.abs(away[1]) * weights, -1, keepdims=True)
    return [sizes[2], sizes[3], rms[1], largest], rms[3]


@saved_as("Memory", filed=True)
class MemoryBank(layers.Layer):
    """Anomaly score of each cell of a feature map (n, h, w, d): (n, h, w), where 1 is usual for a good nail.

    The score is the distance to the nearest of the `size` features in the bank (PatchCore, arXiv 2106.08265), on
    `depth` principal axes, divided by `usual`. The weights are not trained: coreset.fit and coreset.scale set `mean`
    (d,), `axes` (d, depth), `bank` (size, depth) and `usual`.
    """

    def __init__(self, size=256, depth=64, **settings):
        super().__init__(trainable=False, **{k: v for k, v in settings.items() if k != "trainable"})
        self.size, self.depth = size, depth

    def build(self, shape):
        self.mean = self.add_weight(shape=(shape[-1],), initializer="zeros", name="mean")
        self.axes = self.add_weight(shape=(shape[-1], self.depth), initializer="zeros", name="axes")
        self.bank = self.add_weight(shape=(self.size, self.depth), initializer="zeros", name="bank")
        self.usual = self.add_weight(shape=(), initializer="ones", name="usual")

    def call(self, features):
        _, height, width, count = features.shape
        at = ops.matmul(ops.reshape(features, (-1, count)) - self.mean, self.axes)
        squared = ops.sum(at**2, -1, keepdims=True) - 2 * ops.matmul(at, ops.transpose(self.bank)) + ops.sum(
            self.bank**2, -1)
        nearest = ops.sqrt(ops.maximum(ops.min(squared, -1), 1e-8))
        return ops.reshape(nearest / self.usual, (-1, height, width))

    def compute_output_shape(self, shape):
        return shape[:3]

    def get_config(self):
        return {**super().get_config(), "size": self.size, "depth": self.depth}


@saved_as("Platt")
class Platt(layers.Layer):
    """Platt scaling (1999): probabilities (n, 2) from one logit (n, 1) of the second class, sigmoid(slope * logit + offset).

    Slope and offset are not trained with the network but fitted to pictures it has not seen; 1 and 0 until then.
    """

    def __init__(self, **settings):
        super().__init__(trainable=False, **{k: v for k, v in settings.items() if k != "trainable"})

    def build(self, shape):
        self.slope = self.add_weight(shape=(), initializer="ones", name="slope")
        self.offset = self.add_weight(shape=(), initializer="zeros", name="offset")

    def call(self, logit):
        second = ops.sigmoid(self.slope * logit + self.offset)
        return ops.concatenate([1 - second, second], -1)

    def compute_output_shape(self, shape):
        return (shape[0], 2)
