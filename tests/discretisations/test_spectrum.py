"""Eigenvalues counted: every copy of multiple ones, in any unit, down to rounding; the inertia as proof, its warnings."""

import json
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.linalg import eigh
from scipy.special import jn_zeros, jnp_zeros

import mfgpde as mfg

pytest.importorskip("dolfinx_solver")
from mfgpde.discretisations.finite_element import spectrum
from mfgpde.discretisations.finite_element.eigenpairs import assembled
from mfgpde.discretisations.finite_element.spectrum import Pencil, lowest

stationary = mfg.finite_element.stationary
HARMONICS = np.concatenate([[degree * (degree + 1)] * (2 * degree + 1) for degree in range(8)])
LONGEST = 120
"""seconds that ranks may wait, by spinning: three on two cores take some 17"""


def bessel(zeros, first):
    """Return the squares of zeros of J_n or J_n′ in rising order, twice each for n > 0."""
    found = [zeros(n, 8) for n in range(12) for _ in range(1 if n == 0 else 2)]
    return np.sort(np.concatenate([first, *found])) ** 2


def sphere(radius=1.0):
    return mfg.FiniteElement(mfg.meshes.sphere(radius, 4), 2)


@pytest.mark.parametrize("count", [2, 3, 8, 9, 14, 17, 23, 25, 30])
def test_every_copy_on_a_sphere(count):
    found = mfg.eigenpairs(sphere(), count)
    np.testing.assert_allclose(found.values, HARMONICS[:count], rtol=1e-2)
    weight = found.functions[0].grid.weights / (4 * np.pi)
    functions = np.stack([f.values for f in found.functions], axis=1)
    np.testing.assert_allclose(
        functions.T @ (weight[:, None] * functions), np.eye(count), atol=1e-3
    )  # area by elements


@pytest.mark.parametrize(
    ("walls", "exact"), [("reflecting", bessel(jnp_zeros, [0.0])), ("absorbing", bessel(jn_zeros, []))]
)
@pytest.mark.parametrize("count", [10, 18, 27])
def test_every_copy_on_a_disc(walls, exact, count):
    space = mfg.FiniteElement(mfg.meshes.disc(1.0, 7), 3, walls=walls)
    np.testing.assert_allclose(mfg.eigenpairs(space, count).values, exact[:count], rtol=2e-3, atol=1e-12)


def test_absorbing_walls_hold_the_functions():
    space = mfg.FiniteElement(mfg.meshes.interval(0.0, np.pi, 30), 3, walls="absorbing")
    found = mfg.eigenpairs(space, 4)
    np.testing.assert_allclose(found.values, [1, 4, 9, 16], rtol=1e-7)
    x = space.grid.points[:, 0]
    for n, function in enumerate(found.functions, 1):
        np.testing.assert_allclose(np.abs(function.values), np.sqrt(2) * np.abs(np.sin(n * x)), atol=1e-4)
    with pytest.raises(ValueError, match="no law is stationary, to expand scores about"):
        mfg.finite_element.FiniteElementBasis(mfg.processes.MarkovGenerator(), space, 4)
    rungs = mfg.finite_element.adapt_eigenvalue(
        mfg.FiniteElement(mfg.meshes.interval(0.0, np.pi, 4), 1, walls="absorbing"), 0, max_unknowns=60
    )
    errors = np.array([rung.value for rung in rungs]) - 1
    assert 0 < errors[-1] < 1e-3 < errors[0]


@pytest.mark.slow
@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(st.floats(-11, 11))
def test_spectra_know_no_units(power):
    unit = 10.0**power
    for mesh in (lambda L: mfg.meshes.disc(L, 3), lambda L: mfg.meshes.interval(-L, L, 9)):
        one, other = (mfg.eigenpairs(mfg.FiniteElement(mesh(L), 2), 6).values * L**2 for L in (1.0, unit))
        np.testing.assert_allclose(other, one, rtol=1e-10, atol=1e-12)
    well = mfg.FiniteElement(mfg.meshes.interval(-6 * unit, 6 * unit, 40), 3)
    hermite = mfg.eigenpairs(
        well, 4, mfg.processes.MarkovGenerator(lambda x: 0.5 * (x[..., 0] / unit) ** 2 + power * 100)
    )
    np.testing.assert_allclose(hermite.values * unit**2, [0, 1, 2, 3], atol=1e-4)


