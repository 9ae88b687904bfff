"""Things beside and over a box: walls of planks, sign boards, rulers, cards, tags, tools, hands and boots."""

import cv2
import numpy as np

from lib.synthetic import textures as tx
from lib.synthetic.coreboxes.floors import planks
from lib.synthetic.handwriting import words, write

WALL_WOODS = [
    (170, 130, 84),
    (128, 96, 70),
    (104, 74, 56),
    (150, 128, 104),
    (196, 152, 92),
    (120, 112, 104),
    (90, 62, 48),
]


def wall(rng, sheet, x0, x1, y0, y1, battens=True, like=None):
    """A wall or back rest of planks over the rectangle (cm), upright battens over it."""
    colour = np.array(WALL_WOODS[rng.integers(len(WALL_WOODS))] if like is None else like, float) * np.exp(
        rng.normal(0, 0.15)
    )
    shape = sheet.shape(x0, y0, x1, y1)
    if min(shape) < 2:
        return
    sheet.fill(
        x0, y0, x1, y1, planks(rng, shape, sheet.s, colour, 0.45, rng.random() < 0.12, rng.uniform(8, 26))
    )
    if not battens or rng.random() < 0.25:
        return
    wide = rng.uniform(4, 9)
    tone = rng.uniform(0.8, 1.3)
    for x in np.linspace(x0, x1, int(rng.integers(4, 6)))[1:-1] + rng.normal(0, 2):
        batten = sheet.shape(x, y0, x + wide, y1)
        if min(batten) > 1:
            sheet.shade(x + wide, y0, x + wide + 0.8, y1, 0.6)
            sheet.fill(
                x,
                y0,
                x + wide,
                y1,
                tx.paint(
                    tx.sample("wood0", rng, batten, sheet.s, 90),
                    tx.shades(np.clip(colour * tone, 5, 245), 0.4),
                ),
            )


INKS = [(20, 20, 24), (24, 24, 30), (200, 30, 36), (30, 60, 160), (20, 110, 60)]


def sign(rng, sheet, x, y, wide, high, angle=0.0, kind=None):
    """A board or sheet with the box's particulars; gives its corners (cm)."""
    kind = kind or str(
        rng.choice(["white board", "paper", "black board", "wood", "card"], p=[0.5, 0.2, 0.12, 0.08, 0.1])
    )
    ground = {
        "white board": (232, 234, 238),
        "paper": (240, 238, 232),
        "black board": (34, 40, 38),
        "wood": (196, 160, 112),
        "card": (228, 214, 150),
        "tablet": (40, 60, 110),
    }[kind]
    h, w = sheet.n(high), sheet.n(wide)
    pixels = tx.paint(
        tx.sample("clouds", rng, (h, w), sheet.s, 0, 2),
        tx.shades(np.array(ground) * rng.uniform(0.85, 1.04), 0.06, 2, rng),
    )
    light = kind in ("black board", "tablet")
    if kind == "white board" and rng.random() < 0.6:
        smear = tx.sample("splashes", rng, (h, w), sheet.s, 0, 3)
        pixels = tx.over(
            pixels, INKS[rng.integers(len(INKS))], cv2.convertScaleAbs(smear, alpha=rng.uniform(0, 0.3))
        )
    text(rng, pixels, light)
    if kind in ("white board", "black board") and rng.random() < 0.85:
        t = max(1, int(min(h, w) * rng.uniform(0.02, 0.06)))
        colour = [(176, 182, 188), (150, 154, 160), (190, 150, 100), (90, 160, 60), (60, 60, 60)][
            rng.choice(5, p=[0.5, 0.2, 0.12, 0.08, 0.1])
        ]
        cv2.rectangle(pixels, (0, 0), (w - 1, h - 1), colour, 2 * t)
    return sheet.lay(pixels, x, y, angle, shadow=rng.uniform(0.2, 0.6), reach=rng.uniform(0.3, 1.2))


def text(rng, pixels, light=False):
    """A few lines of writing over the whole of the pixels."""
    h, w = pixels.shape[:2]
    ink = (235, 235, 228) if light else INKS[rng.integers(len(INKS))]
    lines = [words(rng, "hole"), words(rng, "box"), words(rng, "span")]
    lines = (lines + [words(rng) for _ in range(int(rng.integers(0, 3)))])[: int(rng.integers(1, 6))]
    step = h * rng.uniform(0.7, 0.95) / len(lines)
    high = min(step * rng.uniform(0.5, 0.8), w * 1.3 / max(len(t) for t in lines))
    slant = rng.normal(0.05, 0.1)
    for k, t in enumerate(lines):
        if rng.random() < 0.15 and not light:
            ink = INKS[rng.integers(len(INKS))]
        write(rng, pixels, t, w * rng.uniform(0.05, 0.16), h * 0.08 + k * step, high, ink, slant=slant)


