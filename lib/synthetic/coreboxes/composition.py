"""A picture of things laid anywhere: boxes at any place of the plane, their surroundings, the photograph, the truth."""

import numpy as np

from lib.synthetic import textures as tx
from lib.synthetic.coreboxes import camera, rendering, scene_builder, slabs, surroundings, truths
from lib.synthetic.coreboxes.marks import marks


class Composition(scene_builder.SceneBuilder):
    """A scene builder whose subject is a rectangle of the plane from (0, 0) to `corners[2]` (cm), and not one box."""

    def __init__(self, rng, size, shifted, name):
        super().__init__(rng, size, shifted, "box")
        self.name, self.layout, self.turned = name, "alone", False
        self.drawn, self.paper = {}, None

    def aim(self, wide, high, frame, like):
        """The view of a subject `wide` by `high` cm and an empty floor; `like` is a box of the make shown."""
        self.wide, self.high, self.box = wide, high, like
        self.corners = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], float)
        self.view = camera.place(self.rng, self.corners, self.size, frame)
        self.stage(frame[2])

    def stage(self, span):
        """An empty floor as the view asks for it."""
        s, low, high = scene_builder.extent(self.view, self.corners, span)
        scene_builder.open_sheet(self, s, low, high)
        self.ground()

    def ground(self):
        """The floor, or the paper on which the thing is photographed."""
        if self.paper is None:
            super().ground()
        else:
            self.sheet.pixels[:] = self.paper

    def dress(self, chance=0.75):
        """Things beside the subject: edges of tables, signs, rulers, walls, clutter."""
        rng = self.rng
        if rng.random() < 0.15:
            surroundings.table_edge(self)
        if rng.random() < chance:
            name = str(rng.choice(["alone", "stand", "clutter"], p=[0.35, 0.4, 0.25]))
            surroundings.DRAWN[self.pick((name,), surroundings.HELD_OUT_LAYOUTS)](self)

    def photograph(self):
        """The picture's pixels and the truths of the boxes seen in it; a few are blurred, or edited by hand."""
        if self.rng.random() < 0.02:
            self.kind = "blurred"
        pixels, _ = self.expose()
        if self.name in ("group", "trays"):
            pixels = edited(self, pixels)
        return pixels, truths.seen(self.placed, self.view.project, self.size)

    def finished(self):
        """The photograph as a scene."""
        return scene_of(self, *self.photograph())


def scene_of(builder, pixels, boxes):
    """The scene of these pixels and boxes; its other fields tell of the largest box that is not cut."""
    whole = [box for box in boxes if not box.cut] or boxes
    main = max(whole, key=lambda box: abs(float(np.prod(np.ptp(box.outer, axis=0)))), default=None)
    kind = (
        "none"
        if main is None
        else "blurred"
        if builder.kind == "blurred"
        else "several"
        if len(boxes) > 1
        else "cut"
        if main.cut
        else "box"
    )
    nothing = np.full((4, 2), np.nan, np.float32)
    settings = {
        "layout": builder.name,
        "floor": builder.floor,
        "light": builder.light,
        "material": builder.box.material,
        "vertical": main is not None and main.rows_run == "vertical",
        "shifted": builder.shifted,
        "mounted": builder.mounted,
    }
    return scene_builder.Scene(
        pixels,
        nothing if main is None else main.outer,
        nothing.copy() if main is None else main.inner,
        0 if main is None else main.row_nb,
        np.zeros((0, 4, 2), np.float32) if main is None else main.rows,
        kind,
        float(builder.view.scale(builder.corners).mean()),
        hidden=np.zeros(4, bool),
        settings=settings,
        boxes=boxes,
    )


def edited(builder, pixels):
    """The photograph under a black lamp, or with everything about the boxes made white: one in fifteen."""
    rng, chance = builder.rng, builder.rng.random()
    if chance < 0.025:
        return slabs.ultraviolet(rng, pixels)
    if chance < 0.065 and builder.placed:
        mask = np.zeros(pixels.shape[:2], np.uint8)
        t = np.linspace(0, 1, 17)[:-1, None]
        for item in builder.placed:
            ring = np.concatenate(
                [a + (b - a) * t for a, b in zip(item.outer, np.roll(item.outer, -1, 0), strict=True)]
            )
            truths.paint(mask, [builder.view.project(ring)], 255)
        pixels = pixels.copy()
        pixels[mask == 0] = 255 if rng.random() < 0.8 else 0
    return pixels


def seen_part(builder, at, size):
    """Whether anything of a rectangle (top left and size, cm) lies on the sheet."""
    return bool(
        at[0] < builder.x1
        and at[1] < builder.y1
        and at[0] + size[0] > builder.x0
        and at[1] + size[1] > builder.y0
    )


def put(builder, box, at, turned=False, angle=0.0, flipped=False):
    """A box drawn with its top left corner at `at` (cm), remembered, and given as it was remembered, or None."""
    rng = builder.rng
    size = np.array([box.breadth, box.length] if turned else [box.length, box.breadth])
    if not seen_part(builder, at, size):
        return None
    x, y = builder.view.foot - at
    foot = np.array([y, box.breadth - x]) if turned else np.array([x, y])
    foot = np.array([box.length, box.breadth]) - foot if flipped else foot
    pixels, cover = drawing(builder, box, foot)
    quarters = -int(turned) + 2 * int(flipped)
    pixels = np.ascontiguousarray(np.rot90(pixels, quarters))
    cover = None if cover is None else np.ascontiguousarray(np.rot90(cover, quarters))
    walls(builder, box, at, size)
    middle = np.asarray(at) + size / 2
    corners = builder.sheet.lay(pixels, *middle, angle, cover, rng.uniform(0.2, 0.7), rng.uniform(0.3, 2.0))
    builder.placed.append(truths.placed(box, corners, turned, flipped))
    return builder.placed[-1]


def drawing(builder, box, foot):
    """Pixels and cover of a box seen from above `foot`; drawn once, and in another tone when asked for again."""
    rng = builder.rng
    if id(box) in builder.drawn:
        pixels, cover, _ = builder.drawn[id(box)]
        return tx.gained(pixels, np.float32([[np.exp(rng.normal(0, 0.08))]])), cover
    sheet, cover, pieces = rendering.draw(rng, box, builder.sheet.s, foot, builder.view.height)
    marks(rng, sheet, box, pieces)
    builder.drawn[id(box)] = sheet.pixels, cover, box  # held, so that no other box gets its id
    return sheet.pixels, cover


def walls(builder, box, at, size):
    """Outer walls of a box that an oblique view shows beyond its rim."""
    corners = np.asarray(at) + np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size
    low = builder.view.sink(corners, box.depth + 1)
    for k, beyond in enumerate(
        (low[0, 1] < at[1], low[1, 0] > corners[1, 0], low[2, 1] > corners[2, 1], low[3, 0] < at[0])
    ):
        if beyond:
            quad = np.array([corners[k], corners[(k + 1) % 4], low[(k + 1) % 4], low[k]])
            builder.sheet.polygon(quad, box.colour * builder.rng.uniform(0.35, 0.8))
