"""Choosing passages to label by genre: a linear head and a small network finetuned on the choice.

``python examples/data_selection/text.py`` computes `results/text.jsonl`, and from that the tables of
`README.md` and `text.png`; with ``--page`` it only writes the page again. It reads what `fetch.py`
downloads, and needs torch and transformers.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fetch
import numpy as np
import page
from numpy.typing import NDArray
from passages import Passages, brown
from subspan import plots
from subspan.selection import select

SIZES, SEEDS, SKETCH, HELD_OUT = (100, 200, 400, 800), 10, 256, 0.25
METHODS: list[dict[str, Any]] = [
    {"name": "uniform", "method": "uniform"},
    {"name": "SkMM of features", "method": "skmm"},
    {"name": "SkMM of gradients", "method": "skmm", "source": "gradients"},
    {"name": "leverage", "method": "leverage"},
    {"name": "ridge leverage", "method": "ridge_leverage"},
    {"name": "ridge leverage of gradients", "method": "ridge_leverage", "source": "gradients"},
    {"name": "adaptive (random pivoting)", "method": "adaptive"},
    {"name": "k-center", "method": "k_center"},
    {"name": "k-center of gradients", "method": "k_center", "source": "gradients"},
    {"name": "herding", "method": "herding"},
    {"name": "greedy V-optimal", "method": "v_opt", "sketch_size": 64},
]
METRICS = ("all passages", "mean of genres")
EVERYTHING = "all candidates"
Features = NDArray[np.float32]
Key = tuple[str, str, str, int]  # model, metric, method, size


class Watch:
    """Seconds by what they were spent on."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Count the time of a block."""
        begin = time.perf_counter()
        yield
        self.spent[what] += time.perf_counter() - begin


def trial(
    features: Features, corpus: Passages, sizes: Sequence[int], seed: int, watch: Watch
) -> Iterator[tuple[Key, float]]:
    """Choose, finetune and test on one division of the corpus' files."""
    import heads

    tested, classes = corpus.held_out(HELD_OUT, seed), len(corpus.names)
    X, y = features[~tested], corpus.genre[~tested]
    by_features: dict[tuple[str, int], NDArray[np.int64]] = {}
    for name, make in heads.MODELS.items():
        with watch.on("sketching gradients"):
            start = make(X.shape[1], classes, seed)
            gradients = heads.sketched_gradients(start, X, classes, SKETCH, seed)
        subsets = {(EVERYTHING, len(X)): np.arange(len(X))}
        for given in METHODS:
            of_gradients = given.get("source") == "gradients"
            kept = subsets if of_gradients else by_features
            options = {key: value for key, value in given.items() if key not in ("name", "source")}
            for n in sizes:
                if (given["name"], n) not in kept:
                    with watch.on(f"choosing: {given['name']}"):
                        picked = select(gradients if of_gradients else X, n, rng=seed, **options)
                    kept[given["name"], n] = picked.indices
        for (method, n), S in (by_features | subsets).items():
            with watch.on(f"finetuning: {name}"):
                model = make(X.shape[1], classes, seed)
                heads.finetune(model, X[S], y[S], heads.DECAY[name])
            wrong = heads.errors(model, features[tested], corpus.genre[tested], classes)
            for metric in METRICS:
                yield (name, metric, method, n), wrong[metric]


