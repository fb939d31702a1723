"""Canonical angles of randomized SVD against their bounds and estimates, on five matrices.

``python examples/canonical_angles/run.py`` computes everything, saves one figure per matrix beside this
file and writes the table of `README.md`. After the experiments of arXiv 2211.04676.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import random_array
from subspan import plots
from subspan.angles import (
    CanonicalAngles,
    canonical_angles,
    posterior_bounds,
    prior_bounds,
    prior_estimates,
    saibaba_bounds,
)

HERE = Path(__file__).parent
RANK, SKETCH_SIZE, POWERS = 50, 80, (0, 1, 2, 5, 10)
START, END = "<!-- table: written by run.py -->", "<!-- end of table -->"
STYLE: dict[str, tuple[str, str]] = {
    "true": (plots.INK, "-"),
    "prior estimate, true spectrum": (plots.OURS, "--"),
    "prior estimate, computed spectrum": ("#3a8f6b", "--"),
    "prior bound (failure 0.01)": (plots.OURS, "-"),
    "posterior bound, residual": (plots.OTHER, "-"),
    "posterior bound, gap": ("#8e5ea2", "-"),
    "Saibaba's bound": (plots.BEST, "-"),
}
SHORT = (
    "true",
    "prior estimate, true spectrum",
    "prior bound (failure 0.01)",
    "posterior bound, gap",
)


def with_spectrum(sigma: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A square matrix with these singular values between random orthonormal bases."""
    n = len(sigma)
    U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    return np.asarray((U * sigma) @ V.T)


def slow_decay(rng: np.random.Generator) -> NDArray[np.float64]:
    """Twenty ones, then 1/j."""
    return with_spectrum(np.append(np.ones(20), 1 / np.arange(2.0, 482)), rng)


def exponential_decay(rng: np.random.Generator) -> NDArray[np.float64]:
    """Twenty ones, then 0.98^j down to 1e-5."""
    return with_spectrum(np.append(np.ones(20), np.maximum(1e-5, 0.98 ** np.arange(1, 481))), rng)


def sparse_plus_low_rank(a: float) -> Callable[[np.random.Generator], NDArray[np.float64]]:
    """Sparse non-negative factors with weights a/j for twenty terms, then 1/j."""

    def make(rng: np.random.Generator) -> NDArray[np.float64]:
        n = 500
        X, Y = (random_array((n, n), density=0.05, rng=rng).toarray() for _ in range(2))
        weights = np.where(np.arange(n) < 20, a, 1.0) / np.arange(1.0, n + 1)
        return np.asarray((X * weights) @ Y)

    return make


def photograph(rng: np.random.Generator) -> NDArray[np.float64]:
    """A photograph that comes with scikit-learn, 427 by 640 gray values between 0 and 1."""
    from sklearn.datasets import load_sample_image

    return np.asarray(load_sample_image("china.jpg").mean(axis=2) / 255)


MATRICES: dict[str, tuple[str, Callable[[np.random.Generator], NDArray[np.float64]]]] = {
    "slow": ("slow decay", slow_decay),
    "exponential": ("exponential decay", exponential_decay),
    "snn-1": ("sparse plus low rank, a = 1", sparse_plus_low_rank(1.0)),
    "snn-100": ("sparse plus low rank, a = 100", sparse_plus_low_rank(100.0)),
    "photograph": ("photograph", photograph),
}


