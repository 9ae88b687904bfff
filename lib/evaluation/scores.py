"""Scores in the picture's own units, each beside the constant answer that knows only the training labels."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from tqdm.auto import tqdm

from lib.data import dataset
from lib.serving import prediction
from lib.tasks.contract import Reported, Served


@dataclass
class Evaluation:
    """A run's answers to pictures that it has not learned from, beside their labels.

    `found`: a pandas row for each picture (truth_…, answer_…, constant_…, scores); `rows`, `truths`, `answers` and
    `constants`: the same as lists of plain dicts; `scores` and `groups`: tables of means with intervals. `left_out` is
    the number of pictures of the chosen split that the run has learned from. `others` holds (row, truth, answer) of
    all other pictures of the table, unscored, where `viewer.all` is true.
    """

    job: object
    found: object
    rows: list
    truths: list
    answers: list
    constants: list
    scores: object
    groups: object
    left_out: int = 0
    others: list = field(default_factory=list)

    def __repr__(self):
        learned = f"; {self.left_out} more are left out, for the run has learned from them" if self.left_out else ""
        return f"{len(self.rows)} pictures that the run has not learned from{learned}"


def evaluate(job, run, table, progress=True):
    """The Evaluation of a run on the held-out pictures of a labels table: those of `verify.split` that it has not
    learned from.

    ValueError where there are none. Corners and other lengths are scored as they are, and rounded (verify.decimals) where
    they are shown or written.
    """
    import pandas as pd

    scored, others, left_out = held_out(job, run, dataset.as_records(table))
    others = others if job.params.viewer.all else []
    predictor = prediction.load(run.path("export"), job.name)
    rows, answers = scored, answer_all(job, predictor, [*scored, *others], progress)
    answers, more = answers[:len(rows)], answers[len(rows):]
    constant = job.baseline(dataset.as_records(table[table["split"] == "train"]))
    constants = [constant((row["width"], row["height"])) for row in rows]
    truths = [job.truth(row) for row in rows]
    found = pd.DataFrame([line(job, *each) for each in zip(rows, truths, answers, constants, strict=True)])
    found["rank"] = found[job.primary_metric.name].rank(method="first", ascending=job.primary_metric.best == "high").astype(int)
    names = list(job.score(truths[0], answers[0]))
    scores = pd.concat([means(job, found, names), set_metrics(job, found, truths, answers, constants)], ignore_index=True)
    scores["unit"], scores["better"] = zip(*(scale(job, name)[1:] for name in scores["score"]), strict=True)
    return Evaluation(job, found, rows, truths, answers, constants, scores, by_group(found, names), left_out,
                      [(row, job.truth(row), answer) for row, answer in zip(others, more, strict=True)])


def held_out(job, run, rows):
    """The rows to be scored, the other ones, and how many of the chosen split the run has learned from.

    A picture counts as learned from by the run's own record (split.json): the labels may have been split anew since.
    """
    chosen = job.params.verify.split
    learned = set(run.read("split")["train"])
    asked = [row for row in rows if row["split"] == chosen or chosen == "all" and row["split"] != "train"]
    scored = [row for row in asked if row["image"] not in learned]
    if not scored:
        what = "all of its pictures" if asked else "no picture"
        said = f"; {run} has learned from {what}" if asked else ""
        raise ValueError(f"the {chosen} split of {job.name}/{job.profile} holds nothing to score{said}; set verify.split or "
                         "split.*, or train a new run")
    names = {row["image"] for row in scored}
    return scored, [row for row in rows if row["image"] not in names], len(asked) - len(scored)


def answer_all(job, predictor, rows, progress=True):
    """The answers to the pictures of the rows, in their order, by threads."""
    def answer(row):
        return predictor.answer(dataset.read_picture(job, row))

    with ThreadPoolExecutor(job.params.data.workers) as pool:
        return list(tqdm(pool.map(answer, rows), total=len(rows), desc="predict", disable=not progress))


def line(job, row, truth, answer, constant):
    """A picture's truth, answer and scores as one flat dict."""
    shown = prediction.rounded(answer, Served.of(job).pixel_fields, job.params.verify.decimals)
    return {"image": row["image"], "group": row.get("group", ""), "split": row["split"],
            **{f"truth_{key}": value for key, value in truth.items() if not _is_nested(value)},
            **{f"answer_{key}": value for key, value in shown.items() if not isinstance(value, dict | list)},
            **job.score(truth, answer),
            **{f"constant_{key}": value for key, value in job.score(truth, constant).items()}}


def _is_nested(value):
    """Whether a value is a list of dicts, which a table shows poorly."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def means(job, found, names):
    """Mean with its bootstrap interval, median and 95th percentile of each score, and the constant answer's mean.

    Groups are resampled, not pictures, where there are at least eight: pictures of one hole are not independent.
    """
    import pandas as pd

    return pd.DataFrame([{
        "score": name, "pictures": int(found[name].notna().sum()), "mean": found[name].mean(),
        **dict(zip(("low", "high"), interval(job, found, name), strict=True)),
        "median": found[name].median(), "p95": found[name].quantile(0.95),
        "constant": found[f"constant_{name}"].mean(),
    } for name in names])


def set_metrics(job, found, truths, answers, constants):
    """The metrics of the whole set (Reported.set_metrics), with intervals from at most 200 resamples, beside the constant answer's."""
    import pandas as pd

    def of(given, at):
        return Reported.of(job).set_metrics([truths[each] for each in at], [given[each] for each in at])

    everything = range(len(truths))
    numbers, constant = of(answers, everything), of(constants, everything)
    if not numbers:
        return pd.DataFrame()
    lists = _clusters(found, found.index)
    picks = np.random.default_rng(0).integers(0, len(lists), (min(200, job.params.verify.bootstrap), len(lists)))
    drawn = [of(answers, np.concatenate([lists[each] for each in pick])) for pick in picks]
    tail = (1 - job.params.verify.interval) / 2
    lines = []
    for name, value in numbers.items():
        values = np.array([each[name] for each in drawn], float)
        known = values[np.isfinite(values)]  # a resample may hold one class alone
        low, high = np.quantile(known, [tail, 1 - tail]) if len(known) else (np.nan, np.nan)
        lines.append({"score": name, "pictures": len(truths), "mean": value, "low": low, "high": high,
                      "median": np.nan, "p95": np.nan, "constant": constant[name]})
    return pd.DataFrame(lines)


