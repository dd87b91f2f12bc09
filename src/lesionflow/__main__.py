"""`python -m lesionflow` and the command `lesionflow`."""

import sys

from lesionflow.cli import main

if __name__ == "__main__":
    sys.exit(main())
