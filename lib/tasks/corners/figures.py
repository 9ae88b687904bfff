"""How corners are drawn on their picture, and what figures show of many."""

import numpy as np

from lib.imaging import geometry
from lib.tasks.corners.labels import points


def draw(ax, answer, color):
    """The frame and the rows of an answer, on axes that show its picture."""
    if answer.get("p1x") is None:
        return
    corners = points(answer)
    first = color == "white"  # the truth is drawn first, and wider, so that both are seen where they agree
    ax.plot(*np.vstack([corners, corners[:1]]).T, color=color, lw=3 if first else 1.2)
    if "row_nb" in answer:
        ax.annotate(f"{answer['row_nb']} rows", corners[0 if first else 1], (0, 4), textcoords="offset points",
                    color=color, ha="left" if first else "right", weight="bold", fontsize=8)


def radius(truths, answers, numbers):
    """How far the radius can be believed: each corner's distance from its label beside the radius stated for it.

    `numbers` are those of the calibration, None where there is none; so is the figure where no answer states a radius.
    """
    lines = [(100 / geometry.diagonal(points(truth)), np.array(answer["radius"]),
              geometry.errors(points(truth), points(answer)))
             for truth, answer in zip(truths, answers, strict=True) if answer and answer.get("radius")]
    if not lines:
        return None
    from matplotlib.figure import Figure

    stated, apart = (np.maximum(np.concatenate([line[0] * line[at] for line in lines]), 1e-3) for at in (1, 2))
    figure = Figure(figsize=(5.5, 4.5), layout="constrained")
    ax = figure.subplots()
    ends = [min(radius.min(), apart.min()) / 1.5, max(stated.max(), apart.max()) * 1.5]
    ax.loglog(stated, apart, ".", color="red", alpha=0.5)
    ax.loglog(ends, ends, color="#33415c", lw=1)
    coverage = f", {numbers['coverage']:.0%} stated" if numbers else ""
    ax.set(xlabel="radius stated, % of the box's diagonal", ylabel="distance from the label, % of the diagonal",
           title=f"{(apart <= stated).mean():.0%} of {len(stated)} corners lie within their radius{coverage}")
    ax.title.set_fontsize(10)
    return figure


def chart(axes, table):
    """Where the corners lie, as parts of their pictures, and how many rows the boxes hold."""
    for number, color in zip((1, 2, 3, 4), ("tab:red", "tab:orange", "tab:green", "tab:blue"), strict=True):
        axes[0].scatter(table[f"p{number}x"] / table["width"], table[f"p{number}y"] / table["height"], s=12,
                        alpha=0.6, color=color, label=f"p{number}")
    axes[0].set(xlabel="x / width", ylabel="y / height", xlim=(-0.05, 1.05), ylim=(1.05, -0.05))
    axes[0].legend(ncols=4, fontsize=8)
    axes[1].axis("off")
    if "row_nb" in table:
        axes[1].axis("on")
        counts = table["row_nb"].value_counts().sort_index()
        axes[1].bar_label(axes[1].bar(counts.index, counts))
        axes[1].set(xlabel="core number: rows of core in the box", ylabel="pictures", xticks=counts.index)
