"""What a game costs in the continuum: the same game on three grids, steps refined along, and what their change says.

A gap bounds the optimum of a discrete problem; how far that is from the continuous one only other grids tell. With the
costs c_0, c_1, c_2 on grids each q times as fine, of second order in h and dt, f = 1/(q − 1), s = 1/(q² − 1):
where the changes have one sign and shrink by q^{3/2} or more,
    c_2 + s (c_2 − c_1) ± (f − s) max(|c_2 − c_1|, |c_1 − c_0|/q^{3/2}),
which holds what is left of a first order under the second one, and none at all; where they shrink by q at least,
c_2 ± f max(3/2 |c_2 − c_1|, |c_1 − c_0|/2q²), or a third of the earlier change where the sign changed; else
c_2 ± 2f times the largest change. No bar is less than what a first and a second order leave together, of any signs: the
error then is c_2 − c + s (c_2 − c_1) = −fs (q² (c_2 − c_1) − (c_1 − c_0)), as where costs turn round between the grids and
the last change is small by chance. What three costs cannot show no bar has: where they turn round in the middle of the
grids all three are alike, as where cells do not resolve the noise (vh > 2κ), by two bars and more from the truth. The gaps
are added. q is two, or 4/3 where a quarter of the cells is too few.

Laws and costs that go on beyond the box are cut off by it. What that changes is seen on the middle grid, continued by
cells of the same width to a box half as wide again: twice the change of its cost is added, unless walls are meant.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.shown import Shown
from mfgpde.equilibria.equilibrium import Equilibrium, start_resolved
from mfgpde.equilibria.noisy_steps import most_steps, sampled_off
from mfgpde.equilibria.solve import Method, equilibrium
from mfgpde.games import MeanFieldGame
from mfgpde.grids import CartesianGrid
from mfgpde.solvers.labelled import write_labelled

if TYPE_CHECKING:
    import xarray

RATIOS = (2.0, 4 / 3)
"""of cells a side, from grid to grid"""
Walls = Literal["cut", "real"]
"""what a box is to its game: where a problem of the whole space was cut off, or part of it"""


@dataclass(frozen=True, eq=False, repr=False)
class RefinedEquilibrium(Shown):
    """An equilibrium on the grid asked for, `finest`, and the costs on that grid and coarser ones, with `cells` a side.

    `cut` is how far the cost on the middle grid moves where its box is half as wide again; 0 for walls that are real.
    `missing` says why there are no coarser grids, or no wider box.
    """

    finest: Equilibrium
    cells: Sequence[int]
    costs: Sequence[Estimate]
    ratio: float = 2.0
    cut: float = 0.0
    missing: str = ""

    @property
    def optimal_cost(self) -> Estimate:
        """The optimal cost of the continuous problem; nothing is known of it without coarser grids and a wider box."""
        sizes = "/".join(map(str, self.cells)) + " cells a side"
        if self.missing:
            return Estimate(self.costs[-1].value, np.inf, Kind.EXTRAPOLATED, f"{sizes} only: {self.missing}")
        coarsest, middle, finest = (cost.value for cost in self.costs)
        gaps = (1 + 2 / (self.ratio**2 - 1)) * max(
            cost.half_width for cost in self.costs
        )  # extrapolation magnifies them
        top = self.finest
        if top.method.startswith("entropic"):
            gaps += 4 * sampled_off(top.game, top.grid, len(top.times) - 1)  # extrapolated, too
        rounding = 1e-13 * sum(map(abs, self.finest.costs.values()))
        value, bar = _extrapolated(coarsest, middle, finest, self.ratio)
        walls = f", walls {self.cut:.0e}" if self.cut else ""
        return Estimate(
            value, bar + gaps + rounding + 2 * self.cut, Kind.EXTRAPOLATED, f"{self.finest.method}; {sizes}{walls}"
        )

    def summary(self) -> tuple[str, dict[str, str]]:
        """Return what the finest equilibrium says, and the cost in the continuum."""
        title, facts = self.finest.summary()
        return title, {"optimal cost": str(self.optimal_cost), **facts}

    def to_xarray(self) -> xarray.Dataset:
        """Return the finest equilibrium with the cost in the continuum, its bar and method in the attributes."""
        cost = self.optimal_cost
        known = {"optimal_cost": cost.value, "optimal_cost_error": cost.half_width, "optimal_cost_method": cost.method}
        return self.finest.to_xarray().assign_attrs(known)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write NetCDF 4 through a temporary file beside `path`; return the path."""
        write_labelled(self.to_xarray(), Path(path))
        return Path(path)


def optimal_cost(
    game: MeanFieldGame, grid: CartesianGrid, *, method: Method = "auto", walls: Walls = "cut", **options: Any
) -> Estimate:
    """Return the optimal cost of the continuous game, with a bar from that grid, two coarser ones and a wider box.

    Options are those of `equilibrium`, for the given grid. `walls="cut"`: the game is one of the whole space, and what its
    walls change is in the bar; "real": they reflect, and are part of the problem, as where costs have no meaning beyond.
    Where costs are not convex it is the cost of the equilibrium that was found. Raises what `equilibrium` raises.

    >>> game = mfg.games.linear_quadratic(mfg.gaussian(0.0, 0.25), viscosity=0.5)
    >>> cost = mfg.equilibria.optimal_cost(game, mfg.CartesianGrid.cube(5.0, 128, 1))
    >>> 0.0625 + 0.5 * np.log(2.0) in cost, cost.half_width < 0.01  # ¼·E|x|² + ½ log 2
    (True, True)
    """
    return refined_equilibrium(game, grid, method=method, walls=walls, **options).optimal_cost


