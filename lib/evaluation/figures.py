"""One function a figure: it takes data, returns the figure closed, and draws nothing else.

Truth is white, an answer red.
"""

import numpy as np

from lib.data import dataset

TRUTH, ANSWER = "white", "red"
INK = "#33415c"
BASELINE = "#b0892f"


def _axes(rows, columns, width, height, **options):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained", **options)
    plt.close(figure)  # a figure left open is shown twice
    return figure, axes


def _grid(count, columns=3, width=11.0, tall=0.75):
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    figure, axes = _axes(rows, columns, width, rows * width / columns * tall)
    for ax in axes.flat:
        ax.axis("off")
    return figure, axes.flat


def _tall(rows):
    """Height by width of a cell that suits most of these pictures, with room for two lines above."""
    return float(np.median([row["height"] / row["width"] for row in rows])) + 0.12


def _brief(name, most=34):
    """A picture's name, its middle left out where it is long."""
    return name if len(name) <= most else f"{name[:most - 15]}…{name[-14:]}"


def show(ax, picture):
    """Show a Picture on axes in the coordinates of its full size, whatever it was reduced to."""
    width, height = picture.size
    ax.imshow(picture.pixels, extent=(0, width, height, 0), interpolation="antialiased")
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    ax.axis("off")


def overlay(job, picture, truth=None, answer=None, caption="", ax=None):
    """One picture with the truth in white and the answer in red."""
    figure = None
    if ax is None:
        figure, axes = _axes(1, 1, 9, 9 * picture.size[1] / picture.size[0] + 0.3)
        ax = axes[0, 0]
    show(ax, picture)
    for values, color in ((truth, TRUTH), (answer, ANSWER)):
        if values is not None:
            job.draw(ax, values, color)
    ax.set_title(caption, fontsize=9, loc="left")
    return figure


def small(job, row, side=1000):
    """The picture of a row, decoded no larger than a figure needs."""
    return dataset.read_picture(job, row, at_least=(side, side))


def dropped(gathered):
    """How many rows were kept, and why the others were not."""
    reasons = gathered.dropped["reason"].value_counts()
    names = ["kept", *reasons.index]
    counts = [len(gathered.table), *reasons]
    figure, axes = _axes(1, 1, 8, 0.7 + 0.4 * len(names))
    bars = axes[0, 0].barh(names, counts, color=[INK] + [BASELINE] * len(reasons))
    axes[0, 0].bar_label(bars, padding=4)
    axes[0, 0].invert_yaxis()
    axes[0, 0].set_xlabel("rows")
    axes[0, 0].spines[["top", "right"]].set_visible(False)
    return figure


def labels(job, table, number=6):
    """Labels drawn on their pictures, evenly chosen from the table."""
    rows = dataset.as_records(table)
    chosen = [rows[at] for at in np.linspace(0, len(rows) - 1, min(number, len(rows))).astype(int)]
    figure, axes = _grid(len(chosen), tall=_tall(chosen))
    for ax, row in zip(axes, chosen, strict=False):
        overlay(job, small(job, row), job.truth(row), caption=_brief(row["image"]), ax=ax)
    return figure


def distribution(job, table):
    """Where the labels lie and what they hold, as the task draws it."""
    figure, axes = _axes(1, 2, 11, 4)
    job.chart(axes[0], table)
    return figure


def sizes(table):
    """Width and height of the pictures, by split."""
    figure, axes = _axes(1, 1, 5, 4)
    for split, rows in table.groupby("split"):
        axes[0, 0].scatter(rows["width"], rows["height"], s=18, alpha=0.6, label=f"{split} ({len(rows)})")
    axes[0, 0].set(xlabel="width in px", ylabel="height in px", xlim=(0, None), ylim=(0, None))
    axes[0, 0].legend()
    return figure


def seen(job, table, number=8):
    """Pictures as the first network gets them."""
    rows = dataset.as_records(table)[:number]
    figure, axes = _grid(len(rows), 4, tall=job.size[1] / job.size[0])
    for ax, row in zip(axes, rows, strict=False):
        ax.imshow(job.prepare(dataset.read_picture(job, row)))
        ax.set_title(row["image"], fontsize=7)
    return figure


