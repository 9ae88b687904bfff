"""Labels as the viewer's page holds them, and back as the columns of the task."""

import numpy as np

from lib.tasks.contract import Located, RejectedRow, Reviewable


class LabelForm:
    """Converts labels, answers and revisions of a job for the page: boxes are lists of numbers there."""

    def __init__(self, job):
        self.job = job

    def item(self, item):
        """A stored answer for the page."""
        return item | {"truth": self.values(item["truth"]), "answer": self.values(item["answer"])}

    def values(self, values):
        """A label or an answer for the page."""
        return values | {"boxes": Located.of(self.job).boxes(values)} if values and Reviewable.of(self.job).edit == "boxes" else values

    def revision(self, revision):
        """A Revision for the page."""
        plain = revision.plain()
        return plain | {"label": self.values(plain["label"]), "was": self.values(plain["was"])}

    def columns(self, item, label):
        """A label of the page in the columns of the job; None for None. ValueError: a box is none."""
        if label is None:
            return None
        if Reviewable.of(self.job).edit == "boxes":
            label = Located.of(self.job).with_boxes(label, [_checked_box(box, Located.of(self.job).box_classes) for box in label["boxes"]])
        return {name: label.get(name, (item["truth"] or {}).get(name)) for name in self.job.columns}

    def refusal(self, item, label):
        """Why the task would refuse this label (columns of the job), in words; "" where it takes it."""
        try:
            self.job.check({**label, "image": item["image"], "width": item["width"], "height": item["height"]})
        except RejectedRow as error:
            return error.reason
        return ""


def _checked_box(box, kinds):
    """The box [left, top, right, bottom, kind] as numbers and its kind; ValueError where it is no box."""
    numbers = [float(each) for each in box[:4]]
    if len(numbers) < 4 or not np.isfinite(numbers).all() or numbers[0] >= numbers[2] or numbers[1] >= numbers[3] \
            or kinds and (len(box) < 5 or box[4] not in kinds):
        raise ValueError(f"not saved: {str(box)[:100]} is no box of left, top, right and bottom"
                         + (f" and one of {', '.join(kinds)}" if kinds else ""))
    return [*numbers, box[4]] if kinds else numbers
