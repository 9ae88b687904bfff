"""A few threads that decode and answer, and a short queue before them: the event loop stays free for /health."""

import asyncio
import concurrent.futures
import contextlib
import time

from lib.api.errors import Problem

KEPT = 1.0  # s for which a place is kept for a body that comes


class Desk:
    """Runs functions in `workers` threads. Where `queue` more wait already, a caller is told to come again.

    `waited` is called with the seconds that each had to wait.
    """

    def __init__(self, workers, queue, waited=lambda seconds: None):
        self.room, self.taken, self._coming, self._waited = workers + queue, 0, set(), waited
        self._pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="answer")

    @property
    def full(self):
        """Whether all places are taken, or kept for those who come."""
        return self.taken + len(self._coming) >= self.room

    @contextlib.contextmanager
    def expecting(self):
        """Keep a place for one whose body is read in the block: no longer than KEPT, or slow ones would fill the house."""
        place = object()
        self._coming.add(place)
        forget = asyncio.get_running_loop().call_later(KEPT, self._coming.discard, place)
        try:
            yield
        finally:
            forget.cancel()
            self._coming.discard(place)

    async def run(self, function, *arguments, seconds):
        """What the function returns; Problem `busy` at once where the queue is full, `late` after `seconds`."""
        if self.taken >= self.room:
            raise busy()
        loop = asyncio.get_running_loop()
        self.taken += 1
        work = self._pool.submit(self._do, time.monotonic(), function, arguments)
        # Given back when the thread is free again, which a caller who gave up does not bring about.
        work.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(work)
        except TimeoutError as error:
            raise Problem("late", "the answer took too long; come again", {"Retry-After": "2"}) from error
        finally:
            del work  # it holds the exception, whose trace holds this frame: see _tell in door

    def _do(self, since, function, arguments):
        self._waited(time.monotonic() - since)
        return function(*arguments)

    def _leave(self):
        self.taken -= 1

    def close(self):
        """Finish what runs, drop what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def busy():
    """The Problem of a full house."""
    return Problem("busy", "too many requests at once; come again in a second", {"Retry-After": "1"})
