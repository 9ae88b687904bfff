"""ResNet34 answers as torchvision's does, by a plain reckoning of its own layers."""

import numpy as np
import pytest

from lib.common import config
from lib.models import backbones


def weights(rng):
    """Random weights under torchvision's names."""
    found = {}

    def layer(conv, norm, inside, width, kernel):
        found[f"{conv}.weight"] = rng.normal(0, (2 / inside / kernel**2) ** 0.5, (width, inside, kernel, kernel))
        found[f"{norm}.weight"], found[f"{norm}.bias"] = rng.uniform(0.5, 1, width), rng.normal(0, 0.1, width)
        found[f"{norm}.running_mean"], found[f"{norm}.running_var"] = rng.normal(0, 0.1, width), rng.uniform(1, 2, width)

    layer("conv1", "bn1", 3, 64, 7)
    inside = 64
    for stage, (blocks, width) in enumerate(zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True), 1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            layer(f"{name}.conv1", f"{name}.bn1", inside, width, 3)
            layer(f"{name}.conv2", f"{name}.bn2", width, width, 3)
            if inside != width:
                layer(f"{name}.downsample.0", f"{name}.downsample.1", inside, width, 1)
            inside = width
    return {name: value.astype(np.float32) for name, value in found.items()}


def windows(x, kernel, strides, edge=0.0):
    """Every window of (h, w, c) with torch's even padding: (rows, columns, kernel, kernel, c)."""
    pad = kernel // 2
    x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)), constant_values=edge)
    return np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (0, 1))[::strides, ::strides].transpose(0, 1, 3, 4, 2)


def reckon(x, w):
    """The features of (h, w, 3), by the definition of each layer."""
    def normed(x, conv, norm, strides):
        kernel = w[f"{conv}.weight"]
        x = np.einsum("rcijk,okij->rco", windows(x, kernel.shape[2], strides), kernel, optimize=True)
        scale = w[f"{norm}.weight"] / np.sqrt(w[f"{norm}.running_var"] + 1e-5)
        return (x - w[f"{norm}.running_mean"]) * scale + w[f"{norm}.bias"]

    x = windows(np.maximum(normed(x, "conv1", "bn1", 2), 0), 3, 2, -np.inf).max((2, 3))
    for stage, blocks in enumerate((3, 4, 6, 3), 1):
        for block in range(blocks):
            name, strides = f"layer{stage}.{block}", 2 if stage > 1 and not block else 1
            y = normed(np.maximum(normed(x, f"{name}.conv1", f"{name}.bn1", strides), 0), f"{name}.conv2", f"{name}.bn2", 1)
            if strides > 1:
                x = normed(x, f"{name}.downsample.0", f"{name}.downsample.1", strides)
            x = np.maximum(x + y, 0)
    return x


def test_it_answers_as_torchvision_defines_it(tmp_path):
    rng = np.random.default_rng(0)
    given = weights(rng)
    np.savez(tmp_path / "resnet34.npz", **given)
    network = backbones.application("ResNet34", str(tmp_path / "resnet34.npz"), (64, 96, 3))
    pixels = rng.normal(0, 1, (64, 96, 3)).astype(np.float32)
    wanted = reckon(pixels, given)
    found = np.array(network(pixels[None], training=False))[0]
    assert found.shape == wanted.shape == (2, 3, 512)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())
    assert len(network.layers) > 100 and backbones.preprocessing("ResNet34") == "torch"

    del given["layer4.2.bn2.running_var"]
    np.savez(tmp_path / "part.npz", **given)
    with pytest.raises(config.ConfigError, match="part.npz does not fit ResNet34: there is no layer4.2.bn2.running_var"):
        backbones.application("ResNet34", str(tmp_path / "part.npz"), (64, 96, 3))
    with pytest.raises(config.ConfigError, match="must be none or a file"):
        backbones.application("ResNet34", "imagenet", (64, 96, 3))
