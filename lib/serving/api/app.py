"""The API as an ASGI application: its endpoints, and the middleware around them."""

import contextlib
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from lib.common.http.description import Rendered
from lib.common.http.middleware import no_route
from lib.serving.api import inference, openapi
from lib.serving.api.answers import Answers
from lib.serving.api.authentication import Tokens
from lib.serving.api.middleware import ApiMiddleware
from lib.serving.api.service import Service


def create(folder, settings):
    """The ASGI application that serves an export (folder) with the settings of the block `api`.

    It is live at once and ready when the export has been checked, opened and warmed up. `folder` may also be a model
    store; another export that is promoted there takes over without a request lost. Its Service is `app.state.service`.
    """
    service = Service(Path(folder), settings)

    @contextlib.asynccontextmanager
    async def life(app):
        service.begin()
        await service.watch()
        yield
        service.end()

    app = FastAPI(title="Core Box", version="1", lifespan=life, docs_url=None, redoc_url=None, openapi_url=None,
                  description="Photographs of drill-core boxes into data.")
    app.state.service = service
    app.openapi = lambda: openapi.schema(app, service.models.served, settings)
    app.add_exception_handler(HTTPException, no_route({404: "no_path", 405: "no_method"}, "no such path; see /docs"))
    app.add_middleware(ApiMiddleware, service=service, tokens=Tokens(settings.tokens) if settings.tokens else None)
    if settings.origins:
        app.add_middleware(CORSMiddleware, allow_origins=settings.origins, allow_methods=["GET", "POST"],
                           allow_headers=["authorization", "content-type"],
                           expose_headers=["x-trace-id", "x-model", "x-model-version", "retry-after"])
    for add in (_answers, _health, _models, _inference, _pages):
        add(app, service)
    return app


def _answers(app, service):
    """The endpoints that answer pictures."""
    answers = Answers(service)
    about = {"openapi_extra": {"requestBody": openapi.BODY}, "responses": openapi.ANSWERS}
    fetched = {"openapi_extra": {"parameters": [openapi.FETCHED]}, "responses": openapi.ANSWERS}

    @app.post("/predict", summary="The answer for a picture", **about)
    async def predict_one(request: Request):
        return await answers.picture(request)

    @app.post("/v1/{task}/predict", summary="The answer of a task for a picture", **about)
    async def predict_task(task: str, request: Request):
        return await answers.picture(request, task)

    @app.post("/v1/{task}/predict/batch", summary="The answers for the pictures of a form",
              openapi_extra={"requestBody": openapi.FORM}, responses=openapi.ANSWERS)
    async def predict_batch(task: str, request: Request):
        return await answers.batch(request, task)

    if not service.settings.image_hosts:
        return

    @app.get("/predict", summary="The answer for the picture at image_url", **fetched)
    async def fetch_one(request: Request):
        return await answers.remote(request)

    @app.get("/v1/{task}/predict", summary="The answer of a task for the picture at image_url", **fetched)
    async def fetch_task(task: str, request: Request):
        return await answers.remote(request, task)


def _health(app, service):
    """The endpoints for operators."""
    @app.get("/v2/health/live", summary="Whether the process runs")
    async def live():
        return {"live": True}

    @app.get("/v2/health/ready", summary="Whether a model is loaded and warmed up", responses=openapi.PROBLEMS)
    async def ready():
        return {"ready": True, "models": service.versions()}

    app.get("/health", summary="The short form of /v2/health/ready", responses=openapi.PROBLEMS)(ready)

    @app.get("/metrics", summary="Counters and times, for Prometheus", response_class=PlainTextResponse)
    def metrics():  # in a thread: it reads files where several processes count
        service.metrics.update(service.models.served, service.executor, service.log.lost)
        return Response(service.metrics.text(), media_type=service.metrics.TYPE)


def _models(app, service):
    """The endpoints that change what is served, for admins."""
    @app.post("/models/reload", summary="Read the model store now", responses=openapi.PROBLEMS)
    async def reload():
        return await service.reload()

    @app.post("/models/{task}/rollback", summary="Serve what was served before", responses=openapi.PROBLEMS)
    async def rollback(task: str):
        return await service.rollback(task)


def _inference(app, service):
    """The Open Inference Protocol, version 2."""
    answers = Answers(service)

    @app.get("/v2", summary="The server")
    async def server():
        return {"name": app.title, "version": app.version, "extensions": inference.EXTENSIONS}

    @app.post("/v2/repository/index", summary="The models that are served, with their state")
    async def index():
        return inference.index(service.models.served)

    @app.get("/v2/models", summary="The models that are served", responses=openapi.PROBLEMS)
    async def models():
        return {"models": list(service.served())}

    def each(path, summary, call, method=app.get, responses=openapi.PROBLEMS, **about):
        """Add an endpoint of a model, with and without its version."""
        async def plain(task: str, request: Request):
            return await call(service.predictor(task), request)

        async def exact(task: str, version: str, request: Request):
            return await call(service.predictor(task, version), request)

        for middle, endpoint in (("", plain), ("/versions/{version}", exact)):
            method(f"/v2/models/{{task}}{middle}{path}", summary=summary, responses=responses, **about)(endpoint)

    async def metadata(predictor, request):
        return inference.about(predictor)

    async def ready(predictor, request):
        return {"name": predictor.task, "ready": True}

    async def configuration(predictor, request):
        return inference.configuration(predictor, service.settings.batch)

    async def infer(predictor, request):
        return await answers.infer(request, predictor)

    each("", "What a model takes and gives", metadata)
    each("/config", "A model as Triton describes one", configuration)
    each("/ready", "Whether a model is ready", ready)
    each("/infer", "Answers for base64 pictures", infer, app.post,
         openapi_extra={"requestBody": openapi.INFER}, responses=openapi.ANSWERS)


def _pages(app, service):
    """What people read."""
    description = service.description = Rendered(app.openapi, openapi.docs, lambda: service.models.served)

    @app.get("/", include_in_schema=False)
    async def page():
        content, policy = openapi.page()
        return HTMLResponse(content, headers={"content-security-policy": policy})

    @app.get("/openapi.json", include_in_schema=False)
    def openapi_json():
        return Response(description.json(), media_type="application/json")

    @app.get("/docs", include_in_schema=False)
    def docs():
        return HTMLResponse(description.html())
