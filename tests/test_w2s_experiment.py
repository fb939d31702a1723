"""Measured grids, and the simulator of self-improvement."""

import numpy as np
import pytest
import subspan
from subspan.w2s import W2SExperiment, predict_risk
from subspan.w2s.experiment import Measurements
from subspan.w2s.self_improvement import Levels, fixed_points, improve, simulate
from threadpoolctl import threadpool_limits

pytestmark = pytest.mark.host_only


@pytest.fixture(autouse=True)
def _one_thread():
    """Many small problems: threads of BLAS would only wait for each other."""
    with threadpool_limits(1, "blas"):
        yield


def pool(rng, m, noise=1.0):
    z = rng.standard_normal((m, 25))
    return z[:, :15], z[:, 10:], z[:, 10:15] @ np.ones(5) / 3 + noise * rng.standard_normal(m)


def test_measured_errors_are_the_predicted_ones(rng):
    S, W, y = pool(rng, 20000)
    found = W2SExperiment().run(S, W, y, n=[60, 200], N=[100, 1000], seeds=range(40), test=0.5)
    predicted = predict_risk(15, 15, 5, np.array([[60], [200]]), np.array([100, 1000]), 1.0)
    for name, expected in zip(
        ("weak", "w2s", "strong_baseline", "strong_ceiling"), predicted, strict=True
    ):
        # The test rows have a noise of their own, common to all seeds up to their choice.
        error = np.hypot(found.standard_error(name), 2**0.5 / 100)
        assert np.all(np.abs(getattr(found, name) - 1 - expected) < 3.5 * error), name
    pgr, low, high = found.pgr()
    assert np.all((low < pgr) & (pgr < high))
    assert np.all((predicted.pgr > low - 0.1) & (predicted.pgr < high + 0.1))
    opr, low, high = found.opr()
    assert np.all((low < opr) & (opr < high))


def test_grid_result_saves_prints_and_repeats(tmp_path, rng):
    S, W, y = pool(rng, 600, noise=0.2)
    seen = []
    run = lambda **more: W2SExperiment(ridge=0.1, energy=0.9).run(  # noqa: E731
        S, W, y, n=[25], N=[100, 200], seeds=[3, 4, 5], **more
    )
    found = run(progress=lambda done, total, info: seen.append((done, total)))
    assert seen[-1] == (3, 3)
    found.save(tmp_path / "m.npz")
    assert np.array_equal(subspan.load(tmp_path / "m.npz").errors, found.errors)
    assert np.array_equal(run().errors, found.errors)
    assert found.d_strong < 15
    weak, _, _, _ = found
    assert weak.shape == (1, 2)
    assert len(found.table().splitlines()) == 3
    assert "2 N, 3 seeds" in repr(found)


def test_classification(rng):
    S, W, y = pool(rng, 3000, noise=0.1)
    found = W2SExperiment("classification", ridge=1e-3, intercept=True).run(
        S, W, (y > 0).astype(int), n=[60], N=[1000], seeds=range(4)
    )
    assert found.metric == "error rate"
    assert found.strong_ceiling < found.w2s < found.weak < 0.5


def test_gap_within_noise_is_no_ratio():
    errors = np.random.default_rng(0).random((4, 1, 1, 6))
    found = Measurements(errors, *(np.arange(1, k + 1) for k in (1, 1, 6)), "squared error", 3, 3)
    with pytest.warns(RuntimeWarning, match="do not differ"):
        assert np.isnan(found.pgr()[0])


def test_refusals(rng):
    S, W, y = pool(rng, 100)
    with pytest.raises(ValueError, match="must not exceed the 70 rows"):
        W2SExperiment().run(S, W, y, n=[50], N=[30])
    with pytest.raises(ValueError, match="same number of rows"):
        W2SExperiment().run(S, W[:-1], y, n=[5], N=[5])
    with pytest.raises(ValueError, match="must not be empty"):
        W2SExperiment().run(S, W, y, n=[], N=[5])
    with pytest.raises(ValueError, match="at least two"):
        W2SExperiment().run(S, W, y, n=[5], N=[5], seeds=[0])
    with pytest.raises(ValueError, match="test=1"):
        W2SExperiment().run(S, W, y, n=[5], N=[5], test=1)
    with pytest.raises(ValueError, match="finite"):
        W2SExperiment().run(S, W, np.full(100, np.nan), n=[5], N=[5])
    with pytest.raises(ValueError, match="task='ranking'"):
        W2SExperiment("ranking")


# ---------------------------------------------------------------- self-improvement


def test_recursion_saturates_or_collapses():
    unstable, stable = fixed_points(0.16, 1.0)
    assert (unstable, stable) == (pytest.approx(0.2), pytest.approx(0.8))
    assert improve(0.25, 0.16, 1.0, 300)[-1] == pytest.approx(0.8)
    assert improve(0.15, 0.16, 1.0, 300)[-1] == 0
    assert improve(stable, 0.16, 1.0, 5) == pytest.approx(np.full(6, stable))
    assert np.isnan(fixed_points(1.0, 3.9)).all()
    assert improve(0.9, 1.0, 3.9, 500)[-1] == 0  # too few prompts for any success
    assert improve(0.0, 0.16, 1.0, 3).tolist() == [0, 0, 0, 0]


def test_draws_follow_the_recursion_with_many_prompts():
    levels = Levels((0.3,), complexity=0.16 * 10**6, transfer=0.0)
    drawn = simulate(levels, 10**6, 20, rng=0)[:, 0]
    assert np.allclose(drawn, improve(0.3, 0.16, 1.0, 20), atol=0.01)


def test_easy_to_hard_beats_a_fixed_mixture():
    levels = Levels((0.5, 0.01, 0.0), complexity=20.0, transfer=0.4)
    assert (
        0.4**2 * 0.5 < fixed_points(20.0, 200)[0] < 0.5
    )  # at first only the easy level can be trained
    final = {
        c: np.mean(
            [simulate(levels, 200, 30, curriculum=c, rng=seed)[-1, -1] for seed in range(10)]
        )
        for c in ("easy_to_hard", "mixture")
    }
    assert final["easy_to_hard"] > 0.8
    assert final["mixture"] < 0.4
    stuck = simulate(levels, 150, 3, curriculum="hardest", rng=0)
    assert stuck[-1, -1] < 0.1
    path = simulate(levels, 200, 30, rng=0)
    assert np.argmax(path[:, 0] > 0.5) < np.argmax(path[:, 2] > 0.5)
    assert np.array_equal(path, simulate(levels, 200, 30, rng=0))
    with pytest.raises(ValueError, match="curriculum"):
        simulate(levels, 10, 1, curriculum="random")
    with pytest.raises(ValueError, match="success"):
        Levels((), 1.0, 0.5)
