"""Data for a trial: files in the dialects that people have, laws with arguments, and what is refused."""

import numpy as np
import pytest

from mfgpde.app.check import law_of, read_samples

SAMPLES = np.random.default_rng(0).normal(size=(1000, 2)).round(6)


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("header", ["", "x{}y\n", "\ufeffx{}y\n"], ids=["bare", "header", "byte-order mark"])
def test_tables_of_every_dialect_are_the_same_numbers(tmp_path, separator, header):
    path = tmp_path / "samples.csv"
    lines = "\n".join(separator.join(map(str, row)) for row in SAMPLES.tolist())
    path.write_text(header.format(separator) + lines + "\n", encoding="utf-8")
    assert np.array_equal(read_samples(path), SAMPLES)


def test_decimal_commas(tmp_path):
    path = tmp_path / "samples.csv"
    path.write_text("\n".join(";".join(str(v).replace(".", ",") for v in row) for row in SAMPLES.tolist()))
    assert np.array_equal(read_samples(path), SAMPLES)


def test_archives(tmp_path):
    path = tmp_path / "samples.npz"
    np.savez(path, x=SAMPLES, y=SAMPLES[:, :1])
    assert np.array_equal(read_samples(f"{path}:x"), SAMPLES)
    with pytest.raises(ValueError, match="it holds x, y; name one"):
        read_samples(path)
    np.savez(path, only=SAMPLES)
    assert np.array_equal(read_samples(path), SAMPLES)


def test_laws_with_arguments():
    assert law_of("four-blobs") == {"name": "four-blobs"}
    assert law_of("a:k=1,2.5,m=3") == {"name": "a", "k": [1, 2.5], "m": 3}
    for wrong, words in (("a:k=x", "must be numbers"), ("a:3", "arguments of a law read")):
        with pytest.raises(ValueError, match=words):
            law_of(wrong)
