"""Arrays of other libraries: what comes in without a copy, what goes back, what is refused."""

import importlib.util
import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import scipy.sparse
import subspan
from subspan import sketch
from subspan._array import as_array, as_matrix, library_of, to_host
from subspan.source import as_source

DTYPES = ["float32", "float64", "complex64", "complex128"]
INSTALLED = [name for name in ("torch", "jax") if importlib.util.find_spec(name)]


def gaussian(rng, m, n, dtype="float64"):
    A = rng.standard_normal((m, n))
    if np.dtype(dtype).kind == "c":
        A = A + 1j * rng.standard_normal((m, n))
    return A.astype(dtype)


def low_rank(rng, m, n, k, dtype="float64"):
    return gaussian(rng, m, k, dtype) @ gaussian(rng, k, n, dtype)


@pytest.fixture(params=["torch", "jax", "array_api_strict"])
def library(request):
    """An array library with all four dtypes: its name and a function from numpy to it."""
    module = pytest.importorskip(request.param)
    if request.param == "torch":
        yield "torch", lambda A: module.from_numpy(np.array(A))
    elif request.param == "array_api_strict":
        yield "array_api_strict", module.asarray
    else:
        import jax.numpy

        with module.enable_x64(True):
            yield "jax", lambda A: jax.numpy.asarray(A)


def is_array_of(name, x):
    """Tell whether x is an array of this library."""
    kinds = {"torch": "Tensor", "jax": "Array", "array_api_strict": "Array"}
    kind = getattr(sys.modules[name], kinds[name], None) or type(sys.modules[name].zeros(1))
    return isinstance(x, kind)


def check_agrees(name, other, mine):
    """An array of the library with our numbers, up to the rounding of products in another layout."""
    assert is_array_of(name, other)
    found = np.asarray(other)
    assert found.dtype == mine.dtype
    if mine.dtype.kind == "i":
        np.testing.assert_array_equal(found, mine)
        return
    rounding = 100 * np.finfo(mine.dtype).eps * np.abs(mine).max(initial=0)
    np.testing.assert_allclose(found, mine, rtol=0, atol=rounding)


# ---------------------------------------------------------------- the same answers, in their arrays


@pytest.mark.parametrize("axis", [0, 1, None])
@pytest.mark.parametrize("dtype", DTYPES)
def test_interpolative_answers_in_the_callers_library(library, dtype, axis, rng):
    """Bit for bit numpy's answer, as arrays of the caller's library, int64 indices included."""
    name, convert = library
    A = low_rank(rng, 40, 30, 8, dtype)
    ours = subspan.interpolative(A, 5, axis=axis, rng=0)
    theirs = subspan.interpolative(convert(A), 5, axis=axis, rng=0)
    for mine, other in zip((*ours, ours.skeleton), (*theirs, theirs.skeleton), strict=True):
        pairs = zip(mine, other, strict=True) if isinstance(mine, tuple) else [(mine, other)]
        for a, b in pairs:
            assert is_array_of(name, b)
            assert np.asarray(b).dtype == a.dtype
            np.testing.assert_array_equal(np.asarray(b), a)
    assert theirs.error == ours.error
    assert theirs.dtype == np.dtype(dtype)
    assert theirs.shape == (40, 30)


@pytest.mark.parametrize("axis", [0, 1, None])
def test_results_act_as_operators_in_the_callers_library(library, axis, rng):
    """Products with their arrays and with ours, transposes, toarray, error_exact."""
    name, convert = library
    A = low_rank(rng, 20, 30, 6, "complex128")
    r = subspan.interpolative(convert(A), 6, axis=axis, rng=0)
    x, Y = gaussian(rng, 1, 30)[0], gaussian(rng, 4, 20, "complex128")
    for product, expected in [
        (r @ convert(x), A @ x),
        (r @ x, A @ x),
        (r.T @ convert(Y.T), (Y @ A).T),
        (Y @ r, Y @ A),
        (r.rmatvec(Y.T), A.conj().T @ Y.T),
        (r.toarray(), A),
        (r.T.toarray(), A.T),
    ]:
        assert is_array_of(name, product)
        np.testing.assert_allclose(np.asarray(product), expected, atol=1e-10)
    if name != "array_api_strict":  # which refuses whatever it does not know on its right
        np.testing.assert_allclose(np.asarray(convert(Y) @ r), Y @ A, atol=1e-10)
    assert r.error_exact(convert(A)).relative < 1e-12
    assert subspan.error.residual(convert(A), r, rng=0).relative < 1e-12


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_results_of_other_libraries_are_saved_and_pickled(library, ending, rng, tmp_path):
    """Files hold plain arrays, which load as numpy's; pickles keep the library."""
    if ending == "safetensors":
        pytest.importorskip("safetensors")
    name, convert = library
    r = subspan.interpolative(convert(low_rank(rng, 20, 30, 6)), 4, rng=0)
    r.save(tmp_path / f"r.{ending}")
    again = subspan.load(tmp_path / f"r.{ending}")
    assert isinstance(again.coefficients, np.ndarray)
    np.testing.assert_array_equal(again.coefficients, np.asarray(r.coefficients))
    copied = pickle.loads(pickle.dumps(r))
    assert is_array_of(name, copied.coefficients)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rank", [0, 5])
