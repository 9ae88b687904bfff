"""The 24 ways of RELIABILITY (109-132) in which a client may misbehave, byte for byte, each with its one outcome."""

import concurrent.futures
import re
import socket
import time

import pytest
import toy_export
from test_api import picture, settings

from lib.serving import api

LIMIT = 2**20  # bytes of a body
SLOW = 1.0     # s in which a body must come, so that the tests of slow ones are quick


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = toy_export.folder(tmp_path_factory)
    with api.start(folder, settings(read_timeout=SLOW, max_bytes=LIMIT, queue=64)) as server:
        yield server


def raw(server, pieces, gap=0.0, seconds=15):
    """What a server says to bytes sent as they are: (statuses, codes, whether it closed, seconds)."""
    host, port = server.url.removeprefix("http://").split(":")
    begun, heard, closed = time.monotonic(), b"", False
    with socket.create_connection((host, int(port)), timeout=seconds) as line:
        try:
            for piece in pieces:
                line.sendall(piece)
                time.sleep(gap)
        except OSError:
            pass  # it has hung up already; what it said is still to be read
        try:
            while piece := line.recv(65536):
                heard += piece
            closed = True
        except ConnectionResetError:
            closed = True
        except TimeoutError:
            pass
    assert b"Traceback" not in heard and b"site-packages" not in heard
    statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", heard)]
    codes = [code.decode() for code in re.findall(rb'"code": "(\w+)"', heard)]
    return statuses, codes, closed, time.monotonic() - begun


PICTURE = picture()
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /predict HTTP/1.1\r\nHost: x\r\n"
LAST = b"Connection: close\r\n"


def post(data=PICTURE, headers=b"", path=b"/predict"):
    """A whole POST, the last one of its line."""
    return [b"POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n%s\r\n" % (path, LAST, len(data), headers) + data]


def get(path):
    return [b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (path, LAST)]


def typed(kind):
    return b"Content-Type: %s\r\n" % kind


