"""Bins varied for training, and with more contrast."""

import cv2
import numpy as np

from lib.imaging import augmentation

OTHER_COLOURS = 0.2   # of the examples get their colour channels in another order
BARRED = 0.4          # of them are barred, since there are other cloths and panels behind the items than those learned from


def enhance(pixels, way, clip):
    """The picture (uint8 RGB) with more contrast in its lightness: CLAHE with a clip limit, or equalised as a whole."""
    if way == "none":
        return pixels
    code = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)
    light = code[..., 0]
    code[..., 0] = cv2.equalizeHist(light) if way == "equalise" else cv2.createCLAHE(clip, (4, 4)).apply(light)
    return cv2.cvtColor(code, cv2.COLOR_YCrCb2RGB)


def varied(pixels, rng):
    """The picture mirrored or not, turned, moved and stretched a little, in other light and colours; and the matrix (2, 3)."""
    height, width = pixels.shape[:2]
    turn, mirror = np.deg2rad(rng.normal(0, 3)), -1 if rng.random() < 0.5 else 1
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * rng.uniform(0.92, 1.15, 2) * (mirror, 1)
    middle = np.array((width, height)) / 2
    shift = middle + rng.uniform(-0.04, 0.04, 2) * (width, height) - matrix @ middle
    matrix = np.column_stack([matrix, shift])
    moved = np.column_stack([matrix[:, :2], shift + matrix[:, :2] @ [0.5, 0.5] - 0.5])  # OpenCV counts from pixel centres
    pixels = cv2.warpAffine(pixels, moved, (width, height), borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < OTHER_COLOURS:
        pixels = np.ascontiguousarray(pixels[..., rng.permutation(3)])
    if rng.random() < BARRED:
        pixels = augmentation.barred(pixels, rng)
    return augmentation.vary(pixels, rng), matrix
