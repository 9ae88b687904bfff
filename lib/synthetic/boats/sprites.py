"""What does a boat look like? Boats of many kinds as pictures with their cover, drawn from a random generator.

A boat is made of shapes: polygons in lengths of the boat, x from stern (0) to bow (1), y upwards from the water.
"""

from dataclasses import dataclass

import cv2
import numpy as np

FINE = 3                # drawn so many times larger, then averaged
HULLS = ((238, 238, 235), (225, 226, 220), (28, 40, 72), (160, 30, 28), (36, 88, 120), (60, 62, 66), (120, 78, 48),
         (205, 196, 170), (20, 70, 60), (244, 244, 244), (90, 130, 160))
HELD_OUT_HULLS = ((236, 196, 30), (235, 120, 40), (90, 40, 110), (170, 200, 60), (250, 150, 170))
CLOTH = ((246, 245, 240), (236, 232, 220), (225, 228, 232))
HELD_OUT_CLOTH = ((200, 40, 40), (40, 90, 190), (240, 190, 40), (150, 60, 40))
GLASS, DARK, WOOD, SKIN = (38, 46, 58), (45, 45, 48), (150, 105, 66), (196, 150, 122)


@dataclass(frozen=True)
class Sprite:
    """A boat: `pixels` uint8 (h, w, 3) RGB, `cover` uint8 (h, w), and the row `water` on which it floats."""

    pixels: np.ndarray
    cover: np.ndarray
    water: int


def draw(rng, length, held_out=False, above=False):
    """A Sprite of a boat about `length` px long; `held_out` takes kinds and colours that are otherwise never drawn.

    `above`: seen from the air, in any direction; else from the side, more or less head-on.
    """
    colours = (HELD_OUT_HULLS, HELD_OUT_CLOTH) if held_out else (HULLS, CLOTH)
    hull, cloth = (_near(rng, each[rng.integers(len(each))]) for each in colours)
    if above:
        return _render(rng, _deck(rng, hull, held_out), length, turn=rng.uniform(0, 360))
    kinds = HELD_OUT_KINDS if held_out else KINDS
    shapes = kinds[rng.integers(len(kinds))](rng, hull, cloth)
    narrow = 1.0 if rng.random() < 0.55 else rng.uniform(0.45, 1.0)
    shapes = [(np.asarray(points) * (narrow, 1), colour) for points, colour in shapes]
    return _render(rng, shapes, length, turn=rng.normal(0, 1.5), mirrored=rng.random() < 0.5)


def _near(rng, colour):
    return tuple(np.clip(np.asarray(colour) + rng.normal(0, 8) + rng.normal(0, 5, 3), 0, 255))


def _render(rng, shapes, length, turn=0.0, mirrored=False):
    """The shapes as a Sprite, sides shaded from the light, edges smooth."""
    scale = max(length, 4) * FINE
    placed = [(_turned(points, np.deg2rad(turn), mirrored), colour) for points, colour in shapes]
    every = np.concatenate([points for points, _ in placed])
    low, high = every.min(0) - 0.01, every.max(0) + 0.01
    size = np.maximum(np.ceil((high - low) * scale / FINE).astype(int), 3) * FINE
    pixels, cover = np.zeros((size[1], size[0], 3), np.uint8), np.zeros((size[1], size[0]), np.uint8)
    for points, colour in placed:
        corners = np.round((points - low) * scale * 8).astype(np.int32)
        if len(corners) == 2:  # a mast or a stay: at least one pixel of the final picture
            thick = max(FINE, round(0.008 * scale))
            cv2.line(pixels, *map(tuple, corners.tolist()), tuple(map(float, colour)), thick, cv2.LINE_8, 3)
            cv2.line(cover, *map(tuple, corners.tolist()), 255, thick, cv2.LINE_8, 3)
        else:
            cv2.fillPoly(pixels, [corners], tuple(map(float, colour)), cv2.LINE_8, 3)
            cv2.fillPoly(cover, [corners], 255, cv2.LINE_8, 3)
    y, x = np.mgrid[0:1:size[1] * 1j, 0:1:size[0] * 1j].astype(np.float32)
    shade = 1 + rng.normal(0, 0.1) * (x - 0.5) - abs(rng.normal(0, 0.12)) * (y - 0.3)
    pixels = np.clip(pixels * shade[..., None], 0, 255).astype(np.uint8)
    small = tuple(int(side) for side in size // FINE)
    weight = cv2.resize(cover, small, interpolation=cv2.INTER_AREA)
    laid = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)  # premultiplied: nothing is black
    laid = np.clip(laid.astype(np.float32) * 255 / np.maximum(weight, 1)[..., None], 0, 255).astype(np.uint8)
    return Sprite(laid, weight, int(round(-low[1] * scale / FINE)))


def _turned(points, angle, mirrored):
    """Points with y downwards, turned clockwise by `angle` (radians), perhaps mirrored."""
    x, y = np.asarray(points, float).T * ([[-1], [-1]] if mirrored else [[1], [-1]])
    return np.stack([np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y], 1)


