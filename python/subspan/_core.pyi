"""The compiled module.

One set of source and result classes per dtype (S, D, C, Z), which share a base here and nothing at run
time; `nox -s stubs` compares the rest with the module.
"""

from collections.abc import Callable
from typing import Any, type_check_only

import numpy as np
from numpy.typing import NDArray

counter_layout_version: int

class SketchOperator:
    def __init__(
        self,
        kind: int,
        size: int,
        dim: int,
        nnz: int,
        seed: int,
        operand: int = 0,
        repetition: int = 0,
    ) -> None: ...
    def columns(self, first: int, count: int) -> SketchOperator: ...
    @property
    def size(self) -> int: ...
    @property
    def dim(self) -> int: ...
    @property
    def isometry_scale(self) -> float: ...

@type_check_only
class Source:
    @property
    def shape(self) -> tuple[int, int]: ...

class SourceS(Source): ...
class SourceD(Source): ...
class SourceC(Source): ...
class SourceZ(Source): ...

@type_check_only
class Skeleton:
    @property
    def rank(self) -> int: ...
    @property
    def stop(self) -> int: ...
    @property
    def passes(self) -> int: ...
    @property
    def norm2(self) -> float: ...
    @property
    def sketch_cols(self) -> int: ...
    @property
    def permutation(self) -> NDArray[np.int64]: ...
    @property
    def history(self) -> list[tuple[int, float, bool, int, int]]: ...
    def coefficients(
        self, source: Source, mode: int, tolerance: float, out: NDArray[Any]
    ) -> float: ...
    def probe_gram(self, W: NDArray[Any], out: NDArray[Any]) -> None: ...

class SkeletonS(Skeleton): ...
class SkeletonD(Skeleton): ...
class SkeletonC(Skeleton): ...
class SkeletonZ(Skeleton): ...

@type_check_only
class Range:
    @property
    def size(self) -> int: ...
    @property
    def passes(self) -> int: ...
    @property
    def norm2(self) -> float: ...
    @property
    def probe_norm2(self) -> float: ...
    @property
    def residual2(self) -> float: ...
    @property
    def leave_one_out(self) -> float: ...
    @property
    def stop(self) -> int: ...
    @property
    def history(self) -> list[tuple[int, float, bool, int, int]]: ...
    def basis(self, out: NDArray[Any]) -> None: ...
    def singular_values(self) -> NDArray[Any]: ...
    def vectors(self, U: NDArray[Any], Vh: NDArray[Any]) -> None: ...
    def residual_gram(self, out: NDArray[Any]) -> None: ...

class RangeS(Range): ...
class RangeD(Range): ...
class RangeC(Range): ...
class RangeZ(Range): ...

