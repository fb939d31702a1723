"""The interpolative decomposition: identities, certificates, stopping, results, behaviour in use."""

import copy
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings

import numpy as np
import pytest
import reference
import scipy.sparse
import scipy.stats
import subspan
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from subspan import testing
from test_pivot import ALL, BLOCKWISE, decaying, eps_of, gaussian, matrices

DTYPES = ["float32", "float64", "complex64", "complex128"]
COEFFICIENTS = ["auto", "exact", "osid", "sketch"]
EPS = np.finfo(np.float64).eps


def wide(A):
    A = np.asarray(A.toarray() if hasattr(A, "toarray") else A)
    return A.astype(np.result_type(A.dtype, np.float64))


def true_error(A, r):
    """||A - approximation||_F and ||A||_F, in double precision, from the factors."""
    A = wide(A)
    product = wide(r._factors[0])
    for factor in r._factors[1:]:
        product = product @ wide(factor)
    return np.linalg.norm(A - product), np.linalg.norm(A)


def best_coefficients_error(A, J):
    """Relative error of the best coefficients for columns J."""
    Q = np.linalg.qr(wide(A)[:, J])[0]
    return np.linalg.norm(wide(A) - Q @ (Q.conj().T @ wide(A))) / np.linalg.norm(wide(A))


# ---------------------------------------------------------------- identities (spec 6.2)


@pytest.mark.parametrize("pivoting", ["auto", *ALL])
@given(A=matrices(most=30), data=st.data())
def test_result_is_an_interpolative_decomposition(pivoting, A, data):
    """Distinct indices, W[:, J] = I exactly, shapes, dtype, and the bookkeeping around them."""
    axis = data.draw(st.sampled_from([0, 1, None]))
    k = data.draw(st.integers(0, min(A.shape)))
    kinds = COEFFICIENTS if pivoting != "strong" else COEFFICIENTS[:2]
    coefficients = data.draw(st.sampled_from(kinds))
    before = A.copy()
    seed = data.draw(st.integers(0, 2**64 - 1))
    r = subspan.interpolative(
        A, k, axis=axis, pivoting=pivoting, coefficients=coefficients, rng=seed
    )
    assert np.array_equal(A, before)
    assert r.rank <= k
    assert r.rank == k or r.stop_reason == "exhausted"
    assert r.shape == A.shape
    assert r.dtype == A.dtype
    assert r.converged is True
    J, W = r
    if axis is None:
        (I, J), (Z, W) = r  # noqa: E741
        check_side(A, I, Z.T, r.rank, 0)
        assert np.array_equal(r.skeleton, A[I][:, J])
    elif axis == 0:
        check_side(A, J, W.T, r.rank, 0)
        assert np.array_equal(r.skeleton, A[J])
        return
    check_side(A, J, W, r.rank, 1)
    if axis == 1:
        assert np.array_equal(r.skeleton, A[:, J])


def check_side(A, J, W, k, axis):
    assert J.dtype == np.int64
    assert J.shape == (k,)
    assert np.unique(J).size == k
    assert J.min(initial=0) >= 0
    assert J.max(initial=0) < max(A.shape[axis], 1)
    assert W.shape == (k, A.shape[axis])
    assert W.dtype == A.dtype
    assert np.isfinite(W).all()
    assert np.array_equal(W[:, J], np.eye(k, dtype=A.dtype))


@pytest.mark.parametrize("pivoting", ALL)
@given(A=matrices(least=3, most=30), data=st.data())
def test_order_of_the_errors(pivoting, A, data):
    """best rank k <= error with exact coefficients <= error of OSID and of the factor."""
    k = data.draw(st.integers(1, min(A.shape)))
    seed = data.draw(st.integers(0, 999))
    optimum = testing.optimal_error(A, k)
    errors = {}
    for coefficients in COEFFICIENTS[1:] if pivoting != "strong" else ["exact"]:
        r = subspan.interpolative(A, k, pivoting=pivoting, coefficients=coefficients, rng=seed)
        assume(r.rank == k)
        sigma = np.linalg.svd(wide(A)[:, r.indices], compute_uv=False)
        assume(sigma[-1] > 1e3 * eps_of(A) * sigma[0])
        errors[coefficients] = testing.interpolation_error(A, *r)
        best = best_coefficients_error(A, r.indices)
        noise = 100 * eps_of(A) * k * sigma[0] / sigma[-1]
        assert errors[coefficients] >= best - noise
        if coefficients == "exact":
            assert errors["exact"] <= best * (1 + noise) + noise
    assert min(errors.values()) >= optimum - 100 * eps_of(A)


@pytest.mark.parametrize("pivoting", [p for p in ALL if p not in BLOCKWISE])
@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_coefficients_are_least_squares(pivoting, dtype, rng):
    """W of "exact" equals A_J^+ A to cond * eps, and so does W of a factorization of A."""
    A = decaying(rng, 70, 50, 0.85, dtype)
    r = subspan.interpolative(A, 15, pivoting=pivoting, coefficients="exact", rng=1)
    W = reference.optimal_coefficients(wide(A), r.indices)
    condition = np.linalg.cond(wide(A)[:, r.indices])
    assert np.abs(r.coefficients - W).max() <= 50 * eps_of(A) * condition * np.abs(W).max()


