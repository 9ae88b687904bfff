"""What lies over the box or in its place: tags, signs, hands, a mount around the photograph, loose core."""

import cv2
import numpy as np

from lib.synthetic import textures as tx
from lib.synthetic.coreboxes import floors, objects, rocks
from lib.synthetic.coreboxes.surroundings import clutter


def above(stage):
    """What lies over the box: tags, signs, hands, cables; and which corners it hides."""
    rng = stage.rng
    if stage.kind == "none":
        return
    if rng.random() < 0.5:
        paper_tags(stage)
    if rng.random() < 0.12:
        k = rng.integers(4)
        x, y = stage.corners[k] + rng.normal(0, 1.5, 2)
        occlude(
            stage,
            objects.tag(
                rng, stage.sheet, x, y, rng.uniform(3, 9), rng.uniform(2.5, 7), float(rng.normal(0, 15))
            ),
        )
    if rng.random() < 0.05:
        high = rng.uniform(0.2, 0.5) * stage.high
        occlude(
            stage,
            objects.sign(
                rng,
                stage.sheet,
                stage.wide * rng.uniform(0, 1),
                rng.choice([0, stage.high]),
                high * 1.4,
                high,
                float(rng.normal(0, 8)),
                "tablet" if stage.shifted else None,
            ),
        )
    if rng.random() < 0.05:
        t = np.pi / 2 + rng.normal(0, 0.6)
        x, y = stage.wide * rng.uniform(0, 1), stage.high * rng.uniform(0.6, 1.05)
        objects.hand(rng, stage.sheet, x, y, t)
        stage.occluders.append(np.array([[x - 7, y - 7], [x + 7, y - 7], [x + 7, y + 60], [x - 7, y + 60]]))
    if rng.random() < 0.04:
        somebody(stage)
    if rng.random() < 0.05:
        objects.tool(
            rng,
            stage.sheet,
            stage.wide * rng.uniform(0, 1),
            stage.high * rng.choice([0.0, 0.5, 1.0]),
            float(rng.uniform(0, 180)),
        )


def somebody(stage):
    """Somebody standing at a side of the box, toes beside it or a little over its rim."""
    rng, side = stage.rng, stage.rng.choice(4, p=[0.1, 0.2, 0.5, 0.2])
    along, off = rng.uniform(-0.1, 1.1), rng.uniform(-5, 15)
    x = (along * stage.wide, stage.wide + off, along * stage.wide, -off)[side]
    y = (-off, along * stage.high, stage.high + off, along * stage.high)[side]
    angle = (180, -90, 0, 90)[side] + float(rng.normal(0, 12))
    stage.occluders.append(objects.legs(rng, stage.sheet, x, y, angle))


def mount(stage):
    """The photograph within another picture: cut close around the box, laid on a page or other pictures."""
    rng = stage.rng
    left, right = np.clip(rng.normal(0.4, 0.6, 2), -0.25, 6) * 0.01 * stage.wide
    up, down = rng.uniform(0.0, 0.9, 2) * stage.high
    ys, xs = stage.sheet.cut(-left, -up, stage.wide + right, stage.high + down)
    kept = stage.sheet.pixels[ys, xs].copy()
    shape = stage.sheet.pixels.shape[:2]
    if rng.random() < 0.5:
        stage.sheet.pixels[:] = np.array(
            [(255, 255, 255), (0, 0, 0), (128, 128, 128), (236, 236, 230)][rng.integers(4)], np.uint8
        )
    else:
        stage.sheet.pixels[:] = floors.floor(
            rng, shape, stage.sheet.s, stage.pick(floors.FLOORS, floors.HELD_FLOORS)
        )
    for _ in range(int(rng.integers(0, 4))):
        angle, zoom = float(rng.uniform(-180, 180)), rng.uniform(0.4, 1.2)
        piece = cv2.resize(
            kept[:, : max(8, int(kept.shape[1] * rng.uniform(0.3, 0.7)))], None, fx=zoom, fy=zoom
        )
        stage.sheet.lay(
            tx.gained(piece, np.float32([[rng.uniform(0.5, 1.4)]])),
            rng.uniform(stage.x0, stage.x1),
            rng.uniform(stage.y0, stage.y1),
            angle,
        )
    stage.sheet.pixels[ys, xs] = kept
    stage.mounted = True


def paper_tags(stage):
    """Paper tags over slats and ends, as samplers leave them."""
    rng, b = stage.rng, stage.box
    unit = min(b.core + 1, 6.5)
    wide, high = unit * rng.uniform(0.5, 1.1), unit * rng.uniform(0.35, 0.85)
    often = rng.uniform(0.2, 1.6)
    for a, c in b.rows:
        for _ in range(rng.poisson(often)):
            x = (
                rng.uniform(0.02, 0.98) * b.length
                if rng.random() < 0.7
                else b.length - wide * rng.uniform(0.3, 0.9)
            )
            at = stage.to_plane((x, rng.normal(a if rng.random() < 0.6 else (a + c) / 2, 0.2 * unit)))
            occlude(stage, objects.tag(rng, stage.sheet, *at, wide, high, float(rng.normal(0, 5))))


def occlude(stage, polygon):
    """Remember something that lies over the box."""
    stage.occluders.append(polygon)
    stage.tags.append(polygon)


def nothing(stage):
    """A picture without a box: loose core, rubble, walls, boards and tools on the same floors."""
    rng, b = stage.rng, stage.box
    if rng.random() < 0.3:
        objects.wall(rng, stage.sheet, stage.x0, stage.x1, stage.y0, rng.uniform(stage.y0, stage.y1))
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(1, 3))):
            clutter(stage)
    for _ in range(int(rng.integers(0, 5)) if rng.random() < 0.5 else 0):
        x, y = rng.uniform(stage.x0, stage.x1), rng.uniform(stage.y0, stage.y1)
        if rng.random() < 0.5:
            rocks.whole(rng, stage.sheet, b.kinds[0], x, x + rng.uniform(8, 40), y, b.core, "broken", b.look)
        else:
            for _ in range(int(rng.integers(2, 12))):
                rocks.chunk(
                    rng,
                    stage.sheet,
                    b.kinds[0],
                    *(np.array([x, y]) + rng.normal(0, 9, 2)),
                    rng.uniform(1, 6),
                    b.look,
                )
    return []
