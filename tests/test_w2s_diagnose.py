"""Diagnosis of pairs of models: planted overlaps, invariances, streams, uncertainty, refusals."""

import itertools
import warnings

import numpy as np
import pytest
import scipy.sparse
import subspan
from hypothesis import given
from hypothesis import strategies as st
from subspan.w2s import (
    Bias,
    diagnose,
    intrinsic_dimension,
    official_correlation_dimension,
    predict_ridge_risk,
    predict_risk,
    rank_teachers,
)
from subspan.w2s.correlation import chance_edge, debiased
from subspan.w2s.labelled import explain, unbiased
from threadpoolctl import threadpool_limits

pytestmark = pytest.mark.host_only


@pytest.fixture(autouse=True)
def _one_thread():
    """Thousands of small products: threads of BLAS would only wait for each other."""
    with threadpool_limits(1, "blas"):
        yield


def planted(rng, m, d_s, d_w, overlap, widths=None):
    """Features of `d_s` and `d_w` dimensions that share `overlap` latent coordinates."""
    z = rng.standard_normal((m, d_s + d_w - overlap))
    S, W = z[:, :d_s], z[:, d_s - overlap :]
    if widths is None:
        return S, W
    return tuple(
        X @ rng.standard_normal((X.shape[1], D)) for X, D in zip((S, W), widths, strict=True)
    )


def correlated(rng, m, r, d_s, d_w):
    """White features with canonical correlations r, zero beyond them."""
    S, W = rng.standard_normal((m, d_s)), rng.standard_normal((m, d_w))
    r = np.asarray(r)
    W[:, : len(r)] = r * S[:, : len(r)] + np.sqrt(1 - r**2) * W[:, : len(r)]
    return S, W


# ---------------------------------------------------------------- what is recovered


@pytest.mark.parametrize("overlap", [0, 10, 20, 40])
def test_planted_overlap_is_recovered_and_the_published_estimator_sees_chance(overlap, rng):
    S, W = planted(rng, 4000, 40, 60, overlap, widths=(96, 128))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        r = diagnose(S, W, energy=1, rng=0)
    assert (r.d_strong, r.d_weak) == (40, 60)
    assert abs(r.d_overlap - overlap) < 0.5
    assert r.chance_level == pytest.approx(0.6)
    assert r.official == pytest.approx(r.official_chance, rel=0.15)
    with pytest.warns(subspan.MisleadingEstimate, match="level of chance"):
        alone = official_correlation_dimension(S, W, energy=1, rng=1)
    assert alone[0] == pytest.approx(alone[1], rel=0.15)
    assert np.sum(r.canonical_correlations > r.chance_edge) == overlap


def test_identity_and_invariance(rng):
    S, _ = planted(rng, 600, 12, 5, 0)
    same = diagnose(S, S @ rng.standard_normal((12, 12)), energy=1)
    assert same.d_overlap == pytest.approx(12, abs=1e-9)
    S, W = planted(rng, 600, 12, 15, 6)
    base = diagnose(S, W, energy=1)
    moved = diagnose(S @ rng.standard_normal((12, 12)), W @ rng.standard_normal((15, 15)), energy=1)
    assert moved.d_overlap == pytest.approx(base.d_overlap, abs=1e-9)
    swapped = diagnose(W, S, energy=1)
    assert swapped.d_overlap == pytest.approx(base.d_overlap, abs=1e-9)
    Q_s, Q_w = np.linalg.qr(S)[0], np.linalg.qr(W)[0]
    assert base.d_overlap_raw == pytest.approx(np.sum((Q_s.T @ Q_w) ** 2), rel=1e-10)
    singular = np.linalg.svd(Q_s.T @ Q_w, compute_uv=False)
    assert np.allclose(base.canonical_correlations, singular)


@given(st.integers(2, 30), st.integers(2, 30), st.floats(0, 1), st.integers(100, 10**6))
def test_debiasing_inverts_its_expectation(d_s, d_w, part, m):
    d = part * min(d_s, d_w)
    expected = d + (d_w - d) * (d_s - d) / (m - d)
    assert debiased(expected, d_s, d_w, m) == pytest.approx(d, abs=1e-8)


