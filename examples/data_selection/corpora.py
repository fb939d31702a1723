"""Two labelled corpora as texts, classes and what belongs together: a file of prose, a thread of mail."""

from __future__ import annotations

import email
import json
import re
import tarfile
from dataclasses import dataclass
from email.message import Message
from html import unescape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Corpus:
    """Texts, the number of the class of each, the names of the classes, and its file or thread."""

    texts: list[str]
    classes: NDArray[np.int64]
    names: list[str]
    units: NDArray[np.int64]

    def held_out(self, share: float, seed: int) -> NDArray[np.bool_]:
        """Texts of a share of every class' units: none of these is on both sides."""
        rng, out = np.random.default_rng(seed), np.zeros(len(self.texts), bool)
        for c in range(len(self.names)):
            units = np.unique(self.units[self.classes == c])
            count = max(1, round(share * len(units)))
            out |= np.isin(self.units, rng.choice(units, count, replace=False))
        return out


def brown(archive: Path, words: int = 60, per_file: int | None = 12) -> Corpus:
    """The first passages of every file, of whole sentences, at least `words` long, with their genre."""
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
    return Corpus(texts, np.array(genres), names, np.array(files))


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


def spam_assassin(archive: Path, words: int = 80) -> Corpus:
    """Subject and first words of mails: spam, ham, and ham that looks like spam; each text once."""
    texts: dict[str, tuple[str, str]] = {}
    with tarfile.open(archive) as tar:
        for member in sorted(tar, key=lambda member: member.name):
            kind = re.fullmatch(r"package/data/([a-z-]+?)(-\d)?/.*\.json", member.name)
            content = tar.extractfile(member) if kind else None
            if kind and content:
                mail = email.message_from_string(json.loads(content.read())["text"])
                subject = " ".join(str(mail["subject"] or "").split())
                text = " ".join(f"{subject}. {_body(mail)}".split()[:words])
                thread = re.sub(r"^((re|fwd?|\[[^]]*\])[: ]*)+", "", subject.lower())
                texts.setdefault(text, (kind[1], thread))
    names = sorted({kind for kind, _ in texts.values()})
    threads = {unit: number for number, unit in enumerate(dict.fromkeys(texts.values()))}
    return Corpus(
        list(texts),
        np.array([names.index(kind) for kind, _ in texts.values()]),
        names,
        np.array([threads[unit] for unit in texts.values()]),
    )


def _body(mail: Message) -> str:
    """The first part that is text, without marks of HTML."""
    for part in mail.walk():
        if part.get_content_maintype() == "text":
            payload = part.get_payload(decode=True)
            plain = payload.decode("latin-1") if isinstance(payload, bytes) else ""
            plain = re.sub(r"(?is)<(style|script).*?</\1>|<!--.*?-->|<[^>]*>", " ", plain)
            return unescape(plain)
    return ""
