"""The game is well posed where the reversed heat equation is not: it contracts what is wrong with its terminal cost, mode by mode.

The value at noising time s comes from the Hamilton–Jacobi–Bellman equation, solved as such on a circle and on a torus in the
plane; the heat flow that the reversed equation would have to undo is known by its singular values. Landscapes, noise, times and
modes are drawn.
"""

from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_least, at_most, equal, load_module

torus = load_module(Path(__file__).parent / "_torus.py")
once = load_module(Path(__file__).parents[1] / "networks" / "_once.py").once

claim = Claim(
    statement=(
        r"U=-2\kappa\log\eta,\ \pi\to\pi(1+\delta\cos kx):\quad \|\delta U(s)\|_\infty\le\|\delta U(0)\|_\infty,\quad "
        r"\|\delta U(s)\|\propto e^{-\kappa k^2s}\ (\pi\ \text{uniform});\qquad "
        r"\|(e^{s\kappa\Delta})^{-1}\|=e^{\kappa k_{\max}^2s}\to\infty"
    ),
    source="arXiv:2402.06162, remark 3.3",
    standing="theorem",
    assumes=("tori of length 2π in one and two dimensions", "π > 0"),
    coefficients=("rate", "contraction"),
)

DELTA = 1e-3


def heat(kappa, horizon):
    """Return Brownian motion of a diffusivity."""
    return mfg.Brownian(scale=float(np.sqrt(2 * kappa)), horizon=horizon)


def flow(kappa, s, grid):
    """Return the matrix of the heat flow over a time s."""
    rows = [mfg.discretisations.propagate(heat(kappa, s), grid, one, 0.0, s) for one in np.eye(grid.cells[0])]
    return np.stack(rows, axis=1)


START = 1e-12
"""what n points leave of the start: of log(1 + a cos kx) waves beyond the sixth, a⁷ of it"""


def values(kappa, s, cost, n, d):
    """Return U at noising times up to s on n points an axis, from its own equation, and what the last may be off."""
    control = mfg.HamiltonJacobiBellman(lambda x, p, t: 0.5 * np.einsum("...i,...i", p, p), heat(kappa, s).diffusivity)
    times = torus.chebyshev(37 if d == 1 else 25, s)
    found = torus.solved(control, mfg.CartesianGrid.cube(np.pi, n, d, periodic=True), cost, times, 1e-9)
    return found[-1], torus.owed(found, times, kappa, 1.0, START)


FINER = {1: 500, 2: 12}
"""points at which a wave's largest value is looked for, in those of the grid"""


def ratio(kappa, s, k, landscape, reversed_, n):
    """Return sup|δU(s)| over sup|δU(0)| of a wave cos k·x in π, by the game or by the reversed heat equation for eight waves."""
    d = len(k)
    least = -2 * kappa * np.log1p(-DELTA)  # of a wave's trough
    if reversed_:
        x = mfg.CartesianGrid.cube(np.pi, n, d, periodic=True).points
        wave, base = 1 + DELTA * np.cos(x @ k), landscape(x)
        axes = np.stack(np.meshgrid(*(np.fft.fftfreq(n, 1 / n),) * d, indexing="ij"))
        waves = np.sqrt(np.sum(axes**2, axis=0))

        def carried(density, sign):
            few = np.where(waves <= 8, np.exp(sign * np.minimum(kappa * waves**2 * s, 50)), 0)
            return np.fft.ifftn(np.fft.fftn(density) * few).real

        noised = carried(np.exp(-base / (2 * kappa)), -1)
        plain, changed = carried(noised, 1), carried(noised * wave, 1)
        most = float(2 * kappa * np.abs(np.log(np.maximum(changed / plain, 1e-9))).max() / least)
        return mfg.Estimate(most, 1e-9 * (1 + most), mfg.Kind.BOUND, "eight waves", f"{n} points")
    (plain, off), (changed, more) = (
        values(kappa, s, cost, n, d)
        for cost in (landscape, lambda y: landscape(y) - 2 * kappa * np.log(1 + DELTA * np.cos(y @ k)))
    )
    # the largest of a sum of n/2 waves an axis, from so many more points
    found = torus.refined((changed - plain)[None], FINER[d] * n)[0]
    low = float(np.abs(np.fft.ifftn(found)).max())
    high = low / np.cos(np.pi / (2 * FINER[d])) ** d
    return mfg.Estimate(
        0.5 * (low + high) / least,
        (0.5 * (high - low) + off + more) / least,
        mfg.Kind.BOUND,
        f"{n} points, by comparison",
    )


def level_ground(x):
    """Return zero."""
    return 0 * x[..., 0]


def over_a_landscape(kappa, s, k, a, b, reversed_, n):
    """Return the ratio where −log π is a sum of three waves an axis, over 2; in the plane of some that turn, too."""

    def landscape(x):
        phase = np.multiply.outer(x, np.arange(1, 4))  # (…, axes, waves)
        found = np.einsum("...ij,ij", np.cos(phase), a) + np.einsum("...ij,ij", np.sin(phase), b)
        return kappa * (found + (0.0 if len(k) == 1 else 0.5 * a[0, 0] * np.cos(x[..., 0] - x[..., 1] + b[0, 0])))

    return ratio(kappa, s, k, landscape, reversed_, n)


