"""Certificates in one dimension against closed forms: what is right lies in the bars, what is wrong is said."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import mfgpde as mfg
from mfgpde.calibration.certificates import distances, generated
from mfgpde.densities import gaussian
from mfgpde.diagnostics import certificate
from mfgpde.diagnostics.certificate import BARS, certify
from mfgpde.diagnostics.compared import Law, compared, w2_entry
from mfgpde.diagnostics.data import Named, Sampled
from mfgpde.diagnostics.guaranteed import Owed

OU = mfg.OrnsteinUhlenbeck(horizon=5.0)
STOP = 0.05


def holds(entry, truth):
    return entry.half_width is not None and abs(entry.value - truth) <= entry.half_width


def l1_of_gaussians(m, v, n, w):
    """Return ∫|N(m, v) − N(n, w)| by quadrature."""
    x = np.linspace(-12, 12, 40_001)[:, None]
    p, q = (np.exp(gaussian(np.array([a]), np.array([[b]])).log_density(x)) for a, b in ((m, v), (n, w)))
    return np.trapezoid(np.abs(p - q), x[:, 0])


def kl_of_gaussians(v, w):
    return 0.5 * (v / w - 1 - np.log(v / w))


def slope(t):
    """Return A(t) of the linear score −A(t)x of K2."""
    return (1 + 0.3 * np.exp(-2 * t)) / (0.3 * np.exp(-2 * t) + 0.5 * (1 - np.exp(-2 * t)))


@pytest.fixture(scope="module")
def linear():
    def potential(x, t):
        fall = jnp.exp(-2 * t)
        return -0.5 * (1 + 0.3 * fall) * jnp.sum(x**2) / (0.3 * fall + 0.5 * (1 - fall))

    process = mfg.OrnsteinUhlenbeck(horizon=10.0)
    return certify(process, mfg.JaxScore(potential, dimension=1), mfg.CartesianGrid.cube(3.0, 96, 1), stop=1e-3)


@pytest.fixture(scope="module")
def variances():
    """Return those of both laws, Gaussians under a linear score: dv/du = 2(1 − A)v + 1 and 2(1 − A/2)v."""

    def rate(u, v):
        A = slope(10 - u)
        return [2 * (1 - A) * v[0] + 1, 2 * (1 - 0.5 * A) * v[1]]

    return solve_ivp(rate, (0, 10 - 1e-3), [0.5, 0.5], rtol=1e-11, atol=1e-13).y[:, -1]


def test_distances_of_ode_and_sde_lie_in_their_bars(linear, variances):
    """K2: bars that do not hold the error of the time steps miss all of these."""
    sde, ode = variances
    pair = linear.measured["distances"]["ode–sde"]
    assert holds(pair["L1"], l1_of_gaussians(0, sde, 0, ode))
    assert holds(pair["W2"], abs(np.sqrt(sde) - np.sqrt(ode)))
    assert holds(pair["KL(sde‖ode)"], kl_of_gaussians(sde, ode))
    assert pair["L1"].half_width < 0.2 * pair["L1"].value
    assert pair["W2"].parts["grid and time steps"] > 0


def test_the_model_compares_as_means_over_cells(linear, variances):
    """K9: e^φ is N(0, 1/A(stop)), its distances from the flow's law known to two per cent."""
    model = 1 / slope(1e-3)
    pair = linear.measured["distances"]["ode–e^φ"]
    for entry, truth in (
        (pair["W2"], abs(np.sqrt(model) - np.sqrt(variances[1]))),
        (pair["L1"], l1_of_gaussians(0, model, 0, variances[1])),
        (pair["KL(ode‖e^φ)"], kl_of_gaussians(variances[1], model)),
    ):
        assert holds(entry, truth)
        assert entry.half_width < 0.03 * truth


def test_a_divergence_into_tails_that_are_lost_is_a_lower_bound(linear, variances):
    """The flow has mass where the SDE's density is below what steps of that tolerance resolve."""
    one = linear.measured["distances"]["ode–sde"]["KL(ode‖sde)"]
    truth = kl_of_gaussians(variances[1], variances[0])
    assert holds(one, truth) or (one.half_width is None and 0.5 * truth < one.value < 1.3 * truth)


