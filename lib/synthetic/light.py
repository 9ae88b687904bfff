"""What light, lens, sensor and file do to a picture, after its geometry is done."""

import cv2
import numpy as np

from lib.synthetic import textures as tx
from lib.synthetic.handwriting import write

LIGHTS = {  # red and blue gain left after white balance, contrast, brightness
    "overcast": (0.98, 1.04, 0.95, 1.0),
    "sun": (1.04, 0.94, 1.15, 1.1),
    "shade": (0.92, 1.14, 0.92, 0.9),
    "flash": (1.02, 1.0, 1.1, 1.0),
    "hall": (1.06, 0.88, 0.95, 0.9),
    "warm lamp": (1.14, 0.74, 1.0, 0.9),
    "dim": (1.08, 0.84, 0.9, 0.6),
    "bright": (1.0, 1.0, 1.0, 1.3),
    "neutral": (1.0, 1.0, 1.0, 1.0),
    "sodium": (1.22, 0.58, 0.95, 0.85),
    "blue hour": (0.86, 1.24, 0.9, 0.7),
    "greenish tube": (0.92, 0.92, 1.0, 0.95),
}

HELD_OUT_LIGHTS = ("sodium", "blue hour", "greenish tube")


def expose(rng, pixels, light):
    """The picture under a light: automatic exposure, white balance, contrast, gamma, saturation."""
    red, blue, contrast, bright = LIGHTS[light]
    seen = float(pixels[::9, ::9].mean()) / 255
    auto = np.clip((0.45 * np.exp(rng.normal(0, 0.2)) / max(seen, 0.02)) ** rng.uniform(0.4, 0.95), 0.45, 2.8)
    gains = np.array([red, 1.07 if light == "greenish tube" else 1.0, blue]) ** rng.uniform(0.3, 1.15)
    gains = gains * (1 + rng.normal(0, 0.02, 3)) * auto * bright
    u = np.arange(256)[:, None] / 255 * gains
    u = np.clip(u, 0, None) ** np.exp(rng.normal(0, 0.1))
    u = 0.42 + (u - 0.42) * contrast * np.exp(rng.normal(0, 0.1)) + rng.normal(0, 0.015)
    u = np.where(u > 0.7, 0.7 + 0.3 * np.tanh((u - 0.7) / 0.3), u)  # highlights roll off
    pixels = cv2.LUT(pixels, np.clip(u * 255, 0, 255).astype(np.uint8)[None])
    saturation = float(np.clip(rng.normal(0.92, 0.2), 0.0, 1.5)) if rng.random() > 0.02 else 0.0
    grey = np.array([[0.299, 0.587, 0.114]]) * (1 - saturation)
    return cv2.transform(pixels, (np.repeat(grey, 3, 0) + np.eye(3) * saturation).astype(np.float32))


def illumination(rng, light, size):
    """Gain of the light over the picture on a coarse grid, float32 about 1: gradients, vignette, flash."""
    y, x = np.mgrid[-1:1:24j, -1:1:32j].astype(np.float32)
    slope = rng.normal(0, 0.11, 2)
    gain = 1 + slope[0] * x + slope[1] * y
    if rng.random() < 0.35 or light == "flash":
        cx, cy = rng.normal(0, 0.4, 2)
        wide = rng.uniform(0.5, 1.3)
        power = rng.uniform(0.3, 0.8) if light == "flash" else rng.uniform(-0.25, 0.4)
        gain = gain * (
            1 - 0.3 * max(power, 0) + power * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * wide**2))
        )
    gain = gain * (1 - rng.uniform(0, 0.3) * (rng.random() < 0.6) * (x**2 + y**2) / 2)
    return np.clip(gain, 0.25, 1.7)


def lit(pixels, gain):
    """The picture times a coarse gain map."""
    h, w = pixels.shape[:2]
    table = cv2.resize(np.clip(gain * 128, 0, 255).astype(np.uint8), (w, h), interpolation=cv2.INTER_LINEAR)
    return cv2.multiply(pixels, tx.tripled(table), scale=1 / 128)


