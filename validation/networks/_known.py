"""Scores that are wrong by a known amount: what SDE or ODE generate with them is a mixture in closed form.

Data are blobs N(mμ_k, V), V = m²s + v; q has blobs N(m(ν_j + C), λV), with C = δθ/(θ + r) of θ = v/m². So it is carried by
−a x + α − Dλ∇log q, α = 2D C′/m, since θ′ = 2D/m²; and this is what
    the SDE does with s_θ = A + ½(1 + λ)∇log q, and the ODE with s_θ = 2A + λ∇log q, where A = −α/2D = −C′/m:
gradients both, and ∇log q itself where λ = 1 and C is constant.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from mfgpde.verify import load_module

lines = load_module(Path(__file__).parent / "_one_width.py")
family = load_module(Path(__file__).parent / "_family.py")


@dataclass(frozen=True)
class Known:
    """A member: process, stop, blobs of data and of q, s, λ, δ and r; all lengths in the unit of the data."""

    name: str
    process: object
    stop: float
    data: object
    made: object
    width: float
    spread: float
    shift: float
    rate: float

    def theta(self, t):
        """Return θ = v/m²."""
        return self.process.variance(t) / self.mean(t) ** 2

    def mean(self, t):
        """Return m, of the type of 0·t."""
        return self.process.mean_coefficient(t) + 0.0 * t

    def offset(self, t, derivative=0):
        """Return C, C′ or C″ by θ."""
        near = 1.0 / (self.theta(t) + self.rate)
        if not derivative:
            return self.shift * (1.0 - self.rate * near)
        return self.shift * self.rate * (near**2 if derivative == 1 else -2.0 * near**3)

    def frame(self):
        """Return the frame of the data's law, q beside it."""
        return lines.Frame(self.data, lambda t: self.width + self.theta(t), self.made, self.spread, self.offset)

    def own_frame(self):
        """Return that of q: x − mC = m λτ ζ."""
        return lines.Frame(self.made, lambda t: self.spread * (self.width + self.theta(t)))

    def slopes(self, t):
        """Return ∇log p and ∇log q in the frame of the data."""
        m, tau = self.mean(t), self.width + self.theta(t)
        inverse = 1.0 / (m * tau)
        one = {"p": inverse, "z": -1.0 / m}
        by = 1.0 / self.spread
        return one, {"q": by * inverse, "z": -by / m, "1": by * (self.offset(t) * inverse)}

    def own_slope(self, t):
        """Return ∇log q in its own frame."""
        m = self.mean(t)
        return {"p": 1.0 / (m * (self.spread * (self.width + self.theta(t)))), "z": -1.0 / m}

    def own_place(self, t):
        """Return x in the frame of q."""
        m = self.mean(t)
        return {"z": m * (self.spread * (self.width + self.theta(t))), "1": m * self.offset(t)}

    def own_logarithm(self, t):
        """Return log q in its own frame at one time: one form, and what is to be multiplied by ζ."""
        tau = self.spread * (self.width + self.theta(t))
        return {"lp": 1.0, "1": -0.5 * np.log(2 * np.pi * tau * self.mean(t) ** 2)}, {"z": -0.5 * tau}

    def residual(self, t):
        """Return the terms of R of φ = Ax + B log q, B = (1 + λ)/2: (A′ − aA)x − DA² + (B − 1)(a + 2BDΔ log q + BD|∇log q|²).

        ∂_tφ is A′x + B∂_t log q, and ∂_t log q what −ax + α − Dλ∇log q makes of it; terms with α cancel.
        """
        a, D, m, B = (self.process.relaxation(t), self.process.diffusivity(t), self.mean(t), 0.5 * (1.0 + self.spread))
        A, slope = self.pull(t), self.own_slope(t)
        rising = -1.0 * (2.0 * D * self.offset(t, 2) / m**3 + a * self.offset(t, 1) / m)  # A′: m′ = −am, θ′ = 2D/m²
        one, inverse = {"1": 1.0}, slope["p"]
        bend = {"1": -1.0 / (self.spread * (self.width + self.theta(t)) * m**2), "pp": inverse**2}
        curved = (2.0 * B * (B - 1.0)) * D
        return [
            (rising - a * A, one, self.own_place(t)),
            (-1.0 * D * A**2 + (B - 1.0) * a, one, one),
            (curved, one, bend),
            (-1.0 * curved, {"p": inverse}, {"p": inverse}),
            (0.5 * curved, slope, slope),
        ]

    def pull(self, t):
        """Return A."""
        return -1.0 * self.offset(t, 1) / self.mean(t)

    def errors(self, t, by_ode=False):
        """Return s_θ − ∇log p and s_θ − ∇log q in the frame of the data."""
        p, q = self.slopes(t)
        pull, rise = (2.0, self.spread) if by_ode else (1.0, 0.5 * (1.0 + self.spread))
        score = plus((pull, {"1": self.pull(t)}), (rise, q))
        return plus((1.0, score), (-1.0, p)), plus((1.0, score), (-1.0, q))

    def over_time(self, terms, frame=None):
        """Return ∫E dt from the stop to T of `terms(t)`, in the frame of the data or another."""
        return lines.over_time(frame or self.frame(), terms, self.stop, self.process.horizon)

    def tilted(self, t):
        """Return the mean of p̂ less that of q, and the variances of q and of p̂ = e^{Ax}q/Z, where λ = 1.

        Weights of p̂ are tilted by e^{−C′ν_j}, and its blobs moved by −mC′τ. With R = (A′ − aA)x − DA² that is all that
        residuals ask for.
        """
        m, tau, tilt = self.mean(t), self.width + self.theta(t), self.offset(t, 1)
        nu = (self.made.places - self.made.weights @ self.made.places).tolist()
        parts = list(zip(self.made.weights.tolist(), nu, strict=True))
        more = [(w * np.expm1(-1.0 * tilt * one), one) for w, one in parts]
        total = 1.0 + sum(w for w, _ in more)
        own = sum(w * one for w, one in more) / total
        wide = sum(w * one**2 for w, one in parts)
        own_wide = (wide + sum(w * one**2 for w, one in more)) / total - own**2
        return m * (own - tilt * tau), m**2 * (tau + wide), m**2 * (tau + own_wide)

    def own_divergence(self, t):
        """Return KL(q‖p̂) at times, where λ = 1: log Σ π_j e^{−C′(ν_j − ν̄)} + C′²τ/2."""
        tau, tilt = self.width + self.theta(t), self.offset(t, 1)
        u = -tilt[..., None] * (self.made.places - self.made.weights @ self.made.places)
        return np.log1p((np.expm1(u) - u) @ self.made.weights) + 0.5 * tilt**2 * tau

    def steepness(self, t):
        """Return A′ − aA = −2DC″/m³, which has one sign: that of δ."""
        return -2.0 * self.process.diffusivity(t) * self.offset(t, 2) / self.mean(t) ** 3

    def gap(self):
        """Return KL(p‖q) at the stop less that at T."""
        return self.divergence(self.stop) - self.divergence(self.process.horizon)

    def divergence(self, t):
        """Return KL(p‖q) at a time, an Estimate."""
        tau, by = self.width + self.theta(t), 1.0 / self.spread
        lag = self.offset(t) / tau
        # log p − log q: τζ²/2 and τ(ζ − C/τ)²/2λ, and what the sums have
        far = {"1": 0.5 * np.log(self.spread) + 0.5 * by * tau * lag**2, "z": -by * tau * lag, "lp": 1.0, "lq": -1.0}
        bent = {"z": 0.5 * (by - 1.0) * tau}
        return lines.at(self.frame(), lambda t: [(1.0, {"1": 1.0}, far), (1.0, bent, {"z": 1.0})], t)