def test_debiasing_of_correlations_between_zero_and_one(rng):
    """Unbiased up to ``sum r^2 (1 - r^2)/m``, which is no tenth of the standard error."""
    r = np.linspace(0.95, 0.1, 12)
    found, covered = [], []
    for _ in range(200):
        S, W = correlated(rng, 400, r, 15, 20)
        report = diagnose(S, W, energy=1)
        found.append(report.d_overlap)
        covered.append(report.interval[0] <= np.sum(r**2) <= report.interval[1])
    left = np.sum(r**2 * (1 - r**2)) / 400
    z = (np.mean(found) - np.sum(r**2) + left) / (np.std(found, ddof=1) / 200**0.5)
    assert abs(z) < 3.5
    assert np.mean(covered) > 0.95 - 3.5 * (0.05 * 0.95 / 200) ** 0.5


def test_independent_features_stay_below_the_edge(rng):
    S, W = planted(rng, 3000, 60, 90, 0)
    with pytest.warns(RuntimeWarning, match="are the rows paired"):
        r = diagnose(S, W, energy=1)
    assert not r.related
    assert r.canonical_correlations[0] == pytest.approx(chance_edge(60, 90, 3000), rel=0.05)
    assert abs(r.d_overlap_raw - r.chance_level) < 0.2


# ---------------------------------------------------------------- dimensions


def test_rules_of_dimension():
    values = np.array([4.0, 3.0, 2.0, 1.0])
    assert intrinsic_dimension(values, energy=0.9) == 3
    assert intrinsic_dimension(values, energy=1) == 4
    assert intrinsic_dimension([1, 0, 0], energy=1) == 1
    assert intrinsic_dimension(values, rule="stable_rank") == 2.5
    assert intrinsic_dimension(values, rule="participation") == pytest.approx(100 / 30)
    assert intrinsic_dimension(values, rule="tail", samples=10) == 3
    assert intrinsic_dimension(np.zeros(3)) == 0
    with pytest.raises(ValueError, match="samples"):
        intrinsic_dimension(values, rule="tail")


def test_rank_and_centering(rng):
    S, W = planted(rng, 500, 8, 9, 4)
    r = diagnose(S * np.arange(1, 9), W, rank=(3, 9), energy=1)
    assert (r.d_strong, r.d_weak) == (3, 9)
    plain = diagnose(S, W, energy=1)
    shifted = diagnose(S + 5, W - 7, energy=1, center=True)
    assert shifted.d_overlap == pytest.approx(plain.d_overlap, abs=0.2)
    assert diagnose(S + 5, W - 7, energy=1).d_overlap > plain.d_overlap + 0.2  # a shared constant


# ---------------------------------------------------------------- where rows come from


def test_streams_and_storage_agree_bit_for_bit(tmp_path, rng):
    S, W = planted(rng, 9000, 12, 15, 6)
    S, W = S.astype(np.float32), W.astype(np.float32)
    base = diagnose(S, W, rng=0).to_dict()
    np.save(tmp_path / "S.npy", S)
    cuts = [0, 1, 700, 5000, 5000, 8999, 9000]
    batches = [slice(a, b) for a, b in itertools.pairwise(cuts)]
    others = [
        diagnose(np.load(tmp_path / "S.npy", mmap_mode="r"), np.asfortranarray(W), rng=0),
        diagnose((S[b] for b in batches), [W[b] for b in batches], rng=0),
        diagnose(((S[b], W[b]) for b in batches), rng=0),
        diagnose(scipy.sparse.csr_array(S), W, rng=0),
        diagnose(S, W, rng=0, ids=(np.arange(9000), np.arange(9000))),
    ]
    for other in others:
        for name, value in other.to_dict().items():
            same = np.array_equal(value, base[name], equal_nan=isinstance(value, float))
            assert same, name
    double = diagnose(S.astype(np.float64), W.astype(np.float64))
    assert double.d_overlap == pytest.approx(base["d_overlap"], rel=1e-5)


def test_data_loader(rng):
    torch = pytest.importorskip("torch")
    S, W = (torch.from_numpy(x) for x in planted(rng, 700, 5, 6, 3))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(S, W), batch_size=64)
    assert diagnose(loader).d_overlap == diagnose(S, W).d_overlap


