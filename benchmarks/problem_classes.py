"""Every class of problem against its closed form on two grids: the error, the order, what mass moved; and a tensor's step.

Errors are L¹ of densities, of means over cells, or of the number named.
Peers on three of them: `python benchmarks/peers.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.integrate import quad
from scipy.linalg import expm, solve_continuous_lyapunov
from scipy.optimize import brentq
from scipy.special import erfc, erfi, i0e, i1e
from scipy.stats import ncx2, norm

import mfgpde as mfg
from mfgpde.densities import cell_means
from mfgpde.equations import FeynmanKac, ForwardKolmogorov, McKeanVlasov, Resetting, ScoreKolmogorov
from mfgpde.processes import Diffusion
from mfgpde.solvers import committor, exit_probability, mean_first_passage_time, probability_current, stationary

END = 0.5
A, S = np.array([[-1.0, 0.5], [-0.3, -0.8]]), np.array([[0.6, 0.35], [0.35, 0.3]])
Measured = tuple[float, float]
"""an error, and what mass moved"""


def line(lower: float, upper: float, n: int, *, periodic: bool = False) -> mfg.CartesianGrid:
    """Return an interval or a circle."""
    return mfg.CartesianGrid((lower,), (upper,), (n,), (periodic,))


def marched(equation: Any, space: Any, start: Any, truth: Callable[[Any], Any], end: float = END) -> Measured:
    """Return L¹ of a density at the end, and what mass moved."""
    run = mfg.solve(equation, space, start, (0.0, end), rtol=1e-7, largest_wall_mass=1e-4)
    exact = cell_means(truth, space.grid) if isinstance(space, mfg.FiniteVolume) else truth(space.grid.points)
    off = float(space.grid.integrate(np.abs(run.fields[-1].values - exact)))
    return off, float(np.ptp(run.conserved["mass"]))


def geometric(n: int) -> Measured:
    """Geometric Brownian motion in Stratonovich's sense: lognormal."""
    mu, s = 0.2, 0.5
    equation = ForwardKolmogorov(Diffusion(lambda x, t: mu * x, lambda x, t: 0.5 * s**2 * x**2, meaning="stratonovich"))

    def law(t: float) -> Callable[[Any], Any]:
        def density(x: Any) -> Any:
            y = np.maximum(x[..., 0], 1e-300)
            return norm.pdf(np.log(y), mu * t, np.sqrt(0.04 + s**2 * t)) / y

        return density

    space = mfg.FiniteVolume(line(0.0, 12.0, n), walls=(("reflecting", "far"),))
    return marched(equation, space, law(0.0), law(END))


def square_root(n: int) -> Measured:
    """Cox, Ingersoll and Ross at zero: noncentral χ² from its own law at ½."""
    a, b, s = 1.0, 1.0, 0.8
    equation = ForwardKolmogorov(Diffusion(lambda x, t: a * (b - x), lambda x, t: 0.5 * s**2 * x))

    def law(t: float) -> Callable[[Any], Any]:
        c = s**2 * (1 - np.exp(-a * t)) / (4 * a)
        return lambda x: ncx2.pdf(x[..., 0] / c, 4 * a * b / s**2, 1.5 * np.exp(-a * t) / c) / c

    space = mfg.FiniteVolume(line(0.0, 8.0, n), walls=(("reflecting", "far"),))
    return marched(equation, space, law(0.5), law(0.5 + END))


def correlated(make: Callable[[int], Any]) -> Callable[[int], Measured]:
    """Ornstein–Uhlenbeck with correlated noise: Gaussian."""
    equation = ForwardKolmogorov(Diffusion(lambda x, t: x @ A.T, lambda x, t: np.broadcast_to(S, (*x.shape, 2))))

    def law(t: float) -> Any:
        F, P = expm(A * t), solve_continuous_lyapunov(A, -2 * S)
        return mfg.gaussian(F @ np.array([1.0, -0.5]), F @ (0.25 * np.eye(2) - P) @ F.T + P)

    return lambda n: marched(equation, make(n), law(0.0), law(END).density)


def kinetic(n: int) -> Measured:
    """Klein–Kramers in a harmonic well: Gaussian."""
    process = mfg.processes.underdamped(stiffness=1.3, friction=0.8, horizon=2.0)
    start = mfg.gaussian(np.array([1.0, -0.5]), 0.4 * np.eye(2))
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, n, 2))
    return marched(ForwardKolmogorov.of(process), space, start, mfg.marginal(process, start, END).density)


