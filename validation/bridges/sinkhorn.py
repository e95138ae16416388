"""A sweep of Sinkhorn contracts Hilbert's metric by tanh²(Δ/4), Δ = log max K_ij K_kl/(K_il K_kj), whatever the marginals.

For two points with equal masses the factor is attained near the fixed point; drawn kernels stay below it, sweep by sweep.
"""

import numpy as np

import mfgpde as mfg
from mfgpde.verify import Claim, Evidence, Level, Series, at_most, equal

claim = Claim(
    statement=(
        r"d_H(Su,Sv)\le\tanh^2\!\Big(\tfrac14\log\max_{ijkl}\frac{K_{ij}K_{kl}}{K_{il}K_{kj}}\Big)\,d_H(u,v),\qquad "
        r"Su=\mu/K(\nu/K^{\!\top}u),\quad d_H(u,v)=\log\max\tfrac uv-\log\min\tfrac uv"
    ),
    source="classical (Birkhoff; Franklin and Lorenz)",
    standing="theorem",
    assumes=("K > 0",),
    coefficients=("quarter", "share"),
)


def distance(u, v):
    """Return Hilbert's metric of log u and log v."""
    gap = u - v
    return float(gap.max() - gap.min())


def sweep(u, logs, mu, nu):
    """Return log Su, in logarithms."""
    v = nu - logsum(logs + u[:, None], 0)
    return mu - logsum(logs + v[None, :], 1)


def slope(u, logs, nu, along):
    """Return the derivative of log Su along a direction of log u: minus a mean over i of minus a mean over j."""
    to = np.exp(logs + u[:, None])
    back = np.exp(logs + (nu - np.log(to.sum(axis=0)))[None, :])
    return back @ ((to / to.sum(axis=0)).T @ along) / back.sum(axis=1)


def logsum(a, axis):
    """Return log Σ e^a along an axis."""
    top = a.max(axis=axis, keepdims=True)
    return np.squeeze(top, axis) + np.log(np.exp(a - top).sum(axis=axis))


def factor(logs, quarter=1.0):
    """Return tanh²(Δ/4)."""
    between = logs[:, None, :] - logs[None, :, :]  # log K_ij/K_kj
    return float(np.tanh(0.25 * quarter * (between.max(axis=2) - between.min(axis=2)).max()) ** 2)


@claim.measure
def contraction(level, rng, quarter=1.0, share=1.0):
    """`quarter` scales the ¼ in tanh, `share` the factor by which a sweep contracts."""
    one, ratios, sharp = mfg.exact(1.0, "claim"), [], []
    for size in Level(level).pick((3, 5, 40), (3, 5, 40, 200), (3, 5, 40, 400)):
        for regularisation in (0.3, 1.0, 3.0):
            x, y = rng.normal(size=(size, 2)), rng.normal(size=(size + 2, 2))
            logs = -0.5 * np.sum((x[:, None] - y) ** 2, axis=-1) / regularisation
            mu, nu = np.log(rng.dirichlet(np.ones(size))), np.log(rng.dirichlet(np.ones(size + 2)))
            u, v = rng.normal(size=(2, size))
            bound = share * factor(logs, quarter)
            for _ in range(6):
                before = distance(u, v)
                u, v = sweep(u, logs, mu, nu), sweep(v, logs, mu, nu)
                if before > 1e-8:
                    ratios.append(distance(u, v) / before / bound)
    for weight in (0.5, 0.1, 1e-3):
        logs, half = np.log([[1.0, weight], [weight, 1.0]]), np.log([0.5, 0.5])
        carried = slope(np.zeros(2), logs, half, np.array([1.0, 0.0]))  # the fixed point is u = const
        sharp.append(float(np.ptp(carried)) / (share * factor(logs, quarter)) - 1)
    largest = mfg.exact(max(ratios), "logarithms")
    # rounding of a dozen numbers of size one, over tanh² ≥ (1 − 0.5)²/(1 + 0.5)² and of entries whose difference that is
    off = mfg.Estimate(max(sharp, key=abs), 2e-14, mfg.Kind.BOUND, "the derivative in closed form")
    return Evidence(
        [
            at_most("drawn kernels: contraction of a sweep over tanh², largest", largest, one, resolution=0.0),
            equal(
                "two points: contraction at the fixed point over tanh², less one",
                off,
                mfg.exact(0.0, "claim"),
                resolution=1e-13,
            ),
        ],
        [Series("drawn kernels", "sweep", list(range(len(ratios))), "contraction over its bound", ratios, "y")],
    )


@claim.control("tanh²(Δ/8): the root taken twice")
def eighth(level, rng):
    return contraction(level, rng, quarter=0.5)


@claim.control("a tenth more of Δ, a bound that no two points attain")
def loose(level, rng):
    return contraction(level, rng, quarter=1.1)
