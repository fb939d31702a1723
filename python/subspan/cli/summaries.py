"""What ``--json`` prints of a decomposition: plain numbers, strings, lists and dictionaries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .output import plain

if TYPE_CHECKING:
    from ..cur import CURDecomposition
    from ..interp import InterpolativeDecomposition
    from ..svd import SVDResult


def summary(result: InterpolativeDecomposition, seconds: float, file: str) -> dict[str, Any]:
    """Return what ``subspan id --json`` prints.

    Parameters
    ----------
    result : InterpolativeDecomposition
    seconds : float
        Time of the call, without reading the file.
    file : str
        Where the matrix came from.

    Returns
    -------
    dict
        Keys file, rank, axis, indices, shapes, dtype, error, converged, stop_reason, seed, seconds,
        plan; the command adds names, of the chosen columns. With ``axis`` "both", `indices` and
        ``shapes["coefficients"]`` are dictionaries with rows and columns.
    """
    both = result.axis is None
    indices, coefficients = result.indices, result.coefficients
    return {
        "file": str(file),
        "rank": result.rank,
        "axis": "both" if both else result.axis,
        "indices": plain(_of_sides(indices) if both else indices),
        "shapes": {
            "A": list(result.shape),
            "skeleton": list(result.skeleton.shape),
            "coefficients": (
                {name: list(part.shape) for name, part in _of_sides(coefficients).items()}
                if both
                else list(coefficients.shape)
            ),
        },
        **_common(result, seconds),
    }


def of_cur(result: CURDecomposition, seconds: float, file: str) -> dict[str, Any]:
    """Return what ``subspan cur --json`` prints."""
    m, n = result.shape
    k = result.rank
    return {
        "file": str(file),
        "rank": k,
        "core": result.core,
        "indices": plain({"rows": result.rows, "columns": result.columns}),
        "shapes": {"A": [m, n], "C": [m, k], "U": [k, k], "R": [k, n]},
        **_common(result, seconds),
    }


def of_svd(result: SVDResult, seconds: float, file: str) -> dict[str, Any]:
    """Return what ``subspan svd --json`` prints."""
    trusted = None
    if result.angles is not None:
        trusted = {
            "max_sine": 0.1,
            "expected": result.trusted() if result.angles.quickly_estimated else None,
            "for_sure": result.trusted(rigorous=True),
        }
    return {
        "file": str(file),
        "rank": result.rank,
        "singular_values": plain(result.s),
        "trusted": trusted,
        "shapes": {
            "A": list(result.shape),
            "U": list(result.U.shape),
            "s": list(result.s.shape),
            "Vh": list(result.Vh.shape),
        },
        **_common(result, seconds),
    }


def _of_sides(pair: Any) -> dict[str, Any]:
    return dict(zip(("rows", "columns"), pair, strict=True))


def _common(result: Any, seconds: float) -> dict[str, Any]:
    e = result.error
    names = ("value", "relative", "upper", "norm", "kind", "failure_probability")
    return {
        "dtype": result.dtype.name,
        "error": {name: plain(getattr(e, name)) for name in names},
        "converged": bool(result.converged),
        "stop_reason": result.stop_reason,
        "seed": result.seed,
        "seconds": seconds,
        "plan": {
            "choices": {key: _word(value) for key, value in result.plan.choices.items()},
            "reasons": dict(result.plan.reasons),
            "passes": result.plan.passes,
            "seconds": {key: float(value) for key, value in result.plan.seconds.items()},
        },
    }


def _word(value: Any) -> Any:
    """A setting: what is neither a number nor text is written as Python writes it."""
    value = value.item() if hasattr(value, "item") else value
    return str(value) if isinstance(value, (dict, list, tuple)) else plain(value)