def kinetic_score(n: int) -> Measured:
    """The score of critically damped noising, weighted by its law."""
    process = mfg.processes.critically_damped(1.0, 1.0)
    data = mfg.GaussianMixture([0.5, 0.5], [[-0.6, 0.2], [0.7, -0.1]], np.stack([0.5 * np.eye(2), 0.6 * np.eye(2)]))
    exact, grid = mfg.ExactScore(process, data), mfg.CartesianGrid.cube(5.0, n, 2)
    equation = ScoreKolmogorov.of(process)
    run = mfg.solve(equation, mfg.FiniteVolume(grid), lambda x: exact(x, 0.0), (0.0, 0.3), rtol=1e-7)
    off = ((run.fields[-1].values - exact(grid.points, 0.3)) ** 2).sum(axis=-1)
    return float(np.sqrt(grid.integrate(off * mfg.marginal(process, data, 0.3).density(grid.points)))), 0.0


def one_open(n: int) -> Measured:
    """One wall reflects, one absorbs: e^{−π²t/8}; what is left and what went out are all."""
    space = mfg.FiniteVolume(line(0.0, 1.0, n), walls=(("reflecting", "absorbing"),))
    start = cell_means(lambda x: 0.5 * np.pi * np.cos(0.5 * np.pi * x[..., 0]), space.grid)
    begun = mfg.Field(space, start, means=True)
    run = mfg.solve(mfg.FokkerPlanck.of(mfg.Brownian()), space, begun, (0.0, END), rtol=1e-8)
    lost = abs(run.conserved["mass"][-1] + run.conserved["leak"][-1] - 1)
    return abs(run.conserved["mass"][-1] - np.exp(-(np.pi**2) / 8 * END)), float(lost)


def cameron_martin(n: int) -> Measured:
    """E_x exp(−½∫X²): (cosh τ)^{−½} exp(−½x² tanh τ)."""
    walk, space = Diffusion(lambda x, t: 0 * x, lambda x, t: 0.5), mfg.FiniteVolume(line(-6.0, 6.0, n))
    equation = FeynmanKac(walk, killing=lambda x, t: 0.5 * x[..., 0] ** 2)
    u = mfg.solve(equation, space, lambda x: 1 + 0 * x[..., 0], (0.0, 1.0), rtol=1e-8).fields[-1].values
    x = space.grid.axes[0]
    exact = np.cosh(1.0) ** -0.5 * np.exp(-0.5 * x**2 * np.tanh(1.0))
    return float(np.abs(u - exact)[np.abs(x) < 3].max()), 0.0


def put_back(n: int) -> Measured:
    """A walk that is reset to a Gaussian: Laplace's law, blurred by it."""
    spread, a = 0.3, 2.0
    law = mfg.gaussian(0.0, spread**2)
    equation = ForwardKolmogorov(
        Diffusion(lambda x, t: 0 * x, lambda x, t: 0.5), resetting=Resetting(lambda x, t: 2.0 + 0 * x[..., 0], law)
    )

    def truth(x: Any) -> Any:
        sides = (np.exp(s * a * x) * erfc((a * spread**2 + s * x) / (spread * np.sqrt(2))) for s in (1, -1))
        return 0.25 * a * np.exp(0.5 * (a * spread) ** 2) * sum(sides)

    space = mfg.FiniteVolume(line(-8.0, 8.0, n), walls="reflecting")
    found = stationary(equation, space)
    exact = cell_means(lambda x: truth(x[..., 0]), space.grid)
    return float(space.grid.integrate(np.abs(found.values - exact))), abs(float(found.integral()) - 1)


def escape(n: int) -> Measured:
    """The mean time over 100 kT, relative."""
    barrier = 100.0
    equation = mfg.FokkerPlanck(
        lambda x, t: -4 * barrier * x * (x**2 - 1),
        lambda t: 1.0,
        time_dependent=False,
        potential=lambda x, t: barrier * (x[..., 0] ** 2 - 1) ** 2,
    )

    def V(x: float) -> float:
        return barrier * (x**2 - 1) ** 2

    over = quad(lambda x: np.exp(V(x) - barrier), -1, 1)[0]
    truth = over * quad(lambda x: np.exp(-V(x)), -2, 0, points=[-1.0])[0] * np.exp(barrier)
    space = mfg.FiniteVolume(line(-2.0, 1.0, n), walls=(("reflecting", "absorbing"),))
    return abs(float(mean_first_passage_time(equation, space)(np.array([[-1.0]]))[0]) / truth - 1), 0.0


