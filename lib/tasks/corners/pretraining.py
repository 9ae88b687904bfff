"""What the shipped weights of `corners` learn from, and what is fitted once they are trained: generated pictures alone."""

import numpy as np
from tqdm.auto import tqdm

from lib.common import config
from lib.imaging import geometry, images
from lib.tasks.contract import Pretrained
from lib.tasks.corners import confidence, finder, finding, labels, matching, refinement

# (width, height) of the drawn pictures and how often; most are small, some large, so that strips are also seen sharp.
SIZES = {(640, 480): 0.34, (960, 720): 0.18, (960, 440): 0.12, (480, 640): 0.1, (720, 960): 0.05, (640, 640): 0.06,
         (1280, 960): 0.1, (1280, 580): 0.05}
SEED = 1_000_000         # of the first drawn training picture
CALIBRATION = 40_000_000, 600    # seed and number of those that confidence and radius of one box are fitted on
CALIBRATION_OF_ALL = 41_000_000, 400   # … of every box


class CornersPretrained(Pretrained):
    """The weights that ship: those of the coarse network fit one size of its input, those of the sides' every size."""

    weights_folder = confidence.SHIPPED
    pretraining_seed = SEED

    def weights_file(self, name):
        width, height = self.task.input_size
        return self.weights_folder / (f"{name}.npz" if name in ("sides", "finder") else f"{name}-{width}x{height}.npz")

    def pretraining_example(self, seed):
        scene = drawn_wide(seed) if finder.is_used(self.task) and seed % 2 else drawn(seed)
        row = row_of(scene, self.task.params.corners.edge, f"drawn-{seed}")
        return images.Picture(scene.pixels, scene.pixels.shape[1::-1]), row

    def trains_on(self, name, row):
        """The sides' network learns from pictures of one whole box only."""
        return name != "sides" or row["kind"] == "box"

    def fit_calibration(self, networks):
        return calibrate(self.task, networks)

    def calibration(self):
        """The numbers that turn signs of doubt into radius, confidence and refusal; those of another size where it has none."""
        known = confidence.shipped()
        numbers = known.get("{}x{}".format(*self.task.input_size), next(iter(known.values()), {}))
        head, boxes = self.task.params.corners.head, self.task.params.corners.get("boxes")   # None: an export of old
        return numbers.get(f"{boxes} {head}", numbers.get(head))


def drawn(seed, shifted=False, sizes=SIZES):
    """The scene of a seed, in one of the sizes."""
    from lib.synthetic import coreboxes

    size = list(sizes)[np.random.default_rng(seed).choice(len(sizes), p=list(sizes.values()))]
    return coreboxes.draw(seed, size=size, shifted=shifted)


def drawn_wide(seed, shifted=False, sizes=SIZES):
    """The scene of a seed with any number of boxes, in one of the sizes."""
    from lib.synthetic import coreboxes

    size = list(sizes)[np.random.default_rng(seed).choice(len(sizes), p=list(sizes.values()))]
    return coreboxes.draw_wide(seed, size=size, shifted=shifted)


def row_of(scene, edge, name):
    """A scene's label as a row of training, with all its boxes: its corners NaN where there is no box."""
    height, width = scene.pixels.shape[:2]
    boxes = [{**labels.row_of(getattr(box, edge), box.row_nb), "cut": box.cut, "rows_run": box.rows_run} for box in scene.boxes]
    return {"image": name, "width": width, "height": height, "kind": scene.kind,
            **labels.row_of(getattr(scene, edge), scene.row_nb), "boxes": boxes}


def calibrate(job, networks):
    """The numbers of `calibration.json` for the heads that these networks serve, from newly drawn pictures.

    They go by which boxes are looked for and the head; a head alone is for exports from before there was a finder. Those
    of "all" come from pictures of any number of boxes, half of them of the world that
    training never shows.
    """
    parts = {part: _function(network) for part, network in networks.items()}
    heads = [head for head in ("heatmap", "cascade") if head != "cascade" or "sides" in parts]
    found = {f"one {head}": _calibrate_one(_with_head(job, head, "one"), parts) for head in heads}
    if "finder" in parts:
        found |= {f"all {head}": _calibrate_all(_with_head(job, head, "all"), parts) for head in heads}
    return found


def _calibrate_one(job, parts):
    """Of pictures of one box, whatever lies beside it."""
    seed, count = CALIBRATION
    lines = [_seen(job, {part: parts[part] for part in job.networks}, drawn(seed + at))
             for at in tqdm(range(count), desc=f"calibrate {job.params.corners.head}, one box", unit="picture")]
    return confidence.calibration(*map(np.array, zip(*lines, strict=True)))


def _calibrate_all(job, parts):
    """Of pictures of any number of boxes."""
    from lib.synthetic import coreboxes

    seed, count = CALIBRATION_OF_ALL
    boxes = []
    for at in tqdm(range(count), desc=f"calibrate {job.params.corners.head}, all boxes", unit="picture"):
        scene = coreboxes.draw_wide(seed + at, size=((640, 480), (480, 640), (960, 720))[at % 3], shifted=at % 2 == 1)
        boxes += _compared({part: parts[part] for part in job.networks}, scene, job.input_size)
    return confidence.calibration_of_boxes(*map(np.array, zip(*boxes, strict=True)))


def _compared(parts, scene, size):
    """For each box found in a scene: signs (4, s), errors (4,; NaN where it is cut or no box), evidence (e,), and whether it is right."""
    picture = images.Picture(scene.pixels, scene.pixels.shape[1::-1])
    found = finding.find(parts, picture, size)[0]
    pairs = matching.match([box.outer for box in scene.boxes], [each.corners for each in found], picture.size, confidence.OVERLAP)
    of = {j: i for i, j, _ in pairs}
    lines = []
    for at, each in enumerate(found):
        true = scene.boxes[of[at]] if at in of else None
        known = true is not None and not true.cut
        errors = geometry.errors(true.outer, each.corners) / geometry.diagonal(true.outer) if known else np.full(4, np.nan)
        lines.append((each.signs, errors, each.evidence, true is not None))
    return lines


def _with_head(job, head, boxes):
    settings = job.params.plain()
    settings[job.name] |= {"head": head, "boxes": boxes}
    return type(job)(config.Params(settings), job.profile)


def _seen(job, parts, scene):
    """Signs (4, s), errors (4,) as parts of the true diagonal (NaN where there is no whole box), P(whole box)."""
    found, signs, kinds, _ = refinement.Search(parts, images.Picture(scene.pixels, scene.pixels.shape[1::-1]), job.input_size).signs()
    truth = geometry.order(getattr(scene, job.params.corners.edge)) if scene.kind == "box" else np.full((4, 2), np.nan)
    return signs, geometry.errors(truth, found) / geometry.diagonal(truth), kinds[0]


def _function(network):
    """A network as `answer` calls it: uint8 batch in, arrays by name out."""
    import tensorflow as tf

    call = tf.function(lambda pixels: network(tf.cast(pixels, tf.float32), training=False))
    return lambda batch: {name: value.numpy() for name, value in call(batch).items()}
