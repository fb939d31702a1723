"""Sketch operators: their laws, their products on every kind of input, streaming, bad input."""

import pickle

import numpy as np
import pytest
import scipy.sparse
import scipy.stats
import subspan
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from subspan import sketch, testing

DTYPES = ["float32", "float64", "complex64", "complex128"]
EPS = np.finfo(np.float64).eps


def weighted_rows(size, dim, **options):
    return sketch.RowSampling(size, dim, weights=np.arange(1.0, dim + 1), **options)


KINDS = {
    "gaussian": sketch.Gaussian,
    "rademacher": sketch.Rademacher,
    "sparse_sign": sketch.SparseSign,
    "sparse_sign_3": lambda size, dim, **o: sketch.SparseSign(size, dim, nnz=min(3, size), **o),
    "countsketch": sketch.CountSketch,
    "srht": sketch.SRHT,
    "cosine": lambda size, dim, **o: sketch.SRHT(size, dim, transform="cosine", **o),
    "rows": sketch.RowSampling,
    "weighted_rows": weighted_rows,
}
TRANSFORMS = ("srht", "cosine")  # dense input only, and at most as many rows as their order
all_kinds = pytest.mark.parametrize("kind", KINDS)
columnwise_kinds = pytest.mark.parametrize("kind", [k for k in KINDS if k not in TRANSFORMS])


def matrix(rng, shape, dtype):
    A = rng.standard_normal(shape)
    if np.issubdtype(dtype, np.complexfloating):
        A = A + 1j * rng.standard_normal(shape)
    return A.astype(dtype)


def eps_of(dtype):
    return np.finfo(dtype).eps


def wide(A):
    """The same values in double precision."""
    A = np.asarray(A)
    return A.astype(np.result_type(A.dtype, np.float64))


def assert_product(product, S, A, side="left"):
    """Entry (i, j) of S @ A errs by at most 20 eps sqrt(m) |S_i| |a_j|; spec 6.1."""
    working = np.result_type(product.dtype, np.float32)
    dense = wide(S.astype(working).toarray())
    exact = wide(A)
    exact = dense @ exact if side == "left" else exact @ dense.T
    row = np.linalg.norm(dense, axis=1)
    other = np.linalg.norm(wide(A), axis=0 if side == "left" else 1)
    bound = 20 * eps_of(product.dtype) * np.sqrt(S.shape[1])
    bound = bound * (np.outer(row, other) if side == "left" else np.outer(other, row))
    assert product.shape == exact.shape
    assert np.all(np.abs(wide(product) - exact) <= bound)


# ---------------------------------------------------------------- laws


@all_kinds
@pytest.mark.parametrize("vector", ["random", "complex", "constant"])
def test_squared_length_is_kept_on_average(kind, vector):
    """E |S x|^2 = |x|^2: the mean over 200 seeds is within 5 standard errors.

    The mean of 200 bounded-variance terms is nearly normal; 5 sigma fail with probability 6e-7.
    """
    rng = np.random.default_rng(1)
    dim, size, draws = 100, 20, 200
    x = {
        "random": rng.standard_normal(dim),
        "complex": rng.standard_normal(dim) + 1j * rng.standard_normal(dim),
        "constant": np.ones(dim),
    }[vector]
    x = x / np.linalg.norm(x)
    squares = [np.linalg.norm(KINDS[kind](size, dim, rng=seed) @ x) ** 2 for seed in range(draws)]
    standard_error = np.std(squares, ddof=1) / np.sqrt(draws)
    assert abs(np.mean(squares) - 1) <= 5 * standard_error + 50 * EPS


@all_kinds
def test_gram_matrix_is_the_identity_on_average(kind):
    """Every entry of the mean of S^T S over 1000 seeds is within 6 standard errors of I.

    12 * 12 entries, of which 78 are distinct: 78 * 2e-9 < 2e-7. Entries without variance (columns
    of exact length) must agree to rounding.
    """
    draws = 1000
    grams = np.empty((draws, 12, 12))
    for seed in range(draws):
        S = KINDS[kind](8, 12, rng=seed).toarray()
        grams[seed] = S.T @ S
    standard_error = grams.std(axis=0, ddof=1) / np.sqrt(draws)
    assert np.all(np.abs(grams.mean(axis=0) - np.eye(12)) <= 6 * standard_error + 50 * EPS)


