"""Classes of defects that users of other libraries reported: none of them can happen here.

Shapes, dtypes, ranks and formats in general are the business of ``test_conformance``; here are the ones
with a history, by the number of the report, and what takes a process or a large matrix of its own.
"""

import inspect
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
import subspan
from subspan.testing import MATRICES
from test_conformance import ROUTINES, approximation, check, matrix, same, size_of

pytestmark = pytest.mark.host_only
RECTANGULAR = [name for name in ROUTINES if not ROUTINES[name].symmetric]
EVERY = list(ROUTINES)


def run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_THREAD_TIMEOUT": "10", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---------------------------------------------------------------- wrong values


def test_scikit_learn_30736_complex_input(rng):
    """Transposes without conjugation gave wrong singular values without a word."""
    from subspan.compat.sklearn import randomized_svd

    for shape in ((60, 40), (40, 60)):
        A = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
        expected = np.linalg.svd(A, compute_uv=False)
        for transpose in (True, False, "auto"):
            U, s, Vh = randomized_svd(A, 40, random_state=0, transpose=transpose)
            np.testing.assert_allclose(s, expected, rtol=1e-10)
            np.testing.assert_allclose((U * s) @ Vh, A, atol=1e-10)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("exponent", [-36, -22, 20, 30, 36])
def test_scikit_learn_23373_float32_overflow(name, exponent):
    """Squares of entries leave the range of single precision; sums of squares of double as well."""
    A = matrix(name)
    expected = approximation(name, ROUTINES[name].call(A, 7, rng=0), A)
    for dtype, power in ((np.float32, exponent), (np.float64, 8 * exponent)):
        scaled = A.astype(dtype) * dtype(10.0) ** dtype(power)
        r = ROUTINES[name].call(scaled, 7, rng=0)
        assert r.error.relative > 0
        assert np.isfinite([r.error.value, r.error.upper, r.error.relative]).all()
        if name == "range_finder":
            Q = r.Q.astype(np.float64)
            found = Q @ (Q.T @ A)
        else:
            dense = np.asarray(r.toarray())
            assert np.isfinite(dense).all()
            found = dense.astype(np.longdouble) / np.longdouble(10.0) ** power
        left = size_of(np.asarray(A - found, np.float64), "fro")
        assert left <= 1.3 * size_of(A - expected, "fro") + 1e-5


@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (5, 9), (9, 5)])
def test_scipy_20452_20609_22451_23195(shape, rng):
    """Single rows, operators that are not square, ranks that are too large, integers."""
    from subspan.compat import scipy_interpolative as sli

    A = rng.integers(-9, 9, shape)
    A[0, 0] = 5
    k = min(shape)
    for X in (A, A.astype(float), scipy.sparse.linalg.aslinearoperator(A.astype(float))):
        for rand in (True,) if X is not A and not isinstance(X, np.ndarray) else (True, False):
            idx, proj = sli.interp_decomp(X, k, rand=rand, rng=0)
            B = sli.reconstruct_skel_matrix(A.astype(float), k, idx)
            np.testing.assert_allclose(sli.reconstruct_matrix_from_id(B, idx, proj), A, atol=1e-10)
        U, s, V = sli.svd(X, k, rng=0)
        np.testing.assert_allclose((U * s) @ V.conj().T, A, atol=1e-10)
    with pytest.raises(ValueError):
        sli.interp_decomp(A.astype(float), k + 1, rng=0)
    with pytest.raises(ValueError, match="rank"):
        subspan.interpolative(A, k + 1)


# The sketch has slightly more rows than a power of two, or as few as A.
@pytest.mark.parametrize(
    ("m", "n", "k"), [(300, 300, 300), (400, 260, 250), (1200, 1100, 503), (600, 1030, 500)]
)
@pytest.mark.parametrize("pivoting", ["lupp", "cpqr"])
def test_no_rank_is_lost_in_mixing_a_sketch(m, n, k, pivoting, rng):
    A = rng.standard_normal((m, n))
    for seed in range(3):
        r = subspan.interpolative(A, k, pivoting=pivoting, rng=seed)
        assert r.rank == k
        assert r.stop_reason == "rank"
    assert subspan.interpolative(A, k, axis=None, rng=0).rank == k
    assert subspan.cur(A, k, pivoting=pivoting, rng=0).rank == k


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("make", ["dense", "sparse", "operator"])
def test_a_block_of_the_range_that_holds_nothing(dtype, make, rng):
    """The second block of the adaptive range finder finds no direction above rounding."""
    s = np.repeat([1.0, 1e-3, 1e-6, 1e-9], 15)
    U, V = (np.linalg.qr(rng.standard_normal((size, 60)))[0] for size in (70, 60))
    A = ((U * s) @ V.T).astype(dtype)
    X = {
        "dense": lambda: A,
        "sparse": lambda: scipy.sparse.csc_array(A),
        "operator": lambda: scipy.sparse.linalg.aslinearoperator(A),
    }[make]()
    rtol = 60 * float(np.finfo(dtype).eps)
    for norm in ("fro", "spectral"):
        for call in (subspan.svd, subspan.range_finder):
            options = {"method": "subspace"} if call is subspan.svd else {}
            for seed in range(3):
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr("subspan.goal.Goal.warn_unmet", lambda *a: None)
                    r = call(X, rtol=rtol, norm=norm, rng=seed, **options)
                Q = r.Q if call is subspan.range_finder else r.U
                left = np.linalg.norm(A - Q @ (Q.conj().T @ A))
                assert left <= r.error.upper + 10 * rtol
                assert left <= 20 * rtol


