"""One network, epoch by epoch: what is seen of it meanwhile, and what may end it."""

import pytest
import toy

from lib import training
from lib.data import dataset
from lib.training import loop, networks


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    monkeypatch.setenv("COREBOX_HOME", str(tmp_path))
    toy.known(monkeypatch)
    return dataset.prepare(toy.job(), toy.gathered(toy.job()), progress=False)


def test_a_bar_stands_there_before_the_network_is_built(prepared, tmp_path, monkeypatch, capsys):
    shown, build = [], networks.building.build
    monkeypatch.setattr(networks.building, "build", lambda *given: (shown.append(capsys.readouterr().err), build(*given))[1])
    training.build(toy.job())
    loop.fit_network(toy.job(), "network", prepared, tmp_path)
    assert "start TensorFlow and build" in shown[0] and "network: start" in shown[1]
    assert "network: epoch 3 of 3: 100%" in capsys.readouterr().err


def test_the_losses_of_each_epoch_are_handed_on_and_may_end_the_training(prepared, tmp_path):
    lines = []

    def on_epoch(line):
        lines.append(line)
        if line["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.fit_network(toy.job(), "network", prepared, tmp_path, progress=False, on_epoch=on_epoch)
    assert [line["epoch"] for line in lines] == [1, 2] and all(line["val_loss"] > 0 for line in lines)
    _, history = loop.fit_network(toy.job(), "network", prepared, tmp_path, progress=False)
    assert history[:2] == lines and len(history) == 3, "it goes on after them"
