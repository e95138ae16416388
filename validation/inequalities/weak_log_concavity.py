"""Laws that are log-concave but for a bounded defect stay so under noising, with constants that are attained by two blobs.

κ(r), the least slope of −∇log p over pairs at distance r, is at least α − r⁻¹f_M(r), f_M(r) = 2√M tanh(√M r/2). Under
dX = −X dt + √2 dW the constants become α_t = α/(α + (1−α)e^{−2t}) and M_t = M e^{−2t}/(α + (1−α)e^{−2t})²: for ½N(±m, v), α = 1/v and
√M = m/v, both sides agree at all r and t. So two constants of the data
bound the slope at all times: flows expand by e^{∫(1 − α + M)} at most, and SDEs contract as long as 2(α − M) > 1.
"""

import numpy as np
from scipy.special import ndtr

import mfgpde as mfg
from mfgpde.core.taylor import Jet
from mfgpde.verify import Claim, Evidence, Level, Series, at_most, equal

claim = Claim(
    statement=(
        r"\kappa_t(r)=\inf_{|x-y|=r}\frac{\langle\nabla\log p_t(y)-\nabla\log p_t(x),x-y\rangle}{r^2}\ge\alpha_t-\frac{2\sqrt{M_t}}r\tanh\frac{\sqrt{M_t}\,r}2,\qquad "
        r"W_2(q_0,\tilde q_0)\le e^{\int_0^T(1-\alpha_t+M_t)dt}\,W_2(q_T,\tilde q_T)"
    ),
    source="after Gentiloni-Silveri and Ocello, ICML 2025 (arXiv:2501.02298, from memory)",
    standing="derived",
    assumes=("dX = −X dt + √2 dW", "α, M of the data", "flows of the exact score"),
    coefficients=("concavity", "defect"),
)

T = 2.5


def noised(law, t):
    """Return the law of X_t."""
    return law.after(mfg.processes.Transition(np.exp(-t), 0.0, -np.expm1(-2 * t)))


DISTANCES = np.linspace(0.05, 6.0, 120)
EXTENT = 8.0
"""how far from zero the middles of pairs are, on the line"""
REACH = 10.0
"""beyond it the laws that SDEs make have less than 1e-13 of their mass and of their second moment"""


def constants(alpha, M, t):
    """Return α_t and M_t."""
    shrink = np.exp(-2 * t)
    below = alpha + (1 - alpha) * shrink
    return alpha / below, M * shrink / below**2


def profile(alpha, M, r=DISTANCES):
    """Return α − f_M(r)/r."""
    return alpha - 2 * np.sqrt(M) / r * np.tanh(0.5 * np.sqrt(M) * r)


def between_middles(law, spacing=0.02):
    """Return by how much κ(r) may be lower between the middles of `slopes` than at them, at any distance.

    A slope's second derivative in the middle is the mean of that of −(log p)'' between the pair, and a function is below the line between
    two nodes by at most h²/8 times its largest: enclosed by Taylor coefficients, on cells as wide as the spacing.
    """
    far = EXTENT + 0.5 * DISTANCES[-1]
    edges = np.linspace(-far, far, int(2 * far / spacing) + 1)
    x, rows = Jet.variable(edges[:-1], edges[1:], 2), []
    for w, m, v in zip(law.weights.tolist(), law.means[:, 0].tolist(), law.covariances[:, 0, 0].tolist(), strict=True):
        rows.append((float(np.log(w / v**0.5)) - 0.5 / v * (x - m) ** 2, -1 / v * (x - m), v))
    # (log p)'' = Σ_{j<k} r_j r_k (g_j − g_k)² − Σ r_k/v_k, a share r one over a sum of ratios: small ones stay so in intervals
    shares = [
        1 / sum(((one - log).exp() for one, *_ in rows[:k] + rows[k + 1 :]), 1.0) for k, (log, *_) in enumerate(rows)
    ]
    found = sum((-1 / rows[k][2] * shares[k] for k in range(1, len(rows))), -1 / rows[0][2] * shares[0])
    for k, (_, g, _) in enumerate(rows):
        for j in range(k):
            found = found + shares[j] * shares[k] * (rows[j][1] - g) ** 2
    return spacing**2 / 8 * 2 * float(found.largest(2).max())


def slopes(law, spacing=0.02):
    """Return κ(r) of a law on the line at the distances, over pairs with middles on a fine grid."""
    middle = np.arange(-EXTENT, EXTENT + spacing / 2, spacing)
    x, y = (middle[:, None] + sign * 0.5 * DISTANCES for sign in (1, -1))
    s = [law.score(z.reshape(-1, 1)).reshape(z.shape) for z in (x, y)]
    return ((s[1] - s[0]) / DISTANCES).min(axis=0)


