"""Scores in closed form on random laws and processes: motions, clocks, disturbances, predictions and their rates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mfgpde as mfg
from mfgpde.processes import schedule_of
from mfgpde.scores import PREDICTIONS, Bump, Clock, Predicted, Sum, Swirl, converted
from mfgpde.scores.clocks import CLOCKS
from mfgpde.scores.exact import motion
from mfgpde.scores.predictions import combination, preconditioning

SEEDS, SHARES = st.integers(0, 10**6), st.floats(0.15, 0.85)
LISTED = mfg.processes.linear_betas(horizon=2.0)
PATHS = (
    mfg.VariancePreserving(0.2, 5.0, 1.7),
    mfg.VarianceExploding(0.05, 3.0, 0.6),
    mfg.processes.Straight(horizon=2.0),
    mfg.processes.Trigonometric(horizon=1.3),
    mfg.processes.Cosine(horizon=0.7),
    mfg.processes.EDM(),
)


def mixture(seed, d, k=2):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(k, d, d))
    return mfg.GaussianMixture(
        rng.dirichlet(np.ones(k)), rng.normal(size=(k, d)), 0.3 * A @ np.swapaxes(A, 1, 2) + 0.2 * np.eye(d)
    )


def slope(f, h):
    """Return the derivative at 0 by differences of order four."""
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 3), st.sampled_from(PATHS), SHARES)
def test_all_derivatives_of_exact_scores_are_slopes_of_each_other(seed, d, process, share):
    """φ, s, J, ∇·s, ∂_tφ, ∂_t s, ∇∇·s and those along directions: by differences of the one before."""
    score, t = mfg.ExactScore(process, mixture(seed, d)), share * process.horizon
    rng = np.random.default_rng(seed + 1)
    x = score.at(t).sample(5, rng)
    v, h = rng.normal(size=(5, d)), 2e-3 * float(np.sqrt(np.trace(score.at(t).covariances[0]) / d))
    axes = np.eye(d)
    s, J = score(x, t), score.jacobian(x, t)
    size = np.abs(s).max() + 1 / h * 1e-3
    assert s == pytest.approx(
        np.stack([slope(lambda e, a=a: score.potential(x + e * a, t), h) for a in axes], -1), abs=1e-5 * size
    )
    found = np.stack([slope(lambda e, a=a: score(x + e * a, t), h) for a in axes], -1)
    assert pytest.approx(found, abs=1e-4 * np.abs(J).max()) == J
    assert score.divergence(x, t) == pytest.approx(
        np.trace(J, axis1=-2, axis2=-1), rel=1e-9, abs=1e-9 * np.abs(J).max()
    )
    bend = np.stack([slope(lambda e, a=a: score.divergence(x + e * a, t), h) for a in axes], -1)
    assert score.divergence_gradient(x, t) == pytest.approx(bend, abs=1e-3 * (np.abs(bend).max() + np.abs(J).max()))
    pushed, pulled, curved = score.directional_derivatives(x, t, v)
    assert pushed == pytest.approx(np.einsum("nij,nj->ni", J, v), rel=1e-8, abs=1e-9 * np.abs(J).max())
    assert pulled == pytest.approx(pushed)
    form = np.stack(
        [slope(lambda e, a=a: np.einsum("ni,nij,nj->n", v, score.jacobian(x + e * a, t), v), h) for a in axes], -1
    )
    assert curved == pytest.approx(form, abs=1e-3 * (np.abs(form).max() + np.abs(J).max()))
    k = 1e-4 * process.horizon
    rate = slope(lambda e: score(x, t + e), k)
    assert score.time_derivative(x, t) == pytest.approx(
        rate, abs=1e-5 * (np.abs(rate).max() + np.abs(s).max() / process.horizon)
    )
    phi = slope(lambda e: score.potential(x, t + e), k)
    assert score.potential_time_derivative(x, t) == pytest.approx(
        phi, abs=1e-5 * (np.abs(phi).max() + 1 / process.horizon)
    )
    parts = score.pieces(x, t)
    for one, other in zip(parts, (score.potential(x, t), phi, s, score.divergence(x, t)), strict=True):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-4 * (1 + np.abs(other).max()))


@settings(max_examples=25)
@given(SEEDS, SHARES, st.sampled_from([1e-6, 1.0, 1e6]))
def test_motions_read_off_transition_laws_are_the_coefficients(seed, share, unit):
    """A, c and D of a constant affine process in any unit of length; also where noise differs by direction."""
    rng = np.random.default_rng(seed)
    A, c = 0.7 * rng.normal(size=(2, 2)), rng.normal(size=2) * unit
    for scale, D in (
        (0.9 * unit, 0.5 * 0.81 * unit**2 * np.eye(2)),
        (unit * np.array([0.4, 1.3]), 0.5 * unit**2 * np.diag([0.16, 1.69])),
    ):
        process = mfg.Linear(A, scale, c, 1.6)
        found = motion(process, 1.6 * share, 2)
        assert found[0] == pytest.approx(A, abs=1e-6)
        assert found[1] == pytest.approx(c, abs=1e-6 * unit)
        assert found[2] == pytest.approx(D, abs=1e-6 * unit**2)


@settings(max_examples=30)
@given(st.sampled_from([*PATHS, LISTED]), SHARES)
def test_clocks_are_what_they_say(process, share):
    t = share * process.horizon
    now = schedule_of(process, t)
    noise = float(now.sigma / now.alpha)
    said = {
        "process": t, "reversed": 1 - share, "share": share, "thousandths": 1000 * share, "sigma": noise,
        "log-sigma": np.log(noise), "c-noise": 0.25 * np.log(noise),
    }  # fmt: skip
    for name, value in said.items():
        clock = Clock(name, process)
        assert clock(t) == pytest.approx(value, rel=1e-9, abs=1e-12)
        assert clock.turns == (name == "reversed")
        assert clock.earliest == (process.horizon / 1000 if process is LISTED else 0.0)
    assert set(CLOCKS) == {*said, "step"}
    if process is LISTED:
        assert Clock("step", process)(7 * process.horizon / 1000) == pytest.approx(6.0)
    else:
        with pytest.raises(ValueError, match="no list of steps"):
            Clock("step", process)
    with pytest.raises(ValueError, match="is one of"):
        Clock("minutes", process)


@settings(max_examples=40)
@given(
    SEEDS,
    st.sampled_from(PATHS),
    SHARES,
    st.sampled_from(PREDICTIONS),
    st.sampled_from(PREDICTIONS),
    st.floats(0.2, 2.0),
)
def test_predictions_of_one_law_say_the_same(seed, process, share, first, second, sigma_data):
    """From x̂₀ and ε̂ of an exact law by hand: what each prediction is, and that each gives every other."""
    t, rng = share * process.horizon, np.random.default_rng(seed)
    exact = mfg.ExactScore(process, mixture(seed, 2))
    x = exact.at(t).sample(6, rng)
    now = schedule_of(process, t)
    noise = -now.sigma * exact(x, t)
    data = (x - now.sigma * noise) / now.alpha
    skip, out, into = preconditioning(now, sigma_data)
    by_hand = {
        "noise": noise, "data": data, "v": now.alpha * noise - now.sigma * data, "score": -noise / now.sigma,
        "flow": now.alpha_rate * data + now.sigma_rate * noise, "edm": (data - skip * x / now.alpha) / out,
    }  # fmt: skip
    found = converted(by_hand[first], x, now, first, second, sigma_data)
    assert found == pytest.approx(by_hand[second], rel=1e-6, abs=1e-7 * (1 + np.abs(by_hand[second]).max()))
    w = float(now.sigma / now.alpha)
    assert float(into) == pytest.approx((w**2 + sigma_data**2) ** -0.5)
    assert float(skip) == pytest.approx(sigma_data**2 / (w**2 + sigma_data**2))
    assert float(out**2) == pytest.approx(w**2 * sigma_data**2 / (w**2 + sigma_data**2))
    if first != "edm":
        p, q = combination(first, now)
        assert by_hand[first] == pytest.approx(
            p * data + q * noise, rel=1e-9, abs=1e-9 * (1 + np.abs(by_hand[first]).max())
        )


class Law:
    """What a network of a prediction would be for N(m, v): a linear function of x, with its derivatives."""

    dimension = 2

    def __init__(self, process, predicts, sigma_data=0.5):
        self.process, self.predicts, self.sigma_data = process, predicts, sigma_data
        self.exact = mfg.ExactScore(process, mfg.gaussian(np.array([0.3, -0.5]), 0.4 * np.eye(2)))

    def _line(self, t):
        now = schedule_of(self.process, t)
        scale = float(now.alpha / preconditioning(now, self.sigma_data)[2]) if self.predicts == "edm" else 1.0
        ends = [
            converted(self.exact(scale * x, t), scale * x, now, "score", self.predicts, self.sigma_data)[0]
            for x in np.array([[[0.0, 0.0]], [[1.0, 1.0]]])
        ]
        return ends[0], ends[1] - ends[0]

    def __call__(self, x, t):
        b, a = self._line(t)
        return a * x + b

    def divergence(self, x, t):
        return np.full(x.shape[:-1], self._line(t)[1].sum())

    def jacobian(self, x, t):
        return np.broadcast_to(np.diag(self._line(t)[1]), (*x.shape, 2))

    def divergence_gradient(self, x, t):
        return np.zeros_like(x)

    def time_derivative(self, x, t):
        return slope(lambda e: self(x, t + e), 1e-4 * self.process.horizon)

    def directional_derivatives(self, x, t, v):
        a = self._line(t)[1]
        return a * v, a * v, np.zeros_like(x)


@settings(max_examples=12)
@given(SEEDS, SHARES)
@pytest.mark.parametrize(
    ("process", "predicts"),
    [  # each prediction on two or three processes, each process with three predictions; the others are slow
        pytest.param(process, predicts, marks=[pytest.mark.slow] * ((i + k) % 2))
        for i, process in enumerate(PATHS[:5])
        for k, predicts in enumerate(PREDICTIONS)
    ],
    ids=lambda one: one if isinstance(one, str) else type(one).__name__,
)
def test_predicted_scores_have_all_derivatives_of_the_exact_one(process, predicts, seed, share):
    t, rng = share * process.horizon, np.random.default_rng(seed)
    network = Law(process, predicts)
    score, exact = Predicted(process, network, predicts), network.exact
    x, v = exact.at(t).sample(4, rng), rng.normal(size=(4, 2))
    size = np.abs(exact.jacobian(x, t)).max()
    assert score(x, t) == pytest.approx(exact(x, t), rel=1e-6, abs=1e-7 * size)
    assert score.divergence(x, t) == pytest.approx(exact.divergence(x, t), rel=1e-6)
    assert score.jacobian(x, t) == pytest.approx(exact.jacobian(x, t), abs=1e-6 * size)
    assert score.divergence_gradient(x, t) == pytest.approx(0 * x, abs=1e-6 * size)
    assert score.time_derivative(x, t) == pytest.approx(
        exact.time_derivative(x, t), rel=1e-3, abs=1e-3 * size * (1 + np.abs(x).max()) / process.horizon
    )
    for one, other in zip(score.directional_derivatives(x, t, v), exact.directional_derivatives(x, t, v), strict=True):
        assert one == pytest.approx(other, abs=1e-6 * size * (1 + np.abs(v).max()))
    values, form = score.with_form(x, t, v)
    assert values == pytest.approx(exact(x, t), rel=1e-6, abs=1e-7 * size)
    assert form == pytest.approx(np.einsum("ni,nij,nj->n", v, exact.jacobian(x, t), v), rel=1e-6, abs=1e-6 * size)
    D = float(process.diffusivity(t))
    wanted = process.drift(x, t) - D * exact(x, t)
    assert score.velocity(x, t) == pytest.approx(wanted, rel=1e-6, abs=1e-6 * (1 + np.abs(wanted).max()))
    u, stretched = score.velocity_with_form(x, t, v)
    assert u == pytest.approx(wanted, rel=1e-6, abs=1e-6 * (1 + np.abs(wanted).max()))
    M = process.drift_jacobian(x, t) - D * exact.jacobian(x, t)
    assert stretched == pytest.approx(np.einsum("ni,nij,nj->n", v, M, v), rel=1e-5, abs=1e-5 * (1 + np.abs(M).max()))


@settings(max_examples=30)
@given(SEEDS, st.floats(0.2, 2.0), st.floats(-2, 2), st.floats(0, 5), st.floats(0, 2))
def test_disturbances_are_what_they_say(seed, width, amplitude, frequency, t):
    """A bump's gradient, Laplacian and rate by differences; sums add; a swirl has no divergence of its own."""
    x = np.random.default_rng(seed).normal(size=(6, 2))
    bump = Bump(amplitude, (0.3, -0.4), width, frequency)
    h, axes = 1e-3 * width, np.eye(2)
    found = np.stack([slope(lambda e, a=a: bump.potential(x + e * a, t), h) for a in axes], -1)
    assert bump(x, t) == pytest.approx(found, abs=1e-8 * (1 + abs(amplitude) / width))
    found = sum(slope(lambda e, a=a, k=k: bump(x + e * a, t)[..., k], h) for k, a in enumerate(axes))
    assert bump.divergence(x, t) == pytest.approx(found, abs=1e-7 * (1 + abs(amplitude) / width**2))
    rate = slope(lambda e: bump.potential(x, t + e), 1e-3)
    assert bump.potential_time_derivative(x, t) == pytest.approx(
        rate, abs=1e-7 * (1 + abs(amplitude)) * (1 + frequency)
    )
    exact = mfg.ExactScore(PATHS[0], mixture(seed, 2))
    both = Sum(exact, bump)
    for name in ("__call__", "potential", "divergence", "potential_time_derivative"):
        wanted = getattr(exact, name)(x, 0.5) + getattr(bump, name)(x, 0.5)
        assert getattr(both, name)(x, 0.5) == pytest.approx(wanted)
    swirl = Swirl(exact, amplitude, width)
    turned = swirl(x, 0.5) - exact(x, 0.5)
    assert np.einsum("ni,ni->n", turned, x) == pytest.approx(0.0, abs=1e-9)
    size = np.linalg.norm(x, axis=1) * abs(amplitude) * np.exp(-0.5 * (x**2).sum(axis=1) / width**2)
    assert np.linalg.norm(turned, axis=1) == pytest.approx(size, abs=1e-9)


@settings(max_examples=25)
@given(SEEDS, st.sampled_from(PATHS[:2]), st.floats(0.02, 0.9), st.floats(0.0, 0.5))
def test_empirical_scores_are_softmax_means_over_the_points(seed, process, share, variance):
    rng = np.random.default_rng(seed)
    points, x, t = rng.normal(size=(7, 2)), rng.normal(size=(5, 2)), share * process.horizon
    a, v = float(process.mean_coefficient(t)), float(process.variance(t))
    spread = v + a**2 * variance
    away = x[:, None] - a * points[None]
    logs = -0.5 * (away**2).sum(axis=-1) / spread
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    wanted = -(weights[..., None] * away).sum(axis=1) / spread
    assert mfg.empirical_score(process, points, variance)(x, t) == pytest.approx(wanted, rel=1e-6, abs=1e-8 / spread)
    for bad in (np.zeros(3), np.zeros((0, 2)), np.full((2, 2), np.nan)):
        with pytest.raises(ValueError, match="points must be finite"):
            mfg.empirical_score(process, bad)
    with pytest.raises(ValueError, match="variance must be"):
        mfg.empirical_score(process, points, -1.0)
