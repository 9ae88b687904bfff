"""The hub over HTTP: what is there, and data sets out."""

from typing import Annotated

from fastapi import Depends, Query
from fastapi.responses import Response, StreamingResponse

from lib.common.http.problem_details import Problem
from lib.common.http.shares import Shares
from lib.hub import accounts, store
from lib.hub.datasets import export, label_hierarchy, selection
from lib.hub.datasets import versions as sets
from lib.hub.web import request_data
from lib.hub.web.downloads import Stream
from lib.hub.web.request_data import PROBLEMS, JsonBody, Number, Who

FORMAT = f"({'|'.join(export.FORMATS)})"
Formats = Annotated[str, Query(json_schema_extra={"pattern": f"^{FORMAT}(,{FORMAT})*$"})]


def add(app, hub, reader, links):
    """Add the endpoints to an application; `links` are its DownloadLinks."""
    query = JsonBody(reader, dict, request_data.Query.model_json_schema())
    _browse(app, hub, query)
    _watches(app, hub, JsonBody(reader, request_data.Watch))
    _versions(app, hub, query, links)


def _browse(app, hub, query):
    @app.get("/v1/labels", summary="Labels: how many accepted pictures each has, and the tree", responses=PROBLEMS)
    def labels(person: Who):
        counts = selection.counts(hub, person)
        with hub.transaction(person, "browse") as cursor:
            tree = label_hierarchy.tree(cursor)
        return {"counts": counts, "tree": tree}

    @app.post("/v1/select", summary="What a query chooses: counts, and the first pictures", openapi_extra=query.about,
              responses=PROBLEMS)
    def select(person: Who, query: Annotated[dict, Depends(query)], first: int = 100):
        found = selection.select(hub, person, query, limit=max(0, min(first, 1000)))
        return {**found.plain(), "pictures": selection.pictures(hub, person, found.ids)}

    @app.get("/v1/places", summary="Towns with their accepted pictures", responses=PROBLEMS)
    def places(person: Who):
        return {"places": selection.places(hub, person)}

    @app.get("/v1/pictures/{number}/thumbnail", summary="A small JPEG of an accepted picture", response_class=Response,
             responses=PROBLEMS | {200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}})
    def thumbnail(number: Number, person: Who):
        found = selection.pictures(hub, person, [number])
        if not found:
            raise Problem("not_found", f"there is no published picture {number}")
        return Response(store.thumbnail(hub, found[0]["sha256"]), media_type="image/jpeg")


def _watches(app, hub, wish):
    @app.post("/v1/watches", summary="Ask to be told when there are so many pictures of each label", openapi_extra=wish.about,
              responses=PROBLEMS)
    def watch(person: Who, wish: Annotated[request_data.Watch, Depends(wish)]):
        return {"watch": selection.watch(hub, person, wish.query, wish.least)}

    @app.get("/v1/watches", summary="One's own watch-list", responses=PROBLEMS)
    def watches(person: Who):
        return {"watches": selection.watches(hub, person)}


def _versions(app, hub, query, links):
    shares = Shares(hub.settings.downloads, hub.settings.downloads // 2 or 1)

    @app.post("/v1/versions", summary="The version of a data set that a query makes; the same again for the same pictures",
              openapi_extra=query.about, responses=PROBLEMS)
    def make(person: Who, query: Annotated[dict, Depends(query)]):
        return sets.create(hub, person, query).plain()

    @app.get("/v1/versions", summary="The versions there are", responses=PROBLEMS)
    def listed(person: Who):
        return {"versions": [version.plain() for version in sets.list_all(hub, person)]}

    @app.get("/v1/versions/{number}/download", summary="A version as a tar", response_class=StreamingResponse,
             responses=PROBLEMS | {200: request_data.FILE})
    def download(number: Number, person: Who, formats: Formats = "folders"):
        return _tar(shares, hub, person, number, formats)

    @app.post("/v1/versions/{number}/ticket", responses=PROBLEMS,
              summary="A path that downloads a version once, within minutes, without a token")
    def ticket(number: Number, person: Who, formats: Formats = "folders"):
        accounts.database_role(person, "download")
        return {"path": f"/v1/tickets/{links.make(lambda: _tar(shares, hub, person, number, formats))}"}

    @app.get("/v1/tickets/{name}", summary="What a ticket was made for", response_class=Response,
             responses=PROBLEMS | {200: request_data.FILE})
    def redeem(name: str):
        return links.redeem(name)()


def _tar(shares, hub, person, number, formats):
    """The tar of a version as a response that is made while it is sent, and holds a share until then."""
    release = shares.acquire(person.id)
    try:
        chunks = Stream(export.stream_tar(hub, person, number, tuple(each for each in formats.split(",") if each)), release)
    except BaseException:
        release()
        raise
    return StreamingResponse(chunks, media_type="application/x-tar", headers=request_data.saved(f"core-box-{number}.tar"))
