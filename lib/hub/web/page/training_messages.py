"""What the page asks about trainings on demand."""

from lib.hub import store
from lib.hub.jobs import trainings as jobs


def train(page, message):
    """Ask for a training."""
    asked = jobs.enqueue(page.hub, page.account, int(message["version"]), dict(message.get("overrides") or {}))
    return {"training": asked.plain()}


def trainings(page, message):
    """One's own trainings."""
    return {"trainings": [each.plain() for each in jobs.list_own(page.hub, page.account)]}


def cancel(page, message):
    """End a training."""
    return {"training": jobs.cancel(page.hub, page.account, int(message["number"])).plain()}


def retry(page, message):
    """The same training once more."""
    return {"training": jobs.retry(page.hub, page.account, int(message["number"])).plain()}


def file(page, message):
    """A figure that a training left."""
    training = jobs.find(page.hub, page.account, int(message["number"]))
    sha256 = (training.result or {})["files"][str(message["name"])]
    return {"number": training.id, "name": message["name"]}, [store.read(page.hub, sha256, jobs.KIND)]


HANDLERS = {"train": train, "trainings": trainings, "cancel": cancel, "retry": retry, "file": file}
