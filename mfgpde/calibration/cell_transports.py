"""W₁ and W₂ of masses in cells, on boxes and tori: shifts of few cells, products, and laws that differ along one axis."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import numpy as np

from mfgpde.calibration.contract import Case, between
from mfgpde.core.arrays import Array
from mfgpde.grids import CartesianGrid
from mfgpde.transport import wasserstein, wasserstein_cells
from mfgpde.transport.nearest import least_by_nearest
from mfgpde.transport.shared_mass import by_shared_mass

MOST = {1: 150, 2: 16, 3: 6}
"""cells a side, by dimension: the simplex takes a tenth of a second"""


class CellTransports:
    """Of a narrow law moved by whole cells the length of the move; of products the factors' distances by quantiles.

    A narrow law, with the move, spans at most half of an axis that closes: no way round is shorter. W₂² of products is the
    sum of those of the factors, on tori too; where one factor differs, W₁ and W₂ are those of this factor: a coupling of
    the products projects to one of the factors, which is not dearer.
    """

    covers = (
        "transport.wasserstein_cells",
        "transport.by_shared_mass",
        "transport.least_by_nearest",
    )
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a grid in one to three dimensions, its walls, a narrow law and its move, and two lists of factors."""
        d = int(rng.choice([1, 2, 3], p=[0.3, 0.5, 0.2]))
        cells = tuple(int(rng.integers(max(4, MOST[d] // 4), MOST[d] + 1)) for _ in range(d))
        lengths = np.exp(rng.uniform(-3, 3) + rng.uniform(-0.7, 0.7, d))
        lower = rng.normal(0, 1, d) * lengths
        closed = tuple(bool(rng.random() < 0.6) for _ in range(d))
        grid = CartesianGrid(tuple(lower), tuple(lower + lengths), cells, closed)
        name = f"{'×'.join(map(str, cells))} cells, {sum(closed)} of {d} axes periodic"
        rounding = 1e-12 * float(lengths.max())
        law, moved, step = _move(rng, grid)
        for order in (1, 2):
            yield Case(f"W{order} of a move, {name}", wasserstein_cells(law, moved, grid, order=order), step, rounding)
        known = 1e-7 * float(lengths.max())  # square roots of sums that cancel to 1e-15
        lines = [
            CartesianGrid((a,), (b,), (n,), (c,))
            for a, b, n, c in zip(grid.lower, grid.upper, cells, closed, strict=True)
        ]
        p, q = ([_factor(rng, n) for n in cells] for _ in range(2))
        squared = sum(wasserstein(u, v, line) ** 2 for u, v, line in zip(p, q, lines, strict=True))
        yield Case(f"W2 of products, {name}", wasserstein_cells(_product(p), _product(q), grid), squared**0.5, known)
        pairs = (("products", _product(p), _product(q), squared**0.5), ("a move", law, moved, step))
        for what, a, b, apart in pairs:
            masses = a / a.sum(), b / b.sum()
            for name_of, above in (("nearest", least_by_nearest), ("shared mass", by_shared_mass)):
                bound = between(0.0, float(above(*masses, grid)), f"a plan by {name_of}")
                yield Case(f"W2 of {what} from above by {name_of}, {name}", bound, apart, known)
        axis = int(rng.integers(d))
        other = [q[axis] if k == axis else factor for k, factor in enumerate(p)]
        for order in (1, 2):
            found = wasserstein_cells(_product(p), _product(other), grid, order=order)
            yield Case(
                f"W{order} along one axis, {name}",
                found,
                wasserstein(p[axis], q[axis], lines[axis], order=order),
                known,
            )


def _move(rng: np.random.Generator, grid: CartesianGrid) -> tuple[Array, Array, float]:
    """Return a law in few cells, the same moved by whole cells, and how far, the shortest way."""
    shape, shift, begin = [], [], []
    for n, closed in zip(grid.cells, grid.periodic, strict=True):
        room = n // 2 if closed else n
        wide = int(rng.integers(1, max(2, min(4, room // 2 + 1))))
        most = room - wide
        step = int(rng.integers(-most, most + 1))
        shape.append(wide)
        shift.append(step)
        begin.append(int(rng.integers(n)) if closed else int(rng.integers(max(0, -step), n - wide - max(0, step) + 1)))
    law = np.zeros(grid.cells)
    law[tuple(slice(wide) for wide in shape)] = rng.random(shape) ** 3
    law = np.roll(law, begin, axis=range(grid.dimension))
    way = float(np.linalg.norm(np.multiply(shift, grid.spacing)))
    return law, np.roll(law, shift, axis=range(grid.dimension)), way


def _factor(rng: np.random.Generator, n: int) -> Array:
    """Return masses of one axis: of all cells, smooth, or of some, rough."""
    if rng.random() < 0.5:
        return np.exp(rng.uniform(0, 4) * np.cos(2 * np.pi * ((np.arange(n) + 0.5) / n - rng.random())))
    rough = rng.random(n) * (rng.random(n) < 0.5)
    rough[rng.integers(n)] += 0.1
    return rough


def _product(factors: list[Array]) -> Array:
    return reduce(np.multiply.outer, factors)
