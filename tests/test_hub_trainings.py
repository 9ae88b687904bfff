"""Trainings on demand: the queue, its workers, and what becomes of a training whose worker dies."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from io import BytesIO
from types import SimpleNamespace

import pytest

from lib.common import config
from lib.hub import access, accounts, store
from lib.hub.jobs import trainings, worker
from lib.storage import files, runs

NUMBERS = itertools.count()
QUICK = {"hub.heartbeat": 0.2, "hub.training_profile": "smoke"}


@pytest.fixture
def make_hub(home, tmp_path):
    """A function that makes a migrated hub with an empty queue, with settings of the test's."""
    def make(**overrides):
        hub = access.open_hub({**QUICK, "hub.name": f"train{os.getpid()}", "hub.store": str(tmp_path / "store"),
                               **{key.replace("__", "."): value for key, value in overrides.items()}})
        hub.migrate()
        with hub.owner_transaction() as cursor:
            cursor.execute("DELETE FROM hub.training")
            cursor.execute("INSERT INTO hub.label (key, name) VALUES ('saw', 'saw') ON CONFLICT DO NOTHING")
        return hub

    return make


@pytest.fixture
def hub(make_hub):
    return make_hub()


def person(hub, *roles, name=""):
    return accounts.add(hub, name or f"p{next(NUMBERS)}", roles or ("premium",))[0]


def version(hub, who, counts=None, groups=12):
    """A version of a data set, as a row and a manifest."""
    lines = [json.dumps({"group": f"batch {n % groups}", "number": next(NUMBERS)}) + "\n" for n in range(12)]
    manifest = store.put(hub, "".join(lines).encode(), "manifests")
    with hub.owner_transaction() as cursor:
        cursor.execute("""INSERT INTO hub.version (manifest, person, query, pictures, bytes, counts)
                          VALUES (%s, %s, '{}', 12, 1000, %s) RETURNING id""",
                       (manifest, who.id, json.dumps(counts or {"saw": 12})))
        return cursor.fetchone()[0]


def asked(hub, **overrides):
    who = person(hub)
    return who, trainings.enqueue(hub, who, version(hub, who), overrides)


def row(hub, number):
    with hub.owner_transaction() as cursor:
        cursor.execute(f"SELECT {trainings.COLUMNS} FROM hub.training WHERE id = %s", (number,))
        return trainings.Training(*cursor.fetchone())


def silence(hub, number):
    """As if the worker had not been heard of for an hour."""
    with hub.owner_transaction() as cursor:
        cursor.execute("UPDATE hub.training SET heartbeat = now() - interval '1 hour' WHERE id = %s", (number,))


# --- asking


def test_a_premium_customer_asks_sees_and_cancels_and_nobody_else(hub):
    who, training = asked(hub)
    assert training.state == "queued" and trainings.list_own(hub, who) == [training] and training.request["task"] == "tags"
    assert json.loads(json.dumps(training.plain()))["id"] == training.id
    for roles in (("customer",), ("supplier",), ("reviewer",)):
        with pytest.raises(accounts.Forbidden, match="premium"):
            trainings.enqueue(hub, person(hub, *roles), training.version)
    other = person(hub)
    assert trainings.list_own(hub, other) == []
    for call in (trainings.find, trainings.cancel, trainings.retry):
        with pytest.raises(LookupError, match="has no training"):
            call(hub, other, training.id)
    assert row(hub, training.id).state == "queued"
    assert trainings.cancel(hub, who, training.id).state == "cancelled"
    assert trainings.claim(hub, "w") is None


@pytest.mark.parametrize(("overrides", "said"), [
    ({"data.token": "/etc/passwd"}, "data.token cannot be chosen"),
    ({"model": {"weights": "/root/secret.h5"}}, "model.weights is '/root/secret.h5'"),
    ({"training.epocs": 3}, "did you mean 'training.epochs'"),
    ({"training.epochs": 0}, "training.epochs is 0"),
    ({"model.backbone": "VGG61"}, "VGG61"),
    ({"training.epochs; DROP TABLE hub.training": 1}, "cannot be chosen"),
])
def test_settings_that_are_not_to_be_chosen_are_refused_when_asked(hub, overrides, said):
    who = person(hub)
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        trainings.enqueue(hub, who, version(hub, who), overrides)
    assert trainings.list_own(hub, who) == []


