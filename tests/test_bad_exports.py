"""An export that must not be used is refused at every door by which one comes in, in one sentence and without waiting."""

import shutil
import signal

import pytest
import toy_export
from test_api import inside, problem
from test_export_check import BAD, pipe

from lib import __main__ as command
from lib import tasks
from lib.common import config
from lib.common.http import server
from lib.serving import api, export_check
from lib.serving.api import __main__ as api_command
from lib.serving.api import lambda_handler
from lib.storage import files

KINDS = ("no golden pictures", "format 0", "a negative format", "a number that is none", "a version without end",
         "export.json a pipe", "a part a pipe", "golden picture a pipe", "flipped bytes")
SECONDS = 30   # after which a door is said to hang


@pytest.fixture
def bad(export, tmp_path):
    """A function: the folder of an export that is spoilt in one of the ways of BAD."""
    def make(name):
        folder = shutil.copytree(export, tmp_path / "bad")
        BAD[name][0](folder)
        return folder

    return make


@pytest.fixture(autouse=True)
def in_time():
    def hangs(*_):
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def called(monkeypatch, capsys):
    """A function: what a command says of a finished run with this export, on standard error, once it has ended with 1."""
    def call(folder, *words):
        job = tasks.job("corners", "smoke")

        class Finished:
            def path(self, name):
                return folder

        monkeypatch.setattr(command, "find_finished", lambda *_: (job, Finished()))
        monkeypatch.setattr(command, "parameters", lambda *_: {"task": "corners", "run": ""})
        assert command.main([*map(str, words)]) == 1
        return capsys.readouterr().err

    return call


def promote(folder, called, tmp_path, **_):
    said = called(folder, "promote", "--to", tmp_path / "served")
    assert not list((tmp_path / "served").rglob("*")), "nothing of it is copied"
    return said


def serve(folder, called, **_):
    return called(folder, "serve", "--port", 1)


def predict(folder, called, tmp_path, **_):
    files.write(tmp_path / "in" / "a.jpg", toy_export.picture())
    said = called(folder, "predict", tmp_path / "in", "--out", tmp_path / "answers.csv")
    assert not (tmp_path / "answers.csv").exists()
    return said


def api_alone(folder, capsys, **_):
    assert api_command.main([str(folder), "--port", "0"]) == 2
    return capsys.readouterr().err


def aws_lambda(folder, monkeypatch, tmp_path, **_):
    monkeypatch.setenv("COREBOX_EXPORT", str(folder))
    monkeypatch.setattr(lambda_handler.server, "check_access", lambda settings: None)
    with pytest.raises(export_check.BadExport) as refused:
        lambda_handler._adapter.__wrapped__()
    return str(refused.value)


def reload(folder, export, tmp_path, **_):
    good, served = api.promote(export, tmp_path / "served"), tmp_path / "served"
    shutil.move(folder, good.parent / "bad")
    files.write_json(served / "corners" / "current", {"export": "bad", "before": good.name})
    answer, = inside(served, tmp_path / "log", ("POST", "/models/reload", None))
    return problem(answer, 409, "export_refused")["detail"]


def rollback(folder, export, tmp_path, **_):
    good, served = api.promote(export, tmp_path / "served"), tmp_path / "served"
    shutil.move(folder, good.parent / "bad")
    files.write_json(served / "corners" / "current", {"export": good.name, "before": "bad"})
    with pytest.raises(export_check.BadExport) as refused:
        api.rollback(served, "corners")
    assert files.read_json(served / "corners" / "current")["export"] == good.name
    return str(refused.value)


@pytest.mark.parametrize("door", [promote, serve, api_alone, reload, rollback, predict, aws_lambda], ids=lambda door: door.__name__)
@pytest.mark.parametrize("name", KINDS)
def test_a_bad_export_is_refused_at_every_door(name, door, bad, export, called, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(server, "run", lambda *_: pytest.fail("it is served"))
    monkeypatch.setenv("COREBOX_HOME", str(tmp_path / "home"))
    said = door(bad(name), export=export, called=called, monkeypatch=monkeypatch, capsys=capsys, tmp_path=tmp_path)
    assert BAD[name][1] in said and len(said.strip().splitlines()) == 1 and len(said) < 500 and "Traceback" not in said


def test_a_pipe_as_the_file_that_names_the_current_export_is_refused(export, tmp_path):
    served = tmp_path / "served"
    api.promote(export, served)
    pipe(served / "corners" / "current")
    with pytest.raises(export_check.BadExport, match="no regular file"):
        api.model_store.exports(served)
    with pytest.raises(export_check.BadExport, match="no regular file"):
        api.serve(served, config.resolve_group("api"))
