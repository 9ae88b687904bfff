"""What one row of a box holds, from left to right: core, rubble, blocks and gaps."""

import numpy as np

from lib.synthetic import textures as tx
from lib.synthetic.coreboxes import rocks
from lib.synthetic.handwriting import words, write


def contents(rng, sheet, box, a, b, sink):
    """Core, rubble, blocks and gaps of one row, from left to right; gives the pieces of whole core."""
    low = box.depth - box.core / 2
    x0, x1 = sink(box.ends[0], a, low)[0], sink(box.ends[1], a, low)[0]
    mid = sink(0, (a + b) / 2, low)[1]
    pieces = []
    x = max(x0, 0) + abs(rng.normal(0, 0.3))
    while x < x1 - 1.0:
        what = segment(rng, box.habit)
        stop = min(
            x1 - 0.1, x + rng.gamma(2.0, box.length * (0.3 if what in ("whole", "rubble") else 0.12)) + 2
        )
        if what in ("block", "end"):
            stop = min(x1 - 0.1, x + (box.core if what == "end" else rng.uniform(1.5, 5)))
        pieces += one(rng, sheet, box, what, x, stop, mid, a, b)
        x = stop + (abs(rng.normal(0, 0.2)) if rng.random() < 0.8 else rng.gamma(1.5, 2.0))
    return pieces


SEGMENTS = {
    "whole": {"whole": 0.76, "broken": 0.1, "discs": 0.02, "rubble": 0.02, "gap": 0.02, "block": 0.06, "end": 0.02},
    "broken": {"whole": 0.14, "broken": 0.59, "discs": 0.07, "rubble": 0.09, "mud": 0.01, "gap": 0.02,
               "block": 0.05, "end": 0.03},
    "mixed": {"whole": 0.3, "broken": 0.27, "discs": 0.05, "rubble": 0.25, "mud": 0.03, "gap": 0.02,
              "block": 0.06, "end": 0.02},
    "rubble": {"whole": 0.03, "broken": 0.07, "discs": 0.02, "rubble": 0.76, "mud": 0.05, "gap": 0.02,
               "block": 0.04, "end": 0.01},
    "empty": {"whole": 0.02, "broken": 0.02, "rubble": 0.05, "gap": 0.86, "block": 0.05},
}


def segment(rng, habit):
    """What comes next in a row."""
    return str(rng.choice(list(SEGMENTS[habit]), p=list(SEGMENTS[habit].values())))


def one(rng, sheet, box, what, x, stop, mid, a, b):
    """One stretch of a row drawn; gives its pieces of whole core."""
    kind = box.kinds[rng.integers(len(box.kinds))]
    look = box.look
    if what in ("whole", "broken", "discs"):
        return rocks.whole(
            rng,
            sheet,
            kind,
            x,
            stop,
            mid + rng.normal(0, 0.08),
            box.core * rng.uniform(0.94, 1.02),
            what,
            look,
        )
    if what == "rubble":
        rocks.rubble(rng, sheet, box.kinds, x, stop, mid, min(box.core * 1.08, b - a), look)
    elif what == "mud":
        rocks.mud(rng, sheet, kind, x, stop, mid, box.core)
    elif what == "end":
        rocks.end(rng, sheet, kind, (x + stop) / 2, mid, min(box.core, stop - x), look)
    elif what == "block":
        block(rng, sheet, box, x, stop, mid)
    return []


BLOCKS = [
    (206, 168, 116),
    (224, 196, 150),
    (176, 120, 78),
    (232, 226, 212),
    (220, 180, 40),
    (206, 96, 48),
    (70, 120, 170),
    (120, 170, 90),
]


def block(rng, sheet, box, x, stop, mid):
    """A driller's block of wood or plastic across the row, written on."""
    s = sheet.s
    h, w = sheet.n(box.core * rng.uniform(0.7, 1.0)), sheet.n(stop - x)
    pixels = tx.paint(
        tx.sample("wood0", rng, (h, w), s, 90, 1), tx.shades(BLOCKS[rng.integers(len(BLOCKS))], 0.25)
    )
    ink = [(20, 20, 30), (30, 40, 140), (180, 20, 20)][rng.integers(3)]
    turned = np.rot90(pixels).copy() if w < h else pixels
    lines = int(rng.integers(1, 5))
    size = turned.shape[0] / (lines + 0.5)
    for k in range(lines):
        write(rng, turned, words(rng), 0.06 * turned.shape[1], (k + 0.3) * size, size * 0.62, ink)
    pixels = np.rot90(turned, -1).copy() if w < h else turned
    sheet.lay(pixels, (x + stop) / 2, mid, float(rng.normal(0, 4)), shadow=0.6)