def blas_from_library(path: str, source: str, load: bool) -> bool: ...
def blas_from_capsules(capsules: dict[str, Any], path: str) -> None: ...
def config() -> dict[str, Any]: ...
def set_thread_limit(threads: int) -> None: ...
def dense_source(A: NDArray[Any]) -> Source: ...
def sparse_source(
    values: NDArray[Any],
    row_indices: NDArray[np.int64],
    starts: NDArray[np.int64],
    rows: int,
    cols: int,
) -> Source: ...
def operator_source_S(
    rows: int,
    cols: int,
    multiply: Callable[..., None],
    multiply_transpose: Callable[..., None],
    sketch: Callable[..., None] | None = None,
    gather: Callable[..., None] | None = None,
) -> SourceS: ...
def operator_source_D(
    rows: int,
    cols: int,
    multiply: Callable[..., None],
    multiply_transpose: Callable[..., None],
    sketch: Callable[..., None] | None = None,
    gather: Callable[..., None] | None = None,
) -> SourceD: ...
def operator_source_C(
    rows: int,
    cols: int,
    multiply: Callable[..., None],
    multiply_transpose: Callable[..., None],
    sketch: Callable[..., None] | None = None,
    gather: Callable[..., None] | None = None,
) -> SourceC: ...
def operator_source_Z(
    rows: int,
    cols: int,
    multiply: Callable[..., None],
    multiply_transpose: Callable[..., None],
    sketch: Callable[..., None] | None = None,
    gather: Callable[..., None] | None = None,
) -> SourceZ: ...
def sketch_pass(
    source: Source,
    S: SketchOperator,
    SA: NDArray[Any],
    G: SketchOperator,
    GA: NDArray[Any],
    norms2: NDArray[np.float64],
) -> None: ...
def column_norms2(source: Source, out: NDArray[np.float64], progress: Any = None) -> None: ...
def orthonormalize(A: NDArray[Any]) -> None: ...
def multiply_transpose(source: Source, X: NDArray[Any], out: NDArray[Any]) -> None: ...
def gather_columns(source: Source, J: NDArray[np.int64], out: NDArray[Any]) -> None: ...
def sketch(S: SketchOperator, source: Source, out: NDArray[Any], progress: Any = None) -> None: ...
def sketch_adjoint(S: SketchOperator, X: NDArray[Any], out: NDArray[Any]) -> None: ...
def sketch_tile(S: SketchOperator, i0: int, p0: int, out: NDArray[Any]) -> None: ...
def sampled_rows(S: SketchOperator, order: int) -> NDArray[np.int64]: ...
def transform_signs(S: SketchOperator) -> NDArray[np.float64]: ...
def sampling_uniforms(S: SketchOperator) -> NDArray[np.float64]: ...
def select(
    source: Source,
    method: str,
    *,
    rank: int,
    tolerance: float,
    relative: float,
    block: int,
    fixed_block: bool,
    sketch: SketchOperator,
    pivot_rows: int,
    probe: SketchOperator,
    seed: int,
    want_norms: bool,
    variant: float,
    keep_basis: bool = False,
    progress: Callable[[], None] | None,
) -> Skeleton: ...
def truncated_qr(
    skeleton: Skeleton, source: Source, tolerance: float, Q: NDArray[Any], R: NDArray[Any]
) -> float: ...
def qr_probe_gram(
    skeleton: Skeleton, G: SketchOperator, Q: NDArray[Any], R: NDArray[Any], out: NDArray[Any]
) -> None: ...
def cur(
    skeleton: Skeleton,
    source: Source,
    transposed: Source,
    core: int,
    tolerance: float,
    Qc: NDArray[Any],
    Rc: NDArray[Any],
    M: NDArray[Any],
    Qr: NDArray[Any],
    Rr: NDArray[Any],
) -> tuple[NDArray[np.int64], float]: ...
def cur_probe_gram(
    skeleton: Skeleton,
    G: SketchOperator,
    Qc: NDArray[Any],
    M: NDArray[Any],
    Qr: NDArray[Any],
    out: NDArray[Any],
) -> None: ...
def blocked_qr(
    source: Source,
    block: int,
    G: SketchOperator,
    Q: NDArray[Any],
    R: NDArray[Any],
    progress: Callable[[], None] | None,
) -> tuple[NDArray[np.int64], float, float]: ...
def find_range(
    source: Source,
    transposed: Source,
    *,
    size: int,
    block: int,
    power_iterations: int,
    krylov: bool,
    project: bool,
    to_tolerance: bool,
    tolerance: float,
    relative: float,
    probe_factor: float,
    sketch: SketchOperator,
    probe: SketchOperator,
    want_norms: bool,
    progress: Callable[[], None] | None,
) -> Range: ...
def factor_whole(
    source: Source, transposed: Source, progress: Callable[[], None] | None
) -> Range: ...

@type_check_only
class Cholesky:
    @property
    def rank(self) -> int: ...
    @property
    def stop(self) -> int: ...
    @property
    def entries(self) -> int: ...
    @property
    def pivots(self) -> NDArray[np.int64]: ...
    @property
    def history(self) -> list[tuple[int, float, bool, int, int]]: ...
    def factor(self, out: NDArray[Any]) -> None: ...

class CholeskyS(Cholesky): ...
class CholeskyD(Cholesky): ...
class CholeskyC(Cholesky): ...
class CholeskyZ(Cholesky): ...

def pivoted_cholesky(
    source: Source,
    diagonal: NDArray[np.float64],
    *,
    pivots: int,
    rank: int,
    tolerance: float,
    block: int,
    seed: int,
    progress: Callable[[], None] | None,
) -> Cholesky: ...
def pivoted_cholesky_of_oracle_S(
    entries: Callable[[NDArray[np.int64] | None, NDArray[np.int64], NDArray[Any]], None],
    diagonal: NDArray[np.float64],
    *,
    pivots: int,
    rank: int,
    tolerance: float,
    block: int,
    seed: int,
    progress: Callable[[], None] | None,
) -> CholeskyS: ...
def pivoted_cholesky_of_oracle_D(
    entries: Callable[[NDArray[np.int64] | None, NDArray[np.int64], NDArray[Any]], None],
    diagonal: NDArray[np.float64],
    *,
    pivots: int,
    rank: int,
    tolerance: float,
    block: int,
    seed: int,
    progress: Callable[[], None] | None,
) -> CholeskyD: ...
def pivoted_cholesky_of_oracle_C(
    entries: Callable[[NDArray[np.int64] | None, NDArray[np.int64], NDArray[Any]], None],
    diagonal: NDArray[np.float64],
    *,
    pivots: int,
    rank: int,
    tolerance: float,
    block: int,
    seed: int,
    progress: Callable[[], None] | None,
) -> CholeskyC: ...
def pivoted_cholesky_of_oracle_Z(
    entries: Callable[[NDArray[np.int64] | None, NDArray[np.int64], NDArray[Any]], None],
    diagonal: NDArray[np.float64],
    *,
    pivots: int,
    rank: int,
    tolerance: float,
    block: int,
    seed: int,
    progress: Callable[[], None] | None,
) -> CholeskyZ: ...

