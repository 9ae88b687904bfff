"""Who is let in to the hub's app, how much they may send, and what they are told when it does not go well."""

import asyncio
import http
import json
import sys
import threading
import time
import traceback
import uuid

from starlette.concurrency import run_in_threadpool

from lib.hub import accounts
from lib.imaging import images
from lib.storage import files, postgres

LARGEST = 64 * 1024    # bytes of a request's headers
OPEN = ("/health", "/openapi.json", "/v1/tickets/")   # without a token
REMEMBERED = 5.0       # s for which a token's owner is remembered; so late does a change of roles take hold
STATUS = {"bad_request": 400, "no_token": 401, "not_allowed": 403, "not_found": 404, "no_method": 405, "slow": 408,
          "too_large": 413, "bad_input": 422, "busy": 429, "internal": 500, "no_database": 503, "no_room": 507}
HEADERS = {b"x-content-type-options": b"nosniff", b"cache-control": b"no-store", b"referrer-policy": b"no-referrer",
           b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'"}


class Problem(Exception):
    """A request that is not answered: `code`, one sentence for the client, and headers such as Retry-After."""

    def __init__(self, code, sentence, headers=None):
        super().__init__(sentence)
        self.code, self.sentence, self.headers = code, sentence, headers or {}


def problem(error):
    """The Problem that an exception is to the client; what nobody foresaw is `internal`, and told in the log alone."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, accounts.Forbidden):
        return Problem("not_allowed", str(error))
    if isinstance(error, postgres.Unreachable):
        return Problem("no_database", "the hub's database does not answer; come again", {"Retry-After": "2"})
    if isinstance(error, files.NoRoom):
        return Problem("no_room", "the hub's store is full; its operator has to make room")
    if isinstance(error, images.Refused):
        return Problem("bad_input", f"{error.code}: {error}")
    if type(error) is LookupError:
        return Problem("not_found", str(error))
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
        return Problem("bad_input", str(error)[:1000])
    return Problem("internal", "something went wrong here; the trace id leads to the log")


class Guard:
    """ASGI middleware: who asks, a trace id, bounded and timed bodies, problem details (RFC 9457), a line of JSON in the log."""

    def __init__(self, app, known, most, seconds, log=None):
        self.app, self.known, self.most, self.seconds, self.log = app, known, most, seconds, log or _log

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begun, trace, sent, note = time.monotonic(), uuid.uuid4().hex, {}, {}
        scope.setdefault("state", {}).update(note=note)

        async def answer(message):
            if message["type"] == "http.response.start":
                sent["status"] = message["status"]
                given = {name for name, _ in message.get("headers", ())}
                message["headers"] = [*message.get("headers", ()), (b"x-trace-id", trace.encode()),
                                      *((name, value) for name, value in HEADERS.items() if name not in given)]
            await send(message)

        try:
            headers = self._headers(scope)
            if not scope["path"].startswith(OPEN):
                person = await run_in_threadpool(self.known.person, headers.get(b"authorization", b"").decode("latin-1"))
                scope["state"]["person"], note["person"] = person, person.id
            await self.app(scope, self._counted(receive, begun), answer)
        except Exception as error:  # whatever it is, the client gets a problem, and the log the trace
            told = problem(error)
            note.update(code=told.code)
            if told.code == "internal":
                note.update(error="".join(traceback.format_exception(error))[-4000:])
            if not sent:
                await _tell(told, trace, answer)
        finally:
            self.log({"event": "request", "trace_id": trace, "method": scope["method"], "path": scope["path"][:200],
                      "status": sent.get("status"), "ms": round(1000 * (time.monotonic() - begun)), **note})

    def _headers(self, scope):
        """The headers of a request, once they are found to be no larger than they may, nor the body they announce."""
        headers = dict(scope["headers"])
        if sum(len(name) + len(value) for name, value in scope["headers"]) > LARGEST:
            raise Problem("too_large", f"the headers are larger than {LARGEST // 1024} KiB")
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > self.most:
            raise self._too_large()
        return headers

    def _too_large(self):
        return Problem("too_large", f"the body is larger than {self.most / 2**20:.4g} MiB; send less at once")

    def _counted(self, receive, begun):
        """`receive`, which ends a body that is too large or too slow."""
        taken, whole = 0, False

        async def counted():
            nonlocal taken, whole
            if whole:  # what may come now is that the client leaves, for which a long answer waits
                return await receive()
            try:
                async with asyncio.timeout(max(0.01, begun + self.seconds - time.monotonic())):
                    message = await receive()
            except TimeoutError as error:
                raise Problem("slow", f"the body did not come within {self.seconds:g} seconds") from error
            taken += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if taken > self.most:
                raise self._too_large()
            return message

        return counted


async def _tell(told, trace, send):
    status = STATUS[told.code]
    content = json.dumps({"type": "about:blank", "title": http.HTTPStatus(status).phrase, "status": status,
                          "detail": told.sentence, "code": told.code, "trace_id": trace}).encode()
    headers = {"content-type": "application/problem+json", "content-length": str(len(content)), "connection": "close",
               **told.headers}
    await send({"type": "http.response.start", "status": status,
                "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()]})
    await send({"type": "http.response.body", "body": content})


def _log(line):
    print(json.dumps(line), file=sys.stderr, flush=True)


class Known:
    """Who a token belongs to, asked of the database and remembered for a few seconds."""

    def __init__(self, hub):
        self.hub, self._found, self._lock = hub, {}, threading.Lock()

    def person(self, header):
        """The Person of an Authorization header; Problem `no_token`."""
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise self._unknown()
        key, now = accounts.digest(token.strip()), time.monotonic()
        with self._lock:
            person, until = self._found.get(key, (None, 0.0))
        if until < now:
            person = accounts.by_token(self.hub, token.strip())
            if person is None:
                raise self._unknown()
            with self._lock:
                self._found = {k: v for k, v in self._found.items() if v[1] >= now} | {key: (person, now + REMEMBERED)}
        return person

    def _unknown(self):
        return Problem("no_token", "send a token that is known here: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})
