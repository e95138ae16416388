"""Bars of every kind of scheme against closed forms, on problems drawn at random: rough laws, coarse grids, any process."""

from itertools import pairwise

import numpy as np
import pytest

import mfgpde as mfg

SEEDS = range(4)


def process_of(rng):
    horizon = float(rng.choice([0.3, 1.0, 2.5]))
    return (
        mfg.OrnsteinUhlenbeck(horizon=horizon),
        mfg.VariancePreserving(horizon=horizon),
        mfg.Brownian(horizon=horizon),
        mfg.VarianceExploding(0.01, float(rng.choice([1.0, 4.0])), horizon=horizon),
    )[rng.integers(4)]


def mixture(rng):
    n = rng.integers(1, 4)
    return mfg.GaussianMixture(rng.dirichlet(np.ones(n)), rng.uniform(-1.5, 1.5, (n, 1)), rng.uniform(0.02, 0.6, n))


def boxes(rng):
    n = rng.integers(1, 4)
    lower = rng.uniform(-1.5, 1.0, (n, 1))
    return mfg.densities.UniformBoxes(rng.dirichlet(np.ones(n)), lower, lower + rng.uniform(0.2, 1.2, (n, 1)))


def quantities(rng):
    k, a, z = rng.uniform(0.5, 3), rng.uniform(0, 6.28), rng.uniform(-1, 1)
    return (
        lambda x: np.cos(k * x[..., 0] + a),
        lambda x: x[..., 0],
        lambda x: x[..., 0] ** 2,
        lambda x: np.tanh(5 * (x[..., 0] - z)),
    )


def expected(law, functions, reach):
    """Return the expectations by the trapezoidal rule on 200 000 points, exact for smooth laws."""
    x = np.linspace(-reach, reach, 200_001)[:, None]
    p = np.exp(law.log_density(x)) * (x[1, 0] - x[0, 0])
    return [float(p @ f(x)) for f in functions]


def transported(rng, draw, make, start=lambda law: law):
    """Return ratios |value − truth|/bar of four expectations after a random process."""
    process, data, functions = process_of(rng), draw(rng), quantities(rng)
    t = process.horizon * float(rng.choice([0.3, 1.0]))
    step = process.transition(0.0, t)
    law = data.after(step) if isinstance(data, mfg.densities.UniformBoxes) else mfg.marginal(process, data, t)
    half_width = 6.0 + 6.5 * float(np.sqrt(step.covariance))
    equation = mfg.FokkerPlanck.of(process)

    def values(space):
        field = mfg.solve(equation, space, start(data), (0.0, t), rtol=1e-6).at(t)
        return [field.expectation(f) for f in functions]

    lower, cells = -half_width + rng.uniform(0, 0.3), int(rng.integers(24, 80))
    ladders = mfg.ladders(values, make(lower, lower + 2 * half_width, cells))
    return ratios(ladders, expected(law, functions, 2 * half_width))


def ratios(ladders, truths):
    limits = [ladder.limit for ladder in ladders]
    return [abs(found.value - truth) / (found.half_width + 1e-9) for found, truth in zip(limits, truths, strict=True)]


def volumes(order):
    return lambda lower, upper, cells: mfg.FiniteVolume(mfg.CartesianGrid((lower,), (upper,), (cells,)), order=order)


def spectral(lower, upper, cells):
    return mfg.Spectral(mfg.CartesianGrid((lower,), (upper,), (4 * cells,)))


def elements(degree):
    pytest.importorskip("dolfinx_solver")
    return lambda lower, upper, cells: mfg.FiniteElement(mfg.meshes.interval(lower, upper, 2 * cells), degree)


def smoother(rng):
    """Return a law that sixteen cosines a length resolve."""
    return mfg.GaussianMixture(np.ones(2) / 2, rng.uniform(-1.5, 1.5, (2, 1)), rng.uniform(0.3, 0.6, 2))


