"""Error bars on trial: the truth lies inside, and the bar is not ten times too large."""

import numpy as np
import pytest

import mfgpde as mfg

FLOOR = 3e-6  # what stepping with rtol = 1e-6 leaves in a quantity of size 1
PROCESS = mfg.OrnsteinUhlenbeck()
FP = mfg.FokkerPlanck.of(PROCESS)


def random_case(rng):
    """Return a random mixture and E cos(kX + a) under its law at t = 0.3, in closed form."""
    data = mfg.GaussianMixture(rng.dirichlet(np.ones(3)), rng.uniform(-1.5, 1.5, (3, 1)), rng.uniform(0.1, 0.5, 3))
    k, a = rng.uniform(0.3, 2.0), rng.uniform(0, 2 * np.pi)
    law = mfg.marginal(PROCESS, data, 0.3)
    m, v = law.means[:, 0], law.covariances[:, 0, 0]
    return data, k, a, float(np.sum(law.weights * np.cos(k * m + a) * np.exp(-0.5 * k**2 * v)))


@pytest.mark.slow
@pytest.mark.parametrize("order", [2, 4])
def test_error_bars_are_calibrated(order):
    rng, inside, tight = np.random.default_rng(7), 0, 0
    for _ in range(60):
        data, k, a, truth = random_case(rng)

        def quantity(space, data=data, k=k, a=a):
            field = mfg.solve(FP, space, data, (0.0, 0.3), rtol=1e-6).at(0.3)
            return field.expectation(lambda x: np.cos(k * x[..., 0] + a))

        space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 32 if order == 4 else 48, 1), order=order)
        limit = mfg.converge(quantity, space, floor=FLOOR).limit
        inside += truth in limit
        tight += (
            limit.half_width <= 10 * abs(limit.value - truth) + 3 * FLOOR
        )  # an error may vanish by luck; the floor stays
    assert inside >= 57  # 95 of 100
    assert tight >= 57


def test_ladders_on_synthetic_sequences(rng):
    """For q + a h² + b h⁴ with random coefficients: the limit holds q in at least 95 of 100, the order is seen."""
    inside = 0
    for _ in range(100):
        q, a, b = rng.normal(), rng.normal(), 0.3 * rng.normal()
        h = 0.25 * 0.5 ** np.arange(3)
        ladder = mfg.solvers.Ladder((8, 16, 32), tuple(q + a * h**2 + b * h**4), 2, 0.0)
        inside += q in ladder.limit
    assert inside >= 95
    h = 0.1 * 0.5 ** np.arange(4)
    assert 2.0 in mfg.solvers.Ladder((8, 16, 32, 64), tuple(3 + h**2 + h**3), 2, 0.0).order
    assert 2.0 in mfg.solvers.Ladder((8, 16, 32, 64), tuple(3 + h**2 + h**3), 2, 0.0).order_to(3.0)


def limit(values, theory=2.0, **beside):
    return mfg.solvers.Ladder((8, 16, 32), values, theory, 0.0, mfg.solvers.Beside(**beside)).limit


def test_outside_the_asymptotic_range_the_bar_is_the_largest_change():
    found = limit((1.0, 0.5, 0.45))
    assert found.value == 0.45
    assert found.half_width == pytest.approx(0.125)  # a quarter of the change before
    assert limit((1.0, 0.5, 0.9)).half_width >= 0.4
    assert limit((1.0, 0.5, 0.5)).half_width >= 0.1, "two equal rungs are no proof"
    assert "not asymptotic" in found.method


@pytest.mark.parametrize("theory", [1.0, 2.0, 4.0])
def test_a_power_that_is_not_the_theory_is_in_the_bar(theory, rng):
    """For q + a h^s, s within ½ of theory, Richardson's value is wrong by up to 3.6 of the next order's bar."""
    h = 0.5 ** np.arange(3)
    for s in theory + rng.uniform(-0.49, 0.49, 50):
        q, a = rng.normal(size=2)
        assert q in limit(tuple(q + a * h**s), theory)


def test_constants_of_random_sign_are_seen_from_grids_beside(rng):
    """Errors c_k h_k², c_k normal, as of a jump at random places between faces: the grids beside draw theirs too."""
    inside = 0
    for _ in range(400):
        h, c = np.array([1, 0.5, 0.25, 2 / 3, 0.5]), rng.normal(size=5)
        first, second, last, off, again = c * h**2
        inside += 0.0 in limit((first, second, last), between=(12, off), moved=abs(again - second))
    assert inside >= 392, "98 of 100"


def test_what_a_quantity_owes_to_anything_but_cells_is_in_its_bar():
    smooth = (1.04, 1.01, 1.0025)
    for beside in ({"sharpened": 0.01}, {"widened": 0.01}, {"moved": 0.1}):
        assert limit(smooth, **beside).half_width > 0.02 + limit(smooth).half_width
    assert limit(smooth, limited=True).half_width > 5 * limit(smooth).half_width
    assert "limiters" in limit(smooth, limited=True).method


def test_ladders_see_tolerances_nodes_boxes_and_places():
    """A quantity that is wrong in one of them only, the same on all grids, has it in its bar."""
    from mfgpde.core.accuracy import tolerance

    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(3.0, 12, 1))

    def by_nodes(space):
        times, weights = mfg.solvers.time_rule(0.0, 1.0, 5)
        return float(weights @ np.cos(9 * times))

    wrong = (
        lambda s: tolerance(1e-2),
        by_nodes,
        lambda s: np.arctan(s.grid.upper[0] - s.grid.lower[0]),
        lambda s: np.sin(40 * s.grid.lower[0] / s.grid.spacing[0] / 12),
    )
    truths = (0.0, np.sin(9) / 9, np.pi / 2, None)
    for quantity, truth in zip(wrong, truths, strict=True):
        found = mfg.converge(quantity, space).limit
        assert found.half_width > 1e-3
        assert truth is None or truth in found


