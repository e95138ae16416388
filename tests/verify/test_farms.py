"""Farms: every executor gives the run of one process; parametrised claims spread; a lost worker loses one claim at most."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec

import pytest
from typer.testing import CliRunner

from mfgpde.app.cli import app
from mfgpde.verify import Level, discover, record, run
from mfgpde.verify.executors import EXECUTORS, executor
from mfgpde.verify.task import Task

CASES = '''"""Every number is itself, for each case."""
from mfgpde.core.estimate import Estimate, Kind, exact
from mfgpde.verify import Claim, Evidence, equal
claim = Claim(statement="x = x", source="mfgpde", standing="theorem")
@claim.cases(number=tuple(range({count})), word=("a b", "c"))
@claim.measure
def measure(level, number, word, rng, off=0.0):
    noise = 1e-3 * rng.uniform()
    left = Estimate(number + off + noise, 0.01, Kind.CONFIDENCE, word)
    return Evidence([equal("x", left, exact(number, "itself"), resolution=0.1)])
@claim.control("one more")
def more(level, number, word, rng):
    return measure(level, number, word, rng, off=1.0)
'''
NEEDS = {"mpi": "mpi4py", "submitit": "submitit", "dask": "distributed"}


def suite(folder, count):
    folder.mkdir(exist_ok=True)
    (folder / "cases.py").write_text(CASES.format(count=count))
    return folder


def findings(place):
    found = record.read(place / "quick/run.json")["claims"]
    return {claim["id"]: (claim["outcome"], claim["findings"], claim["controls"]) for claim in found}


def test_cases_are_claims_of_their_own(tmp_path):
    result = CliRunner().invoke(app, ["validate", str(suite(tmp_path / "s", 3)), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    found = findings(tmp_path / "out")
    assert list(found) == [f"cases[number={n},word={w}]" for n in range(3) for w in ("#0", "c")]
    assert len({claim[1][0]["left"]["value"] % 1 for claim in found.values()}) == 6, "each draws its own numbers"
    (record_,) = (tmp_path / "out/quick/claims").glob("cases?number=2,word=c?.json")
    assert record.read_sealed(record_)["id"] == "cases[number=2,word=c]"


def farm(folder, out, name, *launcher, timeout=300):
    words = [*launcher, sys.executable, "-m", "mfgpde.app.cli", "validate", f"{folder}/", "--out", str(out)]
    known = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [*words, "--executor", name, "--jobs", "2"], cwd=folder.parent, env=known, capture_output=True, text=True,
        timeout=timeout,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return findings(out)


def needs(name):
    if find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is optional: pip install 'mfgpde[farms]'")


def launcher(name):
    if name != "mpi":
        return []
    found = shutil.which("mpiexec", path=os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"])))
    if found is None:
        pytest.skip("no mpiexec")
    return [found, "-n", "3"]


@pytest.mark.parametrize("name", ["mpi", "submitit", "dask"])
@pytest.mark.slow
def test_every_farm_gives_the_run_of_one_process(name, tmp_path):
    needs(name)
    folder = suite(tmp_path / "s", 10)
    assert farm(folder, tmp_path / name, name, *launcher(name)) == farm(folder, tmp_path / "one", "processes")


def test_the_room_knows_its_members():
    assert {"processes", "mpi", "submitit", "dask"} <= set(EXECUTORS)
    with pytest.raises(ValueError, match="unknown executor 'proceses'; did you mean 'processes'"):
        executor("proceses")
    with pytest.raises(ValueError, match="unknown executor"):
        run.Terms(executor="slurm")


class Unlucky(ThreadPoolExecutor):
    """Loses the workers of the tasks it is told to, so many times."""

    def __init__(self, losses, workers=2):
        super().__init__(workers)
        self.losses = losses

    def submit(self, fn, batch):
        for task in batch:
            if self.losses.get(task.entry.id, 0):
                self.losses[task.entry.id] -= 1
                lost = Future()
                lost.set_exception(ConnectionError("the node is gone"))
                return lost
        return super().submit(fn, batch)


@pytest.mark.parametrize(("losses", "outcome"), [(1, "holds"), (2, "broken")])
@pytest.mark.parametrize("submissions", [None, 2])
def test_a_lost_worker_loses_one_claim_at_most(tmp_path, losses, outcome, submissions):
    entry = discover.Entry("cases", suite(tmp_path / "s", 3) / "cases.py")
    tasks = [Task(entry.of_case(f"number={n},word=c"), Level.QUICK) for n in range(3)]
    unlucky = {tasks[1].entry.id: losses}

    def make():
        pool = Unlucky(unlucky)
        if submissions:
            pool.submissions = submissions
        return pool

    found = {one["id"]: one for one in run.farmed(tasks, make)}
    assert {name: one["outcome"] for name, one in found.items()} == {
        task.entry.id: outcome if task is tasks[1] else "holds" for task in tasks
    }
    if outcome == "broken":
        assert "its worker was lost twice: ConnectionError: the node is gone" in found[tasks[1].entry.id]["reason"]


@pytest.mark.slow
def test_any_executor_of_the_standard_library_will_do(tmp_path):
    entry = discover.Entry("cases", suite(tmp_path / "s", 2) / "cases.py")
    tasks = [Task(entry.of_case(f"number={n},word=c"), Level.QUICK) for n in range(2)]
    import multiprocessing

    make = partial(ProcessPoolExecutor, 1, mp_context=multiprocessing.get_context("spawn"))
    assert {one["outcome"] for one in run.farmed(tasks, make)} == {"holds"}
