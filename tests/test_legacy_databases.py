"""Tables, revisions and a hub of older code are read and built on by this code: tests/legacy/README.md."""

import json
import tarfile
import time
import uuid
from dataclasses import replace

import pytest
from legacy import tiny
from legacy.old_home import (  # noqa: F401
    EXPECTED,
    ask,
    job,
    lib,
    old_home,
    old_hub,
    old_labelled,
    old_place,
    restored,
    served,
)

from lib import data
from lib.evaluation.viewer import Viewer
from lib.storage import revisions, runs

# --- labels and their revisions


def test_old_corrections_are_shown_and_applied_as_before(labelled):
    words = tiny.words("corners")
    assert lib("labels", "apply", *words) == EXPECTED["apply"]
    said = lib("labels", "apply", "--yes", *words)
    assert said.endswith("2 were changed; 1 were added; 2 are in the table already\n")
    rows = {
        row[0]: row[1:] for row in ask(labelled, "SELECT fullname, row_nb, p1x, p3y FROM geolschema.log_pic")
    }
    assert rows["D:\\Cores\\New\\HOLE-100\\added.JPG"][1] == 20.0 and len(rows) == 9
    assert lib("labels", "apply", *words).endswith(
        "5 are in the table already; nothing was written yet, --yes does it\n"
    )


def test_old_revisions_are_read_and_built_on_and_nothing_is_migrated_twice(labelled):
    migrated = dict(ask(labelled, "SELECT name, at FROM corebox.migration"))
    newest, decided = revisions.latest(labelled), revisions.latest(labelled, decided=True)
    at = {source.rpartition("\\")[2]: source for source in newest}
    told = {
        name: (newest[source].number, newest[source].status, newest[source].who)
        for name, source in at.items()
    }
    assert told == {
        "corners_0000.JPG": (1, "accepted", "anna"),
        "corners_0001.JPG": (2, "accepted", "bob"),
        "corners_0002.JPG": (1, "unsure", "anna"),
        "corners_0003.JPG": (3, "accepted", "anna"),
        "corners_0004.JPG": (1, "accepted", "carla"),
        "added.JPG": (1, "accepted", "carla"),
    }
    assert at["corners_0002.JPG"] not in decided
    third = at["corners_0003.JPG"]
    assert [each.status for each in revisions.history(labelled, third)] == ["accepted", "refused", "bad"]
    assert revisions.first(labelled)[third].status == "bad"
    assert [each.why for each in revisions.history(labelled, at["corners_0001.JPG"])] == [
        "undone",
        "rows counted",
    ]
    assert newest[at["corners_0000.JPG"]].note == "näher am Rand" and revisions.new_pictures(labelled) == {
        at["added.JPG"]
    }
    assert set(revisions.applied(labelled)) == {at["corners_0000.JPG"], at["corners_0001.JPG"]}
    old = newest[at["corners_0001.JPG"]]
    plain = {name: value for name, value in old.plain().items() if name not in ("id", "at")}
    change = replace(revisions.Change(**plain), edit=str(uuid.uuid4()), who="new", number=3)
    with pytest.raises(revisions.Conflict):
        revisions.save(labelled, replace(change, number=2))
    saved = revisions.save(labelled, change)
    assert saved.id > 9 and revisions.since(labelled, 9) == [saved]
    now = dict(ask(labelled, "SELECT name, at FROM corebox.migration"))
    assert now.items() >= migrated.items() and len(migrated) == 2


def test_old_pictures_are_not_copied_again_and_new_corrections_come_in(labelled):
    before = data.read_labels(labelled)
    found = data.ingest_labels(labelled)
    assert found.counts == {"rows": 9, "kept": 9, "dropped": 0, "reordered": 0, "revised": 5, "copied": 1}
    now = found.table.set_index("image")
    changed = [
        row["image"]
        for row in before.to_dict("records")
        if now.loc[row["image"]].to_dict() != {name: value for name, value in row.items() if name != "image"}
    ]
    assert changed == [name for name in before["image"] if name.startswith("corners_0004")]


def test_an_old_data_folder_comes_out_of_its_table_byte_for_byte(home):
    own = restored(job("bins"), "bins.sql.xz")
    old = {name: (own.folder / name).read_bytes() for name in ("labels.csv", "dropped.csv", "pictures.json")}
    assert data.ingest_labels(own).counts["copied"] == 0
    assert old == {name: (own.folder / name).read_bytes() for name in old}


def test_the_viewer_opens_an_old_run_with_its_revisions_and_sends_what_was_left_unsent(labelled):
    waiting = list((labelled.folder / "outbox").iterdir())
    assert len(waiting) == 1
    unsent = json.loads(waiting[0].read_text())
    view = Viewer(labelled, runs.newest(labelled))
    try:
        end = time.monotonic() + 20
        while waiting[0].exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert not waiting[0].exists()
        (kept,) = revisions.history(labelled, unsent["source"])
        assert kept.plain() == {**unsent, "id": kept.id, "at": kept.at}
        shown = view.open({})
        kept = runs.newest(labelled).read("review")["items"]
        assert [each["image"] for each in shown["items"]] == [each["image"] for each in kept] and kept
        assert len(shown["revisions"]) == 7 and "offline" not in shown
        assert all(each["answer"]["model_version"] == EXPECTED["corners"]["run"] for each in shown["items"])
        assert len(view.pictures.thumbnails({"many": [0, 1]})[1][1]) > 500
    finally:
        view.labels.outbox.close()


# --- the hub


def test_an_old_hub_is_read_by_the_command_line_and_nothing_is_migrated_twice(hub, tmp_path):
    migrated = dict(ask(hub, "SELECT name, at FROM hub.migration"))
    lib("hub", "migrate")
    now = dict(ask(hub, "SELECT name, at FROM hub.migration"))
    assert now.items() >= migrated.items() and len(migrated) == 9
    assert lib("hub", "versions", "--person", "carla") == EXPECTED["hub"]["versions"]
    assert lib("hub", "labels") == EXPECTED["hub"]["labels"]
    lib("hub", "download", "1", tmp_path / "set.tar", "--person", "carla")
    with tarfile.open(tmp_path / "set.tar") as archive:
        names = archive.getnames()
    assert sum(name.endswith(".jpg") for name in names) == 5


def test_an_old_hub_knows_its_people_versions_and_trainings_over_http(hub):
    tokens, wanted = EXPECTED["hub"]["tokens"], {"labels": ["core"]}
    with served("lib", "hub", "serve", "--with-stdin", "--set", "hub.port=0") as http:
        assert http("/v1/me", token=tokens["rita"])["name"] == "rita"
        version = http("/v1/versions", wanted, tokens["petra"])
        assert (version["id"], version["manifest"], version["counts"]) == (
            1,
            EXPECTED["hub"]["manifest"],
            {"bar": 3, "core": 5, "ring": 2},
        )
        assert http("/v1/trainings", token=tokens["petra"]) == {"trainings": EXPECTED["hub"]["trainings"]}
        assert http("/v1/trainings/3/cancel", b"", tokens["petra"])["state"] == "cancelled"
        assert http("/v1/trainings/2/again", b"", tokens["petra"])["id"] == 4
        (batch,) = http("/v1/batches", token=tokens["sven"])["batches"]
        assert batch["done"] and batch["counts"] == {"new": 6}
        assert http("/v1/watches", token=tokens["carla"])["watches"][0]["state"] == "waiting"
