"""Pulses of noise and kicks of drift, however short, and what a step does not see of coefficients that change."""

from dataclasses import replace

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.equations.hamilton_jacobi_bellman import AtSlopes
from mfgpde.processes.contract import known_time_scale
from mfgpde.solvers import flow
from mfgpde.solvers.structure import Structure

LINE = mfg.CartesianGrid.cube(6.0, 96, 1)
START = mfg.gaussian(0.0, 0.05, 1)
SCHEMES = {"two": mfg.FiniteVolume(LINE), "four": mfg.FiniteVolume(LINE, order=4), "spectral": mfg.Spectral(LINE)}


def variance(solution):
    return solution.fields[-1].expectation(lambda x: x[..., 0] ** 2)


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("width", [0.1, 0.005, 1.1e-3])
def test_a_pulse_of_noise_is_not_stepped_over(name, width):
    """∫2D = 0.02 + 1, whatever the width: the variance is 1.07."""
    D = lambda t: 0.01 + (0.5 / width if abs(t - 0.6180339) < width / 2 else 0.0)  # noqa: E731
    equation = mfg.FokkerPlanck(lambda x, t: np.zeros_like(x), D)
    found = mfg.solve(equation, SCHEMES[name], START, (0.0, 0.6180339, 1.0), rtol=1e-4)
    assert variance(found) == pytest.approx(1.07, abs=2e-4)
    np.testing.assert_allclose(found.conserved["mass"], 1.0, atol=1e-9)


@pytest.mark.parametrize("name", SCHEMES)
def test_a_kick_of_the_drift_is_not_stepped_over(name):
    w = 0.005
    kick = mfg.FokkerPlanck(lambda x, t: np.full_like(x, 1 / w if abs(t - 0.6180339) < w / 2 else 0.0), lambda t: 0.05)
    found = mfg.solve(kick, SCHEMES[name], START, (0.0, 1.0), rtol=1e-4)
    assert found.at(1.0).expectation(lambda x: x[..., 0]) == pytest.approx(1.0, abs=1e-4)


def test_narrower_pulses_are_named_by_breaks_or_a_largest_step():
    """A pulse of 2e-5 of the run lies between the samples; its ends may be named."""
    w = 2e-5
    D = lambda t: 0.01 + (0.5 / w if abs(t - 0.6180339) < w / 2 else 0.0)  # noqa: E731
    equation = mfg.FokkerPlanck(lambda x, t: np.zeros_like(x), D)
    ends = (0.6180339 - w / 2, 0.6180339 + w / 2)
    found = mfg.solve(equation, SCHEMES["two"], START, (0.0, 1.0), rtol=1e-4, breaks=ends)
    assert variance(found) == pytest.approx(1.07, abs=2e-4)
    still = mfg.FokkerPlanck(lambda x, t: np.zeros_like(x), lambda t: 0.01)
    steps = mfg.solve(still, SCHEMES["two"], START, (0.0, 1.0), rtol=1e-1, max_step=0.01).cost["steps"]
    assert steps >= 100
    with pytest.raises(ValueError, match="finite times"):
        mfg.solve(still, SCHEMES["two"], START, (0.0, 1.0), breaks=(np.inf,))


@pytest.mark.parametrize("name", SCHEMES)
def test_what_changes_smoothly_within_a_step_is_integrated(name):
    """D = ½ + 40 b((t − ½)/0.02)/0.02: variance 0.05 + ∫2D; a drift that swings: its mean displacement."""
    space = SCHEMES[name]
    bump = mfg.FokkerPlanck(
        lambda x, t: np.zeros_like(x), lambda t: 0.05 + 10.0 * np.exp(-(((t - 0.5) / 0.02) ** 2)), True
    )
    wanted = 0.05 + 0.1 + 20 * 0.02 * np.sqrt(np.pi)
    assert variance(mfg.solve(bump, space, START, (0.0, 1.0), rtol=1e-5)) == pytest.approx(wanted, abs=3e-4)
    swing = mfg.FokkerPlanck(lambda x, t: np.full_like(x, 6 * t**5), lambda t: 0.05)
    end = mfg.solve(swing, space, START, (0.0, 1.0), rtol=1e-5).at(1.0)
    assert end.expectation(lambda x: x[..., 0]) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_transition_laws_and_characteristics_see_pulses_in_any_unit(unit):
    """A pulse of g² = 1/w and of the offset 1/w, of width 2e-3 of the run: variance and mean one."""
    w, T = 2e-3 * unit, unit

    def inside(t):
        return abs(t - 0.377 * T) < 0.5 * w

    process = mfg.Linear(
        np.zeros((1, 1)),
        lambda t: w**-0.5 if inside(t) else 0.0,
        lambda t: np.array([1 / w if inside(t) else 0.0]),
        horizon=T,
    )
    law = process.transition(0.0, T)
    np.testing.assert_allclose([law.offset, np.ravel(law.covariance)], 1.0, rtol=1e-9)
    kick = mfg.Continuity(lambda x, t: np.full_like(x, 1 / w if inside(t) else 0.0), lambda x, t: 0 * x[..., 0])
    end, _ = flow(kick, np.array([[0.0], [1e-3]]), 0.0, T)
    np.testing.assert_allclose(end, [[1.0], [1.001]], rtol=1e-8)
    back, _ = flow(kick, end, T, 0.0)
    np.testing.assert_allclose(back, [[0.0], [1e-3]], atol=1e-8)


