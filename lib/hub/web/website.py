"""The hub's page as a site of its own, with the app that sends what is downloaded: `python -m lib hub page`."""

import os
import secrets
import subprocess
import sys

from lib.common import config, notebook_app
from lib.common.http.server import free_port, is_loopback
from lib.hub.web import server
from lib.storage import files


def run(hub, overrides=None):
    """Serve notebooks/hub.ipynb by voila until told to end, and the hub's app beside it, which ends with it.

    `overrides` are the settings by dotted key with which the hub was opened. config.ConfigError where a port is taken.
    """
    settings = hub.settings
    server.check(settings)
    port = settings.page_port or free_port(settings.host)
    app_port = settings.port or free_port(settings.host)
    given = {**config.nest(overrides), "hub": {**config.nest(overrides).get("hub", {}), "port": app_port}}
    path = hub.folder / "hub.ipynb"
    files.write(path, _notebook(given))
    words = [f"{key}={_in_yaml(value)}" for key, value in config.flat(given).items()]
    environment = notebook_app.environment()
    app = subprocess.Popen([sys.executable, "-m", "lib", "hub", "serve", "--with-stdin", "--set", *words],
                           stdin=subprocess.PIPE, env=environment)
    os.set_inheritable(app.stdin.fileno(), True)   # held by what this process becomes: the app ends with it
    token = "" if is_loopback(settings.host) else secrets.token_urlsafe(24)
    print(f"the hub's page is at http://{settings.host}:{port}/{f'?token={token}' if token else ''}", flush=True)
    command = notebook_app.command(path, settings.host, port, settings.page_views, token)
    os.chdir(config.home())
    os.execve(command[0], command, environment)


def _notebook(overrides):
    """The notebook with its parameters, as text."""
    import nbformat
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    book = load_notebook_node(str(config.REPOSITORY / "notebooks" / "hub.ipynb"))
    return nbformat.writes(parameterize_notebook(book, {"overrides": overrides}))


def _in_yaml(value):
    """A setting in YAML's flow style, on one line."""
    import yaml

    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("\n...\n").strip()
