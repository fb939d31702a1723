"""Sketch operators and pivoters of other packages: found, used, checked, and refused with reasons."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
import subspan
from scipy.sparse.linalg import aslinearoperator
from subspan.extensions import PIVOTERS, SKETCHES

pytestmark = pytest.mark.host_only

DTYPES = ["float32", "float64", "complex64", "complex128"]


def longest(A, k, seed):
    """The longest columns: a pivoter as simple as can be."""
    norm = scipy.sparse.linalg.norm if scipy.sparse.issparse(A) else np.linalg.norm
    return np.argsort(-norm(A / abs(A).max(), axis=0), kind="stable")[:k]


def normals(size, dim, *, rng, dtype):
    """A Gaussian sketch by numpy's generator."""
    S = np.random.default_rng(rng).standard_normal((size, dim)) / np.sqrt(size)
    return S.astype(np.dtype(dtype).type(0).real.dtype)


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Two extensions for the length of a test."""
    monkeypatch.setattr(PIVOTERS, "_known", {})
    monkeypatch.setattr(SKETCHES, "_known", {})
    subspan.pivot.register("longest", longest)
    subspan.sketch.register("normals", normals)


def matrix(rng, m=60, n=40, dtype="float64"):
    """Rank 6 and a little more, with columns of different lengths."""
    A = rng.standard_normal((m, 6)) @ rng.standard_normal((6, n))
    if np.dtype(dtype).kind == "c":
        A = A * np.exp(2j * np.pi * rng.random((m, n))).mean(axis=0)
    return (A + 1e-3 * rng.standard_normal((m, n))).astype(dtype) * (1 + np.arange(n)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["C", "F", "strided", "csc"])
def test_a_pivoter(dtype, layout, rng):
    A = matrix(rng, dtype=dtype)
    given = {
        "C": A,
        "F": np.asfortranarray(A),
        "strided": np.repeat(A, 2, axis=0)[::2],
        "csc": scipy.sparse.csc_array(A),
    }[layout]
    expected = longest(A, 7, 0)
    assert subspan.pivots(given, 7, pivoting="longest").tolist() == expected.tolist()
    rows = subspan.pivots(given, 7, pivoting="longest", axis=0)
    assert rows.tolist() == longest(A.T, 7, 0).tolist()
    r = subspan.interpolative(given, 7, pivoting="longest", rng=3)
    assert r.indices.tolist() == expected.tolist()
    assert r.dtype == dtype
    eps = np.finfo(dtype).eps
    best = np.linalg.lstsq(A[:, expected].astype("c16"), A.astype("c16"))[0]
    left = np.linalg.norm(A - A[:, expected] @ best)
    true = np.linalg.norm(A - r.toarray())
    assert true <= left * (1 + 1e-3) + 100 * eps * np.linalg.norm(A)
    np.testing.assert_array_equal(r.coefficients[:, r.indices], np.eye(7))
    assert true <= r.error.upper
    assert r.error.kind == "estimate"
    assert r.plan.choices["pivoting"] == "longest"
    again = subspan.interpolative(given, 7, pivoting="longest", rng=r.seed)
    np.testing.assert_array_equal(again.coefficients, r.coefficients)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pivoting", ["lupp", "cpqr", "leverage", "deim", "arp"])
def test_a_sketch(dtype, pivoting, rng):
    """Six columns span all but the small part, whichever pivots look at the sketch."""
    A = matrix(rng, dtype=dtype)
    J = subspan.pivots(A, 6, pivoting=pivoting, sketch="normals", rng=5)
    assert np.unique(J).size == 6
    assert J.tolist() == subspan.pivots(A, 6, pivoting=pivoting, sketch="normals", rng=5).tolist()
    r = subspan.interpolative(A, 6, pivoting=pivoting, sketch="normals", rng=5)
    assert r.indices.tolist() == J.tolist()
    sparse = subspan.pivots(
        scipy.sparse.csc_array(A), 6, pivoting=pivoting, sketch="normals", rng=5
    )
    assert sparse.tolist() == J.tolist()
    # sqrt(1 + k (n - k)) times the optimum is what pivoted QR reaches on all but contrived matrices.
    optimum = np.linalg.norm(np.linalg.svd(A, compute_uv=False)[6:])
    assert np.linalg.norm(A - r.toarray()) <= np.sqrt(1 + 6 * 34) * optimum


def test_axis_and_both_sides(rng):
    A = matrix(rng)
    rows = subspan.interpolative(A, 6, axis=0, sketch="normals", rng=1)
    assert rows.skeleton.shape == (6, 40)
    both = subspan.interpolative(A, 6, axis=None, pivoting="longest", rng=1)
    assert both.skeleton.shape == (6, 6)
    assert np.linalg.norm(A - both.toarray()) <= both.error.upper


def test_rank_zero_dependent_columns_and_spectral_norm(rng):
    A = matrix(rng)
    assert subspan.interpolative(A, 0, pivoting="longest").rank == 0
    assert subspan.pivots(A, 0, pivoting="longest").size == 0
    twice = np.hstack([A[:, :3]] * 2)
    r = subspan.interpolative(twice, 6, pivoting="longest", rng=0)
    np.testing.assert_allclose(r.toarray(), twice, atol=1e-12 * np.abs(twice).max())
    s = subspan.interpolative(A, 6, sketch="normals", norm="spectral", rng=0)
    assert np.linalg.norm(A - s.toarray(), 2) <= s.error.upper
    zeros = np.zeros((5, 4))
    assert subspan.pivots(zeros, 2, sketch="normals", rng=0).tolist() == [0, 1]
    assert subspan.interpolative(zeros, 2, sketch="normals", rng=0).error.value == 0


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_any_scale(scale, rng):
    A = matrix(rng) * scale
    r = subspan.interpolative(A, 6, pivoting="longest", rng=0)
    s = subspan.interpolative(A, 6, sketch="normals", rng=0)
    for found in (r, s):
        assert np.abs(A / scale - found.toarray() / scale).max() <= found.error.upper / scale


def test_apply(rng):
    A = matrix(rng)
    S = normals(9, 60, rng=4, dtype="float64")
    np.testing.assert_allclose(subspan.sketch.apply(A, 9, kind="normals", rng=4), S @ A, rtol=1e-12)
    B = subspan.sketch.apply(A.T, 9, kind="normals", axis=1, rng=4)
    np.testing.assert_allclose(B, (S @ A).T, rtol=1e-12)


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        ([0, 1, 1], ValueError, r"pivoting='bad' returned an index twice: \[0, 1, 1\]"),
        ([0, 1], ValueError, r"'bad' returned shape \(2,\); expected \(3,\)"),
        ([0, 1, 40], ValueError, r"out of \[0, 39\]"),
        ([-1, 1, 2], ValueError, r"out of \[0, 39\]"),
        ([0.0, 1.0, 2.0], TypeError, "dtype float64; expected integers"),
    ],
)
def test_pivoters_that_break_the_contract(returned, error, message, rng):
    subspan.pivot.register("bad", lambda A, k, seed: returned)
    for call in (subspan.pivots, subspan.interpolative):
        with pytest.raises(error, match=message):
            call(matrix(rng), 3, pivoting="bad")


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        (lambda size, dim, rng, dtype: np.zeros((dim, size)), ValueError, r"of shape \(60, \d+\)"),
        (lambda size, dim, rng, dtype: None, ValueError, "of shape None"),
        (lambda size, dim, rng, dtype: np.full((size, dim), np.nan), ValueError, "NaN or infinite"),
        (lambda size, dim, rng, dtype: np.ones((size, dim), complex), TypeError, "complex128"),
    ],
)
def test_sketches_that_break_the_contract(kind, error, message, rng):
    subspan.sketch.register("bad", kind)
    with pytest.raises(error, match=message):
        subspan.pivots(matrix(rng), 3, sketch="bad")


def test_calls_that_have_no_meaning(rng):
    A = matrix(rng)
    with pytest.raises(ValueError, match="fixed rank only"):
        subspan.interpolative(A, rtol=0.1, pivoting="longest")
    with pytest.raises(ValueError, match="'exact' ones only"):
        subspan.interpolative(A, 3, sketch="normals", coefficients="osid")
    with pytest.raises(ValueError, match="oversampling=5 has no meaning"):
        subspan.interpolative(A, 3, sketch="normals", oversampling=5)
    with pytest.raises(ValueError, match="takes no sketch"):
        subspan.pivots(A, 3, pivoting="rbrp", sketch="normals")
    with pytest.raises(ValueError, match="takes no sketch"):
        subspan.pivots(A, 3, pivoting="longest", sketch="normals")
    with pytest.raises(ValueError, match="takes no batch"):
        subspan.interpolative(np.stack([A, A]), 3, pivoting="longest")
    with pytest.raises(TypeError, match="needs entries of A in memory"):
        subspan.pivots(aslinearoperator(A), 3, pivoting="longest")
    A[2, 3] = np.nan
    with pytest.raises(ValueError, match=r"A\[2, 3\]"):
        subspan.interpolative(A, 3, pivoting="longest")


def test_unknown_names_list_what_is_known(rng):
    with pytest.raises(ValueError, match=r"pivoting='foo' is not known.*'longest'"):
        subspan.pivots(matrix(rng), 3, pivoting="foo")
    with pytest.raises(ValueError, match=r"sketch='foo' is not known.*'normals'"):
        subspan.interpolative(matrix(rng), 3, sketch="foo")
    with pytest.raises(ValueError, match=r"kind='foo' is not known.*'normals'"):
        subspan.sketch.apply(matrix(rng), 3, kind="foo")


def test_names_that_cannot_be_taken():
    for name in ("lupp", "auto", "cpqr_on_A"):
        with pytest.raises(ValueError, match="taken by subspan itself"):
            subspan.pivot.register(name, longest)
    with pytest.raises(ValueError, match="taken by subspan itself"):
        subspan.sketch.register("gaussian", normals)
    with pytest.raises(ValueError, match="must be a string that is an identifier"):
        subspan.pivot.register("two words", longest)
    with pytest.raises(TypeError, match="expected a callable"):
        subspan.pivot.register("three", 3)
    subspan.pivot.register("longest", longest)  # the same again is no conflict
    with pytest.raises(ValueError, match="registered already"):
        subspan.pivot.register("longest", lambda A, k, seed: range(k))


def distribution(folder, name, entry_points, module=""):
    """A package as pip leaves it: a dist-info folder and a module."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    (folder / f"{name}.py").write_text(module)


