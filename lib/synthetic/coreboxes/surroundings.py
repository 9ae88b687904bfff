"""Layouts: what stands beside the box, from an empty floor to a stack of other boxes."""

import cv2
import numpy as np

from lib.synthetic import textures as tx
from lib.synthetic.coreboxes import boxes, floors, objects, rendering, truths

LAYOUTS = {"alone": 0.18, "stand": 0.4, "neighbours": 0.16, "stack": 0.13, "clutter": 0.13}
HELD_OUT_LAYOUTS = ("sign beside", "two rulers")


def table_edge(builder):
    """Another floor beyond a straight line along the box: a table's or pavement's edge."""
    rng = builder.rng
    name = builder.pick(floors.FLOORS, floors.HELD_OUT_FLOORS)
    side, off = rng.integers(4), rng.gamma(1.3, 5)
    x0, y0, x1, y1 = builder.x0, builder.y0, builder.x1, builder.y1
    part = [
        (x0, y0, x1, -off),
        (x0, builder.high + off, x1, y1),
        (x0, y0, -off, y1),
        (builder.wide + off, y0, x1, y1),
    ][side]
    shape = builder.sheet.shape(*part)
    if min(shape) > 2:
        builder.sheet.fill(*part, floors.floor(rng, shape, builder.sheet.s, name))
        edge = [
            (x0, -off, x1, 0.6 - off),
            (x0, builder.high + off - 0.6, x1, builder.high + off),
            (-off, y0, 0.6 - off, y1),
            (builder.wide + off - 0.6, y0, builder.wide + off, y1),
        ][side]
        builder.sheet.shade(*edge, rng.uniform(0.4, 1.3))


def beams(builder):
    """Steel beams of a rack above and below the box."""
    rng = builder.rng
    colour = np.array([(200, 100, 40), (50, 80, 140), (130, 134, 138), (60, 62, 66)][rng.integers(4)], float)
    for side in (0, 1):
        gap, high = rng.gamma(1.2, 1.0), rng.uniform(2, 9)
        y = -gap - high if side == 0 else builder.high + gap
        shape = builder.sheet.shape(builder.x0, y, builder.x1, y + high)
        if min(shape) > 1:
            strip = tx.paint(tx.sample("scratches", rng, shape, builder.sheet.s), tx.shades(colour, 0.25))
            builder.sheet.fill(builder.x0, y, builder.x1, y + high, rendering.rolled(strip, rng.uniform(-1, 1)))


def lid(builder):
    """The box's lid lying beside it: as long, of the same make, and without core."""
    rng, b = builder.rng, builder.box
    gap, high = rng.gamma(1.0, 1.0), builder.high * rng.uniform(0.9, 1.05)
    pixels = rendering.member(
        rng, b, (builder.sheet.n(high), builder.sheet.n(builder.wide)), builder.sheet.s, tone=rng.uniform(0.8, 1.1)
    )
    t = max(1, int(rng.uniform(0.3, 2) * builder.sheet.s))
    pixels[t:-t, t:-t] = tx.gained(
        np.ascontiguousarray(pixels[t:-t, t:-t]), np.float32([[rng.uniform(0.75, 1.0)]])
    )
    y = -gap - high / 2 if rng.random() < 0.6 else builder.high + gap + high / 2
    builder.sheet.lay(
        pixels, builder.wide / 2 + rng.normal(0, 1), y, float(rng.normal(0, 0.8)), shadow=0.5, reach=1.0
    )


def alone(builder):
    """Little: now and then a ruler or a sign."""
    if builder.rng.random() < 0.4:
        rulers(builder, 1)
    if builder.rng.random() < 0.3:
        sign(builder)


def stand(builder):
    """A photo stand: a wall of planks above, a sign on it, a ruler below."""
    rng = builder.rng
    gap = 0.0 if rng.random() < 0.6 else rng.uniform(0, 2)
    inset = rng.uniform(-0.04, 0.1) * builder.wide if rng.random() < 0.75 else -builder.wide
    if rng.random() < 0.75:
        high = rng.uniform(6, 60)
        objects.wall(
            rng,
            builder.sheet,
            inset,
            builder.wide - inset * rng.uniform(0.5, 1.5),
            max(-gap - high, builder.y0),
            -gap,
            like=like(builder, 0.25),
        )
    if rng.random() < 0.3:
        objects.wall(
            rng,
            builder.sheet,
            -builder.wide * rng.uniform(0, 1),
            2 * builder.wide,
            builder.high + gap,
            builder.y1,
            battens=False,
            like=like(builder, 0.25),
        )
    if rng.random() < 0.9:
        sign(builder, above=True)
    if rng.random() < 0.85:
        rulers(builder, 1, below=0.88)


