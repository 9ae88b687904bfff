"""Settings: which value wins, and what is refused, in words that name the key and the remedy."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lib import tasks
from lib.common import config

FILE = config.read_file()


def refused(match, **overrides):
    with pytest.raises(config.ConfigError, match=match) as caught:
        tasks.job("corners", "smoke", overrides={key.replace("__", "."): value for key, value in overrides.items()})
    assert len(str(caught.value).splitlines()) <= 3


def test_the_file_has_the_notebooks_parameters():
    assert tuple(FILE) == config.NAMES


def test_the_last_layer_wins():
    settings = {"defaults": {**FILE["settings"]["defaults"]}, "tasks": {"t": {
        "training": {"epochs": 2}, "profiles": {"p": {"training": {"batch_size": 4}}}}},
        "profiles": {"p": {"training": {"epochs": 3, "batch_size": 3}}}}
    job = config.resolve("t", "p", {"training.seed": 9}, settings)
    assert (job.training.epochs, job.training.batch_size, job.training.seed) == (3, 4, 9)


def test_every_task_settles_in_every_profile():
    for task in tasks.names():
        for profile in [*FILE["settings"]["profiles"], *FILE["settings"]["tasks"][task].get("profiles", {})]:
            assert tasks.job(task, profile).params.model.width


@pytest.mark.parametrize("key,value,words", [
    ("training__epoch", 3, "did you mean 'epochs'"),
    ("trainig__epochs", 3, "did you mean 'training'"),
    ("training__epochs", "many", "whole number"),
    ("training__epochs", 1.5, "whole number"),
    ("training__epochs", -1, "at least 1"),
    ("training__epochs", 0, "at least 1"),
    ("training__epochs", True, "whole number"),
    ("training__batch_size", 0, "at least 1"),
    ("training__learning_rate", float("nan"), "finite number"),
    ("training__optimizer", "adm", "one of adam"),
    ("training__loss", "mse", "one of task"),
    ("model__backbone", "VGG18", "did you mean 'VGG1"),
    ("corners__predictor_mode", 7, "one of 8, 9"),
    ("api__port", "http", "whole number"),
    ("api__port", 65536, "from 0 to 65535"),
    ("split__train", 0.9, "sum to 1"),
    ("training", 3, "group of settings"),
    ("tracking__uri", "postgresql://me:secret@host/db", "holds a password"),
])
def test_a_wrong_setting_is_named(key, value, words):
    refused(words, **{key: value})


def test_a_password_in_the_tracker_is_not_repeated():
    with pytest.raises(config.ConfigError) as caught:
        tasks.job("corners", overrides={"tracking.uri": "postgresql://me:secret@host/db"})
    assert "secret" not in str(caught.value)


def test_an_empty_part_is_refused():
    refused("neither may be empty", split={"train": 1.0, "validation": 0.0, "test": 0.0})


def test_unknown_names_are_named():
    with pytest.raises(config.ConfigError, match="did you mean 'corners'"):
        tasks.job("corner")
    with pytest.raises(config.ConfigError, match="did you mean 'smoke'"):
        tasks.job("corners", "smok")


@pytest.mark.parametrize("text,words", [
    ("", "empty or a list"), ("- a\n", "empty or a list"), ("a: [", "not YAML"), ("task: corners\n", "lacks the key"),
    ("tusk: corners\n", "did you mean 'task'"),
])
def test_a_broken_file_is_refused(tmp_path, monkeypatch, text, words):
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.setenv("COREBOX_HOME", str(tmp_path))
    with pytest.raises(config.ConfigError, match=words):
        tasks.job("corners")


def test_a_number_yaml_reads_as_text_stands_for_a_float():
    assert tasks.job("corners", overrides=config.parse_overrides("training.learning_rate=1e-4")).params.training.learning_rate == 1e-4


def test_settings_cannot_be_changed():
    with pytest.raises(TypeError):
        tasks.job("corners").params.training.epochs = 3


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}(\.[a-z]{1,5}){0,2}", fullmatch=True),
                       st.integers() | st.booleans() | st.text("abc", min_size=1), max_size=1))
def test_assignments_are_read_back(overrides):
    words = " ".join(f"{key}={yaml.safe_dump(value).splitlines()[0]}" for key, value in overrides.items())
    assert config.parse_overrides(words) == overrides


def test_dotted_and_nested_overrides_mean_the_same():
    assert config.nest({"a.b": 1, "a": {"c": 2}}) == {"a": {"b": 1, "c": 2}}
    with pytest.raises(config.ConfigError, match="a.b=c"):
        config.parse_overrides("epochs 3")


def test_lists_of_a_value_may_hold_lists():
    assert config.parse_overrides("a=[{key: b, choices: [8, 16]}, [1, 2]] c={d: {e: 1}} f=") == {
        "a": [{"key": "b", "choices": [8, 16]}, [1, 2]], "c": {"d": {"e": 1}}, "f": ""}
    with pytest.raises(config.ConfigError, match=r"'a=\[1,' is not YAML"):
        config.parse_overrides("a=[1,")
