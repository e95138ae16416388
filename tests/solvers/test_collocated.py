"""Densities on a line by collocation in time: as exact as many steps, no longer than they say, and cut at breaks."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import mfgpde as mfg
from mfgpde.solvers import collocated as collocation
from mfgpde.solvers.collocated import Panel, collocated, is_banded, nodes
from mfgpde.solvers.hermite import rule

MIXTURE = mfg.GaussianMixture([0.5, 0.3, 0.2], [[-1.5], [0.5], [2.0]], 0.2)
PROCESSES = {
    "OU": mfg.OrnsteinUhlenbeck(),
    "VP": mfg.VariancePreserving(),
    "VE": mfg.VarianceExploding(0.05, 2.0),
}


def generating(process, cells, half, stop=0.01):
    equation = mfg.FokkerPlanck.reverse(process, mfg.ExactScore(process, MIXTURE))
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(half, cells, 1), order=4)
    return equation, space, mfg.marginal(process, MIXTURE, process.horizon), process.horizon - stop


def test_the_polynomial_goes_through_what_is_stored():
    panel, s = Panel(0.5, 2.5, 7), np.linspace(0, 1, 23)
    value, slope = panel.weights(s)
    assert value @ panel.shares**7 == pytest.approx(s**7, abs=1e-13)
    assert slope @ panel.shares**7 == pytest.approx(7 * s**6, abs=1e-11)
    assert panel.time(panel.shares) == pytest.approx(panel.times)
    assert (panel.slope(s) == 2.0).all()


def test_radau_s_points_are_those_of_hairer_and_wanner():
    """(4 ∓ √6)/10 and 1, IV.5, table 5.6."""
    root = np.sqrt(6)
    assert nodes(3)[0] == pytest.approx([0.0, (4 - root) / 10, (4 + root) / 10, 1.0], abs=1e-14)


@pytest.mark.parametrize("name", PROCESSES)
def test_bands_are_the_rate_s_answers_to_single_cells(name):
    n, (equation, space, _, _) = 24, generating(PROCESSES[name], 24, 7.0)
    system = space.semidiscretise(equation)
    for t, found in zip((0.1, 0.4), collocation._bands(system, [0.1, 0.4], n), strict=True):
        A = np.stack([system.rate(one, t) for one in np.eye(n)], axis=1)
        for d in range(-2, 3):
            own = found[2 + d, max(0, -d) : n - max(0, d)]
            assert own == pytest.approx(np.diag(A, -d), abs=1e-12 * np.abs(A).max())
            A -= np.diag(np.diag(A, -d), -d)
        assert not A.any()


def test_bands_that_stay_miss_what_rates_do(rng):
    equation = mfg.FokkerPlanck(lambda x, t: -(x**3) + np.sin(2 * x), lambda t: 0.5, time_dependent=False)
    grid = mfg.CartesianGrid.cube(3.0, 96, 1)
    system, panel = mfg.FiniteVolume(grid, order=4).semidiscretise(equation), Panel(0.0, 0.3, 8)
    found = np.exp(-(grid.axes[0] ** 2)) * rng.uniform(0.9, 1.1, (9, 96))
    bands, first = collocation._bands(system, [0.0], 96)[0], system.rate(found[0], 0.0)
    by_bands, by_rates = (collocation._missed(system, one, found, first, panel, grid.volume) for one in (bands, None))
    assert by_bands == pytest.approx(by_rates, rel=1e-12)


@pytest.mark.parametrize("name", PROCESSES)
def test_the_law_is_that_of_another_integrator(name):
    """LSODA's, with tolerances a hundred times below what is allowed."""
    equation, space, start, end = generating(PROCESSES[name], 64, 7.0 if name != "VE" else 12.0)
    system = space.semidiscretise(equation)
    u = system.start(mfg.solvers.initial.initial_function(equation, start, space.grid))
    far = solve_ivp(
        lambda t, y: system.rate(y, t), (0.0, end), u, method="LSODA", rtol=1e-9, atol=1e-11, lband=2, uband=2
    )
    parts, _ = collocated(equation, space, start, (0.0, end), 1e-8)
    off = np.abs(parts[-1].values[-1] - system.values(far.y[:, -1])).sum() * space.grid.volume
    assert far.success
    assert off < 1e-7


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("aim", [1e-2, 1e-4])
def test_what_a_polynomial_misses_is_what_it_says_and_no_more_than_is_aimed_at(name, aim):
    """Against ∫∑|u′ − A(t)u| by sixty points a panel; three looks are within a factor of three."""
    equation, space, start, end = generating(PROCESSES[name], 96, 7.0 if name != "VE" else 12.0)
    parts, said = collocated(equation, space, start, (0.0, end), aim)
    system, true = space.semidiscretise(equation), 0.0
    at, weight = rule(60)
    for part in parts:
        values, rates = part.at(at)
        for u, rate, t, w in zip(values, rates, part.span.time(at), weight, strict=True):
            centres = mfg.discretisations.centres_of(u, space.grid)
            gone = rate - system.values(system.rate(centres, float(t)))
            true += w * part.span.length * space.grid.volume * float(np.abs(gone).sum())
    assert said <= aim
    assert true < 3 * said + 1e-10


