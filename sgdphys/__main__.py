"""``python -m sgdphys``: the command line."""

import sys

from sgdphys.cli import main

sys.exit(main())
