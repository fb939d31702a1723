"""The common parts of results: error certificate, plan, saving and loading."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.util
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from ._array import from_caller


@dataclasses.dataclass(frozen=True)
class ErrorEstimate:
    """How far the approximation is from A, and how sure that is.

    Attributes
    ----------
    value : float, or array with one number per matrix of a batch
        ``||A - approximation||`` in the norm named by `norm`.
    relative : float
        `value` divided by the same norm of A (0 when both are 0).
    norm : {"fro", "spectral", "nuclear"}
        "nuclear", the sum of the singular values, is the trace of a positive semidefinite error.
    kind : {"exact", "estimate", "bound"}
        "exact" up to rounding; "estimate" an unbiased or consistent statistic; "bound" never below.
    upper : float
        Upper bound that holds but with probability `failure_probability`.
    failure_probability : float
        0 for kind "exact".
    """

    value: float
    relative: float
    norm: str
    kind: str
    upper: float
    failure_probability: float

    def scaled(self, exponent: int) -> ErrorEstimate:
        """Return the certificate of ``2**exponent`` times the matrix."""
        value, upper = (float(np.ldexp(x, exponent)) for x in (self.value, self.upper))
        return dataclasses.replace(self, value=value, upper=upper)

    def __repr__(self) -> str:
        sign = {"exact": "=", "estimate": "~", "bound": "<="}[self.kind]
        relative, upper = (
            float(np.max(np.asarray(x), initial=0.0)) for x in (self.relative, self.upper)
        )
        text = f"error {sign} {relative:.3g} of the {self.norm} norm"
        if np.ndim(np.asarray(self.value)):
            text += " at worst"
        if self.kind == "estimate":
            text += f" (<= {upper:.3g} absolute, failure probability {self.failure_probability:g})"
        return f"<{text}>"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What was chosen, why, and what it cost; prints as a small table.

    Attributes
    ----------
    choices : dict
        Setting -> value, after ``"auto"`` is resolved.
    reasons : dict
        Setting -> one sentence, for what was chosen automatically.
    passes : int
        Readings of A.
    seconds : dict
        Stage -> wall-clock seconds.
    """

    choices: dict[str, Any]
    reasons: dict[str, str]
    passes: int
    seconds: dict[str, float]

    def __str__(self) -> str:
        rows = [
            (key, _short(value), self.reasons.get(key, "")) for key, value in self.choices.items()
        ]
        rows.append(("passes over A", str(self.passes), ""))
        rows += [(f"{stage} (s)", f"{time:.4f}", "") for stage, time in self.seconds.items()]
        widths = [max(len(row[c]) for row in rows) for c in (0, 1)]
        return "\n".join(f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c}".rstrip() for a, b, c in rows)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def history_of(rows: Any, exponent: int = 0) -> tuple[dict[str, Any], ...]:
    """Blocks of an adaptive method as the compiled module lists them, of ``2**exponent`` times the matrix."""
    names = ("rank", "residual", "exact", "accepted", "proposed")
    return scaled_history((dict(zip(names, row, strict=True)) for row in rows), exponent)


def scaled_history(history: Iterable[dict[str, Any]], exponent: int) -> tuple[dict[str, Any], ...]:
    """Return the history of ``2**exponent`` times the matrix."""
    return tuple(
        {**entry, "residual": float(np.ldexp(entry["residual"], exponent))} for entry in history
    )


class Result:
    """Base of results: unpacking, dictionaries, files."""

    _registry: ClassVar[dict[str, type[Result]]] = {}
    _unpacks: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        Result._registry[cls.__name__] = cls

    def __iter__(self) -> Iterator[Any]:
        return iter([getattr(self, name) for name in self._unpacks])

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary of arrays and plain values."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
        }

    def save(self, path: str | Path) -> None:
        """Write the result to an ``.npz`` file, or ``.safetensors`` if the name ends so.

        Arrays are stored as they are, everything else as JSON; nothing is pickled. Reading gives
        numpy arrays, whatever library A came from.
        """
        arrays: dict[str, np.ndarray[Any, Any]] = {}
        tree = {
            "class": type(self).__name__,
            "fields": _flatten(from_caller(self).to_dict(), "", arrays),
        }
        text = json.dumps(tree)
        if str(path).endswith(".safetensors"):
            _require_safetensors(path)
            from safetensors.numpy import save_file

            # The format has no complex128: real and imaginary parts become the last axis.
            pairs = [name for name, a in arrays.items() if a.dtype == np.complex128]
            contiguous = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
            for name in pairs:
                contiguous[name] = contiguous[name][..., None].view(np.float64)
            metadata = {"subspan": text, "complex128": json.dumps(pairs)}
            save_file(contiguous, str(path), metadata=metadata)
        else:
            with open(path, "wb") as file:
                np.savez(file, **{"subspan": np.array(text), **arrays})  # type: ignore[arg-type]

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> Self:
        return cls(**fields)


