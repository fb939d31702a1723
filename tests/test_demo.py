"""The demo: every number it returns and prints is recomputed here by other means."""

import importlib.util

import numpy as np
import pytest
import subspan
from subspan import demo, plots, testing

sklearn_datasets = pytest.importorskip("sklearn.datasets")
pytest.importorskip("PIL")
pytestmark = pytest.mark.host_only

SMALL = {"images": 300, "picks": 20, "ranks": (10, 40), "frames": 600, "draws": 3, "repeats": 1}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """One run with a picture: what it returned, and what it printed."""
    import contextlib
    import io

    pytest.importorskip("matplotlib")
    out = tmp_path_factory.mktemp("demo") / "made"
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        found = demo.run(out, seed=0, **SMALL)
    return found, text.getvalue()


def best_error(A, rows):
    """Relative error of A in the span of some of its rows, by least squares."""
    coefficients = np.linalg.lstsq(A[rows].T, A.T, rcond=None)[0]
    return np.linalg.norm(A.T - A[rows].T @ coefficients) / np.linalg.norm(A)


def test_picture_is_a_picture(shown):
    from PIL import Image

    found, text = shown
    assert found["picture"].name == "demo.png"
    assert str(found["picture"]) in text
    with Image.open(found["picture"]) as image:
        assert image.size[0] > 1000
        colors = image.convert("RGB").getcolors(2**24)
    assert len(colors) > 200


def test_digits_are_those_of_the_data(shown):
    part = shown[0]["digits"]
    data = sklearn_datasets.load_digits()
    chosen = part["methods"][0]["indices"]
    assert len(set(chosen.tolist())) == SMALL["picks"]
    assert (part["labels"] == data.target[chosen]).all()
    assert (part["pictures"] == data.images[chosen] / 16).all()
    K = part["matrix"]
    X = data.data[: SMALL["images"]] / 16
    distances = ((X[:, None] - X[None, :]) ** 2).sum(axis=2)
    assert np.allclose(K, np.exp(-distances / np.median(distances)), rtol=1e-10)


def test_errors_of_digits_agree_with_least_squares(shown):
    """Certified, true and recomputed errors; rounding leaves at least half of the digits."""
    part = shown[0]["digits"]
    K = part["matrix"]
    ours = [entry for entry in part["methods"] if "value" in entry]
    assert [entry["kind"] for entry in ours] == ["exact", "exact", "estimate"]
    for entry in ours[:2]:
        assert entry["true"] == pytest.approx(best_error(K, entry["indices"]), rel=1e-6)
        assert entry["value"] == pytest.approx(entry["true"], rel=1e-6)
        assert entry["upper"] >= entry["value"] * (1 - 1e-12)
    assert ours[2]["true"] >= best_error(K, ours[2]["indices"]) * (1 - 1e-12)
    assert ours[2]["true"] <= ours[2]["upper"]
    assert ours[2]["failure_probability"] <= 1e-3


def test_peers_of_digits(shown):
    part = shown[0]["digits"]
    K, methods = part["matrix"], {entry["method"]: entry for entry in part["methods"]}
    array = methods["SciPy interp_decomp, array"]
    assert array["true"] == pytest.approx(best_error(K, array["indices"]), rel=1e-6)
    operator = methods["SciPy interp_decomp, LinearOperator"]
    assert operator["true"] >= best_error(K, operator["indices"]) * (1 - 1e-12)
    best = methods["best possible (SVD)"]["true"]
    assert best == pytest.approx(testing.optimal_error(K, part["rank"]), rel=1e-6)
    assert all(entry["true"] >= best * (1 - 1e-9) for entry in part["methods"])
    assert all(entry["seconds"] > 0 for entry in part["methods"] if "seconds" in entry)


def test_photograph(shown):
    part = shown[0]["photograph"]
    A = part["original"]
    assert A.shape == (427, 640)
    assert [entry["rank"] for entry in part["ranks"]] == list(SMALL["ranks"])
    for entry in part["ranks"]:
        k = entry["rank"]
        assert entry["value"] == pytest.approx(best_error(A.T, entry["indices"]), rel=1e-6)
        assert entry["true"] == pytest.approx(entry["value"], rel=1e-6)
        assert entry["optimal"] == pytest.approx(testing.optimal_error(A, k), rel=1e-6)
        assert np.allclose(entry["picture"][:, entry["indices"]], A[:, entry["indices"]])
        assert entry["stored"] == pytest.approx((427 * k + k * (640 - k)) / (427 * 640))


