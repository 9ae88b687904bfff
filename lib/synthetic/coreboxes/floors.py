"""Floors: what a box stands on."""

import cv2
import numpy as np

from lib.synthetic import textures as tx
from lib.synthetic.coreboxes.rocks import heap

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

HELD_OUT_FLOORS = {
    "orange tarpaulin": ([(206, 112, 50), (190, 100, 56)], "weave", 0.35, 1.0),
    "leaves": ([(128, 88, 52), (150, 104, 60)], "leaves", 0.5, 1.0),
    "green cloth": ([(56, 96, 72), (66, 104, 84)], "weave", 0.3, 1.0),
    "checker plate": ([(150, 152, 150), (126, 130, 132)], "plate", 0.3, 1.0),
    "brick": ([(158, 96, 76), (140, 84, 70)], "tiles", 0.3, 1.0),
    "salt flat": ([(224, 216, 204), (212, 200, 186)], "rough", 0.15, 1.5),
}


def floor(rng, shape, s, name):
    """Ground of the named kind, RGB of the shape; in half of the pictures out of focus, being deeper."""
    if rng.random() < 0.5 and min(shape) > 8:
        h, w = shape
        return cv2.resize(
            ground(rng, ((h + 1) // 2, (w + 1) // 2), s / 2, name), (w, h), interpolation=cv2.INTER_LINEAR
        )
    return ground(rng, shape, s, name)


def ground(rng, shape, s, name):
    """Ground of the named kind, RGB of the shape."""
    colours, texture, contrast, zoom = (FLOORS | HELD_OUT_FLOORS)[name]
    colour = np.clip(
        np.array(colours[rng.integers(len(colours))]) * np.exp(rng.normal(0, 0.13)) + rng.normal(0, 5, 3),
        6,
        246,
    )
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
        pixels = tx.over(
            pixels, colour * rng.uniform(0.4, 0.8), cv2.convertScaleAbs(stains, alpha=rng.uniform(0.2, 0.6))
        )
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
            pixels[a:b] = tx.paint(
                tx.sample(texture, rng, (b - a, w), s, 0, 1),
                tx.shades(np.clip(colour * tone, 5, 245), contrast, 4, rng),
            )
            pixels[max(b - gap, a) : b] = pixels[max(b - gap, a) : b] // 4
        y += step
    return np.ascontiguousarray(np.rot90(pixels)) if upright else pixels


def slots(rng, shape, s, colour, contrast):
    """Bars with dark gaps: a pallet or a roller table."""
    pixels = planks(
        rng, shape, s, colour, contrast, rng.random() < 0.5, rng.uniform(6, 13), rng.uniform(1.5, 5)
    )
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
    field = cv2.addWeighted(
        tx.sample("scratches", rng, shape, s), 0.6, (bump * 255).astype(np.uint8), 0.5, 20
    )
    return tx.paint(field, tx.shades(colour, contrast, 3, rng))
