"""The court: claims, evidence, one judge, verdicts. It knows estimates and nothing of physics."""

from mfgpde.verify.claim import Claim, Evidence, Level, Series, Standing
from mfgpde.verify.discover import load_module
from mfgpde.verify.finding import Finding, Outcome, at_least, at_most, equal
from mfgpde.verify.judge import Verdict, judge
from mfgpde.verify.short import states

__all__ = [
    "Claim",
    "Evidence",
    "Finding",
    "Level",
    "Outcome",
    "Series",
    "Standing",
    "Verdict",
    "at_least",
    "at_most",
    "equal",
    "judge",
    "load_module",
    "states",
]
