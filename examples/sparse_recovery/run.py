"""Where iterative pruning finds a planted sparse vector: a phase diagram.

``python examples/sparse_recovery/run.py`` draws n Gaussian measurements of a vector of d = 128 entries, k of
them not zero, for a grid of n / d and k / n, and counts how often each method finds it to 0.1 percent.
It saves the figure and the counts beside this file, or where ``--out`` says.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from subspan import plots
from subspan.pruning import sparse_regression

D, FOUND = 128, 1e-3
Vector = NDArray[np.float64]
Method = Callable[[Vector, Vector, int], Vector]


def omp(X: Vector, y: Vector, k: int) -> Vector:
    """Orthogonal matching pursuit, by columns of largest correlation."""
    from sklearn.linear_model import orthogonal_mp

    return np.asarray(orthogonal_mp(X, y, n_nonzero_coefs=k))


def iobs_with(damping: float) -> Method:
    """I-OBS with this damping, in units of the mean diagonal of the Hessian."""

    def run(X: Vector, y: Vector, k: int) -> Vector:
        return np.asarray(sparse_regression(X, y, k, damping=damping, iterations=200).theta)

    return run


def iht(X: Vector, y: Vector, k: int) -> Vector:
    """Iterative hard thresholding with step 1 / L."""
    return np.asarray(sparse_regression(X, y, k, method="iht", iterations=1000).theta)


METHODS: dict[str, Method] = {
    "IHT": iht,
    "OMP": omp,
    "I-OBS, damping 0.001": iobs_with(1e-3),
    "I-OBS, damping 0.01": iobs_with(1e-2),
    "I-OBS, damping 0.1": iobs_with(1e-1),
    "I-OBS, damping 1": iobs_with(1.0),
}


def successes(method: Method, n: int, k: int, trials: int) -> float:
    """Share of trials in which the vector is found."""
    found = 0
    for trial in range(trials):
        rng = np.random.default_rng([n, k, trial])
        X = rng.standard_normal((n, D)) / np.sqrt(n)
        w = np.zeros(D)
        w[rng.choice(D, k, replace=False)] = rng.standard_normal(k)
        found += bool(np.linalg.norm(method(X, X @ w, k) - w) < FOUND * np.linalg.norm(w))
    return found / trials


def main() -> None:
    """Count, draw, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--points", type=int, default=8, help="grid points in each direction")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    rows = np.linspace(0.2, 1.5, options.points)
    densities = np.linspace(0.05, 0.6, options.points)
    counts: dict[str, Any] = {}
    for name, method in METHODS.items():
        counts[name] = [
            [
                successes(method, round(r * D), max(1, min(D, round(s * r * D))), options.trials)
                for r in rows
            ]
            for s in densities
        ]
        print(f"{name}: {np.mean(counts[name]):.3f} of the grid", flush=True)
    table = {"n / d": rows.tolist(), "k / n": densities.tolist(), "found": counts}
    (options.out / "phase_diagram.json").write_text(json.dumps(table) + "\n")
    draw(counts, rows, densities, options.out / "phase_diagram.png")


def draw(counts: dict[str, Any], rows: Vector, densities: Vector, path: Path) -> None:
    """One panel per method."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.5), layout="constrained")
    panels = figure.subplots(2, 3, sharex=True, sharey=True)
    extent = (rows[0], rows[-1], densities[0], densities[-1])
    for panel, (name, found) in zip(panels.ravel(), counts.items(), strict=True):
        image = panel.imshow(
            found, origin="lower", extent=extent, aspect="auto", vmin=0, vmax=1, cmap="Blues"
        )
        panel.axvline(1, color=plots.INK, linewidth=0.8, linestyle=":")
        panel.set_title(name, fontsize=10)
    figure.supxlabel("measurements n / d")
    figure.supylabel("entries k / n")
    figure.colorbar(image, ax=panels, label="found")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
