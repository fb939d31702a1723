"""Every routine keeps the same promises for every dtype, layout and kind of input.

One row of `ROUTINES` says how a routine is called, what its factors look like and how close to the best
it must come; the tests know nothing else about it. Expected errors come from numpy's own singular values.
"""

import dataclasses
import pickle
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
import subspan

M, N, K = 44, 36, 7
DTYPES = ("float32", "float64", "complex64", "complex128", "int32", "int8", "bool", "float16")
WORKING = {"int32": "float64", "int8": "float64", "bool": "float64", "float16": "float32"}


# ----------------------------------------------------------------------------------------------
# The routines


@dataclasses.dataclass(frozen=True)
class Routine:
    """How to call a routine, and what it promises.

    `factors` maps the result and the host matrix to arrays whose product is the approximation; `shapes`
    says, in terms of (m, n, k), what unpacking gives. `near` times the best error of that rank is allowed.
    """

    call: Callable
    shapes: Callable
    near: float
    symmetric: str = ""  # "", "hermitian" or "psd"
    tolerance: bool = True
    operators: bool = True


def _id(axis):
    return lambda A, rank=None, **o: subspan.interpolative(A, rank, axis=axis, **o)


ROUTINES = {
    "interpolative": Routine(_id(1), lambda m, n, k: [(k,), (k, n)], 4),
    "interpolative rows": Routine(_id(0), lambda m, n, k: [(k,), (m, k)], 4),
    "interpolative two-sided": Routine(_id(None), None, 8),
    "cur": Routine(subspan.cur, lambda m, n, k: [(m, k), (k, k), (k, n)], 4),
    "svd": Routine(subspan.svd, lambda m, n, k: [(m, k), (k,), (k, n)], 1.1),
    "svd of a sketch": Routine(
        lambda A, rank=None, **o: subspan.svd(A, rank, method="subspace", **o),
        lambda m, n, k: [(m, k), (k,), (k, n)],
        1.5,
    ),
    "block Krylov": Routine(
        lambda A, rank=None, **o: subspan.svd(A, rank, method="block_krylov", **o),
        lambda m, n, k: [(m, k), (k,), (k, n)],
        1.5,
        tolerance=False,
    ),
    "qr": Routine(subspan.qr, lambda m, n, k: [(m, k), (k, n), (n,)], 4),
    "range_finder": Routine(subspan.range_finder, lambda m, n, k: [(m, k)], 1.5),
    "generalized_nystrom": Routine(
        subspan.generalized_nystrom,
        lambda m, n, k: [(m, k), (k,), (k, n)],
        4,
        tolerance=False,
    ),
    "eigh": Routine(
        subspan.eigh, lambda m, n, k: [(k,), (m, k)], 1.5, "hermitian", tolerance=False
    ),
    "eigh of a sketch": Routine(
        lambda A, rank, **o: subspan.eigh(A, rank, method="subspace", **o),
        lambda m, n, k: [(k,), (m, k)],
        1.5,
        "hermitian",
        tolerance=False,
    ),
    "nystrom": Routine(
        lambda A, rank, **o: subspan.eigh(A, rank, psd=True, method="nystrom", **o),
        lambda m, n, k: [(k,), (m, k)],
        1.5,
        "psd",
        tolerance=False,
    ),
    "pivoted_cholesky": Routine(
        subspan.pivoted_cholesky,
        lambda m, n, k: [(m, k), (k,)],
        6,
        "psd",
        operators=False,
    ),
}
each_routine = pytest.mark.parametrize("name", ROUTINES)
to_tolerance = pytest.mark.parametrize("name", [n for n, r in ROUTINES.items() if r.tolerance])


