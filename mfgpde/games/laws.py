"""Laws of what games pay: costs of the density, costs of the control, and whole games, which keep those of their parts.

Densities are tried from a thousandth of the cost's own scale to ten times it: that of its law on the box of most of its
mass, else one. Derivatives are compared with differences that bound their own error; the rest to 1e-9 of the largest term,
what iterations for proximal maps and tables of 4097 nodes leave.
"""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.random import Generator

from mfgpde.core.arrays import Array
from mfgpde.core.differences import gradient, slope
from mfgpde.core.laws import Check, Kind, Law, agree, examine, small
from mfgpde.densities import Density, GaussianMixture
from mfgpde.games.contract import Functional, RunningCost
from mfgpde.games.mean_field_game import MeanFieldGame
from mfgpde.grids import CartesianGrid

SOLVED = 1e-9
STEPS = (1e-3, 0.3, 20.0)
"""of proximal maps, in units of the density over the slope"""


@runtime_checkable
class OfLaw(Protocol):
    """A cost that compares with a law, or with none."""

    @property
    def law(self) -> Density | None:
        """The law."""
        ...


def grid_of(cost: Functional) -> CartesianGrid:
    """Return 48 cells on the box of 0.999 of the cost's law; on [−2, 2] if it names none."""
    law = cost.law if isinstance(cost, OfLaw) else None
    lower, upper = (np.array([-2.0]), np.array([2.0])) if law is None else law.box(0.999)
    cells = (48,) if len(lower) == 1 else (8,) * len(lower)
    return CartesianGrid(tuple(lower), tuple(upper), cells)


def densities(grid: CartesianGrid, rng: Generator) -> Array:
    """Return values of a density on the grid over four orders of magnitude, of the size of one over the box."""
    return 10.0 ** rng.uniform(-3, 1, grid.cells) / float(np.prod(grid.lengths))


def _known(cost: Functional, rng: Generator) -> tuple[CartesianGrid, Array, object]:
    grid = grid_of(cost)
    return grid, densities(grid, rng), cost.reference(grid.points, 0.3)


def _off(case: str, got: Array, want: Array, size: Array | float, error: float = SOLVED) -> Check:
    """Return the check that entries agree, each to a share of its own terms."""
    return small(case, float(np.max(np.abs(got - want) / np.maximum(size, 1e-300))), error)


def variation_is_the_derivative(cost: Functional, rng: Generator) -> Iterator[Check]:
    """f′ and f″ are the derivatives of f and f′ in the density, by relative differences, entry by entry."""
    if not (cost.smooth and cost.local):
        return
    _, r, c = _known(cost, rng)
    found, error = slope(lambda h: cost.value(r * (1 + h), c), 0.3)
    yield agree("f′", r * cost.first_variation(r, c), found, error, size=1e-2 * float(np.abs(cost.value(r, c)).max()))
    found, error = slope(lambda h: cost.first_variation(r * (1 + h), c), 0.3)
    yield agree(
        "f″", r * cost.second_variation(r, c), found, error, size=1e-2 * float(np.abs(cost.first_variation(r, c)).max())
    )


def costs_are_convex(cost: Functional, rng: Generator) -> Iterator[Check]:
    """Between two densities f is at most the mean of both; where it is monotone, (f′(r) − f′(q))(r − q) ≥ 0."""
    grid, r, c = _known(cost, rng)
    q = densities(grid, rng)
    if cost.local:
        ends = 0.5 * (cost.value(r, c) + cost.value(q, c))
        if np.isfinite(ends).all():
            size = float(np.abs(ends).max())
            excess = float(np.max(cost.value(0.5 * (r + q), c) - ends))
            yield small("f in the middle", excess / size if size else excess, SOLVED)
    if cost.smooth and cost.monotone(grid.points, 0.3):
        q = q * r.sum() / q.sum()  # of one mass: a kernel may be positive for differences of such alone
        pairing = (cost.first_variation(r, c) - cost.first_variation(q, c)) * (r - q)
        total = float(grid.integrate(pairing)) if not cost.local else float(pairing.min())
        yield small("falling slopes", -total / max(float(np.abs(pairing).max()), 1e-300), SOLVED)


