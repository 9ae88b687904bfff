"""Windows of nails varied for training: mirrored, turned, and as another camera would have taken them."""

import cv2
import numpy as np

from lib.tasks.nails import alignment

TURN = 1.0                # degrees by which examples are turned, either way


def varied(pixels, rng, camera):
    """A window mirrored and turned a little; with `camera` also brighter or darker, less sharp and noisier."""
    across, down = rng.random(2) < 0.5
    pixels = pixels[::-1 if down else 1, ::-1 if across else 1]
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), rng.uniform(-TURN, TURN), 1.0)
    turn[:, 2] += rng.uniform(-2, 2, 2)
    pixels = cv2.warpAffine(np.ascontiguousarray(pixels), turn, (width, height), flags=cv2.INTER_LINEAR,
                            borderMode=cv2.BORDER_REPLICATE)
    if not camera:
        return pixels
    level = alignment.LEVEL
    light = (pixels.astype(np.float32) - level) * np.float32(rng.uniform(0.8, 1.2)) + level
    if rng.random() < 0.3:
        light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.3:
        light += rng.standard_normal((height, width, 1), np.float32) * np.float32(rng.uniform(2, 8))
    return np.clip(light, 0, 255).astype(np.uint8)
