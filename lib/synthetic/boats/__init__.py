"""Pictures of boats on the water whose boxes are known exactly: `draw(seed)` is the door.

A box is the smallest upright rectangle about the visible pixels of a boat, masts and sails with it, in continuous
pixels (x = 0 is the left edge of the first column): [xmin, ymin, xmax, ymax].
"""

from dataclasses import dataclass

import cv2
import numpy as np

from lib.synthetic import light
from lib.synthetic.boats import sprites as fleet
from lib.synthetic.boats import water as scenery

USUAL = {"boats": 6, "smallest": 0.05, "largest": 0.5, "overlap": 0.3, "waves": 1.0, "light": 1.0, "clutter": 1.0}
SEEN = 0.25             # the part of a boat that must be seen for it to be labelled
TRIES = 25              # places tried for a boat before it is left out


@dataclass(frozen=True)
class Scene:
    """`pixels` uint8 (h, w, 3) RGB; `boxes` of the boats; `crowds`: boats too hidden to be judged."""

    pixels: np.ndarray
    boxes: list
    crowds: list


def draw(seed, size=(640, 480), held_out=False, difficulty=None):
    """The Scene of a seed, in a picture of `size` (width, height); the same arguments give the same bytes.

    `difficulty` holds values of USUAL: the most `boats`, the `smallest` and `largest` length as a part of the
    picture's width, the greatest `overlap` (IoU of two boxes), and how strong `waves`, `light` (odd exposure, colour
    and blur) and `clutter` (quays, towns, buoys) are, 1 being usual. `held_out`: kinds of boats, waters, skies and lights
    that are otherwise never drawn.
    """
    hard = {**USUAL, **(difficulty or {})}
    rng = np.random.default_rng([int(seed), int(held_out), *size])
    above = rng.random() < 0.2
    horizon = -1.0 if above else size[1] * rng.uniform(0.12, 0.6)
    pixels = _background(rng, size, horizon, held_out, hard)
    owner, whole = np.zeros(size[::-1], np.uint16), [0]
    for place, sprite in _fleet(rng, size, horizon, held_out, hard):
        whole.append(_lay(rng, pixels, owner, len(whole), place, sprite, above))
    pixels = _expose(rng, pixels, held_out, hard)
    boxes, crowds = _boxes(owner, whole)
    return Scene(pixels, boxes, crowds)


def _background(rng, size, horizon, held_out, hard):
    width, height = size
    if horizon < 0:
        pixels = scenery.water(rng, (height, width), held_out, hard["waves"], flat=True)
        scenery.land(rng, pixels, hard["clutter"])
        return pixels
    line = int(horizon)
    pixels = np.concatenate([scenery.sky(rng, (line, width), held_out),
                             scenery.water(rng, (height - line, width), held_out, hard["waves"])])
    scenery.shore(rng, pixels, horizon, held_out, hard["clutter"])
    scenery.quays(rng, pixels, horizon, hard["clutter"])
    return pixels


def _fleet(rng, size, horizon, held_out, hard):
    """Places (left, top) and Sprites, from far to near, that overlap no more than they may."""
    width, height = size
    chosen = []
    for _ in range(1 + rng.binomial(max(hard["boats"] - 1, 0), 0.45)):
        for _ in range(TRIES):
            least, most = np.log(hard["smallest"]), np.log(hard["largest"])
            length = float(np.exp(rng.uniform(least, most))) * width
            near = 1.0 if horizon < 0 else np.clip(length / (0.5 * width) * rng.uniform(0.6, 1.7), 0.02, 0.97)
            water = rng.uniform(0, height) if horizon < 0 else horizon + (height - horizon) * near
            sprite = fleet.draw(rng, length, held_out and rng.random() < 0.7, above=horizon < 0)
            left, top = int(rng.uniform(-0.15, 1.15) * width - sprite.cover.shape[1] / 2), int(water) - sprite.water
            box = _clipped(left, top, sprite, size)
            if box is not None and all(_iou(box, other[0]) <= hard["overlap"] and not _hidden(box, other[0])
                                       for other in chosen):
                chosen.append((box, water, (left, top), sprite))
                break
    return [(place, sprite) for _, _, place, sprite in sorted(chosen, key=lambda each: each[1])]


def _clipped(left, top, sprite, size):
    """The part of a sprite's rectangle inside the picture; None where less than half of it is."""
    high, wide = sprite.cover.shape
    box = np.array([max(left, 0), max(top, 0), min(left + wide, size[0]), min(top + high, size[1])], float)
    inside = max(box[2] - box[0], 0) * max(box[3] - box[1], 0)
    return box if inside >= 0.5 * wide * high else None


def _shared(a, b):
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    return float(np.prod(np.maximum(sides, 0)))


def _area(box):
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _iou(a, b):
    return _shared(a, b) / (_area(a) + _area(b) - _shared(a, b))