def conjugates_are_conjugate(cost: Functional, rng: Generator) -> Iterator[Check]:
    """f(r) + f*(u) ≥ u r for every pair, with equality at u = f′(r): to 1e-9 of the terms."""
    if not cost.local or cost.hard:
        return
    _, r, c = _known(cost, rng)
    if cost.smooth:
        u = cost.first_variation(r, c)
        terms = np.abs(cost.value(r, c)) + np.abs(cost.conjugate(u, c)) + np.abs(u * r)
        yield _off("equality", cost.value(r, c) + cost.conjugate(u, c), u * r, np.where(np.isfinite(terms), terms, 1.0))
    slopes = np.linspace(-3, 3, 13)
    unit = float(np.median(np.abs(cost.first_variation(r, c)))) if cost.smooth else 1.0
    with np.errstate(over="ignore"):
        for share in slopes:
            u = np.full(r.shape, share * unit)
            f, dual = cost.value(r, c), cost.conjugate(u, c)
            finite = np.isfinite(f) & np.isfinite(dual)
            size = np.abs(f) + np.abs(dual) + np.abs(u * r)
            gap = np.where(finite, u * r - f - dual, -np.inf) / np.maximum(np.where(finite, size, 1.0), 1e-300)
            yield small(f"u = {share:.2g} slopes", float(np.max(gap, initial=-1.0)), SOLVED)


def proximal_maps_are_minimisers(cost: Functional, rng: Generator) -> Iterator[Check]:
    """The proximal map minimises ½(r − y)² + s f(r) over r ≥ 0: nothing near it, on either side, is less.

    Rivals are 1e-3 and a tenth of its size away; where f has a slope the map solves r + s f′(r) = y, or is zero. To 1e-9.
    """
    if not cost.local or cost.hard:
        return
    _, r, c = _known(cost, rng)
    y = r * rng.uniform(-0.3, 2.0, r.shape)
    unit = float(np.median(r)) / (float(np.median(np.abs(cost.first_variation(r, c)))) if cost.smooth else 1.0)
    for share in STEPS:
        s = share * unit
        best = cost.proximal(y, s, c)
        yield small(f"negative, s = {share:g} units", -float(best.min()) / float(np.abs(y).max()), 0.0)
        if cost.smooth:
            inside = best > 1e-12 * np.abs(y).max()
            pull = s * cost.first_variation(np.where(inside, best, 1.0), c)
            sizes = np.abs(best) + np.abs(pull) + np.abs(y)
            yield _off(f"its equation, s = {share:g} units", (best + pull)[inside], y[inside], sizes[inside], 1e-7)
        here = 0.5 * (best - y) ** 2 + s * cost.value(best, c)
        size = 0.5 * y**2 + np.abs(s * cost.value(best, c)) + 0.5 * best**2
        for step in (1e-3, 0.1):
            for rival in (best * (1 + step) + 1e-6 * np.abs(y), best * (1 - step)):
                there = 0.5 * (rival - y) ** 2 + s * cost.value(rival, c)
                gain = float(np.max((here - there) / np.maximum(size, 1e-300)))
                yield small(f"rivals {step:g} away, s = {share:g} units", gain, SOLVED)


def entropic_maps_are_minimisers(cost: Functional, rng: Generator) -> Iterator[Check]:
    """The entropic map minimises r log(r/a) − r + s f(r): nothing near it is less; it solves log r + s f′(r) = log a."""
    if not cost.local or cost.hard:
        return
    _, r, c = _known(cost, rng)
    log_a = np.log(r)
    unit = 1 / (float(np.median(np.abs(cost.first_variation(r, c)))) if cost.smooth else 1.0)
    for share in STEPS:
        s = share * unit
        z = cost.kl_proximal(log_a, s, c)
        best = np.exp(z)
        if cost.smooth:
            pull = s * cost.first_variation(best, c)
            yield _off(f"its equation, s = {share:g} units", z + pull, log_a, 1 + np.abs(z) + np.abs(pull), 1e-9)
        here = best * (z - log_a - 1) + s * cost.value(best, c)
        size = best * (np.abs(z - log_a) + 1) + np.abs(s * cost.value(best, c))
        for step in (1e-3, 0.1, -1e-3, -0.1):
            rival = best * np.exp(step)
            there = rival * (z + step - log_a - 1) + s * cost.value(rival, c)
            gain = float(np.max((here - there) / np.maximum(size, 1e-300)))
            yield small(f"rivals e^{step:g} away, s = {share:g} units", gain, SOLVED)


