"""A coupling that rectification by gradients leaves as it is need not be optimal: two discs that pass each other in the plane.

Each disc moves by itself, straight, and past the other at a distance. The velocity is constant on each part of the support, so a
gradient, and the coupling is a fixed point; yet discs exchanged cost nearly nothing. Blobs that overlap give no such fixed point.
"""

from functools import cache

import numpy as np

import mfgpde as mfg
from mfgpde.transport import gradient_part
from mfgpde.verify import Claim, Evidence, Level, Series, at_least, equal

claim = Claim(
    statement=(
        r"\exists\,(X_0,X_1):\ X_1-X_0=\nabla\varphi_t(X_t)\ \text{for all}\ t,\quad "
        r"\mathbb E|X_1-X_0|^2>W_2^2(\mathrm{Law}X_0,\mathrm{Law}X_1)"
    ),
    source="arXiv:2505.19712; against a statement of arXiv:2209.14577",
    standing="derived",
    assumes=("the support of X_t is in two parts at every t",),
    coefficients=("energy",),
)

RADIUS, GAP = 0.35, 0.45
"""of the discs, and half of the distance at which they pass: more than the radius"""
VELOCITY = np.array([[2.0, 0.0], [-2.0, 0.0]])
BOX = 2.0


def discs(x, t, gap):
    """Return the shares of both discs at points, as densities."""
    centres = np.array([[-1 + 2 * t, gap], [1 - 2 * t, -gap]])
    return np.stack([(np.sum((x - c) ** 2, axis=-1) <= RADIUS**2).astype(float) for c in centres], axis=-1)


def blobs(x, t, gap):
    """Return the same for round Gaussians of the discs' variance."""
    centres, variance = np.array([[-1 + 2 * t, gap], [1 - 2 * t, -gap]]), RADIUS**2 / 4
    return np.stack([np.exp(-0.5 * np.sum((x - c) ** 2, axis=-1) / variance) for c in centres], axis=-1)


@cache
def defects(shape, gap, cells, times):
    """Return the worst over times of E|v − ∇φ|² and of E|X₁ − X₀ − v|², over E|X₁ − X₀|² = 4."""
    grid, found = mfg.CartesianGrid.cube(BOX, cells, 2), []
    for t in times:
        shares = shape(grid.points, t, gap)
        p = shares.sum(axis=-1)
        mass = grid.integrate(p)
        v = np.einsum("...k,kd->...d", shares, VELOCITY) / np.maximum(p, 1e-300)[..., None]
        speed = grid.integrate(p * np.sum(v**2, axis=-1)) / mass
        found.append([gradient_part(p / mass, v, grid).remainder / 4, (4 - speed) / 4])
    return np.max(found, axis=0)


@claim.measure
def fixed(level, shape=discs, gap=GAP, swapped=False, energy=1.0):
    """`shape` and `gap` say what moves; `swapped` takes the discs to their nearest places.

    `energy` is a factor of E|X₁ − X₀|², of which both defects are what E|∇φ|² and E|v|² leave, and which is the cost.
    """
    cells, times = Level(level).pick(64, 128, 192), tuple(k / 8 for k in range(9))
    gradient, straight = defects(shape, gap, cells, times) + (energy - 1.0)
    # exchanged: each disc moves by (0, ∓2 gap), an upper bound of W₂²
    cost, other = energy * (4 * gap**2 if swapped else 4.0), 4 * gap**2
    zero = mfg.exact(0.0, "claim")
    findings = [
        # δ: rounding; the velocity is the same at all faces of a part
        equal(
            "E|v − ∇φ|² over E|v|², worst time",
            mfg.Estimate(gradient, 1e-15, mfg.Kind.BOUND, "faces"),
            zero,
            resolution=5e-15,
        ),
        equal(
            "E|X₁ − X₀ − v|² over E|X₁ − X₀|², worst time",
            mfg.Estimate(straight, 1e-15, mfg.Kind.BOUND, "cells"),
            zero,
            resolution=5e-15,
        ),
        at_least(
            "its cost over that of exchanged discs, ≥ W₂²",
            mfg.exact(cost / other, "closed form"),
            mfg.exact(2.0, "twice: cared for"),
            resolution=0.0,
        ),
    ]
    gaps = [0.3, 0.4, 0.5, 0.6]
    left = [float(np.sum(defects(blobs, g, cells, (0.5,)))) for g in gaps]
    return Evidence(
        findings,
        [Series("blobs, half way: what one round removes", "half the distance", gaps, "share of the cost", left, "y")],
    )


@claim.control("blobs that overlap")
def overlapping(level):
    return fixed(level, shape=blobs)


@claim.control("discs that meet half way")
def meeting(level):
    return fixed(level, gap=0.2)


@claim.control("discs exchanged, which is optimal")
def exchanged(level):
    return fixed(level, swapped=True)
