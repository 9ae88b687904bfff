"""A tiny export of the task corners, as notebook 02 leaves one, for tests of all that serves exports.

Made by a process of its own, so that TensorFlow is loaded once and stays out of the tests.
"""

import os
import subprocess
import sys
from pathlib import Path

VERSION = "toy-1"


def folder(tmp_path_factory, kind="toy"):
    """The folder of the export, the same one for all tests of a session; `kind` shipped: with the weights that ship."""
    base = tmp_path_factory.getbasetemp()
    made = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / f"{kind}-export"
    from filelock import FileLock

    with FileLock(f"{made}.lock"):
        if not (made / "export.json").is_file():
            subprocess.run([sys.executable, __file__, kind, made], check=True, capture_output=True, text=True)
    return made


def shipped(folder):
    """Write the export of the cascade as it ships, untrained on anything further."""
    from lib import tasks
    from lib.models import building
    from lib.training import export

    job = tasks.job("corners", "smoke")
    folder.mkdir(parents=True)
    networks = {part: building.build(job, part) for part in job.networks}
    assert all(job.networks[part].load_pretrained(network) for part, network in networks.items())
    export.export(job, networks, folder, "shipped-1")
    add_golden_picture(folder)


def toy(folder):
    """Write the export: a network of one layer, the box in the middle, moved a little by what the picture shows."""
    import keras
    import numpy as np

    from lib import tasks
    from lib.training import export

    job = tasks.job("corners", "smoke", overrides={"corners.head": "dense", "model.width": 64, "model.height": 48})
    keras.utils.set_random_seed(1)
    at = np.array([0.2, 0.2, 0.8, 0.25, 0.75, 0.8, 0.25, 0.75, 0.4])
    pixels = keras.Input((48, 64, 3))
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(8)(keras.layers.Rescaling(1 / 255)(pixels)))
    x = keras.layers.Dense(9, activation="sigmoid", kernel_initializer=keras.initializers.RandomNormal(0, 0.05),
                           bias_initializer=keras.initializers.Constant(np.log(at / (1 - at))))(x)
    folder.mkdir(parents=True)
    export.export(job, {"coarse": keras.Model(pixels, x)}, folder, VERSION)
    add_golden_picture(folder)


def add_golden_picture(folder):
    """Add a generated picture to an export as its golden one: the truth is what the export answers."""
    import numpy as np

    from lib.serving import prediction
    from lib.storage import files

    predictor = prediction.load(folder, golden=False)
    path = folder / "golden-1.jpg"
    files.write(path, predictor.job.sample(np.random.default_rng(0), (320, 240))[0])
    answer = predictor.answer(path)
    truth = {name: answer[name] for name in predictor.job.columns}
    card = files.read_json(folder / "export.json")
    files.write_json(folder / "export.json", {**card, "golden": [
        {"file": path.name, "sha256": files.sha256(path), "truth": truth, "limit": 5.0}]})


def picture(seed=0, size=(320, 240), kind="JPEG"):
    """The bytes of a picture whose pixels are the seed's own."""
    import io

    import numpy as np
    from PIL import Image

    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize(size).save(buffer, kind, quality=95)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    globals()[sys.argv[1]](Path(sys.argv[2]))
