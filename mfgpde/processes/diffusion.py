"""Diffusions with noise that depends on the place, its direction and the meaning of the stochastic integral."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mfgpde.core.arrays import Array
from mfgpde.core.shown import Shown
from mfgpde.processes.contract import ForwardProcess, positive
from mfgpde.processes.generator import MarkovGenerator

Field = Callable[[Array, float], Array | float]
Meaning = Literal["ito", "stratonovich", "haenggi-klimontovich"]
MEANINGS = {
    "ito": "Itô: the drift is f",
    "stratonovich": "Stratonovich: the Itô drift is f + ½Σ_jk σ_jk ∂_jσ_ik",
    "haenggi-klimontovich": "Hänggi–Klimontovich: the Itô drift is f + ∇·D, the flux f p − D∇p",
}
SLOPE = 1e-4
"""of the largest coordinate: the half width of central differences where nobody names another"""


@dataclass(frozen=True, eq=False, repr=False)
class Diffusion(Shown):
    """dX = f(X, t) dt + σ(X, t) dW with D = ½σσᵀ: noise of any strength and direction, also none along some axes.

    Either `tensor` gives D(x, t), shape (...) for D·I, (..., d) for a diagonal, (..., d, d) for all, or `noise` gives
    σ(x, t), shape (..., d, m). `meaning` of the integral: "ito", "stratonovich", or "haenggi-klimontovich", whose flux is
    f p − D∇p. Lengths and times in any unit: f length/time, D length²/time, σ length/√time.

    Raises TypeError for functions that are none of (x, t); ValueError where Stratonovich's drift needs σ and D alone is
    given: different σ with one D mean different drifts, but for multiples of the identity and diagonals of own coordinates.

    >>> gbm = mfg.processes.Diffusion(lambda x, t: 0.1 * x, lambda x, t: 0.02 * x**2, meaning="stratonovich")
    >>> gbm.induced_drift(np.array([[2.0]]), 0.0).round(6).tolist()  # ½∂D = 0.02 x
    [[0.04]]
    """

    drift: Callable[[Array, float], Array]
    tensor: Field | None = None
    noise: Field | None = None
    meaning: Meaning = "ito"
    time_dependent: bool = False
    horizon: float = np.inf

    def __post_init__(self) -> None:
        if self.horizon != np.inf:
            positive(horizon=self.horizon)
        if (self.tensor is None) == (self.noise is None):
            raise ValueError("a diffusion has either a tensor D(x, t) or a noise σ(x, t), D = ½σσᵀ; give one of them")
        if self.meaning not in MEANINGS:
            raise ValueError(f"meaning must be {', '.join(map(repr, MEANINGS))}, got {self.meaning!r}")
        for name in ("drift", "tensor", "noise"):
            _check_of_points_and_time(getattr(self, name), name)

    @classmethod
    def of(cls, process: Dynamics) -> Diffusion:
        """Return a process, or a reversible generator, as a diffusion. Raises TypeError for what is neither."""
        if isinstance(process, Diffusion):
            return process
        if isinstance(process, MarkovGenerator):
            return cls(_ReversibleDrift(process), _Still(process.diffusion_tensor), meaning="haenggi-klimontovich")
        if not isinstance(process, ForwardProcess):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a diffusion is made of a process or a generator, got {type(process).__name__}")
        return cls(
            process.drift, process.diffusion_tensor, time_dependent=not process.autonomous, horizon=process.horizon
        )

    @classmethod
    def underdamped(
        cls, gradient: Callable[[Array], Array], friction: float = 1.0, temperature: float = 1.0, mass: float = 1.0
    ) -> Diffusion:
        """Return underdamped Langevin dynamics in U, ∇U = `gradient`: dx = v dt, M dv = −(∇U + γMv)dt + √(2γMT) dW.

        Points are (x, v), (..., 2d); the law that stays is e^{−(U + ½M|v|²)/T} (Klein, Kramers).

        >>> kramers = mfg.processes.Diffusion.underdamped(lambda x: x**3 - x, friction=0.5)
        >>> kramers.drift(np.array([[2.0, 1.0]]), 0.0).tolist()
        [[1.0, -6.5]]
        """
        positive(friction=friction, temperature=temperature, mass=mass)
        return cls(_Kinetic(gradient, friction, mass), _OnVelocity(friction * temperature / mass))

    def diffusion_tensor(self, x: Array, t: float) -> Array:
        """Return D(x, t), shape (..., d, d). Raises ValueError for another shape, and what is not finite."""
        if self.noise is not None:
            sigma = np.asarray(self.noise(x, t), dtype=float)
            if sigma.ndim != x.ndim + 1 or sigma.shape[:-1] != x.shape:
                raise ValueError(f"σ must be of shape {(*x.shape, 'm')} at points {x.shape}, got {sigma.shape}")
            return 0.5 * sigma @ np.swapaxes(sigma, -1, -2)
        assert self.tensor is not None
        D, d = np.asarray(self.tensor(x, t), dtype=float), x.shape[-1]
        if D.shape == (*x.shape, d):
            return D
        if D.shape in (x.shape, x.shape[:-1], ()):
            diagonal = D if D.shape == x.shape else np.broadcast_to(D, x.shape[:-1])[..., None]
            return diagonal[..., None] * np.eye(d)
        raise ValueError(
            f"D must be of shape {x.shape[:-1]}, {x.shape} or {(*x.shape, d)} at points {x.shape}, got {D.shape}"
        )

    def ito_drift(self, x: Array, t: float, widths: Array | None = None) -> Array:
        """Return the drift of the same process in Itô's sense, shape (..., d)."""
        return self._drift(x, t) + self.induced_drift(x, t, widths)

    def fickian_drift(self, x: Array, t: float, widths: Array | None = None) -> Array:
        """Return g with the flux g p − D∇p: the Itô drift less ∇·D."""
        if self.meaning == "haenggi-klimontovich":
            return self._drift(x, t)
        return self.ito_drift(x, t, widths) - self.tensor_divergence(x, t, widths)

    def sharp_fickian_drift(self, x: Array, t: float, widths: Array) -> Array:
        """Return the same by differences of fourth order, that reach twice `widths`: for schemes of high order."""
        if self.meaning == "haenggi-klimontovich":
            return self._drift(x, t)
        return (4 * self.fickian_drift(x, t, widths) - self.fickian_drift(x, t, 2 * widths)) / 3

    def induced_drift(self, x: Array, t: float, widths: Array | None = None) -> Array:
        """Return what the meaning of the integral adds to f; by central differences of half `widths` along each axis."""
        if self.meaning == "ito":
            return np.zeros(x.shape)
        if self.meaning == "haenggi-klimontovich":
            return self.tensor_divergence(x, t, widths)
        if self.noise is not None:
            sigma, slopes = np.asarray(self.noise(x, t), dtype=float), self._slopes(self.noise, x, t, widths)
            return 0.5 * np.einsum("...jk,...ikj->...i", sigma, slopes)
        assert self.tensor is not None
        D = np.asarray(self.tensor(x, t), dtype=float)
        if D.ndim > x.ndim and x.shape[-1] > 1:
            raise ValueError(
                "Stratonovich's drift ½Σ_jk σ_jk ∂_jσ_ik depends on σ, which a full tensor D = ½σσᵀ does not determine; "
                "give noise=σ(x, t), or say which Itô drift is meant"
            )
        return 0.5 * self.tensor_divergence(x, t, widths)

    def tensor_divergence(self, x: Array, t: float, widths: Array | None = None) -> Array:
        """Return Σ_j ∂_jD_ij, shape (..., d)."""
        return np.einsum("...ijj->...i", self._slopes(self.diffusion_tensor, x, t, widths))

    def _drift(self, x: Array, t: float) -> Array:
        f = np.asarray(self.drift(x, t), dtype=float)
        if f.shape != x.shape:
            raise ValueError(f"the drift must return an array of shape {x.shape} on such points, got {f.shape}")
        return f

    def _slopes(self, function: Field, x: Array, t: float, widths: Array | None) -> Array:
        """Return ∂_j of a function, j last, by central differences: exact for quadratics."""
        d = x.shape[-1]
        steps = np.full(d, SLOPE * float(np.abs(x).max(initial=0.0)) or SLOPE) if widths is None else widths
        parts: list[Array] = []
        for step, e in zip(steps, np.eye(d), strict=True):
            ahead, behind = np.asarray(function(x + step * e, t)), np.asarray(function(x - step * e, t))
            parts.append(np.asarray((ahead - behind) / (2 * step), dtype=float))
        return np.stack(parts, axis=-1)

    def summary(self) -> tuple[str, dict[str, str]]:
        """Return what the integral means, and whether coefficients depend on time."""
        facts = {"meaning": MEANINGS[self.meaning], "given": "σ" if self.noise is not None else "D"}
        return "diffusion", {**facts, "coefficients": "of time, too" if self.time_dependent else "still"}