# Mean smallest and mean largest singular value of S U over 20 draws, U orthonormal 2048 x 50; each
# entry: incoherent d = 100, coherent d = 100, incoherent d = 200, coherent d = 200.
DISTORTION = {
    "gaussian": [(0.316, 1.67), (0.325, 1.68), (0.517, 1.48), (0.524, 1.47)],
    "rademacher": [(0.313, 1.67), (0.322, 1.65), (0.514, 1.47), (0.527, 1.46)],
    "sparse_sign": [(0.313, 1.67), (0.326, 1.64), (0.515, 1.48), (0.517, 1.46)],
    "sparse_sign_4": [(0.314, 1.67), (0.295, 1.65), (0.519, 1.48), (0.488, 1.50)],
    "countsketch": [(0.314, 1.66), (0, 1.75), (0.517, 1.48), (0, 1.49)],
    "srht": [(0.326, 1.63), (0.321, 1.63), (0.542, 1.44), (0.544, 1.43)],
    "cosine": [(0.318, 1.64), (0.325, 1.63), (0.526, 1.43), (0.539, 1.44)],
    "rows": [(0.302, 1.66), (0, 4.49), (0.518, 1.47), (0, 3.33)],
}


@pytest.mark.parametrize("kind", DISTORTION)
def test_distortion_table(kind):
    """Within 15 % of the measured table, the mean of 20 draws with fixed seeds.

    "Coherent" is the span of 50 random coordinate vectors. (Consecutive ones are harder for the
    transforms: on the first 64 coordinates, the Hadamard rows take only 64 values.)
    """
    make = {**KINDS, "sparse_sign_4": lambda *s, **o: sketch.SparseSign(*s, nnz=4, **o)}[kind]
    rng = np.random.default_rng(2)
    U = np.linalg.qr(rng.standard_normal((2048, 50)))[0]
    coherent = np.eye(2048)[:, rng.choice(2048, 50, replace=False)]
    cases = [(100, U), (100, coherent), (200, U), (200, coherent)]
    for (size, basis), (smallest, largest) in zip(cases, DISTORTION[kind], strict=True):
        seen = [testing.distortion(make(size, 2048, rng=seed), basis) for seed in range(20)]
        low, high = np.mean(seen, axis=0)
        assert abs(low - smallest) <= 0.15 * smallest + 0.01
        assert abs(high - largest) <= 0.15 * largest


def test_two_nonzeros_per_column_are_not_enough():
    """On 50 coordinate vectors, sparse signs with 2 nonzeros are singular in some of 40 draws."""
    basis = np.eye(2048)[:, :50]
    draws = [sketch.SparseSign(100, 2048, nnz=2, rng=seed) for seed in range(40)]
    assert min(testing.distortion(S, basis)[0] for S in draws) < 1e-7


@given(size=st.integers(1, 70), dim=st.integers(1, 60), data=st.data())
def test_sparse_sign_columns(size, dim, data):
    """Exactly nnz nonzeros +-1/sqrt(nnz) in distinct rows: one in each group of rows."""
    nnz = data.draw(st.integers(1, size))
    seed = data.draw(st.integers(0, 2**64 - 1))
    S = sketch.SparseSign(size, dim, nnz=nnz, rng=seed).toarray()
    assert np.all(np.count_nonzero(S, axis=0) == nnz)
    assert np.all(np.abs(np.abs(S[S != 0]) * np.sqrt(nnz) - 1) <= 4 * EPS)
    edges = size * np.arange(nnz + 1) // nnz
    groups = np.add.reduceat(S != 0, edges[:-1], axis=0)
    assert np.all(groups == 1)


@pytest.mark.host_only
def test_sparse_sign_rows_and_signs_are_uniform():
    """chi-squared over the 60 rows and 2 signs, 30000 columns, each test at level 1e-7."""
    S = sketch.SparseSign(60, 30000, nnz=4, rng=5).toarray()
    rows = np.count_nonzero(S, axis=1)
    assert scipy.stats.chisquare(rows).pvalue > 1e-7
    excess = S.sum(axis=1) * np.sqrt(4)  # positive minus negative signs of a row
    assert scipy.stats.chi2.sf(np.sum(excess**2 / rows), 60) > 1e-7


def test_default_number_of_nonzeros():
    assert np.all(np.count_nonzero(sketch.SparseSign(40, 9, rng=0).toarray(), axis=0) == 8)
    assert np.all(np.count_nonzero(sketch.SparseSign(5, 9, rng=0).toarray(), axis=0) == 5)


@pytest.mark.parametrize(("kind", "dim"), [("srht", 64), ("cosine", 60), ("srht", 1)])
def test_full_transforms_are_orthogonal(kind, dim):
    """With all rows kept, |H D x| = sqrt(m') |x|: S is orthogonal."""
    S = KINDS[kind](dim, dim, rng=3)
    bound = 20 * EPS * np.sqrt(dim)
    assert np.abs(S.toarray() @ S.toarray().T - np.eye(dim)).max() <= bound
    assert np.abs(S.T @ (S @ np.eye(dim)) - np.eye(dim)).max() <= bound


