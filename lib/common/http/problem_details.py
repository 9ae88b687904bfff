"""What is a client told when it gets no answer? Problem details (RFC 9457) with `code` and `trace_id`."""

import http
import json

STATUS = {
    "bad_request": 400, "empty": 400, "no_token": 401, "not_allowed": 403, "no_path": 404, "no_task": 404,
    "no_version": 404, "not_found": 404, "no_method": 405, "slow": 408, "export_refused": 409, "no_rollback": 409, "not_ended": 409,
    "too_large": 413, "not_a_picture": 415, "not_fetched": 422, "unreadable": 422, "busy": 429, "large_headers": 431,
    "internal": 500, "late": 503, "no_database": 503, "no_memory": 503, "no_model": 503, "no_room": 507,
}


class Problem(Exception):
    """A request that is not answered: `code`, one sentence for the client, and headers such as Retry-After.

    The status is that of STATUS; a code that is not there is a 400, unless `status` says otherwise.
    """

    def __init__(self, code, sentence, headers=None, status=None):
        super().__init__(sentence)
        self.code, self.sentence, self.headers = code, sentence, headers or {}
        self.status = status or STATUS.get(code, 400)


def content(problem, trace_id, path=""):
    """A Problem as the bytes of application/problem+json.

    Below /v2 it has the member `error` too, where clients of the Open Inference Protocol look.
    """
    about = {**members(problem), "trace_id": trace_id}
    return json.dumps(about | ({"error": problem.sentence} if path.startswith("/v2") else {})).encode()


def members(problem):
    """A Problem as the members of its JSON."""
    return {"type": "about:blank", "title": title(problem.status), "status": problem.status,
            "detail": problem.sentence, "code": problem.code}


def example(status):
    """A code that comes with a status."""
    return next((code for code, one in STATUS.items() if one == status), "bad_request")


def title(status):
    """The standard's words for a status."""
    return http.HTTPStatus(status).phrase


def busy(sentence="too many requests at once; come again in a second"):
    """The Problem of a server that has no place left."""
    return Problem("busy", sentence, {"Retry-After": "1"})


def too_large(limit):
    """The Problem of a body over the limit, in bytes."""
    return Problem("too_large", f"the body is larger than {limit / 2**20:.4g} MiB; send less")
