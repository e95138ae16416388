"""Numbers as pages say them: read back, they are the number to the digits shown, and no word says more than is known."""

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfgpde.core.digits import digits
from mfgpde.report import drawings, shares, table
from mfgpde.report.paper import NARROW, UNITS, WIDE, millimetres
from mfgpde.report.sampler_table import _slope
from mfgpde.report.shares import GRADES, Share, residual_share

SIZES = st.floats(-12, 12).map(lambda k: 10.0**k)
SHARES = st.floats(-6, 2).map(lambda k: 10.0**k)


@given(SIZES, st.sampled_from([-1.0, 1.0]), st.integers(1, 5))
def test_digits_read_back_are_the_number_to_as_many(size, sign, count):
    shown = digits(sign * size, count)
    assert float(shown) == pytest.approx(sign * size, rel=0.5 * 10.0 ** (1 - count) * (1 + 1e-9))
    assert ("e" in shown) == (not 1e-4 <= abs(float(shown)) < 1e6)
    significant = re.sub(r"e.*|[-.]", "", shown).lstrip("0")
    assert len(significant.rstrip("0")) <= count


@given(SHARES)
def test_per_cents_read_back_are_the_share(share):
    shown = shares.percent(share)
    if share < 1e-4:
        assert shown == "less than 0.01 %"
    else:
        assert float(shown.removesuffix(" %")) == pytest.approx(100 * share, rel=0.051 if share < 1 else 0.0051)
    assert "e" not in shown.replace("less", "").replace("%", "")


@settings(max_examples=200)
@given(SHARES, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_words_of_an_interval_hold_it_and_grades_name_both_ends(high, part, place):
    """What is read off holds the interval to its digits; the grade names that of each end, and no better one."""
    low = high * part
    one = Share("", low, high, low + place * (high - low))
    numbers = [float(x) / 100 for x in re.findall(r"[\d.]+", one.words.replace("less than 0.01 %", "0.01 %"))]
    assert numbers[-1] >= high / 1.06 or high < 1e-4
    if one.words.startswith("at most"):
        assert low < 0.02 * high or low < 1e-4
    elif " to " in one.words:
        assert numbers[0] == pytest.approx(low, rel=0.06)
        assert numbers[1] == pytest.approx(high, rel=0.06)
    else:
        assert shares.percent(low) == shares.percent(high) or high < 1e-4
    words = [word for _, word in GRADES]
    at = [sum(end <= x for end, _ in GRADES) for x in (low, high)]
    assert [word for word in words if re.search(rf"(?<!very ){word}\b", one.grade)] == [
        words[k] for k in sorted({at[0], at[1]})
    ]
    assert ("undecided" in one.grade) == (at[1] > at[0] + 1)


@given(SHARES)
def test_what_has_no_upper_end_is_at_least(low):
    one = Share("", low, math.inf, low)
    assert one.words == f"at least {shares.percent(low)}"
    assert one.grade.endswith(("far", "far (undecided)"))


@given(st.floats(-1e13, 1e13))
def test_margins_keep_their_sign_and_a_tenth(value):
    shown = table.margin(value)
    if abs(value) < 1000:
        assert float(shown) == pytest.approx(value, abs=0.0501)
    else:
        assert shown == ("> 1000" if value > 0 else "< -1000")


@pytest.mark.parametrize("value", [None, math.inf, -math.inf, math.nan])
def test_margins_of_nothing_are_a_dash(value):
    assert table.margin(value) == "–"


@settings(max_examples=50)
@given(st.floats(0.3, 4.0), st.integers(3, 200), st.integers(2, 8), st.floats(-9, 9))
def test_slopes_of_errors_are_orders_in_any_unit(order, n, factor, unit):
    a, b = ((steps, 10.0**unit * steps**-order) for steps in (n, factor * n))
    assert float(_slope(a, b)) == pytest.approx(order, abs=0.0051)
    assert _slope(a, (factor * n, 0.0)) == ""


@settings(max_examples=50)
@given(st.integers(2, 12), st.integers(0, 10**6), st.floats(0.2, 5.0))
def test_the_share_of_a_residual_is_one_of_integrals(count, seed, factor):
    """ε = factor · |∂_t s| at all times is that share whatever the times; its last and largest are where they are."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0.01, 3.0, count))[::-1]
    moves = rng.uniform(0.1, 5.0, count)
    rows = [
        {"t": t, "score residual": factor * down, "time derivative": down}
        for t, down in zip(times.tolist(), moves.tolist(), strict=True)
    ]
    found = residual_share({"residuals": rows})
    assert found.overall == pytest.approx(factor)
    assert found.last == pytest.approx(factor)
    assert found.largest_at == times[moves.argmax()]
    squares = [
        row | {name: {"value": row[name] ** 2} for name in ("score residual", "time derivative")} for row in rows
    ]
    assert residual_share({"residuals": squares}).overall == pytest.approx(factor)
    rows[0]["score residual"] = 0.0
    lost = 0.5 * (times[0] - times[1]) * moves[0] ** 2
    whole = float(np.trapezoid(moves**2, -times))
    assert residual_share({"residuals": rows}).overall == pytest.approx(factor * np.sqrt(1 - lost / whole))
    for row in rows:
        row["time derivative"] = 0.0
    assert residual_share({"residuals": rows}) is None


@settings(max_examples=50)
@given(st.lists(st.floats(-3, 5), min_size=2, max_size=30))
def test_lines_of_a_history_stay_in_their_picture_and_keep_their_order(logs):
    drawn = ElementTree.fromstring(str(drawings.trend([10.0**k for k in logs], "x", [k < 0 for k in logs])))
    points = [tuple(map(float, p.split(","))) for p in drawn.find("polyline").get("points").split()]
    assert len(points) == len(logs)
    assert all(0 <= x <= 80 and 0 <= y <= 18 for x, y in points)
    assert np.all(np.diff([x for x, _ in points]) > 0)
    for (_, y), (_, z), a, b in zip(points, points[1:], logs, logs[1:], strict=False):
        assert (z - y) * (b - a) <= 0  # higher is smaller in pictures
    assert len(drawn.findall("path")) == sum(k < 0 for k in logs)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(-6, 6), st.floats(0, 2), st.floats(0, 2)), min_size=1, max_size=6))
def test_intervals_on_an_axis_begin_and_end_about_their_value(rows):
    given_ = [
        {"label": "a", "value": 10.0**k, "low": 10.0 ** (k - below), "high": 10.0 ** (k + above)}
        for k, below, above in rows
    ]
    drawn = ElementTree.fromstring(str(drawings.scale(given_)))
    lines = [line for line in drawn if "axis" not in line.get("class")]
    assert len(lines) == len(rows)
    for line in lines:
        reach = next(part for part in line.iter("line") if part.get("class") == "reach")
        low, high = (float(reach.get(name).removesuffix("%")) for name in ("x1", "x2"))
        at = float(next(line.iter("circle")).get("cx").removesuffix("%"))
        assert 2 <= low <= at <= high <= 94


@settings(max_examples=50)
@given(st.floats(NARROW + 0.1, WIDE - 0.1), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "]))
def test_widths_are_lengths_in_every_unit(width, unit, gap):
    assert millimetres(f"{width / UNITS[unit]:.6f}{gap}{unit}") == pytest.approx(width, abs=2e-5)
    for wrong in (f"{width}", f"-{width}{unit}", f"{1.01 * WIDE / UNITS[unit]:.6f}{unit}", f"{unit}{width}"):
        with pytest.raises(ValueError, match="a width is a number with mm, cm, in or pt"):
            millimetres(wrong)
