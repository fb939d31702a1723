"""Scores of inner units of a module ``x -> h -> h W^T``: larger is more worth keeping.

Columns of W (outputs by m) read the m inner units; rows of the first matrices make them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .inputs import Array, real_array, second_moment_of, squares_of, wide_matrix
from .moments import Moments

VARIANTS = ("paper", "code")


def magnitude_scores(W: Any, level1: Sequence[Any] = ()) -> Array:
    """``|w_j|^2``, plus the squared norms of the rows that make unit j; no data, ``O(m d)`` flops.

    Parameters
    ----------
    W : array, shape (outputs, m)
    level1 : sequence of arrays, shape (m, inputs) each

    Returns
    -------
    array of float64, shape (m,)

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import magnitude_scores
    >>> magnitude_scores(np.array([[3.0, 0.0], [4.0, 1.0]]))
    array([25.,  1.])
    """
    W = wide_matrix(W, "W")
    return _column_squares(W) + sum(_rows_squares(A, W.shape[1]) for A in level1)


def wanda_scores(W: Any, moments: Any) -> Array:
    """``mean_i |W_ij| sqrt(E h_j^2)`` (Sun et al., arXiv 2306.11695, summed over outputs).

    Parameters
    ----------
    W : array, shape (outputs, m)
    moments : Moments, or array of shape (m,) or (m, m)
        ``E h_j^2``, or the second moment.

    Returns
    -------
    array of float64, shape (m,)
    """
    W = wide_matrix(W, "W")
    return np.asarray(np.abs(W).mean(0) * np.sqrt(squares_of(moments, W.shape[1])))


def second_moment_scores(W: Any, moments: Any) -> Array:
    """``|w_j|^2 E h_j^2``: what dropping unit j alone costs, exactly; parameters as `wanda_scores`.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import second_moment_scores
    >>> second_moment_scores(np.eye(2), np.array([4.0, 9.0]))
    array([4., 9.])
    """
    W = wide_matrix(W, "W")
    return _column_squares(W) * squares_of(moments, W.shape[1])


def flap_scores(W: Any, moments: Any, *, variant: str = "WIFV") -> Array:
    """``|w_j|^2 Var(h_j)``, the cost where a bias makes up for the mean (An et al., arXiv 2312.11983).

    Parameters
    ----------
    W : array, shape (outputs, m)
    moments : Moments, or array of shape (m,)
        Of h, or its variances.
    variant : {"WIFV", "IFV"}
        "IFV" leaves the weights out.
    """
    if variant not in ("WIFV", "IFV"):
        raise ValueError(f"variant={variant!r} is not known; expected 'WIFV' or 'IFV'")
    W = wide_matrix(W, "W")
    m = W.shape[1]
    variance = moments.variance() if isinstance(moments, Moments) else squares_of(moments, m)
    if variance.shape != (m,):
        raise ValueError(f"moments is about {len(variance)} channels; expected {m}")
    return variance * (_column_squares(W) if variant == "WIFV" else 1.0)


def goa_scores(
    W: Any,
    level1: Sequence[Any],
    input_moments: Any = None,
    *,
    variant: str = "paper",
    activation: str = "linear",
) -> Array:
    """Second moment of GOA: what is predicted of ``E h_j^2`` from the moments of the module's input.

    Parameters
    ----------
    W : array, shape (outputs, m)
        Second matrix.
    level1 : sequence of one or two arrays, shape (m, inputs)
        The first matrix A, or the gate and the up matrix of a gated module, in this order.
    input_moments : Moments or array of shape (inputs, inputs), optional
        Of the module's input x; the identity if there is no data.
    variant : {"paper", "code"}
        "paper": ``|w_j|^2 (a_j^T S a_j)``, halved unless linear; for a gated module the product of that
        of both matrices. "code", what the authors ran: ``|w_j|`` not squared, S a covariance, and the
        activation applied to the quadratic form (of the gate) itself.
    activation : {"linear", "relu", "gelu", "silu"}

    Returns
    -------
    array of float64, shape (m,)

    Raises
    ------
    ValueError
        If shapes do not fit or a name is not known.

    Notes
    -----
    One product ``A S`` per matrix. For a linear module both equal :func:`second_moment_scores`, which
    measures ``E h_j^2`` and needs no model of the activation.

    References
    ----------
    Li, Dong, Lei, *Greedy Output Approximation*, arXiv 2407.19126, equations 1 to 3.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import goa_scores
    >>> goa_scores(np.eye(2), [np.array([[1.0, 0.0], [1.0, 1.0]])])
    array([1., 2.])
    """
    if variant not in VARIANTS:
        raise ValueError(f"variant={variant!r} is not known; expected one of {VARIANTS}")
    if activation not in _ACTIVATIONS:
        raise ValueError(f"activation={activation!r} is not known; expected {tuple(_ACTIVATIONS)}")
    if len(level1) not in (1, 2):
        raise ValueError(f"level1 holds {len(level1)} matrices; expected one, or gate and up")
    W = wide_matrix(W, "W")
    forms = [_quadratic_forms(A, W.shape[1], input_moments, variant) for A in level1]
    squares = _column_squares(W)
    if variant == "code":
        shaped = np.sqrt(squares) * _ACTIVATIONS[activation](forms[0])
        return np.asarray(shaped * forms[1] if len(forms) == 2 else shaped)
    half = 1.0 if activation == "linear" else 0.5
    first = half * squares * forms[0]
    return first * squares * forms[1] if len(forms) == 2 else first


def _quadratic_forms(A: Any, m: int, moments: Any, variant: str) -> Array:
    """``a_j^T S a_j`` for every row of A."""
    A = real_array(A, "level1").astype(np.float64)
    if len(A) != m:
        raise ValueError(f"level1 has {len(A)} rows; expected {m}, the columns of W")
    if moments is None:
        return _column_squares(A.T)
    if variant == "code" and isinstance(moments, Moments):
        S = moments.covariance() * (moments.n / max(1, moments.n - 1))
    else:
        S = second_moment_of(moments, A.shape[1], "input_moments")
    return np.asarray(np.einsum("ij,ij->i", A @ S, A))


def _column_squares(W: Array) -> Array:
    return np.asarray(np.einsum("ij,ij->j", W, W))


def _rows_squares(A: Any, m: int) -> Array:
    A = wide_matrix(A, "level1")
    if len(A) != m:
        raise ValueError(f"level1 has {len(A)} rows; expected {m}, the columns of W")
    return np.asarray(np.einsum("ij,ij->i", A, A))


def _relu(x: Array) -> Array:
    return np.asarray(np.maximum(x, 0.0))


def _silu(x: Array) -> Array:
    from scipy.special import expit

    return np.asarray(x * expit(x))


def _gelu(x: Array) -> Array:
    from scipy.special import ndtr

    return np.asarray(x * ndtr(x))


_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda x: x,
    "relu": _relu,
    "gelu": _gelu,
    "silu": _silu,
}
