"""The HTTP foundation of the API and the hub: headers, queries, JSON, forms, threads, shares and the log, each within bounds."""

import asyncio
import json
import threading
import time

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from lib.common.http import access_log, form, json_body, query
from lib.common.http.description import Rendered
from lib.common.http.executor import BoundedExecutor
from lib.common.http.middleware import RequestMiddleware, no_route
from lib.common.http.problem_details import Problem
from lib.common.http.shares import Shares


class Noting(RequestMiddleware):
    """A middleware that keeps what it records."""

    head = frozenset({"/here"})
    kept = []

    def record(self, scope, status, seconds, notes):
        self.kept.append((scope["method"], scope["path"], status, notes.get("code")))


def application():
    async def here(request):
        return JSONResponse({"here": True})

    async def fails(request):
        raise RuntimeError("s3cret")

    return Starlette(routes=[Route("/here", here), Route("/here", here, methods=["POST"]), Route("/fails", fails)],
                     exception_handlers={HTTPException: no_route({404: "no_path", 405: "no_method"}, "no such path")},
                     middleware=[Middleware(Noting)])


def ask(method, path, headers=None):
    """The answer of the application to a request whose headers are pairs of bytes, sent as they are."""
    async def send():
        heard = []

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def hear(message):
            heard.append(message)

        path_only, _, text = path.partition("?")
        scope = {"type": "http", "http_version": "1.1", "method": method, "path": path_only, "raw_path": path_only.encode(),
                 "query_string": text.encode(), "scheme": "http", "root_path": "",
                 "headers": [(b"host", b"x")] if headers is None else headers}
        await application()(scope, receive, hear)
        return httpx.Response(heard[0]["status"], headers=heard[0]["headers"], content=heard[1]["body"])

    return asyncio.run(send())


HOST = b"host", b"x"


