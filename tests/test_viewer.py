"""The viewer: stored answers, scaled pictures, corrections that are not lost; and the page in a real browser."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from types import SimpleNamespace

import numpy as np
import pytest
from hosted import Host
from PIL import Image

from lib import tasks
from lib.common import config
from lib.evaluation import viewer
from lib.evaluation.viewer import __main__ as served
from lib.evaluation.viewer import outbox, review
from lib.storage import postgres as door
from lib.storage import revisions, runs

SIZE = (1800, 1350)
HOSTILE = "<img src=x onerror=\"document.title='owned'\">.jpg"


def item(image, number=0, size=SIZE, **values):
    """A stored answer whose box fills most of the picture, the model a little off."""
    width, height = size
    truth = dict(zip(("p1x", "p1y", "p2x", "p2y", "p3x", "p3y", "p4x", "p4y"),
                     (0.1 * width, 0.1 * height, 0.9 * width, 0.1 * height, 0.9 * width, 0.85 * height, 0.1 * width,
                      0.85 * height), strict=True))
    answer = {name: value + 5 + number for name, value in truth.items()}
    return {"image": image, "source": f"D:\\{image}", "sha256": "", "group": f"hole {number % 3}", "split": "test",
            "width": width, "height": height, "truth": {**truth, "row_nb": 4},
            "answer": {**answer, "row_nb": 4 + number % 2, "radius": [12.0] * 4, "confidence": 0.9, "refused": None},
            "scores": {"error_px": 7.0 + number, "error": 10.0 - number, "rows_right": 1.0}, "surprise": number / 4,
            **values}


def store(job, items, size=SIZE):
    """A finished run with these answers, and a picture for each."""
    record = runs.Run(job, "r1")
    for values in (("done", {}), ("export/export", {}), ("review", {"items": items})):
        record.write(*values)
    (record.folder / "params.yaml").write_text("")
    (job.folder / "images").mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(items):
        noise = np.random.default_rng(number).integers(0, 255, (27, 36, 3), np.uint8)
        Image.fromarray(noise).resize(size, Image.Resampling.NEAREST).save(job.folder / "images" / each["image"], quality=80)
    return record


@pytest.fixture
def opened(make_job):
    """A function that makes a viewer of three answers, whose page is a list of what it was sent."""
    made = []

    def make(items=None, **overrides):
        job = make_job(**overrides)
        view = viewer.Viewer(job, store(job, items or [item(f"{n}.jpg", n, (360, 270)) for n in range(3)], (360, 270)))
        view.page = Page()
        made.append(view)
        return view

    yield make
    for view in made:
        view.labels.outbox.close()


class Page(list):
    """What stands for the page: it keeps the messages."""

    def send(self, message, buffers=None):
        self.append({**message, "buffers": buffers})

    def wait(self, do, **values):
        """The first message of this kind, within ten seconds."""
        for _ in range(1000):
            for message in list(self):
                if message["do"] == do and all(message.get(key) == value for key, value in values.items()):
                    return message
            time.sleep(0.01)
        raise AssertionError(f"no {do} among {[message['do'] for message in self]}")


def correction(at=0, number=1, **values):
    label = {**item("", 0, (360, 270))["truth"], "p1x": 40.25}
    return {"do": "save", "at": at, "edit": str(uuid.uuid4()), "number": number, "status": "accepted", "label": label,
            "was": None, "who": "anna", "why": "corner moved", "note": "", "seconds": 3.5, **values}


def pixels(code):
    return np.asarray(Image.open(io.BytesIO(code)).convert("RGB"))


# --- stored answers


def test_a_run_without_stored_answers_says_what_to_run(make_job):
    with pytest.raises(ValueError, match="run notebook 03 first"):
        viewer.Viewer(make_job(), runs.Run(make_job(), "none"))


def test_answers_are_kept_with_the_run_worst_first_and_as_pages_without_a_kernel(make_job):
    import pandas as pd

    job = make_job(**{"viewer.sheet": 2})
    record = store(job, [item(f"{n}.jpg", n, (360, 270)) for n in range(3)], (360, 270))
    rows = [{**each, **each["truth"]} for each in review.read(record)]
    answers = [each["answer"] for each in rows]
    found = pd.DataFrame({"error": [1.0, 3.0, 2.0], "rank": [3, 1, 2]})
    truths = [job.truth(row) for row in rows]
    made = SimpleNamespace(job=job, rows=rows, truths=truths, answers=answers, found=found)
    figure = review.store(made, record)
    assert [each["image"] for each in review.read(record)] == ["1.jpg", "2.jpg", "0.jpg"]
    assert pd.read_csv(record.path("review.csv"))["image"].tolist() == ["1.jpg", "2.jpg", "0.jpg"]
    assert record.path("figures", "review.png").is_file() and len(figure.axes) == 2
    assert review.collapsible(figure).startswith("<details>") and "src=\"data:image/jpeg" in review.collapsible(figure)


def test_what_is_no_number_is_stored_as_none():
    assert review.plain({"a": [np.float64("nan"), np.int64(3)], "b": (float("inf"), "x", None)}) \
        == {"a": [None, 3], "b": [None, "x", None]}


def test_opening_needs_neither_tensorflow_nor_keras(make_job):
    job = make_job()
    store(job, [item("a.jpg", size=(360, 270))], (360, 270))
    code = ("import sys\nsys.modules['tensorflow'] = sys.modules['keras'] = None\n"
            "from lib import tasks\nfrom lib.common import config\nfrom lib.evaluation import viewer\nfrom lib.storage import runs\n"
            f"job = tasks.find('corners')(config.resolve('corners', 'smoke'), {job.profile!r}, 'r1')\n"
            "print(sorted(viewer.Viewer(job, runs.newest(job))._repr_mimebundle_()[0]))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ})
    assert "widget-view" in done.stdout, done.stderr


def test_a_suspect_label_lies_outside_the_models_own_radius():
    job, stored = tasks.job("corners"), item("a.jpg", 0)
    assert job.surprise(stored["truth"], stored["answer"]) == pytest.approx(50**0.5 / 12)
    assert job.surprise(stored["truth"], {**stored["answer"], "radius": None}) is None


class Colours(tasks.Job):
    """A classifier as the contract has it."""

    classes = ("red", "green")


@pytest.mark.parametrize("name", [*tasks.names(), ""])
def test_every_task_says_what_of_its_labels_is_corrected(name):
    kind = tasks.find(name) if name else Colours
    job = kind(config.resolve(name or "corners", "smoke"), "smoke")
    assert job.edit in ("points", "boxes", "choices", None)
    assert job.edit != "boxes" or "boxes" in job.columns
    assert set(job.choices) <= set(job.columns) and all(job.choices.values())


def test_a_label_of_a_class_is_suspect_where_the_model_thinks_it_improbable():
    surprise = Colours.surprise
    assert surprise(None, {"label": "a"}, {"probabilities": {"a": 0.9}}) < 1 < surprise(
        None, {"label": "b"}, {"probabilities": {"a": 0.9, "b": 0.1}})
    assert surprise(None, {"label": "a"}, {}) is None


# --- pictures


def test_copies_are_made_once_and_anew_when_the_picture_changes(opened):
    view = opened(**{"viewer.side": 200})
    row, shown = view.items[0], view.pictures.previews
    assert pixels(shown.preview(row)).shape == (135, 180, 3) and pixels(shown.thumbnail(row)).shape == (99, 132, 3)
    assert len(list(shown.folder.rglob("*.jpg"))) == 2
    source = view.job.folder / "images" / row["image"]
    Image.new("RGB", (360, 270), "red").save(source)
    assert pixels(shown.preview(row))[67, 90] == pytest.approx([254, 0, 0], abs=3)


def test_a_crop_is_cut_at_full_resolution(opened):
    view = opened()
    whole = np.asarray(Image.open(view.job.folder / "images" / "0.jpg")).astype(int)
    code, rect = view.pictures.previews.crop(view.items[0], [99.6, 49.2, 60.0, 40.0], 500)
    assert rect == [99, 49, 61, 41]
    assert np.abs(pixels(code).astype(int) - whole[49:90, 99:160]).mean() < 12
    assert pixels(view.pictures.previews.crop(view.items[0], [-50, -50, 1e6, 1e6], 90)[0]).shape == (68, 90, 3)
    with pytest.raises(ValueError, match="has nothing at"):
        view.pictures.previews.crop(view.items[0], [900, 0, 10, 10], 90)


def test_the_rectified_box_has_its_corners_in_the_corners(opened):
    view = opened()
    source = view.job.folder / "images" / "0.jpg"
    square = np.zeros((270, 360, 3), np.uint8)
    square[60:180, 90:270] = 255
    Image.fromarray(square).save(source, quality=95)
    box = pixels(view.pictures.previews.rectified(view.items[0], [[90, 60], [270, 60], [270, 180], [90, 180]]))
    assert box.shape == (427, 640, 3) and box[8:-8, 8:-8].min() > 230
    with pytest.raises(ValueError, match="no box"):
        view.pictures.previews.rectified(view.items[0], [[0, 0], [9, 9], [0, 0], [9, 9]])


def test_a_picture_that_is_gone_or_broken_is_a_message(opened):
    view = opened()
    (view.job.folder / "images" / "0.jpg").unlink()
    (view.job.folder / "images" / "1.jpg").write_bytes(b"\xff\xd8\xff no picture")
    for at, words in ((0, "no longer there"), (1, "can no longer be read"), (99, "no picture number 99")):
        for do in ("picture", "crop"):
            view.on_message({"do": do, "at": at, "rect": [0, 0, 9, 9], "most": 64})
            assert "run notebook 01" in view.page.wait(do, at=at)["error"] or words in view.page.wait(do, at=at)["error"]
    view.on_message({"do": "thumbnails", "many": [0, 1, 2, 99]})
    assert [bool(code) for code in view.page.wait("thumbnails")["buffers"]] == [False, False, True]


def test_what_no_page_sends_kills_nothing(opened):
    view = opened()
    for message in ({}, {"do": "nothing"}, {"do": "picture", "at": "x"}, {"do": "save", "at": 0}, {"do": "crop", "at": 0}):
        view.on_message(message)
    assert "KeyError" in view.page.wait("save")["error"]
    view.on_message({"do": "picture", "at": 0})
    assert view.page.wait("picture", at=0)["buffers"]


def test_a_task_without_an_edit_mode_is_shown_as_it_draws(opened, monkeypatch):
    view = opened()
    monkeypatch.setattr(type(view.job), "edit", None)
    view.on_message({"do": "open"})
    assert view.page.wait("open")["read_only"] and view.page.wait("open")["points"] == []
    view.on_message({"do": "picture", "at": 0})
    assert pixels(view.page.wait("picture", at=0)["buffers"][0]).shape[2] == 3
    view.on_message(correction())
    assert "read-only" in view.page.wait("save")["error"]


# --- corrections


def test_a_correction_is_a_revision_and_the_next_visit_knows_it(opened):
    view = opened()
    view.on_message(correction(note="lid"))
    saved = view.page.wait("saved")["revision"]
    assert saved["label"]["p1x"] == 40.25 and saved["who"] == "anna" and saved["note"] == "lid" and saved["seconds"] == 3.5
    assert not list(view.labels.outbox.folder.glob("*.json"))
    view.on_message({"do": "open"})
    assert view.page.wait("open")["revisions"] == [saved]
    view.on_message({"do": "history", "at": 0})
    assert view.page.wait("history")["revisions"] == [saved]
    view.on_message({"do": "updates", "last": saved["id"]})
    assert view.page.wait("updates")["revisions"] == []


def test_a_label_that_the_task_refuses_is_not_saved_and_its_reason_told(opened):
    view = opened()
    label = {**correction()["label"], "p1x": 200.0, "p1y": 150.0}
    view.on_message(correction(label=label, edit="e-1"))
    message = view.page.wait("save", edit="e-1")
    assert "not saved" in message["error"] and revisions.latest(view.job) == {}
    view.on_message(correction(label=label, status="bad"))
    assert view.page.wait("saved")["revision"]["status"] == "bad"


def test_a_read_only_viewer_saves_nothing(opened):
    view = opened(**{"viewer.read_only": True})
    view.on_message(correction())
    assert "read-only" in view.page.wait("save")["error"] and revisions.latest(view.job) == {}


def test_without_a_name_nothing_is_saved(opened):
    view = opened()
    view.on_message(correction(who="  "))
    assert "reviewer's name" in view.page.wait("refused")["text"]


def test_the_second_of_two_is_in_conflict_and_may_save_on_top(opened):
    view = opened()
    view.on_message(correction(who="bob"))
    first = view.page.wait("saved")["revision"]
    mine = correction(note="mine")
    view.on_message(mine)
    conflict = view.page.wait("conflict")
    assert conflict["revision"] == first and conflict["edit"] == mine["edit"]
    assert [path.stem for path in view.labels.outbox.folder.glob("*.json")] == [mine["edit"]], "it is not lost"
    view.page.clear()
    view.on_message({"do": "retry"})
    assert view.page.wait("conflict")["change"]["note"] == "mine", "a page that is opened later is told, too"
    again = correction(number=2, note="mine", replaces=mine["edit"])
    view.on_message(again)
    assert view.page.wait("saved", edit=again["edit"])["revision"]["number"] == 2
    assert not list(view.labels.outbox.folder.glob("*.json"))


def test_a_correction_given_up_is_dropped(opened):
    view = opened()
    view.on_message(correction(who="bob"))
    view.page.wait("saved")
    mine = correction()
    view.on_message(mine)
    view.page.wait("conflict")
    view.on_message({"do": "discard", "edit": mine["edit"], "tag": 1})
    view.page.wait("discard", tag=1)
    assert not list(view.labels.outbox.folder.glob("*.json"))


def test_a_lost_line_keeps_the_correction_and_sends_it_again(opened, monkeypatch):
    monkeypatch.setattr(outbox, "RETRY_AFTER", 0.05)
    save, broken = revisions.save, [True]

    def flaky(job, change):
        if broken[0]:
            raise door.Unreachable("no PostgreSQL answers")
        return save(job, change)

    monkeypatch.setattr(revisions, "save", flaky)
    view = opened()
    first = correction()
    view.on_message(first)
    assert "kept on this machine" in view.page.wait("waiting", edit=first["edit"])["text"]
    second = correction(note="and more", replaces=first["edit"])
    view.on_message(second)
    view.page.wait("waiting", edit=second["edit"])
    assert len(list(view.labels.outbox.folder.glob("*.json"))) == 1
    broken[0] = False
    assert view.page.wait("saved")["revision"]["note"] == "and more"
    assert len(revisions.history(view.job, view.items[0]["source"])) == 1


def test_what_a_killed_kernel_left_is_sent_by_the_next_one(opened):
    view = opened()
    change = revisions.Change(str(uuid.uuid4()), view.items[0]["source"], 1, "accepted", correction()["label"], None, "anna")
    (view.labels.outbox.folder).mkdir(parents=True)
    (view.labels.outbox.folder / f"{change.edit}.json").write_text(json.dumps(change.__dict__))
    (view.labels.outbox.folder / "damaged.json").write_text("{")
    again = viewer.Viewer(view.job, view.record)
    for _ in range(500):
        if found := revisions.latest(view.job):
            break
        time.sleep(0.01)
    again.labels.outbox.close()
    assert found[change.source].edit == change.edit


def test_a_change_that_replaces_one_which_just_got_through_is_built_on_it(make_job):
    job, told = make_job(), []
    box = outbox.Outbox(job, lambda event, edit, change, **facts: told.append((event, edit, facts)))
    base = {"source": "a", "number": 1, "status": "accepted", "label": {"p1x": 1.0}, "was": None, "who": "anna"}
    first = revisions.Change(edit=str(uuid.uuid4()), **base)
    revisions.save(job, first)
    second = revisions.Change(edit=str(uuid.uuid4()), **{**base, "label": {"p1x": 2.0}})
    box.add(second, first.edit)
    for _ in range(1000):
        if told:
            break
        time.sleep(0.01)
    box.close()
    event, edit, facts = told[0]
    assert (event, edit) == ("saved", second.edit) and facts["revision"].number == 2
    assert facts["revision"].was == {"p1x": 1.0}


# --- the app


def test_the_app_is_bound_to_this_machine_unless_a_token_guards_it():
    own, said = served._command(SimpleNamespace(host="127.0.0.1", port=8866), "page.ipynb")
    assert "--Voila.ip=127.0.0.1" in own and not [word for word in own if "token" in word] and said.endswith("8866/")
    other, said = served._command(SimpleNamespace(host="0.0.0.0", port=8866), "page.ipynb")
    token = next(word for word in other if word.startswith("--token=")).removeprefix("--token=")
    assert len(token) >= 32 and said.endswith(f"?token={token}")


def test_the_app_says_in_one_sentence_what_is_missing(home, capsys):
    assert served.main(["--profile", "full"]) == 2
    assert "run notebook 02 first" in capsys.readouterr().err
    assert served.main(["--set", "viewer.prot=1"]) == 2
    assert "did you mean 'port'" in capsys.readouterr().err


def test_the_page_is_given_its_run_and_its_reviewer(make_job):
    import nbformat

    record = store(make_job(), [item("a.jpg", size=(360, 270))], (360, 270))
    given = served._parser().parse_args(["--profile", "smoke", "--reviewer", "anna", "--set", "viewer.side=900"])
    path = served._page(record, served._values(given))
    source = "".join(cell.source for cell in nbformat.read(path, 4).cells if "injected-parameters" in cell.metadata.get("tags", []))
    assert 'run = "r1"' in source and '"viewer.reviewer": "anna"' in source and "900" in source


# --- in a browser


class App:
    """`python -m lib.viewer` on stored answers of its own."""

    def __init__(self, home, items):
        os.environ["COREBOX_HOME"] = str(home)
        self.home, self.job = home, tasks.job("corners", "smoke", "r1")
        self.record = store(self.job, items)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        revisions.latest(self.job)
        with door.connect(self.job):  # the database is up before the page asks for it
            pass
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lib.viewer", "--profile", "smoke", f"--port={self.port}", "--set",
             "viewer.autosave=600.0", "viewer.refresh=600.0"],
            cwd=config.REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(1200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/voila/static/none").close()
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)

    def open(self, browser, who):
        """A page of a reviewer, once its first picture is shown."""
        page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
        page.add_init_script(f"localStorage.setItem('corebox-reviewer', {json.dumps(who)})")
        page.goto(f"http://127.0.0.1:{self.port}/", timeout=120_000)
        page.locator(".corebox[data-shown]").wait_for(timeout=120_000)
        page.locator(".corebox").focus()
        return page

    def label(self, image):
        """The label of the newest revision of a picture."""
        return revisions.latest(self.job)[f"D:\\{image}"].label


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The viewer served by voila: five pictures, one of them with a hostile name."""
    before = os.environ.get("COREBOX_HOME")
    home = tmp_path_factory.mktemp("app")
    home.chmod(0o755)
    made = App(home, [item(name, n) for n, name in enumerate(("a.jpg", "b.jpg", HOSTILE.replace("/", ""), "d.jpg", "e.jpg"))])
    yield made
    made.process.terminate()
    made.process.wait(20)
    os.environ.pop("COREBOX_HOME") if before is None else os.environ.update(COREBOX_HOME=before)
    for pid in home.glob("data/postgres/postmaster.pid"):
        os.kill(int(pid.read_text().split("\n")[0]), signal.SIGQUIT)


