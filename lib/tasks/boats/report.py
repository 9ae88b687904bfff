"""Metrics and figures of a set of boats."""

import numpy as np

from lib.tasks.boats import detection, figures
from lib.tasks.boats.matching import NOTHING, matched
from lib.tasks.contract import Reported


class BoatsReported(Reported):
    """Average precision, and how well boxes fit."""

    error_name = "1 - overlap of each true box with its answer"
    scales = {"f1": ("F1 of the boxes", "at an overlap of 0.5", "high"), "precision": ("precision", "share of answers", "high"),
              "recall": ("recall", "share of true boxes", "high"), "overlap": ("mean overlap of true boxes", "IoU", "high"),
              "boxes_off": ("boxes miscounted", "boxes", "low"), "map50": ("average precision", "at an overlap of 0.5", "high"),
              "map50_95": ("average precision", "over overlaps 0.5 … 0.95", "high")}

    def errors(self, truth, answer):
        """1 - IoU of each true box with its best answer; of a picture without boxes, 1 where the answer has some, else 0."""
        if not truth["boxes"]:
            return [float(bool(answer["boxes"]))]
        agree = detection.overlaps(detection.array(truth["boxes"]), detection.array(answer["boxes"]))
        return (1 - agree.max(1, initial=0.0)).tolist()

    def set_metrics(self, truths, answers):
        """Average precision as COCO defines it, at an IoU of 0.5 and over 0.5 … 0.95; crowds are not judged."""
        pairs = [matched(truth, answer or NOTHING) for truth, answer in zip(truths, answers, strict=True)]
        found = detection.average_precision([lines for lines, _ in pairs], [scores for _, scores in pairs],
                                            sum(len(truth["boxes"]) for truth in truths))
        return {"map50": float(found[0]), "map50_95": float(found.mean())}

    def plot_results(self, truths, answers):
        """Precision against recall, and how well boxes fit."""
        pairs = [matched(truth, answer or NOTHING) for truth, answer in zip(truths, answers, strict=True)]
        count = sum(len(truth["boxes"]) for truth in truths)
        return {"precision_recall": figures.precision_recall(pairs, count), "overlaps": self._overlaps(truths, answers)}

    def _overlaps(self, truths, answers):
        found, sides = [], []
        for truth, answer in zip(truths, answers, strict=True):
            if truth["boxes"]:
                shown = self.task.format_response(answer or NOTHING, {})
                found += [1 - each for each in self.errors(truth, shown)]
                sides += np.sqrt(detection.areas(detection.array(truth["boxes"]))).tolist()
        return figures.overlaps(found, sides)

    def plot_labels(self, axes, table):
        figures.chart(axes, table)
