"""How does a browser download what only a token may have? By a ticket that opens once; and a stream that keeps a slot."""

import secrets
import threading
import time

from lib.hub.web.middleware import Problem

LASTS = 300.0   # s
MOST = 10_000   # tickets at once


class Tickets:
    """Names that cannot be guessed for calls that were allowed; each opens once, within minutes, in this process."""

    def __init__(self):
        self._calls, self._lock = {}, threading.Lock()

    def make(self, call):
        """The name of a ticket for a call."""
        name, now = secrets.token_urlsafe(32), time.monotonic()
        with self._lock:
            self._calls = {key: value for key, value in self._calls.items() if value[1] > now}
            if len(self._calls) >= MOST:
                raise Problem("busy", "there are too many tickets already; come again", {"Retry-After": "60"})
            self._calls[name] = call, now + LASTS
        return name

    def redeem(self, name):
        """The call of a ticket, which is void from then on; Problem `not_found`."""
        with self._lock:
            call, until = self._calls.pop(name, (None, 0.0))
        if until < time.monotonic():
            raise Problem("not_found", "this ticket was used or is too old; ask for another one")
        return call


class Stream:
    """Chunks that give back their slot once, when they end, break or are let go of before the first."""

    def __init__(self, chunks, release):
        self._chunks, self._release = chunks, release
        self._first = next(self._chunks, b"")  # what is refused is refused before an answer begins

    def __iter__(self):
        return self

    def __next__(self):
        if self._first:
            first, self._first = self._first, b""
            return first
        try:
            return next(self._chunks)
        except BaseException:
            self.close()
            raise

    def close(self):
        release, self._release = self._release, None
        if release:
            release()

    __del__ = close
