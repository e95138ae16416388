"""A certificate's paragraph, its shares and its schema: numbers known beforehand must be said, and nothing else."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import mfgpde as mfg
from mfgpde.app import certificates
from mfgpde.app.cli import app
from mfgpde.diagnostics.data import Named, Sampled
from mfgpde.diagnostics.scales import spread, stopped_early
from mfgpde.report import certificate_plots, cited, comparison, shares, table
from mfgpde.report.advice import advised
from mfgpde.report.judgement import judged

SCHEMA = json.loads((Path(shares.__file__).with_name("certificate.schema.json")).read_text(encoding="utf-8"))


def entry(value, error, **more):
    return {"value": value, "error": error, "method": "by hand", **more}


def certificate(sde=(0.02, 0.004), ode=(0.5, 0.01), after=(0.48, 0.01), **more):
    """Return a certificate of spread 2, so that W2 = 0.02 is 1 %."""
    row = {"score": 3.0, "time derivative": 4.0, "score residual": 1.0, "rotation": 0.0}
    return {
        "format": 1,
        "about": {"score": "a/net.npz", "process": "Cosine()", "data": "bimodal", "samples": None, "read as": "a score"}
        | {"options": {}, "digests": {}, "command": "mfgpde check a/net.npz"},
        "stop": 0.01,
        "spread": {"value": 2.0, "of": "data"},
        "grid": {"lower": [-5.0], "upper": [5.0], "cells": [128]},
        "distances": {
            "sde–data": {"W2": entry(*sde, parts={"cells": sde[1]})},
            "ode–data": {"W2": entry(*ode, parts={"cells": ode[1]})},
            "ode–sde": {"W2": entry(0.4, 0.01)},
        },
        "prior": {"p_T–prior": {"W2": entry(0.002, 0.0)}, "ode from p_T–data": {"W2": entry(*after)}},
        "stopping": {"p_stop–data": {"W2": entry(0.01, 0.005, lower=0.005, upper=0.015)}},
        "residuals": [{"t": t, **row} for t in (1.0, 0.5)] + [{"t": 0.01, **row, "score residual": 2.0}],
        "leak": {"sde": 0.0, "ode": 2e-5},
        "cost": {"seconds": 1.0, "seconds in the score": 0.5, "score evaluations": 10},
        "provenance": {"versions": {"mfgpde": "0"}, "python": "3", "machine": "", "commit": "none"},
        "warnings": [],
        "failures": [],
        "judgement": [],
        **more,
    }  # fmt: skip


def test_every_number_is_said_beside_its_scale():
    text = judged(certificate()).text
    assert text.startswith("net.npz is a score in 1 dimension under Cosine, judged by the data bimodal.")
    assert "SDE are very close or close: W₂ to the data is 0.8 to 1.2 % of the data's spread" in text
    assert "ODE are far, 24 to 26 %" in text  # 0.49/2 and 0.51/2, two digits
    assert "the prior is 0.1 % off" in text
    assert "stopping at t = 0.01 leaves noise of 0.25 to 0.75 %" in text
    assert "does not solve its own equation" in text
    assert "50 % at the end, and largest at t = 0.01" in text
    # ∫|ε|² over [0.5, 1] is 0.5, over [0.01, 0.5] it is 0.49·2.5; ∫|∂_t s|² is 0.99·16
    assert f"{100 * ((0.5 + 0.49 * 2.5) / (0.99 * 16)) ** 0.5:.2g} % of |∂_t s| over all times" in text
    assert "No more than 0.1 % of the mass leaves the box." in text


@pytest.mark.parametrize(
    ("changed", "advice"),
    [
        ({}, "sampling by the SDE while the score is this one"),
        ({"sde": (0.5, 0.01), "ode": (0.5, 0.01)}, "training the score, most of all near t = 0.01"),
        ({"sde": (0.6, 0.01), "ode": (0.4, 0.01), "after": (0.01, 0.001)}, "a longer horizon or a larger last noise"),
        ({"sde": (0.5, 0.6), "ode": (0.6, 0.6)}, "more --cells"),
        ({"sde": (0.02, 0.001), "ode": (0.02, 0.001), "after": (0.02, 0.001)}, "training the score"),
        ({"sde": (0.01, 0.001), "ode": (0.01, 0.001)}, "nothing that this certificate sees"),
        ({"leak": {"sde": 0.2, "ode": 0.0}}, "a wider --half-width"),
        (
            {"stopping": {"p_stop–data": {"W2": entry(0.9, 0.1, lower=0.8, upper=1.0)}}},
            "a smaller --stop, whose noise (40 to 50 %)",
        ),
        (
            {"prior": {"p_T–prior": {"W2": entry(0.9, 0.1)}, "ode from p_T–data": {"W2": entry(0.5, 0.01)}}},
            "a longer horizon",
        ),
    ],
)
def test_what_would_help_most_is_what_weighs_most(changed, advice):
    lengths = {key: changed[key] for key in ("sde", "ode", "after") if key in changed}
    if "sde" in lengths and "after" not in lengths:
        lengths["after"] = lengths["ode"]
    others = {key: value for key, value in changed.items() if key not in lengths}
    assert f"What would help most: {advice}" in judged(certificate(**lengths, **others)).text


def test_a_score_that_solves_its_own_equation_is_not_sent_to_where_its_residual_is_largest():
    """The exact score of data with other weights: its residual is rounding at all times."""
    row = {"score": 3.0, "time derivative": 4.0, "rotation": 0.0}
    small = [{"t": t, **row, "score residual": residual} for t, residual in ((1.0, 1e-9), (0.5, 4e-4), (0.01, 1e-4))]
    alike = {"sde": (0.5, 0.01), "ode": (0.5, 0.01), "after": (0.5, 0.01)}
    text = judged(certificate(**alike, residuals=small)).text
    assert "What would help most: training the score: it solves its own equation, as that of other data" in text
    assert "where its residual is largest" not in text


@pytest.mark.parametrize(
    ("parts", "method", "advice"),
    [
        ({"samples": 1.5, "cells": 0.1}, "by hand", "more data, whose number decides the bar"),
        (
            {"bracket": 1.5, "cells": 0.1},
            "a certified bracket",
            "more --cells: the distance is smaller than its bracket",
        ),
        (
            {"grid and time steps": 1.5},
            "certified bracket",
            "more --cells: the distance is smaller than its bar, most of",
        ),
        (
            {"grid and time steps": 1.5},
            "bracket; folds put right by an estimate",
            "points carried by its flow",
        ),
        ({"outside the box": 1.5}, "certified bracket", "a wider --half-width"),
    ],
)
@pytest.mark.parametrize("wide", ["ode", "sde"])
def test_a_law_that_is_close_does_not_hide_the_bar_of_the_other(wide, parts, method, advice):
    """One law is within 0.6 % of the data, the other's bar is most of their spread: what would narrow it is said."""
    close, other = (0.01, 0.001), (0.1, 1.6)
    found = certificate(**{"sde": close, "ode": close, wide: other}, after=close)
    found["distances"][f"{wide}–data"]["W2"] |= {"parts": parts, "method": method}
    names = ("ODE", "SDE") if wide == "sde" else ("SDE", "ODE")
    assert f"What would help most: nothing for the {names[0]}; for the {names[1]} {advice}" in judged(found).text


