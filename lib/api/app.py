"""The endpoints: what is asked, what is answered, and what is noted of it."""

import asyncio
import contextlib
import hashlib
import json
import time
import uuid
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from lib import images, predict
from lib.api import body, drawing, errors, journal, pages, shelf
from lib.api.desk import Desk
from lib.api.errors import Problem

LOOK = 2.0  # s between two looks for another model
HEADERS = {b"x-content-type-options": b"nosniff", b"cache-control": b"no-store", b"referrer-policy": b"no-referrer",
           b"content-security-policy": b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}


def create(folder, settings):
    """The ASGI application that serves an export (folder) with the settings of the block `api`.

    It is live at once and ready when the export has been checked, opened and warmed up. `folder` may also be a
    served folder (shelf); another export that is promoted there takes over without a request lost.
    """
    service = Service(folder, settings)

    @contextlib.asynccontextmanager
    async def life(app):
        service.begin()
        yield
        service.end()

    app = FastAPI(title="Core Box", version="1", lifespan=life, docs_url=None, redoc_url=None,
                  description="Photographs of drill-core boxes into data.")
    app.openapi = lambda: pages.schema(app, service.predictors)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_middleware(Door, service=service)
    _routes(app, service)
    return app


class Service:
    """What lives as long as the process: the predictors by task, the desk, the bodies being read, the journal."""

    def __init__(self, folder, settings):
        self.folder, self.settings, self.predictors = folder, settings, {}
        self.reason, self._failure = "the model is being loaded", ""

    def begin(self):
        """Make threads and queues, and load the export beside the event loop."""
        settings = self.settings
        self.journal = journal.Journal(settings.log)
        self.desk = Desk(settings.workers, settings.queue)
        together = (settings.workers + settings.queue) * (settings.max_bytes + body.AROUND)
        self.bodies = body.Bodies(settings.max_bytes, settings.read_timeout, together)
        self._seen = {}
        self._watching = asyncio.create_task(self._watch())

    def end(self):
        """Finish what runs; not ready from here on."""
        self._watching.cancel()
        self.predictors = {}
        self.desk.close()
        self.journal.close()

    async def _watch(self):
        """Look for other exports now and then, beside the event loop."""
        while True:
            await asyncio.to_thread(self._look)
            await asyncio.sleep(LOOK)

    def _look(self):
        """Load the exports that are new, and serve them once they are ready; the old ones stay where one is bad."""
        fresh = {}
        try:
            for folder in shelf.exports(self.folder):
                if self._seen.get(folder) != (mark := shelf.mark(folder)):
                    self._seen[folder] = mark
                    self._load(folder, fresh)
        except Exception as error:  # nothing there yet, or a share that is away: look again later
            self._note_failure(error)
        self.predictors = self.predictors | fresh  # one reference, so that a request sees one model or the other

    def _load(self, folder, fresh):
        start = time.monotonic()
        try:
            predictor = predict.load(folder)
        except Exception as error:  # whatever an export holds, the process stays up and serves what it has
            return self._note_failure(error)
        fresh[predictor.task] = predictor
        self.journal.write(event="load", task=predictor.task, model_version=predictor.version,
                           ms=round(1000 * (time.monotonic() - start)))

    def _note_failure(self, error):
        self.reason = "the model could not be loaded; the log says why"
        if str(error) != self._failure:  # once, not at every look
            self._failure = str(error)
            self.journal.write(event="load", error=type(error).__name__, detail=str(error), trace=journal.trace(error))

    def served(self):
        """The predictors by task, at least one; Problem `no_model` where there is none."""
        if not self.predictors:
            raise Problem("no_model", f"no model is served: {self.reason}", {"Retry-After": "5"})
        return self.predictors

    def predictor(self, task=None):
        """The predictor of a task, or the only one; Problem `no_task` where it is not served."""
        predictors = self.served()
        if task is None and len(predictors) == 1:
            return next(iter(predictors.values()))
        if task not in predictors:
            raise Problem("no_task", f"ask one of {', '.join(f'/v1/{name}/predict' for name in predictors)}")
        return predictors[task]

    async def answer(self, request, task=None):
        """The response to a request for an answer: JSON, or the picture with the answer drawn on it."""
        begun = time.monotonic()
        predictor = self.predictor(task)
        query = asked(predictor.job.query | pages.DRAW, request.query_params)
        draw = query.pop("draw") or request.headers.get("accept", "").startswith("image/png")
        async with self.bodies.read(request) as content:
            seconds = max(0.01, self.settings.total_timeout - (time.monotonic() - begun))
            answer, drawn = await self.desk.run(self._work, predictor, content, draw, request, seconds=seconds)
        headers = {"x-model": predictor.task, "x-model-version": quote(predictor.version)}
        if draw:
            return Response(drawn, media_type="image/png", headers=headers)
        answer = predictor.job.reply(predict.rounded(answer, predictor.job.pixels, self.settings.decimals), query)
        return JSONResponse({**answer, "trace_id": request.state.trace_id}, headers=headers)

    def _work(self, predictor, content, draw, request):
        """In a thread: find the picture, note its hash, decode it, answer, and draw where that is asked."""
        request.state.note.update(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content),
                                  task=predictor.task, model_version=predictor.version)
        if body.is_form(request):
            content = body.picture(content, request.headers["content-type"])
        settings = self.settings
        try:
            picture = images.read(content, predictor.job.detail, formats=tuple(settings.formats),
                                  max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)
        except images.Refused as error:
            raise Problem(error.code, str(error)) from error
        answer = predictor.answer(picture)
        return answer, drawing.drawn(picture, predictor.job.outlines(answer)) if draw else None


