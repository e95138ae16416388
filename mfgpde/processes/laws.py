"""Laws of forward processes: drift, diffusion and transition laws belong together, in every unit and at every time.

Derivatives are compared with differences that bound their own error (`core.differences`); all else to roundings of the
largest term. Points are taken at the process's own length: see `places`. `processes.laws.LAWS` holds them all:

>>> from mfgpde import VariancePreserving
>>> from mfgpde.core.laws import examine
>>> from mfgpde.processes.laws import LAWS
>>> all(outcome.kept for outcome in examine(VariancePreserving(horizon=2.7), LAWS))
True
"""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice

import numpy as np
from numpy.random import Generator

from mfgpde.core.arrays import Array
from mfgpde.core.differences import gradient, slope
from mfgpde.core.laws import Check, Kind, Law, agree, numbers, pointwise, refuses, small
from mfgpde.core.units import powers, remade
from mfgpde.processes import ForwardProcess, IsotropicProcess, LinearProcess, OverdampedLangevin
from mfgpde.processes.contract import known_time_scale
from mfgpde.processes.places import between, dimension, length, points, strength, tensor, times

SOLVED = 1e-10
"""what transition laws may be off by, of their size, where they are integrated numerically"""
CANCELLED = 1e6
"""roundings of a Jacobian by differences of values, whose widths may follow what is asked for together"""
UNITS, FEW = 1e-9, 3
"""the same in other units, where times and lengths are rounded elsewhere; ways of changing units that are looked at"""


def _at(t: float) -> str:
    return f"t = {t:.3g}"