@pytest.fixture
def in_app(app, monkeypatch):
    """The app, and COREBOX_HOME set to its home for this test."""
    monkeypatch.setenv("COREBOX_HOME", str(app.home))
    return app


def shown(page, image):
    """Wait until a picture of this name is on the screen."""
    page.wait_for_function("name => document.querySelector('.corebox').dataset.shown === name", arg=image, timeout=30_000)


def state(page, text):
    page.locator(f".corebox[data-state^={json.dumps(text)}]").wait_for(timeout=20_000)


def drag(page, corner, by):
    """Drag a corner by so many CSS pixels; the CSS pixels a pixel of the picture has."""
    box = page.get_by_role("button", name=f"corner {corner}", exact=True).bounding_box()
    x, y = box["x"] + box["width"] / 2 + 2, box["y"] + box["height"] / 2 - 3  # not grasped at its very centre
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by[0] / 2, y + by[1] / 2)
    page.mouse.move(x + by[0], y + by[1])
    page.mouse.up()


def scale(page):
    """CSS pixels in a pixel of the picture, read from two corners of its label."""
    one, other = (page.get_by_role("button", name=f"corner {n}", exact=True).bounding_box() for n in (1, 2))
    return (other["x"] - one["x"]) / (0.8 * SIZE[0])


