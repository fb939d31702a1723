"""The command ``subspan w2s``: what two models have in common, and what follows for training."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from . import options
from .output import MET, check_outputs, plain, save_plot, written
from .reading import FILE, read_list, read_matrix
from .screen import listing, show

_RISKS = ("weak", "w2s", "strong_baseline", "strong_ceiling", "pgr", "opr")


@click.command(
    short_help="will a strong model learn from a weak one's labels?",
    epilog=f"{FILE}.",
)
@click.argument("strong", metavar="STRONG", type=click.Path())
@click.argument("weak", metavar="WEAK", type=click.Path())
@click.option("-n", "labels_to_buy", type=int, metavar="N", help="Predict risks: true labels.")
@click.option("-N", "pseudo_labels", type=int, metavar="N", help="Predict risks: pseudo-labels.")
@click.option("--labels", metavar="FILE", help="Of all rows: .npy, or .txt, nan where unknown.")
@click.option("--energy", type=float, default=0.99, help="Of the spectrum to keep (default: 0.99).")
@click.option("--rank", type=int, metavar="D", help="Keep so many directions instead.")
@click.option("--center", is_flag=True, help="Subtract the means.")
@click.option(
    "--noise-var", type=float, metavar="V", help="Of the labels (default: from --labels)."
)
@options.results
def command(
    strong: str,
    weak: str,
    labels_to_buy: int | None,
    pseudo_labels: int | None,
    labels: str | None,
    noise_var: float | None,
    **given: Any,
) -> int:
    """Intrinsic dimensions and overlap of the features of two models, one row per sample.

    With -n and -N the excess risks of the weak model, of the strong one trained on its labels, and of
    the strong one trained without it.
    """
    from ..w2s import diagnose

    if (labels_to_buy is None) != (pseudo_labels is None):
        click.get_current_context().fail("-n and -N belong together.")
    check_outputs(given["output"], given["plot"])
    start = time.perf_counter()
    report = diagnose(
        read_matrix(strong, by_rows=True),
        read_matrix(weak, by_rows=True),
        labels=None if labels is None else read_list(labels),
        rng=given["seed"],
        **{name: given[name] for name in ("energy", "rank", "center")},
    )
    risks = None
    if labels_to_buy is not None:
        risks = report.predict(labels_to_buy, pseudo_labels, noise_var=noise_var)
    seconds = time.perf_counter() - start
    if given["output"]:
        with written(given["output"]) as name:
            report.save(name)
    if given["plot"]:
        save_plot(report.plot(N=pseudo_labels), given["plot"])
    if given["as_json"]:
        print(json.dumps(_summary(report, risks, [strong, weak], seconds), allow_nan=False))
    else:
        show(report.table())
        if risks is not None:
            rows = [(name, float(getattr(risks, name))) for name in _RISKS]
            show("", listing([f"n = {labels_to_buy}, N = {pseudo_labels}", "predicted"], rows))
    return MET


def _summary(report: Any, risks: Any, files: list[str], seconds: float) -> dict[str, Any]:
    names = ("d_strong", "d_weak", "d_overlap", "interval", "chance_level", "rows", "seed")
    return {
        "files": files,
        **{name: plain(getattr(report, name)) for name in names},
        "canonical_correlations": plain(report.canonical_correlations),
        "noise_var": plain(report.noise_var),
        "risks": None if risks is None else {name: plain(getattr(risks, name)) for name in _RISKS},
        "seconds": seconds,
    }
