"""What a step costs on a device, counted on one that is none: launches, and what goes to and fro.

A launch costs microseconds whatever it does, a copy to the host waits for all before it: solves that lose their speed
show it here. Counts are differences of a long and a short solve, a step; NumPy's functions count as one launch.
"""

from collections import Counter

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core import arrays
from mfgpde.equilibria.entropic import solve_entropic
from mfgpde.equilibria.primal_dual import solve_primal_dual
from mfgpde.transport.flux import by_flux, logarithmic_mean

TURNING = mfg.Linear(np.array([[-0.5, 1.0], [-1.0, -0.5]]), 0.8)
OU, VP = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), mfg.FokkerPlanck.of(mfg.VariancePreserving())


def eikonal(x, p, t):
    return np.sqrt(1 + p[..., 0] ** 2 + p[..., 1] ** 2)


def step(solve, counts):
    """Return counts a step, from solves of two lengths."""
    found = []
    for end in (0.15, 0.3):
        counts.clear()
        cost = solve(end)
        found.append((cost["steps"] + cost["rejected"], dict(counts)))
    (few, short), (many, long) = found
    return {name: (long[name] - short.get(name, 0)) / (many - few) for name in long}


def told(x, t):
    return -(1 + t) * np.sin(x)


ANY = mfg.FokkerPlanck(told, lambda t: 0.5 + t)
CASES = {  # equation, discretisation, tolerance, launches, copies to the host, bytes to the device
    # the state and the numbers are copied in, the state out, one is the step; what is done once or twice is in the rest
    "P1, order 2": (OU, mfg.FiniteVolume, {}, 1e-6, 4.5, 1, 8 * 5 * 8),
    "P1, order 4": (OU, mfg.FiniteVolume, {"order": 4}, 1e-6, 4.5, 1, 8 * 5 * 8),
    "P1, spectral": (OU, mfg.Spectral, {}, 1e-8, 3.5, 1, 0),
    "driven, −a(t) x": (VP, mfg.FiniteVolume, {}, 1e-5, 5, 1, 8 * (5 * 8 + 6)),
    "driven, −a(t) x, order 4": (VP, mfg.FiniteVolume, {"order": 4}, 1e-5, 5, 1, 8 * (5 * 8 + 6)),
    "driven, −a(t) x, spectral": (VP, mfg.Spectral, {}, 1e-6, 4.5, 1, 8 * 8),
    # the drift twice, at four launches; what it gives scaled, looked at and copied in
    "driven, any drift": (ANY, mfg.FiniteVolume, {}, 1e-5, 27, 1, 8 * (5 * 8 + 4)),
    "driven, any drift, spectral": (ANY, mfg.Spectral, {}, 1e-6, 35, 1, 8 * 5),
}


@pytest.mark.parametrize("name", CASES)
def test_a_step(name, fake, counts):
    equation, space, options, rtol, launches, fetched, sent = CASES[name]
    where = space(mfg.CartesianGrid.cube(3.0, 24, 2), backend="cupy", **options)
    start = mfg.gaussian([0.3, -0.2], 0.25, 2)

    def solve(end):
        return mfg.solve(equation, where, start, (0.05, end), rtol=rtol, largest_wall_mass=1.0).cost

    found = step(solve, counts)
    assert found["launches"] <= launches, found
    assert found["fetched"] <= fetched, found
    assert found["bytes fetched"] <= 56, "a few numbers"
    assert found.get("sent", 0) <= 1, found
    assert found.get("bytes sent", 0) <= sent, found


def growing(x, t):
    return (1 + t) * np.array([[0.5, 0.2], [0.2, 0.4]]) + 0 * x[..., None]


def test_a_step_of_a_tensor_driven_in_time(fake, counts):
    """Rates of one instant are sent, eight numbers a cell and their lattice vectors; the mean over a step is made there."""
    tensor = mfg.processes.Diffusion(lambda x, t: -x, growing, time_dependent=True)
    where, start = (
        mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2), backend="cupy"),
        mfg.gaussian([0.3, -0.2], 0.25, 2),
    )
    equation = mfg.equations.ForwardKolmogorov(tensor)

    def solve(end):
        return mfg.solve(equation, where, start, (0.05, end), rtol=1e-5, largest_wall_mass=1.0).cost

    found = step(solve, counts)
    assert found["launches"] <= 13
    assert found["fetched"] <= 1
    assert found["sent"] <= 5
    assert found["bytes sent"] <= 8 * (7 * 24**2 + 8 * 5) + 4 * 9


