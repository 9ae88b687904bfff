"""Pictures for the viewer: scaled copies on disk, and crops at full resolution."""

import threading
from collections import OrderedDict

import cv2
import numpy as np

from lib.data import dataset
from lib.evaluation import figures
from lib.evaluation.viewer import review
from lib.imaging import geometry, images, warping
from lib.storage import files

THUMB = (132, 99)        # px, the box a thumbnail fits into
BOX = (1080, 810)        # px, the box the rectified picture fits into
LARGE = 2                # pictures held at full resolution: 72 MB each for 24 megapixels
QUALITY = 88


class PreviewCache:
    """JPEG copies of the pictures of a job, kept in its cache folder. ValueError: a picture cannot be read; it says what to do."""

    def __init__(self, job):
        self.job, self.folder = job, job.folder / "cache" / "viewer"
        self._large, self._lock = OrderedDict(), threading.Lock()

    def preview(self, row):
        """JPEG bytes of the whole picture, its longer side at most `viewer.side` px and at least 3/4 of it."""
        return self._copy(row, f"{self.job.params.viewer.side}", self._reduced)

    def thumbnail(self, row):
        """JPEG bytes of the thumbnail."""
        return self._copy(row, "thumb", lambda row: _fit(_decode(self.preview(row)), THUMB))

    def crop(self, row, rect, most):
        """JPEG bytes of a rectangle of the picture, its longer side at most `most` px, and the rectangle that was cut.

        Rectangles are (x, y, width, height) in pixels of the picture; ValueError: nothing of the picture lies there.
        """
        picture = self._full(row)
        width, height = picture.size
        x, y = max(0, int(rect[0])), max(0, int(rect[1]))
        right, bottom = min(width, int(np.ceil(rect[0] + rect[2]))), min(height, int(np.ceil(rect[1] + rect[3])))
        if right <= x or bottom <= y:
            raise ValueError(f"{row['image']} has nothing at {[round(each) for each in rect]}")
        return jpeg(_fit(picture.pixels[y:bottom, x:right], (most, most))), [x, y, right - x, bottom - y]

    def rectified(self, row, corners):
        """JPEG bytes of the quadrilateral with these corners (4, 2), clockwise in px, seen from straight above."""
        corners = np.asarray(corners, float)
        if not geometry.is_convex(geometry.order(corners)) or not np.isfinite(corners).all():
            raise ValueError("the corners make no box: they must go round it once, clockwise")
        sides = np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1)
        size = np.maximum([sides[[0, 2]].mean(), sides[[1, 3]].mean()], 1)
        size = tuple(int(each) for each in np.maximum((size * min(np.array(BOX) / size)).round(), 8))
        square = np.array([[0, 0], [size[0], 0], size, [0, size[1]]], np.float32)
        matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), square)
        shown = images.Picture(_decode(self.preview(row)), (row["width"], row["height"]))
        return jpeg(warping.crop(shown, matrix, size))

    def overlay(self, row, truth, answer):
        """JPEG bytes of the picture with truth and answer as the task draws them, for tasks whose labels are not edited."""
        return review.jpeg(figures.overlay(self.job, figures.small(self.job, row, 1200), truth, answer))

    def _reduced(self, row):
        side = self.job.params.viewer.side
        scale = min(1.0, 0.75 * side / max(row["width"], row["height"]))  # a JPEG is decoded at 1/2, 1/4 or 1/8
        least = max(1, int(row["width"] * scale)), max(1, int(row["height"] * scale))
        return _fit(dataset.read_picture(self.job, row, at_least=least).pixels, (side, side))

    def _copy(self, row, kind, make):
        """The bytes of a copy; made anew when the size or the time of the picture has changed."""
        source = dataset.picture_path(self.job, row)
        try:
            about = source.stat()
        except OSError as error:
            raise ValueError(f"{row['image']} is no longer there; run notebook 01 again") from error
        path = self.folder / kind / f"{source.name}-{about.st_size}-{about.st_mtime_ns}.jpg"
        if not path.is_file():
            code = jpeg(make(row))
            files.write(path, code)
            return code
        return path.read_bytes()

    def _full(self, row):
        """The whole picture at full resolution; the last LARGE ones stay in memory."""
        with self._lock:
            if row["image"] not in self._large:
                self._large[row["image"]] = dataset.read_picture(self.job, row, at_least=(row["width"], row["height"]))
            self._large.move_to_end(row["image"])
            while len(self._large) > LARGE:
                self._large.popitem(last=False)
            return self._large[row["image"]]


def jpeg(pixels):
    """RGB pixels as JPEG bytes."""
    return cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def _decode(code):
    return np.ascontiguousarray(cv2.imdecode(np.frombuffer(code, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])


def _fit(pixels, size):
    """Pixels reduced by area averaging to fit into (width, height); never enlarged."""
    scale = min(size[0] / pixels.shape[1], size[1] / pixels.shape[0])
    if scale >= 1:
        return pixels
    fits = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    return cv2.resize(pixels, fits, interpolation=cv2.INTER_AREA)
