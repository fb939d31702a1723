"""Selection under constraints, and the definitions of the methods that moment matching is compared with."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize, nnls
from subspan import selection
from subspan.selection import baselines, facility, matching, published
from subspan.selection.budget import as_budget, divide
from subspan.selection.pool import Pool
from subspan.selection.rounding import ROUNDINGS, inclusion_probabilities
from subspan.selection.rows import Rows
from subspan.selection.select import METHODS

N = 200


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(1).standard_normal((N, 6)) * np.linspace(1, 3, 6)


def needs(method, X):
    """What a method cannot do without."""
    if method in ("glister", "influence"):
        return {"target": X[:7] + 0.1}
    if method == "stratified":
        return {"labels": np.arange(len(X)) % 2}
    return {"scores": np.arange(len(X)) % 11} if method == "scores" else {}


# ---------------------------------------------------------------- constraints, for every method


@pytest.mark.parametrize("method", METHODS)
def test_candidates_and_rows_chosen_already(method, X):
    before, allowed = [3, 50, 120], np.arange(0, N, 2)
    n = 3 if method == "dpp" else 15
    r = selection.select(
        X, n, method=method, candidates=allowed, already_selected=before, rng=0, sketch_size=6,
        **needs(method, X),
    )  # fmt: skip
    assert len(r.indices) == n
    assert set(r.indices) <= set(allowed) - set(before)
    whole = np.sort(np.concatenate([r.indices, before]))
    assert r.variance == pytest.approx(selection.v_opt(X, whole), rel=1e-6)
    mask = np.isin(np.arange(N), allowed)
    again = selection.select(
        X, n, method=method, candidates=mask, already_selected=before, rng=0, sketch_size=6,
        **needs(method, X),
    )  # fmt: skip
    assert np.array_equal(r.indices, again.indices)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "dpp"])
def test_costs_stay_within_the_budget(method, X):
    costs = np.random.default_rng(2).uniform(1, 4, N)
    for budget in (4.0, 60.0, 1e6):
        r = selection.select(
            X, method=method, costs=costs, budget=budget, rng=1, **needs(method, X)
        )
        spent = costs[r.indices].sum()
        assert spent <= budget * (1 + 1e-9)
        assert len(r.indices) == len(np.unique(r.indices)) >= 1
        if budget == 60.0 and method != "skmm":  # else only a few draws miss the last row
            left = np.setdiff1d(np.arange(N), r.indices)
            if method != "stratified":
                assert costs[left].min() > budget - spent
        if budget == 60.0:
            assert spent >= 0.8 * budget
        if budget == 1e6:
            assert len(r.indices) == N


@pytest.mark.parametrize("method", METHODS)
def test_shares_of_groups(method, X):
    labels = np.repeat(["a", "b", "c"], [20, 60, 120])
    options = {**needs(method, X), "labels": labels, "rng": 0}
    for per_group, expected in (("proportional", [1, 3, 6]), ("equal", [4, 3, 3])):
        r = selection.select(X, 10, method=method, per_group=per_group, **options)
        assert [chosen for chosen, _ in r.certificate.groups.values()] == expected
    if method != "dpp":  # a group gives no more than it has
        r = selection.select(X, 90, method=method, per_group="equal", **options)
        assert [chosen for chosen, _ in r.certificate.groups.values()] == [20, 35, 35]


def test_equal_costs_are_a_number_of_rows(X):
    for method in ("v_opt", "k_center", "herding", "facility_location", "grad_match", "scores"):
        plain = selection.select(X, 12, method=method, rng=0, **needs(method, X))
        priced = selection.select(
            X, method=method, costs=np.full(N, 2.5), budget=30, rng=0, **needs(method, X)
        )
        assert np.array_equal(plain.indices, priced.indices)


@given(
    seed=st.integers(0, 2**20),
    groups=st.integers(1, 6),
    per_group=st.sampled_from(["proportional", "equal"]),
    priced=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_shares_add_up(seed, groups, per_group, priced):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(groups, 60))
    group = rng.integers(groups, size=size)
    candidates = np.flatnonzero(rng.random(size) < 0.7)
    if len(candidates) == 0:
        candidates = np.arange(size)
    if priced:
        costs = rng.uniform(1, 3, size)
        total = rng.uniform(costs[candidates].min(), costs[candidates].sum())
        budget = as_budget(None, size, candidates=candidates, costs=costs, budget=total)
    else:
        n = int(rng.integers(1, len(candidates) + 1))
        budget = as_budget(n, size, candidates=candidates)
    parts = divide(budget, group, per_group)
    assert sum(part.total for _, part in parts) == pytest.approx(budget.total)
    for members, part in parts:
        assert part.total <= part.price()[part.free].sum() * (1 + 1e-9)
        if not priced:
            assert part.total == round(part.total) > 0
        assert np.array_equal(part.free, budget.free[members])


# ---------------------------------------------------------------- weights under constraints


@given(seed=st.integers(0, 2**20))
@settings(max_examples=60, deadline=None)
def test_weights_with_costs_and_rows_before(seed):
    rng = np.random.default_rng(seed)
    costs = rng.uniform(0.5, 3, 30)
    budget = as_budget(
        None, 30, candidates=np.arange(4, 30), already_selected=[0, 1], costs=costs, budget=9.0
    )
    weights = matching.Weights(budget)
    bounds = [(weights.cap, weights.cap)] * 2 + [(0, 0)] * 2 + [(0, weights.cap)] * 26
    spend = np.where(np.arange(30) < 4, 0, costs)
    scores, point = rng.random(30), rng.standard_normal(30)
    found = linprog(-scores, A_ub=spend[None], b_ub=[9.0 * weights.cap], bounds=bounds)
    assert scores @ weights.vertex(scores) == pytest.approx(-found.fun)
    nearest = weights.project(point)
    for s in (weights.start(), weights.vertex(scores), nearest):
        assert spend @ s == pytest.approx(9.0 * weights.cap)
        assert s.min() >= 0
        assert s.max() <= weights.cap * (1 + 1e-12)
        assert np.all(s[:2] == weights.cap)
        # The projection makes no obtuse angle with any other point of the set.
        assert (point - nearest) @ (s - nearest) <= 1e-12
    pi = inclusion_probabilities(nearest, budget, weights.cap)
    assert costs @ pi == pytest.approx(9.0)
    assert np.all(pi[:4] == 0)


def test_the_gap_closes_under_constraints(X):
    costs = np.random.default_rng(0).uniform(1, 3, N)
    for limits in (
        {"n": 30, "candidates": np.arange(120)},
        {"n": 30, "already_selected": np.arange(10)},
        {"costs": costs, "budget": 50.0, "already_selected": np.arange(10)},
    ):
        found = [
            selection.moment_matching(
                X,
                **limits,
                coverage=0.5,
                solver=solver,
                tolerance=tolerance,
                iterations=5000,
                rng=0,
            )
            for solver, tolerance in (("fista", 1e-7), ("frank_wolfe", 1e-3))
        ]
        assert found[0].dual <= found[0].objective <= found[1].objective * (1 + 1e-6)
        assert found[0].objective - found[0].dual <= 1e-4 * found[0].objective + 1e-9
        assert found[1].dual <= found[0].objective * (1 + 1e-9)


def test_rows_chosen_already_leave_the_rest_to_the_others():
    """Rows along the first axis are there: the new ones cover the second."""
    X = np.kron(np.eye(2), np.ones((50, 1)))
    r = selection.moment_matching(X, 20, already_selected=np.arange(20), rng=0, sketch_size=2)
    assert (r.indices >= 50).sum() == 20
    assert r.certificate.coverage == pytest.approx(1)


def test_candidates_far_from_the_rest_may_ask_for_more_than_uniform(X):
    r = selection.moment_matching(X, 20, candidates=np.arange(100), coverage=1.5, rng=0)
    assert r.indices.max() < 100
    with pytest.raises(ValueError, match="nothing to choose"):
        selection.moment_matching(X, 20, coverage=1.5)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_roundings_under_constraints(rounding, X):
    costs = np.random.default_rng(3).uniform(1, 2, N)
    labels = np.arange(N) % 4
    r = selection.moment_matching(
        X, 40, rounding=rounding, labels=labels, per_group="equal", already_selected=[1, 2], rng=0
    )
    assert np.bincount(labels[r.indices]).tolist() == [10] * 4
    priced = selection.moment_matching(X, rounding=rounding, costs=costs, budget=30, rng=0)
    assert costs[priced.indices].sum() <= 30 * (1 + 1e-9)


# ---------------------------------------------------------------- the published loops


@pytest.mark.parametrize("solver", sorted(published.PUBLISHED))
def test_published_loops_lower_their_objective(solver, X):
    options = {"solver": solver, "coverage": 0.6, "weighting": "absolute", "restarts": 1}
    options |= {"rounding": "top", "rng": 0}
    begin = selection.moment_matching(X, 20, iterations=1, **options)
    r = selection.moment_matching(X, 20, iterations=1500, **options)
    assert r.objective <= begin.objective
    assert r.dual == 0.0
    assert r.settings["solver"] == solver
    assert len(r.indices) == 20
    with pytest.raises(ValueError, match="knows no candidates"):
        selection.moment_matching(X, 20, candidates=np.arange(50), **options)


def test_the_gradients_of_the_published_loops(X):
    """A step of Adam follows the sign of the gradient: compared with differences of the objective."""
    taken = []

    class Recorder(published.Adam):
        def __call__(self, gradient):
            taken.append(gradient)
            return np.zeros_like(gradient)

    basis = selection.moments.eigenbasis_of(X.T @ X / N, 1e-15)
    problem = matching.Problem(
        basis, basis.values / 0.5, np.ones(6), matching.Weights(as_budget(20, N))
    )
    A = (X @ basis.vectors) ** 2
    original, published.Adam = published.Adam, Recorder
    try:
        for name, loop in published.PUBLISHED.items():
            taken.clear()
            loop(Rows(X), problem, 1, np.random.default_rng(0), None)
            s = np.zeros(N)
            s[np.random.default_rng(0).choice(N, 20, replace=False)] = 1 / 20
            if name == "adam":
                rng = np.random.default_rng(0)
                rng.choice(N, 20, replace=False)
                gamma = 2 + rng.random(6) * (1 - 2)
                gamma = np.maximum(gamma, 2)

                def value(s, gamma=gamma):
                    return ((A.T @ s - gamma * basis.values) ** 2).sum()
            elif name == "adam_simplex":

                def value(s):
                    left = np.linalg.norm(A.T @ s**2 - 2 * basis.values)
                    return left + 1e-3 / np.linalg.norm(s)
            else:
                gamma = np.maximum(np.random.default_rng(0).random(6), 2)
                s = np.zeros(N)

                def value(logits, gamma=gamma):
                    p = np.exp(logits) / np.exp(logits).sum()
                    left = A.T @ p - gamma * basis.values
                    return (left**2).sum() + 0.1 / np.linalg.norm(p)

            for i in (0, 7, int(np.argmax(s))):
                up, down = s.copy(), s.copy()
                up[i] += 1e-6
                down[i] -= 1e-6
                slope = (value(up) - value(down)) / 2e-6
                assert taken[0][i] == pytest.approx(slope, rel=1e-4, abs=1e-6), name
    finally:
        published.Adam = original


# ---------------------------------------------------------------- definitions


def test_greedy_facility_location_is_the_plain_greedy(X):
    """Lazy evaluation changes nothing."""
    apart = np.linalg.norm(X[:, None] - X, axis=2)
    nearest = np.full(N, 2 * np.linalg.norm(X, axis=1).max())
    expected = []
    for _ in range(25):
        gains = np.maximum(nearest[:, None] - apart, 0).sum(axis=0)
        gains[expected] = -1
        expected.append(int(np.argmax(gains)))
        nearest = np.minimum(nearest, apart[:, expected[-1]])
    pool = Pool(Rows(X), as_budget(25, N), np.random.default_rng(0))
    assert facility.facility_location(pool).tolist() == expected
    r = selection.select(X, 25, method="craig", rng=0)
    share = np.bincount(np.argmin(apart[:, r.indices], axis=1), minlength=25) / N
    assert np.allclose(r.weights, share)
    assert r.weights.sum() == pytest.approx(1)


def test_grad_match_is_matching_pursuit(X):
    G = X + 1.0  # a mean that is not zero
    mean, penalty = G.mean(axis=0), 1e-3 * (G**2).sum() / N
    chosen, left = [], mean
    for _ in range(5):
        gains = np.maximum(G @ left, 0)
        gains[chosen] = -1
        chosen.append(int(np.argmax(gains)))
        part = G[chosen]
        w = np.linalg.solve(part @ part.T + penalty * np.eye(len(chosen)), part @ mean)
        left = mean - part.T @ w
    r = selection.select(G, 5, method="grad_match", rng=0)
    assert sorted(chosen) == r.indices.tolist()
    S = G[r.indices]
    ridge = np.sqrt(1e-3 * (S**2).sum() / 5)
    stacked = np.concatenate([S.T, ridge * np.eye(5)])
    assert np.allclose(r.weights, nnls(stacked, np.concatenate([mean, np.zeros(5)]))[0])
    uniform = [
        np.linalg.norm(G[selection.select(G, 5, method="uniform", rng=s).indices].mean(0) - mean)
        for s in range(10)
    ]
    assert np.linalg.norm(r.weights @ S - mean) < min(uniform)


def test_glister_descends_on_the_target(X):
    """The first pick has the largest product; each pick moves the target's gradient by a Taylor step."""
    target = X[150:170] + 0.3
    r = selection.select(X, 1, method="glister", target=target, rng=0)
    assert r.indices[0] == np.argmax(X @ target.mean(axis=0))
    many = selection.select(X, 12, method="glister", target=target, rng=0)
    gradient, chosen = target.mean(axis=0), []
    step = 1 / (np.linalg.norm(target, 2) ** 2 / 20 * 12)
    for _ in range(12):
        gains = X @ gradient
        gains[chosen] = -np.inf
        chosen.append(int(np.argmax(gains)))
        gradient = gradient - step * target.T @ (target @ X[chosen[-1]]) / 20
    assert sorted(chosen) == many.indices.tolist()
    with pytest.raises(ValueError, match="needs target"):
        selection.select(X, 3, method="glister")


