"""Names in settings stay what was written, or are refused."""

import datetime

import pytest

from lib import __main__ as command
from lib import tasks
from lib.common import config, setting_texts

WRITTEN = ["014", "12", "1_2", "NO", "yes", "2026-11-27", "12.50", "1:30", "0x1A", "1e3", "true", "H 1"]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_name_is_what_was_written_in_the_file_and_in_set(home, tmp_path, text):
    path = tmp_path / "params.yaml"
    lines = config.REPOSITORY.joinpath("params.yaml").read_text()
    lines = lines.replace("test_groups: []", f"test_groups: [{text}, '{text}']").replace('run: ""', f"run: {text}")
    lines = lines.replace("overrides: {}", f"overrides: {{split.validation_groups: [{text}], data: {{version: {text}}}}}")
    path.write_text(lines)
    values = config.read_file(path)
    job = tasks.job(values["task"], "smoke", values["run"], values["overrides"], values["settings"])
    assert job.run == text and job.params.data.version == text
    assert job.params.split.test_groups == [text, text] and job.params.split.validation_groups == [text]
    given = config.parse_overrides(f"split.test_groups=[{text.replace(' ', '')}] verify.names=['{text}'] hub.name={text.split()[0]}")
    assert given == {"split.test_groups": [text.replace(" ", "")], "verify.names": [text], "hub.name": text.split()[0]}


def test_what_is_no_name_is_read_as_yaml_says():
    assert config.parse_overrides("training.epochs=014 training.augment=NO verify.range=[1, 2] data.filters.aspect=1.5") == \
        {"training.epochs": 12, "training.augment": False, "verify.range": [1, 2], "data.filters.aspect": 1.5}


def test_columns_and_path_rules_are_names():
    assert config.parse_overrides("data.columns={image: NO} data.path_rules=[{from: 014, to: 2026}]") == \
        {"data.columns": {"image": "NO"}, "data.path_rules": [{"from": "014", "to": "2026"}]}


@pytest.mark.parametrize("value", [12, 12.0, False, datetime.date(2026, 11, 27)])
@pytest.mark.parametrize("key", ["split.test_groups", "split.validation_groups", "verify.names"])
def test_what_a_notebook_was_given_as_a_number_is_refused(key, value):
    """papermill -p and -y read YAML before we do: the text that was written is lost."""
    with pytest.raises(config.ConfigError, match=rf"{key} holds .*; write it in quotes"):
        tasks.job("corners", overrides={key: ["A", value]})


@pytest.mark.parametrize("overrides, words", [
    ({"data.version": 3}, "data.version is 3; it must be text, in quotes"), ({"split": {"by": False}}, "it must be text, in quotes"),
    ({"data.columns.group": 7}, "it must be text, in quotes")])
def test_a_text_that_was_given_as_a_number_is_refused(overrides, words):
    with pytest.raises(config.ConfigError) as caught:
        tasks.job("corners", overrides=overrides)
    assert words in str(caught.value)


def test_wrong_kinds_in_the_settings_themselves_are_refused_too():
    settings = config.read_file()["settings"]
    own = settings["tasks"]["corners"]
    for change in ({"split": {"by": False}}, {"data": own["data"] | {"columns": own["data"]["columns"] | {"group": 7}}}):
        changed = settings | {"tasks": settings["tasks"] | {"corners": own | change}}
        with pytest.raises(config.ConfigError, match="write it in quotes"):
            tasks.job("corners", settings=changed)


@pytest.mark.parametrize("name, value", [("run", 20261127), ("run", 14), ("run", None), ("task", 3), ("profile", True)])
def test_a_parameter_of_a_notebook_that_is_no_text_names_the_way_out(name, value):
    """`papermill -p run 014` brings 14, and nobody can tell what was written."""
    with pytest.raises(config.ConfigError, match=rf"{name} is {value!r}, .*papermill -r {name} TEXT, or in quotes"):
        tasks.job(**{"task": "corners", name: value})


def test_the_command_line_keeps_the_names(home, capsys):
    assert command.main(["params", "--task", "corners", "--profile", "smoke", "--set", "split.test_groups=[014, 1_2]"]) == 0
    shown = capsys.readouterr().out
    assert "- '014'\n" in shown and "1_2" in shown and "12\n" not in shown.split("test_groups")[1].split("model")[0]


def test_every_list_of_names_is_a_setting():
    settings = config.read_file()["settings"]
    known = {key for layer in (settings["defaults"], *settings["tasks"].values()) for key, _ in setting_texts._leaves(layer)}
    assert set(setting_texts.LISTS) <= known
