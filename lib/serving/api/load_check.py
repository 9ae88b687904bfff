"""The load check: an export is loaded in a process of its own, so that one that hangs or crashes takes nothing down."""

import subprocess
import sys

from lib.common.http import server
from lib.serving import export_check, prediction

# At a lower priority from the first import on: importing costs as much as the check itself.
PROGRAM = "import os, sys; os.nice(10); from lib.serving.api import load_check; sys.exit(load_check.main(*sys.argv[1:]))"


def run(folder, task, seconds):
    """Return when the export has been loaded and has passed its golden pictures elsewhere; BadExport says why not."""
    try:
        done = subprocess.run([sys.executable, "-c", PROGRAM, str(folder), task], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=seconds, env=server.environment())
    except subprocess.TimeoutExpired as error:
        raise export_check.BadExport(f"{folder.name} was not loaded within {seconds:g} seconds; export it again") from error
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip()[:500]
        trace = RuntimeError(done.stderr.decode(errors="replace")[-4000:])  # for the log alone
        raise export_check.BadExport(said or f"{folder.name} ended its process with status {done.returncode} when it was "
                                        "loaded; export it again") from trace


def main(folder, task):
    """Load an export; what is wrong with it is one line on standard output and exit status 2."""
    try:
        prediction.load(folder, task)
    except export_check.BadExport as error:
        print(error)
        return 2
