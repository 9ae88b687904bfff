"""What may lie in a bin: cartons, printed boxes, books, envelopes, bottles and bags, each as a patch with its outline."""

import cv2
import numpy as np

WORDS = ("ETEKCITY", "bitty baby", "PLAIN EDGE", "SPORT-EZE", "Tea 20", "KP65", "medela", "NEW", "VITAMIN", "Kids 3+",
         "LCD Stand", "GLUE", "Soft", "No. 7", "SALT", "100 pcs", "UNIT 4", "FRAGILE")
CARDBOARD = np.float32([0.50, 0.38, 0.27])
WHITE = np.float32([0.80, 0.79, 0.77])


def any_item(rng, kinds, width, height, shifted=False):
    """A patch (h, w, 3) float32 0 … 1 RGB and its alpha (h, w), near the width and height asked for in pixels."""
    kind = kinds[rng.integers(len(kinds))]
    return KINDS[kind](rng, max(12, int(width)), max(12, int(height)), shifted)


def colour(rng, shifted=False):
    """The colour of a print: anything but the dullest; the shifted ones are of hues that the others leave out."""
    hue = rng.uniform(95, 165) if shifted else rng.choice([rng.uniform(0, 90), rng.uniform(170, 180)])
    code = np.uint8([[[hue, rng.uniform(40, 190), rng.uniform(50, 210)]]])
    return cv2.cvtColor(code, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32) / 255


def _plain(shape, value, rng, slope=0.15):
    """A surface of one colour under light that falls off across it."""
    height, width = shape
    across = np.linspace(-1, 1, width, dtype=np.float32) * rng.uniform(-slope, slope)
    down = np.linspace(1, -1, height, dtype=np.float32) * rng.uniform(0, slope)
    return np.float32(value) * (1 + across[None, :, None] + down[:, None, None])


def _rectangle(patch, box, value):
    """Fill (left, top, right, bottom), given in parts of the patch."""
    height, width = patch.shape[:2]
    left, top, right, bottom = (int(part * side) for part, side in zip(box, (width, height, width, height), strict=True))
    patch[top:max(bottom, top + 1), left:max(right, left + 1)] = value


def _write(patch, rng, value, share=0.6):
    """A word across the patch."""
    height, width = patch.shape[:2]
    word = WORDS[rng.integers(len(WORDS))]
    (across, tall), _ = cv2.getTextSize(word, cv2.FONT_HERSHEY_DUPLEX, 1.0, 2)
    scale = min(share * width / across, 0.3 * height / tall)
    at = int(rng.uniform(0.05, 0.95 - share) * width), int(rng.uniform(0.3, 0.9) * height)
    stamp(patch, word, at, scale, value, max(1, round(1.6 * scale)))


def stamp(patch, text, at, scale, value, thick):
    """Write text on a float patch at (x, y) of its foot; by way of a mask, since OpenCV writes on 8 bits only."""
    mask = np.zeros(patch.shape[:2], np.uint8)
    cv2.putText(mask, text, at, cv2.FONT_HERSHEY_DUPLEX, scale, 255, thick, cv2.LINE_AA)
    patch += (mask / np.float32(255))[..., None] * (np.float32(value) - patch)


