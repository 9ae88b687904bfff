"""Pictures varied for training: light, colour, sharpness and camera noise, all with one random generator."""

import cv2
import numpy as np


def light(pixels, rng):
    """The picture (uint8 RGB) as another camera, another light or another rock would have made it."""
    pixels = pixels.astype(np.float32) / 255
    if rng.random() < 0.3:
        pixels = _colours(pixels, rng)
    pixels = pixels * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    if rng.random() < 0.3:
        pixels = _shade(pixels, rng)
    pixels = np.clip(pixels, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.3)))
    mean = float(pixels.mean())  # dark pictures are not made darker still: their edges would drown in rounding
    wanted = np.clip(mean + rng.normal(0, 0.1), min(mean, 0.15), max(mean, 0.85))
    pixels = (pixels - mean) * rng.uniform(0.65, 1.35) + wanted
    return (np.clip(pixels, 0, 1) * 255).astype(np.uint8)


def _colours(pixels, rng):
    """Channels mixed; grey at the extreme."""
    mix = rng.dirichlet((1, 1, 1), 3).astype(np.float32)
    strength = np.float32(rng.choice([0.3, 0.6, 1.0]))
    return (1 - strength) * pixels + strength * (pixels @ mix.T)


def _shade(pixels, rng):
    """Light that falls off in one direction, or a shadow with a straight border."""
    height, width = pixels.shape[:2]
    turn = rng.uniform(0, 2 * np.pi)
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    along = np.cos(turn) * x + np.sin(turn) * y - rng.uniform(-0.7, 0.7)
    steep = rng.choice([0.7, 2, 15])
    return pixels * (1 - rng.uniform(0.1, 0.6) / (1 + np.exp(-steep * along)))[..., None].astype(np.float32)


def camera(pixels, rng):
    """The picture less sharp, sharper, noisier or coded as JPEG."""
    way = rng.random()
    if way < 0.2:
        pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.3, 1.3))
    elif way < 0.3:
        soft = cv2.GaussianBlur(pixels, (0, 0), 1.0)
        pixels = cv2.addWeighted(pixels, 1.7, soft, -0.7, 0)
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(1, 10), pixels.shape)
        pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
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