def _hidden(a, b):
    """Whether one box lies mostly within the other."""
    return _shared(a, b) > 0.6 * min(_area(a), _area(b))


def _lay(rng, pixels, owner, number, place, sprite, above):
    """Draw a boat with its shadow, mirror image and wake; returns how many pixels it would have if nothing hid it."""
    (left, top), (high, wide) = place, sprite.cover.shape
    _around(rng, pixels, place, sprite, above)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + wide, pixels.shape[1]), min(top + high, pixels.shape[0])
    part = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    cover, here = sprite.cover[part], (slice(y0, y1), slice(x0, x1))
    weight = cover[..., None].astype(np.float32) / 255
    pixels[here] = np.clip(pixels[here] * (1 - weight) + sprite.pixels[part] * weight, 0, 255).astype(np.uint8)
    owner[here][cover > 100] = number
    return int((cover > 100).sum())


def _around(rng, pixels, place, sprite, above):
    """A shadow seen from the air; else a mirror image broken by waves, and foam along the hull or behind it."""
    (left, top), wide = place, sprite.cover.shape[1]
    if above:
        reach = max(1, int(0.05 * wide))
        shade = cv2.GaussianBlur(sprite.cover, (0, 0), max(0.6, reach / 2))
        _darken(pixels, left + reach, top + reach, shade, 0.45)
        return
    water = top + sprite.water
    mirror, cover = sprite.pixels[:sprite.water][::-1], sprite.cover[:sprite.water][::-1]
    rows = np.arange(len(mirror))
    sway = (rng.normal(0, 1, len(mirror)) * (0.5 + rows * 0.02 * wide / 60)).astype(int)
    strength = rng.uniform(0.1, 0.5) * np.exp(-rows / max(2.0, rng.uniform(0.15, 0.6) * wide))
    for row in rows:
        y = water + row
        x = left + sway[row]
        x0, x1 = max(x, 0), min(x + wide, pixels.shape[1])
        if not 0 <= y < pixels.shape[0] or x1 <= x0 or strength[row] < 0.02:
            continue
        weight = cover[row, x0 - x:x1 - x, None].astype(np.float32) / 255 * strength[row]
        pixels[y, x0:x1] = (pixels[y, x0:x1] * (1 - weight) + mirror[row, x0 - x:x1 - x] * weight).astype(np.uint8)
    if rng.random() < 0.4:
        _foam(rng, pixels, left, water, wide)


def _darken(pixels, left, top, shade, strength):
    high, wide = shade.shape
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + wide, pixels.shape[1]), min(top + high, pixels.shape[0])
    if x1 > x0 and y1 > y0:
        gain = 1 - strength * shade[y0 - top:y1 - top, x0 - left:x1 - left, None].astype(np.float32) / 255
        pixels[y0:y1, x0:x1] = (pixels[y0:y1, x0:x1] * gain).astype(np.uint8)


def _foam(rng, pixels, left, water, wide):
    """White water behind a boat that moves."""
    behind = rng.choice([-1, 1])
    x = left if behind < 0 else left + wide
    for _ in range(int(rng.integers(10, 60))):
        away = rng.gamma(1.2, 0.3) * wide
        r = max(1, int(wide * rng.uniform(0.003, 0.02)))
        at = int(x + behind * away), int(water + rng.normal(0, 0.02 + 0.03 * away / wide) * wide)
        cv2.ellipse(pixels, at, (3 * r, r), 0, 0, 360, tuple(rng.integers(200, 245, 3).tolist()), -1, cv2.LINE_AA)


def _expose(rng, pixels, held_out, hard):
    """Light, lens and sensor, as for every other generated photograph."""
    if hard["light"] <= 0:
        return pixels
    names = [name for name in light.LIGHTS if (name in light.HELD_OUT_LIGHTS) == held_out]
    name = names[rng.integers(len(names))]
    pixels = light.lit(pixels, 1 + (light.illumination(rng, name, pixels.shape[1::-1]) - 1) * hard["light"] * 0.6)
    developed = light.expose(rng, pixels, name)
    share = min(1.0, 0.8 * hard["light"])
    pixels = cv2.addWeighted(developed, share, pixels, 1 - share, 0)
    if rng.random() < 0.5 * hard["light"]:
        pixels = light.blur(rng, pixels)[0]
    return light.develop(rng, pixels, dark=name == "dim")


def _boxes(owner, whole):
    """Boxes of what is seen of each boat, and those of boats that are all but hidden."""
    boxes, crowds = [], []
    for number in range(1, len(whole)):
        ys, xs = np.nonzero(owner == number)
        if len(ys):
            box = [float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)]
            (boxes if len(ys) >= SEEN * whole[number] else crowds).append(box)
    return boxes, crowds
