"""Thumbnails over HTTP: made by few threads, since a large PNG is decoded whole for one, and the last ones kept."""

import functools

from lib.common.http.executor import BoundedExecutor
from lib.hub import store

WORKERS, WAITING = 2, 64   # threads that make them, and requests that may wait
SECONDS = 20.0             # for one
KEPT = 4_000               # of some 5 kB each


class Thumbnails:
    """The thumbnails of a Hub."""

    def __init__(self, hub):
        self._executor = BoundedExecutor(WORKERS, WAITING, name="thumbnail")
        self._make = functools.lru_cache(KEPT)(functools.partial(store.thumbnail, hub))

    async def get(self, sha256):
        """The bytes of the JPEG of a picture, by its SHA-256; Problem `busy` where too many wait."""
        place = await self._executor.acquire()
        try:
            return await self._executor.run(self._make, sha256, seconds=SECONDS, place=place)
        finally:
            self._executor.release(place)
