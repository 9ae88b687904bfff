"""Layouts: what stands beside the box, from an empty floor to a stack of other boxes."""

import cv2
import numpy as np

from lib.synthetic import textures as tx
from lib.synthetic.coreboxes import boxes, floors, objects, rendering

LAYOUTS = {"alone": 0.18, "stand": 0.4, "neighbours": 0.16, "stack": 0.13, "clutter": 0.13}
HELD_LAYOUTS = ("sign beside", "two rulers")


def table_edge(stage):
    """Another floor beyond a straight line along the box: a table's or pavement's edge."""
    rng = stage.rng
    name = stage.pick(floors.FLOORS, floors.HELD_FLOORS)
    side, off = rng.integers(4), rng.gamma(1.3, 5)
    x0, y0, x1, y1 = stage.x0, stage.y0, stage.x1, stage.y1
    part = [
        (x0, y0, x1, -off),
        (x0, stage.high + off, x1, y1),
        (x0, y0, -off, y1),
        (stage.wide + off, y0, x1, y1),
    ][side]
    shape = stage.sheet.shape(*part)
    if min(shape) > 2:
        stage.sheet.fill(*part, floors.floor(rng, shape, stage.sheet.s, name))
        edge = [
            (x0, -off, x1, 0.6 - off),
            (x0, stage.high + off - 0.6, x1, stage.high + off),
            (-off, y0, 0.6 - off, y1),
            (stage.wide + off - 0.6, y0, stage.wide + off, y1),
        ][side]
        stage.sheet.shade(*edge, rng.uniform(0.4, 1.3))


def beams(stage):
    """Steel beams of a rack above and below the box."""
    rng = stage.rng
    colour = np.array([(200, 100, 40), (50, 80, 140), (130, 134, 138), (60, 62, 66)][rng.integers(4)], float)
    for side in (0, 1):
        gap, high = rng.gamma(1.2, 1.0), rng.uniform(2, 9)
        y = -gap - high if side == 0 else stage.high + gap
        shape = stage.sheet.shape(stage.x0, y, stage.x1, y + high)
        if min(shape) > 1:
            strip = tx.paint(tx.sample("scratches", rng, shape, stage.sheet.s), tx.shades(colour, 0.25))
            stage.sheet.fill(stage.x0, y, stage.x1, y + high, rendering.rolled(strip, rng.uniform(-1, 1)))


def lid(stage):
    """The box's lid lying beside it: as long, of the same make, and without core."""
    rng, b = stage.rng, stage.box
    gap, high = rng.gamma(1.0, 1.0), stage.high * rng.uniform(0.9, 1.05)
    pixels = rendering.member(
        rng, b, (stage.sheet.n(high), stage.sheet.n(stage.wide)), stage.sheet.s, tone=rng.uniform(0.8, 1.1)
    )
    t = max(1, int(rng.uniform(0.3, 2) * stage.sheet.s))
    pixels[t:-t, t:-t] = tx.gained(
        np.ascontiguousarray(pixels[t:-t, t:-t]), np.float32([[rng.uniform(0.75, 1.0)]])
    )
    y = -gap - high / 2 if rng.random() < 0.6 else stage.high + gap + high / 2
    stage.sheet.lay(
        pixels, stage.wide / 2 + rng.normal(0, 1), y, float(rng.normal(0, 0.8)), shadow=0.5, reach=1.0
    )


def alone(stage):
    """Little: now and then a ruler or a sign."""
    if stage.rng.random() < 0.4:
        rulers(stage, 1)
    if stage.rng.random() < 0.3:
        sign(stage)


def stand(stage):
    """A photo stand: a wall of planks above, a sign on it, a ruler below."""
    rng = stage.rng
    gap = 0.0 if rng.random() < 0.6 else rng.uniform(0, 2)
    inset = rng.uniform(-0.04, 0.1) * stage.wide if rng.random() < 0.75 else -stage.wide
    if rng.random() < 0.75:
        high = rng.uniform(6, 60)
        objects.wall(
            rng,
            stage.sheet,
            inset,
            stage.wide - inset * rng.uniform(0.5, 1.5),
            max(-gap - high, stage.y0),
            -gap,
            like=like(stage, 0.25),
        )
    if rng.random() < 0.3:
        objects.wall(
            rng,
            stage.sheet,
            -stage.wide * rng.uniform(0, 1),
            2 * stage.wide,
            stage.high + gap,
            stage.y1,
            battens=False,
            like=like(stage, 0.25),
        )
    if rng.random() < 0.9:
        sign(stage, above=True)
    if rng.random() < 0.85:
        rulers(stage, 1, below=0.88)


