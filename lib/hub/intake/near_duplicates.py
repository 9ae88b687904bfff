"""Near duplicates: is a picture one that is there already, re-encoded, resized, cropped or brightened?

Candidates are proposed by perceptual hash. A hash alone takes different boxes of one drill hole for the same, so each
candidate is aligned with the picture (ORB and RANSAC, then ECC), and the two must correlate in every part.
"""

import functools

import cv2
import numpy as np

HASH_SIDE = 160     # px, the side of the square that is hashed; a multiple of 40, since crops are in fortieths
SIDE = 256          # px, the longer side at which pictures are aligned
GRID = 6            # cells across and down, each with a correlation of its own …
LEFT_OUT = 0.1      # … of which this share, the lowest, is left out
FLAT = 3.0          # standard deviation in grey levels under which a cell shows nothing to correlate
CLIPPED = 4         # grey levels from black and from white
DISTINCT = 0.25     # similarity after the quick alignments under which the slower ones are not tried
OVERLAP = 0.75      # part of the smaller picture that must lie on the other
KEYPOINTS, INLIERS = 600, 12   # ORB's key points, and how many of them must agree on how the pictures lie
CROPS = [(0, 0, 0, 0), (1, 1, 1, 1), (2, 2, 2, 2), (2, 0, 0, 0), (0, 2, 0, 0), (0, 0, 2, 0), (0, 0, 0, 2),
        (2, 2, 0, 0), (0, 2, 2, 0), (0, 0, 2, 2), (2, 0, 0, 2)]   # off left, top, right, bottom, in fortieths


# --- proposed


