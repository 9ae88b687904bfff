"""One picture while it is being drawn: what is chosen, laid on the sheet, photographed and told as truth."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from lib.synthetic import light
from lib.synthetic.canvas import Sheet
from lib.synthetic.coreboxes import boxes, camera, floors, occluders, rendering, surroundings, truths


@dataclass
class Scene:
    """A drawn picture and its truth, in pixels of the upright picture.

    `boxes` holds a BoxTruth for every box of which something is seen, in reading order; the other fields tell
    of the main box.
    """

    pixels: np.ndarray
    outer: np.ndarray
    inner: np.ndarray
    row_nb: int
    rows: np.ndarray
    kind: str
    px_per_cm: float
    pieces: list = field(default_factory=list)
    tags: list = field(default_factory=list)
    hidden: np.ndarray = None
    settings: dict = field(default_factory=dict)
    boxes: list = field(default_factory=list)


class SceneBuilder:
    """Chooses, then draws: `scene` runs through everything, in the order in which it lies on the ground."""

    def __init__(self, rng, size, shifted, kind):
        self.rng, self.size, self.shifted, self.kind = rng, size, shifted, kind
        self.pick = lambda usual, held_out: str(rng.choice(list(held_out if shifted else usual)))
        held_out = light.HELD_OUT_LIGHTS
        self.light = self.pick([n for n in light.LIGHTS if n not in held_out], held_out)
        self.floor = self.pick(floors.FLOORS, floors.HELD_OUT_FLOORS)
        self.layout = (
            str(rng.choice(list(surroundings.LAYOUTS), p=list(surroundings.LAYOUTS.values())))
            if not shifted
            else self.pick((), surroundings.HELD_OUT_LAYOUTS)
        )
        if kind == "several":
            self.layout = "stack"
        if kind == "none" and self.layout in ("stack", "neighbours"):
            self.layout = "clutter"
        self.occluders = []
        self.mounted = False
        self.tags = []
        self.placed = []

    def scene(self):
        """The finished scene."""
        self.choose()
        self.look()
        self.ground()
        self.around()
        pieces = self.put_box() if self.kind != "none" else occluders.nothing(self)
        occluders.above(self)
        if self.kind in ("box", "blurred") and self.rng.random() < 0.1:
            occluders.mount(self)
        pixels, reach = self.expose()
        return self.truth(pixels, pieces, reach)

    def choose(self):
        """The box, which way its rows run, and how it stands in the frame."""
        rng, (w, h) = self.rng, self.size
        self.turned = rng.random() < (0.1 if w >= h else 0.45)
        aspect = self.aspect()
        self.box = boxes.measure(rng, self.shifted, aspect)
        b = self.box
        self.wide, self.high = (b.breadth, b.length) if self.turned else (b.length, b.breadth)
        self.corners = np.array([[0, 0], [self.wide, 0], [self.wide, self.high], [0, self.high]], float)

    def aspect(self):
        """Length over breadth of the box, or None for any; more often one that suits the picture."""
        rng, (w, h) = self.rng, self.size
        if rng.random() < 0.3:
            return None
        ratio = (h / w if self.turned else w / h) * np.exp(rng.uniform(-0.25, 1.0))
        return float(np.clip(ratio, 0.5, 5.0))

    def frame(self):
        """Where the box lies in the picture, as `camera.place` reads it."""
        rng = self.rng
        mode = rng.random()
        span = (
            1.0 + rng.uniform(-0.03, 0.012)
            if mode < 0.38
            else rng.uniform(0.62, 0.98)
            if mode < 0.88
            else rng.uniform(0.35, 0.65)
        )
        low = 0.14 if self.layout == "stand" else 0.0
        u, v = np.clip(rng.normal((0.5, 0.5 + low), 0.22), 0, 1)
        if self.kind == "several":
            return u, v, rng.uniform(0.55, 0.97), 0.0, 0.0
        if self.kind == "cut":
            return _cut_frame(self)
        return u, v, span, 0.0, 0.0

    def subject(self):
        """The rectangle (cm) the camera is pointed at: the box, or the box and its neighbour."""
        if self.kind != "several":
            return self.corners
        gap = self.gap = float(self.rng.gamma(1.2, 1.5))
        self.pair = int(self.rng.integers(0, 2)) + (0 if self.wide > self.high * 0.8 else 2)
        step = np.array(
            [[0, -self.high - gap], [0, self.high + gap], [-self.wide - gap, 0], [self.wide + gap, 0]]
        )[self.pair]
        both = np.concatenate([self.corners, self.corners + step])
        (x0, y0), (x1, y1) = both.min(0), both.max(0)
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])

    def look(self):
        """The view, the sheet's scale, and the box's measures rounded to whole sheet pixels."""
        frame = self.frame()
        self.view = camera.place(self.rng, self.subject(), self.size, frame)
        s, low, high = extent(self.view, self.corners, frame[2])
        boxes.snap(self.box, s)
        b = self.box
        self.wide, self.high = (b.breadth, b.length) if self.turned else (b.length, b.breadth)
        self.corners = np.array([[0, 0], [self.wide, 0], [self.wide, self.high], [0, self.high]], float)
        open_sheet(self, s, low, high)

    def ground(self):
        """The floor, now and then in the colour of the box."""
        self.sheet.pixels[:] = floors.floor(self.rng, self.sheet.pixels.shape[:2], self.sheet.s, self.floor)
        if self.rng.random() < 0.1:
            same = rendering.member(self.rng, self.box, self.sheet.pixels.shape[:2], self.sheet.s)
            self.sheet.pixels[:] = cv2.addWeighted(same, 0.75, self.sheet.pixels, 0.25, 0)

    def around(self):
        """What the layout sets beside the box, over edges of tables, beams of racks and lids."""
        for thing, chance in surroundings.EXTRAS.items():
            if self.rng.random() < chance and not (self.kind == "none" and thing is surroundings.lid):
                thing(self)
        surroundings.DRAWN[self.layout](self)

    def put_box(self):
        """The box drawn onto the sheet; gives its pieces in plane coordinates."""
        rng, b = self.rng, self.box
        foot = self.to_box(self.view.foot)
        sheet, cover, pieces = rendering.draw(rng, b, self.sheet.s, foot, self.view.height)
        pixels = np.ascontiguousarray(np.rot90(sheet.pixels, -1)) if self.turned else sheet.pixels
        if cover is not None and self.turned:
            cover = np.ascontiguousarray(np.rot90(cover, -1))
        self.side_wall()
        corners = self.sheet.lay(
            pixels,
            self.wide / 2,
            self.high / 2,
            0.0,
            cover,
            shadow=rng.uniform(0.2, 0.8),
            reach=rng.uniform(0.3, 2.5),
        )
        self.placed.append(truths.placed(b, corners, self.turned))
        return pieces

    def side_wall(self):
        """Outer walls that an oblique view shows beyond the rim."""
        low = self.view.sink(self.corners, self.box.depth + 1)
        if (low[0] < 0).any() or (low[2] > (self.wide, self.high)).any():
            for k in range(4):
                quad = np.array([self.corners[k], self.corners[(k + 1) % 4], low[(k + 1) % 4], low[k]])
                self.sheet.polygon(quad, self.box.colour * self.rng.uniform(0.35, 0.8))

    def to_box(self, point):
        """A plane point in the box's own coordinates."""
        x, y = point
        return np.array([y, self.box.breadth - x]) if self.turned else np.array([x, y])

    def to_plane(self, points):
        """Points in the box's own coordinates on the plane."""
        p = np.asarray(points, float)
        return np.stack([self.box.breadth - p[..., 1], p[..., 0]], -1) if self.turned else p

    def expose(self):
        """The sheet photographed: lens, light, shadows, blur, noise."""
        rng = self.rng
        pixels = camera.photograph(self.view, self.sheet.pixels, self.low, self.sheet.s)
        h, w = pixels.shape[:2]
        gain = light.illumination(rng, self.light, self.size)
        pixels = light.lit(pixels, gain)
        chance = {"sun": 0.6, "bright": 0.3}.get(self.light, 0.1)
        if rng.random() < chance:
            k = min(1.0, 320 / w)
            shade = light.shadows(rng, (max(8, int(h * k)), max(8, int(w * k))))
            pixels = cv2.multiply(pixels, cv2.merge([cv2.resize(shade, (w, h))] * 3), scale=1 / 255)
        pixels = light.expose(rng, pixels, self.light)
        pixels, reach = light.blur(rng, pixels, self.kind == "blurred")
        pixels = light.develop(rng, pixels, self.light in ("dim", "blue hour"))
        if rng.random() < 0.04:
            light.stamp(rng, pixels)
        return pixels, reach

    def truth(self, pixels, pieces, reach):
        """The scene with everything projected into the picture."""
        b, view = self.box, self.view
        settings = {
            "material": b.material,
            "build": b.build,
            "floor": self.floor,
            "light": self.light,
            "layout": self.layout,
            "habit": b.habit,
            "rocks": [k["name"] for k in b.kinds],
            "vertical": bool(self.turned),
            "wet": round(b.look["wet"], 3),
            "halved": bool(b.look["halved"]),
            "core_cm": b.core,
            "length_cm": round(b.length, 3),
            "breadth_cm": round(b.breadth, 3),
            "blur_px": round(float(reach), 2),
            "shifted": self.shifted,
            "mounted": self.mounted,
            "camera": view.settings,
        }
        nothing = self.kind == "none"
        row_nb = 0 if nothing else len(b.rows)
        quad = np.full((4, 2), np.nan, np.float32)
        outer = quad if nothing else _by_position(self, view.project(self.to_plane(b.outer())))
        inner = quad.copy() if nothing else _by_position(self, view.project(self.to_plane(b.inner())))
        rows = np.zeros((0, 4, 2), np.float32) if nothing else view.project(self.to_plane(b.row_polygons()))
        order = slice(None)
        if self.turned and not nothing:
            rows, order = _by_position(self, rows[::-1]), slice(None, None, -1)
        numbers = np.arange(row_nb)[order]
        told = [
            p | {"polygon": q, "row": int(numbers[p["row"]])}
            for p, q in zip(pieces, _pictured(self, pieces), strict=True)
        ]
        hidden = np.zeros(4, bool)
        tags = [view.project(t) for t in self.tags]
        if not nothing:
            covers = [view.project(t) for t in self.occluders]
            hidden = np.array(
                [any(cv2.pointPolygonTest(c, tuple(map(float, p)), False) > 0 for c in covers) for p in outer]
            )
        area = 0 if nothing else abs(cv2.contourArea(outer))
        scale = (
            float(np.sqrt(area / (b.length * b.breadth))) if area else float(view.scale(self.corners).mean())
        )
        return Scene(
            pixels,
            outer,
            inner,
            row_nb,
            rows.astype(np.float32),
            self.kind,
            scale,
            told,
            tags,
            hidden,
            settings,
            truths.seen(self.placed, view.project, self.size),
        )