def test_wide_features_are_sketched(rng):
    S, W = planted(rng, 1500, 20, 30, 10, widths=(3000, 5000))
    r = diagnose(S, W, rank=(20, 30), sketch_size=256, rng=0)
    assert abs(r.d_overlap - 10) < 0.5
    assert np.isnan(r.official)
    assert 0 <= r.sketch_error < 0.1  # planted features have exactly this rank
    assert r.map_strong.shape == (256, 20)
    white = r.whitened(S, W)
    assert np.allclose(white[0].T @ white[0] / 1500, np.eye(20), atol=1e-8)


SPECTRA = {
    "1/i": 1 / np.arange(1, 301),
    "1/i^2": 1 / np.arange(1, 301) ** 2,
    "gap": np.where(np.arange(300) < 15, 1, 0.03),
    "exponential": 0.9 ** np.arange(300),
}


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_angles_of_sketches_are_the_true_ones(spectrum, rng):
    U = np.linalg.qr(rng.standard_normal((1200, 300)))[0]
    V = np.linalg.qr(rng.standard_normal((2500, 300)))[0]
    S, W = (U * SPECTRA[spectrum]) @ V.T, rng.standard_normal((1200, 10))
    d, found, true = 15, [], []
    for seed in range(6):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # nothing in common, or much lost
            r = diagnose(S, W, rank=(d, 10), sketch_size=200, rng=seed)
        assert r.angles_weak is None
        found.append(r.angles_strong.left)
        computed = np.linalg.qr(r.whitened(S, W)[0])[0]
        true.append(subspan.angles.canonical_angles(U[:, :d], computed).left)
    assert all(np.all(np.diff(sines) >= 0) for sines in found)
    ratio = np.mean(found, axis=0) / np.mean(true, axis=0)
    assert np.all((ratio > 0.8) & (ratio < 1.7)), ratio  # first order, where sines are small


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_intervals_hold_what_the_sketch_loses(power, rng):
    z = rng.standard_normal((2000, 60)) * np.arange(1, 61) ** -power
    S, W = z @ rng.standard_normal((60, 1200)), z[:, 10:] @ rng.standard_normal((50, 900))
    truth = diagnose(S, W, rank=(25, 20)).d_overlap
    for size in (100, 400):
        for seed in range(3):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                r = diagnose(S, W, rank=(25, 20), sketch_size=size, rng=seed)
            assert r.interval[0] < truth < r.interval[1]
    with pytest.warns(RuntimeWarning, match="raise sketch_size"):
        diagnose(S, W, rank=(25, 20), sketch_size=64)


@pytest.mark.filterwarnings("ignore:the sketch to:RuntimeWarning")
def test_angles_shrink_with_the_sketch_and_are_reported(tmp_path, rng):
    weights = np.arange(1, 101) ** -1.0
    S = (rng.standard_normal((800, 100)) * weights) @ rng.standard_normal((100, 900))
    few, many = (diagnose(S, S[:, :700], rank=8, sketch_size=k, rng=0) for k in (64, 512))
    for side in ("strong", "weak"):
        assert np.all(many.sketched[side].left < few.sketched[side].left)
    assert few.angles_strong.kind == "estimate"
    assert not few.angles_strong.rigorous
    assert "sketch, weak directions" in few.table()
    assert "of 8 within a sine of 0.1" in few.table()
    assert "sketched strong directions to a median sine" in repr(few)
    assert few.plot()[-1].get_title() == "Angles of the sketch to the features"
    few.save(tmp_path / "r.npz")
    back = subspan.load(tmp_path / "r.npz")
    assert np.array_equal(back.angles_weak.left, few.angles_weak.left)
    narrow = diagnose(S, S[:, :700], rank=40, sketch_size=64, rng=0)
    assert np.all(narrow.angles_strong.left[32:] == 1)  # half of the sketch has 32 directions


def test_the_published_estimator_carries_a_warning(rng):
    S, W = planted(rng, 1000, 20, 20, 20)
    r = diagnose(S, W, energy=1)
    assert "level of chance" in r.official_warning
    assert "WARNING" in r.table()
    assert r.official_warning in r.table()
    assert "warning: the published 20.0 is chance, 20.0" in repr(r)
    assert any("Do not use" in text.get_text() for text in r.plot()[1].texts)
    wide = diagnose(np.tile(S, 4), W, rank=20, sketch_size=64, rng=0)
    assert wide.official_warning == ""
    assert "warning" not in repr(wide).lower()
    with (
        pytest.warns(subspan.MisleadingEstimate, match="diagnose") as caught,
    ):
        official_correlation_dimension(S, W)
    assert caught[0].filename == __file__
    with pytest.raises(ValueError, match="strong has 1000 rows and weak 999"):
        official_correlation_dimension(S, W[:-1])


