"""The bin itself: yellow cloth, its ledges with their labels, and what is stretched across its mouth."""

import cv2
import numpy as np

from lib.synthetic.bins.items import stamp

CLOTH = np.float32([0.78, 0.66, 0.36])
OTHER_CLOTH = np.float32([0.45, 0.52, 0.60])   # of the shifted set
LABELS = np.float32([[0.12, 0.17, 0.30], [0.80, 0.25, 0.20], [0.90, 0.62, 0.60], [0.45, 0.62, 0.80], [0.90, 0.60, 0.30],
                     [0.40, 0.40, 0.42]])


def inside(rng, size, shifted):
    """The empty bin (h, w, 3) float32, and the edges (top, floor, mouth) of its room as parts of the height."""
    width, height = size
    cloth = np.float32(OTHER_CLOTH if shifted else CLOTH) * np.float32(rng.uniform(0.85, 1.1))
    top, floor, mouth = rng.uniform(0.08, 0.16), rng.uniform(0.74, 0.82), rng.uniform(0.86, 0.92)
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    wall = 0.24 + 0.30 * np.clip((y - top) / (floor - top), 0, 1) * (1 - 0.35 * x**2)
    ground = 0.75 + 0.35 * np.clip((y - floor) / (mouth - floor), 0, 1)
    below = y > floor + 0.02 * x**2
    side = np.clip((np.abs(x + rng.uniform(-0.03, 0.03)) - rng.uniform(0.90, 0.97)) * 30, 0, 1)
    tinted = np.where(below, 0.35 * ground, wall) * (1 - side) + rng.uniform(0.5, 0.8) * side
    plain = np.where(below, 0.28 * ground, 0.03) * (1 - side)
    return np.float32(tinted)[..., None] * cloth + np.float32(plain)[..., None], (top, floor, mouth)


def ledges(rng, picture, room, shifted):
    """Put the cloth above and below the bin's mouth in front, with its labels; changes the picture."""
    height, width = picture.shape[:2]
    cloth = np.float32(OTHER_CLOTH if shifted else CLOTH) * np.float32(rng.uniform(0.9, 1.1))
    x = np.arange(width)
    for edge, above in ((room[0], True), (room[2], False)):
        sag = rng.uniform(-0.02, 0.03) * np.sin(np.pi * x / width) + rng.uniform(-0.01, 0.01) * x / width
        line = (height * (edge + sag)).astype(np.int32)
        end = -9 if above else height + 9
        mask = np.zeros((height, width), np.uint8)
        cv2.fillPoly(mask, [np.concatenate([np.stack([x, line], 1), [[width, end], [0, end]]]).astype(np.int32)], 255)
        reach = int(0.12 * height)   # of the shade below and above the cloth
        rows = slice(0, line.max() + reach) if above else slice(max(0, line.min() - reach), height)
        mask = mask[rows].astype(np.float32)[..., None] / 255
        shade = cv2.GaussianBlur(np.roll(mask, 3 if above else -2, 0), (0, 0), 0.012 * height + 1)[..., None]
        fall = np.linspace(1.05, 0.9, len(mask), dtype=np.float32)[:, None, None]
        picture[rows] = picture[rows] * ((1 - 0.35 * shade) * (1 - mask)) + cloth * (fall * mask)
        hem = np.stack([x, line + (-3 if above else 3) * height // 240], 1).astype(np.int32)
        cv2.polylines(picture, [hem], False, tuple(map(float, cloth * 0.82)), 1, cv2.LINE_AA)
        _label(rng, picture, edge, above)


def _label(rng, picture, edge, above):
    """A shelf's label: a coloured field with letter and arrow, and a square code; half out of the picture above."""
    height, width = picture.shape[:2]
    across, tall = int(width * rng.uniform(0.3, 0.4)), int(height * 0.11)
    patch = np.ones((tall, across, 3), np.float32) * LABELS[rng.integers(len(LABELS))]
    patch[int(0.18 * tall):int(0.85 * tall), int(0.08 * across):int(0.5 * across)] = 0.9
    stamp(patch, f"{rng.integers(1, 5)}{'ABCDEFGHIJK'[rng.integers(11)]}", (int(0.13 * across), int(0.78 * tall)),
          tall / 34, [0.08] * 3, max(1, tall // 12))
    code = int(0.75 * tall)
    dots = cv2.resize(rng.integers(0, 2, (9, 9)).astype(np.float32) * 0.8 + 0.08, (code, code), interpolation=cv2.INTER_NEAREST)
    patch[int(0.12 * tall):int(0.12 * tall) + code, int(0.62 * across):int(0.62 * across) + code] = dots[..., None]
    left = int(width * rng.uniform(0.15, 0.5))
    top = int(height * (edge - 0.035)) - tall if above else int(height * (edge + 0.03))
    first, last = max(0, top), min(height, top + tall)
    if last > first:
        picture[first:last, left:left + across] = patch[first - top:last - top, :max(0, width - left)][:, :across]


def bands(rng, picture, room, number, shifted):
    """Stretch `number` groups of elastic threads across the mouth; the shifted set has clear tape and a rope instead."""
    height, width = picture.shape[:2]
    for band in range(number):
        middle = room[0] + (room[2] - room[0]) * (band + rng.uniform(0.35, 0.65)) / number
        half = rng.uniform(0.07, 0.12)
        if shifted:
            _tape(rng, picture, middle, half)
        else:
            _threads(rng, picture, middle, half)
    if shifted and rng.random() < 0.5:
        ends = [(0, int(height * rng.uniform(0.5, 0.8))), (width, int(height * rng.uniform(0.5, 0.8)))]
        cv2.line(picture, *ends, (0.4, 0.4, 0.4), max(2, height // 50), cv2.LINE_AA)
        cv2.line(picture, *ends, (0.75, 0.75, 0.75), max(1, height // 150), cv2.LINE_AA)


def _threads(rng, picture, middle, half):
    height, width = picture.shape[:2]
    layer = np.zeros((height, width), np.float32)
    x = np.linspace(0, width, 9)
    count = int(rng.integers(10, 17))
    light = rng.uniform(0.35, 0.75)
    wave = rng.normal(0, 0.002, 9) * height + rng.uniform(-0.02, 0.02) * height * np.linspace(-1, 1, 9)
    for thread in range(count):
        y = height * (middle - half + 2 * half * thread / (count - 1)) + wave + rng.normal(0, 0.0012, 9) * height
        points = np.stack([x, y], 1) * 16
        cv2.polylines(layer, [points.astype(np.int32)], False, float(light * rng.uniform(0.7, 1)),
                      max(1, round(height / 260)), cv2.LINE_AA, 4)
    tint = np.float32([0.72, 0.68, 0.62])
    picture += layer[..., None] * (tint - picture)
    if rng.random() < 0.6:
        clamp = int(width * rng.uniform(0.01, 0.04))
        rows = slice(int(height * (middle - half)), int(height * (middle + half)))
        side = slice(0, clamp) if rng.random() < 0.5 else slice(width - clamp, width)
        picture[rows, side] = picture[rows, side] * 0.3 + 0.5


def _tape(rng, picture, middle, half):
    """A clear band: a veil of haze with bright rims, through which things are seen more dimly."""
    height = picture.shape[0]
    rows = slice(max(0, int(height * (middle - half))), int(height * (middle + half)))
    haze = np.float32(rng.uniform(0.2, 0.4))
    picture[rows] = picture[rows] * (1 - haze) + haze * 0.75
    for row in (rows.start, rows.stop - 1):
        picture[row:row + 1] = picture[row:row + 1] * 0.5 + 0.4
