"""A stream of frames with rare events, where picking at random fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import plots
from ..pivot import pivots
from .figure import headline
from .measure import Array, projection_error, tail_error
from .text import percent, print_table


def measure(seed: int, frames: int, draws: int) -> dict[str, Any]:
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
            [[projection_error(A, pick(k, seed + i)) for k in ranks] for i in range(draws)]
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
        "optimal": np.array([tail_error(spectrum, k) for k in ranks]),
        "chosen": chosen,
        "found": found,
        "scene": scene,
    }


def show(part: dict[str, Any]) -> None:
    """Print the table."""
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
            percent(float(curve[:, at].mean())),
            percent(float(curve[:, at].max())),
        )
        for name, curve in part["curves"].items()
    ]
    rows.append(("best possible (SVD)", "", percent(float(part["optimal"][at])), ""))
    print_table(rows)


def draw(figure: Any, part: dict[str, Any]) -> None:
    """Draw one row of the picture."""
    k, m = part["scenes"], part["shape"][0]
    headline(
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
