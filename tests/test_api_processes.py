"""Several processes on one port: one that dies is replaced, all serve the model they name, all count together."""

import collections
import concurrent.futures
import io
import os
import signal
import time
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
import toy_export
from certificate import make
from PIL import Image
from test_api import _until, picture, renamed, settings

from lib.common import config
from lib.common.http.server import free_port
from lib.serving import api
from lib.serving.api.server import check_access
from lib.storage import files


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return toy_export.folder(tmp_path_factory)


@pytest.fixture(scope="module")
def served(export, tmp_path_factory):
    """A served folder with two exports whose answers can be told apart: `two` answers in mode 8 alone."""
    folder = tmp_path_factory.mktemp("served")
    for version in ("one", "two"):
        copy = renamed(export, tmp_path_factory.mktemp("exports") / version, version)
        if version == "two":
            content = files.read_json(copy / "export.json")
            content["settings"]["corners"]["predictor_mode"] = 8
            files.write_json(copy / "export.json", content)
        api.promote(copy, folder)
    return folder


@pytest.fixture(scope="module")
def server(served):
    with api.start(served, settings(processes=2, queue=64)) as server:
        yield server


def workers(server):
    """The processes that answer: the children of the one that watches over them."""
    return [int(pid) for pid in Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()]


def runs(pid):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ask(server, count=1):
    """(status, answer) of so many requests, each on a line of its own, so that each may meet another process."""
    def one(_):
        with httpx.Client(base_url=server.url, trust_env=False, timeout=20) as client:
            try:
                answer = client.post("/predict", content=picture())
                return answer.status_code, answer.json()
            except httpx.TransportError as error:  # the process it was with has been killed
                return type(error).__name__, {}

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(one, range(count)))


def test_a_process_that_is_killed_is_replaced_and_the_other_answers_meanwhile(server):
    before = workers(server)
    assert len(before) == 2
    age = time.time() - max(psutil.Process(each).create_time() for each in before)
    time.sleep(max(0.0, 7 - age))  # who dies within 5.5 s of its birth is taken for one that cannot live (docs/deploy.md)
    os.kill(before[0], signal.SIGKILL)
    _until(lambda: not runs(before[0]))  # what it had accepted is lost with it; what comes from here on is not
    found = ask(server, 20)
    assert [status for status, _ in found] == [200] * 20
    _until(lambda: len(set(workers(server)) - {before[0]}) == 2)
    _until(lambda: ask(server)[0][0] == 200)
    assert before[1] in workers(server)


def test_every_answer_is_that_of_the_version_it_names_whichever_process_gives_it(server):
    seen = collections.Counter()
    with httpx.Client(base_url=server.url, trust_env=False, timeout=20) as client:
        for _ in range(4):
            was = client.post("/models/corners/rollback").json()["models"]["corners"]
            begun = time.monotonic()
            while (asked := time.monotonic() - begun) < 3:
                for status, answer in ask(server, 4):
                    assert status == 200 and ("row_nb" in answer) == (answer["model_version"] == "one")
                    seen[answer["model_version"]] += 1
                    assert asked < 2 or answer["model_version"] == was, "a process still serves what was rolled back"
    assert min(seen["one"], seen["two"]) > 5


def test_all_processes_are_counted_together(server):
    def counted():
        text = httpx.get(server.url + "/metrics", trust_env=False).text
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in lines.items()}

    name = 'corebox_requests_total{code="",path="/predict",status="200"}'
    before = counted()[name]
    assert [status for status, _ in ask(server, 12)] == [200] * 12
    assert counted()[name] == before + 12
    assert counted()['corebox_in_flight{what="most"}'] == 2 * 66
    assert [value for key, value in counted().items() if key.startswith("corebox_model_info")].count(1.0) == 1


def test_the_first_rollback_is_no_slower_than_the_others(served):
    with api.start(served, settings()) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        first = client.get("/health").json()["models"]["corners"]
        time.sleep(1.5)  # it has looked around by now
        begun = time.monotonic()
        now = client.post("/models/corners/rollback").json()["models"]["corners"]
        assert {first, now} == {"one", "two"} and time.monotonic() - begun < 3
        client.post("/models/corners/rollback")


def test_no_process_is_left_of_a_server_that_was_killed(export):
    server = api.start(export, settings(processes=2))
    children = workers(server)
    port = int(server.url.rsplit(":", 1)[1])
    server.process.kill()
    server.process.wait()
    _until(lambda: not any(runs(pid) for pid in children))
    with api.start(export, settings(port=port)) as again:
        assert ask(again)[0][0] == 200
    server.stop()


def test_a_picture_for_which_there_is_no_memory_ends_alone(export):
    """F15: the request is told; the next picture is answered by the same process."""
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((7000, 7000, 3), np.uint8)).save(buffer, "PNG")
    with api.start(export, settings(memory=512)) as server, httpx.Client(
            base_url=server.url, trust_env=False, timeout=30) as client:
        assert client.post("/predict", content=picture()).status_code == 200
        answer = client.post("/predict", content=buffer.getvalue())
        assert (answer.status_code, answer.json()["code"]) in [(413, "too_large"), (503, "no_memory")]
        assert client.post("/predict", content=picture()).status_code == 200


def test_http_is_sent_on_to_https(export, tmp_path):
    certificate, key = make(tmp_path)
    port = free_port("127.0.0.1")
    with api.start(export, settings(certificate=str(certificate), key=str(key), redirect=port)) as server:
        tls = server.url.rsplit(":", 1)[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            answer = client.post("/predict?mode=8&x=%2F", content=picture())
            assert answer.status_code == 308 and not answer.content
            assert answer.headers["location"] == f"https://127.0.0.1:{tls}/predict?mode=8&x=%2F"
            for host in ("evil.example/@x", "a b", "", "x\\y"):
                assert client.get("/", headers={"Host": host}).status_code == 400, host
            assert client.get("/", headers={"Host": "[::1]:80"}).headers["location"] == f"https://[::1]:{tls}/"
        with httpx.Client(verify=False, follow_redirects=True, trust_env=False) as client:
            answer = client.post(f"http://127.0.0.1:{port}/predict", content=picture())
            assert answer.status_code == 200 and answer.json()["p1x"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)


def test_a_redirect_without_https_is_refused(export):
    with pytest.raises(config.ConfigError, match="api.redirect is 8080, and there is no HTTPS"):
        check_access(settings(redirect=8080))
