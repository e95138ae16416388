"""Distances of laws on grids: what holds for all densities, what is lost in cells, and what bars are made of."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.diagnostics.compared import (
    SHARPEST,
    Law,
    _kl_entry,
    _kl_of_samples,
    _lost_where_signs_change,
    _merged_kl,
    _tilted,
    compared,
    halved,
    known_kl,
    normal,
    w2_entry,
)
from mfgpde.diagnostics.data import SPREAD, Sampled, smooth
from mfgpde.diagnostics.guaranteed import apart

CELLS = 16
SEEDS = st.integers(0, 10**6)


def field(values, lengths=(3.0,)):
    values = np.asarray(values, dtype=float)
    grid = mfg.CartesianGrid(tuple(-0.5 * a for a in lengths), tuple(0.5 * a for a in lengths), values.shape)
    return mfg.Field(mfg.FiniteVolume(grid), values, means=True)


@st.composite
def laws(draw, least=0.05, most=2):
    """Draw a density on a line or in a plane, in a random unit of length."""
    d, rng = draw(st.integers(1, most)), np.random.default_rng(draw(SEEDS))
    lengths = tuple(draw(st.floats(1e-3, 1e3)) for _ in range(d))
    return normal(field(least + rng.random((CELLS,) * d), lengths))


def beside(law, seed, least=0.05):
    rng = np.random.default_rng(seed)
    return normal(replace(law, values=least + rng.random(law.values.shape)))


@settings(max_examples=40)
@given(laws(), SEEDS, SEEDS)
def test_l1_is_a_metric_below_two_and_pinsker_holds(p, a, b):
    """Also: KL is not negative, and zero for a law and itself."""
    q, r = beside(p, a), beside(p, b + 10**7)
    assert mfg.l1_distance(p, p) == 0.0
    assert mfg.l1_distance(p, q) == pytest.approx(mfg.l1_distance(q, p))
    assert mfg.l1_distance(p, r) <= mfg.l1_distance(p, q) + mfg.l1_distance(q, r) + 1e-12
    assert mfg.l1_distance(p, q) < 2
    assert mfg.kl_divergence(p, p) == 0.0
    assert mfg.kl_divergence(p, q) >= 0.5 * mfg.l1_distance(p, q) ** 2 - 1e-12


@settings(max_examples=40)
@given(laws(), SEEDS)
def test_what_merges_cells_lowers_every_divergence(p, seed):
    """Half the cells, and all cells of a tail as one: data processing."""
    q = beside(p, seed)
    assert mfg.kl_divergence(halved(p), halved(q)) <= mfg.kl_divergence(p, q) + 1e-12
    assert mfg.l1_distance(halved(p), halved(q)) <= mfg.l1_distance(p, q) + 1e-12
    assert halved(p).integral() == pytest.approx(1.0)
    thin = replace(q, values=np.where(np.arange(q.values.size).reshape(q.values.shape) % 5 == 0, 1e-9, 1.0) * q.values)
    assert _merged_kl(p, thin) <= mfg.kl_divergence(p, thin) + 1e-12


@settings(max_examples=30)
@given(laws(least=0.9), SEEDS, st.floats(-1.0, 1.0))
def test_errors_turn_one_solution_into_the_other(p, seed, power):
    """A law times (b/a)^power, normalised: power one of a itself is b, powers add, and factors are cut at e."""
    q = beside(p, seed, least=0.9)  # factors below e, which are not cut
    assert _tilted(p, q, 1.0, p).values == pytest.approx(q.values)
    there = _tilted(p, q, power, p)
    assert _tilted(p, q, -power, there).values == pytest.approx(p.values)
    assert there.integral() == pytest.approx(1.0)
    wild = normal(replace(q, values=np.where(q.values == q.values.max(), 1e6, 1.0) * q.values))
    factors = _tilted(p, wild, 1.0, p).values / p.values
    assert factors.max() / factors.min() <= np.exp(2 * SHARPEST) * (1 + 1e-12)


@pytest.mark.parametrize("zero", [0.21, 0.5, 0.77])
def test_what_cells_keep_back_of_a_difference_that_changes_sign(zero):
    """Of a linear difference s (x − z) on cells of width h, |means| miss s h² (½ − |z|/h)² in the cell of the zero z."""
    n, length, slope = 20, 4.0, 0.7
    grid = mfg.CartesianGrid((0.0,), (length,), (n,))
    h = length / n
    place = (7 + zero) * h
    x = grid.points[..., 0]
    p = mfg.Field(mfg.FiniteVolume(grid), slope * (x - place), means=True)
    q = replace(p, values=0 * x)
    exact = 0.5 * slope * (place**2 + (length - place) ** 2)
    lost = exact - mfg.l1_distance(p, q)
    assert _lost_where_signs_change(p, q) == pytest.approx(lost, rel=1e-9)
    assert lost == pytest.approx(slope * h**2 * (0.5 - abs(zero - 0.5)) ** 2, rel=1e-9)
    assert _lost_where_signs_change(p, replace(p, values=p.values - 10 * slope * length)) == 0.0


@settings(max_examples=30)
@given(laws(), SEEDS, st.floats(0.3, 0.9))
def test_mass_outside_the_box_counts_in_l1(p, seed, share):
    """Where one law has mass outside and the other has none, that much is apart there."""
    q = beside(p, seed)
    less = replace(q, values=share * q.values)
    assert apart(p, less) == pytest.approx(mfg.l1_distance(p, less) + 1 - share)
    assert Law.known("q", less).outside == pytest.approx(1 - share)
    assert apart(p, q) == pytest.approx(mfg.l1_distance(p, q))


def test_what_rounding_hides_of_a_divergence_and_what_not():
    """A cell where q is zero: with mass of p in it KL is infinite; with next to none the rounding is said."""
    p = normal(field([1.0, 1.0, 1.0, 1e-14]))
    q = normal(field([1.0, 1.0, 1.0, 0.0]))
    value, hidden = known_kl(p, q)
    assert 0 <= value < 1e-12
    assert 0 < hidden < 1e-11
    assert known_kl(normal(field([1.0, 1.0, 1.0, 1.0])), q) == (np.inf, 0.0)
    assert known_kl(q, p)[1] == 0.0
    assert _merged_kl(p, q) == np.inf


@settings(max_examples=15)
@given(laws(most=1), SEEDS, SEEDS)
def test_bars_of_compared_laws_are_the_sums_of_their_parts(p, a, b):
    """L¹ and KL between laws whose second solutions are known to be off: the truth at either end is in the bar."""
    q, off = beside(p, a), beside(halved(p), b, least=3.0)
    rough = normal(replace(off, values=halved(p).values * off.values))
    one, two = Law("a", p, rough, rough), Law.known("b", q)
    found = compared(one, two)
    for name in ("L1", "KL(a‖b)", "KL(b‖a)"):
        entry = found[name]
        assert entry.half_width == pytest.approx(sum(entry.parts.values()))
        assert all(part > 0 for part in entry.parts.values())
    assert found["L1"].parts["grid and time steps"] == pytest.approx(mfg.l1_distance(halved(p), rough))
    assert found["L1"].value == pytest.approx(mfg.l1_distance(p, q))
    merged = normal(halved(q))
    changed = abs(mfg.kl_divergence(rough, merged) - mfg.kl_divergence(halved(p), merged))
    assert found["KL(a‖b)"].parts["grid and time steps"] >= changed - 1e-12


def test_w2_on_a_line_and_its_bar_know_the_unit():
    """Two blocks a distance apart; a second solution that is a cell away moves the bar by a cell."""
    values = np.zeros(32)
    values[4:8], moved = 1.0, np.zeros(32)
    moved[14:18] = 1.0
    for unit in (1.0, 1e-6, 1e6):
        p, q = (normal(field(v, (32 * unit,))) for v in (values, moved))
        entry = w2_entry(Law.known("p", p), Law.known("q", q))
        assert entry.value == pytest.approx(10 * unit)
        assert entry.half_width == pytest.approx(0.0, abs=1e-6 * unit)
        rough = replace(halved(p), values=np.roll(halved(p).values, 1))
        off = w2_entry(Law("p", p, rough, rough), Law.known("q", q))
        assert off.parts["grid and time steps"] == pytest.approx(2 * unit)


@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_brackets_in_the_plane_hold_a_shift(unit):
    """A blob moved by two cells each way: W₂ is the length of the shift, and the bracket goes with the unit."""
    grid = mfg.CartesianGrid.cube(3.0 * unit, 24, 2)
    x = grid.points / unit
    p, q = (
        mfg.Field(mfg.FiniteVolume(grid), np.exp(-2 * ((x - c) ** 2).sum(axis=-1)), means=True) for c in (-0.25, 0.25)
    )
    entry = w2_entry(Law.known("p", p), Law.known("q", q))
    assert entry.lower <= np.hypot(0.5, 0.5) * unit <= entry.upper
    assert entry.upper - entry.lower < 0.2 * unit
    assert entry.half_width == pytest.approx(max(entry.upper - entry.value, entry.value - entry.lower))


def test_samples_and_smoothing_of_a_divergence_are_told_apart():
    """What halves spread is sampling; what twice the width changes is smoothing: both by hand."""
    rng = np.random.default_rng(7)
    points = rng.normal(size=(3000, 1))
    grid = mfg.CartesianGrid.cube(5.0, 40, 1)
    samples = Sampled(points, points)
    law = Law.known("data", samples.on(grid), samples)
    flat = normal(mfg.Field(mfg.FiniteVolume(grid), np.ones(40), means=True))

    def divergence(density):
        return mfg.kl_divergence(normal(density), flat)

    width = samples.width(grid)
    value = divergence(smooth(samples.on(grid), width))
    sampling, smoothing = _kl_of_samples(law, divergence, value)
    halves = [divergence(smooth(half, width)) for pair in samples.halves(grid) for half in pair]
    assert smoothing == pytest.approx(abs(divergence(smooth(samples.on(grid), 2 * width)) - value), rel=1e-12)
    assert sampling == pytest.approx(abs(np.mean(halves) - value) + SPREAD * np.std(halves, ddof=1))
    halves = [mfg.l1_distance(smooth(a, width), smooth(b, width)) / 2 for a, b in samples.halves(grid)]
    assert law.sampling_l1[0] == pytest.approx(np.mean(halves) + SPREAD * np.std(halves, ddof=1), rel=1e-6)
    assert law.sampling_l1[0] < 0.5  # halves of a law are near each other


@pytest.mark.parametrize("first", [True, False])
def test_samples_in_a_divergence_of_two_laws_are_halves_of_their_side(first):
    """KL(data‖law) and KL(law‖data) of Gaussians in a box: what halves change of it, by hand, a tenth of it at most."""
    points = np.random.default_rng(3).normal(0.5, 1.0, size=(6000, 1))
    grid = mfg.CartesianGrid.cube(2.5, 40, 1)
    samples, known = Sampled(points, points), mfg.gaussian(-0.5, 1.0)
    other = normal(mfg.Field(mfg.FiniteVolume(grid), known.density(grid.points), means=True))
    data, law = Law.known("data", samples.on(grid), samples), Law.known("law", other)

    def divergence(density):
        pair = (normal(density), other) if first else (other, normal(density))
        return mfg.kl_divergence(*pair)

    entry = _kl_entry(data, law) if first else _kl_entry(law, data)
    width = samples.width(grid)
    whole = divergence(smooth(samples.on(grid), width))
    halves = [divergence(smooth(half, width)) for pair in samples.halves(grid) for half in pair]
    assert entry.value == pytest.approx(whole)
    assert entry.parts["samples"] == pytest.approx(abs(np.mean(halves) - whole) + SPREAD * np.std(halves, ddof=1))
    twice = divergence(smooth(samples.on(grid), 2 * width))
    assert entry.parts["smoothing"] == pytest.approx(abs(twice - whole))
    x = np.linspace(-2.5, 2.5, 4001)[1::2]
    p, q = (law / law.sum() for law in (np.exp(-0.5 * (x - m) ** 2) for m in ((0.5, -0.5) if first else (-0.5, 0.5))))
    truth = p @ np.log(p / q)
    assert truth > 0.3
    assert abs(entry.value - truth) <= entry.half_width
    assert entry.parts["samples"] < 0.3 * truth


@settings(max_examples=30)
@given(laws(), SEEDS)
def test_weighted_errors_are_means(p, seed):
    """∫|u − v| w/∫w: between the least and the largest error, one for errors of one, and of lengths for vectors."""
    u = beside(p, seed)
    off = np.abs(u.values - p.values)
    found = mfg.diagnostics.weighted_error(u, p, p.values)
    assert off.min() <= found <= off.max()
    assert mfg.diagnostics.weighted_error(u, replace(u, values=u.values - 1), p.values) == pytest.approx(1.0)
    both = replace(u, values=np.stack([3 * off, 4 * off], axis=-1))
    zero = replace(both, values=0 * both.values)
    assert mfg.diagnostics.weighted_error(both, zero, p.values) == pytest.approx(5 * found)
