"""Figures of notebook 02: what the networks see and learn, and how their losses fell."""

import numpy as np

from lib.evaluation.figures import outputs
from lib.evaluation.figures.canvas import BASELINE, INK, axes, draw
from lib.tasks.contract import Located, Reviewable


def examples(job, prepared, number=4):
    """What each network learns from: a row of varied pictures, then a row for each map that it is to return.

    On the pictures of the first network the label is drawn in white, where the variation has put it.
    """
    positions = prepared.of("train")[:number]
    drawn = [(part, [job.networks[part].example(prepared.stored[part][at], prepared.rows[at], np.random.default_rng(n))
                     for n, at in enumerate(positions)]) for part in job.networks]
    lines = [(part, None, pairs) for part, pairs in drawn]
    lines += [(part, name, pairs) for part, pairs in drawn for name in outputs.maps(outputs.named(pairs[0][1]))]
    lines.sort(key=lambda line: list(job.networks).index(line[0]))
    figure, found = axes(len(lines), len(positions), 11, 2.2 * len(lines))
    for row, (part, name, pairs) in zip(found, lines, strict=True):
        row[0].set_ylabel(part if name is None else f"{part}: {name}")
        for ax, (pixels, target), at in zip(row, pairs, positions, strict=True):
            ax.set(xticks=[], yticks=[])
            if name is None:
                ax.imshow(pixels)
                if part == next(iter(job.networks)):
                    _label(job, ax, target, prepared.rows[at])
            else:
                outputs.draw(ax, outputs.named(target)[name], pixels)
    return figure


def _label(job, ax, target, row):
    """Draw what a target of the first network says, on its input."""
    size = row["width"], row["height"]
    label = Reviewable.of(job).label(job.decode(target, size))
    if label is not None:
        located = Located.of(job)
        alone = {"boxes": None} if located.several else {}   # the target holds one label
        draw(job, ax, job.truth({**row, **alone, **located.transform_points(label, located.frame(size).into)}))


def learning(history):
    """Training and validation loss of every network, epoch by epoch."""
    parts = list(dict.fromkeys(history["part"]))
    figure, found = axes(1, len(parts), 4.5 * len(parts) + 1, 3.5)
    for ax, part in zip(found[0], parts, strict=True):
        lines = history[history["part"] == part]
        for key, color, name in (("loss", BASELINE, "training"), ("val_loss", INK, "validation")):
            if key in lines:
                ax.plot(lines["epoch"], lines[key], ".-", color=color, label=name)
        ax.set(title=part, xlabel="epoch (0: before training)", ylabel="loss, lower is better")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend()
    return figure
