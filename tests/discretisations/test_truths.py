"""The closed forms that schemes are held to solve their equations; means of chains; meshes of spheres and crossings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.discretisations.closed_forms import Problem, problem
from mfgpde.discretisations.coefficients import mesh
from mfgpde.discretisations.finite_volume.jump_chain import JumpChain
from mfgpde.discretisations.finite_volume.walls import Sides
from mfgpde.equations import (
    BackwardKolmogorov,
    Continuity,
    FeynmanKac,
    ForwardKolmogorov,
    HamiltonJacobiBellman,
    LogDensity,
    ScoreFokkerPlanck,
)
from mfgpde.equations.kolmogorov import Resetting
from mfgpde.processes import Diffusion

SEEDS = st.integers(0, 10**6)


@st.composite
def problems(draw):
    d, width = draw(st.integers(1, 3)), draw(st.sampled_from([0.01, 1.0, 30.0]))
    middle = np.array([width * draw(st.floats(-3, 3)) for _ in range(d)])
    sides = width * np.array([14 + draw(st.floats(0, 6)) for _ in range(d)])
    return Problem(middle, width, sides, draw(st.booleans()), draw(st.sampled_from([1e-3, 1.0, 50.0])))


def places(one, seed):
    rng = np.random.default_rng(seed)
    return one.middle + one.width * rng.uniform(-2, 2, (6, len(one.middle)))


def in_time(u, x, t, unit):
    h = 1e-3 * unit
    return (8 * (u(x, t + h) - u(x, t - h)) - (u(x, t + 2 * h) - u(x, t - 2 * h))) / (12 * h)


def divergence(v, x, step):
    """∇·v by differences of order four."""
    total = np.zeros(x.shape[:-1])
    for i, e in enumerate(step * np.eye(x.shape[-1])):
        total += (8 * (v(x + e) - v(x - e)) - (v(x + 2 * e) - v(x - 2 * e)))[..., i] / (12 * step)
    return total


def slopes(u, x, step):
    parts = [
        (8 * (u(x + e) - u(x - e)) - (u(x + 2 * e) - u(x - 2 * e))) / (12 * step) for e in step * np.eye(x.shape[-1])
    ]
    return np.stack(parts, axis=-1)


def bend(u, x, step):
    total = 0.0
    for e in step * np.eye(x.shape[-1]):
        total = total + (16 * (u(x + e) + u(x - e)) - (u(x + 2 * e) + u(x - 2 * e)) - 30 * u(x)) / (12 * step**2)
    return total


def right(equation, u, x, t, step):
    """The equation's right-hand side at points, of a function by differences: written from its formula, not its scheme."""
    at = lambda y: u(y, t)  # noqa: E731
    if isinstance(equation, Continuity):
        return -divergence(lambda y: equation.velocity(y, t) * at(y)[..., None], x, step)
    D = equation.diffusivity(t)
    if isinstance(equation, BackwardKolmogorov):
        return (equation.drift(x, t) * slopes(at, x, step)).sum(axis=-1) + D * bend(at, x, step)
    if isinstance(equation, HamiltonJacobiBellman):
        return D * bend(at, x, step) - equation.hamiltonian(x, slopes(at, x, step), t)
    if isinstance(equation, LogDensity):
        first = slopes(at, x, step)
        return (
            D * (bend(at, x, step) + (first**2).sum(axis=-1))
            - (equation.drift(x, t) * first).sum(axis=-1)
            - equation.divergence(x, t)
        )
    assert isinstance(equation, ScoreFokkerPlanck)

    def inside(y):
        s = at(y)
        return (
            D * ((s**2).sum(axis=-1) + divergence(at, y, step))
            - (equation.drift(y, t) * s).sum(axis=-1)
            - equation.divergence(y, t)
        )

    return slopes(inside, x, step)


@settings(max_examples=25)
@given(problems(), SEEDS, st.floats(0.05, 1.5))
def test_every_closed_form_solves_its_equation(one, seed, share):
    """∂_t u is the right-hand side, by differences, for every equation that laws of schemes are held to."""
    x, t, step = places(one, seed), share * one.unit, 0.02 * one.width
    for equation, exact in one.others():
        changed, told = in_time(exact, x, t, one.unit), right(equation, exact, x, t, step)
        size = np.abs(told).max() + np.abs(exact(x, t)).max() / one.unit
        assert changed == pytest.approx(told, abs=2e-4 * size), type(equation).__name__


@settings(max_examples=25)
@given(problems(), SEEDS, st.floats(0.05, 1.5))
def test_the_law_moves_as_its_process_does_and_ends_where_it_stays(one, seed, share):
    x, t, step, D = places(one, seed), share * one.unit, 0.02 * one.width, one.diffusivity(0.0)
    equation = one.equation(known=True)

    def flow(u):
        return D * bend(u, x, step) - divergence(lambda y: one.drift(y, t) * u(y)[..., None], x, step)

    size = one.density(x, t).max() / one.unit
    assert in_time(one.density, x, t, one.unit) == pytest.approx(flow(lambda y: one.density(y, t)), abs=2e-4 * size)
    assert flow(one.equilibrium) == pytest.approx(0.0, abs=1e-5 * one.equilibrium(x).max() / one.unit)
    told = -D * slopes(lambda y: one.potential(y, t), x, step)
    assert told == pytest.approx(one.drift(x, t), abs=1e-9 * one.width / one.unit)
    assert divergence(lambda y: one.drift(y, t), x, step) == pytest.approx(one.divergence(x, t), rel=1e-9)
    assert equation.potential(x, t) == pytest.approx(one.potential(x, t))


