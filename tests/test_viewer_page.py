"""The viewer's page in a real browser: served by voila, and alone with a Viewer behind it."""

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

import numpy as np
import pytest
from accessibility import violations
from viewer_host import HOSTILE, SIZE, Host, item, store

from lib import tasks
from lib.common import config
from lib.evaluation import viewer
from lib.storage import postgres as door
from lib.storage import revisions
from lib.tasks.contract import Located, Metric, Reviewable, Task


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


def kernels_of(app):
    """How many kernels the app has."""
    import psutil

    return sum(_is_kernel(child) for child in psutil.Process(app.process.pid).children(recursive=True))


def _is_kernel(process):
    import psutil

    try:
        return "ipykernel_launcher" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:   # it ended while it was looked at, or waits for its parent to notice
        return False


def test_no_get_starts_a_kernel_and_no_foreign_page_does(in_app, browser):
    address = f"http://127.0.0.1:{in_app.port}/"
    before = kernels_of(in_app)
    for path, headers in (("", {}), ("view/guessed", {}), ("", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"})):
        for _ in range(7):
            with urllib.request.urlopen(urllib.request.Request(address + path, headers=headers)) as answer:
                assert b"a Python process of its own" in answer.read()
                assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}, {}, {"Sec-Fetch-Site": "same-origin", "Host": "evil.example"}):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(urllib.request.Request(f"{address}open", b"", headers))
    assert kernels_of(in_app) == before
    page = browser.new_page()
    page.set_content(f"<img src='{address}'><img src='{address}open'><iframe src='{address}'></iframe>")
    page.wait_for_timeout(1500)
    assert kernels_of(in_app) == before
    page.close()


def test_a_page_that_is_closed_or_loaded_again_ends_its_kernel(in_app, browser):
    before = kernels_of(in_app)
    page = in_app.open(browser, "anna")
    for _ in range(2):
        page.reload(timeout=120_000)
        page.locator(".corebox[data-shown]").wait_for(timeout=120_000)
    for _ in range(300):
        if kernels_of(in_app) <= before + 1:
            break
        time.sleep(0.1)
    assert kernels_of(in_app) <= before + 1
    assert "#picture=" in page.url, "the address names the picture, for a link"
    footer = page.locator(".corebox .foot").bounding_box()
    assert footer["y"] + footer["height"] <= 900 and footer["height"] > 20, "the line below is whole"
    page.close(run_before_unload=True)
    for _ in range(300):
        if kernels_of(in_app) <= before:
            break
        time.sleep(0.1)
    assert kernels_of(in_app) <= before


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
    assert violations(page) == []
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


class Colours(Task):
    """A classifier as the contract has it."""

    classes = ("red", "green")


class Things(Task, Reviewable, Located):
    """Boxes of two kinds."""

    columns, edit, box_classes, primary_metric = {"boxes": str}, "boxes", ("boat", "buoy"), Metric("f1")

    def check(self, row):
        return row


@pytest.fixture
def hosted(home, browser):
    """A function that opens items of a job in a browser: (page, viewer)."""
    made = []

    def start(kind, items, who="anna", autosave=600.0, **context):
        job = kind(config.resolve("corners", "smoke", {"viewer.autosave": autosave}), f"h{uuid.uuid4().hex[:8]}", "r1")
        view = viewer.Viewer(job, store(job, items))
        made.append(view)
        return Host(view).open(browser, who, **context), view

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
    assert "2 suspect labels to look at" in page.locator(".corebox .foot").inner_text(), "it is not accepted yet"
    page.keyboard.press("Enter")
    foot(page, "1 suspect label to look at")
    page.get_by_label("answer", exact=True).select_option("doubt")
    assert page.locator(".corebox .count").inner_text() == "2 of 2"


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


CORNERS = tasks.find("corners")


def two():
    return [item("a.jpg"), item("b.jpg", 1)]


def statuses(view, image="a.jpg"):
    """The statuses of the revisions of a picture, the oldest first."""
    return [each.status for each in revisions.history(view.job, f"D:\\{image}")][::-1]


def saved(page, key="s"):
    """Press a key, save, and wait until that is done."""
    page.keyboard.press(key)
    page.keyboard.press("s")
    page.wait_for_function("/^saved/.test(document.querySelector('.corebox').dataset.state)")


