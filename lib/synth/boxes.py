"""The box itself: its measures, what it is made of, and its picture seen straight from above.

Box coordinates are centimetres from the outer top left corner, rows along x. Everything at the rim lies exactly
where the measures say; what lies deeper is seen through the camera's parallax.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from lib.synth import rocks
from lib.synth import textures as tx
from lib.synth.canvas import Sheet, words, write

# name: colours to choose from (RGB), texture, contrast, how it is built
MATERIALS = {
    "new pine": ([(214, 176, 120), (226, 196, 146), (200, 158, 104)], ("wood0", "wood1", "wood2"), 0.3, "boards"),
    "used pine": ([(176, 140, 96), (160, 128, 92), (186, 146, 94)], ("wood0", "wood1", "wood2"), 0.45, "boards"),
    "grey wood": ([(140, 134, 126), (118, 112, 106), (160, 156, 150)], ("wood0", "wood2"), 0.45, "boards"),
    "dark wood": ([(92, 66, 48), (72, 54, 44), (58, 48, 42)], ("wood0", "wood2"), 0.5, "boards"),
    "white wood": ([(222, 218, 208), (206, 200, 186)], ("wood2", "ply"), 0.15, "boards"),
    "painted wood": ([(70, 96, 140), (150, 60, 48), (186, 160, 60), (92, 112, 120)], ("wood2", "ply"), 0.3, "boards"),
    "plywood": ([(206, 170, 122), (190, 150, 106)], ("ply",), 0.25, "boards"),
    "grey plastic": ([(128, 132, 136), (98, 102, 108), (160, 162, 164)], ("scratches", "clouds"), 0.15, "tray"),
    "white plastic": ([(226, 228, 226), (206, 208, 204)], ("scratches", "clouds"), 0.1, "tray"),
    "black plastic": ([(40, 42, 44), (58, 60, 62)], ("scratches", "clouds"), 0.3, "tray"),
    "yellow plastic": ([(216, 178, 52), (204, 150, 44)], ("scratches", "clouds"), 0.15, "tray"),
    "blue plastic": ([(58, 96, 152), (82, 122, 168)], ("scratches", "clouds"), 0.2, "tray"),
    "galvanised": ([(168, 174, 178), (146, 152, 158), (190, 196, 198)], ("scratches", "speckle"), 0.22, "sheet"),
    "rusty steel": ([(128, 92, 68), (110, 76, 58), (140, 116, 96)], ("rough", "speckle"), 0.5, "sheet"),
    "dull steel": ([(104, 106, 106), (84, 86, 88)], ("scratches", "rough"), 0.3, "sheet"),
    "cardboard": ([(186, 150, 108), (168, 132, 92)], ("clouds", "ply"), 0.15, "card"),
    "waxed white card": ([(214, 208, 196), (196, 188, 172)], ("clouds", "scratches"), 0.12, "card"),
}
HELD_MATERIALS = {
    "red plastic": ([(176, 60, 48), (150, 52, 46)], ("scratches", "clouds"), 0.18, "tray"),
    "sea green plastic": ([(86, 146, 132), (64, 120, 104)], ("scratches", "clouds"), 0.18, "tray"),
    "aluminium": ([(196, 200, 206), (180, 184, 192)], ("scratches",), 0.2, "sheet"),
    "army green wood": ([(86, 92, 62), (70, 80, 58)], ("wood2", "ply"), 0.3, "boards"),
    "red hardwood": ([(142, 82, 58), (124, 70, 50)], ("wood0", "wood1"), 0.4, "boards"),
    "grey board": ([(150, 148, 142), (132, 130, 124)], ("clouds", "rough"), 0.15, "card"),
}
ROW_ODDS = {1: 0.04, 2: 0.09, 3: 0.25, 4: 0.19, 5: 0.16, 6: 0.09, 7: 0.05, 8: 0.05, 9: 0.04, 10: 0.04}
BUILDS = {  # chance, thinnest and widest slat, side board, end board; depth in core diameters
    "boards": ((0.6, 2.4), (0.8, 2.8), (1.0, 3.4), (0.9, 1.6)), "tray": ((0.3, 1.4), (0.4, 2.2), (0.5, 5.0), (0.6, 1.1)),
    "sheet": ((0.15, 0.9), (0.15, 1.4), (0.15, 2.6), (0.6, 1.1)), "card": ((0.2, 0.6), (0.3, 1.0), (0.3, 1.2), (0.9, 1.3)),
}


@dataclass
class Box:
    """Measures (cm) and make of one box."""

    length: float
    breadth: float
    rows: list
    ends: tuple
    depth: float
    core: float
    slat_drop: float
    material: str
    colour: np.ndarray
    texture: str
    contrast: float
    build: str
    round: float
    habit: str
    kinds: list
    look: dict
    extra: dict = field(default_factory=dict)

    def outer(self):
        """Outer corners, clockwise from the box's own top left."""
        a, b = self.length, self.breadth
        return np.array([[0, 0], [a, 0], [a, b], [0, b]], float)

    def inner(self):
        """Inner edge of the frame at the rim."""
        (x0, x1), y0, y1 = self.ends, self.rows[0][0], self.rows[-1][1]
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)

    def row_polygons(self):
        """Each row at the rim, between its slats: (rows, 4, 2)."""
        x0, x1 = self.ends
        return np.array([[[x0, a], [x1, a], [x1, b], [x0, b]] for a, b in self.rows], float)


