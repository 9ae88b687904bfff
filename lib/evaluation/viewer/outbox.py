"""Edits on their way to PostgreSQL: each stays on disk until the database has it."""

import contextlib
import threading
from dataclasses import asdict, replace

from lib.common import config
from lib.storage import files, revisions

RETRY_AFTER = 4.0   # seconds
WAITING = "not saved yet, kept on this machine and tried again"


class Outbox:
    """Sends Changes to PostgreSQL in a thread, and calls `on_event(event, edit, change, **facts)` for each.

    Events: "saved" (revision), "waiting" (text; it is sent again), "conflict" (revision: the other person's, text) and
    "refused" (text). A change in conflict stays on disk until it is replaced or discarded.
    """

    def __init__(self, job, on_event):
        self.job, self.on_event, self.folder = job, on_event, job.folder / "outbox"
        self._wake, self._stop, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._conflicts, self._replaced = set(), {}
        self._thread = threading.Thread(target=self._run, daemon=True, name="outbox")
        if self._waiting():
            self.start()

    def start(self):
        """Start the thread; what an earlier kernel left is sent first."""
        self._wake.set()
        if not self._thread.is_alive():
            self._thread.start()

    def retry(self):
        """Send everything that is still on disk, those in conflict too: for a page that was just opened."""
        self._conflicts.clear()
        if self._waiting():
            self.start()

    def add(self, change, replaces=""):
        """Write a change to disk and send it; it takes the place of the change `replaces`, where one is named."""
        with self._lock:
            files.write_json(self._path(change.edit), asdict(change))
            if replaces:
                self._path(replaces).unlink(missing_ok=True)
                self._replaced[change.edit] = {replaces, *self._replaced.pop(replaces, ())}
        self.start()

    def discard(self, edit):
        """Delete a change."""
        with self._lock:
            self._path(edit).unlink(missing_ok=True)

    def close(self):
        """Stop the thread; unsent changes stay on disk."""
        self._stop.set()
        self._wake.set()

    def _path(self, edit):
        return self.folder / f"{''.join(letter for letter in edit if letter in '0123456789abcdef-')}.json"

    def _waiting(self):
        """The changes on disk, oldest first."""
        found = []
        for path in self.folder.glob("*.json") if self.folder.is_dir() else []:
            with contextlib.suppress(FileNotFoundError):  # another viewer of the same folder may have sent it
                found.append((path.stat().st_mtime_ns, path.stem))
        return [edit for _, edit in sorted(found)]

    def _read(self, edit):
        """A Change from disk; None where its file is gone or damaged."""
        try:
            return revisions.Change(**files.read_json(self._path(edit)))
        except (ValueError, TypeError):
            return None

    def _run(self):
        while not self._stop.is_set():
            self._wake.clear()
            with self._lock:
                edits = [edit for edit in self._waiting() if edit not in self._conflicts]
            late = [edit for edit in edits if not self._send(edit)]
            self._wake.wait(RETRY_AFTER if late else None)

    def _send(self, edit):
        """Send a change; False where it has to be sent again later."""
        change = self._read(edit)
        if change is None:
            return True
        try:
            event, facts = "saved", {"revision": self._save(change)}
        except revisions.Conflict as error:
            self._conflicts.add(edit)
            event, facts = "conflict", {"revision": error.theirs, "text": str(error)}
        except config.ConfigError as error:
            event, facts = "waiting", {"text": f"{WAITING}: {error}"}
        except ValueError as error:
            event, facts = "refused", {"text": str(error)}
        except Exception as error:  # an unexpected error must not end the thread that retries
            event, facts = "waiting", {"text": f"{WAITING}: {error}"}
        if event in ("saved", "refused"):
            self.discard(edit)
        self.on_event(event, edit, change, **facts)
        return event != "waiting"

    def _save(self, change):
        """The Revision of a change. A change that it replaces may have been saved meanwhile: then this one follows it."""
        try:
            return revisions.save(self.job, change)
        except revisions.Conflict as error:
            if error.theirs.edit not in self._replaced.get(change.edit, ()):
                raise
            return revisions.save(self.job, replace(change, number=error.theirs.number + 1, was=error.theirs.label))
