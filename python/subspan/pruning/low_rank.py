"""Linear layers as a product of two thin matrices."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from .._array import as_rank, library_of, to_caller
from .._rng import seed_word
from ..result import ErrorEstimate, Result
from .inputs import Array, real_array, second_moment_of, squares_of
from .masked import output_energy
from .moments import Moments
from .result import PredictedError

WEIGHTINGS = ("none", "whiten", "fisher", "asvd")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LowRankWeights(Result):
    """``W ~ A @ B``; unpacks into ``A, B``.

    Attributes
    ----------
    A : array, shape (outputs, rank)
    B : array, shape (rank, inputs)
    predicted : PredictedError or None
        What it changes in the output; None without second moments. "dropped" is the layer left out.
    weighting : str
    seed : int
    """

    A: Any
    B: Any
    predicted: PredictedError | None
    weighting: str
    seed: int

    _unpacks: ClassVar[tuple[str, ...]] = ("A", "B")

    @property
    def error(self) -> ErrorEstimate | None:
        """Frobenius norm of the change of the output, on the rows that were fitted."""
        return None if self.predicted is None else self.predicted.certificate()

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the product."""
        return (int(self.A.shape[0]), int(self.B.shape[1]))

    @property
    def dtype(self) -> Any:
        """Of both factors."""
        return self.A.dtype

    def toarray(self) -> Any:
        """Return the product."""
        return self.A @ self.B

    def __matmul__(self, x: Any) -> Any:
        return self.A @ (self.B @ x)

    def __repr__(self) -> str:
        return f"<LowRankWeights: {self.shape} of rank {self.A.shape[1]}, {self.predicted!r}>"


def low_rank(
    W: Any,
    rank: int,
    moments: Any = None,
    *,
    weighting: str = "whiten",
    fisher: Any = None,
    alpha: float = 0.5,
    held_out: Any = None,
    rng: Any = None,
) -> LowRankWeights:
    """Replace a linear layer ``x -> x W^T`` by two of a given inner width.

    Parameters
    ----------
    W : array, shape (outputs, inputs)
    rank : int
    moments : Moments or array, optional
        Of the inputs; required by "whiten" (the second moment) and "asvd" (its diagonal).
    weighting : {"whiten", "none", "fisher", "asvd"}
        What the truncated singular value decomposition is of. "whiten": ``W S^(1/2)``, the best of all
        products of this rank for the output on these inputs (SVD-LLM). "none": W. "fisher":
        ``W diag(fisher)`` (FWSVD). "asvd": ``W diag(E x_j^2)^(alpha / 2)``, root mean
        squares to the power alpha.
    fisher : array, shape (inputs,), optional
        Positive: roots of the mean squared gradients of the loss, summed over outputs.
    alpha : float
    held_out : Moments or array, optional
        To predict the error on as well.
    rng : int, numpy.random.Generator, SeedSequence or None

    Returns
    -------
    LowRankWeights
        ``A, B = r``, both scaled by the roots of the singular values.

    Raises
    ------
    ValueError
        If an argument is out of range or missing.

    Notes
    -----
    ``d^3`` flops for the root of the moments, by its eigenvectors: singular ones need no shift, directions
    that never occur are left out. Then :func:`subspan.svd`. Fewer parameters than W if
    ``rank < outputs inputs / (outputs + inputs)``.

    References
    ----------
    Wang et al., arXiv 2403.07378 ("whiten"); Hsu et al., arXiv 2207.00112 ("fisher"); Yuan et al., arXiv
    2312.05821 ("asvd").

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import low_rank
    >>> A, B = low_rank(np.diag([3.0, 2.0, 1.0]), 2, np.diag([0.0, 1.0, 9.0]), rng=0)
    >>> bool(np.allclose(A @ B, np.diag([0, 2, 1])))
    True
    """
    from ..svd import svd

    if weighting not in WEIGHTINGS:
        raise ValueError(f"weighting={weighting!r} is not known; expected one of {WEIGHTINGS}")
    library, given = library_of(W), real_array(W, "W")
    wide, seed = given.astype(np.float64), seed_word(rng)
    rank = as_rank(rank, min(given.shape), "rank")
    forward, back = _roots(given.shape[1], moments, weighting, fisher, alpha)
    image = wide @ forward
    U, s, Vh = svd(image, min(rank, min(image.shape)), rng=seed)
    root = np.sqrt(s)
    A, B = (U * root).astype(given.dtype), ((root[:, None] * Vh) @ back).astype(given.dtype)
    predicted = _predict(wide, A.astype(np.float64) @ B, moments, held_out)
    return to_caller(LowRankWeights(A, B, predicted, weighting, seed), library)


def _roots(
    inputs: int, moments: Any, weighting: str, fisher: Any, alpha: float
) -> tuple[Array, Array]:
    """F and its pseudo-inverse, the decomposition being that of W F."""
    if weighting == "none":
        return np.eye(inputs), np.eye(inputs)
    if weighting == "fisher":
        if fisher is None:
            raise ValueError("fisher must be given for weighting='fisher'")
        f = real_array(fisher, "fisher", 1).astype(np.float64)
        if f.shape != (inputs,) or not (f > 0).all():
            raise ValueError(f"fisher must be {inputs} positive numbers")
        return np.diag(f), np.diag(1 / f)
    if moments is None:
        raise ValueError(f"moments must be given for weighting={weighting!r}")
    if weighting == "asvd":
        scale = squares_of(moments, inputs) ** (alpha / 2)
        used = scale > 0
        return np.diag(scale), np.diag(np.divide(1.0, scale, where=used, out=np.zeros(inputs)))
    w, V = np.linalg.eigh(second_moment_of(moments, inputs))
    used = w > inputs * np.finfo(np.float64).eps * w.max(initial=0.0)
    if not used.any():
        return np.eye(inputs), np.eye(inputs)  # inputs that are always zero say nothing
    root = np.sqrt(w[used])
    return V[:, used] * root, (V[:, used] / root).T


def _predict(W: Array, new: Array, moments: Any, held_out: Any) -> PredictedError | None:
    if moments is None or (isinstance(moments, Moments) and moments.gram == "diag"):
        return None
    if not isinstance(moments, Moments) and np.ndim(moments) == 1:
        return None
    S = second_moment_of(moments, W.shape[1])
    whole = output_energy(W, S)
    lost = output_energy(W - new, S)
    test = None
    if held_out is not None:
        T = second_moment_of(held_out, W.shape[1], "held_out")
        size = output_energy(W, T)
        test = output_energy(W - new, T) / size if size > 0 else 0.0
    share = lost / whole if whole > 0 else 0.0
    return PredictedError(lost, share, test, 1.0, None if test is None else 1.0)