@pytest.mark.slow
def test_functions_are_right_where_their_weight_is_not():
    """φ₁ = x in the well x²/2, far out, whatever constant V carries."""
    space = mfg.FiniteElement(mfg.meshes.interval(-30.0, 30.0, 121), 3)
    found = mfg.eigenpairs(space, 3, mfg.processes.MarkovGenerator(lambda x: 0.5 * x[..., 0] ** 2 + 800))
    np.testing.assert_allclose(found.values, [0, 1, 2], atol=1e-6)
    x, near = space.grid.points[:, 0], np.abs(space.grid.points[:, 0]) < 15
    np.testing.assert_allclose(found.functions[1].values[near], x[near], atol=0.1)
    assert np.abs(found.functions[1].values).max() < 1e3, "noise of size ε/√π would be 1e80"
    coarse = mfg.FiniteElement(mfg.meshes.interval(-30.0, 30.0, 15), 2)
    rungs = mfg.finite_element.adapt_eigenvalue(
        coarse, 1, mfg.processes.MarkovGenerator(lambda x: 0.5 * x[..., 0] ** 2), max_unknowns=170
    )
    assert abs(rungs[-1].value - 1) < 2e-4
    assert rungs[-1].indicator < 1e-2 * rungs[0].indicator


@pytest.mark.parametrize("barrier", [10.0, 30.0, 40.0])
def test_exponentially_small_eigenvalues(barrier):
    """A double well B(x² − 1)²: Eyring and Kramers' rate, 4√2 B/π·e^{−B} up to O(1/B), far below ε times the largest."""
    space = mfg.FiniteElement(mfg.meshes.interval(-1.6, 1.6, 200), 3)
    found = mfg.eigenpairs(space, 3, mfg.processes.MarkovGenerator(lambda x: barrier * (x[..., 0] ** 2 - 1) ** 2))
    rate = 4 * np.sqrt(2) * barrier / np.pi * np.exp(-barrier)
    assert found.values[1] == pytest.approx(rate, rel=0.5 / barrier)
    assert found.rounding[1] < 1e-2 * found.values[1]


def test_noise_is_called_noise():
    space = mfg.FiniteElement(mfg.meshes.interval(-1.6, 1.6, 200), 3)
    with pytest.warns(RuntimeWarning, match=r"1 eigenvalues are below what rounding leaves, the first λ_1"):
        mfg.eigenpairs(space, 3, mfg.processes.MarkovGenerator(lambda x: 90 * (x[..., 0] ** 2 - 1) ** 2))
    with pytest.raises(ValueError, match=r"rises by .* over the mesh"):
        mfg.eigenpairs(
            mfg.FiniteElement(space.mesh, 1),
            3,
            mfg.processes.MarkovGenerator(lambda x: 600 * (x[..., 0] ** 2 - 1) ** 2),
        )
    with pytest.raises(ValueError, match=r"rises by 760 over the mesh"):  # where it once refined for ever
        mfg.finite_element.adapt_eigenvalue(
            mfg.FiniteElement(mfg.meshes.interval(-39.0, 39.0, 60), 2),
            1,
            mfg.processes.MarkovGenerator(lambda x: 0.5 * x[..., 0] ** 2),
        )
    coarse = mfg.FiniteElement(mfg.meshes.interval(-36.0, 36.0, 37), 2)
    with pytest.raises(ValueError, match=r"changes by .* within one cell"):
        mfg.eigenpairs(coarse, 3, mfg.processes.MarkovGenerator(lambda x: 0.5 * x[..., 0] ** 2))


class Forgetful(Pencil):
    """A solver that loses one copy of the fivefold eigenvalue, the first time."""

    lost = False

    def extend(self, more):
        super().extend(more)
        if not self.lost:
            self.values, self.vectors = np.delete(self.values, 6), np.delete(self.vectors, 6, axis=1)
            self.lost = True


