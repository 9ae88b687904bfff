"""What programs of other houses ask: the Open Inference Protocol, batches, Prometheus, and pictures at a URL."""

import base64
import http.server
import io
import json
import socket
import ssl
import threading
import time
from pathlib import Path

import certificate
import httpx
import numpy as np
import pytest
import toy_export
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from test_api import inside, picture, problem, settings
from test_api_http import raw

from lib.common.http.problem_details import Problem
from lib.serving import api
from lib.serving.api import remote_picture


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with api.start(toy_export.folder(tmp_path_factory), settings(max_bytes=2**20, batch=4, batch_bytes=2**21)) as one:
        yield one


@pytest.fixture(scope="module")
def client(server):
    with httpx.Client(base_url=server.url, trust_env=False, timeout=20) as client:
        yield client


# --- the Open Inference Protocol, version 2

MODEL = "/v2/models/corners"
EXACT = f"{MODEL}/versions/{toy_export.VERSION}"


def coded(*pictures):
    """An inference request for pictures' bytes."""
    return {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [len(pictures)],
                        "data": [base64.b64encode(one).decode() for one in pictures]}]}


def test_what_is_served_is_told(client):
    assert client.get("/v2").json() == {"name": "Core Box", "version": "1", "extensions": [
        "binary_tensor_data", "model_configuration", "model_repository"]}
    assert client.get("/v2/models").json() == {"models": ["corners"]}
    for path in (MODEL, EXACT):
        about = client.get(path).json()
        assert about["versions"] == [toy_export.VERSION] and about["inputs"][0]["name"] == "image"
        assert client.get(path + "/ready").json() == {"name": "corners", "ready": True}


@pytest.mark.parametrize("path", [MODEL, EXACT])
def test_an_inference_is_the_answer_of_predict(client, path):
    alone = [client.post("/predict?mode=8", content=picture(seed)).json() for seed in (1, 2)]
    request = {"id": "7", "parameters": {"mode": 8}, "outputs": [{"name": "answer"}], **coded(picture(1), picture(2))}
    reply = client.post(path + "/infer", json=request).json()
    output, = reply["outputs"]
    assert reply["id"] == "7" and reply["model_version"] == toy_export.VERSION and reply["parameters"]["trace_id"]
    assert (output["name"], output["datatype"], output["shape"]) == ("answer", "BYTES", [2])
    assert [json.loads(text) | {"trace_id": one["trace_id"]} for text, one in zip(output["data"], alone, strict=True)
            ] == alone


def change(**members):
    """A request with its input changed."""
    good = coded(picture())
    return json.dumps({"inputs": [{**good["inputs"][0], **members}]}).encode()


