"""Metrics, figures and experiments on a set of nails."""

import numpy as np

from lib.metrics import calibration
from lib.tasks.contract import Reported


class NailsReported(Reported):
    """Area under ROC, calibration, and what is decided without a person's look."""

    error_name = "wrong"
    scales = {"right": ("right answers", "share of the pictures", "high"),
              "right_where_sure": ("right where it decides", "share of those decided", "high"),
              "cost": ("cost of the decisions", "a picture", "low"), "area_under_roc": ("area under ROC", "0.5 … 1", "high"),
              "calibration_error": ("calibration error", "probability", "low"),
              "decided": ("decided without a person", "share of the pictures", "high")}

    def set_metrics(self, truths, answers):
        """Area under ROC, expected calibration error, and the share that is decided without a person's look."""
        if not answers:
            return {}
        bad, happened = _chances(truths, answers)
        sure = [a is not None and not a.get("refused") for a in answers]
        return {"area_under_roc": calibration.ranking(bad, happened),
                "calibration_error": calibration.error(bad, happened), "decided": float(np.mean(sure))}

    def plot_results(self, truths, answers):
        from lib.metrics import plots

        bad, happened = _chances(truths, answers)
        said = [(a or {}).get("refused") or (a or {}).get("label") or "unreadable" for a in answers]
        right = [(a or {}).get("label") == t["label"] for t, a in zip(truths, answers, strict=True)]
        return {"roc": plots.roc(bad, happened), "calibration": plots.calibrated(bad, happened),
                "confusion": plots.confusion([truth["label"] for truth in truths], said, self.task.classes),
                "selective": plots.selective(np.abs(bad - 0.5), right)}

    def experiments(self, prepared, record):
        """Simple classifiers beside the network, the learning curve, hard pictures, and corrupted ones."""
        from lib.tasks.nails import experiments

        return experiments.run(self.task, prepared, record)


def _chances(truths, answers):
    """The probability of bad (n,), 0.5 where there is none, and whether the nail is bad (n,)."""
    bad = [((a or {}).get("probabilities") or {"bad": 0.5})["bad"] for a in answers]
    return np.array(bad, float), np.array([truth["label"] == "bad" for truth in truths])
