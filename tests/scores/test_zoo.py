"""Trained networks in seven predictions on four schedules: each is a score, by every library, and the same claims hold."""

import importlib.util
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import mfgpde as mfg
from mfgpde.core.laws import examine
from mfgpde.diagnostics.conventions import wrong_convention
from mfgpde.diagnostics.data import Named
from mfgpde.diagnostics.likelihood import _end, _velocity_with_form
from mfgpde.diagnostics.signal_clock import stretches
from mfgpde.processes import schedule_of
from mfgpde.scores import converted, laws
from mfgpde.scores.adapters import adapted
from mfgpde.scores.tensor_files import read_safetensors

PLACE = Path(mfg.__file__).parents[1] / "validation" / "networks" / "_zoo.py"
SPEC = importlib.util.spec_from_file_location("zoo", PLACE)
zoo = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(zoo)
ALL = list(product(zoo.SCHEDULES, zoo.PREDICTIONS))
SPREAD = [
    pytest.param(schedule, predicts, marks=[pytest.mark.slow] * ((i + k) % 4 > 0))
    for i, schedule in enumerate(zoo.SCHEDULES)
    for k, predicts in enumerate(zoo.PREDICTIONS)
]
"""every prediction on one schedule in turn; the others are slow"""
VECTORS = [(schedule, predicts) for schedule, predicts in ALL if predicts != "potential"]
TURNS = [
    pytest.param(*one, marks=[pytest.mark.slow] * ((list(zoo.SCHEDULES).index(one[0]) + k) % 4 > 0))
    for k, one in enumerate(VECTORS)
]
"""every prediction on one schedule; the others are slow"""


def at(schedule, share, n=400):
    """Return a time, points of the noised data there, and the exact score."""
    process = zoo.SCHEDULES[schedule]
    t = share * process.horizon
    law = mfg.densities.marginal(process, zoo.LAW, t)
    x = law.sample(n, np.random.default_rng(1))
    return t, x, law.score(x)


def misfit(schedule, predicts, share):
    t, x, exact = at(schedule, share)
    found = zoo.score(schedule, predicts)(x, t)
    return float(np.sum((found - exact) ** 2) / np.sum(exact**2))


@pytest.mark.parametrize(("schedule", "predicts"), ALL)
def test_each_has_learned_the_score(schedule, predicts):
    assert max(misfit(schedule, predicts, share) for share in (0.5, 0.8)) < 0.05
    assert (
        misfit(schedule, predicts, 0.2) < 0.45
    )  # a prediction of the data, or a velocity that carries it, with little noise


@pytest.mark.parametrize(("schedule", "predicts"), VECTORS)
def test_what_it_says_comes_back_from_every_other_prediction(schedule, predicts):
    t, x, _ = at(schedule, 0.5, 50)
    now = schedule_of(zoo.SCHEDULES[schedule], t)
    values = mfg.load_score(str(zoo.path(schedule, predicts)), 2)(x, t)
    for other in zoo.PREDICTIONS[:-1]:
        there = converted(values, x, now, predicts, other, zoo.SIGMA_DATA)
        back = converted(there, x, now, other, predicts, zoo.SIGMA_DATA)
        assert np.abs(back - values).max() < 1e-12 * np.abs(values).max()


@pytest.mark.parametrize(("schedule", "predicts"), TURNS)
def test_it_is_taken_for_what_it_is(schedule, predicts):
    """What is said fits; if another prediction is said, it is named, or nothing fits as well: none is named wrongly."""
    network, process = mfg.load_score(str(zoo.path(schedule, predicts)), 2), zoo.SCHEDULES[schedule]
    data = Named(zoo.LAW, zoo.LAW)
    assert wrong_convention(network, data, predicts, process, "process", zoo.SIGMA_DATA) is None
    if schedule != "scaled-linear-betas":  # whose own clock, among those that are tried, counts steps
        other = "data" if predicts == "noise" else "noise"
        words = wrong_convention(network, data, other, process, "process", zoo.SIGMA_DATA)
        assert words is None or f"--predicts {predicts} --schedule {schedule}" in words


@pytest.mark.parametrize(
    ("schedule", "predicts"),
    [  # a potential in JAX is among the members of scores, too
        pytest.param(*one.values, marks=one.marks or [pytest.mark.slow] * (one.values[1] == "potential"))
        for one in SPREAD
    ],
)
def test_it_keeps_the_laws_of_scores(schedule, predicts):
    score, kept = zoo.score(schedule, predicts), laws.LAWS
    if (
        schedule == "scaled-linear-betas"
    ):  # of a list log α is bent at every instant: slopes are looked at within a step
        kept = tuple(law for law in kept if law is not laws.rate_is_the_derivative_in_time)
        t, x, _ = at(schedule, 0.5005, 20)
        rate, h = score.time_derivative(x, t), 1e-5
        found = (score(x, t + h) - score(x, t - h)) / (2 * h)
        np.testing.assert_allclose(rate, found, rtol=0, atol=1e-6 * np.abs(rate).max())
    for outcome in examine(score, kept):
        assert outcome.kept, f"{outcome.law}: {outcome.trouble or outcome.worst}"


