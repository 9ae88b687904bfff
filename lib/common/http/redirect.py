"""Plain HTTP sent on to HTTPS: `python -m lib.common.http.redirect HOST PORT TO`, a process of its own beside the server."""

import os
import re
import sys

HOST = re.compile(rb"[\w.-]{1,253}|\[[\da-fA-F:.]{2,45}\]")


class Redirect:
    """ASGI application: every request is told (308) the same address with https and the port `to`; nothing is read."""

    def __init__(self, to):
        self.port = b"" if to == 443 else b":%d" % to

    async def __call__(self, scope, receive, send):
        host = re.sub(rb":\d*$", b"", dict(scope["headers"]).get(b"host", b""))
        headers = [(b"content-length", b"0"), (b"connection", b"close")]
        if HOST.fullmatch(host):
            query = b"?" + scope["query_string"] if scope["query_string"] else b""
            path = scope["raw_path"] if scope["raw_path"].startswith(b"/") else b"/"
            headers.append((b"location", b"https://" + host + self.port + path + query))
        await send({"type": "http.response.start", "status": 308 if len(headers) > 2 else 400, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def serve(host, port, to):
    """Send on what comes to a port until the process that started this one is gone."""
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces

    from lib.serving.api import server

    plain = Granian("lib.common.http.redirect", address=host, port=port, interface=Interfaces.ASGINL, http=HTTPModes.http1,
                    websockets=False, respawn_failed_workers=True, log_enabled=False, workers_kill_timeout=1,
                    http1_settings=server.http1())
    plain.on_startup(server.end_with_stdin)
    parent = os.getpid()
    plain.serve(target_loader=lambda: server.with_parent(Redirect(to), parent), wrap_loader=False)


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