def test_a_corner_is_dragged_undone_and_saved_in_voila_to_half_a_pixel_at_any_zoom(in_app, browser):
    page = in_app.open(browser, "anna")
    for name in ("b.jpg", HOSTILE.replace("/", ""), "d.jpg"):
        page.keyboard.press("ArrowRight")
        shown(page, name)
    page.keyboard.press("PageUp")
    page.keyboard.press("PageUp")
    shown(page, "b.jpg")
    truth, per = item("b.jpg", 1)["truth"], scale(page)
    drag(page, 3, (-31, 22))
    state(page, "not saved yet")
    page.keyboard.press("Control+z")
    drag(page, 1, (40, 25))
    page.keyboard.press("s")
    state(page, "saved")
    label = in_app.label("b.jpg")
    assert label["p3x"] == truth["p3x"] and label["p3y"] == truth["p3y"], "that was undone"
    assert label["p1x"] == pytest.approx(truth["p1x"] + 40 / per, abs=0.5)
    assert label["p1y"] == pytest.approx(truth["p1y"] + 25 / per, abs=0.5)
    page.keyboard.press("Tab")   # corner 2 in hand: the zoom is about it
    for _ in range(9):
        page.keyboard.press("+")
    drag(page, 2, (-30, 12))
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("7")
    page.keyboard.press("s")
    page.wait_for_function("document.querySelectorAll('.corebox .revision').length === 3")
    near, zoomed = in_app.label("b.jpg"), per * 1.25**9
    assert near["p2x"] == pytest.approx(truth["p2x"] - 30 / zoomed + 10, abs=0.5)
    assert near["p2y"] == pytest.approx(truth["p2y"] + 12 / zoomed - 1, abs=0.5)
    assert near["row_nb"] == 7 and near["p1x"] == label["p1x"]
    history = revisions.history(in_app.job, "D:\\b.jpg")
    assert [each.number for each in history] == [2, 1] and history[0].was == history[1].label
    assert history[1].who == "anna" and history[1].why == "corner moved" and history[1].run == "r1"
    page.locator(".corebox .revision", has_text="the table").get_by_role("button").click()
    page.locator(".corebox").focus()
    page.keyboard.press("s")
    page.wait_for_function("document.querySelectorAll('.corebox .revision').length === 4")
    assert in_app.label("b.jpg") == truth


