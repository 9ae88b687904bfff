"""The hub over HTTP: pictures in."""

from typing import Annotated

from fastapi import Depends, Request

from lib.common.http.problem_details import Problem
from lib.common.http.shares import Shares
from lib.hub import accounts
from lib.hub.intake import submission, uploads
from lib.hub.web.request_data import (
    AROUND,
    FORM,
    MAX_WANTED,
    PROBLEMS,
    WANTED,
    BatchKey,
    JsonBody,
    Number,
    Who,
    items,
)

TEXT = {"type": "string", "pattern": r"^[^\x00]*$"}   # PostgreSQL holds no NUL
FILES = {"type": "object", "propertyNames": TEXT, "additionalProperties": TEXT, "maxProperties": WANTED}
TAKING = 300.0   # s in which pictures that were read must be in the database


def add(app, hub, reader):
    """Add the endpoints to an application; bodies are read by a BodyReader, whose executor takes pictures in."""
    api = hub.params.api
    shares = Shares(4 * hub.settings.uploads, hub.settings.uploads // 2 or 1)
    files = JsonBody(reader, dict[str, str], FILES, limit=MAX_WANTED, most=WANTED)

    @app.post("/v1/batches/{key}/wanted", summary="Which of the files {name: SHA-256} the batch does not have yet",
              openapi_extra=files.about, responses=PROBLEMS)
    def wanted(key: BatchKey, account: Who, files: Annotated[dict, Depends(files)]):
        return {"wanted": uploads.wanted(hub, account, key, files)}

    @app.post("/v1/batches/{key}/pictures", summary="Take pictures (fields `file` of a form) into the batch of this key",
              openapi_extra=FORM, responses=PROBLEMS)
    async def take(key: BatchKey, request: Request, account: Who):
        accounts.database_role(account, "submit")
        executor = reader.executor
        with shares.held(account.id):
            place = await executor.acquire()
            try:
                async with reader.read(request, api.batch_bytes + AROUND, place, account.id) as content:
                    if not executor.holds(place):
                        place = await executor.acquire()
                    return await executor.run(_take, hub, account, key, content, request.headers.get("content-type", ""),
                                              seconds=TAKING, place=place)
            finally:
                executor.release(place)

    @app.post("/v1/batches/{key}/done", summary="Close the batch", responses=PROBLEMS)
    def done(key: BatchKey, account: Who):
        return submission.receive(hub, account, uploads.checked_key(key), [], done=True).plain()

    @app.get("/v1/batches", summary="One's own batches, newest first", responses=PROBLEMS)
    def batches(account: Who):
        return {"batches": submission.batches(hub, account)}

    @app.get("/v1/batches/{number}", summary="What became of each file of one's own batch", responses=PROBLEMS)
    def batch(number: Number, account: Who):
        accounts.database_role(account, "own")
        try:
            return submission.status(hub, account, number)
        except ValueError as error:
            raise Problem("not_found", str(error)) from error


def _take(hub, account, key, content, content_type):
    """Take the pictures of a form into a batch."""
    return uploads.receive(hub, account, key, items(content, content_type, hub.params.api.batch))
