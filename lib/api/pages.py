"""What is read of the API, without anything from the network: the page at /, /docs, and its OpenAPI description."""

import base64
import functools
import hashlib
import html
import json
from pathlib import Path

from fastapi.openapi.utils import get_openapi

from lib.api import errors

PROBLEM = {
    "type": "object", "required": ["type", "title", "status", "detail", "code", "trace_id"],
    "properties": {"type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
                   "detail": {"type": "string"}, "code": {"type": "string"}, "trace_id": {"type": "string"}},
}
BODY = {
    "required": True, "description": "The picture's bytes, whatever the content type; or a form with one field `file`.",
    "content": {
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        "image/jpeg": {"schema": {"type": "string", "format": "binary"}},
        "image/png": {"schema": {"type": "string", "format": "binary"}},
        "multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": {
            "file": {"type": "string", "format": "binary"}}}},
    },
}
RESPONSES = {
    str(status): {"description": errors.title(status), "content": {"application/problem+json": {"schema": PROBLEM}}}
    for status in (400, 404, 408, 413, 415, 422, 429, 500, 503)
}


DRAW = {"draw": {"type": "boolean", "enum": [True, False], "default": False,
                 "description": "the picture with the answer drawn on it, as PNG; also by Accept: image/png"}}


@functools.cache
def page():
    """The page at /, where a person drops a photograph, and the policy that lets its one script run and no other."""
    content = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    script = content.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return content, (f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src blob:; "
                     "connect-src 'self'; frame-ancestors 'none'")


def schema(app, predictors):
    """The OpenAPI description, with the query of each task that is served."""
    content = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    for path, task in (("/predict", None), ("/v1/{task}/predict", None)):
        served = predictors.get(task) or next(iter(predictors.values()), None)
        query = (served.job.query if served else {}) | DRAW
        post = content["paths"][path]["post"]
        post["parameters"] = post.get("parameters", []) + [
            {"name": name, "in": "query", "required": False, "description": about.get("description", ""),
             "schema": {k: v for k, v in about.items() if k != "description"}} for name, about in query.items()]
    return content


def docs(description):
    """/docs as one page of plain HTML: every endpoint, its parameters, its answers, and how to ask it with curl."""
    parts = [f"<h1>{_text(description['info']['title'])}</h1><p>{_text(description['info']['description'])}</p>",
             "<p>The same for programs: <a href='openapi.json'>openapi.json</a></p>"]
    for path, methods in description["paths"].items():
        for method, about in methods.items():
            parts.append(_endpoint(path, method, about))
    return ("<!doctype html><html lang='en'><meta charset='utf-8'><title>Core Box API</title><style>"
            "body{font:16px/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
            "pre{background:#f3f3f3;padding:.7rem;overflow:auto}td{padding:.1rem 1rem .1rem 0}</style>"
            + "".join(parts) + "</html>")


def _endpoint(path, method, about):
    rows = "".join(f"<tr><td><code>{_text(one['name'])}</code></td><td>{_text(one['in'])}</td>"
                   f"<td>{_text(json.dumps(one['schema'].get('enum', one['schema'].get('type', ''))))}</td>"
                   f"<td>{_text(one.get('description', ''))}</td></tr>" for one in about.get("parameters", ()))
    statuses = ", ".join(f"{_text(status)} {_text(answer['description'])}"
                         for status, answer in sorted(about["responses"].items()))
    send = " --data-binary @picture.jpg" if "requestBody" in about else ""
    return (f"<h2>{_text(method.upper())} {_text(path)}</h2><p>{_text(about.get('summary', ''))}</p>"
            f"<table>{rows}</table><pre>curl{send} http://localhost:8000{_text(path)}</pre><p>{statuses}</p>")


def _text(value):
    return html.escape(str(value))
