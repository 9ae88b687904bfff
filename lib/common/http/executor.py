"""A few threads that decode and answer, and a short queue before them: the event loop stays free for /health."""

import asyncio
import collections
import concurrent.futures
import time

from lib.common.http.problem_details import Problem

PAUSE = 1.0    # s within which there must be a place, or one is told to come again …
CROWD = 32     # … and a second more for so many who wait beside …
LONGEST = 8.0  # … up to this


class Desk:
    """Runs functions in `workers` threads. It has as many places, and `queue` more for those who come and wait.

    `waited` is called with the seconds that each had to wait for a thread.
    """

    def __init__(self, workers, queue, waited=lambda seconds: None):
        self.room, self._waited = workers + queue, waited
        self._places, self._waiting = set(), collections.deque()
        self._pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="answer")

    @property
    def taken(self):
        """How many places are taken."""
        return len(self._places)

    async def place(self):
        """A place, now or in a moment, in the order of coming; else Problem `busy`. Whoever gets it leaves it again.

        The moment costs nothing, and bounds how often a crowd can come again that does so at once.
        """
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._seat()
        try:
            if not place.done():
                await asyncio.wait([place], timeout=min(LONGEST, PAUSE + len(self._waiting) / CROWD))
        except asyncio.CancelledError:
            self.leave(place)
            raise
        if not place.done():
            self.leave(place)
            raise busy()
        return place

    def holds(self, place):
        """Whether this is a place that is taken; None is no place."""
        return place in self._places

    def leave(self, place):
        """Give a place back where it is held, or wait for it no longer."""
        if place in self._places:
            self._places.remove(place)
            self._seat()
        elif place in self._waiting:
            self._waiting.remove(place)

    def _seat(self):
        while self._waiting and self.taken < self.room:
            place = self._waiting.popleft()
            self._places.add(place)
            place.set_result(None)

    async def run(self, function, *arguments, seconds, place=None):
        """What the function returns, at a place; Problem `busy` at once where there is none, `late` after `seconds`."""
        if not self.holds(place) and self.taken >= self.room:
            raise busy()
        loop = asyncio.get_running_loop()
        work = self._pool.submit(self._do, time.monotonic(), function, arguments)
        self._places.discard(place)
        self._places.add(work)
        # Given back when the thread is free again, which a caller who gave up does not bring about.
        work.add_done_callback(lambda done: loop.call_soon_threadsafe(self.leave, done))
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

    def close(self):
        """Finish what runs, drop what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def busy():
    """The Problem of a full house."""
    return Problem("busy", "too many requests at once; come again in a second", {"Retry-After": "1"})