def test_a_part_of_a_bar_that_is_not_known_is_named():
    unresolved = certificate(sde=(0.5, 0.6), ode=(0.6, 0.6))
    unresolved["distances"]["sde–data"]["W2"]["parts"] = {"another part": 0.6}
    assert "most of it from another part" in judged(unresolved).text


def test_a_failed_certificate_says_so_first():
    text = judged(certificate(failures=["gone"])).text
    assert "does not stand" in text.split("W₂")[0]


def test_what_a_flow_that_folds_leaves_open_is_said_to_decide_nothing():
    """W₂ ODE – SDE in [0, 0.48] of a spread of 2: from very close to far; the cure is what the two grids say it is."""
    open_ended = {"value": 0.15, "error": 0.33, "method": "by hand", "lower": 0.0, "upper": 0.48}
    found = certificate(folded=0.038, **{"folded on half the grid": 0.027})
    found["distances"]["ode–sde"]["W2"] = open_ended
    text = judged(found).text
    assert "Its flow folds 3.8 % of the mass within cells (2.7 % on half as many a side)" in text
    assert "W₂ ODE – SDE (at most 24 %: anything from very close to far (undecided)) decides nothing" in text
    assert "More --cells would hardly cure it; points carried by the flow do not fold" in text
    assert "More --cells would cure it" in judged({**found, "folded": 0.015}).text
    assert "folds" not in judged({**found, "folded": 0.002}).text
    found["distances"]["ode–sde"]["W2"] = entry(0.3, 0.01)
    assert "folds" not in judged(found).text


