"""What the page asks about pictures that are there: overview, selections, pictures, data set versions, the watch-list."""

import json
import urllib.error
import urllib.parse
import urllib.request

from lib.hub import accounts, store
from lib.hub.datasets import label_hierarchy, selection
from lib.hub.datasets import versions as sets
from lib.hub.web import dashboard

MAX_SHOWN = 240      # pictures of a selection that are shown
MAX_THUMBNAILS = 40  # in one message
LARGE = 1600         # px, the longer side of a picture that was opened


def overview(page, message):
    """How many accepted pictures there are by label, with the tree, and by place."""
    counts = selection.counts(page.hub, page.account)
    with page.hub.transaction(page.account, "browse") as cursor:
        tree = label_hierarchy.tree(cursor)
        cursor.execute("SELECT count(*), coalesce(avg(quality), 0) FROM hub.published")
        total, quality = cursor.fetchone()
        cursor.execute("SELECT count(DISTINCT label) FROM hub.published_tag")
        labels, = cursor.fetchone()
    return {"counts": counts, "tree": tree, "places": selection.places(page.hub, page.account), "total": total,
            "labels": labels, "quality": float(quality)}


def figure(page, message):
    """A figure of the dashboard, as PNG."""
    return {"name": message["name"]}, [dashboard.png(page.hub, page.account, str(message["name"]))]


def select(page, message):
    """What a query chooses: counts, and the first pictures."""
    found = selection.select(page.hub, page.account, message["query"], limit=MAX_SHOWN)
    return {**found.plain(), "pictures": selection.pictures(page.hub, page.account, found.ids)}


def thumbs(page, message):
    """Thumbnails of accepted pictures (of any, for reviewers), in the order asked; one that cannot be had is empty."""
    ids = [int(number) for number in message["ids"][:MAX_THUMBNAILS]]
    there = _hashes(page, ids)
    return {"ids": ids}, [_image(page, there.get(number)) for number in ids]


def picture(page, message):
    """One of these pictures, large."""
    number = int(message["id"])
    if not (image := _image(page, _hashes(page, [number]).get(number), LARGE)):
        raise ValueError(f"picture {number} cannot be shown: it is not there, or the store has lost it")
    return {"id": number}, [image]


def _hashes(page, ids):
    """By id, the SHA-256 of the pictures that the visitor may see."""
    reviewer = accounts.is_allowed(page.account, "review")
    with page.hub.transaction(page.account, "review" if reviewer else "browse") as cursor:
        cursor.execute("SELECT id, sha256 FROM hub.picture WHERE id = ANY(%s)" if reviewer else
                       "SELECT id, sha256 FROM hub.published WHERE id = ANY(%s)", (ids,))
        return dict(cursor.fetchall())


def _image(page, sha256, side=160):
    try:
        return store.thumbnail(page.hub, sha256, side) if sha256 else b""
    except (ValueError, OSError):  # one that is gone or damaged must not hide the others
        return b""


def version(page, message):
    """The version of a data set that a query makes."""
    return {"version": sets.create(page.hub, page.account, message["query"]).plain()}


def versions(page, message):
    """The versions there are."""
    return {"versions": [each.plain() for each in sets.list_all(page.hub, page.account)]}


def watch(page, message):
    """Put a query on the watch-list."""
    return {"watch": selection.watch(page.hub, page.account, message["query"], int(message["least"]))}


def watches(page, message):
    """One's own watch-list."""
    return {"watches": json.loads(json.dumps(selection.watches(page.hub, page.account), default=str))}


def withdraw(page, message):
    """Take a query off the watch-list."""
    selection.withdraw(page.hub, page.account, int(message["number"]))
    return {"number": int(message["number"])}


# --- the app beside the page, which sends what is downloaded


def ticket(page, message):
    """An address at the hub's app that downloads a version, or a training's model, once."""
    kind = {"version": "versions", "training": "trainings"}[message["of"]]
    accounts.database_role(page.account, {"versions": "download", "trainings": "train"}[kind])
    formats = urllib.parse.quote(",".join(map(str, message.get("formats", ("folders",)))))
    path = f"/v1/{kind}/{int(message['number'])}/ticket" + (f"?formats={formats}" if kind == "versions" else "")
    return {"address": app_address(page.hub.settings) + ask_app(page.hub.settings, path, page.token)["path"]}


def app_address(settings):
    """Where the hub's app listens."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'https' if settings.certificate else 'http'}://{host}:{settings.port}"


def ask_app(settings, path, token):
    """What the hub's app answers to a POST, as plain values; RuntimeError says what is wrong."""
    request = urllib.request.Request(app_address(settings) + path, b"", {"Authorization": f"Bearer {token}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise RuntimeError(json.load(error).get("detail", "the hub's app refuses")) from error
    except OSError as error:
        raise RuntimeError(f"the hub's app does not answer at {app_address(settings)}; its operator has to start it: "
                           "python -m lib hub serve") from error


HANDLERS = {"overview": overview, "figure": figure, "select": select, "thumbs": thumbs, "picture": picture, "version": version,
            "versions": versions, "ticket": ticket, "watch": watch, "watches": watches, "withdraw": withdraw}