def like(stage, chance):
    """The box's colour where something beside it shall be mistaken for it, else None."""
    return stage.box.colour if stage.rng.random() < chance else None


def rulers(stage, count, below=0.6):
    """Rulers and scale bars along the edges of the box, touching it or nearly."""
    rng = stage.rng
    for _ in range(count):
        gap = 0.0 if rng.random() < 0.5 else abs(rng.normal(0, 0.5))
        wide = rng.uniform(1.5, 7.5)
        side = 1 if rng.random() < below else -1
        if rng.random() < 0.82:
            over_ = rng.normal(0, 1.5, 2)
            y = stage.high + gap if side > 0 else -gap
            objects.ruler(
                rng,
                stage.sheet,
                over_[0],
                stage.wide * (1 if rng.random() < 0.8 else rng.uniform(0.3, 0.9)) + over_[1],
                y,
                wide,
                side,
                kind="red" if stage.shifted else None,
                like=like(stage, 0.35),
            )
        else:
            x = stage.wide + gap if side > 0 else -gap
            objects.ruler(
                rng,
                stage.sheet,
                0,
                stage.high,
                x,
                wide,
                side,
                True,
                kind="red" if stage.shifted else None,
                like=like(stage, 0.35),
            )


def sign(stage, above=False, beside=False):
    """A sign board above (or below, or beside) the box, touching it, apart from it, or partly behind."""
    rng = stage.rng
    wide = rng.uniform(0.15, 0.45) * stage.wide
    high = wide * rng.uniform(0.4, 0.9)
    gap = 0.0 if rng.random() < 0.4 else rng.normal(0, 1.5)
    x = stage.wide * rng.uniform(0.15, 0.85) if rng.random() < 0.6 else stage.wide * rng.normal(0.48, 0.04)
    y = -gap - high / 2 if above or rng.random() < 0.8 else stage.high + gap + high / 2
    if beside:
        high = min(stage.high * rng.uniform(0.5, 1.2), 40)
        wide = high * rng.uniform(0.6, 1.4)
        side = rng.random() < 0.5
        x, y = (
            (-abs(gap) - wide / 2 if side else stage.wide + abs(gap) + wide / 2),
            stage.high * rng.uniform(0.2, 0.8),
        )
    objects.sign(
        rng, stage.sheet, x, y, wide, high, float(rng.normal(0, 1.2)), "tablet" if stage.shifted else None
    )


def sign_beside(stage):
    """Held-out layout: the sign stands left or right of the box."""
    sign(stage, beside=True)


def two_rulers(stage):
    """Held-out layout: red rulers at two or three edges."""
    rulers(stage, int(stage.rng.integers(2, 4)), 0.5)


def clutter(stage):
    """Things lying about."""
    rng = stage.rng
    for _ in range(int(rng.integers(1, 5))):
        side = rng.integers(4)
        along, off = rng.uniform(-0.1, 1.1), rng.uniform(4, 20)
        x = (along * stage.wide, along * stage.wide, -off, stage.wide + off)[side]
        y = (-off, stage.high + off, along * stage.high, along * stage.high)[side]
        kind = rng.integers(4)
        if kind == 0:
            objects.boot(
                rng,
                stage.sheet,
                x,
                stage.high + 16 + off if rng.random() < 0.7 else y,
                float(rng.normal(0, 30)),
            )
        elif kind == 1:
            objects.colour_card(rng, stage.sheet, x, y, float(rng.normal(0, 15)))
        else:
            objects.tool(rng, stage.sheet, x, y, float(rng.uniform(0, 180)))
    if rng.random() < 0.5:
        rulers(stage, 1)
    if rng.random() < 0.5:
        sign(stage)


