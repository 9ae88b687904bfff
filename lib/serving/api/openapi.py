"""What is read of the API, without anything from the network: the page at /, /docs, and its OpenAPI description."""

import base64
import functools
import hashlib
import html
import json
from pathlib import Path

from fastapi.openapi.utils import get_openapi

from lib.common.http.description import PROBLEM, problems
from lib.serving import prediction
from lib.tasks.contract import Served

ANY = {"contentMediaType": "application/octet-stream"}  # any bytes: OpenAPI 3.1
BODY = {
    "required": True, "description": "The picture's bytes, whatever the content type; or a form with one field `file`.",
    "content": {
        **{kind: {"schema": {"contentMediaType": kind}} for kind in ("application/octet-stream", "image/jpeg", "image/png")},
        "multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": {"file": ANY}}},
    },
}
FORM = {
    "required": True, "description": "A form with the pictures in fields `file`.",
    "content": {"multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": {
        "file": {**ANY, "description": "a picture; the field comes once for each"}}}}},
}
# A grey PNG of 48x36 in base64.
EXAMPLE = ("iVBORw0KGgoAAAANSUhEUgAAADAAAAAkCAAAAADqLubWAAAAHklEQVR42mMs"
           "YiANMDGMahjVMKphVMOohlENQ0IDABBGALraQdPhAAAAAElFTkSuQmCC")
