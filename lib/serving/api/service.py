"""What lives as long as the process: the models, the desk, the bodies being read, the log, the counters."""

import asyncio
import concurrent.futures
import contextlib
import hashlib
import json
import os
import threading
import time
from urllib.parse import quote

from fastapi.responses import JSONResponse, Response

from lib.common.http import access_log, problem_details, request_body
from lib.common.http.executor import Desk
from lib.common.http.problem_details import Problem
from lib.imaging import images
from lib.serving import prediction
from lib.serving.api import (
    inference,
    model_store,
    openapi,
    remote_picture,
    rendering,
)
from lib.serving.api.metrics import Metrics
from lib.serving.api.served_models import Models

LOOK = 0.5     # s between two looks for another model
CALM = 5       # by how much the thread that looks steps back behind those that answer (nice)
FETCHES = 4    # pictures fetched at once
FETCHING = 5.0  # s that a fetch may take


class Service:
    """Answers requests, each with one model from its beginning to its end."""

    def __init__(self, folder, settings):
        self.folder, self.settings, self.metrics = folder, settings, Metrics()
        self.models = Models(folder, self._note, settings.trial_timeout, settings.workers)
        self.fetcher = remote_picture.Fetcher(settings.image_hosts, FETCHING, settings.max_bytes)

    def begin(self):
        """Make threads and queues; nothing is loaded yet."""
        settings = self.settings
        self.journal = access_log.Journal(settings.log)
        self.desk = Desk(settings.workers, settings.queue, lambda seconds: self.metrics.observe("queue", seconds))
        self.fetching = Desk(FETCHES, 0)
        self._looking = concurrent.futures.ThreadPoolExecutor(1, "look", _step_back)
        together = (settings.workers + settings.queue) * (settings.max_bytes + request_body.AROUND)
        self.bodies = request_body.Bodies(self.desk, settings.read_timeout, max(together, settings.batch_bytes + request_body.AROUND))

    async def watch(self):
        """Load the export beside the event loop and look for others from then on, until `end`.

        One process alone is live meanwhile; one of several begins when it is ready, since the others answer.
        """
        if self.settings.processes > 1:
            await self._look()
        self._watching = asyncio.create_task(self._watch())

    def end(self):
        """Finish what runs; not ready from here on."""
        self._watching.cancel()
        self.models.served = {}
        self.desk.close()
        self.fetching.close()
        self._looking.shutdown(cancel_futures=True)
        self.journal.close()

    async def _watch(self):
        while True:
            await self._look()
            await self._calmly(self.models.keep_earlier)
            self.metrics.see(self.models.served, self.desk, self.journal.lost)
            await asyncio.sleep(LOOK)

    async def _look(self, again=False):
        return await self._calmly(self.models.look, again)

    async def _calmly(self, function, *arguments):
        """What a function returns, in the thread that looks for models."""
        return await asyncio.get_running_loop().run_in_executor(self._looking, function, *arguments)

    def _note(self, error=None, **line):
        """Note in the log, and count, what became of an export."""
        (self.metrics.reload_failures if error else self.metrics.reloads).inc()
        if error:
            line = {"error": type(error).__name__, "detail": str(error), "trace": access_log.trace(error)}
        self.journal.write(event="load", **line)

    # --- models

    def served(self):
        """The predictors by task, at least one; Problem `no_model` where there is none."""
        models = self.models.served
        if not models:
            raise Problem("no_model", f"no model is served: {self.models.reason}", {"Retry-After": "5"})
        return models

    def predictor(self, task=None, version=None):
        """The predictor of a task, or the only one; Problem `no_task` or `no_version` where it is not served."""
        models = self.served()
        if task is None and len(models) == 1:
            return next(iter(models.values()))
        if task not in models:
            raise Problem("no_task", f"ask one of {', '.join(f'/v1/{name}/predict' for name in models)}")
        if version not in (None, models[task].version):
            raise Problem("no_version", "that version is not served; leave it out, or ask for the one that is")
        return models[task]

    def versions(self):
        """The version that is served of each task."""
        return {task: one.version for task, one in self.served().items()}

    async def reload(self):
        """Look at the served folder now; Problem `export_refused` says why something there is not served."""
        if why := await self._look(again=True):
            raise Problem("export_refused", "; ".join(why))
        return {"models": self.versions()}

    async def rollback(self, task):
        """Serve what was served before; Problem `no_rollback` where that cannot be."""
        self.predictor(task)
        await self._calmly(self._roll, task)
        return await self.reload()

    def _roll(self, task):
        if model_store.exports(self.folder) == [self.folder]:
            raise Problem("no_rollback", "one export is served alone; promote exports to a folder and serve that")
        try:
            model_store.rollback(self.folder, task)
        except OSError as error:
            raise Problem("no_rollback", f"the served folder cannot be changed: {error.strerror}") from error
        except ValueError as error:
            raise Problem("no_rollback", str(error)) from error

    # --- answers

    async def answer(self, request, task=None):
        """The response to a picture in the body: JSON, or the picture with the answer drawn on it."""
        predictor, query, draw = self._asked(request, task)
        form = request_body.is_form(request)
        async with self._body(request, self.settings.max_bytes + (request_body.AROUND if form else 0)) as (content, place):
            found = await self._run(request, self._one, predictor, content, draw, request, form, place=place)
        return self._response(request, predictor, query, *found)

    async def fetched(self, request, task=None):
        """As `answer`, for a picture at the URL `image_url` of the query."""
        predictor, query, draw = self._asked(request, task, "image_url")
        url = request.query_params.get("image_url", "")
        with self.metrics.stage("fetch"):
            content = await self.fetching.run(self.fetcher.fetch, url, seconds=2 * FETCHING)
        found = await self._run(request, self._one, predictor, content, draw, request, False)
        return self._response(request, predictor, query, *found)

    async def batch(self, request, task):
        """The answers for the pictures of a form, in their order; one that is refused has its problem instead."""
        predictor, query, _ = self._asked(request, task)
        async with self._body(request, self.settings.batch_bytes + request_body.AROUND) as (content, place):
            found = await self._run(request, self._each, predictor, content, query, request, place=place)
        return JSONResponse({"answers": found, "model": predictor.task, "model_version": predictor.version,
                             "trace_id": request.state.trace_id}, headers=_about(predictor))

    async def infer(self, request, predictor):
        """The answer to an inference request (inference)."""
        async with self._body(request, self.settings.batch_bytes) as (content, place):
            found, name = await self._run(request, self._infer, predictor, content, request, place=place)
        return JSONResponse(inference.reply(predictor, found, name, request.state.trace_id),
                            headers=_about(predictor))

    def _asked(self, request, task, *others):
        """The predictor, the values of its query, and whether the answer is to be drawn."""
        predictor = self.predictor(task)
        texts = {name: request.query_params.getlist(name) for name in request.query_params if name not in others}
        query = asked(predictor.job.query | openapi.DRAW, texts)
        return predictor, query, query.pop("draw") or request.headers.get("accept", "").startswith("image/png")

    @contextlib.asynccontextmanager
    async def _body(self, request, limit):
        """A request's body, and a place at the desk for it, without which nothing is read."""
        place = await self.desk.place()
        begun = time.monotonic()
        try:
            async with self.bodies.read(request, limit, place) as content:
                seconds = time.monotonic() - begun
                self.metrics.observe("read", seconds)
                if not self.desk.holds(place):
                    place = await self.desk.place()
                request.state.until = time.monotonic() + self.settings.total_timeout - seconds
                yield content, place
        finally:
            self.desk.leave(place)

    async def _run(self, request, function, predictor, content, *others, place=None):
        """What a function returns, at the desk, in what is left of the request's time."""
        if not hasattr(request.state, "until"):
            request.state.until = time.monotonic() + self.settings.total_timeout
        return await self.desk.run(function, predictor, content, *others, place=place,
                                   seconds=max(0.01, request.state.until - time.monotonic()))

    # --- in a thread

    def _one(self, predictor, content, draw, request, form):
        """The answer for a picture, and the picture with it drawn on it where that is asked."""
        self._write_down(predictor, content, request)
        if form:
            content, = request_body.pictures(content, request.headers["content-type"])
        picture, answer = self._find(predictor, content)
        if not draw:
            return answer, None
        with self.metrics.stage("draw"):
            return answer, rendering.drawn(picture, predictor.job.outlines(answer))

    def _each(self, predictor, content, query, request):
        """The answers for a form's pictures, each by itself."""
        self._write_down(predictor, content, request)
        found = []
        for picture in request_body.pictures(content, request.headers.get("content-type", ""), self.settings.batch):
            try:
                _in_time(request)
                found.append(self._reply(predictor, query, self._find(predictor, picture)[1]))
            except Problem as problem:
                found.append(problem_details.members(problem))
        return found

    def _infer(self, predictor, content, request):
        """The answers for an inference request's pictures, and its id."""
        self._write_down(predictor, content, request)
        pictures, texts, name = inference.read(content, self.settings.batch)
        query, found = asked(predictor.job.query, texts), []
        for picture in pictures:
            _in_time(request)
            found.append(self._reply(predictor, query, self._find(predictor, picture)[1]))
        return found, name

    def _write_down(self, predictor, content, request):
        """Note for the log what was asked of which model; of the picture, its hash alone."""
        request.state.note.update(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content),
                                  task=predictor.task, model_version=predictor.version)

    def _find(self, predictor, content):
        """A Picture from its bytes, and its answer; what is wrong with the picture is a Problem."""
        settings = self.settings
        try:
            with self.metrics.stage("decode"):
                picture = images.read(content, predictor.job.detail, formats=tuple(settings.formats),
                                      max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)
        except images.Refused as error:
            raise Problem(error.code, str(error)) from error
        with self.metrics.stage("infer"):
            answer = predictor.answer(picture)
        self.metrics.refusal(predictor.task, answer.get("refused"))
        return picture, answer

    def _reply(self, predictor, query, answer):
        return predictor.job.reply(prediction.rounded(answer, predictor.job.pixels, self.settings.decimals), query)

    def _response(self, request, predictor, query, answer, drawn):
        if drawn:
            return Response(drawn, media_type="image/png", headers=_about(predictor))
        return JSONResponse({**self._reply(predictor, query, answer), "trace_id": request.state.trace_id},
                            headers=_about(predictor))


def _step_back():
    """Let this thread alone run behind the others (on Linux each has its own niceness)."""
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + CALM))


def asked(schema, texts):
    """The value of each name that a job's `query` knows, from lists of texts; Problem bad_<name> for another value."""
    values = {}
    for name, about in schema.items():
        given = texts.get(name, [])
        allowed = {json.dumps(value).strip('"'): value for value in about["enum"]}
        if any(text not in allowed for text in given) or len(given) > 1:
            raise Problem(f"bad_{name}", f"{name} is {', '.join(given)[:40]!r}; it must be one of {', '.join(allowed)}")
        values[name] = allowed[given[0]] if given else about["default"]
    return values


def _about(predictor):
    """The headers that say which model answers."""
    return {"x-model": predictor.task, "x-model-version": quote(predictor.version)}


def _in_time(request):
    """Problem `late` where nobody waits for the answer any more."""
    if time.monotonic() > request.state.until:
        raise Problem("late", "the answer took too long; send fewer pictures at once")
