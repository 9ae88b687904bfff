"""Corrections on their way to PostgreSQL: on disk until they are in, whatever breaks meanwhile."""

import contextlib
import threading
from dataclasses import asdict, replace

from lib.common import config
from lib.storage import files, revisions

PAUSE = 4.0   # seconds before a correction that did not get through is sent again
LATER = "not saved yet, kept on this machine and tried again"


class Outbox:
    """Sends Changes in the background. `told(event, edit, change, **facts)` hears what became of each.

    Events: "saved" (revision), "waiting" (text; it is sent again), "conflict" (revision: theirs, text) and
    "refused" (text). A change in conflict stays on disk until it is
    replaced or dropped.
    """

    def __init__(self, job, told):
        self.job, self.told, self.folder = job, told, job.folder / "outbox"
        self._wake, self._end, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._aside, self._replaced = set(), {}
        self._thread = threading.Thread(target=self._run, daemon=True, name="outbox")
        if self._waiting():
            self.start()

    def start(self):
        """Begin to send; what an earlier kernel left is sent first."""
        self._wake.set()
        if not self._thread.is_alive():
            self._thread.start()

    def again(self):
        """Try all that is still here once more, and tell what becomes of it: for a page that was just opened."""
        self._aside.clear()
        if self._waiting():
            self.start()

    def put(self, change, replaces=""):
        """Keep a change, on disk when this returns, and send it; `replaces` names one that it takes the place of."""
        with self._lock:
            files.write_json(self._path(change.edit), asdict(change))
            if replaces:
                self._path(replaces).unlink(missing_ok=True)
                self._replaced[change.edit] = {replaces, *self._replaced.pop(replaces, ())}
        self.start()

    def drop(self, edit):
        """Forget a change that its reviewer gave up."""
        with self._lock:
            self._path(edit).unlink(missing_ok=True)

    def close(self):
        """Send no more; what waits stays on disk."""
        self._end.set()
        self._wake.set()

    def _path(self, edit):
        return self.folder / f"{''.join(letter for letter in edit if letter in '0123456789abcdef-')}.json"

    def _waiting(self):
        """The changes that are still here, oldest first."""
        found = []
        for path in self.folder.glob("*.json") if self.folder.is_dir() else []:
            with contextlib.suppress(FileNotFoundError):  # another viewer of the same folder may have sent it
                found.append((path.stat().st_mtime_ns, path.stem))
        return [edit for _, edit in sorted(found)]

    def _read(self, edit):
        """A kept Change, or None where it is gone or damaged."""
        try:
            return revisions.Change(**files.read_json(self._path(edit)))
        except (ValueError, TypeError):
            return None

    def _run(self):
        while not self._end.is_set():
            self._wake.clear()
            with self._lock:
                edits = [edit for edit in self._waiting() if edit not in self._aside]
            late = [edit for edit in edits if not self._send(edit)]
            self._wake.wait(PAUSE if late else None)

    def _send(self, edit):
        """Whether nothing more is to be tried for a change."""
        change = self._read(edit)
        if change is None:
            return True
        try:
            event, facts = "saved", {"revision": self._save(change)}
        except revisions.Conflict as error:
            self._aside.add(edit)
            event, facts = "conflict", {"revision": error.theirs, "text": str(error)}
        except config.ConfigError as error:
            event, facts = "waiting", {"text": f"{LATER}: {error}"}
        except ValueError as error:
            event, facts = "refused", {"text": str(error)}
        except Exception as error:  # a line that broke in a new way must not end the thread that tries again
            event, facts = "waiting", {"text": f"{LATER}: {error}"}
        if event in ("saved", "refused"):
            self.drop(edit)
        self.told(event, edit, change, **facts)
        return event != "waiting"

    def _save(self, change):
        """The Revision of a change; one that it replaces may have got through at the same moment, and is built on."""
        try:
            return revisions.save(self.job, change)
        except revisions.Conflict as error:
            if error.theirs.edit not in self._replaced.get(change.edit, ()):
                raise
            return revisions.save(self.job, replace(change, number=error.theirs.number + 1, was=error.theirs.label))
