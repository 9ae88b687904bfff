"""The API as a client meets it: a real server process, a real HTTP client, and sockets where a client misbehaves."""

import asyncio
import concurrent.futures
import contextlib
import csv
import gc
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
import toy_export
from accessibility import violations
from PIL import Image
from starlette.requests import Request

from lib.common import config
from lib.common.http import access_log, executor
from lib.common.http.problem_details import Problem
from lib.serving import api, export_check, prediction
from lib.serving.api import model_store, service
from lib.serving.api.app import create
from lib.storage import files

SLOW = 1.0  # s in which a body must come, so that the tests of slow ones are quick


@pytest.fixture(scope="session")
def export(tmp_path_factory):
    return toy_export.folder(tmp_path_factory)


def settings(**others):
    return config.Params({**config.resolve_group("api").plain(), "port": 0, **others})


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("log") / "api.jsonl"


@pytest.fixture(scope="module")
def server(export, log):
    with api.start(export, settings(log=str(log), read_timeout=SLOW, max_bytes=2**20)) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    with httpx.Client(base_url=server.url, trust_env=False, timeout=20) as client:
        yield client


def picture(seed=0, size=(320, 240), kind="JPEG", **how):
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(buffer, kind, **how)
    return buffer.getvalue()


def lines(log, trace_id, event="request"):
    """The lines of the access log with a trace id, once its thread has written them."""
    for _ in range(100):
        found = [line for line in map(json.loads, log.read_text().splitlines())
                 if line.get("trace_id") == trace_id and line["event"] == event]
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"no line with {trace_id}")


