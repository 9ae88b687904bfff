"""Scores beside the constant answer, and the pictures one chooses to look at."""

import numpy as np
import pytest
import toy

from lib import training
from lib.common import config
from lib.data import dataset
from lib.evaluation import figures, scores, viewer
from lib.training import fitting


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A toy job with its table and a run that has learned its colours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COREBOX_HOME", str(tmp_path_factory.mktemp("home")))
        toy.known(patch)
        job = toy.job(verify={"split": "all"}, training={"epochs": 60, "learning_rate": 0.03})
        table = toy.gathered(job)
        record = fitting.fit(job, dataset.prepare(job, table, progress=False), progress=False)
        yield job, table, record


@pytest.fixture
def verification(trained):
    job, table, record = trained
    return scores.evaluate(job, record, table, progress=False)


def again(trained, **settings):
    job, table, record = trained
    return scores.evaluate(toy.job(job.run, verify=settings), record, table, progress=False)


def test_the_model_stands_beside_the_constant_answer(trained, verification):
    line = verification.scores.iloc[0]
    assert line["score"] == "right" and line["pictures"] == 8
    assert line["mean"] > line["constant"]
    assert line["low"] <= line["mean"] <= line["high"]
    assert (line["unit"], line["better"]) == ("share of the pictures", "high")
    labels = trained[1].query("split == 'train'")["label"].tolist()
    common = max(sorted(set(labels)), key=labels.count)
    assert {answer["label"] for answer in verification.constants} == {common}
    assert line["constant"] == np.mean([truth["label"] == common for truth in verification.truths])


def test_scores_are_said_in_words_with_unit_direction_and_the_constant_answer(trained, verification):
    job, _, record = trained
    record.keep_table(verification.scores, "scores")
    head, line = scores.in_words(job, record).splitlines()
    assert head == f"{record} of toy/smoke on 8 pictures that it has not learned from:"
    assert line.startswith("  right answers: ") and " (share of the pictures; higher is better; constant answer: 0." in line
    names = scores.numbers(verification)
    assert list(names) == [f"right answers: share of the pictures{tail}" for tail in ("", " - median", " - constant answer")]


def test_the_split_is_the_one_asked_for(trained):
    assert set(again(trained, split="test").found["split"]) == {"test"}
    assert set(again(trained, split="all").found["split"]) == {"test", "validation"}
    table = trained[1].assign(split="train")
    with pytest.raises(ValueError, match="the test split of toy/smoke holds nothing to score; set verify.split"):
        scores.evaluate(toy.job(), trained[2], table, progress=False)
    with pytest.raises(config.ConfigError, match="verify.split is 'train'"):
        toy.job(verify={"split": "train"})


def test_what_the_run_has_learned_from_is_never_scored_however_the_labels_are_split_now(trained):
    job, table, record = trained
    before = scores.evaluate(job, record, table, progress=False)
    learned = table.index[table["split"] == "train"]
    moved = table.copy()
    moved.loc[learned[:4], "split"] = "test"
    after = scores.evaluate(job, record, moved, progress=False)
    assert [row["image"] for row in after.rows] == [row["image"] for row in before.rows] and after.left_out == 4
    assert after.scores.drop(columns="constant").equals(before.scores.drop(columns="constant"))
    assert "4 more are left out, for the run has learned from them" in repr(after)
    with pytest.raises(ValueError, match="holds nothing to score; run .* has learned from all of its pictures"):
        scores.evaluate(job, record, table.loc[learned].assign(split="test"), progress=False)


def test_looking_at_all_pictures_leaves_the_scores_as_they_are(trained):
    job, table, record = trained
    usual = scores.evaluate(job, record, table, progress=False)
    everything = scores.evaluate(toy.job(job.run, verify={"split": "all"}, viewer={"all": True}), record, table, progress=False)
    assert everything.scores.equals(usual.scores) and everything.found.equals(usual.found)
    assert usual.others == [] and len(everything.others) == 16
    row, truth, answer = everything.others[0]
    assert row["split"] == "train" and truth["label"] == row["label"] and "probability" in answer
    viewer.review.store(everything, record)
    items = record.read("review")["items"]
    assert [bool(item["scores"]) for item in items] == [True] * 8 + [False] * 16 and all(item["answer"] for item in items)


def test_pictures_are_chosen_by_name_range_chance_and_rank(trained):
    names = trained[1].query("split != 'train'")["image"].tolist()
    of = lambda **settings: [names[at] for at in scores.chosen(again(trained, split="all", **settings))]  # noqa: E731
    assert of(choose="range", range=[2, 5]) == names[2:5]
    assert of(choose="names", names=[names[7]]) == [names[7]]
    assert of(choose="random", number=4) == of(choose="random", number=4)
    worst = again(trained, split="all", choose="worst", number=3)
    right = worst.found["right"]
    assert right[scores.chosen(worst)].max() <= right.drop(scores.chosen(worst)).min()
    with pytest.raises(ValueError, match="nobody.jpg"):
        of(choose="names", names=["nobody.jpg"])
    with pytest.raises(ValueError, match="there are 8"):
        of(choose="range", range=[30, 40])


def test_every_figure_is_drawn(trained, verification):
    job, table, record = trained
    prepared = dataset.prepare(job, table, progress=False)
    drawn = [figures.labels(job, table), figures.distribution(job, table), figures.sizes(table),
             figures.seen(job, table), figures.learning(fitting.history(record)), figures.comparison(verification),
             figures.shares(verification), figures.answers(verification, scores.chosen(verification)),
             figures.examples(job, prepared), figures.batch(job, training.build(job), prepared),
             figures.steps(verification, record, 0)]
    for figure in drawn:
        record.keep(figure, "figure")
        assert record.path("figures", "figure.png").stat().st_size > 3000


def test_numbers_of_a_whole_set_stand_beside_the_constant_answers(trained):
    job, table, record = trained
    whole = toy.Whole(job.params, job.profile, job.run)
    found = scores.evaluate(whole, record, table, progress=False).scores.set_index("score")
    reds = found.loc["reds"]
    assert 0 <= reds["low"] <= reds["mean"] <= reds["high"] <= 1 and reds["low"] < reds["high"]
    assert reds["constant"] in (0, 1)
    assert np.isfinite(list(scores.numbers(scores.evaluate(whole, record, table, progress=False)).values())[0])


def test_charts_are_drawn_and_studies_only_when_asked(trained, monkeypatch):
    job, table, record = trained
    for asked in (False, True):
        settings = toy.job(job.run, verify={"split": "all", "studies": asked}).params
        verification = scores.evaluate(toy.Whole(settings, job.profile, job.run), record, table, progress=False)
        monkeypatch.setattr("lib.data.ingest.read_labels", lambda job: table)
        assert record.keep_all(figures.charts(verification)) == "kept in figures/: answers"
        assert record.keep_all(scores.studies(verification, record)) == (
            "kept in figures/: pictures" if asked else "No figure was asked for here.")
    assert record.path("figures", "pictures.png").is_file() and record.path("figures", "answers.png").is_file()
