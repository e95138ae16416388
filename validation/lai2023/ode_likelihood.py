"""What the probability-flow ODE loses in likelihood: an identity, the bound by score matching and Fisher divergence, and where they meet.

Seeded families: four processes and scores whose q^ODE is a mixture in closed form, all of which is bounded; and five processes of
several horizons, blobs of which one may be twenty times narrower than another, disturbances that are no gradients in the plane,
with ∇log q^ODE along characteristics (in the plane of one process at level quick, of three at standard; on the line from
standard on).
Where both sides are equal, a linear system has a bound of what its series leave.
What the identity says of an instant is proved for mixtures on the line, in ball arithmetic.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp
from scipy.ndimage import binary_dilation

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_most, equal, load_module

claim = Claim(
    statement=(
        r"\mathrm{KL}(p_0\|q_0)=\mathrm{KL}(p_T\|q_T)+\int_0^T D\,\mathbb{E}_p\left[(s_\theta-\nabla\log p)\cdot(\nabla\log q-\nabla\log p)\right]dt,"
        r"\qquad q=q^{\mathrm{ODE}};\qquad \mathrm{KL}(p_0\|q_0)-\mathrm{KL}(p_T\|q_T)\le\sqrt{J_{\mathrm{SM}}\,J_{\mathrm F}}"
    ),
    source="after arXiv:2210.04296, arXiv:2206.08265 (theorems 3.1 and 3.2)",
    standing="derived",
    assumes=("s_θ smooth", "p, q decay at infinity"),
    coefficients=("diffusivity",),
)

NETWORKS = Path(__file__).parents[1] / "networks"
family, known = load_module(NETWORKS / "_family.py"), load_module(NETWORKS / "_known.py")
SPACING = {1: 0.06, 2: 0.16}
"""of the points where generation stops, in deviations of the narrowest blob there"""
NODES = 65
ALLOWED = "each of two integrals over time may leave 1e-9: four draws leave 2e-10 in all"
DELTA = {1: 5e-7, 2: 2.4e-6}
"""of the worst draw: what order eight leaves of valleys where paths part, coarser in the plane"""
SEEN = {1: "", 2: "valleys are drawn: of seeds 0 to 3 the worst draw leaves 5e-7, others a fifth"}


SHIFT_OF, SPREAD, ENDS = 2.0, 0.09, (0.05, 2.0)
"""k, the data's variance, the stop and the horizon where both sides are equal"""


def formulas(t):
    """Return the variance v of p, the shift δ of q, and the error η of the score, under OU."""
    v = 0.5 + (SPREAD - 0.5) * np.exp(-2.0 * t)
    shift = 0.3 * np.exp(t / -SHIFT_OF) * v ** (0.5 - 0.5 / SHIFT_OF)
    return v, shift, shift / v / SHIFT_OF


@cache
def shifted():
    """Return gap, J_SM and J_F where they are equal: a score off by a constant η in space, in step with the law's shift.

    δ = 0.3 e^{−t/k}√v^{1−1/k} with v the variance of p, and η = δ/(kv): ∇log q − ∇log p = kη at all times. The mean of
    q = N(m + δ, v) and the integrals are carried by the ODE from T; the variance stays that of p.
    """
    stop, T = ENDS

    def system(t):  # of δ, δ², ∫D E|∇log q − ∇log p|², ∫Dη², 1: D = ½
        v, _, error = formulas(t)
        rate, drive = 0.5 / v - 1.0, -0.5 * error
        return [
            [rate, 0.0, 0.0, 0.0, drive],
            [2.0 * drive, 2.0 * rate, 0.0, 0.0, 0.0],
            [0.0, 0.5 / v**2, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.5 * error**2],
            [0.0] * 5,
        ]

    (first, _, _), (v, last, _) = formulas(stop), formulas(T)
    end, missed = mfg.solvers.linear_system(system, [last, last**2, 0.0, 0.0, 1.0], T, stop, steps=150)
    square, fisher, matching = (
        mfg.Estimate(float(one), missed, mfg.Kind.BOUND, "a linear system by Taylor series") for one in end[1:4]
    )
    return square * float(0.5 / first) - float(0.5 * last**2 / v), -matching, -fisher


class Drawn:
    """A member of the family: the exact score and `Turned` disturbances."""

    def __init__(self, name, process, data, disturbances, stop):
        self.name, self.process, self.data, self.stop = name, process, data, stop
        self.exact, self.disturbances = mfg.ExactScore(process, data), disturbances

    def off(self, x, t):
        """Return s_θ − ∇log p and its divergence."""
        fields, divergences = zip(*(one(x, t) for one in self.disturbances), strict=True)
        return sum(fields), sum(divergences)

    def score(self, x, t):
        """Return s_θ and its divergence, in one pass."""
        _, score, laplacian = self.exact.at(float(t)).pieces(x)
        field, divergence = self.off(x, t)
        return score + field, laplacian + divergence

    @property
    def prior(self):
        """Return the law that the ODE starts from."""
        return mfg.solvers.prior_of(self.process, self.data.dimension)


