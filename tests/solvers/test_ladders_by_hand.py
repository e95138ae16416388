"""Ladders, orders, neighbours of grids and errors of solutions: each part of every bar, by hand, in any unit."""

import types
from importlib import import_module

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.calibration import draws
from mfgpde.calibration.kinks import Kinks
from mfgpde.core.estimate import Kind
from mfgpde.solvers.beside import PART, between, fewer, halved, moved, widened
from mfgpde.solvers.converge import AITKEN, BETWEEN, LEAST, MOVED, SHARPENED, WIDENED, Beside, Ladder
from mfgpde.solvers.error import FALLING, FIRST, GROWING, SolutionError
from mfgpde.solvers.hermite import InTime, Span
from mfgpde.solvers.initial import GROWTH, _widened, box_that_does, needed_box
from mfgpde.solvers.march import SAME, _March, _scaled
from mfgpde.solvers.structure import Structure
from mfgpde.solvers.time_rule import time_rule

UNITS = st.sampled_from([1e-9, 1.0, 1e9])
VALUES, SMALL = st.floats(-2, 2), st.floats(1e-6, 1e-2)


def ladder(values, theory=2.0, floor=0.0, **beside):
    cells = tuple(8 * 2**k for k in range(len(values)))
    return Ladder(cells, tuple(map(float, values)), theory, floor, Beside(**beside))


@settings(max_examples=60)
@given(VALUES, st.floats(0.1, 2), st.floats(0.75, 4.5), UNITS)
def test_a_pure_power_is_extrapolated_to_its_limit_in_every_unit(q, a, theory, unit):
    """Q + a h^p: value and Aitken's agree, and 2 % of Richardson's correction is the bar."""
    values = unit * (q + a * 0.5 ** (theory * np.arange(3)))
    found = ladder(values, theory).limit
    assert found.value == pytest.approx(unit * q, abs=1e-12 * unit * (1 + a))
    correction = a * 0.5 ** (2 * theory) * unit
    rounding = 1e-13 * np.abs(values).max()
    assert found.half_width == pytest.approx(LEAST * correction + rounding, rel=1e-3, abs=1e-12 * unit)
    assert ladder(values, theory).order.value == pytest.approx(theory, abs=1e-6)
    assert ladder(values, theory).order_to(unit * q).value == pytest.approx(theory, abs=1e-4)


@settings(max_examples=60)
@given(VALUES, st.floats(0.1, 2), st.floats(-0.4, 0.4), st.floats(0.0, 0.05), st.floats(1.0, 4.0))
def test_bars_in_the_asymptotic_range_are_the_largest_of_four(q, a, off, miss, theory):
    """By hand: the next order, Aitken, 2 % of the correction, and what a value between misses both power laws."""
    s = theory + off
    values = q + a * 0.5 ** (s * np.arange(3))
    ratio, d0, d1 = 2.0**theory, values[1] - values[0], values[2] - values[1]
    value, coarse = values[2] + d1 / (ratio - 1), values[1] + d0 / (ratio - 1)
    aitken = values[2] + d1**2 / (d0 - d1)
    seen = np.log2(d0 / d1)
    by_theory = value + (values[1] - value) * (16 / 12) ** theory
    by_order = value + (values[0] - value) * (8 / 12) ** seen
    point = by_theory + miss
    power = min(abs(point - by_theory), abs(point - by_order)) * (12 / 32) ** min(theory, 2.0)
    parts = [2 * abs(value - coarse) / (2 * ratio - 1), AITKEN * abs(aitken - value)]
    parts += [LEAST * abs(d1) / (ratio - 1), BETWEEN * power]
    found = ladder(values, theory, between=(12.0, float(point))).limit
    assert found.value == pytest.approx(value, abs=1e-12)
    assert found.half_width == pytest.approx(max(parts), rel=1e-6, abs=1e-11)
    assert "Richardson" in found.method
    exact_between = ladder(values, theory, between=(12.0, float(by_order))).limit
    assert exact_between.half_width == pytest.approx(max(parts[:3]), rel=1e-6, abs=1e-11)


