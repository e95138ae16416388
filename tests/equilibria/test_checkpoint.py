"""Checkpoints: taken up by the problem that made them, refused with the field that differs, by one run at a time."""

from dataclasses import replace

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.errors import Busy
from mfgpde.core.lock import locked
from mfgpde.games import MeanFieldGame, Potential, Power, linear_quadratic

pytestmark = pytest.mark.filterwarnings("ignore:.*not converged:UserWarning")  # solves are interrupted on purpose
GRID = mfg.CartesianGrid.cube(5.0, 40, 1)


def law(mean):
    return mfg.gaussian([mean], [[0.2]])


def game(mean=0.0, weight=1.0):
    return linear_quadratic(law(mean), weight)


CHANGES = {
    "initial law": (dict(game=game(2.0)), r"game\.initial\.means"),
    "terminal cost": (dict(game=game(0.0, 1.5)), r"game\.terminal\.cost\.weight \(1\.0 there, 1\.5 here\)"),
    "another cost": (
        dict(game=replace(game(), terminal=Potential(lambda x, t: x[..., 0] ** 4))),
        r"game\.terminal\.cost",
    ),
    "horizon": (dict(game=replace(game(), horizon=1.5)), r"game\.horizon"),
    "noise": (dict(game=replace(game(), viscosity=0.1)), r"game\.viscosity"),
    "interaction": (dict(game=replace(game(), interaction=Power(1.0))), r"game\.interaction"),
    "discount": (dict(game=replace(game(), discount=0.1)), r"game\.discount"),
    "box": (dict(grid=mfg.CartesianGrid.cube(5.5, 40, 1)), r"grid\.lower"),
    "steps": (dict(steps=9), r"steps \(8\.0 there, 9\.0 here\)"),
    "tolerance": (dict(tolerance=1e-7), r"tolerance"),
    "method": (dict(method="newton"), r"method \('primal-dual' there, 'newton' here\)"),
}


@pytest.mark.parametrize(("change", "field"), CHANGES.values(), ids=CHANGES)
def test_a_checkpoint_of_another_problem_is_refused_by_field(change, field, tmp_path):
    kept = tmp_path / "kept.npz"
    asked = dict(game=game(), grid=GRID, method="primal-dual", steps=8, iterations=25, checkpoint=kept, tolerance=1e-6)
    mfg.equilibrium(**asked)
    mfg.equilibrium(**asked | dict(game=game(), iterations=50))  # the same one, made again, goes on
    with pytest.raises(ValueError, match=f"another problem, by its .*{field}"):
        mfg.equilibrium(**asked | change)


def test_the_answer_is_that_of_the_game_asked_for(tmp_path):
    """The Riccati value of N(2, 0.2) with weight 1 to T = 1: ½·½·4.2 = 1.05."""
    kept = tmp_path / "kept.npz"
    mfg.equilibrium(game(), GRID, method="primal-dual", steps=8, iterations=50, checkpoint=kept)
    with pytest.raises(ValueError, match=r"initial\.means"):
        mfg.equilibrium(game(2.0), GRID, method="primal-dual", steps=8, checkpoint=kept)
    kept.unlink()
    found = mfg.equilibrium(game(2.0), GRID, method="primal-dual", steps=8, tolerance=2e-3, checkpoint=kept)
    assert found.discrete_dual - 0.02 <= 1.05 <= found.discrete_primal + 0.02  # 0.25² and (1/8)²: 1e-2 and less


def test_files_that_are_no_checkpoints_get_one_sentence(tmp_path):
    kept = tmp_path / "kept.npz"
    asked = dict(steps=8, method="primal-dual", iterations=25, tolerance=1e-9, checkpoint=kept)
    mfg.equilibrium(game(), GRID, **asked)
    whole = kept.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    np.savez(tmp_path / "foreign.npz", a=np.ones(3))
    foreign = (tmp_path / "foreign.npz").read_bytes()
    np.save(tmp_path / "array.npy", np.ones(3))
    for content in (
        whole[: len(whole) // 2],
        b"",
        b"not a file of arrays",
        bytes(flipped),
        foreign,
        (tmp_path / "array.npy").read_bytes(),
    ):
        kept.write_bytes(content)
        with pytest.raises(ValueError, match=r"kept\.npz is no whole checkpoint \(.*\); remove it, or name another$"):
            mfg.equilibrium(game(), GRID, **asked)


def test_two_runs_do_not_share_one(tmp_path):
    kept = tmp_path / "kept.npz"
    with (
        locked(kept, "the checkpoint"),
        pytest.raises(Busy, match="another run is at work on the checkpoint"),
    ):
        mfg.equilibrium(game(), GRID, steps=8, checkpoint=kept)


def test_what_cannot_be_identified_is_said_before_the_work(tmp_path):
    file = (tmp_path / "open").open("w")
    with file, pytest.raises(ValueError, match=r"game\.terminal\.cost\.file is a TextIOWrapper, which has no identity"):
        mfg.equilibrium(
            MeanFieldGame(law(0.0), Potential(lambda x, t: x[..., 0] + bool(file.closed))),
            GRID,
            checkpoint=tmp_path / "k",
        )
