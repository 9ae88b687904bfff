"""What README.md and the environment files say is true."""

import re

import pytest
import yaml

import lib
from lib import tasks
from lib.common import config

ROOT = config.REPOSITORY
README = (ROOT / "README.md").read_text()
PAGES = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}
LOCK = (ROOT / "requirements.lock").read_text()


@pytest.mark.parametrize("name", tasks.names())
def test_every_task_is_in_the_readme_with_its_question(name):
    assert f"| `{name}` | {tasks.find(name).question} |" in README


@pytest.mark.parametrize("name", re.findall(r"^    (\w+) ", lib.__doc__, re.M))
def test_every_room_is_in_the_readme(name):
    assert re.search(rf"^  {name}/ +\w", README, re.M) or name == "__main__"


def test_every_file_the_pages_link_is_there():
    for folder, text in [(ROOT, README), *((ROOT / "docs", text) for text in PAGES.values())]:
        for target in re.findall(r"\]\((?!http|#)([^)]+)\)", text):
            assert (folder / target.partition("#")[0]).is_file(), target


def test_the_readme_leads_to_every_page():
    for name in PAGES:
        assert f"](docs/{name})" in README, name


def test_the_page_on_the_viewer_tells_every_key():
    script = (ROOT / "lib/evaluation/viewer/page/keys.js").read_text()
    keys = re.findall(r'^  \["([^"]+)", "([^"]+)"\],$', script.partition("];")[0], re.M)
    assert len(keys) > 30
    for names, does in keys:
        assert f"| {' '.join(f'`{name}`' for name in names.split('  '))} | {does} |" in PAGES["viewer.md"].splitlines()


def test_every_make_target_and_command_of_the_readme_is_there():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make (\w+)|^make (\w+)", README, re.M)):
        target = "".join(target)
        assert re.search(rf"^{target}:", makefile, re.M), target
    from lib.__main__ import parser

    commands = parser()._subparsers._group_actions[0].choices
    for command in set(re.findall(r"python -m lib (\w+)", README + "".join(PAGES.values()))):
        assert command in commands


def test_the_errors_that_are_told_are_those_of_the_api():
    sources = "".join(path.read_text() for path in [*(ROOT / "lib" / "serving").rglob("*.py"), *(ROOT / "lib" / "common" / "http").glob("*.py"),
                                                    ROOT / "lib" / "imaging" / "images.py"])
    for code in ("empty", "slow", "too_large", "not_a_picture", "unreadable", "busy", "no_model"):
        assert f'"{code}"' in sources and f"`{code}`" in PAGES["api.md"]


def test_every_setting_says_what_it_is():
    for line in (ROOT / "params.yaml").read_text().splitlines():
        if re.match(r"^    \w+:", line):
            assert line.rstrip().endswith((":", "}")) or "#" in line, line


def names(text):
    return {re.sub("[-_.]+", "-", name).lower() for name in re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==", text, re.M)}


def test_the_lock_holds_what_pyproject_asks_for():
    import tomllib

    from packaging.requirements import Requirement
    from packaging.version import Version

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = dict(re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)", LOCK, re.M))
    locked = {re.sub("[-_.]+", "-", name).lower(): version for name, version in locked.items()}
    wanted = [*project["dependencies"]]
    for extra, words in project["optional-dependencies"].items():
        wanted += words if extra != "gpu" else []
    for word in wanted:
        need = Requirement(word)
        name = re.sub("[-_.]+", "-", need.name).lower()
        assert name in locked and need.specifier.contains(Version(locked[name])), word
    for line in (ROOT / "docker" / "api" / "requirements.lock").read_text().splitlines():
        if "==" in line:
            assert line.split(" ")[0] in LOCK.splitlines(), f"{line} is not the version of requirements.lock"


def test_the_locks_hold_no_hosts():
    for path in (ROOT / "requirements.lock", ROOT / "docker" / "api" / "requirements.lock"):
        assert "://" not in path.read_text() and "index-url" not in path.read_text()


def test_conda_installs_the_same():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert conda == ["python=3.11", "pip"] and pip == {"pip": ["-r requirements.lock", "-e ."]}