def hard_costs_admit_their_law(cost: Functional, rng: Generator) -> Iterator[Check]:
    """A hard cost's maps are its law whatever is asked, and its conjugate u π: the supremum over that one density."""
    if not cost.hard:
        return
    grid, r, c = _known(cost, rng)
    law = cost.proximal(r, 1.0, c)
    yield agree("another step", cost.proximal(3 * r, 7.0, c), law)
    yield agree("entropic", np.exp(cost.kl_proximal(np.log(r), 2.0, c)), law)
    yield agree("conjugate", cost.conjugate(r, c), r * law)
    if isinstance(cost, OfLaw) and cost.law is not None:
        yield agree("its law", law, np.exp(cost.law.log_density(grid.points)), roundings=4096)


def nonlocal_variations_are_derivatives(cost: Functional, rng: Generator) -> Iterator[Check]:
    """The derivative of the whole cost along a change σ of the density is ∫ δF σ, by differences."""
    if cost.local:
        return
    grid, r, c = _known(cost, rng)
    sigma = densities(grid, rng)
    found, error = slope(lambda h: np.asarray(grid.integrate(cost.value(r + h * sigma, c))), 0.5)
    yield agree("∫ δF σ", float(grid.integrate(cost.first_variation(r, c) * sigma)), found, error)


def other_units_change_nothing(cost: Functional, rng: Generator) -> Iterator[Check]:
    """Of a law 1e±9 as large, costs of densities are the same: f times the volume, f′, and both proximal maps; to 1e-9.

    Lengths alone: costs have no time. Costs that compare with no law have numbers whose unit depends on the cost.
    """
    law = cost.law if isinstance(cost, OfLaw) and dataclasses.is_dataclass(cost) else None
    if not isinstance(law, GaussianMixture) or isinstance(cost, type):
        return
    grid, r, c = _known(cost, rng)
    for length in (1e-9, 1e9):
        moved = GaussianMixture(law.weights, length * law.means, length**2 * law.covariances)
        again: Functional = dataclasses.replace(cost, law=moved)  # pyright: ignore[reportArgumentType, reportAssignmentType]
        volume, far = length ** len(grid.cells), again.reference(length * grid.points, 0.3)
        q, where = r / volume, f"lengths × {length:g}"
        if cost.hard:
            yield agree(f"the law, {where}", volume * again.proximal(q, 1.0, far), cost.proximal(r, 1.0, c), SOLVED)
            continue
        value = cost.value(r, c)
        yield _off(f"f, {where}", volume * again.value(q, far), value, float(np.abs(value).max()))
        if cost.smooth:
            slopes = cost.first_variation(r, c)
            yield _off(f"f′, {where}", again.first_variation(q, far), slopes, float(np.abs(slopes).max()))
            s = float(np.median(r) / np.median(np.abs(slopes)))
            best = cost.proximal(r, s, c)
            yield _off(
                f"nearest, {where}", volume * again.proximal(q, s / volume, far), best, float(np.abs(best).max())
            )
            z = cost.kl_proximal(np.log(r), 0.3, c)
            moved_z = again.kl_proximal(np.log(q), 0.3, far) + np.log(volume)
            yield _off(f"entropic, {where}", moved_z, z, 1 + float(np.abs(z).max()) + abs(float(np.log(volume))))


def comes_back_from_a_pickle(cost: Functional, rng: Generator) -> Iterator[Check]:
    """Pickled and unpickled, as on its way to another process, it asks for the same."""
    grid, r, c = _known(cost, rng)
    again = pickle.loads(pickle.dumps(cost))
    known = again.reference(grid.points, 0.3)
    with np.errstate(invalid="ignore"):
        same = np.array_equal(again.value(r, known), cost.value(r, c), equal_nan=True)
    yield small("another value", float(not same), 0.0)