@type_check_only
class Eigenpairs:
    @property
    def passes(self) -> int: ...
    @property
    def norm2(self) -> float: ...
    @property
    def probe_norm2(self) -> float: ...
    @property
    def residual2(self) -> float: ...
    @property
    def shift(self) -> float: ...
    @property
    def values(self) -> NDArray[np.float64]: ...
    def vectors(self, out: NDArray[Any]) -> None: ...
    def residual_gram(self, out: NDArray[Any]) -> None: ...

class EigenpairsS(Eigenpairs): ...
class EigenpairsD(Eigenpairs): ...
class EigenpairsC(Eigenpairs): ...
class EigenpairsZ(Eigenpairs): ...

def find_eigenpairs(
    source: Source,
    transposed: Source,
    *,
    method: str,
    size: int,
    rank: int,
    power_iterations: int,
    semidefinite: bool,
    sketch: SketchOperator,
    probe: SketchOperator,
    want_norms: bool,
    progress: Callable[[], None] | None,
) -> Eigenpairs: ...

@type_check_only
class SketchedTwice:
    @property
    def passes(self) -> int: ...
    @property
    def norm2(self) -> float: ...
    @property
    def probe_norm2(self) -> float: ...
    def singular_values(self) -> NDArray[Any]: ...
    def vectors(self, U: NDArray[Any], Vh: NDArray[Any], probe_gram: NDArray[Any]) -> None: ...

class SketchedTwiceS(SketchedTwice): ...
class SketchedTwiceD(SketchedTwice): ...
class SketchedTwiceC(SketchedTwice): ...
class SketchedTwiceZ(SketchedTwice): ...

def generalized_nystrom(
    source: Source,
    transposed: Source,
    *,
    omega: SketchOperator,
    psi: SketchOperator,
    probe: SketchOperator,
    want_norms: bool,
    progress: Callable[[], None] | None,
) -> SketchedTwice: ...
def svd_batch(
    A: NDArray[Any],
    *,
    size: int,
    power_iterations: int,
    full: bool,
    sketch: SketchOperator,
    probe: SketchOperator,
    Ut: NDArray[Any],
    s: NDArray[Any],
    Vh: NDArray[Any],
    facts: NDArray[np.float64],
    progress: Callable[[], None] | None,
) -> None: ...

class Choice:
    def __init__(
        self,
        method: str,
        *,
        rank: int,
        sketch: SketchOperator,
        pivot_rows: int,
        probe: SketchOperator,
        seed: int,
        block: int,
        variant: float,
        keep_basis: bool,
    ) -> None: ...

def interp_batch(
    A: NDArray[Any],
    choice: Choice,
    *,
    mode: int,
    indices: NDArray[np.int64],
    W: NDArray[Any],
    facts: NDArray[np.float64],
    progress: Callable[[], None] | None,
) -> None: ...
def qr_batch(
    A: NDArray[Any],
    choice: Choice,
    *,
    piv: NDArray[np.int64],
    Qt: NDArray[Any],
    R: NDArray[Any],
    facts: NDArray[np.float64],
    progress: Callable[[], None] | None,
) -> None: ...

class CubeFlight:
    def __init__(self, constraints: int) -> None: ...
    @property
    def landing_uniforms(self) -> int: ...
    def enter(
        self,
        rows: NDArray[np.float64],
        units: NDArray[np.int64],
        uniforms: NDArray[np.float64],
        pi: NDArray[np.float64],
        progress: Callable[[], None] | None = None,
    ) -> None: ...
    def land(self, uniforms: NDArray[np.float64], pi: NDArray[np.float64]) -> None: ...
