"""The hub's page: what it answers to messages, and the page itself in a real browser, served by voila beside its app."""

import io
import itertools
import json
import os
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from accessibility import violations
from PIL import Image

from lib.common import config
from lib.hub import access, accounts
from lib.hub.datasets import versions
from lib.hub.intake import submission, uploads
from lib.hub.intake.sources import Item
from lib.hub.jobs import trainings
from lib.hub.web import dashboard, page
from lib.hub.web.page import dataset_messages

NUMBERS = itertools.count()
HOSTILE = "<img src=x onerror=document.title='owned'>"
SHOTS = os.environ.get("COREBOX_SHOTS")   # a folder in which pictures of the pages are kept, to be looked at


def jpeg(seed, size=(320, 240), quality=90):
    """A picture that passes verification: shapes with edges on a noisy ground, of its own for each seed."""
    import cv2

    rng = np.random.default_rng([17, seed])
    pixels = rng.integers(60, 200, (size[1] // 8, size[0] // 8, 3), np.uint8)
    pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        x, y, r = rng.integers(0, size[0]), rng.integers(0, size[1]), rng.integers(8, 50)
        cv2.circle(pixels, (int(x), int(y)), int(r), tuple(map(int, rng.integers(0, 255, 3))), int(rng.integers(-1, 6)) or 1)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def filled(hub, supplier, number=12, labels=("saw", "hammer", HOSTILE)):
    """Pictures of these labels, half of them from Perth, submitted and accepted."""
    items = [Item(f"{n}.jpg", jpeg(next(NUMBERS)), {"labels": [labels[n % len(labels)]], "licence": "CC0-1.0", "author": HOSTILE,
                                                     "place": "Perth, AU" if n % 2 else "Lima, PE"}, str(n)) for n in range(number)]
    submission.receive(hub, supplier, f"fill {next(NUMBERS)}", items)
    with hub.owner_transaction() as cursor:
        cursor.execute("UPDATE hub.picture SET status = 'accepted', quality = 0.8, verified = now() WHERE status = 'submitted'")


class Sheet(list):
    """What stands for the page in the browser: it keeps the messages."""

    def send(self, message, buffers=None):
        self.append({**message, "buffers": list(buffers or ())})


class Visitor:
    """A Page and the answers to what it is asked."""

    def __init__(self, hub, token=""):
        self.page = page.Page(hub)
        self.page.page = Sheet()
        if token:
            self.ask("enter", token=token)

    def ask(self, what, buffers=(), **facts):
        number = next(NUMBERS)
        self.page.on_message({"do": what, "ask": number, "view": "v", **facts}, buffers)
        for _ in range(3000):
            for message in list(self.page.page):
                if message.get("ask") == number:
                    return message
            time.sleep(0.01)
        raise AssertionError(f"no answer to {what}")


@pytest.fixture(scope="module")
def hub(session_home, tmp_path_factory):
    """A migrated hub in the embedded PostgreSQL."""
    before = os.environ.get("COREBOX_HOME")
    os.environ["COREBOX_HOME"] = str(session_home)
    made = access.open_hub({"hub.name": f"page{os.getpid()}", "hub.store": str(tmp_path_factory.mktemp("store")),
                            "hub.training_profile": "smoke", "hub.port": free_port()})
    made.migrate()
    yield made
    os.environ.pop("COREBOX_HOME") if before is None else os.environ.update(COREBOX_HOME=before)


@pytest.fixture(scope="module")
def tokens(hub):
    found = {role: accounts.add(hub, f"{role} {next(NUMBERS)}", (role,)) for role in accounts.ROLES}
    filled(hub, found["supplier"][0])
    return {role: token for role, (_, token) in found.items()}


# --- messages


def test_nothing_is_told_without_a_token_and_a_wrong_one_is_no_token(hub):
    visitor = Visitor(hub)
    assert "token first" in visitor.ask("overview")["error"]
    assert "nobody has this token" in visitor.ask("enter", token="' OR '1'='1")["error"]
    assert "token first" in visitor.ask("select", query={})["error"]
    assert "token first" in visitor.ask("part", [b"x"], id="f", last=False)["error"] and not len(visitor.page.parts)


def test_a_visitor_may_what_the_roles_allow_and_is_told_so(hub, tokens):
    calls = {"select": {"query": {}}, "version": {"query": {}}, "versions": {}, "train": {"version": 1}, "trainings": {}, "queue": {},
             "batches": {}, "begin": {"key": "k", "files": {}}, "ticket": {"of": "version", "number": 1}, "accounts": {},
             "renew_token": {"id": 999}}
    allowed = {"supplier": {"batches", "begin"}, "customer": {"select", "version", "versions", "ticket"},
               "premium": {"select", "version", "versions", "ticket", "train", "trainings"}, "reviewer": {"queue"},
               "admin": {"accounts", "renew_token"}}
    for role, token in tokens.items():
        visitor = Visitor(hub, token)
        for name, facts in calls.items():
            error = visitor.ask(name, **facts).get("error", "")
            assert ("may not" in error) == (name not in allowed[role]) and "Error: " not in error, (role, name, error)


def test_a_file_in_parts_is_taken_whole_and_one_that_is_too_large_is_not_held(hub, tokens):
    visitor, data = Visitor(hub, tokens["supplier"]), jpeg(next(NUMBERS))
    words = {"key": "k1", "name": "a.jpg", "values": {"labels": "saw; axe", "licence": "CC0-1.0"}}
    assert "error" not in visitor.ask("part", [memoryview(data[:1000])], id="f", last=False)
    taken = visitor.ask("part", [memoryview(data[1000:])], id="f", last=True, **words)
    assert taken["new"] == 1 and taken["files"] == [{"name": "a.jpg", "outcome": "new", "reason": ""}]
    lie = visitor.ask("part", [b"x"], id="g", last=True, **words | {"name": "../a.jpg"})
    assert "leads out of the folder" in lie["error"]
    most = hub.params.api.max_bytes
    part, answer = bytes(8 * 2**20), {}
    for _ in range(most // len(part) + 2):
        answer = visitor.ask("part", [part], id="h", last=False, **words | {"name": "b.jpg"})
        if answer.get("error") or "files" in answer:
            break
    assert answer["files"][0]["outcome"] == "refused" and "MiB" in answer["files"][0]["reason"] and not len(visitor.page.parts)


def test_what_is_chosen_is_shown_with_thumbnails_and_becomes_a_version(hub, tokens):
    visitor = Visitor(hub, tokens["customer"])
    found = visitor.ask("select", query={"labels": ["saw"]})
    ids = [each["id"] for each in found["pictures"]]
    thumbs = visitor.ask("thumbs", ids=[*ids, 10**9])
    assert found["total"] == len(ids) == 4
    assert [Image.open(io.BytesIO(bytes(each))).size for each in thumbs["buffers"][:-1]] == [(160, 120)] * 4
    assert thumbs["buffers"][-1] == b""
    made = visitor.ask("version", query={"labels": ["saw"]})["version"]
    assert made["pictures"] == 4 and made["id"] in [each["id"] for each in visitor.ask("versions")["versions"]]
    assert "serve" in visitor.ask("ticket", of="version", number=made["id"])["error"]  # no app runs beside this one


def test_a_picture_that_waits_is_seen_by_reviewers_alone(hub, tokens):
    supplier = accounts.find_by_token(hub, tokens["supplier"])
    uploads.receive(hub, supplier, f"w{next(NUMBERS)}", [Item("w.jpg", jpeg(next(NUMBERS)), {"labels": ["saw"], "licence": "CC0-1.0"}, "w")])
    with hub.owner_transaction() as cursor:
        cursor.execute("UPDATE hub.picture SET status = 'review' WHERE status = 'submitted' RETURNING id")
        number = cursor.fetchall()[-1][0]
    assert Visitor(hub, tokens["customer"]).ask("thumbs", ids=[number])["buffers"] == [b""]
    reviewer = Visitor(hub, tokens["reviewer"])
    assert reviewer.ask("thumbs", ids=[number])["buffers"][0]
    assert number in [each["picture"] for each in reviewer.ask("queue")["queue"]]
    assert reviewer.ask("review", picture=number, verdict="accept", labels=["axe"])["picture"] == number
    assert number not in [each["picture"] for each in reviewer.ask("queue")["queue"]]


def test_a_picture_opens_large_for_those_who_may_see_it(hub, tokens):
    visitor = Visitor(hub, tokens["customer"])
    found = visitor.ask("select", query={})["pictures"][0]
    large = visitor.ask("picture", id=found["id"])["buffers"][0]
    assert Image.open(io.BytesIO(bytes(large))).size == (found["width"], found["height"])
    assert "cannot be shown" in visitor.ask("picture", id=10**9)["error"]


def test_a_reviewer_sees_what_a_check_refused_and_the_counts_follow(hub, tokens):
    supplier = accounts.find_by_token(hub, tokens["supplier"])
    uploads.receive(hub, supplier, f"r{next(NUMBERS)}", [Item("r.jpg", jpeg(next(NUMBERS)), {"labels": ["saw"], "licence": "CC0-1.0"}, "r")])
    with hub.owner_transaction() as cursor:
        cursor.execute("UPDATE hub.picture SET status = 'refused' WHERE status = 'submitted' RETURNING id")
        number = cursor.fetchall()[-1][0]
        cursor.execute("INSERT INTO hub.finding (picture, name, verdict, figure, allowed, reason) VALUES "
                       "(%s, 'information', 'refuse', 1, 2, 'next to nothing')", (number,))
    reviewer = Visitor(hub, tokens["reviewer"])
    assert number not in [each["picture"] for each in reviewer.ask("queue")["queue"]]
    answer = reviewer.ask("queue", refused=True)
    assert number in [each["picture"] for each in answer["queue"]] and reviewer.ask("thumbs", ids=[number])["buffers"][0]
    after = reviewer.ask("review", picture=number, verdict="accept")["waiting"]
    assert after["refused_by_check"] == answer["waiting"]["refused_by_check"] - 1


def test_an_account_that_was_ended_can_do_nothing_more_on_an_open_page(hub, tokens, monkeypatch):
    monkeypatch.setattr(page, "REMEMBERED", 0.0)
    admin = Visitor(hub, tokens["admin"])
    made = admin.ask("add_account", name=f"new {next(NUMBERS)}", roles=["customer"])
    visitor = Visitor(hub, made["token"])
    assert "error" not in visitor.ask("versions")
    assert "error" not in admin.ask("change_account", id=made["id"], roles=["supplier"])
    assert "may not version" in visitor.ask("versions")["error"]
    assert "error" not in admin.ask("change_account", id=made["id"], active=False)
    assert "nobody has this token" in visitor.ask("batches")["error"]


def test_what_goes_wrong_in_a_thread_is_told_on_the_page(hub, tokens, monkeypatch):
    visitor = Visitor(hub, tokens["customer"])
    monkeypatch.setattr(dataset_messages.selection, "select", lambda *_, **__: 1 / 0)
    assert visitor.ask("select", query={})["error"].startswith("ZeroDivisionError")


@pytest.mark.parametrize("name", dashboard.FIGURES)
def test_the_dashboard_is_drawn_also_of_an_empty_hub(hub, tokens, name, monkeypatch):
    person = accounts.find_by_token(hub, tokens["customer"])
    full = dashboard.png(hub, person, name)
    monkeypatch.setattr(dashboard.selection, "counts", lambda *_: {})
    monkeypatch.setattr(dashboard.selection, "places", lambda *_: [])
    assert Image.open(io.BytesIO(full)).size[0] > 600
    if name != "quality":
        assert dashboard.png(hub, person, name) != full
    with pytest.raises(LookupError, match="there are labels, world, quality"):
        dashboard.png(hub, person, "x")


# --- in a browser


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Site:
    """The page as `python -m lib hub page` serves it, and the app beside it."""

    def __init__(self, store):
        self.port = free_port()
        self.words = {"hub.name": f"site{os.getpid()}", "hub.store": str(store), "hub.page_port": self.port, "hub.port": free_port(),
                      "hub.training_profile": "smoke", "hub.heartbeat": 0.5}
        self.hub = access.open_hub(self.words)
        self.hub.migrate()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lib", "hub", "page", "--set", *(f"{key}={value}" for key, value in self.words.items())],
            cwd=config.REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for address in (f"http://127.0.0.1:{self.port}/voila/static/none", f"http://127.0.0.1:{self.hub.settings.port}/health"):
            for _ in range(900):
                try:
                    urllib.request.urlopen(address).close()
                except urllib.error.HTTPError:
                    break
                except OSError:
                    time.sleep(0.1)
                else:
                    break

    def open(self, browser, token):
        """A page of the person with this token, once its first tab stands."""
        tab = browser.new_context(viewport={"width": 1360, "height": 900}, accept_downloads=True).new_page()
        tab.goto(f"http://127.0.0.1:{self.port}/", timeout=120_000)
        tab.get_by_label("Your token").wait_for(timeout=120_000)
        tab.get_by_label("Your token").fill(token)
        tab.get_by_role("button", name="Enter").click()
        shown(tab, "Overview")
        return tab


@pytest.fixture(scope="module")
def site(session_home, tmp_path_factory, hub):
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.process.terminate()
    made.process.wait(30)


def shown(tab, name):
    """Wait until a tab of the page stands complete."""
    try:
        tab.locator(f".corehub[data-shown='{name}']").wait_for(timeout=60_000)
    except Exception:
        if SHOTS:
            tab.screenshot(path=f"{SHOTS}/failed.png")
        raise


def turn(tab, name):
    tab.get_by_role("button", name=name, exact=True).click()
    shown(tab, name)


def keep(tab, name):
    """Check a page by axe-core, and keep a picture of it where these are wanted."""
    assert violations(tab) == [], name
    if SHOTS:
        tab.wait_for_timeout(300)
        tab.screenshot(path=f"{SHOTS}/{name}.png")


def until(tab, holds, seconds=60):
    for _ in range(int(seconds / 0.1)):
        if holds():
            return
        tab.wait_for_timeout(100)
    raise AssertionError("it did not come to hold in time")


def test_from_submitting_to_a_downloaded_data_set_and_a_training_in_a_real_browser(site, browser, tmp_path):
    hub = site.hub
    supplier, sends = accounts.add(hub, "Sam Supplier", ("supplier",))
    _, buys = accounts.add(hub, "Petra Premium", ("premium",))
    _, looks = accounts.add(hub, "Rita Reviewer", ("reviewer",))
    filled(hub, supplier, 30)
    many = []
    for n in range(5):
        (tmp_path / f"tool {n}.jpg").write_bytes(jpeg(1000 + n))
        many.append(str(tmp_path / f"tool {n}.jpg"))
    (tmp_path / "lie.jpg").write_text("no picture")

    tab = site.open(browser, sends)
    keep(tab, "overview")
    turn(tab, "Submit")
    tab.locator("input[type=file]").set_input_files([*many, str(tmp_path / "lie.jpg")])
    tab.get_by_label("Labels").fill("plane")
    tab.get_by_label("Place").fill("Kalgoorlie, AU")
    tab.get_by_role("button", name="Submit", exact=True).last.click()
    assert "choose the licence" in tab.locator(".foot").inner_text()
    tab.get_by_label("Licence").select_option("CC-BY-4.0")
    tab.get_by_role("button", name="Submit", exact=True).last.click()
    tab.locator(".corehub[data-submitted='6']").wait_for(timeout=60_000)
    assert tab.locator(".results .state.new").count() == 5 and tab.locator(".results .state.refused").count() == 1
    assert tab.locator(".foot").inner_text().startswith("5 taken, which wait for verification, 1 refused")
    keep(tab, "submit")
    (tmp_path / "same").mkdir()
    (tmp_path / "same" / "tool 0.jpg").write_bytes(jpeg(2000))
    tab.locator("input[type=file]").set_input_files([many[0], str(tmp_path / "same" / "tool 0.jpg")])
    tab.get_by_role("button", name="Submit", exact=True).last.click()
    until(tab, lambda: "2 of the files are named tool 0.jpg" in tab.locator(".foot").inner_text())
    tab.locator("input[type=file]").set_input_files([*many, str(tmp_path / "lie.jpg")])
    with hub.owner_transaction() as cursor:
        cursor.execute("SELECT count(*), min(author), min(city) FROM hub.picture JOIN hub.place ON place.id = place "
                       "JOIN hub.tag ON picture = picture.id JOIN hub.label ON label.id = tag.label WHERE label.name = 'plane'")
        assert cursor.fetchone() == (5, "Sam Supplier", "Kalgoorlie")
    tab.get_by_role("button", name="Submit", exact=True).last.click()   # the same again changes nothing
    until(tab, lambda: tab.locator(".results .state.known").count() == 5)
    with hub.owner_transaction() as cursor:
        cursor.execute("UPDATE hub.picture SET status = 'review' WHERE status = 'submitted'")
        cursor.execute("INSERT INTO hub.finding (picture, name, verdict, figure, allowed, reason) SELECT id, 'blur', 'review', 3, 8, "
                       "'blurred: ' || %s FROM hub.picture WHERE status = 'review'", (HOSTILE,))
    tab.get_by_role("button", name="Show").first.click()
    until(tab, lambda: tab.locator(".batch .state.review").count() == 5)
    tab.close()

    tab = site.open(browser, looks)
    turn(tab, "Review")
    keep(tab, "review")
    assert tab.get_by_role("button", name="To review (5)").get_attribute("aria-pressed") == "true"
    first = tab.locator(".card").first
    first.locator(".opening").click()
    until(tab, lambda: tab.locator("dialog.large img").evaluate("each => each.naturalWidth") == 320)
    keep(tab, "review-large")
    tab.keyboard.press("Escape")
    until(tab, lambda: tab.locator("dialog").count() == 0)
    first.locator("input").fill("plane; wood")
    first.get_by_role("button", name="Accept").click()
    until(tab, lambda: tab.locator(".card").count() == 4)
    tab.locator(".card").first.get_by_role("button", name="Refuse").click()
    until(tab, lambda: tab.locator(".card").count() == 3)
    tab.get_by_role("button", name="To review (3)").wait_for()
    with hub.owner_transaction() as cursor:
        cursor.execute("SELECT status, count(*) FROM hub.picture JOIN hub.tag ON picture = picture.id JOIN hub.label ON "
                       "label.id = tag.label WHERE label.name IN ('wood', 'plane') GROUP BY 1")
        assert dict(cursor.fetchall()) == {"accepted": 2, "refused": 1, "review": 3}
    tab.close()

    tab = site.open(browser, buys)
    turn(tab, "Browse")
    until(tab, lambda: tab.locator(".corehub").get_attribute("data-total") == "31")
    until(tab, lambda: tab.locator(".grid img").count() == 24)
    tab.get_by_role("button", name="Show more").click()
    until(tab, lambda: tab.locator(".grid img").count() == 31)
    tab.get_by_label("saw", exact=True).check()
    tab.get_by_label("hammer", exact=True).check()
    until(tab, lambda: tab.locator(".corehub").get_attribute("data-total") == "20")
    keep(tab, "browse")
    tab.get_by_role("button", name="Make a data set").click()
    shown(tab, "Data sets")
    tab.get_by_label("coco").check()
    with tab.expect_download(timeout=60_000) as download:
        tab.get_by_role("button", name="Download").click()
    with tarfile.open(download.value.path()) as tar:
        names = tar.getnames()
    assert sum(name.endswith(".jpg") for name in names) == 20 and any("coco" in name or name.endswith(".json") for name in names)
    keep(tab, "data-sets")
    tab.get_by_role("button", name="Train on it").click()
    shown(tab, "Trainings")
    tab.get_by_label("Epochs").fill("2")
    tab.get_by_role("button", name="Ask for a training").click()
    tab.locator("[data-training][data-state='queued']").wait_for()
    assert "task tags" in tab.locator("[data-training]").inner_text()
    taken = trainings.claim(hub, "here")
    assert taken.request["overrides"] == {"model.backbone": "small", "training.epochs": 2}
    line = [{"part": "network", "epoch": n, "loss": 0.7 / (n + 1), "val_loss": 0.8 / (n + 1)} for n in range(6)]
    trainings.heartbeat(hub, taken, {"phase": "02", "history": line})
    tab.locator("[data-state='running'] svg.curve polyline").first.wait_for()
    assert tab.locator(".state.running").inner_text() == "running, step 2 of 4: training"
    keep(tab, "training-running")
    trainings.finish(hub, taken, "failed", error=f"every row was dropped {HOSTILE}")
    tab.locator("[data-state='failed']").wait_for()
    tab.get_by_role("button", name="Once more").click()
    tab.locator("[data-state='queued']").wait_for()
    keep(tab, "trainings")
    tab.get_by_role("button", name="Cancel").click()
    tab.locator("[data-state='cancelled']").wait_for()
    tab.get_by_role("button", name="Once more").first.click()
    tab.locator("[data-state='queued']").wait_for()
    line = {"score": "f1", "mean": 0.5, "low": 0.4, "high": 0.6, "constant": 0.5}
    trainings.finish(hub, trainings.claim(hub, "here"), "done", {"scores": [line], "history": [], "files": {},
                                                                 "warnings": ["it has learned nothing"]})
    tab.locator("[data-state='done'] .warning").wait_for()
    assert tab.locator(".state.done").inner_text() == "done"
    keep(tab, "training-warned")
    assert tab.title() != "owned" and tab.locator("img[src=x]").count() == 0
    version = versions.list_all(hub, accounts.find(hub, "Petra Premium"))[0]
    assert version.pictures == 20 and json.loads(json.dumps(version.plain()))
    turn(tab, "Overview")
    until(tab, lambda: tab.locator(".figures img").count() == 3)
    assert tab.locator(".facts").inner_text().split("\n")[:6] == ["31", "accepted pictures", "5", "labels in use", "3", "towns"]
    keep(tab, "overview-full")
    tab.close()


def test_an_admin_manages_accounts_on_the_page_in_a_real_browser(site, browser):
    _, rules = accounts.add(site.hub, "Ada Admin", ("admin",))
    tab = site.open(browser, rules)
    turn(tab, "Accounts")
    tab.get_by_label("Name").fill("Nora New")
    tab.get_by_role("group", name="roles of new account").get_by_label("customer").check()
    tab.get_by_role("button", name="Add", exact=True).click()
    tab.locator(".token code").wait_for()
    token = tab.locator(".token code").inner_text()
    assert accounts.find_by_token(site.hub, token).roles == ("customer",)
    keep(tab, "accounts")
    row = tab.locator("tr", has_text="Nora New")
    row.get_by_label("reviewer").check()
    row.get_by_role("button", name="Save roles").click()
    until(tab, lambda: "roles saved" in tab.locator(".foot").inner_text())
    assert accounts.find(site.hub, "Nora New").roles == ("customer", "reviewer")
    row.get_by_role("button", name="New token").click()
    until(tab, lambda: tab.locator(".token code").count() and tab.locator(".token code").inner_text() != token)
    assert accounts.find_by_token(site.hub, token) is None
    row.get_by_role("button", name="End", exact=True).click()
    row.locator(".state.refused").wait_for()
    assert accounts.find_by_token(site.hub, tab.locator(".token code").inner_text() if tab.locator(".token code").count() else token) is None
    assert tab.locator("tr", has_text="Ada Admin").get_by_role("button", name="End", exact=True).count() == 0
    tab.close()
