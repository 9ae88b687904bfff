"""Pictures of single nails on a dark table, as a camera above it takes them; which are straight is known exactly.

Lengths are those of a picture 1216 px high, and scaled with the picture. The truth is the bend: the largest distance
of the nail's middle line from the straight line between its ends, as a part of its length.
"""

from dataclasses import dataclass

import cv2
import numpy as np

HEIGHT = 1216           # px of the picture that the lengths here are of
STRAIGHT = 0.004        # the most bend of a good nail
BEND = 0.012, 0.22      # the least and most bend of a bad one, at a difficulty of 1
WINDOW, FINE = 360, 2   # px around a nail in which it is drawn, and how many times finer
KINDS = ("bow", "kink", "tip", "hook")
HELD = ("wave", "head")  # ways to be bent, and below a ground, that only shifted pictures have


@dataclass(frozen=True)
class Scene:
    """`pixels` uint8 (h, w, 3) RGB; `label` good, bad or none; `kind` of defect; `bend`; `line` (n, 2) in px."""

    pixels: np.ndarray
    label: str
    kind: str
    bend: float
    line: np.ndarray


def draw(seed, size=(1936, 1216), shifted=False, label=None, defect=1.0, light=1.0, blur=1.0):
    """The Scene of a seed in a picture of `size` (width, height); the same arguments give the same bytes.

    `label` None draws good and bad alike often; "none" is an empty table. `defect` scales how bent the bad ones are,
    `light` the brightness, `blur` how far out of focus (1: as a usual camera, 0: sharp). `shifted` draws tables,
    nails, lights and bends that the default never shows. ValueError: another label.
    """
    if label not in (None, "good", "bad", "none"):
        raise ValueError(f"label is good, bad, none or nothing, not {label!r}")
    rng = np.random.default_rng([int(seed), int(shifted), *size])
    scale = size[1] / HEIGHT
    label = label or ("bad" if rng.random() < 0.5 else "good")
    ground = _table(rng, size, scale, shifted)
    kind, bend, line = "", 0.0, np.zeros((0, 2))
    if label != "none":
        kind, bend, line = _shape(rng, label, shifted, defect)
        line = _place(rng, line, size, scale)
        _lay(rng, ground, line, scale, shifted)
    return Scene(_photograph(rng, ground, scale, shifted, light, blur), label, kind, bend, line)


# --- the nail's line


def _shape(rng, label, shifted, defect):
    """Kind, bend and middle line (200, 2), centred, of a nail from head to tip."""
    length = rng.uniform(190, 280)
    kind = str(rng.choice(HELD if shifted and rng.random() < 0.6 else KINDS)) if label == "bad" else "bow"
    low, high = BEND[0] * defect, BEND[1]
    wanted = np.exp(rng.uniform(np.log(low), np.log(max(high, low)))) if label == "bad" else rng.uniform(0, STRAIGHT)
    t = np.linspace(0, 1, 200)
    turn = _turning(rng, kind, t)
    strength = _strength(turn, wanted)
    line = _walk(turn * strength) * length
    line = line - (line.min(0) + line.max(0)) / 2
    return kind if label == "bad" else "", bend_of(line), line


def _turning(rng, kind, t):
    """How much the direction changes along the nail, for each kind of bend; its sign is random."""
    at, width = {"bow": (rng.uniform(0.4, 0.6), 0.35), "kink": (rng.uniform(0.3, 0.7), 0.05),
                 "tip": (rng.uniform(0.8, 0.88), 0.04), "hook": (rng.uniform(0.4, 0.6), 0.14),
                 "wave": (0.33, 0.1), "head": (rng.uniform(0.1, 0.16), 0.03)}[kind]
    turn = np.exp(-((t - at) / width) ** 2)
    if kind == "wave":
        turn -= np.exp(-((t - 0.7) / 0.1) ** 2)
    return turn / np.abs(turn).sum() * rng.choice([-1, 1])


