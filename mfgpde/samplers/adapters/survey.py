"""All schedulers of the installed diffusers × spacings of times × predictions: orders, limits, first wrong steps."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from mfgpde.densities import GaussianMixture, bimodal
from mfgpde.samplers.adapters.diffusers import SchedulerRun, scheduler_class, schedulers
from mfgpde.samplers.black_box import Begin, nature, tried
from mfgpde.samplers.convergence import read

STEPS = (10, 20, 40, 80, 160, 320)
SPACINGS, PREDICTIONS = ("leading", "trailing", "linspace"), ("epsilon", "sample", "v_prediction")
TOKENS = "its states are tokens, not numbers"
DISTILLED = "for distilled networks, which jump to the data: it has no limit of many steps with an exact one"
INVERSE = "it runs from data to noise"
ASKS = "its step asks for more than a prediction: "
NOT_TRIED = {
    "AmusedScheduler": TOKENS,
    "BlockRefinementScheduler": TOKENS,
    "DiscreteDDIMScheduler": TOKENS,
    "EntropyBoundScheduler": TOKENS,
    "VQDiffusionScheduler": TOKENS,
    "CMStochasticIterativeScheduler": DISTILLED,
    "ConsistencyDecoderScheduler": DISTILLED,
    "FlowMatchLCMScheduler": DISTILLED,
    "LCMScheduler": DISTILLED,
    "PiflowScheduler": DISTILLED,
    "SCMScheduler": DISTILLED,
    "TCDScheduler": DISTILLED,
    "HeliosDMDScheduler": DISTILLED,
    "DDIMInverseScheduler": INVERSE,
    "DPMSolverMultistepInverseScheduler": INVERSE,
    "CogVideoXDPMScheduler": ASKS + "the data predicted before",
    "DDPMWuerstchenScheduler": ASKS + "times as a batch of ratios",
    "HeliosScheduler": ASKS + "a stage of its pyramid",
    "KarrasVeScheduler": ASKS + "two levels and a state raised between them",
    "RFD4ProteinaScheduler": ASKS + "schedules of two modalities",
    "RePaintScheduler": ASKS + "an image and a mask",
    "IPNDMScheduler": "its network predicts on a schedule of its own, which it does not say",
    "MiniMaxH3Scheduler": "its convention for what the network predicts is not one of those known here",
    "CosineDPMSolverMultistepScheduler": "its preconditioning is not one of those known here",
    "FlowMapEulerDiscreteScheduler": "for flow maps, which take two times",
}
"""and why"""


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield names and options: the defaults, and every spacing and prediction that a class has, without clipping."""
    for name in schedulers():
        if name in NOT_TRIED:
            continue
        has = inspect.signature(scheduler_class(name).__init__).parameters
        yield name, {}
        clips = "clip_sample" in has and has["clip_sample"].default is True
        free: dict[str, Any] = {"clip_sample": False} if clips else {}
        spacings = SPACINGS if "timestep_spacing" in has else (None,)
        kinds = PREDICTIONS if "prediction_type" in has and "sigma_data" not in has else (None,)
        for spacing in spacings:
            for kind in kinds:
                options = dict(free)
                options |= {"timestep_spacing": spacing} if spacing else {}
                options |= {"prediction_type": kind} if kind else {}
                same = all(key in has and has[key].default == value for key, value in options.items())
                if not same:
                    yield name, options


def tried_case(name: str, options: Mapping[str, Any], steps: Sequence[int], data: GaussianMixture) -> dict[str, Any]:
    """Return a row: nature, errors with bars, verdict; what goes wrong in double is tried in single precision."""
    import torch  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    make, said = scheduler_class(name), ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for double in (True, False):
            begin: Begin = lambda n, double=double: SchedulerRun(make, dict(options), n, data, double)  # noqa: E731
            try:
                return row(name, options, begin, steps, data) | {"said": said}
            except Exception as problem:  # whatever somebody's scheduler does
                first = (str(problem).splitlines() or [""])[0][:160]
                said = said or f"in double precision: {type(problem).__name__}: {first}"
    return {
        "name": name,
        "options": dict(options),
        "verdict": "not tried",
        "said": said.replace("in double precision: ", ""),
    }


def row(
    name: str, options: Mapping[str, Any], begin: Begin, steps: Sequence[int], data: GaussianMixture
) -> dict[str, Any]:
    """Return errors with bars, order, limit, verdict and the first wrong step of a black box."""
    kind = nature(begin)
    runs = [tried(begin, n, data, kind) for n in steps]
    deviation = float(data.covariances[:, 0, 0].max() ** 0.5)
    found = read(steps, [run.distances.w2 for run in runs], deviation)
    wrong = runs[-1].first_wrong
    return {
        "name": name,
        "options": dict(options),
        "nature": kind.words,
        "steps": list(steps),
        "w2": [run.distances.w2.value for run in runs],
        "bars": [run.distances.w2.half_width for run in runs],
        "order": found.order.value if found.order else None,
        "limit": found.limit.value,
        "verdict": found.verdict,
        "worse_at": found.worse_at,
        "first_wrong": list(wrong) if wrong else None,
        "variance": runs[-1].law.variance if runs[-1].law else None,
    }


def survey(
    steps: Sequence[int] = STEPS,
    data: GaussianMixture | None = None,
    jobs: int = 2,
    report: Callable[[float, str], None] = lambda share, text: None,
) -> list[dict[str, Any]]:
    """Return a row for each case, and for each class that is not tried the reason."""
    law, work = data or bimodal(), list(cases())
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(tried_case, name, options, steps, law) for name, options in work]
        for k, done in enumerate(as_completed(waiting), start=1):
            rows.append(done.result())
            report(k / len(work), rows[-1]["name"])
    rows += [
        {"name": name, "options": {}, "verdict": "not tried", "said": NOT_TRIED[name]}
        for name in schedulers()
        if name in NOT_TRIED
    ]
    return sorted(rows, key=lambda row: (row["name"], str(row["options"])))
