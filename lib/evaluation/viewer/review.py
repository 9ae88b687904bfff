"""The stored answers of a run (review.json), and the contact sheet and table made of them."""

import base64
import io
import math

from lib.data import dataset, ingest
from lib.evaluation import figures
from lib.storage import runs
from lib.tasks.contract import Reviewable

NAME = "review"   # .json: what the viewer opens; .csv: the same as a table


def store(verification, record, audited=None):
    """Write review.json, review.csv and figures/review.png of an Evaluation; returns the contact sheet, worst first.

    With a LabelAudit, its suspicion of a label takes the place of the task's own, and suspect labels of other splits come
    in. Pictures that are not scored (viewer.all) stand last, without scores.
    """
    job = verification.job
    items = [_item(verification, at) for at in ranking(verification)]
    if audited is not None:
        items = _with_audit(job, items, audited)
    there = {item["image"] for item in items}
    items += [_item_of(job, row, truth, answer, Reviewable.of(job).label_nll(truth, answer)) | {"scores": {}}
              for row, truth, answer in verification.others if row["image"] not in there]
    record.write(NAME, {"task": job.name, "profile": job.profile, "run": record.name, "headline": job.primary_metric.name,
                        "best_is": job.primary_metric.best, "items": items})
    record.keep_table(table(job, items), NAME)
    return record.keep(figures.answers(verification, ranking(verification)[:job.params.viewer.sheet], 6), NAME)


def _with_audit(job, items, audited):
    """The items with the suspicions of an Audit, and its suspect labels that are not among them; worst first."""
    known = {row["image"]: suspicion for row, suspicion in zip(audited.rows, audited.suspicions, strict=True)}
    there = {each["image"] for each in items}
    items = [each | {"surprise": known.get(each["image"], each["surprise"]),
                     "suspect": (known.get(each["image"]) or 0) > 1} for each in items]
    judged = zip(audited.rows, audited.truths, audited.answers, audited.suspicions, strict=True)
    items += [_item_of(job, *each) | {"suspect": True} for each in judged
              if each[0]["image"] not in there and (each[3] or 0) > 1]
    sign = 1 if job.primary_metric.best == "high" else -1
    return sorted(items, key=lambda each: sign * (each["scores"].get(job.primary_metric.name) or 0.0))


def store_queue(record, items):
    """Write queue.json: pictures without a label, the most useful first, as dicts of their row, answer and doubt."""
    record.write("queue", {"items": [plain({"split": "queue", "truth": None, "scores": {}, "surprise": None, "group": "",
                                            **each, "queue": at}) for at, each in enumerate(items)]})


def read_queue(record):
    """The pictures to label next; [] where none were chosen."""
    return record.read("queue")["items"] if record.path("queue.json").is_file() else []


def initial_order(items):
    """The page's first order, by its name there: pictures to label, else suspect labels, else the worst answers."""
    if any("queue" in each for each in items):
        return "queue"
    return "surprise" if any(each.get("suspect") for each in items) else "rank"


def jpeg(figure):
    """A figure as JPEG bytes, small enough for a notebook."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", dpi=75, pil_kwargs={"quality": 80})
    return buffer.getvalue()


def collapsible(figure):
    """A figure as HTML that opens at a click; the picture is inside."""
    code = base64.b64encode(jpeg(figure)).decode()
    return (f"<details><summary>Contact sheet, worst first (figures/{NAME}.png and {NAME}.csv in the run)</summary>"
            f'<img alt="contact sheet" style="max-width: 100%" src="data:image/jpeg;base64,{code}"></details>')


def read(record):
    """The stored answers, worst first; ValueError says what to run where there are none."""
    if not record.path(f"{NAME}.json").is_file():
        raise ValueError(f"{record} has no stored answers yet; run notebook 03 first")
    return record.read(NAME)["items"]


def item_at(items, message):
    """The item whose position a message of the page names (`at`); ValueError where there is none."""
    at = message.get("at")
    if not isinstance(at, int) or not 0 <= at < len(items):
        raise ValueError(f"there is no picture number {at!r}; reload the page")
    return items[at]


def unanswered(job, items):
    """Items without an answer: the pictures of labels.csv that are not among `items`."""
    known = {item["image"] for item in items}
    rows = [row for row in dataset.as_records(ingest.read_labels(job)) if row["image"] not in known]
    return [plain({**_of_row(row), "truth": job.truth(row), "answer": {}, "scores": {}, "surprise": None, "unanswered": True})
            for row in rows]


def other_runs(record):
    """Names of the other finished runs with stored answers, newest first."""
    return [each.name for each in reversed(runs.all_runs(record.job))
            if each.done and each.name != record.name and each.path(f"{NAME}.json").is_file()]


def other_run(record, name):
    """The Record of one of `other_runs`; ValueError for any other name."""
    if name not in other_runs(record):
        raise ValueError(f"there is no other run {name[:100]!r} with stored answers")
    return runs.Run(record.job, name)


def ranking(verification):
    """Positions of the pictures, worst first."""
    return verification.found["rank"].sort_values(kind="stable").index.tolist()


def table(job, items):
    """The answers as a DataFrame, worst first."""
    import pandas as pd

    return pd.DataFrame([{"image": each["image"], "group": each["group"], "split": each["split"], **each["scores"],
                          "surprise": each["surprise"], "confidence": each["answer"].get("confidence"),
                          "refused": each["answer"].get("refused"), "source": each["source"]} for each in items])


def _item(verification, at):
    job, truth, answer = verification.job, verification.truths[at], verification.answers[at]
    return _item_of(job, verification.rows[at], truth, answer, Reviewable.of(job).label_nll(truth, answer))


def _item_of(job, row, truth, answer, surprise):
    return plain({**_of_row(row), "truth": truth, "answer": answer, "scores": job.score(truth, answer), "surprise": surprise})


def _of_row(row):
    """What an item says of its picture."""
    return {"image": row["image"], "source": row.get("source", row["image"]), "sha256": row.get("sha256", ""),
            "group": row.get("group", ""), "split": row["split"], "width": row["width"], "height": row["height"]}


def plain(value):
    """The value as plain JSON; a number that is not finite becomes None."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
