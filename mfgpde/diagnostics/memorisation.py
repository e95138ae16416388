"""Does a model generate, or repeat? Distances from samples to their nearest training point, against those of fresh data.

A model that repeats its training points has a ratio near zero, one that draws from the law of the data a ratio near one.
— after arXiv:2402.06162, section 5.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from scipy.spatial import cKDTree  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.diagnostics.intervals import mean_interval

GROUPS = 20
ENOUGH = 10 * GROUPS
"""samples, and fresh points, for a ratio of medians"""


NEAREST = 0.05
"""of the fresh data, whose distances say what near is"""


def nearest_ratio(samples: Array, training: Array, fresh: Array, own: bool = False) -> Estimate:
    """Return median distance to the nearest training point, of samples over that of fresh data, with a 99 % interval.

    All have shape (n, d). With `own`, fresh point k is training point k, perhaps with noise, and is looked at beside the
    others. The interval is that of a mean over 20 groups of samples and of fresh points.
    Raises ValueError for different dimensions, points that are not finite, or fewer than 200 samples or fresh points.

    >>> line = np.arange(400.0)[:, None]
    >>> print(mfg.diagnostics.nearest_ratio(line + 0.25, line, line + 0.5))
    0.5 ± 0.0e+00
    """
    ours, theirs = nearest_distances(samples, training, fresh, own)
    parts = zip(np.array_split(ours, GROUPS), np.array_split(theirs, GROUPS), strict=True)
    ratios = np.array([np.median(a) / np.median(b) for a, b in parts])
    spread = mean_interval(ratios).half_width
    method = f"{len(ours)} samples, {len(training)} training points, 99% over {GROUPS} groups"
    return Estimate(float(np.median(ours) / np.median(theirs)), spread, Kind.CONFIDENCE, method)


def share_of_copies(samples: Array, training: Array, fresh: Array, own: bool = False) -> tuple[Estimate, float]:
    """Return the share of samples nearer to a training point than a twentieth of fresh data, and what that distance is.

    Of samples of the data's own law it is a twentieth, of copies one. The interval, 99 % each, is that of a share of the
    samples and that of a twentieth among so many fresh points. Raises ValueError as `nearest_ratio` does.

    >>> line = np.arange(400.0)[:, None]
    >>> share, near = mfg.diagnostics.share_of_copies(np.repeat(line, 2, axis=0), line, line + 0.5)
    >>> share.value, near
    (1.0, 0.5)
    """
    ours, theirs = nearest_distances(samples, training, fresh, own)
    near = float(np.quantile(theirs, NEAREST))
    found, count = mean_interval(ours < near), round(NEAREST * len(theirs))
    width = found.half_width + mean_interval(np.arange(len(theirs)) < count).half_width
    method = f"{len(ours)} samples, {len(theirs)} fresh points, 99%"
    return Estimate(found.value, width, Kind.CONFIDENCE, method), near


def nearest_distances(samples: Array, training: Array, fresh: Array, own: bool = False) -> tuple[Array, Array]:
    """Return the distances to the nearest training point, of samples and of fresh data."""
    clouds = [np.asarray(x, dtype=float) for x in (samples, training, fresh)]
    if own and clouds[1].shape != clouds[2].shape:
        raise ValueError(f"of {len(clouds[1])} training points so many fresh ones are made, got {len(clouds[2])}")
    if any(x.ndim != 2 or x.shape[1] != clouds[0].shape[1] for x in clouds):
        raise ValueError(f"samples, training and fresh must have shapes (n, d), got {[x.shape for x in clouds]}")
    if not all(np.isfinite(x).all() for x in clouds):
        raise ValueError("all points must be finite")
    if min(len(clouds[0]), len(clouds[2])) < ENOUGH:
        raise ValueError(
            f"at least {ENOUGH} samples and fresh points are needed, got {len(clouds[0])}, {len(clouds[2])}"
        )
    tree = cast(Any, cKDTree(clouds[1]))
    ours: Array = tree.query(clouds[0])[0]
    if not own:
        theirs: Array = tree.query(clouds[2])[0]
        return ours, theirs
    away: Array
    which: Array
    away, which = tree.query(clouds[2], k=2)
    other: Array = which[:, 0] == np.arange(len(which))
    return ours, np.where(other, away[:, 1], away[:, 0])
