"""Pages on which photographs of boxes are pasted: trimmed, side by side, with print about and over them."""

import cv2
import numpy as np

from lib.synthetic.coreboxes import boxes, groups, marks, prints, slabs, truths
from lib.synthetic.coreboxes.composition import Composition, put, scene_of

PAPERS = [(255, 255, 255), (0, 0, 0), (250, 250, 246), (236, 236, 232), (20, 22, 26), (128, 128, 128)]
HELD_OUT_PAPERS = [(206, 220, 236), (44, 52, 70), (232, 214, 190)]


class Page:
    """A picture (height, width, 3) made of photographs, and the boxes that are seen on them."""

    def __init__(self, rng, size, shifted, colour=None):
        papers = HELD_OUT_PAPERS if shifted else PAPERS
        self.rng, self.size, self.shifted = rng, size, shifted
        self.paper = papers[rng.choice(len(papers))] if colour is None else colour
        self.pixels = np.full((size[1], size[0], 3), self.paper, np.uint8)
        self.ink = (245, 245, 240) if sum(self.paper) < 330 else (12, 12, 14)
        self.boxes = []

    def paste(self, pixels, found, at):
        """A photograph and its boxes with the top left at whole pixels; the boxes are trimmed to it."""
        h, w = pixels.shape[:2]
        x, y = at
        room = self.pixels[y : y + h, x : x + w]
        room[:] = pixels[: room.shape[0], : room.shape[1]]
        for box in found:
            item = truths.Placed(box.outer, box.inner, box.rows, box.cut)
            shown = truths.trimmed(item, 0, 0, room.shape[1], room.shape[0])
            moved = truths.moved(shown, lambda points: np.asarray(points, float) + at)
            if truths.thin(moved.outer):
                continue
            told = truths.truth(moved, self.size)
            told.rows_run = box.rows_run
            self.boxes.append(told)

    def scene(self, made, name):
        """The page as a scene."""
        made.name, made.mounted = name, True
        return scene_of(made, self.pixels, truths.in_reading_order(self.boxes))


def developed(page):
    """The page as it is kept: now and then packed strongly or a little out of focus."""
    rng = page.rng
    if rng.random() < 0.25:
        _, data = cv2.imencode(
            ".jpg", page.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 90))]
        )
        page.pixels = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    if rng.random() < 0.15:
        page.pixels = cv2.GaussianBlur(page.pixels, (0, 0), float(rng.uniform(0.4, 1.2)))


def head(page, high, x0=0.0, x1=1.0):
    """Printed lines over the top of the page."""
    w = page.size[0]
    part = np.ascontiguousarray(page.pixels[: int(high), int(x0 * w) : int(x1 * w)])
    if min(part.shape[:2]) > 12:
        prints.title(page.rng, part, page.ink)
        page.pixels[: int(high), int(x0 * w) : int(x1 * w)] = part


def carton(rng, shifted):
    """A cardboard box of two to four channels about 90 cm long."""
    box = groups.make(rng, shifted, 2.6, int(rng.integers(2, 5)))
    tone = [(190, 154, 110), (214, 208, 196), (206, 170, 96), (150, 116, 80)][rng.integers(4)]
    tone = (150, 150, 144) if shifted else tone
    box.colour, box.build, box.texture, box.contrast, box.round = (
        np.array(tone, float),
        "card",
        "clouds",
        0.12,
        0.0,
    )
    box.material = "grey board" if shifted else "cardboard"
    box.length = float(box.breadth * rng.uniform(1.8, 3.4))
    box.ends = (rng.uniform(0.3, 1.5), box.length - rng.uniform(0.3, 1.5))
    box.look["halved"] = rng.random() < 0.8
    box.habit = str(rng.choice(["whole", "whole", "broken", "mixed"]))
    box.extra |= {"white": rng.random() < 0.6}
    return box


def upright(rng, size, shifted, box, ground):
    """The photograph of a cardboard box stood on end, trimmed at its sides or whole on a plain ground."""
    made = Composition(rng, size, shifted, "cartons")
    made.paper = ground
    box.length = float(
        np.clip(box.breadth * size[1] / size[0] * np.exp(rng.normal(0, 0.04)), box.breadth, 6 * box.breadth)
    )
    box.ends = (box.ends[0], box.length - rng.uniform(0.3, 1.5))
    trim = rng.random() < 0.6
    made.aim(box.breadth, box.length, (0.5, 0.5, 1.0 if trim else rng.uniform(0.9, 0.985), 0.0, 0.0), box)
    boxes.snap(box, made.sheet.s)
    if trim:
        made.corners = np.array([[0, 0], [box.breadth, 0], [box.breadth, box.length], [0, box.length]])
        groups.stretched(made, 0.015)
        made.stage(1.0)
    elif rng.random() < 0.8:
        size = np.array([box.breadth, box.length])
        outer = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size
        marks.bulge(rng, made.sheet, outer, box.colour)
    put(made, box, np.zeros(2), True)
    pixels, _ = made.expose()
    return made, pixels, truths.seen(made.placed, made.view.project, made.size)