def test_numbers_of_a_certificate_that_does_not_stand_are_marked_wherever_they_are_shown():
    good, fallen = certificate(), certificate(failures=["all of the mass has left"])
    words = lambda figure: [text.get_text() for panel in figure.axes for text in panel.texts]  # noqa: E731
    assert words(certificate_plots.figure(good)) == []
    assert words(certificate_plots.figure(fallen)) == ["does not stand"] * 2
    assert "does not stand" in str(table.comparison_table([("a", fallen)]).columns[0]._cells)
    pages = [comparison.render([("a", one), ("b", good)]) for one in (good, fallen)]
    assert [page.count("a (does not stand)") > 0 for page in pages] == [False, True]


@pytest.mark.parametrize("whole", [True, False], ids=["on a grid", "by sampling"])
def test_a_panel_on_which_nothing_can_be_drawn_says_so(whole):
    """Of a score that is zero no logarithm is drawn; a legend of nothing would be a warning, which is an error here."""
    nothing = 0.0 if whole else {"value": 0.0, "error": 0.0}
    found = certificate(residuals=[{"t": 0.5} | dict.fromkeys(certificate_plots.RESIDUALS, nothing)])
    found |= {"bound": {"times": [0.5], "score gap": [1.0], "Lipschitz constant": [1.0]}}
    if not whole:
        del found["grid"]
    panel = certificate_plots.panels(found, {})[1][0].axes[0]
    assert [text.get_text()[:10] for text in panel.texts] == ["none above"]


def test_a_score_that_solves_its_equation_is_said_to():
    rows = [{"t": t, "score": 1.0, "time derivative": 1.0, "score residual": 1e-3, "rotation": 0.0} for t in (1.0, 0.1)]
    assert (
        "The score solves its own equation: the residual is 0.1 % of |∂_t s|"
        in judged(certificate(residuals=rows)).text
    )


def test_a_score_that_stands_still_has_no_share_of_its_motion():
    rows = [{"t": t, "score": 1.0, "time derivative": 0.0, "score residual": 0.25, "rotation": 0.0} for t in (1.0, 0.1)]
    text = judged(certificate(sde=(0.5, 0.01), residuals=rows)).text
    assert "The score does not move in time; what its equation asks of it is 0.25 (rms) at the end." in text


def test_the_schema_describes_a_certificate_and_nothing_else(flaws):
    result = certificate()
    assert flaws(result) == []
    assert SCHEMA["properties"]["format"]["const"] == certificates.FORMAT
    for changed in ({"format": 2}, {"stray": 1}, {"spread": {"value": 1.0, "of": "nothing"}}, {"stop": "0.1"}):
        assert flaws({**result, **changed}), changed
    broken = {**result, "distances": {"sde–data": {"W2": {"value": 1.0}}}}
    assert len(flaws(broken)) == 2, "an error and a method are missing"


