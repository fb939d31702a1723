"""Risks with ridge: Monte Carlo, and the limits that are known exactly."""

import numpy as np
import pytest
from subspan.w2s import Bias, predict_ridge_risk, predict_risk, rfrr
from threadpoolctl import threadpool_limits

pytestmark = pytest.mark.host_only


@pytest.fixture(autouse=True)
def _one_thread():
    """Many small problems: threads of BLAS would only wait for each other."""
    with threadpool_limits(1, "blas"):
        yield


def pair(seed=0, r=150, d_s=80, d_w=60):
    """Orthonormal directions at many angles, spectra, a target that neither model expresses."""
    rng = np.random.default_rng(seed)
    V_w = np.linalg.qr(rng.standard_normal((r, d_w)))[0]
    mixed = rng.standard_normal((r, d_s))
    shared = min(d_s, d_w)
    mixed[:, :shared] += 10 * V_w[:, :shared]
    V_s = np.linalg.qr(mixed)[0]
    b = rng.standard_normal(r) / np.arange(1, r + 1) ** 0.5
    return (
        V_s,
        V_w,
        np.arange(1.0, d_s + 1) ** -1,
        np.arange(1.0, d_w + 1) ** -0.7,
        V_w @ (V_w.T @ b) + 0.1 * b,
    )


def ridge_fit(x, y, ridge):
    d = x.shape[1]
    if d <= len(x):
        return np.linalg.solve(x.T @ x + ridge * np.eye(d), x.T @ y)
    return x.T @ np.linalg.solve(x @ x.T + ridge * np.eye(len(x)), y)


@pytest.mark.parametrize(
    ("n", "N", "ridge_w", "ridge_s"),
    [(100, 300, 5.0, 2.0), (40, 200, 1.0, 10.0), (120, 60, 20.0, 1.0)],
)
def test_monte_carlo(n, N, ridge_w, ridge_s):
    V_s, V_w, ls, lw, b = pair()
    rng, noise, sample = np.random.default_rng(1), 0.5, []
    for _ in range(300):
        z, u = rng.standard_normal((n, len(b))), rng.standard_normal((N, len(b)))
        y, yu = (x @ b + noise**0.5 * rng.standard_normal(len(x)) for x in (z, u))
        weak, strong = V_w * np.sqrt(lw), V_s * np.sqrt(ls)
        teacher = weak @ ridge_fit(z @ weak, y, ridge_w)
        four = [teacher, strong @ ridge_fit(u @ strong, u @ teacher, ridge_s)]
        four.append(strong @ ridge_fit(z @ strong, y, ridge_s))
        both = np.concatenate([z, u]), np.concatenate([y, yu])
        four.append(strong @ ridge_fit(both[0] @ strong, both[1], ridge_s))
        sample.append([np.sum((f - b) ** 2) for f in four])
    sample = np.array(sample)
    r = predict_ridge_risk(
        *(ls, lw, V_s.T @ V_w, V_s.T @ b, V_w.T @ b, b @ b, n, N, noise),
        ridge_strong=ridge_s,
        ridge_weak=ridge_w,
    )
    error = sample.std(axis=0, ddof=1) / 300**0.5
    # Equivalents hold up to O(1/n).
    assert np.all(
        np.abs(sample.mean(axis=0) - list(r)) < 3.5 * error + np.array(list(r)) / min(n, N)
    )


def test_without_ridge_it_is_the_exact_risk():
    V_s, V_w, ls, lw, b = pair(d_s=30, d_w=40)
    setting = ls[:30], lw[:40], V_s.T @ V_w, V_s.T @ b, V_w.T @ b, b @ b
    found = predict_ridge_risk(*setting, 4000, 5000, 0.5, ridge_strong=0, ridge_weak=0)
    exact = predict_risk(
        30, 40, np.sum((V_s.T @ V_w) ** 2), 4000, 5000, 0.5, bias=Bias.of_projections(b, V_w, V_s)
    )
    assert np.allclose(list(found), list(exact), rtol=1e-3)
    with pytest.raises(ValueError, match="without ridge only"):
        found.interval()
    assert np.allclose(
        [found.bias.weak, found.bias.strong, found.bias.student, found.bias.leak],
        [exact.bias.weak, exact.bias.strong, exact.bias.student, exact.bias.leak],
    )


def test_equal_features_are_kernel_ridge_of_the_other_module():
    spectrum, b2 = rfrr.power_law(200, 1.5, 0.5)
    b, eye = np.sqrt(b2), np.eye(200)
    r = predict_ridge_risk(
        spectrum, spectrum, eye, b, b, b2.sum(), 100, 300, 0.1, ridge_strong=1.0, ridge_weak=0.1
    )
    teacher, student = (rfrr.RandomFeatures(m, np.inf, x) for m, x in ((100, 0.1), (300, 1.0)))
    assert r.weak == pytest.approx(rfrr.teacher_risk(spectrum, b2, teacher, 0.1))
    assert r.w2s == pytest.approx(rfrr.student_risk(spectrum, b2, teacher, student, 0.1))


def test_refusals():
    one = np.ones(3)
    with pytest.raises(ValueError, match="expected \\(d_s,\\)"):
        predict_ridge_risk(
            one, one, np.eye(2), one, one, 1.0, 10, 10, 1.0, ridge_strong=1, ridge_weak=1
        )
    with pytest.raises(ValueError, match="ridge_weak"):
        predict_ridge_risk(
            one, one, np.eye(3), one, one, 1.0, 10, 10, 1.0, ridge_strong=1, ridge_weak=-1
        )