@pytest.mark.parametrize("dim", [33, 50, 100])
def test_padded_transform_keeps_lengths(dim, rng):
    """Zero padding comes after the signs: the columns of the full transform stay orthonormal."""
    order = 1 << (dim - 1).bit_length()
    S = sketch.SRHT(order, dim, rng=4).toarray()
    assert np.abs(S.T @ S - np.eye(dim)).max() <= 20 * EPS * np.sqrt(order)


def test_row_sampling_draws_with_the_weights():
    """20000 draws against the weights, chi-squared at level 1e-7; what weighs zero is not drawn."""
    weights = np.array([0.0, 1, 2, 3, 4, 0, 10])
    S = sketch.RowSampling(20000, 7, weights=weights, rng=6)
    counts = np.bincount(S.rows, minlength=7)
    assert np.all(counts[weights == 0] == 0)
    expected = 20000 * weights[weights > 0] / 20
    assert scipy.stats.chisquare(counts[weights > 0], expected).pvalue > 1e-7
    probability = weights[S.rows] / 20
    assert np.allclose(S.scale, 1 / np.sqrt(20000 * probability), rtol=10 * EPS, atol=0)


def test_leverage_scores_make_row_sampling_safe_for_coherent_data():
    A = testing.coherent(400, 300, rank=20, rng=0)
    U = np.linalg.svd(A)[0][:, :20]
    scores = subspan.leverage_scores(A, 20)
    by_score = [
        testing.distortion(sketch.RowSampling(160, 400, weights=scores, rng=s), U)[0]
        for s in range(20)
    ]
    uniform = [testing.distortion(sketch.RowSampling(160, 400, rng=s), U)[0] for s in range(20)]
    assert min(by_score) > 0.2
    assert max(uniform) < 0.1


# ---------------------------------------------------------------- one operator, many views of it


@all_kinds
@given(data=st.data())
def test_tiles_are_slices(kind, data):
    size, dim = data.draw(st.integers(1, 60)), data.draw(st.integers(60, 300))
    S = KINDS[kind](size, dim, rng=data.draw(st.integers(0, 2**64 - 1)))
    rows, cols = (
        slice(*sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n)))))
        for n in (size, dim)
    )
    tile = S.tile(rows, cols)
    assert np.array_equal(tile, S.toarray()[rows, cols])
    assert tile.dtype == S.dtype


@all_kinds
def test_tiles_understand_python_slices(kind):
    S = KINDS[kind](20, 40, rng=0)
    whole = S.toarray()
    for rows, cols in [
        (slice(None), slice(-3, None)),
        (slice(-5, -1), slice(None, 7)),
        (slice(5, 2), slice(0, 4)),
        (slice(3, 100), slice(39, 500)),
    ]:
        assert np.array_equal(S.tile(rows, cols), whole[rows, cols])
    with pytest.raises(ValueError, match=r"rows=.* step 2"):
        S.tile(slice(0, 4, 2), slice(None))
    with pytest.raises(TypeError, match="cols has type int"):
        S.tile(slice(None), 3)


@pytest.mark.parametrize("kind", ["gaussian", "rademacher"])
def test_growing_an_operator_keeps_its_entries(kind):
    """Entry (i, j) depends on (seed, i, j); only the scale 1/sqrt(size) sees the size."""
    small = KINDS[kind](16, 100, rng=9).toarray() * 4
    large = KINDS[kind](64, 300, rng=9).toarray() * 8
    assert np.array_equal(small, large[:16, :100])


@all_kinds
def test_same_seed_same_operator(kind):
    S = KINDS[kind](12, 50, rng=2**64 - 1)
    again = KINDS[kind](12, 50, rng=S.seed)
    assert np.array_equal(S.toarray(), again.toarray())
    fresh = KINDS[kind](12, 50)
    assert np.array_equal(fresh.toarray(), KINDS[kind](12, 50, rng=fresh.seed).toarray())
    assert not np.array_equal(fresh.toarray(), S.toarray())


@all_kinds
def test_precisions_agree_up_to_rounding(kind):
    S = KINDS[kind](12, 50, rng=1)
    for dtype in DTYPES:
        other = S.astype(dtype)
        assert other.dtype == dtype
        assert other.seed == S.seed
        assert other.toarray().dtype == dtype
        error = np.abs(other.toarray() - S.toarray())
        assert np.all(error <= 4 * eps_of(dtype) * np.abs(S.toarray()) + (kind == "cosine") * 1e-6)