def plus(*forms):
    """Return the sum of forms, of (factor, form)."""
    total = {}
    for factor, form in forms:
        for name, c in form.items():
            total[name] = total[name] + factor * c if name in total else factor * c
    return total


def draw(rng, spread=None):
    """Yield a member a process: three blobs of data, three of q, weights and places drawn; λ too, unless given."""
    for name, (process, stop) in family.processes(rng).items():
        data = lines.Blobs(rng.dirichlet([2.0] * 3), rng.uniform(-1.2, 1.2, 3))
        made = lines.Blobs(rng.dirichlet([2.0] * 3), rng.uniform(-1.2, 1.2, 3))
        wide = float(rng.choice([rng.uniform(0.6, 0.8), rng.uniform(1.3, 1.6)])) if spread is None else spread
        shift = float(rng.uniform(0.2, 0.5) * rng.choice([-1, 1]))
        yield Known(
            name, process, stop, data, made, float(rng.uniform(0.08, 0.2)), wide, shift, float(rng.uniform(0.3, 0.8))
        )


@cache
def drawn(seed, draws, parts, spread=None):
    """Return `parts(member)` of each member of a seeded family, by name."""
    rng, found = np.random.default_rng(seed), {}
    for k in range(draws):
        for case in draw(rng, spread):
            found[f"{case.name} 1D, law known, draw {k}"] = parts(case)
    return found


def root(estimate):
    """Return the square root of a positive Estimate."""
    value, lower, upper = np.sqrt([estimate.value, max(estimate.lower, 0.0), estimate.upper]).tolist()
    return replace(estimate, value=value, half_width=max(value - lower, upper - value))
