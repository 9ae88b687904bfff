"""The hub's page in a cell: submit, browse, choose, download, train, review, each for those who may."""

import hashlib
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lib.common import widgets
from lib.hub import accounts, store
from lib.hub.datasets import label_hierarchy, selection
from lib.hub.datasets import versions as sets
from lib.hub.intake import sources, submission, uploads, verification
from lib.hub.jobs import trainings
from lib.hub.web import dashboard

MAX_SHOWN = 240        # pictures of a selection that are shown
PART_BYTES = 512 * 1024  # bytes of a file in one message
MAX_PARTIAL_FILES = 8           # files that may be on their way at once


class Page(widgets.Widget):
    """A page for one visitor, who is known by a token; it asks by messages, and threads answer.

    What a visitor may is asked of the database at every step; the page only hides what would be refused.
    """

    errors = (*widgets.Widget.errors, LookupError)

    def __init__(self, hub):
        self._pool = pool = ThreadPoolExecutor(6)
        super().__init__(Path(__file__).parent, {name: (pool, getattr(self, name)) for name in (
            "enter", "overview", "figure", "begin", "done", "batches", "batch", "select", "thumbs", "version", "versions",
            "ticket", "watch", "watches", "train", "trainings", "cancel", "again", "kept", "queue", "review", "waiting")},
            echoed=("view", "do", "ask"))
        self.hub, self.account, self._token = hub, None, ""
        self._parts, self._lock = {}, threading.Lock()

    def __repr__(self):
        return f"page of the hub {self.hub.profile!r}"

    # --- messages

    def on_message(self, message, buffers=()):
        """As a Widget; parts of files are taken at once, in the order they come in."""
        if message.get("do") == "part":
            return self._part(message, buffers)
        super().on_message(message, buffers)

    def _reply(self, answer, message):
        super()._reply(answer if self.account or answer == self.enter else self._refuse, message)

    def _refuse(self, message):
        raise accounts.Forbidden("enter your token first")

    # --- who

    def enter(self, message):
        """Who has this token, what they may, and the words that can be chosen from."""
        account = accounts.find_by_token(self.hub, str(message["token"]))
        if account is None:
            raise accounts.Forbidden("nobody has this token; ask the hub's operator for one")
        self.account, self._token = account, str(message["token"])
        with self.hub.transaction(account, "browse") as cursor:
            cursor.execute("SELECT id, name FROM hub.licence ORDER BY id")
            licences = cursor.fetchall()
        api, settings = self.hub.params.api, self.hub.settings
        return {"name": account.name, "roles": list(account.roles), "licences": licences,
                "may": [each for each in accounts.ACTIONS if accounts.is_allowed(account, each)], "open": list(trainings.ADJUSTABLE),
                "most": api.max_bytes, "part": PART_BYTES, "shown": MAX_SHOWN, "profile": settings.training_profile,
                "beat": settings.heartbeat}

    # --- what is there

    def overview(self, message):
        """How many accepted pictures there are by label, with the tree, and by place."""
        counts = selection.counts(self.hub, self.account)
        with self.hub.transaction(self.account, "browse") as cursor:
            tree = label_hierarchy.tree(cursor)
            cursor.execute("SELECT count(*), coalesce(avg(quality), 0) FROM hub.published")
            total, quality = cursor.fetchone()
        return {"counts": counts, "tree": tree, "places": selection.places(self.hub, self.account), "total": total,
                "quality": float(quality)}

    def figure(self, message):
        """A figure of the dashboard, as PNG."""
        return {"name": message["name"]}, [dashboard.png(self.hub, self.account, str(message["name"]))]

    # --- pictures in

    def begin(self, message):
        """Which of the files ({name: SHA-256}) are still wanted by a batch."""
        accounts.database_role(self.account, "submit")
        return {"wanted": uploads.wanted(self.hub, self.account, str(message["key"]), dict(message["files"]))}

    def _part(self, message, buffers):
        """A part of a file; the last one hands it in."""
        if self.account is None or len(self._parts) > MAX_PARTIAL_FILES:
            return self._pool.submit(self._reply, self._too_many, message)
        with self._lock:
            held = self._parts.setdefault(str(message["id"]), bytearray())
            held += bytes(buffers[0]) if buffers else b""
            late = len(held) > self.hub.params.api.max_bytes + PART_BYTES
            if late or message["last"]:
                data = bytes(self._parts.pop(str(message["id"])))
        if late or message["last"]:
            self._pool.submit(self._reply, lambda asked: self._take(asked, data), message)
        else:
            self.page.send({"do": "part", "ask": message["ask"], "view": message.get("view")})

    def _too_many(self, message):
        raise ValueError(f"more than {MAX_PARTIAL_FILES} files are being sent at once; send them one after another")

    def _take(self, message, data):
        values = {key: str(message["values"].get(key) or "") for key in ("place", "licence", "author")}
        values["labels"] = [label.strip() for label in str(message["values"].get("labels") or "").split(";") if label.strip()]
        name = str(message["name"])
        if wrong := sources.unsafe(name):
            raise ValueError(f"the file name {name[:100]!r} {wrong}; give it another")
        item = sources.Item(name, data, values, hashlib.sha256(data).hexdigest())
        return uploads.receive(self.hub, self.account, str(message["key"]), [item])

    def done(self, message):
        """Close a batch."""
        receipt = submission.receive(self.hub, self.account, uploads.checked_key(str(message["key"])), [], done=True)
        return receipt.plain()

    def batches(self, message):
        """One's own batches."""
        return {"batches": submission.batches(self.hub, self.account)}

    def batch(self, message):
        """What became of each file of one's own batch."""
        return submission.status(self.hub, self.account, int(message["batch"]))

    # --- pictures out

    def select(self, message):
        """What a query chooses: counts, and the first pictures."""
        found = selection.select(self.hub, self.account, message["query"], limit=MAX_SHOWN)
        return {**found.plain(), "pictures": selection.pictures(self.hub, self.account, found.ids)}

    def thumbs(self, message):
        """Thumbnails of accepted pictures (of any, for reviewers), in the order asked; one that cannot be had is empty."""
        ids = [int(number) for number in message["ids"][:40]]
        there = self._hashes(ids)
        return {"ids": ids}, [self._thumb(there.get(number)) for number in ids]

    def _hashes(self, ids):
        action, table = ("review", "picture") if accounts.is_allowed(self.account, "review") else ("browse", "published")
        with self.hub.transaction(self.account, action) as cursor:
            cursor.execute({"picture": "SELECT id, sha256 FROM hub.picture WHERE id = ANY(%s)",
                            "published": "SELECT id, sha256 FROM hub.published WHERE id = ANY(%s)"}[table], (ids,))
            return dict(cursor.fetchall())

    def _thumb(self, sha256):
        try:
            return store.thumbnail(self.hub, sha256) if sha256 else b""
        except (ValueError, OSError):  # one that is gone or damaged must not hide the others
            return b""

    def version(self, message):
        """The version of a data set that a query makes."""
        return {"version": sets.create(self.hub, self.account, message["query"]).plain()}

    def versions(self, message):
        """The versions there are."""
        return {"versions": [version.plain() for version in sets.list_all(self.hub, self.account)]}

    def ticket(self, message):
        """An address at the hub's app that downloads a version, or a training's model, once."""
        kind = {"version": "versions", "training": "trainings"}[message["of"]]
        accounts.database_role(self.account, {"versions": "download", "trainings": "train"}[kind])
        formats = urllib.parse.quote(",".join(map(str, message.get("formats", ("folders",)))))
        path = f"/v1/{kind}/{int(message['number'])}/ticket" + (f"?formats={formats}" if kind == "versions" else "")
        return {"address": app_address(self.hub.settings) + ask_app(self.hub.settings, path, self._token)["path"]}

    def watch(self, message):
        """Put a query on the watch-list."""
        return {"watch": selection.watch(self.hub, self.account, message["query"], int(message["least"]))}

    def watches(self, message):
        """One's own watch-list."""
        return {"watches": json.loads(json.dumps(selection.watches(self.hub, self.account), default=str))}

    # --- models

    def train(self, message):
        """Ask for a training."""
        asked = trainings.enqueue(self.hub, self.account, int(message["version"]), dict(message.get("overrides") or {}))
        return {"training": asked.plain()}

    def trainings(self, message):
        """One's own trainings."""
        return {"trainings": [each.plain() for each in trainings.list_own(self.hub, self.account)]}

    def cancel(self, message):
        """End a training."""
        return {"training": trainings.cancel(self.hub, self.account, int(message["number"])).plain()}

    def again(self, message):
        """The same training once more."""
        return {"training": trainings.retry(self.hub, self.account, int(message["number"])).plain()}

    def kept(self, message):
        """A figure that a training left."""
        training = trainings.find(self.hub, self.account, int(message["number"]))
        sha256 = (training.result or {})["files"][str(message["name"])]
        return {"number": training.id, "name": message["name"]}, [store.read(self.hub, sha256, trainings.KIND)]

    # --- reviews

    def queue(self, message):
        """What waits for review, or with `refused` what a check refused."""
        waiting = verification.queue(self.hub, self.account, MAX_SHOWN, refused=bool(message.get("refused")))
        return {"queue": json.loads(json.dumps(waiting, default=str))}

    def waiting(self, message):
        """How many pictures wait for verification or review, and how many a check refused."""
        return {"waiting": verification.waiting(self.hub, self.account)}

    def review(self, message):
        """A reviewer's verdict."""
        labels = message.get("labels")
        verification.review(self.hub, self.account, int(message["picture"]), str(message["verdict"]),
                            None if labels is None else [str(label) for label in labels], str(message.get("note") or ""))
        return {"picture": int(message["picture"])}


# --- the app beside the page, which sends what is downloaded


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