def measure(rng, shifted=False, aspect=None, row_nb=None):
    """A box of likely measures; `aspect` (length over breadth) is kept where it can be."""
    table = HELD_MATERIALS if shifted else MATERIALS
    odds = np.array([{"boards": 2.2, "tray": 1.0, "sheet": 1.2, "card": 1.0}[v[3]] for v in table.values()])
    material = str(rng.choice(list(table), p=odds / odds.sum()))
    colours, textures, contrast, build = table[material]
    colour = np.array(colours[rng.integers(len(colours))], float) * np.exp(rng.normal(0, 0.09)) + rng.normal(0, 3, 3)
    row_nb = row_nb or int(rng.choice(list(ROW_ODDS), p=list(ROW_ODDS.values())))
    slats, sides, ends, depths = BUILDS[build]
    core = float(rng.choice([3.65, 4.76, 6.35, 8.5], p=[0.12, 0.42, 0.36, 0.1]))
    channel = core * rng.uniform(1.04, 1.35)
    slat, side, end = (float(rng.uniform(*v)) for v in (slats, sides, ends))
    other_end = end if rng.random() < 0.7 else float(rng.uniform(*ends))
    y = side + np.arange(row_nb) * (channel + slat)
    rows = [(float(v), float(v + channel)) for v in y + np.r_[0, rng.normal(0, 0.03, row_nb - 1)] * channel]
    breadth = rows[-1][1] + side * (1 if rng.random() < 0.8 else rng.uniform(0.6, 1.6))
    aspect = aspect or float(np.exp(rng.normal(np.log(3.2 if row_nb < 5 else 2.2), 0.35)))
    length = float(np.clip(breadth * np.clip(aspect, 0.5, 5.0), 22, 200))
    length = float(np.clip(length, 0.5 * breadth, 5.0 * breadth))
    end, other_end = min(end, length * 0.06), min(other_end, length * 0.06)
    drop = float(rng.uniform(0, 0.5) * core) if rng.random() < 0.25 else 0.0
    habit = str(rng.choice(["whole", "broken", "mixed", "rubble", "empty"], p=[0.26, 0.24, 0.33, 0.14, 0.03]))
    look = {"wet": float(rng.uniform(0.15, 0.7)) if rng.random() < 0.45 else 0.0, "halved": rng.random() < 0.16,
            "sun": float(rng.uniform(-0.5, 0.8))}
    kinds = [rocks.rock(rng, shifted)]
    for _ in range(int(rng.integers(0, 3))):
        kinds.append(rocks.kin(rng, kinds[0]) if rng.random() < 0.7 else rocks.rock(rng, shifted))
    return Box(length, breadth, rows, (end, length - other_end), core * rng.uniform(*depths), core, drop, material,
               np.clip(colour, 20, 245), str(rng.choice(textures)), contrast * rng.uniform(0.6, 1.2), build,
               float(rng.uniform(0.2, 1.1)) if build == "tray" and rng.random() < 0.6 else 0.0, habit,
               kinds, look)


