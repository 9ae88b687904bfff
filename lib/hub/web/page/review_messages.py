"""What the page asks about pictures that wait for a reviewer."""

import json

from lib.hub.intake import reviews
from lib.hub.web.page.dataset_messages import MAX_SHOWN


def queue(page, message):
    """What waits for a reviewer, or with `refused` what a check refused."""
    waiting = reviews.queue(page.hub, page.account, MAX_SHOWN, refused=bool(message.get("refused")))
    return {"queue": json.loads(json.dumps(waiting, default=str)), "waiting": reviews.waiting(page.hub, page.account)}


def review(page, message):
    """A reviewer's verdict, and how many pictures wait after it."""
    labels = message.get("labels")
    reviews.decide(page.hub, page.account, int(message["picture"]), str(message["verdict"]),
                        None if labels is None else [str(label) for label in labels], str(message.get("note") or ""))
    return {"picture": int(message["picture"]), "waiting": reviews.waiting(page.hub, page.account)}


HANDLERS = {"queue": queue, "review": review}
