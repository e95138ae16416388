"""The report in a browser: Chromium without a network loads it, filters it, walks it by keys, and complains of nothing.

A script at the end of the page does what a reader would and writes down what is seen; the browser hands the page back.
"""

import html as entities
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import mfgpde
from mfgpde.report import drawings, environment, formulas, html
from mfgpde.verify import discover, history, record

BASELINE = Path(mfgpde.__file__).parents[1] / "validation" / "baseline.json"
READER = """
<script>
const seen = {}, type = word => { words.value = word; words.dispatchEvent(new Event("input")); };
const words = document.getElementById("words"), paper = document.getElementById("paper");
const press = key => document.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
const visible = () => [...document.querySelectorAll("section")].filter(s => s.offsetParent !== null).map(s => s.id);
const rows = () => [...document.querySelectorAll("#overview tr[data-claim]")].filter(r => r.offsetParent !== null).length;
seen.all = visible().length; seen.rows = rows();
type("penalty residual"); seen.words = visible(); seen.fewerRows = rows();
press("Escape"); seen.cleared = visible().length;
paper.value = "lai2023"; paper.dispatchEvent(new Event("input")); seen.paper = visible();
location.hash = "zhang2024/cole-hopf"; window.dispatchEvent(new Event("hashchange")); seen.revealed = visible().length;
const holds = document.querySelector(".outcome[value=holds]"); holds.click(); seen.none = visible().length; holds.click();
document.activeElement.blur();
press("j"); seen.first = document.activeElement.id; press("j"); seen.second = document.activeElement.id; press("k");
seen.back = document.activeElement.id;
const ink = () => getComputedStyle(document.body).backgroundColor;
seen.paperColours = [ink()]; press("t"); seen.paperColours.push(ink()); press("t"); seen.paperColours.push(ink());
press("/"); seen.focus = document.activeElement.id;
seen.wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
seen.formulas = [...document.querySelectorAll("math")].every(m => m.getBoundingClientRect().height > 10);
seen.status = document.getElementById("shown").textContent;
document.body.dataset.seen = JSON.stringify(seen);
</script></body>"""


@pytest.fixture(scope="module")
def run():
    return record.read(BASELINE)


@pytest.fixture(scope="module")
def whole(run):
    """Return the page of all claims, every sixth with its plots: what is looked at below is the same for all of them."""
    claims = [claim if k % 6 == 0 else {**claim, "series": []} for k, claim in enumerate(run["claims"])]
    assert sum(bool(claim["series"]) for claim in claims) > 5
    return html.render({**run, "claims": claims})


@pytest.mark.slow
def test_a_reader_finds_their_way(run, whole, browse):
    page, said = browse(whole.replace("</body>", READER))
    assert said == []
    seen = json.loads(entities.unescape(re.search(r'data-seen="([^"]*)"', page)[1]))
    count, lai = len(run["claims"]), [claim["id"] for claim in run["claims"] if claim["id"].startswith("lai2023/")]
    assert seen["all"] == seen["rows"] == seen["cleared"] == seen["revealed"] == count
    assert 0 < len(seen["words"]) == seen["fewerRows"] < count
    assert "deveney2023/gap-closes" in seen["words"]
    assert seen["paper"] == lai
    assert seen["none"] == 0
    ids = [claim["id"] for claim in run["claims"]]
    assert [seen["first"], seen["second"], seen["back"]] == [ids[0], ids[1], ids[0]]
    first, second, third = seen["paperColours"]
    assert first != second
    assert first == third
    assert seen["focus"] == "words"
    assert seen["wide"] is False, "nothing sticks out of the page"
    assert seen["formulas"]
    assert seen["status"] == f"{count} of {count} claims"


FILTERED = """
<script>
document.getElementById("words").value = "no such word";
document.getElementById("words").dispatchEvent(new Event("input"));
</script></body>"""


CONTRAST = """
<script>
const light = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number).reduce((a, b) => a + b) / 765;
const ground = light(getComputedStyle(document.body).backgroundColor);
const words = [...document.querySelectorAll(".plot svg text")].map(t => light(getComputedStyle(t).fill));
const axes = [...document.querySelectorAll(".plot svg path")].map(p => getComputedStyle(p).stroke).filter(c => c != "none");
const sizes = [...document.querySelectorAll(".plot svg text")].map(t => t.getBoundingClientRect().height);
document.body.dataset.seen = JSON.stringify({ground, words: words.map(w => Math.abs(w - ground)), sizes,
  black: axes.filter(c => c == "rgb(0, 0, 0)").length});
</script></body>"""


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--force-dark-mode", "--blink-settings=preferredColorScheme=0"], []])
def test_plots_follow_the_theme(run, browse, options):
    few = {**run, "claims": [claim for claim in run["claims"] if claim["series"]][:3]}
    page, _ = browse(html.render(few).replace("</body>", CONTRAST), "--window-size=500,900", *options)
    seen = json.loads(entities.unescape(re.search(r'data-seen="([^"]*)"', page)[1]))
    assert (seen["ground"] < 0.2) is bool(options)
    assert len(seen["words"]) > 20
    assert min(seen["words"]) > 0.5, "text of plots stands out from the page"
    assert not options or seen["black"] == 0
    assert min(seen["sizes"]) > 8, "pixels, on a phone"


