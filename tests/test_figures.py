"""What figures must show: units, directions, names of corners; texts that are readable, inside, and do not collide."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lib import tasks
from lib.evaluation import figures, scores
from lib.evaluation.figures import canvas
from lib.imaging import images

SIZE = (640, 480)
EDGE = {"p1x": 0.0, "p1y": 0.0, "p2x": 640.0, "p2y": 2.0, "p3x": 638.0, "p3y": 480.0, "p4x": 1.0, "p4y": 479.0, "row_nb": 4}


@pytest.fixture
def job():
    return tasks.job("corners", "smoke")


@pytest.fixture
def picture():
    return images.Picture(np.full((*SIZE[::-1], 3), 255, np.uint8), SIZE)


@pytest.fixture
def evaluation(job, picture, monkeypatch):
    """An Evaluation of nine answers, of which each is a little worse than the one before, to pictures with long names."""
    monkeypatch.setattr("lib.evaluation.figures.evaluations.small", lambda job, row: picture)
    rows = [{"image": f"{'x' * 60}-{number}.jpg", "group": "h", "split": "test", "width": 640, "height": 480}
            for number in range(9)]
    truths = [EDGE] * len(rows)
    answers = [{**EDGE, "p1x": 0.05 * 2.0**number, "model": "m"} for number in range(len(rows))]
    constants = [{**EDGE, "p1x": 300.0, "p3x": 400.0}] * len(rows)
    found = pd.DataFrame([scores.line(job, *each) for each in zip(rows, truths, answers, constants, strict=True)])
    found["rank"] = found["error"].rank(method="first", ascending=False).astype(int)
    table = scores.means(job, found, list(job.score(EDGE, answers[0])))
    return scores.Evaluation(job, found, rows, truths, answers, constants, table, scores.by_group(found, ["error"]))


def test_scores_are_drawn_with_their_unit_and_the_end_that_is_good(evaluation):
    axes = figures.comparison(evaluation).axes
    said = {ax.get_title(): ax.get_ylabel() for ax in axes if ax.get_title()}
    assert said["mean corner error\nlower is better"] in ("px", "% of the diagonal")
    assert said["row counts right\nhigher is better"] == "share of the pictures"


def test_errors_that_differ_by_magnitudes_are_drawn_on_a_log_axis(evaluation):
    ax = figures.shares(evaluation).axes[0]
    assert ax.get_xscale() == "log" and "lower is better" in ax.get_xlabel()
    lines = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert set(lines) == {"model", "constant answer"} and all(y[-1] == 1 for y in lines.values())


@pytest.mark.parametrize("columns", [3, 6])
def test_titles_of_pictures_beside_each_other_do_not_collide(evaluation, columns):
    figure = figures.answers(evaluation, range(9), columns)
    figure.draw_without_rendering()
    boxes = [ax.title if ax.title.get_text() else ax._left_title for ax in figure.axes[:9]]
    boxes = [text.get_window_extent() for text in boxes]
    for at, box in enumerate(boxes):
        assert box.width > 0 and not any(box.overlaps(other) for other in boxes[at + 1:])


def test_texts_on_a_picture_are_outlined_and_stay_inside_its_frame(job, picture):
    figure = figures.overlay(job, picture, EDGE, EDGE)
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.texts][:4] == ["TL", "TR", "BR", "BL"]
    figure.draw_without_rendering()
    frame = ax.get_window_extent()
    for text in ax.texts:
        inside = text.get_window_extent()
        assert frame.x0 <= inside.x0 and inside.x1 <= frame.x1 and frame.y0 <= inside.y0 and inside.y1 <= frame.y1, text
    assert all(artist.get_path_effects() for artist in (*ax.texts, *ax.lines))


def test_the_corners_of_a_label_are_named_where_they_lie(job):
    table = pd.DataFrame([{**EDGE, "width": 640, "height": 480}])
    legend = figures.distribution(job, table).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["TL", "TR", "BR", "BL"]


def test_maps_take_the_shape_of_their_input_and_numbers_become_bars():
    from lib.evaluation.figures import outputs

    figure, found = canvas.axes(1, 2, 6, 3)
    outputs.draw(found[0, 0], np.random.default_rng(0).random((12, 16, 4)), np.zeros((96, 128, 3)))
    outputs.draw(found[0, 1], np.array([0.2, 0.5, 0.3]), np.zeros((96, 128, 3)))
    assert found[0, 0].images[0].get_array().shape == (12, 16) and len(found[0, 1].patches) == 3
    assert outputs.maps({"heat": np.zeros((9, 9, 2)), "corners": np.zeros((4, 3)), "kind": np.zeros(5)}) == ["heat"]


def test_each_call_of_a_network_is_shown_before_the_answer(job, picture, monkeypatch, evaluation):
    from lib.evaluation.figures import outputs

    def answer(parts, picture):
        parts["coarse"](np.zeros((1, 24, 32, 3), np.uint8))
        parts["sides"](np.zeros((4, 12, 40, 3), np.uint8))
        return {**EDGE, "p1x": 3.0}

    predictor = SimpleNamespace(parts={"coarse": lambda pixels: {"heat": np.zeros((1, 12, 16, 4)), "kind": np.ones((1, 5))},
                                       "sides": lambda pixels: {"line": np.zeros((4, 3))}})
    monkeypatch.setattr(outputs.prediction, "load", lambda *_: predictor)
    monkeypatch.setattr(outputs.dataset, "read_picture", lambda *_: picture)
    monkeypatch.setattr(outputs, "small", lambda *_: picture)
    monkeypatch.setattr(job, "answer", answer)
    monkeypatch.setattr(job, "decode", lambda output, size: {**EDGE, "p1x": 9.0, "seen": sorted(output)})
    figure = figures.steps(evaluation, SimpleNamespace(path=lambda *_: None), 0)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert [title for title in titles if title] == ["1. coarse", "heat", "kind", "2. sides, 4 pictures", "line",
                                                    "read from call 1 (coarse)", "the answer, after 2 calls"]


def test_several_boxes_are_numbered_and_one_is_not(job):
    from matplotlib.figure import Figure

    upper = {f"p{n + 1}{axis}": float(value) for n, point in enumerate([(10, 10), (90, 10), (90, 40), (10, 40)])
             for axis, value in zip("xy", point, strict=True)}
    lower = {name: value + 40 * name.endswith("y") for name, value in upper.items()}

    def drawn(*boxes):
        axes = Figure().subplots()
        axes.imshow(np.zeros((100, 100, 3), np.uint8))
        job.draw(axes, {**boxes[0], "boxes": list(boxes)}, "red")
        return [line.get_xydata()[2].tolist() for line in axes.lines], [text.get_text() for text in axes.texts]

    assert drawn({**upper, "row_nb": 3}, {**lower, "row_nb": 4}) == ([[90, 40], [90, 80]], ["1: 3 rows", "2: 4 rows"])
    assert drawn({**upper, "row_nb": 3}) == ([[90, 40]], ["3 rows"])
