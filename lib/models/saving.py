"""Networks saved and loaded, as .keras and .h5."""

import contextlib
import logging
from pathlib import Path

from lib.storage import files

# Backbones that Keras cannot read back from .h5 (tried with Keras 3.15); for these only .keras is written.
NOT_IN_H5 = ("MobileNetV3Small", "MobileNetV3Large", "ConvNeXt")


def refuses_h5(name):
    """Why a network on this backbone is not written as .h5, or an empty text."""
    if any(name.startswith(start) for start in NOT_IN_H5):
        return f"Keras cannot read {name} back from .h5, so only .keras was written"
    return ""


def save(job, networks, folder):
    """Each part as .keras and .h5 in `folder`; a dict of part to the reason why its .h5 was left out."""
    left_out = {}
    for part, network in networks.items():
        for suffix in (".keras", ".h5"):
            reason = refuses_h5(job.networks[part].backbone) if suffix == ".h5" else ""
            if reason:
                left_out[part] = reason
                continue
            with files.writing(Path(folder) / f"{part}{suffix}") as temporary, _no_advice():
                network.save(temporary)
    return left_out


@contextlib.contextmanager
def _no_advice():
    """Without Keras' remark that .h5 is old: it is asked for."""
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def load(path):
    """A saved network, not compiled, in Keras' safe mode (no code from the file is run)."""
    import keras

    import lib.models.registered  # noqa: F401

    if not Path(path).is_file():
        raise ValueError(f"{Path(path).name} is not there; run notebook 02 first")
    return keras.saving.load_model(path, compile=False, safe_mode=True)
