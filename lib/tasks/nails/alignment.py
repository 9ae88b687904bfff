"""Where does the one bright part lie on a plain ground, and along which line?

Lengths are in pixels of the picture that is given, points are x, y from the centre of the first pixel, angles are in
radians from the x axis towards the y axis.
"""

from dataclasses import dataclass

import cv2
import numpy as np

LEVEL = 64      # what the ground is in a picture that was cut out
BRIGHT = 160    # how far above it the bright end of the part is
SIDE = 224      # px, in which a part is looked for: enough for its outline


@dataclass(frozen=True)
class Part:
    """A part on its ground: `centre` (x, y) and `angle` of its longer axis, `length` and `width` across it.

    `mask` and `ground` are float32 (SIDE, SIDE), of the square window whose first pixel is `corner` and whose pixels
    are `pitch` wide: 0 … 1 on the part, and the brightness that the ground would have there.
    """

    centre: tuple
    angle: float
    length: float
    width: float
    mask: np.ndarray
    ground: np.ndarray
    corner: tuple
    pitch: float


def grey(pixels):
    """Brightness, uint8 (height, width), of RGB pixels."""
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def brightest(light, below):
    """Centre of mass (x, y) of what is at most `below` grey levels under the maximum, and the contrast around it.

    `light` is uint8 (height, width); the contrast is the maximum less the median.
    """
    most = int(light.max())
    points = cv2.findNonZero(cv2.inRange(light, max(most - below, 0), 255)).reshape(-1, 2)
    return tuple(map(float, points.mean(0))), most - float(np.median(light[::4, ::4]))


def around(centre, side, size):
    """First pixel (left, top) and side of the square around a point, moved so that it lies in (width, height)."""
    side = int(min(side, *size))
    return *(int(np.clip(round(at - side / 2), 0, most - side)) for at, most in zip(centre, size, strict=True)), side


def find(light, centre, side, shortest=0.0, deviations=4.0, share=0.05):
    """The Part around a point of `light`, uint8 (height, width); None where there is none.

    Looked at is a square of `side` px (see `around`). A pixel belongs to the part where it is brighter than the
    ground by so many `deviations` of the ground's noise, and by that `share` of the part's own brightness; of the
    connected pieces the one with the most light is taken. One under `shortest` px is followed along its axis by its
    edges, since metal may be as dark as the ground.
    """
    left, top, side = around(centre, side, light.shape[::-1])
    small = cv2.resize(light[top:top + side, left:left + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    tiny = cv2.medianBlur(cv2.resize(small, (SIDE // 4, SIDE // 4), interpolation=cv2.INTER_AREA), 21)
    ground = cv2.resize(tiny.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    above = cv2.GaussianBlur(small, (3, 3), 0) - ground
    noise = 1.4826 * float(np.median(np.abs(above[::2, ::2]))) + 0.5
    peak = float(np.partition(above.ravel(), -100)[-100])
    over = (above > max(deviations * noise, share * peak)).astype(np.uint8)
    over = cv2.morphologyEx(over, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    count, pieces = cv2.connectedComponents(over)
    if count < 2:
        return None
    mask = (pieces == 1 + int(np.argmax(np.bincount(pieces.ravel(), above.clip(0).ravel())[1:]))).astype(np.uint8)
    if mask.sum() < 20:  # a speck of dust
        return None
    pitch = side / SIDE
    if shortest and np.ptp(_box(mask)[2:], 0)[0] * pitch < shortest:
        mask = _longer(mask, small)
    return _part(mask, ground, (left, top), pitch)


def _longer(mask, small, reach=0.12, gap=13):
    """The mask with what goes on along its axis and has edges; `reach` widens the way, `gap` (px) is bridged."""
    centre, turn, least, most = _box(mask)
    along, across = np.tensordot(turn, np.indices(mask.shape)[::-1] - np.reshape(centre, (2, 1, 1)), 1)
    beyond = np.abs(along) - (most[0] - least[0]) / 2
    near = np.abs(across) < np.maximum((most[1] - least[1]) / 2, 3) + reach * np.maximum(beyond, 0)
    rough = cv2.morphologyEx(cv2.GaussianBlur(small, (3, 3), 0), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    usual = float(np.median(rough[::2, ::2]))
    spread = 1.4826 * float(np.median(np.abs(rough[::2, ::2] - usual))) + 0.5
    more = ((rough > usual + 4 * spread) & near | (mask > 0)).astype(np.uint8)
    _, pieces = cv2.connectedComponents(cv2.morphologyEx(more, cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8)))
    return (more & (pieces == np.bincount(pieces[mask > 0]).argmax())).astype(np.uint8)


def _box(mask):
    """Centre (x, y) of a mask's extent along its own axes, the rows of these axes, and the extent's least and most."""
    mass = cv2.moments(mask, True)
    angle = 0.5 * np.arctan2(2 * mass["mu11"], mass["mu20"] - mass["mu02"])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = cv2.findNonZero(mask).reshape(-1, 2) @ turn.T
    least, most = points.min(0), points.max(0)
    return turn.T @ ((least + most) / 2), turn, least, most


def _part(mask, ground, corner, pitch):
    centre, turn, least, most = _box(mask)
    centre = np.array(corner) + pitch * (centre + 0.5) - 0.5
    length, width = (most - least + 1) * pitch
    soft = cv2.GaussianBlur(cv2.dilate(mask, np.ones((5, 5), np.uint8)).astype(np.float32), (3, 3), 0)
    return Part(tuple(map(float, centre)), float(np.arctan2(turn[0, 1], turn[0, 0])), float(length), float(width),
                soft, ground, corner, pitch)


def lay(part, size, scale=1.0):
    """The matrix (2, 3) that takes the picture to a window of `size` (width, height) in which the part lies along x.

    `scale` is a pixel of the picture in pixels of the window.
    """
    cos, sin = scale * np.cos(part.angle), scale * np.sin(part.angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    shift = (np.array(size) - 1) / 2 - turn @ part.centre
    return np.column_stack([turn, shift])


def cut_out(light, part, matrix, size):
    """The window of `size` behind a matrix as uint8 (height, width): the part at BRIGHT over a ground of LEVEL."""
    into = np.vstack([matrix, [0, 0, 1]]) @ _of_small(part)
    def warp(picture, matrix, border):
        return cv2.warpAffine(picture, matrix[:2], size, flags=cv2.INTER_LINEAR, borderMode=border)

    above = warp(light, matrix, cv2.BORDER_REPLICATE) - warp(part.ground, into, cv2.BORDER_REPLICATE)
    mask = warp(part.mask, into, cv2.BORDER_CONSTANT)
    inside = above[mask > 0.9]
    bright = max(float(np.partition(inside, -(len(inside) // 20) - 1)[-(len(inside) // 20) - 1]), 8.0) \
        if len(inside) else 255.0
    return np.clip(LEVEL + mask * above * (BRIGHT / bright), 0, 255).astype(np.uint8)


def _of_small(part):
    """The matrix (3, 3) from the part's own window to the picture."""
    shift = np.array(part.corner) + (part.pitch - 1) / 2
    return np.array([[part.pitch, 0, shift[0]], [0, part.pitch, shift[1]], [0, 0, 1]])
