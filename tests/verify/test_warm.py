"""The process from which claims fork: nothing of it may outlive a fork badly."""

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_the_warm_process_has_no_threads_when_it_forks():
    code = (
        "import os, sys\nfrom mfgpde.verify.warm import compiled, load\nload(); compiled()\n"
        "print(len(os.listdir('/proc/self/task')), [m for m in ('jax', 'torch', 'mpi4py', 'dolfinx') if m in sys.modules])"
    )
    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | one, check=True
    )
    assert done.stdout.split(maxsplit=1) == ["1", "[]\n"]
