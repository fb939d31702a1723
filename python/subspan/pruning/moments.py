"""Streaming first and second moments of activations."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .. import sketch as _sketch
from .._array import as_array, as_rank
from .._rng import seed_word
from ..result import Result

GRAMS = ("full", "diag", "sketch")
_TILE = 4096  # rows that are converted to double precision at a time
_BLOCK = 64  # rows and columns that are transposed at a time
_ROWS = 2**40 - 1  # more than any stream has: columns of the operator that sketches rows


class Moments:
    """Count, mean and second moment of rows that arrive in batches.

    Parameters
    ----------
    dim : int
        Columns of the rows.
    gram : {"full", "diag", "sketch"}
        What is kept of the second moment: all of it, ``dim^2`` numbers; the diagonal, which is enough for
        the scores of Wanda, FLAP and the second moment; or a sparse sign sketch of the rows,
        ``size dim`` numbers, whose Gram matrix estimates it.
    outputs : int
        Columns of targets Y that come with the rows, for least-squares refits; 0 for none.
    size : int, optional
        Rows of the sketch, for ``gram="sketch"``.
    rng : int, numpy.random.Generator, SeedSequence or None
        Of the sketch.

    Attributes
    ----------
    n : int
        Rows seen.
    weight : float
        Sum of their weights.
    mean : array, shape (dim,)

    Notes
    -----
    Everything is accumulated in float64 about the running mean (Chan, Golub, LeVeque 1979), whatever the
    dtype of the rows: a covariance survives means a thousand times larger. ``dim^2`` flops per row.
    Batches and merges may come in any order; results agree up to rounding, and those of a sketch
    if rows keep their positions. What the methods return are copies: nothing that uses moments
    changes them.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import Moments
    >>> X = np.arange(12.0).reshape(6, 2)
    >>> first, second = Moments(2), Moments(2)
    >>> both = first.update(X[:4]).merge(second.update(X[4:]))
    >>> both.n, bool(np.allclose(both.second_moment(), X.T @ X / 6))
    (6, True)
    """

    def __init__(
        self,
        dim: int,
        *,
        gram: str = "full",
        outputs: int = 0,
        size: int | None = None,
        rng: Any = None,
    ) -> None:
        if gram not in GRAMS:
            raise ValueError(f"gram={gram!r} is not known; expected one of {GRAMS}")
        if (size is None) == (gram == "sketch"):
            raise ValueError(f"size={size} does not go with gram={gram!r}: only sketches have one")
        self.dim, self.gram = as_rank(dim, 2**31, "dim"), gram
        self.outputs = as_rank(outputs, 2**31, "outputs")
        self.n, self.weight = 0, 0.0
        self.mean = np.zeros(self.dim)
        self.seed = seed_word(rng) if gram == "sketch" else 0
        self._size = 0 if size is None else as_rank(size, 2**31, "size")
        # About the mean: the upper triangle of the scatter matrix, its diagonal, or that beside the sketch.
        self._scatter = np.zeros((self.dim, self.dim) if gram == "full" else self.dim)
        self._sketch = np.zeros((self._size, self.dim if gram == "sketch" else 0))
        self._cross = np.zeros((self.dim, self.outputs))
        self._sum_outputs = np.zeros(self.outputs)
        self._outputs_squared = np.zeros(self.outputs)

    def update(
        self, X: Any, Y: Any = None, *, weights: Any = None, start: int | None = None
    ) -> Self:
        """Add rows.

        Parameters
        ----------
        X : array, shape (b, dim)
        Y : array, shape (b, outputs), optional
        weights : array of shape (b,), optional
            Not negative; 1 by default.
        start : int, optional
            Position of the first row in the whole stream; those seen so far by default. Only a sketch
            depends on it: accumulators that are to be merged need disjoint positions.

        Returns
        -------
        Moments
            Itself.

        Raises
        ------
        ValueError
            If shapes do not fit, an entry is not finite, or these are moments of some of the targets of
            others, to be read only; nothing is then added.
        """
        if not self._scatter.flags.writeable:
            raise ValueError("these moments are read-only: they share the memory of others")
        X = as_array(X, "X")
        if X.ndim != 2 or X.shape[1] != self.dim:
            raise ValueError(f"X has shape {X.shape}; expected (rows, {self.dim})")
        _require_real(X, "X")
        if (Y is None) != (self.outputs == 0):
            raise ValueError(f"Y must be given exactly if outputs > 0; outputs is {self.outputs}")
        if Y is not None:
            Y = as_array(Y, "Y")
            if Y.shape != (len(X), self.outputs):
                raise ValueError(f"Y has shape {Y.shape}; expected {(len(X), self.outputs)}")
            _require_real(Y, "Y")
        w = np.ones(len(X)) if weights is None else np.array(weights, np.float64)
        if w.shape != (len(X),) or not (np.isfinite(w).all() and (w >= 0).all()):
            raise ValueError(f"weights must be {len(X)} finite numbers, none of them negative")
        position = self.n if start is None else as_rank(start, _ROWS - len(X), "start")
        for p in range(0, len(X), _TILE):
            rows = slice(p, p + _TILE)
            self._add(X[rows], None if Y is None else Y[rows], w[rows], position + p)
        return self

    def _add(self, X: NDArray[Any], Y: NDArray[Any] | None, w: NDArray[Any], start: int) -> None:
        total = float(w.sum())
        self.n += len(X)
        if total == 0:
            return
        X = X.astype(np.float64)
        mean = w @ X / total
        step, share = self._step(total, mean)
        # The step of the mean is one more row: its square comes with the product of the others.
        rows = np.empty((len(X) + 1, self.dim))
        np.subtract(X, mean, out=rows[:-1])
        rows[:-1] *= np.sqrt(w)[:, None]
        rows[-1] = np.sqrt(share) * step
        self._move(total, step)
        self._add_squares(rows)
        if self.gram == "sketch":
            S = _sketch.SparseSign(self._size, _ROWS, rng=self.seed)
            weighted = X * np.sqrt(w)[:, None]
            self._sketch += S.accumulator(self.dim).update(weighted, start).value
        if Y is not None:
            Y = Y.astype(np.float64)
            self._cross += (X * w[:, None]).T @ Y
            self._sum_outputs += w @ Y
            self._outputs_squared += w @ Y**2

    def _add_squares(self, rows: NDArray[np.float64]) -> None:
        if self.gram != "full":
            self._scatter += np.einsum("ij,ij->j", rows, rows)
            return
        if self.dim == 0:  # BLAS takes no matrix without rows
            return
        from scipy.linalg.blas import dsyrk

        both = self._scatter.T  # in Fortran order
        self._scatter = dsyrk(1.0, rows.T, beta=1.0, c=both, lower=1, overwrite_c=1).T

    def _step(self, total: float, mean: NDArray[Any]) -> tuple[NDArray[Any], float]:
        """``mu' - mu`` and ``w w' / (w + w')``: what joining other rows adds to the scatter."""
        return mean - self.mean, self.weight * total / (self.weight + total)

    def _move(self, total: float, step: NDArray[Any]) -> None:
        self.weight += total
        self.mean = self.mean + step * (total / self.weight)

    def merge(self, other: Moments) -> Moments:
        """Return the moments of the rows of both; neither is changed."""
        mine, theirs = self._kind(), other._kind()
        if mine != theirs:
            raise ValueError(f"cannot merge moments of kinds {mine} and {theirs}")
        both = self.copy()
        both.n += other.n
        if other.weight > 0:
            step, share = both._step(other.weight, other.mean)
            spread = np.outer(step, step) if self.gram == "full" else step**2
            both._scatter += other._scatter + share * spread
            both._move(other.weight, step)
        both._sketch += other._sketch
        both._cross += other._cross
        both._sum_outputs += other._sum_outputs
        both._outputs_squared = both._outputs_squared + other._outputs_squared
        return both

    def _kind(self) -> tuple[Any, ...]:
        return (self.dim, self.gram, self.outputs, self._size, self.seed)

    def copy(self) -> Moments:
        """Return moments that can be updated apart."""
        return Moments.from_dict(self.to_dict())

    def squares(self) -> NDArray[np.float64]:
        """``E[x_j^2]``, shape (dim,)."""
        return self.variance() + self.mean**2

    def variance(self) -> NDArray[np.float64]:
        """``Var(x_j)``, shape (dim,), about the mean of all rows, not one less."""
        self._require_rows()
        diagonal = np.diagonal(self._scatter) if self.gram == "full" else self._scatter
        return np.asarray(diagonal / self.weight)

    def covariance(self) -> NDArray[np.float64]:
        """``E[(x - mu)(x - mu)^T]``, shape (dim, dim); of a sketch, an estimate."""
        if self.gram == "full":
            self._require_rows()
            return _mirrored(self._scatter / self.weight)
        return self.second_moment() - np.outer(self.mean, self.mean)

    def second_moment(self) -> NDArray[np.float64]:
        """``E[x x^T]``, shape (dim, dim); of a sketch, an unbiased estimate."""
        self._require_rows()
        if self.gram == "full":
            return self.covariance() + np.outer(self.mean, self.mean)
        if self.gram == "sketch":
            return np.asarray(self._sketch.T @ self._sketch / self.weight)
        raise ValueError("second_moment needs gram='full' or 'sketch'; these moments are diagonal")

    @property
    def sketch(self) -> NDArray[np.float64]:
        """``Omega X``, shape (size, dim), for ``gram="sketch"``: its columns can be pivoted."""
        if self.gram != "sketch":
            raise ValueError(f"moments with gram={self.gram!r} hold no sketch")
        return self._sketch.copy()

    def cross(self) -> NDArray[np.float64]:
        """``E[x y^T]``, shape (dim, outputs)."""
        self._require_rows()
        return np.asarray(self._cross / self.weight)

    def mean_outputs(self) -> NDArray[np.float64]:
        """``E[y]``, shape (outputs,)."""
        self._require_rows()
        return np.asarray(self._sum_outputs / self.weight)

    def outputs_squared(self) -> float:
        """``E[|y|^2]``."""
        self._require_rows()
        return float(self._outputs_squared.sum()) / self.weight

    def of_outputs(self, which: slice) -> Moments:
        """Return the moments with only these of the targets, to be read: no rows can be added."""
        part = Moments.from_dict(vars(self))
        part._scatter = self._scatter.view()
        part._scatter.flags.writeable = False  # the memory is that of all
        part._cross = self._cross[:, which]
        part._sum_outputs = self._sum_outputs[which]
        part._outputs_squared = self._outputs_squared[which]
        part.outputs = part._cross.shape[1]
        return part

    def _require_rows(self) -> None:
        if self.weight == 0:
            raise ValueError("no rows have been added to these moments")

    def to_dict(self) -> dict[str, Any]:
        """Return the whole state as arrays and plain values."""
        return {
            name: np.copy(v) if isinstance(v, np.ndarray) else v for name, v in vars(self).items()
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Moments:
        """Return the moments whose state this is."""
        new = cls.__new__(cls)
        vars(new).update(state)
        return new

    def save(self, path: str | Path) -> None:
        """Write to a ``.npz`` or ``.safetensors`` file; nothing is pickled."""
        _Stored(self.to_dict()).save(path)

    @classmethod
    def load(cls, path: str | Path) -> Moments:
        """Read what `save` wrote; more rows may be added."""
        from ..result import load

        stored = load(path)
        if not isinstance(stored, _Stored):
            raise ValueError(f"path={str(path)!r} holds {stored!r:.60}; expected moments")
        return cls.from_dict(stored.state)

    def __repr__(self) -> str:
        return f"<Moments: {self.n} rows of {self.dim}, {self.gram}>"


class _Stored(Result):
    """The state of moments in the file format of results."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def to_dict(self) -> dict[str, Any]:
        return {"state": self.state}


def _mirrored(S: NDArray[np.float64]) -> NDArray[np.float64]:
    """Overwrite the lower triangle by the upper one, in blocks that stay in the cache."""
    for i in range(0, len(S), _BLOCK):
        rows = slice(i, i + _BLOCK)
        upper = np.triu(S[rows, rows])
        S[rows, rows] = upper + np.triu(upper, 1).T
        S[i + _BLOCK :, rows] = S[rows, i + _BLOCK :].T
    return S


def _require_real(X: NDArray[Any], name: str) -> None:
    if X.dtype.kind == "c":
        raise TypeError(f"{name} has dtype {X.dtype}; expected real numbers")
    if not np.isfinite(X).all():
        raise ValueError(f"{name} contains NaN or infinite values")


def gram(activations: Any, *, kind: str = "full", **options: Any) -> Moments:
    """Accumulate the moments of activations.

    Parameters
    ----------
    activations : array of shape (tokens, dim), or iterable of such arrays
        One row per token.
    kind : {"full", "diag", "sketch"}
    **options
        Of :class:`Moments`.

    Returns
    -------
    Moments

    Raises
    ------
    ValueError
        If there are no batches, widths differ or an entry is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import gram
    >>> gram(np.ones((5, 3)) for _ in range(4))
    <Moments: 20 rows of 3, full>
    """
    batches: Iterable[Any] = [activations] if hasattr(activations, "shape") else activations
    moments: Moments | None = None
    for batch in batches:
        if moments is None:
            if len(batch.shape) != 2:
                raise ValueError(
                    f"activations have shape {tuple(batch.shape)}; expected (tokens, dim)"
                )
            moments = Moments(int(batch.shape[1]), gram=kind, **options)
        moments.update(batch)
    if moments is None:
        raise ValueError("activations hold no batch")
    return moments
