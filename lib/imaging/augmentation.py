"""Pictures varied for training: light, colour, sharpness and camera noise, all with one random generator."""

import cv2
import numpy as np


def light(pixels, rng):
    """The picture (uint8 RGB) as another camera, another light or another rock would have made it."""
    if rng.random() < 0.3:
        pixels = _colours(pixels, rng)
    if rng.random() < 0.3:
        pixels = _shade(pixels, rng)
    return cv2.LUT(pixels, _curve(np.array(cv2.mean(pixels)[:3]) / 255, rng))


def _curve(mean, rng):
    """Gain of each channel, gamma and contrast as a table (1, 256, 3) for a picture of that mean colour.

    Dark pictures are not made darker still: their edges would drown in rounding.
    """
    gain, gamma, contrast = rng.uniform(0.85, 1.15, 3), np.exp(rng.normal(0, 0.3)), rng.uniform(0.65, 1.35)
    middle = float((np.clip(mean * gain, 0, 1) ** gamma).mean())
    wanted = np.clip(middle + rng.normal(0, 0.1), min(middle, 0.15), max(middle, 0.85))
    curve = np.clip(np.linspace(0, 1, 256)[:, None] * gain, 0, 1) ** gamma
    return (np.clip((curve - middle) * contrast + wanted, 0, 1) * 255).astype(np.uint8)[None]


def _colours(pixels, rng):
    """Channels mixed; grey at the extreme."""
    strength = rng.choice([0.3, 0.6, 1.0])
    return cv2.transform(pixels, (1 - strength) * np.eye(3) + strength * rng.dirichlet((1, 1, 1), 3))


def _shade(pixels, rng):
    """Light that falls off in one direction, or a shadow with a straight border."""
    height, width = pixels.shape[:2]
    turn = rng.uniform(0, 2 * np.pi)
    x, y = (np.linspace(-1, 1, count, dtype=np.float32) for count in (width, height))
    along = np.float32(np.cos(turn)) * x + (np.float32(np.sin(turn)) * y - np.float32(rng.uniform(-0.7, 0.7)))[:, None]
    shade = 1 - np.float32(rng.uniform(0.1, 0.6)) / (1 + np.exp(-np.float32(rng.choice([0.7, 2, 15])) * along))
    return cv2.multiply(pixels, cv2.merge([shade] * 3), dtype=cv2.CV_8U)


def barred(pixels, rng):
    """The picture with bars across or down it, each somewhat lighter or darker, as panels, shelves and shadows make them."""
    height, width = pixels.shape[:2]
    across = rng.random() < 0.6
    length = height if across else width
    cuts = np.sort(rng.integers(0, length, rng.integers(1, 7)))
    gain = np.exp(rng.normal(0, 0.25, len(cuts) + 1))[np.searchsorted(cuts, np.arange(length), "right")].astype(np.float32)
    gain = np.broadcast_to(gain[:, None] if across else gain, (height, width))
    return cv2.multiply(pixels, cv2.merge([gain] * 3), dtype=cv2.CV_8U)


def camera(pixels, rng):
    """The picture less sharp, sharper, noisier or coded as JPEG."""
    way = rng.random()
    if way < 0.2:
        pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.3, 1.3))
    elif way < 0.3:
        soft = cv2.GaussianBlur(pixels, (0, 0), 1.0)
        pixels = cv2.addWeighted(pixels, 1.7, soft, -0.7, 0)
    if rng.random() < 0.3:
        noise = rng.standard_normal(pixels.shape, np.float32) * np.float32(rng.uniform(1, 10))
        pixels = cv2.add(pixels, noise, dtype=cv2.CV_8U)
    if rng.random() < 0.2:
        code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 90))])[1]
        pixels = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return pixels


def vary(pixels, rng):
    """Light, then camera."""
    return camera(light(pixels, rng), rng)


def symmetry(rng, turned=0.1):
    """One of the square's symmetries as a 3x3 matrix on coordinates 0 … 1; identity in two of five cases.

    With probability `turned` it also swaps width and height.
    """
    across, down = rng.random() < 0.45, rng.random() < 0.3
    matrix = np.array([[-1 if across else 1, 0, across], [0, -1 if down else 1, down], [0, 0, 1]], float)
    if rng.random() < turned:
        matrix = matrix @ np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]], float)
    return matrix


def placed(rng, least):
    """A random place for a picture inside a larger one: its four corners in parts of that one (4, 2).

    Scaled by `least` … 1, turned, seen in perspective, wherever it fits.
    """
    scale = rng.uniform(least, 1.0)
    turn = np.deg2rad(rng.normal(0, 5) if rng.random() < 0.8 else rng.uniform(-25, 25))
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.5
    corners = corners + rng.normal(0, rng.choice([0.01, 0.04]), (4, 2))
    rotate = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = scale * corners @ rotate.T
    room = np.maximum(0.5 - np.abs(corners).max(0), 0.0)
    return corners + 0.5 + rng.uniform(-1, 1, 2) * room
