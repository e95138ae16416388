"""The variance of denoising grows like 1/v(t) as t → 0; that of operator-informed equations stays, and lends itself to networks.

Per sample, the gradient of the denoising loss carries the noise Z/√v; with expectations over the noise in closed form it does not.
As a control variate the closed forms leave a network's gradient its mean and take most of its noise away; as the base of a network
they halve the steps.
"""

from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import mfgpde as mfg
from mfgpde.scores.files import forward
from mfgpde.verify import Claim, Evidence, Level, Series, at_least, at_most, equal, load_module

once = load_module(Path(__file__).parents[1] / "networks" / "_once.py").once

claim = Claim(
    statement=(
        r"\mathrm{tr\,Var}\,g^{\text{DSM}}=\frac{\mathbb E|\nabla\varphi|^2}{v(t)}+O(1),\quad \mathrm{tr\,Var}\,g^{\text{OISM}}=O(1)"
        r"\quad(t\to0);\qquad \mathbb E\,g^{\text{control}}=\mathbb E\,g^{\text{DSM}},\ \mathrm{Var}\,g^{\text{control}}\ll\mathrm{Var}\,g^{\text{DSM}}"
    ),
    source="arXiv:2406.09084, section 4",
    standing="experiment",
    assumes=(
        "Hermite functions of degree 4",
        "a network of two layers of 48",
        "training compared from level standard on",
    ),
    coefficients=("rise", "closed", "size"),
)

PROCESS, START = mfg.VariancePreserving(), 5e-3
LAW = mfg.GaussianMixture([0.25] * 4, [[1.0, 1.0], [-1.0, 0.5], [0.0, -1.0], [0.75, -0.5]], [0.05, 0.04, 0.03, 0.06])
WIDTHS, SIZE = (48, 48), 5000
EARLY, LATE = 30, 500  # steps: of a trained network the mean gradient is nothing to compare with


class Slowed(mfg.scores.HermiteBasis):
    """A basis whose functions are believed to fade `decay` times as fast as they do."""

    decay = 1.0

    @property
    def eigenvalues(self):
        return self.decay * super().eigenvalues


def slowed(degree, decay):
    found = Slowed(2, degree)
    object.__setattr__(found, "decay", decay)
    return found


def gradients(x, t, alpha, basis, z):
    """Return per-sample gradients in the whitened coefficients, shape (3, n, p): of denoising with the noise z all but that which it aims at, and that; operator-informed."""
    m, v = float(PROCESS.mean_coefficient(t)), float(PROCESS.variance(t))
    roots = np.sqrt(basis.eigenvalues[1:])
    noised = m * x + np.sqrt(v) * z
    slopes = basis.differentiate(np.eye(len(roots) + 1), noised, 1)[1][:, :, 1:]
    left = np.einsum("ndp,p->nd", slopes, alpha[1:]) - noised
    denoising, aimed = (np.einsum("ndp,nd->np", slopes, y) / roots for y in (left, z / np.sqrt(v)))
    tau = -np.log(m)
    pulled = basis.extended(x) * np.exp(-basis.extended_eigenvalues * tau)
    p = len(roots) + 1
    A = (basis.gram.T @ np.kron(np.eye(p), alpha[:, None])).T  # (p, q): Σ_n G_{mn,r} α_n
    informed = (pulled @ A.T)[:, 1:] / roots - pulled[:, 1:p] * roots
    return np.stack((denoising, aimed, informed))


def spread(g):
    return float(np.var(g, axis=0).sum())


TIMES = (1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.6)


