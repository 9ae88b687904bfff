"""Pictures of core boxes whose corners, rows and pieces are known exactly.

Picture coordinates are continuous: x = 0 is the left edge of the first pixel column, so the picture spans 0..W
and 0..H and a pixel's centre lies at half numbers. Corners run TL, TR, BR, BL by position in the upright
picture. The outer corners are where the lines of the frame's outer edges meet at the rim, also where the corner
itself is rounded, broken or hidden; the inner ones are those of the frame's inner edge. Rows are channels of the
box, filled or empty, from top to bottom, or from left to right where they stand upright. The outline of a piece
of core is where it is seen, which slats may partly hide; its bedding is the angle in degrees, clockwise, from the
row's direction to the layers, None where the rock has none.
"""

import io

import numpy as np
from PIL import Image

from lib.synthetic.coreboxes import wide
from lib.synthetic.coreboxes.scene_builder import Scene, SceneBuilder
from lib.synthetic.coreboxes.truths import BoxTruth
from lib.synthetic.textures import rng_of

__all__ = ["KINDS", "BoxTruth", "Scene", "draw", "draw_wide", "jpeg"]

KINDS = {"box": 0.86, "none": 0.05, "cut": 0.04, "several": 0.03, "blurred": 0.02}


def draw(seed, size=(640, 480), shifted=False, kind=None):
    """The scene of a seed: a picture of `size` (width, height) and its exact truth.

    `kind` None draws the natural mix of KINDS; `shifted` draws a world of materials, rocks, lights, floors
    and layouts that the default never shows. The same arguments give the same bytes.
    """
    if kind not in (None, *KINDS):
        raise ValueError(f"kind is one of {', '.join(KINDS)}, not {kind!r}")
    rng = np.random.default_rng([int(seed), int(bool(shifted)), size[0], size[1], *(kind or "").encode()])
    kind = kind or str(rng.choice(list(KINDS), p=list(KINDS.values())))
    return SceneBuilder(rng, tuple(int(v) for v in size), bool(shifted), kind).scene()


USUAL = 0.3  # share of `draw_wide` that shows what `draw` shows


def draw_wide(seed, size=(640, 480), shifted=False):
    """The scene of a seed from the wide world: `Scene.boxes` holds any number of boxes, or none.

    Three in ten are scenes of `draw`; the others are stacks and grids of boxes, photographs trimmed to the box,
    laboratory trays, pasted pages, and core that lies in no box (`kind` "none"). `pieces` and `tags` of those are
    empty. The same arguments give the same bytes.
    """
    rng = np.random.default_rng([int(seed), int(bool(shifted)), size[0], size[1], *b"wide"])
    if rng.random() < USUAL:
        return draw(int(rng.integers(2**31)), size, shifted)
    return wide.layout(rng, tuple(int(v) for v in size), bool(shifted))


# EXIF orientation: what turns the upright picture into the stored one.
ORIENTATIONS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def jpeg(scene, quality=None, orientation=1):
    """The picture as JPEG bytes; with an EXIF orientation stored turned, so that upright is `scene.pixels`.

    `quality` None takes one of 40 to 95, the same for the same picture.
    """
    if orientation not in ORIENTATIONS:
        raise ValueError(f"orientation is 1 to 8, not {orientation!r}")
    quality = int(quality or rng_of("quality", scene.settings, scene.outer.tolist()).integers(40, 96))
    picture = Image.fromarray(scene.pixels)
    if ORIENTATIONS[orientation] is not None:
        picture = picture.transpose(ORIENTATIONS[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, exif=exif)
    return out.getvalue()