def test_rare_events_are_found(shown):
    """24 random frames see 1 + 23 (1 - (1 - 10/600)^24) = 8.7 scenes on average, never near 20."""
    part = shown[0]["rare"]
    scene, k = part["scene"], part["scenes"]
    assert np.bincount(scene).tolist() == [600 - 23 * 10] + [10] * 23
    assert part["share"] == pytest.approx((scene > 0).mean())
    at = part["ranks"].index(k)
    for name, curve in part["curves"].items():
        assert curve[0, at] == pytest.approx(
            best_error(part["matrix"], part["chosen"][name]), rel=1e-6
        )
        assert (curve >= part["optimal"] * (1 - 1e-9)).all()
    ours, random = part["found"]["subspan"], part["found"]["picked at random"]
    assert ours > 20 > random
    curves = part["curves"]
    assert curves["subspan"][:, at].mean() < curves["picked at random"][:, at].mean() / 1.5


def test_prints_what_it_returns(shown):
    found, text = shown
    for entry in found["digits"]["methods"]:
        line = next(s for s in text.splitlines() if s.startswith(f"  {entry['method']} "))
        assert f"{100 * entry['true']:.2f} %" in line
        if "value" in entry:
            assert f"{100 * entry['value']:.2f} %" in line
            assert f"{100 * entry['upper']:.2f} %" in line
    for entry in found["photograph"]["ranks"]:
        line = next(s for s in text.splitlines() if f"{entry['rank']} of 640 columns" in s)
        assert f"{100 * entry['true']:.2f} %" in line
    rare = found["rare"]
    for name, curve in rare["curves"].items():
        line = [s for s in text.splitlines() if s.startswith(f"  {name} ")][-1]
        assert f"{100 * curve[:, rare['ranks'].index(24)].mean():.2f} %" in line
        assert f"{rare['found'][name]:.1f} of 24" in line
    assert max(map(len, text.splitlines())) <= 110


def test_without_plot_writes_nothing(tmp_path, capsys):
    """And the same seed repeats the picks."""
    first, second = (
        demo.run(tmp_path / "new", seed=7, plot=False, **{**SMALL, "images": 120, "draws": 1})
        for _ in range(2)
    )
    assert first["picture"] is None
    assert not (tmp_path / "new").exists()
    for one, other in zip(first["digits"]["methods"], second["digits"]["methods"], strict=True):
        assert one["true"] == pytest.approx(other["true"], rel=1e-9)
    assert (first["rare"]["chosen"]["subspan"] == second["rare"]["chosen"]["subspan"]).all()
    assert "Picture" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("module", "plot"), [("sklearn", False), ("PIL", False), ("matplotlib", True)]
)
def test_missing_package_is_named(module, plot, tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == module else real(name, *a)
    )
    with pytest.raises(ImportError, match=r"pip install 'subspan\[demo\]'"):
        demo.run(tmp_path, plot=plot, **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_error_by_rank_agrees_with_least_squares():
    A = testing.MATRICES["exp_complex"](seed=0)
    J = subspan.pivots(A, 12, rng=0)
    errors = plots.error_by_rank(A, A[:, J])
    expected = [1.0] + [best_error(A.T, J[:j]) for j in range(1, 13)]
    assert np.allclose(errors, expected, rtol=1e-10)
    assert (plots.error_by_rank(np.zeros((4, 3)), np.zeros((4, 2))) == 0).all()


@pytest.mark.parametrize("axis", [0, 1, None])
@pytest.mark.parametrize(
    "request_",
    [{"rank": 20}, {"rtol": 1e-2}, {"rank": 20, "norm": "spectral", "coefficients": "osid"}],
    ids=["rank", "tolerance", "spectral"],
)
@pytest.mark.parametrize("known", [True, False])
def test_plot_of_a_result(axis, request_, known, tmp_path):
    pytest.importorskip("matplotlib")
    A = testing.MATRICES["poly2"](seed=0)
    result = subspan.interpolative(A, axis=axis, rng=0, **request_)
    left, right = plots.interpolative(result, A if known else None)
    plots.save(left, tmp_path / "plot.png", dpi=40)
    assert len(left.collections) >= 2
    assert right.get_yscale() == "log"
    height = right.containers[0].lines[0].get_ydata()[0]
    e = result.error
    assert height == pytest.approx(e.relative if e.norm == "fro" else e.value)
    if known or result.history:
        ranks = right.lines[0].get_xdata()
        assert ranks[-1] == result.rank


def test_plot_refuses_another_matrix():
    result = subspan.interpolative(np.eye(6), 2, rng=0, pivoting="cpqr")
    with pytest.raises(ValueError, match=r"A has shape \(5, 6\); expected \(6, 6\)"):
        plots.interpolative(result, np.ones((5, 6)))
