"""Certificates in a folder: looked at before the work, written whole, remembered, and compared with each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mfgpde.app.check import Trial
from mfgpde.app.requirements import Certificate
from mfgpde.core.files import kept, write_text
from mfgpde.diagnostics.ledger import Ledger
from mfgpde.report import certificate as page
from mfgpde.report import certificate_plots, comparison, paper, plotting
from mfgpde.report.judgement import judged
from mfgpde.verify import history, record

FORMAT = 1
"""of certificate.json, as mfgpde/report/certificate.schema.json describes it; another number, another meaning"""


def written(out: Path, trial: Trial, found: Ledger, package: Path) -> dict[str, Any]:
    """Write certificate.json and .html into a folder, and a line into its history; return what is in the first."""
    result: dict[str, Any] = {"format": FORMAT, "about": trial.about, **found.plain()}
    result |= {"provenance": record.provenance(package), "judgement": list(judged(result).sentences)}

    def written_to(place: Path) -> Path:
        record.write(place, result)
        return place

    kept(written_to, out / "certificate.json")
    history.append(out, page.line(result, f"{datetime.now(UTC):%Y-%m-%d %H:%M}"))
    write_text(out / "certificate.html", page.render(result, found.fields, history.certificates(out)))
    return result


def side_by_side(places: Sequence[Path], out: Path) -> tuple[Path, list[tuple[str, Mapping[str, Any]]]]:
    """Write a page that compares certificates, files or folders that hold one; return its path and what it compares.

    Raises ValueError for fewer than two, and for a file that is no certificate of this format.
    """
    if len(places) < 2:
        raise ValueError("give two certificates or more to compare, files or the folders that hold them")
    files = [place / "certificate.json" if place.is_dir() else place for place in places]
    found = [Certificate.load(file).found for file in files]
    for file, one in zip(files, found, strict=True):
        if one.get("format") != FORMAT:
            raise ValueError(f"{file} is of another version; make it anew with `mfgpde check {file}`")
    names = _names(files)
    named = list(zip(names, found, strict=True))
    return write_text(out, comparison.render(named)), named


def drawn(place: Path, out: Path) -> list[Path]:
    """Draw a certificate for a paper, as PDF and PNG with its paragraph as the caption; return the files."""
    result = Certificate.load(place).found
    if result.get("format") != FORMAT:
        raise ValueError(f"{place} is of another version; make it anew with `mfgpde check {place}`")
    figure = certificate_plots.figure(result)
    paper.fit(figure)
    about = {"Title": f"certificate of {result['about']['score']}", "Creator": "mfgpde", "CreationDate": None}
    return [
        plotting.write(figure, out / "certificate.pdf", metadata=about),
        plotting.write(figure, out / "certificate.png"),
        write_text(out / "certificate.txt", " ".join(result["judgement"]) + "\n"),
    ]


def _names(files: Sequence[Path]) -> list[str]:
    """Return what tells files apart: the folder's name, or the whole path where two folders are called alike."""
    names = [file.parent.name if file.name == "certificate.json" else file.stem for file in files]
    return names if len(set(names)) == len(names) else [str(file.parent) for file in files]