@settings(max_examples=60)
@given(VALUES, SMALL, SMALL, SMALL, SMALL)
def test_what_a_value_owes_beside_the_ladder_is_added(q, moving, sharp, wide, floor):
    values = q + 0.5 ** (2 * np.arange(3))
    bare = ladder(values).limit
    more = ladder(values, floor=floor, moved=moving, sharpened=sharp, widened=wide).limit
    added = floor + SHARPENED * sharp + WIDENED * wide + MOVED * moving / 4
    assert more.half_width - bare.half_width == pytest.approx(added, rel=1e-9, abs=1e-14)
    slow = ladder((1.0, 0.5, 0.45)).limit
    rough = ladder((1.0, 0.5, 0.45), moved=moving).limit
    assert rough.half_width - slow.half_width == pytest.approx(MOVED * moving / 2, rel=1e-9)


@settings(max_examples=40)
@given(VALUES, st.floats(0.01, 1), st.floats(0.01, 1), st.floats(-0.5, 0.5))
def test_bars_out_of_the_range_are_the_largest_of_three(q, first, second, miss):
    """Changes of two signs: the last change, a quarter of the one before, and a value between as of first order."""
    values = (q, q + first, q + first - second)
    found = ladder(values, between=(12.0, values[2] + miss)).limit
    assert found.value == values[2]
    assert found.half_width == pytest.approx(max(second, first / 4, abs(miss) * 12 / 32), rel=1e-9)
    assert "not asymptotic" in found.method
    limited = ladder(q + 0.5 ** (2 * np.arange(3)), limited=True).limit
    assert limited.half_width == pytest.approx(3 / 16, rel=1e-6)


@settings(max_examples=40)
@given(VALUES, st.floats(0.1, 2), st.sampled_from([0.75, 1.0, 2.0, 3.0, 4.0]), st.floats(0.52, 2.0), UNITS)
def test_half_an_order_is_how_far_the_range_reaches(q, a, theory, off, unit):
    """By more, the finest value has the last change, 2^−theory of the one before, or 1.5 times what the power leaves."""
    for order in (theory - off, theory + off):
        values = unit * (q + a * 0.5 ** (order * np.arange(3)))
        first, second = np.abs(np.diff(values))
        found = ladder(values, theory).limit
        assert found.value == values[2]
        rounding = 1e-13 * np.abs(values).max()
        left = second**2 / (first - second) if order > 0 else 0.0
        assert found.half_width == pytest.approx(max(second, first / 2**theory, 1.5 * left) + rounding, rel=1e-9)
        assert order < 0 or unit * q in found
        assert "not asymptotic" in found.method
    for order in (theory - 0.48, theory + 0.48):
        assert "Richardson" in ladder(unit * (q + a * 0.5 ** (order * np.arange(3))), theory).limit.method


def test_a_last_change_of_nothing_is_no_order():
    """Two rungs alike: the finest value, and what is left of the change before; the same with no change at all."""
    found = ladder((1.0, 0.5, 0.5)).limit
    assert (found.value, found.half_width) == (0.5, pytest.approx(0.125))
    assert ladder((0.5, 0.5, 0.5)).limit.half_width == pytest.approx(5e-14)


def test_spectral_ladders_of_four_rungs_look_at_the_last_three():
    """The last change, or a tenth of the one before; not of the first."""
    values = np.array([5.0, 0.2, 0.02, 0.01])
    found = ladder(values, np.inf).limit
    assert (found.value, found.half_width) == (0.01, pytest.approx(0.1 * 0.18))
    assert ladder(values[[0, 2, 1, 3]], np.inf).limit.half_width == pytest.approx(0.19)


