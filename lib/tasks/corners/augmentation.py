"""Training examples of the corner networks: pictures and sides of boxes, varied, with their truth."""

import cv2
import numpy as np

from lib.imaging import augmentation, geometry, images, warping
from lib.tasks.corners import crops
from lib.tasks.corners.crops import HALVES, MARGIN, STRIP, STRIP_MARGIN, ZOOM, frame

STORED_STRIP, STORED_HALF = (320, 128), 0.08   # a side in the cache; half its width as a part of the diagonal
STORED_MARGIN = 0.16     # of the stored strip beyond the corners, so that a window may begin too early


def look(shown, corners, kind, size, rng):
    """A varied view of the pixels of a picture: the input (uint8), and the corners in it, in pixels.

    Either the whole picture, cropped to its box as people do; or the picture lying in another one; or the box alone,
    as the second look sees it.
    """
    height, width = shown.shape[:2]
    unit = np.diag([1 / width, 1 / height, 1.0])
    flip = augmentation.symmetry(rng)
    way = rng.random()
    if kind == "box" and way < 0.35:
        matrix, background = _zoomed(corners, size, flip, rng), None
    elif way < 0.65:
        matrix, background = _pasted(shown, _least(corners, shown), size, flip @ unit, rng)
    else:
        matrix, background = _whole(corners, kind, (width, height), size, flip, rng), None
    pixels = warping.warp(shown, matrix, size)
    if background is not None:
        mask = warping.warp(np.full((height, width), 255, np.uint8), matrix, size, 0)
        pixels = np.where(mask[..., None] > 127, pixels, background)
    return augmentation.vary(pixels, rng), geometry.warp(matrix, corners)


def look_at_all(shown, quads, size, rng):
    """A varied view of a whole picture: the input (uint8), the corners (n, 4, 2) of its boxes and what is seen of it (2, 2), in pixels.

    Either the picture in its frame, moved and turned a little, or a part of it, which cuts boxes, or the picture lying in
    another one.
    """
    height, width = shown.shape[:2]
    flip, way = augmentation.symmetry(rng, 0.0), rng.random()
    unit = np.diag([1 / width, 1 / height, 1.0])
    canvas = None
    if way < 0.2:
        matrix, canvas = _pasted(shown, 0.4, size, flip @ unit, rng)
    elif way < 0.45:
        part = rng.uniform(0.5, 1.0, 2)
        low = rng.uniform(0, 1 - part)
        kept = np.array([[1 / part[0], 0, -low[0] / part[0]], [0, 1 / part[1], -low[1] / part[1]], [0, 0, 1]])
        matrix = _placed(tuple(np.maximum(1, np.round(part * (width, height))).astype(int).tolist()), size) @ flip @ kept @ unit
    else:
        matrix = _whole(np.full((4, 2), np.nan), "", (width, height), size, flip, rng)
    pixels = warping.warp(shown, matrix, size)
    if canvas is not None:
        mask = warping.warp(np.full((height, width), 255, np.uint8), matrix, size, 0)
        pixels = np.where(mask[..., None] > 127, pixels, canvas)
    ends = geometry.warp(matrix, [[0, 0], [width, 0], [width, height], [0, height]])
    window = np.clip([ends.min(0), ends.max(0)], 0, size)
    if 0.2 <= way < 0.45:
        inner = frame(tuple(np.maximum(1, np.round(part * (width, height))).astype(int).tolist()), size)
        window = np.array([inner.shift, np.add(inner.shift, inner.inner)], float)
        pixels = _only(pixels, window)
    return augmentation.vary(pixels, rng), geometry.warp(matrix, quads), window


def _placed(picture, size):
    """The matrix from the unit square to where a picture of (width, height) lies in an input."""
    there = frame(picture, size)
    return np.array([[there.inner[0], 0, there.shift[0]], [0, there.inner[1], there.shift[1]], [0, 0, 1.0]])


def _only(pixels, window):
    """The pixels inside the window (2, 2), grey around them."""
    (left, top), (right, bottom) = np.round(window).astype(int)
    kept = np.full_like(pixels, images.GREY)
    kept[top:bottom, left:right] = pixels[top:bottom, left:right]
    return kept


def _zoomed(corners, size, flip, rng):
    """The box alone: its corners, guessed with an error, at the place of the second look, or nearly."""
    sides = np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1)
    reach = np.stack([sides + np.roll(sides, 1)] * 2, 1) / 2
    guess = corners + rng.normal(0, rng.choice([0.01, 0.03, 0.06]), (4, 2)) * reach
    if not geometry.is_convex(guess):
        guess = corners
    back = np.diag([1 / size[0], 1 / size[1], 1.0])
    return np.linalg.inv(back) @ flip @ back @ warping.rectification(guess, size, ZOOM)


def _least(corners, shown):
    """How small a picture may get before its box is too small for the first look."""
    if not np.isfinite(corners).all():
        return 0.4
    part = geometry.diagonal(corners) / np.hypot(*shown.shape[:2])
    return float(np.clip(0.3 / part, 0.4, 0.95))