def problem(answer, status, code):
    """Check a problem's form (RFC 9457) and return its content."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content = answer.json()
    assert content["code"] == code and content["status"] == status
    assert content["trace_id"] == answer.headers["x-trace-id"]
    assert "Traceback" not in answer.text and "/" not in re.sub(r"/docs|/v1/\w+/predict", "", content["detail"])
    return content


# --- answers


def test_a_picture_is_answered_as_the_predictor_answers_it(client, export):
    answer = client.post("/predict", content=picture()).json()
    found = prediction.load(export).answer(picture())
    assert answer.pop("trace_id") and found.pop("boxes")
    assert answer == prediction.rounded(found, ("p1x", "p1y", "p2x", "p2y", "p3x", "p3y", "p4x", "p4y"), 0)
    assert all(isinstance(answer[f"p{n}{axis}"], int) for n in range(1, 5) for axis in "xy")


def test_a_form_is_answered_as_the_original_did(client):
    raw = client.post("/predict?mode=9", content=picture()).json()
    form = client.post("/predict?mode=9", files={"file": ("../../x.jpg", picture())}).json()
    assert form | {"trace_id": ""} == raw | {"trace_id": ""}


def test_mode_8_gives_the_corners_and_mode_9_the_rows_too(client):
    eight, nine = (client.post(f"/predict?mode={mode}", content=picture()).json() for mode in (8, 9))
    assert "row_nb" not in eight and isinstance(nine["row_nb"], int)
    assert client.post("/predict", content=picture()).json().keys() == nine.keys()


def test_the_client_asks_for_every_box(server):
    one, every = server.ask(picture()), server.ask(picture(), mode=8, boxes="all")
    assert "boxes" not in one and every["boxes_nb"] == 1 and every["boxes"][0]["p1x"] == one["p1x"]
    assert "row_nb" not in every["boxes"][0]


def test_a_task_answers_under_its_own_path(client):
    named = client.post("/v1/corners/predict?mode=8", content=picture()).json()
    short = client.post("/predict?mode=8", content=picture()).json()
    assert named | {"trace_id": ""} == short | {"trace_id": ""}
    problem(client.post("/v1/nails/predict", content=picture()), 404, "no_task")


def test_a_model_without_rows_knows_mode_8_only(export, tmp_path):
    content = files.read_json(shutil.copytree(export, tmp_path / "eight") / "export.json")
    content["settings"]["corners"]["predictor_mode"] = 8
    files.write_json(tmp_path / "eight" / "export.json", content)
    asked = [("POST", path, picture()) for path in ("/predict", "/predict?mode=8", "/predict?mode=9")]
    plain, eight, nine = inside(tmp_path / "eight", tmp_path / "log", *asked)
    assert plain.json() | {"trace_id": ""} == eight.json() | {"trace_id": ""} and "row_nb" not in eight.json()
    problem(nine, 400, "bad_mode")


@pytest.mark.parametrize("how", [{"params": {"draw": "true"}}, {"headers": {"Accept": "image/png"}}])
def test_the_answer_comes_drawn_on_the_picture_when_asked(client, how):
    plain = Image.new("RGB", (640, 480), (90, 90, 90))
    buffer = io.BytesIO()
    plain.save(buffer, "PNG")
    corners = client.post("/predict", content=buffer.getvalue()).json()
    answer = client.post("/predict", content=buffer.getvalue(), **how)
    drawn = Image.open(io.BytesIO(answer.content))
    assert answer.headers["content-type"] == "image/png" and drawn.size == (640, 480)
    assert answer.headers["x-model-version"] == toy_export.VERSION and len(answer.headers["x-trace-id"]) == 32
    red = np.asarray(drawn.convert("RGB")).astype(int)
    assert all(red[corners[f"p{n}y"], corners[f"p{n}x"], 0] > 180 > red[corners[f"p{n}y"], corners[f"p{n}x"], 1]
               for n in range(1, 5))
    problem(client.post("/predict?draw=perhaps", content=picture()), 400, "bad_draw")


def test_health_says_what_is_served(client):
    assert client.get("/v2/health/live").json() == {"live": True}
    for path in ("/health", "/v2/health/ready"):
        assert client.get(path).json() == {"ready": True, "models": {"corners": toy_export.VERSION}}


def test_docs_need_no_network_and_show_what_openapi_says(client):
    description = client.get("/openapi.json").json()
    mode, boxes, draw = description["paths"]["/predict"]["post"]["parameters"]
    assert draw["name"] == "draw" and mode["name"] == "mode" and mode["schema"]["enum"] == [8, 9]
    assert boxes["name"] == "boxes" and boxes["schema"] == {"type": "string", "enum": ["one", "all"], "default": "one"}
    page = client.get("/docs").text
    assert all(path in page for path in description["paths"])
    assert not re.search(r"(?:src|href)=['\"]?(?:https?:)?//", page) and "<script" not in page


def test_answers_may_keep_digits_after_the_point(export):
    with api.start(export, settings(decimals=2)) as server:
        assert server.ask(picture(), mode=8)["p1x"] == round(prediction.load(export).answer(picture())["p1x"], 2)
    assert server.process.returncode == 0


# --- what is refused


def test_what_is_no_picture_is_a_problem_and_its_trace_is_in_the_log(client, log):
    content = problem(client.post("/predict", content=picture()[:600]), 422, "unreadable")
    line, = lines(log, content["trace_id"])
    assert line["error"] == "Refused" and "Traceback" in line["trace"] and line["status"] == 422
    assert re.fullmatch("[0-9a-f]{64}", line["sha256"]) and line["model_version"] == toy_export.VERSION
    problem(client.post("/predict", content=b""), 400, "empty")
    problem(client.post("/predict", content=b"hello"), 415, "not_a_picture")
    problem(client.post("/predict", content=picture(size=(20, 20))), 422, "unreadable")


def test_a_body_over_the_limit_is_refused_by_its_length_and_by_its_bytes(client):
    problem(client.post("/predict", content=b"\xff" * 2**20 + b"x"), 413, "too_large")
    problem(client.post("/predict", content=iter([b"x" * 2**17] * 9)), 413, "too_large")
    problem(client.post("/predict", files={"file": b"x" * (2**20 + 1)}), 413, "too_large")


def test_the_log_holds_nothing_of_a_pictures_metadata(client, log):
    exif = Image.Exif()
    exif[0x010F], exif[0x8825] = "SecretMaker</script>", {1: "N", 2: (48.0, 51.0, 29.9)}
    answer = client.post("/predict", content=picture(exif=exif))
    lines(log, answer.json()["trace_id"])
    assert "SecretMaker" not in answer.text + log.read_text()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_has_the_corners_of_its_upright_twin(client, orientation):
    upright = Image.open(io.BytesIO(picture(4, kind="PNG")))
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # Image.Transpose
    stored = upright if undo is None else upright.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    stored.save(buffer, "JPEG", quality=98, exif=exif)
    twin, turned = (client.post("/predict?mode=8", content=data).json()
                    for data in (picture(4, kind="PNG"), buffer.getvalue()))
    assert all(abs(twin[key] - turned[key]) <= 1 for key in twin if re.fullmatch("p[1-4][xy]", key))


# --- load and life


def test_eight_clients_at_once_get_their_own_answers(export, server):
    loaded = prediction.load(export)
    expected = {seed: round(loaded.answer(picture(seed))["p1x"]) for seed in range(8)}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda turn: (turn % 8, server.ask(picture(turn % 8))), range(64)))
    assert all(answer["p1x"] == expected[seed] for seed, answer in found)


def test_a_full_server_sends_the_next_one_away_and_stays_healthy(export):
    large = picture(size=(3000, 2200), kind="PNG")
    with api.start(export, settings(workers=1, queue=1)) as server, httpx.Client(trust_env=False) as client:
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            asked = [pool.submit(httpx.post, server.url + "/predict", content=large, timeout=30, trust_env=False)
                     for _ in range(12)]
            begun = time.monotonic()
            assert client.get(server.url + "/v2/health/live").status_code == 200
            assert time.monotonic() - begun < 2
            answers = [one.result() for one in asked]
        assert {answer.status_code for answer in answers} == {200, 429}
        away = next(answer for answer in answers if answer.status_code == 429)
        assert problem(away, 429, "busy") and away.headers["retry-after"] == "1"
        assert client.post(server.url + "/predict", content=picture()).status_code == 200


def test_where_there_is_no_room_nothing_of_a_body_is_read(export, tmp_path, monkeypatch):
    monkeypatch.setattr(executor, "PAUSE", 0.05)

    async def ask():
        app = create(export, settings(log=str(tmp_path / "log")))
        async with app.router.lifespan_context(app), httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://inside") as client:
            while (await client.get("/health")).status_code == 503:
                await asyncio.sleep(0.05)
            bounded = app.state.service.executor
            places = [await bounded.acquire() for _ in range(bounded.capacity)]
            away, live = await client.post("/predict", content=never()), await client.get("/v2/health/live")
            bounded.release(places[0])
            return away, live, await client.post("/predict", content=picture())

    async def never():
        raise AssertionError("the body was read")
        yield

    away, live, answer = asyncio.run(ask())
    assert live.status_code == answer.status_code == 200
    line, = lines(tmp_path / "log", problem(away, 429, "busy")["trace_id"])
    assert "trace" not in line and "too many" in line["detail"]  # a trace would cost more than all else of it


def test_places_are_given_in_the_order_of_coming_and_given_back_by_whoever_gives_up(monkeypatch):
    monkeypatch.setattr(executor, "PAUSE", 0.2)

    async def come():
        bounded, order = executor.BoundedExecutor(1, 0), []

        async def ask(name):
            try:
                place = await bounded.acquire()
            except Problem as problem:
                order.append((name, problem.code))
            else:
                order.append((name, await bounded.run(lambda: time.sleep(0.01), seconds=5, place=place)))

        first = await bounded.acquire()
        waiting = [asyncio.create_task(ask(name)) for name in ("second", "gone", "third")]
        await asyncio.sleep(0.01)
        waiting[1].cancel()
        bounded.release(first)
        bounded.release(first)  # once is enough
        await asyncio.wait(waiting)
        kept = await bounded.acquire()
        await ask("fourth")
        with pytest.raises(Problem, match="too many"):
            await bounded.run(time.time, seconds=1)
        bounded.release(kept)
        return order, await bounded.run(lambda: 5, seconds=1), await ask("fifth"), bounded.taken

    order, *_, taken = asyncio.run(come())
    assert order == [("second", None), ("third", None), ("fourth", "busy"), ("fifth", None)] and taken == 0


def test_a_body_that_stands_still_loses_its_place_and_waits_for_another_in_the_end(export):
    async def ask():
        app = create(export, settings(workers=1, queue=0))
        async with app.router.lifespan_context(app), httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://inside", timeout=30) as client:
            while (await client.get("/health")).status_code == 503:
                await asyncio.sleep(0.05)
            stopped, goes_on = asyncio.Event(), asyncio.Event()

            async def halting():
                yield picture()[:500]
                stopped.set()
                await goes_on.wait()
                yield picture()[500:]

            slow = asyncio.create_task(client.post("/predict", content=halting()))
            await stopped.wait()
            quick = await client.post("/predict", content=picture())
            goes_on.set()
            return quick, await slow, app.state.service.executor.taken

    quick, slow, taken = asyncio.run(ask())
    assert quick.status_code == slow.status_code == 200 and taken == 0


def test_the_log_takes_lines_together_and_counts_each_that_it_cannot_take(tmp_path):
    log, nowhere = access_log.AccessLog(str(tmp_path / "log")), access_log.AccessLog(str(tmp_path / "none" / "log"))
    for number in range(100):
        log.write(number=number)
        nowhere.write(number=number)
    log.close()
    nowhere.close()
    found = [json.loads(line)["number"] for line in (tmp_path / "log").read_text().splitlines()]
    assert found == list(range(100)) and (log.lost, nowhere.lost) == (0, 100)


def test_what_was_asked_before_sigterm_is_answered(export):
    large = picture(size=(3000, 2200), kind="PNG")
    server = api.start(export, settings(workers=1, queue=8, total_timeout=60.0))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(httpx.post, server.url + "/predict", content=large, timeout=30, trust_env=False)
                 for _ in range(4)]
        read = 'corebox_stage_seconds_count{stage="read"}'
        _until(lambda: server.metrics("corebox_stage_seconds_count")[read] == 4)
        status = server.stop()
        assert [one.result().status_code for one in asked] == [200] * 4
    assert status == 0


def test_a_worker_that_is_killed_is_replaced(export):
    with api.start(export, settings()) as server:
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        if not children.exists():
            pytest.skip("this system does not tell a process's children")
        worker, = children.read_text().split()
        os.kill(int(worker), signal.SIGKILL)
        _until(lambda: children.read_text().split() not in ([], [worker]))
        _until(lambda: answers(server))
    assert server.process.returncode == 0


def answers(server):
    with contextlib.suppress(OSError):
        return server.ask(picture()).get("model_version") == toy_export.VERSION


def test_a_full_log_disk_stops_no_answer(export):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with api.start(export, settings(log="/dev/full")) as server:
        assert [server.ask(picture())["p1x"] > 0 for _ in range(5)] == [True] * 5


def test_a_server_ends_with_the_process_that_started_it(export):
    code = ("import os, sys; from lib.common import config; from lib.serving import api;"
            "server = api.start(sys.argv[1], config.Params({**config.resolve_group('api').plain(), 'port': 0}));"
            "print(server.process.pid, flush=True); os._exit(9)")
    pid = int(subprocess.run([sys.executable, "-c", code, export], capture_output=True, text=True,
                             cwd=config.REPOSITORY).stdout)
    try:
        _until(lambda: gone(pid), 30)
    finally:
        if not gone(pid):
            os.kill(pid, signal.SIGKILL)


def gone(pid):
    """Whether a process has ended, also where nobody has asked for its status yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_port_in_use_and_a_bad_export_are_one_sentence(server, export, tmp_path):
    port = int(server.url.rsplit(":", 1)[1])
    with pytest.raises(config.ConfigError, match=f"port {port} of 127.0.0.1 is in use"):
        api.start(export, settings(port=port))
    for words in ([str(export), "--port", str(port)], [str(tmp_path)], [str(export), "--set", "api.quee=3"],
                  [str(export), "--set", "model.width=3"]):
        done = subprocess.run([sys.executable, "-m", "lib.api", *words], capture_output=True, text=True,
                              cwd=config.REPOSITORY)
        assert done.returncode == 2 and done.stderr.startswith("core-box api: ") and done.stderr.count("\n") == 1
    with pytest.raises(RuntimeError, match="no export.json"):
        api.start(tmp_path, settings())


