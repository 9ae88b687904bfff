"""How fast is the API, what does it do when it is asked too much, and does it lose anything when its model changes?

    python -m benchmarks.api load [--seconds 10] [--clients 1 8 64 512]   beside a plain loop in two processes
    python -m benchmarks.api stalled [--stalled 500]                      clients that stop in the middle of things
    python -m benchmarks.api swap [--swaps 1000]                          two models in turn under load
    python -m benchmarks.api memory [--requests 20000]                    what it holds before and after

Each takes `--export FOLDER` (else the newest run's), serves it on a free port of this machine, and asks it there, so
that the clients share its processors. Lines are added to outputs/benchmarks/api.json under the part's name.
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
import socket
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd

from lib import api, config, files, predict, runs, tasks

SIZES = {"640x480": (640, 480), "12 MP": (4000, 3000)}
OUT = "outputs/benchmarks/api.json"


def photograph(size):
    """A JPEG of a generated core box."""
    return tasks.job("corners").sample(np.random.default_rng(1), size)[0]


class Clients:
    """Clients that ask again and again over lines they keep open; `asked` holds (when, seconds, status, answer)."""

    def __init__(self, server, count, content, path="/predict"):
        self.asked, self._done = [], threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(server.url, content, path)) for _ in range(count)]

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
            if status == 429:
                time.sleep(0.1)  # a client that is told to come again does not do so at once

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
    predictor = predict.load(export)
    predictor.answer(content)
    begun, count = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        predictor.answer(content)
        count += 1
    return count / seconds


def plain(export, content, seconds):
    """Pictures a second of two such processes."""
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        return sum(pool.map(_loop, [export] * 2, [content] * 2, [seconds] * 2))


def load(export, given):
    """Throughput, latency and refusals by picture and number of clients, with the latency of /v2/health/live."""
    lines = []
    for name, size in SIZES.items():
        content = photograph(size)
        alone = plain(export, content, given.seconds)
        with api.start(export, settings()) as server:
            for count in given.clients:
                with Clients(server, count, content) as clients, Clients(server, 1, None, "/v2/health/live") as health:
                    time.sleep(given.seconds)
                lines.append({"picture": name, "clients": count, "plain loop /s": round(alone, 1),
                              **_told(clients.asked, given.seconds),
                              "health p99 ms": milliseconds([one[1] for one in health.asked], 0.99)})
                print(lines[-1], flush=True)
    return lines


def _told(asked, seconds):
    good = [one[1] for one in asked if one[2] == 200]
    others = collections.Counter(str(one[2]) for one in asked if one[2] != 200)
    return {"answers /s": round(len(good) / seconds, 1), "p50 ms": milliseconds(good, 0.5),
            "p99 ms": milliseconds(good, 0.99), "others": dict(others)}


def stalled(export, given):
    """Latency of four good clients, alone and beside many that stop in their headers, their body, or do not read."""
    content, lines = photograph(SIZES["640x480"]), []
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % len(content)
    ways = itertools.cycle([head, head + b"\r\n" + content[:500], head + b"\r\n" + content])
    with api.start(export, settings()) as server, contextlib.ExitStack() as held:
        host, port = server.url.removeprefix("http://").split(":")
        for count in (0, given.stalled):
            for way in itertools.islice(ways, count):
                line = held.enter_context(socket.create_connection((host, int(port)), timeout=10))
                line.sendall(way)
            with Clients(server, 4, content) as clients:
                time.sleep(min(given.seconds, 7.0))  # they are cut off after 8
            lines.append({"stalled": count, **_told(clients.asked, min(given.seconds, 7.0))})
    return lines


def swap(export, given):
    """Two models whose answers can be told apart take turns while four clients ask."""
    with tempfile.TemporaryDirectory() as folder:
        served = Path(folder) / "served"
        for version in ("nine", "eight"):
            api.promote(_version(export, Path(folder) / version, version), served)
        with api.start(served, settings()) as server:
            took = []
            with Clients(server, 4, photograph(SIZES["640x480"])) as clients:
                time.sleep(given.seconds)
                begun = time.monotonic()
                for _ in range(given.swaps):
                    took.append(_roll(server))
    wrong = [one for one in clients.asked if one[2] not in (200, 429)]
    good = [one for one in clients.asked if one[2] == 200]
    mixed = [one for one in good if ("row_nb" in one[3]) != (one[3]["model_version"] == "nine")]
    steady, during = ([one[1] for one in good if (one[0] >= begun) == later] for later in (False, True))
    return [{"swaps": len(took), "answers": len(good), "failed": len(wrong), "mixed": len(mixed),
             "versions": dict(collections.Counter(one[3]["model_version"] for one in good)),
             "steady p99 ms": milliseconds(steady, 0.99), "p99 ms while swapping": milliseconds(during, 0.99),
             "swap p50 ms": milliseconds(took, 0.5), "longest swap ms": milliseconds(took, 1.0)}]


def _version(export, folder, version):
    """A copy of an export under another version; "eight" answers without rows, so that one sees which answered."""
    for name in predict.members(predict.check(export)):
        files.write(folder / name, (export / name).read_bytes())
    content = files.read_json(folder / "export.json")
    content["settings"]["corners"]["predictor_mode"] = 8 if version == "eight" else 9
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
    """Memory of the serving process after a warm-up and after many requests, one in ten of them bad."""
    content, lines = photograph(SIZES["640x480"]), []
    bad = [content[:600], b"hello"]
    with api.start(export, settings()) as server:
        for count in (given.requests // 10, given.requests):
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda at: server.ask(content if at % 10 else bad[at % 20 // 10]), range(count)))
            lines.append({"requests": count, "MB": round(_resident(server) / 1e6, 1)})
            print(lines[-1], flush=True)
    return lines


def _resident(server):
    line = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
    line.request("GET", "/metrics")
    text = line.getresponse().read().decode()
    return float(next(one.split()[1] for one in text.splitlines() if one.startswith("process_resident_memory_bytes ")))


def settings():
    """The settings of params.yaml, on a free port, the log thrown away."""
    return config.group("api", {"port": 0, "log": os.devnull})


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("part", choices=["load", "stalled", "swap", "memory"])
    words.add_argument("--export", type=Path)
    words.add_argument("--seconds", type=float, default=10.0)
    words.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64, 512])
    words.add_argument("--stalled", type=int, default=500)
    words.add_argument("--swaps", type=int, default=1000)
    words.add_argument("--requests", type=int, default=20_000)
    given = words.parse_args()
    export = given.export or runs.newest(tasks.job("corners")).path("export")
    lines = {"load": load, "stalled": stalled, "swap": swap, "memory": memory}[given.part](export, given)
    print(pd.DataFrame(lines).to_string(index=False))
    path = config.home() / OUT
    there = files.read_json(path) if path.is_file() else {}
    files.write_json(path, {**there, given.part: lines})


if __name__ == "__main__":
    main()