def test_influence_is_the_change_of_the_target_loss(X):
    """Against the derivative of a ridge solution with respect to the weight of a row."""
    target = X[:9] + 0.2
    sigma = X.T @ X / N
    shift = 0.3 * np.trace(sigma) / 6
    exact = X @ np.linalg.solve(sigma + shift * np.eye(6), target.T)
    assert np.allclose(selection.scores.influence(X, target, ridge=0.3), exact.mean(axis=1))
    largest = selection.scores.influence(X, target, ridge=0.3, reduce="max")
    assert np.allclose(largest, exact.max(axis=1))
    cosine = selection.scores.influence(X, target, ridge=1e9, normalize=True)
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (X, target)]
    expected = (unit[0] @ unit[1].T).mean(axis=1)
    assert np.corrcoef(cosine, expected)[0, 1] == pytest.approx(1)
    r = selection.select(X, 8, method="influence", target=target, ridge=0.3, rng=0)
    assert np.array_equal(r.indices, np.sort(np.argsort(-exact.mean(axis=1))[:8]))
    for change, message in (
        ({"target": target[:, :3]}, "target has shape"),
        ({"target": target, "reduce": "sum"}, "reduce='sum'"),
        ({"target": target, "ridge": -1}, "ridge=-1"),
    ):
        with pytest.raises(ValueError, match=message):
            selection.scores.influence(X, **change)