def examples(job, prepared, number=4):
    """What each network sees: pictures as stored, then as they are varied while it learns."""
    positions = prepared.of("train")[:number]
    parts = job.parts()
    figure, axes = _axes(len(parts), len(positions), 11, 2.3 * len(parts))
    for line, part in zip(axes, parts, strict=True):
        for n, (ax, at) in enumerate(zip(line, positions, strict=True)):
            pixels, _ = job.example(part, prepared.stored[part][at], prepared.rows[at], np.random.default_rng(n))
            ax.imshow(pixels)
            ax.set_xticks([])
            ax.set_yticks([])
        line[0].set_ylabel(part)
    return figure


def learning(history):
    """Training and validation loss of every part, epoch by epoch."""
    parts = list(dict.fromkeys(history["part"]))
    figure, axes = _axes(1, len(parts), 4.5 * len(parts) + 1, 3.5)
    for ax, part in zip(axes[0], parts, strict=True):
        lines = history[history["part"] == part]
        for key, color in (("loss", BASELINE), ("val_loss", INK)):
            if key in lines:
                ax.plot(lines["epoch"], lines[key], ".-", color=color,
                        label={"loss": "training", "val_loss": "validation"}[key])
        ax.set(title=part, xlabel="epoch", ylabel="loss")
        ax.legend()
    return figure


def comparison(verification):
    """Each score's mean with its interval, beside the constant answer's."""
    scores = verification.scores.to_dict("records")
    columns = min(5, len(scores))
    rows = -(-len(scores) // columns)
    figure, axes = _axes(rows, columns, 2.6 * columns, 3 * rows)
    for ax in axes.flat[len(scores):]:
        ax.axis("off")
    for ax, line in zip(axes.flat, scores, strict=False):
        below, above = max(0, line["mean"] - line["low"]), max(0, line["high"] - line["mean"])
        bars = ax.bar(["model", "constant"], [line["mean"], line["constant"]], color=[ANSWER, BASELINE],
                      yerr=[[below, 0], [above, 0]], capsize=5)
        ax.bar_label(bars, fmt="%.3g", padding=2)
        ax.set_title(line["score"].replace("_", " "), fontsize=10)
        ax.margins(y=0.2)
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def charts(verification):
    """What the task draws of a set of answers (Job.charts): pairs of a name and its figure."""
    return verification.job.charts(verification.truths, verification.answers).items()


def shares(verification):
    """Which share of the errors is below what (PCK for corners), beside the constant answer."""
    job = verification.job
    figure, axes = _axes(1, 1, 6, 4)
    ax = axes[0, 0]
    for name, answers, color in (("model", verification.answers, ANSWER), ("constant", verification.constants, BASELINE)):
        errors = np.sort(np.concatenate([job.spread(t, a) for t, a in zip(verification.truths, answers, strict=True)]))
        ax.step([0, *errors], np.linspace(0, 1, len(errors) + 1), where="post", color=color, label=name)
    ax.set(xlabel=job.spread_name, ylabel="share at or below", ylim=(0, 1.02), xlim=(0, None))
    ax.grid(alpha=0.3)
    ax.legend(loc="lower right")
    return figure


def answers(verification, positions, columns=3):
    """The chosen pictures with the answer in red and the truth in white."""
    job = verification.job
    figure, axes = _grid(len(positions), columns, tall=_tall([verification.rows[at] for at in positions]))
    for ax, at in zip(axes, positions, strict=False):
        row = verification.rows[at]
        caption = f"{_brief(row['image'])}\n{job.headline.replace('_', ' ')} {verification.found.at[at, job.headline]:.3g}"
        overlay(job, small(job, row), verification.truths[at], verification.answers[at], caption, ax)
    return figure


def suspects(audited, number=6):
    """The most improbable labels of an Audit in white, the answers that were not learned from them in red."""
    job = audited.job
    chosen = [at for at, answer in enumerate(audited.answers) if answer is not None][:number]
    figure, axes = _grid(max(1, len(chosen)), tall=_tall([audited.rows[at] for at in chosen]) if chosen else 0.75)
    for ax, at in zip(axes, chosen, strict=False):
        row, suspicion = audited.rows[at], audited.suspicions[at]
        caption = f"{_brief(row['image'])}\nsuspicion {'not known' if suspicion is None else f'{suspicion:.2g}'}"
        overlay(job, small(job, row), audited.truths[at], audited.answers[at], caption, ax)
    return figure