def test_the_spread_and_the_stop_of_gaussians():
    process, law = mfg.OrnsteinUhlenbeck(horizon=2.0), mfg.gaussian([1.0, 0.0], [[4.0, 0.0], [0.0, 1.0]])
    data = Named.stopped(process, law, 0.3)
    assert spread(data, np.zeros((3, 2)))["value"] == pytest.approx(np.sqrt(5.0))
    found = stopped_early(process, data, 0.3, 2)
    decay = np.exp(-0.3)
    noise = 0.5 * (
        1 - decay**2
    )  # of dX = −X dt + dW; variances of X_t by hand, W₂ of diagonal Gaussians in closed form
    exact = np.sqrt((1 - decay) ** 2 + sum((np.sqrt(decay**2 * v + noise) - np.sqrt(v)) ** 2 for v in (4.0, 1.0)))
    assert found.lower == pytest.approx(exact)
    coupled = np.sqrt((1 - decay) ** 2 * (1.0 + 5.0) + 2 * noise)
    assert found.upper == pytest.approx(coupled)
    assert stopped_early(process, Named.stopped(process, law, 0.0), 0.0, 2).upper == 0.0


def test_the_spread_of_what_was_generated_stands_in_for_missing_data():
    grid = mfg.CartesianGrid.cube(6.0, 64, 2)
    field = mfg.Field(mfg.FiniteVolume(grid), mfg.gaussian(0.5, 0.3, dimension=2).density(grid.points))
    found = spread(None, field)
    assert found == {"value": pytest.approx(np.sqrt(0.6), rel=1e-3), "of": "SDE"}
    samples = np.random.default_rng(0).normal(size=(4000, 3))
    assert spread(None, samples)["value"] == pytest.approx(np.sqrt(3.0), rel=0.03)
    known = Sampled(samples, samples)
    assert spread(known, samples)["value"] == spread(None, samples)["value"]


def test_several_certificates_share_their_axes(browse):
    named = [("first", certificate()), ("second", certificate(ode=(0.1, 0.01)))]
    page = comparison.render(named)
    assert page.count('aria-label="first: 25, 24.5 … 25.5"') == 1
    assert page.count('aria-label="second: 5, 4.5 … 5.5"') == 1
    assert "are not the same in all" not in page
    other = certificate()
    other["about"] = other["about"] | {"data": "four-blobs"}
    assert "are not the same in all" in comparison.render([*named, ("third", other)])
    seen = """<script>document.body.dataset.wide =
        document.documentElement.scrollWidth > document.documentElement.clientWidth;</script></body>"""
    shown, said = browse(page.replace("</body>", seen), "--window-size=500,900")
    assert said == []
    assert 'data-wide="false"' in shown


def test_two_certificates_are_needed_and_of_this_version(tmp_path):
    with pytest.raises(ValueError, match="two certificates or more"):
        certificates.side_by_side([tmp_path], tmp_path / "page.html")
    for name, result in (("new", certificate()), ("old", {**certificate(), "format": 0})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "certificate.json").write_text(json.dumps(result), encoding="utf-8")
    with pytest.raises(ValueError, match="of another version"):
        certificates.side_by_side([tmp_path / "new", tmp_path / "old"], tmp_path / "page.html")
    page, named = certificates.side_by_side([tmp_path / "new", tmp_path / "new"], tmp_path / "page.html")
    assert page.is_file()
    assert len(named) == 2