def snap(box, s):
    """The box with its outer measures rounded to whole sheet pixels, so that its edges are exact."""
    length, breadth = round(box.length * s) / s, round(box.breadth * s) / s
    box.ends = (box.ends[0], box.ends[1] + length - box.length)
    kx = (breadth) / box.breadth
    box.rows = [(a * kx, b * kx) for a, b in box.rows]
    box.length, box.breadth = length, breadth
    return box


def member(rng, box, shape, s, upright=False, tone=1.0):
    """A board, strip or edge of the box's material, RGB of the shape; grain along its length."""
    colour = box.colour * tone * np.exp(rng.normal(0, 0.05 if box.build == "boards" else 0.015))
    field_ = tx.sample(box.texture, rng, shape, s, 90 if upright else 0, 1.0)
    pixels = tx.paint(field_, tx.shades(colour, box.contrast, 3, rng))
    if box.build == "boards" and min(shape) > 3:
        pixels = cv2.addWeighted(pixels, 1, tx.tripled(tx.crop("grain", rng, shape)), 0.1, -12.8)
    if box.extra.get("dirt", 0) > 0.1:
        mask = cv2.subtract(tx.sample("clouds", rng, shape, s, 0, 1.2), 255 - 255 * box.extra["dirt"])
        pixels = tx.over(pixels, box.extra["dirt_colour"], mask)
    return pixels


def draw(rng, box, s, foot, height, light=0.8):
    """The box at s px a centimetre from above a foot point: pixels (H, W, 3), cover (H, W) and what lies in it."""
    h, w = round(box.breadth * s), round(box.length * s)
    sheet = Sheet(np.empty((h, w, 3), np.uint8), s)
    box.extra.setdefault("dirt", float(rng.uniform(0, 0.8)) if rng.random() < 0.35 else 0.0)
    box.extra.setdefault("dirt_colour", np.array([[120, 96, 74], [96, 88, 80], [150, 92, 60]][rng.integers(3)], float))

    def sink(x, y, depth):
        return np.asarray(foot) + (np.array([x, y]) - foot) * (height / (height + depth))

    sheet.pixels[:] = member(rng, box, (h, w), s, tone=rng.uniform(0.4, 0.75))
    pieces = []
    for k, (a, b) in enumerate(box.rows):
        walls(rng, sheet, box, a, b, sink, light)
        for piece in contents(rng, sheet, box, a, b, sink):
            pieces.append(piece | {"row": k})
    slats(rng, sheet, box, sink)
    rim(rng, sheet, box)
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
    quads = {"top": ((x0, a), (x1, a), (hi[0], lo[1]), (lo[0], lo[1])), "bottom": ((x0, b), (x1, b), (hi[0], hi[1]), (lo[0], hi[1])),
             "left": ((x0, a), (lo[0], lo[1]), (lo[0], hi[1]), (x0, b)), "right": ((x1, a), (hi[0], lo[1]), (hi[0], hi[1]), (x1, b))}
    for name, quad in quads.items():
        sheet.polygon(np.array(quad), base * tones[name] * rng.uniform(0.85, 1.1))
    sheet.shade(x0, a, x1, a + (b - a) * rng.uniform(0.1, 0.3), rng.uniform(0.55, 0.95))


