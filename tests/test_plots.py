"""Pictures of angles, CUR and chosen rows; that of an ID is tested beside the demo that draws it."""

import numpy as np
import pytest
import subspan
from subspan import plots


def test_angles_are_drawn_for_both_sides(tmp_path, rng):
    A = rng.standard_normal((60, 40)) * 0.8 ** np.arange(40)
    r = subspan.svd(A, 8, rng=0)
    exact = subspan.svd(A, 8, method="full")
    truth = subspan.angles.canonical_angles(exact, r)
    further = subspan.angles.posterior_bounds(A, *r, norm="full")
    figure = plots.angles(r, truth, further)
    figure.savefig(tmp_path / "angles.png")
    left, right = figure.axes
    for ax, side in ((left, "left"), (right, "right")):
        lines = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
        assert len(lines) == 4
        eps = np.finfo(float).eps
        assert np.allclose(lines["true"], np.maximum(getattr(truth, side), eps))
        assert np.allclose(lines["bound: leading, residual"], getattr(r.angles.bound, side))
        assert ax.get_yscale() == "log"
    trusted = f"{r.trusted()} of 8 directions trusted"
    assert trusted in figure._suptitle.get_text()


def test_one_side_and_results_without_angles(rng):
    alone = subspan.angles.prior_bounds(1 / np.arange(1.0, 30), 5, 12, 1, side="right")
    assert len(plots.angles(alone).axes) == 1
    without = subspan.svd(rng.standard_normal((9, 7)), 3, angles=False)
    with pytest.raises(ValueError, match="angles=True"):
        plots.angles(without)


def test_cur_marks_rows_and_columns(rng):
    A = rng.standard_normal((50, 40)) * 0.7 ** np.arange(40)
    r = subspan.cur(A, 6, rng=0)
    for drawn in (plots.cur(r, A), plots.cur(r)):
        columns, rows = drawn.axes[0].collections[:2]
        marked = [path.vertices[0, 0] - 0.5 for path in columns.get_paths()]
        assert marked == r.columns.tolist()
        assert [path.vertices[0, 1] - 0.5 for path in rows.get_paths()] == r.rows.tolist()


@pytest.mark.parametrize("width", [1, 5])
def test_selection_shows_every_candidate_and_choice(rng, width):
    from subspan.selection import select

    X = rng.standard_normal((300, width))
    chosen = select(X, 20, method="uniform", rng=0)
    candidates, marked = plots.selection(chosen, X).axes[0].collections
    assert (len(candidates.get_offsets()), len(marked.get_offsets())) == (300, 20)
    principal = np.linalg.svd(X)[2][:2].T
    place = np.abs(X[chosen.indices] @ principal)[:, [0, -1]]
    assert np.allclose(np.abs(marked.get_offsets()), place, rtol=0, atol=1e-9)
    with pytest.raises(ValueError, match="chosen row"):
        plots.selection(chosen, X[:5])