def exit_up(n: int) -> Measured:
    """Which end an Ornstein–Uhlenbeck process leaves through: the scale function."""
    space = mfg.FiniteVolume(line(-1.0, 1.5, n), walls="absorbing")
    up = exit_probability(Diffusion(lambda x, t: -x, lambda x, t: 0.5), space, 0, 1).values
    exact = (erfi(space.grid.axes[0]) + erfi(1.0)) / (erfi(1.5) + erfi(1.0))
    return float(np.abs(up - exact).max()), 0.0


def first_of_two(n: int) -> Measured:
    """A committor with the flux −(1 + x²)∇p: ½(1 + arctan x/arctan 1), sets that end at faces."""
    process = Diffusion(lambda x, t: 0 * x, lambda x, t: 1 + x[..., 0] ** 2, meaning="haenggi-klimontovich")
    space = mfg.FiniteVolume(line(-2.0, 2.0, n), walls="reflecting")
    q = committor(process, space, lambda x: x[..., 0] > 1, lambda x: x[..., 0] < -1).values
    x, h = space.grid.axes[0], space.grid.spacing[0]
    ends = np.arctan(1 + 0.5 * h)  # the first centres in the sets
    return float(np.abs(q - np.clip(0.5 * (1 + np.arctan(x) / ends), 0.0, 1.0)).max()), 0.0


def washboard(n: int) -> Measured:
    """Stratonovich's current on a circle, relative; how much it differs from place to place."""
    D, F, grid = 0.2, 0.5, line(-np.pi, np.pi, n, periodic=True)

    def phi(x: float) -> float:
        return -(F * x + np.cos(x)) / D

    def inner(x: float) -> float:
        return quad(lambda y: np.exp(phi(y) - phi(x)), x, x + 2 * np.pi, epsabs=0, limit=200)[0]

    truth = D * (1 - np.exp(-2 * np.pi * F / D)) / quad(inner, 0, 2 * np.pi, epsabs=0, limit=200)[0]
    equation = ForwardKolmogorov(Diffusion(lambda x, t: F - np.sin(x), lambda x, t: D))
    J = probability_current(equation, stationary(equation, mfg.FiniteVolume(grid))).values
    return abs(float(J.mean()) / truth - 1), float(np.ptp(J))


def crowd(make: Callable[[int], Any]) -> Callable[[int], Measured]:
    """Particles that pull at each other linearly: Gaussian."""
    a, b, D = 0.3, 1.2, 0.4
    equation = McKeanVlasov(Diffusion(lambda x, t: -a * x, lambda x, t: D), lambda z: -b * z)
    settled = D / (a + b)
    truth = mfg.gaussian(np.exp(-a * END), settled + (0.5 - settled) * np.exp(-2 * (a + b) * END))
    return lambda n: marched(equation, make(n), mfg.gaussian(1.0, 0.5), truth.density)


def in_step(n: int) -> Measured:
    """Kuramoto's order."""
    equation = McKeanVlasov(Diffusion(lambda x, t: 0 * x, lambda x, t: 0.5), lambda z: -2.0 * np.sin(z))
    space = mfg.FiniteVolume(line(-np.pi, np.pi, n, periodic=True))
    run = mfg.solve(equation, space, mfg.gaussian(0.5, 0.3), (0.0, 40.0), rtol=1e-7)
    r = abs(space.grid.integrate(run.fields[-1].values * np.exp(1j * space.grid.points[..., 0])))
    return abs(r - brentq(lambda r: i1e(4 * r) / i0e(4 * r) - r, 0.1, 1.0)), float(np.ptp(run.conserved["mass"]))


