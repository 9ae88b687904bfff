"""Who lies where in a bin: as text in a label, and as the maps that the network learns."""

import string

import numpy as np

CELL = 8       # px of the input to a cell of the maps
SPREAD = 1.0   # cells: standard deviation of the peak at an item's middle
FAR = 4.0      # cells: the unit of the way to an item's middle
LAYOUT = (40, 30)   # columns and rows of what a row of labels says of who lies where
NAMES = string.ascii_letters   # of items there


def layout(owner, seen):
    """LAYOUT as text: which of the items `seen` shows in the middle of each cell of a map of owners (h, w)."""
    names = np.array([*NAMES, "."])
    at = [((np.arange(count) + 0.5) * side / count).astype(int) for count, side in zip(LAYOUT[::-1], owner.shape, strict=True)]
    cells = owner[np.ix_(*at)]
    return " ".join("".join(line) for line in names[np.where(np.isin(cells, seen), cells, -1)])


def maps(row, matrix, grid):
    """The maps `places` and `parts` (see Bins.encode) of a row whose picture was moved into the input by a matrix (2, 3).

    `grid` are the rows and columns of the maps.
    """
    rows, columns = grid
    places, parts = np.zeros((rows, columns, 2), np.float32), np.zeros((rows, columns, 4), np.float32)
    if not row.get("layout"):
        return {"places": places, "parts": parts}
    places[..., 1] = parts[..., 3] = 1
    known = np.array([list(line) for line in row["layout"].split()])
    unit = np.array((row["width"], row["height"])) / LAYOUT   # px of the picture to a letter
    cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1) + 0.5
    back = (cells * CELL - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T / unit
    there = np.clip(np.floor(back).astype(int), 0, np.array(LAYOUT) - 1)
    owner = np.where(((back >= 0) & (back < LAYOUT)).all(-1), known[there[..., 1], there[..., 0]], ".")
    for name in set(known.flat) - {"."}:
        middle = (np.argwhere(known == name)[:, ::-1].mean(0) + 0.5) * unit
        middle = (matrix[:, :2] @ middle + matrix[:, 2]) / CELL
        away = cells - np.floor(np.clip(middle, 0.5, np.array((columns, rows)) - 0.5)) - 0.5
        places[..., 0] = np.maximum(places[..., 0], np.exp(-(away**2).sum(-1) / 2 / SPREAD**2))
        mine = owner == name
        parts[mine, :2], parts[mine, 2] = (middle - cells[mine]) / FAR, 1
    return {"places": places, "parts": parts}
