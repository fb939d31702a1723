"""A real language model pruned by every method: perplexity on held-out text before and after.

``python examples/pruning/smollm2.py`` computes `results/smollm2.jsonl`, from which ``--page`` makes the
tables of `README.md` and the figure. Rows that are there already are not computed again. It reads what
`fetch.py` downloads, and needs PyTorch, transformers, gguf and accelerate. The whole matrix takes some hours
on two cores; ``--seeds 1 --sparsity 0.25 --parts units`` is the part that matters most.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fetch
import page
import subspan
import torch
from subspan.torch.pruning import (
    ModelStatistics,
    Perplexity,
    collect_statistics,
    compare_speed,
    measure_budget,
    perplexity,
    prune_model,
)
from torch.utils import mkldnn

LENGTH = 128  # tokens of a window
UNIT_METHODS = (
    "random", "magnitude", "wanda", "flap", "goa", "goa_code", "second_moment", "weighted_id", "obs",
)  # fmt: skip
HEAD_METHODS = ("random", "magnitude", "wanda", "second_moment", "weighted_id", "obs")
MASK_METHODS = ("sparsegpt", "iobs", "magnitude", "wanda")
PARTS = ("units", "masks", "heads")
HEADS = 1 / 3  # of nine heads on three keys and values six or three can stay
INPUTS = (
    "sparsity",
    "heads",
    "method",
    "reconstruct",
    "structured",
    "sequential",
    "budget",
    "seed",
)
Job = dict[str, Any]


def jobs(options: argparse.Namespace) -> Iterator[tuple[int, Job]]:
    """What to prune, the most telling first."""
    for seed in range(options.seeds):
        if "units" in options.parts:
            for share in options.sparsity:
                yield from ((seed, job) for job in unit_jobs(share))
            for share in options.sparsity:  # dear: a forward pass for every block
                job = {"sparsity": share, "method": "obs", "reconstruct": True}
                yield seed, {**job, "budget": "measured"}
        if seed == 0 and "masks" in options.parts:
            for share in options.masked:
                for method in MASK_METHODS:
                    job = {"sparsity": share, "method": method, "structured": False}
                    yield seed, {**job, "sequential": method in ("sparsegpt", "iobs")}
        if seed == 0 and "heads" in options.parts:
            for repair in (True, False):
                for method in HEAD_METHODS:
                    job = {"sparsity": 0.0, "heads": HEADS, "method": method}
                    yield seed, {**job, "reconstruct": repair}


def unit_jobs(share: float) -> Iterator[Job]:
    """All ways to remove this share of the units of every module."""
    yield {"sparsity": share, "method": "obs", "reconstruct": True}
    for repair in (False, True):
        for method in UNIT_METHODS:
            if (method, repair) != ("obs", True):
                yield {"sparsity": share, "method": method, "reconstruct": repair}


def windows(tokenizer: Any, texts: list[str], count: int) -> torch.Tensor:
    """As many windows from every text, from its beginning."""
    found: list[list[int]] = []
    each = -(-count // len(texts))
    for text in texts:
        ids = tokenizer(text[: 16 * each * LENGTH])["input_ids"]
        found += [ids[i : i + LENGTH] for i in range(0, each * LENGTH, LENGTH)]
    found = [window for window in found if len(window) == LENGTH]
    if len(found) < count:
        raise SystemExit(f"the texts give {len(found)} windows of {LENGTH}; {count} are needed")
    step = len(found) / count
    return torch.tensor([found[int(i * step)] for i in range(count)])


def divided(texts: list[str], seed: int) -> tuple[list[str], list[str]]:
    """Files to calibrate on, in an order of their own for every seed, and held-out files, always the same."""
    calibrate, held_out = texts[0::2], texts[1::2]
    order = torch.randperm(len(calibrate), generator=torch.Generator().manual_seed(seed))
    return [calibrate[i] for i in order.tolist()[: len(calibrate) // 2]], held_out


def measured(model: torch.nn.Module, tokens: torch.Tensor) -> Perplexity:
    """Perplexity in single precision, the linear layers by oneDNN: twice as fast as MKL on some CPUs."""
    return perplexity(mkldnn.to_mkldnn(copy.deepcopy(model)), tokens)


def row_of(job: Job, report: Any, before: Perplexity, after: Perplexity) -> Job:
    """What one pruning did."""
    errors = [layer.held_out for layer in report.layers if layer.held_out is not None]
    return {
        **job,
        "perplexity": after.value,
        "ratio": after.value / before.value,
        "held_out_error": sum(errors) / len(errors),
        "parameters": report.parameters_after,
        "seconds": round(report.seconds, 1),
    }


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--cache", type=Path, default=fetch.CACHE, help="folder of what was fetched"
    )
    parser.add_argument("--out", type=Path, default=page.HERE, help="folder of page and results")
    parser.add_argument("--sparsity", type=float, nargs="+", default=[0.25, 0.1, 0.5])
    parser.add_argument("--masked", type=float, nargs="*", default=[0.5, 0.7])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--calibration", type=int, default=512, help="windows to calibrate on")
    parser.add_argument(
        "--sequential", type=int, default=64, help="windows for SparseGPT and I-OBS, block by block"
    )
    parser.add_argument("--evaluation", type=int, default=130, help="held-out windows")
    parser.add_argument("--page", action="store_true", help="only write the page again")
    return parser.parse_args()


class Runs:
    """The model, the texts, and a file of results that grows."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.path = options, options.out / "results" / "smollm2.jsonl"
        self.tokenizer, self.model = language_model(options.cache)
        self.texts = fetch.texts(options.cache)
        self.rows = page.load(self.path)
        self.seed = -1
        _, held_out = divided(self.texts, 0)
        self.test = windows(self.tokenizer, held_out, options.evaluation)
        self.before = measured(self.model, self.test)
        if not self.rows:
            about = {
                "method": "dense",
                "perplexity": self.before.value,
                "tokens": self.before.tokens,
                "length": LENGTH,
                "calibration": options.calibration * LENGTH,
                "sequential": options.sequential * LENGTH,
                "parameters": sum(p.numel() for p in self.model.parameters()),
            }
            self.add(about)

    def add(self, row: Job) -> None:
        """Keep a row, at once."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        self.rows.append(row)
        print(json.dumps(row), flush=True)

    def calibration(self, seed: int, count: int) -> torch.Tensor:
        """Windows of files that are drawn for a seed."""
        return windows(self.tokenizer, divided(self.texts, seed)[0], count)

    def statistics_of(self, seed: int) -> ModelStatistics:
        """What the calibration data of a seed say of the dense model: from a file, which is written first."""
        if seed != self.seed:
            count = self.options.calibration
            path = self.options.cache / f"smollm2-{count}-windows-seed-{seed}.npz"
            if not path.exists():
                start = time.perf_counter()
                collect_statistics(self.model, self.calibration(seed, count)).save(path)
                print(f"statistics of seed {seed}: {time.perf_counter() - start:.0f} s", flush=True)
            found = subspan.load(path)
            assert isinstance(found, ModelStatistics)
            self.statistics, self.seed = found, seed
        return self.statistics

    def one(self, seed: int, job: Job) -> None:
        """Prune and measure, unless that has been done."""
        key = {**job, "seed": seed}
        if any(key == {k: row[k] for k in row if k in INPUTS} for row in self.rows):
            return
        if job.get("sequential"):
            given: Any = self.calibration(seed, self.options.sequential)
        else:
            given = self.statistics_of(seed)
        # FLAP is its scores with a bias; repaired, its scores with least squares.
        flap = job["method"] == "flap" and not job["reconstruct"]
        options = dict(job)
        if job.get("budget") == "measured":
            data = self.calibration(seed, self.options.calibration)
            options["budget"] = measure_budget(self.model, data, given, job["sparsity"])
        report = prune_model(self.model, given, bias=True if flap else "auto", rng=seed, **options)
        after = measured(report.model, self.test)
        row = row_of(key, report, self.before, after)
        if job == {"sparsity": 0.25, "method": "obs", "reconstruct": True}:
            speed = compare_speed(self.model, report.model, self.test[:8])
            row["speedup"] = speed.speedup
        self.add(row)


def language_model(cache: Path) -> tuple[Any, Any]:
    """Tokenizer and model, in single precision."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    weights = fetch.language_model(cache)
    named = {"gguf_file": weights.name}
    model = AutoModelForCausalLM.from_pretrained(weights.parent, dtype=torch.float32, **named)
    return AutoTokenizer.from_pretrained(weights.parent, **named), model.eval()


def main() -> None:
    """Compute unless told not to, then write the page, interrupted or not."""
    options = arguments()
    try:
        if not options.page:
            runs = Runs(options)
            for seed, job in jobs(options):
                runs.one(seed, job)
    finally:  # what is there when somebody loses patience
        page.write(options.out)


if __name__ == "__main__":
    main()