def test_svd_and_range_finder_answer_in_the_callers_library(library, dtype, rank, rng):
    """Numpy's answer, and operators as above; rank 0 and short-cuts included."""
    name, convert = library
    A = low_rank(rng, 40, 60, 5, dtype)
    given = convert(A)
    for method in ("subspace", "full"):
        ours = subspan.svd(A, rank, method=method, rng=0)
        theirs = subspan.svd(given, rank, method=method, rng=0)
        for mine, other in zip(ours, theirs, strict=True):
            check_agrees(name, other, mine)
        x = gaussian(rng, 40, 2, dtype)
        product = theirs.T @ convert(x)
        check_agrees(name, product, ours.T @ x)
        check_agrees(name, theirs.T.T.toarray(), ours.toarray())
        size = np.linalg.norm(A)
        exact = ours.error_exact(A).value
        assert theirs.error_exact(given).value == pytest.approx(exact, abs=1e-5 * float(size))
    (Q,) = subspan.range_finder(given, rank, rng=0)
    assert is_array_of(name, Q)
    np.testing.assert_array_equal(np.asarray(Q), subspan.range_finder(A, rank, rng=0).Q)


@pytest.mark.parametrize("routine", ["svd", "interpolative"])
def test_batches_answer_in_the_callers_library(library, routine, rng, tmp_path):
    """Factors, certificates and products; with vectors, which are not rows of a matrix there."""
    name, convert = library
    A = np.stack([low_rank(rng, 12, 9, 3) for _ in range(4)])
    ours, r = (getattr(subspan, routine)(given, 3, rng=0) for given in (A, convert(A)))
    x, y = gaussian(rng, 1, 9)[0], gaussian(rng, 1, 12)[0]
    for mine, other in [
        *zip(ours, r, strict=True),
        (ours.error.value, r.error.value),
        (ours.toarray(), r.toarray()),
        (ours @ x, r @ convert(x)),
        (y @ ours, y @ r),
        (ours.rmatvec(y), r.rmatvec(convert(y))),
    ]:
        check_agrees(name, other, mine)
    np.testing.assert_allclose(ours @ x, A @ x, atol=1e-10)
    np.testing.assert_allclose(y @ ours, y @ A, atol=1e-10)
    np.testing.assert_allclose(ours.rmatvec(y), y @ A, atol=1e-10)
    assert repr(r) == repr(ours)
    r.save(tmp_path / "r.npz")
    np.testing.assert_allclose(subspan.load(tmp_path / "r.npz").toarray(), ours.toarray())


@pytest.mark.parametrize("dtype", DTYPES)
def test_pivoted_cholesky_answers_in_the_callers_library(library, dtype, rng):
    name, convert = library
    A = low_rank(rng, 30, 30, 6, dtype)
    K = A @ A.conj().T
    ours = subspan.pivoted_cholesky(K, 6, rng=0)
    r = subspan.pivoted_cholesky(convert(K), 6, rng=0)
    for mine, other in [
        *zip(ours, r, strict=True),
        (ours.interpolation(), r.interpolation()),
        (ours.toarray(), r.toarray()),
        (ours.T @ K, r.T @ convert(K)),
    ]:
        check_agrees(name, other, mine)
    assert r.error == ours.error
    rounding = 100 * float(np.finfo(dtype).eps) * ours.error.value / ours.error.relative
    for norm in ("nuclear", "fro"):
        measured = r.error_exact(convert(K), norm=norm).value
        assert measured == pytest.approx(ours.error_exact(K, norm=norm).value, abs=rounding)


