"""The raw outputs of networks as pictures: of one batch, and of every step from a picture to its answer."""

import numpy as np

from lib.data import dataset
from lib.evaluation.figures.canvas import INK, WIDTH, axes, overlay, small
from lib.serving import prediction

MAP = 8        # rows and columns from which an output is drawn as a map
SHOWN = 4      # pictures of a batch that are drawn
CALLS = 4      # calls of networks that are drawn


def batch(job, networks, prepared, split="validation"):
    """The first pictures of a split, through each network: a row of inputs, then a row for each output."""
    positions = prepared.of(split)[:SHOWN]
    lines = []
    for name, network in networks.items():
        pixels = np.stack([job.networks[name].example(prepared.stored[name][at], prepared.rows[at],
                                       np.random.default_rng(n) if job.networks[name].examples_per_image > 1 else None)[0]
                           for n, at in enumerate(positions)])
        found = {key: np.asarray(value) for key, value in named(network(pixels.astype(np.float32), training=False)).items()}
        lines += [(name, pixels, None), *[(f"{name}: {key}", pixels, value) for key, value in found.items()]]
    figure, found = axes(len(lines), len(positions), WIDTH, 1.9 * len(lines))
    for row, (title, pixels, values) in zip(found, lines, strict=True):
        row[0].set_ylabel(title)
        for n, ax in enumerate(row):
            draw(ax, None if values is None else values[n], pixels[n])
    return figure


def steps(evaluation, run, position):
    """From a picture to its answer: each call of a network with its inputs and raw outputs, then what is read from them.

    The last row shows the decoded output of the first call, and the answer, both in red, beside the truth in white.
    """
    job, row, truth = evaluation.job, evaluation.rows[position], evaluation.truths[position]
    predictor, picture, calls = prediction.load(run.path("export"), job.name), dataset.read_picture(job, row), []
    answer = job.answer({name: _recorded(name, part, calls) for name, part in predictor.parts.items()}, picture)
    shown = calls[:CALLS]
    columns = max(1 + len(outputs) for _, _, outputs in shown)
    heights = [1.9] * len(shown) + [WIDTH / 2 * picture.size[1] / picture.size[0] + 0.3]
    figure, (upper, lower) = _halves(heights)
    found = upper.subplots(len(shown), columns, squeeze=False)
    for n, (line, (name, pixels, outputs)) in enumerate(zip(found, shown, strict=True), 1):
        pictures = f", {len(pixels)} pictures" if len(pixels) > 1 else ""
        drawn = [(f"{n}. {name}{pictures}", None), *outputs.items()]
        for ax, (title, value) in zip(line, drawn, strict=False):
            draw(ax, None if value is None else _tiled(value, pixels), _tiled(pixels, pixels))
            ax.set_title(title, fontsize=9, loc="left")
        for ax in line[len(drawn):]:
            ax.axis("off")
    first, last = lower.subplots(1, 2)
    output = {name: value[0] for name, value in shown[0][2].items()}
    read = job.decode(output if set(output) != {"output"} else output["output"], picture.size)
    looked = small(job, row)
    overlay(job, looked, truth, read, f"read from call 1 ({shown[0][0]})", first)
    more = f", of which the first {len(shown)} are shown" if len(calls) > len(shown) else ""
    overlay(job, looked, truth, answer, f"the answer, after {len(calls)} call{'s' * (len(calls) > 1)}{more}", last)
    return figure


def _halves(heights):
    """A closed figure in two parts, the lower one as tall as the last of the heights (inches)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    return figure, figure.subfigures(2, 1, height_ratios=[sum(heights[:-1]), heights[-1]])


def _recorded(name, part, calls):
    """A network that notes its name, inputs and outputs in `calls`."""
    def call(pixels):
        outputs = part(pixels)
        calls.append((name, pixels, {key: np.asarray(value) for key, value in named(outputs).items()}))
        return outputs

    return call


def named(outputs):
    """Outputs by name, also where there is only one."""
    return outputs if isinstance(outputs, dict) else {"output": outputs}


def maps(outputs):
    """The names of those outputs of one picture that are drawn as maps."""
    return [name for name, value in outputs.items() if is_map(value)]


def is_map(value):
    """Whether an output of one picture lies over its pixels: (rows, columns) or (rows, columns, channels)."""
    return np.ndim(value) in (2, 3) and min(np.shape(value)[:2]) >= MAP


def draw(ax, value, pixels):
    """An output of one picture: a map as the most of its channels, numbers as bars; without a value, its pixels."""
    if value is None:
        ax.imshow(pixels)
    elif is_map(value):
        ax.imshow(_most(np.asarray(value, float)), aspect=_aspect(value, pixels), cmap="viridis")
    else:
        return _bars(ax, np.asarray(value, float))
    ax.set(xticks=[], yticks=[])
    return None


def _most(value):
    """A map (rows, columns): of several channels, each scaled to 0 … 1, the largest."""
    value = value[..., None] if value.ndim == 2 else value
    low, high = value.min((0, 1)), value.max((0, 1))
    return ((value - low) / np.maximum(high - low, 1e-9)).max(-1)


def _aspect(value, pixels):
    """The aspect of a map's cells that gives it the shape of its input."""
    return pixels.shape[0] / pixels.shape[1] * np.shape(value)[1] / np.shape(value)[0]


def _bars(ax, value):
    """Numbers as bars, with the value on each where there are few; of (points, numbers) a group of bars a point."""
    lines = value.reshape(1, -1) if value.ndim < 2 else value.reshape(len(value), -1).T
    at, width = np.arange(lines.shape[1]), 0.8 / len(lines)
    for n, line in enumerate(lines):
        bars = ax.bar(at + (n - (len(lines) - 1) / 2) * width, line, width, color=INK, alpha=1 - 0.6 * n / len(lines))
        if lines.size <= 6:
            large = 0.02 * np.abs(lines).max()
            ax.bar_label(bars, [f"{number:.2g}" if abs(number) > large else "" for number in line], fontsize=7, padding=1)
    ax.margins(y=0.2)
    ax.set_xticks(at if len(at) <= 12 else at[::5])
    ax.tick_params(labelsize=7)
    ax.spines[["top", "right"]].set_visible(False)


def _tiled(values, pixels):
    """The pictures or maps of a batch as one, below each other where they are broad; numbers as (pictures, numbers)."""
    if len(values) == 1:
        return values[0]
    if is_map(values[0]):
        return np.concatenate(list(values), 0 if pixels.shape[2] >= pixels.shape[1] else 1)
    return np.reshape(values, (len(values), -1))