def _print(patch, rng, shifted):
    """What is printed on a pack: a panel, a picture, lines of small text, a word, a bar code."""
    ink = colour(rng, shifted) if rng.random() < 0.6 else np.float32([0.12] * 3) * rng.uniform(0.5, 2)
    if rng.random() < 0.6:
        left, top = rng.uniform(0, 0.4, 2)
        _rectangle(patch, (left, top, left + rng.uniform(0.2, 0.6), top + rng.uniform(0.15, 0.5)), colour(rng, shifted))
    if rng.random() < 0.3:
        height, width = patch.shape[:2]
        layer = np.ascontiguousarray(patch)
        cv2.ellipse(layer, (int(width * rng.uniform(0.3, 0.7)), int(height * rng.uniform(0.3, 0.7))),
                    (max(2, int(width * rng.uniform(0.1, 0.25))), max(2, int(height * rng.uniform(0.1, 0.25)))),
                    rng.uniform(0, 180), 0, 360, tuple(map(float, colour(rng, shifted))), -1, cv2.LINE_AA)
        patch[:] = layer
    if rng.random() < 0.6:
        left, top = rng.uniform(0.05, 0.5), rng.uniform(0.1, 0.6)
        for line in range(rng.integers(2, 6)):
            at = top + 0.06 * line
            _rectangle(patch, (left, at, left + rng.uniform(0.15, 0.4), at + 0.025), ink)
    if rng.random() < 0.6:
        _write(patch, rng, ink, rng.uniform(0.3, 0.8))
    if rng.random() < 0.35:
        left, top = rng.uniform(0.05, 0.65), rng.uniform(0.05, 0.7)
        _rectangle(patch, (left, top, left + 0.27, top + 0.2), WHITE)
        for bar in np.sort(rng.uniform(left + 0.02, left + 0.24, 9)):
            _rectangle(patch, (bar, top + 0.03, bar + 0.012, top + 0.15), [0.1, 0.1, 0.1])


def _edge(patch, alpha, strength=0.45):
    """Darken the rim of an outline: packs are round at their edges, and dust and shade gather there."""
    inside = cv2.erode(alpha, np.ones((3, 3), np.uint8), borderValue=0)
    patch *= (1 - strength * (alpha - inside))[..., None]
    return patch, alpha