def _walk(turn):
    angle = np.cumsum(turn)
    step = np.stack([np.cos(angle), np.sin(angle)], 1) / len(turn)
    return np.cumsum(step, 0)


def _strength(turn, wanted):
    """The angle in radians, spread over `turn`, whose bend is the wanted one; at most that of a hook."""
    low, high = 0.0, 2.6
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if bend_of(_walk(turn * middle)) < wanted else (low, middle)
    return (low + high) / 2


def bend_of(line):
    """The largest distance of a line (n, 2) from the straight one between its ends, as a part of its own length."""
    along = line[-1] - line[0]
    off = line - line[0]
    away = np.abs(off[:, 0] * along[1] - off[:, 1] * along[0]) / max(np.hypot(*along), 1e-9)
    return float(away.max() / np.hypot(*np.diff(line, axis=0).T).sum())


def _place(rng, line, size, scale):
    """The line turned and put where it lies wholly within the middle square, in px of the picture."""
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    line = line @ turn.T * scale
    free = (np.array([960, 960]) * scale - np.ptp(line, 0)) / 2 - 25 * scale
    return line + np.array(size) / 2 + rng.uniform(-1, 1, 2) * np.maximum(free, 0)


# --- what the light makes of it


def _lay(rng, ground, line, scale, shifted):
    """Draw the nail and its shadow into the ground (float32, in place)."""
    side = int(np.ceil(WINDOW * scale))
    left, top = np.round(line.mean(0) - side / 2).astype(int)
    left, top = (int(np.clip(at, 0, most - side)) for at, most in zip((left, top), ground.shape[::-1], strict=True))
    metal, mask = _metal(rng, (line - (left, top)) * FINE, side * FINE, scale * FINE, shifted)
    metal, mask = (cv2.resize(each, (side, side), interpolation=cv2.INTER_AREA) for each in (metal, mask))
    angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(2, 6) * scale
    shift = np.float32([[1, 0, reach * np.cos(angle)], [0, 1, reach * np.sin(angle)]])
    shadow = cv2.GaussianBlur(cv2.warpAffine(mask, shift, (side, side)), (0, 0), 3 * scale + 0.3)
    there = ground[top:top + side, left:left + side]
    there *= 1 - rng.uniform(0.3, 0.6) * shadow
    there += mask * (metal - there)


def _metal(rng, line, side, scale, shifted):
    """Brightness and cover (0 … 1) of the nail in a window of `side` px, from its line there."""
    thick = rng.uniform(11, 20) * (1.25 if shifted else 1) * scale / 2
    t, off = _coordinates(line, side)
    radius = thick * _outline(rng, t, thick / (len(line) * np.hypot(*np.diff(line, axis=0).T).mean()))
    across = np.clip(off / np.maximum(radius, 1e-3), -1, 1)
    at, width = rng.uniform(-0.5, 0.5), rng.uniform(0.15, 0.4)
    scratches = np.interp(t, np.linspace(0, 1, 60), rng.normal(0, 1, 60)).astype(np.float32)
    body = rng.uniform(60, 180) + 45 * np.sqrt(1 - across**2) - 35 * (np.abs(across) > 0.8)
    shine = rng.uniform(50, 170) * np.exp(-((across - at) / width) ** 2)
    ends = 90 * np.exp(-((t - 0.015) / 0.02) ** 2) + rng.uniform(0, 150) * np.exp(-((t - 0.95) / 0.03) ** 2)
    grooves = 25 * np.sin(t * rng.uniform(300, 500)) * ((t > 0.04) & (t < 0.22)) * (rng.random() < 0.5)
    return (body + shine + ends + grooves + 10 * scratches).astype(np.float32), \
        (np.abs(off) < radius).astype(np.float32)


