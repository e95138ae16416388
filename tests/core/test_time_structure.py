"""Jumps are found where they are, sharp changes at their width; what is smooth, or rough everywhere, is left alone."""

import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mfgpde.core.time_structure import breaks, merged, named, pieces, scanned

QUICK = settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(centre=st.floats(0.01, 0.78), width=st.floats(1.01e-3, 0.2), unit=st.sampled_from([1.0, 1e-9, 1e9]))
def test_both_ends_of_a_pulse_are_found_in_any_unit(centre, width, unit):
    start, end = 0.3 * unit, 1.3 * unit
    edges = [start + unit * centre, start + unit * (centre + width)]
    found = breaks(lambda t: np.array([7e5 + (3e-3 if edges[0] <= t < edges[1] else 0.0), 1.0]), start, end)
    assert len(found) == 2
    for (a, b), edge in zip(found, edges, strict=True):
        assert a <= edge <= b
        assert b - a <= 1e-12 * unit


def test_smooth_and_rough_functions_have_none():
    for function in (np.cos, np.exp, np.sqrt, lambda t: np.sin(900 * t), lambda t: 1e-30 * t, lambda t: 5.0 + 0 * t):
        assert breaks(lambda t, f=function: np.atleast_1d(f(t)), 0.1, 3.0) == []


def test_a_narrow_bump_is_broken_at_its_width():
    """exp(−(t/w)²), w = 5e-4: steps end within a few widths on both sides."""
    found = breaks(lambda t: np.array([np.exp(-(((t - 0.5) / 5e-4) ** 2))]), 0.0, 1.0)
    ends = np.array(found).ravel()
    assert 2 <= len(ends) <= 24
    assert np.abs(ends - 0.5).max() < 5e-3


def test_all_samples_at_once_are_taken_only_if_they_are_right():
    calls = []

    def one(t):
        calls.append(t)
        return np.array([float(t > 0.4)])

    assert len(breaks(one, 0.0, 1.0, lambda times: (times > 0.4).astype(float)[:, None])) == 1
    assert len(calls) < 100
    wrong = breaks(one, 0.0, 1.0, lambda times: np.ones((len(times), 1)))
    assert len(wrong) == 1
    assert len(calls) > 2000


def test_pieces_go_around_breaks_in_both_directions():
    assert pieces([], 0.0, 1.0) == [(0.0, 1.0)]
    assert pieces([(0.4, 0.5), (0.8, 0.8), (2.0, 2.1)], 0.0, 1.0) == [(0.0, 0.4), (0.5, 0.8), (0.8, 1.0)]
    assert pieces([(0.4, 0.5)], 1.0, 0.0) == [(1.0, 0.5), (0.4, 0.0)]
    assert pieces([(-0.1, 0.2), (0.9, 1.3)], 0.0, 1.0) == [(0.2, 0.9)]
    assert merged([(0.5, 0.6), (0.1, 0.2), (0.55, 0.7)]) == [(0.1, 0.2), (0.5, 0.7)]
    assert [round(a, 9) for a, _ in named([0.25, 5.0], 0.0, 1.0)] == [0.25]
    with pytest.raises(ValueError, match="finite times"):
        named([np.nan], 0.0, 1.0)


def test_no_clock_decides_where_a_coefficient_is_read():
    """A slow one is read at the same times as a quick one."""
    read = {"quick": [], "slow": []}

    def coefficient(name):
        def at(t):
            read[name].append(t)
            if name == "slow":
                end = time.perf_counter() + 1e-4
                while time.perf_counter() < end:
                    pass
            return np.array([np.tanh(t)])

        return at

    found = [scanned(coefficient(name), 0.0, 1.0) for name in read]
    assert found[0] == found[1] == ([], 1 / 2000, np.inf)
    assert read["quick"] == read["slow"]
    assert len(read["quick"]) == 2001 + 32


def test_many_steep_rises_are_no_comb():
    """A hundred coefficients that each rise once, all in a tenth of the run: steps are as long as they like."""
    middles = np.linspace(0.85, 0.95, 100)
    _, _, longest = scanned(lambda t: np.tanh((t - middles) / 2e-3), 0.0, 1.0)
    assert longest == np.inf
