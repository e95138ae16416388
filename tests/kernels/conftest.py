"""The device's kernels on the host, the same CUDA C++ behind a shim over blocks and threads; and a stand-in device.

The stand-in's arrays refuse to mix with NumPy's. `Remote` does what CuPy's arrays do: operators and NumPy functions among
themselves and numbers, never with NumPy arrays, and no silent way back. Launches and copies are counted: what marches with
these arrays marches on a device, and how fast is bounded by what is counted.
"""

import ctypes
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import weakref
from collections import Counter
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.fft
from numpy.lib.mixins import NDArrayOperatorsMixin

from mfgpde.core import arrays
from mfgpde.kernels import replay, stencils, tables
from mfgpde.kernels.device import DeviceStencils
from mfgpde.kernels.launch import signatures, source
from mfgpde.kernels.tables import Transforms

FLAGS = ["-std=c++17", "-Og", "-shared", "-fPIC", "-Wall", "-Werror", "-Wno-unused-function", "-Wno-unknown-pragmas"]
FLAGS += ["-U_FORTIFY_SOURCE"]  # it takes a jump to another stack for a mistake
TRAPS = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", "-ffp-contract=off"]


@cache
def library(kernels, real, backwards):
    """Return a source compiled for the host, with a function to launch each kernel."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    launchers = []
    for name, kinds in signatures().items():
        parameters = ", ".join(f"{kind} a{k}" for k, kind in enumerate(kinds))
        given = ", ".join(f"a{k}" for k in range(len(kinds)))
        start = re.search(rf"(?:void|STAGE) {name}\(", kernels).start()
        barriers = str("BARRIER" in kernels[start : kernels.index("\n}\n", start)]).lower()
        launchers.append(
            f'extern "C" void launch_{name}(const int* grid, const int* block, {parameters}) '
            f"{{ shim_launch(grid, block, {barriers}, {str(backwards).lower()}, [=] {{ {name}({given}); }}); }}"
        )
    shim = Path(__file__).with_name("host_shim.h")
    text = f'#define REAL {real}\n#include "{shim}"\n{kernels}\n' + "\n".join(launchers)
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))  # workers of one run share what is compiled
    place = Path(tempfile.gettempdir()) / f"mfgpde-kernels-{run}"
    place.mkdir(exist_ok=True)
    out = place / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.so"
    with out.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not out.exists():
            part = out.with_suffix(".part")
            subprocess.run([compiler, *FLAGS, *TRAPS, "-x", "c++", "-", "-o", part], input=text, text=True, check=True)
            part.rename(out)
    return ctypes.CDLL(str(out))


def stencils_on_host(backwards=False, kernels=None):
    """Return the device's stencils for NumPy arrays."""

    def runner(name, real):
        function = getattr(library(kernels or source(), real, backwards), f"launch_{name}")

        def launch(grid, block, arguments):
            c_real = ctypes.c_double if real == "double" else ctypes.c_float
            types = {"real": c_real, "int": ctypes.c_int, "wide": ctypes.c_longlong}
            passed = [
                ctypes.c_void_p(a.ctypes.data) if kind.endswith("*") else types[kind](a.item())
                for a, kind in zip(arguments, signatures()[name], strict=True)
            ]
            sizes = ((ctypes.c_int * 3)(*a, *[1] * (3 - len(a))) for a in (grid, block))
            function(*sizes, *passed)

        return launch

    return DeviceStencils(runner)


@pytest.fixture(scope="session")
def on_host():
    """Return the function above."""
    return stencils_on_host


def jump_rates(shape, periodic, rng):
    """Return up and down of each axis, one after the other, with walls or periodic ends."""
    found = []
    for axis, n in enumerate(shape):
        for _ in range(2):
            a = rng.random(tuple(k + (i == axis) for i, k in enumerate(shape)))
            ends = np.moveaxis(a, axis, 0)
            ends[n] = ends[0] = ends[0] if periodic else 0.0
            found.append(a)
    return found


@pytest.fixture(scope="session")
def rates():
    """Return the function above."""
    return jump_rates


COUNTED = Counter()
"""launches, copies each way, and their bytes: what NumPy's functions do on a device in several launches counts as one"""


def counted(way, inner):
    COUNTED[way] += 1
    COUNTED[f"bytes {way}"] += inner.nbytes
    return inner


ALIVE = weakref.WeakSet()
"""all arrays there"""


