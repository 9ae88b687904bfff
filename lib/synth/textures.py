"""The bank of procedural textures: grey fields, made once a process, and the palettes that colour them.

A field is an uint8 picture without colour, 1024 px wide, at a nominal 16 px a centimetre; `sample` cuts a piece
of it at any scale and angle. Every field comes from its own fixed seed, so all processes hold the same bank.
"""

import zlib
from functools import cache

import cv2
import numpy as np

SIZE = 1024
PX_PER_CM = 16.0


def rng_of(*words):
    """A generator seeded by the words, the same in every process."""
    return np.random.default_rng(zlib.crc32(repr(words).encode()))


def stretch(values, low=1, high=99):
    """The values as uint8, with the given percentiles at 0 and 255."""
    a, b = np.percentile(values[::7, ::7], (low, high))
    return np.clip((values - a) * (255.0 / max(b - a, 1e-6)), 0, 255).astype(np.uint8)


def octaves(rng, first=(4, 4), count=8, fall=0.5, size=SIZE):
    """Sum of smooth random grids, each twice as fine and `fall` times as strong: float32 (size, size)."""
    total, strength = np.zeros((size, size), np.float32), 1.0
    for k in range(count):
        ny, nx = min(first[0] << k, size), min(first[1] << k, size)
        grid = rng.standard_normal((ny, nx)).astype(np.float32)
        total += strength * cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
        strength *= fall
    return total


def cells(rng, count, size=SIZE):
    """Distance to the nearest of `count` random points and that point's number: a Voronoi pattern."""
    dots = np.full((size, size), 255, np.uint8)
    dots[rng.integers(0, size, count), rng.integers(0, size, count)] = 0
    return cv2.distanceTransformWithLabels(dots, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)


def warped(values, rng, reach, first=(4, 4)):
    """The values moved about by a smooth random field of `reach` pixels, so that straight lines wander."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    dx, dy = (octaves(rng, first, 3) * reach for _ in "xy")
    return cv2.remap(values, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def wood(rng, knots=3, streak=1.0):
    """Sawn wood, grain along x: rings that wander, fine fibres and a few knots."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    height = y + 14 * octaves(rng, (3, 1), 4)
    for _ in range(knots):
        cx, cy, r = rng.uniform(0, SIZE), rng.uniform(0, SIZE), rng.uniform(10, 26)
        d2 = ((x - cx) / 3.0) ** 2 + (y - cy) ** 2
        height += np.sign(y - cy) * 40 * np.exp(-d2 / (2 * (2.2 * r) ** 2))
    rings = np.sin(height / rng.uniform(5, 14)) * 0.8 + 0.5 * np.sin(height / rng.uniform(25, 60))
    fibres = octaves(rng, (128, 4), 4, 0.8) * streak
    stains = octaves(rng, (2, 2), 5, 0.6)
    field = stretch(rings + 0.8 * fibres + 0.9 * stains)
    for _ in range(knots):
        cx, cy = rng.integers(40, SIZE - 40, 2)
        a = int(rng.uniform(5, 13))
        cv2.ellipse(field, (int(cx), int(cy)), (int(a * 1.3), a), 0, 0, 360, 40, -1, cv2.LINE_AA)
    return field


def stones(rng, count, radius, spread=0.45):
    """Angular stones heaped: two channels, the light on each point and the tone of its stone.

    Stones are painted over one another from large to small, each with its shadow and two facets.
    """
    light, tone = np.full((SIZE, SIZE), 40, np.uint8), np.full((SIZE, SIZE), 90, np.uint8)
    sizes = np.sort(radius * np.exp(rng.normal(0, spread, count)))[::-1]
    for r in sizes:
        n = int(rng.integers(5, 9))
        t = np.sort(rng.uniform(0, 2 * np.pi, n))
        turn, flat = rng.uniform(0, np.pi), rng.uniform(0.55, 1.0)
        ring = np.stack([np.cos(t), flat * np.sin(t)], 1) * (r * rng.uniform(0.75, 1.1, (n, 1)))
        ring = ring @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) + rng.uniform(0, SIZE, 2)
        ridge = ring.mean(0) + rng.normal(0, 0.25 * r, 2)
        base, k = rng.uniform(120, 205), int(rng.integers(0, n))
        facet = np.array([ridge, ring[k], ring[k - 1], ring[k - 2]])
        solid(light, ring + (0.16 * r, 0.24 * r), rng.uniform(22, 60))
        solid(light, ring, base)
        solid(light, facet, base * rng.uniform(0.5, 1.25))
        solid(light, np.array([ridge, ring[(k + 1) % n], ring[k]]), base * rng.uniform(0.75, 1.2))
        solid(tone, ring, rng.uniform(0, 255))
    rough = octaves(rng, (64, 64), 5, 0.8)
    light = np.clip(light + 7 * rough, 0, 255).astype(np.uint8)
    tone = np.clip(tone + 10 * octaves(rng, (32, 32), 5, 0.7), 0, 255).astype(np.uint8)
    return np.dstack([light, tone])


