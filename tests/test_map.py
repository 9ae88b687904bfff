"""The map in lib/__init__.py holds: a module imports only from rows above its own, and importing does nothing."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lib

ROOT = Path(lib.__file__).parent
ROWS = re.findall(r"^    (\w+) ", lib.__doc__, re.M)
MODULES = sorted({path.stem if path.is_file() else path.name for path in ROOT.iterdir()
                  if path.suffix == ".py" or (path / "__init__.py").is_file()} - {"__init__"})
HEAVY = "tensorflow keras matplotlib pandas mlflow papermill ipywidgets"


def imports(path):
    """Names of the modules of lib that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "lib":
            if node.module == "lib":
                yield from (name.name for name in node.names)
            else:
                yield node.module.split(".")[1]


def test_every_module_is_on_the_map_once():
    assert sorted(ROWS) == sorted(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_upwards_only(module):
    folder = ROOT / module
    above = ROWS[:ROWS.index(module)]
    for path in folder.rglob("*.py") if folder.is_dir() else [ROOT / f"{module}.py"]:
        for name in imports(path):
            assert name == module or name in above, f"{path.name} imports {name}, which the map has below {module}"


def test_the_api_knows_only_what_it_may():
    may = {"api", "files", "config", "images", "geometry", "tasks", "predict"}
    assert {name for path in (ROOT / "api").rglob("*.py") for name in imports(path)} <= may


def test_importing_is_light_and_leaves_nothing_behind(tmp_path):
    code = "import sys, lib\n" + "".join(f"import lib.{module}\n" for module in MODULES if module != "layers")
    code += f"print([name for name in {HEAVY.split()} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
                          env={"COREBOX_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert done.stdout.strip() == "[]", done.stderr
    assert not list(tmp_path.iterdir())


def test_the_api_runs_without_what_only_training_needs():
    code = "import sys\n" + "".join(f"sys.modules[{name!r}] = None\n" for name in [*HEAVY.split(), "psycopg2"])
    code += "import lib.api, lib.predict\nfrom lib import tasks\n[tasks.find(name) for name in tasks.names()]"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_shared_code_never_asks_which_task_it_is():
    from lib import tasks

    for path in ROOT.rglob("*.py"):
        if path.parent.name in ("tasks", "synth") or path.stem == "pretrain":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                values = [leaf.value for leaf in ast.walk(node) if isinstance(leaf, ast.Constant)]
                assert not set(values) & set(tasks.names()), f"{path.name}:{node.lineno} asks which task it is"