def test_two_browsers_conflict_and_lose_nothing(in_app, browser):
    anna, bob = in_app.open(browser, "anna"), in_app.open(browser, "bob")
    anna.keyboard.press("5")
    anna.keyboard.press("s")
    state(anna, "saved")
    bob.keyboard.press("9")
    bob.keyboard.press("n")
    bob.keyboard.type("I count nine")
    bob.keyboard.press("Escape")
    bob.keyboard.press("s")
    state(bob, "conflict")
    assert "anna changed this picture" in bob.locator(".corebox .banner").inner_text()
    assert in_app.label("a.jpg")["row_nb"] == 5
    bob.get_by_role("button", name="save mine on top").click()
    state(bob, "saved")
    history = revisions.history(in_app.job, "D:\\a.jpg")
    assert [(each.who, each.label["row_nb"], each.note) for each in history] == [("bob", 9, "I count nine"), ("anna", 5, "")]


def test_names_and_notes_are_shown_as_text(in_app, browser):
    page = in_app.open(browser, "<b onclick=1>eve</b>")
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    shown(page, HOSTILE.replace("/", ""))
    page.keyboard.press("n")
    page.keyboard.type("<script>document.title='owned'</script>")
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    page.keyboard.press("s")
    state(page, "saved")
    page.locator(".corebox .revision i").wait_for()
    assert page.locator(".corebox .title").inner_text() == HOSTILE.replace("/", "")
    assert page.locator(".corebox :is(img, script, .revision b b)").count() == 0 and "owned" not in page.title()


