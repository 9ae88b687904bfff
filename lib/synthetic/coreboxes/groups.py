"""Boxes of one make in stacks, rows and grids, edge to edge or a little apart; and boxes that fill the picture."""

import copy

import cv2
import numpy as np

from lib.synthetic.coreboxes import boxes, objects, occluders
from lib.synthetic.coreboxes.composition import Composition, put, scene_of

ROWS = np.arange(1, 21)
ROW_ODDS = np.r_[
    0.05, 0.09, 0.17, 0.18, 0.14, 0.09, 0.06, 0.05, 0.04, 0.035, 0.025, 0.025, np.full(8, 0.00625)
]
DIFFERENT = (
    3  # boxes of a group drawn anew; the others are those again, turned or in another tone: drawing is dear
)


def make(rng, shifted, aspect=None, row_nb=None, least=1):
    """A box of any make with `least` to 20 rows, some of them empty, now and then with ribs or numbered core."""
    row_nb = row_nb or max(least, int(rng.choice(ROWS, p=ROW_ODDS / ROW_ODDS.sum())))
    box = boxes.measure(rng, shifted, aspect, row_nb)
    if box.build == "boards" and rng.random() < 0.3:  # more plastic and metal than in the usual world
        box = boxes.measure(rng, shifted, aspect, row_nb)
    if box.build == "tray":
        box.round = float(rng.uniform(0.3, 3.0)) if rng.random() < 0.6 else box.round
        if rng.random() < 0.4:
            box.extra["ribs"] = float(rng.uniform(1.2, 6))
    if rng.random() < 0.12:
        box.extra["numbered"] = int(rng.integers(1, 800))
    empty_rows(rng, box)
    return box


def empty_rows(rng, box):
    """Channels of the box that hold nothing, in about a third of the boxes: mostly the last ones."""
    n = len(box.rows)
    box.extra["empty"] = ()
    if rng.random() < 0.28:
        some = int(np.ceil(n * rng.random() ** 2))
        box.extra["empty"] = (
            tuple(range(n - some, n)) if rng.random() < 0.7 else tuple(rng.permutation(n)[:some])
        )


def twin(rng, box, shifted):
    """Another box of the same make and measures, with core of its own."""
    other = copy.copy(box)
    fresh = boxes.measure(rng, shifted, box.length / box.breadth, len(box.rows))
    same = rng.random() < 0.7
    other.habit = box.habit if same else fresh.habit
    other.kinds = box.kinds if same else fresh.kinds
    other.look = box.look if same else box.look | {"wet": fresh.look["wet"]}
    other.extra = {k: v for k, v in box.extra.items() if k in ("ribs", "numbered")}
    if rng.random() < 0.6:
        other.extra |= {k: v for k, v in box.extra.items() if k in ("dirt", "dirt_colour", "dusty")}
    other.colour = np.clip(box.colour * np.exp(rng.normal(0, 0.03)), 20, 245)
    empty_rows(rng, other)
    return other


