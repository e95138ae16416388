"""A stricter world than the user's: floating-point trouble raises, warnings are errors."""

import fcntl
import functools
import gc
import importlib
import json
import os
import shutil
import subprocess
import warnings
from contextlib import suppress
from pathlib import Path

# Before what reads it is loaded, and for workers and all processes of tests; what is set outside stays.
# Workers share the cores already: threads of BLAS would wait for each other, and loops on several threads are compiled
# apart, which takes longer than all that runs in them: `make test-all` has them.
# All of them, as runs of claims set them: their warm processes then serve each other.
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
# What JAX compiled for one worker serves the other, and the next run.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
# A hundred processes read what one compiled, also where the shell asks Python to write no bytecode.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Where no bytecode is kept yet, workers would each compile the same libraries at the same time: every other worker begins
# with those that the first comes to last.
if os.environ.get("PYTEST_XDIST_WORKER", "")[-1:] in set("13579"):
    for library in ("jax", "optax", "equinox", "sklearn.datasets", "matplotlib.pyplot"):
        with suppress(ImportError):
            importlib.import_module(library)

import numpy as np
import pytest
import typer.testing
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import Dispatcher

import mfgpde
from mfgpde.core.optional import MissingLibrary

# compiling is most of what JAX does here: plain code is right, too, and a quarter of the time is saved
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")

# what a busy machine takes for an example says nothing about the code
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("steady")

# nor does what else a worker has loaded: of the local modules that it finds there Hypothesis draws constants, so that one
# test would see other examples beside other tests; a Hypothesis that calls this otherwise ends here or in test_draws.py
assert callable(providers._get_local_constants)
providers._get_local_constants = providers.Constants


compile_plainly, compiling = Dispatcher.compile, set()


def compile_once(loop, signature):
    """Compile a loop, or read what another worker compiled meanwhile: most would take each of them a second."""
    name = f"{loop.py_func.__module__}.{loop.py_func.__qualname__}"
    with global_compiler_lock:  # of threads; loops do not call each other in circles, so that of processes comes second
        if name in compiling or not hasattr(loop._cache, "_name"):  # the latter is not kept on disk
            return compile_plainly(loop, signature)
        place = Path(__file__).parents[1] / ".pytest_cache" / "loops" / f"{name}.lock"
        place.parent.mkdir(parents=True, exist_ok=True)
        compiling.add(name)
        try:
            with place.open("w") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX)
                return compile_plainly(loop, signature)
        finally:
            compiling.remove(name)


Dispatcher.compile = compile_once


# a command's parameters are read off its functions at each call: three hundred calls in one process read the same ones
typer.testing._get_command = functools.cache(typer.testing._get_command)


# modules and collected tests are half a million objects, none of them garbage: to look through them is a tenth of the time
gc.disable()


def pytest_collection_finish():
    """Look for garbage among what comes from here on, and seldom."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Skip, with its words, a test that needs a library that is not here: the core's tests run without any."""
    try:
        return (yield)
    except MissingLibrary as problem:
        pytest.skip(str(problem))


@pytest.fixture(autouse=True)
def strict_floats():
    with np.errstate(divide="raise", over="raise", invalid="raise", under="ignore"):
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(20261120)


@pytest.fixture
def torch():
    """Return PyTorch; skip where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch deprecates parts of itself on import
        return pytest.importorskip("torch", reason="PyTorch is optional: pip install torch")


@pytest.fixture
def browse(tmp_path):
    """Return a function from a page and options of Chromium to the page as the browser leaves it, and its console."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")

    def visit(page, *options):
        if browser is None:
            pytest.skip("no Chromium: apt-get install chromium")
        place = tmp_path / "page.html"
        place.write_text(page, encoding="utf-8")
        command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
        command += ["--proxy-server=127.0.0.1:9", f"--user-data-dir={tmp_path / 'profile'}"]
        command += ["--virtual-time-budget=20000", *options, "--dump-dom", place.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return visit


KINDS = {"object": dict, "array": list, "string": str, "integer": int, "number": int | float, "null": type(None)}


def misfits(value, schema, whole, where="certificate"):
    """Yield what does not fit a schema, for the words that ours uses: it is read here by its text alone."""
    assert set(schema) <= {
        "$schema", "$defs", "$ref", "title", "description", "type", "required", "properties", "additionalProperties",
        "items", "anyOf", "const", "enum",
    }  # fmt: skip
    schema = whole["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(isinstance(value, KINDS[kind]) and not isinstance(value, bool) for kind in kinds):
        yield f"{where}: {value!r} is no {kinds}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{where}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    if "anyOf" in schema and all(list(misfits(value, one, whole)) for one in schema["anyOf"]):
        yield f"{where}: {value!r} fits nothing"
    if isinstance(value, dict):
        yield from (f"{where}: lacks {name}" for name in schema.get("required", ()) if name not in value)
        others = schema.get("additionalProperties", {})
        for name, one in value.items():
            known = schema.get("properties", {}).get(name, others)
            if known is False:
                yield f"{where}: {name} is not described"
            else:
                yield from misfits(one, known, whole, f"{where}.{name}")
    for k, one in enumerate(value if isinstance(value, list) else ()):
        yield from misfits(one, schema.get("items", {}), whole, f"{where}[{k}]")


@pytest.fixture(scope="session")
def flaws():
    """Return a function from a certificate to what in it does not fit its schema."""
    path = Path(mfgpde.__file__).with_name("report") / "certificate.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    return lambda found: list(misfits(found, schema, schema))
