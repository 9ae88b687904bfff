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
ALIASES = {"api", "viewer"}   # other names, for commands that people type
ROOMS = sorted({path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
               - {"__init__"} - ALIASES)
HEAVY = "tensorflow keras matplotlib pandas mlflow papermill ipywidgets"
KERAS = {"layers", "losses", "schedules", "registered"}   # modules of Keras classes, and the one that imports them all


def dotted(path):
    """The name of a module, from its file."""
    return ".".join(("lib", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


MODULES = {dotted(path): path for path in sorted(ROOT.rglob("*.py")) if path.relative_to(ROOT).parts[0].removesuffix(".py")
           not in ALIASES | {"__init__"}}


def imports(path, top=False):
    """Names of the modules of lib that a file imports; with `top`, those imported when it is imported."""
    tree = ast.parse(path.read_text())
    for node in tree.body if top else ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "lib":
            for name in node.names:
                full = f"{node.module}.{name.name}"
                yield full if full in MODULES else node.module


def test_every_room_is_on_the_map_once():
    assert sorted(ROWS) == ROOMS


def test_there_are_at_most_thirteen_rooms():
    assert len(set(ROOMS) - {"__main__"}) <= 13


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_upwards_only(room):
    above = ROWS[:ROWS.index(room)]
    for module, path in MODULES.items():
        if module.split(".")[1] == room:
            for name in imports(path):
                found = name.split(".")[1] if "." in name else ""
                assert found == room or found in above, f"{module} imports {name}, which the map has below {room}"


def test_no_imports_run_in_a_circle():
    wanted = {module: {name for name in imports(path, top=True) if name != module} for module, path in MODULES.items()}
    while leaves := [module for module, names in wanted.items() if not names & set(wanted)]:
        for module in leaves:
            del wanted[module]
    assert not wanted, f"imports in a circle, or that lead to one: {wanted}"


def test_the_api_knows_only_what_it_may():
    may = {"common", "imaging", "tasks", "serving"}
    found = {name for module, path in MODULES.items() if module.startswith("lib.serving.api") for name in imports(path)}
    assert {name for name in found if name.split(".")[1] not in may} <= {"lib.storage.files"}


def test_importing_is_light_and_leaves_nothing_behind(tmp_path):
    code = "import sys, lib\n" + "".join(f"import {module}\n" for module in MODULES if module.rpartition(".")[2] not in KERAS)
    code += f"print([name for name in {HEAVY.split()} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
                          env={"COREBOX_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert done.stdout.strip() == "[]", done.stderr
    assert not list(tmp_path.iterdir())


def test_the_api_runs_without_what_only_training_needs():
    code = "import sys\n" + "".join(f"sys.modules[{name!r}] = None\n" for name in [*HEAVY.split(), "psycopg2"])
    code += "import lib.serving.api, lib.serving.prediction\nfrom lib import tasks\n[tasks.find(name) for name in tasks.names()]"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_shared_code_never_asks_which_task_it_is():
    from lib import tasks

    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0] in ("tasks", "synthetic"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                values = [leaf.value for leaf in ast.walk(node) if isinstance(leaf, ast.Constant)]
                assert not set(values) & set(tasks.names()), f"{path.name}:{node.lineno} asks which task it is"


def test_no_package_imports_a_name_that_one_of_its_modules_has():
    """The import of the module would later put itself in the place of what was imported under its name."""
    for module, path in MODULES.items():
        if path.name == "__init__.py":
            own = {name.removeprefix(f"{module}.") for name in MODULES if name.rpartition(".")[0] == module}
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith(module):
                    taken = {name.asname or name.name for name in node.names} & own
                    assert not taken, f"{module} imports {taken} from {node.module}, and has modules of that name"


def bound(tree):
    """Names that a module binds at its top, in any branch, and those that it imports there."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {name.asname or name.name.partition(".")[0] for name in node.names}
    return found


def shadowed(tree):
    """Names that are also parameters or variables somewhere in a file, so that they need not mean the module."""
    return ({node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
            | {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)})


def test_what_benchmarks_and_modules_use_of_another_module_is_there():
    """Commands that no short test runs are not left behind by a rename."""
    names = {module: bound(ast.parse(path.read_text())) for module, path in MODULES.items()}
    missing = []
    for path in [*MODULES.values(), *sorted((ROOT.parent / "benchmarks").glob("*.py"))]:
        tree = ast.parse(path.read_text())
        modules = {(name.asname or name.name): f"{node.module}.{name.name}" for node in ast.walk(tree)
                   if isinstance(node, ast.ImportFrom) for name in node.names if f"{node.module}.{name.name}" in MODULES}
        meant = modules.keys() - shadowed(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in meant:
                module = modules[node.value.id]
                if node.attr not in names[module] and f"{module}.{node.attr}" not in MODULES and not node.attr.startswith("__"):
                    missing.append(f"{path.name}:{node.lineno} {module}.{node.attr}")
    assert not missing
