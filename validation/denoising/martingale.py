"""A denoiser is a martingale of its own reverse SDE if and only if its score solves the score Fokker–Planck equation.

h = (x + V s_θ)/a under dY = (−f + 2D s_θ)dτ + √(2D) dW has the drift −(V/a)ε, ε the residual of s_θ = ∇φ. Checked pointwise
by differences of h, for scores of other processes; and by the backward equation: E[h(Y_0)|Y_t = x] = h(x, t) for the exact score.
"""

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, equal

claim = Claim(
    statement=(
        r"h_\theta=\tfrac{x+Vs_\theta}{a}:\qquad -\partial_th_\theta+(-f+2Ds_\theta)\cdot\nabla h_\theta+D\Delta h_\theta=-\tfrac Va\,\varepsilon,"
        r"\qquad \varepsilon=0\iff\mathbb E[h_\theta(Y_s,s)|Y_t=x]=h_\theta(x,t)"
    ),
    source="arXiv:2306.00367 and arXiv:2302.09057",
    standing="derived",
    assumes=("a linear process with scalar drift", "s_θ a gradient"),
    coefficients=("drift",),
)


def cases():
    """Return processes, the times at which they are looked at, and the processes whose score is put in place of theirs."""
    return {
        "OU": (mfg.OrnsteinUhlenbeck(horizon=2.0), 0.5, mfg.VariancePreserving(beta_min=0.8, beta_max=3.0)),
        "VP": (mfg.VariancePreserving(), 0.3, mfg.VariancePreserving(beta_max=14.0)),
        "VE": (mfg.VarianceExploding(0.05, 3.0), 0.5, mfg.VarianceExploding(0.06, 2.0)),
    }


def blobs(rng, d):
    """Return three blobs."""
    return mfg.GaussianMixture(rng.dirichlet(2 * np.ones(3)), rng.uniform(-1.4, 1.4, (3, d)), rng.uniform(0.1, 0.3, 3))


def moments(process, t):
    """Return a and V."""
    factor, _, covariance = process.transition(0.0, float(t)).in_dimension(1)
    return float(factor[0, 0]), float(covariance[0, 0])


def denoiser(process, score, x, t):
    """Return (x + V s)/a."""
    a, V = moments(process, t)
    return (x + V * score(x, t)) / a


def generated(process, score, x, t, noise, h):
    """Return the drift of the denoiser along the dynamics −f + (1 + noise²)D s with noise·√(2D) dW, by differences of order six."""
    D = float(process.diffusivity(t))
    velocity = -process.drift(x, t) + (1 + noise**2) * D * score(x, t)
    first, second = np.array([-1, 9, -45, 0, 45, -9, 1]) / 60, np.array([2, -27, 270, -490, 270, -27, 2]) / 180
    result = -sum(c * denoiser(process, score, x, t + k * h) for k, c in zip(range(-3, 4), first, strict=True)) / h
    for i in range(x.shape[-1]):
        e = np.eye(x.shape[-1])[i] * h
        values = [denoiser(process, score, x + k * e, t) for k in range(-3, 4)]
        slope = sum(c * v for c, v in zip(first, values, strict=True)) / h
        bend = sum(c * v for c, v in zip(second, values, strict=True)) / h**2
        result = result + velocity[..., i : i + 1] * slope + noise**2 * D * bend
    return result


@claim.measure
def drifts(level, rng, drift=1.0, noise=1.0):
    """`drift` scales −(V/a)ε; `noise` 0 takes the generator of the ODE."""
    findings = []
    for name in cases():
        worst, bar = 0.0, 0.0
        for d in (1, 2, 3):
            process, t, other = cases()[name]
            for _ in range(Level(level).pick(2, 6, 20)):
                score = mfg.ExactScore(other, blobs(rng, d))
                x = rng.normal(size=(40, d))
                a, V = moments(process, t)
                residual = mfg.score_residual(process, score, x, t)
                stated, size = -drift * V / a * residual, np.abs(residual).max() * V / a
                fine, rough = (generated(process, score, x, t, noise, h) for h in (0.006, 0.0085))
                worst = max(worst, float(np.abs(fine - stated).max() / size))
                bar = max(bar, float(np.abs(fine - rough).max() / size))
        estimate = mfg.Estimate(worst, bar + 1e-9, mfg.Kind.EXTRAPOLATED, "differences of order six, two steps")
        # δ: steps of 0.006 in blobs of width 0.3
        label = f"{name}: drift of the denoiser + (V/a)ε, over the largest (V/a)|ε|"
        findings.append(equal(label, estimate, mfg.exact(0.0, "claim"), resolution=3e-5))
    return Evidence([*findings, consistency(rng, noise)])


def consistency(rng, noise):
    """Solve the backward equation for E[h(Y_s, s)|Y_t = x] on the line, with the exact score, and compare with h(x, t)."""
    process, early, late = mfg.OrnsteinUhlenbeck(horizon=2.0), 0.1, 0.8
    score = mfg.ExactScore(process, blobs(rng, 1))

    def back(x, t):  # the time that is left runs from 0 at `early` to late − early
        return -process.drift(x, early + t) + (1 + noise**2) * 0.5 * score(x, early + t)

    equation = mfg.equations.BackwardKolmogorov(back, lambda t: 0.5 * noise**2 + 1e-12)
    gaps = []
    for cells in (60, 120):
        space = mfg.FiniteVolume(mfg.CartesianGrid.cube(5.0, cells, 1))
        start = lambda x: denoiser(process, score, x, early)[..., 0]  # noqa: E731
        end = mfg.solve(equation, space, start, (0.0, late - early), rtol=1e-7, mass=None).fields[-1]
        x = space.grid.points
        gap = end.values - denoiser(process, score, x, late)[..., 0]
        p = np.exp(score.potential(x, late))
        gaps.append(np.sqrt(float(space.grid.integrate(p * gap**2))))
    found = mfg.Estimate(gaps[1], abs(gaps[0] - gaps[1]), mfg.Kind.EXTRAPOLATED, "half of the cells")
    return equal(
        "OU, exact score: E[h(Y_s)|Y_t] − h(·, t), root mean square", found, mfg.exact(0.0, "claim"), resolution=1e-2
    )


@claim.control("the generator of the ODE")
def without_noise(level, rng):
    return drifts(level, rng, noise=0.0)


@claim.control("the other sign of ε")
def other_sign(level, rng):
    return drifts(level, rng, drift=-1.0)
