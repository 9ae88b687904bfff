"""Checks of the API and the hub with real clients and schemathesis, in an environment of their own.

Their packages cannot be locked together with ours: `.venv-clients` is created where it is missing (COREBOX_CLIENTS names
another Python).
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import attacks
from lib.common import config

PACKAGES = ("tritonclient[http]==2.73.0", "kserve==0.21.0", "schemathesis==4.32.5")
UNSUPPORTED = {"statistics", "load"}   # calls that docs/deploy.md says are not taken


def python():
    """The Python of the clients' environment."""
    if given := os.environ.get("COREBOX_CLIENTS"):
        return Path(given)
    folder = config.REPOSITORY / ".venv-clients"
    found = folder / "bin" / "python"
    if not found.is_file():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [shutil.which("uv"), "pip", "install", "--python", found] if shutil.which("uv") else [found, "-m", "pip", "install"]
        subprocess.run([*install, "-q", *PACKAGES], check=True)
    return found


def real(url):
    """How many calls tritonclient and kserve made, and those that were not answered as they must be."""
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(attacks.jpeg((320, 240)))
        file.flush()
        done = subprocess.run([python(), "benchmarks/clients.py", url.removeprefix("http://"), file.name],
                              cwd=config.REPOSITORY, capture_output=True, text=True, check=True)
    found = {f"{client}: {call}": said for client, calls in json.loads(done.stdout.strip().splitlines()[-1]).items()
             for call, said in calls.items()}
    wrong = [f"{call}: {said}" for call, said in found.items()
             if (isinstance(said, str) and "Error" in said or "Exception" in str(said) or said is False)
             != (call.partition(": ")[2] in UNSUPPORTED)]
    return len(found), wrong


def schemathesis(url, seconds, token=""):
    """How many cases were asked of a server, how many failed a check, and the tool's last line."""
    words = ["--checks", "all", "--max-examples", "300", "--max-time", str(seconds), "--continue-on-failure", "--no-color",
             "--generation-database", "none", "--seed", str(time.time_ns() % 2**31)]
    done = subprocess.run([python().with_name("schemathesis"), "run", f"{url}/openapi.json", *words,
                           *(["--header", f"Authorization: Bearer {token}"] if token else [])],
                          capture_output=True, text=True, cwd=config.REPOSITORY)
    found = re.search(r"(\d+) generated(?:, (\d+) found)?", done.stdout)
    if not found:
        raise RuntimeError(f"schemathesis ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    if found[2]:
        print(done.stdout[-6000:])
    return int(found[1]), int(found[2] or 0), done.stdout.strip().splitlines()[-1].strip("= ")[:200]
