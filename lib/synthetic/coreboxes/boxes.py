"""The box: its measures and what it is made of.

Box coordinates are centimetres from the outer top left corner, rows along x.
"""

from dataclasses import dataclass, field

import numpy as np

from lib.synthetic.coreboxes import rocks

# name: colours to choose from (RGB), texture, contrast, how it is built
MATERIALS = {
    "new pine": (
        [(214, 176, 120), (226, 196, 146), (200, 158, 104)],
        ("wood0", "wood1", "wood2"),
        0.3,
        "boards",
    ),
    "used pine": (
        [(176, 140, 96), (160, 128, 92), (186, 146, 94)],
        ("wood0", "wood1", "wood2"),
        0.45,
        "boards",
    ),
    "grey wood": ([(140, 134, 126), (118, 112, 106), (160, 156, 150)], ("wood0", "wood2"), 0.45, "boards"),
    "dark wood": ([(92, 66, 48), (72, 54, 44), (58, 48, 42)], ("wood0", "wood2"), 0.5, "boards"),
    "white wood": ([(222, 218, 208), (206, 200, 186)], ("wood2", "ply"), 0.15, "boards"),
    "painted wood": (
        [(70, 96, 140), (150, 60, 48), (186, 160, 60), (92, 112, 120)],
        ("wood2", "ply"),
        0.3,
        "boards",
    ),
    "plywood": ([(206, 170, 122), (190, 150, 106)], ("ply",), 0.25, "boards"),
    "grey plastic": (
        [(128, 132, 136), (98, 102, 108), (160, 162, 164)],
        ("scratches", "clouds"),
        0.15,
        "tray",
    ),
    "white plastic": ([(226, 228, 226), (206, 208, 204)], ("scratches", "clouds"), 0.1, "tray"),
    "black plastic": ([(40, 42, 44), (58, 60, 62)], ("scratches", "clouds"), 0.3, "tray"),
    "yellow plastic": ([(216, 178, 52), (204, 150, 44)], ("scratches", "clouds"), 0.15, "tray"),
    "blue plastic": ([(58, 96, 152), (82, 122, 168)], ("scratches", "clouds"), 0.2, "tray"),
    "galvanised": (
        [(168, 174, 178), (146, 152, 158), (190, 196, 198)],
        ("scratches", "speckle"),
        0.22,
        "sheet",
    ),
    "rusty steel": ([(128, 92, 68), (110, 76, 58), (140, 116, 96)], ("rough", "speckle"), 0.5, "sheet"),
    "dull steel": ([(104, 106, 106), (84, 86, 88)], ("scratches", "rough"), 0.3, "sheet"),
    "cardboard": ([(186, 150, 108), (168, 132, 92)], ("clouds", "ply"), 0.15, "card"),
    "waxed white card": ([(214, 208, 196), (196, 188, 172)], ("clouds", "scratches"), 0.12, "card"),
}

HELD_OUT_MATERIALS = {
    "red plastic": ([(176, 60, 48), (150, 52, 46)], ("scratches", "clouds"), 0.18, "tray"),
    "sea green plastic": ([(86, 146, 132), (64, 120, 104)], ("scratches", "clouds"), 0.18, "tray"),
    "aluminium": ([(196, 200, 206), (180, 184, 192)], ("scratches",), 0.2, "sheet"),
    "army green wood": ([(86, 92, 62), (70, 80, 58)], ("wood2", "ply"), 0.3, "boards"),
    "red hardwood": ([(142, 82, 58), (124, 70, 50)], ("wood0", "wood1"), 0.4, "boards"),
    "grey board": ([(150, 148, 142), (132, 130, 124)], ("clouds", "rough"), 0.15, "card"),
}

ROW_ODDS = {1: 0.04, 2: 0.09, 3: 0.25, 4: 0.19, 5: 0.16, 6: 0.09, 7: 0.05, 8: 0.05, 9: 0.04, 10: 0.04}

BUILDS = {  # chance, thinnest and widest slat, side board, end board; depth in core diameters
    "boards": ((0.6, 2.4), (0.8, 2.8), (1.0, 3.4), (0.9, 1.6)),
    "tray": ((0.3, 1.4), (0.4, 2.2), (0.5, 5.0), (0.6, 1.1)),
    "sheet": ((0.15, 0.9), (0.15, 1.4), (0.15, 2.6), (0.6, 1.1)),
    "card": ((0.2, 0.6), (0.3, 1.0), (0.3, 1.2), (0.9, 1.3)),
}


