"""A part of an export answers batches of any size, keeps what it read, and is quiet but for errors."""

import concurrent.futures
import subprocess
import sys

import numpy as np
from toy_export import picture

from lib.common import config
from lib.serving import prediction


def test_a_part_takes_batches_of_any_size(predictor):
    part = predictor.parts["coarse"]
    batch = np.random.default_rng(0).integers(0, 256, (5, 48, 64, 3), np.uint8)
    together = part(batch)
    assert together.shape == (5, 9)
    np.testing.assert_allclose(together, np.concatenate([part(one[None]) for one in batch]), atol=1e-6)


def test_a_part_that_is_overwritten_while_it_is_served_does_no_harm(copy):
    loaded = prediction.load(copy)
    before = loaded.answer(picture())
    (copy / "coarse.tflite").write_bytes(b"")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:  # more interpreters than are open
        assert all(answer == before for answer in pool.map(loaded.answer, [picture()] * 16))


def test_loading_says_nothing_and_hides_no_error(copy):
    code = ("import os, sys; from lib.serving import exported_network, prediction; run = exported_network.ExportedNetwork._run;"
            "exported_network.ExportedNetwork._run = lambda *words: (os.write(2, b'an error\\n'), run(*words))[1];"
            "prediction.load(sys.argv[1]); os.write(2, b'after\\n')")
    done = subprocess.run([sys.executable, "-c", code, copy], capture_output=True, text=True, cwd=config.REPOSITORY)
    assert "INFO" not in done.stderr and done.stderr.startswith("an error\n") and done.stderr.endswith("after\n")
