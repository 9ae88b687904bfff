"""What lies around a box: floors, walls of planks, sign boards, rulers, cards, tools, hands, boots and shadows."""

import cv2
import numpy as np

from lib.synth import textures as tx
from lib.synth.canvas import words, write
from lib.synth.rocks import heap
from lib.synth.textures import over

FLOORS = {  # colours (RGB), texture, contrast, zoom
    "concrete": ([(132, 130, 126), (160, 156, 148), (104, 104, 102)], "rough", 0.25, 2.0),
    "dirt": ([(134, 108, 82), (112, 92, 74), (152, 126, 98)], "speckle", 0.4, 1.5),
    "red dirt": ([(160, 92, 58), (144, 78, 50)], "rough", 0.35, 1.5),
    "sand": ([(206, 182, 140), (190, 168, 132)], "grain", 0.2, 1.0),
    "gravel": ([(140, 136, 128), (120, 110, 100), (160, 150, 134)], "stones", 0.4, 1.0),
    "grass": ([(92, 108, 64), (118, 120, 76), (74, 90, 56)], "grass", 0.6, 1.0),
    "dry grass": ([(168, 148, 92), (150, 130, 86)], "grass", 0.5, 1.0),
    "snow": ([(226, 230, 238), (210, 216, 228)], "clouds", 0.12, 1.5),
    "asphalt": ([(74, 74, 76), (92, 92, 92)], "grain", 0.4, 0.7),
    "planks": ([(176, 138, 94), (148, 116, 82), (190, 154, 104), (120, 100, 80)], "planks", 0.45, 1.0),
    "grey planks": ([(132, 126, 118), (108, 102, 96)], "planks", 0.45, 1.0),
    "plywood floor": ([(196, 160, 112), (178, 142, 100)], "ply", 0.3, 1.0),
    "black cloth": ([(22, 22, 24), (34, 34, 38)], "weave", 0.4, 1.0),
    "blue tarpaulin": ([(48, 92, 158), (62, 110, 176)], "weave", 0.35, 1.0),
    "white table": ([(222, 222, 220), (206, 208, 208)], "clouds", 0.07, 2.0),
    "steel table": ([(150, 154, 158), (120, 124, 128)], "scratches", 0.2, 1.5),
    "rack": ([(44, 42, 40), (62, 58, 54)], "clouds", 0.5, 1.5),
    "mud": ([(94, 76, 60), (80, 68, 58)], "speckle", 0.5, 2.0),
    "black stand": ([(14, 14, 15), (24, 24, 24)], "clouds", 0.2, 2.0),
    "rollers": ([(150, 152, 154), (110, 112, 114)], "slots", 0.4, 1.0),
    "pallet": ([(170, 136, 96), (140, 118, 92)], "slots", 0.45, 1.0),
    "tiles": ([(186, 178, 166), (160, 164, 166)], "tiles", 0.15, 1.0),
    "moss": ([(86, 96, 58), (70, 84, 60)], "speckle", 0.5, 1.0),
}
HELD_FLOORS = {
    "orange tarpaulin": ([(206, 112, 50), (190, 100, 56)], "weave", 0.35, 1.0),
    "leaves": ([(128, 88, 52), (150, 104, 60)], "leaves", 0.5, 1.0),
    "green cloth": ([(56, 96, 72), (66, 104, 84)], "weave", 0.3, 1.0),
    "checker plate": ([(150, 152, 150), (126, 130, 132)], "plate", 0.3, 1.0),
    "brick": ([(158, 96, 76), (140, 84, 70)], "tiles", 0.3, 1.0),
    "salt flat": ([(224, 216, 204), (212, 200, 186)], "rough", 0.15, 1.5),
}


