"""The change that a claim would notice: where it was measured it refutes, and half of it does not, whatever the shape."""

import math

import pytest

from mfgpde.core.estimate import Estimate, Kind
from mfgpde.verify import Claim, Evidence, Level, Outcome, at_least, at_most, equal
from mfgpde.verify import power as module
from mfgpde.verify.power import power

DELTA, BAR = 1e-3, 1e-6


def number(value):
    return Estimate(value, BAR, Kind.BOUND, "a formula")


SHAPES = {
    "a line": lambda x: equal("f", number(3 * (x - 1)), 0.0, resolution=DELTA),
    "a line, steep": lambda x: equal("f", number(3e7 * (x - 1)), 0.0, resolution=DELTA),
    "a square": lambda x: equal("f", number(7 * (x - 1) ** 2), 0.0, resolution=DELTA),
    "a flat square": lambda x: equal("f", number(0.01 * (x - 1) ** 2), 0.0, resolution=DELTA),
    "a steep square": lambda x: equal("f", number(4e6 * (x - 1) ** 2), 0.0, resolution=DELTA),
    "a square off its zero": lambda x: equal("f", number(7 * (x - 1) ** 2 - 4e-4), 0.0, resolution=DELTA),
    "a fourth power": lambda x: equal("f", number(50 * (x - 1) ** 4), 0.0, resolution=DELTA),
    "a root": lambda x: equal("f", number(0.05 * abs(x - 1) ** 0.5), 0.0, resolution=DELTA),
    "a maximum": lambda x: equal("f", number(max(0.03 * (x - 1), 2 * (x - 1.04))), 0.0, resolution=DELTA),
    "a maximum that saturates": lambda x: at_most("f", number(min(2 * (x - 1), 0.01)), 0.0, resolution=DELTA),
    "one way, up": lambda x: at_most("f", number(x - 1.01), 0.0, resolution=DELTA),
    "one way, down": lambda x: at_most("f", number(0.98 - x), 0.0, resolution=DELTA),
    "at least": lambda x: at_least("f", number(x**3), 0.9, resolution=DELTA),
    "a kink below": lambda x: equal("f", number(min(x - 1, 0.1 * (x - 1)) + 3e-4), 0.0, resolution=DELTA),
    "curved": lambda x: at_most("f", number(math.exp(6 * (x - 1)) - 2), 0.0, resolution=DELTA),
}
"""a finding by its coefficient; each is refuted somewhere between a half and twice"""


def claimed(shape, **more):
    claim = Claim("x", "a test", "derived", coefficients=("factor",), **more)
    claim.measure(lambda level, factor=1.0: Evidence([shape(factor)]))
    return claim


def found(claim, level=Level.QUICK):
    return power(claim, claim.run_measure(level, 0), level, 0)


def outcome(shape, reach, share=1.0):
    return shape(1 + share * reach.sign * reach.change).outcome


@pytest.mark.parametrize("level", [Level.QUICK, Level.FULL])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_what_was_measured_refutes_and_half_of_it_holds(shape, level):
    reach = found(claimed(shape), level).reaches["factor"]
    assert reach.measured
    assert outcome(shape, reach) is Outcome.REFUTED
    assert outcome(shape, reach, 1 / (2 if level is Level.QUICK else 1.2)) is Outcome.HOLDS


def test_a_bar_may_grow_nearly_as_fast_as_what_it_holds():
    def shape(x):
        y = abs(x - 1)
        bar = 5e-4 + 23 * y / (1 + 25 * y)
        return equal("f", Estimate(24 * y / (1 + 20 * y), bar, Kind.BOUND, "a formula"), 0.0, resolution=DELTA)

    reach = found(claimed(shape)).reaches["factor"]
    assert reach.measured
    assert outcome(shape, reach) is Outcome.REFUTED
    assert outcome(shape, reach, 0.5) is not Outcome.REFUTED


@pytest.mark.parametrize(("name", "sign"), [("one way, up", 1), ("one way, down", -1), ("at least", -1), ("curved", 1)])
def test_an_inequality_says_on_which_side(name, sign):
    reach = found(claimed(SHAPES[name])).reaches["factor"]
    assert reach.sign == sign
    assert SHAPES[name](1 - sign * reach.change).outcome is Outcome.HOLDS


