"""A sentence encoder before and after pruning: cosines with the dense embeddings, and genres told apart.

``python examples/pruning/sentences.py`` computes `results/encoder.jsonl` and writes the page; ``--page`` only
writes it again. It reads what `fetch.py` downloads, and needs PyTorch, transformers and scikit-learn.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import fetch
import numpy as np
import page
from numpy.typing import NDArray
from subspan.torch.pruning import collect_statistics, prune_model

METHODS = ("random", "magnitude", "wanda", "flap", "goa", "second_moment", "weighted_id", "obs")
CALIBRATION = 200  # passages


def accuracy(X: NDArray[Any], corpus: Any, tested: NDArray[np.bool_]) -> float:
    """Of logistic regression on the embeddings of the other files."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fit = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    fit.fit(X[~tested], corpus.classes[~tested])
    return float(fit.score(X[tested], corpus.classes[tested]))


def measure(cache: Path, shares: tuple[float, ...], limit: int) -> list[dict[str, Any]]:
    """Rows of results, the dense encoder first."""
    from encoder import embed

    corpus = fetch.passages(cache)
    tokenizer, network = fetch.sentence_encoder(cache)
    some = np.sort(np.random.default_rng(0).permutation(len(corpus.texts))[:limit])
    texts = [corpus.texts[i] for i in some]
    corpus = type(corpus)(texts, corpus.classes[some], corpus.names, corpus.units[some])
    tested = corpus.held_out(0.3, 0)
    dense = embed(texts, tokenizer, network)
    found: list[dict[str, Any]] = [
        {
            "method": "dense",
            "accuracy": accuracy(dense, corpus, tested),
            "tested": int(tested.sum()),
            "classes": len(corpus.names),
        }
    ]
    shown = np.random.default_rng(1).permutation(np.flatnonzero(~tested))[:CALIBRATION]
    tokens = tokenizer(
        [texts[i] for i in shown],
        padding=True,
        truncation=True,
        max_length=128,
        return_tensors="pt",
    )
    statistics = collect_statistics(network, dict(tokens))
    for share in shares:
        for method in METHODS:
            for repair in (True, False):
                report = prune_model(
                    network, statistics, sparsity=share, method=method, reconstruct=repair, rng=0
                )
                X = embed(texts, tokenizer, report.model)
                cosine = float((X * dense)[tested].sum(1).mean())
                row = {"method": method, "sparsity": share, "reconstruct": repair}
                found.append({**row, "cosine": cosine, "accuracy": accuracy(X, corpus, tested)})
                print(json.dumps(found[-1]), flush=True)
    return found


def main() -> None:
    """Compute unless told not to, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--cache", type=Path, default=fetch.CACHE, help="folder of what was fetched"
    )
    parser.add_argument("--out", type=Path, default=page.HERE, help="folder of page and results")
    parser.add_argument("--sparsity", type=float, nargs="+", default=[0.25, 0.5])
    parser.add_argument("--passages", type=int, default=3000)
    parser.add_argument("--page", action="store_true", help="only write the page again")
    options = parser.parse_args()
    if not options.page:
        rows = measure(options.cache, tuple(options.sparsity), options.passages)
        path = options.out / "results" / "encoder.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    page.write(options.out)


if __name__ == "__main__":
    main()
