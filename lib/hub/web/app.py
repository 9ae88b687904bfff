"""The hub over HTTP: what is submitted, chosen, downloaded and trained, each by those who may."""

import hashlib
import json
import threading
from contextlib import contextmanager
from typing import Annotated

from fastapi import Body, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from lib.hub import accounts, store
from lib.hub.datasets import export, label_hierarchy, selection
from lib.hub.datasets import versions as sets
from lib.hub.intake import sources, submission, uploads
from lib.hub.jobs import trainings
from lib.hub.web import downloads
from lib.hub.web.middleware import Guard, Known, Problem

AROUND = 256 * 1024   # bytes that a form may add to its pictures
FIELDS = 16           # fields a form may have beside its pictures


def create(hub, log=None):
    """The ASGI application of a Hub; `log` takes a dict a request (by default a line of JSON on standard error)."""
    app = FastAPI(title="Core Box hub", version="1", docs_url=None, redoc_url=None,
                  description="Pictures in, verified data sets and models out. Every path but /health wants a bearer token.")
    api = hub.params.api
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_middleware(Guard, known=Known(hub), most=api.batch_bytes + AROUND, seconds=api.total_timeout * 4, log=log)
    for add in (_health, _submit, _browse, _versions, _trainings):
        add(app, hub)
    return app


async def _no_route(request, error):
    code = {404: "not_found", 405: "no_method"}.get(error.status_code, "bad_request")
    words = {"not_found": "no such path; see /openapi.json", "no_method": "this path does not take that method"}
    raise Problem(code, words.get(code, str(error.detail)[:200])) from error


async def _malformed(request, error):
    first = error.errors()[0]
    raise Problem("bad_request", f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:300]) from error


def who(request: Request):
    """The Person who asks, as the guard found out before anything was read."""
    return request.state.person


Who = Annotated[accounts.Person, Depends(who)]
Values = Annotated[dict, Body()]


class Slots:
    """So many things at once, and Problem `busy` for who comes then."""

    def __init__(self, number):
        self._free = threading.BoundedSemaphore(number)

    @contextmanager
    def one(self):
        release = self.take()
        try:
            yield
        finally:
            release()

    def take(self):
        """Take a slot; returns the function that gives it back."""
        if not self._free.acquire(blocking=False):
            raise Problem("busy", "the hub has its hands full; come again", {"Retry-After": "1"})
        return self._free.release


def _health(app, hub):
    @app.get("/health", summary="Whether the database answers")
    def health():
        with hub.owner() as cursor:
            cursor.execute("SELECT count(*) FROM hub.migration")
            return {"ready": True, "schema": cursor.fetchone()[0]}

    @app.get("/v1/me", summary="Who one is, and what one may do")
    def me(person: Who):
        return {"name": person.name, "roles": person.roles, "may": [each for each in accounts.ACTIONS if accounts.may(person, each)]}


# --- pictures in


def _submit(app, hub):
    slots = Slots(hub.settings.uploads)

    @app.post("/v1/batches/{key}/wanted", summary="Which of the files {name: SHA-256} the batch does not have yet")
    def wanted(key: str, files: Annotated[dict[str, str], Body()], person: Who):
        return {"wanted": uploads.wanted(hub, person, key, files)}

    @app.post("/v1/batches/{key}/pictures", summary="Take pictures (fields `file` of a form) into the batch of this key")
    async def take(key: str, request: Request, person: Who):
        accounts.role(person, "submit")
        with slots.one():
            items = await _items(request, hub.params.api)
            receipt = await run_in_threadpool(uploads.take, hub, person, key, items)
        return receipt

    @app.post("/v1/batches/{key}/done", summary="Close the batch")
    def done(key: str, person: Who):
        return submission.receive(hub, person, uploads.named(key), [], done=True).plain()

    @app.get("/v1/batches", summary="One's own batches, newest first")
    def batches(person: Who):
        return {"batches": submission.batches(hub, person)}

    @app.get("/v1/batches/{number}", summary="What became of each file of one's own batch")
    def batch(number: int, person: Who):
        accounts.role(person, "own")
        try:
            return submission.status(hub, person, number)
        except ValueError as error:
            raise Problem("not_found", str(error)) from error


