"""Who may ask the API what, and what is logged and counted of each request."""

from lib.common.http import bearer
from lib.common.http.middleware import RequestMiddleware
from lib.common.http.problem_details import Problem

OPEN = {"/", "/health", "/v2/health/live", "/v2/health/ready"}  # without a token; they hold no secret
ADMIN = "/models/"                                              # below it what is served is changed


class ApiMiddleware(RequestMiddleware):
    """The API's middleware; `tokens` is None where none are asked for."""

    head = frozenset(OPEN | {"/docs", "/openapi.json", "/metrics", "/v2", "/v2/models"})

    def __init__(self, app, service, tokens=None):
        super().__init__(app)
        self.service, self.tokens = service, tokens

    async def authenticate(self, scope):
        """Problem `no_token` or `not_allowed` where no token lets the request in."""
        admin = scope["path"].startswith(ADMIN)
        if admin and b"origin" in dict(scope["headers"]):  # a page in someone's browser, which may reach what its user may
            raise Problem("not_allowed", "models are changed by programs, not by pages in a browser")
        if self.tokens is None or scope["path"] in OPEN:
            return
        role = self.tokens.role(bearer.token(scope))
        if role is None:
            raise bearer.unknown()
        if admin and role != "admin":
            raise Problem("not_allowed", "this path wants a token of the role admin")

    def translate(self, error):
        """`no_memory` of a MemoryError."""
        if isinstance(error, MemoryError):
            return Problem("no_memory", "there is no memory left for this; come again", {"Retry-After": "2"})

    def record(self, scope, status, seconds, notes):
        """Count a request, and write its line of the log."""
        path = getattr(scope.get("route"), "path", "none")
        self.service.metrics.request(path, status, notes.get("code", ""))
        self.service.metrics.observe("total", seconds)
        self.service.log.write(event="request", trace_id=scope["state"]["trace_id"], method=scope["method"],
                               path=scope["path"][:200], status=status, ms=round(1000 * seconds), **notes)
