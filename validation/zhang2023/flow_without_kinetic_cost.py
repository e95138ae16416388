"""Without kinetic cost a normalizing flow is not determined: many end in the same law at the same cost; with it, they are dearer.

ρ_0 is a mixture of concentric ellipses in the plane or in space, T = A x + shift with A > 0 the optimal map to the target. Before it
a flow that ρ_0 does not see: after S^{−½} every shell |z| = r turns by a + b r² about one axis. T∘R ends in the target exactly, and
its straight paths cost tr(S^½AS^½P) E|z|²(1 − cos(a + b|z|²))/d more, P the plane that turns: a closed form. Drawn are laws, maps,
axes, angles.
"""

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import roots_genlaguerre

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_least, at_most, equal

claim = Claim(
    statement=(
        r"F(\rho_T)\ \text{alone: minimisers}\ T\circ R,\ R_\#\rho_0=\rho_0,\ \text{all equal};\quad "
        r"F+\tfrac12\!\int\!\!\int|v|^2\rho:\ \text{only}\ T,\ "
        r"\tfrac12E|TRx-x|^2-\tfrac12E|Tx-x|^2=\mathrm{tr}(S^{\frac12}AS^{\frac12}P)\,E\,|z|^2(1-\cos\alpha(|z|))/d"
    ),
    source="arXiv:2304.13534, section 3.1",
    standing="theorem",
    assumes=("ρ_0 elliptical", "T affine"),
    coefficients=("balance", "target", "turn", "cost"),
)


def root(matrix, power=0.5):
    """Return a power of a symmetric matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors * values**power @ vectors.T


def drawn(rng, d, low, high):
    """Return a symmetric matrix whose eigenvalues are drawn."""
    basis = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return basis * rng.uniform(low, high, d) @ basis.T


class Turned:
    """A law Σ_k w_k N(m, v_k S), a map A x + shift, and a flow before it: shells turn by a + b r² in one plane."""

    def __init__(self, rng, d, parts, turn=1.0, balance=1.0, sign=1.0):
        """`turn` scales the angle, S^{−½} is taken to the power `balance`, A to a sign."""
        self.d, self.S, self.A = d, drawn(rng, d, 0.15, 0.45), sign * drawn(rng, d, 0.6, 1.4)
        self.weights, self.sizes = rng.dirichlet(np.full(parts, 3.0)), rng.uniform(0.5, 1.5, parts)
        self.start, self.end = rng.uniform(-0.6, -0.2, d), rng.uniform(0.2, 0.6, d)
        axes = np.linalg.qr(rng.standard_normal((d, d)))[0]
        self.J = np.outer(axes[1], axes[0]) - np.outer(axes[0], axes[1])
        self.a, self.b = turn * rng.uniform(0.5, 1.5), turn * rng.uniform(0.1, 0.4)
        self.inward, self.outward = root(self.S, -0.5 * balance), root(self.S, 0.5 * balance)

    def turned(self, x):
        """Return R x, also at complex places."""
        z = (x - self.start) @ self.inward
        angle = (self.a + self.b * np.sum(z * z, axis=-1))[..., None]
        once, twice = z @ self.J.T, z @ (self.J @ self.J).T
        return self.start + (z + np.sin(angle) * once + (1 - np.cos(angle)) * twice) @ self.outward

    def carried(self, x):
        """Return T x."""
        return (x - self.start) @ self.A + self.end

    def off_the_target(self, x, target):
        """Return log of the end's density over the target's at T R x, by the flow's Jacobian; `target` scales its covariance."""
        step = 1e-20
        slopes = np.stack([self.carried(self.turned(x + 1j * step * e)).imag / step for e in np.eye(self.d)], axis=-1)
        y = self.carried(self.turned(x))
        A = root(self.A @ self.A)
        wanted = mfg.GaussianMixture(
            self.weights, np.tile(self.end, (len(self.sizes), 1)), [target * v * (A @ self.S @ A) for v in self.sizes]
        )
        return self.law.log_density(x) - np.linalg.slogdet(slopes)[1] - wanted.log_density(y)

    @property
    def law(self):
        """ρ_0."""
        return mfg.GaussianMixture(
            self.weights, np.tile(self.start, (len(self.sizes), 1)), [v * self.S for v in self.sizes]
        )

    def costs(self):
        """Return ½E|TRx − x|² and ½E|Tx − x|² over shells: 40 Laguerre nodes of r², directions of degree 15 and more."""
        found = np.zeros(2)
        radii, shares = roots_genlaguerre(40, self.d / 2 - 1)
        shares = shares / shares.sum()
        directions, parts = _directions(self.d)
        for weight, size in zip(self.weights, self.sizes, strict=True):
            z = np.sqrt(2 * size * radii)[:, None, None] * directions
            x = self.start + z @ root(self.S)
            w = weight * shares[:, None] * parts
            for k, y in enumerate((self.turned(x), x)):
                found[k] += 0.5 * float(np.sum(w * np.sum((self.carried(y) - x) ** 2, axis=-1)))
        return found

    def dearer(self, turn=1.0):
        """Return tr(S^½AS^½P) E|z|²(1 − cos(a + b|z|²))/d: E|z|²e^{ib|z|²} = d v (1 − 2ibv)^{−d/2−1} of a Gaussian of variance v."""
        v, a, b = self.sizes, turn * self.a, turn * self.b
        wave = np.exp(1j * a) * (1 - 2j * b * v) ** (-self.d / 2 - 1)
        half = root(self.S)
        return float(self.weights @ (v * (1 - wave.real)) * np.trace(half @ self.A @ half @ -self.J @ self.J))


