"""Meshes from files, graded and adapted: the L-shape of the literature, goals with closed forms, clear refusals."""

import numpy as np
import pytest

import mfgpde as mfg

L_SHAPE_NEUMANN = 1.47562182408  # Dauge's benchmark: second Neumann eigenvalue of (−1, 1)² without a quadrant
HEAD = "$MeshFormat\n2.2 0 8\n$EndMeshFormat\n"


def gmsh_file(path, nodes, cells, kind=2):
    lines = [f"{i} {' '.join(f'{c:.17g}' for c in x)}" for i, x in enumerate(nodes, 1)]
    rows = [f"{i} {kind} 2 1 1 {' '.join(str(v + 1) for v in cell)}" for i, cell in enumerate(cells, 1)]
    body = "$Nodes\n{}\n{}\n$EndNodes\n$Elements\n{}\n{}\n$EndElements\n"
    path.write_text(HEAD + body.format(len(lines), "\n".join(lines), len(rows), "\n".join(rows)))
    return path


def l_shape(path, n=2):
    number, cells = {}, []
    for i in range(-n, n):
        for j in range(-n, n):
            if i < 0 or j >= 0:
                a, b, c, d = (number.setdefault((i + p, j + q), len(number)) for q in (0, 1) for p in (0, 1))
                cells += [(a, b, d), (a, d, c)]
    return gmsh_file(path, [(i / n, j / n, 0.0) for i, j in number], cells)


@pytest.mark.slow
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_adaptive_eigenvalues_on_an_l_shape_converge_at_the_best_rate(tmp_path, degree):
    """λ − λ_h ~ N^{−p} although the eigenfunction has a singular corner, where uniform refinement gives N^{−2/3}."""
    space = mfg.FiniteElement(mfg.meshes.read(l_shape(tmp_path / "L.msh")), degree)
    rungs = mfg.finite_element.adapt_eigenvalue(space, 1, max_unknowns=4000)
    errors = np.array([rung.value for rung in rungs]) - L_SHAPE_NEUMANN
    unknowns = np.array([rung.unknowns for rung in rungs])
    assert np.all(errors > 0), "Galerkin eigenvalues lie above"
    tail = slice(-6, None)
    rate = -np.polyfit(np.log(unknowns[tail]), np.log(errors[tail]), 1)[0]
    assert rate > 0.9 * degree
    constants = np.array([rung.indicator for rung in rungs])[tail] / errors[tail]
    assert constants.max() < 2.5 * constants.min(), "the indicator follows the error"
    uniform = [mfg.eigenpairs(space.refined(k), 2).values[1] - L_SHAPE_NEUMANN for k in (2, 3)]
    assert np.log2(uniform[0] / uniform[1]) == pytest.approx(4 / 3, abs=0.1)
    assert mfg.eigenpairs(rungs[0].discretisation.refined(), 2).values[1] < rungs[0].value


def test_goal_oriented_refinement_of_a_stationary_expectation():
    """A rotating Ornstein–Uhlenbeck process has a Gaussian stationary law: E x₁² = ½ with a current that never stops."""
    A = np.array([[-1.0, 2.0], [-2.0, -1.0]])
    equation = mfg.FokkerPlanck(lambda x, t: x @ A.T, lambda t: 0.5, time_dependent=False)
    space = mfg.FiniteElement(mfg.meshes.box((-6, -6), (6, 6), 8), 2)
    rungs = mfg.finite_element.adapt_stationary(equation, space, lambda x: x[..., 0] ** 2, max_unknowns=3000)
    errors = [abs(rung.value - 0.5) for rung in rungs]
    assert errors[-1] < 1e-6 < 1e-3 < errors[0] + errors[1]
    assert all(error < rung.indicator for error, rung in zip(errors, rungs, strict=True))
    law = mfg.finite_element.stationary(equation, space.refined())
    assert mfg.l1_distance(law, mfg.gaussian(0.0, 0.5, 2)) < 0.02
    with pytest.raises(ValueError, match="do not depend on time"):
        mfg.finite_element.stationary(mfg.FokkerPlanck.of(mfg.VariancePreserving()), space)