@pytest.mark.parametrize("length", [1e-9, 1.0, 1e9])
def test_characteristics_know_no_unit_of_length_and_no_origin(length):
    """dx/dt = −x about a middle: exact to the tolerance in units of the points' extent."""
    shift = 0.0 if length != 1.0 else 1e8
    points = length * np.array([[0.5], [1.0], [-0.3]])
    pull = mfg.Continuity(lambda x, t: -(x - shift), lambda x, t: -np.ones(x.shape[:-1]), time_dependent=False)
    end, divergence = flow(pull, points + shift, 0.0, 1.0)
    np.testing.assert_allclose(end - shift, points * np.exp(-1), rtol=1e-8 if shift == 0 else 1e-7)
    np.testing.assert_allclose(divergence, -1.0, rtol=1e-9)


@pytest.mark.parametrize(
    ("length", "time", "begin"),
    [(1.0, 1.0, 0.0), (1.0, 1e9, 1e9), (1.0, 1e-9, 0.0), (1.0, 1.0, 1e6), (1e-9, 1.0, 0.0), (1e9, 1.0, 0.0)],
)
def test_the_way_of_one_point_is_right_to_the_tolerance_in_any_unit(length, time, begin):
    """dx/dt = (1, cos 40x₁) from the origin alone: what is tolerated is a share of its way, its extent being nothing."""

    def velocity(x, t):
        counted.append(t)
        return length / time * np.stack((np.ones(len(x)), np.cos(40 * x[:, 0] / length)), axis=-1)

    counted = []
    wave = mfg.Continuity(velocity, lambda x, t: 0 * x[:, 0], time_dependent=False)
    end, growth = flow(wave, np.zeros((1, 2)), begin, begin + time, rtol=1e-9)
    np.testing.assert_allclose(end / length, [[1.0, np.sin(40) / 40]], rtol=0, atol=3e-9)
    assert growth == 0
    assert len(counted) < 1000  # no less is tolerated than is said


def test_what_a_scan_may_miss_is_said_and_what_gives_all_samples_at_once_is_read_ten_times_as_often():
    """A pulse of 1e-4 of the run: found where D takes an array of times; else the summary says how short it would be."""
    w, still = 1e-4, lambda x, t: np.zeros_like(x)
    once = mfg.FokkerPlanck(still, lambda t: 0.01 + 0.5 / w * (np.abs(t - 0.6180339) < w / 2))
    found = mfg.solve(once, SCHEMES["two"], START, (0.0, 1.0), rtol=1e-4)
    assert variance(found) == pytest.approx(1.07, abs=2e-4)
    one_by_one = mfg.FokkerPlanck(still, lambda t: 0.01 + (0.5 / w if abs(t - 0.6180339) < w / 2 else 0.0))
    missed = mfg.solve(one_by_one, SCHEMES["two"], START, (0.0, 1.0), rtol=1e-4)
    for solution, gap in ((found, "5.0e-05"), (missed, "5.0e-04")):
        said = solution.summary()[1]["coefficients"]
        assert f"read every {gap} of time" in said
        assert "breaks=" in said
    without = mfg.solve(one_by_one, SCHEMES["two"], START, (0.0, 1.0), rtol=1e-4, scan=False)
    assert "read every 1.0e+00 of time" in without.summary()[1]["coefficients"]
    constant = mfg.FokkerPlanck(still, lambda t: 0.01, time_dependent=False)
    assert "coefficients" not in mfg.solve(constant, SCHEMES["two"], START, (0.0, 1.0)).summary()[1]


