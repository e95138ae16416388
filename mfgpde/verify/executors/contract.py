"""The contract of this room: `concurrent.futures.Executor`, called with the number of workers, and left as a context.

What is submitted can be pickled and comes back as plain data. Members of other packages name themselves under the entry
points `mfgpde.executors`. A task whose future raises is submitted once more, alone; an executor that breaks is made anew.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

GROUP = "mfgpde.executors"


@runtime_checkable
class Batched(Protocol):
    """An executor to which a submission is dear, such as a job of a cluster: it takes no more than so many at a time."""

    submissions: int