def test_a_graded_mesh_spends_its_cells_where_the_density_lives():
    data = mfg.densities.four_blobs()
    width = mfg.meshes.toward(data, 0.15, 1.5, degree=2)
    graded = mfg.FiniteElement(mfg.meshes.graded(mfg.meshes.box((-6, -6), (6, 6), 8), width), 2)
    plain = mfg.FiniteElement(mfg.meshes.box((-6, -6), (6, 6), 36), 2)

    def error(space):
        values = space.space.sample(space.space.project(data.density(space.grid.points)))
        return mfg.l1_distance(mfg.Field(space, values), data)

    assert graded.space.size < plain.space.size
    assert error(graded) < 0.5 * error(plain)
    assert error(graded) / error(graded.refined()) > 5  # at least order 2.3; 3 in the limit
    assert graded.refined().space.size > 3 * graded.space.size
    with pytest.raises(ValueError, match="positive number per point"):
        mfg.FiniteElement(mfg.meshes.graded(mfg.meshes.interval(0, 1, 4), lambda x: 0 * x[..., 0])).grid  # noqa: B018
    with pytest.raises(ValueError, match="curved cells"):
        mfg.meshes.graded(mfg.meshes.disc(1.0, 3), lambda x: 1 + 0 * x[..., 0])
    with pytest.raises(ValueError, match="finest < coarsest"):
        mfg.meshes.toward(data, 1.0, 0.5)


def test_curved_triangles_from_a_file_have_their_true_area(tmp_path):
    """One triangle of second order with its long side bowed: Simpson's rule gives its area."""
    nodes = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0.5, 0, 0), (0.7, 0.7, 0), (0, 0.5, 0)]
    space = mfg.FiniteElement(mfg.meshes.read(gmsh_file(tmp_path / "bow.msh", nodes, [tuple(range(6))], kind=9)), 2)
    bow = 2 / 3 * np.sqrt(2) * (0.7 - 0.5) * np.sqrt(2)  # a parabola over a chord of length √2, its height 0.2√2
    assert float(space.grid.integrate(np.ones(len(space.grid.points)))) == pytest.approx(0.5 + bow, abs=1e-13)
    with pytest.raises(ValueError, match="cannot be refined"):
        space.refined().grid  # noqa: B018


SQUARE = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)]


@pytest.mark.parametrize(
    ("nodes", "cells", "kind", "message"),
    [
        (
            [*SQUARE, (5, 5, 0)],
            [(0, 1, 3), (0, 3, 2)],
            2,
            r"1 vertices that belong to no triangle, the first at \(5, 5",
        ),
        (SQUARE, [(0, 1, 3), (0, 3, 3), (0, 3, 2)], 2, "without volume"),
        ([*SQUARE[:3], (np.nan, 1, 0)], [(0, 1, 3), (0, 3, 2)], 2, "node 3 has coordinates that are not finite"),
        (SQUARE, [(0, 1, 3, 2)], 3, "cells of kind quad; known are line"),
        (SQUARE, [(0, 1), (1, 3), (3, 2)], 1, "dimension 1, expected 2"),
        (SQUARE, [(0, 1, 3), (0, 3, 2), (3, 1, 0)], 2, r"lists a triangle 2 times, the one at \(0.6667, 0.3333\)"),
        (
            [*SQUARE, (1, 0, 0), (1, 1, 0), (2, 0, 0)],
            [(0, 1, 3), (0, 3, 2), (4, 6, 5)],
            2,
            r"2 pairs of nodes in one place, .* remove duplicate nodes",
        ),
        ([*SQUARE, (0.8, 0.9, 0)], [(0, 1, 3), (0, 3, 2), (0, 3, 4)], 2, r"3 cells of kind triangle at one edge"),
        ([*SQUARE, (0.2, 0.1, 0)], [(0, 1, 3), (0, 3, 2), (1, 3, 4)], 2, r"on the same side .* folded over"),
        (
            [*SQUARE, (0.5, 0, 0), (1, -1, 0)],
            [(0, 1, 3), (0, 3, 2), (0, 4, 5)],
            2,
            r"node at \(0.5, 0\) inside or at the side of a triangle",
        ),
        (
            [*SQUARE, (-1, 0.4, 0), (2, 0.4, 0), (2, 0.6, 0)],
            [(0, 1, 3), (0, 3, 2), (4, 5, 6)],
            2,
            r"overlap, their sides cross",
        ),
        (
            [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0.5, 0, 0), (-0.4, -0.4, 0), (0, 0.5, 0)],
            [tuple(range(6))],
            9,
            r"1 tangled cells of kind triangle, curved until they turn over",
        ),
    ],
)
def test_bad_meshes_are_refused_by_name(tmp_path, nodes, cells, kind, message):
    with pytest.raises(ValueError, match=message):
        mfg.meshes.read(gmsh_file(tmp_path / "bad.msh", nodes, cells, kind), dimension=2)