def asked(schema, parameters):
    """The value of each name that a job's `query` knows, from a request's text; Problem bad_<name> for another."""
    values = {}
    for name, about in schema.items():
        texts = parameters.getlist(name)
        allowed = {json.dumps(value).strip('"'): value for value in about["enum"]}
        if any(text not in allowed for text in texts) or len(texts) > 1:
            raise Problem(f"bad_{name}", f"{name} is {', '.join(texts)[:40]!r}; it must be one of {', '.join(allowed)}")
        values[name] = allowed[texts[0]] if texts else about["default"]
    return values


def _routes(app, service):
    """Add the endpoints to the application."""
    body_schema = {"requestBody": pages.BODY, "responses": pages.RESPONSES}

    @app.post("/predict", summary="The answer for a picture", openapi_extra=body_schema)
    async def predict_one(request: Request):
        return await service.answer(request)

    @app.post("/v1/{task}/predict", summary="The answer of a task for a picture", openapi_extra=body_schema)
    async def predict_task(task: str, request: Request):
        return await service.answer(request, task)

    @app.get("/v2/health/live", summary="Whether the process runs")
    async def live():
        return {"live": True}

    @app.get("/v2/health/ready", summary="Whether a model is loaded and warmed up")
    async def ready():
        return {"ready": True, "models": {task: one.version for task, one in service.served().items()}}

    app.get("/health", summary="The short form of /v2/health/ready")(ready)

    @app.get("/", include_in_schema=False)
    async def page():
        content, policy = pages.page()
        return HTMLResponse(content, headers={"content-security-policy": policy})

    @app.get("/docs", include_in_schema=False)
    async def docs():
        return HTMLResponse(pages.docs(app.openapi()))


async def _no_route(request, error):
    """What is answered where no endpoint fits."""
    code = {404: "no_path", 405: "no_method"}.get(error.status_code, "bad_request")
    sentence = {"no_path": "no such path; see /docs", "no_method": "this path does not take that method; see /docs"}
    raise Problem(code, sentence.get(code, "the request cannot be read"), error.headers) from error


class Door:
    """ASGI middleware: every request gets a trace id, an answer in the same form, and a line in the journal."""

    def __init__(self, app, service):
        self.app, self.service = app, service

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
                given = dict(message.get("headers", ()))
                message["headers"] = [*message.get("headers", ()), (b"x-trace-id", trace_id.encode()),
                                      *((k, v) for k, v in HEADERS.items() if k not in given)]
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except Exception as error:  # whatever it is, the client gets a problem and the journal the trace
            await _tell(error, note, None if sent else answer, trace_id)
        finally:
            self.service.journal.write(event="request", trace_id=trace_id, method=scope["method"],
                                       path=scope["path"][:200], status=sent.get("status"),
                                       ms=round(1000 * (time.monotonic() - begun)), **note)


async def _tell(error, note, send, trace_id):
    """Note an exception for the journal, and send it as a problem where nothing has been sent.

    A function of its own: were the exception kept in a frame that it went through, the two would hold each other, and
    with them the request's line and bytes, until the next garbage collection.
    """
    problem = error if isinstance(error, Problem) else Problem(
        "internal", "something went wrong here; the trace id leads to the log")
    cause = error.__cause__ or error
    note.update(code=problem.code, error=type(cause).__name__, trace=journal.trace(cause))
    if send is None:
        return
    content = errors.content(problem, trace_id)
    # The rest of an unread body is not waited for.
    headers = {"content-type": "application/problem+json", "content-length": str(len(content)),
               "connection": "close", **problem.headers}
    await send({"type": "http.response.start", "status": problem.status,
                "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()]})
    await send({"type": "http.response.body", "body": content})
