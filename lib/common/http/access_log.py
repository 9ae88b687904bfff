"""The log: JSON lines, written by a thread of its own, so that a slow or full disk never holds a request up."""

import json
import queue
import sys
import threading
import time
import traceback

LONGEST = 8_000  # characters of a trace
MOST = 10_000    # lines that may wait
TOGETHER = 0.05  # s for which lines are gathered: a thread woken and a file opened for each would cost the answers


class Journal:
    """JSON lines at the end of a file, or on standard error where `path` is empty.

    Lines that cannot be written are lost and counted in `lost`; nobody waits for them.
    """

    def __init__(self, path=""):
        self.path, self.lost = path, 0
        self._lines, self._closing = queue.SimpleQueue(), threading.Event()
        self._writer = threading.Thread(target=self._run, name="journal", daemon=True)
        self._writer.start()

    def write(self, **line):
        """Note a line: its time and the members given, those that are None left out."""
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **{k: v for k, v in line.items() if v is not None}}
        if self._lines.qsize() >= MOST:
            self.lost += 1
        else:
            self._lines.put(json.dumps(line, default=str) + "\n")

    def close(self):
        """Write what is left, for two seconds at most."""
        self._closing.set()
        self._lines.put("")
        self._writer.join(2)

    def _run(self):
        while not (self._closing.is_set() and self._lines.empty()):
            texts = [self._lines.get()]
            self._closing.wait(TOGETHER)
            texts += [self._lines.get() for _ in range(self._lines.qsize())]
            try:
                self._put("".join(texts))
            except (OSError, ValueError):  # disk full, folder gone, stream closed
                self.lost += len(list(filter(None, texts)))

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