def test_truncated_leverage(X):
    U = np.linalg.svd(X, full_matrices=False)[0]
    pool = Pool(Rows(X), as_budget(5, N), np.random.default_rng(0))
    scores = baselines.leverage_scores(pool, 0.0, 3)
    assert np.allclose(scores / scores.sum(), (U[:, :3] ** 2).sum(axis=1) / 3)
    r = selection.select(X, 5, method="truncated_leverage", rank=3, rng=0)
    assert len(r.indices) == 5


def test_draws_are_successive():
    """First draws in proportion to the weights, second ones in proportion to what is left."""
    weights, budget, rng = np.array([1.0, 2.0, 5.0, 0.0]), as_budget(2, 4), np.random.default_rng(0)
    draws = np.array([Pool(None, budget, rng).draw(weights) for _ in range(6000)])
    p = np.array([1, 2, 5, 0]) / 8
    for first in range(3):
        for second in set(range(3)) - {first}:
            expected = p[first] * p[second] / (1 - p[first])
            seen = np.mean((draws[:, 0] == first) & (draws[:, 1] == second))
            assert abs(seen - expected) <= 4.5 * np.sqrt(expected * (1 - expected) / 6000)
    assert not (draws == 3).any()


def test_random_pivoting_goes_on_where_it_stopped(X):
    """After rows that span all but one direction, only that direction is left to choose by."""
    G = np.eye(6)[np.arange(N) % 6]
    before = np.arange(5)  # e_0 to e_4
    for method in ("rp", "rbrp", "dpp"):
        r = selection.select(G, 1, method=method, already_selected=before, rng=0)
        assert r.indices[0] % 6 == 5
    for method in ("k_center", "facility_location", "v_opt", "d_opt"):
        r = selection.select(G, 1, method=method, already_selected=before, rng=0, sketch_size=6)
        assert r.indices[0] % 6 == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": None}, "n"),
        ({"budget": 3.0}, "budget needs costs"),
        ({"n": None, "costs": np.ones(N)}, "give budget="),
        ({"costs": np.ones(N), "budget": 3.0}, "n=None"),
        ({"n": None, "costs": np.ones(3), "budget": 3.0}, "costs has shape"),
        ({"n": None, "costs": np.zeros(N), "budget": 3.0}, "positive"),
        ({"n": None, "costs": np.ones(N), "budget": 0.5}, "at least one candidate"),
        ({"n": None, "costs": np.ones(N), "budget": np.nan}, "at least one candidate"),
        ({"n": None, "costs": np.ones(N), "budget": 3.0, "method": "dpp"}, "takes no costs"),
        ({"candidates": [0, 1]}, "n=5 must lie between 1 and the 2 candidates"),
        ({"candidates": [0, N]}, "candidates must lie between 0"),
        ({"candidates": np.ones(3, bool)}, "candidates is a mask of shape"),
        ({"candidates": [0.5]}, "candidates must be a list of integers"),
        ({"already_selected": [1, 1]}, "already_selected has repeated rows"),
        ({"per_group": "equal"}, "needs labels"),
        ({"per_group": "most", "labels": np.zeros(N)}, "per_group='most'"),
        ({"per_group": "equal", "labels": np.zeros(3)}, "labels has shape"),
        ({"method": "scores"}, "needs scores"),
        ({"method": "scores", "scores": [1.0, 2.0]}, "scores has 2 entries for 200 rows"),
        ({"method": "scores", "scores": [np.nan] * N}, "finite"),
        ({"method": "influence"}, "needs target"),
        ({"method": "glister", "target": np.ones((3, 2))}, "target has shape"),
    ],
)
def test_bad_limits_are_named(change, message, X):
    with pytest.raises((ValueError, TypeError), match=message):
        selection.select(X, **{"n": 5, "method": "uniform", "rng": 0, **change})


