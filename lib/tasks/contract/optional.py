"""Optional parts of the contract: what the viewer, the audit, the API, the figures and pretraining ask of a task.

Shared code asks `Served.of(job).query`: of the task itself where it inherits Served, else of the part's defaults.
"""

import json
from typing import NamedTuple

import numpy as np

from lib.imaging import geometry
from lib.metrics import label_errors


class OptionalPart:
    """Names with defaults. A task inherits the part to override some; the defaults read the task as `self.task`."""

    def __init__(self, task):
        self.task = task

    @classmethod
    def of(cls, task):
        """The task itself where it inherits this part, else the part's defaults for it."""
        return task if isinstance(task, cls) else cls(task)


class Located(OptionalPart):
    """Labels that are places in the picture: points in columns p1x, p1y …, or boxes in the column `boxes`."""

    box_classes = ()  # what a box may be; empty: all boxes are of one class
    several = False   # whether several rows of a table may name one picture, each with a label of its own

    @property
    def point_columns(self):
        """Pairs of columns (…x, …y) that hold a point."""
        names = self.task.columns
        return [(name, f"{name[:-1]}y") for name in names if name.endswith("x") and f"{name[:-1]}y" in names]

    def frame(self, size):
        """The geometry.Frame that places a picture of (width, height) in the first network's input."""
        return geometry.letterbox(size, self.task.input_size)

    def transform_points(self, row, transform):
        """The row with its points moved by `transform`, a function of points (n, 2) in pixels.

        A row whose points are no numbers comes back unchanged, for `check` to reject.
        """
        pairs = self.point_columns
        try:
            moved = transform([[float(row[x]), float(row[y])] for x, y in pairs]) if pairs else []
        except (TypeError, ValueError):
            return row
        return row | {name: float(value) for pair, point in zip(pairs, moved, strict=True)
                      for name, value in zip(pair, point, strict=True)}

    def labels_of(self, values):
        """The labels of a row, a truth or an answer, a dict each; several only where the task is `several`."""
        return [values]

    def merge(self, rows):
        """One row for the checked rows of one picture, from which `labels_of` gives their labels; asked where `several`."""
        raise NotImplementedError(f"{self.task.name} knows one label of a picture")

    def overlaps(self, labels, others, size=None):
        """Intersection over union (n, m) of the places of labels, inside the picture of `size`; asked where `several`.

        A label that is not checked yet may be no place: it overlaps with nothing.
        """
        raise NotImplementedError(f"{self.task.name} knows one label of a picture")

    def boxes(self, values):
        """The boxes of a row or an answer: lists [x1, y1, x2, y2] in pixels of the upright picture, x1 < x2, y1 < y2.

        Where there are several `box_classes`, the fifth member of a box is its class.
        """
        boxes = values.get("boxes") or []
        return json.loads(boxes) if isinstance(boxes, str) else list(boxes)

    def with_boxes(self, row, boxes):
        """The row with these boxes in place of its own: JSON text in the column `boxes`."""
        return {**row, "boxes": json.dumps(boxes)}


class Reviewable(OptionalPart):
    """What the viewer lets a reviewer correct, and how it orders pictures."""

    edit = "choices"  # what is corrected: "points", "boxes" or "choices"; None: labels are only shown

    @property
    def choices(self):
        """The values that may be chosen, by column (a class, a count)."""
        return {"label": list(self.task.classes)} if "label" in self.task.columns else {}

    def label(self, answer):
        """The row of labels for an answer that a reviewer accepts; None where the answer was refused or lacks a value."""
        row = {name: answer.get(name) for name in self.task.columns}
        return None if answer.get("refused") or any(value is None or value == "" for value in row.values()) else row

    def label_nll(self, truth, answer):
        """Negative log-likelihood of a label under the answer, in bits; above 1 the label is worth a second look.

        None where the answer states no probability.
        """
        chance = (answer.get("probabilities") or {}).get(truth.get("label"))
        return None if chance is None else float(-np.log2(max(chance, 1e-6)))

    def uncertainty(self, answer):
        """How uncertain an answer is, from 0 on: pictures with uncertain answers are labelled next."""
        if answer.get("confidence") is not None:
            return 1.0 - answer["confidence"]
        return 1.0 - max((answer.get("probabilities") or {"": 1.0}).values())


