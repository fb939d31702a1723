"""The experiments as data: shapes, precisions, spectra, ranks. Nothing is measured here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from subspan.testing import MATRICES, known_spectrum


@dataclass(frozen=True)
class Matrix:
    """A test matrix: dense with known singular values, or sparse with scaled columns."""

    name: str
    m: int
    n: int
    spectrum: str  # "exp": 10^(-12 i/400); "inverse": 1/i; "sparse": column j times j^-0.5
    values: int = 0  # nonzero singular values, or stored entries of a sparse matrix
    dtype: str = "float64"

    @property
    def sparse(self) -> bool:
        return self.spectrum == "sparse"

    def sigma(self) -> NDArray[np.float64]:
        i = np.arange(1.0, self.values + 1)
        return {"exp": 10 ** (-12 * i / 400), "inverse": 1 / i}[self.spectrum]

    def make(self) -> Any:
        """C-ordered array, or CSR array."""
        if not self.sparse:
            return known_spectrum(self.m, self.n, self.sigma(), rng=0).astype(self.dtype)
        rng = np.random.default_rng(0)
        rows, cols = (rng.integers(0, size, self.values) for size in (self.m, self.n))
        entries = rng.standard_normal(self.values) / np.sqrt(cols + 1)
        return sp.coo_array((entries, (rows, cols)), shape=(self.m, self.n)).tocsr()

    def optimum(self, k: int) -> float | None:
        """Relative Frobenius error of the best approximation of rank k, where it is known."""
        if self.sparse:
            return None
        sigma = self.sigma()
        return float(np.linalg.norm(sigma[k:]) / np.linalg.norm(sigma))


@dataclass(frozen=True)
class InterpCase:
    matrix: Matrix
    rank: int

    @property
    def label(self) -> str:
        A = self.matrix
        kind = f"CSR, {A.values} entries" if A.sparse else A.dtype
        return f"{A.name}: {A.m} x {A.n}, {kind}, k={self.rank}"


class QRCase(InterpCase):
    """A rank to truncate at, or min(m, n) for the full factorization."""


@dataclass(frozen=True)
class BatchCase:
    """A stack of matrices with the same singular values and other vectors."""

    count: int
    m: int
    n: int
    rank: int

    @property
    def label(self) -> str:
        return f"{self.count} of {self.m} x {self.n}, float64, k={self.rank}"

    def sigma(self) -> NDArray[np.float64]:
        return 0.8 ** np.arange(min(self.m, self.n))

    def make(self) -> NDArray[np.float64]:
        stack = [known_spectrum(self.m, self.n, self.sigma(), rng=i) for i in range(self.count)]
        return np.stack(stack)

    def optimum(self) -> float:
        """Relative Frobenius error of the best approximations."""
        sigma = self.sigma()
        return float(np.linalg.norm(sigma[self.rank :]) / np.linalg.norm(sigma))


@dataclass(frozen=True)
class SketchCase:
    m: int
    n: int
    dtype: str
    order: str
    size: int

    @property
    def label(self) -> str:
        return f"{self.m} x {self.n}, {self.dtype}, {self.order} order, {self.size} rows"


@dataclass(frozen=True)
class PivotCase:
    n: int
    size: int

    @property
    def label(self) -> str:
        return f"Gaussian {self.n} x {self.size}"


@dataclass(frozen=True)
class KernelCase:
    """Gaussian kernel matrix of points in clusters whose sizes fall like 1/i."""

    n: int
    dim: int
    rank: int
    stored: bool  # the matrix, or the kernel function

    @property
    def label(self) -> str:
        form = "stored" if self.stored else "by its function"
        return f"Gaussian kernel, {self.n} points in dimension {self.dim}, {form}, k={self.rank}"

    def points(self) -> NDArray[np.float64]:
        rng = np.random.default_rng(0)
        share = 1 / np.arange(1.0, 51)
        cluster = rng.choice(50, size=self.n, p=share / share.sum())
        centres = 4 * rng.standard_normal((50, self.dim))
        return centres[cluster] + rng.standard_normal((self.n, self.dim))


@dataclass(frozen=True)
class AlternationCase:
    blas: str
    n: int
    call: str
    repeats: int

    @property
    def label(self) -> str:
        return f"SUBSPAN_BLAS={self.blas}, n={self.n}, {self.call}"


@dataclass(frozen=True)
class ChunkCase:
    """A matrix in a file, read in chunks of so many rows."""

    m: int
    n: int
    rows: int
    rank: int
    dask: bool = False

    @property
    def label(self) -> str:
        where = "Dask" if self.dask else "chunks"
        return f"{where}: {self.m} x {self.n}, {self.rows} rows each, k={self.rank}"


@dataclass(frozen=True)
class SelectionCase:
    """Rows of falling scale along the columns and of lognormal lengths, to choose n of."""

    candidates: int
    columns: int
    n: int

    @property
    def label(self) -> str:
        return f"{self.n} of {self.candidates} rows of {self.columns} numbers, float32"

    def rows(self) -> NDArray[np.float32]:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.candidates, self.columns), dtype=np.float32)
        X *= np.linspace(1, 0.05, self.columns, dtype=np.float32)
        X *= np.exp(rng.standard_normal((self.candidates, 1), dtype=np.float32) / 2)
        return X


@dataclass(frozen=True)
class QualityCase:
    matrix: str
    rank: int
    matrix_seeds: int
    seeds: int

    @property
    def label(self) -> str:
        return f"{self.matrix}, k={self.rank}"


@dataclass(frozen=True)
class GradientCase:
    """Per-sample gradients in float32, stored by rows."""

    samples: int
    parameters: int
    size: int

    @property
    def label(self) -> str:
        return f"{self.samples} gradients of {self.parameters} parameters, {self.size} columns"

    def make(self, held: int) -> NDArray[np.float32]:
        """The first of them; rows are rotations of one, which is faster than drawing all."""
        row = np.random.default_rng(0).standard_normal(self.parameters, np.float32)
        G = np.empty((held, self.parameters), np.float32)
        for i in range(held):
            G[i] = np.roll(row, 37 * i)
        return G


A = Matrix("a", 4000, 4000, "exp", 500)
B = Matrix("b", 20000, 2000, "inverse", 2000)
C = Matrix("c", 100000, 512, "inverse", 512)
D = Matrix("d", 200000, 20000, "sparse", 2_000_000)
SMALL_A = Matrix("a", 400, 400, "exp", 400)
SMALL_D = Matrix("d", 4000, 800, "sparse", 16000)


def interp_cases(small: bool) -> list[InterpCase]:
    if small:
        return [InterpCase(SMALL_A, 40), InterpCase(SMALL_D, 20)]
    return [InterpCase(matrix, k) for matrix in (A, B, C, D) for k in (100, 400)]


def svd_cases(small: bool) -> list[InterpCase]:
    if small:
        return [InterpCase(SMALL_A, 40), InterpCase(SMALL_D, 20)]
    return [InterpCase(matrix, k) for matrix in (A, C, D) for k in (100, 400)]


def batch_cases(small: bool) -> list[BatchCase]:
    if small:
        return [BatchCase(8, 40, 30, 5)]
    return [BatchCase(1000, 100, 64, 10), BatchCase(200, 400, 300, 10)]


def qr_cases(small: bool) -> list[QRCase]:
    if small:
        return [QRCase(SMALL_A, 40), QRCase(SMALL_A, 400)]
    return [QRCase(A, 200), QRCase(A, 4000), QRCase(B, 2000), QRCase(C, 512)]


def cur_cases(small: bool) -> list[InterpCase]:
    if small:
        return [InterpCase(SMALL_A, 40), InterpCase(SMALL_D, 20)]
    return [*(InterpCase(A, k) for k in (100, 200, 400)), InterpCase(C, 100), InterpCase(D, 100)]


def angle_cases(small: bool) -> list[InterpCase]:
    return [InterpCase(SMALL_A, 20)] if small else [InterpCase(A, 100), InterpCase(C, 100)]


def sketch_cases(small: bool) -> list[SketchCase]:
    if small:
        kinds = (("float64", "C"), ("complex64", "F"))
        return [SketchCase(500, 300, dtype, order, 64) for dtype, order in kinds]
    dtypes = ("float32", "float64", "complex64", "complex128")
    square = [SketchCase(4000, 4000, dtype, order, 512) for dtype in dtypes for order in "CF"]
    return [*square, SketchCase(100000, 512, "float64", "C", 512)]


def pivot_cases(small: bool, full: bool) -> list[PivotCase]:
    """The sizes of the published table that leave room for the copies."""
    if small:
        return [PivotCase(2000, 50)]
    cases = [PivotCase(32_000, 1000), PivotCase(512_000, 100), PivotCase(1_024_000, 40)]
    return [*cases, PivotCase(512_000, 500)] if full else cases


def kernel_cases(small: bool) -> list[KernelCase]:
    if small:
        return [KernelCase(600, 4, 40, True), KernelCase(800, 4, 40, False)]
    stored = [KernelCase(4000, 4, k, True) for k in (100, 400)]
    return [*stored, *(KernelCase(50_000, 8, k, False) for k in (200, 1000))]


def alternation_cases(small: bool) -> list[AlternationCase]:
    return [
        AlternationCase(blas, 200, call, 5 if small else 100)
        for blas in ("numpy", "scipy")
        for call in ("interpolative", "Gaussian sketch")
    ]


def chunk_cases(small: bool) -> list[ChunkCase]:
    """Growing, so that memory can be seen not to."""
    if small:
        return [ChunkCase(4000, 200, 500, 10)]
    return [ChunkCase(m, 1000, 8000, 50) for m in (100_000, 200_000, 400_000)]


def dask_cases(small: bool) -> list[ChunkCase]:
    if small:
        return [ChunkCase(4000, 200, 500, 10, dask=True)]
    return [ChunkCase(160_000, 2000, 4000, 50, dask=True)]


def selection_cases(small: bool) -> list[SelectionCase]:
    if small:
        return [SelectionCase(3000, 24, 100)]
    return [SelectionCase(100_000, 128, 1000), SelectionCase(1_000_000, 256, 10_000)]


def gradient_cases(small: bool) -> list[GradientCase]:
    return [GradientCase(48, 20_000, 64)] if small else [GradientCase(2048, 1_000_000, 512)]


def quality_cases(small: bool, full: bool) -> list[QualityCase]:
    names = ("exp", "gmm", "scaled_columns") if small else tuple(MATRICES)
    ranks = (10, 40) if small else (10, 40, 100)
    seeds = (1, 2) if small else (5, 20) if full else (3, 5)
    return [QualityCase(name, k, *seeds) for name in names for k in ranks]
