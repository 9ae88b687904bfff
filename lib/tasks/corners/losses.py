"""Losses of the corner networks. The last number of a target is its weight: 0 where the truth is not known."""

from keras import ops

from lib.models.layers import cell_centres, saved_as
from lib.models.losses import WeightedLoss, wing_loss


@saved_as("Heat")
class HeatmapLoss(WeightedLoss):
    """KL divergence of heatmaps from a Gaussian about the target point: target (n, k, 3), output logits (n, h, w, k).

    `sigma`, the standard deviation of the Gaussian, is in cells of the map.
    """

    def __init__(self, sigma=1.0, factor=1.0, name="heat", **settings):
        super().__init__(factor, name, **settings)
        self.sigma = sigma

    def call(self, target, output):
        _, height, width, count = output.shape
        x = (cell_centres(width)[None, None] - target[..., :1]) * width
        y = (cell_centres(height)[None, None] - target[..., 1:2]) * height
        wanted = -(x[:, :, None] ** 2 + y[..., None] ** 2) / (2 * self.sigma**2)
        wanted = ops.softmax(ops.reshape(wanted, (-1, count, height * width)))
        found = ops.reshape(ops.transpose(output, (0, 3, 1, 2)), (-1, count, height * width))
        cost = ops.sum(wanted * (ops.log(wanted + 1e-9) - ops.log_softmax(found)), -1)
        return self.factor * ops.mean(cost * target[..., 2], -1)

    def get_config(self):
        return {**super().get_config(), "sigma": self.sigma}


@saved_as("Edges")
class EdgeMapLoss(WeightedLoss):
    """Binary cross-entropy of four edge maps: target corners (n, 4, 3), output logits (n, h, w, 4).

    The truth of a cell is a Gaussian of its distance to the side; `sigma` is a fraction of the map's width.
    """

    def __init__(self, sigma=0.015, factor=1.0, name="edges", **settings):
        super().__init__(factor, name, **settings)
        self.sigma = sigma

    def call(self, target, output):
        _, height, width, count = output.shape
        start = target[:, None, None, :, :2]
        side = ops.roll(target, -1, 1)[:, None, None, :, :2] - start
        cells = ops.stack(ops.meshgrid(cell_centres(width), cell_centres(height)), -1)[None, :, :, None]
        along = ops.sum((cells - start) * side, -1, keepdims=True) / (ops.sum(side**2, -1, keepdims=True) + 1e-6)
        away = ops.sum((cells - start - ops.clip(along, 0.0, 1.0) * side) ** 2, -1)
        truth = ops.exp(-away / (2 * self.sigma**2))
        cost = ops.maximum(output, 0.0) - output * truth + ops.log1p(ops.exp(-ops.abs(output)))
        known = ops.min(target[..., 2], -1)
        return self.factor * known * ops.mean(cost * (1 + 4 * truth), (1, 2, 3))

    def get_config(self):
        return {**super().get_config(), "sigma": self.sigma}


@saved_as("Ends")
class LineEndsLoss(WeightedLoss):
    """Wing loss of the two ends of a line, and the likelihood of their expected error: target (n, 3), output (n, 4).

    Target: the offsets at both ends and a weight. Output: both offsets, the spread (ignored) and the logarithm of the
    expected error, which is the scale of a Laplace distribution about the offsets.
    """

    def call(self, target, output):
        error = ops.abs(output[:, :2] - target[:, :2])
        cost = ops.sum(wing_loss(error, 0.3, 0.03), -1)
        scale = output[:, 3:]
        likelihood = ops.mean(ops.stop_gradient(error) * ops.exp(-scale) + scale, -1)
        return self.factor * (cost + 0.05 * likelihood) * target[:, 2]


@saved_as("Profile")
class ProfileLoss(WeightedLoss):
    """KL divergence of the columns of a strip from a Gaussian about its line: target (n, 3), logits (n, bins, columns).

    `margin` as in WeightedLineFit; `sigma`, the standard deviation of the Gaussian, in bins.
    """

    def __init__(self, margin=0.1, sigma=0.7, factor=1.0, name="profile", **settings):
        super().__init__(factor, name, **settings)
        self.margin, self.sigma = margin, sigma

    def call(self, target, output):
        _, bins, columns = output.shape
        t = ((2 * cell_centres(columns) - 1)[None] / (1 - 2 * self.margin) + 1) / 2
        line = target[:, :1] * (1 - t) + target[:, 1:2] * t
        away = (2 * cell_centres(bins)[None, :, None] - 1 - line[:, None]) * bins / 2
        wanted = ops.softmax(-(away**2) / (2 * self.sigma**2), 1)
        cost = ops.sum(wanted * (ops.log(wanted + 1e-9) - ops.log_softmax(output, 1)), 1)
        return self.factor * ops.mean(cost, -1) * target[:, 2]

    def get_config(self):
        return {**super().get_config(), "margin": self.margin, "sigma": self.sigma}
