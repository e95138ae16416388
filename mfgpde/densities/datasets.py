"""The data sets on which such models are tried: blobs, rings, moons, boards, spirals, rolls, digits, embedded manifolds.

Rings, spiral and roll are Gaussian mixtures with centres so dense (spacing below the deviation) that they equal
the continuous curve blurred by the same Gaussian to the accuracy of the trapezoid rule, 2e^{−2π²(σ/spacing)²}.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mfgpde.core.optional import told
from mfgpde.densities.boxes import UniformBoxes
from mfgpde.densities.gaussian_mixture import GaussianMixture


def bimodal(dimension: int = 1) -> GaussianMixture:
    """Return two unequal Gaussians with full covariances in any dimension: the smooth test density of the suite.

    >>> law = mfg.densities.bimodal(3)
    >>> law.dimension, float(law.weights.sum())
    (3, 1.0)
    """
    towards = np.full(dimension, dimension**-0.5)
    ramp = np.linspace(0.0, 1.0, dimension) - 0.5
    narrow = 0.2 * np.eye(dimension) + 0.1 * np.outer(ramp, ramp)
    wide = (
        0.3 * np.eye(dimension)
        - 0.05 * np.outer(towards, towards)
        + 0.1 * np.outer(towards, ramp)
        + 0.1 * np.outer(ramp, towards)
    )
    return GaussianMixture(np.array([0.4, 0.6]), np.stack((-towards, 1.2 * towards)), np.stack((narrow, wide)))


def four_blobs() -> GaussianMixture:
    """Return the 2D mixture of four unequal Gaussians used by the benchmark problems P1 and P2.

    >>> law = mfg.densities.four_blobs()
    >>> (law.weights @ law.means).round(6).tolist()  # its mean: 0.3·(2, 2) + 0.3·(−2, 1) + …
    [0.225, 0.25]
    """
    means = np.array([[2.0, 2.0], [-2.0, 1.0], [0.0, -2.0], [1.5, -1.0]])
    return GaussianMixture(np.array([0.3, 0.3, 0.25, 0.15]), means, np.array([0.15, 0.2, 0.25, 0.1]))


def nine_blobs(scale: float = 0.65) -> GaussianMixture:
    """Return nine equal Gaussians, covariance 0.2·I, at (0,0), (±2,±2), (±4,0), (0,±4), all times `scale`.

    arXiv:2311.15996, section 4.

    >>> law = mfg.densities.nine_blobs(scale=1.0)
    >>> print(f"{law.weights @ (law.means**2).sum(axis=1):.4f}")  # (4·8 + 4·16)/9
    10.6667
    """
    diagonal = [(i, j) for i in (-2, 2) for j in (-2, 2)]
    means = scale * np.array([(0, 0), *diagonal, (4, 0), (-4, 0), (0, 4), (0, -4)], dtype=float)
    return GaussianMixture(np.full(9, 1 / 9), means, np.full(9, 0.2 * scale**2))


def two_rings(radii: tuple[float, float] = (1.0, 2.0), deviation: float = 0.1) -> GaussianMixture:
    """Return two circles of equal mass, uniform along the circle, blurred by N(0, deviation² I).

    >>> law = mfg.densities.two_rings()
    >>> print(f"{law.weights @ (law.means**2).sum(axis=1):.4f}")  # (1² + 2²)/2
    2.5000
    """
    means = []
    counts = [int(np.ceil(2 * np.pi * radius / (0.75 * deviation))) for radius in radii]  # trapezoid error 1e-15
    for radius, count in zip(radii, counts, strict=True):
        angle = 2 * np.pi * np.arange(count) / count
        means.append(radius * np.stack((np.cos(angle), np.sin(angle)), axis=-1))
    weights = np.concatenate([np.full(count, 0.5 / count) for count in counts])
    return GaussianMixture(weights, np.concatenate(means), np.full(len(weights), deviation**2))


def two_moons(deviation: float = 0.1) -> GaussianMixture:
    """Return two interleaving half circles of radius one, uniform in arc length, centred at the origin, blurred.

    >>> law = mfg.densities.two_moons()
    >>> bool(np.abs(law.weights @ law.means).max() < 1e-12)  # centred
    True
    """
    angle = np.linspace(0.0, np.pi, 20_001)
    arc = np.stack((np.cos(angle), np.sin(angle)), axis=-1)
    upper = _curve(angle, arc - (0.5, 0.25), deviation)
    lower = _curve(angle, (0.5, 0.25) - arc, deviation)
    means = np.concatenate((upper.means, lower.means))
    return GaussianMixture(np.full(len(means), 1 / len(means)), means, np.full(len(means), deviation**2))


def checkerboard(squares: int = 4, side: float = 1.0) -> UniformBoxes:
    """Return the uniform law on the dark fields of a board of squares × squares, centred at the origin.

    >>> law = mfg.densities.checkerboard()  # eight dark fields of area one
    >>> float(np.exp(law.log_density(np.array([0.5, 0.5]))).round(12))
    0.125
    """
    corner = -0.5 * squares * side
    dark = np.array([(i, j) for i in range(squares) for j in range(squares) if (i + j) % 2 == 0], dtype=float)
    lower = corner + side * dark
    return UniformBoxes(np.full(len(dark), 1 / len(dark)), lower, lower + side)


def spiral(turns: float = 1.5, deviation: float = 0.1) -> GaussianMixture:
    """Return the Archimedean spiral r = angle/π from angle ½π on, uniform in arc length, blurred.

    >>> radii = np.linalg.norm(mfg.densities.spiral(turns=1.5).means, axis=1)
    >>> print(f"{radii.min():.1f}, {radii.max():.1f}")  # from ½, by 2 a turn
    0.5, 3.5
    """
    return _curve(*_archimedean(turns), deviation)


def swiss_roll(turns: float = 1.5, height: float = 2.0, deviation: float = 0.15) -> GaussianMixture:
    """Return the 3D roll: the spiral times the interval [−height/2, height/2], blurred.

    >>> roll = mfg.densities.swiss_roll(height=2.0)
    >>> print(roll.dimension, f"{np.ptp(roll.means[:, 1]):.3f}")  # 14 levels: 2·13/14
    3 1.857
    """
    flat = _curve(*_archimedean(turns), deviation)
    levels = int(np.ceil(height / deviation))
    heights = height * ((np.arange(levels) + 0.5) / levels - 0.5)
    means = np.concatenate([np.insert(flat.means, 1, z, axis=1) for z in heights])
    return GaussianMixture(np.full(len(means), 1 / len(means)), means, np.full(len(means), deviation**2))


def embedded(law: GaussianMixture, dimension: int, *, deviation: float = 0.02, seed: int = 0) -> GaussianMixture:
    """Return A X + noise in a higher dimension: X of a given law, A a random isometry, noise N(0, deviation² I).

    Raises ValueError for a dimension that is not higher.

    >>> law = mfg.densities.embedded(mfg.gaussian(0.0, 1.0), 3, deviation=0.1)
    >>> np.linalg.eigvalsh(law.covariances[0]).round(6).tolist()  # 0.1² across, 1 + 0.1² along
    [0.01, 0.01, 1.01]
    """
    if dimension <= law.dimension:
        raise ValueError(f"dimension must be above {law.dimension}, that of the law, got {dimension}")
    frame = isometry(law.dimension, dimension, seed)
    covariances = frame @ law.covariances @ frame.T + deviation**2 * np.eye(dimension)
    return GaussianMixture(law.weights, law.means @ frame.T, covariances)


def isometry(low: int, high: int, seed: int = 0) -> np.ndarray:
    """Return a random matrix (high, low) with orthonormal columns, the one that `embedded` takes.

    >>> A = mfg.densities.isometry(2, 5)
    >>> A.shape, bool(np.allclose(A.T @ A, np.eye(2)))
    ((5, 2), True)
    """
    Q, R = np.linalg.qr(np.random.default_rng(seed).standard_normal((high, low)))
    return Q * np.sign(np.diag(R))


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return 1797 handwritten digits of 8 × 8 pixels: values in [0, 1] of shape (1797, 64), and which digit each is.

    The test set of Alpaydin and Kaynak's Optical Recognition of Handwritten Digits (UCI, 1998), shipped by scikit-learn.

    >>> pixels, labels = mfg.densities.digits()
    >>> pixels.shape, sorted(set(labels.tolist()))
    ((1797, 64), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    with told():
        from sklearn.datasets import load_digits

    data, which = load_digits(return_X_y=True)
    return data / 16.0, which


def _archimedean(turns: float) -> tuple[np.ndarray, np.ndarray]:
    angle = np.linspace(0.5 * np.pi, (0.5 + 2 * turns) * np.pi, 20_001)
    return angle, (angle / np.pi)[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=-1)


def _curve(parameter: np.ndarray, points: np.ndarray, deviation: float) -> GaussianMixture:
    arc = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))))
    count = int(np.ceil(arc[-1] / (0.75 * deviation)))
    where = np.interp((np.arange(count) + 0.5) / count * arc[-1], arc, parameter)
    means = np.stack([np.interp(where, parameter, column) for column in points.T], axis=-1)
    return GaussianMixture(np.full(count, 1 / count), means, np.full(count, deviation**2))


def examples() -> Iterator[GaussianMixture]:
    """Yield what to hold the laws of `embedded` to: blobs in five dimensions."""
    yield embedded(four_blobs(), 5, deviation=0.1, seed=2)
