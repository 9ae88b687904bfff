"""The widget viewer: a run's stored answers looked through, and their labels corrected."""

import getpass
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np

from lib.common import widgets
from lib.evaluation.viewer import review
from lib.evaluation.viewer.outbox import Outbox
from lib.evaluation.viewer.previews import Pictures
from lib.storage import revisions
from lib.tasks import Refusal

FOLDER = Path(__file__).parent


def show(verification, record, audited=None):
    """The Viewer of answers that were just made; the run keeps them, with a contact sheet and a list.

    Labels that an Audit found suspect stand first. The sheet is folded in above the viewer: it is what a report shows
    that no kernel stands behind.
    """
    from IPython.display import HTML, display

    display(HTML(review.folded(review.keep(verification, record, audited))))
    return Viewer(verification.job, record)


class Viewer(widgets.Cell):
    """A page in a cell on which pictures are looked through and labels corrected; it opens stored answers only.

    The page asks by messages, and threads answer, so that a picture is not kept waiting by a correction.
    """

    def __init__(self, job, record):
        self.job, self.record = job, record
        self.items = review.read(record) + review.queued(record)
        self.pictures = Pictures(job)
        self.outbox = Outbox(job, self._told)
        pool, desk = ThreadPoolExecutor(3), ThreadPoolExecutor(1)
        super().__init__(FOLDER, {
            **{each.__name__: (desk, each) for each in (self.open, self.news, self.history, self.save, self.drop, self.again)},
            **{each.__name__: (pool, each) for each in (self.picture, self.thumbs, self.piece, self.rectify)},
        }, echoed=("view", "do", "at", "tag", "edit"))

    def __repr__(self):
        return f"viewer of {len(self.items)} answers of {self.record}"

    # --- messages

    def _told(self, event, edit, change, revision=None, **facts):
        if revision is not None:
            facts["revision"] = self._plain(revision)
        if self.page is not None:
            self.page.send({"do": event, "edit": edit, "source": change.source, **facts,
                            "change": asdict(change) | {"label": self._shown(change.label)}})

    def _row(self, message):
        at = message.get("at")
        if not isinstance(at, int) or not 0 <= at < len(self.items):
            raise ValueError(f"there is no picture number {at!r}; reload the page")
        return self.items[at]

    def open(self, message):
        """All the page needs to begin: the answers, how labels are corrected, and the revisions there are."""
        settings, job = self.job.params.viewer, self.job
        names = [(name, f"{name[:-1]}y") for name in job.columns if name.endswith("x") and f"{name[:-1]}y" in job.columns]
        return {"items": [item | {"truth": self._shown(item["truth"]), "answer": self._shown(item["answer"])}
                          for item in self.items],
                "task": job.name, "profile": job.profile, "run": self.record.name,
                "question": job.question, "headline": job.headline, "best": job.best_is, "edit": job.edit,
                "choices": job.choices if job.edit else {}, "points": names if job.edit == "points" else [],
                "kinds": list(job.kinds), "order": review.order(self.items),
                "reviewer": settings.reviewer, "read_only": settings.read_only or job.edit is None,
                "guess": _user(), "autosave": settings.autosave, "refresh": settings.refresh,
                **self._known(revisions.latest)}, []

    def _shown(self, values):
        """A label or an answer as the page draws it: its boxes, where there are any, as lists of numbers."""
        return values | {"boxes": self.job.boxes(values)} if values and self.job.edit == "boxes" else values

    def _plain(self, revision):
        plain = revision.plain()
        return plain | {"label": self._shown(plain["label"]), "was": self._shown(plain["was"])}

    def news(self, message):
        """The revisions that others added meanwhile."""
        return {**self._known(lambda job: {r.id: r for r in revisions.since(job, int(message["last"]))})}, []

    def _known(self, ask):
        try:
            return {"revisions": [self._plain(revision) for revision in ask(self.job).values()],
                    "place": revisions.destination(self.job)}
        except self.trouble as error:
            return {"revisions": [], "place": "", "offline": str(error)}

    def history(self, message):
        """All revisions of a picture."""
        return {"revisions": [self._plain(r) for r in revisions.history(self.job, self._row(message)["source"])]}, []

    # --- pictures

    def picture(self, message):
        """The copy of a picture that is looked at."""
        row = self._row(message)
        if self.job.edit is None:
            return {}, [self.pictures.drawn(row, row["truth"], row["answer"])]
        return {}, [self.pictures.screen(row)]

    def thumbs(self, message):
        """Thumbnails; a picture that cannot be read has an empty one."""
        chosen = [at for at in message["many"][:64] if isinstance(at, int) and 0 <= at < len(self.items)]
        return {"many": chosen}, [self._thumb(self.items[at]) for at in chosen]

    def _thumb(self, row):
        try:
            return self.pictures.thumb(row)
        except ValueError:
            return b""

    def piece(self, message):
        """A part of a picture at full resolution."""
        code, rect = self.pictures.piece(self._row(message), message["rect"], min(int(message["most"]), 4000))
        return {"rect": rect}, [code]

    def rectify(self, message):
        """The box seen from straight above."""
        return {}, [self.pictures.rectified(self._row(message), message["corners"])]

    # --- corrections

    def save(self, message):
        """Take a correction: it is on disk when the page hears of it, and on its way to PostgreSQL."""
        row, settings = self._row(message), self.job.params.viewer
        if settings.read_only or self.job.edit is None:
            raise ValueError("this viewer is read-only (viewer.read_only); nothing was saved")
        change = revisions.Change(
            edit=str(message["edit"]), source=row["source"], number=int(message["number"]), status=message["status"],
            label=self._label(row, message), was=self._columns(row, message.get("was")),
            who=str(settings.reviewer or message.get("who") or "").strip()[:100], why=str(message.get("why", ""))[:200],
            note=str(message.get("note", ""))[:4000].replace("\0", ""), run=self.record.name,
            seconds=message.get("seconds"), sha256=row["sha256"])
        self.outbox.put(change, str(message.get("replaces") or ""))
        return {}, []

    def _label(self, row, message):
        """The label as it will be used; ValueError where the task would refuse it."""
        label = self._columns(row, message["label"])
        if message["status"] == "accepted":
            try:
                self.job.check({**label, "image": row["image"], "width": row["width"], "height": row["height"]})
            except Refusal as error:
                raise ValueError(f"not saved: {error.reason}; put it right, or mark the picture instead") from error
        return label

    def _columns(self, row, label):
        """A label as the page has it, in the columns of the job; None where there was none."""
        if label is None:
            return None
        if self.job.edit == "boxes":
            label = self.job.with_boxes(label, [_box(each, self.job.kinds) for each in label["boxes"]])
        return {name: label.get(name, (row["truth"] or {}).get(name)) for name in self.job.columns}

    def again(self, message):
        """Try what an earlier visit left unsaved; the page hears what becomes of it."""
        self.outbox.again()
        return {}, []

    def drop(self, message):
        """Forget a correction that its reviewer gave up."""
        self.outbox.drop(str(message["edit"]))
        return {}, []


def _box(box, kinds):
    """A box as the page sent it; ValueError where it is none."""
    numbers = [float(each) for each in box[:4]]
    if len(numbers) < 4 or not np.isfinite(numbers).all() or numbers[0] >= numbers[2] or numbers[1] >= numbers[3] \
            or kinds and (len(box) < 5 or box[4] not in kinds):
        raise ValueError(f"not saved: {str(box)[:100]} is no box of left, top, right and bottom"
                         + (f" and one of {', '.join(kinds)}" if kinds else ""))
    return [*numbers, box[4]] if kinds else numbers


def _user():
    """Who is probably sitting here; the page offers the name, and nothing is saved under it unasked."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user in a container
        return ""
