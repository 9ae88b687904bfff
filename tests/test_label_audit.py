"""The audit: no network judges a label it has learned from; a stopped audit goes on; wrong labels come first."""

import numpy as np
import pandas as pd
import pytest
import toy

from lib.data import dataset
from lib.evaluation import label_audit
from lib.models import building
from lib.storage import runs
from lib.tasks.contract import Auditable, Reviewable
from lib.training import export, fitting


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COREBOX_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def trained(home, monkeypatch):
    """A toy job whose labels hold two wrong ones, its run, and the table."""
    toy.known(monkeypatch)
    job = toy.job(**{"training.epochs": 8, "training.learning_rate": 0.02, "verify.audit_folds": 3})
    table = toy.gathered(job, 40)
    for at in (3, 20):
        table.loc[at, "label"] = {"red": "green", "green": "blue", "blue": "red"}[table.loc[at, "label"]]
    return job, fitting.fit(job, dataset.prepare(job, table, False), progress=False), table


def test_each_label_is_judged_by_networks_that_never_saw_it_and_wrong_ones_come_first(trained, monkeypatch):
    job, record, table = trained
    learned, fit = [], fitting.fit_networks

    def spy(job, prepared, folder, progress):
        learned.append({row["image"] for row in prepared.rows if row["split"]})
        return fit(job, prepared, folder, progress)

    monkeypatch.setattr(fitting, "fit_networks", spy)
    audited = label_audit.audit_labels(job, record, table, progress=False)
    folds = label_audit.folds(dataset.as_records(table), 3)
    assert len(learned) == 3 and all(not seen & {row["image"] for row in fold}
                                     for seen, fold in zip(learned, folds, strict=True))
    assert {row["image"] for row in audited.rows[:2]} == {"toy-003.jpg", "toy-020.jpg"}
    suspects = len(audited.suspects)   # of the two that come first, those that the threshold of their class lets through
    assert 1 <= suspects <= 2 and "3 networks" in repr(audited) and repr(audited).startswith(f"{suspects} of 40")
    listed = audited.table()
    assert listed["suspect"].sum() == suspects and listed["suspicion"].is_monotonic_decreasing

    monkeypatch.setattr(fitting, "fit_networks", lambda *_: pytest.fail("it was trained already"))
    monkeypatch.setattr(dataset, "read_picture", lambda *_: pytest.fail("it was answered already"))
    assert label_audit.audit_labels(job, record, table, progress=False).suspicions == audited.suspicions


def test_without_folds_only_pictures_are_judged_that_the_run_has_not_learned_from(trained):
    job, record, table = trained
    plain = toy.job(**{"training.epochs": 8, "training.learning_rate": 0.02})
    audited = label_audit.audit_labels(plain, record, table, progress=False)
    assert {row["split"] for row in audited.rows} == {"validation", "test"} and "audit_folds is 0" in audited.how


def test_a_picture_that_is_gone_is_listed_and_not_known(trained):
    job, record, table = trained
    (job.folder / "images" / "toy-030.jpg").unlink()
    audited = label_audit.audit_labels(toy.job(**{"training.epochs": 8, "training.learning_rate": 0.02}), record, table, progress=False)
    assert audited.rows[-1]["image"] == "toy-030.jpg" and audited.suspicions[-1] is None and audited.answers[-1] is None


def test_folds_keep_groups_together_and_are_equally_long():
    rows = [{"image": f"{n}", "group": f"g{n % 7}"} for n in range(50)]
    lists = label_audit.folds(rows, 3)
    groups = [{row["group"] for row in each} for each in lists]
    assert sum(map(len, lists)) == 50 and not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    assert max(map(len, lists)) - min(map(len, lists)) <= 8
    with pytest.raises(ValueError, match="audit_folds is 8 and there are 7 groups"):
        label_audit.folds(rows, 8)


def test_weights_that_training_left_as_they_were_need_no_folds(home):
    from lib import tasks

    record = runs.Run(tasks.job("corners"), "r")
    lines = [{"part": part, "epoch": epoch, "val_loss": loss} for part in ("coarse", "sides")
             for epoch, loss in ((0, 1.0), (1, 1.5))]
    record.folder.mkdir(parents=True)
    record.keep_table(pd.DataFrame(lines), "history")
    assert not fitting.improved(record)
    record.keep_table(pd.DataFrame([*lines, {"part": "sides", "epoch": 2, "val_loss": 0.9}]), "history")
    assert fitting.improved(record)


def test_a_moved_label_is_the_first_of_generated_ones(home):
    """The shipped weights, which have never seen these pictures, on ten of them; one label is moved by 4 %."""
    from lib import tasks
    from lib.imaging import geometry
    from lib.storage import files
    from lib.tasks import corners

    job = tasks.job("corners", "smoke")
    networks = {part: building.build(job, part) for part in job.networks}
    assert all(job.networks[part].load_pretrained(network) for part, network in networks.items())
    record = runs.Run(job, "r")
    export.export(job, networks, record.path("export"), "r")
    record.keep_table(pd.DataFrame([{"part": "coarse", "epoch": 0, "val_loss": 1.0}]), "history")
    rows = []
    for seed in range(10):
        content, row = job.sample(np.random.default_rng(seed), (640, 480))
        files.write(job.folder / "images" / f"{seed}.jpg", content)
        rows.append(job.check({"image": f"{seed}.jpg", "width": 640, "height": 480, "group": "", "split": "train", **row}))
    label = corners.points(rows[4])
    label[0] += 0.04 * geometry.diagonal(label) * np.array([0.6, 0.8])
    rows[4] |= corners.point_dict(label)
    table = pd.DataFrame(rows)
    audited = label_audit.audit_labels(job, record, table, progress=False)
    assert audited.rows[0]["image"] == "4.jpg" and audited.suspicions[0] > 1 and "no label here has changed" in audited.how


def names():
    from lib import tasks

    return tasks.names()


@pytest.mark.parametrize("name", names())
def test_every_task_says_how_suspect_its_labels_are_and_how_unsure_its_answers(name):
    from lib import tasks
    from lib.imaging import images

    job, rows = tasks.job(name), []
    for seed in range(3):
        content, row = job.sample(np.random.default_rng(seed), (320, 240))
        size = images.read(content).size
        rows.append((job.check({"image": f"{seed}.jpg", "width": size[0], "height": size[1], "group": "", **row}), size))
    truths, answers = [job.truth(row) for row, _ in rows], [job.decode(job.encode(row), size) for row, size in rows]
    assert all(Reviewable.of(job).uncertainty(answer) >= 0 for answer in answers)
    found = Auditable.of(job).label_errors([*truths, truths[0]], [*answers, None], [None] * 4)
    assert len(found) == 4 and found[-1] is None, "a picture that could not be read is not known"
    assert all(each is None or 0 <= each <= 1 for each in found[:-1]), "nobody doubts a label that the model agrees with"
