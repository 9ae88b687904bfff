"""The hub over HTTP: who may what, what is taken and refused, downloads, and that nothing accepted is ever lost."""

import hashlib
import io
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zlib

import httpx
import numpy as np
import pytest
from PIL import Image

from lib.common import config
from lib.hub import access, accounts, store
from lib.hub.jobs import trainings

NUMBERS = itertools.count()
HOSTILE = ["x'; DROP TABLE hub.picture; --", "' OR '1'='1", "1; SELECT pg_sleep(5)", "%s%(x)s{}", "\\'; --", "Robert\"); --",
           "$$ || version() || $$"]


def jpeg(seed, size=(96, 72)):
    """A picture of its own: the bytes of a JPEG."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(zlib.crc32(repr(seed).encode())).integers(0, 255, (9, 12, 3), np.uint8)
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def sha(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def hub(session_home, tmp_path_factory):
    """A migrated hub in the embedded PostgreSQL."""
    before = os.environ.get("COREBOX_HOME")
    os.environ["COREBOX_HOME"] = str(session_home)
    made = access.open_hub({"hub.name": f"app{os.getpid()}", "hub.store": str(tmp_path_factory.mktemp("store")),
                            "api.batch": 4, "api.batch_bytes": 4 * 2**20, "api.max_bytes": 2**20, "api.total_timeout": 1.0,
                            "hub.training_profile": "smoke"})
    made.migrate()
    yield made
    os.environ.pop("COREBOX_HOME") if before is None else os.environ.update(COREBOX_HOME=before)


@pytest.fixture(scope="module")
def log():
    return []


@pytest.fixture(scope="module")
def app(hub, log):
    from fastapi.testclient import TestClient

    from lib.hub.web.app import create

    with TestClient(create(hub, lambda **line: log.append(line)), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def tokens(hub):
    """A token of each role."""
    return {role: accounts.add(hub, f"{role} {next(NUMBERS)}", (role,))[1] for role in accounts.ROLES}


def headers(token):
    return {"Authorization": f"Bearer {token}"}


def submit(app, token, key, files, **words):
    words = {"labels": "saw", "licence": "CC0-1.0", "place": "Perth, AU", **words}
    return app.post(f"/v1/batches/{key}/pictures", headers=headers(token), data=words,
                    files=[("file", (name, data, "image/jpeg")) for name, data in files.items()])


def key():
    return f"key-{next(NUMBERS)}"


def accept(hub):
    with hub.owner_transaction() as cursor:
        cursor.execute("UPDATE hub.picture SET status = 'accepted', quality = 0.9, verified = now() WHERE status = 'submitted'")


def made(app, hub, tokens, number=3, label="saw"):
    """A version of accepted pictures of a label of its own; its plain form."""
    label = f"{label} {next(NUMBERS)}"
    submit(app, tokens["supplier"], key(), {f"{n}.jpg": jpeg((next(NUMBERS), n)) for n in range(number)}, labels=label)
    accept(hub)
    answer = app.post("/v1/versions", headers=headers(tokens["premium"]), json={"labels": [label]})
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- who may what

CALLS = {  # what may be called by whom
    ("POST", "/v1/batches/k/pictures"): ("supplier",),
    ("POST", "/v1/batches/k/wanted"): ("supplier",),
    ("POST", "/v1/batches/k/done"): ("supplier",),
    ("GET", "/v1/batches"): ("supplier",),
    ("GET", "/v1/batches/999999"): ("supplier",),
    ("GET", "/v1/me"): accounts.ROLES,
    ("GET", "/v1/labels"): accounts.ROLES,
    ("GET", "/v1/places"): accounts.ROLES,
    ("GET", "/v1/pictures/999999/thumbnail"): accounts.ROLES,
    ("POST", "/v1/select"): ("customer", "premium"),
    ("POST", "/v1/versions"): ("customer", "premium"),
    ("GET", "/v1/versions"): ("customer", "premium"),
    ("GET", "/v1/versions/999999/download"): ("customer", "premium"),
    ("POST", "/v1/versions/999999/ticket"): ("customer", "premium"),
    ("POST", "/v1/watches"): ("customer", "premium"),
    ("GET", "/v1/watches"): ("customer", "premium"),
    ("POST", "/v1/trainings"): ("premium",),
    ("GET", "/v1/trainings"): ("premium",),
    ("GET", "/v1/trainings/999999"): ("premium",),
    ("POST", "/v1/trainings/999999/cancel"): ("premium",),
    ("POST", "/v1/trainings/999999/again"): ("premium",),
    ("POST", "/v1/trainings/999999/ticket"): ("premium",),
    ("GET", "/v1/trainings/999999/files/model.zip"): ("premium",),
}
BODIES = {"/v1/watches": {"query": {}, "least": 5}, "/v1/trainings": {"version": 999999}, "/v1/select": {}, "/v1/versions": {},
          "/v1/batches/k/wanted": {"a.jpg": "0" * 64}}


def call(app, method, path, token):
    if path.endswith("/pictures"):
        return submit(app, token, "k", {"a.jpg": jpeg(0)})
    return app.request(method, path, headers=headers(token) if token else {}, json=BODIES.get(path) if method == "POST" else None)


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_call_is_open_to_its_roles_and_to_nobody_else(app, tokens, method, path):
    for role, token in tokens.items():
        answer = call(app, method, path, token)
        if role in CALLS[method, path]:
            assert answer.status_code not in (401, 403, 405, 500), (role, answer.text)
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed"), (role, answer.text)
    for token in ("", "hub_wrong", "' OR '1'='1"):
        answer = call(app, method, path, token)
        assert (answer.status_code, answer.json()["code"]) == (401, "no_token") and "www-authenticate" in answer.headers


def test_the_table_of_calls_is_whole(app):
    there = {(method.upper(), path) for path, about in app.get("/openapi.json").json()["paths"].items() for method in about}
    import re

    pattern = {(method, re.sub(r"\{name\}|model\.zip", "{}", re.sub(r"\{number\}|999999", "{}", path)).replace("{key}", "k"))
               for method, path in there}
    mine = {(method, re.sub(r"model\.zip", "{}", path.replace("999999", "{}"))) for method, path in CALLS}
    assert pattern - mine == {("GET", "/health"), ("GET", "/v1/tickets/{}")}


def test_a_person_who_was_struck_off_is_let_in_no_longer(app, hub, monkeypatch):
    from lib.hub.web import middleware

    monkeypatch.setattr(middleware, "REMEMBERED", 0.0)
    person, token = accounts.add(hub, f"gone {next(NUMBERS)}", ("customer",))
    assert app.get("/v1/me", headers=headers(token)).json()["name"] == person.name
    with hub.owner_transaction() as cursor:
        cursor.execute("UPDATE hub.person SET active = false WHERE id = %s", (person.id,))
    assert app.get("/v1/me", headers=headers(token)).status_code == 401


def test_suppliers_see_their_own_batches_alone(app, hub, tokens):
    other = accounts.add(hub, f"other {next(NUMBERS)}", ("supplier",))[1]
    batch = submit(app, tokens["supplier"], key(), {"mine.jpg": jpeg(next(NUMBERS))}).json()["batch"]
    assert app.get(f"/v1/batches/{batch}", headers=headers(tokens["supplier"])).json()["files"][0]["name"] == "mine.jpg"
    assert app.get(f"/v1/batches/{batch}", headers=headers(other)).status_code == 404
    assert batch not in [each["batch"] for each in app.get("/v1/batches", headers=headers(other)).json()["batches"]]


# --- pictures in


def test_a_submission_is_taken_once_and_says_what_is_still_wanted(app, tokens):
    token, name = tokens["supplier"], key()
    files = {f"{n}.jpg": jpeg((7, n)) for n in range(3)}
    hashes = {each: sha(data) for each, data in files.items()}
    asked = {"url": f"/v1/batches/{name}/wanted", "headers": headers(token), "json": hashes}
    assert app.post(**asked).json()["wanted"] == list(files)
    first = submit(app, token, name, dict(list(files.items())[:2]), sha256=",".join(list(hashes.values())[:2])).json()
    assert (first["new"], first["known"], first["refused"]) == (2, 0, 0) and [each["outcome"] for each in first["files"]] == ["new"] * 2
    assert app.post(**asked).json()["wanted"] == ["2.jpg"]
    again = submit(app, token, name, dict(list(files.items())[:2])).json()
    assert (again["batch"], again["new"]) == (first["batch"], 2)
    submit(app, token, name, {"2.jpg": files["2.jpg"]})
    done = app.post(f"/v1/batches/{name}/done", headers=headers(token)).json()
    assert done["new"] == 3 and app.post(**asked).json()["wanted"] == []
    about = app.get(f"/v1/batches/{done['batch']}", headers=headers(token)).json()
    assert about["done"] and {each["sha256"] for each in about["files"]} == set(hashes.values())


@pytest.mark.parametrize(("files", "words", "status", "said"), [
    ({"a.jpg": jpeg(1)}, {"sha256": "0" * 64}, 422, "came with the SHA-256"),
    ({"a.jpg": jpeg(1)}, {"sha256": "0" * 64 + "," + "1" * 64}, 400, "1 files and 2 hashes"),
    ({"../../etc/passwd": jpeg(1)}, {}, 422, "leads out of the folder"),
    ({f"{n}.jpg": jpeg(n) for n in range(5)}, {}, 400, "1 to 4 fields"),
    ({}, {}, 400, "no field `file`"),
    ({"a.jpg": jpeg(1)}, {"label": "{"}, 422, "is no JSON"),
    ({"a.jpg": jpeg(1)}, {"label": "[1]"}, 422, "no JSON object"),
])
def test_what_cannot_be_taken_is_told_and_changes_nothing(app, hub, tokens, files, words, status, said):
    name = key()
    if files:
        answer = submit(app, tokens["supplier"], name, files, **words)
    else:
        answer = app.post(f"/v1/batches/{name}/pictures", headers=headers(tokens["supplier"]), files={"other": b"x"})
    assert answer.status_code == status and said in answer.json()["detail"], answer.text
    with hub.owner_transaction() as cursor:
        cursor.execute("SELECT count(*) FROM hub.batch WHERE key = %s", (name,))
        assert cursor.fetchone() == (0,)


def test_a_file_that_is_no_picture_is_refused_by_itself_with_its_reason(app, tokens):
    found = submit(app, tokens["supplier"], key(), {"good.jpg": jpeg(next(NUMBERS)), "bad.jpg": b"<html>", "lie.png": jpeg(next(NUMBERS)),
                                                    "empty.jpg": b""}).json()
    reasons = {each["name"]: each["reason"] for each in found["files"]}
    assert found["new"] == 1 and found["refused"] == 3 and reasons["good.jpg"] == ""
    assert all(reasons[name] for name in ("bad.jpg", "lie.png", "empty.jpg"))


def test_a_body_may_be_neither_too_large_nor_too_slow_nor_no_form(app, tokens):
    auth = headers(tokens["supplier"])
    answer = app.post("/v1/batches/k/pictures", headers=auth, files={"file": ("a.jpg", b"x" * (5 * 2**20))})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    for content, kind in ((b"x", "text/plain"), (b"x", "multipart/form-data"), (b"--b\r\n", "multipart/form-data; boundary=b"),
                          (b"", "multipart/form-data; boundary=b")):
        answer = app.post("/v1/batches/k/pictures", headers={**auth, "content-type": kind}, content=content)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), (kind, answer.text)
    answer = app.post("/v1/batches/k/pictures", headers=auth, files={"file": ("large.jpg", b"x" * (2**20 + 1))})
    assert answer.json()["refused"] == 1  # one picture over its limit, in a form within its own


def test_files_of_one_name_are_refused_together_and_another_picture_of_a_known_name_too(app, tokens):
    auth, batch = headers(tokens["supplier"]), key()
    three = [("file", ("box.jpg", jpeg((next(NUMBERS), n)), "image/jpeg")) for n in range(3)]
    words = {"licence": "CC0-1.0"}
    answer = app.post(f"/v1/batches/{batch}/pictures", headers=auth, data=words, files=three)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_input") and "3 of the files are named" in answer.json()["detail"]
    assert app.post(f"/v1/batches/{batch}/pictures", headers=auth, data=words, files=three[:1]).json()["new"] == 1
    answer = app.post(f"/v1/batches/{batch}/pictures", headers=auth, data=words, files=three[1:2])
    assert answer.status_code == 422 and "another picture named 'box.jpg'" in answer.json()["detail"]
    assert app.post(f"/v1/batches/{batch}/done", headers=auth).json()["new"] == 1


def test_hostile_words_stay_words(app, hub, tokens):
    for number, word in enumerate(HOSTILE):
        auth = headers(tokens["supplier"])
        assert submit(app, tokens["supplier"], key(), {"a.jpg": jpeg((9, number))}, labels=word.replace(";", ","), author=word).status_code == 200
        for field in ("licence", "place"):
            found = submit(app, tokens["supplier"], key(), {"a.jpg": jpeg((9, number))}, **{field: word}).json()
            assert found["refused"] == 1, found
        assert app.post(f"/v1/batches/{word.replace('/', '')}/wanted", headers=auth, json={word: word}).status_code == 422
        for path in ("/v1/batches/{}", "/v1/pictures/{}/thumbnail"):
            assert app.get(path.format(word), headers=auth).status_code in (400, 404)
        for query in ({"labels": [word]}, {"places": [word]}, {"licences": [word]}, {"since": word}, {"task": word}, {word: 1},
                      {"quality": word}, {"per_label": word}):
            answer = app.post("/v1/select", headers=headers(tokens["premium"]), json=query)
            assert answer.status_code in (200, 422), (query, answer.text)
            assert answer.status_code == 422 or answer.json()["total"] <= 1
        for body in ({"version": word}, {"version": 1, "overrides": {word: word}}, {"version": 1, "profile": word}):
            assert app.post("/v1/trainings", headers=headers(tokens["premium"]), json=body).status_code in (400, 422)
    with hub.owner_transaction() as cursor:
        cursor.execute("SELECT count(*) FROM hub.picture WHERE author = ANY(%s)", (HOSTILE,))
        assert cursor.fetchone() == (len(HOSTILE),)


@pytest.mark.parametrize(("files", "fits"), [({"a.jpg": "0" * 64}, True), ({"a\0.jpg": ""}, False), ({"a.jpg": "\0"}, False),
                                             ({}, True)])
def test_the_description_of_wanted_files_tells_what_is_taken(app, tokens, files, fits):
    import jsonschema

    about = app.get("/openapi.json").json()["paths"]["/v1/batches/{key}/wanted"]["post"]["requestBody"]["content"]
    valid = jsonschema.Draft202012Validator(about["application/json"]["schema"]).is_valid(files)
    answer = app.post("/v1/batches/k/wanted", headers=headers(tokens["supplier"]), json=files)
    assert (valid, answer.status_code) == (fits, 200 if fits else 422)


BIG = "9" * 25


@pytest.mark.parametrize(("method", "path", "content", "status"), [
    ("POST", "/v1/select", rb'{"labels": ["\u0000"]}', 422), ("POST", "/v1/select", rb'{"labels": ["\ud800"]}', 422),
    ("POST", "/v1/select", b'{"labels": ["\xff"]}', 400), ("POST", "/v1/select", b'{"labels":' * 5000 + b"1" + b"}" * 5000, 400),
    ("POST", "/v1/select", b"[" * 100_000, 400), ("POST", "/v1/select", b'{"per_label": %s}' % BIG.encode(), 400),
    ("POST", "/v1/select", b'{"quality": NaN}', 400), ("POST", "/v1/select", b'{"labels": [], "labels": []}', 400),
    ("POST", "/v1/select", b"[]", 400), ("POST", "/v1/select", b"", 400), ("POST", "/v1/select", b'"' + b"x" * 2**20 + b'"', 413),
    ("POST", "/v1/select?Last=3", b"{}", 400), ("POST", f"/v1/select?first={BIG}", b"{}", 200),
    ("POST", "/v1/watches", b'{"query": {}, "least": %s}' % BIG.encode(), 400),
    ("POST", "/v1/watches", b'{"query": {}, "least": 4294967296}', 400),
    ("POST", "/v1/trainings", b'{"version": %s}' % BIG.encode(), 400), ("POST", "/v1/trainings", b'{"version": 999999}', 404),
    ("POST", "/v1/trainings", rb'{"version": 1, "overrides": {"a\u0000": 1}}', 422),
    ("GET", f"/v1/pictures/{BIG}/thumbnail", b"", 400), ("GET", f"/v1/trainings/{BIG}", b"", 400),
    ("GET", f"/v1/trainings/{2**63 - 1}", b"", 404), ("GET", "/v1/trainings/-1", b"", 400),
    ("GET", f"/v1/versions/{BIG}/download", b"", 400), ("GET", "/v1/versions/999999/download", b"", 404),
    ("POST", f"/v1/versions/{BIG}/ticket", b"", 400), ("POST", "/v1/versions/999999/ticket", b"", 404),
    ("GET", "/v1/trainings/1/files/%00", b"", 400), ("GET", "/v1/tickets/%00", b"", 400)])
def test_no_bad_request_is_an_internal_error(app, tokens, method, path, content, status):
    answer = app.request(method, path, content=content, headers={**headers(tokens["premium"]), "content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert status == 200 or answer.json()["code"] != "internal"


@pytest.mark.parametrize(("name", "words", "status"), [
    ("a.jpg", {"author": "a\0b"}, 422), ("a.jpg", {"labels": "\0"}, 422), ("a\0.jpg", {}, 422),
    ("a.jpg", {"label": '{"a": "\\u0000"}', "task": "corners"}, 422), ("a.jpg", {"licens": "CC0-1.0"}, 400)])
def test_no_bad_field_of_a_form_is_an_internal_error(app, tokens, name, words, status):
    content = b"".join(b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % part for part in [
        (b"file", b'; filename="%s"' % name.encode(), jpeg(1)), *((key.encode(), b"", text.encode()) for key, text in words.items())])
    answer = app.post(f"/v1/batches/{key()}/pictures", content=content + b"--b--\r\n", headers={
        **headers(tokens["supplier"]), "content-type": "multipart/form-data; boundary=b"})
    assert answer.status_code == status, answer.text


# --- data sets and models out


def test_a_version_is_downloaded_with_the_token_or_once_with_a_ticket(app, hub, tokens):
    version = made(app, hub, tokens)
    auth = headers(tokens["customer"])
    found = app.get(f"/v1/versions/{version['id']}/download", headers=auth)
    assert found.headers["content-type"] == "application/x-tar" and f"core-box-{version['id']}.tar" in found.headers["content-disposition"]
    with tarfile.open(fileobj=io.BytesIO(found.content)) as tar:
        pictures = [name for name in tar.getnames() if name.endswith(".jpg")]
    assert len(pictures) == version["pictures"] == 3
    path = app.post(f"/v1/versions/{version['id']}/ticket", headers=auth).json()["path"]
    assert app.get(path).content == found.content
    for used in (path, "/v1/tickets/guessed"):
        assert (app.get(used).status_code, app.get(used).json()["code"]) == (404, "not_found")


def test_only_so_many_downloads_run_at_once_fewer_of_one_person_and_each_gives_its_place_back():
    from lib.common.http.problem_details import Problem
    from lib.common.http.shares import Shares
    from lib.hub.web.downloads import Stream

    shares = Shares(2, 1)

    def broken():
        yield b"a"
        raise OSError("the store is gone")

    for chunks, whole in ((iter([b"a", b"b"]), True), (broken(), False), (iter([]), True)):
        stream = Stream(chunks, shares.acquire("anna"))
        with pytest.raises(Problem, match="you have 1 of these"):
            shares.acquire("anna")
        with shares.held("bert"), pytest.raises(Problem, match="too many"):
            shares.acquire("cleo")
        if whole:
            list(stream)
        else:
            with pytest.raises(OSError):
                list(stream)
    Stream(iter([b"a"]), shares.acquire("anna")).close()
    shares.acquire("anna")


def test_a_model_and_its_figures_are_downloaded_by_who_asked_for_them(app, hub, tokens):
    version = made(app, hub, tokens)
    auth = headers(tokens["premium"])
    asked = app.post("/v1/trainings", headers=auth, json={"version": version["id"], "overrides": {"training.epochs": 1}}).json()
    assert asked["state"] == "queued" and asked["id"] in [each["id"] for each in app.get("/v1/trainings", headers=auth).json()["trainings"]]
    assert "no files yet" in app.get(f"/v1/trainings/{asked['id']}/files/model.zip", headers=auth).json()["detail"]
    files = {name: store.put(hub, data, trainings.KIND) for name, data in (("model.zip", b"zip"), ("figures/learning.png", b"png"))}
    taken = trainings.claim(hub, "w")
    trainings.finish(hub, taken, "done", {"files": files, "scores": []})
    assert app.get(f"/v1/trainings/{asked['id']}", headers=auth).json()["state"] == "done"
    assert app.get(f"/v1/trainings/{asked['id']}/files/figures/learning.png", headers=auth).content == b"png"
    path = app.post(f"/v1/trainings/{asked['id']}/ticket", headers=auth).json()["path"]
    assert app.get(path).content == b"zip"
    other = accounts.add(hub, f"other {next(NUMBERS)}", ("premium",))[1]
    for end in ("", "/files/model.zip"):
        assert app.get(f"/v1/trainings/{asked['id']}{end}", headers=headers(other)).status_code == 404


def test_thumbnails_and_selections_are_of_accepted_pictures_alone(app, hub, tokens):
    label = f"hidden {next(NUMBERS)}"
    submit(app, tokens["supplier"], key(), {"a.jpg": jpeg(next(NUMBERS))}, labels=label)
    query = {"url": "/v1/select", "headers": headers(tokens["customer"]), "json": {"labels": [label]}}
    with hub.owner_transaction() as cursor:
        cursor.execute("SELECT max(id) FROM hub.picture")
        number, = cursor.fetchone()
    shown = f"/v1/pictures/{number}/thumbnail"
    assert app.post(**query).json()["total"] == 0
    assert app.get(shown, headers=headers(tokens["customer"])).status_code == 404
    accept(hub)
    found = app.post(**query).json()
    assert found["total"] == 1 and [each["id"] for each in found["pictures"]] == [number]
    assert Image.open(io.BytesIO(app.get(shown, headers=headers(tokens["customer"])).content)).size[0] <= 160


# --- when something is wrong


def test_what_nobody_foresaw_is_an_internal_problem_whose_trace_is_in_the_log_alone(app, tokens, log, monkeypatch):
    from lib.hub.datasets import selection

    def broken(*_, **__):
        raise RuntimeError("s3cret detail")

    monkeypatch.setattr(selection, "counts", broken)
    answer = app.get("/v1/labels", headers=headers(tokens["customer"]))
    assert (answer.status_code, answer.json()["code"]) == (500, "internal") and "s3cret" not in answer.text
    line = next(each for each in log if each["trace_id"] == answer.json()["trace_id"])
    assert "s3cret detail" in line["trace"] and answer.headers["x-trace-id"] == line["trace_id"]
    assert not any(token in json.dumps(log) for token in tokens.values())
    for path, status, code in (("/nowhere", 404, "not_found"), ("/v1/me", 405, "no_method")):
        answer = app.delete(path, headers=headers(tokens["customer"]))
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_host_that_others_reach_wants_https_and_a_taken_port_is_told():
    from lib.hub.web import server

    with pytest.raises(config.ConfigError, match="hub.certificate"):
        server.check(config.resolve_group("hub", {"host": "0.0.0.0", "port": 0}))
    with pytest.raises(config.ConfigError, match="no pair"):
        server.check(config.resolve_group("hub", {"certificate": "/nowhere.pem", "key": "/nowhere.key"}))
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(config.ConfigError, match="is in use; stop what listens there or choose another hub.port"):
        server.check(config.resolve_group("hub", {"port": taken.getsockname()[1]}))


# --- a process that is killed, a database that is restarted


class Process:
    """The hub's app in a process of its own, on a PostgreSQL with a password."""

    def __init__(self, settings):
        self.settings, self.url = settings, f"http://127.0.0.1:{settings['hub.port']}"
        self.start()

    def start(self):
        code = ("import json, sys\nfrom lib.hub import access\nfrom lib.hub.web import server\n"
                "server.serve(access.open_hub(json.loads(sys.argv[1])), with_stdin=True)")
        self.process = subprocess.Popen([sys.executable, "-c", code, json.dumps(self.settings)], stdin=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(config.REPOSITORY)})
        end = time.monotonic() + 60
        while True:
            try:
                if httpx.get(f"{self.url}/health", trust_env=False).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            assert time.monotonic() < end, "the app does not come up"
            time.sleep(0.1)

    def kill(self):
        """kill -9 of the process and of the worker that granian started for it."""
        import psutil

        for each in [*psutil.Process(self.process.pid).children(recursive=True), psutil.Process(self.process.pid)]:
            each.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()


