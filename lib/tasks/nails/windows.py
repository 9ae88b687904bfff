"""Points between a window and the picture it was cut from."""

import numpy as np


def corners(matrix, size, picture):
    """The corners of a window of `size` in pixels of the upright picture, from the top left one on along its edges."""
    edges = np.array([[0, 0], [size[0], 0], size, [0, size[1]]], float) - 0.5
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    points = edges @ back[:, :2].T + back[:, 2] + 0.5
    return (points * picture.size[0] / picture.pixels.shape[1]).tolist()


def spread(window, parts):
    """Points given as parts (n, 2) of a window's width and height, in pixels of the picture."""
    window, parts = np.asarray(window, float), np.asarray(parts, float)
    return window[0] + parts[:, :1] * (window[1] - window[0]) + parts[:, 1:] * (window[3] - window[0])
