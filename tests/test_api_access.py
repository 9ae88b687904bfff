"""Who is let in: bearer tokens by role, HTTPS, pages of other origins, and nobody from afar without a token."""

import os
import socket
import ssl
import subprocess
import sys
import warnings

import certificate
import httpx
import pytest
import toy_export
from test_api import inside, picture, problem, renamed, settings

from lib.common import config
from lib.serving import api
from lib.serving.api import authentication
from lib.serving.api import server as serving
from lib.storage import files


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return toy_export.folder(tmp_path_factory)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A token file, and a token of each role."""
    path = tmp_path_factory.mktemp("tokens") / "tokens.json"
    return path, authentication.make(path, "predict", "the camera"), authentication.make(path, "admin", "the chief")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return certificate.make(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def guarded(export, keys, pair, tmp_path_factory):
    """A server with HTTPS and tokens, on a served folder with two versions, and its folder and log."""
    place = tmp_path_factory.mktemp("guarded")
    for version in ("one", "two"):
        api.promote(renamed(export, place / version, version), place / "served")
    with api.start(place / "served", settings(
            tokens=str(keys[0]), certificate=str(pair[0]), key=str(pair[1]), log=str(place / "log"),
            origins=["https://logging.example"], trial_timeout=300.0), token=keys[1]) as server:
        yield server, place


@pytest.fixture
def client(guarded, pair):
    with httpx.Client(base_url=guarded[0].url, trust_env=False, timeout=300,
                      verify=ssl.create_default_context(cafile=pair[0])) as client:
        yield client


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


# --- tokens


def test_a_token_lets_in_where_its_role_may_go(client, keys):
    _, predict, admin = keys
    for token in (predict, admin):
        assert client.post("/predict", content=picture(), headers=bearer(token)).json()["p1x"] > 0
        assert client.get("/v2/models", headers=bearer(token)).json() == {"models": ["corners"]}
        assert "/metrics" in client.get("/docs", headers=bearer(token)).text
    for path in ("/models/reload", "/models/corners/rollback"):
        problem(client.post(path, headers=bearer(predict)), 403, "not_allowed")


@pytest.mark.parametrize("header", [{}, {"Authorization": ""}, {"Authorization": "Bearer"}, bearer("x"),
                                    {"Authorization": "Basic eDp5"}, bearer("ü" * 40), bearer("x" * 10_000)],
                         ids=range(7))
def test_without_a_known_token_nobody_gets_further_than_health(client, header):
    header = {key: value.encode() for key, value in header.items()}
    for method, path in (("POST", "/predict"), ("POST", "/v1/corners/predict/batch"), ("GET", "/metrics"),
                         ("POST", "/v2/models/corners/infer"), ("GET", "/docs"), ("GET", "/openapi.json"),
                         ("POST", "/models/reload"), ("GET", "/nothing"), ("POST", "/health/../predict")):
        answer = client.request(method, path, headers=header)
        problem(answer, 401, "no_token")
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/", "/health", "/v2/health/live", "/v2/health/ready"):
        assert client.get(path, headers=header).status_code == 200


def test_no_token_is_kept_or_logged(client, keys, guarded):
    path, predict, admin = keys
    for token in (predict, admin):
        client.post("/predict", content=b"x", headers=bearer(token))
        assert token not in path.read_text() + (guarded[1] / "log").read_text()
    assert [entry["name"] for entry in authentication.read(path)] == ["the camera", "the chief"]


def test_a_token_taken_out_of_the_file_is_worth_nothing_at_once(tmp_path):
    path = tmp_path / "tokens.json"
    old, new = authentication.make(path, "admin"), authentication.make(path, "predict")
    known = authentication.Tokens(path)
    assert [known.role(token) for token in (old, new, "x")] == ["admin", "predict", None]
    files.write_json(path, {"tokens": authentication.read(path)[1:]})
    assert [known.role(token) for token in (old, new)] == [None, "predict"]
    path.write_text("{")
    assert known.role(new) is None
    path.unlink()
    assert known.role(new) is None


def test_the_command_makes_a_token_that_is_known(tmp_path):
    path = tmp_path / "tokens.json"
    done = subprocess.run([sys.executable, "-m", "lib.api", "token", path, "--role", "admin"], capture_output=True,
                          text=True, cwd=config.REPOSITORY)
    assert done.returncode == 0 and authentication.Tokens(path).role(done.stdout.strip()) == "admin"


# --- what is refused at the start


def refused(match, **others):
    with pytest.raises(config.ConfigError, match=match) as raised:
        serving.check_access(settings(**others))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.org"])
def test_others_are_not_served_without_tokens(host, keys):
    refused("api.tokens names no file", host=host)
    serving.check_access(settings(host=host, tokens=str(keys[0])))


def test_this_machine_is_served_without_tokens():
    for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        serving.check_access(settings(host=host))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"tokens": []}', '{"tokens": [{"role": "king", "sha256": ""}]}',
                                     '{"tokens": [{"role": "admin", "sha256": "x"}]}', '{"tokens": [1]}'])
def test_a_token_file_that_is_none_is_refused(content, tmp_path):
    (tmp_path / "tokens.json").write_text(content)
    refused("holds no tokens", tokens=str(tmp_path / "tokens.json"))


def test_a_token_file_that_is_missing_or_open_to_writing_is_refused(tmp_path):
    refused("no file", tokens=str(tmp_path / "tokens.json"))
    authentication.make(tmp_path / "tokens.json", "admin")
    (tmp_path / "tokens.json").chmod(0o666)
    refused("others may write", tokens=str(tmp_path / "tokens.json"))


def test_a_certificate_that_is_none_is_refused(pair, tmp_path):
    other = certificate.make(tmp_path)
    for one, key in ((pair[0], ""), ("", pair[1]), (pair[0], other[1]), (pair[1], pair[1]), (tmp_path / "no", pair[1])):
        refused("no pair of PEM files", certificate=str(one), key=str(key))
    serving.check_access(settings(certificate=str(pair[0]), key=str(pair[1])))


def test_the_refusal_is_one_sentence_of_the_command(export):
    done = subprocess.run([sys.executable, "-m", "lib.api", export, "--host", "0.0.0.0"], capture_output=True,
                          text=True, cwd=config.REPOSITORY)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "api.tokens" in done.stderr


# --- HTTPS


def test_https_is_spoken_from_tls_1_2_on(guarded, client):
    assert guarded[0].url.startswith("https://") and guarded[0].ask(picture())["p1x"] > 0
    assert "max-age" in client.get("/health").headers["strict-transport-security"]
    host, port = guarded[0].url.removeprefix("https://").split(":")
    for version, spoken in (("TLSv1", False), ("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)):
        context = ssl._create_unverified_context()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
            context.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection((host, int(port)), 5) as line:
            try:
                with context.wrap_socket(line) as safe:
                    found = safe.version().replace(".", "_") == version
            except (ssl.SSLError, OSError):
                found = False
        assert found == spoken, version


def test_plain_http_is_not_answered_where_https_is_spoken(guarded):
    host, port = guarded[0].url.removeprefix("https://").split(":")
    with socket.create_connection((host, int(port)), 12) as line:
        line.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            heard = line.recv(1000)
        except ConnectionError:
            heard = b""
    assert not heard.startswith(b"HTTP")


# --- pages of other origins


def test_a_page_of_an_allowed_origin_may_ask_and_no_other(client, keys):
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for origin, allowed in (("https://logging.example", True), ("https://evil.example", False), ("null", False)):
        before = client.options("/predict", headers={"Origin": origin, **asked})
        assert (before.headers.get("access-control-allow-origin") == origin) == allowed
        for token in (keys[1], "wrong"):
            answer = client.post("/predict", content=picture(), headers={"Origin": origin, **bearer(token)})
            assert (answer.headers.get("access-control-allow-origin") == origin) == allowed


def test_no_page_changes_the_models(client, keys, export, tmp_path):
    headers = {"Origin": "https://logging.example", **bearer(keys[2])}
    problem(client.post("/models/reload", headers=headers), 403, "not_allowed")


# --- admins


def test_an_admin_rolls_back_and_reloads(client, keys, guarded, export):
    admin = bearer(keys[2])
    assert client.get("/health").json()["models"] == {"corners": "two"}
    for version in ("one", "two", "one"):
        assert client.post("/models/corners/rollback", headers=admin).json() == {"models": {"corners": version}}
        answer = client.post("/predict", content=picture(), headers=admin)
        assert answer.json()["model_version"] == answer.headers["x-model-version"] == version
    api.promote(renamed(export, guarded[1] / "three", "three"), guarded[1] / "served")
    assert client.post("/models/reload", headers=admin).json() == {"models": {"corners": "three"}}
    problem(client.post("/models/nails/rollback", headers=admin), 404, "no_task")


def test_what_cannot_be_rolled_back_is_a_problem(export, tmp_path):
    answer, = inside(export, tmp_path / "log", ("POST", "/models/corners/rollback", None))
    problem(answer, 409, "no_rollback")
    api.promote(export, tmp_path / "served")
    first, = inside(tmp_path / "served", tmp_path / "log 2", ("POST", "/models/corners/rollback", None))
    assert "no export before" in problem(first, 409, "no_rollback")["detail"]


def test_a_served_folder_that_cannot_be_written_is_a_problem(export, tmp_path, monkeypatch):
    for version in ("one", "two"):
        api.promote(renamed(export, tmp_path / version, version), tmp_path / "served")

    def full(*_):
        raise OSError(30, os.strerror(30), "/secret/place")

    monkeypatch.setattr(files, "write_json", full)
    answer, = inside(tmp_path / "served", tmp_path / "log", ("POST", "/models/corners/rollback", None))
    assert "Read-only" in problem(answer, 409, "no_rollback")["detail"]


def test_the_page_takes_a_token(guarded, browser, keys, tmp_path):
    (tmp_path / "good.jpg").write_bytes(picture())
    page = browser.new_context(ignore_https_errors=True).new_page()
    page.goto(guarded[0].url)
    page.wait_for_selector("#task option", state="attached")
    page.set_input_files("#file", tmp_path / "good.jpg")
    page.get_by_text("send a token").wait_for()
    page.fill("#token", keys[1])
    page.set_input_files("#file", [])
    page.set_input_files("#file", tmp_path / "good.jpg")
    page.locator("article", has_text="Found; this model").locator("img").wait_for()
    page.close()
