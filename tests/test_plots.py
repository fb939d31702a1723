"""Pictures: the numbers drawn are the results', bad input is refused, colours serve every eye."""

import itertools
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
import subspan
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from subspan import plots, testing, w2s
from subspan import selection as choosing
from subspan.plots.style import DARK, DASHES, LIGHT, MARKERS, palette_of


@pytest.fixture(scope="module")
def A():
    return testing.MATRICES["poly2"](seed=0)


def module_report(**counts):
    """As a pruning report looks to a picture."""
    layers = [
        SimpleNamespace(
            before=10, after=10 - i, predicted=0.1 * (i + 1), held_out=0.2 * (i + 1),
            dropped=0.4, dropped_held_out=0.5, measured=0.21 * (i + 1) if i else None,
        )
        for i in range(3)
    ]  # fmt: skip
    return SimpleNamespace(
        layers=layers, **{"parameters_before": 100, "parameters_after": 80, **counts}
    )


def labelled(ax):
    """Names of the axes, a title, and a legend wherever there is more than one named curve."""
    assert ax.get_title()
    assert ax.get_xlabel()
    named = [a for a in ax.get_lines() if not a.get_label().startswith("_")]
    if len(named) > 1 and len(ax.figure.axes) == 1:
        assert ax.get_legend() or ax.texts
    return True


def curves(ax):
    return {line.get_label(): np.asarray(line.get_ydata()) for line in ax.get_lines()}


PICTURES = {
    "angles": lambda A, x, ax: plots.angles(subspan.svd(A, 6, rng=0), ax=ax),
    "choice": lambda A, x, ax: plots.choice(subspan.cur(A, 6, rng=0), A, ax=ax),
    "errors": lambda A, x, ax: plots.errors(subspan.svd(A, 6, rng=0), ax=ax),
    "interpolative": lambda A, x, ax: plots.interpolative(
        subspan.interpolative(A, 6, rng=0), A, ax=ax
    ),
    "overlap": lambda A, x, ax: plots.overlap(w2s.diagnose(x[:, :8], x[:, 4:], energy=1), ax=ax),
    "pruning": lambda A, x, ax: plots.pruning(module_report(), ax=ax),
    "pruning_tradeoff": lambda A, x, ax: plots.pruning_tradeoff([module_report()], ax=ax),
    "risks": lambda A, x, ax: plots.risks(
        w2s.predict_risk(9, 9, 3, np.arange(20, 90, 9), 200, 1.0), ax=ax
    ),
    "roofline": lambda A, x, ax: plots.roofline({"a": (1, 1, 1)}, bandwidth=1, peak=9, ax=ax),
    "selection": lambda A, x, ax: plots.selection(x, [0, 5], ax=ax),
    "spectrum": lambda A, x, ax: plots.spectrum(subspan.svd(A, 6, rng=0), ax=ax),
    "weak_to_strong": lambda A, x, ax: plots.weak_to_strong(
        w2s.diagnose(x[:, :8], x[:, 4:], energy=1), ax=ax
    ),
}
SEVERAL = {"angles": 2, "interpolative": 2, "pruning": 2, "weak_to_strong": 3}


@pytest.mark.parametrize("name", PICTURES)
def test_axes_come_back_on_either_paper_and_on_those_of_the_caller(name, A, rng, tmp_path):
    x = rng.standard_normal((300, 12))
    for paper in (LIGHT, DARK):
        with plots.style(paper.name):
            drawn = PICTURES[name](A, x, None)
        axes = np.atleast_1d(drawn)
        assert len(axes) == SEVERAL.get(name, 1)
        assert all(isinstance(ax, Axes) and labelled(ax) for ax in axes)
        assert palette_of(axes[0]) is paper
        assert matplotlib.colors.same_color(axes[0].figure.get_facecolor(), paper.paper)
        plots.save(drawn, tmp_path / "picture.png", dpi=40)
        assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    mine = Figure(layout="constrained").subplots(1, SEVERAL.get(name, 1))
    assert np.array_equal(np.atleast_1d(PICTURES[name](A, x, mine)), np.atleast_1d(mine))
    expected = ValueError if name in SEVERAL else TypeError
    with pytest.raises((expected, TypeError), match="ax"):
        PICTURES[name](A, x, "here")


def test_every_picture_is_among_these():
    helpers = {"error_by_rank", "montage", "new_figure", "photograph", "save", "style"}
    assert set(plots.__all__) - helpers - {"OURS", "OTHER", "BEST", "INK"} == set(PICTURES)