def test_filters_and_keys_lead_to_the_picture(in_app, browser):
    page = in_app.open(browser, "anna")
    page.keyboard.press("/")
    page.keyboard.type("e.jp")
    page.keyboard.press("Enter")
    shown(page, "e.jpg")
    assert page.locator(".corebox .count").inner_text() == "1 of 1"
    page.locator("input[type=search]").fill("")
    page.get_by_label("order", exact=True).select_option("surprise")
    page.locator(".corebox").focus()
    page.keyboard.press("Home")
    shown(page, "e.jpg")
    page.keyboard.press("?")
    assert page.get_by_text("take the next corner, or box, in hand").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_text("take the next corner, or box, in hand").is_visible()
    page.get_by_label("answer", exact=True).select_option("refused")
    assert "no picture fits" in page.locator(".corebox .message").inner_text()


def test_what_was_shown_as_saved_outlives_a_killed_kernel(in_app, browser):
    import psutil

    page = in_app.open(browser, "anna")
    page.keyboard.press("End")
    shown(page, "e.jpg")
    page.keyboard.press("6")
    page.keyboard.press("s")
    state(page, "saved")
    page.keyboard.press("2")   # and this one was not saved
    for child in psutil.Process(in_app.process.pid).children(recursive=True):
        if "ipykernel_launcher" in " ".join(child.cmdline()):
            child.kill()
    assert in_app.label("e.jpg")["row_nb"] == 6
    again = in_app.open(browser, "anna")
    again.keyboard.press("End")
    shown(again, "e.jpg")
    state(again, "saved")
    assert again.locator(".corebox .pick .on").inner_text() == "6"


