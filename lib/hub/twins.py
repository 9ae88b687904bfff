"""Is this picture one that is there already, re-encoded, resized, cut or brightened? Proposed by hash, confirmed on pixels.

A perceptual hash alone takes core boxes of one drill hole for each other; so what it proposes is laid on top of each
other (ORB and RANSAC, then ECC) and has to look the same everywhere.
"""

import cv2
import numpy as np

SIDE = 256          # px, the longer side at which pictures are laid on top of each other
CELLS = 6           # across and down: the agreement is asked of each cell …
LOWEST = 0.1        # … and that of this part of them, the worst ones, is left out
FLAT = 3.0          # grey levels of deviation under which a cell shows nothing that could agree
CLIPPED = 4         # grey levels from black and from white
OVERLAP = 0.75      # part of the smaller picture that must lie on the other
POINTS, INLIERS = 600, 12   # ORB's key points, and how many of them must agree on how the pictures lie
CUTS = [(0, 0, 0, 0), (1, 1, 1, 1), (2, 2, 2, 2), (2, 0, 0, 0), (0, 2, 0, 0), (0, 0, 2, 0), (0, 0, 0, 2),
        (2, 2, 0, 0), (0, 2, 2, 0), (0, 0, 2, 2), (2, 0, 0, 2)]   # off left, top, right, bottom, in fortieths


# --- proposed


def hashes(pixels):
    """The perceptual hashes (int64) of a picture, uint8 (h, w, 3) RGB: of all of it first, then of its CUTS.

    Signs about the median of the 64 lowest frequencies of a cosine transform (Zauner 2010, section 3.2.1).
    """
    grey = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (160, 160), interpolation=cv2.INTER_AREA)
    return [_hash(grey[4 * top:160 - 4 * bottom, 4 * left:160 - 4 * right]) for left, top, right, bottom in CUTS]


def _hash(grey):
    low = cv2.dct(cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32))[:8, :8].ravel()
    return int(np.packbits(low > np.median(low)).view(">i8")[0])


def keys(values):
    """Under which integers hashes are found again: their quarters, each with its place; sorted."""
    return sorted({at << 16 | value >> 16 * at & 0xFFFF for value in values for at in range(4)})


def probes(values):
    """The keys to look for: those of all hashes, and of the first one those that differ in one bit of a quarter.

    So nothing within 7 bits of a picture that is there, or of a cut of it, is missed.
    """
    flipped = {at << 16 | (values[0] >> 16 * at & 0xFFFF) ^ 1 << bit for at in range(4) for bit in range(16)}
    return sorted(flipped | set(keys(values)))


def distance(one, other):
    """The fewest bits (of 64) by which a picture's hashes differ from another's, one of the two uncut."""
    one, other = np.asarray(one, np.int64).view(np.uint64), np.asarray(other, np.int64).view(np.uint64)
    return int(min(np.bitwise_count(one[0] ^ other).min(), np.bitwise_count(one ^ other[0]).min()))


# --- confirmed


