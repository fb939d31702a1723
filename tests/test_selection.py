"""Choosing rows: moment matching against its dual, rounding against its probabilities, known figures."""

import numpy as np
import pytest
import scipy.sparse
import subspan
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from subspan import selection
from subspan.cube import cube
from subspan.selection import baselines, matching, moments, rounding
from subspan.selection.budget import as_budget
from subspan.selection.pool import Pool
from subspan.selection.rows import TILE, Rows
from subspan.selection.select import METHODS
from subspan.testing import finetuning_mixture


@pytest.fixture(scope="module")
def mixture():
    return finetuning_mixture()


def problem_of(rng, N=400, m=6, n=50, coverage=0.3, weighting="relative"):
    rows = Rows(rng.standard_normal((N, m)) * np.linspace(1, 3, m))
    basis = moments.eigenbasis_of(moments.second_moment(rows), 1e-15)
    importance = basis.values**-2.0 if weighting == "relative" else np.ones(m)
    weights = matching.Weights(as_budget(n, N))
    return rows, matching.Problem(basis, basis.values / coverage, importance, weights)


def pool_of(X, n, rng, **options):
    return Pool(Rows(X), as_budget(n, len(X)), rng, **options)


# ---------------------------------------------------------------- the published data


@pytest.mark.slow
def test_the_mixture_is_the_published_one(mixture):
    assert np.bincount(mixture.clusters).tolist() == [82, 69, 389, 76, 406, 251, 427, 300]
    s2 = np.linalg.svd(mixture.X, compute_uv=False) ** 2
    tails = np.cumsum(s2[::-1])[::-1]
    assert [(tails >= s2.sum() / (2000 * q)).sum() for q in (1, 0.5)] == [107, 8]
    risks = [mixture.ridge_risk(np.arange(2000), ridge) for ridge in (10, 50, 70, 100)]
    assert np.allclose(risks, [1.996e-3, 2.772e-3, 2.929e-3, 3.167e-3], rtol=5e-4)


@pytest.mark.slow
@pytest.mark.parametrize("n", [80, 120])
def test_moment_matching_on_the_mixture(mixture, n):
    risks = []
    for seed in range(8):
        r = selection.moment_matching(mixture.X, n, labels=mixture.clusters, rng=seed)
        assert len(np.unique(r.indices)) == n
        assert all(chosen > 0 for chosen, _ in r.certificate.groups.values())
        risks.append(mixture.validated_risk(r.indices))
    assert np.mean(risks) <= 3.3e-3


@pytest.mark.slow
@pytest.mark.parametrize("n", [48, 64])
@pytest.mark.parametrize("rounding", ["cube", "systematic"])
def test_no_cluster_is_missed(mixture, n, rounding):
    """The least of eight clusters has 69 of 2000 rows."""
    for seed in range(8):
        r = selection.moment_matching(
            mixture.X, n, labels=mixture.clusters, rounding=rounding, restarts=1, rng=seed
        )
        assert all(chosen > 0 for chosen, _ in r.certificate.groups.values())


def test_greedy_designs_miss_no_cluster(mixture):
    r = selection.select(mixture.X, 48, method="v_opt", labels=mixture.clusters, rng=0)
    assert all(chosen > 0 for chosen, _ in r.certificate.groups.values())


@pytest.mark.slow
def test_the_number_of_parameters_does_not_matter(rng):
    """At a fixed sketch size subsets are as good among 10^5 features as among 10^2."""
    Z = finetuning_mixture(300, 20, clusters=6).X
    quality = []
    for r in (100, 1000, 10_000, 100_000):
        Q = np.linalg.qr(rng.standard_normal((r, 20)))[0]
        X = (Z @ Q.T).astype(np.float32)
        chosen = [selection.moment_matching(X, 80, sketch_size=30, rng=s) for s in range(8)]
        quality.append([selection.v_opt(Z, c.indices) for c in chosen])
    means = np.mean(quality, axis=1)
    error = np.std(quality, axis=1, ddof=1) / np.sqrt(8)
    assert np.all(np.abs(means - means[0]) <= 4 * np.hypot(error, error[0]))
    uniform = np.mean(
        [
            selection.v_opt(Z, selection.select(Z, 80, method="uniform", rng=s).indices)
            for s in range(16)
        ]
    )
    assert means.max() < uniform


