"""Metrics and figures of a set of pictures with several labels each."""

import numpy as np

from lib.tasks.contract import Reported
from lib.tasks.tags import figures
from lib.tasks.tags.thresholds import average_precision


class TagsReported(Reported):
    """F1, average precision and calibration over all labels."""

    error_name = "labels missed or too many, per picture"
    scales = {"f1": ("F1 of a picture's labels", "mean over pictures", "high"),
              "exact": ("all labels right", "share of the pictures", "high"), "f1_micro": ("F1", "of all decisions", "high"),
              "f1_macro": ("F1", "mean over labels", "high"), "map": ("average precision", "mean over labels", "high")}

    def errors(self, truth, answer):
        return [len(set(truth["labels"]) ^ set(answer["labels"]))]

    def set_metrics(self, truths, answers):
        """F1 of all decisions together (micro), its mean over labels (macro), and the mean average precision (map).

        Only labels count that some truth has; a picture without an answer has no label, each with probability 0.
        """
        true, found, chances = self._tables(truths, answers)
        right, both = (true & found).sum(0), true.sum(0) + found.sum(0)
        there = true.any(0)
        precisions = [average_precision(true[:, n], chances[:, n]) for n in np.flatnonzero(there)]
        return {"f1_micro": float(2 * right.sum() / max(both.sum(), 1)),
                "f1_macro": float(np.mean(2 * right[there] / both[there])) if there.any() else float("nan"),
                "map": float(np.mean(precisions)) if precisions else float("nan")}

    def _tables(self, truths, answers):
        """Truths, answers (bool) and probabilities, each (pictures, labels)."""
        classes = self.task.classes

        def table(given, of, kind):
            return np.array([[of(each, name) for name in classes] for each in given], kind).reshape(-1, len(classes))

        answers = [answer or {"labels": [], "probabilities": {}} for answer in answers]
        truths, given = [set(truth["labels"]) for truth in truths], [set(answer["labels"]) for answer in answers]
        return (table(truths, lambda there, name: name in there, bool),
                table(given, lambda there, name: name in there, bool),
                table(answers, lambda answer, name: answer["probabilities"].get(name, 0.0), float))

    def plot_results(self, truths, answers):
        from matplotlib.figure import Figure

        true, _, chances = self._tables(truths, answers)
        return {"precision_recall": figures.precision_recall(Figure((11, 4.5), layout="constrained"), true, chances,
                                                             self.task.classes),
                "calibration": figures.calibration(Figure((5, 4), layout="constrained"), true.ravel(), chances.ravel())}

    def plot_labels(self, axes, table):
        figures.chart(axes, table, self.task.tree)
