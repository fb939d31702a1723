"""Sketched gradients without PyTorch: heads, factored operators, labels, stores."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from subspan import sketch, testing
from subspan.gradients import FactoredSketch, sketch_head
from subspan.gradients.random_labels import random_labels
from subspan.gradients.row_sketch import RowSketch, operator_of

N, D, K = 60, 12, 5


@pytest.fixture
def head(rng):
    features = rng.standard_normal((N, D)).astype(np.float32)
    logits = features @ rng.standard_normal((K, D)).T + rng.standard_normal(K)
    return features, logits, rng.integers(0, K, N)


def gradients(features, slopes, bias=True):
    """Rows ``vec(b a^T)``, and then b."""
    rows = np.einsum("nk,nd->nkd", slopes, features).reshape(len(features), -1)
    return np.hstack([rows, slopes]) if bias else rows


def cross_entropy_slopes(logits, labels):
    return softmax(logits, axis=1) - np.eye(logits.shape[1])[labels]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["auto", "sparse_sign", "countsketch", "gaussian", "rademacher"])
def test_head_sketches_are_those_of_its_gradients(kind, bias, head):
    features, logits, labels = head
    G = gradients(features, cross_entropy_slopes(logits, labels), bias)
    found = sketch_head(features, logits, 20, labels=labels, bias=bias, sketch=kind, rng=3)
    expected = G @ operator_of(kind, 20, G.shape[1], 3).toarray().T
    assert np.allclose(found.sketches, expected, atol=1e-5)
    assert np.allclose(found.squared_norms, (G**2).sum(axis=1), rtol=1e-5)
    assert np.isclose(found.trace, np.trace(G.T @ G) / N, rtol=1e-5)
    assert (found.shape, found.dtype, len(found)) == (found.sketches.shape, np.float32, N)
    assert np.array_equal(found[3:5], found.sketches[3:5])


def test_head_losses(head):
    features, logits, labels = head
    targets = logits**2
    cases = {
        "classes": (labels, 2 / K * (logits - np.eye(K)[labels])),
        "targets": (targets, 2 / K * (logits - targets)),
    }
    for y, slopes in cases.values():
        G = gradients(features, slopes)
        found = sketch_head(features, logits, 16, labels=y, loss="squared", rng=0)
        assert np.allclose(found.squared_norms, (G**2).sum(axis=1), rtol=1e-4)
    found = sketch_head(features, logits, 16, labels=labels, loss=lambda z, y: np.sign(z), rng=0)
    G = gradients(features, np.sign(logits))
    assert np.allclose(found.squared_norms, (G**2).sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize("kind", ["auto", "gaussian", "factored"])
def test_no_bit_of_a_row_depends_on_the_other_samples(kind, head):
    features, logits, labels = head
    every = sketch_head(features, logits, 16, labels=labels, sketch=kind, rng=1)
    some = sketch_head(features[:7], logits[:7], 16, labels=labels[:7], sketch=kind, rng=1)
    assert np.array_equal(every.sketches[:7], some.sketches)
    assert np.array_equal(every.squared_norms[:7], some.squared_norms)


def test_random_labels_belong_to_samples(head):
    features, logits, _ = head
    drawn = random_labels(7, 0, N, K)[:, 0]
    found = sketch_head(features, logits, 16, rng=7)
    given_ = sketch_head(features, logits, 16, labels=drawn, rng=7)
    assert np.array_equal(found.sketches, given_.sketches)
    assert not np.array_equal(drawn, random_labels(8, 0, N, K)[:, 0])


@given(first=st.integers(0, 10**9), cut=st.integers(0, 50), positions=st.integers(1, 4))
def test_random_labels_do_not_depend_on_how_they_are_asked_for(first, cut, positions):
    whole = random_labels(3, first, 50, 9, positions)
    parts = [random_labels(3, first, cut, 9, positions)] if cut else []
    parts += [random_labels(3, first + cut, 50 - cut, 9, positions)] if cut < 50 else []
    assert np.array_equal(whole, np.concatenate(parts))


@pytest.mark.host_only
@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_random_labels_are_uniform(classes):
    """Chi-square; at this seed, and a correct generator fails with probability 1e-6."""
    labels = random_labels(11, 0, 100_000, classes)[:, 0]
    counts = np.bincount(labels, minlength=classes)
    assert len(counts) == classes
    assert scipy.stats.chisquare(counts).pvalue > 1e-6


@given(size=st.integers(1, 40), outputs=st.integers(1, 9), inputs=st.integers(1, 9), data=st.data())
def test_factored_sketch_is_the_product_of_its_matrix(size, outputs, inputs, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    samples, steps = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    S = FactoredSketch(size, outputs, inputs, rng=5)
    a = rng.standard_normal((samples, steps, inputs))
    b = rng.standard_normal((samples, steps, outputs))
    G = np.einsum("nto,nti->noi", b, a).reshape(samples, -1)
    assert S.toarray().shape == S.shape == (size, outputs * inputs)
    assert np.allclose(S.apply(a, b), G @ S.toarray().T, atol=1e-4)
    assert np.allclose(S.squared_norms(a, b), (G**2).sum(axis=1), atol=1e-9)


@pytest.mark.host_only
def test_factored_sketch_keeps_squared_lengths_on_average():
    """Mean over 400 seeds within 5 standard errors, and no wider than the variance promised."""
    rng = np.random.default_rng(0)
    for shape, size in (((3, 40), 64), ((30, 40), 64)):
        a, b = rng.standard_normal((1, 1, shape[1])), rng.standard_normal((1, 1, shape[0]))
        length = FactoredSketch.squared_norms(a, b)[0]
        draws = [FactoredSketch(size, *shape, rng=s) for s in range(400)]
        found = np.array([np.sum(S.apply(a, b) ** 2.0) for S in draws]) / length
        assert abs(found.mean() - 1) <= 5 * found.std(ddof=1) / 20
        m1, m2 = draws[0].sizes
        first = 0 if m1 >= shape[0] else 2 / m1
        second = 0 if m2 >= shape[1] else 2 / m2
        variance = (1 + first) * (1 + second) - 1
        assert found.var(ddof=1) <= 1.5 * variance + 1e-9


@pytest.mark.slow
@pytest.mark.host_only
@pytest.mark.parametrize("coherent", [False, True])
def test_four_nonzeros_embed_like_a_dense_operator(coherent):
    """Singular values of S U, 20 draws: within 5 % of those of a Gaussian operator on average."""
    dim, k, size = 20_000, 16, 512
    rng = np.random.default_rng(4)
    U = np.linalg.qr(rng.standard_normal((dim, k)))[0]
    if coherent:
        U = np.eye(dim)[:, rng.choice(dim, k, replace=False)]
    seen = {
        kind: np.mean(
            [testing.distortion(operator_of(kind, size, dim, seed), U) for seed in range(20)], 0
        )
        for kind in ("auto", "sparse_sign", "gaussian")
    }
    for kind in ("auto", "sparse_sign"):
        assert np.all(np.abs(seen[kind] / seen["gaussian"] - 1) <= 0.05)


@pytest.mark.parametrize("kind", ["auto", "gaussian"])
def test_parts_add_up_and_bad_rows_stay_alone(kind, rng):
    G = rng.standard_normal((9, 700)).astype(np.float32)
    S = operator_of(kind, 32, 700, 2)

    def sketched(G):
        sums = RowSketch(S, 9)
        for start, stop in ((0, 300), (300, 300), (300, 301), (301, 700)):
            sums.add(np.ascontiguousarray(G[:, start:stop]), start)
        return sums.rows()

    rows, norms, good = sketched(G)
    assert good.all()
    assert np.allclose(rows, G @ S.toarray().T, atol=1e-4)
    bad = G.copy()
    bad[3, 650], bad[5, 0] = np.nan, np.inf
    rows_of_bad, norms_of_bad, good = sketched(bad)
    assert np.flatnonzero(~good).tolist() == [3, 5]
    assert np.array_equal(rows_of_bad[good], rows[good])
    assert np.array_equal(norms_of_bad[good], norms[good])
    assert not rows_of_bad[[3, 5]].any()


@pytest.mark.parametrize("form", ["npy", "zarr", "array", "zarr array"])
def test_rows_on_disk(form, head, tmp_path):
    features, logits, labels = head
    expected = sketch_head(features, logits, 16, labels=labels, rng=1)
    if form.startswith("zarr"):
        zarr = pytest.importorskip("zarr")
    out = tmp_path / f"g.{form}"
    if form == "array":
        out = np.empty((N, 16))
    elif form == "zarr array":
        out = zarr.create_array(tmp_path / "a.zarr", shape=(N, 16), dtype="float32")
    found = sketch_head(features, logits, 16, labels=labels, rng=1, out=out)
    assert np.array_equal(np.asarray(found), expected.sketches)
    assert np.array_equal(found.squared_norms, expected.squared_norms)
    if form in ("npy", "zarr"):
        again = sketch_head(features, logits, 16, labels=labels, rng=1, out=out, resume=True)
        assert np.array_equal(np.asarray(again), expected.sketches)
        with pytest.raises(ValueError, match="another sketch"):
            sketch_head(features, logits, 16, labels=labels, rng=2, out=out, resume=True)


def test_rows_written_but_not_counted_are_written_again(head, tmp_path):
    """An interruption between writing rows and counting them."""
    features, logits, labels = head
    out = tmp_path / "g.npy"
    found = sketch_head(features, logits, 16, labels=labels, rng=1, out=out)
    expected = np.array(found.sketches)
    found.sketches[:] = 7
    found.sketches.flush()
    note = out.with_suffix(".json")
    note.write_text(json.dumps({**json.loads(note.read_text()), "done": 0}))
    again = sketch_head(features, logits, 16, labels=labels, rng=1, out=out, resume=True)
    assert np.array_equal(again.sketches, expected)


@pytest.mark.parametrize("sketched", ["auto", "factored"])
def test_bad_samples_of_a_head(sketched, head):
    features, logits, labels = head
    broken = features.copy()
    broken[8, 3] = np.nan
    clean = sketch_head(features, logits, 16, labels=labels, sketch=sketched, rng=1)
    options = {"labels": labels, "sketch": sketched, "rng": 1}
    with pytest.raises(ValueError, match="gradient of sample 8 is not finite"):
        sketch_head(broken, logits, 16, **options)
    zeroed = sketch_head(broken, logits, 16, on_bad="zero", **options)
    assert zeroed.bad_ids.tolist() == [8]
    assert not zeroed.sketches[8].any()
    dropped = sketch_head(broken, logits, 16, on_bad="drop", **options)
    assert dropped.bad == 1
    assert np.array_equal(dropped.sketches, np.delete(clean.sketches, 8, axis=0))
    assert np.array_equal(dropped.ids, np.delete(np.arange(N), 8))


def test_errors_are_named(head, tmp_path):
    features, logits, labels = head
    for options, message in (
        ({"size": 0}, "size=0"),
        ({"features": features[:5]}, "logits has 60 rows; expected 5"),
        ({"features": features[0]}, "features has shape"),
        ({"labels": labels[:9]}, "labels has length 9; expected 60"),
        ({"labels": labels + K}, r"labels must lie in \[0, 5\)"),
        ({"labels": labels / 2}, "expected classes of samples"),
        ({"loss": "hinge"}, "loss='hinge'"),
        ({"sketch": "best"}, "sketch='best'"),
        ({"on_bad": "ignore"}, "on_bad='ignore'"),
        ({"resume": True}, "resume=True needs out"),
        ({"out": np.empty((N, 3))}, "out has shape"),
        ({"out": np.empty((N, 16)), "resume": True}, "to be a path"),
        ({"out": tmp_path / "g.txt"}, r"must end in .npy or .zarr"),
        ({"out": tmp_path / "g.npy", "on_bad": "drop"}, "choose 'zero'"),
    ):
        arguments = {"features": features, "logits": logits, "size": 16, "rng": 0, **options}
        with pytest.raises(ValueError, match=message):
            sketch_head(**arguments)
    with pytest.raises(TypeError, match="out has dtype int64"):
        sketch_head(features, logits, 16, rng=0, out=np.empty((N, 16), np.int64))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(n=st.integers(1, 40), dim=st.integers(1, 400), size=st.integers(1, 70), data=st.data())
def test_rows_and_columns_have_the_same_sketch(dtype, n, dim, size, data):
    """A stored by rows and by columns, padded or not, alone or among other columns: the same bits."""
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    nnz = data.draw(st.integers(1, min(size, 9)))
    G = rng.standard_normal((n, dim)).astype(dtype)
    S = sketch.SparseSign(size, dim, rng=2, nnz=nnz)
    by_columns = G @ S.T
    by_rows = (S @ np.ascontiguousarray(G.T)).T
    assert np.array_equal(by_columns, by_rows)
    wide = np.zeros((n, dim + 3), dtype)
    wide[:, :dim] = G
    assert np.array_equal(wide[:, :dim] @ S.T, by_columns)
    some = data.draw(st.integers(1, n))
    assert np.array_equal(G[:some] @ S.T, by_columns[:some])
    exact = G.astype(np.float64) @ S.toarray().T
    bound = 20 * np.finfo(dtype).eps * np.sqrt(dim) * np.linalg.norm(G, axis=1)
    assert np.all(np.abs(by_columns - exact) <= bound[:, None])


@pytest.mark.host_only
def test_long_rows_are_sketched_in_rounds():
    """More coordinates than nonzeros are listed at a time: the same bits as in parts by hand."""
    dim = 2**18 + 1000
    G = np.random.default_rng(0).standard_normal((3, dim)).astype(np.float32)
    S = sketch.SparseSign(64, dim, rng=1, nnz=2)
    assert np.array_equal(G @ S.T, (S @ np.ascontiguousarray(G.T)).T)


@pytest.mark.host_only
@pytest.mark.parametrize("instructions", ["baseline", "avx2"])
def test_instructions_and_threads_do_not_matter(instructions):
    """Sketches by columns in a process with other instructions and one thread: the same bits."""
    program = (
        "import hashlib, sys, numpy as np, subspan\n"
        "G = np.random.default_rng(0).standard_normal((70, 3001)).astype(np.float32)\n"
        "Y = G @ subspan.sketch.SparseSign(100, 3001, rng=1, nnz=4).T\n"
        "print(hashlib.sha256(np.ascontiguousarray(Y)).hexdigest())"
    )

    def printed(**variables):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
        )
        if "is not available here" in done.stderr:
            pytest.skip(f"{instructions} is not available")
        assert done.returncode == 0, done.stderr
        return done.stdout

    other = {"SUBSPAN_ISA": instructions, "OPENBLAS_NUM_THREADS": "1"}
    assert printed(**other) == printed()
