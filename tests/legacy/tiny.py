"""What the maker of the fixtures and their test share: the runs' settings, and networks of a few channels."""

import contextlib
from unittest import mock

CHANNELS = 3  # of every convolution and hidden layer that has more than LEAST of them
LEAST = {"Conv1D": 4, "Conv2D": 4, "Dense": 16}  # the heads have as few; they stay as they are
PROFILE = "smoke"
HUB = {"hub.min_examples": 50}

_BOTH = {
    "data.generate": 0,
    "data.workers": 2,
    "model.backbone": "small",
    "model.weights": "none",
    "model.width": 64,
    "model.height": 48,
    "training.batch_size": 2,
    "split.by": "group",
    "split.stratify": "",
    "split.validation_groups": ["Eastgate", "Fairview"],
    "split.test_groups": ["Granite Hill", "Highland"],
    "verify.bootstrap": 20,
    "verify.audit_folds": 0,
    "verify.decimals": 3,
}
SETTINGS = {
    "corners": {
        **_BOTH,
        "training.epochs": 30,
        "training.learning_rate": 0.02,
        "corners.head": "cascade",
        "training.schedule": "cosine",
    },
    "bins": {
        **_BOTH,
        "training.epochs": 2,
        "training.learning_rate": 0.03,
        "bins.head": "ordinal",
        "training.schedule": "cyclic",
        "training.optimizer": "adam",
    },
}
BROKEN = {"training.epochs": 3, "training.keep_every": 1}  # and those of bins: a training that was broken off


def words(task):
    """The settings of a task as words of the command line."""
    values = {key: str(value).replace("'", '"') or '""' for key, value in SETTINGS[task].items()}
    return [
        "--task",
        task,
        "--profile",
        PROFILE,
        "--set",
        *[f"{key}={value}" for key, value in values.items()],
    ]


@contextlib.contextmanager
def networks():
    """While the block lasts, networks are built with CHANNELS channels, of the same layers and names."""
    from keras import layers

    def cut(kind, least):
        return lambda count, *rest, **settings: kind(count if count <= least else CHANNELS, *rest, **settings)

    with contextlib.ExitStack() as stack:
        for name, least in LEAST.items():
            stack.enter_context(mock.patch.object(layers, name, cut(getattr(layers, name), least)))
        yield