@pytest.mark.parametrize("make", [mfg.FokkerPlanck.reverse, mfg.Continuity.probability_flow])
def test_a_score_is_not_read_at_thousands_of_times_before_a_march(make):
    """What may jump of a process and a score is the process; that the score is taken to be smooth is said."""
    process, asked = mfg.VariancePreserving(), []

    def score(x, t):
        asked.append(t)
        return -x

    equation, space = make(process, score), mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 32, 1))
    structure = Structure.of(equation, space.grid, 0.1, 0.3)
    assert len(asked) < 20  # a few, to see whether it takes many times at once
    assert "the score is taken to be smooth" in structure.said
    bare = replace(equation, rates=None, time_scale=0.0)
    assert "score" not in Structure.of(bare, space.grid, 0.1, 0.3).said
    assert len(asked) > 2000


class Pulsing(mfg.VariancePreserving):
    """A subclass whose noise has a pulse; the time scale of its parent is not its own."""

    def beta(self, t):
        return super().beta(t) + 2e3 * (np.abs(np.asarray(t) - 0.6180339) < 0.0005)


def test_only_a_process_that_says_its_own_time_scale_is_not_read_before_a_march():
    """A pulse of a thousandth of the run in a subclass is found; what is known to be slow is not looked through."""
    assert known_time_scale(mfg.VariancePreserving()) == pytest.approx(20 / 19.9)
    assert known_time_scale(Pulsing()) == 0.0
    space = mfg.FiniteVolume(LINE)
    slow = Structure.of(mfg.FokkerPlanck.of(mfg.VariancePreserving()), space.grid, 0.0, 1.0)
    assert (slow.gap, slow.said, slow.breaks) == (0.0, "", [])
    for equation, places in (
        (mfg.FokkerPlanck.of(Pulsing()), (0.6175339, 0.6185339)),
        (mfg.FokkerPlanck.reverse(Pulsing(), lambda x, t: -x), (1 - 0.6185339, 1 - 0.6175339)),
        (mfg.Continuity.probability_flow(Pulsing(), lambda x, t: -x), (0.6175339, 0.6185339)),
    ):
        found = Structure.of(equation, space.grid, 0.0, 1.0).breaks
        np.testing.assert_allclose([a for a, _ in found], places, atol=1e-9)
    quick = mfg.VarianceExploding(1e-9, 1e9)  # σ² changes by e within a fortieth of this run, or faster
    assert Structure.of(mfg.FokkerPlanck.of(quick), space.grid, 0.0, 1.0).gap > 0


@pytest.mark.parametrize("order", [2, 3])
def test_steps_that_are_looked_at_together_are_looked_at_as_each_alone(order):
    """Simpson's rule beside the trapezoidal one, Boole's beside Simpson's, written out anew."""
    values = lambda t: (0.1 + np.exp(-((np.asarray(t) - 0.4) ** 2) / 0.02), np.sin(9 * np.asarray(t)))  # noqa: E731
    equation = mfg.FokkerPlanck(lambda x, t: values(t)[1][..., None] + 0 * x, lambda t: values(t)[0])
    structure = Structure.of(equation, LINE, 0.0, 1.0)
    assert all(part.together for part in structure.coefficients)

    def alone(c, t, dt):
        a, b, m, d, e = (c(t + share * dt) for share in (0.0, 0.25, 0.5, 0.75, 1.0))
        simpson, boole = (a + 4 * m + e) / 6, (7 * a + 32 * b + 12 * m + 32 * d + 7 * e) / 90
        if order == 2:
            return abs(simpson - (a + e) / 2) / ((abs(a) + 4 * abs(m) + abs(e)) / 6)
        return abs(boole - simpson) / ((7 * abs(a) + 32 * abs(b) + 12 * abs(m) + 32 * abs(d) + 7 * abs(e)) / 90)

    t, lengths = 0.0, [0.01] * 11 + [0.02] * 3 + [0.007] * 40 + [0.05] * 10
    for dt in lengths:
        wanted = max(alone(lambda s, k=k: values(s)[k], t, dt) for k in range(2))
        assert structure.unseen(t, dt, order) == pytest.approx(wanted, rel=1e-9, abs=1e-13)
        t += dt