def carried(rng):
    """Return the ratios of a probability flow with limited fluxes."""
    process, data, functions = mfg.OrnsteinUhlenbeck(horizon=1.0), smoother(rng), quantities(rng)
    score, t = mfg.ExactScore(process, data), float(rng.choice([0.3, 1.0]))
    flow = mfg.Continuity(lambda x, s: process.drift(x, s) - process.diffusivity(s) * score(x, s))

    def values(space):
        field = mfg.solve(flow, space, data, (0.0, t), rtol=1e-6).at(t)
        return [field.expectation(f) for f in functions]

    space = volumes(2)(-5.5 + rng.uniform(0, 0.3), 5.7, int(rng.integers(32, 90)))
    return ratios(mfg.ladders(values, space), expected(mfg.marginal(process, data, t), functions, 12.0))


def kinked(rng):
    """Return the ratio of a value of ∂_tu + ½|∇u|² = 0 from a|x − c| and from −a|x − c|, by the formula of Hopf and Lax."""
    a, c, t, x = rng.uniform(0.5, 1.5), rng.uniform(-0.5, 0.5), 0.5, rng.uniform(-1, 1)
    equation = mfg.HamiltonJacobiBellman(lambda x, p, s: 0.5 * np.einsum("...i,...i", p, p), lambda s: 0.0)
    found = []
    for sign in (1, -1):
        y = np.linspace(-8, 8, 320_001)
        truth = float(np.min(sign * a * np.abs(y - c) + (x - y) ** 2 / (2 * t)))

        def value(space, sign=sign):
            field = mfg.solve(equation, space, lambda x: sign * a * np.abs(x[..., 0] - c), (0.0, t)).at(t)
            return float(field(np.array([[x]]))[0])

        found += ratios([mfg.converge(value, volumes(5)(-3.0, 3.1, int(rng.integers(24, 80))))], [truth])
    return found


def as_function(law):
    return law.density


ROWS = {
    "volumes, mixtures": lambda rng: transported(rng, mixture, volumes(2)),
    "volumes, boxes": lambda rng: transported(rng, boxes, volumes(2)),
    "volumes, boxes as functions": lambda rng: transported(rng, boxes, volumes(2), as_function),
    "volumes of order 4, mixtures": lambda rng: transported(rng, mixture, volumes(4)),
    "volumes of order 4, boxes": lambda rng: transported(rng, boxes, volumes(4)),
    "spectral": lambda rng: transported(rng, smoother, spectral),
    "elements P1": lambda rng: transported(rng, smoother, elements(1)),
    "elements P2": lambda rng: transported(rng, smoother, elements(2)),
    "elements P2, boxes": lambda rng: transported(rng, boxes, elements(2)),
    "continuity": carried,
    "kinks": kinked,
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the initial density is narrower:RuntimeWarning")  # its sign is not on trial here
@pytest.mark.parametrize("row", ROWS)
def test_truth_lies_in_the_bar(row):
    """Ten times as many gave 1 % outside: none of these."""
    worst = {seed: max(ROWS[row](np.random.default_rng([seed, 23]))) for seed in SEEDS}
    assert max(worst.values()) <= 1, worst


@pytest.mark.parametrize("seed", [pytest.param(k, marks=[pytest.mark.slow] * (k > 0)) for k in SEEDS])
@pytest.mark.parametrize("process", ["variance exploding", "1/√t"])
def test_time_steps_of_steep_schedules_are_in_the_bar(process, seed):
    """Var X_t, known: what ten thousand small steps leave in it is a thousand times the tolerance of one."""
    rng = np.random.default_rng(seed)
    if process == "1/√t":
        D, variance = (lambda t: 0.5 / np.sqrt(t + 1e-12)), 0.3 + 2.0
    else:
        top = float(rng.choice([2.0, 4.0]))
        chosen = mfg.VarianceExploding(0.01, top)
        D, variance = chosen.diffusivity, 0.3 + float(chosen.transition(0.0, 1.0).covariance)
    equation, half_width = mfg.FokkerPlanck(lambda x, t: 0 * x, D), 7 * np.sqrt(variance) + rng.uniform(0, 1)

    def second(space):
        field = mfg.solve(equation, space, mfg.gaussian(0.0, 0.3), (0.0, 1.0), rtol=1e-5).at(1.0)
        return field.expectation(lambda x: x[..., 0] ** 2)

    ladder = mfg.converge(second, volumes(4)(-half_width, half_width, 48))
    assert variance in ladder.limit
    assert all(a > b for a, b in pairwise((1.0, ladder.limit.half_width / variance)))
