"""A sheet of the plane to draw on: rectangles, things laid at any angle, shadows and handwriting.

A sheet knows its scale and origin, so that everything is drawn in centimetres. Sheet coordinates are continuous:
pixel (0, 0) covers 0..1.
"""

import cv2
import numpy as np


class Sheet:
    """Pixels (H, W, 3) of a part of the plane; its top left corner lies at `origin` (cm)."""

    def __init__(self, pixels, px_per_cm, origin=(0.0, 0.0)):
        self.pixels, self.s, self.origin = pixels, float(px_per_cm), np.asarray(origin, float)

    def px(self, points):
        """Points in cm as sheet pixels."""
        return (np.asarray(points, float) - self.origin) * self.s

    def n(self, cm):
        """A length in whole pixels, at least one."""
        return max(1, round(cm * self.s))

    def cut(self, x0, y0, x1, y1):
        """Row and column slices of a rectangle in cm, clipped to the sheet."""
        (a, b), (c, d) = self.px((x0, y0)).round().astype(int), self.px((x1, y1)).round().astype(int)
        h, w = self.pixels.shape[:2]
        return slice(max(0, min(b, h)), max(0, min(d, h))), slice(max(0, min(a, w)), max(0, min(c, w)))

    def shape(self, x0, y0, x1, y1):
        """Height and width in pixels of the visible part of a rectangle in cm."""
        ys, xs = self.cut(x0, y0, x1, y1)
        return max(0, ys.stop - ys.start), max(0, xs.stop - xs.start)

    def fill(self, x0, y0, x1, y1, image):
        """The rectangle (cm) painted with an image or a colour, cut where the sheet or the image ends."""
        ys, xs = self.cut(x0, y0, x1, y1)
        if not (isinstance(image, np.ndarray) and image.ndim == 3):
            self.pixels[ys, xs] = image
            return
        left, top = self.px((x0, y0)).round().astype(int)
        image = image[max(ys.start - top, 0) :, max(xs.start - left, 0) :]
        here = self.pixels[ys, xs][: image.shape[0], : image.shape[1]]
        here[:] = image[: here.shape[0], : here.shape[1]]

    def shade(self, x0, y0, x1, y1, gain):
        """The rectangle (cm) times a gain."""
        ys, xs = self.cut(x0, y0, x1, y1)
        if ys.stop > ys.start and xs.stop > xs.start:
            self.pixels[ys, xs] = cv2.convertScaleAbs(self.pixels[ys, xs], alpha=float(gain))

    def lay(self, image, x, y, angle=0.0, mask=None, shadow=0.0, reach=0.4):
        """An image (drawn at this scale) laid with its centre at x, y (cm), turned by `angle` degrees clockwise.

        `shadow` darkens the ground `reach` cm beside it. Gives the corners of the image in cm.
        """
        h, w = image.shape[:2]
        t = np.deg2rad(angle)
        turn = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
        centre = self.px((x, y))
        corners = centre + np.array([[-w, -h], [w, -h], [w, h], [-w, h]]) / 2 @ turn.T
        off = max(1.0, reach * self.s)
        low = np.floor(corners.min(0) - (2 + off)).astype(int)
        high = np.ceil(corners.max(0) + (2 + off)).astype(int)
        low, high = np.maximum(low, 0), np.minimum(high, self.pixels.shape[1::-1])
        if (high <= low).any():
            return corners / self.s + self.origin
        size = tuple(int(v) for v in high - low)
        shift = centre - low - turn @ np.array([w / 2, h / 2])
        # Pixel centres lie half a pixel inside: image pixel i is at i + 0.5.
        shift = shift + turn @ np.array([0.5, 0.5]) - 0.5
        matrix = np.c_[turn, shift].astype(np.float32)
        mask = np.full((h, w), 255, np.uint8) if mask is None else mask
        here = self.pixels[low[1] : high[1], low[0] : high[0]]
        cover = cv2.warpAffine(mask, matrix, size)
        if shadow:
            dark = cv2.warpAffine(cover, np.float32([[1, 0, off * 0.6], [0, 1, off * 0.8]]), size)
            dark = cv2.blur(dark, (int(off) * 2 + 1,) * 2)
            here[:] = blend(here, np.zeros_like(here), cv2.convertScaleAbs(dark, alpha=float(shadow)))
        laid = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        here[:] = blend(here, laid, cover)
        return corners / self.s + self.origin

    def polygon(self, points, colour, cover=1.0):
        """A filled polygon (cm) with smooth edges."""
        self.shape_mask(points, colour, cover)

    def shape_mask(self, points, image, cover=1.0, soft=0.0):
        """A polygon (cm) painted with a colour, or with an image as large as its bounding rectangle."""
        p = self.px(points)
        pad = int(3 * soft) + 2
        low = np.maximum(np.floor(p.min(0)).astype(int) - pad, 0)
        high = np.minimum(np.ceil(p.max(0)).astype(int) + pad, self.pixels.shape[1::-1])
        if (high <= low).any():
            return
        here = self.pixels[low[1] : high[1], low[0] : high[0]]
        mask = np.zeros(here.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round((p - low - 0.5) * 16).astype(np.int32)], int(255 * cover), cv2.LINE_AA, 4)
        if soft:
            mask = cv2.GaussianBlur(mask, (0, 0), soft)
        paint = np.empty_like(here)
        if callable(image):
            paint[:] = image(here.shape[:2])
        else:
            paint[:] = image
        here[:] = blend(here, paint, mask)

    def line(self, points, colour, width_cm, cover=1.0):
        """A polyline (cm) of the given width, at least one pixel."""
        p = np.round((self.px(points) - 0.5) * 16).astype(np.int32)
        cv2.polylines(self.pixels, [p], False, tuple(int(c) for c in colour), max(1, round(width_cm * self.s)),
                      cv2.LINE_AA, 4)


