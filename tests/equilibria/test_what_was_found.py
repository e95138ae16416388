"""An equilibrium found by each method: its values, costs and what it says of itself."""

from dataclasses import replace

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.games import Power, RelativeEntropy

GAME = mfg.MeanFieldGame(
    mfg.gaussian(-0.4, 0.3), RelativeEntropy(mfg.gaussian(0.5, 0.4)), 1.3, viscosity=0.3, interaction=Power(0.5),
    running=lambda x, t: 0.2 * (1 + t) * x[..., 0] ** 2,
)  # fmt: skip


LINE = mfg.CartesianGrid.cube(4.0, 48, 1)


@pytest.fixture(scope="module", params=["newton", "entropic", "primal-dual"])
def solved(request):
    return mfg.equilibrium(GAME, LINE, method=request.param, steps=16)


def test_values_end_at_the_slope_of_the_terminal_cost(solved):
    """U(T) = δF/δρ(ρ_T) where mass is, in every method; the control is −∂U by differences of the value alone."""
    seen = solved.densities[-1] > 1e-3
    slope = GAME.terminal.first_variation(solved.densities[-1], GAME.terminal.reference(LINE.points, 1.3))
    off = solved.values[-1] - slope
    assert np.ptp(off[seen]) < 0.05
    assert abs(off[seen]).max() < (0.05 if "Newton" in solved.method else 0.2)


def test_costs_are_those_of_the_densities_that_were_found(solved):
    """Terminal cost, and running and interaction by the trapezoidal rule over the nodes, from the densities alone."""
    rho = np.maximum(solved.densities, 0.0)
    c = GAME.terminal.reference(LINE.points, 1.3)
    rows = {
        "running": [float(LINE.integrate(GAME.running(LINE.points, t) * p)) for t, p in zip(solved.times, rho)],
        "interaction": [float(LINE.integrate(GAME.interaction.value(p, None))) for p in rho],
    }
    known = {name: np.trapezoid(values, solved.times) for name, values in rows.items()}
    known["terminal"] = float(LINE.integrate(GAME.terminal.value(rho[-1], c)))
    if "running and interaction" in solved.costs:  # the last node's share of these stands with its terminal cost
        known = {"all": sum(known.values())}
        found = {"all": sum(value for name, value in solved.costs.items() if name != "kinetic")}
    else:
        found = {name: value for name, value in solved.costs.items() if "kinetic" not in name}
    assert set(found) <= set(known)
    for name, value in found.items():
        assert value == pytest.approx(known[name], rel=0.02)
    assert sum(solved.costs.values()) == pytest.approx(solved.discrete_primal)
    assert solved.gap.lower <= 0 <= solved.gap.upper + 1e-12
    assert solved.gap.upper == pytest.approx(max(solved.discrete_primal - solved.discrete_dual, 0.0))


def test_an_equilibrium_says_what_it_found(solved):
    assert solved.mass == pytest.approx(1.0, abs=1e-9)
    assert solved.minimum == solved.densities.min()
    assert solved.density(3).values is not None
    assert np.array_equal(solved.density(3).values, solved.densities[3])
    assert np.array_equal(solved.value(2).values, solved.values[2])
    middle = 0.5 * (solved.discrete_primal + solved.discrete_dual)
    assert solved.discrete_optimum.value == pytest.approx(middle)
    bare = replace(solved, discrete_dual=-np.inf)
    assert bare.discrete_optimum.half_width == np.inf
    cells, steps = "×".join(map(str, solved.grid.cells)), len(solved.times) - 1
    for interval in (solved.gap, solved.discrete_optimum, bare.gap, bare.discrete_optimum):
        assert str(interval).endswith(f" at the discrete problem of {cells} cells, {steps} steps")
    assert bare.discrete_optimum.value == solved.discrete_primal
