"""`python -m lib.api FOLDER [--host H] [--port P] [--set api.queue=16 …]`: as lib.serving.api."""

import sys

from lib.serving.api.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
