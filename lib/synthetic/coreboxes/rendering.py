"""The picture of a box seen straight from above: its walls, slats and rim.

Everything at the rim lies exactly where the box's measures say; what lies deeper is seen through the camera's
parallax.
"""

import cv2
import numpy as np

from lib.synthetic import textures as tx
from lib.synthetic.canvas import Sheet
from lib.synthetic.coreboxes.rows import contents
from lib.synthetic.handwriting import words, write


def member(rng, box, shape, s, upright=False, tone=1.0):
    """A board, strip or edge of the box's material, RGB of the shape; grain along its length."""
    colour = box.colour * tone * np.exp(rng.normal(0, 0.05 if box.build == "boards" else 0.015))
    field_ = tx.sample(box.texture, rng, shape, s, 90 if upright else 0, 1.0)
    pixels = tx.paint(field_, tx.shades(np.clip(colour, 8, 248), box.contrast, 3, rng))
    if box.build == "boards" and min(shape) > 3:
        pixels = cv2.addWeighted(pixels, 1, tx.tripled(tx.crop("grain", rng, shape)), 0.1, -12.8)
    if box.extra.get("dirt", 0) > 0.1:
        mask = cv2.subtract(tx.sample("clouds", rng, shape, s, 0, 1.2), 255 - 255 * box.extra["dirt"])
        pixels = tx.over(pixels, box.extra["dirt_colour"], mask)
    return pixels


def draw(rng, box, s, foot, height, light=0.8):
    """The box at s px a centimetre seen from above `foot`: its sheet, its cover (H, W) or None, its pieces."""
    h, w = round(box.breadth * s), round(box.length * s)
    sheet = Sheet(np.empty((h, w, 3), np.uint8), s)
    box.extra.setdefault("dirt", float(rng.uniform(0, 0.8)) if rng.random() < 0.35 else 0.0)
    box.extra.setdefault(
        "dirt_colour", np.array([[120, 96, 74], [96, 88, 80], [150, 92, 60]][rng.integers(3)], float)
    )

    def sink(x, y, depth):
        return np.asarray(foot) + (np.array([x, y]) - foot) * (height / (height + depth))

    sheet.pixels[:] = member(rng, box, (h, w), s, tone=rng.uniform(0.25, 0.7))
    pieces = []
    for k, (a, b) in enumerate(box.rows):
        walls(rng, sheet, box, a, b, sink, light)
        if k not in box.extra.get("empty", ()):
            pieces += [piece | {"row": k} for piece in contents(rng, sheet, box, a, b, sink)]
    slats(rng, sheet, box, sink)
    rim(rng, sheet, box)
    if box.extra.setdefault("dusty", rng.random() < 0.1):
        dust = tx.sample("clouds", rng, (h, w), s, float(rng.uniform(0, 360)), 1.5)
        sheet.pixels[:] = tx.over(
            sheet.pixels, box.kinds[0]["colour"] * 0.9, cv2.convertScaleAbs(dust, alpha=rng.uniform(0.3, 0.8))
        )
    return sheet, cover(rng, box, (h, w), s), pieces


def walls(rng, sheet, box, a, b, sink, light):
    """Inner walls of one row, as far as the parallax shows them, and the shadow on its floor."""
    x0, x1 = box.ends
    lo, hi = sink(x0, a, box.depth), sink(x1, b, box.depth)
    base = box.colour
    if box.build in ("tray", "sheet") and box.extra.get("ridges", True):
        n_h, n_w = sheet.shape(x0, a, x1, b)
        v = (np.arange(n_h, dtype=np.float32) + 0.5) / max(n_h, 1) * 2 - 1
        tone = np.clip(0.72 + 0.3 * v * box.look["sun"] - 0.25 * v**2, 0.2, 1.2)
        strip = member(rng, box, (max(n_h, 1), max(n_w, 1)), sheet.s)
        sheet.fill(x0, a, x1, b, tx.gained(strip, tone[:, None]))
    tones = {"top": 0.45 * light, "bottom": 0.95 * light, "left": 0.7 * light, "right": 0.75 * light}
    quads = {
        "top": ((x0, a), (x1, a), (hi[0], lo[1]), (lo[0], lo[1])),
        "bottom": ((x0, b), (x1, b), (hi[0], hi[1]), (lo[0], hi[1])),
        "left": ((x0, a), (lo[0], lo[1]), (lo[0], hi[1]), (x0, b)),
        "right": ((x1, a), (hi[0], lo[1]), (hi[0], hi[1]), (x1, b)),
    }
    for name, quad in quads.items():
        sheet.polygon(np.array(quad), base * tones[name] * rng.uniform(0.85, 1.1))
    sheet.shade(x0, a, x1, a + (b - a) * rng.uniform(0.1, 0.3), rng.uniform(0.55, 0.95))


