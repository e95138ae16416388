"""The Fokker–Planck residual bounds what ODE and SDE of one score are apart; on a trained network that bound says nothing.

With ρ(t) the standard deviation of R under the middle of q^SDE and p̂ = e^φ/Z. Seeded families under four processes, of scores whose
q^SDE is a mixture in closed form, where all is bounded, and on grids (at level quick under exploding variance); an exact score
started from another prior, where the first bound is an equality; a network trained on nine blobs.
"""

from functools import cache
from pathlib import Path

import jax.numpy as jnp
import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_least, at_most, equal, load_module

claim = Claim(
    statement=(
        r"\int_0^TD\,\mathbb E_q|\nabla\varphi-\nabla\log q|^2dt+\mathrm{KL}(q_0\|\hat p_0)\le\Big(\sqrt{K_T}+\int_0^T\rho\,dt\Big)^2,\qquad "
        r"W_2(q_0^{\mathrm{ODE}},q_0)\le\Big(\int_0^TDe^{2\int_0^tL}dt\Big)^{1/2}\Big(\sqrt{K_T}+\int_0^T\rho\,dt\Big),\qquad "
        r"K=\mathrm{KL}(q\|\hat p),\ q=q^{\mathrm{SDE}}"
    ),
    source="after arXiv:2311.15996",
    standing="derived",
    assumes=(
        "s_θ = ∇φ",
        "one prior for both laws",
        "L the largest one-sided slope of the flow over 99.9 % of the mass",
    ),
    coefficients=("bound", "constant", "growth"),
)

NETWORKS = Path(__file__).parents[1] / "networks"
family, penalised = (load_module(NETWORKS / name) for name in ("_family.py", "_penalised.py"))
known = load_module(NETWORKS / "_known.py")
INSTANTS = 65
"""at which E_q R − E_p̂ R is compared with its bound"""


def in_closed_form(case):
    """Return energy with KL(q_0‖p̂_0), √K_T, ∫ρ dt and the largest part of 2ρ√K that E_q R − E_p̂ R takes, of a known law.

    R is (A′ − aA)x and a constant: q and p̂ have closed forms, and integrals over time are those of formulas.
    """
    T = case.process.horizon

    def energy(t):
        return case.process.diffusivity(t) * case.pull(t) ** 2

    def spread(t):
        apart, one, two = case.tilted(t)
        return np.sqrt(0.5 * (one + two) + 0.25 * apart**2)

    def rho(t):
        return float(np.sign(case.shift)) * case.steepness(t) * spread(t)

    def closed(value):  # late, of an exploding τ, a billion times what roundings are of cancels
        return mfg.Estimate(float(value), 1e-9 * abs(float(value)), mfg.Kind.BOUND, "closed form")

    times = np.linspace(case.stop, T, INSTANTS)
    K = case.own_divergence(times)
    share = np.max(np.abs(case.tilted(times)[0]) / (2 * spread(times) * np.sqrt(K)))
    over = [mfg.solvers.certified_integral(f, case.stop, T, tolerance=1e-9, cells=16) for f in (energy, rho)]
    return over[0] + closed(K[0]), known.root(closed(K[-1])), over[1], closed(share)


def parts(found):
    """Return the energy with KL(q_0‖p̂_0), K at each time, ρ at each time, and E_q R − E_p̂ R."""
    middle = 0.5 * (found.q + found.own)
    K = np.maximum(found.divergence(found.q, found.own), 0.0)
    mean = found.mean(middle * found.residual)
    spread = found.mean(middle * (found.residual - mean.reshape(-1, *(1,) * found.grid.dimension)) ** 2)
    energy = found.over_time(found.diffusivity * found.mean(found.q * np.sum(found.gap**2, axis=-1)))
    return energy + K[-1], K, np.sqrt(spread), found.mean((found.q - found.own) * found.residual)


def compared(case, spacing, count):
    """Return the left side, √K_T, ∫ρ dt, and the largest part of 2ρ√K that E_q R − E_p̂ R takes."""
    n = 2 * int(np.ceil(case.box / spacing))
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(case.box, n, case.data.dimension), order=4)
    left, K, rho, difference = parts(family.laws(case, space, count))
    weights = family.nodes(0.0, case.process.horizon - case.stop, count)[1]
    share = np.max(np.abs(difference[1:]) / (2 * rho * np.sqrt(K) + 1e-12)[1:])
    return np.array([left, np.sqrt(K[0]), weights @ rho, share])


