"""The networks that a training starts from: those of the settings, or a reader's own in their place."""

import hashlib
import json
import os
from dataclasses import dataclass

from tqdm.auto import tqdm

from lib.common import native_output
from lib.models import building


@dataclass(frozen=True)
class Start:
    """A network that is to be trained: `network`, whether it is `trained` already (its validation loss then counts as
    epoch 0), and its `digest` where it is not as the settings have it."""

    network: object
    trained: bool
    digest: str = ""

    @classmethod
    def of(cls, job, name):
        """The network `name` as the settings have it, with the weights that the task gives it."""
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")   # for what it would say in training
        with native_output.without_remarks():
            import keras

            keras.utils.set_random_seed(job.params.training.seed)
            network = building.build(job, name)
            return cls(network, job.networks[name].load_pretrained(network))


class Networks(dict):
    """The networks of a job by name. Each may be changed or replaced before training."""

    def __init__(self, starts):
        super().__init__({name: start.network for name, start in starts.items()})
        self.starts, self.digests = starts, {name: digest(network) for name, network in self.items()}

    def layers(self):
        """A pandas row for each layer: its network, name, kind, the shape of its output and its number of weights."""
        import pandas as pd

        return pd.DataFrame([{"network": name, "layer": layer.name, "kind": type(layer).__name__,
                              "output": _shape(layer.output), "weights": layer.count_params()}
                             for name, network in self.items() for layer in network.layers])


def build(job, progress=True):
    """The Networks of a job as its settings have them, ready to be looked at, changed and trained."""
    bar = tqdm(job.networks, desc="start TensorFlow and build", unit="network", disable=not progress)
    return Networks({name: Start.of(job, name) for name in bar})


def starts(job, given=None):
    """By name, the Start of each network that is given; the others are built when they are trained.

    `given` is a network, where the job has one, or a dict of them by name; ValueError where one does not fit the job.
    """
    names = list(job.networks)
    if given is None:
        return {}
    if not isinstance(given, dict):
        if len(names) > 1:
            raise ValueError(f"{job.name} has the networks {', '.join(names)}; give them by name: {{{names[0]!r}: network}}")
        given = {names[0]: given}
    if unknown := sorted(set(given) - set(names)):
        raise ValueError(f"{job.name} has no network {unknown[0]!r}; it has {', '.join(names)}")
    return {name: _start(job, name, network, given) for name, network in given.items()}


def _start(job, name, network, given):
    """The Start of a given network: that of the settings where it still is as it was built."""
    _check(job, name, network)
    mark = digest(network)
    if isinstance(given, Networks) and mark == given.digests.get(name):
        return Start(network, given.starts[name].trained)
    network.name = name
    return Start(network, True, mark)


def _check(job, name, network):
    """Refuse a network whose input is not that of the job; its outputs are looked at where its targets are known."""
    import keras

    if not isinstance(network, keras.Model):
        raise ValueError(f"the network {name} is a {type(network).__name__}, not a keras.Model")
    width, height = job.networks[name].input_size
    wanted, found = (None, height, width, 3), getattr(network, "input_shape", None)
    if found != wanted:
        raise ValueError(f"the input of the network {name} has the shape {found}; it must have {wanted}")


def check_outputs(name, network, targets):
    """Refuse a network that lacks outputs for the targets: a dict of them by name, or one."""
    found = network.output if isinstance(network.output, dict) else {}
    if missing := sorted(set(targets) - set(found)) if isinstance(targets, dict) else []:
        raise ValueError(f"the network {name} has no output {missing[0]!r}; it must return a dict with "
                         + ", ".join(sorted(targets)))


def digest(network):
    """Changes with the layers of a network, their weights, and what it was compiled with; not with automatic names."""
    config = {"network": network.get_config(), "compiled": network.get_compile_config() if network.compiled else None}
    layers = {layer.name: f"layer{n}" for n, layer in enumerate(network._flatten_layers())}
    text = json.dumps(_renamed(config, layers), sort_keys=True, default=str)
    marked = hashlib.sha256(text.encode())
    for weight in network.get_weights():
        marked.update(weight.tobytes())
    return marked.hexdigest()[:16]


def _renamed(value, names):
    """The value with the texts in `names` replaced, at any depth, keys included."""
    if isinstance(value, dict):
        return {_renamed(key, names): _renamed(each, names) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value


def _shape(outputs):
    """The shapes of one or several tensors without the batch, in words: "54 x 72 x 4"."""
    import keras

    return ", ".join(" x ".join(map(str, tensor.shape[1:])) or "1" for tensor in keras.tree.flatten(outputs))
