"""Networks of every task, as training saves them, open with plain Keras after one import, ready to train on."""

import json
import subprocess
import sys

import numpy as np
import pytest

from lib import tasks
from lib.imaging import images
from lib.models import building, saving
from lib.training import loop

OTHERS = {"corners": {"corners.head": "dense", "training.loss": "wing", "training.schedule": "cyclic"}}
OPENED = """
import json, sys
import numpy as np, keras
import lib.models.registered
for path in sys.argv[1:]:
    network = keras.models.load_model(path)
    network.run_eagerly = True   # one batch is not worth a graph
    with np.load(path.replace(".keras", ".npz")) as arrays:
        targets = {name[2:]: arrays[name] for name in arrays if name.startswith("t_")}
        loss = network.evaluate(arrays["pixels"], targets.get("", targets), verbose=0)
    print(json.dumps([path, float(np.ravel(loss)[0])]))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The files of compiled networks of every task, each with its loss on two pictures: {path: loss}."""
    import keras

    folder, losses = tmp_path_factory.mktemp("saved"), {}
    for task, more in [*((name, {}) for name in tasks.names()), *OTHERS.items()]:
        job = tasks.job(task, "smoke", overrides={"model.width": 64, "model.height": 64, "model.weights": "none", **more})
        where = folder / f"{task}-{len(losses)}"
        where.mkdir()
        networks = {part: building.build(job, part) for part in job.networks}
        drawn = [job.sample(np.random.default_rng(seed), (256, 192)) for seed in range(2)]
        for part, network in networks.items():
            loop.compile_network(job, part, network, 10)
            network.run_eagerly = True
            pictures = [(images.read(content), job.check({"image": "", "width": 256, "height": 192, **row})) for content, row in drawn]
            pixels, targets = zip(*(job.networks[part].example(job.networks[part].cached_image(picture, row), row) for picture, row in pictures), strict=True)
            targets = {name: np.stack([each[name] for each in targets]) for name in targets[0]} if isinstance(targets[0], dict) else {"": np.stack(targets)}
            pixels = np.float32(pixels)
            losses[str(where / f"{part}.keras")] = float(np.ravel(network.evaluate(pixels, targets.get("", targets), verbose=0))[0])
            np.savez(where / f"{part}.npz", pixels=pixels, **{f"t_{name}": each for name, each in targets.items()})
        saving.save(job, networks, where)
        keras.backend.clear_session()
    return losses


def test_networks_of_every_task_open_with_plain_keras_and_their_losses(saved):
    done = subprocess.run([sys.executable, "-c", OPENED, *saved], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert dict(map(json.loads, done.stdout.splitlines()[-len(saved):])) == pytest.approx(saved, rel=1e-4)
