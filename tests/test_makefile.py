"""`make` sets up the environment: by uv, which pip brings where it is missing, else by pip; with a Python that fits."""

import os
import shutil
import subprocess

import pytest

from lib.common import config

PYTHON = """#!/bin/sh
echo "python $*" >> "$CALLS"
case "$*" in
    *version_info*) echo {version};;
    "-m venv --clear "*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python";;
    "-m pip install -q uv") {brings};;
esac
"""
UV = """#!/bin/sh
echo "uv $*" >> "$CALLS"
case "$*" in
    "venv "*) {venv};;
esac
"""


@pytest.fixture
def make(tmp_path):
    """Runs `make .venv/ready` with stand-ins for Python and uv; returns the result and what was called."""
    folder, tools, calls = tmp_path / "repository", tmp_path / "tools", tmp_path / "calls"
    folder.mkdir(), tools.mkdir()
    shutil.copy(config.REPOSITORY / "Makefile", folder)
    for name in ("requirements.lock", "pyproject.toml"):
        (folder / name).touch()

    def tool(path, text):
        path.write_text(text)
        path.chmod(0o755)
        return path

    def call(version="3.11", pip_brings_uv=True, uv_makes="mkdir -p .venv/bin"):
        uv = tool(tools / "brought-uv", UV.format(venv=uv_makes))
        brings = f'cp "{uv}" "$(dirname "$0")/uv"' if pip_brings_uv else "exit 1"
        python = tool(tools / "python", PYTHON.format(version=version, brings=brings))
        done = subprocess.run(["make", ".venv/ready", f"PYTHON={python}", "UV="], cwd=folder, capture_output=True, text=True,
                              env={**os.environ, "CALLS": str(calls)})
        return done, calls.read_text().splitlines(), python

    return call


@pytest.mark.parametrize("version", ["3.11", "3.12"])
def test_pip_brings_uv_which_installs_the_lock_for_the_python_that_is_there(make, version):
    done, calls, python = make(version)
    assert done.returncode == 0, done.stderr
    assert calls[2:] == ["python -m pip install -q uv", f"uv venv -q --clear --python {python} .venv",
                         "uv pip install -q --python .venv/bin/python -r requirements.lock",
                         "uv pip install -q --python .venv/bin/python --no-deps -e ."]


def test_without_uv_pip_installs_the_lock(make):
    done, calls, _ = make(pip_brings_uv=False)
    assert done.returncode == 0, done.stderr
    assert calls[-3:] == ["python -m venv --clear .venv", "python -m pip install -q -r requirements.lock",
                          "python -m pip install -q --no-deps -e ."]


def test_with_another_python_uv_fetches_one_that_fits(make):
    done, calls, _ = make("3.13")
    assert done.returncode == 0 and "uv venv -q --clear --python 3.11 .venv" in calls


@pytest.mark.parametrize("brought", [True, False])
def test_where_no_python_fits_one_sentence_says_so(make, brought):
    done, _, python = make("3.9", pip_brings_uv=brought, uv_makes="exit 1")
    assert done.returncode and f"Core Box needs Python 3.11 or 3.12, and {python} is another one" in done.stderr
