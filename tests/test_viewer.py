"""The viewer: stored answers, scaled pictures, corrections that are not lost."""

import io
import json
import os
import subprocess
import sys
import time
import uuid
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from viewer_host import item, store

from lib import tasks
from lib.common import config
from lib.evaluation import viewer
from lib.evaluation.viewer import __main__ as served
from lib.evaluation.viewer import outbox, review
from lib.storage import postgres as door
from lib.storage import revisions, runs
from lib.tasks.contract import Located, Reviewable, Task


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
    made = SimpleNamespace(job=job, rows=rows, truths=truths, answers=answers, found=found, others=[])
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
    assert job.label_nll(stored["truth"], stored["answer"]) == pytest.approx(50**0.5 / 12)
    assert job.label_nll(stored["truth"], {**stored["answer"], "radius": None}) is None


class Colours(Task):
    """A classifier as the contract has it."""

    classes = ("red", "green")


@pytest.mark.parametrize("name", [*tasks.names(), ""])
def test_every_task_says_what_of_its_labels_is_corrected(name):
    kind = tasks.find(name) if name else Colours
    job = kind(config.resolve(name or "corners", "smoke"), "smoke")
    edit = Reviewable.of(job).edit
    assert edit in ("points", "boxes", "choices", None)
    assert edit != "boxes" or "boxes" in job.columns
    choices = Reviewable.of(job).choices
    assert set(choices) <= set(job.columns) and all(choices.values())


def test_a_label_of_a_class_is_suspect_where_the_model_thinks_it_improbable():
    surprise = Reviewable.label_nll
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
    assert box.shape == (720, 1080, 3) and box[8:-8, 8:-8].min() > 230
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


def test_a_box_that_is_none_is_not_saved(opened, monkeypatch):
    view = opened()
    monkeypatch.setattr(type(view.job), "edit", "boxes")
    monkeypatch.setattr(type(view.job), "columns", {"boxes": str})
    for box in ([5, 5, 5, 9], [1, 2, float("nan"), 4], [1, 2]):
        with pytest.raises(ValueError, match="is no box"):
            view.labels.form.columns(view.items[0], {"boxes": [box]})
    assert view.labels.form.columns(view.items[0], {"boxes": [[1, 2, 3.5, 4]]}) == {"boxes": "[[1.0, 2.0, 3.5, 4.0]]"}
    monkeypatch.setattr(Located, "box_classes", ("cat", "dog"))
    assert view.labels.form.columns(view.items[0], {"boxes": [[1, 2, 3, 4, "dog"]]}) == {"boxes": '[[1.0, 2.0, 3.0, 4.0, "dog"]]'}
    with pytest.raises(ValueError, match="one of cat, dog"):
        view.labels.form.columns(view.items[0], {"boxes": [[1, 2, 3, 4, "cow"]]})


# --- the app


def test_the_app_is_bound_to_this_machine_unless_a_token_guards_it():
    own, said = served._command(SimpleNamespace(host="127.0.0.1", port=8866, views=8), "page.ipynb")
    assert "--Voila.ip=127.0.0.1" in own and not [word for word in own if "token" in word] and said.endswith("8866/")
    other, said = served._command(SimpleNamespace(host="0.0.0.0", port=8866, views=8), "page.ipynb")
    token = next(word for word in other if word.startswith("--token=")).removeprefix("--token=")
    assert len(token) >= 32 and said.endswith(f"?token={token}")


def test_the_app_says_in_one_sentence_what_is_missing(home, capsys):
    assert served.main(["--profile", "full"]) == 2
    assert "run notebook 02 first" in capsys.readouterr().err
    assert served.main(["--profile", "smoke", "--set", "viewer.prot=1"]) == 2
    assert "did you mean 'port'" in capsys.readouterr().err


def test_the_page_is_given_its_run_and_its_reviewer(make_job):
    import nbformat

    record = store(make_job(), [item("a.jpg", size=(360, 270))], (360, 270))
    given = served._parser().parse_args(["--profile", "smoke", "--reviewer", "anna", "--set", "viewer.side=900"])
    path = served._page(record, served._values(given))
    source = "".join(cell.source for cell in nbformat.read(path, 4).cells if "injected-parameters" in cell.metadata.get("tags", []))
    assert 'run = "r1"' in source and '"viewer.reviewer": "anna"' in source and "900" in source
