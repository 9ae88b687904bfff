"""Delay of other clients of the API and the hub beside clients that send expensive requests, by attack.

    python -m benchmarks.attacks api [--only NAME …] [--seconds 6] [--attackers 1 4]
    python -m benchmarks.attacks hub

For each attack: the longest delay of /v2/health/live and of a good picture, alone and beside so many attackers, each a
process that repeats its request. Of the hub it is that of /v1/me without a token, a 401 that the event loop tells alone. `--url` tests a server that runs already (with `--token`, the hub).
Results are added to outputs/benchmarks/attacks.json.
"""

import argparse
import collections
import contextlib
import http.client
import io
import itertools
import json
import multiprocessing
import os
import socket
import string
import struct
import subprocess
import sys
import threading
import time
import zlib
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from lib.common import config
from lib.storage import files

OUT = "outputs/benchmarks/attacks.json"
LIVE = 0.2            # s that the event loop may wait, for bodies of up to 1 MB
BESIDE = {1: 1.0, 4: 2.0}   # s that a good picture may wait longer than alone, by attackers; 429 is an answer too


@dataclass
class Attack:
    """A request that costs much: `body` whole, or stopped after its first byte (`stands`), or its answer not read (`unread`)."""

    path: str
    body: bytes = b""
    method: str = "POST"
    headers: dict = field(default_factory=dict)
    stands: bool = False
    unread: bool = False