def slats(rng, sheet, box, sink):
    """The slats between the rows, at the rim or a little below it."""
    x0, x1 = box.ends
    for (_, a), (b, _) in zip(box.rows[:-1], box.rows[1:], strict=True):
        ya, yb = sink(0, a, box.slat_drop)[1], sink(0, b, box.slat_drop)[1]
        shape = sheet.shape(x0, ya, x1, yb)
        if min(shape) < 1:
            sheet.line([(x0, (ya + yb) / 2), (x1, (ya + yb) / 2)], box.colour, 0.1)
            continue
        strip = member(rng, box, shape, sheet.s, tone=rng.uniform(0.88, 1.05))
        if box.build in ("tray", "sheet"):
            strip = rolled(strip, box.look["sun"])
        sheet.shade(x0, yb, x1, yb + rng.uniform(0.05, 0.2) * box.core, rng.uniform(0.45, 0.85))
        sheet.shade(x0, ya - 0.05 * box.core, x1, ya, 0.75)
        sheet.fill(x0, ya, x1, yb, strip)
        if box.build == "boards" and rng.random() < 0.25:
            scribbles(rng, sheet, x0, x1, ya, yb)


def rolled(strip, sun):
    """A strip of bent metal or moulded plastic: light on one side, dark on the other."""
    h = strip.shape[0]
    v = (np.arange(h, dtype=np.float32) + 0.5) / h * 2 - 1
    return tx.gained(strip, (1.05 - 0.35 * sun * v - 0.25 * v**2)[:, None])


def arched(box, part, strip):
    """The end of a tray: its metal or plastic follows the channels."""
    y = np.linspace(part[1], part[3], strip.shape[0], dtype=np.float32)
    pitch = (box.rows[-1][1] - box.rows[0][0]) / len(box.rows)
    wave = np.cos(2 * np.pi * (y - (box.rows[0][0] + box.rows[0][1]) / 2) / pitch)
    return tx.gained(
        strip, (1 - 0.16 * box.extra.setdefault("arch", abs(box.look["sun"])) * (1 + wave))[:, None]
    )


def scribbles(rng, sheet, x0, x1, ya, yb):
    """Depths and arrows written on a slat or rim."""
    high = (yb - ya) * sheet.s * 0.7
    if high < 3:
        return
    ink = [(25, 25, 30), (30, 40, 130), (190, 25, 25), (20, 110, 60)][rng.integers(4)]
    for _ in range(int(rng.integers(1, 4))):
        x, y = sheet.px((rng.uniform(x0, x1 - 8), ya))
        ys = slice(max(int(y), 0), int(y + (yb - ya) * sheet.s))
        write(
            rng,
            sheet.pixels[ys],
            str(rng.choice([">", words(rng, "depth"), words(rng, "box")])),
            x,
            high * 0.2,
            high,
            ink,
        )


def rim(rng, sheet, box):
    """The four outer members of the frame with their joints."""
    (x0, x1), y0, y1 = box.ends, box.rows[0][0], box.rows[-1][1]
    a, b = box.length, box.breadth
    through = rng.random() < 0.6  # whose ends show at the corners: the end boards or the side boards
    parts = {
        "top": (x0 if through else 0, 0, x1 if through else a, y0),
        "bottom": (x0 if through else 0, y1, x1 if through else a, b),
        "left": (0, 0 if through else y0, x0, b if through else y1),
        "right": (x1, 0 if through else y0, a, b if through else y1),
    }
    tones = rng.normal(1.0, 0.05 if box.build == "boards" else 0.02, 4)
    for (name, part), tone in zip(parts.items(), tones, strict=True):
        shape = sheet.shape(*part)
        if min(shape) < 1:
            continue
        upright = name in ("left", "right")
        pixels = member(rng, box, shape, sheet.s, upright, tone)
        if box.build in ("tray", "sheet"):
            pixels = arched(box, part, pixels) if upright else rolled(pixels, box.look["sun"])
        sheet.fill(*part, pixels)
        if name in ("top", "bottom") and rng.random() < 0.35:
            scribbles(rng, sheet, part[0], part[2], part[1], part[3])
    joints(rng, sheet, box, parts)
    sheet.shade(x0, y0, x1, y0 + 0.15 * box.core, 0.6)
    if box.build == "tray" or rng.random() < 0.15:
        handles(rng, sheet, box)
    if box.build in ("boards", "card") and rng.random() < 0.12:
        straps(rng, sheet, box)


