"""Solutions and equilibria on disk: other files, halves and claims of size are refused in a sentence."""

import h5py
import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.solvers.labelled import read_labelled, write_labelled


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


def test_what_was_damaged_on_the_disk_is_found(tmp_path):
    """Every byte of the numbers that is another one is noticed, by the sum kept beside them; NaN is no solution."""
    space = mfg.FiniteVolume(mfg.CartesianGrid.cube(6.0, 32, 1))
    heat = mfg.solve(mfg.FokkerPlanck.of(mfg.Brownian()), space, mfg.gaussian(0.0, 0.5), (0.0, 0.1))
    path = heat.save(tmp_path / "a.nc")
    whole, numbers = path.read_bytes(), heat.fields[-1].values.tobytes()
    begin = whole.index(numbers)
    for place in range(begin, begin + len(numbers), 29):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match="no whole file of a solution"):
            mfg.load(path)
    path.write_bytes(whole)
    np.testing.assert_array_equal(mfg.load(path)[-1], heat.fields[-1].values)
    holed = heat.to_xarray()
    holed[0, 3] = np.nan
    write_labelled(holed, path)
    with pytest.raises(ValueError, match=r"no whole file of a solution \(NaN in its FokkerPlanck\)"):
        mfg.load(path)
