"""The hub over HTTP: its application, and who one is."""

import contextlib

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from lib.common.http.access_log import AccessLog
from lib.common.http.description import Rendered, problems
from lib.common.http.executor import BoundedExecutor
from lib.common.http.middleware import no_route
from lib.common.http.problem_details import Problem
from lib.common.http.request_body import BodyReader
from lib.hub import accounts
from lib.hub.web import dataset_routes, intake_routes, request_data, training_routes
from lib.hub.web.downloads import DownloadLinks
from lib.hub.web.middleware import HubMiddleware, TokenCache

SHARE = 2   # of what all may hold at once, one person may hold one in so many


def create(hub, log=None):
    """The ASGI application of a Hub; `log` is called with the members of each request's line, by default an AccessLog."""
    api, lines = hub.params.api, None if log else AccessLog()
    app = FastAPI(title="Core Box hub", version="1", docs_url=None, redoc_url=None, openapi_url=None,
                  description="Pictures in, verified data sets and models out. Every path but /health wants a bearer token.",
                  dependencies=[Depends(request_data.known_query)], lifespan=_lifespan(lines))
    app.add_exception_handler(HTTPException, no_route({404: "not_found", 405: "no_method"}, "no such path; see /openapi.json"))
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_middleware(HubMiddleware, tokens=TokenCache(hub), log=log or lines.write)
    uploads = BoundedExecutor(hub.settings.uploads, 0, name="upload")
    together = hub.settings.uploads * (api.batch_bytes + request_data.AROUND)
    reader = BodyReader(uploads, api.total_timeout * 4, together, max(api.batch_bytes + request_data.AROUND, together // SHARE))
    links = DownloadLinks()
    _about(app, hub)
    intake_routes.add(app, hub, reader)
    dataset_routes.add(app, hub, reader, links)
    training_routes.add(app, hub, reader, links)
    return app


def _lifespan(lines):
    @contextlib.asynccontextmanager
    async def life(app):
        yield
        if lines:
            lines.close()

    return life


async def _malformed(request, error):
    first = error.errors()[0]
    raise Problem("bad_request", f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:300]) from error


def _about(app, hub):
    description = Rendered(app.openapi)

    @app.get("/openapi.json", include_in_schema=False)
    def openapi():
        return Response(description.json(), media_type="application/json")

    @app.get("/health", summary="Whether the database answers", responses=problems(503))
    def health():
        with hub.owner_transaction() as cursor:
            cursor.execute("SELECT count(*) FROM hub.migration")
            return {"ready": True, "schema": cursor.fetchone()[0]}

    @app.get("/v1/me", summary="Who one is, and what one may do", responses=request_data.PROBLEMS)
    def me(account: request_data.Who):
        return {"name": account.name, "roles": account.roles, "may": [each for each in accounts.ACTIONS if accounts.is_allowed(account, each)]}
