"""Training a fully connected score network with Adam: one compiled loop, averaged weights, checkpoints, fixed seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mfgpde.core.checkpoint import Checkpoint
from mfgpde.core.progress import meter
from mfgpde.core.renamed import renamed
from mfgpde.learning.control_variate import steadied_noise
from mfgpde.learning.objectives import (
    Coefficients,
    Objective,
    log_residual,
    loss_weight,
    matching_loss,
    score_residual,
)
from mfgpde.processes import IsotropicProcess
from mfgpde.scores.eigenbasis import HermiteBasis, kept_variance
from mfgpde.scores.files import Network, forward, network_score, save_weights
from mfgpde.scores.jax_score import JaxScore

CHUNK = 250  # steps between two looks at the loss
CLIP = 10.0  # of the gradient: penalties with high derivatives have rare, very large ones


@dataclass(frozen=True, eq=False)
class Training:
    """A trained network: the score with its derivatives, the loss and residual per chunk of steps, the averaged weights.

    With a `base` the score is that of base plus network.
    """

    score: Any
    network: Network
    layers: list[tuple[np.ndarray, np.ndarray]]
    losses: tuple[float, ...]
    residuals: tuple[float, ...]
    base: Callable[[Any, Any], Any] | None = None

    def save(self, path: str | Path) -> Path:
        """Write the weights as .safetensors, for `load_score` and `mfgpde check`; ValueError if there is a base."""
        if self.base is not None:
            raise ValueError("the base of a residual network is a function, which a file of weights cannot hold")
        return save_weights(Path(path), self.layers, self.network)


@renamed(batch="batch_size", rate="learning_rate", average="ema_decay")
def train(
    process: IsotropicProcess,
    samples: np.ndarray,
    objective: Objective = Objective(),  # noqa: B008  # frozen
    *,
    network: Network = Network("silu", 1.0, "xt", "potential"),  # noqa: B008
    widths: tuple[int, ...] = (64, 64, 64),
    steps: int = 4000,
    batch_size: int = 512,
    learning_rate: float = 1e-2,
    ema_decay: float = 0.995,
    seed: int = 0,
    box: float | None = None,
    base: Callable[[Any, Any], Any] | None = None,
    checkpoint: Path | None = None,
    progress: bool = False,
) -> Training:
    """Train a score on samples (n, d) and return it; the learning rate falls to zero along a cosine.

    `ema_decay` is that of the exponential mean of the weights, which is what comes back; at step k it is at most
    (1 + k)/(10 + k), so that the weights before training are forgotten. Points of the log-density penalty are uniform in
    [−box, box]^d, by default the box of the samples with a tenth to spare. With `checkpoint`, the state is written there
    after every 250 steps and training resumes from it; one of other samples, or another setting, is refused by name.

    With `base`, a potential as a JAX function of one point and one time, the network learns what is left of the score: the
    recipe of arXiv:2406.09084 for high dimensions, where the base is operator-informed. In trials in 2D a base of degree
    two halved the steps; what is left of one of degree four and more has no low frequencies, and was learned slowly.

    Raises ValueError for samples that are not finite numbers (n, d), for a penalty that needs a potential without one, and
    for rates, decays, sizes and checkpoints that do not fit; Busy where another run writes the checkpoint;
    FloatingPointError, with the step, if the loss stops being finite.

    >>> samples = mfg.gaussian(0.0, 1.0).sample(500, np.random.default_rng(0))
    >>> trained = mfg.train(mfg.VariancePreserving(), samples, widths=(16,), steps=500, batch_size=128)
    >>> print(f"{trained.score(np.array([[1.0]]), 0.5)[0, 0]:.0f}")  # −x, the score of N(0, 1)
    -1
    """
    samples = np.asarray(samples, dtype=float)
    if samples.ndim != 2 or len(samples) < 2 or not np.isfinite(samples).all():
        raise ValueError(f"samples must be finite numbers of shape (n, d) with n ≥ 2, got shape {samples.shape}")
    if (objective.log_residual or base is not None) and network.output != "potential":
        raise ValueError("the log-density penalty and a base need a network whose output is a potential")
    if (objective.control or objective.paired) and batch_size % 2:
        what = "a control variate" if objective.control else "noise in pairs"
        raise ValueError(f"{what} needs batches of two halves, got {batch_size}")
    if objective.start >= process.horizon:
        raise ValueError(f"the objective starts at t = {objective.start:g}, the process ends at {process.horizon:g}")
    _check(widths, steps, batch_size, learning_rate, ema_decay, box)
    dimension = samples.shape[1]
    reach = 1.1 * float(np.abs(samples).max()) if box is None else box
    sizes = [dimension + 1, *widths, 1 if network.output == "potential" else dimension]
    setting = {"process": process, "samples": samples, "objective": objective, "network": network, "sizes": sizes}
    setting |= {
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "ema_decay": ema_decay,
        "seed": seed,
        "box": reach,
        "base": base,
    }
    kept = Checkpoint(checkpoint, setting)
    with kept.held(), meter("training", show=progress) as bar:
        state, losses, residuals = _resumed(kept, _start(sizes, learning_rate, steps, seed))
        chunk = _compiled(process, dimension, objective, network, batch_size, learning_rate, steps, ema_decay, base)
        variance = samples.var(axis=0).mean()
        data = tuple(jnp.asarray(known, jnp.float32) for known in (samples, reach, variance))
        while (done := CHUNK * len(losses)) < steps:
            count = min(CHUNK, steps - done)
            state, (loss, residual) = chunk(state, data, count)
            losses.append(float(loss))
            residuals.append(float(residual))
            if not np.isfinite(losses[-1]):
                raise FloatingPointError(
                    f"the loss is {losses[-1]} after {done + count} steps; try a learning rate below {learning_rate:g}"
                )
            kept.save(now=True, losses=np.array(losses), residuals=np.array(residuals), **_leaves(state))
            bar((done + count) / steps, f"loss {losses[-1]:.4g}, residual {residuals[-1]:.3g}")
    averaged = [(np.asarray(W), np.asarray(b)) for W, b in state[1]]
    arrays = {f"{kind}{k}": a for k, layer in enumerate(averaged) for kind, a in zip("Wb", layer, strict=True)}
    score = network_score(arrays, network, dimension, "the trained network")
    if base is not None:
        score = JaxScore(_on_top(base, forward(network)), dimension, score.parameters)
    return Training(score, network, averaged, tuple(losses), tuple(residuals), base)


def _check(
    widths: tuple[int, ...], steps: int, batch_size: int, learning_rate: float, ema_decay: float, box: float | None
) -> None:
    """Raise ValueError for what no training has."""
    for name, value in {"steps": steps, "batch_size": batch_size, "every width": min(widths, default=1)}.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if not 0 < learning_rate < np.inf:
        raise ValueError(f"learning_rate must be positive, got {learning_rate}")
    if not 0 <= ema_decay < 1:
        raise ValueError(f"ema_decay is a decay in [0, 1), 0 for the last weights, got {ema_decay}")
    if box is not None and not 0 < box < np.inf:
        raise ValueError(f"box is half a side of the penalty's box, positive, got {box}")


def _start(sizes: list[int], learning_rate: float, steps: int, seed: int) -> Any:
    """Return the state before the first step: weights, their mean, moments of Adam, key, number of steps."""
    layers = _initial(sizes, seed)
    return layers, layers, _adam(learning_rate, steps).init(layers), jax.random.key(seed), jnp.zeros((), jnp.int32)


def _leaves(state: Any) -> dict[str, np.ndarray]:
    """Return a state's arrays by name, the key as its data."""
    *parts, key, count = state
    return {f"leaf{k}": np.asarray(a) for k, a in enumerate(jax.tree.leaves((*parts, jax.random.key_data(key), count)))}


