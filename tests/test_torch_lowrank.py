"""``subspan.compat.torch``: shapes and conventions of PyTorch's, and what PyTorch gets wrong."""

import inspect
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from subspan.compat.torch import pca_lowrank, svd_lowrank  # noqa: E402

DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def low_rank(*shape, rank, dtype=torch.float64, seed=0):
    *batch, m, n = shape
    g = seeded(seed)
    left = torch.randn((*batch, m, rank), dtype=dtype, generator=g)
    return left @ torch.randn((*batch, rank, n), dtype=dtype, generator=g)


def sparse(m, n, layout, dtype=torch.float64, density=0.2):
    g = seeded(1)
    dense = torch.randn((m, n), dtype=dtype, generator=g)
    dense[torch.rand((m, n), generator=g) > density] = 0
    return dense, {
        "coo": lambda: dense.to_sparse(),
        "csr": lambda: dense.to_sparse_csr(),
        "csc": lambda: dense.to_sparse_csc(),
    }[layout]()


def rebuilt(U, S, V):
    return (U * S[..., None, :]) @ V.mH


@pytest.mark.host_only
@pytest.mark.parametrize(
    ("mine", "other"),
    [(svd_lowrank, torch.svd_lowrank), (pca_lowrank, torch.pca_lowrank)],
)
def test_signatures_are_pytorchs_and_a_generator(mine, other):
    found, wanted = (list(inspect.signature(f).parameters.values()) for f in (mine, other))
    assert [(p.name, p.default) for p in found[:-1]] == [(p.name, p.default) for p in wanted]
    assert (found[-1].name, found[-1].kind) == ("generator", inspect.Parameter.KEYWORD_ONLY)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(20, 12), (12, 20), (3, 20, 12), (2, 3, 12, 20), (0, 5, 4)])
def test_shapes_types_and_answers_are_pytorchs(shape, dtype):
    """Alone and in batches, tall and wide, real and complex; V, not its adjoint."""
    A = low_rank(*shape, rank=4, dtype=dtype)
    ours, theirs = svd_lowrank(A, q=4, generator=seeded()), torch.svd_lowrank(A, q=4)
    assert type(ours) is type(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.shape == other.shape
        assert mine.dtype == other.dtype
    single = dtype in (torch.float32, torch.complex64)
    atol = 1e-3 if single else 1e-10
    torch.testing.assert_close(rebuilt(*ours), A, atol=atol, rtol=0)
    torch.testing.assert_close(ours[1], theirs[1], atol=atol, rtol=0)
    eye = torch.eye(4, dtype=dtype).expand(*shape[:-2], 4, 4)
    for factor in (ours[0], ours[2]):
        torch.testing.assert_close(factor.mH @ factor, eye, atol=1e-4 if single else 1e-12, rtol=0)


@pytest.mark.host_only
def test_few_triplets_of_a_diagonal_matrix_are_found_whatever_the_seed():
    """Test vectors of signs would be parallel for every other seed here, and the second value missed."""
    A = torch.diag(torch.tensor([3.0, 2.0, 0.1, 0.1]))
    for seed in range(100):
        S = svd_lowrank(A, q=2, niter=4, generator=seeded(seed))[1]
        torch.testing.assert_close(S, torch.tensor([3.0, 2.0]), rtol=1e-3, atol=0)


@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (1, 1), (5, 9)])
def test_q_defaults_to_six_and_ends_with_the_matrix(shape):
    """As many triplets as there are, for a row, a column and a q that is too large."""
    A = low_rank(*shape, rank=5)
    for q in (None, 6, 50):
        ours, theirs = svd_lowrank(A, q=q), torch.svd_lowrank(A, q=q)
        assert [part.shape for part in ours] == [part.shape for part in theirs]
        torch.testing.assert_close(rebuilt(*ours), A)


@pytest.mark.parametrize("shape", [(8,), (1, 8), (15, 1), (15, 8), (1, 1)])
@pytest.mark.parametrize("layout", ["dense", "coo", "csr", "csc"])
@pytest.mark.filterwarnings("ignore:Sparse CS. tensor support is in beta")
def test_a_mean_is_subtracted(layout, shape):
    """Of any shape that broadcasts, from dense and sparse tensors alike."""
    dense, A = sparse(15, 8, "coo" if layout == "dense" else layout)
    A = dense if layout == "dense" else A
    M = torch.randn(shape, dtype=torch.float64, generator=seeded())
    torch.testing.assert_close(rebuilt(*svd_lowrank(A, q=8, M=M)), dense - M)
    batch = dense.expand(3, 15, 8)
    if layout == "dense":
        torch.testing.assert_close(rebuilt(*svd_lowrank(batch, q=8, M=M)), batch - M)
        with pytest.raises(ValueError, match="broadcast"):
            svd_lowrank(dense, M=torch.zeros(3, 8))
    else:
        with pytest.raises(ValueError, match="does not broadcast"):
            svd_lowrank(A, M=torch.zeros(3, 8))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["coo", "csr", "csc"])