@pytest.mark.parametrize("dtype", DTYPES)
def test_cur_and_qr_answer_in_the_callers_library(library, dtype, rng):
    name, convert = library
    A = low_rank(rng, 30, 20, 4, dtype)
    x = gaussian(rng, 20, 2, dtype)
    for routine in (subspan.cur, subspan.qr):
        ours, r = (routine(each, 4, rng=0) for each in (A, convert(A)))
        for mine, other in [
            *zip(ours, r, strict=True),
            (ours.toarray(), r.toarray()),
            (ours @ x, r @ convert(x)),
            (ours.T.toarray(), r.T.toarray()),
        ]:
            check_agrees(name, other, mine)
        assert r.error == ours.error
        assert r.error_exact(convert(A)).relative < 1e-3


@pytest.mark.parametrize("dtype", DTYPES)
def test_eigh_and_generalized_nystrom_answer_in_the_callers_library(library, dtype, rng):
    name, convert = library
    A = low_rank(rng, 30, 30, 4, dtype)
    K = A @ A.conj().T
    for routine, given, options in [
        (subspan.eigh, K, {}),
        (subspan.eigh, K, {"psd": True}),
        (subspan.generalized_nystrom, A, {}),
    ]:
        ours, r = (routine(each, 4, rng=0, **options) for each in (given, convert(given)))
        for mine, other in [
            *zip(ours, r, strict=True),
            (ours.toarray(), r.toarray()),
            (ours.T @ K, r.T @ convert(K)),
        ]:
            check_agrees(name, other, mine)


def test_pivoted_cholesky_of_sparse_tensors(rng):
    torch = pytest.importorskip("torch")
    K = scipy.sparse.diags_array(np.arange(1.0, 31)).tocsc()
    tensor = torch.diag(torch.arange(1.0, 31, dtype=torch.float64)).to_sparse()
    r = subspan.pivoted_cholesky(tensor, 4, rng=0)
    np.testing.assert_array_equal(r.pivots.numpy(), subspan.pivoted_cholesky(K, 4, rng=0).pivots)


def from_the_right(S, A, convert):
    return [
        (A.T.copy() @ S.T, convert(A.T.copy()) @ S.T),
        (A[:20].T.copy() @ S, convert(A[:20].T.copy()) @ S),
    ]


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_chunks_may_be_arrays_of_other_libraries(library, rng):
    """A matrix read in blocks is nobody's array: answers are numpy's."""
    name, convert = library
    A = low_rank(rng, 40, 20, 5)
    expected = subspan.svd(subspan.chunks([A[:15], A[15:]]), 3, rng=0)
    parts = [convert(A[:15]), convert(A[15:])]
    if name == "torch":
        parts[1] = parts[1].to_sparse_csr()
    for source in (parts, lambda: iter(parts)):
        found = subspan.svd(subspan.chunks(source), 3, rng=0)
        assert isinstance(found.U, np.ndarray)
        np.testing.assert_allclose(found.s, expected.s)
    np.testing.assert_allclose(
        subspan.svd(subspan.chunks(convert(A), rows=15), 3, rng=0).s, expected.s
    )


def test_pivots_scores_and_sketches_answer_in_the_callers_library(library, rng):
    """The low-level calls follow the same rule."""
    name, convert = library
    A = gaussian(rng, 50, 12)
    S = sketch.Gaussian(20, 50, rng=1)
    for mine, other in [
        (subspan.pivots(A, 4, rng=0), subspan.pivots(convert(A), 4, rng=0)),
        (subspan.pivots(A, 0, rng=0), subspan.pivots(convert(A), 0, rng=0)),
        (subspan.leverage_scores(A), subspan.leverage_scores(convert(A))),
        (sketch.apply(A, 9, rng=0), sketch.apply(convert(A), 9, rng=0)),
        (sketch.apply(A, 9, axis=1, rng=0), sketch.apply(convert(A), 9, axis=1, rng=0)),
        (S @ A, S @ convert(A)),
        (S @ A[:, 0], S @ convert(A[:, 0])),
        (S.T @ A[:20], S.T @ convert(A[:20])),
        *(() if name == "array_api_strict" else from_the_right(S, A, convert)),
    ]:
        assert isinstance(mine, np.ndarray)
        assert is_array_of(name, other)
        np.testing.assert_array_equal(np.asarray(other), mine)
    assert subspan.error.norm(convert(A), norm="fro") == subspan.error.norm(A, norm="fro")


