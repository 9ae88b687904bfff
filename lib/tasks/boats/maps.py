"""Boxes as the maps that the network learns, and back: a peak at each centre, and cells that tell the box."""

import cv2
import numpy as np

from lib.tasks.boats import detection

STRIDE = 4              # px of the input to a cell of the maps
SIZE = 8.0              # cells: the unit of what the maps say of boxes
BROAD = 0.16            # of a box's sides: standard deviation of the peak at its centre (arXiv 1909.00700)
TOLD = 0.3              # height of the peak down to which cells are asked for the box


def encode(things, crowds, grid):
    """What the network is to say of boxes in pixels of its input; cells in crowds are not judged.

    `grid` are the columns and rows of the maps.
    """
    columns, rows = grid
    heat, told = np.zeros((rows, columns, 2), np.float32), np.zeros((rows, columns, 5), np.float32)
    heat[..., 1] = 1
    for x0, y0, x1, y1 in crowds / STRIDE:
        heat[int(max(y0, 0)):int(np.ceil(max(y1, 0))), int(max(x0, 0)):int(np.ceil(max(x1, 0))), 1] = 0
    y, x = np.mgrid[0:rows, 0:columns]
    for box in things[np.argsort(-detection.areas(things), kind="stable")] / STRIDE:  # of two equals the small one
        centre, side = (box[:2] + box[2:]) / 2, np.maximum(box[2:] - box[:2], 1e-3)
        cell = np.clip(centre.astype(int), 0, (columns - 1, rows - 1))
        spread = np.maximum(BROAD * side, 0.35)
        peak = np.exp(-((x - cell[0]) / spread[0]) ** 2 / 2 - ((y - cell[1]) / spread[1]) ** 2 / 2)
        mine = (peak > TOLD) & (peak >= heat[..., 0])   # a cell speaks of the box whose peak is highest there
        heat[..., 0] = np.maximum(heat[..., 0], peak)
        heat[..., 1] = np.maximum(heat[..., 1], peak > TOLD)
        told[mine, :4] = np.stack([(centre[0] - x[mine] - 0.5) / SIZE, (centre[1] - y[mine] - 0.5) / SIZE,
                                   *(np.full(mine.sum(), np.log(each / SIZE)) for each in side)], 1)
        told[mine, 4] = peak[mine] / peak[mine].sum()
    return {"heat": heat, "box": told}


def decode(output, frame, size, least, suppress):
    """Boxes with their scores from the maps, surest first: the peaks of at least `least`, without those that overlap a
    surer one by more than `suppress`. `frame` is that of the picture of (width, height).
    """
    heat = np.ascontiguousarray(output["heat"][..., 0], np.float32)
    peaks = (heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8))) & (heat >= least)
    rows, columns = np.nonzero(peaks)
    order = np.argsort(-heat[rows, columns], kind="stable")[:detection.MOST]
    rows, columns = rows[order], columns[order]
    told = np.asarray(output["box"], float)[rows, columns]
    centre = np.stack([columns + 0.5, rows + 0.5], 1) + told[:, :2] * SIZE
    half = np.exp(np.clip(told[:, 2:4], -6, 6)) * SIZE / 2
    found = np.concatenate([frame.back((centre - half) * STRIDE), frame.back((centre + half) * STRIDE)], 1)
    found = np.clip(found, 0, [*size, *size])
    scores = heat[rows, columns].astype(float)
    keep = detection.distinct(found, scores, suppress)
    keep = keep[detection.areas(found[keep]) > 0]
    return {"boxes": found[keep].tolist(), "scores": np.clip(scores[keep], 0, 1).tolist()}


def head(features):
    """The map of peaks and the map of boxes, on a backbone's features."""
    from keras import initializers, layers

    from lib.models.blocks import conv_norm_relu, feature_pyramid

    x = conv_norm_relu(feature_pyramid(features, 48), 48, name="read")           # cells of 4 px are many: what they cost is most of all
    little = initializers.RandomNormal(stddev=0.01, seed=0)     # to begin with, a boat is as improbable everywhere
    heat = layers.Conv2D(1, 1, activation="sigmoid", kernel_initializer=little, name="heat",
                         bias_initializer=initializers.Constant(-2.2))(x)
    box = layers.Conv2D(4, 1, kernel_initializer=little, name="box")(x)
    return {"heat": heat, "box": box}
