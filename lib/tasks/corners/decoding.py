"""From the maps of the coarse network to four corners that are consistent with one another."""

import cv2
import numpy as np

PEAKS = 2                # of each heatmap that are tried
TRUST = 0.5              # weight of the heatmaps beside the edge maps
STEPS = 24               # points at which a side is looked up in its edge map


# An input as it is, turned by 180 degrees, mirrored horizontally and vertically; and which corner and which side of the
# mirrored view is which of the original.
MIRRORS = (0, 0), (1, 1), (1, 0), (0, 1)
CORNERS = np.array([[0, 1, 2, 3], [2, 3, 0, 1], [1, 0, 3, 2], [3, 2, 1, 0]])
SIDES = np.array([[0, 1, 2, 3], [2, 3, 0, 1], [0, 3, 2, 1], [2, 1, 0, 3]])


def mirrored_views(window):
    """An input (h, w, 3) in its four mirrored views: (4, h, w, 3)."""
    return np.stack([_mirror(window, *mirror) for mirror in MIRRORS])


def average_views(outputs):
    """The average output of the first 1, 2 … mirrored views, with their maps mirrored back.

    `apart` (4,) is the standard deviation of each corner over the views, as a fraction of the input.
    """
    heat, edges = (np.stack([_mirror(image, *MIRRORS[at])[..., order[at]]
                             for at, image in enumerate(np.asarray(maps, float))])
                   for maps, order in ((outputs["heat"], CORNERS), (outputs["edges"], SIDES)))
    means = np.asarray(outputs["corners"], float)[..., :2]
    means = np.stack([np.abs(np.array(MIRRORS[at]) - found)[CORNERS[at]] for at, found in enumerate(means)])
    heat = (heat - heat.max((1, 2), keepdims=True)).mean(0)
    return {"heat": heat, "edges": edges.mean(0), "corners": soft_argmax(heat), "apart": means.std(0).max(-1),
            "rows": np.asarray(outputs["rows"], float).mean(0), "kind": np.asarray(outputs["kind"], float).mean(0)}


def _mirror(image, across, down):
    return image[:: -1 if down else 1, :: -1 if across else 1]


def soft_argmax(heat):
    """layers.SoftArgmax in numpy: logits (h, w, k) in, (k, 3) of x, y and spread out."""
    height, width, _ = heat.shape
    mass = np.exp(heat - heat.max((0, 1)))
    mass = mass / mass.sum((0, 1))
    xs, ys = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    across, down = mass.sum(0), mass.sum(1)
    x, y = xs @ across, ys @ down
    return np.stack([x, y, np.sqrt(np.maximum(xs**2 @ across - x**2 + ys**2 @ down - y**2, 1e-8))], 1)


def decode_corners(output):
    """The corners (4, 2), as fractions of the input, that heatmaps and edge maps together support best.

    The mean of a heatmap with two peaks (another box's corner, a tag) lies between them, at neither. So the candidates of
    a corner are the mean of its heatmap, the peaks, and the point that makes a parallelogram with the other three. Of all
    combinations the one with the highest score is returned: the log of its heatmaps at the corners plus the mean log of
    the edge maps along the sides.
    """
    heat, means = np.asarray(output["heat"], float), np.asarray(output["corners"], float)[:, :2]
    mass = np.exp(heat - heat.max((0, 1)))
    mass = cv2.GaussianBlur(mass / mass.sum((0, 1)), (0, 0), 1.2)
    offered = np.stack([[mean, *peaks(mass[..., at])] for at, mean in enumerate(means)])  # (4, c, 2)
    offered = np.concatenate([offered, _completed(offered[:, :1]), _completed(offered[:, 1:2])], 1)
    corner = [TRUST * np.log(_look_up(mass[..., at] / mass[..., at].max(), offered[at]) + 1e-3) for at in range(4)]
    total = _sum(corner, _sides(np.asarray(output["edges"], float), offered))
    for best in np.argsort(-total, axis=None)[:20]:
        corners = offered[np.arange(4), np.unravel_index(best, total.shape)]
        if _turns(corners).min() > 1e-4:
            return corners
    return means


def peaks(mass):
    """The PEAKS highest maxima of a map (h, w), apart from one another: (p, 2) as fractions of its size."""
    rest, found = mass.copy(), []
    for _ in range(PEAKS):
        y, x = np.unravel_index(rest.argmax(), rest.shape)
        top, left = max(0, y - 3), max(0, x - 3)
        part = mass[top:y + 4, left:x + 4]
        across, down = part.sum(0), part.sum(1)
        place = (np.arange(len(across)) + left + 0.5) @ across, (np.arange(len(down)) + top + 0.5) @ down
        found.append(np.array(place) / across.sum() / mass.shape[::-1])
        rest[max(0, y - 4):y + 5, max(0, x - 4):x + 5] = 0
    return np.array(found)


def _completed(offered):
    """For each corner (4, 1, 2), where the other three would have it for a parallelogram."""
    return np.clip(np.roll(offered, 1, 0) + np.roll(offered, -1, 0) - np.roll(offered, 2, 0), 0.01, 0.99)


def _sides(edges, offered):
    """For each side, how well the segment between every two offered ends (4, c, c) runs along its edge map (log)."""
    chance = 1 / (1 + np.exp(-edges))
    level = np.log(chance / (np.percentile(chance, 99.5, axis=(0, 1)) + 0.02) + 0.03)
    t = np.linspace(0.03, 0.97, STEPS)[:, None]
    after = np.roll(offered, -1, 0)
    return [_look_up(level[..., at], offered[at][:, None, None] * (1 - t) + after[at][None, :, None] * t).mean(-1)
            for at in range(4)]


def _look_up(image, points):
    """Values of a map (h, w) at points (…, 2) given as parts of its size, bilinear (to a 32nd of a cell)."""
    at = (points * image.shape[::-1] - 0.5).astype(np.float32).reshape(-1, 1, 2)
    found = cv2.remap(image.astype(np.float32), at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(points.shape[:-1]).astype(float)


def _sum(corner, side):
    """The support of every combination (c, c, c, c) of the corners offered."""
    (a, b, c, d), (ab, bc, cd, da) = corner, side
    return (a[:, None, None, None] + b[:, None, None] + c[:, None] + d + ab[:, :, None, None] + bc[:, :, None]
            + cd + da.T[:, None, None])


def _turns(corners):
    side = np.roll(corners, -1, 0) - corners
    after = np.roll(side, -1, 0)
    return side[:, 0] * after[:, 1] - side[:, 1] * after[:, 0]
