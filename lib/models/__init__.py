"""Keras networks: backbones, shared layers and losses, build, save, load."""
