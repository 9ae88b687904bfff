"""Pictures of warehouse bins with an exact number of items, and how much of each item can be seen."""

from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np

from lib.synthetic.bins import items, shelf

USUAL = ("carton", "box", "box", "book", "envelope", "bag")
SHIFTED = ("box", "bottle", "bottle", "bag", "envelope")   # the shifted set: bottles are never trained on
TRIES = 60


@dataclass(frozen=True)
class Scene:
    """`pixels` uint8 (h, w, 3) RGB; the part (n,) of its own area that shows of each item, the hindmost first; `owner`
    (h, w): which item shows in a pixel, -1 where none does."""

    pixels: np.ndarray
    shown: np.ndarray
    owner: np.ndarray

    @property
    def count(self):
        return len(self.shown)

    def seen(self, least):
        """How many items an oracle can know of: those that show at least the part `least` of themselves."""
        return int((self.shown >= least).sum())


def oracle_accuracy(pairs):
    """The accuracy of one who sees every item that can be known of, and guesses the hidden ones as well as can be.

    `pairs` are (seen, count) of a set of Scenes: the items that show at least `least_shown` of themselves, and all.
    The guess for so many seen is the count that is commonest with them in this very set, so no answer that rests on
    such items alone can be right more often here.
    """
    best = {}
    for (seen, _), number in Counter(pairs).items():
        best[seen] = max(best.get(seen, 0), number)
    return sum(best.values()) / len(pairs)


def draw(rng, size, settings, count):
    """A Scene of (width, height) px with `count` items, as the settings (tasks.bins.bins.generator) say.

    Items are put in one by one, each in front of those before. It may cover no more of any other than `overlap`,
    except that with probability `hidden` it is put right in front of one, which then shows nothing or a sliver.
    """
    width, height = size
    picture, room = shelf.inside(rng, size, settings.shifted)
    owner = np.full((height, width), -1, np.int16)
    areas = []
    for number in range(count):
        picture, owner, area = _put(rng, picture, owner, areas, room, settings, number)
        areas.append(area)
    shelf.ledges(rng, picture, room, settings.shifted)
    owner[:int(room[0] * height)] = owner[int(room[2] * height):] = -1   # behind the ledges
    shown = np.array([(owner == number).sum() / area for number, area in enumerate(areas)])
    shelf.bands(rng, picture, room, settings.bands, settings.shifted)
    return Scene(_photograph(rng, picture, settings), shown, owner)


def _put(rng, picture, owner, areas, room, settings, number):
    """Picture and owners with one item more, and its area in pixels."""
    height, width = owner.shape
    hide = areas and rng.random() < settings.hidden
    shrink = 1.0
    for attempt in range(TRIES):
        wide, tall = np.exp(rng.uniform(*np.log(settings.size), 2)) * shrink * (width, 1.2 * height)
        patch, alpha = items.any_item(rng, SHIFTED if settings.shifted else USUAL, wide,
                                           min(tall, 0.8 * (room[2] - room[0]) * height), settings.shifted)
        patch, alpha = _turned(rng, patch, alpha, settings.lean)
        mask, at = _at(rng, alpha, owner, room, areas if hide else None)
        if mask is None:
            continue
        covered = np.array([(owner[mask] == other).sum() / area for other, area in enumerate(areas)])
        left = np.array([(owner == other).sum() / area for other, area in enumerate(areas)]) - covered
        fits = (left >= 1 - settings.overlap) | (left + covered < 1 - settings.overlap) & (covered == 0)
        if hide:
            fits = np.array([fits.sum() == len(fits) - 1 and left.min() < settings.least_shown / 2])
        if fits.all() and mask.sum() > 0.6 * (alpha > 0.5).sum():
            break
        shrink *= 0.97
        hide = hide and attempt < TRIES // 3
    else:
        raise ValueError(f"item {number + 1} found no room in {width}x{height} px; lower bins.generator.size "
                         "or raise bins.generator.overlap")
    owner = np.where(mask, np.int16(number), owner)
    return _laid(rng, picture, patch, alpha, at), owner, int((alpha > 0.5).sum())


