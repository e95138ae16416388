"""Numbers that are proved, against closed forms in doubles: divergences of Gaussians, moments and slopes of mixtures.

On the line and in the plane; there also the sharpness of de Bruijn's identity for mixtures.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.calibration import drawn
from mfgpde.calibration.contract import Case
from mfgpde.densities import GaussianMixture, gaussian
from mfgpde.processes import OrnsteinUhlenbeck
from mfgpde.proofs import (
    Instant,
    MovingMixture,
    PlanarMixture,
    affine,
    estimate,
    mean,
    planar_entropy,
    planar_entropy_rate,
    planar_information,
    relative_entropy,
)
from mfgpde.proofs.instant import KNOWN

NOW = "coefficient", "speed", "variance", "growth", "relaxation", "diffusivity"
PLANE = 0.15
"""of draws that have numbers in the plane, which take a hundred times as long"""


class Proofs:
    """KL of two Gaussians in one and two dimensions, E(x − c)², E ∂_x[(x − c)p]/p = 0 and d/dt KL = −D I, in balls."""

    covers = (
        *(f"proofs.{name}" for name in ("estimate", "mean", "relative_entropy", "affine")),
        *(f"proofs.planar_{name}" for name in ("entropy", "entropy_rate", "information")),
        *(f"proofs.MovingMixture.{name}" for name in ("of", "noised", "log_density")),
        *(f"proofs.PlanarMixture.{name}" for name in ("of", "noised")),
        "proofs.Instant.of",
        *(f"proofs.Instant.{name}" for name in NOW),
    )
    remembered = ()

    def cases(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw two Gaussians, a mixture and a place."""
        m, n = rng.normal(size=2)
        v, w = np.exp(rng.uniform(-2, 2, 2))
        found = relative_entropy(*(MovingMixture.of(gaussian(a, b)) for a, b in ((m, v), (n, w))))
        truth = 0.5 * (v / w - 1 - np.log(v / w) + (m - n) ** 2 / w)
        rounding = 1e-14 * (1 + v / w + (m - n) ** 2 / w)  # of the closed form
        yield Case("KL of two Gaussians", estimate(found, "balls"), float(truth), rounding)
        law, c = drawn.mixture(rng), float(rng.normal())
        one, x = MovingMixture.of(law), affine(-c, 1.0)
        moment = drawn.second_moment(law) - 2 * c * float(law.weights @ law.means[:, 0]) + c * c
        yield Case("E(x − c)²", estimate(mean(one, x**2), "balls"), moment, 1e-14 * (10 + moment))
        yield Case("E(1 + (x − c)s)", estimate(mean(one, 1 + x * one.log_density.slope), "balls"), 0.0)
        yield from self._at_an_instant(rng, law)
        if rng.uniform() < PLANE:
            yield from self._in_the_plane(rng)

    def _at_an_instant(self, rng: np.random.Generator, law: GaussianMixture) -> Iterator[Case]:
        """Draw a process, whose coefficients and law at one time are known in doubles, and their speeds by differences."""
        process = drawn.process(rng)
        if not isinstance(process, KNOWN):
            return
        t = float(rng.uniform(0.05, 0.95)) * process.horizon
        now, step = Instant.of(process, t), process.transition(0.0, t)
        factor, spread = float(np.asarray(step.factor)), float(np.asarray(step.covariance))
        a, D = float(process.relaxation(t)), float(process.diffusivity(t))
        right = {"coefficient": factor, "variance": spread, "relaxation": a, "diffusivity": D}
        right |= {"speed": -a * factor, "growth": 2 * D - 2 * a * spread}
        for name in NOW:
            known = 1e-13 * (1 + D + abs(a) * spread) * (1 + spread)  # roundings of doubles in the closed forms
            yield Case(f"{name} of {process!r}", estimate(getattr(now, name), "balls"), right[name], known)
        moment = drawn.second_moment(drawn.noised(process, law, t))
        found = mean(MovingMixture.noised(law, now), affine(0.0, 1.0) ** 2)
        yield Case(f"E x² of {process!r}", estimate(found, "balls"), moment, 1e-13 * (10 + moment))

    def _in_the_plane(self, rng: np.random.Generator) -> Iterator[Case]:
        """Draw two Gaussians, and two blobs under an Ornstein–Uhlenbeck process."""
        means, shapes = rng.normal(size=(2, 2)), []
        for _ in range(2):
            turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
            shapes.append(turn @ np.diag(np.exp(rng.uniform(-1, 1, 2))) @ turn.T)
        symmetric = [0.5 * (S + S.T) for S in shapes]
        one, two = (PlanarMixture.of(gaussian(m, S)) for m, S in zip(means, symmetric, strict=True))
        inverse, gap = np.linalg.inv(symmetric[1]), means[0] - means[1]
        ratio = inverse @ symmetric[0]
        truth = 0.5 * float(np.trace(ratio) - 2 - np.linalg.slogdet(ratio)[1] + gap @ inverse @ gap)
        rounding = 1e-13 * (1 + float(np.trace(ratio)) + float(gap @ inverse @ gap))
        yield Case("KL of two Gaussians in the plane", estimate(planar_entropy(one, two), "balls"), truth, rounding)
        between = inverse - np.linalg.inv(symmetric[0])  # ∇log p − ∇log q = between·(z − m) + C⁻¹ gap
        truth = float(np.trace(between @ symmetric[0] @ between) + gap @ inverse @ inverse @ gap)
        found = estimate(planar_information(one, two), "balls")
        yield Case("I of two Gaussians in the plane", found, truth, 1e-12 * (1 + truth))
        process = OrnsteinUhlenbeck(float(rng.uniform(0.4, 2.0)), float(rng.uniform(0.6, 1.5)))
        t = float(rng.uniform(0.1, 0.9))
        shape = np.diag(np.exp(rng.uniform(-1.5, 0, 2)))
        blobs = GaussianMixture(rng.dirichlet([2.0, 2.0]), rng.normal(0, 0.7, (2, 2)), np.stack([shape, shape]))
        now = Instant.of(process, t)
        law, rest = PlanarMixture.noised(blobs, now), PlanarMixture.of(gaussian(0.0, process.prior_variance, 2))
        lost = planar_entropy_rate(law, rest) + now.diffusivity * planar_information(law, rest)
        yield Case(
            "d/dt KL + D I of two blobs", estimate(lost, "balls"), 0.0, 1e-13 * process.scale**2
        )  # σ²/2a, rounded