def matrix(name, dtype="float64", shape=(M, N), seed=0):
    """A matrix that suits the routine, of slowly decaying spectrum, in any dtype."""
    dtype, rng = np.dtype(dtype), np.random.default_rng(seed)
    symmetric = ROUTINES[name].symmetric
    m, n = shape
    if symmetric:
        n = m
        if dtype.kind == "b":  # "is in the same class as": semidefinite
            label = rng.integers(0, max(1, m // 3), m)
            return label[:, None] == label

    def entries(*size):
        X = rng.standard_normal(size)
        return X + 1j * rng.standard_normal(size) if dtype.kind == "c" else X

    s = 0.8 ** np.arange(min(m, n))
    if symmetric:
        Q = np.linalg.qr(entries(m, m))[0]
        A = (Q * (s if symmetric == "psd" else s * rng.choice([-1, 1], m))) @ Q.conj().T
        A = (A + A.conj().T) / 2
    else:
        U, V = (np.linalg.qr(entries(size, len(s)))[0] for size in (m, n))
        A = (U * s) @ V.conj().T
    if dtype.kind == "b":
        return np.quantile(A, 0.7) < A if A.size else A.astype(bool)
    if dtype.kind == "i":
        A = np.rint(100 * A)
        if symmetric == "psd":  # rounding is no longer semidefinite
            A += 8 * np.eye(m)
    return A.astype(dtype)


# ----------------------------------------------------------------------------------------------
# What is checked


def host(x):
    """A factor of any library, dense, as numpy's."""
    x = x.to_dense() if getattr(x, "is_sparse", False) else x
    return np.asarray(x.toarray() if scipy.sparse.issparse(x) else x)


def approximation(name, r, A):
    """The approximation from the factors that unpacking gives, not from ``toarray``."""
    A = A.astype(WORKING.get(A.dtype.name, A.dtype.name))
    if name == "interpolative":
        J, W = map(host, r)
        return A[:, J] @ W
    if name == "interpolative rows":
        I, Z = map(host, r)  # noqa: E741
        return Z @ A[I]
    if name == "interpolative two-sided":
        (I, J), (Z, W) = r  # noqa: E741
        return host(Z) @ A[np.ix_(host(I), host(J))] @ host(W)
    if name == "cur":  # U itself is as ill-conditioned as C and R, the result is not
        np.testing.assert_array_equal(host(r.C), A[:, host(r.columns)])
        np.testing.assert_array_equal(host(r.R), A[host(r.rows)])
        return host(r.left) @ host(r.middle) @ host(r.right)
    parts = [host(part) for part in r]
    if name == "qr":
        Q, R, piv = parts
        out = np.empty((Q.shape[0], R.shape[1]), R.dtype)
        out[:, piv] = Q @ R
        return out
    if name == "range_finder":
        return parts[0] @ (parts[0].conj().T @ A)
    if name in ("eigh", "eigh of a sketch", "nystrom"):
        w, V = parts
        return (V * w) @ V.conj().T
    if name == "pivoted_cholesky":
        return parts[0] @ parts[0].conj().T
    U, s, Vh = parts
    return (U * s) @ Vh


def size_of(E, norm):
    if E.size == 0:
        return 0.0
    s = np.linalg.svd(E, compute_uv=False)
    return {"fro": np.sqrt((s**2).sum()), "spectral": s[0], "nuclear": s.sum()}[norm]


def check(name, r, A, k=None):
    """Shapes, precision, and an error below the certificate and near the best."""
    routine, norm = ROUTINES[name], r.error.norm
    dtype = np.dtype(WORKING.get(A.dtype.name, A.dtype.name))
    (m, n), rank = A.shape, r.rank
    if k is not None:
        assert rank <= k
    if routine.shapes is not None:
        parts = list(r)
        assert [tuple(part.shape) for part in parts] == routine.shapes(m, n, rank)
        for part in parts:
            kind = host(part).dtype
            real = np.zeros(0, dtype).real.dtype
            narrow = type(part).__module__.startswith("jax") and real == np.float32
            assert kind in {dtype, real, np.dtype(np.int32 if narrow else np.int64)}
    wide = A.astype(np.result_type(dtype, np.float64))
    size = size_of(wide, norm)
    found = approximation(name, r, A)
    assert found.dtype == dtype
    left = size_of(wide - found, norm)
    slack = 30 * np.finfo(dtype).eps * size_of(wide, "nuclear")  # of the product made here
    assert left <= r.error.upper + slack
    assert r.error.value <= r.error.upper
    if r.error.kind == "exact":
        assert abs(left - r.error.value) <= r.error.upper - r.error.value + slack
        assert r.error.failure_probability == 0
    s = np.linalg.svd(wide, compute_uv=False) if A.size else np.zeros(1)
    best = {
        "fro": np.sqrt((s[rank:] ** 2).sum()),
        "spectral": s[rank] if rank < len(s) else 0.0,
        "nuclear": s[rank:].sum(),
    }[norm]
    assert left <= routine.near * best + slack
    ratio = r.error.value / size if size > 0 else 0.0
    assert r.error.relative == pytest.approx(ratio, rel=0.6, abs=1e-30)
    assert isinstance(r.plan, subspan.Plan)
    assert str(r.plan)
    assert isinstance(r.seed, int)
    assert isinstance(r.converged, bool)
    assert r.stop_reason in ("rank", "tolerance", "exhausted")
    return found


def same(first, second):
    """Bit for bit."""
    for one, other in zip(first, second, strict=True):
        if isinstance(one, tuple):
            same(one, other)
        else:
            np.testing.assert_array_equal(host(one), host(other))


# ----------------------------------------------------------------------------------------------
# Dtypes, layouts, shapes


@each_routine
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(name, dtype):
    A = matrix(name, dtype)
    before, call = A.copy(), ROUTINES[name].call
    r = call(A, K, rng=3)
    np.testing.assert_array_equal(A, before)
    check(name, r, A, K)
    assert r.rank == K
    same(r, call(A, K, rng=3))
    same(r, call(A, K, rng=r.seed))
    assert r.seed == 3


def _inside(A, rows, columns):
    """A as a part of a larger array, every `rows`-th row and `columns`-th column of it."""
    big = np.full((A.shape[0] * abs(rows) + 3, A.shape[1] * abs(columns) + 2), 99).astype(A.dtype)
    view = big[1 : 1 + A.shape[0] * abs(rows), 1 : 1 + A.shape[1] * abs(columns)]
    view = view[:: abs(rows), :: abs(columns)][:: np.sign(rows), :: np.sign(columns)]
    view[...] = A
    return view


def _misaligned(A):
    memory = np.zeros(A.nbytes + 1, np.int8)
    view = memory[1:].view(A.dtype).reshape(A.shape)
    view[...] = A
    assert not view.flags.aligned
    return view


def _read_only(A):
    A = A.copy()
    A.flags.writeable = False
    return A


LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "leading dimension": lambda A: _inside(A, 1, 1),
    "leading dimension F": lambda A: _inside(A.T, 1, 1).T,
    "every second row": lambda A: _inside(A, 2, 1),
    "every second column": lambda A: _inside(A, 1, 2),
    "negative rows": lambda A: _inside(A, -1, 1),
    "negative both": lambda A: _inside(A, -2, -2),
    "read-only": _read_only,
    "misaligned": _misaligned,
    "big-endian": lambda A: A.astype(A.dtype.newbyteorder(">")),
    "matrix": lambda A: A.view(type("Sub", (np.ndarray,), {})),
}


@each_routine
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(name, layout):
    A = matrix(name, "complex64" if layout != "negative both" else "float64")
    view, call = LAYOUTS[layout](A), ROUTINES[name].call
    base = view.base
    before = None if base is None else np.array(base, copy=True)
    r = call(view, K, rng=0)
    assert base is None or np.array_equal(base, before)
    np.testing.assert_array_equal(np.asarray(view), A)
    found, expected = check(name, r, A, K), approximation(name, call(A, K, rng=0), A)
    assert np.abs(found - expected).max() <= 1e3 * np.finfo(A.dtype).eps * np.abs(A).max()


@each_routine
@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (1, 1), (2, 9), (9, 2), (40, 39)])
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_thin(name, shape, dtype):
    A = matrix(name, dtype, shape)
    k = min(A.shape)
    for rank in {1, k}:
        r = ROUTINES[name].call(A, rank, rng=1)
        check(name, r, A, rank)
        assert r.rank == rank
    assert ROUTINES[name].call(A, 0, rng=1).error.relative == pytest.approx(1)


