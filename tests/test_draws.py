"""What Hypothesis draws depends on the test alone: not on the modules that other tests have loaded into the same worker."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers

from mfgpde.core.modules import load_module

TELLING = [1234.5 + k for k in range(300)]


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """Return a module that says 300 numbers, loaded as any of ours."""
    path = tmp_path / "says_numbers.py"
    path.write_text(f"NUMBERS = {TELLING}\n")
    module = load_module(path)
    monkeypatch.setitem(sys.modules, "says_numbers", module)
    return module


def draws():
    """Return what a property test of a thousand examples is given."""
    seen = []

    @settings(max_examples=1000, database=None)
    @given(st.floats(0.0, 1e5), st.lists(st.floats(1000.0, 2000.0), max_size=3))
    def a_property(x, more):
        seen.extend((x, *more))

    a_property()
    return seen


@pytest.mark.slow
def test_they_are_the_same_whatever_is_loaded(monkeypatch, request):
    before = draws()
    module = request.getfixturevalue("loaded")
    assert draws() == before
    assert not set(before) & set(TELLING)
    # the control: given the numbers of that module, as Hypothesis would collect them, it draws some of them
    providers.CONSTANTS_CACHE.cache.clear()
    with monkeypatch.context() as patched:
        patched.setattr(providers, "_get_local_constants", lambda: providers.constants_from_module(module))
        assert set(draws()) & set(TELLING)
    providers.CONSTANTS_CACHE.cache.clear()
    assert draws() == before
