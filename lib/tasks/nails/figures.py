"""How a nail's answer is drawn on its picture, and what figures show of many."""

import numpy as np

from lib.tasks.nails.windows import spread


def draw(ax, answer, color):
    """The words; of an answer the window too, shown large, and in red where the nail is unlike good ones."""
    words = answer["label"] or "?"
    if answer.get("probability") is not None:
        words += f" {answer['probability']:.2f}"
    if answer.get("refused"):
        words += f" ({answer['refused']})"
    ax.text(0.02, 0.98 if color == "white" else 0.86, words, color=color, transform=ax.transAxes, va="top",
            weight="bold", bbox={"facecolor": "black", "alpha": 0.6, "lw": 0})
    if answer.get("window") is None:
        return
    window = np.asarray(answer["window"], float)
    ax.plot(*window[[0, 1, 2, 3, 0]].T, color=color, lw=0.8)
    _zoom(ax, window)
    if answer.get("map") is not None:
        unlike = np.array(answer["map"])
        grid = [np.linspace(0, 1, count + 1) for count in unlike.shape[::-1]]
        points = spread(window, np.stack(np.meshgrid(*grid), -1).reshape(-1, 2)).reshape(
            len(grid[1]), len(grid[0]), 2)
        ax.pcolormesh(points[..., 0], points[..., 1], unlike, color=None, cmap="Reds", vmin=0, vmax=2, lw=0,
                      alpha=np.clip((unlike - 0.8) / 1.2, 0, 0.6))


def _zoom(ax, window, room=0.25):
    """Let the axes show a window, as broad as the picture is, within the picture."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    shape = (right - left) / (bottom - top)
    low, high = window.min(0), window.max(0)
    height = max((high[1] - low[1]), (high[0] - low[0]) / shape) * (1 + room)
    middle = (low + high) / 2
    ax.set_xlim(middle[0] - height * shape / 2, middle[0] + height * shape / 2)
    ax.set_ylim(middle[1] + height / 2, middle[1] - height / 2)


def difficulty(values, chance, bad):
    """How bent the nails are, and what folds that had not seen them said: red are the wrong ones."""
    from lib.metrics import plots

    figure, axes = plots.sheet(width=7)
    bent = 100 * (np.exp(values[:, 2]) - 1e-3)  # rms distance of the middle line from a straight one
    for which, color, name in ((bad, plots.INK, "bad"), (~bad, plots.BASELINE, "good")):
        axes[0, 0].scatter(bent[which], chance[which], s=16, color=color, alpha=0.7, label=name)
    wrong = (chance > 0.5) != bad
    axes[0, 0].scatter(bent[wrong], chance[wrong], s=70, facecolor="none", edgecolor=plots.ANSWER, label="wrong")
    axes[0, 0].axhline(0.5, color="grey", lw=0.8)
    axes[0, 0].set(xscale="log", xlabel="distance from a straight line (rms), % of the length",
                   ylabel="probability of bad, held out")
    axes[0, 0].legend()
    return figure
