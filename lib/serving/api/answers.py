"""From a request to its answer: its query, its body, its pictures, each with one model from beginning to end."""

import contextlib
import hashlib
import json
import time
from urllib.parse import quote

from fastapi.responses import JSONResponse, Response

from lib.common.http import form, problem_details, query
from lib.common.http.problem_details import Problem
from lib.imaging import images
from lib.serving import prediction
from lib.serving.api import inference, openapi, rendering
from lib.serving.api.service import FETCHING
from lib.tasks.contract import Served

DOUBTFUL = 0.5   # confidence under which what was found is drawn dashed


class _Heavy(Exception):
    """A request whose pictures cost so much that it waits for a place of its own."""


class Answers:
    """Answers requests with the models, threads and limits of a Service."""

    def __init__(self, service):
        self.service, self.settings, self.metrics = service, service.settings, service.metrics

    async def picture(self, request, task=None):
        """The response to a picture in the body: JSON, or the picture with the answer drawn on it."""
        predictor, values, draw = self._query(request, task)
        multipart = form.is_form(request)
        async with self._body(request, self.settings.max_bytes + (form.AROUND if multipart else 0)) as (content, place):
            found = await self._run(request, self._one, predictor, content, draw, multipart, place=place)
        return self._response(request, predictor, values, *found)

    async def remote(self, request, task=None):
        """As `picture`, for a picture at the URL `image_url` of the query."""
        predictor, values, draw = self._query(request, task, "image_url")
        url = request.query_params.get("image_url", "")
        with self.metrics.stage("fetch"):
            content = await self.service.fetching.run(self.service.fetcher.fetch, url, seconds=2 * FETCHING)
        found = await self._run(request, self._one, predictor, content, draw, False)
        return self._response(request, predictor, values, *found)

    async def batch(self, request, task):
        """The answers for the pictures of a form, in their order; one that is refused has its problem instead."""
        predictor, values, _ = self._query(request, task)
        async with self._body(request, self.settings.batch_bytes + form.AROUND) as (content, place):
            found = await self._run(request, self._each, predictor, content, values, place=place)
        return JSONResponse({"answers": found, "model": predictor.task, "model_version": predictor.version,
                             "trace_id": request.state.trace_id}, headers=_model_headers(predictor))

    async def infer(self, request, predictor):
        """The response to an inference request (inference)."""
        query.check_names(request, ())
        async with self._body(request, self.settings.batch_bytes) as (content, place):
            content, headers = await self._run(request, self._infer, predictor, content, place=place)
        return Response(content, headers={**headers, **_model_headers(predictor)})

    def _query(self, request, task, *others):
        """The predictor, the values of its query, and whether the answer is to be drawn."""
        predictor = self.service.predictor(task)
        schema = Served.of(predictor.job).query | openapi.DRAW
        query.check_names(request, {*schema, *others})
        values = checked(schema, {name: request.query_params.getlist(name) for name in schema})
        return predictor, values, values.pop("draw") or request.headers.get("accept", "").startswith("image/png")

    @contextlib.asynccontextmanager
    async def _body(self, request, limit):
        """A request's body, and a place at the executor for it, without which nothing is read."""
        executor = self.service.executor
        place = await executor.acquire()
        begun = time.monotonic()
        try:
            async with self.service.bodies.read(request, limit, place) as content:
                seconds = time.monotonic() - begun
                self.metrics.observe("read", seconds)
                if not executor.holds(place):
                    place = await executor.acquire()
                request.state.until = time.monotonic() + self.settings.total_timeout - seconds
                yield content, place
        finally:
            executor.release(place)

    async def _run(self, request, function, *arguments, place=None):
        """What a function of the request and these arguments returns, in a thread, in what is left of the request's time.

        One that finds its pictures heavy is run again where one such request is answered at a time.
        """
        if not hasattr(request.state, "until"):
            request.state.until = time.monotonic() + self.settings.total_timeout
        try:
            request.state.heavy = False
            return await self._in_time(self.service.executor, request, function, arguments, place)
        except _Heavy:
            request.state.heavy = True
        heavy = self.service.heavy
        place = await heavy.acquire()
        try:
            return await self._in_time(heavy, request, function, arguments, place)
        finally:
            heavy.release(place)

    async def _in_time(self, executor, request, function, arguments, place):
        return await executor.run(function, request, *arguments, place=place,
                                  seconds=max(0.01, request.state.until - time.monotonic()))

    # --- in a thread

    def _one(self, request, predictor, content, draw, multipart):
        """The answer for a picture, and the picture with it drawn on it where that is asked."""
        _note(predictor, content, request)
        if multipart:
            content, = form.files(content, request.headers["content-type"])
        _check_cost(request, [content])
        picture, answer = self._find(predictor, content)
        if not draw:
            return answer, None
        with self.metrics.stage("draw"):
            return answer, rendering.render(picture, _lines(predictor, answer))

    def _each(self, request, predictor, content, values):
        """The answers for a form's pictures, each by itself."""
        _note(predictor, content, request)
        pictures = form.files(content, request.headers.get("content-type", ""), self.settings.batch)
        _check_cost(request, pictures)
        found = []
        for picture in pictures:
            try:
                _check_time(request)
                found.append(self._reply(predictor, values, self._find(predictor, picture)[1]))
            except Problem as problem:
                found.append(problem_details.members(problem))
        return found

    def _infer(self, request, predictor, content):
        """The body and headers of the response to an inference request."""
        _note(predictor, content, request)
        asked = inference.read(content, self.settings.batch, request.headers.get(inference.HEADER))
        if unknown := next((name for name in asked.parameters if name not in Served.of(predictor.job).query), None):
            raise Problem("bad_input", f"there is no parameter {unknown[:40]!r}; "
                          f"{query.instead(unknown, Served.of(predictor.job).query)}")
        values = checked(Served.of(predictor.job).query, asked.parameters)
        _check_cost(request, asked.pictures)
        found = []
        for picture in asked.pictures:
            _check_time(request)
            found.append(self._reply(predictor, values, self._find(predictor, picture)[1]))
        return inference.reply(predictor, found, asked, request.state.trace_id)

    def _find(self, predictor, content):
        """A Picture from its bytes, and its answer; what is wrong with the picture is a Problem."""
        settings = self.settings
        try:
            with self.metrics.stage("decode"):
                picture = images.read(content, predictor.job.minimum_decode_size, formats=tuple(settings.formats),
                                      max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)
        except images.Refused as error:
            raise Problem(error.code, str(error)) from error
        with self.metrics.stage("infer"):
            answer = predictor.answer(picture)
        self.metrics.refusal(predictor.task, answer.get("refused"))
        return picture, answer

    def _reply(self, predictor, values, answer):
        return Served.of(predictor.job).format_response(prediction.rounded(answer, Served.of(predictor.job).pixel_fields, self.settings.decimals), values)

    def _response(self, request, predictor, values, answer, rendered):
        if rendered:
            return Response(rendered, media_type="image/png", headers=_model_headers(predictor))
        return JSONResponse({**self._reply(predictor, values, answer), "trace_id": request.state.trace_id},
                            headers=_model_headers(predictor))