def test_cur_multiplies_through_its_core():
    A = matrix("cur")
    C, U, R = subspan.cur(A, K, rng=0)
    close = subspan.cur(A, K, rng=0).toarray()
    np.testing.assert_allclose(C @ U @ R, close, atol=1e-12)


@each_routine
@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (3, 4)])
def test_nothing(name, shape):
    """No entries, or rank 0."""
    if ROUTINES[name].symmetric:
        shape = (shape[0], shape[0])
    A = matrix(name, "complex64", shape)
    r = ROUTINES[name].call(A, 0, rng=1)
    assert r.rank == 0
    assert r.converged
    check(name, r, A, 0)
    if ROUTINES[name].tolerance:
        r = ROUTINES[name].call(A, rtol=1e-2, rng=1)
        assert r.converged
        assert (r.rank == 0) == (A.size == 0)


BATCHES = ("interpolative", "interpolative rows", "svd", "svd of a sketch", "qr")


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lead", [(3,), (2, 1), (1,), (0,)])
def test_batches(name, dtype, lead):
    each = [matrix(name, dtype, seed=seed) for seed in range(int(np.prod(lead)))]
    A = np.array(each, dtype).reshape((*lead, M, N))
    before = A.copy()
    for k in (0, K):
        r = ROUTINES[name].call(A, k, rng=0)
        assert r.rank == k
        assert r.shape == A.shape
        np.testing.assert_array_equal(A, before)
        dense = r.toarray().reshape((len(each), M, N))
        facts = (r.error.value.ravel(), r.error.upper.ravel(), r.error.relative.ravel())
        for B, found, value, upper, relative in zip(each, dense, *facts, strict=True):
            wide = B.astype(np.result_type(B, np.float64))
            s = np.linalg.svd(wide, compute_uv=False)
            left, rounding = size_of(wide - found, "fro"), 30 * np.finfo(found.dtype).eps * s.sum()
            assert left <= min(upper, ROUTINES[name].near * np.linalg.norm(s[k:])) + rounding
            assert relative == pytest.approx(value / np.linalg.norm(s), rel=1e-4)


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("shape", [(2, 0, 5), (2, 5, 0), (0, 0, 0), (0, 4, 5)])
def test_batches_of_nothing(name, shape):
    for k in {0, min(shape[1:])}:
        r = ROUTINES[name].call(np.ones(shape, np.float32), k, rng=0)
        assert r.shape == shape
        assert r.rank == k
        assert r.converged


