"""Running claims: each in a process of its own, each result on disk as soon as it is known."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from mfgpde.core import threads
from mfgpde.core.files import write_text
from mfgpde.core.lock import locked
from mfgpde.core.modules import shipped
from mfgpde.core.progress import meter
from mfgpde.verify import discover, isolated, record, sources, trial
from mfgpde.verify.claim import Level
from mfgpde.verify.executors import executor
from mfgpde.verify.executors.contract import Batched
from mfgpde.verify.finding import Outcome
from mfgpde.verify.forms import ClaimForm, Manifest, RunForm
from mfgpde.verify.task import LIMITS, Task

SAME = ("key", "level", "seed", "seeds", "twice", "strict")
"""what an interrupted run and each of its results share with the run that goes on"""
PART = "part"
"""the folder of a run that leaves out claims of the run in the folder above"""


@dataclass(frozen=True)
class Terms:
    """How claims are judged: how often and how strictly, where, and how many at once.

    `seeds` seeds from `seed` on; `twice` must give the same; `strict` breaks any claim with findings never seen to fail, as
    theorems always are; `limit` are the seconds of one claim, `jobs` the workers of the `executor`, as many as cores if 0.
    """

    seed: int = 0
    seeds: int = 1
    twice: bool = False
    strict: bool = False
    limit: float | None = None
    executor: str = "processes"
    jobs: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0 or self.seeds < 1:
            raise ValueError(f"seeds are numbers from 0 on, at least one; got seed {self.seed}, {self.seeds} of them")
        if self.limit is not None and not self.limit > 0:
            raise ValueError(f"the limit of one claim is a positive number of seconds, got {self.limit}")
        executor(self.executor)

    def task(self, entry: discover.Entry, level: Level) -> Task:
        """Return what is to be done with one claim."""
        seeds = tuple(range(self.seed, self.seed + self.seeds))
        return Task(
            replace(entry, path=entry.path.absolute()),
            level,
            seeds,
            self.limit or LIMITS[level],
            self.twice,
            self.strict,
        )


def where(out: Path, entries: Sequence[discover.Entry]) -> Path:
    """Return the folder for a run of these claims: `out`, or one inside it where `out` holds a run of others, too."""
    return out if held(out) <= {entry.id for entry in entries} else out / PART


def held(out: Path) -> set[str]:
    """Return the ids of the claims of the run that a folder holds, cases left away; none where it holds no run."""
    try:
        found = record.read(out / "run.json")
    except ValueError:
        return set()
    ids = found.get("ids") or [claim["id"] for claim in found["claims"]]
    return {name.partition("[")[0] for name in ids}


def run_suite(
    entries: Sequence[discover.Entry],
    level: Level,
    out: Path,
    *,
    package: Path,
    terms: Terms = Terms(),
    show: bool = True,
    on_result: Callable[[ClaimForm], None] = lambda _: None,
) -> RunForm:
    """Run claims in processes of their own; results go to `out`/claims/<id>.json at once, and to `out`/run.json at the end.

    A run that was interrupted goes on where it stopped, with what was found under the same code, claim, level and seeds; a
    finished run starts anew. Its records are believed if their digests fit; others are named in the run's remarks and
    measured again. What a claim printed is in `out`/claims/<id>.log.
    Raises OSError if `out` cannot be written, and Busy if another run writes there (both before any work).
    """
    with locked(out, "the results in"):
        return _run(entries, level, out, package, terms, show, on_result)


def _run(
    entries: Sequence[discover.Entry],
    level: Level,
    out: Path,
    package: Path,
    terms: Terms,
    show: bool,
    on_result: Callable[[ClaimForm], None],
) -> RunForm:
    clock, base = time.perf_counter(), record.sources(package)
    files = [entry.path for entry in entries]
    manifest: Manifest = {
        "format": record.FORMAT,
        "level": level.value,
        "seed": terms.seed,
        "seeds": terms.seeds,
        "twice": terms.twice,
        "strict": terms.strict,
        "key": record.keyed(base, *files, *discover.companions(files)),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "provenance": record.provenance(package),
    }
    stored = _unfinished(out, manifest)
    record.write(out / "run.json", record.sealed({**manifest, "state": "running", "ids": [], "claims": []}))
    entries = [one for entry in entries for one in _cases(entry, level)]
    manifest["ids"] = [entry.id for entry in entries]
    record.write(out / "run.json", record.sealed({**manifest, "state": "running", "claims": []}))
    keys = {entry.id: key(base, entry) for entry in entries}
    done, remarks = stored(keys)
    results = {entry.id: done[entry.id] for entry in entries if entry.id in done}
    resumed, todo = len(results), [entry for entry in entries if entry.id not in results]
    if len(todo) > 1:
        known = _seconds(todo, package, out)
        todo.sort(key=lambda entry: -known.get(entry.id, 0.0))
    tasks = [terms.task(entry, level) for entry in todo]
    with meter("claims", show=show) as bar:
        for number, result in enumerate(_each(tasks, terms), start=1):
            name = result["id"]
            result["key"], result["level"], result["seed"] = keys[name], level.value, terms.seed
            result["seeds"], result["twice"], result["strict"] = terms.seeds, terms.twice, terms.strict
            results[name] = _written(out / "claims", result)
            bar(number / len(todo), f"{result['id']}: {result['outcome']}")
            on_result(result)
    run: RunForm = {
        **manifest,
        "state": "complete",
        "resumed": resumed,
        "remarks": remarks,
        "seconds": time.perf_counter() - clock,
        "claims": [results[entry.id] for entry in entries],
    }
    record.write(out / "run.json", record.sealed(run))
    return record.read(out / "run.json")


def key(base: str, entry: discover.Entry) -> str:
    """Return a hash of the package's sources, of a claim's file, and of what it leans on."""
    return record.keyed(base, entry.path, *discover.companions([entry.path]))


def changed(claim: ClaimForm) -> list[str]:
    """Return which files that a claim loaded, besides those in its key, are not what they were."""
    return sources.changed(claim.get("loaded", {}), Path(claim.get("path", "")).parent)


def _cases(entry: discover.Entry, level: Level) -> list[discover.Entry]:
    """Return an entry for each case of a claim; files that name no cases are not looked into."""
    try:
        many = not entry.flaw and ".cases(" in entry.path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        many = False
    said = isolated.described(Task(replace(entry, path=entry.path.absolute()), level)) if many else None
    return [entry.of_case(case) for case in said["cases"]] if said and said["cases"] else [entry]


def _written(folder: Path, result: ClaimForm) -> ClaimForm:
    """Write a claim's record and what it printed; return the record."""
    output, place = result.pop("output", ""), folder / f"{result['id']}.log"
    if output:
        write_text(place, output)
    else:
        place.unlink(missing_ok=True)
    record.write(folder / f"{result['id']}.json", record.sealed(result))
    return result