def subspace_iteration(
    A: NDArray[np.float64], omega: NDArray[np.float64], powers: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Randomized SVD with a given test matrix, which Saibaba's bound needs."""
    Q = np.linalg.qr(A @ omega)[0]
    for _ in range(powers):
        Q = np.linalg.qr(A @ np.linalg.qr(A.T @ Q)[0])[0]
    W, s, Vh = np.linalg.svd(Q.T @ A, full_matrices=False)
    return Q @ W, s, Vh


def curves(
    A: NDArray[np.float64], exact: Any, powers: int, rng: np.random.Generator
) -> dict[str, CanonicalAngles]:
    """Truth, estimates and bounds for the basis of SKETCH_SIZE columns."""
    U, sigma, Vh = exact
    omega = rng.standard_normal((A.shape[1], SKETCH_SIZE))
    found = subspace_iteration(A, omega, powers)
    truth = [
        canonical_angles(true[:, :RANK], computed).left
        for true, computed in ((U, found[0]), (Vh.T, found[2].T))
    ]
    law = (RANK, SKETCH_SIZE, powers)
    left = float(np.sqrt(np.linalg.norm(A) ** 2 - np.linalg.norm(found[1]) ** 2))
    computed: dict[str, Any] = {"tail": "energy", "size": len(sigma), "residual": left}
    return {
        "true": CanonicalAngles(*truth, "exact", True, "computed"),
        "prior estimate, true spectrum": prior_estimates(sigma, *law, rng=1),
        "prior estimate, computed spectrum": prior_estimates(found[1], *law, rng=1, **computed),
        "prior bound (failure 0.01)": prior_bounds(sigma, *law),
        "posterior bound, residual": posterior_bounds(
            A, *found, rank=RANK, method="residual", norm="full"
        ),
        "posterior bound, gap": posterior_bounds(A, *found, rank=RANK, method="gap", norm="full"),
        "Saibaba's bound": saibaba_bounds(sigma, RANK, powers, Vh.T, omega),
    }


def draw(title: str, by_powers: dict[int, dict[str, CanonicalAngles]]) -> Any:
    """One column of axes per number of power iterations; left subspaces above, right ones below."""
    figure = plots.new_figure(3.1 * len(by_powers), 6.2)
    axes = figure.subplots(2, len(by_powers), sharex=True, sharey=True)
    eps = np.finfo(np.float64).eps
    for column, (powers, found) in enumerate(by_powers.items()):
        for row, side in enumerate(("left", "right")):
            ax = axes[row, column]
            for name, angles in found.items():
                sines = np.asarray(getattr(angles, side))
                colour, line = STYLE[name]
                index = np.arange(1, len(sines) + 1)
                width = 2.2 if name == "true" else 1.3
                ax.plot(index, np.maximum(sines, eps), line, color=colour, label=name, lw=width)
            ax.set_yscale("log")
            ax.set_ylim(1e-16, 2)
            ax.grid(alpha=0.25)
            if row == 0:
                ax.set_title(f"q = {powers}", fontsize=10.5)
            else:
                ax.set_xlabel("index i")
        axes[0, 0].set_ylabel("sine, left")
        axes[1, 0].set_ylabel("sine, right")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(title, color=plots.INK, fontweight="bold")
    return figure


def row(title: str, powers: int, found: dict[str, CanonicalAngles]) -> str:
    """One line of the table: the largest left sine."""
    cells = []
    for name in SHORT:
        value = float(np.asarray(found[name].left)[-1])
        cells.append("no gap" if np.isnan(value) else f"{value:.2g}")
    return f"| {title} | {powers} | {' | '.join(cells)} |"


def main() -> None:
    """Compute, draw and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the figures and the page")
    out = parser.parse_args().out
    lines = [f"| matrix | q | {' | '.join(SHORT)} |", "| --- |" + " ---: |" * (len(SHORT) + 1)]
    for name, (title, make) in MATRICES.items():
        rng = np.random.default_rng(0)
        A = make(rng)
        exact = np.linalg.svd(A, full_matrices=False)
        by_powers = {q: curves(A, exact, q, rng) for q in POWERS}
        m, n = A.shape
        heading = f"{title}, {m} × {n}, k = {RANK}, l = {SKETCH_SIZE}"
        draw(heading, by_powers).savefig(out / f"{name}.png", dpi=110)
        lines += [row(title, q, found) for q, found in by_powers.items()]
    print("\n".join(lines))
    page = out / "README.md"
    text = page.read_text() if page.exists() else f"{START}\n{END}\n"
    before, after = text.split(START)[0], text.split(END)[1]
    page.write_text(f"{before}{START}\n" + "\n".join(lines) + f"\n{END}{after}")


if __name__ == "__main__":
    main()
