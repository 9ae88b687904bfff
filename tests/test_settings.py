"""The 25 wrong settings of the list: each is refused by the command before any work, in three lines at most."""

import json
import os
import socket

import pytest
import toy_export

from lib import __main__ as command
from lib.common import config
from lib.storage import files

SET = "params", "--profile", "smoke", "--set"
LABELS = "labels", "export", "out", "--format", "coco", "--profile", "smoke", "--set"
FILE = "params", "--profile", "smoke"
SERVE = "serve", "--profile", "smoke", "--set"
TOKEN = {"server": "127.0.0.1", "port": 5432, "database": "d", "uid": "u", "pwd": "pl4nted-S3cret"}

CASES = {  # the words of the command, and what the sentence must hold: the key, and the value or what is allowed
    "1 misspelt key": ((*SET, "training.epoch=3"), ["training.epoch", "did you mean 'epochs'"]),
    "2 misspelt section": ((*SET, "trainig.epochs=3"), ["trainig", "did you mean 'training'"]),
    "3 text for a number": ((*SET, "training.epochs=many"), ["training.epochs", "'many'", "whole number"]),
    "4 1e-4 for a float": ((*SET, "training.learning_rate=1e-4"), None),
    "5 float for an integer": ((*SET, "training.epochs=1.5"), ["training.epochs", "1.5", "whole number"]),
    "6 negative epochs": ((*SET, "training.epochs=-1"), ["training.epochs", "-1", "at least 1"]),
    "7 epochs 0": ((*SET, "training.epochs=0"), ["training.epochs", "at least 1"]),
    "8 batch size 0": ((*SET, "training.batch_size=0"), ["training.batch_size", "at least 1"]),
    "9 learning rate NaN": ((*SET, "training.learning_rate=.nan"), ["training.learning_rate", "finite number"]),
    "10 unknown task": (("params", "--task", "corner"), ["'corner'", "did you mean 'corners'"]),
    "11 unknown profile": (("params", "--profile", "smok"), ["'smok'", "did you mean 'smoke'"]),
    "12 unknown backbone": ((*SET, "model.backbone=VGG18"), ["model.backbone", "'VGG18'", "did you mean 'VGG1"]),
    "13 unknown optimizer": ((*SET, "training.optimizer=adm"), ["training.optimizer", "'adm'", "one of adam"]),
    "14 unknown loss": ((*SET, "training.loss=mse"), ["training.loss", "'mse'", "one of task"]),
    "15 predictor mode 7": ((*SET, "corners.predictor_mode=7"), ["corners.predictor_mode", "7", "one of 8, 9"]),
    "16 split that does not sum to 1": ((*SET, "split.train=0.9"), ["split.train", "0.9", "sum to 1"]),
    "17 split with an empty part": ((*SET, "split.train=1.0", "split.validation=0.0", "split.test=0.0"),
                                    ["split.train", "neither may be empty"]),
    "18 port as text": ((*SET, "api.port=http"), ["api.port", "'http'", "whole number"]),
    "19 port in use": ((*SERVE, "api.port=PORT"), ["port PORT", "in use", "choose another api.port"]),
    "20 token file missing": ((*LABELS, "data.token=HOME/none.json"), ["data.token", "none.json is missing"]),
    "21 token file not JSON": ((*LABELS, "data.token=HOME/text.json"), ["data.token", "text.json is not JSON"]),
    "22 token file lacks a key": ((*LABELS, "data.token=HOME/lacks.json"), ["data.token", "lacks the key 'pwd'"]),
    "23 token file readable by others": ((*LABELS, "data.token=HOME/open.json"), ["data.token", "chmod 600"]),
    "24 picture folder missing": ((*LABELS, "data.path_rules=[{from: 'D:', to: /no/such}]"),
                                  ["data.path_rules[0]", "there is no folder /no/such"]),
    "25 params.yaml not YAML": ((*FILE, "a: ["), ["params.yaml is not YAML"]),
    "25 params.yaml a list": ((*FILE, "- a"), ["params.yaml is empty or a list"]),
    "25 params.yaml empty": ((*FILE, ""), ["params.yaml is empty or a list"]),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A COREBOX_HOME with token files of all kinds and a run to be served."""
    folder = tmp_path_factory.mktemp("settings")
    lacks = {key: value for key, value in TOKEN.items() if key != "pwd"}
    for name, text, mode in (("text", "{", 0o600), ("lacks", json.dumps(lacks), 0o600), ("open", json.dumps(TOKEN), 0o644)):
        (folder / f"{name}.json").write_text(text)
        (folder / f"{name}.json").chmod(mode)
    run = folder / "outputs" / "corners" / "smoke" / "toy"
    for path in toy_export.folder(tmp_path_factory).iterdir():
        files.write(run / "export" / path.name, path.read_bytes())
    files.write(run / "params.yaml", "")
    files.write_json(run / "done.json", {})
    return folder


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_setting_ends_before_any_work_in_a_sentence(name, home, monkeypatch, tmp_path, capsys):
    words, said = CASES[name]
    here = home
    if words[:3] == FILE and len(words) == 4:
        *words, text = words
        (tmp_path / "params.yaml").write_text(text)
        here = tmp_path
    monkeypatch.setenv("COREBOX_HOME", str(here))
    before = sorted(here.rglob("*"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = [word.replace("HOME", str(home)).replace("PORT", port) for word in words]
        begun = sum(os.times()[:4])
        status = command.main(words)
        spent = sum(os.times()[:4]) - begun
    out, told = capsys.readouterr()
    if said is None:
        assert status == 0 and "learning_rate: 0.0001" in out
        return
    assert status == 2 and spent < 20 and not out
    assert len(told.strip().splitlines()) <= 3 and "Traceback" not in told and TOKEN["pwd"] not in told
    assert all(part.replace("PORT", port) in told for part in said), told
    assert sorted(here.rglob("*")) == before, "nothing was begun"


def test_there_are_25():
    assert {int(name.split()[0]) for name in CASES} == set(range(1, 26))
    assert config.ConfigError.__name__ in command.EXITS