def _unfinished(out: Path, manifest: Manifest) -> Callable[[Mapping[str, str]], tuple[dict[str, ClaimForm], list[str]]]:
    """Return what finds, given the claims' keys, results of an interrupted run on these terms, and words on the rest."""
    wanted = {name: manifest[name] for name in SAME if name != "key"}
    try:
        before = record.read(out / "run.json") if (out / "run.json").exists() else None
    except ValueError as problem:
        words = f"{problem}; all was measured anew"
        return lambda keys: ({}, [words])
    if (
        before is None
        or before["state"] != "running"
        or any(before.get(name) != value for name, value in wanted.items())
    ):
        return lambda keys: ({}, [])

    def found(keys: Mapping[str, str]) -> tuple[dict[str, ClaimForm], list[str]]:
        results: dict[str, ClaimForm] = {}
        remarks: list[str] = []
        for path in sorted((out / "claims").rglob("*.json")):
            try:
                data = record.read_sealed(path)
            except ValueError as problem:
                remarks.append(f"{problem}; the claim was measured again")
                continue
            same = all(data.get(name) == value for name, value in wanted.items())
            same = same and data.get("key") == keys.get(data["id"])
            if same and data["outcome"] != Outcome.BROKEN.value and not changed(data):
                results[data["id"]] = data
        return results, remarks

    return found


