"""From a picture to corners in pixels: a first pass over the whole, a second over the box alone, then its sides refined."""

from typing import NamedTuple

import numpy as np

from lib.imaging import geometry, images, warping
from lib.tasks.corners import crops, decoding

SMALL = 640, 480         # px of the picture that both passes and the first strips are cropped from
UNCERTAIN = 0.002        # of the diagonal: from this expected error on, mirrored views are predicted too
SPREAD = 0.058           # of the first pass's heatmap, as a fraction of the input: likewise where there are no sides
LESS_BY = 0.74           # by which the expected error of another candidate must be smaller to replace the best


class Refined(NamedTuple):
    """Corners (4, 2) in pixels, step by step: the initial `guess`, `second_pass`, and the `corners` where the sides meet."""

    guess: np.ndarray
    second_pass: np.ndarray
    second_output: dict      # of the coarse network in the second pass
    corners: np.ndarray
    expected: np.ndarray     # (4,) px, the expected error of each corner; 0 without sides

    def uncertainty(self):
        """The largest expected error, as a fraction of the diagonal."""
        return self.expected.max() / geometry.diagonal(self.corners)


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
        """Corners (4, 2), uncertainty signs (4, s), probabilities of the kinds, and those of "more than i rows".

        Where the first result is uncertain, the mirrored views are predicted too, and each corner is tried where the
        other three would have it.
        """
        shown = images.place(self.pictures[0], self.frame)
        views = [self.networks["coarse"](shown[None])]
        first = decoding.average_views(views[0])
        found = self._refined(self._decoded(first))
        if self._is_uncertain(first, found):
            views += [self.networks["coarse"](image[None]) for image in decoding.mirrored_views(shown)[1:]]
            first = decoding.average_views({name: np.concatenate([look[name] for look in views]) for name in views[0]})
            found = self._most_certain(min(self._refined(self._decoded(first)), found, key=Refined.uncertainty))
        size = geometry.diagonal(found.corners)
        signs = np.stack([found.second_output["corners"][:, 2], found.expected / size,
                          geometry.errors(found.second_pass, found.corners) / size,
                          geometry.errors(found.guess, found.corners) / size, first["corners"][:, 2]], 1)
        turn = -int(np.argmin(found.corners.sum(1)))  # refining may move another corner to the top left
        return np.roll(found.corners, turn, 0), np.roll(signs, turn, 0), first["kind"], found.second_output["rows"]

    def _decoded(self, output):
        """The corners, in pixels of the picture, that the maps of the first pass support best."""
        return geometry.order(self.frame.back(decoding.decode_corners(output) * self.size))

    def _is_uncertain(self, first, found):
        """Whether more views may help: the expected error, or without sides the spread of the heatmaps, is large."""
        return found.uncertainty() > UNCERTAIN if "sides" in self.networks else first["corners"][:, 2].max() > SPREAD

    def _most_certain(self, found):
        """The best result so far, or that of a completed parallelogram whose expected error is much smaller."""
        if found.uncertainty() <= UNCERTAIN:
            return found
        best = min(map(self._refined, parallelogram_completions(found.corners)), key=Refined.uncertainty)
        return best if best.uncertainty() < LESS_BY * found.uncertainty() else found

    def alone(self):
        """The Refined corners of the one box that the coarse network finds in the whole picture."""
        shown = images.place(self.pictures[0], self.frame)
        return self._refined(self._decoded(decoding.average_views(self.networks["coarse"](shown[None]))))

    def closer(self, guess, still=(False,) * 4):
        """The Refined corners of one of several boxes; sides that are `still` are not looked at, being outside the picture.

        A corner is tried where the other three would have it, where the result is uncertain.
        """
        found = self._refined(guess, still)
        return found if any(still) else self._most_certain(found)

    def _refined(self, guess, still=(False,) * 4):
        """The Refined corners that a guess leads to, by the second pass and the sides."""
        second_pass, second_output = self._second_pass(guess)
        sides = self.networks.get("sides")
        refined = refine(sides, self.pictures, second_pass, still) if sides else (second_pass, np.zeros(4))
        return Refined(guess, second_pass, second_output, *refined)

    def _second_pass(self, corners):
        """The corners found in a crop of little but the box, and the network's output for it."""
        matrix = warping.rectification(with_area(corners), self.size, crops.ZOOM)
        output = only(self.networks["coarse"](warping.crop(self.pictures[0], matrix, self.size)[None]))
        found = geometry.warp(np.linalg.inv(matrix), decoding.decode_corners(output) * self.size)
        return (found, output) if geometry.is_convex(found) else (corners, output)


def with_area(corners):
    """The corners, or their bounding box (with some area) where they make no usable convex quadrilateral."""
    sides = np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1)
    if geometry.is_convex(corners) and sides.min() > 0.04 * sides.max():
        return corners
    low, high = corners.min(0), corners.max(0)
    high = np.maximum(high, low + 0.1 * (high - low).max() + 2)
    return np.array([low, [high[0], low[1]], high, [low[0], high[1]]])


def parallelogram_completions(corners):
    """For each corner, all four with that one replaced by where the other three put it in a parallelogram."""
    for at in range(4):
        guess = corners.copy()
        guess[at] = corners[at - 1] + corners[(at + 1) % 4] - corners[(at + 2) % 4]
        yield guess


def refine(network, pictures, corners, still=(False,) * 4):
    """The corners where the four refined sides meet, and the expected error of each, in pixels.

    Two passes, the second in narrower strips, each cropped from its own of the two `pictures`. A corner that would leave
    its strip stays where it is, and so do sides that are `still`.
    """
    expected = np.zeros(4)
    for picture, half in zip(pictures, crops.HALVES, strict=True):
        half = half * geometry.diagonal(corners)
        ends = list(zip(corners, np.roll(corners, -1, 0), strict=True))
        matrices = [crops.side(*each, half, crops.STRIP, crops.STRIP_MARGIN) for each in ends]
        batch = np.stack([warping.crop(picture, matrix, crops.STRIP) for matrix in matrices])
        lines = network(batch)["line"].astype(float)
        lines[np.array(still), :2] = 0
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
    """The outputs for the first picture of a batch, by name: float arrays."""
    outputs = outputs if isinstance(outputs, dict) else {"output": outputs}
    return {name: np.asarray(value[0], float) for name, value in outputs.items()}
