"""How do corrections and answers come back? As labels for review, with their pictures where the hub has them not."""

import csv
import hashlib
import json
from pathlib import Path

from lib.hub.intake import sources, submission
from lib.serving import image_list
from lib.storage import revisions
from lib.tasks.contract import Located, Reviewable, Served


def corrections(hub, account, job, licence=""):
    """Hand the viewer's accepted corrections of a job in, and return what came of them as counts.

    A picture that the hub has gets its new label; one that it has not is submitted with it, for which a licence is
    needed. Handed in again, nothing changes. The person is a reviewer, or supplier of their own pictures. The hub keeps one
    label of a picture: corrections of several boxes are left out, and counted as `several`.
    """
    pictures = {row["source"]: row for row in _rows(job.folder / "labels.csv")}
    changed = {source: revision for source, revision in revisions.latest(job, decided=True).items()
               if revision.status == "accepted" and source in pictures}
    several = [source for source, revision in changed.items() if len(Located.of(job).labels_of(revision.label)) > 1]
    changed = {source: revision for source, revision in changed.items() if source not in several}
    found = {"corrections": len(changed), "labelled": 0, "known": 0} | ({"several": len(several)} if several else {})
    missing = []
    for source, revision in sorted(changed.items()):
        row = pictures[source]
        label = {name: revision.label[name] for name in job.columns}
        done = _annotate(hub, account, row["sha256"], job.name, label, "viewer")
        if done:
            found[done] += 1
        else:
            path = job.folder / "images" / row["image"]
            missing.append(sources.Item(row["image"], path.read_bytes, {"task": job.name, "label": label, "licence": licence},
                                        _stamp(row["sha256"], label)))
    return found | _submitted(hub, account, f"viewer-{job.name}-{job.profile}", missing)


def answers(hub, account, job, table, folder, licence=""):
    """Hand the answers of a CSV of `python -m lib predict` in as labels for review, and return counts.

    Pictures that the model refused, or whose answer is no whole label, are left out.
    """
    root, missing, rows = Path(folder), [], _rows(table)
    listed = Served.of(job).listed
    if listed and rows and listed[1] in rows[0]:
        raise ValueError(f"{table} has a row for each {listed[1]}, and the hub keeps one label of a picture; hand in the CSV of "
                         "predict without --boxes all")
    found = {"answers": 0, "labelled": 0, "known": 0}
    for row in rows:
        label = None if row.get("error") else Reviewable.of(job).label({name: _plain(value) for name, value in row.items()})
        if label is None:
            continue
        found["answers"] += 1
        path = image_list.escaped_path(root, row["image"])
        if root.resolve() not in path.resolve().parents:
            raise ValueError(f"{table} names {row['image'][:100]!r}, which leads out of {folder}")
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        done = _annotate(hub, account, sha256, job.name, label, "api")
        if done:
            found[done] += 1
        else:
            missing.append(sources.Item(row["image"], path.read_bytes, {"task": job.name, "label": label, "licence": licence},
                                        _stamp(sha256, label)))
    return found | _submitted(hub, account, f"answers-{job.name}-{job.profile}", missing)


def _submitted(hub, account, key, items):
    """What became of pictures that the hub had not; none are sent where there are none."""
    if not items:
        return {"new": 0, "refused": 0, "reasons": {}}
    receipt = submission.receive(hub, account, key, items, source=key)
    return {"new": receipt.new, "refused": receipt.refused, "reasons": receipt.reasons}


def _annotate(hub, account, sha256, task, label, origin):
    """"labelled", "known" where the hub has this label already, or None where it has not the picture (or not this person's)."""
    action = "review" if "reviewer" in account.roles else "submit"
    with hub.transaction(account, action) as cursor:
        cursor.execute("SELECT id, sha256 FROM hub.picture WHERE sha256 = %s OR clean_sha256 = %s ORDER BY id LIMIT 1",
                       (sha256, sha256))
        there = cursor.fetchone()
        if there is None:
            return None
        cursor.execute("SELECT label FROM hub.annotation WHERE picture = %s AND task = %s ORDER BY id DESC LIMIT 1",
                       (there[0], task))
        newest = cursor.fetchone()
    if newest and newest[0] == label:
        return "known"
    submission.annotate(hub, account, there[1], task, label, origin)
    return "labelled"


def _stamp(sha256, label):
    return hashlib.sha256(json.dumps([sha256, label], sort_keys=True).encode()).hexdigest()


def _rows(path):
    if not Path(path).is_file():
        raise ValueError(f"{path} is not there; run notebook 01 or python -m lib predict first")
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _plain(cell):
    """A cell as the value it was: JSON where it is one, else text; None for an empty one."""
    try:
        return json.loads(cell) if cell else None
    except (ValueError, RecursionError):
        return cell
