"""The command ``subspan prune``: a smaller transformer from a folder and a text file."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from .._optional import extra
from . import options
from .output import MET, check_outputs, save_plot, written
from .screen import progress_bar, show


@click.command(
    short_help="a smaller transformer, without retraining",
    epilog="Needs transformers and safetensors: pip install 'subspan[transformers]'.",
)
@click.argument("model", metavar="MODEL", type=click.Path())
@click.option("--out", metavar="DIR", required=True, help="New folder for the smaller model.")
@click.option("--calib", metavar="FILE", required=True, help="Plain text to calibrate on.")
@click.option("--eval", "other_text", metavar="FILE", help="Other text, for the perplexity.")
@click.option("--sparsity", type=float, default=0.25, help="Share of units (default: 0.25).")
@click.option("--heads", type=float, default=0.0, help="Share of heads (default: 0).")
@click.option("--method", default="obs", help="Default: obs; help(subspan.pruning.select_units).")
@click.option("--no-reconstruct", is_flag=True, help="Drop units, repair nothing.")
@click.option("--sequential", is_flag=True, help="Block after block.")
@click.option(
    "--budget",
    type=click.Choice(["uniform", "measured", "global", "standardized"]),
    default="uniform",
    help="How blocks share the loss; measured: by what each does to the outputs.",
)
@click.option("--weights", is_flag=True, help="Zero single weights; no layer becomes smaller.")
@click.option("--pattern", default="row", help="Of --weights: row, unstructured or N:M.")
@click.option("--multiple-of", type=int, default=8, metavar="N", help="Default: 8.")
@click.option("--length", type=int, default=128, metavar="N", help="Tokens of a window.")
@click.option("--windows", type=int, default=64, metavar="N", help="To calibrate on.")
@click.option(
    "--seed", type=click.IntRange(0, 2**64 - 1), default=0, metavar="N", help="Default: 0."
)
@options.plot
@options.as_json
@options.progress
def command(model: str, other_text: str | None, **given: Any) -> int:
    """Remove units of the feed-forward modules and heads of a Hugging Face model.

    MODEL is a folder that save_pretrained wrote, with its tokenizer, or a GGUF file; nothing is downloaded,
    and no code in it is run.
    """
    out = Path(given["out"])
    _check_folders(model, out, given["plot"])
    with extra("transformers", "transformers", "torch", "safetensors"):
        import safetensors  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
    from ..torch.pruning import forward_seconds

    start = time.perf_counter()
    tokenizer, network, causal = _load(model)
    ids = _windows(tokenizer, given["calib"], given["length"])[: given["windows"]]
    text = None if other_text is None else _windows(tokenizer, other_text, given["length"])
    if text is not None and not causal:
        raise ValueError(f"--eval needs a causal language model; {model} holds another")
    before = None if text is None else _perplexity(network, text)
    shown = ids[:8]
    passes = [forward_seconds(network, shown)]
    report = _pruned(network, ids, given)
    _save(report, tokenizer, out)
    if given["plot"]:
        from .. import plots

        save_plot(plots.pruning(report), given["plot"])
    summary = {
        "parameters": [report.parameters_before, report.parameters_after],
        "perplexity": None if text is None else [before, _perplexity(report.model, text)],
        "forward_seconds": [*passes, forward_seconds(report.model, shown)],
        "bytes": sum(f.stat().st_size for f in out.glob("*.safetensors")),
        "peak_memory_bytes": _peak_memory(),
        "seconds": time.perf_counter() - start,
    }
    if given["as_json"]:
        print(json.dumps(summary))
    else:
        show(_text(report, summary, given))
    return MET


def _check_folders(model: str, out: Path, plot: str | None) -> None:
    gguf = model.endswith(".gguf") and Path(model).is_file()
    if not gguf and not (Path(model) / "config.json").is_file():
        raise ValueError(
            f"{model} holds no config.json; expected a folder of save_pretrained, or a GGUF file"
        )
    if out.exists() and not (out.is_dir() and _is_ours(out)):
        raise ValueError(f"--out {out}: exists, and holds something else than a pruned model")
    if not out.resolve().parent.is_dir():
        raise ValueError(f"folder {out.resolve().parent} does not exist")
    check_outputs(None, plot)


def _is_ours(folder: Path) -> bool:
    return (folder / "pruning.json").is_file() or not any(folder.iterdir())


def _load(folder: str) -> tuple[Any, Any, bool]:
    """Return tokenizer and model, and whether it is a causal language model."""
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

    local: dict[str, Any] = {"local_files_only": True}
    if folder.endswith(".gguf"):
        with extra("gguf", "gguf", "accelerate"):
            import accelerate  # noqa: F401
            import gguf  # noqa: F401
        folder, local["gguf_file"] = str(Path(folder).parent), Path(folder).name
    try:
        names = AutoConfig.from_pretrained(folder, **local).architectures or []
        causal = any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in names)
        kind = AutoModelForCausalLM if causal else AutoModel
        network = kind.from_pretrained(folder, **local).eval()
        return AutoTokenizer.from_pretrained(folder, **local), network, causal
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # whatever a damaged file makes the readers raise
        reason = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise ValueError(f"{folder} does not hold a model that can be read: {reason}") from None


def _pruned(network: Any, ids: Any, given: dict[str, Any]) -> Any:
    from ..torch.pruning import prune_model

    names = ("sparsity", "heads", "method", "sequential", "multiple_of", "budget", "pattern")
    with progress_bar(given["progress"]) as progress:
        return prune_model(
            network,
            ids,
            **{name: given[name] for name in names},
            structured=not given["weights"],
            reconstruct=not given["no_reconstruct"],
            inplace=True,
            rng=given["seed"],
            progress=progress,
        )


def _save(report: Any, tokenizer: Any, out: Path) -> None:
    from ..torch.pruning import save_pruned

    with written(out) as folder:
        folder.mkdir()
        save_pruned(report.model, folder)
        tokenizer.save_pretrained(folder)
        report.to_json(folder / "pruning.json")


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


def _text(report: Any, summary: dict[str, Any], given: dict[str, Any]) -> str:
    lines = [report.table()]
    if summary["perplexity"] is not None:
        before, after = summary["perplexity"]
        lines.append(f"perplexity {before:.2f} -> {after:.2f} in windows of {given['length']}")
    slow, fast = summary["forward_seconds"]
    lines.append(f"a forward pass takes {fast:.3f} s, {slow / fast:.2f} times as fast as before")
    lines.append(
        f"{given['out']}: {summary['bytes'] / 1e6:.1f} MB; {summary['seconds']:.1f} s, "
        f"{summary['peak_memory_bytes'] / 2**30:.2f} GiB at most"
    )
    return "\n".join(lines)