@cache
def drawn(seed, draws, last=False):
    """Return names and, on cells of two sizes, the four numbers of each case of the family, or of the last of each draw."""
    rng, found = np.random.default_rng(seed), {}
    for k in range(draws):
        for case in list(family.draw(rng, strength=1.5))[-1 if last else 0 :]:
            found[f"{case.name}, draw {k}"] = [compared(case, spacing, 65) for spacing in (0.05, 0.1)]
    return found


@cache
def equality():
    """Return the four numbers of the exact score from another prior, on cells of two sizes."""
    return [compared(another_prior(), spacing, 65) for spacing in (0.03, 0.06)]


@cache
def of_priors():
    """Return K_T of the exact score from another prior, KL(π‖p_T): a certified integral, and its tails."""
    case = another_prior()
    law, v0, reach = (
        mfg.marginal(case.process, case.data, case.process.horizon),
        float(case.prior.covariances[0, 0, 0]),
        7.0,
    )
    m, v = law.means[:, 0].tolist(), law.covariances[:, 0, 0].tolist()
    heights = [float(w / np.sqrt(2 * np.pi * c)) for w, c in zip(law.weights, v, strict=True)]
    top = float(1 / np.sqrt(2 * np.pi * v0))

    def integrand(x):
        p = sum((k * np.exp(-0.5 / c * (x - a) ** 2) for k, a, c in zip(heights, m, v, strict=True)), 0.0)
        return top * np.exp(-0.5 / v0 * x**2) * (float(np.log(top)) - 0.5 / v0 * x**2 - np.log(p))

    # |log π| + |log p|, the latter as of the lowest blob, or of all at their tops
    level = abs(np.log(top)) + abs(np.log(min(heights))) + abs(np.log(sum(heights))) + max(a * a for a in m) / min(v)
    beyond = mfg.solvers.tail(case.prior, reach, [float(level), 0.0, 0.5 / v0 + 1 / min(v)])
    found = mfg.solvers.certified_integral(integrand, -reach, reach, tolerance=1e-11)
    return found + mfg.Estimate(0.0, beyond, mfg.Kind.BOUND, "tails")


def with_bars(pair, root):
    """Return left side, right side and share, each with what twice the spacing changes (order two of the slopes of log q).

    No bound: `error_bound` bounds the law q^SDE, not the slopes of its logarithm.
    """
    fine, coarse = ((a, (root * b + c) ** 2, d) for a, b, c, d in pair)
    return [
        mfg.Estimate(float(a), float(abs(a - b)) + 1e-6 * abs(float(a)), mfg.Kind.EXTRAPOLATED, "twice the spacing")
        for a, b in zip(fine, coarse, strict=True)
    ]


def another_prior():
    """Return the exact score of a mixture at a short horizon, started from a Gaussian that is not the noised law: R = 0."""
    process = mfg.OrnsteinUhlenbeck(horizon=0.8)
    data = mfg.densities.bimodal()
    return family.Case("exact score", process, data, mfg.ExactScore(process, data), 0.05, 6.0, mfg.gaussian(0.0, 0.6))


def slow(x, t):
    """Return the potential of the process's stationary law, N(0, I/2), and a wide bump that comes and goes."""
    return -jnp.sum(x**2) + 0.3 * jnp.cos(0.5 * t) * jnp.exp(-jnp.sum(x**2) / 8)


@cache
def on_a_network(level, mild=False):
    """Return W₂ of both laws of a network trained without penalty, times, D, ∫L and ρ there.

    `mild` takes the score of the stationary law with a slow bump in its place, whose flow hardly stretches.
    """
    process, stop = penalised.PROCESS, penalised.STOP
    score = penalised.ensemble("nine_blobs", 0.0, level)[0]
    if mild:
        score = mfg.JaxScore(slow, 2)
    n, count = Level(level).pick((64, 24), (96, 48), (128, 96))
    grid = mfg.CartesianGrid.cube(4.0, n, 2)
    times = (stop + (process.horizon - stop) * (np.arange(1, count + 1) / count) ** 2).tolist()
    sde = mfg.induced_sde(process, score, grid, stop=stop, times=times)
    ode = mfg.induced_ode(process, score, grid, stop=stop, times=times)
    a, b = (np.maximum(law.density.values, 1e-14) for law in (ode, sde))
    distance = mfg.back_and_forth(a / grid.integrate(a), b / grid.integrate(b), grid).distance
    found = mfg.gap_bound(process, score, sde, ode, beside=(sde, sde))  # L and its times: of bars nothing is asked
    exponent = np.concatenate(
        ([0.0], np.cumsum(0.5 * np.diff(found.times) * (found.lipschitz[1:] + found.lipschitz[:-1])))
    )
    x, spreads = grid.points, []
    for t, q in zip(found.times, (sde.density.values, *sde.stages[::-1]), strict=True):
        phi = score.potential(x, float(t))
        own = np.exp(phi - phi.max())
        middle = 0.5 * (np.maximum(q, 0) / grid.integrate(np.maximum(q, 0)) + own / grid.integrate(own))
        R = mfg.log_density_residual(process, score, x, float(t))
        spreads.append(np.sqrt(grid.integrate(middle * (R - grid.integrate(middle * R)) ** 2)))
    D = np.array([float(process.diffusivity(t)) for t in found.times])
    return distance, found.times, D, exponent, np.array(spreads)


