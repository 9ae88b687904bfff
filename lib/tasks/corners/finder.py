"""The network that finds all boxes of a picture at once: for every cell of a grid, whether a box has its middle there.

After CenterNet (arXiv 1904.07850) with corners instead of a width and height: each cell also tells the offsets to the
four corners of its box, their expected error, whether the box is cut, and whether its rows stand upright.
"""

import cv2
import numpy as np

from lib.imaging import images
from lib.tasks.contract import Network
from lib.tasks.corners import augmentation, crops
from lib.tasks.corners.boxes import MOST
from lib.tasks.corners.confidence import KINDS
from lib.tasks.corners.labels import boxes_of, points
from lib.tasks.corners.shipped import load_shipped

INPUT = 288, 216         # (width, height) of the input, whatever that of the coarse network is
# A cell's numbers: logit that a box has its middle here, offsets to its corners (parts of the input), log of their
# expected error (parts of the diagonal), logits that it is cut and that its rows stand upright.
MIDDLE, CORNERS, DOUBT, CUT, UPRIGHT, CELL = 0, slice(1, 9), 9, 10, 11, 12
# A box in a target: corners, middle and half axes of its visible part (parts of the input), cut, upright (-1: not known),
# and 1 where there is a box.
BOX = 17
SPREAD = 0.16            # of a box's sides: the standard deviation of its middle in the target
RUNS = {"horizontal": 0, "vertical": 1}
OUTSIDE = 0.003          # of the picture: a corner farther outside than this is cut off


def is_used(job):
    """Whether every box is looked for. The dense head knows of one, and so do exports from before there was a finder."""
    return job.params.corners.head != "dense" and job.params.corners.get("boxes", "one") == "all"


class Finder(Network):
    """All boxes of the whole picture."""

    input_size, backbone = INPUT, ""

    @property
    def cached_size(self):
        """(width, height) of cached images: examples are cut from them and reduced."""
        return 2 * self.input_size[0], 2 * self.input_size[1]

    def head(self, features):
        return finder_head(features[0])

    def loss(self):
        from lib.models.losses import MaskedCrossEntropy
        from lib.tasks.corners import losses

        return {"cells": losses.CellsLoss(), "kind": MaskedCrossEntropy(factor=0.2)}

    def cached_image(self, picture, row):
        return images.place(picture, crops.frame(picture.size, self.cached_size))

    def example(self, cached, row, rng=None):
        where = crops.frame((row["width"], row["height"]), self.cached_size)
        quads, kind = quadrilaterals(row), row.get("kind", "box")
        if rng is None:
            pixels = cv2.resize(cached, self.input_size, interpolation=cv2.INTER_AREA)
            window = np.array([where.shift, np.add(where.shift, where.inner)]) / self.cached_size
            return pixels, self.target(where.into(quads) / self.cached_size, window, row, kind)
        left, top = where.shift
        shown = cached[top:top + where.inner[1], left:left + where.inner[0]]
        pixels, quads, window = augmentation.look_at_all(shown, where.into(quads) - where.shift, self.input_size, rng)
        return pixels, self.target(quads / self.input_size, window / self.input_size, row, kind)

    def target(self, quads, window, row, kind="box"):
        """The target for quadrilaterals (n, 4, 2) and the corners (2, 2) of what is seen of the picture, as parts of the input."""
        told = [(each.get("cut", -1), RUNS.get(each.get("rows_run"), -1)) for each in boxes_of(row)]
        boxes = np.zeros((MOST, BOX), np.float32)
        for at, (corners, (cut, upright)) in enumerate(list(zip(quads, told, strict=True))[:MOST]):
            if np.isfinite(corners).all():
                boxes[at] = box_target(crops.ordered(corners), window, cut, upright)
        return {"cells": boxes, "kind": np.array([kind == name for name in KINDS], np.float32)}

    def load_pretrained(self, network):
        return load_shipped(self.task, "finder", network)


def quadrilaterals(row):
    """The corners (n, 4, 2) of all boxes of a row."""
    return np.array([points(each) for each in boxes_of(row)])


def box_target(corners, window, cut=-1, upright=-1):
    """The BOX numbers of a box: corners (4, 2) and window (2, 2) as parts of the input; -1: not known."""
    seen = np.clip(corners, *window)
    across = (seen[1] + seen[2] - seen[0] - seen[3]) / 2
    down = (seen[2] + seen[3] - seen[0] - seen[1]) / 2
    size = window[1] - window[0]
    outside = bool((np.maximum(window[0] - corners, corners - window[1]) > OUTSIDE * size).any())
    return np.array([*corners.ravel(), *seen.mean(0), *across, *down, max(cut, outside), upright, 1], np.float32)


def finder_head(x, widths=(24, 40, 72, 96), blocks=(1, 2, 3, 2), neck=56):
    """The numbers of the cells, at an eighth of the resolution, and the kind of the picture, from its pixels."""
    from keras import layers

    from lib.models.backbones import residual
    from lib.models.blocks import conv_norm_relu, feature_pyramid

    maps = residual(x, widths, blocks)
    x = conv_norm_relu(feature_pyramid(maps[1:], neck), neck, name="read")
    cells = layers.Conv2D(CELL, 1, name="cells", bias_initializer=_few())(x)
    pooled = layers.Concatenate(name="pooled")([layers.GlobalAveragePooling2D(name="pool_deep")(maps[-1]),
                                                layers.GlobalMaxPooling2D(name="pool_most")(maps[-1]),
                                                layers.GlobalAveragePooling2D(name="pool_fine")(maps[0])])
    kind = layers.Dense(len(KINDS), activation="softmax", name="kind")(layers.Dense(48, activation="relu", name="kind_in")(pooled))
    return {"cells": cells, "kind": kind}


def _few():
    """The bias to begin with: boxes are rare, and their corners are known to a tenth."""
    import keras

    return keras.initializers.Constant([-4.0, *[0.0] * 8, -2.3, -1.0, -1.0])
