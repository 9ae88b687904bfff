"""The contract, over every file of lib/tasks: a new task is tested unwritten."""

import json

import numpy as np
import pytest

from lib import tasks
from lib.common.config import read_file
from lib.data import dataset
from lib.evaluation import figures
from lib.imaging import images
from lib.models import building, saving
from lib.tasks.contract import Located, Reported
from lib.training import loop

SIZE = (320, 240)
EACH = pytest.mark.parametrize("name", tasks.names())


def rows(job, count=8):
    """Generated pictures and their rows, as notebook 01 leaves them."""
    made = []
    for number in range(count):
        content, row = job.sample(np.random.default_rng(number), SIZE)
        picture = images.read(content)
        made.append((picture, job.check({"image": f"{number}.jpg", "width": picture.size[0],
                                         "height": picture.size[1], "group": str(number), **row})))
    return made


@EACH
def test_a_task_is_a_file_a_class_and_a_block_of_settings(name):
    assert tasks.find(name).__name__.lower() == name
    assert name in read_file()["settings"]["tasks"]
    assert tasks.find(name).question.endswith("?")


@EACH
def test_a_sample_is_a_picture_with_its_columns_and_the_same_from_the_same_seed(name):
    job = tasks.job(name)
    (content, row), (again, same) = (job.sample(np.random.default_rng(5), SIZE) for _ in range(2))
    assert content == again and row == same
    assert images.read(content).size == SIZE
    assert set(job.columns) <= set(row)


@EACH
def test_labels_of_one_picture_are_merged_and_told_apart_again(name):
    located, (picture, row) = Located.of(tasks.job(name)), rows(tasks.job(name), 1)[0]
    assert len(located.labels_of(row)) == 1
    if not located.several:
        with pytest.raises(NotImplementedError, match=name):
            located.merge([row, row])
        return
    other = located.transform_points(row, lambda points: np.asarray(points) / 2 + picture.size)
    both = located.labels_of(located.merge([other, row]))
    assert located.overlaps(both, both) == pytest.approx(np.eye(2)) and located.labels_of(located.merge([row])) == located.labels_of(row)
    assert {tuple(each[column] for column in tasks.job(name).columns) for each in both} \
        == {tuple(each[column] for column in tasks.job(name).columns) for each in (row, other)}


@EACH
def test_what_is_prepared_is_what_the_network_takes(name):
    job = tasks.job(name)
    for picture, _ in rows(job, 3):
        prepared = job.prepare(picture)
        assert prepared.shape == (*job.input_size[::-1], 3) and prepared.dtype == np.uint8


@EACH
def test_decode_undoes_encode(name):
    job = tasks.job(name)
    for picture, row in rows(job):
        answer = job.decode(job.encode(row), picture.size)
        json.dumps(answer, allow_nan=False)
        truth = job.truth(row)
        best, found = job.score(truth, truth), job.score(truth, answer)
        for key, value in best.items():
            assert found[key] == pytest.approx(value, abs=1e-3), key


@EACH
def test_the_truth_scores_best_and_the_constant_answer_is_an_answer(name):
    job = tasks.job(name)
    made = [row for _, row in rows(job)]
    constant = job.baseline(made)
    for row in made:
        truth = job.truth(row)
        guess = job.score(truth, constant((row["width"], row["height"])))
        best = job.score(truth, truth)
        assert guess.keys() == best.keys()
        better = best[job.primary_metric.name] >= guess[job.primary_metric.name] if job.primary_metric.best == "high" \
            else best[job.primary_metric.name] <= guess[job.primary_metric.name]
        assert better and min(Reported.of(job).errors(truth, truth)) >= 0


@EACH
def test_truth_and_answer_are_drawn(name, tmp_path):
    job = tasks.job(name)
    picture, row = rows(job, 1)[0]
    plain, drawn = (figures.overlay(job, picture, truth) for truth in (None, job.truth(row)))
    for figure in (plain, drawn):
        figure.savefig(tmp_path / f"{figure is plain}.png")
    assert (tmp_path / "True.png").read_bytes() != (tmp_path / "False.png").read_bytes()