def checked(schema, texts):
    """The value of each name of a schema, from lists of texts by name; Problem bad_<name> for a value it does not allow."""
    values = {}
    for name, about in schema.items():
        given = texts.get(name, [])
        allowed = {json.dumps(value).strip('"'): value for value in about["enum"]}
        if any(text not in allowed for text in given) or len(given) > 1:
            raise Problem(f"bad_{name}", f"{name} is {', '.join(given)[:40]!r}; it must be one of {', '.join(allowed)}")
        values[name] = allowed[given[0]] if given else about["default"]
    return values


def _lines(predictor, answer):
    """What is drawn of an answer, triples (points, text, style): nothing where nothing was found."""
    if (answer.get("refused") or "").startswith("no_"):
        return []
    return [(points, text, _style(answer if about is None else about))
            for points, text, about in Served.of(predictor.job).overlay_polygons(answer)]


def _style(about):
    """How the outline of an answer, or of one thing in it, is drawn (rendering.STYLES)."""
    if about.get("cut"):
        return "dotted"
    sure = about.get("confidence")
    return "dashed" if about.get("refused") or (sure is not None and sure < DOUBTFUL) else "solid"


def _check_cost(request, pictures):
    """Refuse to answer heavy pictures among light ones: see Answers._run."""
    if not request.state.heavy and any(images.is_costly(one) for one in pictures):
        raise _Heavy


def _note(predictor, content, request):
    """Note for the log what was asked of which model; of the picture, its hash alone."""
    request.state.notes.update(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content),
                               task=predictor.task, model_version=predictor.version)


def _model_headers(predictor):
    """The headers that say which model answers."""
    return {"x-model": predictor.task, "x-model-version": quote(predictor.version)}


def _check_time(request):
    """Problem `late` where nobody waits for the answer any more."""
    if time.monotonic() > request.state.until:
        raise Problem("late", "the answer took too long; send fewer pictures at once")