def form(*fields, end=b"--b--\r\n"):
    """A POST with a form of fields: (what follows form-data, content)."""
    parts = [b"--b\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % field for field in fields]
    return post(b"".join(parts) + end, typed(b"multipart/form-data; boundary=b"))


def named(name):
    return form((b'name="file"; filename="%s"' % name, PICTURE))


def sized(length):
    return [POST + b"Content-Length: " + length + b"\r\n\r\nhello"]


def smuggled(head):
    """A picture whose head says two lengths, and a second request behind it."""
    return [POST + head + b"\r\n%x\r\n" % len(PICTURE) + PICTURE + b"\r\n0\r\n\r\n" + HEALTH]


FILE = b'name="file"', PICTURE
BAD, SIZED = ([400], ["bad_request"]), ([400], [])  # told by us; by the server before us, in its own few words
FINE = [200], []
CASES = {  # what is sent, what is answered: statuses, codes
    "109 GET on a POST route": (get(b"/predict"), [405], ["no_method"]),
    "109 DELETE": ([b"DELETE /predict HTTP/1.1\r\nHost: x\r\n" + LAST + b"\r\n"], [405], ["no_method"]),
    "110 unknown path": (get(b"/nothing"), [404], ["no_path"]),
    "111 path that climbs": (get(b"/../../etc/passwd"), [404], ["no_path"]),
    "111 path that climbs, encoded": (get(b"/%2e%2e/..%2f..%2fetc/passwd"), [404], ["no_path"]),
    "111 path that climbs into a task": (post(path=b"/v1/..%2f..%2fetc/predict"), [404], ["no_path"]),
    "112 no Content-Type": (post(), *FINE),
    "113 Content-Type of a picture": (post(headers=typed(b"image/png")), *FINE),
    "113 Content-Type of a page": (post(headers=typed(b"text/html")), *FINE),
    "113 Content-Type of fields": (post(headers=typed(b"application/x-www-form-urlencoded")), *FINE),
    "113 Content-Type that is none": (post(headers=typed(b"nonsense")), *FINE),
    "114 33 MiB by its length": ([POST + b"Content-Length: 34603008\r\n\r\n"], [413], ["too_large"]),
    "114 one byte too many": (post(b"\xff" * (LIMIT + 1)), [413], ["too_large"]),
    "116 length -5": (sized(b"-5"), *SIZED), "116 length +5": (sized(b"+5"), *SIZED),
    "116 length 5,5": (sized(b"5,5"), *SIZED), "116 length 10^20": (sized(b"1" + b"0" * 20), *SIZED),
    "116 two lengths": (sized(b"5\r\nContent-Length: 6"), *SIZED), "116 length x": (sized(b"x"), *SIZED),
    "117 length and chunked": (smuggled(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), *FINE),
    "117 chunked and length": (smuggled(b"Transfer-Encoding: chunked\r\nContent-Length: 99999\r\n"), *FINE),
    "117 chunked and identity": (smuggled(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), *SIZED),
    "117 another encoding": (smuggled(b"Transfer-Encoding: xchunked\r\n"), *SIZED),
    "118 bad chunk size": ([POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"], *BAD),
    "119 a body that stops": ([POST + b"Content-Length: 5000\r\n\r\nhello"], [408], ["slow"]),
    "120 a dribbled body": ([POST + b"Content-Length: 50\r\n\r\n"] + [b"x"] * 30, [408], ["slow"]),
    "121 dribbled headers": ([POST] + [b"X-a: b\r\n"] * 50, [], []),
    "121 nothing": ([b""], [], []),
    "121 nothing after an answer": ([HEALTH], *FINE),
    "122 a header of 100 kB": ([POST + b"X-a: " + b"x" * 100_000 + b"\r\n\r\n"], [431], ["large_headers"]),
    "122 a path of 100 kB": ([b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"], [414], []),
    "123 10,000 headers": ([POST + b"".join(b"X-%d: y\r\n" % at for at in range(10_000)) + b"\r\n"], [431], []),
    "124 TLS on the plain port": ([bytes.fromhex("16030100a5010000a10303") + bytes(154)], *SIZED),
    "125 HTTP/0.9": ([b"GET /health\r\n\r\n"], *SIZED),
    "125 HTTP/3.0": ([b"GET /health HTTP/3.0\r\nHost: x\r\n\r\n"], *SIZED),
    "126 Expect: 100-continue": ([POST + LAST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(PICTURE),
                                  PICTURE], [100, 200], []),
    "128 100 requests in a row": ([HEALTH * 99] + get(b"/health"), [200] * 100, []),
    "129 gzip": (post(headers=b"Content-Encoding: gzip\r\n"), [415], ["not_a_picture"]),
    "130 no file": (form((b'name="other"', b"x")), *BAD),
    "130 no field": (form(), *BAD),
    "130 two files": (form(FILE, FILE), *BAD),
    "130 1,001 fields": (form(*[(b'name="x"', b"x")] * 1001), *BAD),
    "130 an endless header in a field": (post(b"--b\r\n" + b"X" * 100_000, typed(b"multipart/form-data; boundary=b")),
                                         *BAD),
    "130 1,000 headers in a field": (post(b"--b\r\n" + b"X: y\r\n" * 1000, typed(b"multipart/form-data; boundary=b")),
                                     *BAD),
    "130 a field that does not end": (form(FILE, end=b""), *BAD),
    "130 a large field without a name": (form((b"", b"x" * (LIMIT + 2**17))), [413], ["too_large"]),
    "130 no boundary": (post(b"", typed(b"multipart/form-data")), *BAD),
    "130 no form": (post(b"x", typed(b"multipart/form-data; boundary=b")), *BAD),
    "130 a boundary of 5,000": (post(b"--b--\r\n", typed(b"multipart/form-data; boundary=" + b"b" * 5000)), *BAD),
    "131 a name that climbs": (named(b"../../x.jpg"), *FINE), "131 a name with NUL": (named(b"a\0b"), *FINE),
    "131 a name of 3 kB": (named(b"x" * 3000), *FINE), "131 a name of 10 kB": (named(b"x" * 10_000), *BAD),
    "131 a name that turns": (named("\u202egpj.exe".encode()), *FINE),
    "131 a name with a quote": (named(b'"; filename="b'), *FINE),
    "HEAD of the page": ([b"HEAD / HTTP/1.1\r\nHost: x\r\n" + LAST + b"\r\n"], *FINE),
    "HEAD of health": ([b"HEAD /health HTTP/1.1\r\nHost: x\r\n" + LAST + b"\r\n"], *FINE),
    "HEAD of an answer": ([b"HEAD /predict HTTP/1.1\r\nHost: x\r\n" + LAST + b"\r\n"], [405], []),
    "two hosts": (post(headers=b"Host: y\r\n"), *BAD),
    "no host": ([b"GET /health HTTP/1.1\r\n" + LAST + b"\r\n"], *BAD),
    "two tokens": (post(headers=b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"), *BAD),
    "gzip, chunked": ([POST + LAST + b"Transfer-Encoding: gzip, chunked\r\n\r\n%x\r\n" % len(PICTURE) + PICTURE + b"\r\n0\r\n\r\n"],
                      *BAD),
    "16,300 names in a query": (post(path=b"/predict?" + b"&".join(b"%x" % n for n in range(10_000))), *BAD),
    "a name that nobody knows": (post(path=b"/predict?Mode=8"), [400], ["bad_query"]),
    "a Content-Type of 30 kB": (post(headers=typed(b'multipart/form-data; x="' + b";" * 30_000)), *BAD),
    **{f"132 mode {mode!r}": (post(path=b"/predict?mode=" + mode), [400], ["bad_mode"]) for mode in (
        b"7", b"10", b"", b"9;%20rm", "٩".encode(), b"%D9%A9", b"9.0", b"8&mode=9", b"9%00")},
}
GAPS = {"120": 0.2, "121 dribbled": 0.2}  # s between two pieces


@pytest.fixture(scope="module")
def found(server):
    """What came of each case, all asked side by side, since the slow ones take their time."""
    def gap(name):
        return next((seconds for key, seconds in GAPS.items() if name.startswith(key)), 0.0)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        asked = {name: pool.submit(raw, server, case[0], gap(name)) for name, case in CASES.items()}
        return {name: one.result() for name, one in asked.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_request_has_its_one_outcome(found, name):
    statuses, codes, closed, seconds = found[name]
    if statuses == [431]:  # by the server or by us, as the pieces come
        codes = codes or CASES[name][2]
    assert (statuses, codes) == CASES[name][1:], name
    assert closed and seconds < 12


def test_115_an_endless_body_is_not_read(server):
    host, port = server.url.removeprefix("http://").split(":")
    sent, chunk = 0, b"20000\r\n" + b"x" * 2**17 + b"\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**17)  # what waits here is not what is read there
        line.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(OSError):
            while sent < 600 * 2**20:
                line.sendall(chunk)
                sent += len(chunk)
    assert sent < LIMIT + 8 * 2**20  # of it, what the system's own buffers hold


def test_127_clients_that_leave_do_no_harm(server):
    host, port = server.url.removeprefix("http://").split(":")
    for sent in (POST, POST + b"Content-Length: 50\r\n\r\nabc", *post()):
        for _ in range(5):
            with socket.create_connection((host, int(port))) as line:
                line.sendall(sent)
    assert server.ask(PICTURE)["p1x"] > 0
    assert server.get("/health")["ready"]
