"""Laws of equations: what a process makes of them is solved by its own exact solutions, forwards and in reverse.

Exact solutions are log p_t of a Gaussian mixture, for a process with Gaussian transitions, and −V for Langevin's, whose
drift has a divergence that is not constant. Derivatives that the solution does not say are taken by differences; its rate
is that of transition laws differentiated numerically, and all laws hold to 1e-8 of the largest term. They are laws of a
process, beside those of its own room.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from mfgpde.core.arrays import Array, dot
from mfgpde.core.differences import gradient, slope
from mfgpde.core.laws import Check, Kind, Law, agree
from mfgpde.densities import GaussianMixture
from mfgpde.equations import (
    BackwardKolmogorov,
    Continuity,
    FokkerPlanck,
    HamiltonJacobiBellman,
    LogDensity,
    ScoreFokkerPlanck,
    ScoreKolmogorov,
)
from mfgpde.equations.contract import ScalarField
from mfgpde.processes import ForwardProcess, LinearProcess, OverdampedLangevin
from mfgpde.processes.places import between, dimension, length, points, tensor, times
from mfgpde.scores import ExactScore

SOLVED = 1e-8


@dataclass(frozen=True, eq=False)
class Gibbs:
    """The score −∇V of the law e^{−V} that a Langevin process keeps."""

    process: OverdampedLangevin

    def __call__(self, x: Array, t: float, /) -> Array:
        """Return −∇V."""
        return -self.process.gradient(x)

    def potential(self, x: Array, t: float) -> Array:
        """Return −V."""
        return -self.process.potential(x)

    def divergence(self, x: Array, t: float) -> Array:
        """Return −ΔV."""
        return -self.process.laplacian(x)

    def potential_time_derivative(self, x: Array, t: float) -> Array:
        """Return zero."""
        return np.zeros(x.shape[:-1])

    def time_derivative(self, x: Array, t: float) -> Array:
        """Return zero."""
        return np.zeros_like(x)


def exact_score(process: ForwardProcess) -> ExactScore | Gibbs | None:
    """Return the score of an exact solution: two Gaussians noised, or the law that stays; of other processes none.

    Of a process whose noise differs by direction, which has equations of its own, none here.
    """
    if not process.alike:
        return None
    if isinstance(process, OverdampedLangevin):
        return Gibbs(process)
    if not isinstance(process, LinearProcess):
        return None
    return noised(process)


def noised(process: LinearProcess) -> ExactScore:
    """Return the score of two Gaussians under a linear process."""
    d, size = dimension(process), length(process)
    means = size * np.stack((np.linspace(-1.0, 0.5, d), np.linspace(1.2, 0.7, d)))
    return ExactScore(process, GaussianMixture([0.4, 0.6], means, size**2 * np.array([0.3, 0.5])))


def _vanishes(case: str, terms: list[Array], error: float = 0.0) -> Check:
    size = max(float(np.abs(term).max()) for term in terms)
    return agree(case, np.sum(terms, axis=0), np.zeros(terms[0].shape), error + SOLVED * size, size=size)


def _moments(process: ForwardProcess, rng: Generator) -> Iterator[tuple[ExactScore | Gibbs, Array, float, str]]:
    score = exact_score(process)
    if score is not None:
        x = points(process, rng)
        for t in (between(process, t, 0.0)[0] for t in times(process)):
            yield score, x, t, f"t = {t:.3g}"


def _divergence(field: ScalarField, x: Array, t: float, process: ForwardProcess) -> tuple[Array, float]:
    jacobian, error = gradient(lambda y: field(y, t), x, 0.1 * length(process))
    return np.trace(jacobian, axis1=-2, axis2=-1), x.shape[-1] * error


def marginals_solve_fokker_planck(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """With p = e^φ: ∂_tφ + ∇·f + f·∇φ = D(Δφ + |∇φ|²), f and D those of `FokkerPlanck.of`, ∇·f by differences."""
    equation = FokkerPlanck.of(process)
    for score, x, t, where in _moments(process, rng):
        s, D = score(x, t), float(equation.diffusivity(t))
        spread, error = _divergence(equation.drift, x, t, process)
        terms = [
            score.potential_time_derivative(x, t),
            spread,
            dot(equation.drift(x, t), s),
            -D * score.divergence(x, t),
        ]
        yield _vanishes(where, [*terms, -D * dot(s, s)], error)
        known = equation.potential
        if known is not None:
            found, error = gradient(lambda y, V=known, t=t: V(y, t), x, 0.1 * length(process))
            yield agree(f"−D∇V, {where}", equation.drift(x, t), -D * found, D * error)


def generation_brings_marginals_back(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """With q(τ) = p(T − τ): ∂_τφ + ∇·b + b·∇φ = D(Δφ + |∇φ|²), b and D those of `FokkerPlanck.reverse`.

    Where it states a potential, b = −D∇ of it, and a divergence, that is b's, by differences.
    """
    for score, x, t, where in _moments(process, rng):
        equation, tau = FokkerPlanck.reverse(process, score), process.horizon - t
        s, D = score(x, t), float(equation.diffusivity(tau))
        spread, error = _divergence(equation.drift, x, tau, process)
        terms = [
            -score.potential_time_derivative(x, t),
            spread,
            dot(equation.drift(x, tau), s),
            -D * score.divergence(x, t),
            -D * dot(s, s),
        ]
        yield _vanishes(where, terms, error)
        if equation.divergence is not None:
            size = max(float(np.abs(term).max()) for term in terms)
            yield agree(f"∇·b, {where}", equation.divergence(x, tau), spread, error, size=size)
        known = equation.potential
        if known is not None:
            found, error = gradient(lambda y, V=known, t=tau: V(y, t), x, 0.1 * length(process))
            yield agree(f"−D∇V, {where}", equation.drift(x, tau), -D * found, D * error)


def marginals_are_carried_by_the_probability_flow(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """∂_tφ + ∇·v + v·∇φ = 0 for v of `Continuity.probability_flow`; ∇·v by differences; reversed twice it is itself."""
    for score, x, t, where in _moments(process, rng):
        flow, end = Continuity.probability_flow(process, score), process.horizon
        v, (spread, error) = flow.velocity(x, t), _divergence(flow.velocity, x, t, process)
        yield _vanishes(where, [score.potential_time_derivative(x, t), spread, dot(v, score(x, t))], error)
        if flow.divergence is not None:
            size = float(np.abs(process.divergence(x, t)).max())
            yield agree(f"∇·v, {where}", flow.divergence(x, t), spread, error, size=size)
        back = flow.reversed(end)
        yield agree(f"reversed, {where}", back.velocity(x, end - t), -v, SOLVED * float(np.abs(v).max()))
        twice = back.reversed(end)
        yield agree(f"reversed twice, {where}", twice.velocity(x, t), v, SOLVED * float(np.abs(v).max()))
        if flow.divergence is not None and back.divergence is not None:
            yield agree(
                f"∇·v reversed, {where}", back.divergence(x, end - t), -spread, error, size=float(np.abs(spread).max())
            )


def logarithms_solve_their_equation(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """`LogDensity.of` has no residual at φ, and −φ solves `HamiltonJacobiBellman.of`: ∂_tU = DΔU − H(x, ∇U, t)."""
    for score, x, t, where in _moments(process, rng):
        equation, value = LogDensity.of(process), HamiltonJacobiBellman.of(process)
        s, rate, bend = score(x, t), score.potential_time_derivative(x, t), score.divergence(x, t)
        D = float(process.diffusivity(t))
        sizes = (rate, D * bend, D * dot(s, s), dot(process.drift(x, t), s), process.divergence(x, t))
        size = max(float(np.abs(term).max()) for term in sizes)
        residual = equation.residual(score, x, t)
        yield agree(f"log-density, {where}", residual, 0 * residual, SOLVED * size, size=size)
        right = -float(value.diffusivity(t)) * bend - value.hamiltonian(x, -s, t)
        yield agree(f"value function, {where}", -rate, right, SOLVED * size, size=size)


def scores_solve_their_equation(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """∂_t s = ∇[D∇·s + |s|² D − f·s − ∇·f], the bracket of `ScoreFokkerPlanck.of`, by its differences in x."""
    equation = ScoreFokkerPlanck.of(process)
    for score, x, t, where in _moments(process, rng):
        D = float(equation.diffusivity(t))
        spreading, first = gradient(lambda y, s=score, t=t, D=D: D * s.divergence(y, t), x, 0.1 * length(process))
        moving, second = gradient(lambda y, s=score, t=t: equation.transport(y, s(y, t), t), x, 0.1 * length(process))
        yield _vanishes(where, [-score.time_derivative(x, t), spreading, moving], first + second)


def tensors_move_densities_and_scores(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """With a tensor D: ∂_tφ + ∇·f + f·s = tr(DJ) + s·Ds, and ∂_t s is the gradient of `ScoreKolmogorov`'s bracket."""
    if process.alike or not isinstance(process, LinearProcess):
        return
    score, x, equation = noised(process), points(process, rng), ScoreKolmogorov.of(process)
    for t in times(process):
        where, s, D = f"t = {t:.3g}", score(x, t), tensor(process, t)
        yield agree(f"D, {where}", equation.tensor(t), D)
        terms = [score.potential_time_derivative(x, t), process.divergence(x, t), dot(process.drift(x, t), s)]
        spread = np.einsum("ij,nij->n", D, score.jacobian(x, t))
        yield _vanishes(f"density, {where}", [*terms, -spread, -dot(s, s @ D)])

        def spreading(y: Array, t: float = t, D: Array = D) -> Array:
            return np.einsum("ij,...ij->...", D, score.jacobian(y, t))

        spread, first = gradient(spreading, x, 0.1 * length(process))
        moved, second = gradient(lambda y, t=t: equation.transport(y, score(y, t), t), x, 0.1 * length(process))
        size = max(float(np.abs(part).max()) for part in (spread, moved, process.drift_vjp(x, t, s)))
        rate = score.time_derivative(x, t)
        yield agree(f"score, {where}", rate, spread + moved, first + second + SOLVED * size, size=size)


