"""Which labels are probably wrong? Those that networks which have not learned from them find improbable."""

import hashlib
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tqdm.auto import tqdm

from lib.common import config
from lib.data import dataset
from lib.serving import prediction
from lib.storage import files, runs
from lib.tasks.contract import Auditable
from lib.training import export, fitting

PAUSE = 20.0   # s after which what is known is written down


@dataclass(frozen=True)
class LabelAudit:
    """`rows`, `truths`, `answers` (None: the picture could not be read) and `suspicions` (above 1: suspect; None: not
    known), worst first, and `how` they were judged, in a sentence."""

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

    def table(self):
        """A pandas row for each label, the most improbable first."""
        import pandas as pd

        return pd.DataFrame([{"image": row["image"], "suspicion": suspicion, "suspect": (suspicion or 0) > 1,
                              "group": row.get("group", ""), "split": row["split"], "source": row.get("source", "")}
                             for row, suspicion in zip(self.rows, self.suspicions, strict=True)])


def audit_labels(job, run, table, progress=True):
    """The LabelAudit of a table, by networks that have not learned from the labels which they judge.

    Where training has left the weights as they were before it, the run's own networks judge all labels. Else
    `verify.audit_folds` networks are trained, each without one fold of the groups, which it then judges; with 0 folds the
    run's own networks judge only the labels that it has not trained on. Networks and answers are kept with the run: a
    stopped audit goes on.
    """
    rows, count = dataset.as_records(table), job.params.verify.audit_folds
    if not fitting.improved(run):
        judged = [(run.path("export"), rows)]
        how = "judged by the run's own networks, whose weights no label here has changed"
    elif count:
        judged = [(_fold_export(job, run, table, fold, progress), fold) for fold in folds(rows, count)]
        how = f"judged by {count} networks, each trained without the groups that it judges"
    else:
        trained = set(run.read("split")["train"])
        judged = [(run.path("export"), [row for row in rows if row["image"] not in trained])]
        how = "judged by the run's own networks, on the pictures they were not trained on (verify.audit_folds is 0)"
    lines = [line for export, fold in judged for line in _judge(job, run, export, fold, progress)]
    rows, truths, answers, evidence = ([line[at] for line in lines] for at in range(4))
    found = list(zip(rows, truths, answers, Auditable.of(job).label_errors(truths, answers, evidence), strict=True))
    found.sort(key=lambda each: -1.0 if each[3] is None else each[3], reverse=True)
    return LabelAudit(job, *([each[at] for each in found] for at in range(4)), how)


def folds(rows, count):
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


def _fold_export(job, run, table, fold, progress):
    """The export of networks trained on all groups but those of a fold; one that is there is taken as it is."""
    held_out = {row["image"] for row in fold}
    folder = run.path("audit", _hash([sorted(held_out), runs.fingerprint(job, dataset.as_records(table))])[:12])
    target = folder / "export"
    if not (target / "export.json").is_file():
        prepared = _without(dataset.prepare(job, table, progress), held_out)
        networks, _ = fitting.fit_networks(_shorter(job), prepared, folder, progress)
        export.export(job, networks, target, f"{run.name}-{folder.name}")
        shutil.rmtree(folder / "resume")
    return target


def _without(prepared, held_out):
    """The Prepared without the pictures held out; up to a fifth of the other groups is for validation."""
    others = [row for row in prepared.rows if row["image"] not in held_out]
    count = max(2, min(5, len({row.get("group", row["image"]) for row in others})))
    validation = {row["image"] for row in folds(others, count)[0]}
    return dataset.Prepared([{**row, "split": "" if row["image"] in held_out else
                              "validation" if row["image"] in validation else "train"} for row in prepared.rows],
                            prepared.stored)


def _shorter(job):
    """The job with the epochs of an audit."""
    values = job.params.plain()
    values["training"]["epochs"] = job.params.verify.audit_epochs or job.params.training.epochs
    return type(job)(config.Params(values), job.profile, job.run)


# --- judgements


def _judge(job, run, export, rows, progress):
    """(row, truth, answer, evidence) of each row, by the networks of an export."""
    predictor = prediction.load(export, job.name, golden=False)
    mark = [files.sha256(export / "export.json"), job.name]
    answers = _answered(run, "answers", [*mark, rows], rows, progress,
                     lambda picture, at: predictor.answer(picture))
    truths = [job.truth(row) for row in rows]
    habit = Auditable.of(job).label_bias(truths, answers)
    if not isinstance(job, Auditable):
        evidence = [None] * len(rows)
    else:
        evidence = _answered(run, "evidence", [*mark, rows, habit], rows, progress, lambda picture, at:
                          answers[at] and Auditable.of(job).label_evidence(predictor.parts, picture, truths[at], answers[at], habit))
    return list(zip(rows, truths, answers, evidence, strict=True))


def _answered(run, name, mark, rows, progress, ask):
    """What `ask(picture, at)` says of each row, None where its picture cannot be read; kept with the run under its mark."""
    path = run.path("audit", f"{name}-{_hash(mark)[:12]}.json")
    known = files.read_json(path) if path.is_file() else []
    began = time.monotonic()

    def safely(at):
        try:
            picture = dataset.read_picture(run.job, rows[at])
        except ValueError:  # gone or broken since notebook 01: its label cannot be judged, and is listed so
            return None
        return ask(picture, at)

    with ThreadPoolExecutor(run.job.params.data.workers) as pool:
        left = range(len(known), len(rows))
        for value in tqdm(pool.map(safely, left), total=len(left), desc=f"audit, {name}", disable=not (progress and left)):
            known.append(value)
            if time.monotonic() - began > PAUSE:
                files.write_json(path, known)
                began = time.monotonic()
    files.write_json(path, known)
    return known


def _hash(value):
    return hashlib.sha1(json.dumps(value, sort_keys=True, default=str).encode(), usedforsecurity=False).hexdigest()
