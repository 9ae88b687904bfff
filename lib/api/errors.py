"""What a client is told when it gets no answer: problem details (RFC 9457) with `code` and `trace_id`."""

import http
import json

STATUS = {
    "bad_request": 400, "empty": 400, "no_path": 404, "no_task": 404, "no_method": 405, "slow": 408,
    "too_large": 413, "not_a_picture": 415, "unreadable": 422, "busy": 429, "internal": 500,
    "late": 503, "no_model": 503,
}


class Problem(Exception):
    """A request that is not answered: `code`, one sentence for the client, and headers such as Retry-After.

    A code that starts with bad_ is a 400, whatever follows.
    """

    def __init__(self, code, sentence, headers=None):
        super().__init__(sentence)
        self.code, self.sentence, self.headers = code, sentence, headers or {}

    @property
    def status(self):
        return STATUS.get(self.code, 400)


def content(problem, trace_id):
    """A Problem as the bytes of application/problem+json."""
    return json.dumps({
        "type": "about:blank", "title": title(problem.status), "status": problem.status,
        "detail": problem.sentence, "code": problem.code, "trace_id": trace_id,
    }).encode()


def title(status):
    """The standard's words for a status."""
    return http.HTTPStatus(status).phrase
