"""Training examples of boats: windows at other scales, mirrored, in other light and colours, with their boxes."""

import cv2
import numpy as np

from lib.imaging import augmentation, images
from lib.tasks.boats import detection

OTHER_COLOURS = 0.5     # of the examples get other hues …
PAINTED = 0.25          # … and of the boats a coat of their own
PART = 0.4              # of a box that must be left in a window for it to be asked for


def example(stored, boxes, crowds, frame, size, rng):
    """A window of a picture at another scale, perhaps mirrored, in another light: its pixels, and the boxes in it.

    `frame` is that of the stored picture, `size` (width, height) that of the window. Boxes that are cut off too much
    come with the crowds, which are not judged.
    """
    matrix = window(rng, frame, size)
    scale = abs(matrix[0, 0])
    if scale < 0.5:  # the warp does not average
        stored = cv2.GaussianBlur(stored, (0, 0), 0.4 / scale)
    pixels = cv2.warpAffine(stored, matrix - [[0, 0, 0.5 * (1 - matrix[0, 0])], [0, 0, 0.5 * (1 - matrix[1, 1])]],
                            size, flags=cv2.INTER_LINEAR, borderValue=(images.GREY,) * 3)
    things, crowds = (detection.moved(within(frame, each), matrix) for each in (boxes, crowds))
    cut = np.clip(things, 0, [*size, *size])
    left = detection.areas(cut) / np.maximum(detection.areas(things), 1e-9)
    good = (left >= PART) & ((cut[:, 2:] - cut[:, :2]).min(1, initial=np.inf) >= 2)
    unsure = cut[~good & (left > 0)]
    pixels = recoloured(rng, pixels, cut[good])
    return augmentation.vary(pixels, rng), cut[good], np.concatenate([crowds, unsure])


def within(frame, things):
    """Boxes of the picture in pixels of the frame's input (n, 4)."""
    return frame.into(detection.array(things).reshape(-1, 2, 2)).reshape(-1, 4)


def window(rng, frame, size):
    """The matrix (2, 3) from a stored picture to an input that shows it nearer or farther, perhaps mirrored."""
    scale = size[0] / frame.size[0] * np.exp(rng.uniform(-0.3, 0.6))
    shown = np.array(frame.inner) * scale
    room = np.array(size) - shown           # negative: the window is smaller than the picture
    place = np.where(room < 0, room * rng.random(2), room * rng.random(2)) - np.array(frame.shift) * scale
    matrix = np.array([[scale, 0, place[0]], [0, scale, place[1]]])
    if rng.random() < 0.5:
        matrix[0] = [-matrix[0, 0], 0, size[0] - matrix[0, 2]]
    return matrix


def recoloured(rng, pixels, things):
    """The picture in other hues, and some of the things in a colour of their own: both come in more than a data set has."""
    pixels = pixels.copy()
    for thing in things[rng.random(len(things)) < PAINTED]:
        _paint(rng, pixels, thing)
        room = np.array(pixels.shape[1::-1]) - (thing[2:] - thing[:2])   # and as much elsewhere, lest paint tells of a boat
        _paint(rng, pixels, np.tile(rng.random(2) * room - thing[:2], 2) + thing)
    if rng.random() < OTHER_COLOURS:
        code = cv2.cvtColor(np.ascontiguousarray(pixels[..., rng.permutation(3)]), cv2.COLOR_RGB2HSV)
        code[..., 0] = (code[..., 0].astype(int) + rng.integers(-20, 21)) % 180
        code[..., 1] = np.clip(code[..., 1] * rng.uniform(0.3, 1.7), 0, 255)
        pixels = cv2.cvtColor(code, cv2.COLOR_HSV2RGB)
    return pixels


def _paint(rng, pixels, thing):
    """Show an ellipse over a box through coloured glass that is clear at its rim; changes the picture."""
    x0, y0, x1, y1 = thing.round().astype(int)
    across, down = np.linspace(-1, 1, x1 - x0, dtype=np.float32), np.linspace(-1, 1, y1 - y0, dtype=np.float32)[:, None]
    glass = np.clip(2 - 2 * (across**2 + down**2), 0, 1)[..., None] * np.float32(1 - rng.uniform(0.15, 1.0, 3))
    pixels[y0:y1, x0:x1] = pixels[y0:y1, x0:x1] * (1 - glass)
