"""The picture with the answer drawn on it: red lines on a new PNG, without metadata."""

import cv2
import numpy as np

LONGEST = 1600  # px of the longer side of what is sent back
RED, BLACK = (255, 0, 0), (0, 0, 0)
STYLES = {"solid": None, "dashed": (6, 6), "dotted": (1, 3)}   # line and gap, in parts of the line's width
FONT = cv2.FONT_HERSHEY_SIMPLEX


def render(picture, outlines):
    """The bytes of a PNG of a Picture with `outlines` on it as closed lines, each a triple: points (n, 2) in pixels of the
    picture, a text, and one of STYLES: dashed is doubtful, dotted only partly in the picture."""
    height, width = picture.pixels.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = cv2.resize(picture.pixels, size, interpolation=cv2.INTER_AREA)
    thick = max(1, round(max(size) / 300))
    for points, text, style in outlines:
        at = np.asarray(points, float) * np.divide(size, picture.size)
        at = np.clip(at, -4 * LONGEST, 4 * LONGEST)
        pattern = STYLES[style]
        for line in _dashes(at, *(thick * part for part in pattern)) if pattern else [np.vstack([at, at[:1]])]:
            cv2.polylines(canvas, [line.round().astype(np.int32)], False, RED, thick, cv2.LINE_AA)
        _write(canvas, text, at[0], thick)
    return cv2.imencode(".png", canvas[..., ::-1])[1].tobytes()


def _dashes(points, line, gap):
    """The sides of a polygon as dashes (2, 2) of a length, in px, with gaps between them."""
    for start, end in zip(points, np.roll(points, -1, 0), strict=True):
        count = max(1, round(float(np.hypot(*(end - start))) / (line + gap)))
        for at in range(count):
            yield np.array([start + (at + part) / count * (end - start) for part in (0, line / (line + gap))])


def _write(canvas, text, corner, thick):
    """A text inside the polygon's first corner, moved into the picture where that lies outside; edged, to be read on all."""
    scale = max(canvas.shape) / 1000
    (width, height), below = cv2.getTextSize(text, FONT, scale, thick)
    room = np.array(canvas.shape[1::-1]) - (width + 4 * thick, below + 4 * thick)
    x, y = np.clip(corner + (4 * thick, 12 * thick), (4 * thick, height + 4 * thick), np.maximum(room, 0)).round().astype(int)
    for color, extra in ((BLACK, 2 * thick), (RED, 0)):
        cv2.putText(canvas, text, (int(x), int(y)), FONT, scale, color, thick + extra, cv2.LINE_AA)
