"""Taking the place of a library's noise, and reading the states that its steps return."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch


@contextmanager
def intercepted(module: Any, owner: Any, noise: Any) -> Iterator[None]:
    """Give `noise` to whatever is drawn from PyTorch's normal generators inside, and from a noise sampler of its owner.

    Raises ValueError where another number of values is drawn than there are states.
    """
    import torch  # pyright: ignore[reportMissingImports]

    def given(*shape: Any, **_: Any) -> Any:
        sizes = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        wanted = tuple(getattr(sizes, "shape", sizes))
        count = 1
        for n in wanted:
            count *= int(n)
        if count != noise.numel():
            raise ValueError(f"{count} normal numbers were drawn for {noise.numel()} states; one for each is expected")
        return noise.reshape(wanted)

    places = [patch.object(torch, "randn", given), patch.object(torch, "randn_like", given)]
    if hasattr(module, "randn_tensor"):
        places.append(patch.object(module, "randn_tensor", given))
    if hasattr(owner, "noise_sampler"):
        owner.noise_sampler = lambda *_: noise
    for place in places:
        place.start()
    try:
        yield
    finally:
        for place in places:
            place.stop()


def state_of(returned: Any) -> Any:
    """Return the next state from what a step returns: it, the first of a tuple, an entry or an attribute of that name.

    Raises ValueError that says what was returned instead.
    """
    if hasattr(returned, "prev_sample"):
        return returned.prev_sample
    if isinstance(returned, Mapping):
        for name in ("prev_sample", "sample"):
            if name in returned:
                return returned[name]
        raise ValueError(f"a step returned {sorted(map(str, returned))}; the state should be 'prev_sample' or 'sample'")
    if isinstance(returned, tuple | list) and returned:
        return returned[0]
    if hasattr(returned, "reshape"):
        return returned
    raise ValueError(f"a step returned {type(returned).__name__}; an array, a tuple or a mapping is expected")
