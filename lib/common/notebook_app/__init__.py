"""A notebook as a web app by voila, whose kernels are bounded: one for each open page, and none before a person asks.

`GET /` is a light page. It asks for the notebook by a POST of its own, which a foreign page cannot send; only the page
behind the answer starts a kernel. A kernel whose page is gone ends.
"""

import os
import sys
from pathlib import Path

SHARE = Path(__file__).with_name("share")   # JUPYTER_PATH: the template of the page


def command(path, host, port, views, token=""):
    """The command that serves a notebook, at most `views` pages of it at a time; with a token, to those who have it."""
    return [sys.executable, "-m", "lib.common.notebook_app", str(path), "--no-browser", f"--port={port}", f"--Voila.ip={host}",
            "--template=corebox", "--strip_sources=True", f"--NotebookApp.views={views}",
            *([f"--token={token}"] if token else [])]


def environment():
    """The environment of that command: ours, with the template and this program on their paths."""
    before = {"JUPYTER_PATH": str(SHARE), "PYTHONPATH": str(Path(__file__).parents[3])}
    return os.environ | {name: os.pathsep.join(filter(None, (value, os.environ.get(name)))) for name, value in before.items()}