def foot(page, text):
    page.locator(".corebox .foot", has_text=text).wait_for(timeout=20_000)


# --- nothing that a person did is lost


@pytest.mark.parametrize("act", [
    lambda page: page.keyboard.press("b"), lambda page: page.keyboard.press("5"),
    lambda page: page.get_by_role("button", name="Bad picture").click(),
])
def test_a_change_without_a_name_asks_for_it_first_and_is_then_made(hosted, act):
    page, view = hosted(CORNERS, two(), who="")
    act(page)
    page.get_by_role("dialog", name="Who is reviewing?").wait_for()
    page.keyboard.press("Enter")   # the account's name is offered; a person takes it, or types another
    page.get_by_role("dialog").wait_for(state="hidden")
    saved(page)
    assert len(statuses(view)) == 1 and revisions.latest(view.job)["D:\\a.jpg"].who == page.get_by_label("reviewer", exact=True).input_value()


def test_who_gives_no_name_is_told_that_nothing_was_changed(hosted):
    page, view = hosted(CORNERS, two(), who="")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Only look").click()
    assert "nothing was changed" in page.locator(".corebox .toast").inner_text()
    assert page.locator(".corebox").get_attribute("data-state") == "" and shown_at(page) == "a.jpg"
    drag(page, 1, (30, 30))
    page.get_by_role("dialog", name="Who is reviewing?").wait_for()
    assert statuses(view) == []


def shown_at(page):
    return page.locator(".corebox").get_attribute("data-image")


def test_leaving_with_unsaved_work_asks_first(hosted, monkeypatch):
    monkeypatch.setattr(revisions, "save", lambda *_: (_ for _ in ()).throw(door.Unreachable("no PostgreSQL answers")))
    page, view = hosted(CORNERS, two())
    page.mouse.click(700, 400)
    assert page.evaluate("window.dispatchEvent(new Event('beforeunload', { cancelable: true }))"), "nothing is unsaved"
    page.keyboard.press("5")
    heard = page.evaluate("""() => {
      let later = false;
      window.addEventListener('beforeunload', () => { later = true; });
      return [window.dispatchEvent(new Event('beforeunload', { cancelable: true })), later];
    }""")
    assert heard == [False, False], "asked, and voila, which would end the kernel, is not told"
    state(page, "not saved yet")
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()


def test_the_sign_is_true_while_a_note_is_typed_and_for_other_pictures(hosted, monkeypatch):
    page, view = hosted(CORNERS, two())
    page.keyboard.press("5")
    saved(page)
    page.keyboard.press("n")
    page.keyboard.type("lid")
    state(page, "not saved yet")
    page.keyboard.press("Escape")
    saved(page)
    monkeypatch.setattr(revisions, "save", lambda *_: (_ for _ in ()).throw(door.Unreachable("no PostgreSQL answers")))
    page.keyboard.press("b")
    page.keyboard.press("PageDown")
    foot(page, "1 more not saved yet")


# --- an edit is not an acceptance


def test_an_edit_is_saved_but_accepted_by_an_act_alone(hosted):
    page, view = hosted(CORNERS, [*two(), item("c.jpg", 2)], autosave=0.1)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")   # a nudge by one pixel
    state(page, "saved, not accepted")
    page.keyboard.press("PageDown")
    page.keyboard.press("n")
    page.keyboard.type("wet core")      # a note alone
    state(page, "saved")
    page.keyboard.press("Escape")
    page.keyboard.press("PageDown")
    shown(page, "c.jpg")
    drag(page, 1, (20, 20))
    state(page, "saved, not accepted")
    page.keyboard.press("Control+z")    # a drag undone after it was saved
    page.wait_for_function("document.querySelector('.corebox').dataset.state === 'saved'")
    assert statuses(view) == ["edited"] and set(statuses(view, "b.jpg")) == {"open"}
    assert statuses(view, "c.jpg")[-1] == "open" and set(statuses(view, "c.jpg")) == {"edited", "open"}
    assert revisions.latest(view.job, decided=True) == {}
    foot(page, "0/3 reviewed, 0 corrected, 1 edited, not accepted")
    page.get_by_label("status", exact=True).select_option("open")
    assert page.locator(".corebox .count").inner_text().endswith("of 3")
    page.keyboard.press("Home")
    shown(page, "a.jpg")
    page.keyboard.press("Enter")
    foot(page, "1/3 reviewed, 1 corrected")
    assert statuses(view) == ["edited", "accepted"] and list(revisions.latest(view.job, decided=True)) == ["D:\\a.jpg"]
    page.get_by_label("status", exact=True).select_option("done")
    page.locator(".corebox").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")    # an accepted label that is changed has to be accepted again
    state(page, "saved, not accepted")
    assert statuses(view) == ["edited", "accepted", "edited"]
    assert revisions.latest(view.job, decided=True)["D:\\a.jpg"].number == 2, "what was accepted holds until then"


