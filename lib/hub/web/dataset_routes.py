"""The hub over HTTP: what is there, and data sets out."""

from typing import Annotated

from fastapi import Depends, Query
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from lib.common.http.problem_details import Problem
from lib.common.http.shares import Shares
from lib.hub import accounts
from lib.hub.datasets import export, label_hierarchy, selection
from lib.hub.datasets import versions as sets
from lib.hub.web import request_data
from lib.hub.web.downloads import Stream
from lib.hub.web.request_data import PROBLEMS, JsonBody, Number, Who
from lib.hub.web.thumbnails import Thumbnails

FORMAT = f"({'|'.join(export.FORMATS)})"
Formats = Annotated[str, Query(json_schema_extra={"pattern": f"^({FORMAT}(,{FORMAT})*)?$"})]


def add(app, hub, reader, links):
    """Add the endpoints to an application; `links` are its DownloadLinks."""
    query = JsonBody(reader, dict, request_data.Query.model_json_schema())
    _browse(app, hub, query)
    _watches(app, hub, JsonBody(reader, request_data.Watch))
    _versions(app, hub, query, links)


def _browse(app, hub, query):
    thumbnails = Thumbnails(hub)

    @app.get("/v1/labels", summary="Labels: how many accepted pictures each has, and the tree", responses=PROBLEMS)
    def labels(account: Who):
        counts = selection.counts(hub, account)
        with hub.transaction(account, "browse") as cursor:
            tree = label_hierarchy.tree(cursor)
        return {"counts": counts, "tree": tree}

    @app.post("/v1/select", summary="What a query chooses: counts, and the first pictures", openapi_extra=query.about,
              responses=PROBLEMS)
    def select(account: Who, query: Annotated[dict, Depends(query)], first: int = 100):
        found = selection.select(hub, account, query, limit=max(0, min(first, 1000)))
        return {**found.plain(), "pictures": selection.pictures(hub, account, found.ids)}

    @app.get("/v1/places", summary="Towns with their accepted pictures", responses=PROBLEMS)
    def places(account: Who):
        return {"places": selection.places(hub, account)}

    @app.get("/v1/pictures/{number}/thumbnail", summary="A small JPEG of an accepted picture", response_class=Response,
             responses=PROBLEMS | {200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}})
    async def thumbnail(number: Number, account: Who):
        found = await run_in_threadpool(selection.pictures, hub, account, [number])
        if not found:
            raise Problem("not_found", f"there is no published picture {number}")
        return Response(await thumbnails.get(found[0]["sha256"]), media_type="image/jpeg")


def _watches(app, hub, wish):
    @app.post("/v1/watches", summary="Ask to be told when there are so many pictures of each label", openapi_extra=wish.about,
              responses=PROBLEMS)
    def watch(account: Who, wish: Annotated[request_data.Watch, Depends(wish)]):
        return {"watch": selection.watch(hub, account, wish.query, wish.least)}

    @app.get("/v1/watches", summary="One's own watch-list", responses=PROBLEMS)
    def watches(account: Who):
        return {"watches": selection.watches(hub, account)}


def _versions(app, hub, query, links):
    shares = Shares(hub.settings.downloads, hub.settings.downloads // 2 or 1)

    @app.post("/v1/versions", summary="The version of a data set that a query makes; the same again for the same pictures",
              openapi_extra=query.about, responses=PROBLEMS)
    def make(account: Who, query: Annotated[dict, Depends(query)]):
        return sets.create(hub, account, query).plain()

    @app.get("/v1/versions", summary="The versions there are", responses=PROBLEMS)
    def listed(account: Who):
        return {"versions": [version.plain() for version in sets.list_all(hub, account)]}

    @app.get("/v1/versions/{number}/download", summary="A version as a tar", response_class=StreamingResponse,
             responses=PROBLEMS | {200: request_data.FILE})
    def download(number: Number, account: Who, formats: Formats = "folders"):
        return _tar(shares, hub, account, number, formats)

    @app.post("/v1/versions/{number}/ticket", responses=PROBLEMS,
              summary="A path that downloads a version once, within minutes, without a token")
    def ticket(number: Number, account: Who, formats: Formats = "folders"):
        accounts.database_role(account, "download")
        request_data.version(hub, number)
        _wanted(formats)
        return {"path": f"/v1/tickets/{links.make(lambda: _tar(shares, hub, account, number, formats))}"}

    @app.get("/v1/tickets/{name}", summary="What a ticket was made for", response_class=Response,
             responses=PROBLEMS | {200: request_data.FILE})
    def redeem(name: str):
        return links.redeem(name)()


def _wanted(formats):
    """The formats that are named; Problem `bad_input` for one that is none."""
    found = tuple(each for each in formats.split(",") if each)
    if unknown := set(found) - set(export.FORMATS):
        raise request_data.bad_input(f"there is no format {min(unknown)[:40]!r}; there are {', '.join(export.FORMATS)}")
    return found


def _tar(shares, hub, account, number, formats):
    """The tar of a version as a response that is made while it is sent, and holds a share until then."""
    accounts.database_role(account, "download")
    request_data.version(hub, number)
    release = shares.acquire(account.id)
    try:
        chunks = Stream(export.stream_tar(hub, account, number, _wanted(formats)), release)
    except BaseException:
        release()
        raise
    return StreamingResponse(chunks, media_type="application/x-tar", headers=request_data.saved(f"core-box-{number}.tar"))