def load(path: str | Path) -> Result:
    """Read a result written by ``result.save(path)``.

    Parameters
    ----------
    path : str or path-like
        An ``.npz`` or ``.safetensors`` file.

    Returns
    -------
    Result
        An object of the class that was saved.

    Raises
    ------
    ValueError
        If the file was not written by subspan.

    Examples
    --------
    >>> import numpy as np, subspan, tempfile, os
    >>> r = subspan.interpolative(np.eye(4)[:, [0, 1, 0]], 2, rng=0)
    >>> file = os.path.join(tempfile.mkdtemp(), "r.npz")
    >>> r.save(file)
    >>> subspan.load(file).rank
    2
    """
    if str(path).endswith(".safetensors"):
        _require_safetensors(path)
        from safetensors import safe_open

        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            text = metadata.get("subspan")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for name in json.loads(metadata.get("complex128", "[]")):
            arrays[name] = arrays[name].view(np.complex128)[..., 0]
    else:
        arrays = _read_npz(path)
        text = str(arrays.pop("subspan")) if "subspan" in arrays else None
    tree = None
    with contextlib.suppress(json.JSONDecodeError):
        tree = json.loads(text or "null")
    if not isinstance(tree, dict) or not {"class", "fields"} <= set(tree):
        raise ValueError(f"path={str(path)!r} does not hold a result of subspan")
    if not _is_known(tree["class"]):
        raise ValueError(f"path={str(path)!r} holds an unknown result, {tree['class']!r}")
    return Result._registry[tree["class"]]._from_fields(_unflatten(tree["fields"], arrays))


# Where our results are defined: a file names the class, and code is imported from this list alone.
_HOMES = {
    "angles": ("CanonicalAngles", "Recommendation", "SubspaceAngles"),
    "cholesky": ("PivotedCholesky",),
    "cur": ("CURDecomposition",),
    "eigen": ("EighResult",),
    "interp": ("InterpolativeDecomposition",),
    "pruning": (
        "LowRankWeights",
        "MaskedWeights",
        "PredictedError",
        "PrunedUnits",
        "Reconstruction",
        "SliceRotation",
        "SparseSolution",
        "UnitSelection",
    ),
    "qr": ("PivotedQR", "TransposedQR"),
    "range_finder": ("RangeResult",),
    "selection": ("Certificate", "Selection"),
    "svd": ("SVDResult",),
    "torch.pruning": ("ModelStatistics",),
    "w2s": ("Bias", "Measurements", "Risks", "SpuriousRisks", "TeacherRanking", "W2SReport"),
}


def _is_known(name: str) -> bool:
    """Tell whether there is a result class of that name; what defines it is imported."""
    for home, names in _HOMES.items():
        if name in names:
            importlib.import_module(f".{home}", __package__)
    return name in Result._registry


def _require_safetensors(path: str | Path) -> None:
    if importlib.util.find_spec("safetensors") is None:
        raise ImportError(
            f"{path} needs safetensors: pip install safetensors, or name the file .npz"
        )


def _read_npz(path: str | Path) -> dict[str, Any]:
    """Return the arrays of an ``.npz`` file; none if it is another kind of file."""
    with open(path, "rb") as start:
        if start.read(2) != b"PK":
            return {}
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


_PLAIN = {"ErrorEstimate": ErrorEstimate, "Plan": Plan}


def _flatten(value: Any, name: str, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    """Turn a field into JSON, moving arrays (dense or sparse) into `arrays`."""
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"array": name}
    if type(value).__module__.startswith("scipy.sparse"):
        columns = value.tocsc()
        for part in ("data", "indices", "indptr"):
            arrays[f"{name}.{part}"] = getattr(columns, part)
        return {"csc": name, "shape": list(columns.shape)}
    if type(value).__name__ in _PLAIN:
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {"plain": type(value).__name__, "fields": _flatten(fields, name, arrays)}
    if isinstance(value, Result):
        return {
            "result": type(value).__name__,
            "fields": _flatten(value.to_dict(), name, arrays),
        }
    if isinstance(value, dict):
        return {
            "dict": {k: _flatten(v, f"{name}.{k}" if name else k, arrays) for k, v in value.items()}
        }
    if isinstance(value, (tuple, list)):
        return {"tuple": [_flatten(v, f"{name}.{i}", arrays) for i, v in enumerate(value)]}
    if isinstance(value, np.dtype):
        return {"dtype": value.str}
    if isinstance(value, np.generic):
        return value.item()
    return value


def _unflatten(tree: Any, arrays: dict[str, Any]) -> Any:
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        return arrays[tree["array"]]
    if "csc" in tree:
        from scipy.sparse import csc_array

        parts = tuple(arrays[f"{tree['csc']}.{part}"] for part in ("data", "indices", "indptr"))
        return csc_array(parts, shape=tuple(tree["shape"]))
    if "plain" in tree:
        return _PLAIN[tree["plain"]](**_unflatten(tree["fields"], arrays))
    if "result" in tree:
        if not _is_known(tree["result"]):
            raise ValueError(f"the file holds an unknown result, {tree['result']!r}")
        return Result._registry[tree["result"]]._from_fields(_unflatten(tree["fields"], arrays))
    if "tuple" in tree:
        return tuple(_unflatten(v, arrays) for v in tree["tuple"])
    if "dtype" in tree:
        return np.dtype(tree["dtype"])
    return {k: _unflatten(v, arrays) for k, v in tree["dict"].items()}