def test_cells_of_two_kinds_are_refused_and_a_file_that_is_none(tmp_path, capfd):
    nodes = [*SQUARE, (2, 0, 0), (2, 1, 0)]
    path = gmsh_file(tmp_path / "mixed.msh", nodes, [(0, 1, 3), (0, 3, 2)])
    text = path.read_text().replace("$Elements\n2\n", "$Elements\n3\n")
    path.write_text(text.replace("$EndElements", "3 3 2 1 1 2 5 6 4\n$EndElements"))
    with pytest.raises(ValueError, match="cells of kind quad beside triangle, which would be left out"):
        mfg.meshes.read(path)
    (tmp_path / "garbage.msh").write_text("not a mesh")
    with pytest.raises(ValueError, match=r"cannot read .*garbage.msh as a mesh; expected what gmsh writes"):
        mfg.meshes.read(tmp_path / "garbage.msh")
    assert capfd.readouterr() == ("", "")  # one sentence is enough


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_good_meshes_pass_in_any_unit(tmp_path, unit):
    """Triangles in the plane, graded and with a hole; a cube of tetrahedra; a closed surface; an interval."""
    x, y = (a.ravel() for a in np.meshgrid(np.geomspace(1, 1e3, 12), np.arange(5.0), indexing="ij"))
    number = np.arange(60).reshape(12, 5)
    squares = [(i, j) for i in range(11) for j in range(4) if (i, j) != (5, 2)]
    corners = [[number[i + a, j + b] for a in (0, 1) for b in (0, 1)] for i, j in squares]
    cells = [cell for a, b, c, d in corners for cell in ((a, b, d), (a, d, c))]
    nodes = unit * np.stack((x, y, 0 * x), axis=1)
    read = mfg.FiniteElement(mfg.meshes.read(gmsh_file(tmp_path / "plane.msh", nodes, cells)), 1)
    assert read.space.size == 60
    cube = unit * np.array([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
    tetrahedra = [(0, 4, 6, 7), (0, 4, 5, 7), (0, 2, 6, 7), (0, 2, 3, 7), (0, 1, 5, 7), (0, 1, 3, 7)]
    solid = mfg.FiniteElement(mfg.meshes.read(gmsh_file(tmp_path / "cube.msh", cube, tetrahedra, kind=4)), 1)
    assert float(solid.grid.integrate(np.ones(len(solid.grid.points)))) == pytest.approx(unit**3)
    quads = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    shell = [half for a, b, c, d in quads for half in ((a, b, c), (a, c, d))]
    surface = mfg.FiniteElement(mfg.meshes.read(gmsh_file(tmp_path / "shell.msh", cube, shell)), 1)
    assert float(surface.grid.integrate(np.ones(len(surface.grid.points)))) == pytest.approx(6 * unit**2)
    with pytest.raises(ValueError, match="the middle of one lies in another"):
        mfg.meshes.read(gmsh_file(tmp_path / "over.msh", cube, [*tetrahedra, (1, 2, 4, 7)], kind=4))
