"""Without the optional libraries the core imports, solves and judges, and says what is missing."""

import subprocess
import sys

import pytest

from mfgpde.core.optional import LIBRARIES, MissingLibrary, explained

BARE = f"""
import importlib.abc, sys


class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in {set(LIBRARIES) - {"mpi4py"}!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Absent())
"""
WORK = """
import numpy as np
import mfgpde as mfg
from mfgpde.core.optional import MissingLibrary

for name in mfg.__all__:
    try:
        getattr(mfg, name)
    except MissingLibrary as problem:
        print(name, "|", problem)
process = mfg.OrnsteinUhlenbeck()
start = mfg.gaussian([0.5], [[0.2]])
law = mfg.solve(mfg.FokkerPlanck.of(process), mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 64, 1)), start, (0.0, 0.5))
assert abs(float(law.fields[-1].integral()) - 1) < 1e-10
print(mfg.l1_distance(law.at(0.5), mfg.marginal(process, start, 0.5)) < 1e-2)
"""


@pytest.mark.slow
def test_the_core_works_alone():
    out = subprocess.run([sys.executable, "-c", BARE + WORK], capture_output=True, text=True, check=True).stdout
    *missing, last = out.splitlines()
    assert last == "True"
    without = {line.split(" | ")[0] for line in missing}
    assert {"FiniteElement", "JaxScore", "train"} <= without
    assert not without & {
        "diagnostics",
        "FiniteVolume",
        "Spectral",
        "ExactScore",
        "solve",
        "equilibrium",
        "wasserstein",
    }
    assert all("install" in line for line in missing)


def test_only_optional_libraries_are_explained():
    assert isinstance(explained(ModuleNotFoundError("", name="jax.numpy")), MissingLibrary)
    assert explained(ModuleNotFoundError("", name="my_own_module")) is None
    assert explained(ImportError("cannot import name 'x' from 'jax'", name="jax")) is None  # it is there, and wrong


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_library_says_what_it_is_for_and_how_to_get_it(library):
    what, cure = LIBRARIES[library]
    assert what
    assert "install" in cure
