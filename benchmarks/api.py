"""Throughput, overload, stalled clients, model swaps, memory, start and large bodies of the API.

    python -m benchmarks.api load [--seconds 10] [--clients 1 8 64 512]   beside a plain loop in two processes, and Flask
    python -m benchmarks.api stalled [--stalled 500]                      clients that stop within a request or an answer
    python -m benchmarks.api swap [--swaps 1000] [--every 0.2]            two models alternating under load
    python -m benchmarks.api fresh [--swaps 10]                           models that were never loaded before, under load
    python -m benchmarks.api memory [--requests 20000]                    resident memory before and after
    python -m benchmarks.api start | body                                 time from start to ready; a body of 600 MB

Each takes `--export FOLDER` (default: the newest run's) and serves it on a free port of this machine. The clients share its
processors: wrk where it is installed, which costs little, else threads of this process. `--set api.processes=2` and the
like are settings of the server. Results are added to outputs/benchmarks/api.json under the name of the part, each with the
machine's load before it began.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import multiprocessing
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd

from lib import tasks
from lib.common import config
from lib.common.http.server import free_port
from lib.serving import api, export_check, prediction
from lib.storage import files, runs

SIZES = {"640x480": (640, 480), "12 MP": (4000, 3000)}
ANSWERED = 20.0  # s within which some hundred have been answered, or told to come again
SETTLED = 3.0  # s after which what was asked is answered, whether its client still waits or not
ROUNDS = 4
FLASK = 40.0  # s that Flask is asked for: it takes seconds for an answer
OUT = "outputs/benchmarks/api.json"


def photograph(size):
    """A JPEG of a generated core box."""
    return tasks.job("corners").sample(np.random.default_rng(1), size)[0]


class Clients:
    """Clients that ask again and again over lines they keep open; `asked` holds (when, seconds, status, answer).

    They wait `pause` seconds after each answer.
    """

    def __init__(self, server, count, content, path="/predict", pause=0.0):
        self.asked, self._done, self._pause, url = [], threading.Event(), pause, getattr(server, "url", server)
        self._threads = [threading.Thread(target=self._ask, args=(url, content, path)) for _ in range(count)]

    def _ask(self, url, content, path):
        line = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        while not self._done.is_set():
            begun = time.monotonic()
            try:
                line.request("POST" if content else "GET", path, content)
                answer = line.getresponse()
                status, said = answer.status, json.loads(answer.read())
            except (OSError, http.client.HTTPException) as error:
                line.close()
                status, said = type(error).__name__, {}
            self.asked.append((begun, time.monotonic() - begun, status, said))
            time.sleep(0.1 if status == 429 else self._pause)  # who is told to come again does not do so at once

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        for thread in self._threads:
            thread.join()


def milliseconds(seconds, part):
    return round(1000 * float(np.quantile(seconds, part)), 1) if len(seconds) else None


def _loop(export, content, seconds):
    """Pictures a second of one process that decodes and answers, and does nothing else."""
    predictor = prediction.load(export)
    predictor.answer(content)
    begun, count = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        predictor.answer(content)
        count += 1
    return count / seconds


def plain(pool, export, content, seconds):
    """Pictures a second of two such processes."""
    return sum(pool.map(_loop, [export] * 2, [content] * 2, [seconds] * 2))


def load(export, given):
    """Throughput, latency and refusals by picture and number of clients, with the latency of /v2/health/live.

    The plain loop is timed before and after each, since other work on the machine comes and goes. It has no client, and
    ours take their part of the same processors: `beside clients` is the share of what the loop would reach in the rest.
    """
    lines = []
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool, \
            api.start(export, settings(given)) as server, contextlib.ExitStack() as held:
        naive = held.enter_context(flask(export)) if given.flask else None
        for name, size in SIZES.items():
            content = photograph(size)
            plain(pool, export, content, 1.0)
            for count in given.clients:
                line = {"picture": name, "clients": count, "load": round(os.getloadavg()[0], 1)}
                before = plain(pool, export, content, given.seconds / 2)
                begun = spent()
                with Clients(server, 1, None, "/v2/health/live", pause=0.05) as health:
                    line |= asking(server.url, count, content, given.seconds)
                clients = (spent() - begun) / given.seconds / os.cpu_count()
                time.sleep(SETTLED)
                alone = (before + plain(pool, export, content, given.seconds / 2)) / 2
                line |= {"plain loop /s": round(alone, 1), "of plain loop": round(line["answers /s"] / alone, 2),
                         "clients' share": round(clients, 3),
                         "beside clients": round(line["answers /s"] / alone / (1 - clients), 2),
                         "health p99 ms": milliseconds([one[1] for one in health.asked], 0.99)}
                if naive and count == 8:
                    slow = asking(naive, count, content, FLASK)
                    line |= {"Flask /s": slow["answers /s"], "Flask answers": slow["answers"], "Flask others": slow["others"],
                             "times Flask": round(line["answers /s"] / slow["answers /s"], 1)}
                lines.append(line)
                print(line, flush=True)
    return lines


def spent():
    """Processor seconds of this process and of those it has waited for."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def asking(url, count, content, seconds):
    """What so many clients are answered, by wrk, else by threads of ours."""
    if not shutil.which("wrk"):
        with Clients(url, count, content) as clients:
            time.sleep(seconds)
        return _told(clients.asked, seconds)
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        done = subprocess.run(["wrk", "-t1", f"-c{count}", f"-d{seconds:g}s", "--timeout", "30s", "-s",
                               Path(__file__).with_name("wrk.lua"), f"{url}/predict"], capture_output=True, text=True,
                              env={**os.environ, "BODY": file.name}, check=True)
    said = json.loads(done.stdout.strip().splitlines()[-1])
    others = {key: said[key] for key in ("429", "503", "other", "lost") if said[key]}
    return {"answers": said["good"], "answers /s": round(said["good"] / said["seconds"], 2), "p50 ms": round(said["p50"], 1),
            "p99 ms": round(said["p99"], 1), "others": others}


