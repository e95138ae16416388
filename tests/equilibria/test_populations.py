"""Two populations: linear-quadratic ones follow coupled Riccati equations at order two; regrets, tori, what is wrong."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import mfgpde as mfg
from mfgpde.calibration.regrets import regrets
from mfgpde.equilibria import populations

PULL, GOAL, WANT = np.array([0.8, 1.5]), np.array([0.6, -0.8]), np.array([2.0, 1.0])
START, SPREAD, KAPPA, T = np.array([-0.7, 0.5]), np.array([0.2, 0.3]), np.array([0.3, 0.4]), 1.0


def riccati(pull=PULL):
    """Return means and variances at T: each pays ½c|x − m_other|² per time and ½q|x − goal|² at the end.

    U_i = ½P_i x² + r_i x + …: −Ṗ = c − P², −ṙ = −P r − c m_other, ṁ = −P m − r, σ̇² = −2Pσ² + 2κ; linear in (m, r), shot at.
    """
    P = solve_ivp(lambda s, p: pull - p * p, (0, T), WANT, rtol=1e-11, atol=1e-12, dense_output=True).sol

    def rate(t, y):
        p = P(T - t)
        return np.concatenate((-p * y[:2] - y[2:], p * y[2:] + pull * y[1::-1]))

    def end(r):
        return solve_ivp(rate, (0, T), np.concatenate((START, r)), rtol=1e-11, atol=1e-12).y[:, -1]

    base = end(np.zeros(2))
    slope = np.stack([end(e)[2:] - base[2:] for e in np.eye(2)], axis=1)
    means = end(np.linalg.solve(slope, -WANT * GOAL - base[2:]))[:2]
    return means, solve_ivp(lambda t, v: -2 * P(T - t) * v + 2 * KAPPA, (0, T), SPREAD, rtol=1e-11).y[:, -1]


GAMES = [
    mfg.MeanFieldGame(
        mfg.gaussian(START[i], SPREAD[i]),
        mfg.games.Potential(lambda x, t, i=i: 0.5 * WANT[i] * (x[..., 0] - GOAL[i]) ** 2),
        T,
        KAPPA[i],
    )
    for i in (0, 1)
]


def towards(i):
    def charge(x, t, laws):
        return 0.5 * PULL[i] * (x[..., 0] - laws[1 - i].expectation(lambda y: y[..., 0])) ** 2

    return charge


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "cells", "tolerance"),
    [
        ("entropic", (48, 96, 192), 1e-7),
        ("newton", (96, 192), 1e-7),
        pytest.param("primal-dual", (48, 96), 1e-3, marks=pytest.mark.slow),
    ],
)
def test_coupled_riccati_equations_at_order_two(method, cells, tolerance):
    means, variances = riccati()
    errors = []
    for n in cells:
        # the gap of 1e-4 of the game's unit falls as 1/k² in the end: 3000 leave 2.4e-4 on 96 cells, 3950 reach 1.6e-4
        options = {"iterations": 6000} if method == "primal-dual" else {}
        found = populations(
            GAMES, [towards(0), towards(1)], mfg.CartesianGrid.cube(5.0, n, 1), steps=n // 6, method=method,
            tolerance=tolerance, **options,
        )  # fmt: skip
        assert found.converged
        assert found.residual <= tolerance
        assert len(found.history) < 12
        laws = [one.density() for one in found.equilibria]
        m = np.array([law.expectation(lambda y: y[..., 0]) for law in laws])
        v = np.array([law.expectation(lambda y: y[..., 0] ** 2) for law in laws]) - m**2
        errors.append(float(np.abs(np.concatenate((m - means, v - variances))).max()))
        assert max(one.upper for one in found.regrets) < (1e-6 if tolerance < 1e-6 else 1e-3)
        assert all(" at the discrete problem of " in str(one) for one in found.regrets)
    assert errors[-1] < (4e-3 if method == "primal-dual" else 1e-3)
    assert np.log2(errors[-2] / errors[-1]) == pytest.approx(2.0, abs=0.15), errors
    assert abs(riccati(0 * PULL)[0] - means).max() > 8 * errors[-1]  # strangers end elsewhere


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "order"), [({}, 2), ({"method": "newton"}, 2), ({"method": "newton", "order": 1}, 1)]
)
def test_regrets_of_populations_that_are_not_at_rest_are_those_of_riccati_equations(options, order):
    """What either could save after one and two answers: between primal and dual to rounding, right to the order."""
    for rounds in (1, 2):
        truth, off = regrets(START, GOAL, PULL, WANT, T, rounds), []
        for cells in (96, 192):
            with pytest.warns(UserWarning, match=f"not at rest after {rounds} rounds"):
                found = populations(
                    GAMES, [towards(0), towards(1)], mfg.CartesianGrid.cube(5.0, cells, 1), steps=cells // 6,
                    rounds=rounds, **{"method": "entropic", **options},
                )  # fmt: skip
            assert not found.converged
            assert "converged no" in repr(found)
            assert max(one.half_width for one in found.regrets) < 1e-11
            off.append(np.abs([one.value for one in found.regrets] - truth) / truth)
        assert off[1].max() < (0.01 if order == 2 else 0.05)
        assert np.log2(off[0] / off[1]) == pytest.approx(order, abs=0.35)


@pytest.mark.slow
def test_regrets_under_a_discount_and_by_primal_dual_steps():
    """A charge that is the same for all places and laws but for a constant saves nothing; a discount weighs the rest."""
    with pytest.warns(UserWarning, match="not at rest"):
        found = populations(
            GAMES, [towards(0), towards(1)], mfg.CartesianGrid.cube(5.0, 48, 1), steps=8, rounds=1,
            method="primal-dual", iterations=3000,
        )  # fmt: skip
    truth = regrets(START, GOAL, PULL, WANT, T, 1)
    assert [one.value for one in found.regrets] == pytest.approx(truth.tolist(), rel=0.03)
    assert max(one.half_width / one.value for one in found.regrets) < 0.02

    def mass(k):
        return lambda x, t, laws: np.full(x.shape[:-1], np.exp(-t) * laws[1 - k].expectation(lambda y: y[..., 0]))

    with pytest.warns(UserWarning, match="not at rest"):
        found = populations(
            [replace(game, discount=0.7) for game in GAMES], [mass(0), mass(1)], mfg.CartesianGrid.cube(5.0, 48, 1),
            steps=24, rounds=1, method="newton", order=1,
        )  # fmt: skip
    assert max(one.upper for one in found.regrets) < 1e-9


def test_populations_on_a_circle_see_each_other_round_the_corner():
    """Mirror images of each other: what is turned by π is the same equilibrium."""
    grid = mfg.CartesianGrid((0.0,), (2 * np.pi,), (48,), (True,))
    laws = [mfg.gaussian(0.3, 0.2), mfg.gaussian(0.3 + np.pi, 0.2)]
    still = mfg.games.Potential(lambda x, t: 0 * x[..., 0])
    games = [mfg.MeanFieldGame(law, still, 0.8, 0.3) for law in laws]

    def company(k):
        return lambda x, t, laws: 2.0 * np.fft.irfft(
            np.fft.rfft(laws[1 - k].values) * np.fft.rfft(np.exp(np.cos(grid.axes[0] - grid.axes[0][0])))
        ) * grid.spacing[0]  # fmt: skip

    found = populations(games, [company(0), company(1)], grid, steps=8, tolerance=1e-8)
    first, second = (one.densities for one in found.equilibria)
    np.testing.assert_allclose(np.roll(first, 24, axis=-1), second, atol=1e-7)
    assert found.converged


def test_what_populations_need_is_said():
    grid, other = mfg.CartesianGrid.cube(3.0, 16, 1), mfg.MeanFieldGame(GAMES[0].initial, GAMES[0].terminal, 2.0, 0.3)
    with pytest.raises(ValueError, match="two games or more, a charge for each"):
        populations(GAMES, [towards(0)], grid)
    with pytest.raises(ValueError, match="over one horizon, got 1, 2"):
        populations([GAMES[0], other], [towards(0), towards(1)], grid)
    with pytest.raises(ValueError, match="charge 1 must return finite values of shape"):
        populations(GAMES, [towards(0), lambda x, t, laws: np.full(3, np.nan)], grid)


@pytest.mark.parametrize("d", [1, 2])
def test_how_far_a_best_response_moves_is_an_integral_over_the_box(d):
    """After one round: the largest over time and populations of ∫|answer − start|, the start held still."""
    grid = mfg.CartesianGrid.cube(3.0, (24, 16)[d - 1], d)
    games = [
        mfg.MeanFieldGame(
            mfg.gaussian(np.full(d, m), 0.4 * np.eye(d)),
            mfg.games.Potential(lambda x, t, m=m: (x[..., 0] + m) ** 2),
            0.8,
            0.3,
        )
        for m in (0.5, -0.3)
    ]
    with pytest.warns(UserWarning, match="not at rest"):
        found = populations(games, [lambda x, t, laws: 0 * x[..., 0]] * 2, grid, steps=4, rounds=1)
    moved = []
    for game, one in zip(games, found.equilibria, strict=True):
        still = mfg.densities.cell_means(lambda x, law=game.initial: np.exp(law.log_density(x)), grid)
        moved += [grid.integrate(np.abs(later - still)) for later in one.densities]
    assert found.residual == pytest.approx(max(moved), rel=1e-12)
    assert found.history == (found.residual,)
    assert 0.2 < found.residual < 2.0


@pytest.mark.parametrize("horizons", [(1.0, 0.5), (0.5, 1.0), (1.0, 1.0, 0.5)])
def test_every_population_plays_as_long(horizons):
    grid = mfg.CartesianGrid.cube(3.0, 16, 1)
    games = [mfg.MeanFieldGame(GAMES[0].initial, GAMES[0].terminal, T, 0.3) for T in horizons]
    with pytest.raises(ValueError, match="over one horizon, got " + ", ".join(f"{T:g}" for T in horizons)):
        populations(games, [towards(0)] * len(games), grid)
    with pytest.raises(ValueError, match="two games or more, a charge for each, got 1 and 1"):
        populations(games[:1], [towards(0)], grid)
