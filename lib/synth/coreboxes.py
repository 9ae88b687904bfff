"""Pictures of core boxes whose corners, rows and pieces are known exactly.

Picture coordinates are continuous: x = 0 is the left edge of the first pixel column, so the picture spans 0..W and
0..H and a pixel's centre lies at half numbers. Corners run TL, TR, BR, BL by position in the upright picture. The
outer corners are where the lines of the frame's outer edges meet at the rim, also where the corner itself is
rounded, broken or hidden. Rows are channels of the box, filled or empty.
"""

import io
from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import Image

from lib.synth import boxes, camera, rocks, scenery
from lib.synth import textures as tx
from lib.synth.canvas import Sheet

KINDS = {"box": 0.86, "none": 0.05, "cut": 0.04, "several": 0.03, "blurred": 0.02}
LAYOUTS = {"alone": 0.18, "stand": 0.4, "neighbours": 0.16, "stack": 0.13, "clutter": 0.13}
HELD_LAYOUTS = ("sign beside", "two rulers")


@dataclass
class Scene:
    """A drawn picture and its truth, in pixels of the upright picture."""

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


def draw(seed, size=(640, 480), shifted=False, kind=None):
    """The scene of a seed: a picture of `size` (width, height) and its exact truth.

    `kind` None draws the natural mix of KINDS; `shifted` draws a world of materials, rocks, lights, floors and
    layouts that the default never shows. The same arguments give the same bytes.
    """
    if kind not in (None, *KINDS):
        raise ValueError(f"kind is one of {', '.join(KINDS)}, not {kind!r}")
    rng = np.random.default_rng([int(seed), int(bool(shifted)), size[0], size[1], *(kind or "").encode()])
    kind = kind or str(rng.choice(list(KINDS), p=list(KINDS.values())))
    return Stage(rng, tuple(int(v) for v in size), bool(shifted), kind).scene()


