"""How boats are drawn on their picture, and what figures show of many."""

import json

import numpy as np

from lib.tasks.boats import detection


def draw(ax, answer, shown, color):
    """The boxes of an answer that are `shown`, on axes that show its picture."""
    from matplotlib.patches import Rectangle

    first = color == "white"  # the truth is drawn first, and wider, so that both are seen where they agree
    for (x0, y0, x1, y1), score in zip(shown["boxes"], shown["scores"], strict=True):
        ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec=color, lw=2.5 if first else 1.2))
        if "scores" in answer:
            ax.annotate(f"{score:.2f}", (x0, y0), (0, 2), textcoords="offset points", color=color, fontsize=7)
    for x0, y0, x1, y1 in answer.get("crowds", ()):
        ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec=color, lw=1, ls=":"))


def precision_recall(pairs, count):
    """Precision over recall at three limits of overlap."""
    figure, (ax,) = _figure(1)
    scores = np.concatenate([scores for _, scores in pairs])
    for at, style in ((0, "-"), (5, "--"), (8, ":")):
        line = detection.curve(np.concatenate([lines[at] for lines, _ in pairs]), scores, count)
        if line is not None:
            ax.plot(detection.RECALLS, line, style, color="red", label=f"IoU {detection.LIMITS[at]:.2f}: {line.mean():.3f}")
    ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.03))
    ax.legend(loc="lower left")
    return figure


def overlaps(found, sides):
    """IoU of each true box with its answer, and by how large the box is (px, the root of its area)."""
    figure, (left, right) = _figure(2)
    left.hist(found, np.linspace(0, 1, 21), color="red")
    left.set(xlabel="overlap (IoU) with the answer", ylabel="true boxes")
    right.scatter(sides, found, s=12, alpha=0.5, color="red")
    right.set(xlabel="side of the true box, px (root of its area)", ylabel="overlap (IoU)", ylim=(-0.03, 1.03))
    right.set_xscale("log", base=2)
    right.xaxis.set_major_formatter("{x:.0f}")
    return figure


def chart(axes, table):
    """How large the boxes are, as parts of their pictures, and how many a picture has."""
    every = [detection.array(json.loads(text)) / ([wide, high] * 2)
             for text, wide, high in zip(table["boxes"], table["width"], table["height"], strict=True)]
    sides = np.concatenate([each[:, 2:] - each[:, :2] for each in every])
    axes[0].scatter(*sides.T, s=10, alpha=0.5)
    axes[0].set(xlabel="width / picture's", ylabel="height / picture's", xscale="log", yscale="log")
    counts = np.bincount([len(each) for each in every])
    axes[1].bar_label(axes[1].bar(range(len(counts)), counts))
    axes[1].set(xlabel="boats in a picture", ylabel="pictures")


def _figure(columns):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5 * columns + 1, 3.6), layout="constrained")
    return figure, np.atleast_1d(figure.subplots(1, columns))
