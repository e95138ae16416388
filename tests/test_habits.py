"""What a release promises about itself agrees: version, changes, extras, systems, what continuous integration runs."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import mfgpde as mfg
from mfgpde.core.optional import LIBRARIES, explained
from mfgpde.core.version import __version__

ROOT = Path(__file__).parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
CORE_ROWS = {"the core", "torch, gpu"}


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_one_version_is_told_everywhere():
    assert mfg.__version__ == __version__
    assert re.search(r"^## (\S+)", text("CHANGELOG.md"), re.M)[1] == __version__
    assert re.search(r"^version: (\S+)", text("CITATION.cff"), re.M)[1] == __version__


def test_nothing_lies_at_the_top_that_belongs_to_no_one():
    """Arrays and models that some example wrote there are no part of a release."""
    named = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if named.returncode:
        pytest.skip("no checkout")
    loose = {Path(name).suffix for name in named.stdout.splitlines() if "/" not in name}
    assert loose <= {"", ".cff", ".lock", ".md", ".toml", ".txt"}


def test_the_table_of_extras_is_that_of_the_package():
    rows = re.findall(r"^\| ([\w, ]+) \| ([^|]*) \| ([^|]*) \|$", text("README.md").partition("| extra |")[2], re.M)
    told = {name: size.strip() for name, size, _ in rows if name not in CORE_ROWS}
    everything = set(EXTRAS["all"][0].removeprefix("mfgpde[").removesuffix("]").split(","))
    assert everything | {"all"} == {name for name in told if name in EXTRAS}
    sizes = [int(told[name].removeprefix("+ ")) for name in sorted(everything)]
    core = int(dict((a, b) for a, b, _ in rows)["the core"])
    assert core + sum(sizes) == pytest.approx(int(told["all"]), rel=0.02)


def test_what_is_optional_says_which_extra_or_command_brings_it():
    named = {re.split(r"[<>=;\[ ]", one)[0].lower() for lines in EXTRAS.values() for one in lines}
    for library, (use, how) in LIBRARIES.items():
        words = re.findall(r"pip install ([\w\- ]+)", how)[0].split()
        assert use
        assert {word.lower() for word in words} & (named | {"diffusers", "k-diffusion"}), library


def test_elements_on_macos_are_named_where_they_are_missed():
    words = str(explained(ModuleNotFoundError("", name="dolfinx")))
    for told in (words, text("README.md")):
        assert "macOS" in told
        assert "conda" in told
        assert "Linux x86-64" in told


def test_continuous_integration_runs_what_contributors_run():
    told, run, core = text(".github/workflows/check.yml"), text(".ci/run"), text(".ci/core")
    assert "bash .ci/run" in told
    assert "bash .ci/core" in told
    assert "macos-latest" in told
    assert "--cov=mfgpde" in run
    assert ".ci/core" in run
    assert "mfgpde --version" in core
    for step in ("ruff check", "ruff format --check", "pyright", "mfgpde validate", "make docs", "-m build"):
        assert step in run, step
    assert ".ci/run" in text("CONTRIBUTING.md")
    assert "mfgpde laws" in text("CONTRIBUTING.md")


def test_issue_templates_ask_for_what_can_be_run():
    wrong, missing = text(".github/ISSUE_TEMPLATE/wrong-verdict.yml"), text(".github/ISSUE_TEMPLATE/new-member.yml")
    assert "claim file" in wrong
    assert "certificate.json" in wrong
    assert "mfgpde --version" in wrong
    assert "mfgpde laws FILE.py:NAME" in missing
    assert wrong.count("required: true") == 3
    assert missing.count("required: true") == 2
