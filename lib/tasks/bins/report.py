"""Metrics, figures and experiments on a set of bins."""

import numpy as np

from lib.metrics import calibration
from lib.tasks.bins import figures
from lib.tasks.contract import Reported


class BinsReported(Reported):
    """How far counts are off, how well probabilities are calibrated, and the oracle that sees every item."""

    error_name = "items miscounted"
    scales = {"right": ("counts right", "share of the pictures", "high"), "off": ("items miscounted", "items", "low"),
              "within_1": ("at most one miscounted", "share of the pictures", "high"),
              "rmse": ("RMSE of the count", "items", "low"), "rmse_expected": ("RMSE of the expected count", "items", "low"),
              "right_on_surer_half": ("counts right, surer half", "share of the pictures", "high"),
              "calibration_error": ("calibration error", "probability", "low"),
              "perfect_eye": ("accuracy of an oracle", "share of the pictures", "high")}

    def errors(self, truth, answer):
        return [self.task.score(truth, answer)["off"]]

    def set_metrics(self, truths, answers):
        """RMSE of the count and of the expected one, accuracy on the surer half, ECE, and the oracle's accuracy."""
        known = [(truth, answer) for truth, answer in zip(truths, answers, strict=True) if answer is not None]
        if not known:
            return {}
        counts, found, expected, sure = np.array([(truth["count"], answer["count"], answer["expected"],
                                                   answer["probability"]) for truth, answer in known], float).T
        return {"rmse": float(np.sqrt(np.mean((found - counts)**2))),
                "rmse_expected": float(np.sqrt(np.mean((expected - counts)**2))),
                "right_on_surer_half": calibration.selective(sure, found == counts, 0.5),
                "calibration_error": calibration.error(sure, found == counts), "perfect_eye": self.oracle_accuracy(truths)}

    def oracle_accuracy(self, truths):
        """Accuracy of an oracle on generated bins, which knows every item that shows (synthetic.bins); NaN elsewhere."""
        from lib.synthetic import bins

        known = truths and all("seen" in truth for truth in truths)
        return bins.oracle_accuracy([(truth["seen"], truth["count"]) for truth in truths]) if known else float("nan")

    def plot_results(self, truths, answers):
        return figures.charts(truths, answers, self.task.classes, self.oracle_accuracy(truths))

    def plot_labels(self, axes, table):
        figures.chart(axes, table, self.task.classes)

    def experiments(self, prepared, record):
        """Does more contrast help, and how much is lost on bins unlike those learned from?"""
        from lib.tasks.bins import experiments

        return experiments.run(self.task, prepared, record)
