"""Inputs thought of to break solves: closed forms, or what must be said (docs/hard_inputs.md, N4 to N10)."""

import numpy as np
import pytest
from scipy.integrate import quad

import mfgpde as mfg

still = lambda x, t: 0 * x  # noqa: E731


def second(field, origin=0.0, unit=1.0):
    return field.expectation(lambda x: ((x[..., 0] - origin) / unit) ** 2)


def waves():
    """N4: nanometres and femtoseconds, 1e8 lengths from the origin: v + 2∫D, the waves have no mean."""
    L, T = 1e-9, 1e-15
    origin, D = 1e8 * L, L * L / T
    grid = mfg.CartesianGrid((origin - 8 * L,), (origin + 8 * L,), (128,))
    equation = mfg.FokkerPlanck(still, lambda t: D * (1 + np.cos(40 * np.pi * t / T)))
    solution = mfg.solve(equation, mfg.FiniteVolume(grid), mfg.gaussian([origin], [[0.2 * L * L]]), (0.0, T))
    yield second(solution.fields[-1], origin, L), 2.2, 1e-4  # forty half waves, each to rtol = 1e-6 of the density


def long_run():
    """N5: a million relaxation times end at N(0, ½): cells add h²/12 to a variance, and fluxes take of second order."""
    grid, process = mfg.CartesianGrid.cube(6.0, 65, 1), mfg.OrnsteinUhlenbeck(horizon=1e6)
    solution = mfg.solve(mfg.FokkerPlanck.of(process), mfg.FiniteVolume(grid), mfg.gaussian(2.0, 1e-4, 1), (0.0, 1e6))
    yield second(solution.fields[-1]), 0.5, grid.spacing[0] ** 2 / 6
    yield solution.conserved["mass"][-1], 1.0, 1e-8  # rounding of some thousand implicit steps
    assert solution.cost["steps"] < 5000  # steps grow with what is left to happen


def held_wall():
    """N7: a value c that a wall holds for a time s lets in 2c√(Ds/π); s is 6e-3 of the run, √(Ds) five cells."""
    D, s, c, begin = 0.05, 3e-3, 100.0, 0.4696
    process = mfg.processes.Diffusion(still, lambda x, t: D + 0 * x[..., 0])
    given = lambda x, t: np.full(x.shape[:-1], c * float(begin < t < begin + s))  # noqa: E731
    walls = ((mfg.discretisations.Held(given), "reflecting"),)
    space = mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (1.0,), (400,)), walls=walls)
    solution = mfg.solve(
        mfg.equations.ForwardKolmogorov(process), space, lambda x: 0 * x[..., 0], (0.0, begin + s), rtol=1e-5, mass=None
    )
    right = 2 * c * np.sqrt(D * s / np.pi)
    yield solution.conserved["mass"][-1], right, 0.005 * right  # (h/√(Ds))²/12 = 0.0035


def singular_start():
    """N9: ¼|x|^−½ between walls: cosines of coefficients ∫cos(kπy²)dy, damped by e^{−D(kπ)²t}."""
    space = mfg.FiniteVolume(mfg.CartesianGrid((-1.0,), (1.0,), (64,)), walls="reflecting")
    equation = mfg.FokkerPlanck(still, lambda t: 0.1, time_dependent=False)
    solution = mfg.solve(equation, space, lambda x: 0.25 / np.sqrt(np.abs(x[..., 0])), (0.0, 0.3))
    terms = [
        4 * (-1) ** k / (k * np.pi) ** 2 * np.exp(-0.03 * (k * np.pi) ** 2) * quad(_wave, 0, 1, (k,))[0]
        for k in range(1, 8)
    ]
    yield second(solution.fields[-1]), 1 / 3 + sum(terms), 2 * space.grid.spacing[0] ** 2 / 12
    yield solution.conserved["mass"][-1], 1.0, 1e-6


def _wave(y, k):
    return np.cos(k * np.pi * y * y)


@pytest.mark.parametrize("case", [waves, long_run, held_wall, singular_start], ids=lambda case: case.__name__)
def test_unkind_inputs_are_solved(case):
    for found, right, bar in case():
        assert abs(found - right) <= bar


