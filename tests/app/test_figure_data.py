"""Digests of the numbers behind figures: what moves is seen, what rounding changes is not."""

import json

import numpy as np
import pytest
import xarray

from mfgpde.app import figure_data


def table(folder, factor=1.0, extra=""):
    path = folder / "one.csv"
    lines = ["# claims: none", "series,x,y", *(f"a,{x},{factor * x**2}" for x in range(1, 6)), "b,6,nan"]
    path.write_text("\n".join(lines) + "\n" + extra)
    return [folder / "one.pdf", path]


def test_columns_of_numbers_are_condensed(tmp_path):
    found = figure_data.digest(table(tmp_path))
    assert set(found) == {"1: x", "2: y"}
    assert found["1: x"] == pytest.approx([6, 3.5, np.sqrt(91 / 6)])
    assert found["2: y"][0] == 5
    path = tmp_path / "two.nc"
    xarray.Dataset({"p": (("x",), np.array([1.0, np.nan, 3.0]))}).to_netcdf(path, engine="h5netcdf")
    assert figure_data.digest([path])["p"] == pytest.approx([2, 2, np.sqrt(5)])


def test_what_moved_is_named(tmp_path):
    before = {"one": figure_data.digest(table(tmp_path))}
    figure_data.store(tmp_path / "base.json", before)
    stored = figure_data.read(tmp_path / "base.json")
    assert figure_data.moved(stored, {"one": figure_data.digest(table(tmp_path, 1.0 + 1e-6))}) == []
    (words,) = figure_data.moved(stored, {"one": figure_data.digest(table(tmp_path, 1.1))})
    assert words.startswith("one: 2: y moved, mean 11 → 12.1")
    (words,) = figure_data.moved(stored, {"one": figure_data.digest(table(tmp_path, extra="c,8,\n"))})
    assert "one: 1: x has 7 numbers, had 6" in words
    assert figure_data.moved(stored, {"another": {}}) == []
    assert figure_data.moved(stored, {"one": {"1: x": before["one"]["1: x"]}}) == ["one: 2: y is gone"]


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "base.json"
    for text in ("no", "[1, 2]", json.dumps({"a": {"b": "c"}})):
        path.write_text(text)
        with pytest.raises(ValueError, match="holds no digests"):
            figure_data.read(path)
    with pytest.raises(ValueError, match="holds no digests"):
        figure_data.read(tmp_path / "absent.json")
