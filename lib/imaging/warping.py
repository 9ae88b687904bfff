"""Perspective crops of pictures, free of aliasing.

A matrix is a 3x3 homography from continuous coordinates of the picture (geometry) to those of the window.
"""

import cv2
import numpy as np

from lib.imaging import geometry, images

HALF = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # OpenCV counts from pixel centres, we from corners


def warp(pixels, matrix, size, fill=(images.GREY,) * 3):
    """A window of `size` (width, height) of `pixels` (h, w[, 3]), with `fill` around them; None repeats the border.

    `matrix` (3, 3) leads from the pixels to the window. Where the window shows them reduced, what it shows is first shrunk
    by area averaging, then sampled more densely along the axis that is reduced more, so that nothing aliases.
    """
    scale = _reduction(matrix, size)
    shrink = max(1, int(min(scale)))
    dense = [int(np.clip(round(each / shrink), 1, 6)) for each in scale]
    matrix = np.diag([dense[0], dense[1], 1.0]) @ np.asarray(matrix, float)
    if shrink > 1:
        pixels, matrix = _shrunk(pixels, matrix, (size[0] * dense[0], size[1] * dense[1]), shrink)
    matrix = np.linalg.inv(HALF) @ matrix @ HALF
    border = {"borderMode": cv2.BORDER_REPLICATE} if fill is None else {"borderValue": fill}
    window = cv2.warpPerspective(pixels, matrix, (size[0] * dense[0], size[1] * dense[1]), flags=cv2.INTER_LINEAR,
                                 **border)
    return window if dense == [1, 1] else cv2.resize(window, tuple(size), interpolation=cv2.INTER_AREA)


def _reduction(matrix, size):
    """Pixels of the picture in one of the window's, along its width and its height, at its centre."""
    width, height = size
    centre = np.array([[width, height], [width + 2, height], [width, height + 2]]) / 2
    at = geometry.warp(np.linalg.inv(matrix), centre)
    return np.linalg.norm(at[1:] - at[0], axis=1)


def _shrunk(pixels, matrix, size, shrink):
    """The part of `pixels` the window shows, 1/shrink as large, and the matrix that leads from there."""
    width, height = size
    seen = geometry.warp(np.linalg.inv(matrix), [[0, 0], [width, 0], [width, height], [0, height]])
    low = np.clip(np.floor(seen.min(0) / shrink - 2), 0, None).astype(int) * shrink
    high = np.ceil(seen.max(0) / shrink + 2).astype(int) * shrink
    part = pixels[low[1]:high[1], low[0]:high[0]]
    if not part.size:
        return pixels[:1, :1], matrix
    fits = -(-part.shape[1] // shrink), -(-part.shape[0] // shrink)
    part = cv2.resize(part, fits, interpolation=cv2.INTER_AREA)
    back = np.array([[shrink, 0, low[0]], [0, shrink, low[1]], [0, 0, 1]], float)
    return part, matrix @ back


def crop(picture, matrix, size):
    """The window of `size` (width, height) of a Picture: uint8 (h, w, 3). `matrix` is in pixels of its full resolution."""
    full = picture.size[0] / picture.pixels.shape[1], picture.size[1] / picture.pixels.shape[0]
    return warp(picture.pixels, np.asarray(matrix, float) @ np.diag([*full, 1.0]), size)


def downsampled(picture, least):
    """The Picture with fewer pixels, at least `least` (width, height) where it had them; its `size` stays."""
    height, width = picture.pixels.shape[:2]
    factor = int(min(width / least[0], height / least[1]))
    if factor < 2:
        return picture
    size = round(width / factor), round(height / factor)
    return images.Picture(cv2.resize(picture.pixels, size, interpolation=cv2.INTER_AREA), picture.size)


def rectification(corners, size, margin):
    """The homography (3, 3) of four corners to the rectangle that lies `margin` of a window's size inside its border."""
    width, height = size
    x, y = margin * width, margin * height
    there = np.array([[x, y], [width - x, y], [width - x, height - y], [x, height - y]], np.float32)
    return cv2.getPerspectiveTransform(np.asarray(corners, np.float32), there).astype(float)