def test_herding_by_argmin_finds_the_clusters(mixture):
    """The published code takes the farthest row, and sees one cluster."""
    r = selection.select(mixture.X, 80, method="herding", labels=mixture.clusters, rng=0)
    assert sum(chosen > 0 for chosen, _ in r.certificate.groups.values()) >= 7
    assert mixture.validated_risk(r.indices) == pytest.approx(4.21e-3, rel=0.02)


# ---------------------------------------------------------------- moment matching


@pytest.mark.parametrize("weighting", ["relative", "absolute"])
def test_both_solvers_close_the_gap(weighting, rng):
    rows, problem = problem_of(rng, weighting=weighting)
    start = np.full(400, 1 / 400)
    fast = matching.fista(rows, problem, 1e-9, 5000, None)
    lean = matching.frank_wolfe(rows, problem, 1e-3, 2000, None)
    begin = problem.objective(moments.moments_of(rows, problem.basis, start))
    assert fast.objective - fast.dual <= 1e-6 * begin
    assert lean.objective - lean.dual <= 1e-3 * begin
    assert fast.dual <= lean.objective * (1 + 1e-12)
    assert lean.dual <= fast.objective * (1 + 1e-12)
    for found in (fast, lean):
        assert found.weights.min() >= 0
        assert found.weights.max() <= 1 / 50 * (1 + 1e-12)
        assert found.weights.sum() == pytest.approx(1)
        seen = moments.moments_of(rows, problem.basis, found.weights)
        assert problem.objective(seen) == pytest.approx(found.objective, rel=1e-9)
        assert all(dual <= value * (1 + 1e-12) for value, dual in found.history)


@given(seed=st.integers(0, 2**20), n=st.integers(1, 19), size=st.integers(20, 60))
@settings(max_examples=60, deadline=None)
def test_projection_on_the_capped_simplex(seed, n, size):
    point = np.random.default_rng(seed).standard_normal(size)
    s = matching.Weights(as_budget(n, size)).project(point)
    assert s.min() >= 0
    assert s.max() <= 1 / n + 1e-15
    assert s.sum() == pytest.approx(1, abs=1e-12)
    inside = (s > 1e-12) & (s < 1 / n - 1e-12)  # optimality: equal shifts inside, ordered outside
    tau = (point - s)[inside]
    if tau.size:
        assert np.ptp(tau) < 1e-12
        assert np.all(point[s <= 1e-12] <= tau[0] + 1e-12)
        assert np.all(point[s >= 1 / n - 1e-12] - 1 / n >= tau[0] - 1e-12)


@given(seed=st.integers(0, 2**20))
@settings(max_examples=60, deadline=None)
def test_line_search_is_exact(seed):
    rng = np.random.default_rng(seed)
    m = 5
    problem = matching.Problem(None, rng.random(m), rng.random(m) + 0.1, None)
    now, direction = rng.random(m), rng.standard_normal(m)
    step = matching.line_search(problem, now, direction)
    grid = np.linspace(0, 1, 2001)
    values = [problem.objective(now + t * direction) for t in grid]
    assert problem.objective(now + step * direction) <= min(values) + 1e-12


def test_the_oracle_maximises_over_the_capped_simplex(rng):
    scores, n = rng.standard_normal(30), 7
    vertex = matching.Weights(as_budget(n, 30)).vertex(scores)
    found = linprog(-scores, A_eq=np.ones((1, 30)), b_eq=[1], bounds=[(0, 1 / n)] * 30)
    assert scores @ vertex == pytest.approx(-found.fun)


