"""No unit of length or time, and no origin: solves and distances are the same numbers in nanometres, years and far away."""

import numpy as np
import pytest

import mfgpde as mfg

ALL = [(1e-9, 1.0, 0.0), (1e9, 1.0, 0.0), (1.0, 1e-9, 0.0), (1.0, 1e9, 0.0), (1e-9, 1e9, 0.0), (1.0, 1.0, 1e8)]
UNITS = pytest.mark.parametrize(("length", "time", "shift"), ALL)
SPACES = {"2": mfg.FiniteVolume, "4": lambda grid: mfg.FiniteVolume(grid, order=4), "spectral": mfg.Spectral}


def relaxed(space_of, length, time, shift):
    """Return mean and deviation, in units of length, of a pulsed drift's law; the pulse is a thousandth of the run long."""
    grid = mfg.CartesianGrid((-6.0 * length + shift,), (6.0 * length + shift,), (64,))

    def drift(x, t):
        kick = np.where(np.abs(t / time - 0.4567) < 5e-4, 300.0, 0.0)
        return (-(x - shift) + kick * length) / time

    equation = mfg.FokkerPlanck(drift, lambda t: 0.5 * length**2 / time)
    start = mfg.gaussian(np.array([0.5 * length + shift]), np.array([[0.4 * length**2]]))
    law = mfg.solve(equation, space_of(grid), start, (0.0, time)).at(time)
    mean = law.expectation(lambda x: (x[..., 0] - shift) / length)
    return np.array([mean, law.expectation(lambda x: ((x[..., 0] - shift) / length) ** 2)])


@pytest.mark.parametrize(
    ("name", "length", "time", "shift"),
    [  # each in every other unit in turn; the others are slow
        pytest.param(name, *unit, marks=[pytest.mark.slow] * ((i + k) % 2))
        for i, name in enumerate(SPACES)
        for k, unit in enumerate(ALL)
    ],
)
def test_solves_know_no_unit_and_no_origin(name, length, time, shift):
    here, there = relaxed(SPACES[name], 1.0, 1.0, 0.0), relaxed(SPACES[name], length, time, shift)
    np.testing.assert_allclose(there, here, rtol=0, atol=2e-6)  # 2e-8 of a cell at 1e8, kicks found to 1e-13 of the run
    # 0.5 e⁻¹ and the kick, 0.3 e^{−0.5433}
    np.testing.assert_allclose(here[0], 0.5 * np.exp(-1) + 0.3 * np.exp(-0.5433), atol=5e-3)  # cells of 0.19


@pytest.mark.parametrize("length", [1e-9, 1e9])
def test_generated_laws_know_no_unit(length):
    """The ODE's and the SDE's law of an exact score of an OU process in units of length."""

    def law(unit):
        process = mfg.Linear(-np.eye(1), scale=np.sqrt(2.0) * unit, horizon=1.0)
        data = mfg.gaussian(np.array([0.5 * unit]), np.array([[0.2 * unit**2]]))
        grid = mfg.CartesianGrid((-6.0 * unit,), (6.0 * unit,), (96,))
        score = mfg.ExactScore(process, data)
        found = [make(process, score, grid, stop=0.05).density for make in (mfg.induced_sde, mfg.induced_ode)]
        return [one.values * unit for one in found]

    for here, there in zip(law(1.0), law(length), strict=True):
        np.testing.assert_allclose(there, here, rtol=0, atol=1e-7 * here.max())


@UNITS
def test_distances_of_grids_know_no_unit_and_no_origin(length, time, shift):
    def distances(unit, origin):
        grid = mfg.CartesianGrid((-3.0 * unit + origin,) * 2, (3.0 * unit + origin,) * 2, (32, 32))
        p, q = (
            mfg.gaussian(np.array(m) * unit + origin, np.array(C) * unit**2).cell_means(grid)
            for m, C in (((-0.5, 0.2), ((0.3, 0.1), (0.1, 0.4))), ((0.5, 0.0), ((0.2, -0.05), (-0.05, 0.5))))
        )
        found = mfg.back_and_forth(p, q, grid)
        a, b = (mfg.Field(mfg.FiniteVolume(grid), values) for values in (p, q))
        return np.array([found.distance.value / unit, found.lower / unit, found.upper / unit, mfg.l1_distance(a, b)])

    np.testing.assert_allclose(distances(length, shift), distances(1.0, 0.0), rtol=2e-5)  # 1e8 keeps 8 digits of a cell