@settings(max_examples=40)
@given(VALUES, st.floats(-0.5, 0.5), st.sampled_from([1.0, 2.0, 4.0]))
def test_a_value_on_one_cell_fewer_counts_three_times_as_of_first_order(q, miss, theory):
    """8, 16 and 32 cells, and 15: what is on the power law costs nothing, what is off it by `miss` 3 · miss · 15/32."""
    values, power = q + 2.0 ** (-theory * np.arange(3)), q + 8.0**theory * 15.0**-theory
    bare, on = ladder(values, theory).limit, ladder(values, theory, fewer=(15.0, power)).limit
    assert on.half_width == pytest.approx(bare.half_width, rel=1e-6, abs=1e-11)
    off = ladder(values, theory, fewer=(15.0, power + miss)).limit
    wanted = max(bare.half_width, 3 * abs(miss) * 15 / 32)
    assert off.half_width == pytest.approx(wanted, rel=1e-6, abs=1e-11)
    outside = ladder((q, q + 0.02, q + 0.01), fewer=(15.0, q + 0.01 + miss)).limit
    assert outside.half_width == pytest.approx(max(0.01, 1.5 * abs(miss) * 15 / 32), rel=1e-6, abs=1e-11)


def test_a_kink_between_rungs_that_double_is_seen_by_one_cell_fewer(monkeypatch):
    """∫|x − c|^p in closed form: two draws whose rungs look like a power, 160 and 12 bars off without that cell."""

    def worst(seed, draw):
        return max(case.ratio for case in Kinks().cases(draws.generator("kinks", seed, draw)))

    assert max(worst(3, 340), worst(0, 67)) < 1
    assert fewer(mfg.FiniteVolume(mfg.CartesianGrid.cube(1.0, 9, 2))) is None  # it can be moved
    monkeypatch.setattr(import_module("mfgpde.solvers.converge"), "fewer", lambda space: None)
    assert min(worst(3, 340), worst(0, 67)) > 10


@settings(max_examples=40)
@given(VALUES, st.floats(1e-6, 1), st.floats(1e-6, 1), st.floats(0, 1))
def test_spectral_ladders_have_their_last_changes(q, first, second, miss):
    values = (q, q + first, q + first + second)
    three = ladder(values, np.inf, between=(12.0, values[1] + miss)).limit
    assert three.value == values[2]
    assert three.half_width == pytest.approx(max(second, 0.1 * miss, 0.1 * first), rel=1e-6, abs=1e-12)
    two = Ladder((8, 16), values[:2], np.inf, 0.0, Beside((12.0, values[0] + miss))).limit
    assert two.half_width == pytest.approx(max(first, miss), rel=1e-6, abs=1e-12)


@settings(max_examples=40)
@given(st.floats(0.5, 5), st.floats(1.2, 4), st.integers(2, 6), UNITS)
def test_orders_are_seen_at_any_ratio_of_parameters(order, ratio, count, unit):
    errors = [unit * 3 * ratio ** (-order * k) for k in range(count)]
    found = mfg.observed_order(errors, ratio)
    assert found.value == pytest.approx(order, rel=1e-6)
    assert found.half_width == (np.inf if count == 2 else pytest.approx(order / 10, abs=1e-6))
    bent = mfg.observed_order([4.0, 1.0, 0.5])
    assert (bent.value, bent.half_width) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("errors", "order"),
    [
        ((8.412120e-6, 1.922044e-6, 4.358729e-7), 2.0),  # limited upwind fluxes on 2048, 4096, 8192 cells
        ((6.995965e-4, 4.677424e-5, 3.081217e-6), 4.0),  # volumes of order four in the plane, 40, 80, 160 cells a side
    ],
)
def test_orders_that_hardly_move_are_not_yet_the_limit(errors, order):
    assert order in mfg.observed_order(errors)


@pytest.mark.parametrize("bad", [[1.0], [1.0, 0.0], [1.0, np.nan]])
def test_errors_that_show_no_order_are_refused(bad):
    with pytest.raises(ValueError, match="at least two non-zero errors"):
        mfg.observed_order(bad)