def test_coefficients_of_dependent_columns_do_not_explode():
    """Kahan's matrix, all columns asked for: the inverse of the triangle has entries of 1e10."""
    A = np.asarray(MATRICES["kahan"]()).astype(np.float32)
    r = subspan.interpolative(A, 200, rng=0)
    left = np.linalg.norm(A - r.toarray())
    assert left <= min(r.error.upper, 1e-4 * np.linalg.norm(A))
    assert np.abs(r.coefficients).max() < 1e3


@pytest.mark.parametrize("name", ["kahan", "fast_decay", "exp_complex"])
def test_exact_errors_are_exact_near_their_limit(name):
    """A difference of energies of 1e-8 of the whole has half of the digits: the bound knows."""
    A = np.asarray(MATRICES[name](seed=1))
    calls = [subspan.cur, subspan.qr, subspan.interpolative, subspan.svd]
    for call in calls:
        for seed in range(3):
            r = call(A, rtol=1e-4, rng=seed)
            if r.error.kind == "exact":
                left = np.linalg.norm(A - r.toarray())
                assert left <= r.error.upper
                assert left == pytest.approx(r.error.value, rel=1e-5)


@pytest.mark.parametrize("name", ["interpolative", "qr", "svd", "range_finder", "nystrom"])
def test_upper_bounds_hold_as_often_as_they_say(name, rng):
    """An error of nearly rank one is the hardest for few probes: 1 in 1000 may be missed, 5 in 1000 not."""
    s = np.append(np.ones(5), 1e-9)
    U, V = (np.linalg.qr(rng.standard_normal((size, 6)))[0] for size in (40, 30))
    A = (U * s) @ U.T if name == "nystrom" else (U * s) @ V.T
    X = scipy.sparse.linalg.aslinearoperator(A)
    once = {"power_iterations": 0} if name in ("svd", "range_finder", "nystrom") else {}
    call = getattr(subspan, name, lambda X, k, **o: subspan.eigh(X, k, psd=True, **o))
    if name == "svd":
        once["oversampling"] = 0
    missed = 0
    for seed in range(1000):
        r = call(X, 5, rng=seed, **once)
        found = r.Q @ (r.Q.T @ A) if name == "range_finder" else r.toarray()
        missed += np.linalg.norm(A - found) > r.error.upper + 1e-14
    assert r.error.kind == "estimate"
    assert missed <= 5


@pytest.mark.parametrize("psd", [True, False])
@pytest.mark.parametrize("k", [1, 12, 40])
def test_what_is_cut_from_a_hermitian_matrix_is_in_its_error(psd, k, rng):
    """Too small to be refused: a negative eigenvalue, or a part that is not Hermitian."""
    Q = np.linalg.qr(rng.standard_normal((40, 40)))[0]
    A = (Q * np.append(0.5 ** np.arange(39), -1e-7 if psd else 1e-7)) @ Q.T
    if not psd:
        A[0, 1] += 1e-8
    r = subspan.eigh(A, k, psd=psd, method="full", rng=0)
    left = np.linalg.norm(A - r.toarray())
    assert r.error.kind == "exact"
    assert left == pytest.approx(r.error.value, rel=1e-3)
    assert left <= r.error.upper


@pytest.mark.parametrize("exponent", [-300, 290])
def test_two_sided_of_full_rank_at_any_scale(exponent, rng):
    A = rng.standard_normal((30, 20)) * 10.0**exponent
    r = subspan.interpolative(A, 20, axis=None, rng=0)
    assert 0 < r.error.relative < 1e-12


