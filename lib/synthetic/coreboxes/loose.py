"""Core that lies in no box: columns on a template, on boards and planks, in loose half-pipes, on the bare ground."""

import numpy as np

from lib.synthetic import textures as tx
from lib.synthetic.canvas import Sheet
from lib.synthetic.coreboxes import groups, laboratory, objects, prints, rocks, slabs
from lib.synthetic.coreboxes.composition import Composition
from lib.synthetic.coreboxes.floors import planks
from lib.synthetic.coreboxes.pages import Page, developed, head
from lib.synthetic.coreboxes.rows import contents


def kinds_of(rng, shifted):
    """The rocks of one stretch of core."""
    first = rocks.rock(rng, shifted)
    return [first] + [rocks.kin(rng, first) for _ in range(int(rng.integers(0, 4)))]


def template(rng, size, shifted):
    """Columns of core pasted on a dark or white page, strips of foam between them, in white light or under a lamp."""
    page = Page(rng, size, shifted, None if shifted or rng.random() < 0.25 else (0, 0, 0))
    w, h = size
    count = int(rng.integers(2, 8))
    top, bottom = int(h * rng.uniform(0.06, 0.14)), int(h * rng.uniform(0.0, 0.05))
    tall = h - top - bottom
    wide = min(int(0.86 * w / count), int(tall * rng.uniform(0.1, 0.2)))
    strip = int(wide * rng.uniform(0.1, 0.3)) if rng.random() < 0.8 else 0
    start = int((w - count * wide) * rng.uniform(0.4, 0.7))
    kinds, s = kinds_of(rng, shifted), wide / rng.uniform(7, 12)
    lamp = rng.random() < 0.35
    block = np.empty((tall, count * wide, 3), np.uint8)
    block[:] = page.paper
    for k in range(count):
        column(rng, block[:, k * wide : (k + 1) * wide], kinds, s, strip, count, k)
    if strip and rng.random() < 0.6:
        block[:, :strip] = slabs.foam(rng, (tall, strip))
    page.pixels[top : top + tall, start : start + count * wide] = (
        slabs.ultraviolet(rng, block) if lamp else block
    )
    furnish(page, top, tall, start, wide, count)
    developed(page)
    return page.scene(stage(rng, size, shifted), "template uv" if lamp else "template")


def column(rng, room, kinds, s, strip, count, k):
    """One column of a template, a strip of foam at its right; columns end unevenly now and then."""
    tall, wide = room.shape[0], room.shape[1] - strip
    ground = room[0, 0].copy()
    if strip:
        room[:, wide:] = slabs.foam(rng, (tall, strip))
        ground = np.full(3, rng.uniform(215, 250)) if rng.random() < 0.5 else ground
    filled = (0.0, 1.0)
    if k in (0, count - 1) and rng.random() < 0.25:
        filled = (float(rng.uniform(0, 0.9)), 1.0) if k == 0 else (0.0, float(rng.uniform(0.1, 1)))
    some = [kinds[rng.integers(len(kinds))]] if rng.random() < 0.5 else kinds
    pixels = slabs.slab(
        rng, some, (wide, tall), s, ground, "whole" if rng.random() < 0.7 else "broken", filled
    )
    if filled != (0.0, 1.0):
        a, b = int(filled[0] * tall), int(filled[1] * tall)
        room[:a], room[b:] = room[0, 0] * 0 + ground, room[0, 0] * 0 + ground
        room[a:b, :wide] = np.rot90(pixels[:, a:b], -1)
    else:
        room[:, :wide] = np.rot90(pixels, -1)