def floor(rng, shape, s, name):
    """Ground of the named kind, RGB of the shape; in half of the pictures a little out of focus, being deeper."""
    if rng.random() < 0.5 and min(shape) > 8:
        h, w = shape
        return cv2.resize(ground(rng, ((h + 1) // 2, (w + 1) // 2), s / 2, name), (w, h), interpolation=cv2.INTER_LINEAR)
    return ground(rng, shape, s, name)


def ground(rng, shape, s, name):
    """Ground of the named kind, RGB of the shape."""
    colours, texture, contrast, zoom = (FLOORS | HELD_FLOORS)[name]
    colour = np.clip(np.array(colours[rng.integers(len(colours))]) * np.exp(rng.normal(0, 0.13)) + rng.normal(0, 5, 3), 6, 246)
    angle = float(rng.uniform(0, 360))
    table = tx.shades(colour, contrast * rng.uniform(0.6, 1.3), 4, rng)
    if texture in ("stones", "leaves"):
        kinds = [{"colour": np.clip(colour * rng.uniform(0.7, 1.2), 5, 250)} for _ in range(3)]
        name = str(rng.choice(["gravel", "rubble", "grit"])) if texture == "stones" else "boulders"
        return heap(rng, name, kinds, shape, s, float(rng.uniform(0.6, 1.6)))
    if texture == "planks":
        return planks(rng, shape, s, colour, contrast, upright=rng.random() < 0.4)
    if texture in ("slots", "tiles", "plate"):
        return {"slots": slots, "tiles": tiles, "plate": plate}[texture](rng, shape, s, colour, contrast)
    pixels = tx.paint(tx.sample(texture, rng, shape, s, angle, zoom * rng.uniform(0.7, 1.4)), table)
    if name in ("concrete", "asphalt", "white table", "steel table", "dirt") and rng.random() < 0.5:
        stains = tx.sample("splashes" if rng.random() < 0.5 else "clouds", rng, shape, s, angle, 2.5)
        pixels = over(pixels, colour * rng.uniform(0.4, 0.8), cv2.convertScaleAbs(stains, alpha=rng.uniform(0.2, 0.6)))
    if s > 4 and texture != "grain":
        grain = tx.crop("grain", rng, shape)
        pixels = cv2.addWeighted(pixels, 1, tx.tripled(grain), 0.12, -0.12 * 128)
    return pixels


def planks(rng, shape, s, colour, contrast, upright=False, wide=None, gap=None):
    """Boards side by side, each of its own tone, with dark joints between them."""
    h, w = shape[::-1] if upright else shape
    pixels = np.empty((h, w, 3), np.uint8)
    texture = str(rng.choice(["wood0", "wood1", "wood2"]))
    wide = wide or rng.uniform(7, 16)
    gap = max(1, round((gap if gap is not None else rng.choice([0.1, 0.25, 0.8])) * s))
    y = -int(rng.uniform(0, wide * s))
    while y < h:
        step = max(4, int(wide * s * rng.uniform(0.9, 1.1)))
        a, b = max(y, 0), min(y + step, h)
        if b > a:
            tone = np.exp(rng.normal(0, 0.12))
            pixels[a:b] = tx.paint(tx.sample(texture, rng, (b - a, w), s, 0, 1), tx.shades(np.clip(colour * tone, 5, 245), contrast, 4, rng))
            pixels[max(b - gap, a) : b] = pixels[max(b - gap, a) : b] // 4
        y += step
    return np.ascontiguousarray(np.rot90(pixels)) if upright else pixels


def slots(rng, shape, s, colour, contrast):
    """Bars with dark gaps: a pallet or a roller table."""
    pixels = planks(rng, shape, s, colour, contrast, rng.random() < 0.5, rng.uniform(6, 13), rng.uniform(1.5, 5))
    return pixels


def tiles(rng, shape, s, colour, contrast):
    """Tiles or bricks with joints."""
    pixels = tx.paint(tx.sample("rough", rng, shape, s, 0, 2), tx.shades(colour, contrast, 4, rng))
    a, b = max(4, int(rng.uniform(8, 30) * s)), max(4, int(rng.uniform(6, 30) * s))
    t = max(1, int(0.4 * s))
    for y in range(int(rng.integers(0, b)), shape[0], b):
        pixels[y : y + t] = pixels[y : y + t] // 2
    for x in range(int(rng.integers(0, a)), shape[1], a):
        pixels[:, x : x + t] = pixels[:, x : x + t] // 2
    return pixels


def plate(rng, shape, s, colour, contrast):
    """Chequered steel plate."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    k = 2 * np.pi / (2.6 * s)
    bump = np.maximum(np.sin(k * (x + y)) * np.cos(k * (x - y) / 2), 0) ** 3
    field = cv2.addWeighted(tx.sample("scratches", rng, shape, s), 0.6, (bump * 255).astype(np.uint8), 0.5, 20)
    return tx.paint(field, tx.shades(colour, contrast, 3, rng))


WALL_WOODS = [(170, 130, 84), (128, 96, 70), (104, 74, 56), (150, 128, 104), (196, 152, 92), (120, 112, 104), (90, 62, 48)]


def wall(rng, sheet, x0, x1, y0, y1, battens=True, like=None):
    """A wall or back rest of planks over the rectangle (cm), upright battens over it."""
    colour = np.array(WALL_WOODS[rng.integers(len(WALL_WOODS))] if like is None else like, float) * np.exp(rng.normal(0, 0.15))
    shape = sheet.shape(x0, y0, x1, y1)
    if min(shape) < 2:
        return
    sheet.fill(x0, y0, x1, y1, planks(rng, shape, sheet.s, colour, 0.45, rng.random() < 0.12, rng.uniform(8, 26)))
    if not battens or rng.random() < 0.25:
        return
    wide = rng.uniform(4, 9)
    tone = rng.uniform(0.8, 1.3)
    for x in np.linspace(x0, x1, int(rng.integers(4, 6)))[1:-1] + rng.normal(0, 2):
        batten = sheet.shape(x, y0, x + wide, y1)
        if min(batten) > 1:
            sheet.shade(x + wide, y0, x + wide + 0.8, y1, 0.6)
            sheet.fill(x, y0, x + wide, y1, tx.paint(tx.sample("wood0", rng, batten, sheet.s, 90), tx.shades(np.clip(colour * tone, 5, 245), 0.4)))


INKS = [(20, 20, 24), (24, 24, 30), (200, 30, 36), (30, 60, 160), (20, 110, 60)]


def sign(rng, sheet, x, y, wide, high, angle=0.0, kind=None):
    """A board or sheet with the box's particulars; gives its corners (cm)."""
    kind = kind or str(rng.choice(["white board", "paper", "black board", "wood", "card"], p=[0.5, 0.2, 0.12, 0.08, 0.1]))
    ground = {"white board": (232, 234, 238), "paper": (240, 238, 232), "black board": (34, 40, 38), "wood": (196, 160, 112),
              "card": (228, 214, 150), "tablet": (40, 60, 110)}[kind]
    h, w = sheet.n(high), sheet.n(wide)
    pixels = tx.paint(tx.sample("clouds", rng, (h, w), sheet.s, 0, 2), tx.shades(np.array(ground) * rng.uniform(0.85, 1.04), 0.06, 2, rng))
    light = kind in ("black board", "tablet")
    if kind == "white board" and rng.random() < 0.6:
        smear = tx.sample("splashes", rng, (h, w), sheet.s, 0, 3)
        pixels = over(pixels, INKS[rng.integers(len(INKS))], cv2.convertScaleAbs(smear, alpha=rng.uniform(0, 0.3)))
    text(rng, pixels, light)
    if kind in ("white board", "black board") and rng.random() < 0.85:
        t = max(1, int(min(h, w) * rng.uniform(0.02, 0.06)))
        colour = [(176, 182, 188), (150, 154, 160), (190, 150, 100), (90, 160, 60), (60, 60, 60)][rng.choice(5, p=[0.5, 0.2, 0.12, 0.08, 0.1])]
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
    kind = kind or str(rng.choice(["wood", "steel", "white", "yellow", "bars"], p=[0.45, 0.15, 0.15, 0.12, 0.13]))
    h, w = sheet.n(wide), sheet.n(x1 - x0)
    ground = {"wood": WALL_WOODS[rng.integers(len(WALL_WOODS))], "steel": (178, 182, 186), "white": (232, 232, 228), "yellow": (226, 196, 60),
              "bars": (236, 236, 232), "red": (196, 60, 50)}[kind]
    if kind == "wood" and like is not None:
        ground = like
    texture = {"wood": "wood0", "steel": "scratches"}.get(kind, "clouds")
    pixels = tx.paint(tx.sample(texture, rng, (h, w), sheet.s), tx.shades(np.array(ground, float) * np.exp(rng.normal(0, 0.12)), 0.3 if kind == "wood" else 0.08, 3, rng))
    graduate(rng, pixels, sheet.s, kind)
    if side < 0:
        pixels = pixels[::-1] if rng.random() < 0.5 else pixels
    y0, y1 = (y, y + wide) if side > 0 else (y - wide, y)
    if upright:
        sheet.lay(np.ascontiguousarray(np.rot90(pixels, 1 if rng.random() < 0.5 else -1)), (y0 + y1) / 2, (x0 + x1) / 2, 0, shadow=0.3)
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
        depth = h if cm % 10 == 0 and kind == "wood" else int(h * (0.5 if cm % 10 == 0 else 0.35 if cm % 5 == 0 else 0.2))
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
    ground = [(236, 238, 242), (242, 240, 232), (240, 220, 110), (206, 170, 122), (244, 180, 190)][rng.choice(5, p=[0.55, 0.2, 0.08, 0.12, 0.05])]
    pixels = tx.paint(tx.sample("clouds", rng, (h, w), sheet.s, 0, 2), tx.shades(np.array(ground, float) * rng.uniform(0.88, 1.02), 0.06))
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


def boot(rng, sheet, x, y, angle):
    """A boot seen from above."""
    h, w = sheet.n(28), sheet.n(10.5)
    mask = np.zeros((h, w), np.uint8)
    cv2.ellipse(mask, (w // 2, int(h * 0.28)), (w // 2 - 1, int(h * 0.27)), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.ellipse(mask, (w // 2, int(h * 0.72)), (int(w * 0.42), int(h * 0.27)), 0, 0, 360, 255, -1, cv2.LINE_AA)
    colour = np.array([(60, 48, 38), (110, 84, 54), (30, 30, 32), (90, 90, 60)][rng.integers(4)], float)
    pixels = tx.paint(tx.sample("rough", rng, (h, w), sheet.s), tx.shades(colour, 0.5, 4, rng))
    pixels[int(h * 0.6) :] = pixels[int(h * 0.6) :] // 2
    sheet.lay(pixels, x, y, angle, mask, shadow=0.6, reach=2)


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


def shadows(rng, shape):
    """Gain of hard or soft shadows over a picture, float32 (h, w): people, poles, branches, roof edges."""
    h, w = shape
    gain = np.full((h, w), 255, np.uint8)
    deep = int(rng.uniform(90, 200))
    kind = rng.integers(4)
    if kind == 0:  # the photographer
        x, r = rng.uniform(0.1, 0.9) * w, rng.uniform(0.08, 0.16) * w
        cv2.ellipse(gain, (int(x), int(h * rng.uniform(0.35, 0.8))), (int(r), int(r * 1.2)), 0, 0, 360, deep, -1, cv2.LINE_AA)
        pts = np.array([[x - 2 * r, h * 1.1], [x - 1.6 * r, h * 0.85], [x + 1.6 * r, h * 0.85], [x + 2 * r, h * 1.1]])
        cv2.fillPoly(gain, [pts.astype(np.int32)], deep, cv2.LINE_AA)
    elif kind == 1:  # an edge across the picture
        t, d = rng.uniform(0, 2 * np.pi), rng.uniform(-0.35, 0.35)
        n, c = np.array([np.cos(t), np.sin(t)]), np.array([w, h]) * 0.5
        a = c + n * d * w
        side = np.array([-n[1], n[0]]) * 3 * w
        cv2.fillPoly(gain, [np.array([a - side, a + side, a + side + n * 3 * w, a - side + n * 3 * w]).astype(np.int32)], deep, cv2.LINE_AA)
    else:  # bars or branches
        for _ in range(int(rng.integers(1, 7))):
            a, b = rng.uniform(-0.3, 1.3, (2, 2)) * (w, h)
            cv2.line(gain, tuple(int(q) for q in a), tuple(int(q) for q in b), deep, max(1, int(rng.uniform(0.005, 0.05) * w)), cv2.LINE_AA)
    return cv2.GaussianBlur(gain, (0, 0), float(np.exp(rng.uniform(np.log(0.4), np.log(6)))))


def stamp(rng, pixels):
    """A date in a corner of the picture, as cameras burn it in."""
    h, w = pixels.shape[:2]
    high = h * rng.uniform(0.025, 0.05)
    text_ = f"{rng.integers(1, 29):02d}.{rng.integers(1, 13):02d}.{rng.integers(1998, 2026)}"
    x = w * (rng.uniform(0.02, 0.1) if rng.random() < 0.25 else rng.uniform(0.7, 0.8))
    y = h * rng.uniform(0.9, 0.97) - high * 0.5 if rng.random() < 0.9 else h * 0.03
    colour = [(250, 210, 40), (250, 130, 40), (250, 250, 250)][rng.integers(3)]
    write(rng, pixels, text_, x, y, high, colour, max(1, high * 0.1), neat=0.0)