@pytest.mark.parametrize("number", ["1; DROP TABLE hub.training", "", None, -1, True, 10**30, "1' OR '1'='1"])
def test_what_is_no_number_is_refused(hub, number):
    who = person(hub)
    for call in (trainings.enqueue, trainings.find, trainings.cancel):
        with pytest.raises(ValueError, match="no number"):
            call(hub, who, number)


def test_a_version_must_be_there_and_one_person_cannot_fill_the_queue(make_hub):
    hub = make_hub(hub__training_most=2)
    who = person(hub)
    with pytest.raises(ValueError, match="no version 4711"):
        trainings.enqueue(hub, who, 4711)
    number = version(hub, who)
    first = trainings.enqueue(hub, who, number)
    trainings.enqueue(hub, who, number)
    with pytest.raises(ValueError, match="has 2 trainings"):
        trainings.enqueue(hub, who, number)
    trainings.enqueue(hub, person(hub), number)
    trainings.cancel(hub, who, first.id)
    assert trainings.retry(hub, who, first.id).request == first.request


# --- the queue


def test_every_training_is_taken_once_by_however_many_workers_in_its_order(make_hub):
    hub = make_hub(hub__training_most=100)
    who = person(hub)
    number = version(hub, who)
    wanted = [trainings.enqueue(hub, who, number).id for _ in range(12)]
    taken, lock = [], threading.Lock()

    def work(name):
        while (training := trainings.claim(hub, name)) is not None:
            with lock:
                taken.append(training.id)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == wanted


def test_a_silent_workers_training_goes_to_another_and_the_first_is_told(hub):
    _, training = asked(hub)
    first = trainings.claim(hub, "first")
    assert trainings.claim(hub, "second") is None  # it is alive
    silence(hub, training.id)
    second = trainings.claim(hub, "second")
    assert (second.id, second.attempts, second.started) == (training.id, 2, first.started)
    for call in (lambda: trainings.heartbeat(hub, first), lambda: trainings.finish(hub, first, "done")):
        with pytest.raises(trainings.LeaseLost):
            call()
    assert trainings.heartbeat(hub, second, {"phase": "02", "history": []}) is False
    trainings.finish(hub, second, "done", {"scores": []})
    done = row(hub, training.id)
    assert done.state == "done" and done.result == {"scores": []} and done.progress["phase"] == "02" and done.finished


def test_a_training_whose_workers_keep_dying_fails_and_blocks_nobody(make_hub):
    hub = make_hub(hub__training_attempts=2)
    _, poisoned = asked(hub)
    _, healthy = asked(hub)
    for attempt in (1, 2):
        assert trainings.claim(hub, f"w{attempt}").id == poisoned.id
        silence(hub, poisoned.id)
    assert trainings.claim(hub, "w3").id == healthy.id
    assert row(hub, poisoned.id).state == "failed" and "died 2 times, the last was w2" in row(hub, poisoned.id).error


def test_a_cancelled_training_of_a_dead_worker_is_not_taken_again(hub):
    who, training = asked(hub)
    trainings.claim(hub, "w")
    assert trainings.cancel(hub, who, training.id).state == "running"
    silence(hub, training.id)
    assert trainings.claim(hub, "w2") is None and row(hub, training.id).state == "cancelled"


def test_one_put_back_waits_for_its_pause(hub):
    _, training = asked(hub)
    taken = trainings.claim(hub, "w")
    trainings.finish(hub, taken, "queued", error="the database broke off", pause=60)
    assert trainings.claim(hub, "w") is None and row(hub, training.id).error == "the database broke off"


def test_a_tree_holds_the_labels_of_the_version_and_all_above_them(hub):
    who = person(hub)
    with hub.owner_transaction() as cursor:
        cursor.execute("""INSERT INTO hub.label (key, name) VALUES ('tool', 'tool'), ('sharp', 'sharp'), ('dog', 'dog'),
                          ('other', 'other')""")
        cursor.execute("""INSERT INTO hub.edge SELECT above.id, below.id FROM hub.label above, hub.label below
                          WHERE (above.name, below.name) IN (('tool', 'saw'), ('sharp', 'saw'), ('tool', 'other'))""")
    assert sorted(trainings.label_paths(hub, version(hub, who, {"saw": 3, "dog": 9}))) \
        == ["dog", "sharp", "sharp > saw", "tool", "tool > saw"]
    with hub.owner_transaction() as cursor:
        cursor.execute("DELETE FROM hub.edge")


# --- workers


