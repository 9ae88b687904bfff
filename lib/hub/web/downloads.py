"""How does a browser download what only a token may have? By a link that works once; and a stream that holds its share."""

import secrets
import threading
import time

from lib.common.http.problem_details import Problem

LASTS = 300.0   # s
MOST = 10_000   # links at once


class DownloadLinks:
    """One-time links: names that cannot be guessed, each for a call that was allowed; they last minutes, in this process."""

    def __init__(self):
        self._calls, self._lock = {}, threading.Lock()

    def make(self, call):
        """The name of a link for a call."""
        name, now = secrets.token_urlsafe(32), time.monotonic()
        with self._lock:
            self._calls = {key: value for key, value in self._calls.items() if value[1] > now}
            if len(self._calls) >= MOST:
                raise Problem("busy", "there are too many tickets already; come again", {"Retry-After": "60"})
            self._calls[name] = call, now + LASTS
        return name

    def redeem(self, name):
        """The call of a link, which works no longer from then on; Problem `not_found`."""
        with self._lock:
            call, until = self._calls.pop(name, (None, 0.0))
        if until < time.monotonic():
            raise Problem("not_found", "this ticket was used or is too old; ask for another one")
        return call


class Stream:
    """Chunks whose `release` is called once: when they end, break, or are dropped before the first."""

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
