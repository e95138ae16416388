"""The benchmark's peer in Numba-CUDA computes the same rate as ours: by Numba's simulator, which needs no device."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPT = """
import sys
import numpy as np
import mfgpde as mfg
sys.path.insert(0, {folder!r})
import _numba_cuda as peer

grid = mfg.CartesianGrid((-2.0, -3.0), (3.0, 2.0), (19, 34))
equation = mfg.FokkerPlanck(lambda x, t: np.sin(x[..., ::-1]) - x, lambda t: 0.7, time_dependent=False)
chain = mfg.FiniteVolume(grid).semidiscretise(equation).at(0.0)
p = np.random.default_rng(0).random(grid.cells)
found = np.full(grid.cells, np.nan)
peer.rate(p, chain.up[0], chain.down[0], chain.up[1], chain.down[1], found)
wanted = chain.rate(p, 0.0)
print(np.abs(found - wanted).max() / np.abs(wanted).max())
"""


@pytest.mark.slow
def test_the_peer_computes_the_same_rate():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(folder=str(BENCHMARKS))],
        capture_output=True,
        text=True,
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1e-13