@pytest.mark.parametrize("periodic", [False, True])
def test_a_drift_that_a_step_has_read_is_not_read_again(periodic):
    """At the ends of a step no further call; the same numbers as a call gives at those faces."""
    asked = []

    def drift(x, t):
        asked.append((float(t), x.shape))
        return np.stack([np.sin(x[..., 0] + t), np.cos(2 * x[..., 1]) * t], axis=-1)

    grid = mfg.CartesianGrid((-np.pi, -np.pi), (np.pi, np.pi), (24, 7), (periodic, periodic))
    system = mfg.FiniteVolume(grid, walls="reflecting").semidiscretise(mfg.FokkerPlanck(drift, lambda t: 0.3))
    system.at(0.25)
    read, before = system.coefficients, len(asked)
    found = read.on_few(drift, 0.25)
    assert len(asked) == before
    there = drift(read.few, 0.25)
    np.testing.assert_array_equal(found, [*there[:3, 0], *there[3:, 1]])
    assert np.all((read.few > grid.lower) & (read.few < grid.upper))
    assert read.on_few(drift, 0.5).shape == (6,)


W, AT = 1e-3, 0.6180339
"""how long a pulse lasts, and when"""


def pulse(strength=1.0):
    """Return a function of points and time whose integral over time is `strength` at every point."""
    return lambda x, t: np.full(x.shape[:-1], strength / W if abs(t - AT) < W / 2 else 0.0)


def standing(D=0.05):
    return mfg.processes.Diffusion(lambda x, t: 0 * x, lambda x, t: D + 0 * x[..., 0], time_dependent=True, horizon=1.0)


def pulsed():
    """Yield equations, starts, what is measured at the end, and what it is in closed form."""
    equations = mfg.equations
    noisy = mfg.processes.Diffusion(
        lambda x, t: 0 * x, lambda x, t: 0.01 + pulse(0.5)(x, t), time_dependent=True, horizon=1.0
    )
    mass, second = (lambda u: u.integral()), (lambda u: u.expectation(lambda x: x[..., 0] ** 2))
    middle = lambda u: u(np.zeros((1, 1)))[0]  # noqa: E731
    bell = lambda x, t: np.exp(-0.5 * x[..., 0] ** 2) / np.sqrt(2 * np.pi) * pulse()(x, t)  # noqa: E731
    one, none = (lambda x: 1 + 0 * x[..., 0]), (lambda x: 0 * x[..., 0])
    yield "tensor", equations.ForwardKolmogorov(noisy), START, second, 1.07
    yield "killing", equations.ForwardKolmogorov(standing(), killing=pulse()), START, mass, np.exp(-1)
    yield "source", equations.ForwardKolmogorov(standing(), source=bell), START, mass, 2.0
    resets = equations.Resetting(pulse(), mfg.gaussian(0.0, 0.5))
    reset = (1 - np.exp(-1)) * 0.5 + np.exp(-1) * (0.05 + 0.1 * AT) + 0.1 * (1 - AT)
    yield "resetting", equations.ForwardKolmogorov(standing(), resetting=resets), START, second, reset
    yield "Feynman–Kac", equations.FeynmanKac(standing(), killing=pulse()), one, middle, np.exp(-1)
    cost = lambda x, p, t: 0.5 * np.sum(p * p, axis=-1) - pulse()(x, t)  # noqa: E731
    yield "running cost", mfg.HamiltonJacobiBellman(cost, lambda t: 0.5), none, middle, 1.0
    steep = lambda x, p, t: np.sum(p * p, axis=-1) * pulse()(x, t)  # noqa: E731
    yield "kinetic cost", mfg.HamiltonJacobiBellman(steep, lambda t: 0.05), lambda x: 0.5 * x[..., 0], middle, -0.25
    still = (lambda x, t: 0 * x), (lambda x, t: 0 * x[..., 0])
    square = lambda t: float(pulse()(np.zeros((1, 1)), t)[0])  # noqa: E731
    phi = mfg.LogDensity(*still, lambda t: 0.05, square)
    yield "square of a slope", phi, lambda x: 0.5 * x[..., 0], middle, 0.25


@pytest.mark.parametrize("case", list(pulsed()), ids=lambda case: case[0])
def test_pulses_of_whatever_an_equation_holds_are_not_stepped_over(case):
    """Of a thousandth of the run; an error of 3e-3 is what 96 cells and a tolerance of 1e-4 leave."""
    _, equation, start, measured, wanted = case
    kind = {"walls": "reflecting"} if isinstance(equation, mfg.equations.FeynmanKac) else {}
    mass = {} if equation.closed else {"mass": 1.0}
    found = mfg.solve(equation, mfg.FiniteVolume(LINE, **kind), start, (0.0, 1.0), rtol=1e-4, **mass)
    assert measured(found.at(1.0)) == pytest.approx(wanted, abs=3e-3)


