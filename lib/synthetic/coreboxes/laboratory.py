"""The oil-well laboratory: metal trays of one column each, standing side by side, with title, rulers and colour bars."""

import numpy as np

from lib.synthetic import textures as tx
from lib.synthetic.coreboxes import boxes, prints, rendering, rocks, slabs, truths
from lib.synthetic.coreboxes.composition import Composition
from lib.synthetic.coreboxes.floors import planks

METALS = {  # tray's colour (RGB), texture, contrast
    "cream steel": ([(226, 222, 208), (206, 200, 186)], "scratches", 0.12),
    "zinc": ([(176, 180, 184), (150, 154, 158)], "scratches", 0.2),
    "white tray": ([(238, 238, 236)], "clouds", 0.06),
    "brown steel": ([(150, 118, 86), (120, 96, 74)], "scratches", 0.25),
}
HELD_OUT_METALS = {
    "black steel": ([(48, 48, 52)], "scratches", 0.25),
    "green tray": ([(96, 140, 116)], "clouds", 0.12),
}
BACKGROUNDS = {
    "wooden board": (206, 164, 120),
    "white board": (232, 232, 232),
    "grey cloth": (150, 152, 156),
    "black": (12, 12, 13),
}
HELD_OUT_BACKGROUNDS = {"blue cloth": (70, 96, 150), "pink board": (226, 190, 180)}


def tray(rng, shifted):
    """A metal tray about a metre long with one channel."""
    table = HELD_OUT_METALS if shifted else METALS
    colours, texture, contrast = table[str(rng.choice(list(table)))]
    box = boxes.measure(rng, shifted, 5.0, 1)
    breadth, wall, length = rng.uniform(8, 15), rng.uniform(0.25, 1.1), rng.uniform(80, 108)
    ends = rng.uniform(0.6, 2.4, 2)
    box.length, box.breadth, box.rows = length, breadth, [(wall, breadth - wall)]
    box.ends, box.core, box.depth = (ends[0], length - ends[1]), breadth - 2 * wall, rng.uniform(1.5, 4)
    box.material, box.build, box.round = "metal tray", "sheet", 0.0
    box.colour = np.array(colours[rng.integers(len(colours))], float) * rng.uniform(0.9, 1.03)
    box.texture, box.contrast = texture, contrast
    box.extra |= {"dirt": 0.0, "dusty": False, "empty": (0,)}
    return box


def trays(rng, size, shifted):
    """3 to 8 trays side by side, standing or lying: one box whose rows are the trays."""
    made = Composition(rng, size, shifted, "trays")
    box = tray(rng, shifted)
    count, gap = int(rng.integers(3, 9)), float(rng.choice([0.0, 0.4, 1.2]) * rng.uniform(0.3, 1.5))
    stands = rng.random() < (0.85 if size[1] >= size[0] else 0.65)
    step = box.breadth + gap
    wide = count * step - gap
    made.aim(*((wide, box.length) if stands else (box.length, wide)), frame(rng), box)
    background(made)
    boxes.snap(box, made.sheet.s)
    step = np.round((box.breadth + gap) * made.sheet.s) / made.sheet.s
    kinds = [rocks.rock(rng, shifted)]
    kinds += [rocks.kin(rng, kinds[0]) for _ in range(int(rng.integers(1, 4)))]
    uneven = rng.uniform(0, 0.5)
    filled = made_fillings(rng, count)
    laid = []
    for k in range(count):
        slip = np.clip(rng.normal(0, uneven), -0.5, 0.5) if uneven > 0.1 else 0.0
        laid.append(lay(made, box, kinds, k * step, slip, stands, filled[k]))
    made.placed = [hull(laid)]
    beside(made, laid, stands)
    return made.finished()


def frame(rng):
    """Where the trays lie in the picture: mostly nearly filling it, now and then beyond its border."""
    u, v = np.clip(rng.normal((0.5, 0.7), 0.15), 0, 1)
    span = (
        rng.uniform(0.8, 0.97)
        if rng.random() < 0.65
        else rng.uniform(0.95, 1.02)
        if rng.random() < 0.7
        else rng.uniform(0.55, 0.8)
    )
    if rng.random() < 0.06:
        return u, float(rng.integers(0, 2)), rng.uniform(1.03, 1.25), 0.0, 0.0
    return u, v, float(span), 0.0, 0.0


def background(made):
    """A board or cloth in place of the floor, in seven of ten pictures."""
    rng = made.rng
    if rng.random() < 0.3:
        return
    table = HELD_OUT_BACKGROUNDS if made.shifted else BACKGROUNDS
    made.floor = str(rng.choice(list(table)))
    colour, shape = np.array(table[made.floor]) * rng.uniform(0.85, 1.06), made.sheet.pixels.shape[:2]
    if made.floor == "wooden board":
        made.sheet.pixels[:] = planks(rng, shape, made.sheet.s, colour, 0.2, rng.random() < 0.5, 60, 0.0)
    else:
        made.sheet.pixels[:] = tx.paint(
            tx.sample("clouds", rng, shape, made.sheet.s, 0, 3), tx.shades(colour, 0.08)
        )


def made_fillings(rng, count):
    """How much of each tray holds core: all, but for the last one or two in a third of the pictures."""
    filled = [1.0 if rng.random() < 0.85 else float(rng.uniform(0.5, 1)) for _ in range(count)]
    if rng.random() < 0.35:
        filled[-1] = float(rng.uniform(0, 0.8))
    return filled


