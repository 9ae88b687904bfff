"""How many kernels may run, and which of them nobody looks at any more."""

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
    """The kernels of a kernel manager of Jupyter, `views` at most. Times are of time.monotonic."""

    def __init__(self, manager, views):
        self.manager, self.views = manager, views
        self._seen, self._keys = {}, {}

    async def admit(self):
        """A key with which one kernel may be started, within a minute. Full: there are as many as may be."""
        self.observe()
        for kernel in self._lonely():
            await self.manager.shutdown_kernel(kernel)
        self.observe()
        if len(self._seen) + len(self._keys) >= self.views:
            raise Full(self.views)
        key = secrets.token_urlsafe(16)
        self._keys[key] = time.monotonic()
        return key

    def redeem(self, key):
        """Whether a kernel may be started with this key; once."""
        self.observe()
        return self._keys.pop(key, None) is not None

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
