"""The hub's app in a process of its own: `python -m lib hub serve`."""

import functools
import os
import signal
import socket
import ssl
import sys
import threading
from pathlib import Path

from lib.common import config

HEADERS_WITHIN = 8_000   # ms that a client may take for its headers
DRAIN = 20               # s that requests may take to end after SIGTERM
LOCAL = ("127.0.0.1", "localhost", "::1")


def serve(hub, with_stdin=False):
    """Serve the hub until SIGTERM or SIGINT, then finish what is asked; config.ConfigError where it cannot begin.

    `with_stdin` ends it, too, when its standard input is closed: with who started it. The schema must be there (`python -m lib hub migrate`). Beyond this machine, only by HTTPS: tokens travel.
    """
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces, SSLProtocols
    from granian.http import HTTP1Settings

    settings = hub.settings
    check(settings)
    with hub.owner() as cursor:
        cursor.execute("SELECT count(*) FROM hub.migration")
    if with_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    port = settings.port or any_port(settings.host)
    scheme = "https" if settings.certificate else "http"
    print(f"core-box hub: {scheme}://{settings.host}:{port}/", file=sys.stderr, flush=True)
    pair = {"ssl_cert": Path(settings.certificate), "ssl_key": Path(settings.key),
            "ssl_protocol_min": SSLProtocols.tls12} if settings.certificate else {}
    Granian("lib.hub.web.app", address=settings.host, port=port, interface=Interfaces.ASGI, http=HTTPModes.http1,
            websockets=False, workers_kill_timeout=DRAIN, respawn_failed_workers=True, log_enabled=False,
            http1_settings=HTTP1Settings(header_read_timeout=HEADERS_WITHIN, max_buffer_size=64 * 1024), **pair,
            ).serve(target_loader=functools.partial(_application, hub.params.plain()), wrap_loader=False)


def _end_with_stdin():
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _application(values):
    from lib.hub.access import Hub
    from lib.hub.web.app import create

    return create(Hub(config.Params(values)))


def check(settings):
    """Refuse, as a ConfigError, a host that others may reach without HTTPS, a taken port, a certificate that is none."""
    if settings.certificate or settings.key:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(settings.certificate, settings.key)
        except (OSError, ValueError) as error:
            raise config.ConfigError(f"hub.certificate {settings.certificate!r} and hub.key {settings.key!r} are no pair "
                                     "of PEM files") from error
    elif settings.host not in LOCAL:
        raise config.ConfigError(f"hub.host is {settings.host!r}, which others may reach, and their tokens would travel "
                                 "unveiled; name hub.certificate and hub.key, or let a proxy with HTTPS stand before it")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise config.ConfigError(f"port {settings.port} of {settings.host} cannot be listened on: "
                                 f"{error.strerror or error}; stop what listens there or choose another hub.port") from error


def any_port(host):
    """A port of `host` that nobody listens on now."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        return probe.getsockname()[1]