def test_the_cover_of_facility_location_beats_chance(X):
    def cover(S):
        return np.min(np.linalg.norm(X[:, None] - X[S], axis=2), axis=1).sum()

    ours = cover(selection.select(X, 15, method="facility_location", rng=0).indices)
    others = [cover(selection.select(X, 15, method="uniform", rng=s).indices) for s in range(20)]
    assert ours < min(others)


def test_minimum_of_the_relaxed_problem(X):
    """Against a general-purpose solver."""
    rows = Rows(X[:40])
    basis = selection.moments.eigenbasis_of(X[:40].T @ X[:40] / 40, 1e-15)
    problem = matching.Problem(
        basis, basis.values / 0.4, basis.values**-2.0, matching.Weights(as_budget(8, 40))
    )
    A = (X[:40] @ basis.vectors) ** 2
    found = minimize(
        lambda s: problem.objective(A.T @ s),
        np.full(40, 1 / 40),
        jac=lambda s: -A @ problem.multipliers(A.T @ s),
        bounds=[(0, 1 / 8)] * 40,
        constraints={"type": "eq", "fun": lambda s: s.sum() - 1, "jac": lambda s: np.ones(40)},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    ours = matching.fista(rows, problem, 1e-9, 5000, None)
    assert ours.objective == pytest.approx(found.fun, rel=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_the_number_of_threads_does_not_matter(method):
    from threadpoolctl import threadpool_limits

    X = np.random.default_rng(4).standard_normal((700, 90)) * np.geomspace(1, 0.01, 90)
    chosen = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            r = selection.select(X, 90, method=method, sketch_size=90, rng=0, **needs(method, X))
            chosen.append(r.indices)
    assert np.array_equal(*chosen)