def _pasted(shown, least, size, to_unit, rng):
    """The picture somewhere in another one (made of its own pixels), and that one in the input."""
    other = np.array([1.0, rng.uniform(0.55, 1.0)])[:: rng.choice([1, -1])]
    span = (1 - 2 * MARGIN) * other * size
    start = (np.array(size) - span) / 2
    place = start + augmentation.placed(rng, least) * span
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    matrix = cv2.getPerspectiveTransform(unit, place.astype(np.float32)).astype(float) @ to_unit
    canvas = np.full((size[1], size[0], 3), images.GREY, np.uint8)
    (left, top), (across, down) = np.round(start).astype(int), np.round(span).astype(int)
    canvas[top:top + down, left:left + across] = _background(shown, (across, down), rng)
    return matrix, canvas


def _background(shown, size, rng):
    """Something else of (width, height): a part of the same picture, enlarged and in other colours; or one colour."""
    if rng.random() < 0.2:
        return np.full((size[1], size[0], 3), rng.integers(0, 256, 3), np.uint8)
    part = rng.uniform(0.25, 0.8)
    height, width = (max(8, int(each * part)) for each in shown.shape[:2])
    top, left = (int(rng.integers(0, full - each + 1)) for full, each in zip(shown.shape, (height, width), strict=False))
    other = shown[top:top + height, left:left + width][:: rng.choice([1, -1]), :: rng.choice([1, -1])]
    other = cv2.resize(np.ascontiguousarray(other), tuple(size), interpolation=cv2.INTER_LINEAR)
    return augmentation.light(other, rng)


def _whole(corners, kind, shown, size, flip, rng):
    """The picture in its frame, sometimes cropped about the box first, then moved and turned a little."""
    low, high = np.zeros(2), np.array(shown, float)
    if kind == "box" and rng.random() < 0.6:
        room = rng.uniform(-0.01, 0.08, 4) * geometry.diagonal(corners)
        cropped = rng.random(4) < 0.6
        low = np.where(cropped[:2], np.maximum(low, corners.min(0) - room[:2]), low)
        high = np.where(cropped[2:], np.minimum(high, corners.max(0) + room[2:]), high)
    there = frame(tuple(np.maximum(1, np.round(high - low)).astype(int).tolist()), size)
    scale, shift = np.array(there.scale), np.array(there.shift)
    matrix = np.array([[scale[0], 0, shift[0] - low[0] * scale[0]], [0, scale[1], shift[1] - low[1] * scale[1]],
                       [0, 0, 1]])
    turn, grow = np.deg2rad(rng.normal(0, 2)), rng.uniform(0.9, 1.06, 2)
    centre = np.array(size) / 2
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * grow
    move = centre - linear @ centre + rng.normal(0, 0.015, 2) * size
    back = np.diag([1 / size[0], 1 / size[1], 1.0])
    jitter = np.array([[*linear[0], move[0]], [*linear[1], move[1]], [0, 0, 1]])
    return jitter @ np.linalg.inv(back) @ flip @ back @ matrix


def strips(picture, corners):
    """The four sides of a labelled box as the cache keeps them: uint8 (4, across, along, 3), outside on top."""
    if not np.isfinite(corners).all():
        return np.zeros((4, STORED_STRIP[1], STORED_STRIP[0], 3), np.uint8)
    half = STORED_HALF * geometry.diagonal(corners)
    ends = zip(corners, np.roll(corners, -1, 0), strict=True)
    return np.stack([warping.crop(picture, crops.side(*each, half, STORED_STRIP, STORED_MARGIN), STORED_STRIP)
                     for each in ends])


def strip_example(stored, rng=None):
    """One side as the refiner sees it after a guess that is off, and where the true line then lies."""
    which, still = (0, True) if rng is None else (int(rng.integers(4)), False)
    half = HALVES[0] if still else float(np.exp(rng.uniform(np.log(0.007), np.log(0.045))))
    miss = np.zeros(2) if still else np.clip(rng.normal(0, 0.35, 2) if rng.random() < 0.8 else rng.uniform(-1, 1, 2),
                                             -1, 1) * half
    slide = np.zeros(2) if still else rng.normal(0, 0.015, 2)
    width, height = STORED_STRIP
    per = 1 - 2 * STORED_MARGIN
    start, end = ((STORED_MARGIN + per * (at + slip)) * width for at, slip in zip((0, 1), slide, strict=True))
    up = height / (2 * STORED_HALF)
    guess = height / 2 + miss * up                       # where the guessed line lies, in stored pixels
    along = STRIP[0] * (1 - 2 * STRIP_MARGIN) / (end - start)
    lean = (guess[1] - guess[0]) / (end - start)
    across = STRIP[1] / (2 * half * up)
    matrix = np.array([[along, 0, STRIP_MARGIN * STRIP[0] - start * along],
                       [-lean * across, across, STRIP[1] / 2 - (guess[0] - lean * start) * across],
                       [0, 0, 1]])
    ends = geometry.warp(matrix, [[start, height / 2], [end, height / 2]])
    target = np.array([*(ends[:, 1] / (STRIP[1] / 2) - 1), 1.0], np.float32)
    pixels = warping.warp(stored[which], matrix, STRIP, None)
    if not still:
        if rng.random() < 0.5:
            pixels, target = np.ascontiguousarray(pixels[:, ::-1]), target[[1, 0, 2]]
        pixels = augmentation.vary(pixels, rng)
    return pixels, {"line": target, "profile": target}