FEW = np.linspace(0.1, 5.0, 10)
"""distances of pairs in the plane and in space"""


def least_slopes(law, rng, kept=6, tries=32, rounds=110):
    """Return κ(r) of a law in any dimension at few distances: the best of 600 pairs drawn, led downhill by ever smaller steps."""
    d, reach = law.dimension, 1.0 + float(np.abs(law.means).max())

    def slope(places, r):
        along = places[..., d:]
        step = 0.5 * r[..., None] * along / np.linalg.norm(along, axis=-1, keepdims=True)
        middle = places[..., :d]
        return ((law.score(middle - step) - law.score(middle + step)) * step).sum(axis=-1) * 2 / r**2

    r = FEW[:, None]  # a distance a row
    starts = np.concatenate((rng.uniform(-reach, reach, (600, d)), rng.standard_normal((600, d))), axis=-1)
    values = slope(starts, r)
    order = np.argsort(values, axis=1)[:, :kept]
    best, least = starts[order], np.take_along_axis(values, order, axis=1)
    for k in range(rounds):
        near = best[:, :, None] + 0.5 * 0.86**k * rng.standard_normal((*best.shape[:2], tries, 2 * d))
        found = slope(near, r[..., None])
        which = found.argmin(axis=-1)[..., None]
        lower, places = (
            np.take_along_axis(found, which, axis=-1)[..., 0],
            np.take_along_axis(near, which[..., None], axis=2)[:, :, 0],
        )
        best, least = np.where((lower < least)[..., None], places, best), np.minimum(lower, least)
    return least.min(axis=1)


def across(law):
    """Return the slope of −∇log p over pairs about the middle of two round blobs ±m, along m: the least at each distance.

    ∇log p = −x/V + tanh(m·x/V) m/V: a pair at the angle θ to m whose middle has m·x/V = u has the slope
    1/V − (|m| c/rV)·2 sinh 2h/(cosh 2u + cosh 2h), h = c|m|r/2V, c = |cos θ|: least at u = 0, and falling in c.
    """
    m = law.means[1] / np.linalg.norm(law.means[1])
    x = 0.5 * FEW[:, None] * m
    return ((law.score(-x) - law.score(x)) @ m) / FEW


def fitted(law, kappa, r=DISTANCES):
    """Return α and M that the profile of a law allows: α half of its slope far away, the least M that then holds."""
    alpha = 0.8 * float((1 / law.covariances[:, 0, 0]).min())
    low, high = 0.0, 1e4
    for _ in range(60):
        M = 0.5 * (low + high)
        low, high = (low, M) if np.all(kappa >= profile(alpha, M, r)) else (M, high)
    return alpha, high


def growth(alpha, M, early, late, noise=0.0):
    """Return exp of ∫(1 − (1 + noise)(α_t − M_t))dt over [early, late], noise 0 for the flow and 1 for the SDE."""
    u, w = np.polynomial.legendre.leggauss(40)
    t = 0.5 * (late - early) * (u + 1) + early
    a, m = constants(alpha, M, t)
    return float(np.exp(0.5 * (late - early) * w @ (1 - (1 + noise) * (a - m))))


def spread(m, v, alpha, M):
    """Return how much the flow widens ½N(±m, v) in the middle from the horizon on, over its bound, with what quadrature leaves.

    The middle does not move, so that its neighbours part at the rate 1 + ∂_x s_t(0) = 1 − 1/V + (m e^{−t}/V)².
    """

    def excess(t):
        shrink = np.exp(-2 * t)
        V = v * shrink + (1 - shrink)
        a, above = constants(alpha, M, t)
        return (m**2 * shrink / V - 1) / V - (above - a)

    log = mfg.solvers.certified_integral(excess, 0.0, T, tolerance=1e-11)
    return mfg.Estimate(np.exp(log.value), np.exp(log.value) * np.expm1(log.half_width), log.kind, log.method)


