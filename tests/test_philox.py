"""The random numbers: known answers, the versioned counter layout, the same bits everywhere."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
import reference
import scipy.stats
import subspan
from subspan import _native, sketch
from threadpoolctl import threadpool_limits

SEED = 0x0123456789ABCDEF
GAUSSIAN, RADEMACHER, SPARSE_SIGN, HADAMARD_SIGN, PERMUTATION, ROW_SAMPLING = 1, 2, 3, 4, 5, 6


def words(seed, stream, i, p_block, lane=0):
    """Four Philox words for row i and block p_block, by counter layout 1; arguments broadcast."""
    i, p_block, lane = np.broadcast_arrays(
        np.asarray(i, np.uint64), np.asarray(p_block, np.uint64), np.asarray(lane, np.uint64)
    )
    low = np.uint64(0xFFFFFFFF)
    second = (i & np.uint64(0xFFFFFF)) | ((p_block >> np.uint64(32)) << np.uint64(24))
    third = lane | np.uint64(stream << 8)
    counter = np.stack([p_block & low, second & low, third, np.zeros_like(i)], axis=-1)
    return reference.philox4x32(counter, [seed & 0xFFFFFFFF, seed >> 32])


def gaussian(seed, rows, cols):
    """Unscaled Gaussian entries, float32, for arrays of row and column numbers."""
    i, p = np.meshgrid(rows, cols, indexing="ij")
    normals = reference.normals(words(seed, GAUSSIAN, i, p // 4))
    return np.take_along_axis(normals, (p % 4)[..., None], axis=-1)[..., 0]


def rademacher(seed, rows, cols):
    """Signs laid out by 16-by-256 tiles as the A fragments of 16-by-16 matrix instructions."""
    i, p = np.meshgrid(rows, cols, indexing="ij")
    row, col, step = i % 16, p % 16, p // 16 % 16
    lane = (row % 8) * 4 + (col % 8) // 2
    bit = step * 8 + (col % 2 + row // 8 * 2 + col // 8 * 4)
    four = words(seed, RADEMACHER, i // 16, p // 256, lane)
    word = np.take_along_axis(four, (bit // 32)[..., None], axis=-1)[..., 0].astype(np.int64)
    return 1 - 2 * (word >> (bit % 32) & 1)


def sparse_sign(seed, size, nnz, cols):
    """Unscaled sparse-sign columns: one sign in each of nnz groups of rows."""
    cols = np.asarray(cols)
    S = np.zeros((size, cols.size))
    for group in range(nnz):
        four = words(seed, SPARSE_SIGN, group, cols // 4)
        word = np.take_along_axis(four, (cols % 4)[:, None], axis=-1)[:, 0].astype(object)
        first, last = size * group // nnz, size * (group + 1) // nnz
        for c, w in enumerate(word):
            S[first + (w * (last - first) >> 32), c] = -1 if w & 1 else 1
    return S


def hadamard_signs(seed, cols):
    four = words(seed, HADAMARD_SIGN, 0, cols // 128)
    word = np.take_along_axis(four, (cols // 32 % 4)[:, None], axis=-1)[:, 0].astype(np.int64)
    return 1 - 2 * (word >> (cols % 32) & 1)


def permuted(seed, n, x):
    """Image of x under the Feistel permutation of 0 .. n - 1."""
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = x >> half, x & mask
        for round_ in range(4):
            f = int(words(seed, PERMUTATION, round_, right)[0])
            left, right = right, left ^ (f & mask)
        x = left << half | right
        if x < n:
            return x


# ---------------------------------------------------------------- against the oracle, bit for bit


def test_counter_layout_version_is_the_one_tested_here():
    assert _native.module().counter_layout_version == 1


@pytest.mark.parametrize("seed", [0, 1, SEED, 2**64 - 1])
@pytest.mark.parametrize(
    ("rows", "cols"),
    [(range(0, 64), range(0, 40)), (range(17, 23), range(5, 300)), (range(63, 64), range(1, 2))],
)
def test_gaussian_tile_is_the_oracles(seed, rows, cols):
    """size = 64 makes the scale 1 / 8, so multiplying by sqrt(size) is exact."""
    S = sketch.Gaussian(64, 300, rng=seed, dtype=np.float32)
    tile = S.tile(slice(rows.start, rows.stop), slice(cols.start, cols.stop))
    assert tile.dtype == np.float32
    assert np.array_equal(tile * np.float32(8), gaussian(seed, rows, cols))


@pytest.mark.parametrize("start", [2**20 - 3, 2**32 + 1, 2**34 - 2, 2**40 - 40])
def test_positions_beyond_32_bits(start):
    """The upper part of a position sits in the counter's second word, above the row's 24 bits."""
    dim, size = 2**40 - 1, 2**22
    cols = np.arange(start, min(start + 37, dim))
    rows = np.arange(size - 5, size)
    part = slice(int(rows[0]), int(rows[-1]) + 1), slice(start, int(cols[-1]) + 1)
    S = sketch.Gaussian(size, dim, rng=SEED, dtype=np.float32)
    assert np.array_equal(S.tile(*part) * np.float32(2**11), gaussian(SEED, rows, cols))
    R = sketch.Rademacher(size, dim, rng=SEED)
    assert np.array_equal(R.tile(*part) * 2**11, rademacher(SEED, rows, cols))


@pytest.mark.parametrize("seed", [0, SEED])
@pytest.mark.parametrize("part", [(0, 64, 0, 600), (3, 50, 250, 261), (31, 33, 15, 17)])
def test_rademacher_tile_is_the_oracles(seed, part):
    i0, i1, p0, p1 = part
    tile = sketch.Rademacher(64, 600, rng=seed).tile(slice(i0, i1), slice(p0, p1))
    assert np.array_equal(tile * 8, rademacher(seed, np.arange(i0, i1), np.arange(p0, p1)))


@pytest.mark.parametrize(("size", "nnz"), [(32, 8), (37, 4), (8, 8), (100, 1), (5, 3)])
def test_sparse_sign_is_the_oracles(size, nnz):
    S = sketch.SparseSign(size, 90, rng=SEED, nnz=nnz).toarray()
    expected = sparse_sign(SEED, size, nnz, np.arange(90)) / np.sqrt(nnz)
    assert np.abs(S - expected).max() <= np.finfo(np.float64).eps
    assert np.array_equal(S != 0, expected != 0)


def test_countsketch_is_sparse_sign_with_one_nonzero():
    C = sketch.CountSketch(20, 70, rng=SEED)
    S = sketch.SparseSign(20, 70, rng=SEED, nnz=1)
    assert np.array_equal(C.toarray(), S.toarray())
    assert np.array_equal(C.toarray(), sparse_sign(SEED, 20, 1, np.arange(70)))


@pytest.mark.parametrize("dim", [1, 2, 5, 64, 200])
def test_srht_is_the_oracles(dim):
    order = 1 << (dim - 1).bit_length()
    size = min(16, order)
    rows = [permuted(SEED, order, i) for i in range(size)]
    assert len(set(rows)) == size
    p = np.arange(dim)
    hadamard = (-1.0) ** np.array([[(r & int(q)).bit_count() for q in p] for r in rows])
    expected = hadamard * hadamard_signs(SEED, p) / np.sqrt(size)
    S = sketch.SRHT(size, dim, rng=SEED).toarray()
    assert np.abs(S - expected).max() <= np.finfo(np.float64).eps


def test_row_sampling_uniforms_have_52_bits_of_two_words():
    """u = (first 52 of 64 bits + 1/2) / 2^52; two uniforms per Philox call."""
    four = words(SEED, ROW_SAMPLING, 0, np.arange(10)).astype(object)
    pairs = [(row[2 * half], row[2 * half + 1]) for row in four for half in (0, 1)]
    uniform = np.array([float((hi << 32 | lo) >> 12) + 0.5 for hi, lo in pairs]) * 2.0**-52
    S = sketch.RowSampling(20, 1000, rng=SEED)
    assert np.array_equal(S.rows, (uniform * 1000).astype(np.int64))


# ---------------------------------------------------------------- frozen, and the same everywhere


def digest(array):
    """The bits of an array, little-endian, in C order."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return hashlib.sha256(little.tobytes()).hexdigest()[:16]