@pytest.mark.filterwarnings("ignore:Sparse CS. tensor support is in beta")
def test_sparse_tensors_of_every_layout(layout, dtype):
    """Complex ones included, centred or not."""
    dense, A = sparse(30, 12, layout, dtype)
    atol = 1e-4 if dtype in (torch.float32, torch.complex64) else 1e-10
    for function in (svd_lowrank, pca_lowrank):
        ours = function(A, q=12, generator=seeded())
        assert [part.dtype for part in ours] == [dtype, dense.real.dtype, dtype]
        expected = dense - dense.mean(dim=0) if function is pca_lowrank else dense
        torch.testing.assert_close(rebuilt(*ours), expected, atol=atol, rtol=0)


@pytest.mark.slow
@pytest.mark.host_only
def test_wide_sparse_tensors_take_memory_by_their_entries():
    """pytorch#42062: centring a wide sparse matrix formed a dense one of its size, or its square."""
    script = """
        import resource, numpy as np, torch
        from subspan.compat.torch import pca_lowrank, svd_lowrank
        rng = np.random.default_rng(0)
        m, n, nnz = 2000, 300_000, 100_000
        where = np.stack([rng.integers(0, m, nnz), rng.integers(0, n, nnz)])
        A = torch.sparse_coo_tensor(where, rng.standard_normal(nnz), (m, n), check_invariants=False)
        pca_lowrank(torch.eye(40).to_sparse(), q=3)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        U, S, V = svd_lowrank(A, q=3)
        U, S, V = pca_lowrank(A, q=3)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
        assert V.shape == (n, 3)
        print(grown / (n * 8))
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    # In vectors of length n: bases, probes, their products and entries; a dense copy would have 2000.
    assert float(out.stdout) < 200


@pytest.mark.parametrize("shape", [(30, 9), (9, 30), (4, 30, 9)])
@pytest.mark.parametrize("center", [True, False])
def test_principal_components_are_pytorchs(shape, center):
    A = low_rank(*shape, rank=3) + 5
    ours = pca_lowrank(A, q=4, center=center, generator=seeded())
    theirs = torch.pca_lowrank(A, q=4, center=center)
    assert [part.shape for part in ours] == [part.shape for part in theirs]
    torch.testing.assert_close(ours[1], theirs[1], atol=1e-8, rtol=0)
    torch.testing.assert_close(rebuilt(*ours), rebuilt(*theirs), atol=1e-8, rtol=0)
    assert pca_lowrank(A)[1].shape == torch.pca_lowrank(A)[1].shape


def test_means_of_many_rows_are_summed_in_double_precision():
    """In single precision a running sum of 200000 rows would lose the third digit."""
    A = torch.rand((200_000, 3), generator=seeded()) + 1000
    variance = pca_lowrank(A, q=3, generator=seeded())[1] ** 2 / (len(A) - 1)
    expected = torch.linalg.eigvalsh(torch.cov(A.double().T)).flip(0)
    torch.testing.assert_close(variance.double(), expected, rtol=1e-3, atol=0)


@pytest.mark.host_only
def test_seeds():
    """A generator seeds its call alone; without one, torch.manual_seed does, as in PyTorch."""
    A = torch.randn((40, 30), generator=seeded())
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = svd_lowrank(A, q=3, niter=0, generator=seeded(3))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(first[1], svd_lowrank(A, q=3, niter=0, generator=seeded(3))[1])
    assert not torch.equal(first[1], svd_lowrank(A, q=3, niter=0, generator=seeded(4))[1])
    drawn = [svd_lowrank(A, q=3, niter=0)[1] for _ in range(2)]
    assert not torch.equal(*drawn)
    torch.manual_seed(5)
    assert torch.equal(drawn[0], svd_lowrank(A, q=3, niter=0)[1])


@pytest.mark.host_only
def test_bad_arguments_are_named():
    A = torch.ones(4, 3)
    for arguments, message in [
        ({"q": -1}, "q=-1 must lie in"),
        ({"niter": -1}, "niter=-1 must lie in"),
    ]:
        with pytest.raises(ValueError, match=message):
            svd_lowrank(A, **arguments)
    with pytest.raises(ValueError, match=r"q=4 must lie in \[0, 3\]"):
        pca_lowrank(A, q=4)
    with pytest.raises(ValueError, match="niter=-1 must lie in"):
        pca_lowrank(A, niter=-1)
    with pytest.raises(TypeError, match=r"expected a torch\.Tensor"):
        svd_lowrank(np.ones((4, 3)))
    with pytest.raises(ValueError, match="at least 2 dimensions"):
        svd_lowrank(torch.ones(3))
    with pytest.raises(ValueError, match="finite"):
        svd_lowrank(torch.full((4, 3), torch.nan))


@pytest.mark.host_only
def test_gradients_are_not_dropped_in_silence():
    A = torch.ones((4, 3), requires_grad=True)
    for function in (svd_lowrank, pca_lowrank):
        with pytest.raises(TypeError, match=r"pass A\.detach\(\)"):
            function(A, q=2)
        with torch.no_grad():
            assert function(A, q=2)[0].shape == (4, 2)