def test_undo_reaches_saved_marks_and_goes_back_across_pictures(hosted):
    page, view = hosted(CORNERS, [*two(), item("c.jpg", 2)])
    page.keyboard.press("Enter")
    shown(page, "b.jpg")
    saved(page, "b")
    page.keyboard.press("PageDown")
    page.keyboard.press("4")
    saved(page, "u")
    foot(page, "3/3 reviewed")
    for image in ("c.jpg", "b.jpg", "a.jpg"):
        page.keyboard.press("Control+z")
        shown(page, image)
        saved(page)
    foot(page, "0/3 reviewed")
    assert [statuses(view, f"{name}.jpg") for name in "abc"] == [["accepted", "open"], ["bad", "open"], ["unsure", "open"]]
    assert revisions.latest(view.job, decided=True) == {}
    page.keyboard.press("Control+y")
    shown(page, "a.jpg")
    saved(page)
    assert statuses(view) == ["accepted", "open", "accepted"]


def test_undo_goes_back_behind_an_acceptance_that_was_saved(hosted):
    page, view = hosted(CORNERS, two())
    page.keyboard.press("9")
    page.keyboard.press("Enter")
    shown(page, "b.jpg")
    foot(page, "1/2 reviewed, 1 corrected")
    for _ in range(2):
        page.keyboard.press("Control+z")
    shown(page, "a.jpg")
    assert page.get_by_title("row_nb 4", exact=True).get_attribute("aria-pressed") == "true"
    assert not page.get_by_role("alert").count(), "nobody else changed it"
    page.keyboard.press("s")
    saved(page)
    assert kept(view, "a.jpg")["row_nb"] == 4


def test_a_picture_can_be_put_back_to_do(hosted):
    page, view = hosted(CORNERS, two())
    saved(page, "r")
    page.get_by_role("button", name="Back to do").click()
    saved(page)
    page.wait_for_function("document.querySelector('.corebox .foot').innerText.includes('0/2 reviewed')")
    assert statuses(view) == ["refused", "open"] and revisions.latest(view.job, decided=True) == {}


def test_crossed_corners_warn_are_not_green_and_cannot_be_accepted(hosted):
    page, view = hosted(CORNERS, two())
    one, two_ = (page.get_by_role("button", name=f"corner {n}", exact=True).bounding_box() for n in (1, 2))
    drag(page, 1, (two_["x"] - one["x"] + 60, 10))
    page.keyboard.press("Enter")
    assert "corners cross" in page.locator(".corebox .toast").inner_text() and shown_at(page) == "a.jpg"
    page.keyboard.press("s")
    state(page, "saved, but the corners cross")
    assert "bad" in page.locator(".corebox .state").get_attribute("class") and statuses(view) == ["edited"]
    assert "fault" in page.locator(".corebox .thumb.here").get_attribute("class")
    assert not page.locator(".corebox .thumb.accepted, .corebox .thumb.corrected").count()


def test_the_conflict_banner_says_field_by_field_what_differs(hosted, monkeypatch):
    page, view = hosted(CORNERS, two())
    label = {**item("a.jpg")["truth"], "p2x": 0.9 * SIZE[0] - 30}
    revisions.save(view.job, revisions.Change(str(uuid.uuid4()), "D:\\a.jpg", 1, "bad", label, None, "bob", note="blurred"))
    page.keyboard.press("5")
    page.keyboard.press("s")
    state(page, "conflict")
    said = page.locator(".corebox .banner").inner_text()
    for words in ("bob changed this picture", "corner 2: 30.0 px apart", "row nb: yours 5, theirs 4", "theirs bad picture", "theirs “blurred”"):
        assert words in said
    assert "corner 1" not in said
    page.get_by_role("button", name="take theirs").click()
    state(page, "saved")
    page.keyboard.press("Control+z")
    saved(page)
    assert [each.label["row_nb"] for each in revisions.history(view.job, "D:\\a.jpg")] == [5, 4], "mine came back by undo"


