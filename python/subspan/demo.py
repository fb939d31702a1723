"""``subspan demo``: real data that ships with scikit-learn, in numbers and in one picture.

Three parts. Handwritten digits: which few images stand for all, with the certified error beside the
true one and SciPy's ``interp_decomp`` beside ours. A photograph rebuilt from some of its columns.
And a stream of frames with rare events, where picking at random fails. Every number is measured in
the run that prints it.
"""

from __future__ import annotations

import importlib.util
import inspect
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import plots
from .interp import interpolative
from .pivot import pivots

Array = NDArray[Any]
_PACKAGES = {"sklearn": "scikit-learn", "PIL": "pillow", "matplotlib": "matplotlib"}


def run(
    out: Path | str = ".",
    *,
    seed: int = 0,
    plot: bool = True,
    images: int | None = None,
    picks: int = 40,
    ranks: Sequence[int] = (20, 60, 120),
    frames: int = 2000,
    draws: int = 20,
    repeats: int = 5,
) -> dict[str, Any]:
    """Run the three parts, print a table of each and save one picture.

    Parameters
    ----------
    out : path
        Folder for ``demo.png``; made if it does not exist.
    seed : int
        Seeds everything that is random.
    plot : bool
        Save the picture (needs matplotlib).
    images : int, optional
        How many of the 1797 handwritten digits to use; all by default.
    picks : int
        How many of them to choose.
    ranks : sequence of int
        How many columns of the photograph to keep.
    frames : int
        Length of the stream with rare events, at least 500.
    draws : int
        Seeds over which randomly chosen rows are averaged.
    repeats : int
        Timed runs of each method, after one that is not timed; medians are printed.

    Returns
    -------
    dict
        The printed numbers: "digits", "photograph", "rare", and "picture", a path or None. Errors
        are relative, in the Frobenius norm; times in seconds.

    Raises
    ------
    ImportError
        If scikit-learn, pillow or matplotlib is missing; the message says how to get them.
    """
    _require(["sklearn", "PIL", *(["matplotlib"] if plot else [])])
    out = Path(out)
    if plot:
        out.mkdir(parents=True, exist_ok=True)
    digits = _digits(seed, images, picks, draws, repeats)
    _print_digits(digits)
    photo = _photograph(seed, ranks, repeats)
    _print_photograph(photo)
    rare = _rare(seed, frames, draws)
    _print_rare(rare)
    picture = None
    if plot:
        picture = out / "demo.png"
        _draw(digits, photo, rare).savefig(picture, dpi=110)
        print(f"\nPicture: {picture}")
    return {"digits": digits, "photograph": photo, "rare": rare, "picture": picture}


def _require(modules: Iterable[str]) -> None:
    missing = [_PACKAGES[name] for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f"the demo needs {', '.join(missing)}: pip install 'subspan[demo]'")


# --- what is measured -----------------------------------------------------------------------------


def _relative(A: Array, approximation: Array) -> float:
    """Measure the true error; nothing of ours is asked."""
    return float(np.linalg.norm(A - approximation) / np.linalg.norm(A))


def _projection_error(A: Array, rows: Array) -> float:
    """Error of the best approximation by given rows of A."""
    basis = np.linalg.qr(A[rows].T)[0]
    return _relative(A, A @ basis @ basis.T)


def _tail(values: Array, k: int) -> float:
    """Error of the best rank-k approximation, from singular values in descending order."""
    return float(np.sqrt((values[k:] ** 2).sum() / (values**2).sum()))