def decades(distance, times, D, exponent, spreads, growth=1.0):
    """Return log₁₀ of the bound by the residual over W₂, the exponent ∫L times `growth`.

    The bar: W₂ to the upper end of its interval, what half of the stages change.
    """
    exponent = growth * exponent

    def bound(step):
        keep = np.unique(np.append(np.arange(0, len(times), step), len(times) - 1))
        grown, t = D[keep] * np.exp(2 * exponent[keep]), times[keep]
        return np.log10(np.sqrt(np.trapezoid(grown, t)) * np.trapezoid(spreads[keep], t))

    upper = np.log10(distance.value + distance.half_width)
    bar = abs(bound(1) - bound(2)) + upper - np.log10(distance.value)
    value = bound(1) - np.log10(distance.value)
    return mfg.Estimate(float(value), float(bar), mfg.Kind.EXTRAPOLATED, "half of the stages; W₂ at its upper end")


@claim.measure
def bounded(level, rng, bound=1.0, root=1.0, constant=1.0, growth=1.0, network=True, mild=False):
    """`bound` scales the first bound, `root` the part of the prior, `constant` the 2 of |E_q R − E_p̂ R| ≤ 2ρ√K, `growth` ∫L."""
    findings, left, right = [], [], []
    one = mfg.exact(1.0, "the claim")
    energy, limit = with_bars(equality(), root)[0], _times(of_priors(), root**2)  # ρ = 0
    # δ: what slopes of log q leave, of K_T = 0.021
    label = "exact score, another prior: energy and KL(q‖p̂) = K_T"
    findings.append(equal(label, energy, _times(limit, bound), resolution=1.5e-6))
    seed, draws = int(rng.integers(2**32)), Level(level).pick(1, 3, 10)
    cases = {}
    for name, (energy, start, rise, share) in known.drawn(seed, draws, in_closed_form, spread=1.0).items():
        limit = _times(start, root) + rise
        cases[name] = energy, limit * limit, share, 0.0
    for name, pair in drawn(seed, draws, Level(level) is Level.QUICK).items():
        cases[name] = *with_bars(pair, root), 1e-4  # δ: what slopes of log q leave
    for name, (energy, limit, share, small) in cases.items():
        part = f"{name}: |E_q R − E_p̂ R| as a part of its bound"
        findings.append(at_most(f"{name}: energy and KL(q‖p̂)", energy, _times(limit, bound), resolution=small))
        findings.append(at_most(part, _times(share, 1 / constant), one, resolution=0.0))
        left.append(energy.value)
        right.append(limit.value)
    if network:
        findings.append(
            at_least(
                "nine blobs, a trained network: decades by which the residual's bound exceeds W2",
                decades(*on_a_network(level, mild), growth),
                mfg.exact(2.0, "vacuous"),
                resolution=0.1,
            )
        )
    return Evidence(findings, [Series("every draw", "energy and KL(q‖p̂)", left, "(√K_T + ∫ρ)²", right)])


def _times(estimate, factor):
    return mfg.Estimate(factor * estimate.value, factor * estimate.half_width, estimate.kind, estimate.method)


@claim.control("the prior's part √K_T left out")
def without_the_prior(level, rng):
    return bounded(level, rng, root=0.0, network=False)


@claim.control("0.9 times the bound, where it is an equality")
def smaller(level, rng):
    return bounded(level, rng, bound=0.9, network=False)


@claim.control("a fiftieth of the bound; a score in the network's place whose flow hardly stretches")
def fiftieth(level, rng):
    return bounded(level, rng, bound=0.02, mild=True)


@claim.control("half of the constant: |E_q R − E_p̂ R| ≤ ρ√K")
def half_the_constant(level, rng):
    return bounded(level, rng, constant=0.5, network=False)
