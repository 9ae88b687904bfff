"""How labels are drawn on their picture, and what figures show of many."""

import numpy as np

from lib.tasks.tags.thresholds import average_precision
from lib.tasks.tags.tree import APART


def draw(ax, answer, color, tree):
    """The labels that no other implies, on axes that show the picture."""
    names = tree.leaves([name for name in answer["labels"] if name in tree.names])
    left = color == "white"
    names = [*names[:9], f"and {len(names) - 9} more"] if len(names) > 10 else names or ["no label"]
    ax.text(0.02 if left else 0.98, 0.98, "\n".join(names), color=color, transform=ax.transAxes, fontsize=8,
            ha="left" if left else "right", va="top", bbox={"facecolor": "black", "alpha": 0.6, "lw": 0})


def chart(axes, table, tree):
    """How often each label stands, children below their parents, and how many labels a picture has."""
    there = [set(labels.split(APART)) for labels in table["labels"]]
    counts = {name: sum(name in names for names in there) for name in tree.names}
    shown = [name for name in tree.nested() if counts[name]]
    if len(shown) > 40:
        often = sorted(shown, key=lambda name: -counts[name])[:40]
        shown = [name for name in shown if name in often]
    axes[0].barh([f"{name}{'    ' * len(tree.above[name])}" for name in shown], [counts[name] for name in shown],
                 color=["#33415c" if tree.above[name] else "#b0892f" for name in shown])
    axes[0].invert_yaxis()
    axes[0].tick_params(axis="y", labelsize=8 if len(shown) < 20 else 6)
    axes[0].set(xlabel="pictures", title=f"{len(shown)} of {len(tree.names)} labels; parents in ochre")
    counts = [len(tree.leaves(names)) for names in there]
    axes[1].hist(counts, bins=np.arange(0.5, max(counts) + 1), rwidth=0.9, color="#33415c")
    axes[1].set(xlabel="labels of a picture, without their parents", ylabel="pictures")


def precision_recall(figure, true, chances, names):
    """Precision over recall of all decisions together, and the average precision of each label beside its share."""
    curve, bars = figure.subplots(1, 2)
    order = np.argsort(-chances, axis=None, kind="stable")
    right = np.cumsum(true.ravel()[order])
    curve.plot(right / max(1, right[-1]), right / np.arange(1, len(right) + 1), color="red")
    curve.axhline(true.mean(), color="#b0892f", ls="--", label="chance")
    curve.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    curve.legend()
    shown = [n for n in np.argsort(-true.sum(0), kind="stable")[:30] if true[:, n].any()]
    names = [f"{names[n]} ({true[:, n].sum()})" for n in shown]
    bars.barh(names, [average_precision(true[:, n], chances[:, n]) for n in shown], color="red", label="model")
    bars.plot([true[:, n].mean() for n in shown], names, "|", ms=9, mew=2, color="#b0892f", label="chance")
    bars.invert_yaxis()
    bars.tick_params(axis="y", labelsize=7)
    bars.set(xlabel="average precision", xlim=(0, 1))
    bars.legend(loc="lower left")
    return figure


def calibration(figure, true, chances):
    """How often a label is there where its probability is so and so: on the diagonal, it can be believed."""
    ax = figure.subplots()
    bins = np.clip((chances * 10).astype(int), 0, 9)
    full = [n for n in range(10) if (bins == n).any()]
    ax.plot([0, 1], [0, 1], color="#b0892f", ls="--", label="can be believed")
    ax.plot([chances[bins == n].mean() for n in full], [true[bins == n].mean() for n in full], "o-", color="red", label="model")
    gap = sum(abs(chances[bins == n].sum() - true[bins == n].sum()) for n in full) / len(true)
    ax.set(xlabel="probability", ylabel="share of labels that are there", title=f"calibration error {gap:.3f}")
    ax.legend()
    return figure
