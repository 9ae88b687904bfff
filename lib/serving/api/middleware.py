"""The one way in: who may ask, a trace id, an answer in the same form whatever happens, a line in the log, a count."""

import time
import uuid

from lib.common.http import access_log, problem_details
from lib.common.http.problem_details import Problem

OPEN = {"/", "/health", "/v2/health/live", "/v2/health/ready"}  # without a token; they hold no secret
LARGEST = 64 * 1024  # bytes of a request's headers; the server before us lets up to twice as much through
HEADERS = {b"x-content-type-options": b"nosniff", b"cache-control": b"no-store", b"referrer-policy": b"no-referrer",
           b"content-security-policy": b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
UNKNOWN = {MemoryError: Problem("no_memory", "there is no memory left for this; come again", {"Retry-After": "2"})}
HTTPS = {b"strict-transport-security": b"max-age=31536000"}


class Door:
    """ASGI middleware around everything; `tokens` is None where none are asked for."""

    def __init__(self, app, service, tokens=None):
        self.app, self.service, self.tokens = app, service, tokens

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        trace_id, begun = uuid.uuid4().hex, time.monotonic()
        note = {}
        scope.setdefault("state", {}).update(trace_id=trace_id, note=note)
        sent = {}

        async def answer(message):
            if message["type"] == "http.response.start":
                sent["status"] = message["status"]
                message["headers"] = _headers(scope, message.get("headers", ()), trace_id)
            await send(message)

        try:
            self._admit(scope)
            await self.app(scope, receive, answer)
        except Exception as error:  # whatever it is, the client gets a problem and the journal the trace
            await _tell(error, scope, None if sent else answer)
        finally:
            self._note(scope, sent.get("status"), time.monotonic() - begun, note)

    def _admit(self, scope):
        """Problem `large_headers`; `no_token` or `not_allowed` where no token lets the request in here."""
        if sum(len(name) + len(value) for name, value in scope["headers"]) > LARGEST:
            raise Problem("large_headers", f"the headers are larger than {LARGEST // 1024} KiB")
        headers, path = dict(scope["headers"]), scope["path"]
        admin = path.startswith("/models/")
        if admin and b"origin" in headers:  # a page in someone's browser, which may reach what its user may
            raise Problem("not_allowed", "models are changed by programs, not by pages in a browser")
        if self.tokens is None or path in OPEN:
            return
        kind, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        role = self.tokens.role(token.strip()) if kind.lower() == "bearer" else None
        if role is None:
            raise Problem("no_token", "send a token that is known here: Authorization: Bearer …",
                          {"WWW-Authenticate": "Bearer"})
        if admin and role != "admin":
            raise Problem("not_allowed", "this path wants a token of the role admin")

    def _note(self, scope, status, seconds, note):
        path = getattr(scope.get("route"), "path", "none")
        self.service.metrics.request(path, status, note.get("code", ""))
        self.service.metrics.observe("total", seconds)
        self.service.journal.write(event="request", trace_id=scope["state"]["trace_id"], method=scope["method"],
                                   path=scope["path"][:200], status=status, ms=round(1000 * seconds), **note)


def _headers(scope, headers, trace_id):
    """The headers of an answer, with those that every answer has."""
    given = dict(headers)
    ours = HEADERS | (HTTPS if scope["scheme"] == "https" else {})
    return [*headers, (b"x-trace-id", trace_id.encode()), *((k, v) for k, v in ours.items() if k not in given)]


async def _tell(error, scope, send):
    """Note an exception for the journal, and send it as a problem where nothing has been sent.

    A function of its own: were the exception kept in a frame that it went through, the two would hold each other, and
    with them the request's line and bytes, until the next garbage collection.
    """
    problem = error if isinstance(error, Problem) else UNKNOWN.get(type(error)) or Problem(
        "internal", "something went wrong here; the trace id leads to the log")
    cause = error.__cause__ or (None if error is problem else error)
    # A Problem of our own says it all, and a trace costs more than the rest of a refusal.
    about = {"error": type(cause).__name__, "trace": access_log.trace(cause)} if cause else {"detail": problem.sentence}
    scope["state"]["note"].update(code=problem.code, **about)
    if send is None:
        return
    content = problem_details.content(problem, scope["state"]["trace_id"], scope["path"])
    # The rest of an unread body is not waited for.
    headers = {"content-type": "application/problem+json", "content-length": str(len(content)),
               "connection": "close", **problem.headers}
    await send({"type": "http.response.start", "status": problem.status,
                "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()]})
    await send({"type": "http.response.body", "body": content})


async def no_route(request, error):
    """What is answered where no endpoint fits."""
    code = {404: "no_path", 405: "no_method"}.get(error.status_code, "bad_request")
    sentence = {"no_path": "no such path; see /docs", "no_method": "this path does not take that method; see /docs"}
    raise Problem(code, sentence.get(code, "the request cannot be read"), error.headers) from error