# --- which pictures


def table(job, items):
    """labels.csv with a row for each of the items."""
    import pandas as pd

    rows = [{"image": each["image"], **each["truth"], "width": each["width"], "height": each["height"], "sha256": "",
             "group": each["group"], "split": each["split"], "source": each["source"]} for each in items]
    pd.DataFrame(rows).to_csv(job.folder / "labels.csv", index=False)


def test_the_whole_table_is_shown_by_hole_and_split_and_scores_stay_as_they_are(hosted):
    page, view = hosted(CORNERS, two())
    table(view.job, [*two(), item("t.jpg", 2, split="train"), item("v.jpg", 3, split="validation", group="hole 9")])
    for name in "tv":
        (view.job.folder / "images" / f"{name}.jpg").write_bytes((view.job.folder / "images" / "a.jpg").read_bytes())
    before = view.record.path("review.json").read_bytes()
    page.get_by_label("split", exact=True).select_option("*")
    page.locator(".corebox .count", has_text="of 4").wait_for()
    page.get_by_label("split", exact=True).select_option("train")
    shown(page, "t.jpg")
    assert page.locator(".corebox .count").inner_text() == "1 of 1"
    assert "did not verify" in page.locator(".corebox .facts").inner_text()
    page.locator(".corebox").focus()
    page.keyboard.press("5")
    saved(page)
    assert statuses(view, "t.jpg") == ["edited"]
    page.get_by_label("split", exact=True).select_option("*")
    page.get_by_label("group", exact=True).select_option("hole 9")
    shown(page, "v.jpg")
    assert "hole 9" in page.locator(".corebox .caption").inner_text()
    page.get_by_role("button", name="Clear").click()
    assert page.locator(".corebox .count").inner_text().endswith("of 2")
    assert view.record.path("review.json").read_bytes() == before


def test_the_order_is_turned_round_and_a_picture_found_by_number_name_or_link(hosted):
    page, view = hosted(CORNERS, [*two(), item("c d.jpg", 2)])
    page.keyboard.press("q")
    page.keyboard.press("Home")
    shown(page, "c d.jpg")
    for text, image in (("3", "a.jpg"), ("b.j", "b.jpg"), ("http://127.0.0.1:8866/#picture=c%20d.jpg", "c d.jpg")):
        page.keyboard.press("j")
        page.get_by_label("number, name or link").fill(text)
        page.keyboard.press("Enter")
        shown(page, image)
    page.get_by_label("search by name").fill("a.jpg")
    page.locator(".corebox").focus()
    page.keyboard.press("j")
    page.get_by_label("number, name or link").fill("b.jpg")
    page.keyboard.press("Enter")
    shown(page, "b.jpg")   # though the search hides it


def test_help_has_the_keys_for_itself(hosted):
    page, view = hosted(CORNERS, two())
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    for key in ("b", "ArrowRight", "5"):
        page.keyboard.press(key)
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for(state="hidden")
    assert shown_at(page) == "a.jpg" and page.locator(".corebox").get_attribute("data-state") == ""


def test_sure_answers_that_agree_are_accepted_together_and_taken_back_together(hosted):
    many = [item(f"{n}.jpg", n, surprise=0.2) for n in range(4)]           # 1 and 3 have other rows
    many += [item("doubt.jpg", 0, surprise=1.4), item("unsure.jpg", 0, surprise=0.1)]
    many[-1]["answer"]["confidence"] = 0.3
    page, view = hosted(CORNERS, many)
    page.keyboard.press("m")
    assert "2 of the 6 pictures" in page.get_by_role("dialog").inner_text()
    page.get_by_role("button", name="Cancel").click()
    assert revisions.latest(view.job) == {}
    page.keyboard.press("m")
    page.get_by_role("button", name="Accept them").click()
    foot(page, "2/6 reviewed")
    found = revisions.latest(view.job)
    assert sorted(found) == ["D:\\0.jpg", "D:\\2.jpg"] and {each.why for each in found.values()} == {"accepted in bulk"}
    page.keyboard.press("Control+z")
    foot(page, "0/6 reviewed")
    assert revisions.latest(view.job, decided=True) == {}


