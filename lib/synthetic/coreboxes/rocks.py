"""Rocks: what core, rubble and mud look like."""

import cv2
import numpy as np

from lib.synthetic import textures as tx

ROCKS = {  # colour (RGB), how it is built
    "grey gneiss": ((122, 124, 122), "bands"),
    "dark basalt": ((62, 66, 68), "massive"),
    "green schist": ((92, 108, 92), "bands"),
    "black shale": ((44, 46, 50), "bands"),
    "pink granite": ((176, 140, 122), "crystals"),
    "grey granite": ((150, 150, 148), "crystals"),
    "limestone": ((190, 186, 172), "massive"),
    "marble": ((212, 210, 204), "veined"),
    "sandstone": ((186, 150, 108), "bands"),
    "red sandstone": ((150, 90, 66), "bands"),
    "iron formation": ((104, 62, 54), "bands"),
    "rusty breccia": ((150, 98, 52), "breccia"),
    "quartz": ((214, 208, 198), "veined"),
    "saprolite": ((190, 142, 80), "mottled"),
    "clay": ((168, 130, 96), "mottled"),
    "andesite": ((104, 112, 106), "spotted"),
    "altered green": ((128, 146, 116), "veined"),
    "blue grey tuff": ((104, 116, 130), "massive"),
    "diorite": ((96, 98, 98), "crystals"),
    "dark amphibolite": ((52, 60, 56), "veined"),
    "ochre gossan": ((172, 116, 40), "breccia"),
    "silicified": ((164, 164, 156), "breccia"),
}

HELD_OUT_ROCKS = {
    "purple slate": ((96, 84, 104), "bands"),
    "yellow limestone": ((206, 186, 130), "veined"),
    "olive ultramafic": ((84, 88, 56), "spotted"),
    "salt": ((206, 186, 180), "crystals"),
    "chocolate mudstone": ((88, 66, 56), "massive"),
    "white kaolin": ((220, 214, 204), "mottled"),
}


def rock(rng, shifted=False):
    """One kind of rock: name, colour, how it is built, angle of its bedding to the core's axis (degrees)."""
    names = HELD_OUT_ROCKS if shifted else ROCKS
    name = str(rng.choice(list(names)))
    colour, build = names[name]
    colour = np.clip(np.array(colour, float) * np.exp(rng.normal(0, 0.14)) + rng.normal(0, 4, 3), 12, 240)
    colour = colour.mean() + (colour - colour.mean()) * rng.uniform(0.3, 1.1)
    angle = float(rng.uniform(15, 165)) if rng.random() < 0.8 else float(rng.uniform(0, 180))
    return {
        "name": name,
        "colour": colour,
        "build": build,
        "angle": angle,
        "zoom": float(np.exp(rng.normal(0, 0.35))),
        "contrast": float(rng.uniform(0.15, 0.6)),
        "stain": rng.random() < 0.25,
        "bands": str(rng.choice(["bands0", "bands1", "bands2", "folds"], p=[0.35, 0.25, 0.2, 0.2])),
    }


def kin(rng, first):
    """A rock like the first: another shade of it, as boxes mostly hold one unit."""
    colour = np.clip(first["colour"] * np.exp(rng.normal(0, 0.16)) + rng.normal(0, 5, 3), 12, 240)
    return first | {"colour": colour, "contrast": float(rng.uniform(0.15, 0.6)), "stain": rng.random() < 0.3}