@claim.measure
def well_posed(level, rng, rate=1.0, contraction=1.0, reversed_=False):
    """`rate` scales κk² in both rates, and κ of the heat that noise is sent back through.

    `contraction` scales the bound of sup|δU(s)| over sup|δU(0)|; `reversed_` exchanges the game and the reversed heat equation.
    """
    n, one = Level(level).pick(80, 96, 128), mfg.exact(1.0, "claim")
    decay, drawn = [], []
    for _ in range(Level(level).pick(2, 6, 20)):
        kappa, s, k = float(rng.uniform(0.2, 0.6)), float(rng.uniform(0.1, 0.5)), int(rng.integers(1, 4))
        flat = once(ratio, kappa, s, np.array([k]), level_ground, reversed_, n)
        # of a uniform law the wave is damped alone: log(1 + a cos kx) is largest at its trough
        exact = -np.log(1 - DELTA * np.exp(-rate * kappa * k**2 * s)) / -np.log(1 - DELTA)
        decay.append(mfg.Estimate(flat.value / exact, flat.half_width / exact, flat.kind, flat.method))
        a, b = rng.standard_normal((1, 3)), rng.standard_normal((1, 3))
        drawn.append(once(over_a_landscape, kappa, s, np.array([k]), a, b, reversed_, n))
    furthest = max(decay, key=lambda e: abs(e.value - 1) + e.half_width)
    findings = [
        equal("uniform π: δU(s) over e^{−κk²s}, furthest from 1", furthest, one, resolution=1.5e-5),
        at_most(
            "drawn π: sup|δU(s)| over sup|δU(0)|, largest",
            max(drawn, key=lambda e: e.value),
            contraction * one,
            resolution=0.0,
        ),
    ]
    plane, side = [], Level(level).pick(32, 40, 48)
    for _ in range(Level(level).pick(1, 2, 6)):
        kappa, s, k = float(rng.uniform(0.2, 0.6)), float(rng.uniform(0.1, 0.5)), rng.integers(1, 3, 2)
        a, b = 0.4 * rng.standard_normal((2, 3)), 0.4 * rng.standard_normal((2, 3))
        plane.append(once(over_a_landscape, kappa, s, k, a, b, reversed_, side))
    findings.append(
        at_most(
            "drawn π on the torus in the plane: sup|δU(s)| over sup|δU(0)|, largest",
            max(plane, key=lambda e: e.value),
            contraction * one,
            resolution=0.0,
        )
    )
    kappa, s, sizes = 0.4, 0.06, (9, 17, 25, 33)
    least = []
    for m in sizes:
        forward = flow(kappa, s, mfg.CartesianGrid.cube(np.pi, m, 1, periodic=True))
        least.append(np.linalg.svd(forward, compute_uv=False)[-1])
    slopes = np.diff(-np.log(least)) / np.diff((np.array(sizes) // 2) ** 2) / (rate * kappa * s)
    found = mfg.Estimate(
        float(slopes[np.argmax(np.abs(slopes - 1))]), 1e-13, mfg.Kind.BOUND, "singular values above 2e-3"
    )
    findings.append(equal("norm of the inverse flow: slope of its log in k²_max over κs", found, one, resolution=4e-13))
    noise = 1e-6 * rng.standard_normal(33)
    if rate != 1:
        forward = flow(rate * kappa, s, mfg.CartesianGrid.cube(np.pi, sizes[-1], 1, periodic=True))
    carried = forward @ noise if reversed_ else np.linalg.solve(forward, noise)
    grown = float(np.log10(np.linalg.norm(carried) / np.linalg.norm(noise)))
    grown = mfg.Estimate(grown, 1e-13, mfg.Kind.BOUND, "a matrix")
    findings.append(at_least("reversed heat on 33 points: decades that noise grows", grown, one, resolution=0.0))
    known = mfg.exact(float(refused(reversed_)), "tried")
    findings.append(
        equal("a negative diffusivity is refused", known, one, resolution=0.5, because="a yes or a no, 1 or 0")
    )
    series = Series("heat flow over 0.06", "points", list(sizes), "norm of the inverse", list(1 / np.array(least)), "y")
    return Evidence(findings, [series])


def refused(forward):
    """Return whether the solver declines the heat equation, reversed or not."""
    sign = 1.0 if forward else -1.0
    equation = mfg.FokkerPlanck(lambda x, t: 0 * x, lambda t: 0.4 * sign)
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 48, 1))
    try:
        mfg.solve(equation, space, mfg.gaussian(0.0, 0.5), (0.0, 0.1))
    except ValueError:
        return True
    return False


@claim.control("the game and the reversed heat equation exchanged")
def exchanged(level, rng):
    return well_posed(level, rng, reversed_=True)


@claim.control("half of the rates")
def half(level, rng):
    return well_posed(level, rng, rate=0.5)