@pytest.fixture(scope="module")
def served(server, hub, tmp_path_factory):
    """A Process, and its hub."""
    name, tmp_path = f"hub{os.getpid()}", tmp_path_factory.mktemp("served")
    server.sql(f'CREATE DATABASE "{name}"')
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = {"hub.token": server.token(tmp_path / "token.json", database=name), "hub.store": str(tmp_path / "store"),
                "hub.port": port, "hub.uploads": 4, "api.batch_bytes": 2**20, "api.total_timeout": 1.0}
    hub = access.open_hub(settings)
    hub.migrate()
    process = Process(settings)
    yield process, hub
    if process.process.poll() is None:
        process.process.stdin.close()  # it ends with who started it
        process.process.wait(30)
    server.sql(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_a_body_that_never_ends_and_one_that_stops_are_ended(served):
    process, hub = served
    token = accounts.add(hub, "endless", ("supplier",))[1]
    host, port = process.url.removeprefix("http://").split(":")
    head = (f"POST /v1/batches/k/pictures HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n")
    begin = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    for endless, code in ((True, b"too_large"), (False, b"slow")):
        with socket.create_connection((host, int(port)), timeout=20) as line:
            line.sendall(head.encode() + b"%x\r\n%s\r\n" % (len(begin), begin))
            sent = 0
            try:
                while endless and sent < 64 * 2**20:
                    sent += line.send(b"10000\r\n" + b"x" * 2**16 + b"\r\n")
            except OSError:
                pass
            assert sent < 32 * 2**20
            answer = b""
            try:
                while chunk := line.recv(65536):
                    answer += chunk
            except OSError:  # reset once it was answered
                pass
            assert code in answer or endless and sent, answer


class Supplier(threading.Thread):
    """One who submits picture after picture, each until it is accepted, and notes the hashes of those that were."""

    def __init__(self, url, token, number, until):
        super().__init__()
        self.url, self.token, self.number, self.until, self.accepted, self.strange = url, token, number, until, [], []

    def run(self):
        with httpx.Client(trust_env=False, timeout=20) as client:
            for at in itertools.count():
                data = jpeg((self.number, at))
                while not self._sent(client, at, data):
                    time.sleep(0.1)
                self.accepted.append(sha(data))
                if self.until.is_set():
                    return

    def _sent(self, client, at, data):
        try:
            answer = client.post(f"{self.url}/v1/batches/crowd/pictures", headers=headers(self.token),
                                 data={"labels": "saw", "licence": "CC0-1.0"}, files={"file": (f"{at}.jpg", data)})
        except httpx.HTTPError:
            return False
        if answer.status_code not in (200, 429, 503):
            self.strange.append(answer.text)
        return answer.status_code == 200


def some(crowd, number):
    """Wait until so many pictures were accepted."""
    end = time.monotonic() + 60
    while sum(len(each.accepted) for each in crowd) < number:
        assert time.monotonic() < end, "the suppliers do not get on"
        time.sleep(0.02)


def test_no_accepted_picture_is_lost_and_none_comes_twice_through_a_kill_and_a_restart_of_postgresql(served, server):
    process, hub = served
    until = threading.Event()
    crowd = [Supplier(process.url, accounts.add(hub, f"s{n}", ("supplier",))[1], n, until) for n in range(6)]
    for each in crowd:
        each.start()
    some(crowd, 6)
    process.kill()
    process.start()
    some(crowd, 12)
    server.stop("immediate")
    server.start()
    some(crowd, 18)
    until.set()
    for each in crowd:
        each.join(60)
    accepted = [one for each in crowd for one in each.accepted]
    assert not any(each.is_alive() for each in crowd) and not any(each.strange for each in crowd), crowd[0].strange[:1]
    assert len(accepted) >= 18 and all(each.accepted for each in crowd)
    with hub.owner_transaction() as cursor:
        cursor.execute("SELECT sha256 FROM hub.picture")
        there = [one for one, in cursor.fetchall()]
        cursor.execute("SELECT count(*), count(DISTINCT picture) FROM hub.submission WHERE outcome = 'new'")
        entered = cursor.fetchone()
        cursor.execute("SELECT sum(change) FROM hub.tally WHERE label = 0")
        counted, = cursor.fetchone()
    assert sorted(there) == sorted(set(accepted)) and entered == (len(there), len(there)) and counted == len(there)
    for one in there:
        store.read(hub, one)


def test_forms_of_one_supplier_that_stand_still_leave_the_others_their_places(served):
    process, hub = served
    mine, other = (accounts.add(hub, name, ("supplier",))[1] for name in ("stands", "goes on"))
    host, port = process.url.removeprefix("http://").split(":")
    head = (f"POST /v1/batches/k/pictures HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {mine}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 5000\r\n\r\n--b")
    lines = [socket.create_connection((host, int(port)), timeout=20) for _ in range(8)]
    for line in lines:
        line.sendall(head.encode())
    time.sleep(0.5)
    for token, status in ((mine, 429), (other, 200)):
        answer = httpx.post(f"{process.url}/v1/batches/quick/pictures", headers=headers(token), trust_env=False, timeout=20,
                            data={"licence": "CC0-1.0"}, files={"file": ("a.jpg", jpeg((token, 1)))})
        assert answer.status_code == status, answer.text
    for line in lines:
        line.close()