def face(rng, kind, shape, s):
    """Fresh surface of the rock, RGB of the shape, at s px a centimetre."""
    colour, contrast, build, zoom = kind["colour"], kind["contrast"], kind["build"], kind["zoom"]
    if build == "bands":
        # The bands of the field run along y, at 90 degrees to the axis.
        field = tx.sample(kind["bands"], rng, shape, s, kind["angle"] - 90, zoom)
        table = tx.shades(colour, contrast, 9, rng)
    elif build == "crystals":
        field = tx.sample("crystals0" if zoom < 1.1 else "crystals1", rng, shape, s, 0, zoom)
        table = tx.palette(
            colour * 0.45, colour * 0.95, colour * 0.8 + 45, np.minimum(colour * 0.7 + 75, 250)
        )
    elif build == "breccia":
        field = tx.sample("rubble", rng, shape, s, float(rng.uniform(0, 180)), zoom * 0.7)[..., 1]
        table = tx.shades(colour, min(contrast + 0.15, 0.7), 16, rng)
    elif build == "mottled":
        field = tx.sample("rough", rng, shape, s, float(rng.uniform(0, 180)), zoom * 2)
        table = tx.shades(colour, contrast * 0.8, 22, rng)
    else:
        field = tx.sample("rough", rng, shape, s, float(rng.uniform(0, 180)), zoom * 1.5)
        table = tx.shades(colour, contrast * 0.6, 5, rng)
    pixels = tx.paint(field, table)
    if build in ("veined", "breccia") or rng.random() < 0.25:
        mask = tx.sample(
            "veins0" if rng.random() < 0.5 else "veins1",
            rng,
            shape,
            s,
            float(rng.uniform(0, 180)),
            zoom * 1.3,
        )
        pale = np.clip(colour * 0.3 + 160 + rng.normal(0, 15, 3), 0, 255)
        pixels = tx.over(pixels, pale if rng.random() < 0.8 else colour * 0.4, mask)
    if build == "spotted":
        pixels = tx.over(
            pixels,
            np.clip(colour + rng.choice([-40, 55]), 0, 255),
            tx.sample("spots", rng, shape, s, 0, zoom),
        )
    if kind["stain"]:
        mask = tx.sample("clouds", rng, shape, s, 0, 2.0)
        pixels = tx.over(pixels, np.array([150, 92, 42]), cv2.subtract(mask, 110))
    if s > 5:
        grain = tx.crop("grain", rng, shape)
        pixels = cv2.addWeighted(pixels, 1, tx.tripled(grain), 0.09, -0.09 * 128)
    return pixels


def roundness(rng, h, wet, halved, sun):
    """Light over a core's cross-section: gain (h, 1) and gloss to be added (h, 1), float32."""
    v = (np.arange(h, dtype=np.float32) + 0.5) / h * 2 - 1
    if halved:
        gain = np.full(h, 0.97, np.float32)
        gain *= np.clip((1 - np.abs(v)) * 8 + 0.55, 0, 1)
        return gain[:, None], np.zeros((h, 1), np.float32)
    n = np.sqrt(np.clip(1 - v**2, 0, 1))
    gain = 0.32 + 0.78 * np.clip(n * np.cos(sun) - v * np.sin(sun), 0, 1.1)
    gloss = wet * np.exp(-(((v + np.sin(sun)) / 0.16) ** 2))
    return gain[:, None].astype(np.float32), gloss[:, None].astype(np.float32)


def cuts(rng, start, stop, habit):
    """Where whole core is broken, cm along the row, ends included."""
    mean = {"whole": 19, "broken": 6.5, "discs": 2.6}[habit]
    steps = rng.gamma(1.3, mean / 1.3, int((stop - start) / mean * 3) + 4) + 0.5
    at = start + np.cumsum(steps)
    return np.concatenate([[start], at[at < stop - 1], [stop]])


def cracks(rng, at, y0, y1, leans, jag):
    """Broken edges across the core at these places: (n, 7, 2) in cm, each from y0 to y1."""
    t = np.linspace(0, 1, 7)
    wander = np.cumsum(rng.normal(0, jag, (len(at), 7)), 1)
    wander -= wander[:, :1] + (wander[:, -1:] - wander[:, :1]) * t
    wander[[0, -1]] *= 0.5
    x = at[:, None] + (t - 0.5) * (y1 - y0) * leans[:, None] + wander
    return np.stack([x, np.broadcast_to(y0 + t * (y1 - y0), x.shape)], -1)