def test_moments_of_few_and_of_many_rows_agree(rng):
    rows, problem = problem_of(rng, N=TILE + 100)
    weights = np.zeros(len(rows))
    weights[[5, TILE + 3, 17]] = 0.2, 0.5, 0.3
    sparse = moments.moments_of(rows, problem.basis, weights)
    dense = moments.moments_of(rows, problem.basis, weights + 1e-300)
    assert np.allclose(sparse, dense, rtol=1e-12)
    exact = weights @ (rows.X @ problem.basis.vectors) ** 2
    assert np.allclose(sparse, exact, rtol=1e-12)
    r = rng.random(problem.basis.rank)
    r[0] = 0
    expected = (rows.X @ problem.basis.vectors) ** 2 @ r
    assert np.allclose(moments.scores_of(rows, problem.basis, r), expected, rtol=1e-12)


def test_storage_changes_no_bit(tmp_path, rng):
    """A memory map, a Fortran array, a CSR matrix and float64 give the same subset as the array."""
    X = rng.standard_normal((TILE + 500, 12)) * np.linspace(1, 4, 12)
    X[rng.random(X.shape) < 0.3] = 0
    np.save(tmp_path / "X.npy", X)
    base = selection.moment_matching(X, 60, solver="frank_wolfe", rng=3)
    for other in (
        np.load(tmp_path / "X.npy", mmap_mode="r"),
        np.asfortranarray(X),
        scipy.sparse.csr_array(X),
        scipy.sparse.coo_matrix(X),
    ):
        r = selection.moment_matching(other, 60, solver="frank_wolfe", rng=3)
        assert np.array_equal(r.indices, base.indices)
        assert np.array_equal(r.probabilities, base.probabilities)
        assert r.objective == base.objective
    again = selection.moment_matching(X, 60, solver="frank_wolfe", rng=base.seed)
    assert np.array_equal(again.indices, base.indices)


@pytest.mark.parametrize("scale", [1e150, 1e-150, 1e200])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_scale_of_the_rows_does_not_matter(scale, dtype, rng):
    scale = scale if dtype == np.float64 else scale ** (1 / 8)  # within single precision
    X = rng.standard_normal((200, 6)).astype(dtype)
    base = selection.moment_matching(X, 20, rng=0)
    r = selection.moment_matching((X * dtype(scale)).astype(dtype), 20, rng=0)
    # Rounding may change a draw, and with it the subset, but not how good subsets are.
    assert r.variance == pytest.approx(base.variance, rel=0.5)
    assert len(r.indices) == 20


def test_what_a_selection_says(tmp_path, rng):
    X = rng.standard_normal((500, 10)) * np.linspace(1, 5, 10)
    r = selection.moment_matching(X, 40, rng=0, restarts=1)
    indices, weights = r
    assert indices.shape == weights.shape == (40,)
    assert np.all(np.diff(indices) > 0)
    assert r.probabilities.sum() == pytest.approx(40)
    assert np.allclose(weights, 1 / (500 * r.probabilities[indices]))
    assert r.dual <= r.objective
    assert r.variance == r.certificate.variance
    assert "uniform subsets" in repr(r)
    r.save(tmp_path / "r.npz")
    twin = subspan.load(tmp_path / "r.npz")
    assert np.array_equal(twin.indices, indices)
    assert twin.certificate.uniform.variance == r.certificate.uniform.variance


def test_the_weights_estimate_without_bias(rng):
    """Means over subsets of weighted second moments are the second moment of all rows."""
    X = rng.standard_normal((200, 4)) * [1, 2, 3, 4]
    total = np.zeros((4, 4))
    draws = np.array(
        [
            [
                *(X[r.indices].T * r.weights @ X[r.indices]).ravel(),
            ]
            for r in (
                selection.moment_matching(X, 30, coverage=0.9, restarts=1, rng=seed)
                for seed in range(300)
            )
        ]
    )
    total = X.T @ X / 200
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert np.all(np.abs(draws.mean(axis=0) - total.ravel()) <= 4.5 * error + 1e-12)


# ---------------------------------------------------------------- rounding