def _seconds(entries: Sequence[discover.Entry], package: Path, out: Path) -> dict[str, float]:
    """Return how long claims took in recorded runs: the longest go first, so that no core waits for one at the end.

    The package's own record is read, which takes a tenth of a second, where some claim is of its suite.
    """
    known: dict[str, float] = {}
    paths, suite = [*(out / "claims").rglob("*.json")], shipped(package, "validation")
    if any(entry.path.resolve().is_relative_to(suite.resolve()) for entry in entries):
        paths.append(suite / "baseline.json")
    for path in reversed(paths):
        try:
            found = record.read(path)["claims"] if path.name == "baseline.json" else [record.read_sealed(path)]
        except ValueError:
            continue
        known |= {claim["id"]: claim["seconds"] for claim in found}
    return known


def _each(tasks: Sequence[Task], terms: Terms) -> Iterator[ClaimForm]:
    """Yield records as they come, whatever becomes of the workers."""
    if not tasks:
        return
    workers = min(terms.jobs or threads.available(), len(tasks))
    with threads.shared(workers):
        yield from farmed(tasks, partial(executor(terms.executor), workers))


def farmed(tasks: Sequence[Task], make: Callable[[], Executor]) -> Iterator[ClaimForm]:
    """Yield the records of tasks that an executor's workers do; a task whose worker is lost twice is broken, alone."""
    attempts: Counter[str] = Counter()
    left: list[Sequence[Task]] = [[task] for task in tasks]
    while left:
        pool = make()
        if isinstance(pool, Batched) and len(left) > pool.submissions:
            left = [tasks[k :: pool.submissions] for k in range(pool.submissions)]
        waiting: dict[Future[list[ClaimForm]], Sequence[Task]] = {}
        try:
            while left or waiting:
                left = _submitted(pool, left, waiting)
                if not waiting:
                    break  # the pool is broken: what is left goes to another
                for future in sorted(wait(waiting, return_when=FIRST_COMPLETED).done, key=_interrupted):
                    batch = waiting.pop(future)
                    problem = future.exception()
                    if problem is None:
                        yield from future.result()
                        continue
                    if isinstance(problem, KeyboardInterrupt):
                        raise problem
                    attempts.update(task.entry.id for task in batch)
                    left += [[task] for task in batch if attempts[task.entry.id] < 2]
                    for task in (task for task in batch if attempts[task.entry.id] >= 2):
                        words = f"its worker was lost twice: {type(problem).__name__}: {problem}"
                        yield trial.lost(task.entry, task.level, task.seeds[0], words)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            isolated.cool()
            raise
        pool.shutdown()


def _interrupted(future: Future[list[ClaimForm]]) -> bool:
    """Say whether a task was interrupted from the keyboard: what else is done is kept before."""
    return isinstance(future.exception(), KeyboardInterrupt)


def _submitted(
    pool: Executor, batches: list[Sequence[Task]], waiting: dict[Future[list[ClaimForm]], Sequence[Task]]
) -> list[Sequence[Task]]:
    """Submit what the pool takes; return the rest."""
    for k, batch in enumerate(batches):
        try:
            waiting[pool.submit(isolated.work, batch)] = batch
        except RuntimeError:  # BrokenExecutor, or it is shut down
            return batches[k:]
    return []


def exit_code(claims: Sequence[ClaimForm]) -> int:
    """Return 1 if any claim is refuted or broken, else 2 if any is undecided, else 0."""
    outcomes = {claim["outcome"] for claim in claims}
    if outcomes & {Outcome.REFUTED.value, Outcome.BROKEN.value}:
        return 1
    return 2 if Outcome.UNDECIDED.value in outcomes else 0