# ----------------------------------------------------------------------------------------------
# Kinds of input


def _torch(A):
    return pytest.importorskip("torch").from_numpy(A.copy())


def _torch_sparse(layout):
    def make(A):
        tensor = _torch(A)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "sparse CSR is in beta"
            return getattr(tensor, layout)()

    return make


def _jax(A):
    return pytest.importorskip("jax").device_put(A.astype(np.dtype(A.dtype.char.lower()).name))


def _memmap(A, folder):
    out = np.memmap(folder / "A.bin", A.dtype, "w+", shape=A.shape)
    out[...] = A
    out.flush()
    return np.memmap(folder / "A.bin", A.dtype, "r", shape=A.shape)


def _h5py(A, folder):
    file = pytest.importorskip("h5py").File(folder / "A.h5", "w")
    return file.create_dataset("A", data=A, chunks=(10, 7))


def _zarr(A, folder):
    zarr = pytest.importorskip("zarr")
    out = zarr.create_array(
        store=str(folder / "A.zarr"), shape=A.shape, chunks=(10, 7), dtype=A.dtype
    )
    out[...] = A
    return out


def _dask(A):
    return pytest.importorskip("dask.array").from_array(A, chunks=(13, 11))


class _Operator(scipy.sparse.linalg.LinearOperator):
    """Products of single vectors only."""

    def __init__(self, A):
        super().__init__(A.dtype, A.shape)
        self.A = A

    def _matvec(self, x):
        return self.A @ x.ravel()

    def _rmatvec(self, x):
        return self.A.conj().T @ x.ravel()