class Things(tasks.Job):
    """Boxes of two kinds."""

    columns, edit, kinds, headline = {"boxes": str}, "boxes", ("boat", "buoy"), "f1"

    def check(self, row):
        return row


@pytest.fixture
def hosted(home, browser):
    """A function that opens items of a job in a browser: (page, viewer)."""
    made = []

    def start(kind, items):
        job = kind(config.resolve("corners", "smoke", {"viewer.autosave": 600.0}), f"h{uuid.uuid4().hex[:8]}", "r1")
        view = viewer.Viewer(job, store(job, items))
        made.append(view)
        return Host(view).open(browser, "anna"), view

    yield start
    for view in made:
        view.labels.outbox.close()


def kept(view, image):
    """The label of the newest revision of a picture."""
    return revisions.latest(view.job)[f"D:\\{image}"].label


BOXES = [[200.0, 300.0, 700.0, 600.0, "boat"], [1000.0, 500.0, 1500.0, 1100.0, "boat"]]


def test_boxes_are_moved_resized_drawn_named_and_removed_to_half_a_pixel(hosted):
    found = {"boxes": [[205.0, 305.0, 690.0, 610.0, "boat"]]}
    page, view = hosted(Things, [item("a.jpg", truth={"boxes": BOXES}, answer=found, scores={"f1": 0.5}),
                                 item("b.jpg", 1, truth={"boxes": BOXES[:1]}, answer=found, scores={"f1": 1.0})])
    page.keyboard.press("Tab")   # the first box in hand: its corners say where pictures' pixels are on the page
    one, two = (page.get_by_role("button", name=f"corner {n}", exact=True).bounding_box() for n in (1, 2))
    per = (two["x"] - one["x"]) / 500

    def pull(start, end):
        (x, y), (right, down) = ((one["x"] + one["width"] / 2 + (at[0] - 200) * per,
                                  one["y"] + one["height"] / 2 + (at[1] - 300) * per) for at in (start, end))
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move((x + right) / 2, (y + down) / 2)
        page.mouse.move(right, down)
        page.mouse.up()

    pull((700, 600), (750, 640))                # the corner at the right below
    pull((1200, 800), (1240, 780))              # another box, by its middle
    page.keyboard.press("ArrowRight")
    page.keyboard.down("Shift")
    pull((300, 900), (100, 1200))               # a new one, drawn from the right above
    page.keyboard.up("Shift")
    page.keyboard.press("2")
    page.keyboard.press("a")
    pull((800, 100), (900, 200))                # one more, and gone again
    page.keyboard.press("Delete")
    pull((1250, 800), (1300, 800))
    page.keyboard.press("Control+z")
    assert "label: 3 boxes" in page.locator(".corebox .chips").inner_text()
    page.keyboard.press("s")
    state(page, "saved")
    boxes = json.loads(kept(view, "a.jpg")["boxes"])
    assert [box[4] for box in boxes] == ["boat", "boat", "buoy"]
    wanted = [[200, 300, 750, 640], [1041, 480, 1541, 1080], [100, 900, 300, 1200]]
    assert np.abs(np.array([box[:4] for box in boxes]) - wanted).max() < 0.5
    assert json.loads(revisions.history(view.job, "D:\\a.jpg")[0].was["boxes"]) == BOXES
    page.keyboard.press("Escape")
    page.keyboard.press("End")
    shown(page, "b.jpg")
    page.keyboard.press("p")
    page.keyboard.press("s")
    state(page, "saved")
    assert json.loads(kept(view, "b.jpg")["boxes"]) == found["boxes"]
    page.locator(".corebox .revision", has_text="the table").get_by_role("button").click()
    page.locator(".corebox").focus()
    page.keyboard.press("s")
    page.wait_for_function("document.querySelectorAll('.corebox .revision').length === 3")
    assert json.loads(kept(view, "b.jpg")["boxes"]) == BOXES[:1]


