"""Operator-informed scores: all noise levels from averages over the data, and eigenpairs of a sphere by finite elements.

The first run (compilation of forms) is not counted for the eigenpairs.
"""

import time
from importlib.util import find_spec
from typing import Any

import numpy as np

import mfgpde as mfg


def run(peers: bool) -> dict[str, Any]:
    """Return rows of what, size, result and seconds."""
    rng, rows = np.random.default_rng(0), []
    process = mfg.VariancePreserving()
    law = mfg.GaussianMixture([0.5, 0.5], [[0.8, 0.0], [-0.6, 0.5]], [0.3, 0.4])
    for degree, n in ((8, 10_000), (12, 100_000)):
        x = law.sample(n, rng)
        clock = time.perf_counter()
        score = mfg.OperatorInformed(mfg.scores.HermiteBasis(2, degree), process, x)
        for t in np.linspace(0.02, 1.0, 50):
            score.coefficients(float(t))
        seconds = time.perf_counter() - clock
        truth = mfg.marginal(process, law, 0.1)
        y = truth.sample(4000, rng)
        share = np.mean(np.sum((score(y, 0.1) - truth.score(y)) ** 2, axis=1)) / np.mean(
            np.sum(truth.score(y) ** 2, axis=1)
        )
        rows.append(
            (f"degree {degree}, 50 noise levels", f"{n} samples", f"relative risk {share:.0e} at t = 0.1", seconds)
        )
    if find_spec("dolfinx"):
        for cells, count in ((32, 100), (64, 100)):
            space = mfg.FiniteElement(mfg.meshes.sphere(1.0, cells), degree=1)
            clock = time.perf_counter()
            pairs = mfg.eigenpairs(space, count)
            seconds = time.perf_counter() - clock
            degree = np.repeat(np.arange(10), 2 * np.arange(10) + 1)  # λ = l(l + 1), each 2l + 1 times
            exact = (degree * (degree + 1.0))[1:count]
            error = np.abs(pairs.values[1:count] - exact) / exact
            vertices = 10 * cells**2 + 2
            rows.append(
                (
                    f"{count} eigenpairs, sphere, P1",
                    f"{vertices} vertices",
                    f"relative error {error.max():.0e}",
                    seconds,
                )
            )
        rows += _on_meshes(rng)
    return {
        "title": "operator-informed scores",
        "columns": ("what", "size", "result", "seconds"),
        "rows": rows,
        "goals": "degree 12, 100000 samples, 50 levels: 3 s; 100 eigenpairs on 40000 vertices: 30 s",
    }


def _on_meshes(rng):
    """Return rows on the estimator on a sphere and on smoothing by a tensor from the data."""
    points = rng.normal(size=(10_000, 3)) + 2 * np.eye(3)[2]
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    clock = time.perf_counter()
    basis = mfg.finite_element.FiniteElementBasis(
        mfg.processes.MarkovGenerator(), mfg.FiniteElement(mfg.meshes.sphere(1.0, 12), 2), 36
    )
    score = mfg.OperatorInformed(basis, mfg.Brownian(horizon=2.0), points)
    for t in np.linspace(0.1, 2.0, 50):
        score.coefficients(float(t))
    seconds = time.perf_counter() - clock
    rows = [
        ("36 functions on a sphere, P2, 50 noise levels", "10000 samples", f"loses {basis.lost.max():.0e}", seconds)
    ]
    law, space = mfg.densities.spiral(), mfg.FiniteElement(mfg.meshes.box((-5, -5), (5, 5), 96), 1)
    x, times = law.sample(1000, rng), 0.5 * np.geomspace(0.08, 0.6, 9) ** 2
    clock = time.perf_counter()
    _, tau = mfg.finite_element.DiffusionSmoother(mfg.processes.MarkovGenerator.adapted(x, 0.5), space).fit(x, times)
    seconds = time.perf_counter() - clock
    return [
        *rows,
        ("smoothing along data, 9 times, 5 folds", "1000 samples, 96²", f"√(2τ) = {(2 * tau) ** 0.5:.2f}", seconds),
    ]
