"""Serve an export over HTTP: `serve` here and now, `start` in a process of its own.

    server     serve and start; the ASGI server and its limits
    redirect   plain HTTP sent on to HTTPS
    gateway    the same application as an AWS Lambda function
    shelf      the served folder: promote an export, roll back
    app        the endpoints
    door       the one way in: tokens, trace ids, problems, the log, the counters
    service    what lives as long as the process, and how a request is answered
    models     the models that are served, and how another takes the place of one
    trial      an export tried in a process of its own
    body       a request's bytes, counted while they are read
    inference  the Open Inference Protocol, version 2
    fetch      a picture fetched from a URL, where a setting allows it
    desk       a few threads that answer, and a short queue before them
    drawing    the answer on the picture
    errors     problem details (RFC 9457)
    tokens     bearer tokens, kept as hashes
    metrics    counters and times, for Prometheus
    journal    JSON lines, one a request
    pages      the page at / and /docs, without anything from the network
"""

from lib.serving.api.model_store import promote, rollback, temporary
from lib.serving.api.server import Server, serve, start

__all__ = ["Server", "promote", "rollback", "serve", "start", "temporary"]