def test_there_is_no_third_paper():
    with pytest.raises(
        ValueError, match=r"'sepia' is no style; expected one of \('light', 'dark'\)"
    ):
        plots.style("sepia").__enter__()


def test_style_leaves_the_settings_as_they_were():
    before = dict(matplotlib.rcParams)
    with plots.style("dark") as palette:
        assert palette is DARK
        assert matplotlib.rcParams["figure.facecolor"] == DARK.paper
    assert dict(matplotlib.rcParams) == before


# ---------------------------------------------------------------- colours

# Machado, Oliveira, Fernandes, IEEE TVCG 15 (2009), severity 1, on linear RGB.
VISION = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def linear(colour):
    c = np.array(matplotlib.colors.to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE L*a*b* of linear RGB under D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x = to_xyz @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.089]
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
def test_colours_differ_for_every_eye_and_from_the_paper(palette):
    colours = [*palette.series, palette.best, palette.ink]
    light = [0.05 + linear(c) @ [0.2126, 0.7152, 0.0722] for c in [palette.paper, *colours]]
    contrasts = [max(light[0], each) / min(light[0], each) for each in light[1:]]
    assert min(contrasts) >= 3  # WCAG 2.1, graphical objects
    assert contrasts[-1] >= 7  # and text
    for eye in VISION.values():
        seen = [lab(np.asarray(eye) @ linear(c)) for c in colours]
        distances = [np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)]
        assert min(distances) >= 20  # a just noticeable difference is about 2.3


def test_no_curve_is_told_by_its_colour_alone():
    lines = [LIGHT.line(i) for i in range(6)]
    assert len({line["marker"] for line in lines}) == len(MARKERS) == 6
    assert len({line["linestyle"] for line in lines}) == len(DASHES) == 6


# ---------------------------------------------------------------- error against rank


def test_certificates_make_a_curve_with_its_band(A):
    results = [subspan.interpolative(A, k, rng=0, coefficients="osid") for k in (20, 5, 10)]
    ax = plots.errors({"osid": results})
    (name, values), *rest = curves(ax).items()
    assert (name, rest) == ("osid (estimate)", [])
    ordered = sorted(results, key=lambda r: r.rank)
    assert np.allclose(values, [r.error.relative for r in ordered])
    assert ax.get_lines()[0].get_xdata().tolist() == [5, 10, 20]
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    for r, value in zip(ordered, values, strict=True):
        heights = corners[corners[:, 0] == r.rank, 1]
        assert heights.min() == pytest.approx(value)
        assert heights.max() == pytest.approx(value * r.error.upper / r.error.value)


def test_one_certificate_has_its_way_and_its_band(A):
    r = subspan.interpolative(A, 20, rng=0, norm="spectral", coefficients="osid")
    ax = plots.errors(r, A)
    assert "absolute error, spectral norm" in ax.get_ylabel()
    way = curves(ax)["first picks, best coefficients (Frobenius)"]
    expected = plots.error_by_rank(A, A[:, r.indices]) * np.linalg.norm(A)
    assert np.allclose(way, expected)
    (strip,) = ax.patches
    low, high = strip.get_y(), strip.get_y() + strip.get_height()
    assert low == pytest.approx(r.error.value)
    assert high == pytest.approx(r.error.upper)
    assert low <= r.error.value <= high
    exact = plots.errors(subspan.interpolative(A, 20, rng=0, coefficients="exact"))
    assert not exact.patches, "an exact error has no band"


def test_errors_are_drawn_whatever_made_them(A):
    adaptive = subspan.svd(A, rtol=1e-2, rng=0)
    way = curves(plots.errors(adaptive))["as the algorithm ran"]
    reference = adaptive.error.value / adaptive.error.relative
    assert way[0] == 1
    assert np.allclose(way[1:], [step["residual"] / reference for step in adaptive.history])
    K = A @ A.T
    for r in (subspan.qr(A, 5, rng=0), subspan.cur(A, 5, rng=0), subspan.pivoted_cholesky(K, 5)):
        assert plots.errors(r).get_ylabel()
    zero = subspan.interpolative(np.zeros((6, 5)), 2, rng=0)
    assert np.isfinite(plots.errors(zero).get_ylim()).all()