@settings(max_examples=40)
@given(st.lists(st.integers(4, 21), min_size=1, max_size=3), st.floats(1e-3, 1e3), st.data())
def test_neighbours_of_grids_keep_what_they_should(cells, unit, data):
    d = len(cells)
    periodic = tuple(data.draw(st.booleans()) for _ in range(d))
    grid = mfg.CartesianGrid((-unit,) * d, (2 * unit,) * d, tuple(cells), periodic)
    space = mfg.FiniteVolume(grid)
    half = between(space).grid
    assert half.cells == tuple(round(1.5 * n) for n in cells)
    assert (half.lower, half.upper) == (grid.lower, grid.upper)
    off = moved(space).grid
    for axis, h in enumerate(grid.spacing):
        assert off.lower[axis] - grid.lower[axis] == pytest.approx(PART * h)
        assert off.spacing[axis] == pytest.approx(h)
    wide = widened(space)
    if all(periodic):
        assert wide is None
    else:
        for axis, (n, h) in enumerate(zip(cells, grid.spacing, strict=True)):
            more = (wide.grid.cells[axis] - n) // 2
            assert more == (0 if periodic[axis] else -(-n // 4))
            assert wide.grid.spacing[axis] == pytest.approx(h)
            assert grid.lower[axis] - wide.grid.lower[axis] == pytest.approx(more * h, abs=1e-9 * unit)
    coarse = halved(space) if min(cells) >= 8 else None
    if coarse is not None:
        for axis, n in enumerate(cells):
            assert coarse.grid.cells[axis] == (n + 1) // 2
            assert coarse.grid.spacing[axis] == pytest.approx(2 * grid.spacing[axis])
            assert coarse.grid.lower[axis] == grid.lower[axis]
    assert halved(mfg.FiniteVolume(mfg.CartesianGrid.cube(1.0, 9, 1, periodic=True))) is None


def errors(space, steps, fall, order=2, apart=1.0, looser=()):
    """Return the error of a solve whose differences are constants on a box of length two, of the same sign or not."""
    grid = mfg.CartesianGrid.cube(1.0, 8, 1)
    volumes = mfg.FiniteVolume(grid, order=order) if order < 9 else mfg.Spectral(grid)
    parts = [mfg.Field(volumes, np.full(8, 0.5 * value)) for value in (space, apart * steps)]
    solution = types.SimpleNamespace(
        discretisation=volumes, equation=mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), index=lambda t: 0
    )
    return SolutionError(solution, (parts[0],), (parts[1],), (fall,), looser=looser).l1(0.0)


@settings(max_examples=60)
@given(st.floats(1e-3, 1), st.floats(0, 1), st.floats(0, 100))
def test_errors_of_solutions_reach_as_low_as_parts_cancel_and_as_high_as_looser_steps_say(space, steps, earlier):
    """Of errors e and 10^⅔ e at ten times the tolerance the change is (10^⅔ − 1)e."""
    found, times = errors(space, steps, 4.0, apart=-1.0, looser=(earlier,)), 10 ** (2 / 3)
    assert found.lower == pytest.approx(max(0.0, abs(space - steps) - 0.5 * (space + steps)), abs=1e-12)
    assert found.upper >= 1.5 * (space + steps) - 1e-12
    change = steps * (times - 1) / times
    if earlier > FALLING * times * change:
        assert found.upper == pytest.approx(1.5 * space + max(1.5 * steps, earlier / (times - 1)))
    elif earlier > GROWING * change:
        assert found.upper == pytest.approx(1.5 * space + max(1.5 * steps, change**2 / (change - change**2 / earlier)))


@settings(max_examples=60)
@given(st.floats(1e-3, 1), st.floats(0, 1), st.floats(1.0, 8.0), st.sampled_from([2, 4, 9]))
def test_errors_of_solutions_have_the_bar_of_their_own_rate(space, steps, fall, order):
    """∫|error| = space + steps; half of it where changes fall as promised, what their own rate leaves where not."""
    found = errors(space, steps, fall, order)
    gain = {2: 4.0, 4: 16.0, 9: FIRST}[order]
    share = 1.0 if order == 9 else (gain - 1) / gain
    assert found.value == pytest.approx(space + steps)
    if fall <= GROWING:
        assert found.half_width == np.inf
    elif fall < FALLING * gain:
        own = share * space * fall / (fall - 1)
        assert found.half_width == pytest.approx(max(0.5 * (space + steps), own - 0.5 * space + 0.5 * steps))
        assert "not asymptotic" in found.method
    else:
        assert found.half_width == pytest.approx(0.5 * (space + steps))
    assert found.kind is Kind.EXTRAPOLATED


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 8), VALUES, UNITS)
def test_polynomials_in_the_root_of_time_are_their_own_interpolants(seed, pieces, start, unit):
    """Through values and rates at all times of a span, of the degree that these settle; the rate is that in time."""
    span = Span(unit * start, unit * (start + 1.7), pieces)
    law = np.polynomial.Chebyshev(np.random.default_rng(seed).normal(size=span.degree + 1), domain=[0, 1])
    kept = InTime(span, law(span.shares)[:, None], law.deriv()(span.shares)[:, None])
    s = np.linspace(0.05, 1.0, 23)
    value, rate = kept.at(s)
    size = np.abs(law.coef).sum()
    assert value[:, 0] == pytest.approx(law(s), abs=1e-9 * size)
    assert rate[:, 0] * 1.7 * unit == pytest.approx(law.deriv()(s) / (2 * s), abs=1e-6 * size)
    assert span.time(np.array([0.0, 1.0])) == pytest.approx([span.begin, span.end])
    assert span.time(span.shares) == pytest.approx(span.times)