def _resumed(kept: Checkpoint, start: Any) -> tuple[Any, list[float], list[float]]:
    """Return what a checkpoint holds, or the start: state, losses, residuals; ValueError if another setting made it."""
    arrays = kept.load()
    if arrays is None:
        return start, [], []
    *parts, key, count = start
    shape = jax.tree.structure((*parts, jax.random.key_data(key), count))
    *parts, key, count = jax.tree.unflatten(shape, [jnp.asarray(arrays[f"leaf{k}"]) for k in range(shape.num_leaves)])
    return (*parts, jax.random.wrap_key_data(key), count), arrays["losses"].tolist(), arrays["residuals"].tolist()


def _on_top(base: Callable[[Any, Any], Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the potential base(x, t) + function(layers, x, t)."""
    return lambda layers, x, t: base(x, t) + function(layers, x, t)


def _initial(sizes: list[int], seed: int) -> list[tuple[Any, Any]]:
    """Return weights of Glorot's normal distribution and zero offsets."""
    rng = np.random.default_rng(seed)
    pairs = zip(sizes, sizes[1:], strict=False)
    return [
        (jnp.asarray(rng.normal(size=(b, a)) * np.sqrt(2 / (a + b)), jnp.float32), jnp.zeros(b, jnp.float32))
        for a, b in pairs
    ]


def _adam(learning_rate: float, steps: int) -> Any:
    schedule = optax.cosine_decay_schedule(learning_rate, steps)
    return optax.chain(optax.clip_by_global_norm(CLIP), optax.adam(schedule))


@lru_cache(maxsize=64)
def _compiled(
    process: IsotropicProcess,
    dimension: int,
    objective: Objective,
    network: Network,
    batch_size: int,
    learning_rate: float,
    steps: int,
    ema_decay: float,
    base: Callable[[Any, Any], Any] | None,
) -> Callable[[Any, Any, int], Any]:
    """Return the function of a state, (samples, half the box's width, their variance) and a number of steps, compiled.

    What it closes over does not depend on the samples: trainings that differ in data or seed share the compilation.
    """
    coefficients, adam = Coefficients.of(process), _adam(learning_rate, steps)
    low, high = np.sqrt(objective.start), np.sqrt(process.horizon)
    split = None
    if objective.control:
        variance = kept_variance(process)
        basis = HermiteBasis(dimension, objective.control, variance if np.isfinite(variance) else 1.0)
        split = steadied_noise(objective, process, basis)
    few = max(batch_size // 4, 1)  # points for the penalties, which cost several times as much each

    def losses(layers: Any, given: Any, key: Any) -> tuple[Any, Any]:
        data, reach, variance = given
        function = forward(network) if base is None else _on_top(base, forward(network))
        evaluate = partial(function, layers)
        score = jax.grad(evaluate) if network.output == "potential" else evaluate
        picks, clock, noise, places, more = jax.random.split(key, 5)
        x0 = data[jax.random.randint(picks, (batch_size,), 0, len(data))]
        t = jax.random.uniform(clock, (batch_size,), minval=low, maxval=high) ** 2
        if split is None:
            count = batch_size // 2 if objective.paired else batch_size
            keys = jax.random.split(noise, count)
            matched = jax.vmap(lambda x, u, k: matching_loss(objective, coefficients, score, x, u, k, variance))(
                x0[:count], t[:count], keys
            )
        else:
            x, steadied = split(x0, t, jax.random.normal(noise, x0.shape))
            misses = jnp.sum((jax.vmap(score)(x, t) + steadied) ** 2, axis=1)
            matched = 0.5 * loss_weight(objective, coefficients, t) * misses
        loss, residual = jnp.mean(matched), jnp.zeros(())
        if objective.score_residual:
            m, sd = coefficients("mean_coefficient", t[:few]), coefficients("deviation", t[:few])
            x = m[:, None] * x0[:few] + sd[:, None] * jax.random.normal(places, (few, x0.shape[1]))
            eps = jax.vmap(lambda y, u, k: score_residual(coefficients, score, y, u, k, objective.cheap))(
                x, t[:few], jax.random.split(more, few)
            )
            residual = jnp.mean(2 * coefficients("diffusivity", t[:few]) * jnp.sum(eps**2, axis=-1))
            loss += objective.score_residual * residual
        if objective.log_residual:
            x = jax.random.uniform(places, (few, x0.shape[1]), minval=-reach, maxval=reach)
            u = jax.random.uniform(more, (few,), minval=objective.start, maxval=process.horizon)
            residual = jnp.mean(jax.vmap(lambda y, w: log_residual(coefficients, evaluate, y, w))(x, u) ** 2)
            loss += objective.log_residual * residual
        return loss, residual

    def step(given: Any, state: Any, _: Any) -> Any:
        layers, averaged, moments, key, count = state
        key, now = jax.random.split(key)
        (loss, residual), slope = jax.value_and_grad(losses, has_aux=True)(layers, given, now)
        updates, moments = adam.update(slope, moments)
        layers = optax.apply_updates(layers, updates)
        decay = jnp.minimum(ema_decay, (1 + count) / (10 + count))
        averaged = jax.tree.map(lambda a, b: decay * a + (1 - decay) * b, averaged, layers)
        return (layers, averaged, moments, key, count + 1), (loss, residual)

    def chunk(state: Any, given: Any, count: int) -> Any:
        state, history = jax.lax.scan(partial(step, given), state, length=count)
        return state, jax.tree.map(jnp.mean, history)

    return jax.jit(chunk, static_argnums=2)