def contents(rng, sheet, box, a, b, sink):
    """Core, rubble, blocks and gaps of one row, from left to right; gives the pieces of whole core."""
    low = box.depth - box.core / 2
    x0, x1 = sink(box.ends[0], a, low)[0], sink(box.ends[1], a, low)[0]
    mid = sink(0, (a + b) / 2, low)[1]
    pieces = []
    x = max(x0, 0) + abs(rng.normal(0, 0.3))
    while x < x1 - 1.0:
        what = segment(rng, box.habit)
        stop = min(x1 - 0.1, x + rng.gamma(2.0, box.length * (0.3 if what in ("whole", "rubble") else 0.12)) + 2)
        if what == "block":
            stop = min(x1 - 0.1, x + rng.uniform(1.5, 5))
        pieces += one(rng, sheet, box, what, x, stop, mid, a, b)
        x = stop + (abs(rng.normal(0, 0.2)) if rng.random() < 0.8 else rng.gamma(1.5, 2.0))
    return pieces


SEGMENTS = {  # whole, broken, discs, rubble, mud, gap, block
    "whole": (0.78, 0.1, 0.02, 0.02, 0.0, 0.02, 0.06), "broken": (0.14, 0.62, 0.07, 0.09, 0.01, 0.02, 0.05),
    "mixed": (0.3, 0.29, 0.05, 0.25, 0.03, 0.02, 0.06), "rubble": (0.03, 0.07, 0.02, 0.77, 0.05, 0.02, 0.04),
    "empty": (0.02, 0.02, 0.0, 0.05, 0.0, 0.86, 0.05),
}


def segment(rng, habit):
    """What comes next in a row."""
    return str(rng.choice(["whole", "broken", "discs", "rubble", "mud", "gap", "block"], p=SEGMENTS[habit]))


def one(rng, sheet, box, what, x, stop, mid, a, b):
    """One stretch of a row drawn; gives its pieces of whole core."""
    kind = box.kinds[rng.integers(len(box.kinds))]
    look = box.look
    if what in ("whole", "broken", "discs"):
        return rocks.whole(rng, sheet, kind, x, stop, mid + rng.normal(0, 0.08), box.core * rng.uniform(0.94, 1.02), what, look)
    if what == "rubble":
        rocks.rubble(rng, sheet, box.kinds, x, stop, mid, min(box.core * 1.08, b - a), look)
    elif what == "mud":
        rocks.mud(rng, sheet, kind, x, stop, mid, box.core)
    elif what == "block":
        block(rng, sheet, box, x, stop, mid)
    return []


BLOCKS = [(206, 168, 116), (224, 196, 150), (176, 120, 78), (232, 226, 212), (220, 180, 40), (206, 96, 48), (70, 120, 170),
          (120, 170, 90)]


def block(rng, sheet, box, x, stop, mid):
    """A driller's block of wood or plastic across the row, written on."""
    s = sheet.s
    h, w = sheet.n(box.core * rng.uniform(0.7, 1.0)), sheet.n(stop - x)
    pixels = tx.paint(tx.sample("wood0", rng, (h, w), s, 90, 1), tx.shades(BLOCKS[rng.integers(len(BLOCKS))], 0.25))
    ink = [(20, 20, 30), (30, 40, 140), (180, 20, 20)][rng.integers(3)]
    turned = np.rot90(pixels).copy() if w < h else pixels
    lines = int(rng.integers(1, 5))
    size = turned.shape[0] / (lines + 0.5)
    for k in range(lines):
        write(rng, turned, words(rng), 0.06 * turned.shape[1], (k + 0.3) * size, size * 0.62, ink)
    pixels = np.rot90(turned, -1).copy() if w < h else turned
    sheet.lay(pixels, (x + stop) / 2, mid, float(rng.normal(0, 4)), shadow=0.6)


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
        sheet.shade(x0, yb, x1, yb + 0.12 * box.core, 0.6)
        sheet.shade(x0, ya - 0.05 * box.core, x1, ya, 0.75)
        sheet.fill(x0, ya, x1, yb, strip)
        if box.build == "boards" and rng.random() < 0.25:
            scribbles(rng, sheet, x0, x1, ya, yb)