class Stage:
    """One picture while it is being drawn."""

    def __init__(self, rng, size, shifted, kind):
        self.rng, self.size, self.shifted, self.kind = rng, size, shifted, kind
        self.pick = lambda usual, held: str(rng.choice(list(held if shifted else usual)))
        held = camera.HELD_LIGHTS
        self.light = self.pick([n for n in camera.LIGHTS if n not in held], held)
        self.floor = self.pick(scenery.FLOORS, scenery.HELD_FLOORS)
        self.layout = str(rng.choice(list(LAYOUTS), p=list(LAYOUTS.values()))) if not shifted else self.pick((), HELD_LAYOUTS)
        if kind == "several":
            self.layout = "stack"
        self.occluders = []
        self.mounted = False
        self.tags = []

    def scene(self):
        """The finished scene."""
        self.choose()
        self.look()
        self.ground()
        self.around()
        pieces = self.put_box() if self.kind != "none" else self.nothing()
        self.above()
        if self.kind in ("box", "blurred") and self.rng.random() < 0.1:
            self.mount()
        pixels, reach = self.expose()
        return self.truth(pixels, pieces, reach)

    # What is drawn, and from where

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
        span = 1.0 + rng.uniform(-0.03, 0.012) if mode < 0.38 else rng.uniform(0.62, 0.98) if mode < 0.88 else rng.uniform(0.35, 0.65)
        low = 0.14 if self.layout == "stand" else 0.0
        u, v = np.clip(rng.normal((0.5, 0.5 + low), 0.22), 0, 1)
        if self.kind == "several":
            return u, v, rng.uniform(0.55, 0.97), 0.0, 0.0
        if self.kind == "cut":
            return self.cut_frame()
        return u, v, span, 0.0, 0.0

    def cut_frame(self):
        """A frame that leaves at least 8 % of the box's longer side outside at one side, now and then at two."""
        rng = self.rng
        u, v = rng.choice([0.0, 1.0], 2)
        least = 0.08 * max(self.wide, self.high) / np.array([self.wide, self.high])
        dx, dy = np.minimum(rng.uniform(least, np.maximum(0.45, 1.2 * least)), 0.6) * [2 * u - 1, 2 * v - 1]
        if rng.random() < 0.85:
            if rng.random() < (0.3 if self.turned else 0.7):
                v, dy = rng.uniform(0.2, 0.8), 0.0
            else:
                u, dx = rng.uniform(0.2, 0.8), 0.0
        return u, v, rng.uniform(0.7, 1.15), dx, dy

    def subject(self):
        """The rectangle (cm) the camera is pointed at: the box, or the box and its neighbour."""
        if self.kind != "several":
            return self.corners
        gap = self.gap = float(self.rng.gamma(1.2, 1.5))
        self.pair = int(self.rng.integers(0, 2)) + (0 if self.wide > self.high * 0.8 else 2)
        step = np.array([[0, -self.high - gap], [0, self.high + gap], [-self.wide - gap, 0], [self.wide + gap, 0]])[self.pair]
        both = np.concatenate([self.corners, self.corners + step])
        (x0, y0), (x1, y1) = both.min(0), both.max(0)
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])

    def look(self):
        """The view, the sheet's scale, and the box's measures rounded to whole sheet pixels."""
        frame = self.frame()
        self.view = camera.place(self.rng, self.subject(), self.size, frame)
        s = float(self.view.scale(self.corners).max())
        w, h = self.size
        grid = np.stack(np.meshgrid(np.linspace(0, w, 9), np.linspace(0, h, 9)), -1).reshape(-1, 2)
        seen = self.view.unproject(grid)
        reach = 1.2 * max(self.wide, self.high) * max(1.0, 1 / frame[2])
        low = np.maximum(seen.min(0), self.corners[0] - reach) - 1
        high = np.minimum(seen.max(0), self.corners[2] + reach) + 1
        s = min(s, np.sqrt(2.1 * w * h / np.prod(high - low)))
        boxes.snap(self.box, s)
        b = self.box
        self.wide, self.high = (b.breadth, b.length) if self.turned else (b.length, b.breadth)
        self.corners = np.array([[0, 0], [self.wide, 0], [self.wide, self.high], [0, self.high]], float)
        # The box's own corner must lie on a whole pixel of the sheet.
        self.low = np.floor(low * s) / s
        n = np.ceil((high - self.low) * s).astype(int)
        self.sheet = Sheet(np.empty((n[1], n[0], 3), np.uint8), s, self.low)
        self.x0, self.y0 = self.low
        self.x1, self.y1 = self.low + n / s

    # The surroundings

    def ground(self):
        """The floor, now and then in the colour of the box."""
        self.sheet.pixels[:] = scenery.floor(self.rng, self.sheet.pixels.shape[:2], self.sheet.s, self.floor)
        if self.rng.random() < 0.1:
            same = boxes.member(self.rng, self.box, self.sheet.pixels.shape[:2], self.sheet.s)
            self.sheet.pixels[:] = cv2.addWeighted(same, 0.75, self.sheet.pixels, 0.25, 0)

    def around(self):
        """What the layout sets beside the box."""
        {"alone": self.alone, "stand": self.stand, "neighbours": self.neighbours, "stack": self.stack, "clutter": self.clutter,
         "sign beside": self.sign_beside, "two rulers": self.two_rulers}[self.layout]()

    def alone(self):
        """Little: now and then a ruler or a sign."""
        if self.rng.random() < 0.4:
            self.rulers(1)
        if self.rng.random() < 0.3:
            self.sign()

    def stand(self):
        """A photo stand: a wall of planks above, a sign on it, a ruler below."""
        rng = self.rng
        gap = 0.0 if rng.random() < 0.6 else rng.uniform(0, 2)
        inset = rng.uniform(-0.04, 0.1) * self.wide if rng.random() < 0.75 else -self.wide
        if rng.random() < 0.75:
            high = rng.uniform(6, 60)
            scenery.wall(rng, self.sheet, inset, self.wide - inset * rng.uniform(0.5, 1.5), max(-gap - high, self.y0), -gap, like=self.like(0.25))
        if rng.random() < 0.3:
            scenery.wall(rng, self.sheet, -self.wide * rng.uniform(0, 1), 2 * self.wide, self.high + gap, self.y1, battens=False, like=self.like(0.25))
        if rng.random() < 0.9:
            self.sign(above=True)
        if rng.random() < 0.85:
            self.rulers(1, below=0.88)

    def like(self, chance):
        """The box's colour where something beside it shall be mistaken for it, else None."""
        return self.box.colour if self.rng.random() < chance else None

    def rulers(self, count, below=0.6):
        """Rulers and scale bars along the edges of the box, touching it or nearly."""
        rng = self.rng
        for _ in range(count):
            gap = 0.0 if rng.random() < 0.5 else abs(rng.normal(0, 0.5))
            wide = rng.uniform(1.5, 7.5)
            side = 1 if rng.random() < below else -1
            if rng.random() < 0.82:
                over_ = rng.normal(0, 1.5, 2)
                y = self.high + gap if side > 0 else -gap
                scenery.ruler(rng, self.sheet, over_[0], self.wide * (1 if rng.random() < 0.8 else rng.uniform(0.3, 0.9)) + over_[1], y, wide, side,
                              kind="red" if self.shifted else None, like=self.like(0.35))
            else:
                x = self.wide + gap if side > 0 else -gap
                scenery.ruler(rng, self.sheet, 0, self.high, x, wide, side, True, kind="red" if self.shifted else None, like=self.like(0.35))

    def sign(self, above=False, beside=False):
        """A sign board above (or below, or beside) the box, touching it, apart from it, or partly behind."""
        rng = self.rng
        wide = rng.uniform(0.15, 0.45) * self.wide
        high = wide * rng.uniform(0.4, 0.9)
        gap = 0.0 if rng.random() < 0.4 else rng.normal(0, 1.5)
        x = self.wide * rng.uniform(0.15, 0.85) if rng.random() < 0.6 else self.wide * rng.normal(0.48, 0.04)
        y = -gap - high / 2 if above or rng.random() < 0.8 else self.high + gap + high / 2
        if beside:
            high = min(self.high * rng.uniform(0.5, 1.2), 40)
            wide = high * rng.uniform(0.6, 1.4)
            side = rng.random() < 0.5
            x, y = (-abs(gap) - wide / 2 if side else self.wide + abs(gap) + wide / 2), self.high * rng.uniform(0.2, 0.8)
        scenery.sign(rng, self.sheet, x, y, wide, high, float(rng.normal(0, 1.2)), "tablet" if self.shifted else None)

    def sign_beside(self):
        """Held-out layout: the sign stands left or right of the box."""
        self.sign(beside=True)

    def two_rulers(self):
        """Held-out layout: red rulers at two or three edges."""
        self.rulers(int(self.rng.integers(2, 4)), 0.5)

    def clutter(self):
        """Things lying about."""
        rng = self.rng
        for _ in range(int(rng.integers(1, 5))):
            side = rng.integers(4)
            along, off = rng.uniform(-0.1, 1.1), rng.uniform(4, 20)
            x = (along * self.wide, along * self.wide, -off, self.wide + off)[side]
            y = (-off, self.high + off, along * self.high, along * self.high)[side]
            kind = rng.integers(4)
            if kind == 0:
                scenery.boot(rng, self.sheet, x, self.high + 16 + off if rng.random() < 0.7 else y, float(rng.normal(0, 30)))
            elif kind == 1:
                scenery.colour_card(rng, self.sheet, x, y, float(rng.normal(0, 15)))
            else:
                scenery.tool(rng, self.sheet, x, y, float(rng.uniform(0, 180)))
        if rng.random() < 0.5:
            self.rulers(1)
        if rng.random() < 0.5:
            self.sign()

    def neighbours(self):
        """Other boxes above and below or beside, never whole in the picture unless `several` are wanted."""
        self.stack()

    def stack(self):
        """Boxes of the same make at one to three sides, touching or a little apart, aligned or not."""
        rng = self.rng
        other = self.neighbour()
        if self.kind == "several":
            self.put_other(self.beside(self.pair, self.gap, other, 1, 0.0), other, 0.0)
            return
        sides = rng.permutation(4)[: int(rng.integers(1, 4))]
        if self.layout == "stack":
            sides = [0, 1] if self.wide > self.high * 0.8 else [2, 3]
        for side in sides:
            gap = 0.0 if rng.random() < 0.3 else float(rng.gamma(1.2, 1.2))
            slip = rng.normal(0, 0.6) if rng.random() < 0.7 else rng.normal(0, 6)
            for k in range(1, 4):
                at = self.beside(side, gap, other, k, slip)
                if self.seen(at, other) > 0.72:
                    at = self.slipped(side, at, other)
                if at is None or not self.put_other(at, other, float(rng.normal(0, 0.4)) if rng.random() < 0.6 else 0.0):
                    break
        if rng.random() < 0.3 and self.layout == "neighbours":
            self.sign(above=True)

    def neighbour(self):
        """The picture of another box of the same make (and mostly the same measures)."""
        rng = self.rng
        other = boxes.measure(rng, self.shifted, self.box.length / self.box.breadth, len(self.box.rows))
        for name in ("length", "breadth", "rows", "ends", "depth", "core", "material", "colour", "texture", "contrast", "build", "round", "slat_drop"):
            setattr(other, name, getattr(self.box, name))
        if rng.random() < 0.2 and self.kind != "several":
            other = boxes.snap(boxes.measure(rng, self.shifted, self.box.length / self.box.breadth), self.sheet.s)
        foot = np.array([other.length / 2, other.breadth / 2])
        sheet, cover, _ = boxes.draw(rng, other, self.sheet.s, foot, self.view.height)
        pixels = sheet.pixels
        if self.turned:
            pixels = np.ascontiguousarray(np.rot90(pixels, -1))
            cover = None if cover is None else np.ascontiguousarray(np.rot90(cover, -1))
        return pixels, cover, np.array(pixels.shape[1::-1]) / self.sheet.s

    def beside(self, side, gap, other, k, slip):
        """Top left corner (cm) of the k-th neighbour at a side."""
        wide, high = other[2]
        return [np.array([slip, -(high + gap) * k]), np.array([slip, self.high + gap + (high + gap) * (k - 1)]),
                np.array([-(wide + gap) * k, slip]), np.array([self.wide + gap + (wide + gap) * (k - 1), slip])][side]

    def seen(self, at, other):
        """Part of the neighbour's area that lies in the picture."""
        wide, high = other[2]
        quad = self.view.project(np.array([at, at + (wide, 0), at + (wide, high), at + (0, high)]))
        w, h = self.size
        area = abs(cv2.contourArea(quad))
        inside, _ = cv2.intersectConvexConvex(quad, np.float32([[0, 0], [w, 0], [w, h], [0, h]]))
        return inside / max(area, 1e-6)

    def slipped(self, side, at, other):
        """The neighbour moved along the box until it is clearly cut by the picture's border, or None."""
        along = np.array([1.0, 0]) if side in (0, 1) else np.array([0, 1.0])
        sign = self.rng.choice([-1.0, 1.0])
        for step in (0.3, 0.5, 0.7):
            moved = at + sign * along * step * other[2]
            if self.seen(moved, other) < 0.65:
                return moved
        return None

    def put_other(self, at, other, angle):
        """A neighbour laid on the sheet; False where it lies outside."""
        pixels, cover, (wide, high) = other
        if at[0] > self.x1 or at[1] > self.y1 or at[0] + wide < self.x0 or at[1] + high < self.y0:
            return False
        if self.rng.random() < 0.5:
            pixels = np.ascontiguousarray(pixels[::-1, ::-1])
            cover = None if cover is None else np.ascontiguousarray(cover[::-1, ::-1])
        self.sheet.lay(pixels, at[0] + wide / 2, at[1] + high / 2, angle, cover, shadow=0.5, reach=1.0)
        return True

    # The box

    def put_box(self):
        """The box drawn onto the sheet; gives its pieces in plane coordinates."""
        rng, b = self.rng, self.box
        foot = self.to_box(self.view.foot)
        sheet, cover, pieces = boxes.draw(rng, b, self.sheet.s, foot, self.view.height)
        pixels = np.ascontiguousarray(np.rot90(sheet.pixels, -1)) if self.turned else sheet.pixels
        if cover is not None and self.turned:
            cover = np.ascontiguousarray(np.rot90(cover, -1))
        self.side_wall()
        self.sheet.lay(pixels, self.wide / 2, self.high / 2, 0.0, cover, shadow=rng.uniform(0.2, 0.8), reach=rng.uniform(0.3, 2.5))
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

    def nothing(self):
        """A picture without a box: loose core, rubble, walls, boards and tools on the same floors."""
        rng, b = self.rng, self.box
        if rng.random() < 0.3:
            scenery.wall(rng, self.sheet, self.x0, self.x1, self.y0, rng.uniform(self.y0, self.y1))
        if rng.random() < 0.5:
            for _ in range(int(rng.integers(1, 3))):
                self.clutter()
        for _ in range(int(rng.integers(0, 5)) if rng.random() < 0.5 else 0):
            x, y = rng.uniform(self.x0, self.x1), rng.uniform(self.y0, self.y1)
            if rng.random() < 0.5:
                rocks.whole(rng, self.sheet, b.kinds[0], x, x + rng.uniform(8, 40), y, b.core, "broken", b.look)
            else:
                for _ in range(int(rng.integers(2, 12))):
                    rocks.chunk(rng, self.sheet, b.kinds[0], *(np.array([x, y]) + rng.normal(0, 9, 2)), rng.uniform(1, 6), b.look)
        return []

    def above(self):
        """What lies over the box: tags, signs, hands, cables; and which corners it hides."""
        rng = self.rng
        if self.kind == "none":
            return
        if rng.random() < 0.5:
            self.paper_tags()
        if rng.random() < 0.12:
            k = rng.integers(4)
            x, y = self.corners[k] + rng.normal(0, 1.5, 2)
            self.occlude(scenery.tag(rng, self.sheet, x, y, rng.uniform(3, 9), rng.uniform(2.5, 7), float(rng.normal(0, 15))))
        if rng.random() < 0.05:
            high = rng.uniform(0.2, 0.5) * self.high
            self.occlude(scenery.sign(rng, self.sheet, self.wide * rng.uniform(0, 1), rng.choice([0, self.high]), high * 1.4, high,
                                      float(rng.normal(0, 8)), "tablet" if self.shifted else None))
        if rng.random() < 0.05:
            t = np.pi / 2 + rng.normal(0, 0.6)
            x, y = self.wide * rng.uniform(0, 1), self.high * rng.uniform(0.6, 1.05)
            scenery.hand(rng, self.sheet, x, y, t)
            self.occluders.append(np.array([[x - 7, y - 7], [x + 7, y - 7], [x + 7, y + 60], [x - 7, y + 60]]))
        if rng.random() < 0.05:
            scenery.tool(rng, self.sheet, self.wide * rng.uniform(0, 1), self.high * rng.choice([0.0, 0.5, 1.0]), float(rng.uniform(0, 180)))

    def mount(self):
        """The photograph shown in another picture: cut close around the box, laid on a page or on other pictures."""
        rng = self.rng
        left, right = np.clip(rng.normal(0.4, 0.6, 2), -0.25, 6) * 0.01 * self.wide
        up, down = rng.uniform(0.0, 0.9, 2) * self.high
        ys, xs = self.sheet.cut(-left, -up, self.wide + right, self.high + down)
        kept = self.sheet.pixels[ys, xs].copy()
        shape = self.sheet.pixels.shape[:2]
        if rng.random() < 0.5:
            self.sheet.pixels[:] = np.array([(255, 255, 255), (0, 0, 0), (128, 128, 128), (236, 236, 230)][rng.integers(4)], np.uint8)
        else:
            self.sheet.pixels[:] = scenery.floor(rng, shape, self.sheet.s, self.pick(scenery.FLOORS, scenery.HELD_FLOORS))
        for _ in range(int(rng.integers(0, 4))):
            angle, zoom = float(rng.uniform(-180, 180)), rng.uniform(0.4, 1.2)
            piece = cv2.resize(kept[:, : max(8, int(kept.shape[1] * rng.uniform(0.3, 0.7)))], None, fx=zoom, fy=zoom)
            self.sheet.lay(tx.gained(piece, np.float32([[rng.uniform(0.5, 1.4)]])), rng.uniform(self.x0, self.x1), rng.uniform(self.y0, self.y1), angle)
        self.sheet.pixels[ys, xs] = kept
        self.mounted = True

    def paper_tags(self):
        """Paper tags over slats and ends, as samplers leave them."""
        rng, b = self.rng, self.box
        unit = min(b.core + 1, 6.5)
        wide, high = unit * rng.uniform(0.5, 1.1), unit * rng.uniform(0.35, 0.85)
        often = rng.uniform(0.2, 1.6)
        for a, c in b.rows:
            for _ in range(rng.poisson(often)):
                x = rng.uniform(0.02, 0.98) * b.length if rng.random() < 0.7 else b.length - wide * rng.uniform(0.3, 0.9)
                at = self.to_plane((x, rng.normal(a if rng.random() < 0.6 else (a + c) / 2, 0.2 * unit)))
                self.occlude(scenery.tag(rng, self.sheet, *at, wide, high, float(rng.normal(0, 5))))

    def occlude(self, polygon):
        """Remember something that lies over the box."""
        self.occluders.append(polygon)
        self.tags.append(polygon)

    # The picture

    def expose(self):
        """The sheet photographed: lens, light, shadows, blur, noise."""
        rng = self.rng
        pixels = camera.photograph(self.view, self.sheet.pixels, self.low, self.sheet.s)
        h, w = pixels.shape[:2]
        gain = camera.illumination(rng, self.light, self.size)
        pixels = camera.lit(pixels, gain)
        chance = {"sun": 0.6, "bright": 0.3}.get(self.light, 0.1)
        if rng.random() < chance:
            k = min(1.0, 320 / w)
            shade = scenery.shadows(rng, (max(8, int(h * k)), max(8, int(w * k))))
            pixels = cv2.multiply(pixels, cv2.merge([cv2.resize(shade, (w, h))] * 3), scale=1 / 255)
        pixels = camera.expose(rng, pixels, self.light)
        pixels, reach = camera.blur(rng, pixels, self.kind == "blurred")
        pixels = camera.develop(rng, pixels, self.light in ("dim", "blue hour"))
        if rng.random() < 0.04:
            scenery.stamp(rng, pixels)
        return pixels, reach

    def truth(self, pixels, pieces, reach):
        """The scene with everything projected into the picture."""
        b, view = self.box, self.view
        settings = {"material": b.material, "build": b.build, "floor": self.floor, "light": self.light, "layout": self.layout,
                    "habit": b.habit, "rocks": [k["name"] for k in b.kinds], "vertical": bool(self.turned), "wet": round(b.look["wet"], 3),
                    "halved": bool(b.look["halved"]), "core_cm": b.core, "length_cm": round(b.length, 3), "breadth_cm": round(b.breadth, 3),
                    "blur_px": round(float(reach), 2), "shifted": self.shifted, "mounted": self.mounted, "camera": view.settings}
        nothing = self.kind == "none"
        row_nb = 0 if nothing else len(b.rows)
        quad = np.full((4, 2), np.nan, np.float32)
        outer = quad if nothing else self.by_position(view.project(self.to_plane(b.outer())))
        inner = quad.copy() if nothing else self.by_position(view.project(self.to_plane(b.inner())))
        rows = np.zeros((0, 4, 2), np.float32) if nothing else view.project(self.to_plane(b.row_polygons()))
        order = slice(None)
        if self.turned and not nothing:
            rows, order = self.by_position(rows[::-1]), slice(None, None, -1)
        numbers = np.arange(row_nb)[order]
        told = [p | {"polygon": q, "row": int(numbers[p["row"]])} for p, q in zip(pieces, self.pictured(pieces), strict=True)]
        hidden = np.zeros(4, bool)
        tags = [view.project(t) for t in self.tags]
        if not nothing:
            covers = [view.project(t) for t in self.occluders]
            hidden = np.array([any(cv2.pointPolygonTest(c, tuple(map(float, p)), False) > 0 for c in covers) for p in outer])
        area = 0 if nothing else abs(cv2.contourArea(outer))
        scale = float(np.sqrt(area / (b.length * b.breadth))) if area else float(view.scale(self.corners).mean())
        return Scene(pixels, outer, inner, row_nb, rows.astype(np.float32), self.kind, scale, told, tags, hidden, settings)

    def pictured(self, pieces):
        """The pieces' outlines in the picture, all projected at once."""
        if not pieces:
            return []
        points = self.view.project(self.to_plane(np.concatenate([p["polygon"] for p in pieces])))
        return np.split(points, np.cumsum([len(p["polygon"]) for p in pieces])[:-1])

    def by_position(self, quads):
        """Corners of box order in picture order: a turned box's own top left lies top right."""
        return np.roll(quads, 1, axis=-2) if self.turned else quads


ORIENTATIONS = {1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
                5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270}


def jpeg(scene, quality=None, orientation=1):
    """The picture as JPEG bytes; with an EXIF orientation the stored picture is turned and upright is `scene.pixels`.

    `quality` None takes one of 40 to 95, the same for the same picture.
    """
    if orientation not in ORIENTATIONS:
        raise ValueError(f"orientation is 1 to 8, not {orientation!r}")
    quality = int(quality or tx.rng_of("quality", scene.settings, scene.outer.tolist()).integers(40, 96))
    picture = Image.fromarray(scene.pixels)
    if ORIENTATIONS[orientation] is not None:
        picture = picture.transpose(ORIENTATIONS[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, exif=exif)
    return out.getvalue()
