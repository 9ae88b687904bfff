"""Pictures of a yard's ground with several things on it, and the names of all that is to be seen."""

import cv2
import numpy as np

from lib.synthetic import light
from lib.synthetic import textures as tx
from lib.synthetic.canvas import Sheet
from lib.synthetic.coreboxes import boxes, floors, objects, rendering, rocks

GROUNDS = {"grass": ("grass", "dry grass", "moss"), "sand": ("sand",), "concrete": ("concrete", "asphalt"),
           "snow": ("snow",), "planks": ("planks", "grey planks")}
DRY = {"wet": 0.0, "halved": False, "sun": 0.4}


def draw(rng, size):
    """A picture, RGB uint8 of `size` (width, height), and the sorted names of its ground and of what lies on it.

    One to four things, seen from straight above, some a little cut by the border; the picture is 55 to 95 cm across. The names are keys
    of GROUNDS and THINGS; a box that holds core is also "drill core".
    """
    width, height = size
    s = width / rng.uniform(55, 95)
    name = str(rng.choice(list(GROUNDS)))
    sheet = Sheet(floors.ground(rng, (height, width), s, str(rng.choice(GROUNDS[name]))), s)
    chosen = rng.choice(list(THINGS), int(rng.choice([1, 2, 3, 4], p=[0.2, 0.35, 0.3, 0.15])), replace=False)
    chosen = sorted(map(str, chosen), key=list(THINGS).index)  # large things first, small ones over them
    names = {name, *chosen}
    for thing, at in zip(chosen, rng.permutation(6), strict=False):
        x, y = (at % 3 + 0.5 + rng.uniform(-0.1, 0.1)) / 3 * width / s, (at // 3 + 0.5 + rng.uniform(-0.1, 0.1)) / 2 * height / s
        names |= THINGS[thing](rng, sheet, x, y, float(rng.uniform(0, 360))) or set()
    return photographed(rng, sheet.pixels), sorted(names)


def photographed(rng, pixels):
    """The pixels under some light, through some lens, as some sensor has them."""
    kind = str(rng.choice([name for name in light.LIGHTS if name not in light.HELD_OUT_LIGHTS]))
    pixels = light.lit(light.expose(rng, pixels, kind), light.illumination(rng, kind, pixels.shape[1::-1]))
    pixels, _ = light.blur(rng, pixels)
    return light.develop(rng, pixels, kind == "dim")


# --- things, each with its centre at x, y (cm); what else a thing shows is returned


def core_box(rng, sheet, x, y, angle):
    """A box of core, drawn at a scale of its own: it spans about half of the picture."""
    high, wide = np.array(sheet.pixels.shape[:2])
    box = boxes.measure(rng, row_nb=int(rng.integers(2, 6)))
    s = min(wide * rng.uniform(0.4, 0.55) / box.length, high * 0.7 / box.breadth)
    drawn, cover, pieces = rendering.draw(rng, boxes.snap(box, s), s, np.array([box.length, box.breadth]) / 2, 250.0)
    centre = np.array([wide, high]) / sheet.s / 2 + rng.normal(0, 2, 2)
    sheet.lay(drawn.pixels, *centre, float(rng.normal(0, 12)), cover, shadow=0.5, reach=1.5)
    return {"drill core"} if pieces else None


def sign(rng, sheet, x, y, angle):
    """A board with writing."""
    objects.sign(rng, sheet, x, y, rng.uniform(14, 22), rng.uniform(9, 14), float(rng.normal(0, 15)))


def gravel(rng, sheet, x, y, angle):
    """A heap of small stones with a ragged edge."""
    h, w = sheet.n(rng.uniform(10, 16)), sheet.n(rng.uniform(12, 20))
    kinds = [rocks.rock(rng) for _ in range(3)]
    pixels = rocks.heap(rng, str(rng.choice(["gravel", "rubble"])), kinds, (h, w), sheet.s, 1.2)
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ring = 0.5 * (1 - np.abs(rng.normal(0, 0.09, 40)))[:, None] * np.stack([np.cos(t), np.sin(t)], 1) + 0.5
    mask = np.zeros((h, w), np.uint8)
    cv2.fillPoly(mask, [np.round(ring * (w - 1, h - 1) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    sheet.lay(pixels, x, y, angle, mask)


def boot(rng, sheet, x, y, angle):
    """A boot, seen from above."""
    objects.boot(rng, sheet, x, y, angle)


def hand(rng, sheet, x, y, angle):
    """A hand that reaches in from the nearer side."""
    wide = sheet.pixels.shape[1] / sheet.s
    objects.hand(rng, sheet, x, y, (0 if x > wide / 2 else np.pi) + rng.normal(0, 0.4))


def drill_core(rng, sheet, x, y, angle):
    """A length of core."""
    thick, long = rng.uniform(3.5, 6), rng.uniform(12, 24)
    strip = Sheet(np.zeros((sheet.n(thick), sheet.n(long), 3), np.uint8), sheet.s)
    rocks.whole(rng, strip, rocks.rock(rng), 0.0, long, thick / 2, thick, "whole", {**DRY, "wet": rng.random() * 0.5})
    sheet.lay(strip.pixels, x, y, angle, shadow=0.6, reach=1.5)


def stone(rng, sheet, x, y, angle):
    """One to three angular stones of one rock."""
    kind = rocks.rock(rng)
    for _ in range(int(rng.integers(1, 4))):
        rocks.chunk(rng, sheet, kind, x + rng.normal(0, 3), y + rng.normal(0, 3), rng.uniform(3, 6), DRY)


def twig(rng, sheet, x, y, angle):
    """A twig with leaves on both sides."""
    t = np.deg2rad(angle)
    u, v = np.array([np.cos(t), np.sin(t)]), np.array([-np.sin(t), np.cos(t)])
    stem = np.array([x, y]) + np.linspace(-10, 10, 9)[:, None] * u + np.cumsum(rng.normal(0, 0.4, 9))[:, None] * v
    objects.limb(rng, sheet, stem, rng.uniform(0.4, 0.9), (96, 72, 48))
    green = np.array([(70, 110, 44), (110, 140, 50), (150, 120, 40), (52, 88, 50)][rng.integers(4)], float)
    around = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    for k, point in enumerate(stem[1:]):
        way = (u + (v if k % 2 else -v) * rng.uniform(0.7, 1.4)) / 1.5
        across = np.array([-way[1], way[0]])
        long, wide = rng.uniform(2.2, 3.6), rng.uniform(0.8, 1.4)
        leaf = point + way * long + np.cos(around)[:, None] * way * long + np.sin(around)[:, None] * across * wide
        sheet.polygon(leaf, np.clip(green * rng.uniform(0.75, 1.25), 0, 255))
        sheet.line([point, point + way * long * 1.9], green * 0.6, 0.12)


def ruler(rng, sheet, x, y, angle):
    """A ruler with its ticks."""
    long, wide = rng.uniform(18, 28), rng.uniform(2.2, 3.6)
    strip = Sheet(np.zeros((sheet.n(wide), sheet.n(long), 3), np.uint8), sheet.s)
    kind = str(rng.choice(["white", "yellow", "wood", "steel"]))
    objects.ruler(rng, strip, 0.0, long, 0.0, wide, 1, kind=kind)
    sheet.lay(strip.pixels, x, y, angle, shadow=0.35)


def hammer(rng, sheet, x, y, angle):
    """A geologist's hammer: a handle and a head across its end."""
    t = np.deg2rad(angle)
    u, v = np.array([np.cos(t), np.sin(t)]), np.array([-np.sin(t), np.cos(t)])
    at, grip = np.array([x, y]), np.array([(190, 150, 96), (30, 60, 150), (170, 40, 36), (40, 40, 42)][rng.integers(4)])
    objects.limb(rng, sheet, np.array([at - 11 * u, at + 9 * u]), 1.9, grip)
    objects.limb(rng, sheet, np.array([at + 9.5 * u - 4 * v, at + 9.5 * u + 3 * v]), 2.6, (104, 108, 114))
    sheet.polygon(np.array([at + 8.6 * u - 4 * v, at + 10.4 * u - 4 * v, at + 8.8 * u - 8 * v]), (84, 88, 94))


def colour_card(rng, sheet, x, y, angle):
    """A card of coloured squares."""
    objects.colour_card(rng, sheet, x, y, angle)


def tag(rng, sheet, x, y, angle):
    """A paper tag with a printed head."""
    objects.tag(rng, sheet, x, y, rng.uniform(8, 11), rng.uniform(5, 7), angle)


def pen(rng, sheet, x, y, angle):
    """A pen with a dark tip."""
    u = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
    colour = tx.palette(rng.uniform(20, 230, 3))[0, 0].astype(float)
    objects.limb(rng, sheet, np.array([(x, y) - 7 * u, (x, y) + 7 * u]), 1.2, colour, (20, 20, 20))


THINGS = {"core box": core_box, "sign": sign, "gravel": gravel, "boot": boot, "hand": hand, "drill core": drill_core,
          "stone": stone, "twig": twig, "ruler": ruler, "hammer": hammer, "colour card": colour_card, "tag": tag,
          "pen": pen}
