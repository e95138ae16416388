"""Laws of samplers and of noise levels, on the line, where the generated law is known to many digits.

A sampler has the order that it states, neither less nor more, on paths with and without contraction; it adds noise if it
says so, remembers only if it says so, treats coordinates of product laws one by one, and refuses times that go up.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from mfgpde.core.arrays import Array
from mfgpde.core.laws import Check, Kind, Law, agree, refuses, small
from mfgpde.densities import GaussianMixture, bimodal
from mfgpde.processes import (
    Cosine,
    IsotropicProcess,
    OrnsteinUhlenbeck,
    Straight,
    VarianceExploding,
    VariancePreserving,
)
from mfgpde.samplers.contract import Levels, Model, Sampler
from mfgpde.samplers.generated import flat, generated_law
from mfgpde.samplers.levels.log_snr import LogSNR
from mfgpde.scores import ExactScore

NEAR = 0.25
"""by how much an observed order may be off: the next term of the error, at a hundredth of the first"""
END = 2.5
"""log(α/σ) at the last time: noise a twelfth of the data"""


def paths() -> Iterator[IsotropicProcess]:
    """Yield processes to try samplers on: with all, no and some contraction."""
    yield VariancePreserving()
    yield VarianceExploding(0.01, 5.0, 2.7)
    yield OrnsteinUhlenbeck(horizon=3.0)


def ways() -> Iterator[IsotropicProcess]:
    """Yield processes to try noise levels on: those paths, and two at whose horizon nothing of the data is left."""
    yield from paths()
    yield Straight(horizon=1.3)
    yield Cosine()


def order_is_that_on_the_class(sampler: Sampler, rng: Generator) -> Iterator[Check]:
    """W₂ from the exact law falls by 2^order when levels are twice as many, to a quarter of an order."""
    counts = (40, 80) if sampler.order == 1 else (80, 160)
    for process in paths():
        model = Model(process, ExactScore(process, bimodal()))
        stop = model.time_at(END)
        errors = []
        for n in counts:
            times = LogSNR().times(process, n, stop)
            law = generated_law(sampler, model, times, model.score.at(float(times[0])))  # pyright: ignore
            errors.append(law.against(model.score.at(stop)).w2)  # pyright: ignore
        seen = float(np.log2(errors[0].value / errors[1].value))
        blurred = max(one.half_width / one.value for one in errors)
        yield small(f"{type(process).__name__}: known to {blurred:.1e} of itself", blurred, 0.05)
        yield small(f"{type(process).__name__}: order {seen:.2f} for {sampler.order}", abs(seen - sampler.order), NEAR)


def noise_is_added_where_stated(sampler: Sampler, rng: Generator) -> Iterator[Check]:
    """Some move adds noise if the sampler says so, and none if it does not."""
    model, times = _model(1), np.array([1.0, 0.5, 0.25, 0.1])
    x, most = rng.standard_normal((5, 1)), 0.0
    for move in flat(sampler.run(model, times)):
        x, deviation = move(x)
        most = max(most, deviation)
    yield small(f"largest deviation {most:.3g}", float((most > 0) != sampler.stochastic), 0.0)


def memory_is_as_stated(sampler: Sampler, rng: Generator) -> Iterator[Check]:
    """The second step depends on where the first one was made if, and only if, the sampler is not Markov."""
    x, results = rng.standard_normal((5, 1)), []
    for shift in (0.0, 1.0):
        steps = sampler.run(_model(1), np.array([1.0, 0.5, 0.25]))
        for move in next(steps):
            move(x + shift)
        results.append(next(steps)[0](x)[0])
    moved = float(np.abs(results[0] - results[1]).max())
    yield small(f"the second step moved by {moved:.1e}", float((moved > 0) == sampler.markov), 0.0)


def coordinates_of_products_are_sampled_apart(sampler: Sampler, rng: Generator) -> Iterator[Check]:
    """For a product of two laws, a move is the moves for both, to roundings: a thousand, scores cancel."""
    times, x = np.array([1.0, 0.5, 0.25, 0.1]), rng.standard_normal((7, 2))
    apart = [x[:, :1], x[:, 1:]]
    both = flat(sampler.run(_model(2), times))
    first, second = (flat(sampler.run(_model(1), times)) for _ in range(2))
    for move, one, other in zip(both, first, second, strict=True):
        x, s = move(x)
        (a, r), (b, _) = one(apart[0]), other(apart[1])
        apart = [a, b]
        yield agree("means", x, np.hstack(apart), roundings=1e3)
        yield agree("deviations", s, r)


def times_that_go_up_are_refused(sampler: Sampler, rng: Generator) -> Iterator[Check]:
    """Times that do not decrease, or lie beyond the horizon, are a ValueError before the first move."""
    for case, times in (("up", [0.5, 0.7, 0.1]), ("twice", [0.5, 0.5, 0.1]), ("beyond", [1.5, 0.1]), ("one", [0.5])):
        yield refuses(case, lambda times=times: next(sampler.run(_model(1), np.array(times))))


def comes_back_from_a_pickle(sampler: Sampler, rng: Generator) -> Iterator[Check]:
    """Pickled and unpickled it makes the same move."""
    again, x, times = pickle.loads(pickle.dumps(sampler)), rng.standard_normal((5, 1)), np.array([1.0, 0.5])
    one, other = (next(each.run(_model(1), times))[0](x)[0] for each in (sampler, again))
    yield agree("a move", one, other)


def other_units_change_nothing(sampler: Sampler, rng: Generator) -> Iterator[Check]:
    """Moves of a process and data 1e±9 as large, 1e±9 as slow, are those moves that much larger: to ten thousand roundings.

    The process is pure noise: no number of its own but lengths and a time. Scores are differences of large numbers.
    """
    x = rng.standard_normal((5, 1))
    known = list(_moves(sampler, x, 1.0, 1.0))
    for length, time in ((1e-9, 1e9), (1e9, 1e-9)):
        for k, ((one, s), (other, r)) in enumerate(zip(known, _moves(sampler, x, length, time), strict=True)):
            where = f"move {k}, lengths × {length:g}, times × {time:g}"
            yield agree(f"mean, {where}", other / length, one, roundings=1e4)
            yield agree(f"deviation, {where}", r / length, s, roundings=1e4)


def _moves(sampler: Sampler, x: Array, length: float, time: float) -> Iterator[tuple[Array, float]]:
    process, one = VarianceExploding(0.01 * length, 5.0 * length, 2.7 * time), bimodal()
    data = GaussianMixture(one.weights, length * one.means, length**2 * one.covariances)
    x = length * x
    for move in flat(sampler.run(Model(process, ExactScore(process, data)), time * np.array([2.5, 1.5, 0.7, 0.3]))):
        x, deviation = move(x)
        yield x, deviation


def levels_go_with_the_unit_of_time(levels: Levels, rng: Generator) -> Iterator[Check]:
    """Levels of a process 1e±9 as slow and as large are as much later: to a thousand roundings, and stops too."""
    known = VarianceExploding(0.01, 5.0, 2.7)
    for length, time in ((1e-9, 1e9), (1e9, 1e-9)):
        slow = VarianceExploding(0.01 * length, 5.0 * length, 2.7 * time)
        for stop in (0.0, 1e-3):
            found, wanted = levels.times(slow, 7, stop * time) / time, levels.times(known, 7, stop)
            yield agree(f"to {stop:g}, lengths × {length:g}, times × {time:g}", found, wanted, roundings=1e3)


def times_go_down_to_the_stop(levels: Levels, rng: Generator) -> Iterator[Check]:
    """Times are as many as steps and one, finite, decreasing, the first at most the horizon, the last the stop."""
    for process in ways():
        for stop in (0.0, 1e-4 * process.horizon):
            for n in (1, 2, 7, 50):
                times = levels.times(process, n, stop)
                case = f"{type(process).__name__}, {n} steps to {stop:g}"
                yield small(f"{case}: count", abs(len(times) - n - 1), 0.0)
                yield small(f"{case}: rises", float(np.any(~(np.diff(times) < 0))), 0.0)
                yield small(f"{case}: end", abs(float(times[-1]) - stop), 0.0)
                yield small(f"{case}: start", float(times[0]) / process.horizon - 1, 1e-12)


def more_steps_are_closer(levels: Levels, rng: Generator) -> Iterator[Check]:
    """The longest step is shorter with four times as many."""
    for process in ways():
        few, many = (float(np.max(-np.diff(levels.times(process, n)))) for n in (20, 80))
        yield small(f"{type(process).__name__}: {many:.3g} after {few:.3g}", many / few, 0.6)


def bad_requests_are_refused(levels: Levels, rng: Generator) -> Iterator[Check]:
    """No steps, and a stop outside the process's times, are a ValueError."""
    process = VariancePreserving()
    for case, steps, stop in (("no steps", 0, 0.0), ("negative stop", 5, -0.1), ("stop at the horizon", 5, 1.0)):
        yield refuses(case, lambda steps=steps, stop=stop: levels.times(process, steps, stop))