def test_errors_refuses_what_is_no_family_of_decompositions(A):
    one = subspan.svd(A, 3, rng=0)
    with pytest.raises(ValueError, match="results is empty"):
        plots.errors([])
    with pytest.raises(TypeError, match="results holds a int; expected decompositions"):
        plots.errors([one, 3])
    with pytest.raises(ValueError, match=r"norms \['fro', 'spectral'\]; expected one norm"):
        plots.errors([one, subspan.svd(A, 3, norm="spectral", rng=0)])
    with pytest.raises(ValueError, match="batch"):
        plots.errors(subspan.svd(np.stack([A, A]), 3, rng=0))
    with pytest.raises(ValueError, match=r"A has shape \(2, 2\); expected \(300, 300\)"):
        plots.errors(one, np.eye(2))


# ---------------------------------------------------------------- what was chosen


@pytest.mark.parametrize("axis", [0, 1, None])
def test_marks_stand_at_the_chosen_rows_and_columns(A, axis):
    r = subspan.interpolative(A, 7, axis=axis, rng=0)
    ax = plots.choice(r, A)
    rows = r.indices if axis == 0 else r.indices[0] if axis is None else []
    columns = r.indices if axis == 1 else r.indices[1] if axis is None else []
    above, beside, *_ = ax.collections
    assert [s[0, 0] for s in above.get_segments()] == [j + 0.5 for j in columns]
    assert [s[0, 1] for s in beside.get_segments()] == [i + 0.5 for i in rows]
    assert np.allclose(ax.get_images()[0].get_array(), np.sqrt(np.abs(A)))


def test_large_matrices_are_thinned_and_sparse_ones_drawn():
    sparse = pytest.importorskip("scipy.sparse")
    A = sparse.random_array((3000, 40), density=0.05, rng=np.random.default_rng(0), format="csr")
    r = subspan.interpolative(A, 5, rng=0)
    assert plots.choice(r, A).get_images()[0].get_array().shape == (1000, 40)
    qr = subspan.qr(A.toarray(), 4, rng=0)
    assert len(plots.choice(qr).collections[0].get_segments()) == 4


def test_choice_refuses_results_that_chose_nothing(A):
    with pytest.raises(TypeError, match="SVDResult: it has no chosen rows or columns"):
        plots.choice(subspan.svd(A, 3, rng=0))
    with pytest.raises(ValueError, match="batch"):
        plots.choice(subspan.interpolative(np.stack([A, A]), 3, rng=0))


# ---------------------------------------------------------------- angles and spectra


def test_angles_are_drawn_for_both_sides(tmp_path, rng):
    A = rng.standard_normal((60, 40)) * 0.8 ** np.arange(40)
    r = subspan.svd(A, 8, rng=0)
    exact = subspan.svd(A, 8, method="full")
    truth = subspan.angles.canonical_angles(exact, r)
    further = subspan.angles.posterior_bounds(A, *r, norm="full")
    left, right = plots.angles(r, truth, further)
    for ax, side in ((left, "left"), (right, "right")):
        lines = curves(ax)
        assert len(lines) == 4
        eps = np.finfo(float).eps
        assert np.allclose(lines["true"], np.maximum(getattr(truth, side), eps))
        assert np.allclose(lines["bound: leading, residual"], getattr(r.angles.bound, side))
        assert ax.get_yscale() == "log"
        assert ax.get_ylim()[0] <= min(y.min() for y in lines.values()), "cut off below"
    trusted = f"{r.trusted()} of 8 directions trusted"
    assert trusted in left.figure._suptitle.get_text()


def test_one_side_and_results_without_angles(rng):
    alone = subspan.angles.prior_bounds(1 / np.arange(1.0, 30), 5, 12, 1, side="right")
    assert len(plots.angles(alone)) == 1
    without = subspan.svd(rng.standard_normal((9, 7)), 3, angles=False)
    for nothing in (without, "angles"):
        with pytest.raises(ValueError, match="angles=True"):
            plots.angles(nothing)


@pytest.mark.parametrize("tail", ["energy", "pad"])
def test_the_model_of_the_tail_has_the_energy_it_stands_for(tail):
    A = testing.known_spectrum(80, 60, 1 / np.arange(1.0, 61), rng=0)
    r = subspan.svd(A, 12, rng=0)
    ax = plots.spectrum(r, tail=tail, truth=np.linalg.svd(A, compute_uv=False))
    true, known, model = ax.get_lines()
    assert np.allclose(true.get_ydata(), 1 / np.arange(1.0, 61))
    assert np.array_equal(known.get_ydata(), r.s)
    beyond = np.asarray(model.get_ydata())[1:]
    assert model.get_xdata()[0] == 12
    assert np.all(beyond == r.s[-1])
    if tail == "pad":
        assert len(beyond) == 48
    else:  # rounded up to a whole number of values
        assert 0 <= (beyond**2).sum() - r.error.value**2 <= r.s[-1] ** 2