@pytest.mark.slow
def test_it_prints_everything(whole, browse, tmp_path):
    pdf = tmp_path / "page.pdf"
    browse(whole.replace("</body>", FILTERED), f"--print-to-pdf={pdf}", "--no-pdf-header-footer")
    assert pdf.stat().st_size > 200_000, "claims that a filter hides on screen are on paper"


def test_the_template_is_compiled_once(run):
    one = {**run, "claims": run["claims"][:1]}
    html.render(one)
    before = environment.template.cache_info().misses
    html.render(one)
    assert environment.template.cache_info().misses == before


def test_nothing_is_fetched_from_anywhere(whole):
    page = whole
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]+"', page.replace('xlink:href="#', 'href="#'))
    assert "@import" not in page
    assert len(page) < 3_000_000


@pytest.mark.parametrize("because", [None, "", "two digits & no more are printed, KL_T's"])
def test_a_finding_says_beside_a_wide_resolution_why_or_that_it_does_not(run, because):
    """Records made before there were reasons have none; δ that is near what was reached needs none."""
    claim = next(one for one in run["claims"] if one["findings"] and one["findings"][0]["bar"])
    finding = {key: value for key, value in claim["findings"][0].items() if key != "because"}
    finding |= {} if because is None else {"because": because}
    for times, words in ((6.0, bool(because)), (4.0, bool(because))):
        wide = finding | {"resolution": times * (abs(finding["excess"]) + finding["bar"])}
        page = html.render({**run, "claims": [{**claim, "findings": [wide], "series": []}]})
        assert ("two digits &amp; no more are printed" in page) is words
        assert ("far above what is reached" in page) is (times > 5 and not because)


def test_intervals_show_both_sides_and_what_is_allowed():
    finding = {
        "left": {"value": 1.0, "error": 0.5}, "right": {"value": 3.0, "error": 0.0},
        "relation": "≤", "resolution": 1.0, "outcome": "holds",
    }  # fmt: skip
    drawn = str(drawings.intervals(finding))
    assert 'aria-label="1 ± 0.5 ≤ 3"' in drawn
    span = drawings.WIDTH - 2 * drawings.ROOM  # from 0.5 to 4
    assert f'cx="{drawings.ROOM + span * 0.5 / 3.5:.1f}" cy="7"' in drawn
    assert f'width="{drawings.ROOM + span:.1f}"' in drawn, "allowed: everything up to the right side and δ"
    assert f'x="{drawings.ROOM + span * 1.5 / 3.5:.1f}"' in str(drawings.intervals(finding | {"relation": "="}))
    assert drawings.intervals(finding | {"left": {"value": float("inf"), "error": None}}) == ""


def test_history_is_kept_and_drawn(run, tmp_path):
    for _ in range(3):
        history.add(tmp_path, run)
    with (tmp_path / history.FILE).open("a") as file:
        for stray in ("half a li", "[]", "{}", '{"claims": 3}', '{"claims": {"a": [1]}}', '{"numbers": {"a": null}}'):
            file.write(stray + "\n")
    runs = history.runs(tmp_path)
    assert history.certificates(tmp_path) == []
    assert len(runs) == 3
    drawn = str(drawings.sparkline(run["claims"][0]["id"], runs))
    assert "margin over 3 runs" in drawn
    assert "cross" not in drawn
    runs[1]["claims"][run["claims"][0]["id"]][0] = "undecided"
    assert drawings.sparkline(run["claims"][0]["id"], runs).count("cross") == 1
    assert drawings.sparkline("unknown", runs) == ""
    few = {**run, "claims": run["claims"][:2]}
    assert "margin over 3 runs" in html.render(few, history=runs)


def test_history_forgets_the_oldest(run, tmp_path, monkeypatch):
    monkeypatch.setattr(history, "KEPT", 2)
    for started in ("first", "second", "third"):
        history.add(tmp_path, run | {"started": started})
    assert [one["started"] for one in history.runs(tmp_path)] == ["second", "third"]


