"""Networks: built on any backbone, saved in both forms, exported so that the API answers as Keras does."""

from types import SimpleNamespace

import numpy as np
import pytest
import toy

from lib import tasks
from lib.common import config
from lib.models import backbones, building, saving
from lib.serving import prediction
from lib.storage import files
from lib.tasks.contract import Task
from lib.training import export

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.float32)


class OnBackbone(toy.Toy):
    networks, head = Task.networks, Task.head


def job(**values):
    settings = config.resolve("toy", "smoke", {"model": {"width": 64, "height": 64, **values}}, toy.SETTINGS)
    return OnBackbone(settings, "smoke")


@pytest.mark.parametrize("name,application", [
    ("VGG19", "vgg19"), ("ResNet50", "resnet50"), ("MobileNetV2", "mobilenet_v2"), ("DenseNet121", "densenet"),
    ("EfficientNetB0", "efficientnet"), ("ResNet50V2", "resnet_v2")])
def test_pixels_are_scaled_as_the_backbone_was_trained(name, application):
    import keras

    wanted = getattr(keras.applications, application).preprocess_input(PIXELS.copy())
    pixels = keras.Input((64, 64, 3))
    scaled = keras.Model(pixels, keras.layers.Activation("linear")(backbones.scale(pixels, backbones.preprocessing(name))))
    np.testing.assert_allclose(scaled.predict(PIXELS, verbose=0), wanted, atol=1e-3)


@pytest.mark.parametrize("backbone", ["small", "MobileNetV2"])
def test_both_files_and_the_export_answer_alike(tmp_path, monkeypatch, backbone):
    one = job(backbone=backbone)
    network = building.build(one)
    network.compile(loss=one.networks["network"].loss())
    assert saving.save(one, {"network": network}, tmp_path) == {}
    wanted = network.predict(PIXELS, verbose=0)
    for suffix in (".keras", ".h5"):
        again = saving.load(tmp_path / f"network{suffix}")
        np.testing.assert_allclose(again.predict(PIXELS, verbose=0), wanted, atol=1e-5)
    export.export(one, {"network": network}, tmp_path / "export", "v1")
    monkeypatch.setattr(tasks, "names", lambda: ["toy"])
    monkeypatch.setattr(tasks, "find", lambda task: OnBackbone)
    monkeypatch.setattr(OnBackbone, "name", "toy")
    card = files.read_json(tmp_path / "export" / "export.json") | {"task": "toy"}
    files.write_json(tmp_path / "export" / "export.json", card)
    found = prediction.load(tmp_path / "export", golden=False).parts["network"](PIXELS.astype(np.uint8))
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_frozen_backbone_stays_as_it_is():
    network = building.build(job(backbone="MobileNetV2", trainable=False))
    assert sum(weight.shape.num_elements() if hasattr(weight.shape, "num_elements") else int(np.prod(weight.shape))
               for weight in network.trainable_weights) == 1280 * 3 + 3


def test_where_h5_cannot_be_read_back_only_keras_is_written(tmp_path):
    assert saving.refuses_h5("MobileNetV3Small") and saving.refuses_h5("ConvNeXtTiny")
    assert not saving.refuses_h5("VGG19")
    import keras

    one = SimpleNamespace(networks={"network": SimpleNamespace(backbone="ConvNeXtTiny")})
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    assert "only .keras" in saving.save(one, {"network": network}, tmp_path)["network"]
    assert [path.name for path in tmp_path.iterdir()] == ["network.keras"]


def test_weights_that_cannot_be_had_are_said_with_the_ways_out(tmp_path, monkeypatch):
    import keras

    def offline(*_, **__):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", offline)
    monkeypatch.setattr(keras.src.applications.mobilenet_v2.file_utils, "get_file", offline)
    with pytest.raises(config.ConfigError, match="weights.h5.*keras/models.*trainable=true"):
        building.build(job(backbone="MobileNetV2", weights="imagenet"))
    with pytest.raises(config.ConfigError, match="none, shipped, imagenet or a file"):
        building.build(job(backbone="MobileNetV2", weights="nowhere.h5"))
    (tmp_path / "x.weights.h5").write_bytes(b"no")
    with pytest.raises(config.ConfigError, match="does not fit MobileNetV2"):
        building.build(job(backbone="MobileNetV2", weights=str(tmp_path / "x.weights.h5")))


def test_an_export_that_differs_from_keras_is_refused(tmp_path, monkeypatch):
    from ai_edge_litert import interpreter

    runner = interpreter.Interpreter.get_signature_runner
    monkeypatch.setattr(interpreter.Interpreter, "get_signature_runner", lambda self: lambda **pixels: {
        name: value + 0.01 for name, value in runner(self)(**pixels).items()})
    with pytest.raises(ValueError, match="differs from Keras by 0.01"):
        export.export(job(), {"network": building.build(job())}, tmp_path, "v1")
    assert not (tmp_path / "export.json").exists()


@pytest.mark.parametrize("way", ["caffe", "torch", "unit"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_scaling_is_saved_with_the_network(tmp_path, way, suffix):
    import keras

    pixels = keras.Input((64, 64, 3))
    network = keras.Model(pixels, keras.layers.Conv2D(2, 3)(backbones.scale(pixels, way)))
    network.save(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(saving.load(tmp_path / f"a{suffix}").predict(PIXELS, verbose=0),
                               network.predict(PIXELS, verbose=0), rtol=1e-5)
