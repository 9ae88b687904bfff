"""The command line: what it starts ends with it."""

import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from lib.common import config

CLIENT = """
class MlflowClient:
    def __init__(self, address):
        pass

    def get_experiment_by_name(self, name):
        return None
"""
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
    (tmp_path / "mlflow" / "__init__.py").write_text(CLIENT)
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


def test_the_page_that_the_tracker_names_shows_the_runs(browser, tmp_path, monkeypatch):
    from lib import tasks
    from lib.common.http.server import free_port
    from lib.storage import runs

    monkeypatch.setenv("COREBOX_HOME", str(tmp_path))
    record = runs.start(tasks.job("corners", "demo", run="first"), "mark")[0]
    record.write("done", {"seconds": 1})
    record.write("export/export", {})
    runs.track(record, {"mean corner error": 2.0})
    process = subprocess.Popen([sys.executable, "-m", "lib", "tracker"], cwd=config.REPOSITORY, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, env={**os.environ, "MLFLOW_PORT": str(free_port("127.0.0.1"))})
    try:
        address = process.stdout.readline().split()[-1]
        until = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(address.partition("#")[0] + "health", timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < until and process.poll() is None
                time.sleep(0.2)
        page = browser.new_page()
        page.goto(address)
        page.get_by_role("link", name="first", exact=True).wait_for(timeout=60_000)
        assert page.title().startswith("Runs") and "Model registry" in page.inner_text("body")
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("profile", ["smoke", "demo", "full"])
def test_the_api_listens_where_the_readme_says_in_every_profile(profile):
    assert config.resolve("corners", profile).api.port == 8000