def test_a_class_is_set_by_its_number_and_suspects_stand_first(hosted):
    page, view = hosted(Colours, [
        item(f"{name}.jpg", truth={"label": "red"}, answer={"label": "green", "probabilities": {"red": 0.1, "green": 0.9}},
             scores={"right": 0.0}, surprise=surprise, suspect=surprise > 1)
        for name, surprise in (("a", 0.2), ("b", 1.4), ("c", 1.8))])
    shown(page, "c.jpg")
    assert "2 suspect labels to look at" in page.locator(".corebox .foot").inner_text()
    assert page.locator(".corebox .chip").all_inner_texts() == ["label: red", "model: green"]
    page.keyboard.press("2")
    page.keyboard.press("s")
    state(page, "saved")
    assert kept(view, "c.jpg") == {"label": "green"}
    assert "1 suspect label to look at" in page.locator(".corebox .foot").inner_text()
    page.get_by_label("answer", exact=True).select_option("doubt")
    assert page.locator(".corebox .count").inner_text() == "1 of 2"


def test_what_is_to_be_labelled_next_begins_at_the_answer_and_is_told_apart(hosted):
    new = {"truth": None, "scores": {}, "surprise": None, "split": "queue"}
    page, view = hosted(Colours, [item("known.jpg", truth={"label": "red"}, answer={"label": "red"}, scores={"right": 1.0}),
                                  item("new.jpg", 1, answer={"label": "green"}, queue=0, **new)])
    shown(page, "new.jpg")
    assert "1 to label" in page.locator(".corebox .foot").inner_text()
    page.keyboard.press("Enter")
    shown(page, "known.jpg")
    page.wait_for_function("document.querySelector('.corebox .foot').innerText.includes('1/2 reviewed')")
    revision = revisions.latest(view.job)["D:\\new.jpg"]
    assert revision.label == {"label": "green"} and revision.was is None and revision.number == 1
    assert revisions.new_pictures(view.job) == {"D:\\new.jpg"}
    assert "s a picture" in page.locator(".corebox .foot").inner_text()


def test_a_box_that_is_none_is_not_saved(opened, monkeypatch):
    view = opened()
    monkeypatch.setattr(type(view.job), "edit", "boxes")
    monkeypatch.setattr(type(view.job), "columns", {"boxes": str})
    for box in ([5, 5, 5, 9], [1, 2, float("nan"), 4], [1, 2]):
        with pytest.raises(ValueError, match="is no box"):
            view.labels.form.columns(view.items[0], {"boxes": [box]})
    assert view.labels.form.columns(view.items[0], {"boxes": [[1, 2, 3.5, 4]]}) == {"boxes": "[[1.0, 2.0, 3.5, 4.0]]"}
    monkeypatch.setattr(type(view.job), "kinds", ("cat", "dog"))
    assert view.labels.form.columns(view.items[0], {"boxes": [[1, 2, 3, 4, "dog"]]}) == {"boxes": '[[1.0, 2.0, 3.0, 4.0, "dog"]]'}
    with pytest.raises(ValueError, match="one of cat, dog"):
        view.labels.form.columns(view.items[0], {"boxes": [[1, 2, 3, 4, "cow"]]})