def _box(x0, y0, x1, y1):
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def _windows(rng, x0, y0, x1, y1, count, colour=GLASS):
    """A row of windows in a wall."""
    edges = np.linspace(x0, x1, 2 * count + 1)
    return [(_box(edges[at], y0, edges[at + 1], y1), colour) for at in range(0, 2 * count, 2)]


def _hull(rng, colour, high, rake=0.12, belly=0.03):
    """A hull of this height with its waterline, a rail and a stripe."""
    stem = high * rng.uniform(1.1, 1.6)
    shape = [(0.02, -0.012), (1 - rake, -0.012), (1.0, stem), (0.6, high * 1.02), (0.0, high), (belly * 0.3, high * 0.4)]
    parts = [(shape, colour)]
    if rng.random() < 0.7:
        stripe = _near(rng, HULLS[rng.integers(len(HULLS))])
        at = high * rng.uniform(0.55, 0.8)
        parts.append(([(0.01, at), (0.985, at * stem / high), (0.99, (at + 0.02) * stem / high), (0.01, at + 0.02)], stripe))
    parts.append(([(0.02, -0.012), (1 - rake, -0.012), (1 - rake * 0.9, 0.012), (0.015, 0.012)], DARK))
    return parts


def _people(rng, low, x0, x1, most):
    parts = []
    for x in rng.uniform(x0, x1, rng.integers(0, most + 1)):
        shirt = tuple(rng.integers(30, 240, 3))
        parts += [(_box(x - 0.018, low, x + 0.018, low + 0.09), shirt),
                  (_box(x - 0.012, low + 0.09, x + 0.012, low + 0.125), SKIN)]
    return parts


# --- kinds: lists of (points, colour), later ones in front


def rowing(rng, hull, cloth):
    """A small open boat."""
    high = rng.uniform(0.12, 0.19)
    return [*_people(rng, high * 0.6, 0.25, 0.75, 3), *_hull(rng, hull, high, 0.15)]


def motorboat(rng, hull, cloth):
    """An open boat with a windscreen and an engine."""
    high = rng.uniform(0.13, 0.18)
    at = rng.uniform(0.4, 0.6)
    screen = [(at, high), (at + 0.16, high), (at + 0.07, high + 0.09), (at + 0.04, high + 0.09)]
    engine = (_box(-0.05, 0.02, 0.02, high + 0.05), DARK)
    return [engine, *_people(rng, high * 0.7, 0.15, at, 2), (screen, GLASS), *_hull(rng, hull, high, 0.22)]


def cruiser(rng, hull, cloth):
    """A yacht with a cabin and perhaps a flybridge."""
    high, cabin = rng.uniform(0.12, 0.17), rng.uniform(0.09, 0.13)
    top = high + cabin
    parts = [([(0.18, high), (0.82, high), (0.66, top), (0.2, top)], cloth), *_windows(rng, 0.24, high + 0.3 * cabin,
             0.66, high + 0.75 * cabin, int(rng.integers(2, 6)))]
    if rng.random() < 0.6:
        parts += [([(0.24, top), (0.6, top), (0.54, top + 0.08), (0.26, top + 0.08)], cloth),
                  ([(0.3, top + 0.08), (0.32, top + 0.16)], DARK)]
    return [*parts, *_people(rng, high, 0.02, 0.15, 2), *_hull(rng, hull, high, 0.2)]


def sailing(rng, hull, cloth):
    """A sailing boat, its sails set or furled."""
    high, tall, at = rng.uniform(0.1, 0.14), rng.uniform(1.0, 1.45), rng.uniform(0.42, 0.56)
    mast = ([(at, high), (at, tall)], (200, 200, 200))
    parts = [([(at, tall), (0.98, high * 1.2)], DARK), ([(at, tall), (0.02, high)], DARK)]
    if rng.random() < 0.55:
        full = rng.uniform(0.0, 0.1)
        parts += [([(at, tall * 0.97), (at - 0.02, high + 0.1), (0.03, high + 0.1), (at * 0.6 - full, tall * 0.5)], cloth),
                  ([(at + 0.02, tall * 0.86), (at + 0.04, high + 0.06), (0.95, high + 0.08)], _near(rng, cloth))]
    else:
        parts.append((_box(0.06, high + 0.08, at, high + 0.12), _near(rng, HULLS[rng.integers(len(HULLS))])))
    cabin = ([(0.25, high), (0.72, high), (0.62, high + 0.06), (0.3, high + 0.06)], cloth)
    return [*parts, mast, cabin, *_people(rng, high, 0.05, 0.25, 2), *_hull(rng, hull, high, 0.14)]