def refined_equilibrium(
    game: MeanFieldGame,
    grid: CartesianGrid,
    *,
    method: Method = "auto",
    walls: Walls = "cut",
    start: Any = None,
    **options: Any,
) -> RefinedEquilibrium:
    """Return the equilibrium on a grid, its costs on grids of half and a quarter of the cells a side, and in a wider box.

    Where so few cells do not do, as for noise that they do not resolve, on three quarters and nine sixteenths. What goes
    wrong there too leaves the cost without a bar, and is said there; so does a game that cannot be asked beyond its box.

    >>> game = mfg.games.linear_quadratic(mfg.gaussian(0.0, 0.25), viscosity=0.5)
    >>> found = mfg.equilibria.refined_equilibrium(game, mfg.CartesianGrid.cube(4.0, 128, 1))
    >>> print(found.cells, f"{found.costs[-1].value:.6f}")  # ¼·E|x|² + ½ log 2 is 0.409074
    [32, 64, 128] 0.409072
    """
    if walls not in ("cut", "real"):
        raise ValueError(f"walls must be 'cut' or 'real', got {walls!r}")
    finest = equilibrium(game, grid, method=method, start=start, **options)
    coarser = {name: value for name, value in options.items() if name not in ("checkpoint", "steps")}
    missing = ""
    for ratio in RATIOS:
        grids = [replace(grid, cells=tuple(max(4, round(n / ratio**k)) for n in grid.cells)) for k in (2, 1)]
        try:
            rungs = [_coarse(finest, coarse, ratio**k, coarser) for coarse, k in zip(grids, (2, 1), strict=True)]
        except (ValueError, RuntimeError) as trouble:
            missing = f"on {max(grids[0].cells)} {trouble}"
            continue
        cells = [max(one.grid.cells) for one in (*rungs, finest)]
        costs = [one.discrete_optimum for one in (*rungs, finest)]
        cut, missing = (0.0, "") if walls == "real" else _cut(finest, rungs[1], ratio, coarser)
        return RefinedEquilibrium(finest, cells, costs, ratio, cut, missing)
    return RefinedEquilibrium(finest, [max(grid.cells)], [finest.discrete_optimum], missing=missing)


def _cut(finest: Equilibrium, rung: Equilibrium, times: float, options: dict[str, Any]) -> tuple[float, str]:
    """Return how far the cost moves in a wider box, what gaps leave of it included, or why that is not known."""
    grid = rung.grid
    more = [0 if periodic else -(-n // 4) for n, periodic in zip(grid.cells, grid.periodic, strict=True)]
    reach = [k * h for k, h in zip(more, grid.spacing, strict=True)]
    wide = replace(
        grid,
        lower=tuple(a - r for a, r in zip(grid.lower, reach, strict=True)),
        upper=tuple(b + r for b, r in zip(grid.upper, reach, strict=True)),
        cells=tuple(n + 2 * k for n, k in zip(grid.cells, more, strict=True)),
    )
    try:
        there = _coarse(finest, wide, times, options)
    except (ValueError, RuntimeError) as trouble:
        return 0.0, f"in a wider box {trouble}; walls='real' if they are part of the problem"
    return abs(there.discrete_optimum.value - rung.discrete_optimum.value), ""


def _coarse(finest: Equilibrium, grid: CartesianGrid, times: float, options: dict[str, Any]) -> Equilibrium:
    """Solve on a coarser grid by the same method, without its warnings: those of the finest are for the user."""
    game, steps = finest.game, max(2, round((len(finest.times) - 1) / times))
    if start_resolved(game, finest.grid) != start_resolved(game, grid):
        raise ValueError("cells take the initial law by means, and those asked for at their centres, or the other way")
    name = finest.method.split(",")[0]
    method: Method = "newton" if "Newton" in name else "entropic" if name == "entropic" else "primal-dual"
    if method == "entropic":
        steps = max(1, min(steps, most_steps(game, grid) // 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return equilibrium(game, grid, method=method, steps=steps, **options)


def _extrapolated(coarsest: float, middle: float, finest: float, q: float = 2.0) -> tuple[float, float]:
    """Return the cost in the continuum and its bar, from costs on three grids each q times as fine."""
    change, earlier = finest - middle, middle - coarsest
    first, second, same = 1 / (q - 1), 1 / (q * q - 1), change * earlier > 0
    two_orders = (
        first * second * (q * q * change - earlier)
    )  # past what the second order alone makes of the last change
    value, left = finest, second * change + two_orders
    if same and abs(change) * q**1.5 <= abs(earlier):
        value, left = finest + second * change, two_orders
        bar = (first - second) * max(abs(change), abs(earlier) / q**1.5)
    elif abs(change) * q <= abs(earlier):
        bar = first * max(1.5 * abs(change), abs(earlier) / (2 * q**2 if same else 3))
    else:
        bar = 2 * first * max(abs(change), abs(earlier))
    return value, max(bar, abs(left))
