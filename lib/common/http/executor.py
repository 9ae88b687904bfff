"""A bounded number of threads that do the work of requests, and a bounded queue before them: the event loop stays free."""

import asyncio
import collections
import concurrent.futures
import threading
import time

from lib.common.http.problem_details import Problem, busy

PAUSE = 1.0    # s within which a place must become free, or the client is told to come again …
PER_SECOND = 32  # … and a second more for so many requests that wait with it …
LONGEST = 8.0    # … up to this


class BoundedExecutor:
    """Runs functions in `workers` threads. It has as many places, and `queue` more for requests that wait for a thread.

    `waited` is called with the seconds that each had to wait for a thread; `done` counts those that have ended.
    """

    def __init__(self, workers, queue, waited=lambda seconds: None, name="answer"):
        self.capacity, self.done, self._waited = workers + queue, 0, waited
        self._places, self._waiting, self._deadlines = set(), collections.deque(), {}
        self._pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix=name)

    @property
    def taken(self):
        """How many places are taken."""
        return len(self._places)

    async def acquire(self):
        """A place, now or in a moment, in the order of arrival; else Problem `busy`. Who gets it releases it again.

        The moment costs nothing, and bounds how often clients that come again at once can do so.
        """
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._admit()
        try:
            if not place.done():
                await asyncio.wait([place], timeout=min(LONGEST, PAUSE + len(self._waiting) / PER_SECOND))
        except asyncio.CancelledError:
            self.release(place)
            raise
        if not place.done():
            self.release(place)
            raise busy()
        return place

    def holds(self, place):
        """Whether a place is taken; never true of None."""
        return place in self._places

    def release(self, place):
        """Give a place back, or stop waiting for it; a place that is not held is left as it is."""
        if place in self._places:
            self._places.remove(place)
            self._admit()
        elif place in self._waiting:
            self._waiting.remove(place)

    def _admit(self):
        while self._waiting and self.taken < self.capacity:
            place = self._waiting.popleft()
            self._places.add(place)
            place.set_result(None)

    async def run(self, function, *arguments, seconds, place=None):
        """What the function returns in a thread; Problem `busy` at once where there is no place, `late` after `seconds`."""
        if not self.holds(place) and self.taken >= self.capacity:
            raise busy()
        loop, begun = asyncio.get_running_loop(), time.monotonic()
        work = self._pool.submit(self._do, begun, begun + seconds, function, arguments)
        self._places.discard(place)
        self._places.add(work)
        # Released when the thread is free again; a caller who gave up does not free it.
        work.add_done_callback(lambda done: loop.call_soon_threadsafe(self.release, done))
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(work)
        except TimeoutError as error:
            raise Problem("late", "the answer took too long; come again", {"Retry-After": "2"}) from error
        finally:
            del work  # it holds the exception, whose trace holds this frame: see RequestMiddleware._tell

    def _do(self, begun, deadline, function, arguments):
        thread = threading.get_ident()
        self._waited(time.monotonic() - begun)
        self._deadlines[thread] = deadline
        try:
            return function(*arguments)
        finally:
            del self._deadlines[thread]
            self.done += 1

    def overdue(self):
        """The seconds by which a thread that still runs is past its deadline, the most of any; 0 where none is."""
        return max([0.0, *(time.monotonic() - deadline for deadline in list(self._deadlines.values()))])

    def close(self):
        """Finish what runs, drop what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)