def exact(law, process=OU):
    return mfg.ExactScore(process, law)


@pytest.mark.slow
def test_samples_are_noised_like_a_named_law():
    """H8: at stop = 0.5 samples without its noise would be W2 = 0.33 off; with it they are what is named."""
    law, grid = gaussian(np.zeros(1), np.array([[0.04]])), mfg.CartesianGrid.cube(4.0, 96, 1)
    samples = law.sample(20_000, np.random.default_rng(0))
    stop = 0.5
    named, known = Named.stopped(OU, law, stop), Sampled.stopped(OU, samples, stop)
    by_name, by_samples = (certify(OU, exact(law), grid, data=one, stop=stop) for one in (named, known))
    v, last = 0.5 - 0.46 * np.exp(-2 * stop), 0.5 - 0.46 * np.exp(-2 * OU.horizon)
    longer = v * 0.5 / last  # the flow scales: from the prior's variance in place of p_T's
    truth = {"W2": np.sqrt(longer) - np.sqrt(v), "L1": l1_of_gaussians(0.0, v, 0.0, longer)}
    for pair in ("ode–data", "sde–data"):
        for measure in ("W2", "L1"):
            right = truth[measure] if pair == "ode–data" else 0.0  # the SDE has forgotten its start
            assert holds(by_name.measured["distances"][pair][measure], right)
            assert holds(by_samples.measured["distances"][pair][measure], right)
            assert by_samples.measured["distances"][pair][measure].value < 0.06
            assert "samples" in by_samples.measured["distances"][pair][measure].parts
        for law_name in ("ode", "sde"):
            for name in (f"KL({law_name}‖data)", f"KL(data‖{law_name})"):
                entry = by_samples.measured["distances"].get(f"{law_name}–data", {}).get(name)
                assert entry is not None
                assert entry.value < 0.01


def test_an_exact_score_with_too_small_a_last_noise_is_excused():
    """H9: the distance to the data is the prior's; W2, KL and TV of both Gaussians are known, and what they explain."""
    process, law = mfg.VarianceExploding(sigma_min=0.01, sigma_max=1.0), gaussian(np.array([1.5]), np.array([[0.25]]))
    data = Named.stopped(process, law, 1e-3)
    found = certify(process, exact(law, process), mfg.CartesianGrid.cube(5.0, 96, 1), data=data, stop=1e-3)
    (_, o, C_T), (_, mu, C) = process.transition(0.0, 1.0).in_dimension(1), process.prior().in_dimension(1)
    m, v, w = 1.5 + o[0] - mu[0], 0.25 + C_T[0, 0], C[0, 0]
    prior = found.measured["prior"]["p_T–prior"]
    assert holds(prior["W2"], np.hypot(m, np.sqrt(v) - np.sqrt(w)))
    assert holds(prior["KL(p_T‖prior)"], 0.5 * (v / w + m**2 / w - 1 - np.log(v / w)))
    assert holds(prior["TV"], 0.5 * l1_of_gaussians(m, v, 0, w))
    assert found.measured["distances"]["ode–data"]["W2"].least > 0.3
    assert holds(found.measured["prior"]["ode from p_T–data"]["W2"], 0.0)
    assert any("is the prior's, not the score's" in text for text in found.warnings)
    assert not found.failures


def test_what_no_prior_explains_is_not_excused():
    law = gaussian(np.array([0.5]), np.array([[0.25]]))
    other = exact(gaussian(np.array([-0.5]), np.array([[0.25]])))
    found = certify(OU, other, mfg.CartesianGrid.cube(4.0, 48, 1), data=Named.stopped(OU, law, STOP), stop=STOP)
    assert found.measured["distances"]["ode–data"]["W2"].least > 0.9
    assert not any("prior's" in text for text in found.warnings)