async def _items(request, api):
    """The Items of a form: its files, with the values that its other fields give them all."""
    try:
        form = await request.form(max_files=api.batch, max_fields=FIELDS, max_part_size=AROUND)
    except (MultiPartException, HTTPException, KeyError, AssertionError) as error:
        raise Problem("bad_request", f"the body is no form with 1 to {api.batch} fields `file`: "
                      f"{str(getattr(error, 'detail', error))[:100]}") from error
    try:
        sent = [value for name, value in form.multi_items() if name == "file" and not isinstance(value, str)]
        words = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        if not sent:
            raise Problem("bad_request", "the form has no field `file`; send 1 to "
                          f"{api.batch} pictures in fields of that name")
        hashes = [each for each in words.get("sha256", "").split(",") if each]
        if hashes and len(hashes) != len(sent):
            raise Problem("bad_request", f"the form has {len(sent)} files and {len(hashes)} hashes in its field `sha256`")
        return [_item(each.filename or "", await each.read(), words, hashes[n] if hashes else "") for n, each in enumerate(sent)]

    finally:
        await form.close()


def _item(name, data, words, wanted):
    sha256 = hashlib.sha256(data).hexdigest()
    if wanted and wanted.lower() != sha256:
        raise Problem("bad_input", f"{name[:100]!r} came with the SHA-256 {sha256}, not {wanted[:64]!r}; send it again")
    if wrong := sources.unsafe(name):
        raise Problem("bad_input", f"the file name {name[:100]!r} {wrong}; give it another")
    values = {key: words[key] for key in ("place", "licence", "author", "task") if words.get(key)}
    values["labels"] = [label.strip() for label in words.get("labels", "").split(";") if label.strip()]
    if words.get("label"):
        try:
            values["label"] = json.loads(words["label"])
        except ValueError as error:
            raise Problem("bad_input", f"the field `label` is no JSON: {error}") from error
        if not isinstance(values["label"], dict):
            raise Problem("bad_input", "the field `label` holds no object with a task's columns")
    return sources.Item(name, data, values, sha256)


# --- what is there


def _browse(app, hub):
    @app.get("/v1/labels", summary="Labels: how many accepted pictures each has, and the tree")
    def labels(person: Who):
        counts = selection.counts(hub, person)
        with hub.act(person, "browse") as cursor:
            tree = label_hierarchy.tree(cursor)
        return {"counts": counts, "tree": tree}

    @app.post("/v1/select", summary="What a query chooses: counts, and the first pictures")
    def select(query: Values, person: Who, first: int = 100):
        found = selection.select(hub, person, query, limit=max(0, min(first, 1000)))
        return {**found.plain(), "pictures": selection.pictures(hub, person, found.ids)}

    @app.get("/v1/places", summary="Towns with their accepted pictures")
    def places(person: Who):
        return {"places": selection.places(hub, person)}

    @app.get("/v1/pictures/{number}/thumbnail", summary="A small JPEG of an accepted picture")
    def thumbnail(number: int, person: Who):
        found = selection.pictures(hub, person, [number])
        if not found:
            raise Problem("not_found", f"there is no published picture {number}")
        return Response(store.thumbnail(hub, found[0]["sha256"]), media_type="image/jpeg")

    @app.post("/v1/watches", summary="Ask to be told when there are so many pictures of each label")
    def watch(query: Values, least: Annotated[int, Body()], person: Who):
        return {"watch": selection.watch(hub, person, query, least)}

    @app.get("/v1/watches", summary="One's own watch-list")
    def watches(person: Who):
        return {"watches": selection.watches(hub, person)}


# --- data sets out