def test_serving_loads_neither_tensorflow_nor_pandas_nor_matplotlib(export):
    code = ("import sys; from lib.serving import prediction; from lib.serving.api import app, server;"
            "prediction.load(sys.argv[1]);"
            "print([name for name in ('tensorflow', 'keras', 'pandas', 'matplotlib', 'psycopg2') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code, export], capture_output=True, text=True, cwd=config.REPOSITORY)
    assert done.stdout.strip() == "[]", done.stderr


# --- the served folder


def renamed(export, folder, version):
    """A copy of an export under another version."""
    shutil.copytree(export, folder)
    content = files.read_json(folder / "export.json")
    files.write_json(folder / "export.json", {**content, "version": version})
    return folder


def test_a_promoted_export_is_a_whole_copy_and_can_be_rolled_back(export, tmp_path):
    served, first = tmp_path / "served", renamed(export, tmp_path / "one", "run 1/α")
    (first / "coarse.keras").write_bytes(b"not for serving")
    one = api.promote(first, served)
    assert sorted(path.name for path in one.iterdir()) == ["coarse.tflite", "export.json", "golden-1.jpg"]
    assert model_store.exports(served) == [one] and one.parent.name == "corners"
    with pytest.raises(ValueError, match="no export before"):
        api.rollback(served, "corners")
    two = api.promote(renamed(export, tmp_path / "two", "2"), served)
    assert api.promote(tmp_path / "two", served) == two and model_store.exports(served) == [two]
    assert api.rollback(served, "corners") == one and model_store.exports(served) == [one]
    assert api.rollback(served, "corners") == two
    assert not list(served.rglob(".writing-*"))


def test_a_bad_export_is_not_promoted_and_the_old_one_stays(export, tmp_path):
    served = tmp_path / "served"
    good = api.promote(export, served)
    bad = renamed(export, tmp_path / "bad", "bad")
    (bad / "coarse.tflite").write_bytes(b"x")
    with pytest.raises(export_check.BadExport, match="damaged"):
        api.promote(bad, served)
    assert model_store.exports(served) == [good] and len(list((served / "corners").iterdir())) == 2


def test_another_model_takes_over_without_a_request_lost(export, tmp_path):
    served, log = tmp_path / "served", tmp_path / "log"
    api.promote(renamed(export, tmp_path / "one", "one"), served)
    with api.start(served, settings(log=str(log))) as server:
        answers, done = [], threading.Event()

        def ask():
            while not done.is_set():
                answers.append(server.ask(picture()))

        asking = threading.Thread(target=ask)
        asking.start()
        api.promote(renamed(export, tmp_path / "two", "two"), served)
        _until(lambda: server.get("/health")["models"] == {"corners": "two"})
        _spoil(served, export)
        _until(lambda: "damaged" in log.read_text())
        assert server.get("/health")["models"] == {"corners": "two"}
        done.set()
        asking.join()
        versions = [answer["model_version"] for answer in answers]
        assert set(versions) == {"one", "two"} and versions == sorted(versions)  # never back to the old one


def _spoil(served, export):
    """Make a damaged export current, as no promote would."""
    bad = renamed(export, served / "corners" / "bad", "three")
    (bad / "coarse.tflite").write_bytes(b"x")
    files.write_json(served / "corners" / "current", {"export": "bad", "before": None})


def _until(true, seconds=60):
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < seconds, "it did not come about"
        time.sleep(0.05)


# --- the page


def opened(browser, server, **context):
    """A page of the API, and what it says in its console, asks in dialogs, or fetches from elsewhere."""
    page, said = browser.new_context(accept_downloads=True, **context).new_page(), []
    page.on("console", lambda message: said.append(message.text) if "status of 415" not in message.text else None)
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: said.append(request.url) if not request.url.startswith(
        (server.url, "blob:")) else None)
    page.goto(server.url)
    page.wait_for_selector("#task option", state="attached")
    return page, said


