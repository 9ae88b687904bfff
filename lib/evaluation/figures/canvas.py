"""Axes, grids of axes, and a picture with labels and answers drawn on it, readable on any picture."""

import numpy as np

from lib.data import dataset

TRUTH, ANSWER = "white", "red"
INK = "#33415c"
BASELINE = "#b0892f"
EDGE = "black"           # around what is drawn on a picture, so that it is seen on white and on red too
WIDTH = 11.0             # inches of a figure
LETTER = 0.075           # inches of a letter of a caption


def axes(rows, columns, width, height, **options):
    """A closed figure and its axes (rows, columns); width and height in inches."""
    import matplotlib.pyplot as plt

    figure, found = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained", **options)
    plt.close(figure)  # a figure left open is shown twice
    return figure, found


def grid(count, columns=3, tall=0.75):
    """A closed figure and at least `count` axes without frames, in rows of at most `columns`; `tall` is height by width."""
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    figure, found = axes(rows, columns, WIDTH, rows * WIDTH / columns * tall)
    for ax in found.flat:
        ax.axis("off")
    return figure, found.flat


def tall(rows):
    """Height by width of a cell that suits most of these pictures, with room for two lines above."""
    return float(np.median([row["height"] / row["width"] for row in rows])) + 0.12


def caption(name, columns=3):
    """A picture's name as it fits above one of `columns` pictures: its middle left out where it is long."""
    most = int(WIDTH / columns / LETTER) - 4
    end = max(4, most // 2 - 2)
    return name if len(name) <= most else f"{name[:most - end - 1]}…{name[-end:]}"


def small(job, row, side=1000):
    """The picture of a row, decoded no larger than a figure needs."""
    return dataset.read_picture(job, row, at_least=(side, side))


def show(ax, picture):
    """Show a Picture on axes in the coordinates of its full size, whatever it was reduced to."""
    width, height = picture.size
    ax.imshow(picture.pixels, extent=(0, width, height, 0), interpolation="antialiased")
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    ax.axis("off")


def overlay(job, picture, truth=None, answer=None, title="", ax=None):
    """One picture with the truth in white and the answer in red; the figure, where no axes are given."""
    figure = None
    if ax is None:
        figure, found = axes(1, 1, 9, 9 * picture.size[1] / picture.size[0] + 0.3)
        ax = found[0, 0]
    show(ax, picture)
    draw(job, ax, truth, answer)
    ax.set_title(title, fontsize=9, loc="left")
    return figure


def draw(job, ax, truth=None, answer=None):
    """Draw a truth and an answer on axes that show their picture, each line and text with a dark edge."""
    for values, color in ((truth, TRUTH), (answer, ANSWER)):
        if values is not None:
            job.draw(ax, values, color)
    outline(ax)


def outline(ax):
    """Give lines, frames and texts on axes a dark edge, and keep the texts inside the frame."""
    from matplotlib.patheffects import Normal, Stroke

    for artist in (*ax.lines, *ax.patches, *ax.texts):
        wide = 2.0 if artist in ax.texts else artist.get_linewidth() + 1.4
        artist.set_path_effects([Stroke(linewidth=wide, foreground=EDGE, alpha=0.7), Normal()])
    for text in ax.texts:
        if hasattr(text, "xyann") and text.get_va() != "center":   # beside a point of the picture
            _inside(ax, text)


def _inside(ax, text):
    """Move a text whose anchor is a point of the picture inside the frame, on that side of it where there is more room."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    x, y = np.clip(text.xy, [min(left, right), min(bottom, top)], [max(left, right), max(bottom, top)])
    across, down = (x - left) / (right - left), (y - top) / (bottom - top)
    offset = abs(text.xyann[1])
    text.xy, text.xyann = (x, y), (text.xyann[0], offset if down > 0.1 else -offset)
    text.set_verticalalignment("bottom" if down > 0.1 else "top")
    if not 0.15 < across < 0.85:
        text.set_horizontalalignment("left" if across < 0.5 else "right")
