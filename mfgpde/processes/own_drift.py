"""Whether a drift is that of a linear process: affine, with its transition laws."""

from __future__ import annotations

from collections.abc import Callable

from mfgpde.processes.contract import IsotropicProcess, LinearProcess
from mfgpde.processes.linear import Linear


def linear_process_of(field: Callable[..., object] | None) -> LinearProcess | None:
    """Return the linear process whose drift a field is; None where it is another method, or a drift that was replaced.

    >>> from mfgpde.processes.own_drift import linear_process_of
    >>> process = mfg.OrnsteinUhlenbeck()
    >>> linear_process_of(process.drift) is process, linear_process_of(process.divergence)
    (True, None)
    """
    process = getattr(field, "__self__", None)
    if not isinstance(process, LinearProcess) or getattr(field, "__func__", None) is not type(process).drift:
        return None
    for known in (IsotropicProcess, Linear):
        if isinstance(process, known) and type(process).drift is not known.drift:
            return None
    return process
