"""Relative entropy and information of blobs on the line to a centred Gaussian, as formulas of the place that can be certified."""

import numpy as np


def integrands(law, variance, x):
    """Return p log(p/π) and p|∇log(p/π)|² as formulas on the line."""
    m, v = law.means[:, 0].tolist(), law.covariances[:, 0, 0].tolist()
    logs = [-0.5 / c * (x - b) ** 2 for b, c in zip(m, v, strict=True)]
    sizes = [float(w / np.sqrt(2 * np.pi * c)) for w, c in zip(law.weights, v, strict=True)]
    p, slope = 0.0, x / variance
    for k, (size, log, b, c) in enumerate(zip(sizes, logs, m, v, strict=True)):
        others = (s / size * np.exp(one - log) for j, (s, one) in enumerate(zip(sizes, logs, strict=True)) if j != k)
        slope = slope - 1 / sum(others, 1.0) * ((x - b) / c)
        p = p + size * np.exp(log)
    ratio = np.log(p) + 0.5 / variance * x**2 + 0.5 * float(np.log(2 * np.pi * variance))
    return p * ratio, p * slope**2
