"""Figures of answers that are probabilities, for the tasks that have such: closed, answers in red, baselines in ochre."""

import numpy as np

from lib.metrics import calibration

ANSWER, BASELINE, INK = "red", "#b0892f", "#33415c"


def sheet(columns=1, width=4.6, height=4.0, rows=1):
    """A closed figure and its axes, (rows, columns) of them."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(rows, columns, figsize=(width * columns, height * rows), squeeze=False,
                                layout="constrained")
    plt.close(figure)  # a figure left open is shown twice
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def roc(scores, happened, name="bad"):
    """How many false alarms a higher share of hits costs, for every threshold on `scores`; chance is the diagonal."""
    scores, happened = np.asarray(scores, float), np.asarray(happened, bool)
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # equal scores are taken together
    hits, alarms = np.cumsum(happened[order])[last], np.cumsum(~happened[order])[last]
    figure, axes = sheet()
    axes[0, 0].plot([0, 1], [0, 1], color=BASELINE, lw=1, label="chance")
    axes[0, 0].step([0, *alarms / max((~happened).sum(), 1)], [0, *hits / max(happened.sum(), 1)], where="post",
                    color=ANSWER, label=f"area {calibration.ranking(scores, happened):.3f}")
    axes[0, 0].set(xlabel=f"share of the others taken for {name}", ylabel=f"share of {name} found", xlim=(-0.02, 1.02),
                   ylim=(-0.02, 1.02))
    axes[0, 0].legend(loc="lower right")
    return figure


def calibrated(probabilities, happened, name="bad", bins=10):
    """Whether of the pictures with probability p a share p is so; and how many pictures have which."""
    table = calibration.reliability(probabilities, happened, bins)
    figure, axes = sheet(2)
    axes[0, 0].plot([0, 1], [0, 1], color=BASELINE, lw=1, label="as it should be")
    axes[0, 0].plot(table[:, 0], table[:, 1], "o-", color=ANSWER,
                    label=f"error {calibration.error(probabilities, happened, bins):.3f}")
    axes[0, 0].set(xlabel=f"probability of {name}", ylabel=f"share that was {name}", xlim=(0, 1), ylim=(-0.02, 1.02))
    axes[0, 0].legend(loc="upper left")
    happened = np.asarray(happened, bool)
    edges = np.linspace(0, 1, 21)
    axes[0, 1].hist([np.asarray(probabilities)[happened], np.asarray(probabilities)[~happened]], edges, stacked=True,
                    color=[INK, BASELINE], label=[name, f"not {name}"])
    axes[0, 1].set(xlabel=f"probability of {name}", ylabel="pictures")
    axes[0, 1].legend()
    return figure


def confusion(truths, answers, classes):
    """How many of each class were given which answer; `answers` may hold others than the classes (unsure, no nail)."""
    columns = [*classes, *sorted({*answers} - {*classes})]
    counts = np.array([[sum(t == true and a == answer for t, a in zip(truths, answers, strict=True))
                        for answer in columns] for true in classes])
    figure, axes = sheet(width=1.6 + 1.1 * len(columns), height=1.2 + 0.9 * len(classes))
    ax = axes[0, 0]
    ax.imshow(counts, cmap="Greys", vmin=0, vmax=max(counts.max() * 2.5, 1))
    for (row, column), count in np.ndenumerate(counts):
        ax.text(column, row, str(count), ha="center", va="center", fontsize=13,
                color="black" if classes[row] == columns[column] or not count else ANSWER)
    ax.set(xlabel="answer", ylabel="truth", xticks=range(len(columns)), yticks=range(len(classes)))
    ax.set_xticklabels(columns)
    ax.set_yticklabels(classes)
    return figure


def selective(certainty, right):
    """The accuracy that is left when the least certain pictures are not decided: over the share that is."""
    order = np.argsort(-np.asarray(certainty, float), kind="stable")
    right = np.asarray(right, float)[order]
    kept = np.arange(1, len(right) + 1)
    figure, axes = sheet()
    axes[0, 0].axhline(right.mean(), color=BASELINE, lw=1, label=f"all decided: {right.mean():.3f}")
    axes[0, 0].plot(kept / len(right), np.cumsum(right) / kept, color=ANSWER, label="the most certain decided")
    axes[0, 0].set(xlabel="share of the pictures that is decided", ylabel="accuracy among them", xlim=(0, 1.02),
                   ylim=(min(0.5, right.mean()), 1.01))
    axes[0, 0].legend(loc="lower left")
    return figure


def bars(lines, xlabel, least=0.0):
    """Values with their intervals: lines of (name, value, low, high); the first ones are baselines but for the last."""
    figure, axes = sheet(width=7, height=0.9 + 0.45 * len(lines))
    ax = axes[0, 0]
    names, values, low, high = zip(*lines, strict=True)
    colors = [BASELINE] * (len(lines) - 1) + [ANSWER]
    ax.barh(names, values, color=colors, xerr=[np.subtract(values, low).clip(0), np.subtract(high, values).clip(0)],
            capsize=3)
    for at, value in enumerate(values):
        ax.text(least + 0.01 * (1 - least), at, f"{value:.3f}", va="center", color="white", weight="bold")
    ax.invert_yaxis()
    ax.set(xlabel=xlabel, xlim=(least, 1.0))
    return figure


def curve(sizes, wrong, guess, known, xlabel="pictures learned from"):
    """A learning curve (sizes, rounds) with its band of 80 % of the rounds, and a law fitted to the first `known` sizes.

    The law is drawn on to four times the largest size; the sizes it has not seen are hollow.
    """
    wrong = np.asarray(wrong)
    low, high = np.quantile(wrong, [0.1, 0.9], axis=1)
    figure, axes = sheet(width=6.5)
    ax = axes[0, 0]
    ax.fill_between(sizes, low, high, color=INK, alpha=0.15, lw=0, label="80 % of the rounds")
    middle = wrong.mean(1)
    ax.plot(sizes[:known], middle[:known], "o", color=INK, label="mean")
    ax.plot(sizes[known:], middle[known:], "o", mfc="white", color=INK, label="mean, not shown to the law")
    far = np.geomspace(sizes[0], 4 * sizes[-1], 80)
    ax.plot(far, guess(far), color=ANSWER, label="law, fitted to the full dots")
    ax.set(xscale="log", xlabel=xlabel, ylabel="share that is wrong", ylim=(0, None))
    ax.set_xticks([*sizes, 4 * sizes[-1]])
    ax.set_xticklabels([f"{each:g}" for each in [*sizes, 4 * sizes[-1]]], fontsize=8)
    ax.minorticks_off()
    ax.legend(fontsize=8)
    return figure


def corrupted(table, clean, ylabel="accuracy"):
    """What is left under each corruption: {kind: (unit, amounts, values)}, beside the value `clean` without any."""
    columns = min(3, len(table))
    figure, axes = sheet(columns, 3.6, 2.8, -(-len(table) // columns))
    for ax in axes.flat[len(table):]:
        ax.axis("off")
    for ax, (kind, (unit, amounts, values)) in zip(axes.flat, table.items(), strict=False):
        ax.axhline(clean, color=BASELINE, lw=1)
        ax.plot(range(len(amounts)), values, "o-", color=ANSWER)
        ax.set(title=kind, xlabel=unit, ylabel=ylabel, ylim=(0, 1.03), xticks=range(len(amounts)))
        ax.set_xticklabels([f"{each:g}" for each in amounts])
    return figure