def hashes(grey):
    """The perceptual hashes (int64) of a picture, uint8 (h, w) grey: of all of it first, then of its CUTS.

    Signs about the median of the 64 lowest frequencies of a cosine transform (Zauner 2010, section 3.2.1).
    """
    waves, down, across = _cosine_waves()
    square = cv2.resize(grey, (HASH_SIDE, HASH_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    whole = waves.reshape(-1, HASH_SIDE)
    low = ((waves @ square).reshape(whole.shape) @ whole.T)[down, across]
    return np.packbits(low > np.median(low, axis=1, keepdims=True), axis=1).view(">i8").ravel().tolist()


@functools.cache
def _cosine_waves():
    """The first 8 waves of a cosine transform of 32 points over each range that a cut leaves of a line, (5, 8, GRAIN), and
    the rows and columns in which the 64 frequencies of each of the CUTS come to stand.

    Five small products and not one large: BLAS would wake its threads for that, which costs more than the work.
    """
    ranges = sorted({cut[at::2] for cut in CROPS for at in (0, 1)})
    frequency, point = np.ogrid[:8, :32]
    cosines = np.cos(np.pi * frequency * (point + 0.5) / 32) / np.sqrt(np.where(frequency, 1, 2))
    waves = np.stack([cosines @ _area_average(*each) for each in ranges])
    down, across = (np.array([8 * ranges.index(cut[at::2]) for cut in CROPS])[:, None] for at in (1, 0))
    return waves.astype(np.float32), down + np.repeat(np.arange(8), 8), across + np.tile(np.arange(8), 8)


def _area_average(off, end):
    """The matrix (32, GRAIN) that averages what is left of a line, cut by so many fortieths, into 32 points."""
    first, last = off * HASH_SIDE / 40, HASH_SIDE - end * HASH_SIDE / 40
    edges = np.linspace(first, last, 33)
    pixel = np.arange(HASH_SIDE)
    shared = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return shared.clip(0) * 32 / (last - first)


def index_keys(values):
    """The integers under which hashes are indexed: their quarters, each with its position; sorted."""
    return sorted({at << 16 | value >> 16 * at & 0xFFFF for value in values for at in range(4)})


def query_keys(values):
    """The keys to look up: those of all hashes, and of the first hash those that differ in one bit of a quarter.

    So every picture within 7 bits of this one, or of a crop of it, is found.
    """
    flipped = {at << 16 | (values[0] >> 16 * at & 0xFFFF) ^ 1 << bit for at in range(4) for bit in range(16)}
    return sorted(flipped | set(index_keys(values)))


def distance(one, other):
    """The smallest Hamming distance (of 64 bits) between two pictures' hashes, of which one is that of the whole picture."""
    return int(_bit_distances(one, other).min())


def _bit_distances(one, other):
    """Hamming distances (2, n) of each picture's hashes to the hash of the whole other picture."""
    one, other = np.asarray(one, np.int64), np.asarray(other, np.int64)
    return np.bitwise_count(np.stack([one ^ other[0], one[0] ^ other]).view(np.uint64))


# --- confirmed


def to_grey(pixels):
    """A picture (uint8 RGB) as it is compared: grey, uint8, the longer side SIDE px."""
    scale = SIDE / max(pixels.shape[:2])
    size = max(8, round(pixels.shape[1] * scale)), max(8, round(pixels.shape[0] * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.cvtColor(cv2.resize(pixels, size, interpolation=way), cv2.COLOR_RGB2GRAY)


def similarity(one, other, enough=0.95):
    """The similarity of two aligned pictures (as of `to_grey`), from -1 to 1; 1: the same picture.

    It is the lowest correlation of all cells but the lowest tenth, so that one moved boat in a harbour makes a difference.
    Alignments are tried until one reaches `enough`, the quick ones first; the best of each kind is refined.
    """
    best = -1.0
    for ways in (_crop_alignments, _keypoint_alignment):
        tried = []
        for start in ways(one, other):
            tried.append((_aligned_similarity(one, other, start), start))
            if tried[-1][0] >= enough:
                return tried[-1][0]
        if tried:
            found, start = max(tried, key=lambda each: each[0])
            best = max(best, found, _aligned_similarity(one, other, _refine(one, other, start)))
            if not DISTINCT < best < enough:
                break
    return best


def _crop_alignments(one, other):
    """The matrices (2, 3) from `one` to `other` as they are, and for the two likeliest of CROPS."""
    yield _crop_alignment(one, other, (0, 0, 0, 0))
    likeliest = np.argsort(_bit_distances(hashes(one), hashes(other)).T, axis=None, kind="stable")[:2]
    for n, turned in [divmod(at, 2) for at in likeliest.tolist()]:
        yield cv2.invertAffineTransform(_crop_alignment(other, one, CROPS[n])) if turned else _crop_alignment(one, other, CROPS[n])


def _crop_alignment(one, other, cut):
    """The matrix that aligns what is left of `one` after a crop with all of `other`."""
    left, top, right, bottom = (each / 40 for each in cut)
    across = other.shape[1] / (one.shape[1] * (1 - left - right))
    down = other.shape[0] / (one.shape[0] * (1 - top - bottom))
    return np.array([[across, 0, -left * one.shape[1] * across], [0, down, -top * one.shape[0] * down]], np.float32)


def _keypoint_alignment(one, other):
    """The matrix on which most ORB key points agree (RANSAC), if there is one."""
    orb = cv2.ORB_create(KEYPOINTS, fastThreshold=7)
    (points, words), (others, theirs) = orb.detectAndCompute(one, None), orb.detectAndCompute(other, None)
    if words is None or theirs is None or min(len(words), len(theirs)) < INLIERS:
        return
    found = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(words, theirs)
    if len(found) < INLIERS:
        return
    here = np.float32([points[match.queryIdx].pt for match in found])
    there = np.float32([others[match.trainIdx].pt for match in found])
    cv2.setRNGSeed(0)
    matrix, inside = cv2.estimateAffine2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=3, maxIters=500)
    if matrix is not None and inside.sum() >= INLIERS:
        yield matrix.astype(np.float32)


def _refine(one, other, matrix):
    """The matrix refined by ECC (Evangelidis and Psarakis 2008) at half the size, or as it was where ECC does not converge."""
    half = [cv2.resize(each, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for each in (one, other)]
    start = matrix.copy()
    start[:, 2] = (start[:, 2] + start[:, :2].sum(1) * 0.5 - 0.5) / 2   # pixels are counted from their middle …
    try:
        stop = cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4
        found = cv2.findTransformECC(*half, start, cv2.MOTION_AFFINE, stop, None, 5)[1]
    except cv2.error:   # it does not converge: the pictures have little in common, which the similarity shows
        return matrix
    found[:, 2] = found[:, 2] * 2 + 0.5 - found[:, :2].sum(1) * 0.5   # … and back
    return found


def _aligned_similarity(one, other, matrix):
    size, way = one.shape[::-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    area = abs(np.linalg.det(matrix[:, :2]))   # px of `other` on a px of `one`
    if not 0.5 < area < 2:
        return -1.0
    laid = cv2.warpAffine(other, matrix, size, flags=way)
    shown = cv2.warpAffine(np.full_like(other, 255), matrix, size, flags=way) > 250
    if np.count_nonzero(shown) < OVERLAP * min(one.size, other.size / area):
        return -1.0
    # Pixels that brightening has clipped say nothing, in either picture.
    shown &= (np.minimum(one, laid) > CLIPPED) & (np.maximum(one, laid) < 255 - CLIPPED)
    one, laid = (cv2.GaussianBlur(each, (0, 0), 1.5).astype(np.float32) for each in (one, laid))
    found = np.sort(_correlations(one, laid, shown))
    return float(found[int(LEFT_OUT * len(found))]) if len(found) >= GRID else -1.0


def _correlations(one, other, shown):
    """The correlations of those cells of which more than half is shown and which are not flat in both."""
    shown = shown.astype(np.float32)
    one, other = (one - 128) * shown, (other - 128) * shown   # about the middle, for the sake of single precision
    size, number, ones, others, squares, their_squares, products = _cell_sums(
        np.ones_like(shown), shown, one, other, one * one, other * other, one * other)
    kept = number > 0.5 * size
    number = np.where(kept, number, 1)
    ones, others = ones / number, others / number
    spread, theirs = squares / number - ones * ones, their_squares / number - others * others
    kept &= np.maximum(spread, theirs) >= FLAT ** 2
    shared = products / number - ones * others
    return shared[kept] / np.sqrt(np.maximum(spread * theirs, 1e-12)[kept])


def _cell_sums(*planes):
    """The sums over each cell of planes of one size, (planes, CELLS, CELLS)."""
    height, width = planes[0].shape
    rows, columns = (np.arange(GRID) * side // GRID for side in (height, width))
    return np.add.reduceat(np.add.reduceat(np.stack(planes), rows, axis=1), columns, axis=2)