# ---------------------------------------------------------------- no copy


@pytest.mark.host_only
@pytest.mark.parametrize(
    "view", [lambda t: t, lambda t: t.T, lambda t: t[:, 3:20], lambda t: t[2:30:3]]
)
def test_tensors_are_not_copied_where_a_leading_dimension_expresses_them(view, rng):
    """C order, transposed, sliced columns and strided rows share the memory of the tensor."""
    torch = pytest.importorskip("torch")
    tensor = view(torch.from_numpy(gaussian(rng, 40, 30)))
    matrix = as_source(tensor).matrix
    assert matrix.__array_interface__["data"][0] == tensor.data_ptr()
    assert np.shares_memory(matrix, tensor.numpy())


@pytest.mark.host_only
def test_jax_arrays_are_not_copied_and_stay_as_they_are(rng):
    """JAX arrays are immutable: what is read is their memory, which numpy marks read-only."""
    jax = pytest.importorskip("jax")
    A = jax.numpy.asarray(gaussian(rng, 40, 30, "float32"))
    matrix = as_source(A).matrix
    assert matrix.__array_interface__["data"][0] == A.unsafe_buffer_pointer()
    assert not matrix.flags.writeable


def test_input_is_never_written(library, rng):
    """Nor when A has to be scaled because its squares would overflow."""
    _, convert = library
    for scale in (1.0, 1e200):
        A = gaussian(rng, 30, 20) * scale
        given = convert(A)
        r = subspan.interpolative(given, 20, rng=0)
        np.testing.assert_array_equal(np.asarray(given), A)
        assert r.error_exact(given).relative < 1e-12


# ---------------------------------------------------------------- what is promoted


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32", "int64", "uint8", "bool"])
def test_narrow_and_integer_tensors_are_promoted(dtype, rng):
    """Half precision to float32, integers and bools to float64."""
    torch = pytest.importorskip("torch")
    A = torch.from_numpy(rng.integers(0, 2, (20, 15))).to(getattr(torch, dtype))
    expected = torch.float32 if "float" in dtype else torch.float64
    r = subspan.interpolative(A, 15, rng=0)
    assert r.coefficients.dtype == expected
    assert r.indices.dtype == torch.int64
    assert torch.linalg.norm(r.toarray() - A.to(expected)) < 1e-4


def test_jax_types_without_x64(rng):
    """JAX narrows what it cannot hold: indices are int32 then; bfloat16 is computed in float32."""
    jax = pytest.importorskip("jax")
    A = jax.numpy.asarray(gaussian(rng, 20, 10, "float32"))
    J, W = subspan.interpolative(A, 3, rng=0)
    assert (J.dtype, W.dtype) == (np.int32, np.float32)
    assert A[:, J].shape == (20, 3)
    J, W = subspan.interpolative(A.astype("bfloat16"), 3, rng=0)
    assert (J.dtype, W.dtype) == (np.int32, np.float32)
    with jax.enable_x64(True):
        wide = jax.numpy.asarray(gaussian(rng, 20, 10))
    J, W = subspan.interpolative(wide, 3, rng=0)
    assert (J.dtype, W.dtype) == (np.int64, np.float64)


def test_tensors_that_require_gradients_are_detached(rng):
    """No autograd inside: the answer carries no gradient, the input keeps its own."""
    torch = pytest.importorskip("torch")
    A = torch.from_numpy(gaussian(rng, 20, 10)).requires_grad_()
    r = subspan.interpolative(A, 3, rng=0)
    assert not r.coefficients.requires_grad
    assert A.requires_grad
    assert not (r @ torch.ones(10, dtype=torch.float64, requires_grad=True)).requires_grad


def test_lazily_conjugated_tensors_are_resolved(rng):
    """PyTorch's conj() and imag are flags on a view, which numpy cannot see."""
    torch = pytest.importorskip("torch")
    A = gaussian(rng, 20, 10, "complex128")
    tensor = torch.from_numpy(A)
    np.testing.assert_array_equal(as_array(tensor.conj()), A.conj())
    np.testing.assert_array_equal(as_array(tensor.conj().imag), -A.imag)
    np.testing.assert_array_equal(as_matrix(tensor.mH), A.conj().T)