Dynamics = ForwardProcess | MarkovGenerator | Diffusion
"""what can be written as a diffusion"""


@dataclass(frozen=True, eq=False)
class _Still:
    """A function of points as one of points and time."""

    function: Callable[[Array], Array]

    def __call__(self, x: Array, t: float) -> Array:
        d = x.shape[-1]
        return self.function(x.reshape(-1, d)).reshape(*x.shape, d)


@dataclass(frozen=True, eq=False)
class _ReversibleDrift:
    """−A∇V, the Fickian drift of L = e^V ∇·(e^{−V} A∇)."""

    generator: MarkovGenerator

    def __call__(self, x: Array, t: float) -> Array:
        points = x.reshape(-1, x.shape[-1])
        if self.generator.gradient is None:
            if self.generator.potential is not None:
                raise TypeError("a generator with a potential needs its gradient to be a diffusion")
            return np.zeros(x.shape)
        A = self.generator.diffusion_tensor(points)
        return -np.einsum("nij,nj->ni", A, self.generator.gradient(points)).reshape(x.shape)


@dataclass(frozen=True, eq=False)
class _Kinetic:
    """(v, −∇U(x)/M − γv)."""

    gradient: Callable[[Array], Array]
    friction: float
    mass: float

    def __call__(self, x: Array, t: float) -> Array:
        place, v = np.split(x, 2, axis=-1)
        return np.concatenate((v, -self.gradient(place) / self.mass - self.friction * v), axis=-1)


@dataclass(frozen=True)
class _OnVelocity:
    """The diagonal of D: nothing on places, γT/M on velocities."""

    strength: float

    def __call__(self, x: Array, t: float) -> Array:
        half = x.shape[-1] // 2
        return np.concatenate((np.zeros((*x.shape[:-1], half)), np.full((*x.shape[:-1], half), self.strength)), axis=-1)


def _check_of_points_and_time(function: object, name: str) -> None:
    if function is None:
        return
    if not callable(function):
        raise TypeError(f"{name} must be a function of points and time, got {function!r}: write lambda x, t: …")
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        raise TypeError(f"{name} must be a function of points and time, (x, t): write lambda x, t: …") from None
    except ValueError:  # compiled functions may not say
        return
