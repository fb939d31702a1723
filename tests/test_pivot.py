"""Choosing columns: every method against its oracle, its law and its guarantee."""

import itertools
import warnings

import numpy as np
import pytest
import reference
import scipy.stats
import subspan
from hypothesis import assume, given
from hypothesis import strategies as st
from subspan import _native, pivot, sketch, testing
from subspan.pivot import Selection, select, size_sketch
from subspan.source import as_source
from test_philox import words

DTYPES = ["float32", "float64", "complex64", "complex128"]
EPS = np.finfo(np.float64).eps
SKETCHED = ["lupp", "cpqr"]
BLOCKWISE = ["rbrp", "rp", "brp", "greedy", "bgp"]
SUBSPACE = ["leverage", "deim", "arp"]
ALL = [*SKETCHED, *BLOCKWISE, *SUBSPACE, "strong"]
WEIGHTED_SAMPLING, REJECTION = 7, 8  # stream numbers
N_LAW = 4000  # draws of a test of a law
LEVEL = 1e-6  # of a chi-squared test: chance of failing by luck, were the seeds not fixed

ignore_tolerance = pytest.mark.filterwarnings("ignore::subspan.ToleranceNotMet")


def eps_of(A):
    return np.finfo(A.dtype).eps


def gaussian(rng, shape, dtype="float64"):
    A = rng.standard_normal(shape)
    if np.issubdtype(dtype, np.complexfloating):
        A = A + 1j * rng.standard_normal(shape)
    return A.astype(dtype)


def decaying(rng, m, n, base=0.8, dtype="float64"):
    """Singular values close to base ** j."""
    r = min(m, n)
    left = np.linalg.qr(gaussian(rng, (m, r), dtype))[0]
    right = np.linalg.qr(gaussian(rng, (n, r), dtype))[0]
    return (left * base ** np.arange(r) @ right.conj().T).astype(dtype)


