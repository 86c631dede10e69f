"""`python -m mtlrun` is `mtlrun`."""

import sys

from mtlrun.cli.main import main

sys.exit(main())
