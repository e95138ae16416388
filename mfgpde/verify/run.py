"""Running claims: each in a process of its own pool, each result on disk as soon as it is known."""

from __future__ import annotations

import multiprocessing
import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mfgpde.core import threads
from mfgpde.core.lock import locked
from mfgpde.core.modules import shipped
from mfgpde.core.optional import explained
from mfgpde.core.progress import meter
from mfgpde.verify import discover, record
from mfgpde.verify.claim import Claim, Evidence, Level
from mfgpde.verify.finding import Outcome
from mfgpde.verify.judge import Verdict, judge, reason
from mfgpde.verify.power import detects

SAME = ("key", "level", "seed")
"""what an interrupted run and each of its results share with the run that goes on"""


def run_claim(entry: discover.Entry, level: Level, seed: int) -> dict[str, Any]:
    """Measure one claim, its controls and its power, judge it, and return the record; an exception makes it broken."""
    clock = time.perf_counter()
    data: dict[str, Any] = {
        "id": entry.id,
        "level": level.value,
        "seed": seed,
        "findings": [],
        "controls": [],
        "series": [],
    }
    try:
        claim = discover.load(entry)
    except Exception as problem:
        return {
            **data,
            **_failed(problem),
            "title": entry.id,
            "statement": "",
            "seconds": time.perf_counter() - clock,
        }
    described = {
        "title": claim.title,
        "statement": claim.statement,
        "source": claim.source,
        "standing": claim.standing,
        "assumes": claim.assumes,
    }
    try:
        evidence = claim.run_measure(level, seed)
        controls = {name: _attempt(claim, name, level) for name in claim.controls}
        for outcome in controls.values():
            if isinstance(outcome, ImportError) and explained(outcome):
                raise outcome
        verdict = judge(evidence, controls, detects(claim, evidence, level, seed))
    except Exception as problem:
        return {**data, **described, **_failed(problem), "seconds": time.perf_counter() - clock}
    return {
        **data,
        **described,
        **_judged(verdict),
        "findings": [record.finding_record(finding) for finding in evidence.findings],
        "controls": [_control_record(name, outcome) for name, outcome in controls.items()],
        "series": [asdict(series) for series in evidence.series],
        "seconds": time.perf_counter() - clock,
    }


def _attempt(claim: Claim, name: str, level: Level) -> Evidence | Exception:
    try:
        return claim.run_control(name, level)
    except Exception as problem:
        return problem


def _failed(problem: Exception) -> dict[str, Any]:
    """Return the outcome of an exception: skipped where an optional library is missing, else broken."""
    words = explained(problem) if isinstance(problem, ImportError) else None
    if words is not None:
        reason = f"skipped, because {words}"
        return {"outcome": Outcome.SKIPPED.value, "margin": None, "detects": {}, "reason": reason}
    trace = "".join(traceback.format_exception(problem, limit=-6))
    return {
        "outcome": Outcome.BROKEN.value,
        "margin": None,
        "detects": {},
        "reason": f"{type(problem).__name__}: {problem}",
        "trace": trace,
    }


def _judged(verdict: Verdict) -> dict[str, Any]:
    return {
        "outcome": verdict.outcome.value,
        "margin": verdict.margin,
        "detects": dict(verdict.detects),
        "reason": verdict.reason,
    }


def _control_record(name: str, outcome: Evidence | Exception) -> dict[str, Any]:
    if isinstance(outcome, Exception):
        return {
            "description": name,
            "outcome": Outcome.BROKEN.value,
            "reason": f"{type(outcome).__name__}: {outcome}",
            "finding": None,
        }
    strongest = max(outcome.findings, key=lambda finding: -finding.margin)
    return {
        "description": name,
        "outcome": strongest.outcome.value,
        "reason": reason(strongest),
        "finding": record.finding_record(strongest),
    }


def run_suite(
    entries: Sequence[discover.Entry],
    level: Level,
    out: Path,
    *,
    package: Path,
    seed: int = 0,
    jobs: int = 0,
    show: bool = True,
    on_result: Callable[[dict[str, Any]], None] = lambda _: None,
) -> dict[str, Any]:
    """Run claims in parallel processes; results go to `out`/claims/<id>.json at once and to `out`/run.json at the end.

    A run that was interrupted goes on where it stopped, if code, claims, level and seed are the same; a finished run
    starts anew. Its records are believed if their digests fit; others are named in the run's remarks and measured again.
    Raises OSError if `out` cannot be written, and Busy if another run writes there (both before any work).
    """
    with locked(out, "the results in"):
        return _run(entries, level, out, package, seed, jobs, show, on_result)


