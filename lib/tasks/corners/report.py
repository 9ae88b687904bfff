"""Errors and figures of a set of corners."""

from lib.imaging import geometry
from lib.tasks.contract import Reported
from lib.tasks.corners import figures, scoring
from lib.tasks.corners.labels import points


class CornersReported(Reported):
    """The error of each corner, the radius stated for it, which of all boxes are found, and where labels lie."""

    error_name = "corner error, % of the box's diagonal"
    scales = {"error_px": ("mean corner error", "px", "low"), "error": ("mean corner error", "% of the diagonal", "low"),
              "worst_px": ("worst corner", "px", "low"), "jaccard": ("overlap with the true box", "Jaccard index", "high"),
              "rows_right": ("row counts right", "share of the pictures", "high"),
              "recall": ("boxes found", "share of the true boxes (IoU from 0.8)", "high"),
              "precision": ("found boxes that are right", "share of the found boxes (IoU from 0.8)", "high"),
              "found_error": ("corner error, boxes found", "% of the diagonal", "low"),
              "found_rows": ("row counts right, boxes found", "share of the boxes found", "high"),
              "cut_right": ("cut or whole told rightly", "share of the boxes found", "high")}

    def errors(self, truth, answer):
        """The error of each corner; none where the answer has no corners."""
        if answer.get("p1x") is None:
            return []
        wanted = points(scoring.nearest(truth, answer))
        return (100 * geometry.errors(wanted, points(answer)) / geometry.diagonal(wanted)).tolist()

    def set_metrics(self, truths, answers):
        return scoring.set_metrics(truths, answers)

    def plot_results(self, truths, answers):
        figure = figures.radius(truths, answers, self.task.calibration())
        return {"radius": figure} if figure else {}

    def plot_labels(self, axes, table):
        figures.chart(axes, table if self.task.counts else table.drop(columns="row_nb", errors="ignore"))