def test_a_tensor_of_a_score_equation_is_read_too():
    """A pulse of the noise on velocities of a linear process: the structure names its ends."""
    scale = lambda t: np.array([0.0, 1.0 + (30.0 if abs(t - AT) < W / 2 else 0.0)])  # noqa: E731
    process = mfg.Linear(np.array([[0.0, 1.0], [-1.0, -2.0]]), scale)
    equation = mfg.equations.ScoreKolmogorov.of(process)
    found = Structure.of(equation, mfg.CartesianGrid.cube(4.0, 16, 2), 0.0, 1.0).breaks
    np.testing.assert_allclose([a for a, _ in found], [AT - W / 2, AT + W / 2], atol=1e-9)


@pytest.mark.parametrize("wall", [pytest.param("flux", marks=pytest.mark.slow), "value"])
def test_a_pulse_at_a_wall_is_not_stepped_over(wall):
    """A flux of integral one adds mass one; a value held at a wall lets in 2√(Ds/π) in a time s, and takes it back."""
    D, still = 0.05, mfg.processes.Diffusion(lambda x, t: 0 * x, lambda x, t: 0.05 + 0 * x[..., 0])
    given = pulse(1.0) if wall == "flux" else (lambda x, t: np.full(x.shape[:-1], float(0.3 < t < 0.5)))
    kind = mfg.discretisations.Inflow(given) if wall == "flux" else mfg.discretisations.Held(given)
    grid = mfg.CartesianGrid((0.0,), (4.0,), (256,))
    space = mfg.FiniteVolume(grid, walls=((kind, "reflecting"),))
    none = lambda x: 0 * x[..., 0]  # noqa: E731
    end = 1.0 if wall == "flux" else 0.6
    found = mfg.solve(mfg.equations.ForwardKolmogorov(still), space, none, (0.0, end), rtol=1e-5, mass=None)
    entered = lambda s: 2 * np.sqrt(D * s / np.pi)  # noqa: E731
    wanted = 1.0 if wall == "flux" else entered(0.3) - entered(0.1)
    assert found.conserved["mass"][-1] == pytest.approx(wanted, rel=0.02)
    places = Structure.of(found.equation, grid, 0.0, end, system=space.semidiscretise(found.equation)).breaks
    assert len(places) == 2


def test_a_score_is_looked_at_within_few_steps_and_what_may_jump_in_every_one():
    """One middle of eight, while it leaves little; a process that jumps within a step is read there each time."""
    asked, jumps = [], []

    class Counted(mfg.VariancePreserving):
        def drift(self, x, t):
            if x.shape[-2:] == (3, 1):  # the faces that are looked at
                jumps.extend(np.ravel(t))
            return super().drift(x, t)

    exact = mfg.ExactScore(mfg.VariancePreserving(), mfg.densities.bimodal(1))

    def score(x, t):
        if x.shape == (3, 1):
            asked.append(float(t))
        return exact(x, t)

    space, prior = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 64, 1)), mfg.gaussian(0.0, 1.0, 1)
    solved = mfg.solve(mfg.FokkerPlanck.reverse(Counted(), score), space, prior, (0.0, 0.9), rtol=1e-4, scan=False)
    steps = solved.cost["steps"] + solved.cost["rejected"]
    assert steps > 40
    assert len(jumps) >= steps
    assert len(asked) < steps / 3
    right = mfg.densities.marginal(mfg.VariancePreserving(), mfg.densities.bimodal(1), 0.1)
    second = float(right.weights @ (right.means[:, 0] ** 2 + right.covariances[:, 0, 0]))
    assert variance(solved) == pytest.approx(second, rel=2e-2)  # 64 cells


@pytest.mark.parametrize("name", ["two", "four", "spectral"])
def test_a_score_that_pulses_as_long_as_a_step_is_not_stepped_over(name):
    """It is taken to be smooth, but both ends of every step are read: a push of ∫2Ds = 1 within a twentieth of the run."""
    w = 0.05
    process = mfg.Brownian()
    push = lambda x, t: np.full_like(x, 1 / (w * process.diffusion(t) ** 2) * np.exp(-np.pi * ((t - 0.4) / w) ** 2))  # noqa: E731
    equation = mfg.FokkerPlanck.reverse(process, push)
    found = mfg.solve(equation, SCHEMES[name], START, (0.0, 1.0), rtol=1e-4, largest_wall_mass=1.0)
    assert found.at(1.0).expectation(lambda x: x[..., 0]) == pytest.approx(1.0, abs=1e-3)