def _run(
    entries: Sequence[discover.Entry],
    level: Level,
    out: Path,
    package: Path,
    seed: int,
    jobs: int,
    show: bool,
    on_result: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    files = [entry.path for entry in entries]
    manifest: dict[str, Any] = {
        "format": record.FORMAT,
        "level": level.value,
        "seed": seed,
        "key": record.fingerprint(package, *files, *discover.companions(files)),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "provenance": record.provenance(package),
    }
    same = {name: manifest[name] for name in SAME}
    (done, remarks), known = _unfinished(out, same), _seconds(package, out)
    record.write(out / "run.json", {**manifest, "state": "running", "claims": []})
    clock = time.perf_counter()
    results = {entry.id: done[entry.id] for entry in entries if entry.id in done}
    resumed = len(results)
    todo = sorted((entry for entry in entries if entry.id not in results), key=lambda entry: -known.get(entry.id, 0.0))
    with meter("claims", show=show) as bar:
        for number, result in enumerate(_each(todo, level, seed, jobs), start=1):
            results[result["id"]] = result
            record.write(out / "claims" / f"{result['id']}.json", record.sealed({**result, **same}))
            bar(number / len(todo), f"{result['id']}: {result['outcome']}")
            on_result(result)
    claims = [results[entry.id] for entry in entries]
    run = {
        **manifest,
        "state": "complete",
        "resumed": resumed,
        "remarks": remarks,
        "seconds": time.perf_counter() - clock,
        "claims": claims,
    }
    record.write(out / "run.json", run)
    return record.read(out / "run.json")


def _unfinished(out: Path, same: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the results of an interrupted run of the very same thing, and what was no such result, in words."""
    found: dict[str, Any] = {}
    remarks: list[str] = []
    try:
        manifest = record.read(out / "run.json") if (out / "run.json").exists() else {}
    except ValueError as problem:
        return {}, [f"{problem}; all was measured anew"]
    if manifest.get("state") != "running" or any(manifest.get(name) != value for name, value in same.items()):
        return {}, []
    for path in sorted((out / "claims").rglob("*.json")):
        try:
            data = record.read_sealed(path)
        except ValueError as problem:
            remarks.append(f"{problem}; the claim was measured again")
            continue
        if data["outcome"] != Outcome.BROKEN.value and all(data.get(name) == value for name, value in same.items()):
            found[data["id"]] = data
    return found, remarks


def _seconds(package: Path, out: Path) -> dict[str, float]:
    """Return how long claims took in recorded runs: the longest go first, so that no core waits for one at the end."""
    known: dict[str, float] = {}
    for path in (shipped(package, "validation") / "baseline.json", out / "run.json"):
        try:
            known |= {claim["id"]: claim["seconds"] for claim in record.read(path)["claims"]}
        except (ValueError, KeyError):
            continue
    return known


def _each(entries: Sequence[discover.Entry], level: Level, seed: int, jobs: int) -> Iterator[dict[str, Any]]:
    """Yield records as they come."""
    workers = min(jobs or threads.available(), len(entries))
    if workers <= 1:
        for entry in entries:
            yield run_claim(entry, level, seed)
        return
    share = threads.shares(workers)
    kept = {name: os.environ.get(name) for name in share}
    os.environ.update(share)
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        futures: dict[Future[dict[str, Any]], discover.Entry] = {
            pool.submit(run_claim, entry, level, seed): entry for entry in entries
        }
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for name, value in kept.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def exit_code(run: dict[str, Any]) -> int:
    """Return 1 if any claim is refuted or broken, else 2 if any is undecided, else 0."""
    outcomes = {claim["outcome"] for claim in run["claims"]}
    if outcomes & {Outcome.REFUTED.value, Outcome.BROKEN.value}:
        return 1
    return 2 if Outcome.UNDECIDED.value in outcomes else 0