@pytest.fixture
def standing_in(monkeypatch):
    """A function that lets a line of Python stand in for the four notebooks."""
    def make(code):
        start = subprocess.Popen

        def stand_in(words, **options):
            return start([sys.executable, "-c", code, *words[4:]], **options)

        monkeypatch.setattr(worker.subprocess, "Popen", stand_in)

    return make


def test_a_training_that_cannot_be_fails_with_its_sentence_and_the_next_is_done(hub, standing_in, monkeypatch):
    standing_in("import sys; print('noise', file=sys.stderr); print('error: every row was dropped', file=sys.stderr); sys.exit(1)")
    _, training = asked(hub)
    _, other = asked(hub)
    assert worker.work(hub, once=True, told=lambda words: None) == 2
    for each in (training, other):
        assert (row(hub, each.id).state, row(hub, each.id).error, row(hub, each.id).attempts) \
            == ("failed", "every row was dropped", 1)


def test_one_that_may_pass_is_tried_again_until_its_attempts_are_used_up(make_hub, standing_in):
    hub = make_hub(hub__training_attempts=2, hub__heartbeat=0.05)
    standing_in("import sys; print('error: no room', file=sys.stderr); sys.exit(74)")
    _, training = asked(hub)
    for _ in range(100):
        worker.work(hub, once=True, told=lambda words: None)
        if row(hub, training.id).state == "failed":
            break
        time.sleep(0.05)
    assert (row(hub, training.id).state, row(hub, training.id).attempts) == ("failed", 2)


@pytest.mark.parametrize("how", ["cancelled", "late"])
def test_a_running_one_is_stopped_with_all_it_started_when_cancelled_or_late(make_hub, standing_in, tmp_path, how):
    hub = make_hub(hub__training_minutes=0.02 if how == "late" else 5.0)
    note = tmp_path / "pid"
    standing_in("import subprocess, sys, time\n"
                "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
                f"open({str(note)!r}, 'w').write(str(p.pid))\ntime.sleep(600)")
    who, training = asked(hub)
    thread = threading.Thread(target=worker.work, args=(hub, True, lambda words: None))
    thread.start()
    if how == "cancelled":
        until(lambda: note.is_file() and note.read_text())
        trainings.cancel(hub, who, training.id)
    thread.join(30)
    ended = row(hub, training.id)
    assert not thread.is_alive() and ended.state == ("cancelled" if how == "cancelled" else "failed")
    assert how == "cancelled" or "training_minutes" in ended.error
    until(lambda: not alive(int(note.read_text())))


