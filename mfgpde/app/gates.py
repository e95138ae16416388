"""The gate behind `mfgpde check`: requirements judged, an earlier certificate compared, and one exit code for both."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from mfgpde.app.complaints import ended
from mfgpde.app.requirements import Certificate, Requirement
from mfgpde.app.terminal import Terminal
from mfgpde.report.table import COLOURS, MARKS
from mfgpde.verify import Outcome
from mfgpde.verify.judge import reason


def code(
    certificate: Certificate,
    required: Sequence[Requirement],
    earlier: Certificate | None,
    console: Terminal,
    *,
    failed: bool,
) -> int:
    """Print what became of the requirements and what moved; return 1 refuted, 2 failed or undecided, 3 moved, else 0."""
    findings = [one.of(certificate) for one in required]
    for finding in findings:
        mark = Text(f"{MARKS[finding.outcome]} {finding.outcome}", style=COLOURS[finding.outcome])
        console.print(mark, reason(finding), highlight=False)
    movements = certificate.moved(earlier) if earlier else []
    if earlier:
        told = f"{len(movements)} movement(s)" if movements else "nothing moved beyond its error bar."
        console.print(f"Against the earlier certificate: {told}")
        for one in movements:
            console.print(f"  {one.label}  {one.what}", highlight=False)
    refuted, undecided = (
        [finding.label for finding in findings if finding.outcome is outcome]
        for outcome in (Outcome.REFUTED, Outcome.UNDECIDED)
    )
    if refuted:
        return ended(1, f"refuted: {', '.join(refuted)}").exit_code
    if failed or undecided:
        stands = ["the certificate does not stand"] * failed
        open_ = [f"undecided: {', '.join(undecided)}"] * bool(undecided)
        return ended(2, "; ".join(stands + open_)).exit_code
    return ended(3 if movements else 0, f"{len(movements)} movement(s) against the earlier certificate").exit_code