@settings(max_examples=40)
@given(st.integers(2, 20), VALUES, st.floats(0.1, 10), UNITS)
def test_rules_in_time_have_positive_weights_and_both_ends(asked, start, length, unit):
    times, weights = time_rule(unit * start, unit * (start + length), asked)
    assert (times[0], times[-1]) == (pytest.approx(unit * start), unit * (start + length))
    assert np.all(np.diff(times) > 0)
    assert weights.min() > 0
    assert weights.sum() == pytest.approx(unit * length)
    s = (times - times[0]) / (unit * length)
    for k in range(asked):
        assert weights @ s**k == pytest.approx(unit * length / (k + 1), rel=1e-9)


@settings(max_examples=40)
@given(VALUES, st.floats(0.05, 0.4), UNITS, st.integers(1, 2))
def test_boxes_that_are_needed_are_seven_deviations_wide(mean, deviation, unit, d):
    """Of a Gaussian that reaches beyond its box; of one that does not, half as wide again, the old box inside."""
    grid = mfg.CartesianGrid.cube(2.5 * unit, 64, d)
    law = mfg.gaussian(np.full(d, unit * mean), (unit * deviation) ** 2 * np.eye(d))
    values = law.density(grid.points)
    assume(abs(abs(mean) + 7 * deviation - 2.5) > 0.05)
    lower, upper = needed_box(values, grid)
    if abs(mean) + 7 * deviation < 2.5:
        assert lower == pytest.approx(-3.75 * unit)
        assert upper == pytest.approx(3.75 * unit)
    elif abs(mean) + 4 * deviation < 2.5:  # all but nothing of it is seen
        assert lower == pytest.approx(np.minimum(unit * (mean - 7 * deviation), -2.5 * unit), abs=0.03 * unit)
        assert upper == pytest.approx(np.maximum(unit * (mean + 7 * deviation), 2.5 * unit), abs=0.03 * unit)


