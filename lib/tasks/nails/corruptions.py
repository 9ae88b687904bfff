"""A picture as a faster line, another lamp or a worse camera would have taken it."""

import cv2
import numpy as np

KINDS = {  # what goes wrong: in which unit, and how much of it, from little to much
    "motion": ("px", (4, 8, 16, 32)),
    "blur": ("px", (1.0, 2.0, 4.0, 8.0)),
    "darker": ("of the light", (0.7, 0.5, 0.3, 0.15)),
    "brighter": ("of the light", (1.3, 1.7, 2.2, 3.0)),
    "noise": ("grey levels", (5, 10, 20, 40)),
    "JPEG": ("quality", (50, 25, 12, 6)),
}


def corrupt(pixels, kind, amount, seed=0):
    """The picture, uint8 RGB, with so much of one of KINDS; the same for the same seed. ValueError: another kind."""
    rng = np.random.default_rng(seed)
    if kind == "motion":
        return motion(pixels, int(amount), rng.uniform(0, np.pi))
    if kind == "blur":
        return cv2.GaussianBlur(pixels, (0, 0), amount)
    if kind in ("darker", "brighter"):
        return cv2.convertScaleAbs(pixels, alpha=amount)
    if kind == "noise":
        noise = rng.standard_normal(pixels.shape[:2], np.float32) * np.float32(amount)
        return np.clip(pixels + noise[..., None], 0, 255).astype(np.uint8)
    if kind == "JPEG":
        code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(amount)])[1]
        return cv2.imdecode(code, cv2.IMREAD_COLOR)
    raise ValueError(f"kind is {kind!r}; there are {', '.join(KINDS)}")


def motion(pixels, length, angle):
    """The picture smeared over `length` px in a direction (radians): what moves while the shutter is open."""
    side = length + 1 - length % 2
    line = np.zeros((side, side), np.float32)
    middle, reach = (side - 1) / 2, (length - 1) / 2
    ends = [(middle + sign * reach * np.cos(angle), middle + sign * reach * np.sin(angle)) for sign in (-1, 1)]
    cv2.line(line, *[tuple(int(round(16 * at)) for at in end) for end in ends], 1.0, 1, cv2.LINE_8, 4)
    return cv2.filter2D(pixels, -1, line / line.sum(), borderType=cv2.BORDER_REFLECT)
