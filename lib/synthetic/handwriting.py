"""What people write on boxes, boards and tags, stroke by stroke."""

import cv2
import numpy as np

# Handwriting: each sign as strokes in a box 1 wide and 2 high (y down).
STROKES = {
    "0": ["0.5,0 0,.6 0,1.4 .5,2 1,1.4 1,.6 .5,0"],
    "1": [".2,.5 .6,0 .6,2"],
    "2": ["0,.4 .5,0 1,.4 .9,.9 0,2 1,2"],
    "3": ["0,.2 .6,0 1,.5 .4,.9 1,1.4 .6,2 0,1.8"],
    "4": [".7,2 .7,0 0,1.3 1,1.3"],
    "5": ["1,0 .1,0 .1,.9 .7,.8 1,1.4 .6,2 0,1.8"],
    "6": [".9,0 .2,.8 0,1.5 .5,2 1,1.5 .6,1 .1,1.3"],
    "7": ["0,0 1,0 .4,2"],
    "8": [".5,.9 0,.5 .5,0 1,.5 .5,.9 0,1.5 .5,2 1,1.5 .5,.9"],
    "9": ["1,.6 .5,1 0,.5 .5,0 1,.4 .9,2"],
    "-": ["0,1 1,1"],
    ".": [".4,1.9 .5,2"],
    ":": [".4,.6 .5,.7", ".4,1.6 .5,1.7"],
    ">": ["0,1 1,1", ".6,.6 1,1 .6,1.4"],
    "A": ["0,2 .5,0 1,2", ".2,1.3 .8,1.3"],
    "B": ["0,0 0,2 .8,1.9 .9,1.2 0,1 .8,.7 .7,.1 0,0"],
    "D": ["0,0 0,2 .7,1.8 1,1 .7,.1 0,0"],
    "E": ["1,0 0,0 0,2 1,2", "0,1 .8,1"],
    "F": ["1,0 0,0 0,2", "0,1 .8,1"],
    "G": ["1,.3 .5,0 0,1 .5,2 1,1.6 1,1.1 .6,1.1"],
    "H": ["0,0 0,2", "1,0 1,2", "0,1 1,1"],
    "K": ["0,0 0,2", "1,0 0,1.1 1,2"],
    "L": ["0,0 0,2 1,2"],
    "M": ["0,2 .1,0 .5,1.2 .9,0 1,2"],
    "N": ["0,2 0,0 1,2 1,0"],
    "O": [".5,0 0,1 .5,2 1,1 .5,0"],
    "R": ["0,2 0,0 .8,.2 .8,.8 0,1 1,2"],
    "S": ["1,.2 .4,0 0,.5 1,1.4 .5,2 0,1.8"],
    "T": ["0,0 1,0", ".5,0 .5,2"],
    "X": ["0,0 1,2", "1,0 0,2"],
    "Z": ["0,0 1,0 0,2 1,2"],
    "Q": [".5,0 0,1 .5,2 1,1 .5,0", ".6,1.4 1,2"],
    "m": ["0,2 0,.9 .3,.9 .5,1.2 .5,2", ".5,1.2 .8,.9 1,1.2 1,2"],
    "o": [".5,1 0,1.5 .5,2 1,1.5 .5,1"],
    "e": ["0,1.5 1,1.5 .8,1 .2,1 0,1.6 .4,2 1,1.8"],
    "t": [".4,.3 .4,1.8 .8,2", "0,.9 .9,.9"],
    "r": ["0,.9 0,2", "0,1.3 .5,.9 .9,1"],
    "Б": [".9,0 0,0 0,2 .7,1.9 .9,1.4 .6,1 0,1"],
    "Г": ["0,2 0,0 .9,0"],
    "И": ["0,0 0,2 1,0 1,2"],
    "Л": ["0,2 .4,0 1,0 1,2"],
    "П": ["0,2 0,0 1,0 1,2"],
    "Р": ["0,2 0,0 .8,.2 .8,.9 0,1.1"],
    "С": ["1,.3 .5,0 0,1 .5,2 1,1.7"],
    "У": ["0,0 .5,1.1", "1,0 .3,2 0,1.9"],
    "Щ": ["0,0 0,1.8 .9,1.8 .9,0", ".45,0 .45,1.8", ".9,1.8 1.1,1.8 1.1,2.2"],
    "Я": ["1,2 1,0 .3,.1 0,.5 .3,.9 1,1", ".5,1 0,2"],
    "№": ["0,2 0,0 .6,2 .6,0", ".8,1 1.1,1", ".95,.2 .8,.45 .95,.7 1.1,.45 .95,.2"],
}
STROKES |= {cyrillic: STROKES[latin] for cyrillic, latin in zip("АВЕКМНОТХ", "ABEKMHOTX", strict=True)}


def rounded(p):
    """A stroke with its corners cut twice, as a hand draws it."""
    for _ in range(2 if len(p) > 3 else 0):
        a, b = p[:-1], p[1:]
        p = np.concatenate(
            [p[:1], np.stack([0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b], 1).reshape(-1, 2), p[-1:]]
        )
    return p


STROKES = {
    k: [rounded(np.array([[float(v) for v in p.split(",")] for p in s.split()])) for s in strokes]
    for k, strokes in STROKES.items()
}


def words(rng, kind="any"):
    """A string such as people write on boxes: hole, box number, interval, depth."""
    d = rng.uniform(0, 900)
    kind = kind if kind != "any" else rng.choice(["hole", "box", "depth", "span"])
    letters = "ABDEGHKLMNRSTXZ"
    pick = "".join(rng.choice(list(letters), rng.integers(1, 4)))
    where = f"{pick}{'-' if rng.random() < 0.6 else ''}DD-{rng.integers(1, 400)}"
    box, span = rng.integers(1, 300), f"{d:.1f}-{d + rng.uniform(2, 6):.1f}"
    if rng.random() < 0.2:  # as people write in Russian
        where = where if rng.random() < 0.5 else f"СКВ{rng.choice(list(' .-№'))}{rng.integers(1, 400)}"
        box, span = f"ЯЩ{rng.choice(['', 'ИК'])}{rng.choice(list(' -№'))}{box}", rng.choice(["ИНТ:", ""]) + span
    else:
        box = f"BOX {box}"
    return {"hole": where, "box": box, "depth": f"{d:.1f}", "span": span,
            "id": str(rng.integers(10000, 999999))}[str(kind)]


def write(rng, pixels, text, x, y, height, colour, width=None, neat=0.06, slant=0.0):
    """Handwriting on pixels: the text from (x, y) (left, top; px), `height` px high. Gives its width in px.

    Below 4 px it becomes dashes, as writing does in small pictures.
    """
    unit = height / 2
    width = max(1, round(width if width else height * 0.11))
    colour = tuple(int(c) for c in colour)
    start, strokes = x, []
    for sign in text:
        for stroke in STROKES.get(sign, ()):
            p = stroke + rng.normal(0, neat * (0.5 if len(stroke) > 9 else 1), stroke.shape)
            p = np.stack([p[:, 0] * 0.85 - slant * (p[:, 1] - 2), p[:, 1]], 1) * unit + (x, y)
            strokes.append(np.round(p * 8).astype(np.int32))
        x += unit * (1.25 + rng.normal(0, neat)) if sign != " " else unit * 0.8
    if strokes:
        cv2.polylines(pixels, strokes, False, colour, width, cv2.LINE_AA, 3)
    return x - start
