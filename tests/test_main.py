"""The command line: what it starts ends with it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from lib.common import config

MLFLOW = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open("pids.part", "w").write(f"{os.getpid()} {child.pid}")
os.rename("pids.part", "pids")
time.sleep(60)
"""


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:   # Z: ended, and not yet waited for
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_the_tracker_ends_with_all_that_it_started(tmp_path):
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "__init__.py").touch()
    (tmp_path / "mlflow" / "__main__.py").write_text(MLFLOW)
    process = subprocess.Popen([sys.executable, "-m", "lib", "tracker"], cwd=tmp_path, stderr=subprocess.DEVNULL,
                               env={**os.environ, "PYTHONPATH": str(tmp_path), "COREBOX_HOME": str(tmp_path)})
    until = time.monotonic() + 60
    while not (tmp_path / "pids").is_file() and time.monotonic() < until:
        time.sleep(0.1)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143
    until = time.monotonic() + 10
    while not all(map(gone, pids)) and time.monotonic() < until:
        time.sleep(0.1)
    assert all(map(gone, pids))


@pytest.mark.parametrize("profile", ["smoke", "demo", "full"])
def test_the_api_listens_where_the_readme_says_in_every_profile(profile):
    assert config.resolve("corners", profile).api.port == 8000
