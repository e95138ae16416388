"""How results show themselves: lines, tables, pictures."""

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde import verify


@pytest.fixture(scope="module")
def solution():
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(4.0, 24, 2))
    return mfg.solve(mfg.FokkerPlanck.of(mfg.OrnsteinUhlenbeck()), space, mfg.gaussian(0.0, 0.4, 2), (0.0, 0.1, 0.2))


@pytest.fixture(scope="module")
def equilibrium():
    game = mfg.games.linear_quadratic(mfg.gaussian([0.0], [[0.5]]), 4.0, 0.5, viscosity=0.5)
    return mfg.equilibrium(game, mfg.CartesianGrid((-6.0,), (6.0,), (61,)))


def test_lines_are_short_and_say_what_matters(solution, equilibrium):
    for result, words in (
        (solution, ("FokkerPlanck", "24×24 cells of [-4, 4] × [-4, 4]", "3 times from 0 to 0.2", "integral 1")),
        (solution.at(0.2), ("scalar field", "FiniteVolume", "integral 1")),
        (solution.at(0.2).gradient(), ("vector field", "24×24")),
        (equilibrium, ("equilibrium of", "cost of the discrete problem", "±", "converged yes", "61 cells of [-6, 6]")),
    ):
        line = repr(result)
        assert len(line) < 350
        assert all(word in line for word in words), line
        assert "array(" not in line


def test_tables_are_html(solution):
    table = solution._repr_html_()
    assert table.startswith("<table>")
    assert table.count("<tr>") == len(solution.summary()[1])

    class Odd(mfg.Field):
        def summary(self):
            return "a < b", {"x & y": "<script>"}

    odd = Odd(solution.discretisation, solution.at(0.2).values)
    assert "<script>" not in odd._repr_html_()
    assert "a &lt; b" in odd._repr_html_()


def test_pictures_have_a_panel_a_time(solution, equilibrium, tmp_path):
    maps = solution.plot()
    assert [axes.get_title() for axes in maps.axes[:3]] == ["t = 0", "t = 0.1", "t = 0.2"]
    shown = maps.axes[2].images[0].get_array()
    np.testing.assert_allclose(shown, solution.at(0.2).values.T)
    maps.savefig(tmp_path / "maps.png")
    lines = equilibrium.plot().axes[0].lines
    assert len(lines) == 4
    np.testing.assert_allclose(lines[-1].get_ydata(), equilibrium.densities[-1])
    gradient = solution.at(0.2).gradient()
    length = gradient.plot().axes[0].images[0].get_array()
    np.testing.assert_allclose(length, np.linalg.norm(gradient.values, axis=-1).T)
    sign = mfg.Field(solution.discretisation, solution.at(0.2).values - 0.05).plot().axes[0].images[0]
    assert sign.norm.vmin == -sign.norm.vmax, "zero is the middle of the colours"
    cube = mfg.Field(mfg.FiniteVolume(mfg.CartesianGrid.cube(1.0, 6, 3)), np.arange(216.0).reshape(6, 6, 6))
    np.testing.assert_allclose(cube.plot().axes[0].images[0].get_array(), cube.values[..., 3].T)


def test_evidence_lists_its_findings_and_draws_its_series():
    found = verify.equal("x", mfg.exact(1.0, "toy"), mfg.exact(1.0, "toy"), resolution=0.1)
    alone = verify.Evidence([found])
    assert repr(alone) == "<evidence, 1 findings: x holds>"
    with pytest.raises(ValueError, match="no series"):
        alone.plot()
    series = verify.Series("errors", "cells", (8, 16, 32), "error", (0.4, 0.1, 0.025))
    (line,) = verify.Evidence([found], [series]).plot().axes[0].lines
    assert list(line.get_ydata()) == [0.4, 0.1, 0.025]


def test_meshes_are_for_paraview():
    space = mfg.FiniteElement(mfg.meshes.disc(1.0, 2), 1)
    field = mfg.Field(space, np.zeros(len(space.grid.points)))
    assert "scalar field" in repr(field)
    with pytest.raises(ValueError, match="drawn by ParaView"):
        field.plot()
