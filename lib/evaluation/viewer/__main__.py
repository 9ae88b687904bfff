"""`python -m lib.viewer [--task T] [--profile P] [--run R] [--reviewer NAME] [--read-only] [--set a.b=c …]`: the viewer as an app."""

import argparse
import os
import secrets
import sys

from lib import tasks
from lib.common import config, notebook_app
from lib.common.http.server import is_loopback
from lib.evaluation.viewer import review
from lib.storage import files, runs


def main(words=None):
    """Serve notebooks/viewer.ipynb by voila until a signal ends it; an error is one sentence and exit status 2."""
    given = _parser().parse_args(words)
    try:
        values = _values(given)
        job = tasks.job(values["task"], values["profile"], values["run"], values["overrides"], values["settings"])
        record = runs.newest(job)
        review.read(record)
        command, said = _command(job.params.viewer, _page(record, values))
        said = f"{record} of {job.name}/{job.profile}: {said}"
    except ValueError as error:
        print(f"core-box viewer: {error}", file=sys.stderr)
        return 2
    print(said, flush=True)
    os.chdir(config.home())
    os.execve(command[0], command, notebook_app.environment())  # voila replaces this process, so signals reach it


def _parser():
    parser = argparse.ArgumentParser(prog="python -m lib.viewer", description="Look through a run's answers in a browser.")
    for name in ("task", "profile", "run"):
        parser.add_argument(f"--{name}", help=f"instead of params.yaml's {name}")
    parser.add_argument("--reviewer", help="whose name stands on corrections (viewer.reviewer)")
    parser.add_argument("--read-only", action="store_true", help="nothing can be corrected (viewer.read_only)")
    parser.add_argument("--port", type=int, help="port to listen on (viewer.port)")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="other settings, by dotted key")
    return parser


def _values(given):
    """The parameters of the notebook: those of params.yaml, with the command line's in their place."""
    values = config.read_file()
    own = {"viewer.reviewer": given.reviewer, "viewer.read_only": given.read_only or None, "viewer.port": given.port}
    overrides = {**(values["overrides"] or {}), **config.parse_overrides(" ".join(given.set)),
                 **{key: value for key, value in own.items() if value is not None}}
    values |= {name: getattr(given, name) for name in ("task", "profile", "run") if getattr(given, name)}
    if not given.profile:
        values["profile"] = runs.newest_profile(values["task"], values["run"]) or values["profile"]
    return values | {"overrides": overrides}


def _page(record, values):
    """Write the notebook with its parameters into the run's folder, for voila; returns its path."""
    import nbformat
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    book = parameterize_notebook(load_notebook_node(str(config.REPOSITORY / "notebooks" / "viewer.ipynb")),
                                 {**values, "run": record.name})
    path = record.path("notebooks", "viewer.ipynb")
    files.write(path, nbformat.writes(book))
    return path


def _command(settings, path):
    """The command that starts voila, and the sentence that says where it listens."""
    token = "" if is_loopback(settings.host) else secrets.token_urlsafe(24)
    address = f"http://{settings.host}:{settings.port or '…'}/" + (f"?token={token}" if token else "")
    return notebook_app.command(path, settings.host, settings.port, settings.views, token), f"the viewer is at {address}"


if __name__ == "__main__":
    sys.exit(main())
