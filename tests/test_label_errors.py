"""Wrong labels look improbable, and right ones do not: not even where the model fails, or a labeller has a habit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.imaging import geometry
from lib.metrics import label_errors
from lib.tasks.corners import label_errors as corner_errors

BOX = np.array([[100.0, 80], [900, 100], [880, 620], [90, 600]])


def judged(label, found=None, refined=None, radius=3.0, edges=0.5):
    """Suspicion of a label; the model's corners and those refined from the label are the label's unless said."""
    found, refined = (label if each is None else each for each in (found, refined))
    return corner_errors.moved(label, found, np.full(4, radius), refined, np.full(4, 1.0), np.full(4, edges))


def test_a_label_is_suspect_where_two_witnesses_and_its_sides_speak_against_it():
    wrong = BOX + [[40, 0], [0, 0], [0, 0], [0, 0]]
    assert judged(wrong, BOX, BOX, edges=4.0) > 1
    assert judged(BOX) < 0.2


def test_a_model_that_fails_grossly_makes_no_right_label_suspect():
    assert judged(BOX, found=BOX + 300.0, refined=BOX + 0.5) < 0.5


def test_the_farther_a_label_was_moved_the_more_suspect_it_is():
    found = [judged(BOX + [[by, by], [0, 0], [0, 0], [0, 0]], BOX, BOX, edges=3.0) for by in (0, 10, 20, 40, 80)]
    assert found == sorted(found)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_habit_is_found_and_taken_off_again(seed):
    rng = np.random.default_rng(seed)
    labels = BOX * rng.uniform(0.3, 2) + rng.normal(0, 20, (12, 4, 2))
    habit = rng.uniform(-0.02, 0.02, (4, 2))
    found = np.array([corner_errors.shifted(label, habit) for label in labels])
    usual, near = corner_errors.habit(labels, found, np.zeros(12))
    np.testing.assert_allclose(usual, habit, atol=1e-9)
    assert near == corner_errors.NEAR[0]


def test_a_few_wrong_labels_make_no_habit():
    found = np.repeat(BOX[None], 12, 0)
    labels = found.copy()
    labels[:2] += 60
    usual, _ = corner_errors.habit(labels, found, np.zeros(12))
    assert np.abs(usual).max() < 1e-9
    assert not corner_errors.habit(labels[:3], found[:3], np.zeros(3))[0].any(), "three pictures tell no habit"


def test_an_edge_at_the_label_is_no_surprise_and_one_beside_it_is():
    picture = type("P", (), {"pixels": np.zeros((700, 1000, 3), np.uint8), "size": (1000, 700)})()

    def network(offset):
        def run(batch):
            profile = np.full((len(batch), 24, 40), -4.0)
            profile[:, 12 + offset] = profile[:, 11 + offset] = 4.0
            return {"profile": profile}
        return run

    at, beside = (corner_errors.surprise_at(network(offset), (picture, picture), geometry.order(BOX), 0.0025) for offset in (0, 6))
    assert at.shape == (4,) and at.max() < 0.2 and beside.min() > 4


def chances(labels, right=0.8):
    """Probabilities of three classes that give a label so much."""
    table = np.full((len(labels), 3), (1 - right) / 2)
    table[np.arange(len(labels)), labels] = right
    return table


def test_confident_learning_puts_flipped_labels_first_and_leaves_hard_ones():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 300)
    table = chances(true) + rng.normal(0, 0.05, (300, 3))
    hard = rng.choice(300, 30, replace=False)
    table[hard] = 1 / 3 + rng.normal(0, 0.01, (30, 3))     # the model does not know
    wrong = rng.choice(np.setdiff1d(np.arange(300), hard), 15, replace=False)
    labels = true.copy()
    labels[wrong] = (true[wrong] + 1) % 3
    found = label_errors.confident(labels, table)
    assert set(np.argsort(-found)[:15]) == set(wrong)
    assert (found[wrong] > 1).all() and (found[np.setdiff1d(np.arange(300), [*wrong, *hard])] <= 1).all()


def test_a_rare_class_is_believed_at_a_lower_chance():
    labels = np.array([0] * 40 + [1] * 4 + [0])
    table = np.array([[0.9, 0.1]] * 40 + [[0.7, 0.3]] * 4 + [[0.6, 0.4]])   # the last is as much of class 1 as those of it
    assert (label_errors.confident(labels, table)[:40] <= 1).all() and label_errors.confident(labels, table)[-1] > 1


def test_a_class_that_nobody_labelled_is_nobodys_suspect():
    found = label_errors.confident([0, 0, 1], [[0.1, 0.1, 0.8], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    assert (found <= 1).all() and found[0] == pytest.approx(1.0)