@all_kinds
def test_shape_transpose_and_repr(kind):
    S = KINDS[kind](12, 50, rng=1)
    assert S.shape == (12, 50)
    assert S.T.shape == (50, 12)
    assert S.T.T is S
    assert np.array_equal(S.T.toarray(), S.toarray().T)
    assert "(12, 50, rng=1" in repr(S)
    if kind not in ("weighted_rows", "cosine"):
        remade = eval(repr(S), vars(sketch).copy())
        assert np.array_equal(remade.toarray(), S.toarray())


# ---------------------------------------------------------------- products with dense matrices


def memmap_of(A, tmp_path):
    path = tmp_path / "a.bin"
    np.memmap(path, A.dtype, "w+", shape=A.shape)[...] = A
    return np.memmap(path, A.dtype, "r", shape=A.shape)


def read_only(A):
    A.flags.writeable = False
    return A


def misaligned(A):
    memory = np.zeros(A.nbytes + 1, np.uint8)
    view = memory[1:].view(A.dtype).reshape(A.shape)
    view[...] = A
    return view


# Each makes a 150-by-37 array in some layout from a random one that is twice as large.
LAYOUTS = {
    "C": lambda A: np.ascontiguousarray(A[:150, :37]),
    "Fortran": lambda A: np.asfortranarray(A[:150, :37]),
    "part of C": lambda A: A[75:225, 11:48],
    "part of Fortran": lambda A: np.asfortranarray(A)[75:225, 11:48],
    "strided rows": lambda A: A[::2, :37],
    "strided columns": lambda A: A[:150, ::2],
    "both strided": lambda A: A[::2, ::2],
    "strided Fortran": lambda A: np.asfortranarray(A)[::2, ::2],
    "negative rows": lambda A: A[149::-1, :37],
    "negative columns": lambda A: A[:150, 36::-1],
    "read-only": lambda A: read_only(A[:150, :37].copy()),
    "misaligned": lambda A: misaligned(A[:150, :37]),
    "repeated row": lambda A: np.broadcast_to(A[0, :37], (150, 37)),
    "repeated column": lambda A: np.broadcast_to(A[:150, :1], (150, 37)),
    "big-endian": lambda A: A[:150, :37].astype(A.dtype.newbyteorder(">")),
    "matrix": lambda A: np.asmatrix(A[:150, :37]),
}


@all_kinds
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_product_equals_the_dense_one(kind, layout, rng):
    for dtype in DTYPES:
        A = LAYOUTS[layout](matrix(rng, (300, 74), dtype))
        before = np.array(A)
        S = KINDS[kind](24, 150, rng=7)
        product = S @ A
        assert type(product) is np.ndarray
        assert product.dtype == np.dtype(dtype)
        assert_product(product, S, A)
        T = KINDS[kind](24, 37, rng=7)
        product = A @ T.T
        assert_product(np.asarray(product), T, A, side="right")
        assert product.dtype == np.dtype(dtype)
        assert np.array_equal(before, np.asarray(A))


@all_kinds
def test_memory_mapped(kind, rng, tmp_path):
    A = memmap_of(matrix(rng, (200, 20), "float32"), tmp_path)
    S = KINDS[kind](24, 200, rng=7)
    product = S @ A
    assert type(product) is np.ndarray
    assert_product(product, S, A)


@all_kinds
@pytest.mark.parametrize(
    "shape",
    [(1, 5), (40, 1), (1, 1), (5000, 3), (3000, 130), (70, 700), (257, 16), (16, 257), (4099, 5)],
)
def test_shapes(kind, shape, rng):
    """Sizes on both sides of tile, slab and chunk boundaries; more rows than columns or not."""
    for size in (1, 15, 16, 17, 50, 129):
        if kind in TRANSFORMS and size > shape[0]:
            continue
        S = KINDS[kind](size, shape[0], rng=8)
        for dtype in ("float32", "complex128"):
            A = matrix(rng, shape, dtype)
            assert_product(S @ A, S, A)
            assert_product(S @ np.asfortranarray(A), S, A)


@columnwise_kinds
def test_empty(kind):
    S = KINDS[kind](5, 8, rng=0)
    assert (S @ np.zeros((8, 0))).shape == (5, 0)
    assert (np.zeros((0, 8)) @ S.T).shape == (0, 5)
    assert (S.T @ np.zeros((5, 0))).shape == (8, 0)


@pytest.mark.parametrize("kind", ["gaussian", "rademacher", "sparse_sign", "countsketch"])
def test_nothing_to_compress(kind):
    S = KINDS[kind](5, 0, rng=0)
    assert np.array_equal(S @ np.zeros((0, 3)), np.zeros((5, 3)))
    assert S.toarray().shape == (5, 0)
    assert (S.T @ np.zeros((5, 2))).shape == (0, 2)


