"""Attention heads: which attend alike, and which numbers of them a model can have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from .._array import as_rank
from .inputs import Array, Indices, real_array

KINDS = ("sqrt_js", "js")


class HeadDivergence:
    """Mean Jensen-Shannon divergence between the attention of every two heads, streamed.

    Parameters
    ----------
    heads : int
    kind : {"sqrt_js", "js"}
        "sqrt_js": the distance ``sqrt(JS)`` of every row is averaged, at most ``sqrt(log 2) = 0.83``;
        published thresholds (0.16 to 0.20) are on this scale. "js": the divergence, in nats.

    Notes
    -----
    ``JS(p, q) = h((p + q) / 2) - (h(p) + h(q)) / 2`` with the entropy h: masked positions have probability 0
    and contribute nothing. Rows without any probability (padding) are left out. ``heads^2 / 2``
    entropies per row.

    References
    ----------
    Li, Dong, Lei, arXiv 2407.19126, Section 3; its code takes the square root and only one batch.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import HeadDivergence
    >>> attention = np.array([[[[1.0, 0.0]], [[0.0, 1.0]]]])  # two heads, one row
    >>> HeadDivergence(2, kind="js").update(attention).matrix().round(3)
    array([[0.   , 0.693],
           [0.693, 0.   ]])
    """

    def __init__(self, heads: int, *, kind: str = "sqrt_js") -> None:
        if kind not in KINDS:
            raise ValueError(f"kind={kind!r} is not known; expected one of {KINDS}")
        self.heads, self.kind, self.rows = as_rank(heads, 2**20, "heads"), kind, 0
        self._sum = np.zeros((self.heads, self.heads))

    def update(self, attention: Any) -> Self:
        """Add probabilities of shape (sequences, heads, queries, keys), each row summing to 1 or 0."""
        P = real_array(attention, "attention", 4)
        if P.shape[1] != self.heads:
            raise ValueError(f"attention has {P.shape[1]} heads; expected {self.heads}")
        if P.size and P.min() < 0:
            raise ValueError("attention has a negative probability")
        for sequence in P:
            rows = sequence.astype(np.float64)
            sums = rows.sum(2)
            used = (sums > 0.5).all(0)
            if np.abs(sums[:, used] - 1).max(initial=0.0) > 1e-2:
                raise ValueError("rows of attention must sum to 1")
            self._add(rows[:, used] / sums[:, used, None])
        return self

    def _add(self, P: Array) -> None:
        self.rows += P.shape[1]
        single = _entropy(P)
        for i in range(self.heads):
            for j in range(i + 1, self.heads):
                js = np.maximum(_entropy((P[i] + P[j]) / 2) - (single[i] + single[j]) / 2, 0.0)
                value = float((np.sqrt(js) if self.kind == "sqrt_js" else js).sum())
                self._sum[i, j] += value
                self._sum[j, i] += value

    def merge(self, other: HeadDivergence) -> HeadDivergence:
        """Return the divergences over the rows of both."""
        if (self.heads, self.kind) != (other.heads, other.kind):
            raise ValueError("cannot merge divergences of other heads or another kind")
        both = HeadDivergence(self.heads, kind=self.kind)
        both.rows, both._sum = self.rows + other.rows, self._sum + other._sum
        return both

    def matrix(self) -> Array:
        """Symmetric, of order `heads`, zero on the diagonal."""
        if self.rows == 0:
            raise ValueError("no attention has been added")
        return self._sum / self.rows


def head_divergence(batches: Iterable[Any], *, kind: str = "sqrt_js") -> Array:
    """Divergence matrix of batches of attention probabilities, see :class:`HeadDivergence`."""
    found: HeadDivergence | None = None
    for batch in batches:
        if found is None:
            found = HeadDivergence(int(batch.shape[1]), kind=kind)
        found.update(batch)
    if found is None:
        raise ValueError("batches hold no attention")
    return found.matrix()


def _entropy(P: Array) -> Array:
    from scipy.special import entr

    return np.asarray(entr(P).sum(-1))


def redundant_heads(
    D: Any, *, tau: float | None = None, n_remove: int | None = None, scores: Any = None
) -> Indices:
    """Heads to remove so that of every similar pair one stays (GOA, Algorithm 2).

    Pairs are visited by increasing divergence; if both heads are still there, one goes.

    Parameters
    ----------
    D : array, shape (heads, heads)
        Divergences, symmetric.
    tau : float, optional
        Pairs below it are similar.
    n_remove : int, optional
        How many heads to remove, in place of `tau`.
    scores : array, shape (heads,), optional
        Of a pair the head with the smaller one goes; without, the first.

    Returns
    -------
    array of int64
        Heads to remove, ascending.

    Raises
    ------
    ValueError
        If not exactly one of `tau` and `n_remove` is given, or D is not symmetric.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.pruning import redundant_heads
    >>> redundant_heads(np.array([[0, 0.1, 0.5], [0.1, 0, 0.5], [0.5, 0.5, 0]]), tau=0.16)
    array([0])
    """
    D = real_array(D, "D").astype(np.float64)
    heads = len(D)
    if D.shape != (heads, heads) or not np.allclose(D, D.T):
        raise ValueError(f"D must be symmetric, got shape {D.shape}")
    if (tau is None) == (n_remove is None):
        raise ValueError("exactly one of tau and n_remove must be given")
    limit = np.inf if tau is None else float(tau)
    most = heads if n_remove is None else as_rank(n_remove, max(heads - 1, 0), "n_remove")
    worth = np.arange(heads, dtype=float) if scores is None else real_array(scores, "scores", 1)
    if worth.shape != (heads,):
        raise ValueError(f"scores has shape {worth.shape}; expected {(heads,)}")
    first, second = np.triu_indices(heads, 1)
    gone: set[int] = set()
    for pair in np.argsort(D[first, second], kind="stable"):
        i, j = int(first[pair]), int(second[pair])
        if len(gone) >= most or not D[i, j] < limit:
            break
        if i not in gone and j not in gone:
            gone.add(i if worth[i] <= worth[j] else j)
    return np.array(sorted(gone), np.int64)


def head_units(heads: int, kv_heads: int, head_dim: int) -> list[Indices]:
    """Columns of the output projection that go together: a head, or all heads of a shared key and value.

    Examples
    --------
    >>> from subspan.pruning import head_units
    >>> head_units(4, 2, 1)
    [array([0, 1]), array([2, 3])]
    """
    if kv_heads < 1 or heads % kv_heads:
        raise ValueError(f"heads={heads} must be a multiple of kv_heads={kv_heads}")
    width = heads // kv_heads * head_dim
    return [np.arange(u * width, (u + 1) * width, dtype=np.int64) for u in range(kv_heads)]


def legal_head_counts(heads: int, kv_heads: int, hidden_size: int | None = None) -> list[int]:
    """Numbers of query heads that a stock configuration can have after pruning.

    With shared keys and values either whole groups leave, or the same number of query heads leaves every
    group; some configurations also insist that `hidden_size` is a multiple of the number of heads.

    Examples
    --------
    >>> from subspan.pruning import legal_head_counts
    >>> legal_head_counts(9, 3, 576), legal_head_counts(8, 2), legal_head_counts(4, 4, 32)
    ([3, 6, 9], [2, 4, 6, 8], [1, 2, 4])
    """
    if kv_heads < 1 or heads % kv_heads:
        raise ValueError(f"heads={heads} must be a multiple of kv_heads={kv_heads}")
    groups = range(heads // kv_heads, heads + 1, heads // kv_heads)
    counts = {*groups, *range(kv_heads, heads + 1, kv_heads)}
    return [h for h in sorted(counts) if hidden_size is None or hidden_size % h == 0]