@pytest.mark.parametrize("norm", ["fro", "spectral"])
@pytest.mark.parametrize("dtype", ["float32", "complex128", "int32"])
@pytest.mark.parametrize(
    "shape", [(50, 8), (8, 50), (1, 9), (9, 1), (2, 3), (40, 60), (0, 5), (5, 0)]
)
def test_norms_and_residuals_of_any_operators(shape, dtype, norm, rng):
    A = rng.standard_normal(shape)
    if dtype == "complex128":
        A = A + 1j * rng.standard_normal(shape)
    A = (9 * A).astype(dtype)
    k = min(2, *shape)
    left = [A, np.asfortranarray(A), scipy.sparse.csr_array(A), subspan.chunks([A])]
    left.append(scipy.sparse.linalg.aslinearoperator(A))
    for r in (subspan.svd(A, k, rng=1), subspan.interpolative(A, k, axis=0, rng=1)):
        true, rounding = size_of(A - r.toarray(), norm), 1e-5 * np.abs(A).sum()
        for X in left:
            for B in (r, r.toarray(), scipy.sparse.linalg.aslinearoperator(r)):
                e = subspan.error.residual(X, B, norm=norm, rng=3)
                assert true <= e.upper + rounding
                assert e.value <= (1 if norm == "spectral" else 2) * true + rounding
            found = subspan.error.norm(X, norm=norm, rng=0)
            exact = norm == "fro" and X is not left[-1]
            assert found == pytest.approx(size_of(A, norm), rel=1e-5 if exact else 0.4, abs=1e-9)


def test_probes_are_counted_in_integers():
    for probes in (True, 2.5, "3"):
        with pytest.raises(TypeError, match="probes"):
            subspan.error.residual(np.eye(3), np.eye(3), probes=probes)


# ---------------------------------------------------------------- speed, memory


WIDE = """
import numpy as np, scipy.sparse, subspan, sys
g = np.random.default_rng(0)
m, n, nnz = {shape}
A = scipy.sparse.coo_array(
    (g.standard_normal(nnz).astype(np.float32), (g.integers(0, m, nnz), g.integers(0, n, nnz))),
    shape=(m, n),
).tocsc()
if m == n:
    A = (A + A.T).tocsc()
subspan.{call}(A[:200, :200], 3, rng=0)
open("/proc/self/clear_refs", "w").write("5")
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
r = subspan.{call}(A, 3, rng=0)
print(peak() - before, r.rank, r.plan.choices["sketch size"], r.plan.choices["probes"])
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="no /proc")
@pytest.mark.parametrize("call", ["svd", "qr", "cur", "interpolative", "range_finder", "eigh"])
def test_pytorch_42062_memory_of_wide_sparse_input(call):
    """Vectors of both sides and no more: a dense copy of A would take 8 GB."""
    shape = (100_000, 100_000, 100_000) if call == "eigh" else (1000, 2_000_000, 100_000)
    extra, rank, sketch, probes = map(int, run(WIDE.format(shape=shape, call=call)).split())
    assert rank == 3
    assert extra < 3 * 4 * (shape[0] + shape[1]) * (rank + sketch + probes)
    assert extra < 2**31


@pytest.mark.parametrize("name", RECTANGULAR)
def test_chunking_does_not_change_the_answer(name):
    A, call = matrix(name), ROUTINES[name].call
    whole = approximation(name, call(subspan.chunks([A]), 7, rng=0), A)
    for edges in ([1], [40], [3, 4, 5, 30], range(1, 44)):
        pieces = subspan.chunks(np.split(A, list(edges)))
        np.testing.assert_allclose(
            approximation(name, call(pieces, 7, rng=0), A), whole, atol=1e-11
        )


# ---------------------------------------------------------------- seeds, threads, processes


@pytest.mark.parametrize("name", EVERY)
def test_every_call_can_be_seeded(name):
    call, A = ROUTINES[name].call, matrix(name)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    seeds = [5, np.int64(5), np.random.default_rng(5), np.random.SeedSequence(5)]
    for rng in seeds:
        r = call(A, 7, rng=rng)
        same(r, call(A, 7, rng=r.seed))
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert call(A, 7).seed != call(A, 7).seed


def test_every_public_routine_takes_a_seed():
    for name in subspan.__all__:
        routine = getattr(subspan, name)
        if inspect.isfunction(routine) and name not in (
            "chunks",
            "kernel",
            "leverage_scores",
            "load",
            "show_config",
        ):
            assert "rng" in inspect.signature(routine).parameters, name


@pytest.mark.parametrize("name", EVERY)
def test_two_threads_at_once(name):
    A, call = matrix(name, shape=(300, 200)), ROUTINES[name].call
    expected = [call(A, 9, rng=seed) for seed in range(2)]
    found, start = [[], []], threading.Barrier(2)

    def work(seed):
        start.wait()
        for _ in range(5):
            found[seed].append(call(A, 9, rng=seed))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(2):
        assert len(found[seed]) == 5
        for r in found[seed]:
            check(name, r, A)
            np.testing.assert_allclose(
                approximation(name, r, A), approximation(name, expected[seed], A), atol=1e-11
            )


FORK = """
import os, numpy as np, subspan
A = np.random.default_rng(0).standard_normal((900, 700))
P = A @ A.T
def work():
    return [subspan.svd(A, 20, rng=0).s, subspan.qr(A, 20, rng=0).R, subspan.cur(A, 20, rng=0).middle,
            subspan.eigh(P, 20, rng=0).w, subspan.pivoted_cholesky(P, 20, rng=0).F,
            subspan.interpolative(A, 20, rng=0).coefficients]
