"""The contract of tasks: few names, optional parts asked for by type, and a docstring whose task works."""

import ast
import re
import sys
import textwrap
import types
from pathlib import Path

import pytest
import toy
import yaml

import lib
from lib import tasks
from lib.common import config
from lib.tasks import contract
from lib.tasks.contract import Auditable, Located, Pretrained, Reported, Reviewable, Served, Task

ROOT = Path(lib.__file__).parent
SHARED = [path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] != "tasks"]
OPTIONAL = [kind for kind in vars(contract).values() if isinstance(kind, type) and issubclass(kind, contract.OptionalPart)
            and kind is not contract.OptionalPart]


def names(kind):
    """The public names that a class itself defines."""
    return {name for name in vars(kind) if not name.startswith("_")}


def used(paths):
    """All names of attributes in these files."""
    return {node.attr for path in paths for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}


def test_a_task_has_at_most_twenty_names():
    assert len(names(Task)) <= 20


def test_every_name_of_the_contract_is_asked_for_by_shared_code_or_by_the_contract_itself():
    asked = used([*SHARED, ROOT / "tasks" / "__init__.py", *(ROOT / "tasks" / "contract").glob("*.py")])
    assert names(Task) - asked == set()


@pytest.mark.parametrize("kind", OPTIONAL, ids=lambda kind: kind.__name__)
def test_every_name_of_an_optional_part_is_used_by_shared_code(kind):
    assert names(kind) - used(SHARED) - used([ROOT / "tasks" / "contract" / "optional.py"]) == set()


def test_optional_parts_share_no_name_with_a_task_or_with_each_other():
    every = [name for kind in (Task, contract.Job, *OPTIONAL) for name in names(kind)]
    assert len(every) == len(set(every))


def test_a_task_that_inherits_no_part_is_asked_through_its_defaults():
    job = toy.job()
    assert Served.of(job).query == {} and Served.of(job).overlay_polygons({}) == []
    assert Reviewable.of(job).choices == {"label": ["red", "green", "blue"]}
    assert Reviewable.of(job).label({"label": "red"}) == {"label": "red"}
    assert Located.of(job).point_columns == [] and Located.of(job).frame((64, 48)).size == (16, 12)
    assert Reported.of(job).errors({"label": "red"}, {"label": "blue"}) == [1.0]
    assert not isinstance(job, Pretrained)


def test_a_task_that_inherits_a_part_is_that_part():
    job = tasks.job("corners")
    for kind in (Served, Reviewable, Auditable, Located, Reported, Pretrained):
        assert kind.of(job) is job and job.task is job


def test_only_the_contract_has_a_class_of_more_than_fifteen_methods():
    large = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                count = sum(isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) for each in node.body)
                if count > 15:
                    large.add(f"{path.relative_to(ROOT)}: {node.name}")
    assert not large


# --- the task of the docstring


def documented():
    """The source and the settings of the sixth task in the contract's docstring."""
    blocks = [textwrap.dedent(block) for block in re.findall(r"(?m)(?:^        .*\n|^[ ]*\n)+", Task.__doc__)]
    source = next(block for block in blocks if "class Fill" in block)
    settings = next(block for block in blocks if block.strip().startswith("fill:"))
    return source, yaml.safe_load(settings)


@pytest.fixture
def fill(monkeypatch):
    """The documented task beside the others, as if its file and its settings were there."""
    source, settings = documented()
    module = types.ModuleType("lib.tasks.fill")
    exec(source, module.__dict__)  # the text is ours: the docstring of the contract
    file = config.read_file()
    file["settings"]["tasks"] |= settings
    monkeypatch.setitem(sys.modules, "lib.tasks.fill", module)
    monkeypatch.setattr(tasks, "names", lambda: ["fill"])
    monkeypatch.setattr(config, "read_file", lambda *_: file)
    return "fill"


def contract_tests():
    """The tests of test_tasks that run for every task."""
    import test_tasks

    return [test for name, test in vars(test_tasks).items() if name.startswith("test_")
            and any(mark.name == "parametrize" for mark in getattr(test, "pytestmark", []))]


@pytest.mark.parametrize("test", contract_tests(), ids=lambda test: test.__name__)
def test_the_task_in_the_docstring_passes(test, fill, tmp_path, monkeypatch):
    import test_tasks

    monkeypatch.setattr(test_tasks, "read_file", config.read_file)
    given = {"name": fill, "tmp_path": tmp_path, "monkeypatch": monkeypatch}
    test(**{name: given[name] for name in test.__code__.co_varnames[:test.__code__.co_argcount]})
