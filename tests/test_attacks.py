"""One request that costs much holds up no other: how long health and a good picture wait beside it.

The bars are those of benchmarks.attacks, wider here, where other programs use the machine; `make reliability PART=attacks`
asks again and again, with one attacker and with four.
"""

import os
import threading
import time

import pytest
import toy_export
from test_api import settings

from benchmarks import attacks
from lib.serving import api

LIVE, PICTURE = 1.0, 4.0   # s that health, and a good picture, may wait longer than alone

API = ["15,000 query names", "query names on infer", "/docs, unread", "/openapi.json", "/metrics", "JSON of 1 MB of brackets",
       "JSON of 1 MB of numbers", "JSON of 1 MB of base64", "form of 1 MB of line ends", "form of 1 MB of fields",
       "Content-Type of 60 kB", "a body that stands", "JPEG of 400 scans", "JPEG of 1 MB of fill", "JPEG of 1 MB of empty segments",
       "PNG of 7000x7000 RGBA 16 bit"]
HUB = ["15,000 query names", "JSON of 60 MiB", "JSON of 1 MB of brackets", "JSON of 1 MB of objects", "wanted, 8 MB of names",
       "form of 1 MB of line ends", "Content-Type of 60 kB", "eight forms that stand"]


def waits(url, attack, live, picture, token=""):
    """The longest waits of (health, a good picture) alone, and beside one request of an attack, with the pictures' statuses."""
    alone = measured(url, live, picture, lambda: False)
    done = threading.Event()

    def send():
        if attack.stands or attack.unread:
            lines = [attacks._half(url, attack, {**attack.headers, **attacks.bearer(token)}) for _ in range(8)]
            time.sleep(1.5)
            for line in lines:
                line.close()
        else:
            attacks.ask(url, attack.method, attack.path, attack.body, {**attack.headers, **attacks.bearer(token)})
        done.set()

    thread = threading.Thread(target=send)
    thread.start()
    beside = measured(url, live, picture, lambda: not done.is_set())
    thread.join()
    return alone, beside


def measured(url, live, picture, goes_on, most=20.0):
    begun, lives, pictures, statuses = time.monotonic(), [], [], set()
    while len(lives) < 4 or goes_on() and time.monotonic() < begun + most:
        lives.append(attacks.ask(url, "GET", *live)[0])
        took, status = picture()
        pictures.append(took)
        statuses.add(status)
    return max(lives), max(pictures), statuses


def check(alone, beside):
    assert beside[2] <= {200, 429}
    assert beside[0] - alone[0] < LIVE and beside[1] - alone[1] < PICTURE, (alone, beside)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with api.start(toy_export.folder(tmp_path_factory), settings(log=os.devnull)) as one:
        yield one


@pytest.mark.parametrize("name", API)
def test_no_request_to_the_api_holds_up_others(server, name):
    check(*waits(server.url, attacks.api_attacks()[name](), ("/v2/health/live",), attacks.good(server.url, "")))


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    before = os.environ.get("COREBOX_HOME")
    folder = tmp_path_factory.mktemp("hub")
    folder.chmod(0o755)
    with attacks.serving_hub(folder) as served:
        yield served
    os.environ.pop("COREBOX_HOME") if before is None else os.environ.update(COREBOX_HOME=before)


@pytest.mark.parametrize("name", HUB)
def test_no_request_to_the_hub_holds_up_others(hub, name):
    url, (good, other) = hub
    check(*waits(url, attacks.hub_attacks()[name](), ("/v1/me", None, attacks.bearer(good)), attacks.good(url, good), other))
