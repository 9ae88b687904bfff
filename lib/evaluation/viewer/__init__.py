"""The viewer widget: shows the stored answers of a run beside their labels, and lets people correct the labels."""

import getpass
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lib.common import widgets
from lib.data import dataset
from lib.evaluation.viewer import review
from lib.evaluation.viewer.label_form import several
from lib.evaluation.viewer.label_messages import LabelMessages
from lib.evaluation.viewer.picture_messages import PictureMessages
from lib.tasks.contract import Located, Reviewable

FOLDER = Path(__file__).with_name("page")   # page.js, the modules it imports, page.css


def show(verification, record, audited=None):
    """Store the answers of an Evaluation in the run, show a folded contact sheet, and return the Viewer of the run.

    With an Audit, suspect labels come first. The contact sheet is what a reader sees where no kernel runs.
    """
    from IPython.display import HTML, display

    display(HTML(review.collapsible(review.store(verification, record, audited))))
    return Viewer(verification.job, record)


class Viewer(widgets.Widget):
    """The page on which people look through the stored answers of a run and correct labels.

    Pictures and labels have executors of their own, so that a picture does not wait while a label is saved.
    """

    def __init__(self, job, record):
        self.job, self.record = job, record
        self._lock = threading.Lock()
        self.items = review.read(record) + review.read_queue(record)
        self.pictures = PictureMessages(job, self.items)
        self.labels = LabelMessages(job, record, self.items, self._send)
        readers, writer = ThreadPoolExecutor(3), ThreadPoolExecutor(1)
        super().__init__(FOLDER, {
            **{each.__name__: (writer, each) for each in (self.open, self.whole_table, self.compare)},
            **{name: (writer, handler) for name, handler in self.labels.handlers().items()},
            **{name: (readers, handler) for name, handler in self.pictures.handlers().items()},
        }, echoed=("view", "do", "at", "tag", "edit"))

    def __repr__(self):
        return f"viewer of {len(self.items)} answers of {self.record}"

    def _send(self, message):
        if self.page is not None:
            self.page.send(message)

    def open(self, message):
        """What the page needs to begin: the answers, how labels are edited, and the newest revisions."""
        settings, job = self.job.params.viewer, self.job
        return {"items": [self.labels.form.item(item) for item in self.items],
                "task": job.name, "profile": job.profile, "run": self.record.name,
                "question": job.question, "headline": job.primary_metric.name, "best": job.primary_metric.best, "edit": Reviewable.of(job).edit,
                "choices": Reviewable.of(job).choices if Reviewable.of(job).edit else {}, "points": _points(job), "several": several(job), "kinds": list(Located.of(job).box_classes),
                "order": review.initial_order(self.items), "runs": review.other_runs(self.record),
                "splits": sorted({*dataset.SPLITS, *(item["split"] for item in self.items)}),
                "reviewer": settings.reviewer, "read_only": settings.read_only or Reviewable.of(job).edit is None,
                "guess": _user_name(), "autosave": settings.autosave, "refresh": settings.refresh,
                **self.labels.newest()}

    def whole_table(self, message):
        """The pictures of the table that the run did not answer; they are added to the items once."""
        with self._lock:
            new = review.unanswered(self.job, self.items)
            self.items += new
        return {"items": [self.labels.form.item(item) for item in new]}

    def compare(self, message):
        """The answers of another run and their scores, by image."""
        items = review.read(review.other_run(self.record, str(message["run"])))
        return {"run": message["run"], "answers": {item["image"]: {
            "answer": self.labels.form.values(item["answer"]), "scores": item["scores"]} for item in items}}


def _points(job):
    """The pairs of columns (x, y) that are the points of a label which is edited by its points."""
    return Located.of(job).point_columns if Reviewable.of(job).edit == "points" else []


def _user_name():
    """The name of the account that runs the kernel: the page suggests it as the reviewer's name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user in a container
        return ""