def hamiltonians_are_legendre_transforms(cost: RunningCost, rng: Generator) -> Iterator[Check]:
    """H(p) ≥ p v − L(v) for every speed, with equality at v = H′(p), which is the derivative of H; L(0) = 0, L is convex.

    To 1e-6 of the terms: costs may be tables.
    """
    v = np.linspace(0.0, 2.0, 41)
    L = cost.lagrangian(v)
    yield small("L(0)", abs(float(L[0])) / float(np.abs(L).max()), 1e-12)
    yield small("bends down", -float(np.diff(L, 2).min()) / float(np.abs(L).max()), 1e-12)
    p = np.diff(L)[4:] / np.diff(v)[4:]  # slopes that the cost has
    H, best = cost.hamiltonian(p), cost.speed(p)
    yield _off("equality", H, p * best - cost.lagrangian(best), np.abs(H) + p * best, 1e-12)
    short = (p[:, None] * v - L - H[:, None]) / (np.abs(H)[:, None] + p[:, None] * v + L)
    yield small("less than p v − L", float(short.max()), 1e-6)
    found, error = slope(lambda h: cost.hamiltonian(p * (1 + h)), 0.1)
    yield agree("H′", p * best, found, error + 1e-6 * float(np.abs(p * best).max()))


def costs_of_the_control_come_back_from_a_pickle(cost: RunningCost, rng: Generator) -> Iterator[Check]:
    """Pickled and unpickled, as on its way to another process, it is the same, bit for bit: L, H and H′."""
    again, v = pickle.loads(pickle.dumps(cost)), np.linspace(0.0, 2.0, 41)
    for name, one, other in (
        ("L", cost.lagrangian, again.lagrangian),
        ("H", cost.hamiltonian, again.hamiltonian),
        ("H′", cost.speed, again.speed),
    ):
        with np.errstate(all="ignore"):  # beyond a table's end
            same = np.array_equal(one(v), other(v), equal_nan=True)
        yield small(f"another {name}", float(not same), 0.0)


def games_keep_the_laws_of_their_parts(game: MeanFieldGame, rng: Generator) -> Iterator[Check]:
    """Terminal cost, interaction and cost of the control keep their laws; each check is the worst of one of these."""
    parts = {"terminal": game.terminal, "interaction": game.interaction}
    for name, part in parts.items():
        for outcome in examine(part, LAWS[:-1]) if part is not None else ():
            yield _worst(f"{name}: {outcome.law}", outcome.kept)
    for outcome in examine(game.cost, (hamiltonians_are_legendre_transforms,)):
        yield _worst(f"control: {outcome.law}", outcome.kept)


def drifts_descend_their_potential(game: MeanFieldGame, rng: Generator) -> Iterator[Check]:
    """A drift given as a potential is −∇V, by other differences; noise and control are positive and finite at all times."""
    lower, upper = game.initial.box(0.99)
    lengths = tuple(np.asarray(upper) - np.asarray(lower))
    x = rng.uniform(lower, upper, (12, len(lower)))
    for t in game.horizon * np.linspace(0, 1, 5):
        yield small(f"κ < 0, τ = {t:.3g}", -game.kappa(float(t)), 0.0)
        yield small(f"g ≤ 0, τ = {t:.3g}", float(not 0 < game.control_gain(float(t)) < np.inf), 0.0)
        V = game.drift_potential
        if V is not None:
            found, error = gradient(lambda y, V=V, t=t: V(y, float(t)), x, 0.1 * min(lengths))
            size = float(np.abs(V(x, float(t))).max()) / min(lengths)
            known = game.velocity_of_drift(x, float(t), lengths)
            yield agree(f"−∇V, τ = {t:.3g}", known, -found, error + 1e-9 * size, size=size)


def _worst(case: str, kept: bool) -> Check:
    return small(case, float(not kept), 0.0)


LAWS: tuple[Law[Functional], ...] = (
    variation_is_the_derivative,
    costs_are_convex,
    conjugates_are_conjugate,
    proximal_maps_are_minimisers,
    entropic_maps_are_minimisers,
    hard_costs_admit_their_law,
    nonlocal_variations_are_derivatives,
    other_units_change_nothing,
    comes_back_from_a_pickle,
)
"""all laws of a cost of the density"""
RUNNING_LAWS: tuple[Law[RunningCost], ...] = (
    hamiltonians_are_legendre_transforms,
    costs_of_the_control_come_back_from_a_pickle,
)
"""all laws of a cost of the control"""
GAME_LAWS: tuple[Law[MeanFieldGame], ...] = (games_keep_the_laws_of_their_parts, drifts_descend_their_potential)
"""all laws of a game"""

KINDS = {
    "cost": Kind(Functional, LAWS),
    "running-cost": Kind(RunningCost, RUNNING_LAWS),
    "game": Kind(MeanFieldGame, GAME_LAWS),
}