def digests():
    """Hashes of tiles and whole operators of every kind; scales are powers of two."""
    made = {}
    for dtype in ("float32", "float64", "complex64", "complex128"):
        made[f"gaussian {dtype}"] = sketch.Gaussian(64, 700, rng=SEED, dtype=dtype).toarray()
        made[f"rademacher {dtype}"] = sketch.Rademacher(64, 700, rng=SEED, dtype=dtype).toarray()
        made[f"sparse sign {dtype}"] = sketch.SparseSign(
            40, 700, rng=SEED, nnz=4, dtype=dtype
        ).toarray()
        made[f"srht {dtype}"] = sketch.SRHT(64, 700, rng=SEED, dtype=dtype).toarray()
    made["gaussian tile"] = sketch.Gaussian(256, 9000, rng=SEED, dtype="float32").tile(
        slice(19, 211), slice(4093, 8191)
    )
    made["countsketch"] = sketch.CountSketch(40, 700, rng=SEED).toarray()
    made["rows"] = sketch.RowSampling(40, 700, rng=SEED).rows
    return {name: digest(array) for name, array in made.items()}


GOLDEN = {
    "countsketch": "c683741178337664",
    "gaussian complex128": "95b41d8b81863c0b",
    "gaussian complex64": "dded281105a160e3",
    "gaussian float32": "f37644ddd977aa2c",
    "gaussian float64": "1017a7f4741971f4",
    "gaussian tile": "1a50e75869f51dc4",
    "rademacher complex128": "d453a533e80d53bc",
    "rademacher complex64": "0fb840e3950dc01b",
    "rademacher float32": "86720ebc064a2881",
    "rademacher float64": "dceb6ed94bd84e3b",
    "rows": "0c5a815fcef01ac5",
    "sparse sign complex128": "bfc94b0d4e8ca856",
    "sparse sign complex64": "a55e44f8effbeae6",
    "sparse sign float32": "b8f1edf9280cf504",
    "sparse sign float64": "2582b19209c7176d",
    "srht complex128": "b695d90ae371b26e",
    "srht complex64": "eeb8809f469317e2",
    "srht float32": "7333a22531329317",
    "srht float64": "7057d4aebeb7ed62",
}