def _solid(rng, face):
    """A front face with the top or a side of its pack, seen a little from above."""
    height, width = face.shape[:2]
    deep = int(rng.uniform(0.04, 0.22) * min(width, height)) if rng.random() < 0.6 else 0
    lean = int(rng.uniform(-0.6, 0.6) * deep)
    patch = np.zeros((height + deep, width + abs(lean), 3), np.float32)
    alpha = np.zeros(patch.shape[:2], np.float32)
    left = max(0, -lean)
    if deep:
        top = np.array([[left, deep], [left + width, deep], [left + width + lean, 0], [left + lean, 0]], np.int32)
        cv2.fillPoly(alpha, [top], 1.0)
        patch[alpha > 0] = face[: max(2, height // 12)].mean((0, 1)) * rng.uniform(1.05, 1.35)
    patch[deep:, left:left + width] = face
    alpha[deep:, left:left + width] = 1
    patch[deep:deep + 1, left:left + width] *= 0.8
    return _edge(np.clip(patch, 0, 1), alpha)


def carton(rng, width, height, shifted=False):
    face = _plain((height, width), CARDBOARD * rng.uniform(0.8, 1.25), rng)
    if rng.random() < 0.7:
        at = rng.uniform(0.2, 0.7)
        tape = (at, 0, at + 0.12, 1) if rng.random() < 0.5 else (0, at, 1, at + 0.12)
        _rectangle(face, tape, CARDBOARD * rng.uniform(1.1, 1.5))
    if rng.random() < 0.7:
        left, top = rng.uniform(0.05, 0.5, 2)
        _rectangle(face, (left, top, left + rng.uniform(0.2, 0.45), top + rng.uniform(0.2, 0.4)), WHITE)
        for line in range(rng.integers(1, 5)):
            at = top + 0.03 + 0.05 * line
            _rectangle(face, (left + 0.02, at, left + rng.uniform(0.08, 0.2), at + 0.02), [0.2, 0.2, 0.2])
    return _solid(rng, face)


def box(rng, width, height, shifted=False):
    face = _plain((height, width), WHITE if rng.random() < 0.35 else colour(rng, shifted), rng)
    _print(face, rng, shifted)
    return _solid(rng, face)


def book(rng, width, height, shifted=False):
    face = _plain((height, max(12, int(min(width, height) * rng.uniform(0.16, 0.4)))), colour(rng, shifted), rng)
    if rng.random() < 0.8:
        top = rng.uniform(0.1, 0.6)
        _rectangle(face, (0, top, 1, top + rng.uniform(0.05, 0.25)), colour(rng, shifted))
    return _solid(rng, face)


def envelope(rng, width, height, shifted=False):
    patch = _plain((height, width), (WHITE, CARDBOARD * 1.4, np.float32([0.72, 0.62, 0.35]))[rng.integers(3)], rng)
    grain = cv2.resize(rng.normal(0, 0.05, (height // 5 + 2, width // 5 + 2)).astype(np.float32), (width, height),
                       interpolation=cv2.INTER_CUBIC)
    patch += grain[..., None]
    _rectangle(patch, (0.25, 0.3, rng.uniform(0.5, 0.8), rng.uniform(0.5, 0.7)), WHITE * 1.05)
    _rectangle(patch, (0.28, 0.36, 0.5, 0.4), [0.2, 0.2, 0.2])
    alpha = np.zeros((height, width), np.float32)
    radius = max(2, min(width, height) // 10)
    cv2.rectangle(alpha, (radius, radius), (width - radius - 1, height - radius - 1), 1.0, -1)
    alpha = cv2.dilate(alpha, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))
    return _edge(np.clip(patch, 0, 1), alpha)


def bottle(rng, width, height, shifted=False):
    width = max(12, int(min(width, height * rng.uniform(0.35, 0.6))))
    body = (colour(rng, shifted), WHITE, np.float32([0.25, 0.14, 0.08]))[rng.integers(3)]
    round_ = np.sqrt(np.clip(1 - np.linspace(-1, 1, width, dtype=np.float32)**2, 0, 1))
    patch = np.float32(body) * (0.45 + 0.65 * round_)[None, :, None] * np.ones((height, 1, 1), np.float32)
    _rectangle(patch, (0, rng.uniform(0.35, 0.5), 1, rng.uniform(0.7, 0.9)), colour(rng, shifted))
    patch[int(0.3 * height):] *= (0.6 + 0.4 * round_)[None, :, None]
    neck, cap = rng.uniform(0.2, 0.35), rng.uniform(0.1, 0.18)
    alpha = np.zeros((height, width), np.float32)
    shoulder = int((cap + 0.12) * height)
    outline = np.array([[neck * width, 0], [(1 - neck) * width, 0], [(1 - neck) * width, cap * height],
                        [width - 1, shoulder], [width - 1, height - 1], [0, height - 1], [0, shoulder],
                        [neck * width, cap * height]], np.int32)
    cv2.fillPoly(alpha, [outline], 1.0)
    patch[:int(cap * height)] = WHITE * rng.uniform(0.2, 1.0) * (0.5 + 0.5 * round_)[None, :, None]
    patch[:, int(width * 0.25):max(int(width * 0.25) + 1, int(width * 0.3))] += 0.2
    return _edge(np.clip(patch, 0, 1), alpha)


def bag(rng, width, height, shifted=False):
    """Something soft in a plastic bag: a crumpled outline, and streaks of light along the folds."""
    turns = np.sort(rng.uniform(0, 2 * np.pi, 22))
    reach = rng.uniform(0.78, 1.0, 22)
    outline = np.stack([width / 2 * (1 + reach * np.clip(1.2 * np.cos(turns), -1, 1)),
                        height / 2 * (1 + reach * np.clip(1.2 * np.sin(turns), -1, 1))], 1)
    alpha = np.zeros((height, width), np.float32)
    cv2.fillPoly(alpha, [outline.astype(np.int32)], 1.0)
    body = (np.float32([0.22, 0.20, 0.20]), WHITE * 0.9, colour(rng, shifted))[rng.integers(3)]
    patch = _plain((height, width), body, rng, 0.3)
    folds = np.zeros((height, width), np.float32)
    for _ in range(rng.integers(8, 22)):
        middle, turn = rng.uniform(0.1, 0.9, 2) * (width, height), rng.uniform(0, np.pi)
        half = rng.uniform(0.05, 0.25) * min(width, height) * np.array([np.cos(turn), np.sin(turn)])
        cv2.line(folds, tuple(map(int, middle - half)), tuple(map(int, middle + half)), float(rng.uniform(-0.3, 0.5)), 1,
                 cv2.LINE_AA)
    patch += cv2.GaussianBlur(folds, (0, 0), 0.8)[..., None]
    return _edge(np.clip(patch, 0, 1), alpha, 0.35)


KINDS = {each.__name__: each for each in (carton, box, book, envelope, bottle, bag)}
