"""The task tags: a tree of labels, thresholds per label, scores of a set, and the generator."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import tasks
from lib.common import config
from lib.data import dataset
from lib.synthetic import tags as yard
from lib.tasks.contract import RejectedRow
from lib.tasks.tags.thresholds import average_precision, best_cut, thresholds
from lib.tasks.tags.tree import Tree

TREE = ["thing > tool > hammer", "thing > tool > saw", "sharp > saw", "plant"]


def job(**overrides):
    return tasks.job("tags", overrides={"tags.labels": TREE, **overrides})


JOB = job()


def test_a_label_implies_all_its_parents_also_where_it_has_several():
    tree = Tree(TREE)
    assert tree.names == ("thing", "sharp", "plant", "tool", "hammer", "saw")
    assert tree.closed(["saw"]) == ["thing", "sharp", "tool", "saw"]
    assert tree.leaves(["thing", "tool", "saw", "sharp", "plant"]) == ["saw", "plant"]
    assert tree.closed([]) == []


@pytest.mark.parametrize("labels", [["a > b", "b > a"], ["a > a"], [""], ["a > > b"], ["a;b"], []])
def test_what_is_no_tree_is_refused_as_a_setting(labels):
    with pytest.raises(config.ConfigError, match="tags.labels"):
        job(**{"tags.labels": labels})


def test_a_row_gets_the_parents_of_its_labels_and_unknown_ones_are_refused():
    assert job().check({"labels": "saw; plant"})["labels"] == "thing;sharp;plant;tool;saw"
    for labels, reason in (("saw;wrench", "unknown label wrench"), ("", "no label"), (None, "no label"), (" ; ", "no label"),
                           ("x'; DROP TABLE tag_pic; --", "unknown label --")):
        with pytest.raises(RejectedRow, match=reason):
            job().check({"labels": labels})


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=6, max_size=6), st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_an_answer_never_holds_a_label_without_its_parents(chances, cuts):
    tags = JOB
    answer = tags.decode(np.stack([chances, cuts], -1), (4, 4))
    assert answer["labels"] == tags.tree.closed(answer["labels"])
    for name, above in tags.tree.above.items():
        assert all(answer["probabilities"][parent] >= answer["probabilities"][name] for parent in above)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.5, 0.5001, 0.9, 1.0])), min_size=1))
def test_the_best_cut_has_the_best_f1(pairs):
    true, chances = np.array([t for t, _ in pairs]), np.array([c for _, c in pairs], float)

    def f1(cut):
        found = chances >= cut
        return 2 * (true & found).sum() / max(1, true.sum() + found.sum())

    assert f1(best_cut(true, chances)) == pytest.approx(max(f1(cut) for cut in [*chances, 2.0]))


def test_rare_labels_share_a_threshold():
    true = np.array([[1, 1], [1, 0], [1, 0], [0, 0], [0, 0], [0, 0]])
    chances = np.array([[0.4, 0.2], [0.3, 0.1], [0.3, 0.1], [0.1, 0.1], [0.1, 0.1], [0.1, 0.1]])
    own = thresholds(true, chances, least=3)
    assert 0.1 < own[0] < 0.3 and own[1] == pytest.approx(best_cut(true.ravel(), chances.ravel()))


def test_average_precision_at_its_ends():
    assert average_precision(np.array([True, True, False]), np.array([0.9, 0.8, 0.1])) == 1
    assert average_precision(np.array([False, False, True]), np.array([0.9, 0.8, 0.1])) == pytest.approx(1 / 3)
    assert average_precision(np.array([False, True, False, True]), np.full(4, 0.5)) == 0.5  # knows nothing: the share
    assert np.isnan(average_precision(np.array([False]), np.array([0.5])))


def test_scores_of_a_set_are_perfect_for_the_truth_and_count_a_missing_answer_as_no_label():
    tags = job()
    truths = [{"labels": ["plant"]}, {"labels": ["sharp"]}]
    right = [{**truth, "probabilities": {truth["labels"][0]: 0.9}} for truth in truths]
    assert tags.set_metrics(truths, right) == {"f1_micro": 1.0, "f1_macro": 1.0, "map": 1.0}
    half = tags.set_metrics(truths, [right[0], None])
    assert half["f1_micro"] == pytest.approx(2 / 3) and half["f1_macro"] == 0.5 and 0.5 <= half["map"] < 1


def test_the_constant_answer_is_as_good_as_the_frequencies_allow():
    tags = job()
    rows = [{"labels": "plant"}] * 3 + [{"labels": "sharp"}]
    answer = tags.baseline(rows)((4, 4))
    assert answer["labels"] == ["plant"] and answer["probabilities"]["sharp"] == 0.25
    truths = [tags.truth(row) for row in rows]
    assert tags.set_metrics(truths, [answer] * 4)["map"] == pytest.approx((0.75 + 0.25) / 2)


def test_a_doubtful_label_surprises():
    tags = job()
    answer = {"probabilities": {"plant": 0.1, "sharp": 0.1}}
    assert tags.label_nll({"labels": ["plant"]}, answer) > 3 > 1 > tags.label_nll({"labels": []}, answer)
    assert tags.label_nll({"labels": ["plant"]}, {"labels": []}) is None


def test_thresholds_settled_on_validation_travel_with_the_network(tmp_path):
    from lib.models import building, saving

    tags = job(**{"model.width": 32, "model.height": 32})
    network = building.build(tags)
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 256, (12, 32, 32, 3), np.uint8)
    rows = [{"labels": "plant" if n % 2 else "thing;tool;hammer", "split": "validation"} for n in range(12)]
    tags.networks["network"].calibrate(network, dataset.Prepared(rows, {"network": stored}))
    saving.save(tags, {"network": network}, tmp_path)
    for suffix in (".keras", ".h5"):
        answers = saving.load(tmp_path / f"network{suffix}").predict(stored.astype(np.float32), verbose=0)
        true, chances, cuts = np.stack([tags.encode(row)[:, 0] for row in rows]), answers[..., 0], answers[..., 1]
        np.testing.assert_allclose(cuts, np.tile(thresholds(true, chances), (12, 1)), atol=1e-6)


def test_vgg16_builds_and_learns_as_in_the_original():
    from lib.models import building
    from lib.training import loop

    tags = job(**{"model.backbone": "VGG16", "model.weights": "none", "model.width": 32, "model.height": 32})
    network = building.build(tags)
    loop.compile_network(tags, "network", network, 1)
    before = [each.numpy() for each in network.trainable_weights]
    assert len(before) == 2 * 13 + 2   # thirteen convolutions, and the head that tells how probable labels are
    target = np.stack([tags.encode({"labels": labels}) for labels in ("plant", "thing;tool;hammer")])
    loss = network.train_on_batch(np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32), target)
    assert np.isfinite(loss)
    assert all((old != new.numpy()).any() for old, new in zip(before, network.trainable_weights, strict=True))


def test_every_thing_of_the_generator_is_a_label_and_is_seen():
    tags = tasks.job("tags")
    assert {*yard.GROUNDS, *yard.THINGS} == {name for name in tags.classes if not any(name in above for above in
                                                                                   tags.tree.above.values())}
    for thing, paint in yard.THINGS.items():
        rng = np.random.default_rng(3)
        sheet = yard.Sheet(np.full((120, 160, 3), 128, np.uint8), 2.0)
        paint(rng, sheet, 40.0, 30.0, 20.0)
        assert 0.002 < (sheet.pixels != 128).any(-1).mean() < 0.8, thing


def test_its_charts_are_drawn_and_are_those_of_the_labels(tmp_path):
    import matplotlib.pyplot as plt
    import pandas as pd

    tags = job()
    before = plt.get_fignums()
    figure, axes = plt.subplots(1, 2)
    tags.plot_labels(axes, pd.DataFrame({"labels": ["thing;tool;hammer", "thing;tool;saw;sharp", "plant"]}))
    assert [label.get_text().strip() for label in axes[0].get_yticklabels()] == ["thing", "tool", "hammer", "saw", "sharp",
                                                                                 "plant"]
    assert [bar.get_width() for bar in axes[0].patches] == [2, 2, 1, 1, 1, 1]
    plt.close(figure)
    answers = [{"labels": ["plant"], "probabilities": {"plant": 0.9, "saw": 0.2}}, None]
    drawn = tags.plot_results([{"labels": ["plant"]}, {"labels": ["saw"]}], answers)
    for name, made in drawn.items():
        made.savefig(tmp_path / f"{name}.png")
    assert set(drawn) == {"precision_recall", "calibration"} and plt.get_fignums() == before
