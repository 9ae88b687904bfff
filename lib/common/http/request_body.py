"""A request's body, bounded and timed while it is read."""

import asyncio
import collections
import contextlib

from starlette.requests import ClientDisconnect

from lib.common.http.problem_details import Problem, busy, too_large

STILL = 0.025        # s without a byte after which a body gives back its place at the executor


class BodyReader:
    """Reads bodies for a BoundedExecutor, each within `seconds`, all together within `together` bytes of memory.

    One owner may hold `share` bytes of these; by default all.
    """

    def __init__(self, executor, seconds, together, share=None):
        self.executor, self.seconds, self.together, self.share = executor, seconds, together, share or together
        self.held, self._of = 0, collections.Counter()

    @contextlib.asynccontextmanager
    async def read(self, request, limit, place=None, owner=None):
        """The body, of at most `limit` bytes, as a bytearray that counts as held until the block ends.

        A body that stands still gives back its place, so that it is in nobody's way. Problem `too_large` before more than
        the limit is read, `slow` where it does not come in time, `busy` where too much is held already.
        """
        check_length(request, limit)
        content = bytearray()
        try:
            await self._fill(content, request, limit, place, owner)
            yield content
        finally:
            self._hold(-len(content), owner)

    async def _fill(self, content, request, limit, place, owner):
        loop = asyncio.get_running_loop()
        still = loop.call_later(STILL, self.executor.release, place)
        try:
            async with asyncio.timeout(self.seconds):
                async for chunk in request.stream():
                    still.cancel()
                    still = loop.call_later(STILL, self.executor.release, place)
                    if len(content) + len(chunk) > limit:
                        raise too_large(limit)
                    if self.held + len(chunk) > self.together or self._of[owner] + len(chunk) > self.share:
                        raise busy()
                    content += chunk
                    self._hold(len(chunk), owner)
        except TimeoutError as error:
            raise Problem("slow", f"the body did not come within {self.seconds:g} seconds") from error
        except ClientDisconnect as error:
            raise Problem("bad_request", "the body broke off or is malformed") from error
        finally:
            still.cancel()

    def _hold(self, number, owner):
        self.held += number
        self._of[owner] += number
        if not self._of[owner]:
            del self._of[owner]


def check_length(request, limit):
    """Problem where a body is encoded, or says itself that it is longer than `limit` bytes."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("not_a_picture", "a Content-Encoding is not taken; send the bytes as they are")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > limit:
        raise too_large(limit)