def test_a_prediction_of_noise_is_named_and_has_no_certificate():
    """K5: −√v·score leaves the box; a bound below what it bounds, or a law that is elsewhere, is a failure."""
    law = gaussian(np.zeros(1), np.array([[0.25]]))
    score = exact(law)

    class Noise(mfg.ExactScore):
        def __call__(self, x, t):
            return -np.sqrt(float(OU.variance(t))) * super().__call__(x, t)

    for data in (Named.stopped(OU, law, STOP), Sampled.stopped(OU, law.sample(4000, np.random.default_rng(1)), STOP)):
        noise = mfg.scores.Differenced(Noise(OU, law), 1)
        noise.end = OU.horizon
        found = certify(OU, noise, mfg.CartesianGrid.cube(3.0, 48, 1), data=data, stop=STOP, bars="bounds")
        assert found.failures
        assert any("prediction of the noise" in text for text in found.warnings)
        assert any("most of which is outside" in text for text in found.warnings), "a very long solve, and for nothing"
    assert not certify(OU, score, mfg.CartesianGrid.cube(3.0, 48, 1), stop=STOP).failures


def test_outside_of_the_box_is_in_the_bar():
    """Both laws are N(0, 1) at the end; a box of ±1.5 holds 87 % of it, and L1 says what may be outside."""
    law = gaussian(np.zeros(1), np.array([[1.0]]))
    found = certify(OU, exact(law), mfg.CartesianGrid.cube(1.5, 48, 1), data=Named.stopped(OU, law, STOP), stop=STOP)
    pair = found.measured["distances"]["sde–data"]["L1"]
    assert holds(pair, 0.0)
    assert pair.parts["outside the box"] == pytest.approx(2 * 0.12, rel=0.2)
    assert any("out of the box" in text for text in found.warnings)


@pytest.mark.slow
def test_samples_in_the_plane_have_a_useful_bar():
    """H8 in 2D: halves are compared through dust and blocks; a flux alone blows up where histograms have holes."""
    law, grid = gaussian(np.zeros(2), 0.04 * np.eye(2)), mfg.CartesianGrid.cube(3.0, 32, 2)
    data = Sampled.stopped(OU, law.sample(5000, np.random.default_rng(0)), 0.5)
    named = Law.known("named", Named.stopped(OU, law, 0.5).on(grid))
    w2 = w2_entry(named, Law.known("data", data.on(grid), data))
    assert w2.lower == 0.0
    assert w2.upper < 0.8


@pytest.mark.parametrize(("along", "fails"), [(0.006, True), (0.5, False)])
def test_a_bound_below_what_it_bounds_is_a_failure_of_the_certificate(along, fails):
    """W2 ode–sde ≥ 0.4 by its bracket; a bound of 0.006 ± 0.0047 along trajectories contradicts it, one of 0.5 does not."""
    from mfgpde.diagnostics.certificate import _bounds
    from mfgpde.diagnostics.ledger import Entry, Ledger
    from mfgpde.diagnostics.ode_sde_gap import GapBound

    one = np.ones(8)
    bound = GapBound(
        mfg.Estimate(along, 0.0047, mfg.Kind.EXTRAPOLATED, "sums"),
        mfg.Estimate(1.0, 0.01, mfg.Kind.EXTRAPOLATED, "sums"), one, one, one, 1.0, 4.0,
    )  # fmt: skip
    ledger = Ledger()
    _bounds(ledger, bound, Entry(0.45, 0.05, "bracket", lower=0.4, upper=0.5))
    assert bool(ledger.failures) is fails
    assert not fails or "below the W2 ode–sde ≥ 0.4" in ledger.failures[0]


def test_a_divergence_that_is_the_same_on_both_sides_of_its_least_value_has_a_bar():
    """The variance of q is 1 − e; on half the cells it is 1 + e: both divergences are e²/4, and the truth is not."""
    grid = mfg.CartesianGrid.cube(8.0, 128, 1)

    half = replace(grid, cells=(64,))

    def field(variance, on=grid):
        return mfg.Field(mfg.FiniteVolume(on), mfg.densities.cell_means(gaussian(0.0, variance), on), means=True)

    p = Law.known("p", field(1.0))
    q = Law("q", field(0.95), field(1.05, half), field(1.05, half))
    truth = kl_of_gaussians(1.0, 0.9)  # the error of order one goes on: 1.05, 0.95, …, 0.9
    entry = compared(p, q)["KL(p‖q)"]
    assert entry.value < 0.3 * truth
    assert holds(entry, truth)


