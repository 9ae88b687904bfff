"""Serve an export over HTTP: `serve` here and now, `start` in a process of its own.

    server     serve and start; the ASGI server and its limits
    shelf      the served folder: promote an export, roll back
    app        the endpoints
    body       a request's bytes, counted while they are read
    desk       a few threads that answer, and a short queue before them
    drawing    the answer on the picture
    errors     problem details (RFC 9457)
    journal    JSON lines, one a request
    pages      the page at / and /docs, without anything from the network
"""

from lib.api.server import Server, serve, start
from lib.api.shelf import promote, rollback

__all__ = ["Server", "promote", "rollback", "serve", "start"]
