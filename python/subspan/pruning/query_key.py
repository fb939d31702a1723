"""Channels of queries and keys: which matter to the logits, and the best ones of lower rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._array import as_rank
from .inputs import Array, second_moment_of, wide_matrix


def qk_scores(Wq: Any, Wk: Any, moments: Any) -> Array:
    """``(q_c^T S q_c)(k_c^T S k_c)``: mean square of what channel c adds to a logit of independent tokens.

    Parameters
    ----------
    Wq, Wk : array, shape (head_dim, inputs)
        Of one head. Biases: append them as a column, and a constant 1 to the inputs.
    moments : Moments or array, shape (inputs, inputs)

    Returns
    -------
    array of float64, shape (head_dim,)

    References
    ----------
    Li, Dong, Lei, arXiv 2407.19126, code only.
    """
    Q, K, S = _checked(Wq, Wk, moments)
    return np.asarray(np.einsum("ij,ij->i", Q @ S, Q) * np.einsum("ij,ij->i", K @ S, K))


def qk_reduce(Wq: Any, Wk: Any, moments: Any, rank: int) -> tuple[Array, Array]:
    """Queries and keys of fewer channels whose logits are as close as possible.

    Minimises ``E (x^T (Wq^T Wk - Wq'^T Wk') y)^2`` over independent tokens x and y: the truncated singular
    value decomposition in the metric of S on both sides. No matrix of order `inputs` but S is factored or
    formed.

    Parameters
    ----------
    Wq, Wk, moments
        As in :func:`qk_scores`.
    rank : int

    Returns
    -------
    Wq, Wk : array, shape (rank, inputs)
        The scale of the logits is as before: where a model divides by the root of the head dimension,
        multiply Wq by ``sqrt(rank / head_dim)``.

    Raises
    ------
    ValueError
        If shapes do not fit.

    Notes
    -----
    With rotary positions the channels of a pair turn together, at a frequency of their own: not for those.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import qk_reduce
    >>> W = np.diag([3.0, 1.0])
    >>> Q, K = qk_reduce(W, W, np.eye(2), 1)
    >>> bool(np.allclose(Q.T @ K, np.diag([9, 0])))
    True
    """
    Q, K, S = _checked(Wq, Wk, moments)
    rank = as_rank(rank, len(Q), "rank")
    # Q = C_q B_q with the rows of B_q orthonormal in the metric of S: Q^T K = B_q^T (C_q^T C_k) B_k.
    Cq, Bq = _orthonormal_rows(Q, S)
    Ck, Bk = _orthonormal_rows(K, S)
    U, s, Vh = np.linalg.svd(Cq.T @ Ck)
    kept = min(rank, len(s))
    root = np.sqrt(s[:kept])[:, None]
    new_q, new_k = np.zeros((2, rank, Q.shape[1]))
    new_q[:kept] = root * (U[:, :kept].T @ Bq)
    new_k[:kept] = root * (Vh[:kept] @ Bk)
    return new_q, new_k


def _orthonormal_rows(Q: Array, S: Array) -> tuple[Array, Array]:
    """C and B with ``C B S = Q S`` and ``B S B^T = I``, by the eigenvectors of ``Q S Q^T``."""
    w, V = np.linalg.eigh(Q @ S @ Q.T)
    used = w > len(Q) * np.finfo(np.float64).eps * w.max(initial=0.0)
    root = np.sqrt(w[used])
    return V[:, used] * root, (V[:, used] / root).T @ Q


def _checked(Wq: Any, Wk: Any, moments: Any) -> tuple[Array, Array, Array]:
    Q = wide_matrix(Wq, "Wq")
    K = wide_matrix(Wk, "Wk", Q.shape[1])
    if K.shape != Q.shape:
        raise ValueError(f"Wk has shape {K.shape}; expected that of Wq, {Q.shape}")
    return Q, K, second_moment_of(moments, Q.shape[1])