def draw(rng, dimension):
    """Yield a case a process."""
    a, b = rng.uniform(1.5, 3.0), rng.uniform(0.8, 1.4)
    processes = {
        "OU": mfg.OrnsteinUhlenbeck(horizon=float(rng.uniform(1.0, 3.0))),
        "VP": mfg.VariancePreserving(0.1, 12.0, float(rng.uniform(0.8, 2.5))),
        "sub-VP": mfg.SubVariancePreserving(0.1, 12.0, float(rng.uniform(0.8, 2.5))),
        "VE": mfg.VarianceExploding(0.1, float(rng.uniform(2.0, 4.0)), float(rng.uniform(0.5, 3.0))),
        "path": mfg.processes.GaussianPath(
            lambda t: 1 / (1 + a * t), lambda t: b * t, horizon=float(rng.uniform(0.7, 2.0))
        ),
    }
    for name, process in processes.items():
        weights = rng.dirichlet([1.5, 1.5, 1.5])
        # in the plane deep valleys between blobs, where paths part, would ask for ever finer lattices
        narrow, wide, reach = {1: ((0.01, 0.03), (0.06, 0.3), 1.4), 2: ((0.06, 0.1), (0.15, 0.4), 1.0)}[dimension]
        variances = np.array([rng.uniform(*narrow), *rng.uniform(*wide, 2)])
        data = mfg.GaussianMixture(weights, rng.uniform(-reach, reach, (3, dimension)), variances)
        disturbances = [Turned(rng, dimension, process) for _ in range(2)]
        stop = process.horizon * float(rng.uniform(0.01, 0.05))
        yield Drawn(name, process, data, disturbances, stop)


class Turned:
    """The field cos(ωt)·Az·exp(−|z|²/2w²)/ℓ, z = x/ℓ − c, ℓ² = α² + v the size of the noised law, A any matrix."""

    def __init__(self, rng, dimension, process):
        self.process = process
        t = process.horizon * np.linspace(0.01, 1.0, 400)
        turns = np.mean(process.diffusivity(t) / self.size(t) ** 2) * process.horizon  # of the ODE under a field z/ℓ
        self.A = 0.5 * rng.standard_normal((dimension, dimension)) / turns
        self.centre, self.width = rng.uniform(-1, 1, dimension), float(rng.uniform(0.6, 1.0))
        self.frequency = float(rng.uniform(2.0, 8.0)) / process.horizon

    def size(self, t):
        """Return ℓ."""
        return np.sqrt(self.process.mean_coefficient(t) ** 2 + self.process.variance(t))

    def __call__(self, x, t):
        """Return the field and its divergence."""
        size = float(self.size(t))
        z = x / size - self.centre
        turned = z @ self.A.T
        envelope = np.cos(self.frequency * t) * np.exp(-0.5 * np.einsum("...i,...i", z, z) / self.width**2) / size
        widening = (np.trace(self.A) - np.einsum("...i,...i", z, turned) / self.width**2) / size
        return envelope[..., None] * turned, envelope * widening


EIGHT = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])


def slopes(values, spacing, d):
    """Return the derivatives (*cells, …, d) of values (*cells, …) along the d axes: order eight, order two at the walls."""
    found = []
    for axis in range(d):
        rough = np.gradient(values, spacing[axis], axis=axis)
        v, fine = np.moveaxis(values, axis, 0), np.moveaxis(rough, axis, 0)
        fine[4:-4] = sum(c * v[k : len(v) - 8 + k] for k, c in enumerate(EIGHT)) / spacing[axis]
        found.append(np.moveaxis(fine, 0, axis))
    return np.stack(found, axis=-1)