def test_golden_hashes():
    """Frozen: a change here is a new counter layout and must bump its version."""
    assert digests() == GOLDEN


@pytest.mark.host_only
@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
def test_same_bits_for_every_instruction_set(isa):
    code = (
        "from subspan import config; import test_philox;"
        "print(config.config()['instruction set']);"
        "assert test_philox.digests() == test_philox.GOLDEN"
    )
    path = os.pathsep.join(filter(None, [os.path.dirname(__file__), *sys.path]))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "SUBSPAN_ISA": isa, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "is not available here" in done.stderr:
        assert isa != "baseline"
        pytest.skip(f"this processor does not run {isa}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == isa


@pytest.mark.parametrize("threads", [1, 2])
def test_same_bits_for_every_thread_count(threads):
    with threadpool_limits(threads):
        assert digests() == GOLDEN


def test_threads_obey_threadpoolctl():
    with threadpool_limits(1):
        assert _native.module().config()["threads"] == 1


@pytest.mark.parametrize("kind", ["Gaussian", "Rademacher", "SparseSign", "CountSketch"])
def test_products_do_not_depend_on_the_thread_count(kind, rng):
    """Up to rounding: the operator is the same, the order of the sums need not be."""
    A = rng.standard_normal((900, 130))
    S = getattr(sketch, kind)(48, 900, rng=SEED)
    with threadpool_limits(1):
        alone = S @ A
    with threadpool_limits(2):
        shared = S @ A
    bound = 20 * np.finfo(np.float64).eps * np.sqrt(900) * np.linalg.norm(A, axis=0)
    assert np.all(np.abs(alone - shared) <= bound)


@pytest.mark.parametrize("name", ["gaussian", "rademacher", "sparse_sign", "srht"])
def test_indices_do_not_depend_on_the_thread_count(name, rng):
    """Pivots of a matrix with separated singular values: a rounding error cannot swap them."""
    A = rng.standard_normal((300, 40)) * 0.7 ** np.arange(40) @ rng.standard_normal((40, 200))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(subspan.pivots(A, 12, sketch=name, rng=SEED))
    assert np.array_equal(*found)


# ---------------------------------------------------------------- quality of the numbers


@pytest.mark.host_only
def test_gaussian_entries_are_standard_normal():
    """Kolmogorov-Smirnov, 2^20 numbers, at level 1e-6; the moments within 5 standard errors.

    Standard errors of the first four moments of N numbers: sqrt(1, 2, 15, 96) / sqrt(N); four
    two-sided 5-sigma tests fail with probability 2.3e-6 together.
    """
    z = sketch.Gaussian(256, 4096, rng=SEED).toarray().ravel() * 16
    assert scipy.stats.kstest(z, "norm").pvalue > 1e-6
    for power, mean, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs(np.mean(z**power) - mean) <= 5 * np.sqrt(variance / z.size)
    assert np.abs(z).max() <= np.sqrt(2 * 24 * np.log(2)) * (1 + 1e-6)  # u >= 2^-24


@pytest.mark.host_only
@pytest.mark.parametrize("kind", ["Gaussian", "Rademacher"])
def test_rows_and_columns_are_uncorrelated(kind):
    """sqrt(N) times a sample correlation is nearly standard normal; 5.7 sigma over 2 * 2016 pairs
    of 64 rows / 64 columns fails with probability 4032 * 1.2e-8 < 5e-5 (fixed seed).
    """
    S = getattr(sketch, kind)(4096, 4096, rng=SEED, dtype=np.float32)
    for Z in (S.tile(slice(0, 64), slice(None)), S.tile(slice(None), slice(0, 64)).T):
        off_diagonal = (64 * Z @ Z.T)[np.triu_indices(64, 1)]
        assert np.abs(off_diagonal).max() <= 5.7


@pytest.mark.host_only
def test_different_seeds_and_kinds_share_no_numbers():
    """A normal number of 23 bits occurs in another stream of 4096 by chance < 3e-3 per entry;
    identical rows or shifted copies would make all of them coincide.
    """
    one = sketch.Gaussian(16, 256, rng=0).toarray()
    for seed in (1, 2**32, 2**63):
        other = sketch.Gaussian(16, 256, rng=seed).toarray()
        assert np.isin(one, other).mean() < 0.05
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) <= 5 / np.sqrt(one.size)