@dataclass
class Box:
    """Measures (cm) and make of one box."""

    length: float
    breadth: float
    rows: list
    ends: tuple
    depth: float
    core: float
    slat_drop: float
    material: str
    colour: np.ndarray
    texture: str
    contrast: float
    build: str
    round: float
    habit: str
    kinds: list
    look: dict
    extra: dict = field(default_factory=dict)

    def outer(self):
        """Outer corners, clockwise from the box's own top left."""
        a, b = self.length, self.breadth
        return np.array([[0, 0], [a, 0], [a, b], [0, b]], float)

    def inner(self):
        """Inner edge of the frame at the rim."""
        (x0, x1), y0, y1 = self.ends, self.rows[0][0], self.rows[-1][1]
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)

    def row_polygons(self):
        """Each row at the rim, between its slats: (rows, 4, 2)."""
        x0, x1 = self.ends
        return np.array([[[x0, a], [x1, a], [x1, b], [x0, b]] for a, b in self.rows], float)


def measure(rng, shifted=False, aspect=None, row_nb=None):
    """A box of likely measures; `aspect` (length over breadth) is kept where it can be."""
    table = HELD_OUT_MATERIALS if shifted else MATERIALS
    odds = np.array([{"boards": 2.2, "tray": 1.0, "sheet": 1.2, "card": 1.0}[v[3]] for v in table.values()])
    material = str(rng.choice(list(table), p=odds / odds.sum()))
    colours, textures, contrast, build = table[material]
    colour = np.array(colours[rng.integers(len(colours))], float) * np.exp(rng.normal(0, 0.09)) + rng.normal(
        0, 3, 3
    )
    row_nb = row_nb or int(rng.choice(list(ROW_ODDS), p=list(ROW_ODDS.values())))
    aspect = aspect or float(np.exp(rng.normal(np.log(3.2 if row_nb < 5 else 2.2), 0.35)))
    slats, sides, ends, depths = BUILDS[build]
    slat, side, end = (float(rng.uniform(*v)) for v in (slats, sides, ends))
    other_end = end if rng.random() < 0.7 else float(rng.uniform(*ends))
    core, channel = core_size(rng, row_nb, slat, side, aspect)
    y = (
        side
        + np.arange(row_nb) * (channel + slat)
        + np.concatenate([[0], rng.normal(0, 0.03, row_nb - 1)]) * channel
    )
    rows = [(float(v), float(v + channel)) for v in y]
    breadth = rows[-1][1] + side * (1 if rng.random() < 0.8 else rng.uniform(0.6, 1.6))
    length = float(np.clip(breadth * np.clip(aspect, 0.5, 5.0), max(22, 0.5 * breadth), max(22, 5 * breadth)))
    end, other_end = min(end, length * 0.06), min(other_end, length * 0.06)
    drop = float(rng.uniform(0, 0.5) * core) if rng.random() < 0.25 else 0.0
    habit = str(rng.choice(["whole", "broken", "mixed", "rubble", "empty"], p=[0.26, 0.24, 0.33, 0.14, 0.03]))
    look = {
        "wet": float(rng.uniform(0.15, 0.7)) if rng.random() < 0.45 else 0.0,
        "halved": rng.random() < 0.16,
        "sun": float(rng.uniform(-0.5, 0.8)),
    }
    kinds = [rocks.rock(rng, shifted)]
    for _ in range(int(rng.integers(0, 3))):
        kinds.append(rocks.kin(rng, kinds[0]) if rng.random() < 0.7 else rocks.rock(rng, shifted))
    return Box(
        length,
        breadth,
        rows,
        (end, length - other_end),
        core * rng.uniform(*depths),
        core,
        drop,
        material,
        np.clip(colour, 20, 245),
        str(rng.choice(textures)),
        contrast * rng.uniform(0.6, 1.2),
        build,
        float(rng.uniform(0.2, 1.1)) if build == "tray" and rng.random() < 0.6 else 0.0,
        habit,
        kinds,
        look,
    )


def core_size(rng, row_nb, slat, side, aspect):
    """Diameter of the core and breadth of its channel, cm: drillers' sizes, boxes of about a metre likelier."""
    sizes = np.array([3.65, 4.76, 6.35, 8.5])
    channels = sizes * (rng.uniform(1.02, 1.18) if rng.random() < 0.65 else rng.uniform(1.1, 1.4))
    lengths = aspect * (row_nb * (channels + slat) + 2 * side)
    odds = np.array([0.12, 0.42, 0.36, 0.1]) * np.exp(-2.5 * np.abs(np.log(lengths / 100)))
    k = rng.choice(4, p=odds / odds.sum())
    return float(sizes[k]), float(channels[k])


def snap(box, s):
    """The box with its outer measures rounded to whole sheet pixels, so that its edges are exact."""
    length, breadth = round(box.length * s) / s, round(box.breadth * s) / s
    box.ends = (box.ends[0], box.ends[1] + length - box.length)
    kx = (breadth) / box.breadth
    box.rows = [(a * kx, b * kx) for a, b in box.rows]
    box.length, box.breadth = length, breadth
    return box
