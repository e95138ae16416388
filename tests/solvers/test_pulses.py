"""Bounds where a drift is quick for a short time in a part of a box, or beyond it; and where it is no linear process's."""

from typing import Any

import numpy as np
import pytest
from scipy.linalg import solve_banded

import mfgpde as mfg
from mfgpde.processes.own_drift import linear_process_of
from mfgpde.solvers.reconstruction import Panels, Reconstruction

START = mfg.gaussian(0.0, 0.5)


def law(drift, noise, times, breaks=(), half=12.0, n=4800, steps=1200):
    """Crank and Nicolson's steps of Scharfetter and Gummel's fluxes, in boxes that hold the law: points and values."""
    edges = np.linspace(-half, half, n + 1)
    x, h = 0.5 * (edges[1:] + edges[:-1]), edges[1] - edges[0]
    p = START.density(x[:, None])
    ends = sorted({*times, *breaks})
    for a, b in zip(ends[:-1], ends[1:], strict=True):
        count = max(24, int(steps * (b - a) / (times[1] - times[0])))
        dt = (b - a) / count
        for k in range(count):
            t = a + (k + 0.5) * dt
            z = np.clip(drift(edges[1:-1, None], t)[:, 0] * h / noise(t), -400, 400)
            z = np.where(np.abs(z) < 1e-9, 1e-9, z)
            right, left = noise(t) / h**2 * np.array([z / -np.expm1(-z), z / np.expm1(z)])
            bands = np.zeros((3, n))
            bands[0, 1:], bands[2, :-1] = left, right
            bands[1, :-1] -= right
            bands[1, 1:] -= left
            moved = bands[1] * p
            moved[:-1] += bands[0, 1:] * p[1:]
            moved[1:] += bands[2, :-1] * p[:-1]
            table = -0.5 * dt * bands
            table[1] += 1
            p = solve_banded((1, 1), table, p + 0.5 * dt * moved)
    return x, p


def error(solution, x, p):
    """∫|p_h − p|, what is outside of the box included."""
    grid, u, dx = solution.discretisation.grid, np.zeros_like(x), x[1] - x[0]
    inside = (grid.lower[0] < x) & (x < grid.upper[0])
    at = Reconstruction(solution.discretisation, 0, False, (x[inside],), np.full(inside.sum(), dx), (np.zeros(1),))
    u[inside] = at.value(solution.fields[-1].values)
    return dx * float(np.abs(u - p).sum())


def solved(drift, noise, half, times=(0.0, 1.0), cells=96, **known):
    space: Any = mfg.FiniteVolume(mfg.CartesianGrid.cube(half, cells, 1))
    equation = mfg.FokkerPlanck(drift, noise, **known)
    return mfg.solve(equation, space, START, times, rtol=1e-4, largest_wall_mass=1.0, mass=None)


@pytest.mark.parametrize("seed", range(4))
def test_short_pulses_in_a_part_of_a_box_are_in_the_bound(seed):
    """A march reads a drift at three places of a box: none of these pulses acts there, and they move a tenth of the law."""
    rng = np.random.default_rng(seed)
    width = float(rng.uniform(1e-3, 2e-3))
    begins = np.sort(rng.uniform(0.2, 0.95, 1 + seed % 2))
    edge, size = float(rng.uniform(0.65, 0.8)), 1.3 / width

    def drift(x, t):
        on = float(np.any((begins < t) & (t < begins + width)))
        return -x + size * on * np.maximum(x - edge, 0) * np.sqrt(np.clip(edge + 1.5 - x, 0, 1))

    solution = solved(drift, lambda t: 0.5, 6.0)
    x, p = law(drift, lambda t: 0.5, (0.0, 1.0), (*begins, *(begins + width)))
    true = error(solution, x, p)
    assert true > 0.03
    assert true < solution.error_bound().value < 4 * true


def test_short_pulses_beyond_a_box_are_in_the_bound():
    """They carry off, three times, what has come out: more than stands there where they are not."""
    begins, width = np.array([0.15, 0.48, 0.81]), 2e-3

    def drift(x, t):
        on = float(np.any((begins < t) & (t < begins + width)))
        return -np.clip(x, -1.7, 1.7) + 800 * on * np.sign(x) * np.clip(np.abs(x) - 1.8, 0, 3)

    solution = solved(drift, lambda t: 0.5, 1.75)
    x, p = law(drift, lambda t: 0.5, (0.0, 1.0), (*begins, *(begins + width)), half=16.0)
    assert error(solution, x, p) < solution.error_bound().value


class Folded(mfg.OrnsteinUhlenbeck):
    """A process with two wells beside its linear drift."""

    def folded(self, x, t):
        """Return −x − 2 sin 2x."""
        return -x - 2 * np.sin(2 * x)


class Replaced(Folded):
    """One whose drift was replaced, and whose transition laws are those of the linear one."""

    def drift(self, x, t):
        """Return −x − 2 sin 2x."""
        return self.folded(x, t)


@pytest.mark.parametrize("half", [2.2, 5.0])
@pytest.mark.parametrize("drift", [Folded().folded, Replaced().drift], ids=["another method", "replaced"])
def test_a_drift_is_a_linear_one_only_where_it_is_the_process_s_own(drift, half):
    assert linear_process_of(drift) is None
    solution = solved(drift, drift.__self__.diffusivity, half, (0.0, 0.5), time_dependent=False)
    true = error(solution, *law(drift, lambda t: 0.5, (0.0, 0.5)))
    assert true < solution.error_bound().value < 3 * true


def test_a_linear_drift_beside_another_noise_has_that_noise_in_its_bound():
    """Of A x by numbers nothing moves; a D(t) of one's own does, and is no constant in time. N(0, v): v̇ = −2v + 2D."""
    process = mfg.Linear(np.array([[-1.0]]), 1.0)
    solution = solved(process.drift, lambda t: 0.5 + 0.4 * np.sin(4 * t), 6.0, divergence=process.divergence)
    sine = (2 * np.sin(4.0) - 4 * np.cos(4.0) + 4 * np.exp(-2.0)) / (4 + 16)
    end = mfg.gaussian(0.0, 0.5 * np.exp(-2.0) + 0.5 * (1 - np.exp(-2.0)) + 0.8 * sine)
    at = Reconstruction.on(
        solution.discretisation, (Panels(solution.discretisation.grid.edges[0], np.full(96, 6)),), 0, fall=False
    )
    true = at.norm(at.value(solution.fields[-1].values) - end.density(at.points))
    bound = solution.error_bound()
    assert true < bound.value < 4 * true
    assert bound.kind is mfg.Kind.BOUND
