"""One finite-element solve under mpiexec: the first rank prints what it cost as JSON. Arguments: dimension, cells, rtol."""

import json
import resource
import sys
import time

import mfgpde as mfg

dimension, cells, rtol = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
process, data = mfg.OrnsteinUhlenbeck(), mfg.densities.four_blobs() if dimension == 2 else mfg.densities.bimodal(3)
end = 1.0 if dimension == 2 else 0.1
half = 5.0
clock = time.perf_counter()
space = mfg.FiniteElement(mfg.meshes.box((-half,) * dimension, (half,) * dimension, cells), 2)
grid = space.grid
setup = time.perf_counter() - clock
equation = mfg.FokkerPlanck.of(process)
solution = mfg.solve(equation, space, data, (0.0, end), rtol=rtol, largest_wall_mass=1e-2)
truth = mfg.marginal(process, data, end).density(grid.points)
error = mfg.l1_distance(solution.at(end), truth) / float(grid.integrate(truth))
memory = grid.comm.allreduce(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
if grid.comm.rank == 0:
    print(json.dumps({"unknowns": space.space.size, "setup": setup, "error": error, "GiB": memory, **solution.cost}))
