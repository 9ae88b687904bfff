"""Scores in the picture's own units, each beside the constant answer that knows only the training labels."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from lib.data import dataset
from lib.serving import prediction


@dataclass
class Verification:
    """`found`: a pandas row for each picture (truth_…, answer_…, constant_…, scores); `rows`, `truths`, `answers`
    and `constants`: the same as lists of plain dicts; `scores` and `groups`: tables of means with intervals."""

    job: object
    found: object
    rows: list
    truths: list
    answers: list
    constants: list
    scores: object
    groups: object


def verify(job, record, table, progress=True):
    """Answer the pictures of the chosen split with the run's export and compare with the labels.

    ValueError where the split is empty. Corners and other lengths are scored as they are and rounded
    (verify.decimals) where they are shown or written.
    """
    import pandas as pd

    chosen = table if job.params.verify.split == "all" else table[table["split"] == job.params.verify.split]
    rows = dataset.as_records(chosen)
    if not rows:
        raise ValueError(f"the {job.params.verify.split} split of {job.name}/{job.profile} is empty; "
                         "set verify.split or split.*")
    predictor = prediction.load(record.path("export"), job.name)
    answers = answer_all(job, predictor, rows, progress)
    constant = job.baseline(dataset.as_records(table[table["split"] == "train"]))
    constants = [constant((row["width"], row["height"])) for row in rows]
    truths = [job.truth(row) for row in rows]
    found = pd.DataFrame([line(job, *each) for each in zip(rows, truths, answers, constants, strict=True)])
    found["rank"] = found[job.headline].rank(method="first", ascending=job.best_is == "high").astype(int)
    names = [name for name in job.score(truths[0], answers[0])]
    scores = pd.concat([summary(job, found, names), wholes(job, found, truths, answers, constants)], ignore_index=True)
    return Verification(job, found, rows, truths, answers, constants, scores, by_group(found, names))


def answer_all(job, predictor, rows, progress=True):
    """The answers to the pictures of the rows, in their order, by threads."""
    def answer(row):
        return predictor.answer(dataset.read_picture(job, row))

    with ThreadPoolExecutor(job.params.data.workers) as pool:
        return list(tqdm(pool.map(answer, rows), total=len(rows), desc="predict", disable=not progress))


def line(job, row, truth, answer, constant):
    """A picture's truth, answer and scores as one flat dict."""
    shown = prediction.rounded(answer, job.pixels, job.params.verify.decimals)
    return {"image": row["image"], "group": row.get("group", ""), "split": row["split"],
            **{f"truth_{key}": value for key, value in truth.items()},
            **{f"answer_{key}": value for key, value in shown.items() if not isinstance(value, dict | list)},
            **job.score(truth, answer),
            **{f"constant_{key}": value for key, value in job.score(truth, constant).items()}}


def summary(job, found, names):
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


def wholes(job, found, truths, answers, constants):
    """The numbers of the whole set (Job.summary), with intervals from at most 200 resamples, beside the constant's."""
    import pandas as pd

    def of(given, at):
        return job.summary([truths[each] for each in at], [given[each] for each in at])

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


def studies(verification, record):
    """The figures of Job.studies, one after another; none where verify.studies is false."""
    job = verification.job
    if job.params.verify.studies:
        from lib.data import ingest

        yield from job.studies(dataset.prepare(job, ingest.read_labels(job)), record)


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


def choose(verification):
    """Positions of the pictures to look at, by the verify.* settings: worst, random, by name or by range."""
    settings, found = verification.job.params.verify, verification.found
    if settings.choose == "range":
        first, end = settings.range
        chosen = list(range(len(found)))[first:end]
        if not chosen:
            raise ValueError(f"verify.range is {settings.range}; there are {len(found)} pictures")
        return chosen
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


def numbers(verification):
    """The means as plain numbers for the record and the tracker; what is not a number is None."""
    return {f"{line['score']}{tail}": float(line[key]) if np.isfinite(line[key]) else None
            for line in verification.scores.to_dict("records")
            for key, tail in (("mean", ""), ("median", "_median"), ("constant", "_constant"))}
