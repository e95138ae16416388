"""Laws of time integrators: the order on the class, an estimate of its own, and stability where it asks for stiff systems.

All on decays du/dt = λ_k (1 + t) u_k at twelve rates, which have a closed form and every ability that an integrator may ask
for: a bound of the spectrum, a solve, a mean over a step, a diagonal stiff part. What is asked for says what the method is.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from mfgpde.core.laws import Check, Kind, Law, agree, small
from mfgpde.integrators.contract import Array, Integrator

NEAR = 0.25
"""by how much an observed order may be off: the next term of the error, at a hundredth of the first"""


class Decays:
    """du/dt = λ(1 + t/T)u, λ = −rates, in units of the time T; `asked` collects what an integrator wanted."""

    def __init__(self, fastest: float, unit: float = 1.0) -> None:
        self.unit, self.rates = unit, -np.geomspace(0.5, fastest, 12) / unit
        self.asked: set[str] = set()

    def rate(self, u: Array, t: float, out: Array | None = None) -> Array:
        """Return du/dt."""
        return self.rates * (1 + t / self.unit) * u

    def mass(self, u: Array) -> float:
        """Return the sum."""
        return float(np.sum(u))

    def spectral_radius(self, u: Array, t: float) -> float:
        """Return a bound of |λ| over a step of a fifth of the unit."""
        self.asked.add("spectral radius")
        return float(np.abs(self.rates).max()) * (1.2 + t / self.unit)

    def solve(self, rhs: Array, t: float, shift: float) -> Array:
        """Return (1 − shift λ(t))⁻¹ rhs."""
        self.asked.add("solve")
        return rhs / (1 - shift * self.rates * (1 + t / self.unit))

    def frozen(self, t0: float, t1: float) -> Decays:
        """Return the mean over a step."""
        mean = _Mean(self)
        mean.rates = self.rates * (1 + 0.5 * (t0 + t1) / self.unit)
        return mean

    def stiff(self, t0: float, t1: float) -> Array:
        """Return λ."""
        self.asked.add("stiff part")
        return self.rates

    def nonstiff(self, u: Array, t: float, stiff: Array) -> Array:
        """Return what is left."""
        return self.rates * (1 + t / self.unit) * u - stiff * u

    def exact(self, t: float) -> Array:
        """Return u(t) from u(0) = 1."""
        return np.exp(self.rates * (t + 0.5 * t**2 / self.unit))


class _Mean(Decays):
    """The system with coefficients that do not change."""

    def __init__(self, whole: Decays) -> None:
        super().__init__(1.0, np.inf)
        self.asked = whole.asked


def run(method: Integrator, system: Decays, steps: int, end: float) -> Array:
    """Return u(end) after equal steps from u = 1."""
    u, dt = np.ones_like(system.rates), end / steps
    for k in range(steps):
        u, _ = method.step(system, u, k * dt, dt)
    return u


def order_is_that_on_the_class(method: Integrator, rng: Generator) -> Iterator[Check]:
    """Errors at the end fall by 2^order when steps are halved: neither less nor more, to a quarter of an order."""
    counts = (160, 320, 640) if method.order < 3 else (40, 80, 160) if method.order == 3 else (10, 20, 40)
    for unit in (1.0, 1e9):
        system = Decays(4.0, unit)
        errors = [float(np.abs(run(method, system, n, unit) - system.exact(unit)).max()) for n in counts]
        seen = float(np.log2(errors[1] / errors[2]))
        yield small(f"order {seen:.2f} for {method.order}, unit {unit:g}", abs(seen - method.order), NEAR)


def estimates_fall_by_their_order(method: Integrator, rng: Generator) -> Iterator[Check]:
    """The error estimate of one step falls by 2^(embedded order + 1) when the step is halved, to a quarter of an order."""
    system = Decays(4.0)
    sizes = []
    for dt in (0.02, 0.01, 0.005):
        _, error = method.step(system, np.ones(12), 0.3, dt)
        sizes.append(float(np.abs(error).max()))
    seen = float(np.log2(sizes[1] / sizes[2]))
    yield small(f"{seen:.2f} for {method.embedded_order + 1}", abs(seen - method.embedded_order - 1), NEAR)


def estimates_are_of_the_size_of_the_error(method: Integrator, rng: Generator) -> Iterator[Check]:
    """Summed over a run, estimates are between a twentieth of the local errors and fifty times them, once resolved."""
    system, steps = Decays(40.0), 20 if method.order >= 4 else 160
    u, dt, estimated, true = np.ones(12), 1 / steps, 0.0, 0.0
    for k in range(steps):
        t = k * dt
        new, error = method.step(system, u, t, dt)
        exact = u * system.exact(t + dt) / system.exact(t)
        estimated, true = estimated + float(np.abs(error).max()), true + float(np.abs(new - exact).max())
        u = new
    yield small("too small: log₂₀ of error over estimate", float(np.log(true / estimated) / np.log(20)), 1.0)
    yield small("too large: log₅₀ of estimate over error", float(np.log(estimated / true) / np.log(50)), 1.0)


def decays_do_not_grow(method: Integrator, rng: Generator) -> Iterator[Check]:
    """No component grows in a step of 1/|λ|; if it asks for a spectrum, a solve or a stiff part, in one of any length."""
    system = Decays(4.0)
    method.step(system, np.ones(12), 0.0, 0.01)
    lengths = (0.05, 0.25) if not system.asked else (0.05, 0.25, 3.0, 40.0)
    for dt in lengths:
        fast = Decays(4.0)
        fast.unit = np.inf  # coefficients that stay
        new, _ = method.step(fast, np.ones(12), 0.0, dt)
        yield small(f"|R| − 1 at dt·|λ| up to {4 * dt:g}", float(np.abs(new).max()) - 1, 1e-12)


def what_stays_is_kept(method: Integrator, rng: Generator) -> Iterator[Check]:
    """With no rate nothing changes, and the estimate is nothing: to roundings."""
    system = Decays(4.0)
    system.rates = 0 * system.rates
    u = rng.uniform(1, 2, 12)
    new, error = method.step(system, u, 0.3, 0.1)
    yield agree("state", new, u)
    yield agree("estimate", error, 0 * u, size=2.0)


def comes_back_from_a_pickle(method: Integrator, rng: Generator) -> Iterator[Check]:
    """Pickled and unpickled, as on its way to another process, it makes the same step."""
    again, system = pickle.loads(pickle.dumps(method)), Decays(4.0)
    yield agree("a step", again.step(system, np.ones(12), 0.0, 0.1)[0], method.step(system, np.ones(12), 0.0, 0.1)[0])


LAWS: tuple[Law[Integrator], ...] = (
    order_is_that_on_the_class,
    estimates_fall_by_their_order,
    estimates_are_of_the_size_of_the_error,
    decays_do_not_grow,
    what_stays_is_kept,
    comes_back_from_a_pickle,
)
"""all laws of an integrator"""

KINDS = {"integrator": Kind(Integrator, LAWS)}