def test_a_person_gives_photographs_and_sees_and_saves_their_answers(server, browser, tmp_path):
    (tmp_path / "good.jpg").write_bytes(picture())
    (tmp_path / "=1+2.jpg").write_bytes(picture(1))
    (tmp_path / "<img src=x onerror=alert(1)>.jpg").write_bytes(b"<script>alert(1)</script>")
    page, said = opened(browser, server)
    page.set_input_files("#file", sorted(tmp_path.glob("*.jpg")))
    page.get_by_text("Done: 3 pictures.").wait_for()
    assert violations(page) == []
    cards = page.locator("article")
    assert cards.count() == 3 and page.get_by_text("not a JPEG or PNG picture").count() == 1
    good = cards.filter(has_text="good.jpg")
    assert "Found; this model does not say" in good.inner_text() and "p1x" in good.locator("table").text_content()
    assert good.locator("img").evaluate("image => image.naturalWidth") == 320
    with page.expect_download() as download:
        page.get_by_text("Save the answers as CSV").click()
    rows = list(csv.DictReader(download.value.path().open(newline="")))
    assert {row["image"] for row in rows} == {"good.jpg", "'=1+2.jpg", "<img src=x onerror=alert(1)>.jpg"}
    assert [row["error"] for row in rows if row["image"].startswith("<")] == ["not a JPEG or PNG picture"]
    with page.expect_download() as download:
        good.get_by_text("Save the crop").click()
    corners, size = server.ask(picture()), Image.open(download.value.path()).size
    assert download.value.suggested_filename == "good-crop.png"
    assert abs(size[0] - np.hypot(corners["p2x"] - corners["p1x"], corners["p2y"] - corners["p1y"])) < 40
    page.close()
    assert said == []


