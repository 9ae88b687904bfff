"""What lies around the boats? Sky, shore, town, quays, buoys and the water itself."""

import cv2
import numpy as np

from lib.synthetic import textures as tx

WATERS = ((52, 92, 110), (70, 110, 112), (40, 70, 92), (96, 120, 118), (60, 84, 80), (30, 112, 122), (110, 118, 116))
HELD_OUT_WATERS = ((96, 104, 50), (24, 30, 44), (150, 120, 96))
SKIES = (((120, 165, 215), (215, 228, 238)), ((150, 160, 172), (206, 208, 208)), ((90, 140, 205), (240, 220, 200)),
         ((178, 186, 194), (225, 226, 224)))
HELD_OUT_SKIES = (((60, 50, 110), (245, 140, 70)), ((16, 20, 40), (50, 54, 74)), ((190, 190, 186), (200, 200, 196)))
WALLS = ((214, 196, 164), (230, 222, 206), (190, 150, 120), (170, 172, 176), (222, 205, 150))
STONE, GREEN, ROOF = (142, 136, 126), (74, 92, 60), (160, 92, 66)


def pick(rng, usual, held_out, is_held_out):
    """One of the usual things, or of those held back."""
    things = held_out if is_held_out else usual
    return things[rng.integers(len(things))]


def sky(rng, shape, held_out):
    """A sky with clouds, uint8 (h, w, 3)."""
    top, low = (np.array(each, float) + rng.normal(0, 8, 3) for each in pick(rng, SKIES, HELD_OUT_SKIES, held_out))
    ramp = np.linspace(0, 1, max(shape[0], 2))[:, None, None] ** rng.uniform(0.6, 1.6)
    pixels = np.clip(np.repeat(top + (low - top) * ramp, shape[1], 1), 0, 255).astype(np.uint8)
    cloud = tx.sample("clouds", rng, pixels.shape[:2], 16.0, zoom=rng.uniform(0.4, 1.6))
    cover = np.clip((cloud.astype(np.float32) - rng.uniform(90, 210)) * rng.uniform(0.6, 2.0), 0, 200).astype(np.uint8)
    return tx.over(pixels, np.clip(low + rng.normal(15, 20), 0, 255), cover)[:shape[0]]


def water(rng, shape, held_out, waves, flat=False):
    """Water with waves that grow towards the viewer (`flat`: seen from the air), uint8 (h, w, 3)."""
    high, wide = shape
    near = np.array(pick(rng, WATERS, HELD_OUT_WATERS, held_out), float) * rng.uniform(0.75, 1.2)
    far = near + (rng.uniform(0.15, 0.6) * (np.array((190, 200, 208)) - near) if not flat else rng.normal(0, 8, 3))
    ramp = np.linspace(0, 1, high)[:, None, None] ** rng.uniform(0.4, 1.0)
    pixels = np.clip(np.repeat(far + (near - far) * ramp, wide, 1), 0, 255).astype(np.float32)
    field = tx.pyramid("rough" if rng.random() < 0.6 else "speckle")[1 if flat else 0]
    y, x = np.mgrid[0:high, 0:wide].astype(np.float32)
    depth = np.full_like(y, rng.uniform(0.6, 1.6)) if flat else 1.0 / (0.04 + y / high) * rng.uniform(0.5, 1.1)
    side = field.shape[0]
    across = (x - wide / 2) * depth * (640 / wide) * rng.uniform(0.3, 0.8) + rng.uniform(0, side)
    along = depth * rng.uniform(250, 700) + rng.uniform(0, side) if not flat else y * depth * (640 / wide) + rng.uniform(0, side)
    across, along = (np.abs(np.mod(each, 2 * side - 2) - side + 1) for each in (across, along))  # mirrored: no seams
    grain = cv2.remap(field, across, along, cv2.INTER_LINEAR).astype(np.float32) - 128
    strength = waves * rng.uniform(0.06, 0.35) * (0.35 + 0.65 * ramp[..., 0])
    pixels += (grain * strength)[..., None] * (1.0, 1.02, 1.0)
    if rng.random() < 0.35 and not flat:  # the sun's path
        at, reach = rng.uniform(0, wide), wide * rng.uniform(0.04, 0.2)
        glint = np.exp(-((x - at) / (reach * (0.4 + y / high))) ** 2) * np.clip(grain - 20, 0, None) * waves
        pixels += (glint * rng.uniform(0.8, 3.0))[..., None] * (1.0, 0.95, 0.8)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def shore(rng, pixels, horizon, held_out, clutter):
    """Hills, then a town with houses and masts of no boats, drawn above the horizon line."""
    high, wide = pixels.shape[:2]
    for _ in range(int(rng.integers(0, 3))):
        ridge = horizon - high * rng.uniform(0.02, 0.14) * (0.4 + np.abs(np.interp(
            np.arange(wide), np.linspace(0, wide, 7), rng.normal(0.4, 0.5, 7))))
        points = np.concatenate([[[0, horizon]], np.stack([np.arange(wide), ridge], 1), [[wide, horizon]]])
        haze = rng.uniform(0.2, 0.8)
        colour = np.array(GREEN) * (1 - haze) + np.array((150, 165, 180)) * haze + rng.normal(0, 10)
        mask = np.zeros((high, wide), np.uint8)
        cv2.fillPoly(mask, [points.astype(np.int32)], 255)
        mask[int(horizon):] = 0
        rough = tx.paint(tx.sample("rough", rng, (high, wide), 16.0), tx.shades(colour, 0.35 * (1 - haze)))
        pixels[:] = tx.blend(pixels, rough, mask)
    if rng.random() < 0.65 * clutter:
        _town(rng, pixels, horizon)