# ---------------------------------------------------------------- noise, bias and predictions


def latent_problem(rng, n, d_s, d_w, shared, noise):
    """Features that are coordinates, a target on all of them, and its exact bias."""
    r = d_s + d_w - shared + 3
    b = rng.standard_normal(r) / np.sqrt(r)
    z = rng.standard_normal((n, r))
    eye = np.eye(r)
    bias = Bias.of_projections(b, eye[:, d_s - shared :][:, :d_w], eye[:, :d_s])
    y = z @ b + noise**0.5 * rng.standard_normal(n)
    return z[:, :d_s], z[:, d_s - shared :][:, :d_w], y, bias, np.sum(b[-3:] ** 2)


@pytest.mark.parametrize(("labels", "method"), [(120, "least_squares"), (25, "pairs")])
def test_noise_and_bias_are_unbiased(labels, method):
    rng = np.random.default_rng(5)
    d_s, d_w, shared = 8, 10, 4
    first = d_s - shared
    r = d_s + d_w - shared + 3
    b = rng.standard_normal(r) / np.sqrt(r)
    unseen = np.sum(b[-3:] ** 2)
    weak = slice(first, first + d_w)
    bias = Bias.of_projections(b, np.eye(r)[:, weak], np.eye(r)[:, :d_s])
    J = np.eye(d_s + d_w)
    J[first:d_s, d_s : d_s + shared] = J[d_s : d_s + shared, first:d_s] = np.eye(shared)
    found = []
    for _ in range(400):
        z = rng.standard_normal((labels, r))
        y = z @ b + 0.3**0.5 * rng.standard_normal(labels)
        x = np.concatenate([z[:, :d_s], z[:, weak]], axis=1)
        noise, squares, used = unbiased(x, y[:, None], J, d_s)
        assert used == method
        found.append([noise, *squares])
    expected = np.array([0.3, np.sum(b**2), bias.weak, bias.strong, bias.student, bias.leak])
    expected += unseen * np.array([1, -1, -1, -1, -1, 0])  # what neither sees is noise
    z = (np.mean(found, axis=0) - expected) / (np.std(found, axis=0, ddof=1) / 20)
    assert np.all(np.abs(z) < 3.5)


def test_prediction_agrees_with_the_truth(rng):
    S, W, y, bias, unseen = latent_problem(rng, 6000, 20, 30, 12, 0.2)
    labels = np.where(np.arange(6000) < 2000, y, np.nan)
    r = diagnose(S, W, labels=labels, energy=1)
    assert r.labels == 2000
    assert r.noise_var == pytest.approx(0.2 + unseen, rel=0.15)
    relative = Bias(*(part - unseen for part in (bias.weak, bias.strong, bias.student)), bias.leak)
    truth = predict_risk(20, 30, 12, 100, 1000, 0.2 + unseen, bias=relative)
    found = r.predict(100, 1000)
    assert np.allclose(list(found), list(truth), rtol=0.15)
    later = diagnose(S, W, energy=1).with_labels(S[:2000], W[:2000], y[:2000])
    assert later.predict(100, 1000).w2s == pytest.approx(found.w2s)
    unknown = diagnose(S, W, energy=1).predict(100, 1000)
    assert unknown.noise_var == 1
    assert r.best_label_budget(1000) > 31
    assert r.pseudo_labels_needed(100) > 21


@pytest.mark.parametrize(("labels", "method"), [(120, "least_squares"), (25, "pairs")])
def test_errors_of_noise_and_bias_are_those_found(labels, method):
    rng = np.random.default_rng(6)
    found, claimed = [], []
    for _ in range(150):
        z = rng.standard_normal((labels, 17))
        y = z @ np.linspace(0.5, 0.1, 17) + 0.3**0.5 * rng.standard_normal(labels)
        x = np.concatenate([z[:, :8], z[:, 4:14]], axis=1)
        J = np.eye(18)
        J[4:8, 8:12] = J[8:12, 4:8] = np.eye(4)
        noise, squares, used = unbiased(x, y[:, None], J, 8)
        assert used == method
        found.append([noise, *squares[1:]])
        claimed.append(np.diag(explain(x, y[:, None], J, 8).covariance))
    ratio = np.mean(claimed, axis=0) / np.var(found, axis=0, ddof=1)
    assert np.all((ratio > 0.6) & (ratio < 2.0)), ratio  # the jackknife errs upwards


