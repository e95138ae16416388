"""Files of arrays: whole ones come back as NumPy reads them; what claims more than it holds asks for no memory."""

import contextlib
import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mfgpde.core.stored import read_array, read_arrays

QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]}
ANY = arrays.arrays(
    st.sampled_from([np.dtype("f4"), np.dtype(">f8"), np.dtype("i2"), np.dtype("c16"), np.dtype("U3"), np.dtype(bool)]),
    arrays.array_shapes(min_dims=0, min_side=0, max_side=4),
)


@given(ANY, st.booleans())
@settings(max_examples=40, **QUIET)
def test_whole_files_come_back(tmp_path, array, by_columns):
    array = np.asfortranarray(array) if by_columns else array
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", a=array, b=array[..., None])
    found = [read_array(tmp_path / "a.npy"), *read_arrays(tmp_path / "a.npz").values()]
    for here, there in zip(found, [array, array, array[..., None]], strict=True):
        assert here.dtype == there.dtype
        assert here.shape == there.shape
        assert here.tobytes() == there.tobytes()


def _header(shape, kind="<f8"):
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


BAD = {
    "a trillion": _header((10**12,)) + bytes(80),
    "overflow": _header((2**40, 2**40)) + bytes(80),
    "negative": _header((-10,)) + bytes(80),
    "short": _header((10,)) + bytes(79),
    "long": _header((10,)) + bytes(81),
    "objects": _header((10,), "|O") + bytes(80),
    "no header": b"\x93NUMPY\x01\x00\xff\xff{",
    "nonsense": b"nonsense",
    "nothing": b"",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_no_array_is_one_sentence_and_no_memory(tmp_path, data):
    (tmp_path / "a.npy").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", data)
    tracemalloc.start()
    for read, name in ((read_array, "a.npy"), (read_arrays, "a.npz")):
        with pytest.raises(ValueError, match=f"{name} is no whole") as refused:
            read(tmp_path / name)
        assert "\n" not in str(refused.value)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path):
    megabytes = 100
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("w.npy", _header((megabytes * 125_000,)) + bytes(megabytes * 1_000_000))
    with pytest.raises(ValueError, match="would unpack to"):
        read_arrays(tmp_path / "bomb.npz")


@given(st.binary(max_size=40), st.integers(0, 400))
@settings(max_examples=60, **QUIET)
def test_damage_anywhere_is_a_sentence_or_the_array(tmp_path, noise, place):
    whole = io.BytesIO()
    np.savez_compressed(whole, a=np.arange(20.0))
    data = bytearray(whole.getvalue())
    data[place : place + len(noise)] = noise
    (tmp_path / "a.npz").write_bytes(data)
    with contextlib.suppress(ValueError):  # and nothing else
        read_arrays(tmp_path / "a.npz")