@pytest.mark.parametrize("method", ["cube", "systematic", "pivotal"])
def test_designs_have_the_probabilities_that_they_are_given(method, rng):
    X, N, n, draws = rng.standard_normal((60, 3)), 60, 12, 4000
    weights = rng.random(N) ** 3
    pi = rounding.inclusion_probabilities(
        weights / weights.sum(), as_budget(n, len(weights)), 1 / n
    )
    assert pi.sum() == pytest.approx(n)
    assert pi.max() <= 1
    count = np.zeros(N)
    for _ in range(draws):
        if method == "cube":
            chosen = cube(pi, X, rng)
        elif method == "systematic":
            chosen = rounding.systematic(pi, X, rng)
        else:
            chosen = rounding.pivotal(pi, rng)
        assert len(chosen) == len(np.unique(chosen)) == n
        count[chosen] += 1
    error = np.sqrt(pi * (1 - pi) / draws)
    assert np.all(np.abs(count / draws - pi) <= 4.5 * error + 1e-9)


def test_the_cube_balances(rng):
    X, pi = rng.standard_normal((300, 8)), np.full(300, 0.2)
    totals = {"cube": [], "pivotal": []}
    for _ in range(200):
        for name, chosen in (
            ("cube", cube(pi, X, rng)),
            ("pivotal", rounding.pivotal(pi, rng)),
        ):
            totals[name].append(X[chosen].sum(axis=0) / 0.2)
    spread = {name: np.std(values, axis=0).mean() for name, values in totals.items()}
    assert spread["cube"] < 0.5 * spread["pivotal"]


@given(
    units=st.integers(1, 40),
    constraints=st.integers(0, 12),
    copies=st.booleans(),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=150, deadline=None)