def whole(rng, sheet, kind, start, stop, mid, size, habit, look):
    """Whole core from start to stop (cm), its axis at y = mid, `size` cm thick. Gives its pieces."""
    s = sheet.s
    h, w = max(2, round(size * s)), max(2, round((stop - start) * s))
    pixels = face(rng, kind, (h, w), s)
    gain, gloss = roundness(rng, h, look["wet"], look["halved"], look["sun"])
    at = cuts(rng, start, stop, habit)
    tone = np.repeat(
        np.exp(rng.normal(0, 0.09, len(at) - 1)), np.diff(np.round((at - start) * s)).astype(int)
    )
    tone = tone if len(tone) else np.ones(1)  # shorter than a pixel
    tone = np.pad(tone, (0, max(0, w - len(tone))), mode="edge")[:w].astype(np.float32)
    pixels = tx.gained(pixels, gain * tone)
    if look["wet"] > 0 and not look["halved"]:
        along = tx.sample("rough", rng, (1, w), s, 0, 2)[0] * np.float32(1 / 255)
        pixels = cv2.add(pixels, cv2.transform((gloss * along * 255).astype(np.uint8), SKY))
    leans = np.clip(rng.normal(0, 0.35, len(at)), -1.3, 1.3)
    if kind["build"] == "bands" and rng.random() < 0.6:
        leans[:] = np.clip(1 / np.tan(np.deg2rad(np.clip(kind["angle"], 25, 155))), -1.3, 1.3)
    leans[[0, -1]] = 0
    pieces = lay_pieces(rng, sheet, kind, pixels, at, leans, mid, size)
    if habit == "broken" and size * s > 7:
        for x in at[1:-1]:
            if rng.random() < 0.6:
                chunk(
                    rng,
                    sheet,
                    kind,
                    x + rng.normal(0, 1),
                    mid + rng.normal(0, size * 0.2),
                    size * rng.uniform(0.15, 0.4),
                    look,
                )
    return pieces


def end(rng, sheet, kind, x, mid, size, look):
    """A piece of core that stands on its end: the cut face seen from above, its wall dark on one side."""
    t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.cos(t), np.sin(t)], 1) * size / 2 * rng.uniform(0.9, 1.0, 2)
    lean = rng.normal(0, 0.12, 2) * size
    sheet.polygon(ring + (x, mid) + lean, kind["colour"] * 0.3)
    sheet.textured(ring * 0.96 + (x, mid), lambda shape: face(rng, kind, shape, sheet.s))
    if look["halved"]:
        sheet.polygon(ring[:12] + (x, mid), (14, 12, 11))


SKY = np.array([[0.92], [0.97], [1.0]], np.float32)  # wet core mirrors the sky


def lay_pieces(rng, sheet, kind, pixels, at, leans, mid, size):
    """The strip of core laid piece by piece with the gaps between them; gives the pieces."""
    pieces, s = [], sheet.s
    y0, y1 = mid - size / 2, mid + size / 2
    edges = cracks(rng, at, y0, y1, leans, rng.uniform(0.02, 0.16))
    shifts, places = rng.normal(0, 0.08, len(at) - 1), np.round((at - at[0]) * s).astype(int)
    colour = kind["colour"].round().astype(int).tolist()
    for k, (a, b) in enumerate(zip(places[:-1], places[1:], strict=True)):
        if b > a:
            sheet.fill(at[k], y0 + shifts[k], at[k + 1], y1 + shifts[k], pixels[:, a:b])
        outline = np.concatenate([edges[k], edges[k + 1][::-1]])
        pieces.append(
            {
                "polygon": outline,
                "bedding": kind["angle"] if kind["build"] == "bands" else None,
                "colour": colour,
                "rock": kind["name"],
            }
        )
    wide = rng.gamma(1.2, 0.13, len(at)) + 0.05
    for k in range(1, len(at) - 1):
        if rng.random() < 0.3:
            near = edges[k] - (wide[k] * 1.6, 0)
            sheet.polygon(
                np.concatenate([edges[k], near[::-1]]), np.minimum(kind["colour"] * 0.9 + 22, 255), 0.8
            )
        far = edges[k].copy()
        far[:, 0] += wide[k] * rng.uniform(0.3, 1.6, 7)
        sheet.polygon(np.concatenate([edges[k], far[::-1]]), (14, 12, 11))
    return pieces