def blend(below, above, cover):
    """The picture above laid over the one below where `cover` (uint8) says so."""
    a = cover[..., None] * np.float32(1 / 255)
    return (below + (above.astype(np.float32) - below) * a + 0.5).astype(np.uint8)


# Handwriting: each sign as strokes in a box 1 wide and 2 high (y down).
STROKES = {
    "0": ["0.5,0 0,.6 0,1.4 .5,2 1,1.4 1,.6 .5,0"], "1": [".2,.5 .6,0 .6,2"],
    "2": ["0,.4 .5,0 1,.4 .9,.9 0,2 1,2"], "3": ["0,.2 .6,0 1,.5 .4,.9 1,1.4 .6,2 0,1.8"],
    "4": [".7,2 .7,0 0,1.3 1,1.3"], "5": ["1,0 .1,0 .1,.9 .7,.8 1,1.4 .6,2 0,1.8"],
    "6": [".9,0 .2,.8 0,1.5 .5,2 1,1.5 .6,1 .1,1.3"], "7": ["0,0 1,0 .4,2"],
    "8": [".5,.9 0,.5 .5,0 1,.5 .5,.9 0,1.5 .5,2 1,1.5 .5,.9"], "9": ["1,.6 .5,1 0,.5 .5,0 1,.4 .9,2"],
    "-": ["0,1 1,1"], ".": [".4,1.9 .5,2"], ":": [".4,.6 .5,.7", ".4,1.6 .5,1.7"], ">": ["0,1 1,1", ".6,.6 1,1 .6,1.4"],
    "A": ["0,2 .5,0 1,2", ".2,1.3 .8,1.3"], "B": ["0,0 0,2 .8,1.9 .9,1.2 0,1 .8,.7 .7,.1 0,0"],
    "D": ["0,0 0,2 .7,1.8 1,1 .7,.1 0,0"], "E": ["1,0 0,0 0,2 1,2", "0,1 .8,1"], "F": ["1,0 0,0 0,2", "0,1 .8,1"],
    "G": ["1,.3 .5,0 0,1 .5,2 1,1.6 1,1.1 .6,1.1"], "H": ["0,0 0,2", "1,0 1,2", "0,1 1,1"],
    "K": ["0,0 0,2", "1,0 0,1.1 1,2"], "L": ["0,0 0,2 1,2"], "M": ["0,2 .1,0 .5,1.2 .9,0 1,2"],
    "N": ["0,2 0,0 1,2 1,0"], "O": [".5,0 0,1 .5,2 1,1 .5,0"], "R": ["0,2 0,0 .8,.2 .8,.8 0,1 1,2"],
    "S": ["1,.2 .4,0 0,.5 1,1.4 .5,2 0,1.8"], "T": ["0,0 1,0", ".5,0 .5,2"], "X": ["0,0 1,2", "1,0 0,2"],
    "Z": ["0,0 1,0 0,2 1,2"], "Q": [".5,0 0,1 .5,2 1,1 .5,0", ".6,1.4 1,2"], "m": ["0,2 0,.9 .3,.9 .5,1.2 .5,2", ".5,1.2 .8,.9 1,1.2 1,2"],
    "o": [".5,1 0,1.5 .5,2 1,1.5 .5,1"], "e": ["0,1.5 1,1.5 .8,1 .2,1 0,1.6 .4,2 1,1.8"],
    "t": [".4,.3 .4,1.8 .8,2", "0,.9 .9,.9"], "r": ["0,.9 0,2", "0,1.3 .5,.9 .9,1"],
}
STROKES = {k: [np.array([[float(v) for v in p.split(",")] for p in s.split()]) for s in v] for k, v in STROKES.items()}


def words(rng, kind="any"):
    """A string such as people write on boxes: hole, box number, interval, depth."""
    d = rng.uniform(0, 900)
    kind = kind if kind != "any" else rng.choice(["hole", "box", "depth", "span"])
    letters = "ABDEGHKLMNRSTXZ"
    pick = "".join(rng.choice(list(letters), rng.integers(1, 4)))
    return {"hole": f"{pick}{'-' if rng.random() < 0.6 else ''}DD-{rng.integers(1, 400)}", "box": f"BOX {rng.integers(1, 300)}",
            "depth": f"{d:.1f}", "span": f"{d:.1f}-{d + rng.uniform(2, 6):.1f}", "id": str(rng.integers(10000, 999999))}[str(kind)]


def write(rng, pixels, text, x, y, height, colour, width=None, neat=0.06, slant=0.0):
    """Handwriting on pixels: the text from (x, y) (left, top; px), `height` px high. Gives its width in px.

    Below 4 px it becomes dashes, as writing does in small pictures.
    """
    unit = height / 2
    width = max(1, round(width if width else height * 0.11))
    colour = tuple(int(c) for c in colour)
    start, strokes = x, []
    for sign in text:
        for stroke in STROKES.get(sign, ()):
            p = stroke + rng.normal(0, neat, stroke.shape)
            p = np.c_[p[:, 0] * 0.85 - slant * (p[:, 1] - 2), p[:, 1]] * unit + (x, y)
            strokes.append(np.round(p * 8).astype(np.int32))
        x += unit * (1.25 + rng.normal(0, neat)) if sign != " " else unit * 0.8
    if strokes:
        cv2.polylines(pixels, strokes, False, colour, width, cv2.LINE_AA, 3)
    return x - start