@pytest.mark.parametrize("pivoting", BLOCKWISE)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("coefficients", COEFFICIENTS)
def test_factor_of_A_gives_least_squares(pivoting, dtype, coefficients, rng):
    A = decaying(rng, 70, 50, 0.85, dtype)
    r = subspan.interpolative(A, 15, pivoting=pivoting, coefficients=coefficients, rng=1)
    W = reference.optimal_coefficients(wide(A), r.indices)
    condition = np.linalg.cond(wide(A)[:, r.indices])
    assert np.abs(r.coefficients - W).max() <= 50 * eps_of(A) * condition * np.abs(W).max()
    assert r.plan.choices["coefficients"] == "exact"


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("ratio", [2, 3, 4])
def test_oversampled_sketch_coefficients_cost_a_known_factor(dtype, ratio):
    """E squared error = (1 + k / (l - k - 1)) best for a Gaussian sketch independent of the choice.

    Here k of its rows also chose the columns, which makes the factor smaller. Mean over 100
    seeds, standard error below 1.5 %: at most 5 % above, at most 25 % below. A complex sketch would
    give k / (l - k); ours is real for all data.
    """
    A = decaying(np.random.default_rng(2), 150, 120, 0.97, dtype)
    k, ratios = 20, []
    for seed in range(100):
        r = subspan.interpolative(
            A, k, pivoting="lupp", sketch="gaussian", coefficients="osid",
            oversampling=(ratio - 1) * k, rng=seed,
        )  # fmt: skip
        assert r.plan.choices["sketch size"] == ratio * k
        error = testing.interpolation_error(A, *r)
        ratios.append((error / best_coefficients_error(A, r.indices)) ** 2)
    expected = 1 + k / (ratio * k - k - 1)
    assert np.std(ratios) / np.sqrt(len(ratios)) <= 0.015 * np.mean(ratios)
    assert 0.75 * expected <= np.mean(ratios) <= 1.05 * expected


@pytest.mark.parametrize("pivoting", ["auto", *ALL])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [0, 1, None])
def test_exact_rank_is_reproduced(pivoting, dtype, axis, rng):
    """rank(A) = k: error at most 1e3 eps |A|, also when more columns are asked for."""
    A = gaussian(rng, (60, 8), dtype) @ gaussian(rng, (8, 45), dtype)
    for k in (8, 20):
        r = subspan.interpolative(A, k, axis=axis, pivoting=pivoting, rng=3)
        error, size = true_error(A, r)
        assert error <= 1e3 * eps_of(A) * size
        assert 8 <= r.rank <= k
        if k == 20 and pivoting not in ("leverage", "deim", "arp"):
            # LU is not rank revealing: on noise its next pivot may just pass the threshold.
            assert r.rank <= (9 if pivoting == "lupp" else 8)
            assert r.stop_reason == "exhausted"


@pytest.mark.parametrize("m", [1, 2, 5, 60])
@pytest.mark.parametrize("n", [1, 3, 60])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_full_rank(m, n, axis, rng):
    A = gaussian(rng, (m, n))
    for pivoting in ("auto", *ALL):
        r = subspan.interpolative(A, min(m, n), axis=axis, pivoting=pivoting, rng=3)
        error, size = true_error(A, r)
        chosen = r.indices if axis is not None else r.indices[axis or 0]
        sub = A[:, chosen] if axis == 1 else A[chosen] if axis == 0 else r.skeleton
        assert error <= 100 * max(m, n) * EPS * np.linalg.cond(sub) * size


# ---------------------------------------------------------------- certificates