@pytest.mark.parametrize("stages", [6, 8, 12])
def test_where_nothing_depends_on_time_both_systems_have_one_answer(stages, rng):
    equation = mfg.FokkerPlanck(lambda x, t: -(x**3) + np.sin(2 * x), lambda t: 0.5, time_dependent=False)
    grid = mfg.CartesianGrid.cube(3.0, 96, 1)
    system = mfg.FiniteVolume(grid, order=4).semidiscretise(equation)
    u, panel = np.exp(-(grid.axes[0] ** 2)) * rng.uniform(0.9, 1.1, 96), Panel(0.0, 0.3, stages)
    one = collocation._solved(system, u, panel)
    other = collocation._solved_still(collocation._bands(system, [0.0], 96)[0], u, panel)
    assert other == pytest.approx(one, abs=1e-13 * np.abs(one).max())


def test_what_a_panel_begins_with_is_the_rate_that_the_one_before_ended_in(monkeypatch):
    first, missed_by = [], collocation._missed
    monkeypatch.setattr(
        collocation,
        "_missed",
        lambda *given: first.append((given[3], given[2][0], given[4].begin)) or missed_by(*given),
    )
    equation, space, start, end = generating(PROCESSES["VP"], 96, 7.0)
    system = space.semidiscretise(equation)
    collocated(equation, space, start, (0.0, end), 1e-4)
    assert len({t for *_, t in first}) > 2
    for rate, u, t in first[1:]:
        assert rate == pytest.approx(system.rate(u, t), abs=1e-6 * np.abs(rate).max())


def test_panels_end_at_breaks():
    """N(0, 0.3) with a jump of D: its variance is 0.3 + 2∫D, and sums over cells add h²/12."""
    equation = mfg.FokkerPlanck(lambda x, t: 0 * x, lambda t: 0.2 if t < 0.37 else 1.0, time_dependent=True)
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(7.0, 128, 1), order=4)
    parts, missed = collocated(equation, space, mfg.gaussian(0.0, 0.3), (0.0, 0.37, 1.0), 1e-6)
    assert 0.37 in [part.span.end for part in parts]
    assert missed <= 1e-6
    x, h, law = space.grid.axes[0], space.grid.volume, parts[-1].values[-1]
    assert h * float(law @ x**2) - h**2 / 12 == pytest.approx(0.3 + 2 * (0.2 * 0.37 + 0.63), rel=1e-5)


def test_a_start_that_is_narrow_has_short_panels_first():
    equation = mfg.FokkerPlanck.of(mfg.Brownian())
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(7.0, 256, 1), order=4)
    parts, missed = collocated(equation, space, mfg.gaussian(0.0, 0.01), (0.0, 1.0), 1e-5)
    assert missed <= 1e-5
    assert parts[0].span.length < 0.2 * parts[-1].span.length


def test_only_lines_with_two_ends_have_bands():
    line, equation = mfg.CartesianGrid.cube(3.0, 32, 1), mfg.FokkerPlanck.of(mfg.Brownian())
    assert is_banded(mfg.FiniteVolume(line, order=4), equation)
    assert not is_banded(mfg.FiniteVolume(line), equation)
    assert not is_banded(mfg.Spectral(line), equation)
    assert not is_banded(mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 32, 2), order=4), equation)
    ring = mfg.CartesianGrid((0.0,), (1.0,), (32,), (True,))
    assert not is_banded(mfg.FiniteVolume(ring, order=4), equation)


