"""The hub's app in a process of its own: `python -m lib hub serve`."""

import functools
import os
import sys

from lib.common import config
from lib.common.http import server


def serve(hub, with_stdin=False):
    """Serve the hub until SIGTERM or SIGINT, then finish what is asked; config.ConfigError where it cannot begin.

    `with_stdin` ends it, too, when its standard input is closed: with the process that started it. The schema must be
    there (`python -m lib hub migrate`). Other machines are served by HTTPS only, since tokens are sent.
    """
    settings = hub.settings
    check(settings)
    with hub.owner_transaction() as cursor:
        cursor.execute("SELECT count(*) FROM hub.migration")
    if with_stdin:
        server.end_with_stdin()
    port = settings.port or server.free_port(settings.host)
    print(f"core-box hub: {server.address(settings.host, port, settings.certificate)}/", file=sys.stderr, flush=True)
    server.run("lib.hub.web.app", functools.partial(_load, hub.params.plain(), os.getpid()), settings.host, port,
               (settings.certificate, settings.key))


def _load(values, parent):
    """The application of the serving process, which ends with its parent."""
    from lib.hub.access import Hub
    from lib.hub.web.app import create

    return server.with_parent(create(Hub(config.Params(values))), parent)


def check(settings):
    """Refuse, as a ConfigError, a host open to others without HTTPS, a port that is taken, a certificate that is none."""
    server.check_certificate("hub", settings.certificate, settings.key)
    if not settings.certificate and not server.is_loopback(settings.host):
        raise config.ConfigError(f"hub.host is {settings.host!r}, which others may reach, and tokens would be sent without "
                                 "encryption; name hub.certificate and hub.key, or put a proxy with HTTPS before it")
    server.check_port("hub", settings.host, settings.port)
