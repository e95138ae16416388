"""A few results kept while they are wanted again: of the last instants, of the last steps."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class Recent[Value]:
    """The last `most` results by key; the oldest goes when another comes. Pickled, it starts empty.

    >>> kept = Recent(2)
    >>> [kept(key, lambda: made.append(key) or key) for made in [[]] for key in (1, 2, 1, 3, 1)]
    [1, 2, 1, 3, 1]
    >>> len(kept)
    2
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()

    def __call__(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return what is kept under `key`, else what `make()` returns, which is kept from now on."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        while len(self._kept) >= self.most:  # before it is made: what is kept may be large
            self._kept.popitem(last=False)
        found = self._kept[key] = make()
        return found

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def __reduce__(self) -> tuple[Any, ...]:
        return Recent, (self.most,)