@pytest.mark.parametrize("order", [2, 4])
def test_a_stage_is_one_launch(order, device):
    """Whatever the order of accuracy, without a recording; beside stages a rate at each end, y₁, and the error."""
    where = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2), order=order, backend="cupy")
    system = where.semidiscretise(OU)
    u, integrator = system.start(mfg.gaussian([0.3, -0.2], 0.25, 2).density), system.default_integrator
    name = "corrected_stage_2d" if order == 4 else "stage_2d"
    integrator.step(system, u, 0.0, 1e-3)  # rates are made once
    for dt in (1e-3, 1e-2):
        stages = integrator.stages(dt * system.spectral_radius(u, 0.0))
        device.clear()
        integrator.step(system, u, 0.0, dt)
        assert Counter(device) == {name: stages - 1 + 2, "recurrence": 2}


def test_slopes_of_weno_are_one_launch_an_axis(device):
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2), order=5, backend="cupy")
    system = space.semidiscretise(mfg.HamiltonJacobiBellman(eikonal, lambda t: 0.0))
    u = system.start(lambda x: np.sum(x**2, axis=-1))
    device.clear()
    system.rate(u, 0.0)
    assert device == ["weno_slopes"] * 2


HAMILTONIANS = {  # order, whether driven, launches, copies to the host
    # a stage: three arrays copied in and one launch, beside the Hamiltonian's five; a step: the state in, asked, and out
    "WENO": (5, False, 48, 1),
    "WENO, driven": (5, True, 52, 1),
    # beside stages, their number: slopes of the Hamiltonian, 25 launches and a fetch
    "central": (2, False, 99, 2),
}


@pytest.mark.parametrize("name", HAMILTONIANS)
def test_a_step_of_hamilton_jacobi(name, fake, counts):
    """The Hamiltonian is called once a stage, for all its slopes; what lies between is one launch."""
    order, driven, launches, fetched = HAMILTONIANS[name]
    space, D = (
        mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 24, 2), order=order, backend="cupy"),
        0.0 if order == 5 else 0.1,
    )
    moving = mfg.HamiltonJacobiBellman(lambda x, p, t: (1 + t) * eikonal(x, p, t), lambda t: D + t)
    equation = moving if driven else mfg.HamiltonJacobiBellman(eikonal, lambda t: D)

    def solve(end):
        return mfg.solve(equation, space, lambda x: np.sum(x**2, axis=-1), (0.0, end), rtol=1e-4).cost

    found = step(solve, counts)
    assert found["launches"] <= launches
    assert found["fetched"] <= fetched
    assert found["bytes fetched"] <= 32
    assert found["sent"] <= 1
    assert found["bytes sent"] <= 8 * 6 * 20, "weights and a diffusivity a stage"


def test_a_hamiltonian_of_one_slope_a_point_is_asked_for_each(fake, counts):
    """One that takes several is asked once, with the same result."""

    def strict(x, p, t):
        if p.shape != x.shape:
            raise ValueError("one slope a point")
        return eikonal(x, p, t)

    def mixing(x, p, t):
        return eikonal(x, p, t) * (1 + 0 * np.sum(p)) + 0.1 * np.max(np.abs(p))

    found, space = {}, mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 16, 2), order=5, backend="cupy")
    for H in (eikonal, strict, mixing):
        system = space.semidiscretise(mfg.HamiltonJacobiBellman(H, lambda t: 0.0))
        u = system.start(lambda x: np.sum(x**2, axis=-1))
        system.rate(u, 0.0)
        counts.clear()
        found[H] = (system.rate(u, 0.0).get(), counts["launches"], system._at_once)
    assert [at_once for _, _, at_once in found.values()] == [True, False, False]
    np.testing.assert_array_equal(found[eikonal][0], found[strict][0])
    assert found[eikonal][1] < 0.7 * found[strict][1]


def test_an_iteration_of_transport(fake, counts):
    grid = mfg.CartesianGrid.cube(3.0, 32, 2)
    p, q = (mfg.gaussian(m, v, 2).density(grid.points) for m, v in ((-0.4, 0.3), (0.5, 0.5)))

    def solve(end):
        found = mfg.back_and_forth(p, q, grid, backend="cupy", iterations=round(40 * end), tolerance=0.0)
        return {"steps": len(found.history), "rejected": 0}

    found = step(solve, counts)
    assert found["launches"] <= 24
    assert found["bytes fetched"] <= 8 * 10
    assert found.get("bytes sent", 0) <= 0


