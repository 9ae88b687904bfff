"""The picture with the answer drawn on it: red lines on a new PNG, without metadata."""

import cv2
import numpy as np

LONGEST = 1600  # px of the longer side of what is sent back
RED, BLACK = (255, 0, 0), (0, 0, 0)
STYLES = {"solid": None, "dashed": (6, 6), "dotted": (1, 3)}   # line and gap, in parts of the line's width
FONT, SMALLEST = cv2.FONT_HERSHEY_SIMPLEX, 0.45   # of the text, in parts of the font's own size: 10 px high


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
    """A text on a black plate inside the polygon's first corner, moved into the picture where that lies outside."""
    if not text:
        return
    scale = max(SMALLEST, max(canvas.shape) / 1000)
    weight, pad = max(1, round(2 * scale)), round(8 * scale)
    (width, height), below = cv2.getTextSize(text, FONT, scale, weight)
    plate = np.array([width + 2 * pad, height + below + 2 * pad])
    x, y = np.clip(corner + 2 * thick, 0, np.maximum(np.array(canvas.shape[1::-1]) - plate, 0)).round().astype(int)
    cv2.rectangle(canvas, (int(x), int(y)), (int(x + plate[0]), int(y + plate[1])), BLACK, cv2.FILLED)
    cv2.putText(canvas, text, (int(x + pad), int(y + pad + height)), FONT, scale, RED, weight, cv2.LINE_AA)
