"""Which few features stand for all that were seen? What layers.MemoryBank remembers."""

import numpy as np


def remember(layer, features, seed=1):
    """Set a layers.MemoryBank from the features of good pictures, float (n, h, w, d): its mean, axes and bank.

    The axes are the first principal ones; the bank is a greedy coreset (k-center, as in PatchCore, arXiv
    2106.08265). `usual` is left at 1: `settle` it with pictures that are not remembered.
    """
    cells = np.asarray(features, np.float32).reshape(-1, features.shape[-1])
    mean = cells.mean(0)
    axes = principal(cells - mean, layer.depth)
    bank = coreset((cells - mean) @ axes, layer.size, seed)
    layer.mean.assign(mean)
    layer.axes.assign(axes)
    layer.bank.assign(np.resize(bank, (layer.size, layer.depth)))  # repeated, where fewer are there
    layer.usual.assign(1.0)


def settle(layer, distances, share=0.95):
    """Let 1 be what that `share` of good pictures stay under: `distances` (n, h, w) are the layer's own for them."""
    most = np.asarray(distances).reshape(len(distances), -1).max(1)
    layer.usual.assign(max(float(layer.usual) * float(np.quantile(most, share)), 1e-6))


def principal(cells, count):
    """The first `count` principal axes of centred `cells` (n, d) as columns (d, count); zeros where there are fewer."""
    _, axes = np.linalg.eigh(cells.T @ cells / len(cells))
    axes = axes[:, ::-1][:, :count]
    return np.pad(axes, ((0, 0), (0, count - axes.shape[1]))).astype(np.float32)


def coreset(points, count, seed=1):
    """Up to `count` of the points (n, k), each the one farthest from those chosen before; the first is random."""
    at = int(np.random.default_rng(seed).integers(len(points)))
    squares, away, chosen = (points**2).sum(1), np.full(len(points), np.inf, np.float32), []
    for _ in range(min(count, len(points))):
        chosen.append(at)
        away = np.minimum(away, squares - 2 * points @ points[at] + squares[at])
        at = int(away.argmax())
        if away[at] <= 1e-9:
            break
    return points[chosen]