def shape_of_group(rng, count, wide, high, size):
    """Columns and lines in which `count` boxes stand: shapes that suit the picture are likelier."""
    shapes = [(c, -(-count // c)) for c in range(1, count + 1)]
    shapes = [(c, r) for c, r in shapes if c * r - count < c]
    ratio = np.array([c * wide / (r * high) for c, r in shapes]) / (size[0] / size[1])
    odds = np.exp(-1.5 * np.abs(np.log(ratio))) + 0.01
    return shapes[rng.choice(len(shapes), p=odds / odds.sum())]


def frame_of_group(rng):
    """Where the group lies in the picture, as `camera.place` reads it: whole, to the border, or beyond it."""
    mode = rng.random()
    u, v = rng.uniform(0, 1, 2) if rng.random() < 0.5 else np.clip(rng.normal(0.5, 0.15, 2), 0, 1)
    if mode < 0.72:
        return u, v, float(rng.uniform(0.95, 1.02) if mode < 0.35 else rng.uniform(0.55, 0.95)), 0.0, 0.0
    if mode < 0.78:
        return u, v, float(rng.uniform(1.02, 1.12)), 0.0, 0.0
    # Beyond the border at one end only: nobody can tell where a box ends of which no end is seen.
    u, v = np.clip(np.abs(rng.integers(0, 2, 2) - rng.normal(0, 0.06, 2)), 0, 1)
    return u, v, float(rng.uniform(1.05, 1.55)), 0.0, 0.0


def gap_of(rng):
    """Room between two boxes, cm: none in half of the groups."""
    return 0.0 if rng.random() < 0.5 else float(np.clip(rng.gamma(1.2, 1.5), 0.15, 9))


def group(rng, size, shifted):
    """2 to 6, rarely 12 boxes in a stack, a row or a grid."""
    count = int(
        rng.choice(
            [2, 3, 4, 5, 6, 7, 8, 9, 10, 12], p=[0.27, 0.24, 0.17, 0.1, 0.12, 0.02, 0.03, 0.02, 0.01, 0.02]
        )
    )
    made, pixels, found = grouped(rng, size, shifted, count)
    return scene_of(made, pixels, found)


def grouped(rng, size, shifted, count):
    """The composition, pixels and truths of `count` boxes."""
    made = Composition(rng, size, shifted, "group")
    # Boxes of one row beside each other could as well be a group of trays, which counts as one box.
    box = make(rng, shifted, float(np.exp(rng.uniform(-0.1, 1.6))), least=2)
    if count * len(box.rows) > 48:
        count = max(2, 48 // len(box.rows))
    turned = rng.random() < 0.25
    wide, high = (box.breadth, box.length) if turned else (box.length, box.breadth)
    columns, lines = shape_of_group(rng, count, wide, high, size)
    gaps = gap_of(rng), gap_of(rng)
    made.aim(
        columns * wide + (columns - 1) * gaps[0],
        lines * high + (lines - 1) * gaps[1],
        frame_of_group(rng),
        box,
    )
    if rng.random() < 0.6:
        made.dress()
    lay_grid(made, box, turned, columns, lines, count, gaps)
    over_group(made)
    return made, *made.photograph()


def lay_grid(made, box, turned, columns, lines, count, gaps):
    """The boxes of a group, aligned or slipped along each other, on whole pixels of the sheet."""
    rng, s = made.rng, made.sheet.s
    boxes.snap(box, s)
    other = box
    if rng.random() < 0.15 and 1 in (columns, lines):
        other = boxes.snap(make(rng, made.shifted, box.length / box.breadth, least=2), s)
    drawn = [box]
    slip = 0.0 if rng.random() < 0.45 else rng.uniform(0.2, 1.2) if rng.random() < 0.7 else rng.uniform(2, 12)
    at, reach = np.zeros(2), 0.0
    for k in range(count):
        each = another(made, drawn, other if k % 2 else box) if k else box
        wide, high = (each.breadth, each.length) if turned else (each.length, each.breadth)
        slips = rng.normal(0, slip or 1e-9, 2) * (lines > 1 and columns == 1, lines == 1)
        angle = float(rng.normal(0, 0.35)) if min(gaps) > 0.6 and rng.random() < 0.5 else 0.0
        put(made, each, np.round((at + slips) * s) / s, turned, angle, rng.random() < 0.3)
        reach = max(reach, high)
        at = at + (wide + gaps[0], 0)
        if (k + 1) % columns == 0:
            at, reach = np.array([0.0, at[1] + reach + gaps[1]]), 0.0


def another(made, drawn, like):
    """A fresh box of the make of `like`, or once one is drawn often enough, one of those `drawn` again."""
    alike = [box for box in drawn if box.length == like.length and box.breadth == like.breadth]
    if len(alike) < DIFFERENT:
        drawn.append(twin(made.rng, like, made.shifted))
        return drawn[-1]
    return alike[made.rng.integers(len(alike))]


def over_group(made):
    """What lies over and between the boxes of a group: signs, tags, a hand, a tool."""
    rng = made.rng
    for _ in range(rng.poisson(0.5)):
        item = made.placed[rng.integers(len(made.placed))] if made.placed else None
        if item is None:
            return
        (x0, y0), (x1, y1) = item.outer.min(0), item.outer.max(0)
        at = (
            (rng.uniform(x0, x1), rng.choice([y0, y1]))
            if rng.random() < 0.7
            else (rng.choice([x0, x1]), rng.uniform(y0, y1))
        )
        wide = rng.uniform(4, 0.3 * made.box.length + 4)
        kind = "tablet" if made.shifted else None
        occluders.occlude(
            made,
            objects.sign(
                rng, made.sheet, *at, wide, wide * rng.uniform(0.3, 0.7), float(rng.normal(0, 4)), kind
            ),
        )
    for _ in range(rng.poisson(0.8)):
        x, y = rng.uniform(0, made.wide), rng.uniform(0, made.high)
        objects.tag(rng, made.sheet, x, y, rng.uniform(3, 8), rng.uniform(2, 5), float(rng.normal(0, 8)))
    if rng.random() < 0.05:
        objects.hand(
            rng,
            made.sheet,
            made.wide * rng.uniform(0, 1),
            made.high * rng.uniform(0.7, 1.05),
            np.pi / 2 + rng.normal(0, 0.5),
        )
    if rng.random() < 0.08:
        objects.tool(
            rng, made.sheet, rng.uniform(0, made.wide), rng.uniform(0, made.high), float(rng.uniform(0, 180))
        )


def stretched(made, most):
    """The view bent so that the subject's corners lie on the picture's corners or up to `most` of a side outside."""
    w, h = made.size
    outward = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * made.rng.uniform(0, most, (4, 2)) * (w, h)
    aim = np.float32(np.array([[0, 0], [w, 0], [w, h], [0, h]]) + outward)
    for _ in range(4):
        now = np.float32(made.view.project(made.corners))
        made.view.matrix = cv2.getPerspectiveTransform(now, aim).astype(float) @ made.view.matrix


def trimmed(rng, size, shifted):
    """One box, or a stack of up to three, that fills the picture to its border and beyond: all of them cut."""
    made, pixels, found = trimmed_by(rng, size, shifted, int(rng.choice([1, 2, 3], p=[0.8, 0.1, 0.1])))
    return scene_of(made, pixels, found)


def trimmed_by(rng, size, shifted, count):
    """The composition, pixels and truths of a stack of `count` boxes that fills the picture."""
    made = Composition(rng, size, shifted, "trimmed")
    turned = count == 1 and rng.random() < 0.25
    ratio = size[0] / size[1] * count
    box = make(
        rng, shifted, (1 / (size[0] / size[1] / count) if turned else ratio) * np.exp(rng.normal(0, 0.12))
    )
    thin = rng.random() < 0.5 and box.build != "boards"
    if thin:
        box.ends = (min(box.ends[0], 0.4), max(box.ends[1], box.length - 0.4))
    wide, high = (box.breadth, box.length) if turned else (box.length, box.breadth)
    made.aim(wide, high * count, (0.5, 0.5, 1.0, 0.0, 0.0), box)
    boxes.snap(box, made.sheet.s)
    wide, high = (box.breadth, box.length) if turned else (box.length, box.breadth)
    made.corners = np.array([[0, 0], [wide, 0], [wide, high * count], [0, high * count]])
    stretched(made, 0.02)
    made.stage(1.0)
    for k in range(count):
        each = twin(rng, box, shifted) if k else box
        item = put(made, each, np.array([0, high * k]), turned)
        item.cut = True
    if rng.random() < 0.4:
        over_group(made)
    return made, *made.photograph()