def like(builder, chance):
    """The box's colour where something beside it shall be mistaken for it, else None."""
    return builder.box.colour if builder.rng.random() < chance else None


def rulers(builder, count, below=0.6):
    """Rulers and scale bars along the edges of the box, touching it or nearly."""
    rng = builder.rng
    for _ in range(count):
        gap = 0.0 if rng.random() < 0.5 else abs(rng.normal(0, 0.5))
        wide = rng.uniform(1.5, 7.5)
        side = 1 if rng.random() < below else -1
        if rng.random() < 0.82:
            over_ = rng.normal(0, 1.5, 2)
            y = builder.high + gap if side > 0 else -gap
            objects.ruler(
                rng,
                builder.sheet,
                over_[0],
                builder.wide * (1 if rng.random() < 0.8 else rng.uniform(0.3, 0.9)) + over_[1],
                y,
                wide,
                side,
                kind="red" if builder.shifted else None,
                like=like(builder, 0.35),
            )
        else:
            x = builder.wide + gap if side > 0 else -gap
            objects.ruler(
                rng,
                builder.sheet,
                0,
                builder.high,
                x,
                wide,
                side,
                True,
                kind="red" if builder.shifted else None,
                like=like(builder, 0.35),
            )


def sign(builder, above=False, beside=False):
    """A sign board above (or below, or beside) the box, touching it, apart from it, or partly behind."""
    rng = builder.rng
    wide = rng.uniform(0.15, 0.45) * builder.wide
    high = wide * rng.uniform(0.4, 0.9)
    gap = 0.0 if rng.random() < 0.4 else rng.normal(0, 1.5)
    x = builder.wide * rng.uniform(0.15, 0.85) if rng.random() < 0.6 else builder.wide * rng.normal(0.48, 0.04)
    y = -gap - high / 2 if above or rng.random() < 0.8 else builder.high + gap + high / 2
    if beside:
        high = min(builder.high * rng.uniform(0.5, 1.2), 40)
        wide = high * rng.uniform(0.6, 1.4)
        side = rng.random() < 0.5
        x, y = (
            (-abs(gap) - wide / 2 if side else builder.wide + abs(gap) + wide / 2),
            builder.high * rng.uniform(0.2, 0.8),
        )
    objects.sign(
        rng, builder.sheet, x, y, wide, high, float(rng.normal(0, 1.2)), "tablet" if builder.shifted else None
    )


def sign_beside(builder):
    """Held-out layout: the sign stands left or right of the box."""
    sign(builder, beside=True)


def two_rulers(builder):
    """Held-out layout: red rulers at two or three edges."""
    rulers(builder, int(builder.rng.integers(2, 4)), 0.5)


def clutter(builder):
    """Things lying about."""
    rng = builder.rng
    for _ in range(int(rng.integers(1, 5))):
        side = rng.integers(4)
        along, off = rng.uniform(-0.1, 1.1), rng.uniform(4, 20)
        x = (along * builder.wide, along * builder.wide, -off, builder.wide + off)[side]
        y = (-off, builder.high + off, along * builder.high, along * builder.high)[side]
        kind = rng.integers(4)
        if kind == 0:
            objects.boot(
                rng,
                builder.sheet,
                x,
                builder.high + 16 + off if rng.random() < 0.7 else y,
                float(rng.normal(0, 30)),
            )
        elif kind == 1:
            objects.colour_card(rng, builder.sheet, x, y, float(rng.normal(0, 15)))
        else:
            objects.tool(rng, builder.sheet, x, y, float(rng.uniform(0, 180)))
    if rng.random() < 0.5:
        rulers(builder, 1)
    if rng.random() < 0.5:
        sign(builder)


