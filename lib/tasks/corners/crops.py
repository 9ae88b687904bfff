"""The windows through which the corner networks look: where they lie, and their pixels, free of aliasing.

A matrix is a 3x3 homography from continuous coordinates of the picture (geometry) to those of the window.
"""

from functools import cache

import cv2
import numpy as np

from lib.imaging import geometry, images

MARGIN = 0.08            # of the first look's window left free on every side, for corners outside the picture
BENT = 1.6               # how much more one axis may be reduced than the other, so that a wide picture is not tiny
ZOOM = 0.14              # margin around the box in the second look
STRIP, STRIP_MARGIN = (160, 48), 0.1   # a side as its refiner sees it: along, across; part beyond the corners
HALVES = (0.035, 0.012)  # what the strips show on either side, of the diagonal: first pass, second pass
HALF = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # OpenCV counts from pixel centres, we from corners


def cut(pixels, matrix, size, fill=(images.GREY,) * 3):
    """A window of `size` (width, height) out of `pixels` (h, w, 3), `fill` around it; None repeats the border.

    Where the window shows the picture reduced, the part of it that is needed is first shrunk by area averaging,
    then sampled more densely along the axis that is reduced more, so that nothing aliases.
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


def of(picture, matrix, size):
    """A window of a Picture, whose coordinates are those of its full resolution even where it is decoded smaller."""
    full = picture.size[0] / picture.pixels.shape[1], picture.size[1] / picture.pixels.shape[0]
    return cut(picture.pixels, np.asarray(matrix, float) @ np.diag([*full, 1.0]), size)


def reduced(picture, least):
    """The Picture with fewer pixels, at least `least` (width, height) where it had them; its coordinates stay."""
    height, width = picture.pixels.shape[:2]
    factor = int(min(width / least[0], height / least[1]))
    if factor < 2:
        return picture
    size = round(width / factor), round(height / factor)
    return images.Picture(cv2.resize(picture.pixels, size, interpolation=cv2.INTER_AREA), picture.size)


def quad(corners, size, margin):
    """The matrix by which four corners become a rectangle, `margin` of the window's size inside its border."""
    width, height = size
    x, y = margin * width, margin * height
    there = np.array([[x, y], [width - x, y], [width - x, height - y], [x, height - y]], np.float32)
    return cv2.getPerspectiveTransform(np.asarray(corners, np.float32), there).astype(float)


def side(start, end, half, size, margin):
    """The matrix by which the line from `start` to `end` becomes the middle of a strip, outside (left of it) on top.

    `half` is what the strip shows on either side of the line, in pixels of the picture; the ends lie `margin` of
    the strip's width inside it.
    """
    start, end = np.asarray(start, float), np.asarray(end, float)
    width, height = size
    length = max(np.linalg.norm(end - start), 1e-6)
    along = (end - start) / length
    outward = np.array([along[1], -along[0]])
    per, up = width * (1 - 2 * margin) / length, height / (2 * half)
    return np.array([[*(along * per), margin * width - along @ start * per],
                     [*(-outward * up), height / 2 + outward @ start * up],
                     [0, 0, 1]])


@cache
def frame(picture, size):
    """The Frame of a picture of (width, height) in an input: MARGIN around it, one axis reduced up to BENT times more."""
    (width, height), (across, down) = picture, size
    x, y = across * (1 - 2 * MARGIN) / width, down * (1 - 2 * MARGIN) / height
    x, y = min(x, BENT * y), min(y, BENT * x)
    inner = max(1, round(width * x)), max(1, round(height * y))
    shift = (across - inner[0]) // 2, (down - inner[1]) // 2
    return geometry.Frame(tuple(size), inner, (inner[0] / width, inner[1] / height), shift)


def ordered(corners):
    """Corners in order; those that are not known stay so."""
    return geometry.order(corners) if np.isfinite(corners).all() else corners
