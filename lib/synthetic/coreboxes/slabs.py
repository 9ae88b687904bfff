"""Columns of slabbed core, as laboratories saw and lay them: flat, with plug holes, stickers and gaps."""

import cv2
import numpy as np

from lib.synthetic import textures as tx
from lib.synthetic.canvas import Sheet
from lib.synthetic.coreboxes import rocks


def slab(rng, kinds, shape, s, ground, habit="broken", filled=(0.0, 1.0)):
    """A column of core lying along x, RGB of the shape (breadth, length) at s px a cm, over a ground.

    `ground` is a colour or pixels of the shape; `filled` the part of the length that holds core.
    """
    h, w = shape
    sheet = Sheet(np.empty((h, w, 3), np.uint8), s)
    sheet.pixels[:] = ground
    look = {"wet": 0.0, "halved": rng.random() < 0.85, "sun": float(rng.uniform(-0.3, 0.3))}
    x, stop = filled[0] * w / s, filled[1] * w / s
    while x < stop - 0.5:
        kind = kinds[rng.integers(len(kinds))]
        end = min(stop, x + rng.gamma(2.0, 0.18 * w / s) + 3)
        size = h / s * rng.uniform(0.84, 1.0)
        pieces = rocks.whole(
            rng, sheet, kind, x, end, h / s / 2 + rng.normal(0, 0.02 * h / s), size, habit, look
        )
        damage(rng, sheet, pieces, ground)
        x = end + (rng.gamma(1.2, 0.4) if rng.random() < 0.8 else rng.gamma(2, 2.0))
    return sheet.pixels


def damage(rng, sheet, pieces, ground):
    """Plug holes, stickers and broken corners on some of the pieces."""
    hole = np.asarray(ground, float).reshape(-1, 3).mean(0)
    for piece in pieces:
        (x0, y0), (x1, y1) = piece["polygon"].min(0), piece["polygon"].max(0)
        high, middle = y1 - y0, (y0 + y1) / 2
        if rng.random() < 0.22 and x1 - x0 > 0.5 * high:
            disc(
                sheet,
                rng.uniform(x0 + 0.2 * high, x1 - 0.2 * high),
                middle,
                high * rng.uniform(0.1, 0.17),
                hole,
            )
        if rng.random() < 0.15:
            x, y = rng.uniform(x0, x1), rng.uniform(y0, middle)
            sheet.fill(x, y, x + 0.14 * high, y + 0.14 * high, (232, 232, 228))
        if rng.random() < 0.2:
            x, y = rng.choice([x0, x1]), rng.choice([y0, y1])
            ring = (x, y) + np.array(
                [[0, 0], [rng.uniform(-0.5, 0.5), 0], [0, rng.uniform(-0.4, 0.4)]]
            ) * high
            sheet.polygon(ring, hole)


def disc(sheet, x, y, radius, colour):
    """A round hole."""
    t = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    sheet.polygon(np.stack([x + radius * np.cos(t), y + radius * np.sin(t)], 1), colour)


def foam(rng, shape):
    """A white strip of foam, RGB of the shape, a little uneven."""
    tone = rng.uniform(215, 250)
    return tx.paint(tx.sample("clouds", rng, shape, 8.0, 0, 1.5), tx.shades((tone, tone, tone - 4), 0.12))


def ultraviolet(rng, pixels):
    """The picture under a black lamp: dark brown and violet, pale things glowing blue, patches of rock fluorescing."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    u = (np.arange(256) / 255)[:, None]
    tint = np.array([rng.uniform(20, 90), rng.uniform(15, 60), rng.uniform(20, 150)])
    glow = np.array([rng.uniform(20, 160), rng.uniform(30, 170), 255])
    table = tint * u * rng.uniform(0.6, 1.2) + glow * u ** rng.uniform(3, 7) * rng.uniform(0.5, 1.0)
    dark = cv2.applyColorMap(grey, np.clip(table, 0, 255).astype(np.uint8)[:, None])
    if rng.random() < 0.75:
        patches = tx.sample("clouds", rng, grey.shape, 3.0, 0, rng.uniform(0.5, 2))
        patches = cv2.convertScaleAbs(cv2.subtract(patches, int(rng.integers(110, 190))), alpha=3.0)
        patches = cv2.multiply(patches, cv2.convertScaleAbs(grey, alpha=1.6), scale=1 / 255)
        ray = [(150, 220, 235), (235, 225, 130), (120, 190, 255)][rng.integers(3)]
        dark = tx.over(dark, ray, patches)
    return dark
