"""Write the figures of the README from result files: ``python -m bench.readme``.

The part of README.md between the two marks is replaced; nothing else in it is a figure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import bench_gradients as gradients
from . import bench_interp as interp
from . import bench_selection as selection
from . import bench_svd as svd
from .report import read

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
BEGIN = "<!-- figures: written by python -m bench.readme -->\n"
END = "<!-- end of figures -->\n"
METHODS = {
    interp.SKETCH: '`coefficients="sketch"`',
    interp.EXACT: "default",
    interp.ACCURATE: '`pivoting="greedy"`',
    interp.GAUSSIAN_LU: "numpy, Gaussian + LU",
    interp.OPERATOR: "SciPy ID, operator",
    interp.PLAIN: "SciPy ID, plain call",
    interp.QR: "SciPy `qr(pivoting=True)`",
}
SVD_METHODS = {
    svd.OURS: "`subspan.svd`",
    svd.LEARN: "scikit-learn `randomized_svd`",
    svd.TORCH: "`torch.svd_lowrank`",
    svd.ARPACK: "SciPy `svds`",
    svd.NUMPY: "`numpy.linalg.svd`",
}
SELECTION_METHODS = {
    selection.SKMM: "moment matching",
    selection.PASS: "a Frank-Wolfe pass",
    selection.GEMM: "its product alone",
    "leverage": "leverage",
    "rbrp": "random pivoting",
    "v_opt": "V-optimal",
}
GRADIENT_METHODS = {
    gradients.OURS: "subspan, 4 nonzeros",
    gradients.COUNT: "subspan, CountSketch",
    gradients.CSR: "SciPy CSR CountSketch",
    gradients.TRAK: "dense, as TRAK draws it",
    gradients.GEMM: "dense product alone",
}
MATRICES = {
    "a": "σᵢ = 10^(-12i/400)",
    "b": "σᵢ = 1/i",
    "c": "σᵢ = 1/i",
    "d": "sparse",
}


def figures(folder: Path = RESULTS) -> str:
    """Text between the marks."""
    tables = [
        _table(folder / "interp.jsonl", "Column ID", METHODS),
        _table(
            folder / "svd.jsonl",
            "Truncated SVD, two power iterations, 10 more vectors",
            SVD_METHODS,
        ),
        _times(folder / "selection.jsonl", "Choosing rows", "rows", SELECTION_METHODS),
        _times(folder / "gradients.jsonl", "Sketching gradients", "gradients", GRADIENT_METHODS),
    ]
    return "\n".join(tables)


def _table(path: Path, title: str, methods: dict[str, str]) -> str:
    about, times = _read(path, methods)
    head = ["matrix", "k", *methods.values()]
    rows = [_row(cells, methods) for cells in times.values()]
    return _page(f"{title} in float64, median time and relative error", about, [head, *rows])


def _times(path: Path, title: str, what: str, methods: dict[str, str]) -> str:
    about, times = _read(path, methods)
    rows = [
        [label, *(_time(cells[m]) if m in cells else "" for m in methods)]
        for label, cells in times.items()
    ]
    return _page(f"{title}, median time", about, [[what, *methods.values()], *rows])


def _read(path: Path, methods: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    about, *lines = read(path)
    times: dict[str, dict[str, Any]] = {}
    for line in lines:
        if line["kind"] == "time" and line["method"] in methods:
            times.setdefault(line["label"], {})[line["method"]] = line
    return about, times


def _page(title: str, about: dict[str, Any], rows: list[list[str]]) -> str:
    rules = ["---", *["---:"] * (len(rows[0]) - 1)]
    table = "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], rules, *rows[1:]])
    pools = " and ".join(str(pool.get("architecture")) for pool in about["thread_pools"][:1])
    ours = about["subspan"]
    where = (
        f"{title}, {about['affinity']} cores of {about['processor']} "
        f"({ours['instruction set']}, OpenBLAS kernels {pools}), numpy "
        f"{ours['numpy']}, SciPy {ours['scipy']}; commit {about['commit']}, {about['date'][:10]}."
    )
    return f"{where}\n\n{table}\n"


def _row(cells: dict[str, Any], methods: dict[str, str]) -> list[str]:
    case = next(iter(cells.values()))["case"]
    matrix = case["matrix"]
    name = f"{matrix['m']} x {matrix['n']}, {MATRICES[matrix['name']]}"
    texts = [_cell(cells[m]) if m in cells else "" for m in methods]
    return [name, str(case["rank"]), *texts]


def _cell(line: dict[str, Any]) -> str:
    return f"{_time(line)} ({max(line['errors']):.0e})"


def _time(line: dict[str, Any]) -> str:
    seconds = line["median"]
    return f"{seconds * 1e3:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def replaced(readme: str, text: str) -> str:
    """Return the README with `text` between the marks."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + text + END + after


def main() -> None:
    path = ROOT / "README.md"
    path.write_text(replaced(path.read_text(encoding="utf-8"), figures()), encoding="utf-8")


if __name__ == "__main__":
    main()