def numbers(case, spacing, tail, count):
    """Return KL(p‖q) at the stop less that at T, then of half and of all nodes ∫D E_p of a·b, |a|², |b|², a = s_θ − s, b = ∇log q − s.

    Points lie on a lattice where generation stops, and go along: x_t(x), J = ∇x_t, log q_t(x_t) = log q_T(x_T) + ∫_t^T∇·v.
    Integrals at t are sums over the points, weighed by det J; ∇log q = J⁻ᵀ∇_x log q_t(x_t).
    """
    process, stop, T, d = case.process, case.stop, case.process.horizon, case.data.dimension
    law = mfg.marginal(process, case.data, stop)
    lower, upper = law.box(1 - 1e-13)
    width = spacing * np.sqrt(law.covariances[:, 0, 0].min())
    cells = np.ceil((upper - lower) / width).astype(int)
    axes = [np.linspace(low, high, n + 1) for low, high, n in zip(lower, upper, cells, strict=True)]
    steps = [axis[1] - axis[0] for axis in axes]
    x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    u, weights = mfg.solvers.time_rule(0.0, 1.0, count)  # in the logarithm of time
    half = np.zeros(count)
    half[::2] = mfg.solvers.time_rule(0.0, 1.0, count // 2 + 1)[1]
    times = np.clip(stop * (T / stop) ** u, stop, T)
    density = law.density(x)
    inner = density > tail * density.max()
    near = binary_dilation(inner, np.ones((9,) * d))  # what differences at the inner points reach
    points = x[near]
    n = len(points)

    def rate(t, state):
        y, D = state[: n * d].reshape(n, d), float(process.diffusivity(t))
        score, divergence = case.score(y, t)
        velocity = process.drift(y, t) - D * score
        return np.concatenate((velocity.ravel(), process.divergence(y, t) - D * divergence))

    start = np.concatenate((points.ravel(), np.zeros(n)))
    states = solve_ivp(rate, (stop, T), start, "DOP853", times, rtol=1e-8, atol=1e-9).y.T
    log_last = case.prior.log_density(states[-1, : n * d].reshape(n, d))
    rows, kls = [], []
    for t, state in zip(times, states, strict=True):
        y, so_far, log_q = np.zeros(x.shape), np.zeros(inner.shape), np.zeros(inner.shape)
        y[near], so_far[near] = state[: n * d].reshape(n, d), state[n * d :]
        log_q[near] = log_last + states[-1, n * d :] - state[n * d :]
        J, rise = slopes(y, steps, d)[inner], slopes(log_q, steps, d)[inner]  # (points, component, axis)
        slope = np.linalg.solve(np.swapaxes(J, -1, -2), rise[..., None])[..., 0]
        now, y, log_q = mfg.marginal(process, case.data, t), y[inner], log_q[inner]
        log_p, true, _ = now.pieces(y)
        p = np.exp(log_p + so_far[inner]) * np.prod(steps)
        a, b = case.off(y, t)[0], slope - true
        D = float(process.diffusivity(t)) * t * np.log(T / stop)
        rows.append([D * float(np.sum(p * np.sum(product, axis=-1))) for product in (a * b, a * a, b * b)])
        kls.append(float(np.sum(p * (log_p - log_q))))
    rows = np.array(rows)
    return kls[0] - kls[-1], half @ rows, weights @ rows


@cache
def measured(seed, shapes):
    """Return `numbers` of each member on a lattice, and on one half as wide again with a larger box."""
    rng, found = np.random.default_rng(seed), {}
    for k, (d, members) in enumerate(shapes):
        cases = [(f"{case.name} {d}D, draw {k}", case) for case in list(draw(rng, d))[:members]]
        for name, case in cases:
            spacing = SPACING[d]
            found[name] = numbers(case, spacing, 1e-10, NODES), numbers(case, 1.5 * spacing, 1e-12, NODES)
    return found


def judged(function, fine, coarse):
    """Return a function of gap and integrals, with what cells, box and half of the nodes change of it.

    No bound: paths of a mixture's score are integrated to a tolerance, and log q is differenced between them.
    """
    value = function(fine[0], fine[2])
    bar = abs(value - function(fine[0], fine[1])) + abs(value - function(coarse[0], coarse[2])) + 1e-7
    return mfg.Estimate(float(value), float(bar), mfg.Kind.EXTRAPOLATED, "half of the nodes, wider cells, larger box")


def in_closed_form(case):
    """Return KL(p‖q) at the stop less that at T, and ∫D E_p of a·b, |a|², |b|², as `numbers` does, as bounds."""

    def products(which):
        def terms(t):
            p, q = case.slopes(t)
            a, b = case.errors(t, by_ode=True)[0], known.plus((1.0, q), (-1.0, p))
            return [(case.process.diffusivity(t), *((a, b), (a, a), (b, b))[which])]

        return terms

    return case.gap(), [case.over_time(products(which)) for which in range(3)]


@claim.measure
def likelihood(level, rng, diffusivity=1.0, cross=1.0, own=False, reach=1.0):
    """Compare both sides; `cross` scales the integral, `own` puts s_θ in the place of ∇log q, `reach` scales the bound."""
    findings, points, zero = [], [], mfg.exact(0.0, "the claim")
    seed, shares, bounded = int(rng.integers(2**32)), [], []
    for name, (gap, J) in known.drawn(seed, Level(level).pick(1, 4, 16), in_closed_form).items():
        off = gap - cross * diffusivity * J[1 if own else 0]
        bounded.append(replace(off, method=f"{name}; {off.method}"))
        shares.append(gap / (reach * diffusivity * known.root(J[1] * J[2])))
        points.append((gap.value, float(np.sqrt(J[1].value * J[2].value))))
    worst = max(bounded, key=lambda one: abs(one.value) + one.half_width)
    label = f"1D, law known: left − right, worst of {len(bounded)} draws"
    findings.append(equal(label, worst, zero, resolution=2.2e-9, because=ALLOWED))
    largest = max(shares, key=lambda e: e.value + e.half_width)
    label = "law known: gap over √(J_SM·J_F), largest of all draws"
    findings.append(at_most(label, largest, mfg.exact(1.0, "the claim"), resolution=0.0))
    shapes = Level(level).pick(((2, 1),), ((1, 5),) * 4 + ((2, 3),), ((1, 5),) * 16 + ((2, 5),) * 3)
    defects = {}
    for name, (fine, coarse) in measured(seed, shapes).items():
        defects[name] = judged(lambda gap, J: gap - cross * diffusivity * J[1 if own else 0], fine, coarse)
        points.append((fine[0], float(np.sqrt(fine[2][1] * fine[2][2]))))
    for d in sorted({int(name.partition("D,")[0][-1]) for name in defects}):
        mine = {name: one for name, one in defects.items() if f" {d}D" in name}
        worst = max(mine, key=lambda name: abs(mine[name].value) + mine[name].half_width)
        off = replace(mine[worst], method=f"{worst}; {mine[worst].method}")
        label = f"{d}D: left − right, worst of {len(mine)} draw{'s' * (len(mine) > 1)}"
        findings.append(equal(label, off, zero, resolution=DELTA[d], because=SEEN[d]))
    gap, matching, fisher = shifted()
    square = gap * gap / (matching * fisher * (reach * diffusivity) ** 2)
    root = float(np.sqrt(square.value))
    alike = mfg.Estimate(root, square.half_width / root, square.kind, square.method)
    # δ: five times what the ODE makes of roundings from T on
    label = "shifted Gaussians: gap over √(J_SM·J_F)"
    findings.append(equal(label, alike, mfg.exact(1.0, "equality"), resolution=4e-7))
    points.sort()
    series = [Series("every draw", "gap", [a for a, _ in points], "√(J_SM·J_F)", [b for _, b in points], "xy")]
    if mfg.proofs.available():
        findings.append(proved(diffusivity, cross))
    return Evidence(findings, series)


BLOBS = {
    "p": mfg.GaussianMixture([0.5, 0.3, 0.2], [[-1.5], [0.5], [2.0]], [0.2, 0.1, 0.3]),
    "q": mfg.GaussianMixture([0.6, 0.4], [[-0.8], [1.0]], [0.5, 0.3]),
    "learned": mfg.GaussianMixture([0.3, 0.7], [[-1.0], [0.7]], [0.4, 0.6]),
}
"""data, a law that the ODE carries, and one whose score is the learned one"""


@cache
def of_an_instant():
    """Return ∂_t KL(p‖q) and −D E_p[(s_θ − ∇log p)·(∇log q − ∇log p)] at an instant, both mixtures."""
    now = mfg.proofs.Instant.of(mfg.OrnsteinUhlenbeck(horizon=1.0), 0.2)
    law = mfg.proofs.MovingMixture.noised(BLOBS["p"], now)
    carried, learned = (mfg.proofs.MovingMixture.of(BLOBS[name]).log_density for name in ("q", "learned"))
    log_p, drift = law.log_density, mfg.proofs.affine(0.0, 1.0) * -now.relaxation
    velocity = drift - learned.slope * now.diffusivity
    widening = -learned.curvature * now.diffusivity - now.relaxation
    speed = -widening - velocity * carried.slope  # ∂_t log q of the continuity equation
    change = mfg.proofs.mean(law, log_p.speed * (log_p.value - carried.value) - speed)
    mixed = mfg.proofs.mean(law, (learned.slope - log_p.slope) * (carried.slope - log_p.slope))
    return change, -now.diffusivity * mixed


def proved(diffusivity, cross):
    """Return the ratio of both."""
    change, mixed = of_an_instant()
    ratio = mfg.proofs.estimate(change / (cross * diffusivity * mixed), "balls")
    # δ: no quadrature is left; seven roundings of a double
    return equal("1D, an instant: left over right, proved", ratio, 1.0, resolution=1.5e-15)


@claim.control("D replaced by g² = 2D")
def twice_the_diffusivity(level, rng):
    return likelihood(level, rng, diffusivity=2.0)


@claim.control("the sign of the integral flipped")
def other_sign(level, rng):
    return likelihood(level, rng, cross=-1.0)


@claim.control("∇log q taken to be the learned score: the loss of score matching in the integral's place")
def matching_loss(level, rng):
    return likelihood(level, rng, own=True)


@claim.control("a fiftieth of √(J_SM·J_F)")
def fiftieth(level, rng):
    return likelihood(level, rng, reach=0.02)