MODULE = """
import numpy as np
loaded = True
def last(A, k, seed):
    return np.arange(A.shape[1])[::-1][:k]
def normals(size, dim, *, rng, dtype):
    return np.random.default_rng(rng).standard_normal((size, dim)).astype(dtype)
"""


def test_an_installed_package_is_found(tmp_path):
    """In a fresh process, with a package on the path: loaded when its name is asked for, not before."""
    points = "[subspan.pivoters]\nlast = other:last\n[subspan.sketches]\nnumpys = other:normals\n"
    distribution(tmp_path, "other", points, MODULE)
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import numpy as np, subspan
A = np.vander(np.linspace(0, 1, 30), 8)
subspan.pivots(A, 3)
assert "other" not in sys.modules
assert subspan.pivots(A, 3, pivoting="last").tolist() == [7, 6, 5]
assert "other" in sys.modules
r = subspan.interpolative(A, 5, sketch="numpys", rng=0)
assert np.linalg.norm(A - r.toarray()) <= r.error.upper
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_packages_that_are_broken_or_disagree(tmp_path, monkeypatch, rng):
    distribution(tmp_path, "one", "[subspan.pivoters]\nbroken = one:missing\nboth = one:a\n")
    distribution(tmp_path, "two", "[subspan.pivoters]\nboth = two:a\nnumber = two:x\n", "x = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    A = matrix(rng)
    with pytest.raises(ImportError, match="entry point 'one:missing' does not load"):
        subspan.pivots(A, 3, pivoting="broken")
    with pytest.raises(ValueError, match=r"several packages: \['one:a', 'two:a'\]"):
        subspan.pivots(A, 3, pivoting="both")
    with pytest.raises(TypeError, match="'number' has type int; expected a callable"):
        subspan.pivots(A, 3, pivoting="number")
    with pytest.raises(ValueError, match=r"is not known.*'both', 'broken', 'longest', 'number'"):
        subspan.pivots(A, 3, pivoting="foo")