def rubble(rng, sheet, kinds, start, stop, mid, size, look):
    """Broken stones or gravel from start to stop (cm)."""
    s = sheet.s
    h, w = max(2, round(size * s)), max(2, round((stop - start) * s))
    name = str(rng.choice(["gravel", "rubble", "boulders", "grit"], p=[0.27, 0.36, 0.27, 0.1]))
    zoom = float(np.exp(rng.normal(0.1, 0.3)))
    pixels = heap(rng, name, kinds, (h, w), s, zoom)
    if name in ("rubble", "boulders"):
        under = heap(rng, "gravel" if rng.random() < 0.6 else "grit", kinds, (h, w), s, 1.0)
        cover = tx.sample("clouds", rng, (h, w), s, 0, 3)
        level = int(rng.integers(20, 160))
        pixels = tx.blend(under, pixels, cv2.threshold(cover, level, 255, cv2.THRESH_BINARY)[1])
    v = np.abs((np.arange(h, dtype=np.float32) + 0.5) / h * 2 - 1)[:, None]
    sheet.fill(start, mid - size / 2, stop, mid + size / 2, tx.gained(pixels, 1.08 - 0.6 * v**4))
    if size * s > 7:
        for _ in range(int((stop - start) * rng.uniform(0, 0.3))):
            kind = kinds[rng.integers(len(kinds))]
            chunk(
                rng,
                sheet,
                kind,
                rng.uniform(start, stop),
                mid + rng.normal(0, size * 0.2),
                size * rng.uniform(0.15, 0.4),
                look,
            )


def heap(rng, name, kinds, shape, s, zoom):
    """Stones of these rocks, mostly of the first, RGB of the shape."""
    both = tx.sample(name, rng, shape, s, float(rng.uniform(0, 30)), zoom)
    main = kinds[0]["colour"]
    stops = [main * rng.uniform(0.6, 1.25) for _ in range(5)] + [
        k["colour"] * rng.uniform(0.8, 1.1) for k in kinds[1:]
    ]
    table = tx.palette(
        *[np.clip(stops[k] + rng.normal(0, 5, 3), 5, 250) for k in rng.permutation(len(stops))]
    )
    light, tone = cv2.split(both)
    return cv2.multiply(tx.paint(tone, table), tx.tripled(light), scale=1 / 175)


def chunk(rng, sheet, kind, x, y, size, look):
    """One angular stone, lit from above, with a shadow and facets."""
    n = int(rng.integers(5, 9))
    t = np.sort(rng.uniform(0, 2 * np.pi, n))
    r = size * rng.uniform(0.65, 1.1, n)
    ring = np.stack([x + 1.3 * r * np.cos(t), y + r * np.sin(t)], 1)
    sheet.polygon(ring + (0.1 * size, 0.25 * size), (12, 11, 10), 0.6)
    bright = kind["colour"] * rng.uniform(0.75, 1.15)
    if size * sheet.s > 14:
        sheet.textured(ring, lambda shape: face(rng, kind, shape, sheet.s))
    else:
        sheet.polygon(ring, np.clip(bright, 0, 255))
    ridge = np.array([x, y]) + rng.normal(0, 0.25 * size, 2)
    k = int(rng.integers(0, n))
    sheet.polygon(
        np.array([ridge, ring[k], ring[(k + 1) % n], ring[(k + 2) % n]]),
        bright * 0.35,
        rng.uniform(0.3, 0.75),
    )
    if look["wet"]:
        sheet.polygon(np.array([ridge, ring[k - 1], ring[k - 2]]), (225, 235, 245), rng.uniform(0.0, 0.35))


def mud(rng, sheet, kind, start, stop, mid, size):
    """Clay or sludge: soft, shapeless, dark at its edges."""
    h, w = max(2, round(size * sheet.s)), max(2, round((stop - start) * sheet.s))
    field = tx.sample("speckle" if rng.random() < 0.4 else "rough", rng, (h, w), sheet.s, 0, 1.5)
    pixels = tx.paint(field, tx.shades(kind["colour"] * 0.8, 0.35, 6, rng))
    v = np.abs((np.arange(h, dtype=np.float32) + 0.5) / h * 2 - 1)[:, None]
    sheet.fill(start, mid - size / 2, stop, mid + size / 2, tx.gained(pixels, 1.05 - 0.5 * v**3))