def cartons(rng, size, shifted):
    """One to three cardboard boxes stood on end side by side on a page, in white light or under a black lamp."""
    lamp = rng.random() < 0.4
    page = Page(rng, size, shifted, (0, 0, 0) if rng.random() < (0.7 if lamp else 0.3) else None)
    w, h = size
    count = int(rng.choice([1, 2, 3], p=[0.25, 0.6, 0.15]))
    top, margin = int(h * rng.uniform(0.03, 0.16)), int(w * rng.uniform(0.01, 0.1))
    gap = int(w * (rng.uniform(0.0, 0.02) if rng.random() < 0.3 else rng.uniform(0.05, 0.12)))
    tall = int(h * rng.uniform(0.78, 0.98)) - top
    wide = min((w - 2 * margin - (count - 1) * gap) // count, int(tall * rng.uniform(0.32, 0.6)))
    start = (w - count * wide - (count - 1) * gap) // 2
    box = carton(rng, shifted)
    rays = int(rng.integers(2**31))
    for k in range(count):
        each = groups.twin(rng, box, shifted) if k else box
        made, pixels, found = upright(rng, (wide, tall), shifted, each, page.paper)
        pixels = slabs.ultraviolet(np.random.default_rng(rays), pixels) if lamp else pixels
        page.paste(pixels, found, (start + k * (wide + gap), top))
    if rng.random() < 0.85:
        head(page, top)
    for k in range(count - 1):
        if gap > 16 and rng.random() < 0.8:
            between(page, start + (k + 1) * wide + k * gap, gap, top, tall)
    developed(page)
    return page.scene(made, "cartons uv" if lamp else "cartons")


def between(page, x, gap, top, tall):
    """A scale and a colour bar between two photographs."""
    rng = page.rng
    wide = max(6, int(gap * rng.uniform(0.3, 0.7)))
    bar = prints.scale_bar(rng, (tall, wide), sum(page.paper) < 330)
    x = x + (gap - wide) // 2
    page.pixels[top : top + tall, x : x + wide] = bar
    if rng.random() < 0.7:
        high = tall // 4
        bar = prints.colour_bar(rng, (high, wide))
        y = top + int(tall * rng.uniform(0.2, 0.6))
        page.pixels[y : y + high, x : x + wide] = bar


def stack_on_page(rng, size, shifted):
    """A stack of one to three boxes, trimmed at their sides, pasted on a page under a scale, print laid over it."""
    page = Page(rng, size, shifted, None if shifted or rng.random() < 0.3 else (255, 255, 255))
    w, h = size
    left, right = (int(w * rng.uniform(0.0, 0.06)) for _ in range(2))
    top = int(h * (rng.uniform(0.05, 0.14) if rng.random() < 0.85 else 0.0))
    bottom = int(h * rng.uniform(0.0, 0.06)) if rng.random() < 0.7 else 0
    room = (w - left - right, h - top - bottom)
    found = groups.trimmed_by(rng, room, shifted, int(rng.choice([1, 2, 3], p=[0.25, 0.35, 0.4])))
    page.paste(found[1], found[2], (left, top))
    if top > 14 and rng.random() < 0.8:
        high = int(top * rng.uniform(0.4, 0.8))
        page.pixels[top - high : top, left : w - right] = prints.scale_bar(
            rng, (high, room[0]), sum(page.paper) < 330
        )
    for _ in range(int(rng.integers(0, 9)) if rng.random() < 0.6 else 0):
        sticker(page, left, top, room)
    developed(page)
    return page.scene(found[0], "stack on a page")


def sticker(page, x, y, room):
    """A depth printed on white over the photograph, lying or standing."""
    rng = page.rng
    high = max(6, int(page.size[1] * rng.uniform(0.02, 0.045)))
    pixels = np.full((high, int(high * 2.6), 3), 255, np.uint8)
    prints.put_text(pixels, f"{rng.uniform(0, 300):.2f}", 0.15 * high, 0.2 * high, 0.6 * high, (10, 10, 10))
    pixels = np.ascontiguousarray(np.rot90(pixels)) if rng.random() < 0.5 else pixels
    h, w = pixels.shape[:2]
    x, y = x + int(rng.uniform(0, max(1, room[0] - w))), y + int(rng.uniform(0, max(1, room[1] - h)))
    spot = page.pixels[y : y + h, x : x + w]
    spot[:] = pixels[: spot.shape[0], : spot.shape[1]]


def stitched(rng, size, shifted):
    """Two photographs beside or above each other, edge to edge or on a page: each of a group or of a filled frame."""
    page = Page(rng, size, shifted)
    w, h = size
    beside = rng.random() < (0.7 if w > h else 0.3)
    gap = 0 if rng.random() < 0.5 else int(rng.uniform(0.005, 0.04) * w)
    edge = 0 if rng.random() < 0.5 else int(rng.uniform(0.0, 0.05) * w)
    share = rng.uniform(0.4, 0.6)
    inner = np.array([w, h]) - 2 * edge
    first = [int((inner[0] - gap) * share), inner[1]] if beside else [inner[0], int((inner[1] - gap) * share)]
    step = (first[0] + gap, 0) if beside else (0, first[1] + gap)
    second = inner - step
    for part, at in ((first, (0, 0)), (second, step)):
        size_ = tuple(int(v) for v in part)
        if rng.random() < 0.5:
            made, pixels, found = groups.trimmed_by(rng, size_, shifted, 1)
        else:
            made, pixels, found = groups.grouped(rng, size_, shifted, int(rng.integers(1, 4)))
        page.paste(pixels, found, (edge + at[0], edge + at[1]))
    developed(page)
    return page.scene(made, "stitched")