def ratio() -> float:
    """Return the time of a step with a still tensor over one with a number, of as many stages, on 128² cells."""
    grid, start = mfg.CartesianGrid.cube(6.0, 128, 2), mfg.gaussian(np.zeros(2), 0.5 * np.eye(2))
    scalar = mfg.FokkerPlanck(lambda x, t: x @ A.T, lambda t: 0.4, time_dependent=False)
    tensor = ForwardKolmogorov(Diffusion(lambda x, t: x @ A.T, lambda x, t: np.broadcast_to(S, (*x.shape, 2))))
    method, spent = mfg.integrators.RungeKuttaChebyshev(), []
    for equation in (scalar, tensor):
        system = mfg.FiniteVolume(grid).semidiscretise(equation)
        u = system.start(start.density)
        dt, best = 40.0 / system.spectral_radius(u, 0.0), np.inf
        for _ in range(7):
            clock = time.process_time()
            for _ in range(20):
                method.step(system, u, 0.0, dt)
            best = min(best, time.process_time() - clock)
        spent.append(best)
    return spent[1] / spent[0]


def volumes(width: float, d: int) -> Callable[[int], Any]:
    """Return finite volumes on a cube."""
    return lambda n: mfg.FiniteVolume(mfg.CartesianGrid.cube(width, n, d))


def waves(width: float, d: int) -> Callable[[int], Any]:
    """Return cosines on a cube."""
    return lambda n: mfg.Spectral(mfg.CartesianGrid.cube(width, n, d))


CASES: list[tuple[str, str, Callable[[int], Measured], tuple[int, int], str]] = [
    ("D(x), Stratonovich", "finite volumes", geometric, (160, 320), "lognormal"),
    ("D(x) zero at a wall (CIR)", "finite volumes", square_root, (80, 160), "noncentral χ²"),
    ("tensor with cross terms", "finite volumes", correlated(volumes(6.0, 2)), (64, 128), "Gaussian"),
    ("tensor with cross terms", "spectral", correlated(waves(6.0, 2)), (32, 64), "Gaussian"),
    ("kinetic noise", "finite volumes", kinetic, (48, 96), "Gaussian"),
    ("score of kinetic noise", "finite volumes", kinetic_score, (48, 96), "mixture"),
    ("walls by side", "finite volumes", one_open, (40, 80), "lowest mode"),
    ("killing, backward", "finite volumes", cameron_martin, (96, 192), "Cameron–Martin"),
    ("resetting, stationary", "finite volumes", put_back, (160, 320), "blurred Laplace"),
    ("mean time over 100 kT", "finite volumes", escape, (400, 800), "quadrature"),
    ("exit side", "finite volumes", exit_up, (50, 100), "scale function"),
    ("committor", "finite volumes", first_of_two, (80, 160), "arctangents"),
    ("current on a circle", "finite volumes", washboard, (64, 128), "Stratonovich"),
    ("interaction", "finite volumes", crowd(volumes(6.0, 1)), (80, 160), "Gaussian"),
    ("interaction", "spectral", crowd(waves(6.0, 1)), (24, 48), "Gaussian"),
    ("interaction on a circle", "finite volumes", in_step, (48, 96), "Kuramoto"),
]


def elements() -> list[tuple[str, str, Callable[[int], Measured], tuple[int, int], str]]:
    """Return the cases by elements, where DOLFINx is here."""
    return [
        (
            "tensor with cross terms", "elements, degree 2",
            correlated(lambda n: mfg.FiniteElement(mfg.meshes.box([-6, -6], [6, 6], n), 2)), (16, 32), "Gaussian",
        ),
        (
            "interaction", "elements, degree 2",
            crowd(lambda n: mfg.FiniteElement(mfg.meshes.interval(-6.0, 6.0, n), 2)), (40, 80), "Gaussian",
        ),
    ]  # fmt: skip


def run(peers: bool) -> dict[str, Any]:
    """Return rows of class, scheme, truth, cells, error, order, mass moved, seconds."""
    rows: list[tuple[Any, ...]] = []
    for name, who, measure, sizes, truth in [*CASES, *elements()]:
        clock = time.process_time()
        coarse, fine = (measure(n) for n in sizes)
        spent = time.process_time() - clock
        order = float(np.log2(coarse[0] / fine[0]))
        rows.append((name, who, truth, f"{sizes[0]}, {sizes[1]}", fine[0], order, fine[1], spent))
    rows.append(("a tensor's step over a number's", "finite volumes", "128² cells", "", ratio(), None, None, None))
    return {
        "title": "classes of problems against their closed forms",
        "columns": ("class", "by", "truth", "cells", "error", "order", "mass moved", "CPU s"),
        "rows": rows,
        "goals": "order 2 for volumes, degree + 1 for elements; mass to rounding; a tensor's step at most 2.5 scalar ones",
    }