# ---------------------------------------------------------------- sparse tensors


@pytest.mark.parametrize("dtype", [*DTYPES, "int64"])
@pytest.mark.parametrize("layout", ["coo", "uncoalesced", "csr", "csc"])
@pytest.mark.filterwarnings("ignore:Sparse CS. tensor support is in beta")
def test_sparse_tensors_are_sparse_input(layout, dtype, rng):
    """All three layouts give the answer of the scipy.sparse matrix; the skeleton is a COO tensor."""
    torch = pytest.importorskip("torch")
    A = scipy.sparse.random_array((60, 40), density=0.1, rng=rng).astype(dtype)
    A.data[:] = rng.integers(1, 9, A.nnz)
    coo = torch.sparse_coo_tensor(np.stack(A.coords), A.data, A.shape, check_invariants=False)
    tensor = {
        "coo": lambda: coo.coalesce(),
        "uncoalesced": lambda: coo,
        "csr": lambda: coo.to_sparse_csr(),
        "csc": lambda: coo.to_sparse_csc(),
    }[layout]()
    assert as_source(tensor).kind == "sparse"
    ours = subspan.interpolative(A.tocsc(), 7, rng=0)
    r = subspan.interpolative(tensor, 7, rng=0)
    np.testing.assert_array_equal(np.asarray(r.indices), ours.indices)
    np.testing.assert_array_equal(np.asarray(r.coefficients), ours.coefficients)
    assert r.skeleton.layout == torch.sparse_coo
    assert r.skeleton.is_coalesced()
    np.testing.assert_array_equal(r.skeleton.to_dense().numpy(), ours.skeleton.toarray())
    np.testing.assert_allclose(r.toarray().numpy(), ours.toarray())
    np.testing.assert_allclose((r.T @ np.ones(60)).numpy(), ours.T @ np.ones(60))
    assert r.error_exact(tensor) == ours.error_exact(A)


@pytest.mark.slow
@pytest.mark.host_only
def test_wide_sparse_tensors_take_memory_by_their_entries():
    """pytorch#42062: a 2000 x 200000 sparse matrix needs no n x n, nor a dense copy of A."""
    pytest.importorskip("torch")
    script = """
        import resource, numpy as np, torch, subspan
        rng = np.random.default_rng(0)
        m, n, nnz = 2000, 200_000, 100_000
        where = np.stack([rng.integers(0, m, nnz), rng.integers(0, n, nnz)])
        A = torch.sparse_coo_tensor(where, rng.standard_normal(nnz), (m, n), check_invariants=False)
        subspan.interpolative(torch.eye(9).to_sparse(), 3, rng=0)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        r = subspan.interpolative(A, 3, rng=0)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
        assert r.rank == 3
        print(grown / (n * 8))
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    # In vectors of length n: a sketch of 90 rows, coefficients and what computing them takes; a dense
    # copy would have 2000, the square of the width 200000.
    assert float(out.stdout) < 400


# ---------------------------------------------------------------- libraries in general


class OnDevice:
    """An array that says it lives on a CUDA device."""

    shape, dtype, ndim = (3, 3), np.dtype("float64"), 2

    def __dlpack_device__(self):
        return (2, 0)


class OnlyDLPack:
    """An array of a library that offers nothing but its memory."""

    def __init__(self, A):
        self.A = A

    def __dlpack_device__(self):
        return self.A.__dlpack_device__()

    def __dlpack__(self, **options):
        return self.A.__dlpack__(**options)


class Standard(OnlyDLPack):
    """An array of a library that follows the array API standard."""

    shape = property(lambda self: self.A.shape)

    def __array_namespace__(self):
        return Standard

    @staticmethod
    def asarray(A):
        return Standard(A)


@pytest.mark.host_only
def test_arrays_on_another_device_are_refused_with_a_remedy():
    """CUDA, CuPy and PyTorch's meta device: never a silent transfer."""
    with pytest.raises(subspan.DeviceUnavailable, match="host"):
        subspan.interpolative(OnDevice(), 2)
    cupy = type("ndarray", (OnDevice,), {"__module__": "cupy"})
    with pytest.raises(subspan.DeviceUnavailable, match=r"pass A\.get\(\)"):
        subspan.interpolative(cupy(), 2)
    with pytest.raises(subspan.DeviceUnavailable, match=r"pass A\.get\(\)"):
        subspan.pivots(cupy(), 2)