def sent(law, shift, late, early):
    """Return the distribution function at `early` of what the SDE of ½N(±m, v) makes of N(shift, ½) at `late`, and its rest.

    The SDE with the exact score goes back the way that the data came (Anderson): given Y = y at `late`, Bayes' formula has X at
    `early` as two blobs of one variance, with means (V a y + σ² b_k)/V_late and shares that are logistic in y. Over y a lattice's
    sum: shares have their poles at |Im y| = πV_late/2|b|a, and half way there they are below one; |Φ(u + iv)| ≤ 1 + 0.4 v e^{v²/2}.
    """
    v, a = float(law.covariances[0, 0, 0]), np.exp(early - late)
    V, middle = v * np.exp(-2 * early) - np.expm1(-2 * early), law.means[:, 0] * np.exp(-early)
    added = -np.expm1(2 * (early - late))
    top = a * a * V + added
    slope, spread = V * a / top, np.sqrt(V * added / top)  # of X in y, and of X about its mean
    width = min(0.25 * np.pi * top / (middle[1] * a), 1.0)
    h = 2 * np.pi * width / 40
    y = shift + h * np.arange(-int(9 / h), int(9 / h) + 1)
    shares = 1 / (1 + np.exp(-2 * a * np.outer(middle, y) / top))
    weights = h * np.exp(-((y - shift) ** 2)) / np.sqrt(np.pi) * shares
    means = slope * y + (added * middle / top)[:, None]
    off = slope * width / spread
    size = 2 * np.exp(width**2) * (1 + 0.4 * off * np.exp(0.5 * off**2))
    rest = float(mfg.solvers.lattice_rest(size, width, h)) + 2e-16 * len(y)

    def distribution(x):
        return np.einsum("ky,kyx->x", weights, ndtr((x - means[..., None]) / spread))

    return distribution, rest


def carried(law, shift, late, early, cells):
    """Return W₂ at `early` over W₂ at `late` of two laws driven by the SDE from N(±shift, ½), between two numbers.

    Both are known by `sent`, images of each other at zero, F and 1 − F(−·): at a level u their quantiles are q(u) and −q(1 − u). On a grid of
    places q lies between two of them, and |q(u) + q(1 − u)| between two numbers for every piece of levels.
    """
    distribution, rest = sent(law, shift, late, early)
    x = np.linspace(-REACH, REACH, cells + 1)
    F = distribution(x)
    levels = np.unique(np.concatenate((F, 1 - F)))
    u, mass = 0.5 * (levels[1:] + levels[:-1]), np.diff(levels)
    k, j = (np.clip(np.searchsorted(F, one) - 1, 0, cells - 1) for one in (u, 1 - u))
    middle, half = 0.5 * (x[k] + x[k + 1] + x[j] + x[j + 1]), x[1] - x[0]
    # levels are off by `rest`: so much mass at most is on another piece, and beyond the grid tails are those of two blobs
    off = 16 * REACH**2 * (rest + 1e-15) * cells + 1e-11
    low, high = (float(mass @ np.maximum(np.abs(middle) + sign * half, 0.0) ** 2) + sign * off for sign in (-1, 1))
    low, high = np.sqrt(max(low, 0.0)), np.sqrt(high)
    how = f"by Bayes' formula, quantiles between {cells + 1} places"
    return mfg.Estimate(0.25 * (low + high) / shift, 0.25 * (high - low) / shift, mfg.Kind.BOUND, how)


def drawn_together(v, alpha, late, early, pull, beyond):
    """Return W₂ at `early` over W₂ at `late` of two laws driven by the SDE of N(m, v), over its bound, or as it is `beyond` it.

    The score is −(x − m_t)/V: both laws are Gaussian with one variance, and their means part at the rate 1 − 2/V.
    """

    def excess(t):
        shrink = np.exp(-2 * t)
        rate = 1 - 2 / (v * shrink + (1 - shrink))
        return rate if beyond else rate - (1 - (1 + pull) * constants(alpha, 0.0, t)[0])

    log = mfg.solvers.certified_integral(excess, early, late, tolerance=1e-11)
    return mfg.Estimate(np.exp(log.value), np.exp(log.value) * np.expm1(log.half_width + 1e-14), log.kind, log.method)


def beyond_the_line(level, rng, concavity, defect):
    """Return the same of two blobs along an axis, and of three anywhere, in the plane and in space."""
    zero, findings, times = mfg.exact(0.0, "claim"), [], (0.1, 0.4)
    for d in (2, 3):
        off, v = np.zeros((2, d)), 0.3
        off[:, 0] = -1.2, 1.2
        pair, M = mfg.GaussianMixture([0.5, 0.5], off, v), defect * 1.2**2 / v**2
        kappas = [np.minimum(least_slopes(noised(pair, t), rng), across(noised(pair, t))) for t in times]
        bounds = [profile(*constants(concavity / v, M, t), FEW) for t in times]
        gap = mfg.Estimate(
            float(np.abs(np.array(kappas) - bounds).max()),
            1e-11,
            mfg.Kind.BOUND,
            "the least pair is known, none found below",
        )
        # δ: roundings of slopes of size ten
        findings.append(equal(f"{d}D, two blobs: κ_t(r) − its bound, largest", gap, zero, resolution=5e-11))
        worst = []
        for _ in range(Level(level).pick(1, 3, 10)):
            law = mfg.GaussianMixture(
                rng.dirichlet(3 * np.ones(3)), rng.uniform(-1.2, 1.2, (3, d)), rng.uniform(0.2, 0.6, 3)
            )
            a, M0 = fitted(law, np.minimum(*(least_slopes(law, rng) for _ in range(2))), FEW)
            for t in times:
                bound = profile(*constants(concavity * a, defect * M0, t), FEW)
                one, other = (least_slopes(noised(law, t), rng) for _ in range(2))
                worst.append((float((bound - np.minimum(one, other)).max()), float(np.abs(one - other).max())))
        lack, moved = max(worst)
        # no bound: a least value over pairs is one over four or six coordinates
        found = mfg.Estimate(lack, moved + 1e-8, mfg.Kind.EXTRAPOLATED, "searches from other pairs")
        findings.append(at_most(f"{d}D, three blobs: bound − κ_t(r), largest", found, zero, resolution=0.0))
    return findings