def test_the_page_says_in_words_how_far_an_answer_can_be_believed(server, browser):
    page, _ = opened(browser, server)
    for answer, word in (({"confidence": 0.95}, "Found (confidence 0.95)."), ({"confidence": 0.099}, "Not sure of it"),
                         ({"confidence": 0.6}, "look at it"), ({"refused": "no_box", "confidence": 0.9}, "No box found"),
                         ({"refused": "several"}, "Several boxes"), ({"boxes": []}, "0 found"), ({}, "Answered."), ({"confidence": None}, "does not say how sure"),
                         ({"refused": "unsure", "probability": 0.9}, "a person should look")):
        assert word in page.evaluate("answer => words(answer)[0]", answer), answer
    assert page.evaluate("quad({refused: 'no_box', p1x: 1})") is None
    page.close()


def test_the_page_fits_a_phone_and_catches_what_is_dropped_beside_its_frame(server, browser):
    page, said = opened(browser, server, viewport={"width": 390, "height": 800})
    page.evaluate("""bytes => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(bytes)], "a-long-name-without-any-space-".repeat(9) + ".jpg"));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    }""", list(picture()))
    page.get_by_text("Done.").wait_for()
    page.get_by_text("All numbers").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()
    assert said == []




# --- inside, where no client can lead


