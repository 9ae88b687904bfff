"""How many things may one client hold at once? A share, so that nobody takes all places."""

import collections
import contextlib
import functools
import threading

from lib.common.http.problem_details import busy


class Shares:
    """At most `total` things at once, and at most `each` of them for one owner."""

    def __init__(self, total, each):
        self.total, self.each = total, each
        self._held, self._lock = collections.Counter(), threading.Lock()

    def acquire(self, owner):
        """Take one for an owner; returns the function that gives it back. Problem `busy` where no more may be held."""
        with self._lock:
            if self._held[owner] >= self.each:
                raise busy(f"you have {self.each} of these running already; come again when one has ended")
            if self._held.total() >= self.total:
                raise busy()
            self._held[owner] += 1
        return functools.partial(self._release, owner)

    def _release(self, owner):
        with self._lock:
            self._held[owner] -= 1
            if not self._held[owner]:
                del self._held[owner]

    @contextlib.contextmanager
    def held(self, owner):
        """Hold one while the block lasts."""
        release = self.acquire(owner)
        try:
            yield
        finally:
            release()