class Remote(NDArrayOperatorsMixin):
    """An array out of NumPy's reach."""

    def __init__(self, inner):
        self.inner = inner
        ALIVE.add(self)

    __hash__ = object.__hash__

    @property
    def dtype(self):
        """The type of its entries; found by looking at the class, as CuPy's is."""
        return self.inner.dtype

    def __array__(self, *_, **__):
        raise TypeError("implicit conversion to a NumPy array")

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        COUNTED["launches"] += 1
        if out is not None:
            options["out"] = tuple(bare(a) for a in out)
        result = getattr(ufunc, method)(*(bare(a) for a in inputs), **options)
        return out[0] if out is not None else Remote(np.asarray(result))

    def __array_function__(self, function, types, given, options):
        if function is np.asarray:  # with like=: from the host to the device
            return Remote(counted("sent", np.array(given[0])))
        COUNTED["launches"] += function not in (np.empty_like, np.moveaxis)
        result = function(*map(bare_in, given), **{k: bare_in(a) for k, a in options.items()})
        return tuple(map(Remote, result)) if isinstance(result, tuple | list) else Remote(np.asarray(result))

    def __dlpack__(self, **options):
        return self.inner.__dlpack__()

    def __dlpack_device__(self):
        return self.inner.__dlpack_device__()

    def __float__(self):
        return float(counted("fetched", self.inner))

    def __bool__(self):
        return bool(counted("fetched", self.inner))

    def __len__(self):
        return len(self.inner)

    def __iter__(self):
        return map(Remote, self.inner)

    def __getitem__(self, key):
        return Remote(self.inner[sent_key(key)])

    def __setitem__(self, key, value):
        COUNTED["launches"] += 1
        self.inner[sent_key(key)] = bare(value)

    def __getattr__(self, name):
        found = getattr(self.inner, name)
        if isinstance(found, np.ndarray):
            return Remote(found)
        if not callable(found):
            return found
        COUNTED["launches"] += name not in VIEWS
        return lambda *given, **options: Remote(np.asarray(found(*given, **options)))

    def get(self):
        """Return a copy on the host."""
        return counted("fetched", self.inner.copy())


def sent_key(key):
    """Return what an index is on the host; a list of places is sent to the device, which a recording cannot be."""
    parts = key if isinstance(key, tuple) else (key,)
    COUNTED["sent"] += sum(isinstance(part, list | np.ndarray) for part in parts)
    found = tuple(part.inner if isinstance(part, Remote) else part for part in parts)
    return found if isinstance(key, tuple) else found[0]


VIEWS = ("reshape", "ravel", "view", "transpose")


def bare(a):
    if isinstance(a, np.ndarray):
        raise TypeError("a NumPy array met one of a device")
    return a.inner if isinstance(a, Remote) else a


def bare_in(a):
    return type(a)(map(bare_in, a)) if isinstance(a, tuple | list) else bare(a)


class Fast:
    """Transforms there: SciPy's, for arrays of the device alone."""

    def __getattr__(self, name):
        def transform(a, *given, **options):
            assert isinstance(a, Remote)
            return Remote(getattr(scipy.fft, name)(a.inner, *given, **options))

        return transform


def recorded(work, given, kept):
    """Return work that computes into the arrays of its first run, as a recorded graph does; one launch is counted.

    Memory that the work writes in place is as it was before: to record is not to compute.
    """
    own, before = tuple(a.copy() for a in given), Counter(COUNTED)
    saved = [(a, a.inner.copy()) for a in list(ALIVE) if a.inner.flags.writeable]
    found = work(*own)
    for a, values in saved:
        a.inner[...] = values
    if any(COUNTED[way] != before[way] for way in ("fetched", "sent")):
        raise RuntimeError("what is recorded can neither ask for a number nor send arrays")

    def launch():
        before = Counter(COUNTED)
        for mine, new in zip(found, work(*own), strict=True):
            if mine is not new:
                mine.inner[...] = new.inner
        COUNTED.clear()
        COUNTED.update(before, launches=1)

    COUNTED.clear()
    COUNTED.update(before)
    return replay.Recording(SimpleNamespace(launch=launch), own, found, kept)


def stand_in(monkeypatch, host, ran):
    """Make the fake device the one that backends find; the names of kernels go to `ran`."""

    def runner(name, real):
        launch = host.runner(name, real)

        def local(grid, block, arguments):
            ran.append(name)
            COUNTED["launches"] += 1
            assert not any(isinstance(a, np.ndarray) and a.ndim for a in arguments), "kernels take the device's arrays"
            launch(grid, block, tuple(a.inner if isinstance(a, Remote) else a for a in arguments))

        return local

    runtime = SimpleNamespace(memGetInfo=lambda: (2**28, 2**30))
    fake = SimpleNamespace(
        asarray=lambda a: a if isinstance(a, Remote) else Remote(counted("sent", np.array(a))),
        from_dlpack=lambda a: Remote(np.from_dlpack(a)),
        bincount=lambda x, weights, n: Remote(np.bincount(x.inner, weights.inner, n)),
        cuda=SimpleNamespace(runtime=runtime),
    )
    monkeypatch.setattr(arrays, "device_namespace", lambda: fake)
    ours = DeviceStencils(runner)
    monkeypatch.setattr(stencils, "on_device", lambda: ours)
    monkeypatch.setattr(replay, "record", recorded)
    there = Transforms(Fast(), fake.asarray)
    monkeypatch.setattr(tables, "there", lambda: there)


@pytest.fixture
def counts():
    """Return what was counted, from nothing on."""
    COUNTED.clear()
    return COUNTED


@pytest.fixture
def fake(monkeypatch, on_host):
    """Put the stand-in in the device's place."""
    stand_in(monkeypatch, on_host(), [])


@pytest.fixture(params=["stand-in", pytest.param("GPU", marks=pytest.mark.gpu)])
def device(request, monkeypatch, on_host):
    """Return the names of the kernels that ran, on the stand-in and on a GPU."""
    ran = []
    if request.param == "stand-in":
        stand_in(monkeypatch, on_host(), ran)
        return ran
    try:
        arrays.device_namespace()
    except RuntimeError as problem:
        pytest.skip(str(problem))
    real = stencils.on_device().runner

    def noted(name, kind):
        ran.append(name)
        return real(name, kind)

    ours = DeviceStencils(noted)
    monkeypatch.setattr(stencils, "on_device", lambda: ours)
    return ran
