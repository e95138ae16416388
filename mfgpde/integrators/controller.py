"""How long the next step may be: a proportional–integral controller on the estimated local error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mfgpde.integrators.contract import Array, sizes


@dataclass
class Controller:
    """Accepts a step when rms(error) ≤ atol + rtol·rms(u).

    Gustafsson, ACM Trans. Math. Softw. 17 (1991): exponents 0.7/k and 0.4/k with k = embedded_order + 1.

    >>> control = mfg.integrators.Controller(rtol=1e-3, atol=0.0, embedded_order=2)
    >>> print(f"{control.ratio(np.full(3, 2.0), np.full(3, 1e-3)):.2f}")  # of an error of 5e-4
    0.50
    """

    rtol: float
    atol: float
    embedded_order: int
    sizes: Callable[[Array, Array], tuple[float, float]] = sizes
    """the norms of a state and its error; unknowns spread over several processes bring their own"""
    keeps: bool = True
    """whether a gain below a quarter is forgone, so that what was computed for a length of step serves again"""
    previous: float = 1.0

    def ratio(self, u: Array, error: Array, known: tuple[float, float] | None = None) -> float:
        """Return the error in units of the tolerance; NaN or infinity mean that the step blew up.

        `known` are the norms of both, where they are.
        """
        scale, away = self.sizes(u, error) if known is None else known
        allowed = self.atol + self.rtol * scale
        if allowed == 0:  # a state that is zero everywhere, as the value of a game without costs
            return 0.0 if away == 0 else float("inf")
        return away / allowed

    def factor(self, ratio: float) -> float:
        """Return by how much to change the step after one with this error ratio.

        Small gains are not worth a change where steps are kept; a ratio that stays anywhere above 1/27 is then left there.
        """
        if not ratio < float("inf"):
            return 0.2
        k = self.embedded_order + 1
        ratio = max(ratio, 1e-8)
        factor = 0.9 * ratio ** (-0.7 / k) * self.previous ** (0.4 / k) if ratio <= 1 else 0.9 * ratio ** (-1 / k)
        if ratio <= 1:
            self.previous = ratio
        factor = min(max(factor, 0.2), 5.0)
        return 1.0 if self.keeps and ratio <= 1 and 1.0 <= factor < 1.25 else factor
