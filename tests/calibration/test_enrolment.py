"""Every public number with a bar, a bracket or an interval is on trial, however it is annotated, or it is said why not."""

import sys
import types

import pytest

from mfgpde.calibration import FAMILIES
from mfgpde.calibration.enrolment import Enrolment, everywhere

COMPILED = {"kernels.envelope", "kernels.scatter", "kernels.carry_2d", "kernels.carry_3d"}
ALONE = {f"transport.{name}" for name in ("refuse", "whole", "read", "verify", "main")}
"""of the file that proves a bound without the package, from any Python"""
READ_OFF = {
    "an equilibrium holds costs of the discrete problem: `optimal_cost`, which is tried, is of the continuous one": {
        "equilibria.Sweeps.equilibrium", "equilibria.solve_entropic", "equilibria.solve_newton",
        "equilibria.solve_primal_dual", "equilibria.Populations.equilibria", "equilibria.RefinedEquilibrium.finest",
        "equilibria.RefinedEquilibrium.costs", "equilibria.equilibrium", "equilibria.Equilibrium.discrete_optimum",
        "equilibria.NodeCosts.node_conjugate", "equilibria.SpaceTime.dual",
    },
    "primal minus dual, computed, and its own size as the bar": {"equilibria.Equilibrium.gap"},
    "a number that is tried is read off it": {
        "equilibria.refined_equilibrium", "learning.fit_kernel_model", "samplers.Tried.distances", "samplers.tried",
        "samplers.on_the_line", "samplers.Law.of", "samplers.Law.read", "samplers.extrapolated",
        "learning.Search.losses",
    },
    "`nearest_ratio`, which is tried": {"diagnostics.Judged.ratio"},
    "a part of bars that are tried": {
        "diagnostics.Law.own_l1", "diagnostics.Law.ladder_l1", "diagnostics.Law.own_w2", "diagnostics.Law.sampling_w2",
        "diagnostics.Law.sampling_l1", "diagnostics.known_kl", "samplers.Lattice.apart", "samplers.Lattice.divergences",
        "samplers.Line.divergence_from", "samplers.Quantiles.tails", "solvers.BothRules.norms", "solvers.Seldom.off",
        "solvers.BoundedResidual.integral", "solvers.BoundedResidual.start", "solvers.bounded_gap", "solvers.grown",
        "solvers.beyond",
        "solvers.trigonometric", "solvers.ElementField.bounded_gap", "solvers.FirstField.bounded_gap",
        "solvers.GridField.bounded_gap", "solvers.mean_of", "solvers.Residual.sampled", "solvers.Residual.largest",
        "solvers.left_out", "solvers.tail", "solvers.Structure.missed", "solvers.Face.total", "solvers.outer",
        "solvers.LineSplines.fall", "solvers.both_masses", "samplers.shares", "samplers.rough", "samplers.Line.owed",
        "diagnostics.rounding_of_residual", "diagnostics.residuals_in_time",
    },
    "a claim's file or what it gives": {
        "verify.Evidence.findings", "verify.Claim.measure", "verify.Claim.control", "verify.Claim.cases",
        "verify.Claim.run_measure", "verify.Claim.run_control", "verify.Finding.left", "verify.Finding.right",
        "verify.Limited.limit", "verify.equal", "verify.at_most", "verify.at_least", "verify.Power.variants",
        "verify.power",
    },
    "a given number and its rounding": {"core.exact", "proofs.ball", "proofs.constant"},
    "an integrand or a law of balls: its means are tried": {
        "proofs.Component.weight", "proofs.Component.mean", "proofs.Component.variance", "proofs.Law.parts",
        "proofs.Law.derivative", "proofs.Line.at", "proofs.Line.bound", "proofs.Part.weight", "proofs.Part.mean",
        "proofs.Part.variance", "proofs.Part.velocity", "proofs.Part.growth", "proofs.MovingMixture.derivative",
        "proofs.MovingMixture.speed", "proofs.MovingMixture.ratio", "proofs.MovingMixture.parts",
        "proofs.LogDensity.value", "proofs.LogDensity.slope", "proofs.LogDensity.curvature", "proofs.LogDensity.third",
        "proofs.LogDensity.speed", "proofs.LogDensity.turning", "proofs.LogDensity.law", "proofs.PlanarMixture.sizes",
        "proofs.PlanarMixture.outside", "proofs.PlanarMixture.width", "proofs.PlanarMixture.moment",
        "proofs.planar_mean",
    },
    "how long a step may be, which the laws of its room try": {
        *(f"discretisations.{kind}.spectral_radius" for kind in (
            "ChainThere", "DrivenChain", "FittedChain", "InteractingChain", "Instant", "JumpChain", "MarkovChain", "Pulled",
        )),
        "integrators.real_boundary", "processes.SubVariancePreserving.time_scale",
    },
    "a Lie bracket, or a piece of time": {
        "discretisations.StaggeredScore.rate", "equations.ScoreFokkerPlanck.transport",
        "equations.ScoreKolmogorov.transport", "samplers.split",
    },
}  # fmt: skip
PAIRS = {
    "corners of a box, walls, spans of time": {
        "core.breaks", "core.scanned", "core.named", "core.merged", "core.pieces", "densities.UniformBoxes.box",
        "densities.GaussianMixture.box", "densities.OnGrid.box", "equilibria.WrappedLaw.box", "samplers.Gridded.box",
        "samplers.Lattice.box", "solvers.Boxes.ends", "solvers.needed_box", "solvers.between_real_walls",
        "solvers.Coefficient.scanned", "solvers.Structure.breaks", "processes.between",
        "solvers.Taken.breaks_of", "solvers.Taken.breaks",
        "solvers.breaks_in_parts", "solvers.breaks_on", "solvers.Room.breaks", "samplers.Line.spans",
    },
    "points and weights, or two parts of a computation": {
        "discretisations.gauss", "discretisations.conical", "discretisations.Simplices.parts", "solvers.gauss",
        "solvers.rule", "solvers.lobatto", "solvers.time_rule", "solvers.Panel.weights", "solvers.Panels.rule",
        "solvers.Span.weights", "solvers.InTime.at", "solvers.nodes", "solvers.looks", "solvers.Reconstruction.all",
        "solvers.linear_system", "solvers.flow", "solvers.jump", "solvers.pole", "discretisations.located",
        "discretisations.KolmogorovSystem.coefficients", "discretisations.Linear.outer",
        "discretisations.EssentiallyNonOscillatory.question", "discretisations.CentralDifferences.question",
        "discretisations.Instant.reset", "discretisations.Jumps.through", "discretisations.StaggeredScore.noise",
        "equilibria.Sweeps.pull", "equilibria.SpaceTime.factorised", "integrators.RungeKuttaChebyshev.recorded",
        "integrators.Controller.sizes", "integrators.ETDRK4.recorded", "integrators.SSPRK43.recorded",
        "scores.OperatorInformed.system", "scores.combination", "scores.preconditioning", "scores.motion",
        "scores.Predicted.parts", "transport.traced", "diagnostics.stretches", "diagnostics.nearest_distances",
        "solvers.Beside.between", "solvers.Beside.fewer", "solvers.seen", "solvers.LineWaves.fall",
    },
    "moments": {
        "diagnostics.Named.moments", "diagnostics.Sampled.moments", "processes.BridgeMixture.moments",
        "processes.BridgeMixture.joint_moments", "samplers.moments", "transport.moments",
    },
    "a value and a derivative, or several": {
        "densities.GaussianMixture.pieces", "densities.GaussianMixture.directional_derivatives",
        "discretisations.gradient_and_laplacian",
        *(f"scores.{kind}.directional_derivatives" for kind in (
            "Differenced", "ExactScore", "JaxScore", "OperatorInformed", "Predicted", "Turned", "TorchScore",
        )),
        *(f"scores.{kind}.with_form" for kind in ("JaxScore", "Predicted", "Turned", "TorchScore")),
        *(f"scores.{kind}.pieces" for kind in ("ExactScore", "JaxPotential", "OperatorInformed")),
        "scores.Predicted.velocity_with_form", "solvers.CountedDirections.directional_derivatives",
        "solvers.CountedDirections.with_form", "solvers.CountedFlowDirections.velocity_with_form",
    },
    "a sampler's level, move or map": {
        "samplers.Prediction.level", "samplers.Loop.levels", "samplers.denoised", "samplers.Tried.defects",
        "samplers.flat", "samplers.Flow.images",
        *(f"samplers.{kind}.run" for kind in (
            "Ancestral", "DDIM", "DPMSolver2", "DPMSolver3", "DPMSolverMultistep", "Euler", "EulerMaruyama", "Exponential",
            "Heun", "PredictorCorrector",
        )),
    },
}  # fmt: skip
"""numbers that stand in pairs and are neither ends of an interval nor a value and its error"""
EXCUSED = set().union(*READ_OFF.values(), *PAIRS.values())