def spreads(level, rng):
    """Return Σ_p Cov(g_k, g_l) of the three gradients for blocks of samples and times: shape (blocks, times, 3, 3)."""
    basis = mfg.scores.HermiteBasis(2, 4)
    estimator = mfg.OperatorInformed(basis, PROCESS, LAW.sample(SIZE, rng))
    found = np.empty((Level(level).pick(8, 12, 16), len(TIMES), 3, 3))
    for block in found:
        x = LAW.sample(SIZE, rng)
        for k, t in enumerate(TIMES):
            alpha = estimator.coefficients(max(t, 0.02))  # the same where the slopes are taken
            g = gradients(x, t, alpha, basis, rng.standard_normal(x.shape))
            g = (g - g.mean(axis=1, keepdims=True)).reshape(3, -1)
            block[k] = g @ g.T / SIZE
    return found


def slopes_in_noise(level, rng, loud=1.0, copies=False, rise=1.0, closed=1.0, size=1.0):
    """Return findings and series on the variance of gradients as t → 0; `copies` takes denoising in place of both.

    `loud` multiplies the noise that denoising aims at.
    """
    del size  # a factor changes no slope
    times = TIMES
    copied, informed = np.array([1.0, loud, 0.0]), np.array([0.0, 0.0, 1.0])
    weights = np.stack((copied, copied if copies else closed * informed + (1 - closed) * copied))
    variances = np.einsum("wk,btkl,wl->wbt", weights, once(spreads, level, rng), weights)
    v = np.array([float(PROCESS.variance(t)) for t in times])
    findings = []
    for name, values, rate, delta in zip(
        ("denoising", "operator-informed"), variances, (-1.0, 0.0), (0.05, 2.5e-3), strict=True
    ):
        near, far = (np.log(values[:, k + 1] / values[:, k]) / np.log(v[k + 1] / v[k]) / rise for k in (0, 1))
        slope = mfg.diagnostics.mean_interval(near, "blocks of samples")
        bent = mfg.Estimate(0.0, abs(float(np.mean(far - near))), mfg.Kind.EXTRAPOLATED, "a decade further")
        leading = mfg.exact(rate, "leading term")
        findings.append(
            equal(f"{name}: slope of the gradient's variance in v", slope + bent, leading, resolution=delta)
        )
    series = [
        Series(name, "v(t)", v.tolist(), "variance of the gradient", row.mean(axis=0).tolist())
        for name, row in zip(("denoising", "operator-informed"), variances, strict=True)
    ]
    return findings, series


SEEN = 0.2
"""the time at which means of both gradients are compared, at half of the coefficients, where they are not zero"""
ROUNDING, ONE = 2e-14, 1e-13
"""of sums over 36 nodes of polynomials of degree six, and what of a mean gradient is let pass"""


def over_the_noise(level, rng):
    """Return of each sample the means over the noise of the three gradients, (3, n, p): by Gauss's rule, exact for polynomials."""
    basis = mfg.scores.HermiteBasis(2, 4)
    alpha = 0.5 * mfg.OperatorInformed(basis, PROCESS, LAW.sample(SIZE, rng)).coefficients(SEEN)
    x = LAW.sample(Level(level).pick(200, 1000, 5000), rng)
    nodes, weights = np.polynomial.hermite_e.hermegauss(6)
    rule = [
        (np.array([a, b]), c * d)
        for a, c in zip(nodes, weights, strict=True)
        for b, d in zip(nodes, weights, strict=True)
    ]
    return sum(w / (2 * np.pi) * gradients(x, SEEN, alpha, basis, np.tile(z, (len(x), 1))) for z, w in rule)


def of_one_objective(level, rng, loud=1.0, copies=False, size=1.0):
    """Return the finding that ours is denoising's mean over the noise: that a variance is small says nothing of that."""
    still, aimed, informed = once(over_the_noise, level, rng)
    denoising = still + loud * aimed
    ours = size * (denoising if copies else informed)
    typical = float(np.sqrt(np.mean(np.sum(informed**2, axis=1))))
    off = float(np.linalg.norm(ours - denoising, axis=1).max()) / typical
    found = mfg.Estimate(off, ROUNDING, mfg.Kind.BOUND, "Gauss's rule, exact for these polynomials")
    label = f"t = {SEEN:g}: ours less denoising's mean over the noise, relative, largest of the samples"
    return equal(label, found, mfg.exact(0.0, "one objective"), resolution=ONE)


