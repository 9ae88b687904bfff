"""`python -m lib.api FOLDER [--host H] [--port P] [--set api.queue=16 …]`: serve an export.

`python -m lib.api token FILE [--role admin] [--name NAME]`: a new bearer token, its hash added to the file.
"""

import argparse
import sys

from lib.common import config
from lib.common.http.server import end_with_stdin
from lib.serving import export_check
from lib.serving.api import authentication, server


def main(words=None):
    """Serve until SIGTERM or SIGINT, or make a token; what cannot be used is one sentence and exit status 2."""
    words = sys.argv[1:] if words is None else words
    try:
        return _token(words[1:]) if words[:1] == ["token"] else _serve(words)
    except (config.ConfigError, export_check.BadExport, OSError) as error:
        print(f"core-box api: {error}", file=sys.stderr)
        return 2


def _token(words):
    """Print a new token, once."""
    parser = argparse.ArgumentParser(prog="python -m lib.api token", description="Make a bearer token.")
    parser.add_argument("file", help="token file (api.tokens), which gets its hash; made where it is not there")
    parser.add_argument("--role", choices=authentication.ROLES, default="predict", help="admin may change what is served, too")
    parser.add_argument("--name", default="", help="whose it is, so that it can be found and taken out of the file")
    given = parser.parse_args(words)
    print(authentication.make(given.file, given.role, given.name))


def _serve(words):
    parser = argparse.ArgumentParser(prog="python -m lib.api", description="Serve an export over HTTP.")
    parser.add_argument("folder", help="an export: the folder that holds export.json")
    parser.add_argument("--host", help="address to listen on (api.host)")
    parser.add_argument("--port", type=int, help="port to listen on (api.port)")
    parser.add_argument("--set", nargs="+", default=[], metavar="api.KEY=VALUE", help="other settings of the block api")
    parser.add_argument("--with-stdin", action="store_true", help="end when standard input is closed")
    given = parser.parse_args(words)
    overrides = config.nest(config.parse_overrides(given.set))
    if overrides.keys() - {"api"}:
        raise config.ConfigError(f"--set knows api.… only, not {', '.join(overrides.keys() - {'api'})}")
    own = {key: value for key in ("host", "port") if (value := getattr(given, key)) is not None}
    settings = config.resolve_group("api", overrides.get("api", {}) | own)
    server.serve(given.folder, settings, end_with_stdin if given.with_stdin else None)


if __name__ == "__main__":
    sys.exit(main())
