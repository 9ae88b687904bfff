"""What libraries below Python write on standard error: their remarks are left out, all else is passed on."""

import contextlib
import logging
import os
import re
import sys
import tempfile

# Remarks of TensorFlow, its converter and LiteRT (2.21, 2.3), which have no setting for them.
REMARK = re.compile(rb"INFO: |I\d{4} |W\d{4} .*tf_tfl_flatbuffer_helpers|To enable the following instructions: "
                    rb"|WARNING: All log messages before absl::InitializeLog")


@contextlib.contextmanager
def without_remarks():
    """Leave out remarks on standard error, and logging at level INFO, while the block runs; all else comes at its end.

    Where the block fails, the remarks come too: one of them may say why.
    """
    sys.stderr.flush()
    logging.disable(logging.INFO)
    before, failed = os.dup(2), True
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
            failed = False
        finally:
            os.dup2(before, 2)
            os.close(before)
            logging.disable(logging.NOTSET)
            kept.seek(0)
            os.write(2, b"".join(line for line in kept if failed or not REMARK.match(line)))