def _clusters(found, values):
    """`values` (one a picture) as arrays that are resampled together: by group, or singly under eight groups."""
    lists = [np.asarray(values[at]) for at in found.groupby("group").indices.values()]
    return lists if len(lists) >= 8 else [np.asarray([value]) for value in values]


def studies(evaluation, run):
    """The figures of Reported.experiments, one after another; none where verify.studies is false."""
    job = evaluation.job
    if job.params.verify.studies:
        from lib.data import ingest

        yield from Reported.of(job).experiments(dataset.prepare(job, ingest.read_labels(job)), run)


def interval(job, found, name):
    """Percentile bootstrap interval of the mean of a score (Efron 1979); the same in every run."""
    settings = job.params.verify
    lists = [values.dropna().to_numpy() for _, values in found.groupby("group")[name]]
    if len(lists) < 8:
        lists = [np.array([value]) for value in found[name].dropna()]
    if not lists:
        return np.nan, np.nan
    sums, counts = np.array([v.sum() for v in lists]), np.array([len(v) for v in lists])
    picks = np.random.default_rng(0).integers(0, len(lists), (settings.bootstrap, len(lists)))
    means = sums[picks].sum(1) / np.maximum(counts[picks].sum(1), 1)
    tail = (1 - settings.interval) / 2
    return tuple(np.quantile(means, [tail, 1 - tail]))


def by_group(found, names):
    """Mean of each score by group, worst counted groups last."""
    table = found.groupby("group")[list(names)].mean()
    table.insert(0, "pictures", found.groupby("group").size())
    return table.reset_index()


def chosen(evaluation):
    """Positions of the pictures to look at, by the verify.* settings: worst, random, by name or by range."""
    settings, found = evaluation.job.params.verify, evaluation.found
    if settings.choose == "range":
        first, end = settings.range
        positions = list(range(len(found)))[first:end]
        if not positions:
            raise ValueError(f"verify.range is {settings.range}; there are {len(found)} pictures")
        return positions
    if settings.choose == "names":
        missing = set(settings.names) - set(found["image"])
        if missing or not settings.names:
            raise ValueError(f"verify.names: {', '.join(sorted(missing)) or 'none given'}; the pictures are "
                             f"{', '.join(found['image'][:5])} …")
        return [int(found.index[found["image"] == name][0]) for name in settings.names]
    if settings.choose == "random":
        count = min(settings.number, len(found))
        return sorted(np.random.default_rng(0).choice(len(found), count, replace=False).tolist())
    return found["rank"].sort_values(kind="stable").index[:settings.number].tolist()


def numbers(evaluation):
    """The means as plain numbers by their names in words, for the tracker; what is not a number is None."""
    found = {}
    for line in evaluation.scores.to_dict("records"):
        words, unit, _ = scale(evaluation.job, line["score"])
        name = re.sub(r"[^\w .:/-]+", " ", f"{words}: {unit}".replace("%", "percent").replace("…", "to"))
        for key, tail in (("mean", ""), ("median", " - median"), ("constant", " - constant answer")):
            found[f"{name}{tail}"] = float(line[key]) if np.isfinite(line[key]) else None
    return found


def scale(job, name):
    """(words, unit, which end is good: low or high) of a score."""
    return Reported.of(job).scales.get(name) or (name.replace("_", " "), "", job.primary_metric.best)


def beside(evaluation, position):
    """A picture's label and its answer beside each other: a pandas row for each of their values."""
    import pandas as pd

    truth, answer = evaluation.truths[position], evaluation.answers[position]
    shown = prediction.rounded(answer, Served.of(evaluation.job).pixel_fields, evaluation.job.params.verify.decimals)
    plain = [{name: value for name, value in values.items() if not _is_nested(value)} for values in (truth, shown)]
    names = list(dict.fromkeys([*plain[0], *plain[1]]))
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in zip(("label", "answer"), plain, strict=True)},
                        index=names).fillna("")


def in_words(job, run):
    """The scores that notebook 03 kept with a run, a line each, beside those of the constant answer."""
    import csv

    with run.path("scores.csv").open(encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["mean"]]
    pictures = max(int(line["pictures"]) for line in lines)
    said = [f"{run} of {job.name}/{job.profile} on {pictures} pictures that it has not learned from:"]
    for line in lines:
        words, unit, best = scale(job, line["score"])
        constant = f"{float(line['constant']):.3g}" if line["constant"] else "not known"
        said.append(f"  {words}: {float(line['mean']):.3g} ({unit}; {best}er is better; constant answer: {constant})")
    return "\n".join(said)
