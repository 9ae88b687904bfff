"""The access log: JSON lines, written by a thread of its own, so that a slow or full disk never delays a request."""

import json
import queue
import sys
import threading
import time
import traceback

MAX_TRACE = 8_000  # characters of a trace
MAX_LINES = 10_000  # that may wait
GATHER = 0.05      # s for which lines are gathered: a thread woken and a file opened for each would cost the answers


class AccessLog:
    """JSON lines at the end of a file, or on standard error where `path` is empty.

    Lines that cannot be written are lost and counted in `lost`; nobody waits for them.
    """

    def __init__(self, path=""):
        self.path, self.lost, self._torn = path, 0, False
        self._lines, self._closing = queue.SimpleQueue(), threading.Event()
        self._writer = threading.Thread(target=self._run, name="access log", daemon=True)
        self._writer.start()

    def write(self, **line):
        """Write a line: its time and the members given, those that are None left out."""
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **{k: v for k, v in line.items() if v is not None}}
        if self._lines.qsize() >= MAX_LINES:
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
            self._closing.wait(GATHER)
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
        content = b"\n" * self._torn + text.encode()
        with open(self.path, "ab", buffering=0) as file:  # afresh: the file may have been moved away
            self._torn = True  # a full disk takes a part of it; the next line then begins on a line of its own
            if file.write(content) < len(content):
                raise OSError("the log's disk is full")
            self._torn = False


def trace(error):
    """The full trace of an exception and of its causes, its end kept where it is too long."""
    return "".join(traceback.format_exception(error))[-MAX_TRACE:]
