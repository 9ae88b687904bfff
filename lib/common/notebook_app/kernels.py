"""How many kernels may run, and which of them nobody looks at any more."""

import asyncio
import contextlib
import secrets
import time

LONELY = 15.0       # s without a page after which a kernel makes way for another page
STARTING = 90.0     # s that a page may take to reach its kernel at first
ABANDONED = 300     # s without a page after which a kernel ends in any case; a page may reconnect before
KEY_SECONDS = 60.0  # s for which a key is good


class Full(RuntimeError):
    """As many pages are open as may be."""

    def __init__(self, views):
        super().__init__(f"{views} pages are open already, and each needs a Python process of its own. Close one of them, and "
                         "try again.")


class Kernels:
    """The kernels of a kernel manager of Jupyter, `views` at most. Times are of time.monotonic.

    A place is taken by a key, then by the request that starts a kernel with it, then by the kernel.
    """

    def __init__(self, manager, views):
        self.manager, self.views = manager, views
        self._seen, self._keys, self._starting, self._admitting = {}, {}, set(), asyncio.Lock()
        self._start, manager.start_kernel = manager.start_kernel, self.start_kernel

    async def start_kernel(self, *words, **more):
        """As the manager's, in whose place it stands: once the kernel is listed, its request takes no place beside it."""
        try:
            return await self._start(*words, **more)
        finally:
            self._starting.discard(asyncio.current_task())

    async def admit(self):
        """A key with which one kernel may be started, within a minute. Full: there are as many as may be."""
        async with self._admitting:
            self.observe()
            for kernel in self._lonely():
                if kernel in self.manager.list_kernel_ids():   # it may have ended while another was shut down
                    await self.manager.shutdown_kernel(kernel)
            self.observe()
            if len(self._seen) + len(self._keys) + len(self._starting) >= self.views:
                raise Full(self.views)
            key = secrets.token_urlsafe(16)
            self._keys[key] = time.monotonic()
            return key

    @contextlib.contextmanager
    def redeemed(self, key):
        """Whether this request may start a kernel with this key, once; its place is kept until the kernel runs."""
        self.observe()
        request, good = asyncio.current_task(), self._keys.pop(key, None) is not None
        if good:
            self._starting.add(request)
        try:
            yield good
        finally:
            self._starting.discard(request)

    def observe(self):
        """Note which kernels run and when a page was last connected to each; forget old keys."""
        now, running = time.monotonic(), {}
        for kernel in list(self.manager.list_kernel_ids()):
            first, last = self._seen.get(kernel, (now, None))
            running[kernel] = first, now if self._connected(kernel) else last
        self._seen = running
        self._keys = {key: made for key, made in self._keys.items() if now - made < KEY_SECONDS}

    def _connected(self, kernel):
        return self.manager._kernel_connections.get(kernel, 0) > 0

    def _lonely(self):
        now = time.monotonic()
        return [kernel for kernel, (first, last) in self._seen.items() if not self._connected(kernel)
                and (now - last > LONELY if last is not None else now - first > STARTING)]