TEXT = {"type": "string"}
TEXTS = {"type": "array", "minItems": 1, "items": {"type": "string", "contentEncoding": "base64"}}
INFER = {
    "required": True, "description": "An inference request of the Open Inference Protocol, version 2, as JSON or with the "
    "binary data extension.",
    "content": {"application/json": {
        "schema": {"type": "object", "required": ["inputs"], "properties": {
            "id": {"type": "string", "maxLength": 200}, "parameters": {
                "type": "object", "description": "what the query of /predict takes, such as {\"mode\": 8, \"boxes\": \"all\"}"},
            "inputs": {"type": "array", "minItems": 1, "maxItems": 1, "items": {
                "type": "object", "required": ["name", "datatype", "shape", "data"], "properties": {
                    "name": {"const": "image"}, "datatype": {"const": "BYTES"}, "data": TEXTS, "shape": {
                        "type": "array", "items": {"type": "integer"}, "description": "[n], n being the number of pictures"}}}},
            "outputs": {"type": "array", "maxItems": 1, "items": {
                "type": "object", "required": ["name"], "properties": {"name": {"const": "answer"}}}}}},
        "example": {"id": "7", "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [EXAMPLE]}]}}},
}
FETCHED = {"name": "image_url", "in": "query", "required": True, "schema": {"type": "string"},
           "description": "https URL of a picture, on a host that is allowed here"}
PROBLEMS = problems(400, 401, 403, 404, 405, 409, 431, 503)
ANSWERS = problems(400, 401, 404, 405, 408, 413, 415, 422, 429, 431, 500, 503)
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


def schema(app, predictors, settings):
    """The OpenAPI description, with the tasks and versions that are served, what they answer, and the query of the first."""
    content = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    served = next(iter(predictors.values()), None)
    query = Served.of(served.job).query if served else {}
    told = [_answer(one, settings.decimals) for one in predictors.values()]
    known = {"task": list(predictors), "version": [one.version for one in predictors.values()]}
    for path, methods in content["paths"].items():
        for about in methods.values():
            for one in about.get("parameters", ()):
                if one["in"] == "path" and known.get(one["name"]):
                    one["schema"]["enum"] = known[one["name"]]
            if path.endswith("/predict"):
                _describe(about, query | DRAW, {"application/json": _any(told), "image/png": {"schema": TEXT}})
            elif path.endswith("/predict/batch"):
                _describe(about, query, {"application/json": _batch(told)})
    if settings.tokens:
        content.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        content["security"] = [{"token": []}]
    return content


def _describe(about, query, content):
    """Say in an endpoint's description what may be asked in its query, and what it answers."""
    about["parameters"] = about.get("parameters", []) + [_parameter(*one) for one in query.items()]
    about["responses"]["200"]["content"] = content


def _answer(predictor, decimals):
    """What a model answers, as OpenAPI wants it: schema and examples by the value of each parameter that changes its form."""
    served = Served.of(predictor.job)
    members = {**served.response_schema, "model": {"const": predictor.task}, "model_version": TEXT, "trace_id": TEXT}
    whole = {**prediction.rounded(predictor.example, served.pixel_fields, decimals), "trace_id": "0" * 32}
    default = {name: about["default"] for name, about in served.query.items()}
    sent = served.format_response(whole, default)
    examples = {"without a query": {"value": sent}}
    for name, about in served.query.items():
        for value in about["enum"]:
            other = served.format_response(whole, default | {name: value})
            if other.keys() != sent.keys():
                examples[f"{name}={value}"] = {"value": other}
    always = [name for name in members if all(name in one["value"] for one in examples.values())]
    return {"schema": _object(members, always), "examples": examples}


def _object(properties, required):
    return {"type": "object", "properties": properties, "required": list(required)}


def _any(told):
    """What one of several models answers."""
    if len(told) == 1:
        return told[0]
    return {"schema": {"anyOf": [one["schema"] for one in told]} if told else {"type": "object"}}


def _batch(told):
    """What a form of pictures is answered: in their order, a problem where a picture was refused."""
    each = [_object({name: about for name, about in schema["properties"].items() if name != "trace_id"},
                    [name for name in schema["required"] if name != "trace_id"])
            for schema in (PROBLEM, *(one["schema"] for one in told))]
    members = {"answers": {"type": "array", "items": {"anyOf": each}}, **dict.fromkeys(("model", "model_version", "trace_id"), TEXT)}
    return {"schema": _object(members, members)}


def _parameter(name, about):
    """A parameter as OpenAPI wants it."""
    return {"name": name, "in": "query", "required": False, "description": about.get("description", ""),
            "schema": {key: value for key, value in about.items() if key != "description"}}


def docs(description):
    """/docs as one page of plain HTML: every endpoint, its parameters, its answers, and how to ask it with curl."""
    parts = [f"<h1>{_text(description['info']['title'])}</h1><p>{_text(description['info']['description'])}</p>",
             "<p>The same for programs: <a href='openapi.json'>openapi.json</a></p>"]
    for path, methods in description["paths"].items():
        for method, about in methods.items():
            parts.append(_endpoint(path, method, about))
    return ("<!doctype html><html lang='en'><meta charset='utf-8'><title>Core Box API</title><style>"
            "body{font:16px/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
            "pre{background:#f3f3f3;padding:.7rem;overflow:auto;white-space:pre-wrap}td{padding:.1rem 1rem .1rem 0}</style>"
            + "".join(parts) + "</html>")


def _endpoint(path, method, about):
    rows = "".join(f"<tr><td><code>{_text(one['name'])}</code></td><td>{_text(one['in'])}</td>"
                   f"<td>{_text(json.dumps(one['schema'].get('enum', one['schema'].get('type', ''))))}</td>"
                   f"<td>{_text(one.get('description', ''))}</td></tr>" for one in about.get("parameters", ()))
    statuses = ", ".join(f"{_text(status)} {_text(answer['description'])}"
                         for status, answer in sorted(about["responses"].items()))
    send = " --data-binary @picture.jpg" if "requestBody" in about else ""
    answers = about["responses"]["200"].get("content", {}).get("application/json", {}).get("examples", {})
    examples = "".join(f"<p>{_text(name)}:</p><pre>{_text(json.dumps(one['value']))}</pre>" for name, one in answers.items())
    return (f"<h2>{_text(method.upper())} {_text(path)}</h2><p>{_text(about.get('summary', ''))}</p>"
            f"<table>{rows}</table><pre>curl{send} http://localhost:8000{_text(path)}</pre>{examples}<p>{statuses}</p>")


def _text(value):
    return html.escape(str(value))