SIZES = (500, 2000, 8000)


def fitted(level, rng):
    """Return the coefficients of data sets of each size at one small time: informed; of denoising without its noise, and of that."""
    t, basis, seeds, found = 0.02, mfg.scores.HermiteBasis(2, 4), Level(level).pick(24, 40, 80), {}
    p, roots, v = len(basis.eigenvalues), np.sqrt(basis.eigenvalues[1:]), float(PROCESS.variance(t))
    for n in SIZES:
        found[n] = np.empty((3, seeds, p - 1))
        for seed in range(seeds):
            x = LAW.sample(n, rng)
            informed = mfg.OperatorInformed(basis, PROCESS, x, ridge=1e-2)
            found[n][0, seed] = roots * informed.coefficients(t)[1:]
            z = rng.standard_normal(x.shape)
            noised = float(PROCESS.mean_coefficient(t)) * x + np.sqrt(v) * z
            slopes = basis.differentiate(np.eye(p), noised, 1)[1][:, :, 1:] / roots
            flat = slopes.reshape(-1, p - 1)
            A = flat.T @ flat / n
            b = flat.T @ np.stack((noised.ravel(), -z.ravel() / np.sqrt(v)), axis=1) / n
            found[n][1:, seed] = np.linalg.solve(A + 1e-2 * np.eye(p - 1), b).T
    return found


def estimators(level, rng, loud=1.0, copies=False, rise=1.0, closed=1.0, size=1.0):
    """Return a finding and series on the estimators' scatter over data sets, over n, at one small time."""
    del rise  # of slopes
    found, sizes = {}, SIZES
    for n, (informed, still, noisy) in once(fitted, level, rng).items():
        denoising = still + loud * noisy
        ours = size * (denoising if copies else closed * informed + (1 - closed) * denoising)
        found[n] = [spread(values) for values in (ours, denoising)], [_halves(values) for values in (ours, denoising)]
    series = [
        Series(name, "samples", list(sizes), "variance of the coefficients, t = 0.02", [found[n][0][k] for n in sizes])
        for k, name in enumerate(("operator-informed", "denoising"))
    ]
    logs = np.concatenate([np.log(np.array(found[n][1][1]) / np.array(found[n][1][0])) for n in sizes])
    gain = mfg.diagnostics.mean_interval(logs, "groups of data sets")
    fivefold = mfg.exact(np.log(5.0), "fivefold")
    return [at_least("t = 0.02: log of denoising's variance over ours", gain, fivefold, resolution=1e-3)], series


def _halves(values):
    """Return the spreads of four groups of data sets."""
    return [spread(group) for group in np.array_split(values, 4)]


def network_gradients(level, rng, decay, size):
    """Return findings on the gradient of a network: its mean is kept, early, while it has one; its variance falls later."""
    kept, _ = _gradient(level, rng, decay, size, EARLY)
    _, fall = _gradient(level, rng, decay, size, LATE)
    return [
        equal(
            "network: square of the gradient's shift by the control, over the gradient's",
            kept,
            mfg.exact(0.0, "unbiased"),
            resolution=Level(level).pick(0.12, 0.06, 0.06),
            because="relative to a mean gradient that some draws have little of: of 14 seeds one reaches 0.094, 13 0.01",
        ),
        at_most(
            "network: log of the gradient's variance, controlled over plain",
            fall,
            mfg.exact(-np.log(2.0), "half"),
            resolution=1e-3,
        ),
    ]


TRAINED = {}
"""networks by samples, steps and seed: the control is about the very ones of the measure"""


