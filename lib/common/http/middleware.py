"""Around every request: a trace id, checks of its headers, problem details for what fails, one line in the log."""

import time
import uuid

from lib.common.http import access_log, problem_details, query
from lib.common.http.problem_details import Problem

MAX_HEADERS = 64 * 1024   # bytes of a request's headers; the server before us lets up to twice as much through
MAX_TYPE = 1024           # bytes of a Content-Type: what parses one is quadratic in it
SINGLE = (b"host", b"authorization", b"content-type", b"content-encoding", b"transfer-encoding", b"content-length")
HEADERS = {b"x-content-type-options": b"nosniff", b"cache-control": b"no-store", b"referrer-policy": b"no-referrer",
           b"content-security-policy": b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
HTTPS = {b"strict-transport-security": b"max-age=31536000"}


class RequestMiddleware:
    """ASGI middleware around a whole application.

    A subclass says who may ask (`authenticate`), which Problem an exception is (`translate`), what is kept of a request
    (`record`), and which paths answer HEAD (`head`): those whose GET costs little and changes nothing.
    """

    head = frozenset()

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        trace_id, begun, notes, sent = uuid.uuid4().hex, time.monotonic(), {}, {}
        scope.setdefault("state", {}).update(trace_id=trace_id, notes=notes)
        method = scope["method"]
        bodyless = method == "HEAD" and scope["path"] in self.head
        if bodyless:
            scope["method"] = "GET"

        async def answer(message):
            if message["type"] == "http.response.start":
                sent["status"] = message["status"]
                message["headers"] = _headers(scope, message.get("headers", ()), trace_id)
            elif bodyless:
                message = {**message, "body": b""}
            await send(message)

        try:
            check_headers(scope)
            query.check_size(scope)
            await self.authenticate(scope)
            await self.app(scope, receive, answer)
        except Exception as error:  # whatever it is, the client gets a problem and the log the trace
            await self._tell(error, scope, None if sent else answer)
        finally:
            scope["method"] = method
            self.record(scope, sent.get("status"), time.monotonic() - begun, notes)

    async def authenticate(self, scope):
        """Return where a request may come in; else a Problem."""

    def translate(self, error):
        """The Problem that an exception is to the client; None where nobody foresaw it."""

    def record(self, scope, status, seconds, notes):
        """Keep what is kept of a request that has ended."""

    async def _tell(self, error, scope, send):
        """Note an exception for the log, and send it as a problem where nothing has been sent.

        A method of its own: were the exception kept in a frame that it went through, the two would hold each other, and
        with them the request's connection and bytes, until the next garbage collection.
        """
        problem = error if isinstance(error, Problem) else self.translate(error) or Problem(
            "internal", "something went wrong here; the trace id leads to the log")
        cause = error.__cause__ or (None if error is problem else error)
        # A Problem of our own says it all, and a trace costs more than the rest of a refusal.
        about = {"error": type(cause).__name__, "trace": access_log.trace(cause)} if cause else {"detail": problem.sentence}
        scope["state"]["notes"].update(code=problem.code, **about)
        if send is None:
            return
        content = problem_details.content(problem, scope["state"]["trace_id"], scope["path"])
        # The rest of an unread body is not waited for.
        headers = {"content-type": "application/problem+json", "content-length": str(len(content)),
                   "connection": "close", **problem.headers}
        await send({"type": "http.response.start", "status": problem.status,
                    "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()]})
        await send({"type": "http.response.body", "body": content})


def check_headers(scope):
    """Problem where the headers of a request are too large, or can be read in two ways."""
    headers = scope["headers"]
    if sum(len(name) + len(value) for name, value in headers) > MAX_HEADERS:
        raise Problem("large_headers", f"the headers are larger than {MAX_HEADERS // 1024} KiB")
    names = [name for name, _ in headers]
    for name in SINGLE:
        if names.count(name) > 1:
            raise Problem("bad_request", f"the header {name.decode()} is there more than once")
    values = dict(headers)
    if not values.get(b"host") and scope["http_version"] == "1.1":  # granian gives an empty one where there is none
        raise Problem("bad_request", "HTTP/1.1 needs the header host")
    if len(values.get(b"content-type", b"")) > MAX_TYPE:
        raise Problem("bad_request", f"the Content-Type is longer than {MAX_TYPE} bytes")
    if values.get(b"transfer-encoding", b"chunked").strip().lower() != b"chunked":
        raise Problem("bad_request", "no Transfer-Encoding but chunked is taken")
    if "\0" in scope["path"]:
        raise Problem("bad_request", "the path holds a NUL")


def _headers(scope, headers, trace_id):
    """The headers of an answer, with those that every answer has."""
    given = dict(headers)
    ours = HEADERS | (HTTPS if scope["scheme"] == "https" else {})
    return [*headers, (b"x-trace-id", trace_id.encode()), *((k, v) for k, v in ours.items() if k not in given)]


def no_route(codes, sentence):
    """An exception handler for what no route takes: `codes` by status, `sentence` for an unknown path."""
    async def handler(request, error):
        code = codes.get(error.status_code, "bad_request")
        words = {404: sentence, 405: "this path does not take that method"}
        headers = {"Allow": allowed(request)} if error.status_code == 405 else error.headers
        raise Problem(code, words.get(error.status_code, "the request cannot be read"), headers) from error

    return handler


def allowed(request):
    """The methods that a request's path takes, for the header Allow."""
    from starlette.routing import Match

    return ", ".join(sorted({method for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE
                             for method in route.methods or ()}))