def measure(
    features: Features, corpus: Passages, sizes: Sequence[int], seeds: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Errors of both models for every method and size; a seed stands for a split as well."""
    begin, watch = time.perf_counter(), Watch()
    found: dict[Key, list[float]] = defaultdict(list)
    candidates: list[int] = []
    for seed in range(seeds):
        candidates.append(int((~corpus.held_out(HELD_OUT, seed)).sum()))
        for key, value in trial(features, corpus, sizes, seed, watch):
            model, metric, method, n = key
            found[model, metric, method, 0 if method == EVERYTHING else n].append(value)
        print(f"seed {seed} after {time.perf_counter() - begin:.0f} s", flush=True)
    about = {
        "seeds": seeds,
        "passages": len(corpus.texts),
        "candidates": round(float(np.mean(candidates))),
        "genres": len(corpus.names),
        "seconds": round(time.perf_counter() - begin),
        "spent": {name: round(value, 1) for name, value in watch.spent.items()},
    }
    order = [given["name"] for given in METHODS]
    keys = sorted(found, key=lambda key: (order + [EVERYTHING]).index(key[2]))
    return about, [row_of(key, found) for key in keys]


def row_of(key: Key, found: dict[Key, list[float]]) -> dict[str, Any]:
    """Mean over the splits, and the interval of the difference to uniform subsets of the same splits."""
    model, metric, method, n = key
    row = {"model": model, "metric": metric, "method": method, "n": n, **page.summary(found[key])}
    if method != EVERYTHING:
        plain = found[model, metric, "uniform", n]
        against = page.summary(np.subtract(found[key], plain).tolist())
        row["against_uniform"] = [against["low"], against["high"]]
    return row


def cell(row: dict[str, Any]) -> str:
    """Mean and interval; bold where better than uniform, in italics where worse."""
    text = f"{row['mean']:.1f} [{row['low']:.1f}, {row['high']:.1f}]"
    low, high = row["against_uniform"]
    return f"**{text}**" if high < 0 else f"*{text}*" if low > 0 else text


def show(about: dict[str, Any], rows: list[dict[str, Any]], out: Path) -> None:
    """Write the tables and draw the figure."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    lines = [
        f"Wrong genres in per cent of {about['passages'] - about['candidates']} passages, after "
        f"finetuning on n of {about['candidates']}: mean over {about['seeds']} splits and its 95 % "
        "interval. Bold: better than uniform subsets of the same splits, with an interval of the "
        "difference that leaves zero out; italics: worse. Computed in "
        f"{about['seconds'] / 60:.0f} minutes on two cores, beside the embeddings.",
    ]
    figure = plots.new_figure(5.2 * len(models), 8.2)
    axes = figure.subplots(len(METRICS), len(models), squeeze=False)
    for j, model in enumerate(models):
        for i, metric in enumerate(METRICS):
            part = [row for row in rows if (row["model"], row["metric"]) == (model, metric)]
            (whole,) = (row for row in part if row["method"] == EVERYTHING)
            part = [row for row in part if row is not whole]
            heading = f"{model[0].upper()}{model[1:]}, {metric}"
            lines += ["", f"{heading}; with all candidates {whole['mean']:.1f}:", ""]
            lines += page.table(part, cell)
            page.curves(axes[i, j], part)
            axes[i, j].axhline(whole["mean"], color=plots.BEST, lw=1, ls=":")
            axes[i, j].set_title(heading, fontsize=10.5)
            axes[i, j].set_ylabel("wrong genres in per cent")
    for ax in axes[-1]:
        ax.set_xlabel(f"passages labelled of {about['candidates']}")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    lines += ["", "Seconds for all splits and sizes together:", ""]
    lines += ["| what | seconds |", "| --- | ---: |"]
    lines += [f"| {what} | {seconds:.1f} |" for what, seconds in about["spent"].items()]
    page.write("text", lines, out / "README.md")
    figure.savefig(out / "text.png", dpi=100)


def embedded(cache: Path) -> tuple[Features, Passages]:
    """The corpus and its embeddings, which are computed when asked for the first time."""
    from encoder import embeddings

    corpus = brown(fetch.fetched(fetch.CORPUS, cache))
    return embeddings(corpus.texts, fetch.fetched(fetch.ENCODER, cache), cache), corpus


def main() -> None:
    """Compute unless told not to, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=page.HERE, help="folder of page and results")
    parser.add_argument(
        "--cache", type=Path, default=fetch.CACHE, help="folder of what was fetched"
    )
    parser.add_argument("--page", action="store_true", help="only write the page from the results")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    asked = parser.parse_args()
    results = asked.out / "results" / "text.jsonl"
    if not asked.page:
        page.save(results, *measure(*embedded(asked.cache), asked.sizes, asked.seeds))
    show(*page.load(results), asked.out)


if __name__ == "__main__":
    try:
        main()
    except (FileNotFoundError, ImportError) as missing:
        sys.exit(str(missing))
