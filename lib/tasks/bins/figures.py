"""What figures show of counts, and how one is drawn."""

import numpy as np

# Accuracy on the real data set, 0 to 5 items; the best one's RMSE is 0.90.
PUBLISHED = {"the original, on real bins": 0.33, "best known, on real bins": 0.562}


def charts(truths, answers, classes, perfect):
    """Confusion, accuracy of the surest, and calibration; `perfect` is the accuracy of an oracle, NaN if not known."""
    known = [(truth, answer) for truth, answer in zip(truths, answers, strict=True) if answer is not None]
    if not known:
        return {}
    counts, found, sure = np.array([(truth["count"], answer["count"], answer["probability"])
                                    for truth, answer in known]).T
    from lib.metrics import plots

    surest = plots.selective(sure, found == counts)
    for (name, level), style in zip((PUBLISHED | {"an oracle": perfect}).items(), (":", "-.", "--"),
                                    strict=True):
        if np.isfinite(level):
            surest.axes[0].axhline(level, color="black", lw=1, ls=style, label=f"{name}: {level:.3g}")
    surest.axes[0].set(ylim=(0, 1.02))
    surest.axes[0].legend(loc="lower left", fontsize=8)
    return {"counts": plots.confusion(list(counts.astype(int)), list(found.astype(int)), list(classes)),
            "surest": surest, "calibrated": plots.calibrated(sure, found == counts, "the right count")}


def draw(ax, answer, color):
    """The count, and how probable it is, on axes that show the picture."""
    words = f"{answer['count']}" + (f"  ({answer['probability']:.0%})" if "probability" in answer else "")
    ax.text(0.02, 0.98 if color == "white" else 0.86, words, color=color, transform=ax.transAxes, va="top",
            weight="bold", bbox={"facecolor": "black", "alpha": 0.6, "lw": 0})


def chart(axes, table, classes):
    """How many pictures have which count, by split."""
    counts = table.groupby(["count", "split"]).size().unstack(fill_value=0).reindex(classes, fill_value=0)
    counts.plot.bar(ax=axes[0], stacked=True, rot=0, xlabel="items", ylabel="pictures")
    (counts / counts.sum()).plot.bar(ax=axes[1], rot=0, xlabel="items", ylabel="part of the split", legend=False)