def _directions(d):
    """Return points of the sphere and their shares: 16 angles, in space 8 heights of Legendre."""
    angle = 2 * np.pi * (np.arange(16) + 0.5) / 16
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    if d == 2:
        return circle, np.full(16, 1 / 16)
    height, share = leggauss(8)
    wide = np.sqrt(1 - height**2)[:, None, None] * circle
    tall = np.broadcast_to(height[:, None, None], (8, 16, 1))
    return np.concatenate([wide, tall], axis=-1).reshape(-1, 3), np.repeat(share / 2, 16) / 16


@cache
def of_the_game(seed, n):
    """Return the least cost on n² cells, between dual and primal, over W₂²/2, and the turned flow's; variants multiply it, or leave it."""
    one = Turned(np.random.default_rng(seed), 2, 1)
    source = mfg.gaussian(one.start, one.sizes[0] * one.S)
    end = mfg.gaussian(one.end, one.sizes[0] * one.A @ one.S @ one.A)
    game = mfg.games.benamou_brenier(source, end)
    found = mfg.equilibrium(game, mfg.CartesianGrid.cube(4.0, n, 2), steps=n // 3, tolerance=2e-3)
    turned, optimal = one.costs()
    return replace(found.discrete_optimum, at=f"{n}² cells") / optimal, turned / optimal


@claim.measure
def flows(level, rng, turn=1.0, target=1.0, cost=1.0, balance=1.0, sign=1.0):
    """`turn` multiplies the angles that the closed form knows of; `target` the covariance that all reach; `cost` that of the game.

    `balance` is the power of S^{−½} by which shells are found; `sign` turns A, which is then no optimal map.
    """
    seed = int(rng.integers(2**32))
    ends, matched, dearer = [], [], []
    for k in range(Level(level).pick(6, 12, 40)):
        own = np.random.default_rng([seed, k])
        one = Turned(own, 2 + k % 2, 1 + k % 3, turn=1.0 if turn else 0.0, balance=balance, sign=sign)
        off = one.off_the_target(one.law.sample(500, own), target)
        ends.append(float(off[np.argmax(np.abs(off))]))
        turned, optimal = one.costs()
        dearer.append((turned - optimal) / optimal)
        matched.append((turned - optimal - one.dearer(turn)) / optimal)
    worst = mfg.Estimate(max(ends, key=abs), ROUNDING, mfg.Kind.BOUND, "the flow's Jacobian, rounded", "500 points")
    least = mfg.Estimate(min(dearer), 1e-13, mfg.Kind.BOUND, "closed forms, quadrature on shells")
    findings = [
        equal(
            "log of the end's density over the target's, turned flows, furthest from 0",
            worst,
            mfg.exact(0.0, "claim"),
            resolution=5 * ROUNDING,
        ),
        at_least("cost of turned flows over the optimal − 1, least", least, mfg.exact(0.02, "visible"), resolution=0.0),
        equal(
            "what a turn costs more − its closed form, over the optimal, furthest from 0",
            mfg.Estimate(max(matched, key=abs), 1e-13, mfg.Kind.BOUND, "quadrature on shells, rounded"),
            mfg.exact(0.0, "claim"),
            resolution=5e-13,
        ),
    ]
    n = Level(level).pick(48, 64, 96)
    games = [of_the_game(seed + k, n) for k in range(Level(level).pick(1, 2, 4))]
    best = max((cost * one for one, _ in games), key=lambda e: abs(e.value - 1) + e.half_width)
    findings += [
        equal(
            "cost of the game over W₂²/2, furthest from 1",
            best,
            mfg.exact(1.0, "closed form"),
            resolution=GAME,
        ),
        at_most(
            "cost of the game over that of a turned flow, largest",
            max((cost / turned * one for one, turned in games), key=lambda e: e.value),
            mfg.exact(1.0, "claim"),
            resolution=0.0,
        ),
    ]
    return Evidence(findings, [Series("draws", "draw", list(range(len(dearer))), "cost over the optimal − 1", dearer)])


ROUNDING, GAME = 2e-13, 8e-3
"""what doubles leave of log-densities at 500 points; what cells and the gap leave of a game"""


@claim.control("no turn: the second flow is the first")
def same(level, rng):
    return flows(level, rng, turn=0.0)


@claim.control("flows to a law a third wider")
def wider(level, rng):
    return flows(level, rng, target=4 / 3)


@claim.control("a game ten times as dear")
def dearer(level, rng):
    return flows(level, rng, cost=10.0)


@claim.control("shells of another metric, S^{−¼} in the place of S^{−½}")
def other_shells(level, rng):
    return flows(level, rng, balance=0.5)


@claim.control("−A, no gradient of a convex function, said to be optimal")
def concave(level, rng):
    return flows(level, rng, sign=-1.0)
