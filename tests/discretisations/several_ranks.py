"""Run under mpiexec: every rank writes what it found into the folder named on the command line."""

import json
import sys
from pathlib import Path

from mpi4py import MPI

import mfgpde as mfg

process, data = mfg.VariancePreserving(), mfg.bimodal(2)
start = mfg.marginal(process, data, 0.2)
found = {}
for scheme in ("galerkin", "fitted"):
    space = mfg.FiniteElement(mfg.meshes.box((-6, -6), (6, 6), 24), 1, scheme)
    solution = mfg.solve(mfg.FokkerPlanck.of(process), space, start, (0.2, 0.4), rtol=1e-4, largest_wall_mass=1e-3)
    field = solution.at(0.4)
    found[f"{scheme} error"] = mfg.l1_distance(field, mfg.marginal(process, data, 0.4))
    found[f"{scheme} mass"] = float(field.integral())
    found[f"{scheme} minimum"] = float(solution.conserved["minimum"][-1])
    found[f"{scheme} steps"] = solution.cost["steps"]
    found[f"{scheme} gathered"] = solution.to_xarray().sizes["point"]
found["sphere"] = mfg.eigenpairs(mfg.FiniteElement(mfg.meshes.sphere(1.0, 3), 2), 4).values.tolist()
Path(sys.argv[1], f"{MPI.COMM_WORLD.rank}.json").write_text(json.dumps(found))
