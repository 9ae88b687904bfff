"""Figures of notebook 03: scores beside the constant answer, how errors are distributed, answers beside their labels."""

import numpy as np

from lib.evaluation import scores
from lib.evaluation.figures.canvas import ANSWER, BASELINE, axes, caption, grid, overlay, small, tall
from lib.tasks.contract import Reported

BEST = {"low": "lower is better", "high": "higher is better"}


def comparison(evaluation):
    """Each score's mean with its interval, beside the constant answer's."""
    lines = evaluation.scores.to_dict("records")
    columns = min(4, len(lines))
    rows = -(-len(lines) // columns)
    figure, found = axes(rows, columns, 2.8 * columns, 3.2 * rows)
    for ax in found.flat[len(lines):]:
        ax.axis("off")
    for ax, line in zip(found.flat, lines, strict=False):
        below, above = max(0, line["mean"] - line["low"]), max(0, line["high"] - line["mean"])
        bars = ax.bar(["model", "constant\nanswer"], [line["mean"], line["constant"]], color=[ANSWER, BASELINE])
        ax.errorbar(0, line["mean"], [[below], [above]], color="black", capsize=5)
        ax.bar_label(bars, fmt="%.3g", padding=2)
        words, unit, best = scores.scale(evaluation.job, line["score"])
        ax.set_title(f"{words}\n{BEST[best]}", fontsize=9)
        ax.set_ylabel(unit, fontsize=9)
        ax.margins(y=0.2)
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def charts(evaluation):
    """What the task draws of a set of answers (Reported.plot_results): pairs of a name and its figure."""
    return Reported.of(evaluation.job).plot_results(evaluation.truths, evaluation.answers).items()


def shares(evaluation):
    """Which share of the errors is below what (PCK for corners), beside the constant answer; errors on a log axis."""
    job = evaluation.job
    figure, found = axes(1, 1, 6, 4)
    ax = found[0, 0]
    lines = {name: np.sort(np.concatenate([Reported.of(job).errors(*pair) for pair in zip(evaluation.truths, answers, strict=True)]))
             for name, answers in (("model", evaluation.answers), ("constant answer", evaluation.constants))}
    known = np.concatenate(list(lines.values()))
    least = known[known > 0].min(initial=1.0) / 2
    for (name, errors), color in zip(lines.items(), (ANSWER, BASELINE), strict=True):
        ax.step(np.maximum([least / 2, *errors, known.max(initial=least)], least / 2),
                [*np.linspace(0, 1, len(errors) + 1), 1], where="post", color=color, label=name)
    if known.max(initial=0) > 20 * least:
        ax.set_xscale("log")
    ax.set(xlabel=f"{Reported.of(job).error_name} (lower is better)", ylabel="share of errors at or below", ylim=(0, 1.02),
           xlim=(least, None))
    ax.grid(alpha=0.3, which="both")
    ax.legend(loc="lower right")
    return figure


def answers(evaluation, positions=None, columns=3):
    """Pictures with the answer in red and the truth in white: those at `positions`, else those that `verify.choose` names."""
    job = evaluation.job
    positions = scores.chosen(evaluation) if positions is None else positions
    figure, found = grid(len(positions), columns, tall=tall([evaluation.rows[at] for at in positions]))
    words, unit, _ = scores.scale(job, job.primary_metric.name)
    for ax, at in zip(found, positions, strict=False):
        row = evaluation.rows[at]
        title = f"{caption(row['image'], columns)}\n{evaluation.found.at[at, job.primary_metric.name]:.3g} {unit}"
        overlay(job, small(job, row), evaluation.truths[at], evaluation.answers[at], title, ax)
    return figure


def suspects(audit, number=6):
    """The most improbable labels of a LabelAudit in white, the answers that were not learned from them in red."""
    job = audit.job
    chosen = [at for at, answer in enumerate(audit.answers) if answer is not None][:number]
    figure, found = grid(max(1, len(chosen)), tall=tall([audit.rows[at] for at in chosen]) if chosen else 0.75)
    for ax, at in zip(found, chosen, strict=False):
        row, suspicion = audit.rows[at], audit.suspicions[at]
        title = f"{caption(row['image'])}\nsuspicion {'not known' if suspicion is None else f'{suspicion:.2g}'}"
        overlay(job, small(job, row), audit.truths[at], audit.answers[at], title, ax)
    return figure
