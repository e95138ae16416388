"""`solve`: what it returns, what it refuses before the first step, what it keeps when it fails."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.errors import Status
from mfgpde.solvers import grid_of, load
from mfgpde.solvers.march import ROUNDING, _Record

PROCESS, DATA = mfg.OrnsteinUhlenbeck(), mfg.densities.bimodal(1)
FP = mfg.FokkerPlanck.of(PROCESS)
SPACE = mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, 100, 1))


def test_a_solution_carries_its_story(tmp_path):
    solution = mfg.solve(FP, SPACE, DATA, (0.0, 0.25, 0.5))
    assert solution.status is mfg.Status.DONE
    assert mfg.l1_distance(solution.at(0.5), mfg.marginal(PROCESS, DATA, 0.5)) < 3e-3  # h² with h = 0.1
    assert np.ptp(solution.conserved["mass"]) < 1e-13
    assert solution.cost["steps"] > 0
    with pytest.raises(KeyError, match=r"stored times: 0, 0\.25, 0\.5"):
        solution.at(0.3)
    path = solution.save(tmp_path / "p.nc")
    array = load(path)
    assert array.dims == ("time", "x")
    np.testing.assert_array_equal(array.sel(time=0.5).values, solution.at(0.5).values)
    assert grid_of(array) == SPACE.grid
    assert [p.name for p in tmp_path.iterdir()] == ["p.nc"]


def test_vector_solutions_have_components():
    solution = mfg.solve(mfg.ScoreFokkerPlanck.of(PROCESS), SPACE, DATA, (0.0, 0.1))
    assert solution.to_xarray().dims == ("time", "x", "component")


def test_refinement_in_time_reaches_the_tolerance():
    """A tenth of the tolerance gives about a tenth of the error: second order, local error per step."""
    reference = mfg.solve(FP, SPACE, DATA, (0.0, 0.5), rtol=1e-10).at(0.5).values
    errors = [
        np.abs(mfg.solve(FP, SPACE, DATA, (0.0, 0.5), rtol=r).at(0.5).values - reference).max() for r in (1e-5, 1e-7)
    ]
    assert errors[0] < 20 * 1e-5  # the per-step tolerance, summed over the steps in which the solution changes
    assert 5 < errors[0] / errors[1] < 500


@pytest.mark.parametrize(
    "integrator",
    [
        mfg.integrators.TRBDF2(),
        mfg.integrators.BackwardEuler(),
        mfg.integrators.SSPRK43(),
        mfg.integrators.RungeKuttaChebyshev(damping=5.0),
    ],
)
def test_integrators_agree(integrator):
    rtol = 1e-5 if integrator.order == 1 else 1e-7
    field = mfg.solve(FP, SPACE, DATA, (0.0, 0.3), integrator=integrator, rtol=rtol).at(0.3)
    reference = mfg.solve(FP, SPACE, DATA, (0.0, 0.3), rtol=1e-9).at(0.3)
    assert mfg.l1_distance(field, reference) < (3e-3 if integrator.order == 1 else 1e-5)


def test_a_field_restarts_a_solve():
    once = mfg.solve(FP, SPACE, DATA, (0.0, 0.2, 0.4), rtol=1e-8)
    again = mfg.solve(FP, SPACE, once.at(0.2), (0.2, 0.4), rtol=1e-8)
    np.testing.assert_allclose(again.at(0.4).values, once.at(0.4).values, atol=1e-6)


@pytest.mark.slow
def test_error_estimates_are_calibrated():
    """For random mixtures the estimated L¹ error holds the truth, and is not ten times larger, in ≥ 95 of 100 cases."""
    rng, inside, tight = np.random.default_rng(1), 0, 0
    for _ in range(100):
        means, variances = rng.uniform(-1.5, 1.5, (3, 1)), rng.uniform(0.1, 0.5, 3)
        data = mfg.GaussianMixture(rng.dirichlet(np.ones(3)), means, variances)
        space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 96, 1))
        found = mfg.solve_with_error(FP, space, data, (0.0, 0.3))
        estimate, truth = found.l1(0.3), mfg.l1_distance(found.solution.at(0.3), mfg.marginal(PROCESS, data, 0.3))
        inside, tight = inside + (truth in estimate), tight + (estimate.upper <= 10 * truth)
    assert inside >= 95
    assert tight >= 95


REFUSED = [
    ("times unsorted", dict(times=(0.0, 0.5, 0.3)), "strictly increasing"),
    ("times beyond the horizon", dict(times=(0.0, 2.0)), "horizon"),
    ("one time", dict(times=(0.5,)), "at least one later time"),
    ("times not finite", dict(times=(0.0, np.nan)), "finite"),
    ("NaN", dict(initial=lambda x: np.where(x[..., 0] > 1, np.nan, 1.0)), "nan at array index"),
    ("negative", dict(initial=lambda x: np.exp(-(x[..., 0] ** 2)) - 0.01), "negative"),
    ("zero", dict(initial=lambda x: 0 * x[..., 0]), "zero everywhere"),
    ("wrong shape", dict(initial=lambda x: np.exp(-x * x)), r"shape \(100,\)"),
    ("complex", dict(initial=lambda x: np.exp(-(x[..., 0] ** 2) + 0j)), "real numbers"),
    ("not callable", dict(initial=3.0), "Density, a Field or a function"),
    ("mass at the wall", dict(initial=mfg.gaussian(4.0, 0.5)), r"a box from \(-0\.3.*\) to \(8\.\d+\) would do"),
    ("mass at the wall, function", dict(initial=lambda x: np.exp(-(x[..., 0] ** 2) / 8)), "would do"),
    ("no diffusivity", dict(equation=mfg.FokkerPlanck(PROCESS.drift, lambda t: 0.0)), "use Continuity"),
    (
        "negative diffusivity",
        dict(equation=mfg.FokkerPlanck(PROCESS.drift, lambda t: 0.1 - t)),
        r"positive number, got -0\.15 at t = 0\.25",
    ),
    (
        "drift of wrong shape",
        dict(equation=mfg.FokkerPlanck(lambda x, t: -x[..., 0], lambda t: 0.5)),
        "the drift at t = 0 must return",
    ),
    (
        "drift with NaN",
        dict(equation=mfg.FokkerPlanck(lambda x, t: np.where(x > 2, np.nan, -x), lambda t: 0.5)),
        "the drift at t = 0 returned nan",
    ),
    ("density for HJB", dict(equation=mfg.HamiltonJacobiBellman.of(PROCESS)), "starts from a function"),
]


@pytest.mark.parametrize(("arguments", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_bad_input_is_refused_before_the_first_step(arguments, message):
    chosen = {"equation": FP, "discretisation": SPACE, "initial": DATA, "times": (0.0, 0.5), **arguments}
    with pytest.raises((ValueError, TypeError), match=message):
        mfg.solve(**chosen)


def test_mass_that_reaches_the_wall_later_ends_the_solve_and_keeps_the_rest():
    spreading = mfg.FokkerPlanck.of(mfg.Brownian(scale=3.0, horizon=2.0))
    with pytest.raises(mfg.NotConverged, match=r"mass reached the wall.*a box from") as caught:
        mfg.solve(spreading, SPACE, DATA, (0.0, 0.05, 2.0))
    partial = caught.value.partial
    assert partial.status is mfg.Status.MASS_AT_WALL
    assert len(partial.fields) == 3
    reflected = mfg.solve(spreading, mfg.FiniteVolume(SPACE.grid, walls="reflecting"), DATA, (0.0, 2.0))
    assert abs(reflected.conserved["mass"][-1] - reflected.conserved["mass"][0]) < 1e-12


def test_an_exploding_solution_is_not_converged():
    false = mfg.HamiltonJacobiBellman(lambda x, p, t: -(p[..., 0] ** 4) - x[..., 0] ** 4, lambda t: 0.1)
    with pytest.raises(mfg.NotConverged) as caught:
        mfg.solve(false, SPACE, lambda x: np.cos(x[..., 0]), (0.0, 5.0), max_steps=20_000)
    assert caught.value.partial.status in (mfg.Status.STEP_TOO_SMALL, mfg.Status.TOO_MANY_STEPS)
    assert len(caught.value.partial.fields) == 1


def test_the_step_budget_is_kept():
    solution = mfg.solve(FP, SPACE, DATA, (0.0, 0.5), max_steps=3, throw=False)
    assert solution.status is mfg.Status.TOO_MANY_STEPS


def test_progress_is_shown(capsys):
    mfg.solve(FP, SPACE, DATA, (0.0, 0.1), progress=True)
    assert capsys.readouterr().out == "", "progress goes to standard error"


def test_sub_variance_preserving_starts_at_vanishing_diffusivity():
    process = mfg.SubVariancePreserving()
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 200, 1))
    end = mfg.solve(mfg.FokkerPlanck.of(process), space, DATA, (0.0, 0.5)).at(0.5)
    assert (
        mfg.l1_distance(end, mfg.marginal(process, DATA, 0.5)) < 2e-2
    )  # upwind where D vanishes: first order at first


def test_what_the_last_time_says_is_judged_by_the_last_time():
    """Mass that moved by more than roundings; mass at a wall, or ripples without it; what lies on a limit is within."""
    grid = mfg.CartesianGrid.cube(1.0, 8, 1)
    inner = np.array([0.0, 0.0, 1.0, 2.0, 2.0, 1.0, 0.0, 0.0])

    def record(values, mass=(2.0, 2.5, 2.0), density=True, is_open=False):
        one = _Record(mfg.FiniteVolume(grid), density, True, is_open, None)
        for t, (m, v) in enumerate(zip(mass, (inner + 1, -inner, values), strict=True)):
            one.add(float(t), v, m)
        return one

    assert record(inner).status(0, 1e-6) is Status.DONE
    least, step = ROUNDING
    for steps, moved in ((0, 2 * least), (1000, 2 * (least + 1000 * step))):
        assert record(inner, (2.0, 2.5, 2.0 + 0.9 * moved)).status(steps, 1e-6) is Status.DONE
        for sign in (-1, 1):
            assert record(inner, (2.0, 2.5, 2.0 + sign * 1.1 * moved)).status(steps, 1e-6) is Status.MASS_MOVED
        assert record(inner, (2.0, 2.5, 2.0 + 2 * moved), density=False).status(steps, 1e-6) is Status.DONE
        assert record(inner, (2.0, 2.5, 2.0 - 2 * moved), is_open=True).status(steps, 1e-6) is Status.DONE
    edge = inner + np.array([0.5] + 7 * [0.0])
    share = 0.5 / edge.sum()
    assert record(edge).conserved["wall"][-1] == share
    assert record(edge).status(0, share) is Status.DONE
    assert record(edge).status(0, 0.99 * share) is Status.MASS_AT_WALL
    ripple = inner + np.array([0.02, -0.02] + 6 * [0.0])  # as deep as what is at the wall is high
    assert record(ripple).status(0, 1e-3) is Status.UNRESOLVED
    assert record(ripple + np.array([1.0] + 7 * [0.0])).status(0, 1e-3) is Status.MASS_AT_WALL
    shallow, deep = (np.array([0.3, 0.0, -dip, 2.0, 2.0, 1.0, 0.0, 0.0]) for dip in (0.015, 0.03))
    assert record(shallow).status(0, 1e-2) is Status.MASS_AT_WALL  # a ripple is deeper than the limit allows of the top
    assert record(deep).status(0, 1e-2) is Status.UNRESOLVED
