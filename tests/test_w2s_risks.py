"""Risks of weak-to-strong training: known figures, Monte Carlo, limits, refusals."""

import numpy as np
import pytest
import subspan
from hypothesis import given
from hypothesis import strategies as st
from subspan.w2s import Bias, best_label_budget, gap_recovered, predict_risk, pseudo_labels_needed
from threadpoolctl import threadpool_limits

pytestmark = pytest.mark.host_only


@pytest.fixture(autouse=True)
def _one_thread():
    """Thousands of small products: threads of BLAS would only wait for each other."""
    with threadpool_limits(1, "blas"):
        yield


def published(overlap):
    """The paper's synthetic experiment: 300 coordinates, the weak features shifted along them."""
    target = np.sqrt(1 / np.arange(1, 301) / 20000)
    eye = np.eye(300)
    return Bias.of_projections(target, eye[:, 100 - overlap :][:, :200], eye[:, :100])


def oblique():
    """Features of 40 and 25 dimensions of 120 with many different principal angles."""
    rng = np.random.default_rng(0)
    V_w = np.linalg.qr(rng.standard_normal((120, 40)))[0]
    V_s = np.linalg.qr(rng.standard_normal((120, 25)) + 2 * V_w[:, :25])[0]
    b = rng.standard_normal(120) * np.repeat([1, 0.2], [20, 100]) / 3
    return V_w, V_s, b


def least_squares(V, x, y):
    features = x @ V
    return V @ np.linalg.solve(features.T @ features, features.T @ y)


