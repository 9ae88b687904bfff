"""The bank of procedural textures, made once a process, and the palettes that colour them.

A field is a grey uint8 picture (see `fields`); `sample` cuts a piece of it at any scale and angle. Every
field comes from its own fixed seed, so all processes hold the same bank.
"""

import zlib
from functools import cache

import cv2
import numpy as np

from lib.synthetic.texture_fields import MAKERS, SIZE

PX_PER_CM = 16.0


def rng_of(*words):
    """A generator seeded by the words, the same in every process."""
    return np.random.default_rng(zlib.crc32(repr(words).encode()))


@cache
def pyramid(name):
    """The field at full, half, quarter … size, so that far textures are averaged and not aliased."""
    levels = [MAKERS[name](rng_of("field", name))]
    while levels[-1].shape[0] > 32:
        levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return levels


def sample(name, rng, shape, px_per_cm, angle=0.0, zoom=1.0):
    """A random piece of the field, uint8 of the shape (height, width), drawn at `px_per_cm` times `zoom`.

    `angle` turns it, in degrees clockwise as seen; beyond the field's border it is mirrored.
    """
    scale = px_per_cm * zoom / PX_PER_CM
    level = int(np.clip(np.round(-np.log2(max(scale, 1e-3)) - 0.2), 0, 5))
    field, step = pyramid(name)[level], 1.0 / (scale * 2**level)
    t = np.deg2rad(angle)
    c, s = np.cos(t) * step, np.sin(t) * step
    h, w = shape
    # Stay inside the field where it is large enough: mirrored stones look like faces.
    rooms = [max(0.0, 1 - (abs(a * w) + abs(b * h)) / field.shape[0]) for a, b in ((c, s), (s, c))]
    x, y = (
        field.shape[0] * (0.5 + (u - 0.5) * room if room else u)
        for u, room in zip(rng.random(2), rooms, strict=True)
    )
    back = np.float32([[c, s, x - (c * w + s * h) / 2], [-s, c, y - (-s * w + c * h) / 2]])
    return cv2.warpAffine(
        field, back, (w, h), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101
    )


def palette(*colours):
    """Table from grey to colour, uint8 (256, 1, 3), through evenly spaced RGB colours."""
    at = np.linspace(0, 255, len(colours))
    table = np.stack([np.interp(np.arange(256), at, [c[i] for c in colours]) for i in range(3)], -1)
    return np.clip(table, 0, 255).astype(np.uint8)[:, None]


def paint(field, table):
    """The grey field as RGB through a palette."""
    return cv2.applyColorMap(field, table)


def shades(colour, contrast, spread=0.0, rng=None):
    """A palette around one colour: from darker to lighter by `contrast` (0-1), hues apart by `spread`."""
    colour = np.asarray(colour, float)
    jitter = (
        rng.normal(0, spread, (3, 1)) + rng.normal(0, spread * 0.3, (3, 3))
        if rng is not None
        else np.zeros((3, 3))
    )
    return palette(
        colour * (1 - contrast) + jitter[0],
        colour + jitter[1],
        colour + (255 - colour) * contrast * 0.55 + jitter[2],
    )


def crop(name, rng, shape):
    """A random crop of a field at its own scale, repeated where the picture is larger: fine grain, noise."""
    tile = pyramid(name)[0]
    y, x = rng.integers(0, SIZE, 2)
    if shape[0] + y <= SIZE and shape[1] + x <= SIZE:
        return tile[y : y + shape[0], x : x + shape[1]]
    reps = (-(-(shape[0] + y) // SIZE), -(-(shape[1] + x) // SIZE), 1)[: tile.ndim]
    return np.ascontiguousarray(np.tile(tile, reps)[y : y + shape[0], x : x + shape[1]])


def tripled(field):
    """A grey field as three equal channels."""
    return cv2.merge([field, field, field])


def gained(pixels, gain):
    """The pixels times a gain of at most 1.99: (h, w), (h, 1) or (1, w) float32."""
    table = cv2.convertScaleAbs(gain, alpha=128)
    if table.shape != pixels.shape[:2]:
        table = cv2.resize(table, pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return cv2.multiply(pixels, tripled(table), scale=1 / 128)


def blend(below, above, cover):
    """The picture above laid over the one below where `cover` (uint8) says so."""
    cover = tripled(cover)
    return cv2.add(
        cv2.multiply(below, cv2.bitwise_not(cover), scale=1 / 255), cv2.multiply(above, cover, scale=1 / 255)
    )


def over(below, colour, cover):
    """One colour laid over the pixels where `cover` (uint8) says so."""
    colour = np.clip(np.asarray(colour, np.float32), 0, 255).reshape(3, 1) / 255
    return cv2.add(
        cv2.multiply(below, cv2.bitwise_not(tripled(cover)), scale=1 / 255), cv2.transform(cover, colour)
    )