def _timed(call: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    """Return the result of a warm-up call, and the median time of `repeats` more."""
    result = call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return result, float(np.median(seconds))


def _certified(name: str, A: Array, call: Callable[[], Any], repeats: int) -> dict[str, Any]:
    """Run one of our methods: its certificate, the true error, the time, the result."""
    result, seconds = _timed(call, repeats)
    scale = float(np.linalg.norm(A))
    return {
        "method": name,
        "rank": result.rank,
        "value": result.error.relative,
        "upper": result.error.upper / scale,
        "kind": result.error.kind,
        "failure_probability": result.error.failure_probability,
        "true": _relative(A, result.toarray()),
        "seconds": seconds,
        "indices": result.indices,
    }


def _scipy(name: str, A: Array, given: Any, k: int, seed: int, repeats: int) -> dict[str, Any]:
    """Row ID of A by SciPy, which chooses columns: `given` is the transpose, in some form."""
    import scipy.linalg.interpolative as scipy_id

    takes_rng = "rng" in inspect.signature(scipy_id.interp_decomp).parameters  # SciPy 1.15
    decompose = partial(scipy_id.interp_decomp, given, k, **({"rng": seed} if takes_rng else {}))
    (order, proj), seconds = _timed(decompose, repeats)
    W = scipy_id.reconstruct_interp_matrix(order, proj)
    true = _relative(A, (A[order[:k]].T @ W).T)
    return {"method": name, "rank": k, "true": true, "seconds": seconds, "indices": order[:k]}


def _digits(seed: int, images: int | None, picks: int, draws: int, repeats: int) -> dict[str, Any]:
    """Choose the images whose similarities to all others span those of every image."""
    from scipy.sparse.linalg import aslinearoperator
    from sklearn.datasets import load_digits

    data = load_digits()
    X, labels = data.data[:images] / 16, data.target[:images]
    squares = (X**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * X @ X.T, 0)
    K = np.exp(-distances / np.median(distances))  # row i: how similar image i is to each other
    k = picks
    methods = [
        _certified("subspan", K, lambda: interpolative(K, k, axis=0, rng=seed), repeats),
        _certified(
            'subspan, pivoting="greedy"',
            K,
            lambda: interpolative(K, k, axis=0, pivoting="greedy"),
            repeats,
        ),
        _certified(
            'subspan, coefficients="osid"',
            K,
            lambda: interpolative(K, k, axis=0, coefficients="osid", rng=seed),
            repeats,
        ),
        _scipy("SciPy interp_decomp, LinearOperator", K, aslinearoperator(K.T), k, seed, repeats),
        _scipy("SciPy interp_decomp, array", K, K.T, k, seed, repeats),
    ]
    errors = [
        _projection_error(K, np.random.default_rng([seed, i]).choice(len(K), k, replace=False))
        for i in range(draws)
    ]
    methods.append({"method": "rows picked at random", "rank": k, "true": float(np.mean(errors))})
    spectrum = np.sort(np.abs(np.linalg.eigvalsh(K)))[::-1]
    methods.append({"method": "best possible (SVD)", "rank": k, "true": _tail(spectrum, k)})
    chosen = methods[0]["indices"]
    return {
        "shape": K.shape,
        "rank": k,
        "draws": draws,
        "matrix": K,
        "methods": methods,
        "labels": labels[chosen],
        "pictures": X[chosen].reshape(-1, 8, 8),
    }


def _photograph(seed: int, ranks: Sequence[int], repeats: int) -> dict[str, Any]:
    """Rebuild a photograph from some of its own columns of pixels."""
    from sklearn.datasets import load_sample_image

    colors = load_sample_image("china.jpg")
    A = colors.astype(np.float64) @ np.array([0.299, 0.587, 0.114]) / 255
    spectrum = np.linalg.svd(A, compute_uv=False)
    parts = []
    for k in ranks:
        part = _certified(f"{k} columns", A, partial(interpolative, A, k, rng=seed), repeats)
        part["optimal"] = _tail(spectrum, k)
        # k columns of pixels, and k coefficients for every other column
        part["stored"] = k * (A.shape[0] + A.shape[1] - k) / A.size
        part["picture"] = interpolative(A, k, rng=seed).toarray()
        parts.append(part)
    return {"shape": A.shape, "original": A, "ranks": parts}


def _rare(seed: int, frames: int, draws: int) -> dict[str, Any]:
    """Choose frames of a noisy stream: one scene nearly always, 23 others ten times each."""
    from sklearn.datasets import load_digits

    scenes, times, noise = 24, 10, 0.02
    if frames < 500:
        raise ValueError(f"frames={frames} must be at least 500")
    pictures = load_digits().data / 16
    generator = np.random.default_rng(seed)
    kept = pictures[generator.choice(len(pictures), scenes, replace=False)]
    scene = np.zeros(frames, np.int64)
    scene[: (scenes - 1) * times] = np.repeat(np.arange(1, scenes), times)
    generator.shuffle(scene)
    A = kept[scene] + noise * generator.standard_normal((frames, kept.shape[1]))

    pickers: dict[str, Callable[[int, int], Array]] = {
        "subspan": lambda k, i: pivots(A, k, axis=0, rng=i),
        'subspan, pivoting="rbrp"': lambda k, i: pivots(A, k, axis=0, pivoting="rbrp", rng=i),
        "picked at random": lambda k, i: np.random.default_rng([seed, i]).choice(
            frames, k, replace=False
        ),
    }
    ranks = [3, 6, 9, 12, 15, 18, 21, 24, 30, 36]
    curves = {
        name: np.array(
            [[_projection_error(A, pick(k, seed + i)) for k in ranks] for i in range(draws)]
        )
        for name, pick in pickers.items()
    }
    chosen = {name: pick(scenes, seed) for name, pick in pickers.items()}
    found = {
        name: float(np.mean([len(set(scene[pick(scenes, seed + i)])) for i in range(draws)]))
        for name, pick in pickers.items()
    }
    spectrum = np.linalg.svd(A, compute_uv=False)
    return {
        "shape": A.shape,
        "matrix": A,
        "scenes": scenes,
        "times": times,
        "share": times * (scenes - 1) / frames,
        "draws": draws,
        "ranks": ranks,
        "curves": curves,
        "optimal": np.array([_tail(spectrum, k) for k in ranks]),
        "chosen": chosen,
        "found": found,
        "scene": scene,
    }


# --- what is printed ------------------------------------------------------------------------------


def _percent(x: float | None) -> str:
    return "" if x is None else f"{100 * x:.2f} %"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a header: the first column to the left, the rest to the right."""
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    for i, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  " + "  ".join(cells).rstrip())
        if i == 0:
            print("  " + "  ".join("-" * width for width in widths))


def _print_digits(part: dict[str, Any]) -> None:
    m, n = part["shape"]
    print(f"1. Handwritten digits: {part['rank']} of {m} images stand for all")
    print(f"   Row ID of their {m} x {n} similarity matrix (RBF kernel), rank {part['rank']}.\n")
    rows = [("method", "certified", "upper bound", "true error", "time")]
    rows += [
        (
            entry["method"],
            _percent(entry.get("value")) or "none",
            (_percent(entry["upper"]) if "upper" in entry else "none"),
            _percent(entry["true"]),
            _time(entry.get("seconds")),
        )
        if "seconds" in entry
        else (entry["method"], "", "", _percent(entry["true"]), "")
        for entry in part["methods"]
    ]
    _print_table(rows)
    counts = np.bincount(part["labels"], minlength=10)
    shown = ", ".join(f"{digit}: {count}" for digit, count in enumerate(counts))
    probability = max(entry.get("failure_probability", 0.0) for entry in part["methods"])
    print(f"\n   Images chosen of each digit: {shown}.")
    print(
        "   Errors are relative, in the Frobenius norm. Certified value and upper bound are equal\n"
        f"   where the error is known exactly; other bounds fail with probability {probability:g}."
    )
    print(f"   Picking at random: best coefficients, mean of {part['draws']} draws.\n")


def _print_photograph(part: dict[str, Any]) -> None:
    m, n = part["shape"]
    print(f"2. A photograph ({m} x {n} pixels) rebuilt from some of its columns\n")
    rows = [("kept", "numbers stored", "certified", "true error", "best possible", "time")]
    rows += [
        (
            f"{entry['rank']} of {n} columns",
            _percent(entry["stored"]),
            _percent(entry["value"]),
            _percent(entry["true"]),
            _percent(entry["optimal"]),
            _time(entry["seconds"]),
        )
        for entry in part["ranks"]
    ]
    _print_table(rows)
    print()


def _print_rare(part: dict[str, Any]) -> None:
    m, k = part["shape"][0], part["scenes"]
    at = part["ranks"].index(k)
    times = part["times"]
    print(f"3. Rare events: {m} noisy frames, {k} scenes, {k - 1} of them only {times} times each")
    print(f"   Choose {k} frames; mean of {part['draws']} draws.\n")
    rows = [("frames chosen by", "scenes found", "error", "worst draw")]
    rows += [
        (
            name,
            f"{part['found'][name]:.1f} of {k}",
            _percent(float(curve[:, at].mean())),
            _percent(float(curve[:, at].max())),
        )
        for name, curve in part["curves"].items()
    ]
    rows.append(("best possible (SVD)", "", _percent(float(part["optimal"][at])), ""))
    _print_table(rows)


# --- what is drawn --------------------------------------------------------------------------------


def _draw(digits: dict[str, Any], photo: dict[str, Any], rare: dict[str, Any]) -> Any:
    figure = plots.new_figure(15, 12.6)
    figure.suptitle(
        "A few rows or columns stand for the whole matrix", fontsize=19, color=plots.INK
    )
    top, middle, bottom = figure.subfigures(3, 1, height_ratios=[1.0, 0.86, 1.1])
    _draw_digits(top, digits)
    _draw_photograph(middle, photo)
    _draw_rare(bottom, rare)
    return figure


def _headline(figure: Any, text: str) -> None:
    figure.suptitle(text, x=0.008, ha="left", fontsize=14.5, fontweight="bold", color=plots.INK)


def _draw_digits(figure: Any, part: dict[str, Any]) -> None:
    k, m = part["rank"], part["shape"][0]
    _headline(figure, f"{k} handwritten digits stand for all {m}")
    left, right = figure.subplots(1, 2, width_ratios=[1.45, 1.0])
    order = np.argsort(part["labels"], kind="stable")
    plots.montage(left, part["pictures"][order], min(k, 10))
    left.set_title("the images that subspan chose, sorted by digit", fontsize=11)

    entries = part["methods"][::-1]
    y = np.arange(len(entries))
    true = np.array([100 * entry["true"] for entry in entries])
    colors = [
        plots.OURS if "value" in e else plots.OTHER if "seconds" in e else "#b5b5b5"
        for e in entries
    ]
    right.barh(y, true, color=colors, height=0.62)
    reach = max(true.max(), max(100 * e.get("upper", 0.0) for e in entries))
    for i, entry in enumerate(entries):
        end = true[i]
        if entry.get("kind") not in (None, "exact"):
            bound = 100 * entry["upper"]
            right.plot([end, bound], [i, i], color=plots.OURS, linewidth=1.2)
            right.plot([bound, bound], [i - 0.25, i + 0.25], color=plots.OURS, linewidth=2)
            end = bound
        text = f"{true[i]:.2f} %"
        if "seconds" in entry:
            text += f" in {_time(entry['seconds'])}"
        right.text(end + 0.015 * reach, i, text, va="center", fontsize=10, color=plots.INK)
    right.set_title(f"error and time at rank {k}, on a {m} × {m} similarity matrix", fontsize=11)
    right.set_yticks(y, [e["method"].replace(", ", "\n", 1) for e in entries], fontsize=9.5)
    right.set_xlim(0, 1.42 * reach)
    right.set_xlabel("true relative error, %;  line: certified upper bound where it is larger")
    right.spines[["top", "right"]].set_visible(False)
    right.tick_params(axis="y", length=0)


def _draw_photograph(figure: Any, part: dict[str, Any]) -> None:
    n = part["shape"][1]
    _headline(figure, "A photograph rebuilt from some of its own columns of pixels (blue marks)")
    axes = figure.subplots(1, 1 + len(part["ranks"]))
    plots.photograph(axes[0], part["original"])
    axes[0].set_title(f"original, {n} columns", fontsize=11)
    for ax, entry in zip(axes[1:], part["ranks"], strict=True):
        plots.photograph(ax, np.clip(entry["picture"], 0, 1), entry["indices"])
        ax.set_title(
            f"{entry['rank']} columns, {100 * entry['stored']:.0f} % of the numbers\n"
            f"error {100 * entry['true']:.1f} % (best possible {100 * entry['optimal']:.1f} %)",
            fontsize=11,
        )


def _draw_rare(figure: Any, part: dict[str, Any]) -> None:
    k, m = part["scenes"], part["shape"][0]
    _headline(
        figure,
        f"Rare events: {k - 1} of {k} scenes fill only {100 * part['share']:.1f} % of {m} frames",
    )
    axes = figure.subplots(1, 3, width_ratios=[1, 1, 1.25])
    titles = {"subspan": "chosen by subspan", "picked at random": "picked at random"}
    for ax, (name, who) in zip(axes[:2], titles.items(), strict=True):
        rows = part["chosen"][name]
        scene = part["scene"][rows]
        order = np.argsort(scene, kind="stable")
        first = np.zeros(len(rows), bool)
        first[np.unique(scene[order], return_index=True)[1]] = True
        color = plots.OURS if name == "subspan" else plots.OTHER
        plots.montage(
            ax,
            np.clip(part["matrix"][rows[order]], 0, 1).reshape(-1, 8, 8),
            6,
            [color if new else "#d5d5d5" for new in first],
        )
        ax.set_title(f"{k} frames {who}: {first.sum()} different scenes", fontsize=11)
    ax = axes[2]
    styles = {
        "subspan": (plots.OURS, "-", "o"),
        'subspan, pivoting="rbrp"': (plots.OURS, "--", "s"),
        "picked at random": (plots.OTHER, "-", "o"),
    }
    for name, curve in part["curves"].items():
        color, line, marker = styles[name]
        low, high = np.quantile(curve, [0.1, 0.9], axis=0)
        ax.fill_between(part["ranks"], low, high, color=color, alpha=0.15, linewidth=0)
        ax.plot(part["ranks"], curve.mean(axis=0), line, marker=marker, color=color, label=name)
    ax.plot(part["ranks"], part["optimal"], ":", color=plots.BEST, label="best possible (SVD)")
    ax.set_yscale("log")
    ticks = [0.03, 0.1, 0.3]
    ax.set_yticks(ticks, [f"{100 * tick:.0f} %" for tick in ticks])
    ax.set_yticks([], minor=True)
    ax.set_xticks(part["ranks"][1::2])
    ax.set_xlabel("frames chosen")
    ax.set_ylabel("relative error")
    ax.set_title(f"mean of {part['draws']} draws; bands: 10 to 90 %", fontsize=11)
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=10)
