"""The API in this process: `serve`."""

import contextlib
import functools
import os
import sys
import tempfile
from pathlib import Path

from lib.common import config
from lib.common.http import redirect, server
from lib.serving import export_check
from lib.serving.api import authentication, model_store


def serve(folder, settings, on_startup=None):
    """Serve an export with the settings of the block `api` until SIGTERM or SIGINT, then finish what is asked.

    `folder` is an export or a model store; port 0 takes any free one, standard error says which. BadExport where the
    export must not be served; config.ConfigError where the port cannot be had, the host is open to others without tokens,
    or the certificate is none. All are raised at once.
    """
    check_access(settings)
    for export in model_store.exports(folder):
        export_check.check(export)
    port = settings.port or server.free_port(settings.host)
    server.check_port("api", settings.host, port)
    print(f"core-box api: {server.scheme(settings.certificate)}://{settings.host}:{port}/docs", file=sys.stderr, flush=True)
    with contextlib.ExitStack() as held:
        if settings.redirect:
            held.enter_context(redirect.beside("api", settings.host, settings.redirect, port))
        if settings.processes > 1:  # before anything imports prometheus_client: they count into files there
            folders = tempfile.TemporaryDirectory(prefix="core-box-metrics-", ignore_cleanup_errors=True)
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = held.enter_context(folders)
        server.run("lib.serving.api.app", functools.partial(_load, Path(folder), settings, os.getpid()), settings.host, port,
                   (settings.certificate, settings.key), settings.processes, on_startup)


def _load(folder, settings, parent):
    """The application of one process, which is bounded in memory and ends with its parent."""
    import resource

    from lib.serving.api.app import create

    if settings.memory:
        resource.setrlimit(resource.RLIMIT_DATA, (settings.memory * 2**20,) * 2)
    return server.with_parent(create(folder, settings), parent)


def check_access(settings):
    """Refuse, as a ConfigError, to be open to others without tokens, and a token file or certificate that is none."""
    if settings.tokens:
        authentication.read(settings.tokens)
    elif not server.is_loopback(settings.host):
        raise config.ConfigError(f"api.host is {settings.host!r}, which others may reach, and api.tokens names no file "
                                 "of tokens; make one with python -m lib.api token FILE")
    server.check_certificate("api", settings.certificate, settings.key)
    if settings.redirect and not settings.certificate:
        raise config.ConfigError(f"api.redirect is {settings.redirect}, and there is no HTTPS to redirect to; set "
                                 "api.certificate and api.key, or api.redirect=0")