def test_the_box_that_does_is_the_first_that_holds_the_mass():
    """Of exp(−|x|/2), e^{−L/2} of whose mass lies beyond ±L: the least half-width tried with less than 1e-4 outside."""
    grid = mfg.CartesianGrid.cube(1.0, 64, 1)
    found = box_that_does(lambda x: np.exp(-0.5 * np.abs(x[..., 0])), grid, 1e-4)
    assert found == _widened(grid, next(factor for factor in GROWTH if np.exp(-0.5 * factor) <= 1e-4))
    assert box_that_does(lambda x: 1 / (1 + x[..., 0] ** 2), grid, 1e-6) is None
    assert box_that_does(lambda x: np.full(x.shape[:-1], np.nan), grid, 1e-4) is None


class Fixed:
    """An integrator whose steps are exact for u′ = 1 and whose error is a fixed share of what a controller allows."""

    order, embedded_order = 1, 1

    def __init__(self):
        self.taken = []

    def step(self, system, u, t, dt):
        self.taken.append((t, dt))
        return u + dt, 0 * u


def march(dt, max_step=np.inf):
    integrator = Fixed()
    controller = types.SimpleNamespace(
        factor=lambda ratio: 1.0, ratio=lambda u, error, known: 0.5, previous=1.0, embedded_order=1, rtol=1e-3
    )
    structure = Structure()
    found = _March(types.SimpleNamespace(), integrator, controller, 10_000, max_step, structure)
    found.dt = dt
    return found, integrator


@settings(max_examples=60)
@given(st.integers(1, 40), st.floats(0.01, 10), UNITS)
def test_a_run_of_whole_steps_takes_as_many_and_no_rest(count, length, unit):
    """A run that is n steps long to rounding takes n steps; one a little longer takes n + 1 equal ones."""
    end = unit * length
    found, integrator = march(end / count)
    found.advance(np.zeros(1), 0.0, end, lambda share, text: None)
    assert found.steps == count
    more, integrator = march(end / (count + 0.01))
    u, _ = more.advance(np.zeros(1), 0.0, end, lambda share, text: None)
    assert more.steps == count + 1
    assert u[0] == pytest.approx(end)
    sizes = np.array([dt for _, dt in integrator.taken])
    assert np.ptp(sizes) <= 2 * SAME * sizes[0]
    assert more.ends[-1] == end


@settings(max_examples=30)
@given(st.floats(0.3, 0.9))
def test_no_step_is_longer_than_the_longest(longest):
    found, integrator = march(5.0, max_step=longest)
    found.advance(np.zeros(1), 0.0, 3.0, lambda share, text: None)
    assert max(dt for _, dt in integrator.taken) <= longest * (1 + 1e-9)
    assert found.steps == int(np.ceil(3.0 / longest * (1 - 1e-9)))


def test_meters_of_parts_show_shares_of_the_whole():
    seen = []
    tick = _scaled(lambda share, text: seen.append((share, text)), 0.25, 0.5)
    tick(0.0, "a")
    tick(1.0, "b")
    assert seen == [(0.25, "a"), (0.75, "b")]


@settings(max_examples=100)
@given(st.floats(0.5, 6), st.floats(1.5, 4), st.floats(1e-12, 0.2), st.tuples(st.floats(-1, 1), st.floats(-1, 1)))
def test_the_order_of_two_errors_is_known_as_well_as_they_are(order, ratio, share, moved):
    """Errors of an exact power, each moved by a part of what they may be off; the older one says nothing."""
    errors = np.array([1.0, ratio**-order])
    off = share * errors
    found = mfg.observed_order([77.0, *(errors + off * moved)], ratio, off=[9.0, *off / (1 - share)])
    assert order in found
    assert found.kind is mfg.Kind.BOUND
    assert found.half_width <= 4 * share / np.log(ratio) + 1e-13
    with pytest.raises(ValueError, match="larger than what they are off"):
        mfg.observed_order(errors, ratio, off=errors)