before = work()
child = os.fork()
if child == 0:
    good = all(np.allclose(x, y) for x, y in zip(before, work()))
    os._exit(0 if good else 1)
assert os.waitpid(child, 0)[1] == 0
assert all(np.allclose(x, y) for x, y in zip(before, work()))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_forked_child_can_compute(threads):
    run(FORK, OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads)


LONG = {
    "svd": lambda A, P: subspan.svd(A, 150, rng=0),
    "svd to a tolerance": lambda A, P: subspan.svd(A, 700, rtol=1e-3, method="subspace", rng=0),
    "range_finder": lambda A, P: subspan.range_finder(A, 250, rng=0),
    "qr": lambda A, P: subspan.qr(A, 500, rng=0),
    "qr blocked": lambda A, P: subspan.qr(A, 1500, rng=0),
    "cur": lambda A, P: subspan.cur(A, 400, rng=0),
    "interpolative": lambda A, P: subspan.interpolative(A, 500, pivoting="rbrp", rng=0),
    "eigh": lambda A, P: subspan.eigh(P, 150, rng=0),
    "nystrom": lambda A, P: subspan.eigh(P, 200, psd=True, rng=0),
    "generalized_nystrom": lambda A, P: subspan.generalized_nystrom(A, 350, rng=0),
    "pivoted_cholesky": lambda A, P: subspan.pivoted_cholesky(P, 700, rng=0),
}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers")
@pytest.mark.parametrize("name", LONG)
def test_ctrl_c_ends_a_long_call(name, rng):
    """Half-way through, the signal ends the call before it is done."""
    A = rng.standard_normal((2400, 1800))
    P = A @ A.T
    call, interrupted = LONG[name], []
    old = signal.signal(signal.SIGPROF, signal.default_int_handler)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("subspan.goal.Goal.warn_unmet", lambda *a: None)
            for _ in range(5):  # in processor time: others use the machine as well
                start = time.process_time()
                call(A, P)
                whole = time.process_time() - start
                signal.setitimer(signal.ITIMER_PROF, whole / 3)
                start = time.process_time()
                try:
                    call(A, P)
                    interrupted.append(1.0)  # done before the signal came
                except KeyboardInterrupt:
                    interrupted.append((time.process_time() - start) / whole)
                finally:
                    signal.setitimer(signal.ITIMER_PROF, 0)
                if interrupted[-1] < 0.85:
                    break
        assert interrupted[-1] < 0.85, interrupted
    finally:
        signal.signal(signal.SIGPROF, old)


# ---------------------------------------------------------------- large


def available_memory():
    try:
        with open("/proc/meminfo") as file:
            text = file.read()
    except OSError:
        return 0
    return 1024 * int(text.split("MemAvailable:")[1].split()[0])


@pytest.mark.large
@pytest.mark.slow
@pytest.mark.skipif(available_memory() < 16 * 2**30, reason="needs 16 GB of memory")
@pytest.mark.parametrize("call", ["svd", "qr", "cur", "range_finder"])
def test_more_than_two_to_the_31_elements(call):
    """All nonzeros lie beyond element 2^31; pages of zeros cost no memory."""
    A = np.zeros((47000, 46000), np.float32)
    where = [3, 40, 45998, 45999]
    block = np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32)
    A[46750:46950, where] = block
    options = {"power_iterations": 0} if call in ("svd", "range_finder") else {}
    r = getattr(subspan, call)(A, 4, rng=0, **options)
    assert r.rank == 4
    if call == "range_finder":
        part = r.Q[46750:46950] @ (r.Q[46750:46950].T @ block)
    else:
        X = np.zeros((46000, 4), np.float32)
        X[where] = np.eye(4)
        part = (r @ X)[46750:46950]
    assert np.abs(part - block).max() <= 1e-4
    assert r.error.relative <= 1e-3
