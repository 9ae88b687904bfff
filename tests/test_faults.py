"""The 22 faults of the list, each by its number: where it is held, and here those that no module's own tests hold.

`make reliability PART=faults` kills a hundred times what is killed a few times here.
"""

import ast
import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest
import toy
import toy_export
from conftest import picture
from test_api import picture as photograph
from test_api import settings
from test_fitting import weights

from lib.common import config
from lib.data import dataset
from lib.serving import api
from lib.storage import files
from lib.training import fitting

TESTS = Path(__file__).parent
HELD = {  # a fault: what it is, and the tests that hold it
    "F1": ("kill -9 in notebook 01", ["test_faults.test_f1_", "test_ingest.test_kill_9_at_any_time"]),
    "F2": ("kill -9 at every call that writes", ["test_faults.test_f2_", "test_files.test_killed_at_any_step",
                                                 "test_ingest.test_every_write_of_a_run_may_be_its_last"]),
    "F3": ("kill -9 in training", ["test_faults.test_f3_", "test_fitting.test_a_killed_training_ends_as"]),
    "F4": ("kill -9 in publishing", ["test_faults.test_f4_"]),
    "F5": ("SIGTERM in a batch", ["test_faults.test_f5_"]),
    "F6": ("disk full", ["test_faults.test_f6_", "test_ingest.test_a_full_disk_loses_nothing",
                         "test_api.test_a_full_log_disk_stops_no_answer"]),
    "F7": ("folders that are gone or may not be written", ["test_faults.test_f7_"]),
    "F8": ("slow disk, short reads, EIO", ["test_transfer.test_a_share_that_drops", "test_transfer.test_a_share_that_is_gone"]),
    "F9": ("no database at the start", ["test_postgres.test_a_server_that_is_not_there"]),
    "F10": ("backend terminated", ["test_tables.test_a_backend_that_is_terminated"]),
    "F11": ("server killed while it is read", ["test_tables.test_a_server_that_stops_at_once",
                                               "test_postgres.test_the_embedded_server_comes_back"]),
    "F12": ("black hole, slow line, reset", ["test_postgres.test_a_black_hole", "test_tables.test_a_slow_line",
                                             "test_postgres.test_a_server_that_is_stopped_in_a_query"]),
    "F13": ("rows that change while read", ["test_tables.test_rows_that_change_while_they_are_read"]),
    "F14": ("two runs at once", ["test_faults.test_f14_", "test_ingest.test_a_second_run_at_once",
                                 "test_files.test_the_lock_of_a_dead_process"]),
    "F15": ("out of memory", ["test_faults.test_f15_", "test_api_processes.test_a_picture_for_which_there_is_no_memory"]),
    "F16": ("model damaged while it serves", ["test_api_models.test_none_of_20_damaged_exports"]),
    "F17": ("hot swaps under load", ["test_api_models.test_swaps_under_load", "test_api_processes.test_every_answer"]),
    "F18": ("flood of requests", ["test_api.test_a_full_server"]),
    "F19": ("stalled clients", ["test_faults.test_f19_", "test_api_http.test_a_request_has_its_one_outcome"]),
    "F20": ("SIGTERM and SIGKILL under load", ["test_api.test_what_was_asked_before_sigterm",
                                               "test_api_processes.test_no_process_is_left"]),
    "F21": ("clock that jumps", ["test_faults.test_f21_", "test_runs.test_a_run_has_its_own_name"]),
    "F22": ("kernel that dies, or does not end", ["test_faults.test_f22_"]),
}


@pytest.mark.parametrize("number", HELD)
def test_every_fault_is_held(number):
    assert list(HELD) == [f"F{n}" for n in range(1, 23)]
    for name in HELD[number][1]:
        module, start = name.split(".")
        names = [node.name for node in ast.walk(ast.parse((TESTS / f"{module}.py").read_text()))
                 if isinstance(node, ast.FunctionDef)]
        # Here a test may hold several: test_f2_f3_…
        assert any(one.startswith(start) or module == "test_faults" and start.removeprefix("test") in one
                   for one in names), name


# --- notebook 01 (F1, F2, F14)


