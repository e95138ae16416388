"""Figures for a paper: as wide as asked for, no text too small, colours that colour-blind readers tell apart, captions."""

import itertools
import re
import zlib

import numpy as np
import pytest
from matplotlib.colors import to_rgb

import mfgpde
from mfgpde.report import paper, plotting

RUN = {"level": "quick", "seed": 0, "provenance": {"commit": "abc"}}
CLAIMED = {
    "id": "p/a",
    "outcome": "holds",
    "source": "me",
    "reason": "holds to 1",
    "controls": [{"outcome": "refuted"}],
}


def drawn(out, width, panels=3, size=5.0, style=None):
    """Save a figure of several panels with small text, for a column of a width."""
    with paper.drawn_for(paper.Paper(width, style)), plotting.style():
        figure = plotting.Figure(figsize=(plotting.DOUBLE, 2.2))
        for panel in figure.subplots(1, panels, sharey=True):
            panel.plot([1, 2], [1, 2])
            panel.set(xlabel="x", ylabel="y", title="a title")
            panel.text(1, 1, "small", size=size)
        return plotting.save(figure, out, "tried", (("x",), [(1.0,)]), {**RUN, "claims": [CLAIMED]}, ["p/a"])


def of_pdf(path):
    """Return the width in mm and the sizes of all text, read from the file."""
    raw = path.read_bytes()
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+)", raw)
    streams = [zlib.decompress(one) for one in re.findall(rb"stream\r?\n(x.*?)\r?\nendstream", raw, re.DOTALL)]
    sizes = {float(size) for text in streams for size in re.findall(rb"/F\S+ ([\d.]+) Tf", text)}
    return float(box[1]) * 25.4 / 72, sizes


@pytest.mark.parametrize("width", [85.0, pytest.param(120.0, marks=pytest.mark.slow), 178.0])
def test_a_figure_is_as_wide_as_asked_for_and_can_be_read(tmp_path, width):
    found, sizes = of_pdf(drawn(tmp_path, width)[0])
    assert found == pytest.approx(width, abs=0.1)
    assert min(sizes) >= paper.SMALLEST


def test_what_is_not_asked_for_is_left_alone(tmp_path):
    found, sizes = of_pdf(drawn(tmp_path, None)[0])
    assert found == pytest.approx(plotting.DOUBLE * 25.4, abs=0.1)
    assert min(sizes) == 5.0, "the reader of sizes sees small text where there is some"


def test_a_row_of_panels_goes_to_several_rows():
    with paper.drawn_for(paper.Paper(85.0)), plotting.style():
        figure = plotting.Figure(figsize=(7.0, 2.0))
        panels = figure.subplots(1, 4)
        paper.fit(figure)
        places = [panel.get_subplotspec() for panel in panels]
    assert [(one.rowspan.start, one.colspan.start) for one in places] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert figure.get_size_inches() == pytest.approx([85 / 25.4, 4.0])


def test_the_caption_has_numbers_and_verdicts(tmp_path):
    text = next(path for path in drawn(tmp_path, 85.0) if path.suffix == ".txt").read_text()
    assert text.startswith("Figures for a paper: as wide as asked for")
    assert "p/a (me): holds; holds to 1; 1 of 1 false variants refuted." in text
    assert "level quick, seed 0, commit abc" in text


def test_a_paper_brings_its_fonts(tmp_path):
    sheet = tmp_path / "journal.mplstyle"
    sheet.write_text("font.family: serif\nfont.size: 11\naxes.labelsize: 11\n")
    _, sizes = of_pdf(drawn(tmp_path, 85.0, style=sheet)[0])
    assert 11.0 in sizes
    assert b"DejaVuSerif" in (tmp_path / "tried.pdf").read_bytes()
    sheet.write_text("font.size: large and green\n")
    with pytest.raises(ValueError, match="no style sheet of Matplotlib"):
        paper.Paper(85.0, sheet).settings()


@pytest.mark.parametrize("text", ["85", "85 furlongs", "5mm", "-85mm", "nanmm", "900mm"])
def test_a_width_is_a_length_that_pages_have(text):
    with pytest.raises(ValueError, match="a width is a number with mm, cm, in or pt"):
        paper.millimetres(text)


SIMULATED = {  # of full severity: Machado, Oliveira, Fernandes, IEEE Trans. Vis. Comput. Graph. 15 (2009), table 1
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
    "nobody": np.eye(3),
}
TELLS = 10.0  # of CIE 1976 ΔE; about 2 are seen side by side, lines are thin and apart


def lab(colour, sight):
    """Return CIE L*a*b* (D65) of an sRGB colour as it is seen."""
    c = np.array(to_rgb(colour))
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(SIMULATED[sight]) @ linear, 0, 1)
    to_xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    x, y, z = np.cbrt(np.array(to_xyz) @ linear / (0.9505, 1.0, 1.089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIMULATED)
def test_colours_are_told_apart_by_all_eyes(sight):
    seen = [lab(colour, sight) for colour in plotting.COLOURS]
    apart = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in itertools.combinations(range(8), 2)}
    assert min(apart.values()) > TELLS, min(apart, key=apart.get)


def test_red_and_green_would_be_found_out():
    apart = np.linalg.norm(lab("#a05a00", "deuteranopia") - lab("#5f7a00", "deuteranopia"))
    assert apart < TELLS < np.linalg.norm(lab("#a05a00", "nobody") - lab("#5f7a00", "nobody"))


def test_what_has_no_order_is_not_joined():
    series = {"label": "a", "y_label": "y", "y": [1.0, 2.0, 3.0], "logarithmic": ""}
    for x_label, x, joined in (("t", [1, 2, 3], True), ("data set", [1, 2, 3], False), ("KL", [1, 3, 2], False)):
        (panel,) = plotting.ladder_figure([{**series, "x_label": x_label, "x": x}]).axes
        assert (panel.lines[0].get_linestyle() == "-") is joined, x_label


@pytest.mark.slow
def test_the_overview_of_all_claims_fits_a_page(tmp_path, monkeypatch):
    from pathlib import Path

    from mfgpde.verify import load_module, record

    root = Path(mfgpde.__file__).parents[1]
    run = record.read(root / "validation" / "baseline.json")
    module = load_module(root / "figures" / "verdicts.py")
    write = plotting.write  # sizes are read off the PDF, and nothing else is painted
    monkeypatch.setattr(plotting, "write", lambda one, path, **more: path.suffix == ".png" or write(one, path, **more))
    for width in (85.0, 178.0):
        with paper.drawn_for(paper.Paper(width)):
            pdf = module.draw(run, tmp_path)[0]
        assert of_pdf(pdf)[0] == pytest.approx(width, abs=0.1)
        height = float(re.search(rb"/MediaBox \[ ?0 0 [\d.]+ ([\d.]+)", pdf.read_bytes())[1]) * 25.4 / 72
        assert height < (245 if width < 100 else 180)
