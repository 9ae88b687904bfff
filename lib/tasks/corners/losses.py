"""Losses of the corner networks. The last number of a target is its weight: 0 where the truth is not known."""

from keras import ops

from lib.models.layers import cell_centres, saved_as
from lib.models.losses import WeightedLoss, wing_loss
from lib.tasks.corners import finder


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


@saved_as("Cells")
class CellsLoss(WeightedLoss):
    """What the cells say of the boxes: target (n, boxes, finder.BOX), output (n, h, w, finder.CELL).

    The middle: quality focal loss (arXiv 2006.04388) of a Gaussian about it. The rest counts near middles only: wing loss
    of the corners by their box's diagonal, the likelihood of their expected error (Laplace), cross-entropy of the logits.
    """

    def call(self, target, output):
        near, chosen = self.assigned(target, output.shape[1:3])
        of_cell = ops.einsum("nhwk,nkc->nhwc", chosen, target)
        return self.factor * (middle_loss(near, output[..., finder.MIDDLE], target[..., -1]) + corner_loss(near, of_cell, output)
                              + 0.3 * logit_loss(near, of_cell[..., 14], output[..., finder.CUT])
                              + 0.3 * logit_loss(near, of_cell[..., 15], output[..., finder.UPRIGHT]))

    def assigned(self, target, shape):
        """How near each cell is to a middle, 0 … 1 (n, h, w), and to whose (n, h, w, boxes), one-hot."""
        height, width = shape
        middle, across, down = (target[:, None, None, :, at:at + 2] for at in (8, 10, 12))
        cells = ops.stack(ops.meshgrid(cell_centres(width), cell_centres(height)), -1)[None, :, :, None]
        away = cells - middle
        area = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0] + 1e-6
        u = (away[..., 0] * down[..., 1] - away[..., 1] * down[..., 0]) / area
        v = (across[..., 0] * away[..., 1] - across[..., 1] * away[..., 0]) / area
        cell = 0.6 / ops.sqrt(float(height * width))
        spread_u = ops.maximum(finder.SPREAD, cell / (ops.sqrt(ops.sum(across**2, -1)) + 1e-3))
        spread_v = ops.maximum(finder.SPREAD, cell / (ops.sqrt(ops.sum(down**2, -1)) + 1e-3))
        near = ops.exp(-(u / spread_u) ** 2 / 2 - (v / spread_v) ** 2 / 2) * target[:, None, None, :, -1]
        return ops.max(near, -1), ops.one_hot(ops.argmax(near, -1), target.shape[1])


def middle_loss(near, logit, present):
    """Quality focal loss of the middles, by the number of boxes."""
    cost = ops.maximum(logit, 0.0) - logit * near + ops.log1p(ops.exp(-ops.abs(logit)))
    cost = cost * (near - ops.sigmoid(logit)) ** 2
    return 2.0 * ops.sum(cost, (1, 2)) / (1 + ops.sum(present, -1)) / 4


def corner_loss(near, boxes, output):
    """Wing loss of the corners and the likelihood of their expected error, the mean over the cells near a middle."""
    height, width = output.shape[1:3]
    cells = ops.stack(ops.meshgrid(cell_centres(width), cell_centres(height)), -1)
    found = output[..., finder.CORNERS] + ops.tile(cells, (1, 1, 4))[None]
    shape = (-1, height, width, 4, 2)
    wanted = ops.reshape(boxes[..., :8], shape)
    size = ops.sqrt(ops.sum((wanted[..., 0, :] - wanted[..., 2, :]) ** 2, -1)) + ops.sqrt(ops.sum((wanted[..., 1, :] - wanted[..., 3, :]) ** 2, -1))
    size = size[..., None, None] / 2 + 1e-3
    apart = ops.abs(ops.reshape(found, shape) - wanted) / size
    cost = ops.mean(wing_loss(apart, 0.1, 0.01), (-1, -2))
    error = ops.stop_gradient(ops.mean(apart, (-1, -2)))
    doubt = ops.clip(output[..., finder.DOUBT], -7.0, 2.0)
    cost = 6 * cost + 0.05 * (error * ops.exp(-doubt) + doubt)
    weight = ops.where(near > 0.25, near, 0.0)
    return ops.sum(cost * weight, (1, 2)) / (ops.sum(weight, (1, 2)) + 1.0)


def logit_loss(near, truth, logit):
    """Cross-entropy of a logit where its truth, 0 or 1, is known (not -1), the mean over the cells near a middle."""
    cost = ops.maximum(logit, 0.0) - logit * truth + ops.log1p(ops.exp(-ops.abs(logit)))
    weight = ops.where(near > 0.25, near, 0.0) * ops.cast(truth >= 0, logit.dtype)
    return ops.sum(cost * weight, (1, 2)) / (ops.sum(weight, (1, 2)) + 1.0)