def test_a_false_equation_does_not_converge_to_the_truth():
    """Twice the diffusivity converges too, to something else: the bar does not reach the truth."""
    data = mfg.densities.bimodal(1)
    false = mfg.FokkerPlanck(PROCESS.drift, lambda t: 2 * PROCESS.diffusivity(t), False)

    def distance(space):
        return mfg.l1_distance(mfg.solve(false, space, data, (0.0, 0.3)).at(0.3), mfg.marginal(PROCESS, data, 0.3))

    assert mfg.converge(distance, mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 48, 1))).limit.lower > 0.1


def test_too_few_levels_are_refused():
    with pytest.raises(ValueError, match="at least three"):
        mfg.converge(lambda space: 1.0, mfg.FiniteVolume(mfg.CartesianGrid.cube(1.0, 8, 1)), levels=2)
    with pytest.raises(ValueError, match="non-zero"):
        mfg.observed_order([1.0, 0.0])


def test_characteristics_carry_the_exact_density(rng):
    process, data = mfg.VariancePreserving(), mfg.densities.bimodal(2)
    score = mfg.ExactScore(process, data)
    flow, x = mfg.Continuity.probability_flow(process, score), rng.normal(size=(30, 2))
    got = mfg.solvers.log_density(flow, score.at(0.05).log_density, x, 0.05, 0.9)
    np.testing.assert_allclose(got, score.potential(x, 0.9), atol=1e-8)  # rtol 1e-10 over a stretch of about e^5
    there, _ = mfg.solvers.flow(flow, x, 0.05, 0.9)
    back, _ = mfg.solvers.flow(flow, there, 0.9, 0.05)
    np.testing.assert_allclose(back, x, atol=1e-7)
    with pytest.raises(ValueError, match=r"nothing|divergence"):
        mfg.solvers.flow(mfg.Continuity(flow.velocity), x, 0.0, 0.1)


def test_tabulated_fields_are_the_fields():
    score = mfg.ExactScore(PROCESS, mfg.densities.bimodal(2))
    table, grid = mfg.scores.Tabulated(score, 0.1, 1.0), mfg.CartesianGrid.cube(4.0, 16, 2)
    for t in (0.1, 0.237, 0.8, 1.0):
        np.testing.assert_allclose(table(grid.points, t), score(grid.points, t), atol=1e-8)
    with pytest.raises(ValueError, match="asked at t = 2"):
        table(grid.points, 2.0)
    with pytest.raises(ValueError, match="not resolved"):
        mfg.scores.Tabulated(lambda x, t: np.sin(1e4 * t) * x, 0.0, 1.0)(grid.points, 0.5)


@pytest.mark.parametrize("asked", [2, 3, 5, 9, 17])
@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (-1.5, 2.0), (3.0, 3.0 + 1e-9), (0.0, 2.7e9)])
def test_nodes_in_time_are_exact_for_polynomials_on_any_interval(asked, start, end):
    times, weights = mfg.solvers.time_rule(start, end, asked)
    assert (times[0], times[-1]) == (start, end)
    assert (np.diff(times) > 0).all()
    for degree in range(asked):
        share = (times - start) / (end - start)
        assert float(weights @ share**degree) == pytest.approx((end - start) / (degree + 1), rel=1e-7)


def test_ladders_know_of_cells_that_are_steep_beside_their_noise():
    """A drift, and a noise that coarse cells do not see: an order between one and two, and the truth inside."""
    mean, law = 0.3 + 0.5, mfg.gaussian(0.3, 0.25)

    def variance(space):
        equation = mfg.FokkerPlanck(lambda x, t: np.full_like(x, 1.0), lambda t: 0.01, time_dependent=False)
        found = mfg.solve(equation, space, law, (0.0, 0.5), rtol=1e-8).at(0.5)
        return found.expectation(lambda x: (x[..., 0] - mean) ** 2)

    space = mfg.FiniteVolume(mfg.CartesianGrid((-4.0,), (5.0,), (48,)))
    ladder = mfg.converge(variance, space)
    assert ladder.beside.steep
    assert 0.25 + 2 * 0.01 * 0.5 in ladder.limit
    wide = mfg.converge(lambda one: float(one.grid.integrate(one.grid.points[..., 0] ** 2)), space)
    assert not wide.beside.steep


@pytest.mark.parametrize("cells", [5, 12, 31])
@pytest.mark.parametrize(
    ("f", "truth"),
    [(np.log, -1.0), *((lambda x, r=r: x**r, 1 / (1 + r)) for r in (-0.8, -0.5, -0.1))],
    ids=["log x", "x^−0.8", "x^−0.5", "x^−0.1"],
)
def test_orders_of_one_and_less(cells, f, truth):
    """Midpoint sums beside a pole are off by a power h^(1 + r) ≤ h of which the last change is not half: 2^(1 + r) ≤ 2."""
    space = mfg.FiniteVolume(mfg.CartesianGrid((0.0,), (1.0,), (cells,)), walls="reflecting")
    limit = mfg.converge(lambda s: float(s.grid.integrate(f(s.grid.points[..., 0]))), space).limit
    assert truth in limit
    assert limit.half_width < 2 * abs(limit.value - truth)
