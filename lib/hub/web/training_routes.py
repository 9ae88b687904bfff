"""The hub over HTTP: trainings and models out."""

from typing import Annotated

from fastapi import Depends
from fastapi.responses import Response
from psycopg2 import errors

from lib.common.http.problem_details import Problem
from lib.hub import store
from lib.hub.jobs import trainings
from lib.hub.web import request_data
from lib.hub.web.request_data import PROBLEMS, JsonBody, Number, Who


def add(app, hub, reader, links):
    """Add the endpoints to an application; `links` are its DownloadLinks."""
    wish = JsonBody(reader, request_data.Wish)

    @app.post("/v1/trainings", summary="Ask for a training on a version", openapi_extra=wish.about, responses=PROBLEMS)
    def ask(account: Who, wish: Annotated[request_data.Wish, Depends(wish)]):
        try:
            return trainings.enqueue(hub, account, wish.version, wish.overrides, profile=wish.profile).plain()
        except ValueError as error:
            if isinstance(error.__cause__, errors.ForeignKeyViolation):   # the version is not there
                raise Problem("not_found", str(error)) from error
            raise

    @app.get("/v1/trainings", summary="One's own trainings, newest first", responses=PROBLEMS)
    def listed(account: Who):
        return {"trainings": [each.plain() for each in trainings.list_own(hub, account)]}

    @app.get("/v1/trainings/{number}", summary="How far a training is, and what came of it", responses=PROBLEMS)
    def one(number: Number, account: Who):
        return trainings.find(hub, account, number).plain()

    @app.post("/v1/trainings/{number}/cancel", summary="End a training", responses=PROBLEMS)
    def cancel(number: Number, account: Who):
        return trainings.cancel(hub, account, number).plain()

    @app.post("/v1/trainings/{number}/again", summary="Ask for the same training once more", responses=PROBLEMS)
    def again(number: Number, account: Who):
        try:
            return trainings.retry(hub, account, number).plain()
        except ValueError as error:
            raise Problem("not_ended", str(error)) from error

    @app.get("/v1/trainings/{number}/files/{name:path}", summary="The model (model.zip) or a figure of a training",
             response_class=Response, responses=PROBLEMS | {200: request_data.FILE})
    def file(number: Number, name: str, account: Who):
        return _file(hub, trainings.find(hub, account, number), name)

    @app.post("/v1/trainings/{number}/ticket", summary="A path that downloads a trained model once, without a token",
              responses=PROBLEMS)
    def ticket(number: Number, account: Who):
        training = trainings.find(hub, account, number)
        return {"path": f"/v1/tickets/{links.make(lambda: _file(hub, training, 'model.zip'))}"}


def _file(hub, training, name):
    """A file that a training left in the store."""
    kept = (training.result or {}).get("files", {})
    if name not in kept:
        raise Problem("not_found", f"training {training.id} is {training.state} and has no {name[:100]!r}; "
                      f"it has {', '.join(kept) or 'no files yet'}")
    kind = "image/png" if name.endswith(".png") else "application/zip"
    return Response(store.read(hub, kept[name], trainings.KIND), media_type=kind,
                    headers=request_data.saved(f"training-{training.id}-{name.rpartition('/')[2]}"))