def test_bars_by_the_residual_are_narrower_and_hold():
    """L¹ of q^SDE and data in closed form: within a bar that is less than half as wide as by half the grid."""
    law = gaussian(0.4, 0.3)
    start, score = Named.stopped(OU, law, STOP), exact(law)
    plain, bounded = (
        certify(OU, score, mfg.CartesianGrid.cube(5.0, 64, 1), data=start, stop=STOP, bars=bars) for bars in BARS
    )
    sde = generated(OU, score, STOP)[1]
    noised = mfg.marginal(OU, law, STOP)
    truth = distances(sde, noised)["L1"]
    by_half, by_residual = (one.measured["distances"]["sde–data"]["L1"] for one in (plain, bounded))
    assert holds(by_half, truth)
    assert holds(by_residual, truth)
    assert by_residual.half_width < 0.5 * by_half.half_width
    assert "residual" in by_residual.method
    said = bounded.facts["bars"]
    assert (said["asked"], said["kind"], said["taken"]) == ("bounds", "EXTRAPOLATED", "residual")
    assert plain.facts["bars"] == {
        "asked": "ladders",
        "L1 of q^SDE by half the grid": said["L1 of q^SDE by half the grid"],
    }


def test_a_mesh_is_refused_with_what_to_take_instead_which_works():
    process, law = mfg.OrnsteinUhlenbeck(), mfg.gaussian([0.0, 0.0], 0.5)
    score = mfg.ExactScore(process, law)
    with pytest.raises(TypeError, match=r"the grid must be a CartesianGrid.*take one around the mesh"):
        mfg.diagnostics.certify(process, score, mfg.meshes.disc(5.0, 8), stop=0.2)
    found = mfg.diagnostics.certify(process, score, mfg.CartesianGrid.cube(5.0, 24, 2), stop=0.2)
    assert found.measured["distances"]["ode–sde"]["L1"].value < 0.1


def test_bars_that_cannot_be_had_are_said(monkeypatch):
    """A word that is none is refused; where the residual has no bound, a warning says that bars are from half the grid."""
    law, grid = gaussian(0.0, 0.4), mfg.CartesianGrid.cube(4.0, 32, 1)
    with pytest.raises(ValueError, match="bars are ladders or bounds"):
        certify(OU, exact(law), grid, bars="guesses")

    def refuses(*given):
        raise ValueError("the drift jumps")

    monkeypatch.setattr(certificate, "owed", refuses)
    found = certify(OU, exact(law), grid, stop=STOP, bars="bounds")
    assert any("no bound by the residual of q^SDE" in text for text in found.warnings)
    assert "kind" not in found.facts["bars"]


@pytest.mark.parametrize(
    ("value", "kind", "taken"), [(1.9, "BOUND", True), (2.1, "BOUND", False), (1.1, "EXTRAPOLATED", False)]
)
def test_what_is_guaranteed_is_taken_up_to_twice_the_ladder(value, kind, taken):
    owed = Owed(value, mfg.Kind[kind], "" if kind == "BOUND" else "sampled")
    assert owed.instead_of(1.0) is taken


@pytest.mark.parametrize(("trouble", "said"), [(ValueError, False), (RuntimeError, True)])
def test_on_a_line_a_bound_that_cannot_be_is_left_away_and_one_that_contradicts_the_law_is_said(
    monkeypatch, trouble, said
):
    def refuses(*given):
        raise trouble("one of both is wrong")

    monkeypatch.setattr(certificate, "owed", refuses)
    found = certify(OU, exact(gaussian(0.0, 0.4)), mfg.CartesianGrid.cube(4.0, 32, 1), stop=STOP)
    assert found.facts["bars"]["asked"] == "bounds"
    assert any("no bound by the residual" in text for text in found.warnings) is said
