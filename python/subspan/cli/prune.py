"""The command ``subspan prune``: a smaller transformer from a folder and a text file."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from .output import MET, seed


def add_to(commands: Any) -> None:
    """Add the command and its options."""
    prune = commands.add_parser(
        "prune",
        help="a smaller transformer, without retraining",
        description="Remove units of the feed-forward modules and heads of a Hugging Face model.",
        epilog="needs transformers and safetensors: pip install 'subspan[transformers]'",
    )
    prune.add_argument("model", metavar="DIR", help="as save_pretrained wrote it, with tokenizer")
    prune.add_argument("--out", metavar="DIR", required=True, help="folder for the smaller model")
    prune.add_argument("--calib", metavar="FILE", required=True, help="plain text to calibrate on")
    prune.add_argument("--eval", metavar="FILE", help="other text, for the perplexity")
    prune.add_argument("--sparsity", type=float, default=0.25, help="of units (default: 0.25)")
    prune.add_argument("--heads", type=float, default=0.0, help="share of heads (default: 0)")
    prune.add_argument(
        "--method", default="obs", help="default: obs; help(subspan.pruning.select_units)"
    )
    prune.add_argument("--no-reconstruct", action="store_true", help="drop units, repair nothing")
    prune.add_argument("--sequential", action="store_true", help="block after block")
    prune.add_argument("--multiple-of", type=int, default=8, metavar="N", help="default: 8")
    prune.add_argument("--length", type=int, default=128, metavar="N", help="tokens of a window")
    prune.add_argument("--windows", type=int, default=64, metavar="N", help="to calibrate on")
    prune.add_argument("--seed", type=seed, default=0, metavar="N", help="default: 0")
    prune.add_argument("--json", action="store_true", help="a summary as JSON")
    prune.set_defaults(command=_prune)


def _prune(arguments: argparse.Namespace) -> int:
    try:
        from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer
    except ImportError:
        raise ImportError("subspan prune needs: pip install 'subspan[transformers]'") from None
    from ..torch.pruning import prune_model, save_pruned

    folder = arguments.model
    if not (Path(folder) / "config.json").is_file():
        raise ValueError(f"{folder} holds no config.json; expected a folder of save_pretrained")
    start = time.perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    names = AutoConfig.from_pretrained(folder).architectures or []
    causal = any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in names)
    model = (AutoModelForCausalLM if causal else AutoModel).from_pretrained(folder).eval()
    ids = _windows(tokenizer, arguments.calib, arguments.length)[: arguments.windows]
    text = None if arguments.eval is None else _windows(tokenizer, arguments.eval, arguments.length)
    if text is not None and not causal:
        raise ValueError(f"--eval needs a causal language model; {folder} holds {names}")
    before = None if text is None else _perplexity(model, text)
    report = prune_model(
        model,
        ids,
        sparsity=arguments.sparsity,
        heads=arguments.heads,
        method=arguments.method,
        reconstruct=not arguments.no_reconstruct,
        sequential=arguments.sequential,
        multiple_of=arguments.multiple_of,
        inplace=True,
        rng=arguments.seed,
    )
    save_pruned(report.model, arguments.out)
    tokenizer.save_pretrained(arguments.out)
    report.to_json(Path(arguments.out) / "pruning.json")
    summary = {
        "parameters": [report.parameters_before, report.parameters_after],
        "perplexity": None if text is None else [before, _perplexity(report.model, text)],
        "bytes": sum(f.stat().st_size for f in Path(arguments.out).glob("*.safetensors")),
        "peak_memory_bytes": _peak_memory(),
        "seconds": time.perf_counter() - start,
    }
    print(json.dumps(summary) if arguments.json else _text(report, summary, arguments))
    return MET


def _windows(tokenizer: Any, path: str, length: int) -> Any:
    """A text in windows of `length` tokens, shape (windows, length)."""
    import torch

    ids = tokenizer(Path(path).read_text())["input_ids"]
    count = len(ids) // length if length > 0 else 0
    if count == 0:
        raise ValueError(f"{path} has {len(ids)} tokens; expected at least {length}, see --length")
    return torch.tensor(ids[: count * length]).view(count, length)


def _perplexity(model: Any, windows: Any) -> float:
    from ..torch.pruning import perplexity

    return perplexity(model, windows).value


def _peak_memory() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _text(report: Any, summary: dict[str, Any], arguments: argparse.Namespace) -> str:
    lines = [report.table()]
    if summary["perplexity"] is not None:
        before, after = summary["perplexity"]
        lines.append(f"perplexity {before:.2f} -> {after:.2f} in windows of {arguments.length}")
    lines.append(
        f"{arguments.out}: {summary['bytes'] / 1e6:.1f} MB; {summary['seconds']:.1f} s, "
        f"{summary['peak_memory_bytes'] / 2**30:.2f} GiB at most"
    )
    return "\n".join(lines)