def test_spectra_without_a_tail_and_bad_ones():
    assert len(plots.spectrum([3, 2, 1, 0]).get_lines()) == 1
    assert len(plots.spectrum([0.0, 0.0], size=5, residual=1.0).get_lines()) == 1
    with pytest.raises(ValueError, match="expected at least one singular value"):
        plots.spectrum(np.eye(2))
    with pytest.raises(TypeError, match="singular values are real"):
        plots.spectrum(np.array([1j]))
    with pytest.raises(ValueError, match="values has entries that are negative or not finite"):
        plots.spectrum([1.0, np.nan])
    with pytest.raises(ValueError, match="tail='user' is not known"):
        plots.spectrum([1.0], tail="user")
    with pytest.raises(ValueError, match="size=2 is less than the 3"):
        plots.spectrum([3.0, 2.0, 1.0], size=2, residual=1.0)


# ---------------------------------------------------------------- selection


def test_chosen_rows_lie_over_all_in_principal_directions(rng):
    X = rng.standard_normal((400, 6)) * [1, 7, 1, 3, 1, 1] + 5
    chosen = choosing.select(X, 30, method="leverage", rng=0)
    ax = plots.selection(X, chosen)
    rest, picked = ax.collections
    assert len(rest.get_offsets()) == 400 - 30
    centered = X - X.mean(axis=0)
    _, s, Vh = np.linalg.svd(centered, full_matrices=False)
    expected = centered @ Vh[:2].T
    assert np.allclose(np.abs(picked.get_offsets()), np.abs(expected[chosen.indices]))
    sizes, weights = picked.get_sizes(), chosen.weights
    inside = (sizes > 8) & (sizes < 220)
    ratio = sizes[inside] / weights[inside]
    assert np.allclose(ratio, ratio[0])
    share = s[0] ** 2 / (s**2).sum()
    assert f"({share:.0%} of the variance)" in ax.get_xlabel()


def test_groups_have_marks_of_their_own(rng):
    X, labels = rng.standard_normal((60, 3)), np.arange(60) % 3
    ax = plots.selection(X, np.arange(30), labels=labels)
    _, *groups = ax.collections
    assert [g.get_label() for g in groups] == ["chosen, 0", "chosen, 1", "chosen, 2"]
    shapes = {g.get_paths()[0].vertices.tobytes() for g in groups}
    assert len(shapes) == 3
    assert sum(len(g.get_offsets()) for g in groups) == 30


def test_many_rows_are_thinned(rng):
    ax = plots.selection(rng.standard_normal((50_001, 2)), [0])
    assert len(ax.collections[0].get_offsets()) == 16_667


def test_selection_refuses(rng):
    X = rng.standard_normal((20, 3))
    for chosen, words in (
        ([20], "indices from 20 to 20; X has 20 rows"),
        ([], "expected indices of rows"),
        ([0.5], "dtype float64; expected indices"),
    ):
        with pytest.raises(ValueError, match=words):
            plots.selection(X, chosen)
    with pytest.raises(ValueError, match="at least two numbers"):
        plots.selection(X[:, :1], [0])
    with pytest.raises(ValueError, match=r"expected \(20,\), one per row"):
        plots.selection(X, [0], labels=[1, 2])
    with pytest.raises(ValueError, match="20 groups; at most 6"):
        plots.selection(X, [0], labels=np.arange(20))
    X[7, 1] = np.nan
    with pytest.raises(ValueError, match="not finite, first in row 7"):
        plots.selection(X, [0])


# ---------------------------------------------------------------- weak-to-strong


