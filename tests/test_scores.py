"""Scores beside the constant answer, and the pictures one chooses to look at."""

import numpy as np
import pytest
import toy

from lib.data import dataset
from lib.evaluation import figures, scores
from lib.training import fitting


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A toy job with its table and a run that has learned its colours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COREBOX_HOME", str(tmp_path_factory.mktemp("home")))
        toy.known(patch)
        job = toy.job(verify={"split": "all"}, training={"epochs": 60, "learning_rate": 0.03})
        table = toy.gathered(job)
        record = fitting.train(job, dataset.prepare(job, table, progress=False), progress=False)
        yield job, table, record


@pytest.fixture
def verification(trained):
    job, table, record = trained
    return scores.verify(job, record, table, progress=False)


def again(trained, **settings):
    job, table, record = trained
    return scores.verify(toy.job(job.run, verify=settings), record, table, progress=False)


def test_the_model_stands_beside_the_constant_answer(verification):
    line = verification.scores.iloc[0]
    assert line["score"] == "right" and line["pictures"] == 24
    assert line["mean"] > line["constant"]
    assert line["low"] <= line["mean"] <= line["high"]
    labels = [truth["label"] for truth, row in zip(verification.truths, verification.rows, strict=True)
              if row["split"] == "train"]
    common = max(sorted(set(labels)), key=labels.count)
    assert {answer["label"] for answer in verification.constants} == {common}
    assert line["constant"] == np.mean([truth["label"] == common for truth in verification.truths])


def test_the_split_is_the_one_asked_for(trained):
    assert set(again(trained, split="test").found["split"]) == {"test"}
    table = trained[1].assign(split="train")
    with pytest.raises(ValueError, match="the test split of toy/smoke is empty"):
        scores.verify(toy.job(), trained[2], table, progress=False)


def test_pictures_are_chosen_by_name_range_chance_and_rank(trained):
    names = trained[1]["image"].tolist()
    of = lambda **settings: [names[at] for at in scores.choose(again(trained, split="all", **settings))]  # noqa: E731
    assert of(choose="range", range=[2, 5]) == names[2:5]
    assert of(choose="names", names=[names[7]]) == [names[7]]
    assert of(choose="random", number=4) == of(choose="random", number=4)
    worst = again(trained, split="all", choose="worst", number=3)
    right = worst.found["right"]
    assert right[scores.choose(worst)].max() <= right.drop(scores.choose(worst)).min()
    with pytest.raises(ValueError, match="nobody.jpg"):
        of(choose="names", names=["nobody.jpg"])
    with pytest.raises(ValueError, match="there are 24"):
        of(choose="range", range=[30, 40])


def test_every_figure_is_drawn(trained, verification):
    job, table, record = trained
    drawn = [figures.labels(job, table), figures.distribution(job, table), figures.sizes(table),
             figures.seen(job, table), figures.learning(fitting.history(record)), figures.comparison(verification),
             figures.shares(verification), figures.answers(verification, scores.choose(verification)),
             figures.examples(job, dataset.prepare(job, table, progress=False))]
    for figure in drawn:
        record.keep(figure, "figure")
        assert record.path("figures", "figure.png").stat().st_size > 3000


def test_numbers_of_a_whole_set_stand_beside_the_constant_answers(trained):
    job, table, record = trained
    whole = toy.Whole(job.params, job.profile, job.run)
    found = scores.verify(whole, record, table, progress=False).scores.set_index("score")
    reds = found.loc["reds"]
    assert 0 <= reds["low"] <= reds["mean"] <= reds["high"] <= 1 and reds["low"] < reds["high"]
    assert reds["constant"] in (0, 1)
    assert np.isfinite(list(scores.numbers(scores.verify(whole, record, table, progress=False)).values())[0])


def test_charts_are_drawn_and_studies_only_when_asked(trained, monkeypatch):
    job, table, record = trained
    for asked in (False, True):
        settings = toy.job(job.run, verify={"split": "all", "studies": asked}).params
        verification = scores.verify(toy.Whole(settings, job.profile, job.run), record, table, progress=False)
        monkeypatch.setattr("lib.data.ingest.read_labels", lambda job: table)
        assert record.keep_all(figures.charts(verification)) == ["answers"]
        assert record.keep_all(scores.studies(verification, record)) == (["pictures"] if asked else [])
    assert record.path("figures", "pictures.png").is_file() and record.path("figures", "answers.png").is_file()