def rolled(strip, sun):
    """A strip of bent metal or moulded plastic: light on one side, dark on the other."""
    h = strip.shape[0]
    v = (np.arange(h, dtype=np.float32) + 0.5) / h * 2 - 1
    return tx.gained(strip, (1.05 - 0.35 * sun * v - 0.25 * v**2)[:, None])


def scribbles(rng, sheet, x0, x1, ya, yb):
    """Depths and arrows written on a slat or rim."""
    high = (yb - ya) * sheet.s * 0.7
    if high < 3:
        return
    ink = [(25, 25, 30), (30, 40, 130), (190, 25, 25), (20, 110, 60)][rng.integers(4)]
    for _ in range(int(rng.integers(1, 4))):
        x, y = sheet.px((rng.uniform(x0, x1 - 8), ya))
        ys = slice(max(int(y), 0), int(y + (yb - ya) * sheet.s))
        write(rng, sheet.pixels[ys], str(rng.choice([">", words(rng, "depth"), words(rng, "box")])), x, high * 0.2, high, ink)


def rim(rng, sheet, box):
    """The four outer members of the frame with their joints."""
    (x0, x1), y0, y1 = box.ends, box.rows[0][0], box.rows[-1][1]
    a, b = box.length, box.breadth
    through = rng.random() < 0.6  # whose ends show at the corners: the end boards or the side boards
    parts = {"top": (x0 if through else 0, 0, x1 if through else a, y0), "bottom": (x0 if through else 0, y1, x1 if through else a, b),
             "left": (0, 0 if through else y0, x0, b if through else y1), "right": (x1, 0 if through else y0, a, b if through else y1)}
    tones = rng.normal(1.0, 0.05 if box.build == "boards" else 0.02, 4)
    for (name, part), tone in zip(parts.items(), tones, strict=True):
        shape = sheet.shape(*part)
        if min(shape) < 1:
            continue
        upright = name in ("left", "right")
        pixels = member(rng, box, shape, sheet.s, upright, tone)
        if box.build in ("tray", "sheet"):
            pixels = np.rot90(rolled(np.rot90(pixels), box.look["sun"]), -1) if upright else rolled(pixels, box.look["sun"])
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
                    cv2.circle(sheet.pixels, tuple(int(v) for v in centre), max(1, int(0.16 * sheet.s)), tuple(dark.tolist()), -1, cv2.LINE_AA)
    edge = rng.uniform(0.55, 1.25)
    t = 1.01 / sheet.s + rng.uniform(0, 0.12)
    for strip in ((0, 0, box.length, t), (0, box.breadth - t, box.length, box.breadth), (0, 0, t, box.breadth),
                  (box.length - t, 0, box.length, box.breadth)):
        if rng.random() < 0.6:
            sheet.shade(*strip, edge * rng.uniform(0.9, 1.1))


def handles(rng, sheet, box):
    """Dark slots or holes in the end members."""
    (x0, x1) = box.ends
    for xa, xb in ((0, x0), (x1, box.length)):
        if xb - xa > 1.2 and rng.random() < 0.6:
            mid, half = box.breadth / 2, min(5.0, box.breadth * 0.2)
            x = (xa + xb) / 2
            sheet.polygon(np.array([(x - 0.3, mid - half), (x + 0.3, mid - half), (x + 0.3, mid + half), (x - 0.3, mid + half)]),
                          box.colour * 0.2, 0.9)


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
            xs, ys = sorted((x, x + (reach if x == 0 else -reach))), sorted((y, y + (wide if y == 0 else -wide)))
            sheet.fill(xs[0], ys[0], xs[1], ys[1], colour)
            xs, ys = sorted((x, x + (wide if x == 0 else -wide))), sorted((y, y + (reach if y == 0 else -reach)))
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
            mask[:r, :r], mask[:r, -r:], mask[-r:, -r:], mask[-r:, :r] = disc[:r, :r], disc[:r, r:], disc[r:, r:], disc[r:, :r]
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
