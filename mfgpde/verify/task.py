"""What a worker is asked to do with one claim, and the files by which the process that does it answers."""

from __future__ import annotations

from dataclasses import dataclass

from mfgpde.verify.claim import Level
from mfgpde.verify.discover import Entry

RESULT, OUTPUT, WORK, LISTED = "result.json", "output", "work", "described"
"""in the folder of one claim: what was found, what was printed, where it works; and the key of what it says of itself"""
LIMIT, LOST, ENDED = "limit", "lost", "ended"
"""in place of an exit status: the time was over; the warm process was lost, or was told to end"""
LIMITS = {Level.QUICK: 900.0, Level.STANDARD: 3600.0, Level.FULL: 86400.0}
"""seconds that one claim may take, unless a run says otherwise"""


@dataclass(frozen=True)
class Task:
    """One claim to be judged over some seeds within `limit` seconds, `twice` to see whether it repeats itself.

    `strict`: no claim may have a finding that was never seen to fail, as no theorem may.

    A `listing` asks for what the claim says of itself alone.
    """

    entry: Entry
    level: Level
    seeds: tuple[int, ...] = (0,)
    limit: float = LIMITS[Level.QUICK]
    twice: bool = False
    strict: bool = False
    listing: bool = False