FORMATS = ("csc", "csr", "coo", "bsr", "dia", "dok", "lil")
KINDS = {
    **{f"{f} array": getattr(scipy.sparse, f + "_array") for f in FORMATS},
    **{f"{f} matrix": getattr(scipy.sparse, f + "_matrix") for f in FORMATS},
    "aslinearoperator": scipy.sparse.linalg.aslinearoperator,
    "LinearOperator": _Operator,
    "list": lambda A: A.tolist(),
    "chunks": lambda A: subspan.chunks([A[:9], A[9:10], A[10:]]),
    "chunk callable": lambda A: subspan.chunks(lambda: iter([A[:30], A[30:]])),
    "sparse chunks": lambda A: subspan.chunks([scipy.sparse.csr_array(A[:20]), A[20:]]),
    "torch": _torch,
    "torch coo": _torch_sparse("to_sparse"),
    "torch csr": _torch_sparse("to_sparse_csr"),
    "torch csc": _torch_sparse("to_sparse_csc"),
    "jax": _jax,
    "dask": _dask,
    "memmap": _memmap,
    "h5py": _h5py,
    "zarr": _zarr,
}
ON_DISK = ("memmap", "h5py", "zarr")
BY_PRODUCTS = ("operator", "chunk", "dask", "h5py", "zarr")


def given(kind, A, folder):
    """A as this kind of input; slow formats announce their conversion."""
    return KINDS[kind](A, folder) if kind in ON_DISK else KINDS[kind](A)


def by_products(kind):
    return any(word in kind.lower() for word in BY_PRODUCTS)


@pytest.mark.host_only
@each_routine
@pytest.mark.parametrize("kind", KINDS)
def test_kinds(name, kind, tmp_path):
    routine = ROUTINES[name]
    dtype = "float32" if kind in ("jax", "memmap") else "complex128"
    A = matrix(name, dtype)
    A[np.abs(A) < 0.3 * np.median(np.abs(A))] = 0
    if routine.symmetric == "psd":
        A += np.eye(M, dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scipy.sparse.SparseEfficiencyWarning)  # of SciPy's making
        X = given(kind, A, tmp_path)
    if by_products(kind) and not routine.operators:
        with pytest.raises(TypeError, match="K "):
            routine.call(X, K, rng=0)
        return
    if kind.split()[0] in ("dok", "lil"):
        with pytest.warns(UserWarning, match="converted once") as told:
            r = routine.call(X, K, rng=0)
        assert len(told) == 1
        assert told[0].filename == __file__
    else:
        r = routine.call(X, K, rng=0)
    check(name, r, A, K)
    assert r.rank == K
    library = {"torch": "torch", "jax": "jax"}.get(kind.split()[0], "")
    part = next(iter(r))
    part = part[0] if isinstance(part, tuple) else part
    found = type(part).__module__.partition(".")[0]
    assert found.startswith(library) if library else found in ("numpy", "scipy")
    if scipy.sparse.issparse(X):
        assert (abs(X - scipy.sparse.csc_array(A))).max() == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        same(r, routine.call(X, K, rng=0))


# ----------------------------------------------------------------------------------------------
# Results


