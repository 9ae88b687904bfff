"""Keras layers and losses that several tasks share, in keras.ops alone, so that `.keras` and `.h5` can be read back."""

import keras
from keras import layers, ops

register = keras.saving.register_keras_serializable("corebox")


# --- networks


def convolve(x, filters, kernel=3, strides=1, name=None):
    """Convolution, batch norm and ReLU. Momentum 0.9 settles within minutes; Keras' 0.99 does not."""
    x = layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(momentum=0.9, name=name and f"{name}_norm")(x)
    return layers.ReLU(name=name and f"{name}_relu")(x)


def small(x, widths=(24, 40, 64, 96)):
    """Feature maps at strides 4, 8, 16 and 32 of a picture: a small dense network to be trained from scratch."""
    x = convolve(x, 16, strides=2, name="stem")
    maps = []
    for depth, width in enumerate(widths):
        x = convolve(x, width, strides=2, name=f"down{depth}")
        x = convolve(x, width, name=f"keep{depth}")
        maps.append(x)
    return maps


def residual(x, widths=(24, 40, 64, 96), blocks=(0, 1, 2, 2)):
    """Like `small`, with residual blocks (arXiv 1512.03385) after each stage, most where cells are few and see much.

    A new block adds nothing: its last scale starts at 0.
    """
    maps = []
    for depth, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        x = convolve(x if depth else convolve(x, 16, strides=2, name="stem"), width, strides=2, name=f"down{depth}")
        x = convolve(x, width, name=f"keep{depth}")
        for at in range(count):
            x = _block(x, width, f"block{depth}_{at}")
        maps.append(x)
    return maps


def _block(x, width, name):
    more = convolve(x, width, name=f"{name}_in")
    more = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"{name}_out")(more)
    more = layers.BatchNormalization(momentum=0.9, gamma_initializer="zeros", name=f"{name}_out_norm")(more)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, more]))


BACKBONES = {"small": small, "residual": residual}  # ours, from scratch; other names are those of keras.applications


def neck(maps, width=32, name="neck"):
    """The finest of the feature maps, enriched from the coarser ones (FPN, arXiv 1612.03144; concatenation-free).

    The coarsest also receives its own mean, so that every cell knows the whole picture.
    """
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


@register
class Like(layers.Layer):
    """The first feature map resized (bilinear) to the height and width of the second, whatever its stride."""

    def call(self, inputs):
        x, like = inputs
        return ops.image.resize(x, like.shape[1:3], interpolation="bilinear")

    def compute_output_shape(self, shapes):
        x, like = shapes
        return (x[0], like[1], like[2], x[3])


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


def centres(count):
    """The centres of `count` cells that share the interval 0 … 1."""
    return (ops.arange(count, dtype="float32") + 0.5) / count


@register
class Thresholds(layers.Layer):
    """Probabilities of "more than i" (n, count) from one score (n, 1): one weight for all ranks, a bias for each.

    CORAL's last layer (arXiv 1901.07884). The biases begin in falling order, so that the ranks agree: as if a score of
    `step` a rank were to cross the first of them at `first` ranks.
    """

    def __init__(self, count, step=1.0, first=0.5, **settings):
        super().__init__(**settings)
        self.count, self.step, self.first = count, step, first

    def build(self, shape):
        falling = keras.initializers.Constant([-self.step * (self.first + rank) for rank in range(self.count)])
        self.bias = self.add_weight(shape=(self.count,), initializer=falling, name="bias")

    def call(self, score):
        return ops.sigmoid(score + self.bias)

    def compute_output_shape(self, shape):
        return (shape[0], self.count)

    def get_config(self):
        return {**super().get_config(), "count": self.count, "step": self.step, "first": self.first}


@register
class Highest(layers.Layer):
    """The heights of the `count` highest peaks of a map (n, h, w, 1), highest first; 0 where there are fewer."""

    def __init__(self, count, **settings):
        super().__init__(**settings)
        self.count = count

    def call(self, heat):
        _, height, width, _ = heat.shape
        peaks = ops.where(heat >= ops.max_pool(heat, 3, 1, "same"), heat, ops.zeros_like(heat))
        return ops.top_k(ops.reshape(peaks, (-1, height * width)), min(self.count, height * width))[0]

    def compute_output_shape(self, shape):
        return (shape[0], min(self.count, shape[1] * shape[2]))

    def get_config(self):
        return {**super().get_config(), "count": self.count}


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