@all_kinds
def test_vectors(kind, rng):
    S = KINDS[kind](12, 30, rng=0)
    x, y = rng.standard_normal(30), rng.standard_normal(12)
    bound = 20 * EPS * np.sqrt(30) * np.linalg.norm(S.toarray()) * np.linalg.norm(x)
    assert np.abs(S @ x - S.toarray() @ x).max() <= bound
    assert np.abs(x @ S.T - S.toarray() @ x).max() <= bound
    bound = 20 * EPS * np.sqrt(12) * np.linalg.norm(S.toarray()) * np.linalg.norm(y)
    assert np.abs(S.T @ y - S.toarray().T @ y).max() <= bound
    assert np.abs(y @ S - S.toarray().T @ y).max() <= bound


@all_kinds
def test_plain_lists(kind):
    S = KINDS[kind](4, 4, rng=0)
    assert_product(S @ [[1.0, 2], [3, 4], [5, 6], [7, 8]], S, [[1.0, 2], [3, 4], [5, 6], [7, 8]])


@pytest.mark.parametrize(
    ("given_", "working"),
    [("int8", "float64"), ("uint64", "float64"), ("bool", "float64"), ("float16", "float32")],
)
def test_other_dtypes_are_promoted(given_, working, rng):
    A = rng.integers(0, 2, (40, 6)).astype(given_)
    S = sketch.SparseSign(12, 40, rng=0)
    assert (S @ A).dtype == working
    assert_product(S @ A, S, A.astype(working))


@all_kinds
@pytest.mark.parametrize("dtype", DTYPES)
def test_adjoint(kind, dtype, rng):
    """<S x, y> = <x, S^H y>, relative to the sizes of the terms."""
    S = KINDS[kind](40, 333, rng=3)
    X, Y = matrix(rng, (333, 5), dtype), matrix(rng, (40, 5), dtype)
    left, right = wide(Y).conj().T @ wide(S @ X), wide(S.T @ Y).conj().T @ wide(X)
    size = np.linalg.norm(S.toarray(), 2) * np.outer(
        np.linalg.norm(Y, axis=0), np.linalg.norm(X, axis=0)
    )
    assert np.all(np.abs(left - right) <= 20 * eps_of(dtype) * np.sqrt(333) * size)
    assert (S.T @ Y).dtype == dtype


@all_kinds
def test_adjoint_equals_the_dense_one(kind, rng):
    S = KINDS[kind](40, 333, rng=3)
    for layout in (np.ascontiguousarray, np.asfortranarray, lambda Y: Y[::-1]):
        Y = layout(matrix(rng, (40, 7), "complex128"))
        error = np.abs(S.T @ Y - S.toarray().T @ Y)
        bound = np.outer(np.linalg.norm(S.toarray(), axis=0), np.linalg.norm(Y, axis=0))
        assert np.all(error <= 20 * EPS * np.sqrt(40) * bound)
    error = np.abs(Y.T @ S - Y.T @ S.toarray())
    assert np.all(error <= 20 * EPS * np.sqrt(40) * bound.T)


def test_large_adjoint_crosses_slabs(rng):
    for kind in ("gaussian", "rademacher", "sparse_sign"):
        S = KINDS[kind](300, 9000, rng=3)
        Y = rng.standard_normal((300, 2))
        bound = np.linalg.norm(S.toarray(), axis=0)[:, None] * np.linalg.norm(Y, axis=0)
        error = np.abs(S.T @ Y - S.toarray().T @ Y)
        assert np.all(error <= 20 * EPS * np.sqrt(300) * bound)


# ---------------------------------------------------------------- sparse matrices and operators