def stack(stage):
    """Boxes of the same make at one to three sides, touching or a little apart, aligned or not."""
    rng = stage.rng
    other = neighbour(stage)
    if stage.kind == "several":
        put_other(stage, beside(stage, stage.pair, stage.gap, other, 1, 0.0), other, 0.0)
        return
    sides = rng.permutation(4)[: int(rng.integers(1, 4))]
    if stage.layout == "stack":
        sides = [0, 1] if stage.wide > stage.high * 0.8 else [2, 3]
    for side in sides:
        gap = 0.0 if rng.random() < 0.3 else float(rng.gamma(1.2, 1.2))
        slip = rng.normal(0, 0.6) if rng.random() < 0.7 else rng.normal(0, 6)
        for k in range(1, 4):
            at = beside(stage, side, gap, other, k, slip)
            if seen(stage, at, other) > 0.72:
                at = slipped(stage, side, at, other)
            if at is None or not put_other(
                stage, at, other, float(rng.normal(0, 0.4)) if rng.random() < 0.6 else 0.0
            ):
                break
    if rng.random() < 0.3 and stage.layout == "neighbours":
        sign(stage, above=True)


def neighbour(stage):
    """The picture of another box of the same make (and mostly the same measures)."""
    rng = stage.rng
    other = boxes.measure(rng, stage.shifted, stage.box.length / stage.box.breadth, len(stage.box.rows))
    for name in (
        "length",
        "breadth",
        "rows",
        "ends",
        "depth",
        "core",
        "material",
        "colour",
        "texture",
        "contrast",
        "build",
        "round",
        "slat_drop",
    ):
        setattr(other, name, getattr(stage.box, name))
    if rng.random() < 0.2 and stage.kind != "several":
        other = boxes.snap(
            boxes.measure(rng, stage.shifted, stage.box.length / stage.box.breadth), stage.sheet.s
        )
    foot = np.array([other.length / 2, other.breadth / 2])
    sheet, cover, _ = rendering.draw(rng, other, stage.sheet.s, foot, stage.view.height)
    pixels = sheet.pixels
    if stage.turned:
        pixels = np.ascontiguousarray(np.rot90(pixels, -1))
        cover = None if cover is None else np.ascontiguousarray(np.rot90(cover, -1))
    return pixels, cover, np.array(pixels.shape[1::-1]) / stage.sheet.s


def beside(stage, side, gap, other, k, slip):
    """Top left corner (cm) of the k-th neighbour at a side."""
    wide, high = other[2]
    return [
        np.array([slip, -(high + gap) * k]),
        np.array([slip, stage.high + gap + (high + gap) * (k - 1)]),
        np.array([-(wide + gap) * k, slip]),
        np.array([stage.wide + gap + (wide + gap) * (k - 1), slip]),
    ][side]


def seen(stage, at, other):
    """Part of the neighbour's area that lies in the picture."""
    wide, high = other[2]
    quad = stage.view.project(np.array([at, at + (wide, 0), at + (wide, high), at + (0, high)]))
    w, h = stage.size
    area = abs(cv2.contourArea(quad))
    inside, _ = cv2.intersectConvexConvex(quad, np.float32([[0, 0], [w, 0], [w, h], [0, h]]))
    return inside / max(area, 1e-6)


def slipped(stage, side, at, other):
    """The neighbour moved along the box until it is clearly cut by the picture's border, or None."""
    along = np.array([1.0, 0]) if side in (0, 1) else np.array([0, 1.0])
    sign = stage.rng.choice([-1.0, 1.0])
    for step in (0.3, 0.5, 0.7):
        moved = at + sign * along * step * other[2]
        if seen(stage, moved, other) < 0.65:
            return moved
    return None


def put_other(stage, at, other, angle):
    """A neighbour laid on the sheet; False where it lies outside."""
    pixels, cover, (wide, high) = other
    if at[0] > stage.x1 or at[1] > stage.y1 or at[0] + wide < stage.x0 or at[1] + high < stage.y0:
        return False
    if stage.rng.random() < 0.5:
        pixels = np.ascontiguousarray(pixels[::-1, ::-1])
        cover = None if cover is None else np.ascontiguousarray(cover[::-1, ::-1])
    stage.sheet.lay(pixels, at[0] + wide / 2, at[1] + high / 2, angle, cover, shadow=0.5, reach=1.0)
    return True


# How often each of these stands there besides the layout.
EXTRAS = {table_edge: 0.12, beams: 0.06, lid: 0.05}
DRAWN = {
    "alone": alone,
    "stand": stand,
    "neighbours": stack,
    "stack": stack,
    "clutter": clutter,
    "sign beside": sign_beside,
    "two rulers": two_rulers,
}