@pytest.mark.parametrize("pivoting", ["lupp", "rbrp", "cpqr", "strong"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [0, 1])
def test_exact_certificate_is_the_error(pivoting, dtype, axis, rng):
    """To 1e-12 |A| in double precision (spec 6.2); in single to its rounding."""
    A = decaying(rng, 90, 70, 0.9, dtype)
    r = subspan.interpolative(A, 12, axis=axis, pivoting=pivoting, coefficients="exact", rng=2)
    error, size = true_error(A, r)
    assert r.error.kind == "exact"
    assert r.error.norm == "fro"
    assert r.error.failure_probability == 0
    bound = 1e-12 if eps_of(A) < 1e-10 else 50 * eps_of(A)
    assert error <= r.error.upper <= r.error.value + 10 * bound * size
    assert abs(r.error.value - error) <= bound * size
    assert abs(r.error.relative - error / size) <= bound
    measured = r.error_exact(A)
    assert abs(measured.value - error) <= 10 * eps_of(A) * size


@pytest.mark.parametrize(
    ("coefficients", "pivoting"), [("osid", "lupp"), ("sketch", "lupp"), ("osid", "cpqr")]
)
@pytest.mark.parametrize("spectrum", ["flat", "steep", "rank one"])
def test_estimate_is_unbiased_and_its_upper_bound_holds(coefficients, pivoting, spectrum):
    """400 seeds: mean of (estimate / error)^2 within 5 standard errors of 1, and the bound with
    failure probability 1e-3 fails at most 5 times: P(Binomial(400, 1e-3) > 5) = 2.3e-6 < 1e-5.

    "rank one": the error is nearly of rank one, the worst case for the bound.
    """
    rng = np.random.default_rng(4)
    if spectrum == "rank one":
        sigma = np.array([1.0] * 10 + [0.01] + [1e-9] * 29)
    else:
        sigma = {"flat": 0.98, "steep": 0.7}[spectrum] ** np.arange(40)
    A = testing.known_spectrum(60, 40, sigma, rng=rng)
    ratios, failures = [], 0
    for seed in range(400):
        r = subspan.interpolative(A, 10, pivoting=pivoting, coefficients=coefficients, rng=seed)
        assert r.error.kind == "estimate"
        assert 0 < r.error.failure_probability <= 1e-3
        error = true_error(A, r)[0]
        ratios.append((r.error.value / error) ** 2)
        failures += error > r.error.upper
    standard_error = np.std(ratios, ddof=1) / np.sqrt(400)
    assert abs(np.mean(ratios) - 1) <= 5 * standard_error
    assert failures <= 5


def test_spectral_certificate():
    """value at least nearly the error and at most error + |E|_F / sqrt(s) or so; upper holds."""
    A = decaying(np.random.default_rng(4), 60, 40, 0.9)
    failures = 0
    for seed in range(400):
        r = subspan.interpolative(A, 10, norm="spectral", rng=seed)
        E = A - A[:, r.indices] @ r.coefficients
        error = np.linalg.norm(E, 2)
        assert (r.error.norm, r.error.kind) == ("spectral", "estimate")
        assert 0.4 * error <= r.error.value <= 2 * (error + np.linalg.norm(E) / 4)
        failures += error > r.error.upper
    assert failures <= 5
    assert abs(r.error.value / r.error.relative - 1) <= 0.05  # the spectral norm of A is 1


@pytest.mark.parametrize("axis", [0, 1])
def test_certificate_of_an_operator(axis):
    """No entry can be read: an estimate, relative to an estimated norm."""
    A = decaying(np.random.default_rng(4), 60, 40, 0.9)
    ratios, failures = [], 0
    for seed in range(200):
        r = subspan.interpolative(aslinearoperator(A), 10, axis=axis, rng=seed)
        assert r.error.kind == "estimate"
        error, size = true_error(A, r)
        ratios.append((r.error.value / error) ** 2)
        failures += error > r.error.upper
        assert abs(r.error.value / r.error.relative / size - 1) <= 1
    assert abs(np.mean(ratios) - 1) <= 5 * np.std(ratios, ddof=1) / np.sqrt(200)
    assert failures <= 4  # P(Binomial(200, 1e-3) > 4) = 2.4e-6


def test_two_sided_certificate_is_never_below_the_error(rng):
    for seed in range(20):
        A = decaying(rng, 60, 40, 0.9)
        r = subspan.interpolative(A, 12, axis=None, rng=seed)
        assert true_error(A, r)[0] <= r.error.upper * (1 + 1e-10)
        assert r.error.kind in ("exact", "bound", "estimate")
        if r.error.kind == "exact":
            assert abs(true_error(A, r)[0] - r.error.value) <= 1e-10 * np.linalg.norm(A)


def test_error_of_other_norms(rng):
    A = decaying(rng, 60, 40, 0.9)
    assert abs(subspan.error.norm(A, rng=0) - 1) <= 0.02
    assert subspan.error.norm(A, norm="fro") == np.linalg.norm(A)
    assert (
        abs(subspan.error.norm(aslinearoperator(A), norm="fro", rng=0) / np.linalg.norm(A) - 1) < 1
    )
    S = scipy.sparse.csr_array(A)
    assert np.isclose(subspan.error.norm(S, norm="fro"), np.linalg.norm(A))
    r = subspan.interpolative(A, 10, rng=0)
    for norm in ("fro", "spectral"):
        e = subspan.error.residual(A, r, norm=norm, probes=30, rng=1)
        exact = np.linalg.norm(A - r.toarray(), 2 if norm == "spectral" else "fro")
        assert exact <= e.upper
        assert abs(e.value / exact - 1) <= 0.5
    with pytest.raises(ValueError, match="norm='nuc' is not known"):
        subspan.error.norm(A, norm="nuc")
    with pytest.raises(ValueError, match="probes=0"):
        subspan.error.residual(A, r, probes=0)
    with pytest.raises(ValueError, match=r"A has shape \(60, 40\), approximation \(40, 60\)"):
        subspan.error.residual(A, r.T)


# ---------------------------------------------------------------- quality


@pytest.fixture(scope="module")
def library():
    """Name -> matrix and, per rank, the relative error of pivoted QR of A."""
    made = {}
    for name, make in testing.MATRICES.items():
        A = make(seed=0)
        scaled = A / np.abs(A).max()
        piv = reference.cpqr(scaled, 40)[0]
        made[name] = A, {k: best_coefficients_error(scaled, piv[:k]) for k in (10, 40)}
    return made


FLOOR = 1e-13  # below this relative error, ratios compare rounding


@pytest.mark.parametrize("name", testing.MATRICES)
@pytest.mark.parametrize("k", [10, 40])
def test_auto_is_close_to_pivoted_qr(library, name, k, record_property):
    """ "auto" within 1.5 times the error of deterministic pivoted QR, five seeds."""
    A, errors = library[name]
    worst = max(
        testing.interpolation_error(A, *subspan.interpolative(A, k, rng=seed)) for seed in range(5)
    )
    record_property("ratio", float(worst / max(errors[k], FLOOR)))
    assert worst <= 1.5 * errors[k] + FLOOR


@pytest.mark.parametrize("name", testing.MATRICES)
@pytest.mark.parametrize("k", [10, 40])
def test_accurate_setting_is_as_good_as_pivoted_qr(library, name, k, record_property):
    """pivoting="greedy", which has nothing random: within 1.1 times."""
    A, errors = library[name]
    error = testing.interpolation_error(A, *subspan.interpolative(A, k, pivoting="greedy"))
    record_property("ratio", float(error / max(errors[k], FLOOR)))
    assert error <= 1.1 * errors[k] + FLOOR


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_single_precision_is_as_good_until_its_rounding(dtype, rng):
    A = decaying(rng, 100, 80, 0.9, "complex128" if dtype == "complex64" else "float64")
    for k in (5, 20, 50):
        double = testing.interpolation_error(A, *subspan.interpolative(A, k, rng=1))
        B = A.astype(dtype)
        single = testing.interpolation_error(B, *subspan.interpolative(B, k, rng=1))
        assert single <= 1.05 * double + 5e-7 * np.sqrt(k)


# ---------------------------------------------------------------- stopping


@pytest.mark.parametrize("pivoting", ["auto", "rbrp", "rp", "brp", "greedy", "bgp", "cpqr", "lupp"])
@pytest.mark.parametrize("rtol", [0.5, 1e-2, 1e-5])
@pytest.mark.parametrize("axis", [0, 1])
def test_relative_tolerance(pivoting, rtol, axis, rng):
    """Met, relative and not squared, and with not many more columns than the best rank."""
    A = decaying(rng, 120, 90, 0.85)
    r = subspan.interpolative(A, rtol=rtol, axis=axis, pivoting=pivoting, rng=7)
    error, size = true_error(A, r)
    assert error <= rtol * size
    assert r.converged
    assert r.stop_reason == "tolerance"
    least = next(k for k in range(91) if testing.optimal_error(A, k) <= rtol)
    allowed = {"bgp": 2.5, "brp": 1.6}.get(pivoting, 1.3)
    assert least <= r.rank <= allowed * least + 4
    scale = subspan.interpolative(1e3 * A, rtol=rtol, axis=axis, pivoting=pivoting, rng=7)
    assert scale.rank == r.rank


def test_rank_is_near_that_of_the_reference(rng):
    """Against robust blockwise pivoting of the reference with the ranks trimmed in hindsight."""
    A = decaying(rng, 120, 90, 0.85)
    _, Q, _, _ = reference.blockwise(A, 80, 8, reference.race(rng))
    errors = np.sqrt(reference.squared_errors(A, Q)) / np.linalg.norm(A)
    for rtol in (0.3, 1e-2, 1e-4):
        wanted = int(np.argmax(errors <= rtol))
        r = subspan.interpolative(A, rtol=rtol, rng=3)
        assert abs(r.rank - wanted) <= 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_column_too_many(dtype, rng):
    """One column fewer of the same choice misses the tolerance: the last block is trimmed."""
    A = decaying(rng, 120, 90, 0.85, dtype)
    for pivoting in ("rbrp", "greedy", "lupp"):
        r = subspan.interpolative(A, rtol=3e-2, pivoting=pivoting, rng=7)
        assert best_coefficients_error(A, r.indices[:-1]) > 3e-2 * (1 - 1e3 * eps_of(A))


def test_rank_and_tolerance_whichever_comes_first(rng):
    A = decaying(rng, 120, 90, 0.85)
    for pivoting in ("auto", "lupp"):
        r = subspan.interpolative(A, 60, rtol=0.1, pivoting=pivoting, rng=7)
        assert r.rank < 25
        assert r.stop_reason == "tolerance"
        with pytest.warns(subspan.ToleranceNotMet, match=r"rtol=0\.1.* is not met at rank 5"):
            r = subspan.interpolative(A, 5, rtol=0.1, pivoting=pivoting, rng=7)
        assert r.rank == 5
        assert r.stop_reason == "rank"
        assert r.converged is False
        assert r.error.relative > 0.1


@pytest.mark.parametrize("axis", [0, 1, None])
def test_a_missed_tolerance_points_at_the_call(axis, rng):
    with pytest.warns(subspan.ToleranceNotMet) as caught:
        subspan.interpolative(rng.standard_normal((30, 30)), 3, rtol=1e-6, axis=axis, rng=0)
    assert [warning.filename for warning in caught] == [__file__]


def test_absolute_tolerance(rng):
    A = 50 * decaying(rng, 120, 90, 0.85)
    by_atol = subspan.interpolative(A, atol=0.5, rng=7)
    assert true_error(A, by_atol)[0] <= 0.5
    by_rtol = subspan.interpolative(A, rtol=0.5 / np.linalg.norm(A), rng=7)
    assert np.array_equal(by_atol.indices, by_rtol.indices)
    both = subspan.interpolative(A, rtol=1e-9, atol=0.5, rng=7)
    assert np.array_equal(by_atol.indices, both.indices)
    everything = subspan.interpolative(A, atol=1e3 * np.linalg.norm(A), rng=7)
    assert everything.rank == 0
    assert everything.converged


@pytest.mark.parametrize("pivoting", ["rbrp", "lupp"])
@pytest.mark.parametrize("rtol", [0.1, 1e-4])
def test_spectral_tolerance(pivoting, rtol, rng):
    A = decaying(rng, 120, 90, 0.85)
    r = subspan.interpolative(A, rtol=rtol, norm="spectral", pivoting=pivoting, rng=7)
    assert np.linalg.norm(A - r.toarray(), 2) <= rtol * np.linalg.norm(A, 2)
    assert r.converged
    assert r.error.norm == "spectral"


def test_tight_tolerances_are_met_or_reported(rng):
    """Below sqrt(eps) the residual is recomputed; what cannot be met is said, never claimed."""
    A = decaying(rng, 100, 80, 0.6)
    for rtol in (1e-9, 1e-11, 1e-12):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", subspan.ToleranceNotMet)
            r = subspan.interpolative(A, rtol=rtol, rng=7)
        error, size = true_error(A, r)
        if r.converged:
            assert error <= rtol * size * 1.01
        else:
            assert error > 0.3 * rtol * size


@pytest.mark.filterwarnings("ignore::subspan.ToleranceNotMet")
def test_adaptive_tolerances_hold_over_many_seeds():
    """Estimates may err: at most 5 of 400 runs to a tolerance by LUPP miss it (see above)."""
    A = decaying(np.random.default_rng(8), 60, 50, 0.8)
    for coefficients in ("auto", "sketch"):
        missed = 0
        for seed in range(400):
            r = subspan.interpolative(
                A, rtol=1e-2, pivoting="lupp", coefficients=coefficients, block_size=8, rng=seed
            )
            error, size = true_error(A, r)
            missed += r.converged and error > 1e-2 * size
        assert missed <= 5


def test_operator_to_a_tolerance(rng):
    A = decaying(rng, 90, 70, 0.8)
    r = subspan.interpolative(aslinearoperator(A), rtol=1e-3, rng=1)
    error, size = true_error(A, r)
    assert error <= 1e-3 * size
    assert r.converged


# ---------------------------------------------------------------- inputs


LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "part": lambda A: np.pad(A, ((2, 3), (1, 2)))[2:-3, 1:-2],
    "part of Fortran": lambda A: np.asfortranarray(np.pad(A, ((2, 3), (1, 2))))[2:-3, 1:-2],
    "strided": lambda A: np.repeat(np.repeat(A, 2, 0), 3, 1)[::2, ::3],
    "reversed": lambda A: np.ascontiguousarray(A[::-1, ::-1])[::-1, ::-1],
    "list": lambda A: A.tolist(),
    "sparse": scipy.sparse.csr_array,
    "sparse matrix": scipy.sparse.csc_matrix,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("pivoting", ["lupp", "cpqr", "rbrp", "deim"])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_layout_does_not_matter(layout, pivoting, axis, rng):
    A = decaying(rng, 60, 45, 0.85)
    expected = subspan.interpolative(A, 10, axis=axis, pivoting=pivoting, rng=4)
    r = subspan.interpolative(LAYOUTS[layout](A), 10, axis=axis, pivoting=pivoting, rng=4)
    if axis is None:
        assert all(np.array_equal(a, b) for a, b in zip(r.indices, expected.indices, strict=True))
    else:
        assert np.array_equal(r.indices, expected.indices)
    assert np.abs(r.toarray() - expected.toarray()).max() <= 1e5 * EPS
    assert abs(r.error.value - expected.error.value) <= 1e-10


def test_read_only_and_memory_mapped_input(rng, tmp_path):
    A = decaying(rng, 60, 45, 0.85)
    np.save(tmp_path / "a.npy", A)
    expected = subspan.interpolative(A, 10, rng=4)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    A.flags.writeable = False
    for B in (A, mapped, np.asfortranarray(A)):
        r = subspan.interpolative(B, 10, rng=4)
        assert np.array_equal(r.indices, expected.indices)
        assert type(r.skeleton) is np.ndarray
        assert type(r.coefficients) is np.ndarray


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("make", [scipy.sparse.csr_array, scipy.sparse.csc_matrix])
@pytest.mark.parametrize("pivoting", ALL)
def test_sparse_input(dtype, make, pivoting, rng):
    A = testing.snn(60, 45, leading=10, density=0.2, rng=0).astype(dtype)
    for axis in (0, 1):
        r = subspan.interpolative(make(A), 12, axis=axis, pivoting=pivoting, rng=1)
        dense = subspan.interpolative(A, 12, axis=axis, pivoting=pivoting, rng=1)
        assert scipy.sparse.issparse(r.skeleton)
        assert r.dtype == dtype
        error, size = true_error(A, r)
        assert abs(error - true_error(A, dense)[0]) <= 0.2 * error + 1e3 * eps_of(A) * size
        x = gaussian(rng, (45, 3), dtype)
        close = 1e3 * eps_of(A) * np.linalg.norm(wide(A)) * np.linalg.norm(x)
        assert np.abs(r @ x - r.toarray() @ x).max() <= close


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pivoting", ["auto", "lupp", "cpqr", "leverage", "deim", "arp"])
@pytest.mark.parametrize("axis", [0, 1])
def test_operator_input(dtype, pivoting, axis, rng):
    A = decaying(rng, 60, 45, 0.8, dtype)
    for coefficients in ("exact", "osid"):
        r = subspan.interpolative(
            aslinearoperator(A), 10, axis=axis, pivoting=pivoting, coefficients=coefficients, rng=1
        )
        assert r.dtype == dtype
        part = A[:, r.indices] if axis == 1 else A[r.indices]
        assert np.abs(r.skeleton - part).max() <= 100 * eps_of(A)
        error, size = true_error(A, r)
        assert error <= (4 if coefficients == "exact" else 8) * 0.8**10 * size


def test_operator_passes_are_counted_and_few(rng):
    """Products come in blocks, and the plan reports how often A was read."""
    A, calls = decaying(rng, 60, 45, 0.8), []

    def product(name, B):
        def multiply(X):
            calls.append((name, X.shape[1]))
            return B @ X

        return multiply

    op = LinearOperator(
        A.shape, matvec=lambda x: A @ x, rmatvec=lambda x: A.T @ x,
        matmat=product("A", A), rmatmat=product("A^H", A.T), dtype=A.dtype,
    )  # fmt: skip
    r = subspan.interpolative(op, 10, coefficients="exact", rng=1)
    assert len(calls) <= r.plan.passes + 2
    calls.clear()
    r = subspan.interpolative(op, 10, coefficients="osid", rng=1)
    assert len([c for c in calls if c[0] == "A^H"]) <= 2


@pytest.mark.parametrize(
    ("given_", "working"),
    [("int8", "float64"), ("uint16", "float64"), ("int64", "float64"), ("bool", "float64"),
     ("float16", "float32"), (">f8", "float64"), (">c8", "complex64")],
)  # fmt: skip
def test_promotion(given_, working, rng):
    A = rng.integers(0, 2, (20, 15)).astype(given_)
    r = subspan.interpolative(A, 5, rng=0)
    assert r.dtype == np.dtype(working)
    expected = subspan.interpolative(A.astype(working), 5, rng=0)
    assert np.array_equal(r.indices, expected.indices)


# ---------------------------------------------------------------- seeds


@pytest.mark.parametrize("pivoting", ["auto", *ALL])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_seed_repeats_the_result(pivoting, axis, rng):
    A = decaying(rng, 40, 30, 0.9)
    r = subspan.interpolative(A, 8, axis=axis, pivoting=pivoting)
    assert 0 <= r.seed < 2**64
    again = subspan.interpolative(A, 8, axis=axis, pivoting=pivoting, rng=r.seed)
    assert again.seed == r.seed
    assert_same(r, again)


def assert_same(r, other):
    """Bit-equal results, but for timings."""
    for mine, theirs in zip(r, other, strict=True):
        pairs = [(mine, theirs)] if r.axis is not None else zip(mine, theirs, strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)
    assert r.error == other.error
    assert r.history == other.history
    assert (r.converged, r.stop_reason, r.seed) == (
        other.converged, other.stop_reason, other.seed
    )  # fmt: skip


def test_generators_advance_by_one_word_and_global_state_is_left_alone(rng):
    A = decaying(rng, 40, 30, 0.9)
    one, two = np.random.default_rng(0), np.random.default_rng(0)
    r = subspan.interpolative(A, 8, rng=one)
    assert r.seed == int(two.integers(0, 2**64, dtype=np.uint64))
    assert one.bit_generator.state == two.bit_generator.state
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    subspan.interpolative(A, 8)
    subspan.interpolative(A, rtol=0.1, axis=None)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    sequence = np.random.SeedSequence(5)
    assert (
        subspan.interpolative(A, 8, rng=sequence).seed
        == subspan.interpolative(A, 8, rng=np.random.SeedSequence(5)).seed
    )
    seeds = {subspan.interpolative(A, 2).seed for _ in range(20)}
    assert len(seeds) == 20


# ---------------------------------------------------------------- the result object


def results():
    A = decaying(np.random.default_rng(1), 30, 20, 0.8)
    yield A, subspan.interpolative(A, 6, rng=0)
    yield A, subspan.interpolative(A, rtol=1e-2, axis=0, rng=0)
    yield A, subspan.interpolative(A, 6, axis=None, rng=0)
    B = decaying(np.random.default_rng(1), 30, 20, 0.8, "complex64")
    yield B, subspan.interpolative(B, 6, coefficients="osid", rng=2**64 - 1)
    yield A, subspan.interpolative(scipy.sparse.csr_array(A), 6, rng=0)
    yield A, subspan.interpolative(A, 0, rng=0)


def test_acts_as_the_approximation(rng):
    for A, r in results():
        dense = r.toarray()
        assert dense.shape == A.shape
        assert dense.dtype == A.dtype
        close = 100 * eps_of(A) * np.linalg.norm(A)
        x, X = rng.standard_normal(20).astype(A.dtype), rng.standard_normal((20, 3)).astype(A.dtype)
        y, Y = rng.standard_normal(30).astype(A.dtype), rng.standard_normal((4, 30)).astype(A.dtype)
        assert np.abs(r @ x - dense @ x).max() <= close * np.linalg.norm(x)
        assert np.abs(r @ X - dense @ X).max() <= close * np.linalg.norm(X)
        assert np.abs(y @ r - y @ dense).max() <= close * np.linalg.norm(y)
        assert np.abs(Y @ r - Y @ dense).max() <= close * np.linalg.norm(Y)
        assert (r @ x).shape == (30,)
        assert (r @ x).dtype == A.dtype
        T = r.T
        assert T.shape == (20, 30)
        assert np.abs(T.toarray() - dense.T).max() <= close
        assert np.abs(T @ y - dense.T @ y).max() <= close * np.linalg.norm(y)
        assert T.axis == {0: 1, 1: 0, None: None}[r.axis]
        assert np.array_equal(T.T.toarray(), dense)


def test_unpacks_and_prints():
    for A, r in results():
        assert len(r) == 2
        indices, coefficients = r
        assert indices is r.indices
        assert coefficients is r.coefficients
        assert f"{r.rank} " in repr(r)
        assert str(A.shape) in repr(r)
        assert "error" in repr(r)
        assert len(repr(r)) < 250
        assert "\n" not in repr(r)


def test_frozen():
    r = next(results())[1]
    with pytest.raises(AttributeError):
        r.rank = 3
    with pytest.raises(AttributeError):
        r.seed = 3
    with pytest.raises(AttributeError):
        r.error.value = 0


@pytest.mark.parametrize("copier", [lambda r: pickle.loads(pickle.dumps(r)), copy.deepcopy])
def test_pickle_and_copy(copier):
    for _, r in results():
        other = copier(r)
        assert_same(r, other)
        assert np.array_equal(other.toarray(), r.toarray())
        assert str(other.plan) == str(r.plan)


@pytest.mark.parametrize("name", ["r.npz", "without_suffix", "r.safetensors"])
def test_save_and_load(name, tmp_path):
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors")
    for _, r in results():
        r.save(tmp_path / name)
        other = subspan.load(tmp_path / name)
        assert type(other) is type(r)
        assert_same(r, other)
        # The bits of a product may depend on the order of its operands in memory, which safetensors
        # does not keep.
        atol = 20 * np.finfo(r.dtype).eps * np.abs(r.toarray()).max(initial=0)
        np.testing.assert_allclose(other.toarray(), r.toarray(), rtol=0, atol=atol)
        assert other.dtype == r.dtype
        assert other.plan == r.plan
        assert np.asarray(other.indices[0] if r.axis is None else other.indices).dtype == np.int64


def test_load_refuses_foreign_and_pickled_files(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones(3))
    with pytest.raises(ValueError, match="does not hold a result of subspan"):
        subspan.load(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", subspan=np.array({"a": 1}, dtype=object))
    with pytest.raises(ValueError, match=r"(pickle|does not hold)"):
        subspan.load(tmp_path / "b.npz")
    tree = json.dumps({"class": "os.system", "fields": {"dict": {}}})
    np.savez(tmp_path / "c.npz", subspan=np.array(tree))
    with pytest.raises(ValueError, match=r"unknown result, 'os\.system'"):
        subspan.load(tmp_path / "c.npz")
    with pytest.raises(FileNotFoundError):
        subspan.load(tmp_path / "missing.npz")


def test_to_dict():
    r = next(results())[1]
    fields = r.to_dict()
    assert fields["indices"] is r.indices
    assert {"indices", "coefficients", "error", "history", "plan", "seed", "converged"} <= set(
        fields
    )


def test_plan_prints_as_a_table(rng):
    A = decaying(rng, 60, 45, 0.85)
    for options in ({"rank": 10}, {"rtol": 1e-2}, {"rank": 10, "pivoting": "strong"}):
        r = subspan.interpolative(A, rng=0, **options)
        lines = str(r.plan).splitlines()
        assert {"pivoting", "coefficients", "input", "dtype", "device", "blas"} <= set(
            r.plan.choices
        )
        assert all(any(line.startswith(key) for line in lines) for key in r.plan.choices)
        assert any(line.startswith("passes over A") for line in lines)
        assert r.plan.passes >= 1
        assert set(r.plan.seconds) >= {"choose columns", "coefficients", "certificate"}
        assert all(seconds >= 0 for seconds in r.plan.seconds.values())
        assert all(isinstance(why, str) and why for why in r.plan.reasons.values())
        assert "auto" not in [v for v in r.plan.choices.values() if isinstance(v, str)]
    assert "pivoting" in subspan.interpolative(A, 10).plan.reasons
    assert "pivoting" not in subspan.interpolative(A, 10, pivoting="lupp").plan.reasons


@pytest.mark.parametrize(("value", "kind"), [(0.5, "exact"), (0.25, "estimate"), (0.1, "bound")])
def test_error_estimates_print(value, kind):
    e = subspan.ErrorEstimate(value, value / 2, "fro", kind, 2 * value, 1e-3)
    assert f"{value / 2:.3g} of the fro norm" in repr(e)
    assert ("failure probability" in repr(e)) == (kind == "estimate")


# ---------------------------------------------------------------- progress, threads, signals


@pytest.mark.parametrize("options", [{"rank": 10}, {"rtol": 1e-3}, {"rank": 10, "axis": None}])
def test_progress_callable(options, rng):
    A = decaying(rng, 60, 45, 0.85)
    seen = []
    r = subspan.interpolative(A, rng=0, progress=lambda *report: seen.append(report), **options)
    expected = subspan.interpolative(A, rng=0, **options)
    assert_same(r, expected)
    done = [report[0] for report in seen]
    assert done == sorted(done)
    assert all(0 <= d <= total for d, total, _ in seen)
    assert seen[-1][0] == seen[-1][1]
    stages = {info["stage"] for _, _, info in seen}
    assert {"choose columns", "coefficients", "certificate"} <= stages


@pytest.mark.filterwarnings("ignore::subspan.ToleranceNotMet")
@pytest.mark.parametrize("stage", ["choose columns", "coefficients", "certificate"])
def test_exceptions_from_progress_stop_the_call(stage, rng):
    A = decaying(rng, 200, 150, 0.95)

    def report(done, total, info):
        if info["stage"] == stage:
            raise KeyError(stage)

    for options in ({"rank": 50}, {"rank": 50, "pivoting": "rbrp"}, {"rtol": 1e-3}):
        with pytest.raises(KeyError, match=stage):
            subspan.interpolative(A, rng=0, progress=report, **options)
    assert subspan.interpolative(A, 5, rng=0).rank == 5


def test_exception_between_native_blocks(rng):
    """The callable is polled inside native code: the third report of one stage can stop it."""
    A, reports = decaying(rng, 200, 150, 0.95), []

    def report(done, total, info):
        reports.append(info["stage"])
        if reports.count("choose columns") >= 3:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        subspan.interpolative(A, 100, pivoting="rbrp", block_size=8, rng=0, progress=report)
    assert set(reports) == {"choose columns"}


def test_exceptions_from_operators(rng):
    def fail(X):
        raise ArithmeticError("no product today")

    op = LinearOperator((30, 20), matvec=fail, rmatvec=fail, matmat=fail, rmatmat=fail, dtype=float)
    with pytest.raises(ArithmeticError, match="no product today"):
        subspan.interpolative(op, 3, rng=0)


def test_progress_bar(capsys, rng):
    pytest.importorskip("tqdm")
    subspan.interpolative(decaying(rng, 30, 20, 0.8), 5, rng=0, progress=True)
    assert "subspan" in capsys.readouterr().err


@pytest.mark.parametrize("progress", [1, "yes", 0.5])
def test_bad_progress(progress):
    with pytest.raises(TypeError, match="progress has type"):
        subspan.interpolative(np.eye(4), 2, progress=progress)


@pytest.mark.parametrize("pivoting", ["lupp", "cpqr", "rbrp", "deim"])
def test_several_threads_at_once(pivoting, rng):
    """Eight calls by four threads give what each gives alone."""
    problems = [(decaying(rng, 150, 120, 0.9, d), seed) for seed, d in enumerate(2 * DTYPES)]
    alone = [subspan.interpolative(A, 30, pivoting=pivoting, rng=seed) for A, seed in problems]
    found, errors = {}, []

    def work(mine):
        try:
            for i in mine:
                A, seed = problems[i]
                for _ in range(3):
                    found[i] = subspan.interpolative(A, 30, pivoting=pivoting, rng=seed)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=([i, i + 4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    for i, expected in enumerate(alone):
        assert np.array_equal(found[i].indices, expected.indices)
        error = np.abs(found[i].coefficients - expected.coefficients).max()
        assert error <= 1e4 * eps_of(problems[i][0]) * np.abs(expected.coefficients).max()


@pytest.mark.host_only
def test_the_interpreter_lock_is_released():
    """Another thread counts on while a native call of a quarter second or more is under way."""
    A = np.random.default_rng(0).standard_normal((2000, 2000))
    ticks, done = [], threading.Event()

    def count():
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.002)

    counter = threading.Thread(target=count)
    counter.start()
    start = time.perf_counter()
    while time.perf_counter() - start < 0.25:
        skeleton = subspan.interpolative(A, 400, pivoting="rbrp", rng=0)
    stop = time.perf_counter()
    done.set()
    counter.join()
    assert skeleton.rank == 400
    gaps = np.diff([start, *[t for t in ticks if start < t < stop], stop])
    assert gaps.max() < 0.5 * (stop - start)
    assert gaps.size >= 10


@pytest.mark.host_only
@pytest.mark.parametrize(
    "call",
    [
        "subspan.interpolative(A, 1400, pivoting='rbrp', block_size=8, rng=0)",
        "subspan.interpolative(A, 1500, pivoting='cpqr', sketch=None, rng=0)",
        "subspan.interpolative(A, rtol=1e-6, pivoting='lupp', block_size=8, rng=0)",
        "subspan.pivots(A[:1500], 700, pivoting='strong', rng=0)",
        "subspan.interpolative(A, 1400, pivoting='rp', block_size=4, rng=0)",
    ],
)
def test_ctrl_c_stops_a_long_call(call):
    """SIGINT while native code runs: KeyboardInterrupt within 5 seconds, and life goes on."""
    code = f"""
    import signal, sys, time
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job inherits "ignore"
    import numpy as np, subspan
    A = np.random.default_rng(0).standard_normal((3000, 3000))
    subspan.interpolative(A[:100, :100], 5, rng=0)
    print("ready", flush=True)
    try:
        for _ in range(1000):
            {call}
    except KeyboardInterrupt:
        assert subspan.interpolative(A[:100, :100], 5, rng=0).rank == 5
        print("interrupted", flush=True)
    """
    path = os.pathsep.join(filter(None, sys.path))
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.7)
        start = time.perf_counter()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        waited = time.perf_counter() - start
    finally:
        process.kill()
        process.communicate()
    assert out == "interrupted\n", err
    assert process.returncode == 0
    assert waited <= 5


def test_history_is_in_the_units_of_A_whatever_its_scale(rng):
    A = decaying(rng, 60, 40, 0.7)
    r = subspan.interpolative(1e200 * A, rtol=1e-3, pivoting="rbrp", rng=0)
    assert r.error.value == r.history[-1]["residual"] > 1e190
    assert r.history[0]["residual"] == pytest.approx(1e200 * np.linalg.norm(A))


@pytest.mark.parametrize("norm", ["fro", "spectral"])
@pytest.mark.parametrize("kind", ["dense", "operator"])
def test_certificate_of_rank_zero_is_the_norm(norm, kind, rng):
    """Computed, or estimated with an upper bound that says so."""
    A = decaying(rng, 60, 40, 0.7)
    X = A if kind == "dense" else aslinearoperator(A)
    true = np.linalg.norm(A, None if norm == "fro" else 2)
    failures = 0
    for seed in range(20):
        e = subspan.interpolative(X, 0, norm=norm, rng=seed).error
        assert e.relative == 1
        if (kind, norm) == ("dense", "fro"):
            assert e.kind == "exact"
            assert e.value == pytest.approx(true, rel=1e-14)
        else:
            assert e.kind == "estimate"
            assert e.failure_probability > 0
            failures += true > e.upper
    assert failures == 0  # 20 draws at 1e-3 each


def test_tolerance_is_no_stop_reason_where_it_is_not_met():
    """Nor is "rank": what was asked for would have taken more columns than help."""
    A = testing.known_spectrum(80, 60, 10.0 ** (-14 / 30 * np.arange(60)), rng=0)
    for pivoting in ("lupp", "rbrp", "greedy"):
        for axis in (1, None):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", subspan.exceptions.ToleranceNotMet)
                r = subspan.interpolative(A, rtol=60 * EPS, pivoting=pivoting, axis=axis, rng=1)
            assert r.converged == (r.stop_reason == "tolerance")