def test_the_list_is_saved_as_a_table_of_what_is_filtered(hosted):
    import io

    import pandas as pd

    page, view = hosted(CORNERS, [*two(), item("c.jpg", 2)])
    page.keyboard.press("n")
    page.keyboard.type("=1+1, wet")
    page.keyboard.press("Escape")
    page.get_by_label("group", exact=True).select_option("hole 0")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    text = download.value.path().read_bytes().decode("utf-8-sig")
    found = pd.read_csv(io.StringIO(text))
    assert found["image"].tolist() == ["a.jpg"] and found["note"].tolist() == ["'=1+1, wet"]
    assert found["label_p1x"].tolist() == [180] and found["answer_row_nb"].tolist() == [4] and found["error_px"].tolist() == [7]
    assert download.value.suggested_filename == f"corners-{view.job.profile}-r1.csv"


def test_the_answers_of_two_runs_are_compared(hosted):
    from lib.storage import runs

    page, view = hosted(CORNERS, two())
    other = runs.Run(view.job, "r0")
    far = item("b.jpg", 1)
    far["answer"] = {**far["answer"], "p1x": far["answer"]["p1x"] + 40}
    for values in (("done", {}), ("export/export", {}), ("review", {"items": [item("a.jpg"), far]})):
        other.write(*values)
    (other.folder / "params.yaml").write_text("")
    assert view.open({})["runs"] == ["r0"]
    page.evaluate("[...document.querySelector('[aria-label=\"other run\"]').options].length")
    page = Host(view).open(page.context.browser, "anna")
    page.get_by_label("other run").select_option("r0")
    page.get_by_label("order", exact=True).select_option("apart")
    page.keyboard.press("Home")
    shown(page, "b.jpg")
    assert "10 apart" in page.locator(".corebox .facts").inner_text()


# --- dark core, small screens, fingers


def brightness(page):
    """Mean of the picture on the stage as it is shown, 0 to 255."""
    import io

    from PIL import Image

    box = page.locator(".corebox .stage").bounding_box()
    clip = {"x": box["x"] + box["width"] / 2 - 60, "y": box["y"] + box["height"] / 2 - 60, "width": 120, "height": 120}
    page.wait_for_timeout(200)
    return np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("L")).mean()


def test_dark_pictures_are_made_readable_by_keys_and_stay_so(hosted):
    page, view = hosted(CORNERS, two())
    page.keyboard.press("h")
    plain = brightness(page)
    for _ in range(5):
        page.keyboard.press("Shift+l")
    assert brightness(page) < 0.7 * plain
    page.keyboard.press("w")
    assert brightness(page) == pytest.approx(plain, abs=2)
    for key in ("l", "l", "l", "i"):
        page.keyboard.press(key)
    light = brightness(page)
    assert light > 1.15 * plain
    page.keyboard.press("ArrowRight")
    shown(page, "b.jpg")
    assert brightness(page) > 1.1 * plain


def test_the_zoom_stays_from_picture_to_picture_and_tab_goes_from_corner_to_corner(hosted):
    page, view = hosted(CORNERS, two())
    whole = scale(page)
    for _ in range(6):
        page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    shown(page, "b.jpg")
    assert scale(page) == pytest.approx(whole * 1.25**6, rel=0.02)
    stage = page.locator(".corebox .stage").bounding_box()
    for number in (1, 2, 3, 4):
        page.keyboard.press("Tab")
        page.wait_for_function("n => document.querySelectorAll('.corebox .handle')[n - 1].classList.contains('held')", arg=number)
        box = page.get_by_role("button", name=f"corner {number}", exact=True).bounding_box()
        assert box["x"] + box["width"] / 2 == pytest.approx(stage["x"] + stage["width"] / 2, abs=2)
        assert box["y"] + box["height"] / 2 == pytest.approx(stage["y"] + stage["height"] / 2, abs=2)
    page.keyboard.press("f")
    page.keyboard.press("Escape")
    page.wait_for_timeout(100)
    assert scale(page) == pytest.approx(whole, rel=0.02)


