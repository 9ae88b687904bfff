"""What does a picture look like, as one vector? By a network whose weights are there, else by colour and gradients."""

import functools
from pathlib import Path

import cv2
import numpy as np

from lib.common import config
from lib.storage import files

GRID, BINS = 4, 8   # cells across and down, directions of gradients
NETWORK = 224       # px, the side of a network's input


def kind(hub):
    """Whose features they are: "classic", or the network's name and the first digits of its weights' hash."""
    settings = hub.settings
    if settings.features == "classic":
        return "classic"
    path = config.home() / Path(settings.features_weights).expanduser()
    if not settings.features_weights or not path.is_file():
        raise config.ConfigError(f"hub.features is {settings.features!r} and hub.features_weights "
                                 f"{settings.features_weights!r} is no file; name its .weights.h5, or set classic")
    if settings.features not in config.backbones():
        raise config.ConfigError(f"hub.features is {settings.features!r}; it must be classic or a network of "
                                 f"keras.applications{config.suggestion(settings.features, config.backbones())}")
    return f"{settings.features}:{_hash(str(path))[:12]}"


@functools.cache
def _hash(path):
    return files.sha256(path)


def classic(pixels):
    """Colour and gradients of 4x4 cells of uint8 (h, w, 3) RGB, as float32 (224,) of length one.

    Mean and deviation of L, a, b (96), and histograms of the directions of gradients (128) as in HOG (Dalal and Triggs
    2005); each half counts the same.
    """
    small = cv2.resize(pixels, (96, 96), interpolation=cv2.INTER_AREA)
    colour = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32) - 128
    mean, square = (cv2.resize(each, (GRID, GRID), interpolation=cv2.INTER_AREA) for each in (colour, colour * colour))
    colours = np.concatenate([mean, np.sqrt(np.maximum(square - mean * mean, 0))], -1).ravel()
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength, angle = cv2.cartToPolar(across, down)
    bins = (angle * (BINS / np.pi)).astype(np.int32) % BINS   # a direction and its opposite are one
    cells = np.arange(96) // (96 // GRID)
    at = (cells[:, None] * GRID + cells) * BINS + bins
    gradients = np.sqrt(np.bincount(at.ravel(), strength.ravel(), GRID * GRID * BINS))
    return unit(np.concatenate([unit(colours), unit(gradients)]).astype(np.float32))


def unit(values):
    """Vectors of length one; what is all zero stays so."""
    return values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-9)


def extractor(hub):
    """A function from small pictures (uint8 RGB, any size) to features, float32 (n, d), each of length one."""
    if kind(hub) == "classic":
        return lambda pictures: np.stack([classic(each) for each in pictures])
    network = _network(hub.settings.features, str(config.home() / Path(hub.settings.features_weights).expanduser()))

    def features(pictures):
        batch = np.stack([cv2.resize(each, (NETWORK, NETWORK), interpolation=cv2.INTER_AREA) for each in pictures])
        return unit(np.asarray(network(batch.astype(np.float32))))

    return features


@functools.lru_cache(maxsize=1)
def _network(name, weights):
    """A function of a batch (n, 224, 224, 3), 0 … 255: the averaged last features of a network of keras.applications."""
    import keras
    import tensorflow as tf

    from lib.models import backbones

    pixels = keras.Input((NETWORK, NETWORK, 3))
    scaled = backbones.scale(pixels, backbones.preprocessing(name))
    last = backbones.application(name, weights, (NETWORK, NETWORK, 3))(scaled, training=False)
    whole = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(last))
    return tf.function(lambda batch: whole(batch, training=False), jit_compile=False, reduce_retracing=True)


def pack(vector):
    """A vector as it is kept: float16, little-endian."""
    return np.asarray(vector, "<f2").tobytes()


def unpack(blobs):
    """Kept vectors as one float32 array (n, d)."""
    return np.stack([np.frombuffer(blob, "<f2") for blob in blobs]).astype(np.float32)
