"""Brackets of W₂ on grids: products of rough laws, whose distances along the axes are known by quantiles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration.contract import Case, between
from mfgpde.core.arrays import Array
from mfgpde.grids import CartesianGrid
from mfgpde.transport import back_and_forth, wasserstein, wasserstein_by_blocks
from mfgpde.transport.bracket import bracket
from mfgpde.transport.flux import by_flux


class Transports:
    """W₂² of products is the sum of those of the factors; cells are square, laws smooth, rough or nearly the same."""

    covers = (
        "transport.Transport.distance",
        "transport.Transport.squared",
        "transport.back_and_forth",
        "transport.bracket",
        "transport.by_flux",
        "transport.wasserstein_by_blocks",
    )
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw a grid in two or three dimensions and two products on it."""
        d = 2 if rng.random() < 0.8 else 3
        n = int(4 * rng.integers(4, 13)) if d == 2 else int(rng.integers(8, 14))
        unit = float(np.exp(rng.uniform(-3, 3)))
        grid = CartesianGrid.cube(unit, n, d)
        line = CartesianGrid.cube(unit, n, 1)
        rough, near = bool(rng.random() < 0.3), bool(rng.random() < 0.2)
        first = [_factor(rng, n, rough) for _ in range(d)]
        second = [0.98 * p + 0.02 * _factor(rng, n, rough) for p in first] if near else None
        second = second or [_factor(rng, n, rough) for _ in range(d)]
        squared = sum(wasserstein(p, q, line) ** 2 for p, q in zip(first, second, strict=True))
        p, q = _product(first), _product(second)
        what = f"{'rough' if rough else 'smooth'} products on {grid.cells} cells"
        found = back_and_forth(p, q, grid)
        known = 1e-7 * unit  # square roots of sums that cancel to 1e-15
        yield Case(f"W2, {what}", found.distance, float(np.sqrt(squared)), known)
        yield Case(f"W2², {what}", found.squared, squared, known**2)
        mu, nu = p / p.sum(), q / q.sum()
        bound = between(0.0, by_flux(mu, nu, grid), "a flux")
        yield Case(f"W2 from above by a flux, {what}", bound, float(np.sqrt(squared)), known)
        steep, wave = float(rng.uniform(0, 0.6)), rng.normal(0, 1, d)
        phi = steep * np.cos(grid.points @ (wave / unit) + rng.uniform(0, 6)) * unit**2 / max(float(wave @ wave), 1.0)
        lower, upper, _ = bracket(phi, mu, nu, grid)
        yield Case(
            f"W2 between what any potential says, {what}",
            between(lower, upper, "a potential"), float(np.sqrt(squared)), known,
        )  # fmt: skip
        if d == 2:
            yield Case(f"W2, {what}", wasserstein_by_blocks(p, q, grid, blocks=n // 2), float(np.sqrt(squared)), known)


def _factor(rng: np.random.Generator, n: int, rough: bool) -> Array:
    x = (np.arange(n) + 0.5) / n
    if rough:
        return rng.random(n) * (rng.random(n) < 0.7) + 1e-3
    centres, widths = rng.uniform(0.2, 0.8, 2), rng.uniform(0.06, 0.25, 2)
    return 1e-9 + np.sum([np.exp(-0.5 * ((x - c) / w) ** 2) for c, w in zip(centres, widths, strict=True)], axis=0)


def _product(factors: list[Array]) -> Array:
    return np.asarray(np.einsum("i,j->ij" if len(factors) == 2 else "i,j,k->ijk", *factors))