def test_a_lost_copy_is_missed_and_found():
    space = sphere().space
    K, M, _ = assembled(space, mfg.processes.MarkovGenerator())
    pencil = Forgetful(K, M, 2.0, np.ones(space.own))
    found = lowest(pencil, 9)
    assert pencil.lost
    dense = eigh(_dense(K), _dense(M), eigvals_only=True)
    np.testing.assert_allclose(found.values, dense[:9], atol=1e-9)
    for level in (1.0, 3.0, 9.0, 25.0):
        assert pencil.below(level / pencil.scale) == np.sum(dense < level)


def _dense(matrix):
    return matrix.getValues(range(matrix.getSize()[0]), range(matrix.getSize()[0]))


def test_what_cannot_be_counted_is_said(monkeypatch):
    """Intervals that are not joined: 400 copies of zero are found and counted; where all are one there is no gap to see."""
    K, M = _blocks(400)
    every = lowest(Pencil(K, M, gap=1.0), 3)
    np.testing.assert_allclose(every.values, 0, atol=1e-12)
    monkeypatch.setattr(spectrum, "ROUNDS", 2)
    with pytest.warns(RuntimeWarning, match="no gap was found above the lowest 3"):
        lowest(Pencil(M, M, gap=1.0), 3)


def _blocks(many):
    from mfgpde.discretisations.finite_element._petsc import PETSc

    K, M = (PETSc.Mat().createAIJ((2 * many, 2 * many), nnz=2, comm=PETSc.COMM_SELF) for _ in range(2))
    for k in range(many):
        for matrix, entries in ((K, [[1.0, -1.0], [-1.0, 1.0]]), (M, [[2.0, 1.0], [1.0, 2.0]])):
            matrix.setValues([2 * k, 2 * k + 1], [2 * k, 2 * k + 1], entries)
    for matrix in (K, M):
        matrix.assemble()
    return K, M


def test_stationary_densities_know_no_units():
    for unit in (1e-11, 1.0, 1e4, 1e11):
        slow = mfg.FokkerPlanck(lambda x, t, L=unit: -x / L**2, lambda t: 1.0, time_dependent=False)
        for scheme, tolerance in (("galerkin", 1e-6), ("fitted", 5e-3)):
            space = mfg.FiniteElement(mfg.meshes.interval(-6 * unit, 6 * unit, 100), 1, scheme)
            found = stationary(slow, space).expectation(lambda x, L=unit: (x[..., 0] / L) ** 2)
            assert found == pytest.approx(1.0, abs=tolerance)
    for rate in (1e-9, 1e9):
        scaled = mfg.FokkerPlanck(lambda x, t, r=rate: -r * x, lambda t, r=rate: r, time_dependent=False)
        space = mfg.FiniteElement(mfg.meshes.interval(-6.0, 6.0, 60), 2)
        assert stationary(scaled, space).expectation(lambda x: x[..., 0] ** 2) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("barrier", [20.0, 25.0, 40.0])
def test_high_barriers_have_the_gibbs_density_of_their_potential(barrier):
    def V(x, t):
        return barrier * (x[..., 0] ** 2 - 1) ** 2 + x[..., 0]

    x = np.linspace(-2, 2, 40_001)
    gibbs = np.exp(-V(x[:, None], 0.0))
    right = gibbs[x > 0].sum() / gibbs.sum()

    def drift(x, t):
        return -(4 * barrier * x * (x**2 - 1) + 1)

    space = mfg.FiniteElement(mfg.meshes.interval(-2.0, 2.0, 400), 1, "fitted")
    known = mfg.FokkerPlanck(drift, lambda t: 1.0, time_dependent=False, potential=V)
    assert stationary(known, space).expectation(lambda y: 1.0 * (y[..., 0] > 0)) == pytest.approx(right, rel=1e-4)
    plain = mfg.FokkerPlanck(drift, lambda t: 1.0, time_dependent=False)
    # drifts at middles of edges: ∫f over a well is off by h²/24 of its slopes' difference, none between two minima
    assert stationary(plain, space).expectation(lambda y: 1.0 * (y[..., 0] > 0)) == pytest.approx(right, rel=2e-3)
    if barrier > 20:
        with pytest.raises(RuntimeError, match=r"relaxation is slower than .* scheme='fitted' .* has no such limit"):
            stationary(plain, mfg.FiniteElement(mfg.meshes.interval(-2.0, 2.0, 400), 2))