def test_intervals_know_how_few_the_labels_are(rng):
    S, W, y, _, _ = latent_problem(rng, 6000, 20, 30, 12, 0.2)
    widths = []
    for count in (100, 400, 4000):
        r = diagnose(S, W, labels=np.where(np.arange(6000) < count, y, np.nan), energy=1)
        risks = r.predict(200, 10**5)
        low, high = risks.interval("w2s")
        widths.append(high - low)
        known = r.predict(200, 10**5, noise_var=r.noise_var, bias=r.bias)
        assert not known.label_covariance.any()
        low, high = known.interval("w2s")
        assert high - low < widths[-1]
        half = r.predict(200, 10**5, noise_var=0.2).label_covariance
        assert not half[0].any()
        assert half[1:, 1:].any()
    assert widths[0] > widths[1] > widths[2]
    assert "±" in r.table()


def test_intervals_from_labels_cover_single_runs():
    """Labels for the diagnosis drawn anew each time, and a run of the true setting."""
    rng = np.random.default_rng(2)
    S, W, y, bias, unseen = latent_problem(rng, 40000, 10, 12, 5, 0.3)
    report = diagnose(S, W, energy=1)
    part = Bias(bias.weak - unseen, bias.strong - unseen, bias.student - unseen, bias.leak)
    truth = predict_risk(10, 12, 5, 2000, 10**5, 0.3 + unseen, bias=part)
    runs = {name: truth.draw(200, rng=3)[name] for name in ("weak", "w2s")}
    inside = {"weak": [], "w2s": []}
    for trial in range(200):
        rows = rng.choice(40000, 60, replace=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # no sure gap
            r = report.with_labels(S[rows], W[rows], y[rows]).predict(2000, 10**5)
        for name, seen in inside.items():
            low, high = r.interval(name, 0.9, runs=400, rng=trial)
            seen.append(low <= runs[name][trial] <= high)
    for name, seen in inside.items():
        assert np.mean(seen) > 0.8, name


def test_a_gap_within_the_error_of_the_labels_is_no_ratio(rng):
    S, W, y, _, _ = latent_problem(rng, 3000, 20, 22, 18, 1.0)
    report = diagnose(S, W, energy=1)
    with pytest.warns(RuntimeWarning, match="do not differ"):
        few = report.with_labels(S[:60], W[:60], y[:60]).predict(5000, 100)
    assert np.isnan(few.pgr)
    assert np.isfinite(few.w2s)
    grid = report.with_labels(S, W, y).predict(np.array([22, 100, 200]), 10**4)
    assert np.isnan(grid.pgr[0])
    assert np.isfinite(grid.pgr[1:]).all()


def test_ridge_prediction_agrees_with_the_truth(rng):
    S, W, y, _, unseen = latent_problem(rng, 8000, 20, 30, 12, 0.2)
    S, W = S * np.arange(1, 21) ** -0.5, W * np.arange(1, 31) ** -0.5
    r = diagnose(S, W, labels=np.where(np.arange(8000) < 3000, y, np.nan), energy=1)
    b = np.linalg.lstsq(np.concatenate([S, W[:, 12:]], axis=1), y)[0]  # nearly the truth
    root_s, root_w = np.arange(1, 21) ** -0.5, np.arange(1, 31) ** -0.5
    b = np.concatenate([b[:20] * root_s, b[20:] * root_w[12:]])
    cross = np.zeros((20, 30))
    cross[8:, :12] = np.eye(12)
    truth = predict_ridge_risk(
        *(root_s**2, root_w**2, cross, b[:20], b[8:], b @ b, 100, 500, 0.2 + unseen),
        ridge_strong=3.0,
        ridge_weak=5.0,
    )
    found = r.predict(100, 500, ridge=(3.0, 5.0))
    assert np.allclose(list(found), list(truth), rtol=0.15)
    plain = r.predict(100, 500)
    assert found.weak < 0.9 * plain.weak
    with pytest.raises(ValueError, match="needs labels"):
        diagnose(S, W, energy=1).predict(100, 500, ridge=(1.0, 1.0))


def test_ranking_of_teachers(tmp_path, rng):
    z = rng.standard_normal((3000, 60))
    y = z[:, :20] @ rng.standard_normal(20) + rng.standard_normal(3000)
    teachers = {"apart": z[:, 18:28], "alike": z[:, :10], "half": z[:, 15:25]}
    free = rank_teachers(teachers, z[:, :20], n=100, N=1000, energy=1)
    assert free.names == ("apart", "half", "alike")  # only variance is seen
    labelled = rank_teachers(teachers.items(), z[:, :20], n=100, N=1000, labels=y, energy=1)
    assert labelled.names == ("alike", "half", "apart")  # what it knows decides
    _names, error = labelled
    assert np.all(np.diff(error) > 0)
    assert "alike" in labelled.table()
    assert repr(labelled).startswith("<TeacherRanking: alike (")
    labelled.save(tmp_path / "ranking.npz")
    assert repr(subspan.load(tmp_path / "ranking.npz")) == repr(labelled)
    with pytest.raises(ValueError, match="different names"):
        rank_teachers([("a", z), ("a", z)], z, n=10, N=10)


# ---------------------------------------------------------------- results and refusals


def test_report_prints_saves_and_draws(tmp_path, rng):
    S, W, y, _, _ = latent_problem(rng, 2000, 8, 10, 4, 0.3)
    r = diagnose(S, W, labels=y, energy=1)
    d_strong, d_weak, overlap = r
    assert (d_strong, d_weak, overlap) == (8, 10, r.d_overlap)
    r.save(tmp_path / "r.npz")
    back = subspan.load(tmp_path / "r.npz")
    assert repr(back) == repr(r)
    assert back.predict(20, 100).w2s == r.predict(20, 100).w2s
    assert "published estimator" in r.table()
    assert "noise variance" in r.table()
    spectra, correlations, risks = r.plot()
    risks.figure.savefig(tmp_path / "r.png")
    assert len(correlations.patches) == 8
    assert len(spectra.get_lines()) == 4
    student = {line.get_label(): line for line in risks.get_lines()}["student"]
    n = int(student.get_xdata()[-1])
    assert student.get_ydata()[-1] == pytest.approx(r.predict(n, 160).w2s)


def test_refusals(rng):
    S, W = planted(rng, 300, 6, 7, 3)
    with pytest.raises(ValueError, match="strong has 300 rows and weak 299"):
        diagnose(S, W[:-1])
    with pytest.raises(ValueError, match="batch 0 has 100 strong and 99 weak rows"):
        diagnose(iter([S[:100]]), iter([W[:99]]))
    with pytest.raises(ValueError, match="number of batches, from batch 1 on"):
        diagnose(iter([S[:100], S[100:]]), iter([W[:100]]))
    with pytest.raises(TypeError, match="not one of each"):
        diagnose(S, iter([W]))
    with pytest.raises(ValueError, match="ids differ in 2 rows, first in row 1"):
        diagnose(S, W, ids=(np.arange(300), np.r_[0, 2, 1, np.arange(3, 300)]))
    with pytest.raises(ValueError, match="12 rows are too few"):
        diagnose(S[:12], W[:12], energy=1)
    with pytest.warns(RuntimeWarning, match="less than five times"):
        diagnose(S[:30], W[:30], energy=1)
    with pytest.raises(ValueError, match="no rows"):
        diagnose(S[:0], W[:0])
    with pytest.raises(ValueError, match="weak features are zero"):
        diagnose(S, np.zeros_like(W))
    with pytest.raises(ValueError, match="not finite, first in row 3"):
        diagnose(np.where(np.arange(300)[:, None] == 3, np.nan, S), W)
    with pytest.raises(TypeError, match="complex"):
        diagnose(S.astype(complex), W)
    with pytest.raises(ValueError, match="energy=0"):
        diagnose(S, W, energy=0)
    with pytest.raises(ValueError, match="rank"):
        diagnose(S, W, rank=0)
    with pytest.raises(ValueError, match="labels has shape"):
        diagnose(S, W, labels=np.zeros(7))
    with pytest.raises(ValueError, match="at least 20"):
        diagnose(S, W).with_labels(S[:5], W[:5], np.zeros(5))