def sparse_matrix(rng, shape, dtype):
    A = matrix(rng, shape, dtype)
    A[rng.random(shape) < 0.8] = 0
    A[:, shape[1] // 2] = 0  # an empty column
    return A


@columnwise_kinds
@pytest.mark.parametrize("format_", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
@pytest.mark.filterwarnings("ignore:A is converted once from the slow sparse format")
@pytest.mark.filterwarnings("ignore:Constructing a DIA matrix")
def test_sparse_formats(kind, format_, rng):
    S, T = KINDS[kind](24, 90, rng=2), KINDS[kind](24, 31, rng=2)
    for dtype in DTYPES:
        dense = sparse_matrix(rng, (90, 31), dtype)
        for make in (scipy.sparse.coo_array, scipy.sparse.coo_matrix):
            A = make(dense).asformat(format_)
            product = S @ A
            assert type(product) is np.ndarray
            assert product.dtype == dtype
            assert_product(product, S, dense)
            assert_product(sketch_from_right(A, T), T, dense, side="right")


def sketch_from_right(A, T):
    return np.asarray(A @ T.T)


@pytest.mark.parametrize("format_", ["lil", "dok"])
def test_slow_sparse_formats_warn(format_):
    A = scipy.sparse.eye_array(8).asformat(format_)
    with pytest.warns(UserWarning, match=f"A is converted .* slow sparse format '{format_}'"):
        sketch.SparseSign(4, 8, rng=0) @ A


def test_sparse_oddities(rng):
    """Duplicates are summed, explicit zeros and unsorted indices are harmless, ints promoted."""
    S = sketch.Gaussian(6, 5, rng=0)
    rows, cols = np.array([4, 0, 4, 2, 4]), np.array([1, 1, 1, 0, 2])
    values = np.array([1.0, 2, 3, 0, 5])
    A = scipy.sparse.coo_array((values, (rows, cols)), shape=(5, 3))
    assert_product(S @ A, S, A.toarray())
    unsorted = scipy.sparse.csc_array((values, rows, [0, 2, 4, 5]), shape=(5, 3))
    expected = unsorted.toarray()
    assert_product(S @ unsorted, S, expected)
    assert np.array_equal(unsorted.indices, rows)
    assert_product(S @ unsorted.astype(np.int32), S, expected)
    assert (S @ scipy.sparse.csc_array((5, 3))).tolist() == np.zeros((6, 3)).tolist()


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_transforms_refuse_sparse_matrices_and_operators(kind):
    S = KINDS[kind](4, 8, rng=0)
    with pytest.raises(TypeError, match="SRHT needs a dense matrix, got a sparse matrix"):
        S @ scipy.sparse.eye_array(8, format="csc")
    with pytest.raises(TypeError, match="SRHT needs a dense matrix, got an operator"):
        S @ aslinearoperator(np.eye(8))


@columnwise_kinds
@pytest.mark.parametrize("dtype", DTYPES)
def test_operators(kind, dtype, rng):
    dense = matrix(rng, (90, 31), dtype)
    A = aslinearoperator(dense)
    S, T = KINDS[kind](24, 90, rng=2), KINDS[kind](24, 31, rng=2)
    product = S @ A
    assert product.dtype == dtype
    assert_product(product, S, dense)
    assert_product(np.asarray(A @ T.T), T, dense, side="right")


def test_operators_that_misbehave():
    S = sketch.Gaussian(3, 6, rng=0)

    def operator(rmatmat):
        return LinearOperator(
            (6, 4), matvec=lambda x: np.zeros(6), rmatmat=rmatmat, dtype=np.float64
        )

    with pytest.raises(ValueError, match="rmatmat returned NaN or infinite"):
        S @ operator(lambda X: np.full((4, X.shape[1]), np.nan))
    with pytest.raises(TypeError, match=r"complex values although A\.dtype is float64"):
        S @ operator(lambda X: np.full((4, X.shape[1]), 1j))
    with pytest.raises(ZeroDivisionError):
        S @ operator(lambda X: 1 / 0)
    forward = LinearOperator((6, 4), matvec=lambda x: np.zeros(6), dtype=np.float64)
    with pytest.raises(TypeError, match="must define rmatvec or rmatmat"):
        S @ forward


# ---------------------------------------------------------------- streaming


@all_kinds
@given(data=st.data())
def test_accumulators_of_any_partition_add_up(kind, data):
    m, n = 60, 4
    cuts = sorted(data.draw(st.sets(st.integers(1, m - 1), max_size=6)))
    blocks = data.draw(st.permutations(list(zip([0, *cuts], [*cuts, m], strict=True))))
    A = np.random.default_rng(len(cuts)).standard_normal((m, n))
    S = KINDS[kind](10, m, rng=5)
    split = data.draw(st.integers(0, len(blocks)))
    first, second = S.accumulator(n), S.accumulator(n)
    for i, (start, stop) in enumerate(blocks):
        (first if i < split else second).update(A[start:stop], start)
    assert first.rows_seen + second.rows_seen == m
    merged = first.merge(second)
    assert merged is first
    assert merged.rows_seen == m
    assert_product(merged.value, S, A)


@pytest.mark.parametrize("kind", ["sparse_sign", "gaussian", "rows"])
def test_accumulators_take_sparse_rows_single_rows_and_precisions(kind, rng):
    S = KINDS[kind](10, 50, rng=5)
    for dtype in DTYPES:
        A = sparse_matrix(rng, (50, 6), dtype)
        acc = S.accumulator(6, dtype=dtype)
        acc.update(scipy.sparse.csr_array(A[:20]), 0).update(A[20:21], 20)
        acc.update(scipy.sparse.coo_array(A[21:]), 21)
        assert acc.value.dtype == dtype
        assert_product(acc.value, S, A)


def test_accumulator_of_a_part_is_the_sketch_of_a_padded_matrix(rng):
    S = sketch.SparseSign(10, 50, rng=5)
    part = rng.standard_normal((7, 3))
    padded = np.zeros((50, 3))
    padded[31:38] = part
    assert_product(S.accumulator(3).update(part, 31).value, S, padded)


def test_accumulator_bad_input():
    S = sketch.SparseSign(10, 50, rng=5)
    acc = S.accumulator(3)
    with pytest.raises(ValueError, match="rows has 4 columns; expected 3"):
        acc.update(np.zeros((2, 4)), 0)
    with pytest.raises(ValueError, match=r"rows 49 \.\. 50 leave the range \[0, 50\)"):
        acc.update(np.zeros((2, 3)), 49)
    with pytest.raises(ValueError, match="leave the range"):
        acc.update(np.zeros((2, 3)), -1)
    with pytest.raises(TypeError):
        acc.update(np.zeros((2, 3)), 1.5)
    with pytest.raises(TypeError, match="not an operator"):
        acc.update(aslinearoperator(np.zeros((2, 3))), 0)
    with pytest.raises(TypeError):
        acc.update(np.zeros((2, 3), complex), 0)
    assert acc.rows_seen == 0
    assert not acc.value.any()


@pytest.mark.parametrize(
    "other",
    [
        lambda: sketch.SparseSign(10, 50, rng=6),
        lambda: sketch.SparseSign(11, 50, rng=5),
        lambda: sketch.SparseSign(10, 51, rng=5),
        lambda: sketch.Gaussian(10, 50, rng=5),
        lambda: sketch.SparseSign(10, 50, rng=5, nnz=4),
        lambda: weighted_rows(10, 50, rng=5),
    ],
    ids=["seed", "size", "dim", "kind", "nnz", "rows"],
)
def test_accumulators_of_different_operators_do_not_merge(other):
    with pytest.raises(ValueError, match="cannot merge sketches by different operators"):
        sketch.SparseSign(10, 50, rng=5).accumulator(3).merge(other().accumulator(3))


def test_row_sampling_by_other_weights_does_not_merge():
    one = sketch.RowSampling(10, 50, rng=5).accumulator(3)
    with pytest.raises(ValueError, match="cannot merge"):
        one.merge(weighted_rows(10, 50, rng=5).accumulator(3))


@all_kinds
def test_operators_and_accumulators_travel_between_processes(kind, rng):
    """Sketches "filled on different machines" have to be pickled to be merged."""
    S = KINDS[kind](10, 50, rng=5)
    A = rng.standard_normal((50, 3))
    acc = S.accumulator(3).update(A[:20], 0)
    assert np.array_equal(pickle.loads(pickle.dumps(S)).toarray(), S.toarray())
    there = pickle.loads(pickle.dumps(acc)).update(A[20:], 20)
    assert_product(there.value, S, A)


# ---------------------------------------------------------------- sketch.apply


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    "kind", ["auto", "gaussian", "rademacher", "sparse_sign", "countsketch", "srht"]
)
def test_apply(kind, axis, rng):
    A = rng.standard_normal((60, 45)).astype(np.float32)
    made = sketch.apply(A, 12, kind=kind, axis=axis, rng=3)
    S = KINDS["sparse_sign" if kind == "auto" else kind](12, A.shape[axis], rng=3)
    assert made.dtype == np.float32
    assert_product(made, S, A, side="left" if axis == 0 else "right")


def test_apply_to_sparse_matrices_and_operators(rng):
    A = sparse_matrix(rng, (60, 45), "float64")
    expected = sketch.SparseSign(12, 45, rng=3)
    made = sketch.apply(scipy.sparse.csr_array(A), 12, axis=1, rng=3)
    assert_product(made, expected, A, side="right")
    made = sketch.apply(aslinearoperator(A), 12, axis=1, rng=3)
    assert_product(made, sketch.Gaussian(12, 45, rng=3), A, side="right")


def test_a_generator_is_advanced_by_one_word():
    one, two = np.random.default_rng(0), np.random.default_rng(0)
    sketch.apply(np.eye(10), 4, rng=one)
    two.integers(0, 2**64, dtype=np.uint64)
    assert one.bit_generator.state == two.bit_generator.state
    sequence = sketch.Gaussian(3, 4, rng=np.random.SeedSequence(5))
    assert sequence.seed == sketch.Gaussian(3, 4, rng=np.random.SeedSequence(5)).seed


# ---------------------------------------------------------------- bad input


@all_kinds
def test_bad_arguments(kind):
    make = KINDS[kind]
    for size in (0, -1, 2**24):
        with pytest.raises(ValueError, match=f"size={size}"):
            make(size, 5, rng=0)
    with pytest.raises(ValueError, match="dim=-1"):
        sketch.Gaussian(3, -1, rng=0)
    with pytest.raises(TypeError, match="size"):
        make(2.5, 5, rng=0)
    with pytest.raises(TypeError, match="size"):
        make(True, 5, rng=0)
    for rng in ("seed", 1.5, True):
        with pytest.raises(TypeError, match="rng"):
            make(3, 5, rng=rng)
    for rng in (-1, 2**64):
        with pytest.raises(ValueError, match=f"rng={rng}"):
            make(3, 5, rng=rng)
    with pytest.raises(TypeError, match="dtype has dtype object"):
        make(3, 5, rng=0, dtype=object)


@all_kinds
def test_bad_factors(kind):
    S = KINDS[kind](4, 8, rng=0)
    with pytest.raises(ValueError, match="A has 7 rows; expected dim=8"):
        S @ np.zeros((7, 3))
    with pytest.raises(ValueError, match="expected dim=8"):
        np.zeros((3, 7)) @ S.T
    with pytest.raises(ValueError, match="A has 7 rows"):
        S @ np.zeros(7)
    with pytest.raises(ValueError, match=r"Y has shape \(5, 2\); expected \(4, p\)"):
        S.T @ np.zeros((5, 2))
    with pytest.raises(ValueError, match="A must be 2-d"):
        S @ np.zeros((8, 3, 2))
    with pytest.raises(TypeError, match="A has dtype object"):
        S @ np.full((8, 2), None)
    with pytest.raises(TypeError, match="A has dtype <U"):
        S @ np.full((8, 2), "x")
    with pytest.raises(TypeError, match=r"A has dtype (long|float128|float96)"):
        S @ np.zeros((8, 2), np.longdouble)


def test_bad_specific_arguments():
    for nnz in (0, 9, -1):
        with pytest.raises(ValueError, match=f"nnz={nnz} must lie in"):
            sketch.SparseSign(8, 20, nnz=nnz)
    with pytest.raises(ValueError, match="transform='fourier' is not known"):
        sketch.SRHT(4, 8, transform="fourier")
    with pytest.raises(ValueError, match="size=9 must not exceed the order 8"):
        sketch.SRHT(9, 8)
    with pytest.raises(ValueError, match="size=7 must not exceed the order 6"):
        sketch.SRHT(7, 6, transform="cosine")
    with pytest.raises(ValueError, match=r"weights has shape \(3,\); expected \(4,\)"):
        sketch.RowSampling(2, 4, weights=np.ones(3))
    for weights in ([1, -1, 1, 1], [1, np.nan, 1, 1], [1, np.inf, 1, 1], [0, 0, 0, 0]):
        with pytest.raises(ValueError, match="weights must be finite"):
            sketch.RowSampling(2, 4, weights=weights)
    with pytest.raises(ValueError, match="kind='fourier' is not known"):
        sketch.apply(np.eye(3), 2, kind="fourier")
    with pytest.raises(ValueError, match="axis=2 must be 0 or 1"):
        sketch.apply(np.eye(3), 2, axis=2)
    with pytest.raises(ValueError, match="size=0"):
        sketch.apply(np.eye(3), 0)


def test_row_sampling_of_nothing_is_refused():
    """There is no row to draw: E[S.T @ S] = I has no meaning for dim = 0."""
    with pytest.raises(ValueError, match="dim=0 must be at least 1"):
        sketch.RowSampling(3, 0, rng=0)


def test_accumulators_of_different_widths_do_not_merge():
    S = sketch.SparseSign(8, 100, rng=0)
    with pytest.raises(ValueError, match="1 columns; expected 3"):
        S.accumulator(3).merge(S.accumulator(1))


def test_start_may_be_a_narrow_integer():
    S = sketch.SparseSign(8, 400, rng=0)
    B = np.ones((60, 3))
    made = S.accumulator(3).update(B, np.uint8(200)).value
    assert np.allclose(made, S.toarray()[:, 200:260] @ B)


def test_row_sampling_keeps_its_own_weights():
    weights = np.ones(10)
    S = sketch.RowSampling(3, 10, rng=0, weights=weights)
    before = S.toarray()
    weights[:] = np.arange(10)
    assert np.array_equal(S.astype(np.float64).toarray(), before)


def test_an_operator_has_no_array_to_share():
    with pytest.raises(ValueError, match="always a copy"):
        np.array(sketch.Gaussian(3, 4, rng=0), copy=False)