@pytest.mark.parametrize("degree", [1, pytest.param(2, marks=pytest.mark.slow), 3])
def test_what_rounding_decides_of_wells_is_small_or_refused(degree):
    """Shares of two wells by Galerkin's elements, which lose ε‖K‖/λ₁: with finer cells refused at lower barriers."""
    kept, said = 0, []
    for barrier, cells in product((12.0, 16.0, 19.0, 22.0, 24.0), (200, 1600)):
        y = np.linspace(-1.6, 1.6, 40_001)
        gibbs = np.exp(-barrier * (y**2 - 1) ** 2 - y)
        tilted = mfg.FokkerPlanck(
            lambda x, t, B=barrier: -(4 * B * x * (x**2 - 1) + 1), lambda t: 1.0, time_dependent=False
        )
        space = mfg.FiniteElement(mfg.meshes.interval(-1.6, 1.6, cells), degree, walls="reflecting")
        try:
            found = stationary(tilted, space).expectation(lambda x: 1.0 * (x[..., 0] > 0))
        except RuntimeError as problem:
            said.append(str(problem))
            continue
        kept += 1
        order = 2 if degree == 1 else 4  # of means, with the slopes of the drift to that power
        cell = {2: 1e3, 4: 1e5}[order] * (barrier / 12) ** order / cells**order
        assert abs(found * gibbs.sum() / gibbs[y > 0].sum() - 1) < 2e-4 + cell, (barrier, cells)
    assert 3 <= kept < 10
    assert all("rounding decides" in words and "scheme='fitted'" in words for words in said)


def test_no_density_is_stationary_at_absorbing_walls():
    space = mfg.FiniteElement(mfg.meshes.interval(-2.0, 2.0, 40), 1, walls="absorbing")
    drift = mfg.FokkerPlanck(lambda x, t: -x, lambda t: 1.0, time_dependent=False)
    with pytest.raises(ValueError, match="no density is stationary"):
        stationary(drift, space)
    with pytest.raises(ValueError, match="no density is stationary"):
        mfg.finite_element.adapt_stationary(drift, space, lambda x: x[..., 0])
    still = mfg.FokkerPlanck(lambda x, t: 0 * x, lambda t: 0.0, time_dependent=False)
    with pytest.raises(ValueError, match="neither drift nor noise"):
        stationary(still, mfg.FiniteElement(mfg.meshes.interval(-2.0, 2.0, 40), 1))


@pytest.mark.slow
def test_several_ranks_count_alike_and_fail_together(tmp_path):
    """Spectra on one to three ranks to rounding; an error of one rank's drift, start or potential ends them all."""
    script = Path(__file__).with_name("ranks_together.py")
    launcher = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    answers = {}
    for ranks in (1, 2, 3):
        out = tmp_path / str(ranks)
        out.mkdir()
        command = [launcher, "-n", str(ranks), sys.executable, str(script), str(out), str(LONGEST)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST + 60, check=False)
        assert run.returncode == 0, run.stderr[-4000:]  # of ranks that waited too long, where they did
        found = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
        assert len(found) == ranks
        assert all(answer["values"] == found[0]["values"] for answer in found)
        answers[ranks] = found
    for ranks in (2, 3):
        np.testing.assert_allclose(answers[ranks][0]["values"], answers[1][0]["values"], rtol=1e-12, atol=1e-12)
        for answer in answers[ranks]:
            assert len(answer["heard"]) == 5
            assert all("only here" in words or "nan" in words for words in answer["heard"]), answer["heard"]
