"""What lies over the box or in its place: tags, signs, hands, a mount around the photograph, loose core."""

import cv2
import numpy as np

from lib.synthetic import textures as tx
from lib.synthetic.coreboxes import floors, objects, rocks, truths
from lib.synthetic.coreboxes.surroundings import clutter


def above(builder):
    """What lies over the box: tags, signs, hands, cables; and which corners it hides."""
    rng = builder.rng
    if builder.kind == "none":
        return
    if rng.random() < 0.5:
        paper_tags(builder)
    if rng.random() < 0.12:
        k = rng.integers(4)
        x, y = builder.corners[k] + rng.normal(0, 1.5, 2)
        occlude(
            builder,
            objects.tag(
                rng, builder.sheet, x, y, rng.uniform(3, 9), rng.uniform(2.5, 7), float(rng.normal(0, 15))
            ),
        )
    if rng.random() < 0.05:
        high = rng.uniform(0.2, 0.5) * builder.high
        occlude(
            builder,
            objects.sign(
                rng,
                builder.sheet,
                builder.wide * rng.uniform(0, 1),
                rng.choice([0, builder.high]),
                high * 1.4,
                high,
                float(rng.normal(0, 8)),
                "tablet" if builder.shifted else None,
            ),
        )
    if rng.random() < 0.05:
        t = np.pi / 2 + rng.normal(0, 0.6)
        x, y = builder.wide * rng.uniform(0, 1), builder.high * rng.uniform(0.6, 1.05)
        objects.hand(rng, builder.sheet, x, y, t)
        builder.occluders.append(np.array([[x - 7, y - 7], [x + 7, y - 7], [x + 7, y + 60], [x - 7, y + 60]]))
    if rng.random() < 0.04:
        somebody(builder)
    if rng.random() < 0.05:
        objects.tool(
            rng,
            builder.sheet,
            builder.wide * rng.uniform(0, 1),
            builder.high * rng.choice([0.0, 0.5, 1.0]),
            float(rng.uniform(0, 180)),
        )


def somebody(builder):
    """Somebody standing at a side of the box, toes beside it or a little over its rim."""
    rng, side = builder.rng, builder.rng.choice(4, p=[0.1, 0.2, 0.5, 0.2])
    along, off = rng.uniform(-0.1, 1.1), rng.uniform(-5, 15)
    x = (along * builder.wide, builder.wide + off, along * builder.wide, -off)[side]
    y = (-off, along * builder.high, builder.high + off, along * builder.high)[side]
    angle = (180, -90, 0, 90)[side] + float(rng.normal(0, 12))
    builder.occluders.append(objects.legs(rng, builder.sheet, x, y, angle))


def mount(builder):
    """The photograph within another picture: cut close around the box, laid on a page or other pictures."""
    rng = builder.rng
    left, right = np.clip(rng.normal(0.4, 0.6, 2), -0.25, 6) * 0.01 * builder.wide
    up, down = rng.uniform(0.0, 0.9, 2) * builder.high
    ys, xs = builder.sheet.cut(-left, -up, builder.wide + right, builder.high + down)
    kept = builder.sheet.pixels[ys, xs].copy()
    photograph = Pasted(builder, xs, ys)
    shape = builder.sheet.pixels.shape[:2]
    if rng.random() < 0.5:
        builder.sheet.pixels[:] = np.array(
            [(255, 255, 255), (0, 0, 0), (128, 128, 128), (236, 236, 230)][rng.integers(4)], np.uint8
        )
    else:
        builder.sheet.pixels[:] = floors.floor(
            rng, shape, builder.sheet.s, builder.pick(floors.FLOORS, floors.HELD_OUT_FLOORS)
        )
    for _ in range(int(rng.integers(0, 4))):
        angle, zoom = float(rng.uniform(-180, 180)), rng.uniform(0.4, 1.2)
        columns = max(8, int(kept.shape[1] * rng.uniform(0.3, 0.7)))
        piece = cv2.resize(kept[:, :columns], None, fx=zoom, fy=zoom)
        corners = builder.sheet.lay(
            tx.gained(piece, np.float32([[rng.uniform(0.5, 1.4)]])),
            rng.uniform(builder.x0, builder.x1),
            rng.uniform(builder.y0, builder.y1),
            angle,
        )
        photograph.lay(builder, corners, columns)
    builder.sheet.pixels[ys, xs] = kept
    photograph.lay(builder, photograph.corners(), kept.shape[1])
    builder.mounted = True


class Pasted:
    """A photograph cut out of the sheet, and the boxes on it, to be laid on the sheet once more."""

    def __init__(self, builder, xs, ys):
        s = builder.sheet.s
        self.boxes, builder.placed = builder.placed, []
        (self.x0, self.y0), (self.x1, self.y1) = (
            builder.low + np.array(at) / s for at in ((xs.start, ys.start), (xs.stop, ys.stop))
        )
        self.s = s

    def corners(self):
        """Where it was cut out (cm)."""
        return np.array([[self.x0, self.y0], [self.x1, self.y0], [self.x1, self.y1], [self.x0, self.y1]])

    def lay(self, builder, corners, columns):
        """Remember its first pixel columns as laid with these corners (cm), over what lay there."""
        x1 = self.x0 + columns / self.s
        across, down = corners[1] - corners[0], corners[3] - corners[0]

        def move(points):
            u, v = (points[..., 0] - self.x0) / (x1 - self.x0), (points[..., 1] - self.y0) / (self.y1 - self.y0)
            return corners[0] + u[..., None] * across + v[..., None] * down

        builder.placed.append(corners)
        for box in self.boxes:
            shown = truths.trimmed(box, self.x0, self.y0, x1, self.y1)
            if (np.ptp(shown.outer, axis=0) > 0.5).all():
                builder.placed.append(truths.moved(shown, move))


def paper_tags(builder):
    """Paper tags over slats and ends, as samplers leave them."""
    rng, b = builder.rng, builder.box
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
            at = builder.to_plane((x, rng.normal(a if rng.random() < 0.6 else (a + c) / 2, 0.2 * unit)))
            occlude(builder, objects.tag(rng, builder.sheet, *at, wide, high, float(rng.normal(0, 5))))


def occlude(builder, polygon):
    """Remember something that lies over the box."""
    builder.occluders.append(polygon)
    builder.tags.append(polygon)


def nothing(builder):
    """A picture without a box: loose core, rubble, walls, boards and tools on the same floors."""
    rng, b = builder.rng, builder.box
    if rng.random() < 0.3:
        objects.wall(rng, builder.sheet, builder.x0, builder.x1, builder.y0, rng.uniform(builder.y0, builder.y1))
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(1, 3))):
            clutter(builder)
    for _ in range(int(rng.integers(0, 5)) if rng.random() < 0.5 else 0):
        x, y = rng.uniform(builder.x0, builder.x1), rng.uniform(builder.y0, builder.y1)
        if rng.random() < 0.5:
            rocks.whole(rng, builder.sheet, b.kinds[0], x, x + rng.uniform(8, 40), y, b.core, "broken", b.look)
        else:
            for _ in range(int(rng.integers(2, 12))):
                rocks.chunk(
                    rng,
                    builder.sheet,
                    b.kinds[0],
                    *(np.array([x, y]) + rng.normal(0, 9, 2)),
                    rng.uniform(1, 6),
                    b.look,
                )
    return []
