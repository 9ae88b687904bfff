"""Scores of the boxes of an answer: the one that stands for the picture, and all of them."""

import numpy as np
import pytest

from lib import tasks
from lib.tasks.contract import Auditable, Reported, Reviewable
from lib.tasks.corners import boxes, scoring
from lib.tasks.corners.labels import boxes_of, point_dict, points

SIZE = (400, 300)
SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
UPPER, LOWER = SQUARE * (200, 80) + (20, 20), SQUARE * (200, 80) + (20, 110)


@pytest.fixture(scope="module")
def job():
    return tasks.job("corners", "smoke")


def row(*corners, rows=3):
    """A prepared row of a picture with boxes of 3, 4 … rows."""
    labels = [{"row_nb": rows + at, **point_dict(each)} for at, each in enumerate(corners)]
    return {"image": "a.jpg", "width": SIZE[0], "height": SIZE[1], **labels[0], **({"boxes": labels} if len(labels) > 1 else {})}


def found(corners, rows=3, confidence=0.9, **more):
    return {**point_dict(corners), "row_nb": rows, "rows_run": "horizontal", "confidence": confidence,
            "radius": [4.0] * 4, "cut": False, "refused": None, **more}


def answer(*members):
    return boxes.answer_of(list(members))


def metrics(job, *pairs):
    return Reported.of(job).set_metrics(*map(list, zip(*pairs, strict=True)))


def test_a_truth_has_the_shape_of_an_answer(job):
    truth = job.truth(row(UPPER, LOWER))
    assert truth["boxes_nb"] == 2 and [each["row_nb"] for each in truth["boxes"]] == [3, 4]
    assert (points(truth) == UPPER).all() and truth["row_nb"] == 3 and truth["cut"] is False
    one = job.truth(row(UPPER))
    assert one["boxes_nb"] == 1 and boxes_of(one) == one["boxes"] and (points(one["boxes"][0]) == UPPER).all()


def test_a_box_reaches_out_of_the_picture_or_does_not(job):
    assert job.truth(row(UPPER - (25, 0)))["cut"] and not job.truth(row(UPPER - (21, 0)))["cut"]


def test_the_box_that_stands_for_the_picture_is_compared_with_its_own_label(job):
    truth = job.truth(row(UPPER, LOWER))
    scores = job.score(truth, answer(found(UPPER, confidence=0.6), found(LOWER + (0, 3), 4, confidence=0.9)))
    assert scores["error_px"] == pytest.approx(3) and scores["rows_right"] == 1
    far = job.score(truth, answer(found(LOWER + (0, 300))))
    assert far["jaccard"] == 0 and far["error_px"] == pytest.approx(300)
    assert Reported.of(job).errors(truth, answer(found(LOWER, 4))) == [0, 0, 0, 0]


