"""What a certificate has to say, as `W2(ode,data) <= 0.1`, judged with its error bar; and how two certificates differ."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mfgpde.core.estimate import Estimate, Kind, exact
from mfgpde.core.register import nearest
from mfgpde.verify import Finding, at_least, at_most
from mfgpde.verify.law import Movement

FORM = re.compile(r"\s*(?P<name>[^<>=≤≥]+?)\s*(?P<relation><=|>=|≤|≥)\s*(?P<number>[^<>=≤≥]+?)\s*")
GROUPS = ("distances", "prior", "bounds", "moments", "likelihood", "memorisation")
DASH = re.compile(r"\s*[–,]\s*")
RELATIVE = 1e-12  # δ of a requirement, as a share of its number: rounding


@dataclass(frozen=True)
class Certificate:
    """The numbers of a certificate by the names that requirements use: `W2(ode,data)`, `KL(data‖ode)`, `leak`."""

    found: Mapping[str, Any]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a certificate.json. Raises ValueError for what is none."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            names = cls(found).numbers() if isinstance(found, dict) else {}
        except (OSError, ValueError, AttributeError, TypeError, KeyError) as problem:
            raise ValueError(f"{path} is no certificate: {problem}") from None
        if not names or "about" not in found:
            raise ValueError(f"{path} is no certificate.json of `mfgpde check`")
        return cls(found)

    def numbers(self) -> dict[str, Estimate]:
        """Return all numbers with their bars; an unknown one is infinite, a bracket is its middle and half width."""
        found = dict(self._measured())
        leak = self.found.get("leak", {})
        for law, value in leak.items():
            found[f"leak({law})"] = exact(value, "mass out of the box")
        if leak:
            found["leak"] = exact(max(leak.values()), "mass out of the box, the larger")
        for row in self.found.get("residuals", [])[-1:]:
            for name, value in row.items():
                if name not in ("t",):
                    bar = row.get("rounding of the residual", 0.0) if name == "score residual" else 0.0
                    found[f"{name} at stop"] = _estimate(
                        value if isinstance(value, dict) else {"value": value, "error": bar}
                    )
        return found

    def _measured(self) -> Iterator[tuple[str, Estimate]]:
        for group in GROUPS:
            for pair, measures in self.found.get(group, {}).items():
                for name, entry in measures.items():
                    if entry.get("value") is not None:
                        full = name if "(" in name else f"{name}({DASH.sub(',', pair)})"
                        yield full if group not in ("prior", "bounds") else f"{group}: {full}", _estimate(entry)

    def moved(self, earlier: Certificate) -> list[Movement]:
        """Return what lies outside the sum of both bars, came or went, since an earlier certificate."""
        now, before = self.numbers(), earlier.numbers()
        moved = [Movement("", name, "is gone", loosened=True) for name in before if name not in now]
        moved += [Movement("", name, "is new") for name in now if name not in before]
        for name, one in now.items():
            two = before.get(name)
            if two is None:
                continue
            reach = one.half_width + two.half_width + RELATIVE * max(abs(one.value), abs(two.value))
            if abs(one.value - two.value) > reach:
                moved.append(Movement("", name, f"moved from {two} to {one}"))
        return moved


@dataclass(frozen=True)
class Requirement:
    """One inequality between a number of a certificate and a given one."""

    name: str
    relation: str
    number: float

    @classmethod
    def read(cls, text: str) -> Self:
        """Read NAME <= NUMBER or NAME >= NUMBER. Raises ValueError for anything else."""
        found = FORM.fullmatch(text)
        try:
            number = float(found["number"]) if found else math.nan
        except ValueError:
            number = math.nan
        if found is None or not math.isfinite(number):
            raise ValueError(f"a requirement reads 'W2(ode,data) <= 0.1', NAME <= or >= NUMBER; got {text!r}")
        return cls(found["name"], found["relation"].replace("<=", "≤").replace(">=", "≥"), number)

    def of(self, certificate: Certificate) -> Finding:
        """Return the finding. Raises ValueError, with the nearest name, for a number that the certificate has not."""
        numbers = certificate.numbers()
        names = {_plain(name): name for name in numbers}
        if _plain(self.name) not in names:
            raise ValueError(f"the certificate has no {self.name!r}; {nearest(self.name, list(numbers))}")
        name = names[_plain(self.name)]
        relation = at_most if self.relation == "≤" else at_least
        label = f"{name} {self.relation} {self.number:g}"
        return relation(label, numbers[name], exact(self.number, "required"), resolution=RELATIVE * abs(self.number))


def _plain(name: str) -> str:
    """Return a name without what people write differently."""
    return re.sub(r"[\s–,_|‖^]+", " ", name.lower().replace("₂", "2").replace("₁", "1").replace("( ", "(")).strip()


def _estimate(entry: Mapping[str, Any]) -> Estimate:
    value, error, method = entry["value"], entry.get("error"), entry.get("method", "the certificate")
    if entry.get("lower") is not None and entry.get("upper") is not None:
        low, high = entry["lower"], entry["upper"]
        return Estimate(0.5 * (low + high), 0.5 * (high - low), Kind.BOUND, method)
    return Estimate(value, math.inf if error is None else error, Kind.EXTRAPOLATED, method)
