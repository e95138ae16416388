"""First passages against quadrature in one dimension and series in two; walls by side; Feynman–Kac; resetting."""

import numpy as np
import pytest
from scipy.integrate import cumulative_simpson, quad, simpson

import mfgpde as mfg
from mfgpde.discretisations import Held, Inflow
from mfgpde.equations import FeynmanKac, ForwardKolmogorov, Resetting
from mfgpde.processes import Diffusion
from mfgpde.solvers import committor, exit_probability, first_passage, mean_first_passage_time

WALK = Diffusion(lambda x, t: 0 * x, lambda x, t: 1.0)


def interval(lower, upper, cells, walls):
    return mfg.FiniteVolume(mfg.CartesianGrid((lower,), (upper,), (cells,)), walls=walls)


def well(barrier, unit=1.0):
    """Return a double well of some kT, its drift in some unit of time, and its potential."""
    equation = mfg.FokkerPlanck(
        lambda x, t: -4 * barrier * x * (x**2 - 1) / unit,
        lambda t: 1.0 / unit,
        time_dependent=False,
        potential=lambda x, t: barrier * (x[..., 0] ** 2 - 1) ** 2,
    )
    return equation, lambda x: barrier * (x**2 - 1) ** 2


def crossing(V, start, end, lower):
    """Return ∫_start^end e^{V(y)} ∫_lower^y e^{−V(z)} dz dy by Simpson's rule on 120 000 intervals, the time for D = 1."""
    y = np.linspace(lower, end, 120001)
    inner = cumulative_simpson(np.exp(-V(y)), x=y, initial=0)
    k = int(np.argmin(np.abs(y - start)))
    return float(simpson(np.exp(V(y[k:])) * inner[k:], x=y[k:]))


@pytest.mark.parametrize(("barrier", "unit"), [(2.0, 1.0), (100.0, 1.0), (100.0, 1e12)])
def test_mean_times_over_barriers_are_those_of_quadrature_at_order_two(barrier, unit):
    equation, V = well(barrier, unit)
    truth = unit * crossing(V, -1.0, 1.0, -2.0)
    errors = []
    for cells in (199, 398, 796):
        space = interval(-2.0, 1.0, cells, (("reflecting", "absorbing"),))
        time = mean_first_passage_time(equation, space)
        errors.append(abs(float(time(np.array([[-1.0]]))[0]) / truth - 1))
    assert errors[-1] < 2e-3
    assert np.all(np.abs(np.log2(np.array(errors[:-1]) / errors[1:]) - 2) < 0.2), errors


def test_moments_of_the_exit_time_of_a_walk():
    """T₁ = x(1 − x)/2, T₂ = x(1 − 2x² + x³)/12 for D = 1."""
    space = interval(0.0, 1.0, 200, "absorbing")
    x = space.grid.points[..., 0]
    assert mean_first_passage_time(WALK, space).values == pytest.approx(x * (1 - x) / 2, abs=1e-5)
    assert mean_first_passage_time(WALK, space, 2).values == pytest.approx(x * (1 - 2 * x**2 + x**3) / 12, abs=1e-5)


def test_exit_sides_follow_the_scale_function():
    ou = Diffusion(lambda x, t: -x, lambda x, t: 0.5)
    up = [exit_probability(ou, interval(-1.0, 1.5, n, "absorbing"), 0, 1)(np.array([[0.3]]))[0] for n in (50, 100, 200)]
    scale = [quad(lambda y: np.exp(y**2), -1.0, b)[0] for b in (0.3, 1.5)]
    errors = np.abs(np.array(up) - scale[0] / scale[1])
    assert errors[-1] < 1e-5
    assert np.log2(errors[1] / errors[2]) == pytest.approx(2, abs=0.3)


def test_committors_behind_barriers_to_relative_rounding():
    """Q = ∫e^V/∫e^V: at 60 kT it is e^{−50} near the source, and right there, too."""
    equation, V = well(60.0)
    space = interval(-2.0, 2.0, 800, "reflecting")
    q = committor(equation, space, lambda x: x[..., 0] > 1, lambda x: x[..., 0] < -1)
    k = int(np.argmin(np.abs(space.grid.axes[0] + 0.9)))
    x = float(space.grid.axes[0][k])
    part, whole = (
        quad(lambda y: np.exp(V(y) - 60), -1.0, b, epsabs=0, points=[0.0] if b > 0 else None)[0] for b in (x, 1.0)
    )
    assert q.values[k] == pytest.approx(part / whole, rel=0.05)  # the source begins at a face, up to h²/…
    assert 0 < q.values[k] < 1e-20
    assert committor(equation, space, lambda x: x[..., 0] < -1, lambda x: x[..., 0] > 1).values[k] == pytest.approx(1.0)


