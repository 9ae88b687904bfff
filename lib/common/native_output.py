"""What libraries below Python write on standard error: kept back while all goes well."""

import contextlib
import logging
import os
import sys
import tempfile


@contextlib.contextmanager
def hidden():
    """Keep back what is written on standard error, below Python too; where the block fails, all of it is passed on.

    TensorFlow's converter and LiteRT log on file descriptor 2 and have no setting for it (2.21, 2.3); remarks of
    Python's logging at level INFO are left out. Other threads' messages are kept back too, so the block must be short.
    """
    sys.stderr.flush()
    logging.disable(logging.INFO)
    before = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(before, kept.read())
            raise
        finally:
            os.dup2(before, 2)
            os.close(before)
            logging.disable(logging.NOTSET)
