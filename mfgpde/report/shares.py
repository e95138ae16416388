"""The numbers of a certificate beside their scales: W₂ as a share of the data's spread, residuals of |∂_t s|."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mfgpde.core.digits import digits

GRADES = ((0.01, "very close"), (0.05, "close"), (0.2, "off"), (math.inf, "far"))
LABELS = {
    "sde–data": "SDE – data",
    "ode–data": "ODE – data",
    "ode–sde": "ODE – SDE",
    "score": "score alone, ODE from p_T",
    "samples": "left open by the samples",
    "prior": "prior – p_T",
    "stop": "noise at the stop",
}


@dataclass(frozen=True)
class Share:
    """A length as a share of the spread: its interval, and the value; `high` is infinite where only a bound is known."""

    label: str
    low: float
    high: float
    value: float

    @property
    def words(self) -> str:
        """The interval in per cent: what reaches down to zero is *at most*, what has no upper end *at least*."""
        if not math.isfinite(self.high):
            return f"at least {percent(self.low)}"
        low, high = percent(self.low), percent(self.high)
        if low == high or "less" in high:
            return high
        if "less" in low or self.low < 0.02 * self.high:
            return f"at most {high}"
        return f"{low.removesuffix(' %')} to {high}"

    @property
    def grade(self) -> str:
        """The word for it, or two, or that it is undecided, where the interval meets several."""
        first, last = _grade(self.low), _grade(self.high)
        if first == last:
            return first
        words = [word for _, word in GRADES]
        near = words.index(last) == words.index(first) + 1
        return f"{first} or {last}" if near else f"anything from {first} to {last} (undecided)"

    def row(self) -> dict[str, Any]:
        """Return it as a picture of intervals takes it, in per cent."""
        return {
            "label": self.label,
            "value": 100 * self.value,
            "low": 100 * self.low,
            "high": 100 * self.high,
            "words": self.words,
        }


def shares(result: Mapping[str, Any]) -> dict[str, Share]:
    """Return W₂ between the laws of a certificate, and what comes from prior, score, stop and number of data."""
    scale = result["spread"]["value"]
    found = dict(_lengths(result)) if scale > 0 else {}
    return {
        key: Share(LABELS[key], max(0.0, low) / scale, high / scale, value / scale)
        for key, (low, value, high) in found.items()
    }


def _lengths(result: Mapping[str, Any]) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """Yield lengths as (low, value, high)."""
    prior = result.get("prior", {})
    entries: dict[str, Any] = {}
    if "grid" in result:
        entries |= {pair: result["distances"].get(pair, {}).get("W2") for pair in ("sde–data", "ode–data", "ode–sde")}
        entries["score"] = prior.get("ode from p_T–data", {}).get("W2")
    else:
        for pair, key in (("sde–data", "sde–data"), ("ode–data", "ode–data"), ("sde–ode", "ode–sde")):
            if pair in result["moments"]:
                square, most = (result["moments"][pair].get(f"W2², at {end}") for end in ("least", "most"))
                low, value = (math.sqrt(max(0.0, square["value"] - bar)) for bar in (square["error"], 0.0))
                yield key, (low, value, math.sqrt(most["value"] + most["error"]) if most else math.inf)
    entries["prior"] = prior.get("p_T–prior", {}).get("W2")
    entries["stop"] = result.get("stopping", {}).get("p_stop–data", {}).get("W2")
    for key, entry in entries.items():
        if entry is not None and entry["value"] is not None:
            bar = math.inf if entry["error"] is None else entry["error"]
            low, high = entry.get("lower", entry["value"] - bar), entry.get("upper", entry["value"] + bar)
            yield key, (low, entry["value"], math.inf if high is None else high)
    size = (entries.get("sde–data") or {}).get("parts", {}).get("samples")
    if size:
        yield "samples", (0.0, size, size)


@dataclass(frozen=True)
class ResidualShare:
    """|ε| over |∂_t s|: root mean squares over the law and over all times, at the last time; and where |ε| is largest."""

    overall: float
    last: float
    largest_at: float
    rounding: float = 0.0
    """what rounding of the score's values may leave of it over all times, where its derivatives are differences of them"""


def residual_share(result: Mapping[str, Any]) -> ResidualShare | None:
    """Return the residual of a certificate as a share of |∂_t s|; nothing where the score does not move."""
    rows = [(row["t"], *_rms(row)) for row in result["residuals"]]
    t, up, down = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    whole = float(np.trapezoid(down**2, -t))
    if not whole > 0 or not down[-1] > 0:
        return None
    overall = math.sqrt(float(np.trapezoid(up**2, -t)) / whole)
    rounding = np.array([row.get("rounding of the residual", 0.0) for row in result["residuals"]])
    left = math.sqrt(float(np.trapezoid(rounding**2, -t)) / whole)
    return ResidualShare(overall, float(up[-1] / down[-1]), float(t[np.argmax(up)]), left)


def _rms(row: Mapping[str, Any]) -> tuple[float, float]:
    """Return |ε| and |∂_t s|; along trajectories mean squares are known, that of ε without bias and perhaps below zero."""
    up, down = (row[name] for name in ("score residual", "time derivative"))
    if isinstance(up, Mapping):
        return math.sqrt(max(up["value"], 0.0)), math.sqrt(max(down["value"], 0.0))
    return up, down


def percent(share: float) -> str:
    """Return a share in per cent, with two digits or from 100 % on three, and what is next to nothing as such.

    >>> from mfgpde.report.shares import percent
    >>> percent(0.1234), percent(1e-7), percent(0.997), percent(1.19), percent(40.0)
    ('12 %', 'less than 0.01 %', '100 %', '119 %', '4000 %')
    """
    if not math.isfinite(share):
        return "∞"
    if share == 0 or 100 * share >= 0.01:
        return f"{digits(100 * share, 3 if share >= 1 else 2)} %"
    return "less than 0.01 %"


def _grade(share: float) -> str:
    return next(word for end, word in GRADES if share < end or math.isinf(end))
