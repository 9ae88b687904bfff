"""What the page asks about pictures that come in: parts of files, batches and what became of them."""

import hashlib
import threading

from lib.hub import accounts
from lib.hub.intake import sources, submission, uploads

PART_BYTES = 512 * 1024  # of a file, in one message
MAX_PARTIAL = 8          # files that may be on their way at once


class PartialFiles:
    """Files of which some parts have come, by the name that the browser gives each."""

    def __init__(self, max_bytes):
        self.max_bytes, self._held, self._lock = max_bytes, {}, threading.Lock()

    def __len__(self):
        return len(self._held)

    def add(self, name, buffers, last):
        """The whole file with its last part or once it is too large, b"" where too many are held, None before."""
        with self._lock:
            if name not in self._held and len(self._held) >= MAX_PARTIAL:
                return b""
            held = self._held.setdefault(name, bytearray())
            held += bytes(buffers[0]) if buffers else b""
            if last or len(held) > self.max_bytes + PART_BYTES:
                return bytes(self._held.pop(name))
        return None


def begin(page, message):
    """Which of the files ({name: SHA-256}) are still wanted by a batch."""
    accounts.database_role(page.account, "submit")
    return {"wanted": uploads.wanted(page.hub, page.account, str(message["key"]), dict(message["files"]))}


def receive(page, message, data):
    """Take a whole file into a batch."""
    if not data:
        raise ValueError(f"the file is empty, or more than {MAX_PARTIAL} are being sent at once; send them one after another")
    given = message.get("values") or {}
    values = {key: str(given.get(key) or "") for key in ("place", "licence", "author")}
    values["labels"] = [label.strip() for label in str(given.get("labels") or "").split(";") if label.strip()]
    name = str(message["name"])
    if wrong := sources.unsafe(name):
        raise ValueError(f"the file name {name[:100]!r} {wrong}; give it another")
    item = sources.Item(name, data, values, hashlib.sha256(data).hexdigest())
    return uploads.receive(page.hub, page.account, str(message["key"]), [item])


def done(page, message):
    """Close a batch."""
    return submission.receive(page.hub, page.account, uploads.checked_key(str(message["key"])), [], done=True).plain()


def batches(page, message):
    """One's own batches."""
    return {"batches": submission.batches(page.hub, page.account)}


def batch(page, message):
    """What became of each file of one's own batch."""
    return submission.status(page.hub, page.account, int(message["batch"]))


HANDLERS = {"begin": begin, "done": done, "batches": batches, "batch": batch}
