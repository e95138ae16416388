"""Loops on as many threads as their work is worth: region sizes and the way threads wait, never seconds."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import get_num_threads, prange

import mfgpde
from mfgpde.kernels import cpu, regions
from mfgpde.kernels.regions import JOIN, LEAST, WORTH, Region, region, worth

PACKAGE = Path(mfgpde.__file__).parent


@given(st.floats(0, 1), st.integers(1, 200))
@settings(max_examples=200, deadline=None)
def test_each_thread_has_more_work_than_it_adds(work, most):
    count = worth(work, most)
    assert 1 <= count <= most
    assert count == most or count.bit_count() == 1
    if count > 1:
        assert work / count >= WORTH * JOIN * count * (1 - 1e-12)
    else:
        assert most == 1 or work < LEAST
    assert worth(2 * work, most) >= count


def doubled(a, out):
    for i in prange(a.size):
        out[i] = 2 * a[i]


def test_short_loops_run_on_one_core_and_long_ones_on_no_more_than_there_are(monkeypatch):
    loop, seen = Region(doubled, 1e-9, regions.first), []
    monkeypatch.setattr(regions, "get_num_threads", lambda: 16)
    monkeypatch.setattr(regions, "set_num_threads", lambda count: seen.append(("threads", count)))
    monkeypatch.setattr(loop, "alone", lambda a, out: seen.append(("alone", a.size)))
    monkeypatch.setattr(loop, "together", lambda a, out: seen.append(("together", a.size)))
    for cores, size in ((16, 10), (16, 30_000), (16, 400_000), (16, 10_000_000), (2, 10_000_000), (1, 10_000_000)):
        loop.cores = cores
        loop(np.zeros(size), None)
        seen.append("")
    together = [("threads", 4), ("together", 400_000), ("threads", 16)]
    many = [("together", 10_000_000)]
    two = [("threads", 2), *many, ("threads", 16)]
    assert seen == [
        ("alone", 10), "", ("alone", 30_000), "", *together, "", *many, "", *two, "", ("alone", 10_000_000), "",
    ]  # fmt: skip


def test_the_number_of_threads_is_given_back_after_trouble(monkeypatch):
    loop, seen = Region(doubled, 1.0, regions.first), []
    loop.cores = 2
    monkeypatch.setattr(regions, "get_num_threads", lambda: 16)
    monkeypatch.setattr(regions, "set_num_threads", seen.append)

    def fails(a, out):
        raise ZeroDivisionError

    monkeypatch.setattr(loop, "together", fails)
    with pytest.raises(ZeroDivisionError):
        loop(np.zeros(3), None)
    assert seen == [2, 16]


@pytest.mark.slow
def test_one_thread_and_several_do_the_same(rng):
    a, outs = rng.random((40, 50)), [np.empty((40, 50)) for _ in range(2)]
    rates = [rng.random(shape) for shape in ((41, 50), (41, 50), (40, 51), (40, 51))]
    for run, out in zip((cpu.forward_2d.alone, cpu.forward_2d.together), outs, strict=True):
        run(a, *rates, out)
    np.testing.assert_allclose(*outs, rtol=1e-13, atol=1e-13)
    assert (
        cpu.forward_2d.alone.py_func.__qualname__ != cpu.forward_2d.together.py_func.__qualname__
    )  # two files of code


@pytest.mark.parametrize(("kernel", "short", "long"), [("forward_2d", 64, 512), ("weno_slopes", 32, 256)])
def test_grids_that_are_small_take_no_second_thread(kernel, short, long, monkeypatch):
    loop = getattr(cpu, kernel)
    monkeypatch.setattr(regions, "get_num_threads", lambda: 2)
    monkeypatch.setattr(loop, "cores", 2)
    assert [loop.threads(np.empty((n, n))) for n in (short, long)] == [1, 2]


def test_every_parallel_loop_is_a_region():
    texts = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    assert [path.name for path, text in texts.items() if "parallel=True" in text] == ["regions.py"]
    assert region(1.0)(doubled).threads(np.empty(1)) == 1


def test_threads_wait_asleep_before_a_runtime_is_loaded():
    """Plain `import mfgpde` settles it, before Numba and its OpenMP are there; what a user has set stays."""
    names = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME")
    script = f"import sys, os, mfgpde; print('numba' in sys.modules, *map(os.environ.get, {names}))"
    for set_, want in (({}, "False passive 0"), ({"OMP_WAIT_POLICY": "active"}, "False active 0")):
        environment = {"PYTHONPATH": str(PACKAGE.parent), "PATH": "/usr/bin:/bin", **set_}
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == want
    assert get_num_threads() >= 1


@pytest.mark.slow
def test_a_sum_over_components_is_the_same_on_two_threads():
    """In a process of its own, which has two whatever the others are left with."""
    script = (
        "import numpy as np, mfgpde as mfg; from mfgpde.kernels import mixtures\n"
        "rng = np.random.default_rng(0); law = mfg.densities.four_blobs(); x = rng.normal(size=(1500, 2))\n"
        "def found(cores):\n"
        "    loop = mixtures._averages_with_few; loop.cores, loop.cost = cores, 1.0\n"
        "    assert loop.threads(x, x) == cores\n"
        "    return law.log_density(x), law.score(x)\n"
        "print(all(np.array_equal(*pair) for pair in zip(found(1), found(2), strict=True)))\n"
    )
    environment = os.environ | {"NUMBA_NUM_THREADS": "2"}
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert ran.stdout.strip() == "True", ran.stderr


@pytest.mark.slow
def test_loops_of_two_threads_take_turns():
    """Numba's own layer of threads ends the process where two of them begin a parallel loop at once."""
    script = (
        "import numpy as np, threading; from mfgpde.kernels import cpu\n"
        "def work():\n"
        "    for _ in range(300):\n"
        "        out = np.zeros(8); cpu.recurrence(*(np.ones(8) for _ in range(5)), np.ones(5), out)\n"
        "        assert (out == 5).all()\n"
        "cpu.recurrence.cost = 1.0\n"
        "several = [threading.Thread(target=work) for _ in range(3)]\n"
        "[one.start() for one in several]; [one.join() for one in several]\n"
        "import numba; print(numba.threading_layer())\n"
    )
    environment = os.environ | {"NUMBA_THREADING_LAYER": "workqueue", "NUMBA_NUM_THREADS": "2"}
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, "workqueue"), ran.stderr


