"""The coreset of features that stands for all good nails: what layers.MemoryBank compares with (PatchCore)."""

import numpy as np

from lib.metrics import k_centre


def fit(layer, features, seed=1):
    """Set the mean, axes and bank of a layers.MemoryBank from the features of good pictures, float (n, h, w, d).

    The axes are the first principal ones; the bank is a greedy coreset (arXiv 2106.08265) whose first member is random.
    `usual` is left at 1: `scale` it by pictures that are not in the bank.
    """
    cells = np.asarray(features, np.float32).reshape(-1, features.shape[-1])
    mean = cells.mean(0)
    axes = principal(cells - mean, layer.depth)
    cells = (cells - mean) @ axes
    first = int(np.random.default_rng(seed).integers(len(cells)))
    bank = cells[k_centre.farthest_first(cells, layer.size, first)]
    layer.mean.assign(mean)
    layer.axes.assign(axes)
    layer.bank.assign(np.resize(bank, (layer.size, layer.depth)))  # repeated, where fewer are there
    layer.usual.assign(1.0)


def scale(layer, scores, share=0.95):
    """Scale a layers.MemoryBank so that this `share` of good pictures score under 1: `scores` (n, h, w) are its own for them."""
    most = np.asarray(scores).reshape(len(scores), -1).max(1)
    layer.usual.assign(max(float(layer.usual) * float(np.quantile(most, share)), 1e-6))


def principal(cells, count):
    """The first `count` principal axes of centred `cells` (n, d) as columns (d, count); zeros where there are fewer."""
    _, axes = np.linalg.eigh(cells.T @ cells / len(cells))
    axes = axes[:, ::-1][:, :count]
    return np.pad(axes, ((0, 0), (0, count - axes.shape[1]))).astype(np.float32)