@pytest.mark.parametrize("over", ["n", "N"])
def test_risks_are_drawn_as_predicted_and_the_band_holds_the_student(over):
    sizes = np.arange(130, 2000, 100)
    n, N = (sizes, 5000) if over == "n" else (500, sizes)
    r = w2s.predict_risk(100, 120, 40, n, N, 0.5)
    ax = plots.risks(r)
    drawn = curves(ax)
    for field, name in (
        ("weak", "weak teacher"),
        ("w2s", "student"),
        ("strong_ceiling", "ceiling"),
    ):
        assert np.allclose(drawn[name], getattr(r, field))
    corners = ax.collections[0].get_paths()[0].vertices
    for x, student in zip(sizes, r.w2s, strict=True):
        heights = corners[corners[:, 0] == x, 1]
        assert heights.min() < student < heights.max()
    assert f"{over}" in ax.get_xlabel().split("(")[0]
    assert not plots.risks(r, runs=0).collections


def test_risks_need_a_curve():
    point = w2s.predict_risk(10, 12, 4, 100, 100, 1.0)
    grid = w2s.predict_risk(10, 12, 4, np.array([[50], [60]]), np.array([70, 80]), 1.0)
    for shape, given in (((), point), ((2, 2), grid)):
        with pytest.raises(ValueError, match=f"shape \\({', '.join(map(str, shape))}\\); expected"):
            plots.risks(given)
    with pytest.raises(TypeError, match="expected Risks"):
        plots.risks(np.ones(3))


def test_overlap_sums_up_to_the_correlation_dimension(rng):
    x = rng.standard_normal((2000, 20))
    report = w2s.diagnose(x[:, :12], x[:, 8:], energy=1)
    ax = plots.overlap(report)
    shown = ax.get_images()[0].get_array()
    assert shown.shape == (12, 12)
    assert shown.sum() == pytest.approx(report.d_overlap_raw)
    part = plots.overlap(report, most=5)
    assert np.array_equal(part.get_images()[0].get_array(), shown[:5, :5])
    assert "of it here" in part.get_title()
    with pytest.raises(TypeError, match="expected a W2SReport"):
        plots.overlap(x)
    with pytest.raises(ValueError, match="most=0"):
        plots.overlap(report, most=0)


# ---------------------------------------------------------------- pruning and roofline


def test_reports_and_pairs_make_curves_of_what_is_lost():
    lost, kept = plots.pruning(module_report())
    assert np.allclose(curves(lost)["repaired, predicted"], [0.2, 0.4, 0.6])
    assert np.allclose(curves(lost)["repaired, measured"], [0.42, 0.63])
    assert [bar.get_height() for bar in kept.patches] == [1, 0.9, 0.8]
    half = module_report(parameters_after=50)
    ax = plots.pruning_tradeoff({"obs": [half, module_report()], "other": [(0.3, 7)]})
    ours, other = ax.get_lines()
    assert np.allclose(ours.get_xdata(), [20, 50])
    assert np.allclose(ours.get_ydata(), np.mean([0.2, 0.4, 0.6]))
    assert other.get_ydata() == [7]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["obs", "other"]
    assert ax.get_yscale() == "log"


def test_pruning_refuses():
    with pytest.raises(ValueError, match="nothing was pruned"):
        plots.pruning(SimpleNamespace(layers=()))
    with pytest.raises(ValueError, match="curves is empty"):
        plots.pruning_tradeoff({})
    with pytest.raises(ValueError, match="curve 'obs' is empty"):
        plots.pruning_tradeoff({"obs": []})
    with pytest.raises(TypeError, match="expected reports or pairs"):
        plots.pruning_tradeoff([3])
    with pytest.raises(ValueError, match=r"expected a share in \[0, 1\]"):
        plots.pruning_tradeoff([(30, 7)])


def test_the_roof_has_its_ridge_where_memory_and_arithmetic_meet():
    work = {"slow": (1e9, 1e9, 1.0), "fast": (1e12, 1e9, 2.0)}
    roles = {"slow": "peer", "fast": "ours"}
    ax = plots.roofline(work, bandwidth=1e10, peak=1e12, roles=roles)
    roof, slow, fast, *_ = ax.get_lines()
    x, y = roof.get_data()
    assert np.allclose(y, np.minimum(10 * x, 1000))
    assert 100 in x
    assert (slow.get_xdata(), slow.get_ydata()) == ([1], [1])
    assert (fast.get_xdata(), fast.get_ydata()) == ([1000], [500])
    assert slow.get_marker() != fast.get_marker()
    assert any("1  slow\n2  fast" in text.get_text() for text in ax.texts)
    with pytest.raises(ValueError, match="work is empty"):
        plots.roofline({}, bandwidth=1, peak=1)
    with pytest.raises(ValueError, match=r"peak has \(0,\); expected positive"):
        plots.roofline(work, bandwidth=1, peak=0)