@register
class Midline(layers.Layer):
    """How straight and how even a bright part is that lies along x: (n, 13) numbers, logarithms of parts of its length.

    Pixels are (n, h, w, c), 0 … 255, the first channel counts; `ground` is where the part begins, `full` where a
    pixel is wholly its own. The middle of the part in each column, without a twelfth at both ends, is fitted by
    orthogonal polynomials. In order: bow, S-shape, root mean square and largest distance from the straight line,
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
    """Of a weighted fit: [|quadratic|, |cubic|, rms and largest distance from the line], and rms from the cubic."""
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


@register
class Memory(layers.Layer):
    """How unlike everything remembered each cell of a feature map (n, h, w, d) is: (n, h, w), 1 is as unlike as usual.

    The distance to the nearest of `size` features in memory (PatchCore, arXiv 2106.08265), on `depth` axes. What is
    remembered is set from outside, once the features are trained: `mean` (d,), `axes` (d, depth), `bank`
    (size, depth) and `usual`, the distance that counts as 1.
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


@register
class Platt(layers.Layer):
    """Probabilities (n, 2) from one logit (n, 1) for the second class: sigmoid(slope * logit + offset), Platt 1999.

    Slope and offset are set from outside, on pictures that the logit was not trained on; 1 and 0 until then.
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


# --- schedules


@register
class Cyclic(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that falls from `rate` to `rate * least` and rises again in every `period` steps.

    Triangular, arXiv 1506.01186.
    """

    def __init__(self, rate, period, least=0.1):
        self.rate, self.period, self.least = rate, period, least

    def __call__(self, step):
        turn = ops.cast(step, "float32") / self.period
        return self.rate * (self.least + (1 - self.least) * ops.abs(1 - 2 * (turn - ops.floor(turn))))

    def get_config(self):
        return {"rate": self.rate, "period": self.period, "least": self.least}


# --- losses; a target's last number is its weight, so that what is not known costs nothing


def wing(error, width, curvature):
    """Wing loss of arXiv 1711.06753: logarithmic for |error| < width, linear beyond, continuous in between."""
    error = ops.abs(error)
    offset = width - width * ops.log(1 + width / curvature)
    return ops.where(error < width, width * ops.log(1 + error / curvature), error - offset)


class _Weighted(keras.losses.Loss):
    """A loss with a factor by which it enters the sum over the outputs."""

    def __init__(self, factor=1.0, name=None):
        super().__init__(name=name)
        self.factor = factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@register
class Wing(_Weighted):
    """Wing loss of points: target (n, k, 3) of x, y, weight; output (n, k, 3), whose third number is not judged.

    Plain vectors (n, k) are judged whole. `width` and `curvature` are parts of the input's size.
    """

    def __init__(self, width=0.05, curvature=0.005, factor=1.0, name="wing"):
        super().__init__(factor, name)
        self.width, self.curvature = width, curvature

    def call(self, target, output):
        if len(output.shape) == 2:
            return self.factor * ops.mean(wing(output - target, self.width, self.curvature), -1)
        cost = wing(output[..., :2] - target[..., :2], self.width, self.curvature)
        return self.factor * ops.mean(ops.sum(cost, -1) * target[..., 2], -1)

    def get_config(self):
        return {**super().get_config(), "width": self.width, "curvature": self.curvature}


