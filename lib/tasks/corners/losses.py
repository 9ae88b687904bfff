"""Losses of the corner networks. A target's last number is its weight, so that what is not known costs nothing."""

from keras import ops

from lib.models.layers import centres, register
from lib.models.losses import Weighted, wing


@register
class Heat(Weighted):
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
class Edges(Weighted):
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
class Ends(Weighted):
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
class Profile(Weighted):
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