def _town(rng, pixels, horizon):
    high, wide = pixels.shape[:2]
    start, stop = np.sort(rng.uniform(-0.2, 1.2, 2)) * wide
    for x in rng.uniform(start, stop, int((stop - start) / wide * rng.integers(15, 60))):
        w, h = wide * rng.uniform(0.01, 0.06), high * rng.uniform(0.015, 0.09)
        base = horizon - high * rng.uniform(0, 0.05) * (rng.random() < 0.6)
        wall = np.array(WALLS[rng.integers(len(WALLS))]) * rng.uniform(0.5, 1.05)
        _fill(pixels, [(x, base - h), (x + w, base - h), (x + w, base), (x, base)], wall)
        if rng.random() < 0.6:
            _fill(pixels, [(x - 1, base - h), (x + w + 1, base - h), (x + w * 0.7, base - h * 1.35), (x + w * 0.3, base - h * 1.35)],
                  np.array(ROOF) * rng.uniform(0.6, 1.1))
        for column in np.arange(x + w * 0.15, x + w * 0.85, max(3.0, w / 5)):
            for row in np.arange(base - h * 0.9, base - 2, max(3.0, h / 4)):
                _fill(pixels, [(column, row), (column + w * 0.09, row), (column + w * 0.09, row + h * 0.12), (column, row + h * 0.12)],
                      (50, 55, 62))
    _fill(pixels, [(start, horizon - 2), (stop, horizon - 2), (stop, horizon + 2), (start, horizon + 2)], STONE)


