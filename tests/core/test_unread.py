"""Functions that look at their time in any way are told from those that only hand it on."""

import math

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core import time_structure
from mfgpde.core.time_structure import scanned
from mfgpde.core.unread import reads_time
from mfgpde.solvers.structure import Structure


def swallowed(t):
    try:
        return 1.0 if t > 0.5 else 0.0
    except BaseException:
        return 0.0


READERS = {
    "adds": lambda t: 1 + t,
    "multiplies an array": lambda t: np.ones(3) * t,
    "compares": lambda t: 1.0 if t > 0.5 else 0.0,
    "is equal": lambda t: t == 0.5,
    "is true": lambda t: 1.0 if t else 0.0,
    "a function of numbers": lambda t: math.sin(t),
    "a function of arrays": lambda t: np.sin(t),
    "an array": lambda t: np.where(np.asarray(t) > 0.5, 1.0, 0.0),
    "broadcasts": lambda t: np.broadcast_to(t, 3),
    "asks for dimensions": lambda t: 0.0 if np.ndim(t) else 1.0,
    "asks what it is": lambda t: float(t) if isinstance(t, float | np.ndarray) else 0.0,
    "asks for an attribute": lambda t: getattr(t, "shape", 0.0),
    "looks it up": lambda t: {0.5: 1.0}.get(t, 0.0),
    "writes it": lambda t: len(f"{t}"),
    "hides it": swallowed,
    "fails": lambda t: 1 / 0,
}


@pytest.mark.parametrize("name", READERS)
def test_whatever_reads_a_time_is_seen(name):
    assert reads_time(READERS[name])


def test_what_hands_a_time_on_is_still():
    assert not reads_time(lambda t: (lambda x, s: x**2)(np.arange(3.0), t))
    assert not reads_time(lambda t: 0.5)


def test_an_interruption_is_none_of_its_business():
    def stopped(t):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reads_time(stopped)


def test_a_hamiltonian_that_is_still_is_asked_once_before_a_march_and_never_in_its_steps():
    """One that reads its time is read at 20 001 times, in blocks that a cache holds."""
    grid = mfg.CartesianGrid.cube(2.0, 16, 2)
    for driven in (False, True):
        asked = []

        def hamiltonian(x, p, t, driven=driven, asked=asked):
            H = np.sqrt(p[..., 0] ** 2 + p[..., 1] ** 2)
            H = (1 + t) * H if driven else H
            asked.append(H.size)
            return H

        found = Structure.of(mfg.HamiltonJacobiBellman(hamiltonian, lambda t: 0.0), grid, 0.0, 1.0)
        if driven:
            assert max(asked) <= 2001 * 49 * 3
            assert sorted(asked)[-60:-1] == [20001 // 59 * 49 * 3] * 59
            assert sum(asked) <= (2001 + 20001 + 100) * 49 * 3
            assert found.gap == pytest.approx(5e-5)
        else:
            assert sum(asked) <= 4 * 49 * 3  # and twice to learn how it takes points
            assert found.coefficients == ()
            assert found.said == ""
        before = len(asked)
        found.unseen(0.1, 0.01, 3)
        assert (len(asked) > before) == driven


def test_medians_are_counted_and_not_sorted(rng, monkeypatch):
    """What usual changes exceed is what their medians do, ties included; columns that stay are looked at no further."""
    for n in (40, 41):
        changes = rng.integers(0, 4, (n, 60)) / 2
        limits = rng.choice([0.25, 0.5, 0.75, 1.0], 60)
        each = [time_structure._usually_above(changes[:, k : k + 1], limits[k : k + 1]) for k in range(60)]
        np.testing.assert_array_equal(each, np.median(changes, axis=0) > limits)
        assert 0 < sum(each) < 60
    sizes = []
    median = np.median
    monkeypatch.setattr(np, "median", lambda a, *k, **o: sizes.append(np.size(a)) or median(a, *k, **o))
    still = np.linspace(0, 1, 100)
    found = scanned(lambda t: still, 0.0, 1.0, lambda times: np.broadcast_to(still, (len(times), 100)))
    assert found == ([], pytest.approx(5e-5), math.inf)
    assert sum(sizes) == 0