@pytest.mark.slow
def test_certificates_are_compared_and_drawn_from_the_command_line(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        place = tmp_path / name / "certificate.json"
        place.write_text(json.dumps(certificate(judgement=["All is well."])), encoding="utf-8")
    folders = [str(tmp_path / name) for name in ("first", "second")]
    found = CliRunner().invoke(app, ["compare", *folders, "--out", str(tmp_path / "page.html")])
    assert found.exit_code == 0, found.output
    assert found.output.count("24 to 26 %") == 2
    drawn = CliRunner().invoke(app, ["figures", str(place), "--width", "85mm", "--out", str(tmp_path / "figures")])
    assert drawn.exit_code == 0, drawn.output
    assert (tmp_path / "figures" / "certificate.txt").read_text() == "All is well.\n"
    assert (tmp_path / "figures" / "certificate.pdf").stat().st_size > 5000
    wrong = CliRunner().invoke(app, ["figures", str(place), "--width", "85 furlongs"])
    assert wrong.exit_code == 1
    assert "a width is a number with mm, cm, in or pt" in wrong.output


def test_a_likely_slip_and_a_prior_far_off_come_before_bars():
    """What the page warns of most is what it advises first."""
    found = {
        "warnings": ["what was given has the wrong sign: it looks like the negative of a score"],
        "leak": {"sde": 0.9},
    }
    assert advised(found, {}) == (
        "looking at what was given: it has the wrong sign: it looks like the negative of a score"
    )
    known = {
        "sde–data": shares.Share("", 0.13, 0.55, 0.3),
        "ode–data": shares.Share("", 0.13, 0.55, 0.3),
        "prior": shares.Share("", 0.53, 0.65, 0.6),
        "stop": shares.Share("", 0.0, 0.01, 0.005),
    }
    assert advised({"grid": {}, "leak": {"sde": 0.0}}, known).startswith("a longer horizon or a larger last noise")


@pytest.mark.parametrize("residual", [1.0, 41.3, 300.0])
def test_a_sentence_has_one_unit(residual):
    """The residual over |∂_t s| = 4 in per cent, whatever its size: never as multiples, never with an exponent."""
    row = {"score": 3.0, "time derivative": 4.0, "score residual": residual, "rotation": 0.0}
    rows = [{"t": t, **row} for t in (1.0, 0.5)] + [{"t": 0.01, **row, "score residual": 4.4 * residual}]
    text = judged(certificate(residuals=rows, leak={"sde": 0.997, "ode": 0.0})).text
    (sentence,) = re.findall(r"The score (?:does not )?solves? its own equation.*?largest", text)
    assert sentence.count(" %") == 2
    assert "times of" not in text
    assert not re.search(r"\de[+-]\d", text)
    assert "100 % of the mass of its SDE leaves the box" in text


def test_numbers_of_the_table_of_verdicts_can_be_read():
    assert table.margin(-2.4e12) == "< -1000"
    assert table.tightness({"tightness": 412.3}) == "410 ×"
    assert table.notices({"factor": 0.0, "rate": 0.998}) == "factor any amount, rate 100 %"


@pytest.mark.parametrize(("outcome", "seen"), [("refuted", (1, 1)), ("holds", (0, 1)), ("broken", (0, 1))])
def test_changed_coefficients_do_not_stand_in_for_a_control(outcome, seen):
    claim = {"findings": [{"refuted_by": ["factor 5 % off"]}], "controls": [{"description": "c", "outcome": outcome}]}
    assert table.seen_of(claim) == seen
    claim["findings"][0]["refuted_by"] = ["d"]
    claim["controls"].append({"description": "d", "outcome": "refuted"})
    assert table.seen_of(claim) == (1, 1)


@pytest.mark.parametrize(("measured", "words"), [(True, "rate by −0.3 \\%"), (False, "rate by $\\approx$ −0.3 \\%")])
def test_a_change_that_was_not_measured_is_told_as_such(measured, words):
    run = {
        "level": "quick", "seed": 0, "started": "2026-01-01", "provenance": {"versions": {"mfgpde": "0"}, "commit": "c"}
    }  # fmt: skip
    claim = {
        "id": "x", "outcome": "holds", "reason": "holds", "controls": [], "findings": [], "statement": "x = x",
        "source": "a test", "standing": "derived", "detects": {"rate": 0.003},
        "reach": {"rate": {"sign": -1, "measured": measured}},
    }  # fmt: skip
    plain = words.replace("by ", "").replace("$\\approx$", "≈").replace("\\%", "%")
    assert f"would notice: {plain}\n" in cited.plain(claim, run)
    assert words.replace("−", "$-$") in cited.latex(claim, run)


def test_what_rounding_may_leave_is_no_verdict_on_the_equation():
    rows = [{"t": t, "score": 3.0, "time derivative": 4.0, "score residual": 8.0, "rotation": 0.0} for t in (1.0, 0.01)]
    plain = judged(certificate(residuals=rows)).text
    assert "does not solve its own equation: the residual is 200 %" in plain
    for size, told in ((12.0, False), (4.0, True)):
        text = judged(certificate(residuals=[row | {"rounding of the residual": size} for row in rows])).text
        assert ("does not solve its own equation" in text) is told
        assert ("rounding alone may leave 300 %; evaluate it in double precision" in text) is not told
