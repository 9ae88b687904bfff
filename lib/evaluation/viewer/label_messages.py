"""Answers to the page's messages about labels: revisions read, edits saved."""

from dataclasses import asdict

from lib.evaluation.viewer import review
from lib.evaluation.viewer.label_form import LabelForm
from lib.evaluation.viewer.outbox import Outbox
from lib.storage import revisions
from lib.tasks.contract import Reviewable


class LabelMessages:
    """Handlers of the messages about labels. `send(message)` takes what the outbox reports, for the page."""

    def __init__(self, job, record, items, send):
        self.job, self.record, self.items, self._send = job, record, items, send
        self.form = LabelForm(job)
        self.outbox = Outbox(job, self._report)

    def handlers(self):
        """The handlers by the names of their messages."""
        return {each.__name__: each for each in (self.updates, self.history, self.save, self.retry, self.discard)}

    def newest(self):
        """The newest revision of each picture, and where revisions are kept."""
        return self._revisions(lambda: revisions.latest(self.job).values())

    def updates(self, message):
        """The revisions that came after the one with the id `last`."""
        return self._revisions(lambda: revisions.since(self.job, int(message["last"])))

    def _revisions(self, fetch):
        try:
            return {"revisions": [self.form.revision(each) for each in fetch()], "place": revisions.destination(self.job)}
        except (ValueError, OSError, RuntimeError) as error:  # the pictures can be looked at without the database
            return {"revisions": [], "place": "", "offline": str(error)}

    def history(self, message):
        """All revisions of a picture, newest first."""
        item = review.item_at(self.items, message)
        return {"revisions": [self.form.revision(each) for each in revisions.history(self.job, item["source"])]}

    def save(self, message):
        """Keep an edit: it is on disk when this returns, and then on its way to PostgreSQL."""
        item, settings = review.item_at(self.items, message), self.job.params.viewer
        if settings.read_only or Reviewable.of(self.job).edit is None:
            raise ValueError("this viewer is read-only (viewer.read_only); nothing was saved")
        label = self.form.columns(item, message["label"])
        if message["status"] == "accepted" and (reason := self.form.refusal(item, label)):
            raise ValueError(f"not saved: {reason}; put it right, or mark the picture instead")
        change = revisions.Change(
            edit=str(message["edit"]), source=item["source"], number=int(message["number"]), status=message["status"],
            label=label, was=self.form.columns(item, message.get("was")),
            who=str(settings.reviewer or message.get("who") or "").strip()[:100], why=str(message.get("why", ""))[:200],
            note=str(message.get("note", ""))[:4000].replace("\0", ""), run=self.record.name,
            seconds=message.get("seconds"), sha256=item["sha256"])
        self.outbox.add(change, str(message.get("replaces") or ""))
        return {}

    def retry(self, message):
        """Send again what an earlier visit left unsaved."""
        self.outbox.retry()
        return {}

    def discard(self, message):
        """Delete an unsaved edit that its reviewer gave up."""
        self.outbox.discard(str(message["edit"]))
        return {}

    def _report(self, event, edit, change, revision=None, **facts):
        """Tell the page what became of an edit."""
        if revision is not None:
            facts["revision"] = self.form.revision(revision)
        self._send({"do": event, "edit": edit, "source": change.source, **facts,
                    "change": asdict(change) | {"label": self.form.values(change.label)}})