@register
class Heat(_Weighted):
    """Divergence of heatmaps from a Gaussian about the target point: target (n, k, 3), output logits (n, h, w, k).

    `sigma` is in cells of the map.
    """

    def __init__(self, sigma=1.0, factor=1.0, name="heat"):
        super().__init__(factor, name)
        self.sigma = sigma

    def call(self, target, output):
        _, height, width, count = output.shape
        x = (centres(width)[None, None] - target[..., :1]) * width
        y = (centres(height)[None, None] - target[..., 1:2]) * height
        wanted = -(x[:, :, None] ** 2 + y[..., None] ** 2) / (2 * self.sigma**2)
        wanted = ops.softmax(ops.reshape(wanted, (-1, count, height * width)))
        found = ops.reshape(ops.transpose(output, (0, 3, 1, 2)), (-1, count, height * width))
        cost = ops.sum(wanted * (ops.log(wanted + 1e-9) - ops.log_softmax(found)), -1)
        return self.factor * ops.mean(cost * target[..., 2], -1)

    def get_config(self):
        return {**super().get_config(), "sigma": self.sigma}


@register
class Edges(_Weighted):
    """Cross-entropy of four maps with the four sides between target points: target (n, 4, 3), logits (n, h, w, 4).

    A cell's truth falls off as a Gaussian of its distance to the side, `sigma` as a part of the map's width.
    """

    def __init__(self, sigma=0.015, factor=1.0, name="edges"):
        super().__init__(factor, name)
        self.sigma = sigma

    def call(self, target, output):
        _, height, width, count = output.shape
        start = target[:, None, None, :, :2]
        side = ops.roll(target, -1, 1)[:, None, None, :, :2] - start
        cells = ops.stack(ops.meshgrid(centres(width), centres(height)), -1)[None, :, :, None]
        along = ops.sum((cells - start) * side, -1, keepdims=True) / (ops.sum(side**2, -1, keepdims=True) + 1e-6)
        away = ops.sum((cells - start - ops.clip(along, 0.0, 1.0) * side) ** 2, -1)
        truth = ops.exp(-away / (2 * self.sigma**2))
        cost = ops.maximum(output, 0.0) - output * truth + ops.log1p(ops.exp(-ops.abs(output)))
        known = ops.min(target[..., 2], -1)
        return self.factor * known * ops.mean(cost * (1 + 4 * truth), (1, 2, 3))

    def get_config(self):
        return {**super().get_config(), "sigma": self.sigma}


@register
class Ordinal(_Weighted):
    """Cross-entropy of "more than i": target (n, k) of 0 and 1, -1 where not known; output probabilities (n, k)."""

    def call(self, target, output):
        known = ops.cast(target >= 0, output.dtype)
        output = ops.clip(output, 1e-6, 1 - 1e-6)
        cost = -target * ops.log(output) - (1 - target) * ops.log(1 - output)
        return self.factor * ops.mean(cost * known, -1)


@register
class Parts(_Weighted):
    """Of cells that say which thing they belong to: how far off their way to its middle is, and cross-entropy of being one's.

    Target (n, h, w, 4): the way, x and y, whether the cell is a thing's, and its weight. Output (n, h, w, 3): the way and
    a logit. A mean over the things' cells, and one over all.
    """

    def call(self, target, output):
        weight = target[..., 3]
        mine, logit = target[..., 2] * weight, output[..., 2]
        away = ops.sum(ops.abs(target[..., :2] - output[..., :2]), -1)
        cost = ops.maximum(logit, 0.0) - logit * target[..., 2] + ops.log1p(ops.exp(-ops.abs(logit)))
        return 2 * self.factor * (ops.sum(away * mine, (1, 2)) / (ops.sum(mine, (1, 2)) + 5) + ops.mean(cost * weight, (1, 2)))


@register
class Classes(_Weighted):
    """Cross-entropy of classes: target (n, k), all 0 where not known; output probabilities (n, k)."""

    def call(self, target, output):
        return -self.factor * ops.sum(target * ops.log(ops.clip(output, 1e-6, 1.0)), -1)


@register
class Chances(_Weighted):
    """Binary cross-entropy of labels: target and output (n, labels, …), of which only the first number is learned."""

    def call(self, target, output):
        target, output = target[..., 0], ops.clip(output[..., 0], 1e-6, 1 - 1e-6)
        return -self.factor * ops.mean(target * ops.log(output) + (1 - target) * ops.log(1 - output), -1)


