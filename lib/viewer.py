"""`python -m lib.viewer`: another name of lib.evaluation.viewer, for the command that people type."""

import sys

if __name__ == "__main__":
    from lib.evaluation.viewer.__main__ import main

    sys.exit(main())