def levels_come_back_from_a_pickle(levels: Levels, rng: Generator) -> Iterator[Check]:
    """Pickled and unpickled, as on its way to another process, they are the same, bit for bit, for every process."""
    again = pickle.loads(pickle.dumps(levels))
    for process in ways():
        got, want = again.times(process, 7, 0.0), levels.times(process, 7, 0.0)
        yield agree(type(process).__name__, got, want, roundings=0)


def _model(dimension: int) -> Model:
    process, one = VariancePreserving(), bimodal()
    if dimension == 1:
        return Model(process, ExactScore(process, one))
    weights = np.outer(one.weights, one.weights).ravel()
    means = np.stack(np.meshgrid(one.means[:, 0], one.means[:, 0], indexing="ij"), axis=-1).reshape(-1, 2)
    spreads = np.stack(np.meshgrid(*2 * [one.covariances[:, 0, 0]], indexing="ij"), axis=-1).reshape(-1, 2)
    return Model(process, ExactScore(process, GaussianMixture(weights, means, spreads)))


LAWS: tuple[Law[Sampler], ...] = (
    order_is_that_on_the_class,
    noise_is_added_where_stated,
    memory_is_as_stated,
    coordinates_of_products_are_sampled_apart,
    times_that_go_up_are_refused,
    comes_back_from_a_pickle,
    other_units_change_nothing,
)
"""all laws of a sampler"""

LEVEL_LAWS: tuple[Law[Levels], ...] = (
    times_go_down_to_the_stop,
    more_steps_are_closer,
    bad_requests_are_refused,
    levels_go_with_the_unit_of_time,
    levels_come_back_from_a_pickle,
)
"""all laws of a rule for noise levels"""

KINDS = {"sampler": Kind(Sampler, LAWS), "noise levels": Kind(Levels, LEVEL_LAWS)}
