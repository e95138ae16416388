"""W₂ on grids in two and three dimensions: the back-and-forth method, with a bracket that holds the truth.

½W₂²(p, q) = max over φ of ∫φ p + ∫φᶜ q,  φᶜ(y) = min_x ½|x − y|² − φ(x). Gradient ascent in the H⁻¹ metric after
Jacobs, Léger, Numer. Math. 146 (2020), exact for the discrete dual and accelerated.

The truth is W₂ of the densities that are constant on cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.core.arrays import Array, Backend, elsewhere, namespace, require_memory, to_host
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.progress import meter
from mfgpde.grids import CartesianGrid
from mfgpde.kernels.replay import Replayed, directly
from mfgpde.kernels.tables import transforms
from mfgpde.transport.bracket import bracket, target_of
from mfgpde.transport.c_transform import returned, traced, transform
from mfgpde.transport.gaussian import moments

THINNEST = 1e-6
"""of the square of a cell: the least variance of a law, in whatever unit"""


@dataclass(frozen=True, eq=False)
class Transport:
    """W₂ with its bracket, the optimal potential φ, the map x − ∇φ on cell centres, and the dual values per iteration.

    >>> grid = mfg.CartesianGrid.cube(4.0, 32, 2)
    >>> p, q = (np.exp(mfg.gaussian(m, 0.3, 2).log_density(grid.points)) for m in (-0.5, 0.5))
    >>> found = mfg.back_and_forth(p, q, grid)
    >>> bool(found.lower <= np.sqrt(2.0) <= found.upper)  # a translation by (1, 1), enclosed
    True
    """

    distance: Estimate
    lower: float
    upper: float
    potential: Array
    map: Array
    history: tuple[float, ...]

    @property
    def squared(self) -> Estimate:
        """W₂², with half the width of the squared bracket as its bar."""
        value = self.distance.value**2
        bar = max(self.upper**2 - value, value - self.lower**2)
        return Estimate(value, bar, self.distance.kind, self.distance.method)


def back_and_forth(
    p: Array,
    q: Array,
    grid: CartesianGrid,
    *,
    tolerance: float = 1e-6,
    iterations: int = 200,
    bracketed: bool = True,
    backend: Backend = "numpy",
    progress: bool = False,
) -> Transport:
    """Return W₂ between two densities given by cell values on one grid in two or three dimensions.

    Both are normalised first. The ascent ends when the dual value changes by less than `tolerance` relative to itself in
    each of five iterations, or after `iterations`. `distance.value` is the dual value with minima between the lattice's
    points found by parabolas; its bar reaches the far end of the certified bracket [lower, upper]. Without a bracket, of
    which as much time may be spent as on the ascent, nothing is known of the value: it lies in [0, ∞], and its bar is
    infinite. `backend="cupy"` climbs on a GPU, and solves for the bracket's fluxes there.

    Raises ValueError for other dimensions, unequal spacing of the axes, periodic axes, negative or vanishing densities.

    >>> grid = mfg.CartesianGrid.cube(4.0, 32, 2)
    >>> p, q = (np.exp(mfg.gaussian(m, 0.3, 2).log_density(grid.points)) for m in (-0.5, 0.5))
    >>> print(f"{mfg.back_and_forth(p, q, grid).distance.value:.2f}")  # √2: a translation by (1, 1)
    1.41
    >>> found = mfg.back_and_forth(p, q, grid, bracketed=False).distance
    >>> print(f"{found.value:.2f}, ± {found.half_width}")
    1.41, ± inf
    """
    d = grid.dimension
    h = grid.spacing[0]
    if d not in (2, 3) or any(grid.periodic) or not np.allclose(grid.spacing, h, rtol=1e-9):
        raise ValueError(
            f"the back-and-forth method needs square cells in 2D or 3D, with walls; got {grid}; on circles take "
            "wasserstein, on tori and other cells transport.wasserstein_cells"
        )
    mu, nu = (_masses(density, grid) for density in (p, q))
    origin = 0.5 * (np.asarray(grid.lower) + np.asarray(grid.upper))
    grid = CartesianGrid(tuple(-0.5 * h * n for n in grid.cells), tuple(0.5 * h * n for n in grid.cells), grid.cells)
    xp = namespace(backend)
    require_memory(xp, 20 * mu.nbytes, f"transport on {grid.cells} cells")
    ascent = _Ascent(mu, nu, grid, xp)
    with meter("back and forth", show=progress) as bar:
        for k in range(iterations):
            if not ascent.step():
                break
            bar((k + 1) / iterations, f"W2 = {np.sqrt(max(2 * ascent.history[-1], 0)):.6g}")
            recent = ascent.history[-10:]
            if k >= 10 and max(recent) - min(recent) <= tolerance * abs(recent[-1]):
                break
    ascent.replayed = directly  # recordings hold memory of the device
    phi, best, history = transform(ascent.psi, h), ascent.history[-1], ascent.history
    bounds = bracket(phi, mu, nu, grid, xp) if bracketed else (0.0, np.inf, tuple(map(to_host, target_of(phi, h))))
    lower, upper, target = bounds
    value = float(np.clip(np.sqrt(max(2 * best, 0.0)), lower, upper))
    known = "certified bracket" if bracketed else "no bracket"
    method = f"back-and-forth on {'×'.join(map(str, grid.cells))} cells, {len(history)} iterations, {known}"
    distance = Estimate(value, max(upper - value, value - lower), Kind.BOUND, method)
    centres = origin + np.stack([a + h * (target[i] + 0.5) for i, a in enumerate(grid.lower)], axis=-1)
    return Transport(distance, float(lower), float(upper), to_host(phi), centres, tuple(history))


def _masses(density: Array, grid: CartesianGrid) -> Array:
    density = np.asarray(density, dtype=float)
    if density.shape != grid.cells or not np.isfinite(density).all() or density.min() < 0 or not density.sum() > 0:
        raise ValueError(f"a density needs {grid.cells} finite values ≥ 0 with a positive sum")
    return density / density.sum()


def _first_guess(mu: Array, nu: Array, grid: CartesianGrid) -> Array:
    """Return the potential of the optimal map between the Gaussians with the same means and covariances."""
    x = grid.points
    (a, A), (b, B) = (moments(m, x) for m in (mu, nu))
    least = THINNEST * min(grid.spacing) ** 2
    root, inverse = _power(A, 0.5, least), _power(A, -0.5, least)
    M = inverse @ _power(root @ B @ root, 0.5, least**2) @ inverse
    y = x - a
    return 0.5 * np.einsum("...i,...i", x, x) - 0.5 * np.einsum("...i,ij,...j", y, M, y) - x @ b


def _power(matrix: Array, exponent: float, least: float) -> Array:
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    return (vectors * np.maximum(values, least) ** exponent) @ vectors.T


class _Ascent:
    """Steps along the exact gradient of the discrete dual in the H⁻¹ metric, in ψ, with Nesterov's momentum."""

    def __init__(self, mu: Array, nu: Array, grid: CartesianGrid, xp: Any) -> None:
        self.h, self.mu, self.nu, self.xp = grid.spacing[0], xp.asarray(mu), xp.asarray(nu), xp
        self.symbol = xp.asarray(_spectrum(mu.shape, self.h))
        self.psi = self.before = transform(xp.asarray(_first_guess(mu, nu, grid)), self.h)
        self.momentum, self.sigma = 1, 8.0 * self.h**mu.ndim / float(max(mu.max(), nu.max()))
        self.replayed: Any = Replayed() if elsewhere(self.mu) else directly
        self.history = [self._value(self.psi)]

    def _value(self, psi: Array) -> float:
        return float(self.replayed("value", lambda given: (self._dual(transform(given, self.h), given),), psi)[0])

    def _dual(self, phi: Array, psi: Array) -> Array:
        return np.sum(phi * self.mu) + np.sum(psi * self.nu)

    def _ascending(self, y: Array) -> tuple[Array, Array]:
        """Return the gradient in the H⁻¹ metric, and its slope and the value at y."""
        phi, trace = traced(y, self.h)
        gradient = (self.nu - returned(self.mu, trace)) / self.h**y.ndim
        direction = self._inverse_laplacian(gradient)
        return direction, np.stack((np.sum(gradient * direction) * self.h**y.ndim, self._dual(phi, y)))

    def step(self) -> bool:
        """Go one step; False where no step length gains any more: the lattice shows nothing finer."""
        y = self.psi + (self.momentum - 1) / (self.momentum + 2) * (self.psi - self.before)
        direction, numbers = self.replayed("ascent", self._ascending, y)
        slope, start = map(float, to_host(numbers))
        sigma = self.sigma
        for _ in range(8):
            new = y + sigma * direction
            value = self._value(new)
            if value - start >= 0.5 * sigma * slope and value >= self.history[-1]:
                self.before, self.psi = self.psi, new
                self.momentum, self.sigma = self.momentum + 1, sigma * 1.1
                self.history.append(value)
                return True
            sigma *= 0.5
        if self.momentum == 1:
            return False
        self.momentum, self.before = 1, self.psi  # without momentum once more
        return True

    def _inverse_laplacian(self, f: Array) -> Array:
        """Return (−Δ)⁻¹f with zero normal derivative at the walls and mean zero."""
        fft = transforms(self.xp)
        return fft.idctn(fft.dctn(f) / self.symbol)


def _spectrum(shape: tuple[int, ...], h: float) -> Array:
    """Return the eigenvalues of −Δ between walls, infinity for constants."""
    symbol = np.zeros(shape)
    for axis, n in enumerate(shape):
        k = (2 - 2 * np.cos(np.pi * np.arange(n) / n)) / h**2
        symbol += k.reshape((-1,) + (1,) * (len(shape) - 1 - axis))
    symbol.flat[0] = np.inf
    return symbol
