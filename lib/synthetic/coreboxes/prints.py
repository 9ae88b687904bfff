"""What laboratories print beside core: titles, depth labels, colour bars, scale bars."""

import cv2
import numpy as np

FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_COMPLEX_SMALL,
)
FIRMS = (
    "NORTHFELL LABS",
    "CORESCAN",
    "GEOLAB AS",
    "PETRA WELL",
    "SILVA ENERGY",
    "KARST OIL INC.",
    "FJORD RESOURCES",
)
COLOURS = [
    (170, 60, 50),
    (214, 120, 60),
    (232, 220, 60),
    (70, 150, 70),
    (60, 170, 190),
    (50, 70, 150),
    (120, 60, 130),
    (240, 240, 240),
    (20, 20, 20),
]


def put_text(pixels, text, x, y, high, ink, font=cv2.FONT_HERSHEY_SIMPLEX):
    """Print with its top left at (x, y), `high` px high; gives its width in px."""
    scale = high / cv2.getTextSize("H0", font, 1.0, 1)[0][1]
    thick = max(1, round(high * 0.09))
    cv2.putText(
        pixels, text, (int(x), int(y + high)), font, scale, tuple(int(v) for v in ink), thick, cv2.LINE_AA
    )
    return cv2.getTextSize(text, font, scale, thick)[0][0]


def depth(rng):
    """A depth as laboratories print it."""
    return f"{rng.uniform(400, 18000):,.{rng.integers(0, 3)}f}"


def title_lines(rng):
    """One to four lines that name firm, well and core."""
    lines = [
        str(rng.choice(FIRMS)),
        f"WELL {rng.integers(1, 40)}/{rng.integers(1, 12)}-{rng.integers(1, 9)}",
        f"CORE NO. {rng.integers(1, 30)}",
        f"{depth(rng)} - {depth(rng)}",
    ]
    return lines[: int(rng.integers(1, 5))]


def title(rng, pixels, ink):
    """Print over the whole of the pixels: a title card, its lines in the middle, at the left, or in columns."""
    h, w = pixels.shape[:2]
    lines, font = title_lines(rng), FONTS[rng.integers(len(FONTS))]
    if rng.random() < 0.4:
        lines = ["   ".join(lines[:3])]
    step = h / (len(lines) + 0.5)
    high = min(step * rng.uniform(0.4, 0.65), 0.05 * w)
    for k, line in enumerate(lines):
        wide = cv2.getTextSize(line, font, high / cv2.getTextSize("H0", font, 1.0, 1)[0][1], 1)[0][0]
        x = (w - wide) / 2 if font != FONTS[2] else 0.04 * w
        if high >= 3:
            put_text(pixels, line, x, (k + 0.3) * step, high, ink, font)


def colour_bar(rng, shape):
    """Squares of colours and greys in a bar, RGB of the shape (height, width), along its longer side."""
    n = int(rng.integers(6, 20))
    steps = np.linspace(250, 8, n)[:, None] * np.ones(3)
    some = np.array(COLOURS)[rng.permutation(len(COLOURS))]
    bar = np.concatenate([some, steps] if rng.random() < 0.6 else [some] if rng.random() < 0.5 else [steps])[
        :, None
    ]
    bar = bar if shape[0] > shape[1] else bar.transpose(1, 0, 2)
    return cv2.resize(bar.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST)


def scale_bar(rng, shape, inverse=False, accent=None):
    """A printed scale, RGB of the shape, along its longer side: bars, ticks and numbers; `accent` colours some bars."""
    h, w = (shape[1], shape[0]) if shape[0] > shape[1] else shape
    paper, ink = ((12, 12, 12), (240, 240, 240)) if inverse else ((240, 240, 238), (20, 20, 20))
    pixels = np.full((h, w, 3), paper, np.uint8)
    n = int(rng.integers(8, 24))
    for k in range(n):
        x0, x1 = round(k * w / n), round((k + 1) * w / n)
        if k % 2:
            pixels[: max(1, h // 3), x0:x1] = accent or ink
        if h > 9 and k % 2 == 0:
            put_text(pixels, str(k * 5), x0 + 1, h * 0.5, h * 0.35, ink)
        pixels[h // 3 : h // 2, x0 : x0 + 1] = ink
    return np.ascontiguousarray(np.rot90(pixels)) if shape[0] > shape[1] else pixels


def label(rng, shape, ground=(150, 190, 224)):
    """A small printed label, RGB of the shape."""
    pixels = np.full((*shape, 3), ground, np.uint8)
    lines = int(rng.integers(2, 5))
    step = shape[0] / (lines + 0.4)
    for k in range(lines):
        if step > 3:
            put_text(
                pixels,
                f"{rng.choice(['DEPTH', 'CORE', 'BOX', 'WELL'])} {depth(rng)}",
                0.06 * shape[1],
                (k + 0.3) * step,
                step * 0.6,
                (40, 44, 60),
            )
    return pixels