def expectations_solve_the_backward_equation(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """The expectation u(x, τ) of cos k·X_T, X_{T−τ} = x given, solves ∂_τ u = f·∇u + DΔu of `BackwardKolmogorov.of`.

    E cos k·X = e^{−½kᵀQk} cos k·(Fx + b); its derivatives in x by hand, in τ by differences.
    """
    if not isinstance(process, LinearProcess) or not process.alike:
        return
    d, x, end = dimension(process), points(process, rng), process.horizon
    equation, k = BackwardKolmogorov.of(process), np.linspace(1.0, 0.5, d) / length(process)

    def wave(tau: float) -> tuple[Array, Array, Array]:
        """Return u, its quarter wave, and Fᵀk."""
        F, b, Q = process.transition(end - tau, end).in_dimension(d)
        phase, size = (x @ F.T + b) @ k, float(np.exp(-0.5 * k @ Q @ k))
        return size * np.cos(phase), size * np.sin(phase), F.T @ k

    for late in times(process):
        t, reach = between(process, end - late, 0.3 * min(late, end - late))
        tau = end - t
        value, quarter, q = wave(tau)
        rate, error = slope(lambda h, tau=tau: wave(tau + h)[0], reach)
        rise = -quarter[:, None] * q
        terms = [dot(equation.drift(x, tau), rise), -float(equation.diffusivity(tau)) * float(q @ q) * value]
        yield _vanishes(f"τ = {tau:.3g}", [-rate, *terms], error)


def equations_come_back_from_a_pickle(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """Pickled and unpickled, as on their way to another process, equations have the same coefficients."""
    for score, x, t, where in _moments(process, rng):
        forward, back = FokkerPlanck.of(process), FokkerPlanck.reverse(process, score)
        flow, left = Continuity.probability_flow(process, score), BackwardKolmogorov.of(process)
        for name, field, again in (
            ("forward", forward.drift, pickle.loads(pickle.dumps(forward)).drift),
            ("reverse", back.drift, pickle.loads(pickle.dumps(back)).drift),
            ("flow", flow.velocity, pickle.loads(pickle.dumps(flow)).velocity),
            ("backward", left.drift, pickle.loads(pickle.dumps(left)).drift),
        ):
            yield agree(f"{name}, {where}", again(x, t), field(x, t), roundings=0)


LAWS: tuple[Law[ForwardProcess], ...] = (
    marginals_solve_fokker_planck,
    generation_brings_marginals_back,
    marginals_are_carried_by_the_probability_flow,
    logarithms_solve_their_equation,
    scores_solve_their_equation,
    expectations_solve_the_backward_equation,
    tensors_move_densities_and_scores,
    equations_come_back_from_a_pickle,
)
"""all laws of equations; of a process without exact solutions they say nothing"""

KINDS = {"process": Kind(ForwardProcess, LAWS)}