def test_every_box_counts_once_in_recall_and_precision(job):
    both, good = row(UPPER, LOWER), (found(UPPER, 3), found(LOWER, 4))
    perfect = metrics(job, (job.truth(both), answer(*good)))
    assert perfect == {"recall": 1, "precision": 1, "found_error": 0, "found_rows": 1, "cut_right": 1}
    hull = np.array([UPPER[0], UPPER[1], LOWER[2], LOWER[3]])
    assert metrics(job, (job.truth(both), answer(found(hull))))["recall"] == 0, "two boxes as one are none of them"
    mixed = metrics(job, (job.truth(both), answer(*good)), (job.truth(row(UPPER)), answer(found(LOWER), found(UPPER, 5))))
    assert mixed["recall"] == 1 and mixed["precision"] == 0.75 and mixed["found_rows"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("lost", [{"confidence": 0.3}, {"refused": "blurred"}])
def test_a_box_that_is_refused_or_unsure_is_not_found(job, lost):
    scores = metrics(job, (job.truth(row(UPPER, LOWER)), answer(found(UPPER), found(LOWER, 4, **lost))))
    assert scores["recall"] == 0.5 and scores["precision"] == 1


def test_a_picture_without_an_answer_finds_nothing(job):
    for nothing in (None, answer(), {"p1x": None, "refused": "no_box"}):
        scores = metrics(job, (job.truth(row(UPPER)), nothing))
        assert scores["recall"] == 0 and np.isnan(scores["precision"]) and np.isnan(scores["found_error"])


def test_cut_boxes_are_found_by_what_the_picture_shows_of_them_and_their_errors_are_not_counted(job):
    out = SQUARE * (300, 100) + (200, 20)
    truth, short = job.truth(row(out)), found(SQUARE * (230, 100) + (200, 20), cut=True)
    assert metrics(job, (truth, answer(short)))["recall"] == 1
    assert metrics(job, (truth, answer(short)))["cut_right"] == 1 and np.isnan(metrics(job, (truth, answer(short)))["found_error"])
    assert metrics(job, (truth, answer({**short, "cut": False})))["cut_right"] == 0


def test_the_constant_answer_and_old_answers_of_one_box_are_scored_too(job):
    truth = job.truth(row(UPPER))
    assert metrics(job, (truth, job.baseline([row(UPPER)])(SIZE)))["recall"] == 1
    assert metrics(job, ({**point_dict(UPPER), "row_nb": 3}, {**point_dict(UPPER), "row_nb": 3}))["precision"] == 1


def test_in_mode_8_rows_are_no_score():
    eight = tasks.job("corners", "smoke", overrides={"corners.predictor_mode": 8})
    truth = eight.truth(row(UPPER, LOWER))
    assert "row_nb" not in truth and "row_nb" not in truth["boxes"][0]
    assert "found_rows" not in metrics(eight, (truth, boxes.answer_of([], counts=False)))


def test_every_score_has_its_words(job):
    pair = job.truth(row(UPPER)), answer(found(UPPER))
    assert {*job.score(*pair), *metrics(job, pair)} == set(Reported.of(job).scales)


# --- suspicion


def test_the_worst_of_several_labels_makes_a_picture_suspect(job):
    review, both = Reviewable.of(job), row(UPPER, LOWER)
    assert review.label_nll(job.truth(both), answer(found(UPPER + (0, 2)), found(LOWER + (0, 6)))) == pytest.approx(1.5)


@pytest.mark.parametrize("label, members", [
    ((UPPER, LOWER), (found(UPPER),)), ((UPPER,), (found(UPPER), found(LOWER))), ((UPPER, LOWER), ())])
def test_a_box_without_a_label_and_a_label_without_a_box_are_suspect(job, label, members):
    assert Reviewable.of(job).label_nll(job.truth(row(*label)), answer(*members)) > 1


def test_an_unsure_box_more_is_no_reason_to_suspect_a_label(job):
    assert Reviewable.of(job).label_nll(job.truth(row(UPPER)), answer(found(UPPER), found(LOWER, confidence=0.2))) < 1


def test_the_least_sure_box_makes_an_answer_unsure(job):
    assert Reviewable.of(job).uncertainty(answer(found(UPPER), found(LOWER, confidence=0.2))) == pytest.approx(0.8)
    assert Reviewable.of(job).uncertainty(answer(found(UPPER))) == pytest.approx(0.1)


def test_nearest_is_the_true_box_with_the_most_overlap(job):
    truth = job.truth(row(UPPER, LOWER))
    assert scoring.nearest(truth, answer(found(LOWER + 5)))["row_nb"] == 4


def seen(corners, edges):
    """What the sides' network says at a label: an edge there (`edges` small) or none."""
    corners = np.asarray(corners, float)
    return {"label": corners.tolist(), "refined": corners.tolist(), "expected": [0.5] * 4, "edges": [edges] * 4}


def test_the_audit_judges_each_box_and_the_worst_makes_the_picture_suspect(job):
    audit, truth = Auditable.of(job), job.truth(row(UPPER, LOWER + (0, 12)))
    moved = answer(found(UPPER), found(LOWER))
    lower = {**seen(LOWER + (0, 12), 6.0), "refined": LOWER.tolist()}
    suspicion, = audit.label_errors([truth], [moved], [[seen(UPPER, 1.0), lower]])
    assert suspicion > 1
    fine, = audit.label_errors([job.truth(row(UPPER, LOWER))], [moved], [[seen(UPPER, 1.0), seen(LOWER, 1.0)]])
    assert fine < 1
    missed, = audit.label_errors([job.truth(row(UPPER, LOWER))], [answer(found(UPPER))], [[seen(UPPER, 1.0)]])
    assert missed > 1
    assert audit.label_errors([truth], [None], [None]) == [None]


def test_the_labellers_bias_is_that_of_all_boxes(job):
    pairs = [(job.truth(row(UPPER + (0, 2), LOWER + (0, 2))), answer(found(UPPER), found(LOWER)))] * 4
    usual = np.array(Auditable.of(job).label_bias(*map(list, zip(*pairs, strict=True)))["usual"])
    assert np.abs(usual).max() == pytest.approx(2 / np.hypot(200, 80), rel=0.01), "eight boxes are enough for a bias"


# --- tables and figures


def test_a_table_of_answers_names_no_lists_of_boxes(job):
    from lib.evaluation import scores

    truth = job.truth(row(UPPER, LOWER))
    line = scores.line(job, row(UPPER, LOWER) | {"split": "test"}, truth, answer(found(UPPER), found(LOWER, 4)), job.baseline([row(UPPER)])(SIZE))
    assert line["truth_boxes_nb"] == line["answer_boxes_nb"] == 2 and not {"truth_boxes", "answer_boxes"} & set(line)


def test_labels_are_plotted_box_by_box(job):
    import json

    import pandas as pd
    from matplotlib.figure import Figure

    several = row(UPPER, LOWER)
    table = pd.DataFrame([row(UPPER) | {"boxes": ""}, several | {"boxes": json.dumps(several["boxes"])}])
    axes = Figure().subplots(1, 2)
    Reported.of(job).plot_labels(axes, table)
    assert [len(each.get_offsets()) for each in axes[0].collections] == [3] * 4
    assert [bar.get_height() for bar in axes[1].patches] == [2, 1] and axes[1].get_ylabel() == "boxes"