@claim.measure
def propagated(level, rng, concavity=1.0, defect=1.0, beyond=False, pull=1.0):
    """`concavity` scales α, `defect` M; `pull` is how often the score enters the SDE beside once; `beyond` asks for contraction of the SDE from t* on."""
    findings, zero, one = [], mfg.exact(0.0, "claim"), mfg.exact(1.0, "claim")
    v, m = 0.3, 1.8
    pair, alpha, M = mfg.GaussianMixture([0.5, 0.5], [[-m], [m]], v), concavity / v, defect * (m / v) ** 2
    times = (0.0, 0.1, 0.4, 1.0)
    gaps = [np.abs(slopes(noised(pair, t)) - profile(*constants(alpha, M, t))).max() for t in times]
    known = mfg.Estimate(float(max(gaps)), 1e-11, mfg.Kind.BOUND, "the least pair is in the middle, a node")
    findings.append(equal("two blobs: κ_t(r) − its bound, largest over r and t", known, zero, resolution=5e-11))
    worst = []
    for _ in range(Level(level).pick(4, 12, 40)):  # of pairs whose middles are within EXTENT of zero
        law = mfg.GaussianMixture(
            rng.dirichlet(3 * np.ones(3)), rng.uniform(-1.2, 1.2, (3, 1)), rng.uniform(0.2, 0.6, 3)
        )
        a, M0 = fitted(law, slopes(law))
        for t in times[1:]:
            room = slopes(noised(law, t)) - profile(*constants(concavity * a, defect * M0, t))
            lower = 0.5 * between_middles(noised(law, t))
            how = "pairs with middles 0.02 apart, what lies between bounded"
            worst.append(mfg.Estimate(lower - float(room.min()), lower + 1e-12, mfg.Kind.BOUND, how))
    lack = max(worst, key=lambda e: e.upper)
    findings.append(at_most("three blobs: bound − κ_t(r), largest", lack, zero, resolution=5e-6))
    findings += beyond_the_line(level, rng, concavity, defect)
    # δ: four times the bar
    ratio, label = spread(m, v, alpha, M), "two blobs, near the middle: expansion by the flow over its bound"
    findings.append(equal(label, ratio, one, resolution=6e-13))
    # the SDE contracts while 2(α − M) > 1: from the horizon to t*
    t = np.linspace(1e-3, T, 3000)
    true_alpha, true_M = constants(1 / v, (m / v) ** 2, t)
    turn = float(t[2 * (true_alpha - true_M) > 1][0])
    late, early = (turn, 1e-3) if beyond else (T, turn)
    cells = Level(level).pick(6000, 12_000, 24_000)
    what = "W₂ of two SDEs from T to t* over its bound"
    bound = 1.0 if beyond else growth(alpha, M, early, late, noise=pull)
    found = carried(pair, 0.4, late, early, cells) / bound
    findings.append(at_most(f"two blobs: {what}", found, one, resolution=0.0))
    together = drawn_together(v, concavity / v, late, early, pull, beyond)
    # δ: four times the bar
    relation, small = (at_most, 0.0) if beyond else (equal, 4e-14)
    findings.append(relation(f"one blob: {what}", together, one, resolution=small))
    kappa = Series("κ at t = 0.1, two blobs", "r", list(DISTANCES), "least slope", list(slopes(noised(pair, 0.1))), "")
    return Evidence(findings, [kappa])


@claim.control("M_t = 0: as if the data were log-concave")
def concave(level, rng):
    return propagated(level, rng, defect=0.0)


@claim.control("the SDE contracts two blobs beyond their time, down to the data")
def past(level, rng):
    return propagated(level, rng, beyond=True)


@claim.control("the SDE's bound with D for g²: the slope of the score once")
def once(level, rng):
    return propagated(level, rng, pull=0.0)
