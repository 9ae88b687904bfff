"""Figures of notebook 01: which rows were kept, where their labels lie, what the network will see."""

import numpy as np

from lib.data import dataset
from lib.evaluation.figures.canvas import BASELINE, INK, axes, caption, grid, overlay, small, tall
from lib.tasks.contract import Reported


def dropped(gathered):
    """How many rows were kept, and why the others were not."""
    reasons = gathered.dropped["reason"].value_counts()
    names = ["kept", *reasons.index]
    counts = [gathered.counts["kept"], *reasons]
    figure, found = axes(1, 1, 8, 0.7 + 0.4 * len(names))
    ax = found[0, 0]
    ax.bar_label(ax.barh(names, counts, color=[INK] + [BASELINE] * len(reasons)), padding=4)
    ax.invert_yaxis()
    ax.margins(x=0.1)
    ax.set_xlabel("rows of the table")
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def labels(job, table, number=6):
    """Labels drawn on their pictures, evenly chosen from the table."""
    rows = dataset.as_records(table)
    chosen = [rows[at] for at in np.linspace(0, len(rows) - 1, min(number, len(rows))).astype(int)]
    figure, found = grid(len(chosen), tall=tall(chosen))
    for ax, row in zip(found, chosen, strict=False):
        overlay(job, small(job, row), job.truth(row), title=caption(row["image"]), ax=ax)
    return figure


def distribution(job, table):
    """Where the labels lie and what they hold, as the task draws it."""
    figure, found = axes(1, 2, 11, 4)
    Reported.of(job).plot_labels(found[0], table)
    return figure


def sizes(table):
    """Width and height of the pictures, by split."""
    figure, found = axes(1, 1, 5, 4)
    ax = found[0, 0]
    for split, rows in table.groupby("split"):
        ax.scatter(rows["width"], rows["height"], s=18, alpha=0.6, label=f"{split} ({len(rows)})")
    ax.set(xlabel="width, px", ylabel="height, px", xlim=(0, 1.08 * table["width"].max()),
           ylim=(0, 1.08 * table["height"].max()))
    ax.legend(title="split (pictures)")
    return figure


def seen(job, table, number=8):
    """Pictures as the first network gets them."""
    rows = dataset.as_records(table)[:number]
    figure, found = grid(len(rows), 4, tall=job.input_size[1] / job.input_size[0] + 0.08)
    for ax, row in zip(found, rows, strict=False):
        ax.imshow(job.prepare(dataset.read_picture(job, row)))
        ax.set_title(caption(row["image"], 4), fontsize=8, loc="left")
    return figure
