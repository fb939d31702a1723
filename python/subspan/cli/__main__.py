"""``python -m subspan.cli``, the same as the command ``subspan``."""

import sys

from . import main

if __name__ == "__main__":
    sys.exit(main())