def blur(rng, pixels, strong=False):
    """Out of focus or moved: slightly in one of four pictures, so that corners are lost where `strong`."""
    side = max(pixels.shape[:2])
    if strong:
        reach = side * rng.uniform(0.008, 0.025)
    elif rng.random() < 0.3:
        reach = min(rng.gamma(1.5, 0.5), 2.4) * max(side / 1000, 0.6)
    else:
        return pixels, 0.0
    if rng.random() < 0.35:
        n = max(3, int(reach * 2) | 1)
        kernel = np.zeros((n, n), np.float32)
        kernel[n // 2] = 1 / n
        turn = cv2.getRotationMatrix2D((n / 2 - 0.5, n / 2 - 0.5), float(rng.uniform(0, 180)), 1)
        kernel = cv2.warpAffine(kernel, turn, (n, n))
        return cv2.filter2D(pixels, -1, kernel / max(kernel.sum(), 1e-6)), float(reach)
    return cv2.GaussianBlur(pixels, (0, 0), max(float(reach), 0.3)), float(reach)


def develop(rng, pixels, dark):
    """Sharpening, noise and an earlier life as a small or strongly packed JPEG."""
    h, w = pixels.shape[:2]
    if rng.random() < 0.35:
        soft = cv2.blur(pixels, (3, 3))
        amount = float(rng.uniform(0.3, 1.3))
        pixels = cv2.addWeighted(pixels, 1 + amount, soft, -amount, 0)
    if rng.random() < 0.75:
        strength = float(np.clip(rng.gamma(1.3, 0.06) * (1.6 if dark else 1), 0, 0.5))
        tile = tx.crop("noise" if rng.random() < 0.5 else "film", rng, (h, w))
        pixels = cv2.addWeighted(pixels, 1, tile, strength, -128 * strength)
    if rng.random() < 0.2:
        quality = int(rng.integers(35, 92))
        _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    return pixels


def shadows(rng, shape):
    """Gain of hard or soft shadows over a picture, float32 (h, w): people, poles, branches, roof edges."""
    h, w = shape
    gain = np.full((h, w), 255, np.uint8)
    deep = int(rng.uniform(90, 200))
    kind = rng.integers(4)
    if kind == 0:  # the photographer
        x, r = rng.uniform(0.1, 0.9) * w, rng.uniform(0.08, 0.16) * w
        cv2.ellipse(
            gain,
            (int(x), int(h * rng.uniform(0.35, 0.8))),
            (int(r), int(r * 1.2)),
            0,
            0,
            360,
            deep,
            -1,
            cv2.LINE_AA,
        )
        pts = np.array(
            [[x - 2 * r, h * 1.1], [x - 1.6 * r, h * 0.85], [x + 1.6 * r, h * 0.85], [x + 2 * r, h * 1.1]]
        )
        cv2.fillPoly(gain, [pts.astype(np.int32)], deep, cv2.LINE_AA)
    elif kind == 1:  # an edge across the picture
        t, d = rng.uniform(0, 2 * np.pi), rng.uniform(-0.35, 0.35)
        n, c = np.array([np.cos(t), np.sin(t)]), np.array([w, h]) * 0.5
        a = c + n * d * w
        side = np.array([-n[1], n[0]]) * 3 * w
        cv2.fillPoly(
            gain,
            [np.array([a - side, a + side, a + side + n * 3 * w, a - side + n * 3 * w]).astype(np.int32)],
            deep,
            cv2.LINE_AA,
        )
    else:  # bars or branches
        for _ in range(int(rng.integers(1, 7))):
            a, b = rng.uniform(-0.3, 1.3, (2, 2)) * (w, h)
            cv2.line(
                gain,
                tuple(int(q) for q in a),
                tuple(int(q) for q in b),
                deep,
                max(1, int(rng.uniform(0.005, 0.05) * w)),
                cv2.LINE_AA,
            )
    return cv2.GaussianBlur(gain, (0, 0), float(np.exp(rng.uniform(np.log(0.4), np.log(6)))))


def stamp(rng, pixels):
    """A date in a corner of the picture, as cameras burn it in."""
    h, w = pixels.shape[:2]
    high = h * rng.uniform(0.025, 0.05)
    text_ = f"{rng.integers(1, 29):02d}.{rng.integers(1, 13):02d}.{rng.integers(1998, 2026)}"
    x = w * (rng.uniform(0.02, 0.1) if rng.random() < 0.25 else rng.uniform(0.7, 0.8))
    y = h * rng.uniform(0.9, 0.97) - high * 0.5 if rng.random() < 0.9 else h * 0.03
    colour = [(250, 210, 40), (250, 130, 40), (250, 250, 250)][rng.integers(3)]
    write(rng, pixels, text_, x, y, high, colour, max(1, high * 0.1), neat=0.0)