def test_a_hamiltonian_is_read_at_three_slopes_at_once_each_in_its_own_unit():
    """A running cost that rises and falls within a step counts beside a transport 1e9 times as large."""
    calls = []

    def hamiltonian(x, p, t):
        calls.append(x.shape)
        return 1e9 * np.sin(3 * t) * p[..., 0] - 1 - np.exp(-np.pi * ((t - 0.5) / 0.03) ** 2) / 0.03

    equation = mfg.HamiltonJacobiBellman(hamiltonian, lambda t: 0.5)
    structure = Structure.of(equation, LINE, 0.0, 1.0, scan=False)
    calls.clear()
    assert structure.unseen(0.4, 0.2, 2) > 0.5
    assert len(calls) == 1  # for all points, slopes and instants
    assert structure.unseen(0.0, 0.1, 2) < 1e-2


@pytest.mark.parametrize("alike", [True, False])
def test_slopes_meet_points_once_where_the_hamiltonian_lets_them(alike):
    """One that wants points and slopes of one shape gets them; the numbers are the same, by hand."""
    slopes, x = np.array([[0.0, 0.0], [0.5, 1.0], [-0.5, -1.0]]), np.linspace(-1, 1, 14).reshape(7, 2)

    def hamiltonian(x, p, t):
        assert not alike or x.shape == p.shape
        return np.sum(x * x, axis=-1) * t + np.sum(x * p, axis=-1) + 3 * np.sum(p * p, axis=-1)

    at = AtSlopes(hamiltonian, slopes)
    for t in (0.3, np.array([[0.3], [0.7]])):
        points = x if np.ndim(t) == 0 else np.broadcast_to(x, (2, 7, 2))
        wanted = np.stack([hamiltonian(points, np.broadcast_to(p, points.shape), t) for p in slopes], axis=-1)
        np.testing.assert_allclose(at(points, t), wanted, rtol=1e-13)


def comb(phases, together):
    """Return D = 0.01, and 1.01 in every second phase: ∫2D = 1.02."""

    def on(t):
        return 1.0 * (np.floor(np.asarray(t) * phases) % 2 == 0)

    D = (lambda t: 0.01 + on(t)) if together else (lambda t: 0.01 + float(on(float(t))))
    return mfg.FokkerPlanck(lambda x, t: np.zeros_like(x), D)


@pytest.mark.slow
@pytest.mark.parametrize("together", [True, False])
def test_a_comb_of_pulses_is_not_stepped_over_in_one_phase(together):
    """Two hundred phases longer than a sample, three times as many jumps as a march is broken at: steps see them all."""
    found = mfg.solve(comb(200, together), SCHEMES["spectral"], START, (0.0, 1.0), rtol=1e-6)
    assert variance(found) == pytest.approx(1.07, rel=2e-3)
    assert "no step is longer than" in found.summary()[1]["coefficients"]


@pytest.mark.parametrize(("phases", "together"), [(4000, False), (1000, False), (4000, True), (40_000, True)])
def test_samples_in_step_with_a_comb_are_found_out(phases, together):
    """Samples see it always on (4000 and 40 000 phases), or on and off in turn: steps are shorter than a phase."""
    structure = Structure.of(comb(phases, together), LINE, 0.0, 1.0)
    assert structure.longest <= 1.01 / phases


def test_a_fast_wave_that_samples_resolve_has_no_longest_step():
    """Forty periods: 50 samples each; what is between them is near them."""
    equation = mfg.FokkerPlanck(lambda x, t: 0 * x, lambda t: 1 + np.sin(80 * np.pi * t))
    assert Structure.of(equation, LINE, 0.0, 1.0).longest == np.inf


def test_where_costs_are_read_is_said():
    """A cost on a strip between all places that are looked at is found by none of them; how many they are is said."""
    cost = lambda x, p, t: -np.where(np.abs(x[..., 0] - 1.2345) < 0.02, float(abs(t - 0.6) < 5e-4), 0.0)  # noqa: E731
    structure = Structure.of(mfg.HamiltonJacobiBellman(cost, lambda t: 0.1), LINE, 0.0, 1.0)
    assert "at 48 places: between them it may be missed" in structure.said
