"""The figure of bars on trial: every family is told from every other of its panel."""

from mfgpde import Estimate, Kind
from mfgpde.calibration import Calibration, Case
from mfgpde.calibration.trial import Tried
from mfgpde.report.calibration import drawing


def test_no_two_families_of_a_panel_look_alike():
    kinds = (Kind.EXTRAPOLATED,) * 26 + (Kind.BOUND,) * 9
    tried = [
        Tried(f"family {k}", 0, draw, Case("a length", Estimate(2.0, 1.0 + draw, kind, "a ruler"), 2.5))
        for k, kind in enumerate(kinds)
        for draw in range(3)
    ]
    for panel, many in zip(drawing(Calibration(tried)).axes, (0, 26, 9), strict=True):
        lines = [line for line in panel.lines if line.get_label().startswith("family")]
        assert len(lines) == many
        assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == many