def joints(rng, sheet, box, parts):
    """Seams and nails where the members meet, and a darker or lighter line along the outer edge."""
    dark = box.colour * 0.35
    if box.build == "boards":
        for name in ("left", "right"):
            xa, ya, xb, yb = parts[name]
            inside = xb if name == "left" else xa
            for y0, y1 in ((0, box.rows[0][0]), (box.rows[-1][1], box.breadth)):
                if parts["top"][0] > 0:
                    sheet.line([(inside, y0), (inside, y1)], dark, 0.08, 1)
                else:
                    y = y1 if y0 == 0 else y0
                    sheet.line([(xa, y), (xb, y)], dark, 0.08)
            for y in np.linspace(ya + 0.8, yb - 0.8, int(rng.integers(2, 8))):
                if sheet.s > 4 and rng.random() < 0.6:
                    centre = sheet.px(((xa + xb) / 2 + rng.normal(0, 0.2), y))
                    cv2.circle(
                        sheet.pixels,
                        tuple(int(v) for v in centre),
                        max(1, int(0.16 * sheet.s)),
                        tuple(dark.tolist()),
                        -1,
                        cv2.LINE_AA,
                    )
    edge = rng.uniform(0.55, 1.25)
    t = 1.01 / sheet.s + rng.uniform(0, 0.12)
    for strip in (
        (0, 0, box.length, t),
        (0, box.breadth - t, box.length, box.breadth),
        (0, 0, t, box.breadth),
        (box.length - t, 0, box.length, box.breadth),
    ):
        if rng.random() < 0.6:
            sheet.shade(*strip, edge * rng.uniform(0.9, 1.1))


def handles(rng, sheet, box):
    """Dark slots or holes in the end members."""
    (x0, x1) = box.ends
    for xa, xb in ((0, x0), (x1, box.length)):
        if xb - xa > 1.2 and rng.random() < 0.6:
            mid, half = box.breadth / 2, min(5.0, box.breadth * 0.2)
            x = (xa + xb) / 2
            sheet.polygon(
                np.array(
                    [
                        (x - 0.3, mid - half),
                        (x + 0.3, mid - half),
                        (x + 0.3, mid + half),
                        (x - 0.3, mid + half),
                    ]
                ),
                box.colour * 0.2,
                0.9,
            )


def straps(rng, sheet, box):
    """Metal straps or corner irons over the rim, or rope handles at the ends."""
    wide, colour = rng.uniform(1.0, 2.5), rng.choice([70, 120, 170]) * np.array([1.0, 1.0, 1.02])
    kind = rng.integers(3)
    if kind == 0:
        for x in (box.length * rng.uniform(0.05, 0.3), box.length * rng.uniform(0.7, 0.95)):
            sheet.fill(x, 0, x + wide, box.rows[0][0], colour)
            sheet.fill(x, box.rows[-1][1], x + wide, box.breadth, colour)
    elif kind == 1:
        reach = rng.uniform(2, 6)
        for x, y in box.outer():
            xs, ys = (
                sorted((x, x + (reach if x == 0 else -reach))),
                sorted((y, y + (wide if y == 0 else -wide))),
            )
            sheet.fill(xs[0], ys[0], xs[1], ys[1], colour)
            xs, ys = (
                sorted((x, x + (wide if x == 0 else -wide))),
                sorted((y, y + (reach if y == 0 else -reach))),
            )
            sheet.fill(xs[0], ys[0], xs[1], ys[1], colour * 0.92)
    else:
        for x in (box.ends[0] * 0.5, (box.ends[1] + box.length) / 2):
            y = box.breadth / 2 + np.linspace(-5, 5, 9)
            sheet.line(np.stack([x + rng.normal(0, 0.15, 9), y], 1), (190, 170, 120), 1.0)


def cover(rng, box, shape, s):
    """Where the box covers the ground: None for all, or a mask with rounded corners and rough edges."""
    h, w = shape
    rough = rng.uniform(0.03, 0.15) * s if box.build in ("boards", "card") and rng.random() < 0.5 else 0
    if not box.round and rough < 0.5:
        return None
    mask = np.full((h, w), 255, np.uint8)
    if box.build == "boards" and rng.random() < 0.3:
        misfit(rng, mask, box, s)
    if box.round:
        r = int(min(box.round * s, min(h, w) * 0.2))
        if r > 1:
            disc = np.zeros((2 * r, 2 * r), np.uint8)
            cv2.circle(disc, (r * 16 - 8, r * 16 - 8), r * 16, 255, -1, cv2.LINE_AA, 4)
            mask[:r, :r], mask[:r, -r:], mask[-r:, -r:], mask[-r:, :r] = (
                disc[:r, :r],
                disc[:r, r:],
                disc[r:, r:],
                disc[r:, :r],
            )
    if rough >= 0.5:
        nibble(rng, mask, rough)
    return mask


def misfit(rng, mask, box, s):
    """Boards a little too short: up to 2 mm of a corner is missing, which a careful eye ignores."""
    gap, y = max(1, round(rng.uniform(0, 0.2) * s)), max(1, round(box.rows[0][0] * s))
    corner = mask[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
    corner[:y, :gap] = 0


def nibble(rng, mask, depth):
    """Rough outer edges: up to `depth` px are missing here and there, never at the corners."""
    h, w = mask.shape
    for line, n in ((mask[:4], w), (mask[-4:][::-1], w), (mask.T[:4], h), (mask.T[-4:][::-1], h)):
        wave = np.interp(np.arange(n), np.linspace(0, n, 24), np.r_[0, rng.uniform(-1, 1, 22), 0])
        gone = np.clip(wave * depth, 0, 4)
        for k in range(4):
            line[k] = np.minimum(line[k], (255 * np.clip(1 - (gone - k), 0, 1)).astype(np.uint8))
