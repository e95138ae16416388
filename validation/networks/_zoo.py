"""Networks that predict noise, data, v, a velocity, preconditioned data, the score or its potential, on four schedules.

`python validation/networks/_zoo.py` remakes all 28 in a minute or two: they are trained side by side on one law. Called with
x and the time of the process; `edm` with σ_data = 1.5.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

import mfgpde as mfg
from mfgpde.processes import schedule_of
from mfgpde.scores.files import Network, forward, save_weights
from mfgpde.scores.predictions import combination, preconditioning

LAW, SIGMA_DATA = mfg.densities.four_blobs(), 1.5
PREDICTIONS = ("noise", "data", "v", "flow", "edm", "score", "potential")
SCHEDULES = {
    "variance-preserving": mfg.VariancePreserving(),
    "cosine": mfg.processes.Cosine(),
    "straight": mfg.processes.Straight(),
    "scaled-linear-betas": mfg.processes.scaled_linear_betas(),
}
WIDTHS, STEPS, BATCH, RATE = (3, 32, 32), 3000, 256, 4e-3
TIMES = np.linspace(0.02, 1.0, 1025)[:-1]
"""as shares of the horizon: a velocity needs no noise, a score some"""


def path(schedule: str, predicts: str) -> Path:
    """Return the file of a network."""
    return Path(__file__).with_name(f"zoo_{schedule}_{predicts}.safetensors")


def described(predicts: str) -> Network:
    """Return what the files say of themselves."""
    return Network("silu", output="potential" if predicts == "potential" else "vector")


def score(schedule: str, predicts: str, network=None) -> object:
    """Return the score that a network of the zoo makes, of its file or as another library loads it."""
    found = network or mfg.load_score(str(path(schedule, predicts)), 2)
    if predicts == "potential":
        return found
    return mfg.scores.Predicted(SCHEDULES[schedule], found, predicts, sigma_data=SIGMA_DATA)


def _targets(schedule: str, predicts: str) -> np.ndarray:
    """Return α, σ, what multiplies the input, x₀, ε and x in the target, and the weight, at all times: (7, 1024)."""
    process = SCHEDULES[schedule]
    now = schedule_of(process, TIMES * process.horizon)
    one, zero = np.ones_like(now.alpha), np.zeros_like(now.alpha)
    if predicts == "edm":
        skip, out, into = preconditioning(now, SIGMA_DATA)
        return np.stack([now.alpha, now.sigma, into / now.alpha, 1 / out, zero, -skip / out / now.alpha, one])
    p, q = combination("score" if predicts == "potential" else predicts, now)
    return np.stack([now.alpha, now.sigma, one, p, q, zero, 1 / (p**2 + q**2)])


def trained(predictions: tuple[str, ...]) -> Iterator[tuple[str, str, list]]:
    """Yield schedules, predictions and layers of networks that are trained side by side."""
    pairs = [(schedule, predicts) for schedule in SCHEDULES for predicts in predictions]
    table = jnp.asarray(np.stack([_targets(*pair) for pair in pairs]), dtype=jnp.float32)
    horizons = jnp.asarray([SCHEDULES[schedule].horizon for schedule, _ in pairs], dtype=jnp.float32)
    described_ = described(predictions[0])
    network = forward(described_)
    if described_.output == "potential":
        network = jax.grad(network, argnums=1)
    outputs = 1 if described_.output == "potential" else 2
    rng = np.random.default_rng(0)
    shapes = list(zip(WIDTHS, (*WIDTHS[1:], outputs), strict=True))
    layers = [
        (
            jnp.asarray(rng.normal(size=(len(pairs), out, into)) / np.sqrt(into), dtype=jnp.float32),
            jnp.zeros((len(pairs), out), dtype=jnp.float32),
        )
        for into, out in shapes
    ]
    data = jnp.asarray(LAW.sample(20_000, rng), dtype=jnp.float32)
    adam = optax.adam(optax.cosine_decay_schedule(RATE, STEPS))

    def loss(own, rows, horizon, which, start, noise):
        alpha, sigma, into, by_data, by_noise, by_place, weight = rows[:, which, None]
        x = alpha * start + sigma * noise
        t = horizon * jnp.asarray(TIMES, dtype=jnp.float32)[which]
        given = jax.vmap(partial(network, own))(into * x, t)
        wanted = by_data * start + by_noise * noise + by_place * x
        return jnp.mean(weight * (given - wanted) ** 2)

    def all_of(layers, *seen):
        return jnp.sum(jax.vmap(loss, (0, 0, 0, None, None, None))(layers, table, horizons, *seen))

    def step(state, key):
        layers, moments, mean = state
        keys = jax.random.split(key, 3)
        which = jax.random.randint(keys[0], (BATCH,), 0, len(TIMES))
        start = data[jax.random.randint(keys[1], (BATCH,), 0, len(data))]
        slopes = jax.grad(all_of)(layers, which, start, jax.random.normal(keys[2], (BATCH, 2)))
        change, moments = adam.update(slopes, moments)
        layers = optax.apply_updates(layers, change)
        return (layers, moments, optax.incremental_update(layers, mean, 5e-3)), None

    keys = jax.random.split(jax.random.key(0), STEPS)
    (_, _, mean), _ = jax.lax.scan(step, (layers, adam.init(layers), layers), keys)
    for k, (schedule, predicts) in enumerate(pairs):
        yield schedule, predicts, [(np.asarray(W[k]), np.asarray(b[k])) for W, b in mean]


if __name__ == "__main__":
    for kind in (PREDICTIONS[:-1], PREDICTIONS[-1:]):
        for schedule, predicts, layers in trained(kind):
            print(save_weights(path(schedule, predicts), layers, described(predicts)).name, flush=True)