def stack(builder):
    """Boxes of the same make at one to three sides, touching or a little apart, aligned or not."""
    rng = builder.rng
    other = neighbour(builder)
    if builder.kind == "several":
        put_other(builder, beside(builder, builder.pair, builder.gap, other, 1, 0.0), other, 0.0)
        return
    sides = rng.permutation(4)[: int(rng.integers(1, 4))]
    if builder.layout == "stack":
        sides = [0, 1] if builder.wide > builder.high * 0.8 else [2, 3]
    for side in sides:
        gap = 0.0 if rng.random() < 0.3 else float(rng.gamma(1.2, 1.2))
        slip = rng.normal(0, 0.6) if rng.random() < 0.7 else rng.normal(0, 6)
        for k in range(1, 4):
            at = beside(builder, side, gap, other, k, slip)
            if seen(builder, at, other) > 0.72:
                at = slipped(builder, side, at, other)
            if at is None or not put_other(
                builder, at, other, float(rng.normal(0, 0.4)) if rng.random() < 0.6 else 0.0
            ):
                break
    if rng.random() < 0.3 and builder.layout == "neighbours":
        sign(builder, above=True)


def neighbour(builder):
    """Another box of the same make (and mostly the same measures): its pixels, cover, size (cm) and measures."""
    rng = builder.rng
    other = boxes.measure(rng, builder.shifted, builder.box.length / builder.box.breadth, len(builder.box.rows))
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
        setattr(other, name, getattr(builder.box, name))
    if rng.random() < 0.2 and builder.kind != "several":
        other = boxes.snap(
            boxes.measure(rng, builder.shifted, builder.box.length / builder.box.breadth), builder.sheet.s
        )
    foot = np.array([other.length / 2, other.breadth / 2])
    sheet, cover, _ = rendering.draw(rng, other, builder.sheet.s, foot, builder.view.height)
    pixels = sheet.pixels
    if builder.turned:
        pixels = np.ascontiguousarray(np.rot90(pixels, -1))
        cover = None if cover is None else np.ascontiguousarray(np.rot90(cover, -1))
    return pixels, cover, np.array(pixels.shape[1::-1]) / builder.sheet.s, other


def beside(builder, side, gap, other, k, slip):
    """Top left corner (cm) of the k-th neighbour at a side."""
    wide, high = other[2]
    return [
        np.array([slip, -(high + gap) * k]),
        np.array([slip, builder.high + gap + (high + gap) * (k - 1)]),
        np.array([-(wide + gap) * k, slip]),
        np.array([builder.wide + gap + (wide + gap) * (k - 1), slip]),
    ][side]


def seen(builder, at, other):
    """Part of the neighbour's area that lies in the picture."""
    wide, high = other[2]
    quad = builder.view.project(np.array([at, at + (wide, 0), at + (wide, high), at + (0, high)]))
    w, h = builder.size
    area = abs(cv2.contourArea(quad))
    inside, _ = cv2.intersectConvexConvex(quad, np.float32([[0, 0], [w, 0], [w, h], [0, h]]))
    return inside / max(area, 1e-6)


def slipped(builder, side, at, other):
    """The neighbour moved along the box until it is clearly cut by the picture's border, or None."""
    along = np.array([1.0, 0]) if side in (0, 1) else np.array([0, 1.0])
    sign = builder.rng.choice([-1.0, 1.0])
    for step in (0.3, 0.5, 0.7):
        moved = at + sign * along * step * other[2]
        if seen(builder, moved, other) < 0.65:
            return moved
    return None


def put_other(builder, at, other, angle):
    """A neighbour laid on the sheet; False where it lies outside."""
    pixels, cover, (wide, high), box = other
    if at[0] > builder.x1 or at[1] > builder.y1 or at[0] + wide < builder.x0 or at[1] + high < builder.y0:
        return False
    flipped = builder.rng.random() < 0.5
    if flipped:
        pixels = np.ascontiguousarray(pixels[::-1, ::-1])
        cover = None if cover is None else np.ascontiguousarray(cover[::-1, ::-1])
    corners = builder.sheet.lay(pixels, at[0] + wide / 2, at[1] + high / 2, angle, cover, shadow=0.5, reach=1.0)
    builder.placed.append(truths.placed(box, corners, builder.turned, flipped))
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