def test_the_cube_keeps_its_size_whatever_it_balances(units, constraints, copies, seed):
    """Repeated, zero and dependent columns, certain and impossible units."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((units, constraints))
    if copies and constraints > 1:
        X[:, 1], X[:, -1] = X[:, 0], 0
        X[units // 2 :] = X[0]
    n = int(rng.integers(1, units + 1))
    weights = rng.random(units) ** 4
    weights[rng.random(units) < 0.2] = 0
    if np.count_nonzero(weights) < n:
        weights += 0.01
    pi = rounding.inclusion_probabilities(
        weights / weights.sum(), as_budget(n, len(weights)), 1 / n
    )
    chosen = cube(pi, X, rng)
    assert len(chosen) == len(np.unique(chosen)) == n
    assert np.all(pi[chosen] > 0)
    assert np.all(np.isin(np.flatnonzero(pi >= 1), chosen))


def test_the_cube_on_many_units_and_progress(rng):
    calls = []
    chosen = cube(
        np.full(30000, 0.01), rng.standard_normal((30000, 20)), rng, lambda: calls.append(1)
    )
    assert len(chosen) == 300
    assert len(calls) >= 29

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cube(np.full(3000, 0.01), rng.standard_normal((3000, 20)), rng, stop)


# ---------------------------------------------------------------- criteria


@pytest.mark.parametrize("method", ["uniform", "leverage", "v_opt", "k_center", "skmm"])
def test_excess_risk_is_the_variance_criterion(method, rng):
    """Least squares on the subset with noisy labels: ``(sigma^2 / n) tr(Sigma Sigma_S^{-1})``."""
    from sklearn.datasets import load_diabetes

    X = load_diabetes().data
    X = X / X.std(axis=0)
    r = selection.select(X, 60, method=method, rng=0, sketch_size=10)
    S, N = X[r.indices], len(X)
    noise = rng.standard_normal((60, 2000))
    excess = (np.linalg.norm(X @ (np.linalg.pinv(S) @ noise)) ** 2) / N / 2000
    assert r.variance / 60 == pytest.approx(excess, rel=0.03)
    sigma, part = X.T @ X / N, S.T @ S / 60
    assert r.variance == pytest.approx(np.trace(sigma @ np.linalg.inv(part)), rel=1e-8)
    c = np.linalg.eigvals(np.linalg.solve(part, sigma)).real.max()
    assert r.certificate.coverage == pytest.approx(c, rel=1e-8)
    assert selection.v_opt(X, r.indices) == pytest.approx(r.variance)
    assert selection.coverage(X, r.indices) == pytest.approx(c)


def test_groups_stand_beside_those_of_uniform_subsets(rng):
    X, labels = rng.standard_normal((400, 3)), np.repeat(["rare", "common"], [40, 360])
    found = selection.moment_certificate(X, np.arange(50), labels=labels, rng=0, references=31)
    assert found.groups == {"common": (10, 360), "rare": (40, 40)}
    assert found.uniform.groups["rare"] == (5, 40)
    assert found.uniform.groups["common"] == (45, 360)


def test_a_missing_direction_is_infinitely_bad():
    found = selection.moment_certificate(np.eye(5), [0, 1], references=0)
    assert found.coverage == found.variance == np.inf
    assert (found.rank, found.subset_rank) == (5, 2)
    with_ridge = selection.moment_certificate(np.eye(5), [0, 1], ridge=0.1, references=0)
    assert np.isfinite(with_ridge.variance)
    assert selection.coverage_by_group([1, 1, 2], [0])["2"] == (0, 1)


# ---------------------------------------------------------------- every method


def needs(method, X):
    """What a method cannot do without."""
    if method in ("glister", "influence"):
        return {"target": X[:7] + 0.1}
    return {"scores": np.arange(len(X)) % 11} if method == "scores" else {}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_distinct_rows_and_repeats_itself(method, rng):
    X = rng.standard_normal((300, 9)).astype(np.float32)
    X[50:60] = X[0]
    labels = np.repeat(["a", "b", "c"], 100)
    for n in (1, 5, 9) if method == "dpp" else (1, 20, 300):
        r = selection.select(X, n, method=method, labels=labels, rng=4, **needs(method, X))
        assert r.indices.dtype == np.int64
        assert len(np.unique(r.indices)) == n
        again = selection.select(X, n, method=method, labels=labels, rng=4, **needs(method, X))
        assert np.array_equal(r.indices, again.indices)
        assert sum(chosen for chosen, _ in r.certificate.groups.values()) == n
    assert not np.shares_memory(r.indices, X)


def test_designs_are_better_than_chance_at_what_they_optimise(rng):
    X = rng.standard_normal((400, 8)) * np.linspace(1, 4, 8)
    value = {
        "v_opt": lambda S: np.trace((X.T @ X) @ np.linalg.inv(S.T @ S)),
        "a_opt": lambda S: np.trace(np.linalg.inv(S.T @ S)),
        "d_opt": lambda S: -np.linalg.slogdet(S.T @ S)[1],
        "e_opt": lambda S: 1 / np.linalg.eigvalsh(S.T @ S)[0],
        "t_opt": lambda S: -np.trace(S.T @ S),
    }
    for method, measure in value.items():
        ours = measure(X[selection.select(X, 60, method=method, sketch_size=8).indices])
        others = [
            measure(X[selection.select(X, 60, method="uniform", rng=seed).indices])
            for seed in range(20)
        ]
        assert ours < min(others), method


def test_greedy_gains_are_the_exact_changes(rng):
    from subspan.selection import design

    G = rng.standard_normal((40, 5))
    sigma = G.T @ G / 40
    criteria = {
        "v_opt": lambda M: np.trace(sigma @ M),
        "a_opt": np.trace,
        "d_opt": lambda M: np.linalg.slogdet(M)[1],
    }
    for name, value in criteria.items():
        found = design.Design(pool_of(G, 5, rng), name)
        for step in range(70):  # past the point where everything is made anew
            found.add(step % 40)
        for row in (3, 5, 6):
            found.remove(row)
        M = np.linalg.inv(G[found.chosen].T @ G[found.chosen])
        gains = found.gains()
        for i in (10, 20, 39):
            after = np.linalg.inv(np.linalg.inv(M) + np.outer(G[i], G[i]))
            assert gains[i] == pytest.approx(value(M) - value(after), rel=1e-7)


def test_stratified_shares_and_leverage_of_low_rank(rng):
    labels = np.repeat([0, 1, 2], [10, 30, 60])
    X = rng.standard_normal((100, 3))
    r = selection.select(X, 10, method="stratified", labels=labels, rng=0)
    assert [chosen for chosen, _ in r.certificate.groups.values()] == [1, 3, 6]
    low = np.zeros((50, 4))
    low[:5, 0] = 1
    scores = baselines.leverage_scores(pool_of(low, 5, rng), 0.0)
    assert np.allclose(scores, np.where(np.arange(50) < 5, 10.0, 0.0))
    with pytest.raises(ValueError, match="needs labels"):
        selection.select(X, 10, method="stratified")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"n": 0}, ValueError, "n=0"),
        ({"n": 31}, ValueError, "n=31"),
        ({"n": 2.5}, TypeError, "n"),
        ({"method": "best"}, ValueError, "method='best'"),
        ({"coverage": 1.0}, ValueError, "nothing to choose"),
        ({"coverage": 0}, ValueError, "coverage=0"),
        ({"weighting": "none"}, ValueError, "weighting='none'"),
        ({"solver": "sgd"}, ValueError, "solver='sgd'"),
        ({"rounding": "up"}, ValueError, "rounding='up'"),
        ({"restarts": 0}, ValueError, "restarts=0"),
        ({"sketch_size": 0}, ValueError, "sketch_size=0"),
        ({"sketch_size": "big"}, ValueError, "sketch_size='big'"),
        ({"labels": [1, 2]}, ValueError, "labels has shape"),
        ({"n": 3, "sketch_size": 4}, ValueError, "n=3 rows cannot cover the 4 directions"),
        ({"method": "uniform", "coverage": 0.9}, TypeError, "takes no coverage"),
        ({"method": "v_opt", "ridge": -1}, ValueError, "ridge=-1"),
    ],
)
def test_bad_arguments_are_named(change, error, message, rng):
    arguments = {"n": 5, "rng": 0, **change}
    with pytest.raises(error, match=message):
        selection.select(rng.standard_normal((30, 4)), **arguments)


def test_bad_candidates_are_named(rng):
    X = rng.standard_normal((30, 4))
    X[17, 2] = np.nan
    with pytest.raises(ValueError, match="not finite, first in row 17"):
        selection.moment_matching(X, 5)
    with pytest.raises(ValueError, match="2-d"):
        selection.moment_matching(X[0], 5)
    with pytest.raises(TypeError, match="real numbers"):
        selection.moment_matching(X * 1j, 5)
    with pytest.raises(ValueError, match="X is zero"):
        selection.moment_matching(np.zeros((30, 4)), 5)
    for indices, message in (([0, 0], "repeated"), ([30], "between 0 and 29"), ([], "empty")):
        with pytest.raises(ValueError, match=message):
            selection.moment_certificate(np.ones((30, 2)), indices)
    with pytest.raises(ValueError, match="weights has shape"):
        selection.moment_certificate(np.ones((30, 2)), [1, 2], [1.0])


# ---------------------------------------------------------------- the estimator


def test_pieces_do_not_matter(rng):
    from sklearn.base import clone

    X = rng.standard_normal((5000, 60))
    y = np.repeat([0, 1], 2500)
    whole = selection.SkMM(50, random_state=1).fit(X, y)
    pieces = clone(whole)
    for start in range(0, 5000, 700):
        pieces.partial_fit(X[start : start + 700], y[start : start + 700])
    direct = selection.moment_matching(X, 50, rng=whole.selection_.seed)
    assert np.array_equal(whole.indices_, pieces.indices_)
    assert np.array_equal(whole.indices_, direct.indices)
    assert whole.certificate_.groups.keys() == {"0", "1"}
    assert np.array_equal(whole.fit_transform(X), X[whole.indices_])
    assert whole.get_params()["n_select"] == 50
    first = pieces.indices_
    pieces.partial_fit(10 * X[:10], y[:10])
    assert not np.array_equal(first, pieces.indices_)
    assert pieces.weights_.shape == (50,)


def test_the_estimator_under_constraints(rng):
    X, y = rng.standard_normal((300, 5)), np.repeat(["a", "b"], [60, 240])
    estimator = selection.SkMM(20, per_group="equal", random_state=0, sketch_size=5)
    estimator.fit(X, y, candidates=np.arange(0, 300, 2), already_selected=[4, 100])
    assert np.all(estimator.indices_ % 2 == 0)
    assert np.count_nonzero(y[estimator.indices_] == "a") == 10
    assert not np.isin(estimator.indices_, [4, 100]).any()
    assert estimator.certificate_.groups["a"][0] == 11
    estimator.fit(X, y)
    assert np.any(estimator.indices_ % 2 == 1)


def test_the_estimator_refuses(rng):
    estimator = selection.SkMM(5, random_state=0)
    with pytest.raises(AttributeError, match="no rows yet"):
        estimator.indices_  # noqa: B018
    estimator.fit(rng.standard_normal((20, 4)))
    with pytest.raises(ValueError, match="X has 3 features; earlier rows had 4"):
        estimator.partial_fit(np.ones((5, 3)))
    with pytest.raises(ValueError, match="with all pieces or with none"):
        estimator.partial_fit(np.ones((5, 4)), [1] * 5)
    with pytest.raises(ValueError, match="y has 2 labels for 5 rows"):
        selection.SkMM(5).fit(np.ones((5, 4)), [1, 2])
    with pytest.raises(ValueError, match="n=5 must lie between 1 and the 3"):
        selection.SkMM(5, random_state=0).fit(rng.standard_normal((3, 4))).indices_  # noqa: B018


# ---------------------------------------------------------------- further methods


def test_determinantal_probabilities(rng):
    """Against the determinants of all pairs."""
    from itertools import combinations

    X = rng.standard_normal((6, 3))
    L = X @ X.T
    volume = {pair: np.linalg.det(L[np.ix_(pair, pair)]) for pair in combinations(range(6), 2)}
    total, draws, count = sum(volume.values()), 3000, dict.fromkeys(volume, 0)
    for _ in range(draws):
        pair = tuple(sorted(baselines.determinantal(pool_of(X, 2, rng)).tolist()))
        count[pair] += 1
    for pair, v in volume.items():
        p = v / total
        assert abs(count[pair] / draws - p) <= 4.5 * np.sqrt(p * (1 - p) / draws) + 1e-3
    with pytest.raises(ValueError, match="needs n <= 3"):
        selection.select(X, 4, method="dpp")


def test_exchange_improves_designs(rng):
    X = rng.standard_normal((150, 5)) * np.linspace(1, 3, 5)
    for method in ("v_opt", "a_opt", "d_opt"):
        plain, swapped = (
            selection.select(X, 12, method=method, sketch_size=5, **options)
            for options in ({}, {"sweeps": 3})
        )
        if method == "v_opt":
            assert swapped.variance <= plain.variance * (1 + 1e-9)
        logdet = [np.linalg.slogdet(X[r.indices].T @ X[r.indices])[1] for r in (plain, swapped)]
        if method == "d_opt":
            assert logdet[1] >= logdet[0] - 1e-9
        assert len(np.unique(swapped.indices)) == 12
    with pytest.raises(TypeError, match="takes no sweeps"):
        selection.select(X, 12, method="t_opt", sweeps=1)


def test_scores_order_samples_as_they_should():
    """The least certain first: both published copies of these have the order turned round."""
    p = np.array([[0.98, 0.01, 0.01], [0.4, 0.35, 0.25], [0.6, 0.39, 0.01]])
    for score in (selection.scores.entropy, selection.scores.least_confidence):
        assert selection.scores.largest(score(p), 1).tolist() == [1]
    assert selection.scores.largest(selection.scores.margin(p), 1).tolist() == [1]
    y = np.array([1, 0, 0])
    expected = np.linalg.norm(p - np.eye(3)[y], axis=1)
    assert np.allclose(selection.scores.el2n(p, y), expected)
    assert np.allclose(selection.scores.el2n(np.stack([p, p]), y), expected)
    h = np.ones((3, 2))
    assert np.allclose(selection.scores.grand(p, y, h), expected * np.sqrt(3))
    assert selection.scores.forgetting([[1, 1], [0, 1], [1, 1], [0, 1]]).tolist() == [2, 0]
    for call, message in (
        (lambda: selection.scores.entropy([[0.5, 0.6]]), "distributions"),
        (lambda: selection.scores.entropy([0.5, 0.5]), "expected \\(N, classes\\)"),
        (lambda: selection.scores.el2n(p, [0, 1]), "labels has shape"),
        (lambda: selection.scores.el2n(p, [0, 1, 3]), "class numbers below 3"),
        (lambda: selection.scores.grand(p, y, h[:2]), "features has 2 rows"),
        (lambda: selection.scores.forgetting([1, 0]), "correct has shape"),
        (lambda: selection.scores.largest([1.0, np.nan], 1), "finite"),
        (lambda: selection.scores.largest([1.0, 2.0], 3), "n=3"),
        (lambda: selection.scores.largest([1.0, 2.0], 1, labels=[0]), "labels has shape"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_comparison_tables(rng):
    X = rng.standard_normal((120, 6))
    rows = selection.compare_selectors(
        ["uniform", {"method": "v_opt", "sketch_size": 6, "name": "greedy V"}],
        X,
        lambda S: selection.v_opt(X, S),
        [12, 24],
        seeds=range(5),
    )
    assert [(row["method"], row["n"]) for row in rows] == [
        ("uniform", 12), ("uniform", 24), ("greedy V", 12), ("greedy V", 24),
    ]  # fmt: skip
    for row in rows:
        assert row["low"] <= row["mean"] <= row["high"] <= row["worst"]
        assert len(row["values"]) == 5
    assert rows[2]["mean"] < rows[0]["low"]
    assert "difference" not in rows[0]
    with pytest.raises(ValueError, match="seeds is empty"):
        selection.compare_selectors(["uniform"], X, len, [5], seeds=[])


def test_comparisons_of_several_numbers_and_of_rows_that_differ():
    def X(seed):
        return np.random.default_rng(seed).standard_normal((80, 4))

    def metric(S, seed):
        return {"variance": selection.v_opt(X(seed), S), "size": float(len(S))}

    rows = selection.compare_selectors(
        ["uniform", "v_opt"], X, metric, [20], seeds=[3, 4, 5], reference="uniform"
    )
    assert [(row["method"], row["metric"]) for row in rows] == [
        ("uniform", "variance"), ("uniform", "size"), ("v_opt", "variance"), ("v_opt", "size"),
    ]  # fmt: skip
    assert rows[0]["difference"] == rows[3]["difference"] == 0
    assert rows[2]["difference_high"] < 0
    assert rows[2]["difference"] == pytest.approx(rows[2]["mean"] - rows[0]["mean"])
    for seed, chosen, value in zip([3, 4, 5], rows[2]["indices"], rows[2]["values"], strict=True):
        assert value == selection.v_opt(X(seed), chosen)
    assert min(rows[2]["seconds"]) > 0
    with pytest.raises(ValueError, match="reference='best' is not among"):
        selection.compare_selectors(["uniform"], X, metric, [5], reference="best")
    for values, level, message in (([], 0.9, "values has shape"), ([1.0], 2, "level=2")):
        with pytest.raises(ValueError, match=message):
            selection.mean_interval(values, level)


def test_without_references_there_is_no_comparison(rng):
    for method in ("uniform", "skmm"):
        r = selection.select(rng.standard_normal((50, 3)), 10, method=method, references=0)
        assert r.certificate.uniform is None