def _trained(objective, x, steps, seed):
    """Return a network after so many steps."""
    key = x.tobytes(), steps, seed
    if key not in TRAINED:
        TRAINED[key] = mfg.train(PROCESS, x, objective, widths=WIDTHS, steps=steps, batch_size=256, seed=seed)
    return TRAINED[key]


@cache
def _pairs(network, objective):
    """Return, compiled once for all weights and decays, the gradients without and with control of a batch for each key."""
    function = forward(network)
    batch, times = 512, PROCESS.horizon * jnp.linspace(0, 1, 4097) ** 2
    m, sd, D = (
        jnp.asarray(np.asarray(f(np.asarray(times))), jnp.float32)
        for f in (PROCESS.mean_coefficient, lambda t: np.sqrt(PROCESS.variance(t)), PROCESS.diffusivity)
    )

    def loss(layers, y, t, weight, noise):
        score = jax.vmap(lambda p, u: jax.grad(lambda q: function(layers, q, u))(p))(y, t)
        return 0.5 * jnp.mean(weight * jnp.sum((score + noise) ** 2, axis=1))

    def pair(layers, data, decay, key):
        steadied = mfg.learning.steadied_noise(objective, PROCESS, slowed(3, decay))
        picks, clock, noise = jax.random.split(key, 3)
        x0 = data[jax.random.randint(picks, (batch,), 0, len(data))]
        t = jax.random.uniform(clock, (batch,), minval=START**0.5, maxval=PROCESS.horizon**0.5) ** 2
        z = jax.random.normal(noise, x0.shape)
        scale = jnp.interp(t, times, sd)[:, None]
        y = jnp.interp(t, times, m)[:, None] * x0 + scale * z
        weight = 2 * jnp.interp(t, times, D)
        flat = [
            jax.flatten_util.ravel_pytree(jax.grad(loss)(layers, y, t, weight, n))[0]
            for n in (z / scale, steadied(x0, t, z)[1])
        ]
        return jnp.stack(flat)

    return jax.jit(lambda layers, data, decay, keys: jax.lax.map(lambda key: pair(layers, data, decay, key), keys))


def batches(level, decay, steps, rng):
    """Return the gradients without and with control of batches, after so many steps."""
    x = LAW.sample(SIZE, rng)
    objective = mfg.Objective(weighting="diffusion", start=START)
    trained = _trained(objective, x, steps, int(rng.integers(2**31)))
    count = Level(level).pick(320, 400, 1280)
    keys = jax.random.split(jax.random.key(int(rng.integers(2**31))), count)
    both = _pairs(trained.network, objective)
    found = np.asarray(both(trained.layers, jnp.asarray(x, jnp.float32), decay, keys), dtype=float)
    return found[:, 0], found[:, 1]


def _gradient(level, rng, decay, size, steps):
    """Return the square of the mean's shift over the mean's, and the log of the variances' ratio, after so many steps."""
    plain, controlled = once(batches, level, decay, steps, rng)
    controlled = size * controlled
    # |E g′ − E g|² without bias: products of differences from batches that are independent
    shifts = np.stack([block.mean(axis=0) for block in np.array_split(controlled - plain, 32)])
    length = float(np.sum(controlled.mean(axis=0) ** 2))
    shift = mfg.diagnostics.mean_interval(np.einsum("kp,kp->k", shifts[::2], shifts[1::2]) / length, "pairs of blocks")
    groups = zip(np.array_split(plain, 8), np.array_split(controlled, 8), strict=True)
    fall = mfg.diagnostics.mean_interval([np.log(spread(c) / spread(p)) for p, c in groups], "groups of batches")
    return shift, fall


def risk(score, rng):
    """Return the mean over five times of v(t) E|s − ∇log p_t|²."""
    total = 0.0
    for t in (0.005, 0.02, 0.1, 0.3, 0.7):
        law = mfg.marginal(PROCESS, LAW, t)
        y = law.sample(2000, rng)
        misses = np.mean(np.sum((score(y, t) - law.score(y)) ** 2, axis=1))
        total += float(PROCESS.variance(t)) * float(misses) / 5
    return total