@pytest.fixture(scope="module")
def gathering(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    for path in (folder, *folder.parents):  # the embedded PostgreSQL runs as another user
        if path != path.parent and path.stat().st_uid == os.getuid():
            path.chmod(path.stat().st_mode | 0o055)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COREBOX_HOME", str(folder))
        code = ("import json, sys; from pathlib import Path; from benchmarks import faults;"
                "one = faults.Gathering(Path(sys.argv[1])); every = int(sys.argv[3]);"
                "print(json.dumps(faults.at_random('F1', one.work, one.fresh, one.check, int(sys.argv[2]))));"
                "print(json.dumps(faults.each_step('F2', one.work, one.fresh, one.check, 20 // every, every)));"
                "print(json.dumps(faults.both_at_once(one, 2)))")
        # A process of its own: what forks must hold no thread of the other tests.
        done = subprocess.run([sys.executable, "-c", code, folder, "3", "21"], capture_output=True, text=True,
                              cwd=config.REPOSITORY)
        yield done
        stop(folder)


def stop(home):
    """Stop the embedded PostgreSQL of a folder."""
    for pid in home.glob("data/postgres*/postmaster.pid"):
        os.kill(int(pid.read_text().splitlines()[0]), signal.SIGINT)


def test_f1_f2_f14_notebook_01_killed_at_any_time_and_step_ends_as_if_it_had_not_been(gathering):
    assert gathering.returncode == 0, gathering.stderr[-2000:]
    lines = [json.loads(line) for line in gathering.stdout.splitlines()]
    assert [(line["fault"], line["lost"]) for line in lines] == [("F1", 0), ("F2", 0), ("F14", 0)]
    assert lines[1]["hit"] >= 2


# --- notebook 02 (F2, F3, F6, F15)


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    monkeypatch.setenv("COREBOX_HOME", str(tmp_path))
    toy.known(monkeypatch)
    job = toy.job()
    return dataset.prepare(job, toy.gathered(job), progress=False)


def test_f2_f3_f6_training_stopped_at_any_write_by_a_full_disk_goes_on_to_the_same_weights(prepared, monkeypatch):
    """Each fsync in turn finds the disk full: what was there stays, and the same command ends as an undisturbed one."""
    whole = weights(fitting.fit(toy.job("whole", training={"epochs": 2}), prepared, progress=False))
    real, at, seen = os.fsync, 0, 0
    while True:
        at, left = at + 4, [at + 4]

        def full(handle, left=left):
            left[0] -= 1
            if left[0] == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(handle)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            try:
                fitting.fit(toy.job(f"cut{at}", training={"epochs": 2}), prepared, progress=False)
            except files.DiskFull as error:
                assert "MB free" in str(error) and "\n" not in str(error)
                seen += 1
            else:
                break
        resumed = fitting.fit(toy.job(f"cut{at}", training={"epochs": 2}), prepared, progress=False)
        assert resumed.done
        for a, b in zip(whole, weights(resumed), strict=True):
            np.testing.assert_array_equal(a, b)
    assert seen >= 3


def test_f15_training_without_enough_memory_names_the_setting(prepared, monkeypatch):
    import keras
    import tensorflow as tf

    for error in (MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")):
        def fit(*words, error=error, **others):
            raise error

        monkeypatch.setattr(keras.Model, "fit", fit)
        with pytest.raises(ValueError, match="does not fit in memory with training.batch_size 4; reduce"):
            fitting.fit(toy.job("large"), prepared, progress=False)


# --- publishing (F4)


def test_f4_an_export_promoted_by_a_process_that_is_killed_is_whole_or_not_there(tmp_path, tmp_path_factory):
    code = ("import json, sys; from benchmarks import faults; one = faults.Publishing(*sys.argv[1:]);"
            "print(json.dumps([faults.each_step('F4', one.work, one.restore, one.check, 6),"
            "                  faults.at_random('F4', one.work, one.restore, one.check, 6)]))")
    done = subprocess.run([sys.executable, "-c", code, toy_export.folder(tmp_path_factory), tmp_path],
                          capture_output=True, text=True, cwd=config.REPOSITORY)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line["lost"] for line in json.loads(done.stdout)] == [0, 0]


# --- commands (F5, F7, F22)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A COREBOX_HOME with a finished run of the toy export."""
    folder = tmp_path_factory.mktemp("home")
    run = folder / "outputs" / "corners" / "smoke" / "toy"
    for path in toy_export.folder(tmp_path_factory).iterdir():
        files.write(run / "export" / path.name, path.read_bytes())
    files.write(run / "params.yaml", "")
    files.write_json(run / "done.json", {})
    for number in range(400):
        picture(folder / "new" / f"{number:03}.jpg", number)
    return folder


def command(home, *words, **others):
    return subprocess.Popen([sys.executable, "-m", "lib", *words], cwd=home, text=True, stderr=subprocess.PIPE,
                            stdout=subprocess.PIPE, env={**os.environ, "COREBOX_HOME": str(home)}, **others)


def predicted(home, out):
    return command(home, "predict", "new", "--profile", "smoke", "--out", out)


def test_f5_a_batch_that_is_told_to_end_does_so_and_goes_on_to_the_same_bytes(home):
    assert predicted(home, "whole.csv").wait(120) == 0
    process = predicted(home, "cut.csv")
    begun = time.monotonic()
    while not (home / "cut.csv").is_file() or (home / "cut.csv").stat().st_size < 2000:
        assert process.poll() is None and time.monotonic() - begun < 60
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    told = time.monotonic()
    _, said = process.communicate(timeout=20)
    assert process.returncode == 143 and time.monotonic() - told < 10
    assert said.strip().splitlines()[-1] == "stopped; the same command goes on where this one ended"
    assert 0 < (home / "cut.csv").stat().st_size < (home / "whole.csv").stat().st_size
    assert predicted(home, "cut.csv").wait(120) == 0
    assert (home / "cut.csv").read_bytes() == (home / "whole.csv").read_bytes()


@pytest.mark.parametrize("name", ["data", "outputs"])
def test_f7_a_folder_that_cannot_be_written_is_told_before_a_kernel_starts(tmp_path, monkeypatch, name):
    (tmp_path / name).write_text("no folder")
    kernel = tmp_path / "kernel"  # a folder that every kernel that starts makes
    monkeypatch.setenv("IPYTHONDIR", str(kernel))
    process = command(tmp_path, "run", "01", "--profile", "smoke")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1 and len(said.splitlines()) == 1 and not kernel.exists()
    assert f"{tmp_path / name}" in said and "cannot be written" in said


NOTEBOOK = "from lib import tasks\nimport os, time\nprint('begun')\n"


@pytest.mark.parametrize("code, status, words", [
    (NOTEBOOK + "os.kill(os.getpid(), 9)", 138, "kernel died"),
    (NOTEBOOK + "time.sleep(600)", 124, "did not end within 3 seconds"),
    (NOTEBOOK + "raise ValueError('a sentence')", 1, "cell 2: a sentence"),
    (NOTEBOOK + "print('flood ' * 1_000_000)\nraise ValueError('a sentence')", 1, "cell 2: a sentence")])
def test_f22_a_kernel_that_dies_or_does_not_end_is_told_and_what_ran_is_kept(tmp_path, code, status, words):
    """The command itself, on a notebook of one cell."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (tmp_path / "books").mkdir()
    nbformat.write(book, tmp_path / "books" / "01_data_preparation.ipynb")
    program = ("import sys; from pathlib import Path; from lib import __main__ as main;"
               "main.BOOKS = Path(sys.argv[1]); sys.exit(main.main(sys.argv[2:]))")
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "books", "run", "01", "--profile", "smoke",
                           "--cell-timeout", "3"], capture_output=True, text=True, timeout=120, cwd=config.REPOSITORY,
                          env={**os.environ, "COREBOX_HOME": str(tmp_path), "JUPYTER_PLATFORM_DIRS": "1"})
    said = [line for line in done.stderr.splitlines() if line.startswith(("error:", "the notebook"))]
    assert done.returncode == status and words in said[0]
    assert "Traceback" not in done.stderr or status == 124, "a kernel that is interrupted tells its own"
    kept, = (tmp_path / "outputs").rglob("failed/*.ipynb")
    assert str(kept) in said[1] and 1000 < kept.stat().st_size < 2 * 2**20
    nbformat.validate(nbformat.read(kept, 4))


# --- the API (F19), the clock (F21)


def test_f19_stalled_clients_keep_nobody_from_being_answered(tmp_path_factory):
    content = photograph()
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % len(content)
    with api.start(toy_export.folder(tmp_path_factory), settings(read_timeout=2.0)) as server, \
            contextlib.ExitStack() as held:
        host, port = server.url.removeprefix("http://").split(":")
        lines = [held.enter_context(socket.create_connection((host, int(port)))) for _ in range(120)]
        for at, line in enumerate(lines):
            line.sendall((head, head + b"\r\n" + content[:50], head + b"\r\n" + content)[at % 3])
        for _ in range(10):
            answer = server.ask(content)
            assert "p1x" in answer or answer["code"] == "busy"
        deadline = time.monotonic() + 12
        for line in lines[1::3]:
            line.settimeout(max(0.1, deadline - time.monotonic()))
            assert line.recv(65536)[:12] in (b"HTTP/1.1 408", b"HTTP/1.1 429")
        assert server.ask(content)["p1x"]


def test_f21_no_deadline_hangs_on_a_clock_that_can_be_set():
    """Deadlines are time.monotonic's; time.time is nowhere but where a date on the wire is compared with it."""
    found = {path.name for path in (config.REPOSITORY / "lib").rglob("*.py") if "time.time()" in path.read_text()}
    assert found <= {"downloads.py"}
