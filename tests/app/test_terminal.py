"""What the terminal is given is shown, not obeyed."""

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.table import Table
from typer.testing import CliRunner

from mfgpde.app.cli import app
from mfgpde.app.terminal import Terminal
from mfgpde.core import progress
from mfgpde.core.printable import SPELLED, forgive, printable
from mfgpde.core.progress import meter
from mfgpde.report import table

STRANGE = "a [/x] [red]b :smile: \x1b]0;owned\x07\x1b[2J"


@pytest.mark.slow
@given(st.text())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_text_commands_a_terminal(text):
    shown = printable(text)
    assert all(c in "\t\n" or (ord(c) >= 32 and not 127 <= ord(c) < 160) for c in shown)
    assert printable(shown) == shown
    shown.encode()  # halves of characters cannot be written


def test_strings_are_text_in_lines_tables_and_titles():
    console = Terminal()
    console.file = io.StringIO()
    shown = Table("column " + STRANGE, title=STRANGE)
    shown.add_row(STRANGE)
    console.print(shown)
    console.print(STRANGE)
    console.remark(STRANGE)
    said = console.file.getvalue()
    assert "\x1b" not in said
    assert "\x07" not in said
    assert said.count("[/x]") == 5
    assert said.count(":smile:") == 5


def test_a_verdict_with_brackets_is_printed():
    claim = {"id": "p/[/x]", "outcome": "holds", "controls": [], "findings": [], "reason": STRANGE, "margin": 1.0}
    console = Terminal()
    console.file = io.StringIO()
    run = {"level": "quick", "seed": 0, "claims": [{**claim, "detects": {}, "seconds": 1.0}]}
    console.print(table.verdict_table(run))
    assert "p/[/x]" in console.file.getvalue()
    assert "\x1b" not in console.file.getvalue()


def test_the_meter_takes_any_text(capsys):
    with meter("[/x]", show=True) as bar:
        bar(0.5, STRANGE)
    assert "\x1b]0;" not in capsys.readouterr().err


def test_a_log_has_a_line_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0.0)
    with meter("solve", show=True) as bar:
        bar(0.25, "mass − 1 = 0")
        monkeypatch.setattr(progress, "EVERY", 30.0)
        bar(0.5, "too soon")
    with meter("silent", show=False) as bar:
        bar(0.5, "")
    assert capsys.readouterr().err == "solve: 25% after 0 s, mass − 1 = 0\n"


@given(st.text())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_stream_of_few_characters_loses_nothing_else(text):
    text = printable(text)
    file = io.BytesIO()
    stream = io.TextIOWrapper(file, encoding="ascii", newline="")
    forgive(stream, object())
    stream.write(text)
    stream.flush()
    written = file.getvalue().decode("ascii")
    kept = iter(written)
    assert all(c in kept for c in text if ord(c) < 128), "plain characters stay, in their order"


def test_signs_of_verdicts_are_spelled():
    words = "✓ holds: W₂ ≤ 0.1 ± 1e−3, δ ∂_t 𝔼"
    assert words.encode("ascii", SPELLED) == b"+ holds: W2 <= 0.1 +- 1e-3, delta d_t E"


@pytest.mark.parametrize("key", ["w\x1b[31m", "w[/x]"])
def test_names_in_files_are_shown_in_complaints(tmp_path, key):
    np.savez(tmp_path / "score.npz", **{key: np.zeros(2)})
    result = CliRunner().invoke(app, ["check", str(tmp_path / "score.npz"), "--out", str(tmp_path / "out[/red]")])
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert printable(key) in result.output
