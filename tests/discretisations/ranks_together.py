"""Run under mpiexec: spectra, and callbacks that fail on the last rank alone; every rank writes what it found and heard."""

import faulthandler
import json
import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI

import mfgpde as mfg

faulthandler.dump_traceback_later(float(sys.argv[2]), exit=True)  # rather than wait for ever
comm = MPI.COMM_WORLD
last = comm.rank == comm.size - 1


def failing(values):
    if last:
        raise ValueError("only here")
    return values


space = mfg.FiniteElement(mfg.meshes.sphere(1.0, 4), 2)
flat = mfg.FiniteElement(mfg.meshes.box((-4, -4), (4, 4), 16), 1)
start = mfg.gaussian(0.0, 0.4, 2)
still = mfg.Field(flat, np.ones(len(flat.grid.points)))
turning = mfg.FokkerPlanck(lambda x, t: -x, lambda t: 0.5)
# of a density that is zero on the cells of some ranks nothing is wrong
closed = mfg.FiniteElement(flat.mesh, 1, "fitted", walls="reflecting")
mfg.solve(turning, closed, lambda x: np.where((abs(x - 2) < 1).all(axis=-1), 0.25, 0.0), (0.0, 1e-3))
values = [mfg.eigenpairs(space, count).values.tolist() for count in (8, 21)]
heard = []
for work in (
    lambda: mfg.solve(mfg.FokkerPlanck(lambda x, t: failing(-x), lambda t: 0.5), flat, start, (0.0, 0.1)),
    lambda: mfg.solve(
        mfg.FokkerPlanck(lambda x, t: np.where(last, np.nan, -x), lambda t: 0.5), flat, start, (0.0, 0.1)
    ),
    lambda: mfg.solve(
        mfg.BackwardKolmogorov(lambda x, t: -x, lambda t: 0.5), flat, lambda x: failing(x[..., 0]), (0.0, 0.1)
    ),
    lambda: mfg.eigenpairs(flat, 3, mfg.processes.MarkovGenerator(lambda x: failing(x[..., 0]))),
    lambda: still.expectation(lambda x: failing(x[..., 0])),
):
    try:
        work()
        heard.append("nothing")
    except (ValueError, RuntimeError) as problem:
        heard.append(str(problem))
found = {"values": [value for row in values for value in row], "heard": heard}
Path(sys.argv[1], f"{comm.rank}.json").write_text(json.dumps(found))
