"""Plain HTTP redirected to HTTPS: `python -m lib.common.http.redirect HOST PORT TO`, a process beside the server."""

import contextlib
import functools
import os
import re
import subprocess
import sys

from lib.common.http import server

HOST = re.compile(rb"[\w.-]{1,253}|\[[\da-fA-F:.]{2,45}\]")


class Redirect:
    """ASGI application: every request is answered (308) with the same address, by https and the port `to`.

    Nothing of a request's body is read.
    """

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


@contextlib.contextmanager
def beside(block, host, port, to):
    """Redirect plain HTTP at a port while the block lasts, in a process of its own; config.ConfigError for the port."""
    server.check_port(block, host, port)
    words = ["-m", "lib.common.http.redirect", host, str(port), str(to)]
    with subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE, env=server.environment()) as process:
        try:
            yield
        finally:
            process.terminate()


def main(host, port, to):
    """Redirect what comes to a port until the process that started this one is gone."""
    load = functools.partial(_load, int(to), os.getpid())
    server.run("lib.common.http.redirect", load, host, int(port), on_startup=server.end_with_stdin, interface="asginl", drain=1)


def _load(to, parent):
    return server.with_parent(Redirect(to), parent)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