def ruler(rng, sheet, x0, x1, y, wide, side, upright=False, kind=None, like=None):
    """A ruler from x0 to x1 (cm) whose edge lies at y; `side` +1 draws it below, -1 above.

    `upright` swaps the axes: x0, x1 run down the picture and y is its x.
    """
    kind = kind or str(
        rng.choice(["wood", "steel", "white", "yellow", "bars"], p=[0.45, 0.15, 0.15, 0.12, 0.13])
    )
    h, w = sheet.n(wide), sheet.n(x1 - x0)
    ground = {
        "wood": WALL_WOODS[rng.integers(len(WALL_WOODS))],
        "steel": (178, 182, 186),
        "white": (232, 232, 228),
        "yellow": (226, 196, 60),
        "bars": (236, 236, 232),
        "red": (196, 60, 50),
    }[kind]
    if kind == "wood" and like is not None:
        ground = like
    texture = {"wood": "wood0", "steel": "scratches"}.get(kind, "clouds")
    pixels = tx.paint(
        tx.sample(texture, rng, (h, w), sheet.s),
        tx.shades(
            np.array(ground, float) * np.exp(rng.normal(0, 0.12)), 0.3 if kind == "wood" else 0.08, 3, rng
        ),
    )
    graduate(rng, pixels, sheet.s, kind)
    if side < 0:
        pixels = pixels[::-1] if rng.random() < 0.5 else pixels
    y0, y1 = (y, y + wide) if side > 0 else (y - wide, y)
    if upright:
        sheet.lay(
            np.ascontiguousarray(np.rot90(pixels, 1 if rng.random() < 0.5 else -1)),
            (y0 + y1) / 2,
            (x0 + x1) / 2,
            0,
            shadow=0.3,
        )
        return
    angle = float(rng.normal(0, 0.25)) if rng.random() < 0.5 else 0.0
    sheet.lay(np.ascontiguousarray(pixels), (x0 + x1) / 2, (y0 + y1) / 2, angle, shadow=0.3)


def graduate(rng, pixels, s, kind):
    """Ticks and numbers along a ruler, or black and white bars."""
    h, w = pixels.shape[:2]
    if kind == "bars":
        step = max(2, int(10 * s))
        for k, x in enumerate(range(0, w, step)):
            if k % 2:
                pixels[:, x : x + step] = pixels[:, x : x + step] // 8
        return
    ink = (22, 20, 20)
    line = max(1, round(rng.uniform(0.08, 0.3) * s))
    every = 1 if s > 9 and kind != "wood" else 5
    for cm in range(0, int(w / s) + 1, every):
        x = int(cm * s)
        depth = (
            h
            if cm % 10 == 0 and kind == "wood"
            else int(h * (0.5 if cm % 10 == 0 else 0.35 if cm % 5 == 0 else 0.2))
        )
        cv2.line(pixels, (x, 0), (x, depth), ink, line if cm % 5 == 0 else 1, cv2.LINE_AA)
        if cm % 10 == 0:
            write(rng, pixels, str(cm), x + 0.3 * s, h * 0.35, h * 0.5, ink, neat=0.04)


