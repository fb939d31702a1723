"""Random feature ridge regression: known figures, Monte Carlo, limits, scaling laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from subspan.w2s import rfrr
from subspan.w2s.rfrr import RandomFeatures, fixed_point
from threadpoolctl import threadpool_limits

pytestmark = pytest.mark.host_only


@pytest.fixture(autouse=True)
def _one_thread():
    """Many small products: threads of BLAS would only wait for each other."""
    with threadpool_limits(1, "blas"):
        yield


SETTINGS = [
    (RandomFeatures(200, 300, 1e-3), RandomFeatures(400, 400, 1), 0.1),
    (RandomFeatures(200, 300, 0.1), RandomFeatures(200, 200, 3), 0.5),
    (RandomFeatures(300, 60, 1e-3), RandomFeatures(300, 400, 2), 0.01),
    (RandomFeatures(150, 400, 0.01), RandomFeatures(600, 100, 0.01), 0.3),
]
FIGURES = {
    (1.5, 0.5): [(0.27019, 0.07479), (0.26446, 0.06933), (0.03304, 0.01874), (0.34483, 0.21538)],
    (1.2, 0.8): [(0.28263, 0.11851), (0.55023, 0.14606), (0.05768, 0.02642), (0.35615, 0.20877)],
}


@pytest.mark.parametrize("law", list(FIGURES))
def test_known_figures(law):
    spectrum, b2 = rfrr.power_law(800, *law)
    for (teacher, student, noise), expected in zip(SETTINGS, FIGURES[law], strict=True):
        assert rfrr.teacher_risk(spectrum, b2, teacher, noise) == pytest.approx(
            expected[0], abs=6e-6
        )
        found = rfrr.student_risk(spectrum, b2, teacher, student, noise)
        assert found == pytest.approx(expected[1], abs=6e-6)


@pytest.mark.parametrize("which", [0, 2])
def test_monte_carlo(which):
    spectrum, b2 = rfrr.power_law(600, 1.5, 0.5)
    teacher, student, noise = SETTINGS[which]
    sample = rfrr.simulate(spectrum, b2, teacher, student, noise, trials=40, rng=0)
    expected = (
        rfrr.teacher_risk(spectrum, b2, teacher, noise),
        rfrr.student_risk(spectrum, b2, teacher, student, noise),
    )
    error = sample.std(axis=0, ddof=1) / 40**0.5
    assert np.all(np.abs(sample.mean(axis=0) - expected) < 3.5 * error)
    assert np.all(error < 0.1 * np.array(expected))


@given(
    st.floats(0.8, 3),
    st.integers(5, 500),
    st.one_of(st.integers(5, 500), st.just(math.inf)),
    st.floats(-8, 3),
)
def test_fixed_point_solves_its_equation(alpha, n, p, power):
    spectrum = np.arange(1.0, 301) ** -alpha
    e = fixed_point(spectrum, RandomFeatures(n, p, 10.0**power))
    t = np.sum(e.kept)
    assert 0 < t < min(n, p)
    residual = (n - t) * (1 - t / p) * e.nu
    slack = 1e-9 + 1e-11 * (n / (n - t) + p / (p - t) if np.isfinite(p) else n / (n - t))
    assert residual == pytest.approx(10.0**power, rel=slack)
    assert 0 <= e.overfitting < 1
    assert np.allclose(np.sum(e.bias_form() * spectrum), e.bias(spectrum))


@pytest.mark.parametrize(("n", "p"), [(50, 80), (80, 50), (50, math.inf), (50, 50)])
def test_ridgeless_is_the_limit_of_small_ridge(n, p):
    spectrum, b2 = rfrr.power_law(300, 1.3, 0.6)
    zero = fixed_point(spectrum, RandomFeatures(n, p, 0))
    tiny = fixed_point(spectrum, RandomFeatures(n, p, 1e-9))
    assert zero.nu == pytest.approx(tiny.nu, rel=1e-3)
    if n != p:  # at the peak both are infinite in the limit
        assert zero.risk(b2, 0.1) == pytest.approx(tiny.risk(b2, 0.1), rel=1e-2)


def test_fewer_modes_than_samples_is_least_squares():
    """Without ridge and with infinitely many features the equivalent is ``sigma^2 K/(n - K)``."""
    spectrum, b2 = rfrr.power_law(30, 1.0, 0.5)
    model = RandomFeatures(200, math.inf, 0)
    assert fixed_point(spectrum, model).nu == 0
    assert rfrr.teacher_risk(spectrum, b2, model, 0.5) == pytest.approx(0.5 * 30 / 170)
    student = RandomFeatures(100, math.inf, 0)
    found = rfrr.student_risk(spectrum, b2, model, student, 0.5)
    assert found == pytest.approx(0.5 * 30 / 170)  # it copies its teacher
    noisy = rfrr.student_risk(spectrum, b2, model, student, 0.5, pseudo_noise=0.2)
    assert noisy == pytest.approx(0.5 * 30 / 170 + 0.2 * 30 / 70)


def test_many_features_are_kernel_ridge():
    spectrum, b2 = rfrr.power_law(300, 1.5, 0.5)
    wide, kernel = (
        rfrr.teacher_risk(spectrum, b2, RandomFeatures(100, p, 0.1), 0.1) for p in (1e8, math.inf)
    )
    assert wide == pytest.approx(kernel, rel=1e-5)


def test_student_of_a_perfect_teacher_is_a_model_on_clean_labels():
    spectrum, b2 = rfrr.power_law(200, 1.5, 0.5)
    perfect = RandomFeatures(10**9, math.inf, 1e-6)
    student = RandomFeatures(100, 150, 0.1)
    found = rfrr.student_risk(spectrum, b2, perfect, student, 0.1)
    assert found == pytest.approx(rfrr.teacher_risk(spectrum, b2, student, 0.0), rel=1e-4)


def test_optimal_ridge_is_a_minimum():
    spectrum, b2 = rfrr.power_law(500, 1.5, 0.5)
    teacher = RandomFeatures(200, 300, 1e-3)
    ridge, risk = rfrr.optimal_student_ridge(spectrum, b2, teacher, 400, 400, 0.1)
    around = [
        rfrr.student_risk(spectrum, b2, teacher, RandomFeatures(400, 400, ridge * f), 0.1)
        for f in (0.01, 0.5, 0.99, 1.01, 2, 100)
    ]
    assert risk <= min(around) * (1 + 1e-9)
    assert risk < 0.5 * rfrr.teacher_risk(spectrum, b2, teacher, 0.1)


# ---------------------------------------------------------------- scaling laws


def risks_by_size(K, sizes, teacher, student, alpha, r, noise):
    spectrum, b2 = rfrr.power_law(K, alpha, r)
    found = []
    for n in sizes:
        T, S = teacher(n), student(n)
        found.append(
            (
                rfrr.teacher_risk(spectrum, b2, T, noise),
                rfrr.student_risk(spectrum, b2, T, S, noise),
            )
        )
    return np.array(found).T


def test_student_reaches_the_minimax_slope_of_a_teacher_that_does_not_improve():
    sizes = [1e3, 3e3, 1e4, 3e4]
    teacher, student = risks_by_size(
        3_000_000,
        sizes,
        lambda n: RandomFeatures(n, n**1.3, n**-0.8),
        lambda n: RandomFeatures(n, n, rfrr.student_ridge(n, 1.5, 0.5)),
        *(1.5, 0.5, 0.1),
    )
    assert np.allclose(teacher, [0.0609, 0.0585, 0.0573, 0.0579], atol=1e-4)
    assert np.allclose(student, [0.01529, 0.00743, 0.00348, 0.00177], atol=1e-5)
    assert abs(rfrr.slope(sizes, teacher)) < 0.03
    assert abs(rfrr.slope(sizes, student) + 0.63) < 0.03
    assert rfrr.minimax_exponent(1.5, 0.5) == 0.6


def test_width_limited_slopes():
    sizes = np.geomspace(1e3, 1e5, 5)
    teacher, student = risks_by_size(
        300_000,
        sizes,
        lambda n: RandomFeatures(n, n**0.4),
        lambda n: RandomFeatures(n, n, rfrr.student_ridge(n, 1.5, 1.0, 0.3)),
        *(1.5, 1.0, 0.0),
    )
    assert abs(rfrr.slope(sizes, teacher) + 0.574) < 0.03
    assert abs(rfrr.slope(sizes, student) + 0.82) < 0.03


@pytest.mark.parametrize("law", [(1.5, 0.5), (1.2, 0.8), (2.0, 0.3)])
def test_exponents_are_fitted(law):
    spectrum, b2 = rfrr.power_law(50_000, *law)
    signs = np.random.default_rng(0).chisquare(5, 50_000) / 5
    alpha, r = rfrr.fit_exponents(spectrum, b2 * signs)
    assert alpha == pytest.approx(law[0], abs=1e-6)
    assert r == pytest.approx(law[1], rel=0.1)
    assert math.isnan(rfrr.fit_exponents(spectrum)[1])


def test_exponents_of_the_teacher():
    bias, variance = rfrr.teacher_exponents(1.5, 0.5, width=1.3, ridge=1.05)
    assert (bias, variance) == (pytest.approx(1.05), pytest.approx(0.3))
    assert rfrr.teacher_exponents(1.5, 1.0, width=0.4, ridge=9) == (
        pytest.approx(0.6),
        0.6 + 0 * bias,
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RandomFeatures(0, 5), "samples=0"),
        (lambda: RandomFeatures(5, 5, -1), "ridge"),
        (lambda: RandomFeatures(math.inf, 5), "samples=inf"),
        (lambda: fixed_point([-1.0], RandomFeatures(5, 5)), "spectrum"),
        (lambda: fixed_point([[1.0]], RandomFeatures(5, 5)), "spectrum"),
        (lambda: rfrr.teacher_risk([1.0], [1.0, 2.0], RandomFeatures(5, 5), 0.1), "b2 has shape"),
        (lambda: rfrr.teacher_risk([1.0], [-1.0], RandomFeatures(5, 5), 0.1), "b2 must be"),
        (lambda: rfrr.power_law(5, -1, 1), "alpha=-1"),
        (lambda: rfrr.slope([1], [1]), "sizes and risks"),
        (lambda: rfrr.fit_exponents([1.0, 0.5]), "at least five"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
