"""An affine score under data of blobs: its ODE carries a Gaussian along paths in closed form, and its residual moves with time alone.

Of `_known.Known` with one blob in q, at X = x/m = ν + C with variance λτ: paths are X = √τ y + ν + C with y still, ∂x_t/∂y is
√V, V = m²τ, and s_θ = 2A − (x − m(ν + C))/V. Since V′ = 2D − 2aV, ε has no part in x. All expectations are of quadratic forms.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

import mfgpde as mfg
from mfgpde.verify import load_module

known = load_module(Path(__file__).parents[1] / "networks" / "_known.py")


def one_blob(case):
    """Return the member with one blob in q, 0.8 beside the mean of the data on the side C comes from: something is lost in any case."""
    place = case.data.weights @ case.data.places - 0.8 * np.sign(case.shift)
    return replace(case, made=known.lines.Blobs(np.ones(1), np.array([place])))


def tau(case, t):
    """Return τ."""
    return case.width + case.theta(t)


def centre(case, t):
    """Return ν + C."""
    return float(case.made.places[0]) + case.offset(t)


def residual(case, t):
    """Return ε = ∂_t s − ∇(D∇·s + D|s|² − f·s), f = −ax: −4D C″/m³ − 2D C′/(mV)."""
    m, D = case.mean(t), case.process.diffusivity(t)
    inverse = 1.0 / m
    far = inverse / (m**2 * tau(case, t))
    return -4.0 * D * case.offset(t, 2) * inverse**3 - 2.0 * D * case.offset(t, 1) * far


STEPS = 200
"""of the linear system, at equal lengths"""


def collected(case):
    """Return ∫D E_p[a·I] dt, I = (1/√V)∫_t^T √V ε du, by a linear system: of √V I, and the integral."""
    first = float(case.data.weights @ case.data.places)

    def system(t):
        m, D = case.mean(t), case.process.diffusivity(t)
        V = m**2 * case.width + case.process.variance(t)
        root = np.sqrt(V)
        a = 2.0 * case.pull(t) + m * (centre(case, t) - first) / V  # E_p[∇log p] = 0
        return [[0.0, 0.0, -1.0 * root * residual(case, t)], [-1.0 * D * a / root, 0.0, 0.0], [0.0] * 3]

    start = [0.0, 0.0, 1.0]
    end, missed = mfg.solvers.linear_system(system, start, case.process.horizon, case.stop, steps=STEPS)
    return mfg.Estimate(float(end[1]), missed, mfg.Kind.BOUND, "a linear system by Taylor series")


def carried(case, t):
    """Return w = s_θ − ∇log q, and what it would be at time t if no residual were collected: N_T w(x_T, T)/N."""
    T, shrunk = np.array(case.process.horizon), (case.spread - 1.0) / case.spread
    m, width, at = case.mean(t), tau(case, t), centre(case, t)
    inverse = 1.0 / (m * width)
    w = {"1": 2.0 * case.pull(t) + shrunk * (at * inverse), "z": -shrunk / m}
    end = 2.0 * float(case.pull(T)) * float(case.mean(T)) * float(np.sqrt(tau(case, T)))
    begun = {"1": end / (m * np.sqrt(width)) + shrunk * (at * inverse), "z": -shrunk / m}
    return w, begun


def integrals(case):
    """Return KL(p_0‖q_0) − KL(p_T‖q_T), then ∫D E_p of a², aw₀, aI, w₀², w₀I, I², where I is w₀ − w in the three last."""
    case = one_blob(case)

    def product(which):
        def terms(t):
            a, (w, begun) = case.errors(t, by_ode=True)[0], carried(case, t)
            other = known.plus((1.0, begun), (-1.0, w))
            forms = ((a, a), (a, begun), (begun, begun), (begun, other), (other, other))[which]
            return [(case.process.diffusivity(t), *forms)]

        return terms

    aa, aw, ww, wI, II = (case.over_time(product(k)) for k in range(5))
    return case.gap(), (aa, aw, collected(case), ww, wI, II)