@settings(max_examples=25)
@given(problems(), SEEDS)
def test_hills_have_their_own_slopes_and_bends(one, seed):
    x, step = places(one, seed), 0.02 * one.width
    V, first, second = one._hills(x)
    assert slopes(lambda y: one._hills(y)[0], x, step) == pytest.approx(first, abs=1e-6 / one.width)
    assert bend(lambda y: one._hills(y)[0], x, step) == pytest.approx(second, abs=1e-6 / one.width**2)
    if one.periodic:
        turned = x + one.sides * np.random.default_rng(seed).integers(-2, 3, x.shape)
        assert one._hills(turned)[0] == pytest.approx(V, abs=1e-9)
        assert one._score(turned, one.unit) == pytest.approx(one._score(x, one.unit), abs=1e-8 / one.width)


def test_boxes_that_are_periodic_in_part_have_no_closed_form():
    box = mfg.CartesianGrid((0.0, 1.0), (7.0, 15.0), (8, 8), (True, False))
    assert problem(mfg.FiniteVolume(box)) is None
    found = problem(mfg.FiniteVolume(mfg.CartesianGrid((0.0, 1.0), (7.0, 15.0), (8, 8))), 3.0)
    assert found.middle == pytest.approx([3.5, 8.0])
    assert found.sides == pytest.approx([7.0, 14.0])
    assert found.width == 0.5
    assert found.unit == 3.0
    assert not found.periodic


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), SEEDS)
def test_products_of_axes_are_their_points(sizes, seed):
    axes = [np.random.default_rng(seed).normal(size=n) for n in sizes]
    assert np.array_equal(mesh(tuple(axes)), np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))


def turning(angle):
    c, s = np.cos(angle), np.sin(angle)
    D = np.array([[c, -s], [s, c]]) @ np.diag([1.0, 0.1]) @ np.array([[c, s], [-s, c]])
    return lambda x, t: np.broadcast_to((1 + 0.5 * t) * D, (*x.shape[:-1], 2, 2))


@pytest.mark.parametrize("kind", [ForwardKolmogorov, FeynmanKac])
@settings(max_examples=8)
@given(seed=SEEDS, first=st.floats(0.1, 1.4), second=st.floats(-1.4, -0.1))
def test_the_mean_of_two_chains_has_the_mean_of_their_rates(kind, seed, first, second):
    """Also where their tensors lie along different lattice vectors, and with killing, sources and resetting in time."""
    rng, grid = np.random.default_rng(seed), mfg.CartesianGrid.cube(2.0, 10, 2)
    law = mfg.gaussian([0.3, -0.2], 0.1 * np.eye(2))
    a, b = turning(first), turning(second)
    process = Diffusion(
        lambda x, t: -x * (1 + t), lambda x, t: a(x, t) if t < 0.5 else b(x, t), time_dependent=True, horizon=1.0
    )
    equation = kind(
        process,
        killing=lambda x, t: 0.3 + t * x[..., 0] ** 2,
        source=lambda x, t: 0.1 * t + x[..., 1] ** 2,
        resetting=Resetting(lambda x, t: 0.5 + t + 0.2 * x[..., 1], law),
    )
    chain = JumpChain(equation, grid, Sides.of("absorbing", grid))
    early, late, u = chain.at(0.0), chain.at(1.0), rng.normal(size=grid.cells)
    mean = early.mean(late)
    told = 0.5 * (early.rate(u, 0.0) + late.rate(u, 0.0))
    assert mean.rate(u, 0.0) == pytest.approx(told, abs=1e-12 * np.abs(told).max())
    assert early.mean(early) is early
    solved = mean.filtered(u, 0.0, 0.05)
    assert solved - 0.05 * (mean.rate(solved, 0.0) - mean.added) == pytest.approx(u, abs=1e-8)


@pytest.mark.parametrize("still", [True, False])
def test_rates_are_looked_up_in_time_where_something_changes_in_time(still):
    grid = mfg.CartesianGrid.cube(1.0, 8, 1)
    process = Diffusion(lambda x, t: -x, lambda x, t: 0.3, time_dependent=not still)
    killing = (lambda x, t: 1 + 0 * x[..., 0]) if still else (lambda x, t: 1 + t + 0 * x[..., 0])
    equation = ForwardKolmogorov(process, killing=killing)
    chain = JumpChain(equation, grid, Sides.of("reflecting", grid))
    ones = np.ones(8) / 2
    lost = [-float(grid.integrate(chain.at(t).rate(ones, t))) for t in (0.0, 2.0)]
    assert lost[0] == pytest.approx(1.0)
    assert lost[1] == pytest.approx(1.0 if still else 3.0)