def solid(field, points, value):
    """A filled polygon with smooth edges on a grey field."""
    cv2.fillPoly(field, [np.round(points * 8).astype(np.int32)], int(min(value, 255)), cv2.LINE_AA, 3)


def bands(rng, period, rough):
    """Layers across x (they run along y): widths and tones vary, lines slightly uneven."""
    u = np.arange(SIZE, dtype=np.float32)
    line = np.interp(u, np.cumsum(rng.gamma(1.4, period, 4 * SIZE // int(period) + 8)),
                     rng.uniform(0, 1, 4 * SIZE // int(period) + 8)).astype(np.float32)
    field = np.repeat(cv2.GaussianBlur(line[None], (0, 0), 1.2), SIZE, 0)
    return stretch(warped(field, rng, rough) + 0.06 * octaves(rng, (64, 64), 5, 0.8))


def veins(rng, count, width):
    """Thin wandering lines on black: quartz or calcite veins."""
    field = np.zeros((SIZE, SIZE), np.float32)
    for _ in range(count):
        a, b = rng.uniform(-100, SIZE + 100, (2, 2))
        cv2.line(field, tuple(int(v) for v in a), tuple(int(v) for v in b), float(rng.uniform(0.5, 1)),
                 int(rng.uniform(1, width)) + 1, cv2.LINE_AA)
    field = warped(field, rng, 14, (6, 6)) * np.clip(1 + 0.5 * octaves(rng, (4, 4), 4), 0.1, 1.2)
    return np.clip(field * 255, 0, 255).astype(np.uint8)


def crystals(rng, count):
    """Interlocking grains of a few minerals: granite from near."""
    _, label = cells(rng, count)
    tone = rng.choice([20, 90, 140, 190, 250], label.max() + 1, p=[0.16, 0.24, 0.25, 0.2, 0.15]).astype(np.float32)
    return stretch(cv2.GaussianBlur(tone[label], (0, 0), 0.8) + 9 * octaves(rng, (64, 64), 4, 0.7))


def spots(rng, count, size):
    """Rounded spots of many sizes on black."""
    field = np.zeros((SIZE, SIZE), np.uint8)
    for x, y, r, t in zip(*rng.integers(0, SIZE, (2, count)), rng.gamma(2.0, size / 2, count), rng.uniform(0, 180, count), strict=True):
        cv2.ellipse(field, (int(x), int(y)), (int(r) + 1, int(r * 0.7) + 1), t, 0, 360, int(rng.integers(120, 256)), -1,
                    cv2.LINE_AA)
    return field


def blades(rng, count=9000):
    """Grass or straw: short strokes of all tones over one another."""
    field = np.full((SIZE, SIZE), 50, np.uint8)
    at, angle = rng.uniform(0, SIZE, (count, 2)), rng.normal(0, 1.1, count)
    length, tone = rng.gamma(3, 16, count), rng.integers(20, 256, count)
    for (x, y), t, r, c in zip(at, angle, length, tone, strict=True):
        cv2.line(field, (int(x), int(y)), (int(x + r * np.sin(t)), int(y - r * np.cos(t))), int(c), 2, cv2.LINE_AA)
    return field


def weave(rng, period):
    """Cloth or tarpaulin: a fine weave with soft folds."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    thread = np.sin(x * 2 * np.pi / period) * np.sin(y * 2 * np.pi / period)
    folds = np.abs(octaves(rng, (2, 3), 3, 0.5))
    return stretch(0.25 * thread - folds + 0.1 * octaves(rng, (128, 128), 3))


def scratches(rng, count=260):
    """Brushed or scratched metal and plastic."""
    field = octaves(rng, (4, 2), 8, 0.6) * 0.7 + octaves(rng, (256, 4), 3, 0.7) * 0.35
    for a, b in zip(rng.uniform(0, SIZE, (count, 2)), rng.normal(0, 60, (count, 2)), strict=True):
        cv2.line(field, tuple(int(v) for v in a), tuple(int(v) for v in a + b), float(rng.normal(0, 2.5)), 1, cv2.LINE_AA)
    return stretch(field)


MAKERS = {
    "clouds": lambda r: stretch(octaves(r, (3, 3), 8, 0.55)),
    "rough": lambda r: stretch(octaves(r, (6, 6), 8, 0.75)),
    "grain": lambda r: stretch(octaves(r, (64, 64), 5, 0.95)),
    "speckle": lambda r: stretch(octaves(r, (16, 16), 7, 0.85) ** 3),
    "wood0": lambda r: wood(r, 3),
    "wood1": lambda r: wood(r, 8, 0.6),
    "wood2": lambda r: wood(r, 0, 1.8),
    "ply": lambda r: stretch(octaves(r, (24, 2), 6, 0.7)),
    "gravel": lambda r: stones(r, 16000, 8),
    "rubble": lambda r: stones(r, 3600, 17),
    "boulders": lambda r: stones(r, 900, 36),
    "grit": lambda r: stones(r, 30000, 4.5),
    "bands0": lambda r: bands(r, 9, 3),
    "bands1": lambda r: bands(r, 26, 8),
    "bands2": lambda r: bands(r, 5, 1.5),
    "folds": lambda r: bands(r, 14, 45),
    "veins0": lambda r: veins(r, 26, 5),
    "veins1": lambda r: veins(r, 90, 2),
    "crystals0": lambda r: crystals(r, 26000),
    "crystals1": lambda r: crystals(r, 6000),
    "spots": lambda r: spots(r, 1500, 7),
    "splashes": lambda r: cv2.GaussianBlur(spots(r, 160, 22), (0, 0), 3),
    "grass": blades,
    "weave": lambda r: weave(r, 5.0),
    "scratches": scratches,
    "noise": lambda r: np.clip(r.normal(128, 32, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8),
    "film": lambda r: np.clip(128 + 2.2 * cv2.GaussianBlur(r.normal(0, 32, (SIZE, SIZE, 3)), (0, 0), 0.9), 0, 255
                              ).astype(np.uint8),
}


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
    x, y = (field.shape[0] * (0.5 + (u - 0.5) * room if room else u) for u, room in zip(rng.random(2), rooms, strict=True))
    back = np.float32([[c, s, x - (c * w + s * h) / 2], [-s, c, y - (-s * w + c * h) / 2]])
    return cv2.warpAffine(field, back, (w, h), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_REFLECT_101)


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
    jitter = rng.normal(0, spread, (3, 1)) + rng.normal(0, spread * 0.3, (3, 3)) if rng is not None else np.zeros((3, 3))
    return palette(colour * (1 - contrast) + jitter[0], colour + jitter[1],
                   colour + (255 - colour) * contrast * 0.55 + jitter[2])


def crop(name, rng, shape):
    """A random crop of a field at its own scale, repeated where the picture is larger: for fine grain and noise."""
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
    return cv2.add(cv2.multiply(below, cv2.bitwise_not(cover), scale=1 / 255), cv2.multiply(above, cover, scale=1 / 255))


def over(below, colour, cover):
    """One colour laid over the pixels where `cover` (uint8) says so."""
    colour = np.clip(np.asarray(colour, np.float32), 0, 255).reshape(3, 1) / 255
    return cv2.add(cv2.multiply(below, cv2.bitwise_not(tripled(cover)), scale=1 / 255), cv2.transform(cover, colour))
