"""Gates for a score: requirements with error bars, an earlier certificate, exit codes."""

import json

import pytest
from typer.testing import CliRunner

from mfgpde.app import gates
from mfgpde.app.requirements import Certificate, Requirement
from mfgpde.app.terminal import Terminal

FOUND = {
    "about": {},
    "distances": {
        "ode–data": {"W2": {"value": 0.1, "error": 0.01, "method": "back and forth", "lower": 0.09, "upper": 0.11}},
        "ode–sde": {
            "KL(ode‖sde)": {"value": 0.02, "error": 0.001, "method": "grid"},
            "L1": {"value": 0.3, "error": None, "method": "grid"},
        },
    },
    "leak": {"sde": 1e-9, "ode": 2e-4},
    "residuals": [{"t": 1.0, "score residual": 5.0}, {"t": 0.001, "score residual": 0.5}],
}


def code(*required, earlier=None, failed=False, found=FOUND):
    read = [Requirement.read(text) for text in required]
    return gates.code(Certificate(found), read, earlier and Certificate(earlier), Terminal(), failed=failed)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("W2(ode,data) <= 0.12", 0),
        ("w2(ode, data) ≤ 0.1", 2),
        ("W2(ode,data)<=0.08", 1),
        ("W2(ode,data) >= 0.05", 0),
        ("KL(ode‖sde) <= 0.05", 0),
        ("L1(ode,sde) <= 1e3", 2),
        ("leak <= 1e-3", 0),
        ("leak <= 1e-4", 1),
        ("leak(sde) <= 1e-4", 0),
        ("score residual at stop <= 0.4", 1),
    ],
)
def test_requirements_are_judged_with_their_bars(text, expected):
    assert code(text) == expected


def test_certificates_side_by_side_are_all_judged(tmp_path, monkeypatch):
    """The worst of them decides: one that is refuted, one that has failed."""
    from mfgpde.app import certificates
    from mfgpde.app.cli import app

    good, bad = FOUND | {"failures": []}, FOUND | {"failures": [], "leak": {"sde": 1e-9, "ode": 5e-2}}
    failed = FOUND | {"failures": ["the laws are not resolved"]}
    monkeypatch.setattr("mfgpde.report.table.comparison_table", lambda found: "")

    def compared(*found):
        named = [(str(k), one) for k, one in enumerate(found)]
        monkeypatch.setattr(certificates, "side_by_side", lambda places, out: (out, named))
        words = ["compare", "a", "b", "--out", str(tmp_path / "page.html"), "--require", "leak <= 1e-3"]
        return CliRunner().invoke(app, words).exit_code

    assert compared(good, good) == 0
    assert compared(good, bad) == 1
    assert compared(failed, good) == 2
    assert compared(failed, bad) == 1


def test_the_code_is_explained(capsys):
    """One sentence on standard error for every code that is not 0."""
    assert code("leak <= 1e-3") == 0
    assert capsys.readouterr().err == ""
    assert code("leak <= 1e-4", "L1(ode,sde) <= 1e3") == 1
    assert capsys.readouterr().err.startswith("exit code 1: refuted: leak")
    assert code("L1(ode,sde) <= 1e3", failed=True) == 2
    assert capsys.readouterr().err.startswith("exit code 2: the certificate does not stand; undecided: L1")


def test_the_worst_decides():
    assert code("leak <= 1e-3", "L1(ode,sde) <= 1", "W2(ode,data) <= 0.01") == 1
    assert code("leak <= 1e-3", failed=True) == 2


@pytest.mark.parametrize("text", ["W2 < 3", "leak", "leak <= much", "<= 3", "leak <= nan", "leak <= 1 <= 2"])
def test_what_is_no_requirement_is_a_sentence(text):
    with pytest.raises(ValueError, match="a requirement reads"):
        Requirement.read(text)


def test_unknown_numbers_name_the_nearest():
    with pytest.raises(ValueError, match=r"no 'W2\(ode,dat\)'; did you mean 'W2\(ode,data\)'"):
        code("W2(ode,dat) <= 1")


def test_an_earlier_certificate_is_compared(capsys):
    assert code(earlier=FOUND) == 0
    other = json.loads(json.dumps(FOUND))
    other["distances"]["ode–data"]["W2"] |= {"lower": 0.05, "upper": 0.06}
    del other["leak"]
    assert code(earlier=other) == 3
    said = capsys.readouterr().out
    assert "W2(ode,data)  moved from" in said
    assert "leak  is new" in said
    assert code("leak <= 1e-4", earlier=other) == 1


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"about": {}, "distances": 3}'])
def test_what_is_no_certificate_is_refused(tmp_path, text):
    path = tmp_path / "certificate.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="is no certificate"):
        Certificate.load(path)