def test_a_corner_is_dragged_to_where_it_is_let_go_in_a_turned_view(hosted):
    page, view = hosted(CORNERS, two())
    page.keyboard.press("v")
    page.wait_for_timeout(100)
    one, two_ = (page.get_by_role("button", name=f"corner {n}", exact=True).bounding_box() for n in (1, 2))
    per = (two_["y"] - one["y"]) / (0.8 * SIZE[0])
    assert per > 0 and abs(two_["x"] - one["x"]) < 1, "clockwise by a quarter: the upper side stands at the right"
    drag(page, 1, (-20, 30))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("s")
    state(page, "saved")
    label, truth = kept(view, "a.jpg"), item("a.jpg")["truth"]
    assert label["p1x"] == pytest.approx(truth["p1x"] + 30 / per + 1, abs=0.5)
    assert label["p1y"] == pytest.approx(truth["p1y"] + 20 / per, abs=0.5)


def test_guides_run_along_the_rows_of_a_standing_box_too(hosted):
    tall = item("tall.jpg")
    for key in ("truth", "answer"):
        tall[key] = {**tall[key], "p1x": 700.0, "p4x": 700.0, "p2x": 1100.0, "p3x": 1100.0}
    page, view = hosted(CORNERS, [tall, item("b.jpg", 1)])
    page.locator(".corebox .box[data-guides=standing]").wait_for()
    page.locator(".corebox .box").click()
    page.locator(".corebox .box[data-guides=lying]").wait_for()
    page.keyboard.press("ArrowRight")
    shown(page, "b.jpg")
    page.locator(".corebox .box[data-guides=lying]").wait_for()


@pytest.mark.parametrize("size", [(1024, 768), (1280, 720), (1440, 900), (820, 1180)])
def test_nothing_is_clipped(hosted, size):
    page, view = hosted(CORNERS, [item("a" * 60 + ".jpg", group="a hole with a long name 123456"), item("b.jpg", 1)], size=size)
    page.add_style_tag(content="body { margin: 0 } .corebox { height: 100vh !important; border: 0 !important }")
    page.keyboard.press("5")
    page.wait_for_timeout(300)
    outside = page.evaluate("""() => {
      const root = document.querySelector('.corebox').getBoundingClientRect();
      const found = [];
      for (const node of document.querySelectorAll('.corebox :is(button, select, input, textarea, .tally, .state, .title, .caption)')) {
        const box = node.getBoundingClientRect();
        if (!box.width || node.closest('.rail, dialog') || node.classList.contains('handle')) continue;
        const inSide = node.closest('.side');
        if (box.left < root.left - 1 || box.right > root.right + 1 || !inSide && (box.bottom > root.bottom + 1 || box.top < root.top)) {
          found.push(`${node.className} ${node.textContent.slice(0, 20)} ${box.right} ${box.bottom}`);
        }
      }
      for (const node of document.querySelectorAll('.corebox :is(.side, .bar, .foot, .middle)')) {
        if (node.scrollWidth > node.clientWidth + 1) found.push(`${node.className} scrolls`);
      }
      return found;
    }""")
    assert outside == []
    stage = page.locator(".corebox .stage").bounding_box()
    assert stage["width"] > 0.5 * size[0] and stage["height"] > 0.4 * size[1]


def test_two_fingers_zoom_and_buttons_do_what_keys_do_on_a_tablet(hosted):
    page, view = hosted(CORNERS, two(), size=(1180, 820), has_touch=True)
    whole, client = scale(page), page.context.new_cdp_session(page)

    def touch(kind, *points):
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(points)]})

    touch("touchStart", (400, 350))
    touch("touchStart", (400, 350), (480, 350))
    for by in (10, 20, 30, 40):
        touch("touchMove", (400 - by, 350), (480 + by, 350))
    touch("touchEnd")
    page.wait_for_timeout(200)
    assert scale(page) == pytest.approx(2 * whole, rel=0.1)
    page.get_by_role("button", name="whole picture (F)").tap()
    page.wait_for_timeout(100)
    assert scale(page) == pytest.approx(whole, rel=0.02)
    page.get_by_role("button", name="next corner or box (Tab)").tap()
    assert page.locator(".corebox .handle.held").get_attribute("aria-label") == "corner 1"


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_accessible(hosted, dark):
    page, view = hosted(CORNERS, [*two(), item("c.jpg", 2, suspect=True, surprise=1.5)], color_scheme="dark" if dark else "light")
    page.locator(".corebox .box[data-guides]").wait_for()
    assert violations(page) == []
    page.keyboard.press("5")
    page.keyboard.press("s")
    state(page, "saved, not accepted")
    page.locator(".corebox .revision").first.wait_for()
    assert violations(page) == []
    page.keyboard.press("b")
    page.keyboard.press("s")
    state(page, "saved")
    for key in ("?", "j", "m"):
        page.keyboard.press(key)
        page.get_by_role("dialog").wait_for()
        assert violations(page) == []
        page.keyboard.press("Escape")