def _turned(rng, patch, alpha, lean):
    """The patch turned by some degrees, in a canvas that holds it."""
    turn = rng.normal(0, lean / 3) if rng.random() < 0.75 else rng.uniform(-lean, lean)
    if abs(turn) < 1:
        return patch, alpha
    height, width = alpha.shape
    c, s = abs(np.cos(np.deg2rad(turn))), abs(np.sin(np.deg2rad(turn)))
    size = int(np.ceil(width * c + height * s)), int(np.ceil(width * s + height * c))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.0)
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return cv2.warpAffine(patch, matrix, size), cv2.warpAffine(alpha, matrix, size)


def _at(rng, alpha, owner, room, behind):
    """Where the item lies: its mask in the picture and its top-left corner; None where that is outside the bin."""
    height, width = owner.shape
    tall, wide = alpha.shape
    if behind:
        rows, columns = np.nonzero(owner == rng.integers(len(behind)))
        if not len(rows):
            return None, None
        middle = np.array([columns.mean(), rows.mean()]) + rng.normal(0, 0.02, 2) * (width, height)
        left, top = (middle - (wide / 2, tall / 2)).astype(int)
    else:
        floor = height * (rng.uniform(room[1] - 0.02, room[2]) if rng.random() < 0.65 else rng.uniform(0.4, room[1]))
        left, top = int(rng.uniform(0.02 * width, 0.98 * width - wide)), int(floor) - tall
    top = max(top, int(room[0] * height) - tall // 4)
    if left < -wide // 8 or left + wide > width + wide // 8 or top + tall > (room[2] + 0.02) * height:
        return None, None
    mask = np.zeros(owner.shape, bool)
    rows, columns = slice(max(0, top), min(height, top + tall)), slice(max(0, left), min(width, left + wide))
    mask[rows, columns] = alpha[rows.start - top:rows.stop - top, columns.start - left:columns.stop - left] > 0.5
    return mask, (left, top)


def _laid(rng, picture, patch, alpha, at):
    """The picture with an item and the shadow it casts on what lies behind it."""
    height, width = picture.shape[:2]
    shift = np.float32([[1, 0, at[0]], [0, 1, at[1]]])
    whole = cv2.warpAffine(alpha, shift, (width, height))
    shadow = cv2.GaussianBlur(whole, (0, 0), 0.012 * width + 1)
    shadow = np.roll(shadow, (int(0.01 * height) + 1, int(rng.uniform(-0.012, 0.012) * width)), (0, 1))
    picture = picture * (1 - np.float32(rng.uniform(0.35, 0.6)) * shadow * (1 - whole))[..., None]
    return picture + whole[..., None] * (cv2.warpAffine(patch, shift, (width, height)) - picture)


def _photograph(rng, picture, settings):
    """What the camera makes of it: uneven warm light, haze, blur and noise; uint8."""
    height, width = picture.shape[:2]
    dim, dull = (0.7, 1.5) if settings.shifted else (1.0, 1.0)
    light = dim * rng.uniform(*settings.light)
    x, y = np.linspace(-1, 1, width, dtype=np.float32)[None], np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    middle = rng.uniform(-0.4, 0.4, 2)
    fall = 1 - np.float32(rng.uniform(0.1, 0.35)) * ((x - middle[0])**2 + (y - middle[1])**2) / 2
    haze = np.float32(rng.uniform(0.08, 0.2))
    tint = np.float32([1.06, 0.97, 0.86]) * rng.uniform(0.97, 1.03, 3).astype(np.float32) * np.float32(light) * (1 - haze)
    picture = np.clip(picture, 0, 1) * (fall[..., None] * tint) + haze * np.float32([0.55, 0.49, 0.42])
    blur = dull * rng.uniform(*settings.blur) * width / 320
    picture = cv2.GaussianBlur(picture, (0, 0), blur) if blur > 0.2 else picture
    picture = picture + rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(0.004, 0.015))
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)
