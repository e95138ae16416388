"""Score models made of kernels: a Gaussian at every sample, its local precision matrix learned, fitted at t = 0 only.

    s(x, t) = ∇log Σ_i w_i N(x; F_t Z_i + b_t, F_t C_i F_tᵀ + Q_t),   C_i = Γ_i⁻¹ fitted at t = 0,
F, b, Q the transition of a linear process: for all t it is the score of a solution of the Fokker–Planck equation.
Fitted by implicit score matching, E[½|s|² + ∇·s], which needs no density; the divergence is exact, at the cost of s.
— arXiv:2402.06162, section 5.

Kernels sit on the very samples that they are fitted to. Left free, their precisions grow without bound: each kernel
closes around its own sample. So every loss here is *cross-fitted*: samples are split into folds, and kernels that were
placed and shaped on some folds are judged on another one.

The loss of narrow kernels is heavy-tailed, −tr Γ beside a kernel and ½|Γz|² away from all: its mean over samples that
happen to miss the second kind promises what no law has. So a choice is as good as the upper end of its bar.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.densities import Dense, GaussianMixture, LowRank
from mfgpde.learning.held_out import cautious, held_out
from mfgpde.learning.placed_kernels import NEIGHBOURS, Joined, Placed, Shape
from mfgpde.processes import LinearProcess
from mfgpde.scores.exact import ExactScore
from mfgpde.scores.mixture_files import save_mixture

FOLDS, FEWEST = 5, 10
WORK = 6e7  # coordinates of kernels times judged points, for one choice: a tenth of a second
TOGETHER = 1 << 23  # numbers in the covariances that are computed at once: 64 MiB
SHRINKAGES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
SCALES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.2, 1.5)
LARGEST = 8 << 30  # bytes of full matrices and their factors


@dataclass(frozen=True, eq=False)
class KernelModel:
    """The fitted mixture at t = 0 and how it came about.

    C_i = scale²·((1 − shrinkage)·S_i + shrinkage·(tr S_i/d)·I), S_i the covariance of the `neighbours` nearest samples
    about Z_i; `loss` is the cross-fitted implicit score-matching loss, which at 99 % holds what kernels so chosen on four
    fifths of the samples leave at new ones; `steps` is what corrections were trained for.
    """

    mixture: GaussianMixture
    neighbours: int
    shrinkage: float
    scale: float
    loss: Estimate
    steps: int
    seconds: float

    def score(self, process: LinearProcess) -> ExactScore:
        """Return the score for all noise levels of a process."""
        return ExactScore(process, self.mixture)

    def save(self, path: str | Path, process: LinearProcess) -> Path:
        """Write the score under a process as .safetensors, for `load_score` and `mfgpde check`."""
        return save_mixture(Path(path), self.score(process))


def fit_kernel_model(
    samples: Array,
    *,
    precision: Shape = "full",
    rank: int = 2,
    parameters: Literal["neighbours", "network", "free"] = "neighbours",
    steps: int = 300,
    seed: int = 0,
) -> KernelModel:
    """Fit a kernel score model to samples (n, d).

    `precision` is the kind of matrix; "low-rank" has `rank` directions of its own and is meant for high dimensions.
    With `parameters="neighbours"` all kernels share three numbers, a neighbourhood, a shrinkage and a scale: those whose
    cross-fitted implicit score-matching loss is least with two standard errors added. "network" and "free" go on from
    there: log-Cholesky corrections given by a small network of Z_i, or free for each kernel, trained on the same loss and
    stopped where a fold that saw none of it has gained most, less two standard errors.

    Duplicates become one kernel of their joint weight, and samples in a subspace get kernels with a thousandth of the
    sample spacing across it; both with a warning. Directions across take no part in the choice where columns are constant
    or matrices full. Raises ValueError for samples that are not finite numbers (n, d), fewer than 10 different ones, and
    full matrices that would take more than 8 GiB.

    >>> samples = mfg.gaussian(0.0, 1.0).sample(500, np.random.default_rng(0))
    >>> model = mfg.fit_kernel_model(samples)
    >>> print(f"{model.score(mfg.VariancePreserving())(np.array([[1.0]]), 0.5)[0, 0]:.1f}")  # −x, the score of N(0, 1)
    -1.0
    """
    begin = time.perf_counter()
    if precision not in ("isotropic", "diagonal", "low-rank", "full"):
        raise ValueError(f"precision must be 'isotropic', 'diagonal', 'low-rank' or 'full', got {precision!r}")
    if parameters not in ("neighbours", "network", "free"):
        raise ValueError(f"parameters must be 'neighbours', 'network' or 'free', got {parameters!r}")
    centres, weights, floor, axes = _checked(samples, precision == "full")
    n, d = centres.shape[0], axes.shape[1]
    rank = min(rank, d - 1)
    if precision == "full" and 3 * 8 * n * d * d > LARGEST:
        raise ValueError(
            f"full matrices of {n} kernels in dimension {d} take {3 * 8 * n * d * d / 2**30:.0f} GiB; "
            "use precision='low-rank' or 'diagonal'"
        )
    search = Search(centres @ axes, weights, precision if d > 1 else "isotropic", rank, floor, seed)
    choice, loss = search.best()
    mixture, count = search.whole.kernels(*choice), 0
    if parameters != "neighbours":
        from mfgpde.learning.corrections import corrected

        mixture, loss, count = corrected(search.whole, search.folds, choice, loss, parameters, steps, seed)
    return KernelModel(_embedded(mixture, centres, axes, floor), *choice, loss, count, time.perf_counter() - begin)


def implicit_loss(mixture: GaussianMixture, points: Array, weights: Array | None = None) -> float:
    """Return the mean of ½|s|² + ∇·s at points (n, d): Hyvärinen's loss, up to a constant E|s − ∇log p|²/2.

    >>> law, points = mfg.gaussian(0.0, 1.0), np.array([[-1.0], [1.0]])
    >>> print(f"{mfg.learning.implicit_loss(law, points):.4f}")  # E[½x² − 1]
    -0.5000
    """
    return float(np.average(implicit_losses(mixture, points), weights=weights))


def implicit_losses(mixture: GaussianMixture, points: Array) -> Array:
    """Return ½|s|² + ∇·s at points (n, d).

    >>> from mfgpde.learning.kernel_model import implicit_losses
    >>> implicit_losses(mfg.gaussian(0.0, 1.0), np.array([[0.0], [2.0]])).tolist()  # ½x² − 1
    [-1.0, 1.0]
    """
    _, slope, laplacian = mixture.pieces(points)
    return 0.5 * (slope**2).sum(axis=-1) + laplacian


class Search:
    """The three shared numbers by search on the cross-fitted loss; `judged` are the samples that judge each placement."""

    def __init__(self, centres: Array, weights: Array, precision: Shape, rank: int, floor: float, seed: int) -> None:
        (n, d), rng = centres.shape, np.random.default_rng(seed)
        directions = {"full": d, "low-rank": rank}.get(precision, 0)
        judges = int(np.clip(WORK / (n * d * (1 + directions)), 200, 2000))  # points at which a choice is judged
        orders = [rng.permutation(n) for _ in range(min(max(1, judges // n), FOLDS))]  # few samples: several splits
        self.folds = np.array_split(orders[0], FOLDS)
        self.whole = Placed(centres, weights, precision, rank, floor)
        placed, self.judged = list[Placed](), list[NDArray[np.int64]]()
        for order in orders:
            for fold in np.array_split(order, FOLDS)[: int(np.ceil(judges * FOLDS / n))]:
                rest = np.setdiff1d(order, fold)
                placed.append(Placed(centres[rest], weights[rest], precision, rank, floor))
                self.judged.append(fold[:judges])
        self.least = min(len(one.centres) for one in placed)
        together = max(1, TOGETHER // (n * d * (1 + directions)))
        self.joined = [Joined.of(placed[k : k + together]) for k in range(0, len(placed), together)]
        self._known: dict[tuple[int, float, float], tuple[Array, Array] | None] = {}

    def losses(self, *choice: Any) -> tuple[Array, Array] | None:
        """Return the losses of samples, each under kernels placed on other folds, on the mean over splits, and weights.

        None where they are beyond the numbers.
        """
        if choice not in self._known:
            n = len(self.whole.centres)
            total, times = np.zeros(n), np.zeros(n)
            with np.errstate(over="ignore", invalid="ignore"):
                kernels = (mixture for joined in self.joined for mixture in joined.each(*choice))
                for mixture, fold in zip(kernels, self.judged, strict=True):
                    total[fold] += implicit_losses(mixture, self.whole.centres[fold])
                    times[fold] += 1
                seen = times > 0
                mean = total[seen] / times[seen]
                known = np.isfinite(mean @ mean)
            self._known[choice] = (mean, self.whole.weights[seen]) if known else None
        return self._known[choice]

    def upper(self, *choice: Any) -> float:
        """Return the number that choices are compared by."""
        found = self.losses(*choice)
        return np.inf if found is None else cautious(*found)

    def loss(self, *choice: Any) -> Estimate:
        """Return the mean loss with its bar."""
        found = self.losses(*choice)
        if found is None:
            return Estimate(0.0, np.inf, Kind.CONFIDENCE, "beyond the numbers")
        return held_out(*found, shared=1 / (FOLDS - 1))

    def best(self) -> tuple[tuple[int, float, float], Estimate]:
        """Return the numbers of least upper loss, and their loss: downhill for each neighbourhood, from the last one."""
        shrinkages = SHRINKAGES if self.whole.precision != "isotropic" else SHRINKAGES[-1:]
        here, ends = (len(shrinkages) // 2, SCALES.index(0.7)), []
        for k in (k for k in NEIGHBOURS if k < self.least):

            def loss(at: tuple[int, int], k: int = k) -> float:
                inside = 0 <= at[0] < len(shrinkages) and 0 <= at[1] < len(SCALES)
                return self.upper(k, shrinkages[at[0]], SCALES[at[1]]) if inside else np.inf

            while True:
                i, j = here
                steps = [(i, j), *((i + h, j) for h in (1, -1, 2, -2)), *((i, j + h) for h in (1, -1, 2, -2))]
                here = min(steps, key=loss)
                if here == (i, j):
                    break
            ends.append((k, shrinkages[here[0]], SCALES[here[1]]))
        choice = min(ends, key=lambda choice: self.upper(*choice))
        return choice, self.loss(*choice)


def _checked(samples: Array, turned: bool) -> tuple[Array, Array, float, Array]:
    """Return different samples, their weights, the least deviation of a kernel, and axes (d, r) in which they spread."""
    samples = np.asarray(samples, dtype=float)
    if samples.ndim != 2 or not np.isfinite(samples).all():
        raise ValueError(f"samples must be finite numbers of shape (n, d), got shape {samples.shape}")
    centres, counts = np.unique(samples, axis=0, return_counts=True)
    if len(centres) < FEWEST:
        raise ValueError(
            f"a kernel model needs at least {FEWEST} different samples to tell how they spread, got {len(centres)}"
        )
    if len(centres) < len(samples):
        warnings.warn(
            f"{len(samples) - len(centres)} of {len(samples)} samples are duplicates; equal ones share a kernel",
            stacklevel=3,
        )
    d = centres.shape[1]
    floor = 1e-3 * float(np.median(cKDTree(centres).query(centres, k=2, workers=-1)[0][:, 1]))
    away = (centres - centres.mean(axis=0)) / np.sqrt(len(centres))
    _, values, directions = np.linalg.svd(away, full_matrices=False)
    flat, constant = d - int(np.sum(values > floor)), np.linalg.norm(away, axis=0) <= floor
    if flat:
        warnings.warn(
            f"the samples lie in a subspace: {flat} of {d} directions have a deviation below {floor:.1e}; kernels get "
            "that deviation across it, and the density is one in all directions",
            stacklevel=3,
        )
    axes = np.eye(d)[:, ~constant]
    if turned and flat > constant.sum():
        axes = directions[: d - flat].T
    return centres, counts / len(samples), floor, axes


def _embedded(mixture: GaussianMixture, centres: Array, axes: Array, floor: float) -> GaussianMixture:
    """Return kernels in r axes (d, r) as kernels in d dimensions, with the least deviation across."""
    d, r = axes.shape
    if r == d and (axes == np.eye(d)).all():
        return mixture
    structure = mixture.structure
    if isinstance(structure, LowRank) and (axes**2 == axes).all():
        across = 1 - axes.sum(axis=1)
        return GaussianMixture(
            mixture.weights, centres, LowRank(structure.diagonal @ axes.T + floor**2 * across, axes @ structure.factors)
        )
    across = np.eye(d) - axes @ axes.T
    return GaussianMixture(mixture.weights, centres, Dense(axes @ structure.dense() @ axes.T + floor**2 * across))