def test_numbers_share_a_logarithmic_axis():
    rows = [
        {"label": "a < b", "value": 1.0, "low": 0.1, "high": 10.0},
        {"label": "bound", "value": 100.0, "low": 100.0, "high": 100.0, "bound": True},
        {"label": "down to zero", "value": 0.5, "low": -0.5, "high": 1.5},
        {"label": "unknown", "value": float("inf"), "low": 0.0, "high": float("inf")},
    ]
    drawn = str(drawings.scale(rows))
    assert "a &lt; b" in drawn
    assert "unknown" not in drawn
    assert drawn.count('class="bound"') == 1
    lines = [
        tuple(map(float, ends))
        for ends in re.findall(r'x1="([\d.]+)%" x2="([\d.]+)%" y1="\d+" y2="\d+" class="reach"', drawn)
    ]
    dots = [float(x) for x in re.findall(r'circle cx="([\d.]+)%"', drawn)]
    (low, high), (edge, _), (start, _) = lines
    assert dots[0] == pytest.approx((low + high) / 2, abs=0.2), "one decade each way"
    assert edge == pytest.approx(high + (high - dots[0]), abs=0.2), "the bound is a decade further"
    assert start == pytest.approx(low, abs=0.2), "what reaches zero starts at the axis' end"
    assert drawings.scale(rows[3:]) == ""


def test_formulas_are_drawn_as_tex_would():
    made = formulas.mathml(r"\mathbb E\mathbb R\mathcal L\mathcal N|s|^2\log p+\log(q)\sin x")
    letters = re.findall(r"<mi>([^<]+)</mi>", made)
    assert letters[:5] == ["𝔼", "ℝ", "ℒ", "𝒩", "s"]
    assert "mathvariant" not in made
    assert made.count('lspace="0" rspace="0"') == 2
    space = '<mspace width="0.17em"/>'
    assert f"<mrow>{space}<mi>log</mi>{space}</mrow><mi>p</mi>" in made
    assert f'<mrow>{space}<mi>log</mi></mrow><mo stretchy="false">(</mo>' in made
    assert formulas.mathml("") == ""


def test_every_statement_is_understood():
    """No command is left, and no alphabet that browsers lack is asked for."""
    for entry in discover.select([], BASELINE.parent):
        made = formulas.mathml(discover.load(entry).statement)
        assert set(re.findall(r'mathvariant="([^"]*)"', made)) <= {"normal"}, entry.id
        assert "\\" not in made, entry.id


HOSTILE = (
    r"\text{<svg/onload=document.title=1>}",
    r"\mbox{<img src=x onerror=document.title=1>}",
    r"\text{&lt;svg/onload=document.title=1&gt;}",
    r"\href{javascript:document.title=1}{x}",
    r"\style{background:url(//a.b/c)}{x}\class{holds}{x}",
    '\\color{red" onmouseover="document.title=1}{x}',
    "</math><script>document.title=1</script>",
    r"a_{<script>document.title=1</script>",
)


@pytest.mark.parametrize("latex", HOSTILE)
def test_a_formula_runs_and_links_nothing(latex):
    """Elements and attributes of the page are MathML's, parsed as a browser would."""

    class Elements(HTMLParser):
        def handle_starttag(self, tag, attrs):
            assert tag in formulas.ELEMENTS | {"pre"}
            assert {name for name, _ in attrs} <= formulas.ATTRIBUTES | {"class", "title"}

    Elements().feed(str(formulas.mathml(latex)))


def test_text_in_formulas_is_kept():
    assert "if\u00a0a&lt;b\u00a0&amp;\u00a0c" in formulas.mathml(r"\text{if a<b & c}")


@pytest.mark.parametrize("latex", ["a_{", r"\newcommand{\a}{\a\a}\a", "{" * 3000 + "x" + "}" * 3000])
def test_what_is_no_latex_is_shown_as_it_was_written(latex):
    made = str(formulas.mathml(latex))
    assert entities.unescape(re.search(r"<pre[^>]*>(.*)</pre>", made, re.S)[1]) == latex


@pytest.mark.slow
def test_a_hostile_record_is_a_page(run, browse):
    """Labels, titles and formulas that look like code, mathematics or commands are text; nothing of it runs."""
    bad = "</script><svg/onload=document.title='ran'> $a_{$ [/x] \x1b[31m"
    claim = json.loads(json.dumps(next(claim for claim in run["claims"] if claim["series"])))
    claim.update(title=bad, reason=bad, source=bad, statement=HOSTILE[0] + HOSTILE[3])
    claim["series"][0].update(label=bad, x_label=bad, y_label=bad)
    claim["findings"][0]["label"] = claim["findings"][0]["left"]["method"] = bad
    made, said = browse(html.render({**run, "claims": [claim]}, history=[]))
    assert said == []
    assert "<title>ran" not in made
    assert "<title>1" not in made
    assert "1 of 1 claims" in made