def test_first_order_was_wrong_of_a_square(monkeypatch):
    """Without time to measure, the number is what it was, and is marked."""
    monkeypatch.setattr(module, "BUDGET", {True: -1.0, False: -1.0})
    square = SHAPES["a steep square"]
    reach = found(claimed(square)).reaches["factor"]
    assert not reach.measured
    assert reach.change == pytest.approx((DELTA + BAR) / (4e6 * 0.05))
    assert outcome(square, reach) is Outcome.HOLDS


@pytest.mark.parametrize("power_of", [1, 2, 3])
@pytest.mark.parametrize("machine", range(8))
def test_what_a_machine_rounds_is_no_power(machine, power_of):
    """Values near zero differ from machine to machine by a few rounding errors, δ is a thousand of them."""

    def shape(x):
        noise = 1e-15 * math.sin(1e7 * machine + 1e16 * x)
        value = Estimate(0.4 * abs(x - 1) ** power_of + noise, 1e-13, Kind.BOUND, "a formula")
        return equal("f", value, 0.0, resolution=5e-13)

    reach = found(claimed(shape)).reaches["factor"]
    true = (6e-13 / 0.4) ** (1 / power_of)
    assert reach.measured
    assert true * 0.99 <= reach.change <= 2.1 * true


def test_rounding_alone_is_nothing_that_is_noticed():
    def shape(x):
        return equal("f", number(1e-15 * math.sin(1e16 * x)), 0.0, resolution=DELTA)

    assert found(claimed(shape)).reaches["factor"] == module.Reach(math.inf, 0, False)


@pytest.mark.parametrize(
    ("shape", "change"),
    [
        (lambda x: equal("f", number(0.0 * x), 0.0, resolution=DELTA), math.inf),
        (lambda x: equal("f", number(9e-5 * x), 0.0, resolution=DELTA), math.inf),
        (lambda x: at_most("f", number(-abs(x - 1)), 0.0, resolution=DELTA), math.inf),
        (lambda x: at_most("f", number(x), 0.0, resolution=DELTA), 0.0),
    ],
    ids=[
        "nothing moves",
        "it moves by too little for ten times as much to be noticed",
        "it moves away on both sides",
        "refuted as it is",
    ],
)
def test_what_no_change_refutes(shape, change):
    assert found(claimed(shape)).reaches["factor"].change == change


def test_the_claim_is_noticed_where_its_first_finding_is():
    """The second is refuted earlier than its slope says, and half of the claim's change refutes neither."""
    line, square = SHAPES["a line"], SHAPES["a steep square"]

    def both(level, factor=1.0):
        two = square(factor)
        return Evidence([line(factor), equal("g", two.left, two.right, resolution=two.resolution)])

    claim = Claim("x", "a test", "derived", coefficients=("factor",))
    claim.measure(both)
    strength = found(claim)
    reach = strength.reaches["factor"]
    assert reach == strength.of_findings["g"]["factor"]
    assert all(one["factor"].measured for one in strength.of_findings.values())
    assert strength.of_findings["f"]["factor"].change == pytest.approx(DELTA / 3, rel=0.03)
    assert reach.change == pytest.approx((DELTA / 4e6) ** 0.5, rel=0.1)
    half = claim.run_measure(Level.QUICK, 0, factor=1 + 0.5 * reach.change)
    assert {one.outcome for one in half.findings} == {Outcome.HOLDS}


def test_a_measure_that_fails_far_from_the_truth_leaves_the_first_order():
    def root(x):
        if x < 1:
            raise ValueError("no root")
        return at_most("f", number(0.5 - x), 0.0, resolution=DELTA)

    reach = found(claimed(root)).reaches["factor"]
    assert (reach.sign, reach.measured) == (-1, False)
    assert reach.change == pytest.approx(0.5 + DELTA, rel=1e-2)


def test_a_dear_measure_is_not_repeated(monkeypatch):
    calls = []

    def dear(x):
        calls.append(x)
        return SHAPES["a square"](x)

    clock = iter(range(1000))
    monkeypatch.setattr("mfgpde.verify.reach.process_time", lambda: next(clock))
    reach = found(claimed(dear)).reaches["factor"]
    assert (reach.measured, calls) == (False, [1.0, 1.05])
    reach = found(claimed(dear), Level.FULL).reaches["factor"]
    assert reach.measured
