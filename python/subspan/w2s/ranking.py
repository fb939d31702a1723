"""Which of several teachers will help a student most."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..result import Result
from .diagnose import diagnose
from .report import W2SReport
from .risks import Risks

Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TeacherRanking(Result):
    """Candidate teachers, the most helpful first; unpacks into ``names, error``.

    Attributes
    ----------
    names : tuple of str
    error : array
        Predicted mean squared error of the student on new labels: its excess risk and the noise. Without
        labels in units of the noise.
    reports : tuple of W2SReport
    risks : tuple of Risks

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.w2s import rank_teachers
    >>> x = np.random.default_rng(0).standard_normal((2000, 30))
    >>> r = rank_teachers({"alike": x[:, :10], "apart": x[:, 15:25]}, x[:, :20], n=100, N=1000, energy=1)
    >>> names, error = r
    >>> bool(error[0] < error[1])
    True
    """

    names: tuple[str, ...]
    error: Array
    reports: tuple[W2SReport, ...]
    risks: tuple[Risks, ...]

    _unpacks: ClassVar[tuple[str, ...]] = ("names", "error")

    def __len__(self) -> int:
        return 2

    def table(self) -> str:
        """One line for each teacher, as text."""
        columns = ("d_weak", "overlap", "teacher", "student", "PGR", "OPR")
        lines = [f"{'teacher model':<20}" + "".join(f"{name:>12}" for name in columns)]
        for name, report, risk in zip(self.names, self.reports, self.risks, strict=True):
            values = report.d_weak, report.d_overlap, risk.weak, risk.w2s, risk.pgr, risk.opr
            lines.append(f"{name[:19]:<20}" + "".join(f"{value:>12.4g}" for value in values))
        return "\n".join(lines)

    def __repr__(self) -> str:
        order = ", ".join(
            f"{name} ({error:.3g})" for name, error in zip(self.names, self.error, strict=True)
        )
        return f"<TeacherRanking: {order}>"


def rank_teachers(
    teachers: Mapping[str, Any] | Iterable[tuple[str, Any]],
    strong: Any,
    *,
    n: int,
    N: int,
    labels: Any = None,
    **options: Any,
) -> TeacherRanking:
    """Order candidate teachers by the predicted error of the student that each would teach.

    Parameters
    ----------
    teachers : mapping, or iterable of pairs
        Name -> features of the candidate, shape (m, D), rows paired with those of `strong`.
    strong : array, shape (m, D_s)
        Features of the student.
    n, N : int
        Labels that the teacher will be trained on, and pseudo-labels.
    labels : array, shape (m,) or (m, k), optional
        NaN where a row has no label. Without labels only the variance is compared, which canonical
        correlations and dimensions determine; labels add what each pair of models cannot express.
    **options
        Of :func:`diagnose`.

    Returns
    -------
    TeacherRanking

    Raises
    ------
    ValueError
        If there is no teacher, or a name occurs twice.

    Notes
    -----
    One pass over each pair of features. A teacher with ``n <= d_weak + 1`` has no finite risk and comes last.

    Examples
    --------
    >>> import numpy as np
    >>> from subspan.w2s import rank_teachers
    >>> x = np.random.default_rng(0).standard_normal((2000, 30))
    >>> r = rank_teachers({"alike": x[:, :10], "apart": x[:, 15:25]}, x[:, :20], n=100, N=1000, energy=1)
    >>> r.names
    ('apart', 'alike')
    """
    pairs = list(teachers.items() if isinstance(teachers, Mapping) else teachers)
    names = [str(name) for name, _ in pairs]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"teachers must have different names, at least one; got {names}")
    reports = [diagnose(strong, weak, labels=labels, **options) for _, weak in pairs]
    risks = [report.predict(n, N) for report in reports]
    error = np.array([risk.w2s + risk.noise_var for risk in risks])
    order = np.argsort(error, kind="stable")  # NaN last
    return TeacherRanking(
        names=tuple(names[i] for i in order),
        error=error[order],
        reports=tuple(reports[i] for i in order),
        risks=tuple(risks[i] for i in order),
    )
