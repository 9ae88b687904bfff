"""The door to web servers: whatever the server does, a file is whole under its name or not there."""

import base64
import hashlib
import http.server
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.storage import downloads, files

BODY = bytes(range(256)) * 4000   # 1 MB


class Web:
    """A web server on this machine; `script` is a function of (path, how many times it was asked) to a trick."""

    def __init__(self):
        self.script, self.bodies, self.asked, self.tag = (lambda path, time: "well"), {}, [], '"one"'
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                time = sum(path == self.path for path, _ in web.asked)
                web.asked.append((self.path, self.headers.get("Range")))
                web.answer(self, web.script(self.path, time))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, handler, trick):
        body = self.bodies.get(handler.path, BODY)
        if isinstance(trick, int):
            return self.send(handler, trick, b"no", {"Retry-After": "0"})
        asked, start = handler.headers.get("Range"), 0
        if asked and trick != "no ranges" and handler.headers.get("If-Range") in (None, self.tag):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                return self.send(handler, 416, b"", {})
        headers = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
        if trick == "other range":
            headers["Content-Range"] = f"bytes 7-{len(body) - 1}/{len(body)}"
        if self.tag:
            headers["ETag"] = self.tag
        cut = len(body) // 2 if trick == "drop" else 10 if trick == "drop early" else None
        self.send(handler, 206 if start else 200, body[start:], headers, cut, trick == "slow")

    def send(self, handler, status, body, headers, cut=None, slow=False):
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        for at in range(0, len(body[:cut]), 50_000):
            handler.wfile.write(body[:cut][at:at + 50_000])
            time.sleep(0.2 * slow)
        if cut is not None:
            handler.close_connection = True
            handler.connection.shutdown(2)


@pytest.fixture
def web(monkeypatch):
    monkeypatch.setattr(downloads, "PAUSE", 0.001)
    server = Web()
    yield server
    server.server.shutdown()


def get(web, folder, names=("a.bin",), **more):
    return downloads.fetch({name: f"{web.url}/{name}" for name in names}, folder, progress=False, **more)


def test_files_come_whole_and_the_second_time_not_at_all(web, tmp_path):
    names = [f"d/{n}.bin" for n in range(12)]
    web.bodies = {f"/{name}": os.urandom(10_000 + n) for n, name in enumerate(names)}
    found = get(web, tmp_path, names, workers=4)
    assert found.new == 12 and not found.failed and list(found.there) == names
    for name in names:
        assert (tmp_path / name).read_bytes() == web.bodies[f"/{name}"]
    assert get(web, tmp_path, names).new == 0 and len(web.asked) == 12
    assert not list(tmp_path.rglob("*.part*"))


@pytest.mark.parametrize("tricks", [[500, 503, 429, "well"], ["drop", "well"], ["drop early", "drop", 502, "drop", "well"],
                                    ["drop", "no ranges"], ["drop", "other range", "well"]])
def test_what_goes_wrong_is_tried_again(web, tmp_path, tricks):
    web.script = lambda path, time: tricks[time]
    assert get(web, tmp_path).new == 1
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert len(web.asked) == len(tricks)


def test_a_broken_line_is_gone_on_with_where_it_broke(web, tmp_path):
    web.script = lambda path, time: "drop" if time < 5 else "well"   # more breaks than retries, each brings something
    get(web, tmp_path, retries=2)
    starts = [int(asked.removeprefix("bytes=").rstrip("-")) for _, asked in web.asked[1:]]
    assert starts == sorted(starts) and starts[0] > 0.45 * len(BODY) and starts[-1] > 0.9 * len(BODY)
    assert (tmp_path / "a.bin").read_bytes() == BODY


