"""Labels as the viewer's page holds them, and back as the columns of the task."""

import numpy as np

from lib.data import merging
from lib.tasks.contract import Located, RejectedRow, Reviewable

MOST = 100     # labels of one picture that are kept


def several(job):
    """Whether a reviewer edits several labels of a picture, each by its points."""
    return Located.of(job).several and Reviewable.of(job).edit == "points"


class LabelForm:
    """Converts labels, answers and revisions of a job for the page: boxes are lists of numbers there."""

    def __init__(self, job):
        self.job = job

    @property
    def several(self):
        return several(self.job)

    def item(self, item):
        """A stored answer for the page."""
        return item | {"truth": self.values(item["truth"]), "answer": self.values(item["answer"])}

    def values(self, values):
        """A label or an answer for the page."""
        if not values or not (self.several or Reviewable.of(self.job).edit == "boxes"):
            return values
        located = Located.of(self.job)
        return values | {"boxes": located.labels_of(values) if self.several else located.boxes(values)}

    def revision(self, revision):
        """A Revision for the page."""
        plain = revision.plain()
        return plain | {"label": self.values(plain["label"]), "was": self.values(plain["was"])}

    def columns(self, item, label):
        """A label of the page in the columns of the job; None for None. ValueError: a box is none.

        Of several labels of a picture the columns are those of the first, and `boxes` holds all of them.
        """
        if label is None:
            return None
        if self.several:
            return self._several(Located.of(self.job).labels_of(label))
        if Reviewable.of(self.job).edit == "boxes":
            label = Located.of(self.job).with_boxes(label, [_checked_box(box, Located.of(self.job).box_classes) for box in label["boxes"]])
        return {name: label.get(name, (item["truth"] or {}).get(name)) for name in self.job.columns}

    def _several(self, boxes):
        if not all(isinstance(box, dict) for box in boxes):
            raise ValueError(f"not saved: the boxes are {str(boxes)[:100]}, not values by name")
        if len(boxes) > MOST:
            raise ValueError(f"not saved: {len(boxes)} boxes in one picture; {MOST} are kept")
        labels = [{name: box.get(name) for name in self.job.columns} | ({"cut": True} if box.get("cut") is True else {}) for box in boxes]
        first = labels[0] if labels else dict.fromkeys(self.job.columns)
        return {**first, "boxes": labels} if len(labels) > 1 else first

    def refusal(self, item, label):
        """Why the task would refuse this label (columns of the job), in words; "" where it takes it."""
        picture = {name: item[name] for name in ("image", "width", "height")}
        try:
            labels = [self.job.check({**each, **picture}) for each in Located.of(self.job).labels_of(label) or [label]]
        except RejectedRow as error:
            return error.reason
        return "two boxes lie on one another" if merging.contradictions(self.job, labels) else ""


def _checked_box(box, kinds):
    """The box [left, top, right, bottom, kind] as numbers and its kind; ValueError where it is no box."""
    numbers = [float(each) for each in box[:4]]
    if len(numbers) < 4 or not np.isfinite(numbers).all() or numbers[0] >= numbers[2] or numbers[1] >= numbers[3] \
            or kinds and (len(box) < 5 or box[4] not in kinds):
        raise ValueError(f"not saved: {str(box)[:100]} is no box of left, top, right and bottom"
                         + (f" and one of {', '.join(kinds)}" if kinds else ""))
    return [*numbers, box[4]] if kinds else numbers