@pytest.mark.host_only
@each_routine
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_results_act_as_operators(name, dtype, rng):
    A = matrix(name, dtype)
    m, n = A.shape
    r = ROUTINES[name].call(A, K, rng=0)
    if name == "range_finder":
        assert len(r) == 1
        return
    dense = approximation(name, r, A)
    close = {"rtol": 0, "atol": 200 * np.finfo(dense.dtype).eps * np.abs(dense).sum()}
    assert r.shape == A.shape
    assert r.dtype == A.dtype
    np.testing.assert_allclose(r.toarray(), dense, **close)
    np.testing.assert_allclose(r.T.toarray(), dense.T, **close)
    for x in (rng.standard_normal(n), rng.standard_normal((n, 3)), 1j * rng.standard_normal(n)):
        x = x.astype(np.result_type(dtype, np.complex64 if np.iscomplexobj(x) else np.float32))
        np.testing.assert_allclose(r @ x, dense @ x, **close)
        np.testing.assert_allclose(r.T.T @ x, dense @ x, **close)
    for x in (rng.standard_normal(m), rng.standard_normal((2, m))):
        x = x.astype(dtype)
        np.testing.assert_allclose(x @ r, x @ dense, **close)
        np.testing.assert_allclose(r.T @ x.T, dense.T @ x.T, **close)
    operator = scipy.sparse.linalg.aslinearoperator(r)
    x, y = rng.standard_normal(n).astype(dtype), rng.standard_normal(m).astype(dtype)
    np.testing.assert_allclose(operator.matvec(x), dense @ x, **close)
    np.testing.assert_allclose(operator.rmatvec(y), dense.conj().T @ y, **close)
    with pytest.raises(ValueError):
        r @ np.ones(n + 1, dtype)
    if name != "pivoted_cholesky":
        exact = r.error_exact(A)
        assert exact.kind == "exact"
        assert exact.value == pytest.approx(size_of(A - dense, "fro"), rel=1e-2)


@pytest.mark.host_only
@each_routine
@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_results_survive_pickles_and_files(name, ending, tmp_path):
    if ending == "safetensors":
        pytest.importorskip("safetensors")
    A = matrix(name, "complex128")
    r = ROUTINES[name].call(A, K, rng=np.random.default_rng(1))
    r.save(tmp_path / f"r.{ending}")
    for back in (subspan.load(tmp_path / f"r.{ending}"), pickle.loads(pickle.dumps(r))):
        assert type(back) is type(r)
        same(r, back)
        assert (back.error, back.seed, back.converged) == (r.error, r.seed, r.converged)
        assert str(back.plan) == str(r.plan)
        assert repr(back) == repr(r)
        assert len(repr(r)) < 160
    assert set(r.to_dict()) >= {"error", "plan", "seed", "converged"}
    with pytest.raises(dataclasses.FrozenInstanceError):
        r.seed = 0


# ----------------------------------------------------------------------------------------------
# Refusals


@each_routine
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("make", ["dense", "F", "sparse", "operator", "chunks"])
def test_not_finite(name, value, make):
    routine = ROUTINES[name]
    A = matrix(name, "float32")
    A[5, 5] = value
    X = {
        "dense": lambda: A,
        "F": lambda: np.asfortranarray(A),
        "sparse": lambda: scipy.sparse.csr_array(A),
        "operator": lambda: _Operator(A),
        "chunks": lambda: subspan.chunks([A[:20], A[20:]]),
    }[make]()
    if make in ("operator", "chunks") and not routine.operators:
        return
    for rank in (0, K) if make != "operator" else (K,):
        with pytest.raises(ValueError, match=r"NaN|nan|inf|finite"):
            routine.call(X, rank, rng=0)
    if routine.tolerance:
        with pytest.raises(ValueError, match=r"NaN|nan|inf|finite"):
            routine.call(X, rtol=1e-2, rng=0)


@pytest.mark.host_only
@each_routine
def test_arguments_are_refused(name):
    call = ROUTINES[name].call
    A = matrix(name)
    for rank in (min(A.shape) + 1, -1, 10**12):
        with pytest.raises(ValueError, match=rf"rank={rank} "):
            call(A, rank)
    for rank in (True, np.True_, 2.0, "2", np.float64(2), [2]):
        with pytest.raises(TypeError, match="rank"):
            call(A, rank)
    with pytest.raises(TypeError, match="rank"):
        call(A, None)
    with pytest.raises(TypeError, match=r"rng|seed"):
        call(A, 2, rng="seed")
    batches = name in BATCHES
    for bad in (A[0], np.float64(1), *([] if batches else [A[None]])):
        with pytest.raises(ValueError, match=r"2-d|square|batch|dimension"):
            call(bad, 0, rng=0)
    with pytest.raises(TypeError, match="dtype"):
        call(A.astype("U8"), 2)
    with pytest.raises(TypeError, match="dtype"):
        call(A.astype(object), 2)
    assert call(A, np.int8(2), rng=0).rank == 2
    if not ROUTINES[name].tolerance:
        return
    for tolerance in ("rtol", "atol"):
        for bad in (-1e-3, np.nan, np.inf):
            with pytest.raises(ValueError, match=tolerance):
                call(A, **{tolerance: bad})
        with pytest.raises(TypeError, match=tolerance):
            call(A, **{tolerance: "small"})