def quays(rng, pixels, horizon, clutter):
    """Piers, a quay in front, buoys and posts on the water: what is often taken for a boat."""
    high, wide = pixels.shape[:2]
    depth = high - horizon
    for _ in range(rng.poisson(0.7 * clutter)):
        y, side = horizon + depth * rng.uniform(0.02, 0.7), rng.choice([0, wide])
        reach, thick = wide * rng.uniform(0.1, 0.5), max(2.0, 0.05 * (y - horizon) + depth * rng.uniform(0.01, 0.05))
        end = reach if side == 0 else wide - reach
        slope = rng.normal(0, 0.08) * reach
        stone = np.array(STONE) * rng.uniform(0.6, 1.25) + rng.normal(0, 6, 3)
        _textured(rng, pixels, [(side, y), (end, y + slope), (end, y + slope + thick * 0.6), (side, y + thick)], stone)
        _fill(pixels, [(side, y + thick), (end, y + slope + thick * 0.6), (end, y + slope + thick), (side, y + thick * 1.6)], stone * 0.55)
        for x in np.linspace(side, end, int(rng.integers(2, 9))):
            _fill(pixels, [(x, y - thick * 0.5), (x + thick * 0.2, y - thick * 0.5), (x + thick * 0.2, y + thick * 0.3), (x, y + thick * 0.3)],
                  stone * 0.4)
    for _ in range(rng.poisson(1.2 * clutter)):
        y = horizon + depth * rng.uniform(0.03, 0.95)
        r, x = max(1.5, 0.02 * (y - horizon) * rng.uniform(0.6, 2)), rng.uniform(0, wide)
        colour = ((220, 60, 40), (240, 200, 40), (60, 140, 70), (240, 240, 240), (60, 60, 60))[rng.integers(5)]
        if rng.random() < 0.5:
            cv2.circle(pixels, (int(x), int(y)), int(r + 1), colour, -1, cv2.LINE_AA)
        else:
            _fill(pixels, [(x - r, y + r), (x + r, y + r), (x + r * 0.3, y - 3 * r), (x - r * 0.3, y - 3 * r)], colour)
    if rng.random() < 0.3 * clutter:
        edge = high * rng.uniform(0.8, 0.97)
        stone = np.array(STONE if rng.random() < 0.6 else GREEN) * rng.uniform(0.5, 1.2)
        _textured(rng, pixels, [(0, edge + rng.normal(0, 0.03) * high), (wide, edge), (wide, high), (0, high)], stone)


def land(rng, pixels, clutter):
    """A quay or a beach at a border of a picture from the air, with cars and roofs."""
    high, wide = pixels.shape[:2]
    if rng.random() > 0.7 * clutter:
        return
    turn, cut = rng.uniform(0, 2 * np.pi), rng.uniform(0.28, 0.6) * wide
    along, out = np.array((np.cos(turn), np.sin(turn))), np.array((-np.sin(turn), np.cos(turn)))
    middle = np.array((wide, high)) / 2 + out * cut
    quad = [middle + along * 2 * wide, middle - along * 2 * wide, middle - along * 2 * wide + out * 2 * wide,
            middle + along * 2 * wide + out * 2 * wide]
    _textured(rng, pixels, quad, np.array(STONE if rng.random() < 0.7 else GREEN) * rng.uniform(0.6, 1.3))
    for _ in range(int(rng.integers(5, 40) * clutter)):
        at = middle + along * rng.uniform(-1, 1) * wide + out * rng.uniform(0.03, 0.5) * wide
        a, b = along * wide * rng.uniform(0.008, 0.03), out * wide * rng.uniform(0.006, 0.02)
        _fill(pixels, [at - a - b, at + a - b, at + a + b, at - a + b], rng.integers(30, 245, 3))
    for step in np.arange(-1, 1, rng.uniform(0.12, 0.4)):  # jetties
        root, reach = middle + along * step * wide, -out * wide * rng.uniform(0.05, 0.3)
        a = along * wide * 0.006
        _fill(pixels, [root - a, root + a, root + a + reach, root - a + reach], np.array(STONE) * rng.uniform(0.8, 1.2))


def _fill(pixels, points, colour):
    cv2.fillPoly(pixels, [np.round(np.asarray(points, float) * 8).astype(np.int32)],
                 tuple(float(np.clip(value, 0, 255)) for value in colour), cv2.LINE_AA, 3)


def _textured(rng, pixels, points, colour):
    mask = np.zeros(pixels.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(np.asarray(points, float) * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
    rough = tx.paint(tx.sample("grain" if rng.random() < 0.5 else "rough", rng, pixels.shape[:2], 8.0), tx.shades(colour, 0.4))
    pixels[:] = tx.blend(pixels, rough, mask)
