"""Matrices read in chunks: passes against reading the file once, memory, and Dask clusters.

A is a file of rows, read anew in every pass, from the page cache where that holds it. Floor: reading
every chunk once, and nothing else. Dask: worker processes of one thread each, both clusters alive all
the time; svd_compressed is told to compute its input at each use, as its documentation recommends for
input larger than memory, and does as many power iterations as ours.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import subspan
from numpy.typing import NDArray
from subspan.blocks.matrix import BlockedMatrix

from . import memory
from .cases import ChunkCase, chunk_cases, dask_cases
from .peers import installed
from .run import Contender, Options, Results, interleave

READ = "reading once"
ONE, SVD0, SVD, ID = (
    "StreamingSketch, 1 pass",
    "svd, power_iterations=0, 2 passes",
    "svd, 6 passes",
    "interpolative, 3 passes",
)
PEER = "dask svd_compressed, 2 workers"
POWER_ITERATIONS = 2


def streaming(A: Any, k: int, seed: int) -> Any:
    found = subspan.StreamingSketch(A.shape, k, dtype=A.dtype, rng=seed)
    return found.read(A).finalize()[:3]


def svd(A: Any, k: int, seed: int, power_iterations: int = POWER_ITERATIONS) -> Any:
    options: dict[str, Any] = {"method": "subspace", "power_iterations": power_iterations}
    return subspan.svd(A, k, rng=seed, **options)


def interpolative(A: Any, k: int, seed: int) -> Any:
    return subspan.interpolative(A, k, rng=seed)


OURS: dict[str, memory.Call] = {
    ONE: streaming,
    SVD0: partial(svd, power_iterations=0),
    SVD: svd,
    ID: interpolative,
}


def run(results: Results, options: Options) -> None:
    for case in options.chosen(chunk_cases(options.small)):
        results.start(case)
        with _file(case) as path:
            one_case(case, path, results, options)
    clusters = options.chosen(dask_cases(options.small))
    for case in clusters if clusters and installed("distributed", "chunks") else ():
        results.start(case)
        with _file(case) as path:
            on_clusters(case, path, results, options)


def one_case(case: ChunkCase, path: Path, results: Results, options: Options) -> None:
    A = matrix(path, case)

    def read(seed: int) -> float:
        return sum(float(block[0, 0]) for block in blocks(path, case))

    contenders = [Contender(READ, read, "floor", "every chunk is read once")]
    for name, call in OURS.items():
        contenders.append(
            Contender(
                name,
                lambda seed, call=call: call(A, case.rank, seed),
                timed="the whole call; the file is read once in every pass",
                error=lambda found: relative_error(A, found),
                limit=1.0,
            )
        )
    timings = interleave(contenders, options)
    if options.memory:
        for name, call in OURS.items():
            timings[name].memory = memory.peak_extra(
                call, path, case.rank, load=partial(matrix, case=case)
            )
    results.times(case, timings)
    for name in OURS:
        results.ratio(case, f"{name} / {READ}", timings[name], timings[READ])


def on_clusters(case: ChunkCase, path: Path, results: Results, options: Options) -> None:
    import dask.array as da
    from dask import compute
    from distributed import Client, LocalCluster
    from subspan.dask import from_dask

    heights = [min(case.rows, case.m - start) for start in range(0, case.m, case.rows)]
    B = da.map_blocks(
        partial(_block, path=path, case=case), chunks=(tuple(heights), (case.n,)), dtype=np.float64
    )
    on_disk = matrix(path, case)

    def peer(k: int, seed: int) -> Any:
        return compute(
            *da.linalg.svd_compressed(
                B, k, n_power_iter=POWER_ITERATIONS, n_oversamples=10, seed=seed, compute=True
            )
        )

    def contender(name: str, client: Any, call: Callable[..., Any], role: str) -> Contender:
        def on_client(seed: int) -> Any:
            with client.as_current():
                return call(case.rank, seed)

        return Contender(
            name,
            on_client,
            role,
            "the whole call, factors as numpy arrays in this process",
            error=lambda found: relative_error(on_disk, found),
            limit=1.0,
        )

    on_dask = {
        SVD: partial(svd, B),
        ID: partial(interpolative, B),
        ONE: lambda k, seed: streaming(from_dask(B), k, seed),
    }
    with contextlib.ExitStack() as stack:
        clients = {}
        for workers in (1, 2):
            cluster = LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0"
            )
            clients[workers] = stack.enter_context(Client(stack.enter_context(cluster)))
        contenders = [
            contender(f"{name}, {workers} worker{'s' * (workers > 1)}", client, call, "ours")
            for name, call in on_dask.items()
            for workers, client in clients.items()
        ]
        contenders.append(contender(PEER, clients[2], peer, "peer"))
        timings = interleave(contenders, options)
    results.times(case, timings)
    full = not options.small
    for name in on_dask:
        results.ratio(
            case,
            f"{name}: 1 worker / 2 workers",
            timings[f"{name}, 1 worker"],
            timings[f"{name}, 2 workers"],
            at_least=1.6 if full else None,
        )
    for name, target in ((SVD, None), (ONE, 2 if full else None)):
        ours = timings[f"{name}, 2 workers"]
        results.ratio(case, f"svd_compressed / {name}", timings[PEER], ours, at_least=target)


@contextlib.contextmanager
def _file(case: ChunkCase) -> Iterator[Path]:
    """The matrix as a file: decaying spectrum and noise, made chunk by chunk."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "A.bin"
        W = np.random.default_rng(0).standard_normal((2 * case.rank, case.n))
        W *= 10.0 ** (-2 * np.arange(2 * case.rank) / case.rank)[:, None]
        with path.open("wb") as file:
            for start in range(0, case.m, case.rows):
                rng = np.random.default_rng(start + 1)
                height = min(case.rows, case.m - start)
                block = rng.standard_normal((height, 2 * case.rank)) @ W
                block += 1e-4 * rng.standard_normal(block.shape)
                block.tofile(file)
        yield path


def _rows(path: Path, case: ChunkCase, start: int, stop: int) -> NDArray[np.float64]:
    count, offset = (stop - start) * case.n, 8 * start * case.n
    return np.fromfile(path, count=count, offset=offset).reshape(-1, case.n)


def _block(block_info: Any = None, *, path: Path, case: ChunkCase) -> NDArray[np.float64]:
    (start, stop), _ = block_info[None]["array-location"]
    return _rows(path, case, start, stop)


def blocks(path: Path, case: ChunkCase) -> Iterator[NDArray[np.float64]]:
    for start in range(0, case.m, case.rows):
        yield _rows(path, case, start, min(start + case.rows, case.m))


def matrix(path: Path, case: ChunkCase) -> BlockedMatrix:
    return subspan.chunks(partial(blocks, path, case), shape=(case.m, case.n), dtype=np.float64)


def relative_error(A: BlockedMatrix, found: Any) -> float:
    """Relative Frobenius error of a result or of (U, s, Vh), by a pass over A."""
    if isinstance(found, tuple):
        U, s, Vh = found
        return float(np.sqrt(A.residual2(np.asarray(U) * s, np.asarray(Vh)) / A.norm2))
    return float(found.error_exact(A).relative)