def test_mass_fifty_deviations_away_is_not_dropped():
    """N6: a thousandth of the mass lies outside; the box that is named holds it."""
    law = mfg.GaussianMixture([0.999, 0.001], [[0.0], [50.0]], [0.5, 0.5])
    equation = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck())
    with pytest.raises(ValueError, match=r"its integral 0\.999; a box from .* would do") as caught:
        mfg.solve(equation, mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 128, 1)), law, (0.0, 1.0))
    lower, upper = (float(s.split(")")[0]) for s in str(caught.value).split("a box")[1].split("(")[1:3])
    wide = mfg.FiniteVolume(mfg.CartesianGrid((lower,), (upper,), (1000,)))
    mass = mfg.solve(equation, wide, law, (0.0, 0.01)).conserved
    np.testing.assert_allclose(mass["mass"] + mass["leak"], 1.0, atol=1e-6)


@pytest.mark.slow
def test_a_shear_with_hardly_any_noise_across_says_that_cells_are_wide():
    """N8: Var y is off by a third on 61 × 47 cells, and the summary says of which order until how many cells."""
    process = mfg.Linear(np.array([[-1.0, 0.0], [1.5, -0.2]]), scale=np.array([1.0, 0.01]))
    law = mfg.gaussian([0.5, -1.0], 0.3 * np.eye(2))
    grid = mfg.CartesianGrid((-5.0, -9.0), (5.0, 9.0), (61, 47))
    equation = mfg.equations.ForwardKolmogorov.of(process)
    solution = mfg.solve(equation, mfg.FiniteVolume(grid), law, (0.0, 1.0), rtol=1e-5)
    assert solution.peclet > 1000
    assert "of order one until cells are as much finer" in solution.summary()[1]["cell Péclet number"]
    field, right = solution.fields[-1], law.after(process.transition(0.0, 1.0))
    mean = [field.expectation(lambda x, i=i: x[..., i]) for i in (0, 1)]
    np.testing.assert_allclose(mean, right.means[0], atol=0.02)  # upwind cells move means by little
    across = field.expectation(lambda x: (x[..., 1] - mean[1]) ** 2)
    # upwind fluxes are a diffusion ½h|v|: 0.383 · 0.85 of variance in a time of one, where |v| is as it deviates
    assert 0 < across - right.covariances[0, 1, 1] < 0.4
    np.testing.assert_allclose(solution.conserved["mass"], 1.0, atol=1e-12)


@pytest.mark.parametrize("order", [2, 4])
def test_boxes_on_a_circle_converge_to_their_circular_mean(order):
    """N10, one box a 1/500 wide across the seam: what 37 cells leave falls as h², and is gone at order four.

    What any cells leave is where mass lies within them: ½(πh)² of the half at the seam, and at each edge of the other box
    a mass of 5h by h/8; both fall by e^{−4π²Dt} = 0.67: 6h² at most.
    """
    narrow, D, t = 2e-3, 0.02, 0.5

    def start(x):
        seam = np.abs((x[..., 0] + 0.5) % 1 - 0.5) < narrow / 2
        return np.where(seam, 0.5 / narrow, 0.0) + np.where(np.abs(x[..., 0] - 0.3337) < 0.05, 5.0, 0.0)

    turned = np.exp(2j * np.pi * 0.7 * t - 4 * np.pi**2 * D * t)
    right = 0.5 * turned * (np.sinc(narrow) + np.sinc(0.1) * np.exp(2j * np.pi * 0.3337))
    equation, errors = mfg.FokkerPlanck(lambda x, t: 0.7 + 0 * x, lambda t: D, time_dependent=False), []
    for cells in (37, 74, 148):
        grid = mfg.CartesianGrid((0.0,), (1.0,), (cells,), (True,))
        solution = mfg.solve(equation, mfg.FiniteVolume(grid, order=order), start, (0.0, t))
        np.testing.assert_allclose(solution.conserved["mass"], 1.0, atol=1e-5)
        assert f"({grid.spacing[0] / 2:.3g}) apart" in solution.summary()[1]["start"]
        field = solution.fields[-1]
        cos, sin = (field.expectation(lambda x, f=f: f(2 * np.pi * x[..., 0])) for f in (np.cos, np.sin))
        errors.append(abs(cos + 1j * sin - right))
    errors = np.array(errors)
    if order == 2:  # a diffusion larger by (cell Péclet number)²/12, of 0.95: 0.01
        assert errors[0] < 0.012
        assert (errors[:-1] / errors[1:] > 3).all()
    else:
        assert (errors < 6 / np.array([37, 74, 148]) ** 2).all()
