"""A denoiser is a martingale of its own reverse SDE if and only if its score solves the score Fokker–Planck equation.

h = (x + V s_θ)/a under dY = (−f + 2D s_θ)dτ + √(2D) dW has the drift −(V/a)ε, ε the residual of s_θ = ∇φ. Checked pointwise
from mixtures at complex places and times, for scores of other processes; and by the backward equation: E[h(Y_0)|Y_t = x] = h(x, t) for the exact score.
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
    coefficients=("drift", "noise"),
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


STEP = 1e-40
"""of times and places, imaginary: nothing cancels, and what a derivative leaves out is of size η²"""
ROUNDING, DELTA = 2e-12, 1e-11
"""of sums over blobs of width 0.3 and their third derivatives, over the largest; what is asked of them"""


def moments(process, t):
    """Return a and V, at complex times too."""
    a, V = process.mean_coefficient(t), process.variance(t)
    return np.asarray(a)[()], np.asarray(V)[()]


def blurred(process, law, x, t):
    """Return the score s of round blobs, and v ↦ Jv, J = ∇s, at points (n, d) and a time, both perhaps complex."""
    a, V = moments(process, t)
    c = a**2 * law.covariances[:, 0, 0] + V
    y = (x[:, None] - a * law.means) / c[:, None]
    logs = np.log(law.weights) - 0.5 * law.dimension * np.log(c) - 0.5 * np.sum(y * y, axis=-1) * c
    shares = np.exp(logs - logs.real.max(axis=1, keepdims=True))
    shares = shares / shares.sum(axis=1, keepdims=True)
    s = -np.einsum("nk,nki->ni", shares, y)

    def along(v):
        inner = np.einsum("nki,ni->nk", y, v)
        spread = np.einsum("nk,nki->ni", shares * inner, y) - np.sum(shares / c, axis=1)[:, None] * v
        return spread - s * np.sum(s * v, axis=1)[:, None]

    return s, along


def denoiser(process, score, x, t):
    """Return (x + V s)/a."""
    a, V = moments(process, t)
    return (x + V * score(x, t)) / a


def generated(process, other, law, x, t, noise):
    """Return the drift of the denoiser along −f + (1 + noise²)D s with noise·√(2D) dW, s of another process."""
    D, (a, V) = float(process.diffusivity(t)), moments(process, t)
    s, along = blurred(other, law, x, t)
    velocity = -process.drift(x, t) + (1 + noise**2) * D * s
    later = t + 1j * STEP * t
    rate = denoiser(process, lambda y, u: blurred(other, law, y, u)[0], x, later).imag / (STEP * t)
    bend = 0.0
    for e in np.eye(x.shape[1]):
        bend = bend + blurred(other, law, x + 1j * STEP * e, t)[1](np.broadcast_to(e, x.shape)).imag / STEP
    return -rate + (velocity + V * along(velocity)) / a + noise**2 * D * V / a * bend


KEPT = {}
"""by level, draws and noise: a factor of what is stated derives nothing again"""


def sides(level, rng, noise):
    """Return by process the drifts, −(V/a)ε and the largest of it for every law drawn; and the finding of the exact score."""
    key = Level(level), str(rng.bit_generator.state), noise
    if key in KEPT:
        return KEPT[key]
    rows = {name: [] for name in cases()}
    for name in rows:
        for d in (1, 2, 3):
            process, t, other = cases()[name]
            for _ in range(Level(level).pick(2, 6, 20)):
                law = blobs(rng, d)
                score, x = mfg.ExactScore(other, law), rng.normal(size=(40, d))
                a, V = moments(process, t)
                residual = mfg.score_residual(process, score, x, t)
                size = np.abs(residual).max() * V / a
                rows[name].append((generated(process, other, law, x, t, noise), -V / a * residual, size))
    KEPT[key] = rows, consistency(rng, noise)
    return KEPT[key]


@claim.measure
def drifts(level, rng, drift=1.0, noise=1.0):
    """`drift` scales −(V/a)ε, `noise` that of the reverse SDE and what its drift has for it; 0 takes the generator of the ODE."""
    findings = []
    drawn, consistent = sides(level, rng, noise)
    for name, rows in drawn.items():
        worst, bar = 0.0, ROUNDING
        for found, stated, size in rows:
            worst = max(worst, float(np.abs(found - drift * stated).max() / size))
        estimate = mfg.Estimate(worst, bar, mfg.Kind.BOUND, "imaginary steps, to rounding")
        label = f"{name}: drift of the denoiser + (V/a)ε, over the largest (V/a)|ε|"
        findings.append(equal(label, estimate, mfg.exact(0.0, "claim"), resolution=DELTA))
    return Evidence([*findings, consistent])


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
