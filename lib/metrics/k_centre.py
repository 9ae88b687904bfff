"""Which few points stand for all of them? Greedy k-centre (arXiv 1708.00489): coresets, and what to label next."""

import numpy as np


def farthest_first(points, number, first=None, squared=None, weights=None):
    """Positions of up to `number` of the points (n, d), each the one farthest from those chosen before.

    The first is `first`, or else the one for which `squared` (n,), its squared distance to what was chosen before this
    call, is greatest. Distances are multiplied by `weights` (n,) in the choice.
    """
    points = np.asarray(points)
    squares, chosen = (points**2).sum(1), []
    squared = np.full(len(points), np.inf, points.dtype) if squared is None else np.asarray(squared)
    factor = 1.0 if weights is None else np.asarray(weights) ** 2
    while len(chosen) < min(number, len(points)):
        worth = squared * factor
        worth[chosen] = -np.inf
        at = first if first is not None and not chosen else int(worth.argmax())
        chosen.append(at)
        squared = np.minimum(squared, np.maximum(squares - 2 * points @ points[at] + squares[at], 0))
    return chosen