def takes_points_and_times_of_any_leading_shape(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """Points (..., d) give drifts (..., d), divergences (...), tensors (..., d, d); arrays of times say the same as each.

    Exactly but for the order of summation: 64 roundings of the largest value.
    """
    flat = points(process, rng)
    for t in times(process):
        yield from pointwise(f"drift, {_at(t)},", lambda y, t=t: process.drift(y, t), flat)
        yield from pointwise(f"∇·f, {_at(t)},", lambda y, t=t: process.divergence(y, t), flat)
        yield from pointwise(f"∇(∇·f), {_at(t)},", lambda y, t=t: process.divergence_gradient(y, t), flat)
        yield from pointwise(f"Jacobian, {_at(t)},", lambda y, t=t: process.drift_jacobian(y, t), flat, CANCELLED)
        yield from pointwise(f"D, {_at(t)},", lambda y, t=t: process.diffusion_tensor(y, t), flat)
    t = process.horizon * np.linspace(0.05, 0.95, 12)
    alone = np.stack([process.drift(flat[i : i + 1], float(t[i]))[0] for i in range(12)])
    yield agree("drift at 12 times", process.drift(flat, t), alone)
    alone = np.stack([process.divergence(flat[i : i + 1], float(t[i]))[0] for i in range(12)])
    yield agree("divergence at 12 times", process.divergence(flat, t), alone)
    if process.alike:
        yield agree("diffusion at 12 times", process.diffusion(t), [float(process.diffusion(float(u))) for u in t])


def divergence_is_the_trace_of_the_jacobian(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """∇·f is the trace of ∂f_i/∂x_j, by differences of the drift."""
    for scale in (1.0, 3.0):
        x = scale * points(process, rng)
        for t in times(process):
            jacobian, error = gradient(lambda y, t=t: process.drift(y, t), x, 0.1 * length(process))
            trace, size = np.trace(jacobian, axis1=-2, axis2=-1), float(np.abs(jacobian).max())
            where = f"{scale:g} lengths out, {_at(t)}"
            yield agree(where, process.divergence(x, t), trace, x.shape[-1] * error, size=size)


def derivatives_of_the_drift_are_those_of_its_values(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """`drift_jacobian`, (∇f)ᵀv and ∇(∇·f) are what differences of drift and divergence say, at times that are arrays too.

    To a millionth of the largest where the process itself takes differences, over another length.
    """
    x = points(process, rng)
    v = rng.standard_normal(x.shape)
    for t in (*times(process), process.horizon * np.linspace(0.05, 0.95, len(x))):
        where = _at(t) if isinstance(t, float) else "at 12 times"
        jacobian, error = gradient(lambda y, t=t: process.drift(y, t), x, 0.1 * length(process))
        size = float(np.abs(jacobian).max())
        error += 1e-6 * size
        yield agree(f"Jacobian, {where}", process.drift_jacobian(x, t), jacobian, error, size=size)
        pulled = np.einsum("nij,ni->nj", jacobian, v)
        yield agree(
            f"(∇f)ᵀv, {where}", process.drift_vjp(x, t, v), pulled, error * np.abs(v).sum(axis=-1).max(), size=size
        )
        slopes, doubt = gradient(lambda y, t=t: process.divergence(y, t), x, 0.1 * length(process))
        unit = size / length(process)
        yield agree(f"∇(∇·f), {where}", process.divergence_gradient(x, t), slopes, doubt + 1e-6 * unit, size=unit)


def diffusivity_is_half_the_square_of_the_diffusion(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """D = g²/2, at one time and at many, g finite and positive after t = 0; as a tensor it is D times the identity.

    Of noise that differs by direction the tensor is symmetric and has no eigenvalue below zero; there is no one number g.
    """
    x = points(process, rng)
    t = process.horizon * np.linspace(0.01, 1.0, 12)
    if not process.alike:
        for u in t:
            D = tensor(process, float(u))
            yield agree(f"Dᵀ, {_at(u)}", D.T, D)
            yield small(f"least eigenvalue, {_at(u)}", -float(np.linalg.eigvalsh(D)[0]), 1e-14 * float(np.trace(D)))
            yield agree(
                f"everywhere, {_at(u)}", process.diffusion_tensor(x, float(u)), np.broadcast_to(D, (*x.shape, len(D)))
            )
        try:
            process.diffusion(0.0)
        except TypeError:
            yield small("g is refused", 0.0, 0.0)
        else:
            yield small("g is refused", 1.0, 0.0)
        return
    g = np.array([float(process.diffusion(float(u))) for u in t])
    yield small("g is finite and positive", float(not (numbers(g) and g.min() > 0)), 0.0)
    yield agree("at 12 times", process.diffusivity(t), 0.5 * g**2)
    yield agree("one by one", [float(process.diffusivity(float(u))) for u in t], 0.5 * g**2)
    tensors = 0.5 * (g**2)[:, None, None] * np.eye(x.shape[-1])
    yield agree("tensors at 12 times", process.diffusion_tensor(x, t), tensors)
    alone = [process.diffusion_tensor(x[k], float(u)) for k, u in enumerate(t)]
    yield agree("tensors one by one", alone, tensors)


def autonomous_processes_do_not_change(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """Where `autonomous` is true, drift and diffusion are the same at all times."""
    if not process.autonomous:
        return
    x, first = points(process, rng), 0.01 * process.horizon
    for t in times(process):
        yield agree(f"drift, {_at(t)}", process.drift(x, t), process.drift(x, first))
        yield agree(f"D, {_at(t)}", tensor(process, t), tensor(process, first))


def coefficients_change_no_faster_than_the_time_scale(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """Where a time scale τ is known, drift and D change between two of 400 times by at most max|c| Δt/τ."""
    scale, x, moments = known_time_scale(process), points(process, rng), process.horizon * np.linspace(0, 1, 400)
    if scale == 0:
        return
    drift = np.stack([process.drift(x, float(t)) for t in moments]).reshape(400, -1)
    noise = np.array([[float(process.diffusivity(float(t)))] for t in moments])
    for name, values in (("drift", drift), ("D", noise)):
        size = np.abs(values).max(axis=0)
        fastest = float((np.abs(np.diff(values, axis=0)).max(axis=0) / np.where(size > 0, size, 1.0)).max())
        yield small(f"changes of {name} in units of Δt/τ", fastest * 399 * scale / process.horizon - 1, 1e-9)


def linear_drifts_are_affine(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """For a process with Gaussian transitions f(x + y) + f(0) = f(x) + f(y)."""
    if not isinstance(process, LinearProcess):
        return
    x, y = points(process, rng), points(process, rng)
    for t in times(process):
        both = process.drift(x, t) + process.drift(y, t)
        yield agree(_at(t), process.drift(x + y, t) + process.drift(0 * x, t), both)


def transitions_solve_the_moment_equations(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """Ḟ = AF, ḃ = Ab + c, Q̇ = AQ + QAᵀ + g²I for the transition (F, b, Q) from s to t, with f = Ax + c.

    By differences of the transition in t over at most a fifth of the way to s and to the horizon, and to 1e-10 of the
    largest term: transitions may be integrated numerically.
    """
    if not isinstance(process, LinearProcess):
        return
    d, size = dimension(process), length(process)
    for s, t in _intervals(process):
        t, reach = between(process, t, 0.2 * min(t - s, process.horizon - t))
        A, c = _affine(process, t, d, size)
        F, b, Q = process.transition(s, t).in_dimension(d)
        noise = 2 * tensor(process, t)
        rates = {"F": A @ F, "b": A @ b + c, "Q": A @ Q + Q @ A.T + noise}
        terms = {"F": A @ F, "b": np.append(A @ b, c), "Q": np.append(A @ Q, noise)}
        for k, (name, rate) in enumerate(rates.items()):
            found, error = slope(lambda h, s=s, t=t, k=k: process.transition(s, t + h).in_dimension(d)[k], reach)
            largest = float(np.abs(terms[name]).max())
            yield agree(f"{name} from {s:.3g}, {_at(t)}", rate, found, error + SOLVED * largest, size=largest)


def transitions_compose(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """Chapman–Kolmogorov: from r to t at once is from r to s, then from s to t; over no time nothing happens.

    To 1e-10 of the largest entry: transitions may be integrated numerically.
    """
    if not isinstance(process, LinearProcess):
        return
    d, end, size = dimension(process), process.horizon, length(process)
    for r, s, t in ((0.0, 0.3, 0.8), (0.1, 0.5, 1.0), (0.0, 0.01, 0.05)):
        F, b, Q = process.transition(r * end, s * end).in_dimension(d)
        G, c, R = process.transition(s * end, t * end).in_dimension(d)
        whole = process.transition(r * end, t * end).in_dimension(d)
        parts = (G @ F, G @ b + c, G @ Q @ G.T + R)
        for name, got, want, unit in zip("FbQ", parts, whole, (1.0, size, 0.0), strict=True):
            largest = max(unit, float(np.abs(want).max()))
            yield agree(f"{name} from {r:g}T by {s:g}T to {t:g}T", got, want, SOLVED * largest, size=unit)
    factor, offset, covariance = process.transition(0.4 * end, 0.4 * end).in_dimension(d)
    yield agree("F over no time", factor, np.eye(d))
    yield agree("b over no time", offset, np.zeros(d), size=size)
    yield agree("Q over no time", covariance, np.zeros((d, d)), size=size**2)


def transition_covariances_are_covariances(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """Q is symmetric and has no negative eigenvalue, to 1e-10 of its largest; it is positive once time has passed."""
    if not isinstance(process, LinearProcess):
        return
    d = dimension(process)
    for s, t in _intervals(process):
        Q = process.transition(s, t).in_dimension(d)[2]
        values = np.linalg.eigvalsh(Q)
        yield agree(f"symmetric, {s:.3g} to {t:.3g}", Q, Q.T)
        yield small(f"positive, {s:.3g} to {t:.3g}", -float(values[0]) / max(float(values[-1]), 1e-300), -1e-14)


def the_prior_is_where_the_process_ends(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """The prior forgets the start, and is p_T of data no wider than twice the prior's deviation, to one percent.

    With the prior N(a, P) and the transition (F, b, Q) over the horizon, the eigenvalues of P^{−½}(P − Q)P^{−½} lie between
    −1 % and 4‖P^{−½}FP^{½}‖² + 1 %, and |P^{−½}(b − a)| is at most 2‖P^{−½}FP^{½}‖ + 1 %: what the prior has beyond Q is
    what is left of such data. One percent of a variance is 2.5e-5 nats. The case says how much of the start is left.
    """
    if not isinstance(process, LinearProcess):
        return
    d = dimension(process)
    forgets, a, P = process.prior().in_dimension(d)
    F, b, Q = process.transition(0.0, process.horizon).in_dimension(d)
    root = np.linalg.cholesky(P)
    left = float(np.linalg.norm(np.linalg.solve(root, F @ root), 2))
    beyond = np.linalg.eigvalsh(np.eye(d) - np.linalg.solve(root, np.linalg.solve(root, Q).T))
    where = f"{left:.2g} of a deviation is left"
    yield agree("the prior's factor", forgets, np.zeros((d, d)), size=1.0)
    yield small(f"noise beyond the prior, {where}", -float(beyond[0]), 0.01)
    yield small(f"prior beyond the noise, {where}", float(beyond[-1]), 4 * left**2 + 0.01)
    yield small(f"mean, {where}", float(np.linalg.norm(np.linalg.solve(root, b - a))), 2 * left + 0.01)


def isotropic_coefficients_belong_together(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """Drift f = −a x, ṁ = −a m, v̇ = g² − 2a v, m(0) = 1, v(0) = 0, at times that are arrays too."""
    if not isinstance(process, IsotropicProcess):
        return
    x, end = points(process, rng), process.horizon
    many = end * np.linspace(0.05, 0.95, 12)
    for name, f in (("a", process.relaxation), ("m", process.mean_coefficient), ("v", process.variance)):
        yield agree(f"{name} at 12 times", f(many), [float(f(float(t))) for t in many])
    for t in times(process):
        t, reach = between(process, t, 0.2 * min(t, end - t))
        a, m, v = (float(f(t)) for f in (process.relaxation, process.mean_coefficient, process.variance))
        noise = float(process.diffusion(t)) ** 2
        yield agree(f"f = −a x, {_at(t)}", process.drift(x, t), -a * x)
        rate, error = slope(lambda h, t=t: np.asarray(process.mean_coefficient(t + h)), reach)
        yield agree(f"ṁ, {_at(t)}", -a * m, rate, error, size=m / end)
        rate, error = slope(lambda h, t=t: np.asarray(process.variance(t + h)), reach)
        yield agree(f"v̇, {_at(t)}", noise - 2 * a * v, rate, error, size=noise)
    yield agree("m(0)", float(process.mean_coefficient(0.0)), 1.0)
    yield agree("v(0)", float(process.variance(0.0)), 0.0, size=float(process.variance(end)))
    yield agree("prior", process.prior().in_dimension(2)[2], process.prior_variance * np.eye(2))


def times_outside_the_horizon_are_refused(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """A transition from before 0, past the horizon, or backwards raises ValueError; one to the horizon does not."""
    if not isinstance(process, LinearProcess):
        return
    end = process.horizon
    process.transition(0.0, end)
    yield refuses("past the horizon", lambda: process.transition(0.5 * end, 1.5 * end))
    yield refuses("backwards", lambda: process.transition(0.5 * end, 0.2 * end))
    yield refuses("from before zero", lambda: process.transition(-0.1 * end, 0.5 * end))


def what_is_no_number_is_refused(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """A field that is a number cannot be NaN or infinite, a horizon not zero or negative: ValueError."""
    if not dataclasses.is_dataclass(process):
        return
    for field in dataclasses.fields(process):
        value = vars(process).get(field.name)
        if field.init and isinstance(value, float):
            bad = (np.nan, np.inf, 0.0, -value) if field.name == "horizon" else (np.nan, np.inf)
            for wrong in bad:
                yield refuses(f"{field.name} = {wrong}", lambda f=field.name, w=wrong: _replaced(process, f, w))


def comes_back_from_a_pickle(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """Pickled and unpickled, as on its way to another process, it is the same: drift, diffusion, transition."""
    again, x = pickle.loads(pickle.dumps(process)), points(process, rng)
    yield agree("horizon", again.horizon, process.horizon, roundings=0)
    for t in times(process):
        yield agree(f"drift, {_at(t)}", again.drift(x, t), process.drift(x, t), roundings=0)
        yield agree(f"D, {_at(t)}", tensor(again, t), tensor(process, t), roundings=0)
    if isinstance(process, LinearProcess):
        for name, got, want in zip("FbQ", *(_law(p, x.shape[-1]) for p in (again, process)), strict=True):
            yield agree(name, got, want, roundings=0)


def other_units_change_nothing(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """Made anew with lengths, or times, 1e±9 as large, it is the same: drift, noise, transition, prior; to 1e-9.

    Which of its numbers carry which power of a unit is found by trying (`core.units`); of a unit that none sets, as the
    length of what preserves a variance of one, nothing is said.
    """
    x = points(process, rng)
    for unit, choices in (("lengths", (1.0, 0.0, -1.0, 2.0, -2.0)), ("times", (0.0, 1.0, -1.0, -0.5, 0.5))):
        ways = list(islice(powers(process, choices, partial(_off, process, x, unit)), FEW))
        for factor in (1e-9, 1e9) if ways else ():
            with np.errstate(all="ignore"):  # what overflows is no number, and keeps no law
                found = [list(_same(process, remade(process, way, factor), x, unit, factor)) for way in ways]
            yield from min(found, key=lambda checks: max(check.violation for check in checks))


def _off(process: ForwardProcess, x: Array, unit: str, again: ForwardProcess, factor: float) -> float:
    """Return by how much of their size drift and diffusion are others than in units `factor` times smaller."""
    length, time = (factor, 1.0) if unit == "lengths" else (1.0, factor)
    worst = abs(again.horizon / time - process.horizon) / process.horizon
    for t in times(process):
        drift, noise = process.drift(x, t), np.sqrt(2 * strength(process, t))
        moved = again.drift(length * x, time * t) * (time / length)
        worst = max(worst, float(np.abs(moved - drift).max()) / max(float(np.abs(drift).max()), 1e-300))
        worst = max(worst, abs(np.sqrt(2 * strength(again, time * t)) * time**0.5 / length - noise) / noise)
    return worst


def _same(process: ForwardProcess, again: ForwardProcess, x: Array, unit: str, factor: float) -> Iterator[Check]:
    length, time = (factor, 1.0) if unit == "lengths" else (1.0, factor)
    where = f"{unit} × {factor:g}"
    yield small(f"drift and diffusion, {where}", _off(process, x, unit, again, factor), UNITS)
    for t in times(process)[:2]:
        here, there = process.divergence(x, t), again.divergence(length * x, time * t) * time
        size = float(np.abs(process.drift_jacobian(x, t)).max())
        yield agree(f"∇·f, {where}, {_at(t)}", there, here, UNITS * size, size=size)
    if isinstance(process, LinearProcess) and isinstance(again, LinearProcess):
        s, t = 0.1 * process.horizon, 0.8 * process.horizon
        moving = process.transition(s, t), again.transition(time * s, time * t)
        for name, pair in (("transition", moving), ("prior", (process.prior(), again.prior()))):
            (F, b, Q), (G, c, R) = (one.in_dimension(x.shape[-1]) for one in pair)
            for part, got, want, big in (("F", G, F, 1.0), ("b", c / length, b, 0.0), ("Q", R / length**2, Q, 0.0)):
                size = max(big, float(np.abs(want).max()))
                yield agree(f"{part} of the {name}, {where}", got, want, UNITS * size, size=size)


def langevin_drifts_descend_their_potential(process: ForwardProcess, rng: Generator) -> Iterator[Check]:
    """The drift is −D∇V, with ∇V and ΔV the derivatives of V, by differences."""
    if not isinstance(process, OverdampedLangevin):
        return
    x = points(process, rng)
    for name, function in (("V", process.potential), ("∇V", process.gradient), ("ΔV", process.laplacian)):
        yield from pointwise(name, function, x)
    found, error = gradient(process.potential, x, 0.1 * length(process))
    yield agree("∇V", process.gradient(x), found, error)
    jacobian, error = gradient(process.gradient, x, 0.1 * length(process))
    trace = np.trace(jacobian, axis1=-2, axis2=-1)
    yield agree("ΔV", process.laplacian(x), trace, x.shape[-1] * error, size=float(np.abs(jacobian).max()))
    for t in times(process):
        yield agree(f"f, {_at(t)}", process.drift(x, t), -float(process.diffusivity(t)) * process.gradient(x))


def _intervals(process: ForwardProcess) -> Iterable[tuple[float, float]]:
    end = process.horizon
    return ((0.0, 0.07 * end), (0.0, 0.5 * end), (0.3 * end, 0.6 * end), (0.2 * end, 0.93 * end))


def _affine(process: LinearProcess, t: float, d: int, size: float) -> tuple[Array, Array]:
    """Return A and c of f = Ax + c."""
    at_zero = process.drift(np.zeros((1, d)), t)[0]
    return (process.drift(size * np.eye(d), t) - at_zero).T / size, at_zero


def _law(process: LinearProcess, d: int) -> tuple[Array, Array, Array]:
    return process.transition(0.1 * process.horizon, 0.8 * process.horizon).in_dimension(d)


def _replaced(process: ForwardProcess, field: str, value: float) -> object:
    fields = dataclasses.fields(process) if dataclasses.is_dataclass(process) else ()
    return type(process)(**({f.name: vars(process)[f.name] for f in fields if f.init} | {field: value}))


LAWS: tuple[Law[ForwardProcess], ...] = (
    takes_points_and_times_of_any_leading_shape,
    divergence_is_the_trace_of_the_jacobian,
    derivatives_of_the_drift_are_those_of_its_values,
    diffusivity_is_half_the_square_of_the_diffusion,
    autonomous_processes_do_not_change,
    coefficients_change_no_faster_than_the_time_scale,
    linear_drifts_are_affine,
    transitions_solve_the_moment_equations,
    transitions_compose,
    transition_covariances_are_covariances,
    the_prior_is_where_the_process_ends,
    isotropic_coefficients_belong_together,
    times_outside_the_horizon_are_refused,
    what_is_no_number_is_refused,
    comes_back_from_a_pickle,
    other_units_change_nothing,
    langevin_drifts_descend_their_potential,
)
"""all laws of a forward process; those of a kind that a process is not say nothing of it"""

KINDS = {"process": Kind(ForwardProcess, LAWS)}
