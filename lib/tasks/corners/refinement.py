"""From a coarse network's first look at a picture to corners in pixels: looks at the box alone, and corrected sides."""

from typing import NamedTuple

import numpy as np

from lib.imaging import geometry, images, warping
from lib.tasks.corners import crops, decoding

SMALL = 640, 480         # px of the picture that the looks and the first strips are cut from
DOUBT = 0.002            # of the diagonal: where a corner is expected to be further off, more looks are taken
SPREAD = 0.058           # of a first look's heatmap, parts of the input: likewise where there are no sides
MUCH_LESS = 0.74         # how much less a guess must expect to be off to be taken instead


class Found(NamedTuple):
    """Corners (4, 2) in pixels: a guess, those of the second look and those where the sides meet; what is said of them."""

    guess: np.ndarray
    near: np.ndarray
    second: dict             # the second look's output
    corners: np.ndarray
    blur: np.ndarray         # (4,) px, how far each corner is expected to be off; 0 without sides

    def doubt(self):
        """The largest expected error, as a part of the diagonal."""
        return self.blur.max() / geometry.diagonal(self.corners)


class Search:
    """The networks at work on one picture: each step takes corners (4, 2) in its pixels and improves them.

    `networks` maps "coarse", and "sides" where there is one, to functions of a uint8 batch; `size` is the width and
    height of the coarse network's input.
    """

    def __init__(self, networks, picture, size):
        self.networks, self.size = networks, size
        self.pictures = warping.downsampled(picture, SMALL), picture
        self.frame = crops.frame(picture.size, size)

    def signs(self):
        """Corners (4, 2), signs of doubt (4, s), the kinds' probabilities, and "more than i rows" of a picture.

        Where there is doubt, the mirror images are looked at too, and the corners completed from one another tried.
        """
        shown = images.place(self.pictures[0], self.frame)
        looks = [self.networks["coarse"](shown[None])]
        first = decoding.agreed(looks[0])
        found = self._follow(self._placed(first))
        if self._doubtful(first, found):
            looks += [self.networks["coarse"](image[None]) for image in decoding.mirrored(shown)[1:]]
            first = decoding.agreed({name: np.concatenate([look[name] for look in looks]) for name in looks[0]})
            found = self._surest(min(self._follow(self._placed(first)), found, key=Found.doubt))
        size = geometry.diagonal(found.corners)
        signs = np.stack([found.second["corners"][:, 2], found.blur / size,
                          geometry.errors(found.near, found.corners) / size,
                          geometry.errors(found.guess, found.corners) / size, first["corners"][:, 2]], 1)
        turn = -int(np.argmin(found.corners.sum(1)))  # the sides may have turned a doubtful guess past its top-left
        return np.roll(found.corners, turn, 0), np.roll(signs, turn, 0), first["kind"], found.second["rows"]

    def _placed(self, output):
        """The corners, in pixels of the picture, that the first look's maps support best."""
        return geometry.order(self.frame.back(decoding.assemble(output) * self.size))

    def _doubtful(self, first, found):
        """Whether more looks may pay: a side's expected error, or without sides the first look's spread, is large."""
        return found.doubt() > DOUBT if "sides" in self.networks else first["corners"][:, 2].max() > SPREAD

    def _surest(self, found):
        """What has been found, or what a completed corner leads to where its sides expect to be off by much less."""
        if found.doubt() <= DOUBT:
            return found
        best = min(map(self._follow, completed(found.corners)), key=Found.doubt)
        return best if best.doubt() < MUCH_LESS * found.doubt() else found

    def _follow(self, guess):
        """What a guess of the corners leads to, by the second look and the sides."""
        near, second = self._look_again(guess)
        sides = self.networks.get("sides")
        return Found(guess, near, second, *(refine(sides, self.pictures, near) if sides else (near, np.zeros(4))))

    def _look_again(self, corners):
        """The corners seen in a window that holds little but the box, and the network's output for it."""
        matrix = warping.rectification(roomy(corners), self.size, crops.ZOOM)
        output = only(self.networks["coarse"](warping.crop(self.pictures[0], matrix, self.size)[None]))
        found = geometry.warp(np.linalg.inv(matrix), decoding.assemble(output) * self.size)
        return (found, output) if geometry.is_convex(found) else (corners, output)



def roomy(corners):
    """The corners, or an upright rectangle about them where they make no convex quadrilateral of some size."""
    sides = np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1)
    if geometry.is_convex(corners) and sides.min() > 0.04 * sides.max():
        return corners
    low, high = corners.min(0), corners.max(0)
    high = np.maximum(high, low + 0.1 * (high - low).max() + 2)
    return np.array([low, [high[0], low[1]], high, [low[0], high[1]]])


def completed(corners):
    """For each of the corners, all four with that one where the other three have it for a parallelogram."""
    for at in range(4):
        guess = corners.copy()
        guess[at] = corners[at - 1] + corners[(at + 1) % 4] - corners[(at + 2) % 4]
        yield guess


def refine(network, pictures, corners):
    """The corners where the four corrected sides meet, and how far each is expected to be off, in pixels.

    Two passes, the second in narrower strips, each cut from its own of the two `pictures`. A side that would move
    its corner out of its strip is not believed.
    """
    expected = np.zeros(4)
    for picture, half in zip(pictures, crops.HALVES, strict=True):
        half = half * geometry.diagonal(corners)
        ends = list(zip(corners, np.roll(corners, -1, 0), strict=True))
        matrices = [crops.side(*each, half, crops.STRIP, crops.STRIP_MARGIN) for each in ends]
        batch = np.stack([warping.crop(picture, matrix, crops.STRIP) for matrix in matrices])
        lines = network(batch)["line"].astype(float)
        sides = [_moved(start, end, line[:2] * half) for (start, end), line in zip(ends, lines, strict=True)]
        met = np.array([geometry.intersect(sides[at - 1], sides[at]) for at in range(4)])
        good = np.isfinite(met).all(1) & (geometry.errors(corners, np.nan_to_num(met)) < 3 * half)
        met[~good] = corners[~good]
        if not geometry.is_convex(met):
            break
        corners, scale = met, np.exp(np.clip(lines[:, 3], -8, 2)) * half
        expected = np.hypot(scale, np.roll(scale, 1))
    return corners, expected


def _moved(start, end, offsets):
    """A side's two ends moved by `offsets` pixels to its inner (right) side."""
    along = (end - start) / max(np.linalg.norm(end - start), 1e-6)
    inward = np.array([-along[1], along[0]])
    return np.array([start + offsets[0] * inward, end + offsets[1] * inward])


def only(outputs):
    """The outputs for the only picture of a batch, by name."""
    outputs = outputs if isinstance(outputs, dict) else {"output": outputs}
    return {name: np.asarray(value[0], float) for name, value in outputs.items()}