GOOD = json.dumps(coded(picture())).encode()
CASES = {
    "133 no JSON": (b"picture", 400, "bad_json"),
    "133 nothing": (b"", 400, "bad_json"),
    "133 no UTF-8": (b'{"id": "\xff"}', 400, "bad_json"),
    "133 a list": (b"[]", 400, "bad_json"),
    "133 half of it": (GOOD[:-20], 400, "bad_json"),
    "133 more after it": (GOOD + b"{}", 400, "bad_json"),
    "134 depth 100,000": (b"[" * 100_000 + b"]" * 100_000, 400, "bad_json"),
    "134 depth 100,000 in an object": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, "bad_json"),
    "134 a million members": (b'{"a": [' + b"1," * 10**6 + b"1]}", 400, "bad_json"),
    "135 keys twice": (b'{"id": "1", ' + GOOD[1:-1] + b', "id": "2"}', 400, "bad_json"),
    "135 keys twice, deeper": (GOOD.replace(b'"name"', b'"name": "image", "name"'), 400, "bad_json"),
    "136 NaN": (b'{"parameters": {"a": NaN}, ' + GOOD[1:], 400, "bad_json"),
    "136 Infinity": (b'{"parameters": {"a": -Infinity}, ' + GOOD[1:], 400, "bad_json"),
    "136 a number of 5,000 digits": (b'{"parameters": {"a": ' + b"9" * 5000 + b"}, " + GOOD[1:], 400, "bad_json"),
    "137 shape says 2, data 1": (change(shape=[2]), 400, "bad_input"),
    "137 shape says 1, data 2": (change(data=["", ""]), 400, "bad_input"),
    "137 no shape": (change(shape=None), 400, "bad_input"),
    "137 shape of true": (change(shape=[True]), 400, "bad_input"),
    "137 shape of 1.0": (change(shape=[1.0]), 400, "bad_input"),
    "137 negative shape": (change(shape=[-1]), 400, "bad_input"),
    "137 data a text": (change(data="abcd"), 400, "bad_input"),
    "137 data numbers": (change(data=[1]), 400, "bad_input"),
    "137 another datatype": (change(datatype="UINT8"), 400, "bad_input"),
    "137 another name": (change(name="input_1"), 400, "bad_input"),
    "137 no inputs": (b"{}", 400, "bad_input"),
    "137 two inputs": (json.dumps({"inputs": coded(picture())["inputs"] * 2}).encode(), 400, "bad_input"),
    "137 no pictures": (change(shape=[0], data=[]), 400, "bad_input"),
    "137 too many pictures": (json.dumps(coded(*[b"x"] * 5)).encode(), 400, "bad_input"),
    "137 another output": (b'{"outputs": [{"name": "x"}], ' + GOOD[1:], 400, "bad_input"),
    "137 an id that is none": (b'{"id": "\\ud800", ' + GOOD[1:], 400, "bad_input"),
    "137 parameters a list": (b'{"parameters": [], ' + GOOD[1:], 400, "bad_input"),
    "137 another mode": (b'{"parameters": {"mode": 7}, ' + GOOD[1:], 400, "bad_mode"),
    "138 10^9 in shape": (change(shape=[10**9]), 400, "bad_input"),
    "138 10^9 in a second length": (change(shape=[1, 10**9]), 400, "bad_input"),
    "139 bad base64": (change(data=["/9j/4AAQ!"]), 400, "bad_input"),
    "139 base64 without its end": (change(data=["/9j/4"]), 400, "bad_input"),
    "139 base64 of another alphabet": (change(data=["_-_-"]), 400, "bad_input"),
    "139 not ASCII": (change(data=["ä"]), 400, "bad_input"),
    "139 base64 of nothing": (change(data=[""]), 400, "empty"),
    "139 base64 of no picture": (change(data=["aGVsbG8="]), 415, "not_a_picture"),
    "139 a body over the limit": (change(data=["A" * 2**21]), 413, "too_large"),
    "139 a picture over the limit": (change(data=["A" * 4 * (2**20 // 3 + 2)]), 413, "too_large"),
}


@pytest.mark.parametrize("name", CASES)
def test_an_inference_that_is_none_has_its_one_outcome(client, name):
    content, status, code = CASES[name]
    begun = time.monotonic()
    found = problem(client.post(MODEL + "/infer", content=content), status, code)
    assert found["error"] == found["detail"] and time.monotonic() - begun < 5  # error: where KServe's clients look
    assert client.post(MODEL + "/infer", content=GOOD).status_code == 200


def test_140_models_and_versions_that_are_not_served_are_404(client):
    for path, code in (("/v2/models/nails", "no_task"), (f"/v2/models/nails/versions/{toy_export.VERSION}", "no_task"),
                       (f"{MODEL}/versions/2", "no_version"), (f"{MODEL}/versions/{'9' * 5000}", "no_version")):
        problem(client.get(path), 404, code)
        problem(client.get(path + "/ready"), 404, code)
        problem(client.post(path + "/infer", content=GOOD), 404, code)


# --- batches


def test_a_bad_picture_does_not_spoil_the_others(client):
    pictures = [picture(1), picture()[:600], b"hello", picture(2)]
    answer = client.post("/v1/corners/predict/batch?mode=8", files=[("file", one) for one in pictures]).json()
    first, damaged, none, last = answer["answers"]
    assert (damaged["code"], damaged["status"], none["code"]) == ("unreadable", 422, "not_a_picture")
    for found, seed in ((first, 1), (last, 2)):
        alone = client.post("/predict?mode=8", content=picture(seed)).json()
        assert found | {"trace_id": alone["trace_id"]} == alone
    assert answer["model_version"] == toy_export.VERSION and len(answer["trace_id"]) == 32


def test_a_batch_is_bounded(client):
    def ask(files, **how):
        return client.post("/v1/corners/predict/batch", files=files, **how)

    problem(ask([("file", picture())] * 5), 400, "bad_request")
    problem(ask([("other", picture())]), 400, "bad_request")
    problem(ask([("file", b"x" * 2**20)] * 3), 413, "too_large")
    problem(client.post("/v1/corners/predict/batch", content=picture()), 400, "bad_request")
    problem(client.post("/v1/nails/predict/batch", content=b""), 404, "no_task")
    large = ask([("file", b"\xff\xd8" + b"x" * 2**20), ("file", picture())]).json()["answers"]
    assert large[0]["code"] == "too_large" and large[1]["p1x"] > 0


def test_what_nobody_waits_for_any_more_is_not_answered(tmp_path_factory, tmp_path, monkeypatch):
    from lib.serving import prediction

    export = toy_export.folder(tmp_path_factory)
    loaded, asked = prediction.load(export), []
    monkeypatch.setattr(prediction, "load", lambda *_: loaded)
    monkeypatch.setattr(loaded, "answer", lambda _: (asked.append(1), time.sleep(0.3), loaded.example)[-1])
    request = httpx.Request("POST", "http://inside", files=[("file", picture())] * 16)
    answer, = inside(export, tmp_path / "log", ("POST", "/v1/corners/predict/batch", request.read()),
                     headers={"content-type": request.headers["content-type"]}, total_timeout=0.5)
    problem(answer, 503, "late")
    assert len(asked) <= 3


# --- Prometheus


def metrics(client):
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {(sample.name, *sample.labels.values()): sample.value  # labels in alphabetical order
            for family in text_string_to_metric_families(answer.text) for sample in family.samples}


def test_requests_stages_and_models_are_counted(client):
    before = metrics(client)
    for content in (picture(), picture(), b"hello"):
        client.post("/predict", content=content)
    client.get("/nothing-" + "x" * 40)
    after = metrics(client)

    def more(*key):
        return after[key] - before.get(key, 0)

    assert more("corebox_requests_total", "", "/predict", "200") == 2
    assert more("corebox_requests_total", "not_a_picture", "/predict", "415") == 1
    assert more("corebox_requests_total", "no_path", "none", "404") == 1
    for stage, count in (("read", 3), ("queue", 3), ("decode", 3), ("infer", 2)):
        assert more("corebox_stage_seconds_count", stage) == count, stage
    assert after["corebox_model_info", "corners", toy_export.VERSION] == 1
    assert (after["corebox_in_flight", "now"], after["corebox_in_flight", "most"]) == (0, 10)
    assert after["corebox_reloads_total",] == 1 and after["corebox_reload_failures_total",] == 0
    assert after["process_resident_memory_bytes",] > 1e6


# --- the description


def test_the_description_holds_every_path_with_examples(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/predict", "/v1/{task}/predict", "/v1/{task}/predict/batch", "/metrics", "/models/reload",
            "/models/{task}/rollback", "/v2", "/v2/models", "/v2/models/{task}", "/v2/models/{task}/ready",
            "/v2/models/{task}/infer", "/v2/models/{task}/versions/{version}/infer"} <= paths.keys()
    answers = paths["/predict"]["post"]["responses"]
    for example in answers["200"]["content"]["application/json"]["examples"].values():
        assert example["value"]["model"] == "corners"
    assert answers["429"]["content"]["application/problem+json"]["example"]["code"] == "busy"
    assert "HTTPValidationError" not in json.dumps(paths)


# --- pictures at a URL


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site with HTTPS on this machine: its port, and a context that trusts it as pictures.example."""
    pair = certificate.make(tmp_path_factory.mktemp("site"), "pictures.example")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.partition("?")[0]
            self.send_response({"/moved": 302, "/gone": 404}.get(name, 200))
            self.send_header("Location", "https://pictures.example/good")
            self.end_headers()
            if name == "/good":
                self.wfile.write(picture())
            elif name == "/large":
                self.wfile.write(b"\xff\xd8" + b"x" * 2**21)
            elif name == "/slow":
                for _ in range(40):
                    self.wfile.write(b"x")
                    time.sleep(0.2)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, ssl.create_default_context(cafile=pair[0])
    server.shutdown()
    server.server_close()


def fetcher(site, addresses=("93.184.216.34",), hosts=("pictures.example",), asked=None):
    """A Fetcher that is told `addresses`, and led to the site whichever of them it connects to."""
    def connect(to, seconds):
        if asked is not None:
            asked.append(to)
        return socket.create_connection(("127.0.0.1", site[0]), seconds)

    return remote_picture.Fetcher(hosts, 1.0, 2**20, lambda host, port: list(addresses), connect, site[1])


def test_a_picture_is_fetched_from_the_very_address_that_was_checked(site):
    asked = []
    assert fetcher(site, asked=asked).fetch("https://pictures.example/good?a=1") == picture()
    assert asked == [("93.184.216.34", 443)]
    assert fetcher(site, hosts=["pictures.example:8443"]).fetch("https://Pictures.Example:8443/good") == picture()


@pytest.mark.parametrize("url", [
    "http://pictures.example/good", "https://evil.example/good", "https://pictures.example.evil/good",
    "https://sub.pictures.example/good", "https://pictures.example:8443/good", "https://pictures.example@evil/good",
    "https://user@pictures.example/good", "https://evil\\@pictures.example/good", "ftp://pictures.example/good",
    "file:///etc/passwd", "https://127.0.0.1/good", "https://2130706433/good", "https://0x7f.1/good",
    "https://[::1]/good", "https://pictures.example/go od", "https://pictures.example/\r\nX: y", "", "good",
    "https://pictures.example:99999/good", "https://pictures.exämple/good", "//pictures.example/good"])
def test_no_other_url_is_asked(site, url):
    asked = []
    with pytest.raises(Problem) as raised:
        fetcher(site, asked=asked).fetch(url)
    assert raised.value.code == "bad_image_url" and raised.value.status == 400 and asked == []


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1%eth0", "fd00::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:db8::1",
    "fd00:ec2::254"])
def test_no_address_within_is_asked_whatever_its_name(site, address):
    for addresses in ([address], ["93.184.216.34", address]):
        asked = []
        with pytest.raises(Problem) as raised:
            fetcher(site, addresses, asked=asked).fetch("https://pictures.example/good")
        assert raised.value.code == "bad_image_url" and asked == []


@pytest.mark.parametrize("path, code", [("moved", "not_fetched"), ("gone", "not_fetched"), ("slow", "not_fetched"),
                                        ("large", "too_large")])
def test_what_a_site_does_wrong_is_a_problem_in_time(site, path, code):
    begun = time.monotonic()
    with pytest.raises(Problem) as raised:
        fetcher(site).fetch(f"https://pictures.example/{path}")
    assert raised.value.code == code and time.monotonic() - begun < 5


def test_a_site_with_another_name_in_its_certificate_is_not_asked(site):
    with pytest.raises(Problem) as raised:
        fetcher(site, hosts=["other.example"]).fetch("https://other.example/good")
    assert raised.value.code == "not_fetched"


def test_image_url_is_not_there_unless_a_setting_says_so(client, tmp_path_factory, tmp_path, site):
    for path in ("/predict", "/v1/corners/predict"):
        problem(client.get(path, params={"image_url": "https://pictures.example/good"}), 405, "no_method")
    asked = [("GET", f"{path}?image_url=https://{host}/{name}", None)
             for path in ("/predict", "/v1/corners/predict")
             for host, name in (("pictures.example", "good"), ("evil.example", "good"), ("pictures.example", "gone"))]
    found = inside(toy_export.folder(tmp_path_factory), tmp_path / "log", *asked, ("GET", "/predict", None),
                   image_hosts=["pictures.example"], fetcher=fetcher(site))
    plain = client.post("/predict", content=picture()).json()
    for good, evil, gone in (found[:3], found[3:6]):
        assert good.json() | {"trace_id": ""} == plain | {"trace_id": ""}
        problem(evil, 400, "bad_image_url")
        problem(gone, 422, "not_fetched")
    problem(found[6], 400, "bad_image_url")


def test_a_drawn_answer_is_asked_for_in_a_url_too(tmp_path_factory, tmp_path, site):
    answer, = inside(toy_export.folder(tmp_path_factory), tmp_path / "log", (
        "GET", "/predict?draw=true&image_url=https://pictures.example/good", None),
        image_hosts=["pictures.example"], fetcher=fetcher(site))
    assert np.asarray(Image.open(io.BytesIO(answer.content))).shape == (240, 320, 3)


# --- what real clients sent, byte for byte (benchmarks.clients, recorded by a proxy)


@pytest.mark.parametrize(("name", "statuses"), [
    ("tritonclient-metadata", [200] * 7 + [404]), ("tritonclient-load", [404]), ("tritonclient-infer", [200] * 7),
    ("kserve", [200] * 5)])
def test_what_real_clients_send_is_answered(server, name, statuses):
    sent = (Path(__file__).parent / "clients" / f"{name}.http").read_bytes()
    assert raw(server, [sent + b"GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"])[0][:len(statuses)] == statuses


def binary(*pictures, output=None, size=None, **members):
    """The body and headers of an inference request with binary data."""
    data = b"".join(len(one).to_bytes(4, "little") + one for one in pictures)
    given = {"name": "image", "datatype": "BYTES", "shape": [len(pictures)],
             "parameters": {"binary_data_size": len(data) if size is None else size}, **members}
    outputs = {} if output is None else {"outputs": [{"name": "answer", "parameters": {"binary_data": output}}]}
    head = json.dumps({"inputs": [given], **outputs}).encode()
    return head + data, {"Inference-Header-Content-Length": str(len(head))}


@pytest.mark.parametrize("output", [None, False, True])
def test_binary_pictures_are_answered_as_base64_ones_are(client, output):
    content, headers = binary(picture(1), picture(2), output=output)
    answer = client.post(MODEL + "/infer", content=content, headers=headers)
    plain = client.post(MODEL + "/infer", json=coded(picture(1), picture(2))).json()["outputs"][0]["data"]
    if not output:
        assert answer.json()["outputs"][0]["data"] == plain and "inference-header-content-length" not in answer.headers
        return
    length = int(answer.headers["inference-header-content-length"])
    head, data = json.loads(answer.content[:length]), answer.content[length:]
    assert head["outputs"][0]["parameters"] == {"binary_data_size": len(data)}
    for text in plain:
        size = int.from_bytes(data[:4], "little")
        assert json.loads(data[4:4 + size]) == json.loads(text)
        data = data[4 + size:]
    assert data == b""


def test_binary_data_that_does_not_fit_its_json_is_refused(client):
    content, headers = binary(picture())
    for length in ("x", "-1", "9" * 30, str(len(content) + 1)):
        problem(client.post(MODEL + "/infer", content=content, headers={"Inference-Header-Content-Length": length}),
                400, "bad_request")
    for made in (binary(picture(), size=5), binary(picture(), data=["x"]), binary(picture(), shape=[2]), binary(),
                 binary(*[b"x"] * 5), (content + b"x", headers), (content[:-1], headers), binary(picture(), size="8")):
        problem(client.post(MODEL + "/infer", content=made[0], headers=made[1]), 400, "bad_input")


def test_a_parameter_or_a_query_name_that_nobody_knows_is_refused(client):
    request = coded(picture()) | {"parameters": {"Mode": 8}}
    assert "did you mean mode" in problem(client.post(MODEL + "/infer", json=request), 400, "bad_input")["detail"]
    for path in ("/predict?Mode=8", "/v1/corners/predict?modes=8", MODEL + "/infer?mode=8", "/v1/corners/predict/batch?Draw=1"):
        problem(client.post(path, content=picture()), 400, "bad_query")


def test_models_are_listed_and_described_as_triton_does(client):
    assert client.post("/v2/repository/index").json() == [
        {"name": "corners", "version": toy_export.VERSION, "state": "READY", "reason": ""}]
    about = client.get(MODEL + "/config").json()
    assert about["max_batch_size"] == 4 and about["input"][0]["data_type"] == "TYPE_STRING"
    for path in ("/stats", "/trace/setting"):
        problem(client.get(MODEL + path), 404, "no_path")
