"""The bearer token of a request (RFC 6750), and the hash that is kept of one."""

import hashlib

from lib.common.http.problem_details import Problem


def token(scope):
    """The token of an ASGI request's Authorization header; Problem `no_token` where there is none."""
    header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
    kind, _, given = header.partition(" ")
    if kind.lower() != "bearer" or not given.strip():
        raise unknown()
    return given.strip()


def unknown():
    """The Problem of a request without a token that is known here."""
    return Problem("no_token", "send a token that is known here: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})


def digest(given):
    """The SHA-256 of a token, in hex. A token has 256 random bits, so that a slow or salted hash adds nothing."""
    return hashlib.sha256(given.encode("utf-8", "replace")).hexdigest()
