"""A stricter world than the user's: floating-point trouble raises, warnings are errors."""

import shutil
import subprocess
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from mfgpde.core.optional import MissingLibrary

# what a busy machine takes for an example says nothing about the code
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("steady")


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
