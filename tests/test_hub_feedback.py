"""Corrections of the viewer and answers of a model come back to the hub, once, with their pictures where it has them not."""

import csv
import itertools
import os

import pytest
from conftest import picture

from lib.hub import access, accounts
from lib.hub.intake import feedback, submission
from lib.hub.intake.sources import Item
from lib.storage import files, revisions

NUMBERS = itertools.count()
LABEL = {"row_nb": 3, **dict(zip(("p1x", "p1y", "p2x", "p2y", "p3x", "p3y", "p4x", "p4y"), (5., 5., 60., 6., 59., 40., 4., 41.),
                                 strict=True))}


@pytest.fixture
def hub(home, tmp_path):
    made = access.open_hub({"hub.name": f"back{os.getpid()}", "hub.store": str(tmp_path / "store")})
    made.migrate()
    return made


@pytest.fixture
def job(make_job, tmp_path):
    """A corners job with three gathered pictures, `a` and `b` corrected, `c` marked as bad."""
    made = make_job()
    lines = []
    for name in "abc":
        path = picture(made.folder / "images" / f"{name}.jpg", next(NUMBERS) + 1000)
        lines.append({"image": path.name, "source": f"D:\\{name}.jpg", "sha256": files.sha256(path)})
    with open(made.folder / "labels.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    for number, (name, status) in enumerate((("a", "accepted"), ("b", "accepted"), ("c", "bad"))):
        revisions.save(made, revisions.Change(
            edit=f"00000000-0000-4000-8000-{next(NUMBERS):012d}", source=f"D:\\{name}.jpg", number=1, status=status,
            label={**LABEL, "p1x": 7.0 + number}, was=None, who="anna"))
    return made


def labels(hub, person):
    """By the picture's name, its corrected labels, the newest last, and where they came from."""
    with hub.owner_transaction() as cursor:
        cursor.execute("SELECT picture.name, label, origin FROM hub.annotation JOIN hub.picture ON picture.id = picture "
                       "WHERE picture.person = %s ORDER BY annotation.id", (person.id,))
        return cursor.fetchall()


def test_corrections_become_labels_for_review_once(hub, job):
    supplier = accounts.add(hub, f"s{next(NUMBERS)}{os.getpid()}", ("supplier",))[0]
    known = (job.folder / "images" / "a.jpg").read_bytes()
    submission.receive(hub, supplier, "before", [Item("a.jpg", known, {"licence": "CC0-1.0", "task": "corners", "label": LABEL}, "1")])
    found = feedback.corrections(hub, supplier, job, licence="CC0-1.0")
    assert {key: found[key] for key in ("corrections", "labelled", "new", "refused")} \
        == {"corrections": 2, "labelled": 1, "new": 1, "refused": 0}
    assert [(name, label["p1x"]) for name, label, _ in labels(hub, supplier)] == [("a.jpg", 5.0), ("a.jpg", 7.0), ("b.jpg", 8.0)]
    again = feedback.corrections(hub, supplier, job, licence="CC0-1.0")
    assert (again["known"], again["labelled"], again["new"]) == (2, 0, 0) and len(labels(hub, supplier)) == 3


def test_a_correction_of_several_boxes_is_counted_and_not_cut_to_one(hub, job):
    supplier = accounts.add(hub, f"s{next(NUMBERS)}{os.getpid()}", ("supplier",))[0]
    both = {**LABEL, "boxes": [LABEL, {**LABEL, "row_nb": 5}]}
    revisions.save(job, revisions.Change(edit=f"00000000-0000-4000-8000-{next(NUMBERS):012d}", source="D:\\a.jpg", number=2,
                                         status="accepted", label=both, was=None, who="anna"))
    found = feedback.corrections(hub, supplier, job, licence="CC0-1.0")
    assert (found["corrections"], found["several"], found["new"]) == (1, 1, 1)
    assert [name for name, _, _ in labels(hub, supplier)] == ["b.jpg"]


def test_a_picture_the_hub_has_not_needs_a_licence(hub, job):
    supplier = accounts.add(hub, f"s{next(NUMBERS)}{os.getpid()}", ("supplier",))[0]
    found = feedback.corrections(hub, supplier, job)
    assert found["new"] == 0 and found["refused"] == 2 and "licence" in next(iter(found["reasons"]))


def test_answers_become_labels_for_review_and_refused_ones_do_not(hub, job, tmp_path):
    supplier = accounts.add(hub, f"s{next(NUMBERS)}{os.getpid()}", ("supplier",))[0]
    folder = job.folder / "images"
    rows = [{"image": "a.jpg", **LABEL, "refused": "", "error": ""}, {"image": "b.jpg", **LABEL, "refused": "no_box", "error": ""},
            {"image": "c.jpg", **dict.fromkeys(LABEL, ""), "refused": "", "error": "unreadable: broken"}]
    with open(tmp_path / "answers.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    found = feedback.answers(hub, supplier, job, tmp_path / "answers.csv", folder, licence="CC0-1.0")
    assert (found["answers"], found["new"]) == (1, 1) and labels(hub, supplier)[0][0] == "a.jpg"
    assert feedback.answers(hub, supplier, job, tmp_path / "answers.csv", folder, licence="CC0-1.0")["known"] == 1
    (tmp_path / "answers.csv").write_text("image,error\n../../etc/passwd,\n".replace("error\n", "error," + ",".join(LABEL) + "\n", 1)
                                          .replace("passwd,\n", "passwd,," + ",".join(map(str, LABEL.values())) + "\n"))
    with pytest.raises(ValueError, match="leads out of"):
        feedback.answers(hub, supplier, job, tmp_path / "answers.csv", folder, licence="CC0-1.0")


def test_answers_of_pictures_whose_names_are_not_utf8_find_them(hub, job, tmp_path):
    supplier = accounts.add(hub, f"s{next(NUMBERS)}{os.getpid()}", ("supplier",))[0]
    os.rename(job.folder / "images" / "a.jpg", os.path.join(os.fsencode(job.folder / "images"), b"caf\xe9.jpg"))
    with open(tmp_path / "answers.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([["image", *LABEL, "refused", "error"], ["caf\\xe9.jpg", *LABEL.values(), "", ""]])
    for _ in range(2):
        found = feedback.answers(hub, supplier, job, tmp_path / "answers.csv", job.folder / "images", licence="CC0-1.0")
    assert (found["answers"], found["known"]) == (1, 1) and labels(hub, supplier)[0][0] == "caf\\xe9.jpg"


def test_rows_of_boxes_are_not_taken_for_rows_of_pictures(hub, job, tmp_path):
    supplier = accounts.add(hub, f"s{next(NUMBERS)}{os.getpid()}", ("supplier",))[0]
    (tmp_path / "every.csv").write_text("image,box,error," + ",".join(LABEL) + "\na.jpg,1,," + ",".join(map(str, LABEL.values())) + "\n")
    with pytest.raises(ValueError, match="a row for each box.*without --boxes all"):
        feedback.answers(hub, supplier, job, tmp_path / "every.csv", job.folder / "images", licence="CC0-1.0")
    assert labels(hub, supplier) == []


def test_a_task_with_labels_in_a_list_hands_them_in_as_its_column():
    from lib import tasks

    job = tasks.job("tags")
    assert job.label({"labels": ["ground", "sand"], "probabilities": {}}) == {"labels": "ground;sand"}
    assert job.label({"labels": []}) is None