def lay(made, box, kinds, at, slip, stands, filled):
    """One tray drawn, filled with slabbed core, and laid `at` cm along the group; gives it as placed."""
    rng, s = made.rng, made.sheet.s
    sheet, cover, _ = rendering.draw(rng, box, s, np.array([box.length, box.breadth]) / 2, made.view.height)
    (a, b), (x0, x1) = box.rows[0], box.ends
    shape = sheet.shape(x0, a, x1, b)
    ground = box.colour * rng.uniform(0.8, 1.0) if rng.random() < 0.6 else np.full(3, rng.uniform(220, 250))
    if min(shape) > 1:
        habit = "broken" if rng.random() < 0.6 else "whole"
        pixels = slabs.slab(rng, kinds, shape, s, np.clip(ground, 0, 255), habit, (0.0, filled))
        sheet.fill(x0, a, x1, b, pixels)
        sheet.shade(x0, a, x1, a + 0.06 * (b - a), rng.uniform(0.5, 0.9))
    pixels = np.ascontiguousarray(np.rot90(sheet.pixels, -1)) if stands else sheet.pixels
    cover = np.ascontiguousarray(np.rot90(cover, -1)) if stands and cover is not None else cover
    size = np.array(pixels.shape[1::-1]) / s
    low = np.array([at, slip]) if stands else np.array([slip, at])
    low = np.round(low * s) / s
    corners = made.sheet.lay(pixels, *(low + size / 2), 0.0, cover, shadow=rng.uniform(0.2, 0.6), reach=0.8)
    return truths.placed(box, corners, stands)


def hull(laid):
    """The trays as one box: the outer corners of the outer trays, each tray's channel a row."""
    first, last = laid[0], laid[-1]
    lies = np.ptp(first.outer, axis=0)[0] > np.ptp(first.outer, axis=0)[1]

    def around(name):
        a, b = truths.by_position(getattr(first, name)), truths.by_position(getattr(last, name))
        return np.array([a[0], a[1], b[2], b[3]] if lies else [a[0], b[1], b[2], a[3]])

    return truths.Placed(around("outer"), around("inner"), np.concatenate([item.rows for item in laid]))


def beside(made, laid, stands):
    """Title card above, depth labels at the trays' ends, rulers and colour bars at the sides and between."""
    rng, sheet = made.rng, made.sheet
    w, h, s = made.wide, made.high, sheet.s
    if rng.random() < 0.8:
        card(made, -rng.uniform(0.0, 0.2) * w, w * rng.uniform(1.0, 1.2), rng.uniform(0.05, 0.13) * h)
    if rng.random() < 0.7:
        for item in laid:
            if rng.random() < 0.9:
                tag_end(made, item, stands)
    for side in (-1, 1):
        if rng.random() < 0.7:
            wide, gap = rng.uniform(2, 5), rng.uniform(0, 2)
            shape = sheet.n(h * rng.uniform(0.8, 1.02)), sheet.n(wide)
            bar = rng.random() < (0.25 if side < 0 else 0.6)
            accent = [(200, 40, 40), None, (40, 60, 160)][rng.integers(3)]
            pixels = (
                prints.colour_bar(rng, shape)
                if bar
                else prints.scale_bar(rng, shape, rng.random() < 0.3, accent)
            )
            x = -gap - wide / 2 if side < 0 else w + gap + wide / 2
            sheet.lay(pixels, x, h - shape[0] / s / 2, float(rng.normal(0, 0.2)), shadow=0.3)


def card(made, x0, x1, high):
    """A printed title card above the trays, touching or partly covering their upper ends."""
    rng, sheet = made.rng, made.sheet
    low = rng.uniform(-0.5, 1.5) if rng.random() < 0.5 else -rng.uniform(0, 4)
    ground = [(216, 224, 234), (240, 240, 240), (20, 20, 22), (232, 226, 206)][rng.integers(4)]
    pixels = np.full((sheet.n(high), sheet.n(x1 - x0), 3), ground, np.uint8)
    prints.title(rng, pixels, (235, 235, 235) if ground[0] < 90 else (40, 44, 50))
    sheet.lay(pixels, (x0 + x1) / 2, low - high / 2, float(rng.normal(0, 0.15)), shadow=0.3)


def tag_end(made, item, stands):
    """A depth label over the lower (or right) end of a tray, inside its edges."""
    rng, sheet = made.rng, made.sheet
    (x0, y0), (x1, y1) = item.outer.min(0), item.outer.max(0)
    across = (x1 - x0) if stands else (y1 - y0)
    wide = 0.8 * across if stands else 0.5 * across
    high = rng.uniform(0.25, 0.5) * across if stands else 0.7 * across
    ground = [(150, 190, 224), (236, 236, 230), (236, 224, 150)][rng.integers(3)]
    pixels = prints.label(rng, (sheet.n(high), sheet.n(wide)), ground)
    at = (
        ((x0 + x1) / 2, y1 - high / 2 - rng.uniform(0, 1))
        if stands
        else (x1 - wide / 2 - rng.uniform(0, 1), (y0 + y1) / 2)
    )
    sheet.lay(pixels, *at, float(rng.normal(0, 1)), shadow=0.2)
