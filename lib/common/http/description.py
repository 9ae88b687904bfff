"""What an OpenAPI description says of problems, and the description as bytes, rendered once per model."""

import json

from lib.common.http import problem_details

PROBLEM = {
    "type": "object", "required": ["type", "title", "status", "detail", "code", "trace_id"],
    "properties": {"type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
                   "detail": {"type": "string"}, "code": {"type": "string"}, "trace_id": {"type": "string"}},
}


def problems(*statuses):
    """The answers of an endpoint that are problems, as FastAPI's `responses` wants them."""
    return {status: _problem(status, problem_details.title(status)) for status in statuses} | {
        "default": _problem(500, "Any other problem")}


def _problem(status, words):
    example = {"type": "about:blank", "title": problem_details.title(status), "status": status, "trace_id": "0" * 32,
               "detail": "what is wrong, and what to do", "code": problem_details.example(status)}
    return {"description": words, "content": {"application/problem+json": {"schema": PROBLEM, "example": example}}}


class Rendered:
    """What `make()` returns as the bytes of JSON and of `page(it)`, made anew only where `key()` is another one."""

    def __init__(self, make, page=None, key=lambda: None):
        self._make, self._page, self._key, self._kept = make, page or (lambda description: ""), key, None

    def json(self):
        """The description as JSON, UTF-8."""
        return self._fresh()[1]

    def html(self):
        """The description as a page, UTF-8."""
        return self._fresh()[2]

    def _fresh(self):
        key = self._key()
        if self._kept is None or self._kept[0] is not key:
            description = self._make()
            self._kept = key, json.dumps(description).encode(), self._page(description).encode()
        return self._kept