def jpeg(size=(640, 480), **options):
    """A photograph-like JPEG."""
    noise = np.random.default_rng(size[0]).integers(0, 255, (size[1] // 40, size[0] // 40, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


def scans(number, size=(5000, 5000)):
    """A small progressive JPEG of a plain grey whose last scan is there so many times: each goes over all of the picture."""
    buffer = io.BytesIO()
    Image.new("RGB", size, "grey").save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:end] + data[last:end] * number + b"\xff\xd9"


def filled(size):
    """A JPEG whose start is followed by so many bytes of fill."""
    return b"\xff\xd8" + b"\xff" * size + jpeg()[2:]


def segments(size):
    """A JPEG with so many bytes of empty comments."""
    return b"\xff\xd8" + b"\xff\xfe\x00\x02" * (size // 4) + jpeg()[2:]


def deep_png(side):
    """A PNG of 16-bit RGBA pixels, all alike: small as a file, eight bytes a pixel."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, rows = zlib.compressobj(6), b"\0" + bytes(8 * side)
    packed = b"".join(packer.compress(rows) for _ in range(side)) + packer.flush()
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 0))
            + chunk(b"IDAT", packed) + chunk(b"IEND", b""))


def form(*parts):
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


FORM = {"Content-Type": "multipart/form-data; boundary=b"}
FILE = b'Content-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
LETTERS = string.ascii_letters + string.digits
NAMES = "&".join("".join(each) for n in (2, 3) for each in itertools.product(LETTERS, repeat=n))[:60_000]


def api_attacks():
    """Attacks on the API by name; those that end in MiB are larger than 1 MB."""
    infer = "/v2/models/corners/infer"
    return {
        "15,000 query names": lambda: Attack("/predict?" + NAMES, jpeg()),
        "query names on infer": lambda: Attack(infer + "?" + NAMES, b"{}"),
        "JPEG of 400 scans": lambda: Attack("/predict", scans(400)),
        "JPEG of 1 MB of fill": lambda: Attack("/predict", filled(10**6)),
        "JPEG of 32 MiB of fill": lambda: Attack("/predict", filled(31 * 2**20)),
        "JPEG of 1 MB of empty segments": lambda: Attack("/predict", segments(10**6)),
        "JPEG of 32 MiB of empty segments": lambda: Attack("/predict", segments(31 * 2**20)),
        "JPEG of 49 Mpx": lambda: Attack("/predict", jpeg((7000, 7000))),
        "PNG of 7000x7000 RGBA 16 bit": lambda: Attack("/predict", deep_png(7000)),
        "/docs": lambda: Attack("/docs", method="GET"),
        "/openapi.json": lambda: Attack("/openapi.json", method="GET"),
        "/docs, unread": lambda: Attack("/docs", method="GET", unread=True),
        "/metrics": lambda: Attack("/metrics", method="GET"),
        "JSON of 1 MB of brackets": lambda: Attack(infer, b'{"a":' + b"[" * 500_000 + b"]" * 499_990 + b"}"),
        "JSON of 1 MB of numbers": lambda: Attack(infer, b'{"a":[' + b"1," * 499_990 + b"1]}"),
        "JSON of 1 MB of digits": lambda: Attack(infer, b'{"a":' + b"9" * 10**6 + b"}"),
        "JSON of 1 MB of base64": lambda: Attack(infer, json.dumps({"inputs": [{
            "name": "image", "datatype": "BYTES", "shape": [1], "data": ["A" * 999_900]}]}).encode()),
        "form of 1 MB of line ends": lambda: Attack("/predict", form(FILE + b"\r\n" * 499_000), headers=FORM),
        "form of 1 MB of half boundaries": lambda: Attack("/predict", form(FILE + b"\r\n-" * 333_000), headers=FORM),
        "form of 1 MB of fields": lambda: Attack("/predict", form(*[b'Content-Disposition: form-data; name="x"\r\n\r\n'] * 18_000),
                                                 headers=FORM),
        "Content-Type of 60 kB": lambda: Attack("/predict", b"x", headers={
            "Content-Type": 'multipart/form-data; x="' + ";" * 60_000}),
        "a body that stands": lambda: Attack("/predict", jpeg(), stands=True),
    }


def hub_attacks():
    """Attacks on the hub by name."""
    select, take = "/v1/select", "/v1/batches/k/pictures"
    typed = {"Content-Type": "application/json"}
    return {
        "15,000 query names": lambda: Attack(select + "?" + NAMES, b"{}", headers=typed),
        "JSON of 60 MiB": lambda: Attack(select, b'{"labels":[' + b'"a",' * 15_000_000 + b'"a"]}', headers=typed),
        "JSON of 1 MB of brackets": lambda: Attack(select, b'{"a":' + b"[" * 500_000 + b"]" * 499_990 + b"}", headers=typed),
        "JSON of 1 MB of objects": lambda: Attack(select, b'{"labels":[' + b"{}," * 333_000 + b"1]}", headers=typed),
        "wanted, 8 MB of names": lambda: Attack("/v1/batches/k/wanted", json.dumps(
            {f"{n:05}" + "x" * 330: "0" * 64 for n in range(19_000)}).encode(), headers=typed),
        "form of 1 MB of line ends": lambda: Attack(take, form(FILE + b"\r\n" * 499_000), headers=FORM),
        "form of 1 MB of half boundaries": lambda: Attack(take, form(FILE + b"\r\n-" * 333_000), headers=FORM),
        "Content-Type of 60 kB": lambda: Attack(take, b"x", headers={"Content-Type": 'multipart/form-data; x="' + ";" * 60_000}),
        "/openapi.json": lambda: Attack("/openapi.json", method="GET"),
        "eight forms that stand": lambda: Attack(take, form(FILE + jpeg()), headers=FORM, stands=True),
    }


# --- who asks


def ask(url, method, path, body=None, headers=None, timeout=120):
    """The seconds a request took, and its status; a connection that broke is its error's name."""
    begun = time.monotonic()
    line = http.client.HTTPConnection(url.removeprefix("http://"), timeout=timeout)
    try:
        line.request(method, path, body, headers or {})
        answer = line.getresponse()
        answer.read()
        return time.monotonic() - begun, answer.status
    except (OSError, http.client.HTTPException) as error:
        return time.monotonic() - begun, type(error).__name__
    finally:
        line.close()


def attacking(url, attack, token, seconds, heard):
    """Send an attack again and again for so many seconds; puts into the queue `heard` that it begins, then the statuses."""
    headers, found, until = {**attack.headers, **bearer(token)}, collections.Counter(), time.time() + seconds
    heard.put(None)
    while time.time() < until:
        if attack.stands or attack.unread:
            with contextlib.ExitStack() as held:
                for _ in range(8):
                    held.enter_context(_half(url, attack, headers))
                time.sleep(max(0.0, until - time.time()))
        else:
            found[str(ask(url, attack.method, attack.path, attack.body, headers)[1])] += 1
    heard.put(dict(found))


def _half(url, attack, headers):
    """A connection on which a request is begun, or whose answer nobody reads."""
    host, port = url.removeprefix("http://").split(":")
    line = socket.create_connection((host, int(port)), timeout=20)
    head = f"{attack.method} {attack.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(attack.body)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    with contextlib.suppress(OSError):
        line.sendall(head.encode() * (1 if attack.stands else 20) + attack.body[:1] * attack.stands)
    return line


def bearer(token):
    return {"Authorization": f"Bearer {token}"} if token else {}


def good(url, hub):
    """A function that sends a good picture: (seconds, status)."""
    if not hub:
        return lambda: ask(url, "POST", "/predict", jpeg())

    def submit():
        own = os.urandom(8)   # a picture and a name of its own
        parts = [b'Content-Disposition: form-data; name="file"; filename="%s.jpg"\r\n\r\n' % own.hex().encode() + jpeg() + own,
                 b'Content-Disposition: form-data; name="licence"\r\n\r\nCC0-1.0']
        return ask(url, "POST", "/v1/batches/good/pictures", form(*parts), {**FORM, **bearer(hub)})

    return submit


def waited(url, seconds, live, picture):
    """The longest that `live` and a good picture waited in so many seconds, and the statuses of the pictures."""
    until, lives, pictures, statuses = time.monotonic() + seconds, [], [], collections.Counter()

    def look():
        while time.monotonic() < until:
            lives.append(ask(url, "GET", *live)[0])
            time.sleep(0.02)

    def send():
        while time.monotonic() < until:
            took, status = picture()
            pictures.append(took)
            statuses[str(status)] += 1
            time.sleep(0.05)

    threads = [threading.Thread(target=look), threading.Thread(target=send)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"live s": round(max(lives), 3), "picture s": round(max(pictures), 3),
            "median s": round(float(np.median(pictures)), 3), "statuses": dict(statuses)}


def beside(url, attack, count, seconds, live, picture, token=""):
    """As `waited`, beside so many attackers; what they were answered too."""
    context = multiprocessing.get_context("spawn")
    heard = context.Queue()
    attackers = [context.Process(target=attacking, args=(url, attack, token, seconds + 10.0, heard)) for _ in range(count)]
    for each in attackers:
        each.start()
    for _ in attackers:
        heard.get(timeout=120)
    time.sleep(0.2)
    found = waited(url, seconds, live, picture)
    answered = collections.Counter()
    for each in attackers:
        with contextlib.suppress(Exception):  # one that still waits for its answer says nothing
            answered.update(heard.get(timeout=12))
        each.kill()
        each.join()
    return {**found, "attackers were told": dict(answered)}


def measure(url, attacks, seconds, counts, hub="", attacker=""):
    """Lines of figures for each attack; `hub` and `attacker` are the tokens of the hub's good supplier and of the other."""
    live = ("/v1/me",) if hub else ("/v2/health/live",)
    picture = good(url, hub)
    alone = waited(url, seconds, live, picture)
    print("alone", alone, flush=True)
    yield {"attack": "none", "attackers": 0, **alone}
    for name, make in attacks.items():
        attack = make()
        for count in counts:
            settle(url, live, picture)
            found = beside(url, attack, count, seconds, live, picture, attacker)
            line = {"attack": name, "kB": len(attack.body) // 1000, "attackers": count, **found,
                    "later s": round(found["picture s"] - alone["picture s"], 3)}
            line["held"] = held(line)
            print(line, flush=True)
            yield line


def held(line):
    """Whether a line keeps the bars."""
    fine = set(line["statuses"]) <= {"200", "429"} and line["later s"] <= BESIDE.get(line["attackers"], 2.0)
    return fine and (line["kB"] > 1_050 or line["live s"] <= LIVE)


def settle(url, live, picture, within=120):
    """Wait until what was asked before holds nobody up any more."""
    until = time.monotonic() + within
    while time.monotonic() < until and max(ask(url, "GET", *live)[0], picture()[0]) > 0.5:
        time.sleep(0.5)


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("what", choices=["api", "hub"])
    words.add_argument("--only", nargs="+", default=[])
    words.add_argument("--seconds", type=float, default=6.0)
    words.add_argument("--attackers", type=int, nargs="+", default=[1, 4])
    words.add_argument("--url", default="")
    words.add_argument("--token", nargs=2, default=["", ""], help="of the good supplier, and of the attacker")
    words.add_argument("--label", default="", help="noted with the lines")
    given = words.parse_args()
    attacks = api_attacks() if given.what == "api" else hub_attacks()
    chosen = {name: make for name, make in attacks.items() if not given.only or any(one in name for one in given.only)}
    with contextlib.ExitStack() as held_open:
        url, token = given.url, given.token
        if not url:
            url, token = held_open.enter_context(serving(given.what))
        lines = list(measure(url, chosen, given.seconds, given.attackers, *token))
    import pandas as pd

    path = config.home() / OUT
    there = files.read_json(path) if path.is_file() else {}
    now = {"label": given.label, "date": time.strftime("%Y-%m-%d"), "load": round(os.getloadavg()[0], 1), "lines": lines}
    files.write_json(path, {**there, given.what: [*there.get(given.what, []), now]})
    print(pd.DataFrame(lines).drop(columns=["statuses", "attackers were told"], errors="ignore").to_string(index=False))
    return int(not all(line.get("held", True) for line in lines))


@contextlib.contextmanager
def serving(what):
    """A server of its own: its URL, and the tokens."""
    from benchmarks.reliability import _export, _home

    with _home() as home:
        if what == "hub":
            with serving_hub(home) as (url, tokens):
                yield url, tokens
        else:
            from lib.serving import api

            with api.start(_export(home), config.resolve_group("api", {"port": 0, "log": os.devnull})) as server:
                yield server.url, ("", "")


@contextlib.contextmanager
def serving_hub(home, **settings):
    """The hub's app in a process of its own on an embedded PostgreSQL: its URL, and the tokens of two people."""
    from lib.common.http.server import environment, free_port
    from lib.hub import access, accounts
    from lib.hub.intake import sources, uploads

    os.environ["COREBOX_HOME"] = str(home)
    port = free_port("127.0.0.1")
    chosen = {"hub.port": port, "hub.name": "attacked", **settings}
    hub = access.open_hub(chosen)
    hub.migrate()
    (good, token), (_, other) = (accounts.add(hub, name, ("supplier", "premium")) for name in ("good", "other"))
    uploads.receive(hub, good, "first", [sources.Item("first.jpg", jpeg(), {"licence": "CC0-1.0"})])
    with hub.owner_transaction() as cursor:   # one that can be chosen
        cursor.execute("UPDATE hub.picture SET status = 'accepted', quality = 0.9, verified = now()")
    words = [f"{name}={value}" for name, value in chosen.items()]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([sys.executable, "-m", "lib", "hub", "serve", "--with-stdin", "--set", *words], env=environment(),
                          stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 60
            while ask(url, "GET", "/health")[1] != 200:
                if time.monotonic() > until or process.poll() is not None:
                    raise RuntimeError("the hub's app does not come up")
                time.sleep(0.1)
            yield url, (token, other)
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