@pytest.mark.parametrize(("headers", "status", "said"), [
    ([], 400, "needs the header host"),
    ([HOST, HOST], 400, "host is there more than once"),
    ([HOST, (b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")], 400, "authorization is there more"),
    ([HOST, (b"content-type", b"a"), (b"content-type", b"b")], 400, "content-type is there more"),
    ([HOST, (b"transfer-encoding", b"gzip, chunked")], 400, "no Transfer-Encoding but chunked"),
    ([HOST, (b"content-type", b'multipart/form-data; x="' + b";" * 60_000)], 400, "longer than 1024"),
    ([HOST, (b"x", b"y" * 70_000)], 431, "larger than 64 KiB"),
    ([HOST, (b"transfer-encoding", b"Chunked")], 200, ""),
])
def test_headers_that_can_be_read_in_two_ways_or_cost_much_are_refused(headers, status, said):
    answer = ask("GET", "/here", headers)
    assert answer.status_code == status and said in answer.json().get("detail", "")


def test_head_is_answered_as_get_without_a_body():
    answer = ask("HEAD", "/here")
    assert (answer.status_code, answer.content) == (200, b"") and Noting.kept[-1][:3] == ("HEAD", "/here", 200)


def test_a_method_that_a_path_does_not_take_names_all_that_it_takes():
    answer = ask("DELETE", "/here")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


def test_what_nobody_foresaw_is_internal_and_tells_nothing():
    answer = ask("GET", "/fails")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal") and "s3cret" not in answer.text
    assert answer.headers["x-trace-id"] == answer.json()["trace_id"] and answer.headers["connection"] == "close"


@pytest.mark.parametrize("text", ["&".join(f"a{n}" for n in range(16_300)), "a=" + "x" * 9_000])
def test_a_query_of_many_names_is_refused_before_it_is_parsed(text):
    begun = time.monotonic()
    assert ask("GET", "/here?" + text).json()["code"] == "bad_request"
    assert time.monotonic() - begun < 0.2


def test_a_query_name_that_is_not_known_is_refused_with_the_nearest_one():
    class Request:
        query_params = {"Mode": "8"}

    with pytest.raises(Problem, match="no 'Mode' in its query; it takes draw, mode; did you mean mode") as raised:
        query.check_names(Request, {"mode", "draw"})
    assert (raised.value.code, raised.value.status) == ("bad_query", 400)


# --- JSON


@pytest.mark.parametrize("content", [
    b"{", b"[]", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": 9223372036854775808}', b'{"a": ' + b"9" * 10**6 + b"}",
    b'{"a": 1, "a": 2}', b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', b"[" * 10**6, b'{"a":' * 10**5 + b"1" + b"}" * 10**5,
    b'{"a":[' + b"1," * 500_000 + b"1]}"])
def test_json_that_is_none_or_costs_much_is_refused_at_once(content):
    begun = time.monotonic()
    with pytest.raises(Problem) as raised:
        json_body.parse(content)
    assert raised.value.code == "bad_json" and time.monotonic() - begun < 0.2


@pytest.mark.parametrize(("content", "fits"), [
    (rb'{"a": "\u0000"}', False), (rb'{"\u0000": 1}', False), (rb'{"a": ["\\\u0000"]}', False), (rb'{"a": "\ud800"}', False),
    (rb'{"a": "\\u0000"}', True), (rb'{"a": "\ud83d\ude00"}', True), ('{"a": "ü"}'.encode(), True)])
def test_texts_that_postgresql_cannot_hold_are_told_from_those_it_can(content, fits):
    assert json_body.storable(content, json_body.parse(content)) == fits


# --- forms


def fields(*parts, most=4, end=b"--b--\r\n"):
    content = b"".join(b"--b\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % part for part in parts) + end
    return form.fields(content, "multipart/form-data; boundary=b", most)


def test_a_form_is_its_fields_with_their_names_and_bytes():
    found = fields((b'name="file"; filename="b\xc3\xa4r \xff.jpg"', b"\x00\r\n--x"), (b'name="place"', b"Perth"))
    assert [(one.name, one.filename, bytes(one.data)) for one in found] == [
        ("file", "bär \udcff.jpg", b"\x00\r\n--x"), ("place", "", b"Perth")]


@pytest.mark.parametrize("how", [{"end": b""}, {"end": b"--b"}, {"most": 1}])
def test_a_form_that_does_not_end_or_has_many_fields_is_refused(how):
    with pytest.raises(Problem) as raised:
        fields((b'name="a"', b"1"), (b'name="b"', b"2"), **how)
    assert raised.value.code == "bad_request"


# --- threads, shares, the log


def test_a_thread_that_is_past_its_deadline_is_seen_until_it_comes_back():
    async def stuck():
        executor, free = BoundedExecutor(1, 0), threading.Event()
        with pytest.raises(Problem, match="took too long"):
            await executor.run(free.wait, 5, seconds=0.05)
        await asyncio.sleep(0.1)
        late = executor.overdue()
        free.set()
        while executor.taken:
            await asyncio.sleep(0.01)
        return late, executor.overdue(), executor.done

    late, after, done = asyncio.run(stuck())
    assert late > 0.05 and after == 0.0 and done == 1


def test_one_owner_holds_a_share_and_leaves_the_rest_to_others():
    shares = Shares(3, 2)
    first, second = shares.acquire("anna"), shares.acquire("anna")
    with pytest.raises(Problem, match="you have 2 of these") as raised:
        shares.acquire("anna")
    assert raised.value.status == 429 and raised.value.headers["Retry-After"]
    with shares.held("bert"), pytest.raises(Problem, match="too many"):
        shares.acquire("cleo")
    first()
    second()
    shares.acquire("anna")


def test_a_line_that_a_full_disk_tore_spoils_no_later_line(tmp_path, monkeypatch):
    log = access_log.AccessLog(str(tmp_path / "log"))
    log.close()
    room = [20]

    def opened(path, mode, **how):
        file = open(path, mode, **how)

        class Full:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                file.close()

            def write(self, content):
                return file.write(content[:room[0]])

        return Full()

    monkeypatch.setattr(access_log, "open", opened, raising=False)
    with pytest.raises(OSError, match="full"):
        log._put('{"number": 1, "what": "torn"}\n')
    room[0] = None
    log._put('{"number": 2}\n')
    torn, whole = (tmp_path / "log").read_text().splitlines()
    assert len(torn) == 20 and json.loads(whole) == {"number": 2}


def test_a_description_is_rendered_once_for_each_model():
    made, key = [], [object()]
    rendered = Rendered(lambda: made.append(1) or {"n": len(made)}, lambda found: f"page {found['n']}", lambda: key[0])
    assert [rendered.json(), rendered.json(), rendered.html()] == [b'{"n": 1}', b'{"n": 1}', b"page 1"]
    key[0] = object()
    assert rendered.html() == b"page 2" and len(made) == 2
