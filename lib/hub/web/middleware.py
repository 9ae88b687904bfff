"""Who may use the hub's app, and which problem each error of the hub is to a client."""

import threading
import time

from starlette.concurrency import run_in_threadpool

from lib.common.http import bearer
from lib.common.http.middleware import RequestMiddleware
from lib.common.http.problem_details import Problem
from lib.hub import accounts
from lib.imaging import images
from lib.storage import files, postgres

OPEN = ("/health", "/openapi.json", "/v1/tickets/")   # without a token
REMEMBERED = 5.0       # s for which a token's owner is remembered; so late does a change of roles take hold


def bad_input(sentence):
    """The Problem of input that is well-formed and cannot be used."""
    return Problem("bad_input", sentence, status=422)


class HubMiddleware(RequestMiddleware):
    """The middleware of the hub's app; `log` is called with the members of each request's line."""

    head = frozenset({"/health", "/openapi.json", "/v1/me"})

    def __init__(self, app, tokens, log):
        super().__init__(app)
        self.tokens, self.log = tokens, log

    async def authenticate(self, scope):
        """Find the Account that asks; Problem `no_token`."""
        if not scope["path"].startswith(OPEN):
            account = await run_in_threadpool(self.tokens.account, bearer.token(scope))
            scope["state"]["account"], scope["state"]["notes"]["person"] = account, account.id

    def translate(self, error):
        """The Problem that an error of the hub is to the client."""
        if isinstance(error, accounts.Forbidden):
            return Problem("not_allowed", str(error))
        if isinstance(error, postgres.Unreachable):
            return Problem("no_database", "the hub's database does not answer; come again", {"Retry-After": "2"})
        if isinstance(error, files.DiskFull):
            return Problem("no_room", "the hub's store is full; its operator has to make room")
        if isinstance(error, images.Refused):
            return bad_input(f"{error.code}: {error}")
        if type(error) is LookupError:
            return Problem("not_found", str(error))
        if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
            return bad_input(str(error)[:1000])

    def record(self, scope, status, seconds, notes):
        """Write the request's line of the log."""
        self.log(event="request", trace_id=scope["state"]["trace_id"], method=scope["method"], path=scope["path"][:200],
                 status=status, ms=round(1000 * seconds), **notes)


class TokenCache:
    """Who a token belongs to, asked of the database and remembered for a few seconds."""

    def __init__(self, hub):
        self.hub, self._found, self._lock = hub, {}, threading.Lock()

    def account(self, token):
        """The Account of a token; Problem `no_token`."""
        key, now = bearer.digest(token), time.monotonic()
        with self._lock:
            account, until = self._found.get(key, (None, 0.0))
        if until < now:
            account = accounts.find_by_token(self.hub, token)
            if account is None:
                raise bearer.unknown()
            with self._lock:
                self._found = {k: v for k, v in self._found.items() if v[1] >= now} | {key: (account, now + REMEMBERED)}
        return account