@pytest.mark.host_only
def test_tensors_on_another_device_are_refused_with_a_remedy():
    torch = pytest.importorskip("torch")
    with pytest.raises(subspan.DeviceUnavailable, match=r"device meta.*pass A\.cpu\(\)"):
        subspan.interpolative(torch.empty((3, 3), device="meta"), 2)


@pytest.mark.host_only
def test_layouts_and_dtypes_that_are_not_taken_say_so():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"A has layout torch.sparse_bsr; expected a dense, COO"):
        with_blocks = torch.eye(4).to_sparse_bsr((2, 2))
        subspan.interpolative(with_blocks, 2)
    with pytest.raises(TypeError, match=r"A has dtype torch\.float8_e5m2; expected float32"):
        subspan.interpolative(torch.eye(4).to(torch.float8_e5m2), 2)
    with pytest.raises(ValueError, match="A must be 2-d, got a sparse tensor of shape"):
        subspan.interpolative(torch.ones((2, 3, 4)).to_sparse(), 2)


@pytest.mark.host_only
def test_nan_in_a_tensor_is_refused():
    torch = pytest.importorskip("torch")
    A = torch.eye(4)
    A[1, 2] = torch.nan
    with pytest.raises(ValueError, match=r"A\[1, 2\] is nan"):
        subspan.interpolative(A, 2)


def test_dlpack_alone_is_enough(rng):
    """Anything with __dlpack__ comes in; without a namespace of its own the answer is numpy's."""
    A = gaussian(rng, 20, 10)
    J, W = subspan.interpolative(OnlyDLPack(A), 3, rng=0)
    expected = subspan.interpolative(A, 3, rng=0)
    np.testing.assert_array_equal(W, expected.coefficients)
    assert isinstance(J, np.ndarray)
    assert np.shares_memory(to_host(OnlyDLPack(A)), A)


def test_any_library_of_the_array_api_standard_gets_its_own_arrays(rng):
    A = gaussian(rng, 20, 10)
    r = subspan.interpolative(Standard(A), 3, rng=0)
    assert all(isinstance(part, Standard) for part in (*r, r.skeleton, r @ A.T, r.toarray()))
    np.testing.assert_array_equal(r.indices.A, subspan.interpolative(A, 3, rng=0).indices)


@pytest.mark.host_only
def test_numpy_lists_and_scipy_keep_to_numpy():
    for A in (np.eye(3), [[1.0, 2.0]], scipy.sparse.eye_array(3).tocsc()):
        assert library_of(A).name == "numpy"


@pytest.mark.host_only
def test_nothing_heavy_is_imported_without_need():
    """``import subspan`` and a call on numpy arrays load neither PyTorch nor JAX nor scikit-learn."""
    script = """
        import sys, numpy as np, subspan
        subspan.interpolative(np.eye(4), 2, rng=0)
        print([m for m in ("torch", "jax", "sklearn", "dask", "h5py", "zarr", "pandas") if m in sys.modules])
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert out.stdout.strip() == "[]"


# ---------------------------------------------------------------- seeds


@pytest.mark.host_only
def test_generators_of_the_library_seed_its_calls(rng):
    """torch.Generator and JAX keys: repeatable, and no global state is touched."""
    A = gaussian(rng, 30, 20)
    if "torch" in INSTALLED:
        import torch

        state = torch.get_rng_state()
        draw = [
            subspan.interpolative(torch.from_numpy(A), 4, rng=torch.Generator().manual_seed(3))
            for _ in range(2)
        ]
        assert draw[0].seed == draw[1].seed
        assert torch.equal(draw[0].coefficients, draw[1].coefficients)
        assert torch.equal(state, torch.get_rng_state())
    if "jax" in INSTALLED:
        import jax

        seeds = [
            subspan.interpolative(jax.numpy.asarray(A, "float32"), 4, rng=jax.random.key(k)).seed
            for k in (3, 3, 4)
        ]
        assert seeds[0] == seeds[1] != seeds[2]