@pytest.fixture(scope="module")
def enrolment():
    return Enrolment(everywhere())


def test_every_number_with_a_bar_is_on_trial(enrolment):
    covered = {name for family in FAMILIES for name in FAMILIES[family].covers}
    missing = {name: why for name, why in enrolment.found.items() if name not in covered | EXCUSED}
    assert not missing, "enrol it: a family of mfgpde/calibration covers it; or say why it is no bar"
    assert covered - set(enrolment.found) == set(), "nothing of this name holds a bar"
    assert not covered & EXCUSED


def test_nothing_is_excused_that_is_not_there(enrolment):
    there = {one.name.split(".")[1] for one in enrolment.annotated}  # files whose libraries are missing are not
    assert not {name for name in EXCUSED - set(enrolment.found) if name.split(".")[1] in there}


def test_every_public_function_says_what_it_returns(enrolment):
    assert set(enrolment.unsaid) == COMPILED | ALONE


SAMPLE = '''
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import mfgpde.core.estimate

if TYPE_CHECKING:
    from mfgpde.core.estimate import Estimate

type Bar = mfgpde.core.estimate.Estimate


@dataclass
class Held:
    plain: int
    number: "Estimate"


@dataclass
class Bracket:
    lower: float
    upper: float


class Asked:
    @property
    def now(self) -> Estimate: ...
    @cached_property
    def once(self) -> dict[str, list[Bar]]: ...
    @classmethod
    def of(cls, x: float) -> "Estimate | None": ...
    def far(self) -> int: ...
    def _own(self) -> Estimate: ...


def quoted() -> "Estimate": ...
def aliased() -> Bar: ...
def in_a_tuple() -> tuple[int, Estimate]: ...
def holds_one() -> Held: ...
def bracketed() -> list[Bracket]: ...
def a_pair() -> tuple[float, float]: ...
def unsaid(x): ...
def a_bound() -> float:
    """Return what the distance does not exceed."""
def plain() -> float:
    """Return the mean."""
'''


def test_annotations_of_every_kind_are_found(tmp_path):
    path = tmp_path / "sample.py"
    path.write_text(SAMPLE)
    module = types.ModuleType("mfgpde.sample.sample")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        exec(compile(SAMPLE, str(path), "exec"), vars(module))
        estimates = sys.modules["mfgpde.core.estimate"]
        found = Enrolment({module.__name__: module, estimates.__name__: estimates})
    finally:
        del sys.modules[module.__name__]
    mine = {name.removeprefix("sample."): why for name, why in found.found.items() if name.startswith("sample.")}
    assert mine == {
        "Held.number": "Estimate", "Asked.now": "Estimate", "Asked.once": "Estimate", "Asked.of": "Estimate",
        "quoted": "Estimate", "aliased": "Estimate", "in_a_tuple": "Estimate", "holds_one": "Held",
        "bracketed": "Bracket", "a_pair": "a pair of numbers", "a_bound": "says 'does not exceed'",
    }  # fmt: skip
    assert found.unsaid == ["sample.unsaid"]
