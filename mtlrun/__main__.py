"""`python -m mtlrun` is `mtlrun`."""

import sys

from mtlrun.cli import main

sys.exit(main())
