"""``python -m subspan``, the same as the command ``subspan``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