def inside(export, log, *asked, headers=None, fetcher=None, **others):
    """The answers of an application in this process to (method, path, content), once its model was looked for."""
    async def ask():
        app = create(export, settings(log=str(log), **others))
        app.state.service.fetcher = fetcher
        async with app.router.lifespan_context(app), httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://inside") as client:
            async with asyncio.timeout(20):
                while "event" not in (log.read_text() if log.exists() else ""):
                    await asyncio.sleep(0.01)
            return [await client.request(method, path, content=content, headers=headers)
                    for method, path, content in asked]

    return asyncio.run(ask())


def test_an_unknown_error_is_a_500_with_a_trace_id_and_nothing_else(export, tmp_path, monkeypatch):
    loaded = prediction.load(export)
    monkeypatch.setattr(prediction, "load", lambda *_: loaded)
    monkeypatch.setattr(loaded, "answer", lambda *_, **__: 1 / 0)
    answer, = inside(export, tmp_path / "log", ("POST", "/predict", picture()))
    content = problem(answer, 500, "internal")
    line, = lines(tmp_path / "log", content["trace_id"])
    assert line["error"] == "ZeroDivisionError" and "1 / 0" in line["trace"]


def test_a_refused_request_is_forgotten_at_once(export, tmp_path):
    """Nothing may wait for the garbage collector: it would keep lines open and bodies in memory."""
    async def ask():
        app = create(export, settings(log=str(tmp_path / "log"), read_timeout=0.2))
        async with app.router.lifespan_context(app), httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://inside") as client:
            while (await client.get("/health")).status_code == 503:
                await asyncio.sleep(0.05)
            gc.collect()
            gc.disable()
            statuses = [(await client.post("/predict", content=content)).status_code
                        for content in (picture()[:600], b"", b"hello", stalls(), picture())]
            for path in ("/predict?mode=7", "/nothing", "/health"):
                statuses.append((await client.post(path, content=picture())).status_code)
        return statuses, [one for one in gc.get_objects() if isinstance(one, Request)]

    async def stalls():
        yield b"\xff\xd8"
        await asyncio.sleep(1)

    try:
        statuses, kept = asyncio.run(ask())
    finally:
        gc.enable()
    assert statuses == [422, 400, 415, 408, 200, 400, 404, 405] and kept == []


