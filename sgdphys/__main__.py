"""``python -m sgdphys``: the command line."""

import sys

from sgdphys.cli import main

if __name__ == "__main__":
    sys.exit(main())
