"""Solutions and equilibria on disk: other files, halves and claims of size are refused in a sentence."""

import h5py
import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.solvers.labelled import read_labelled


def test_a_labelled_file_of_another_kind_is_named(tmp_path):
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 32, 1))
    heat = mfg.solve(mfg.FokkerPlanck.of(mfg.Brownian()), space, mfg.gaussian(0.0, 0.5), (0.0, 0.1))
    path = heat.save(tmp_path / "a.nc")
    np.testing.assert_array_equal(mfg.load(path)[-1], heat.fields[-1].values)
    with pytest.raises(ValueError, match="no whole file of an equilibrium"):
        mfg.equilibria.load_equilibrium(path)
    path.write_bytes(path.read_bytes()[:2000])
    for read in (mfg.load, mfg.equilibria.load_equilibrium):
        with pytest.raises(ValueError, match="no whole file of"):
            read(path)


def test_a_labelled_file_that_claims_far_more_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file.create_dataset("u", shape=(10**6, 10**6), dtype="f8", chunks=(1000, 1000))
        file["u"].dims[0].label = "time"
    with pytest.raises(ValueError, match="no whole file of anything"):
        read_labelled(tmp_path / "a.nc", "anything", lambda one: True)