def trials(V_w, V_s, b, n, N, noise, count, seed):
    """Excess risks of ridgeless least squares on Gaussian data, one row per trial."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        z, u = rng.standard_normal((n, len(b))), rng.standard_normal((N, len(b)))
        y, yu = (x @ b + noise**0.5 * rng.standard_normal(len(x)) for x in (z, u))
        weak = least_squares(V_w, z, y)
        both = np.concatenate([z, u]), np.concatenate([y, yu])
        four = (
            weak,
            least_squares(V_s, u, u @ weak),
            least_squares(V_s, z, y),
            least_squares(V_s, *both),
        )
        found.append([np.sum((f - b) ** 2) for f in four])
    return np.array(found)


def z_scores(sample, expected):
    return (sample.mean(axis=0) - expected) / (sample.std(axis=0, ddof=1) / len(sample) ** 0.5)


# ---------------------------------------------------------------- known figures


@pytest.mark.parametrize(
    ("overlap", "n", "N", "expected"),
    [
        (90, 2000, 4000, (12.942, 7.266, 5.842, 2.252, 0.531, 0.804)),
        (90, 400, 4000, (103.796, 49.432, 34.176, 2.887, 0.539, 0.691)),
        (90, 2000, 400, (12.942, 9.299, 5.842, 4.921, 0.454, 0.628)),
        (50, 2000, 4000, (13.718, 5.872, 5.842, 2.252, 0.684, 0.995)),
        (50, 400, 4000, (105.195, 30.501, 34.176, 2.887, 0.730, 1.120)),
        (10, 2000, 4000, (13.960, 3.950, 5.842, 2.252, 0.855, 1.479)),
        (10, 400, 4000, (105.632, 10.768, 34.176, 2.887, 0.923, 3.174)),
        (10, 4000, 4000, (7.957, 3.504, 3.126, 1.821, 0.726, 0.892)),
    ],
)
def test_published_setting(overlap, n, N, expected):
    r = predict_risk(100, 200, overlap, n, N, 1e-2, bias=published(overlap))
    assert np.allclose(np.array(list(r)) * 1e4, expected[:4], atol=6e-4)
    assert np.allclose([r.pgr, r.opr], expected[4:], atol=6e-4)


@pytest.mark.parametrize("overlap", [10, 50, 90])
def test_lower_bounds_of_the_paper(overlap):
    bias = published(overlap)
    n = np.arange(400, 4000, 100)
    r = predict_risk(100, 200, overlap, n, 4000, 1e-2, bias=bias)
    pgr, opr = r.lower_bounds
    assert np.all(pgr <= r.paper.pgr + 1e-12)  # of the first order, of which they are bounds
    assert np.all(opr <= r.paper.opr + 1e-12)
    inherited = overlap + (200 - overlap) * 100 / 4000
    lost = (bias.weak + bias.strong) / 1e-2
    assert pgr[5] == pytest.approx(1 - 900 / 699 * inherited / 200 - 900 / 200 * lost)
    assert opr[5] == pytest.approx(1 / (900 / 699 * inherited / 100 + 900 / 100 * lost))
    best = best_label_budget(100, 200, overlap, 4000, 1e-2, bias=bias, method="asymptotic")
    around = predict_risk(
        100, 200, overlap, np.array([best - 9, best, best + 9]), 4000, 1e-2, bias=bias
    )
    for bound in around.lower_bounds:  # one number of labels is best for both
        assert bound.argmax() == 1


def test_bias_dominated_student_fails():
    r = predict_risk(100, 200, 90, 2000, 4000, 4e-4, bias=published(90))
    assert np.allclose(list(r), [2.2698e-4, 2.3127e-4, 7.8712e-5, 6.2473e-5], rtol=1e-4)
    assert r.pgr == pytest.approx(-0.026, abs=5e-4)
    assert not r.happens


@pytest.mark.parametrize(
    ("n", "N", "noise", "expected"),
    [
        (120, 150, 1, (2.8016, 2.6639, 2.3633, 1.9290)),
        (80, 60, 0.25, (3.3430, 3.9316, 2.5395, 2.0749)),
        (400, 100, 0.25, (1.7214, 2.3568, 1.7842, 1.7573)),
    ],
)
def test_oblique_angles(n, N, noise, expected):
    V_w, V_s, b = oblique()
    overlap = np.sum((V_s.T @ V_w) ** 2)
    assert overlap == pytest.approx(8.7304, abs=5e-5)
    bias = Bias.of_projections(b, V_w, V_s)
    r = predict_risk(25, 40, overlap, n, N, noise, bias=bias)
    assert np.allclose(list(r), expected, atol=6e-5)
    sample = trials(V_w, V_s, b, n, N, noise, 400, seed=1)
    assert np.all(np.abs(z_scores(sample, np.array(list(r)))) < 3.5)


def test_monte_carlo_accepts_the_exact_and_rejects_the_first_order():
    target = np.sqrt(1 / np.arange(1, 301) / 20000)
    eye = np.eye(300)
    sample = trials(eye[:, 10:210], eye[:, :100], target, 400, 1000, 1e-2, 40, seed=2)
    r = predict_risk(100, 200, 90, 400, 1000, 1e-2, bias=published(90))
    assert np.all(np.abs(z_scores(sample, np.array(list(r)))) < 3.5)
    rejected = np.abs(z_scores(sample, np.array(list(r.paper))))
    assert rejected[0] > 10  # 52e-4 against 104e-4
    assert r.paper.weak == pytest.approx(52e-4, rel=0.02)


def test_intervals_cover_single_runs():
    eye = np.eye(60)
    b = np.where(np.arange(60) < 45, 0.1, 0.03)
    weak, strong = eye[:, 10:40], eye[:, :20]
    sample = trials(weak, strong, b, 80, 120, 0.3, 400, seed=3)
    r = predict_risk(20, 30, 10, 80, 120, 0.3, bias=Bias.of_projections(b, weak, strong))
    for column, name in enumerate(("weak", "w2s", "strong_baseline", "strong_ceiling")):
        low, high = r.interval(name, 0.9, runs=20000)
        inside = np.mean((sample[:, column] >= low) & (sample[:, column] <= high))
        assert abs(inside - 0.9) < 3.5 * (0.09 / 400) ** 0.5 + 0.005
    drawn = r.draw(20000)
    for name, expected in zip(("weak", "w2s", "strong_baseline", "strong_ceiling"), r, strict=True):
        assert abs(z_scores(drawn[name][:, None], expected)[0]) < 3.5


# ---------------------------------------------------------------- limits and identities


@given(st.integers(1, 60), st.integers(1, 60), st.integers(100, 5000), st.integers(100, 5000))
def test_equal_features_teach_nothing_new(d, extra, n, N):
    """With the same features the student is the teacher exactly."""
    r = predict_risk(d, d, d, n, N, 0.5)
    assert r.w2s == pytest.approx(r.weak)
    assert r.weak == pytest.approx(r.strong_baseline)
    wide = predict_risk(d, d + extra, d, n + 2 * extra, 10**9, 0.5)
    assert wide.w2s == pytest.approx(wide.weak * d / (d + extra), rel=1e-5)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(70, 3000))
def test_more_overlap_inherits_more(a, b, n):
    low, high = sorted((a, b))
    r = [predict_risk(40, 60, 40 * x, n, 1000, 1.0) for x in (low, high)]
    assert r[0].w2s <= r[1].w2s * (1 + 1e-12)
    assert r[0].weak == r[1].weak


@given(st.integers(0, 2**20))
def test_two_numbers_bound_the_mixed_terms(seed):
    rng = np.random.default_rng(seed)
    V_w, V_s = rng.standard_normal((12, 5)), rng.standard_normal((12, 4))
    exact = Bias.of_projections(rng.standard_normal(12), V_w, V_s)
    bound = Bias.at_most(exact.weak, exact.strong)
    assert exact.student <= bound.student * (1 + 1e-9)
    assert exact.leak <= bound.leak * (1 + 1e-9)
    assert exact.exact
    assert not bound.exact
    both = [
        predict_risk(4, 5, 2, 50, 60, 0.1, bias=x).w2s for x in (exact, (exact.weak, exact.strong))
    ]
    assert both[0] <= both[1] * (1 + 1e-9)


def test_grid_agrees_with_single_values():
    n, N = np.arange(210, 1210, 10)[:, None], np.arange(110, 1110, 10)
    grid = predict_risk(100, 200, 50, n, N, 1e-2, bias=(1e-4, 1e-5))
    assert grid.w2s.shape == grid.pgr.shape == grid.weak.shape == (100, 100)
    one = predict_risk(100, 200, 50, int(n[7, 0]), int(N[9]), 1e-2, bias=(1e-4, 1e-5))
    assert grid.w2s[7, 9] == one.w2s
    assert grid.pgr[7, 9] == one.pgr
    low, high = grid.interval("opr", runs=50)
    assert low.shape == (100, 100)
    assert np.all(low <= high)
    assert len(grid.table().splitlines()) == 10001


def test_peaks_and_interpolation():
    assert predict_risk(10, 20, 5, 21, 100, 1.0).weak == np.inf
    with pytest.warns(RuntimeWarning, match="below the dimension"):
        assert np.isnan(predict_risk(10, 20, 5, 15, 100, 1.0).weak)
    assert predict_risk(10, 20, 5, 100, 11, 1.0).w2s == np.inf
    assert predict_risk(10, 5, 5, 100, 11, 1.0).w2s == pytest.approx(5 / 94)  # nothing but signal


def test_no_gap_gives_nan():
    with pytest.warns(RuntimeWarning, match="do not differ"):
        assert np.isnan(gap_recovered(1.0, 0.5, 1.0))
    with pytest.warns(RuntimeWarning, match="do not differ"):
        found = gap_recovered([1.0, 1.0], [0.5, 0.5], [0.95, 0.5], noise=0.1)
    assert np.isnan(found[0])
    assert found[1] == 1.0


# ---------------------------------------------------------------- budgets


def test_pseudo_labels_reach_the_tolerance():
    setting = 100, 200, 50
    N = int(pseudo_labels_needed(*setting, 2000, 1e-2, tolerance=0.05))
    limit = predict_risk(*setting, 2000, 10**15, 1e-2).w2s
    at, before = (predict_risk(*setting, 2000, k, 1e-2).w2s for k in (N, N - 1))
    assert at <= 1.05 * limit * (1 + 1e-9) < before
    assert pseudo_labels_needed(100, 200, 0, 2000, 1e-2) == np.inf
    assert pseudo_labels_needed(50.5, 50.5, 50.5, 2000, 1e-2) == 52


def test_label_budget_is_the_maximiser():
    bias = published(10)
    best = best_label_budget(100, 200, 10, 4000, 1e-2, bias=bias)
    grid = predict_risk(100, 200, 10, np.arange(202, 5000), 4000, 1e-2, bias=bias).opr
    assert best == 202 + np.argmax(grid)
    asymptotic = best_label_budget(100, 200, 10, 4000, 1e-2, bias=bias, method="asymptotic")
    lower = predict_risk(
        100, 200, 10, np.arange(202, 5000), 4000, 1e-2, bias=bias, method="asymptotic"
    )
    bound = 1e-2 * 100 / np.arange(202, 5000) / lower.w2s  # the paper's, baseline without bias
    assert abs(asymptotic - 202 - np.argmax(bound)) <= 1


# ---------------------------------------------------------------- results and refusals


def test_result_unpacks_saves_and_prints(tmp_path):
    r = predict_risk(100, 200, 10, 2000, 4000, 1e-2, bias=published(10))
    weak, w2s, _, _ = r
    assert (weak, w2s) == (r.weak, r.w2s)
    r.save(tmp_path / "r.npz")
    back = subspan.load(tmp_path / "r.npz")
    assert back.to_dict() == r.to_dict()
    assert "ahead of" in repr(r)
    assert "first order" in r.table()
    assert r.gain == weak - w2s


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"d_overlap": 101}, ValueError, "d_overlap=101 must not exceed"),
        ({"noise_var": -1}, ValueError, "noise_var"),
        ({"noise_var": np.nan}, ValueError, "noise_var"),
        ({"n": 10.5}, ValueError, "n=10.5"),
        ({"n": "ten"}, TypeError, "n has dtype"),
        ({"N": 0}, ValueError, "N=0"),
        ({"method": "guess"}, ValueError, "method='guess'"),
        ({"bias": 3.0}, TypeError, "bias=3.0"),
        ({"bias": (1, -2)}, ValueError, "bias"),
    ],
)
def test_refusals(change, error, message):
    given = {"d_strong": 100, "d_weak": 200, "d_overlap": 50, "n": 500, "N": 500, "noise_var": 1.0}
    with pytest.raises(error, match=message):
        predict_risk(**(given | change))


def test_recovery_without_a_gap_is_no_ratio():
    """The same features, biased alike, and so many labels that the teacher is at its ceiling."""
    with pytest.warns(RuntimeWarning, match="do not differ"):
        r = predict_risk(10, 10, 10, 10**9, 100, 0.0, bias=(0.1, 0.1, 0.1, 0.0))
    assert np.isnan(r.pgr)
    assert r.weak == pytest.approx(r.strong_ceiling)
    with pytest.warns(RuntimeWarning, match="do not differ"):
        both = predict_risk(
            10,
            20,
            5,
            np.array([50, 100]),
            1000,
            1.0,
            label_covariance=np.diag([0, 0.02, 0.02, 0, 0]),
        )
    gap = both.weak - both.strong_ceiling
    slopes = 1 + 20 / (both.n - 21), 1 + 10 / (both.n + 1000 - 11)
    assert np.array_equal(np.isnan(both.pgr), gap < 2 * 0.02**0.5 * np.hypot(*slopes))
    assert np.isnan(both.pgr).tolist() == [False, True]
    for wrong in (np.eye(4), np.full((5, 5), np.nan), np.triu(np.ones((5, 5)))):
        with pytest.raises(ValueError, match="label_covariance"):
            predict_risk(10, 20, 5, 50, 1000, 1.0, label_covariance=wrong)
