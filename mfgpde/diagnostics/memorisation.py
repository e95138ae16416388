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


def nearest_ratio(samples: Array, training: Array, fresh: Array) -> Estimate:
    """Return median distance to the nearest training point, of samples over that of fresh data, with a 99 % interval.

    All have shape (n, d). The interval is that of a mean over 20 groups of samples and of fresh points.
    Raises ValueError for different dimensions, points that are not finite, or fewer than 200 samples or fresh points.

    >>> line = np.arange(400.0)[:, None]
    >>> print(mfg.diagnostics.nearest_ratio(line + 0.25, line, line + 0.5))
    0.5 ± 0.0e+00
    """
    clouds = [np.asarray(x, dtype=float) for x in (samples, training, fresh)]
    if any(x.ndim != 2 or x.shape[1] != clouds[0].shape[1] for x in clouds):
        raise ValueError(f"samples, training and fresh must have shapes (n, d), got {[x.shape for x in clouds]}")
    if not all(np.isfinite(x).all() for x in clouds):
        raise ValueError("all points must be finite")
    if min(len(clouds[0]), len(clouds[2])) < 10 * GROUPS:
        raise ValueError(
            f"at least {10 * GROUPS} samples and fresh points are needed, got {len(clouds[0])}, {len(clouds[2])}"
        )
    tree = cast(Any, cKDTree(clouds[1]))
    nearest: list[Array] = [tree.query(x)[0] for x in (clouds[0], clouds[2])]
    ours, theirs = nearest
    parts = zip(np.array_split(ours, GROUPS), np.array_split(theirs, GROUPS), strict=True)
    ratios = np.array([np.median(a) / np.median(b) for a, b in parts])
    spread = mean_interval(ratios).half_width
    method = f"{len(ours)} samples, {len(clouds[1])} training points, 99% over {GROUPS} groups"
    return Estimate(float(np.median(ours) / np.median(theirs)), spread, Kind.CONFIDENCE, method)