# --- several boxes of one picture


NUMBERS = ("p1x", "p1y", "p2x", "p2y", "p3x", "p3y", "p4x", "p4y")


def quad(left, top, width=1200.0, height=450.0, rows=3, **more):
    return dict(zip(NUMBERS, (left, top, left + width, top, left + width, top + height, left, top + height), strict=True)) | {"row_nb": rows, **more}


def pair(image, number=0, found=None, **values):
    """A stored answer to a picture of two boxes, one below the other; the answer is 6 px off at each corner."""
    true = [quad(300.0, 100.0), quad(300.0, 700.0, rows=5)]
    found = [quad(306.0, 106.0), quad(306.0, 706.0, rows=4)] if found is None else found
    found = [{**box, "confidence": 0.9 - at / 5, "radius": [12.0] * 4, "cut": False, "refused": None, "rows_run": "horizontal"} for at, box in enumerate(found)]
    truth = {**true[0], "boxes_nb": 2, "boxes": true, "size": list(SIZE)}
    return item(image, number, truth=truth, answer={**found[0], "boxes_nb": len(found), "boxes": found}, **values)


def middles(page):
    """The middles of the handles on the four corners, in CSS pixels of the page."""
    boxes = [page.get_by_role("button", name=f"corner {n}", exact=True).bounding_box() for n in (1, 2, 3, 4)]
    return np.array([[box["x"] + box["width"] / 2, box["y"] + box["height"] / 2] for box in boxes])


def test_each_of_several_boxes_is_chosen_corrected_added_and_removed(hosted):
    page, view = hosted(CORNERS, [pair("two.jpg"), pair("other.jpg", 1)])
    shown(page, "two.jpg")
    chosen = page.locator(".boxes button.on")
    upper = middles(page)
    part = (upper[1, 0] - upper[0, 0]) / 1200   # CSS pixels a pixel of the picture
    place = lambda x, y: upper[0] + part * np.array([x - 300.0, y - 100.0])   # noqa: E731
    assert chosen.inner_text() == "1"
    page.keyboard.press("e")
    page.wait_for_function("document.querySelector('.boxes button.on').textContent === '2'")
    page.wait_for_timeout(100)   # the handles follow with the next frame
    assert middles(page)[0] == pytest.approx(place(300, 700), abs=1)
    assert page.get_by_title("row_nb 5", exact=True).get_attribute("aria-pressed") == "true"
    facts = dict(zip(page.locator(".facts span").all_inner_texts(), page.locator(".facts b").all_inner_texts(), strict=True))
    assert facts["boxes"] == "label 2, model 2" and facts["confidence"] == "70 %", "that of the chosen box"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")   # one pixel
    page.keyboard.press("Escape")
    page.get_by_title("row_nb 12", exact=True).click()
    page.locator(".corebox").focus()
    page.keyboard.press("s")
    state(page, "saved")
    before, after = pair("two.jpg")["truth"]["boxes"], kept(view, "two.jpg")
    assert after["boxes"][0] == before[0] == {name: after[name] for name in before[0]}, "the first box and the columns stay"
    assert after["boxes"][1] == {**before[1], "p1x": 299.0, "row_nb": 12}

    page.keyboard.press("a")
    page.mouse.move(*place(1560, 200))
    page.mouse.down()
    page.mouse.move(*place(1760, 1100), steps=4)
    page.mouse.up()
    page.wait_for_timeout(100)
    assert chosen.inner_text() == "3" and middles(page)[2] == pytest.approx(place(1760, 1100), abs=1)
    drag(page, 1, (10 * part, 0))
    page.keyboard.press("s")
    state(page, "saved")
    new = kept(view, "two.jpg")["boxes"][2]
    assert new["p1x"] == pytest.approx(1570, abs=3) and new["p2x"] == pytest.approx(1760, abs=3) and new["row_nb"] == 12

    page.mouse.click(*place(900, 300))   # inside the first box
    assert chosen.inner_text() == "1"
    page.keyboard.press("Delete")
    assert page.locator(".boxes button[aria-pressed]").count() == 2
    page.keyboard.press("Enter")
    shown(page, "other.jpg")
    foot(page, "1/2 reviewed, 1 corrected")
    assert revisions.latest(view.job)["D:\\two.jpg"].status == "accepted"
    assert [box["row_nb"] for box in kept(view, "two.jpg")["boxes"]] == [12, 12]
    page.keyboard.press("z")
    page.keyboard.press("z")
    shown(page, "two.jpg")
    assert page.locator(".boxes button[aria-pressed]").count() == 3, "the removed box is back"


