"""What to label next: doubtful pictures that are unlike each other go into the viewer's queue, and become labels."""

import shutil

import numpy as np
import pytest
import toy
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.data import dataset, ingest, transfer
from lib.evaluation import active_learning, viewer
from lib.evaluation.viewer import review
from lib.storage import revisions
from lib.training import fitting


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(0, 8), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_no_picture_is_chosen_twice(count, known, number, seed):
    rng = np.random.default_rng(seed)
    chosen = active_learning.k_centre(rng.random((count, 3)), rng.random(count), rng.random((known, 3)), number)
    assert len(chosen) == len(set(chosen)) == min(count, number) and all(0 <= at < count for at in chosen)


def test_of_two_alike_one_is_enough_and_what_is_labelled_or_sure_can_wait():
    features = [[0, 0], [9, 9], [9, 9.1], [0, 9], [9, 0]]
    doubts = [1.0, 1.0, 0.9, 0.0, 0.5]
    assert active_learning.k_centre(features, doubts, [[0, 0.1]], 2) == [1, 4]


@pytest.fixture
def trained(tmp_path, monkeypatch):
    monkeypatch.setenv("COREBOX_HOME", str(tmp_path / "home"))
    toy.known(monkeypatch)
    job = toy.job()
    table = toy.gathered(job)
    record = fitting.fit(job, dataset.prepare(job, table, False), progress=False)
    table["source"] = [f"X:\\{name}" for name in table["image"]]
    monkeypatch.setattr(ingest, "read_labels", lambda job: table)
    return job, record


def offered(job, folder, count=5):
    """A folder of pictures that nobody has labelled, one that is labelled already, and one that is none."""
    folder.mkdir()
    for number in range(count):
        (folder / f"new-{number}.jpg").write_bytes(job.sample(np.random.default_rng(100 + number), (64, 48))[0])
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return folder


def test_a_folder_is_looked_through_once_and_the_best_stand_in_the_viewers_queue(trained, tmp_path, monkeypatch):
    job, record = trained
    folder = offered(job, tmp_path / "box 7")
    shutil.copy(folder / "new-0.jpg", folder / "labelled.jpg")
    monkeypatch.setattr(revisions, "latest", lambda job, decided=False: {
        "x": revisions.Revision("e", str(folder / "labelled.jpg"), 1, "accepted", {}, None, "anna")})
    found = active_learning.choose(job, record, folder, 3, progress=False)
    assert str(found).startswith("3 of 7 pictures are to be labelled next, 1 are labelled already, 1 cannot be read")
    queued = review.read_queue(record)
    assert [each["queue"] for each in queued] == [0, 1, 2] and {each["group"] for each in queued} == {"box 7"}
    assert all((job.folder / "images" / each["image"]).is_file() and each["truth"] is None for each in queued)
    assert transfer.find_picture(queued[0]["source"], transfer.storage_locations(job)).path == queued[0]["source"], "notebook 01 finds it"

    monkeypatch.setattr(active_learning.PictureFeatures, "_compute", lambda *_: pytest.fail("it was looked at already"))
    assert active_learning.choose(job, record, folder, 3, progress=False).items == found.items


def test_a_picture_whose_label_is_gone_is_answered_though_its_features_are_known(trained):
    job, record = trained
    features = active_learning.PictureFeatures(job, record, progress=False)
    paths = [str(path) for path in sorted((job.folder / "images").iterdir())[:2]]
    assert all(set(facts) == {"features"} for facts in features(paths, ask=False).values())
    assert all(set(facts) == {"features", "answer", "doubt"} for facts in features(paths).values())


def test_what_is_labelled_in_the_queue_begins_at_the_answer_and_is_a_new_label(trained, tmp_path, monkeypatch):
    job, record = trained
    active_learning.choose(job, record, offered(job, tmp_path / "new"), 2, progress=False)
    record.write("review", {"items": []})
    saved = []
    view = viewer.Viewer(job, record)
    monkeypatch.setattr(view.labels.outbox, "add", lambda change, replaces: saved.append(change))
    opened = view.open({})
    assert opened["order"] == "queue" and [each["truth"] for each in opened["items"]] == [None, None]
    view.labels.save({"at": 0, "edit": "e", "number": 1, "status": "accepted", "label": {"label": "red"}, "was": None, "who": "anna",
               "seconds": 2.5})
    assert saved[0].was is None and saved[0].label == {"label": "red"} and saved[0].seconds == 2.5
    assert saved[0].source == view.items[0]["source"]


def test_a_folder_that_is_none_is_said(trained, tmp_path):
    with pytest.raises(ValueError, match="is no folder"):
        active_learning.choose(*trained, tmp_path / "nowhere", 3, progress=False)
