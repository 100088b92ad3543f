"""Choosing a setting: the most robust among those that keep enough answers."""

import numpy as np
import pytest

from gapkit.closing import GapCloser, select_closer
from gapkit.closing.published import Standardisation
from gapkit.errors import InputError
from gapkit.geometry import nearest
from tests.closing.conftest import make_sides


def closeness(queries, gallery):
    """A cheap stand-in that rises as the gap closes."""
    return 1 / (1 + np.linalg.norm(queries.mean(0) - gallery.mean(0))) * np.ones(len(queries))


def test_the_best_allowed_setting_wins(rng):
    x, y = make_sides(rng, k=20, m=400)
    grid = {"n_components": [0, 2, 5, None], "alpha": [0.0, 0.5, 1.0]}
    chosen = select_closer(GapCloser(), x, y, grid, robustness=closeness, agreement=0.984)
    assert len(chosen.table) == 12
    untouched = nearest(y, x)
    allowed = []
    for row in chosen.table:
        closer = GapCloser(alpha=row["alpha"], n_components=row["n_components"]).fit(x, y)
        moved = closer.transform(x)
        assert row["agreement"] == pytest.approx((nearest(y, moved) == untouched).mean())
        assert row["robustness"] == pytest.approx(closeness(y, moved).mean())
        if row["agreement"] >= 0.984:
            allowed.append(row["robustness"])
    assert closeness(y, chosen.closer.transform(x)).mean() == pytest.approx(max(allowed))
    assert any(row["robustness"] > max(allowed) for row in chosen.table)  # the bound did bind


def test_full_agreement_needs_full_rank(rng):
    x, y = make_sides(rng, k=20, m=400)
    chosen = select_closer(
        GapCloser(), x, y, {"n_components": [0, 3, None]}, robustness=closeness, agreement=1.0
    )
    assert chosen.closer.n_components is None


def test_hyperparameters_outside_the_grid_are_kept(two_sides):
    chosen = select_closer(GapCloser(moves="queries"), *two_sides, {"alpha": [1.0]}, robustness=closeness)
    assert chosen.closer.moves == "queries"


@pytest.mark.parametrize(
    ("closer", "grid", "agreement", "message"),
    [
        (GapCloser(), {"n_components": [0]}, 1.01, "no setting keeps 1.01 of the answers; the best keeps"),
        (GapCloser(), {"beta": [0]}, 0.9, "grid must be .*; got .*: Invalid parameter 'beta' .*'alpha'"),
        (GapCloser(), {"alphas": [0]}, 0.9, "grid must be .*: Invalid parameter 'alphas' .*'alpha'"),
        (GapCloser(), {"alpha": [0], 1: [0]}, 0.9, "grid must be .*; got "),
        (GapCloser(), [{"alpha": [0]}, {"beta": [0]}], 0.9, "grid must be .*: Invalid parameter 'beta'"),
        (
            GapCloser(),
            {"alpha": []},
            0.9,
            r"grid must be .*; got {'alpha': \[\]}: .*'alpha' .*non-empty",
        ),
        (GapCloser(), {"alpha": 0.5}, 0.9, "grid must be .*: .*'alpha' needs to be a list"),
        (GapCloser(), {"alpha": "01"}, 0.9, "grid must be .*: .*'alpha' needs to be a list"),
        (GapCloser(), {"alpha": {0.5}}, 0.9, "grid must be .*: .*'alpha' needs to be a list"),
        (
            GapCloser(),
            {"alpha": np.zeros((2, 2))},
            0.9,
            "grid must be .*: .*'alpha' should be one-dimensional",
        ),
        (GapCloser(), [], 0.9, r"grid must be a dict of lists, .*; got \[\]: there is no setting"),
        (GapCloser(), [{"alpha": [0]}, 3], 0.9, "grid must be a dict of lists"),
        (GapCloser(), None, 0.9, "grid must be a dict of lists, .*; got None: "),
        (Standardisation(), {}, 0.0, "rescales or turns"),
    ],
)
def test_bad_choices_are_named(two_sides, closer, grid, agreement, message):
    with pytest.raises(InputError, match=message) as raised:
        select_closer(closer, *two_sides, grid, robustness=closeness, agreement=agreement)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("values", [(0.0, 1.0), np.array([0.0, 1.0]), range(2)])
def test_a_grid_may_hold_any_sequence(two_sides, values):
    chosen = select_closer(GapCloser(), *two_sides, {"alpha": values}, robustness=closeness, agreement=0.0)
    assert [row["alpha"] for row in chosen.table] == [0, 1]


def test_a_bad_grid_is_refused_before_anything_is_fitted(two_sides):
    def never(queries, gallery):
        raise AssertionError("a setting was tried")

    for grid in ([{"alpha": [0]}, {"beta": [0]}], [{"alpha": [0]}, {"alpha": []}]):
        with pytest.raises(InputError):
            select_closer(GapCloser(), *two_sides, grid, robustness=never)


def test_it_works_with_the_exact_robustness(two_sides):
    from functools import partial

    from gapkit.robustness import robustness

    exact = partial(robustness, sigma=0.1)
    x, y = two_sides[0], two_sides[1][:60]
    chosen = select_closer(GapCloser(), x, y, {"alpha": [0.0, 0.5, 1.0]}, robustness=exact, agreement=1.0)
    values = [row["robustness"] for row in chosen.table]
    assert values[0] < values[1] < values[2]
    assert chosen.closer.alpha == 1.0


def test_a_robustness_that_is_no_number_is_not_ranked(two_sides):
    with pytest.raises(InputError, match="finite numbers"):
        select_closer(
            GapCloser(), *two_sides, {"alpha": [0.0, 1.0]}, robustness=lambda y, x: np.full(len(y), np.nan)
        )