LISTED = "scaled-linear-betas"
"""whose velocity jumps at each of its thousand instants: followed in log ᾱ, but at 1e-9 its bends cost seconds"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "predicts"),
    [one if one.values[0] != LISTED else pytest.param(*one.values, marks=pytest.mark.slow) for one in SPREAD],
)
def test_what_its_flow_generates_changes_variables(schedule, predicts):
    """Log q^ODE by the divergence along the flow is log prior + log |det DX|, the map's Jacobian by differences."""
    process, score = zoo.SCHEDULES[schedule], zoo.score(schedule, predicts)
    stop, h = 0.1 * process.horizon, 1e-4
    x = zoo.LAW.sample(4, np.random.default_rng(3))
    logs = mfg.diagnostics.flow_log_density(process, score, x, stop, rtol=1e-9)
    around = np.concatenate([x + h * e for e in (*np.eye(2), *-np.eye(2))])
    plain = mfg.Continuity(mover(process, score), lambda y, t: np.zeros(len(y)))
    end = _end(
        process, _velocity_with_form(process, score)[1], x
    )  # a prediction of noise has no velocity where no data are left
    assert end > 0.9 * process.horizon
    ends = np.concatenate([x, around])
    for one, begin, then in stretches(process, plain, stop, end, of_velocities=predicts == "flow"):
        ends, _ = mfg.solvers.flow(one, ends, begin, then, rtol=1e-9)
    right, up, left, down = (ends[4 * k : 4 * k + 4] for k in range(1, 5))
    J = np.stack([right - left, up - down], axis=-1) / (2 * h)
    want = mfg.solvers.prior_of(process, 2).log_density(ends[:4]) + np.log(np.linalg.det(J))
    np.testing.assert_allclose(logs, want, atol=2e-5)


def mover(process, score):
    """Return the velocity of the probability flow, as it is where the network gives one."""
    if hasattr(score, "velocity"):
        return score.velocity
    return lambda y, t: process.drift(y, t) - float(process.diffusivity(t)) * score(y, t)


@pytest.mark.parametrize("predicts", zoo.PREDICTIONS)
def test_pytorch_and_other_libraries_make_the_same_score_of_it(predicts, torch):
    """PyTorch's and Equinox's own modules and a NumPy function, with the weights of one file on the cosine schedule."""
    arrays, _ = read_safetensors(zoo.path("cosine", predicts))
    layers = [(arrays[f"W{k}"], arrays[f"b{k}"]) for k in range(3)]

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.ModuleList(torch.nn.Linear(*W.shape[::-1]) for W, _ in layers)
            self.load_state_dict(
                {
                    f"layers.{k}.{name}": torch.as_tensor(a)
                    for k, (W, b) in enumerate(layers)
                    for name, a in (("weight", W), ("bias", b))
                }
            )

        def forward(self, x, t):
            h = torch.cat((x, t), dim=1)
            for layer in self.layers[:-1]:
                h = torch.nn.functional.silu(layer(h))
            return self.layers[-1](h)

    found = zoo.score("cosine", predicts)
    others = [adapted(Net(), "torch", 2)]
    equinox = pytest.importorskip("equinox")
    import jax

    class Module(equinox.Module):
        weights: list

        def __call__(self, x, t):
            h = jax.numpy.append(x, t)
            for k, (W, b) in enumerate(self.weights):
                h = W @ h + b
                h = jax.nn.silu(h) if k < 2 else h
            return h[0] if predicts == "potential" else h

    others.append(adapted(Module(layers), "equinox", 2))
    if predicts != "potential":

        def plain(x, t):
            h = np.concatenate((x, np.full((len(x), 1), t)), axis=1)
            for k, (W, b) in enumerate(layers):
                h = h @ np.asarray(W, float).T + b
                h = h / (1 + np.exp(-h)) if k < 2 else h
            return h

        others.append(adapted(plain, "numpy", 2))
    t, x, _ = at("cosine", 0.5, 20)
    for other in others:
        score = zoo.score("cosine", predicts, other)
        np.testing.assert_allclose(score(x, t), found(x, t), rtol=0, atol=1e-12 * np.abs(found(x, t)).max())
        want = found.directional_derivatives(x, t, x)
        tolerance = 1e-10 if not hasattr(other, "uncertainty") else 1e-4
        for one, two in zip(score.directional_derivatives(x, t, x)[:2], want[:2], strict=True):
            np.testing.assert_allclose(one, two, rtol=0, atol=tolerance * np.abs(two).max())


@pytest.mark.slow
@pytest.mark.parametrize("k", range(7), ids=zoo.PREDICTIONS)
def test_the_bound_of_the_gap_holds_whatever_is_predicted(k):
    """W₂ of ODE and SDE is below what the score gap grows to along the flow, each prediction on a schedule in turn."""
    schedule, predicts = list(zoo.SCHEDULES)[k % 4], zoo.PREDICTIONS[k]
    process, score, grid = zoo.SCHEDULES[schedule], zoo.score(schedule, predicts), mfg.CartesianGrid.cube(5.0, 48, 2)
    stop = 0.1 * process.horizon
    times = (stop + (0.98 * process.horizon - stop) * (np.arange(1, 13) / 12) ** 2).tolist()
    sde, ode = (law(process, score, grid, stop=stop, times=times) for law in (mfg.induced_sde, mfg.induced_ode))
    apart = mfg.back_and_forth(ode.density.values.clip(0), sde.density.values.clip(0), grid).distance
    found = mfg.gap_bound(process, score, sde, ode).along_trajectories
    assert apart.value - apart.half_width <= found.value + found.half_width
    assert found.value < 20 * apart.value + 0.05
