"""A sheet of the plane to draw on: rectangles, polygons, and things laid at any angle with their shadows.

A sheet knows its scale and origin, so that everything is drawn in centimetres. Sheet coordinates are
continuous: pixel (0, 0) covers 0..1.
"""

import cv2
import numpy as np

from lib.synthetic.textures import blend, over, tripled


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
        """An image (drawn at this scale) laid with its centre at x, y (cm), turned `angle` degrees clockwise.

        `shadow` darkens the ground `reach` cm beside it. Gives the corners of the image in cm.
        """
        h, w = image.shape[:2]
        t = np.deg2rad(angle)
        turn = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
        centre = self.px((x, y))
        corners = centre + np.array([[-w, -h], [w, -h], [w, h], [-w, h]]) / 2 @ turn.T
        if shadow:
            self.shadow(corners, shadow, reach)
        low = np.maximum(np.floor(corners.min(0) - 1).astype(int), 0)
        high = np.minimum(np.ceil(corners.max(0) + 1).astype(int), self.pixels.shape[1::-1])
        if (high > low).all():
            here = self.pixels[low[1] : high[1], low[0] : high[0]]
            # Pixel centres lie half a pixel inside: image pixel i is at i + 0.5.
            shift = centre - low + turn @ np.array([0.5 - w / 2, 0.5 - h / 2]) - 0.5
            self.warp(here, image, mask, turn, shift)
        return corners / self.s + self.origin

    def warp(self, here, image, mask, turn, shift):
        """The image turned and shifted onto these pixels; merely copied where it lies along them."""
        h, w = image.shape[:2]
        whole = np.abs(shift - np.round(shift)).max() < 1e-6 and abs(turn[0, 1]) < 1e-9
        if whole and mask is None:
            x, y = np.round(shift).astype(int)
            ys, xs = slice(max(y, 0), max(y + h, 0)), slice(max(x, 0), max(x + w, 0))
            spot = here[ys, xs]
            spot[:] = image[max(-y, 0) :, max(-x, 0) :][: spot.shape[0], : spot.shape[1]]
            return
        matrix, size = np.column_stack([turn, shift]).astype(np.float32), here.shape[1::-1]
        cover = cv2.warpAffine(np.full((h, w), 255, np.uint8) if mask is None else mask, matrix, size)
        laid = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        here[:] = blend(here, laid, cover)

    def shadow(self, corners, strength, reach):
        """Soft shadow of a quadrilateral (sheet px) that lies `reach` cm above the ground."""
        off = max(1.0, reach * self.s)
        low = np.maximum(np.floor(corners.min(0) - off).astype(int), 0)
        high = np.minimum(np.ceil(corners.max(0) + 2 * off).astype(int), self.pixels.shape[1::-1])
        if (high <= low).any():
            return
        here = self.pixels[low[1] : high[1], low[0] : high[0]]
        # A soft shadow needs few pixels: draw it small.
        k = min(1.0, 4 / off, 100 / max(here.shape[:2])) if off > 2 else 1.0
        small = np.full((max(2, int(here.shape[0] * k)), max(2, int(here.shape[1] * k))), 255, np.uint8)
        quad = (corners - low + np.array([0.5, 0.7]) * off) * [
            small.shape[1] / here.shape[1],
            small.shape[0] / here.shape[0],
        ]
        cv2.fillPoly(
            small, [np.round(quad * 16).astype(np.int32)], int(255 * max(0.0, 1 - strength)), cv2.LINE_AA, 4
        )
        small = cv2.blur(small, (2 * int(off * k * 0.7) + 1,) * 2)
        table = cv2.resize(small, here.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        here[:] = cv2.multiply(here, tripled(table), scale=1 / 255)

    def polygon(self, points, colour, cover=1.0):
        """A filled polygon (cm) of one colour with smooth edges."""
        if cover > 0.9:
            p = np.round((self.px(points) - 0.5) * 16).astype(np.int32)
            cv2.fillPoly(self.pixels, [p], tuple(float(c) for c in colour), cv2.LINE_AA, 4)
            return
        found = self.mask(points, cover)
        if found:
            here, mask = found
            here[:] = over(here, colour, mask)

    def textured(self, points, surface):
        """A polygon (cm) filled with what `surface(shape)` gives for its bounding rectangle."""
        found = self.mask(points, 1.0)
        if found:
            here, mask = found
            here[:] = blend(here, surface(here.shape[:2]), mask)

    def mask(self, points, cover):
        """The sheet's pixels about a polygon (cm) and how far it covers them, or None outside the sheet."""
        p = self.px(points)
        low = np.maximum(np.floor(p.min(0)).astype(int) - 2, 0)
        high = np.minimum(np.ceil(p.max(0)).astype(int) + 2, self.pixels.shape[1::-1])
        if (high <= low).any():
            return None
        here = self.pixels[low[1] : high[1], low[0] : high[0]]
        mask = np.zeros(here.shape[:2], np.uint8)
        cv2.fillPoly(
            mask, [np.round((p - low - 0.5) * 16).astype(np.int32)], int(255 * cover), cv2.LINE_AA, 4
        )
        return here, mask

    def line(self, points, colour, width_cm, cover=1.0):
        """A polyline (cm) of the given width, at least one pixel."""
        p = np.round((self.px(points) - 0.5) * 16).astype(np.int32)
        cv2.polylines(
            self.pixels,
            [p],
            False,
            tuple(int(c) for c in colour),
            max(1, round(width_cm * self.s)),
            cv2.LINE_AA,
            4,
        )