@st.composite
def matrices(draw, least=1, most=40, dtypes=DTYPES):
    """Random, decaying, rank-deficient, with duplicates, with small integers; C or F order."""
    m, n = draw(st.integers(least, most)), draw(st.integers(least, most))
    dtype = draw(st.sampled_from(dtypes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["random", "decaying", "deficient", "duplicates", "integers"]))
    if kind == "random":
        A = gaussian(rng, (m, n), dtype)
    elif kind == "decaying":
        A = decaying(rng, m, n, 0.5, dtype)
    elif kind == "deficient":
        r = draw(st.integers(1, min(m, n)))
        A = gaussian(rng, (m, r), dtype) @ gaussian(rng, (r, n), dtype)
    elif kind == "duplicates":
        A = gaussian(rng, (m, n), dtype)[:, rng.integers(0, max(1, n // 3), n)]
    else:
        A = rng.integers(-1, 2, (m, n)).astype(dtype)
        A[0, 0] = 1
    return np.asfortranarray(A) if draw(st.booleans()) else np.ascontiguousarray(A)


def projection_errors(A, J):
    """Relative ||A - A_J A_J^+ A||_F for all leading parts of J: what Householder QR of A with the
    columns J in front leaves below row k; right to eps in absolute terms.
    """
    wide = A.astype(np.result_type(A.dtype, np.float64))
    order = np.concatenate([J, np.setdiff1d(np.arange(A.shape[1]), J)])
    rows = np.zeros(max(A.shape) + 1)
    R = np.linalg.qr(wide[:, order], mode="r")
    rows[: R.shape[0]] = np.sum(np.abs(R) ** 2, axis=1)
    left = np.cumsum(rows[::-1])[::-1]
    return np.sqrt(left[: len(J) + 1] / left[0])


def skeleton(A, pivoting, k, seed=0, **settings):
    source, wanted = as_source(A), Selection(pivoting, k, **settings)
    size_sketch(source, wanted)
    return select(source, wanted, seed)


# ---------------------------------------------------------------- what holds for every method


@pytest.mark.parametrize("pivoting", ALL)
@given(A=matrices(), data=st.data())
def test_pivots_are_distinct_and_in_range(pivoting, A, data):
    axis = data.draw(st.sampled_from([0, 1]))
    k = data.draw(st.integers(0, min(A.shape)))
    before = A.copy()
    J = subspan.pivots(A, k, pivoting=pivoting, axis=axis, rng=data.draw(st.integers(0, 2**64 - 1)))
    assert J.dtype == np.int64
    assert J.shape == (k,)
    assert np.unique(J).size == k
    assert J.min(initial=0) >= 0
    assert J.max(initial=0) < A.shape[axis]
    assert np.array_equal(A, before)


@pytest.mark.parametrize("pivoting", ALL)
@given(A=matrices(), data=st.data())
def test_permutation_is_one(pivoting, A, data):
    """Of all columns, at every rank: the defect of a published implementation."""
    k = data.draw(st.integers(1, min(A.shape)))
    found = skeleton(A, pivoting, k, data.draw(st.integers(0, 99)))
    assert np.array_equal(np.sort(found.permutation), np.arange(A.shape[1]))
    assert 0 <= found.rank <= k


@pytest.mark.parametrize("pivoting", ["lupp", "rbrp", "rp", "brp", "greedy", "bgp"])
@given(A=matrices(), data=st.data())
def test_permutation_of_adaptive_methods_is_one(pivoting, A, data):
    block = data.draw(st.integers(1, 50))
    settings = {"rtol": data.draw(st.sampled_from([0.5, 0.1, 1e-3])), "block_size": block}
    found = skeleton(A, pivoting, min(A.shape), **settings)
    assert np.array_equal(np.sort(found.permutation), np.arange(A.shape[1]))
    ranks = [entry[0] for entry in found.history]
    assert ranks == sorted(ranks)
    assert all(accepted <= proposed for *_, accepted, proposed in found.history)


@pytest.mark.parametrize("pivoting", ALL)
@given(A=matrices(least=2), data=st.data())
def test_exact_rank_is_found(pivoting, A, data):
    """On a matrix of rank r, r well-conditioned pivots span it: error at most 1e3 eps |A|.

    The pivots of a random selection are only as good as their volume, hence the factor with the
    smallest singular value of the chosen columns.
    """
    r = np.linalg.matrix_rank(A, tol=1e-4 * np.linalg.norm(A) if eps_of(A) > 1e-10 else None)
    assume(r > 0)
    J = subspan.pivots(A, r, pivoting=pivoting, rng=data.draw(st.integers(0, 999)))
    sigma = np.linalg.svd(A[:, J], compute_uv=False)
    growth = float(np.linalg.norm(A)) / max(float(sigma[-1]), float(np.finfo(A.dtype).tiny))
    assume(growth < 1e3)
    tail = testing.optimal_error(A, r)
    assert projection_errors(A, J)[-1] <= 1e3 * (eps_of(A) + tail) * growth


@pytest.mark.parametrize("pivoting", ALL)
def test_same_seed_same_pivots_and_generators_advance_once(pivoting, rng):
    A = gaussian(rng, (40, 60))
    J = subspan.pivots(A, 8, pivoting=pivoting, rng=5)
    assert np.array_equal(J, subspan.pivots(A, 8, pivoting=pivoting, rng=5))
    assert np.array_equal(J, subspan.pivots(A.copy(order="F"), 8, pivoting=pivoting, rng=5))
    assert np.array_equal(J, subspan.pivots(A.T, 8, pivoting=pivoting, axis=0, rng=5))
    one, two = np.random.default_rng(1), np.random.default_rng(1)
    seed = int(two.integers(0, 2**64, dtype=np.uint64))
    drawn = subspan.pivots(A, 8, pivoting=pivoting, rng=one)
    assert np.array_equal(drawn, subspan.pivots(A, 8, pivoting=pivoting, rng=seed))
    assert one.bit_generator.state == two.bit_generator.state


@pytest.mark.parametrize("pivoting", ["cpqr", *BLOCKWISE, "strong"])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_unitary_invariance(pivoting, dtype, rng):
    """Column norms and angles do not change: methods that look at A choose the same columns."""
    A = decaying(rng, 50, 70, 0.9, dtype)
    Q = np.linalg.qr(gaussian(rng, (50, 50), dtype))[0]
    options = {"pivoting": pivoting, "rng": 3, "sketch": None if pivoting == "cpqr" else "auto"}
    assert np.array_equal(subspan.pivots(A, 20, **options), subspan.pivots(Q @ A, 20, **options))


@pytest.mark.parametrize("pivoting", ALL)
@pytest.mark.parametrize("exponent", [-300, -20, 20, 300])
def test_scaling_by_a_power_of_two_changes_nothing(pivoting, exponent, rng):
    A = decaying(rng, 50, 70, 0.9)
    J = subspan.pivots(A, 20, pivoting=pivoting, rng=3)
    assert np.array_equal(J, subspan.pivots(np.ldexp(A, exponent), 20, pivoting=pivoting, rng=3))


@pytest.mark.parametrize("kind", ["gaussian", "rademacher", "sparse_sign", "countsketch", "srht"])
@pytest.mark.parametrize("pivoting", [*SKETCHED, *SUBSPACE])
def test_every_sketch_serves_every_sketched_method(pivoting, kind, rng):
    """Within twice the error of pivoted QR of A (a factor that holds for all of these seeds)."""
    A = decaying(rng, 128, 90, 0.9)
    J = subspan.pivots(A, 20, pivoting=pivoting, sketch=kind, rng=4)
    best = projection_errors(A, reference.cpqr(A, 20)[0])[-1]
    assert projection_errors(A, J)[-1] <= (2 if pivoting != "leverage" else 4) * best


# ---------------------------------------------------------------- LUPP

KINDS = {
    "gaussian": (0, sketch.Gaussian),
    "rademacher": (1, sketch.Rademacher),
    "sparse_sign": (2, sketch.SparseSign),
    "srht": (3, sketch.SRHT),
}


def drawn_sketch(A, kind, size, seed, repetition=0):
    """S A for the operator of this seed, from a product with all of S."""
    native = _native.module()
    code, _ = KINDS[kind]
    op = native.SketchOperator(code, size, A.shape[0], min(8, size), seed, 0, repetition)
    S = np.empty((size, A.shape[0]))
    native.sketch_tile(op, 0, 0, S)
    return S @ A


def pivot_sketch(A, kind, rows, seed, repetition=0, drawn=None):
    """What pivoting looks at: the first rows of a Gaussian sketch; of any other, 2 rows + 24 are
    drawn and combined by a small Gaussian matrix, which makes them generic. Many of them: those beyond
    a power of two are added to the first ones, and a Hadamard matrix of full order combines the sums.
    """
    if kind == "gaussian":
        return drawn_sketch(A, kind, rows if drawn is None else drawn, seed, repetition)[:rows]
    order = 1 << (A.shape[0] - 1).bit_length()
    drawn = 2 * rows + 24 if drawn is None else drawn
    drawn = min(drawn, order) if kind == "srht" else drawn
    native = _native.module()
    Y = drawn_sketch(A, kind, drawn, seed, repetition)
    power = 1 << (drawn.bit_length() - 1)
    hadamard = drawn * rows > 2**15 and power >= rows
    if hadamard and power < drawn:
        Y = np.vstack([Y[:power][: drawn - power] + Y[power:], Y[drawn - power : power]])
    M = np.empty((rows, len(Y)))
    op = native.SketchOperator(3 if hadamard else 0, rows, len(Y), 1, seed, 2, repetition)
    native.sketch_tile(op, 0, 0, M)
    return M @ Y


def lu_oracle(A, kind, k, seed):
    return reference.lupp(pivot_sketch(A, kind, k, seed).T, magnitude=reference.taxicab)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("k", [1, 7, 30])
def test_lupp_pivots_are_those_of_the_oracle(kind, dtype, k, rng):
    """LU with partial pivoting of the sketch that the seed says, at fixed rank."""
    A = decaying(rng, 128, 75, 0.95, dtype)
    for seed in range(4):
        J = subspan.pivots(A, k, sketch=kind, rng=seed)
        assert np.array_equal(J, lu_oracle(A, kind, k, seed)[0][:k])


def test_large_sketches_are_mixed_by_a_hadamard_matrix(rng):
    A = decaying(rng, 300, 250, 0.98)
    J = subspan.pivots(A, 150, rng=1)
    assert np.array_equal(J, lu_oracle(A, "sparse_sign", 150, 1)[0][:150])


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_interpolative_uses_the_pivots_of_its_own_sketch(dtype, rng):
    """Whatever the coefficients, LU looks at k combinations of the rows that the plan reports."""
    A = decaying(rng, 120, 75, 0.95, dtype)
    for coefficients in ("exact", "osid", "sketch"):
        r = subspan.interpolative(A, 15, pivoting="lupp", coefficients=coefficients, rng=8)
        Y = pivot_sketch(A, "sparse_sign", 15, 8, drawn=r.plan.choices["sketch size"]).T
        assert np.array_equal(r.indices, reference.lupp(Y, magnitude=reference.taxicab)[0][:15])


@given(A=matrices(), data=st.data())
def test_multipliers_are_at_most_one(A, data):
    """|L| <= 1 for the pivots chosen, sqrt(2) for complex data (LAPACK pivots on |Re| + |Im|).

    Checked where the leading block is well conditioned, since L is recomputed here.
    """
    k = data.draw(st.integers(1, min(A.shape)))
    seed = data.draw(st.integers(0, 999))
    J = subspan.pivots(A, k, rng=seed)
    wide = pivot_sketch(A, "sparse_sign", k, seed).T.astype("complex128")
    order = np.concatenate([J, np.setdiff1d(np.arange(A.shape[1]), J)])
    U = np.eye(k, dtype=complex)
    L = wide[order].copy()
    for j in range(k):  # elimination without exchanges
        assume(abs(L[j, j]) > 1e3 * eps_of(A) * k * np.abs(wide).max())
        factor = L[j + 1 :, j] / L[j, j]
        L[j + 1 :, j + 1 :] -= np.outer(factor, L[j, j + 1 :])
        growth = np.abs(U[:j]).max(initial=1) * np.abs(wide).max() / abs(L[j, j])
        limit = np.sqrt(2) if np.iscomplexobj(A) else 1
        assert np.abs(factor).max(initial=0) <= limit + 100 * k * eps_of(A) * growth


def test_oversampling_changes_no_pivot_of_gaussian_lupp(rng):
    """The first k pivots depend on the first k rows of the sketch (up to its scale) alone."""
    A = decaying(rng, 80, 60, 0.9)
    J = [
        subspan.interpolative(
            A, 12, pivoting="lupp", sketch="gaussian", oversampling=p, rng=1
        ).indices
        for p in (0, 5, 30)
    ]
    assert np.array_equal(J[0], J[1])
    assert np.array_equal(J[0], J[2])


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@given(data=st.data())
def test_sketch_error_bound(dtype, data):
    """|A - A_S A_S^+ A| <= |A - A_S W| <= sqrt(1 + |T|_2^2) |A (I - P_Y)|, in both norms.

    Deterministic: it holds for the coefficients of every sketch with as many rows as pivots.
    """
    A = data.draw(matrices(least=2, dtypes=[dtype]))
    k = data.draw(st.integers(1, min(A.shape)))
    pivoting = data.draw(st.sampled_from(SKETCHED))
    seed = data.draw(st.integers(0, 2**32))
    r = subspan.interpolative(
        A, k, pivoting=pivoting, sketch="gaussian", coefficients="sketch", oversampling=0, rng=seed
    )
    assume(r.rank == k)
    Y = pivot_sketch(A, "gaussian", k, seed).conj().T
    s = np.linalg.svd(Y, compute_uv=False)
    assume(s[-1] > 1e-8 * s[0])
    Q = np.linalg.qr(Y)[0]
    T = np.delete(r.coefficients, r.indices, axis=1)
    for norm in (2, "fro"):
        eta = np.sqrt(1 + (np.linalg.norm(T, 2) ** 2 if T.size else 0))
        cheap = np.linalg.norm(A - A[:, r.indices] @ r.coefficients, norm)
        best = np.linalg.norm(A - A[:, r.indices] @ np.linalg.pinv(A[:, r.indices]) @ A, norm)
        bound = eta * np.linalg.norm(A - A @ Q @ Q.conj().T, norm)
        noise = 1e3 * EPS * np.linalg.norm(A) * eta * s[0] / s[-1]
        assert best <= cheap + noise
        assert cheap <= bound + noise


# ---------------------------------------------------------------- adaptive LUPP


@ignore_tolerance
@pytest.mark.parametrize(
    ("kind", "dtype", "block"),
    [("gaussian", "float64", 16), ("sparse_sign", "float64", 16), ("gaussian", "complex128", 10)],
)
def test_adaptive_error_estimate_is_unbiased(kind, dtype, block):
    """The squared estimate at rank k has the squared error of the cheap coefficients as its mean.

    Ratio of the two over 500 seeds, a fresh sketch each: mean within 5 standard errors of 1
    (6e-7), and for Gaussian sketches of real data the relative standard deviation is
    sqrt(2 / b sum sigma^4 / (sum sigma^2)^2), within 20 % (its own relative standard error is at
    most sqrt((kurtosis - 1) / (4 * 500)) < 4 %).
    """
    A = decaying(np.random.default_rng(3), 60, 50, 0.93, dtype)
    k, ratios, predicted = 2 * block, [], []
    for seed in range(500):
        r = subspan.interpolative(
            A, k, rtol=1e-9, pivoting="lupp", sketch=kind, block_size=block,
            coefficients="sketch", rng=seed,
        )  # fmt: skip
        E = A - A[:, r.indices] @ r.coefficients
        last = r.history[-1]
        assert (last["rank"], last["exact"]) == (k, False)
        ratios.append(last["residual"] ** 2 / np.linalg.norm(E) ** 2)
        sigma2 = np.linalg.svd(E, compute_uv=False) ** 2
        predicted.append(2 / block * np.sum(sigma2**2) / np.sum(sigma2) ** 2)
    standard_error = np.std(ratios, ddof=1) / np.sqrt(len(ratios))
    assert abs(np.mean(ratios) - 1) <= 5 * standard_error
    if (kind, dtype) == ("gaussian", "float64"):
        assert abs(np.std(ratios) / np.sqrt(np.mean(predicted)) - 1) <= 0.2


@ignore_tolerance
@pytest.mark.parametrize("kind", ["gaussian", "sparse_sign"])
def test_adaptive_lupp_is_the_oracle(kind, rng):
    """Blocks of the operators with repetition 0, 1, 2: the oracle's pivots and estimates."""
    A = decaying(rng, 90, 70, 0.9)
    r = subspan.interpolative(
        A, 24, rtol=1e-9, pivoting="lupp", sketch=kind, block_size=8, rng=6, coefficients="sketch"
    )
    sketches = [pivot_sketch(A, kind, 8, 6, repetition=t).T for t in range(4)]
    perm, L, history = reference.adaptive_lupp(sketches, k_max=24)
    assert np.array_equal(r.indices, perm[:24])
    assert [entry["rank"] for entry in r.history] == [rank for rank, _ in history]
    residuals = [entry["residual"] for entry in r.history]
    assert np.allclose(residuals, [e for _, e in history], rtol=1e-9, atol=0)
    W = reference.coefficients_from_lu(perm, L)
    assert np.allclose(r.coefficients, W, rtol=0, atol=1e-9 * np.abs(W).max())


@pytest.mark.parametrize("rtol", [0.3, 1e-2, 1e-4])
@pytest.mark.parametrize("block", [None, 8, 16])
@pytest.mark.parametrize("dtype", DTYPES)
def test_adaptive_lupp_stops(rtol, block, dtype, rng):
    """With a few columns to spare: the estimate is that of the cheap coefficients (up to 10 times
    the best error here), times the safety factor, and tested once per block.
    """
    A = decaying(rng, 100, 120, 0.8, dtype)
    r = subspan.interpolative(A, rtol=rtol, pivoting="lupp", block_size=block, rng=2)
    assert r.stop_reason == "tolerance"
    assert r.converged
    assert testing.interpolation_error(A, *r) <= rtol
    block = block or 32
    safety = np.sqrt(block / scipy.stats.chi2.ppf(1e-3, block))
    least, reached = (
        next(k for k in range(101) if testing.optimal_error(A, k) <= error)
        for error in (rtol, rtol / (10 * safety))
    )
    assert least <= r.rank <= reached + 2 * block
    assert [e["exact"] for e in r.history] == [False] * len(r.history)


def test_adaptive_lupp_refuses_noise_on_exact_rank(rng):
    """A zero pivot of an exhausted matrix ends the selection instead of making Inf or NaN."""
    A = gaussian(rng, (60, 7)) @ gaussian(rng, (7, 50))
    r = subspan.interpolative(A, rtol=1e-12, pivoting="lupp", block_size=16, rng=2)
    assert r.rank == 7
    assert testing.interpolation_error(A, *r) <= 1e3 * EPS


# ---------------------------------------------------------------- blockwise methods


def uniforms(seed, stream, count, repetition):
    """The uniforms of a round, from Philox: 52 bits of two words, plus one half."""
    four = words(seed, stream, repetition, np.arange((count + 1) // 2)).astype(object)
    pairs = [(row[2 * h], row[2 * h + 1]) for row in four for h in (0, 1)]
    return np.array([float((a << 32 | b) >> 12) + 0.5 for a, b in pairs[:count]]) * 2.0**-52


def race_of(seed):
    """The candidates that the library draws with this seed, round after round."""
    rounds = iter(range(10**6))

    def candidates(d, c):
        u = uniforms(seed, WEIGHTED_SAMPLING, d.size, next(rounds))
        return reference.exponential_race(d, u, c)

    return candidates


ORACLES = {
    "rbrp": lambda A, k, block, seed: reference.blockwise(A, k, block, race_of(seed)),
    "brp": lambda A, k, block, seed: reference.blockwise(A, k, block, race_of(seed), tau=0),
    "greedy": lambda A, k, block, seed: reference.blockwise(
        A, k, block, reference.greedy, tau=pivot._GREEDY_FILTER
    ),
    "bgp": lambda A, k, block, seed: reference.blockwise(A, k, block, reference.greedy, tau=0),
}


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("pivoting", ORACLES)
@pytest.mark.parametrize(("block", "base"), [(1, 0.9), (5, 0.9), (16, 0.95), (16, 0.7)])
def test_blockwise_pivots_are_those_of_the_oracle(pivoting, dtype, block, base, rng):
    """Same uniforms, same candidates, same filter: same columns in the same order."""
    A = decaying(rng, 60, 90, base, dtype)
    for seed in range(3):
        piv, Q, R, blocks = ORACLES[pivoting](A, 24, block, seed)
        r = subspan.interpolative(A, 24, pivoting=pivoting, block_size=block, rng=seed)
        assert np.array_equal(r.indices, piv)
        assert [(e["proposed"], e["accepted"]) for e in r.history[1:]] == blocks
        ranks = [e["rank"] for e in r.history]
        exact = np.sqrt(reference.squared_errors(A, Q))[ranks]
        error = np.abs(exact - [e["residual"] for e in r.history])
        assert error.max() <= np.sqrt(EPS) * np.linalg.norm(A) * 1e-2
        W = reference.coefficients_from_qr(R, piv)
        assert np.abs(r.coefficients - W).max() <= 1e-9 * np.abs(W).max()


class PhiloxRng:
    """What `reference.rpqr` asks of a generator, from the library's streams."""

    def __init__(self, seed):
        self.seed, self.round, self.rejection = seed, -1, iter(())

    def choice(self, n, size, p):
        self.round += 1
        cumulative = np.cumsum(p)
        u = uniforms(self.seed, WEIGHTED_SAMPLING, size, self.round)
        self.rejection = iter(uniforms(self.seed, REJECTION, size, self.round))
        return np.searchsorted(cumulative, u * cumulative[-1], side="right")

    def random(self):
        return next(self.rejection)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_random_pivots_by_rejection_are_those_of_the_oracle(dtype, rng):
    """As long as a full block is proposed, i.e. until fewer than a block are missing."""
    A = decaying(rng, 60, 90, 0.9, dtype)
    for seed in range(5):
        piv = reference.rpqr(A, 24, 4, PhiloxRng(seed))[0]
        J = subspan.pivots(A, 24, pivoting="rp", block_size=4, rng=seed)
        assert np.array_equal(J[:20], piv[:20])


@pytest.mark.parametrize("dtype", DTYPES)
def test_pivoted_qr_of_A_is_the_oracles(dtype, rng):
    A = decaying(rng, 60, 90, 0.8, dtype)
    piv, Q, _ = reference.cpqr(A, 15)
    assert np.array_equal(subspan.pivots(A, 15, pivoting="cpqr", sketch=None), piv)
    r = subspan.interpolative(A, 15, pivoting="cpqr", sketch=None)
    assert np.array_equal(r.indices, piv)
    assert [e["rank"] for e in r.history] == list(range(16))
    exact = np.sqrt(reference.squared_errors(A, Q))
    error = np.abs([e["residual"] for e in r.history] - exact)
    assert error.max() <= np.sqrt(eps_of(A)) * np.linalg.norm(A)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("k", [1, 9, 40])
def test_sketched_cpqr_pivots_are_those_of_the_oracle(dtype, k, rng):
    A = decaying(rng, 120, 75, 0.9, dtype)
    for seed in range(4):
        B = pivot_sketch(A, "sparse_sign", k + 12, seed)
        r = subspan.interpolative(A, k, pivoting="cpqr", oversampling=12, rng=seed)
        assert np.array_equal(r.indices, reference.cpqr(B, k)[0])


@pytest.mark.parametrize("pivoting", [*BLOCKWISE, "cpqr"])
@given(A=matrices(least=2), data=st.data())
def test_revealed_residuals(pivoting, A, data):
    """Every exact residual of the history is the projection error at that rank, and they fall.

    To sqrt(50 eps) |A| at worst: residuals are revealed by subtraction and recomputed in time. Where
    rbrp and brp estimate one in between, it is right up to the spread of 32 Gaussian probes.
    """
    k = data.draw(st.integers(1, min(A.shape)))
    block = data.draw(st.integers(1, 20))
    options = {"sketch": None} if pivoting == "cpqr" else {"block_size": block}
    r = subspan.interpolative(A, k, pivoting=pivoting, rng=data.draw(st.integers(0, 99)), **options)
    residuals = np.array([e["residual"] for e in r.history]) / np.linalg.norm(A)
    exact = np.array([e["exact"] for e in r.history])
    truth = projection_errors(A, r.indices)[[e["rank"] for e in r.history]]
    noise = 100 * eps_of(A) * np.sqrt(max(A.shape))
    assert np.all(np.abs(residuals**2 - truth**2)[exact] <= noise)
    assert np.all(np.diff(residuals[exact]) <= noise)
    assert exact[-1]
    if pivoting not in ("rbrp", "brp"):
        assert exact.all()
    assert np.all(residuals[~exact] <= 2 * truth[~exact] + noise)
    assert np.all(residuals[~exact] >= truth[~exact] / 2 - noise)
    assert r.error.kind == "exact"
    assert r.error.value == r.history[-1]["residual"]


@pytest.mark.parametrize("pivoting", ["rbrp", "brp", "greedy", "bgp", "cpqr"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_diagonal_of_R_falls_within_a_block(pivoting, dtype, rng):
    """The candidates of a block are accepted in the order of pivoted QR."""
    A = decaying(rng, 60, 90, 0.9, dtype)
    options = {"sketch": None} if pivoting == "cpqr" else {"block_size": 10}
    r = subspan.interpolative(A, 30, pivoting=pivoting, rng=1, **options)
    diagonal = np.abs(np.diag(np.linalg.qr(A[:, r.indices])[1]))
    ranks = [0, 30] if pivoting == "cpqr" else [e["rank"] for e in r.history]
    for first, last in itertools.pairwise(ranks):
        part = diagonal[first:last]
        assert np.all(part[1:] <= part[:-1] * (1 + 1e3 * eps_of(A) / part.min()))


# ---------------------------------------------------------------- the adversarial mixture


@pytest.fixture(scope="module")
def mixture():
    """2000 points in 100 clusters, 500 dimensions, the near ones hidden by the far ones."""
    A = testing.gmm(500, 2000, clusters=100, rng=0)
    energy = np.linalg.svd(A, compute_uv=False) ** 2
    best = [np.sum(energy[k:]) / np.sum(energy) for k in (90, 180, 270)]
    greedy = subspan.interpolative(A, 270, pivoting="cpqr", sketch=None)
    cpqr = np.array([e["residual"] for e in greedy.history]) ** 2 / np.linalg.norm(A) ** 2
    return A, dict(zip((90, 180, 270), best, strict=True)), cpqr


def squared_errors(r, A):
    """Rank -> squared relative error, at the ends of the blocks."""
    total = np.linalg.norm(A) ** 2
    return {e["rank"]: e["residual"] ** 2 / total for e in r.history}


def test_mixture_is_the_published_one(mixture):
    """Best and pivoted-QR squared errors as measured there, up to the draw of the noise (10 %)."""
    _, best, cpqr = mixture
    for k, expected in {90: 2.3e-3, 180: 7.4e-4, 270: 4.3e-4}.items():
        assert abs(best[k] / expected - 1) <= 0.1
    for k, expected in {90: 3.3e-3, 270: 7.8e-4}.items():
        assert abs(cpqr[k] / expected - 1) <= 0.25


@pytest.mark.parametrize("seed", range(5))
def test_robust_blocks_on_the_mixture(mixture, seed):
    """Squared error 1.43e-3 in 10 blocks of 30 at rank 180; at most 1.6 times pivoted QR's."""
    A, _, cpqr = mixture
    r = subspan.interpolative(A, 270, pivoting="rbrp", block_size=30, rng=seed)
    errors = squared_errors(r, A)
    for k, error in errors.items():
        if k >= 100:
            assert error <= 1.6 * cpqr[k]
    r = subspan.interpolative(A, 180, pivoting="rbrp", block_size=30, rng=seed)
    errors = squared_errors(r, A)
    assert 1.43e-3 / 1.25 <= errors[180] <= 1.43e-3 * 1.25
    assert 8 <= len(r.history) - 1 <= 14
    assert abs(errors[180] - testing.interpolation_error(A, *r) ** 2) <= 1e-12
    condition = np.linalg.cond(A[:, r.indices])
    assert 50 <= condition <= 500


@pytest.mark.parametrize("seed", range(3))
def test_plain_blocks_fail_on_the_mixture(mixture, seed):
    """Plain random blocks: 6.9e-2 at rank 90, where robust ones are at 2e-3; later they recover."""
    A, best, _ = mixture
    errors = squared_errors(
        subspan.interpolative(A, 180, pivoting="brp", block_size=30, rng=seed), A
    )
    assert errors[90] >= 10 * best[90]
    assert 1.59e-3 / 1.5 <= errors[180] <= 1.59e-3 * 1.5


def test_greedy_blocks_on_the_mixture(mixture):
    """Plain greedy blocks: 0.687 at rank 90, 0.447 at 180, over 50 times the error of RBRP; with
    the filter 1.58e-3 in about 50 blocks, the first ones of about 2.
    """
    A, _, _ = mixture
    plain = squared_errors(subspan.interpolative(A, 180, pivoting="bgp", block_size=30), A)
    assert abs(plain[90] / 0.687 - 1) <= 0.1
    assert abs(plain[180] / 0.447 - 1) <= 0.15
    r = subspan.interpolative(A, 180, pivoting="greedy", block_size=30)
    robust = squared_errors(r, A)
    assert abs(robust[180] / 1.58e-3 - 1) <= 0.25
    assert plain[180] >= 50 * robust[180]
    assert 35 <= len(r.history) - 1 <= 70
    assert max(e["accepted"] for e in r.history[1:6]) <= 4


@pytest.mark.parametrize(
    ("pivoting", "expected"), [("lupp", 4.0e-3), ("cpqr", 4.4e-3), ("rp", 6e-3), ("arp", 3.6e-3)]
)
def test_other_methods_on_the_mixture(mixture, pivoting, expected):
    """Median squared error of 5 seeds at rank 90 within a factor 1.6 of the published run."""
    A, _, _ = mixture
    errors = [
        projection_errors(A, subspan.pivots(A, 90, pivoting=pivoting, rng=seed))[-1] ** 2
        for seed in range(5)
    ]
    assert expected / 1.6 <= np.median(errors) <= 1.6 * expected


# ---------------------------------------------------------------- floors of floating point


@pytest.mark.parametrize("pivoting", ["rbrp", "rp", "greedy", "bgp", "brp"])
@pytest.mark.parametrize(("dtype", "floor"), [("float64", 2e-12), ("float32", 7e-5)])
def test_residuals_stay_true_far_below_the_floor_of_downdating(pivoting, dtype, floor):
    """sigma_j = 10^(-14 j / 150), n = 300: subtraction alone stalls at 1e-8 (2e-4 in float32).

    With recomputation it agrees with the truth, the projection error of the chosen columns in
    double precision, to three digits down to the floor; estimates in between, to their spread.
    Orthogonality lost by a single projection (all of it at rank 90) would show as a wrong residual.
    """
    sigma = 10.0 ** (-14 / 150 * np.arange(300))
    A = testing.known_spectrum(300, 300, sigma, rng=0)
    B = A.astype(dtype)
    r = subspan.interpolative(B, 150, pivoting=pivoting, rng=1, block_size=20)
    truth = projection_errors(B, r.indices)
    for entry in r.history:
        revealed = entry["residual"] / np.linalg.norm(A)
        spread = 1e-3 if entry["exact"] else 0.5
        assert abs(revealed - truth[entry["rank"]]) <= spread * truth[entry["rank"]] + floor
    assert r.history[-1]["exact"]
    assert all(e["exact"] for e in r.history) == (pivoting not in ("rbrp", "brp"))
    # Rank 150 is near the end in double precision; float32 must stop on noise instead.
    if dtype == "float32":
        assert r.stop_reason == "exhausted"
        assert r.rank < 150
    assert r.error.relative <= 10 * floor


@pytest.mark.parametrize("pivoting", ["rbrp", "rp", "greedy", "bgp", "brp"])
@pytest.mark.parametrize("digits", [14, 30, 60])  # singular values per fourteen decades
@pytest.mark.parametrize("times_eps", [60, 1e3, 1e6])
def test_error_at_the_tightest_tolerances_is_the_true_one(pivoting, digits, times_eps):
    """What trimming leaves is as exact as what it started from."""
    A = testing.known_spectrum(80, 60, 10.0 ** (-14 / digits * np.arange(60)), rng=0)
    rtol = times_eps * EPS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", subspan.exceptions.ToleranceNotMet)
        r = subspan.interpolative(A, rtol=rtol, pivoting=pivoting, rng=1, block_size=8)
    truth = projection_errors(A, r.indices)[r.rank] * np.linalg.norm(A)
    assert r.error.kind == "exact"
    size = np.linalg.norm(A)
    measured = testing.interpolation_error(A, *r) * size
    # What orthogonality reveals, or, where rounding would decide, the error itself.
    assert min(abs(r.error.value - truth), abs(r.error.value - measured)) <= (
        0.02 * truth + 30 * EPS * size
    )
    assert measured <= r.error.upper + 10 * EPS * size
    # Rounding may end it before the last digits.
    assert r.error.relative <= rtol * (1 + 1e-6) or r.stop_reason == "exhausted"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_exhausted_before_noise_is_sampled(dtype):
    """The last block still finds a residual above rounding: noise is never pivoted on."""
    sigma = 10.0 ** (-14 / 150 * np.arange(300))
    A = testing.known_spectrum(300, 300, sigma, rng=0).astype(dtype)
    r = subspan.interpolative(A, 300, pivoting="rbrp", rng=1)
    assert r.stop_reason == "exhausted"
    before_last_block = projection_errors(A, r.indices)[r.history[-2]["rank"]]
    assert before_last_block >= 4 * eps_of(A)
    assert testing.interpolation_error(A, *r) <= 1e3 * eps_of(A)
    assert np.abs(r.coefficients).max() <= 1e3


# ---------------------------------------------------------------- laws of random pivoting


def small_matrix():
    """Six columns, two of them nearly parallel."""
    A = np.random.default_rng(11).standard_normal((5, 6))
    A[:, 1] = A[:, 0] + 0.1 * A[:, 1]
    return A * np.array([2, 1.5, 1, 1, 0.7, 1.2])


def counted(pairs, n=6):
    counts = np.zeros((n, n), int)
    for i, j in pairs:
        counts[i, j] += 1
    return counts


def assert_law(counts, probabilities):
    """chi-squared over the pairs that can happen; nothing else may."""
    possible = probabilities > 0
    assert not counts[~possible].any()
    expected = probabilities[possible] * counts.sum()
    assert scipy.stats.chisquare(counts[possible], expected).pvalue > LEVEL


@pytest.mark.host_only
@pytest.mark.parametrize(
    ("pivoting", "block"), [("rp", None), ("rp", 1), ("rp", 5), ("rbrp", 1), ("brp", 1)]
)
def test_first_two_pivots_have_the_law_of_sequential_random_pivoting(pivoting, block):
    """30 ordered pairs, 4000 seeds, chi-squared at level 1e-6 (rarest pair expected > 5 times)."""
    A = small_matrix()
    probabilities = reference.sequential_pair_probabilities(A)
    pairs = [
        subspan.pivots(A, 2, pivoting=pivoting, block_size=block, rng=seed) for seed in range(N_LAW)
    ]
    assert_law(counted(pairs), probabilities)


@pytest.mark.host_only
def test_a_plain_block_has_the_law_of_successive_draws():
    """Without replacement from the initial norms: unordered pairs, since a block is reordered."""
    A = small_matrix()
    successive = reference.successive_pair_probabilities(np.linalg.norm(A, axis=0) ** 2)
    pairs = [
        np.sort(subspan.pivots(A, 2, pivoting="brp", block_size=2, rng=seed))
        for seed in range(N_LAW)
    ]
    assert_law(counted(pairs), np.triu(successive + successive.T))


@pytest.mark.host_only
def test_sorted_data_are_not_favoured():
    """Columns of equal norm are drawn equally often, wherever they stand: drawing 2 k with
    replacement, sorting and keeping the first k would favour the small indices.
    """
    A = np.eye(12)
    counts = np.zeros(12)
    for seed in range(1500):
        counts[subspan.pivots(A, 6, pivoting="brp", block_size=6, rng=seed)] += 1
    # Each index is drawn in half of the calls; 6-sigma band of Binomial(1500, 1/2), 12 * 2e-9.
    assert np.all(np.abs(counts - 750) <= 6 * np.sqrt(1500) / 2)


@pytest.mark.host_only
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_arp_has_the_law_of_the_projection_process(dtype):
    """P(S) = |det Q[S]|^2 on an exact row space: 15 pairs, 4000 seeds, chi-squared at 1e-6."""
    rng = np.random.default_rng(5)
    Q = np.linalg.qr(gaussian(rng, (6, 2), dtype))[0]
    A = gaussian(rng, (20, 2), dtype) @ Q.conj().T
    pairs = [np.sort(subspan.pivots(A, 2, pivoting="arp", rng=seed)) for seed in range(N_LAW)]
    probabilities = np.zeros((6, 6))
    for i in range(6):
        for j in range(i + 1, 6):
            probabilities[i, j] = np.abs(np.linalg.det(Q[[i, j]])) ** 2
    assert np.isclose(probabilities.sum(), 1)
    assert_law(counted(pairs), probabilities)


@pytest.mark.host_only
def test_arp_expectation_identity():
    """E |A - A_S W|^2 = (k + 1) |A - A Q Q^H|^2 with W = Q[S]^-H Q^H, given Q = orth((S A)^H).

    The mean over 4000 seeds of the difference, relative to the right side, is within 5 standard
    errors of zero.
    """
    rng = np.random.default_rng(6)
    A = gaussian(rng, (9, 7)) * 0.8 ** np.arange(7)
    k, differences = 3, []
    for seed in range(N_LAW):
        Q = np.linalg.qr(pivot_sketch(A, "gaussian", k, seed).T)[0]
        S = subspan.pivots(A, k, pivoting="arp", sketch="gaussian", rng=seed)
        W = reference.arp_coefficients(Q, S)
        expected = (k + 1) * np.linalg.norm(A - A @ Q @ Q.T) ** 2
        differences.append(np.linalg.norm(A - A[:, S] @ W) ** 2 / expected - 1)
    standard_error = np.std(differences, ddof=1) / np.sqrt(N_LAW)
    assert abs(np.mean(differences)) <= 5 * standard_error


# ---------------------------------------------------------------- DEIM, leverage, strong RRQR


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("pivoting", ["deim", "leverage"])
def test_singular_vector_methods_on_an_exact_row_space(dtype, pivoting, rng):
    """On a matrix of rank k the computed singular vectors are exact: the oracle's choice.

    The LU of complex vectors depends on their phases, so for these only the scores are compared.
    """
    k = 8
    V = np.linalg.qr(gaussian(rng, (50, k), dtype))[0]
    U = np.linalg.qr(gaussian(rng, (70, k), dtype))[0]
    A = U * 0.6 ** np.arange(k) @ V.conj().T
    J = subspan.pivots(A, k, pivoting=pivoting, rng=1)
    if pivoting == "leverage":
        scores = np.sum(np.abs(V) ** 2, axis=1)
        assert np.array_equal(J, np.argsort(-scores, kind="stable")[:k])
    elif dtype == "float64":
        assert np.array_equal(J, reference.deim(V))


@pytest.mark.parametrize("dtype", DTYPES)
def test_deim_error_bound(dtype, rng):
    """|A - A_S A_S^+ A|_2 <= |V_k[S]^-1|_2 sigma_{k+1}, and the factor is moderate."""
    A = decaying(rng, 90, 70, 0.8, dtype)
    V = np.linalg.svd(A)[2][:12].conj().T
    sigma = 0.8**12
    for seed in range(3):
        J = subspan.pivots(A, 12, pivoting="deim", rng=seed)
        factor = 1 / np.linalg.svd(V[J], compute_uv=False)[-1]
        Q = np.linalg.qr(A[:, J])[0]
        error = np.linalg.norm(A - Q @ (Q.conj().T @ A), 2)
        assert error <= factor * sigma * (1 + 1e3 * eps_of(A) / sigma)
        assert factor <= 12 * np.sqrt(70)


@pytest.mark.parametrize(
    ("make", "k"),
    [
        (lambda rng: testing.kahan(60, perturbation=25), 50),
        (lambda rng: testing.kahan(40), 39),
        (lambda rng: gaussian(rng, (30, 50)), 20),
        (lambda rng: decaying(rng, 40, 35, 0.7, "complex128"), 15),
        (lambda rng: decaying(rng, 40, 35, 0.7, "float32"), 10),
    ],
)
def test_strong_rrqr_guarantees(make, k, rng):
    """|W| <= f = 2 and |A - A_S W|_2 <= sqrt(1 + f^2 k (n - k)) sigma_{k+1} (Gu and Eisenstat)."""
    A = make(rng)
    n = A.shape[1]
    r = subspan.interpolative(A, k, pivoting="strong")
    sigma = np.linalg.svd(A, compute_uv=False)
    noise = 100 * eps_of(A) * sigma[0] / sigma[k - 1]
    assert np.abs(r.coefficients).max() <= 2 * (1 + noise)
    error = np.linalg.norm(A - A[:, r.indices] @ r.coefficients, 2)
    bound = np.sqrt(1 + 4 * k * (n - k)) * sigma[k]
    assert error <= bound + 100 * eps_of(A) * np.sqrt(n * k) * sigma[0]
    smallest = np.linalg.svd(A[:, r.indices], compute_uv=False)[-1]
    assert smallest * (1 + noise) >= sigma[k - 1] / np.sqrt(1 + 4 * k * (n - k))


def test_strong_rrqr_swaps_where_pivoted_qr_is_misled():
    """On Kahan's matrix pivoted QR keeps the natural order, whose coefficients grow like 2^k."""
    A = testing.kahan(40, perturbation=25)
    assert np.array_equal(subspan.pivots(A, 39, pivoting="cpqr", sketch=None), np.arange(39))
    natural = reference.optimal_coefficients(A, np.arange(39))
    assert np.abs(natural).max() > 2
    strong = subspan.interpolative(A, 39, pivoting="strong")
    assert np.abs(strong.coefficients).max() <= 2 * (1 + np.sqrt(EPS))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", DTYPES)
def test_leverage_scores(axis, dtype, rng):
    A = decaying(rng, 40, 25, 0.7, dtype)
    scores = subspan.leverage_scores(A, 6, axis=axis)
    expected = reference.leverage_scores(A if axis == 1 else A.conj().T, 6)
    assert scores.dtype == np.float64
    assert np.abs(scores - expected).max() <= 1e3 * eps_of(A)
    full = subspan.leverage_scores(gaussian(rng, (40, 5), dtype) @ gaussian(rng, (5, 25), dtype))
    assert full.shape == (40,)
    assert abs(full.sum() - 5) <= 1e3 * eps_of(A)
    assert np.all((full >= 0) & (full <= 1 + 1e3 * eps_of(A)))


@pytest.mark.host_only
def test_leverage_scores_edge_cases():
    assert subspan.leverage_scores(np.zeros((3, 2))).tolist() == [0, 0, 0]
    assert subspan.leverage_scores(np.zeros((0, 2))).shape == (0,)
    assert subspan.leverage_scores(np.eye(4), 0).tolist() == [0, 0, 0, 0]
    with pytest.raises(ValueError, match=r"rank=5 must lie in \[0, 4\]"):
        subspan.leverage_scores(np.eye(4), 5)
    with pytest.raises(ValueError, match="axis=2"):
        subspan.leverage_scores(np.eye(4), axis=2)
    with pytest.raises(ValueError, match=r"A\[1, 2\] is nan"):
        subspan.leverage_scores(np.where(np.arange(16).reshape(4, 4) == 6, np.nan, 1.0))
