"""The picture with the answer drawn on it: red lines on a new PNG, without metadata."""

import cv2
import numpy as np

LONGEST = 1600  # px of the longer side of what is sent back
RED = (255, 0, 0)


def render(picture, outlines, dashed=False):
    """The bytes of a PNG of a Picture with `outlines`, (points (n, 2) in px of the picture, label) each, as closed lines.

    They are `dashed` where the answer is doubtful.
    """
    height, width = picture.pixels.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = cv2.resize(picture.pixels, size, interpolation=cv2.INTER_AREA)
    thick = max(1, round(max(size) / 300))
    for points, label in outlines:
        at = np.asarray(points, float) * np.divide(size, picture.size)
        at = np.clip(at, -4 * LONGEST, 4 * LONGEST)
        for line in _dashes(at, 6 * thick) if dashed else [np.vstack([at, at[:1]])]:
            cv2.polylines(canvas, [line.round().astype(np.int32)], False, RED, thick, cv2.LINE_AA)
        x, y = at[0].round().astype(int)
        cv2.putText(canvas, label, (int(x) + 4 * thick, int(y) + 12 * thick), cv2.FONT_HERSHEY_SIMPLEX,
                    max(size) / 1000, RED, thick, cv2.LINE_AA)
    return cv2.imencode(".png", canvas[..., ::-1])[1].tobytes()


def _dashes(points, length):
    """The sides of a polygon as dashes (2, 2) of a length, in px, with gaps as long."""
    for start, end in zip(points, np.roll(points, -1, 0), strict=True):
        steps = np.linspace(0, 1, 2 * max(1, round(float(np.hypot(*(end - start))) / (2 * length))) + 1)
        for a, b in zip(steps[:-1:2], steps[1::2], strict=True):
            yield np.array([start + a * (end - start), start + b * (end - start)])
