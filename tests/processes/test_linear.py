"""Coefficients of linear processes at many times: from one call where they take arrays, else one after the other."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.time_structure import breaks
from mfgpde.processes.linear import _coefficients, _many, _stacked

TIMES = np.linspace(0.0, 1.0, 2001)
TURN = np.array([[-1.0, 2.0], [-1.5, -0.5]])


def stepped(t):
    return 1.0 if t < 0.37 else 2.0


def pulsed(t):
    """At many times it is the number of all of them together, which is right at the few that are compared."""
    return 2.0 if np.all((t > 0.41) & (t < 0.42)) else 1.0


def shared(t):
    """Right at each time, at many wrong: the largest of them decides."""
    return np.array([1.0 + np.max(t), 2.0])


@pytest.mark.parametrize(
    ("coefficient", "calls"),
    [
        (lambda t: TURN * (1 + t), 1),
        (lambda t: np.array([np.cos(t), 0.3 * np.sin(2 * t)]), 2),
        (lambda t: np.array([[np.exp(-t), t], [0 * t, 2 + t]]), 2),
        (lambda t: 1 + 0.5 * t, 1),
        (lambda t: TURN, None),
        (lambda t: np.diag([1 + t, 2.0]), None),
        (lambda t: np.array([1 + t, 2.0]), None),
        (stepped, None),
        (pulsed, None),
        (shared, None),
    ],
    ids=[
        "factor",
        "entries",
        "matrix of entries",
        "number",
        "still",
        "one number",
        "uneven",
        "branch",
        "pulse",
        "shared",
    ],
)
def test_many_times_give_what_each_gives(coefficient, calls):
    asked = []

    def counted(t):
        asked.append(t)
        return coefficient(t)

    found = _stacked(counted, TIMES)
    np.testing.assert_array_equal(found, np.array([coefficient(t) for t in TIMES.tolist()]))
    assert calls is None or len(asked) == 4 + calls
    assert calls is not None or len(asked) >= 4 + len(TIMES)


def test_jumps_are_found_with_and_without_arrays():
    """σ² over a jump of g from 1 to 2 at 0.37: 0.37 + 4·0.63, to rounding; the same breaks by either reading."""
    plain = mfg.Linear(np.zeros((2, 2)), stepped)
    arrays = mfg.Linear(np.zeros((2, 2)), lambda t: np.where(np.asarray(t) < 0.37, 1.0, 2.0))
    for process in (plain, arrays):
        law = process.transition(0.0, 1.0)
        np.testing.assert_allclose(law.covariance, (0.37 + 4 * 0.63) * np.eye(2), rtol=1e-12, atol=1e-15)

        def read(t, process=process):
            return _coefficients(process, t)

        one = breaks(read, 0.0, 1.0)
        assert one == breaks(read, 0.0, 1.0, lambda times, process=process: _many(process, times), finer=1)
        assert len(one) == 1
        assert one[0][0] <= 0.37 <= one[0][1]