@contextlib.contextmanager
def flask(export):
    """The address of the same job as one writes it first: Flask, a full decode, and Keras' `model.predict`."""
    port = free_port("127.0.0.1")
    words = [sys.executable, "-m", "benchmarks.api", "flask", "--export", export, "--port", str(port)]
    with subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(lambda: process.poll() is None and _answers(port), 180)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _answers(port):
    """Whether a picture is answered there."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.suppress(OSError), contextlib.closing(line):
        line.request("POST", "/predict", photograph(SIZES["640x480"]))
        return line.getresponse().status == 200
    return False


def serve_flask(export, given):
    """Serve by Flask until ended; the networks are the run's own .keras files, beside the export."""
    import io

    from flask import Flask, jsonify, request
    from PIL import Image, ImageOps

    from lib.imaging import images
    from lib.models import saving

    job = tasks.find(export_check.check(export)["task"])(config.Params(export_check.check(export)["settings"]), "demo")
    networks = {part: saving.load(export.parent / "model" / f"{part}.keras") for part in job.networks}
    parts = {part: lambda batch, network=network: network.predict(batch, verbose=0) for part, network in networks.items()}
    app = Flask(__name__)

    @app.post("/predict")
    def answer():
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(request.data))).convert("RGB")
        return jsonify(job.answer(parts, images.Picture(np.asarray(image), image.size)))

    app.test_client().post("/predict", data=photograph(SIZES["640x480"]))
    app.run("127.0.0.1", given.port, threaded=True)


def _told(asked, seconds):
    good = [one[1] for one in asked if one[2] == 200]
    others = collections.Counter(str(one[2]) for one in asked if one[2] != 200)
    return {"answers": len(good), "answers /s": round(len(good) / seconds, 2), "p50 ms": milliseconds(good, 0.5),
            "p99 ms": milliseconds(good, 0.99), "others": dict(others)}


