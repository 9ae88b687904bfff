"""What is looked at: a run's answers as notebook 03 stores them, and the static pages that say the same."""

import base64
import io
import math

from lib import figures

NAME = "review"   # .json: what the viewer opens; .csv: the list, worst first


def keep(verification, record):
    """Store the answers of a verification in the run's folder: review.json, review.csv and figures/review.png.

    Returns the figure: the contact sheet, worst first.
    """
    job = verification.job
    items = [_item(verification, at) for at in ranked(verification)]
    record.write(NAME, {"task": job.name, "profile": job.profile, "run": record.name, "headline": job.headline,
                        "best_is": job.best_is, "items": items})
    record.keep_table(listed(job, items), NAME)
    return record.keep(figures.answers(verification, ranked(verification)[:job.params.viewer.sheet], 6), NAME)


def jpeg(figure):
    """A figure as JPEG bytes, small enough to stand in a notebook."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpeg", dpi=75, pil_kwargs={"quality": 80})
    return buffer.getvalue()


def folded(figure):
    """A figure as HTML that opens at a click, complete in itself."""
    code = base64.b64encode(jpeg(figure)).decode()
    return (f"<details><summary>Contact sheet, worst first (figures/{NAME}.png and {NAME}.csv in the run)</summary>"
            f'<img alt="contact sheet" style="max-width: 100%" src="data:image/jpeg;base64,{code}"></details>')


def read(record):
    """The stored answers, worst first; ValueError says what to run where there are none."""
    if not record.path(f"{NAME}.json").is_file():
        raise ValueError(f"{record} has no stored answers yet; run notebook 03 first")
    return record.read(NAME)["items"]


def ranked(verification):
    """Positions of the pictures, worst first."""
    return verification.found["rank"].sort_values(kind="stable").index.tolist()


def listed(job, items):
    """The answers as a table, worst first: what a person would want in a spreadsheet."""
    import pandas as pd

    return pd.DataFrame([{"image": each["image"], "group": each["group"], "split": each["split"], **each["scores"],
                          "surprise": each["surprise"], "confidence": each["answer"].get("confidence"),
                          "refused": each["answer"].get("refused"), "source": each["source"]} for each in items])


def _item(verification, at):
    job, row = verification.job, verification.rows[at]
    truth, answer = verification.truths[at], verification.answers[at]
    return plain({"image": row["image"], "source": row.get("source", row["image"]), "sha256": row.get("sha256", ""),
                  "group": row.get("group", ""), "split": row["split"], "width": row["width"], "height": row["height"],
                  "truth": truth, "answer": answer, "scores": job.score(truth, answer),
                  "surprise": job.surprise(truth, answer)})


def plain(value):
    """The value as JSON has it: what is not a finite number becomes None."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