def trainings(level, moved, saving, rng):
    """Return the logs of the risk of networks trained in pairs: a base of degree two at half the steps, a control at equal steps."""
    half_steps, controlled = [], []
    for _ in range(Level(level).pick(0, 10, 20) // (2 if moved or saving > 1 else 1)):
        x, seed = LAW.sample(SIZE, rng), int(rng.integers(2**31))
        base = mfg.scores.jax_potential(
            mfg.OperatorInformed(mfg.scores.HermiteBasis(2, 2), PROCESS, x + moved), start=START
        )

        def trained(steps, base=None, x=x, seed=seed, **objective):
            goal = mfg.Objective(start=START, **objective)
            found = mfg.train(PROCESS, x, goal, widths=WIDTHS, steps=steps, batch_size=256, seed=seed, base=base)
            return risk(found.score, np.random.default_rng(seed))

        half_steps.append(np.log(trained(1000, base) / trained(2000)))
        steadied = trained(1000 // saving, weighting="diffusion", control=3)
        plain = trained(1000, weighting="diffusion", control=0)
        controlled.append(np.log(steadied / plain))
    return half_steps, controlled


def training(level, rng, moved=0.0, saving=1, size=1.0):
    """Return findings on networks trained in pairs.

    `moved` is by how much the base's samples are moved, `saving` divides the steps with a control: false variants, of fewer pairs.
    """
    half_steps, controlled = (np.log(size) + np.array(logs) for logs in once(trainings, level, moved, saving, rng))
    if not half_steps.size:
        return []
    as_good = mfg.exact(0.0, "as good")
    return [
        at_most(
            "base of degree 2, 1000 steps, over plain, 2000 steps: log of the risk",
            mfg.diagnostics.mean_interval(half_steps, "pairs"),
            as_good,
            resolution=1e-3,
        ),
        at_most(
            "control of degree 3 over plain, 1000 steps: log of the risk",
            mfg.diagnostics.mean_interval(controlled, "pairs"),
            as_good,
            resolution=1e-3,
        ),
    ]


PARTS = ("slopes", "estimators", "network", "training")


@claim.measure
def variances(level, rng, decay=1.0, moved=0.0, saving=1, parts=PARTS, rise=1.0, closed=1.0, size=1.0, **other):
    """`decay` multiplies the rates at which the control's functions are believed to fade; `other` is for linear models.

    `moved` and `saving` are of the networks that are trained. v is believed to rise as its power `rise` does; `closed` is the share of
    the closed form in our gradient, the rest a noised copy; `size` multiplies the controlled gradient, the estimators' own
    coefficients, our mean gradient, and the risk of the networks that the closed forms have helped.
    """
    findings, series, apart = [], [], rng.spawn(1)[0]
    if "slopes" in parts:
        findings.append(of_one_objective(level, apart, size=size, **other))
    for name, measured in (("slopes", slopes_in_noise), ("estimators", estimators)):
        if name in parts:
            more, curves = measured(level, rng, rise=rise, closed=closed, size=size, **other)
            findings += more
            series += curves
    if "network" in parts:
        findings += network_gradients(level, rng, decay, size)
    if "training" in parts:
        findings += training(level, rng, moved, saving, size)
    return Evidence(findings, series)


@claim.control(
    "the known means left out; of networks, a base fitted to samples moved by four, and nine tenths of the steps saved"
)
def left_out(level, rng):
    return variances(level, rng, decay=1e3, moved=4.0, saving=10, parts=("network", "training"))


@claim.control("a noised copy of each sample where the expectation over the noise stands")
def copied(level, rng):
    return variances(level, rng, parts=("slopes", "estimators"), copies=True)


@claim.control("denoising that aims at no noise")
def quiet(level, rng):
    return variances(level, rng, parts=("slopes",), loud=0.0)
