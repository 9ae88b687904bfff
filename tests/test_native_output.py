"""Remarks of libraries below Python are left out of standard error; what matters is passed on."""

import logging
import os

import pytest

from lib.common import native_output

LINES = (b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n", b"I0000 00:00:17 19239 port.cc:153] oneDNN is on.\n",
         b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n")


def write():
    for line in (*LINES, b"E0000 00:00:17 no device\n", b"out of disk\n"):
        os.write(2, line)


def test_remarks_are_left_out_and_all_else_is_passed_on(capfd):
    with native_output.without_remarks():
        write()
        logging.getLogger("tensorflow").info("Assets written")
    assert capfd.readouterr().err == "E0000 00:00:17 no device\nout of disk\n"
    assert logging.root.manager.disable == logging.NOTSET
    os.write(2, LINES[0])
    assert "XNNPACK" in capfd.readouterr().err, "afterwards all is as it was"


def test_where_the_block_fails_remarks_are_passed_on_too(capfd):
    with pytest.raises(ValueError, match="no"), native_output.without_remarks():
        write()
        raise ValueError("no")
    assert "oneDNN" in capfd.readouterr().err