def colour_card(rng, sheet, x, y, angle):
    """A card of coloured squares."""
    n, m = [(6, 4), (10, 1), (7, 2), (4, 1)][rng.integers(4)]
    side = max(2, sheet.n(rng.uniform(1, 2.4)))
    grey = np.linspace(20, 245, n * m)[:, None] * np.ones(3)
    colours = rng.uniform(20, 240, (n * m, 3)) if rng.random() < 0.6 else grey
    pixels = np.repeat(np.repeat(colours.reshape(m, n, 3).astype(np.uint8), side, 0), side, 1)
    pixels = cv2.copyMakeBorder(pixels, *[max(1, side // 5)] * 4, cv2.BORDER_CONSTANT, value=(30, 30, 30))
    sheet.lay(pixels, x, y, angle, shadow=0.4)


def tag(rng, sheet, x, y, wide, high, angle):
    """A paper tag with a printed head and a number; gives its corners (cm)."""
    h, w = sheet.n(high), sheet.n(wide)
    ground = [(236, 238, 242), (242, 240, 232), (240, 220, 110), (206, 170, 122), (244, 180, 190)][
        rng.choice(5, p=[0.55, 0.2, 0.08, 0.12, 0.05])
    ]
    pixels = tx.paint(
        tx.sample("clouds", rng, (h, w), sheet.s, 0, 2),
        tx.shades(np.array(ground, float) * rng.uniform(0.88, 1.02), 0.06),
    )
    if h > 8:
        write(rng, pixels, words(rng, "id"), w * 0.2, h * 0.36, h * 0.17, (60, 60, 70), 1)
        cv2.line(pixels, (0, int(h * 0.3)), (w, int(h * 0.3)), (120, 124, 130), 1)
        write(rng, pixels, words(rng, "hole"), w * 0.2, h * 0.08, h * 0.16, (40, 40, 44), 1)
        write(rng, pixels, words(rng, "span"), w * 0.15, h * 0.66, h * 0.16, (70, 80, 150), 1)
    return sheet.lay(pixels, x, y, angle, shadow=0.45, reach=0.5)


def limb(rng, sheet, points, thick, colour, tip=None):
    """A long rounded thing along the points (cm): a finger, an arm, a hose, a handle."""
    for part, tone in ((1.0, 0.55), (0.86, 0.85), (0.55, 1.05)):
        sheet.line(points, np.clip(np.array(colour) * tone, 0, 255), thick * part)
    if tip is not None:
        sheet.line(points[-2:], tip, thick * 0.7)


SKINS = [(206, 160, 132), (150, 104, 78), (96, 66, 50), (226, 184, 160)]

GLOVES = [(60, 70, 90), (206, 120, 40), (220, 220, 214), (40, 44, 46), (190, 200, 60)]


def hand(rng, sheet, x, y, toward):
    """A hand or glove that reaches in from the direction `toward` (radians)."""
    colour = SKINS[rng.integers(len(SKINS))] if rng.random() < 0.6 else GLOVES[rng.integers(len(GLOVES))]
    sleeve = rng.uniform(20, 220, 3)
    u = np.array([np.cos(toward), np.sin(toward)])
    v = np.array([-u[1], u[0]])
    at = np.array([x, y])
    limb(rng, sheet, np.array([at + u * 14, at + u * 60]), 9, sleeve)
    limb(rng, sheet, np.array([at + u * 5, at + u * 14]), 7.5, colour)
    for k in np.linspace(-3, 3, 4):
        end = at + v * k * 1.15 - u * (6 - abs(k) * 0.5)
        limb(rng, sheet, np.array([at + u * 5 + v * k, at + v * k, end]), 1.9, colour)
    limb(rng, sheet, np.array([at + u * 8 + v * 3, at + v * 6 + u * 2]), 2.1, colour)


LEATHERS = [(60, 48, 38), (110, 84, 54), (30, 30, 32), (90, 90, 60)]


def boot(rng, sheet, x, y, angle, leather=None):
    """A boot seen from above, its toe up where `angle` is 0."""
    h, w = sheet.n(28), sheet.n(10.5)
    mask = np.zeros((h, w), np.uint8)
    cv2.ellipse(mask, (w // 2, int(h * 0.28)), (w // 2 - 1, int(h * 0.27)), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.ellipse(
        mask, (w // 2, int(h * 0.72)), (int(w * 0.42), int(h * 0.27)), 0, 0, 360, 255, -1, cv2.LINE_AA
    )
    colour = np.array(LEATHERS[rng.integers(4)] if leather is None else leather, float)
    pixels = tx.paint(tx.sample("rough", rng, (h, w), sheet.s), tx.shades(colour, 0.5, 4, rng))
    pixels[int(h * 0.6) :] = pixels[int(h * 0.6) :] // 2
    sheet.lay(pixels, x, y, angle, mask, shadow=0.6, reach=2)


TROUSERS = [(52, 60, 82), (70, 66, 58), (36, 36, 40), (206, 96, 40), (96, 104, 84)]


def legs(rng, sheet, x, y, angle):
    """Somebody who stands there, seen from above: boots and trousers, toes at (x, y); gives their corners (cm).

    `angle` is where the toes point, degrees clockwise from up.
    """
    t = np.deg2rad(angle)
    ahead, aside = np.array([np.sin(t), -np.cos(t)]), np.array([np.cos(t), np.sin(t)])
    colour, apart, far = TROUSERS[rng.integers(len(TROUSERS))], rng.uniform(7, 14), rng.uniform(30, 90)
    at, leather = np.array([x, y], float), LEATHERS[rng.integers(4)]
    for side in (-1, 1):
        heel = at + side * apart * aside - (22 + rng.normal(0, 3)) * ahead
        boot(rng, sheet, *(heel + 8 * ahead), angle + side * rng.uniform(0, 14), leather)
        limb(rng, sheet, np.array([heel, heel - far * ahead - side * 0.2 * apart * aside]), 13, colour)
    reach, back = 1.2 * apart + 8, 32 + far
    return np.array([at - reach * aside, at + reach * aside, at + reach * aside - back * ahead,
                     at - reach * aside - back * ahead])


def tool(rng, sheet, x, y, angle):
    """A pen, hammer, brush, bottle or tape: something small beside the box."""
    t = np.deg2rad(angle)
    u, v = np.array([np.cos(t), np.sin(t)]), np.array([-np.sin(t), np.cos(t)])
    at = np.array([x, y])
    colour = rng.uniform(20, 230, 3)
    kind = rng.integers(4)
    if kind == 0:
        limb(rng, sheet, np.array([at - 7 * u, at + 7 * u]), 1.1, colour, (20, 20, 20))
    elif kind == 1:
        limb(rng, sheet, np.array([at - 16 * u, at + 12 * u]), 2.6, colour)
        limb(rng, sheet, np.array([at + 13 * u - 8 * v, at + 13 * u + 8 * v]), 2.6, (90, 94, 100))
    elif kind == 2:
        limb(rng, sheet, np.array([at - 8 * u, at + 8 * u]), 7, colour)
        limb(rng, sheet, np.array([at + 8 * u, at + 11 * u]), 3, (230, 230, 230))
    else:
        bend = np.cumsum(rng.normal(0, 12, (9, 2)), 0) + at
        limb(rng, sheet, cv2.blur(bend.astype(np.float32), (1, 3)), rng.uniform(0.6, 2.5), colour)
