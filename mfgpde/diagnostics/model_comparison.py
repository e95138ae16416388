"""Score models against each other on the same samples: the empirical score, kernels, and a network given as much time.

Each model's law at t = `stop` is compared with the noised law of the data: for mixtures it is known in closed form, for
networks it is that of the probability-flow ODE, densities and samples by characteristics.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mfgpde.core.ability import require
from mfgpde.core.arrays import Array
from mfgpde.core.estimate import Estimate, Kind
from mfgpde.core.files import write_text
from mfgpde.core.progress import meter
from mfgpde.densities import GaussianMixture, marginal
from mfgpde.diagnostics.intervals import mean_interval
from mfgpde.diagnostics.memorisation import nearest_ratio
from mfgpde.equations import Continuity
from mfgpde.learning.kernel_model import Shape, fit_kernel_model
from mfgpde.learning.objectives import Objective
from mfgpde.learning.train import train
from mfgpde.processes import IsotropicProcess, LinearProcess
from mfgpde.scores import DivergenceScore, require_score
from mfgpde.scores.exact import ExactScore, empirical_score
from mfgpde.solvers import flow, log_density
from mfgpde.solvers.induced import prior_of
from mfgpde.transport import wasserstein_points

PILOT = (250, 250, 1500)  # steps of trainings: the first warms up, the others tell the time of one step


@dataclass(frozen=True)
class Judged:
    """How far a model is from the truth: KL(p‖q) in nats, W₂ of point clouds, and the nearest-training-point ratio.

    The bar of W₂ is how far two clouds of the truth are apart and two of the model: by the triangle inequality no more is
    owed to sampling. None if not asked for.
    """

    kl: Estimate
    ratio: Estimate
    w2: Estimate | None


def judge_model(
    score: DivergenceScore,
    process: LinearProcess,
    law: GaussianMixture,
    training: Array,
    *,
    stop: float = 1e-3,
    count: int = 2000,
    transport: int = 1000,
    seed: int = 0,
) -> Judged:
    """Return how far the law that a score generates is from the law of its data, both at t = `stop`.

    `count` fresh points of the truth and as many of the model, W₂ on `transport` of them (0: left out); intervals are of
    99 %. Below 400 points ValueError.
    """
    require(process, LinearProcess, "the process")
    require_score(score, DivergenceScore)
    if count < 400:
        raise ValueError(f"count must be at least 400, got {count}")
    rng = np.random.default_rng(seed)
    truth = marginal(process, law, stop)
    fresh, more = truth.sample(count, rng), truth.sample(count, rng)
    if isinstance(score, ExactScore):
        logs, drawn = score.at(stop).log_density(fresh), score.at(stop).sample(count, rng)
    else:
        carried = Continuity.probability_flow(process, score)
        prior = prior_of(process, law.dimension)
        logs = log_density(carried, prior.log_density, fresh, process.horizon, stop, rtol=1e-5)
        start = prior.sample(count, rng)
        drawn = flow(carried, start, process.horizon, stop, integrand=lambda x, t: 0 * x[..., 0], rtol=1e-5)[0]
    w2 = None
    if transport:
        few = min(count // 2, transport)
        value = wasserstein_points(drawn[:transport], fresh[:transport])
        bar = wasserstein_points(more[:few], fresh[:few]) + wasserstein_points(drawn[:few], drawn[-few:])
        w2 = Estimate(value, bar, Kind.CONFIDENCE, f"{min(count, transport)} points, bar from two clouds of each")
    factor, offset, _ = process.transition(0.0, stop).in_dimension(law.dimension)
    return Judged(
        mean_interval(truth.log_density(fresh) - logs, "KL, fresh points"),
        nearest_ratio(drawn, training @ factor.T + offset, fresh),
        w2,
    )


def compare_models(
    process: IsotropicProcess,
    law: GaussianMixture,
    sizes: Sequence[int],
    *,
    seeds: Sequence[int] = (0, 1, 2, 3),
    stop: float = 1e-3,
    time_ratio: float = 1.0,
    widths: tuple[int, ...] = (64, 64),
    precision: Shape = "full",
    count: int = 2000,
    store: Path | None = None,
    progress: bool = False,
) -> list[dict[str, Any]]:
    """Return a row for each number of samples, seed and model ("empirical", "kernel", "network").

    All models of a pair (size, seed) see the same samples. The network is trained by denoising for `time_ratio` times the
    seconds that the kernel fit took, its compilation not counted, at least for 250 steps. Rows hold model, samples, seed,
    seconds, steps, and value and error of kl, w2 and ratio. With `store` (.json) each row is kept when done, and rows that
    are there are not made again.
    """
    stated = {
        "process": repr(process),
        "law": _named(law),
        "stop": stop,
        "time_ratio": time_ratio,
        "widths": list(widths),
    }
    stated |= {"precision": precision, "count": count}
    rows = _stored(store, stated)
    done = {(row["model"], row["samples"], row["seed"]) for row in rows}
    pace = None
    with meter("comparing", show=progress) as bar:
        for k, (n, seed) in enumerate((n, seed) for n in sizes for seed in seeds):
            if all((model, n, seed) in done for model in ("empirical", "kernel", "network")):
                continue
            training = law.sample(n, np.random.default_rng((seed, n)))
            clock = time.perf_counter()
            empirical = empirical_score(process, training)
            spent = time.perf_counter() - clock
            kernels = fit_kernel_model(training, precision=precision, seed=seed)
            pace = pace or _pace(process, training, widths, stop)
            steps = max(PILOT[0], round(time_ratio * kernels.seconds / pace))
            clock = time.perf_counter()
            network = train(process, training, Objective(start=stop), widths=widths, steps=steps, seed=seed)
            trained = time.perf_counter() - clock
            for model, score, seconds, count_of in (
                ("empirical", empirical, spent, 0),
                ("kernel", kernels.score(process), kernels.seconds, kernels.steps),
                ("network", network.score, trained, steps),
            ):
                if (model, n, seed) in done:
                    continue
                found = judge_model(score, process, law, training, stop=stop, count=count, seed=seed)
                row: dict[str, Any] = {
                    "model": model,
                    "samples": n,
                    "seed": seed,
                    "seconds": seconds,
                    "steps": count_of,
                }
                for name, estimate in (("kl", found.kl), ("w2", found.w2), ("ratio", found.ratio)):
                    if estimate is not None:
                        row |= {name: estimate.value, f"{name} error": estimate.half_width}
                rows.append(row)
                _keep(store, stated, rows)
                bar((k + 1) / (len(sizes) * len(seeds)), f"{model}, {n} samples: KL {row['kl']:.3g}")
    return rows


def _named(law: GaussianMixture) -> str:
    """Return what tells a law from others with as many components."""
    numbers = (law.weights, law.means, law.structure.variances())
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in numbers)).hexdigest()
    return f"{law!r}, {digest[:16]}"


def _pace(process: IsotropicProcess, samples: Array, widths: tuple[int, ...], start: float) -> float:
    """Return the seconds of one training step, free of those of compilation."""
    spent: list[float] = []
    for steps in PILOT:
        clock = time.perf_counter()
        train(process, samples, Objective(start=start), widths=widths, steps=steps)
        spent.append(time.perf_counter() - clock)
    return max(spent[2] - spent[1], 0.1 * spent[2]) / (PILOT[2] - PILOT[1])  # compilation is at most nine tenths


def _stored(store: Path | None, stated: Mapping[str, object]) -> list[dict[str, Any]]:
    if store is None or not store.is_file():
        return []
    kept = json.loads(store.read_text(encoding="utf-8"))
    if kept["stated"] != json.loads(json.dumps(stated)):
        other = [key for key in stated if kept["stated"].get(key) != json.loads(json.dumps(stated[key]))]
        raise ValueError(
            f"{store} was made with another {', '.join(other)}; remove it, or ask for what it was made with"
        )
    return kept["rows"]


def _keep(store: Path | None, stated: Mapping[str, object], rows: Sequence[Mapping[str, object]]) -> None:
    if store is not None:
        write_text(store, json.dumps({"stated": stated, "rows": rows}, indent=1))
