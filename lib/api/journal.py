"""The log: JSON lines, written by a thread of its own, so that a slow or full disk never holds a request up."""

import contextlib
import json
import queue
import sys
import threading
import time
import traceback

LONGEST = 8_000  # characters of a trace


class Journal:
    """JSON lines at the end of a file, or on standard error where `path` is empty.

    Lines that cannot be written are lost and counted in `lost`; nobody waits for them.
    """

    def __init__(self, path=""):
        self.path, self.lost = path, 0
        self._lines = queue.Queue(10_000)
        self._writer = threading.Thread(target=self._run, name="journal", daemon=True)
        self._writer.start()

    def write(self, **line):
        """Note a line: its time and the members given, those that are None left out."""
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **{k: v for k, v in line.items() if v is not None}}
        try:
            self._lines.put_nowait(json.dumps(line, default=str) + "\n")
        except queue.Full:
            self.lost += 1

    def close(self):
        """Write what is left, for two seconds at most."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
        self._writer.join(2)

    def _run(self):
        for text in iter(self._lines.get, None):
            try:
                self._put(text)
            except (OSError, ValueError):  # disk full, folder gone, stream closed
                self.lost += 1

    def _put(self, text):
        if not self.path:
            sys.stderr.write(text)
            sys.stderr.flush()
            return
        with open(self.path, "a", encoding="utf-8") as file:  # afresh: the file may have been moved away
            file.write(text)


def trace(error):
    """The full trace of an exception and of its causes, its end kept where it is too long."""
    return "".join(traceback.format_exception(error))[-LONGEST:]
