"""Nearest training points: repeats are found out, fresh data are not, bad input is refused."""

import numpy as np
import pytest

import mfgpde as mfg


def test_repeats_and_fresh_data_are_told_apart(rng):
    law = mfg.densities.four_blobs()
    training, fresh, more = law.sample(100, rng), law.sample(2000, rng), law.sample(2000, rng)
    repeats = training[rng.integers(100, size=2000)] + 0.01 * rng.standard_normal((2000, 2))
    assert mfg.diagnostics.nearest_ratio(repeats, training, fresh).upper < 0.15
    honest = mfg.diagnostics.nearest_ratio(more, training, fresh)
    assert 1.0 in honest
    assert honest.half_width < 0.2
    far = mfg.diagnostics.nearest_ratio(3 * more, training, fresh)
    assert far.lower > 2


def test_intervals_hold_the_mean_as_often_as_they_say(rng):
    held = [0.3 in mfg.diagnostics.mean_interval(rng.normal(0.3, 2.0, 6), level=0.9) for _ in range(2000)]
    assert 0.9 - 4 * np.sqrt(0.09 / 2000) < np.mean(held) < 0.98  # six values may be skewed: that costs width
    with pytest.raises(ValueError, match="at least two"):
        mfg.diagnostics.mean_interval([1.0])


def test_bad_clouds_are_refused(rng):
    x = rng.standard_normal((300, 2))
    with pytest.raises(ValueError, match="must have shapes"):
        mfg.diagnostics.nearest_ratio(x, x[:, :1], x)
    with pytest.raises(ValueError, match="must be finite"):
        mfg.diagnostics.nearest_ratio(x, np.full((5, 2), np.nan), x)
    with pytest.raises(ValueError, match="at least 200"):
        mfg.diagnostics.nearest_ratio(x[:100], x, x)