def test_after_a_kill_of_its_worker_a_training_ends_its_process_and_is_done_by_another(hub, tmp_path):
    note = tmp_path / "pid"
    code = (f"import os, sys, time\nopen({str(note)!r}, 'w').write(str(os.getpid()))\n"
            "sys.stdin.read()\nsys.exit(3)")
    _, training = asked(hub)
    run = ("import subprocess, sys\nfrom lib.hub import access\nfrom lib.hub.jobs import worker\nstart = subprocess.Popen\n"
           f"worker.subprocess.Popen = lambda words, **more: start([sys.executable, '-c', {code!r}], **more)\n"
           f"hub = access.open_hub({{'hub.name': {hub.profile!r}, 'hub.store': {hub.settings.store!r}, 'hub.heartbeat': 0.2}})\n"
           "worker.work(hub)")
    process = subprocess.Popen([sys.executable, "-c", run], env={**os.environ, "PYTHONPATH": str(config.REPOSITORY)})
    until(lambda: note.is_file() and note.read_text(), 60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    until(lambda: not alive(int(note.read_text())))
    until(lambda: (taken := trainings.claim(hub, "another")) and taken.id == training.id and taken.attempts == 2)


def test_a_finished_run_is_collected_into_the_store_and_its_folders_are_cleared(hub, monkeypatch):
    _, training = asked(hub)
    values = worker.parameters(hub, training)
    from lib import tasks

    job = tasks.job(**values)
    record = runs.Run(job, worker.RUN)

    class Done:
        returncode = 0

        def poll(self):
            return 0

    @contextlib.contextmanager
    def process(values, folder):
        record.write("done", {"metrics": {"network_val_loss": 0.25}, "pictures": {"train": 8}, "seconds": 3.5})
        record.write("export/export", {})
        files.write(record.path("params.yaml"), "task: tags\n")
        files.write(record.path("model", "network.keras"), b"weights")
        for name, text in (("scores", "score,mean,low\nf1,0.9,\n"), ("history", "part,epoch,loss\nnetwork,1,0.5\n")):
            files.write(record.path(f"{name}.csv"), text)
        record.write("split", {})
        files.write(record.path("figures", "learning.png"), b"\x89PNG")
        yield Done()

    monkeypatch.setattr(worker, "start_process", process)
    monkeypatch.setattr(worker, "stderr_tail", lambda child: "")
    assert worker.work(hub, once=True, told=lambda words: None) == 1
    done = row(hub, training.id)
    assert done.state == "done" and done.result["warnings"] == [
        "there is no f1 to tell whether it has learned anything; the data set may be too small"] and done.result["scores"] == [{"score": "f1", "mean": 0.9, "low": None}]
    assert done.result["loss"] == {"network_val_loss": 0.25} and set(done.result["files"]) == {"model.zip", "figures/learning.png"}
    archive = zipfile.ZipFile(BytesIO(store.read(hub, done.result["files"]["model.zip"], trainings.KIND)))
    assert archive.read("model/network.keras") == b"weights"
    assert not job.folder.exists() and not job.outputs.exists()


def test_what_a_training_runs_with_is_its_own_profile_with_the_tree_of_its_version(hub):
    who = person(hub)
    training = trainings.enqueue(hub, who, version(hub, who), {"training.epochs": 3})
    from lib import tasks

    job = tasks.job(**worker.parameters(hub, training))
    assert job.classes == ("saw",) and job.params.training.epochs == 3 and job.params.training.batch_size == 8
    assert job.params.data.source == "hub" and job.params.data.version == str(training.version)
    assert job.folder.name == f"hub{training.id}" and job.params.hub.name == hub.profile
    assert job.params.split.by == "group"
    few = trainings.enqueue(hub, who, version(hub, who, groups=2))   # whole batches would leave a part empty
    assert tasks.job(**worker.parameters(hub, few)).params.split.by == ""


def test_the_command_takes_a_file_of_parameters_and_ends_with_who_started_it(hub, tmp_path):
    import yaml

    from lib import __main__ as command

    _, training = asked(hub)
    values = worker.parameters(hub, training)
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(values))
    arguments = command.parser().parse_args(["run", "01", "--params", str(tmp_path / "p.yaml")])
    assert command.parameters(arguments) == {**values, "overrides": config.nest(values["overrides"])}
    assert command.find_job(arguments).profile == values["profile"]
    with pytest.raises(config.ConfigError, match="nowhere.yaml is missing"):
        config.read_file(tmp_path / "nowhere.yaml")
    with worker.start_process(values, tmp_path) as child:
        time.sleep(0.5)
        child.stdin.close()
        until(lambda: child.poll() is not None, 60)
        child.said.seek(0)
        assert b"Traceback" not in (said := child.said.read()), said.decode()


def until(holds, seconds=20):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to hold in time"
        time.sleep(0.05)


def alive(pid):
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(("best_is", "line", "words"), [
    ("high", {"mean": 0.9, "low": 0.8, "high": 1.0, "constant": 0.5}, None),
    ("high", {"mean": 0.5, "low": 0.4, "high": 0.6, "constant": 0.5}, "it has learned nothing"),
    ("high", {"mean": 1.0, "low": 1.0, "high": 1.0, "constant": 1.0}, "it has learned nothing"),
    ("high", {"mean": 0.6, "low": 0.4, "high": 0.8, "constant": 0.5}, "it may have learned nothing"),
    ("low", {"mean": 2.0, "low": 1.0, "high": 3.0, "constant": 9.0}, None),
    ("low", {"mean": 9.0, "low": 8.0, "high": 9.5, "constant": 9.0}, "it has learned nothing"),
    ("low", {"mean": 7.0, "low": 5.0, "high": 9.5, "constant": 9.0}, "it may have learned nothing"),
    ("high", {"mean": None, "low": None, "high": None, "constant": 0.5}, "no right to tell"),
    ("high", {"mean": 0.6, "low": None, "high": None, "constant": 0.5}, None),
])
def test_a_training_that_beats_no_constant_answer_is_warned_of(best_is, line, words):
    task = SimpleNamespace(primary_metric=SimpleNamespace(name="right", best=best_is))
    found = worker.warnings(task, [{"score": "other", "mean": 0.0, "constant": 1.0}, {"score": "right", **line}])
    assert len(found) == bool(words) and all(words in text for text in found), found
