"""Objectives vanish or agree where they must, training finds a Gaussian's score, resumes exactly and refuses nonsense."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.checkpoint import Checkpoint
from mfgpde.learning.objectives import Coefficients, log_residual, matching_loss, score_residual

OU = mfg.OrnsteinUhlenbeck(horizon=3.0)
SPREAD = 0.2


def potential(x, t):
    """Log p_t of N(0, SPREAD·I) under the process, with its normalisation."""
    variance = SPREAD * jnp.exp(-2 * t) + 0.5 * (1 - jnp.exp(-2 * t))
    return -0.5 * jnp.sum(x**2) / variance - 0.5 * x.shape[0] * jnp.log(2 * jnp.pi * variance)


exact = jax.grad(potential)


@pytest.mark.parametrize("cheap", [False, True])
def test_penalties_vanish_at_the_exact_score_and_not_beside_it(cheap):
    process = Coefficients.of(OU)
    x, t, keys = jnp.array([0.4, -0.7]), jnp.asarray(0.3), jax.random.split(jax.random.key(0), 64)

    def mean(score):
        found = jax.jit(jax.vmap(lambda k: score_residual(process, score, x, t, k, cheap)))
        return np.mean(found(keys if cheap else keys[:1]), axis=0)  # the whole trace draws nothing

    allowed = 0.05 if cheap else 2e-3  # differences in single precision lose three digits
    assert float(np.abs(mean(exact)).max()) < allowed
    assert float(np.abs(mean(lambda y, u: 1.3 * exact(y, u))).max()) > 0.2
    if not cheap:
        residual = jax.jit(lambda factor: log_residual(process, lambda y, u: factor * potential(y, u), x, t))
        assert abs(float(residual(1.0))) < 2e-3
        assert abs(float(residual(1.3))) > 0.1


def test_objectives_are_least_at_the_exact_score_and_differ_by_a_constant():
    """E[DSM] − E[ISM] does not depend on the score; sliced and implicit agree in the mean."""
    process, rng = Coefficients.of(OU), np.random.default_rng(0)
    x0 = jnp.asarray(np.sqrt(SPREAD) * rng.normal(size=(20_000, 2)), jnp.float32)
    keys, t = jax.random.split(jax.random.key(1), len(x0)), jnp.asarray(0.3)

    def losses(matching):
        objective = mfg.Objective(matching, weighting="none")

        def loss(factor, x, k):
            return matching_loss(objective, process, lambda y, u: factor * exact(y, u), x, t, k)

        found = jax.jit(jax.vmap(loss, (None, 0, 0)))
        return np.array([found(factor, x0, keys).mean() for factor in (0.7, 1.0, 1.3)])

    table = {m: losses(m) for m in ("denoising", "implicit", "sliced")}
    for values in table.values():
        assert values[1] < min(values[0], values[2])
    np.testing.assert_allclose(np.diff(table["denoising"]), np.diff(table["implicit"]), atol=0.03)
    np.testing.assert_allclose(table["sliced"], table["implicit"], atol=0.17)  # four deviations: 2d|J|² a sample


@pytest.mark.slow
@pytest.mark.parametrize("output", ["potential", "vector"])
def test_training_finds_the_score_of_a_gaussian(output):
    samples = np.sqrt(SPREAD) * np.random.default_rng(0).normal(size=(4000, 2))
    result = mfg.train(OU, samples, network=mfg.scores.Network("silu", 1.0, "xt", output), widths=(32, 32), steps=1500)
    x = np.random.default_rng(1).normal(size=(500, 2)) * 0.5
    truth = mfg.ExactScore(OU, mfg.gaussian(0.0, SPREAD, 2))
    for t in (0.2, 1.0):
        error = np.sqrt(np.mean((result.score(x, t) - truth(x, t)) ** 2) / np.mean(truth(x, t) ** 2))
        assert error < 0.15
    assert result.losses[-1] < result.losses[0]
    assert len(result.losses) == 6


@pytest.mark.slow
def test_training_resumes_where_it_stopped_and_the_same_seed_gives_the_same_weights(tmp_path, monkeypatch):
    samples = np.random.default_rng(0).normal(size=(500, 1))
    setting = {"widths": (8,), "steps": 600, "batch_size": 32}
    whole, twice = (mfg.train(OU, samples, **setting) for _ in range(2))
    path = tmp_path / "state"
    real, stored = Checkpoint.save, []

    def save_once(self, **arrays):
        real(self, **arrays)
        stored.append(1)
        if len(stored) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", save_once)
    with pytest.raises(KeyboardInterrupt):
        mfg.train(OU, samples, checkpoint=path, **setting)
    resumed = mfg.train(OU, samples, checkpoint=path, **setting)
    for (W, b), (V, c), (U, e) in zip(whole.layers, twice.layers, resumed.layers, strict=True):
        np.testing.assert_array_equal(W, V)
        np.testing.assert_array_equal(b, c)
        np.testing.assert_array_equal(W, U)
        np.testing.assert_array_equal(b, e)
    assert resumed.losses == whole.losses
    other = mfg.train(OU, samples, seed=1, **setting)
    assert not np.array_equal(other.layers[0][0], whole.layers[0][0])
    saved = mfg.load_score(str(whole.save(tmp_path / "w.safetensors")))
    np.testing.assert_allclose(saved(samples[:5], 0.4), whole.score(samples[:5], 0.4), atol=1e-12)


def test_a_training_of_anything_else_is_refused_by_what_differs(tmp_path):
    """Before anything is compiled: each refusal takes milliseconds."""
    samples, process = np.random.default_rng(0).normal(size=(100, 1)), mfg.VariancePreserving()
    base, path = (lambda x, t: -0.5 * jnp.sum(x**2)), tmp_path / "state"
    known = {"widths": (4,), "steps": 1, "batch_size": 8, "base": base, "box": 3.0}
    mfg.train(process, samples, checkpoint=path, **known)

    def refused(words, process=process, samples=samples, **changes):
        with pytest.raises(ValueError, match=rf"belongs to another problem, by its [^;]*{words}"):
            mfg.train(process, samples, checkpoint=path, **known | changes)

    other = samples.copy()
    other[57, 0] += 1e-9
    refused("samples", samples=other)
    refused("process", process=mfg.VarianceExploding())
    refused("process.horizon", process=mfg.VariancePreserving(horizon=2.0))
    refused("box", box=4.0)
    refused("base", base=lambda x, t: -0.25 * jnp.sum(x**2))
    refused("base", base=None)
    refused("seed", seed=1)
    refused("ema_decay", ema_decay=0.9)
    refused("objective.weighting", objective=mfg.Objective(weighting="none"))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match="no whole checkpoint"):
        mfg.train(process, samples, checkpoint=path, **known)


@pytest.mark.slow
def test_the_mean_of_the_weights_forgets_where_they_began():
    """After 100 steps it is nearer to the truth than half of what it was when the first weights stayed in it."""
    samples, x = np.random.default_rng(0).normal(size=(1000, 1)), np.linspace(-2, 2, 41)[:, None]
    short = {"widths": (16,), "steps": 100, "batch_size": 128}
    found = mfg.train(mfg.VariancePreserving(), samples, **short)
    last = mfg.train(mfg.VariancePreserving(), samples, ema_decay=0.0, **short)
    miss, last_miss = (np.sqrt(np.mean((one.score(x, 0.5) + x) ** 2)) for one in (found, last))
    assert miss < 1.2 * last_miss


PROCESSES = {
    "VP to 5": mfg.VariancePreserving(horizon=5.0),
    "VE": mfg.VarianceExploding(),
    "Brownian": mfg.Brownian(scale=2.0, horizon=3.0),
    "OU": OU,
}


@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES)
def test_coefficients_are_those_of_the_process_down_to_small_times(process):
    t = np.float64(np.float32(np.concatenate([np.geomspace(1e-7, 1, 400), np.linspace(0.01, 1, 57)]) * process.horizon))
    known, given = Coefficients.of(process), jnp.asarray(t, jnp.float32)
    truth = {"mean_coefficient": process.mean_coefficient(t), "deviation": np.sqrt(process.variance(t))}
    truth |= {"diffusivity": process.diffusivity(t), "relaxation": process.relaxation(t)}
    for name, values in truth.items():
        floor = 1e-8 if name == "mean_coefficient" else 1e-30  # it falls to nothing, and is compared with one
        np.testing.assert_allclose(known(name, given), np.broadcast_to(values, t.shape), rtol=1e-6, atol=floor)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: mfg.train(OU, x, ema_decay=1.5), r"decay in \[0, 1\)"),
        (lambda x: mfg.train(OU, x, ema_decay=-1.0), r"decay in \[0, 1\)"),
        (lambda x: mfg.train(OU, x, learning_rate=-1e-3), "learning_rate must be positive"),
        (lambda x: mfg.train(OU, x, batch_size=0), "batch_size must be at least 1"),
        (lambda x: mfg.train(OU, x, steps=0), "steps must be at least 1"),
        (lambda x: mfg.train(OU, x, widths=(8, 0)), "every width"),
        (lambda x: mfg.train(OU, x, box=0.0), "half a side"),
        (lambda x: mfg.train(OU, x, mfg.Objective(start=3.0)), "the process ends at 3"),
        (lambda x: mfg.train(OU, x[:, 0]), "shape"),
        (lambda x: mfg.train(OU, x * np.nan), "finite"),
        (
            lambda x: mfg.train(OU, x, mfg.Objective(log_residual=1.0), network=mfg.scores.Network()),
            "output is a potential",
        ),
        (lambda x: mfg.Objective("contrastive"), "matching must be"),
        (lambda x: mfg.Objective(weighting="likelihood"), "weighting must be"),
        (lambda x: mfg.Objective(score_residual=-1.0), "≥ 0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.zeros((10, 2)))


def test_a_loss_that_blows_up_is_said():
    samples = np.ones((10, 1))
    with pytest.raises(FloatingPointError, match="after 100 steps; try a learning rate below"):
        mfg.train(OU, samples, widths=(4,), steps=100, batch_size=8, learning_rate=1e20)


@pytest.mark.slow
def test_a_base_is_what_the_network_adds_to(tmp_path, rng):
    process, law = mfg.VariancePreserving(), mfg.GaussianMixture([0.5, 0.5], [[0.8, 0.0], [-0.6, 0.5]], [0.3, 0.4])
    x = law.sample(1000, rng)
    known = {"steps": 250, "widths": (8,), "batch_size": 64}
    plain, nothing = mfg.train(process, x, **known), mfg.train(process, x, base=lambda y, t: 0.0 * jnp.sum(y), **known)
    y = rng.normal(size=(20, 2))
    np.testing.assert_allclose(nothing.score(y, 0.2), plain.score(y, 0.2), rtol=1e-4, atol=1e-5)  # single precision
    informed = mfg.OperatorInformed(mfg.scores.HermiteBasis(2, 4), process, x)
    base = mfg.scores.jax_potential(informed)
    alone = mfg.JaxScore(base, 2)
    for t in (0.01, 0.2, 0.9):
        np.testing.assert_allclose(alone(y, t), informed(y, t), rtol=1e-3, atol=1e-3)  # linear between 129 times
    far = 1.1 * informed.reach(0.2)[None]
    np.testing.assert_allclose(alone(far, 0.2), informed(far, 0.2), rtol=1e-2)
    found = mfg.train(process, x, base=base, **known)
    truth = mfg.marginal(process, law, 0.2)
    z = truth.sample(1000, rng)
    errors = [np.mean(np.sum((s(z, 0.2) - truth.score(z)) ** 2, axis=1)) for s in (found.score, plain.score)]
    assert errors[0] < 0.3 * errors[1]  # after so few steps the base is all there is
    with pytest.raises(ValueError, match="base of a residual network"):
        found.save(tmp_path / "net.safetensors")
    with pytest.raises(ValueError, match="output is a potential"):
        mfg.train(process, x, base=base, network=mfg.scores.Network(output="vector"), **known)
    with pytest.raises(ValueError, match="only Hermite"):
        mfg.scores.jax_potential(mfg.OperatorInformed(mfg.scores.FourierBasis(2, 1), mfg.Brownian(), x))
