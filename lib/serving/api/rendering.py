"""The picture with the answer drawn on it: red lines on a new PNG, without metadata."""

import cv2
import numpy as np

LONGEST = 1600  # px of the longer side of what is sent back
RED = (255, 0, 0)


def render(picture, outlines):
    """The bytes of a PNG of a Picture with `outlines`, (points (n, 2) in px of the picture, label) each, as closed lines."""
    height, width = picture.pixels.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = cv2.resize(picture.pixels, size, interpolation=cv2.INTER_AREA)
    thick = max(1, round(max(size) / 300))
    for points, words in outlines:
        at = np.asarray(points, float) * np.divide(size, picture.size)
        at = np.clip(at, -4 * LONGEST, 4 * LONGEST).round().astype(np.int32)
        cv2.polylines(canvas, [at], True, RED, thick, cv2.LINE_AA)
        cv2.putText(canvas, words, (int(at[0][0]) + 4 * thick, int(at[0][1]) + 12 * thick), cv2.FONT_HERSHEY_SIMPLEX,
                    max(size) / 1000, RED, thick, cv2.LINE_AA)
    return cv2.imencode(".png", canvas[..., ::-1])[1].tobytes()