@pytest.mark.parametrize(
    ("kernel", "shape", "chosen"),
    [  # on 1, 2, 4, 16 cores
        ("forward_2d", (64, 64), (1, 1, 1, 1)),
        ("forward_2d", (256, 256), (1, 2, 2, 2)),
        ("forward_2d", (1024, 1024), (1, 2, 4, 8)),
        ("forward_2d", (2048, 2048), (1, 2, 4, 16)),
        ("recurrence", (256 * 256,), (1, 1, 1, 1)),
        ("recurrence", (1024 * 1024,), (1, 2, 4, 4)),
        ("fitted_3d", (24, 24, 24), (1, 1, 1, 1)),
        ("fitted_3d", (128, 128, 128), (1, 2, 4, 16)),
        ("weno_slopes", (256, 256, 1), (1, 2, 4, 8)),
        ("envelope", (32, 32), (1, 1, 1, 1)),
        ("kinetic_proximal", (16, 128 * 128), (1, 2, 4, 16)),
    ],
)
def test_threads_by_work(kernel, shape, chosen, monkeypatch):
    """Regions of less than 40 µs are serial, and 1024² cells are worth eight cores of sixteen."""
    loop = getattr(cpu, kernel)
    monkeypatch.setattr(regions, "get_num_threads", lambda: 16)
    found = []
    for cores in (1, 2, 4, 16):
        monkeypatch.setattr(loop, "cores", cores)
        found.append(loop.threads(np.empty(shape)))
    assert tuple(found) == chosen
    assert (max(found) > 1) == (loop.cost * np.prod(shape) >= 40e-6)


SOLVES = {
    "a density": "mfg.solve(mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), space(64, order), mfg.densities.four_blobs(), "
    "(0.0, 0.02), rtol=1e-3, largest_wall_mass=0.1)",
    "kinks": "mfg.solve(mfg.HamiltonJacobiBellman(lambda x, p, t: (p**2).sum(axis=-1), lambda t: 0.0), space(32, 5), "
    "lambda x: (x**2).sum(axis=-1), (0.0, 0.02), rtol=1e-3)",
    "a game": "solve_primal_dual(mfg.MeanFieldGame(laws[0], mfg.games.RelativeEntropy(laws[1]), viscosity=0.1), grid(12), "
    "steps=6, iterations=30, tolerance=0.0)",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", SOLVES)
def test_small_work_begins_no_threads_from_the_first_call_on(what):
    """On small grids the runtime of threads is never begun, whoever else is at work on the machine; on large ones it is."""
    script = (
        "import mfgpde as mfg, numba\n"
        "grid = lambda n: mfg.CartesianGrid.cube(5.0, n, 2)\n"
        "space = lambda n, order: mfg.FiniteVolume(grid(n), order=order)\n"
        "laws = [mfg.gaussian(m, 0.5, 2) for m in (0.0, 1.0)]\n"
        "from mfgpde.equilibria.primal_dual import solve_primal_dual\n"
        "def begun():\n"
        "    try:\n"
        "        return numba.threading_layer()\n"
        "    except ValueError:\n"
        "        return 'none'\n"
        f"for order in (2, 4): {SOLVES[what]}\n"
        "small = begun()\n"
        "import numpy as np; from mfgpde.kernels import cpu; large = np.ones((1024, 1024))\n"
        "rates = [np.ones(s) for s in ((1025, 1024), (1025, 1024), (1024, 1025), (1024, 1025))]\n"
        "cpu.forward_2d.cores = 2; cpu.forward_2d(large, *rates, np.empty_like(large))\n"
        "print(small, begun() == 'none')\n"
    )
    environment = os.environ | {"NUMBA_NUM_THREADS": "2"}
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert (ran.returncode, ran.stdout.strip()) == (0, "none False"), ran.stderr
