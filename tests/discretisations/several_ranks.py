"""Run under mpiexec: every rank writes what it found into the folder named on the command line."""

import json
import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI

import mfgpde as mfg
from mfgpde.discretisations.finite_element import _petsc

process, data = mfg.VariancePreserving(), mfg.densities.bimodal(2)
start = mfg.marginal(process, data, 0.2)
found = {}
for scheme in ("galerkin", "fitted"):
    space = mfg.FiniteElement(mfg.meshes.box((-6, -6), (6, 6), 16), 1, scheme)
    solution = mfg.solve(mfg.FokkerPlanck.of(process), space, start, (0.2, 0.4), rtol=1e-4, largest_wall_mass=1e-3)
    field = solution.at(0.4)
    found[f"{scheme} error"] = mfg.l1_distance(field, mfg.marginal(process, data, 0.4))
    found[f"{scheme} mass"] = float(field.integral())
    found[f"{scheme} minimum"] = float(solution.conserved["minimum"][-1])
    found[f"{scheme} steps"] = solution.cost["steps"]
    found[f"{scheme} gathered"] = solution.to_xarray().sizes["point"]
found["sphere"] = mfg.eigenpairs(mfg.FiniteElement(mfg.meshes.sphere(1.0, 3), 2), 4).values.tolist()
basis = mfg.finite_element.FiniteElementBasis(
    mfg.processes.MarkovGenerator(), mfg.FiniteElement(mfg.meshes.sphere(1.0, 3), 2), 9
)
points = np.random.default_rng(2).normal(size=(200, 3)) + np.eye(3)[2]
points /= np.linalg.norm(points, axis=1)[:, None]
informed = mfg.OperatorInformed(basis, mfg.Brownian(horizon=2.0), points, ridge=1e-3)
found["informed"] = informed(points[:5], 0.4).ravel().tolist()
wells = mfg.FiniteElement(mfg.meshes.box((-2.2, -3.5), (2.2, 3.5), 6), 2)
generator = mfg.processes.MarkovGenerator(lambda x: 2 * (x[..., 0] ** 2 - 1) ** 2 + x[..., 1] ** 2 / 2)
rungs = mfg.finite_element.adapt_eigenvalue(wells, 1, generator, max_unknowns=900)
found["adapted"] = [rung.value for rung in rungs]
_petsc.LARGEST_DIRECT[2] = 0  # from here on by iterations
absorbing = mfg.FiniteElement(mfg.meshes.disc(1.0, 6), 2, walls="absorbing")
heat = mfg.FokkerPlanck(lambda x, t: 0 * x, lambda t: 0.5, time_dependent=False)
left = mfg.solve(heat, absorbing, lambda x: 1 - np.einsum("...i,...i", x, x), (0.0, 0.2), rtol=1e-4, mass=None)
found["left"] = left.conserved["mass"].tolist()
left.save(Path(sys.argv[1], "left.bp"))
Path(sys.argv[1], f"{MPI.COMM_WORLD.rank}.json").write_text(json.dumps(found))