def _coordinates(line, side):
    """For each pixel: how far along the line its nearest point is (0 … 1), and the signed distance to it, px."""
    dense = np.stack([np.interp(np.linspace(0, 1, 4 * side), np.linspace(0, 1, len(line)), each) for each in line.T], 1)
    empty = np.full((side, side), 255, np.uint8)
    pixel = np.clip(dense.round().astype(int), 0, side - 1)
    empty[pixel[:, 1], pixel[:, 0]] = 0
    _, labels = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    number = np.zeros(labels.max() + 1, int)
    number[labels[pixel[:, 1], pixel[:, 0]]] = np.arange(len(dense))
    near = number[labels]
    y, x = np.mgrid[:side, :side].astype(np.float32)
    away = np.stack([x, y], -1) - dense[near]
    along = np.gradient(dense, axis=0)
    along /= np.hypot(*along.T)[:, None] + 1e-9
    off = away[..., 0] * along[near][..., 1] - away[..., 1] * along[near][..., 0]
    ahead = (away * along[near]).sum(-1)
    past = np.abs(ahead) > 1.5  # only an end is nearest to what does not lie beside it
    return (near / (len(dense) - 1)).astype(np.float32), \
        np.where(past, np.hypot(off, 2 * ahead), off).astype(np.float32)


def _outline(rng, t, part):
    """Half the width along the nail as a part of the shaft's: a head, the shaft, a tip."""
    head, tip = rng.uniform(0.35, 0.6) * part * 2, rng.uniform(2.2, 3.2) * part
    wide = np.where(t < head, rng.uniform(1.6, 2.1), 1.0)
    return (wide * np.clip((1 - t) / tip, 0, 1) ** 0.8).astype(np.float32)


# --- table and camera


def _table(rng, size, scale, shifted):
    """An empty table as brightness, float32 (height, width): felt with specks and pencil lines, or (held back) wood."""
    width, height = size
    base = rng.uniform(85, 115) if shifted else rng.uniform(50, 80)
    texture = rng.standard_normal((height, width), np.float32)
    coarse = cv2.GaussianBlur(texture, (0, 0), 1.2) * 12
    if shifted:  # grain that runs along the table
        coarse = cv2.GaussianBlur(texture, (0, 0), 18 * scale + 1, sigmaY=1.2) * 45
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    spot = np.exp(-((x - rng.uniform(-0.5, 0.5)) ** 2 + (y[:, None] - rng.uniform(-0.6, 0.2)) ** 2) / 1.4)
    ground = base * (0.7 + 0.5 * spot.astype(np.float32)) + coarse
    for _ in range(rng.poisson(25 if shifted else 12)):
        at = rng.uniform(0, 1, 2) * size
        cv2.circle(ground, tuple(map(int, at)), max(1, round(1.5 * scale)), float(base + rng.uniform(20, 90)), -1)
    for _ in range(rng.integers(0, 4)):
        ends = (rng.uniform(0, 1, (2, 2)) * size).astype(int)
        cv2.line(ground, *map(tuple, ends.tolist()), float(base * 0.6), max(1, round(2 * scale)))
    edge = int(rng.uniform(20, 70) * scale)
    ground[:edge] = rng.uniform(150, 255)  # the sheet of paper beyond the table
    return ground


def _photograph(rng, ground, scale, shifted, light, blur):
    """What the camera makes of the brightness: out of focus by some pixels, exposed, with noise; grey as RGB."""
    sigma = blur * scale * rng.uniform(0.6, 1.2) * (1.6 if shifted else 1)
    if sigma > 0.15:
        ground = cv2.GaussianBlur(ground, (0, 0), sigma)
    gain = light * (rng.choice([0.75, 1.25]) if shifted else rng.uniform(0.9, 1.1))
    noise = rng.standard_normal(ground.shape, np.float32) * (5 if shifted else 3)
    return np.repeat(np.clip(ground * gain + noise, 0, 255).astype(np.uint8)[..., None], 3, 2)