def grey(pixels):
    """What is compared: grey, uint8, the longer side SIDE px."""
    scale = SIDE / max(pixels.shape[:2])
    size = max(8, round(pixels.shape[1] * scale)), max(8, round(pixels.shape[0] * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.cvtColor(cv2.resize(pixels, size, interpolation=way), cv2.COLOR_RGB2GRAY)


def alike(one, other, enough=0.95):
    """How well two pictures (as of `grey`) agree once laid on top of each other, from -1 to 1; 1: the same picture.

    The lowest correlation of all cells but the worst tenth, so that one moved boat in a harbour is enough to tell.
    Ways to lay them are tried until one is good `enough`.
    """
    best = -1.0
    for start in _starts(one, other):
        for matrix in (start, _refined(one, other, start)):
            best = max(best, _agreement(one, other, matrix))
            if best >= enough:
                return best
    return best


def _starts(one, other):
    """First guesses of the matrix (2, 3) from `one` to `other`: as they are, by key points, and cut at the edges."""
    yield _cut(one, other, (0, 0, 0, 0))
    points = _by_points(one, other)
    if points is not None:
        yield points
    near = sorted((distance([_hash(_part(one, cut))], [_hash(other)]), n, 0) for n, cut in enumerate(CUTS))[:2] + \
        sorted((distance([_hash(one)], [_hash(_part(other, cut))]), n, 1) for n, cut in enumerate(CUTS))[:2]
    for _, n, turned in sorted(near)[:2]:
        yield cv2.invertAffineTransform(_cut(other, one, CUTS[n])) if turned else _cut(one, other, CUTS[n])


def _part(grey, cut):
    height, width = grey.shape
    left, top, right, bottom = (each / 40 for each in cut)
    return grey[round(top * height):round((1 - bottom) * height), round(left * width):round((1 - right) * width)]


def _cut(one, other, cut):
    """The matrix that lays what is left of `one` after a cut over all of `other`."""
    left, top, right, bottom = (each / 40 for each in cut)
    across = other.shape[1] / (one.shape[1] * (1 - left - right))
    down = other.shape[0] / (one.shape[0] * (1 - top - bottom))
    return np.array([[across, 0, -left * one.shape[1] * across], [0, down, -top * one.shape[0] * down]], np.float32)


def _by_points(one, other):
    """The matrix on which most key points agree, or None."""
    orb = cv2.ORB_create(POINTS, fastThreshold=7)
    (points, words), (others, theirs) = orb.detectAndCompute(one, None), orb.detectAndCompute(other, None)
    if words is None or theirs is None or min(len(words), len(theirs)) < INLIERS:
        return None
    found = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(words, theirs)
    if len(found) < INLIERS:
        return None
    here = np.float32([points[match.queryIdx].pt for match in found])
    there = np.float32([others[match.trainIdx].pt for match in found])
    cv2.setRNGSeed(0)
    matrix, inside = cv2.estimateAffine2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=3)
    return matrix.astype(np.float32) if matrix is not None and inside.sum() >= INLIERS else None


def _refined(one, other, matrix):
    """The matrix after ECC (Evangelidis and Psarakis 2008) at half the size, or as it was where that finds no way."""
    half = [cv2.resize(each, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for each in (one, other)]
    start = matrix.copy()
    start[:, 2] = (start[:, 2] + start[:, :2].sum(1) * 0.5 - 0.5) / 2   # pixels are counted from their middle …
    try:
        stop = cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4
        found = cv2.findTransformECC(*half, start, cv2.MOTION_AFFINE, stop, None, 5)[1]
    except cv2.error:   # it does not converge: the pictures have little in common, which the agreement will tell
        return matrix
    found[:, 2] = found[:, 2] * 2 + 0.5 - found[:, :2].sum(1) * 0.5   # … and back
    return found


def _agreement(one, other, matrix):
    size, way = one.shape[::-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(other, matrix, size, flags=way)
    shown = cv2.warpAffine(np.full_like(other, 255), matrix, size, flags=way) > 250
    area = abs(np.linalg.det(matrix[:, :2]))   # px of `other` on a px of `one`
    if shown.sum() < OVERLAP * min(one.size, other.size / max(area, 1e-6)) or not 0.5 < area < 2:
        return -1.0
    # What was clipped by brightening tells nothing, on either side.
    shown &= (np.minimum(one, laid) > CLIPPED) & (np.maximum(one, laid) < 255 - CLIPPED)
    one, laid = (cv2.GaussianBlur(each, (0, 0), 1.5).astype(np.float32) for each in (one, laid))
    found = []
    for rows in np.array_split(np.arange(size[1]), CELLS):
        for columns in np.array_split(np.arange(size[0]), CELLS):
            at = np.ix_(rows, columns)
            if shown[at].mean() > 0.5:
                found.append(_correlation(one[at][shown[at]], laid[at][shown[at]]))
    found = sorted(each for each in found if each is not None)
    return float(found[int(LOWEST * len(found))]) if len(found) >= CELLS else -1.0


def _correlation(one, other):
    """The correlation of two cells; None where both are flat."""
    one, other = one - one.mean(), other - other.mean()
    spread = one.std(), other.std()
    if max(spread) < FLAT:
        return None
    return float((one * other).mean() / max(spread[0] * spread[1], 1e-6))