def ferry(rng, hull, cloth):
    """A ferry or liner: decks over decks with rows of windows."""
    high, floor = rng.uniform(0.08, 0.12), rng.uniform(0.045, 0.06)
    parts, left, right = [], rng.uniform(0.03, 0.12), rng.uniform(0.78, 0.9)
    for level in range(int(rng.integers(2, 5))):
        y = high + level * floor
        parts += [([(left, y), (right, y), (right - 0.02, y + floor), (left, y + floor)], cloth),
                  *_windows(rng, left + 0.02, y + 0.3 * floor, right - 0.04, y + 0.75 * floor, int(rng.integers(8, 16)))]
        left, right = left + rng.uniform(0, 0.06), right - rng.uniform(0.03, 0.08)
    top = high + floor * (level + 1)
    at = rng.uniform(left + 0.05, right - 0.15)
    funnel = ([(at, top), (at + 0.09, top), (at + 0.07, top + 0.1), (at + 0.01, top + 0.1)], _near(rng, HULLS[3]))
    return [funnel, ([(right - 0.05, top), (right - 0.05, top + 0.12)], DARK), *parts, *_hull(rng, hull, high, 0.08)]


def fishing(rng, hull, cloth):
    """A working boat: wheelhouse, gallows, heavy bow."""
    high, at = rng.uniform(0.16, 0.22), rng.choice([0.15, 0.5])
    top = high + rng.uniform(0.15, 0.22)
    parts = [([(0.12, high), (0.12, top + 0.25)], DARK), ([(0.12, top + 0.25), (0.5, high + 0.1)], DARK),
             (_box(at, high, at + 0.28, top), cloth),
             *_windows(rng, at + 0.03, top - 0.09, at + 0.25, top - 0.03, int(rng.integers(2, 5))),
             ([(at + 0.14, top), (at + 0.14, top + rng.uniform(0.1, 0.3))], DARK)]
    return [*parts, *_hull(rng, hull, high, 0.06)]


def catamaran(rng, hull, cloth):
    """Held back: two hulls seen a little from the front, a wide cabin."""
    high = rng.uniform(0.14, 0.18)
    parts = [(_box(0.1, high, 0.9, high + 0.1), cloth), *_windows(rng, 0.15, high + 0.03, 0.85, high + 0.08, 5),
             ([(0.0, -0.01), (0.26, -0.01), (0.3, high), (0.0, high)], hull),
             ([(0.7, -0.01), (0.96, -0.01), (1.0, high), (0.66, high)], hull), (_box(0.2, high - 0.05, 0.8, high), hull)]
    if rng.random() < 0.5:
        parts.insert(0, ([(0.45, high), (0.45, 1.2)], (200, 200, 200)))
    return parts


def freighter(rng, hull, cloth):
    """Held back: a cargo ship with stacks of containers and its bridge aft."""
    high = rng.uniform(0.09, 0.13)
    parts = []
    for x in np.arange(0.24, 0.88, 0.08):
        for level in range(int(rng.integers(0, 4))):
            parts.append((_box(x, high + 0.035 * level, x + 0.074, high + 0.035 * (level + 1)), tuple(rng.integers(40, 220, 3))))
    bridge = [(_box(0.06, high, 0.18, high + 0.2), cloth), *_windows(rng, 0.07, high + 0.15, 0.17, high + 0.18, 4)]
    return [*parts, *bridge, *_hull(rng, hull, high, 0.06)]


def spinnaker(rng, hull, cloth):
    """Held back: a sailing boat under a bulging coloured sail."""
    high, tall = rng.uniform(0.1, 0.14), rng.uniform(1.0, 1.3)
    t = np.linspace(0, 1, 12)
    bulge = np.stack([0.5 + 0.75 * np.sin(np.pi * t) ** 0.8, high + 0.12 + (tall - high - 0.15) * t], 1)
    return [([*bulge.tolist(), (0.55, high + 0.3)], cloth), ([(0.48, high), (0.48, tall)], DARK), *_hull(rng, hull, high, 0.14)]


KINDS = (rowing, motorboat, cruiser, sailing, ferry, fishing)
HELD_OUT_KINDS = (catamaran, freighter, spinnaker, cruiser, sailing)


def _deck(rng, hull, held_out):
    """A boat from the air: outline, deck, cabin, and a mast or benches."""
    wide = rng.uniform(0.22, 0.4)
    t = np.linspace(0, 1, 9)
    half = wide / 2 * np.minimum(1, 1.25 * (1 - t ** 3)) * (0.85 + 0.3 * t * (1 - t) * 2)
    outline = np.concatenate([np.stack([t, half], 1), np.stack([t, -half], 1)[::-1]]) - (0.5, 0)
    inner = outline * (0.9, 0.78)
    cabin = np.array(_box(rng.uniform(-0.3, -0.1), -wide * 0.26, rng.uniform(0.05, 0.25), wide * 0.26))
    deck = WOOD if rng.random() < 0.4 else _near(rng, (225, 222, 212))
    parts = [(outline, hull), (inner, _near(rng, deck)), (cabin, _near(rng, (240, 240, 238) if not held_out else hull))]
    if rng.random() < 0.6:
        x = cabin[1, 0]
        parts.append((_box(x - 0.06, -wide * 0.22, x, wide * 0.22), GLASS))
    return parts + [(_box(-0.42, -wide * 0.2, -0.36, wide * 0.2), WOOD)] * (rng.random() < 0.5)
