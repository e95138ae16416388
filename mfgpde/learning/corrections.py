"""Corrections of local precision matrices, by a small network or free: trained across folds, stopped by one held out.

Full matrices are corrected as P = L M Mᵀ Lᵀ with M lower triangular, diagonal e^z; diagonal and low-rank ones as
diag·e^z, and each direction by its own factor e^z: zero corrections change nothing.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate
from mfgpde.densities import Dense, GaussianMixture, LowRank
from mfgpde.learning.held_out import cautious, held_out
from mfgpde.learning.placed_kernels import Placed

BATCH, LOOK, WIDTH = 256, 20, 32
RATES = {"network": 3e-3, "free": 1e-2}


def corrected(
    whole: Placed,
    folds: list[Any],
    choice: tuple[int, float, float],
    loss: Estimate,
    parameters: str,
    steps: int,
    seed: int,
) -> tuple[GaussianMixture, Estimate, int]:
    """Return the corrected mixture, the loss on the fold held out, and the number of steps that was best there.

    Best is where the loss has fallen most, less two standard errors of the fall.

    Trained twice: without the first fold, to find when to stop, and with all samples, for that many steps.
    Steps are rounded to bouts of 20.
    """
    steps = LOOK * max(1, round(steps / LOOK))
    judge, rest = folds[0][: 2 * BATCH], folds[1:]
    first = Corrector(whole, rest, choice, parameters, seed)
    history = first.run(steps, partial(first.loss_at, np.concatenate(rest), whole.centres[judge]))
    count = LOOK * int(np.argmin([cautious(now - history[0]) if np.isfinite(now @ now) else np.inf for now in history]))
    if count == 0:
        return whole.kernels(*choice), loss, 0
    last = Corrector(whole, folds, choice, parameters, seed)
    last.run(count)
    return last.mixture(), held_out(history[count // LOOK] / last.unit), count


class Corrector:
    """Adam on the cross-fitted loss: kernels of all folds but one, judged at points of that one, in turn by chance."""

    def __init__(self, whole: Placed, folds: list[Any], choice: tuple[int, float, float], parameters: str, seed: int):
        self.whole, self.choice, self.parameters, self.seed = whole, choice, parameters, seed
        size = min(len(fold) for fold in folds)
        self.middle, self.width = whole.centres.mean(axis=0), float(whole.centres.std())
        sets = []
        for k, fold in enumerate(folds):
            others = np.concatenate([other[:size] for j, other in enumerate(folds) if j != k])
            placed = Placed(whole.centres[others], whole.weights[others], whole.precision, whole.rank, whole.floor)
            sets.append((others, self._numbers(placed.kernels(*choice)), fold[:size]))
        self.sets = jax.tree.map(lambda *parts: jnp.stack(parts), *sets)
        self.centres = jnp.asarray(self._scaled(whole.centres), jnp.float32)
        self.logs = jnp.asarray(np.log(whole.weights), jnp.float32)
        d, r = whole.centres.shape[1], whole.rank if whole.precision == "low-rank" else 0
        self.outputs = {"full": d * (d + 1) // 2, "isotropic": 1}.get(whole.precision, d + r)
        spread = whole.kernels(*choice).structure.variances()
        self.unit = float(np.median(spread.min(axis=1)))  # makes losses of any data of order one
        self.state = self._initial()

    def _scaled(self, points: Any) -> Any:
        return (points - self.middle) / self.width

    def _numbers(self, mixture: GaussianMixture) -> tuple[Any, ...]:
        """Return what the loss needs of a mixture's covariances, in units of the data's width."""
        structure = mixture.structure
        if isinstance(structure, Dense):
            return (jnp.asarray(np.linalg.cholesky(np.linalg.inv(structure.matrices / self.width**2)), jnp.float32),)
        pair = (structure.diagonal / self.width**2, structure.factors / self.width)
        return tuple(jnp.asarray(a, jnp.float32) for a in pair)

    def _initial(self) -> Any:
        if self.parameters == "free":
            return jnp.zeros((len(self.whole.centres), self.outputs), jnp.float32)
        rng = np.random.default_rng(self.seed)
        sizes = [self.whole.centres.shape[1], WIDTH, WIDTH, self.outputs]
        pairs = list(zip(sizes, sizes[1:], strict=False))
        scales = [np.sqrt(2 / (a + b)) for a, b in pairs[:-1]] + [0.0]  # the last layer starts at no correction
        return [
            (jnp.asarray(s * rng.normal(size=(a, b)), jnp.float32), jnp.zeros(b, jnp.float32))
            for s, (a, b) in zip(scales, pairs, strict=True)
        ]

    def _corrections(self, state: Any, which: Any) -> Any:
        if self.parameters == "free":
            return state[which]
        h = self.centres[which]
        for k, (W, b) in enumerate(state):
            h = h @ W + b
            h = jax.nn.silu(h) if k < len(state) - 1 else h
        return h

    def _shaped(self, numbers: tuple[Any, ...], z: Any) -> tuple[Any, Any, Any, float]:
        """Return diagonal, factors, log-determinants and sign of the corrected precisions."""
        d = self.centres.shape[1]
        if len(numbers) == 1:
            i, j = np.tril_indices(d, -1)
            M = jnp.zeros((len(z), d, d)).at[:, np.arange(d), np.arange(d)].set(jnp.exp(z[:, :d]))
            L = numbers[0] @ M.at[:, i, j].set(z[:, d:])
            return jnp.zeros((len(z), d)), L, -2 * jnp.log(jnp.diagonal(L, axis1=1, axis2=2)).sum(axis=1), 1.0
        diagonal, factors = numbers
        rank = factors.shape[2]
        diagonal = diagonal * jnp.exp(2 * z[:, : z.shape[1] - rank])
        factors = factors * jnp.exp(z[:, None, z.shape[1] - rank :])
        scaled = factors / diagonal[:, :, None]
        lower = jnp.linalg.cholesky(jnp.eye(rank) + jnp.swapaxes(factors, 1, 2) @ scaled)
        W = jnp.swapaxes(jax.scipy.linalg.solve_triangular(lower, jnp.swapaxes(scaled, 1, 2), lower=True), 1, 2)
        logs = jnp.log(diagonal).sum(axis=1) + 2 * jnp.log(jnp.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
        return 1 / diagonal, W, logs, -1.0

    def _loss(self, state: Any, others: Any, numbers: tuple[Any, ...], points: Any) -> Any:
        """Return the mean over some points of the implicit loss, times the unit."""
        return jnp.mean(self._pointwise(state, others, numbers, points))

    def _pointwise(self, state: Any, others: Any, numbers: tuple[Any, ...], points: Any) -> Any:
        """Return the implicit loss E[|g|² − tr P] − ½|E g|² at points, times the unit."""
        a, W, logs, sign = self._shaped(numbers, self._corrections(state, others))
        away = self.centres[others][None] - points[:, None]
        along = jnp.einsum("nir,bni->bnr", W, away)
        pull = a * away + sign * jnp.einsum("nir,bnr->bni", W, along)
        share = jax.nn.softmax(self.logs[others] - 0.5 * (logs + jnp.sum(away * pull, axis=-1)), axis=1)
        trace = a.sum(axis=1) + sign * (W**2).sum(axis=(1, 2))
        square = jnp.sum(share * (jnp.sum(pull**2, axis=-1) - trace), axis=1)
        mean = jnp.einsum("bn,bni->bi", share, pull)
        return (square - 0.5 * jnp.sum(mean**2, axis=1)) * self.unit / self.width**2

    def loss_at(self, placed: Any, points: Array, state: Any) -> Any:
        """Return the loss of kernels on samples `placed` at each of some points (n, d)."""
        whole = self.whole
        kernels = Placed(whole.centres[placed], whole.weights[placed], whole.precision, whole.rank, whole.floor)
        numbers = self._numbers(kernels.kernels(*self.choice))
        return jax.jit(self._pointwise)(state, placed, numbers, jnp.asarray(self._scaled(points), jnp.float32))

    def run(self, steps: int, judged: Any = None) -> list[Array]:
        """Train, and return what the judge said before and after each bout of steps, the state kept being the last."""
        schedule = optax.cosine_decay_schedule(RATES[self.parameters], max(steps, 1))
        adam = optax.chain(optax.clip_by_global_norm(10.0), optax.adam(schedule))
        others, numbers, own = self.sets
        batch = min(BATCH, own.shape[1])

        def step(carry: Any, key: Any) -> Any:
            state, moments = carry
            turn, draw = jax.random.split(key)
            k = jax.random.randint(turn, (), 0, len(own))
            points = self.centres[jax.random.choice(draw, own[k], (batch,), replace=False)]
            chosen = tuple(a[k] for a in numbers)
            slope = jax.grad(self._loss)(state, others[k], chosen, points)
            updates, moments = adam.update(slope, moments)
            return (optax.apply_updates(state, updates), moments), None

        bout = jax.jit(lambda carry, keys: jax.lax.scan(step, carry, keys)[0])
        carry = (self.state, adam.init(self.state))
        history = [] if judged is None else [np.asarray(judged(self.state), float)]
        for keys in jnp.reshape(jax.random.split(jax.random.key(self.seed), steps), (-1, LOOK)):
            carry = bout(carry, keys)
            if judged is not None:
                history.append(np.asarray(judged(carry[0]), float))
        self.state = carry[0]
        return history

    def mixture(self) -> GaussianMixture:
        """Return the mixture of all samples with the corrections as they are."""
        whole = self.whole
        numbers = self._numbers(whole.kernels(*self.choice))
        z = self._corrections(self.state, np.arange(len(whole.centres)))
        if len(numbers) == 1:
            L = np.asarray(self._shaped(numbers, z)[1], dtype=float)
            inverse = np.linalg.inv(L)
            structure: Any = Dense.of(np.swapaxes(inverse, 1, 2) @ inverse * self.width**2)
        else:
            z = np.asarray(z, dtype=float)
            rank = numbers[1].shape[2]
            diagonal = np.asarray(numbers[0], float) * np.exp(2 * z[:, : z.shape[1] - rank]) * self.width**2
            factors = np.asarray(numbers[1], float) * np.exp(z[:, None, z.shape[1] - rank :]) * self.width
            structure = LowRank.of(diagonal, factors)
        return GaussianMixture(whole.weights, whole.centres, structure)
