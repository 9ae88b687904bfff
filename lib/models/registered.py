"""Every layer, loss and schedule of ours, registered with Keras: what must be imported before a saved network is loaded.

    import keras
    import lib.models.registered
    network = keras.models.load_model("network.keras")

They are found by the names of their modules, so that this room need not know the tasks.
"""

import importlib
from pathlib import Path

import lib

ROOT = Path(lib.__file__).parent
MODULES = ("layers", "losses", "schedules")

for path in sorted(path for name in MODULES for path in ROOT.rglob(f"{name}.py")):
    importlib.import_module(".".join(("lib", *path.relative_to(ROOT).with_suffix("").parts)))