def test_mean_times_and_survival_on_a_rectangle_by_series():
    sides, D = (1.0, 0.7), np.array([0.3, 0.5])
    walk = Diffusion(lambda x, t: 0 * x, lambda x, t: np.broadcast_to(D, x.shape))
    n = 2 * np.arange(60)[:, None] + 1
    m = n.T
    rate = D[0] * (n * np.pi / sides[0]) ** 2 + D[1] * (m * np.pi / sides[1]) ** 2
    peak = 16 / (np.pi**2 * n * m) * np.sin(n * np.pi / 2) * np.sin(m * np.pi / 2)
    truth = float((peak / rate).sum())
    errors = []
    for cells in (15, 31, 63):
        space = mfg.FiniteVolume(mfg.CartesianGrid((0.0, 0.0), sides, (cells, cells)), walls="absorbing")
        errors.append(abs(mean_first_passage_time(walk, space).values[cells // 2, cells // 2] - truth) / truth)
    orders = np.log(np.array(errors[:-1]) / errors[1:]) / np.log([31 / 15, 63 / 31])
    assert np.all(np.abs(orders - 2) < 0.3), orders
    u = mfg.solve(FeynmanKac(walk), space, lambda x: 1 + 0 * x[..., 0], (0.0, 0.05, 0.3))
    for t in (0.05, 0.3):
        assert u.at(t).values[31, 31] == pytest.approx(float((peak * np.exp(-rate * t)).sum()), rel=3e-3)


def test_the_law_of_the_time_and_its_sides():
    """Uniform start on (0, 1), D = 1: S = Σ 8/(π²n²) e^{−n²π²t}, half through each wall; all that leaves is counted."""
    space, times = interval(0.0, 1.0, 200, "absorbing"), np.linspace(0.0, 0.4, 81)
    law = first_passage(WALK, space, lambda x: 1 + 0 * x[..., 0], times)
    n = 2 * np.arange(400) + 1
    series = (8 / (np.pi * n) ** 2 * np.exp(-np.outer(times, (n * np.pi) ** 2))).sum(axis=1)
    assert law.survival[1:] == pytest.approx(series[1:], abs=2e-4)
    assert law.through[0, 0] == pytest.approx(law.through[0, 1], rel=1e-9)
    gone = np.trapezoid(law.density[4:], times[4:])
    assert gone == pytest.approx(law.survival[4] - law.survival[-1], rel=2e-3)


def test_absorbing_fluxes_follow_the_drift():
    """Inverse Gaussian: a drifted walk to one far absorbing wall."""
    drifted = Diffusion(lambda x, t: 1.0 + 0 * x, lambda x, t: 0.5)
    times = np.linspace(0.0, 3.0, 31)
    space = interval(-6.0, 2.0, 800, (("far", "absorbing"),))
    law = first_passage(drifted, space, mfg.gaussian(0.0, 0.01), times)
    a, v, s = 2.0, 1.0, times[1:] + 0.01  # the start as what a walk from (−0.01, 0) is at 0.01
    density = (a + 0.01) / np.sqrt(2 * np.pi * s**3) * np.exp(-((a + 0.01 - v * s) ** 2) / (2 * s))
    assert law.density[1:] == pytest.approx(density, abs=2e-4)


def test_held_values_and_given_fluxes_have_their_straight_lines():
    """D p″ = 0 with p(0) = 2 and a flux of 3 in at the other end: p = 2 + 3x/D."""
    walk = Diffusion(lambda x, t: 0 * x, lambda x, t: 1.5)
    space = interval(0.0, 1.0, 20, ((Held(2.0), Inflow(3.0)),))
    run = mfg.solve(ForwardKolmogorov(walk), space, lambda x: 2 + 0 * x[..., 0], (0.0, 20.0), mass=None)
    x = space.grid.points[..., 0]
    assert run.fields[-1].values == pytest.approx(2 + 2 * x, rel=1e-5)
    law = mfg.solvers.stationary(ForwardKolmogorov(walk), space)
    assert law.values == pytest.approx(2 + 2 * x, rel=1e-12)
    heat = mfg.solve(
        FeynmanKac(walk), interval(0.0, 1.0, 20, ((Held(2.0), Held(4.0)),)), lambda x: 3 + 0 * x[..., 0], (0.0, 9.0)
    )
    assert heat.fields[-1].values == pytest.approx(2 + 2 * x, rel=1e-5)


def _arch(x):
    return np.sin(np.pi * x[..., 0])


def test_implicit_steps_know_sources_walls_and_resetting():
    reset = Resetting(lambda x, t: 2.0 + 0 * x[..., 0], mfg.gaussian(0.5, 0.002))
    terms = {"killing": lambda x, t: 1 + x[..., 0], "source": lambda x, t: x[..., 0], "resetting": reset}
    space = interval(0.0, 1.0, 60, ((Held(1.0), "absorbing"),))
    for kind in (ForwardKolmogorov, FeynmanKac):
        runs = [
            mfg.solve(kind(WALK, **terms), space, _arch, (0.0, 0.3), mass=None, integrator=method).fields[-1].values
            for method in (None, mfg.integrators.TRBDF2())
        ]
        assert runs[0] == pytest.approx(runs[1], rel=1e-4)


def test_feynman_kac_of_a_quadratic_potential():
    """E e^{−½∫W²} = cosh(t)^{−½} from zero (Cameron–Martin), D = ½; without killing it is one."""
    walk = Diffusion(lambda x, t: 0 * x, lambda x, t: 0.5)
    values = []
    for cells in (101, 201):
        space = interval(-8.0, 8.0, cells, "reflecting")
        equation = FeynmanKac(walk, killing=lambda x, t: 0.5 * x[..., 0] ** 2)
        run = mfg.solve(equation, space, lambda x: 1 + 0 * x[..., 0], (0.0, 1.0), rtol=1e-8)
        values.append(run.fields[-1].values[cells // 2] - np.cosh(1.0) ** -0.5)
    assert abs(values[-1]) < 1e-3
    assert np.log(values[0] / values[1]) / np.log(201 / 101) == pytest.approx(2, abs=0.2)


def test_a_walk_that_is_reset_has_a_laplace_law():
    """D p″ − r p + r δ = 0: p = (α/2) e^{−α|x|}, α = √(r/D) (Evans, Majumdar 2011); a narrow Gaussian for δ."""
    r, width = 2.0, 0.02
    errors = []
    for cells in (400, 800):
        space = interval(-12.0, 12.0, cells, "reflecting")
        equation = ForwardKolmogorov(
            WALK, resetting=Resetting(lambda x, t: r + 0 * x[..., 0], mfg.gaussian(0.0, width))
        )
        law, x, a = mfg.solvers.stationary(equation, space), space.grid.points[..., 0], np.sqrt(r)
        assert float(law.integral()) == pytest.approx(1, abs=1e-12)
        far = np.abs(x) > 1.5
        truth = 0.5 * a * np.exp(-a * np.abs(x) + 0.5 * a**2 * width)
        errors.append(float(np.abs(law.values / truth - 1)[far & (np.abs(x) < 6)].max()))
        assert np.abs(JumpRate(equation, space, law)).max() < 1e-9
    assert errors[-1] < 5e-3
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.3)


def JumpRate(equation, space, law):
    return space.semidiscretise(equation).rate(law.values, 0.0)


@pytest.mark.parametrize(
    ("walls", "words"),
    [
        ((("reflecting", "absorbing"), ("far", "far")), "a pair"),
        ((("reflecting", "open"),), "a wall is"),
        ((("periodic", "absorbing"),), "contradict the grid"),
        ("open", "a wall is"),
        ({"left": "absorbing"}, "a pair"),
    ],
)
def test_walls_that_are_none_or_contradict_each_other_are_refused(walls, words):
    with pytest.raises(ValueError, match=words):
        interval(0.0, 1.0, 8, walls)


def test_what_has_no_first_passage_is_told():
    closed = interval(0.0, 1.0, 20, "reflecting")
    with pytest.raises(ValueError, match="never happens"):
        mean_first_passage_time(WALK, closed)
    with pytest.raises(ValueError, match="through which nothing leaves"):
        exit_probability(WALK, closed, 0, 1)
    with pytest.raises(ValueError, match="overlap"):
        committor(WALK, closed, lambda x: x[..., 0] > 0.3, lambda x: x[..., 0] < 0.6)
    with pytest.raises(ValueError, match="some cell centres"):
        committor(WALK, closed, lambda x: x[..., 0] > 3, lambda x: x[..., 0] < 0.6)
    with pytest.raises(ValueError, match="no wall"):
        first_passage(WALK, closed, lambda x: 1 + 0 * x[..., 0], (0.0, 0.1))
    with pytest.raises(ValueError, match="do not depend on time"):
        mean_first_passage_time(Diffusion(lambda x, t: 0 * x, lambda x, t: 1.0 + t, time_dependent=True), closed)
    with pytest.raises(OverflowError, match="exceeds the largest number"):
        mean_first_passage_time(well(1000.0)[0], interval(-2.0, 1.0, 400, (("reflecting", "absorbing"),)))


def test_walls_by_side_are_for_equations_that_know_them():
    space = interval(0.0, 1.0, 20, (("reflecting", "absorbing"),))
    with pytest.raises(TypeError, match="walls by side"):
        space.semidiscretise(mfg.Continuity(lambda x, t: x))
    with pytest.raises(ValueError, match="the killing must be ≥ 0, got -1"):
        space.semidiscretise(ForwardKolmogorov(WALK, killing=lambda x, t: -1 + 0 * x[..., 0]))
