"""Size of the code: rooms, modules, lines, names in the task contract, and classes, modules and functions that are too long.

`python -m benchmarks.structure [CHECKOUT …]` prints a column for each checkout (this one by default), so that two
commits can be set side by side; it reads the sources, and runs nothing of them but `import lib`.
"""

import ast
import statistics
import subprocess
import sys
import time
from pathlib import Path

ALIASES = {"api", "viewer"}     # thin other names beside the rooms


def main(words):
    columns = [figures(Path(word)) for word in words or [Path(__file__).parents[1]]]
    for name in columns[0]:
        print(f"{name:<44}" + "".join(f"{str(column[name]):>44}" for column in columns))


def figures(checkout):
    """The figures of a checkout by their names."""
    lib = checkout / "lib"
    sources = {path: path.read_text() for path in sorted(lib.rglob("*.py"))}
    trees = {path: ast.parse(text) for path, text in sources.items()}
    names = {path.relative_to(lib).parts[0].removesuffix(".py") for path in sources} - {"__init__", "__main__"}
    thin = {name for name in names & ALIASES if sum(len(text.splitlines()) for path, text in sources.items()
                                                    if path.relative_to(lib).parts[0].removesuffix(".py") == name) < 40}
    lengths = {path: len(text.splitlines()) for path, text in sources.items()}
    classes = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    longest = max(((node.end_lineno - node.lineno + 1, node.name, path.relative_to(lib)) for path, tree in trees.items()
                   for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and not ast.get_docstring(node)))
    largest = max(lengths, key=lengths.get)
    return {
        "rooms in lib": len(names - thin),
        "modules": len(sources),
        "lines": sum(lengths.values()),
        "largest module": f"{largest.relative_to(lib)} {lengths[largest]}",
        "modules over 400 lines": sum(length > 400 for length in lengths.values()),
        "names in the contract": _contract(classes),
        "classes of more than 15 methods": sum(len(_methods(node)) > 15 for node in classes),
        "longest function without a docstring": f"{longest[1]} ({longest[2]}) {longest[0]}",
        "import lib and its lightest call, s (median of 5)": _seconds(checkout),
        "lines of tests": sum(len(path.read_text().splitlines()) for path in (checkout / "tests").rglob("*.py")),
    }


def _methods(node):
    return [each for each in node.body if isinstance(each, ast.FunctionDef)]


def _contract(classes):
    """How many public names the class has that every task derives from."""
    base, = [node for node in classes if node.name in ("Job", "Task") and any(
        isinstance(each, ast.FunctionDef) and each.name == "decode" for each in node.body)]
    names = {each.name for each in _methods(base)}
    for each in base.body:
        targets = each.targets if isinstance(each, ast.Assign) else [each.target] if isinstance(each, ast.AnnAssign) else []
        names |= {leaf.id for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)}
    return len({name for name in names if not name.startswith("_")})


def _seconds(checkout, times=5):
    found = []
    for _ in range(times):
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "import lib; from lib import tasks; tasks.names()"], cwd=checkout, check=True)
        found.append(time.monotonic() - began)
    return f"{statistics.median(found):.2f}"


if __name__ == "__main__":
    main(sys.argv[1:])
