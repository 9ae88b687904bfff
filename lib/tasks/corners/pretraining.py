"""What the shipped weights of `corners` learn from, and what is fitted once they are trained: generated pictures alone."""

import numpy as np
from tqdm.auto import tqdm

from lib.common import config
from lib.imaging import geometry, images
from lib.tasks.contract import Pretrained
from lib.tasks.corners import confidence, labels, refinement

# (width, height) of the drawn pictures and how often; most are small, some large, so that strips are also seen sharp.
SIZES = {(640, 480): 0.34, (960, 720): 0.18, (960, 440): 0.12, (480, 640): 0.1, (720, 960): 0.05, (640, 640): 0.06,
         (1280, 960): 0.1, (1280, 580): 0.05}
SEED = 1_000_000         # of the first drawn training picture
CALIBRATION = 40_000_000, 1000   # seed and number of those that confidence and radius are fitted on


class CornersPretrained(Pretrained):
    """The weights that ship: those of the coarse network fit one size of its input, those of the sides' every size."""

    weights_folder = confidence.SHIPPED
    pretraining_seed = SEED

    def weights_file(self, name):
        width, height = self.task.input_size
        return self.weights_folder / (f"{name}.npz" if name == "sides" else f"{name}-{width}x{height}.npz")

    def pretraining_example(self, seed):
        scene = drawn(seed)
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
        return numbers.get(self.task.params.corners.head)


def load_shipped(task, name, network):
    """Set the shipped weights of a network where `model.weights` is "shipped"; returns whether they were set.

    ValueError where they were made for another network. Batch normalisation is frozen: a handful of pictures would
    ruin its statistics.
    """
    if task.params.model.weights != "shipped":
        return False
    path, weights = task.weights_file(name), []
    if path.is_file():
        with np.load(path, allow_pickle=False) as arrays:
            weights = [arrays[f"w{at}"].astype(np.float32) for at in range(len(arrays.files))]
    if [each.shape for each in weights] != [tuple(each.shape) for each in network.weights]:
        sizes = ", ".join(sorted(each.stem.partition("-")[2] for each in task.weights_folder.glob("coarse-*.npz")))
        raise ValueError(f"the shipped weights of {name} are of another network than model.backbone="
                         f"{task.params.model.backbone!r} at {task.input_size[0]}x{task.input_size[1]} px; there are some "
                         f"for {sizes}: set the backbone and size of one, or model.weights=none to train from scratch")
    network.set_weights(weights)
    for layer in network.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.trainable = False
    return True


def drawn(seed, shifted=False, sizes=SIZES):
    """The scene of a seed, in one of the sizes."""
    from lib.synthetic import coreboxes

    size = list(sizes)[np.random.default_rng(seed).choice(len(sizes), p=list(sizes.values()))]
    return coreboxes.draw(seed, size=size, shifted=shifted)


def row_of(scene, edge, name):
    """A scene's label as a row of training: its corners NaN where there is no box."""
    height, width = scene.pixels.shape[:2]
    return {"image": name, "width": width, "height": height, "kind": scene.kind,
            **labels.row_of(getattr(scene, edge), scene.row_nb)}


def calibrate(job, networks):
    """The numbers of `calibration.json` for the heads that these networks serve, from newly drawn pictures."""
    seed, count = CALIBRATION
    parts = {part: _function(network) for part, network in networks.items()}
    heads = {head: _with_head(job, head) for head in ("heatmap", "cascade") if head != "cascade" or "sides" in parts}
    lines = {head: [] for head in heads}
    for at in tqdm(range(count), desc="calibrate", unit="picture"):
        scene = drawn(seed + at)
        for head, this in heads.items():
            lines[head].append(_seen(this, {part: parts[part] for part in this.networks}, scene))
    return {head: confidence.calibration(*map(np.array, zip(*seen, strict=True))) for head, seen in lines.items()}


def _with_head(job, head):
    settings = job.params.plain()
    settings[job.name]["head"] = head
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
