"""The networks that a training starts from: those of the settings, or a reader's own in their place."""

import keras
import pytest
import toy

from lib import training
from lib.data import dataset
from lib.models import saving
from lib.training import networks


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    monkeypatch.setenv("COREBOX_HOME", str(tmp_path))
    toy.known(monkeypatch)
    return dataset.prepare(toy.job(), toy.gathered(toy.job()), progress=False)


def dense(width=16, units=3, **compiled):
    """Another network than the toy's: two dense layers on the pixels."""
    keras.utils.set_random_seed(7)
    pixels = keras.Input((12, width, 3))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    network = keras.Model(pixels, keras.layers.Dense(units, "softmax")(keras.layers.Dense(5, "relu")(flat)))
    if compiled:
        network.compile(**compiled)
    return network


def test_a_given_network_is_trained_saved_and_exported_as_a_run_of_its_own(prepared):
    usual = training.fit(toy.job(), prepared, progress=False)
    own = training.fit(toy.job(), prepared, dense(), progress=False)
    assert own.name != usual.name and own.done
    kinds = [type(layer).__name__ for layer in saving.load(own.path("model", "network.keras")).layers]
    assert kinds == ["InputLayer", "Rescaling", "Flatten", "Dense", "Dense"]
    assert own.read("export/export")["parts"]["network"]["outputs"] == {"output": [3]}
    assert training.history(own)["epoch"].min() == 0, "its first weights may be good ones: they are judged too"
    assert training.fit(toy.job(), prepared, dense(), progress=False).name == own.name, "the same network is the same run"
    assert training.fit(toy.job(), prepared, {"network": dense(units=3, optimizer="sgd", loss="mean_squared_error")},
                        progress=False).name not in (own.name, usual.name)


def test_networks_as_the_settings_build_them_make_the_same_run_as_none(prepared):
    built = training.build(toy.job())
    assert training.fit(toy.job(), prepared, built, progress=False).name == training.fit(toy.job(), prepared, progress=False).name
    layers = built.layers()
    assert list(layers.columns) == ["network", "layer", "kind", "output", "weights"] and layers["output"].iloc[0] == "12 x 16 x 3"
    changed = training.build(toy.job())
    changed["network"].layers[-1].set_weights([weight + 1 for weight in changed["network"].layers[-1].get_weights()])
    assert networks.starts(toy.job(), changed)["network"].digest


def test_a_compiled_network_keeps_its_loss_and_its_optimizer(prepared):
    network = dense(optimizer=keras.optimizers.SGD(0.5), loss="mean_squared_error")
    training.fit(toy.job(), prepared, network, progress=False)
    assert isinstance(network.optimizer, keras.optimizers.SGD) and network.loss == "mean_squared_error"
    assert network.jit_compile is False, "XLA is many times slower on CPUs"


def test_a_digest_changes_with_layers_weights_and_loss_and_not_with_automatic_names():
    first, same = dense(), dense()
    assert first.layers[-1].name != same.layers[-1].name and networks.digest(first) == networks.digest(same)
    wider, compiled = dense(units=4), dense(optimizer="sgd", loss="mean_squared_error")
    moved = dense()
    moved.layers[-1].set_weights([weight + 1 for weight in moved.layers[-1].get_weights()])
    assert len({networks.digest(each) for each in (first, wider, compiled, moved)}) == 4


@pytest.mark.parametrize("given,said", [
    (lambda: dense(width=20), r"input of the network network has the shape \(None, 12, 20, 3\); it must have \(None, 12, 16, 3\)"),
    (lambda: {"coarse": dense()}, "toy has no network 'coarse'; it has network"),
    (lambda: "MobileNetV2", "the network network is a str, not a keras.Model"),
])
def test_a_network_that_does_not_fit_the_job_is_refused_before_a_run_begins(prepared, given, said):
    with pytest.raises(ValueError, match=said):
        training.fit(toy.job(), prepared, given(), progress=False)
    assert not toy.job().outputs.exists()


def test_of_several_networks_each_is_given_by_name_and_must_have_the_outputs_of_its_targets(monkeypatch):
    monkeypatch.setattr(toy.Toy, "networks", property(lambda self: dict.fromkeys(("first", "second"), toy.OnPixels(self))))
    with pytest.raises(ValueError, match="toy has the networks first, second; give them by name: {'first': network}"):
        networks.starts(toy.job(), dense())
    with pytest.raises(ValueError, match="the network first has no output 'box'; it must return a dict with box, heat"):
        networks.check_outputs("first", dense(), {"heat": None, "box": None})
