"""Serve an export over HTTP: `serve` in this process, `start` in a process of its own.

    server           serve: what is refused at the start, processes, memory
    client           start, and a client that asks the server
    lambda_handler   the same application as an AWS Lambda function
    model_store      the folder of exports: promote one, roll back
    app              the endpoints
    middleware       who may ask what; the log and the counters of a request
    authentication   the file of bearer tokens, kept as hashes
    service          what lives as long as the process
    answers          from a request to its answer
    served_models    the models that are served, and how one is replaced
    load_check       an export loaded in a process of its own first
    inference        the Open Inference Protocol, version 2
    remote_picture   a picture fetched from a URL, where a setting allows it
    rendering        the picture with the answer drawn on it
    metrics          counters and times, for Prometheus
    openapi          the OpenAPI description, /docs, and the page at /
"""

from lib.serving.api.client import Server, start
from lib.serving.api.model_store import promote, rollback, temporary
from lib.serving.api.server import serve

__all__ = ["Server", "promote", "rollback", "serve", "start", "temporary"]
