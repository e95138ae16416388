"""Bounds from below: given where costs are convex at fixed mass, and only there; a bound above a cost is a failure."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.games import Functional, MeanFieldGame, Nonlocal, Potential, Power, RelativeEntropy

GRID = mfg.CartesianGrid.cube(3.0, 60, 1)


def kernel(f):
    return Nonlocal(lambda z: f(np.sqrt(np.sum(z * z, axis=-1))))


KERNELS = {  # by |z|, and whether ∫∫kσσ ≥ 0 for all σ of mass zero
    "Gaussian": (lambda r: np.exp(-r * r), True),
    "exponential": (lambda r: np.exp(-r), True),
    "−.3z²": (lambda r: -0.3 * r * r, True),  # −0.6 (∫xσ)² times −1
    "−|z|": (lambda r: -r, True),  # in one dimension twice the Green function of −∂²
    "−√|z|": (lambda r: -np.sqrt(r), True),  # conditionally negative definite, as |z|^α is for α ≤ 2
    "constant": (lambda r: np.full_like(r, -2.0), True),
    ".4z²": (lambda r: 0.4 * r * r, False),
    "|z|": (lambda r: r, False),
    "−Gaussian": (lambda r: -np.exp(-r * r), False),
    "−|z|³": (lambda r: -(r**3), False),
    "ring": (lambda r: np.exp(-((r - 1.5) ** 2) * 4), False),
}


@pytest.mark.parametrize(
    ("f", "positive", "dimension"),
    [  # each in one dimension in turn; the others are slow
        pytest.param(*one, d, id=f"{name}-{d}", marks=[pytest.mark.slow] * ((i + d) % 2))
        for i, (name, one) in enumerate(KERNELS.items())
        for d in (1, 2)
    ],
)
def test_kernels_are_tested_at_fixed_mass(f, positive, dimension):
    for cells in (16, 40):  # by all eigenvalues, and by the extreme ones
        grid = mfg.CartesianGrid.cube(3.0, cells, dimension)
        assert kernel(f).monotone(grid.points, 0.0) == positive
        assert kernel(lambda r: 1e-9 * f(r)).monotone(grid.points, 0.0) == positive


def test_odd_kernels_and_negative_entropies_are_refused():
    with pytest.raises(ValueError, match="a kernel must be even"):
        Nonlocal(lambda z: z[..., 0] + 1.0).reference(GRID.points, 0.0)
    for weight in (-0.2, 0.0, np.nan):
        with pytest.raises(ValueError, match="for a weight > 0"):
            RelativeEntropy(None, weight)


def drawn(f, where, **options):
    """Return a crowd between two wells with a pair cost at the end or all the time."""
    ends = (
        {"terminal": kernel(f)}
        if where == "end"
        else {"terminal": Potential(lambda x, t: x[..., 0] ** 2), "interaction": kernel(f)}
    )
    return MeanFieldGame(mfg.gaussian([0.3], [[0.3]]), **ends, viscosity=0.2, **options)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        pytest.param("−.3z²", "end", marks=pytest.mark.slow),
        ("−.3z²", "all the time"),
        ("−|z|", "end"),
        pytest.param("−|z|", "all the time", marks=pytest.mark.slow),
        pytest.param("Gaussian", "end", marks=pytest.mark.slow),
        ("Gaussian", "all the time"),
    ],
)
def test_bounds_close_where_costs_are_convex(name, where):
    found = mfg.equilibrium(drawn(KERNELS[name][0], where), GRID, steps=24, order=1)
    assert found.converged
    assert -1e-9 <= found.discrete_primal - found.discrete_dual <= 1e-6


@pytest.mark.parametrize(
    ("name", "where"),
    [
        (".4z²", "end"),
        pytest.param(".4z²", "all the time", marks=pytest.mark.slow),
        pytest.param("−Gaussian", "end", marks=pytest.mark.slow),
        ("−Gaussian", "all the time"),
    ],
)
def test_there_is_no_bound_where_they_are_not(name, where):
    with pytest.warns(UserWarning, match="is not monotone .* nothing bounds the optimal cost from below"):
        found = mfg.equilibrium(drawn(KERNELS[name][0], where), GRID, steps=24, order=1)
    assert found.converged
    assert found.discrete_dual == -np.inf
    assert str(found.discrete_optimum).endswith(f"± inf at the discrete problem of {GRID.cells[0]} cells, 24 steps")
    assert found.discrete_optimum.value == found.discrete_primal


@pytest.mark.slow
def test_no_bound_lies_above_a_cost_that_another_start_reaches():
    """Two wells and a crowd that wants to be together at the end: from the middle, the sum of both is left for one."""
    game = MeanFieldGame(
        mfg.gaussian([0.0], [[0.3]]),
        kernel(lambda r: -8 * np.exp(-2 * r * r)),
        running=lambda x, t: 2 * (x[..., 0] ** 2 - 1) ** 2,
        viscosity=0.15,
    )
    x = GRID.axes[0]
    lopsided = np.exp(-0.5 * (x - 0.8) ** 2 / 0.1)
    start = np.repeat((lopsided / GRID.integrate(lopsided))[None], 25, axis=0)
    with pytest.warns(UserWarning, match="the terminal cost is not monotone"):
        found = [mfg.equilibrium(game, GRID, steps=24, order=1, **more) for more in ({}, {"start": start})]
    assert max(one.discrete_dual for one in found) <= min(one.discrete_primal for one in found)


def test_methods_that_need_local_costs_say_so():
    for method in ("entropic", "primal-dual"):
        with pytest.raises(
            ValueError, match=f"{method} does not apply: the terminal cost is not local; what does: newton"
        ):
            mfg.equilibrium(drawn(KERNELS["Gaussian"][0], "end"), GRID, method=method)


@pytest.mark.slow
def test_the_variance_is_held_to_riccati():
    """−.3z² pays −.6·½·2·Var: with ∫ −.3 Var and ½x² at the end the value is ½a(x − m)² + ½b m², a′ = a² + .6, b′ = b²."""
    w, T = 0.6, 1.0
    game = MeanFieldGame(
        mfg.gaussian([0.5], [[0.2]]),
        Potential(lambda x, t: x[..., 0] ** 2),
        T,
        interaction=kernel(lambda r: -0.3 * r * r),
        viscosity=0.2,
    )
    a_end = 2.0
    angle = np.arctan(a_end / np.sqrt(w))
    a = np.sqrt(w) * np.tan(angle - np.sqrt(w) * T)
    noise = 0.2 * np.log(np.cos(angle - np.sqrt(w) * T) / np.cos(angle))  # κ∫a
    truth = 0.5 * a * 0.2 + noise + 0.5 * (a_end / (1 + a_end * T)) * 0.25
    costs = [mfg.equilibrium(game, mfg.CartesianGrid.cube(4.0, n, 1), steps=n // 2).discrete_primal for n in (64, 128)]
    assert costs[1] + (costs[1] - costs[0]) / 3 == pytest.approx(truth, abs=2e-4)


class Steep(Power):
    """A power whose conjugate promises too little."""

    def conjugate(self, u, c):
        return 0.5 * super().conjugate(u, c) - 0.3


def test_a_bound_above_a_cost_is_a_failure():
    assert issubclass(Steep, Functional)
    game = MeanFieldGame(
        mfg.gaussian([0.0], [[0.3]]), Potential(lambda x, t: x[..., 0] ** 2), interaction=Steep(2.0), viscosity=0.2
    )
    for method in ("entropic", "primal-dual"):
        with pytest.raises(RuntimeError, match="bound from below exceeds a cost that is reached"):
            mfg.equilibrium(game, GRID, method=method, steps=8, iterations=50)
