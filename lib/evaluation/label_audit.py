"""Which labels are probably wrong? Networks that have not learned from a label say how improbable it is."""

import hashlib
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace

from tqdm.auto import tqdm

from lib import tasks
from lib.common import config
from lib.data import dataset
from lib.serving import prediction
from lib.storage import files, runs
from lib.training import fitting

PAUSE = 20.0   # s after which what is known is written down


@dataclass(frozen=True)
class Audit:
    """`rows`, `truths`, `answers` (None: the picture could not be read) and `suspicions` (above 1: suspect; None: not
    known), worst first, and `how` it was found out, in a sentence."""

    job: object
    rows: list
    truths: list
    answers: list
    suspicions: list
    how: str

    def __repr__(self):
        return f"{len(self.suspects)} of {len(self.rows)} labels are suspect: {self.how}"

    @property
    def suspects(self):
        """The rows of suspect labels, the most improbable first."""
        return [row for row, suspicion in zip(self.rows, self.suspicions, strict=True) if (suspicion or 0) > 1]

    def listed(self):
        """A pandas row for each label, the most improbable first."""
        import pandas as pd

        return pd.DataFrame([{"image": row["image"], "suspicion": suspicion, "suspect": (suspicion or 0) > 1,
                              "group": row.get("group", ""), "split": row["split"], "source": row.get("source", "")}
                             for row, suspicion in zip(self.rows, self.suspicions, strict=True)])


def audit(job, record, table, progress=True):
    """The Audit of the labels of a table, by networks that have not learned from them.

    That are those of the run itself where training has left the weights it started from as they were. Else
    `verify.audit_folds` networks are trained, each without one part of the groups; with 0 folds only those labels are looked
    at that the run has not trained on. Networks and answers are kept with the run: a stopped audit goes on.
    """
    rows, folds = dataset.as_records(table), job.params.verify.audit_folds
    if not learned(record):
        looked, how = [(record.path("export"), rows)], "by the run's own networks, whose weights no label here has changed"
    elif folds:
        looked = [(_network(job, record, table, fold, progress), fold) for fold in parts(rows, folds)]
        how = f"by {folds} networks, each trained without the groups that it judges"
    else:
        trained = set(record.read("split")["train"])
        looked = [(record.path("export"), [row for row in rows if row["image"] not in trained])]
        how = "by the run's own networks, on the pictures they were not trained on (verify.audit_folds is 0)"
    heard = [each for export, part in looked for each in _heard(job, record, export, part, progress)]
    rows, truths, answers, evidence = ([each[at] for each in heard] for at in range(4))
    found = list(zip(rows, truths, answers, job.suspicions(truths, answers, evidence), strict=True))
    found.sort(key=lambda each: -1.0 if each[3] is None else each[3], reverse=True)
    return Audit(job, *([each[at] for each in found] for at in range(4)), how)


def learned(record):
    """Whether training has changed a part's weights: its best epoch is not epoch 0, that of the weights it was given."""
    best = {}
    for line in fitting.history(record).to_dict("records"):
        if line["part"] not in best or line["val_loss"] < best[line["part"]]["val_loss"]:
            best[line["part"]] = line
    return any(line["epoch"] > 0 for line in best.values())


def parts(rows, count):
    """The rows in `count` lists, by group: the largest groups first, each to the list that is shortest by then.

    ValueError where there are fewer groups than lists.
    """
    groups = {}
    for row in rows:
        groups.setdefault(row.get("group", row["image"]), []).append(row)
    if len(groups) < count:
        raise ValueError(f"verify.audit_folds is {count} and there are {len(groups)} groups; set it to that or less, or to 0")
    lists = [[] for _ in range(count)]
    for name in sorted(groups, key=lambda name: (-len(groups[name]), _hash(name))):
        min(lists, key=len).extend(groups[name])
    return lists


# --- networks


def _network(job, record, table, fold, progress):
    """The export of networks trained on all groups but those of a fold; one that is there is taken as it is."""
    held = {row["image"] for row in fold}
    folder = record.path("audit", _hash([sorted(held), runs.fingerprint(job, dataset.as_records(table))])[:12])
    export = folder / "export"
    if not (export / "export.json").is_file():
        prepared = dataset.prepare(job, table, progress)
        others = [row for row in prepared.rows if row["image"] not in held]
        some = max(2, min(5, len({row.get("group", row["image"]) for row in others})))
        check = {row["image"] for row in parts(others, some)[0]}
        rows = [{**row, "split": "" if row["image"] in held else "validation" if row["image"] in check else "train"}
                for row in prepared.rows]
        shorter = _shorter(job)
        prepared, networks = dataset.Prepared(rows, prepared.stored), {}
        for part in job.parts():
            networks[part] = fitting.fit(shorter, part, prepared, SimpleNamespace(path=folder.joinpath), progress)[0]
            job.finish(part, networks[part], prepared)
        export.export(job, networks, export, f"{record.name}-{folder.name}")
        shutil.rmtree(folder / "resume")
    return export


def _shorter(job):
    """The job with the epochs of an audit."""
    values = job.params.plain()
    values["training"]["epochs"] = job.params.verify.audit_epochs or job.params.training.epochs
    return type(job)(config.Params(values), job.profile, job.run)


# --- what they say


def _heard(job, record, export, rows, progress):
    """(row, truth, answer, evidence) of each row, by the networks of an export."""
    predictor = prediction.load(export, job.name, golden=False)
    mark = [files.sha256(export / "export.json"), job.name]
    answers = _known(record, "answers", [*mark, rows], rows, progress,
                     lambda picture, at: predictor.answer(picture))
    truths = [job.truth(row) for row in rows]
    habit = job.habit(truths, answers)
    if type(job).evidence is tasks.Job.evidence:
        evidence = [None] * len(rows)
    else:
        evidence = _known(record, "evidence", [*mark, rows, habit], rows, progress, lambda picture, at:
                          answers[at] and job.evidence(predictor.parts, picture, truths[at], answers[at], habit))
    return list(zip(rows, truths, answers, evidence, strict=True))


def _known(record, name, mark, rows, progress, ask):
    """What `ask(picture, at)` says of each row, None where its picture cannot be read; kept with the run under its mark."""
    path = record.path("audit", f"{name}-{_hash(mark)[:12]}.json")
    known = files.read_json(path) if path.is_file() else []
    began = time.monotonic()

    def safely(at):
        try:
            picture = dataset.read_picture(record.job, rows[at])
        except ValueError:  # gone or broken since notebook 01: its label cannot be judged, and is listed so
            return None
        return ask(picture, at)

    with ThreadPoolExecutor(record.job.params.data.workers) as pool:
        left = range(len(known), len(rows))
        for value in tqdm(pool.map(safely, left), total=len(left), desc=f"audit, {name}", disable=not progress):
            known.append(value)
            if time.monotonic() - began > PAUSE:
                files.write_json(path, known)
                began = time.monotonic()
    files.write_json(path, known)
    return known


def _hash(value):
    return hashlib.sha1(json.dumps(value, sort_keys=True, default=str).encode(), usedforsecurity=False).hexdigest()