def _versions(app, hub):
    slots, tickets = Slots(hub.settings.downloads), downloads.Tickets()

    @app.post("/v1/versions", summary="The version of a data set that a query makes; the same again for the same pictures")
    def make(query: Values, person: Who):
        return sets.version(hub, person, query).plain()

    @app.get("/v1/versions", summary="The versions there are")
    def listed(person: Who):
        return {"versions": [version.plain() for version in sets.listed(hub, person)]}

    @app.get("/v1/versions/{number}/download", summary="A version as a tar")
    def download(number: int, person: Who, formats: str = "folders"):
        return _tar(slots, hub, person, number, formats)

    @app.post("/v1/versions/{number}/ticket", summary="A path that downloads a version once, within minutes, without a token")
    def ticket(number: int, person: Who, formats: str = "folders"):
        accounts.role(person, "download")
        return {"path": f"/v1/tickets/{tickets.make(lambda: _tar(slots, hub, person, number, formats))}"}

    @app.get("/v1/tickets/{name}", summary="What a ticket was made for")
    def redeem(name: str):
        return tickets.redeem(name)()

    @app.post("/v1/trainings/{number}/ticket", summary="A path that downloads a trained model once, without a token")
    def model_ticket(number: int, person: Who):
        training = trainings.find(hub, person, number)
        return {"path": f"/v1/tickets/{tickets.make(lambda: _file(hub, training, 'model.zip'))}"}


def _tar(slots, hub, person, number, formats):
    """The tar of a version as a response that is made while it is sent, and keeps its slot until then."""
    wanted = tuple(each for each in formats.split(",") if each)
    release = slots.take()
    try:
        chunks = downloads.Stream(export.stream_tar(hub, person, number, wanted), release)
    except BaseException:
        release()
        raise
    return StreamingResponse(chunks, media_type="application/x-tar", headers=_saved(f"core-box-{number}.tar"))


def _saved(name):
    """The headers of a file that is saved; the page fetches it in a frame, which other answers forbid."""
    return {"content-disposition": f'attachment; filename="{name}"', "content-security-policy": "sandbox; default-src 'none'"}


# --- models out


def _trainings(app, hub):
    @app.post("/v1/trainings", summary="Ask for a training on a version")
    def ask(version: Annotated[int, Body()], person: Who, overrides: Annotated[dict | None, Body()] = None,
            profile: Annotated[str, Body()] = ""):
        return trainings.ask(hub, person, version, overrides, profile=profile).plain()

    @app.get("/v1/trainings", summary="One's own trainings, newest first")
    def listed(person: Who):
        return {"trainings": [each.plain() for each in trainings.listed(hub, person)]}

    @app.get("/v1/trainings/{number}", summary="How far a training is, and what came of it")
    def one(number: int, person: Who):
        return trainings.find(hub, person, number).plain()

    @app.post("/v1/trainings/{number}/cancel", summary="End a training")
    def cancel(number: int, person: Who):
        return trainings.cancel(hub, person, number).plain()

    @app.post("/v1/trainings/{number}/again", summary="Ask for the same training once more")
    def again(number: int, person: Who):
        return trainings.again(hub, person, number).plain()

    @app.get("/v1/trainings/{number}/files/{name:path}", summary="The model (model.zip) or a figure of a training")
    def file(number: int, name: str, person: Who):
        return _file(hub, trainings.find(hub, person, number), name)


def _file(hub, training, name):
    """A file that a training left in the store."""
    kept = (training.result or {}).get("files", {})
    if name not in kept:
        raise Problem("not_found", f"training {training.id} is {training.state} and has no {name[:100]!r}; "
                      f"it has {', '.join(kept) or 'no files yet'}")
    kind = "image/png" if name.endswith(".png") else "application/zip"
    return Response(store.read(hub, kept[name], trainings.KIND), media_type=kind,
                    headers=_saved(f"training-{training.id}-{name.rpartition('/')[2]}"))
