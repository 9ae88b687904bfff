"""The makers of the bank: one function a texture, each a grey picture 1024 px wide at 16 px a centimetre."""

import cv2
import numpy as np

SIZE = 1024  # of a field, px


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
    corners, shadow, ring, facet, other, greys = _outlines(sizes, [_random_stone(rng, r) for r in sizes])
    for n, *points, values in zip(corners, shadow, ring, facet, other, greys, strict=True):
        for polygon, value in zip((points[0][:n], points[1][:n], *points[2:]), values, strict=False):
            cv2.fillPoly(light, [polygon], value, cv2.LINE_AA, 3)
        cv2.fillPoly(tone, [points[1][:n]], values[4], cv2.LINE_AA, 3)
    rough = octaves(rng, (64, 64), 5, 0.8)
    light = np.clip(light + 7 * rough, 0, 255).astype(np.uint8)
    tone = np.clip(tone + 10 * octaves(rng, (32, 32), 5, 0.7), 0, 255).astype(np.uint8)
    return np.dstack([light, tone])


def _random_stone(rng, radius):
    """The random numbers of one stone, in their order: corners (5 to 8), angles, turn, flatness, …, greys."""
    n = int(rng.integers(5, 9))
    angles, turn, flat = rng.uniform(0, 2 * np.pi, n), rng.uniform(0, np.pi), rng.uniform(0.55, 1.0)
    reach, place = rng.uniform(0.75, 1.1, (n, 1)), rng.uniform(0, SIZE, 2)
    ridge, base, k = rng.normal(0, 0.25 * radius, 2), rng.uniform(120, 205), int(rng.integers(0, n))
    greys = (rng.uniform(22, 60), base, base * rng.uniform(0.5, 1.25), base * rng.uniform(0.75, 1.2), rng.uniform(0, 255))
    return n, angles, turn, flat, reach[:, 0], place, ridge, k, greys


def _outlines(sizes, stones):
    """Of all stones at once: corners (s,), polygons of shadow, stone (s, 8, 2) and facets (s, 4, 2), (s, 3, 2); greys.

    Points are in eighths of a pixel, as fillPoly wants them; of eight points the first `corners` count.
    """
    n, angles, turn, flat, reach, place, ridge, k, greys = zip(*stones, strict=True)
    n, turn, flat, k, r = (np.array(each)[:, None] for each in (n, turn, flat, k, sizes))
    there = np.arange(8) < n
    t, out = np.full(there.shape, np.inf), np.zeros(there.shape)
    t[there], out[there] = np.concatenate(angles), np.concatenate(reach)
    t = np.where(there, np.sort(t, 1), 0.0)
    ring = np.stack([np.cos(t), flat * np.sin(t)], 2) * (r * out)[..., None]
    turned = np.stack([np.cos(turn), -np.sin(turn), np.sin(turn), np.cos(turn)], 2).reshape(-1, 2, 2)
    ring = np.where(there[..., None], ring @ turned + np.array(place)[:, None], 0.0)
    top = (ring.sum(1) / n + np.array(ridge))[:, None]

    def corner(at):
        return np.take_along_axis(ring, (at % n)[..., None], 1)

    facet = np.concatenate([top, corner(k), corner(k - 1), corner(k - 2)], 1)
    other = np.concatenate([top, corner(k + 1), corner(k)], 1)
    shadow = ring + np.stack([0.16 * r, 0.24 * r], 2)
    return (n[:, 0].tolist(), *(np.round(points * 8).astype(np.int32) for points in (shadow, ring, facet, other)),
            np.minimum(greys, 255).astype(int).tolist())


def bands(rng, period, rough):
    """Layers across x (they run along y): widths and tones vary, lines slightly uneven."""
    u = np.arange(SIZE, dtype=np.float32)
    line = np.interp(
        u,
        np.cumsum(rng.gamma(1.4, period, 4 * SIZE // int(period) + 8)),
        rng.uniform(0, 1, 4 * SIZE // int(period) + 8),
    ).astype(np.float32)
    field = np.repeat(cv2.GaussianBlur(line[None], (0, 0), 1.2), SIZE, 0)
    return stretch(warped(field, rng, rough) + 0.06 * octaves(rng, (64, 64), 5, 0.8))


def veins(rng, count, width):
    """Thin wandering lines on black: quartz or calcite veins."""
    field = np.zeros((SIZE, SIZE), np.float32)
    for _ in range(count):
        a, b = rng.uniform(-100, SIZE + 100, (2, 2))
        cv2.line(
            field,
            tuple(int(v) for v in a),
            tuple(int(v) for v in b),
            float(rng.uniform(0.5, 1)),
            int(rng.uniform(1, width)) + 1,
            cv2.LINE_AA,
        )
    field = warped(field, rng, 14, (6, 6)) * np.clip(1 + 0.5 * octaves(rng, (4, 4), 4), 0.1, 1.2)
    return np.clip(field * 255, 0, 255).astype(np.uint8)


def crystals(rng, count):
    """Interlocking grains of a few minerals: granite from near."""
    _, label = cells(rng, count)
    tone = rng.choice([20, 90, 140, 190, 250], label.max() + 1, p=[0.16, 0.24, 0.25, 0.2, 0.15]).astype(
        np.float32
    )
    return stretch(cv2.GaussianBlur(tone[label], (0, 0), 0.8) + 9 * octaves(rng, (64, 64), 4, 0.7))


def spots(rng, count, size):
    """Rounded spots of many sizes on black."""
    field = np.zeros((SIZE, SIZE), np.uint8)
    for x, y, r, t in zip(
        *rng.integers(0, SIZE, (2, count)),
        rng.gamma(2.0, size / 2, count),
        rng.uniform(0, 180, count),
        strict=True,
    ):
        cv2.ellipse(
            field,
            (int(x), int(y)),
            (int(r) + 1, int(r * 0.7) + 1),
            t,
            0,
            360,
            int(rng.integers(120, 256)),
            -1,
            cv2.LINE_AA,
        )
    return field


def blades(rng, count=9000):
    """Grass or straw: short strokes of all tones over one another."""
    field = np.full((SIZE, SIZE), 50, np.uint8)
    at, angle = rng.uniform(0, SIZE, (count, 2)), rng.normal(0, 1.1, count)
    length, tone = rng.gamma(3, 16, count), rng.integers(20, 256, count)
    for (x, y), t, r, c in zip(at, angle, length, tone, strict=True):
        cv2.line(
            field, (int(x), int(y)), (int(x + r * np.sin(t)), int(y - r * np.cos(t))), int(c), 2, cv2.LINE_AA
        )
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
        cv2.line(
            field,
            tuple(int(v) for v in a),
            tuple(int(v) for v in a + b),
            float(rng.normal(0, 2.5)),
            1,
            cv2.LINE_AA,
        )
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
    "film": lambda r: np.clip(
        128 + 2.2 * cv2.GaussianBlur(r.normal(0, 32, (SIZE, SIZE, 3)), (0, 0), 0.9), 0, 255
    ).astype(np.uint8),
}