@pytest.mark.parametrize("tag", ['"two"', 'W/"weak"', ""])
def test_parts_of_two_versions_are_never_joined(web, tmp_path, tag):
    web.script = lambda path, time: "drop" if not time else "well"
    web.tag = '"one"' if tag.startswith('"') else tag
    assert get(web, tmp_path, retries=0).failed
    web.bodies["/a.bin"], web.tag = BODY[::-1], tag
    get(web, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == BODY[::-1]


def test_a_part_longer_than_the_file_is_thrown_away(web, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(BODY * 2)
    (tmp_path / "a.bin.part.tag").write_text('"one"')
    get(web, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_what_is_not_there_is_said_and_asked_for_once(web, tmp_path):
    web.script = lambda path, time: 404 if "b" in path[:2] else "well"
    found = get(web, tmp_path, ("a", "b", "c"))
    assert list(found.there) == ["a", "c"] and found.failed == {"b": "the server answered 404 Not Found (tried 1 times)"}
    assert not (tmp_path / "b").exists() and len(web.asked) == 3


@pytest.mark.parametrize("form", [lambda d: d.hexdigest(), lambda d: base64.b64encode(d.digest()).decode()])
def test_a_wrong_digest_is_fetched_anew_and_never_kept(web, tmp_path, form):
    right = {"a.bin": form(hashlib.md5(BODY))}
    (tmp_path / "a.bin").write_bytes(b"old")
    assert get(web, tmp_path, md5=right).new == 1 and (tmp_path / "a.bin").read_bytes() == BODY
    assert get(web, tmp_path, md5=right).new == 0
    found = get(web, tmp_path, ("b.bin",), md5={"b.bin": form(hashlib.md5(b"other"))}, retries=1)
    assert "MD5" in found.failed["b.bin"] and not list(tmp_path.glob("b.bin*"))


def test_a_server_that_is_down_ends_the_work_soon(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "PAUSE", 0.001)
    began = time.monotonic()
    with pytest.raises(downloads.Unreachable, match="20 files in a row .* run again"):
        downloads.fetch([f"http://127.0.0.1:1/{n}" for n in range(1000)], tmp_path, retries=1, progress=False)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("urls, said", [
    ({"../a": "http://x/a"}, "no name of a file"), ({"/etc/a": "http://x/a"}, "no name of a file"),
    ({"a": "file:///etc/passwd"}, "no http"), (["http://x/1/a", "http://x/2/a"], "several URLs end in 'a'"),
    (["http://x/"], "no name of a file")])
def test_names_and_urls_that_cannot_be_are_refused(tmp_path, urls, said):
    with pytest.raises(ValueError, match=said):
        downloads.fetch(urls, tmp_path)
    assert not os.listdir(tmp_path)


def test_a_digest_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'abc'; it must be 32"):
        downloads.fetch(["http://x/a"], tmp_path, md5={"a": "abc"})


def test_a_full_disk_is_said(web, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "free_megabytes", lambda folder: 0.5)
    with pytest.raises(files.DiskFull, match="MB are needed"):
        get(web, tmp_path)
    assert not (tmp_path / "a.bin").exists()


def test_a_killed_fetch_is_gone_on_with(web, tmp_path):
    web.script = lambda path, time: "slow" if not time else "well"
    code = f"from lib.storage import downloads; downloads.fetch(['{web.url}/a.bin'], {str(tmp_path)!r}, progress=False)"
    process = subprocess.Popen([sys.executable, "-c", code])
    part = tmp_path / "a.bin.part"
    while not part.is_file() or not part.stat().st_size:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    had = part.stat().st_size
    assert 0 < had < len(BODY) and not (tmp_path / "a.bin").exists()
    get(web, tmp_path)
    assert web.asked[-1] == ("/a.bin", f"bytes={had}-") and (tmp_path / "a.bin").read_bytes() == BODY


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tricks=st.lists(st.sampled_from([500, 408, 429, "well", "drop", "drop early", "no ranges", "other range", "weak"]),
                       max_size=6), size=st.integers(0, 3000))
def test_whatever_the_server_does_a_file_is_whole_or_not_there(web, tmp_path_factory, tricks, size):
    folder, body = tmp_path_factory.mktemp("any"), os.urandom(size)
    web.bodies["/a.bin"] = body
    web.script = lambda path, time: tricks[time] if time < len(tricks) else "well"
    web.asked.clear()
    found = get(web, folder, retries=2)
    path = folder / "a.bin"
    assert path.is_file() == ("a.bin" in found.there) and (not path.is_file() or path.read_bytes() == body)
