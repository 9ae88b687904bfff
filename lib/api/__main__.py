"""`python -m lib.api FOLDER [--host H] [--port P] [--set api.queue=16 …]`: serve an export."""

import argparse
import sys

from lib import config, predict
from lib.api import server


def main(words=None):
    """Serve until told to end; a setting or an export that cannot be used is one sentence and exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m lib.api", description="Serve an export over HTTP.")
    parser.add_argument("folder", help="an export: the folder that holds export.json")
    parser.add_argument("--host", help="address to listen on (api.host)")
    parser.add_argument("--port", type=int, help="port to listen on (api.port)")
    parser.add_argument("--set", nargs="+", default=[], metavar="api.KEY=VALUE", help="other settings of the block api")
    parser.add_argument("--with-stdin", action="store_true", help="end when standard input is closed")
    given = parser.parse_args(words)
    try:
        overrides = config.nested(config.parse(given.set))
        if overrides.keys() - {"api"}:
            raise config.ConfigError(f"--set knows api.… only, not {', '.join(overrides.keys() - {'api'})}")
        own = {key: value for key in ("host", "port") if (value := getattr(given, key)) is not None}
        settings = config.group("api", overrides.get("api", {}) | own)
        server.serve(given.folder, settings, server.end_with_stdin if given.with_stdin else None)
    except (config.ConfigError, predict.BadExport) as error:
        print(f"core-box api: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