def furnish(page, top, tall, start, wide, count):
    """Title, depths over the columns, scale and colour bar of a template."""
    rng, (w, _) = page.rng, page.size
    if rng.random() < 0.9:
        head(page, top * 0.7)
    ink = (240, 230, 40) if sum(page.paper) < 330 else page.ink
    high = min(top * 0.22, wide * 0.2)
    if high >= 4 and rng.random() < 0.85:
        for k in range(count):
            prints.put_text(
                page.pixels, prints.depth(rng), start + (k + 0.1) * wide, top - 1.6 * high, high, ink
            )
    if rng.random() < 0.8 and start > 14:
        bar = prints.scale_bar(rng, (tall, max(5, min(start // 3, 14))), sum(page.paper) < 330)
        x = int(rng.uniform(0, start - bar.shape[1] - 1))
        page.pixels[top : top + tall, x : x + bar.shape[1]] = bar
    if rng.random() < 0.6:
        shape = max(6, int(top * 0.3)), max(12, int(0.12 * w))
        page.pixels[2 : 2 + shape[0], w - shape[1] - 4 : w - 4] = prints.colour_bar(rng, shape)


def stage(rng, size, shifted):
    """A composition that nobody sees: what a page's scene tells of light and floor."""
    made = Composition(rng, size, shifted, "page")
    made.aim(50.0, 50.0, (0.5, 0.5, 0.9, 0.0, 0.0), groups.make(rng, shifted, 2.0, 3))
    return made


def short_slab(rng, size, shifted):
    """One short piece of core on a page, with title and scale."""
    page = Page(rng, size, shifted)
    w, h = size
    long, wide = int(h * rng.uniform(0.08, 0.6)), int(w * rng.uniform(0.08, 0.3))
    x, y = int(rng.uniform(0.05, 0.95) * (w - wide)), int(h * 0.12 + rng.uniform(0, 0.9) * (0.88 * h - long))
    kinds = kinds_of(rng, shifted)
    pixels = np.rot90(slabs.slab(rng, kinds, (wide, long), wide / 9, page.paper, "whole"), -1)
    if rng.random() < 0.2:
        pixels = slabs.ultraviolet(rng, np.ascontiguousarray(pixels))
    page.pixels[y : y + long, x : x + wide] = pixels
    head(page, 0.1 * h)
    bar = prints.scale_bar(rng, (int(0.85 * h), max(6, int(0.02 * w))), sum(page.paper) < 330)
    page.pixels[
        int(0.12 * h) : int(0.12 * h) + bar.shape[0], int(0.02 * w) : int(0.02 * w) + bar.shape[1]
    ] = bar
    developed(page)
    return page.scene(stage(rng, size, shifted), "short slab")


def pipes(rng, size, shifted):
    """Loose half-pipes or channels of wood, plastic or tin, each with core, side by side on the ground."""
    made = Composition(rng, size, shifted, "half-pipes")
    box = groups.make(rng, shifted, 3.0, 3)
    count, lies = int(rng.integers(2, 9)), rng.random() < 0.75
    length, across = rng.uniform(60, 120), box.core * rng.uniform(1.15, 1.6)
    gap = float(rng.gamma(1.5, 1.2))
    whole = count * (across + gap)
    made.aim(*((length, whole) if lies else (whole, length)), groups.frame_of_group(rng), box)
    made.dress(0.5)
    tilt, uneven = rng.normal(0, 0.8), rng.uniform(0.5, 10)
    for k in range(count):
        pixels = half_pipe(rng, made, box, length + rng.normal(0, 0.5 * uneven), across)
        pixels = pixels if lies else np.ascontiguousarray(np.rot90(pixels, -1))
        mid, along = (k + 0.5) * (across + gap), length / 2 + rng.normal(0, uneven)
        at = (along, mid) if lies else (mid, along)
        made.sheet.lay(pixels, *at, float(tilt + rng.normal(0, 0.6)), shadow=rng.uniform(0.2, 0.6), reach=1.0)
    if rng.random() < 0.5:
        paper = objects.sign(
            rng,
            made.sheet,
            rng.uniform(0, made.wide),
            rng.uniform(0, made.high),
            12,
            8,
            float(rng.normal(0, 6)),
        )
        made.tags.append(paper)
    return made.finished()


def half_pipe(rng, made, box, length, across):
    """The picture of one half-pipe with its core: open at both ends."""
    s = made.sheet.s
    sheet = Sheet(np.empty((max(4, round(across * s)), max(8, round(length * s)), 3), np.uint8), s)
    h, w = sheet.pixels.shape[:2]
    base = tx.paint(
        tx.sample(box.texture, rng, (h, w), s),
        tx.shades(box.colour * np.exp(rng.normal(0, 0.06)), box.contrast, 3, rng),
    )
    v = (np.arange(h, dtype=np.float32) + 0.5) / h * 2 - 1
    tone = np.clip(0.85 + 0.3 * v * box.look["sun"] - 0.35 * (1 - v**2), 0.2, 1.2)
    sheet.pixels[:] = tx.gained(base, tone[:, None])
    edge = max(1, round(h * 0.03))
    sheet.pixels[:edge] = tx.gained(np.ascontiguousarray(base[:edge]), np.float32([[1.1]]))
    sheet.pixels[-edge:] = tx.gained(np.ascontiguousarray(base[-edge:]), np.float32([[1.0]]))
    like = groups.twin(rng, box, made.shifted)
    like.length, like.ends, like.depth, like.core = (
        length,
        (0.0, length),
        box.core / 2,
        min(box.core, across * 0.9),
    )
    like.habit = str(rng.choice(["whole", "broken", "mixed", "rubble"]))
    margin = rng.uniform(0, 0.06) * length if rng.random() < 0.8 else rng.uniform(0, 0.4) * length
    like.ends = (margin * rng.random(), length - margin * rng.random())
    contents(rng, sheet, like, 0.0, across, lambda x, y, depth: np.array([x, y]))
    return sheet.pixels


def boards(rng, size, shifted):
    """Columns of slabbed core laid straight on planks, on a board or on the ground; strips of wood between some."""
    made = Composition(rng, size, shifted, "on boards")
    box = groups.make(rng, shifted, 3.0, 3)
    count, stands = int(rng.integers(1, 6)), rng.random() < 0.7
    length, across, gap = (
        rng.uniform(60, 110),
        rng.uniform(6, 13),
        float(rng.choice([0.5, 3, 8]) * rng.uniform(0.5, 1.5)),
    )
    whole = count * (across + gap) + (rng.uniform(0, 60) if count < 3 else 0)
    made.aim(*((whole, length) if stands else (length, whole)), laboratory.frame(rng), box)
    laboratory.background(made)
    s, kinds = made.sheet.s, kinds_of(rng, shifted)
    under = np.array(
        [(208, 164, 120), (226, 222, 214), (190, 150, 110)][rng.integers(3)], float
    ) * rng.uniform(0.85, 1.08)
    plank, flat = rng.random() < 0.6, rng.random() < 0.7
    for k in range(count):
        shape = (max(3, round(across * s)), max(8, round(length * s)))
        if plank:
            ground = planks(rng, shape, s, under, 0.2, False, 80, 0.0)
        else:
            ground = made.sheet.pixels[made.sheet.pixels.shape[0] // 2, made.sheet.pixels.shape[1] // 2]
        end = 1.0 if rng.random() < 0.6 else float(rng.uniform(0.1, 1))
        pixels = slabs.slab(rng, kinds, shape, s, ground, "broken" if flat else "whole", (0.0, end))
        if not plank:
            pixels = np.ascontiguousarray(pixels[:, : max(4, int(end * shape[1]))])
        at = [(k + 0.5) * (across + gap), pixels.shape[1] / s / 2 + rng.normal(0, 0.4)]
        pixels = np.ascontiguousarray(np.rot90(pixels, -1)) if stands else pixels
        made.sheet.lay(
            pixels, *(at if stands else at[::-1]), float(rng.normal(0, 0.3)), shadow=rng.uniform(0.0, 0.4)
        )
    if stands or rng.random() < 0.5:
        laboratory.beside(made, [], stands)
    return made.finished()


def on_the_ground(rng, size, shifted):
    """Rows of core laid on the bare ground."""
    made = Composition(rng, size, shifted, "on the ground")
    box = groups.make(rng, shifted, 3.0, 3)
    count, length = int(rng.integers(1, 8)), rng.uniform(60, 120)
    pitch = box.core * rng.uniform(1.1, 2.2)
    made.aim(length, count * pitch, groups.frame_of_group(rng), box)
    made.dress(0.4)
    for k in range(count):
        x, stop = rng.uniform(0, 0.2) * length, length * rng.uniform(0.5, 1.0)
        while x < stop - 1:
            end = min(stop, x + rng.gamma(2, 14) + 3)
            kind = box.kinds[rng.integers(len(box.kinds))]
            y = (k + 0.5) * pitch + rng.normal(0, 0.3)
            rocks.whole(
                rng, made.sheet, kind, x, end, y, box.core, str(rng.choice(["whole", "broken"])), box.look
            )
            x = end + rng.gamma(1.5, 2)
    return made.finished()