@EACH
def test_examples_of_every_part_have_one_shape(name):
    job = tasks.job(name)
    made = rows(job, 4)
    for part in job.networks:
        width, height = job.networks[part].input_size
        shapes = set()
        for number, (picture, row) in enumerate(made):
            stored = job.networks[part].cached_image(picture, row)
            for rng in (None, np.random.default_rng(number)):
                pixels, target = job.networks[part].example(stored, row, rng)
                assert pixels.shape == (height, width, 3) and pixels.dtype == np.uint8
                shapes.add(str({k: np.shape(v) for k, v in target.items()} if isinstance(target, dict)
                               else np.shape(target)))
            shapes.add(stored.shape)
        assert len(shapes) == 2


@EACH
def test_networks_are_read_back_from_both_files(name, tmp_path):
    job = tasks.job(name)
    networks = {part: building.build(job, part) for part in job.networks}
    assert saving.save(job, networks, tmp_path) == {}
    for part, network in networks.items():
        width, height = job.networks[part].input_size
        pixels = np.random.default_rng(0).integers(0, 256, (1, height, width, 3)).astype(np.float32)
        wanted = network.predict(pixels, verbose=0)
        for suffix in (".keras", ".h5"):
            found = saving.load(tmp_path / f"{part}{suffix}").predict(pixels, verbose=0)
            for key in wanted if isinstance(wanted, dict) else [...]:
                np.testing.assert_allclose(found[key], wanted[key], atol=1e-5)


@EACH
def test_eight_pictures_can_be_learned_by_heart(name, tmp_path, monkeypatch):
    monkeypatch.setenv("COREBOX_HOME", str(tmp_path))
    job = tasks.job(name, overrides={"training": {"augment": False, "epochs": 32, "batch_size": 4}, "model": {
        "weights": "none", "backbone": "small"}})
    made = rows(job)
    for _, row in made:
        row["split"] = "train"
    made = [*made, *((picture, {**row, "split": "validation"}) for picture, row in made)]
    for part in job.networks:
        stored = np.stack([job.networks[part].cached_image(picture, row) for picture, row in made])
        prepared = dataset.Prepared([row for _, row in made], {part: stored})
        from lib.storage import runs

        _, history = loop.fit_network(job, part, prepared, runs.Run(job, "heart").folder, progress=False)
        losses = [line["val_loss"] for line in history]
        # Where guesses are to be corrected, those of validation are others than those of training.
        assert min(losses) < (0.6 if job.networks[part].examples_per_image == 1 else 0.95) * losses[0], (part, losses)


@EACH
def test_every_score_says_what_it_is_in_which_unit_and_which_end_is_good(name):
    job = tasks.job(name)
    report = Reported.of(job)
    made = [row for _, row in rows(job)]
    constant, truths = job.baseline(made), [job.truth(row) for row in made]
    answers = [job.decode(job.encode(row), (row["width"], row["height"])) for row in made]
    found = set(job.score(truths[0], constant(SIZE))) | set(report.set_metrics(truths, answers))
    assert found <= set(report.scales) and report.scales[job.primary_metric.name][2] == job.primary_metric.best
    assert all(words and unit and best in ("low", "high") for words, unit, best in report.scales.values())
    assert len({scale[:2] for scale in report.scales.values()}) == len(report.scales), "told apart in the tracker"


@EACH
def test_what_networks_learn_from_and_return_is_drawn(name):
    job = tasks.job(name)
    made = rows(job, 4)
    prepared = dataset.Prepared(
        [{**row, "split": split} for (_, row), split in zip(made, ("train", "train", "train", "validation"), strict=True)],
        {part: np.stack([job.networks[part].cached_image(picture, row) for picture, row in made]) for part in job.networks})
    drawn = figures.examples(job, prepared, 3)
    assert len(drawn.axes[0].images) == 1
    label = drawn.axes[0].lines or drawn.axes[0].patches or drawn.axes[0].texts
    assert label and all(artist.get_path_effects() for artist in label), "the label stands on the picture, with a dark edge"
    targets = {part: job.networks[part].example(prepared.stored[part][3], prepared.rows[3], np.random.default_rng(0))[1]
               for part in job.networks}
    networks = {part: lambda pixels, training, part=part: _repeated(targets[part], len(pixels)) for part in job.networks}
    shown = figures.batch(job, networks, prepared)
    assert len(shown.axes) == len(networks) + sum(len(t) if isinstance(t, dict) else 1 for t in targets.values())


def _repeated(target, count):
    """A target, or each of several by name, as a batch."""
    if isinstance(target, dict):
        return {key: _repeated(value, count) for key, value in target.items()}
    return np.repeat(np.asarray(target)[None], count, 0)