def stalled(export, given):
    """Latency of four good clients, alone and beside many that stop in their headers, their body, or do not read.

    Those that do not read have been answered before the others come: answering them is work as any other. In turn, ROUNDS
    times, since it is chance how the lines of four clients fall to the processes.
    """
    content, asked = photograph(SIZES["640x480"]), {0: [], given.stalled: []}
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % len(content)
    whole, ways = head + b"\r\n" + content, itertools.cycle([head, head + b"\r\n" + content[:500]])
    seconds = min(given.seconds, 7.0)  # they are cut off after 8
    with api.start(export, settings(given)) as server:
        host, port = server.url.removeprefix("http://").split(":")
        for count in list(asked) * ROUNDS:
            with contextlib.ExitStack() as held:
                def stall(ways, held=held):
                    for way in ways:
                        held.enter_context(socket.create_connection((host, int(port)), timeout=10)).sendall(way)

                stall([whole] * (count // 3))
                time.sleep(ANSWERED if count else SETTLED)
                stall(itertools.islice(ways, count - count // 3))
                with Clients(server, 4, content) as clients:
                    time.sleep(seconds)
            asked[count].append(clients.asked)
    return [{"stalled": count, **_told(sum(rounds, []), seconds * ROUNDS),
             "p99 ms of each": [_told(each, seconds)["p99 ms"] for each in rounds]} for count, rounds in asked.items()]


def swap(export, given):
    """Two models whose answers can be told apart take turns while four clients ask."""
    with tempfile.TemporaryDirectory() as folder:
        served = Path(folder) / "served"
        for version in ("nine", "eight"):
            api.promote(_version(export, Path(folder) / version, version), served)
        with api.start(served, settings(given)) as server:
            took, swaps = [], []
            time.sleep(3)  # the one before is in memory by then
            with Clients(server, 4, photograph(SIZES["640x480"])) as clients:
                time.sleep(given.seconds)
                for _ in range(given.swaps):
                    begun = time.monotonic()
                    took.append(_roll(server))
                    swaps.append((begun, time.monotonic()))
                    time.sleep(given.every)
                time.sleep(given.seconds)
    return [_swapped(clients.asked, swaps, given.seconds) | {
        "swap p50 ms": milliseconds(took, 0.5), "first swap ms": milliseconds(took[:1], 0.5),
        "longest swap ms": milliseconds(took, 1.0)}]


def fresh(export, given):
    """Models that were never seen before are promoted while four clients ask: each is tried, loaded and warmed up."""
    with tempfile.TemporaryDirectory() as folder:
        served = Path(folder) / "served"
        api.promote(_version(export, Path(folder) / "nine", "nine"), served)
        with api.start(served, settings(given)) as server:
            swaps = []
            with Clients(server, 4, photograph(SIZES["640x480"])) as clients:
                time.sleep(given.seconds)
                for number in range(given.swaps):
                    version = f"{'eight' if number % 2 == 0 else 'nine'}-{number}"
                    new = _version(export, Path(folder) / version, version)
                    begun = time.monotonic()
                    api.promote(new, served)
                    _wait(lambda wanted=version: server.get("/health")["models"]["corners"] == wanted)
                    swaps.append((begun, time.monotonic()))
                    time.sleep(1)
                time.sleep(given.seconds)
    return [_swapped(clients.asked, swaps, given.seconds) | {
        "promote to served p50 s": round(float(np.median([end - begin for begin, end in swaps])), 2)}]


def _wait(true, seconds=60):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it is not served in time"
        time.sleep(0.05)


def _swapped(asked, swaps, steady):
    """What was lost or mixed, and the p99 of what was asked during a swap beside that of what was not."""
    good = [one for one in asked if one[2] == 200]
    begun = min(one[0] for one in asked)
    first, last = swaps[0][0], swaps[-1][1]
    quiet = [one[1] for one in good if begun + 1 < one[0] < first - one[1] or one[0] > last]
    edges = np.array(swaps)
    at = np.array([(one[0], one[0] + one[1]) for one in good])
    number = np.searchsorted(edges[:, 1], at[:, 0])  # the first swap that ended after the request came
    met = np.array([number[n] < len(edges) and edges[number[n], 0] < at[n, 1] for n in range(len(good))])
    during = [one[1] for one, hit in zip(good, met, strict=True) if hit]
    mixed = sum(("row_nb" in one[3]) != one[3]["model_version"].startswith("nine") for one in good)
    wrong = collections.Counter(str(one[2]) for one in asked if one[2] not in (200, 429))
    return {"swaps": len(swaps), "answers": len(good), "failed": sum(wrong.values()), "mixed": mixed,
            "versions": len({one[3]["model_version"] for one in good}), "steady p99 ms": milliseconds(quiet, 0.99),
            "p99 ms during a swap": milliseconds(during, 0.99), "met a swap": len(during),
            "ratio": round(np.quantile(during, 0.99) / np.quantile(quiet, 0.99), 2)}


def _version(export, folder, version):
    """A copy of an export under another version; "eight…" answers without rows, so that one sees which answered."""
    for name in export_check.members(export_check.check(export)):
        files.write(folder / name, (export / name).read_bytes())
    content = files.read_json(folder / "export.json")
    content["settings"]["corners"]["predictor_mode"] = 8 if version.startswith("eight") else 9
    files.write_json(folder / "export.json", {**content, "version": version})
    return folder


def _roll(server):
    """Seconds that a rollback took."""
    begun = time.monotonic()
    line = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
    line.request("POST", "/models/corners/rollback")
    answer = line.getresponse()
    assert answer.status == 200, answer.read()
    line.close()
    return time.monotonic() - begun


def memory(export, given):
    """Memory of the serving process after a warm-up and after many requests, one in ten of them bad; then without any."""
    content, lines = photograph(SIZES["640x480"]), []
    bad = [content[:600], b"hello"]
    with api.start(export, settings(given)) as server:
        def ask(at):
            server.ask(content if at % 10 else bad[at % 20 // 10])

        for what, count, call in (("warm-up", given.requests // 10, ask), ("pictures", given.requests, ask),
                                  ("health", 5 * given.requests, None)):
            begun = time.monotonic()
            if call:
                with concurrent.futures.ThreadPoolExecutor(4) as pool:
                    list(pool.map(call, range(count)))
            else:
                _healthy(server, count)
            lines.append({"what": what, "requests": count, "MB": round(_resident(server) / 1e6, 1),
                          "seconds": round(time.monotonic() - begun)})
            print(lines[-1], flush=True)
    for line in lines[1:]:
        line["grown MB"] = round(line["MB"] - lines[lines.index(line) - 1]["MB"], 1)
    return lines


def _healthy(server, count):
    line = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
    for _ in range(count):
        line.request("GET", "/v2/health/live")
        line.getresponse().read()


def start(export, given):
    """Seconds from the command to ready, five times."""
    took = []
    for _ in range(5):
        begun = time.monotonic()
        with api.start(export, settings(given)):
            took.append(time.monotonic() - begun)
    return [{"starts": len(took), "median s": round(float(np.median(took)), 2), "longest s": round(max(took), 2)}]


def body(export, given):
    """A body of 600 MB, by length and in pieces: what is taken of it, and what it costs in memory."""
    lines = []
    with api.start(export, settings(given)) as server:
        server.ask(photograph(SIZES["640x480"]))
        host, port = server.url.removeprefix("http://").split(":")
        for name, head, before, after in (
                ("with its length", b"Content-Length: 629145600\r\n", b"", b""),
                ("in pieces", b"Transfer-Encoding: chunked\r\n", b"20000\r\n", b"\r\n")):
            held, sent, limit = _resident(server), 0, config.resolve_group("api").max_bytes
            with socket.create_connection((host, int(port)), timeout=20) as line:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**17)
                line.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
                with contextlib.suppress(OSError):
                    while sent < 600 * 2**20:
                        line.sendall(before + bytes(2**17) + after)
                        sent += 2**17
            lines.append({"body": name, "MB sent": round(sent / 1e6, 1), "MB over the cap": round((sent - limit) / 1e6, 1),
                          "memory +MB": round((_resident(server) - held) / 1e6, 1)})
    return lines


def _resident(server):
    line = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
    line.request("GET", "/metrics")
    text = line.getresponse().read().decode()
    return float(next(one.split()[1] for one in text.splitlines() if one.startswith("process_resident_memory_bytes ")))


def settings(given):
    """The settings of params.yaml, on a free port, the log thrown away, and those that are given."""
    own = config.nest(config.parse_overrides(given.set)).get("api", {})
    return config.resolve_group("api", {"port": 0, "log": os.devnull, **own})


PARTS = {"load": load, "stalled": stalled, "swap": swap, "fresh": fresh, "memory": memory, "start": start, "body": body,
         "flask": serve_flask}


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("part", choices=PARTS)
    words.add_argument("--export", type=Path)
    words.add_argument("--seconds", type=float, default=10.0)
    words.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64, 512])
    words.add_argument("--stalled", type=int, default=500)
    words.add_argument("--swaps", type=int, default=1000)
    words.add_argument("--every", type=float, default=0.2, help="seconds between two swaps")
    words.add_argument("--requests", type=int, default=20_000)
    words.add_argument("--port", type=int, default=0)
    words.add_argument("--no-flask", dest="flask", action="store_false")
    words.add_argument("--set", nargs="*", default=[])
    given = words.parse_args()
    export = given.export or runs.newest(tasks.job("corners")).path("export")
    before = round(os.getloadavg()[0], 1)
    lines = PARTS[given.part](export, given)
    lines = [{**line, "machine's load": before, "settings": " ".join(given.set)} for line in lines]
    print(pd.DataFrame(lines).to_string(index=False))
    path = config.home() / OUT
    there = files.read_json(path) if path.is_file() else {}
    files.write_json(path, {**there, given.part: lines})


if __name__ == "__main__":
    main()
