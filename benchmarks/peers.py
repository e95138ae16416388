"""The same Fokker–Planck problems by py-pde, FiPy and fplanck beside ours: errors, orders, mass, signs, CPU time.

    python benchmarks/peers.py [FOLDER]      # the site-packages of an environment with peers that are missing here

All means of cells against means of the closed form, L¹. Each peer as its documentation says for such an equation, steps
so small that cells decide; what a peer has no words for is left out. Prints a table in Markdown.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import distributions
from typing import Any

import numpy as np
from scipy.linalg import expm, solve_continuous_lyapunov
from scipy.stats import norm

import mfgpde as mfg
from mfgpde.densities import cell_means
from mfgpde.equations import ForwardKolmogorov
from mfgpde.processes import Diffusion

MU, SIGMA, END = 0.2, 0.5, 0.5
A, S = np.array([[-1.0, 0.5], [-0.3, -0.8]]), np.array([[0.6, 0.35], [0.35, 0.3]])
MIXED = "0.6*d2_dx2(p) + 0.3*d2_dy2(p) + 0.7*d_dx(d_dy(p)) - d_dx((-x + 0.5*y)*p) - d_dy((-0.3*x - 0.8*y)*p)"
Law = Callable[[np.ndarray], np.ndarray]
Result = tuple[np.ndarray, np.ndarray]
"""densities at the start and at the end, (*cells)"""


def well(t: float) -> Any:
    """Return the law of dX = −X dt + dW from N(1, 0.1)."""
    return mfg.gaussian(np.exp(-t), 0.1 * np.exp(-2 * t) + 0.5 * (1 - np.exp(-2 * t))).density


def lognormal(t: float) -> Law:
    """Return the law of dX = μX dt + σX dW (Itô)."""
    m, v = (MU - 0.5 * SIGMA**2) * t, 0.04 + SIGMA**2 * t
    return lambda x: norm.pdf(np.log(np.maximum(x[..., 0], 1e-300)), m, np.sqrt(v)) / np.maximum(x[..., 0], 1e-300)


def correlated(t: float) -> Any:
    """Return the law of dX = AX dt + noise of D = S."""
    F, P = expm(A * t), solve_continuous_lyapunov(A, -2 * S)
    return mfg.gaussian(F @ np.array([1.0, -0.5]), F @ (0.25 * np.eye(2) - P) @ F.T + P).density


def line(lower: float, upper: float, n: int) -> mfg.CartesianGrid:
    """Return an interval."""
    return mfg.CartesianGrid((lower,), (upper,), (n,))


# ours


def volumes(equation: Any, grid: mfg.CartesianGrid, law: Any, walls: Any = "far") -> Result:
    """Solve by finite volumes."""
    run = mfg.solve(equation, mfg.FiniteVolume(grid, walls=walls), law(0.0), (0.0, END), rtol=1e-6)
    return run.fields[0].values, run.fields[1].values


def means(equation: Any, grid: mfg.CartesianGrid, law: Any) -> Result:
    """Solve by cosines, and return means over cells."""
    run = mfg.solve(equation, mfg.Spectral(grid), law(0.0), (0.0, END), rtol=1e-8, largest_wall_mass=1e-3)
    first, last = (mfg.discretisations.means_of(f.values, grid) for f in run.fields)
    return first, last


# peers


def by_py_pde(grid: mfg.CartesianGrid, law: Any, right: str) -> Result:
    """Solve ∂_t p = right, an expression, with adaptive explicit steps."""
    import pde

    bounds = list(zip(grid.lower, grid.upper, strict=True))
    space = pde.CartesianGrid(bounds, list(grid.cells), periodic=False)
    start = pde.ScalarField(space, cell_means(law(0.0), grid))
    equation = pde.PDE({"p": right}, bc={"value": 0})
    end = equation.solve(start, t_range=END, dt=1e-5, adaptive=True, tolerance=1e-5, tracker=None, backend="numpy")
    return start.data, end.data


def by_fipy(grid: mfg.CartesianGrid, law: Any, drift: Callable[[Any], Any], D: Any) -> Result:
    """Solve with a flux f p − D∇p, power-law convection and 500 implicit steps."""
    import fipy

    make = fipy.Grid1D if grid.dimension == 1 else fipy.Grid2D
    sides = {f"n{a}": n for a, n in zip("xy", grid.cells, strict=False)} | {
        f"d{a}": h for a, h in zip("xy", grid.spacing, strict=False)
    }
    mesh = make(**sides) + np.reshape(grid.lower, (-1, 1))
    order = (lambda u: np.asarray(u).T.ravel()) if grid.dimension == 2 else np.asarray
    p = fipy.CellVariable(mesh=mesh, value=order(cell_means(law(0.0), grid)))
    faces = np.asarray(mesh.faceCenters)
    speed = fipy.FaceVariable(mesh=mesh, rank=1, value=drift(faces))  # of the flux f p − D∇p
    speed.setValue(0.0, where=mesh.exteriorFaces)
    coefficient = fipy.FaceVariable(mesh=mesh, value=D(faces)) if callable(D) else D
    equation = fipy.TransientTerm() == fipy.DiffusionTerm(coeff=coefficient) - fipy.PowerLawConvectionTerm(coeff=speed)
    first, steps = np.array(p.value), 500
    for _ in range(steps):
        equation.solve(var=p, dt=END / steps)
    shape = (lambda u: u.reshape(grid.cells[::-1]).T) if grid.dimension == 2 else (lambda u: u)
    return shape(first), shape(np.array(p.value))


def by_fplanck(grid: mfg.CartesianGrid, law: Any) -> Result:
    """Solve in a harmonic well, D = ½, by the action of a matrix exponential."""
    from fplanck.solver import FokkerPlanck
    from scipy.constants import k as boltzmann

    h, n = grid.spacing[0], grid.cells[0]  # on a box about zero; D = kT/drag
    sim = FokkerPlanck(
        temperature=0.5 / boltzmann, drag=1.0, extent=n * h, resolution=h, potential=lambda x: 0.5 * x**2
    )
    start = cell_means(law(0.0), grid)
    end = sim.propagate(lambda x: start.copy(), END)  # which it normalises in place
    return start, np.asarray(end) / h


def cases() -> list[tuple[str, Any, tuple[int, int], Any, dict[str, Callable[[Any], Result]]]]:
    """Return name, grid of n cells, two n, law, and who solves it how."""
    ou = mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck())
    gbm = ForwardKolmogorov(Diffusion(lambda x, t: MU * x, lambda x, t: 0.5 * SIGMA**2 * x**2))
    tensor = ForwardKolmogorov(Diffusion(lambda x, t: x @ A.T, lambda x, t: np.broadcast_to(S, (*x.shape, 2))))
    closed = (("reflecting", "far"),)
    return [
        (
            "Ornstein–Uhlenbeck, 1D", lambda n: line(-5.0, 5.0, n), (80, 160), well,
            {
                "mfgpde, order 2": lambda g: volumes(ou, g, well),
                "py-pde": lambda g: by_py_pde(g, well, "0.5*laplace(p) + d_dx(x*p)"),
                "FiPy": lambda g: by_fipy(g, well, lambda x: -x, 0.5),
                "fplanck": lambda g: by_fplanck(g, well),
            },
        ),
        (
            "geometric Brownian motion, Itô", lambda n: line(0.0, 8.0, n), (160, 320), lognormal,
            {
                "mfgpde, order 2": lambda g: volumes(gbm, g, lognormal, closed),
                "py-pde": lambda g: by_py_pde(g, lognormal, "0.125*laplace(x**2*p) - 0.2*d_dx(x*p)"),
                "FiPy": lambda g: by_fipy(
                    g, lognormal, lambda x: (MU - SIGMA**2) * x, lambda x: 0.5 * SIGMA**2 * x[0] ** 2
                ),
            },
        ),
        (
            "correlated noise, 2D", lambda n: mfg.CartesianGrid.cube(6.0, n, 2), (40, 80), correlated,
            {
                "mfgpde, order 2": lambda g: volumes(tensor, g, correlated),
                "mfgpde, spectral": lambda g: means(tensor, g, correlated),
                "py-pde": lambda g: by_py_pde(g, correlated, MIXED),
                "FiPy": lambda g: by_fipy(g, correlated, lambda x: A @ x, (((0.6, 0.35), (0.35, 0.3)),)),
            },
        ),
    ]  # fmt: skip


def main() -> None:
    """Print the table."""
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    if folder:
        sys.path.append(folder)
    import numba
    import pde

    versions = {
        "mfgpde": mfg.__version__,
        "py-pde": pde.__version__,
        "numpy": np.__version__,
        "numba": numba.__version__,
    }
    found = {d.metadata["Name"].lower(): d.version for d in distributions()}
    versions |= {name: found[name] for name in ("fipy", "fplanck") if name in found}
    print(", ".join(f"{name} {version}" for name, version in versions.items()) + "\n")
    print(
        "| problem | by | cells | L¹ error | order | mass moved | least value | CPU s |\n|---|---|---|---|---|---|---|---|"
    )
    for name, make, sizes, law, solvers in cases():
        for who, solver in solvers.items():
            errors = []
            for n in sizes:
                grid = make(n)
                clock = time.process_time()
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        first, last = solver(grid)
                except Exception as trouble:  # of whatever kind a peer meets
                    print(f"| {name} | {who} | {n} | {type(trouble).__name__}: {str(trouble)[:80]} |||||")
                    continue
                spent = time.process_time() - clock
                truth = cell_means(law(END), grid)
                errors.append(float(grid.integrate(np.abs(last - truth))))
                order = f"{np.log2(errors[0] / errors[1]):.2f}" if len(errors) == 2 else ""
                moved = float(grid.integrate(last - first))
                print(
                    f"| {name} | {who} | {n} | {errors[-1]:.2e} | {order} | {abs(moved):.0e} | {last.min():.0e} | "
                    f"{spent:.2g} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
