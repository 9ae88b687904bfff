"""How corners are drawn on their picture, and what figures show of many."""

import numpy as np

from lib.imaging import geometry
from lib.tasks.corners import scoring
from lib.tasks.corners.labels import box_of, boxes_of, points

CORNERS = ("TL", "TR", "BR", "BL")   # in the order of a label


def draw(ax, answer, color):
    """The frames and the rows of all boxes, on axes that show their picture; of a label of one box the names of its corners too.

    Several boxes are numbered in reading order. A box that the picture's frame cuts is dashed.
    """
    boxes = [box for box in boxes_of(answer) if box.get("p1x") is not None]
    for at, box in enumerate(boxes, 1):
        _draw_box(ax, box, color, f"{at}" if len(boxes) > 1 else "")


def _draw_box(ax, box, color, number):
    corners = points(box)
    first = color == "white"  # the truth is drawn first, and wider, so that both are seen where they agree
    style = {"ls": "--"} if box.get("cut") else {}
    ax.plot(*np.vstack([corners, corners[:1]]).T, color=color, lw=3 if first else 1.2, **style)
    inward = np.sign(corners.mean(0) - corners) * (9, -9)   # points, y upwards
    for name, corner, shift in zip(CORNERS if first and not number else (), corners, inward, strict=False):
        ax.annotate(name, corner, shift, textcoords="offset points", color=color, ha="center", va="center", fontsize=7)
    rows = [f"{box['row_nb']} rows"] if box.get("row_nb") is not None else []
    words = ": ".join([number] * bool(number) + rows)
    if words:
        at = corners[0] + (corners[1] - corners[0]) * (0.3 if first else 0.7)   # on the upper side, beside each other
        ax.annotate(words, at, (0, 4), textcoords="offset points", color=color, ha="center", weight="bold", fontsize=8)


def radius(truths, answers, numbers):
    """How far the radius can be believed: each corner's distance from its label beside the radius stated for it.

    `numbers` are those of the calibration, None where there is none; so is the figure where no answer states a radius.
    """
    pairs = [(points(scoring.nearest(truth, answer)), points(answer), np.array(answer["radius"]))
             for truth, answer in zip(truths, answers, strict=True) if answer and answer.get("radius")]
    lines = [(100 / geometry.diagonal(wanted), stated, geometry.errors(wanted, found)) for wanted, found, stated in pairs]
    if not lines:
        return None
    from matplotlib.figure import Figure

    stated, apart = (np.maximum(np.concatenate([line[0] * line[at] for line in lines]), 1e-3) for at in (1, 2))
    figure = Figure(figsize=(5.5, 4.5), layout="constrained")
    ax = figure.subplots()
    ends = [min(stated.min(), apart.min()) / 1.5, max(stated.max(), apart.max()) * 1.5]
    ax.loglog(stated, apart, ".", color="red", alpha=0.5)
    ax.loglog(ends, ends, color="#33415c", lw=1)
    coverage = f", {numbers['coverage']:.0%} stated" if numbers else ""
    ax.set(xlabel="radius stated, % of the box's diagonal", ylabel="distance from the label, % of the diagonal",
           title=f"{(apart <= stated).mean():.0%} of {len(stated)} corners lie within their radius{coverage}")
    ax.title.set_fontsize(10)
    return figure


def chart(axes, table):
    """Where the corners of all boxes lie, as parts of their pictures, and how many rows the boxes hold."""
    rows = table.to_dict("records")
    boxes = [box_of(box) | {"size": (row["width"], row["height"])} for row in rows for box in boxes_of(row)]
    places = np.array([points(box) / box["size"] for box in boxes])
    colors = ("tab:red", "tab:orange", "tab:green", "tab:blue")
    for at, (name, color) in enumerate(zip(CORNERS, colors, strict=True)):
        axes[0].scatter(*places[:, at].T, s=12, alpha=0.6, color=color, label=name)
    axes[0].set(xlabel="x, share of the width", ylabel="y, share of the height", xlim=(-0.05, 1.05), ylim=(1.05, -0.05))
    axes[0].legend(ncols=4, fontsize=8)
    axes[1].axis("off")
    if "row_nb" in table:
        axes[1].axis("on")
        values, counts = np.unique([box["row_nb"] for box in boxes], return_counts=True)
        axes[1].bar_label(axes[1].bar(values, counts))
        axes[1].set(xlabel="rows of core in the box", ylabel="pictures" if len(boxes) == len(rows) else "boxes", xticks=values)