def within(export, log, ask, **others):
    """What `ask(client, service)` returns, of an application in this process whose model is loaded."""
    async def run():
        app = create(export, settings(log=str(log), **others))
        async with app.router.lifespan_context(app), httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://inside", timeout=30) as client:
            while (await client.get("/health")).status_code == 503:
                await asyncio.sleep(0.05)
            return await ask(client, app.state.service)

    return asyncio.run(run())


def test_costly_pictures_are_answered_one_at_a_time_and_hold_up_no_other(export, tmp_path, monkeypatch):
    loaded, free, most = prediction.load(export), threading.Event(), []
    monkeypatch.setattr(prediction, "load", lambda *_: loaded)

    def answer(picture):
        if picture.size[0] > 4000:
            most.append(1)
            free.wait(20)
        return loaded.example

    monkeypatch.setattr(loaded, "answer", answer)
    large, progressive = picture(size=(4500, 3000)), picture(progressive=True)

    async def ask(client, service):
        waiting = [asyncio.create_task(client.post("/predict", content=large)) for _ in range(4)]
        while not most:
            await asyncio.sleep(0.01)
        quick = [await client.post("/predict", content=picture()) for _ in range(3)]
        last = asyncio.create_task(client.post("/predict", content=progressive))
        await asyncio.sleep(0.1)
        alone, held = len(most), service.heavy.taken
        free.set()
        return quick, alone, held, last.done(), [(await one).status_code for one in [*waiting, last]]

    quick, alone, held, done, statuses = within(export, tmp_path / "log", ask, workers=2, queue=8, total_timeout=30.0)
    assert [one.status_code for one in quick] == [200] * 3 and (alone, held, done) == (1, 5, False)
    assert statuses == [200] * 5


def test_a_thread_past_its_deadline_makes_the_process_not_ready_and_then_ends_it(export, tmp_path, monkeypatch):
    loaded, free, ended = prediction.load(export), threading.Event(), []
    monkeypatch.setattr(prediction, "load", lambda *_: loaded)
    monkeypatch.setattr(loaded, "answer", lambda _: free.wait(20) and loaded.example)
    monkeypatch.setattr(service, "GRACE", 0.3)
    monkeypatch.setattr(service.os, "_exit", ended.append)

    async def ask(client, service):
        late = await client.post("/predict", content=picture())
        while (ready := await client.get("/v2/health/ready")).status_code == 200:
            await asyncio.sleep(0.02)
        live = await client.get("/v2/health/live")
        while not ended:
            await asyncio.sleep(0.02)
        free.set()
        while (after := await client.get("/v2/health/ready")).status_code != 200:
            await asyncio.sleep(0.02)
        return late, ready, live, after

    late, ready, live, after = within(export, tmp_path / "log", ask, total_timeout=0.2)
    problem(late, 503, "late")
    assert "past its deadline" in problem(ready, 503, "late")["detail"] and live.status_code == after.status_code == 200
    assert '"stuck"' in (tmp_path / "log").read_text()


def test_without_a_model_the_api_lives_and_is_not_ready(tmp_path):
    live, docs, *others = inside(tmp_path, tmp_path / "log", ("GET", "/v2/health/live", None), ("GET", "/docs", None),
                                 ("GET", "/v2/health/ready", None), ("GET", "/health", None), ("POST", "/predict", b"x"))
    assert live.status_code == docs.status_code == 200
    for answer in others:
        problem(answer, 503, "no_model")


def test_no_page_of_ours_makes_html_or_code_of_what_it_is_told():
    pages = [path for kind in ("html", "js", "j2") for path in (config.REPOSITORY / "lib").rglob(f"*.{kind}")]
    assert len(pages) >= 2
    unsafe = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function")
    assert not [path for path in pages if unsafe.search(path.read_text(encoding="utf-8"))]