# ----------------------------------------------------------------------------------------------
# Tolerances


@to_tolerance
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("rtol", [0.9, 1e-1, 1e-3])
def test_tolerance_is_honoured(name, dtype, rtol):
    A = matrix(name, dtype)
    r = ROUTINES[name].call(A, rtol=rtol, rng=0)
    assert r.converged
    assert r.stop_reason == "tolerance"
    found = check(name, r, A)
    norm = r.error.norm
    wide = A.astype(np.result_type(A, np.float64))
    assert size_of(wide - found, norm) <= rtol * size_of(wide, norm) * (1 + 1e-4)
    s = np.linalg.svd(wide, compute_uv=False)
    power = 2 if norm == "fro" else 1
    tail = np.cumsum(s[::-1] ** power)[::-1]
    enough = int((tail > rtol**power * tail[0]).sum())
    assert r.rank <= (2 * enough + 32 if name == "range_finder" else 1.5 * enough + 3)
    with pytest.warns(subspan.ToleranceNotMet):
        early = ROUTINES[name].call(A, max(0, enough // 4), rtol=rtol / 2, rng=0)
    assert not early.converged
    check(name, early, A)


@to_tolerance
@pytest.mark.parametrize("rtol", [0.99999, 1.0, 1.5, 100.0])
@pytest.mark.parametrize("pivoting", [None, "lupp", "cpqr", "rbrp", "greedy"])
def test_tolerances_that_nothing_meets_as_well(name, rtol, pivoting):
    """Rank 0 may be the answer."""
    options = {}
    if pivoting is not None:
        if name.startswith(("svd", "range")) or (
            name == "pivoted_cholesky" and pivoting[0] in "lc"
        ):
            return
        options["pivoting"] = pivoting
    A = matrix(name)
    r = ROUTINES[name].call(A, rtol=rtol, rng=0, **options)
    assert r.converged
    found = check(name, r, A)
    assert size_of(A - found, r.error.norm) <= rtol * size_of(A, r.error.norm) * (1 + 1e-6)


@to_tolerance
@pytest.mark.parametrize("norm", ["fro", "spectral"])
def test_absolute_tolerance(name, norm):
    A = 1e3 * matrix(name)
    options = {} if name == "pivoted_cholesky" else {"norm": norm}
    r = ROUTINES[name].call(A, atol=2.0, rng=0, **options)
    assert r.converged
    found = check(name, r, A)
    assert size_of(A - found, r.error.norm) <= 2.0 * (1 + 1e-6)
    same(r, ROUTINES[name].call(A, rtol=1e-9, atol=2.0, rng=0, **options))


@pytest.mark.host_only
@to_tolerance
@pytest.mark.parametrize("kind", ["csr array", "LinearOperator", "chunks", "torch", "dask", "h5py"])
def test_tolerance_is_honoured_for_every_kind(name, kind, tmp_path):
    routine, A = ROUTINES[name], matrix(name)
    if by_products(kind) and not routine.operators:
        return
    r = routine.call(given(kind, A, tmp_path), rtol=1e-2, rng=0)
    assert r.converged
    found = check(name, r, A)
    assert size_of(A - found, r.error.norm) <= 1e-2 * size_of(A, r.error.norm)


def test_safetensors_missing_is_named(monkeypatch, tmp_path, rng):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    r = subspan.svd(rng.standard_normal((5, 4)), 2, rng=0)
    for use in (r.save, subspan.load):
        with pytest.raises(ImportError, match="pip install safetensors"):
            use(tmp_path / "r.safetensors")