def extent(view, corners, span):
    """Scale (px a cm) of the sheet that shows the rectangle of plane corners, and its corners `low`, `high` (cm)."""
    s = float(view.scale(corners).max())
    w, h = view.size
    grid = np.stack(np.meshgrid(np.linspace(0, w, 9), np.linspace(0, h, 9)), -1).reshape(-1, 2)
    seen = view.unproject(grid)
    reach = 2.2 * np.ptp(corners, axis=0).max() * max(1.0, 1 / span)
    low = np.maximum(seen.min(0), corners[0] - reach) - 1
    high = np.minimum(seen.max(0), corners[2] + reach) + 1
    return min(s, np.sqrt(2.1 * w * h / np.prod(high - low))), low, high


def open_sheet(builder, s, low, high):
    """An empty sheet of s px a cm from `low` to `high`; the plane's origin lies on a whole pixel of it."""
    builder.low = np.floor(low * s) / s
    n = np.ceil((high - builder.low) * s).astype(int)
    builder.sheet = Sheet(np.empty((n[1], n[0], 3), np.uint8), s, builder.low)
    builder.x0, builder.y0 = builder.low
    builder.x1, builder.y1 = builder.low + n / s


def _cut_frame(builder):
    """A frame that leaves 8 % of the longer side or more outside at one border, now and then at two."""
    rng = builder.rng
    u, v = rng.choice([0.0, 1.0], 2)
    least = 0.08 * max(builder.wide, builder.high) / np.array([builder.wide, builder.high])
    dx, dy = np.minimum(rng.uniform(least, np.maximum(0.45, 1.2 * least)), 0.6) * [2 * u - 1, 2 * v - 1]
    if rng.random() < 0.85:
        if rng.random() < (0.3 if builder.turned else 0.7):
            v, dy = rng.uniform(0.2, 0.8), 0.0
        else:
            u, dx = rng.uniform(0.2, 0.8), 0.0
    return u, v, rng.uniform(0.7, 1.15), dx, dy


def _pictured(builder, pieces):
    """The pieces' outlines in the picture, all projected at once."""
    if not pieces:
        return []
    points = builder.view.project(builder.to_plane(np.concatenate([p["polygon"] for p in pieces])))
    return np.split(points, np.cumsum([len(p["polygon"]) for p in pieces])[:-1])


def _by_position(builder, quads):
    """Corners of box order in picture order: a turned box's own top left lies top right."""
    return np.roll(quads, 1, axis=-2) if builder.turned else quads