@pytest.mark.parametrize("aim", [1e-6, 1e-9])
def test_a_jump_that_misses_more_than_is_left_ends_and_is_said(aim, monkeypatch):
    """One within a panel, told to nobody: panels end at the shortest, and those after it may still miss their share."""
    counted, missed_by = [], collocation._missed
    monkeypatch.setattr(collocation, "_missed", lambda *given: counted.append(0) or missed_by(*given))
    equation = mfg.FokkerPlanck.of(mfg.Linear(-np.eye(1), lambda t: 1.0 + 2.0 * (t > 0.3333)))
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 24, 1), order=4)
    parts, missed = collocated(equation, space, mfg.gaussian(1.0, 0.5), (0.0, 1.0), aim)
    assert parts[-1].span.end == 1.0
    assert missed > aim
    assert len(counted) < 100


def test_values_that_are_no_numbers_end(monkeypatch):
    counted = []
    monkeypatch.setattr(collocation, "_missed", lambda *given: counted.append(0) or np.nan)
    monkeypatch.setattr(collocation, "SHORTEST", 0.05)
    equation, space, start, end = generating(PROCESSES["OU"], 24, 7.0)
    collocated(equation, space, start, (0.0, end), 1e-6)
    assert len(counted) < 30


def swinging(rng, grain):
    """A linear drift that swings in time, rounded to `grain` of itself, and mean and variance from (1, 0.5) after 1."""
    a, b, w, phase = rng.uniform(0.5, 2.0), rng.uniform(0.2, 0.9), rng.uniform(2.0, 9.0), rng.uniform(0.0, 6.0)

    def drift(x, t):
        value = -a * (1 + b * np.sin(w * t + phase)) * x
        return (
            value
            if grain == 0
            else np.ldexp(np.round(np.ldexp(np.frexp(value)[0], -grain)), np.frexp(value)[1] + grain)
        )

    def moments(t, m):
        rate = a * (1 + b * np.sin(w * t + phase))
        return [-rate * m[0], 1.0 - 2 * rate * m[1]]

    found = solve_ivp(moments, (0.0, 1.0), [1.0, 0.5], rtol=1e-11, atol=1e-12).y[:, -1]
    return mfg.FokkerPlanck(drift, lambda t: 0.5, time_dependent=True), found


@pytest.mark.parametrize("grain", [-24, -18, -14])
@pytest.mark.parametrize("seed", range(4))
def test_what_rounding_of_a_drift_leaves_asks_for_no_shorter_panels(grain, seed, monkeypatch):
    """As that of networks in single precision: it is in the bound, whose panels are about those of the exact drift."""
    counted, solved_by = [], collocation._solved
    monkeypatch.setattr(collocation, "_solved", lambda *given: counted.append(0) or solved_by(*given))
    space, asked = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 128, 1), order=4), []
    for g in (0, grain):
        equation, (mean, variance) = swinging(np.random.default_rng(seed), g)
        law = mfg.solve(equation, space, mfg.gaussian(1.0, 0.5), (0.0, 1.0), rtol=1e-6)
        counted.clear()
        bound = law.error_bound()
        asked.append(len(counted))
        assert mfg.l1_distance(law.at(1.0), mfg.gaussian(mean, variance)) <= bound.value
    assert asked[1] <= 5 * asked[0] + 5


@pytest.mark.parametrize("size", [1e-10, 1e-6, 1e-3])
def test_how_much_a_rate_trembles_is_known_to_a_factor_of_two_and_smooth_ones_do_not(size, rng):
    class Trembling:
        def rate(self, u, t):
            return u * np.exp(np.sin(20 * t)) + size * rng.normal(size=u.size)

    class Smooth:
        def rate(self, u, t):
            return u * np.exp(np.sin(20 * t))

    u, panel = np.ones(64), Panel(0.2, 0.3, 8)
    mean = 64 * size
    assert mean / 2 < collocation._trembles(Trembling(), u, panel, collocation.SHORTEST) < 2 * mean
    assert collocation._trembles(Smooth(), u, panel, collocation.SHORTEST) < 64 * 1e-15