@pytest.mark.parametrize(
    "interaction", [None, mfg.games.Power(0.5, 3.0), mfg.games.Power(0.5, 1.5)], ids=["none", "3", "1.5"]
)
def test_an_iteration_of_a_game(interaction, fake, counts):
    """What an iteration does is recorded; a look at the gap, every 25 of them, costs more than they do."""
    law = mfg.gaussian([0.3, -0.2], 0.25, 2)
    other = mfg.gaussian(0.0, 0.5, 2)  # two costs at the last node would be Newton's steps, which ask when to stop
    end = mfg.games.RelativeEntropy(other) if interaction is None else mfg.games.Target(other)
    game = mfg.MeanFieldGame(law, end, interaction=interaction, viscosity=0.1)
    grid = mfg.CartesianGrid.cube(3.0, 12, 2)
    found = []
    for iterations in (30, 49):  # both look at the gap twice
        counts.clear()
        there = solve_primal_dual(game, grid, steps=6, tolerance=0.0, iterations=iterations, backend="cupy")
        found.append(dict(counts))
    here = solve_primal_dual(game, grid, steps=6, tolerance=0.0, iterations=49)
    np.testing.assert_allclose(there.densities, here.densities, rtol=1e-9, atol=1e-12)
    few, many = found
    assert many["launches"] - few["launches"] <= 49 - 30 + 1  # where the last look changes the step, one more
    assert many["fetched"] == few["fetched"]
    assert abs(many["sent"] - few["sent"]) <= 2  # and sends new weights


def test_the_bracket_fetches_numbers_alone(fake, counts):
    """Of 400 iterations at most, twenty are done and the others replayed; fields are sent once and never come back."""
    grid = mfg.CartesianGrid.cube(3.0, 40, 2)
    p, q = (law.density(grid.points) for law in (mfg.gaussian([0.0, 0.0], 0.3, 2), mfg.gaussian([0.1, 0.0], 0.3, 2)))
    p, q = p / p.sum(), q / q.sum()
    there = by_flux(p, q, grid, logarithmic_mean, arrays.device_namespace())
    assert counts["bytes sent"] <= 3 * p.nbytes + 2 * 40**2 * 8
    assert counts["fetched"] <= 30
    assert counts["bytes fetched"] <= 16 * 30
    assert counts["launches"] <= 20 * 20 + 20 * 24 + 60
    assert there == pytest.approx(
        by_flux(p, q, grid, logarithmic_mean), rel=1e-6
    )  # the root of what rounding leaves over


@pytest.mark.parametrize("steps", [4, 8])
def test_a_sweep_of_an_entropic_game_fetches_no_number_a_step(steps, fake, counts):
    """The gap and how wide the logarithms are, together, and Anderson's products: however many steps a sweep has."""
    law = mfg.gaussian([0.3, -0.2], 0.25, 2)
    game = mfg.MeanFieldGame(law, mfg.games.RelativeEntropy(mfg.gaussian(0.0, 0.5, 2)), viscosity=0.4)
    grid, found = mfg.CartesianGrid.cube(3.0, 24, 2), []
    for iterations in (6, 12):
        counts.clear()
        solve_entropic(game, grid, steps=steps, tolerance=0.0, iterations=iterations, backend="cupy")
        found.append(dict(counts))
    few, many = found
    assert (many["fetched"] - few["fetched"]) / 6 <= 3
    assert (many["bytes fetched"] - few["bytes fetched"]) / 6 <= 8 * (9 * 9 + 4)


def test_a_time_of_an_entropic_sweep_is_one_recorded_launch(fake, counts):
    """Beside it what is copied in and out, three times a sweep: forwards, backwards, and forwards for the gap."""
    shy = mfg.games.crowd_motion(
        mfg.gaussian([-0.8, 0.0], 0.2, 2), lambda x: np.sum((x - 0.8) ** 2, axis=-1), viscosity=0.4, aversion=3.0
    )
    grid, found = mfg.CartesianGrid.cube(3.0, 24, 2), []
    for steps in (4, 8):
        for iterations in (3, 5):
            counts.clear()
            there = solve_entropic(shy, grid, steps=steps, tolerance=0.0, iterations=iterations, backend="cupy")
            found.append(counts["launches"])
        here = solve_entropic(shy, grid, steps=steps, tolerance=0.0, iterations=iterations)
        np.testing.assert_allclose(there.densities, here.densities, rtol=1e-10, atol=1e-13)
    of_four, of_eight = (found[1] - found[0]) / 2, (found[3] - found[2]) / 2
    assert (of_eight - of_four) / 4 <= 57  # 233 without recordings, of which the proximal map is fifty each way