def test_tab_goes_from_the_last_corner_of_a_box_to_the_first_of_the_next(hosted):
    page, _ = hosted(CORNERS, [pair("two.jpg")])
    held = page.locator(".handle.held")
    for _ in range(5):
        page.keyboard.press("Tab")
    assert page.locator(".boxes button.on").inner_text() == "2" and held.get_attribute("aria-label") == "corner 1"
    page.keyboard.press("Shift+Tab")
    assert page.locator(".boxes button.on").inner_text() == "1" and held.get_attribute("aria-label") == "corner 4"


def test_the_prediction_brings_all_its_sure_boxes_and_the_table_its_own(hosted):
    page, view = hosted(CORNERS, [pair("two.jpg", found=[quad(306.0, 106.0), quad(306.0, 706.0), quad(1550.0, 100.0, 200.0)])])
    page.keyboard.press("p")
    assert page.locator(".boxes button[aria-pressed]").count() == 3
    page.keyboard.press("s")
    state(page, "saved")
    assert [set(box) for box in kept(view, "two.jpg")["boxes"]] == [{*NUMBERS, "row_nb"}] * 3, "labels alone, no confidence"
    page.keyboard.press("t")
    assert page.locator(".boxes button[aria-pressed]").count() == 2


def test_a_label_of_one_box_is_kept_as_before_and_can_be_given_another(hosted):
    page, view = hosted(CORNERS, [item("one.jpg")])
    assert not page.locator(".boxes").is_visible()
    page.keyboard.press("Delete")
    assert page.get_by_role("alert").inner_text().startswith("a label keeps one box")
    page.keyboard.press("7")
    page.keyboard.press("s")
    state(page, "saved")
    assert kept(view, "one.jpg") == {**item("one.jpg")["truth"], "row_nb": 7}, "columns alone"


def test_what_two_reviewers_did_to_several_boxes_is_told_box_by_box(hosted):
    page, view = hosted(CORNERS, [pair("two.jpg")])
    page.keyboard.press("e")
    page.keyboard.press("9")
    boxes = pair("two.jpg")["truth"]["boxes"]
    revisions.save(view.job, revisions.Change(
        edit=str(uuid.uuid4()), source="D:\\two.jpg", number=1, status="accepted", was=None, who="ben",
        label={**boxes[0], "boxes": [boxes[0], {**boxes[1], "row_nb": 6}]}))
    page.keyboard.press("s")
    page.locator(".banner.open").wait_for()
    assert "box 2, row nb: yours 9, theirs 6" in page.locator(".banner").inner_text()
    page.get_by_role("button", name="take theirs").click()
    assert page.get_by_title("row_nb 6", exact=True).get_attribute("aria-pressed") == "true"


def test_boxes_that_lie_on_one_another_are_not_accepted(hosted):
    page, view = hosted(CORNERS, [pair("two.jpg"), pair("other.jpg", 1)])
    form = view.labels.form
    twice = {"boxes": [quad(300.0, 100.0), quad(310.0, 110.0)]}
    assert form.refusal(view.items[0], form.columns(view.items[0], twice)) == "two boxes lie on one another"
    crossed = {**quad(300.0, 700.0), "p1x": 1500.0, "p2x": 300.0}
    assert "not convex" not in form.refusal(view.items[0], form.columns(view.items[0], {"boxes": [quad(300.0, 100.0), quad(300.0, 700.0)]}))
    assert form.columns(view.items[0], {"boxes": [crossed]})["p1x"] == 1500.0
    with pytest.raises(ValueError, match="not values by name"):
        form.columns(view.items[0], {"boxes": [[1, 2, 3, 4]]})
