"""The job `corners`: labels, geometry from picture to answer and back, training examples."""

import cv2
import numpy as np
import pytest

from lib import tasks
from lib.imaging import geometry, images, warping
from lib.storage import files
from lib.tasks import corners
from lib.tasks.contract import RejectedRow
from lib.tasks.corners import augmentation, crops, decoding

TRUE = np.array([[210.0, 120], [1050, 160], [1010, 700], [180, 640]])
SIZE = (1280, 800)


def job(**overrides):
    settings = {"model.width": 192, "model.height": 144, **{k.replace("__", "."): v for k, v in overrides.items()}}
    return tasks.job("corners", "smoke", overrides=settings)


def row(points=TRUE, **more):
    return {"image": "a.jpg", "width": SIZE[0], "height": SIZE[1], **corners.row_of(points, 3), **more}


def picture(points=TRUE, size=SIZE):
    """A white box on black, in the picture's own pixels, its border exact to a fraction of a pixel."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    cv2.fillPoly(pixels, [np.round((points - 0.5) * 16).astype(int)], (255, 255, 255), cv2.LINE_AA, 4)
    return images.Picture(pixels, size)


def seen(window):
    """The corners of the white thing in a window, in its pixels: an oracle in the coarse network's place."""
    outline, _ = cv2.findContours((window[..., 0] > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outline, key=cv2.contourArea)
    shape = cv2.approxPolyDP(outline, 6, True)[:, 0]
    return geometry.order((shape if len(shape) == 4 else cv2.boxPoints(cv2.minAreaRect(outline))) + 0.5)


def heat(found):
    """Heatmaps (36, 48, 4) with a peak at each corner."""
    ys, xs = np.mgrid[0:36, 0:48] + 0.5
    return np.stack([-((xs - 48 * x) ** 2 + (ys - 36 * y) ** 2) / 2 for x, y in found], -1)


def coarse(error=0.0):
    def network(batch):
        found = [np.c_[(seen(window) + error) / (192, 144), np.full(4, 0.01)] for window in batch]
        rows = np.r_[np.ones(3), np.zeros(6)]
        return {"corners": np.array(found), "rows": np.array([rows] * len(batch)),
                "heat": np.array([heat(each[:, :2]) for each in found]), "edges": np.zeros((len(batch), 36, 48, 4)),
                "kind": np.array([[0.96, 0.01, 0.01, 0.01, 0.01]] * len(batch))}
    return network


def sides(batch):
    """An oracle in the place of the sides' network: where each strip turns from black to white, near both ends."""
    lines = []
    for strip in batch:
        at = [((strip[:, x, 0] < 127).sum() + 0.0) for x in (40, 120)]
        slope = (at[1] - at[0]) / 80
        ends = [at[0] + slope * (x - 40.5) for x in (16, 144)]
        lines.append([*(np.array(ends) / 24 - 1), 0.01, -5.0])
    return {"line": np.array(lines)}


# --- labels


def test_corners_are_put_in_order_and_that_is_said():
    mixed = job().check(row(TRUE[[2, 0, 3, 1]]))
    assert np.array_equal(corners.points(mixed), TRUE) and mixed["reordered"]
    assert not job().check(row())["reordered"]


@pytest.mark.parametrize("name, value, reason", [
    ("p2x", float("nan"), "missing"), ("p2x", None, "missing"), ("p2x", "", "missing"), ("p2x", "left", "not a number"),
    ("p2x", float("inf"), "not a number"), ("p2x", 1400.0, "outside"), ("p1y", -60.0, "outside"),
    ("p3x", 300.0, "not convex"), ("row_nb", 0, "row count"), ("row_nb", 21, "row count"), ("row_nb", 2.5, "row count"),
    ("row_nb", None, "row count"), ("row_nb", float("nan"), "row count")])
def test_a_row_that_cannot_be_used_is_refused_with_its_reason(name, value, reason):
    bad = row()
    bad[name] = value
    if name == "p3x":
        bad["p3y"] = 300.0
    with pytest.raises(RejectedRow, match=reason):
        job().check(bad)


def test_four_times_the_same_point_is_no_box():
    with pytest.raises(RejectedRow):
        job().check(row(np.full((4, 2), 300.0)))


def test_corners_a_little_outside_are_taken_unless_told_otherwise():
    outside = row(TRUE - [200, 0])
    assert corners.points(job().check(outside))[3, 0] == -20
    with pytest.raises(RejectedRow, match="outside"):
        job(data__allow_outside=False).check(outside)


def test_numbers_may_come_as_text():
    assert job().check({**row(), "p1x": "210.0", "row_nb": "3"})["row_nb"] == 3


def test_mode_8_knows_no_rows():
    eight = job(corners__predictor_mode=8)
    assert "row_nb" not in eight.columns and "row_nb" not in eight.truth(row())
    assert "row_nb" not in eight.decode(eight.encode(row()), SIZE)


# --- from picture to network and back


@pytest.mark.parametrize("size", [(640, 480), (4000, 900), (900, 4000), (200, 3000)])
@pytest.mark.parametrize("head", ["heatmap", "cascade"])
def test_decode_undoes_encode_also_outside_the_picture(size, head):
    points = np.array([[-0.02, 0.02], [1.01, 0.0], [0.98, 1.02], [0.03, 0.9]]) * size
    label = {"width": size[0], "height": size[1], **corners.row_of(points, 7)}
    found = job(corners__head=head).decode(job(corners__head=head).encode(label), size)
    assert geometry.errors(points, corners.points(found)).max() < 1e-3 * max(size) and found["row_nb"] == 7


def test_the_dense_head_speaks_the_originals_numbers():
    vector = job(corners__head="dense").encode(row())
    assert vector.shape == (9,) and vector[0] == pytest.approx(210 / 1280) and vector[8] == pytest.approx(0.3)


def test_a_wide_picture_is_not_shown_as_a_thin_stripe():
    inner = crops.frame((4000, 1000), (192, 144)).inner
    assert inner[0] / 192 > 0.8 and inner[1] / 144 > 0.4


def test_the_second_look_mends_a_coarse_first_one():
    answer = job(corners__head="heatmap").answer({"coarse": coarse()}, picture())
    assert geometry.errors(TRUE, corners.points(answer)).max() < 10  # one of the window's pixels
    assert answer["row_nb"] == 4 and answer["refused"] is None and len(answer["radius"]) == 4


def test_the_sides_reach_a_pixel_though_the_looks_are_off_by_several():
    answer = job().answer({"coarse": coarse(error=1.5), "sides": sides}, picture())
    assert geometry.errors(TRUE, corners.points(answer)).max() < 2.0


def test_a_picture_decoded_at_half_scale_answers_in_full_pixels():
    full = picture()
    half = images.Picture(cv2.resize(full.pixels, (640, 400), interpolation=cv2.INTER_AREA), SIZE)
    answer = job().answer({"coarse": coarse(), "sides": sides}, half)
    assert geometry.errors(TRUE, corners.points(answer)).max() < 2.0


def test_sides_that_lead_nowhere_leave_the_corners_where_they_were():
    def wild(batch):
        return {"line": np.array([[-1, 1, 0, 0], [1, -1, 0, 0]] * (len(batch) // 2), float) * 40}

    found, _ = corners.refinement.refine(wild, [picture()] * 2, TRUE)
    assert geometry.is_convex(found) and geometry.errors(TRUE, found).max() < 200


def test_an_answer_is_plain_json(tmp_path):
    answer = job().answer({"coarse": coarse(), "sides": sides}, picture())
    files.write_json(tmp_path / "answer.json", answer)
    assert {*corners.NUMBERS, "row_nb", *corners.boxes.MEMBERS, "boxes_nb", "boxes"} == set(answer)


@pytest.mark.parametrize("kind, reason", list(corners.confidence.REFUSALS.items()))
def test_what_is_no_whole_box_is_refused_by_its_name(kind, reason):
    kinds = np.array([0.9 if name == kind else 0.025 for name in corners.confidence.KINDS])
    assert corners.judge(np.full((4, 4), 0.01), kinds, None)["refused"] == reason


def test_doubt_widens_the_radius_and_lowers_the_confidence():
    numbers = job().calibration()
    if numbers is None:
        pytest.skip("no calibration is shipped yet")
    sure = np.array([0.97, 0.01, 0.01, 0.005, 0.005])
    calm, torn = (corners.judge(np.full((4, 5), each), sure, numbers) for each in (0.001, 0.05))
    assert max(calm["radius"]) < min(torn["radius"]) and calm["confidence"] > torn["confidence"]


# --- windows


def test_a_side_lies_in_the_middle_of_its_strip_with_the_outside_on_top():
    matrix = crops.side(TRUE[0], TRUE[1], 30.0, (160, 48), 0.1)
    assert np.allclose(geometry.warp(matrix, TRUE[:2]), [[16, 24], [144, 24]])
    assert geometry.warp(matrix, TRUE.mean(0))[1] > 24


def test_a_window_of_much_reduced_stripes_is_grey_not_a_moire():
    stripes = np.zeros((1000, 1000, 3), np.uint8)
    stripes[:, ::2] = 255
    window = warping.warp(stripes, np.diag([0.07, 0.31, 1.0]), (70, 310))
    assert abs(window[4:-4, 4:-4].astype(float).mean() - 127) < 3 and window[4:-4, 4:-4].std() < 12


def test_a_window_beside_the_picture_is_grey():
    window = warping.warp(np.zeros((50, 60, 3), np.uint8), np.array([[0.1, 0, 900], [0, 0.1, 900], [0, 0, 1]]), (20, 10))
    assert (window == images.GREY).all()


# --- training examples


def test_unvaried_examples_show_what_the_answer_will_see():
    this = job()
    pixels, target = this.networks["coarse"].example(this.networks["coarse"].cached_image(picture(), row()), row())
    assert np.abs(seen(pixels) / (192, 144) - target["corners"][:, :2]).max() < 0.012


def test_varied_examples_keep_their_truth():
    """Whatever is done to the picture, the corners of the white box are where the target says."""
    this, apart = job(), []
    stored = this.networks["coarse"].cached_image(picture(), row())
    for seed in range(60):
        rng = np.random.default_rng(seed)
        inner = crops.frame(SIZE, this.networks["coarse"].cached_size)
        shown = stored[inner.shift[1]:inner.shift[1] + inner.inner[1], inner.shift[0]:inner.shift[0] + inner.inner[0]]
        matrix = augmentation._zoomed(inner.into(TRUE) - inner.shift, this.input_size, np.eye(3), rng)
        window = warping.warp(shown, matrix, this.input_size, (0, 0, 0))
        apart.append(np.abs(seen(window) - geometry.order(geometry.warp(matrix, inner.into(TRUE) - inner.shift))).max())
    assert np.median(apart) < 1.5


@pytest.mark.parametrize("seed", range(8))
def test_a_varied_example_is_the_same_for_the_same_seed(seed):
    this = job()
    stored = this.networks["coarse"].cached_image(picture(), row())
    (one, first), (two, second) = (this.networks["coarse"].example(stored, row(), np.random.default_rng(seed)) for _ in "ab")
    assert np.array_equal(one, two) and all(np.array_equal(first[name], second[name]) for name in first)
    assert one.shape == (144, 192, 3) and one.dtype == np.uint8 and first["corners"][:, 2].sum() >= 2


def test_a_picture_without_a_box_teaches_its_kind_alone():
    this = job()
    nothing = {"image": "b", "width": 640, "height": 480, "kind": "none", **corners.row_of(np.full((4, 2), np.nan), 0)}
    for rng in (None, np.random.default_rng(1)):
        _, target = this.networks["coarse"].example(np.zeros((288, 384, 3), np.uint8), nothing, rng)
        assert target["kind"].tolist() == [0, 1, 0, 0, 0] and target["corners"][:, 2].sum() == 0
        assert (target["rows"] == -1).all() and np.isfinite(target["corners"]).all()


def test_a_strip_shows_the_edge_where_its_target_says():
    this = job()
    stored = this.networks["sides"].cached_image(picture(), row())
    assert stored.shape == (4, 128, 320, 3)
    pixels, target = augmentation.strip_example(stored, None)
    found = sides(pixels[None])["line"][0, :2]
    assert np.abs(found - target["line"][:2]).max() < 0.06


def test_varied_strips_keep_their_truth():
    stored = job().networks["sides"].cached_image(picture(), row())
    apart = []
    for seed in range(80):
        pixels, target = augmentation.strip_example(stored, np.random.default_rng(seed))
        levels = pixels[..., 0].astype(float)
        clean = np.repeat(((levels > (levels.min() + levels.max()) / 2) * 255.0)[..., None], 3, 2)
        apart.append(np.abs(sides(clean[None])["line"][0, :2] - target["line"][:2]).max())
    assert np.median(apart) < 0.12


# --- scores


def test_the_truth_scores_perfectly_and_a_shift_by_its_length():
    this = job()
    truth = this.truth(row())
    assert this.score(truth, truth) == {"error_px": 0.0, "error": 0.0, "worst_px": 0.0, "rows_right": 1.0,
                                        "jaccard": pytest.approx(1.0, abs=1e-5)}
    moved = this.score(truth, {**truth, **corners.point_dict(TRUE + [3, 4])})
    assert moved["error_px"] == pytest.approx(5) and moved["worst_px"] == pytest.approx(5)
    assert moved["error"] == pytest.approx(500 / geometry.diagonal(TRUE))


def test_no_guess_scores_nothing_right():
    this = job()
    assert this.score(this.truth(row()), {"p1x": None, "refused": "no_box"})["jaccard"] == 0


def test_the_baseline_is_the_mean_in_parts_of_the_picture():
    rows = [row(), {**row(TRUE / 2), "width": 640, "height": 400}]
    assert np.allclose(corners.points(job().baseline(rows)((640, 400))), TRUE / 2)


def test_a_corner_that_is_far_off_is_completed_from_the_others():
    """The first guess has one corner in the box's middle; the sides' network doubts what is no edge."""
    state = {"calls": 0}

    def misled(batch):
        output = coarse()(batch)
        state["calls"] += 1
        if state["calls"] <= 2:  # the first look and the second one
            for key in ("corners", "heat"):
                output[key] = output[key].copy()
            for at in range(len(batch)):
                wrong = output["corners"][at]
                wrong[1, :2] = 0.5
                output["heat"][at] = heat(wrong[:, :2])
        return output

    def doubting(batch):
        lines = sides(batch)["line"]
        edge = np.abs(np.diff(batch[..., 0].astype(float), axis=1)).max(1).mean(1) > 60
        lines[:, 3] = np.where(edge & (np.abs(lines[:, :2]).max(1) < 1), -5.0, 0.0)
        return {"line": lines}

    answer = job().answer({"coarse": misled, "sides": doubting}, picture())
    assert state["calls"] > 2 and geometry.errors(TRUE, corners.points(answer)).max() < 3


@pytest.mark.parametrize("log_error, looks", [(-7.0, 2), (0.0, 2 + 3 + 1 + 4)])
def test_the_mirror_images_are_looked_at_only_in_doubt(log_error, looks):
    seen_of = []

    def counted(batch):
        seen_of.append(len(batch))
        return coarse()(batch)

    def expecting(batch):
        lines = sides(batch)["line"]
        return {"line": np.c_[lines[:, :3], np.full(len(lines), log_error)]}

    answer = job().answer({"coarse": counted, "sides": expecting}, picture())
    assert sum(seen_of) == looks and geometry.errors(TRUE, corners.points(answer)).max() < 3


def test_heatmaps_that_spread_are_asked_of_the_mirror_images_too():
    def unsure(batch):
        output = coarse()(batch)
        output["heat"] = output["heat"] * 0.02
        state["looks"] += len(batch)
        output["corners"] = np.array([decoding.soft_argmax(each) for each in output["heat"]])
        return output

    state = {"looks": 0}
    job(corners__head="heatmap").answer({"coarse": unsure}, picture())
    assert state["looks"] == 6


def test_shipped_weights_are_taken_and_batch_norm_is_kept_still():
    pytest.importorskip("keras")
    from lib.models import building

    if not (corners.confidence.SHIPPED / "sides.npz").is_file():
        pytest.skip("no weights are shipped yet")
    this = job(model__weights="shipped")
    network = building.build(this, "sides")
    assert this.networks["sides"].load_pretrained(network)
    assert not [weight for weight in network.trainable_weights if "norm" in weight.path]
    assert not job(model__weights="none").networks["sides"].load_pretrained(network)


def test_another_network_than_the_shipped_weights_are_of_is_refused_plainly():
    pytest.importorskip("keras")
    from lib.models import building

    if not (corners.confidence.SHIPPED / "coarse-288x216.npz").is_file():
        pytest.skip("no weights are shipped yet")
    this = job(model__weights="shipped", model__width=96, model__height=96)
    with pytest.raises(ValueError, match="another network"):
        this.networks["coarse"].load_pretrained(building.build(this, "coarse"))


@pytest.mark.parametrize("width, height", [(288, 216), (192, 144)])
def test_weights_and_calibration_ship_for_two_sizes_of_the_input(width, height):
    pytest.importorskip("keras")
    from lib.models import building

    this = job(model__weights="shipped", model__width=width, model__height=height)
    network = building.build(this, "coarse")
    assert this.networks["coarse"].load_pretrained(network) and network.input_shape[1:3] == (height, width)
    numbers = files.read_json(corners.confidence.SHIPPED / "calibration.json")[f"{width}x{height}"]
    assert this.calibration() == numbers.get("one cascade", numbers["cascade"])
    assert job(model__width=width, model__height=height, corners__boxes="all").calibration() == numbers["all cascade"]


def test_another_size_of_the_input_is_judged_by_numbers_of_one_that_ships():
    known = files.read_json(corners.confidence.SHIPPED / "calibration.json").values()
    assert job(model__width=96, model__height=96).calibration() in [each.get("one cascade", each["cascade"]) for each in known]


def test_all_that_ships_stays_small():
    assert sum(path.stat().st_size for path in corners.confidence.SHIPPED.glob("*")) < 6e6


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_networks_say_the_answer_is_plain_and_finite(seed):
    rng = np.random.default_rng(seed)
    wild = float(np.exp(rng.uniform(-3, 3)))

    def raving(batch):
        count = len(batch)
        return {"corners": rng.random((count, 4, 3)) if seed % 3 else np.full((count, 4, 3), 0.5),
                "heat": wild * rng.normal(size=(count, 36, 48, 4)), "edges": wild * rng.normal(size=(count, 36, 48, 4)),
                "rows": rng.random((count, 9)), "kind": rng.dirichlet(np.ones(5), count)}

    def lost(batch):
        return {"line": wild * rng.normal(size=(len(batch), 4))}

    size = tuple(int(each) for each in rng.integers(32, 900, 2))
    answer = job().answer({"coarse": raving, "sides": lost},
                          images.Picture(rng.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8), size))
    numbers = [*corners.points(answer).ravel(), *answer["radius"], answer["confidence"]]
    assert np.isfinite(numbers).all() and min(answer["radius"]) >= 0 and 0 <= answer["confidence"] <= 1