@register
class Ends(_Weighted):
    """Wing loss of a Line's two ends plus the likelihood of its scale: target (n, 3), output (n, 4).

    Target: the offsets at both ends and a weight; output: both offsets, the spread (not judged) and the logarithm
    of the expected error, learned as the scale of a Laplace distribution about the offsets.
    """

    def call(self, target, output):
        error = ops.abs(output[:, :2] - target[:, :2])
        cost = ops.sum(wing(error, 0.3, 0.03), -1)
        scale = output[:, 3:]
        likelihood = ops.mean(ops.stop_gradient(error) * ops.exp(-scale) + scale, -1)
        return self.factor * (cost + 0.05 * likelihood) * target[:, 2]


@register
class Profile(_Weighted):
    """Divergence of a strip's columns from a Gaussian about its line: target (n, 3), logits (n, bins, columns).

    `margin` as in Line; `sigma` in bins.
    """

    def __init__(self, margin=0.1, sigma=0.7, factor=1.0, name="profile"):
        super().__init__(factor, name)
        self.margin, self.sigma = margin, sigma

    def call(self, target, output):
        _, bins, columns = output.shape
        t = ((2 * centres(columns) - 1)[None] / (1 - 2 * self.margin) + 1) / 2
        line = target[:, :1] * (1 - t) + target[:, 1:2] * t
        away = (2 * centres(bins)[None, :, None] - 1 - line[:, None]) * bins / 2
        wanted = ops.softmax(-(away**2) / (2 * self.sigma**2), 1)
        cost = ops.sum(wanted * (ops.log(wanted + 1e-9) - ops.log_softmax(output, 1)), 1)
        return self.factor * ops.mean(cost, -1) * target[:, 2]

    def get_config(self):
        return {**super().get_config(), "margin": self.margin, "sigma": self.sigma}


@register
class Peaks(_Weighted):
    """Focal loss of centre maps (arXiv 1904.07850, eq. 1): target (n, h, w, 2), output probabilities (n, h, w, 1).

    Target: 1 at a centre and less about it, and the cell's weight. The sum is divided by the number of centres.
    """

    def call(self, target, output):
        truth, weight, found = target[..., 0], target[..., 1], ops.clip(output[..., 0], 1e-4, 1 - 1e-4)
        centre = ops.cast(truth >= 1, found.dtype)
        cost = -centre * (1 - found) ** 2 * ops.log(found) \
            - (1 - centre) * (1 - truth) ** 4 * found**2 * ops.log(1 - found)
        return self.factor * ops.sum(cost * weight, (1, 2)) / ops.maximum(ops.sum(centre, (1, 2)), 1.0)


@register
class Boxes(_Weighted):
    """1 - GIoU (arXiv 1902.09630) of boxes told by cells, and half the sum of what their numbers are off.

    Target (n, h, w, 5), output (n, h, w, 4): the box's centre from the cell's, x and y, and the logarithms of width and
    height, in one unit; the target's last number is the weight, which sums to the number of boxes, by which the sum
    is divided.
    """

    def call(self, target, output):
        low, high = self._corners(target)
        found_low, found_high = self._corners(output)
        area, found_area = (ops.prod(b - a, -1) for a, b in ((low, high), (found_low, found_high)))
        shared = ops.prod(ops.maximum(ops.minimum(high, found_high) - ops.maximum(low, found_low), 0.0), -1)
        union = area + found_area - shared
        around = ops.prod(ops.maximum(high, found_high) - ops.minimum(low, found_low), -1)
        cost = 1 - shared / (union + 1e-6) + (around - union) / (around + 1e-6)
        away = ops.abs(target[..., :2] - output[..., :2]) / ops.exp(target[..., 2:4])
        cost = cost + 0.5 * ops.sum(away + ops.abs(target[..., 2:4] - output[..., 2:4]), -1)
        weight = target[..., 4]
        return self.factor * ops.sum(cost * weight, (1, 2)) / ops.maximum(ops.sum(weight, (1, 2)), 1.0)

    @staticmethod
    def _corners(values):
        half = ops.exp(ops.clip(values[..., 2:4], -6.0, 6.0)) / 2
        return values[..., :2] - half, values[..., :2] + half
