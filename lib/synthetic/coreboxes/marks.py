"""What a maker or logger leaves on a box: ribs of a moulded tray, piece numbers on the core."""

import numpy as np

from lib.synthetic.handwriting import write


def marks(rng, sheet, box, pieces):
    """The marks that `box.extra` asks for, drawn on the box's own sheet."""
    if box.extra.get("ribs"):
        ribs(sheet, box)
    if box.extra.get("numbered"):
        numbers(rng, sheet, pieces, box.extra["numbered"])


def ribs(sheet, box):
    """Dark and light ribs across the outer members, `box.extra["ribs"]` cm apart."""
    step, tone = box.extra["ribs"], 0.72
    for x in np.arange(step / 2, box.length, step):
        for y0, y1 in ((0, box.rows[0][0]), (box.rows[-1][1], box.breadth)):
            sheet.shade(x, y0, x + 0.25 * step, y1, tone)
            sheet.shade(x + 0.25 * step, y0, x + 0.4 * step, y1, 1.15)
    for y in np.arange(step / 2, box.breadth, step):
        for x0, x1 in ((0, box.ends[0]), (box.ends[1], box.length)):
            sheet.shade(x0, y, x1, y + 0.25 * step, tone)


def numbers(rng, sheet, pieces, first):
    """Running numbers in red paint on the longer pieces of core."""
    ink = (rng.integers(150, 225), rng.integers(10, 50), rng.integers(20, 60))
    for k, piece in enumerate(pieces):
        (x0, y0), (x1, y1) = piece["polygon"].min(0), piece["polygon"].max(0)
        high = 0.55 * (y1 - y0) * rng.uniform(0.7, 1.1)
        if x1 - x0 < 2.2 * high or high * sheet.s < 4:
            continue
        x, y = sheet.px((rng.uniform(x0, x1 - 2 * high), (y0 + y1 - high) / 2))
        write(
            rng,
            sheet.pixels,
            str(first + k),
            x,
            y,
            high * sheet.s,
            ink,
            max(1, high * sheet.s * 0.09),
            neat=0.08,
        )


def bulge(rng, sheet, outer, colour, most=0.9):
    """Long sides of a box (corners in cm) bowed outward by up to `most` cm: drawn before the box is laid over it."""
    t = np.linspace(0, 1, 15)[:, None]
    sides = [np.linalg.norm(outer[(k + 1) % 4] - outer[k]) for k in range(4)]
    for k in range(4):
        if sides[k] < 0.8 * max(sides):
            continue
        along = outer[(k + 1) % 4] - outer[k]
        out = np.array([along[1], -along[0]]) / sides[k]
        bow = rng.uniform(0.2, most) * np.sin(np.pi * t) ** rng.uniform(0.6, 1.5)
        sheet.polygon(outer[k] + along * t + out * bow, np.asarray(colour) * rng.uniform(0.75, 1.05))