class Auditable(OptionalPart):
    """How the audit finds label errors, by answers of networks that have not learned from the labels."""

    def label_bias(self, truths, answers):
        """Systematic difference between labels and answers, as plain values for `label_evidence`; None: not measured."""
        return None

    def label_evidence(self, predict, picture, truth, answer, bias):
        """What the networks (`predict`, as in Task.answer) say at the label itself, as plain values; None: nothing."""
        return None

    def label_errors(self, truths, answers, evidence):
        """A suspicion for each label: above 1 it is probably wrong; None where the answer is None or says nothing."""
        reviewable = Reviewable.of(self.task)
        name, values = next(iter(reviewable.choices.items()), ("", ()))
        classes = [str(value) for value in values]
        known = [at for at, (truth, answer) in enumerate(zip(truths, answers, strict=True))
                 if str(truth.get(name)) in classes and (answer or {}).get("probabilities")]
        if not known:
            return [answer and reviewable.label_nll(truth, answer) for truth, answer in zip(truths, answers, strict=True)]
        found = label_errors.confident([classes.index(str(truths[at][name])) for at in known],
                                       [[answers[at]["probabilities"][each] for each in classes] for at in known])
        return [dict(zip(known, map(float, found), strict=True)).get(at) for at in range(len(truths))]


class Outline(NamedTuple):
    """What the API draws of an answer: a closed polygon, (n, 2) in pixels of the picture, with a short text.

    `about` is the dict whose `refused`, `confidence` and `cut` say how it is drawn; None: the answer itself.
    """

    points: object
    text: str
    about: dict | None = None


class Served(OptionalPart):
    """How the API sends an answer."""

    pixel_fields = ()  # members of an answer, and of what it lists, that are lengths in pixels, rounded by `api.decimals`
    # (the member of an answer that lists the things found, a dict of plain values each; the word for one of them), such as
    # ("boxes", "box"): the answer has their number as boxes_nb, too, and repeats the members of one of them. None: no list.
    listed = None

    @property
    def query(self):
        """The query parameters of a request: {name: JSON schema with `enum` and `default`}, as in OpenAPI."""
        return {}

    @property
    def response_schema(self):
        """The JSON schema of each member of an answer as the API sends it, those left out on request included; {}: not said."""
        return {}

    def format_response(self, answer, query):
        """The answer as the API sends it, given the value of each name in `query`."""
        return answer

    def overlay_polygons(self, answer):
        """The Outlines that the API draws on the picture."""
        return []


class Reported(OptionalPart):
    """Metrics and figures of a whole data set, for notebooks 01 and 03."""

    scales = {"right": ("right answers", "share of the pictures", "high")}  # by score: its words, unit and best end

    @property
    def error_name(self):
        """Name and unit of `errors`, for the axis of a figure."""
        metric = self.task.primary_metric
        return metric.name if metric.best == "low" else f"1 - {metric.name}"

    def errors(self, truth, answer):
        """One or more errors of an answer, 0 or above; a figure shows their distribution."""
        metric = self.task.primary_metric
        value = self.task.score(truth, answer)[metric.name]
        return [value if metric.best == "low" else 1 - value]

    def set_metrics(self, truths, answers):
        """Metrics of a whole set that are no mean over pictures (ROC AUC, RMSE, average precision), by name.

        It is called for every bootstrap resample, so it must be quick. An answer is None where the picture was
        unreadable.
        """
        return {}

    def plot_labels(self, axes, table):
        """Plot on two axes how the labels of a pandas table are distributed."""
        name, kind = next(iter(self.task.columns.items()))
        if kind is float:
            axes[0].hist(table[name], 20)
            axes[0].set(xlabel=name, ylabel="pictures")
            axes[1].boxplot([values for _, values in table.groupby("split")[name]],
                            tick_labels=[split for split, _ in table.groupby("split")[name]])
            axes[1].set(ylabel=name)
            return
        order = self.task.classes or sorted(table[name].unique())
        table[name].value_counts().reindex(order).plot.bar(ax=axes[0], rot=0, ylabel="pictures")
        table.groupby("split")[name].value_counts().unstack().plot.bar(ax=axes[1], rot=0, ylabel="pictures")

    def plot_results(self, truths, answers):
        """Figures of a set of answers: {name: closed matplotlib Figure}."""
        return {}

    def experiments(self, prepared, record):
        """Slow experiments, run where `verify.studies` is true: an iterator over pairs of a name and a closed Figure.

        `prepared` is the data set of training, `record` the run.
        """
        return iter(())


class Pretrained(OptionalPart):
    """Weights that ship with a task, learned from generated pictures; there are no defaults: it is asked by isinstance."""

    weights_folder = None  # folder of the weights, of calibration.json and of made.json
    pretraining_seed = 0   # seed of the first generated training picture

    def weights_file(self, name):
        """Path of the shipped weights of a network, for its input size."""
        raise NotImplementedError

    def pretraining_example(self, seed):
        """The generated picture of a seed and its label: (Picture, row)."""
        raise NotImplementedError

    def trains_on(self, name, row):
        """Whether a network learns from a generated row."""
        return True

    def fit_calibration(self, networks):
        """The plain numbers of calibration.json, fitted to Keras networks by name."""
        raise NotImplementedError


class Hierarchical(OptionalPart):
    """Labels from a tree, which a data set of the hub may bring along."""

    tree_setting = ""  # dotted name of the setting that holds the tree
